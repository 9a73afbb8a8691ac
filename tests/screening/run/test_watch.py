"""A process that hangs ends itself and says where; one that comes on, however slowly, does not."""

import subprocess
import sys
import textwrap

HEAD = """
import ctypes, threading, time
from screening.run.watch import Watch
watch = Watch(1.0)
"""


def run(body: str) -> tuple[int, str]:
    """Run a program that has a watch; return its exit code and what it wrote to stderr."""
    program = HEAD + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def test_a_call_that_holds_pythons_lock_ends_with_the_process_and_its_frames() -> None:
    code, said = run("""
        def stuck(patient):
            with watch:
                ctypes.PyDLL(None).sleep(600)

        stuck("a name that nobody may read")
    """)
    assert code == 1
    assert "in stuck" in said
    assert "nobody may read" not in said


def test_a_call_beside_one_that_hangs_may_end_and_the_process_ends_after_it() -> None:
    code, said = run("""
        def stuck():
            with watch:
                threading.Event().wait()

        threading.Thread(target=stuck).start()
        for _ in range(4):
            with watch:
                time.sleep(0.5)
        print("answered", flush=True)
    """)
    assert code == 1
    assert "in stuck" in said


def test_calls_that_come_on_and_a_process_without_calls_are_left_alone() -> None:
    assert run("""
        with watch:
            for _ in range(4):
                time.sleep(0.5)
                watch.came_on()
        time.sleep(1.5)
    """) == (0, "")
