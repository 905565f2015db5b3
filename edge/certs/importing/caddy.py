"""Caddy's data directory (`~/.local/share/caddy`, `/var/lib/caddy/.local/share/caddy`), as Caddy 2 writes it.

certificates/ISSUER/NAME/NAME.crt, NAME.key, NAME.json    the CA's directory URL is in the JSON
acme/ISSUER/users/WHO/WHO.key, WHO.json                   an account: its key in PEM, its URL as `location`
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import josepy.errors
import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from josepy.jwk import JWK

from edge.certs.acme.account import is_account_key
from edge.certs.acme.urls import require_https
from edge.certs.importing.found import Found, FoundAccount, FoundPair

LOCAL = "local"
"""Caddy's own CA: nothing to take over, edge has one too."""


def is_caddy(directory: Path) -> bool:
    """Whether this looks like Caddy's data directory."""
    return (directory / "certificates").is_dir()


def read_caddy(directory: Path) -> Found:
    """All certificates, and one account for each CA that has issued one."""
    found = Found()
    cas: dict[str, str] = {}
    for issuer in found.list(directory / "certificates"):
        if issuer.name == LOCAL or not issuer.is_dir():
            continue
        for place in found.list(issuer):
            ca = _read_certificate(place, found)
            if ca:
                cas[issuer.name] = ca
    for issuer_name, ca in cas.items():
        _read_accounts(directory / "acme" / issuer_name / "users", ca, found)
    return found


def _read_certificate(place: Path, found: Found) -> str:
    """Returns the directory URL of the CA, or ""."""
    chain, key = found.read(place / f"{place.name}.crt"), found.read(place / f"{place.name}.key")
    if chain is None or key is None:
        return ""
    described = place / f"{place.name}.json"
    issuer = _object(found.read(described) if described.exists() else None).get("issuer_data")
    ca = issuer.get("ca") if isinstance(issuer, dict) else None
    found.pairs.append(FoundPair(str(place), chain, key, ca if isinstance(ca, str) else ""))
    return ca if isinstance(ca, str) else ""


def _read_accounts(users: Path, ca: str, found: Found) -> None:
    for place in found.list(users):
        key, described = found.read(place / f"{place.name}.key"), found.read(place / f"{place.name}.json")
        if key is None or described is None:
            continue
        try:
            url = _object(described).get("location")
            if not isinstance(url, str):
                raise ValueError("the account has no location")
            require_https(url)
            found.accounts.append(FoundAccount(str(place), ca, url, _pkcs8(key)))
        except ValueError as exc:
            found.problems.append(f"{place}: {exc}")
            continue
        return  # one account is enough, and edge has one for each CA


def _pkcs8(pem: bytes) -> bytes:
    try:
        jwk = JWK.load(pem)
        usable = is_account_key(jwk)
        made: bytes = jwk.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    except (josepy.errors.Error, ValueError, TypeError, AttributeError):
        raise ValueError("the account key cannot be read") from None
    if not usable:
        raise ValueError("the account key is of a kind that edge does not use (RSA with 2048 bits or P-256)")
    return made


def _object(data: bytes | None) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data or b"{}", type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
