"""What is asked of every server, and what is known to come out: the rows of `docs/reference/upstreams.md`.

A check returns the words of its cell, so a cell that says anything but "yes" is measured like one that does. What is the same
for all servers it asserts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from tests.blackbox.upstreams.site import Site

YES: Final = "yes"
NO: Final = "no"

Check: TypeAlias = Callable[[Site], str]


class Feature(NamedTuple):
    """A row. `differs` are the cells that are not "yes"; `note` explains them."""

    title: str
    check: Check
    differs: Mapping[str, str]
    note: str

    def expected(self, server: str) -> str:
        """The words of a cell."""
        return self.differs.get(server, YES)


FEATURES: Final[dict[str, Feature]] = {}
"""Rows by name, in the order of the page."""


def feature(title: str, differs: Mapping[str, str] | None = None, note: str = "") -> Callable[[Check], Check]:
    """Make a check a row."""

    def register(check: Check) -> Check:
        FEATURES[check.__name__] = Feature(title, check, differs or {}, note)
        return check

    return register


def no_or_yes(good: bool) -> str:
    """A cell's word."""
    return YES if good else NO
