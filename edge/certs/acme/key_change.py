"""A new key for an account, the account itself unchanged (RFC 8555 §7.3.5): only by command, never by itself.

    key.next.pem stored → keyChange at the CA → key.next.pem becomes key.pem

A crash between the last two steps leaves both keys; the next attempt asks the CA which of them is the account's.
"""

from __future__ import annotations

from acme import jws
from josepy.interfaces import JSONDeSerializable
from josepy.json_util import JSONObjectWithFields, field
from josepy.jwa import ES256
from josepy.jwk import JWK


class KeyChange(JSONObjectWithFields):
    """The inner payload: which account, and the key that it has had."""

    account: str = field("account")
    old_key: JWK = field("oldKey", encoder=lambda key: key.public_key())


def signed_by_new_key(account_url: str, old: JWK, new: JWK, key_change_url: str) -> JSONDeSerializable:
    """The inner JWS: signed with the new key, which it carries, and without a nonce. It is sent signed with the old one."""
    payload = KeyChange(account=account_url, old_key=old).json_dumps().encode()
    signed: JSONDeSerializable = jws.JWS.sign(payload, key=new, alg=ES256, nonce=None, url=key_change_url)
    return signed
