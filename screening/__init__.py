"""The library: one package per word of the flow, from the archive to the report.

From Python it is used by three functions, which load what they need when they are called:

    bundle = screening.open_bundle("bundles/cxr-public-2")
    answers = screening.score(["chest.dcm"], bundle)
    results = screening.open_results("results", reference="rt-pcr.csv")
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from screening.on_demand.door import open_bundle, open_results, score

__all__ = ["open_bundle", "open_results", "score"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("screening.on_demand.door"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
