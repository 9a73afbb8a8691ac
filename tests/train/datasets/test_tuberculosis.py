from pathlib import Path

from tests.train.datasets.folders import lung_mask, radiograph, write_image, write_montgomery
from train.datasets.files import SetFiles
from train.datasets.tuberculosis import NO_MASK, read_montgomery, read_shenzhen


def test_montgomery(tmp_path: Path) -> None:
    files = SetFiles.scan(str(write_montgomery(tmp_path)))
    reading = read_montgomery(files)
    healthy, ill = reading.rows
    assert (healthy.patient_id, healthy.label, healthy.sex, healthy.age_years, healthy.view) == ("montgomery-0001", "normal", "F", 27, "PA")
    assert (ill.label, ill.finding, ill.sex, ill.age_years) == ("tuberculosis", "tuberculosis", "M", 61)
    assert healthy.origin == "MontgomerySet/CXR_png/MCUCXR_0001_0.png"
    assert [files.path(url).split("/")[-2] for url in healthy.lung_masks] == ["leftMask", "rightMask"]
    assert reading.accounted == {*healthy.lung_masks, *ill.lung_masks}


def test_one_lung_is_no_lung_mask(tmp_path: Path) -> None:
    write_montgomery(tmp_path)
    (tmp_path / "MontgomerySet/ManualMask/leftMask/MCUCXR_0104_1.png").unlink()
    reading = read_montgomery(SetFiles.scan(str(tmp_path)))
    assert [len(row.lung_masks) for row in reading.rows] == [2, 0]
    assert reading.notes == {NO_MASK: 1}


def test_shenzhen(tmp_path: Path) -> None:
    for at, name in enumerate(("CHNCXR_0001_0", "CHNCXR_0330_1", "CHNCXR_0002_0")):
        write_image(tmp_path / f"ChinaSet_AllFiles/CXR_png/{name}.png", radiograph(at))
        if name != "CHNCXR_0002_0":
            write_image(tmp_path / f"mask/{name}_mask.png", lung_mask(at))
    readings = tmp_path / "ChinaSet_AllFiles/ClinicalReadings"
    readings.mkdir()
    (readings / "CHNCXR_0001_0.txt").write_text("male 45yrs\nnormal")
    (readings / "CHNCXR_0330_1.txt").write_text("Female, 9 months\nPTB in the right upper field")
    files = SetFiles.scan(str(tmp_path))
    reading = read_shenzhen(files)
    assert [(row.patient_id, row.label, row.sex, row.age_years, len(row.lung_masks)) for row in reading.rows] == [
        ("shenzhen-0001", "normal", "M", 45, 1),
        ("shenzhen-0002", "normal", "", None, 0),
        ("shenzhen-0330", "tuberculosis", "F", 0.75, 1),
    ]
    assert files.path(reading.rows[0].lung_masks[0]) == "mask/CHNCXR_0001_0_mask.png"
    assert reading.notes == {NO_MASK: 1}


def test_both_sets_in_one_folder_with_masks_of_both(tmp_path: Path) -> None:
    for at, name in enumerate(("MCUCXR_0001_0", "CHNCXR_0001_0")):
        write_image(tmp_path / f"CXR_png/{name}.png", radiograph(at))
    write_image(tmp_path / "masks/MCUCXR_0001_0.png", lung_mask(0))
    write_image(tmp_path / "masks/CHNCXR_0001_0_mask.png", lung_mask(1))
    files = SetFiles.scan(str(tmp_path))
    for read, mask in ((read_montgomery, "masks/MCUCXR_0001_0.png"), (read_shenzhen, "masks/CHNCXR_0001_0_mask.png")):
        (row,) = read(files).rows
        assert [files.path(url) for url in row.lung_masks] == [mask]
