"""lint_paths: what is slow or unsafe in these files, less what is allowed and what cost no time in a diagnosed run."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hotloop.errors import SourceError
from hotloop.finding import Finding
from hotloop.lint.allow_comments import AllowComments
from hotloop.lint.allow_list import AllowList
from hotloop.lint.allowances import DOCS, STALE
from hotloop.lint.catalogue import rules
from hotloop.lint.dispatch import Dispatch
from hotloop.lint.measured_costs import MeasuredCosts
from hotloop.lint.source_model.source_file import SourceFile, read_source
from hotloop.lint.torchfix import PREFIX, is_installed, torchfix_findings

_LEFT_OUT = frozenset({"__pycache__", "node_modules", "site-packages"})


@dataclass(frozen=True, kw_only=True)
class LintOptions:
    """What to look for. `select` and `ignore` are beginnings of codes; `torchfix` None means: where it is installed."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    allow: AllowList | None = None
    hot: MeasuredCosts | None = None
    torchfix: bool | None = None

    def wants(self, code: str) -> bool:
        """Whether findings of a code are asked for; AL01 and AL02 are, unless ignored."""
        chosen = not self.select or code in DOCS or code.startswith(self.select)
        return chosen and not code.startswith(self.ignore or ("\0",))


@dataclass(frozen=True, kw_only=True)
class LintResult:
    """What was found, by path and line, and how many files were read."""

    findings: tuple[Finding, ...]
    num_files: int


def lint_paths(paths: Iterable[Path], options: LintOptions = LintOptions()) -> LintResult:
    """All findings in the files, and in the Python files under the folders.

    Raises SourceError where a path does not exist, a folder holds no Python, a file cannot be read or parsed, or an
    option names no code.
    """
    _check(options)
    dispatch = Dispatch(rule for rule in rules() if options.wants(rule.code))
    found: list[Finding] = []
    files = list(dict.fromkeys(path for given in paths for path in python_files(given)))
    for path in files:
        found += _of_file(read_source(path), dispatch, options)
    if options.allow is not None and options.wants(STALE):
        found += options.allow.stale(dispatch.codes, [str(path) for path in files])
    return LintResult(findings=tuple(found), num_files=len(files))


def python_files(given: Path) -> Iterator[Path]:
    """The file itself, or the Python files under a folder, sorted; hidden folders and environments are left out."""
    if given.suffix == ".ipynb":
        raise SourceError(f"{given} is a notebook; convert it with `jupyter nbconvert --to script` and lint that")
    if given.is_file():
        yield given
        return
    if not given.is_dir():
        raise SourceError(f"{given} does not exist; give Python files or folders that hold some")
    inside: list[Path] = []
    for path in sorted(given.rglob("*.py")):
        folders = path.relative_to(given).parts[:-1]
        if path.is_file() and not any(part in _LEFT_OUT or part.startswith(".") for part in folders):
            inside.append(path)
    if not inside:
        raise SourceError(f"{given} holds no Python files; give another folder")
    yield from inside


def _of_file(file: SourceFile, dispatch: Dispatch, options: LintOptions) -> list[Finding]:
    comments = AllowComments(file)
    found = dispatch.findings(file)
    codes = set(dispatch.codes)
    runs_torchfix = options.torchfix
    if runs_torchfix is None:
        wanted = not options.select or any(code.startswith(PREFIX) for code in options.select)
        runs_torchfix = wanted and is_installed()
    if runs_torchfix:
        theirs = [finding for finding in torchfix_findings(file) if options.wants(finding.code)]
        codes |= {finding.code for finding in theirs}
        found = sorted(found + theirs, key=lambda finding: (finding.line, finding.column, finding.code))
    kept = [finding for finding in found if not comments.allows(finding)]
    if options.allow is not None:
        kept = [finding for finding in kept if not options.allow.allows(finding)]
    if options.hot is not None:
        kept = [hot for finding in kept if (hot := options.hot.keep(finding)) is not None]
    about_allowances = [*comments.findings, *comments.stale(codes)]
    return kept + [finding for finding in about_allowances if options.wants(finding.code)]


def _check(options: LintOptions) -> None:
    """Refuse beginnings that no code has, so that a misspelt option never passes for a clean file."""
    known = [*(rule.code for rule in rules()), *DOCS]
    for start in (*options.select, *options.ignore):
        if not start.startswith(PREFIX) and not any(code.startswith(start) for code in known):
            families = ", ".join(sorted({code[:2] for code in known} | {PREFIX}))
            raise SourceError(
                f"no code starts with {start!r}; families are {families}; `hotloop lint --list` has all codes"
            )
