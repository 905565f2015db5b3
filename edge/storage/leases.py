"""Leases that are held here, and the thread that keeps them from running out.

A thread of its own, with a connection of its own, because the keeper's event loop may be busy when a lease has to be extended.
It lives as long as there is something to extend. A process that is stopped extends nothing: that is what leases are for.
"""

from __future__ import annotations

import threading
from contextlib import suppress

from edge.errors import StorageError
from edge.storage.server import Lease, Server

LEASE_SECONDS = 8.0
"""After this another node takes over from one that died. A node that is merely slow loses nothing but its turn: what it writes
afterwards is refused."""

BEAT_SECONDS = 2.0
"""Three beats may get lost."""


class Leases:
    """All leases of one process. `owner` tells the server, and people who look there, who we are."""

    def __init__(self, server: Server, beats: Server, owner: str) -> None:
        self._server = server
        self._beats = beats
        self._owner = owner
        self._changed = threading.Condition()
        self._held: set[Lease] = set()
        self._lost: set[Lease] = set()
        self._thread: threading.Thread | None = None

    def claim(self, name: str) -> Lease | None:
        """A lease that is extended until it is released; None when somebody else has it. Raises: StorageError."""
        lease = self._server.claim(name, self._owner, LEASE_SECONDS)
        if lease is not None:
            with self._changed:
                self._held.add(lease)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._beat, name="edge-leases", daemon=True)
                    self._thread.start()
        return lease

    def release(self, lease: Lease) -> None:
        """Let others have it. A server that is away frees it by itself."""
        with self._changed:
            self._held.discard(lease)
            self._lost.discard(lease)
            self._changed.notify()
        with suppress(StorageError):
            self._server.release(lease)

    def is_lost(self, lease: Lease) -> bool:
        """Whether the server has said that somebody else has it. It may be lost without our knowing."""
        with self._changed:
            return lease in self._lost

    def _beat(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._held, BEAT_SECONDS)
                if not self._held:
                    self._thread = None
                    break
                held = list(self._held)
            for lease in held:
                self._extend(lease)
        self._beats.close()

    def _extend(self, lease: Lease) -> None:
        with suppress(StorageError):  # the next beat tries again; until somebody claims it, it is not lost
            if not self._beats.extend(lease, LEASE_SECONDS):
                with self._changed:
                    if lease in self._held:
                        self._held.discard(lease)
                        self._lost.add(lease)
