"""The demo from nothing: on studies that it has not seen the cascade really works."""

import shutil
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from jobs.run_demo import stage_aurocs
from screening.analytics.views import connect
from screening.bundle.released import BUNDLES
from tests.programs import screening

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.slow
def test_the_demo_works_with_the_bundle_that_comes_along(tmp_path: Path) -> None:
    demo = tmp_path / "out/demo"
    screening("demo", str(demo), seconds=600)
    with connect(str(demo / "results"), str(demo / "reference.parquet")) as connection:
        aurocs = stage_aurocs(connection, str(demo / "labels.csv"))
    assert all(value > 0.95 and n > 100 for value, n in aurocs.values())
    assert (demo / "report.html").stat().st_size > 100_000
    assert not (demo / "bundle").exists()
    run_notebook(tmp_path)


def run_notebook(folder: Path) -> None:
    """Run the notebook in a copy of the project's folders; a cell that fails raises CellExecutionError."""
    shutil.copytree(EXAMPLES, folder / "examples")
    (folder / "bundles").symlink_to(BUNDLES)
    notebook = nbformat.read(folder / "examples/on_demand.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "the notebook is kept without its answers"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder / "examples")}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", {}) for output in shown) == 3
    assert any("not_dicom" in str(output) for output in shown)
    assert any("patient covid" in str(output) for output in shown)


@pytest.mark.slow
@pytest.mark.training
def test_the_demo_works_on_unseen_studies(tmp_path: Path) -> None:
    started = time.monotonic()
    printed = screening("demo", str(tmp_path / "demo"), "--train", seconds=1400).stdout
    seconds = time.monotonic() - started
    assert "Flow of participants" in printed
    with connect(str(tmp_path / "demo/results"), str(tmp_path / "demo/reference.parquet")) as connection:
        aurocs = stage_aurocs(connection, str(tmp_path / "demo/labels.csv"))
        (pairs,) = connection.execute("select count(*) from accuracy where sensitivity is not null and specificity is not null").fetchone()
    print(f"{seconds:.0f} s", aurocs)
    assert all(value > 0.95 and n > 100 for value, n in aurocs.values())
    assert pairs >= 3
    for name in ("archive", "reference.parquet", "bundle/bundle.json", "results/runs"):
        assert (tmp_path / "demo" / name).exists()
