import pytest

from train.datasets.rows import Why, age_in_years, sex_of, view_problem


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("58", 58), ("058Y", 58), ("009M", 0.75), ("014D", 14 / 365.25), ("45yrs", 45), ("50+", 50), ("early 40s", 40), ("62.5", 62.5),
        ("411", None), ("", None), ("unknown", None),
    ],
)  # fmt: skip
def test_ages_as_tables_write_them(text: str, years: float | None) -> None:
    assert age_in_years(text) == (None if years is None else pytest.approx(years))


@pytest.mark.parametrize("view", ["PA", "AP", "AP Supine", "AP semi erect", "ap", "AP horizontal", ""])
def test_frontal_and_unstated_views_are_used(view: str) -> None:
    assert view_problem(view) is None


@pytest.mark.parametrize(
    ("view", "why"),
    [
        ("L", Why.LATERAL_VIEW),
        ("Lateral", Why.LATERAL_VIEW),
        ("COSTAL", Why.OTHER_VIEW),
        ("EXCLUDE", Why.OTHER_VIEW),
        ("Axial", Why.OTHER_VIEW),
    ],
)
def test_other_views_have_a_reason(view: str, why: Why) -> None:
    assert view_problem(view) is why


def test_sexes() -> None:
    assert [sex_of(text) for text in ("m", "Female", "M", "O", "")] == ["M", "F", "M", "", ""]


def test_every_reason_says_what_it_means() -> None:
    assert all(why.description and why == why.value for why in Why)
