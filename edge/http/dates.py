"""HTTP dates: moments in whole seconds, always in GMT, always in English (RFC 9110 §5.6.7).

Written in one form, read in three: two of them are obsolete, and a recipient must still accept them. Nothing here looks at
the process's locale or time zone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBER: Final = {name.encode(): number for number, name in enumerate(_MONTHS, 1)}

_DAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY = rb"(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_MONTH = b"(?P<month>" + b"|".join(_MONTH_NUMBER) + b")"
_TIME = rb"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS: Final = tuple(
    re.compile(form).fullmatch
    for form in (
        _DAY + rb", (?P<day>[0-9]{2}) " + _MONTH + rb" (?P<year>[0-9]{4}) " + _TIME + rb" GMT",
        _LONG_DAY + rb", (?P<day>[0-9]{2})-" + _MONTH + rb"-(?P<year>[0-9]{2}) " + _TIME + rb" GMT",
        _DAY + rb" " + _MONTH + rb" (?P<day>[0-9]{2}| [0-9]) " + _TIME + rb" (?P<year>[0-9]{4})",
    )
)
"""IMF-fixdate; RFC 850; asctime. Case matters in all of them."""


def format_http_date(posix_seconds: float) -> bytes:
    """The moment as IMF-fixdate, e.g. `Sun, 06 Nov 1994 08:49:37 GMT`; fractions of a second are cut off."""
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(posix_seconds)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT".encode()


def parse_http_date(value: bytes, now: float | None = None) -> int | None:
    """POSIX seconds of an HTTP date in any of the three forms, or None for anything else.

    A leap second counts as the second after it. The day name must be one, but is not held against the date. `now` (POSIX
    seconds, by default the clock's) places the two-digit years of the RFC 850 form.
    """
    for form in _FORMS:
        if match := form(value):
            return _posix_seconds(match, now)
    return None


def _posix_seconds(match: re.Match[bytes], now: float | None) -> int | None:
    year, second = int(match["year"]), int(match["second"])
    if len(match["year"]) == 2:
        year = _full_year(year, time.time() if now is None else now)
    if second > 60:
        return None
    try:
        minute = datetime(
            year, _MONTH_NUMBER[match["month"]], int(match["day"]), int(match["hour"]), int(match["minute"]), tzinfo=UTC
        )
    except ValueError:
        return None
    return int(minute.timestamp()) + second


def _full_year(two_digits: int, now: float) -> int:
    """RFC 9110 §5.6.7: a year that would be more than 50 years ahead is the latest past year with these digits."""
    this_year = time.gmtime(now).tm_year
    year = this_year - this_year % 100 + two_digits
    return year - 100 if year > this_year + 50 else year


class DateCache:
    """The value of the `date` field, formatted once a second (RFC 9110 §6.6.1).

    A clock set back is followed like any other: the cache compares for equality, not for order.
    """

    __slots__ = ("_clock", "_second", "_value")

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._second: int | None = None
        self._value = b""

    def current(self) -> bytes:
        """The date of this second."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._value = format_http_date(second)
        return self._value
