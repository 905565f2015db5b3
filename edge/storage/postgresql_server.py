"""PostgreSQL as the server behind `ServerStorage`. The package `psycopg` (extra `postgresql`) is loaded when one is opened.

Nothing is prepared and nothing is set for longer than a transaction, so a pooler like PgBouncer may stand in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from edge.storage import postgresql_schema as sql
from edge.storage.keys import area_of
from edge.storage.link import Link
from edge.storage.server import Alias, Create, Edit, Entry, Lease, Point, Put, Refused, Remove, Value

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")

Session: TypeAlias = "psycopg.Connection[Any]"

CONNECT_SECONDS = 2
"""The least that libpq takes, and less than `link.PATIENCE`."""


class PostgreSQLServer:
    """Implements `server.Server`. `options` are libpq's connection parameters; `name` is how messages call the server."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        import psycopg  # noqa: PLC0415  # an extra: only where it is used

        self._options = options
        self._link: Link[Session] = Link(name, self._connect, psycopg.Connection.close, (psycopg.Error,))

    def __repr__(self) -> str:
        return repr(self._link)

    def _connect(self) -> Session:
        import psycopg  # noqa: PLC0415

        session = psycopg.connect(
            **self._options,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=CONNECT_SECONDS,
            application_name="edge",
        )
        try:
            _provide_schema(session)
        except BaseException:
            session.close()
            raise
        return session

    def read(self, key: str) -> Entry | None:
        """See `Server.read`."""
        rows = self._ask(sql.READ, [key])
        return _entry(rows[0]) if rows else None

    def aliases(self, keys: list[str]) -> dict[str, str]:
        """See `Server.aliases`."""
        return {key: target for key, _value, target in self._ask(sql.READ, keys) if target is not None}

    def names(self, key: str) -> list[str]:
        """See `Server.names`."""
        return [child.rpartition("/")[2] for (child,) in self._ask(sql.NAMES, key)]

    def write(self, edit: Edit, lease: Lease | None) -> None:
        """See `Server.write`."""

        def change(session: Session, number: int) -> None:
            if lease is not None and not _rows(session, sql.IS_HELD, lease.name, lease.token, lease.owner):
                raise Refused("lost")
            if _make(session, edit):
                session.execute(sql.CHANGED, (area_of(edit.key), number))

        self._change(change)

    def claim(self, name: str, owner: str, seconds: float) -> Lease | None:
        """See `Server.claim`."""

        def change(session: Session, number: int) -> Lease | None:
            got = _rows(session, sql.CLAIM, name, number, owner, seconds)
            return Lease(name, number, owner) if got else None

        return self._change(change)

    def extend(self, lease: Lease, seconds: float) -> bool:
        """See `Server.extend`."""
        return bool(self._ask(sql.EXTEND, seconds, lease.name, lease.token, lease.owner))

    def release(self, lease: Lease) -> None:
        """See `Server.release`."""
        self._link.use(lambda session: session.execute(sql.RELEASE, (lease.name, lease.token, lease.owner)))
        self._link.use(lambda session: session.execute(sql.TIDY))

    def held(self, prefix: str) -> list[str]:
        """See `Server.held`."""
        return [name for (name,) in self._ask(sql.HELD, prefix)]

    def changes(self, since: int | None) -> tuple[int, set[str]]:
        """See `Server.changes`."""
        rows = self._ask(sql.CHANGES, -1 if since is None else since)
        return rows[0][0], {area for _number, area in rows if area is not None}

    def weaknesses(self) -> list[str]:
        """What an operator should know about this server, one sentence each. Raises: StorageError."""
        ((commit,),) = self._ask("SHOW synchronous_commit")
        if commit == "off":
            return ["PostgreSQL confirms writes before they are on disk: set synchronous_commit on for this database"]
        return []

    def close(self) -> None:
        """See `Server.close`."""
        self._link.close()

    def _ask(self, statement: str, *arguments: Any) -> list[Any]:
        return self._link.use(lambda session: _rows(session, statement, *arguments))

    def _change(self, change: Callable[[Session, int], T]) -> T:
        """In one transaction that holds the counter: `change(session, the new number)`."""

        def work(session: Session) -> T:
            with _limited(session):
                ((number,),) = _rows(session, sql.COUNT)
                return change(session, number)

        return self._link.use(work)


@contextmanager
def _limited(session: Session) -> Iterator[None]:
    with session.transaction():
        session.execute(sql.LIMITS)
        yield


def _provide_schema(session: Session) -> None:
    """Looked for first: where the tables are there, no right to make tables is needed."""
    ((is_there,),) = _rows(session, sql.HAS_SCHEMA)
    if not is_there:
        with _limited(session):
            session.execute(sql.SCHEMA_LOCK)
            session.execute(sql.SCHEMA)


def _rows(session: Session, statement: str, *arguments: Any) -> list[Any]:
    return session.execute(statement, arguments).fetchall()


def _entry(row: tuple[str, bytes | None, str | None]) -> Entry | None:
    _key, value, target = row
    if value is not None:
        return Value(value)
    return None if target is None else Alias(target)


def _make(session: Session, edit: Edit) -> bool:
    """Make the edit; whether it changed anything."""
    match edit:
        case Put(key, data):
            _put(session, key, data, None)
        case Create(key, values):
            if _rows(session, sql.KIND, key):
                raise Refused("exists")
            _put(session, key, None, None)
            for name, data in values.items():
                session.execute(sql.PUT, (f"{key}/{name}", key, data, None))
        case Point(key, target, directory):
            if _rows(session, sql.KIND, directory) != [(True,)]:
                raise Refused("missing")
            _put(session, key, None, target)
        case Remove(key):
            return session.execute(sql.REMOVE, (key, f"{key}/", f"{key}0")).rowcount > 0
    return True


def _put(session: Session, key: str, data: bytes | None, target: str | None) -> None:
    session.execute(sql.PUT, (key, _parent(key), data, target))
    while key := _parent(key):
        if not session.execute(sql.MAKE_DIRECTORY, (key, _parent(key))).rowcount:
            break  # it is there, and so are those above it


def _parent(key: str) -> str:
    return key.rpartition("/")[0]
