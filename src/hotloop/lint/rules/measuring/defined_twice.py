"""ME10: a function defined twice, with another body."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.source_file import SourceFile

_Def = ast.FunctionDef | ast.AsyncFunctionDef


class DefinedTwice:
    code = "ME10"
    page = Page(
        title="a function defined twice",
        why="The second definition replaces the first without a word. Edits and tests of the first change nothing.",
        cure="Delete the one that is not meant, or give it another name.",
        traps="Properties, overloads, registered functions, definitions in different branches, equal bodies, and a "
        "first definition that is used before the second are not reported.",
    )
    nodes: tuple[type[ast.AST], ...] = (ast.ClassDef, ast.Module)
    calls: frozenset[str] = frozenset()
    hot_only = False

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, (ast.ClassDef, ast.Module))
        first: dict[str, _Def] = {}
        for item in node.body:
            if not isinstance(item, _Def):
                continue
            before = first.get(item.name)
            if before is not None and _replaces(before, item, file):
                yield Hit(item, f"`{item.name}` was defined in line {before.lineno} already, with another body")
            first[item.name] = item


def _replaces(before: _Def, item: _Def, file: SourceFile) -> bool:
    if before.decorator_list or item.decorator_list or item.name == "_":
        return False
    scope = file.place(item).scope
    used = [use for use in file.uses(scope, item.name) if file.order(before) < file.order(use) < file.order(item)]
    bound = file.bindings(scope, item.name)
    if used or any(binding.how == "other" for binding in bound):
        return False
    return [ast.dump(part) for part in before.body] != [ast.dump(part) for part in item.body]
