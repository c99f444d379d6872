"""Episodes through the estimators: shapes, contexts, validation, warm start."""

from pathlib import Path

import numpy as np
import pytest

from hotloop.estimators import PSANNRegressor, ResPSANNRegressor, hisso_evaluate_reward, hisso_infer_series
from hotloop.train.episodes.reward import RewardCall
from hotloop.train.episodic.evaluate import series_scorer

HISSO = {"hisso": True, "hisso_window": 16}


def test_the_reward_of_a_whole_series_is_that_of_the_trainer(small, series, recording) -> None:
    model = PSANNRegressor(**small).fit(series, series, **HISSO, hisso_reward_fn=recording)
    assert hisso_evaluate_reward(model, series) == pytest.approx(
        series_scorer(model.net_, series, RewardCall(recording))(), rel=1e-6
    )
    assert np.array_equal(hisso_infer_series(model, series), model.infer_series(series))


def test_a_named_reward_is_found_in_the_registry(small, series) -> None:
    model = PSANNRegressor(**small).fit(series, series, **HISSO, hisso_reward_fn="multiplicative_return")
    assert model.evaluate_reward(series) == model.evaluate_reward(series, reward_fn="multiplicative_return")


def test_an_array_can_be_the_context_of_training_validation_and_evaluation(small, series, recording) -> None:
    features = np.diff(np.log(series), axis=0, prepend=np.log(series[:1]))
    model = PSANNRegressor(**small, scaler="standard").fit(
        features[:60],
        series[:60],
        **HISSO,
        hisso_reward_fn=recording,
        hisso_context_extractor=series[:60],
        validation_data=(features[60:], None, series[60:]),
    )
    assert np.array_equal(recording.contexts[-1][0].numpy(), series[60:])
    assert np.isfinite(model.evaluate_reward(features[60:], context_extractor=series[60:]))
    with pytest.raises(ValueError, match="one row for each step"):
        model.evaluate_reward(features[60:])


def test_early_stopping_watches_the_reward_of_the_validation_series(small, series, recording) -> None:
    model = ResPSANNRegressor(**{**small, "epochs": 30, "lr": 0.1}, early_stopping=True, patience=2).fit(
        series[:60], series[:60], **HISSO, hisso_reward_fn=recording, validation_data=(-series[60:],)
    )
    rewards = [entry["validation"] for entry in model.history_]
    assert model.n_iter_ < 30
    assert model.evaluate_reward(-series[60:]) == pytest.approx(max(rewards), rel=1e-3)


def test_targets_of_the_warm_start_can_come_with_it(small, series) -> None:
    model = PSANNRegressor(**small).fit(
        series, **HISSO, hisso_supervised={"y": series, "epochs": 3, "batch_size": 20, "lr": 0.01, "shuffle": False}
    )
    assert [len(model.warm_start_history_), model.warm_start_history_[0]["steps"]] == [3, 4]
    assert model.infer_series(series).shape == series.shape


@pytest.mark.parametrize(
    ("y", "supervised", "message"),
    [
        (None, True, "without targets"),
        ("rank", True, "must be"),
        ("length", {"y": np.ones((3, 3))}, "3 warm-start targets"),
        ("columns", {"y": np.ones((80, 2))}, "of 2 columns"),
        ("keys", {"momentum": 1}, "momentum"),
    ],
    ids=str,
)
def test_a_warm_start_that_cannot_be_is_refused(small, series, y, supervised, message) -> None:
    targets = None if y is None else series[:, 0] if y == "rank" else series
    with pytest.raises(ValueError, match=message):
        PSANNRegressor(**small).fit(
            series, targets, **HISSO, hisso_supervised=supervised, hisso_primary_transform="tanh"
        )


def test_without_targets_a_grid_has_one_action_for_each_of_its_numbers(small) -> None:
    X = np.random.default_rng(0).normal(size=(40, 2, 3))
    model = PSANNRegressor(**small, preserve_shape=True).fit(X, **HISSO)
    assert model.infer_series(X).shape == (40, 6)


def test_actions_for_each_element_are_refused(small) -> None:
    X = np.random.default_rng(0).normal(size=(40, 2, 3))
    with pytest.raises(ValueError, match="per_element"):
        PSANNRegressor(**small, preserve_shape=True, per_element=True).fit(X, X, **HISSO)


def test_a_short_series_is_one_episode_and_that_is_told(small, series) -> None:
    with pytest.warns(UserWarning, match="every episode is the whole series"):
        model = PSANNRegressor(**small).fit(series[:10], series[:10], **HISSO)
    assert model.hisso_profile_["episode_length"] == 10


@pytest.mark.parametrize("asked", [{}, {"hisso_batch_episodes": 4, "hisso_updates_per_epoch": 2}], ids=str)
def test_a_series_shorter_than_the_window_is_told_with_both_lengths_and_what_to_do(small, series, asked) -> None:
    message = "the series has 10 steps and the window 64: .*; give a longer series or a shorter window"
    with pytest.warns(UserWarning, match=message) as told:
        PSANNRegressor(**small).fit(series[:10], series[:10], hisso=True, **asked)
    assert [Path(warning.filename) for warning in told] == [Path(__file__)]


@pytest.mark.parametrize(
    ("reward", "error", "message"),
    [
        (lambda actions, context: "up", TypeError, r"<lambda>' returned 'up' of type str; allowed are one number"),
        (lambda actions, context: actions, ValueError, r"<lambda>' returned shape \(1, 16, 3\) for actions of shape"),
    ],
    ids=["text", "actions"],
)
def test_a_reward_that_is_no_figure_of_an_episode_is_refused(small, series, reward, error, message) -> None:
    with pytest.raises(error, match=message):
        PSANNRegressor(**small).fit(series, series, **HISSO, hisso_reward_fn=reward)
    fitted = PSANNRegressor(**small).fit(series, series, **HISSO)
    with pytest.raises(error, match="allowed are one number"):
        fitted.evaluate_reward(series, reward_fn=reward)


def test_a_vector_of_noise_is_refused(small, series) -> None:
    with pytest.raises(ValueError, match="noisy"):
        PSANNRegressor(**small).fit(series, series, **HISSO, noisy=[0.1, 0.1, 0.1])


def test_an_estimator_without_episodes_has_no_actions(small, series) -> None:
    with pytest.raises(ValueError, match="hisso=True"):
        PSANNRegressor(**small).fit(series, series).infer_series(series)
