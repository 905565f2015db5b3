"""The words of the page: how it was measured, and what the figures do not say."""

from __future__ import annotations

from benchmarks.machine import is_busy
from benchmarks.report.tables import label, table
from benchmarks.results import Results

RATIOS = """The kernel's CPU time of all of a server's processes, divided by the requests that it answered; then the peer's figure
divided by edge's, in each round, and the median of the rounds. 1.0 is equal, 2.0 means that edge needs half. Bars are in
brackets, bold where they are not reached."""

LATENCY = """h2load sends at a fixed rate on 32 connections and notes every response. An HTTP/1.1 connection that still waits
for a response sends its next request late, so the last percentiles of HTTP/1.1 flatter a server that stalls; HTTP/2 has four
streams a connection and hides less. The load generator's own delays are in all of these figures."""

MEMORY = """Proportional set size of all processes: pages that workers share are counted once. edge has three processes
(supervisor, keeper, one worker), nginx two, Caddy one. An idle connection is one over TLS 1.3 that has had a response."""

BUSY = """
> The machine was busy with other work while these figures were taken. Ratios are approximate, rates and latencies mean little;
> run the suite on a quiet machine.
"""


def introduction(results: Results) -> str:
    """Title, date, and the sentence that a reader should have before any figure."""
    scope = "a short run (`--quick`)" if results.quick else "a full run"
    busy = BUSY if is_busy(results.machine) else ""
    return f"""# Benchmarks

<!-- made by: python -m benchmarks -->

edge, nginx and Caddy doing the same work, alternately, on one core of one machine: {scope} of {results.minutes:.0f} minutes on
{results.date[:10]}. `make bench` makes this page (`make bench BENCH=--quick` a short one); [results.json](results.json) holds
every round.
{busy}"""


def explanation(results: Results) -> str:
    """The method, the noise, and everything needed to do it again."""
    machine = table(("machine", ""), list(results.machine.items()))
    versions = table(("program", "version"), [(name, value) for name, value in results.versions.items() if value])
    commands = "\n".join(f"# {label(name)}\n{command}\n" for name, command in results.commands.items())
    return f"""## Method

- One run is {results.seconds} s; {results.rounds} rounds; in each round every server runs once, and a different one begins.
- Servers are pinned to one core (`taskset`), load generator and origin to another. The origin is an nginx that answers 1 KB
  from memory and keeps its connections.
- wrk loads HTTP/1.1 with 32 connections. h2load loads HTTP/2 with 32 connections of 4 streams (100 connections for files of
  1 KiB, because edge ends a connection after 10,000 requests and h2load opens no other).
- All have an ECDSA P-256 certificate, TLS 1.2 and 1.3, no access log, kept upstream connections, the same `X-Forwarded-*`
  fields. Before the first run the suite checks that each answers with the right bytes and sends the origin the same fields.
- edge runs with its defaults: validation, limits, timeouts and back-pressure are on. Two things are named: the HTTP/2 engine,
  and the certificate.
- nginx: `sendfile on`, `tcp_nopush on`, `keepalive_requests` without bound, `open_file_cache` off (its default), 1,024 kept
  upstream connections. Caddy: HTTP/3 and admin endpoint off, 1,024 kept upstream connections.
- "A browser's fields": 17 fields, hundreds of paths. Over HTTP/1.1 every request has another cookie (4,001 of them); h2load
  can send only one, so over HTTP/2 the paths vary and the cookie does not.
- A handshake is a connection with one small request; the client is single and slower than any server, so there is no rate.
  TLS 1.3, X25519, no client certificate.
- The Django page runs on the servers' core together with gunicorn: pages a second are for both, CPU times for each.
- Curves show the best of {results.rounds} rounds: disturbance only ever adds.

## Noise

CPU time is charged by the kernel in nanoseconds, so waiting for the processor does not count. What other work on the machine
still does is push data out of the caches, and what the host of a virtual machine takes away is invisible and counts. "±" is
half the distance between the best and the worst round, as a share of the median; ratios of two figures with ±10 % are good to
about 10 %. On loopback the sender's system call carries packets through the receiver's TCP stack, so part of the client's
work is charged to the server, the same part for everybody. Requests a second are for one busy core on this machine and should
be compared with each other, not with figures from elsewhere.

## Machine, versions, commands

{machine}
{versions}
```text
{results.command}

{commands}```
"""
