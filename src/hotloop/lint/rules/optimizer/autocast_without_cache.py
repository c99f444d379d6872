"""OP08: autocast that casts the same weights again and again."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.arguments import argument, is_literal
from hotloop.lint.source_model.names import last_name
from hotloop.lint.source_model.source_file import SourceFile


class AutocastWithoutCache:
    code = "OP08"
    page = Page(
        title="autocast without its cache of weights",
        why="With `cache_enabled=False` a weight that is used several times in one forward is cast each time.",
        cure="Leave `cache_enabled` alone.",
        dynamic="Casts (`_to_copy`) in each step against the number of weights, in `hotloop diagnose`.",
        traps="The capture of CUDA graphs needs the cache off: files that capture them are not reported.",
    )
    nodes: tuple[type[ast.AST], ...] = (ast.keyword,)
    calls: frozenset[str] = frozenset()
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.keyword)
        call = file.parent(node)
        if node.arg != "cache_enabled" or not is_literal(node.value, False) or not isinstance(call, ast.Call):
            return
        if last_name(call.func) != "autocast" or is_literal(argument(call, "enabled"), False):
            return
        graphs = [*file.calls("CUDAGraph", "make_graphed_callables", "CUDAGraph"), *file.calls("graph")]
        if not any(file.name_of(graph.func).startswith("torch.cuda.") for graph in graphs):
            yield Hit(call, "autocast casts the same weights again at each use")
