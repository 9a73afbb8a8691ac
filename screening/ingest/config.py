"""What ingest can be told, said without what it needs to decode."""

from dataclasses import dataclass, field
from typing import Any

from screening.dicom.limits import Limits
from screening.ingest.sites import ListedTexts


@dataclass(frozen=True)
class IngestConfig:
    """What decides whether an image is refused, and which of its identifiers are replaced."""

    min_age_years: float = 0.0  # younger patients are refused; unknown ages are not
    min_side: int = 128  # pixels; smaller images are refused
    pseudonymize_uids: bool = False  # replace all study, series and instance UIDs, not only those that hold an identifier
    listed_texts: ListedTexts = field(default_factory=ListedTexts)  # those of institution, manufacturer and model that stand as they are
    limits: Limits = field(default_factory=Limits)  # against hostile files

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "IngestConfig":
        """Rebuild a configuration from `dataclasses.asdict`, also from one of an earlier version, which listed no texts."""
        listed = ListedTexts.from_json(values.get("listed_texts", {"entries": ()}))
        return cls(**{**values, "limits": Limits(**values["limits"]), "listed_texts": listed})
