"""Who may import whom. Every import statement of the project is walked, also those inside functions."""

import ast
import graphlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOP = ("schemas", "screening", "train", "serve", "jobs")
GROUND = {
    "screening": {"errors", "storage", "privacy", "metrics"},
    "train": {"config", "stages", "losses", "frozen", "session", "fit", "forgetting"},
}

# package → the packages of the same folder that it may import, beside `schemas` and `errors`
SCREENING = {
    "archive": {"storage"},
    "dicom": {"storage"},
    "models": set(),
    "page": set(),
    "ingest": {"dicom", "privacy"},
    "results": {"storage"},
    "bundle": {"models", "storage"},
    "phantom": {"dicom", "storage"},
    "cascade": {"bundle", "models"},
    "analytics": {"results", "metrics", "privacy", "storage"},
    "report": {"page", "analytics", "results", "archive", "ingest", "privacy", "storage"},
    "shard": {"cascade", "ingest", "archive", "results", "storage"},
    "run": {"shard", "cascade", "bundle", "ingest", "archive", "results", "privacy", "storage"},
    "benchmark": {
        "run",
        "shard",
        "cascade",
        "bundle",
        "models",
        "ingest",
        "dicom",
        "archive",
        "results",
        "analytics",
        "privacy",
        "storage",
    },
}
# package → the rooms of `train/` that it may import, beside those on its ground that stand before it
TRAIN = {
    "data": set(),
    "loop": {"data"},
    "datasets": {"data"},
    "evaluation": {"data"},
    "release": {"data", "datasets", "evaluation"},
}
MAY_IMPORT = {"schemas": set(), "train": {"schemas", "screening"}, "serve": {"schemas", "screening"}, "jobs": set(TOP)}
RAY_IN_SCREENING = {"run"}
TORCH_IN_SCREENING = {"models", "bundle.networks", "cascade", "benchmark"}
EMPTY_INITS = ("screening/models", "screening/bundle", "screening/cascade", "train/loop")  # else the checks without torch load it


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


MODULES = {name_of(file): file for top in TOP for file in modules(top)}


def imports(file: Path) -> set[str]:
    """Return every module that the file imports, ours by their full name, less those for type checkers only."""
    names: set[str] = set()
    for node in ast.walk(_without_type_checking(ast.parse(file.read_text()))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            names |= below or {node.module}
    return names


def _without_type_checking(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    return tree


def rooms(names: set[str], top: str) -> set[str]:
    """Return the packages, or modules on the ground, of `top` among imported modules."""
    return {name.split(".")[1] for name in names if name.startswith(f"{top}.")}


def third_party(file: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(file)}


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("top", MAY_IMPORT)
def test_folders_import_only_what_the_design_allows(top: str) -> None:
    for file in modules(top):
        ours = third_party(file) & {*TOP, "tests"}
        assert ours <= MAY_IMPORT[top] | {top}, file


@pytest.mark.parametrize("package", SCREENING)
def test_packages_of_screening_import_only_those_below_them(package: str) -> None:
    assert modules(f"screening/{package}")
    for file in modules(f"screening/{package}"):
        assert third_party(file).isdisjoint({"train", "serve", "jobs", "tests"}), file
        assert rooms(imports(file), "screening") <= SCREENING[package] | {package, "errors"}, file


@pytest.mark.parametrize("package", TRAIN)
def test_packages_of_train_import_only_those_before_them(package: str) -> None:
    before = GROUND["train"] - {"fit", "forgetting"}
    for file in modules(f"train/{package}"):
        assert rooms(imports(file), "train") <= TRAIN[package] | before | {package}, file


@pytest.mark.parametrize("top", GROUND)
def test_only_the_ground_lies_flat(top: str) -> None:
    assert {file.stem for file in (ROOT / top).glob("*.py")} == GROUND[top] | {"__init__"}
    packages = {"screening": SCREENING, "train": TRAIN}[top]
    assert {file.parent.name for file in (ROOT / top).glob("*/__init__.py")} == packages.keys()


def test_no_circle_of_imports_between_modules_or_packages() -> None:
    graph = {name: imports(file) & MODULES.keys() - {name} for name, file in MODULES.items()}
    assert circle_in(graph) == []
    packages: dict[str, set[str]] = {}
    for name, below in graph.items():
        package = name.rsplit(".", 1)[0] if name.count(".") > 1 else name
        packages.setdefault(package, set()).update({b.rsplit(".", 1)[0] if b.count(".") > 1 else b for b in below} - {package})
    assert circle_in(packages) == []


def test_ray_and_torch_stay_in_their_packages() -> None:
    for file in modules("screening"):
        name = name_of(file).removeprefix("screening.")
        places = {name, name.split(".")[0]}
        if not places & RAY_IN_SCREENING:
            assert "ray" not in third_party(file), file
        if not places & TORCH_IN_SCREENING:
            assert not third_party(file) & {"torch", "torchvision"}, file


@pytest.mark.parametrize("package", EMPTY_INITS)
def test_packages_that_torch_lives_in_load_without_it(package: str) -> None:
    assert imports(ROOT / package / "__init__.py") == set()


def test_schemas_need_only_pyarrow_and_pydantic() -> None:
    allowed = {"pyarrow", "pydantic", "schemas"} | set(sys.stdlib_module_names)
    for file in modules("schemas"):
        assert third_party(file) <= allowed, file


@pytest.mark.parametrize(
    "module", ["screening.analytics.views", "screening.report.write", "screening.bundle.checks", "jobs.cli", "screening.shard.decode"]
)
def test_loads_without_torch_and_ray(module: str) -> None:
    code = f"import sys, {module}; assert not {{'torch', 'ray'}} & set(sys.modules), 'torch or ray was loaded'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)


@pytest.mark.parametrize("module", ["screening.run.screen", "screening.run.redrive", "train.loop.entry"])
def test_what_ray_opens_everywhere_loads_no_torch(module: str) -> None:
    code = f"import sys, {module}; assert not {{'torch', 'torchvision'}} & set(sys.modules), 'torch was loaded'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)


def test_packages_are_listed_one_by_one() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    assert listed == {name.removesuffix(".__init__") for name in MODULES if name.endswith(".__init__")}
