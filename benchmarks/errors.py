"""What can go wrong in a run, each with a sentence for the person who started it."""

from __future__ import annotations


class BenchmarkError(Exception):
    """The run cannot go on; the text says why and what to do."""


class MissingTool(BenchmarkError):
    """A program of the comparison is not installed."""


class LoadFailed(BenchmarkError):
    """A load generator stopped early or said something that was not understood."""


class ServerFailed(BenchmarkError):
    """A server did not start, or did not do the work it was given."""
