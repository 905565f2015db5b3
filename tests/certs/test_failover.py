"""Which CA is asked, and what one certificate's failure means for the others."""

from __future__ import annotations

import asyncio

import pytest

from edge.certs.failover import Streak, choose_ca, with_failure, with_waits
from edge.certs.issuer import ErrorClass
from edge.certs.rehearsal import wants_rehearsal
from edge.certs.renewal import Urgency
from edge.certs.throttle import Throttle
from tests.certs.fakes import FakeCA, MemoryStorage, ScriptedIssuer, fail_on, failure
from tests.certs.virtual_time import START, run
from tests.certs.world import DAY, HOUR, MINUTE, World

CAS = ("A", "B", "C")
TRANSPORT, RATE, VALIDATION = ErrorClass.TRANSPORT, ErrorClass.RATE, ErrorClass.VALIDATION


def streak(error_class: ErrorClass, failures: int = 1, span: float = 0.0, wait: float = 0.0) -> Streak:
    """At CA A, ended now."""
    return Streak("A", error_class, failures, START - span, START, START + wait if wait else 0.0)


@pytest.mark.parametrize(
    ("failed", "level", "expected"),
    [
        (streak(TRANSPORT, 2, HOUR), Urgency.CALM, "A"),
        (streak(TRANSPORT, 3, 9 * MINUTE), Urgency.CALM, "A"),
        (streak(TRANSPORT, 3, 10 * MINUTE), Urgency.CALM, "B"),
        (streak(TRANSPORT, 1), Urgency.PRESSING, "B"),
        (streak(TRANSPORT, 1), Urgency.NOTHING_VALID, "A"),
        (streak(TRANSPORT, 2), Urgency.NOTHING_VALID, "B"),
        (streak(RATE, 1, wait=HOUR), Urgency.CALM, "A"),
        (streak(RATE, 1, wait=HOUR + 1), Urgency.CALM, "B"),
        (streak(RATE, 1, wait=60), Urgency.CRITICAL, "B"),
        (streak(ErrorClass.ACCOUNT), Urgency.CALM, "B"),
        (streak(ErrorClass.POLICY), Urgency.CALM, "B"),
        (streak(VALIDATION, 9, 23 * HOUR), Urgency.NOTHING_VALID, "A"),
        (streak(VALIDATION, 9, DAY), Urgency.NOTHING_VALID, "B"),
        (streak(ErrorClass.LOCAL, 99, DAY), Urgency.CRITICAL, "A"),
        (streak(ErrorClass.ORDER, 99, DAY), Urgency.CRITICAL, "A"),
        (streak(ErrorClass.DNS, 99, DAY), Urgency.CRITICAL, "A"),
    ],
)
def test_when_a_ca_is_left(failed: Streak, level: Urgency, expected: str) -> None:
    """By class, number, time and urgency; a single CA is never left."""
    assert choose_ca(CAS, [failed], level, START) == expected
    assert choose_ca(("A",), [failed], level, START) == "A"


def test_when_all_have_failed_they_take_turns() -> None:
    """The one asked longest ago is next, unless it wants to be left alone for longer than another."""
    streaks: tuple[Streak, ...] = ()
    asked = []
    for turn in range(6):
        ca = choose_ca(CAS, streaks, Urgency.CRITICAL, START + turn)
        asked.append(ca)
        streaks = with_failure(streaks, ca, TRANSPORT, None, START + turn)
    assert asked == ["A", "B", "C", "A", "B", "C"]
    waits = with_waits(streaks, {"A": START + DAY, "B": 0.0}, START + 9)
    assert choose_ca(CAS, waits, Urgency.CRITICAL, START + 9) == "B"


def test_a_failure_of_another_class_begins_a_new_streak() -> None:
    """A CA that answers again is not out of order, whatever it says."""
    streaks = with_failure((), "A", TRANSPORT, None, START)
    streaks = with_failure(streaks, "A", TRANSPORT, None, START + 1)
    assert streaks == (Streak("A", TRANSPORT, 2, START, START + 1),)
    assert with_failure(streaks, "A", VALIDATION, START + 9, START + 2) == (
        Streak("A", VALIDATION, 1, START + 2, START + 2, START + 9),
    )


def two_cas(*names: str, lifetime: float = 90 * DAY) -> tuple[World, ScriptedIssuer]:
    """A world whose second CA is called B."""
    world = World(*names, lifetime=lifetime)
    spare = ScriptedIssuer(FakeCA(world.clock, lifetime, name="B"))
    world.fallback.append(spare)
    world.new_process()
    return world, spare


def test_a_first_certificate_comes_from_the_second_ca_when_the_first_is_away() -> None:
    """After two failures; what it issued is kept, polled there, and not replaced by the first CA until it is due."""

    async def main() -> None:
        world, spare = two_cas()
        world.issuer.always = failure(TRANSPORT)
        await world.start(10 * MINUTE)
        assert len(world.issuer.attempts) == 2
        assert world.publisher.serving["example.com"].kind == "acme"
        assert len(spare.ca.orders) == 1
        world.issuer.always = None
        await world.restart(DAY)
        await world.manager.stop()
        assert (len(world.issuer.attempts), len(spare.ca.orders)) == (2, 1)
        assert spare.polls
        assert not world.issuer.polls

    run(main())


@pytest.mark.usefixtures("coarse")
def test_every_renewal_begins_with_the_preferred_ca() -> None:
    """And names no predecessor to a CA that has not issued it."""

    async def main() -> None:
        world, spare = two_cas()
        world.issuer.always = failure(ErrorClass.ACCOUNT)
        await world.start(HOUR)
        assert (len(world.issuer.attempts), len(spare.ca.orders)) == (1, 1)
        world.issuer.always = None
        await asyncio.sleep(62 * DAY)
        await world.manager.stop()
        assert (world.orders, len(spare.ca.orders)) == (1, 1)
        assert world.issuer.replaced[-1] is None

    run(main())


def test_a_failed_validation_stays_with_its_ca() -> None:
    """The other CA would see the same."""

    async def main() -> None:
        world, spare = two_cas()
        world.issuer.always = failure(VALIDATION)
        await world.start(20 * HOUR)
        await world.manager.stop()
        assert len(world.issuer.attempts) > 5
        assert not spare.attempts

    run(main())


def test_a_limit_of_the_account_holds_all_certificates_back() -> None:
    """Also after a restart; a limit of one set of names holds only that one back."""

    async def main() -> None:
        names = [f"a{number}.com" for number in range(10)]
        world = World(*names)
        limit = failure(RATE, START + 30 * MINUTE)
        limit.is_shared = True
        world.issuer.always = limit
        await world.start(5 * MINUTE)
        asked = len(world.issuer.attempts)
        assert asked <= 4, "those that were under way together"
        await world.restart(20 * MINUTE)
        assert len(world.issuer.attempts) == asked
        world.issuer.always = None
        await asyncio.sleep(10 * MINUTE)
        assert {world.kind(name) for name in names} == {"acme"}
        await world.manager.stop()
        other = World(*names)
        other.issuer.script = [failure(RATE, START + DAY)]
        await other.start(5 * MINUTE)
        await other.manager.stop()
        assert other.orders == 9

    run(main())


@pytest.mark.parametrize(
    ("failures", "ordered_ago", "expected"),
    [(1, 60, False), (2, 60, True), (4, 60, True), (5, 60, False), (6, 60, True), (11, 60, False), (3, DAY, False)],
)
def test_when_a_proof_is_rehearsed(failures: int, ordered_ago: float, expected: bool) -> None:
    """After two failed validations; not every sixth time, and not when production was last asked a day ago."""
    streaks = [streak(VALIDATION, failures)]
    assert wants_rehearsal(streaks, "A", START - ordered_ago, START) is expected
    assert not wants_rehearsal(streaks, "B", START, START)
    assert not wants_rehearsal([streak(TRANSPORT, failures)], "A", START, START)


def test_a_failed_rehearsal_spares_the_ca() -> None:
    """Failures go on at the test system; when it succeeds, production follows at once; without one nothing changes."""

    async def main() -> None:
        world = World()
        world.issuer.script = [failure(VALIDATION), failure(VALIDATION)]
        world.issuer.rehearsal_failure = failure(VALIDATION)
        await world.start(90 * MINUTE)
        assert len(world.issuer.attempts) == 2
        assert len(world.issuer.rehearsals) == 3
        world.issuer.rehearsal_failure = None
        await asyncio.sleep(2 * HOUR)
        assert world.kind() == "acme"
        assert len(world.issuer.attempts) == 3
        await world.manager.stop()

    run(main())


def test_a_wait_survives_restarts_and_not_a_damaged_file() -> None:
    """A shorter wait does not end a longer one; a disk that fails costs the memory only."""
    storage = MemoryStorage()
    Throttle(storage, "Let's Encrypt (staging)").hold(START + 60, "too many")
    throttle = Throttle(storage, "Let's Encrypt (staging)")
    assert throttle.until(START) == START + 60
    throttle.hold(START + 30, "again")
    assert throttle.until(START) == START + 60
    assert Throttle(storage, "other").until(START) == 0.0
    (key,) = storage.files
    storage.files[key] = b"{"
    assert Throttle(storage, "Let's Encrypt (staging)").until(START) == 0.0
    storage.before = fail_on("store")
    throttle.hold(START + 90, "more")
    assert throttle.until(START) == START + 90
