"""What of names a run writes: the sites file that it is given, and what an agency is told at its first run into a results folder."""

from typing import TYPE_CHECKING

from jobs.console import err

if TYPE_CHECKING:
    from screening.run.config import RunConfig

FILE_NAMES_STAND = (
    "object_url holds the names of files and folders as the archive has them, and of a PACS the UIDs. Where these name patients, begin "
    "another results folder with --encrypt-urls."
)
_NOUNS = {"InstitutionName": "institutions", "Manufacturer": "manufacturers", "ManufacturerModelName": "models"}


def with_sites(config: "RunConfig", sites: str | None, key: bytes) -> "RunConfig":
    """Return the configuration with the texts that a sites file lists. Raises UsageError where the file is missing or wrong."""
    if sites is None:
        return config
    import dataclasses

    from screening.ingest.sites import load_sites
    from screening.privacy import Pseudonymizer

    ingest = dataclasses.replace(config.rows.ingest, listed_texts=load_sites(sites, Pseudonymizer(key)))
    return dataclasses.replace(config, rows=dataclasses.replace(config.rows, ingest=ingest))


def is_first_run(results: str) -> bool:
    """Tell whether no run has written into a results folder."""
    from screening.results.layout import ResultsLayout
    from screening.storage import list_files

    return not list_files(ResultsLayout(results).runs, "manifest.json")


def say_what_became_pseudonyms(results: str, bundle_digest: str) -> None:
    """Say how many texts no sites file lists, and how to list them; never which."""
    counted = ", ".join(f"{n} {_NOUNS[attribute]}" for attribute, n in unlisted_texts(results, bundle_digest).items() if n)
    if counted:
        err.print(
            f"No sites file lists {counted}: rows hold pseudonyms for them, such as site-1a2b3c4d. To let names stand in the rows of later "
            "runs, list them in a file and give it with --sites: see `screening run --help`. The files of a pseudonym's rows (object_url) "
            "hold its name.",
            markup=False,
        )


def unlisted_texts(results: str, bundle_digest: str) -> dict[str, int]:
    """Return attribute → how many distinct texts of it became pseudonyms in the rows of a bundle."""
    import pyarrow.compute as pc

    from screening.ingest.identity import PREFIX, SHORT_DIGITS
    from screening.results.layout import ResultsLayout
    from screening.results.rows import read_all
    from screening.results.snapshot import take

    rows = read_all(take(ResultsLayout(results), bundle_digest), list(PREFIX))
    counts = {}
    for attribute, prefix in PREFIX.items():
        texts = pc.unique(rows[attribute]).drop_null()
        counts[attribute] = pc.sum(pc.match_substring_regex(texts, f"^{prefix}-[0-9a-f]{{{SHORT_DIGITS}}}$")).as_py() or 0
    return counts
