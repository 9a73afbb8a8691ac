"""The console script `screening`: every command, each in its own module."""

import faulthandler
import gc
import sys
from contextlib import suppress

import typer

from jobs import (
    calibrate_bundle,
    choose_thresholds,
    compact_results,
    compare_products,
    cross_validate,
    dicomize_images,
    evaluate_bundle,
    export_results,
    fit_stage,
    index_archive,
    make_manifest,
    make_phantoms,
    manage_bundle,
    manage_tokens,
    measure_accuracy,
    measure_lead_time,
    measure_sites,
    monitor_results,
    open_urls,
    plan_capacity,
    plan_sample,
    promote_bundle,
    pseudonymize_table,
    query_results,
    redrive_failures,
    retain_results,
    rotate_key,
    run_benchmark,
    run_demo,
    run_nightly,
    score_files,
    screen_archive,
    serve_bundle,
    shadow_candidate,
    show_status,
    write_report,
    write_tables,
)
from jobs.console import run
from screening.openmp import wait_briefly

COMMANDS = {
    "demo": run_demo.command,
    "phantoms": make_phantoms.command,
    "dicomize": dicomize_images.command,
    "index": index_archive.command,
    "run": screen_archive.command,
    "status": show_status.command,
    "nightly": run_nightly.command,
    "redrive": redrive_failures.command,
    "plan": plan_capacity.command,
    "compact": compact_results.command,
    "retain": retain_results.command,
    "score": score_files.command,
    "serve": serve_bundle.command,
    "sql": query_results.command,
    "open-url": open_urls.command,
    "accuracy": measure_accuracy.command,
    "lead-time": measure_lead_time.command,
    "sites": measure_sites.command,
    "compare": compare_products.command,
    "thresholds": choose_thresholds.command,
    "sample-size": plan_sample.command,
    "export": export_results.command,
    "monitor": monitor_results.command,
    "report": write_report.command,
    "tables": write_tables.command,
    "manifest": make_manifest.command,
    "fit": fit_stage.command,
    "evaluate": evaluate_bundle.command,
    "crossval": cross_validate.command,
    "calibrate": calibrate_bundle.command,
    "promote": promote_bundle.command,
    "shadow": shadow_candidate.command,
    "pseudonymize": pseudonymize_table.command,
    "rotate-key": rotate_key.command,
    "benchmark": run_benchmark.command,
}


def make_app() -> typer.Typer:
    """Return the command line as one typer application."""
    app = typer.Typer(
        name="screening",
        help="Screen the chest radiographs of a whole population: lungs, pneumonia, COVID-19.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for name, command in COMMANDS.items():
        app.command(name)(command)
    app.add_typer(manage_bundle.app, name="bundle")
    app.add_typer(manage_tokens.app, name="token")
    return app


def main() -> None:
    """Run the console script."""
    wait_briefly()
    with suppress(OSError, RuntimeError):  # a stderr that is no file, or none
        faulthandler.enable()  # a crash of native code says there where it was
    try:
        run(make_app())
    finally:
        if "duckdb" not in sys.modules:  # which reports what was not collected
            gc.freeze()  # or Python looks for cycles in all that torch leaves, for a third of a second, before it ends


if __name__ == "__main__":
    main()
