"""FHIR R4 bundle of one answer: a DiagnosticReport with its Observations, the ImagingStudy and the Device that answered.

The patient is a reference by identifier, which the receiving system resolves, and never a resource of ours. The classes are those of R4B
(4.3), which reads and writes these resources as R4 (4.0) does.
"""

import hashlib
import uuid
from datetime import date, datetime
from typing import Any

from fhir.resources.R4B.bundle import Bundle
from pydantic import ValidationError

from schemas.bundle import BundleManifest
from schemas.reasons import Outcome
from screening.dicom.header import is_dicom
from screening.dicom.uids import uid_of
from screening.errors import OutputRefused
from screening.on_demand.scored import Scored
from serve.outputs import findings
from serve.outputs.findings import SCHEME, SOFTWARE, Code, Finding, findings_of, refusal_in_words, software_version
from serve.outputs.source import SourceImage, read_source

Resource = dict[str, Any]  # of FHIR, as JSON has it

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_SYSTEMS = {"SCT": "http://snomed.info/sct", SCHEME: f"urn:oid:{uid_of('coding scheme', SCHEME)}"}
_DICOM_UID, _URN = "urn:dicom:uid", "urn:ietf:rfc:3986"


def fhir_bundle(data: bytes, scored: Scored, bundle: BundleManifest, when: datetime) -> bytes:
    """Return the bundle as JSON, made of the radiograph's file, its answer and the bundle of weights that gave it. `when` has a time zone.

    A PNG or JPEG file, and a DICOM file without PatientID, name nobody: the report has no subject then, and there is no ImagingStudy.
    Raises OutputRefused for a DICOM file whose header is broken, or holds what FHIR has no form for.
    """
    source = read_source(data, findings.named(scored.answer)) if is_dicom(data) else None
    seed = source.uids["SOPInstanceUID"] if source else hashlib.sha256(data).hexdigest()
    resources = _Resources(source, seed, scored, bundle, when).all()
    entries = [{"fullUrl": _url(resource["id"]), "resource": resource} for resource in resources]
    identifier = {"system": _URN, "value": f"urn:oid:{uid_of('output', seed, bundle.digest(), 'fhir')}"}
    try:
        made = Bundle.model_validate({"type": "collection", "identifier": identifier, "timestamp": when.isoformat(), "entry": entries})
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        said = findings.named(scored.answer)
        raise OutputRefused(f"{said} has a header that holds what FHIR has no form for ({where}): ask for the form sr") from None
    return made.model_dump_json(indent=2).encode()


class _Resources:
    """The resources of one answer. Their ids follow from the source and the bundle, so that a repeated export updates them."""

    def __init__(self, source: SourceImage | None, seed: str, scored: Scored, bundle: BundleManifest, when: datetime):
        self._source, self._seed, self._answer, self._bundle, self._when = source, seed, scored.answer, bundle, when
        known = source.identity if source else {}
        self._subject = {"subject": _subject(known)} if known.get("PatientID") else {}
        self._dates = {"effectiveDateTime": day} if (day := _day(known.get("StudyDate", ""))) else {}

    def all(self) -> list[Resource]:
        """Return the report first, then what it refers to."""
        conditions = findings_of(self._answer)
        observations = [self._of_image(), *map(self._of_finding, conditions)]
        if not conditions:
            observations += [
                self._without_value(stage, code) for stage, code in (("pneumonia", findings.PNEUMONIA), ("covid", findings.COVID))
            ]
        studies = [self._study()] if self._source and self._subject else []
        return [self._report(observations, conditions, studies), *observations, *studies, self._device()]

    def _report(self, observations: list[Resource], conditions: list[Finding], studies: list[Resource]) -> Resource:
        lines = [finding.in_words() for finding in conditions] or [refusal_in_words(self._answer)]
        report = self._resource("DiagnosticReport", "report") | self._subject | self._dates
        return report | {
            "status": "preliminary",
            "code": {"coding": [{"system": "http://loinc.org", "code": "18748-4", "display": "Diagnostic imaging study"}]},
            "issued": self._when.isoformat(),
            "result": [_reference(observation) for observation in observations],
            "conclusion": ". ".join([*lines, findings.RESEARCH_USE.capitalize()]) + ".",
            **({"imagingStudy": [_reference(study) for study in studies]} if studies else {}),
        }

    def _observation(self, name: str, code: Code) -> Resource:
        """Return what every Observation has: it is preliminary, of imaging, of this device, and for research."""
        return (
            self._resource("Observation", name)
            | self._subject
            | self._dates
            | {
                "status": "preliminary",
                "category": [{"coding": [{"system": f"{_TERMINOLOGY}/observation-category", "code": "imaging"}]}],
                "code": _concept(code),
                "bodySite": _concept(findings.LUNG),
                "issued": self._when.isoformat(),
                "device": {"reference": _url(self._id("device"))},
                "note": [{"text": findings.RESEARCH_USE.capitalize()}],
            }
            | ({"derivedFrom": [{"reference": _url(self._id("study"))}]} if self._source and self._subject else {})
        )

    def _of_image(self) -> Resource:
        """Return what became of the radiograph, why there is no answer where there is none, and how much lung stage 1 found."""
        answer = self._answer
        components = []
        if answer.reason is not None:
            reason = Code(answer.reason, SCHEME, answer.reason.replace("_", " ").capitalize())
            components.append({"code": _concept(findings.REASON), "valueCodeableConcept": _concept(reason)})
        if answer.lung_area_fraction is not None:
            components.append(_component(findings.LUNG_AREA, findings.seven_digits(answer.lung_area_fraction)))
        outcome = Code(answer.outcome, SCHEME, Outcome(answer.outcome).capitalize())
        return (
            self._observation("image", findings.IMAGE_ANSWER)
            | {"valueCodeableConcept": _concept(outcome)}
            | ({"component": components} if components else {})
        )

    def _of_finding(self, finding: Finding) -> Resource:
        observation = self._observation(finding.stage, finding.condition)
        interpretation = {"system": f"{_TERMINOLOGY}/v3-ObservationInterpretation", "code": "POS" if finding.positive else "NEG"}
        return observation | {
            "valueCodeableConcept": _concept(finding.decision),
            "interpretation": [{"coding": [interpretation]}],
            "component": [_component(code, value) for code, value in finding.numbers],
            "note": [*observation["note"], *([{"text": finding.comment}] if finding.comment else [])],
        }

    def _without_value(self, stage: str, condition: Code) -> Resource:
        """Return an Observation that says that there is no value, so that nobody takes a rejected radiograph for a negative one."""
        code = "error" if self._answer.outcome == Outcome.FAILED else "not-performed"
        reason = {"coding": [{"system": f"{_TERMINOLOGY}/data-absent-reason", "code": code}], "text": refusal_in_words(self._answer)}
        return self._observation(stage, condition) | {"dataAbsentReason": reason}

    def _study(self) -> Resource:
        """Return the study with the one image that was judged."""
        identity, uids = self._source.identity, self._source.uids
        identifiers = [{"system": _DICOM_UID, "value": f"urn:oid:{uids['StudyInstanceUID']}"}]
        if identity["AccessionNumber"]:
            kind = {"coding": [{"system": f"{_TERMINOLOGY}/v2-0203", "code": "ACSN"}]}
            identifiers.append({"type": kind, "value": identity["AccessionNumber"]})
        instance = {"uid": uids["SOPInstanceUID"], "sopClass": {"system": _URN, "code": f"urn:oid:{uids['SOPClassUID']}"}}
        modality = {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": self._source.modality or "OT"}
        return (
            self._resource("ImagingStudy", "study")
            | self._subject
            | {
                "status": "available",
                "identifier": identifiers,
                "series": [{"uid": uids["SeriesInstanceUID"], "modality": modality, "instance": [instance]}],
            }
            | ({"started": self._dates["effectiveDateTime"]} if self._dates else {})
            | ({"description": identity["StudyDescription"]} if "StudyDescription" in identity else {})
        )

    def _device(self) -> Resource:
        return self._resource("Device", "device") | {
            "manufacturer": SOFTWARE,
            "modelNumber": self._bundle.name,
            "serialNumber": self._bundle.digest(),
            "deviceName": [{"name": SOFTWARE, "type": "model-name"}],
            "version": [{"value": software_version()}, {"value": f"bundle {self._bundle.digest()}"}],
        }

    def _resource(self, kind: str, name: str) -> Resource:
        return {"resourceType": kind, "id": self._id(name)}

    def _id(self, name: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, uid_of("output", self._seed, self._bundle.digest(), "fhir", name)))


def _subject(identity: dict[str, str]) -> Resource:
    """Return the patient as a logical reference: the number in the archive's file, and the name for people."""
    issuer = identity.get("IssuerOfPatientID")
    kind = {"coding": [{"system": f"{_TERMINOLOGY}/v2-0203", "code": "MR"}]}
    identifier = {"type": kind, "value": identity["PatientID"]} | ({"assigner": {"display": issuer}} if issuer else {})
    name = identity["PatientName"].split("=")[0].replace("^", " ").strip()
    return {"type": "Patient", "identifier": identifier} | ({"display": name} if name else {})


def _day(text: str) -> str | None:
    """Return a DICOM date (YYYYMMDD) as FHIR writes it, None where it is no day."""
    try:
        return date.fromisoformat(text).isoformat() if len(text) == 8 else None
    except ValueError:
        return None


def _concept(code: Code) -> Resource:
    return {"coding": [{"system": _SYSTEMS[code.scheme], "code": code.value, "display": code.meaning}]}


def _component(code: Code, value: float) -> Resource:
    return {"code": _concept(code), "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": "1"}}


def _reference(resource: Resource) -> Resource:
    return {"reference": _url(resource["id"])}


def _url(identifier: str) -> str:
    return f"urn:uuid:{identifier}"
