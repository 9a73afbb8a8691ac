"""A shadow run from its sample to its record."""

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from schemas.bundle import OperatingPoint
from schemas.operating_points import OperatingPoints
from schemas.registry import RegistryEntry
from schemas.run import RunManifest
from schemas.shadow import ShadowRecord
from screening.analytics.views import connect
from screening.bundle.checks import verify
from screening.bundle.operating_points import save
from screening.errors import UsageError
from screening.registry import history, steps
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs, new_run_id, now
from screening.run.config import MachineConfig
from screening.run.progress import ShowProgress, show_nothing
from screening.run.sample import sample_config, score_sample
from screening.run.screen import Night
from screening.shadow.compare import compare_accuracy, compare_stages, matching_thresholds, pairs
from screening.shadow.draw import draw, keep
from screening.storage import join, put_atomic

RECORD_FILE, POINTS_FILE = "record.json", "operating_points.json"


@dataclass(frozen=True)
class Shadow:
    """What `screening shadow` was asked to do. Bundles are named by first digits of their digests; `current` None is the promoted one."""

    results_url: str
    candidate: str
    pseudonym_key: bytes = field(repr=False)
    current: str | None = None
    reference: str | None = None
    images: int = 1000
    seed: int = 0
    machine: MachineConfig = field(default_factory=MachineConfig)

    @property
    def layout(self) -> ResultsLayout:
        """Names in the results folder."""
        return ResultsLayout(self.results_url)


def run_shadow(asked: Shadow, show: ShowProgress = show_nothing) -> ShadowRecord:
    """Let a registered bundle judge a sample beside the current one, write the record, and return it.

    The sample is drawn among the radiographs that the current bundle scored: with a reference table among those with a definite result.
    Everything lies in a results folder of its own, so no figure of the results changes. Raises UsageError where a bundle is unknown, the
    two are the same, or nothing was scored; BundleError for a damaged bundle; and what a run raises.
    """
    known = history.read_history(asked.layout)
    entry = history.find(known, asked.candidate)
    origin = _latest_run(asked, known)
    if origin.bundle_digest == entry.bundle_digest:
        raise UsageError(f"{entry} is the bundle that judges: name another one")
    with connect(asked.results_url, asked.reference, bundle=origin.bundle_digest) as connection:
        sample = draw(connection, origin.bundle_digest, asked.images, asked.seed, verified=asked.reference is not None)
    shadow_id, tonight = new_run_id(now()), now().date()
    layout = ResultsLayout(asked.layout.shadow(shadow_id))
    keep(sample, layout, tonight)
    bundle, points = steps.judging(entry)
    config = sample_config(origin, tonight, asked.pseudonym_key, asked.machine)
    night = Night(origin.archive_url, layout.root, entry.bundle_url, config, asked.pseudonym_key)
    score_sample(sample, night, bundle, points, show)
    record = _compare(asked, shadow_id, entry, origin, drawn=len(sample))
    put_atomic(join(layout.root, RECORD_FILE), record.model_dump_json(indent=2).encode())
    if record.thresholds:
        save(join(layout.root, POINTS_FILE), _points(record, entry, asked.layout))
    return record


def _latest_run(asked: Shadow, known: list[RegistryEntry]) -> RunManifest:
    """Return the latest run of the bundle that the candidate is compared with. Raises UsageError where there is none."""
    promoted = history.promoted(known)
    digest = asked.current or (promoted.bundle_digest if promoted else "")
    runs = [run for run in list_runs(asked.layout) if run.kind == "run" and run.bundle_digest.startswith(digest)]
    if len(digests := sorted({run.bundle_digest[:12] for run in runs})) != 1:
        there = ", ".join(digests) or "none"
        raise UsageError(
            f"{asked.results_url}: say by --current with which bundle to compare; of those asked for there are rows of {there}"
        )
    return runs[-1]


def _compare(asked: Shadow, shadow_id: str, entry: RegistryEntry, origin: RunManifest, *, drawn: int) -> ShadowRecord:
    candidate, current = entry.bundle_digest, origin.bundle_digest
    with connect(asked.layout.shadow(shadow_id), asked.reference) as connection:
        found = pairs(connection, candidate, current, reference=asked.reference is not None)
        compared = len(found["ill"])
        if not compared:
            raise UsageError(f"{entry} scored none of the {drawn} radiographs: see their reasons in {asked.layout.shadow(shadow_id)}")
        accuracy = compare_accuracy(connection, candidate) if asked.reference else {}
        by_ill = asked.reference is not None and bool(found["ill"].any())
        return ShadowRecord(
            shadow_id=shadow_id,
            made=now(),
            candidate_digest=candidate,
            candidate_name=entry.bundle_name,
            current_digest=current,
            drawn=drawn,
            compared=compared,
            seed=asked.seed,
            reference=asked.reference,
            stages=compare_stages(connection, found),
            matched="sensitivity" if by_ill else "positive rate",
            thresholds=matching_thresholds(found, among=found["ill"].astype(bool) if by_ill else np.ones(compared, bool)),
            **accuracy,
        )


def _points(record: ShadowRecord, entry: RegistryEntry, layout: ResultsLayout) -> OperatingPoints:
    """Return the thresholds of a record as operating points of the candidate as it was released."""
    facts = {"rule": f"{record.matched} of bundle {record.current_digest[:12]}", "data": layout.shadow(record.shadow_id)}
    points = {stage: OperatingPoint(threshold=threshold, **facts) for stage, threshold in record.thresholds.items()}
    return OperatingPoints(bundle_digest=verify(entry.bundle_url).digest(), chosen=date.today(), points=points)
