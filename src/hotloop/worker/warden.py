"""A process of its own that outlives nobody: it starts one worker and sees to it that nothing of the worker remains.

Run as a file, without hotloop, in about 15 ms:
`python warden.py CONTROL_FD SCRATCH FDS PROCS FREEZER THAWED MADE command`.
The worker enters the control group of the file PROCS, if one is named. The warden ends the worker's whole process tree
when the parent is gone (end of file on the control socket), when told to, or when the worker has ended; what is frozen
cannot end, so THAWED is written to FREEZER first. Then it removes what the worker made outside of its scratch folder,
which the file MADE lists, and the scratch folder. It writes one line {"pid": ..} at the start and
{"status": .., "rss": ..} at the end, with the largest resident set of a process of the worker's in bytes.
"""

import contextlib
import ctypes
import fcntl
import functools
import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

_PR_SET_CHILD_SUBREAPER = 36
_KILLED_FIRST = "900"  # of -1000 to 1000


def main() -> None:
    """Start the command with the descriptors FDS, wait for it or for the end of the parent, clean up."""
    control = socket.socket(fileno=int(sys.argv[1]))
    scratch, command = sys.argv[2], sys.argv[8:]
    procs, freezer, thawed, made = sys.argv[4:8]
    pass_fds = tuple(int(fd) for fd in sys.argv[3].split(","))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, and the parent ends us
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _wake)
    with contextlib.suppress(OSError, AttributeError):  # where there are no subreapers, the process group must do
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    enter = functools.partial(_enter, procs)
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
    remove_made(made)
    if os.path.basename(scratch).startswith("hotloop-") and os.path.dirname(scratch) == tempfile.gettempdir():
        shutil.rmtree(scratch, ignore_errors=True)
    with contextlib.suppress(OSError):
        rss = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        control.sendall(json.dumps({"status": status, "rss": rss}).encode() + b"\n")


def _enter(procs: str) -> None:
    """In the worker before it starts: it enters its control group, and the kernel kills it first where memory ends."""
    with contextlib.suppress(OSError):
        _write("/proc/self/oom_score_adj", _KILLED_FIRST)
    if procs:
        _write(procs, str(os.getpid()))


def remove_made(own: str) -> None:
    """Remove what the list `own` names, and the list; one warden at a time, for each looks at the lists of the others.

    Files that another trial that lives has made as well stay for it to remove. Folders stay as long as any trial lives,
    which may have found them there: one of those takes them over. What cannot be removed is written to the list `left`.
    """
    folder = os.path.dirname(own)
    lock = -1
    with contextlib.suppress(OSError):
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        _remove_listed(own, folder)
    finally:
        with contextlib.suppress(OSError):
            os.close(lock)


def _remove_listed(own: str, folder: str) -> None:
    paths = _listed(own)
    with contextlib.suppress(OSError):
        os.remove(own)
    others = [os.path.join(folder, name) for name in _names(folder) if name not in ("left", os.path.basename(own))]
    shared = {path for other in others for path in _listed(other)}
    folders = [path for path in paths if os.path.isdir(path) and not os.path.islink(path)]
    files = [path for path in paths if path not in folders]
    for top in folders:
        files += [os.path.join(at, name) for at, _, names in os.walk(top) for name in names]
    _append(os.path.join(folder, "left"), [path for path in files if path not in shared and not _is_removed(path)])
    if others:
        _append(others[0], folders)
    else:
        for top in folders:
            shutil.rmtree(top, ignore_errors=True)


def _is_removed(path: str) -> bool:
    with contextlib.suppress(OSError):
        os.remove(path)
    return not os.path.lexists(path)


def _names(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return sorted(os.listdir(folder))
    return []


def _listed(path: str) -> list[str]:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return list(dict.fromkeys(os.fsdecode(name) for name in file.read().split(b"\0") if name))
    return []


def _append(path: str, names: list[str]) -> None:
    if names:
        with contextlib.suppress(OSError), open(path, "ab") as file:
            file.write(b"".join(os.fsencode(name) + b"\0" for name in names))


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
