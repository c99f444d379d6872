"""Statistics on data with a known answer, by properties, and by simulated rates of false claims."""

import math
import statistics
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hotloop.compare.comparison import MARGIN, Comparison
from hotloop.compare.inference import (
    MeasuredSpread,
    aa_floor,
    between_replicate_spread,
    combine,
    replicate_estimate,
    stretch_estimate,
)
from hotloop.compare.power import provable_effect, replicates_needed
from hotloop.errors import MeasurementError
from hotloop.estimate import Estimate
from hotloop.verdict import Outcome

seconds = st.floats(1e-6, 1e3)
blocks = st.lists(seconds, min_size=1, max_size=6)
pairs_of_rounds = st.lists(st.tuples(blocks, blocks), min_size=1, max_size=15).map(
    lambda r: tuple(zip(*r, strict=True))
)
logs = st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=12)
unusable = st.sampled_from([math.nan, math.inf, -math.inf])


def effects_of(log_ratios, error=0.0):
    return [Estimate(log_ratio=log, standard_error=error, rounds=12) for log in log_ratios]


QUIET = effects_of([0.001, -0.001, 0.0])


def around(ratio):
    return effects_of([math.log(ratio) + wobble for wobble in (-0.002, 0.0, 0.002)])


# replicate_estimate


def test_first_step_of_a_block_is_dropped():
    assert replicate_estimate([[99.0, 2.0, 2.0]] * 3, [[50.0, 1.0, 1.0]] * 3).log_ratio == pytest.approx(math.log(2))


def test_only_step_of_a_block_is_kept():
    assert replicate_estimate([[3.0]] * 3, [[1.0]] * 3).log_ratio == pytest.approx(math.log(3))


def test_one_wild_round_in_ten_moves_nothing():
    calm, wild = [[1.0, 1.0, 1.0]], [[1.0, 500.0, 500.0]]
    assert replicate_estimate(calm * 10, calm * 9 + wild).log_ratio == 0.0


def test_a_cost_that_every_fourth_step_pays_is_seen():
    found = replicate_estimate([[9.0, 1.0, 1.0, 1.0, 1.0]] * 12, [[9.0, 1.0, 1.0, 1.0, 2.0]] * 12)
    assert found.log_ratio == pytest.approx(-math.log(1.25))


def test_standard_error_is_that_of_scipys_trimmed_t_test():
    values = np.random.default_rng(1).standard_t(3, 12)
    found = replicate_estimate([[math.exp(value)] for value in values], [[1.0]] * 12)
    # Two samples of the same shape: their t is their distance over sqrt(2) standard errors.
    yuen = stats.ttest_ind(values + 1.0, values, trim=0.25, equal_var=False).statistic
    assert found.standard_error == pytest.approx(1.0 / yuen / math.sqrt(2))
    assert found.log_ratio == pytest.approx(stats.trim_mean(values, 0.25))


def test_one_round_has_no_standard_error():
    assert replicate_estimate([[1.0, 1.0]], [[1.0, 1.0]]).standard_error == math.inf


@pytest.mark.parametrize("step", [0.0, -1.0, math.nan, math.inf])
def test_times_that_are_not_positive_numbers_are_refused(step):
    with pytest.raises(MeasurementError, match="positive number of seconds"):
        replicate_estimate([[1.0, 1.0]], [[1.0, step]])


@pytest.mark.parametrize("rounds", [([], []), ([[1.0]], []), ([[]], [[1.0]])])
def test_rounds_that_are_empty_or_do_not_match_are_refused(rounds):
    with pytest.raises(MeasurementError):
        replicate_estimate(*rounds)


@given(pairs_of_rounds)
def test_exchanging_the_arms_inverts_the_ratio(rounds):
    there, back = replicate_estimate(*rounds), replicate_estimate(*reversed(rounds))
    assert there.log_ratio == pytest.approx(-back.log_ratio, abs=1e-9)
    assert there.standard_error == pytest.approx(back.standard_error, abs=1e-9)


@given(pairs_of_rounds, st.floats(1e-3, 1e3))
def test_the_unit_of_time_does_not_matter(rounds, unit):
    scaled = [[[step * unit for step in block] for block in arm] for arm in rounds]
    assert replicate_estimate(*scaled).log_ratio == pytest.approx(replicate_estimate(*rounds).log_ratio, abs=1e-9)


@given(pairs_of_rounds, st.floats(0.5, 2.0))
def test_a_faster_candidate_moves_the_log_ratio_by_the_log_of_its_gain(rounds, gain):
    baseline, candidate = rounds
    faster = [[step / gain for step in block] for block in candidate]
    moved = replicate_estimate(baseline, faster).log_ratio - replicate_estimate(baseline, candidate).log_ratio
    assert moved == pytest.approx(math.log(gain), abs=1e-9)


# combine, floor, spread


def test_interval_is_the_t_interval_over_pairs():
    values = [0.02, 0.05, 0.03, 0.06]
    low, high = stats.t.interval(0.9, 3, np.mean(values), stats.sem(values))
    found = combine(effects_of(values), confidence=0.9)
    assert (found.low, found.ratio, found.high) == pytest.approx((math.exp(low), math.exp(0.04), math.exp(high)))


def test_equal_pairs_are_still_as_uncertain_as_their_insides():
    found = combine(effects_of([0.0, 0.0, 0.0, 0.0], error=0.02), confidence=0.95)
    assert math.log(found.high) == pytest.approx(stats.t.ppf(0.975, 44) * 0.01)


def test_spread_of_the_identical_workers_widens_an_interval_that_is_narrow_by_luck():
    wide = effects_of([-0.1, 0.0, 0.1])
    found = combine(QUIET, wide, confidence=0.95)
    assert math.log(found.high) == pytest.approx(stats.t.ppf(0.975, 2) * 0.1 / math.sqrt(2) / math.sqrt(3))


def test_one_replicate_is_bounded_by_nothing():
    found = combine(effects_of([0.5], error=0.001))
    assert (found.low, found.high) == (0.0, math.inf)


@given(logs)
def test_swapping_every_pair_inverts_the_interval(values):
    there, back = combine(effects_of(values)), combine(effects_of([-value for value in values]))
    assert there.ratio * back.ratio == pytest.approx(1.0)
    assert math.log(there.low) == pytest.approx(-math.log(back.high), abs=1e-9)


@given(logs, st.floats(1.0, 5.0), st.floats(0.0, 0.1))
def test_more_spread_never_narrows_the_interval(values, factor, error):
    centre = statistics.fmean(values)
    spread = [centre + factor * (value - centre) for value in values]
    near, far = combine(effects_of(values, error)), combine(effects_of(spread, error))
    assert math.log(far.high / far.low) >= math.log(near.high / near.low) - 1e-9


@given(logs, st.floats(0.01, 0.98), st.floats(0.0, 0.1))
def test_more_confidence_never_narrows_the_interval(values, confidence, error):
    near = combine(effects_of(values, error), confidence=confidence)
    far = combine(effects_of(values, error), confidence=confidence + 0.01)
    assert near.low >= far.low - 1e-12
    assert near.high <= far.high + 1e-12


@pytest.mark.parametrize("confidence", [0.0, 1.0, math.nan])
def test_confidence_outside_its_range_is_refused(confidence):
    with pytest.raises(MeasurementError, match="between 0 and 1"):
        combine(QUIET, confidence=confidence)


def test_spread_is_the_standard_deviation_over_pairs():
    assert between_replicate_spread(effects_of([0.1, 0.3, 0.2])) == pytest.approx(0.1)


def test_floor_is_the_centre_of_the_identical_workers_and_its_error():
    assert aa_floor(effects_of([-0.01, -0.03, -0.02])) == pytest.approx(math.expm1(0.02 + 0.01 / math.sqrt(3)))


@pytest.mark.parametrize("figure", [between_replicate_spread, aa_floor, combine])
@pytest.mark.parametrize("bad", [[], effects_of([0.0, math.nan]), effects_of([0.0, 0.0], error=math.nan)])
def test_nothing_is_computed_from_nothing(figure, bad):
    with pytest.raises(MeasurementError):
        figure(bad)


# verdicts


def test_a_clear_gain_passes_with_its_numbers():
    verdict = Comparison(around(1.3), QUIET).verdict()
    assert (verdict.gate, verdict.outcome) == ("speed", Outcome.PASS)
    assert set(verdict.numbers) == {"ratio", "low", "high", "floor", "margin", "replicates", "proven_slower"}
    assert "proven faster: 1.300 times" in verdict.message


def test_a_clear_slow_down_is_a_proven_claim():
    verdict = Comparison(around(1 / 1.05), QUIET).verdict()
    assert verdict.outcome is Outcome.FAIL
    assert "slower" in verdict.message
    assert verdict.numbers["proven_slower"] == 1.0
    assert Comparison(around(1 / 1.05), QUIET).is_slower


def test_a_gain_inside_the_margin_fails_and_is_not_called_slower():
    verdict = Comparison(around(0.999), QUIET).verdict()
    assert verdict.outcome is Outcome.FAIL
    assert "too small to claim" in verdict.message
    assert not Comparison(around(0.999), QUIET).is_slower


def test_a_gain_that_the_machine_could_have_invented_is_not_claimed():
    assert Comparison(around(1.1), effects_of([0.09, 0.10, 0.11])).verdict().outcome is Outcome.INCONCLUSIVE


def test_noise_wider_than_the_gain_cannot_tell():
    assert Comparison(effects_of([0.3, -0.1, 0.1]), QUIET).verdict().outcome is Outcome.INCONCLUSIVE


CLEAR = around(2.0)


@pytest.mark.parametrize(("pairs", "aa"), [(CLEAR, []), ([], QUIET), (CLEAR[:1], QUIET), (CLEAR, QUIET[:1])])
def test_too_few_pairs_cannot_tell(pairs, aa):
    assert Comparison(pairs, aa).verdict().outcome is Outcome.INCONCLUSIVE
    assert not Comparison(pairs, aa).is_slower


@given(logs, logs, unusable, st.booleans(), st.booleans())
def test_figures_that_are_not_numbers_never_pass(values, aa, bad, in_error, in_aa):
    broken = Estimate(log_ratio=0.3 if in_error else bad, standard_error=bad if in_error else 0.0, rounds=12)
    effects, aa_effects = effects_of([0.5 + value for value in values]), effects_of(aa)
    (aa_effects if in_aa else effects).append(broken)
    assert Comparison(effects, aa_effects).verdict().outcome is not Outcome.PASS
    assert not Comparison(effects, aa_effects).is_slower


@given(logs, st.floats(0.0, 0.5))
def test_a_margin_that_is_not_a_number_never_passes(values, shift):
    assert not Comparison(effects_of([shift + value for value in values]), QUIET, margin=math.nan).verdict().passed


@given(logs, logs, st.floats(0.0, 0.1))
def test_the_two_directions_mirror_each_other(values, aa, error):
    there, back = effects_of(values, error), effects_of([-value for value in values], error)
    assert Comparison(there, effects_of(aa)).verdict().passed == Comparison(back, effects_of(aa)).is_slower


@given(logs, logs, st.floats(0.0, 0.2))
def test_a_larger_margin_never_adds_a_pass(values, aa, margin):
    strict = Comparison(effects_of(values), effects_of(aa), margin=margin + 0.01).verdict().passed
    assert not strict or Comparison(effects_of(values), effects_of(aa), margin=margin).verdict().passed


# when to stop, and how many


def test_never_decided_below_the_minimum():
    assert not Comparison(around(9.0)[:2], QUIET[:2]).decided()


def test_decided_by_a_clear_difference_in_either_direction():
    assert Comparison(around(1.5), QUIET).decided()
    assert Comparison(around(1 / 1.5), QUIET).decided()


def test_always_decided_at_the_maximum():
    noisy = effects_of([0.3, -0.3] * 5)
    assert not Comparison(noisy[:9], noisy[:9]).decided()
    assert Comparison(noisy, noisy).decided()


def test_a_missing_identical_arm_does_not_decide():
    assert not Comparison(around(9.0), []).decided()


def test_a_loss_too_small_to_prove_yet_ends_a_search_but_not_a_proof():
    effects = effects_of([-0.03, -0.05, -0.04])
    assert Comparison(effects, QUIET).verdict().outcome is Outcome.FAIL
    assert not Comparison(effects, QUIET).decided()
    assert Comparison(effects, QUIET).decided(either_way=False)


def test_no_difference_either_way_is_decided():
    assert Comparison(around(1.0), QUIET).decided()


@given(st.floats(0.001, 0.1), st.floats(0.021, 1.0))
def test_pairs_needed_is_the_first_number_that_proves_the_effect(spread, effect):
    try:
        pairs = replicates_needed(spread, effect)
    except MeasurementError:
        assert provable_effect(spread, 10_000) >= effect
        return
    assert provable_effect(spread, pairs) < effect
    assert pairs == 3 or provable_effect(spread, pairs - 1) >= effect


@given(st.floats(0.001, 0.2), st.integers(2, 60))
def test_more_pairs_and_less_spread_prove_smaller_effects(spread, pairs):
    assert provable_effect(spread, pairs + 1) < provable_effect(spread, pairs) < provable_effect(2 * spread, pairs)
    assert provable_effect(spread, pairs) > MARGIN


def test_an_effect_inside_the_margin_is_never_provable():
    with pytest.raises(MeasurementError, match="must exceed the margin"):
        replicates_needed(0.01, 0.02)


def test_one_replicate_proves_nothing():
    assert provable_effect(0.01, 1) == math.inf


@pytest.mark.parametrize("spread", [-0.1, math.nan])
def test_a_spread_that_is_no_spread_is_refused(spread):
    with pytest.raises(MeasurementError, match="0 or more"):
        provable_effect(spread, 5)


def test_importing_the_statistics_imports_neither_torch_nor_scipy():
    code = "import sys, hotloop.compare.inference; print({'torch', 'scipy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_the_measured_spread_comes_to_what_equal_workers_differ_by():
    spread = MeasuredSpread()
    assert spread.value == pytest.approx(0.01)
    for _ in range(100):
        spread.add(effects_of([0.05, -0.05]))
    assert spread.value == pytest.approx(0.05, rel=0.02)


@pytest.mark.parametrize("replicates", [1, 2])
def test_fewer_than_three_replicates_claim_nothing_however_clear(replicates):
    comparison = Comparison(around(1.5)[:replicates], QUIET[:replicates])
    assert comparison.verdict().outcome is Outcome.INCONCLUSIVE
    assert not comparison.is_faster


def test_the_bursts_of_loader_workers_are_no_noise_of_a_stretch():
    bursts = [0.001, 0.001, 0.001, 0.397] * 24  # four workers: four batches at once, 0.1 s a batch
    steady = [0.1] * 96
    blind = stretch_estimate(steady, bursts[:-3], trimmed=False)
    seeing = stretch_estimate(steady, bursts[:-3], trimmed=False, periods=(1, 4))
    assert seeing.log_ratio == pytest.approx(0.0, abs=1e-9)
    assert seeing.standard_error < 1e-9 < blind.standard_error


def test_a_stretch_of_few_periods_is_cut_as_before():
    steps = [0.1, 0.11, 0.1, 0.12] * 3
    one, other = (stretch_estimate(steps, steps, trimmed=False, periods=(1, period)) for period in (1, 4))
    assert one == other
