"""`[notify]` and `[metrics]` become a `Notify` and an `Endpoint`. Complaints never show a URL that came from a secret."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from edge.config.endpoint import Endpoint, parse_endpoint
from edge.config.files import find_program
from edge.config.given import Complaints, Given, RawSettings, RawTable
from edge.config.names import is_address
from edge.config.notify_schema import Email, Encryption, Notify
from edge.config.secret import Secret, secret_in_file, secret_in_variable
from edge.config.settings import parse_email

MAIL_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
"""RFC 6409, RFC 8314 §7.3, RFC 5321."""

LOOPBACK: Final = "127.0.0.1"


def resolve_notify(raw: RawSettings, environ: Mapping[str, str], complaints: Complaints) -> Notify | None:
    """None when nobody is to be told, or when it cannot be used."""
    made = Notify(
        command=_command(raw.notify_command, complaints),
        webhook=complaints.attempt_or(raw.notify_webhook, parse_webhook, ""),
        webhook_secret=_secret(raw.notify_webhook_file, raw.notify_webhook_env, environ, complaints),
        email=_email(raw.notify_email, environ, complaints),
    )
    if made.webhook and made.webhook_secret and raw.notify_webhook:
        complaints.add(
            raw.notify_webhook.place, "there is a webhook_file or webhook_env already; leave one of them out"
        )
    return made if made != Notify() else None


def _command(given: Given[Any] | None, complaints: Complaints) -> tuple[str, ...]:
    if given is None:
        return ()
    words = [given.value] if isinstance(given.value, str) else given.value
    path = complaints.attempt_path(Given(words, given.place, given.base), find_program)
    return (path, *words[1:]) if path else ()


def _secret(
    file: Given[str] | None, variable: Given[str] | None, environ: Mapping[str, str], complaints: Complaints
) -> Secret | None:
    if file is not None and variable is not None:
        complaints.add(variable.place, "there is a file already; leave one of them out")
    if file is not None:
        return complaints.attempt_path(file, secret_in_file)
    return complaints.attempt(variable, lambda name: secret_in_variable(name, environ)) if variable else None


def parse_webhook(text: str) -> str:
    """An https URL, or plain http to this host."""
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        raise ValueError("this is no URL") from None
    if not text.isascii() or not text.isprintable() or " " in text or not url.hostname or "@" in url.netloc:
        raise ValueError("this is no URL like https://hooks.example.com/edge")
    is_here = url.hostname == "localhost" or (
        is_address(url.hostname) and ipaddress.ip_address(url.hostname).is_loopback
    )
    if url.scheme != "https" and not (url.scheme == "http" and is_here):
        raise ValueError("write an https:// URL; plain http:// goes to this host only")
    return text


def _email(raw: RawTable | None, environ: Mapping[str, str], complaints: Complaints) -> Email | None:
    if raw is None:
        return None
    missing = [key for key in ("to", "server") if key not in raw.values]
    for key in missing:
        complaints.add(raw.place, f"an e-mail needs {key}")
    if missing:
        return None
    values = raw.values
    encryption: Encryption = values["encryption"].value if "encryption" in values else "starttls"
    recipients = _addresses(values["to"], complaints)
    sender = complaints.attempt(values["from"], _address) if "from" in values else None
    server = complaints.attempt(values["server"], lambda text: _mail_server(text, MAIL_PORTS[encryption]))
    user = values["user"].value if "user" in values else ""
    password = _secret(values.get("password_file"), values.get("password_env"), environ, complaints)
    if bool(user) != (password is not None):
        complaints.add(raw.place, "logging in takes user, and password_file or password_env")
    if user and encryption == "none" and server and not _is_loopback(server.host):
        complaints.add(raw.place, 'a password does not travel in clear text: leave out encryption = "none"')
    if not recipients or server is None:
        return None
    return Email(recipients, sender or recipients[0], server, encryption, user, password)


def _addresses(given: Given[Any], complaints: Complaints) -> tuple[str, ...]:
    texts = [given.value] if isinstance(given.value, str) else given.value
    parsed = (complaints.attempt(Given(text, given.place), _address) for text in texts)
    return tuple(address for address in parsed if address)


def _address(text: str) -> str:
    if not text:
        raise ValueError("write an e-mail address like admin@example.com")
    return parse_email(text)


def _mail_server(text: str, port: int) -> Endpoint:
    endpoint = parse_endpoint(text, port)
    if endpoint is None:
        raise ValueError(f"{text[:80]!r}: write the mail server, like smtp.example.com or smtp.example.com:587")
    return endpoint


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def parse_metrics(value: int | str) -> Endpoint:
    """Where metrics are told: a port of 127.0.0.1, or a numeric address with a port."""
    text = str(value)
    endpoint = Endpoint(LOOPBACK, int(text)) if text.isdecimal() and len(text) < 6 else parse_endpoint(text, 0)
    if endpoint is None or not is_address(endpoint.host) or not 0 < endpoint.port < 65536:
        raise ValueError(f"{text[:80]!r}: write a port, or a numeric address and a port, like 127.0.0.1:9180")
    return endpoint
