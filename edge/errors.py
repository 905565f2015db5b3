"""The error tree. Each error carries its data and its answer.

    EdgeError
    ├── ConfigError            the operator's input; printed as complaints, exit status 2
    ├── StartError             cannot start (port in use, no permission); printed in one block, exit status 1
    ├── StorageError           state could not be read or written
    │   └── LeaseLost          another holder of the lock was let in: what was to be written is out of date
    ├── HTTPError              an exchange that cannot go on; knows its status
    │   ├── RequestRefused     the client's request breaks a rule
    │   └── UpstreamError      the origin did not do its part
    └── CertificateError       no usable certificate came out; subclassed in `edge.certs.errors`

Foreign errors (OSError, ssl.SSLError, acme's) are translated at the door of the room that calls the foreign package,
with `raise … from exc`.
"""

from __future__ import annotations


class EdgeError(Exception):
    """Any failure that edge itself describes. `str()` is one sentence for an operator."""


class ConfigError(EdgeError):
    """The configuration cannot be used.

    `complaints` holds every problem found, one sentence each: what is wrong, where (flag, or file and key), what to do.
    """

    def __init__(self, complaints: list[str]) -> None:
        super().__init__("; ".join(complaints))
        self.complaints = complaints


class StartError(EdgeError):
    """edge cannot start. `hints` are sentences that tell the operator what to do."""

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message)
        self.hints = hints


class StorageError(EdgeError):
    """State could not be read or written."""


class LeaseLost(StorageError):
    """The writer has been silent for so long that somebody else holds the lock now. Nothing was written."""


class HTTPError(EdgeError):
    """An exchange cannot go on.

    `status` answers the client if no response head has been sent; `reason` is a constant word for logs and counters,
    never text from the network. `fields` are response fields that the answer needs, beside those of every error.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        *,
        retry_after: int | None = None,
        fields: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        self.fields = fields


class RequestRefused(HTTPError):
    """The request breaks a rule of RFC 9110–9113 or one of our limits."""


class UpstreamError(HTTPError):
    """The origin is down, too slow, or does not speak HTTP. Status 502, 503 or 504.

    `is_down`: nobody accepts connections, which a restart would explain; waiting may help.
    """

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None, is_down: bool = False) -> None:
        super().__init__(status, reason, retry_after=retry_after)
        self.is_down = is_down


class CertificateError(EdgeError):
    """No usable certificate came out of an attempt."""
