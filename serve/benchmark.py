"""How many answers a second a server gives beside a bare cascade, and what one idle request costs over the model.

`screening benchmark serve` prints both. The bare cascade has the pixels and nothing else to do; the server reads requests, decodes,
judges and answers, and its clients share the machine with it. Every answer is compared with the bare cascade's. An idle request and the
model alone are timed in turn, so that a machine that gets slower meanwhile is slower for both.
"""

import asyncio
import socket
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from schemas.progress import OnProgress, counter, unwatched
from schemas.service import ServiceSettings
from screening.benchmark.radiograph import phantom_file
from screening.cascade.cascade import Cascade
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from serve.run import serving

GROUPS = ("normal", "pneumonia", "covid")
DISTINCT = 32  # radiographs, sent again and again
PASSES = 4  # of the bare cascade over them, before the server and after it
SIDE = 512  # pixels
IDLE_REQUESTS = 30
PAUSE_SECONDS = 0.05  # before an idle request and before the model, for what came before to come to rest
ATTEMPTS = 20  # of a request that is told to come back


@dataclass
class Served:
    """What came of some requests."""

    seconds: float
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: int = 0  # answers that are not the bare cascade's
    milliseconds: list[float] = field(default_factory=list)  # of each request


@dataclass(frozen=True)
class ServeTimes:
    """The figures of one benchmark."""

    bare_per_second: float  # images, the mean of before and after
    served_per_second: float
    model_milliseconds: float  # median of one image, while the server has nothing to do
    idle_milliseconds: float  # median of one request while there is no other
    over_milliseconds: float  # median of what the request takes more than the model just after it
    requests: Served

    @property
    def ratio(self) -> float:
        """Answers a second, as a share of the bare cascade's images a second."""
        return self.served_per_second / self.bare_per_second


def benchmark(bundle_url: str, requests: int, clients: int, on_progress: OnProgress = unwatched) -> ServeTimes:
    """Measure a server on this machine, on a free port of loopback.

    Args:
        bundle_url: bundle that answers.
        requests: of one radiograph each, from `clients` at once.
        clients: connections.
        on_progress: is told what is done.
    """
    files = [phantom_file(seed, GROUPS[seed % 3], SIDE) for seed in range(DISTINCT)]
    pixels = np.stack([ingest(data, IngestConfig(), None).pixels for data in files])[:, None]
    pixels = np.concatenate([pixels] * PASSES)
    cascade = Cascade.from_bundle(bundle_url, "cpu")
    on_progress("bare cascade", 0, 0)
    cascade(pixels[: cascade.images_a_call], guided=False)
    expected, before = _timed(cascade, pixels)
    settings = ServiceSettings(bundle=bundle_url, open=True, device="cpu", queue=2 * clients)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    on_progress("starting the server", 0, 0)
    with serving(settings, "127.0.0.1", port):
        url = f"http://127.0.0.1:{port}/v1/score"
        asyncio.run(_ask(url, files, expected, DISTINCT, 2, unwatched))
        idle = [_idle(url, files, expected, cascade, pixels) for _ in range(IDLE_REQUESTS)]
        under_load = asyncio.run(_ask(url, files, expected, requests, clients, on_progress))
    _, after = _timed(cascade, pixels)
    return ServeTimes(
        bare_per_second=2 * len(pixels) / (before + after),
        served_per_second=requests / under_load.seconds,
        model_milliseconds=statistics.median(model for _, model in idle),
        idle_milliseconds=statistics.median(request for request, _ in idle),
        over_milliseconds=statistics.median(request - model for request, model in idle),
        requests=under_load,
    )


def _timed(cascade: Cascade, pixels: np.ndarray) -> tuple[list[tuple[float, float]], float]:
    """Return the logits of both stages for each image, and the seconds that the cascade took."""
    started = time.perf_counter()
    calls = [cascade(pixels[i : i + cascade.images_a_call], guided=False) for i in range(0, len(pixels), cascade.images_a_call)]
    seconds = time.perf_counter() - started
    return [pair for call in calls for pair in zip(call.pneumonia_logit.tolist(), call.covid_logit.tolist(), strict=True)], seconds


def _idle(url: str, files: list[bytes], expected: list[tuple[float, float]], cascade: Cascade, pixels: np.ndarray) -> tuple[float, float]:
    """Return the milliseconds of one request, and of the model for the same image."""
    time.sleep(PAUSE_SECONDS)
    asked = asyncio.run(_ask(url, files, expected, 1, 1, unwatched))
    time.sleep(PAUSE_SECONDS)
    return asked.milliseconds[0], 1000 * _timed(cascade, pixels[:1])[1]


async def _ask(
    url: str, files: list[bytes], expected: list[tuple[float, float]], requests: int, clients: int, on_progress: OnProgress
) -> Served:
    import aiohttp

    served = Served(0.0)
    numbers = iter(range(requests))
    count = counter(on_progress, f"requests of {clients} clients", requests)

    async def client(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            i = number % len(files)
            started = time.perf_counter()
            status, answer = await _answer(session, url, files[i])
            served.milliseconds.append(1000 * (time.perf_counter() - started))
            served.statuses[status] += 1
            served.wrong += status == 200 and not _is_right(answer, expected[i])
            count(1)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(300)) as session:
        started = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(clients)))
        served.seconds = time.perf_counter() - started
    return served


async def _answer(session: object, url: str, data: bytes) -> tuple[int, dict[str, object]]:
    """Return status and answer of one request, which comes back when it is told to."""
    for _ in range(ATTEMPTS):
        async with session.post(url, data=data, headers={"Content-Type": "application/dicom"}) as reply:
            if reply.status == 503 and "Retry-After" in reply.headers:
                await asyncio.sleep(float(reply.headers["Retry-After"]))
                continue
            return reply.status, (await reply.json())["answers"][0] if reply.status == 200 else {}
    return 503, {}


def _is_right(answer: dict[str, object], expected: tuple[float, float]) -> bool:
    logits = [np.nan if answer[f"{stage}_logit"] is None else answer[f"{stage}_logit"] for stage in ("pneumonia", "covid")]
    return bool(np.array_equal(np.float32(logits), np.float32(expected), equal_nan=True))
