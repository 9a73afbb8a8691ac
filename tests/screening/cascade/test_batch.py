"""Images a forward pass: what the driver decides without torch is what the cascade would take."""

import pytest
import torch

from screening.cascade.batch import batch_size_for
from screening.cascade.device import batch_size_of


@pytest.mark.parametrize(("dtype", "on_cpu"), [("float32", 1), ("bfloat16", 4)])
def test_the_batch_goes_by_device_and_precision(dtype: str, on_cpu: int) -> None:
    assert (batch_size_for(dtype, gpu=False), batch_size_for(dtype, gpu=True)) == (on_cpu, 64)
    for device in ("cpu", "cuda"):
        assert batch_size_of(torch.device(device), getattr(torch, dtype)) == batch_size_for(dtype, gpu=device == "cuda")
