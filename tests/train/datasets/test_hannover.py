from pathlib import Path

from tests.train.datasets.folders import HANNOVER, cells, write_images, write_table
from train.datasets.files import SetFiles
from train.datasets.hannover import read
from train.datasets.rows import Why


def test_days_count_from_admission_to_the_image(tmp_path: Path) -> None:
    rows = [
        cells(HANNOVER, patient_id="f722f605", image_id="82a78c13", sex="m", admission_offset=-29, modality="DX", projection="pa"),
        cells(HANNOVER, patient_id="09ec853d", image_id="a4318ac9", sex="f", admission_offset="10.0", modality="CR", projection="ap"),
        cells(HANNOVER, patient_id="09ec853d", image_id="b343e657", modality="CR", projection="ap"),
        cells(HANNOVER, patient_id="1c642000", image_id="ct", modality="CT", projection=""),
        cells(HANNOVER, patient_id="1c642000", image_id="gone", modality="CR", projection="ap"),
        cells(HANNOVER, patient_id="", image_id="whose", modality="CR", projection="ap"),
    ]
    write_table(tmp_path / "data.csv", HANNOVER, rows)
    write_images(tmp_path, {f"png/{name}.png": at for at, name in enumerate(("82a78c13", "a4318ac9", "b343e657", "ct", "whose"))})
    reading = read(SetFiles.scan(str(tmp_path)))
    assert [(row.origin, row.patient_id, row.label, row.view, row.sex, row.offset_days) for row in reading.rows] == [
        ("png/82a78c13.png", "hannover-f722f605", "covid", "PA", "M", "29"),
        ("png/a4318ac9.png", "hannover-09ec853d", "covid", "AP", "F", "-10"),
        ("png/b343e657.png", "hannover-09ec853d", "covid", "AP", "", ""),
    ]
    assert [(item.item, item.why) for item in reading.left_out] == [
        ("ct", Why.NOT_A_RADIOGRAPH),
        ("gone", Why.IMAGE_MISSING),
        ("whose", Why.UNREADABLE_ROW),
    ]
