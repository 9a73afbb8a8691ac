"""The pseudonym key of this machine's user: a file that `run`, `pseudonymize` and what opens encrypted names find."""

import os
from pathlib import Path

from jobs.console import err
from screening.privacy import KEY_FILE_VARIABLE, create_key, load_key

DEFAULT_KEY = Path("~/.config/screening/pseudonym.key")


def key_of(path: Path | None) -> bytes:
    """Return the key in `path`, or in the file that the environment names, or in the user's own, which is made at first use."""
    if path is not None or os.environ.get(KEY_FILE_VARIABLE):
        return load_key(path)
    default = DEFAULT_KEY.expanduser()
    if not default.exists():
        create_key(default)
        err.print(f"made a pseudonym key: {default}. Keep it: results of another key cannot be linked with these.", markup=False)
    return load_key(default)


def existing_key(path: Path | None) -> bytes | None:
    """Return the key that `key_of` finds, None where there is none yet."""
    known = path is not None or os.environ.get(KEY_FILE_VARIABLE) or DEFAULT_KEY.expanduser().exists()
    return key_of(path) if known else None
