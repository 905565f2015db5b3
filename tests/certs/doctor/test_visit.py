"""`edge doctor` beside DNS: storage, budget, a CA that is away, names that nobody outside certifies."""

from __future__ import annotations

import asyncio

from edge.certs.doctor.finding import Finding, good
from edge.certs.doctor.visit import Patient, visit
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.certs.ledger import Entry, Event, Ledger
from edge.certs.publisher import Publisher
from edge.certs.requests import Answer
from edge.config.acme_schema import USUAL, CertificateOptions
from tests.certs.acme.fakes import FakePublisher
from tests.certs.fakes import FakeCA, MemoryStorage, ScriptedIssuer, fail_on
from tests.certs.world import config_for

NOW = 1_800_000_000.0


class ExaminingIssuer(ScriptedIssuer):
    """Finds one thing, or the CA away."""

    is_away = False

    async def examine(self, name: str, publisher: Publisher, options: CertificateOptions) -> list[Finding]:
        if self.is_away:
            raise IssueFailed(ErrorClass.TRANSPORT, "account", "no answer")
        return [good("DNS", f"{name} is fine")]


def see(storage: MemoryStorage, issuer: ExaminingIssuer, *, is_public: bool = True) -> Answer:
    patient = Patient("a.example.com", USUAL, is_public)
    return asyncio.run(visit(patient, [issuer], FakePublisher(), storage, Ledger(storage), NOW))


def issuer_named(name: str) -> ExaminingIssuer:
    return ExaminingIssuer(FakeCA(lambda: NOW, name=name))


def test_all_is_well() -> None:
    """Storage, what the issuer finds, and each budget; the probe leaves nothing behind."""
    storage = MemoryStorage()
    answer = see(storage, issuer_named("Let's Encrypt"))
    assert answer.is_done
    assert answer.sentences[:2] == ("ok       storage: can be written", "ok       DNS: a.example.com is fine")
    assert "ok       budget of failures: 5 of 5 left at Let's Encrypt" in answer.sentences
    assert storage.files == {}


def test_a_spent_budget_is_refused() -> None:
    """With the moment from which one more is possible."""
    storage = MemoryStorage()
    ledger = Ledger(storage)
    for minute in range(5):
        kind = ErrorClass.VALIDATION.value
        ledger.add(Entry(NOW - minute, Event.FAILED, "Let's Encrypt", ("a.example.com",), kind=kind))
    answer = see(storage, issuer_named("Let's Encrypt"))
    assert not answer.is_done
    (line,) = [line for line in answer.sentences if line.startswith("refused")]
    assert "all are used; the next one is possible 2027-01-15T" in line


def test_trouble_is_told_not_raised() -> None:
    """A disk that takes nothing, a CA that is away."""
    storage, issuer = MemoryStorage(), issuer_named("The CA")
    storage.before = fail_on("store")
    issuer.is_away = True
    answer = see(storage, issuer)
    assert not answer.is_done
    assert answer.sentences[0].startswith("refused  storage: cannot be written (no space left")
    assert answer.sentences[1].startswith("problem  CA: The CA could not be asked (account: no answer)")


def test_private_names_ask_nobody() -> None:
    """Unless the operator has named the CA."""
    answer = see(MemoryStorage(), issuer_named("The CA"), is_public=False)
    assert len(answer.sentences) == 2
    assert "edge certifies it itself" in answer.sentences[1]
    assert not Patient.of("localhost", config_for("a.example.com")).is_public
    assert Patient.of("new.example.com", config_for("a.example.com")).is_public
