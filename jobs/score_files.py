"""`screening score`: the answer to one radiograph, or a few, now."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.console import out, run_command

if TYPE_CHECKING:
    from screening.on_demand.scored import Scored


def command(
    files: Annotated[list[str], typer.Argument(help="DICOM, PNG or JPEG files, folders or containers of them: paths or any fsspec URLs")],
    bundle: Annotated[
        str | None, typer.Option(help="folder or URL of the bundle  [default: the released one, bundles/cxr-public-2]")
    ] = None,
    operating_points: Annotated[
        str | None,
        typer.Option(help="file that `screening thresholds --save` wrote for this bundle  [default: the bundle's own thresholds]"),
    ] = None,
    heatmaps: Annotated[Path | None, typer.Option(help="folder to write the image and its heatmaps to, as PNG files")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    dtype: Annotated[str, typer.Option(help="auto, bfloat16 or float32")] = "auto",
    pseudonym_key: Annotated[
        Path | None, typer.Option(help="file with the key of the pseudonyms  [default: answers hold no patient_pseudonym]")
    ] = None,
    sites: Annotated[
        str | None, typer.Option(help="file that `screening run` is given with --sites, so that sites have the same names here and there")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print one line of JSON a file")] = False,
) -> None:
    """Print outcome, scores, thresholds and reasons of each file, as `screening run` would give them. Needs no results folder.

    Exit code 0 when every file has its answer, a refusal too; 1 when the bundle or a path cannot be read, 2 for wrong usage.

    Example:

        screening score chest.dcm --heatmaps maps
    """
    from jobs.checks import check_bundle, check_operating_points
    from schemas.bundle import Overrides
    from screening.bundle.released import released_bundle

    bundle = bundle or released_bundle()
    manifest = check_bundle(bundle)
    points = check_operating_points(operating_points, manifest) if operating_points else Overrides()
    from screening.on_demand.files import files_of
    from screening.privacy import load_key

    for file in files:
        next(files_of(file))  # a mistyped path is told before the networks are loaded
    key = load_key(pseudonym_key) if pseudonym_key else None
    from screening.on_demand.open_bundle import OpenBundle

    with OpenBundle(bundle, device=device, dtype=dtype, **dict(points), pseudonym_key=key, sites_file=sites) as opened:
        for number, scored in enumerate(opened.score(files, heatmaps=heatmaps is not None), start=1):
            if heatmaps is not None:
                _write_pictures(scored, heatmaps, number)
            if json:
                print(scored.answer.model_dump_json(exclude={"heatmaps"}))
            else:
                out.print(_lines(scored), markup=False)


def _lines(scored: "Scored") -> str:
    answer = scored.answer
    head = f"{answer.file}: {answer.outcome}"
    if answer.reason is not None:
        return f"{head}, {answer.reason}: {answer.detail}"
    lines = [f"{head} by {answer.bundle_name} ({answer.bundle_digest[:12]})"]
    for stage, name in (("pneumonia", "pneumonia"), ("covid", "COVID-19")):
        value, kind = getattr(answer, f"{stage}_probability"), "probability"
        if value is None:
            value, kind = getattr(answer, f"{stage}_score"), "score"
        threshold = getattr(answer, f"{stage}_threshold")
        if value is None:
            lines.append(f"  {name}: not asked, because stage 2 is negative")
        else:
            call = "positive" if getattr(answer, f"{stage}_positive") else "negative"
            lines.append(f"  {name}: {call} ({kind} {value:.3f}, threshold {threshold:.3f})")
    return "\n".join(lines)


def _write_pictures(scored: "Scored", folder: Path, number: int) -> None:
    """Write the image and its heatmaps under the file's place in the list: its name may be a patient's, and may not be one of its kind."""
    if scored.pixels is None:
        return
    from screening.shard.heatmaps import png_of

    folder.mkdir(parents=True, exist_ok=True)
    for kind, picture in {"image": scored.pixels, **scored.heatmaps}.items():
        (folder / f"{number:04}.{kind}.png").write_bytes(png_of(picture))


if __name__ == "__main__":
    run_command(command)
