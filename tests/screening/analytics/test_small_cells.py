"""Small cells by hand, and an attacker who solves all linear relations of what is shown for what is not."""

import numpy as np
import pytest

from screening.analytics.small_cells import Counted, find_hidden, hold_back
from tests.attacker import Attacker

KINDS = ("positive", "negative", "all")


def persons_of(*persons: int) -> dict[str, dict[str, int]]:
    """Return so many persons of each site, all untested."""
    return {name: {"positive": 0, "negative": 0, "all": n} for name, n in zip("abcdefgh", persons, strict=False)}


def hidden(*tables: dict[str, dict[str, int]], smallest: int = 5, kind: str = "all") -> str:
    """Return the sites of which cells of a kind are held back."""
    return "".join(sorted(find_hidden([Counted("site", cells) for cells in tables], smallest).get(("site", kind), ())))


def test_two_small_cells_hide_each_other_where_they_are_enough_together():
    assert hidden(persons_of(4, 30, 1, 50)) == "ac"
    assert hidden(persons_of(1, 30, 1, 50)) == "abc", "two hidden ones of 2 in all would be 1 each"


def test_one_small_cell_takes_the_next_larger_one_with_it():
    assert hidden(persons_of(4, 30, 20, 50)) == "ac"


def test_cells_of_five_and_empty_cells_are_shown():
    assert hidden(persons_of(5, 0, 20)) == ""


def test_the_unknown_are_nobody_and_may_be_few():
    assert hidden({"a": {"all": 50}, "unknown": {"all": 2}}) == ""
    assert hidden({"a": {"all": 2}, "b": {"all": 60}, "unknown": {"all": 3}}) == "aunknown", "but they hide others"


def test_one_category_says_what_the_total_says():
    assert hidden(persons_of(3)) == ""


def test_all_are_held_back_where_all_together_are_too_few():
    assert hidden(persons_of(3, 1, 0)) == "abc"


def test_a_cell_that_another_table_shows_is_held_back_there_too():
    assert hidden(persons_of(40, 30, 20), persons_of(39, 4, 20)) == "bc"
    assert hidden(persons_of(40, 30, 20), persons_of(1, 30, 1)) == "abc", "the second column needs another that counts"


def test_the_count_of_all_is_held_back_where_it_gives_the_positives():
    tested = {"a": (2, 9), "b": (20, 30), "c": (30, 40)}
    cells = {name: {"positive": p, "negative": n, "all": p + n} for name, (p, n) in tested.items()}
    assert [hidden(cells, kind=kind) for kind in KINDS] == ["ab", "", "ab"]
    untested = {name: counts | {"all": counts["all"] + 100} for name, counts in cells.items()}
    assert [hidden(untested, kind=kind) for kind in KINDS] == ["ab", "", ""], "a hundred without a test leave it open"


def tables_at_random(random: np.random.Generator) -> dict[str, list[dict]]:
    """Return rows of subgroups of two questions and two bundles, of the participants and by days since onset, of the same persons."""
    subgroups, participants, by_onset = [], [], []
    for characteristic, categories in (("site", "abcde"[: random.integers(2, 6)]), ("days since onset", ("0 to 2", "3 to 5", "unknown"))):
        rest = random.choice([0, 3, 40])
        for category in categories:
            positive, negative = (int(random.choice([0, 1, 2, 4, 6, 15, 60])) for _ in range(2))
            untested, unread, missed = (int(random.integers(0, rest + 1)) for _ in range(3))
            persons = positive + negative + untested
            participants.append({"characteristic": characteristic, "category": category, "persons": persons} | counts(positive, negative))
            answers = [("a", "covid", positive, negative), ("a", "pneumonia", max(0, positive - unread), negative)]
            for bundle, question, p, n in [*answers, ("b", "covid", positive, max(0, negative - missed))]:
                row = {"bundle_digest": bundle, "question": question, "subgroup": characteristic, "subgroup_value": category}
                ends = {"sensitivity_k": p // 2, "sensitivity_n": p, "specificity_k": n // 3, "specificity_n": n}
                shares = {f"{name}{part}": 0.5 for name in ("sensitivity", "specificity") for part in ("", "_low", "_high")}
                subgroups.append(row | ends | shares | {"units": persons, "verified": p + n})
            if characteristic == "days since onset":
                row = {"bundle_digest": "a", "onset": category, "n": positive, "detected": positive // 2}
                by_onset += [row | {"days": days, "k": positive // 3, "share": 0.3, "low": 0.1, "high": 0.5} for days in (1, 5)]
    participants = [row | {"bundle_digest": "a"} for row in participants]
    return {"subgroups": subgroups, "report_participants": participants, "lead_time_by_onset": [row for row in by_onset if row["n"]]}


def counts(positive: int, negative: int) -> dict[str, int]:
    return {"positive": positive, "negative": negative}


SAME_PERSONS = (
    [
        ("subgroups/a/covid", "sensitivity_n"),
        ("subgroups/b/covid", "sensitivity_n"),
        ("report_participants/a", "positive"),
        ("lead_time_by_onset/a/1", "n"),
        ("lead_time_by_onset/a/5", "n"),
    ],
    [("subgroups/a/covid", "specificity_n"), ("subgroups/a/pneumonia", "specificity_n"), ("report_participants/a", "negative")],
    [(f"subgroups/{table}", "units") for table in ("a/covid", "a/pneumonia", "b/covid")] + [("report_participants/a", "persons")],
)


@pytest.mark.parametrize("seed", range(6))
def test_no_cell_that_is_held_back_can_be_computed(seed: int):
    """The attacker knows all totals, and that the same persons are in every table."""
    tables = tables_at_random(np.random.default_rng(seed))
    attacker = Attacker(tables, hold_back(tables, 5), SAME_PERSONS)
    assert attacker.small_cells_shown(5) == []
    assert attacker.computed() == []


def test_the_attacker_computes_what_hiding_small_cells_alone_leaves_open():
    tables = {
        "report_participants": [
            {"bundle_digest": "a", "characteristic": "site", "category": name, "persons": n, "positive": 0, "negative": 0}
            for name, n in (("a", 3), ("b", 30), ("c", 20))
        ]
    }
    shown = {
        "report_participants": [row | {"persons": row["persons"] if row["persons"] > 5 else None} for row in tables["report_participants"]]
    }
    assert Attacker(tables, shown).computed() == [("report_participants/a", "site", "a", "persons", 3)]


def test_persons_lose_the_onset_that_would_give_their_band():
    onset = [{"bundle_digest": "a", "onset": name, "days": 1, "k": 0, "n": n, "detected": n} for name, n in (("0 to 2", 2), ("3 to 5", 9))]
    lines = [
        {"bundle_digest": "a", "place": number, "of": 3, "detected": True, "onset": band, "onset_days": day, "radiograph_days": -1}
        for number, (band, day) in enumerate((("0 to 2", -3), ("3 to 5", -5), ("unknown", None)), 1)
    ]
    more = [row | {"onset": name, "n": 40, "detected": 30} for row in onset[:1] for name in ("6 to 11", "unknown")]
    shown = hold_back({"lead_time_by_onset": [*onset, *more], "report_timeline": lines, "longest": [{"onset": "0 to 2"}]}, 5)
    assert {row["onset"]: row["n"] for row in shown["lead_time_by_onset"]} == {"0 to 2": None, "3 to 5": None, "6 to 11": 40, "unknown": 40}
    assert [(row["place"], row["onset_days"]) for row in shown["report_timeline"]] == [(1, None), (2, None), (3, None)]
    assert shown["longest"] == [{"onset": None}]


def test_the_nights_of_sites_would_give_the_units_of_a_site():
    rows = [{"bundle_digest": "a", "question": "covid", "subgroup": "site", "subgroup_value": name} for name in "ab"]
    rows = [row | {"units": n, "verified": n, "sensitivity_n": n, "specificity_n": 0} for row, n in zip(rows, (3, 40), strict=True)]
    nights = [{"site": name, "scored": 3} for name in ("a", "b", "all sites")]
    assert hold_back({"subgroups": rows, "monitor": nights}, 5)["monitor"] == nights[2:]
    assert hold_back({"subgroups": rows, "monitor": nights}, 1)["monitor"] == nights
