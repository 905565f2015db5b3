"""Which certificates somebody must hear of now. Pure.

    soon       less than a quarter of the lifetime is left: renewal, planned at a third or a half, keeps failing
    expired    browsers refuse it
    missing    there is none, for an hour already
    well       what was told before is over

Each is told once, and again every day while it lasts; `well` is told once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from edge.certs.renewal import DAY, HOUR
from edge.certs.status import ALARM_SHARE, CertificateStatus

PATIENCE = HOUR
"""Seconds for the first certificate of a name: its DNS may just be moving here."""

REPEATED_AFTER = DAY


class Level(StrEnum):
    """How bad it is."""

    SOON = "soon"
    EXPIRED = "expired"
    MISSING = "missing"
    WELL = "well"


class Told(Struct, frozen=True):
    """The last notice about one certificate: what, and when (POSIX time)."""

    level: Level
    at: float


class Concern(Struct, frozen=True):
    """One certificate that somebody must hear of."""

    level: Level
    status: CertificateStatus


def concerns(
    statuses: Iterable[CertificateStatus], told: Mapping[str, Told], now: float
) -> tuple[list[Concern], dict[str, Told]]:
    """What is to be told now, and the memory once that has been done. The memory's keys are directories of certificates;
    those that are no longer asked for are forgotten."""
    found: list[Concern] = []
    memory: dict[str, Told] = {}
    for status in statuses:
        before = told.get(status.directory)
        level = level_of(status, now)
        if _must_hear(level, before, now):
            found.append(Concern(level, status))
            before = Told(level, now)
        if before is not None and level is not Level.WELL:
            memory[status.directory] = before
    return found, memory


def level_of(status: CertificateStatus, now: float) -> Level:
    """How it stands."""
    if not status.in_use:
        return Level.WELL
    if status.not_after is None:
        is_late = status.failing_since is not None and now - status.failing_since >= PATIENCE
        return Level.MISSING if is_late else Level.WELL
    if status.not_after <= now:
        return Level.EXPIRED
    return Level.SOON if status.not_after - now < ALARM_SHARE * status.lifetime else Level.WELL


def _must_hear(level: Level, before: Told | None, now: float) -> bool:
    if level is Level.WELL:
        return before is not None
    # A time in the future is one that a clock has told which was wrong.
    return before is None or before.level is not level or not 0 <= now - before.at < REPEATED_AFTER
