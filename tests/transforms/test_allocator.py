"""What each allocator puts into the environment of a process."""

import subprocess
import sys

import pytest

from hotloop.errors import NotApplicable
from hotloop.machine.installed import find_allocators
from hotloop.transforms import allocator
from hotloop.transforms.allocator import Allocator

LIBRARIES = {"tcmalloc": "/lib/libtcmalloc_minimal.so.4", "jemalloc": "/lib/libjemalloc.so.2"}


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


def test_glibc_is_only_tuned_and_keeps_other_tunables():
    site = {"GLIBC_TUNABLES": "glibc.rtld.nns=4"}
    Allocator(library="glibc").apply(site)

    assert site["GLIBC_TUNABLES"].startswith("glibc.rtld.nns=4:glibc.malloc.mmap_threshold=")
    assert "LD_PRELOAD" not in site


def test_a_library_that_went_away_is_said(monkeypatch):
    monkeypatch.setattr(allocator, "find_allocators", dict)
    with pytest.raises(NotApplicable, match="install libjemalloc2 or jemalloc"):
        Allocator(library="jemalloc").apply({})


@pytest.mark.skipif("jemalloc" not in find_allocators(), reason="jemalloc is not installed")
def test_jemalloc_understands_its_settings():
    site: dict[str, str] = {}
    Allocator(library="jemalloc").apply(site)
    done = subprocess.run([sys.executable, "-c", ""], env=site, capture_output=True, text=True, check=True)

    assert "jemalloc" not in done.stderr  # it would name an option that it does not know
