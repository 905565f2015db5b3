"""The application of a service whose customers bring their own domains: it answers, and says which domains are welcome."""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from tests.blackbox.acme_site import acme_edge
from tests.blackbox.edge_process import EdgeProcess
from tests.pebble import Pebble


class CustomersApp:
    """Listens on a free port. `welcome` are the domains that exist; `status` is the answer about any other; `asked` counts."""

    def __init__(self, *welcome: str) -> None:
        self.welcome = set(welcome)
        self.status = 404
        self.asked: Counter[str] = Counter()
        self.hosts: list[str] = []
        app = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                status = 200
                if url.path == "/ask":
                    (domain,) = parse_qs(url.query)["domain"]
                    app.asked[domain] += 1
                    status = 200 if domain in app.welcome else app.status
                else:
                    app.hosts.append(self.headers["Host"])
                body = f"shop at {self.headers['Host']}".encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> CustomersApp:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def customers_edge(
    tmp_path: Path, pebble: Pebble, app: CustomersApp, *lines: str, ask: str = "", workers: int = 2
) -> EdgeProcess:
    """An edge for `app` with its own name `service.test` and customers' domains on demand; `lines` go to `[on_demand]`."""
    file = tmp_path / "edge.toml"
    ask = ask or f"http://127.0.0.1:{app.port}/ask"
    settings = "\n".join((f'ask = "{ask}"', *lines))
    site = f'[[site]]\nnames = "service.test"\nupstream = "127.0.0.1:{app.port}"\non_demand = true\n'
    file.write_text(f"[on_demand]\n{settings}\n\n{site}")
    edge = acme_edge(tmp_path, pebble, "--config", str(file), workers=workers)
    edge.first_name = "service.test"
    return edge
