"""Which HTTP/2 engine serves: the configuration's word, resolved once at start."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Literal, TypeAlias

from edge.errors import ConfigError
from edge.http.dates import DateCache
from edge.wire.engine import Engine
from edge.wire.hpack_encoder import HeadEncoder

Kind: TypeAlias = Literal["auto", "h2", "ngh2"]


def http2_engine_factory(kind: Kind, dates: DateCache | None = None) -> Callable[[], Engine]:
    """What makes the engine of a new connection; "auto" takes ngh2 where it is installed.

    Raises: ConfigError when ngh2 is asked for by name and not installed.
    """
    dates = dates or DateCache()
    if kind == "ngh2" or (kind == "auto" and is_ngh2_installed()):
        return _ngh2_factory(dates)
    return _h2_factory(dates)


def is_ngh2_installed() -> bool:
    """Whether the optional engine can be imported."""
    return find_spec("ngh2") is not None


def _h2_factory(dates: DateCache) -> Callable[[], Engine]:
    from edge.wire.http2_h2 import H2Engine  # noqa: PLC0415  # only the engine in use is loaded

    heads = HeadEncoder(dates)
    return lambda: H2Engine(heads)


def _ngh2_factory(dates: DateCache) -> Callable[[], Engine]:
    try:
        from edge.wire.http2_ngh2 import Ngh2Engine  # noqa: PLC0415  # an optional package
    except ImportError as exc:
        raise ConfigError(
            ["--http2-engine ngh2: the package ngh2 is not installed; install it with pip install 'edge[fast]'"]
        ) from exc
    return lambda: Ngh2Engine(dates)
