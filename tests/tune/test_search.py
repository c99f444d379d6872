"""The order of a search: screenings are written by hand, everything else is the real thing."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from hotloop.estimate import Estimate
from hotloop.objective import Objective
from hotloop.proof.confirm import Confirmation
from hotloop.proof.session import Options
from hotloop.transform import Plan
from hotloop.transforms.allocator import Allocator
from hotloop.transforms.autocast import Autocast
from hotloop.transforms.channels_last import ChannelsLast
from hotloop.transforms.checkpointing import Checkpointing
from hotloop.transforms.compile import Compile
from hotloop.transforms.data_loading import DataLoading
from hotloop.transforms.fused_optimizer import FusedOptimizer
from hotloop.transforms.learning_rate import LearningRate
from hotloop.transforms.openmp import OpenMP
from hotloop.transforms.phases import Phases
from hotloop.tune.candidates import Candidates
from hotloop.tune.screening import ScreeningResult
from hotloop.tune.search import Search
from hotloop.verdict import Outcome, Verdict
from hotloop.verify.gate_result import GateResult


class Bench:
    """Stands where a machine would: seconds of a step under a plan, and which plans train another model."""

    def __init__(self, seconds, unsound, left):
        self.seconds, self.unsound = seconds, unsound
        self.options = Options(budget=100.0)
        self.left = self.elapsed = left
        self.trials, self.screenings, self.notes = [], [], []
        self.progress = SimpleNamespace(say=lambda line: None)

    def applicability(self, change):
        if isinstance(change, OpenMP):
            return Verdict(gate="applies", outcome=Outcome.FAIL, message="does not apply here: one thread")
        return None

    def add(self, trial):
        self.trials.append(trial)

    def note(self, line):
        self.notes.append(line)

    def step(self, plan):
        return self.seconds(frozenset(transform.name for transform in plan.transforms))

    def screen(self, _session, kept, plans, *, title, seconds, replicates=1):
        self.screenings.append((title, list(plans)))
        found = [self.result(name, plan, kept) for name, plan in plans.items()]
        return tuple(sorted(found, key=lambda c: c.ratio, reverse=True))

    def again(self, _session, _kept, results, *, title, seconds, spare):
        return results

    def result(self, name, plan, against):
        ratio = self.step(against) / self.step(plan)
        gain = Estimate(log_ratio=math.log(ratio), standard_error=0.002, rounds=8)
        return ScreeningResult(name=name, plan=plan, gain=gain)

    def verified(self, _session, plan):
        names = {transform.name for transform in plan.transforms}
        outcome = Outcome.FAIL if names & self.unsound else Outcome.PASS
        return GateResult(verdicts=(Verdict(gate="drift", outcome=outcome, message="loss drifts"),))

    def learned(self, _session, plan, *, title, seconds, first_seed):
        self.screenings.append((f"learning {title}", first_seed))
        outcome = Outcome.PASS if self.step(plan) < 1.0 else Outcome.FAIL
        speed = Verdict(gate="speed", outcome=outcome, message="a loss is reached as soon")
        return Verdict(gate="parity", outcome=Outcome.PASS, message=""), Confirmation(verdict=speed)


@pytest.fixture
def search():
    def run(seconds, *, launch=(), cheap=(), unsound=frozenset(), left=100.0, other=(), **tiers):
        bench = Bench(seconds, unsound, left)
        search = Search(
            session=bench, screen=bench.screen, screen_again=bench.again, verify=bench.verified, learn=bench.learned
        )
        tiers = {"compiling": (), "uncompiled": (*launch, *cheap), **tiers}
        return search.run(Candidates(**tiers, statistical=other)), bench

    return run


def product(**factors):
    return lambda names: math.prod(factors.get(name, 1.0) for name in names)


def test_all_that_helps_is_kept_after_the_winners_were_combined(search):
    plan, bench = search(
        product(autocast=0.8, fused_optimizer=0.9), cheap=(FusedOptimizer(), ChannelsLast(), Autocast())
    )
    assert set(plan.transforms) == {FusedOptimizer(), Autocast()}
    title, combinations = bench.screenings[1]
    assert "combined" in title
    assert [name.split("(")[0] for name in combinations] == ["autocast", "fused_optimizer"]
    assert "autocast" in combinations[1]


def test_a_change_that_loses_alone_is_screened_again_on_top_of_a_kept_one(search):
    def seconds(names):
        layout = 1.0 if "channels_last" not in names else (0.7 if "autocast" in names else 1.05)
        return layout * (0.8 if "autocast" in names else 1.0)

    plan, _ = search(seconds, cheap=(ChannelsLast(), Autocast()))
    assert set(plan.transforms) == {ChannelsLast(), Autocast()}


def test_the_rejected_are_screened_again_after_a_compilation_was_kept(search):
    def seconds(names):
        return (0.5 if "compile" in names else 1.0) * (0.8 if {"compile", "autocast"} <= names else 1.0)

    plan, bench = search(seconds, cheap=(Autocast(),), compiling=(Compile(),))
    assert set(plan.transforms) == {Autocast(), Compile()}
    assert any("second pass" in title for title, _ in bench.screenings)


@pytest.mark.parametrize("compiles_first", [False, True])
def test_what_spends_its_steps_on_traffic_is_compiled_before_the_rejected_are_measured_again(search, compiles_first):
    plan, bench = search(
        product(autocast=0.8, compile=0.7),
        cheap=(Autocast(), ChannelsLast()),
        compiling=(Compile(),),
        compiles_first=compiles_first,
    )
    assert set(plan.transforms) == {Autocast(), Compile()}
    second, third = (title for title, _ in bench.screenings[1:3])
    assert ("compile" in second, "compile" in third) == (compiles_first, not compiles_first)


def test_what_showed_no_sign_of_a_gain_on_two_plans_is_not_measured_a_third_time(search):
    factors = product(autocast=0.8, fused_optimizer=0.9, compile=0.7, channels_last=1.01)
    _, bench = search(factors, cheap=(Autocast(), ChannelsLast()), compiling=(Compile(),))
    measured = [title for title, names in bench.screenings if "channels_last" in names]
    assert measured == ["how the process starts, and cheap changes", "second pass over the rejected"]


def test_the_first_options_of_each_change_are_measured_before_its_others(search):
    allocators = tuple(Allocator(library=name) for name in ("tcmalloc", "jemalloc", "mimalloc"))
    _, bench = search(product(), launch=allocators, cheap=(ChannelsLast(), Autocast()))
    names = [name.partition("(")[0] for name in bench.screenings[0][1]]
    assert names == ["allocator", "channels_last", "autocast", "allocator", "allocator"]


def test_a_better_way_to_compile_takes_the_place_of_the_kept_one(search):
    def seconds(plan_or_names):
        return 0.5 if "compile" in plan_or_names else 1.0

    class Modes(Bench):
        def step(self, plan):
            tuned = any(getattr(t, "mode", "") == "max-autotune" for t in plan.transforms)
            return 0.8 * super().step(plan) if tuned else super().step(plan)

    bench = Modes(seconds, frozenset(), 100.0)
    best = Compile(mode="max-autotune")
    plan = Search(session=bench, screen=bench.screen, screen_again=bench.again, verify=bench.verified).run(
        Candidates(uncompiled=(), compiling=(Compile(),), variants=(best,))
    )
    assert plan == Plan((best,))


def test_two_that_win_alone_and_lose_together_are_not_both_kept(search):
    def seconds(names):
        return 1.2 if {"autocast", "fused_optimizer"} <= names else product(autocast=0.8, fused_optimizer=0.9)(names)

    plan, _ = search(seconds, cheap=(FusedOptimizer(), Autocast()))
    assert plan == Plan((Autocast(),))


@pytest.mark.parametrize(
    ("unsound", "kept"), [((), ["autocast", "fused_optimizer"]), (("fused_optimizer",), ["autocast"])]
)
def test_without_time_to_screen_combinations_the_largest_is_verified_and_then_the_best_alone(unsound, kept):
    bench = Bench(product(autocast=0.8, fused_optimizer=0.9), set(unsound), 100.0)

    def screen(*arguments, **options):
        bench.left = 1.0  # it took all that was left beside the confirmation
        return bench.screen(*arguments, **options)

    search = Search(session=bench, screen=screen, screen_again=bench.again, verify=bench.verified)
    plan = search.run(Candidates(uncompiled=(FusedOptimizer(), Autocast()), compiling=()))
    assert sorted(transform.name for transform in plan.transforms) == kept
    assert len(bench.screenings) == 1
    combined = next(trial for trial in bench.trials if " + " in trial.change)
    assert combined.speedup is None
    assert ("not measured together" in combined.reason) is combined.kept is not bool(unsound)


def test_of_two_settings_of_one_transform_the_better_is_kept(search):
    def seconds(names):
        return product(fused_optimizer=0.9)(names)

    plan, bench = search(seconds, cheap=(FusedOptimizer(), FusedOptimizer(implementation="foreach")))
    assert plan == Plan((FusedOptimizer(),))
    assert any("another fused_optimizer gained more" in trial.reason for trial in bench.trials)


def test_what_trains_another_model_is_refused_and_the_next_best_kept(search):
    plan, bench = search(
        product(autocast=0.5, fused_optimizer=0.9), cheap=(FusedOptimizer(), Autocast()), unsound={"autocast"}
    )
    assert plan == Plan((FusedOptimizer(),))
    assert any(trial.reason == "gate drift: loss drifts" and not trial.kept for trial in bench.trials)


def test_a_part_that_the_rest_made_useless_is_left_out_again(search):
    def seconds(names):
        return 0.5 if "compile" in names else product(fused_optimizer=0.9)(names)

    plan, bench = search(seconds, cheap=(FusedOptimizer(),), compiling=(Compile(),))
    assert plan == Plan((Compile(),))
    assert bench.trials[-1].change == "without fused_optimizer"


def test_a_part_that_is_worth_its_place_stays(search):
    plan, _ = search(product(fused_optimizer=0.9, compile=0.5), cheap=(FusedOptimizer(),), compiling=(Compile(),))
    assert set(plan.transforms) == {FusedOptimizer(), Compile()}


def test_what_does_not_apply_is_recorded_and_never_screened(search):
    plan, bench = search(product(allocator=0.8), launch=(OpenMP(), Allocator()))
    assert plan == Plan((Allocator(),))
    assert bench.trials[0].reason == "does not apply here: one thread"
    assert bench.screenings[0][1] == ["allocator(library=tcmalloc)"]


def test_what_is_too_much_for_one_screening_follows_in_the_next(search):
    loaders = tuple(DataLoading(workers=workers) for workers in range(1, 10))
    _, bench = search(product(), cheap=(*loaders, Autocast()))
    assert [len(plans) for _, plans in bench.screenings] == [8, 2]


def test_where_nothing_helps_the_plan_stays_empty(search):
    plan, bench = search(product(), cheap=(Autocast(),), compiling=(Compile(),))
    assert plan == Plan()
    assert [trial.kept for trial in bench.trials] == [False, False]


def test_no_screening_begins_that_would_eat_the_time_for_the_confirmation(search):
    plan, bench = search(product(autocast=0.5), cheap=(Autocast(),), left=10.0)
    assert (plan, bench.screenings) == (Plan(), [])
    assert "not tried for want of time: autocast" in bench.notes[0]


@pytest.mark.parametrize(("budget", "times"), [(240.0, 0), (600.0, 1)])
def test_a_short_budget_leaves_nothing_for_measuring_again(budget, times):
    bench = Bench(lambda names: 1.0, frozenset(), budget)
    bench.options = Options(budget=budget)
    spares = []

    def again(session, kept, results, *, title, seconds, spare):
        spares.append(spare)
        return results

    Search(session=bench, screen=bench.screen, screen_again=again, verify=bench.verified).run(
        Candidates(uncompiled=(Autocast(),), compiling=(), variants=())
    )
    assert len(spares) == times
    assert all(0 < spare < budget for spare in spares)


@pytest.mark.parametrize(("seconds", "kept"), [(0.5, ["phases"]), (1.2, [])])
def test_what_trains_otherwise_is_judged_by_the_loss_it_reaches_and_never_screened(search, seconds, kept):
    found, bench = search(lambda names: seconds if names else 1.0, other=(Phases(),))
    assert [transform.name for transform in found.transforms] == kept
    assert [title for title, _ in bench.screenings] == [f"learning {bench.trials[0].change}"]
    assert bench.trials[0].kept is bool(kept)


def test_of_two_that_both_train_otherwise_the_second_is_tried_on_top(search):
    found, bench = search(lambda names: 1.0 - 0.3 * len(names), other=(LearningRate(), Phases()))
    assert [transform.name for transform in found.transforms] == ["learning_rate", "phases"]
    assert bench.trials[1].against == "learning_rate(factor=2.0)"


class MemoryBench(Bench):
    """A machine that tells of the peak of memory as well: bytes by the names of the plan's transforms."""

    def __init__(self, seconds, peak, objective):
        super().__init__(seconds, frozenset(), 100.0)
        self.peak, self.objective = peak, objective

    def result(self, name, plan, against):
        found = super().result(name, plan, against)
        peaks = [self.peak(frozenset(transform.name for transform in one.transforms)) for one in (against, plan)]
        gain = Estimate(log_ratio=math.log(peaks[0] / peaks[1]), standard_error=0.002, rounds=1)
        return replace(found, objective=self.objective, memory_gain=gain)

    def screen(self, _session, kept, plans, *, title, seconds, replicates=1):
        found = super().screen(_session, kept, plans, title=title, seconds=seconds, replicates=replicates)
        return tuple(sorted(found, key=lambda one: one.merit_ratio, reverse=True))


@pytest.fixture
def search_by():
    def run(objective, seconds, peak, *changes):
        bench = MemoryBench(seconds, peak, objective)
        search = Search(session=bench, screen=bench.screen, screen_again=bench.again, verify=bench.verified)
        return {t.name for t in search.run(Candidates(uncompiled=changes, compiling=())).transforms}, bench

    return run


def test_for_memory_what_needs_least_is_kept_though_it_is_slower(search_by):
    found, bench = search_by(
        Objective.MEMORY,
        product(checkpointing=1.3, autocast=0.9),
        product(checkpointing=0.5),
        Checkpointing(),
        Autocast(),
    )
    assert found == {"checkpointing"}
    assert any(trial.reason == "less memory, and trains the same model" for trial in bench.trials)
    assert any(trial.reason == "no memory saved beyond the noise" for trial in bench.trials)


def test_for_memory_no_plan_is_kept_that_takes_half_as_long_again(search_by):
    found, bench = search_by(
        Objective.MEMORY,
        product(checkpointing=1.3, autocast=1.3),
        product(checkpointing=0.5, autocast=0.8),
        Checkpointing(),
        Autocast(),
    )
    assert found == {"checkpointing"}
    assert any("would take more than 1.5 times as long" in trial.reason for trial in bench.trials)


def test_for_both_only_what_gains_one_and_loses_none_is_kept(search_by):
    found, bench = search_by(
        Objective.BOTH,
        product(checkpointing=1.3, autocast=0.8, channels_last=0.9),
        product(checkpointing=0.5, autocast=0.9, channels_last=1.2),
        Checkpointing(),
        Autocast(),
        ChannelsLast(),
    )
    assert found == {"autocast"}
    reasons = {trial.change.partition("(")[0]: trial.reason for trial in bench.trials}
    assert reasons["checkpointing"] == "less memory, and slower"
    assert reasons["channels_last"] == "faster, and takes more memory"
    assert reasons["autocast"] == "faster and less memory, and trains the same model"
