"""The rules as flake8 plug-ins, one for each family, with an H before the code: HSY01.

flake8 wants a prefix of at most three letters for each plug-in and picks plug-ins by it; the file is read once for
all families.
"""

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, ClassVar

from hotloop.lint.allow_comments import AllowComments
from hotloop.lint.catalogue import rules
from hotloop.lint.dispatch import Dispatch
from hotloop.lint.source_model.source_file import SourceFile
from hotloop.version import __version__

Row = tuple[int, int, str, type[Any]]


class FamilyPlugin:
    """What flake8 makes for each file, with its own tree and lines, and then runs."""

    name = "hotloop"
    version = __version__
    family: ClassVar[str]

    def __init__(self, tree: ast.Module, filename: str, lines: list[str]) -> None:
        self._tree = tree
        self._path = filename
        self._text = "".join(lines)

    def run(self) -> Iterator[Row]:
        """The findings of this family, in flake8's own form."""
        file = _facts(self._path, self._text)
        comments = AllowComments(file)
        for finding in _dispatch(self.family).findings(file):
            if not comments.allows(finding):
                yield finding.line, finding.column, f"H{finding.code} {finding.message}. {finding.cure}", type(self)


@lru_cache(maxsize=1)
def _facts(path: str, text: str) -> SourceFile:
    return SourceFile(path, text, ast.parse(text))


@lru_cache
def _dispatch(family: str) -> Dispatch:
    return Dispatch(rule for rule in rules() if rule.code.startswith(family))


class SyncPlugin(FamilyPlugin):
    family = "SY"


class DataPlugin(FamilyPlugin):
    family = "DA"


class CompilePlugin(FamilyPlugin):
    family = "CO"


class OptimizerPlugin(FamilyPlugin):
    family = "OP"


class MeasuringPlugin(FamilyPlugin):
    family = "ME"
