"""The manager as a whole, in virtual time with a CA that really signs."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from edge.certs.issuer import ErrorClass, RenewalInfo
from edge.certs.status import read_certificates
from edge.config.schema import Acme, Config
from tests.certs.fakes import disk_full, fail_on, failure
from tests.certs.virtual_time import run
from tests.certs.world import DAY, HOUR, MINUTE, World, config_for


def test_a_first_start_serves_a_placeholder_at_once_and_the_real_certificate_soon() -> None:
    """No name is without a certificate from the moment `start` returns, and no CA is asked before that."""

    async def main() -> None:
        world = await World("example.com", "www.example.com", "localhost").start()
        assert {world.kind(name) for name in world.config.names} == {"placeholder"}
        assert not world.issuer.attempts
        await asyncio.sleep(5)
        assert world.kind() == world.kind("www.example.com") == "acme"
        assert world.kind("localhost") == "local"
        await world.manager.stop()
        assert world.issuer.closed

    run(main())


def test_a_restart_with_a_valid_certificate_makes_no_order() -> None:
    """What is on disk is served at once and nothing is ordered until its renewal is due."""

    async def main() -> None:
        world = await World().start(5)
        await world.restart()
        assert world.kind() == "acme"
        assert len(world.publisher.log) == 1
        await asyncio.sleep(DAY)
        await world.manager.stop()
        assert world.orders == 1

    run(main())


@pytest.mark.usefixtures("coarse")
def test_a_year_of_renewals_by_lifetime() -> None:
    """90-day certificates are renewed at two thirds, each with the predecessor named and a new key."""

    async def main() -> None:
        world = await World().start(365 * DAY)
        await world.manager.stop()
        gaps = [b - a for a, b in zip(world.ca.signed_at, world.ca.signed_at[1:], strict=False)]
        assert world.orders == 7
        assert all(59 * DAY < gap < 61 * DAY for gap in gaps)
        assert world.issuer.replaced[0] is None
        assert all(world.issuer.replaced[1:])
        assert len({key.key for _, key in world.publisher.log}) == len(world.publisher.log)

    run(main())


def test_certificates_of_sixty_seconds_leave_no_gap_and_cost_no_surplus_order() -> None:
    """Ten minutes of 60-second certificates: always a valid one in service, one order each half minute."""

    async def main() -> None:
        world = await World(lifetime=60.0).start(5)
        for _ in range(600):
            await asyncio.sleep(1)
            served = world.publisher.serving["example.com"]
            assert served.kind == "acme"
            assert served.not_after > world.clock()
        await world.manager.stop()
        assert 19 <= world.orders <= 21
        assert len(world.storage.list(f"certs/{world.storage.list('certs')[0]}/gen")) == 3

    run(main())


@pytest.mark.usefixtures("coarse")
def test_the_renewal_window_decides_to_the_second() -> None:
    """A window narrower than a minute is hit, and a later window moves the renewal."""

    async def main() -> None:
        world = World()
        start = world.clock() + 30 * DAY
        world.issuer.window = lambda _chain: RenewalInfo(start, start + 10)
        await world.start(31 * DAY)
        await world.manager.stop()
        assert start <= world.issuer.attempts[1] < start + 10

    run(main())


def test_a_ca_that_always_says_in_the_past_gets_two_orders_a_day() -> None:
    """The storm guard holds whatever the CA advises (its limit is five certificates in seven days)."""

    async def main() -> None:
        world = World()
        world.issuer.window = lambda _chain: RenewalInfo(1000.0, 2000.0)
        await world.start(2 * DAY)
        await world.manager.stop()
        signed = world.ca.signed_at
        assert signed[1] - signed[0] >= HOUR
        assert all(later - earlier >= DAY for earlier, later in zip(signed, signed[2:], strict=False))
        assert world.orders <= 5

    run(main())


@pytest.mark.usefixtures("coarse")
def test_advice_is_asked_for_again_after_a_failed_first_look() -> None:
    """Polling goes on with growing pauses, at most six hours, and a window that comes late is obeyed."""

    async def main() -> None:
        world = World()
        world.issuer.poll_failure = failure(ErrorClass.TRANSPORT)
        await world.start(2 * DAY)
        pauses = [b - a for a, b in zip(world.issuer.polls, world.issuer.polls[1:], strict=False)]
        assert pauses[:3] == pytest.approx([60, 120, 240])
        assert max(pauses) == pytest.approx(6 * HOUR)
        world.issuer.poll_failure = None
        start = world.clock() + DAY
        world.issuer.window = lambda _chain: RenewalInfo(start, start + DAY)
        await asyncio.sleep(10 * DAY)
        await world.manager.stop()
        assert start <= world.issuer.attempts[1] < start + DAY

    run(main())


def test_validation_failures_stay_under_the_limit_of_five_an_hour() -> None:
    """A name that cannot be proved is tried four times in the first hour, hourly on the first day, then each six hours."""

    async def main() -> None:
        world = World()
        world.issuer.always = failure(ErrorClass.VALIDATION)
        await world.start(4 * DAY)
        await world.manager.stop()
        first = world.issuer.attempts[0]
        assert sum(at - first < HOUR for at in world.issuer.attempts) <= 5
        assert 20 <= sum(at - first < DAY for at in world.issuer.attempts) <= 33
        assert sum(3 * DAY <= at - first < 4 * DAY for at in world.issuer.attempts) <= 6
        assert world.kind() == "placeholder"

    run(main())


def test_backoff_survives_a_restart() -> None:
    """Restarting in a crash loop must not hammer the CA."""

    async def main() -> None:
        world = World()
        world.issuer.always = failure(ErrorClass.VALIDATION)
        await world.start(30 * MINUTE)
        tried = len(world.issuer.attempts)
        for _ in range(20):
            await world.restart(5)
        await world.manager.stop()
        assert len(world.issuer.attempts) == tried

    run(main())


def test_a_rate_limited_ca_is_not_asked_before_its_retry_after() -> None:
    """Not by time, not by a restart."""

    async def main() -> None:
        world = World()
        moment = world.clock() + 34 * HOUR
        world.issuer.script = [failure(ErrorClass.RATE, retry_after=moment)]
        await world.start(HOUR)
        await world.restart(35 * HOUR)
        await world.manager.stop()
        assert len(world.issuer.attempts) == 2
        assert moment <= world.issuer.attempts[1] <= moment + 61
        assert world.kind() == "acme"

    run(main())


@pytest.mark.usefixtures("coarse")
def test_a_ca_that_is_down_delays_nothing_and_the_old_certificate_stays() -> None:
    """Through the whole outage the certificate from disk is served, expired in the end, and replaced when the CA is back."""

    async def main() -> None:
        world = await World(lifetime=10 * DAY).start(5)
        world.issuer.always = failure(ErrorClass.TRANSPORT)
        await world.restart()
        assert world.kind() == "acme"
        await asyncio.sleep(12 * DAY)
        served = world.publisher.serving["example.com"]
        assert served.kind == "acme"
        assert served.not_after < world.clock()
        world.issuer.always = None
        await asyncio.sleep(8 * HOUR)
        await world.manager.stop()
        assert world.publisher.serving["example.com"].not_after > world.clock()

    run(main())


def test_one_bad_name_does_not_keep_the_others_from_their_certificates() -> None:
    """Each public name has its own certificate, and its own failures."""

    async def main() -> None:
        world = World("good.example.com", "bad.example.com")
        world.issuer.script = [failure(ErrorClass.VALIDATION)]
        await world.start(10)
        await world.manager.stop()
        assert sorted([world.kind("good.example.com"), world.kind("bad.example.com")]) == ["acme", "placeholder"]

    run(main())


def test_four_orders_at_once() -> None:
    """Twenty new names do not storm the CA."""

    async def main() -> None:
        world = await World(*(f"n{number}.example.com" for number in range(20))).start(60)
        await world.manager.stop()
        assert world.issuer.most_at_once == 4
        assert all(world.kind(name) == "acme" for name in world.config.names)

    run(main())


@pytest.mark.parametrize("seconds", [-400 * DAY, -3 * HOUR, 3 * HOUR], ids=["a year back", "back", "forward"])
def test_a_wall_clock_that_jumps_neither_stops_nor_storms(seconds: float) -> None:
    """Decisions follow the wall clock within a minute; what was planned for the wrong time is forgotten."""

    async def main() -> None:
        world = World()
        world.issuer.script = [failure(ErrorClass.VALIDATION)] * 3
        await world.start(10 * MINUTE)
        world.clock.jump(seconds)
        await asyncio.sleep(HOUR)
        await world.manager.stop()
        assert world.kind() == "acme"
        assert world.orders == 1

    run(main())


def test_a_renewal_made_due_by_the_clock_happens_within_a_minute() -> None:
    """A machine that slept for 70 days renews as soon as it wakes."""

    async def main() -> None:
        world = await World().start(MINUTE)
        world.clock.jump(70 * DAY)
        await asyncio.sleep(62)
        await world.manager.stop()
        assert world.orders == 2

    run(main())


def test_a_certificate_that_the_disk_refuses_is_served_and_saved_later_without_a_new_order() -> None:
    """A disk that fills up between order and save costs nothing but memory."""

    async def main() -> None:
        world = World()
        world.storage.before = fail_on("store_directory", "/gen/")
        await world.start(10 * MINUTE)
        assert world.kind() == "acme"
        assert world.orders == 1
        world.storage.before = lambda _operation, _key: None
        await asyncio.sleep(MINUTE + 1)
        await world.restart(5)
        await world.manager.stop()
        assert world.kind() == "acme"
        assert world.orders == 1

    run(main())


def test_a_full_disk_costs_no_request_to_the_ca() -> None:
    """The journal must be writable before the CA is asked."""

    async def main() -> None:
        world = World()

        def full(operation: str, _key: str) -> None:
            if operation in ("store", "store_directory"):
                raise disk_full()

        world.storage.before = full
        await world.start(10 * MINUTE)
        assert not world.issuer.attempts
        world.storage.before = lambda _operation, _key: None
        await asyncio.sleep(2 * MINUTE)
        await world.manager.stop()
        assert world.orders == 1
        assert world.kind() == "acme"

    run(main())


@pytest.mark.parametrize(
    "operation",
    ["load", "store", "store_directory", "point", "resolve", "delete", "list", "quarantine", "lock"],
)
def test_any_storage_call_may_fail_for_an_hour(operation: str) -> None:
    """Serving goes on; when the storage is back there is one order in all, and a certificate on disk."""

    async def main() -> None:
        world = World()
        world.storage.before = fail_on(operation)
        await world.start(HOUR)
        assert world.kind() in ("placeholder", "acme")
        world.storage.before = lambda _operation, _key: None
        await asyncio.sleep(2 * HOUR)
        assert world.kind() == "acme"
        await world.restart(MINUTE)
        await world.manager.stop()
        assert world.kind() == "acme"
        assert world.orders == 1

    run(main())


def test_an_unreadable_storage_at_start_leads_to_no_new_order() -> None:
    """After it comes back, the certificate on it is found and used."""

    async def main() -> None:
        world = await World().start(5)
        await world.manager.stop()
        world.storage = world.storage.survivor()
        world.new_process()
        world.storage.before = fail_on("load")
        await world.start(HOUR)
        world.storage.before = lambda _operation, _key: None
        await asyncio.sleep(2 * MINUTE)
        await world.manager.stop()
        assert world.kind() == "acme"
        assert world.orders == 1

    run(main())


@pytest.mark.usefixtures("coarse")
def test_damaged_state_is_put_aside() -> None:
    """A broken state.json costs nothing but its memory; a broken generation falls back to the one before."""

    async def main() -> None:
        world = await World().start(61 * DAY)
        directory = f"certs/{world.storage.list('certs')[0]}"
        newest = world.storage.list(f"{directory}/gen")[-1]
        world.storage.files[f"{directory}/state.json"] = b"\x00 not json"
        world.storage.files[f"{directory}/gen/{newest}/privkey.pem"] = b"cut o"
        await world.restart()
        assert world.kind() == "acme"
        assert len(world.storage.quarantined) == 2
        await world.manager.stop()

    run(main())


def test_reload_starts_new_names_withdraws_old_ones_and_leaves_the_rest_alone() -> None:
    """An order in flight for an unchanged name goes on through a reload."""

    async def main() -> None:
        world = World("stays.example.com", "goes.example.com")
        world.issuer.seconds = 100.0
        await world.start(60)
        world.manager.reconfigure(config_for("stays.example.com", "comes.example.com"))
        assert world.kind("comes.example.com") == "placeholder"
        assert "goes.example.com" not in world.publisher.serving
        await asyncio.sleep(60)
        assert world.kind("stays.example.com") == "acme"
        await asyncio.sleep(60)
        assert world.kind("comes.example.com") == "acme"
        await world.manager.stop()
        rows = {row.names: row for row in read_certificates(world.storage, world.clock())}
        assert not rows[("goes.example.com",)].in_use
        assert rows[("stays.example.com",)].in_use

    run(main())


def test_a_changed_site_is_tried_at_once() -> None:
    """The operator's change may be the remedy, so backoff starts anew for that site."""

    async def main() -> None:
        world = World()
        world.issuer.always = failure(ErrorClass.VALIDATION)
        await world.start(5 * HOUR)
        world.issuer.always = None
        world.manager.reconfigure(config_for("example.com"))
        await asyncio.sleep(5)
        assert world.kind() == "placeholder"
        world.manager.reconfigure(config_for("example.com", max_body=5))
        await asyncio.sleep(5)
        assert world.kind() == "acme"
        await world.manager.stop()

    run(main())


def test_another_ca_replaces_the_certificate_of_the_former_one() -> None:
    """From staging to production: the old certificate is served until the new CA has issued."""

    async def main() -> None:
        world = await World().start(5)
        first = world.publisher.serving["example.com"]
        acme = Acme(directory="https://other.example/dir")
        world.issuer.name = "Other CA"
        world.manager.reconfigure(msgspec.structs.replace(world.config, acme=acme))
        assert world.publisher.serving["example.com"] == first
        await asyncio.sleep(5)
        assert world.publisher.serving["example.com"] != first
        assert world.issuers_made == [Acme(), acme]
        assert world.issuer.replaced == [None, None]
        await world.restart(HOUR)
        await world.manager.stop()
        assert world.orders == 2

    run(main())


def test_private_names_are_ordered_where_the_operator_says() -> None:
    """An explicit directory gets even localhost; otherwise the local CA does."""

    async def main() -> None:
        world = World("localhost")
        world.config = Config(sites=world.config.sites, storage="/nowhere", acme=Acme(explicit=True))
        world.new_process()
        await world.start(5)
        await world.manager.stop()
        assert world.kind("localhost") == "acme"

    run(main())


def test_a_stop_in_the_middle_of_an_order_resumes_it_at_the_next_start() -> None:
    """The journal has key, request and order URL."""

    async def main() -> None:
        world = World()
        world.issuer.seconds = 60.0
        await world.start(45)
        assert world.orders == 1
        await world.restart(100)
        await world.manager.stop()
        assert world.kind() == "acme"
        assert world.orders == 1

    run(main())


def test_the_status_rows_say_what_the_manager_knows() -> None:
    """`edge certs` reads names, state, expiry, renewal with its reason, and the last error from storage alone."""

    async def main() -> None:
        world = World("example.com", "bad.example.com")
        world.issuer.script = []
        await world.start(5)
        world.manager.reconfigure(config_for("example.com", "bad.example.com", "new.example.com"))
        world.issuer.always = failure(ErrorClass.VALIDATION)
        await asyncio.sleep(30)
        await world.manager.stop()
        rows = {row.names[0]: row for row in read_certificates(world.storage, world.clock())}
        good, new = rows["example.com"], rows["new.example.com"]
        assert (good.state, good.issuer, good.last_error) == ("valid", "Fake CA", "")
        assert good.renew_at is not None
        assert good.renew_reason == "share of its lifetime"
        assert (new.state, new.failures) == ("missing", 1)
        assert new.last_error == "challenge: scripted validation"
        assert new.next_attempt is not None

    run(main())
