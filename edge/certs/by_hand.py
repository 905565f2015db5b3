"""What an operator asks for beside the schedule: renew now, revoke, change the account.

A request never breaks the rules that protect the site: a certificate is replaced before it is revoked (unless its key is in
other hands), a wait that the CA has asked for is kept, and no attempt is spent that is certain to be refused.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence

from edge.certs.authority import Authority
from edge.certs.certificate_task import CertificateTask
from edge.certs.issuer import AccountHolder, IssueFailed
from edge.certs.ledger import Entry, Event, Ledger
from edge.certs.messages import in_words, utc
from edge.certs.renewal import Urgency, urgency
from edge.certs.requests import Answer, ChangeAccount, LookAgain, Reason, Renew, Request, Revoke
from edge.certs.store import CertificateStore, Stored
from edge.errors import CertificateError, StorageError
from edge.storage.contract import Storage


class ByHand:
    """Carries out requests on the tasks and CAs of the day; both are asked for anew each time."""

    def __init__(
        self,
        tasks: Callable[[], Iterable[CertificateTask]],
        authorities: Callable[[], Sequence[Authority]],
        storage: Storage,
        ledger: Ledger,
        wall_clock: Callable[[], float],
    ) -> None:
        self._tasks = tasks
        self._authorities = authorities
        self._storage = storage
        self._ledger = ledger
        self._now = wall_clock

    async def perform(self, request: Request) -> Answer:
        """Do it; returns when it is done or has failed. Never raises for what a CA or a disk does."""
        try:
            match request:
                case Renew(names, force):
                    answers = await asyncio.gather(*(self._renew(name, force=force) for name in names))
                    return _joined(answers)
                case Revoke(name, reason):
                    return await self._revoke(name, reason)
                case ChangeAccount(action, ca):
                    return await self._change_account(action, ca)
                case LookAgain():
                    for task in self._tasks():
                        task.look_again()
                    return Answer(True, ())
        except IssueFailed as exc:
            return _refused(_failure(exc))
        except (StorageError, CertificateError) as exc:
            return _refused(str(exc))

    # -- renewing -----------------------------------------------------------------------------------------------------

    async def _renew(self, name: str, *, force: bool) -> Answer:
        tasks = self._holding(name)
        if not tasks:
            return _refused(f"{name}: edge orders no certificate for this name; edge certs lists those it has")
        return _joined(await asyncio.gather(*(self._renew_one(task, force=force) for task in tasks)))

    async def _renew_one(self, task: CertificateTask, *, force: bool) -> Answer:
        name, now = task.spec.name, self._now()
        refusal = "" if force else self._not_due(task, now)
        if refusal:
            return Answer(True, (f"{name}: {refusal}",))
        try:
            fresh = await task.renew_now()
        except IssueFailed as exc:
            return _refused(f"{name}: not renewed: {_failure(exc)}")
        return Answer(True, (f"{name}: {_facts(fresh)}",))

    @staticmethod
    def _not_due(task: CertificateTask, now: float) -> str:
        """Why there is nothing to renew, or ""."""
        leaf, state = task.record.leaf, task.record.state
        planned = task.renewal
        if leaf is None or planned is None or planned <= now or urgency(leaf, now) > Urgency.CALM or state.failures:
            return ""
        left = in_words(leaf.not_after - now)
        return f"nothing to do, it is valid for {left} and renewed {utc(planned)}; --force renews it all the same"

    def _holding(self, name: str) -> list[CertificateTask]:
        return [task for task in self._tasks() if name in task.spec.names or name == task.spec.directory]

    # -- revoking -----------------------------------------------------------------------------------------------------

    async def _revoke(self, name: str, reason: Reason) -> Answer:
        tasks = self._holding(name)
        served = next((task.record.live for task in tasks if task.record.live), None)
        if tasks and served is None:
            return _refused(f"{name}: there is no certificate to revoke")
        if served is None:
            return await self._revoke_unused(name, reason)
        if reason is Reason.CESSATION:
            return _refused(f"{name}: this name is still served; take it out of the configuration first, then revoke")
        authority = self._authority_of(name, served)
        # One certificate may serve several names whose tasks have each got it by import.
        same = [task for task in self._tasks() if task.record.leaf and task.record.leaf.serial == served.leaf.serial]
        if reason is Reason.KEY_COMPROMISE:
            return await self._revoke_first(name, served, authority, reason, same)
        return await self._replace_first(name, served, authority, reason, same)

    async def _replace_first(
        self, name: str, old: Stored, authority: Authority, reason: Reason, tasks: list[CertificateTask]
    ) -> Answer:
        answer = _joined(await asyncio.gather(*(self._renew_one(task, force=True) for task in tasks)))
        if not answer.is_done:
            return Answer(False, (*answer.sentences, f"{name}: not revoked, because nothing could replace it"))
        try:
            await self._tell_ca(old, authority, reason)
        except IssueFailed as exc:
            return Answer(False, (*answer.sentences, f"{name}: replaced, but not revoked: {_failure(exc)}"))
        self._put_aside(tasks, old)
        return Answer(True, (*answer.sentences, f"{name}: serial {old.leaf.serial} is revoked"))

    async def _revoke_first(
        self, name: str, old: Stored, authority: Authority, reason: Reason, tasks: list[CertificateTask]
    ) -> Answer:
        """Somebody else can use the key: every minute counts more than a browser's warning."""
        await self._tell_ca(old, authority, reason)
        for task in tasks:
            task.distrust(old.leaf.serial)
        revoked = f"{name}: serial {old.leaf.serial} is revoked"
        answer = _joined(await asyncio.gather(*(self._renew_one(task, force=True) for task in tasks)))
        if answer.is_done:
            self._put_aside(tasks, old)
        return Answer(answer.is_done, (revoked, *answer.sentences))

    async def _revoke_unused(self, name: str, reason: Reason) -> Answer:
        """A certificate that the configuration no longer asks for."""
        for directory in self._storage.list("certs"):
            store = CertificateStore(self._storage, directory, ())
            stored = store.load()
            if stored is None or not (name in stored.leaf.names or name == directory):
                continue
            await self._tell_ca(stored, self._authority_of(name, stored), reason)
            store.put_aside(stored, "revoked")
            return Answer(True, (f"{name}: serial {stored.leaf.serial} is revoked",))
        return _refused(f"{name}: there is no certificate for this name; edge certs lists those there are")

    async def _tell_ca(self, old: Stored, authority: Authority, reason: Reason) -> None:
        await authority.issuer.revoke(old.chain, reason.code)
        entry = Entry(
            self._now(), Event.REVOKED, authority.name, old.leaf.names, cause=reason.value, serial=old.leaf.serial
        )
        self._ledger.add(entry)

    def _authority_of(self, name: str, stored: Stored) -> Authority:
        for authority in self._authorities():
            if authority.name == stored.issuer:
                return authority
        issuer = stored.issuer or "a CA that is not known"
        raise CertificateError(f"{name}: the certificate is from {issuer}, which is not in the configuration")

    def _put_aside(self, tasks: list[CertificateTask], old: Stored) -> None:
        """Never to be served again, also when the new one is damaged one day."""
        for task in tasks:
            with contextlib.suppress(StorageError):
                task.record.store.put_aside(old, "revoked")

    # -- accounts -----------------------------------------------------------------------------------------------------

    async def _change_account(self, action: str, ca: str) -> Answer:
        authority = self._named(ca)
        holder = _account_holder(authority)
        if authority is None or holder is None:
            known = ", ".join(each.name for each in self._authorities() if _account_holder(each))
            return _refused(f"{ca or 'the configuration'}: no CA with an account; there is {known or 'none'}")
        async with authority.gate.alone():
            told = await _change(holder, action)
        return Answer(True, (f"{authority.name}: {told}",))

    def _named(self, ca: str) -> Authority | None:
        public = self._authorities()
        if not ca:
            return public[0] if public else None
        return next((each for each in public if ca.lower() == each.name.lower()), None)


def _account_holder(authority: Authority | None) -> AccountHolder | None:
    issuer: object = authority.issuer if authority else None
    return issuer if isinstance(issuer, AccountHolder) else None


async def _change(holder: AccountHolder, action: str) -> str:
    if action == "new-key":
        await holder.change_account_key()
        return "the account has a new key; back up accounts/ again"
    if action == "deactivate":
        await holder.deactivate_account()
        return "the account is deactivated; its key is in quarantine/"
    holder.put_account_aside()
    return "the account is put aside; the next order registers another, which CAA records may have to name"


def _joined(answers: Iterable[Answer]) -> Answer:
    answers = list(answers)
    return Answer(all(each.is_done for each in answers), tuple(line for each in answers for line in each.sentences))


def _refused(sentence: str) -> Answer:
    return Answer(False, (sentence,))


def _failure(failure: IssueFailed) -> str:
    again = f"; not before {utc(failure.retry_after)}" if failure.retry_after else ""
    hint = f"; {failure.hint}" if failure.hint else ""
    return f"{failure.phase}: {failure.detail}{again}{hint}"


def _facts(stored: Stored) -> str:
    return (
        f"a new certificate from {stored.issuer}, valid until {utc(stored.leaf.not_after)}, serial {stored.leaf.serial}"
    )
