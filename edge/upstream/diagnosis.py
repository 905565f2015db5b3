"""What a probe's answer means, in words for the operator. Pure.

Any answer below 500 shows an application that works on requests; so it counts as healthy, or one wrong setting would take a
whole site down that visitors still could use. But an answer other than 2xx means that the probe does not see what it should,
and the two that Django gives to nearly everybody have known causes.
"""

from __future__ import annotations

from edge.http.message import ResponseHead


def is_healthy(status: int) -> bool:
    """Whether the application is at work."""
    return status < 500


def advice(head: ResponseHead, host: str, path: str) -> str:
    """One sentence on what to change, or "" when all is as it should be. Never holds text from the network."""
    status = head.status
    if 200 <= status < 300 or not is_healthy(status):
        return ""
    if status == 400:
        return f"the application refuses the host {host!r}: Django wants it in ALLOWED_HOSTS"
    if 300 <= status < 400:
        return _redirect_advice(head, host, path)
    if status == 404:
        return f"the application has nothing at {path}: add a view, or name another path in `health`"
    if status in (401, 403):
        return f"{path} is behind a login or a filter: let it answer without, it is asked over X-Forwarded-Proto: https"
    return f"{path} should answer 2xx"


def _redirect_advice(head: ResponseHead, host: str, path: str) -> str:
    location = head.field(b"location") or b""
    if location.startswith(f"https://{host}".encode()) and location.endswith(path.encode()):
        return (
            "the application redirects to https although the probe says X-Forwarded-Proto: https, as visitors' requests do: "
            'they loop. Django needs SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")'
        )
    if location.endswith(path.encode() + b"/"):
        return f"the application wants a slash at the end: write health = {path + '/'!r}"
    return f"{path} redirects elsewhere: name a path that answers itself"
