"""Caddy with the same work in a Caddyfile.

Its HTTP/3 listener, its admin endpoint and its own certificates are switched off: nobody else in the comparison has them.
Idle upstream connections are kept as in nginx; Caddy's default of 32 a host would make it reconnect under load.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.servers.recipe import Assignment, KeyPair, Recipe


def caddy_recipe(assignment: Assignment, directory: Path) -> Recipe:
    """Caddy in the foreground. Go sees one core and starts one runner for it; `workers` has no counterpart."""
    argv = ("caddy", "run", "--adapter", "caddyfile", "--config", str(directory / "Caddyfile"))
    home = (f"HOME={directory}", f"XDG_DATA_HOME={directory}", f"XDG_CONFIG_HOME={directory}")
    return Recipe(("env", *home, *argv), {"Caddyfile": caddyfile(assignment)})


def caddyfile(assignment: Assignment) -> str:
    """One site block for each key pair, all with the same handlers."""
    sites = "\n".join(_site(assignment, pair) for pair in assignment.key_pairs)
    return f"""{{
    admin off
    auto_https off
    servers {{
        protocols h1 h2
    }}
    log {{
        level ERROR
    }}
}}
{sites}"""


def _site(assignment: Assignment, pair: KeyPair) -> str:
    names = ", ".join(f"https://{name}:{assignment.port}" for name in pair.names)
    mounts = "\n".join(_mount(prefix, path) for prefix, path in assignment.mounts.items())
    log = f"    log {{\n        output file {assignment.access_log}\n    }}\n" if assignment.access_log else ""
    return f"""{names} {{
    bind 127.0.0.1
    tls {pair.certificate} {pair.key}
{log}{mounts}
    handle {{
        reverse_proxy {assignment.origin} {{
            transport http {{
                keepalive_idle_conns_per_host 1024
            }}
        }}
    }}
}}
"""


def _mount(prefix: str, path: Path) -> str:
    return f"    handle_path {prefix}/* {{\n        root * {path}\n        file_server\n    }}"
