"""A program of the operator that changes the zone: the way to every DNS service that has a command line or an API.

    PROGRAM [ARGUMENT]... present  _acme-challenge.example.com gfj9Xq...Rg85nM
    PROGRAM [ARGUMENT]... clean_up _acme-challenge.example.com gfj9Xq...Rg85nM

The environment is edge's own and EDGE_DNS_ACTION, EDGE_DNS_NAME, EDGE_DNS_VALUE and EDGE_DNS_TTL. Exit status 0 means done;
`present` of a value that is there and `clean_up` of one that is not are done, too. The last line on standard error is
shown to the operator, standard output is thrown away. A program that takes too long is killed with all that it has started.
"""

from __future__ import annotations

from edge.certs.dns.provider import TIME_TO_LIVE, TXTRecord, dns_failure
from edge.certs.programs import run_program
from edge.config.acme_schema import ExecDNS
from edge.errors import CertificateError


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
        told = {"ACTION": action, "NAME": record.name, "VALUE": record.value, "TTL": str(TIME_TO_LIVE)}
        command = (*self._command, action, record.name, record.value)
        called = f"{self._command[0]} {action} {record.name}"
        environment = {f"EDGE_DNS_{key}": value for key, value in told.items()}
        try:
            await run_program(command, environment, seconds=self._timeout, called=called)
        except CertificateError as exc:
            raise dns_failure(str(exc)) from exc
