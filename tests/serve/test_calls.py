"""The calls of a replica: what is answered together, on how many cores, and what becomes of errors and of those that wait no more."""

import asyncio
import threading

import pytest
import torch

from screening.errors import BundleError
from serve.calls import Calls

WAIT_SECONDS = 20


async def asked(calls: Calls[int, int], *questions: int) -> list[int]:
    return await asyncio.gather(*(calls.ask(question) for question in questions))


def test_a_question_that_is_alone_has_all_cores() -> None:
    calls = Calls(lambda questions: [torch.get_num_threads()] * len(questions), most=4, cores=2, lanes=2)

    async def ask() -> list[int]:
        return [await calls.ask(1), await calls.ask(2)]

    assert asyncio.run(ask()) == [2, 2]


def test_questions_that_wait_share_calls_and_the_calls_the_cores() -> None:
    seen: list[tuple[int, int]] = []
    both = threading.Barrier(2)

    def answer(questions: list[int]) -> list[int]:
        seen.append((len(questions), torch.get_num_threads()))
        if len(questions) == 4:
            both.wait(WAIT_SECONDS)  # ends only where two calls run at the same time
        return [10 * question for question in questions]

    calls = Calls(answer, most=4, cores=2, lanes=2)
    assert asyncio.run(asked(calls, *range(9))) == [10 * question for question in range(9)]
    assert seen[0] == (1, 2)
    assert seen[1:] == [(4, 1), (4, 1)]


def test_a_gpu_has_one_call_at_a_time() -> None:
    running, sizes = threading.Lock(), []

    def answer(questions: list[int]) -> list[int]:
        assert running.acquire(blocking=False)
        sizes.append(len(questions))
        running.release()
        return questions

    assert asyncio.run(asked(Calls(answer, most=64, cores=2, lanes=1), *range(70))) == list(range(70))
    assert sizes == [1, 64, 5]


def test_an_error_is_everybodys_of_its_call_and_nobody_elses() -> None:
    def answer(questions: list[int]) -> list[int]:
        if 1 in questions:
            raise BundleError("logits that are not finite")
        return questions

    calls = Calls(answer, most=1, cores=1, lanes=1)

    async def ask() -> list[int | BaseException]:
        return await asyncio.gather(*(calls.ask(question) for question in range(3)), return_exceptions=True)

    first, second, third = asyncio.run(ask())
    assert (first, third) == (0, 2)
    assert isinstance(second, BundleError)


def test_who_does_not_wait_any_more_is_not_answered() -> None:
    answered, may_end = [], threading.Event()

    def answer(questions: list[int]) -> list[int]:
        answered.extend(questions)
        assert may_end.wait(WAIT_SECONDS)
        return questions

    calls = Calls(answer, most=4, cores=1, lanes=1)

    async def ask() -> int:
        first = asyncio.create_task(calls.ask(1))
        gone = asyncio.create_task(calls.ask(2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        last = asyncio.create_task(calls.ask(3))
        await asyncio.sleep(0)
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await first + await last

    assert asyncio.run(ask()) == 4
    assert answered == [1, 3]
