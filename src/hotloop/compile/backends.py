"""What becomes of a traced step: run as it is, or compiled by inductor."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, fx

Backend = Literal["inductor", "aten"]
Compiled = Callable[[list[Tensor]], Sequence[Tensor]]
_SMALL = 2**15


def compile_graph(graph: fx.GraphModule, inputs: list[Tensor], *, num_static: int, backend: Backend) -> Compiled:
    """A function of the list of inputs, which it empties, that returns the outputs and updates the inputs in place.

    "aten" runs the operations one by one: as slow as eager, for tests of the capture itself. The first `num_static`
    inputs are the same tensors in each call. Must be called without gradients enabled.
    """
    if backend == "aten":
        return lambda flat: graph(*flat)
    with torch.no_grad():
        return _compile_with_inductor(graph, inputs, num_static)


def _compile_with_inductor(graph: fx.GraphModule, inputs: list[Tensor], num_static: int) -> Compiled:
    # Inductor is imported here, because its import costs seconds.
    from torch._functorch.compile_utils import fx_graph_cse
    from torch._guards import TracingContext, tracing
    from torch._inductor import config
    from torch._inductor.compile_fx import compile_fx_inner
    from torch._inductor.decomposition import select_decomp_table
    from torch._inductor.fx_passes.joint_graph import joint_graph_passes
    from torch.fx.experimental.proxy_tensor import make_fx

    pure = make_fx(torch.func.functionalize(graph), tracing_mode="fake", decomposition_table=select_decomp_table())
    functional = pure(*[tensor.detach() for tensor in inputs])
    functional.graph.eliminate_dead_code()
    # Merges what each parameter's update computes anew, such as the powers of beta.
    functional = fx.GraphModule(functional, fx_graph_cse(functional.graph))
    inline_small_products(functional)
    fakes: list[Any] = [node.meta["val"] for node in functional.graph.nodes if node.op == "placeholder"]
    fake_mode = fakes[0].fake_mode
    # The guards of a captured step have already compared shapes and strides.
    quiet = config.patch(size_asserts=False, nan_asserts=False, alignment_asserts=False)
    with quiet, tracing(TracingContext(fake_mode)), fake_mode:
        joint_graph_passes(functional)
        _realize_powers(functional)
        output = compile_fx_inner(functional, fakes, static_input_idxs=tuple(range(num_static)))
    # The attribute that the output's own __call__ calls, without its bookkeeping of about a microsecond.
    return getattr(output, "current_callable", None) or output


def inline_small_products(graph: fx.GraphModule) -> None:
    """Writes tiny matrix products on the CPU as sums, which inductor fuses with what surrounds them.

    A call of the BLAS from Python costs microseconds, whatever its size; below `_SMALL` multiplications a loop is less.
    """
    aten = torch.ops.aten
    for node in list(graph.graph.nodes):
        if node.target not in (aten.mm.default, aten.addmm.default) or node.kwargs:
            continue
        *bias, left, right = node.args
        if len(node.args) > 3 or not _is_small(left.meta["val"], right.meta["val"]):
            continue
        with graph.graph.inserting_before(node):
            product = _call(graph.graph, aten.unsqueeze.default, left, 2)
            factor = _call(graph.graph, aten.unsqueeze.default, right, 0)
            product = _call(graph.graph, aten.mul.Tensor, product, factor)
            product = _call(graph.graph, aten.sum.dim_IntList, product, [1])
            if bias:
                product = _call(graph.graph, aten.add.Tensor, product, bias[0])
        node.replace_all_uses_with(product)
        graph.graph.erase_node(node)
    graph.recompile()


def _is_small(left: Tensor, right: Tensor) -> bool:
    is_plain = left.device.type == "cpu" and left.dtype is torch.float32
    return is_plain and left.shape[0] * left.shape[1] * right.shape[1] <= _SMALL


def _call(graph: fx.Graph, target: Callable[..., Any], *args: Any) -> fx.Node:
    """A call in the graph, with the fake tensor that it gives."""
    node = graph.call_function(target, args)
    values = [arg.meta["val"] if isinstance(arg, fx.Node) else arg for arg in args]
    node.meta["val"] = target(*values)
    return node


def _realize_powers(graph: fx.GraphModule) -> None:
    """Gives each power of a scalar a buffer of its own.

    Inductor would inline beta ** step into the loop over a parameter's elements, where the compiler cannot hoist it:
    AdamW on a million elements was half again as slow (seen by hand, torch 2.13, one core). as_strided forces a buffer.
    """
    for node in list(graph.graph.nodes):
        if node.target is torch.ops.aten.pow.Scalar and node.meta["val"].dim() == 0:
            with graph.graph.inserting_after(node):
                buffer = graph.graph.call_function(torch.ops.aten.as_strided.default, (node, [], []))
            buffer.meta.update(node.meta)
            node.replace_all_uses_with(buffer)
            buffer.replace_input_with(buffer, node)
    graph.recompile()
