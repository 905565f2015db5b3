"""Certificates on disk that the configuration no longer asks for: marked, kept while they may be useful, then removed.

A name that comes back within a month finds its certificate again and costs no order.
"""

from __future__ import annotations

import msgspec

from edge.certs.identifiers import ON_DEMAND
from edge.certs.renewal import DAY, HOUR
from edge.certs.state import CertificateState
from edge.certs.store import CertificateStore
from edge.errors import StorageError
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger

KEPT_AFTER_EXPIRY = 30 * DAY

log = get_logger("certs")


def retire_unused(storage: Storage, wanted: set[str], now: float) -> None:
    """Go through all certificate directories but those in `wanted` and those of names on demand.

    Trouble with the disk is logged, no more. What starts more than an hour in the future stays: the clock cannot be trusted then.
    """
    try:
        for directory in storage.list("certs"):
            if directory not in wanted and not directory.endswith(ON_DEMAND):
                _retire(CertificateStore(storage, directory, ()), now)
    except StorageError as exc:
        log.warning("unused certificates not tidied", cause=str(exc))


def _retire(store: CertificateStore, now: float) -> None:
    stored, state = store.load(), store.load_state()
    if stored and stored.leaf.not_before <= now + HOUR and stored.leaf.not_after < now - KEPT_AFTER_EXPIRY:
        with store.exclusive() as got:
            if got:
                store.writer.delete(f"certs/{store.directory}")
                log.info("unused certificate removed", name=store.directory)
    elif state.in_use:
        store.store_state(_unused(state))


def _unused(state: CertificateState) -> CertificateState:
    return msgspec.structs.replace(state, in_use=False)
