"""What each allocator puts into the environment of a process."""

import os
import subprocess
import sys

import pytest

from hotloop.errors import NotApplicable
from hotloop.machine.installed import find_allocators
from hotloop.transforms import allocator
from hotloop.transforms.allocator import Allocator

LIBRARIES = {
    "tcmalloc": "/lib/libtcmalloc_minimal.so.4",
    "jemalloc": "/lib/libjemalloc.so.2",
    "mimalloc": "/site-packages/cmeel.prefix/lib/libmimalloc.so.3",
}


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(allocator, "find_allocators", lambda: LIBRARIES)


@pytest.mark.usefixtures("installed")
def test_a_library_goes_before_what_is_preloaded_already():
    site = {"LD_PRELOAD": "/lib/mine.so"}
    Allocator(library="tcmalloc").apply(site)

    assert site == {"LD_PRELOAD": "/lib/libtcmalloc_minimal.so.4 /lib/mine.so"}


@pytest.mark.usefixtures("installed")
def test_jemalloc_keeps_what_is_freed_and_the_users_settings_come_last():
    site = {"MALLOC_CONF": "dirty_decay_ms:500"}
    Allocator(library="jemalloc").apply(site)

    assert site["LD_PRELOAD"] == "/lib/libjemalloc.so.2"
    assert site["MALLOC_CONF"] == "dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always,dirty_decay_ms:500"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("before", "after"), [({}, "-1"), ({"MIMALLOC_PURGE_DELAY": "10"}, "10")])
def test_mimalloc_keeps_what_is_freed_unless_its_variable_says_otherwise(before, after):
    site = dict(before)
    Allocator(library="mimalloc").apply(site)

    assert site["LD_PRELOAD"] == "/site-packages/cmeel.prefix/lib/libmimalloc.so.3"
    assert site["MIMALLOC_PURGE_DELAY"] == after


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux preloads")
def test_mimalloc_needs_no_root_and_is_really_the_processs_allocator():
    site = dict(os.environ)
    Allocator(library="mimalloc").apply(site)
    code = "from hotloop.transforms.allocator import Allocator; Allocator(library='mimalloc').confirm()"
    done = subprocess.run([sys.executable, "-c", code], env=site, capture_output=True, text=True, check=True)

    assert "cmeel.prefix" in site["LD_PRELOAD"]
    assert done.stderr == ""  # it warns there of a variable that it does not know


def test_glibc_is_only_tuned_and_keeps_other_tunables():
    site = {"GLIBC_TUNABLES": "glibc.rtld.nns=4"}
    Allocator(library="glibc").apply(site)

    assert site["GLIBC_TUNABLES"].startswith("glibc.rtld.nns=4:glibc.malloc.mmap_threshold=")
    assert "LD_PRELOAD" not in site


def test_a_library_that_went_away_is_said(monkeypatch):
    monkeypatch.setattr(allocator, "find_allocators", dict)
    with pytest.raises(NotApplicable, match="install the system package libjemalloc2 or jemalloc"):
        Allocator(library="jemalloc").apply({})


@pytest.mark.skipif("jemalloc" not in find_allocators(), reason="jemalloc is not installed")
def test_jemalloc_understands_its_settings():
    site: dict[str, str] = {}
    Allocator(library="jemalloc").apply(site)
    done = subprocess.run([sys.executable, "-c", ""], env=site, capture_output=True, text=True, check=True)

    assert "jemalloc" not in done.stderr  # it would name an option that it does not know


FREED = """
def rss():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS:")).split()[1])

size = 1 << 18
del [bytearray(size)][0]  # by default the threshold grows with what is freed
before = rss()
blocks = [(bytearray(size), bytearray(600)) for _ in range(400)]
survivors = [small for _, small in blocks]
del blocks
print((rss() - before) * 1024 / (400 * size))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="tunables are those of glibc")
def test_what_is_freed_between_survivors_goes_back_only_where_glibc_gives_back():
    kept = {}
    for gives_back in (None, True):
        site = {key: value for key, value in os.environ.items() if key not in ("LD_PRELOAD", "GLIBC_TUNABLES")}
        Allocator(library="glibc", gives_back=gives_back).apply(site)
        done = subprocess.run([sys.executable, "-c", FREED], env=site, capture_output=True, text=True, check=True)
        kept[gives_back] = float(done.stdout)

    assert kept[None] > 0.5
    assert kept[True] < 0.1


def test_only_glibc_gives_back():
    with pytest.raises(ValueError, match="only 'glibc' gives memory back"):
        Allocator(library="mimalloc", gives_back=True)
    assert Allocator(library="glibc", gives_back=True).saves_memory
    assert not Allocator(library="glibc").saves_memory
