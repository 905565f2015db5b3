"""The sentences for sockets that could not be had."""

from __future__ import annotations

import errno

from edge.net.listening_problems import ListenProblem, start_error
from edge.net.port_holder import PortHolder

NGINX = PortHolder(812, "nginx", "nginx.service")


def in_use(port: int, *addresses: str) -> list[ListenProblem]:
    return [ListenProblem(address, port, errno.EADDRINUSE) for address in addresses]


def test_a_port_in_use_names_its_holder_once() -> None:
    """IPv6 and IPv4 fail alike; the operator reads one sentence and how to free the port."""
    error = start_error(in_use(80, "::", "0.0.0.0"), lambda _port: NGINX)
    assert str(error) == ":80 is already used by nginx (pid 812, started by systemd unit nginx.service)"
    assert error.hints[0] == "stop it and keep it off: sudo systemctl disable --now nginx.service"
    assert "--http-port 8080" in error.hints[1]


def test_a_holder_without_unit_can_be_stopped_by_pid() -> None:
    """A process that was started by hand is stopped by hand."""
    error = start_error(in_use(80, "2001:db8::1"), lambda _port: PortHolder(7, "python"))
    assert str(error) == "[2001:db8::1]:80 is already used by python (pid 7)"
    assert error.hints[0] == "stop it: kill 7"


def test_an_invisible_holder_is_somebody_else() -> None:
    """Without the right to look, the hint is the command that can."""
    error = start_error(in_use(443, "::"), lambda _port: None)
    assert str(error) == ":443 is already used by another user's process"
    assert error.hints[0] == "see who it is: sudo ss -ltnp 'sport = :443'"


def test_missing_permission_is_one_sentence_for_all_ports() -> None:
    """Which ports, why, who we are, and four ways out, one of which is a warning."""
    problems = [ListenProblem(address, port, errno.EACCES) for port in (80, 443) for address in ("::", "0.0.0.0")]
    error = start_error(problems)
    assert str(error).startswith("cannot listen on :80 and :443: Linux reserves ports below")
    assert "ip_unprivileged_port_start" in str(error)
    assert any("--user" in hint for hint in error.hints)
    assert any("setcap" in hint for hint in error.hints)


def test_different_problems_are_all_told() -> None:
    """One start shows everything that is wrong, not the first thing."""
    problems = [
        *in_use(80, "::"),
        ListenProblem("::", 443, errno.EACCES),
        ListenProblem("192.0.2.1", 443, errno.EADDRNOTAVAIL),
        ListenProblem("nonsense", 443, -2),
    ]
    sentences = str(start_error(problems, lambda _port: NGINX)).split("; ")
    assert len(sentences) == 4 + 1, "the sentence about permission has a semicolon of its own"
    assert "this machine does not have the address 192.0.2.1" in sentences[3]
    assert "no numeric address" in sentences[4]
