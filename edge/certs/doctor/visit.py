"""`edge doctor NAME` as a whole: the name at its CA, the storage, and the budget that is left."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from edge.certs.budget import Budget, in_words
from edge.certs.doctor.finding import Finding, Grade, good, problem
from edge.certs.issuer import IssueFailed, Issuer
from edge.certs.ledger import Ledger
from edge.certs.messages import utc
from edge.certs.publisher import Publisher
from edge.certs.requests import Answer
from edge.config.acme_schema import USUAL, CertificateOptions
from edge.config.names import is_public
from edge.config.schema import Config
from edge.errors import StorageError
from edge.storage.contract import Storage


@runtime_checkable
class Examiner(Protocol):
    """An issuer that can say beforehand what its CA will meet."""

    async def examine(self, name: str, publisher: Publisher, options: CertificateOptions) -> list[Finding]:
        """Never orders anything, makes no account. Raises: IssueFailed when the CA cannot be asked, StorageError."""


class Patient(Struct, frozen=True):
    """A name, how its certificate is to be, and whether a CA outside is asked for it."""

    name: str
    options: CertificateOptions
    is_public: bool

    @classmethod
    def of(cls, name: str, config: Config) -> Patient:
        """As the configuration says; a name that it does not list is taken as if it did."""
        options = next((site.certificate for site in config.sites if name in site.names), USUAL)
        return cls(name, options, config.acme.explicit or is_public(name))


async def visit(
    patient: Patient, issuers: Sequence[Issuer], publisher: Publisher, storage: Storage, ledger: Ledger, now: float
) -> Answer:
    """A sentence about each thing, about the preferred CA (the first). Never raises for what others do."""
    findings = [_probe(storage)]
    if not patient.is_public:
        findings.append(
            good("CA", f"{patient.name} is no public name: edge certifies it itself, nobody outside is asked")
        )
        return _answer(findings)
    for issuer in issuers[:1]:
        findings += await _at(issuer, patient, publisher)
        findings += [_told(budget, issuer.name) for budget in ledger.tally.budgets(issuer.name, (patient.name,), now)]
    return _answer(findings)


async def _at(issuer: Issuer, patient: Patient, publisher: Publisher) -> list[Finding]:
    if not isinstance(issuer, Examiner):
        return []
    try:
        return await issuer.examine(patient.name, publisher, patient.options)
    except (IssueFailed, StorageError) as exc:
        return [problem("CA", f"{issuer.name} could not be asked ({exc}): can this machine reach it?")]


def _probe(storage: Storage) -> Finding:
    key = f"doctor/{secrets.token_hex(8)}"
    try:
        storage.store(key, b"edge")
        is_kept = storage.load(key) == b"edge"
        storage.delete(key)
    except StorageError as exc:
        return Finding(
            "storage", Grade.CERTAIN, f"cannot be written ({exc}): nothing is ordered that could not be kept"
        )
    return good("storage", "can be written") if is_kept else problem("storage", "does not give back what it was given")


def _told(budget: Budget, ca: str) -> Finding:
    about = f"budget of {budget.kind.value}"
    if budget.frees_at:
        return Finding(about, Grade.CERTAIN, f"{in_words(budget, ca)}; the next one is possible {utc(budget.frees_at)}")
    return good(about, f"{budget.left} of {budget.count} left at {ca}")


def _answer(findings: list[Finding]) -> Answer:
    is_well = all(each.grade in (Grade.GOOD, Grade.UNKNOWN) for each in findings)
    return Answer(is_well, tuple(map(str, findings)))
