"""DICOM SR of one answer: TID 1500 Measurement Report (PS3.16) in a Comprehensive 3D SR, as IHE's profile AI Results asks for.

Each condition is a measurement group (TID 1501) with its decision as a qualitative evaluation and its score, probability and threshold
as measurements, the algorithm of that stage (TID 4019) and a reference to the radiograph. Concepts that no public scheme has are of the
private scheme 99CXRSCREEN, which the object describes. A radiograph without scores has one group, which says why.
"""

from datetime import datetime

from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.sr.codedict import codes

from schemas.answer import Answer
from schemas.bundle import DIGEST_LENGTH, BundleManifest
from schemas.reasons import Outcome, Reason
from screening.dicom.uids import uid_of
from screening.on_demand.scored import Scored
from serve.outputs import findings
from serve.outputs.dicom_object import building, file_of, place_of, reference_of
from serve.outputs.findings import SCHEME, SOFTWARE, Code, Finding, ascii_name, findings_of, refusal_in_words, software_version
from serve.outputs.source import SourceImage

SERIES_NUMBER = 9001


def structured_report(source: SourceImage, scored: Scored, bundle: BundleManifest, when: datetime) -> bytes:
    """Return the SR as the bytes of a DICOM file. `when` is the time that it bears. Raises OutputRefused."""
    with building():
        reference = reference_of(source)
        report = sr.MeasurementReport(
            observation_context=_observer(bundle),
            procedure_reported=_concept(findings.CHEST_XRAY),
            imaging_measurements=_Groups(source, scored.answer, bundle).all(),
            title=codes.DCM.ImagingMeasurementReport,
        )
        built = sr.Comprehensive3DSR(
            evidence=[reference],
            content=report[0],
            is_complete=True,
            is_final=False,  # PreliminaryFlag: nobody has verified it
            series_description="Screening result (research use)",
            coding_schemes=[CodingSchemeIdentificationItem(SCHEME, name="Concepts of chest-screening", responsible_organization=SOFTWARE)],
            **place_of(source, bundle, SERIES_NUMBER, "sr"),
        )
        return file_of(built, source, when)


def _observer(bundle: BundleManifest) -> sr.ObservationContext:
    """Return this software with this bundle as the observer (TID 1002, 1004)."""
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=uid_of("device", bundle.digest()),
        name=f"{SOFTWARE} {software_version()}",
        manufacturer_name=SOFTWARE,
        model_name=ascii_name(bundle),
        serial_number=bundle.digest(),
    )
    return sr.ObservationContext(observer_device_context=sr.ObserverContext(codes.DCM.Device, device))


class _Groups:
    """The measurement groups (TID 1501) of one answer."""

    def __init__(self, source: SourceImage, answer: Answer, bundle: BundleManifest):
        self._source, self._answer, self._bundle = source, answer, bundle

    def all(self) -> list[sr.MeasurementsAndQualitativeEvaluations]:
        groups = [self._of_image()]
        return groups + [self._of_finding(finding) for finding in findings_of(self._answer)]

    def _of_image(self) -> sr.MeasurementsAndQualitativeEvaluations:
        """Return what became of the radiograph, how much lung stage 1 found in it, and why there is no answer where there is none."""
        answer = self._answer
        evaluations = [(findings.OUTCOME, Code(answer.outcome, SCHEME, Outcome(answer.outcome).capitalize()))]
        if answer.reason is not None:
            evaluations.append((findings.REASON, Code(answer.reason, SCHEME, _meaning(answer.reason))))
        area = answer.lung_area_fraction
        return self._group(
            "lungs",
            findings.IMAGE_ANSWER,
            evaluations,
            [] if area is None else [(findings.LUNG_AREA, findings.seven_digits(area))],
            refusal_in_words(answer) if answer.reason is not None else findings.RESEARCH_USE.capitalize(),
        )

    def _of_finding(self, finding: Finding) -> sr.MeasurementsAndQualitativeEvaluations:
        return self._group(finding.stage, finding.condition, [(findings.DECISION, finding.decision)], finding.numbers, finding.comment)

    def _group(
        self, stage: str, finding: Code, evaluations: list[tuple[Code, Code]], numbers: list[tuple[Code, float]], comment: str
    ) -> sr.MeasurementsAndQualitativeEvaluations:
        uids = self._source.uids
        group = sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(self._source.uid(self._bundle.digest(), "sr", "tracking", stage), stage),
            finding_type=_concept(finding),
            algorithm_id=_algorithm(stage, self._bundle),
            finding_sites=[sr.FindingSite(_concept(findings.LUNG))],
            measurements=[sr.Measurement(_concept(code), value, codes.UCUM.NoUnits) for code, value in numbers] or None,
            qualitative_evaluations=[sr.QualitativeEvaluation(_concept(name), _concept(value)) for name, value in evaluations],
            source_images=[sr.SourceImageForMeasurementGroup(uids["SOPClassUID"], uids["SOPInstanceUID"])],
        )
        if comment:
            group[0].ContentSequence.append(sr.TextContentItem(codes.DCM.Comment, comment, sr.RelationshipTypeValues.CONTAINS))
        return group


def _algorithm(stage: str, bundle: BundleManifest) -> sr.AlgorithmIdentification:
    """Return the network of one stage with its bundle, and the rule that chose its threshold (TID 4019)."""
    parameters = [f"bundle digest {bundle.digest()}"]
    if stage in bundle.operating_points:
        parameters.append(f"operating point: {bundle.operating_points[stage].rule}")
    return sr.AlgorithmIdentification(
        name=f"{SOFTWARE} {stage}: {bundle.networks[stage].architecture}",
        version=f"{ascii_name(bundle)} {bundle.digest()[:DIGEST_LENGTH]}",
        parameters=parameters,
        family=codes.DCM.ArtificialIntelligence,
        manufacturer=SOFTWARE,
    )


def _concept(code: Code) -> sr.CodedConcept:
    return sr.CodedConcept(code.value, code.scheme, code.meaning)


def _meaning(reason: Reason) -> str:
    """Return a reason's code in words: a code's meaning has 64 characters at most, so the whole description goes into the comment."""
    return reason.replace("_", " ").capitalize()
