"""What this machine has for edge, in lines for `edge check`: a difference between two servers is often found here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.config.schema import Config
from edge.process.event_loop import check_loop
from edge.process.landlock import landlock_version
from edge.tls.capabilities import HYBRID, key_exchange_groups, library_version, protocol_versions
from edge.wire.http2 import http2_engine_factory, is_ngh2_installed

WIDTH = 13
"""As in `edge.config.describe`."""


def describe_machine(config: Config) -> list[str]:
    """Words and what they mean here. Raises: ConfigError when the configuration asks for a package that is not installed."""
    return ["this machine", *(f"  {word:<{WIDTH}} {text}" for word, text in _rows(config))]


def _rows(config: Config) -> Iterator[tuple[str, str]]:
    groups = key_exchange_groups()
    yield "tls", f"{' and '.join(protocol_versions())}, {library_version()}"
    yield "key exchange", ", ".join(groups)
    yield "post-quantum", HYBRID if HYBRID in groups else f"no: {HYBRID} needs OpenSSL 3.5 or newer"
    http2_engine_factory(config.http2_engine)  # raises when it is not there
    yield "http/2 engine", "ngh2" if config.http2_engine != "h2" and is_ngh2_installed() else "h2"
    check_loop(config.loop)
    yield "event loop", "uvloop" if config.loop == "uvloop" else "asyncio"
    yield "landlock", _landlock(config)
    yield "seccomp", "yes, for a service manager to use" if _has_seccomp() else "no"


def _landlock(config: Config) -> str:
    version = landlock_version()
    if not version:
        return "no: workers are kept from the storage by file modes only; Linux 5.13 or newer has it, where it is not turned off"
    limits = (
        "files" if version < 4 else "files and opening ports" if version < 6 else "files, opening ports and signals"
    )
    return (
        f"version {version}, for {limits}{'' if config.confinement != 'off' else '; turned off by --confinement off'}"
    )


def _has_seccomp() -> bool:
    try:
        return any(line.startswith("Seccomp:") for line in Path("/proc/self/status").read_text().splitlines())
    except OSError:
        return False
