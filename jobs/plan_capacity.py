"""`screening plan`: how many machines a night needs, what they cost, and what limits it."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs.console import EXIT_FAILED, out, print_json, run_command

if TYPE_CHECKING:
    from screening.run.capacity import Capacity, Figure


def command(
    images: Annotated[int, typer.Option(help="radiographs to be screened", min=1)],
    deadline: Annotated[float, typer.Option(help="hours from the start of the first machine to the end of the night")],
    from_: Annotated[
        str | None, typer.Option("--from", help="results folder whose last finished run says what an image takes", metavar="RESULTS")
    ] = None,
    cpu_only: Annotated[bool, typer.Option("--cpu-only", help="no GPUs: the cascade runs on the cores of the workers")] = False,
    decode_ms: Annotated[float | None, typer.Option(help="milliseconds of a core to read and decode an image")] = None,
    write_ms: Annotated[float | None, typer.Option(help="milliseconds of a core to write an image's row and heatmaps")] = None,
    cascade_ms: Annotated[float | None, typer.Option(help="milliseconds of a core to judge an image, with --cpu-only")] = None,
    gpu_ms: Annotated[float | None, typer.Option(help="milliseconds of a GPU to judge an image")] = None,
    image_mb: Annotated[float | None, typer.Option(help="megabytes of an image in the archive")] = None,
    network_gbits: Annotated[float | None, typer.Option(help="Gbit/s from the store to all machines together")] = None,
    used_share: Annotated[float | None, typer.Option(help="share of the time that machines work")] = None,
    start_minutes: Annotated[float | None, typer.Option(help="minutes until all machines work")] = None,
    cores: Annotated[float | None, typer.Option(help="cores of each worker")] = None,
    gpus: Annotated[float | None, typer.Option(help="GPUs of each worker with GPUs")] = None,
    cpu_price: Annotated[float | None, typer.Option(help="an hour of a worker without a GPU")] = None,
    gpu_price: Annotated[float | None, typer.Option(help="an hour of a worker with GPUs")] = None,
    head_price: Annotated[float | None, typer.Option(help="an hour of the head")] = None,
    json: Annotated[bool, typer.Option("--json", help="print the plan and its figures as JSON")] = False,
) -> None:
    """Say how many CPU and GPU workers a night needs, what it costs, and which of decode, network and GPU limits it.

    What is not given comes from a run (--from), and else from the table in docs/cluster.md. Exit code 0 when the night can end in time,
    1 when the network alone takes longer.

    Example:

        screening plan --images 1000000 --deadline 8
    """
    from screening.run.capacity import ASSUMED, Figure, measured_figures, plan_capacity

    given = {name: value for name, value in locals().items() if name in ASSUMED and value is not None}
    figures = ASSUMED | (measured_figures(from_) if from_ else {})
    figures |= {name: Figure(value, ASSUMED[name].unit, "given") for name, value in given.items()}
    planned = plan_capacity(images, deadline, figures, gpu=not cpu_only)
    if json:
        print_json({**vars(planned), "figures": {name: vars(figure) for name, figure in figures.items()}})
    else:
        _print(planned, figures)
    if not planned.in_time:
        raise typer.Exit(EXIT_FAILED)


def _print(planned: "Capacity", figures: "dict[str, Figure]") -> None:
    import pyarrow as pa

    from jobs.tables import answer_table

    names = [name for name in figures if name != ("cascade_ms" if planned.gpu_workers else "gpu_ms")]
    columns = {
        "figure": names,
        "value": [figures[name].value for name in names],
        "unit": [figures[name].unit for name in names],
        "source": [figures[name].source for name in names],
    }
    out.print(answer_table(pa.table(columns)))
    out.print()
    stages = {"stage": list(planned.images_per_second), "images a second at most": list(planned.images_per_second.values())}
    out.print(answer_table(pa.table(stages)))
    out.print()
    out.print(
        f"{planned.cpu_workers} CPU workers and {planned.gpu_workers} GPU workers screen {planned.images} images in {planned.hours:.1f} of "
        f"{planned.deadline_hours:g} hours for {planned.price:.2f}; what limits the night is: {planned.limit}"
    )
    if not planned.in_time:
        out.print("not in time, whatever the number of machines: the network from the store has to be faster, or the deadline later")


if __name__ == "__main__":
    run_command(command)
