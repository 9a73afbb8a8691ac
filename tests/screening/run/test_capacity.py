"""How many machines a night needs, for nights worked out by hand."""

import dataclasses
from pathlib import Path

import pytest

from screening.benchmark.random_bundle import save_random_bundle
from screening.errors import UsageError
from screening.run.capacity import ASSUMED, Figure, measured_figures, plan_capacity
from screening.run.screen import screen
from tests.archives import phantom_dicom, phantom_pixels
from tests.nights import night, only

# 100 images a second for an hour, every core and GPU always at work
EVEN = {name: dataclasses.replace(figure) for name, figure in ASSUMED.items()} | {
    name: Figure(value, "", "by hand")
    for name, value in {
        "decode_ms": 90, "write_ms": 10, "cascade_ms": 400, "gpu_ms": 20, "image_mb": 10, "network_gbits": 16, "used_share": 1,
        "start_minutes": 0, "cores": 4, "gpus": 1, "cpu_price": 1, "gpu_price": 10, "head_price": 0.5,
    }.items()
}  # fmt: skip
HOUR = 360_000


def figures(**changes: float) -> dict[str, Figure]:
    return EVEN | {name: Figure(value, "", "by hand") for name, value in changes.items()}


def test_gpus_judge_and_the_cores_beside_them_decode_too() -> None:
    planned = plan_capacity(HOUR, 1, figures(), gpu=True)
    # 100/s of 20 ms are 2 GPUs; 100/s of 100 ms are 10 cores, 6 of which are beside the GPUs, so 4 more: one machine
    assert (planned.gpu_workers, planned.cpu_workers) == (2, 1)
    assert planned.images_per_second == pytest.approx({"network": 200, "decode": 100, "GPU": 100})
    assert (planned.hours, planned.price) == pytest.approx((1, 1 + 2 * 10 + 0.5))
    assert planned.in_time


@pytest.mark.parametrize(
    ("changes", "limit", "cpu_workers", "gpu_workers"),
    [
        ({"gpu_ms": 19}, "decode", 1, 2),
        ({"decode_ms": 80}, "GPU", 1, 2),
        ({"network_gbits": 8, "decode_ms": 80, "gpu_ms": 19}, "network", 1, 2),
        ({"gpu_ms": 1, "decode_ms": 10}, "decode", 0, 1),  # the cores beside one GPU are enough
    ],
)
def test_the_stage_that_manages_least_limits(changes: dict[str, float], limit: str, cpu_workers: int, gpu_workers: int) -> None:
    planned = plan_capacity(HOUR, 1, figures(**changes), gpu=True)
    assert (planned.limit, planned.cpu_workers, planned.gpu_workers) == (limit, cpu_workers, gpu_workers)
    assert planned.in_time


def test_cores_alone_do_both() -> None:
    planned = plan_capacity(HOUR, 1, figures(), gpu=False)
    assert (planned.cpu_workers, planned.gpu_workers, planned.limit) == (13, 0, "cascade")  # 100/s of 500 ms are 50 cores, of 4 each
    assert plan_capacity(HOUR, 1, figures(cascade_ms=50), gpu=False).limit == "decode"


def test_a_network_that_is_too_slow_is_said_and_no_machine_is_bought_to_wait_for_it() -> None:
    planned = plan_capacity(HOUR, 1, figures(network_gbits=4), gpu=True)  # 50 images a second
    assert (planned.limit, planned.in_time, planned.hours) == ("network", False, pytest.approx(2))
    assert (planned.gpu_workers, planned.cpu_workers) == (1, 1)  # as for half of the images


def test_machines_that_rest_or_start_late_are_more() -> None:
    assert plan_capacity(HOUR, 1, figures(used_share=0.5), gpu=True).gpu_workers == 4
    late = plan_capacity(HOUR, 1, figures(start_minutes=30), gpu=True)
    assert (late.gpu_workers, late.hours) == (4, pytest.approx(1))


@pytest.mark.parametrize(
    ("images", "hours", "changes"), [(0, 1, {}), (1, 0, {}), (1, 1, {"start_minutes": 60}), (1, 1, {"decode_ms": 0}), (1, 1, {"cores": -1})]
)
def test_what_makes_no_night_is_refused(images: int, hours: float, changes: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        plan_capacity(images, hours, figures(**changes), gpu=True)


@pytest.mark.usefixtures("ray_cluster")
def test_a_run_says_what_an_image_takes(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    for i in range(3):
        (tmp_path / "archive" / f"{i}.dcm").write_bytes(phantom_dicom(i))
    save_random_bundle(str(tmp_path / "bundle"), phantom_pixels(4))
    with pytest.raises(UsageError, match="no run there has finished"):
        measured_figures(str(tmp_path / "results"))
    run = only(screen(night(tmp_path / "archive", tmp_path / "results", str(tmp_path / "bundle"))))
    measured = measured_figures(str(tmp_path / "results"))
    assert measured.keys() == {"decode_ms", "write_ms", "cascade_ms", "image_mb"}
    assert measured["cascade_ms"].value == pytest.approx(1000 * run.times.cascade_seconds / 3)
    assert measured["decode_ms"].source == f"run {run.run_id}, 3 images"
    sizes = [file.stat().st_size for file in (tmp_path / "archive").iterdir()]
    assert measured["image_mb"].value == pytest.approx(sum(sizes) / 3e6)
