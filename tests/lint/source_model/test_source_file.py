"""Bindings of names, and files that cannot be read."""

import ast

import pytest

from hotloop.errors import SourceError
from hotloop.lint.source_model.source_file import parse_source, read_source


def facts(text):
    return parse_source("train.py", text)


def test_a_name_means_its_last_binding_before_the_use():
    file = facts("x = 1\nx = x + 2\nmark(x)\nx = 3\n")
    use = file.calls("mark")[0].args[0]
    assert ast.unparse(file.binding(use).value) == "x + 2"


def test_source_that_no_parser_takes_is_an_error():
    with pytest.raises(SourceError, match=r"nested too deeply|too many nested"):
        facts("x = " + "-" * 100_000 + "1")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"def f(:\n", r"bad.py:1: invalid syntax; mend"),
        (b"x = '\xff'\n", r"bad.py is not text in its encoding"),
        (b"# coding: nonsense\n", r"bad.py is not text in its encoding"),
        (b"x = 1\x00\n", r"bad.py.*(null bytes|remove the bytes)"),
    ],
)
def test_a_file_that_is_not_python_is_named(tmp_path, data, said):
    path = tmp_path / "bad.py"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=said):
        read_source(path)


def test_a_file_in_another_declared_encoding_is_read(tmp_path):
    path = tmp_path / "latin.py"
    path.write_bytes("# coding: latin-1\nx = 'é'\n".encode("latin-1"))
    assert read_source(path).text.endswith("'é'\n")
