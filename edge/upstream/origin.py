"""One origin server as a worker knows it: where it is, its idle connections, whether it refused lately."""

from __future__ import annotations

from typing import Final

from edge.config.address import UpstreamAddress
from edge.telemetry.logs import get_logger
from edge.upstream.connection import OriginConnection
from edge.upstream.pool import IdlePool

AVOIDED_SECONDS: Final = 10.0
"""An origin that refused is tried last for so long. nginx: fail_timeout=10s after one failure."""

log = get_logger("upstream")


class Origin:
    """One origin server. Says once when it stops accepting connections, and once when it accepts them again."""

    def __init__(self, address: UpstreamAddress) -> None:
        self.address = address
        self.pool: IdlePool[OriginConnection] = IdlePool()
        self._down_since: float | None = None
        self._failed_at = 0.0

    def __repr__(self) -> str:
        state = "up" if self._down_since is None else "down"
        return f"<Origin {self.address} {state} {len(self.pool)} idle>"

    def is_avoided(self, now: float) -> bool:
        """Whether others should be tried first."""
        return self._down_since is not None and now - self._failed_at < AVOIDED_SECONDS

    def note_refused(self, now: float, word: str) -> None:
        """A connection could not be opened."""
        self._failed_at = now
        if self._down_since is None:
            self._down_since = now
            log.warning("upstream is down", upstream=str(self.address), reason=word)

    def note_opened(self, now: float) -> None:
        """A connection was opened."""
        if self._down_since is not None:
            log.info("upstream is up again", upstream=str(self.address), down_seconds=round(now - self._down_since, 1))
            self._down_since = None
