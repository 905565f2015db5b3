"""The certificate manager: when to renew, when to retry, how to ask a CA, what to keep."""
