"""Opening listening sockets: families, reuse across generations, and all problems at once."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from edge.config.schema import Listen
from edge.errors import StartError
from edge.net import listening
from edge.net.listening import ListeningSocket, close_listeners, open_listeners


def free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


@pytest.fixture
def local() -> Listen:
    return Listen(("127.0.0.1",), *free_ports())


@pytest.fixture
def opened(local: Listen) -> Iterator[tuple[ListeningSocket, ...]]:
    listeners = open_listeners(local)
    yield listeners
    close_listeners(listeners)


def test_plain_and_tls_sockets_take_connections(local: Listen, opened: tuple[ListeningSocket, ...]) -> None:
    """Each socket listens, never blocks, is not passed on to programs, and says what it is for."""
    assert [(each.port, each.tls) for each in opened] == [(local.http_port, False), (local.https_port, True)]
    for listener in opened:
        assert not listener.sock.getblocking()
        assert not listener.sock.get_inheritable()
        socket.create_connection((listener.address, listener.port), 5).close()


def test_port_zero_turns_plain_http_off() -> None:
    """`--http-port 0` leaves only TLS."""
    listeners = open_listeners(Listen(("127.0.0.1",), 0, free_ports()[0]))
    assert [each.tls for each in listeners] == [True]
    close_listeners(listeners)


def test_all_addresses_are_two_sockets() -> None:
    """IPv4 visitors reach an IPv4 socket even when IPv6 is there."""
    listeners = open_listeners(Listen((), 0, free_ports()[0]))
    families = {each.address: each.sock.family for each in listeners}
    assert families["0.0.0.0"] == socket.AF_INET
    assert families.get("::", socket.AF_INET6) == socket.AF_INET6
    close_listeners(listeners)


@pytest.mark.parametrize("number", sorted(listening.NO_IPV6))
def test_a_machine_without_ipv6_serves_ipv4(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A family that is absent is left out, unless the operator asked for it."""

    def refuse_ipv6(address: str, port: int, keep: object, real: object = listening._open) -> socket.socket:
        if ":" in address:
            raise OSError(number, os.strerror(number))
        return real(address, port, keep)  # type: ignore[operator,no-any-return]  # the function that is replaced here

    monkeypatch.setattr(listening, "_open", refuse_ipv6)
    port = free_ports()[0]
    listeners = open_listeners(Listen((), 0, port))
    assert [each.address for each in listeners] == ["0.0.0.0"]
    close_listeners(listeners)
    with pytest.raises(StartError):
        open_listeners(Listen(("::",), 0, port))


def test_an_address_may_grow_and_shrink_while_the_port_is_open(opened: tuple[ListeningSocket, ...]) -> None:
    """A reload from one address to all of them, and back, opens new sockets beside those that still serve."""
    port = opened[1].port
    wide = open_listeners(Listen((), 0, port), keep=opened)
    close_listeners(opened)
    narrow = open_listeners(Listen(("127.0.0.1",), 0, port), keep=wide)
    close_listeners(wide)
    with pytest.raises(StartError):  # a stranger, a second edge for instance, still finds the port in use
        open_listeners(Listen((), 0, port))
    close_listeners(narrow)


def test_kept_sockets_are_the_same_objects(local: Listen, opened: tuple[ListeningSocket, ...]) -> None:
    """What is already bound is used again, so that no waiting connection is lost; even for another purpose."""
    swapped = open_listeners(Listen(local.bind, local.https_port, local.http_port), keep=opened)
    assert [each.sock for each in swapped] == [opened[1].sock, opened[0].sock]
    assert [each.tls for each in swapped] == [False, True]


def test_only_what_is_not_kept_is_closed(local: Listen, opened: tuple[ListeningSocket, ...]) -> None:
    """After a change of one port, the old socket can be closed without the one that both generations use."""
    moved = open_listeners(Listen(local.bind, free_ports()[0], local.https_port), keep=opened)
    close_listeners(opened, keep=moved)
    assert opened[0].sock.fileno() == -1
    assert opened[1].sock.fileno() >= 0
    close_listeners(moved)


def test_every_problem_is_named_and_nothing_stays_open(local: Listen, opened: tuple[ListeningSocket, ...]) -> None:
    """Two ports in use are two sentences in one error, with the process that holds them; what had been opened is closed."""
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(StartError) as caught:
        open_listeners(Listen(("127.0.0.2", "127.0.0.1"), local.http_port, local.https_port))
    message = str(caught.value)
    assert f"127.0.0.1:{local.http_port} is already used by" in message
    assert f"127.0.0.1:{local.https_port} is already used by" in message
    assert f"pid {os.getpid()}" in message
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("address", ["localhost", "192.0.2.1", "not an address"])
def test_an_address_that_is_not_ours_is_refused(address: str) -> None:
    """Names are not looked up, and addresses of other machines cannot be bound."""
    with pytest.raises(StartError, match=r"cannot listen on .*:1"):
        open_listeners(Listen((address,), 0, 18443))


def test_a_kept_socket_survives_a_failed_reload(local: Listen, opened: tuple[ListeningSocket, ...]) -> None:
    """When a new address cannot be had, the sockets of the running generation stay open."""
    with pytest.raises(StartError):
        open_listeners(Listen(("127.0.0.1", "192.0.2.1"), local.http_port, local.https_port), keep=opened)
    assert all(each.sock.fileno() >= 0 for each in opened)


def test_the_backlog_outlives_a_change_of_workers(opened: tuple[ListeningSocket, ...]) -> None:
    """Connections wait in the kernel while nobody accepts."""
    waiting = [socket.create_connection((opened[0].address, opened[0].port), 5) for _ in range(20)]
    accepted = [opened[0].sock.accept()[0] for _ in waiting]
    with pytest.raises(BlockingIOError):
        opened[0].sock.accept()
    for sock in (*waiting, *accepted):
        sock.close()
