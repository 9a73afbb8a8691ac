"""Writes what the code knows better into README.md and docs/: commands, columns, reasons, files. `make docs` runs it, a test checks it."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from jobs import docs_structure, docs_tables
from jobs.docs_tables import ROOT, first_sentence
from schemas.index import PLAN_SCHEMA
from schemas.instance import INSTANCE_SCHEMA
from schemas.reading import READING_SCHEMA
from schemas.reference import REFERENCE_SCHEMA

README = ROOT / "README.md"
RUNBOOK = ROOT / "RUNBOOK.md"
DOCS = ROOT / "docs"
# in the order in which README.md lists them
SUBJECTS = (
    *("running", "nightly", "cluster", "serve", "reading", "pacs", "results", "reasons", "reference", "exports"),
    *("commands", "training", "bundle", "speed", "structure", "files"),
)

_BLOCK = re.compile(r"(<!-- (?!end -->)([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """Return README.md, RUNBOOK.md and every page of docs/."""
    return [README, RUNBOOK, *sorted(DOCS.glob("*.md"))]


def contents() -> str:
    """Return a list of the pages of docs/, each with the sentence that it begins with."""
    lines = []
    for subject in SUBJECTS:
        title, words = opening((DOCS / f"{subject}.md").read_text())
        lines.append(f"* [{title}](docs/{subject}.md): {words}")
    return "\n".join(lines)


def opening(text: str) -> tuple[str, str]:
    """Return the title of a page and the first sentence of its first paragraph."""
    heading, paragraph, *_ = text.split("\n\n")
    return heading.removeprefix("# "), f"{first_sentence(paragraph)}."


BLOCKS: dict[str, Callable[[], str]] = {
    "contents": contents,
    "commands": docs_tables.commands,
    "options": docs_tables.options,
    "instance columns": partial(docs_tables.columns, INSTANCE_SCHEMA),
    "plan columns": partial(docs_tables.columns, PLAN_SCHEMA),
    "reference columns": partial(docs_tables.columns, REFERENCE_SCHEMA),
    "reading columns": partial(docs_tables.columns, READING_SCHEMA),
    "views": docs_tables.views,
    "link rule": docs_tables.link_rule,
    "reasons": docs_tables.reasons,
    "private codes": docs_tables.private_codes,
    "costs": docs_tables.costs,
    "data sets": docs_tables.data_sets,
    "released bundle": docs_tables.released,
    "top packages": docs_structure.top_packages,
    "screening packages": partial(docs_structure.packages, "screening"),
    "train packages": partial(docs_structure.packages, "train"),
    "heavy libraries": docs_structure.heavy_libraries,
    "night": partial(docs_structure.walk, docs_structure.NIGHT),
    "row": partial(docs_structure.walk, docs_structure.ROW),
    "files": docs_structure.files,
}


def blocks_of(text: str) -> list[str]:
    """Return the names of a page's blocks, in order."""
    return [match[2] for match in _BLOCK.finditer(text)]


def updated(text: str) -> str:
    """Return a page with each block between `<!-- NAME -->` and `<!-- end -->` written anew. Raises KeyError for a name not in BLOCKS."""
    return _BLOCK.sub(lambda match: f"{match[1]}{BLOCKS[match[2]]()}\n{match[3]}", text)


if __name__ == "__main__":
    for page in (*pages()[1:], README):  # README.md quotes the others
        page.write_text(updated(page.read_text()))
