"""What the kernel charged to a process and its descendants: CPU time and memory.

CPU time comes from each process's own CPU clock: nanoseconds, all threads, those that have ended too. `/proc/PID/stat`
counts in ticks of 10 ms, which is too coarse for runs of two seconds. Memory is the proportional set size, so that pages
which a forked worker still shares with its parent are counted once.

On a loopback interface the sender's system call also carries the packet through the receiver's TCP stack. So a part of
the load generator's work is charged to the server and the other way round; it is the same part for every server.
"""

from __future__ import annotations

import time
from pathlib import Path

PROC = Path("/proc")


def clock_id(pid: int) -> int:
    """The number of a process's CPU clock, as Linux composes it (clock_getcpuclockid(3))."""
    return (~pid << 3) | 2


def process_tree(root: int) -> list[int]:
    """The process and all its descendants; those that end while we look are left out."""
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        try:
            threads = list((PROC / str(pid) / "task").iterdir())
            todo += [int(child) for thread in threads for child in (thread / "children").read_text().split()]
        except OSError:
            continue
        found.append(pid)
    return found


def cpu_seconds(root: int) -> float:
    """CPU time that the living members of this tree have used so far."""
    total = 0.0
    for pid in process_tree(root):
        try:
            total += time.clock_gettime(clock_id(pid))
        except OSError:
            continue
    return total


def parse_pss(rollup: str) -> int:
    """Bytes of the `Pss:` line of a `smaps_rollup` file; 0 without one (a process that is ending)."""
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def memory_bytes(root: int) -> int:
    """Proportional set size of the whole tree."""
    total = 0
    for pid in process_tree(root):
        try:
            total += parse_pss((PROC / str(pid) / "smaps_rollup").read_text())
        except OSError:
            continue
    return total
