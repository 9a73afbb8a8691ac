"""Results of a run whose stage-3 threshold was chosen on answers of the same results folder."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from schemas.bundle import OperatingPoint
from schemas.run import RunManifest
from screening.bundle.checks import load_manifest
from screening.bundle.released import phantom_bundle
from screening.results.layout import ResultsLayout
from screening.results.manifests import now, write_manifest
from tests.screening.instance_rows import pneumonia_row, reference_of, write_instances

RULE = "sensitivity>=0.9"


def write_chosen(folder: Path, rule: str = RULE, stages: tuple[str, ...] = ("covid",)) -> tuple[str, pa.Table, str]:
    """Return the URL of the results, the reference table and the digest: 60 persons, 20 of them positive, judged at the chosen points."""
    results = str(folder / "results")
    points = {stage: OperatingPoint(threshold=0.5, rule=rule, data=results) for stage in stages}
    manifest = load_manifest(phantom_bundle())
    digest = manifest.model_copy(update={"operating_points": {**manifest.operating_points, **points}}).digest()
    random = np.random.default_rng(4)
    scores = np.clip(random.normal(0.4, 0.15, 60) + 0.25 * (np.arange(60) < 20), 0.01, 0.99).round(3)
    rows = [
        pneumonia_row(number, covid=bool(score >= 0.5), covid_score=float(score), bundle_digest=digest)
        for number, score in enumerate(scores)
    ]
    write_instances(results, rows)
    told = {"archive_url": "a", "results_url": results, "bundle_url": phantom_bundle(), "bundle_name": "phantom", "bundle_digest": digest}
    run = RunManifest(run_id="r", screen_date=date(2020, 3, 1), configuration={}, started=now(), operating_points=points, **told)
    write_manifest(ResultsLayout(results), run)
    return results, reference_of(*((number, "positive" if number < 20 else "negative", 0) for number in range(60))), digest
