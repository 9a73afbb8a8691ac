"""`screening plan`: what it prints, and its exit codes."""

import json

import pytest
from typer.testing import CliRunner, Result

from jobs.cli import make_app
from screening.run.capacity import ASSUMED


def plan(*arguments: str) -> Result:
    return CliRunner().invoke(make_app(), ["plan", "--images", "1000000", "--deadline", "8", *arguments], catch_exceptions=False)


def test_it_says_how_many_machines_and_what_limits_them_and_where_each_figure_is_from() -> None:
    answer = plan()
    assert answer.exit_code == 0
    assert "CPU workers and 1 GPU workers screen 1000000 images in" in answer.output
    assert "what limits the night is: GPU" in answer.output
    for name, figure in ASSUMED.items():
        assert (name in answer.output) == (name != "cascade_ms")
        assert name == "cascade_ms" or figure.source.split()[0] in answer.output


def test_what_is_given_stands_in_the_place_of_what_is_assumed() -> None:
    answer = json.loads(plan("--json", "--cpu-only", "--cascade-ms", "100", "--cores", "64").output)
    assert answer["figures"]["cascade_ms"] == {"value": 100, "unit": ASSUMED["cascade_ms"].unit, "source": "given"}
    assert answer["figures"]["decode_ms"]["source"] == ASSUMED["decode_ms"].source
    assert (answer["gpu_workers"], answer["in_time"]) == (0, True)
    assert answer["cpu_workers"] < json.loads(plan("--json", "--cpu-only").output)["cpu_workers"]


@pytest.mark.parametrize("gbits", ["0.1", "1"])
def test_a_slow_network_is_an_exit_code_of_its_own(gbits: str) -> None:
    answer = plan("--network-gbits", gbits)
    assert answer.exit_code == 1
    assert "the network from the store has to be faster" in answer.output
