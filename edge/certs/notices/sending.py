"""The ways a notice can go: a program, a webhook, a mail server. Each is time-bound, none blocks the event loop.

What goes wrong becomes one sentence without a secret: not the webhook's URL, whose path may be a password, and not the text of
a foreign error, which may quote it.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Awaitable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import requests
from msgspec import Struct

from edge.certs.acme.network import USER_AGENT, proxies_for
from edge.certs.acme.threads import call
from edge.certs.notices.message import Notice
from edge.certs.programs import run_program
from edge.certs.secret import read_secret
from edge.config.notify_schema import Email, Notify
from edge.config.notify_settings import parse_webhook
from edge.errors import CertificateError

TIMEOUT = 30.0
"""Seconds for each way, all of them at once."""

SOCKET_TIMEOUT = 10.0
"""Seconds for one answer of a server."""


class Outcome(Struct, frozen=True):
    """What became of one way; `problem` is "" when the notice went out."""

    way: str
    problem: str = ""


async def send(notify: Notify, notice: Notice) -> list[Outcome]:
    """Use every way that is configured."""
    ways: dict[str, Awaitable[None]] = {}
    if notify.command:
        ways["command"] = _run(notify.command, notice)
    if notify.webhook or notify.webhook_secret:
        ways["webhook"] = call(lambda: _post(notify, notice))
    if notify.email:
        email = notify.email
        ways["email"] = call(lambda: _mail(email, notice))
    return list(await asyncio.gather(*(_attempt(way, work) for way, work in ways.items())))


async def _attempt(way: str, work: Awaitable[None]) -> Outcome:
    try:
        async with asyncio.timeout(TIMEOUT + 5.0):  # threads that hang longer than their sockets may are left behind
            await work
    except TimeoutError:
        return Outcome(way, f"no result within {TIMEOUT:g} s")
    except CertificateError as exc:
        return Outcome(way, str(exc))
    return Outcome(way)


async def _run(command: tuple[str, ...], notice: Notice) -> None:
    told = {"EDGE_NOTICE": notice.text, "EDGE_NOTICE_SUBJECT": notice.subject}
    await run_program(command, told, seconds=TIMEOUT, given=notice.as_json())


def _post(notify: Notify, notice: Notice) -> None:
    url = notify.webhook or _secret_url(notify)
    try:
        with requests.Session() as session:
            session.trust_env = False  # or ~/.netrc adds a password
            with session.post(
                url,
                data=notice.as_json(),
                headers={"Content-Type": "application/json", "User-Agent": USER_AGENT},
                timeout=SOCKET_TIMEOUT,
                allow_redirects=False,  # a POST that is redirected would become a GET of something else
                stream=True,  # the body is nobody's concern
                proxies=proxies_for(url),
            ) as response:
                status = response.status_code
    except (requests.RequestException, OSError, ValueError) as exc:
        raise CertificateError(f"the webhook cannot be reached: {type(exc).__name__}") from None
    if not 200 <= status < 300:
        raise CertificateError(f"the webhook answered with status {status}")


def _secret_url(notify: Notify) -> str:
    assert notify.webhook_secret is not None
    try:
        return parse_webhook(read_secret(notify.webhook_secret))
    except ValueError as exc:
        raise CertificateError(f"{notify.webhook_secret}: {exc}") from None


def _mail(email: Email, notice: Notice) -> None:
    server = f"the mail server {email.server}"
    try:
        with _connect(email) as connection:
            if email.encryption == "starttls":
                connection.starttls(context=ssl.create_default_context())
            if email.user and email.password:
                connection.login(email.user, read_secret(email.password))
            refused = connection.send_message(_message(email, notice))
    except smtplib.SMTPAuthenticationError:
        raise CertificateError(f"{server} refuses user or password") from None
    except smtplib.SMTPResponseException as exc:
        raise CertificateError(f"{server} refuses the message with status {exc.smtp_code}") from None
    except (smtplib.SMTPException, OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or type(exc).__name__
        raise CertificateError(f"{server} did not take the message: {reason}") from exc
    if refused:
        raise CertificateError(f"{server} refuses {', '.join(sorted(refused))}")


def _connect(email: Email) -> smtplib.SMTP:
    host, port = email.server.host, email.server.port
    if email.encryption == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=SOCKET_TIMEOUT, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=SOCKET_TIMEOUT)


def _message(email: Email, notice: Notice) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = email.sender, ", ".join(email.to)
    message["Subject"] = notice.subject
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = make_msgid(domain=email.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office reply, please
    message.set_content(notice.text)
    return message
