"""The processes that decode what requests hand in: the sandbox of a night, one for each thread that waits for it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from schemas.reasons import Reason
from schemas.service import ServiceSettings
from screening.errors import ImageRefused, ScreeningError
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import Ingested
from screening.ingest.sandbox import DecodeSandbox
from screening.on_demand.open_bundle import DECODE_MEMORY_BYTES
from screening.privacy import Pseudonymizer


class Decoders:
    """`settings.decoders` child processes with one ingest configuration. Replaced as a whole where another bundle has another age limit."""

    def __init__(self, settings: ServiceSettings, config: IngestConfig, pseudonymizer: Pseudonymizer | None):
        """Start the processes, which takes about a second."""
        self.config = config
        self._pool = ThreadPoolExecutor(settings.decoders, thread_name_prefix="decode")
        self._idle: SimpleQueue[DecodeSandbox] = SimpleQueue()
        sandboxes = [DecodeSandbox(config, pseudonymizer, settings.decode_seconds, DECODE_MEMORY_BYTES) for _ in range(settings.decoders)]
        for sandbox in self._pool.map(DecodeSandbox.__enter__, sandboxes):
            self._idle.put(sandbox)

    async def ingest(self, content: bytes) -> Ingested:
        """Return what `screening.ingest.ingest` returns for one file."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._ingest, content)

    def _ingest(self, content: bytes) -> Ingested:
        sandbox = self._idle.get()  # as many as threads: never waits
        try:
            return sandbox.ingest(content)
        except ScreeningError as error:  # no child can be started
            return Ingested(refusal=ImageRefused(Reason.INTERNAL_ERROR, str(error)))
        finally:
            self._idle.put(sandbox)

    def close(self) -> None:
        """End the processes once the files that they work on are done."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().close()
