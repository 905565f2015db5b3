"""A CA that has said "not now" to an account has said it to all its certificates: `limits/CA.json`.

Waits that concern one set of names stay with that certificate (`state`); those that concern the account or the whole CA are
kept here, over restarts and for all nodes, and no certificate asks before they are over.
"""

from __future__ import annotations

import hashlib
import re

import msgspec
from msgspec import Struct

from edge.certs.backoff import believable
from edge.errors import StorageError
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger

log = get_logger("certs")


class Hold(Struct, frozen=True):
    """Nothing is ordered before this POSIX time."""

    until: float = 0.0
    cause: str = ""


class Throttle:
    """The wait that one CA has asked for."""

    def __init__(self, storage: Storage, ca: str) -> None:
        readable = re.sub(r"[^A-Za-z0-9.-]+", "-", ca).strip("-.")[:80]
        self._key = f"limits/{readable}-{hashlib.sha256(ca.encode()).hexdigest()[:8]}.json"
        self._storage = storage
        self._hold = Hold()
        self._problem = ""

    def until(self, now: float) -> float:
        """POSIX time before which the CA is not to be asked; in the past when it may be."""
        self._look()
        return believable(self._hold.until, now)

    @property
    def cause(self) -> str:
        """Why, in the CA's words; "" when it has not asked for a wait."""
        return self._hold.cause if self._hold else ""

    def hold(self, until: float, cause: str) -> None:
        """The CA wants to be left alone until then. A shorter wait does not end a longer one."""
        try:
            with self._storage.lock(self._key) as held:
                self._look()
                if self._hold.until >= until:
                    return
                self._hold = Hold(until, cause)
                (held or self._storage).store(self._key, msgspec.json.encode(self._hold))
        except StorageError as exc:
            self._hold = max(self._hold, Hold(until, cause), key=lambda hold: hold.until)
            log.warning("rate limit not saved", cause=str(exc))

    def _look(self) -> None:
        """Another process may have been told to wait as well. What is known here stays when the storage cannot be read."""
        try:
            value = self._storage.load(self._key)
            stored = Hold() if value is None else msgspec.json.decode(value, type=Hold)
        except (StorageError, msgspec.DecodeError, UnicodeDecodeError) as exc:
            if str(exc) != self._problem:
                log.warning("rate limit not read", cause=str(exc))
            self._problem = str(exc)
            return
        self._problem = ""
        self._hold = max(self._hold, stored, key=lambda hold: hold.until)
