from pathlib import Path

from tests.train.datasets.folders import cells, lung_mask, write_image, write_images, write_table
from train.datasets.files import SetFiles
from train.datasets.plain import NO_MASK, read
from train.datasets.rows import Why

COLUMNS = (
    *("image_id", "image", "lung_mask", "label", "finding", "patient_id", "source", "view", "sex", "age", "offset_days", "split", "origin"),
    "license",
)


def test_columns_are_taken_over(tmp_path: Path) -> None:
    rows = [
        cells(
            COLUMNS,
            **{"image_id": "a", "image": "images/a.png", "lung_mask": "lung_masks/a.png", "label": "covid", "finding": "COVID-19"},
            **{"patient_id": "cohen-72", "source": "cohen", "view": "AP Supine", "sex": "M", "age": "60", "offset_days": "4"},
            **{"split": "val", "origin": "7EF28E12.png", "license": "CC BY"},
        ),
        cells(COLUMNS, image_id="b", image="images/b.png", label="normal", lung_mask="lung_masks/gone.png"),
        cells(COLUMNS, image_id="c", image="images/c.png", lung_mask="lung_masks/a.png"),
        cells(COLUMNS, image_id="d", image="images/d.png", label="COVID-19"),
        cells(COLUMNS, image_id="e", image="images/e.png", label="normal", split="holdout"),
        cells(COLUMNS, image_id="f", image="images/f.png"),
        cells(COLUMNS, image_id="g", image="images/g.png", label="normal"),
        cells(COLUMNS, image_id="h", label="normal"),
        cells(COLUMNS, image_id="i", image="s3://bucket/i.dcm", label="normal"),
    ]
    write_table(tmp_path / "labels.csv", COLUMNS, rows)
    write_images(tmp_path, {f"images/{name}.png": at for at, name in enumerate("abcdef")})
    write_image(tmp_path / "lung_masks/a.png", lung_mask(0))
    reading = read(SetFiles.scan(str(tmp_path)))
    a, b, c, i = reading.rows
    assert (a.image_id, a.patient_id, a.source, a.view, a.sex, a.age_years) == ("a", "cohen-72", "cohen", "AP Supine", "M", 60)
    assert (a.offset_days, a.split, a.origin, a.license, a.finding, len(a.lung_masks)) == (
        "4",
        "val",
        "7EF28E12.png",
        "CC BY",
        "COVID-19",
        1,
    )
    assert (b.patient_id, b.source, b.split, b.origin, b.lung_masks) == ("image b", "plain", None, "images/b.png", ())
    assert (c.label, len(c.lung_masks)) == (None, 1)
    assert i.image_url == "s3://bucket/i.dcm"
    assert reading.notes == {NO_MASK: 1}
    assert [(item.item[7:8], item.why) for item in reading.left_out] == [
        ("d", Why.NO_USABLE_LABEL),
        ("e", Why.UNREADABLE_ROW),
        ("f", Why.NO_USABLE_LABEL),
        ("g", Why.IMAGE_MISSING),
        ("", Why.UNREADABLE_ROW),
    ]
