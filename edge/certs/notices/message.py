"""A notice in words for people, and as JSON for programs. Pure.

Names have been checked when the configuration was read; what CAs say has been stripped of control characters. So nothing in a
subject can begin another field.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from edge.certs.messages import in_words, utc
from edge.certs.notices.due import Concern, Level

MOST_IN_WORDS = 50
"""Certificates that a message describes one by one; a CA that is down for a week may concern ten thousand."""


class Notice(Struct, frozen=True):
    """One message about one or several certificates."""

    subject: str
    text: str
    events: tuple[dict[str, object], ...] = ()
    """For programs: level, names, expires (POSIX or None), issuer, problem."""

    def as_json(self) -> bytes:
        """An object with `text` (what chat services show), `subject` and `certificates`."""
        text = f"{self.subject}\n{self.text}"
        return msgspec.json.encode({"text": text, "subject": self.subject, "certificates": self.events})


TRIAL = Notice("edge: this is a test", "Notices about certificates that run out will arrive like this one.")


def write_notice(found: list[Concern], host: str, now: float) -> Notice:
    """The message about these certificates; `host` is this machine."""
    lines = [_line(concern, now) for concern in found[:MOST_IN_WORDS]]
    if len(found) > MOST_IN_WORDS:
        lines.append(f"… and {len(found) - MOST_IN_WORDS} more; edge certs lists them")
    return Notice(_subject(found), "\n".join([*lines, "", f"edge on {host}"]), tuple(map(_event, found)))


def _subject(found: list[Concern]) -> str:
    first = found[0]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    words = {
        Level.SOON: "runs out",
        Level.EXPIRED: "has expired",
        Level.MISSING: "is missing",
        Level.WELL: "is well again",
    }
    return f"edge: the certificate of {_name(first)}{more} {words[first.level]}"


def _name(concern: Concern) -> str:
    return concern.status.names[0] if concern.status.names else concern.status.directory


def _line(concern: Concern, now: float) -> str:
    status, names = concern.status, ", ".join(concern.status.names[:5]) or concern.status.directory
    if concern.level is Level.WELL:
        return f"{names}: well again" + (f", valid until {utc(status.not_after)}" if status.not_after else "")
    problem = status.last_error or ("it is yours to renew" if status.issuer == "own" else "")
    hint = f" What to do: {status.last_hint}." if status.last_hint else ""
    cause = f" Problem: {problem}.{hint}" if problem else ""
    again = f" Next try: {utc(status.next_attempt)}." if status.next_attempt else ""
    return f"{names}: {_state(concern, now)}.{cause}{again}"


def _state(concern: Concern, now: float) -> str:
    end = concern.status.not_after
    if end is None:
        return "there is no certificate, browsers warn"
    if end <= now:
        return f"expired {utc(end)}, browsers warn"
    return f"expires {utc(end)}, in {in_words(end - now)}"


def _event(concern: Concern) -> dict[str, object]:
    status = concern.status
    return {
        "level": concern.level.value,
        "names": status.names,
        "expires": status.not_after,
        "issuer": status.issuer,
        "problem": status.last_error,
    }
