"""From the folders of several public sets to one table of rows with splits, and an account of every image that is not in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from schemas.progress import OnProgress, unwatched
from schemas.reasons import Reason
from screening.errors import TrainingError
from train.datasets import covidx, plain
from train.datasets.duplicates import joined, near_duplicates
from train.datasets.files import SetFiles
from train.datasets.fingerprints import WORDS, Fingerprint, fingerprints
from train.datasets.registry import public_set
from train.datasets.rows import DEVELOPMENT, LeftOut, Reading, Row, Why
from train.datasets.split import LATER_FIRST, assign, drawing_patient

_LATEST_FIRST = (*LATER_FIRST, DEVELOPMENT, None)  # which of equal images counts: the one of the latest official split


@dataclass(frozen=True)
class ManifestConfig:
    """What decides the rows of a manifest and their splits."""

    min_age_years: float = 18.0  # younger patients are left out; unknown ages are not
    split_key: str = "chest-screening"  # another key draws another split
    covidx_version: str | None = None  # e.g. 8A, where the folder has several
    processes: int = 1  # that decode images


@dataclass(frozen=True)
class SetAccount:
    """What became of one set. `listed` images and `unlisted` image files are `kept` rows and `left_out`, nothing else."""

    name: str
    folder: str
    listed: int
    unlisted: int
    kept: int
    left_out: list[LeftOut]
    notes: dict[str, int]

    def reasons(self) -> dict[str, int]:
        """Return how many were left out for each reason, most first."""
        return dict(Counter(str(item.why) for item in self.left_out).most_common())


@dataclass(frozen=True)
class Assembled:
    """The rows of a manifest and their account.

    `splits` and `groups` go with `rows`: train, val or test, and the patient who draws for all that must stay together with the row.
    `pairs` are near-duplicates among the rows: two places and the distance in bits.
    """

    config: ManifestConfig
    rows: list[Row]
    splits: list[str]
    groups: list[str]
    pairs: list[tuple[int, int, int]]
    accounts: list[SetAccount]

    def crossing(self) -> list[tuple[int, int, int]]:
        """Return the near-duplicates on two sides of the split: there are none but where sets bring official splits."""
        return [pair for pair in self.pairs if self.splits[pair[0]] != self.splits[pair[1]]]


@dataclass
class _Candidate:
    """A row on its way: of which set, its fingerprint, its split in the end, or why it fell out."""

    set_at: int
    row: Row
    print: Fingerprint | None = None
    split: str = ""
    why: str = ""
    detail: str = ""


def assemble(sets: Sequence[tuple[str, str]], config: ManifestConfig, *, on_progress: OnProgress = unwatched) -> Assembled:
    """Read sets, given as (name, folder), and split their patients.

    Raises UsageError for an unknown set and TrainingError for a folder that is not what it should be, or where nothing is left.
    """
    readings, candidates = [], []
    for at, (name, folder) in enumerate(sets):
        on_progress(f"reading {name}", at, len(sets))
        readings.append(_read(name, folder, config))
        candidates += [_Candidate(at, row) for row in readings[-1][1].rows]
    _leave_out_the_young(candidates, config.min_age_years)
    _fingerprint(candidates, config, on_progress)
    on_progress("finding images that look the same", 0, 0)
    seen = [candidate for candidate in candidates if not candidate.why]
    pairs = near_duplicates(np.array([candidate.print.perceptual for candidate in seen], np.uint64).reshape(-1, WORDS))
    groups = joined([candidate.row.patient_id for candidate in seen], pairs)
    _leave_out_equal_images(seen)
    names = _split(seen, groups, config.split_key)
    accounts = [_account(name, folder, readings[at], at, candidates) for at, (name, folder) in enumerate(sets)]
    kept = [at for at, candidate in enumerate(seen) if not candidate.why]
    if not kept:
        reasons = ", ".join(f"{n} {why}" for account in accounts for why, n in account.reasons().items())
        raise TrainingError(f"nothing is left for a manifest: {reasons}")
    place = {at: new for new, at in enumerate(kept)}
    among_kept = [(place[one], place[other], bits) for one, other, bits in pairs.tolist() if one in place and other in place]
    rows = [seen[at].row for at in kept]
    return Assembled(config, rows, [seen[at].split for at in kept], [names[groups[at]] for at in kept], among_kept, accounts)


def _read(name: str, folder: str, config: ManifestConfig) -> tuple[SetFiles, Reading]:
    """Return the files and rows of a set; the plain one may be named by its table."""
    read = partial(covidx.read, version=config.covidx_version) if name == "covidx" else public_set(name).read
    if name == "plain" and folder.rpartition("/")[2] == plain.TABLE:
        folder = folder.rpartition("/")[0] or "."
    files = SetFiles.scan(folder)
    return files, read(files)


def _leave_out_the_young(candidates: Sequence[_Candidate], min_age_years: float) -> None:
    for candidate in candidates:
        age = candidate.row.age_years
        if age is not None and age < min_age_years:
            candidate.why, candidate.detail = Why.BELOW_AGE_LIMIT, f"{age:.3g} years"


def _fingerprint(candidates: Sequence[_Candidate], config: ManifestConfig, on_progress: OnProgress) -> None:
    """Decode every image once, take over what headers say, and leave out what ingest refuses."""
    urls = list(dict.fromkeys(candidate.row.image_url for candidate in candidates if not candidate.why))
    prints = fingerprints(urls, config.min_age_years, processes=config.processes, on_progress=on_progress)
    by_url = dict(zip(urls, prints, strict=True))
    for candidate in candidates:
        if not candidate.why:
            candidate.print = found = by_url[candidate.row.image_url]
            candidate.why = _why_refused(found.refusal)
            row = candidate.row
            row.view, row.sex = row.view or found.view, row.sex or found.sex
            row.age_years = found.age_years if row.age_years is None else row.age_years


def _why_refused(refusal: Reason | None) -> str:
    if refusal is None:
        return ""
    known = {Reason.BELOW_AGE_LIMIT: Why.BELOW_AGE_LIMIT, Reason.OBJECT_MISSING: Why.IMAGE_MISSING}
    return known.get(refusal, f"gate_{refusal}")


def _leave_out_equal_images(seen: Sequence[_Candidate]) -> None:
    """Of images with equal pixels keep one, or none where they are labelled differently."""
    equal: dict[str, list[_Candidate]] = {}
    for candidate in seen:
        equal.setdefault(candidate.print.pixel_hash, []).append(candidate)
    for same in equal.values():
        labels = {candidate.row.label for candidate in same} - {None}
        same.sort(key=lambda candidate: (_LATEST_FIRST.index(candidate.row.split), not candidate.row.lung_masks))
        for candidate in same[0 if len(labels) > 1 else 1 :]:
            other = same[0] if candidate is not same[0] else same[1]
            candidate.why = Why.CONFLICTING_LABELS if len(labels) > 1 else Why.SAME_IMAGE
            candidate.detail = f"as {other.row.source} {other.row.origin}" + (f", {other.row.label} there" if len(labels) > 1 else "")


def _split(seen: Sequence[_Candidate], groups: Sequence[int], key: str) -> dict[int, str]:
    """Give every candidate that is left a split, or a reason why not. Return the name of each group: the patient that draws for it."""
    left = [at for at, candidate in enumerate(seen) if not candidate.why]
    splits = assign([seen[at].row for at in left], [groups[at] for at in left], key)
    for at, split in zip(left, splits, strict=True):
        if isinstance(split, Why):
            seen[at].why = split
        else:
            seen[at].split = split
    patients: dict[int, set[str]] = {}
    for at in left:
        patients.setdefault(groups[at], set()).add(seen[at].row.patient_id)
    return {group: drawing_patient(of, key)[0] for group, of in patients.items()}


def _account(name: str, folder: str, read: tuple[SetFiles, Reading], set_at: int, candidates: Sequence[_Candidate]) -> SetAccount:
    files, reading = read
    mine = [candidate for candidate in candidates if candidate.set_at == set_at]
    used = reading.accounted | {url for row in reading.rows for url in (row.image_url, *row.lung_masks)}
    unlisted = [LeftOut(files.path(url), Why.NOT_LISTED) for url in files.images() if url not in used]
    fallen = [LeftOut(files.path(candidate.row.image_url), candidate.why, candidate.detail) for candidate in mine if candidate.why]
    return SetAccount(
        name,
        folder,
        listed=reading.listed,
        unlisted=len(unlisted),
        kept=sum(not candidate.why for candidate in mine),
        left_out=[*reading.left_out, *fallen, *unlisted],
        notes=reading.notes,
    )
