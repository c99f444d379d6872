"""A link of limited bandwidth between two network namespaces, made by `ip` and `tc`; needs root."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

_ADDRESSES = ("10.231.0.1", "10.231.0.2")
_PORT = 29517


@contextmanager
def slow_link(rate: str, delay: str | None) -> Iterator[list[list[str]]]:
    """For each of two ranks the beginning of a command that runs inside its namespace; both are removed afterwards.

    Each direction passes `rate` ("100mbit"), with `delay` ("1ms") on the way where one is given (which needs a kernel
    with netem). Raises SystemExit where namespaces cannot
    be made.
    """
    missing = [tool for tool in ("ip", "tc") if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        raise SystemExit(f"--link needs root and iproute2, and lacks: {', '.join(missing) or 'root'}")
    names = [f"hotloop{os.getpid()}-{rank}" for rank in (0, 1)]
    ends = [f"hl{os.getpid()}{rank}"[-15:] for rank in (0, 1)]
    try:
        for name in names:
            _call("ip", "netns", "add", name)
        _call("ip", "link", "add", ends[0], "netns", names[0], "type", "veth", "peer", ends[1], "netns", names[1])
        for name, end, address in zip(names, ends, _ADDRESSES, strict=True):
            _call("ip", "-n", name, "addr", "add", f"{address}/24", "dev", end)
            _call("ip", "-n", name, "link", "set", "lo", "up")
            _call("ip", "-n", name, "link", "set", end, "up")
            add = ("tc", "-n", name, "qdisc", "add", "dev", end)
            if delay is not None:
                _call(*add, "root", "handle", "1:", "netem", "delay", delay)
            place = ("root",) if delay is None else ("parent", "1:1", "handle", "10:")
            _call(*add, *place, "tbf", "rate", rate, "burst", "64kbit", "latency", "200ms")
        yield [
            ["ip", "netns", "exec", name, "env", f"GLOO_SOCKET_IFNAME={end}"]
            for name, end in zip(names, ends, strict=True)
        ]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def address() -> str:
    """The init_method that both ranks meet at."""
    return f"tcp://{_ADDRESSES[0]}:{_PORT}"


def _call(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}; the link could not be made")
