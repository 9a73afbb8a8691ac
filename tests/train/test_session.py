"""What surrounds a training: storage that ends with it or stays, and rows in order meanwhile."""

from pathlib import Path

import pytest
import ray.data

from train.session import training_session

pytestmark = pytest.mark.usefixtures("ray_cluster")


def settings() -> tuple[bool, bool, bool]:
    context = ray.data.DataContext.get_current()
    return context.execution_options.preserve_order, context.enable_progress_bars, context.print_on_execution_start


def test_rows_are_kept_in_order_meanwhile() -> None:
    before = settings()
    with training_session(None):
        assert settings() == (True, False, False)
    assert settings() == before


def test_storage_of_its_own_is_gone_afterwards() -> None:
    with training_session(None) as storage:
        assert Path(storage).is_dir()
        (Path(storage) / "checkpoint").write_text("kept meanwhile")
    assert not Path(storage).exists()


def test_storage_that_was_given_stays(tmp_path: Path) -> None:
    with training_session(f"{tmp_path}/") as storage:
        assert storage == str(tmp_path)
    assert tmp_path.is_dir()
