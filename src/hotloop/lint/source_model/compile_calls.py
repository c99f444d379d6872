"""What a file passes to `torch.compile`."""

import ast
from collections.abc import Iterator

from hotloop.lint.source_model.definitions import class_of, decorators, definition, method
from hotloop.lint.source_model.expressions import argument, receiver
from hotloop.lint.source_model.node_types import FunctionDef
from hotloop.lint.source_model.source_file import SourceFile


def is_compile(node: ast.AST | None, file: SourceFile) -> bool:
    """Whether a node is a call of `torch.compile`."""
    return isinstance(node, ast.Call) and file.name_of(node.func) == "torch.compile"


def compile_calls(file: SourceFile) -> list[ast.Call]:
    """All calls of `torch.compile` in a file."""
    return [call for call in file.calls("compile") if is_compile(call, file)]


def compiled_part(call: ast.Call) -> ast.expr | None:
    """What a call of `torch.compile` compiles; None where it is used as a decorator with options."""
    return argument(call, "model", 0)


def compiled_functions(file: SourceFile) -> Iterator[FunctionDef]:
    """Functions of this file whose bodies are compiled: decorated, passed to it, or the forward of such a module."""
    for function in (*file.all(ast.FunctionDef), *file.all(ast.AsyncFunctionDef)):
        if any(name == "torch.compile" for _, name in decorators(function, file)):
            yield function
    passed = [compiled_part(call) for call in compile_calls(file)]
    in_place = [receiver(call) for call in file.calls("compile") if not is_compile(call, file)]  # module.compile()
    for value in [*passed, *in_place]:
        found = definition(value, file)
        if isinstance(found, FunctionDef):
            yield found
        made = class_of(value, file)
        forward = method(made, "forward") if made is not None else None
        if forward is not None:
            yield forward


def captures_cuda_graph(file: SourceFile) -> bool:
    """Whether a file captures CUDA graphs by hand."""
    if file.calls("CUDAGraph", "make_graphed_callables"):
        return True
    return any(file.name_of(call.func) == "torch.cuda.graph" for call in file.calls("graph"))
