"""Certificates on demand that nobody will want again: removed from disk a month after their end, slowly and once a day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Container
from typing import Final

from edge.certs.housekeeping import KEPT_AFTER_EXPIRY
from edge.certs.identifiers import ON_DEMAND
from edge.certs.renewal import DAY, HOUR
from edge.certs.store import CertificateStore
from edge.errors import StorageError
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger

INTERVAL: Final = DAY

PAUSE: Final = 0.05
"""Seconds between two certificates: ten thousand of them take some minutes, and nobody waits."""

KEPT_WITHOUT_CERTIFICATE: Final = 7 * DAY
"""What is remembered of a name whose orders failed."""

log = get_logger("certs")


async def tidy_for_ever(storage: Storage, held: Container[str], wall_clock: Callable[[], float] = time.time) -> None:
    """Once a day, until cancelled. Names in `held` are left alone. Trouble with the disk is logged, no more."""
    while True:
        await asyncio.sleep(INTERVAL)
        try:
            for directory in storage.list("certs"):
                if directory.endswith(ON_DEMAND):
                    tidy(CertificateStore(storage, directory, ()), held, wall_clock())
                    await asyncio.sleep(PAUSE)
        except StorageError as exc:
            log.warning("unused certificates not tidied", cause=str(exc))


def tidy(store: CertificateStore, held: Container[str], now: float) -> None:
    """Remove one directory if its time has come. Raises: StorageError."""
    stored, state = store.load(), store.load_state()
    if any(name in held for name in state.names):
        return
    if stored is not None:
        is_over = stored.leaf.not_before <= now + HOUR and stored.leaf.not_after < now - KEPT_AFTER_EXPIRY
    else:
        is_over = (state.last_error.at if state.last_error else 0.0) < now - KEPT_WITHOUT_CERTIFICATE
    if is_over:
        with store.exclusive() as got:
            if got:
                store.writer.delete(f"certs/{store.directory}")
                log.info("unused certificate removed", name=store.directory)
