"""`--storage`: a directory, or a database server that several machines share.

    /var/lib/edge
    postgresql://edge@db.internal/edge?password_file=/etc/edge/db-password&key_file=/etc/edge/storage.key
    rediss://edge@redis.internal:6379/0?password_env=REDIS_PASSWORD
    redis+unix:/run/redis/redis.sock?db=1

The checked setting is a text again: it travels between processes and is printed, so it names places of secrets and never holds
one. `server_of` takes it apart.
"""

from __future__ import annotations

import ipaddress
import os
import pwd
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

import msgspec
from msgspec import Struct

from edge.config.files import certificate_file, storage_directory
from edge.config.secret import Secret, secret_in_file, secret_in_variable

SYSTEM_STORAGE: Final = "/var/lib/edge"
"""Where the state of a service belongs (FHS 3.0 §5.8)."""

PASSWORD_VARIABLE: Final = "EDGE_STORAGE_PASSWORD"  # noqa: S105  # the name of a place
KEY_VARIABLE: Final = "EDGE_STORAGE_KEY"
"""Used when they are set and the setting names no other place."""

Kind: TypeAlias = Literal["redis", "postgresql"]

SCHEMES: Final[dict[str, tuple[Kind, str]]] = {
    "redis": ("redis", "redis"),
    "rediss": ("redis", "rediss"),
    "unix": ("redis", "redis+unix"),
    "redis+unix": ("redis", "redis+unix"),
    "postgres": ("postgresql", "postgresql"),
    "postgresql": ("postgresql", "postgresql"),
}
"""What may be written → the server and how edge writes it."""

PORTS: Final[dict[Kind, int]] = {"redis": 6379, "postgresql": 5432}

TLS_MODES: Final = ("disable", "require", "verify-full")
"""Of libpq's modes those that do what they say whatever the server answers."""

_LOOKS_LIKE_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?=/)").match
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}").fullmatch
_WORD = re.compile(r"[A-Za-z0-9._@-]{0,128}").fullmatch


class StorageServer(Struct, frozen=True):
    """A checked setting, taken apart. `socket` is a path and excludes `host`: of the socket for Redis, of the directory of
    sockets for PostgreSQL."""

    kind: Kind
    scheme: str
    host: str
    port: int
    socket: str
    user: str
    database: str
    tls: str
    ca_file: str
    password: Secret | None
    key: Secret | None
    local: str
    """Directory for what belongs to this machine: copies of its certificates."""

    def __str__(self) -> str:
        """For messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind} at {self.socket or f'{host}:{self.port}'}"

    @property
    def is_on_this_machine(self) -> bool:
        """Whether bytes to and from it stay here."""
        if self.socket or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def is_server(setting: str) -> bool:
    """Whether it names a server rather than a directory."""
    match = _LOOKS_LIKE_URL(setting)
    return match is not None and match[1].lower() in SCHEMES


def parse_storage(text: str, base: str, environ: Mapping[str, str]) -> str:
    """The setting checked: an absolute directory, or the URL of a server with all places named.

    Raises: ValueError with one sentence, which never shows a password.
    """
    match = _LOOKS_LIKE_URL(text)
    if match is None:
        return storage_directory(text, base)
    if match[1].lower() not in SCHEMES:
        raise ValueError(
            f"{match[1]}: is no storage; write a directory, postgresql://…, redis://…, rediss://… or redis+unix:…"
        )
    try:
        url = urlsplit(text)
        port = url.port
        query = dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=True) if url.query else ())
    except ValueError:
        raise ValueError("this is no URL; it looks like postgresql://user@host/database") from None
    if url.password is not None:
        raise ValueError(
            "the password would be visible to others in here; put it into a file or the environment:"
            f" ?password_file=/etc/edge/storage-password, or the variable {PASSWORD_VARIABLE}"
        )
    return _format(_resolve(url, port, query, base, environ))


def _resolve(
    url: SplitResult, port: int | None, query: dict[str, str], base: str, environ: Mapping[str, str]
) -> StorageServer:
    kind, scheme = SCHEMES[url.scheme.lower()]
    known = {"password_file", "password_env", "key_file", "key_env", "ca_file", "local"}
    known |= {"host", "sslmode"} if kind == "postgresql" else {"db"} if scheme == "redis+unix" else set()
    for unknown in sorted(query.keys() - known):
        raise ValueError(f"{unknown[:40]!r} is unknown here; known are {', '.join(sorted(known))}")
    local = query.get("local")
    server = StorageServer(
        kind=kind,
        scheme=scheme,
        host=_host(url, scheme, query),
        port=port or PORTS[kind],
        socket=_socket(url, scheme, query),
        user=_word(unquote(url.username or ""), "user"),
        database=_database(url, kind, scheme, query),
        tls=query.get("sslmode", ""),
        ca_file=certificate_file(query["ca_file"], base) if "ca_file" in query else "",
        password=_secret("password", query, base, environ, PASSWORD_VARIABLE),
        key=_secret("key", query, base, environ, KEY_VARIABLE),
        local=default_storage(environ, os.geteuid()) if local is None else storage_directory(local, base),
    )
    return _with_tls(server)


def _host(url: SplitResult, scheme: str, query: dict[str, str]) -> str:
    host = url.hostname or ""
    if scheme == "redis+unix" or query.get("host"):
        if host:
            raise ValueError("name a host or a socket, not both; a socket is written redis+unix:/run/redis/redis.sock")
        return ""
    if not _HOST(host):
        raise ValueError(f"{host!r} is no host; the URL looks like {scheme}://user@host/database")
    return host


def _socket(url: SplitResult, scheme: str, query: dict[str, str]) -> str:
    path = unquote(url.path) if scheme == "redis+unix" else query.get("host", "")
    if path and not Path(path).is_absolute():
        raise ValueError(f"{path!r}: the path of a socket begins with /")
    return path


def _database(url: SplitResult, kind: Kind, scheme: str, query: dict[str, str]) -> str:
    text = query.get("db", "0") if scheme == "redis+unix" else unquote(url.path).removeprefix("/")
    if kind == "redis" and not re.fullmatch(r"[0-9]{0,5}", text):
        raise ValueError(f"{text!r} is no Redis database; write a number like {scheme}://host/0")
    return _word(text, "database") or ("0" if kind == "redis" else "edge")


def _word(text: str, what: str) -> str:
    if not _WORD(text):
        raise ValueError(f"{text[:40]!r} is no {what}; it has letters, digits, dots, hyphens and underscores")
    return text


def _secret(word: str, query: dict[str, str], base: str, environ: Mapping[str, str], usual: str) -> Secret | None:
    file, variable = query.get(f"{word}_file"), query.get(f"{word}_env")
    if file is not None and variable is not None:
        raise ValueError(f"name {word}_file or {word}_env, one of them")
    if file is not None:
        return secret_in_file(file, base)
    if variable is not None:
        return secret_in_variable(variable, environ)
    return secret_in_variable(usual, environ) if environ.get(usual, "").strip() else None


def _with_tls(server: StorageServer) -> StorageServer:
    """PostgreSQL is verified unless the operator says otherwise, or the bytes stay on this machine."""
    if server.kind == "redis":
        return msgspec.structs.replace(server, tls="verify-full" if server.scheme == "rediss" else "disable")
    mode = server.tls or ("disable" if server.is_on_this_machine else "verify-full")
    if mode not in TLS_MODES:
        raise ValueError(f"sslmode {mode[:20]!r}: write {', '.join(TLS_MODES)}")
    return msgspec.structs.replace(server, tls=mode)


def _format(server: StorageServer) -> str:
    user = f"{quote(server.user)}@" if server.user else ""
    host = f"[{server.host}]" if ":" in server.host else server.host
    query = {
        "host": server.socket if server.kind == "postgresql" else "",
        "db": server.database if server.scheme == "redis+unix" else "",
        "sslmode": server.tls if server.kind == "postgresql" else "",
        "ca_file": server.ca_file,
        **_places("password", server.password),
        **_places("key", server.key),
        "local": server.local,
    }
    text = urlencode({name: value for name, value in query.items() if value}, safe="/", quote_via=quote)
    if server.scheme == "redis+unix":
        return f"redis+unix://{user}{quote(server.socket)}?{text}"
    port = f":{server.port}" if server.host else ""
    return f"{server.scheme}://{user}{host}{port}/{server.database}?{text}"


def _places(word: str, secret: Secret | None) -> dict[str, str]:
    return {f"{word}_file": secret.file, f"{word}_env": secret.variable} if secret else {}


def server_of(setting: str) -> StorageServer | None:
    """What `parse_storage` made, taken apart; None for a directory. Looks at no file and no variable."""
    if not is_server(setting):
        return None
    url = urlsplit(setting)
    query = dict(parse_qsl(url.query))
    kind, scheme = SCHEMES[url.scheme]
    places = [Secret(query.get(f"{word}_file", ""), query.get(f"{word}_env", "")) for word in ("password", "key")]
    password, key = (place if place != Secret() else None for place in places)
    return StorageServer(
        kind=kind,
        scheme=scheme,
        host=url.hostname or "",
        port=url.port or PORTS[kind],
        socket=unquote(url.path) if scheme == "redis+unix" else query.get("host", ""),
        user=unquote(url.username or ""),
        database=_database(url, kind, scheme, query),
        tls=query.get("sslmode") or ("verify-full" if scheme == "rediss" else "disable"),
        ca_file=query.get("ca_file", ""),
        password=password,
        key=key,
        local=query.get("local", ""),
    )


def local_directory(setting: str) -> str:
    """Where on this machine something may be kept: the storage itself, or the directory beside a server."""
    server = server_of(setting)
    return setting if server is None else server.local


def default_storage(environ: Mapping[str, str], uid: int) -> str:
    """`/var/lib/edge` for root, else `edge` below `$XDG_DATA_HOME`, which is `~/.local/share` unless set to an absolute path."""
    if uid == 0:
        return SYSTEM_STORAGE
    data = environ.get("XDG_DATA_HOME", "")
    if not Path(data).is_absolute():
        home = environ.get("HOME") or pwd.getpwuid(uid).pw_dir
        data = f"{home}/.local/share"
    return str(Path(data, "edge"))
