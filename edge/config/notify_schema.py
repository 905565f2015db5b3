"""`[notify]` and `[metrics]` as frozen values: who hears that a certificate is running out, and who may look."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from edge.config.endpoint import Endpoint
from edge.config.secret import Secret

Encryption: TypeAlias = Literal["starttls", "tls", "none"]


class Email(Struct, frozen=True):
    """A message by way of a mail server."""

    to: tuple[str, ...]
    sender: str
    server: Endpoint

    encryption: Encryption = "starttls"
    """starttls and tls verify the server's certificate."""

    user: str = ""
    """"" sends without logging in."""

    password: Secret | None = None


class Notify(Struct, frozen=True):
    """Every way that is given is used, each independently of the others."""

    command: tuple[str, ...] = ()
    """The program (an absolute path) and its arguments."""

    webhook: str = ""
    """URL that gets a POST; "" when it is a secret or there is none."""

    webhook_secret: Secret | None = None
    """Where the URL is kept: those of chat services are passwords."""

    email: Email | None = None
