"""The door to the `acme` package and to the CA: signed requests out, checked replies or `IssueFailed` back.

`acme.client.ClientNetwork` signs requests (JWS, RFC 8555 §6.2). What happens to replies is decided here, because it loses
their status and fields, follows redirects of signed requests, reads without limit and retries a bad nonce only once. Nothing
foreign leaves this module: not an exception, not a response object.

Blocking; used by one thread at a time. One network serves one attempt, with fresh connections and nonces.
"""

from __future__ import annotations

import logging
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import acme.errors
import josepy.errors
import msgspec
import requests
import urllib3
from acme import messages
from acme.client import ClientNetwork
from josepy.b64 import b64decode
from josepy.interfaces import JSONDeSerializable
from josepy.jwa import ES256
from msgspec import Struct
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies

from edge.certs.acme.cutter import CuttableAdapter, Cutter
from edge.certs.acme.limits import LARGEST_CHAIN, LARGEST_DOCUMENT, MOST_NONCE_TRIES, Limits
from edge.certs.acme.problems import ProblemFailure, decode_problem, failure
from edge.certs.acme.retry_after import clock_skew, parse_retry_after, parse_retry_text
from edge.certs.acme.transport import nonsense, transport_failure
from edge.certs.acme.urls import host_of, require_https
from edge.certs.issuer import ErrorClass, IssueFailed

T = TypeVar("T")

logging.getLogger("acme").setLevel(logging.INFO)
"""At debug level the package logs key authorizations and account bindings."""

USER_AGENT = "edge (+acme-python)"
"""RFC 8555 §6.1 asks for one, Pebble refuses requests without."""

CHAIN_TYPE = "application/pem-certificate-chain"

_NONCE = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FOREIGN = (
    acme.errors.Error,
    messages.Error,
    josepy.errors.Error,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
)


class Reply(Struct, frozen=True):
    """A reply that is no refusal. `headers` have lower-case names; `retry_after` and `skew` are in our clock (seconds)."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    retry_after: float | None
    skew: float

    def decode(self, shape: type[T], phase: str) -> T:
        """The JSON body as `shape`. Raises: IssueFailed when it is something else."""
        try:
            return msgspec.json.decode(self.body, type=shape)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise nonsense(
                phase, f"{host_of(self.url)} sent a reply that is no {shape.__name__.lower()} ({exc})"
            ) from exc


class _Response(Struct):
    """One HTTP response as `ClientNetwork` hands it around between our own methods."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class _RefusedError(Exception):
    """The CA answered with an error status."""

    def __init__(self, response: _Response) -> None:
        super().__init__(response.status)
        self.response = response
        self.problem = decode_problem(response.body, response.status)


class _CutError(Exception):
    """The total deadline passed, or the network was closed."""


class _NoNonceError(Exception):
    """The CA answered newNonce without a nonce (RFC 8555 §7.2 demands one); often a proxy has taken it away."""


class Network(ClientNetwork):
    """Requests to one CA, whose TLS is always verified (by `CuttableAdapter`).

    Set `key` and call `use_account` before signed requests that need an account."""

    def __init__(self, *, ca_file: str = "", limits: Limits, wall_clock: Callable[[], float] = time.time) -> None:
        super().__init__(alg=ES256, user_agent=USER_AGENT)
        self._limits = limits
        self._wall_clock = wall_clock
        self._cutter = Cutter()
        self._busy = threading.Lock()
        self._closed = False
        self.session.trust_env = False  # or ~/.netrc adds a password and REQUESTS_CA_BUNDLE replaces our roots
        self.session.mount("https://", CuttableAdapter(self._cutter, _trust(ca_file)))

    def use_account(self, url: str) -> None:
        """Sign with the account's URL as `kid` from now on (RFC 8555 §6.2); "" signs with the key itself."""
        self.account = messages.RegistrationResource(uri=url, body=messages.Registration()) if url else None

    def fetch(self, phase: str, url: str) -> Reply:
        """GET without a signature: the directory and renewal information. Raises: IssueFailed."""
        return self._exchange(phase, lambda: self.get(url))

    def signed_post(
        self, phase: str, url: str, message: JSONDeSerializable | None, *, new_nonce: str, accept: str = ""
    ) -> Reply:
        """POST a signed message; None is POST-as-GET (RFC 8555 §6.3). Raises: IssueFailed."""
        headers = {"Content-Type": self.JOSE_CONTENT_TYPE, **({"Accept": accept} if accept else {})}
        return self._exchange(phase, lambda: self._post_with_any_nonce(url, message, new_nonce, headers))

    def close(self) -> None:
        """Cut what is under way and release the connections, now or when the thread that uses them returns."""
        self._closed = True
        self._cutter.cut()
        if self._busy.acquire(blocking=False):
            self.session.close()
            self._busy.release()

    # -- one exchange, foreign errors translated -----------------------------------------------------------------------

    def _exchange(self, phase: str, request: Callable[[], object]) -> Reply:
        with self._busy:
            try:
                return self._reply(request())
            except _RefusedError as exc:
                raise self._refusal(phase, exc) from exc
            except _CutError as exc:
                raise nonsense(phase, f"the CA did not finish its reply within {self._limits.request:g} s") from exc
            except _NoNonceError as exc:
                raise nonsense(phase, "the CA gave no nonce; does a proxy in between take Replay-Nonce away?") from exc
            except _FOREIGN as exc:
                raise transport_failure(phase, exc) from exc
            finally:
                if self._closed:
                    self.session.close()

    def _reply(self, response: object) -> Reply:
        assert isinstance(response, _Response)
        date, now = response.headers.get("date", ""), self._wall_clock()
        return Reply(
            response.url,
            response.headers,
            response.body,
            parse_retry_after(response.headers.get("retry-after", ""), date, now),
            clock_skew(date, now),
        )

    def _refusal(self, phase: str, refused: _RefusedError) -> ProblemFailure:
        headers, problem = refused.response.headers, refused.problem
        date, now = headers.get("date", ""), self._wall_clock()
        retry_after = parse_retry_after(headers.get("retry-after", ""), date, now)
        if retry_after is None:
            retry_after = parse_retry_text(problem.detail, date, now)
        about = "" if problem.kind else f"{host_of(refused.response.url)} answered without a reason"
        return failure(problem, phase, retry_after=retry_after, about=about)

    def _post_with_any_nonce(
        self, url: str, message: JSONDeSerializable | None, new_nonce: str, headers: dict[str, str]
    ) -> object:
        """Repeat at once while only the nonce is refused (RFC 8555 §6.5), with the fresh one of the refusal."""
        for _ in range(MOST_NONCE_TRIES - 1):
            try:
                return self._post_once(url, message, headers=dict(headers), new_nonce_url=new_nonce)
            except _RefusedError as exc:
                if exc.problem.kind != "badNonce":
                    raise
        return self._post_once(url, message, headers=dict(headers), new_nonce_url=new_nonce)

    # -- hooks of ClientNetwork ----------------------------------------------------------------------------------------

    def _send_request(  # type: ignore[override]  # our own response instead of requests'; only our methods see it
        self, method: str, url: str, *_: Any, headers: dict[str, str] | None = None, data: str | None = None, **__: Any
    ) -> _Response:
        require_https(url)
        headers = {"User-Agent": self.user_agent, "Accept-Encoding": "identity", **(headers or {})}
        with self._cutter.deadline(self._limits.request):
            if self._closed:
                raise _CutError
            try:
                response = self._read(method, url, headers, data)
            except _FOREIGN as exc:
                if self._cutter.was_cut:
                    raise _CutError from exc
                raise
            if self._cutter.was_cut:  # a cut reply head looks like a short complete reply
                raise _CutError
        self._add_nonce(response)
        return response

    def _read(self, method: str, url: str, headers: dict[str, str], data: str | None) -> _Response:
        with self.session.request(
            method,
            url,
            headers=headers,
            data=data,
            timeout=(self._limits.connect, self._limits.read),
            allow_redirects=False,  # a redirected POST would become a GET, or hand the signature to somebody else
            stream=True,
            proxies=proxies_for(url),
        ) as response:
            largest = LARGEST_CHAIN if headers.get("Accept") == CHAIN_TYPE else LARGEST_DOCUMENT
            body = _read_body(response.raw, largest) if method != "HEAD" else b""
            fields = {name.lower(): value for name, value in response.headers.items()}
            return _Response(response.status_code, fields, body, url)

    @classmethod
    def _check_response(  # type: ignore[override]  # see _send_request
        cls, response: _Response, content_type: str | None = None
    ) -> _Response:
        """Any 2xx is a reply; what its body must be is checked where it is decoded."""
        del content_type  # servers get it wrong; the body speaks for itself
        if not 200 <= response.status < 300:
            raise _RefusedError(response)
        return response

    def _get_nonce(self, url: str, new_nonce_url: str) -> str:
        try:
            return super()._get_nonce(url, new_nonce_url)
        except KeyError as exc:
            raise _NoNonceError from exc

    def _add_nonce(self, response: _Response) -> None:  # type: ignore[override]  # see _send_request
        """Keep the nonce of any reply, also of an error. The newest replaces what was kept; a missing one is no error."""
        nonce = response.headers.get(self.REPLAY_NONCE_HEADER.lower(), "")
        if _NONCE.fullmatch(nonce):
            self._nonces = {b64decode(nonce)}  # type: ignore[arg-type]  # acme says str and signs with bytes


def _read_body(raw: Any, largest: int) -> bytes:
    """The whole body. `read1` returns what has come, so that the cutter's effect shows at once."""
    body = b""
    while chunk := raw.read1(16 * 1024, decode_content=False):
        body += chunk
        if len(body) > largest:
            raise ValueError(f"the reply is longer than {largest} bytes")
    return body


def _trust(ca_file: str) -> ssl.SSLContext:
    """A TLS 1.2+ context that trusts certifi's roots and the operator's CA file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as exc:
            reason = exc.strerror or "it holds no PEM certificate"
            raise IssueFailed(
                ErrorClass.LOCAL, "account", f"cannot use the CA file {ca_file}: {reason}", hint="check --acme-ca-file"
            ) from exc
    return context


def proxies_for(url: str) -> dict[str, str]:
    """The proxy that HTTPS_PROXY and NO_PROXY name, the only thing taken from the environment; none to this host itself."""
    if host_of(url) in ("localhost", "127.0.0.1", "::1"):
        return {}
    return dict(get_environ_proxies(url))
