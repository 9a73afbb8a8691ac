"""What surrounds every training and evaluation: Ray, its settings for data, and a folder for caches and checkpoints."""

import contextlib
import tempfile
import warnings
from collections.abc import Iterator

import ray.data

from screening.run.ray_session import ray_session


@contextlib.contextmanager
def training_session(storage_url: str | None, workers: int = 1) -> Iterator[str]:
    """Run the block with Ray and give it the URL of its storage: `storage_url`, or a temporary folder that is gone afterwards.

    Ray Data keeps rows in order meanwhile, because the same seed must see the same rows.
    """
    with contextlib.ExitStack() as stack:
        if storage_url is None:
            storage_url = stack.enter_context(tempfile.TemporaryDirectory(prefix="fit-", ignore_cleanup_errors=True))
        stack.enter_context(ray_session(actors=workers))
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "The maximum number of concurrent tasks")  # few images are fewer blocks than decoders
        context = ray.data.DataContext.get_current()
        _set(stack, context.execution_options, "preserve_order", True)
        _set(stack, context, "enable_progress_bars", False)
        _set(stack, context, "print_on_execution_start", False)
        yield storage_url.rstrip("/")


def _set(stack: contextlib.ExitStack, target: object, name: str, value: object) -> None:
    """Set an attribute until the stack is closed."""
    stack.callback(setattr, target, name, getattr(target, name))
    setattr(target, name, value)
