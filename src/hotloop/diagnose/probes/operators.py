"""Operators of a step: how many, from which lines, how many too small to be worth a call; casts; growing cats."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from hotloop.diagnose.call_sites import Place, Sight
from hotloop.diagnose.trace_context import Report, Scene, StepTime, bound
from hotloop.finding import Finding

_TINY_BYTES = 16 * 1024
_MANY = 200
_WORTH_TELLING = 0.1
_GROWN = 3
_REPEATS = 200
_MOST_LISTED = 20
_MOST_LINES = 10
# Views and bookkeeping start no kernel.
_NO_KERNEL = {
    torch.ops.aten.detach,
    torch.ops.aten.view,
    torch.ops.aten._unsafe_view,
    torch.ops.aten.t,
    torch.ops.aten.transpose,
    torch.ops.aten.permute,
    torch.ops.aten.expand,
    torch.ops.aten.select,
    torch.ops.aten.slice,
    torch.ops.aten.unsqueeze,
    torch.ops.aten.squeeze,
    torch.ops.aten.alias,
    torch.ops.aten.lift_fresh,
    torch.ops.aten.as_strided,
    torch.ops.aten.unbind,
    torch.ops.aten.split,
}


@dataclass(kw_only=True)
class _Casts:
    count: int = 0
    seconds: float = 0.0
    weights: Counter[int] = field(default_factory=Counter[int])
    kinds: set[str] = field(default_factory=set[str])


class Operators:
    """Counts what reaches the kernels in a few steps."""

    name = "operators"

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._mode = _Counting(self)
        self._steps = 0
        self._count = 0
        self._names: Counter[str] = Counter()
        self._tiny: Counter[Place] = Counter()
        self._line_seconds: dict[Place, float] = {}
        self._cats: dict[Place, tuple[int, int, int]] = {}
        self._cat_seconds: dict[Place, float] = {}
        self._casts: dict[Place, _Casts] = {}
        self._tiny_seconds = 0.0

    def is_wanted(self) -> bool:
        """Always."""
        return True

    def open(self) -> None:
        """Enter the mode."""
        self._mode.__enter__()

    def step(self) -> None:
        """Another step begins."""
        self._steps += 1

    def close(self) -> None:
        """Leave the mode, and time one small operator without it."""
        self._mode.__exit__(None, None, None)
        self._tiny_seconds = _seconds_of_a_small_operator()

    def count(self, func: Any, args: Any, kwargs: Any, result: Any, seconds: float) -> None:
        """One operator has run."""
        packet = getattr(func, "overloadpacket", func)
        sight = self.scene.places.look()
        if packet in _NO_KERNEL or sight.passes("/torch/utils/data/"):
            return
        self._count += 1
        self._names[str(packet).removeprefix("aten.")] += 1
        self._line_seconds[sight.place] = self._line_seconds.get(sight.place, 0.0) + seconds
        if _bytes(args) + _bytes([result]) <= _TINY_BYTES:
            self._tiny[sight.place] += 1
        if packet is torch.ops.aten.cat:
            self._note_cat(sight.place, args, result, seconds)
        elif packet is torch.ops.aten._to_copy and _is_cast(args, kwargs):
            self._note_cast(sight, args, kwargs, seconds)

    def report(self, step: StepTime) -> Report:
        """Counts, and findings on small operators, casts and growing tensors."""
        if not self._steps:
            return Report(data={})
        tiny = sum(self._tiny.values()) / self._steps
        share = step.share(tiny * self._tiny_seconds)
        data = {
            "per_step": self._count / self._steps,
            "tiny_per_step": tiny,
            "tiny_share": share,
            "lines": self._lines(step),
            "most_called": [[name, count / self._steps] for name, count in self._names.most_common(_MOST_LISTED)],
        }
        findings = [*self._small(tiny, share), *self._growing(step), *self._casting(step)]
        return Report(findings=findings, data=data)

    def _lines(self, step: StepTime) -> list[list[str | int | float]]:
        """The lines whose operators take most of the host's time; on a GPU that is the time to start them."""
        order = sorted(self._line_seconds.items(), key=lambda item: item[1], reverse=True)[:_MOST_LINES]
        return [[p.path, p.line, step.share(seconds / self._steps)] for p, seconds in order]

    def _note_cat(self, place: Place, args: Any, result: Tensor, seconds: float) -> None:
        """How often in a row this line has put something behind its own last result."""
        before, longest, run = self._cats.get(place, (-1, 0, 0))
        pieces = args[0] if args else ()
        grows = (
            any(piece.numel() == before for piece in pieces if isinstance(piece, Tensor)) and result.numel() > before
        )
        run = run + 1 if grows else 0
        self._cats[place] = (result.numel(), max(longest, run), run)
        self._cat_seconds[place] = self._cat_seconds.get(place, 0.0) + seconds

    def _note_cast(self, sight: Sight, args: Any, kwargs: Any, seconds: float) -> None:
        if not (_is_weight(args[0]) or (_raises(args, kwargs) and not sight.way)):
            return  # autocast's own business
        casts = self._casts.setdefault(sight.place, _Casts())
        casts.count += 1
        casts.seconds += seconds
        casts.kinds.add(f"{args[0].dtype} to {kwargs['dtype']}".replace("torch.", ""))
        if _is_weight(args[0]):
            casts.weights[id(args[0])] += 1

    def _small(self, tiny: float, share: float) -> list[Finding]:
        if tiny < _MANY or share < _WORTH_TELLING:
            return []
        place, count = self._tiny.most_common(1)[0]
        return [
            Finding(
                code="CO06",
                path=place.path,
                line=place.line,
                per_step=tiny,
                share=share,
                amdahl_limit=bound(share),
                transform="compile",
                cure="compile, or stack the weights of equal small modules into one batched product",
                message=(
                    f"a step calls {tiny:.0f} operators on less than 16 KiB each, {count / self._steps:.0f} from "
                    f"this line; the calls alone take {share:.0%} of it"
                ),
                evidence={"operators": self._count / self._steps, "call_us": 1e6 * self._tiny_seconds},
            )
        ]

    def _growing(self, step: StepTime) -> list[Finding]:
        findings: list[Finding] = []
        for place, (_, longest, _) in self._cats.items():
            if longest < _GROWN:
                continue
            share = step.share(self._cat_seconds[place] / self._steps)
            findings.append(
                Finding(
                    code="DA11",
                    path=place.path,
                    line=place.line,
                    share=share,
                    amdahl_limit=bound(share),
                    cure="append to a list and concatenate once",
                    message=f"cat puts pieces behind its own result {longest} times in a row: {share:.1%} of a step",
                    evidence={"in_a_row": longest},
                )
            )
        return findings

    def _casting(self, step: StepTime) -> list[Finding]:
        findings: list[Finding] = []
        for place, casts in self._casts.items():
            share = step.share(casts.seconds / self._steps)
            again = sum(count > self._steps for count in casts.weights.values())
            if share < 0.01 or (casts.weights and not again):
                continue
            findings.append(
                Finding(
                    code="OP08" if again else "DA10",
                    path=place.path,
                    line=place.line,
                    per_step=casts.count / self._steps,
                    share=share,
                    amdahl_limit=bound(share),
                    cure=(
                        "leave autocast's cache on (cache_enabled=True)" if again else "choose the dtype in one place"
                    ),
                    message=(
                        f"{casts.count / self._steps:.3g} casts, {'; '.join(sorted(casts.kinds))}, {share:.1%}"
                        + (f"; {again} weights are cast more than once a step" if again else "")
                    ),
                )
            )
        return findings


class _Counting(TorchDispatchMode):
    def __init__(self, operators: Operators) -> None:
        super().__init__()
        self._operators = operators

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._operators.scene.is_forked or self._operators.scene.fetching:
            return func(*args, **kwargs)
        began = time.perf_counter()
        result = func(*args, **kwargs)
        self._operators.count(func, args, kwargs, result, time.perf_counter() - began)
        return result


def _is_cast(args: Any, kwargs: Any) -> bool:
    dtype = kwargs.get("dtype")
    return dtype is not None and dtype is not args[0].dtype and dtype.is_floating_point and args[0].is_floating_point()


def _raises(args: Any, kwargs: Any) -> bool:
    return args[0].dtype in (torch.bfloat16, torch.float16) and kwargs["dtype"] is torch.float32


def _is_weight(tensor: Tensor) -> bool:
    return isinstance(tensor, torch.nn.Parameter)


def _bytes(values: Any) -> int:
    """Bytes of the tensors among these, lists of them opened."""
    total = 0
    for value in values:
        if isinstance(value, Tensor):
            total += value.numel() * value.element_size()
        elif isinstance(value, (list, tuple)):
            total += _bytes(value)
    return total


def _seconds_of_a_small_operator() -> float:
    """Seconds that one call takes whatever its size: a product of 64 numbers that autograd follows."""
    value = torch.ones(64, requires_grad=True)
    times: list[float] = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        _ = value * 1.0
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]
