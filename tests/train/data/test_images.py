from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from screening.archive.reader import ObjectReader
from screening.errors import TrainingError
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from tests.train.radiographs import SIZE, decoded, write_manifest, write_radiographs
from train.data.images import COLUMNS, masks_of, pixels_of, read_mask


def test_pixels_are_those_of_ingest(tmp_path: Path) -> None:
    rows = decoded(write_radiographs(tmp_path, ["train"]))
    assert set(rows) == {*COLUMNS, "pixels", "lung_mask", "has_mask", "refusal"}
    for i, pixels in enumerate(pixels_of(rows)):
        assert np.array_equal(pixels[0], ingest((tmp_path / f"{i}.png").read_bytes(), IngestConfig(), None).pixels)


def test_masks_lie_on_the_lungs(tmp_path: Path) -> None:
    """Pixels and mask have the same geometry: inside the mask it is darker than around it, and the padding has none."""
    rows = decoded(write_radiographs(tmp_path, ["train"], without_mask=2))
    assert rows["has_mask"].tolist() == [True, True, False]
    pixels, masks = pixels_of(rows)[:, 0], masks_of(rows)[:, 0]
    assert masks[2].sum() == 0
    padding = (512 - round(512 * SIZE[1] / SIZE[0])) // 2
    for i in (0, 1):
        assert not masks[i][:, :padding].any()
        around = np.zeros_like(masks[i])
        around[150:350, 150:360] = 1
        assert pixels[i][masks[i] > 0].mean() < pixels[i][(around > masks[i])].mean() - 20


def test_a_mask_keeps_its_share_of_the_image(tmp_path: Path) -> None:
    mask = np.zeros((100, 200), bool)
    mask[25:75, 50:150] = True
    Image.fromarray(mask).save(tmp_path / "mask.png")
    with ObjectReader(10**6) as reader:
        placed = read_mask(reader, str(tmp_path / "mask.png"))
    assert placed.shape == (512, 512)
    assert placed.sum() == pytest.approx(128 * 256, abs=8)  # corners are rounded off
    assert placed[193:319, 129:383].all()


def test_refused_images_say_why_and_have_no_pixels(tmp_path: Path) -> None:
    write_radiographs(tmp_path, ["train"])
    (tmp_path / "0.png").write_bytes(b"nothing that is an image")
    Image.fromarray(np.zeros((300, 300), np.uint8)).save(tmp_path / "1.png")
    rows = decoded(tmp_path / "labels.csv")
    assert rows["refusal"].tolist() == ["not_dicom", "blank", ""]
    assert [len(pixels) for pixels in rows["pixels"]] == [0, 0, 512 * 512]


def test_missing_files_and_masks_are_errors_of_the_manifest(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "labels.csv", [{"image": "gone.png", "label": "covid", "split": "val"}])
    with pytest.raises(TrainingError, match=r"gone\.png is in the manifest but not there"):
        decoded(path)
    write_radiographs(tmp_path, ["train"])
    (tmp_path / "1-lungs.png").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"1-lungs\.png cannot be read"):
        decoded(tmp_path / "labels.csv")
