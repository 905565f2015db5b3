"""Records are where the CA will look, seen by all servers, and gone afterwards."""

from __future__ import annotations

import asyncio

import pytest

from edge.certs.dns.delegation import follow
from edge.certs.dns.ledger import KEY, STALE_AFTER, RecordLedger
from edge.certs.dns.persist import PersistentRecord
from edge.certs.dns.propagation import SILENT_LOOKS, is_everywhere, unshown
from edge.certs.dns.provider import TXTRecord
from edge.certs.dns.records import DNSRecords
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.config.endpoint import Endpoint
from edge.storage.contract import Storage
from tests.certs.dns.fakes import SERVERS, MemoryZone
from tests.certs.fakes import MemoryStorage, fail_on
from tests.certs.virtual_time import WallClock, run

PLACE = "_acme-challenge.example.com"
ONE, TWO = TXTRecord(PLACE, "one"), TXTRecord(PLACE, "two")


def records_in(zone: MemoryZone, storage: Storage, clock: WallClock, servers: tuple[Endpoint, ...] = ()) -> DNSRecords:
    return DNSRecords(zone, zone, RecordLedger(storage), timeout=20.0, servers=servers, wall_clock=clock)


def test_two_values_live_side_by_side_and_go_one_by_one() -> None:
    """A name and its wildcard are proved at the same place; changes of the zone come one at a time."""

    async def main() -> None:
        zone, storage = MemoryZone(), MemoryStorage()
        records = records_in(zone, storage, WallClock())
        together = asyncio.Barrier(2)

        async def prove(record: TXTRecord) -> None:
            async with records.presented(record):
                await together.wait()
                assert zone.records == [ONE, TWO]
                await together.wait()

        await asyncio.gather(prove(ONE), prove(TWO))
        assert zone.records == []
        assert zone.most_at_once == 1
        assert storage.files[KEY] == b"[]"

    run(main())


def test_a_value_that_two_attempts_need_stays_until_both_are_done() -> None:
    """The first to finish does not take it from the other."""

    async def main() -> None:
        zone = MemoryZone()
        records = records_in(zone, MemoryStorage(), WallClock())
        async with records.presented(ONE):
            async with records.presented(ONE):
                pass
            assert zone.records == [ONE]
        assert zone.records == []

    run(main())


def test_an_alias_is_followed() -> None:
    """The value goes to the end of the chain of CNAMEs."""

    async def main() -> None:
        zone = MemoryZone()
        zone.aliases = {PLACE: "a.acme.net", "a.acme.net": "b.acme.net"}
        async with records_in(zone, MemoryStorage(), WallClock()).presented(ONE):
            assert zone.records == [TXTRecord("b.acme.net", "one")]
        assert zone.records == []

    run(main())


@pytest.mark.parametrize("loop", [{"a.": "a."}, {"a.": "b.", "b.": "a."}, {f"{n}.": f"{n + 1}." for n in range(50)}])
def test_an_alias_that_leads_nowhere_is_a_failure(loop: dict[str, str]) -> None:
    """Circles and endless chains end with words."""

    async def alias(name: str) -> str:
        return loop.get(name, "")

    with pytest.raises(IssueFailed, match="lead nowhere") as caught:
        asyncio.run(follow(next(iter(loop)), alias))
    assert caught.value.error_class is ErrorClass.DNS


def test_the_ca_looks_only_when_every_server_shows_the_value() -> None:
    """One server that lags behind is waited for."""

    async def main() -> None:
        zone = MemoryZone()
        zone.views = {"ns2.net": [False, False, False, True]}
        start = asyncio.get_running_loop().time()
        async with records_in(zone, MemoryStorage(), WallClock()).presented(ONE):
            assert asyncio.get_running_loop().time() - start == pytest.approx(6.0)

    run(main())


def test_a_value_that_does_not_show_in_time_stays_for_the_next_attempt() -> None:
    """The failure names the server; the order lives; the record is found in place by the next attempt."""

    async def main() -> None:
        zone, storage = MemoryZone(), MemoryStorage()
        zone.views = {"ns2.net": [False]}
        records = records_in(zone, storage, WallClock())
        with pytest.raises(IssueFailed, match=r"not at ns2\.net") as caught:
            async with records.presented(ONE):
                raise AssertionError("the CA must not look")
        assert (caught.value.error_class, caught.value.order_is_dead) == (ErrorClass.DNS, False)
        assert zone.records == [ONE]
        zone.views = {}
        async with records.presented(ONE):
            pass
        assert zone.records == []

    run(main())


def test_a_zero_timeout_does_not_look() -> None:
    """Where servers cannot be reached from here, the operator may turn the check off."""

    async def main() -> None:
        zone = MemoryZone()
        zone.views = {server.name: [None] for server in SERVERS}
        records = DNSRecords(zone, zone, RecordLedger(MemoryStorage()), timeout=0.0, wall_clock=WallClock())
        async with records.presented(ONE):
            assert zone.records == [ONE]

    run(main())


@pytest.mark.parametrize(
    ("answers", "looks", "expected"),
    [
        ([], 0, False),
        ([True, True], 1, True),
        ([True, False], 9, False),
        ([True, None], 1, False),
        ([True, None], SILENT_LOOKS, True),
        ([None, None], 99, False),
        ([False, None], 99, False),
    ],
)
def test_when_a_value_is_everywhere(answers: list[bool | None], looks: int, expected: bool) -> None:
    """Shown by one at least, lacking nowhere; servers that never answer are left out after a while."""
    assert is_everywhere(dict(zip(SERVERS, answers, strict=False)), looks) is expected


def test_what_is_amiss_is_told() -> None:
    """Lagging and silent servers by name and address."""
    words = unshown({SERVERS[0]: False, SERVERS[1]: None})
    assert words == "the record is not at ns1.net (192.0.2.1); no answer from ns2.net (192.0.2.2)"
    assert unshown({})


def test_what_a_crash_left_behind_is_removed_by_a_later_process() -> None:
    """The ledger outlives the process; a record a day old is taken away at the next opportunity."""

    async def main() -> None:
        zone, storage, clock = MemoryZone(), MemoryStorage(), WallClock()
        presented = records_in(zone, storage, clock).presented(ONE)
        await presented.__aenter__()  # and the process dies here
        clock.jump(STALE_AFTER + 1)
        async with records_in(zone, storage.survivor(), clock).presented(TWO):
            assert zone.records == [TWO]
        with pytest.raises(StopAsyncIteration):
            await presented.gen.__anext__()  # let the abandoned generator end

    run(main())


def test_trouble_with_cleaning_up_or_the_disk_fails_no_attempt() -> None:
    """The record is remembered and tried again in a day; a full or damaged disk costs the memory, not the proof."""

    async def main() -> None:
        zone, storage, clock = MemoryZone(), MemoryStorage(), WallClock()
        records = records_in(zone, storage, clock)
        async with records.presented(ONE):
            zone.failing = True
        assert zone.records == [ONE]
        zone.failing = False
        clock.jump(STALE_AFTER + 1)
        async with records.presented(TWO):
            assert zone.records == [TWO]
        storage.files[KEY] = b"{broken"
        storage.before = fail_on("store")
        async with records_in(zone, storage, clock).presented(ONE):
            assert zone.records == [ONE]

    run(main())


@pytest.mark.parametrize(
    ("value", "met", "met_for_wildcard"),
    [
        ("ca.test; accounturi=https://ca/1", True, False),
        ("ca.test; accounturi=https://ca/1; policy=wildcard", True, True),
        (" CA.test. ;policy=Wildcard ; accounturi=https://ca/1;persistUntil=200;new=x", True, True),
        ("ca.test; accounturi=https://ca/1; persistUntil=99", False, False),
        ("ca.test; accounturi=https://ca/1; persistUntil=soon", False, False),
        ("ca.test; accounturi=https://ca/2", False, False),
        ("other.test; accounturi=https://ca/1", False, False),
        ("", False, False),
        ("ca.test", False, False),
    ],
)
def test_which_persistent_record_proves_a_name(value: str, met: bool, met_for_wildcard: bool) -> None:
    """The CA, the account, the policy and the end count; the rest is ignored."""
    plain, wildcard = (PersistentRecord("a.test", ("ca.test",), "https://ca/1", wild) for wild in (False, True))
    assert plain.is_met_by(value, 100.0) is met
    assert wildcard.is_met_by(value, 100.0) is met_for_wildcard
    assert plain.is_met_by(plain.value, 100.0)
    assert wildcard.is_met_by(wildcard.value, 100.0)
