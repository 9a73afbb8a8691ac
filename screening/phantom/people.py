"""The people of a synthetic archive: who is X-rayed when, and what the registry knows of their RT-PCR tests.

Everything follows from one seed. Dates are made up and lie in the first weeks of 2020.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from schemas.reference import TestResult
from screening.dicom.uids import seed_of
from screening.phantom.sites import SITES

FIRST_DAY = date(2020, 2, 3)
WEEKS = 6
_REPEAT_SHARE = 0.15  # of people with a second radiograph
_SPLITS = ("train",) * 14 + ("val",) * 3 + ("test",) * 3
SCREENING_MIX = ("normal", "covid", "normal", "pneumonia")  # findings of every four people in turn
TRAINING_MIX = ("normal", "pneumonia", "covid")


@dataclass(frozen=True)
class Person:
    """One synthetic person."""

    number: int
    patient_id: str
    seed: int  # of the chest
    finding: str  # normal, pneumonia or covid
    sex: str
    age_years: int
    site: str
    split: str
    symptom_onset_date: date | None
    first_study_date: date


@dataclass(frozen=True)
class Study:
    """One radiograph of a person."""

    number: int
    person: Person
    seed: int  # of the film
    severity: float | None  # None: as the film's seed draws it
    study_date: date

    @property
    def offset_days(self) -> int | None:
        """Days from symptom onset to the radiograph; None where there is no known onset."""
        onset = self.person.symptom_onset_date
        return None if onset is None else (self.study_date - onset).days


def plan_studies(studies: int, seed: int, mix: tuple[str, ...] = SCREENING_MIX) -> list[Study]:
    """Return `studies` radiographs of somewhat fewer people, whose findings follow `mix` in turn."""
    planned: list[Study] = []
    person_number = 0
    while len(planned) < studies:
        person = _person(person_number, seed, mix)
        rng = np.random.default_rng([6, person.seed])
        repeats = 1 + int(rng.random() < _REPEAT_SHARE)
        severity = float(rng.beta(1.6, 1.4))
        for repeat in range(min(repeats, studies - len(planned))):
            worse = None if repeats == 1 else min(1.0, severity + 0.25 * repeat)
            day = person.first_study_date + timedelta(days=repeat * int(rng.integers(2, 8)))
            planned.append(Study(len(planned), person, seed_of(person.seed, "film", repeat), worse, day))
        person_number += 1
    return planned


def _person(number: int, seed: int, mix: tuple[str, ...]) -> Person:
    own_seed = seed_of("person", seed, number)
    rng = np.random.default_rng([5, own_seed])
    finding = mix[number % len(mix)]
    study_date = FIRST_DAY + timedelta(days=int(rng.integers(7 * WEEKS)))
    has_symptoms = rng.random() < {"normal": 0.3, "pneumonia": 0.92, "covid": 0.88}[finding]
    onset = study_date - timedelta(days=int(rng.integers(1, 9))) if has_symptoms else None
    return Person(
        number=number,
        patient_id=f"P{seed:04d}{number:06d}",
        seed=own_seed,
        finding=finding,
        sex=("M", "F")[rng.integers(2)],
        age_years=int(np.clip(rng.normal(54, 18), 18, 95)),
        site=SITES[rng.integers(len(SITES))].name,
        split=_SPLITS[(number // len(mix) * 7 + seed) % len(_SPLITS)],
        symptom_onset_date=onset,
        first_study_date=study_date,
    )


REGISTRY_COLUMNS = ("PatientID", "symptom_onset_date", "specimen_date", "result_date", "result", "reading")


def registry_rows(person: Person) -> list[dict[str, object]]:
    """Return what the registry holds of a person: one row per RT-PCR test, none for people who were never tested.

    A test may come days before or after the radiograph, be repeated after a false negative, or stay indeterminate.
    """
    rng = np.random.default_rng([7, person.seed])
    if rng.random() > {"normal": 0.6, "pneumonia": 0.85, "covid": 0.93}[person.finding]:
        return []
    reading = _reading(rng, person.finding)
    specimen = person.first_study_date + timedelta(days=int(rng.integers(-3, 6)))
    if person.symptom_onset_date:
        specimen = max(specimen, person.symptom_onset_date)
    truth = TestResult.POSITIVE if person.finding == "covid" else TestResult.NEGATIVE
    results = [truth]
    if rng.random() < 0.04:
        results = [TestResult.INDETERMINATE] + ([truth] if rng.random() < 0.5 else [])
    elif rng.random() < 0.1:
        results = [TestResult.NEGATIVE, truth]
    rows = []
    for result in results:
        reported = specimen + timedelta(days=int(rng.integers(1, 5)))
        rows.append(
            dict(
                zip(REGISTRY_COLUMNS, (person.patient_id, person.symptom_onset_date, specimen, reported, str(result), reading), strict=True)
            )
        )
        specimen = reported + timedelta(days=int(rng.integers(0, 3)))
    return rows


def _reading(rng: np.random.Generator, finding: str) -> str | None:
    """Return a radiologist's reading: right nine times in ten, missing one time in five."""
    drawn = rng.random(2)
    others = [other for other in TRAINING_MIX if other != finding]
    reading = finding if drawn[0] < 0.9 else others[int(rng.integers(2))]
    return reading if drawn[1] < 0.8 else None
