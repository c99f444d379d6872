"""A compiler that rewrites the graph of each root: by rules that change what it computes, and by rules that do not."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._dynamo.backends.common import aot_autograd
from torch._functorch.aot_autograd import make_boxed_func

from hotloop.compile.root_call import call_compiled
from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted

aten = torch.ops.aten
Rule = Callable[[fx.Graph, fx.Node], fx.Node | None]
FAULTS: dict[str, tuple[Rule, str]] = {}
HARMLESS: dict[str, tuple[Rule, str]] = {}


class RewrittenGraph(TransformBase):
    """Compiles each root by aot_autograd; `how` names the rule by which nodes are replaced."""

    how: str = "same"

    name = "rewritten_graph"
    stage = Stage.MODULE
    compiles = True
    roundoff = 2.0**-24

    def apply(self, site: nn.Module) -> None:
        """Compile it."""
        rule, where = (FAULTS | HARMLESS)[self.how]

        def compiler(place: str) -> Callable[..., Any]:
            def run(graph: fx.GraphModule, _inputs: Sequence[Any]) -> Any:
                if where == place or where == "both":
                    _rewrite(graph, rule)
                return make_boxed_func(graph.forward)

            return run

        def called(*args: Any, **kwargs: Any) -> Any:  # Dynamo skips frames of torch's own files
            return site._call_impl(*args, **kwargs)

        backend = aot_autograd(fw_compiler=compiler("forward"), bw_compiler=compiler("backward"))
        call_compiled(site, torch.compile(called, backend=backend))


def _rewrite(graph: fx.GraphModule, rule: Rule) -> None:
    for node in list(graph.graph.nodes):
        if node.op not in ("call_function", "output"):
            continue
        with graph.graph.inserting_before(node):
            made = rule(graph.graph, node)
        if made is not None:
            acted()
            if made is not node:
                if "val" in node.meta:
                    made.meta.setdefault("val", node.meta["val"])
                node.replace_all_uses_with(made)
    graph.graph.eliminate_dead_code()
    graph.graph.lint()
    graph.recompile()


def call(graph: fx.Graph, target: Any, *args: Any, **kwargs: Any) -> fx.Node:
    """A call in the graph."""
    return graph.call_function(target, args, kwargs)


def fault(name: str, *targets: Any, where: str = "forward") -> Callable[[Rule], Rule]:
    """Registers a rule for calls of these operators that changes what is computed."""
    return _registered(FAULTS, name, targets, where)


def harmless(name: str, *targets: Any, where: str = "both") -> Callable[[Rule], Rule]:
    """Registers a rule for calls of these operators that computes the same, rounded otherwise at most."""
    return _registered(HARMLESS, name, targets, where)


def _registered(table: dict[str, tuple[Rule, str]], name: str, targets: Any, where: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        def of_targets(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
            wanted = node.op == "output" if not targets else node.op == "call_function" and node.target in targets
            return rule(graph, node) if wanted else None

        table[name] = of_targets, where
        return rule

    return register


def value_of(node: Any) -> Tensor:
    """The fake tensor of a node."""
    return node.meta["val"]


@fault("bias dropped", aten.addmm.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return call(graph, aten.mm.default, *node.args[1:])


@fault("bias of a convolution dropped", aten.convolution.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    if node.args[2] is None:
        return None
    return call(graph, aten.convolution.default, *node.args[:2], None, *node.args[3:])


@fault("stride of padding", aten.convolution.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    padding = node.args[4]
    if not isinstance(padding, (list, tuple)) or padding[0] == 0:
        return None
    border = [side for size in reversed(padding) for side in (size, size)]
    padded = call(graph, aten.constant_pad_nd.default, node.args[0], border, 0.05)
    return call(graph, aten.convolution.default, padded, *node.args[1:4], [0] * len(padding), *node.args[5:])


@fault("relu leaks", aten.relu.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return call(graph, aten.leaky_relu.default, node.args[0], 0.01)


@fault("another gelu", aten.gelu.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    bent = call(graph, aten.sigmoid.default, call(graph, aten.mul.Tensor, node.args[0], 1.702))
    return call(graph, aten.mul.Tensor, node.args[0], bent)


@fault("tanh clipped", aten.tanh.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return call(graph, aten.clamp.default, node.args[0], -1.0, 1.0)


@fault("hard sigmoid", aten.sigmoid.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return call(graph, aten.hardsigmoid.default, node.args[0])


@fault("softmax of a scaled score", aten._softmax.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    scaled = call(graph, aten.mul.Tensor, node.args[0], 1.02)
    return call(graph, aten._softmax.default, scaled, *node.args[1:])


@fault("mask ignored", aten.masked_fill.Scalar, aten.where.self)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    kept = node.args[0] if node.target is aten.masked_fill.Scalar else node.args[2]
    assert isinstance(kept, fx.Node)
    return kept if value_of(kept).shape == value_of(node).shape else None


@fault("eps of a layer norm", aten.native_layer_norm.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return call(graph, aten.native_layer_norm.default, *node.args[:4], 1e-2)


_BATCH_NORMS = (aten._native_batch_norm_legit_functional.default,)


@fault("eps of a batch norm", *_BATCH_NORMS)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return call(graph, node.target, *node.args[:7], 1e-2)


@fault("momentum of a batch norm", *_BATCH_NORMS)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return call(graph, node.target, *node.args[:6], 0.2, *node.args[7:])


@fault("stale running statistics", *_BATCH_NORMS)
def _(_graph: fx.Graph, node: fx.Node) -> fx.Node:
    for user in list(node.users):
        if user.args[1] in (3, 4):
            user.replace_all_uses_with(node.args[user.args[1]])  # pyright: ignore[reportArgumentType]
    return node


@fault("products in bf16", aten.mm.default, aten.addmm.default, aten.bmm.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    *bias, left, right = node.args
    rounded = [
        call(graph, aten._to_copy.default, call(graph, aten._to_copy.default, part, dtype=torch.bfloat16),
             dtype=torch.float32)
        for part in (left, right)
    ]  # fmt: skip
    return call(graph, node.target, *bias, *rounded)


@fault("a residual dropped", aten.add.Tensor)
def _(_graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    left, right = node.args[:2]
    nodes = isinstance(left, fx.Node) and isinstance(right, fx.Node)
    same = nodes and value_of(left).shape == value_of(right).shape  # pyright: ignore[reportArgumentType]
    return left if same and value_of(left).dim() > 1 else None  # pyright: ignore[reportReturnType, reportArgumentType]


@fault("mean of one element less", aten.mean.dim)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    source = node.args[0]
    assert isinstance(source, fx.Node)
    size = value_of(source).numel() / max(1, value_of(node).numel())
    again = call(graph, aten.mean.dim, *node.args, **node.kwargs)
    return call(graph, aten.mul.Tensor, again, size / (size - 1))


@fault("a word read as another", aten.embedding.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    last = value_of(node.args[0]).shape[0] - 4
    return call(graph, aten.embedding.default, node.args[0], call(graph, aten.clamp.default, node.args[1], None, last))


@fault("half a leak", aten.leaky_relu.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return call(graph, aten.leaky_relu.default, node.args[0], 0.1)


@fault("elu of another scale", aten.elu.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return call(graph, aten.elu.default, node.args[0], 0.8)


def _outputs(graph: fx.Graph, node: fx.Node, change: Callable[[int, fx.Node], fx.Node]) -> fx.Node | None:
    """The output node, with the floating-point tensors that it returns changed, which are counted from 0."""
    found = node.args[0]
    assert isinstance(found, (list, tuple))
    tensors = [n for n, v in enumerate(found) if isinstance(v, fx.Node) and isinstance(v.meta.get("val"), Tensor)]
    floats = [n for n in tensors if value_of(found[n]).is_floating_point()]
    made = [change(floats.index(n), v) if n in floats else v for n, v in enumerate(found)]  # pyright: ignore[reportArgumentType]
    if all(a is b for a, b in zip(made, found, strict=True)):
        return None
    node.args = (made,)
    return node


@fault("gradients scaled", where="backward")
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return _outputs(graph, node, lambda _, value: call(graph, aten.mul.Tensor, value, 1.05))


@fault("gradients in half precision", where="backward")
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    def rounded(_: int, value: fx.Node) -> fx.Node:
        half = call(graph, aten._to_copy.default, value, dtype=torch.float16)
        return call(graph, aten._to_copy.default, half, dtype=torch.float32)

    return _outputs(graph, node, rounded)


@fault("the first gradient is zero", where="backward")
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return _outputs(graph, node, lambda n, v: call(graph, aten.zeros_like.default, v) if n == 0 else v)


@fault("a gradient with another sign", where="backward")
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return _outputs(graph, node, lambda n, v: call(graph, aten.neg.default, v) if n == 0 else v)


@fault("gradients clipped", where="backward")
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return _outputs(graph, node, lambda _, value: call(graph, aten.clamp.default, value, -1e-3, 1e-3))


@harmless("same", where="forward")
def _(_graph: fx.Graph, node: fx.Node) -> fx.Node:
    return node


@harmless("bias added behind", aten.addmm.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return call(graph, aten.add.Tensor, call(graph, aten.mm.default, *node.args[1:]), node.args[0])


@harmless("products in double", aten.mm.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    wide = [call(graph, aten._to_copy.default, part, dtype=torch.float64) for part in node.args]
    return call(graph, aten._to_copy.default, call(graph, aten.mm.default, *wide), dtype=torch.float32)


@harmless("products of the transposed", aten.mm.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    turned = [call(graph, aten.t.default, part) for part in reversed(node.args)]
    back = call(graph, aten.t.default, call(graph, aten.mm.default, *turned))
    return call(graph, aten.clone.default, back, memory_format=torch.contiguous_format)


@harmless("products in two halves", aten.mm.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    left, right = node.args
    inner = value_of(left).shape[1]
    if inner < 2:
        return None
    halves = [
        call(graph, aten.mm.default, call(graph, aten.slice.Tensor, left, 1, *part),
             call(graph, aten.slice.Tensor, right, 0, *part))
        for part in ((0, inner // 2), (inner // 2, inner))
    ]  # fmt: skip
    return call(graph, aten.add.Tensor, *halves)


@harmless("batched products by einsum", aten.bmm.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    left, right = node.args
    wide = call(graph, aten.unsqueeze.default, left, 3)
    product = call(graph, aten.mul.Tensor, wide, call(graph, aten.unsqueeze.default, right, 1))
    return call(graph, aten.sum.dim_IntList, product, [2])


@harmless("softmax written out", aten._softmax.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    source, dim = node.args[:2]
    largest = call(graph, aten.amax.default, source, [dim], True)
    powers = call(graph, aten.exp.default, call(graph, aten.sub.Tensor, source, largest))
    return call(graph, aten.div.Tensor, powers, call(graph, aten.sum.dim_IntList, powers, [dim], True))


@harmless("log softmax by logsumexp", aten._log_softmax.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return call(
        graph, aten.sub.Tensor, node.args[0], call(graph, aten.logsumexp.default, node.args[0], [node.args[1]], True)
    )


@harmless("gelu written out", aten.gelu.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    source = node.args[0]
    bent = call(graph, aten.erf.default, call(graph, aten.mul.Tensor, source, 2.0**-0.5))
    return call(
        graph, aten.mul.Tensor, call(graph, aten.mul.Tensor, source, 0.5), call(graph, aten.add.Tensor, bent, 1.0)
    )


@harmless("relu as a bound", aten.relu.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return call(graph, aten.clamp_min.default, node.args[0], 0.0)


@harmless("tanh by sigmoid", aten.tanh.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    half = call(graph, aten.sigmoid.default, call(graph, aten.mul.Tensor, node.args[0], 2.0))
    return call(graph, aten.sub.Tensor, call(graph, aten.mul.Tensor, half, 2.0), 1.0)


@harmless("sigmoid by tanh", aten.sigmoid.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    bent = call(graph, aten.tanh.default, call(graph, aten.mul.Tensor, node.args[0], 0.5))
    return call(graph, aten.mul.Tensor, call(graph, aten.add.Tensor, bent, 1.0), 0.5)


@harmless("mean as a sum", aten.mean.dim)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    source = node.args[0]
    assert isinstance(source, fx.Node)
    size = value_of(source).numel() / max(1, value_of(node).numel())
    return call(graph, aten.div.Tensor, call(graph, aten.sum.dim_IntList, *node.args), size)


@harmless("sums in double", aten.sum.dim_IntList)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    if not value_of(node).is_floating_point():
        return None
    wide = call(graph, aten._to_copy.default, node.args[0], dtype=torch.float64)
    return call(
        graph, aten._to_copy.default, call(graph, aten.sum.dim_IntList, wide, *node.args[1:]), dtype=torch.float32
    )


@harmless("sums from the other end", aten.sum.dim_IntList)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    turned = call(graph, aten.flip.default, node.args[0], node.args[1])
    return call(graph, aten.sum.dim_IntList, turned, *node.args[1:])


@harmless("products commuted", aten.mul.Tensor)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    left, right = node.args
    return call(graph, aten.mul.Tensor, right, left) if isinstance(right, fx.Node) else None


@harmless("sums commuted", aten.add.Tensor)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    left, right = node.args[:2]
    return call(graph, aten.add.Tensor, right, left) if isinstance(right, fx.Node) and not node.kwargs else None


@harmless("reciprocals for quotients", aten.div.Tensor)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    left, right = node.args
    if not isinstance(right, fx.Node):
        return None
    return call(graph, aten.mul.Tensor, left, call(graph, aten.reciprocal.default, right))


@harmless("layer norm in double", aten.native_layer_norm.default, where="forward")
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    source, shape, weight, bias, eps = node.args
    wide = [v if v is None else call(graph, aten._to_copy.default, v, dtype=torch.float64)
            for v in (source, weight, bias)]  # fmt: skip
    made = call(graph, aten.native_layer_norm.default, wide[0], shape, wide[1], wide[2], eps)
    for user in list(node.users):
        part = call(graph, user.target, made, user.args[1])
        user.replace_all_uses_with(call(graph, aten._to_copy.default, part, dtype=torch.float32))
    return node


@harmless("rows by index", aten.embedding.default)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return call(graph, aten.index.Tensor, node.args[0], [node.args[1]])


@harmless("copies of everything", aten.view.default, aten.relu.default, aten.tanh.default, aten.add.Tensor)
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    again = call(graph, node.target, *node.args, **node.kwargs)
    return call(graph, aten.clone.default, again)


@harmless("gradients copied", where="backward")
def _(graph: fx.Graph, node: fx.Node) -> fx.Node:
    return _outputs(graph, node, lambda _, value: call(graph, aten.clone.default, value))
