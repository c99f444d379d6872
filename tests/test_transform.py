import types
from dataclasses import FrozenInstanceError
from typing import Annotated, Literal

import pytest

from hotloop import registry
from hotloop.errors import PlanError
from hotloop.option import AtLeast
from hotloop.transform import (
    Plan,
    Promise,
    Stage,
    TransformBase,
    affects_phases,
    compiles,
    describe,
    load_plan,
    short_name,
)
from hotloop.transforms.allocator import Allocator
from hotloop.transforms.autocast import Autocast
from hotloop.transforms.compile import Compile
from hotloop.transforms.fused_optimizer import FusedOptimizer


class Clipped(TransformBase):
    """What a third party writes."""

    how: Literal["norm", "value"] = "norm"
    repeats: Annotated[int, AtLeast(1)] = 1
    label: str | None = None

    name = "clipped"
    stage = Stage.MODULE

    def apply(self, site):
        """Do nothing."""


class Alone:
    """What a third party may write without the base, and without any option."""

    name = "alone"
    stage = Stage.TORCH
    promise = Promise.EXACT
    roundoff = 0.0


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
        return tmp_path / "plan.toml"

    return write


def test_a_plan_is_in_the_order_of_the_stages():
    plan = Plan((Compile(), FusedOptimizer(), Allocator()))
    assert [transform.name for transform in plan.transforms] == ["allocator", "fused_optimizer", "compile"]


def test_a_plan_holds_each_transform_once():
    with pytest.raises(PlanError, match="compile more than once; drop one"):
        Plan((Compile(), Compile(mode="max-autotune")))


def test_with_replaces_one_of_the_same_name():
    plan = Plan((FusedOptimizer(),)).with_(FusedOptimizer(implementation="foreach"))
    assert plan.transforms == (FusedOptimizer(implementation="foreach"),)


def test_without_takes_one_out_and_leaves_the_plan_as_it_was():
    plan = Plan((FusedOptimizer(), Compile()))
    assert plan.without("compile") == Plan((FusedOptimizer(),))
    assert len(plan.transforms) == 2


def test_a_plan_promises_what_its_weakest_part_does():
    assert Plan().promise is Promise.EXACT
    assert Plan((Allocator(), Autocast())).promise is Promise.CLOSE
    assert Plan((Allocator(), Autocast())).roundoff == 2.0**-9


def test_titles_name_the_options():
    assert Plan().title == "nothing"
    assert describe(FusedOptimizer()) == "fused_optimizer(implementation=fused)"
    assert Plan((Autocast(), Compile())).title == "autocast(dtype=bfloat16) + compile(mode=default)"


def test_short_titles_say_what_people_call_it():
    assert Plan().short_title == "nothing"
    assert Plan((Allocator(), Autocast(), Compile(mode="max-autotune"))).short_title == (
        "tcmalloc + bf16 + compile max-autotune"
    )
    assert Plan((Clipped(),)).short_title == "clipped(how=norm, repeats=1)"


def test_an_empty_file_is_the_empty_plan(written):
    assert load_plan(written("")) == Plan()


def test_a_plan_survives_its_file(written):
    plan = Plan((Allocator(library="jemalloc"), FusedOptimizer(), Compile(dynamic=True)))
    assert load_plan(written(plan.to_toml())) == plan


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[transform]]\nname = 'warp'", "no transform is named 'warp'; known are: allocator, autocast"),
        ("[[transform]]\nlibrary = 'x'", "needs a name, got {'library': 'x'}; add name = one of allocator"),
        ("[[transform]]\nname = 'compile'\nspeed = 9", r"'compile' cannot take {'speed': 9}: .*its options are: mode"),
        ("[[transform]]\nname = 'compile'\nmode = 'warp'", "mode: Input should be 'default'"),
        ("[transform]\nname = 'compile'", r"only an array of \[\[transform\]\] tables is allowed"),
        ("[[transform", "cannot read plan .*; give a TOML file"),
        ("speed = 9", r"holds speed; only an array of \[\[transform\]\]"),
    ],
)
def test_a_plan_that_cannot_be_read_says_what_is_allowed(written, text, words):
    with pytest.raises(PlanError, match=words):
        load_plan(written(text))


def test_a_plan_that_is_not_there_says_so(tmp_path):
    with pytest.raises(PlanError, match="cannot read plan"):
        load_plan(tmp_path / "none.toml")


@pytest.fixture
def third_party(monkeypatch):
    """Both classes above, registered as an installed package would register them."""
    points = {
        kind.name: types.SimpleNamespace(name=kind.name, load=lambda kind=kind: kind) for kind in (Clipped, Alone)
    }

    def entry_points(*, group, name=None):
        found = points.values() if group == "hotloop.transforms" else ()
        return tuple(point for point in found if name in (None, point.name))

    monkeypatch.setattr(registry, "entry_points", entry_points)


def test_a_transform_of_ten_lines_has_everything_else_from_the_base(cpu_machine):
    assert Clipped.candidates(cpu_machine) == (Clipped(),)
    assert (Clipped().promise, Clipped().roundoff) == (Promise.EXACT, 0.0)
    assert (affects_phases(Clipped), compiles(Clipped())) == (None, False)
    assert (Clipped().check(cpu_machine), Clipped().confirm()) == (None, None)
    with pytest.raises(FrozenInstanceError):
        Clipped().how = "value"


@pytest.mark.usefixtures("third_party")
def test_a_transform_of_ten_lines_survives_its_file_and_is_described(written):
    plan = Plan((Clipped(how="value", label="x"), Compile(), Alone()))
    found = load_plan(written(plan.to_toml()))
    assert found.transforms[1:] == (Clipped(how="value", label="x"), Compile())
    assert found.title == "alone + clipped(how=value, repeats=1, label=x) + compile(mode=default)"


@pytest.mark.usefixtures("third_party")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"how": "softly"}, "how: Input should be 'norm' or 'value', got 'softly'"),
        ({"repeats": 0}, "repeats: Input should be an integer of at least 1, got 0"),
        ({"label": 3}, "label: Input should be a string or left out, got 3"),
        ({"speed": 9}, "unexpected keyword argument 'speed'"),
    ],
)
def test_an_option_that_is_not_allowed_is_answered_with_what_is(options, words):
    with pytest.raises(PlanError) as refusal:
        Plan.from_data([{"name": "clipped", **options}])
    assert str(refusal.value).startswith(f"transform 'clipped' cannot take {options}: ")
    assert words in str(refusal.value)
    assert str(refusal.value).endswith("; its options are: how, repeats, label")


def test_an_option_is_checked_where_the_transform_is_made_too():
    with pytest.raises(ValueError, match="mode: Input should be 'default', 'reduce-overhead' or 'max-autotune'"):
        Compile(mode="warp")


def test_an_option_that_cannot_be_checked_is_refused_when_the_class_is_made():
    with pytest.raises(TypeError, match="cannot check"):

        class Listed(Clipped):
            sizes: list[int]


@pytest.mark.usefixtures("third_party")
def test_without_the_base_a_transform_may_have_no_options_at_all():
    assert Plan.from_data([{"name": "alone"}]).to_data() == [{"name": "alone"}]
    assert describe(Alone()) == short_name(Alone()) == "alone"
    with pytest.raises(PlanError, match=r"'alone' cannot take {'speed': 9}: .*its options are: none"):
        Plan.from_data([{"name": "alone", "speed": 9}])


@pytest.mark.usefixtures("planted")
def test_without_the_base_the_fields_of_any_dataclass_are_options():
    tables = [{"name": "scale_gradients", "factor": 2.0}]
    assert TransformBase not in registry.load("transforms", "scale_gradients").__mro__
    assert Plan.from_data(tables).to_data() == tables
    assert Plan.from_data(tables).title == "scale_gradients(factor=2.0)"
    with pytest.raises(PlanError, match=r"cannot take {'warp': 9}: .*its options are: factor"):
        Plan.from_data([{"name": "scale_gradients", "warp": 9}])
