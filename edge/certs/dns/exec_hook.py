"""A program of the operator that changes the zone: the way to every DNS service that has a command line or an API.

    PROGRAM [ARGUMENT]... present  _acme-challenge.example.com gfj9Xq...Rg85nM
    PROGRAM [ARGUMENT]... clean_up _acme-challenge.example.com gfj9Xq...Rg85nM

The environment is edge's own and EDGE_DNS_ACTION, EDGE_DNS_NAME, EDGE_DNS_VALUE and EDGE_DNS_TTL. Exit status 0 means done;
`present` of a value that is there and `clean_up` of one that is not are done, too. The last line on standard error is
shown to the operator, standard output is thrown away. A program that takes too long is killed with all that it has started.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from edge.certs.acme.problems import clean
from edge.certs.dns.provider import TIME_TO_LIVE, TXTRecord, dns_failure
from edge.config.acme_schema import ExecDNS

MOST_WORDS = 16 * 1024
"""Bytes of standard error that are read; a program that says more is heard no further."""


class ExecHook:
    """Implements `DNSProvider`."""

    def __init__(self, settings: ExecDNS) -> None:
        self._command = settings.command
        self._timeout = settings.timeout

    async def present(self, record: TXTRecord) -> None:
        """Run the program with `present`. Raises: IssueFailed."""
        await self._run("present", record)

    async def clean_up(self, record: TXTRecord) -> None:
        """Run the program with `clean_up`. Raises: IssueFailed."""
        await self._run("clean_up", record)

    async def _run(self, action: str, record: TXTRecord) -> None:
        process = await self._start(action, record)
        try:
            async with asyncio.timeout(self._timeout):
                words = await _last_words(process)
                status = await process.wait()
        except TimeoutError as exc:
            raise dns_failure(f"{self._command[0]} {action} did not end within {self._timeout:g} s") from exc
        finally:
            await _end(process)
        if status:
            what = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
            raise dns_failure(f"{self._command[0]} {action} {record.name} {what}: {words or 'it gave no reason'}")

    async def _start(self, action: str, record: TXTRecord) -> asyncio.subprocess.Process:
        told = {"ACTION": action, "NAME": record.name, "VALUE": record.value, "TTL": str(TIME_TO_LIVE)}
        try:
            return await asyncio.create_subprocess_exec(
                *self._command, action, record.name, record.value,
                env={**os.environ, **{f"EDGE_DNS_{key}": value for key, value in told.items()}},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as exc:
            reason = getattr(exc, "strerror", None) or "it cannot be run"
            raise dns_failure(f"{self._command[0]} cannot be started: {reason.lower()}") from exc


async def _last_words(process: asyncio.subprocess.Process) -> str:
    """The last line on standard error, read until the program closes it."""
    assert process.stderr is not None
    said = b""
    while chunk := await process.stderr.read(4096):
        said = (said + chunk)[-MOST_WORDS:]
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return clean(lines[-1]) if lines else ""


async def _end(process: asyncio.subprocess.Process) -> None:
    """Nothing of the program outlives the call: it is in a process group of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
