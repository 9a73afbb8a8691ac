"""The door for Python: open a bundle, score files with it, open the results of a night. `screening` itself offers these three."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from screening.on_demand.files import Given
    from screening.on_demand.open_bundle import OpenBundle
    from screening.on_demand.scored import Scored


def open_bundle(url: str | None = None, **options: Any) -> "OpenBundle":
    """Return the bundle at `url`, any fsspec URL of its folder, ready to score; without a URL the released one.

    `options` are those of `OpenBundle`: device ("auto", "cpu", "cuda"), dtype ("auto", "float32", "bfloat16"), operating_points,
    sites, pseudonym_key, sites_file. Loads torch. Raises BundleError where the bundle is damaged, UsageError where the device is not
    there, or the sites file cannot be read or comes without a key.

    >>> import screening
    >>> bundle = screening.open_bundle("bundles/synthetic-small")
    >>> bundle.manifest.name
    'synthetic-small'
    """
    from screening.bundle.released import released_bundle
    from screening.on_demand.open_bundle import OpenBundle

    return OpenBundle(url or released_bundle(), **options)


def score(given: "Given | Iterable[Given]", bundle: "OpenBundle", heatmaps: bool = True) -> list["Scored"]:
    """Return what each radiograph gives, in the order of the files: answer, the image as the cascade saw it, heatmaps.

    `given` is a path or URL of a DICOM, PNG or JPEG file, of a folder or of a container; or the bytes of a file; or several of those.
    A file that cannot be scored gives an answer with its reason, and raises nothing. Raises ArchiveError where a path leads nowhere.

    >>> import screening
    >>> bundle = screening.open_bundle("bundles/synthetic-small")
    >>> [chest, text] = screening.score(["chest.dcm", b"no image"], bundle)
    >>> chest.answer.outcome.value, 0 <= chest.answer.pneumonia_score <= 1
    ('scored', True)
    >>> chest.pixels.shape, chest.heatmaps["lungs"].shape
    ((512, 512), (512, 512))
    >>> text.answer.outcome.value, text.answer.reason.value
    ('rejected', 'not_dicom')
    """
    return list(bundle.score(given, heatmaps))


def open_results(url: str, reference: "str | pa.Table | None" = None, **options: Any) -> "duckdb.DuckDBPyConnection":
    """Return a DuckDB connection with every view over a results folder; loads neither torch nor Ray.

    `reference` is the URL of a table of RT-PCR tests, CSV or Parquet, or a table; `options` are those of
    `screening.analytics.views.connect`: bundle, rule, groups, columns, form, comments, resources. Raises UsageError, ReferenceTableError.

    >>> import screening
    >>> results = screening.open_results("results")
    >>> results.sql("select outcome, count(*) from instances group by outcome").fetchall()
    [('scored', 1)]
    """
    from screening.analytics.views import connect

    return connect(url, reference, **options)
