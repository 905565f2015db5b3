"""Proof of control by DNS records (RFC 8555 §8.4).

contract             provider (a TXT value put at a name, taken away again)
providers            exec_hook (the operator's program)  rfc2136 (signed updates)  lexicon (commercial services)
around them          lookup (questions to resolvers and name servers)  delegation (CNAME followed)  propagation (seen by all
                     servers)  ledger (what is in place, also after a crash)
all together         records  build
by a human           persist (a record made once)
"""
