"""`screening serve`: answers on demand over HTTP, on this machine."""

from typing import Annotated

import typer

from jobs.console import err, run_command

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def command(
    bundle: Annotated[
        str | None,
        typer.Option(
            help="bundle, or a JSON file that names it and may change meanwhile  [default: the released one, bundles/cxr-public-2]"
        ),
    ] = None,
    operating_points: Annotated[
        str | None,
        typer.Option(
            help="file that `screening thresholds --save` wrote for this bundle; a JSON file as --bundle holds them itself  "
            "[default: the bundle's own thresholds]"
        ),
    ] = None,
    results: Annotated[str | None, typer.Option(help="results folder of the nights, whose answers and heatmaps are shown, too")] = None,
    tokens: Annotated[str | None, typer.Option(help="file of those who may call: see `screening token create --help`")] = None,
    open_to_all: Annotated[
        bool, typer.Option("--open", help="let everybody in who reaches the port; only with a host of this machine alone")
    ] = False,
    host: Annotated[
        str, typer.Option(help="address to listen on; put a proxy with TLS in front of any but this machine's own")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on", min=1, max=65535)] = 8000,
    replicas: Annotated[int, typer.Option(help="replicas of the cascade, each with all three networks", min=1)] = 1,
    max_replicas: Annotated[int | None, typer.Option(help="replicas at most, as requests demand them  [default: no more]", min=1)] = None,
    gpus_per_replica: Annotated[float, typer.Option(help="GPUs for each replica; 0 runs on the CPU", min=0)] = 0.0,
    dtype: Annotated[str, typer.Option(help="auto, bfloat16 or float32")] = "auto",
    decoders: Annotated[int, typer.Option(help="processes that decode", min=1)] = 2,
    queue: Annotated[int, typer.Option(help="requests that may wait; more are answered 503 with Retry-After", min=1)] = 64,
    request_seconds: Annotated[float, typer.Option(help="time limit of a request, in seconds", min=1)] = 60.0,
    pseudonym_key: Annotated[
        str | None, typer.Option(help="file with the key of the pseudonyms  [default: answers hold no pseudonym]")
    ] = None,
    sites: Annotated[
        str | None, typer.Option(help="file that `screening run` is given with --sites, so that sites have the same names here and there")
    ] = None,
    log: Annotated[str | None, typer.Option(help="folder for the log of accesses and errors  [default: Ray's own]")] = None,
    not_blind: Annotated[bool, typer.Option("--not-blind", help="show scores to readers before they have recorded their reading")] = False,
) -> None:
    """Score radiographs on demand over HTTP until interrupted, and show the page at /.

    Example:

        screening serve --open
    """
    from pydantic import ValidationError

    from jobs.analytics_source import check_results
    from jobs.checks import check_bundle, check_file
    from schemas.service import ServiceSettings
    from screening.bundle.pointer import bundle_in_use
    from screening.bundle.released import released_bundle
    from screening.errors import UsageError, check_usage
    from screening.ingest.sites import load_sites
    from screening.privacy import Pseudonymizer, load_key

    check_usage(not open_to_all or host in LOOPBACK, f"--open lets everybody in: it goes with --host {' or '.join(LOOPBACK)} alone")
    check_usage(
        open_to_all or tokens is not None, "give --tokens FILE (`screening token create` makes it), or --open on this machine alone"
    )
    bundle = bundle or released_bundle()
    named = bundle_in_use(bundle, operating_points)
    named.check(named.applied(check_bundle(named.bundle_url)))
    if results:
        check_results(results)
    for option, url in (("--tokens", tokens), ("--pseudonym-key", pseudonym_key), ("--sites", sites)):
        if url:
            check_file(option, url)
    if sites:
        load_sites(sites, Pseudonymizer(load_key(pseudonym_key)) if pseudonym_key else None)
    try:
        settings = ServiceSettings(
            bundle=bundle,
            operating_points=operating_points,
            results=results,
            tokens=tokens,
            open=open_to_all,
            pseudonym_key=pseudonym_key,
            sites_file=sites,
            log=log,
            dtype=dtype,
            replicas=replicas,
            max_replicas=max_replicas,
            gpus_per_replica=gpus_per_replica,
            device="cuda" if gpus_per_replica else "cpu",
            decoders=decoders,
            queue=queue,
            request_seconds=request_seconds,
            blind=not not_blind,
        )
    except ValidationError as error:
        raise UsageError(str(error.errors()[0]["msg"])) from None
    from serve.run import serving

    with serving(settings, host, port) as running:
        err.print(f"ready: http://{host}:{port}  (Ctrl-C ends it, after the requests that are being answered)", markup=False)
        running.wait()


if __name__ == "__main__":
    run_command(command)
