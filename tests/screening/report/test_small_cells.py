"""Small cells by hand."""

from screening.report.small_cells import shown_count, suppress


def rows_of(*persons: int, last: str = "z") -> list[dict]:
    names = [chr(ord("a") + number) for number in range(len(persons) - 1)] + [last]
    return [
        {"characteristic": "site", "category": name, "persons": n, "positive": 0, "negative": 0}
        for name, n in zip(names, persons, strict=True)
    ]


def hidden(rows: list[dict]) -> list[str]:
    return [row["category"] for row in suppress(rows, 5) if "persons" in row["hidden"]]


def test_two_small_cells_hide_each_other():
    assert hidden(rows_of(4, 30, 1, 50)) == ["a", "c"]


def test_one_small_cell_takes_the_next_larger_one_with_it():
    assert hidden(rows_of(4, 30, 20, 50)) == ["a", "c"]


def test_cells_of_five_and_empty_cells_are_shown():
    assert hidden(rows_of(5, 0, 20)) == []


def test_the_unknown_are_nobody_and_may_be_few():
    assert hidden(rows_of(50, 20, 2, last="unknown")) == []


def test_each_characteristic_by_itself():
    other = [row | {"characteristic": "vendor"} for row in rows_of(30, 40)]
    assert hidden(rows_of(3, 2, 9) + other) == ["a", "b"]


def test_words():
    first, second, third = suppress(rows_of(4, 30, 20), 5)
    assert [shown_count(row, "persons", 5) for row in (first, second, third)] == ["< 5", "30", "hidden"]
