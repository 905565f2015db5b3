"""What was found elsewhere goes into the storage: each certificate where edge would have put its own, each account likewise.

A certificate goes live only after the checks that one from a CA has to pass. What edge has already is never replaced by
something older, so that everything may be repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import msgspec
from msgspec import Struct

from edge.certs.acceptance import accept_chain
from edge.certs.acme.account import AccountRecord, account_directory
from edge.certs.acme.issuer import ca_name
from edge.certs.chain import covers_all, public_key_of, read_leaf
from edge.certs.identifiers import CertificateSpec, plan_certificates
from edge.certs.importing.found import Found, FoundAccount, FoundPair
from edge.certs.issuer import IssueFailed
from edge.certs.ledger import Entry, Event, Ledger
from edge.certs.messages import in_words, utc
from edge.certs.requests import Answer
from edge.certs.state import for_ca, for_certificate
from edge.certs.store import CertificateStore, Stored
from edge.config.schema import Config
from edge.errors import CertificateError
from edge.storage.contract import Storage

LOCK_TRIES, LOCK_PAUSE = 60, 0.5
"""Half a minute for what the running edge has begun."""


class Accepted(Struct, frozen=True):
    """A pair that may be served, and where it came from."""

    place: str
    stored: Stored


class TakeOver:
    """One import into `storage` as `config` would use it; with `dry_run` nothing is written."""

    def __init__(
        self,
        config: Config,
        storage: Storage,
        *,
        dry_run: bool,
        now: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._storage = storage
        self._sleep = sleep
        self._dry_run = dry_run
        self._now = now
        self._cas = [ca_name(ca.directory) for ca in config.acme.authorities]
        self._kids = {
            ca.directory: ca.external_account.kid for ca in config.acme.authorities if ca.external_account is not None
        }
        self._specs = [
            spec
            for spec in plan_certificates(config.sites, set(config.names), all_public=config.acme.explicit)
            if spec.authority == "public"
        ]
        self._ledger = Ledger(storage)
        self._sentences: list[str] = []
        self._problems: list[str] = []

    def perform(self, found: Found) -> Answer:
        """Take over what can be used; a sentence about each thing, the problems last. Raises: StorageError."""
        self._problems += found.problems
        for account in found.accounts:
            self._take_account(account)
        for spec, accepted in _best(self._specs, list(self._accepted(found.pairs))):
            self._take(spec, accepted)
        if not (found.pairs or found.accounts or found.problems):
            self._problems.append("there is nothing to take over")
        return Answer(not self._problems, (*self._sentences, *self._problems))

    # -- certificates -------------------------------------------------------------------------------------------------

    def _accepted(self, pairs: Iterable[FoundPair]) -> Iterator[Accepted]:
        for pair in pairs:
            try:
                leaf = read_leaf(pair.chain)
                if leaf.not_after <= self._now:
                    self._sentences.append(f"{pair.place}: left out, expired {utc(leaf.not_after)}")
                    continue
                chain, leaf = accept_chain(pair.chain, pair.key, leaf.names, self._now)
            except IssueFailed as exc:
                self._problems.append(f"{pair.place}: {exc.detail}")
            except CertificateError as exc:
                self._problems.append(f"{pair.place}: {exc}")
            else:
                yield Accepted(pair.place, Stored(pair.key, chain, leaf, self._issuer(pair)))

    def _issuer(self, pair: FoundPair) -> str:
        """The name of the CA; "" for one that is not configured: then the certificate is kept until it is due all the same."""
        name = ca_name(pair.ca) if pair.ca else ""
        return name if name in self._cas else ""

    def _take(self, spec: CertificateSpec, accepted: Accepted) -> None:
        store, names = CertificateStore(self._storage, spec.directory, spec.names), ", ".join(spec.names)
        if self._dry_run:
            refusal = self._why_not(store, accepted.stored)
        else:
            with self._patiently(store.exclusive) as got:
                if not got:
                    self._problems.append(f"{names}: edge is ordering this certificate just now; try again later")
                    return
                refusal = self._why_not(store, accepted.stored)
                if not refusal:
                    self._save(store, spec, accepted.stored)
        self._sentences.append(f"{names}: {refusal or self._report(accepted)}")

    def _report(self, accepted: Accepted) -> str:
        end = accepted.stored.leaf.not_after
        done = "would be taken over" if self._dry_run else "taken over"
        return f"{done} from {accepted.place}, valid until {utc(end)} ({in_words(end - self._now)})"

    @contextmanager
    def _patiently(self, lock: Callable[[], AbstractContextManager[object]]) -> Iterator[bool]:
        """An attempt at a CA that does not answer ends before long; a person can wait for that."""
        for _ in range(LOCK_TRIES):
            with lock() as got:
                if got:
                    yield True
                    return
            self._sleep(LOCK_PAUSE)
        yield False

    def _why_not(self, store: CertificateStore, offered: Stored) -> str:
        """Why nothing needs to be written, or ""."""
        there = _usable(store)
        if there is None:
            return ""
        if there.leaf.serial == offered.leaf.serial:
            return "taken over already"
        is_good = there.leaf.not_after > self._now and there.issuer in ("", *self._cas)
        if is_good and there.leaf.not_before >= offered.leaf.not_before:
            return f"edge has a newer one, valid until {utc(there.leaf.not_after)}"
        return ""

    def _save(self, store: CertificateStore, spec: CertificateSpec, stored: Stored) -> None:
        store.save(stored)
        state = for_certificate(for_ca(store.load_state(), self._cas[0]), stored.leaf, self._now)
        store.store_state(msgspec.structs.replace(state, names=spec.names))
        entry = Entry(self._now, Event.IMPORTED, stored.issuer, spec.names, serial=stored.leaf.serial)
        self._ledger.add(entry)

    # -- accounts -----------------------------------------------------------------------------------------------------

    def _take_account(self, account: FoundAccount) -> None:
        directory = account_directory(account.ca, self._kids.get(account.ca, ""))
        name = ca_name(account.ca)
        there = self._storage.load(f"{directory}/key.pem")
        if there is not None:
            same = _public(there) == _public(account.key)
            kept = "taken over already" if same else "edge has one of its own there, which stays"
            self._sentences.append(f"account at {name}: {kept}")
            return
        if not self._dry_run:
            record = AccountRecord(account.url, account.ca, self._now)
            files = {
                "key.pem": account.key,
                "account.json": msgspec.json.format(msgspec.json.encode(record)),
            }
            with self._patiently(lambda: self._storage.lock(directory)) as got:
                if not got:
                    self._problems.append(f"account at {name}: edge is using it just now; try again in a minute")
                    return
                self._storage.store_directory(directory, files)
        done = "would be taken over" if self._dry_run else "taken over"
        self._sentences.append(f"account at {name}: {done} from {account.place}")


def _best(specs: Sequence[CertificateSpec], accepted: list[Accepted]) -> Iterator[tuple[CertificateSpec, Accepted]]:
    """For each certificate that edge would have, the newest one offered that names all it needs; names that the configuration
    does not mention get a place of their own, as they would by default."""
    named = {name for spec in specs for name in spec.names}
    unnamed = dict.fromkeys(name for each in accepted for name in each.stored.leaf.names if name not in named)
    for spec in [*specs, *(CertificateSpec((name,), "public") for name in unnamed)]:
        offers = [each for each in accepted if covers_all(each.stored.leaf, spec.names)]
        if offers:
            yield spec, max(offers, key=lambda each: each.stored.leaf.not_before)


def _usable(store: CertificateStore) -> Stored | None:
    """What edge has, without repairing anything: a dry run must not."""
    for generation in store.generations():
        try:
            return store.read(generation)
        except CertificateError:
            continue
    return None


def _public(pem: bytes) -> bytes:
    try:
        return public_key_of(pem)
    except CertificateError:
        return b""
