"""Telling a service manager how we are: sd_notify(3), the protocol of `Type=notify` units.

One datagram of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names. Nobody answers, and nothing here may fail: a
service manager that does not listen is no reason not to serve. Without the variable there is nobody to tell, and every call is
a no-op.

Reference: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import MutableMapping
from typing import Final

MAX_ADDRESS: Final = 107
"""Bytes of a unix socket's address (unix(7)): 108 with the zero at its end."""

MAX_STATUS: Final = 200
"""Characters of a status line; it is read in one line of `systemctl status`."""

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


class Notifier:
    """Speaks to the service manager at `address`, if there is one. `watchdog` are the seconds in which it wants to hear
    `alive`, 0.0 when it does not care."""

    def __init__(self, address: str = "", watchdog: float = 0.0) -> None:
        self.address = address
        self.watchdog = watchdog if address else 0.0
        self._said = ""

    def __repr__(self) -> str:
        return f"<Notifier {self.address or 'nobody'} watchdog={self.watchdog:g}>"

    def ready(self, status: str) -> None:
        """Workers serve: also the end of a reload."""
        self._send("READY=1", _status(status))

    def reloading(self) -> None:
        """A new configuration is being put in force. The moment tells this reload from an earlier one."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reloading")

    def stopping(self) -> None:
        """Nothing new is accepted any more."""
        self._send("STOPPING=1", "STATUS=finishing what is in flight")

    def status(self, text: str) -> None:
        """A line for `systemctl status`, said when it is another one than before."""
        if text != self._said:
            self._said = text
            self._send(_status(text))

    def alive(self) -> None:
        """The watchdog may wait again."""
        self._send("WATCHDOG=1")

    def replaced_by(self, pid: int) -> None:
        """Another process is the main process of this service from now on; what we say is not listened to any more."""
        self._send(f"MAINPID={pid}")
        self.address, self.watchdog = "", 0.0

    def environment(self) -> dict[str, str]:
        """The variables for a process that is to take our place."""
        if not self.address:
            return {}
        watchdog = {"WATCHDOG_USEC": str(round(self.watchdog * 1_000_000))} if self.watchdog else {}
        return {"NOTIFY_SOCKET": self.address, **watchdog}

    def _send(self, *lines: str) -> None:
        if not self.address:
            return
        place = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.setblocking(False)
            sock.sendto("\n".join(lines).encode(), place)


def take_notifier(environ: MutableMapping[str, str], pid: int) -> Notifier:
    """The notifier that the environment describes. The variables are taken out of it: programs that we start are not the
    service. A value that makes no sense counts as none."""
    address = environ.pop("NOTIFY_SOCKET", "")
    seconds = _watchdog_seconds(environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", ""), pid)
    is_address = address[:1] in ("/", "@") and len(os.fsencode(address)) <= MAX_ADDRESS
    return Notifier(address if is_address else "", seconds)


def _watchdog_seconds(microseconds: str, meant: str, pid: int) -> float:
    if not _NUMBER.fullmatch(microseconds) or (meant and meant != str(pid)):
        return 0.0
    return int(microseconds) / 1_000_000


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())[:MAX_STATUS]}"
