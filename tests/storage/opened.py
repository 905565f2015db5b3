"""A storage on a server that a test has started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from edge.config.storage_setting import parse_storage, server_of
from edge.storage.opening import connect, open_server
from edge.storage.server import Server
from edge.storage.server_storage import ServerStorage
from tests.storage.servers import PASSWORD, DatabaseServer, password_in_environment

ENVIRONMENT: Mapping[str, str] = {"HOME": "/nowhere", "EDGE_STORAGE_PASSWORD": PASSWORD}


@contextmanager
def opened(server: DatabaseServer, more: str = "") -> Iterator[ServerStorage]:
    """A node's view of it; `more` is added to the URL."""
    where = server_of(parse_storage(server.setting + more, "/", ENVIRONMENT))
    assert where is not None
    with password_in_environment():
        storage = open_server(where)
    try:
        yield storage
    finally:
        storage.close()


def connected(server: DatabaseServer) -> Server:
    """The same below the storage: what speaks to the server."""
    where = server_of(parse_storage(server.setting, "/", ENVIRONMENT))
    assert where is not None
    with password_in_environment():
        found: Server = connect(where)
    return found
