"""Where old words of the glossary still stand in the package."""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from tools.house.glossary import OLD_WORDS, Allowed, OldWord
from tools.house.offender import Offender
from tools.house.source import Checkout

_TEXT = {".py", ".cpp", ".h", ".html", ".css", ".js", ".md", ".toml"}


def found_old_words(checkout: Checkout, words: Iterable[OldWord] = OLD_WORDS) -> list[Offender]:
    """Each line of the package's text files that holds an old word, once for each of them; names of files count too."""
    words, home = tuple(words), checkout.root / "src" / checkout.package
    return [
        Offender(path=path.relative_to(checkout.root), line=number, what=f"{found!r}: say {old.say}")
        for path in sorted(home.rglob("*"))
        if path.suffix in _TEXT
        for old, allowed in _of_file(path.relative_to(home).as_posix(), words)
        for number, line in _lines(path, home)
        for found in _unexcused(line, old, allowed)
    ]


def _of_file(name: str, words: tuple[OldWord, ...]) -> Iterator[tuple[OldWord, list[Allowed]]]:
    for old in words:
        if _is_among(name, old.files):
            yield old, [allowed for allowed in old.allowed if _is_among(name, allowed.files)]


def _is_among(name: str, files: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in files)


def _lines(path: Path, home: Path) -> Iterator[tuple[int, str]]:
    """The name of the file as line 0, then its lines."""
    yield 0, path.relative_to(home).as_posix()
    yield from enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)


def _unexcused(line: str, old: OldWord, allowed: list[Allowed]) -> list[str]:
    for use in allowed:
        line = re.sub(use.pattern, "", line)
    return sorted({match.group() for match in re.finditer(old.pattern, line)})
