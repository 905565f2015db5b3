"""Redis as the server behind `ServerStorage`. The package `redis` (extra `redis`) is loaded when a storage is opened.

Redis keeps what it has said to have stored only as well as it is configured to. A server that may throw keys away to make room
is refused; one that writes nothing to disk is reported by `weaknesses`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.errors import StorageError
from edge.storage import redis_scripts as scripts
from edge.storage.keys import area_of
from edge.storage.link import PATIENCE, Link
from edge.storage.server import Alias, Create, Edit, Entry, Lease, Point, Put, Refused, Remove, Value

if TYPE_CHECKING:
    from redis import Redis
    from redis.commands.core import Script


class RedisServer:
    """Implements `server.Server`. `options` are the arguments of `redis.Redis`; `name` is how messages call it."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        from redis.exceptions import RedisError  # noqa: PLC0415  # an extra: only where it is used

        self._options = options
        self._link: Link[_Connection] = Link(name, self._connect, _Connection.close, (RedisError,))

    def __repr__(self) -> str:
        return repr(self._link)

    def _connect(self) -> _Connection:
        return _Connection(self._options)

    def read(self, key: str) -> Entry | None:
        """See `Server.read`."""
        found = self._link.use(lambda connection: connection.entries([key])[0])
        return _entry(found)

    def aliases(self, keys: list[str]) -> dict[str, str]:
        """See `Server.aliases`."""
        found = self._link.use(lambda connection: connection.entries(keys))
        entries = ((key, _entry(data)) for key, data in zip(keys, found, strict=True))
        return {key: entry.target for key, entry in entries if isinstance(entry, Alias)}

    def names(self, key: str) -> list[str]:
        """See `Server.names`."""
        found = self._link.use(lambda connection: connection.children(key))
        return [member.decode().partition(":")[2] for member in found]

    def write(self, edit: Edit, lease: Lease | None) -> None:
        """See `Server.write`."""
        script, arguments = _script_of(edit)
        fence = ("", "") if lease is None else (lease.name, _identity(lease))
        answer = self._run(script, *fence, area_of(edit.key), *arguments)
        if answer is not None:
            raise Refused(answer.decode())

    def claim(self, name: str, owner: str, seconds: float) -> Lease | None:
        """See `Server.claim`."""
        token = self._run(scripts.CLAIM, name, owner, _milliseconds(seconds))
        return None if token is None else Lease(name, token, owner)

    def extend(self, lease: Lease, seconds: float) -> bool:
        """See `Server.extend`."""
        return bool(self._run(scripts.EXTEND, lease.name, _identity(lease), _milliseconds(seconds)))

    def release(self, lease: Lease) -> None:
        """See `Server.release`."""
        self._run(scripts.RELEASE, lease.name, _identity(lease))

    def held(self, prefix: str) -> list[str]:
        """See `Server.held`."""
        return [name.decode() for name in self._run(scripts.HELD, prefix)]

    def changes(self, since: int | None) -> tuple[int, set[str]]:
        """See `Server.changes`."""
        revision, *areas = self._run(scripts.CHANGES, "-inf" if since is None else f"({since}")
        return int(revision), {area.decode() for area in areas}

    def weaknesses(self) -> list[str]:
        """What an operator should know about this server, one sentence each. Raises: StorageError."""
        return self._link.use(_Connection.weaknesses)

    def close(self) -> None:
        """See `Server.close`."""
        self._link.close()

    def _run(self, script: str, *arguments: Any) -> Any:
        return self._link.use(lambda connection: connection.run(script, arguments))


class _Connection:
    """A client with one connection that has been found fit."""

    def __init__(self, options: dict[str, Any]) -> None:
        from redis import Redis  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        self._client: Redis = Redis(
            **options,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),  # `Link` decides when to try again
            max_connections=1,
            client_name="edge",
        )
        self._scripts: dict[str, Script] = {}
        try:
            _refuse_eviction(self._info("memory"))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._client.close()

    def entries(self, keys: list[str]) -> list[bytes | None]:
        found: Any = self._client.hmget(scripts.KEYS[0], keys)
        return list(found)

    def children(self, key: str) -> list[bytes]:
        found: Any = self._client.zrangebylex(scripts.KEYS[1], f"[{key}:", f"({key};")
        return list(found)

    def run(self, script: str, arguments: tuple[Any, ...]) -> Any:
        registered = self._scripts.get(script)
        if registered is None:
            registered = self._scripts[script] = self._client.register_script(script)
        return registered(keys=scripts.KEYS, args=arguments)

    def weaknesses(self) -> list[str]:
        persistence = self._info("persistence")
        if str(persistence.get("aof_enabled", "1")) == "0":
            return ["Redis writes no append-only file, so a restart forgets certificates: set appendonly yes"]
        return []

    def _info(self, section: str) -> dict[str, Any]:
        """What the server tells of itself; nothing when our user may not ask."""
        from redis.exceptions import NoPermissionError  # noqa: PLC0415

        try:
            found: Any = self._client.info(section)
        except NoPermissionError:
            return {}
        return dict(found)


def _refuse_eviction(memory: dict[str, Any]) -> None:
    """Keys without an expiry, as ours are, are thrown away by the `allkeys` policies alone."""
    if int(memory.get("maxmemory", 0)) and str(memory.get("maxmemory_policy", "")).startswith("allkeys"):
        raise StorageError(
            "Redis may throw certificates away to make room for other keys (maxmemory-policy"
            f" {memory['maxmemory_policy']}): use a server of its own, or maxmemory-policy noeviction"
        )


def _script_of(edit: Edit) -> tuple[str, list[str | bytes]]:
    match edit:
        case Put(key, data):
            return scripts.PUT, [key, data]
        case Create(key, values):
            return scripts.CREATE, [key, *(part for file in values.items() for part in file)]
        case Point(key, target, directory):
            return scripts.POINT, [key, target, directory]
        case Remove(key):
            return scripts.REMOVE, [key]


def _entry(data: bytes | None) -> Entry | None:
    match data[:1] if data else b"":
        case b"v":
            return Value(data[1:]) if data else None
        case b"a":
            return Alias(data[1:].decode()) if data else None
    return None


def _identity(lease: Lease) -> str:
    return f"{lease.token} {lease.owner}"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
