"""The one place that knows all parts: a worker's service and the keeper's manager, built in reading order."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from typing import Any

from edge.certs.acme.issuer import AcmeIssuer
from edge.certs.local_ca import LocalIssuer
from edge.certs.manager import Manager
from edge.certs.publisher import TLSALPN01, ChallengeAnswer, Publisher
from edge.config.schema import Config, Site
from edge.handlers.acme_challenge import ChallengeTable
from edge.handlers.error_page import respond_error
from edge.handlers.plain_http import PlainHTTP
from edge.handlers.proxy import Proxy
from edge.handlers.redirect import Redirect
from edge.handlers.routing import RoutingTable, SiteRoutes
from edge.handlers.served_names import ServedNames
from edge.handlers.static.handler import StaticHandler
from edge.http.exchange import Handler
from edge.net.deadlines import Deadlines
from edge.net.listening import ListeningSocket
from edge.server.challenge_gate import ChallengeGate
from edge.server.entrances import PlainEntrance, TLSEntrance
from edge.server.listener import Listener
from edge.server.server import Server
from edge.storage.filesystem import FileSystemStorage
from edge.telemetry.access_log import AccessLog
from edge.tls.certified_key import CertifiedKey
from edge.tls.selector import Selector
from edge.upstream.upstream import Upstream
from edge.wire.http2 import http2_engine_factory


def build_service(
    config: Config, listeners: Sequence[ListeningSocket], base_context: Any, loop: asyncio.AbstractEventLoop
) -> WorkerService:
    """Everything that a worker runs. Nothing is accepted before `start`."""
    return WorkerService(config, listeners, base_context, loop)
