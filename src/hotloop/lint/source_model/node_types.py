"""Unions of ast node types that belong together, for annotations and `isinstance`."""

import ast

FunctionDef = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
ForLoop = ast.For | ast.AsyncFor
LoopNode = ForLoop | ast.While | Comprehension
ScopeNode = ast.Module | ast.ClassDef | FunctionDef | ast.Lambda | Comprehension


def iterations(loop: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """What a for loop or comprehension iterates over, each with the target that takes an element; [] for others."""
    if isinstance(loop, ForLoop):
        return [(loop.iter, loop.target)]
    if isinstance(loop, Comprehension):
        return [(generator.iter, generator.target) for generator in loop.generators]
    return []
