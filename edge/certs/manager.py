"""The certificate manager: turns a configuration into certificates in service, and keeps them alive.

    start        everything on disk is published (own > stored > placeholder), then the work begins; no CA is waited for
    reconfigure  the same for a new configuration: what did not change goes on undisturbed, orders in flight included
    stop         orders in flight stay in their journals and are resumed by the next start

One task per certificate (`certificate_task`); this module only decides which tasks there are. It runs on the keeper's event
loop and writes to storage from it: the keeper answers no visitor, and a disk that hangs must not lead to orders anyway. What
other processes write is noticed by a `follower` and taken over by the task that it concerns.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

from edge.certs.authority import Authority
from edge.certs.by_hand import ByHand
from edge.certs.certificate_task import CertificateTask
from edge.certs.follower import Follower
from edge.certs.housekeeping import retire_unused
from edge.certs.identifiers import CertificateSpec, is_shallow_wildcard, plan_certificates
from edge.certs.issuer import Issuer
from edge.certs.ledger import DIRECTORY as LEDGER
from edge.certs.ledger import Ledger
from edge.certs.messages import utc
from edge.certs.nodes import Nodes
from edge.certs.on_demand.build import build_pool, pool_settings
from edge.certs.on_demand.pool import NamePool
from edge.certs.own import CHECK_INTERVAL, OwnKeys
from edge.certs.pacing import Bucket, OrderGate
from edge.certs.placeholder import REFRESHED_AFTER
from edge.certs.publisher import Publisher
from edge.certs.record import CertificateRecord
from edge.certs.requests import Answer, Request
from edge.certs.served import ServedNames
from edge.certs.status import CertificateStatus, own_status, status_of_record
from edge.certs.store import CertificateStore
from edge.certs.throttle import Throttle
from edge.config.schema import Acme, Config, KeyPair, Site
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger
from edge.tls.certified_key import CertifiedKey
from edge.tls.name_answer import Reply, refuse

CLOSE_TIMEOUT = 5.0
"""Seconds in which an issuer has to let go of its threads."""

TIDY_AFTER = 1.0
"""Seconds from a change of the configuration until what it no longer names is looked at."""

log = get_logger("certs")


class Manager:
    """Makes, renews and publishes the certificates of one configuration after another.

    `public` makes the issuers for the CAs of a configuration, the preferred one first; `local` is the issuer for names that no
    public CA certifies. All names MUST be stable: a certificate from an issuer with another name is replaced. `nodes`
    stands for the other machines that use the storage, `copies` keeps what is served where it is not on this machine.
    """

    def __init__(
        self,
        config: Config,
        storage: Storage,
        publisher: Publisher,
        *,
        public: Callable[[Acme], Sequence[Issuer]],
        local: Issuer,
        nodes: Nodes | None = None,
        copies: Storage | None = None,
        wall_clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self._config = config
        self._storage = storage
        self._publisher: Publisher = nodes or publisher
        self._nodes = nodes
        self._copies = copies
        self._follower = Follower(storage, self._others_changed)
        self._make_public = public
        self._public = self._authorities(config.acme)
        self._local = Authority(local, OrderGate(None), Throttle(storage, local.name))
        self._now = wall_clock
        self._rng = rng or random.SystemRandom()
        self._served = ServedNames(self._publisher)
        self._own = OwnKeys()
        self._ledger = Ledger(storage)
        self._by_hand = ByHand(
            lambda: list(self._tasks.values()), lambda: (*self._public, self._local), storage, self._ledger, wall_clock
        )
        self._tasks: dict[CertificateSpec, CertificateTask] = {}
        self._running: dict[CertificateSpec, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._on_demand: NamePool | None = None

    async def start(self) -> None:
        """Returns once everything on disk has been published, with placeholders for what is missing."""
        self._follower.begin()
        if self._nodes:
            await self._nodes.start()
        self._own.refresh(_pairs(self._config), self._now())
        self._apply()
        self._tidy()
        self._report_loaded()
        self._keep(self._watch_own())
        self._open_pool()
        self._keep(self._follower.run())
        if self._nodes:
            self._keep(self._nodes.run())

    def reconfigure(self, config: Config) -> None:
        """Work for `config` from now on. On return what is on disk for its names has been published."""
        before, self._config = self._config, config
        if config.acme != before.acme:
            self._change_issuer()
        self._own.refresh(_pairs(config), self._now())
        self._apply()
        self._forgive_changed(before)
        if pool_settings(config) != pool_settings(before):
            self._close_pool()
            self._open_pool()
        self._keep(self._tidy_soon())

    def want(self, name: str, client: str, caller: int, reply: Reply) -> None:
        """See `NamePool.want`; nobody is welcome where no site serves names on demand."""
        want = refuse if self._on_demand is None else self._on_demand.want
        want(name, client, caller, reply)

    async def stop(self) -> None:
        """End all work. Returns within a few seconds."""
        pool, self._on_demand = self._on_demand, None
        if pool is not None:
            await pool.close()
        tasks = [*self._running.values(), *self._background]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()
        await _close([*self._public, self._local])

    async def perform(self, request: Request) -> Answer:
        """What an operator asks for; see `requests`."""
        return await self._by_hand.perform(request)

    def statuses(self) -> list[CertificateStatus]:
        """Every certificate that is asked for, the operator's own among them, as it is now."""
        own = [(pair.certificate, self._own.get(pair)) for pair in _pairs(self._config)]
        return [
            *(own_status(path, read.leaf, self._now()) for path, read in own if read),
            *(status_of_record(task.record) for task in self._tasks.values()),
        ]

    def events(self) -> Mapping[tuple[str, str, str], int]:
        """How often each thing has happened since the start, by CA, event and kind of failure."""
        return self._ledger.counts

    # -- from configuration to tasks ----------------------------------------------------------------------------------

    def _apply(self) -> None:
        """Publish own certificates, start what is new, end what is gone. New ones are ready before old ones go."""
        wanted = self._plan(self._publish_own())
        fresh = [self._make_task(spec) for spec in wanted if spec not in self._tasks]
        for task in fresh:
            _warn_of_shallow_wildcards(task.spec)
            task.load()
        for spec in set(self._tasks) - set(wanted):
            self._end(spec)
        for task in fresh:
            self._tasks[task.spec] = task
            self._running[task.spec] = asyncio.create_task(task.run(), name=f"certificate {task.spec.name}")
        self._served.keep_only(set(self._config.names))

    def _publish_own(self) -> set[str]:
        """Names that need no CA: those of own pairs, and all names of a site whose pair has never been readable."""
        settled: set[str] = set()
        for site in self._config.sites:
            certified = self._own_key(site)
            if certified:
                self._served.replace(certified)
                settled.update(certified.names)
            elif site.key_pair and self._own.get(site.key_pair) is None:
                self._served.stand_in(site.names, self._now())
                settled.update(site.names)
        return settled

    def _own_key(self, site: Site) -> CertifiedKey | None:
        own = self._own.get(site.key_pair) if site.key_pair else None
        if own is None:
            return None
        certified = own.for_site(site)
        if certified is None:
            log.warning(
                "own certificate covers no name of its site", site=site.names[0], names=", ".join(own.leaf.names)
            )
        return certified

    def _plan(self, settled: set[str]) -> list[CertificateSpec]:
        config = self._config
        return plan_certificates(config.sites, set(config.names) - settled, all_public=config.acme.explicit)

    def _make_task(self, spec: CertificateSpec) -> CertificateTask:
        authorities = self._public if spec.authority == "public" else (self._local,)
        store = CertificateStore(self._storage, spec.directory, spec.names)
        first, *others = (authority.name for authority in authorities)
        copy = CertificateStore(self._copies, spec.directory, spec.names) if self._copies else None
        record = CertificateRecord(spec, store, self._served, first, self._now, tuple(others), copy)
        return CertificateTask(record, authorities, self._publisher, self._rng, self._ledger)

    def _authorities(self, acme: Acme) -> tuple[Authority, ...]:
        """The preferred CA first. Names tell certificates apart, so the second of two equal ones is left out."""
        issuers = {issuer.name: issuer for issuer in reversed(self._make_public(acme))}
        return tuple(
            Authority(issuer, OrderGate(Bucket()), Throttle(self._storage, name))
            for name, issuer in reversed(issuers.items())
        )

    def _end(self, spec: CertificateSpec) -> None:
        del self._tasks[spec]
        running = self._running.pop(spec)
        running.cancel()
        self._background.add(running)
        running.add_done_callback(self._background.discard)

    def _change_issuer(self) -> None:
        """Another CA or account: every public certificate starts anew with it; what is served stays served."""
        for spec in [spec for spec in self._tasks if spec.authority == "public"]:
            self._end(spec)
        former, self._public = self._public, self._authorities(self._config.acme)
        self._keep(_close(former))

    def _forgive_changed(self, before: Config) -> None:
        """A site that the operator has just changed is tried at once: the change may be the remedy."""
        changed = _changed_names(before, self._config)
        for spec, task in self._tasks.items():
            if spec.name in changed:
                task.forgive()

    def _report_loaded(self) -> None:
        renewals = [task.renewal for task in self._tasks.values() if task.renewal is not None]
        if renewals:
            log.info("certificates loaded", certificates=len(renewals), next_renewal=utc(min(renewals)))

    # -- names that no site lists -------------------------------------------------------------------------------------

    def _open_pool(self) -> None:
        self._on_demand = build_pool(
            self._config, self._storage, self._copies, self._publisher, self._public, self._now, self._rng, self._ledger
        )
        if self._on_demand is not None:
            self._on_demand.start()

    def _close_pool(self) -> None:
        """What it holds is on disk, and is found there by the next one."""
        if self._on_demand is not None:
            self._keep(self._on_demand.close())
            self._on_demand = None

    # -- beside the tasks ---------------------------------------------------------------------------------------------

    async def _watch_own(self) -> None:
        """Look at the operator's own files every minute; renew placeholders of sites whose files are unusable."""
        stood_in_at = self._now()
        while True:
            await asyncio.sleep(CHECK_INTERVAL)
            now = self._now()
            changed = self._own.refresh(_pairs(self._config), now)
            if changed or abs(now - stood_in_at) > REFRESHED_AFTER:
                stood_in_at = now
                self._apply()

    async def _others_changed(self, areas: frozenset[str]) -> None:
        """Another process has written, or this one."""
        if self._nodes:
            await self._nodes.changed(areas)
            if LEDGER in areas:
                self._ledger.refresh()
        for spec, task in list(self._tasks.items()):
            if f"certs/{spec.directory}" in areas:
                task.look()
                await asyncio.sleep(0)  # there may be thousands, and requests to CAs are under way
        if self._on_demand:
            await self._on_demand.look(areas)

    async def _tidy_soon(self) -> None:
        """A little later: a task that has just ended still holds its lock."""
        await asyncio.sleep(TIDY_AFTER)
        self._tidy()

    def _tidy(self) -> None:
        retire_unused(self._storage, {spec.directory for spec in self._tasks}, self._now())

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _pairs(config: Config) -> list[KeyPair]:
    return list(dict.fromkeys(site.key_pair for site in config.sites if site.key_pair))


def _changed_names(before: Config, config: Config) -> set[str]:
    """Names whose site says something else than before; all of them when the listeners do."""
    if config.listen != before.listen:
        return set(config.names)
    former = {name: site for site in before.sites for name in site.names}
    changed: set[str] = set()
    for site in config.sites:
        # Each predecessor is compared once: comparing sites means comparing all their names.
        predecessors = {id(each): each for each in map(former.get, site.names)}.values()
        if any(each != site for each in predecessors):
            changed.update(site.names)
    return changed


def _warn_of_shallow_wildcards(spec: CertificateSpec) -> None:
    for name in filter(is_shallow_wildcard, spec.names):
        check = "list the names one by one, or use *.something." + name.removeprefix("*.")
        log.warning("browsers accept no wildcard right below a top-level name", name=name, check=check)


async def _close(authorities: Iterable[Authority]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await asyncio.gather(*(authority.issuer.close() for authority in authorities))
