"""An answer: the columns of an instance row under their names, thresholds of its bundle, and nothing of where the file lay."""

import json

import pytest

from schemas.answer import EXAMPLE, REFUSED_EXAMPLE, Answer
from schemas.heatmap import URL_COLUMN
from schemas.instance import CASCADE_COLUMNS, IDENTITY_COLUMNS
from screening.bundle.checks import load_manifest
from screening.bundle.released import phantom_bundle

BUNDLE = load_manifest(phantom_bundle())


def test_its_fields_are_the_columns_of_a_row() -> None:
    columns = {column.name for column in (*IDENTITY_COLUMNS, *CASCADE_COLUMNS)} - set(URL_COLUMN.values())
    assert columns < Answer.model_fields.keys()
    assert not {"object_url", "object_id", "shard_id"} & Answer.model_fields.keys()
    assert all(field.description for field in Answer.model_fields.values())


@pytest.mark.parametrize("example", [EXAMPLE, REFUSED_EXAMPLE])
def test_the_examples_are_answers(example: dict) -> None:
    answer = Answer.model_validate(example)
    assert example.items() <= json.loads(answer.model_dump_json()).items()
    assert example in Answer.model_json_schema()["examples"]


def test_of_a_row() -> None:
    row = {"outcome": "rejected", "reason": "blank", "detail": "no contrast", "stage_reached": "index", "Rows": 512, "object_url": "x"}
    answer = Answer.of(row, BUNDLE, "a.dcm")
    assert (answer.Rows, answer.file, answer.reason.outcome, answer.pneumonia_score) == (512, "a.dcm", "rejected", None)
    assert answer.pneumonia_threshold == BUNDLE.operating_points["pneumonia"].threshold
    assert answer.bundle_digest == BUNDLE.digest()
    assert Answer.model_validate_json(answer.model_dump_json()) == answer
    assert json.loads(answer.model_dump_json())["heatmaps"] == {}
