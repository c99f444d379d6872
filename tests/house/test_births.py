import pytest

from tools.house.births import late_attributes

LATE = """
    class Thing:
        def __init__(self):
            self.size = 1

        def grow(self):
            self.size, self.speed = 2, 3

        def grow_again(self):
            self.speed = 4
"""


def test_the_first_assignment_outside_a_maker_is_named_once(write):
    found = late_attributes(write({"src/tiny/a.py": LATE}))
    assert [str(offender) for offender in found] == ["src/tiny/a.py:7: Thing.speed is born outside __init__"]


@pytest.mark.parametrize(
    "body",
    [
        "    speed: int = 0",
        "    speed = 0",
        "    __slots__ = ('speed',)",
        "    def __init__(self):\n        with self.lock:\n            self.speed = 0",
        "    def __post_init__(self):\n        self.speed: int = 0",
        "    @property\n    def speed(self): ...",
    ],
)
def test_what_a_class_body_or_a_maker_names_is_born(write, body):
    checkout = write({"src/tiny/a.py": f"class Thing:\n{body}\n    def grow(self):\n        self.speed = 1\n"})
    assert not late_attributes(checkout)


def test_what_a_base_of_another_module_bears_is_born(write):
    child = "from tiny.a import Base\nclass Child(Base[int]):\n    def grow(self):\n        self.size = 2\n"
    base = "class Base:\n    def __init__(self):\n        self.size = 1\n"
    assert not late_attributes(write({"src/tiny/a.py": base, "src/tiny/b.py": child}))


def test_a_context_of_a_static_method_and_what_fit_learns_are_left_out(write):
    text = """
        class Thing:
            @staticmethod
            def forward(ctx):
                ctx.mode = 1

            def fit(self):
                self.coef_ = 1
    """
    assert not late_attributes(write({"src/tiny/a.py": text}))
