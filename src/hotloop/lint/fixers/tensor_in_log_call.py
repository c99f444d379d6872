"""SY06: a log line that reads tensors is put under `if logger.isEnabledFor(level):`."""

import ast

import libcst as cst

from hotloop.lint.patches.edits import Edits, NotExact, Source
from hotloop.lint.source_model.names import dotted, words
from hotloop.lint.source_model.source_file import SourceFile

_LEVELS = {"debug": "DEBUG", "info": "INFO", "warning": "WARNING"}
_PURE = words("item mean sum max min norm std var abs detach cpu tolist float int round len square sqrt numel size dim")


class GuardedLog:
    """Exact: the line is written as before where its level is on, and only reads are left out where it is off.

    The text stays as it is: `%`-formatting is not always the same as an f-string.
    """

    code = "SY06"
    node = ast.Call
    calls = frozenset(_LEVELS)

    def edits(self, node: ast.Call, source: Source) -> Edits:
        file = source.file
        statement = file.parent(node)
        assert isinstance(node.func, ast.Attribute)
        logger = dotted(node.func.value)
        if not isinstance(statement, ast.Expr):
            raise NotExact("the call is not a statement of its own")
        _check_logger(node.func.value, logger, file)
        _check_reads(node, file)
        line = source.line_of(statement)
        test = cst.parse_expression(f"{logger}.isEnabledFor(logging.{_LEVELS[node.func.attr]})")
        return Edits(
            subject=node,
            replace={line: lambda updated: _guarded(updated, test)},
            imports={("logging", "")},
        )


def _guarded(line: cst.SimpleStatementLine, test: cst.BaseExpression) -> cst.If:
    inner = line.with_changes(leading_lines=())
    return cst.If(test=test, body=cst.IndentedBlock(body=[inner]), leading_lines=line.leading_lines)


def _check_logger(receiver: ast.expr, name: str, file: SourceFile) -> None:
    bound = file.binding(receiver) if name else None
    made = bound.value if bound is not None and bound.how == "assign" else None
    if not isinstance(made, ast.Call) or file.name_of(made.func) != "logging.getLogger":
        raise NotExact("that this is a logger of `logging` is not in sight")
    if any(binding.name == "logging" and binding.how != "import" for binding in file.walk.bindings()):
        raise NotExact("the file calls something else `logging`")


def _check_reads(node: ast.Call, file: SourceFile) -> None:
    """Raise NotExact where computing the text does more than read."""
    for given in [*node.args, *(word.value for word in node.keywords)]:
        for part in file.within(given):
            if isinstance(part, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)):
                raise NotExact("computing the text changes something")
            if isinstance(part, ast.Call) and dotted(part.func).rpartition(".")[2] not in _PURE:
                name = part.func.attr if isinstance(part.func, ast.Attribute) else ""
                if name not in _PURE:
                    raise NotExact("computing the text calls something that may do more than read")
