"""The public sets by name."""

from collections.abc import Callable
from dataclasses import dataclass

from screening.errors import UsageError
from train.datasets import actualmed, cohen, covidx, figure1, hannover, nih, padchest, plain, rsna, tuberculosis
from train.datasets.files import SetFiles
from train.datasets.rows import Reading


@dataclass(frozen=True)
class PublicSet:
    """One data set: what it is called in print, and its reader."""

    title: str
    read: Callable[[SetFiles], Reading]


SETS = {
    "padchest": PublicSet("PadChest", padchest.read),
    "rsna": PublicSet("RSNA Pneumonia Detection Challenge", rsna.read),
    "nih": PublicSet("NIH ChestX-ray14", nih.read),
    "cohen": PublicSet("covid-chestxray-dataset", cohen.read),
    "hannover": PublicSet("covid-19-image-repository, Hannover", hannover.read),
    "figure1": PublicSet("Figure1-COVID-chestxray-dataset", figure1.read),
    "actualmed": PublicSet("Actualmed-COVID-chestxray-dataset", actualmed.read),
    "covidx": PublicSet("COVIDx split files", covidx.read),
    "montgomery": PublicSet("Montgomery County, with lung masks", tuberculosis.read_montgomery),
    "shenzhen": PublicSet("Shenzhen, with lung masks", tuberculosis.read_shenzhen),
    "plain": PublicSet("a labels.csv beside its images", plain.read),
}


def public_set(name: str) -> PublicSet:
    """Return the set of that name. Raises UsageError, naming those there are."""
    if name not in SETS:
        raise UsageError(f"no data set {name!r}; known are {', '.join(SETS)}")
    return SETS[name]
