"""The gate before a promotion: a candidate must have judged beside the current bundle, and not have left the stated margins."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from schemas.registry import RegistryEntry
from schemas.shadow import ShadowRecord
from screening.errors import PromotionRefused, ResultsError, check_usage
from screening.results.layout import ResultsLayout
from screening.storage import list_files, read_bytes


@dataclass(frozen=True)
class Margins:
    """How far a candidate may be from the current bundle. The burden of proof is its own: the 95 % interval must lie within."""

    auroc_loss: float = 0.05  # by which its area may lie below the current one's, where a reference table was given
    rate_change: float = 0.05  # by which its share of positives may lie above or below the current one's
    disagreement: float = 0.2  # share of radiographs that the two may call differently; the share itself, not its interval

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            check_usage(0 <= value <= 1, f"--max-{name.replace('_', '-')} is a share in [0, 1]")

    def broken_by(self, record: ShadowRecord) -> list[str]:
        """Return in words what of a record lies outside the margins."""
        cascade, words = record.stages["covid"], []
        rate, area = cascade.positive_rate, record.auroc
        if rate.low is None or rate.high is None or max(-rate.low, rate.high) > self.rate_change:
            words.append(f"share of positives {_interval(rate.difference, rate.low, rate.high)}, beyond {self.rate_change:g}")
        if 1 - cascade.agreement > self.disagreement:
            words.append(f"{1 - cascade.agreement:.3f} of the radiographs called differently, more than {self.disagreement:g}")
        if area is not None and (area.low is None or area.low < -self.auroc_loss):
            words.append(f"AUROC {_interval(area.difference, area.low, area.high)}, below -{self.auroc_loss:g}")
        return words


def read_records(layout: ResultsLayout) -> list[ShadowRecord]:
    """Return the record of every shadow run, oldest first. Raises ResultsError for one that cannot be read."""
    records = []
    for url in list_files(layout.shadows, "/record.json"):
        try:
            records.append(ShadowRecord.model_validate_json(read_bytes(url)))
        except ValidationError as error:
            raise ResultsError(f"{url}: no record of this version ({error.error_count()} faults); move that shadow's folder away") from None
    return records


def evidence_for(records: Sequence[ShadowRecord], candidate: RegistryEntry, current: RegistryEntry, margins: Margins) -> ShadowRecord:
    """Return the latest record that compares a candidate with the current bundle. Raises PromotionRefused.

    It is refused without such a record, and where the record lies outside the margins.
    """
    own = [it for it in records if (it.candidate_digest, it.current_digest) == (candidate.bundle_digest, current.bundle_digest)]
    short = candidate.bundle_digest[:12]
    if not own:
        raise PromotionRefused(
            f"no shadow run compares {short} with {current}: run `screening shadow RESULTS {short}`, or say why not by --without-shadow"
        )
    if broken := margins.broken_by(own[-1]):
        raise PromotionRefused(
            f"{short} left the margins in shadow run {own[-1].shadow_id}: {'; '.join(broken)}. Register it with the operating points "
            "of that run and try these, or say by --without-shadow why it is promoted all the same"
        )
    return own[-1]


def _interval(value: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"{value:+.3f} (too few for an interval)"
    return f"{value:+.3f} (95 % CI {low:+.3f} to {high:+.3f})"
