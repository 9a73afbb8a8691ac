"""The pseudonym key of this machine's user: a file that both `run` and `pseudonymize` find."""

from pathlib import Path

from jobs.console import err
from screening.privacy import KEY_FILE_VARIABLE, create_key, load_key

DEFAULT_KEY = Path("~/.config/screening/pseudonym.key")


def key_of(path: Path | None) -> bytes:
    """Return the key in `path`, or in the file that the environment names, or in the user's own, which is made at first use."""
    import os

    if path is not None or os.environ.get(KEY_FILE_VARIABLE):
        return load_key(path)
    default = DEFAULT_KEY.expanduser()
    if not default.exists():
        create_key(default)
        err.print(f"made a pseudonym key: {default}. Keep it: results of another key cannot be linked with these.", markup=False)
    return load_key(default)
