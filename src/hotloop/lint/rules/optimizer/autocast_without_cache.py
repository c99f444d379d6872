"""OP08: autocast that casts the same weights again and again."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.compile_calls import captures_cuda_graph
from hotloop.lint.source_model.expressions import argument, is_literal


class AutocastWithoutCache(Rule[ast.Call]):
    code = "OP08"
    doc = RuleDoc(
        title="autocast without its cache of weights",
        why="With `cache_enabled=False` a weight that is used several times in one forward is cast each time.",
        cure="Leave `cache_enabled` alone.",
        at_runtime="Casts (`_to_copy`) in each step against the number of weights, in `hotloop diagnose`.",
        not_reported="The capture of CUDA graphs needs the cache off: files that capture them are not reported.",
    )
    calls = frozenset({"autocast"})

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        switched_off = is_literal(argument(node, "enabled"), False)
        if is_literal(argument(node, "cache_enabled"), False) and not switched_off and not captures_cuda_graph(file):
            yield Violation(node, "autocast casts the same weights again at each use")
