import re

from hypothesis import given, settings
from hypothesis import strategies as st

from hotloop.report.curves import plot_losses
from hotloop.trial import Curves

LOSSES = st.lists(st.one_of(st.none(), st.floats()), max_size=8).map(tuple)


def test_no_curves_give_no_plot():
    assert plot_losses(Curves()) is None


def test_a_diverging_plan_does_not_flatten_the_baseline():
    plot = plot_losses(Curves(baseline=(2.0, 1.0), low=(1.9, 0.9), high=(2.1, 1.1), plan=(2.0, 1e9)))
    assert plot.remark == "The plan's loss leaves this plot at 1 of 2 steps."
    assert plot.y_ticks[-1].label == "2.0"


def test_a_loss_that_is_not_finite_is_said_and_breaks_the_line():
    plot = plot_losses(Curves(baseline=(3.0, 2.0, 1.0), plan=(3.0, None, 1.0)))
    assert plot.remark == "The plan's loss was not finite at 1 of 3 steps."
    assert plot.plan.count("M") == 2


def test_a_single_loss_is_a_dot():
    assert plot_losses(Curves(baseline=(1.0,))).baseline == "M0.0 500.0h0"


@settings(deadline=None)
@given(LOSSES, LOSSES, LOSSES, LOSSES)
def test_any_curves_give_well_formed_paths(baseline, low, high, plan):
    plot = plot_losses(Curves(baseline=baseline, low=low, high=high, plan=plan))
    if plot is not None:
        assert re.fullmatch(r"[MLZh0-9 .\-]*", plot.baseline + plot.band + plot.plan)
