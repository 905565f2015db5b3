"""Maintenance: every request for an application is answered with 503, Retry-After and a page.

What goes on: static files (a maintenance page needs its logo), redirects, the answers that a CA asks for, also another ACME
client's behind us, and the health path: whoever watches the application wants to know when it is ready.
"""

from __future__ import annotations

from edge.config.maintenance import MaintenanceNotice
from edge.errors import HTTPError
from edge.handlers.acme_challenge import PREFIX
from edge.handlers.error_page import prefers_json, respond_error
from edge.http.exchange import Exchange
from edge.http.message import ResponseHead


class MaintenanceSwitch:
    """On or off for all proxies of a worker. `is_on` is what a request costs while it is off."""

    def __init__(self) -> None:
        self.is_on = False
        self._notice = MaintenanceNotice()
        self._page = b""

    def __repr__(self) -> str:
        return f"<MaintenanceSwitch {'on' if self.is_on else 'off'}>"

    def replace(self, notice: MaintenanceNotice | None) -> None:
        """From now on; None is off."""
        self.is_on = notice is not None
        self._notice = notice or MaintenanceNotice()
        self._page = self._notice.page.encode()

    def stops(self, target: bytes, health: bytes) -> bool:
        """Whether a request is kept from the application. `health` is the path that is not, b"" for none."""
        if not self.is_on or target.startswith(PREFIX):
            return False
        return not health or target.partition(b"?")[0] != health

    def respond(self, exchange: Exchange) -> None:
        """Say so, to programs in JSON."""
        notice = self._notice
        if not self._page or prefers_json(exchange.request.field(b"accept")):
            respond_error(exchange, HTTPError(503, "maintenance", retry_after=notice.retry_after))
            return
        fields = (
            (b"content-type", b"text/html; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"retry-after", b"%d" % notice.retry_after),
            (b"x-request-id", exchange.request_id.encode("ascii")),
        )
        exchange.respond(ResponseHead(503, fields, len(self._page)), self._page)
