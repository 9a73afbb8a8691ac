"""`/v1/readings`: what a reader recorded stays, the latest counts, scores show from then on, and others' readings stay theirs."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schemas.reading import MAX_COMMENT, READING_SCHEMA
from tests.served import Reply, Served
from tests.stored_nights import StoredNight


def read(served: Served, instance: str, finding: str, token: str = "review", **more: object) -> Reply:
    body = json.dumps({"instance": instance, "finding": finding} | more).encode()
    return served.ask("/v1/readings", body, token=token, Content_Type="application/json")


@pytest.fixture(scope="module")
def row(stored_night: StoredNight) -> dict[str, object]:
    """The row that these tests read, and no others."""
    return stored_night.row("pneumonia")


def test_a_reading_opens_the_scores_to_its_reader_alone(served: Served, stored_night: StoredNight, row: dict[str, object]) -> None:
    place = f"/v1/instances/{row['object_id']}"
    assert served.ask(place, token="review").json()["withheld"]
    reply = read(served, row["SOPInstanceUID"], "normal", comment="both bases")
    made = reply.json()
    assert (reply.status, made["reader"], made["finding"], made["scores_hidden"], made["comment"]) == (
        201,
        "has-review",
        "normal",
        True,
        "both bases",
    )
    assert (made["object_id"], made["patient_pseudonym"], made["StudyDate"]) == (row["object_id"], row["patient_pseudonym"], "2020-03-01")
    answer = served.ask(place, token="review").json()
    assert (answer["finding"], answer["withheld"], answer["pneumonia_positive"]) == ("normal", None, True)
    assert served.ask(answer["heatmaps"]["pneumonia"], token="review").status == 200
    assert served.ask(place, token="all").json()["withheld"]
    [file] = Path(stored_night.url, "readings").rglob(f"{made['reading_id']}.parquet")
    assert pq.read_schema(file).equals(READING_SCHEMA)


def test_a_correction_is_a_reading_of_its_own(served: Served, row: dict[str, object]) -> None:
    read(served, row["object_id"], "normal")
    corrected = read(served, row["object_id"], "covid").json()
    assert not corrected["scores_hidden"], "it was made in sight of the scores"
    found = served.ask(f"/v1/readings?instance={row['SOPInstanceUID']}", token="review").json()["readings"]
    assert len(found) >= 2
    assert found[-1] == corrected
    entries = served.ask("/v1/worklist", token="review").json()["entries"]
    [entry] = [entry for entry in entries if entry["object_id"] == row["object_id"]]
    assert (entry["finding"], entry["pneumonia_value"]) == ("covid", pytest.approx(row["pneumonia_probability"]))


def test_readers_see_their_own_readings_and_an_administrator_all(served: Served, row: dict[str, object]) -> None:
    read(served, row["object_id"], "normal")
    read(served, row["object_id"], "unreadable", token="all")
    query = f"/v1/readings?instance={row['object_id']}"
    assert {one["reader"] for one in served.ask(query, token="review").json()["readings"]} == {"has-review"}
    assert {one["reader"] for one in served.ask(query, token="admin").json()["readings"]} == {"has-review", "has-all"}
    assert {one["reader"] for one in served.ask("/v1/readings", token="admin").json()["readings"]} >= {"has-review", "has-all"}


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ({"finding": "tuberculosis"}, 422),
        ({"comment": "x" * (MAX_COMMENT + 1)}, 422),
        ({"reader": "has-admin"}, 422),
        ({"instance": "1.2.3"}, 404),
    ],
)
def test_what_is_no_reading(served: Served, row: dict[str, object], message: dict[str, str], status: int) -> None:
    before = len(served.ask("/v1/readings", token="admin").json()["readings"])
    given = {"instance": row["object_id"], "finding": "normal"} | message
    assert read(served, **given).status == status
    assert len(served.ask("/v1/readings", token="admin").json()["readings"]) == before
