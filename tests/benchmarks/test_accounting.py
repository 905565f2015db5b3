"""CPU time, memory, tools, versions, machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from benchmarks import tools
from benchmarks.__main__ import families_of, parse_arguments
from benchmarks.accounting import clock_id, cpu_seconds, memory_bytes, parse_pss, process_tree
from benchmarks.cores import Cores
from benchmarks.errors import BenchmarkError, MissingTool
from benchmarks.machine import parse_cpu_model
from benchmarks.run import Choice


def test_the_clock_of_a_process_is_the_kernels() -> None:
    """Our own process clock, read by its number, is the one that Python knows."""
    before = time.process_time()
    assert before <= time.clock_gettime(clock_id(os.getpid())) <= time.process_time()


def test_a_tree_holds_children_and_their_time() -> None:
    """A child's processor time and memory are its parent's tree's."""
    program = "import sys; sum(range(10**6)); print('ready', flush=True); sys.stdin.read()"
    alone = cpu_seconds(os.getpid())
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in process_tree(os.getpid())
        assert cpu_seconds(os.getpid()) > alone + cpu_seconds(child.pid) / 2
        assert memory_bytes(child.pid) > 1024 * 1024
        child.communicate()
    assert cpu_seconds(child.pid) == 0
    assert process_tree(child.pid) == []


def test_the_proportional_set_size_is_read() -> None:
    """KiB in the file, bytes here; nothing for a process without memory."""
    assert parse_pss("55d0-7ffd ---p [rollup]\nRss:  200 kB\nPss:  100 kB\nPss_Dirty: 7 kB\n") == 102_400
    assert parse_pss("") == 0


@pytest.mark.parametrize(
    ("words", "version"),
    [("nginx version: nginx/1.22.1\n", "1.22.1"), ("wrk debian/4.1.0-3+b2 [epoll]", "4.1.0-3+b2"), ("?", "unknown")],
)
def test_versions_are_found_in_a_programs_words(words: str, version: str) -> None:
    """Each program says its version in its own way."""
    assert tools.parse_version(words) == version


def test_missing_tools_are_named_with_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each program, and the command that installs all of them."""
    monkeypatch.setattr("shutil.which", lambda name: None if name in ("wrk", "h2load") else name)
    tools.require(["nginx"])
    with pytest.raises(MissingTool, match="apt install wrk nghttp2-client") as caught:
        tools.require(["nginx", "wrk", "h2load"])
    assert len(str(caught.value).splitlines()) == 3


def test_only_known_families_take_part() -> None:
    """`--only` names programs; a wrong one is refused with those that exist."""
    assert families_of("edge, nginx") == ["edge", "nginx"]
    with pytest.raises(BenchmarkError, match="apache"):
        families_of("edge,apache")
    assert parse_arguments(["--quick"]).quick


def test_scenarios_are_chosen_by_pattern_or_by_length() -> None:
    """A pattern beats `--quick`; without one, `--quick` takes the quick ones."""
    assert Choice(quick=True, patterns=("static-*",)).wants("static-1m-h2", is_quick=False)
    assert not Choice(quick=False, patterns=("static-*",)).wants("django", is_quick=True)
    assert not Choice(quick=True, patterns=()).wants("django", is_quick=False)
    assert Choice(quick=False, patterns=()).wants("django", is_quick=False)


def test_commands_are_pinned() -> None:
    """taskset keeps a command and all its children on their cores."""
    assert Cores(0, 1, (0, 1)).pinned(("wrk",), 1) == ("taskset", "-c", "1", "wrk")


def test_the_processor_is_named() -> None:
    """The first model name of /proc/cpuinfo, or the word unknown."""
    assert parse_cpu_model("processor\t: 0\nmodel name\t: A B C\n") == "A B C"
    assert parse_cpu_model("") == "unknown"
