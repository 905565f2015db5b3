"""From the setting to a storage. Packages of servers are loaded here, and only those that are used."""

from __future__ import annotations

import importlib.util
import re
import secrets
import socket
from pathlib import Path
from typing import Any

from edge.config.secret import Secret, read_secret
from edge.config.storage_setting import StorageServer, server_of
from edge.errors import ConfigError, StorageError
from edge.storage.contract import Storage
from edge.storage.filesystem import FileSystemStorage
from edge.storage.leases import Leases
from edge.storage.seal import KeySeal
from edge.storage.server_storage import ServerStorage

PACKAGES = {"redis": "redis", "postgresql": "psycopg"}
"""Kind of server → the package that speaks to it; the extra is called like the kind."""


def open_storage(setting: str) -> Storage:
    """The storage that a checked configuration names. A server is not asked yet. Raises: ConfigError, StorageError."""
    server = server_of(setting)
    return FileSystemStorage(Path(setting)) if server is None else open_server(server)


def open_server(where: StorageServer) -> ServerStorage:
    """The storage on this server, for this process. Raises: ConfigError, StorageError."""
    check_package(where)
    seal = KeySeal(_read(where.key)) if where.key else None
    server, beats = connect(where), connect(where)
    return ServerStorage(server, Leases(server, beats, node_name()), seal)


def connect(where: StorageServer) -> Any:
    """A `RedisServer` or `PostgreSQLServer`, not connected yet. Raises: StorageError about the password."""
    from edge.storage.postgresql_server import PostgreSQLServer  # noqa: PLC0415
    from edge.storage.redis_server import RedisServer  # noqa: PLC0415

    password = _read(where.password) if where.password else ""
    if where.kind == "redis":
        return RedisServer(str(where), _redis_options(where, password))
    return PostgreSQLServer(str(where), _postgresql_options(where, password))


def weaknesses(where: StorageServer) -> list[str]:
    """What an operator should know about this server, one sentence each. Raises: ConfigError, StorageError when it cannot be
    used."""
    check_package(where)
    server = connect(where)
    try:
        found: list[str] = server.weaknesses()
        return found
    finally:
        server.close()


def check_package(where: StorageServer) -> None:
    """Raises: ConfigError when the package for this server is not installed."""
    package = PACKAGES[where.kind]
    if importlib.util.find_spec(package) is None:
        raise ConfigError([f"--storage: {where.kind} needs the package {package}: pip install 'edge[{where.kind}]'"])


def node_name() -> str:
    """This process among all that use a storage: readable, and never the same twice."""
    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:60].strip(".-") or "node"
    return f"{host}-{secrets.token_hex(4)}"


def _redis_options(where: StorageServer, password: str) -> dict[str, Any]:
    options: dict[str, Any] = {"db": int(where.database), "username": where.user or None, "password": password or None}
    if where.socket:
        return options | {"unix_socket_path": where.socket}
    options |= {"host": where.host, "port": where.port}
    if where.scheme == "rediss":
        options |= {"ssl": True, "ssl_check_hostname": True, "ssl_ca_certs": where.ca_file or None}
    return options


def _postgresql_options(where: StorageServer, password: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "host": where.socket or where.host,
        "port": where.port,
        "dbname": where.database,
        "user": where.user or None,
        "password": password or None,
        "sslmode": where.tls,
    }
    if where.tls == "verify-full":
        options["sslrootcert"] = where.ca_file or "system"
    return {name: value for name, value in options.items() if value is not None}


def _read(secret: Secret) -> str:
    try:
        return read_secret(secret)
    except ValueError as exc:
        raise StorageError(str(exc)) from exc
