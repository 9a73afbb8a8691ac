"""`GET /v1/worklist`: the positives, most urgent first, and in an order that tells nothing where scores are hidden."""

from urllib.parse import quote

import pytest

from tests.served import Served
from tests.stored_nights import StoredNight


def listed(served: Served, query: str = "", token: str = "read") -> dict:
    reply = served.ask(f"/v1/worklist{query}", token=token)
    assert reply.status == 200, reply.body
    return reply.json()


def test_most_urgent_first(served: Served, stored_night: StoredNight) -> None:
    found = listed(served)
    positive = [row for row in stored_night.rows if row["pneumonia_positive"]]
    covid = sorted((row for row in positive if row["covid_positive"]), key=lambda row: -row["covid_probability"])
    other = sorted((row for row in positive if not row["covid_positive"]), key=lambda row: -row["pneumonia_probability"])
    assert len(covid) >= 3
    assert len(other) >= 2
    assert [entry["object_id"] for entry in found["entries"]] == [row["object_id"] for row in covid + other]
    assert (found["night"], found["nights"], found["sites"], found["total"]) == (
        "2020-03-01",
        ["2020-03-01"],
        ["North", "South"],
        len(positive),
    )
    first = found["entries"][0]
    assert first["covid_value"] == pytest.approx(covid[0]["covid_probability"])
    assert (first["InstitutionName"], first["age_years"]) == (covid[0]["InstitutionName"], 50)


def test_of_one_site_and_no_more_than_asked(served: Served) -> None:
    everywhere = listed(served)
    south = listed(served, f"?site={quote('South')}&night=2020-03-01")
    assert [entry["object_id"] for entry in south["entries"]] == [
        entry["object_id"] for entry in everywhere["entries"] if entry["InstitutionName"] == "South"
    ]
    assert (south["site"], south["sites"]) == ("South", ["North", "South"])
    one = listed(served, "?limit=1")
    assert (len(one["entries"]), one["total"]) == (1, everywhere["total"])
    assert listed(served, "?site=Nowhere")["entries"] == []


def test_a_blind_readers_list_gives_nothing_away(served: Served) -> None:
    urgent = [entry["object_id"] for entry in listed(served)["entries"]]
    orders = {}
    for token in ("review", "all"):
        found = listed(served, token=token)
        unread = [entry for entry in found["entries"] if entry["finding"] is None]
        assert found["blind"]
        assert {value for entry in unread for value in (entry["covid_positive"], entry["covid_value"], entry["pneumonia_value"])} == {None}
        assert found["entries"][: len(unread)] == unread, "read ones come last"
        orders[token] = [entry["object_id"] for entry in found["entries"]]
        assert sorted(orders[token]) == sorted(urgent)
        assert [entry["object_id"] for entry in listed(served, token=token)["entries"]] == orders[token], "the same with every look"
    assert not listed(served)["blind"]


@pytest.mark.parametrize(
    ("query", "status"), [("?night=2019-01-01", 404), ("?night=yesterday", 422), ("?limit=0", 422), ("?limit=9999", 422)]
)
def test_what_cannot_be_listed(served: Served, query: str, status: int) -> None:
    assert served.ask(f"/v1/worklist{query}", token="read").status == status
