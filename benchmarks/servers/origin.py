"""What stands behind the servers: an nginx that answers from memory, so that nobody waits for an application."""

from __future__ import annotations

from pathlib import Path

from benchmarks.servers.nginx import TEMPORARY, UNLIMITED, main_block, nginx_command
from benchmarks.servers.recipe import Recipe

BODY = "x" * 1024
"""What every proxied request gets: 1 KB, the size of a small JSON answer."""

UPLOAD = "/upload"
"""Reads the whole request body before it answers, as an application does."""

ECHO = "/echo"
"""Says which forwarding fields arrived: all servers must send the same ones."""


def origin_recipe(directory: Path, port: int, second_port: int) -> Recipe:
    """The origin on `port`; `second_port` is where its upload location goes once it has the body."""
    return nginx_command(directory, origin_conf(port, second_port))


def origin_conf(port: int, second_port: int) -> str:
    """`return` answers before a body has arrived, hence the detour of uploads: proxying buffers the whole body first."""
    return f"""{main_block(1)}
http {{
    access_log off;
    keepalive_timeout 75s;
    keepalive_requests {UNLIMITED};
    client_max_body_size 1g;
    client_body_buffer_size 1m;
    default_type application/octet-stream;
{TEMPORARY}
    upstream answer {{
        server 127.0.0.1:{second_port};
        keepalive 64;
        keepalive_requests {UNLIMITED};
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ return 200 "{BODY}"; }}
        location {ECHO} {{ return 200 "$http_host $http_x_forwarded_proto $http_x_forwarded_for $http_x_forwarded_host"; }}
        location {UPLOAD} {{
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_pass http://answer;
        }}
    }}
    server {{
        listen 127.0.0.1:{second_port} backlog=4096;
        location / {{ return 200 "{BODY}"; }}
    }}
}}
"""
