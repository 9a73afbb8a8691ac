"""Rewrites what the code knows better of README.md: commands, columns, reasons, file tree. `make readme` runs it, a test checks it."""

import ast
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from schemas.columns import description_of, unit_of
from schemas.index import PLAN_SCHEMA
from schemas.instance import INSTANCE_SCHEMA
from schemas.reasons import Reason
from schemas.reference import REFERENCE_SCHEMA
from screening.bundle.released import RELEASED_BUNDLE
from train.evaluation.metrics_file import METRICS_FILE
from train.evaluation.wording import STAGES, estimate, proportion

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PACKAGES = ("schemas", "screening", "train", "serve", "jobs")


def commands() -> str:
    """Return a table of every command with the first sentence of its help."""
    from jobs.cli import COMMANDS, make_app

    rows = [(f"`screening {name}`", _first_sentence(command.__doc__)) for name, command in COMMANDS.items()]
    for group in make_app().registered_groups:
        for command in group.typer_instance.registered_commands:
            name = command.name or command.callback.__name__.replace("_", "-")
            rows.append((f"`screening {group.name} {name}`", _first_sentence(command.callback.__doc__)))
    return _table(("command", "what it does"), rows)


def columns(schema: pa.Schema) -> str:
    """Return a table of a schema's columns, as their metadata describe them."""
    rows = [(f"`{f.name}`", str(f.type), unit_of(f), description_of(f)) for f in schema]
    return _table(("column", "type", "unit", "what it is"), rows)


def reasons() -> str:
    """Return a table of the reason codes."""
    return _table(("reason", "outcome", "what it means"), [(f"`{r}`", r.outcome, r.description) for r in Reason])


def released() -> str:
    """Return what the released bundle reached on the test split, as its own metrics.json says."""
    figures = json.loads((RELEASED_BUNDLE / METRICS_FILE).read_text())["splits"]["test"]
    rows = [("Dice of the lungs", estimate(figures["dice"]["mean"]), f"{figures['dice']['mean']['n']} images with a mask")]
    for stage in ("pneumonia", "covid"):
        found = figures["stages"][stage]
        rows.append((f"AUROC, {STAGES[stage]}", estimate(found["auroc"]), f"{found['positives']} positive, {found['negatives']} negative"))
    for rule, found in figures["three_class"].items():
        rows.append((f"three classes right, {rule.replace('_', ' ')}", proportion(found["accuracy"]), f"{figures['images']} images"))
    erased = figures["audit"]["lungs_erased"]["covid"]["lungs_erased"]
    rows.append(("AUROC of stage 3 with the lungs erased", estimate(erased), "what is left to cheat with"))
    return _table(("test split, patients apart", "found (95 % interval over patients)", "of"), rows)


def tree() -> str:
    """Return the packages and their modules, each with the first sentence of its docstring."""
    lines = []
    for package in PACKAGES:
        lines.append(f"{package + '/':32}{_docstring(ROOT / package / '__init__.py')}".rstrip())
        for file in _tracked(package):
            if file.suffix in (".py", ".sql") and file != ROOT / package / "__init__.py":
                said = _docstring(file) if file.suffix == ".py" else _sql_header(file)
                name = f"  {file.relative_to(ROOT / package)}".removesuffix("__init__.py")
                lines.append(f"{name:40}{said}".rstrip())
    return "```\n" + "\n".join(lines) + "\n```"


BLOCKS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "instance columns": lambda: columns(INSTANCE_SCHEMA),
    "plan columns": lambda: columns(PLAN_SCHEMA),
    "reference columns": lambda: columns(REFERENCE_SCHEMA),
    "reasons": reasons,
    "released bundle": released,
    "tree": tree,
}


def updated(text: str) -> str:
    """Return a README with every block between `<!-- NAME -->` and `<!-- end -->` written anew."""
    for name, block in BLOCKS.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README.md lacks the block <!-- {name} --> … <!-- end -->")
        body = block().replace("\\", r"\\")
        text = pattern.sub(rf"\g<1>{body}\n\g<2>", text)
    return text


def _tracked(package: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", package], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return sorted(ROOT / name for name in listed if (ROOT / name).exists())


def _docstring(file: Path) -> str:
    return _first_sentence(ast.get_docstring(ast.parse(file.read_text())) or "")


def _sql_header(file: Path) -> str:
    return file.read_text().splitlines()[0].removeprefix("--").strip()


def _first_sentence(text: str | None) -> str:
    first = " ".join((text or "").strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])(?<!et al.)\s", first)[0].rstrip(".")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    README.write_text(updated(README.read_text()))
