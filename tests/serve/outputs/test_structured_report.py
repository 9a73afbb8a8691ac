"""The DICOM SR: valid for dciodvfy, readable by highdicom, and saying what the answer says."""

import io
from pathlib import Path

import pydicom
from highdicom import sr

from schemas.reasons import Reason
from screening.on_demand.scored import Scored
from serve.outputs.source import read_source
from serve.outputs.structured_report import structured_report
from tests.serve.outputs.answers import BUNDLE, WHEN, dicom_file, faults, refused, scored


def report_of(answered: Scored) -> bytes:
    return structured_report(read_source(dicom_file()), answered, BUNDLE, WHEN)


def groups_of(file: bytes) -> dict[str, sr.MeasurementsAndQualitativeEvaluations]:
    document = sr.srread(io.BytesIO(file))
    assert isinstance(document, sr.Comprehensive3DSR)
    return {group.tracking_identifier: group for group in document.content.get_image_measurement_groups()}


def said(group: sr.MeasurementsAndQualitativeEvaluations) -> tuple[dict[str, float], dict[str, str]]:
    """Return the measurements and the evaluations of a group by their codes."""
    numbers = {measurement.name.value: measurement.value for measurement in group.get_measurements()}
    evaluations = {item.name.value: item.value.value for item in group.get_qualitative_evaluations()}
    assert evaluations.pop("111000") == "123110", "the algorithm's family is artificial intelligence"
    return numbers, evaluations


def test_dciodvfy_finds_no_fault(tmp_path: Path) -> None:
    negative = scored(pneumonia_positive=False, pneumonia_score=0.1, covid_positive=False, covid_score=None)
    for answered in (scored(covid_probability=1 / 3), negative, refused(), refused(Reason.UNSUPPORTED_TRANSFER_SYNTAX)):
        assert faults(report_of(answered), tmp_path) == []


def test_each_stage_gives_its_scores_threshold_and_decision() -> None:
    groups = groups_of(report_of(scored(covid_probability=0.61)))
    assert groups["pneumonia"].finding_type.value == "233604007"
    assert groups["covid"].finding_type.value == "840539006"
    assert said(groups["pneumonia"]) == ({"score": 0.88, "threshold": 0.25}, {"decision": "10828004"})
    assert said(groups["covid"]) == ({"score": 0.73, "probability": 0.61, "threshold": 0.25}, {"decision": "10828004"})
    assert said(groups["lungs"]) == ({"lung_area": 0.2}, {"outcome": "scored"})
    assert [site.value.value for site in groups["covid"].finding_sites] == ["39607008"]


def test_what_was_not_computed_is_not_measured() -> None:
    groups = groups_of(report_of(scored(pneumonia_positive=False, pneumonia_score=0.1, covid_positive=False, covid_score=None)))
    assert said(groups["covid"]) == ({"threshold": 0.25}, {"decision": "260385009"})


def test_a_refused_image_says_why_and_decides_nothing() -> None:
    file = report_of(refused(Reason.UNSUPPORTED_TRANSFER_SYNTAX, "send it uncompressed"))
    groups = groups_of(file)
    assert groups.keys() == {"lungs"}
    assert said(groups["lungs"]) == ({}, {"outcome": "rejected", "reason": "unsupported_transfer_syntax"})
    assert b"No answer, which is not a negative answer: send it uncompressed" in file


def test_it_names_the_image_the_device_and_the_algorithm() -> None:
    file, source = report_of(scored()), read_source(dicom_file())
    dataset = pydicom.dcmread(io.BytesIO(file))
    evidence = dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert evidence.SeriesInstanceUID == source.uids["SeriesInstanceUID"]
    assert [item.ReferencedSOPInstanceUID for item in evidence.ReferencedSOPSequence] == [source.uids["SOPInstanceUID"]]
    texts = {item.TextValue for _, item in walked(dataset) if item.get("ValueType") == "TEXT"}
    assert {"chest-screening", BUNDLE.digest(), f"test {BUNDLE.digest()[:12]}", "chest-screening covid: densenet"} <= texts
    assert "operating point: sensitivity >= 0.9" in texts
    assert (dataset.CompletionFlag, dataset.VerificationFlag, dataset.PreliminaryFlag) == ("COMPLETE", "UNVERIFIED", "PRELIMINARY")
    assert dataset.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99CXRSCREEN"


def walked(item: pydicom.Dataset, depth: int = 0) -> list[tuple[int, pydicom.Dataset]]:
    """Return every content item below one."""
    below = [found for child in item.get("ContentSequence", []) for found in walked(child, depth + 1)]
    return [(depth, item), *below]
