"""How long the views take over a population: generated results of any size in the layout of `screening run`, every view timed.

Views with one row per instance are read in full, every column of every row; the others are fetched.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from schemas.instance import INSTANCE_SCHEMA
from schemas.progress import OnProgress, counter, unwatched
from screening.analytics.template import REFERENCE_VIEWS, VIEWS
from screening.analytics.views import connect
from screening.results.database import Resources
from screening.results.layout import ResultsLayout

DIGEST = "be" * 32
FIRST_NIGHT = date(2020, 3, 1)
NIGHTS = 40
THREADS = 2
MEMORY = "4GB"
ROW_VIEWS = (
    *("instance_rows", "duplicates", "instances", "heatmaps", "tests", "links", "episodes", "reference_verdicts", "verdicts"),
    *("threshold_units", "judgements"),
)

# one radiograph of a person in five has COVID-19, which moves the scores; one image in 200 is sent twice, with
# its SOPInstanceUID or with its pixels; one in 25 is refused
_FACTS = """
select
    object,
    hash(object - (object % 400 = 1)::int) % greatest($persons, 1) as person,
    hash(person, 'case') % 5 = 0 as is_case,
    (hash(object, 'a') % 1000000 + 0.5) / 1000000 as u,
    (hash(object, 'b') % 1000000 + 0.5) / 1000000 as v,
    hash(object, 'refused') % 25 <> 0 as is_scored,
    (hash(person, 'site') % 40)::int as site
from range($first::bigint, $last::bigint) as objects (object)
"""
_SCORES = f"""
select
    *,
    if(is_scored, ln(u / (1 - u)) + if(is_case, 1.5, -1.0), null)::float as pneumonia_logit,
    pneumonia_logit >= 0 as pneumonia_positive,
    is_scored and not pneumonia_positive and hash(object, 'audit') % 100 = 0 as audited,
    if(pneumonia_positive or audited, ln(v / (1 - v)) + if(is_case, 1.5, -1.5), null)::float as covid_logit,
    coalesce(pneumonia_positive and covid_logit >= 0, false) as covid_positive
from ({_FACTS})
"""
# columns that are not null; the others of the schema are
_COLUMNS = {
    "bundle_digest": "$digest",
    "screen_date": "$night::date",
    "shard_id": "printf('%016x', $first::bigint)",
    "object_id": "md5(object::varchar)",
    "object_url": "'s3://archive/' || (object // 1000) || '/' || object || '.dcm'",
    "object_bytes": "8000000 + (hash(object, 'bytes') % 4000000)::bigint",
    "object_etag": "'2020-03-01T00:00:00'",
    "outcome": "case when is_scored then 'scored' when object % 500 = 0 then 'failed' else 'rejected' end",
    "reason": "case when is_scored then null when object % 500 = 0 then 'read_failed' "
    "else ['lateral_view', 'blank', 'truncated'][1 + object % 3] end",
    "stage_reached": "case when not is_scored then 'index' when covid_logit is null then 'pneumonia' else 'covid' end",
    "patient_pseudonym": "md5('person' || person)",
    "StudyInstanceUID": "'1.2.826.0.1.3680043.8.498.' || (object // 2)",
    "SeriesInstanceUID": "'1.2.826.0.1.3680043.8.498.' || object || '.1'",
    "SOPInstanceUID": "'1.2.826.0.1.3680043.8.498.' || (object - (object % 400 = 1)::int) || '.1.1'",
    "SOPClassUID": "'1.2.840.10008.5.1.4.1.1.1.1'",
    "StudyDate": "$night::date - (hash(object, 'day') % 5)::int",
    "Modality": "'DX'",
    "ViewPosition": "if(hash(object, 'view') % 3 = 0, 'AP', 'PA')",
    "PatientSex": "if(hash(person, 'sex') % 2 = 0, 'F', 'M')",
    "age_years": "(hash(person, 'age') % 95)::float",
    "InstitutionName": "'Hospital ' || site",
    "Manufacturer": "['A', 'B', 'C'][1 + site % 3]",
    "Rows": "2500",
    "Columns": "2048",
    "pixel_hash": "if(is_scored, md5('pixels' || (object - (object % 400 = 3)::int)), null)",
    "pixels_inverted": "false",
    "lung_area_fraction": "if(is_scored, 0.15 + 0.2 * u, null)",
    "pneumonia_logit": "pneumonia_logit",
    "pneumonia_score": "1 / (1 + exp(-pneumonia_logit))",
    "pneumonia_positive": "pneumonia_positive",
    "audit_sample": "if(is_scored, audited, null)",
    "covid_logit": "covid_logit",
    "covid_score": "1 / (1 + exp(-covid_logit))",
    "covid_positive": "if(is_scored, covid_positive, null)",
    "pneumonia_heatmap_url": "if(pneumonia_positive, "
    "'zip://' || object || '.pneumonia.png::s3://results/' || (object // 256) || '.zip', null)",
}
_TESTS = """
select
    md5('person' || person) as patient_pseudonym,
    $first_night::date + (hash(test, 'day') % $nights)::int as specimen_date,
    if(hash(person, 'onset') % 3 = 0, null, specimen_date - (hash(person, 'days') % 10)::int) as symptom_onset_date,
    specimen_date + 1 + (hash(test, 'delay') % 3)::int as result_date,
    case
        when hash(test, 'unclear') % 50 = 0 then 'indeterminate'
        when hash(person, 'case') % 5 = 0 then 'positive'
        else 'negative'
    end as result,
    case when hash(test, 'read') % 10 = 0 then if(hash(person, 'case') % 5 = 0, 'covid', 'normal') end as reading
from (select test, hash(test, 'person') % greatest($persons, 1) as person from range($tests::bigint) as tests (test))
"""


@dataclass(frozen=True)
class Timing:
    """One view, or the opening of them all."""

    name: str
    seconds: float  # of wall time
    cpu_seconds: float  # of processor time, over all threads: on a busy machine the better figure
    rows: int  # rows that the view has


def generate(
    folder: Path, instances: int, tests: int, *, rows_per_part: int | None = None, on_progress: OnProgress = unwatched
) -> tuple[str, str]:
    """Write results and a reference table into `folder` and return where they are.

    instances: instance rows, over 40 nights, of 0.7 as many persons. tests: rows of the reference table. rows_per_part: rows of one Parquet
    part, as many as a night has by default.
    """
    results, reference, persons = folder / "results", folder / "reference.parquet", instances * 7 // 10
    results.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(f"set threads = {THREADS}")
        connection.execute("set preserve_insertion_order = false")
        per_night, count = -(-instances // NIGHTS), counter(on_progress, "making up rows", instances)
        for number, first in enumerate(range(0, instances, per_night)):
            night, last = FIRST_NIGHT + timedelta(number), min(first + per_night, instances)
            step = rows_per_part or per_night
            for start in range(first, last, step):
                _write_part(connection, str(results), night, start, min(start + step, last), persons)
            count(last - first)
        arguments = {"tests": tests, "persons": persons, "first_night": FIRST_NIGHT, "nights": NIGHTS}
        _copy(connection, _TESTS, reference, arguments)
    return str(results), str(reference)


def time_views(
    results: str,
    reference: str,
    temporary: Path,
    views: tuple[str, ...] = (*VIEWS, *REFERENCE_VIEWS),
    *,
    memory: str = MEMORY,
    on_progress: OnProgress = unwatched,
) -> Iterator[Timing]:
    """Yield how long opening takes, and each view after it, on 2 threads and with `memory` for DuckDB; more goes to `temporary`."""
    count = counter(on_progress, "views", 1 + len(views))
    with _Clock() as clock:
        connection = connect(results, reference, resources=Resources(THREADS, memory, str(temporary)))
    yield Timing("open", clock.seconds, clock.cpu_seconds, 0)
    count(1)
    with connection:
        for name, day in {"baseline_from": FIRST_NIGHT, "baseline_to": FIRST_NIGHT + timedelta(13)}.items():
            connection.execute(f"set variable {name} = $day", {"day": day})
        for view in views:
            with _Clock() as clock:
                rows = _read(connection, view)
            yield Timing(view, clock.seconds, clock.cpu_seconds, rows)
            count(1)


def size_of(folder: str) -> int:
    """Return the bytes of every file below a local folder."""
    return sum(os.path.getsize(os.path.join(root, file)) for root, _, files in os.walk(folder) for file in files)


def _read(connection: duckdb.DuckDBPyConnection, view: str) -> int:
    if view not in ROW_VIEWS:
        return connection.sql(f"from {view}").to_arrow_table().num_rows
    return connection.sql(f"select count(*), any_value(columns(*)) from {view}").fetchall()[0][0]


class _Clock:
    """Wall and processor time of a block, in seconds."""

    def __enter__(self) -> "_Clock":
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds, self.cpu_seconds = time.perf_counter() - self._wall, time.process_time() - self._cpu


def _write_part(connection: duckdb.DuckDBPyConnection, results: str, night: date, first: int, last: int, persons: int) -> None:
    path = Path(ResultsLayout(results).part(DIGEST, night, f"{first:016x}"))
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(f"cast({_COLUMNS.get(field.name, 'null')} as {_duckdb_type(field)}) as {field.name}" for field in INSTANCE_SCHEMA)
    arguments = {"digest": DIGEST, "night": night, "first": first, "last": last, "persons": persons}
    _copy(connection, f"select {columns} from ({_SCORES})", path, arguments)


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path, arguments: dict[str, object]) -> None:
    connection.execute(f"copy ({query}) to '{path}' (format parquet, compression zstd)", arguments)


def _duckdb_type(field) -> str:
    names = {"string": "varchar", "date32[day]": "date", "bool": "boolean", "float": "float", "double": "double"}
    names |= {"int32": "integer", "int64": "bigint"}
    return names.get(str(field.type), "timestamptz")
