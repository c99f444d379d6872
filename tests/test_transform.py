import pytest

from hotloop.errors import PlanError
from hotloop.transform import Plan, Promise, describe, load_plan
from hotloop.transforms.allocator import Allocator
from hotloop.transforms.autocast import Autocast
from hotloop.transforms.compile import Compile
from hotloop.transforms.fused_optimizer import FusedOptimizer


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
