"""What can go wrong in a run, each with a sentence for the person who started it."""

from __future__ import annotations


class BenchmarkError(Exception):
    """The run cannot go on; the text says why and what to do."""


class MissingTool(BenchmarkError):
    """A program of the comparison is not installed."""


class LoadFailed(BenchmarkError):
    """A load generator stopped early or said something that was not understood."""


class GeneratorDied(LoadFailed):
    """A load generator crashed or was killed; the server is not to blame, and another attempt may work."""


class ServerFailed(BenchmarkError):
    """A server did not start, or did not do the work it was given."""


def first_and_last_line(problem: Exception) -> str:
    """What happened, and the last thing that the program in question said about it."""
    lines = [line for line in str(problem).splitlines() if line.strip()] or [type(problem).__name__]
    return lines[0] if len(lines) == 1 else f"{lines[0]} {lines[-1][:300]}"
