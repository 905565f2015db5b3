"""The certificate manager: when to renew, when to retry, how to ask a CA, what to keep.

decisions (pure)     identifiers renewal polling backoff schedule messages
one certificate      certificate_task (its life)  attempt (one order)  advice (one ARI poll)  record (what is known)
on disk              store (generations)  journal (order in progress)  state  housekeeping  status (for `edge certs`)
X.509                chain (read)  acceptance (judge)  local_ca, placeholder (make)  own (the operator's)
all together         manager  served  pacing
contracts            issuer (implemented by acme/ and local_ca)  publisher (implemented by the keeper)
"""
