"""One account per CA: its key is stored before the CA hears of it, its URL before it is used.

The key is never replaced by edge itself: CAA records may name the account (RFC 8657), and losing it can then be an outage.

    accounts/CAID/key.pem        P-256 private key
    accounts/CAID/account.json   the account's URL at the CA, and when it was registered
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import josepy.errors
import msgspec
from acme import messages
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.json_util import JSONObjectWithFields, field
from josepy.jwk import JWK, JWKEC, JWKRSA
from msgspec import Struct

from edge.certs.acme.conversation import Conversation
from edge.certs.acme.key_change import signed_by_new_key
from edge.certs.acme.network import Reply
from edge.certs.acme.problems import ProblemFailure
from edge.certs.acme.rehearsing import Deactivation
from edge.certs.acme.transport import nonsense
from edge.certs.acme.urls import host_of, require_https
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.certs.secret import read_secret
from edge.config.acme_schema import ExternalAccount
from edge.errors import CertificateError
from edge.storage.contract import Storage
from edge.telemetry.logs import get_logger

log = get_logger("certs")

REGISTER_AGAIN_AFTER = 86400.0
"""Seconds between two registrations of a key whose account the CA has forgotten."""

LOCK_TRIES = 30
"""Seconds to wait for another process that is registering the same account; it needs a few round trips."""

_BASE64URL = re.compile(r"[A-Za-z0-9_-]{4,}={0,2}")


class AccountRecord(Struct, frozen=True):
    """What `account.json` holds; times are POSIX."""

    url: str
    directory: str
    registered: float
    registered_again: float = 0.0
    email: str = ""
    """The contact that the CA has been told."""


class Contact(JSONObjectWithFields):
    """An account update (RFC 8555 §7.3.2)."""

    contact: list[str] = field("contact")


def account_directory(directory_url: str, kid: str) -> str:
    """The storage key of an account: readable host, and a hash of all that makes it a different account."""
    host = re.sub(r"[^A-Za-z0-9.-]", "-", host_of(directory_url))[:100].strip(".-") or "ca"
    return f"accounts/{host}-{hashlib.sha256((directory_url + kid).encode()).hexdigest()[:8]}"


class Accounts:
    """The account at one CA: found, made, or made again."""

    def __init__(
        self,
        storage: Storage,
        directory_url: str,
        *,
        email: str,
        external: ExternalAccount | None,
        wall_clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.directory = account_directory(directory_url, external.kid if external else "")
        self._storage = storage
        self._directory_url = directory_url
        self._email = email
        self._external = external
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._one_at_a_time = asyncio.Lock()
        self._writer = storage
        """What changes are made through: fenced while the lock is held."""

    async def open(self, conversation: Conversation) -> JWK:
        """Make the conversation sign with the account, registering it first if need be; returns its key.

        Raises: IssueFailed, StorageError."""
        async with self._one_at_a_time:
            key, record = self._load_key(), self._load_record()
            if key is None or record is None:
                async with self._exclusive():
                    key, record = await self._find_or_register(conversation)
            key = await self._settle_key_change(conversation, key, record)
            conversation.sign_with(key, record.url)
            if record.email != self._email:
                await self._tell_contact(conversation, record)
            return key

    async def _tell_contact(self, conversation: Conversation, record: AccountRecord) -> None:
        """The operator has another address now. No certificate fails for it; the next attempt tries again."""
        contact = Contact(contact=[f"mailto:{self._email}"] if self._email else [])
        try:
            await conversation.post("account", record.url, contact)
        except IssueFailed as exc:
            log.warning("account contact not changed", cause=exc.detail, ca=host_of(self._directory_url))
            return
        self._save(msgspec.structs.replace(record, email=self._email))
        log.info("account contact changed", ca=host_of(self._directory_url))

    async def register_again(self, conversation: Conversation) -> None:
        """The CA does not know the account any more: register the same key, at most once a day.

        Raises: IssueFailed, StorageError."""
        async with self._one_at_a_time, self._exclusive():
            key, record = self._load_key(), self._load_record()
            now = self._wall_clock()
            if key is None or record is None or now - record.registered_again < REGISTER_AGAIN_AFTER:
                raise IssueFailed(
                    ErrorClass.ACCOUNT,
                    "account",
                    "the CA does not know the account, though it was registered again within the last day",
                    hint="is the directory URL the same as before, and does the CA keep its data?",
                )
            url = await self._register(conversation, key)
            self._save(
                AccountRecord(url, self._directory_url, record.registered, registered_again=now, email=self._email)
            )
            log.warning(
                "account registered again; CAA records that name the old one need a change", account=url, old=record.url
            )

    async def change_key(self, conversation: Conversation) -> None:
        """Give the account a new key; the CA knows the account by its URL, which stays. Raises: IssueFailed, StorageError."""
        async with self._one_at_a_time, self._exclusive():
            old, record, url = self._load_key(), self._load_record(), conversation.directory.key_change
            if old is None or record is None or not url:
                what = "there is no account yet" if url else "the CA does not change keys"
                raise IssueFailed(ErrorClass.ACCOUNT, "account", what)
            new = self._load_key("key.next.pem") or self._make_key("key.next.pem")
            conversation.sign_with(old, record.url)
            try:
                await conversation.post("account", url, signed_by_new_key(record.url, old, new, url), repeatable=False)
            except ProblemFailure:
                if await self._find_quietly(conversation, new) != record.url:
                    raise  # else it was changed already, before a crash
            self._adopt_key()
            log.info("account key changed", account=record.url, ca=host_of(self._directory_url))

    async def deactivate(self, conversation: Conversation) -> None:
        """Ask the CA to accept nothing from the account any more (RFC 8555 §7.3.6). Raises: IssueFailed, StorageError."""
        async with self._one_at_a_time, self._exclusive():
            key, record = self._load_key(), self._load_record()
            if key is None or record is None:
                raise IssueFailed(ErrorClass.ACCOUNT, "account", "there is no account yet")
            conversation.sign_with(key, record.url)
            await conversation.post("account", record.url, Deactivation())
            self.put_aside("deactivated by command")
            log.warning("account deactivated", account=record.url, ca=host_of(self._directory_url))

    def put_aside(self, reason: str) -> None:
        """Forget the account; its files stay in quarantine. Raises: StorageError."""
        self._storage.quarantine(self.directory, reason)

    async def _settle_key_change(self, conversation: Conversation, key: JWK, record: AccountRecord) -> JWK:
        """The account's key after a key change that a crash may have interrupted."""
        if self._load_key("key.next.pem") is None:
            return key
        async with self._exclusive():
            new = self._load_key("key.next.pem")
            if new is None:  # another process has settled it
                return self._load_key() or key
            if await self._find(conversation, new) != record.url:
                self._writer.delete(f"{self.directory}/key.next.pem")  # the CA has never heard of it
                return key
            self._adopt_key()
            return new

    async def _find_quietly(self, conversation: Conversation, key: JWK) -> str:
        try:
            return await self._find(conversation, key)
        except ProblemFailure:
            return ""

    def _adopt_key(self) -> None:
        """One atomic replacement; the spare file goes afterwards."""
        pem = self._storage.load(f"{self.directory}/key.next.pem")
        assert pem is not None
        self._writer.store(f"{self.directory}/key.pem", pem)
        self._writer.delete(f"{self.directory}/key.next.pem")

    # -- registering ---------------------------------------------------------------------------------------------------

    async def _find_or_register(self, conversation: Conversation) -> tuple[JWK, AccountRecord]:
        """Look again under the lock, then ask for an account of a key that was stored earlier, then register."""
        key, record = self._load_key(), self._load_record()
        if key is not None and record is not None:
            return key, record
        url = await self._find(conversation, key) if key is not None else ""
        if key is None:
            key = self._make_key()
        email = "" if url else self._email  # an account that was found may have any contact
        url = url or await self._register(conversation, key)
        record = AccountRecord(url, self._directory_url, self._wall_clock(), email=email)
        self._save(record)
        log.info("account registered", account=record.url, ca=host_of(self._directory_url))
        return key, record

    async def _find(self, conversation: Conversation, key: JWK) -> str:
        """The URL of the account that this key has already, or "" (RFC 8555 §7.3.1)."""
        try:
            return await self._post(conversation, key, messages.NewRegistration(only_return_existing=True))
        except ProblemFailure as exc:
            if exc.problem.kind != "accountDoesNotExist":
                raise
            return ""

    async def _register(self, conversation: Conversation, key: JWK) -> str:
        message = messages.NewRegistration.from_data(
            email=self._email or None,
            terms_of_service_agreed=True,
            external_account_binding=self._binding(key, conversation.directory.new_account),
        )
        try:
            return await self._post(conversation, key, message)
        except ProblemFailure as exc:
            if exc.error_class is ErrorClass.POLICY:  # "malformed" is what CAs call a wrong or used external account
                exc.error_class = ErrorClass.ACCOUNT
            raise

    async def _post(self, conversation: Conversation, key: JWK, message: messages.NewRegistration) -> str:
        conversation.sign_with(key, "")
        return _location(await conversation.post("account", conversation.directory.new_account, message))

    def _binding(self, key: JWK, new_account: str) -> dict[str, object] | None:
        """The account key signed with the HMAC key that the CA handed out."""
        if self._external is None:
            return None
        hmac_key = self._hmac_key(self._external)
        if not _BASE64URL.fullmatch(hmac_key):
            raise IssueFailed(
                ErrorClass.ACCOUNT,
                "account",
                "the HMAC key of the external account is not base64url",
                hint="copy it anew",
            )
        endpoint = messages.Directory({"newAccount": new_account})
        return messages.ExternalAccountBinding.from_data(key.public_key(), self._external.kid, hmac_key, endpoint)

    @staticmethod
    def _hmac_key(external: ExternalAccount) -> str:
        try:
            return read_secret(external.hmac_key)
        except CertificateError as exc:
            raise IssueFailed(
                ErrorClass.ACCOUNT, "account", str(exc), hint="check eab_hmac_file or eab_hmac_env"
            ) from exc

    # -- storage -------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[None]:
        for _ in range(LOCK_TRIES):
            with self._storage.lock(self.directory) as held:
                if held:
                    self._writer = held
                    try:
                        yield
                    finally:
                        self._writer = self._storage
                    return
            await self._sleep(1.0)
        raise IssueFailed(ErrorClass.LOCAL, "account", "another process holds the lock of the account for too long")

    def _load_key(self, name: str = "key.pem") -> JWK | None:
        pem = self._storage.load(f"{self.directory}/{name}")
        if pem is None:
            return None
        try:
            key = JWK.load(pem)
        except (josepy.errors.Error, ValueError, TypeError) as exc:
            raise self._damaged(name) from exc
        if not is_account_key(key):
            raise self._damaged(name)
        return key

    def _make_key(self, name: str = "key.pem") -> JWK:
        private = ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._writer.store(f"{self.directory}/{name}", pem)
        return JWK.load(pem)

    def _load_record(self) -> AccountRecord | None:
        """A damaged record is set aside: the CA tells the URL again for the key."""
        value = self._storage.load(f"{self.directory}/account.json")
        if value is None:
            return None
        try:
            record = msgspec.json.decode(value, type=AccountRecord)
            require_https(record.url)
        except ValueError as exc:
            self._writer.quarantine(f"{self.directory}/account.json", str(exc))
            return None
        return record

    def _save(self, record: AccountRecord) -> None:
        self._writer.store(f"{self.directory}/account.json", msgspec.json.format(msgspec.json.encode(record)))

    def _damaged(self, name: str) -> IssueFailed:
        return IssueFailed(
            ErrorClass.ACCOUNT,
            "account",
            f"{self.directory}/{name} in the storage is no private key that edge can use for an account",
            hint="restore it from a backup, or delete it to register a new account",
        )


def is_account_key(key: JWK) -> bool:
    """P-256, which edge makes, or RSA with at least 2048 bits, which certbot makes and which may have been imported."""
    if isinstance(key, JWKRSA):
        return bool(key.key.key_size >= 2048)
    return isinstance(key, JWKEC) and key.key.curve.name == "secp256r1"


def _location(reply: Reply) -> str:
    url = reply.headers.get("location", "")
    try:
        require_https(url)
    except ValueError as exc:
        raise nonsense("account", f"the CA gave the account no usable URL: {exc}") from exc
    return url
