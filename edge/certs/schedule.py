"""What one certificate needs next, and when. Pure: the task asks, waits, does it, asks again.

Moments are wall-clock times, because certificates are. Waiting is done on the monotonic clock and for at most a minute, so
that a wall clock that jumps is noticed within that minute and never sleeps anything past its moment.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from edge.certs.backoff import believable
from edge.certs.renewal import Renewal, RenewalReason, Urgency, reminder_interval, renewal, urgency
from edge.certs.state import CertificateState
from edge.certs.store import Stored

LONGEST_SLEEP = 60.0


class Action(StrEnum):
    """Something to do for one certificate; when several are due, the first of this list wins."""

    SAVE = "save"
    """A certificate that a full disk kept from being saved."""
    ISSUE = "issue"
    STAND_IN = "stand in"
    """A new placeholder."""
    POLL = "poll"
    REMIND = "remind"
    """Tell the operator that a certificate is overdue."""


class Due(Struct, frozen=True):
    """Do `action` at the POSIX time `at`; in the past means now."""

    action: Action
    at: float


class Situation(Struct, frozen=True):
    """All that the next step depends on. Times are POSIX seconds, None for "not needed"."""

    live: Stored | None
    """The real certificate in service, saved or not."""
    state: CertificateState
    ca: str
    """Name of the issuer that the configuration prefers."""
    others: tuple[str, ...] = ()
    """Names of those that may stand in for it."""
    held_until: float = 0.0
    """No order before: the CA has said so to all certificates."""
    save_at: float | None = None
    stand_in_at: float | None = None
    reminded_at: float = 0.0
    is_forced: bool = False
    """Somebody has asked for a new certificate now, due or not."""


def renewal_of(situation: Situation, now: float) -> Renewal | None:
    """When and why the live certificate is renewed; None when there is none from the CA that is asked for."""
    live = situation.live
    if live is None or live.issuer not in ("", situation.ca, *situation.others):
        return None
    if situation.state.revoked == live.leaf.serial:
        return Renewal(live.leaf.not_before, RenewalReason.REVOKED)
    return renewal(live.leaf, situation.state.window, situation.state.issued, live.key, now)


def next_due(situation: Situation, now: float) -> Due:
    """The next thing to do for this certificate."""
    wishes = [
        (Action.SAVE, situation.save_at),
        (Action.ISSUE, _issue_at(situation, now)),
        (Action.STAND_IN, situation.stand_in_at),
        (Action.POLL, _poll_at(situation)),
        (Action.REMIND, _remind_at(situation, now)),
    ]
    dues = [Due(action, max(at, now)) for action, at in wishes if at is not None]
    return min(dues, key=lambda due: due.at)


def _issue_at(situation: Situation, now: float) -> float:
    held = believable(situation.held_until, now)
    if situation.is_forced:
        return held
    planned = renewal_of(situation, now)
    return max(planned.at if planned else 0.0, believable(situation.state.next_attempt, now), held)


def _poll_at(situation: Situation) -> float | None:
    """Never after expiry (RFC 9773 §4.3.3), and only where the CA that issued is still configured."""
    live, at = situation.live, situation.state.next_poll
    if live is None or live.issuer not in (situation.ca, *situation.others) or at >= live.leaf.not_after:
        return None
    return at


def _remind_at(situation: Situation, now: float) -> float | None:
    live = situation.live
    if live is None:
        return None  # each failed attempt already says so
    planned = renewal_of(situation, now)
    level = urgency(live.leaf, now)
    if level is Urgency.CALM:
        return live.leaf.not_after - 0.25 * live.leaf.lifetime + 1.0  # a second later it is calm no more
    overdue_at = planned.at if planned and not situation.state.failures else 0.0
    return max(overdue_at, believable(situation.reminded_at, now) + reminder_interval(level))


def sleep_before(due: Due, now: float, chance: float = 0.0) -> float:
    """Seconds to wait before asking again.

    `chance` in [0, 1) shortens a wait that is not the last one: ten thousand tasks that began together must not wake together."""
    wait = max(due.at - now, 0.0)
    return wait if wait <= LONGEST_SLEEP else LONGEST_SLEEP * (1.0 - chance / 2)
