"""COVIDx: the split files of COVID-Net over images copied from other sets.

Wang et al., Scientific Reports 10 (2020) 19549. Files: `train_COVIDx<version>.txt` and `test_COVIDx<version>.txt`, each line
`patient image label [source]`, and the images in `train/` and `test/`. The test file is kept as the test split. Patients bear the names
that the sets they come from give them, so that COVIDx and those sets go into one manifest. The versions that tell only positive from
negative say nothing of normal lungs: their negatives are of no use.
"""

import re

from screening.errors import UsageError
from train.datasets.figure1 import patient_of
from train.datasets.files import SetFiles
from train.datasets.rows import DEVELOPMENT, Reading, Why

LICENSE = "see source"
_LINE = re.compile(r"(.*\S)\s+(\S+\.(?:png|jpe?g))\s+(\S+)(?:\s+(\S+))?", re.IGNORECASE)
_LABELS = {"normal": "normal", "pneumonia": "pneumonia", "covid-19": "covid", "positive": "covid"}
_SOURCES = {"fig1": "figure1", "actmed": "actualmed"}
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def read(files: SetFiles, version: str | None = None) -> Reading:
    """Return every line of the two files of a version.

    Raises UsageError where there is more than one version and none is chosen, or the one that was chosen is not there.
    """
    reading = Reading()
    for part, split in (("train", DEVELOPMENT), ("test", "test")):
        url = files.find(_split_file(files, part, version))
        for line in files.text(url).splitlines():
            if line.strip():
                _read_line(files, line.strip(), part, split, reading)
    return reading


def _split_file(files: SetFiles, part: str, version: str | None) -> str:
    """Return the name of the split file, in lower case as `SetFiles.names` has it."""
    pattern = re.compile(rf"{part}_covidx_?(?:cxr-)?(.*)\.txt")
    found = {match[1]: name for name in files.names() if (match := pattern.fullmatch(name))}
    if version is not None:
        found = {key: name for key, name in found.items() if key == version.lower().removeprefix("cxr-")}
    if len(found) != 1:
        there = ", ".join(sorted(name for name in files.names() if pattern.fullmatch(name))) or "none"
        raise UsageError(f"{files.folder}: one {part}_COVIDx file is needed, there are: {there}; choose by --covidx-version, e.g. 8A")
    return next(iter(found.values()))


def _read_line(files: SetFiles, line: str, part: str, split: str, reading: Reading) -> None:
    match = _LINE.fullmatch(line)
    if match is None:
        reading.leave_out(line[:80], Why.UNREADABLE_ROW, "not: patient image label [source]")
        return
    patient, name, label, source = match[1], match[2], match[3].lower(), (match[4] or "").lower()
    source = _SOURCES.get(source, source) or _source_of(patient)
    reading.consider(
        files,
        name,
        files.find(name, within=part),
        _LABELS.get(label),
        patient=patient,
        patient_id=patient_of(patient) if source == "figure1" else f"{source}-{patient}",
        source=source,
        finding=match[3],
        license=LICENSE,
        split=split,
    )


def _source_of(patient: str) -> str:
    """Return the set that a patient's name comes from, for the early versions that do not say it."""
    if _UUID.fullmatch(patient.lower()):
        return "rsna"
    if re.fullmatch(r"COVID-\d+[a-z]?", patient):
        return "figure1"
    if re.fullmatch(r"ANON\d+", patient):
        return "actualmed"
    return "cohen" if re.fullmatch(r"\d+[a-z]?", patient) else "covidx"
