"""The certificate manager: when to renew, when to retry, how to ask a CA, what to keep.

decisions (pure)     identifiers renewal polling backoff failover rehearsal schedule messages
one certificate      certificate_task (its life)  attempt (one order)  advice (one ARI poll)  record (what is known)
on disk              store (generations)  journal (order in progress)  state  housekeeping  status (for `edge certs`)
X.509                keys (make)  chain (read)  acceptance (judge)  local_ca, placeholder (make)  own (the operator's)
proof by DNS         dns/  secret
the CAs              authority (an issuer and what all share)  pacing  throttle  reachability
all together         manager  served
contracts            issuer (implemented by acme/ and local_ca)  publisher (implemented by the keeper)
"""
