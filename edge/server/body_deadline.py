"""When a request body is too slow. Pure.

Idle time alone would let one byte a minute hold an exchange for ever, so after the idle time a body must also have come at a
minimum rate on average. Time during which we did not want it does not count.
"""

from __future__ import annotations

from edge.http.limits import BODY_IDLE_TIMEOUT, MIN_BODY_RATE
from edge.net.deadlines import NEVER
from edge.server.exchange import RequestBody


def body_deadline(body: RequestBody) -> float:
    """The monotonic moment at which the body, as far as it has come, counts as too slow."""
    if body.paused or body.ended:
        return NEVER
    idle = body.progress + BODY_IDLE_TIMEOUT
    rate = body.since + BODY_IDLE_TIMEOUT + body.received / MIN_BODY_RATE
    return min(idle, rate)
