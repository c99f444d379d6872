"""Figures of gradients that are taken at the wrong moment: while they are scaled, or after they were clipped.

What happens to a gradient is told by the calls that it goes through, so that it does not matter by which name the
program imported `clip_grad_norm_`. A figure counts only where the gradients that it was taken of go on to the update
untouched by anything but torch's own unscaling and clipping: what is computed with them may need the figure as it is.
Where the program asks the scaler for its scale, it may divide its figures by it, and figures of scaled gradients are
not told.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from hotloop.diagnose.places import Place
from hotloop.diagnose.scene import Report, Scene, StepTime
from hotloop.finding import Finding

_HOT = 0.5
_SCALER = "/torch/amp/grad_scaler.py"
_UNSCALES = "_amp_foreach_non_finite_check_and_unscale_"
_CLIPS = ("clip_grad_norm_", "clip_grad_value_", "_clip_grads_with_norm_", "clip_grads_with_norm_")
_FIGURES = frozenset(
    (
        "_foreach_norm",
        "abs",
        "absolute",
        "amax",
        "amin",
        "aminmax",
        "count_nonzero",
        "frobenius_norm",
        "histc",
        "kthvalue",
        "linalg_norm",
        "linalg_vector_norm",
        "max",
        "mean",
        "median",
        "min",
        "norm",
        "nuclear_norm",
        "pow",
        "quantile",
        "square",
        "std",
        "std_mean",
        "sum",
        "var",
        "var_mean",
    )
)
# What only looks at a gradient, or hands it on.
_NEUTRAL = frozenset(
    (
        "__get__",
        "__getitem__",
        "__len__",
        "__format__",
        "__repr__",
        "cat",
        "clone",
        "contiguous",
        "cpu",
        "data_ptr",
        "detach",
        "dim",
        "double",
        "element_size",
        "equal",
        "flatten",
        "float",
        "isfinite",
        "isinf",
        "isnan",
        "is_floating_point",
        "item",
        "nelement",
        "numel",
        "numpy",
        "reshape",
        "select",
        "size",
        "stack",
        "storage",
        "stride",
        "to",
        "tolist",
        "untyped_storage",
        "view",
    )
)
_SAID = {
    "scaled": "figures are taken here of gradients that GradScaler has scaled up and not yet unscaled",
    "clipped": "figures are taken here of gradients that were clipped just before",
    "clipped while scaled": "gradients are clipped here while GradScaler's scale is still on them",
}
_CURES = {
    "scaled": "take them after scaler.unscale_(optimizer)",
    "clipped": "take them before clipping; clip_grad_norm_ returns the norm before it",
    "clipped while scaled": "call scaler.unscale_(optimizer) before clipping",
}


@dataclass(frozen=True, eq=False)
class State:
    """What was done to a gradient: "scaled" by a factor, or "clipped" by one; a number or a tensor on its device."""

    name: str
    factor: Any


@dataclass(frozen=True, eq=False)
class Told:
    """A figure or a clipping at the wrong moment, of the gradients with these keys, by the states they were in."""

    place: Place
    kind: str
    keys: frozenset[int]
    factors: tuple[Any, ...]

    def counts(self) -> bool:
        """Whether it made a difference: a scale that is not 1, a clipping that bit.

        Clipping by a limit that was scaled along is right; one that was not scaled gives factors smaller by the
        scale. Between the two stands its square root.
        """
        factors = [float(factor) for factor in self.factors]
        if self.kind == "clipped while scaled":
            scale, factor = factors
            return factor * scale**0.5 <= 1.0 < scale
        return any(factor > 1.0 if self.kind == "scaled" else factor < 1.0 for factor in factors)


class WorkerSpec:
    """The state of each gradient, by key, and what was told in the step under way; no torch, no clock."""

    def __init__(self) -> None:
        self.states: dict[int, State] = {}
        self._pending: list[Told] = []

    def backward_begins(self) -> None:
        """What is left of a clipping that no update followed is forgotten."""
        self.states = {key: state for key, state in self.states.items() if state.name != "clipped"}

    def scaled(self, keys: Iterable[int], factor: Any) -> None:
        """A scaled loss has gone backward to these."""
        self.states.update(dict.fromkeys(keys, State("scaled", factor)))

    def unscaled(self, keys: Iterable[int]) -> None:
        """The scaler has divided by its scale."""
        for key in keys:
            if key in self.states and self.states[key].name == "scaled":
                del self.states[key]

    def clipped(self, keys: Iterable[int], place: Place, factor: Any) -> None:
        """A limit was applied by a factor."""
        known = {key: self.states.get(key) for key in keys}
        on_top = next((state for state in known.values() if state is not None and state.name == "scaled"), None)
        if on_top is not None:
            self._pending.append(Told(place, "clipped while scaled", frozenset(known), (on_top.factor, factor)))
        for key, state in known.items():
            if state is None:
                self.states[key] = State("clipped", factor)

    def looked(self, keys: Iterable[int], place: Place) -> None:
        """A figure was taken."""
        states = {key: self.states[key] for key in keys if key in self.states}
        for name in {state.name for state in states.values()}:
            own = {key: state.factor for key, state in states.items() if state.name == name}
            self._pending.append(Told(place, name, frozenset(own), tuple({id(f): f for f in own.values()}.values())))

    def touched(self, keys: Iterable[int]) -> None:
        """Something else was computed with these, or written into them: nothing is known of them any more."""
        changed = set(keys)
        for key in changed:
            self.states.pop(key, None)
        self._pending = [told for told in self._pending if told.keys.isdisjoint(changed)]

    def updated(self, keys: Iterable[int]) -> list[Told]:
        """An optimizer is about to use these: what was told of them in this step."""
        used = set(keys)
        told = [each for each in self._pending if not each.keys.isdisjoint(used)]
        self._pending = [each for each in self._pending if each.keys.isdisjoint(used)]
        for key in used:
            self.states.pop(key, None)
        return told


class GradientOrder:
    """Follows the gradients of a few steps through GradScaler, clipping, the program's own figures, and the update."""

    name = "gradient_order"

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._order = WorkerSpec()
        self._mode = _Following(self)
        self._told: list[tuple[int, Told]] = []
        self._scale: Tensor | None = None
        self._storages: dict[int, Any] = {}  # held, so that no other tensor gets their keys
        self._versions: dict[int, tuple[int, int]] = {}
        self._is_scale_known = False
        self._handle: Any = None
        self._steps = 0

    def is_wanted(self) -> bool:
        """Where an optimizer has stepped."""
        return bool(self.scene.optimizers)

    def open(self) -> None:
        """Follow from the next backward pass on."""
        self.scene.before_backward.append(self._backward_begins)
        self.scene.after_backward.append(self._backward_ends)
        self._handle = register_optimizer_step_pre_hook(self._update)
        self._mode.__enter__()

    def step(self) -> None:
        """Another step begins."""
        self._steps += 1
        self._is_scale_known = False
        self._storages.clear()

    def close(self) -> None:
        """Follow no more."""
        self._mode.__exit__(None, None, None)
        self._handle.remove()
        self.scene.before_backward.remove(self._backward_begins)
        self.scene.after_backward.remove(self._backward_ends)
        self._storages.clear()

    def report(self, step: StepTime) -> Report:
        """A finding for each line that does so in at least every second step."""
        lines: dict[tuple[Place, str], list[int]] = {}
        for number, told in self._told:
            if told.counts():
                lines.setdefault((told.place, told.kind), []).append(number)
        findings = [
            _finding(place, kind, len(numbers) / self._steps)
            for (place, kind), numbers in lines.items()
            if len(set(numbers)) >= _HOT * self._steps
        ]
        return Report(findings=findings, data={"steps": self._steps, "told": len(self._told)})

    def note(self, name: str, args: Any, kwargs: Any) -> None:
        """The program, or torch on its behalf, is about to call a function of this name."""
        if name == "mul" and _may_scale(args) and self.scene.places.look().passes(_SCALER):
            self._scale = args[1].detach().clone()
        if name == "item" and self.scene.places.look().calls("get_scale"):
            self._is_scale_known = True
        if not self._storages or name in _NEUTRAL:
            return
        keys = self._keys(name, args, kwargs)
        if not keys:
            return
        if name == _UNSCALES:
            self._order.unscaled(keys)
            return
        sight = self.scene.places.look()
        if sight.calls(*_CLIPS):
            if (factor := _clipping(name, args, kwargs)) is not None:
                self._order.clipped(keys, sight.place, factor)
        elif name in _FIGURES or (name == "mul" and args[0] is args[1]):
            self._order.looked(keys, sight.place)
        else:
            self._order.touched(keys)

    def _keys(self, name: str, args: Any, kwargs: Any) -> set[int]:
        """The gradients among these, views and lists of them too; where one is put in place, the one it replaces."""
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        if name == "__set__":
            tensors += [tensor.grad for tensor in tensors if tensor.is_leaf and tensor.grad is not None]
        return {key for tensor in tensors if (key := _key(tensor)) in self._storages}

    def _gradients(self) -> list[tuple[int, Tensor]]:
        """Each parameter that an optimizer holds, by its id, with its gradient."""
        groups = (group for optimizer in self.scene.optimizers for group in optimizer.param_groups)
        return [(id(p), p.grad) for group in groups for p in group["params"] if p.grad is not None]

    def _backward_begins(self, _tensors: Any) -> None:
        self._order.backward_begins()
        self._versions = {owner: _version(gradient) for owner, gradient in self._gradients()}

    def _backward_ends(self) -> None:
        gradients = [(owner, gradient, _key(gradient)) for owner, gradient in self._gradients()]
        self._storages = {key: gradient.untyped_storage() for _, gradient, key in gradients if key}
        if self._scale is not None:
            new = (key for owner, g, key in gradients if key and self._versions.get(owner) != _version(g))
            self._order.scaled(new, self._scale)
            self._scale = None

    def _update(self, optimizer: Optimizer, *_: Any) -> None:
        if not self.scene.is_forked:
            used = (p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None)
            told = self._order.updated(_key(gradient) for gradient in used)
            self._told += [(self._steps, each) for each in told if each.kind == "clipped" or not self._is_scale_known]


class _Following(TorchFunctionMode):
    def __init__(self, order: GradientOrder) -> None:
        super().__init__()
        self._order = order

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name not in ("backward", "grad") and not self._order.scene.is_forked:
            self._order.note(name, args, kwargs)
        return func(*args, **kwargs)


def _finding(place: Place, kind: str, per_step: float) -> Finding:
    return Finding(
        code="OP04",
        path=place.path,
        line=place.line,
        per_step=per_step,
        share=0.0,
        amdahl_limit=1.0,
        cure=_CURES[kind],
        message=_SAID[kind],
    )


def _key(tensor: Tensor) -> int:
    """What views of one tensor share; 0 for what has no storage of its own (sparse tensors, subclasses)."""
    if type(tensor) not in (Tensor, torch.nn.Parameter) or tensor.layout is not torch.strided:
        return 0
    return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]


def _version(gradient: Tensor) -> tuple[int, int]:
    return id(gradient), gradient._version  # pyright: ignore[reportPrivateUsage]


def _may_scale(args: Any) -> bool:
    return len(args) > 1 and isinstance(args[1], Tensor) and args[1].numel() == 1 and not args[1].requires_grad


@torch.no_grad()
def _clipping(name: str, args: Any, kwargs: Any) -> Any:
    """The factor that a call inside of torch's clipping puts on gradients, below 1 where it bites; None for others."""
    if name in ("mul_", "_foreach_mul_"):
        return args[1].detach().clone() if isinstance(args[1], Tensor) else args[1]
    if name in ("clamp_", "_foreach_clamp_min_", "_foreach_clamp_max_"):
        limit = kwargs["max"] if name == "clamp_" else abs(args[1])
        gradients = [args[0]] if isinstance(args[0], Tensor) else args[0]
        return limit / torch.stack([gradient.abs().max() for gradient in gradients if gradient.numel()]).max()
    return None
