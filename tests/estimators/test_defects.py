"""None of the eighteen defects of the origin (as far as they are an estimator's): one test each, by number."""

import json

import numpy as np
import pytest
import torch

from hotloop.errors import NonFiniteError
from hotloop.estimators import PSANNRegressor, ResConvPSANNRegressor, ResPSANNRegressor, WaveResNetRegressor
from hotloop.estimators.rollout import controllers
from hotloop.train.rewards import portfolio_metrics
from hotloop.train.rewards.multiplicative_return import MultiplicativeReturn

HISSO = {"hisso": True, "hisso_window": 16}


def weights(model) -> torch.Tensor:
    return torch.cat([value.flatten() for value in model.net_.state_dict().values()])


def test_defect_01_the_portfolio_reward_is_evaluated_on_the_whole_series(small, series) -> None:
    model = PSANNRegressor(**small).fit(
        series, series, **HISSO, hisso_reward_fn=MultiplicativeReturn(), hisso_transition_penalty=0.01
    )
    figures = portfolio_metrics(model.infer_series(series), series, transition_penalty=0.01)
    assert model.evaluate_reward(series) == pytest.approx(figures["log_return"], rel=1e-3)


def test_defect_02_a_softmax_over_one_output_is_refused(small, series) -> None:
    with pytest.raises(ValueError, match="softmax over one output"):
        PSANNRegressor(**small).fit(series, **HISSO)
    assert PSANNRegressor(**small).fit(series, **HISSO, hisso_primary_transform="tanh").infer_series(series).shape == (
        80,
        1,
    )


def test_defect_03_frequencies_and_depth_advance_in_episodes(small, series) -> None:
    growing = {"progressive_depth_initial": 1, "progressive_depth_interval": 1, "w0_warmup_epochs": 4}
    model = WaveResNetRegressor(**{**small, "hidden_layers": 4, "epochs": 4}, **growing).fit(series, series, **HISSO)
    assert model.net_.depth == 4
    assert model.net_.first_w0 == pytest.approx(30.0)


def test_defect_03_a_warm_start_counts_as_the_beginning_of_the_schedule(small, series) -> None:
    model = WaveResNetRegressor(**{**small, "epochs": 2}, w0_warmup_epochs=4).fit(
        series, series, **HISSO, hisso_supervised=True
    )
    assert model.net_.first_w0 == pytest.approx(30.0)


@pytest.mark.parametrize(
    "changed",
    [
        {"optimizer": "sgd"},
        {"optimizer": "adamw", "weight_decay": 0.5},
        {"weight_decay": 0.5},
        {"amp": True},
    ],
)
def test_defect_04_the_settings_of_the_optimizer_reach_the_episodes(small, series, changed) -> None:
    plain = PSANNRegressor(**small).fit(series, series, **HISSO)
    other = PSANNRegressor(**small, **changed).fit(series, series, **HISSO)
    assert not torch.equal(weights(plain), weights(other))


def test_defect_04_a_schedule_of_rates_reaches_the_episodes(small, series) -> None:
    plain = PSANNRegressor(**small, lr=1e-2).fit(series, series, **HISSO)
    other = PSANNRegressor(**small).fit(series, series, **HISSO, lr_max=1e-2, lr_min=1e-4)
    assert plain.history_[0]["reward"] == other.history_[0]["reward"]
    assert plain.history_[1]["reward"] != other.history_[1]["reward"]


def test_defect_04_half_a_schedule_of_rates_is_refused(small, series) -> None:
    with pytest.raises(ValueError, match="both are needed"):
        PSANNRegressor(**small).fit(series, series, **HISSO, lr_max=1e-2)


def test_defect_05_training_and_evaluation_see_the_same_context(small, series, recording) -> None:
    model = PSANNRegressor(**small, scaler="standard").fit(series, series, **HISSO, hisso_reward_fn=recording)
    trained_on = torch.cat([context.flatten(0, 1) for context in recording.contexts])
    recording.contexts.clear()
    model.evaluate_reward(series)
    torch.testing.assert_close(recording.contexts[0][0], torch.from_numpy(series), rtol=1e-5, atol=1e-5)
    assert trained_on.min() > 0.9 * series.min()  # standardised prices would be negative


def test_defect_05_the_policy_that_was_trained_is_the_policy_that_is_used(small, series, recording) -> None:
    model = PSANNRegressor(**{**small, "lr": 1e-12}, target_scaler="standard").fit(
        series, series * 100, hisso=True, hisso_window=80, hisso_reward_fn=recording
    )
    np.testing.assert_allclose(model.infer_series(series), recording.actions[-1][0].numpy(), atol=1e-5)


def test_defect_05_the_warm_start_learns_scaled_targets(small, series) -> None:
    model = PSANNRegressor(**{**small, "epochs": 1}, target_scaler="standard").fit(
        series, series * 1e4, **HISSO, hisso_supervised={"epochs": 1}
    )
    assert model.warm_start_history_[0]["train_loss"] < 10.0


def test_defect_06_the_convolutional_estimator_takes_context(small) -> None:
    X = np.random.default_rng(0).normal(size=(40, 2, 4, 4))
    context = np.random.default_rng(1).normal(size=(40, 3))
    model = ResConvPSANNRegressor(**small).fit(X, X[:, :, 0, 0], context=context, **HISSO)
    assert model.infer_series(X, context=context).shape == (40, 2)
    assert ResConvPSANNRegressor(**small).fit(X, X[:, :, 0, 0], context=None).predict(X).shape == (40, 2)


def test_defect_06_the_convolutional_estimator_scales_its_inputs_in_episodes(small) -> None:
    X = 1e3 + np.random.default_rng(0).normal(size=(40, 2, 4, 4))
    model = ResConvPSANNRegressor(**small, scaler="standard").fit(X, X[:, :, 0, 0], **HISSO)
    assert abs(float(model.fitted_.rows(X.astype(np.float32)).mean())) < 0.1


def test_defect_07_a_type_error_of_the_extractor_is_what_it_is(small, series) -> None:
    def broken(inputs):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        PSANNRegressor(**small).fit(series, series, **HISSO, hisso_context_extractor=broken)


def test_defect_08_a_penalty_that_the_reward_cannot_take_is_told(small, series) -> None:
    with pytest.warns(UserWarning, match="has no effect"):
        PSANNRegressor(**small).fit(
            series,
            series,
            **HISSO,
            hisso_reward_fn=lambda actions, context: actions.mean(),
            hisso_transition_penalty=0.1,
        )


def test_defect_08_a_penalty_reaches_the_reward_in_training_and_evaluation(small, series, recording) -> None:
    model = PSANNRegressor(**small).fit(
        series, series, **HISSO, hisso_reward_fn=recording, hisso_transition_penalty=0.25
    )
    model.evaluate_reward(series)
    assert set(recording.penalties) == {0.25}


def test_defect_09_a_batch_without_updates_is_told_and_the_profile_says_what_ran(small, series) -> None:
    with pytest.warns(UserWarning, match="updates of one episode"):
        model = PSANNRegressor(**small).fit(series, series, **HISSO, hisso_batch_episodes=4)
    assert (model.hisso_profile_["episode_batch_size"], model.hisso_profile_["updates_per_epoch"]) == (1, 4)


@pytest.mark.parametrize(
    "knob", ["hisso_window", "hisso_batch_episodes", "hisso_updates_per_epoch", "hisso_clip_every"]
)
@pytest.mark.parametrize("value", [0, -3, 1.5, True])
def test_defect_10_a_knob_below_one_is_refused(small, series, knob, value) -> None:
    with pytest.raises(ValueError, match=knob):
        PSANNRegressor(**small).fit(series, series, **{**HISSO, knob: value})


def test_defect_10_a_reward_that_is_not_a_number_stops_the_run_and_spoils_no_weights(small, series) -> None:
    model = PSANNRegressor(**small).fit(series, series)
    before = weights(model)
    model.set_params(warm_start=True)
    with pytest.raises(NonFiniteError):
        model.fit(series, series, **HISSO, hisso_reward_fn=lambda actions, context: (actions * float("nan")).mean())
    assert torch.equal(weights(model), before)


def test_defect_11_a_roll_out_moves_the_state(small, series) -> None:
    model = PSANNRegressor(**small, stateful=True, state={"rho": 0.5}).fit(series, series)
    model.reset_state()
    together = model.predict(series)
    stepwise = model.predict_sequence(series, reset_state=True, return_sequence=True)
    moved = torch.cat([controller.state for controller in controllers(model.net_)])
    np.testing.assert_allclose(stepwise[0], together[0], rtol=1e-5)
    assert not np.allclose(stepwise[-1], together[-1], rtol=1e-3)
    assert (moved != 1.0).all()


def test_defect_11_the_actions_of_a_stateful_policy_follow_its_state(small, series) -> None:
    model = PSANNRegressor(**small, stateful=True, state={"rho": 0.5}).fit(series, series, **HISSO)
    first, again = model.infer_series(series), model.infer_series(series)
    model.reset_state()
    frozen = torch.softmax(model.fitted_.raw(model.fitted_.rows(series)), -1).numpy()
    assert np.array_equal(first, again)
    assert not np.allclose(first[-1], frozen[-1], rtol=1e-4)


def test_defect_12_a_second_fit_has_a_profile_of_its_own(small, series) -> None:
    model = PSANNRegressor(**small).fit(series, series, **HISSO)
    first = model.hisso_profile_["episodes_sampled"]
    assert model.fit(series, series, **HISSO).hisso_profile_["episodes_sampled"] == first


def test_defect_13_a_lambda_as_reward_is_saved_as_something_to_give_again(small, series, tmp_path) -> None:
    reward = lambda actions, context: -actions.square().mean()  # noqa: E731
    model = PSANNRegressor(**small).fit(series, series, **HISSO, hisso_reward_fn=reward)
    with pytest.warns(UserWarning, match="give it again"):
        model.save(tmp_path / "model")
    assert "reward_fn" in json.loads((tmp_path / "model/estimator.json").read_text())["must_be_given_again"]
    loaded = PSANNRegressor.load(tmp_path / "model")
    assert np.array_equal(loaded.infer_series(series), model.infer_series(series))
    with pytest.raises(ValueError, match="give it again"):
        loaded.evaluate_reward(series)
    given = PSANNRegressor.load(tmp_path / "model", reward_fn=reward)
    assert given.evaluate_reward(series) == model.evaluate_reward(series)


def test_defect_14_half_precision_on_the_cpu_needs_no_loss_scale(small, series) -> None:
    with pytest.raises(ValueError, match="CUDA"):
        PSANNRegressor(**small, amp=True, amp_dtype="float16").fit(series, series, **HISSO)


def test_defect_15_the_allocations_are_the_transformed_outputs(small, series) -> None:
    model = ResPSANNRegressor(**small).fit(series, series, **HISSO)
    np.testing.assert_allclose(model.infer_series(series).sum(1), 1.0, atol=1e-5)
    assert not np.allclose(model.predict(series).sum(1), 1.0)
