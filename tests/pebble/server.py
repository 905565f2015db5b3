"""Pebble and its DNS server as a context manager, with the management interfaces of both."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.pebble.keypair import write_key_pair
from tests.pebble.programs import MISSING, PebbleMissing, candidates

DAY = 86400
PROFILES = {"classic": 90 * DAY, "tlsserver": 45 * DAY, "shortlived": 576_000, "blink": 60}
"""Lifetimes in seconds, like Let's Encrypt's and one that lives a minute."""

CAA_IDENTITY = "ca.test"
"""How CAA and persistent validation records name this CA."""

START_SECONDS = 20.0
"""Pebble makes several RSA keys before it listens."""


class Pebble:
    """A CA that trusts nobody and checks everything, at 127.0.0.1; every name resolves to this host.

    `profiles` are names and lifetimes in seconds. An order that names no profile gets a random one of them, so there is
    only one unless a test asks for more. `nonce_reject` is the percentage of good nonces that are refused. `validate=False`
    accepts any challenge without looking. `dns_server` (address and port) is asked instead of Pebble's own DNS server.
    State is in memory: `restart` loses accounts, orders and roots.
    """

    def __init__(
        self,
        *,
        profiles: Mapping[str, int] | None = None,
        nonce_reject: int = 15,
        retry_after: int = 1,
        validate: bool = True,
        external_accounts: Mapping[str, str] | None = None,
        domain_blocklist: tuple[str, ...] = (),
        dns_server: str = "",
    ) -> None:
        self._profiles = dict(profiles or {"classic": PROFILES["classic"]})
        self._retry_after = retry_after
        self._external_accounts = dict(external_accounts or {})
        self._blocklist = domain_blocklist
        self._dns_server = dns_server
        self._environment = {
            **os.environ,
            "PEBBLE_VA_NOSLEEP": "1",
            "PEBBLE_VA_ALWAYS_VALID": "0" if validate else "1",
            "PEBBLE_WFE_NONCEREJECT": str(nonce_reject),
            "PEBBLE_AUTHZREUSE": "0",
            "PEBBLE_ALTERNATE_ROOTS": "2",
        }
        self._acme_port, self._management_port, self._dns_port, self._dns_management_port = free_ports(4)
        self.http_port, self.tls_port = free_ports(2)
        self.directory_url = f"https://localhost:{self._acme_port}/dir"
        self.dns_address = f"127.0.0.1:{self._dns_port}"
        self.dns_management_url = f"http://127.0.0.1:{self._dns_management_port}"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pebble-")))
            write_key_pair(self.directory)
            self.ca_file = self.directory / "ca.pem"
            self._tls = ssl.create_default_context(cafile=self.ca_file)
            stack.callback(self._stop)
            self._processes: list[subprocess.Popen[bytes]] = []
            self._start_any()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    # -- what tests ask for --------------------------------------------------------------------------------------------

    def root(self, number: int = 0) -> bytes:
        """PEM of root 0 (default chain), 1 or 2 (alternate chains)."""
        return self._management(f"/roots/{number}")

    def certificate_status(self, serial: str) -> str:
        """ "Valid" or "Revoked" for a serial number in hexadecimal."""
        status: str = json.loads(self._management(f"/cert-status-by-serial/{serial}"))["Status"]
        return status

    def set_renewal_info(self, chain: bytes, answer: str) -> None:
        """Give exactly this body as the renewal information of a certificate."""
        leaf = chain[: chain.index(b"-----END CERTIFICATE-----")] + b"-----END CERTIFICATE-----\n"
        body = json.dumps({"Certificate": leaf.decode(), "ARIResponse": answer}).encode()
        self._management("/set-renewal-info/", body)

    def dns(self, command: str, **fields: Any) -> None:
        """A command of the DNS server: `dns("set-servfail", host="a.test")`."""
        url = f"{self.dns_management_url}/{command}"
        with urllib.request.urlopen(url, json.dumps(fields).encode(), timeout=5):
            pass

    def requests(self, path: str) -> int:
        """How many requests whose path begins so Pebble has logged: `requests("/order-plz")` counts new orders."""
        return (self.directory / "pebble.log").read_text(errors="replace").count(f"POST {path}")

    def restart(self) -> None:
        """Forget everything, like a CA that lost its database."""
        self._stop()
        self._start_any()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Not there within the block; back afterwards, with everything forgotten."""
        self._stop()
        yield
        self._start_any()

    # -- processes -----------------------------------------------------------------------------------------------------

    def _start_any(self) -> None:
        reasons = []
        for pebble, dns in candidates():
            self._start(pebble, dns)
            reason = self._unusable()
            if not reason:
                return
            self._stop()
            reasons.append(f"{pebble} {reason}")
        raise PebbleMissing("; ".join([MISSING, *reasons]))

    def _start(self, pebble: Path, dns: Path) -> None:
        config = self.directory / "pebble.json"
        config.write_text(json.dumps({"pebble": self._config()}))
        off = [
            argument
            for name in ("http01", "https01", "tlsalpn01", "doh", "defaultIPv6")
            for argument in (f"-{name}", "")
        ]
        management = ["-management", f"127.0.0.1:{self._dns_management_port}"]
        self._run("dns", [dns, "-dnsserver", self.dns_address, *management, "-defaultIPv4", "127.0.0.1", *off])
        self._run("pebble", [pebble, "-strict", "-config", config, "-dnsserver", self._dns_server or self.dns_address])

    def _config(self) -> dict[str, Any]:
        return {
            "listenAddress": f"127.0.0.1:{self._acme_port}",
            "managementListenAddress": f"127.0.0.1:{self._management_port}",
            "certificate": str(self.directory / "server.pem"),
            "privateKey": str(self.directory / "server.key"),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "externalAccountBindingRequired": bool(self._external_accounts),
            "externalAccountMACKeys": self._external_accounts,
            "domainBlocklist": list(self._blocklist),
            "caaIdentities": [CAA_IDENTITY],
            "retryAfter": {"authz": self._retry_after, "order": self._retry_after},
            "keyAlgorithm": "ecdsa",
            "profiles": {
                name: {"description": name, "validityPeriod": seconds} for name, seconds in self._profiles.items()
            },
        }

    def _run(self, name: str, command: list[Any]) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    list(map(str, command)), env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            )

    def _unusable(self) -> str:
        """Why the Pebble that was just started cannot be used, or ""."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            if any(process.poll() is not None for process in self._processes):
                return f"ended at start: {(self.directory / 'pebble.log').read_text(errors='replace')[-500:]}"
            try:
                directory = json.loads(self._get(self.directory_url))
            except (OSError, ValueError):
                if time.monotonic() > deadline:
                    return f"did not answer within {START_SECONDS:g} s"
                time.sleep(0.02)  # a process of others cannot tell when it is ready
            else:
                has_features = "renewalInfo" in directory and directory.get("meta", {}).get("profiles")
                return "" if has_features else "is too old: it offers no ARI or no profiles"

    def _stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._processes = []

    def _get(self, url: str, body: bytes | None = None) -> bytes:
        with urllib.request.urlopen(url, body, timeout=5, context=self._tls) as reply:
            answer: bytes = reply.read()
            return answer

    def _management(self, path: str, body: bytes | None = None) -> bytes:
        return self._get(f"https://127.0.0.1:{self._management_port}{path}", body)


def free_ports(count: int) -> list[int]:
    """TCP ports on 127.0.0.1 that nobody listens on at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()
