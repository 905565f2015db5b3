"""Which streams does a client keep stuck? Pure.

A client that opens its window by a byte now and then, or never, can hold a finished response in memory for ever. What counts
is whether bytes leave, not whether WINDOW_UPDATEs arrive (CVE-2019-9517, CVE-2026-49975).
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.http.limits import SEND_TIMEOUT


class StallWatch:
    """Compares readings of how much of each stream's body has left."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, float]] = {}

    def look(self, progress: Mapping[int, int], now: float) -> list[int]:
        """Streams of which nothing has left for SEND_TIMEOUT. `progress`: stream id → body bytes that have left so far."""
        seen: dict[int, tuple[int, float]] = {}
        for stream_id, left in progress.items():
            before = self._seen.get(stream_id)
            seen[stream_id] = before if before is not None and before[0] == left else (left, now)
        self._seen = seen
        return [stream_id for stream_id, (_, since) in seen.items() if now >= since + SEND_TIMEOUT]
