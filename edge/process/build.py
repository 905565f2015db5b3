"""The one place that knows all parts: a worker's service and the keeper's manager, built in reading order.

listening socket ─ gates ─ entrance ─ server ─ connection ─ engine        bytes become exchanges
    plain: challenge → setting up → redirect                      … which the chain on the right answers
    TLS:   routing table → site (edge.process.build_site) → static mount | proxy
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from edge.certs.acme.issuer import AcmeIssuer
from edge.certs.dns.build import build_persistent, build_records
from edge.certs.dns.persist import PersistentProof
from edge.certs.dns.records import DNSRecords
from edge.certs.issuer import Issuer
from edge.certs.local_ca import LocalIssuer
from edge.certs.manager import Manager
from edge.certs.nodes import Nodes
from edge.certs.publisher import Publisher
from edge.certs.reachability import observe
from edge.config.acme_schema import CA
from edge.config.ca_settings import STAGING
from edge.config.schema import Acme, Config, Listen
from edge.config.storage_setting import server_of
from edge.errors import StartError
from edge.handlers.acme_challenge import ChallengeTable
from edge.handlers.cache.shared import SharedCache
from edge.handlers.client_identity import ClientIdentity
from edge.handlers.error_page import respond_error
from edge.handlers.maintenance import MaintenanceSwitch
from edge.handlers.plain_http import PlainHTTP
from edge.handlers.rate_table import RateTable
from edge.handlers.redirect import Redirect
from edge.handlers.routing import RoutingTable
from edge.handlers.served_names import ServedNames
from edge.handlers.setting_up import SettingUp
from edge.http.exchange import Handler
from edge.http.networks import Networks
from edge.net.deadlines import Deadlines
from edge.net.descriptors import available_descriptors
from edge.net.listening import ListeningSocket
from edge.process.build_site import ResponseCache, Surroundings, build_site
from edge.process.service import BaseContext
from edge.process.worker_service import WorkerService
from edge.server.challenge_gate import ChallengeGate
from edge.server.entrances import PlainEntrance, TLSEntrance
from edge.server.exchange import ServerExchange
from edge.server.listener import Listener
from edge.server.proxy_gate import ProxyGate
from edge.server.server import Record, Server
from edge.storage.contract import Storage
from edge.storage.filesystem import FileSystemStorage
from edge.storage.opening import node_name, open_server
from edge.telemetry.access_log import AccessLog
from edge.telemetry.traffic import RequestCounter
from edge.tls.name_desk import NameDesk
from edge.tls.selector import Selector
from edge.wire.http2 import http2_engine_factory

Accept: TypeAlias = Callable[[socket.socket], None]


def build_service(
    config: Config,
    listeners: Sequence[ListeningSocket],
    base_context: BaseContext,
    loop: asyncio.AbstractEventLoop,
    rates: RateTable | None = None,
    cache: SharedCache | None = None,
) -> WorkerService:
    """Everything that a worker runs; nothing is accepted before `start`. Raises: StartError, ConfigError.

    `rates` is what workers share about their clients, `cache` what they share of responses; without them this worker counts and
    keeps for itself.
    """
    deadlines = Deadlines()
    closers: list[Callable[[], None]] = []

    # What answers.
    maintenance = MaintenanceSwitch()
    responses = _open_cache(config, cache, loop, closers)
    port = config.listen.https_port
    around = Surroundings(loop, deadlines, rates or RateTable(), maintenance, port, closers, responses=responses)
    sites = [(site.names, build_site(site, around)) for site in config.sites]
    names = ServedNames({name: routes for own_names, routes in sites for name in own_names})
    on_demand = next((routes for site, (_, routes) in zip(config.sites, sites, strict=True) if site.on_demand), None)
    routing = RoutingTable(names, on_demand)
    challenges = ChallengeTable()
    selector = Selector(base_context, config.names[0])
    desk = NameDesk(selector, loop) if on_demand is not None else None
    redirect = Redirect(names, port)
    plain_http = PlainHTTP(challenges, routing, SettingUp(names, redirect, desk.look_up) if desk else redirect)

    # What speaks.
    access_log = _open_access_log(config)
    counter = RequestCounter()
    record = _recorder(access_log)
    if config.metrics is not None:
        record = _counting(record, counter)
    trusted = Networks(config.listen.trusted_proxies)
    descriptors = available_descriptors() // 2  # a visitor whose request is passed on occupies a second one
    server = Server(
        loop,
        deadlines,
        respond_error,
        record,
        max_connections=min(config.listen.max_connections, descriptors),
        max_per_client=config.listen.max_connections_per_client,
        trusted=trusted,
    )
    behind_tls: Handler = routing
    without_tls: Handler = plain_http
    if config.listen.trusted_proxies:  # then the scheme is what a proxy says, on both ports
        behind_tls = without_tls = _identified(plain_http, config.listen)
    secure = TLSEntrance(behind_tls, loop, selector, http2_engine_factory(config.http2_engine))
    plain = PlainEntrance(without_tls, loop)
    challenge_gate = ChallengeGate(server, secure, selector, deadlines, desk)
    accept_secure: Accept = challenge_gate.accepted
    accept_plain: Accept = partial(server.accept, entrance=plain)
    if config.listen.proxy_protocol:
        accept_secure = ProxyGate(trusted, secure, challenge_gate.admit, loop).accepted
        accept_plain = ProxyGate(trusted, plain, server.accept, loop).accepted

    # Where it comes in.
    entries = [Listener(each.sock, accept_secure if each.tls else accept_plain, loop) for each in listeners]
    purge = responses.purge if responses else None
    return WorkerService(
        server,
        entries,
        selector,
        challenges,
        maintenance,
        deadlines,
        access_log,
        closers,
        around.upstreams,
        counter.requests,
        purge,
        desk,
        [responses.store.directory] if responses else [],
    )


def _open_cache(
    config: Config, shared: SharedCache | None, loop: asyncio.AbstractEventLoop, closers: list[Callable[[], None]]
) -> ResponseCache | None:
    """Where responses are kept; None when no part of a site wants it."""
    if not any(rules.cache for site in config.sites for rules in (site, *site.routes)):
        return None
    shared = shared or SharedCache()
    opened = shared.open(config.cache)
    closers.append(opened.close)
    _take_over(loop, opened.store.leftovers())
    return ResponseCache(opened.store, shared.claims)


def _take_over(loop: asyncio.AbstractEventLoop, steps: Iterator[None]) -> None:
    """One step in each turn of the loop."""
    if next(steps, steps) is None:
        loop.call_soon(_take_over, loop, steps)


def _identified(handler: Handler, listen: Listen) -> Handler:
    """A handler that sees the client behind trusted proxies."""
    return ClientIdentity(Networks(listen.trusted_proxies), Networks(listen.cloudflare), handler)


def _open_access_log(config: Config) -> AccessLog:
    try:
        return AccessLog(config.log.access, config.log.format)
    except OSError as error:
        raise StartError(f"cannot open the access log {config.log.access}: {error.strerror}") from error


def _recorder(access_log: AccessLog) -> Record | None:
    if not access_log.is_on:
        return None

    def record(exchange: ServerExchange, now: float) -> None:
        request = exchange.request
        access_log.record(
            exchange.peer.address,
            request.method,
            request.authority,
            request.target,
            request.version,
            exchange.status,
            exchange.sent,
            now - exchange.started,
            exchange.upstream_seconds,
            exchange.request_id,
            exchange.held_seconds,
            exchange.cache_verdict,
        )

    return record


def _counting(record: Record | None, counter: RequestCounter) -> Record:
    def count(exchange: ServerExchange, now: float) -> None:
        counter.count(exchange.status)
        if record is not None:
            record(exchange, now)

    return count


def build_manager(config: Config, publisher: Publisher) -> Manager:
    """The keeper's certificate manager, over its storage. Raises: ConfigError, StorageError."""
    where = server_of(config.storage)
    storage: Storage = FileSystemStorage(Path(config.storage))
    nodes: Nodes | None = None
    copies: Storage | None = None
    if where is not None:
        storage = shared = open_server(where)
        nodes = Nodes(shared, publisher, node_name())
        copies = FileSystemStorage(Path(where.local, "copies"))
    return Manager(
        config,
        storage,
        publisher,
        public=partial(_public_issuers, storage),
        local=LocalIssuer(storage, time.time),
        nodes=nodes,
        copies=copies,
    )


def _public_issuers(storage: Storage, acme: Acme) -> list[Issuer]:
    records = build_records(acme.dns, storage, time.time) if acme.dns else None
    persistent = build_persistent(acme.dns, time.time)
    return [_public_issuer(storage, ca, acme.email, records, persistent) for ca in acme.authorities]


def _public_issuer(
    storage: Storage, ca: CA, email: str, records: DNSRecords | None, persistent: PersistentProof
) -> AcmeIssuer:
    directory = ca.staging or STAGING.get(ca.directory, "")
    staging = AcmeIssuer(directory, storage, ca_file=ca.ca_file, records=records) if directory else None
    return AcmeIssuer(
        ca.directory,
        storage,
        ca_file=ca.ca_file,
        email=email,
        external_account=ca.external_account,
        records=records,
        persistent=persistent,
        staging=staging,
        observe=observe,
    )
