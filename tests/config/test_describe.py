"""The resolved plan."""

from __future__ import annotations

from edge.config.address import parse_upstream
from edge.config.describe import describe
from edge.config.schema import Acme, Config, Listen, Site, StaticMount

GOLDEN = """\
site example.com
  names         example.com, localhost
  static        /static from /srv/static
  upstream      unix:/run/app.sock
  hold          10 s while no upstream accepts
  certificate   from https://acme-v02.api.letsencrypt.org/directory: example.com
  certificate   from the local CA: localhost
  max body      1G

server
  listen        127.0.0.1, https 443, http off
  storage       /var/lib/edge
  acme          https://acme-v02.api.letsencrypt.org/directory
  email         a@example.com
  workers       2
  access log    standard output
  log format    auto
  http/2 engine auto
  event loop    auto
  confinement   auto
  drain         30 s"""


def test_the_plan_says_what_answers_and_where_certificates_come_from() -> None:
    """Every decision that was made for the operator is visible."""
    site = Site(
        names=("example.com", "localhost"),
        upstreams=(parse_upstream("unix:/run/app.sock"),),
        static=(StaticMount("/static", "/srv/static"),),
    )
    config = Config(
        sites=(site,),
        storage="/var/lib/edge",
        listen=Listen(bind=("127.0.0.1",), http_port=0),
        acme=Acme(email="a@example.com"),
        workers=2,
    )
    assert "\n".join(describe(config)) == GOLDEN
