import hashlib
import hmac
from collections import Counter

import numpy as np
import pytest

from train.datasets.duplicates import joined
from train.datasets.rows import DEVELOPMENT, Row, Why
from train.datasets.split import LATER_FIRST, assign, drawing_patient, split_of

LABELS = ("normal", "pneumonia", "covid")


def row(patient: str, label: str = "normal", split: str | None = None) -> Row:
    return Row(f"file:///{patient}.png", patient, label, "set", split=split)


def random_rows(seed: int, official: tuple[str | None, ...]) -> tuple[list[Row], np.ndarray]:
    """Draw up to 200 rows of up to 120 patients, and pairs of look-alikes among them."""
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 200))
    patients = random.integers(0, int(random.integers(1, 120)), n)
    rows = [row(f"p{patient}", LABELS[random.integers(3)], official[random.integers(len(official))]) for patient in patients]
    return rows, random.integers(0, n, (int(random.integers(0, 60)), 2))


@pytest.mark.parametrize("seed", range(300))
def test_no_patient_and_no_look_alike_crosses(seed: int) -> None:
    rows, pairs = random_rows(seed, (None,))
    splits = assign(rows, joined([row.patient_id for row in rows], pairs), f"key {seed}")
    assert set(splits) <= set(LATER_FIRST)
    sides: dict[str, set[str]] = {}
    for one, split in zip(rows, splits, strict=True):
        sides.setdefault(one.patient_id, set()).add(split)
    assert all(len(of) == 1 for of in sides.values())
    assert all(splits[one] == splits[other] for one, other in pairs)


@pytest.mark.parametrize("seed", range(300))
def test_official_splits_are_kept_and_nobody_crosses_them(seed: int) -> None:
    rows, pairs = random_rows(seed, (None, None, None, DEVELOPMENT, "train", "test"))
    splits = assign(rows, joined([row.patient_id for row in rows], pairs), "key")
    sides: dict[str, set[str]] = {}
    for one, split in zip(rows, splits, strict=True):
        if isinstance(split, Why):
            assert split is Why.PATIENT_CROSSES or one.split is None
            continue
        sides.setdefault(one.patient_id, set()).add(split)
        if one.split == DEVELOPMENT:
            assert split in ("train", "val")
        elif one.split is not None:
            assert split == one.split
    assert all(len(of) == 1 for of in sides.values())
    for one, other in pairs:  # only two official rows may look alike on two sides
        free = rows[one].split is None or rows[other].split is None
        kept = not isinstance(splits[one], Why) and not isinstance(splits[other], Why)
        assert not (free and kept) or splits[one] == splits[other]


def test_a_patient_in_two_official_splits_stays_in_the_test_alone() -> None:
    rows = [row("a", split="train"), row("a", split="test"), row("b", split="val"), row("b", split="train"), row("a")]
    assert assign(rows, [0, 0, 2, 2, 0], "key") == [Why.PATIENT_CROSSES, "test", "val", Why.PATIENT_CROSSES, Why.JOINS_SPLITS]


def test_rows_without_a_split_follow_the_official_one() -> None:
    rows = [row("a", split="val"), row("b"), row("c", split=DEVELOPMENT), row("d", split="test"), row("d")]
    splits = assign(rows, [0, 0, 2, 3, 3], "key")
    assert splits == ["val", "val", splits[2], "test", "test"]


def test_the_draw_is_a_keyed_hash_of_the_patient() -> None:
    digests = {name: hmac.new(b"key", name.encode(), hashlib.sha256).digest() for name in ("a", "b", "c")}
    first = min(digests, key=digests.get)
    expected = int.from_bytes(digests[first][8:16]) / 2**64
    assert drawing_patient(["a", "b", "c"], "key") == (first, expected)
    assert drawing_patient(["c", "a", "b", "a"], "key") == (first, expected)
    assert drawing_patient(["a"], "key") != drawing_patient(["a"], "another key")


@pytest.mark.parametrize(
    ("label", "split", "shares"),
    [
        ("normal", None, {"train": 0.8, "val": 0.1, "test": 0.1}),
        ("pneumonia", None, {"train": 0.8, "val": 0.1, "test": 0.1}),
        ("covid", None, {"train": 0.5, "val": 0.25, "test": 0.25}),
        ("normal", DEVELOPMENT, {"train": 8 / 9, "val": 1 / 9}),
        ("covid", DEVELOPMENT, {"train": 2 / 3, "val": 1 / 3}),
    ],
)
def test_the_papers_ratios(label: str, split: str | None, shares: dict[str, float]) -> None:
    n = 4000
    rows = [row(f"patient {at}", label, split) for at in range(n)]
    counts = Counter(assign(rows, range(n), "key"))
    assert set(counts) == set(shares)
    for name, share in shares.items():
        assert abs(counts[name] / n - share) < 4 * (share * (1 - share) / n) ** 0.5


def test_pairs_of_patients_draw_as_single_ones_do() -> None:
    n = 4000
    rows = [row(f"patient {at}") for at in range(2 * n)]
    counts = Counter(assign(rows, [at // 2 for at in range(2 * n)], "key"))
    assert abs(counts["train"] / (2 * n) - 0.8) < 4 * (0.8 * 0.2 / n) ** 0.5


def test_more_images_change_nothing_for_the_others() -> None:
    rows, _ = random_rows(5, (None,))
    before = assign(rows, joined([row.patient_id for row in rows], []), "key")
    more = [row("new 1"), *rows, row("new 2", "covid"), row(rows[0].patient_id, rows[0].label)]
    after = assign(more, joined([row.patient_id for row in more], []), "key")
    assert after[1 : 1 + len(rows)] == before


def test_one_covid_image_makes_a_patient_a_covid_patient() -> None:
    keys = [str(key) for key in range(200)]
    group = [row("a", "normal"), row("a", "covid")]
    assert [split_of(group, key) for key in keys] == [split_of([row("a", "covid")], key) for key in keys]
    assert [split_of(group, key) for key in keys] != [split_of([row("a", "normal")], key) for key in keys]
