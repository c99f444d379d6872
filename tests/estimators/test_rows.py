"""Rows of the acceptance list that concern the estimators, by number."""

import inspect
import warnings

import numpy as np
import pytest
import torch

from hotloop.estimators import FitParams, PSANNRegressor, ResConvPSANNRegressor, ResPSANNRegressor, WaveResNetRegressor
from hotloop.estimators.saved_estimator import saved_options
from hotloop.train.episodic import EpisodicOptions

HISSO = {"hisso": True, "hisso_window": 16}
KINDS = (PSANNRegressor, ResPSANNRegressor, ResConvPSANNRegressor, WaveResNetRegressor)


@pytest.mark.parametrize("kind", KINDS)
def test_row_S1a_the_existing_call_trains_every_estimator(kind, small, series) -> None:
    model = kind(**small).fit(series, series, hisso=True)
    assert [entry["episodes"] for entry in model.history_] == [32, 32]


def test_row_S1b_our_own_older_mapping_loads_with_the_defaults_of_later_fields() -> None:
    assert saved_options({"epochs": 3, "window": 8, "lr": 0.1}) == EpisodicOptions(epochs=3, window=8, lr=0.1)
    with pytest.raises(ValueError, match="newer version"):
        saved_options({"epochs": 3, "fromtomorrow": 1})


def test_row_A3_the_default_schedule_is_32_updates_of_one_episode(small, series) -> None:
    default = PSANNRegressor(**small).fit(series, series, **HISSO)
    explicit = PSANNRegressor(**small).fit(series, series, **HISSO, hisso_batch_episodes=1, hisso_updates_per_epoch=32)
    assert [entry["reward"] for entry in default.history_] == [entry["reward"] for entry in explicit.history_]


def test_row_A9_equal_seeds_give_equal_networks_and_no_global_generator_moves(small, series) -> None:
    before = torch.random.get_rng_state()
    models = [PSANNRegressor(**small).fit(series, series, **HISSO, noisy=0.1) for _ in range(2)]
    assert np.array_equal(models[0].predict(series), models[1].predict(series))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", ["transition_penalty", "trans_cost"])
def test_row_1_2_a_penalty_is_forwarded_by_the_name_that_the_reward_has(small, series, name) -> None:
    seen: list[float] = []

    def old(actions, context, *, trans_cost):
        seen.append(trans_cost)
        return -actions.square().mean()

    def new(actions, context, *, transition_penalty):
        seen.append(transition_penalty)
        return -actions.square().mean()

    reward = new if name == "transition_penalty" else old
    PSANNRegressor(**small).fit(series, series, **HISSO, hisso_reward_fn=reward, hisso_transition_penalty=0.5)
    assert set(seen) == {0.5}


def test_row_1_2_the_new_name_of_the_penalty_wins_even_where_it_is_zero(small, series, recording) -> None:
    with pytest.warns(DeprecationWarning, match="hisso_transition_penalty"):
        PSANNRegressor(**small).fit(
            series,
            series,
            **HISSO,
            hisso_reward_fn=recording,
            hisso_transition_penalty=0.0,
            hisso_trans_cost=0.5,
        )
    assert set(recording.penalties) == {0.0}


def test_row_2_2c_a_state_that_may_not_be_updated_stays_as_it_was(small, series) -> None:
    model = PSANNRegressor(**small, stateful=True, state={}, state_reset="none").fit(
        series, series, **HISSO, hisso_state_updates=False
    )
    assert all(bool((value == 1.0).all()) for name, value in model.net_.state_dict().items() if name.endswith("state"))


def test_row_4_1_batch_and_updates_reach_the_trainer(small, series) -> None:
    model = PSANNRegressor(**small).fit(
        series, series, **HISSO, hisso_batch_episodes=np.int64(3), hisso_updates_per_epoch=2
    )
    profile = model.hisso_profile_
    assert (profile["episode_batch_size"], profile["updates_per_epoch"], profile["episodes_sampled"]) == (3, 2, 12)


@pytest.mark.parametrize(("given", "kept"), [(None, None), (0, None), (0.5, 0.5)])
def test_row_4_1c_the_limit_of_the_gradient_is_off_or_as_given(small, series, given, kept) -> None:
    model = PSANNRegressor(**small).fit(series, series, **HISSO, hisso_grad_clip_norm=given)
    assert model.hisso_.options.clip_norm == kept
    assert PSANNRegressor(**small).fit(series, series, **HISSO).hisso_.options.clip_norm == 1.0


def test_row_4_1c_a_negative_limit_is_refused(small, series) -> None:
    with pytest.raises(ValueError, match="hisso_grad_clip_norm"):
        PSANNRegressor(**small).fit(series, series, **HISSO, hisso_grad_clip_norm=-1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_row_4_2_the_typed_parameters_are_those_of_fit(kind) -> None:
    keywords = [
        name
        for name, parameter in inspect.signature(kind.fit).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    assert keywords == list(FitParams.__annotations__)


def test_row_4_2_typed_parameters_are_a_call_of_fit(small, series) -> None:
    params: FitParams = {"hisso": True, "hisso_window": 8, "hisso_primary_transform": "tanh"}
    assert PSANNRegressor(**small).fit(series, series, **params).hisso_.options.window == 8


def test_row_4_3_options_survive_a_round_trip(small, series, tmp_path) -> None:
    model = PSANNRegressor(**small).fit(
        series, series, **HISSO, hisso_batch_episodes=2, hisso_updates_per_epoch=3, noisy=0.1
    )
    model.save(tmp_path / "model.zip")
    assert PSANNRegressor.load(tmp_path / "model.zip").hisso_.options == model.hisso_.options


def test_row_O1_the_context_of_a_series_is_extracted_once(small, series) -> None:
    calls: list[tuple[int, ...]] = []

    def extractor(inputs):
        calls.append(tuple(inputs.shape))
        return inputs * 2

    each = PSANNRegressor(**small).fit(series, series, **HISSO, hisso_context_extractor=extractor)
    assert len(calls) == 64
    calls.clear()
    once = PSANNRegressor(**small).fit(
        series, series, **HISSO, hisso_context_extractor=extractor, hisso_context_mode="per_series"
    )
    assert calls == [(1, 80, 3), (2, 16, 3)]  # the series, and the two windows that are compared with it
    assert each.history_ == once.history_


def test_row_O2_clipping_every_other_update_changes_the_run(small, series) -> None:
    def reward(actions, context):
        return (actions * 100).square().mean((1, 2))

    each, other = (
        PSANNRegressor(**small, optimizer="sgd").fit(
            series, series, **HISSO, hisso_reward_fn=reward, hisso_grad_clip_norm=0.1, hisso_clip_every=every
        )
        for every in (1, 2)
    )
    assert not np.array_equal(each.predict(series), other.predict(series))


@pytest.mark.slow
def test_row_O3_a_compiled_step_gives_the_rewards_of_the_lean_one(small, series) -> None:
    def fitted(compiled):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = PSANNRegressor(**small).fit(series, series, **HISSO, hisso_compile=compiled)
        return [entry["reward"] for entry in model.history_]

    assert fitted(True) == pytest.approx(fitted(False), rel=1e-4)
    assert fitted("step") == pytest.approx(fitted(False), rel=1e-4)


def test_row_O3_an_unknown_way_to_compile_is_refused(small, series) -> None:
    with pytest.raises(ValueError, match="hisso_compile"):
        PSANNRegressor(**small).fit(series, series, **HISSO, hisso_compile="fast")
