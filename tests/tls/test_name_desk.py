"""Visitors who wait for a certificate, and the bounds on what is kept for them."""

from __future__ import annotations

from typing import Any

import pytest

from edge.tls import name_desk
from edge.tls.contexts import new_base_context
from edge.tls.name_answer import NameAnswer
from edge.tls.name_desk import HANDSHAKE_PATIENCE, HOLD_SECONDS, INQUIRY_LIFETIME, PAGE_PATIENCE, NameDesk
from edge.tls.selector import Selector
from tests.certificates import make_certified_key

SHOP = "www.shop.test"


class Handle:
    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Clock:
    """A loop whose time the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.later: list[tuple[float, Handle, Any, tuple[Any, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Any, *arguments: Any) -> Handle:
        handle = Handle()
        self.later.append((self.now + delay, handle, call, arguments))
        return handle

    def move(self, seconds: float) -> None:
        self.now += seconds
        due = [each for each in self.later if each[0] <= self.now]
        self.later = [each for each in self.later if each[0] > self.now]
        for _, handle, call, arguments in due:
            if not handle.is_cancelled:
                call(*arguments)


class Counter:
    """A desk with a keeper that only listens. `ready` and `told` are what visitors heard."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.selector = Selector(new_base_context(), "service.test")
        self.selector.replace(make_certified_key("service.test"))
        loop: Any = self.clock
        self.desk = NameDesk(self.selector, loop)
        self.wanted: list[tuple[str, str]] = []
        self.ready: list[str] = []
        self.told: list[NameAnswer | None] = []
        self.desk.use_keeper(lambda name, client: self.wanted.append((name, client)))

    def come(self, name: str = SHOP, client: str = "192.0.2.1") -> None:
        self.desk.await_certificate(name, client, lambda: self.ready.append(name))

    def look(self, name: str = SHOP) -> None:
        self.desk.look_up(name, "192.0.2.1", self.told.append)


@pytest.fixture
def counter() -> Counter:
    return Counter()


def refused(name: str = SHOP, seconds: float = 60.0) -> NameAnswer:
    return NameAnswer(name, "refused", seconds)


def test_listed_names_never_wait(counter: Counter) -> None:
    """Nor does a handshake without a server name."""
    assert counter.desk.is_known("service.test")
    assert counter.desk.is_known("")
    assert not counter.desk.is_known(SHOP)


def test_visitors_wait_until_the_certificate_is_there(counter: Counter) -> None:
    """The keeper is asked once for all of them; `pending` changes nothing for a handshake."""
    for _ in range(3):
        counter.come()
    counter.desk.answered(NameAnswer(SHOP, "pending", 5.0))
    assert (counter.wanted, counter.ready) == ([(SHOP, "192.0.2.1")], [])
    counter.desk.offered(make_certified_key(SHOP))
    assert counter.ready == [SHOP] * 3
    assert counter.desk.is_known(SHOP)


@pytest.mark.parametrize("verdict", ["refused", "failed"])
def test_an_end_without_a_certificate_releases_all_and_is_remembered(counter: Counter, verdict: Any) -> None:
    """Nobody waits for what will not come, until the answer no longer holds."""
    counter.come()
    counter.desk.answered(NameAnswer(SHOP, verdict, 60.0))
    counter.come()
    assert (len(counter.wanted), counter.ready) == (1, [SHOP] * 2)
    counter.clock.move(61.0)
    counter.come()
    assert (len(counter.wanted), counter.ready) == (2, [SHOP] * 2)


def test_patience_ends(counter: Counter) -> None:
    """A handshake goes its way after a while, and is not told twice."""
    counter.come()
    counter.clock.move(HANDSHAKE_PATIENCE)
    assert counter.ready == [SHOP]
    counter.desk.offered(make_certified_key(SHOP))
    counter.clock.move(INQUIRY_LIFETIME)
    assert counter.ready == [SHOP]


def test_the_keeper_is_asked_again_when_nothing_was_heard(counter: Counter) -> None:
    """An inquiry does not last for ever."""
    counter.come()
    counter.clock.move(INQUIRY_LIFETIME)
    counter.come()
    assert len(counter.wanted) == 2


def test_waiting_is_bounded_in_number(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, in all, and in the number of names; whoever is over that goes on at once."""
    monkeypatch.setattr(name_desk, "MOST_NAMES", 3)
    monkeypatch.setattr(name_desk, "MOST_WAITING", 5)
    monkeypatch.setattr(name_desk, "MOST_WAITING_FOR_ONE", 2)
    for _ in range(4):
        counter.come("a.test")
    assert counter.ready == ["a.test"] * 2
    for name in ("b.test", "c.test", "d.test"):
        counter.come(name)
        counter.come(name)
    assert counter.ready == ["a.test"] * 2 + ["c.test"] + ["d.test"] * 2
    assert [name for name, _ in counter.wanted] == ["a.test", "b.test", "c.test"]


def test_room_comes_back(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """However somebody stopped waiting."""
    monkeypatch.setattr(name_desk, "MOST_WAITING", 2)
    counter.come("a.test")
    counter.look("a.test")
    counter.desk.answered(NameAnswer("a.test", "pending", 5.0))
    counter.clock.move(HANDSHAKE_PATIENCE)
    counter.come("b.test")
    counter.come("b.test")
    assert counter.ready == ["a.test"]
    counter.desk.answered(refused("b.test"))
    counter.come("c.test")
    counter.come("c.test")
    assert counter.ready == ["a.test", "b.test", "b.test"]
    counter.desk.release()
    assert counter.ready == ["a.test", "b.test", "b.test", "c.test", "c.test"]


def test_answers_and_certificates_are_bounded(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest answer and the certificate used longest ago make room."""
    monkeypatch.setattr(name_desk, "MOST_ANSWERS", 2)
    monkeypatch.setattr(name_desk, "MOST_HELD", 2)
    for name in ("a.test", "b.test", "c.test"):
        counter.come(name)
        counter.desk.answered(refused(name))
    counter.come("a.test")
    assert counter.wanted[-1][0] == "a.test"
    for name in ("d.test", "e.test", "f.test"):
        counter.come(name)
        counter.desk.offered(make_certified_key(name))
        counter.desk.is_known("d.test")
    assert [counter.desk.is_known(name) for name in ("d.test", "e.test", "f.test")] == [True, False, True]


def test_a_certificate_that_nobody_here_wants_is_not_taken(counter: Counter) -> None:
    """A renewal reaches the workers that hold the old one, and costs the others nothing."""
    counter.desk.offered(make_certified_key(SHOP))
    assert not counter.desk.is_known(SHOP)
    counter.come()
    counter.desk.offered(make_certified_key(SHOP))
    renewed = make_certified_key(SHOP)
    counter.desk.offered(renewed)
    assert counter.selector.find(SHOP) == renewed


def test_a_name_is_asked_for_again_after_a_while(counter: Counter) -> None:
    """So the keeper learns that it is still in use. Without a keeper what is held goes on being served."""
    counter.come()
    counter.desk.offered(make_certified_key(SHOP))
    counter.desk.use_keeper(None)
    counter.clock.move(HOLD_SECONDS)
    assert counter.desk.is_known(SHOP)
    counter.desk.use_keeper(lambda name, client: counter.wanted.append((name, client)))
    assert not counter.desk.is_known(SHOP)


def test_a_keeper_that_dies_keeps_nobody_from_being_served(counter: Counter) -> None:
    """Whoever waits goes on waiting, and the next keeper is asked the same."""
    counter.come()
    counter.desk.use_keeper(None)
    counter.come("b.test")
    assert counter.ready == []
    counter.desk.use_keeper(lambda name, client: counter.wanted.append((name, client)))
    assert [name for name, _ in counter.wanted] == [SHOP, SHOP, "b.test"]
    counter.desk.offered(make_certified_key(SHOP))
    assert counter.ready == [SHOP]


def test_a_name_that_becomes_listed_is_let_go(counter: Counter) -> None:
    """Its certificate is the configuration's from then on, and is not dropped after an hour."""
    counter.come()
    counter.desk.offered(make_certified_key(SHOP))
    listed = make_certified_key(SHOP)
    counter.selector.replace(listed)
    counter.desk.listed((SHOP,))
    counter.clock.move(2 * HOLD_SECONDS)
    assert counter.desk.is_known(SHOP)
    assert counter.selector.find(SHOP) == listed


def test_a_certificate_that_cannot_be_used_keeps_nobody_waiting(counter: Counter) -> None:
    """OpenSSL does not take it: the handshake ends as if there were none."""
    for number in range(100):  # beyond what is built ahead nothing is tried before it is needed
        counter.selector.replace(make_certified_key(f"n{number}.test")) if number < 2 else None
    good, other = make_certified_key(SHOP), make_certified_key(SHOP)
    counter.come()
    counter.desk.offered(type(good)(good.names, good.chain, other.key, "1", good.not_after))
    assert counter.ready == [SHOP]
    assert not counter.desk.is_known(SHOP)


@pytest.mark.parametrize(
    "name", ["localhost", "x" * 300 + ".test", "a..test", "a_b.test", "é.test", "192.0.2.1", "a.test:1", "-.test"]
)
def test_the_keeper_is_spared_nonsense(counter: Counter, name: str) -> None:
    """What is no host name of several labels is not even passed on."""
    counter.come(name)
    counter.look(name)
    assert counter.ready == [name]
    assert counter.told == [refused(name, 0.0)]
    assert counter.wanted == []


def test_a_page_is_told_soon(counter: Counter) -> None:
    """As soon as anything is known, at the latest after a moment; later ones hear the latest at once."""
    counter.look()
    assert counter.told == []
    counter.clock.move(PAGE_PATIENCE)
    assert counter.told == [NameAnswer(SHOP, "pending", PAGE_PATIENCE)]
    counter.look()
    pending = NameAnswer(SHOP, "pending", 5.0, "a problem")
    counter.desk.answered(pending)
    counter.look()
    assert counter.told[1:] == [pending, pending]
    counter.desk.offered(make_certified_key(SHOP))
    counter.look()
    assert counter.told[3:] == [None]


def test_a_page_that_waits_hears_of_the_certificate(counter: Counter) -> None:
    """Or of the refusal."""
    counter.look()
    counter.desk.offered(make_certified_key(SHOP))
    counter.look("b.test")
    counter.desk.answered(refused("b.test"))
    counter.look("b.test")
    assert counter.told == [None, refused("b.test"), refused("b.test")]
