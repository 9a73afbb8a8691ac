import pytest

from train.forgetting import sweep


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_every_model_is_judged_on_the_same_films_of_both_tasks() -> None:
    earlier, held = sweep([0.5], images=6, epochs=1)
    assert (earlier.model, held.model) == ("earlier", "lambda 0.5")
    assert earlier.lost is None
    assert held.lost.first == earlier.old.auroc
    assert held.lost.difference == pytest.approx(earlier.old.auroc - held.old.auroc)
    for area in (earlier.old, earlier.new, held.old, held.new):
        assert (area.positives, area.negatives) == (6, 6)
        assert 0 <= area.auroc <= 1
