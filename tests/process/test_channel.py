"""The control channel: whole messages, attachments, and a peer that is gone or lies."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs.publisher import HTTP01, TLSALPN01
from edge.config.schema import Config, Site, StaticMount
from edge.process.channel import MAX_BATCH, MAX_MESSAGE, MAX_PACKET, Channel, MessageTooLarge, encode, new_pair
from edge.process.messages import (
    Acknowledged,
    Configure,
    Drain,
    DropCertificate,
    KeeperLink,
    KeeperToWorker,
    PresentChallenge,
    Ready,
    ReopenLogs,
    ServeCertificate,
    SnapshotComplete,
    ToKeeper,
    ToSupervisor,
    ToWorker,
    WorkerLink,
    WorkerToKeeper,
)
from edge.tls.certified_key import CertifiedKey

Pair = tuple[Channel[Any, Any], Channel[Any, Any]]

BIG = ServeCertificate(CertifiedKey(("a.test",), b"x" * 150_000, b"k", "1", 0.0))


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The keeper's end and the worker's; the worker's end may receive sockets."""
    one, other = new_pair()
    channels = (
        Channel[Any, Any](one, WorkerToKeeper),
        Channel[Any, Any](other, ToWorker | KeeperToWorker, attachments=True),
    )
    yield channels
    for channel in channels:
        channel.close()


@pytest.mark.parametrize(
    ("message", "union"),
    [
        (Configure(Config((Site(("a.test",)),), "/s"), 2), ToKeeper),
        (WorkerLink(3), ToKeeper),
        (KeeperLink(), ToWorker),
        (Drain(1.5), ToWorker),
        (ReopenLogs(), ToWorker),
        (Ready(), ToSupervisor),
        (BIG, KeeperToWorker),
        (DropCertificate(("a.test", "*.b.test")), KeeperToWorker),
        (PresentChallenge(2**62, HTTP01("a.test", "t", "t.x")), KeeperToWorker),
        (PresentChallenge(1, TLSALPN01("a.test", b"\0\xff", b"k")), KeeperToWorker),
        (SnapshotComplete(), KeeperToWorker),
        (Acknowledged(7), WorkerToKeeper),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_message_arrives_as_it_was_sent(message: Any, union: Any) -> None:
    """What one process says is what the other hears."""
    one, other = new_pair()
    sender, receiver = Channel[Any, Any](one, Ready), Channel[Any, Any](other, union)
    sender.send(message)
    assert receiver.receive() == [(message, None)]
    sender.close()
    receiver.close()


def test_a_socket_travels_beside_its_message(pair: Pair) -> None:
    """The receiver owns the socket that came along; the sender's object is closed."""
    keeper, worker = pair
    mine, gift = socket.socketpair()
    keeper.send(KeeperLink(), gift)
    [(message, attachment)] = worker.receive()
    assert message == KeeperLink()
    assert gift.fileno() == -1
    assert attachment is not None
    with mine, attachment:
        attachment.sendall(b"hello")
        assert mine.recv(5) == b"hello"
        assert not os.get_inheritable(attachment.fileno())


def test_what_does_not_fit_is_sent_later_in_order(pair: Pair) -> None:
    """A peer that does not read delays messages; none is lost, none overtakes another, sockets included."""
    keeper, worker = pair
    mine, gift = socket.socketpair()
    for _ in range(20):
        keeper.send(BIG)
    keeper.send(KeeperLink(), gift)
    arrived: list[tuple[Any, Any]] = []
    turns = 0
    while keeper.wants_write:
        arrived += worker.receive()
        keeper.flush()
        turns += 1
    assert turns > 1
    arrived += worker.receive()
    assert [type(message) for message, _ in arrived] == [ServeCertificate] * 20 + [KeeperLink]
    mine.close()
    arrived[-1][1].close()


def test_one_call_takes_a_bounded_batch(pair: Pair) -> None:
    """A talkative peer cannot keep the receiver in one call for ever."""
    keeper, worker = pair
    arrived: list[tuple[Any, Any]] = []
    for number in range(10 * MAX_BATCH):
        worker.send(Acknowledged(number))
    while len(arrived) < 10 * MAX_BATCH:
        batch = keeper.receive()
        assert len(batch) <= MAX_BATCH
        arrived += batch
        worker.flush()
    assert [message.number for message, _ in arrived] == list(range(10 * MAX_BATCH))


def test_a_peer_that_is_gone_is_a_state(pair: Pair) -> None:
    """What it said last is delivered, then the channel is not open; sending to it does nothing."""
    keeper, worker = pair
    worker.send(Acknowledged(1))
    worker.close()
    assert keeper.receive() == [(Acknowledged(1), None)]
    assert not keeper.is_open
    keeper.send(SnapshotComplete())
    assert not keeper.wants_write
    assert keeper.receive() == []


def test_attachments_that_were_never_sent_are_closed(pair: Pair) -> None:
    """A socket meant for a peer that is gone does not stay open here."""
    keeper, worker = pair
    worker.close()
    mine, gift = socket.socketpair()
    keeper.send(KeeperLink(), gift)
    assert gift.fileno() == -1
    assert mine.recv(1) == b""
    mine.close()


def test_a_message_that_does_not_fit_is_refused() -> None:
    """More than MAX_MESSAGE is an error for the sender before anything is sent."""
    with pytest.raises(MessageTooLarge):
        encode(DropCertificate(("x" * MAX_MESSAGE,)))


def test_a_message_that_does_not_fit_stands_in_nobodys_way(pair: Pair) -> None:
    """Those before and behind it arrive, and the socket that was to go with it is closed."""
    keeper, worker = pair
    mine, gift = socket.socketpair()
    keeper.send(SnapshotComplete())
    with pytest.raises(MessageTooLarge):
        keeper.send(DropCertificate(("x" * MAX_MESSAGE,)), gift)
    keeper.send(ReopenLogs())
    assert [message for message, _ in worker.receive()] == [SnapshotComplete(), ReopenLogs()]
    with mine:
        assert mine.recv(1) == b""


def test_ten_thousand_sites_are_one_message() -> None:
    """It takes many packets, is put together again, and what is said before and after stays in its place."""
    names = tuple(f"site-{number}.customers.example.com" for number in range(10_000))
    sites = tuple(Site((name, f"www.{name}"), static=(StaticMount("/static", "/srv/static"),)) for name in names)
    large = Configure(Config(sites, "/var/lib/edge"), 1)
    assert len(encode(large)) > 10
    one, other = new_pair()
    sender, receiver = Channel[Any, Any](one, Ready), Channel[Any, Any](other, ToKeeper)
    for message in (Drain(1.0), large, Drain(2.0)):
        sender.send(message)
    arrived: list[Any] = []
    while len(arrived) < 3:
        arrived += [message for message, _ in receiver.receive()]
        sender.flush()
    assert arrived == [Drain(1.0), large, Drain(2.0)]
    sender.close()
    receiver.close()


def test_the_socket_of_a_long_message_comes_with_its_end(pair: Pair) -> None:
    """It is handed over once, together with the message that it belongs to."""
    keeper, worker = pair
    mine, gift = socket.socketpair()
    keeper.send(BIG, gift)
    [(message, attachment)] = worker.receive()
    assert message == BIG
    assert attachment is not None
    mine.close()
    attachment.close()


@given(st.binary(min_size=1, max_size=200))
def test_nonsense_ends_the_channel(packet: bytes) -> None:
    """A packet is a message of the union, a piece of one, or ends the channel: nothing else, and no exception."""
    one, other = new_pair()
    channel = Channel[Any, Any](one, WorkerToKeeper)
    with other:
        other.send(packet)
        arrived = channel.receive()
        assert channel.is_open == bool(arrived) or (packet[:1] == b"+" and len(packet) > 1)
    channel.close()


def test_a_message_without_an_end_ends_the_channel() -> None:
    """Pieces are gathered up to the length that this receiver takes, not for ever: a worker has no more than one packet."""
    one, other = new_pair()
    channel = Channel[Any, Any](one, WorkerToKeeper, max_message=MAX_PACKET)
    with other:
        other.send(b"+" + b" " * (MAX_PACKET - 1))
        before = (channel.receive(), channel.is_open)
        other.send(b"+  ")
        after = (channel.receive(), channel.is_open)
    assert (before, after) == (([], True), ([], False))
    channel.close()


@pytest.mark.parametrize(
    "packet", [b"", b"+", b".", b"x", b"." + b"x" * MAX_PACKET, b"." + msgspec.json.encode(Drain(1.0))]
)
def test_what_the_peer_may_not_say_ends_the_channel(packet: bytes) -> None:
    """Empty and overlong packets, and messages meant for others, are not guessed at."""
    one, other = new_pair()
    channel = Channel[Any, Any](one, WorkerToKeeper)
    with other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MAX_PACKET)
        other.send(packet)
        assert channel.receive() == []
        assert not channel.is_open
    channel.close()


def test_a_socket_that_nobody_asked_for_ends_the_channel() -> None:
    """A worker cannot make the supervisor or the keeper hold its descriptors."""
    one, other = new_pair()
    channel = Channel[Any, Any](one, WorkerToKeeper)
    before = len(os.listdir("/proc/self/fd"))
    with other:
        socket.send_fds(other, encode(Acknowledged(1)), [other.fileno()])
        assert channel.receive() == []
        assert not channel.is_open
        assert len(os.listdir("/proc/self/fd")) == before
    channel.close()
