"""PerfCounter: what the kernel counts for this process (Linux, perf_event_open), such as instructions."""

import ctypes
import os
import platform
from enum import Enum

from hotloop.errors import MeasurementError

_SYSTEM_CALLS = {"x86_64": 298, "aarch64": 241}
_CLOSE_ON_EXEC = 8
_INHERIT, _EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6  # bits of perf_event_attr


class PerfEvent(Enum):
    """Kinds of perf_event_attr, each with its type and config."""

    INSTRUCTIONS = (0, 1)
    TASK_CLOCK = (1, 1)  # nanoseconds on a core; kept by the kernel itself, so that it is there where hardware is not


class _Attributes(ctypes.Structure):
    """perf_event_attr in its first version (PERF_ATTR_SIZE_VER0, 64 bytes)."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("sample_period", ctypes.c_uint64),
        ("sample_type", ctypes.c_uint64),
        ("read_format", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
        ("wakeup_events", ctypes.c_uint32),
        ("bp_type", ctypes.c_uint32),
        ("bp_addr", ctypes.c_uint64),
    )


class PerfCounter:
    """Counts user code of the calling thread, and of all threads and processes that it starts from now on.

    Raises MeasurementError where the kernel has no such counter (virtual machines seldom have one of instructions) or
    does not let this user read it (`kernel.perf_event_paranoid` above 2).
    """

    def __init__(self, event: PerfEvent = PerfEvent.INSTRUCTIONS) -> None:
        kind, config = event.value
        attributes = _Attributes(
            type=kind,
            size=ctypes.sizeof(_Attributes),
            config=config,
            flags=_INHERIT | _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR,
        )
        number = _SYSTEM_CALLS.get(platform.machine()) if platform.system() == "Linux" else None
        if number is None:
            raise MeasurementError(f"no counters are read on {platform.system()} {platform.machine()}")
        library = ctypes.CDLL(None, use_errno=True)
        this_process, any_core, no_group = 0, -1, -1
        self._file = library.syscall(
            ctypes.c_long(number), ctypes.byref(attributes), this_process, any_core, no_group, _CLOSE_ON_EXEC
        )
        if self._file < 0:
            reason = os.strerror(ctypes.get_errno())
            raise MeasurementError(f"the kernel gives no counter of {event.name.lower()} here: {reason}")

    def read(self) -> int:
        """The count since this was made."""
        return int.from_bytes(os.read(self._file, 8), "little")

    def close(self) -> None:
        """Count no more."""
        os.close(self._file)
