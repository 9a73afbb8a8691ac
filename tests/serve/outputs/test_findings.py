"""What an answer says in coded words and for people."""

from schemas.reasons import Reason
from serve.outputs.findings import (
    NEGATIVE,
    POSITIVE,
    PROBABILITY,
    SCORE,
    THRESHOLD,
    ascii_name,
    findings_of,
    refusal_in_words,
    seven_digits,
)
from tests.serve.outputs.answers import bundle_manifest, refused, scored


def test_a_positive_answer_has_both_conditions_with_their_numbers() -> None:
    pneumonia, covid = findings_of(scored(covid_probability=0.61).answer)
    assert (pneumonia.decision, covid.decision) == (POSITIVE, POSITIVE)
    assert pneumonia.numbers == [(SCORE, 0.88), (THRESHOLD, 0.25)]
    assert covid.numbers == [(SCORE, 0.73), (PROBABILITY, 0.61), (THRESHOLD, 0.25)]
    assert pneumonia.in_words() == "Pneumonia: positive, score 0.880, threshold 0.250"
    assert covid.in_words() == "COVID-19: positive, probability 0.610, threshold 0.250"


def test_a_stage_that_was_not_reached_has_no_score_and_says_so() -> None:
    answer = scored(pneumonia_positive=False, pneumonia_score=0.1, covid_positive=False, covid_score=None).answer
    covid = findings_of(answer)[1]
    assert covid.decision == NEGATIVE
    assert [code for code, _ in covid.numbers] == [THRESHOLD]
    assert covid.in_words() == "COVID-19: negative, stage 3 was not reached, because stage 2 is negative"


def test_an_audit_sample_is_negative_whatever_its_score() -> None:
    covid = findings_of(scored(pneumonia_positive=False, covid_positive=False, covid_score=0.9, audit_sample=True).answer)[1]
    assert covid.decision == NEGATIVE
    assert "audit sample" in covid.in_words()


def test_a_refused_image_is_no_negative() -> None:
    assert findings_of(refused().answer) == []
    assert refusal_in_words(refused().answer) == "No answer, which is not a negative answer: ViewPosition is LL: send the frontal view"
    without_detail = refused(Reason.BLANK).answer.model_copy(update={"detail": None})
    assert Reason.BLANK.description in refusal_in_words(without_detail)


def test_numbers_and_names_fit_dicom() -> None:
    assert seven_digits(0.8999999761581421) == 0.9
    assert len(str(seven_digits(1 / 3e6))) <= 16
    assert ascii_name(bundle_manifest("modèle\\" + "x" * 80)) == "mod?le/" + "x" * 57
