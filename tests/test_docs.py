"""README.md and docs/ are true: blocks are what the code says, commands are accepted, links and names lead somewhere, nothing climbs."""

import ast
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer.testing

from jobs.cli import make_app
from jobs.docs_structure import ARCHITECTURE, NIGHT, ROW, definition_of, module_of, read_walk
from jobs.docs_tables import ROOT, anchor, every_command, first_sentence
from jobs.update_docs import BLOCKS, DOCS, README, SUBJECTS, blocks_of, opening, pages, updated
from schemas.bundle import BundleManifest
from screening.bundle.released import RELEASED_BUNDLE
from tests.command_lines import read_command_line

MOST_WORDS = 900  # of README.md: a page and a half
MOST_PICTURE_BYTES = 300_000
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = re.compile(
    r"(?:Makefile|cluster\.yaml|pyproject\.toml|requirements\.lock|(?:bundles|docs|jobs|schemas|screening|serve|tests|train)/[\w./-]*)"
)


def by_name(path: Path) -> str:
    return path.name


def console_lines(page: Path) -> list[str]:
    """Return every command line of a page's console blocks, without its comment."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line[2:].split("  #")[0].strip() for line in lines if line.startswith("$ ")]


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def links(page: Path) -> list[tuple[str, str]]:
    """Return (file, anchor) of every link within the project, the page itself where the link has an anchor alone."""
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if "://" not in target]
    return [(file or page.name, name) for file, _, name in (target.partition("#") for target in targets)]


LINES = sorted({line for page in pages() for line in console_lines(page)})


@pytest.mark.parametrize("page", pages(), ids=by_name)
def test_blocks_are_up_to_date(page: Path) -> None:
    text = page.read_text()
    assert text.count("<!-- end -->") == len(blocks_of(text)), "a block lacks its name or its end"
    assert updated(text) == text, "run `make docs`"


def test_every_block_stands_on_one_page() -> None:
    assert sorted(name for page in pages() for name in blocks_of(page.read_text())) == sorted(BLOCKS)


def test_there_are_commands_to_check() -> None:
    assert len(console_lines(README)) >= 8
    assert len(LINES) >= 40


@pytest.mark.parametrize("line", LINES)
def test_command_lines_are_accepted(line: str) -> None:
    program, *arguments = shlex.split(line)
    if program == "make":
        assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return
    if program in ("docker", "kubectl"):
        assert [name for name in arguments if name.startswith("deploy/") and not (ROOT / name).exists()] == []
        return
    said = read_command_line(line)
    if program == "ray" and (file := said.get("cluster_config_file")):
        assert (ROOT / file).exists()
    if program == "ray" and "cmd" in said:
        read_command_line(" ".join(word for word in said["cmd"].split() if "=" not in word))


@pytest.mark.parametrize("name", [name for name, _ in every_command()])
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = typer.testing.CliRunner().invoke(make_app(), [*name.split(), "--help"])
    assert result.exit_code == 0
    assert "Example:" in result.output
    assert f"screening {name}" in result.output


@pytest.mark.parametrize("page", pages(), ids=by_name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = [name for name in re.findall(r"`([^`\s]+)`", prose(page)) if OURS.fullmatch(name)]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", pages(), ids=by_name)
def test_links_lead_somewhere(page: Path) -> None:
    for file, name in links(page):
        target = page.parent / file
        assert target.exists(), file
        if name:
            headings = re.findall(r"^#+ (.+)$", prose(target), re.MULTILINE)
            assert name in map(anchor, headings), f"{file}#{name}"


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    assert len(README.read_text().split()) <= MOST_WORDS
    linked = {file for file, _ in links(README)}
    assert {str(page.relative_to(ROOT)) for page in pages()[1:]} <= linked
    assert {page.stem for page in DOCS.glob("*.md")} == set(SUBJECTS)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=by_name)
def test_a_page_begins_with_what_it_is_about(page: Path) -> None:
    title, words = opening(page.read_text())
    assert title
    assert len(words.split()) <= 25
    assert f"* [{title}](docs/{page.name}): {words}" in README.read_text()


def test_the_picture_of_the_report_is_light() -> None:
    picture = DOCS / "report.png"
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.stat().st_size <= MOST_PICTURE_BYTES


def test_the_readme_states_the_licences() -> None:
    weights = BundleManifest.model_validate(json.loads((RELEASED_BUNDLE / "bundle.json").read_text())).license
    assert PROJECT["license"] in README.read_text()
    assert weights
    assert weights in README.read_text()


@pytest.mark.parametrize("steps", [NIGHT, ROW], ids=["night", "row"])
def test_each_step_is_called_from_above_and_none_climbs_back(steps: str) -> None:
    table = tomllib.loads(ARCHITECTURE.read_text())["screening"]
    callers = ["run.pipeline.execute"]  # which calls the steps that are not indented, and hands the others what outlives a shard
    for depth, name in read_walk(steps):
        del callers[depth + 1 :]
        caller = name if name == "run.screen.screen" else callers[depth]
        definition = definition_of(name)
        assert ast.get_docstring(definition), name
        assert names_in(caller) | names_in("run.pipeline.execute") >= {*name.split(".")[2:3], definition.name} - {"__call__"}, name
        package, above = name.split(".")[0], caller.split(".")[0]
        assert package in (above, *table[above]), f"{name} is called from {caller}, which may not import it"
        callers.append(name)


def names_in(step: str) -> set[str]:
    """Return every name and attribute that the module of a step uses or defines."""
    nodes = list(ast.walk(ast.parse(module_of(step).read_text())))
    used = {node.id for node in nodes if isinstance(node, ast.Name)} | {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}  # annotations in quotes
    return used | strings | {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Return a row. It has two cells.", "Return a row"),
        ("As Eq. 2 of Yeh et al. (2020)\nsays. More.", "As Eq. 2 of Yeh et al. (2020) says"),
        ("`run.json`, version 1.2: a name\n\nAnother paragraph.", "`run.json`, version 1.2: a name"),
        ("Is it so? It is.", "Is it so?"),
        ("", ""),
    ],
)
def test_first_sentence(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence


def test_anchors_are_made_as_web_pages_make_them() -> None:
    assert anchor("screening lead-time") == "screening-lead-time"
    assert anchor("RT-PCR results, and `accuracy`") == "rt-pcr-results-and-accuracy"
