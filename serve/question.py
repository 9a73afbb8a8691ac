"""What the gateway hands to a cascade replica: one decoded file. Imports no torch."""

from dataclasses import dataclass

from screening.ingest.ingest import Ingested


@dataclass(frozen=True)
class Question:
    """One decoded file, or one that ingest refused.

    `min_age_years` is the age limit that the gate used: an answer comes only from a bundle that has the same.
    """

    ingested: Ingested
    min_age_years: float
    file: str | None = None
    heatmaps: bool = False


@dataclass(frozen=True)
class OtherBundle:
    """The answer to a question that was decoded for another bundle than the one in use: decode again, with this age limit."""

    min_age_years: float
