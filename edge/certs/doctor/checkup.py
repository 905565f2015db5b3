"""Looks at a name before an order for it: the certain failures stop the order, on demand everything is told.

    before a first order     DNS only, bounded by `LONGEST_WAIT`; no answer means no objection
    on demand                DNS, the clock, and whether ports 80 and 443 lead here

What the internet sees is what counts, so public resolvers are asked. A CA behind a trust root of its own (`is_private`) may live
in a network with names of its own: there nothing is certain, and nothing is refused, unless the operator names the resolvers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct

from edge.certs.doctor.caa import Applicant
from edge.certs.doctor.finding import Finding, Grade, good, problem
from edge.certs.doctor.names import look_at_addresses, look_at_caa, look_at_dnssec
from edge.certs.doctor.questions import Questions
from edge.certs.doctor.reach import Ports, look_at_ports
from edge.certs.issuer import IssueFailed
from edge.certs.messages import in_words
from edge.certs.publisher import Publisher
from edge.config.names import is_address

LONGEST_WAIT = 8.0
"""Seconds that an order is held up for at the most. Usually it is a tenth of a second."""

AT_ONCE = 8
"""Names of one certificate that are looked at side by side; a certificate may have a hundred."""

WORST_SKEW = 60.0
"""Seconds between the CA's clock and ours that are worth a sentence."""


class Case(Struct, frozen=True):
    """Whom an order would go to, and how: `ca` for messages, `identities` and `account` as in `Applicant`, `methods` tells the
    usable challenges of a name, `skew` is the CA's clock minus ours in seconds."""

    ca: str
    identities: frozenset[str]
    account: str | None
    methods: Callable[[str], frozenset[str]]
    is_private: bool = False
    skew: float = 0.0

    def applicant(self, name: str) -> Applicant:
        """Who would ask for this name."""
        return Applicant(self.identities, self.account, self.methods(name))


class Checkup:
    """Examines names. `questions` of None asks no DNS at all; `even_private`: the resolvers see what a private CA sees."""

    def __init__(
        self,
        questions: Questions | None,
        wall_clock: Callable[[], float],
        *,
        even_private: bool = False,
        ports: Ports | None = None,
    ) -> None:
        self._questions = questions
        self._now = wall_clock
        self._even_private = even_private
        self._ports = ports or Ports()

    async def preflight(self, names: tuple[str, ...], case: Case) -> None:
        """Returns within `LONGEST_WAIT` when nothing is certain to fail. Raises: IssueFailed."""
        if self._questions is None or (case.is_private and not self._even_private):
            return
        gate = asyncio.Semaphore(AT_ONCE)

        async def look(name: str) -> list[Finding]:
            async with gate:
                return await self._look_up(name, case)

        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT):
                for findings in await asyncio.gather(*map(look, names)):
                    _refuse(findings)

    async def examine(self, name: str, case: Case, publisher: Publisher) -> list[Finding]:
        """Everything that can be seen of one name. Never raises for what the network does."""
        findings = await self._look_up(name, case)
        if case.is_private and not self._even_private:
            findings = [_softened(each) for each in findings]
        addresses = await self._addresses(name)
        return [
            *findings,
            self._clock(case),
            *await look_at_ports(name, addresses, publisher, self._ports, self._now()),
        ]

    async def _look_up(self, name: str, case: Case) -> list[Finding]:
        if self._questions is None or is_address(name):
            return []
        base, applicant = name.removeprefix("*."), case.applicant(name)
        by_listeners = applicant.methods <= {"http-01", "tls-alpn-01"}
        (addresses, _), dnssec, caa = await asyncio.gather(
            look_at_addresses(self._questions, base, must_exist=by_listeners),
            look_at_dnssec(self._questions, base),
            look_at_caa(self._questions, name, applicant, self._now()),
        )
        return [addresses, dnssec, caa]

    async def _addresses(self, name: str) -> tuple[str, ...]:
        """What public resolvers say."""
        if is_address(name):
            return (name,)
        if self._questions is None or name.startswith("*."):
            return ()
        return (await look_at_addresses(self._questions, name, must_exist=True))[1]

    @staticmethod
    def _clock(case: Case) -> Finding:
        if abs(case.skew) <= WORST_SKEW:
            return good("clock", f"agrees with that of {case.ca}")
        direction = "behind" if case.skew > 0 else "ahead of"
        return problem("clock", f"{in_words(abs(case.skew))} {direction} that of {case.ca}: set it by NTP")


def _refuse(findings: list[Finding]) -> None:
    for finding in findings:
        if finding.grade is Grade.CERTAIN:
            raise IssueFailed(
                finding.error_class,
                "preflight",
                finding.sentence,
                hint="the CA was not asked, because it is certain to refuse; edge looks again at the next try, or at once with"
                " edge certs renew",
            )


def _softened(finding: Finding) -> Finding:
    if finding.grade is not Grade.CERTAIN:
        return finding
    return Finding(finding.about, Grade.PROBLEM, f"{finding.sentence} (a private CA may see it otherwise)")
