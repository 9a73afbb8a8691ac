"""The tests themselves: each module has its test where one looks for it, and no test leans on another or on what is not offered."""

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOP = ("schemas", "screening", "train", "serve", "jobs")

# test → modules that it shows, because they make sense only together and have no test of their own beside them
SHOWN_BY = {
    "tests/schemas/test_columns.py": [
        "schemas/index.py",
        "schemas/instance.py",
        "schemas/reference.py",
    ],
    "tests/screening/ingest/test_sites.py": [
        "schemas/sites.py",
    ],
    "tests/screening/archive/test_containers.py": [
        "screening/archive/members.py",
    ],
    "tests/screening/nightly/test_night.py": [
        "screening/nightly/steps.py",
    ],
    "tests/screening/results/test_snapshot.py": [
        "schemas/file_list.py",
    ],
    "tests/screening/nightly/test_config.py": [
        "schemas/nightly.py",
    ],
    "tests/screening/shadow/test_run.py": [
        "screening/run/sample.py",
    ],
    "tests/jobs/test_run_benchmark.py": [
        "screening/benchmark/throughput.py",
    ],
    "tests/screening/dicom/test_header.py": [
        "screening/dicom/elements.py",
    ],
    "tests/screening/phantom/test_radiograph.py": [
        "screening/phantom/sites.py",
    ],
    "tests/screening/phantom/test_archive.py": [
        "screening/phantom/unwanted.py",
    ],
    "tests/screening/report/test_report.py": [
        "screening/report/closing.py",
        "screening/report/curves.py",
        "screening/report/early.py",
        "screening/report/facts.py",
        "screening/report/findings.py",
        "screening/report/flow_chart.py",
        "screening/report/gallery.py",
        "screening/report/plots.py",
        "screening/report/sites.py",
        "screening/report/time_plots.py",
        "screening/report/timeline.py",
        "screening/report/write.py",
    ],
    "tests/train/evaluation/test_audit.py": [
        "train/evaluation/randomisation.py",
    ],
    "tests/train/evaluation/test_page.py": [
        "train/evaluation/audit_page.py",
        "train/evaluation/charts.py",
    ],
    "tests/jobs/test_evaluate_bundle.py": [
        "train/evaluation/choices.py",
    ],
    "tests/train/test_fit.py": [
        "train/loop/entry.py",
        "train/loop/job.py",
        "train/loop/trainer.py",
        "train/loop/worker.py",
    ],
    "tests/jobs/test_query_results.py": [
        "jobs/sql_prompt.py",
        "jobs/tables.py",
    ],
    "tests/test_docs.py": [
        "jobs/cli.py",
        "jobs/docs_structure.py",
        "jobs/docs_tables.py",
        "jobs/update_docs.py",
    ],
    "tests/jobs/test_screen_archive.py": [
        "jobs/keys.py",
        "jobs/redrive_failures.py",
        "jobs/run_table.py",
        "jobs/warm_start.py",
    ],
    "tests/jobs/test_write_tables.py": [
        "screening/analytics/tables.py",
    ],
    "tests/screening/analytics/test_comparison.py": [
        "screening/analytics/clustered.py",
    ],
    "tests/jobs/test_measure_accuracy.py": [
        "jobs/measure_lead_time.py",
    ],
    "tests/train/release/test_promotion.py": [
        "jobs/promote_bundle.py",
    ],
    "tests/serve/outputs/test_render.py": [
        "serve/outputs/form.py",
    ],
    "tests/serve/routes/test_scoring.py": [
        "serve/app.py",
        "serve/decoders.py",
        "serve/gateway.py",
        "serve/problems.py",
        "serve/question.py",
        "serve/run.py",
        "serve/uploads.py",
    ],
    "tests/serve/routes/test_service.py": [
        "serve/metrics.py",
    ],
    "tests/serve/test_callers.py": [
        "serve/log.py",
    ],
    "tests/proofs/test_server_under_load.py": [
        "serve/benchmark.py",
    ],
    "tests/proofs/test_demo.py": [
        "jobs/run_demo.py",
    ],
}
WITHOUT = {module for modules in SHOWN_BY.values() for module in modules}
# test → what of several modules it shows; those in tests/proofs show what the whole does
OF_SEVERAL = {
    "tests/screening/analytics/test_reference_cleaning.py": "the SQL views that clean a reference table",
    "tests/screening/ingest/test_bombs.py": "files that would cost much time or memory",
    "tests/screening/ingest/test_sandbox_faults.py": "what the sandbox tells of an unforeseen error",
    "tests/screening/report/test_disclosure.py": "what the report and the tables hold back, against an attacker",
    "tests/screening/report/test_report.py": "the report as one page",
    "tests/screening/report/test_report_in_browser.py": "the report in a real browser",
    "tests/screening/run/test_encrypted_names.py": "a run that encrypts the names of files",
    "tests/screening/run/test_faults.py": "errors thrown on purpose in each part of a run",
    "tests/serve/outputs/test_in_a_pacs.py": "the DICOM forms in a real PACS",
    "tests/serve/test_page.py": "the page in a real browser, against a real server",
    "tests/serve/test_same_answers.py": "a night, Python and the API give one answer",
    "tests/screening/test_mutants.py": "the spoilt files that a proof is made of",
}


def files(folder: str) -> list[str]:
    """Return every Python file below a folder that Git would keep, by its path from the root."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", f"{folder}/*.py"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()
    if not names:  # a copy without Git's folder
        names = [file.relative_to(ROOT).as_posix() for file in (ROOT / folder).rglob("*.py")]
    return sorted(name for name in set(names) if (ROOT / name).exists())


MODULES = [name for top in TOP for name in files(top) if not name.endswith("/__init__.py")]
TESTS = [name for name in files("tests") if Path(name).name.startswith("test_")]


def place_of_test(module: str) -> str:
    path = Path(module)
    return f"tests/{path.parent}/test_{path.name}"


def test_every_module_has_its_test_beside_it() -> None:
    assert len(MODULES) > 150
    missing = [module for module in MODULES if place_of_test(module) not in TESTS and module not in WITHOUT]
    assert missing == [], "write a test for each at the mirrored place, or name in SHOWN_BY the test that shows it"


def test_every_test_lies_beside_its_module() -> None:
    expected = {place_of_test(module) for module in MODULES} | OF_SEVERAL.keys()
    lost = [test for test in TESTS if test not in expected and Path(test).parent.as_posix() not in ("tests", "tests/proofs")]
    assert lost == [], "move each beside the module that it tests, or say in OF_SEVERAL what it shows"


def test_no_exception_outlives_its_reason() -> None:
    assert [module for module in WITHOUT if module not in MODULES or place_of_test(module) in TESTS] == []
    assert [test for test in (*SHOWN_BY, *OF_SEVERAL) if test not in TESTS] == []


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {Path(name).parent for name in files("tests")}
    assert [folder.as_posix() for folder in sorted(folders) if not (ROOT / folder / "__init__.py").exists()] == []


def imported(file: str) -> list[tuple[str, str]]:
    """Return (module, name) of everything that a file imports from a module of ours."""
    nodes = [node for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.ImportFrom) and node.module]
    return [(node.module, alias.name) for node in nodes for alias in node.names if node.module.split(".")[0] in (*TOP, "tests")]


def test_no_test_imports_from_another_test() -> None:
    """What two tests need lies in a plain module beside them, or in one of tests/."""
    leaning = [
        (file, module)
        for file in files("tests")
        for module, name in imported(file)
        if any(part.startswith("test_") for part in module.split(".")) or (module.startswith("tests") and name.startswith("test_"))
    ]
    assert leaning == []


def test_no_test_imports_what_a_module_does_not_offer() -> None:
    """A name with an underscore may change at any time; a test of it shows nothing of what others get."""
    private = [(file, module, name) for file in files("tests") for module, name in imported(file) if name.startswith("_")]
    assert private == []


def test_every_skip_says_why() -> None:
    silent = []
    for file in TESTS:
        for node in ast.walk(ast.parse((ROOT / file).read_text())):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            reasons = [
                *(node.args if called == "pytest.skip" else []),
                *(key for key in getattr(node, "keywords", []) if key.arg == "reason"),
            ]
            if called in ("pytest.skip", "pytest.mark.skipif", "pytest.mark.skip", "pytest.importorskip") and not reasons:
                silent.append(f"{file}:{node.lineno}")
    assert silent == []
