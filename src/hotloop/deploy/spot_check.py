"""Spot checks in real training: a root module's outputs with and without the plan, on the same inputs and state."""

import random
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from hotloop.compile.containers import map_tensors, tensors_in
from hotloop.compile.root_call import Call, call_sometimes_around, without_plan
from hotloop.transform import Plan, Stage
from hotloop.verify.tolerance import Tolerance

_SHARE = 0.003  # of the time so far, for all checks but the first of each root and mode
_CALLS_BETWEEN = 16  # of one kind in a row, of which the last asks for the time
_SHARE_OF_REPEATED = 0.0015  # what is left of it is for inputs of a kind that is new


class SpotChecks:
    """Checks of all root modules, and what they cost; `report` is told of each root that fails, with the figures."""

    def __init__(self, plan: Plan, report: Callable[[str], None]) -> None:
        self.made = 0
        self.failed = 0
        self.skipped: dict[str, int] = {}
        self._is_needed = bool(plan.at(Stage.MODULE))
        self._tolerance = Tolerance.of(plan.roundoff)
        self._report = report
        self._began = time.perf_counter()
        self._spent = 0.0
        self._last_cost = 0.0
        self._is_inside = False

    def follow(self, root: nn.Module) -> None:
        """Check calls of a root that the plan has been applied to."""
        if self._is_needed:
            call_sometimes_around(root, _RootCheck(self))

    @property
    def share(self) -> float:
        """What all checks took of the time so far."""
        return self._spent / (time.perf_counter() - self._began)

    def may_spend(self, share: float) -> bool:
        """Whether another check stays within that share of the time so far."""
        return self._spent + self._last_cost <= share * (time.perf_counter() - self._began)

    def check(self, module: nn.Module, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The planned outputs, which have been compared with the plain ones where that was possible."""
        reason = "called inside of another" if self._is_inside else _why_not(module)
        if reason is not None:
            self._skip(reason)
            return call(*args, **kwargs)
        self._is_inside = True
        began = time.perf_counter()
        try:
            plain, limit = self._plain(module, args, kwargs)
            before = time.perf_counter()
            outputs = call(*args, **kwargs)
            planned = time.perf_counter() - before
            if plain is not None:
                self._judge(module, plain, tensors_in(outputs), limit)
        finally:
            self._is_inside = False
        self._last_cost = time.perf_counter() - began - planned
        self._spent += self._last_cost
        return outputs

    def _plain(self, module: nn.Module, args: Any, kwargs: Any) -> tuple[list[Tensor] | None, float]:
        """The plain outputs, and how far the planned ones may be off; None where they cannot be compared."""
        state = _State(module)
        try:
            plain, draws = _outputs(module, args, kwargs, state)
            if draws:
                self._skip("draws random numbers")
                return None, 0.0
            effect = 0.0
            if self._tolerance.noise:
                noisy, _ = _outputs(module, args, kwargs, state, noise=self._tolerance.noise)
                effect = _error(plain, noisy)
        except RuntimeError as error:  # such as too little memory for a second forward
            self._skip(f"cannot be called twice: {str(error).splitlines()[0]}")
            return None, 0.0
        finally:
            state.restore()
        return plain, max(self._tolerance.floor, self._tolerance.step_factor * effect)

    def _judge(self, module: nn.Module, plain: list[Tensor], planned: list[Tensor], limit: float) -> None:
        self.made += 1
        where = f"{type(module).__name__} in {'training' if module.training else 'evaluation'}"
        kinds = [[(tuple(t.shape), t.dtype) for t in tensors] for tensors in (plain, planned)]
        if kinds[0] != kinds[1]:
            problem = f"returns {kinds[1]} under the plan and {kinds[0]} without"
        elif not (error := _error(plain, planned)) <= limit:
            problem = f"its outputs are off by {error:.1e} under the plan, where {limit:.1e} is allowed"
        else:
            return
        self.failed += 1
        self._report(f"{where}: {problem}")

    def _skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1


class _RootCheck:
    """What is around the calls of one root: its first call in each mode is checked, and later ones rarely."""

    def __init__(self, checks: SpotChecks) -> None:
        self._checks = checks
        self._modes: set[bool] = set()
        self._kinds: set[tuple[Any, ...]] = set()
        self._last: tuple[Any, ...] = ()
        self._left = 0

    def __call__(self, module: nn.Module, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._checks.check(module, call, args, kwargs)

    def is_due(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """The first call in each mode, and others within a share of the time: sooner where a kind of input is new."""
        given = (*args, *kwargs.values()) if kwargs else args
        if len(given) == 1 and isinstance(given[0], Tensor):  # as nearly all: what follows costs microseconds a step
            kind: tuple[Any, ...] = (given[0].shape, given[0].dtype, module.training)
        else:
            facts = ((value.shape, value.dtype) for value in given if isinstance(value, Tensor))
            kind = (*facts, module.training)
        if kind == self._last:
            self._left -= 1
            if self._left > 0:
                return False
        self._last, self._left = kind, _CALLS_BETWEEN
        is_new = kind not in self._kinds
        is_first = module.training not in self._modes
        if not is_first and not self._checks.may_spend(_SHARE if is_new else _SHARE_OF_REPEATED):
            return False
        self._modes.add(module.training)
        self._kinds.add(kind)
        return True


class _State:
    """What a forward may change: random streams, buffers, and attributes of modules; `restore` puts it back."""

    def __init__(self, module: nn.Module) -> None:
        self._streams = _streams()
        self._numpy = sys.modules["numpy"].random.get_state() if "numpy" in sys.modules else None
        self._buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
        self._attributes = [(vars(part), dict(vars(part))) for part in module.modules()]
        self._tables = [(t, dict(t)) for _, known in self._attributes for t in known.values() if isinstance(t, dict)]
        self._lists = [(x, list(x)) for _, known in self._attributes for x in known.values() if isinstance(x, list)]

    @property
    def has_drawn(self) -> bool:
        """Whether random numbers were drawn since."""
        _, cpu, cuda = _streams()
        return not (torch.equal(cpu, self._streams[1]) and all(map(torch.equal, cuda, self._streams[2])))

    def restore(self) -> None:
        """Put everything back, without a trace in the version counters that autograd looks at."""
        random.setstate(self._streams[0])
        torch.set_rng_state(self._streams[1])
        if self._streams[2]:
            torch.cuda.set_rng_state_all(self._streams[2])
        if self._numpy is not None:
            sys.modules["numpy"].random.set_state(self._numpy)
        for table, known in (*self._attributes, *self._tables):
            table.clear()
            table.update(known)
        for items, known in self._lists:
            items[:] = known
        for buffer, value in self._buffers:
            buffer.data.copy_(value)


def _streams() -> tuple[Any, Tensor, list[Tensor]]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return random.getstate(), torch.get_rng_state(), cuda


def _outputs(
    module: nn.Module, args: Any, kwargs: Any, state: _State, *, noise: float = 0.0
) -> tuple[list[Tensor], bool]:
    """Outputs without the plan and without a gradient, on copies of the inputs, and whether it drew random numbers."""
    with torch.no_grad(), without_plan():
        args, kwargs = map_tensors((args, kwargs), lambda value: value.detach().clone())
        parameters = {name: _noisy(p, noise, seed) for seed, (name, p) in enumerate(module.named_parameters())}
        values = torch.func.functional_call(module, parameters, args, kwargs) if noise else module(*args, **kwargs)
        found = [value.clone() for value in tensors_in(values)]
    draws = state.has_drawn
    state.restore()
    return found, draws


def _noisy(parameter: Tensor, noise: float, seed: int) -> Tensor:
    if not noise or not parameter.is_floating_point():
        return parameter
    generator = torch.Generator(parameter.device).manual_seed(seed)
    drawn = torch.randn(parameter.shape, generator=generator, device=parameter.device, dtype=parameter.dtype)
    return parameter.detach() * (1 + noise * drawn)


def _error(expected: list[Tensor], found: list[Tensor]) -> float:
    """The largest distance of two outputs relative to their size; what is not finite in both counts for nothing."""
    worst = 0.0
    for one, other in zip(expected, found, strict=False):
        if one.is_floating_point() and one.shape == other.shape and one.numel():
            kept, changed = one.detach().double(), other.detach().double()
            is_same = torch.isfinite(kept) == torch.isfinite(changed)
            if not bool(is_same.all()):
                return float("inf")
            kept, changed = kept.nan_to_num(0.0, 0.0, 0.0), changed.nan_to_num(0.0, 0.0, 0.0)
            worst = max(worst, float((changed - kept).norm() / kept.norm().clamp_min(1e-30)))
    return worst


def _why_not(module: nn.Module) -> str | None:
    """Why a second call of the module would not be harmless, or would not be comparable."""
    if torch._C._current_graph_task_id() != -1:  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUnknownMemberType]
        return "called in a backward pass"
    if torch._C._functorch.maybe_current_level() is not None:  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUnknownMemberType]
        return "called under a transform of torch.func"
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return "trained by several processes"
    if any(part._forward_hooks or part._forward_pre_hooks for part in module.modules()):  # pyright: ignore[reportPrivateUsage]
        return "has forward hooks of the program's"
    return None
