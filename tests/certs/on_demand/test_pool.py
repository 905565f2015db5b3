"""Names on demand in the manager as a whole, in virtual time with a CA that really signs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine

import msgspec
import pytest

from edge.certs.issuer import ErrorClass
from edge.certs.on_demand import build, pool
from edge.certs.on_demand.ask import AskFailed
from edge.certs.on_demand.entry import GENERAL_WORDS
from edge.certs.on_demand.tidying import KEPT_WITHOUT_CERTIFICATE
from edge.config.on_demand_schema import AskCallable, OnDemand
from edge.config.schema import Config
from edge.tls.certified_key import CertifiedKey
from edge.tls.name_answer import NameAnswer
from tests.certs.fakes import failure
from tests.certs.virtual_time import run
from tests.certs.world import DAY, HOUR, MINUTE, World, config_for

SHOP = "www.shop.com"


class ScriptedAsk:
    """Says yes to `welcome`, after a second; fails while `is_down`."""

    def __init__(self) -> None:
        self.welcome = {SHOP, "shop.com"}
        self.is_down = False
        self.asked: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0

    async def ask(self, name: str) -> bool:
        self.asked[name] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(1)
        self.at_once -= 1
        if self.is_down:
            raise AskFailed("nobody is there")
        return name in self.welcome

    async def close(self) -> None:
        pass


class Market(World):
    """A world whose only site serves names on demand. `heard` is what workers were told."""

    def __init__(self, ask: ScriptedAsk, *, lifetime: float = 90 * DAY, **settings: int) -> None:
        super().__init__("service.com", lifetime=lifetime)
        self.ask = ask
        site = msgspec.structs.replace(self.config.sites[0], on_demand=True)
        on_demand = OnDemand(AskCallable("m", "f"), **settings)
        self.config: Config = msgspec.structs.replace(self.config, sites=(site,), on_demand=on_demand)
        self.heard: list[CertifiedKey | NameAnswer] = []
        self.new_process()

    def want(self, name: str = SHOP, client: str = "192.0.2.1", worker: int = 1) -> None:
        self.manager.want(name, client, worker, self.heard.append)

    def verdicts(self, name: str = SHOP) -> list[str]:
        """Words for what was heard about a name."""
        return [
            "served" if isinstance(each, CertifiedKey) else each.verdict
            for each in self.heard
            if name in (each.names if isinstance(each, CertifiedKey) else (each.name,))
        ]

    async def wanted(self, name: str = SHOP, seconds: float = 10.0, **who: int) -> list[str]:
        """What is heard within so many seconds of wanting a name."""
        self.heard.clear()
        self.want(name, **who)  # type: ignore[arg-type]  # only the worker is given by number
        await asyncio.sleep(seconds)
        return self.verdicts(name)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> ScriptedAsk:
    scripted = ScriptedAsk()
    monkeypatch.setattr(build, "build_ask", lambda _settings, _config: scripted)
    return scripted


def play(scene: Callable[[Market], Coroutine[None, None, None]], ask: ScriptedAsk, **settings: int) -> Market:
    async def main() -> Market:
        market = Market(ask, **settings)
        await market.start(5)
        await scene(market)
        await market.manager.stop()
        return market

    return run(main())


def test_a_welcome_name_is_ordered_and_served(ask: ScriptedAsk) -> None:
    """Asked once, ordered once; the worker hears that it is pending, then gets the certificate."""

    async def scene(market: Market) -> None:
        assert await market.wanted() == ["pending", "served"]
        assert await market.wanted() == ["served"]
        assert (market.orders, ask.asked) == (2, Counter([SHOP]))

    play(scene, ask)


def test_however_many_want_it_there_is_one_question_and_one_order(ask: ScriptedAsk) -> None:
    """Each worker is told once it is there, those that came during the question and those that came during the order."""

    async def scene(market: Market) -> None:
        for worker in range(1, 5):
            market.want(worker=worker)
            await asyncio.sleep(0.6)
        await asyncio.sleep(10)
        assert market.verdicts().count("served") == 4
        assert (market.orders, ask.asked[SHOP]) == (2, 1)

    play(scene, ask)


def test_no_is_remembered_for_a_while(ask: ScriptedAsk) -> None:
    """A customer who is entered later waits no longer than that; nothing about a stranger is written to disk."""

    async def scene(market: Market) -> None:
        before = set(market.storage.files)
        assert await market.wanted("late.com") == ["refused"]
        assert await market.wanted("late.com") == ["refused"]
        assert ask.asked["late.com"] == 1
        assert set(market.storage.files) == before
        ask.welcome.add("late.com")
        await asyncio.sleep(10 * MINUTE)
        assert await market.wanted("late.com") == ["pending", "served"]

    play(scene, ask)


def test_no_answer_is_no_verdict(ask: ScriptedAsk) -> None:
    """The name is refused for the moment and asked about again soon."""

    async def scene(market: Market) -> None:
        ask.is_down = True
        assert await market.wanted() == ["refused"]
        assert ask.asked[SHOP] == 3
        ask.is_down = False
        assert await market.wanted() == ["pending", "served"]

    play(scene, ask)


def test_a_restart_serves_from_disk_and_asks_nobody(ask: ScriptedAsk) -> None:
    """Also when the name would no longer be welcome, as long as the certificate is good."""

    async def scene(market: Market) -> None:
        await market.wanted()
        ask.welcome.clear()
        ask.asked.clear()
        await market.restart(5)
        assert await market.wanted() == ["served"]
        assert not ask.asked

    play(scene, ask)


@pytest.mark.usefixtures("coarse")
def test_a_renewal_is_asked_for(ask: ScriptedAsk) -> None:
    """While the answer is yes the certificate is renewed and every worker that holds the old one gets the new one."""

    async def scene(market: Market) -> None:
        for _ in range(8):  # somebody comes every ten days
            await market.wanted(seconds=10 * DAY)
        assert ask.asked[SHOP] == 2
        renewed = [key for _, key in market.publisher.log if key.names == (SHOP,)]
        assert len(renewed) == 1

    play(scene, ask)


@pytest.mark.usefixtures("coarse")
def test_a_no_ends_renewal_but_not_what_is_served(ask: ScriptedAsk) -> None:
    """A customer who has left is served until the certificate ends, then refused; no CA is bothered, nobody is reminded."""

    async def scene(market: Market) -> None:
        await market.wanted()
        ask.welcome.clear()
        for _ in range(8):
            assert await market.wanted(seconds=10 * DAY) == ["served"]
        assert (await market.wanted(seconds=10 * DAY))[0] == "served"
        assert (await market.wanted())[-1] == "refused"
        assert sum(SHOP in order.names for order in market.ca.orders.values()) == 1

    play(scene, ask)


@pytest.mark.usefixtures("coarse")
def test_a_name_that_nobody_wants_is_not_renewed(ask: ScriptedAsk) -> None:
    """It leaves the memory, and comes back with one question and one order when somebody does."""

    async def scene(market: Market) -> None:
        await market.wanted()
        await asyncio.sleep(200 * DAY)
        assert sum(SHOP in order.names for order in market.ca.orders.values()) == 1
        assert await market.wanted() == ["pending", "served"]

    play(scene, ask)


def test_a_failure_is_told_with_its_reason_and_its_wait(ask: ScriptedAsk) -> None:
    """Visitors do not wait for the next attempt; what the CA could not do they read, anything else is not for them."""

    async def scene(market: Market) -> None:
        market.issuer.script = [failure(ErrorClass.VALIDATION), failure(ErrorClass.LOCAL)]
        assert await market.wanted() == ["pending", "failed"]
        (told,) = [each for each in market.heard if isinstance(each, NameAnswer) and each.verdict == "failed"]
        assert "scripted validation" in told.problem
        assert 5.0 <= told.seconds <= 2 * MINUTE
        assert await market.wanted(seconds=MINUTE) == ["failed"]
        assert await market.wanted(seconds=5 * MINUTE) == ["failed"]
        assert [each.problem for each in market.heard if isinstance(each, NameAnswer)] == [GENERAL_WORDS]
        assert await market.wanted() == ["served"]

    play(scene, ask)


def test_a_failure_is_remembered_over_a_restart(ask: ScriptedAsk) -> None:
    """A keeper that starts again does not order again before the time."""

    async def scene(market: Market) -> None:
        market.issuer.always = failure(ErrorClass.POLICY)
        assert await market.wanted() == ["pending", "failed"]
        attempts = len(market.issuer.attempts)
        await market.restart(5)
        assert await market.wanted() == ["pending", "failed"]
        assert len(market.issuer.attempts) == attempts

    play(scene, ask)


def test_one_domain_has_a_budget(ask: ScriptedAsk) -> None:
    """The customer's own names wait; those of others do not."""

    async def scene(market: Market) -> None:
        ask.welcome |= {"a.shop.com", "other.com"}
        assert await market.wanted("shop.com") == ["pending", "served"]
        assert await market.wanted("a.shop.com") == ["pending", "failed"]
        assert await market.wanted("other.com") == ["pending", "served"]
        assert await market.wanted("a.shop.com") == ["failed"]

    play(scene, ask, orders_per_domain=1)


def test_a_flood_of_names_asks_no_more_than_the_budget(ask: ScriptedAsk) -> None:
    """10,000 names from as many clients: a minute's questions, and every one of them is answered at once or soon."""

    async def scene(market: Market) -> None:
        for number in range(10_000):
            market.want(f"x{number}.com", client=f"192.0.{number // 256}.{number % 256}")
        await asyncio.sleep(10)
        assert sum(ask.asked.values()) == 60
        assert len(market.heard) == 10_000
        assert {each.verdict for each in market.heard if isinstance(each, NameAnswer)} == {"refused"}

    play(scene, ask)


def test_one_client_cannot_use_up_the_questions_of_others(ask: ScriptedAsk) -> None:
    """An enumerator has a budget of its own; a customer who comes meanwhile is asked about."""

    async def scene(market: Market) -> None:
        for number in range(1000):
            market.want(f"x{number}.com", client="198.51.100.1")
        assert await market.wanted() == ["pending", "served"]
        assert sum(ask.asked.values()) == pool.ASKS_PER_CLIENT + 1

    play(scene, ask)


def test_no_more_are_asked_about_at_once_than_the_limit(ask: ScriptedAsk, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the budget."""
    monkeypatch.setattr(pool, "MOST_WAITING", 5)

    async def scene(market: Market) -> None:
        for number in range(50):
            market.want(f"x{number}.com", client=f"192.0.2.{number}")
        await asyncio.sleep(10)
        assert ask.most_at_once == 5

    play(scene, ask, asks_per_minute=6000)


def test_memory_is_bounded_and_the_disk_is_not_forgotten(ask: ScriptedAsk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name wanted longest ago makes room, and is served from disk when it is wanted again."""
    monkeypatch.setattr(pool, "MOST_HELD", 2)

    async def scene(market: Market) -> None:
        ask.welcome |= {"a.com", "b.com"}
        for name in (SHOP, "a.com", "b.com"):
            assert await market.wanted(name) == ["pending", "served"]
        assert await market.wanted(SHOP) == ["served"]
        assert market.orders == 4

    play(scene, ask)


def test_a_reload_without_changes_disturbs_nothing(ask: ScriptedAsk) -> None:
    """An order in flight goes on; when the feature is turned off nobody is welcome any more."""

    async def scene(market: Market) -> None:
        market.want()
        await asyncio.sleep(1.5)
        market.manager.reconfigure(market.config)
        await asyncio.sleep(10)
        assert market.verdicts() == ["pending", "served"]
        market.manager.reconfigure(config_for("service.com"))
        await asyncio.sleep(1)
        assert await market.wanted() == ["refused"]

    play(scene, ask)


@pytest.mark.usefixtures("coarse")
def test_what_nobody_will_want_again_leaves_the_disk(ask: ScriptedAsk) -> None:
    """A month after its end, and a week after an order that failed; not before."""

    async def scene(market: Market) -> None:
        ask.welcome.add("lost.com")
        await market.wanted()
        market.issuer.always = failure(ErrorClass.VALIDATION)
        await market.wanted("lost.com")

        def on_disk(name: str) -> bool:
            return any(f"certs/{name}" in key for key in market.storage.files)

        await asyncio.sleep(2 * DAY)
        assert on_disk("lost.com")
        await asyncio.sleep(KEPT_WITHOUT_CERTIFICATE + 2 * DAY)
        assert not on_disk("lost.com")
        await asyncio.sleep(100 * DAY)
        assert on_disk(SHOP)
        await asyncio.sleep(12 * DAY + HOUR)
        assert not on_disk(SHOP)

    play(scene, ask)


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("", ""),
        ("x" * 60_000, ""),
    ],
)
def test_a_client_is_an_address_or_a_network_of_one(client: str, network: str) -> None:
    """An IPv6 host has as many addresses as it likes; a worker that lies cannot fill the memory with clients."""
    assert pool.network_of(client) == network
