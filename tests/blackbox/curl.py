"""curl against a running edge, with names that resolve to this machine."""

from __future__ import annotations

import subprocess
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.blackbox.edge_process import EdgeProcess


class Reply(NamedTuple):
    """Fields by lower-case name, each with all of its values."""

    status: int
    fields: dict[str, list[str]]
    body: bytes

    def field(self, name: str) -> str | None:
        """The only value of a field, or None; fails when it was sent twice."""
        values = self.fields.get(name, [])
        assert len(values) <= 1, f"{name}: {values}"
        return values[0] if values else None


def curl(process: EdgeProcess, url: str, *flags: str) -> Reply:
    """One request. Trusts every certificate; the URL has a name and no port."""
    parts = urlsplit(url)
    port = process.https_port if parts.scheme == "https" else process.http_port
    command = ["curl", "-sk", "--include", "--http1.1", "--path-as-is", "--max-time", "20"]
    command += ["--resolve", f"{parts.hostname}:{port}:127.0.0.1", *flags]
    command.append(url.replace(f"//{parts.hostname}", f"//{parts.hostname}:{port}", 1))
    return _parse(subprocess.run(command, check=True, capture_output=True).stdout)


def _parse(output: bytes) -> Reply:
    """The final response; interim ones come before it."""
    head, _, body = output.partition(b"\r\n\r\n")
    while head.split(b" ", 2)[1].startswith(b"1"):
        head, _, body = body.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        fields.setdefault(name.lower(), []).append(value)
    return Reply(int(status.split(" ")[1]), fields, body)
