"""mutants: the spoilt files of the proof are those of their seed and number, and differ; the first of them pass here at once."""

from screening.dicom.encoders import TRANSFER_SYNTAXES
from tests.screening import mutants
from tests.screening.seed_files import seed_files


def test_a_mutant_is_made_again_from_its_seed_and_number():
    assert mutants.mutant(5, 17) == mutants.mutant(5, 17)
    assert len({mutants.mutant(5, number)[1] for number in range(60)}) > 55
    assert mutants.mutant(6, 17)[1] != mutants.mutant(5, 17)[1]


def test_every_kind_of_file_is_there_to_be_spoilt():
    names = {file.name.split()[0] for group in seed_files() for file in group}
    assert {*TRANSFER_SYNTAXES, "png", "jpeg", "rgb", "palette", "CT_small.dcm"} <= names
    assert all(len(file.places) > 2 for group in seed_files() for file in group[:3])


def test_the_first_mutants_are_decoded_or_refused():
    report = mutants.examine(0, 0, 150)
    assert report["failures"] == []
    assert sum(report["reasons"].values()) == 150
    assert report["reasons"]["accepted"] > 5
