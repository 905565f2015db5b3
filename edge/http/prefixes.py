"""Which of several path prefixes a request target lies under: the longest one, by whole segments.

`/static` holds `/static` and `/static/a.css`, never `/static-private`. The choice is made on the resolved path, and only if
the path as written leads to the same prefix: see `edge.http.path` for why a target that changes sides is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edge.errors import RequestRefused
from edge.http.path import parse_path

MEMO_TARGETS: Final = 4096
"""Distinct targets remembered; visitors choose them, so the memo is bounded, in number and length."""

MEMO_TARGET: Final = 256


class PrefixTable:
    """A fixed set of prefixes, each decoded, beginning with a slash and without one at the end; "" holds every path."""

    def __init__(self, prefixes: Sequence[str]) -> None:
        encoded = [(prefix.encode(), index) for index, prefix in enumerate(prefixes)]
        encoded.sort(key=lambda item: len(item[0]), reverse=True)
        self._literal = [(prefix, prefix + b"/", index) for prefix, index in encoded]
        self._segments = [(split_prefix(prefixes[index]), index) for _, index in encoded]
        self._known: dict[bytes, int | None] = {}

    def match(self, target: bytes) -> int | None:
        """The position of the longest prefix that `target` (origin-form) lies under, or None.

        Raises: RequestRefused 400 for what `parse_path` refuses and for a path that dots lead from one prefix into another.
        """
        try:
            return self._known[target]
        except KeyError:
            pass
        found = self._match(target)
        if len(target) <= MEMO_TARGET:
            if len(self._known) >= MEMO_TARGETS:
                self._known.clear()
            self._known[target] = found
        return found

    def _match(self, target: bytes) -> int | None:
        path = target.partition(b"?")[0]
        if b"%" in path or b"/." in path:
            return self._match_carefully(target)
        for prefix, with_slash, index in self._literal:
            if path.startswith(with_slash) or path == prefix:
                return index
        return None

    def _match_carefully(self, target: bytes) -> int | None:
        path = parse_path(target)
        found = self._longest(path.segments)
        if path.written is not path.segments and self._longest(path.written) != found:
            raise RequestRefused(400, "path-changes-route")
        return found

    def _longest(self, segments: tuple[bytes, ...]) -> int | None:
        for prefix, index in self._segments:
            if segments[: len(prefix)] == prefix:
                return index
        return None


def split_prefix(prefix: str) -> tuple[bytes, ...]:
    """The segments of a prefix, comparable with the beginning of `TargetPath.segments`."""
    return tuple(prefix.encode().split(b"/")[1:])
