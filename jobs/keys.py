"""The pseudonym key of this machine's user: a file that `run`, `pseudonymize` and what opens encrypted names find."""

from pathlib import Path

from jobs.console import err
from screening.privacy import create_key, has_key_variable, load_key

DEFAULT_KEY = Path("~/.config/screening/pseudonym.key")


def key_of(path: Path | None) -> bytes:
    """Return the key in `path`, or the environment's (see `load_key`), or the one in the user's own file, which is made at first use."""
    if path is not None or has_key_variable():
        return load_key(path)
    default = DEFAULT_KEY.expanduser()
    if not default.exists():
        create_key(default)
        err.print(f"made a pseudonym key: {default}. Keep it: results of another key cannot be linked with these.", markup=False)
    return load_key(default)


def existing_key(path: Path | None) -> bytes | None:
    """Return the key that `key_of` finds, None where there is none yet."""
    known = path is not None or has_key_variable() or DEFAULT_KEY.expanduser().exists()
    return key_of(path) if known else None
