"""Who is let in, when, and who has to leave for it; with connections that are nothing but counted."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from edge.http.limits import (
    CROWD,
    HANDSHAKES_PER_TURN,
    MAX_HELD_PER_CLIENT,
    MISDEED_INTERVAL,
    MISDEEDS_FORGIVEN,
    READS_PER_TURN_OF_A_CROWD,
)
from edge.http.networks import Networks
from edge.net.deadlines import NEVER
from edge.net.share import Share
from edge.server.client import AT_ONCE, Client
from edge.server.reception import LOOK_AGAIN, MAX_REMEMBERED, Reception
from tests.server.fakes import FakeLoop

VISITOR, OTHER, BALANCER = "192.0.2.1", "192.0.2.2", "10.0.0.1"


def nothing() -> None:
    """A socket that need not be served."""


class Guest:
    """A connection. It leaves when it is asked to."""

    def __init__(self, house: House, address: str) -> None:
        self.house = house
        self.client: Client = house.reception.client_of(address)
        self.idle_since = house.loop.now
        self.is_greeted = False
        self.has_left = False
        self.weight = 0

    def begin(self) -> None:
        self.is_greeted = True

    def give_way(self) -> None:
        self.leave()

    def weigh(self) -> int:
        return self.weight

    def abort(self) -> None:
        self.leave()

    def leave(self) -> None:
        self.has_left = True
        self.house.guests.discard(self)
        self.house.reception.left(self.client, self)

    def misbehave(self) -> None:
        """Be ended by edge."""
        self.house.reception.misbehaved(self.client, self, "reset-flood")
        if not self.has_left:
            self.leave()


class House:
    """A reception, its clock, and who is in."""

    def __init__(self, most: int = 100, most_per_client: int = 50) -> None:
        self.loop = FakeLoop()
        loop: Any = self.loop
        self.reception = Reception(most, most_per_client, Networks(["10.0.0.0/8"]), self.loop.time, loop)
        self.guests: set[Guest] = set()

    def knock(self, address: str = VISITOR) -> Guest | None:
        """One more connection; None when it is turned away."""
        guest = Guest(self, address)
        if not self.reception.make_room(guest.client, self.guests):
            return None
        self.guests.add(guest)
        self.reception.arrived(guest.client, guest)
        return guest

    def enter(self, address: str = VISITOR) -> Guest:
        guest = self.knock(address)
        assert guest is not None
        return guest

    def wait(self, seconds: float) -> None:
        until = self.loop.now + seconds
        while self.loop.now < until:
            self.loop.now += 0.25
            if self.reception.deadline <= self.loop.now:
                self.reception.deadline_passed(self.loop.now)


@pytest.fixture
def house() -> House:
    return House()


def test_the_longest_idle_of_a_client_gives_way(house: House) -> None:
    """At its limit a client's own oldest idle connections end, nobody else's."""
    other = house.enter(OTHER)
    own = []
    for _ in range(50):
        house.loop.now += 1
        own.append(house.enter())
    assert house.enter().is_greeted
    assert not other.has_left
    assert [each.has_left for each in own] == [True] * AT_ONCE + [False] * (50 - AT_ONCE)


def test_a_busy_client_gets_no_more(house: House) -> None:
    """Where no connection of the client is idle, the newcomer is turned away; others come in."""
    for _ in range(50):
        house.enter().idle_since = NEVER
    assert house.knock() is None
    assert house.knock(OTHER) is not None


def test_the_longest_idle_of_all_gives_way(house: House) -> None:
    """At the limit of the worker it does not matter whose it is."""
    oldest = house.enter(OTHER)
    for number in range(99):
        house.loop.now += 1
        house.enter(f"192.0.2.{number + 3}")
    assert house.knock() is not None
    assert oldest.has_left


def test_a_full_house_of_busy_connections(house: House) -> None:
    """Nobody is thrown out in the middle of something."""
    for number in range(100):
        house.enter(f"192.0.2.{number}").idle_since = NEVER
    assert house.knock("198.51.100.1") is None
    assert len(house.guests) == 100


def test_a_network_of_ipv6_is_one_client() -> None:
    """Addresses of one /64 share one budget: a customer has 2^64 of them."""
    house = House(most_per_client=10)
    for number in range(10):
        house.enter(f"2001:db8::{number:x}").idle_since = NEVER
    assert house.knock("2001:db8::ffff") is None
    assert house.knock("2001:db8:0:1::1") is not None


def test_who_speaks_for_others_is_no_client(house: House) -> None:
    """A trusted proxy has as many connections as there is room for, no turns, and no misdeeds."""
    proxies = [house.enter(BALANCER) for _ in range(90)]
    for each in proxies[:60]:
        each.misbehave()
    assert house.enter(BALANCER).is_greeted
    assert proxies[-1].client.reads is None
    assert proxies[-1].client.handshakes is None


def test_who_comes_back_after_each_flood_waits(house: House) -> None:
    """After so many misdeeds new connections of the client wait, and come in one by one; others come in at once."""
    for _ in range(MISDEEDS_FORGIVEN):
        house.enter().misbehave()
    waiting = [house.enter() for _ in range(5)]
    assert not any(each.is_greeted for each in waiting)
    assert house.enter(OTHER).is_greeted
    house.wait(LOOK_AGAIN)
    assert [each.is_greeted for each in waiting] == [True, False, False, False, False]
    last = house.enter()
    assert not last.is_greeted
    house.wait(5 * LOOK_AGAIN)
    assert all(each.is_greeted for each in (*waiting, last))
    assert house.enter().is_greeted


def test_idle_connections_of_a_flooder_end() -> None:
    """Connections opened in advance are no way around that."""
    house = House(1000, 1000)
    in_advance = [house.enter() for _ in range(MISDEEDS_FORGIVEN + AT_ONCE)]
    for each in in_advance[-MISDEEDS_FORGIVEN:]:
        each.misbehave()
    assert all(each.has_left for each in in_advance)


def test_a_waiting_connection_may_leave(house: House) -> None:
    """And is not greeted afterwards."""
    for _ in range(MISDEEDS_FORGIVEN):
        house.enter().misbehave()
    first, second = house.enter(), house.enter()
    first.leave()
    house.wait(2 * MISDEED_INTERVAL)
    assert (first.is_greeted, second.is_greeted) == (False, True)


def test_misdeeds_are_forgiven_and_forgotten(house: House) -> None:
    """Nothing is kept of a client once it has paid."""
    for _ in range(MISDEEDS_FORGIVEN):
        house.enter().misbehave()
    house.wait((MISDEEDS_FORGIVEN + 3) * MISDEED_INTERVAL + LOOK_AGAIN)
    assert repr(house.reception) == "<Reception 0 clients, 0 with a line>"
    assert house.enter().is_greeted


def test_memory_of_misdeeds_is_bounded(house: House) -> None:
    """An attacker with many addresses makes edge forget the first, not grow."""
    for number in range(MAX_REMEMBERED + 10):
        house.enter(f"2001:db8:{number:x}::1").misbehave()
    assert repr(house.reception).startswith(f"<Reception {MAX_REMEMBERED} clients")


def test_a_crowd_takes_turns_while_there_are_others(house: House) -> None:
    """Connections beyond the first few of a client are read from so many in a turn; alone it is not held up."""
    crowd = [house.enter() for _ in range(CROWD + 5)]
    share = crowd[0].client.reads
    assert share is not None
    assert all(share.take(nothing) for _ in range(100))
    other = house.enter(OTHER)
    assert other.client.reads is None
    assert [share.take(nothing) for _ in range(100)].count(True) == READS_PER_TURN_OF_A_CROWD
    house.loop.turn()
    assert share.take(nothing)


def test_handshakes_take_turns_even_alone(house: House) -> None:
    """So many steps of one client's handshakes in a turn of the loop, each client for itself."""
    mine, other = house.enter().client.handshakes, house.enter(OTHER).client.handshakes
    assert mine is not None
    assert other is not None
    assert [mine.take(nothing) for _ in range(10)].count(True) == HANDSHAKES_PER_TURN
    assert other.take(nothing)
    house.loop.turn()
    assert mine.take(nothing)


def test_the_heaviest_connections_of_a_client_end(house: House) -> None:
    """A client that holds too much loses as few connections as possible; what others hold is their own affair."""
    other, guests = house.enter(OTHER), [house.enter() for _ in range(5)]
    other.weight = MAX_HELD_PER_CLIENT
    for number, each in enumerate(guests):
        each.weight = MAX_HELD_PER_CLIENT // 2 + number
    house.reception.relieve_soon(guests[0].client)
    house.loop.turn()
    assert [each.has_left for each in guests] == [False, True, True, True, True]
    assert not other.has_left


def test_little_on_many_connections_is_found(house: House) -> None:
    """A crowd is weighed now and then, though none of its connections has become heavy."""
    guests = [house.enter() for _ in range(CROWD + 10)]
    for each in guests:
        each.weight = MAX_HELD_PER_CLIENT // 10
    house.wait(1)
    assert [each.has_left for each in guests].count(False) == 10


def test_a_trusted_proxy_may_hold_much(house: House) -> None:
    """It holds for many visitors."""
    guests = [house.enter(BALANCER) for _ in range(20)]
    for each in guests:
        each.weight = MAX_HELD_PER_CLIENT
    house.reception.relieve_soon(guests[0].client)
    house.loop.turn()
    assert not any(each.has_left for each in guests)


def test_whoever_has_had_his_share_is_called_again() -> None:
    """Each that waits is served in a later turn, in order, even if its socket is never reported again."""
    loop = FakeLoop()
    share = Share(2, loop)  # type: ignore[arg-type]  # only `call_soon` is used
    served: list[int] = []

    def serve(number: int) -> None:
        if share.take(callbacks[number]):
            served.append(number)

    callbacks = [partial(serve, number) for number in range(7)]
    for callback in callbacks:
        callback()
    assert served == [0, 1]
    loop.turn()
    assert served == [0, 1, 2, 3, 4, 5, 6]
