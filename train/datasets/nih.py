"""NIH ChestX-ray14: 112,120 frontal radiographs of 30,805 patients as PNG files, with labels mined from reports.

Wang et al., CVPR 2017. Files as downloaded: `Data_Entry_2017.csv` (or `Data_Entry_2017_v2020.csv`), images in `images_001/images/*.png` to
`images_012` or one `images/`, and the official split by patient, `test_list.txt`, which is kept where it is there.
"""

from train.datasets.files import SetFiles
from train.datasets.rows import DEVELOPMENT, Reading, Why, age_in_years, sex_of

TABLES = ("Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv")
COLUMNS = ("image index", "finding labels", "patient id", "patient age", "view position")
TEST_LIST = "test_list.txt"
LICENSE = "NIH CC0"


def read(files: SetFiles) -> Reading:
    """Return every image of the table: "No Finding" is normal, anything with Pneumonia is pneumonia, the rest is of no use."""
    test = _test_images(files)
    reading = Reading()
    for row in files.table(*TABLES, columns=COLUMNS):
        name, patient = row["image index"], row["patient id"]
        reading.consider(
            files,
            name,
            files.find(name),
            _label(row["finding labels"]),
            patient=patient,
            patient_id=patient_name(patient),
            source="nih",
            finding=row["finding labels"],
            view=row["view position"],
            sex=sex_of(row.get("patient gender", "") or row.get("patient sex", "")),
            age_years=age_in_years(row["patient age"]),
            license=LICENSE,
            split=None if test is None else "test" if name in test else DEVELOPMENT,
        )
    return reading


def patient_name(number: str) -> str:
    """Return the name of a patient, whose number image names write with eight digits: nih-00001684 for 1684."""
    return f"nih-{number.zfill(8)}"


def _test_images(files: SetFiles) -> set[str] | None:
    url = files.find(TEST_LIST)
    return None if url is None else set(files.text(url).split())


def _label(finding: str) -> str | Why:
    found = {part.strip().lower() for part in finding.split("|")}
    if "pneumonia" in found:
        return Why.CONFLICTING_LABELS if "no finding" in found else "pneumonia"
    return "normal" if found == {"no finding"} else Why.NO_USABLE_LABEL
