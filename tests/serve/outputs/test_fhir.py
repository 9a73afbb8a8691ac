"""The FHIR bundle: valid for fhir.resources, whole in its references, and saying what the answer says."""

import json
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from schemas.reasons import Reason
from screening.errors import OutputRefused
from screening.on_demand.scored import Scored
from serve.outputs.fhir import fhir_bundle
from serve.outputs.source import read_source
from tests.serve.outputs.answers import BUNDLE, PNG, WHEN, dicom_file, refused, scored


def made(answered: Scored, data: bytes | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return the resources of a bundle by their kind, after a look at what every bundle must be."""
    data = dicom_file() if data is None else data
    file = fhir_bundle(data, answered, BUNDLE, WHEN)
    assert file == fhir_bundle(data, answered, BUNDLE, WHEN)
    parsed = json.loads(file)
    again = Bundle.model_validate_json(file)
    assert [entry.resource.get_resource_type() for entry in again.entry] == [entry["resource"]["resourceType"] for entry in parsed["entry"]]
    urls = {entry["fullUrl"] for entry in parsed["entry"]}
    assert len(urls) == len(parsed["entry"])
    assert set(references(parsed)) <= urls, "every reference leads to a resource of the bundle"
    kinds: dict[str, list[dict[str, Any]]] = {}
    for entry in parsed["entry"]:
        kinds.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return kinds


def references(value: object) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["reference"]] if isinstance(value.get("reference"), str) else []
    return own + [found for item in value.values() for found in references(item)]


def code_of(concept: dict[str, Any]) -> str:
    return concept["coding"][0]["code"]


def test_a_positive_answer() -> None:
    kinds = made(scored(covid_probability=0.61))
    observations = {code_of(item["code"]): item for item in kinds["Observation"]}
    assert observations.keys() == {"image_answer", "233604007", "840539006"}
    covid = observations["840539006"]
    assert code_of(covid["valueCodeableConcept"]) == "10828004"
    assert covid["interpretation"][0]["coding"][0]["code"] == "POS"
    assert {code_of(part["code"]): part["valueQuantity"]["value"] for part in covid["component"]} == {
        "score": 0.73,
        "probability": 0.61,
        "threshold": 0.25,
    }
    [report], [device] = kinds["DiagnosticReport"], kinds["Device"]
    assert report["status"] == "preliminary"
    assert "COVID-19: positive, probability 0.610, threshold 0.250. Research use, not a diagnosis." in report["conclusion"]
    assert len(report["result"]) == 3
    assert device["serialNumber"] == BUNDLE.digest()


def test_whose_it_is_comes_from_the_file() -> None:
    kinds, source = made(scored()), read_source(dicom_file())
    for resource in (*kinds["DiagnosticReport"], *kinds["Observation"], *kinds["ImagingStudy"]):
        assert resource["subject"]["identifier"]["value"] == "P-1"
        assert resource["subject"]["display"] == "Dœ Jo"
    [study] = kinds["ImagingStudy"]
    assert [item["value"] for item in study["identifier"]] == [f"urn:oid:{source.uids['StudyInstanceUID']}", "A1"]
    assert study["series"][0]["instance"][0]["uid"] == source.uids["SOPInstanceUID"]
    assert (study["started"], study["description"]) == ("2020-03-01", "Thorax à deux")


@pytest.mark.parametrize(("reason", "code"), [(Reason.LATERAL_VIEW, "not-performed"), (Reason.READ_FAILED, "error")])
def test_a_refused_image_has_no_values_and_says_why(reason: Reason, code: str) -> None:
    kinds = made(refused(reason))
    image, *conditions = kinds["Observation"]
    assert code_of(image["component"][0]["valueCodeableConcept"]) == reason
    assert [code_of(item["dataAbsentReason"]) for item in conditions] == [code, code]
    assert not any("valueCodeableConcept" in item or "interpretation" in item for item in conditions)
    assert "not a negative answer: ViewPosition is LL" in kinds["DiagnosticReport"][0]["conclusion"]


@pytest.mark.parametrize("data", [PNG, dicom_file(PatientID="")], ids=["png", "nobody"])
def test_a_file_that_names_nobody_gives_a_report_of_nobody(data: bytes) -> None:
    kinds = made(scored(), data)
    assert "ImagingStudy" not in kinds
    assert not any("subject" in item for items in kinds.values() for item in items)


def test_a_header_that_fhir_has_no_form_for() -> None:
    assert "effectiveDateTime" not in made(scored(), dicom_file(StudyDate=""))["DiagnosticReport"][0]
    with pytest.raises(OutputRefused, match="broken header"):
        fhir_bundle(dicom_file()[:420], scored(), BUNDLE, WHEN)
