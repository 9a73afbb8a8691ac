import pytest

from tests.told import Told
from train.loop.progress import describe, watched

LINE = {
    "stage": "covid",
    "epoch": 3,
    "epochs": 12,
    "train_loss": 0.3,
    "tuning_loss": 0.25,
    "tuning_auroc": 0.98,
    "images_per_second": 211.7,
}


def test_a_line_for_people() -> None:
    assert describe(LINE) == "covid      epoch  3/12  loss 0.300  tuning loss 0.250  auroc 0.980  212 images/s"
    assert "auroc" not in describe(LINE | {"tuning_auroc": None})


@pytest.mark.usefixtures("ray_cluster")
def test_lines_arrive_in_order_and_none_is_lost() -> None:
    seen = []
    with watched(seen.append) as board:
        for epoch in range(5):
            board.add.remote(LINE | {"epoch": epoch})
    assert [line["epoch"] for line in seen] == list(range(5))


@pytest.mark.usefixtures("ray_cluster")
def test_the_last_count_of_batches_arrives() -> None:
    told = Told()
    with watched(None, told) as board:
        for done in (1, 7, 12):
            board.count.remote("covid", done, 12)
    assert told.said[-1] == ("stage covid: training on batches", 12, 12)
    assert len(set(told.said)) == len(told.said)


def test_nobody_watches() -> None:
    with watched(None) as board:
        assert board is None
