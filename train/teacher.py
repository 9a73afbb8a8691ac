"""Other people's network as a teacher: a file of torch.export, of any architecture, whose features a DenseNet learns to give.

Weights of photographs are to be had for many networks. In the tries of the released bundle's model card what they see in lungs carried to a
hospital left out at least as well as what some thousand radiographs of the others teach. So features are learnt first, without labels
(Romero et al. 2015, "FitNets: Hints for thin deep nets"), and the labels have the last layer alone.
"""

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.export.passes import move_to_device_pass

from schemas.bundle import Preprocessing
from screening.errors import TrainingError
from screening.storage import exists, read_bytes

_TRIED = (2, 3, 64, 64)  # another number of images and another size than it was exported with, most likely


@dataclass(frozen=True)
class Teacher:
    """An exported network: `program`, the file's content, `width`, how many features it gives, and `provenance` for the record."""

    program: bytes
    width: int
    provenance: dict[str, Any]

    def features(self, device: torch.device | str = "cpu") -> nn.Module:
        """Return the network on a device, (B, 3, S, S) float32 in [-1, 1] to (B, F) float32."""
        return move_to_device_pass(torch.export.load(io.BytesIO(self.program)), str(device)).module()


def read_teacher(url: str, license: str = "") -> Teacher:
    """Return the network in a file that `torch.export.save` wrote, for any number of images of any size S.

    Such a file is a program: it is for files of one's own. `license` is the weights' own, for the record. Raises TrainingError, which names
    the file, where it cannot be read or gives no features.
    """
    if not exists(url):
        raise TrainingError(f"{url} is missing: --teacher names a file of torch.export")
    content = read_bytes(url)
    facts = {"file": url.rsplit("/", 1)[-1], "sha256": hashlib.sha256(content).hexdigest(), "license": license or "not stated"}
    needed = "--teacher takes (B, 3, S, S) in [-1, 1] and gives (B, F), for any B and S"
    try:
        network = torch.export.load(io.BytesIO(content)).module()
    except Exception as error:  # zip, JSON, pickle and graph: whatever one of them says, the file is none
        raise TrainingError(f"{url} is no file of torch.export: {type(error).__name__}: {error}") from error
    try:
        with torch.no_grad():
            features = network(torch.zeros(_TRIED))
    except Exception as error:  # a guard of the program, which may be of any kind
        raise TrainingError(f"{url} does not take images {_TRIED}: {needed}; export it with dynamic_shapes ({error})") from error
    if not isinstance(features, torch.Tensor) or features.ndim != 2 or len(features) != _TRIED[0] or not features.isfinite().all():
        given = tuple(features.shape) if isinstance(features, torch.Tensor) else type(features).__name__
        raise TrainingError(f"{url} gives {given}, finite or not: {needed}")
    return Teacher(content, features.shape[1], facts)


def as_photographs(x: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Return network inputs (B, 1, S, S) as a teacher takes them: (B, 3, S, S) in [-1, 1], 0 outside the lungs where the mean is 0.5."""
    pixels = x * preprocessing.std + preprocessing.mean
    return (2 * pixels - 1).clamp(-1, 1).expand(-1, 3, -1, -1)
