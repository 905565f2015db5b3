"""Asking a CA over ACME (RFC 8555): one attempt, its requests, and what went wrong in words.

    issuer          what the manager calls; owns what outlives an attempt
    ├── attempt     one order from account to chain, resumable
    │   ├── account, ordering, proving, finalizing
    │   └── conversation   asynchronous requests with retries
    │       └── network    the only place that talks to the CA; the door of the `acme` package
    └── renewal_info       when the CA would like to be asked again (RFC 9773)

Pure: problems, retry_after, resources, challenges, tls_alpn, polling, certificate_id.
"""
