"""certbot's directory, made by hand exactly as certbot writes it: lineages, links, renewal configuration, accounts."""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from josepy.jwk import JWKRSA

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"

ACCOUNT = "f0d1c2b3a495867748392a1b0c9d8e7f"

RENEWAL = """\
# renew_before_expiry = 30 days
version = 2.11.0
archive_dir = /etc/letsencrypt/archive/{name}
cert = /etc/letsencrypt/live/{name}/cert.pem
privkey = /etc/letsencrypt/live/{name}/privkey.pem
chain = /etc/letsencrypt/live/{name}/chain.pem
fullchain = /etc/letsencrypt/live/{name}/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = {account}
authenticator = webroot
webroot_path = /var/www/html,
server = {server}
key_type = ecdsa
[[webroot_map]]
{name} = /var/www/html
"""


class CertbotLayout:
    """A directory like /etc/letsencrypt."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("accounts", "archive", "live", "renewal", "renewal-hooks/deploy"):
            (root / name).mkdir(parents=True)
        (root / "live" / "README").write_text("This directory contains your keys and certificates.\n")

    def add_lineage(
        self,
        name: str,
        chain: bytes,
        key: bytes,
        *,
        server: str = LETS_ENCRYPT,
        account: str = ACCOUNT,
        number: int = 3,
    ) -> None:
        """One certificate, after some renewals."""
        leaf, _, rest = chain.partition(b"-----END CERTIFICATE-----\n")
        leaf += b"-----END CERTIFICATE-----\n"
        archive, live = self.root / "archive" / name, self.root / "live" / name
        archive.mkdir(mode=0o700)
        live.mkdir(mode=0o700)
        for kind, content in {"cert": leaf, "chain": rest, "fullchain": chain, "privkey": key}.items():
            (archive / f"{kind}{number}.pem").write_bytes(content)
            (live / f"{kind}.pem").symlink_to(f"../../archive/{name}/{kind}{number}.pem")
        (live / "README").write_text("This directory contains your keys and certificates.\n")
        text = RENEWAL.format(name=name, account=account, server=server)
        (self.root / "renewal" / f"{name}.conf").write_text(text)

    def add_account(
        self, url: str, *, server: str = LETS_ENCRYPT, account: str = ACCOUNT, key: RSAPrivateKey | None = None
    ) -> RSAPrivateKey:
        """An account with a 2048-bit RSA key, as certbot makes them."""
        key = key or rsa.generate_private_key(65537, 2048)
        directory = self.root / "accounts" / server.removeprefix("https://") / account
        directory.mkdir(parents=True)
        (directory / "private_key.json").write_text(JWKRSA(key=key).json_dumps())
        (directory / "regr.json").write_text(json.dumps({"body": {}, "uri": url}))
        meta = {"creation_dt": "2024-03-01T10:11:12Z", "creation_host": "web1", "register_to_eff": None}
        (directory / "meta.json").write_text(json.dumps(meta))
        return key
