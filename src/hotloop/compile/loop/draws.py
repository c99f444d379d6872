"""Random numbers of a traced region: drawn before its graph, one after the other, as the plain program draws them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils._python_dispatch import TorchDispatchMode

from hotloop.errors import NotApplicable

_FROM_NOTHING = ("rand", "randn", "randint", "randperm", "normal")
_LIKE = ("rand_like", "randn_like", "randint_like")
_IN_PLACE = ("bernoulli_", "uniform_", "normal_", "exponential_", "random_", "log_normal_", "cauchy_", "geometric_")


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One operator that draws, with its arguments; the tensor among them is made anew, since only its shape counts.

    `call` is the number of the outermost module call in which it is drawn, -1 outside of all.
    """

    operator: Callable[..., Tensor]
    make: Callable[[], Tensor] | None
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    call: int

    def __call__(self) -> Tensor:
        """Draw."""
        if self.make is None:
            return self.operator(*self.arguments, **self.keywords)
        return self.operator(self.make(), *self.arguments, **self.keywords)


class RecordedDraws(TorchDispatchMode):
    """Copies of what is drawn from torch's own stream while inside, in order.

    A draw from another generator is not the step's (`take_draws` refuses such): a watched run makes sketches by them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the operator, and keep what it has drawn."""
        result = func(*args, **(kwargs or {}))
        name = str(func.overloadpacket).rpartition(".")[2]
        is_own = (kwargs or {}).get("generator") is None
        if is_own and torch.Tag.nondeterministic_seeded in func.tags and name in (*_FROM_NOTHING, *_LIKE, *_IN_PLACE):
            self.drawn.append(result.detach().clone())
        return result


def take_draws(graph: fx.GraphModule, call_of: Callable[[str], int]) -> list[Draw]:
    """Make inputs of all that is drawn in the graph, behind its other inputs.

    Raises NotApplicable for an operator whose draw depends on the value of a tensor.
    """
    draws: list[Draw] = []
    last = [node for node in graph.graph.nodes if node.op == "placeholder"][-1]
    for node in list(graph.graph.nodes):
        if node.op != "call_function" or torch.Tag.nondeterministic_seeded not in getattr(node.target, "tags", ()):
            continue
        if _is_idle(node):
            continue
        draws.append(_as_draw(node, call_of(node.name)))
        with graph.graph.inserting_after(last):
            drawn = graph.graph.placeholder(f"drawn_{len(draws)}")
        drawn.meta["val"] = node.meta["val"]
        node.replace_all_uses_with(drawn)
        if str(node.target.overloadpacket).rpartition(".")[2] in _IN_PLACE:
            _check_only_use(node)
        graph.graph.erase_node(node)
        last = drawn
    graph.recompile()
    return draws


def _is_idle(node: fx.Node) -> bool:
    """Whether an operator that may drop out is called with a rate of zero."""
    target: Any = node.target
    names = [argument.name for argument in target._schema.arguments]
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    return "dropout_p" in names and bool(given.get("dropout_p", 0.0) == 0.0)


def _as_draw(node: fx.Node, call: int) -> Draw:
    target: Any = node.target
    name = str(target.overloadpacket).rpartition(".")[2]
    has_tensor = bool(node.args) and isinstance(node.args[0], fx.Node)
    others = [*(node.args[1:] if has_tensor else node.args), *node.kwargs.values()]
    if any(isinstance(a, fx.Node) for a in others) or name not in (*_FROM_NOTHING, *_LIKE, *_IN_PLACE):
        raise NotApplicable(f"it draws random numbers by {name}, which depend on a tensor")
    if has_tensor == (name in _FROM_NOTHING):
        raise NotApplicable(f"it draws random numbers by {name}, which depend on a tensor")
    if node.kwargs.get("generator") is not None:
        raise NotApplicable("it draws random numbers from a generator of its own")
    if not has_tensor:
        return Draw(operator=target, make=None, arguments=tuple(node.args), keywords=dict(node.kwargs), call=call)
    given: Any = node.args[0]
    value: Any = given.meta["val"]
    facts = (tuple(value.shape), value.stride(), value.dtype, value.device)
    return Draw(
        operator=target,
        make=lambda: torch.empty_strided(facts[0], facts[1], dtype=facts[2], device=facts[3]),
        arguments=tuple(node.args[1:]),
        keywords=dict(node.kwargs),
        call=call,
    )


def _check_only_use(node: fx.Node) -> None:
    given: Any = node.args[0]
    is_fresh = given.op == "call_function" and "empty" in str(given.target)
    if not is_fresh or any(user is not node for user in given.users):
        raise NotApplicable("it fills a tensor with random numbers that is used elsewhere too")
