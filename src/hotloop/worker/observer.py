"""Looks at an untimed run step by step: losses, gradients, updates, buffers, and the switches of its modules.

What two runs of the same program must share, whatever the plan: every parameter moves when it moved before, by as
much as before; dropout draws; batch-norm gathers statistics. Verification compares what is recorded here.
"""

import os
import random
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from hotloop.worker.draws import settle_draws, silence
from hotloop.worker.losses import Losses
from hotloop.worker.noise import add_weight_noise
from hotloop.worker.spec import Channel, ObservationSpec
from hotloop.workloads.started_plan import StartedPlan

_SKETCH = 16


class Observer:
    """Callbacks of a watched worker; answers {"event": "watched", ...} after the last step or at the program's end."""

    def __init__(self, channel: Channel, started: StartedPlan, watch: ObservationSpec) -> None:
        self.started = started
        self._channel = channel
        self._watch = watch
        self._process = os.getpid()
        self._losses = Losses()
        self._followed = _Followed()
        self._rows: list[dict[str, list[float]]] = []
        self._calls = 0
        self._switches: dict[str, list[float]] = {}
        self._seeds_itself = False
        settle_draws(watch.draws)
        if watch.seed is not None:
            _seed_everything(watch.seed)
        self._notice_seeding()

    @property
    def is_forked(self) -> bool:
        """Whether this is a child that the program forked; the channel and the steps are its parent's."""
        return os.getpid() != self._process

    def before_training(self) -> None:
        """Nothing: a watched run waits for nobody."""

    def loss(self, value: Tensor) -> None:
        """Keep the loss of the step under way."""
        self._losses.keep(len(self._rows) + 1, value)

    def root(self, module: nn.Module) -> None:
        """Follow the parameters and buffers of a root from before its first call, with the ordered noise added."""
        if self._watch.draws == "silent":
            silence(module)
        add_weight_noise(module, self._watch.noise, self._watch.noise_seed)
        self._followed.add(module)

    @contextmanager
    def around_root(self) -> Generator[None]:
        """Modules draw from a stream of their own, so that a plan cannot move the program's other draws."""
        self._calls += 1
        devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices):
            torch.random.default_generator.manual_seed(1_000_003 * (self._watch.stream + 1) + self._calls)
            if torch.cuda.is_available():
                torch.cuda.manual_seed_all(1_000_003 * (self._watch.stream + 1) + self._calls)
            yield

    def step(self, optimizer: Optimizer) -> None:
        """Record what the step did; the last one ends the run."""
        if self.is_forked:
            return
        if not self._rows:
            self._switches = self._followed.switches()
        self._rows.append(self._followed.advance())
        self._channel.send({"event": "stepped", "steps": len(self._rows)})
        if len(self._rows) >= self._watch.steps:
            self.finish()

    def finish(self) -> NoReturn:
        """Send what was seen and end the process."""
        if self.is_forked:
            os._exit(0)
        self._channel.send(
            {
                "event": "watched",
                "losses": self._losses.by_step(len(self._rows)),
                "names": self._followed.names,
                "gradients": [row["gradients"] for row in self._rows],
                "sketches": self._followed.sketches,
                "updates": [row["updates"] for row in self._rows],
                "buffers": [row["buffers"] for row in self._rows],
                "moved": [row["moved"] for row in self._rows],
                "graphs": _graphs(),
                "switches": self._switches,
                "seeds_itself": self._seeds_itself,
                "applied": self.started.applied,
                "refused": self.started.refused,
            }
        )
        os._exit(0)

    def _notice_seeding(self) -> None:
        original = torch.manual_seed

        def manual_seed(seed: Any) -> torch.Generator:
            self._seeds_itself = True
            return original(seed)

        torch.manual_seed = torch.random.manual_seed = manual_seed


class _Followed:
    """Parameters and floating buffers of all roots, with their values at the end of the last step."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.sketches: list[list[float]] = []
        self._parameters: list[Tensor] = []
        self._buffers: list[Tensor] = []
        self._before: list[Tensor] = []
        self._buffers_before: list[Tensor] = []
        self._roots: list[nn.Module] = []
        self._known: set[int] = set()

    def add(self, root: nn.Module) -> None:
        prefix = f"{len(self._roots)}."
        self._roots.append(root)
        for name, parameter in root.named_parameters():
            if id(parameter) not in self._known and parameter.is_floating_point():
                self._known.add(id(parameter))
                self.names.append(prefix + name)
                self._parameters.append(parameter)
                self._before.append(parameter.detach().clone())
        for buffer in root.buffers():
            if buffer.is_floating_point():
                self._buffers.append(buffer)
                self._buffers_before.append(buffer.detach().clone())

    def advance(self) -> dict[str, list[float]]:
        """2-norms by parameter of gradient and update, and by buffer of its change, and the share of elements that
        changed, since the last call. The first call also sketches the gradients.
        """
        if not self.sketches:
            self.sketches = [_sketch(parameter.grad, seed) for seed, parameter in enumerate(self._parameters)]
        updates = [p.detach() - before for p, before in zip(self._parameters, self._before, strict=True)]
        row = {
            "gradients": [_norm(parameter.grad) for parameter in self._parameters],
            "updates": [_norm(update) for update in updates],
            "moved": [_share_not_zero(updates)],
            "buffers": [_norm(b - before) for b, before in zip(self._buffers, self._buffers_before, strict=True)],
        }
        self._before = [parameter.detach().clone() for parameter in self._parameters]
        self._buffers_before = [buffer.detach().clone() for buffer in self._buffers]
        return row

    def switches(self) -> dict[str, list[float]]:
        """Whether each module trains, and its dropout rate."""
        return {
            f"{index}.{name}": [float(module.training), float(getattr(module, "p", 0.0) or 0.0)]
            for index, root in enumerate(self._roots)
            for name, module in root.named_modules()
            if isinstance(getattr(module, "p", 0.0), (int, float, type(None)))
        }


def _graphs() -> int:
    """How many graphs Dynamo has compiled; 0 where nothing loaded it."""
    dynamo = sys.modules.get("torch._dynamo.utils")
    return 0 if dynamo is None else int(dynamo.counters["stats"]["unique_graphs"])


def _share_not_zero(tensors: list[Tensor]) -> float:
    elements = sum(tensor.numel() for tensor in tensors)
    return sum(int(tensor.count_nonzero()) for tensor in tensors) / max(elements, 1)


def _norm(tensor: Tensor | None) -> float:
    if tensor is None:
        return -1.0  # no gradient at all, which is not the same as a zero one
    dense = tensor.coalesce().values() if tensor.is_sparse else tensor
    return dense.detach().double().norm().item()


def _sketch(tensor: Tensor | None, seed: int) -> list[float]:
    """Sixteen sums over the elements with random signs, equal for equal seeds and shapes; none for no gradient.

    Products of sketches estimate products of gradients (Charikar, Chen, Farach-Colton 2002, "Finding frequent items").
    """
    if tensor is None:
        return []
    flat = (tensor.to_dense() if tensor.is_sparse else tensor).detach().double().flatten()
    signs = torch.randint(0, 2, flat.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.int8)
    signed = flat * (2 * signs - 1).to(flat.device)
    return nn.functional.pad(signed, (0, -len(signed) % _SKETCH)).view(-1, _SKETCH).sum(0).tolist()


def _seed_everything(seed: int) -> None:
    import numpy

    random.seed(seed)
    numpy.random.seed(seed)  # the legacy state is the one that unseeded programs draw from
    torch.manual_seed(seed)
