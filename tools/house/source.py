"""The Python files of a checkout, parsed: those of its package under src/, and those of its tests."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = "hotloop"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file: where it is from the root of the checkout, its dotted name as a module, and what stands in it."""

    path: Path
    module: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The file as a syntax tree."""
        return ast.parse(self.text, filename=str(self.path))

    @cached_property
    def num_lines(self) -> int:
        """Lines of any kind, as `wc -l` counts them."""
        return len(self.text.splitlines())

    @property
    def is_package(self) -> bool:
        """Whether this file stands for its folder."""
        return self.path.name == "__init__.py"


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """What is measured: the folder of the checkout, and the files of the package and of its tests."""

    root: Path
    package: str
    sources: tuple[Source, ...]
    tests: tuple[Source, ...]


def read_checkout(root: Path, package: str = PACKAGE) -> Checkout:
    """The checkout in `root`. Raises FileNotFoundError where it has no such package under src/."""
    home = root / "src" / package
    if not home.is_dir():
        raise FileNotFoundError(f"{root} has no folder src/{package}: name the root of a checkout")
    return Checkout(
        root=root,
        package=package,
        sources=tuple(_read(root, home, within=root / "src")),
        tests=tuple(_read(root, root / "tests", within=root)),
    )


def _read(root: Path, folder: Path, *, within: Path) -> Iterator[Source]:
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(within).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield Source(path=path.relative_to(root), module=module, text=path.read_text(encoding="utf-8"))
