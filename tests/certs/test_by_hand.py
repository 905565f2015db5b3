"""What an operator asks for: renewing, revoking, accounts; and the budgets that stand before every order."""

from __future__ import annotations

import asyncio

import pytest

from edge.certs.issuer import ErrorClass, RenewalInfo
from edge.certs.journal import open_journal
from edge.certs.ledger import Event, read_entries
from edge.certs.requests import Answer, ChangeAccount, LookAgain, Reason, Renew, Revoke
from edge.certs.status import read_certificates
from edge.certs.store import CertificateStore, Stored
from tests.certs.fakes import FakeCA, ScriptedIssuer, failure
from tests.certs.material import stored
from tests.certs.virtual_time import START, run
from tests.certs.world import DAY, HOUR, MINUTE, World, config_for

LETS_ENCRYPT = "Let's Encrypt"


def limited_world(*names: str) -> World:
    """A CA whose limits are known."""
    world = World(*names)
    world.issuer.name = world.ca.name = LETS_ENCRYPT
    world.new_process()
    return world


async def renew(world: World, *, force: bool = False) -> Answer:
    return await world.manager.perform(Renew(("example.com",), force))


def served(world: World) -> str:
    return world.publisher.serving["example.com"].serial


def test_a_certificate_that_is_not_due_is_left_alone() -> None:
    """Asking twice costs one order; force makes another."""

    async def main() -> None:
        world = await World().start(5)
        first = served(world)
        answer = await renew(world)
        assert answer.is_done
        assert "nothing to do" in answer.sentences[0]
        assert world.orders == 1
        answer = await renew(world, force=True)
        assert answer.is_done
        assert "a new certificate from Fake CA" in answer.sentences[0]
        assert world.orders == 2
        assert served(world) != first
        await asyncio.sleep(10 * DAY)
        assert world.orders == 2
        await world.manager.stop()

    run(main())


def test_renewing_forgets_the_backoff() -> None:
    """Whoever has repaired the cause need not wait for the next try."""

    async def main() -> None:
        world = World()
        world.issuer.always = failure(ErrorClass.POLICY)
        await world.start(HOUR)
        attempts = len(world.issuer.attempts)
        answer = await renew(world)
        assert not answer.is_done
        assert "not renewed: challenge: scripted policy" in answer.sentences[0]
        assert len(world.issuer.attempts) == attempts + 1
        world.issuer.always = None
        assert (await renew(world)).is_done
        assert world.kind() == "acme"
        await world.manager.stop()

    run(main())


def test_a_forced_renewal_that_fails_is_not_repeated_for_ever() -> None:
    """It was one try; the schedule goes on as before."""

    async def main() -> None:
        world = await World().start(5)
        world.issuer.always = failure(ErrorClass.ORDER)
        assert not (await renew(world, force=True)).is_done
        await asyncio.sleep(20 * DAY)
        assert len(world.issuer.attempts) == 2
        await world.manager.stop()

    run(main())


def test_the_sixth_certificate_for_the_same_names_is_not_ordered() -> None:
    """The answer says why and when; the order is made when the budget has room again."""

    async def main() -> None:
        world = await limited_world().start(5)
        for _ in range(4):
            assert (await renew(world, force=True)).is_done
        assert world.orders == 5
        answer = await renew(world, force=True)
        assert not answer.is_done
        assert (
            "5 certificates for exactly the same names in 7 days, and all are used; not before" in answer.sentences[0]
        )
        assert len(world.issuer.attempts) == 5
        await world.restart(5)
        assert not (await renew(world, force=True)).is_done, "the budget is counted over restarts"
        await asyncio.sleep(34 * HOUR)
        assert (await renew(world, force=True)).is_done
        await world.manager.stop()

    run(main())


def test_a_site_whose_storage_forgets_certificates_stops_before_the_limit() -> None:
    """Five orders in a week, then a wait that is logged and shown, and not one request that the CA would refuse."""

    async def main() -> None:
        world = limited_world()
        for _ in range(8):
            await world.start(MINUTE)
            await world.manager.stop()
            world.storage = world.storage.survivor()
            for path in [path for path in world.storage.files if path.startswith("certs/")]:
                del world.storage.files[path]
            world.new_process()
        assert world.orders == 5
        (entry,) = {entry.ca for entry in read_entries(world.storage)}
        assert entry == LETS_ENCRYPT

    run(main())


def test_the_second_ca_is_asked_when_the_budget_of_the_first_is_used_up() -> None:
    """A wait of more than an hour is what a second CA is for."""

    async def main() -> None:
        world = limited_world()
        world.fallback = [ScriptedIssuer(FakeCA(world.clock, name="Second CA"))]
        world.new_process()
        await world.start(5)
        for _ in range(5):
            assert (await renew(world, force=True)).is_done
        assert (world.orders, len(world.fallback[0].attempts)) == (5, 1)
        await world.manager.stop()

    run(main())


def test_a_renewal_inside_the_window_is_exempt() -> None:
    """The CA has asked for it: no budget holds it back, and it spends none."""

    async def main() -> None:
        world = await limited_world().start(5)
        for _ in range(4):
            await renew(world, force=True)
        now = world.clock()
        world.issuer.window = lambda _chain: RenewalInfo(now + DAY, now + DAY + HOUR)
        await asyncio.sleep(HOUR * 23)  # the new window is learnt
        await asyncio.sleep(HOUR * 4)
        assert world.orders == 6
        assert [entry.exempt for entry in read_entries(world.storage) if entry.event is Event.ISSUED][-1]
        await world.manager.stop()

    run(main())


def test_an_order_that_exists_is_resumed_whatever_the_budget() -> None:
    """It makes no new order, and what it has issued is only fetched."""

    async def main() -> None:
        world = await limited_world().start(5)
        for _ in range(4):
            await renew(world, force=True)
        assert not (await renew(world, force=True)).is_done
        (directory,) = world.storage.list("certs")
        journal = open_journal(world.storage, directory, ("example.com",), LETS_ENCRYPT, finished_key=None)
        journal.order_created(world.ca.new_order(("example.com",)))
        assert (await renew(world, force=True)).is_done
        assert world.orders == 6
        await world.manager.stop()

    run(main())


def test_revoking_replaces_first() -> None:
    """Visitors get the new certificate before the old one is revoked, and the old one is never loaded again."""

    async def main() -> None:
        world = await World().start(5)
        old = served(world)
        answer = await world.manager.perform(Revoke("example.com", Reason.SUPERSEDED))
        assert answer == Answer(True, (answer.sentences[0], f"example.com: serial {old} is revoked"))
        assert served(world) != old
        ((chain, code),) = world.issuer.revoked
        assert (code, chain == world.issuer.replaced[1]) == (4, True)
        assert any("/gen/" in key for key in world.storage.quarantined)
        await world.manager.stop()

    run(main())


def test_what_cannot_be_replaced_is_not_revoked() -> None:
    """A site without a certificate is worse than one whose old certificate lives on."""

    async def main() -> None:
        world = await World().start(5)
        world.issuer.always = failure(ErrorClass.TRANSPORT)
        answer = await world.manager.perform(Revoke("example.com"))
        assert not answer.is_done
        assert answer.sentences[-1] == "example.com: not revoked, because nothing could replace it"
        assert world.issuer.revoked == []
        await world.manager.stop()

    run(main())


def test_a_compromised_key_is_revoked_at_once_and_replaced_as_soon_as_possible() -> None:
    """Also over failures and a restart, although the certificate is far from due."""

    async def main() -> None:
        world = await World().start(5)
        old = served(world)
        world.issuer.always = failure(ErrorClass.TRANSPORT)
        answer = await world.manager.perform(Revoke("example.com", Reason.KEY_COMPROMISE))
        assert not answer.is_done
        assert answer.sentences[0] == f"example.com: serial {old} is revoked"
        assert len(world.issuer.revoked) == 1
        await world.restart(MINUTE)
        assert served(world) == old, "better than nothing"
        world.issuer.always = None
        await asyncio.sleep(HOUR)
        assert served(world) != old
        orders = world.orders
        await asyncio.sleep(10 * DAY)
        assert world.orders == orders
        await world.manager.stop()

    run(main())


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Revoke("example.com", Reason.CESSATION), "still served; take it out of the configuration first"),
        (Revoke("other.test"), "there is no certificate for this name"),
        (Renew(("other.test",)), "orders no certificate for this name"),
        (ChangeAccount("new-key", "Other CA"), "Other CA: no CA with an account; there is Fake CA"),
    ],
)
def test_what_makes_no_sense_is_refused(request_: Revoke | Renew | ChangeAccount, words: str) -> None:
    """With a sentence that says what to do instead."""

    async def main() -> None:
        world = await World().start(5)
        answer = await world.manager.perform(request_)
        assert not answer.is_done
        assert words in answer.sentences[0]
        await world.manager.stop()

    run(main())


def test_a_name_that_is_served_no_longer_is_revoked_without_a_successor() -> None:
    """And its certificate does not come back with the name."""

    async def main() -> None:
        world = await World().start(5)
        world.manager.reconfigure(config_for("another.test"))
        answer = await world.manager.perform(Revoke("example.com", Reason.CESSATION))
        assert answer.is_done
        assert [code for _, code in world.issuer.revoked] == [5]
        orders = world.orders
        world.manager.reconfigure(config_for("example.com"))
        await asyncio.sleep(5)
        assert world.orders == orders + 1
        await world.manager.stop()

    run(main())


@pytest.mark.parametrize("action", ["new-key", "replace", "deactivate"])
def test_an_account_changes_while_no_order_is_under_way(action: str) -> None:
    """An order that signs with the old key while the CA learns the new one would fail."""

    async def main() -> None:
        world = World("a.test", "b.test", "c.test")
        world.config = config_for("a.example.com", "b.example.com")
        world.issuer.seconds = 30.0
        world.new_process()
        await world.manager.start()
        await asyncio.sleep(1)
        change = asyncio.create_task(world.manager.perform(ChangeAccount(action)))  # type: ignore[arg-type]
        await asyncio.sleep(20)
        assert world.issuer.at_once == 2
        assert not world.issuer.account_changes
        assert (await change).is_done
        assert (world.issuer.at_once, world.issuer.account_changes) == (0, [action])
        await world.manager.stop()

    run(main())


def test_a_certificate_put_on_disk_is_served_when_it_is_better() -> None:
    """A newer one at once; an older one never."""

    async def main() -> None:
        world = await World().start(5)
        (directory,) = world.storage.list("certs")
        store = CertificateStore(world.storage, directory, ("example.com",))
        older, newer = stored("example.com", now=START - 5 * DAY), stored("example.com", now=START + DAY)
        store.save(older)
        await world.manager.perform(LookAgain())
        assert world.publisher.serving["example.com"].chain != older.chain
        await asyncio.sleep(2 * DAY)
        store.save(Stored(newer.key, newer.chain, newer.leaf, "Fake CA"))
        await world.manager.perform(LookAgain())
        assert world.publisher.serving["example.com"].chain == newer.chain
        assert world.orders == 1
        await world.manager.stop()

    run(main())


def test_status_tells_what_needs_attention() -> None:
    """From storage and from memory the same: nothing while all is well, a sentence when somebody should look."""

    async def main() -> None:
        world = await World().start(5)
        assert [each.attention for each in world.manager.statuses()] == [""]
        (shown,) = read_certificates(world.storage, world.clock(), read_entries(world.storage))
        assert [entry.event for entry in shown.history] == [Event.ORDERED, Event.ISSUED]
        world.issuer.always = failure(ErrorClass.ACCOUNT)
        await asyncio.sleep(61 * DAY)
        assert [each.attention for each in world.manager.statuses()] == [
            "renewal fails until somebody changes something"
        ]
        await asyncio.sleep(10 * DAY)
        (memory,) = world.manager.statuses()
        (disk,) = read_certificates(world.storage, world.clock())
        assert memory.attention == disk.attention == "less than a quarter of its lifetime is left"
        await world.manager.stop()

    run(main())
