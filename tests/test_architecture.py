"""Who may import whom. Every import statement of the project is walked, also those inside functions."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = {"schemas", "screening", "train", "serve", "jobs", "tests"}
MAY_IMPORT = {
    "schemas": set(),
    "screening": {"schemas"},
    "train": {"schemas", "screening"},
    "serve": {"schemas", "screening"},
    "jobs": OURS - {"tests"},
}
RAY_IN_SCREENING = {"pipeline", "ray_session"}
TORCH_IN_SCREENING = {
    "models",
    "heatmap",
    "guided",
    "bundle_networks",
    "cascade",
    "cascade_benchmark",
    "network_input",
    "compute",
    "random_bundle",
}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(file: Path) -> set[str]:
    """Return every dotted name that the file imports, less those for type checkers only."""
    found: set[str] = set()
    for node in ast.walk(_without_type_checking(ast.parse(file.read_text()))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module}
    return found


def _without_type_checking(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    return tree


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_what_the_design_allows(package: str) -> None:
    files = modules(package)
    assert files
    for file in files:
        ours = {name.split(".")[0] for name in imports(file)} & OURS
        assert ours <= MAY_IMPORT[package] | {package}, f"{file.relative_to(ROOT)} imports {ours - MAY_IMPORT[package] - {package}}"


def test_ray_and_torch_stay_in_their_modules() -> None:
    for file in modules("screening"):
        word = file.relative_to(ROOT / "screening").parts[0].removesuffix(".py")
        third_party = {name.split(".")[0] for name in imports(file)}
        if word not in RAY_IN_SCREENING:
            assert "ray" not in third_party, file
        if word not in TORCH_IN_SCREENING:
            assert not third_party & {"torch", "torchvision"}, file


def test_schemas_need_only_pyarrow_and_pydantic() -> None:
    allowed = {"pyarrow", "pydantic", "schemas"} | set(sys.stdlib_module_names)
    for file in modules("schemas"):
        assert {name.split(".")[0] for name in imports(file)} <= allowed, file


@pytest.mark.parametrize("module", ["screening.analytics", "screening.bundle", "jobs.cli", "screening.results", "screening.decode_task"])
def test_loads_without_torch_and_ray(module: str) -> None:
    code = f"import sys, {module}; assert not {{'torch', 'ray'}} & set(sys.modules), 'torch or ray was loaded'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)


def test_the_driver_of_a_run_loads_no_torch() -> None:
    code = "import sys, screening.screen; assert not {'torch', 'torchvision'} & set(sys.modules), 'torch was loaded'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)


def test_packages_are_listed_one_by_one() -> None:
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        str(file.parent.relative_to(ROOT)).replace("/", ".") for package in MAY_IMPORT for file in (ROOT / package).rglob("__init__.py")
    }
    assert listed == found
