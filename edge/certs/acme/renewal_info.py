"""A CA's advice on when to renew (RFC 9773 §4): what the reply means."""

from __future__ import annotations

from edge.certs.acme.conversation import WORST_SKEW, Conversation
from edge.certs.acme.network import Reply
from edge.certs.acme.problems import ProblemFailure, clean
from edge.certs.acme.resources import RenewalDocument
from edge.certs.issuer import ErrorClass, IssueFailed, RenewalAnswer, RenewalInfo

ASK_AGAIN = 6 * 3600.0
"""Seconds when the CA does not say, or has no usable answer (RFC 9773 §4.3.2)."""

SOONEST, LATEST = 60.0, 86400.0
"""Seconds. A Retry-After is believed between these (RFC 9773 §4.3.1)."""


async def ask_renewal_info(conversation: Conversation, identifier: str, now: float) -> RenewalAnswer:
    """The advice for the certificate with this ARI identifier.

    Raises: IssueFailed when asking later may help; a CA that knows no advice gives an answer without a window."""
    base = conversation.directory.renewal_info
    if not base or not identifier:
        return RenewalAnswer(None, now + LATEST)
    try:
        reply = await conversation.get("renewal info", f"{base.rstrip('/')}/{identifier}")
    except ProblemFailure as exc:
        if exc.error_class in (ErrorClass.TRANSPORT, ErrorClass.RATE):
            raise
        return RenewalAnswer(None, now + ASK_AGAIN)
    return read_renewal_info(reply, now)


def read_renewal_info(reply: Reply, now: float) -> RenewalAnswer:
    """The answer in a reply. A window that ends before it starts is no answer (RFC 9773 §4.2)."""
    again = now + ASK_AGAIN if reply.retry_after is None else _clamp(reply.retry_after, now + SOONEST, now + LATEST)
    try:
        document = reply.decode(RenewalDocument, "renewal info")
        start, end = (moment.timestamp() for moment in (document.window.start, document.window.end))
    except (IssueFailed, ValueError, OverflowError):
        return RenewalAnswer(None, again)
    if end <= start:
        return RenewalAnswer(None, again)
    # A clock that is badly off would miss a window that may be only hours wide: express it in our clock.
    skew = reply.skew if abs(reply.skew) > WORST_SKEW else 0.0
    return RenewalAnswer(RenewalInfo(start - skew, end - skew, _explanation(document.explanation_url)), again)


def _explanation(url: str | None) -> str:
    return clean(url) if url and url.startswith("https://") else ""


def _clamp(value: float, lowest: float, highest: float) -> float:
    return min(max(value, lowest), highest)
