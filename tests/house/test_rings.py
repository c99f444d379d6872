from tools.house.rings import rings_of_modules, rings_of_rooms

LAZY = "def f():\n    from tiny.a import one\n    return one\n"
TYPED = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tiny.b import two\n"


def test_imports_in_functions_and_for_type_checkers_close_a_ring(write):
    checkout = write(
        {
            "src/tiny/a/__init__.py": "",
            "src/tiny/b/__init__.py": "",
            "src/tiny/a/one.py": TYPED,
            "src/tiny/b/two.py": LAZY,
        }
    )
    (ring,) = rings_of_modules(checkout)
    assert ring.members == ("tiny.a.one", "tiny.b.two")
    assert [str(found) for found in ring.imports] == [
        "src/tiny/a/one.py:3: imports tiny.b.two",
        "src/tiny/b/two.py:2: imports tiny.a.one",
    ]


def test_rooms_can_form_a_ring_where_their_modules_do_not(write):
    checkout = write(
        {
            "src/tiny/a/__init__.py": "",
            "src/tiny/b/__init__.py": "",
            "src/tiny/a/one.py": "import tiny.b.low",
            "src/tiny/a/low.py": "",
            "src/tiny/b/two.py": "import tiny.a.low",
            "src/tiny/b/low.py": "",
        }
    )
    assert not rings_of_modules(checkout)
    (ring,) = rings_of_rooms(checkout)
    assert ring.members == ("tiny.a", "tiny.b")
    assert len(ring.imports) == 2
