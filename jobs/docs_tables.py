"""The tables of docs/ that show what the program does: commands and options, columns, views, reasons, the released bundle's figures."""

import json
import re
import tempfile
import typing
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import pyarrow as pa
import typer.main

from schemas.columns import description_of, unit_of
from schemas.reasons import Reason
from screening.analytics.linking import describe_links
from screening.analytics.views import connect, list_views
from screening.bundle.released import RELEASED_BUNDLE
from screening.run.capacity import ASSUMED
from serve.outputs.findings import PRIVATE_CODES
from train.datasets.registry import SETS
from train.evaluation.metrics_file import METRICS_FILE
from train.evaluation.wording import STAGES, estimate, proportion

ROOT = Path(__file__).resolve().parent.parent
_ABBREVIATIONS = ("et al.", "Eq.", "e.g.", "i.e.", "vs.")  # a sentence goes on after them


def commands() -> str:
    """Return a table of every command with the first sentence of its help, linked with its options."""
    rows = [(f"[`screening {name}`](#{anchor(f'screening {name}')})", first_sentence(command.help)) for name, command in every_command()]
    return table(("command", "what it does"), rows)


def options() -> str:
    """Return a section for each command: its help, and a table of its arguments and options."""
    return "\n\n".join(_section(name, command) for name, command in every_command())


def columns(schema: pa.Schema) -> str:
    """Return a table of a schema's columns, as their metadata describe them."""
    rows = [(f"`{f.name}`", str(f.type), unit_of(f), description_of(f)) for f in schema]
    return table(("column", "type", "unit", "what it is"), rows)


def views() -> str:
    """Return a table of the SQL views with their grain."""
    return table(("view", "grain"), [(f"`{name}`", grain) for name, grain in list_views().items()])


def link_rule() -> str:
    """Return the rule by which tests and radiographs are linked unless told otherwise, in the words that every answer prints."""
    with tempfile.TemporaryDirectory() as empty, connect(empty) as connection:
        return f"> {describe_links(connection)['link_rule']}"


def data_sets() -> str:
    """Return a table of the public data sets that `screening manifest` reads."""
    return table(("name", "data set"), [(f"`{name}`", public.title) for name, public in SETS.items()])


def reasons() -> str:
    """Return a table of the reason codes."""
    return table(("reason", "outcome", "what it means"), [(f"`{r}`", r.outcome, r.description) for r in Reason])


def costs() -> str:
    """Return a table of the figures that `screening plan` takes where it is given no others."""
    rows = [(f"`--{name.replace('_', '-')}`", f"{figure.value:g}", figure.unit, figure.source) for name, figure in ASSUMED.items()]
    return table(("option", "value", "unit", "where it comes from"), rows)


def private_codes() -> str:
    """Return a table of the concepts that exports code in our own scheme; outcomes and reasons have their own names as codes."""
    return table(("code", "meaning"), [(f"`{code.value}`", code.meaning) for code in PRIVATE_CODES])


def released() -> str:
    """Return what the released bundle reached on the test split, as its own metrics.json says."""
    figures = json.loads((RELEASED_BUNDLE / METRICS_FILE).read_text())["splits"]["test"]
    rows = [("Dice of the lungs", estimate(figures["dice"]["mean"]), f"{figures['dice']['mean']['n']} images with a mask")]
    for stage in ("pneumonia", "covid"):
        answer = figures["stages"][stage]
        rows.append(
            (f"AUROC, {STAGES[stage]}", estimate(answer["auroc"]), f"{answer['positives']} positive, {answer['negatives']} negative")
        )
    for rule, answer in figures["three_class"].items():
        rows.append((f"three classes right, {rule.replace('_', ' ')}", proportion(answer["accuracy"]), f"{figures['images']} images"))
    for number, stage in ((2, "pneumonia"), (3, "covid")):
        erased = figures["audit"]["lungs_erased"][stage]["lungs_erased"]
        rows.append((f"AUROC of stage {number} with the lungs erased", estimate(erased), "what is left to cheat with"))
    return table(("test split, patients apart", "figure (95 % interval over patients)", "of"), rows)


def every_command() -> Iterator[tuple[str, Any]]:
    """Yield the name of each command, such as "bundle verify", and the command, groups after the others."""
    from jobs.cli import make_app

    at_the_top = typer.main.get_command(make_app()).commands
    groups = {name: command.commands for name, command in at_the_top.items() if hasattr(command, "commands")}
    yield from ((name, command) for name, command in at_the_top.items() if name not in groups)
    for group, members in groups.items():
        yield from ((f"{group} {name}", command) for name, command in members.items())


def _section(name: str, command: Any) -> str:
    words, _, example = command.help.partition("Example:")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in words.strip().split("\n\n"))
    lines = "\n".join(f"$ {line.strip()}" for line in example.strip().splitlines())
    rows = [(_name_of(option), *_meaning_of(option, command.callback)) for option in command.params]
    return f"### screening {name}\n\n{text}\n\n```console\n{lines}\n```\n\n" + table(("argument", "default", "what it is"), rows)


def _name_of(option: Any) -> str:
    if option.param_type_name == "argument":
        return f"`{option.metavar or option.name.upper()}`".replace("...`", "…`")
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _meaning_of(option: Any, callback: Callable[..., None]) -> tuple[str, str]:
    """Return the default of an option and what it is, with the values that it may have where these are a few words."""
    text, _, default = (option.help or "").partition("  [")
    default = default.removesuffix("]").removeprefix("default: ")
    if option.required:
        default = "required"
    elif option.default is True:
        default = f"`{option.opts[0]}`"
    elif not default and option.default is not None and option.default is not False:
        default = f"`{option.default.value if isinstance(option.default, Enum) else option.default}`"
    values = _values_of(typing.get_type_hints(callback).get(option.name))
    return default, text + (f": {', '.join(f'`{value}`' for value in values)}" if values else "")


def _values_of(annotation: Any) -> list[str]:
    """Return the members of the Enum in an annotation, such as that of `list[Part] | None`; none where there is no Enum."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    return [value for part in typing.get_args(annotation) for value in _values_of(part)]


def anchor(heading: str) -> str:
    """Return the name by which a link in a page reaches a heading: lower case, hyphens for spaces, no other punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def first_sentence(text: str | None) -> str:
    """Return the first sentence of a text without its full stop; a question keeps its mark."""
    words = " ".join((text or "").strip().split("\n\n")[0].split())
    for end in re.finditer(r"[.!?](?=\s|$)", words):
        if not words[: end.end()].endswith(_ABBREVIATIONS):
            return words[: end.start()] + end[0].strip(".")
    return words


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)
