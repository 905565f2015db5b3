"""What a person sees at start."""

from __future__ import annotations

import pytest

from edge.config.schema import Config, Listen, Site
from edge.telemetry.announce import Announcer, listening_text, site_urls
from tests.telemetry.streams import BrokenStream, Terminal

GOLDEN = """\
edge 0.1.0 · state /var/lib/edge

  ✓ ports       listening on :80 and :443
  ! upstream    127.0.0.1:8000 refused the connection
                Visitors see an error page until it answers.
      fix       start your app: gunicorn -b 127.0.0.1:8000 mysite.wsgi
  … certificate asking Let's Encrypt for example.com
  ✗ certificate dns: example.com does not exist

→ https://example.com is live. http:// redirects there. Ctrl-C stops.
"""


def _config(*names: str, **listen: object) -> Config:
    return Config(sites=(Site(names=names),), storage="/var/lib/edge", listen=Listen(**listen))  # type: ignore[arg-type]  # the test knows the types


def test_the_first_run_reads_like_a_story() -> None:
    """Aligned topics, details below them, where the site is at the end."""
    stream = Terminal()
    config = _config("example.com")
    announcer = Announcer(stream, True, {"NO_COLOR": "1"})
    announcer.heading("0.1.0", config.storage)
    announcer.done("ports", listening_text(config))
    announcer.warning(
        "upstream",
        "127.0.0.1:8000 refused the connection",
        "Visitors see an error page until it answers.",
        fix="start your app: gunicorn -b 127.0.0.1:8000 mysite.wsgi",
    )
    announcer.progress("certificate", "asking Let's Encrypt for example.com")
    announcer.failure("certificate", "dns: example.com\x1b[2J does not exist".replace("[2J", ""))
    announcer.live(config)
    assert stream.getvalue() == GOLDEN


def test_without_a_terminal_nothing_is_said() -> None:
    """Machines read the log."""
    stream = Terminal()
    Announcer(stream, False).done("ports", "listening")
    assert stream.getvalue() == ""


def test_a_terminal_that_is_gone_does_not_matter() -> None:
    """Serving goes on."""
    announcer = Announcer(BrokenStream(), True)
    announcer.done("ports", "listening")
    announcer.done("ports", "listening")


@pytest.mark.parametrize(
    ("names", "https_port", "shown"),
    [
        (("a.test",), 443, "https://a.test"),
        (("a.test", "b.test"), 443, "https://a.test and https://b.test"),
        (("::1",), 8443, "https://[::1]:8443"),
        (tuple("abcdefg"), 443, "https://a, https://b, https://c, https://d, https://e and 2 more"),
    ],
)
def test_addresses_can_be_clicked(names: tuple[str, ...], https_port: int, shown: str) -> None:
    """With the port when it is not 443; many names are summed up."""
    assert site_urls(_config(*names, https_port=https_port)) == shown


def test_listening_names_addresses_only_when_chosen() -> None:
    """And no port that is off."""
    assert listening_text(_config("a.test", http_port=0)) == "listening on :443"
    assert listening_text(_config("a.test", bind=("::1",), http_port=8080)) == "listening on [::1]:8080 and [::1]:443"
