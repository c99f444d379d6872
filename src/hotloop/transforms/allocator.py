"""Another memory allocator for the process: tcmalloc, jemalloc, mimalloc, or glibc's with other thresholds."""

import os
from pathlib import Path
from typing import Literal, Self

from hotloop.errors import NotApplicable
from hotloop.machine.installed import find_allocators
from hotloop.measurement import Environment
from hotloop.transform import Stage, TransformBase

# Blocks below 4 GiB come from the heap instead of a fresh mmap each, freed memory is kept, huge pages are asked for.
_TUNABLES = "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=4294967296:glibc.malloc.hugetlb=1"
# Each tensor from 64 KiB on is a mapping of its own. By default the threshold grows with what is freed, up to 32 MiB,
# and the heap then keeps what checkpointing gives up: 566 MiB at the peak of the small GPT with it and without.
_GIVING_BACK = "glibc.malloc.mmap_threshold=65536:glibc.malloc.trim_threshold=65536"
# By default jemalloc gives freed pages back after seconds, and a training step asks for them again: 8,000 page faults a
# step on a small ResNet. They are kept here, and huge pages asked for.
_JEMALLOC = "dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always"
_PURGE = "MIMALLOC_PURGE_DELAY"  # -1: freed memory is kept instead of being given back after some milliseconds
_PACKAGES = {
    "tcmalloc": "the system package libtcmalloc-minimal4 or gperftools",
    "jemalloc": "the system package libjemalloc2 or jemalloc",
    "mimalloc": "the wheel cmeel-mimalloc from PyPI",
}


class Allocator(TransformBase):
    """Preloads `library`, or for "glibc" sets its malloc tunables. Changes no arithmetic.

    jemalloc and mimalloc are told to keep freed memory; what MALLOC_CONF or MIMALLOC_PURGE_DELAY already say wins.
    With `gives_back`, which glibc's alone can, what a tensor took goes back to the system when it is freed: a lower
    peak, and page faults in each step.
    """

    library: Literal["tcmalloc", "jemalloc", "mimalloc", "glibc"] = "tcmalloc"
    gives_back: bool | None = None  # None: no, and left out of the names of plans

    name = "allocator"
    stage = Stage.LAUNCH

    def __post_init__(self) -> None:
        """Raise ValueError for an option that is not allowed."""
        super().__post_init__()
        if self.gives_back and self.library != "glibc":
            raise ValueError(f"gives_back: Input should be false with {self.library}; only 'glibc' gives memory back")

    @property
    def saves_memory(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether it gives memory back and costs time for that."""
        return bool(self.gives_back)

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        if self.gives_back:
            return "glibc giving back"
        return "tuned glibc" if self.library == "glibc" else self.library

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Every library, tcmalloc first: it is worth most, and makes all later comparisons less noisy."""
        kept = tuple(cls(library=library) for library in ("tcmalloc", "jemalloc", "mimalloc", "glibc"))
        return (*kept, cls(library="glibc", gives_back=True))

    def check(self, environment: Environment) -> None:
        """The library must be installed, and the process must not already preload one."""
        if "malloc" in environment.variables.get("LD_PRELOAD", ""):
            raise NotApplicable(f"LD_PRELOAD already names {environment.variables['LD_PRELOAD']}")
        if self.library == "glibc":
            if not environment.platform.startswith("Linux"):
                raise NotApplicable(f"glibc's tunables need Linux with glibc, this is {environment.platform}")
        elif self.library not in environment.allocators:
            raise NotApplicable(f"{self.library} is not installed; install {_PACKAGES[self.library]} and tune again")

    def apply(self, site: dict[str, str]) -> None:
        """Set the environment variables of the process."""
        if self.library == "glibc":
            site["GLIBC_TUNABLES"] = ":".join(filter(None, [site.get("GLIBC_TUNABLES"), self._tunables]))
            return
        path = find_allocators().get(self.library)
        if path is None:
            raise NotApplicable(f"{self.library} is not installed; install {_PACKAGES[self.library]}")
        site["LD_PRELOAD"] = " ".join(filter(None, [path, site.get("LD_PRELOAD")]))
        if self.library == "jemalloc":
            site["MALLOC_CONF"] = ",".join(filter(None, [_JEMALLOC, site.get("MALLOC_CONF")]))
        elif self.library == "mimalloc":
            site.setdefault(_PURGE, "-1")

    def confirm(self) -> None:
        """The library must be mapped into this process."""
        if self.library == "glibc":
            if self._tunables not in os.environ.get("GLIBC_TUNABLES", ""):
                raise NotApplicable("the tunables did not reach the process")
        elif f"lib{self.library}" not in Path("/proc/self/maps").read_text(encoding="utf-8"):
            raise NotApplicable(f"{self.library} was preloaded and is not mapped into the process")

    @property
    def _tunables(self) -> str:
        return _GIVING_BACK if self.gives_back else _TUNABLES
