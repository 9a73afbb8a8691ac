"""A synthetic archive as a hospital network's: DICOM in many codings, some in zip and tar files, some that nobody wanted, and a registry.

    OUTPUT/archive/<site>/<date>/<number>.dcm   what is screened; batches of files in archive/transfers/*.zip and *.tar
    OUTPUT/sites.csv                            names of hospitals and machines that rows may hold (`screening run --sites`)
    OUTPUT/registry.csv                         RT-PCR results by PatientID (columns of schemas.reference)
    OUTPUT/labels.csv                           the truth: one row per study
    OUTPUT/unwanted.csv                         the other objects, and the reason that each earns
    OUTPUT/lung_masks/<number>.png              on demand: 255 inside the lungs

Any fsspec URL will do for OUTPUT. The same arguments give the same bytes.
"""

import csv
import gzip
import io
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

import numpy as np
from PIL import Image

from schemas.progress import OnProgress, counter, unwatched
from schemas.sites import SITES_COLUMNS
from screening.dicom.uids import seed_of
from screening.errors import UsageError
from screening.phantom.files import to_dicom
from screening.phantom.people import REGISTRY_COLUMNS, SCREENING_MIX, TRAINING_MIX, Study, plan_studies, registry_rows
from screening.phantom.radiograph import Phantom, make_phantom
from screening.phantom.sites import SITES
from screening.phantom.unwanted import COPIED, KINDS, MADE
from screening.storage import join, put_atomic

LABEL_COLUMNS = (
    "image_id", "image", "lung_mask", "label", "finding", "patient_id", "source", "view", "sex", "age", "offset_days", "split", "origin",
    "license", "SOPInstanceUID",
)  # fmt: skip
UNWANTED_COLUMNS = ("image", "kind", "reason")
_FINDING_WORDS = {"normal": "No Finding", "pneumonia": "Pneumonia", "covid": "COVID-19"}
_SHAPES = ((1.0, 0.86), (1.0, 1.0), (0.82, 1.0), (1.0, 0.8))  # of height and width, as shares of the longer side
_THREADS = 2  # numpy and the coders let go of the interpreter's lock
_AT_ONCE = 32  # studies held in memory


@dataclass(frozen=True)
class ArchiveOptions:
    """What `make_archive` makes beside the number of studies and the seed."""

    size: int = 1024  # pixels of the longer side
    lung_masks: bool = False
    unwanted_fraction: float = 0.05  # unwanted objects per study; if above 0, at least one of each kind
    containers: bool = True  # a quarter of the studies in zip and tar files
    mix: tuple[str, ...] = SCREENING_MIX  # findings of people in turn
    confounding: float = 0.0  # share of films whose letters and arrows follow the class

    def __post_init__(self) -> None:
        if self.size < 80 or not 0 <= self.unwanted_fraction <= 1 or not 0 <= self.confounding <= 1:
            raise UsageError(f"sizes begin at 80 pixels and shares lie in [0, 1]: {self}")


@dataclass
class ArchiveSummary:
    """What was written, counted."""

    archive_url: str
    registry_url: str
    labels_url: str
    sites_url: str
    patients: int = 0
    studies: int = 0
    objects: int = 0  # rows that an index of the archive has
    unwanted: int = 0
    tests: int = 0  # rows of the registry
    findings: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return the counts and URLs for `--json`."""
        return asdict(self)


def make_archive(
    output_url: str,
    studies: int,
    seed: int = 0,
    options: ArchiveOptions | None = None,
    on_progress: OnProgress = unwatched,
) -> ArchiveSummary:
    """Write a synthetic archive of `studies` radiographs below `output_url` and return what it holds.

    Raises UsageError for options that make no sense.
    """
    options = options or ArchiveOptions()
    if studies < 1:
        raise UsageError("an archive needs one study at least")
    planned = plan_studies(studies, seed, options.mix)
    summary = ArchiveSummary(*(join(output_url, name) for name in ("archive", "registry.csv", "labels.csv", "sites.csv")))
    labels, unwanted = [], []
    copies = _copies_wanted(studies, options)
    batches, made_wanted = list(_batches(planned, _AT_ONCE)), _made_wanted(studies, options)
    count = counter(on_progress, "making radiographs", studies + len(made_wanted))
    for number, batch in enumerate(batches):
        with ThreadPoolExecutor(_THREADS) as pool:
            made = list(pool.map(lambda study: _make_study(study, options), batch))
        labels += [_label_row(study, one, options) for study, one in zip(batch, made, strict=True)]
        _put_studies(output_url, batch, made, options)
        share = copies[number * len(copies) // len(batches) : (number + 1) * len(copies) // len(batches)]
        unwanted += [_put_copy(output_url, kind, at, batch, made) for kind, at in share]
        count(len(batch))
    for kind, number in made_wanted:
        unwanted.append(_put_made(output_url, kind, number, seed, options.size))
        count(1)
    people = list({study.person.number: study.person for study in planned}.values())
    tests = [row for person in people for row in registry_rows(person)]
    put_atomic(summary.labels_url, _csv(LABEL_COLUMNS, labels))
    put_atomic(summary.registry_url, _csv(REGISTRY_COLUMNS, tests))
    put_atomic(join(output_url, "unwanted.csv"), _csv(UNWANTED_COLUMNS, unwanted))
    put_atomic(summary.sites_url, _csv(SITES_COLUMNS, _site_rows()))
    summary.patients, summary.studies, summary.unwanted, summary.tests = len(people), studies, len(unwanted), len(tests)
    summary.objects = studies + len(unwanted)
    summary.findings = {finding: sum(row["label"] == finding for row in labels) for finding in _FINDING_WORDS}
    return summary


def make_training_set(
    output_url: str,
    studies: int,
    seed: int = 0,
    size: int = 512,
    confounding: float = 0.0,
    on_progress: OnProgress = unwatched,
) -> ArchiveSummary:
    """Write `studies` radiographs with lung masks, evenly of the three findings, all wanted and all plain files."""
    options = ArchiveOptions(size, lung_masks=True, unwanted_fraction=0, containers=False, mix=TRAINING_MIX, confounding=confounding)
    return make_archive(output_url, studies, seed, options, on_progress)


@dataclass(frozen=True)
class _Made:
    phantom: Phantom
    data: bytes
    sop_instance_uid: str


def _make_study(study: Study, options: ArchiveOptions) -> _Made:
    person = study.person
    height, width = _SHAPES[seed_of(person.site, person.number % 4) % len(_SHAPES)]
    phantom = make_phantom(
        study.seed,
        person.finding,
        size=(int(height * options.size), int(width * options.size)),
        patient_seed=person.seed,
        age_years=float(person.age_years),
        sex=person.sex,
        site=person.site,
        severity=None if person.finding == "normal" else study.severity,
        confounding=options.confounding,
    )
    data, attributes = to_dicom(study, phantom)
    return _Made(phantom, data, attributes.SOPInstanceUID)


def _batches(studies: list[Study], count: int) -> Iterator[list[Study]]:
    """Yield the studies in batches. Those of one container are neighbours in number, so no container spans two batches."""
    for start in range(0, len(studies), count):
        yield studies[start : start + count]


def _container_of(study: Study, options: ArchiveOptions) -> str:
    """Return the path of the zip or tar file that a study travels in, below the archive; empty for a file of its own."""
    batch, place = divmod(study.number, _AT_ONCE)
    if not options.containers or place % 8 not in (2, 5):
        return ""
    ending = "zip" if place % 8 == 2 else ("tar", "tar.gz")[batch % 2]
    return f"transfers/batch-{batch:04d}.{ending}"


def _plain_path(study: Study) -> str:
    site = re.sub(r"[^a-z]+", "-", study.person.site.lower()).strip("-")
    return f"{site}/{study.study_date}/{study.number:06d}.dcm"


def _put_studies(output_url: str, batch: list[Study], made: list[_Made], options: ArchiveOptions) -> None:
    """Write the plain files of a batch, its containers and, on demand, the lung masks."""
    containers: dict[str, list[tuple[str, bytes]]] = {}
    for study, one in zip(batch, made, strict=True):
        container = _container_of(study, options)
        if container:
            containers.setdefault(container, []).append((_plain_path(study), one.data))
        else:
            put_atomic(join(output_url, "archive", _plain_path(study)), one.data)
        if options.lung_masks:
            put_atomic(join(output_url, "lung_masks", f"{study.number:06d}.png"), _mask_png(one.phantom.lung_mask))
    for path, members in containers.items():
        put_atomic(join(output_url, "archive", path), _zip(members) if path.endswith(".zip") else _tar(members, path.endswith(".gz")))


def _zip(members: Iterable[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, data in members:
            file.writestr(zipfile.ZipInfo(name, (2020, 2, 3, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _tar(members: Iterable[tuple[str, bytes]], compressed: bool) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1580688000
            file.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), 1, mtime=0) if compressed else buffer.getvalue()


def _mask_png(mask: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _label_row(study: Study, made: _Made, options: ArchiveOptions) -> dict[str, object]:
    container = _container_of(study, options)
    path = _plain_path(study)
    chained = f"{'zip' if container.endswith('.zip') else 'tar'}://{path}::archive/{container}"
    return {
        "image_id": f"{study.number:06d}",
        "image": chained if container else f"archive/{path}",
        "lung_mask": f"lung_masks/{study.number:06d}.png" if options.lung_masks else "",
        "label": study.person.finding,
        "finding": _FINDING_WORDS[study.person.finding],
        "patient_id": study.person.patient_id,
        "source": study.person.site,
        "view": made.phantom.view,
        "sex": study.person.sex,
        "age": study.person.age_years,
        "offset_days": study.offset_days,
        "split": study.person.split,
        "origin": "synthetic",
        "license": "CC0-1.0",
        "SOPInstanceUID": made.sop_instance_uid,
    }


def _site_rows() -> list[dict[str, object]]:
    """Return the rows of a sites file: every text of the headers of phantoms that stands for a hospital or a machine."""
    texts = {("InstitutionName", site.name) for site in SITES} | {("Manufacturer", site.vendor) for site in SITES}
    texts |= {("ManufacturerModelName", site.model) for site in SITES}
    return [{"attribute": attribute, "value": value} for attribute, value in sorted(texts)]


def _wanted(studies: int, options: ArchiveOptions) -> list[tuple[str, int]]:
    """Return (kind, number) of each unwanted object: kinds in turn."""
    if not options.unwanted_fraction:
        return []
    count = max(len(KINDS), round(options.unwanted_fraction * studies))
    return [(KINDS[number % len(KINDS)], number) for number in range(count)]


def _made_wanted(studies: int, options: ArchiveOptions) -> list[tuple[str, int]]:
    return [(kind, number) for kind, number in _wanted(studies, options) if kind in MADE]


def _copies_wanted(studies: int, options: ArchiveOptions) -> list[tuple[str, int]]:
    return [(kind, number) for kind, number in _wanted(studies, options) if kind in COPIED]


def _put_copy(output_url: str, kind: str, number: int, batch: list[Study], made: list[_Made]) -> dict[str, object]:
    at = number % len(batch)
    path = f"archive/imports/{number:05d}-of-{batch[at].number:06d}.dcm"
    put_atomic(join(output_url, path), COPIED[kind](made[at].data))
    return {"image": path, "kind": kind, "reason": ""}


def _put_made(output_url: str, kind: str, number: int, seed: int, size: int) -> dict[str, object]:
    make, reason = MADE[kind]
    path = f"archive/others/{number:05d}.{'txt' if kind == 'text' else 'dcm'}"
    put_atomic(join(output_url, path), make(seed_of("unwanted", seed, number), size))
    return {"image": path, "kind": kind, "reason": reason or ""}


def _csv(columns: tuple[str, ...], rows: list[dict[str, object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
