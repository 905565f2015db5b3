"""The flags of `edge run` and `edge check`, and how they become `Flags`.

All values stay text here. `edge.config` checks them together with the file, so that one run names every mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

from edge.cli.grouped_help import option

if TYPE_CHECKING:
    from edge.config.flags import Flags

Function = TypeVar("Function", bound=Callable[..., Any])

SITE: Final = "What to serve"
CERTIFICATES: Final = "Certificates"
LISTENING: Final = "Where to listen"
RUNNING: Final = "How to run"

FLAGS: Final = (
    option("--domain", group=SITE, multiple=True, metavar="NAME",
           help="Host name or IP address to serve. Repeatable. None given: localhost."),
    option("--upstream", group=SITE, multiple=True, metavar="ADDR",
           help="Application server: 127.0.0.1:8000, http(s)://host:port, unix:/run/app.sock, uwsgi://host:port, "
                "uwsgi+unix:/run/app.sock or h2c://host:port (gRPC). Repeatable."),
    option("--static", group=SITE, multiple=True, metavar="PREFIX=DIR",
           help="Serve DIR under a URL prefix, like /static=./static. The longest prefix wins. Repeatable."),
    option("--media", group=SITE, multiple=True, metavar="PREFIX=DIR",
           help="Serve files that users have uploaded, so that they cannot act in the site's name. Repeatable."),
    option("--internal", group=SITE, multiple=True, metavar="PREFIX=DIR",
           help="Let the application send files from DIR by X-Accel-Redirect or X-Sendfile. Repeatable."),
    option("--config", group=SITE, metavar="FILE",
           help="Read edge.toml, which can say everything flags can, per site. A flag beats the file."),
    option("--email", group=CERTIFICATES, metavar="ADDR", help="Contact for the ACME account. Optional."),
    option("--acme-directory", group=CERTIFICATES, metavar="URL",
           help="Directory URL of the CA, or letsencrypt (the default) or letsencrypt-staging. Naming one orders private "
                "names there too, instead of from the local CA."),
    option("--acme-ca-file", group=CERTIFICATES, metavar="FILE",
           help="Extra trust root for the directory's own TLS (Pebble, step-ca)."),
    option("--cert", group=CERTIFICATES, metavar="FILE", help="Your own certificate: no ACME for names it covers."),
    option("--key", group=CERTIFICATES, metavar="FILE", help="The private key of --cert."),
    option("--storage", group=CERTIFICATES, metavar="DIR",
           help="Certificates, accounts, state. Default: /var/lib/edge as root, else $XDG_DATA_HOME/edge. For several machines: "
                "postgresql://, redis://, rediss:// or redis+unix: URL of a server."),
    option("--bind", group=LISTENING, multiple=True, metavar="ADDR",
           help="Numeric address. Repeatable. Default: all addresses, IPv6 and IPv4."),
    option("--http-port", group=LISTENING, metavar="N", help="Default: 80. 0 turns plain HTTP off."),
    option("--https-port", group=LISTENING, metavar="N", help="Default: 443."),
    option("--trusted-proxies", group=LISTENING, multiple=True, metavar="NETWORK",
           help="Believe X-Forwarded-For and its relatives from there: a range, private or cloudflare. Repeatable."),
    option("--workers", group=RUNNING, metavar="N", help="Serving processes. Default: one per CPU."),
    option("--user", group=RUNNING, metavar="NAME", help="Workers become this user when edge is started as root."),
    option("--access-log", group=RUNNING, metavar="WHERE", help="off, - (standard output, the default) or a file."),
    option("--log-format", group=RUNNING, metavar="FORMAT",
           help="text or json. Default: text on a terminal, JSON lines otherwise."),
    option("--http2-engine", group=RUNNING, metavar="ENGINE", help="auto (the default), h2 or ngh2."),
    option("--loop", group=RUNNING, metavar="LOOP", help="Event loop: auto (the default), asyncio or uvloop."),
    option("--confinement", group=RUNNING, metavar="HOW",
           help="auto (the default): workers reach no files but those they serve, where the kernel has Landlock; or off."),
)  # fmt: skip


def takes_flags(function: Function) -> Function:
    """Give a command all flags; it gets them as one `Flags` value called `flags`, behind its other arguments."""

    @wraps(function)
    def command(*arguments: Any, **options: Any) -> Any:
        from edge.config.flags import Flags  # noqa: PLC0415  # help must not wait for the rooms behind it

        fields = {name: options.pop(name) for name in Flags.__struct_fields__ if name in options}
        return function(*arguments, flags=Flags(**fields), **options)

    return add_options(FLAGS)(command)  # type: ignore[return-value]  # the same signature but for the flags


def arguments_of(flags: Flags) -> list[str]:
    """The command line that gives these flags."""
    from edge.config.flags import flag_name  # noqa: PLC0415

    found: list[str] = []
    for field in flags.__struct_fields__:
        value = getattr(flags, field)
        for each in [value] if isinstance(value, str) else value or ():
            found += [flag_name(field), each]
    return found


def add_options(options: tuple[Callable[[Any], Any], ...]) -> Callable[[Function], Function]:
    """Decorate with several options, which help shows in this order."""

    def decorate(function: Function) -> Function:
        for each in reversed(options):
            function = each(function)
        return function

    return decorate
