"""Runs TorchFix, where it is installed, over a file that is already read; its codes start with TOR."""

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

from hotloop.errors import SourceError
from hotloop.finding import Finding
from hotloop.lint.source_model.source_file import SourceFile

PREFIX = "TOR"
# Off by default in TorchFix too, except TOR401 (a loader without workers), which is our DA06.
_LEFT_OUT = ("TOR3", "TOR9")
_USUAL_CURE = "Run `torchfix --fix` for those it can mend; its documentation has a section for each code."
_CURES = {"TOR401": "Give the loader `num_workers` if `hotloop diagnose` sees the step wait for data."}


def is_installed() -> bool:
    """Whether TorchFix can be imported; nothing is imported to find out."""
    return importlib.util.find_spec("torchfix") is not None


def torchfix_findings(file: SourceFile) -> list[Finding]:
    """What TorchFix finds in a file, by line. Raises SourceError where it cannot read what Python could."""
    if not is_installed():
        raise SourceError("TorchFix was asked for, but is not installed: pip install 'hotloop[torchfix]'")
    import libcst

    try:
        return sorted(_findings(file), key=lambda finding: (finding.line, finding.column, finding.code))
    except libcst.ParserSyntaxError as error:
        raise SourceError(f"{file.path}: TorchFix cannot read it: {error.message}; run with --no-torchfix") from None


def _findings(file: SourceFile) -> Iterator[Finding]:
    module = importlib.import_module("torchfix.torchfix")  # by name: it is optional, and has no types
    checker: Any = module.TorchChecker(None, file.text.splitlines(keepends=True))
    for line, column, said, *_ in checker.run():
        code, _, message = str(said).partition(" ")
        if not code.startswith(_LEFT_OUT):
            cure = _CURES.get(code, _USUAL_CURE)
            yield Finding(code=code, path=file.path, line=int(line), column=int(column), message=message, cure=cure)
