"""A total deadline for HTTP requests that block in a thread.

`requests` bounds each socket operation, not their sum: a peer that drips one byte a second holds the thread for ever. The
cutter keeps a duplicate of every TCP socket that a connection opens and shuts it down when the deadline passes, which ends
any phase at once: TLS handshake, silence, half a head, half a body. Resolving names is not covered; the caller leaves such a
thread behind.

A cut inside the reply head can look like a complete short reply, so `was_cut` has to be asked before a reply is believed.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection


class Cutter:
    """The TCP connections of one network layer. Thread-safe."""

    def __init__(self) -> None:
        self.was_cut = False
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._retired: set[socket.socket] = set()
        self._request = 0
        self._in_request = False

    def watch(self, sock: socket.socket) -> None:
        """Cut this socket, too, when the time comes; the cutter owns it from now on."""
        with self._lock:
            self._sockets.add(sock)
            if self.was_cut:
                _shut_down(sock)

    def forget(self, sock: socket.socket) -> None:
        """The connection is closed. Its duplicate follows after the request: a reply without a length is read to its end
        from a connection that http.client has closed already."""
        with self._lock:
            self._retired.add(sock)
            if not self._in_request:
                self._close_retired()

    def cut(self) -> None:
        """Shut all connections down now."""
        with self._lock:
            self._cut_locked()

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Whatever is still going on after this time is cut."""
        with self._lock:
            self._request += 1
            self._in_request = True
            self.was_cut = False
            timer = threading.Timer(seconds, self._expire, (self._request,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                self._in_request = False
                self._close_retired()

    def _expire(self, request: int) -> None:
        with self._lock:
            if request == self._request:  # a timer that fired while it was cancelled must not cut the next request
                self._cut_locked()

    def _close_retired(self) -> None:
        self._sockets -= self._retired
        while self._retired:
            self._retired.pop().close()

    def _cut_locked(self) -> None:
        self.was_cut = True
        for sock in self._sockets:
            _shut_down(sock)


class CuttableAdapter(HTTPAdapter):
    """An adapter for https whose connections the cutter can reach, trusting exactly what `context` trusts."""

    def __init__(self, cutter: Cutter, context: ssl.SSLContext) -> None:
        self._pools = {"https": _pool_class(cutter)}
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context holds the roots; requests would load certifi's 150 again for each connection."""
        del url, verify, cert
        conn.cert_reqs = "CERT_REQUIRED"

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, **self._pools}
        return manager


def _pool_class(cutter: Cutter) -> type[HTTPSConnectionPool]:
    class Connection(HTTPSConnection):
        """Keeps a duplicate of its TCP socket: wrapping with TLS detaches the original."""

        _watched: socket.socket | None = None

        def _new_conn(self) -> socket.socket:
            sock = super()._new_conn()
            self._watched = sock.dup()
            cutter.watch(self._watched)
            return sock

        def close(self) -> None:
            super().close()
            if self._watched is not None:
                cutter.forget(self._watched)
                self._watched = None

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    return Pool


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):  # not connected any more: nothing to cut
        sock.shutdown(socket.SHUT_RDWR)
