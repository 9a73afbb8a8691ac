"""`screening sample-size`: the table, the JSON and what is refused."""

import json

from tests.programs import screening

ARGUMENTS = ("sample-size", "--sensitivity", "0.95", "--specificity", "0.8", "--prevalence", "0.3")


def test_the_persons_that_are_needed() -> None:
    answer = json.loads(screening(*ARGUMENTS, "--json").stdout)
    assert [row["buderer_verified"] for row in answer["rows"]] == [244, 352]
    assert answer["verified"] == max(row["wilson_verified"] for row in answer["rows"])
    printed = screening(*ARGUMENTS).stdout
    assert f"{answer['verified']} verified persons are expected to suffice for both" in printed
    assert "sensitivity 95 % ± 5 %" in printed
