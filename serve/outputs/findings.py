"""What an answer says, stage by stage, in coded words: the one source of the report, the picture and the FHIR bundle."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from schemas.answer import Answer
from schemas.bundle import BundleManifest
from schemas.reasons import Outcome

SOFTWARE = "chest-screening"
RESEARCH_USE = "research use, not a diagnosis"
SCHEME = "99CXRSCREEN"  # of the codes that no public scheme has: "99" begins a private one (PS3.16 section 8)


@dataclass(frozen=True)
class Code:
    """One coded concept: value, scheme and meaning (PS3.3 section 8.8)."""

    value: str
    scheme: str
    meaning: str


PNEUMONIA = Code("233604007", "SCT", "Pneumonia")
COVID = Code("840539006", "SCT", "COVID-19")
CONDITIONS = {"pneumonia": PNEUMONIA, "covid": COVID}  # stage → what it judges
LUNG = Code("39607008", "SCT", "Lung")
CHEST_XRAY = Code("399208008", "SCT", "Plain chest X-ray")
POSITIVE = Code("10828004", "SCT", "Positive")
NEGATIVE = Code("260385009", "SCT", "Negative")
DECISION = Code("decision", SCHEME, "Screening decision at the threshold")
SCORE = Code("score", SCHEME, "Score, uncalibrated")
PROBABILITY = Code("probability", SCHEME, "Probability, calibrated")
THRESHOLD = Code("threshold", SCHEME, "Threshold of the screening decision")
LUNG_AREA = Code("lung_area", SCHEME, "Lung area as a share of the image")
IMAGE_ANSWER = Code("image_answer", SCHEME, "Radiograph as input of the screening")
OUTCOME = Code("outcome", SCHEME, "Outcome of the screening")
REASON = Code("reason", SCHEME, "Reason why there is no answer")
PRIVATE_CODES = (DECISION, SCORE, PROBABILITY, THRESHOLD, LUNG_AREA, IMAGE_ANSWER, OUTCOME, REASON)


@dataclass(frozen=True)
class Finding:
    """What the cascade says of one condition. Scores are None where the stage was not reached."""

    stage: str
    condition: Code
    positive: bool
    score: float | None
    probability: float | None
    threshold: float
    comment: str

    @property
    def decision(self) -> Code:
        """The answer as a code: positive or negative, never present or absent, because screening establishes neither."""
        return POSITIVE if self.positive else NEGATIVE

    @property
    def numbers(self) -> list[tuple[Code, float]]:
        """What there is of score, probability and threshold, all in [0, 1], with the seven digits that a float32 holds."""
        values = ((SCORE, self.score), (PROBABILITY, self.probability), (THRESHOLD, self.threshold))
        return [(code, seven_digits(value)) for code, value in values if value is not None]

    def in_words(self) -> str:
        """Return one line for people."""
        value = self.score if self.probability is None else self.probability
        if value is None:
            return f"{self.condition.meaning}: {self.decision.meaning.lower()}, {self.comment}"
        kind = "score" if self.probability is None else "probability"
        words = f"{self.condition.meaning}: {self.decision.meaning.lower()}, {kind} {value:.3f}, threshold {self.threshold:.3f}"
        return f"{words}; {self.comment}" if self.comment else words


def findings_of(answer: Answer) -> list[Finding]:
    """Return what the cascade says of a scored radiograph, of pneumonia and of COVID-19; nothing of one that was not scored."""
    if answer.outcome != Outcome.SCORED:
        return []
    found = []
    for stage, condition in CONDITIONS.items():
        columns = {name: getattr(answer, f"{stage}_{name}") for name in ("positive", "score", "probability", "threshold")}
        found.append(Finding(stage, condition, comment=_comment(answer) if stage == "covid" else "", **columns))
    return found


def _comment(answer: Answer) -> str:
    if answer.covid_score is None:
        return "stage 3 was not reached, because stage 2 is negative"
    return "negative because stage 2 is; its score is that of an audit sample" if answer.audit_sample else ""


def refusal_in_words(answer: Answer) -> str:
    """Return in one sentence why a radiograph has no scores; a rejected image is not a negative one."""
    why = answer.detail or (answer.reason.description if answer.reason else str(answer.outcome))
    return f"No answer, which is not a negative answer: {why.rstrip('.')}"


def named(answer: Answer) -> str:
    """Return what messages call the file."""
    return answer.file or "this file"


def seven_digits(value: float) -> float:
    """Return a value with the digits that a float32 holds, which fit the 16 characters of a decimal string (PS3.5 6.2)."""
    return float(f"{value:.7g}")


def software_version() -> str:
    """Return the version of this software."""
    try:
        return version(SOFTWARE)
    except PackageNotFoundError:
        return "unknown"


def ascii_name(bundle: BundleManifest) -> str:
    """Return a bundle's name as every character set of DICOM has it, 64 characters at most."""
    return bundle.name.encode("ascii", "replace").decode().replace("\\", "/")[:64]
