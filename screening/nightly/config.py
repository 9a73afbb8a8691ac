"""The TOML file of a nightly job."""

import tomllib
from datetime import datetime, time, timedelta

from pydantic import ValidationError

from schemas.nightly import NightlyConfig
from screening.errors import UsageError
from screening.storage import read_bytes


def load_config(url: str) -> NightlyConfig:
    """Return the configuration in a TOML file. Raises UsageError, which names the key that is wrong."""
    try:
        values = tomllib.loads(read_bytes(url).decode())
    except FileNotFoundError:
        raise UsageError(f"{url} does not exist") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{url} is not TOML: {error}") from None
    try:
        return NightlyConfig.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise UsageError(f"{url}: {wrong}") from None


def next_deadline(clock: time | None, now: datetime) -> datetime | None:
    """Return when the deadline comes next after `now`, both in the time zone of `now`; None where there is none."""
    if clock is None:
        return None
    today = now.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
    return today if today > now else today + timedelta(days=1)
