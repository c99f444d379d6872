import os
from pathlib import Path

import psutil
import pytest

from hotloop.machine.memory import free_host_memory, free_memory, oom_kills, tree_memory

MIB = 2**20


def group(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


def test_without_limits_it_is_what_the_kernel_calls_available(tmp_path: Path, own: Path) -> None:
    own.write_text("0::/\n")
    assert free_host_memory(tmp_path, own) == pytest.approx(psutil.virtual_memory().available, rel=0.2)


def test_a_limit_of_version_2_counts_with_the_page_cache_that_can_be_given_back(tmp_path: Path, own: Path) -> None:
    own.write_text("0::/job/step\n")
    group(tmp_path / "job" / "step", {"memory.max": "max\n", "memory.current": "1000\n"})
    usage = {"memory.max": f"{300 * MIB}\n", "memory.current": f"{200 * MIB}\n"}
    group(tmp_path / "job", {**usage, "memory.stat": f"anon 1\ninactive_file {50 * MIB}\n"})
    assert free_host_memory(tmp_path, own) == 150 * MIB


def test_a_limit_of_version_1_counts(tmp_path: Path, own: Path) -> None:
    own.write_text("4:memory:/job\n0::/\n")
    usage = {"memory.limit_in_bytes": f"{300 * MIB}\n", "memory.usage_in_bytes": f"{200 * MIB}\n"}
    group(tmp_path / "memory" / "job", {**usage, "memory.stat": f"total_inactive_file {20 * MIB}\n"})
    assert free_host_memory(tmp_path, own) == 120 * MIB


def test_in_a_container_the_mount_is_our_own_group(tmp_path: Path, own: Path) -> None:
    own.write_text("4:memory:/docker/unseen\n")
    group(tmp_path / "memory", {"memory.limit_in_bytes": f"{30 * MIB}\n", "memory.usage_in_bytes": f"{20 * MIB}\n"})
    assert free_host_memory(tmp_path, own) == 10 * MIB


def test_a_process_tree_takes_what_its_first_process_had_at_its_peak() -> None:
    before = tree_memory(os.getpid())
    held = bytearray(64 * MIB)
    held[::4096] = b"1" * len(held[::4096])
    assert tree_memory(os.getpid()) >= before
    assert tree_memory(os.getpid()) >= psutil.Process().memory_info().rss - MIB


def test_nothing_is_taken_by_a_process_that_is_gone() -> None:
    assert tree_memory(2**22 - 1) == 0


def test_this_machine_has_free_memory_and_counts_what_it_killed() -> None:
    assert free_memory().host > 0
    assert oom_kills() >= 0
