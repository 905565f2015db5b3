"""What is remembered about one certificate between attempts and across restarts: `certs/NAME/state.json`.

Losing it costs one early attempt or poll, never a certificate. Times are POSIX seconds, 0.0 for "none".
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from edge.certs.chain import Leaf
from edge.certs.failover import Streak, with_failure
from edge.certs.issuer import ErrorClass, IssueFailed, RenewalInfo
from edge.errors import CertificateError

REMEMBERED_ISSUANCES = 3
"""More than the storm guard looks at."""


class LastError(Struct, frozen=True):
    """The latest failure, in the words of `IssueFailed`."""

    at: float
    error_class: ErrorClass
    phase: str
    detail: str
    hint: str = ""
    ca: str = ""


class CertificateState(Struct, frozen=True):
    """The memory of one certificate. `ca` is the preferred issuer, which the failures belong to."""

    names: tuple[str, ...] = ()
    ca: str = ""
    serial: str = ""
    """The certificate that `window`, `renew_at` and `next_poll` are about."""
    failures: int = 0
    failing_since: float = 0.0
    next_attempt: float = 0.0
    last_error: LastError | None = None
    issued: tuple[float, ...] = ()
    window: RenewalInfo | None = None
    renew_at: float = 0.0
    renew_reason: str = ""
    next_poll: float = 0.0
    poll_failures: int = 0
    ordered_at: float = 0.0
    """When a CA was last asked for a certificate, rather than for a dry run."""
    streaks: tuple[Streak, ...] = ()
    """Failures in a row by CA, which decide whom to ask next."""
    revoked: str = ""
    """Serial of the certificate that was revoked by hand and is to be replaced, whatever else says so."""
    in_use: bool = True
    """Whether the configuration still asks for these names."""


def parse_state(data: bytes) -> CertificateState:
    """Raises: CertificateError for bytes that are no state."""
    try:
        return msgspec.json.decode(data, type=CertificateState)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise CertificateError(f"state.json cannot be read: {exc}") from exc


def format_state(state: CertificateState) -> bytes:
    """JSON, readable by an operator."""
    return msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n"


def for_ca(state: CertificateState, ca: str) -> CertificateState:
    """The same memory seen with another CA: its failures, advice and polls say nothing about this one."""
    if state.ca == ca:
        return msgspec.structs.replace(state, in_use=True)
    return CertificateState(ca=ca, issued=state.issued)


def for_certificate(state: CertificateState, leaf: Leaf, now: float) -> CertificateState:
    """The same memory when `leaf` turns out to be what is on disk.

    It differs from what was remembered after a crash between saving and remembering, or when a damaged generation was put
    aside. Then the advice was for another certificate, and failures older than this one are over.
    """
    if state.serial == leaf.serial:
        return state
    fresh = CertificateState(ca=state.ca, serial=leaf.serial, issued=state.issued, next_poll=now, revoked=state.revoked)
    if state.failures and state.failing_since > leaf.not_before:
        return msgspec.structs.replace(
            fresh,
            failures=state.failures,
            failing_since=state.failing_since,
            next_attempt=state.next_attempt,
            last_error=state.last_error,
            ordered_at=state.ordered_at,
            streaks=state.streaks,
        )
    return fresh


def forgiven(state: CertificateState) -> CertificateState:
    """Backoff forgotten: the operator has changed something that may have been the cause."""
    return msgspec.structs.replace(state, failures=0, failing_since=0.0, next_attempt=0.0, streaks=())


def moved(state: CertificateState, seconds: float) -> CertificateState:
    """The same memory after the wall clock has been set by `seconds`: delays and ages keep their length.

    The CA's window and the renewal time are real moments and stay.
    """
    return msgspec.structs.replace(
        state,
        failing_since=_moved(state.failing_since, seconds),
        next_attempt=_moved(state.next_attempt, seconds),
        issued=tuple(at + seconds for at in state.issued),
        next_poll=_moved(state.next_poll, seconds),
        ordered_at=_moved(state.ordered_at, seconds),
        streaks=tuple(
            msgspec.structs.replace(
                streak, since=streak.since + seconds, last=streak.last + seconds, until=_moved(streak.until, seconds)
            )
            for streak in state.streaks
        ),
    )


def _moved(at: float, seconds: float) -> float:
    return at + seconds if at else 0.0


def failed(state: CertificateState, failure: IssueFailed, next_attempt: float, now: float, ca: str) -> CertificateState:
    """After a failed attempt at `ca`."""
    return msgspec.structs.replace(
        state,
        failures=state.failures + 1,
        failing_since=state.failing_since if state.failures else now,
        next_attempt=next_attempt,
        last_error=LastError(now, failure.error_class, failure.phase, failure.detail, failure.hint, ca),
        streaks=with_failure(state.streaks, ca, failure.error_class, failure.retry_after, now),
    )


def succeeded(state: CertificateState, serial: str, now: float) -> CertificateState:
    """After an issuance: failures forgotten, the CA's advice for the new certificate to be asked at once."""
    issued = (*state.issued, now)[-REMEMBERED_ISSUANCES:]
    return CertificateState(ca=state.ca, serial=serial, issued=issued, next_poll=now)
