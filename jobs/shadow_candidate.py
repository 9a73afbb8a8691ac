"""`screening shadow`: a candidate judges a sample beside the bundle that judges, and nothing changes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.console import answer_apart, err, out, print_json, run_command

if TYPE_CHECKING:
    from schemas.shadow import Difference, ShadowRecord


def command(
    results: Annotated[str, typer.Argument(help="folder or URL that was --results of `screening run`")],
    candidate: Annotated[str, typer.Argument(help="the first digits of the digest of a registered bundle")],
    current: Annotated[
        str | None, typer.Option(help="first digits of the digest of the bundle to compare with  [default: the promoted one]")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="RT-PCR results; then the sample is drawn among radiographs with a definite result")
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="radiographs to draw")] = 1000,
    seed: Annotated[int, typer.Option(help="of the draw: another seed draws other radiographs")] = 0,
    actors: Annotated[int | None, typer.Option(help="cascade actors  [default: what suits the machine]")] = None,
    gpus_per_actor: Annotated[float, typer.Option(help="GPUs for each actor; 0 runs on the CPU")] = 0.0,
    pseudonym_key: Annotated[
        Path | None, typer.Option(help="file with the key of the pseudonyms  [default: SCREENING_PSEUDONYM_KEY_FILE]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the record as JSON")] = False,
) -> None:
    """Let a candidate judge a sample beside the bundle that judges, and print the paired comparison.

    The thresholds at which the candidate calls as many as the current bundle does (with --reference, finds as many cases) are written as
    operating points. Answers and record lie in RESULTS/shadow, apart from the results. `screening bundle promote` asks for the record.

    Example:

        screening shadow s3://insurance/screening 1a2b3c4d5e6f --reference reference.parquet --images 2000
    """
    from jobs.analytics_source import check_results
    from jobs.checks import check_file
    from jobs.keys import key_of
    from screening.run.config import MachineConfig

    machine = MachineConfig(actors=actors, gpus_per_actor=gpus_per_actor)
    check_results(results)
    if reference:
        check_file("--reference", reference)
    key = key_of(pseudonym_key)
    from jobs.display import RunDisplay

    with answer_apart(json), RunDisplay(err) as display:
        from screening.shadow.run import Shadow, run_shadow

        asked = Shadow(results, candidate, key, current, reference, images, seed, machine)
        record = run_shadow(asked, display.show)
    if json:
        print_json(record.model_dump(mode="json"))
    else:
        print_record(record, asked.layout.shadow(record.shadow_id))


def print_record(record: "ShadowRecord", folder: str) -> None:
    """Print the comparison for people; `folder` is where its answers lie."""
    from rich import box
    from rich.table import Table

    drawn = "radiographs with a definite RT-PCR result" if record.reference else "scored radiographs"
    bundles = f"candidate {record.candidate_name} {record.candidate_digest[:12]} beside {record.current_digest[:12]}"
    title = f"{bundles}: {record.compared} of {record.drawn} {drawn}"
    calls = Table(
        "called positive",
        "both",
        "candidate only",
        "current only",
        "neither",
        "agreement",
        "kappa",
        "logit shift",
        box=box.SIMPLE,
        title=title,
    )
    for stage, it in record.stages.items():
        shift = "" if it.logit_shift is None else f"{it.logit_shift:+.3f} (n = {it.logit_pairs})"
        kappa = "" if it.kappa is None else f"{it.kappa:.3f}"
        cells = map(str, (it.both, it.candidate_only, it.current_only, it.neither))
        calls.add_row("stage 2" if stage == "pneumonia" else "cascade", *cells, f"{it.agreement:.3f}", kappa, shift)
    out.print(calls)
    figures = Table("figure", "candidate", "current", "difference (95 % CI)", "p", "n", box=box.SIMPLE)
    shown = {
        f"positive rate, {name}": record.stages[stage].positive_rate for stage, name in (("pneumonia", "stage 2"), ("covid", "cascade"))
    }
    shown |= {f"{name}, by person": getattr(record, name) for name in ("sensitivity", "specificity", "auroc")}
    for name, it in shown.items():
        if it is not None:
            figures.add_row(name, *_cells(it))
    out.print(figures)
    for stage, threshold in record.thresholds.items():
        out.print(
            f"The candidate matches the current {record.matched} at stage {'2' if stage == 'pneumonia' else '3'}: {threshold:.4f}",
            markup=False,
        )
    out.print("Thresholds were chosen on this sample: confirm them on another one, with another --seed.")
    out.print(f"written to {folder}", markup=False, soft_wrap=True)


def _cells(it: "Difference") -> tuple[str, ...]:
    interval = "" if it.low is None else f" ({it.low:+.3f} to {it.high:+.3f})"
    return f"{it.candidate:.3f}", f"{it.current:.3f}", f"{it.difference:+.3f}{interval}", "" if it.p is None else f"{it.p:.3g}", str(it.n)


if __name__ == "__main__":
    run_command(command)
