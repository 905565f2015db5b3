"""What a person at a terminal sees at start: one aligned line per thing that is being done, then where the site is.

    edge 0.1.0 · state /var/lib/edge

      ✓ ports       listening on :80 and :443
      ! upstream    127.0.0.1:8000 refused the connection
                    Visitors see an error page until it answers.
          fix       start your app: gunicorn -b 127.0.0.1:8000 mysite.wsgi
      … certificate asking Let's Encrypt for example.com

    → https://example.com is live. http:// redirects there. Ctrl-C stops.

Without a terminal nothing is printed: the log lines of the same moments say it for machines.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import Final, TextIO

from edge.config.schema import Config
from edge.telemetry.terminal import DIM, GREEN, RED, YELLOW, marks_for, paint, printable, wants_colour

TOPIC_WIDTH: Final = 11
"""Columns of the longest topic, "certificate"."""

MAX_NAMES: Final = 5
"""Names of one line; a hundred sites must not scroll the problems away."""


class Announcer:
    """Prints to a person, or to nobody. Never raises: a closed terminal is no reason to stop serving."""

    def __init__(self, stream: TextIO, is_tty: bool, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self._is_on = is_tty
        self._marks = marks_for(stream)
        self._is_coloured = is_tty and wants_colour(stream, environ)

    def heading(self, version: str, storage: str) -> None:
        """The first line: who speaks, and where its state is."""
        self._print(f"edge {version} {self._marks.dot} state {printable(storage)}", "")

    def done(self, topic: str, text: str) -> None:
        """Something works."""
        self._line(self._sign(self._marks.done, GREEN), topic, text)

    def progress(self, topic: str, text: str) -> None:
        """Something is under way; a later line tells how it ended."""
        self._line(self._sign(self._marks.progress, DIM), topic, text)

    def warning(self, topic: str, text: str, *details: str, fix: str = "") -> None:
        """Something does not work, serving goes on."""
        self._line(self._sign(self._marks.warning, YELLOW), topic, text, details, fix)

    def failure(self, topic: str, text: str, *details: str, fix: str = "") -> None:
        """Something does not work and needs a person."""
        self._line(self._sign(self._marks.failure, RED), topic, text, details, fix)

    def live(self, config: Config) -> None:
        """The last line: where visitors go, what happens on port 80, how to stop."""
        redirect = " http:// redirects there." if config.listen.http_port else ""
        verb = "is" if len(config.names) == 1 else "are"
        self._print("", f"{self._marks.live} {site_urls(config)} {verb} live.{redirect} Ctrl-C stops.")

    def meanwhile(self, config: Config) -> None:
        """Instead of `live`, while certificates are still missing."""
        text = f"serving {site_urls(config)} with a temporary self-signed certificate meanwhile."
        self._print("", f"{self._marks.live} {text} Ctrl-C stops.")

    def _sign(self, mark: str, colour: str) -> str:
        return paint(mark, colour) if self._is_coloured else mark

    def _line(self, sign: str, topic: str, text: str, details: Sequence[str] = (), fix: str = "") -> None:
        self._print(format_entry(sign, topic, text, details, [fix] if fix else []))

    def _print(self, *lines: str) -> None:
        if not self._is_on:
            return
        try:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._is_on = False


def format_entry(
    sign: str, topic: str, text: str, details: Sequence[str] = (), fixes: Sequence[str] = (), moment: str = ""
) -> str:
    """One entry, without a line feed at its end: the sentence behind its topic, details and remedies below it."""
    margin = " " * len(moment)
    lines = [f"{moment}  {sign} {topic:<{TOPIC_WIDTH}} {printable(text)}".rstrip()]
    lines += [f"{margin}{'':<{TOPIC_WIDTH + 5}}{printable(detail)}" for detail in details]
    for word, fix in zip(("fix", *["or"] * len(fixes)), fixes, strict=False):
        lines.append(f"{margin}      {word:<{TOPIC_WIDTH - 2}} {printable(fix.removeprefix('or '))}")
    return "\n".join(lines)


def listening_text(config: Config) -> str:
    """`listening on :80 and :443`, with the addresses when not all."""
    ports = [port for port in (config.listen.http_port, config.listen.https_port) if port]
    hosts = [f"[{address}]" if ":" in address else address for address in config.listen.bind] or [""]
    return "listening on " + " and ".join(f"{host}:{port}" for host in hosts for port in ports)


def site_urls(config: Config) -> str:
    """`https://example.com and https://www.example.com`, at most `MAX_NAMES` of them, wildcards too."""
    port = "" if config.listen.https_port == 443 else f":{config.listen.https_port}"
    names = config.names
    urls = [f"https://{f'[{name}]' if ':' in name else name}{port}" for name in names[:MAX_NAMES]]
    if len(names) > MAX_NAMES:
        return ", ".join(urls) + f" and {len(names) - MAX_NAMES} more"
    return " and ".join([", ".join(urls[:-1]), urls[-1]] if len(urls) > 1 else urls)


SILENT: Final = Announcer(io.StringIO(), is_tty=False)
"""Speaks to nobody."""
