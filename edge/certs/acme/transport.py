"""Failures on the way to the CA, in words: foreign exceptions in, `IssueFailed` out."""

from __future__ import annotations

import socket
import ssl

import requests
import urllib3

from edge.certs.acme.problems import clean
from edge.certs.issuer import ErrorClass, IssueFailed


def nonsense(phase: str, detail: str) -> IssueFailed:
    """The CA answered, but nothing that can be used."""
    return IssueFailed(ErrorClass.TRANSPORT, phase, clean(detail))


def transport_failure(phase: str, exc: BaseException) -> IssueFailed:
    """A foreign error on the way to the CA, in words."""
    words, hint = _explain(_innermost(exc))
    return IssueFailed(ErrorClass.TRANSPORT, phase, clean(words), hint=hint)


def _explain(cause: BaseException) -> tuple[str, str]:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"the CA's own TLS certificate is not trusted ({cause.verify_message})",
            "check this host's clock, and --acme-ca-file if the CA is a private one",
        )
    if isinstance(cause, socket.gaierror):
        return "the CA's host name could not be resolved", "check this host's DNS resolver (/etc/resolv.conf)"
    if isinstance(cause, TimeoutError | requests.Timeout | urllib3.exceptions.TimeoutError):
        return "the CA did not answer in time", "check this host's firewall for outgoing TCP port 443"
    if isinstance(cause, ConnectionRefusedError):
        return "the CA refused the connection", "is the ACME server running, and the directory URL right?"
    if isinstance(cause, OSError) and cause.strerror:
        return f"the CA could not be reached ({cause.strerror})", "check this host's network and outgoing firewall"
    return f"the CA's reply could not be used ({cause})", ""


def _innermost(exc: BaseException) -> BaseException:
    """The first cause: requests and urllib3 wrap an OSError up to three times, in an attribute, an argument or the context."""
    for _ in range(8):
        told = (getattr(exc, "reason", None), *exc.args[:1], exc.__cause__, exc.__context__)
        inner = next((one for one in told if isinstance(one, Exception) and one is not exc), None)
        if inner is None:
            return exc
        exc = inner
    return exc
