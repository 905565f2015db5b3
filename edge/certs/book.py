"""One certificate's page of the ledger: what is written about it, and whether an order for it would be in vain."""

from __future__ import annotations

from edge.certs.budget import Budget
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.certs.journal import has_order
from edge.certs.ledger import Entry, Event, Ledger
from edge.certs.record import CertificateRecord


class Book:
    """Writes down what happens to the certificate of `record`."""

    def __init__(self, ledger: Ledger, record: CertificateRecord) -> None:
        self._ledger = ledger
        self._record = record

    def exhausted(self, ca: str, now: float) -> Budget | None:
        """The budget at `ca` that an order would certainly exceed now, or None.

        An order that exists is resumed: that makes no new one, and what it has issued is only fetched."""
        if self.is_exempt(ca, now):
            return None
        spent = self._ledger.tally.exhausted(ca, self._record.spec.names, now)
        if spent and has_order(self._record.store.storage, self._record.spec.directory):
            return None
        return spent

    def is_exempt(self, ca: str, now: float) -> bool:
        """Whether the CA counts no limits: its own window is open for a certificate that it has issued (RFC 9773 §5)."""
        live, window = self._record.live, self._record.state.window
        return live is not None and live.issuer == ca and window is not None and window.start <= now < window.end

    def ordered(self, ca: str, *, exempt: bool) -> None:
        """The CA has made a new order."""
        self._write(Entry(self._record.now(), Event.ORDERED, ca, self._record.spec.names, exempt=exempt))

    def issued(self, ca: str, serial: str, *, exempt: bool) -> None:
        """The CA has issued."""
        names = self._record.spec.names
        self._write(Entry(self._record.now(), Event.ISSUED, ca, names, serial=serial, exempt=exempt))

    def failed(self, ca: str, failure: IssueFailed, *, rehearsal: bool) -> None:
        """An attempt failed, with `rehearsal` before the CA itself was asked for a certificate. A failed validation counts for
        the names that the CA speaks of."""
        names = self._record.spec.names
        if failure.error_class is ErrorClass.VALIDATION:
            names = tuple(name for name in names if name in failure.detail) or names
        entry = Entry(
            self._record.now(),
            Event.FAILED,
            ca,
            names,
            phase=failure.phase,
            kind=failure.error_class.value,
            cause=failure.detail,
            rehearsal=rehearsal and failure.error_class is ErrorClass.VALIDATION,
        )
        self._write(entry)

    def _write(self, entry: Entry) -> None:
        self._ledger.add(entry)
