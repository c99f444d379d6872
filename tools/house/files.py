"""How long files are: in all lines, and in those that are code."""

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator

from tools.house.functions import Definition
from tools.house.offender import Offender
from tools.house.source import Source

MOST_LINES = 400

_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def long_files(sources: Iterable[Source], most: int = MOST_LINES) -> list[Offender]:
    """Files of more lines than `most`."""
    return [
        Offender(path=source.path, line=0, what=f"{source.num_lines} lines")
        for source in sources
        if source.num_lines > most
    ]


def num_code_lines(source: Source) -> int:
    """Lines that hold code: none that is empty, a comment, or part of a docstring."""
    tokens = tokenize.generate_tokens(io.StringIO(source.text).readline)
    lines = {line for token in tokens if token.type not in _NO_CODE for line in range(token.start[0], token.end[0] + 1)}
    return len(lines.difference(*_docstrings(source)))


def _docstrings(source: Source) -> Iterator[range]:
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | Definition)
            and ast.get_docstring(node, clean=False) is not None
        ):
            yield range(node.body[0].lineno, (node.body[0].end_lineno or node.body[0].lineno) + 1)
