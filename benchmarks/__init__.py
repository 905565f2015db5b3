"""edge, nginx and Caddy do the same work on the same machine in the same minute, and every figure comes from that.

Three decisions carry the suite:

- **Side by side.** Servers take turns in short rounds, and what is compared is the ratio inside a round. A machine that
  is slow this minute is slow for all of them.
- **CPU time a request.** Requests a second depend on who else wants the processor and on whether the load generator keeps
  up. Nanoseconds that the kernel charged to a server's processes, divided by the requests it answered, do not.
- **One core each.** Servers run on the first core that this process may use, load generators and origins on the last.

Run it with `make bench` or `python -m benchmarks`. It writes `docs/benchmarks/`.
"""
