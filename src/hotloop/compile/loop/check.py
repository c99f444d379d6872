"""Compares a captured step with the plain one, from the same state: parameters, buffers, gradients and outputs."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from hotloop.compile.loop.draws import RecordedDraws
from hotloop.compile.loop.given import Given
from hotloop.compile.loop.variant import Variant
from hotloop.errors import NotApplicable

# Relative to the norm of what the plain step gives: rounding in another order stays far below.
_CLOSE, _CLOSE_REDUCED = 1e-3, 5e-2
_REDUCED = (torch.bfloat16, torch.float16)


def checked_step(variant: Variant, function: Any, given: Given) -> Any:
    """One plain step, made by the region's own function; what it returns.

    Raises Differs behind it where the graph, run on copies of the state before and with the same random numbers, gives
    something else.
    """
    before = [tensor.detach().clone() for tensor in variant.guards.tensors]
    copies = variant.copies(given)
    with RecordedDraws() as draws:
        result = function(_ignore, *given.tests, *given.values)
    if len(draws.drawn) != len(variant.trace.draws):
        raise Differs("other random numbers are drawn than", result)
    try:
        outputs = variant.on_copies(copies, draws.drawn)
    except Exception as error:  # the program has made its step, and goes on plainly
        what = str(error).strip().splitlines()[:1] or ["no details"]
        raise Differs(
            f"its graph cannot run ({type(error).__name__}: {what[0]}) and gives nothing of what", result
        ) from error
    problem = _problem(variant, before, copies, outputs, result)
    if problem is not None:
        raise Differs(f"{problem} than", result)
    return result


class Differs(NotApplicable):
    """The graph gives something else than the plain step, whose `result` is kept."""

    def __init__(self, problem: str, result: Any) -> None:
        super().__init__(f"run as a graph, {problem} the plain step gives")
        self.result = result


def _problem(
    variant: Variant, before: list[Tensor], copies: list[Tensor], outputs: Sequence[Tensor], result: Any
) -> str | None:
    is_reduced = any(
        getattr(node.meta.get("val"), "dtype", None) in _REDUCED for node in variant.trace.graph.graph.nodes
    )
    limit = _CLOSE_REDUCED if is_reduced else _CLOSE
    if _are_other_gradients(variant, copies[len(before) :], outputs, limit):
        return "other gradients are left"
    moved = list(zip(variant.guards.tensors, copies, before, strict=False))
    trained = {id(leaf) for leaf in variant.guards.leaves}
    if _far([m for m in moved if id(m[0]) in trained], 50 * limit):
        return "parameters are updated otherwise"
    if _far([m for m in moved if id(m[0]) not in trained], 10 * limit):
        return "buffers or the optimizer's state are updated otherwise"
    return "its outputs are others" if _are_other_outputs(variant, outputs, result, 10 * limit) else None


def _are_other_gradients(variant: Variant, kept: list[Tensor], outputs: Sequence[Tensor], limit: float) -> bool:
    """Those that the graph gives, and those that it adds to in place."""
    trace = variant.trace
    given = {id(leaf) for leaf, _ in trace.gradients}
    pairs = [(leaf.grad, None if n is None else outputs[n]) for leaf, n in trace.gradients]
    pairs += [(leaf.grad, copy) for leaf, copy in zip(trace.accumulated, kept, strict=False) if id(leaf) not in given]
    if any((plain is None) != (ours is None) for plain, ours in pairs):
        return True
    return _far([(p, o, torch.zeros_like(p)) for p, o in pairs if p is not None and o is not None], limit)


def _are_other_outputs(variant: Variant, outputs: Sequence[Tensor], result: Any, limit: float) -> bool:
    leaves = pytree.tree_leaves(result)
    if len(leaves) != len(variant.trace.outputs):
        return True
    for leaf, (kind, what) in zip(leaves, variant.trace.outputs, strict=True):
        if kind == "graph" and not (isinstance(leaf, Tensor) and not _far([(leaf, outputs[what], None)], limit)):
            return True
        if kind == "constant" and leaf is not what and not (type(leaf) is type(what) and leaf == what):
            return True
    return False


def _far(triples: list[tuple[Tensor, Tensor, Tensor | None]], limit: float) -> bool:
    """Whether what was changed differs by more than `limit` of the change, all tensors of a dtype taken together."""
    error, size = 0.0, 0.0
    for plain, ours, old in triples:
        if plain.shape != ours.shape or plain.dtype != ours.dtype:
            return True
        if not plain.numel():
            continue
        if not (plain.is_floating_point() or plain.is_complex()):
            if not torch.equal(plain, ours):
                return True
            continue
        a, b = plain.detach().double(), ours.detach().double()
        if not torch.equal(a.isfinite(), b.isfinite()):
            return True
        a, b = a.nan_to_num(0, 0, 0), b.nan_to_num(0, 0, 0)
        base = torch.zeros_like(a) if old is None else old.detach().double().nan_to_num(0, 0, 0)
        error += float((a - b).square().sum())
        size += float((a - base).square().sum()) + 1e-14 * float(a.square().sum())
    return error > limit**2 * size + 1e-24


def _ignore(_line: int, *_values: Any) -> None:
    return
