"""The decoded data set: every image of a manifest through the gate once, kept as 512 x 512 pixels, so that no epoch decodes again."""

import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray.data
from PIL import Image
from ray.data.expressions import col

from schemas.bundle import Preprocessing
from schemas.progress import OnProgress, counter, unwatched
from schemas.reasons import Reason
from screening.archive.reader import ObjectReader
from screening.errors import ImageRefused, TrainingError
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import Ingested, ingest
from screening.ingest.preprocess import SIZE, fit_mask
from screening.storage import filesystem_of, join, put_atomic

if TYPE_CHECKING:  # decoding tasks import this module, and need neither polars nor torch
    from train.data.manifest import Manifest
    from train.stages import Stage

FORMAT = 3  # of the cache; raise it when the decode path changes, so that old caches are not read
ROWS_PER_TASK = 32
COLUMNS = ("image_id", "label", "finding", "split", "source", "view", "patient_id")  # carried along from the manifest
_DONE = "done.json"
_PLACE = "place"  # of a row in the manifest


@dataclass(frozen=True)
class ImageCache:
    """A decoded data set in a folder, one row an image that passed the gate, and how many did not, by reason.

    Columns: those of COLUMNS, `pixels` and `lung_mask` (see `pixels_of` and `masks_of`), `has_mask` bool, `refusal` "".
    `rows` counts images by (split, label, has_mask, source).
    """

    url: str
    rows: dict[tuple[str, str, bool, str], int]
    refused: dict[str, int]

    def count(self, split: str, stage: "Stage", group: str) -> int:
        """Return how many images of a split belong to one of a stage's groups."""
        return sum(n for (of, _), n in self.by_source(split, stage).items() if of == group)

    def by_source(self, split: str, stage: "Stage") -> dict[tuple[str, str], int]:
        """Return how many images of a split belong to each of a stage's groups, by (group, source)."""
        counts: Counter[tuple[str, str]] = Counter()
        for (of, label, masked, source), n in self.rows.items():
            group = stage.group_of(label, masked)
            if of == split and group is not None:
                counts[group, source] += n
        return dict(counts)

    def size(self, split: str) -> int:
        """Return how many images of a split passed the gate."""
        return sum(n for (of, *_), n in self.rows.items() if of == split)

    def dataset(self, splits: Sequence[str]) -> ray.data.Dataset:
        """Return the rows of some splits that passed the gate, as a stream in the order of the manifest."""
        filesystem, path = filesystem_of(self.url)
        dataset = ray.data.read_parquet(path, filesystem=filesystem, file_extensions=["parquet"])
        dataset = dataset.filter(expr=(col("refusal") == "") & col("split").is_in(list(splits)))
        return dataset.repartition(target_num_rows_per_block=ROWS_PER_TASK)


def listed(manifest: "Manifest") -> ImageCache:
    """Return what the cache of a manifest holds where the gate refuses nothing: its counts, in no folder."""
    keys = zip(*(manifest.table[name] for name in ("split", "label", "lung_mask_url", "source")), strict=True)
    return ImageCache("", dict(Counter((split, label or "", mask is not None, source or "") for split, label, mask, source in keys)), {})


def cached(
    manifest: "Manifest", storage_url: str, preprocessing: Preprocessing, *, decoders: int, on_progress: OnProgress = unwatched
) -> ImageCache:
    """Return the decoded images of a manifest below `storage_url`, behind the gate that a bundle with that preprocessing has."""
    gate = IngestConfig(min_age_years=preprocessing.min_age_years)
    folder_url = f"{storage_url}/images-{manifest.digest[:12]}"
    return cache_images(manifest, folder_url, gate, decoders=decoders, on_progress=on_progress)


def cache_images(
    manifest: "Manifest", folder_url: str, config: IngestConfig, *, decoders: int, on_progress: OnProgress = unwatched
) -> ImageCache:
    """Decode every image of `manifest` into `folder_url` with `decoders` tasks at a time, or find it decoded there, and return it.

    The folder's name should hold `manifest.digest`. Raises TrainingError where no image passes the gate, naming the reasons.
    """
    filesystem, folder = filesystem_of(folder_url)
    marker = f"{folder}/{_DONE}"
    key = {"format": FORMAT, "manifest_sha256": manifest.digest, "min_age_years": config.min_age_years}
    if not filesystem.exists(marker) or json.loads(filesystem.cat_file(marker)) != key:
        if filesystem.exists(folder):
            filesystem.rm(folder, recursive=True)  # parts of a decoding that died, or of another gate
        _decode_all(manifest, folder_url, config, decoders, on_progress)
        filesystem.pipe_file(marker, json.dumps(key).encode())
    cache = _count(folder_url)
    if not cache.rows:
        reasons = ", ".join(f"{n} {reason}" for reason, n in cache.refused.items())
        raise TrainingError(f"{manifest.url}: no image passed the gate: {reasons}")
    return cache


def _decode_all(manifest: "Manifest", folder_url: str, config: IngestConfig, decoders: int, on_progress: OnProgress) -> None:
    """Decode every image into Parquet files of ROWS_PER_TASK rows.

    Each task writes its own file and answers how many rows it holds, so that they can be counted while the others are decoded.
    """
    table = manifest.table.with_row_index(_PLACE).to_arrow()
    rows = ray.data.from_arrow(table).repartition(target_num_rows_per_block=ROWS_PER_TASK)
    written = rows.map_batches(
        _decode_part,
        fn_kwargs={"folder_url": folder_url, "config": config},
        batch_size=None,
        batch_format="numpy",
        compute=ray.data.TaskPoolStrategy(size=decoders),
    )
    count = counter(on_progress, "decoding images", table.num_rows)
    for answers in written.iter_batches(batch_size=None, batch_format="numpy"):
        count(int(answers["rows"].sum()))


def _decode_part(rows: dict[str, np.ndarray], folder_url: str, config: IngestConfig) -> dict[str, list[int]]:
    """Decode some rows into a file of their own and return their number. Names sort as the manifest does."""
    write_part(pa.table(decode_rows(rows, config)), join(folder_url, f"part-{rows[_PLACE][0]:08d}.parquet"))
    return {"rows": [len(rows[_PLACE])]}


def write_part(table: pa.Table, url: str) -> None:
    """Write one Parquet file: all of it or nothing."""
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer)
    put_atomic(url, buffer.getvalue().to_pybytes())


def _count(folder_url: str) -> ImageCache:
    """Return the cache in a folder, counted over its narrow columns."""
    filesystem, folder = filesystem_of(folder_url)
    names = ["split", "label", "has_mask", "source", "refusal"]
    written = ray.data.read_parquet(folder, filesystem=filesystem, file_extensions=["parquet"]).select_columns(names)
    counts = Counter(tuple(row[name] for name in names) for row in written.iter_rows())
    refused: Counter[str] = Counter()
    rows = {}
    for (split, label, has_mask, source, refusal), n in sorted(counts.items()):
        if refusal:
            refused[refusal] += n
        else:
            rows[split, label, has_mask, source] = n
    return ImageCache(folder_url, rows, dict(refused))


def decode_rows(rows: dict[str, np.ndarray], config: IngestConfig) -> dict[str, Any]:
    """Return manifest rows with pixels and mask; `refusal` is the gate's reason, or empty, and a refused image has neither."""
    n = len(rows["image_url"])
    pixels, masks, refusals = [b""] * n, [b""] * n, [""] * n
    with ObjectReader(config.limits.max_bytes) as reader:
        for i, (image_url, mask_url) in enumerate(zip(rows["image_url"], rows["lung_mask_url"], strict=True)):
            found = _ingest(reader, image_url, config)
            if found.refusal is not None:
                refusals[i] = str(found.refusal.reason)
                continue
            pixels[i] = found.pixels.tobytes()
            if mask_url is not None:
                masks[i] = np.packbits(read_mask(reader, mask_url)).tobytes()
    kept = {name: [value or "" for value in rows[name]] for name in COLUMNS}
    return kept | {"pixels": pixels, "lung_mask": masks, "has_mask": [bool(mask) for mask in masks], "refusal": refusals}


def pixels_of(rows: dict[str, np.ndarray]) -> np.ndarray:
    """Return the pixels of N decoded rows, (N, 1, 512, 512) uint8."""
    return np.frombuffer(b"".join(rows["pixels"]), np.uint8).reshape(-1, 1, SIZE, SIZE).copy()


def masks_of(rows: dict[str, np.ndarray]) -> np.ndarray:
    """Return the lung masks of N decoded rows, (N, 1, 512, 512) uint8 in {0, 1}; all 0 for a row without one."""
    none = bytes(SIZE * SIZE // 8)
    return np.unpackbits(np.frombuffer(b"".join(mask or none for mask in rows["lung_mask"]), np.uint8)).reshape(-1, 1, SIZE, SIZE)


def read_mask(reader: ObjectReader, url: str) -> np.ndarray:
    """Return a lung mask file (any image; lung where it is not black), (512, 512) bool, placed as `ingest` places the image.

    Raises TrainingError where it cannot be read: unlike an image, a mask has no row of its own that could say so.
    """
    try:
        with Image.open(io.BytesIO(reader.read(url))) as mask:
            return fit_mask(np.asarray(mask.convert("L")) > 0)
    except (ImageRefused, OSError, ValueError) as error:
        raise TrainingError(f"lung mask {url} cannot be read ({error}); mend it or empty its field in the manifest") from error


def _ingest(reader: ObjectReader, url: str, config: IngestConfig) -> Ingested:
    try:
        return ingest(reader.read(url), config, None)  # of what it read only the pixels are kept: nothing to make pseudonyms of
    except ImageRefused as refusal:
        if refusal.reason is Reason.OBJECT_MISSING:
            raise TrainingError(f"{url} is in the manifest but not there; paths are relative to the manifest") from refusal
        return Ingested(refusal=refusal)
