"""The statements that PostgreSQL is told. Names begin with `edge_`; a database or schema of its own is up to the operator.

    edge_entries   key → value, or target of an alias, or neither for a directory; `parent` makes listings cheap
    edge_leases    name → token, owner, end by the server's clock
    edge_changes   area → revision of its latest change
    edge_counter   one row with the latest revision or token. Every change begins by taking it and keeps it until the commit:
                   changes come one after another, are seen in the order of their revisions, and no lease changes hands
                   between the look at it and the commit of what it protects

Keys collate as bytes, so that what is below a directory is one range: `/` is followed by `0`.
"""

from __future__ import annotations

from typing import Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS edge_entries (
    key text COLLATE "C" PRIMARY KEY,
    parent text COLLATE "C" NOT NULL,
    value bytea,
    target text
);
CREATE INDEX IF NOT EXISTS edge_entries_parent ON edge_entries (parent);
CREATE TABLE IF NOT EXISTS edge_leases (
    name text COLLATE "C" PRIMARY KEY,
    token bigint NOT NULL,
    owner text NOT NULL,
    ends timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS edge_changes (area text COLLATE "C" PRIMARY KEY, revision bigint NOT NULL);
CREATE INDEX IF NOT EXISTS edge_changes_revision ON edge_changes (revision);
CREATE TABLE IF NOT EXISTS edge_counter (id integer PRIMARY KEY CHECK (id = 1), number bigint NOT NULL);
INSERT INTO edge_counter VALUES (1, 0) ON CONFLICT DO NOTHING;
"""

SCHEMA_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('edge storage'))"
"""Tables made by two nodes at the same moment would clash in spite of IF NOT EXISTS."""

HAS_SCHEMA: Final = "SELECT to_regclass('edge_counter') IS NOT NULL"

LIMITS: Final = """
SELECT set_config('statement_timeout', '2500', true), set_config('lock_timeout', '2500', true),
    set_config('idle_in_transaction_session_timeout', '5000', true)
"""
"""Milliseconds, for one transaction, so that poolers do not matter. A node that stops in the middle of one must not keep the
counter from the others; waiting for the counter ends before `link.PATIENCE` does."""

COUNT: Final = "UPDATE edge_counter SET number = number + 1 RETURNING number"

IS_HELD: Final = "SELECT true FROM edge_leases WHERE name = %s AND token = %s AND owner = %s"

CHANGED: Final = """
INSERT INTO edge_changes VALUES (%s, %s) ON CONFLICT (area) DO UPDATE SET revision = excluded.revision
"""

READ: Final = "SELECT key, value, target FROM edge_entries WHERE key = ANY(%s)"

NAMES: Final = "SELECT key FROM edge_entries WHERE parent = %s"

KIND: Final = "SELECT value IS NULL AND target IS NULL FROM edge_entries WHERE key = %s"
"""A row when there is an entry; true for a directory."""

PUT: Final = """
INSERT INTO edge_entries VALUES (%s, %s, %s, %s)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, target = excluded.target
"""

MAKE_DIRECTORY: Final = "INSERT INTO edge_entries VALUES (%s, %s) ON CONFLICT DO NOTHING"

REMOVE: Final = "DELETE FROM edge_entries WHERE key = %s OR (key > %s AND key < %s)"

CLAIM: Final = """
INSERT INTO edge_leases VALUES (%s, %s, %s, clock_timestamp() + make_interval(secs => %s))
ON CONFLICT (name) DO UPDATE SET token = excluded.token, owner = excluded.owner, ends = excluded.ends
WHERE edge_leases.ends <= clock_timestamp() RETURNING token
"""

EXTEND: Final = """
UPDATE edge_leases SET ends = clock_timestamp() + make_interval(secs => %s)
WHERE name = %s AND token = %s AND owner = %s RETURNING token
"""

RELEASE: Final = "DELETE FROM edge_leases WHERE name = %s AND token = %s AND owner = %s"

TIDY: Final = "DELETE FROM edge_leases WHERE ends < clock_timestamp() - interval '1 hour'"

HELD: Final = "SELECT name FROM edge_leases WHERE starts_with(name, %s) AND ends > clock_timestamp()"

CHANGES: Final = """
SELECT counter.number, changes.area FROM edge_counter counter LEFT JOIN edge_changes changes ON changes.revision > %s
"""
"""One statement, so one snapshot: no change falls between the number and the areas."""
