"""ME10: a function defined twice, with another body."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.node_types import FunctionDef


class DefinedTwice(Rule[ast.ClassDef | ast.Module]):
    code = "ME10"
    doc = RuleDoc(
        title="a function defined twice",
        why="The second definition replaces the first without a warning. Edits and tests of the first change nothing.",
        cure="Delete the one that is not meant, or give it another name.",
        not_reported="Properties, overloads, registered functions, definitions in different branches, equal bodies, "
        "and a first definition that is used before the second are not reported.",
    )
    nodes = (ast.ClassDef, ast.Module)

    def check(self, node: ast.ClassDef | ast.Module, file: SourceFile) -> Violations:
        first: dict[str, FunctionDef] = {}
        for item in node.body:
            if not isinstance(item, FunctionDef):
                continue
            before = first.get(item.name)
            if before is not None and _replaces(before, item, file):
                yield Violation(item, f"`{item.name}` was defined in line {before.lineno} already, with another body")
            first[item.name] = item


def _replaces(before: FunctionDef, item: FunctionDef, file: SourceFile) -> bool:
    if before.decorator_list or item.decorator_list or item.name == "_":
        return False
    scope = file.position(item).scope
    used = [use for use in file.uses(scope, item.name) if file.order(before) < file.order(use) < file.order(item)]
    if used or any(binding.how == "other" for binding in file.bindings(scope, item.name)):
        return False
    return [ast.dump(part) for part in before.body] != [ast.dump(part) for part in item.body]
