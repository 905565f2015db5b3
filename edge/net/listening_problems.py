"""Why a listening socket could not be had, in words: what is wrong with which address, and what an operator can do."""

from __future__ import annotations

import errno
import getpass
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from edge.errors import StartError
from edge.net.port_holder import PortHolder, find_port_holder

FindHolder = Callable[[int], PortHolder | None]

_WILDCARDS: Final = ("::", "0.0.0.0")  # noqa: S104 – compared with, not bound


class ListenProblem(Struct, frozen=True):
    """One address that the kernel refused, with its errno."""

    address: str
    port: int
    number: int

    @property
    def place(self) -> str:
        """`:80` for all addresses, `192.0.2.1:80`, `[2001:db8::1]:80`."""
        if self.address in _WILDCARDS:
            return f":{self.port}"
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


def start_error(problems: Sequence[ListenProblem], find_holder: FindHolder = find_port_holder) -> StartError:
    """One error for all of them: sentences about ports in use, missing rights, foreign addresses; then the remedies."""
    sentences: dict[str, None] = {}  # ordered and without repetition: IPv6 and IPv4 usually fail alike
    hints: dict[str, None] = {}
    for problem in problems:
        if problem.number == errno.EADDRINUSE:
            holder = find_holder(problem.port)
            sentences[f"{problem.place} is already used by {_who(holder)}"] = None
            hints.update(dict.fromkeys(_free_the_port(problem, holder)))
    refused = [problem for problem in problems if problem.number == errno.EACCES]
    if refused:
        sentences[f"cannot listen on {_places(refused)}: {_why_refused()}"] = None
        hints.update(dict.fromkeys(_get_permission()))
    for problem in problems:
        if problem.number not in (errno.EADDRINUSE, errno.EACCES):
            sentences[_other(problem)] = None
            hints["see which addresses this machine has: ip address"] = None
    return StartError("; ".join(sentences), *hints)


def _places(problems: Sequence[ListenProblem]) -> str:
    return " and ".join(dict.fromkeys(problem.place for problem in problems))


def _who(holder: PortHolder | None) -> str:
    if holder is None:
        return "another user's process"
    unit = f", started by systemd unit {holder.unit}" if holder.unit else ""
    return f"{holder.name} (pid {holder.pid}{unit})"


def _free_the_port(problem: ListenProblem, holder: PortHolder | None) -> list[str]:
    if holder is None:
        first = f"see who it is: sudo ss -ltnp 'sport = :{problem.port}'"
    elif holder.unit:
        first = f"stop it and keep it off: sudo systemctl disable --now {holder.unit}"
    else:
        first = f"stop it: kill {holder.pid}"
    return [first, _ELSEWHERE]


_ELSEWHERE: Final = "or put edge elsewhere: --http-port 8080 --https-port 8443"


def _why_refused() -> str:
    start = _first_unprivileged_port()
    return (
        f"Linux reserves ports below {start} for root "
        f"(you are user {_user()}; net.ipv4.ip_unprivileged_port_start = {start})"
    )


def _get_permission() -> list[str]:
    return [
        "start edge as root and let its workers become another user: sudo edge --user www-data",
        "or run it as a systemd service with AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "or allow it on this server: sudo sysctl -w net.ipv4.ip_unprivileged_port_start=80",
        _ELSEWHERE,
        "do not use setcap on python: every Python script would get that power",
    ]


def _other(problem: ListenProblem) -> str:
    if problem.number == errno.EADDRNOTAVAIL:
        return f"cannot listen on {problem.place}: this machine does not have the address {problem.address}"
    reason = os.strerror(problem.number) if problem.number > 0 else "this is no numeric address"
    return f"cannot listen on {problem.place}: {reason}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without an entry, as in many containers
        return str(os.geteuid())


def _first_unprivileged_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except (OSError, ValueError):
        return 1024
