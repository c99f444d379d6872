"""OP04: statistics of gradients that are still scaled, or clipped already."""

import ast
import re
from collections.abc import Iterable, Iterator

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.kind_inference import Kind
from hotloop.lint.source_model.names import dotted, last_name
from hotloop.lint.source_model.source_file import SourceFile

_COLLECTS = re.compile(r"grad.*(norm|stat|health|hist)|(norm|stat|health|hist|collect|log).*grad", re.I)
_NOT_STATISTICS = re.compile(r"clip|zero|requires|no_grad|enable|normaliz|unscale|sync|accumul|checkpoint", re.I)
_FIGURES = frozenset({"norm", "abs", "mean", "max", "std", "square", "pow", "vector_norm", "_foreach_norm"})
_CLIPS = frozenset({"clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_"})


class GradientStatsScaledOrClipped:
    code = "OP04"
    page = Page(
        title="gradient statistics of scaled or clipped gradients",
        why="Between `scaler.scale(loss).backward()` and `scaler.unscale_()` gradients are thousands of times too "
        "large, and after clipping no norm is above the limit: figures taken there say nothing of the training. A "
        "limit that is applied before unscaling clips nearly everything to nothing.",
        cure="Take the figures after `scaler.unscale_(optimizer)` and before clipping.",
        traps="The norm that `clip_grad_norm_` returns is the one before clipping and is not reported.",
    )
    nodes: tuple[type[ast.AST], ...] = ()
    calls = frozenset({"backward"})
    hot_only = True

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.Call)
        hot = file.hot(node)
        if hot is None or not isinstance(node.func, ast.Attribute):
            return
        after = [part for part in file.within(hot.node) if file.order(part) > file.order(node)]
        scaled = _is_scaled(node.func.value)
        clipped = False
        for part in after:
            if not isinstance(part, ast.Call):
                continue
            name = last_name(part.func)
            if name == "step" and _updates(part, file):
                return
            if name == "unscale_":
                scaled = False
            elif name in _CLIPS:
                if scaled:
                    yield Hit(part, "gradients are clipped while they are still scaled; call `unscale_` first")
                clipped = True
            elif (scaled or clipped) and _is_figure(part, name, file):
                state = "still scaled" if scaled else "clipped already"
                yield Hit(part, f"these figures are taken of gradients that are {state}")


def _is_scaled(loss: ast.expr) -> bool:
    return isinstance(loss, ast.Call) and last_name(loss.func) == "scale" and "scaler" in dotted(loss.func).lower()


def _updates(call: ast.Call, file: SourceFile) -> bool:
    assert isinstance(call.func, ast.Attribute | ast.Name)
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    return file.kind(receiver) is Kind.OPTIMIZER or "scaler" in dotted(receiver).lower() or "optim" in dotted(receiver)


def _is_figure(call: ast.Call, name: str, file: SourceFile) -> bool:
    """Whether a call computes a figure of gradients: by its name, or `.norm()` and the like of something's `.grad`."""
    if _COLLECTS.search(name) and not _NOT_STATISTICS.search(name):
        return True
    return name in _FIGURES and any(part.attr == "grad" for part in _attributes(call, file))


def _attributes(call: ast.Call, file: SourceFile) -> Iterator[ast.Attribute]:
    for part in file.within(call):
        if isinstance(part, ast.Attribute):
            yield part
