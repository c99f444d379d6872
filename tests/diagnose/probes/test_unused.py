import pytest

from ..conftest import PROGRAMS, marked

PROGRAM_ARGUMENTS = [
    ("costs.py",),
    ("workers.py", "--context", "fork"),
    ("workers.py", "--context", "spawn", "--persistent"),
]


@pytest.mark.parametrize("program", PROGRAM_ARGUMENTS, ids=["no worker", "fork", "spawn"])
def test_a_batch_that_nothing_used_is_found_at_its_line(diagnosed, program):
    name, *arguments = program
    (line,) = marked(PROGRAMS / name, "DA12")
    first, *_ = [f for f in diagnosed(PROGRAMS / name, *arguments).findings if f.code == "DA12"]
    assert (first.path, first.line) == (str(PROGRAMS / name), line)
