"""Attack clients: each does one harmful thing to a server on this machine, bounded in count and time.

`floods` are bytes on one HTTP/2 connection; `crowds` are many connections that take their time; `catalogue` names all of them.
They know nothing of edge, so the same client measures other servers: `python -m tests.attacks --help`. They dial 127.0.0.1
and nothing else.
"""
