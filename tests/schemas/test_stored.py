"""Stored answers: what is withheld from a blind reader is everything that the cascade said."""

from schemas.answer import Answer
from schemas.instance import CASCADE_COLUMNS, INSTANCE_SCHEMA
from schemas.stored import JUDGEMENTS, StoredAnswer, Worklist, WorklistEntry


def test_every_column_of_the_cascade_is_withheld_and_the_stage_with_it() -> None:
    shown = {column.name for column in CASCADE_COLUMNS} & StoredAnswer.model_fields.keys()
    assert set(JUDGEMENTS) == shown | {"stage_reached"}


def test_what_is_withheld_may_be_null() -> None:
    assert not any(StoredAnswer.model_fields[name].is_required() for name in JUDGEMENTS)
    assert Answer.model_fields["stage_reached"].is_required()


def test_an_entry_names_its_columns_as_the_rows_do() -> None:
    own = {"finding", "pneumonia_value", "covid_value"}
    assert WorklistEntry.model_fields.keys() - own <= set(INSTANCE_SCHEMA.names)
    assert Worklist(night=None, site=None, total=0, blind=True, entries=[], nights=[], sites=[]).entries == []
