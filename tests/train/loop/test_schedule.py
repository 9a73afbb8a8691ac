import math

import pytest
import torch

from train.loop.schedule import EarlyStopping, learning_rate


def test_rises_to_the_peak_and_falls_to_nothing() -> None:
    rates = [learning_rate(step, 100, 0.01) for step in range(100)]
    assert rates[0] == pytest.approx(0.0004)
    assert max(rates) == rates[15] == pytest.approx(0.01)
    assert rates[-1] < 1e-5
    assert sorted(rates[:16]) == rates[:16]
    assert sorted(rates[15:], reverse=True) == rates[15:]


def test_the_fall_is_torchs_cosine() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.01)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=85)
    for step in range(15, 100):
        assert learning_rate(step, 100, 0.01) == pytest.approx(cosine.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        cosine.step()


def test_a_single_step_has_a_rate() -> None:
    assert learning_rate(0, 1, 0.01) > 0


def test_stops_when_patience_is_used_up() -> None:
    stopping = EarlyStopping(patience=2)
    for loss, stops in ((1.0, False), (0.9, False), (0.95, False), (0.8, False), (0.9, False), (math.nan, True)):
        stopping.see(loss)
        assert stopping.exhausted is stops
