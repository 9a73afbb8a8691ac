"""The parts of docs/ that show how the code is built: every file, who may import whom, and the two ways through `screening/`."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from jobs.docs_tables import ROOT, anchor, first_sentence, table

TOP = ("schemas", "screening", "train", "serve", "jobs")
ARCHITECTURE = ROOT / "tests" / "architecture.toml"

# The two ways through `screening/`. A step is called by the one above it that is less indented, or handed to it by run.pipeline.
NIGHT = """\
run.screen.screen
  archive.index.check_apart
  bundle.checks.verify
  results.manifests.unfinished_run
  run.precision.decided_dtype
  archive.index.write_index
    archive.listing.objects
    archive.containers.list_members
  run.pending.Pending
  run.plan.cut_into_shards
  run.plan.write_plan
  run.answer.answer
    run.pipeline.execute
  run.accounting.account
  results.manifests.write_manifest
"""
ROW = """\
shard.decode.decode_rows
  archive.reader.ObjectReader.read
  ingest.sandbox.DecodeSandbox.ingest
    ingest.ingest.ingest
      dicom.header.read_dicom
      ingest.gate.check_header
      dicom.pixels.decode
      ingest.preprocess.to_grey
      ingest.polarity.upright
  shard.pixels.with_pixels
shard.score.score_rows
  cascade.cascade.Cascade.__call__
    cascade.network_input.network_input
  shard.heatmaps.packed_maps
shard.commit.commit_shard
  shard.heatmaps.heatmap_png
  storage.put_atomic
"""


def top_packages() -> str:
    """Return a table of the top-level packages and whom each may import."""
    rows = [(f"`{top}/`", _docstring(ROOT / top / "__init__.py"), _listed(below)) for top, below in _tables()["top"].items()]
    return table(("package", "what it holds", "may import"), rows)


def packages(top: str) -> str:
    """Return a table of the packages of screening/ or train/ from the ground up, what each holds and whom it may import; and the ground."""
    rows = []
    for package, below in _tables()[top].items():
        rows.append((f"`{top}/{package}/`", _docstring(ROOT / top / package / "__init__.py"), _listed(below)))
    ground = f"These modules of `{top}/` belong to no package: {_listed(_tables()['ground'][top])}."
    return f"{table(('package', 'what it holds', 'may import'), rows)}\n\n{ground}"


def heavy_libraries() -> str:
    """Return a table of the libraries that only a few packages of `screening/` may import."""
    return table(("library", "only imported in"), [(f"`{n}`", _listed(at)) for n, at in _tables()["only_in"].items()])


def walk(steps: str) -> str:
    """Return a way through `screening/` as a numbered list, each function with the first sentence of its docstring."""
    lines: list[str] = []
    numbers: dict[int, int] = {}
    for depth, name in read_walk(steps):
        numbers = {level: number for level, number in numbers.items() if level <= depth}
        numbers[depth] = numbers.get(depth, 0) + 1
        lines.append(f"{'   ' * depth}{numbers[depth]}. `{name}`: {first_sentence(ast.get_docstring(definition_of(name)))}.")
    return "\n".join(lines)


def read_walk(steps: str) -> list[tuple[int, str]]:
    """Return the depth of each step, from 0, and its name: package, module and function."""
    return [((len(line) - len(line.lstrip())) // 2, line.strip()) for line in steps.splitlines()]


def module_of(name: str) -> Path:
    """Return the file of `screening/` that holds a function of that name."""
    package, module, *_ = name.split(".")
    folder = ROOT / "screening" / package
    return folder / f"{module}.py" if folder.is_dir() else folder.with_suffix(".py")


def definition_of(name: str) -> ast.AST:
    """Return the definition of a function or method of `screening/`. Raises KeyError where its module has none of that name."""
    file = module_of(name)
    node: ast.AST = ast.parse(file.read_text())
    for part in name.split(".")[name.split(".").index(file.stem, 1 if file.parent.name != "screening" else 0) + 1 :]:
        node = {inner.name: inner for inner in node.body if isinstance(inner, ast.FunctionDef | ast.ClassDef)}[part]
    return node


def files() -> str:
    """Return a section for each package: its docstring, and tables of its modules and of its SQL files, folder by folder."""
    sections, packages_of_top = [], []
    for top in TOP:
        listed = subprocess.run(["git", "ls-files", top], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        there = sorted((ROOT / name for name in listed if (ROOT / name).exists()), key=lambda file: (file.parent, file.name))
        folders = {folder: list(members) for folder, members in groupby(there, key=lambda file: file.parent)}
        names = [str(folder.relative_to(ROOT)) for folder, members in folders.items() if any(file.suffix == ".py" for file in members)]
        packages_of_top.append(", ".join(f"[{name.removeprefix(f'{top}/')}](#{anchor(name)})" for name in names))
        sections += [_folder(folder, members) for folder, members in folders.items()]
    return "\n\n".join(["\n".join(f"* {names}" for names in packages_of_top), *sections])


def _folder(folder: Path, members: Sequence[Path]) -> str:
    """Return the section of one folder, deeper ones under deeper headings."""
    relative = folder.relative_to(ROOT)
    heading = f"{'#' * min(4, len(relative.parts) + 1)} {relative}"
    if all(file.suffix == ".sql" for file in members):
        return f"{heading}\n\n" + table(("file", "what it gives"), [(f"`{file.name}`", _sql_header(file)) for file in members])
    if not (folder / "__init__.py").exists():
        return f"{heading}\n\n" + table(("file", "what it is"), [(f"`{file.name}`", _first_comment(file)) for file in members])
    rows = [(f"`{file.name}`", _docstring(file)) for file in members if file.suffix == ".py" and file.name != "__init__.py"]
    said = " ".join((ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or "").split())
    return f"{heading}\n\n{said}" + (f"\n\n{table(('file', 'what it holds'), rows)}" if rows else "")


def _tables() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(ARCHITECTURE.read_text())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def _docstring(file: Path) -> str:
    return first_sentence(ast.get_docstring(ast.parse(file.read_text())))


def _first_comment(file: Path) -> str:
    """Return what the first comment of a script, style or page says."""
    match = re.search(r"(?://|/\*|<!--) (.*?)(?: \*/| -->|$)", file.read_text(), re.MULTILINE)
    assert match is not None, f"{file} begins without a comment that says what it is"
    return first_sentence(match[1])


def _sql_header(file: Path) -> str:
    return file.read_text().splitlines()[0].removeprefix("--").strip().removeprefix("grain: ").removesuffix(".")
