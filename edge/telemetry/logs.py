"""Log lines: a constant lower-case event, data as fields.

    log = get_logger("certs")
    log.info("certificate issued", name="example.com", not_after="2027-02-20T10:00:00Z")

debug: per-peer noise. info: what an operator would tell a colleague. warning: heals by itself. error: someone must act.
Never a private key, key authorization, `Authorization` or `Cookie` value, or body; text from the network is stripped.
"""

from __future__ import annotations

import structlog
from structlog.typing import FilteringBoundLogger


def get_logger(room: str) -> FilteringBoundLogger:
    """A logger whose lines carry the room they come from."""
    logger: FilteringBoundLogger = structlog.get_logger(room=room)
    return logger
