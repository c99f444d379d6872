import numpy as np
import pytest
import torch

from hotloop.train.episodes.context import ContextSource, align, to_tensor
from hotloop.train.episodic import train_episodic

INPUTS = torch.arange(24.0).reshape(2, 4, 3)


def numpy_only(inputs):
    if not isinstance(inputs, np.ndarray):
        raise TypeError("expected an array")
    return inputs.cumsum(1)


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [
        (3, 3, [0, 1, 2]),
        (3, 1, [1]),
        (1, 3, [0, 0, 0]),
        (3, 2, [0, 1]),
        (2, 3, [0, 0, 1]),
        (2, 5, [0, 0, 0, 1, 1]),
    ],
)
def test_3_4_context_is_aligned_to_the_actions_by_the_table(channels, width, expected):
    context = torch.arange(float(channels)).expand(2, 4, channels)
    assert align(context, (2, 4, width))[1, 2].tolist() == expected


def test_3_4_context_that_does_not_fit_is_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"\(2, 5, 3\).*\(2, 4, 3\)"):
        align(torch.zeros(2, 5, 3), (2, 4, 3))


@pytest.mark.parametrize(
    ("answer", "shape"),
    [
        (lambda x: x, (2, 4, 3)),
        (lambda x: x.mean(-1), (2, 4, 1)),
        (lambda x: x[..., None], (2, 4, 3)),
        (lambda x: (x[..., :2], "more"), (2, 4, 2)),
        (lambda x: {"other": x, "prices": x[..., :1]}, (2, 4, 1)),
        (lambda x: {"anything": x}, (2, 4, 3)),
        (lambda x: [None, x], (2, 4, 3)),
        (lambda x: x.numpy().astype(np.int32), (2, 4, 3)),
    ],
)
def test_3_4_answers_of_many_kinds_become_a_tensor(answer, shape):
    context = ContextSource(answer)(INPUTS)
    assert tuple(context.shape) == shape
    assert context.dtype is INPUTS.dtype


def test_3_4_context_of_one_long_episode_may_come_without_its_dimension():
    assert tuple(ContextSource(lambda x: x[0])(INPUTS[:1]).shape) == (1, 4, 3)


def test_3_4_context_carries_no_gradient():
    assert not to_tensor(torch.ones(2, requires_grad=True) * 2, INPUTS).requires_grad


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (lambda x: None, TypeError, "returned NoneType"),
        (lambda x: "text", TypeError, "returned str"),
        (lambda x: {}, TypeError, "returned dict"),
        (lambda x: np.array(["a"]), TypeError, "returned ndarray"),
        (lambda x: x[:, :2], ValueError, r"\(2, 2, 3\).*\(2, 4, 3\)"),
        (lambda x: x[:1], ValueError, r"\(1, 4, 3\).*\(2, 4, 3\)"),
        (lambda x: x.sum(), ValueError, r"\(\).*\(2, 4, 3\)"),
        (lambda x: x / 0, ValueError, "NaN or infinity"),
        (lambda x: {}["missing"], KeyError, "missing"),
    ],
)
def test_a6_what_an_extractor_may_get_wrong_is_a_clear_error(answer, error, words):
    with pytest.raises(error, match=words):
        ContextSource(answer)(INPUTS)


def test_5_1_the_numpy_fallback_warns_once_and_says_how_to_mend_it(make, flat_series, options):
    with pytest.warns(RuntimeWarning) as caught:
        run = train_episodic(make["linear"](), flat_series, options(), context=numpy_only, seed=0)
    assert len(caught) == 1
    for words in ("NumPy fallback", "on CUDA", "Accept a torch.Tensor"):
        assert words in str(caught[0].message)
    assert run.profile.numpy_fallback


def test_5_2_the_warning_points_at_the_caller_and_comes_again_for_a_new_extractor():
    for _ in range(2):
        with pytest.warns(RuntimeWarning) as caught:
            ContextSource(numpy_only)(INPUTS)
        assert [warning.filename for warning in caught] == [__file__]


def test_5_2_after_the_fallback_the_extractor_is_called_once_an_update():
    calls = []

    def extractor(inputs):
        calls.append(type(inputs))
        return numpy_only(inputs)

    source = ContextSource(extractor)
    with pytest.warns(RuntimeWarning):
        source(INPUTS)
    source(INPUTS)
    assert calls == [torch.Tensor, np.ndarray, np.ndarray]


def test_defect_07_a_genuine_type_error_is_raised_as_it_was():
    def broken(inputs):
        return len(3)

    with pytest.raises(TypeError, match=r"object of type 'int' has no len\(\)"):
        ContextSource(broken)(INPUTS)


def test_defect_07_a_type_error_after_the_first_update_is_no_reason_for_numpy():
    calls = []

    def extractor(inputs):
        calls.append(type(inputs))
        if len(calls) > 1:
            raise TypeError("later")
        return inputs

    source = ContextSource(extractor)
    source(INPUTS)
    with pytest.raises(TypeError, match="later"):
        source(INPUTS)
    assert calls == [torch.Tensor, torch.Tensor]
