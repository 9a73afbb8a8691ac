from pathlib import Path

from tests.train.datasets.folders import FIGURE1, cells, write_images, write_table
from train.datasets.figure1 import read
from train.datasets.files import SetFiles
from train.datasets.rows import Why


def test_a_letter_tells_images_of_one_patient_apart(tmp_path: Path) -> None:
    rows = [
        cells(FIGURE1, patientid="COVID-00001", finding="COVID-19", view="AP erect", modality="X-ray", age="33", sex="M", offset=13),
        cells(FIGURE1, patientid="COVID-00039a", finding="COVID-19", modality="X-ray", age="50+", notes="Fever 38° + cough"),
        cells(FIGURE1, patientid="COVID-00039b", finding="COVID-19", modality="X-ray"),
        cells(FIGURE1, patientid="COVID-00031", finding="Pneumonia", modality="X-ray"),
        cells(FIGURE1, patientid="COVID-00028", finding="No finding", modality="X-ray"),
        cells(FIGURE1, patientid="COVID-00002", finding="", modality="X-ray"),
        cells(FIGURE1, patientid="COVID-00048", finding="COVID-19", modality="X-ray"),
    ]
    table = write_table(tmp_path / "metadata.csv", FIGURE1, rows)
    table.write_bytes(table.read_text().encode("latin-1"))  # as it is on the web
    names = ("COVID-00001.jpg", "COVID-00039a.png", "COVID-00039b.jpg", "COVID-00031.jpg", "COVID-00028.jpg", "COVID-00002.jpg")
    write_images(tmp_path, {f"images/{name}": at for at, name in enumerate(names)})
    reading = read(SetFiles.scan(str(tmp_path)))
    assert [(row.origin[7:], row.patient_id, row.label) for row in reading.rows] == [
        ("COVID-00001.jpg", "figure1-COVID-00001", "covid"),
        ("COVID-00039a.png", "figure1-COVID-00039", "covid"),
        ("COVID-00039b.jpg", "figure1-COVID-00039", "covid"),
        ("COVID-00031.jpg", "figure1-COVID-00031", "pneumonia"),
        ("COVID-00028.jpg", "figure1-COVID-00028", "normal"),
    ]
    assert [row.age_years for row in reading.rows[:3]] == [33, 50, None]
    assert [(item.item, item.why) for item in reading.left_out] == [
        ("COVID-00002", Why.NO_USABLE_LABEL),
        ("COVID-00048", Why.IMAGE_MISSING),
    ]
