"""When certificates are renewed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs.chain import Leaf
from edge.certs.issuer import RenewalInfo
from edge.certs.renewal import (
    DAY,
    HOUR,
    Renewal,
    RenewalReason,
    Urgency,
    earliest_again,
    renewal,
    urgency,
)
from tests.certs.virtual_time import START

SECONDS = st.floats(30.0, 398 * DAY)
SEEDS = st.binary(min_size=1, max_size=32)


def leaf(lifetime: float, serial: str = "1a", start: float = START) -> Leaf:
    return Leaf(("example.com",), start, start + lifetime, serial, b"")


@given(lifetime=SECONDS, seed=SEEDS)
def test_without_advice_the_lifetime_decides(lifetime: float, seed: bytes) -> None:
    """Two thirds of the lifetime, half below ten days, ±1 % of it, from 30 seconds to 398 days."""
    planned = renewal(leaf(lifetime), None, (), seed, START)
    share = (planned.at - START) / lifetime
    expected = 1 / 2 if lifetime < 10 * DAY else 2 / 3
    assert share == pytest.approx(expected, abs=0.0101)
    assert planned.reason is RenewalReason.LIFETIME


@given(lifetime=SECONDS, seed=SEEDS, begin=st.floats(-1.0, 0.8), width=st.floats(1e-6, 0.03))
def test_a_window_is_hit_and_a_restart_agrees(lifetime: float, seed: bytes, begin: float, width: float) -> None:
    """The chosen second lies in [start, end) and depends on nothing but certificate, window and seed."""
    window = RenewalInfo(START + begin * lifetime, START + begin * lifetime + width * lifetime + 1e-3)
    planned = renewal(leaf(lifetime), window, (), seed, START)
    assert planned == renewal(leaf(lifetime), window, (), seed, START + 5)
    if planned.reason is RenewalReason.WINDOW:
        assert window.start <= planned.at < window.end
    else:
        assert planned.reason is RenewalReason.LAST_CALL


@given(lifetime=SECONDS, start=st.floats(0.0, 1e11), seed=SEEDS)
def test_no_window_eats_the_last_sixth(lifetime: float, start: float, seed: bytes) -> None:
    """However late a CA's window is, a sixth of the lifetime is left for retries."""
    planned = renewal(leaf(lifetime), RenewalInfo(start, start + DAY), (), seed, START)
    assert planned.at <= START + lifetime * 5 / 6 + 1e-3


def test_windows_are_spread() -> None:
    """Certificates of one CA incident are not all renewed in the same second."""
    window = RenewalInfo(START, START + HOUR)
    moments = {renewal(leaf(90 * DAY, serial=f"{n:x}"), window, (), b"seed", START).at for n in range(50)}
    assert len(moments) == 50
    assert min(moments) < START + 600
    assert max(moments) > START + 3000


@given(lifetime=SECONDS, ages=st.lists(st.floats(0.0, 3 * DAY), max_size=5), seed=SEEDS)
def test_the_storm_guard_holds_against_any_window(lifetime: float, ages: list[float], seed: bytes) -> None:
    """Issuances are min(1 h, 5 % of lifetime) apart and at most two in 24 h, but an expired certificate never waits."""
    now = START + lifetime / 3
    issued = sorted(now - age for age in ages)
    planned = renewal(leaf(lifetime), RenewalInfo(1.0, 2.0), issued, seed, now)
    guard = earliest_again(lifetime, issued, now)
    assert planned.at == pytest.approx(max(planned.at, min(guard, START + lifetime)))
    if issued:
        assert guard >= issued[-1] + min(HOUR, 0.05 * lifetime)
    if lifetime > 2 * DAY and len(issued) >= 2:
        assert guard >= issued[-2] + DAY


def test_issuances_in_the_future_do_not_count() -> None:
    """They come from a clock that was wrong and must not block renewals for years."""
    assert earliest_again(90 * DAY, [START + 100 * DAY], START) == 0.0
    planned = renewal(leaf(90 * DAY), RenewalInfo(1.0, 2.0), [START + 100 * DAY], b"s", START)
    assert planned == Renewal(planned.at, RenewalReason.WINDOW)


@pytest.mark.parametrize(
    ("lifetime", "left", "expected"),
    [
        (90 * DAY, 30 * DAY, Urgency.CALM),
        (90 * DAY, 22 * DAY, Urgency.SOON),
        (90 * DAY, 8 * DAY, Urgency.PRESSING),
        (90 * DAY, 4 * DAY, Urgency.CRITICAL),
        (10 * DAY, 20 * HOUR, Urgency.CRITICAL),
        (160 * HOUR, 30 * HOUR, Urgency.SOON),
        (60.0, 40.0, Urgency.CALM),
        (60.0, 0.0, Urgency.NOTHING_VALID),
    ],
)
def test_urgency(lifetime: float, left: float, expected: Urgency) -> None:
    """25 %, 10 %, 5 % of the lifetime or 24 hours; a short-lived certificate in its first half is calm."""
    assert urgency(leaf(lifetime), START + lifetime - left) is expected
    assert urgency(None, START) is Urgency.NOTHING_VALID
