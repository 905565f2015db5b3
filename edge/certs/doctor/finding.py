"""One thing that was looked at, and what came of it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from edge.certs.issuer import ErrorClass


class Grade(StrEnum):
    """How good it is; the values are what people read in front of the sentence."""

    GOOD = "ok"
    UNKNOWN = "unknown"
    """It could not be found out. Never a reason to refuse anything."""
    PROBLEM = "problem"
    """An order will probably fail, or something else deserves attention."""
    CERTAIN = "refused"
    """An order is certain to fail, and none is made while this is so."""


class Finding(Struct, frozen=True):
    """`about` is what was looked at, in a word or two; `sentence` says what was found and what to do."""

    about: str
    grade: Grade
    sentence: str
    error_class: ErrorClass = ErrorClass.DNS
    """For a CERTAIN one: what kind of failure it is for the manager."""

    def __str__(self) -> str:
        return f"{self.grade.value:<8} {self.about}: {self.sentence}"


def good(about: str, sentence: str) -> Finding:
    """All is well."""
    return Finding(about, Grade.GOOD, sentence)


def problem(about: str, sentence: str) -> Finding:
    """Something deserves attention."""
    return Finding(about, Grade.PROBLEM, sentence)


def unknown(about: str, sentence: str) -> Finding:
    """Could not be found out."""
    return Finding(about, Grade.UNKNOWN, sentence)
