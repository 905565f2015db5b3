"""Taking over certificates and accounts from other programs, so that moving to edge orders nothing anew.

found       what was found, and what could not be read
certbot     reads /etc/letsencrypt
caddy       reads Caddy's data directory
take_over   judges what was found and puts it into the storage
"""
