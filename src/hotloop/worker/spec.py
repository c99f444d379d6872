"""What a worker is told and what it answers: JSON lines over a socket.

Parent to worker: one `WorkerSpec`, then turns: {"do": "run", "steps": k, "seconds": s}, and {"do": "stop"}.
Worker to parent: {"event": "barrier"} when it is ready to train, {"event": "turn", ...} after each turn, and as its
last word one of {"event": "ended"}, {"event": "crashed"}, {"event": "protected"}.
"""

import dataclasses
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from hotloop.transform import Plan
from hotloop.workload import Recipe, Script, Workload
from hotloop.workloads.scratch import Scratch


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObservationSpec:
    """How an untimed run is to be looked at: how many steps, from which seed, with which noise added.

    `seed` seeds torch, numpy and random before the program starts (None: it seeds itself). `stream` numbers the random
    stream that modules draw from, `draws` says whose numbers those are (see `worker.draws`). What optimizers hold is
    multiplied by 1 + `noise` * N(0, 1) before training begins, with the normal draws of `noise_seed`. `shift` changes
    the seeds that the program itself sets: other random numbers of the same law. With `losses_only` nothing else is
    looked at, so that such a run shows what watching changes.

    Tensors are looked at in each of the first `dense` steps (None: in all) and in a few of those after them; losses,
    settings and order in all. A run of which only losses are taken may go on for `further_seconds` of training, until
    it has met one of each kind of event.
    """

    steps: int
    seed: int | None = None
    stream: int = 0
    noise: float = 0.0
    noise_seed: int = 0
    draws: Literal["shared", "own", "silent"] = "shared"
    shift: int = 0
    losses_only: bool = False
    dense: int | None = None
    further_seconds: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkerSpec:
    """Everything a worker process needs to know before it starts.

    `seed` is that of a timed run (None: the program's own): it seeds what the program does not, and shifts the seeds
    that it sets.
    """

    workload: Workload
    plan: Plan
    scratch: Scratch
    caches: tuple[Path, ...] = ()
    watch: ObservationSpec | None = None
    seed: int | None = None

    def to_data(self) -> dict[str, Any]:
        """JSON data; paths as text."""
        return {
            "workload": workload_data(self.workload),
            "plan": self.plan.to_data(),
            "scratch": {
                "folder": str(self.scratch.folder),
                "roots": [[str(copy), str(original)] for copy, original in self.scratch.roots],
                "may_overwrite": list(self.scratch.may_overwrite),
            },
            "caches": [str(path) for path in self.caches],
            "watch": None if self.watch is None else dataclasses.asdict(self.watch),
            "seed": self.seed,
        }

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> "WorkerSpec":
        """The inverse of `to_data`."""
        scratch = data["scratch"]
        return WorkerSpec(
            workload=read_workload(data["workload"]),
            plan=Plan.from_data(data["plan"]),
            scratch=Scratch(
                folder=Path(scratch["folder"]),
                roots=tuple((Path(copy), Path(original)) for copy, original in scratch["roots"]),
                may_overwrite=tuple(scratch["may_overwrite"]),
            ),
            caches=tuple(Path(path) for path in data["caches"]),
            watch=None if data["watch"] is None else ObservationSpec(**data["watch"]),
            seed=data["seed"],
        )


def workload_data(workload: Workload) -> dict[str, Any]:
    """A workload as JSON data."""
    kind = "recipe" if isinstance(workload, Recipe) else "script"
    return {"kind": kind, **_texts(dataclasses.asdict(workload))}


def read_workload(data: Mapping[str, Any]) -> Workload:
    """The inverse of `workload_data`."""
    place: dict[str, Any] = {
        "folder": Path(data["folder"]),
        "python": data.get("python", ""),
        "import_paths": tuple(data.get("import_paths", ())),
    }
    if data["kind"] == "recipe":
        return Recipe(target=data["target"], seed=data["seed"], **place)
    return Script(
        path=Path(data["path"]),
        arguments=tuple(data["arguments"]),
        module=data.get("module", ""),
        num_ranks=data.get("num_ranks", 1),
        **place,
    )


def _texts(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, Path) else value for key, value in data.items()}


class Channel:
    """One end of the socket: whole JSON lines in, whole JSON lines out."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._buffer = b""

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message. Raises OSError where the other end is gone."""
        self.connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, timeout: float | None = None) -> dict[str, Any] | None:
        """The next message, or None where the other end is gone. Raises TimeoutError after `timeout` seconds."""
        self.connection.settimeout(timeout)
        while b"\n" not in self._buffer:
            try:
                received = self.connection.recv(1 << 16)
            except ConnectionResetError:
                return None
            if not received:
                return None
            self._buffer += received
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    def close(self) -> None:
        """Close this end."""
        self.connection.close()
