from typing import ClassVar

import torch
from torch.utils.checkpoint import checkpoint

from hotloop.worker.draws import modules_may_draw_apart


class Recording(torch.autograd.Function):
    """Notes in its backward pass whether modules called there may draw apart."""

    answers: ClassVar[list[bool]] = []

    @staticmethod
    def forward(ctx, value):
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        with torch.enable_grad():
            Recording.answers.append(modules_may_draw_apart())
        return gradient


def test_modules_draw_apart_where_training_calls_them():
    assert modules_may_draw_apart()
    with torch.no_grad():
        assert not modules_may_draw_apart()


def test_modules_do_not_draw_apart_inside_a_backward_pass():
    Recording.apply(torch.ones(2, requires_grad=True)).sum().backward()
    assert Recording.answers == [False]


def test_modules_do_not_draw_apart_where_activations_are_computed_again_later():
    answers = []

    def block(value):
        answers.append(modules_may_draw_apart())
        return value.sin()

    checkpoint(block, torch.ones(2, requires_grad=True), use_reentrant=False).sum().backward()
    assert answers == [False, False]


def test_modules_do_not_draw_apart_inside_a_functorch_transform():
    answers = []
    torch.func.grad(lambda value: (answers.append(modules_may_draw_apart()), value.sum())[1])(torch.ones(2))
    assert answers == [False]
