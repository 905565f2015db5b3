"""What a worker's loop does with what its callbacks raise."""

from __future__ import annotations

import asyncio
import os

import pytest

from edge.process.event_loop import EXIT_OUT_OF_MEMORY, new_event_loop


def run_in_child(problem: BaseException) -> int:
    """The exit status of a process whose loop meets a callback that raises `problem`, and then a second one."""
    pid = os.fork()
    if pid == 0:
        loop = new_event_loop("asyncio")
        loop.call_soon(_throw, problem)
        loop.call_soon(os._exit, 0)
        loop.run_forever()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _throw(problem: BaseException) -> None:
    raise problem


@pytest.mark.parametrize(("problem", "status"), [(ValueError("a bug"), 0), (MemoryError(), EXIT_OUT_OF_MEMORY)])
def test_a_loop_survives_a_bug_and_not_a_lack_of_memory(problem: Exception, status: int) -> None:
    """A bug costs one callback; without memory nothing is certain any more, and another process must begin anew."""
    assert run_in_child(problem) == status
    asyncio.set_event_loop(None)
