"""What an expression is: a tensor, an array, a number, and so on."""

import pytest

from hotloop.lint.catalogue import rules
from hotloop.lint.dispatch import Dispatch
from hotloop.lint.source_model.kind import Kind
from hotloop.lint.source_model.source_file import parse_source


def facts(text):
    return parse_source("train.py", text)


KINDS = {
    "torch.zeros(3)": Kind.TENSOR,
    "F.relu(x)": Kind.TENSOR,
    "model(x)": Kind.OUTPUT,
    "model(x).loss": Kind.OUTPUT,
    "model(x).argmax(1) == y": Kind.TENSOR,
    "loss * 2 + 1": Kind.TENSOR,
    "loss.item()": Kind.NUMBER,
    "x.shape[0]": Kind.NUMBER,
    "x.size(0) * 2": Kind.NUMBER,
    "loss is None": Kind.NUMBER,
    "np.zeros(3).mean()": Kind.ARRAY,
    "loss.numpy()": Kind.ARRAY,
    "p.grad.norm()": Kind.TENSOR,
    "later": Kind.NUMBER,
    "index": Kind.NUMBER,
    "self": Kind.UNKNOWN,
    "criterion(out, y)": Kind.OUTPUT,
    "torch.is_tensor(x)": Kind.UNKNOWN,
    "typed": Kind.TENSOR,
    "maybe": Kind.TENSOR,
}


@pytest.mark.parametrize("expression", KINDS)
def test_the_kind_of_an_expression(expression):
    file = facts(f"""
import numpy as np, torch
import torch.nn.functional as F
def train(self, model, loader, typed: "torch.Tensor", maybe: torch.Tensor | None):
    for index, (x, y) in enumerate(loader):
        loss = F.mse_loss(model(x), y)
        later = loss
        later = later.item()
        for name, p in model.named_parameters():
            mark({expression})
""")
    assert file.kind(file.calls("mark")[0].args[0]) is KINDS[expression]


@pytest.mark.parametrize("text", ["+ a" * 700, ".b()" * 300, "[0]" * 300])
def test_long_sums_and_chains_need_no_deep_stack(text):
    file = facts(f"for x in loader:\n    c = a{text}\n    c.item()\n")
    assert file.kind(file.calls("item")[0]) is Kind.NUMBER
    assert [found.code for found in Dispatch(rules()).findings(file)] == ["SY01"]
