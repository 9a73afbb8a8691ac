"""The S3 policies in deploy/s3: their shape, and that each allows what its role calls on a real store, and no more."""

import fnmatch
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from screening.analytics.views import connect
from screening.archive.index import write_index
from screening.archive.reader import ObjectReader
from screening.archive.source import IndexedObject
from screening.results.compaction import compact
from screening.results.heatmaps import read_heatmap
from screening.results.layout import ResultsLayout
from screening.results.lock import holding
from screening.results.retention import expired_heatmaps, remove_expired
from screening.storage import filesystem_of, put_atomic, read_bytes
from tests.screening.instance_rows import DIGEST, NIGHT, instance_row
from tests.screening.results.compacted_folder import seen, write_nights

POLICIES = {file.stem: json.loads(file.read_text()) for file in (Path(__file__).parent.parent / "deploy/s3").glob("*.json")}
ACTIONS = {
    "ListObjectsV2": "s3:ListBucket", "HeadBucket": "s3:ListBucket", "GetObject": "s3:GetObject", "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject", "DeleteObject": "s3:DeleteObject", "DeleteObjects": "s3:DeleteObject",
}  # fmt: skip

Call = tuple[str, str]  # the action, and the key or the prefix that it is about


def allows(policy: dict[str, Any], call: Call) -> bool:
    """Return whether one statement allows a call, as AWS evaluates Allow statements without variables."""
    action, key = call
    for statement in policy["Statement"]:
        if action not in statement["Action"]:
            continue
        if action == "s3:ListBucket":
            if any(fnmatch.fnmatchcase(key.rstrip("/"), pattern) for pattern in statement["Condition"]["StringLike"]["s3:prefix"]):
                return True
        elif any(fnmatch.fnmatchcase(f"arn:aws:s3:::insurance/{key}", resource) for resource in statement["Resource"]):
            return True
    return False


@contextmanager
def calls_made(bucket: str) -> Iterator[set[Call]]:
    """Collect what this process asks of S3 in the block; the keys are those below the bucket of the test."""
    client, made = filesystem_of(bucket)[0].s3, set()

    def collect(params: dict[str, Any], model: Any, **_: Any) -> None:
        action = ACTIONS[model.name]
        keys = [one["Key"] for one in params["Delete"]["Objects"]] if "Delete" in params else [params.get("Key", params.get("Prefix", ""))]
        made.update((action, key) for key in keys)

    client.meta.events.register("provide-client-params.s3.*", collect, unique_id="collect")
    try:
        yield made
    finally:
        client.meta.events.unregister("provide-client-params.s3.*", unique_id="collect")


@pytest.fixture
def bucket(s3_bucket: str) -> str:
    """An archive, a reference table, and results of two nights with heatmaps, where the policies expect them."""
    layout = ResultsLayout(f"{s3_bucket}/screening")
    filesystem_of(s3_bucket)[0].connect()
    write_nights(layout, 2)
    put_atomic(f"{s3_bucket}/cxr/a.dcm", b"a file")
    put_atomic(f"{s3_bucket}/reference/rt_pcr.parquet", b"a table")
    put_atomic(layout.heatmaps(DIGEST, NIGHT, "0" * 16), b"a zip file")
    return s3_bucket


def write(bucket: str) -> None:
    """Do what a night does with its store."""
    layout = ResultsLayout(f"{bucket}/screening")
    with holding(layout.root, "screening nightly"):
        write_index(f"{bucket}/cxr", layout.index("a"))
        write_nights(layout, 1, first=2)
        compact(layout)
        remove_expired(layout, expired_heatmaps(layout, 1, NIGHT + timedelta(9)), 1)
        seen(layout)


def read(bucket: str) -> None:
    """Do what the page of the server does: rows, a heatmap and a radiograph."""
    seen(ResultsLayout(f"{bucket}/screening"))
    row = instance_row(0, lung_mask_url=f"zip://0.lungs.png::{ResultsLayout(f'{bucket}/screening').heatmaps(DIGEST, NIGHT, '0' * 16)}")
    assert read_heatmap(row, "lungs") is None  # the file is no zip, which shows only after it was read
    with ObjectReader(100) as reader:
        fs, path = filesystem_of(f"{bucket}/cxr/a.dcm")
        assert reader.read(f"{bucket}/cxr/a.dcm", IndexedObject(6, fs.info(path)["ETag"].strip('"'))) == b"a file"


def analyse(bucket: str) -> None:
    """Do what an analyst does: ask the rows, and read the reference table."""
    with connect(f"{bucket}/screening") as connection:
        connection.sql("from flow").fetchall()
    read_bytes(f"{bucket}/reference/rt_pcr.parquet")


@pytest.mark.parametrize(("role", "work"), [("writer", write), ("reader", read), ("analyst", analyse)])
def test_a_role_may_do_its_own_work(bucket: str, role: str, work: Callable[[str], None]) -> None:
    with calls_made(bucket) as made:
        work(bucket)
    assert made
    assert [call for call in sorted(made) if not allows(POLICIES[role], call)] == []


@pytest.mark.parametrize(
    ("call", "roles"),
    [
        (("s3:GetObject", "cxr/a.dcm"), {"reader", "writer"}),
        (("s3:GetObject", "screening/heatmaps/bundle=a/screen_date=2020-03-01/a.zip"), {"reader", "writer"}),
        (("s3:GetObject", "screening/instances/bundle=a/night=2020-03-01/part-a.parquet"), {"reader", "writer", "analyst"}),
        (("s3:GetObject", "reference/rt_pcr.parquet"), {"analyst"}),
        (("s3:GetObject", "payroll/2020.csv"), set()),
        (("s3:ListBucket", ""), set()),
        (("s3:ListBucket", "screening/heatmaps/"), {"reader", "writer"}),
        (("s3:PutObject", "screening/lock.json"), {"writer"}),
        (("s3:PutObject", "cxr/a.dcm"), set()),
        (("s3:DeleteObject", "cxr/a.dcm"), set()),
        (("s3:DeleteObject", "screening/runs/a/manifest.json"), set()),
        (("s3:DeleteObject", "screening/readings/2020-03-01/a.parquet"), set()),
        (("s3:DeleteObject", "screening/instances/bundle=a/night=2020-03-01/part-a.parquet"), {"writer"}),
    ],
)
def test_a_role_may_do_no_more(call: Call, roles: set[str]) -> None:
    assert {role for role, policy in POLICIES.items() if allows(policy, call)} == roles


@pytest.mark.parametrize("role", ["reader", "writer", "analyst"])
def test_a_policy_has_the_shape_that_aws_takes(role: str) -> None:
    policy = POLICIES[role]
    assert policy["Version"] == "2012-10-17"
    names = [statement["Sid"] for statement in policy["Statement"]]
    assert len(set(names)) == len(names)
    assert all(name.isalnum() for name in names), "a Sid has letters and digits only"
    for statement in policy["Statement"]:
        assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert statement["Effect"] == "Allow"
        assert all(action in ACTIONS.values() for action in statement["Action"]), "no wildcard, and nothing that is not called"
        assert all(resource.startswith("arn:aws:s3:::insurance") for resource in statement["Resource"])
        assert ("s3:ListBucket" in statement["Action"]) == ("Condition" in statement), "listing is limited to its prefixes"
