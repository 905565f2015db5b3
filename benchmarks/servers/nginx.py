"""nginx with the directives that a careful operator would set for the same work.

`sendfile` is on, as in every distribution's file; `open_file_cache` stays off, its default. Connections may carry any
number of requests (`keepalive_requests`), so that no run measures reconnects. Request bodies up to 256 KiB stay in memory,
as in edge.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.servers.recipe import Assignment, KeyPair, Recipe

UNLIMITED = 1_000_000_000
MANY_NAMES = 500
"""Server names from which nginx asks for larger hash tables than its defaults."""

FILE_LIMIT = 20_000
"""Descriptors of a worker: 5,000 visitors, each perhaps with a file or an upstream connection, and room."""


def main_block(workers: int, error_log: str = "error.log") -> str:
    """What stands outside of `http`."""
    return f"""daemon off;
user root;
pid nginx.pid;
error_log {error_log} error;
worker_processes {workers};
worker_rlimit_nofile {FILE_LIMIT};
events {{ worker_connections {FILE_LIMIT // 2}; }}
"""


TEMPORARY = "\n".join(
    f"    {what}_temp_path temp_{what};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)
"""Kept below the run's own directory; the compiled-in places belong to the system's nginx."""


def nginx_recipe(assignment: Assignment, directory: Path) -> Recipe:
    """nginx in the foreground, its files below `directory`."""
    return nginx_command(directory, nginx_conf(assignment))


def nginx_command(directory: Path, configuration: str) -> Recipe:
    """Any configuration of nginx, run below `directory`."""
    argv = ("nginx", "-p", str(directory), "-c", "nginx.conf", "-e", "error.log")
    return Recipe(argv, {"nginx.conf": configuration})


def nginx_conf(assignment: Assignment) -> str:
    """One `server` for each key pair, all with the same locations."""
    locations = "\n".join(_location(prefix, path) for prefix, path in assignment.mounts.items())
    servers = "\n".join(_server(assignment, pair, locations) for pair in assignment.key_pairs)
    hashes = "    server_names_hash_max_size 65536;\n" if len(assignment.key_pairs) > MANY_NAMES else ""
    return f"""{main_block(assignment.workers)}
http {{
    default_type application/octet-stream;
    access_log {assignment.access_log or "off"};
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 75s;
    keepalive_requests {UNLIMITED};
    client_max_body_size 1g;
    client_body_buffer_size 256k;
    ssl_protocols TLSv1.2 TLSv1.3;
{TEMPORARY}
{hashes}
    upstream application {{
        server {assignment.origin};
        keepalive 1024;
        keepalive_requests {UNLIMITED};
    }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $host;

{servers}
}}
"""


def _location(prefix: str, path: Path) -> str:
    return f"        location {prefix}/ {{ alias {path}/; }}"


def _server(assignment: Assignment, pair: KeyPair, locations: str) -> str:
    # Options of a listening socket may be given only once.
    backlog = " backlog=4096" if pair is assignment.key_pairs[0] else ""
    return f"""    server {{
        listen 127.0.0.1:{assignment.port} ssl http2{backlog};
        server_name {" ".join(pair.names)};
        ssl_certificate {pair.certificate};
        ssl_certificate_key {pair.key};
{locations}
        location / {{ proxy_pass http://application; }}
    }}"""
