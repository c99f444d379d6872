"""A tiny checkout, written for one test."""

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from tools.house.source import Checkout, read_checkout

Write = Callable[[Mapping[str, str]], Checkout]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files, named from the root of a checkout, beside an empty package `tiny`, and reads the checkout."""

    def written(files: Mapping[str, str]) -> Checkout:
        for name, text in {"src/tiny/__init__.py": "", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        return read_checkout(tmp_path, "tiny")

    return written
