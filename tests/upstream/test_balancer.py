"""Policies, one property each."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from edge.upstream.balancer import Balancer, LeastConnections, RendezvousHash, RoundRobin, Sticky, sticky_id


class Server(Struct):
    """A candidate that a test sets."""

    name: bytes
    weight: int = 1
    busy: int = 0


servers = st.lists(st.integers(1, 9), min_size=1, max_size=6).map(
    lambda weights: [Server(b"origin-%d" % number, weight) for number, weight in enumerate(weights)]
)
keys = st.binary(min_size=1, max_size=20)


def serve(balancer: Balancer, candidates: list[Server], requests: int, key: bytes = b"") -> list[Server]:
    chosen = []
    for _ in range(requests):
        first = balancer.order(candidates, key)[0]
        balancer.chosen(first, candidates)
        chosen.append(first)
    return chosen


@given(servers)
def test_turns_follow_weights_exactly(candidates: list[Server]) -> None:
    """In each round of sum(weights) requests every origin gets its weight."""
    for _ in range(2):
        round_robin = RoundRobin()
        total = sum(each.weight for each in candidates)
        counts = Counter(each.name for each in serve(round_robin, candidates, 3 * total))
        assert counts == {each.name: 3 * each.weight for each in candidates}


def test_turns_are_spread() -> None:
    """The heavy one does not get all of its requests in a row."""
    names = [each.name for each in serve(RoundRobin(), [Server(b"a", 2), Server(b"b")], 6)]
    assert names == [b"a", b"b", b"a"] * 2


def test_an_origin_that_comes_back_meets_no_flood() -> None:
    """While it could not be chosen it earned nothing."""
    a, b = Server(b"a"), Server(b"b")
    balancer = RoundRobin()
    for _ in range(100):
        balancer.chosen(a, [a])
    assert [each.name for each in serve(balancer, [a, b], 4)].count(b"b") == 2


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 50)), min_size=1, max_size=6))
def test_the_least_loaded_is_first(loads: list[tuple[int, int]]) -> None:
    """For its weight, the request at hand counted in."""
    candidates = [Server(b"%d" % number, weight, busy) for number, (weight, busy) in enumerate(loads)]
    first = LeastConnections().order(candidates, b"")[0]
    assert (first.busy + 1) / first.weight == min((each.busy + 1) / each.weight for each in candidates)


def test_idle_origins_take_turns() -> None:
    """Equal loads must not send everything to the first."""
    counts = Counter(each.name for each in serve(LeastConnections(), [Server(b"a"), Server(b"b")], 10))
    assert counts == {b"a": 5, b"b": 5}


@given(servers, keys)
def test_every_policy_orders_all(candidates: list[Server], key: bytes) -> None:
    """An order is a permutation: a request can go down it to the end."""
    for balancer in (RoundRobin(), LeastConnections(), RendezvousHash(), Sticky()):
        for each in (b"", key):
            assert sorted(server.name for server in balancer.order(candidates, each)) == sorted(
                server.name for server in candidates
            )


@given(servers, keys, st.integers(0, 5))
def test_only_the_keys_of_an_origin_that_leaves_move(candidates: list[Server], key: bytes, leaving: int) -> None:
    """And they move to what was second for them. (Seen the other way: a newcomer takes keys, but moves none between others.)"""
    order = RendezvousHash().order(candidates, key)
    gone = candidates[leaving % len(candidates)]
    rest = [each for each in candidates if each is not gone]
    assert RendezvousHash().order(rest, key) == [each for each in order if each is not gone]


def test_hashing_follows_weights() -> None:
    """Weight 3 gets three times the keys of weight 1, within the noise of 4000 keys."""
    candidates = [Server(b"a", 3), Server(b"b", 1)]
    balancer = RendezvousHash()
    share = sum(balancer.order(candidates, b"%d" % number)[0].name == b"a" for number in range(4000)) / 4000
    assert 0.72 < share < 0.78


def test_requests_without_a_key_take_turns() -> None:
    """A missing header must not send everybody without it to one origin."""
    counts = Counter(each.name for each in serve(RendezvousHash(), [Server(b"a"), Server(b"b")], 10))
    assert counts == {b"a": 5, b"b": 5}


@given(servers, st.integers(0, 5))
def test_a_cookie_names_its_origin(candidates: list[Server], which: int) -> None:
    """Also when an origin is added: nobody moves."""
    wanted = candidates[which % len(candidates)]
    more = [Server(b"new", 9), *candidates]
    for balancer in (Sticky(), Sticky()):
        assert {each.name for each in serve(balancer, more, 5, sticky_id(wanted.name))} == {wanted.name}


@given(servers, keys)
def test_a_foreign_cookie_counts_as_none(candidates: list[Server], key: bytes) -> None:
    """Visitors can write anything into it."""
    assert Sticky().order(candidates, key) == Sticky().order(candidates, b"")
