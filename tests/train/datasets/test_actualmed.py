from pathlib import Path

from tests.train.datasets.folders import ACTUALMED, cells, write_images, write_table
from train.datasets.actualmed import read
from train.datasets.files import SetFiles
from train.datasets.rows import Why


def test_an_excluded_infection_is_no_normal_lung(tmp_path: Path) -> None:
    names = [f"CR.1.2.840.113564.1722810170.2020031309002342170{at}.1003000225002.png" for at in range(3)]
    findings = ("COVID-19", "No finding", "")
    rows = [
        cells(ACTUALMED, patientid=f"ANON{190 + at}", finding=finding, view="AP", modality="X-ray", imagename=names[at])
        for at, finding in enumerate(findings)
    ]
    write_table(tmp_path / "metadata.csv", ACTUALMED, rows)
    write_images(tmp_path, {f"images/{name}": at for at, name in enumerate(names)})
    reading = read(SetFiles.scan(str(tmp_path)))
    assert [(row.patient_id, row.label, row.view) for row in reading.rows] == [("actualmed-ANON190", "covid", "AP")]
    assert [(item.why, item.detail) for item in reading.left_out] == [
        (Why.NO_USABLE_LABEL, "No finding"),
        (Why.NO_USABLE_LABEL, "no finding stated"),
    ]
