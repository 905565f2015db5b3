"""From `[on_demand]` to a pool: the parts put together."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from edge.certs.authority import Authority
from edge.certs.certificate_task import CertificateTask
from edge.certs.identifiers import CertificateSpec
from edge.certs.ledger import Ledger
from edge.certs.on_demand.ask import Ask
from edge.certs.on_demand.ask_callable import AskByCall
from edge.certs.on_demand.ask_url import AskByURL
from edge.certs.on_demand.entry import DemandedName
from edge.certs.on_demand.order_budget import OrderBudget
from edge.certs.on_demand.pool import NamePool
from edge.certs.on_demand.rules import NameRules, public_suffixes
from edge.certs.on_demand.tidying import tidy_for_ever
from edge.certs.pacing import Bucket, OrderGate
from edge.certs.publisher import Publisher
from edge.certs.record import CertificateRecord
from edge.certs.store import CertificateStore
from edge.config.acme_schema import Acme, ExternalAccount, LexiconDNS, Rfc2136DNS
from edge.config.on_demand_schema import AskURL, OnDemand
from edge.config.schema import Config
from edge.storage.contract import Storage

BURST: Final = 75
REFILL_SECONDS: Final = 72.0
"""New orders on demand at one CA: beside those of the configuration, so that a visitor does not stand behind its renewals."""


def build_pool(
    config: Config,
    storage: Storage,
    copies: Storage | None,
    publisher: Publisher,
    authorities: Iterable[Authority],
    wall_clock: Callable[[], float],
    rng: random.Random,
    ledger: Ledger,
) -> NamePool | None:
    """The pool that the configuration asks for, or None."""
    settings = config.on_demand
    if settings is None:
        return None
    options = next(site.certificate for site in config.sites if site.on_demand)
    paced = [Authority(each.issuer, OrderGate(Bucket(BURST, REFILL_SECONDS)), each.throttle) for each in authorities]
    rules = NameRules(settings.depth, all_public=config.acme.explicit, registrable=public_suffixes())

    def make_name(name: str, domain: str, pool: NamePool) -> DemandedName:
        spec = CertificateSpec((name,), "public", options, on_demand=True)
        held = DemandedName(name, domain, pool, publisher.offer)
        first, *others = (authority.name for authority in paced)
        store = CertificateStore(storage, spec.directory, spec.names)
        copy = CertificateStore(copies, spec.directory, spec.names) if copies else None
        record = CertificateRecord(spec, store, held, first, wall_clock, tuple(others), copy)
        held.attach(record, CertificateTask(record, paced, publisher, rng, ledger, held))
        return held

    orders = OrderBudget(settings, storage, wall_clock())
    tidying = partial(tidy_for_ever, storage, wall_clock=wall_clock)
    return NamePool(settings, rules, build_ask(settings, config), orders, make_name, tidying, wall_clock=wall_clock)


def pool_settings(config: Config) -> tuple[object, ...]:
    """What a pool is made of: another pool is needed when this is different."""
    options = [site.certificate for site in config.sites if site.on_demand]
    return config.on_demand, options, config.acme, config.user


def build_ask(settings: OnDemand, config: Config) -> Ask:
    """Who is asked."""
    if isinstance(settings.ask, AskURL):
        return AskByURL(settings.ask)
    return AskByCall(settings.ask, config.user, secret_variables(config.acme))


def secret_variables(acme: Acme) -> frozenset[str]:
    """Names of the environment variables that hold secrets of ours."""
    accounts: Sequence[ExternalAccount | None] = [ca.external_account for ca in acme.authorities]
    secrets = [account.hmac_key for account in accounts if account is not None]
    provider = acme.dns.provider if acme.dns else None
    if isinstance(provider, Rfc2136DNS):
        secrets.append(provider.key)
    elif isinstance(provider, LexiconDNS):
        secrets += provider.secrets.values()
    return frozenset(secret.variable for secret in secrets if secret.variable)
