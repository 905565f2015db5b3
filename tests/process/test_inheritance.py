"""Sockets that somebody else opened, and what an environment may claim."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.schema import Listen
from edge.errors import StartError
from edge.net.adopting import GivenSocket, adopt_socket, assign_purposes
from edge.net.listening import ListeningSocket
from edge.process.inheritance import HANDOVER, Inheritance, take_inheritance


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def test_a_listening_socket_is_adopted(listening: socket.socket) -> None:
    """It has the address that the kernel tells, does not block, and is not passed on."""
    descriptor = os.dup(listening.fileno())
    os.set_inheritable(descriptor, True)
    adopted = adopt_socket(descriptor, "https")
    assert (adopted.address, adopted.port, adopted.name) == (*listening.getsockname(), "https")
    assert not adopted.sock.get_inheritable()
    assert not adopted.sock.getblocking()
    adopted.sock.close()


@pytest.mark.parametrize("descriptor", [-1, 0, 1, 2, 999_999])
def test_what_is_no_descriptor_of_a_socket_is_refused(descriptor: int) -> None:
    """Standard streams and numbers without anything behind them are none."""
    with pytest.raises(StartError, match="is none"):
        adopt_socket(descriptor)


def test_a_socket_that_does_not_listen_is_refused_and_left_alone() -> None:
    """Connected, datagram and unix sockets belong to somebody else; they stay open."""
    unix = socket.socket(socket.AF_UNIX)
    for sock in (socket.socket(), socket.socket(type=socket.SOCK_DGRAM), unix):
        with sock:
            with pytest.raises(StartError, match="no TCP socket that listens"):
                adopt_socket(sock.fileno())
            os.fstat(sock.fileno())


# -- purposes ----------------------------------------------------------------------------------------------------------


def given_socket(port: int, name: str = "") -> GivenSocket:
    return GivenSocket(socket.socket(), "127.0.0.1", port, name)


def purposes(*sockets: GivenSocket, http_port: int = 80) -> list[tuple[int, bool]]:
    try:
        found: tuple[ListeningSocket, ...] = assign_purposes(Listen((), http_port, 443), sockets)
        return [(each.port, each.tls) for each in found]
    finally:
        for each in sockets:
            each.sock.close()


def test_ports_say_what_sockets_are_for() -> None:
    """Those of the configuration."""
    assert purposes(given_socket(80), given_socket(443)) == [(80, False), (443, True)]


def test_names_beat_ports() -> None:
    """`FileDescriptorName=https` on any port, as behind a port forwarding."""
    assert purposes(given_socket(8080, "http"), given_socket(80, "https")) == [(8080, False), (80, True)]


def test_a_socket_without_a_purpose_is_refused() -> None:
    """edge does not guess whether a strange port wants TLS."""
    with pytest.raises(StartError, match=r"no use for: 127\.0\.0\.1:8443") as caught:
        purposes(given_socket(443), given_socket(8443, "web"))
    assert any("FileDescriptorName=https" in hint for hint in caught.value.hints)
    with pytest.raises(StartError, match=r"no use for: 127\.0\.0\.1:80"):
        purposes(given_socket(443), given_socket(80), http_port=0)


def test_serving_https_needs_a_socket_for_it() -> None:
    """Plain HTTP alone would only redirect to nowhere."""
    with pytest.raises(StartError, match="no socket for HTTPS"):
        purposes(given_socket(80))


# -- the environment ---------------------------------------------------------------------------------------------------


def test_sockets_for_another_process_are_not_ours() -> None:
    """LISTEN_PID of a parent is no news; the variables are removed all the same."""
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b", "HOME": "/"}
    assert take_inheritance(environ) == Inheritance()
    assert environ == {"HOME": "/"}


@pytest.mark.parametrize("count", ["-1", "two", "1e3", "99999", "٣", "2 "])
def test_a_number_of_sockets_that_is_none(count: str) -> None:
    """Refused in one sentence."""
    with pytest.raises(StartError, match="no number of sockets"):
        take_inheritance({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count})


def handover(**changes: object) -> dict[str, str]:
    told = {"parent": os.getppid(), "channel": 900_001, "standard_error": 900_002, "sockets": [], **changes}
    return {HANDOVER: json.dumps(told)}


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({HANDOVER: "yes"}, "cannot be understood"),
        ({HANDOVER: "{}"}, "cannot be understood"),
        (handover(parent=1 if os.getppid() != 1 else 2), "of another process"),
        (handover(), "descriptors that are not there"),
        (handover(sockets=[{"descriptor": 0}]), "descriptor 0 was handed over"),
    ],
)
def test_a_handover_that_cannot_be_true(environ: dict[str, str], words: str) -> None:
    """A start that believes nonsense would serve on sockets of somebody else: it is refused in one sentence."""
    with pytest.raises(StartError, match=words):
        take_inheritance(environ)
    assert environ == {}


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_any_text_is_refused_in_words(text: str) -> None:
    """Whatever the variables hold, it is a StartError or nothing at all."""
    for environ in ({HANDOVER: text}, {"LISTEN_PID": text, "LISTEN_FDS": text, "LISTEN_FDNAMES": text}):
        try:
            assert take_inheritance(environ) == Inheritance()
        except StartError as problem:
            assert problem.args[0]  # noqa: PT017  # either outcome is good
        assert environ == {}
