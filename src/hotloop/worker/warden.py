"""A process of its own that outlives nobody: it starts one worker and sees to it that nothing of the worker remains.

Run as a file, without hotloop, in about 15 ms: `python warden.py CONTROL_FD SCRATCH FDS PROCS FREEZER THAWED command`.
The worker enters the control group of the file PROCS, if one is named. The warden ends the worker's whole process tree
when the parent is gone (end of file on the control socket), when told to, or when the worker has ended; what is frozen
cannot end, so THAWED is written to FREEZER first. Then it removes the scratch folder and writes one line {"pid": ..} at
the start and {"status": ..} at the end.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Start the command with the descriptors FDS, wait for it or for the end of the parent, clean up."""
    control = socket.socket(fileno=int(sys.argv[1]))
    scratch, command = sys.argv[2], sys.argv[7:]
    procs, freezer, thawed = sys.argv[4:7]
    pass_fds = tuple(int(fd) for fd in sys.argv[3].split(","))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, and the parent ends us
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _wake)
    with contextlib.suppress(OSError, AttributeError):  # where there are no subreapers, the process group must do
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    enter = (lambda: _write(procs, str(os.getpid()))) if procs else None
    worker = subprocess.Popen(command, pass_fds=pass_fds, start_new_session=True, preexec_fn=enter)  # noqa: PLW1509
    for fd in pass_fds:
        os.close(fd)
    with contextlib.suppress(OSError):
        control.sendall(json.dumps({"pid": worker.pid}).encode() + b"\n")
    status = _wait(worker, control, wake_read)
    if freezer:  # what is frozen cannot end
        with contextlib.suppress(OSError):
            _write(freezer, thawed)
    _end_everything(worker.pid)
    if procs:
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(procs))
    if os.path.basename(scratch).startswith("hotloop-") and os.path.dirname(scratch) == tempfile.gettempdir():
        shutil.rmtree(scratch, ignore_errors=True)
    with contextlib.suppress(OSError):
        control.sendall(json.dumps({"status": status}).encode() + b"\n")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _wake(_number: int, _frame: object) -> None:
    """Nothing: the wakeup descriptor tells."""


def _wait(worker: "subprocess.Popen[bytes]", control: socket.socket, wake: int) -> int | None:
    """Exit status of the worker (negative: the signal that ended it), None where the parent ended first."""
    while True:
        if worker.poll() is not None:
            return worker.returncode
        ready, _, _ = select.select([control, wake], [], [])
        if control in ready:
            return None
        with contextlib.suppress(BlockingIOError):
            if signal.SIGTERM in os.read(wake, 512):
                return None


def _end_everything(leader: int) -> None:
    """Kill the worker's process group and every descendant; orphans are re-parented to us, so that none escapes."""
    for _ in range(200):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
        remaining = _descendants(os.getpid())
        for pid in remaining:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not remaining:
            return
        time.sleep(0.01)


def _descendants(ancestor: int) -> list[int]:
    parents: dict[int, int] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                parents[int(name)] = int(stat.read().rpartition(")")[2].split()[1])
    found, frontier = [], {ancestor}
    while frontier:
        frontier = {pid for pid, parent in parents.items() if parent in frontier}
        found.extend(frontier)
    return found


if __name__ == "__main__":
    main()
