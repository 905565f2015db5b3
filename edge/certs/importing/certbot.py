"""certbot's directory, as certbot 1 to 5 write it.

    renewal/NAME.conf                                [renewalparams] server = …, account = …
    live/NAME/fullchain.pem, privkey.pem             links into archive/
    archive/NAME/fullchain7.pem, privkey7.pem        one pair for each renewal
    accounts/HOST/PATH/ID/private_key.json           the account key as a JWK (RFC 7517)
    accounts/HOST/PATH/ID/regr.json                  the account's URL at the CA

Files are looked for below the given directory, not where the configuration says they were: it may be a copy.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import josepy.errors
import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from josepy.jwk import JWK
from msgspec import Struct

from edge.certs.acme.account import is_account_key
from edge.certs.acme.urls import require_https
from edge.certs.importing.found import Found, FoundAccount, FoundPair

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
"""certbot's default."""

DEEPEST = 8
"""Directories between accounts/ and an account: a CA's URL has few parts."""

_SETTING = re.compile(r"\s*([A-Za-z0-9_]+)\s*=\s*(.*?)\s*")


class Lineage(Struct, frozen=True):
    """What certbot calls a certificate with its renewals."""

    name: str
    server: str
    account: str


def is_certbot(directory: Path) -> bool:
    """Whether this looks like certbot's directory."""
    return (directory / "live").is_dir() or (directory / "renewal").is_dir()


def read_certbot(directory: Path) -> Found:
    """All certificates in use, and the accounts that renew them."""
    found = Found()
    lineages = [_lineage(name, directory, found) for name in _names(directory, found)]
    for lineage in lineages:
        _read_lineage(lineage, directory, found)
    _read_accounts(directory / "accounts", lineages, found)
    return found


def _names(directory: Path, found: Found) -> list[str]:
    configured = [path.stem for path in found.list(directory / "renewal") if path.suffix == ".conf"]
    live = [path.name for path in found.list(directory / "live") if path.is_dir()]
    return sorted({*configured, *live})


def _lineage(name: str, directory: Path, found: Found) -> Lineage:
    path = directory / "renewal" / f"{name}.conf"
    text = (found.read(path) or b"") if path.exists() else b""
    settings = parse_settings(text.decode("utf-8", "replace"))
    return Lineage(name, settings.get("server", LETS_ENCRYPT if text else ""), settings.get("account", ""))


def parse_settings(text: str) -> dict[str, str]:
    """`key = value` lines of all sections, as configobj writes them: with or without quotes, comments behind `#`."""
    settings = {}
    for line in text.splitlines():
        match = _SETTING.fullmatch(line)
        if match:
            settings[match[1]] = match[2].strip("\"'")
    return settings


def _read_lineage(lineage: Lineage, directory: Path, found: Found) -> None:
    live = directory / "live" / lineage.name
    chain, key = found.read(live / "fullchain.pem"), found.read(live / "privkey.pem")
    if chain is not None and key is not None:
        found.pairs.append(FoundPair(str(live), chain, key, lineage.server))


# -- accounts ---------------------------------------------------------------------------------------------------------


def _read_accounts(root: Path, lineages: list[Lineage], found: Found) -> None:
    """One account for each CA: the one that most certificates are renewed with."""
    used = Counter(lineage.account for lineage in lineages if lineage.account)
    by_server: dict[str, list[Path]] = {}
    for path in _account_directories(root, found, DEEPEST):
        by_server.setdefault("https://" + path.parent.relative_to(root).as_posix(), []).append(path)
    for server, paths in by_server.items():
        best = max(paths, key=lambda path: (used[path.name], path.name))
        account = _read_account(best, server, found)
        if account is not None:
            found.accounts.append(account)


def _account_directories(path: Path, found: Found, depth: int) -> list[Path]:
    if (path / "private_key.json").exists():
        return [path]
    below = [each for each in found.list(path) if each.is_dir() and not each.is_symlink()] if depth else []
    return [account for each in below for account in _account_directories(each, found, depth - 1)]


def _read_account(path: Path, server: str, found: Found) -> FoundAccount | None:
    key, registration = found.read(path / "private_key.json"), found.read(path / "regr.json")
    if key is None or registration is None:
        return None
    try:
        return FoundAccount(str(path), server, _account_url(registration), _account_key(key))
    except ValueError as exc:
        found.problems.append(f"{path}: {exc}")
        return None


def _account_url(registration: bytes) -> str:
    try:
        url: Any = msgspec.json.decode(registration, type=dict[str, Any]).get("uri")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ValueError("regr.json cannot be read") from None
    if not isinstance(url, str):
        raise ValueError("regr.json names no account URL")
    require_https(url)
    return url


def _account_key(data: bytes) -> bytes:
    """PEM of a JWK. Raises: ValueError, in words that show nothing of the key."""
    try:
        jwk = JWK.json_loads(data.decode())
        usable = is_account_key(jwk)
        pem: bytes = jwk.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    except (josepy.errors.Error, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise ValueError("private_key.json holds no private key that can be read") from None
    if not usable:
        raise ValueError("private_key.json holds a key of a kind that edge does not use (RSA with 2048 bits or P-256)")
    return pem
