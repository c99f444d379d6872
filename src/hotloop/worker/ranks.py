"""The worker of a program of several ranks: `python -P -m hotloop.worker.ranks FD`.

It starts the ranks by torchrun's own launcher and stands between them and the parent, which sees one worker.
"""

import contextlib
import ctypes
import faulthandler
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from typing import Any

from hotloop.worker.rank_relay import RankRelay, accept_ranks
from hotloop.worker.spec import Channel, WorkerSpec
from hotloop.workload import Script

_PR_SET_PDEATHSIG = 1
_LAUNCHER_TAKES = 60.0  # seconds until it has noticed that a rank is gone, and ended the others
_RELAY_TAKES = 2.0


class _Launch:
    """How the ranks ended, once the launcher knows."""

    def __init__(self) -> None:
        self.is_over = threading.Event()
        self.failures: Mapping[int, Any] = {}

    def how_ended(self, rank: int) -> str:
        """In words, how the process of a rank ended."""
        self.is_over.wait(_LAUNCHER_TAKES)
        failure = self.failures.get(rank)
        if failure is None:
            return "ended without a word"
        if failure.exitcode < 0:
            return f"was ended by signal {signal.Signals(-failure.exitcode).name}"
        return f"left with status {failure.exitcode}"


def main() -> None:
    """Read the WorkerSpec from the socket, start the ranks, and relay until the end."""
    with contextlib.suppress(OSError, AttributeError):  # not Linux: the warden's process group must do
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    data = channel.receive()
    if data is None:
        return
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    spec = WorkerSpec.from_data(data)
    assert isinstance(spec.workload, Script), "a recipe has one rank"
    path = spec.scratch.folder / "ranks"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    launch = _Launch()
    threading.Thread(target=_relay, args=(channel, listener, spec, data, launch), daemon=True).start()
    _run_launcher(str(path), spec.workload.num_ranks, launch)
    if launch.failures:  # the relay says so where it stands between the ranks; else they never came so far
        threading.Event().wait(_RELAY_TAKES)
        rank = min(launch.failures)
        channel.send({"event": "died", "message": f"rank {rank} {launch.how_ended(rank)}", "steps": 0})
    os._exit(0)


def _relay(
    channel: Channel, listener: socket.socket, spec: WorkerSpec, data: Mapping[str, Any], launch: _Launch
) -> None:
    assert isinstance(spec.workload, Script)
    ranks = accept_ranks(listener, spec.workload.num_ranks)
    for rank in ranks.values():
        rank.send(data)
    RankRelay(channel, ranks, launch.how_ended).serve()


def _run_launcher(path: str, count: int, launch: _Launch) -> None:
    """Start all ranks and wait for their end, as `torchrun --standalone` does."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    ranks = ["--standalone", "--nproc-per-node", str(count), "--monitor-interval", "0.1"]
    program = ["--no-python", sys.executable, "-P", "-m", "hotloop.worker.rank", path]
    try:
        run(parse_args([*ranks, *program]))
    except ChildFailedError as error:
        launch.failures = error.failures
    finally:
        launch.is_over.set()


if __name__ == "__main__":
    main()
