"""The calls of a cascade replica: which questions are answered together, and on how many cores."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

import torch

from screening.cascade.device import use_threads

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Calls(Generic[Question, Answer]):
    """Answers questions in calls of at most `most` of them.

    A question that is alone has all cores. Where more wait, each core answers a call of its own, for the threads of one call wait for each
    other at every layer, and a process that takes one core for a moment, to decode or to talk, stalls them all.
    """

    def __init__(self, answer: Callable[[list[Question]], list[Answer]], most: int, cores: int, lanes: int):
        """`lanes` calls at a time divide the cores among them; one on a GPU, where `cores` are those that prepare its work.

        The first lane answers the lone question, too. OpenMP keeps a team of threads for each thread that ever computed on several cores,
        and where the teams together have more threads than there are cores, they sleep at every layer: a call then takes twice as long.
        """
        self._answer, self._most, self._cores = answer, most, cores
        self._lanes = [ThreadPoolExecutor(1, f"call-{i}", torch.get_num_threads) for i in range(lanes)]  # which lets torch set a thread up
        self._free = set(range(lanes))
        self._waiting: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
        self._has_all_cores = False

    async def ask(self, question: Question) -> Answer:
        """Return the answer to one question. Raises what the call raises."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        self._start()
        return await answer

    def _start(self) -> None:
        while self._waiting and self._free and not self._has_all_cores:
            alone = len(self._waiting) == 1 and len(self._free) == len(self._lanes)
            share = -(-len(self._waiting) // len(self._free))
            asked = [self._waiting.popleft() for _ in range(min(self._most, share))]
            asked = [(question, answer) for question, answer in asked if not answer.done()]  # nobody waits for the others any more
            if asked:
                self._run(asked, alone)

    def _run(self, asked: list[tuple[Question, asyncio.Future[Answer]]], alone: bool) -> None:
        lane = min(self._free)
        self._free.remove(lane)
        self._has_all_cores = alone
        threads = self._cores if alone else max(1, self._cores // len(self._lanes))
        questions, answers = [question for question, _ in asked], [answer for _, answer in asked]
        call = asyncio.get_running_loop().run_in_executor(self._lanes[lane], self._call, threads, questions)
        call.add_done_callback(partial(self._end, lane, answers))

    def _call(self, threads: int, questions: list[Question]) -> list[Answer]:
        use_threads(threads)
        return self._answer(questions)

    def _end(self, lane: int, waiting: list[asyncio.Future[Answer]], call: "asyncio.Future[list[Answer]]") -> None:
        self._free.add(lane)
        self._has_all_cores = False
        error = call.exception()
        for place, answer in enumerate(waiting):
            if answer.done():
                continue
            if error is None:
                answer.set_result(call.result()[place])
            else:
                answer.set_exception(error)
        self._start()
