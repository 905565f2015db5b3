"""The process that calls the operator's function: a name on standard input, an answer on standard output, line by line.

    python -m edge.certs.on_demand.child MODULE FUNCTION [DIRECTORY]

It says `ready`, then `yes`, `no` or a sentence for each name, and ends with its input. What the function prints goes to
standard error. Only True and False are answers: a coroutine or a query that nobody ran would be true as well.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final, TextIO

READY: Final = "ready"
YES: Final = "yes"
NO: Final = "no"

PATIENCE: Final = 30
"""Seconds after which a call that hangs ends this process, should nobody be there any more to do it."""


def main(arguments: list[str]) -> int:
    """The whole life of the process; its exit status."""
    module, function, directory = arguments
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.path.insert(0, directory or os.getcwd())  # noqa: PTH109  # the same words as the search path has
    try:
        called = find(module, function)
    except Exception as problem:
        say(answers, f"cannot be imported: {_in_words(problem)}")
        return 1
    say(answers, READY)
    for line in sys.stdin:
        signal.alarm(PATIENCE)
        say(answers, answer(called, line.strip()))
        signal.alarm(0)
    return 0


def find(module: str, function: str) -> Callable[[str], Any]:
    """The function. Raises: whatever importing it raises; AttributeError, TypeError when it is not one."""
    found = getattr(importlib.import_module(module), function)
    if not callable(found):
        raise TypeError(f"{function} is no function")
    called: Callable[[str], Any] = found
    return called


def answer(called: Callable[[str], Any], name: str) -> str:
    """`yes`, `no`, or what went wrong."""
    try:
        result = called(name)
    except Exception as problem:
        return f"raised {_in_words(problem)}"
    if isinstance(result, bool):
        return YES if result else NO
    return f"returned {type(result).__name__}; it must return True or False"


def say(answers: TextIO, text: str) -> None:
    """One line."""
    answers.write(" ".join(text.split())[:1000] + "\n")


def _in_words(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
