import pytest

from tools.house.private_names import reached_private_names

THING = """
    import torch

    def _helper(): pass

    class Thing:
        _count: int

        def __init__(self):
            self._size = 1
            torch._hidden = 2

        def _grow(self): pass
"""


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ("from tiny.room.thing import _helper", "tiny.room.thing._helper"),
        ("from tiny.room._inner import thing", "tiny.room._inner.thing"),
        ("from tiny.room import thing\nthing._helper()", "tiny.room.thing._helper"),
        ("import tiny.room.thing\ntiny.room.thing._helper()", "tiny.room.thing._helper"),
        ("import tiny.room.thing as t\nmine = t\nmine._helper()", "tiny.room.thing._helper"),
        ("from tiny.room.thing import Thing\nThing._grow", "tiny.room.thing.Thing._grow"),
        ("def test(thing):\n    assert thing._size", "._size"),
        ("def test(thing):\n    thing._count = 2", "._count"),
        ("from tiny.room import thing\npatch.setattr(thing, '_helper', 1)", "tiny.room.thing._helper"),
        ("patch.setattr('tiny.room.thing._helper', 1)", "tiny.room.thing._helper"),
        ("def test(thing):\n    getattr(thing, '_size')", "._size"),
    ],
)
def test_a_private_name_is_found_however_it_is_reached(write, lines, name):
    checkout = write({"src/tiny/room/__init__.py": "", "src/tiny/room/thing.py": THING, "tests/test_a.py": lines})
    found = {offender.what for offender in reached_private_names(checkout)}
    assert found == {f"reaches for {name}"}


@pytest.mark.parametrize(
    "lines",
    [
        "from tiny.room.thing import Thing\nThing().__init__()",
        "import torch\ntorch.Thing._grow()",
        "import torch\nthing = torch.thing\nthing._grow()",
        "class Fake:\n    def __init__(self):\n        self._size = 1",
        "def test(job):\n    job._hidden = True",
        "for _ in range(3): pass",
    ],
)
def test_names_that_are_not_ours_or_not_private_are_let_through(write, lines):
    checkout = write({"src/tiny/room/__init__.py": "", "src/tiny/room/thing.py": THING, "tests/test_a.py": lines})
    assert not reached_private_names(checkout)
