"""What ingest can be told, said without what it needs to decode."""

from dataclasses import dataclass, field
from typing import Any

from screening.dicom.limits import Limits


@dataclass(frozen=True)
class IngestConfig:
    """What decides whether an image is refused, and which of its identifiers are replaced."""

    min_age_years: float = 0.0  # younger patients are refused; unknown ages are not
    min_side: int = 128  # pixels; smaller images are refused
    pseudonymize_uids: bool = False  # replace study, series and instance UIDs too
    limits: Limits = field(default_factory=Limits)  # against hostile files

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "IngestConfig":
        """Rebuild a configuration from `dataclasses.asdict`."""
        return cls(**{**values, "limits": Limits(**values["limits"])})
