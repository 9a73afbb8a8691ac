"""The file of the benchmarks is a radiograph that ingest lets through."""

from screening.benchmark.radiograph import phantom_file
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest


def test_each_seed_is_another_radiograph_that_is_scored() -> None:
    one, other = (ingest(phantom_file(seed, "covid", 256), IngestConfig(), None) for seed in (0, 1))
    assert one.refusal is None
    assert other.refusal is None
    assert one.pixels.shape == (512, 512)
    assert (one.pixels != other.pixels).any()
    assert one.columns["SOPInstanceUID"] != other.columns["SOPInstanceUID"]
