"""SY06: a log line that reads tensors is put under `if logger.isEnabledFor(level):`."""

import ast

import libcst as cst

from hotloop.lint.patches.concrete_source import ConcreteSource
from hotloop.lint.patches.edits import Edits, NotExact
from hotloop.lint.patches.fixer import Fixer
from hotloop.lint.source_model.expressions import dotted, values_given, words
from hotloop.lint.source_model.source_file import SourceFile

_LEVELS = {"debug": "DEBUG", "info": "INFO", "warning": "WARNING"}
_PURE = words("item mean sum max min norm std var abs detach cpu tolist float int round len square sqrt numel size dim")


class GuardedLog(Fixer[ast.Call]):
    """Exact: the line is written as before where its level is on, and only reads are left out where it is off.

    The text stays as it is: `%`-formatting is not always the same as an f-string.
    """

    code = "SY06"
    node = ast.Call
    calls = frozenset(_LEVELS)

    def edits(self, node: ast.Call, source: ConcreteSource) -> Edits:
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
    binding = file.binding(receiver) if name else None
    made = binding.value if binding is not None and binding.how == "assign" else None
    if not isinstance(made, ast.Call) or file.name_of(made.func) != "logging.getLogger":
        raise NotExact("this file does not show that this is a logger of `logging`")
    if any(binding.name == "logging" and binding.how != "import" for binding in file.all_bindings()):
        raise NotExact("the file calls something else `logging`")


def _check_reads(node: ast.Call, file: SourceFile) -> None:
    for given in values_given(node):
        if file.within(given, ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom):
            raise NotExact("computing the text changes something")
        if file.called_in(given) - _PURE:
            raise NotExact("computing the text calls something that may do more than read")
