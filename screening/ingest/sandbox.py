"""The same `ingest` in a child process, because a C decoder that meets a hostile file may hang, or take its process with it.

The file travels through shared memory, the answer through a pipe as a pickle that our own child wrote. The key of the pseudonyms travels
through the pipe too: arguments and environment of a process can be read by others. What decoders print goes nowhere, because it may quote
a header. Where the child was when it crashed or hung is written by `faulthandler`, which knows files, lines and functions only.
"""

import contextlib
import ctypes
import faulthandler
import mmap
import os
import pickle
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from types import TracebackType

from schemas.reasons import Reason
from screening.errors import Fault, Frame, ImageRefused, ScreeningError
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import Ingested, ingest
from screening.privacy import Pseudonymizer

START_SECONDS = 120.0  # for a child to import its decoders, on a machine that does much else
_ORPHAN_GRACE_SECONDS = 5.0
_HANGING_SHARE = 0.9  # of its time: then the child writes down where it is
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)  # as faulthandler writes it, the innermost first
_LENGTH = struct.Struct("<Q")
_PR_SET_PDEATHSIG = 1
_TRACE_BYTES = 64 << 10
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# glibc gives freed memory back to the kernel, which clears every page of it for the next image: a third of the time of a radiograph
_KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(64 << 20)}  # bytes of a block, and in all


class _Gone(Exception):
    """The child closed its pipe."""


class _Late(Exception):
    """The child did not answer in time."""


class DecodeSandbox:
    """Runs `ingest` in a child process with a time limit per image and a memory limit; replaces the child when it dies.

    `seconds` is wall-clock time per image; `memory_bytes` limits the child's address space, of which numpy and the decoders take about
    half a gigabyte. Use as a context manager: leaving it ends the child, as dropping it does. Threads may share one; they take turns.
    """

    def __init__(self, config: IngestConfig, pseudonymizer: Pseudonymizer | None, seconds: float, memory_bytes: int):
        self.config, self.pseudonymizer = config, pseudonymizer
        self.seconds, self.memory_bytes = seconds, memory_bytes
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._file = os.memfd_create("image", os.MFD_CLOEXEC)
        self._trace = os.memfd_create("trace", os.MFD_CLOEXEC)

    def __enter__(self) -> "DecodeSandbox":
        with self._lock:
            self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process id of the child, or None while there is none."""
        return self._child.pid if self._child else None

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._kill()
            for descriptor in (self._file, self._trace):
                if descriptor >= 0:
                    os.close(descriptor)
            self._file = self._trace = -1

    def ingest(self, data: bytes | memoryview) -> Ingested:
        """Return what `screening.ingest.ingest` returns, or a refusal DECODE_TIMEOUT or DECODER_DIED. Raises ScreeningError where no
        child can be started at all."""
        if len(data) > self.config.limits.max_bytes:
            return Ingested(refusal=ImageRefused(Reason.TOO_LARGE, f"{len(data)} bytes, more than {self.config.limits.max_bytes}"))
        with self._lock:
            if self._child is None or self._child.poll() is not None:  # died while idle: not this image's doing
                self._start()
            try:
                self._write(data)
                return pickle.loads(self._read(time.monotonic() + self.seconds))
            except _Late:
                self._kill()
                late = ImageRefused(Reason.DECODE_TIMEOUT, f"decoding took longer than {self.seconds:g} s")
                return Ingested(refusal=late, fault=Fault("timeout", self._last_frames()))
            except (_Gone, BrokenPipeError):
                how = self._kill()
                died = ImageRefused(Reason.DECODER_DIED, f"the decoder process ended while decoding this file ({how})")
                return Ingested(refusal=died, fault=Fault(how, self._last_frames()))

    def _start(self) -> None:
        """Start a child and wait until it is ready. Raises ScreeningError."""
        self._kill()
        environment = {**os.environ, **_ONE_THREAD, **_KEPT_MEMORY, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", "-m", "screening.ingest.sandbox", str(self._file), str(self._trace)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._child = subprocess.Popen(command, env=environment, pass_fds=(self._file, self._trace), bufsize=0, **pipes)
        # the kernel ends the child together with the thread that started it: right only for the thread that lives as long as the process
        tied = os.getpid() if threading.current_thread() is threading.main_thread() else 0
        settings = pickle.dumps((self.config, self.pseudonymizer, self.seconds, self.memory_bytes, tied))
        try:
            self._send(_LENGTH.pack(len(settings)) + settings)
            self._read(time.monotonic() + START_SECONDS)
        except (_Gone, _Late, BrokenPipeError):
            self._kill()
            raise ScreeningError("the decoder process does not start; check its memory limit and the installation") from None

    def _write(self, data: bytes | memoryview) -> None:
        os.ftruncate(self._trace, 0)
        os.lseek(self._trace, 0, os.SEEK_SET)  # the child writes where this descriptor stands, because it inherited it
        os.ftruncate(self._file, len(data))
        view, at = memoryview(data), 0
        while at < len(view):
            at += os.pwrite(self._file, view[at:], at)
        self._send(_LENGTH.pack(len(view)))

    def _send(self, message: bytes) -> None:
        at = 0
        while at < len(message):
            at += self._child.stdin.write(message[at:])

    def _read(self, deadline: float) -> bytes:
        (length,) = _LENGTH.unpack(self._read_exactly(_LENGTH.size, deadline))
        return self._read_exactly(length, deadline)

    def _read_exactly(self, count: int, deadline: float) -> bytes:
        """Return `count` bytes of the child's answer. Raises _Late, _Gone."""
        received = bytearray()
        poll = select.poll()
        poll.register(self._child.stdout, select.POLLIN)
        while len(received) < count:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise _Late
            part = os.read(self._child.stdout.fileno(), count - len(received))
            if not part:
                raise _Gone
            received += part
        return bytes(received)

    def _last_frames(self) -> tuple[Frame, ...]:
        """Return where the child was when it crashed or hung, the outermost frame first; empty where it could not tell."""
        text = os.pread(self._trace, _TRACE_BYTES, 0).decode(errors="replace")
        return tuple(Frame.at(file, int(line), function) for file, line, function in reversed(_FRAME.findall(text)))

    def _kill(self) -> str:
        """End the child where there is one; return how it ended, as the name of a signal or its exit status."""
        child, self._child = self._child, None
        if child is None:
            return "no process"
        child.kill()
        status = child.wait()  # no zombie stays
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def main() -> None:
    """Serve ingest to the parent until it closes our standard input. Run as `python -m screening.ingest.sandbox FD FD`."""
    shared, trace = map(int, sys.argv[1:3])
    questions, answers = os.dup(0), os.dup(1)
    silence = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # whatever a decoder prints must not get into the answers
        os.dup2(silence, standard)
    config, pseudonymizer, seconds, memory_bytes, parent = pickle.loads(_question(questions))
    if parent:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable(trace, all_threads=False)
    _warm_up()
    _answer(answers, b"ready")
    while (header := _read(questions, _LENGTH.size)) is not None:
        # an orphan that hangs ends itself: the default action of SIGALRM needs no Python to run
        signal.setitimer(signal.ITIMER_REAL, 2 * seconds + _ORPHAN_GRACE_SECONDS)
        faulthandler.dump_traceback_later(_HANGING_SHARE * seconds, file=trace)
        ingested = _ingest_shared(shared, _LENGTH.unpack(header)[0], config, pseudonymizer)
        faulthandler.cancel_dump_traceback_later()
        _answer(answers, pickle.dumps(ingested, pickle.HIGHEST_PROTOCOL))
        signal.setitimer(signal.ITIMER_REAL, 0)


def _ingest_shared(shared: int, length: int, config: IngestConfig, pseudonymizer: Pseudonymizer | None) -> Ingested:
    if length == 0:
        return ingest(b"", config, pseudonymizer)
    mapped = mmap.mmap(shared, length, prot=mmap.PROT_READ)
    try:
        return ingest(memoryview(mapped), config, pseudonymizer)
    except Exception as error:  # costs one row, not the child: what nobody foresaw is the image's fault until shown otherwise
        return Ingested(refusal=ImageRefused(Reason.CORRUPT, f"{type(error).__name__} while decoding"), fault=Fault.of(error))
    finally:
        with contextlib.suppress(BufferError):  # still referred to by a traceback: unmapped when that goes
            mapped.close()


def _warm_up() -> None:
    """Load the decoders now, so that the first image has all of its time."""
    import imagecodecs
    from PIL import Image

    Image.init()
    for codec in ("jpeg8_decode", "jpegls_decode", "dicomrle_decode"):
        getattr(imagecodecs, codec)


def _question(pipe: int) -> bytes:
    header = _read(pipe, _LENGTH.size)
    body = _read(pipe, _LENGTH.unpack(header)[0]) if header else None
    if body is None:
        sys.exit(0)
    return body


def _read(pipe: int, count: int) -> bytes | None:
    """Return `count` bytes, or None where the parent is gone."""
    received = b""
    while len(received) < count:
        part = os.read(pipe, count - len(received))
        if not part:
            return None
        received += part
    return received


def _answer(pipe: int, message: bytes) -> None:
    view = memoryview(_LENGTH.pack(len(message)) + message)
    while view:
        view = view[os.write(pipe, view) :]


if __name__ == "__main__":
    main()
