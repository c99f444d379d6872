"""Facts of a file: what is hot, what is a tensor, and that it is walked once."""

import ast

import pytest

from hotloop.errors import SourceError
from hotloop.lint.catalogue import rules
from hotloop.lint.dispatch import Dispatch
from hotloop.lint.rule import RuleDoc
from hotloop.lint.source_model.kind import Kind
from hotloop.lint.source_model.source_file import SourceFile, parse_source, read_source


def facts(text):
    return parse_source("train.py", text)


def marks(file):
    """Calls of `mark("label")` by their label."""
    return {call.args[0].value: call for call in file.calls("mark") if isinstance(call.args[0], ast.Constant)}


def hot_marks(text):
    file = facts(text)
    return {label: file.hot(call).kind if file.hot(call) else None for label, call in marks(file).items()}


def test_only_the_innermost_batch_loop_is_hot():
    assert hot_marks("""
for epoch in range(3):
    mark("before")
    for x in tqdm(enumerate(train_loader)):
        mark("inside")
        for p in params:
            mark("deeper")
    else:
        mark("else")
    mark("after")
mark("outside")
""") == {
        "before": None,
        "inside": "batch loop",
        "deeper": "batch loop",
        "else": None,
        "after": None,
        "outside": None,
    }


def test_a_loop_is_hot_by_its_backward_or_step_whatever_it_iterates():
    assert hot_marks("""
for step in range(1000):
    mark("backward")
    loss.backward()
while True:
    mark("step")
    scaler.step(optimizer)
for epoch in range(3):
    mark("scheduler")
    scheduler.step()
    env.step(action)
for step in range(10):
    for opt in optimizers:
        opt.step()
    mark("optimizers")
""") == {"backward": "batch loop", "step": "batch loop", "scheduler": None, "optimizers": "batch loop"}


def test_functions_called_for_every_batch_are_hot():
    assert hot_marks("""
class Net(Module):
    def forward(self, x):
        mark("forward")
    def helper(self):
        mark("method")
    def training_step(self, batch):
        mark("training_step")
class Data:
    def __getitem__(self, i):
        mark("getitem")
def collate_fn(samples):
    mark("collate")
def one_step(x):
    mark("step")
    loss.backward()
    optimizer.step()
def forward():
    mark("no method")
""") == {
        "forward": "forward",
        "method": None,
        "training_step": "step",
        "getitem": "getitem",
        "collate": "collate",
        "step": "step",
        "no method": None,
    }


def test_rare_branches_are_not_hot_but_accumulation_is():
    assert hot_marks("""
for step, x in enumerate(loader):
    if step % 100 == 0:
        mark("every")
    if (step + 1) % 4 == 0:
        optimizer.step()
        mark("accumulation")
    if bad:
        mark("raises")
        raise ValueError
    if done:
        mark("breaks")
        break
    for p in params:
        if found:
            mark("leaves the inner loop")
            break
    if step % 500 == 0:
        for y in val_loader:
            mark("evaluation")
    try:
        mark("try")
    except ValueError:
        mark("except")
""") == {
        "every": None,
        "accumulation": "batch loop",
        "raises": None,
        "breaks": None,
        "leaves the inner loop": "batch loop",
        "evaluation": "batch loop",
        "try": "batch loop",
        "except": None,
    }


def test_loaders_in_a_dict_or_their_data_sets_are_not_batches():
    assert hot_marks("""
for name, loader in loaders.items():
    mark("loaders")
for sample in loader.dataset:
    mark("dataset")
for i in range(len(loader)):
    mark("length")
for x in DataLoader(data):
    mark("call")
""") == {"loaders": None, "dataset": None, "length": "batch loop", "call": "batch loop"}


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


def test_a_name_means_its_last_binding_before_the_use():
    file = facts("x = 1\nx = x + 2\nmark(x)\nx = 3\n")
    use = file.calls("mark")[0].args[0]
    assert ast.unparse(file.binding(use).value) == "x + 2"


def test_what_lies_under_a_node_is_a_slice_of_the_walk():
    file = facts("for a in b:\n    c(d)\ne = f\n")
    loop = file.tree.body[0]
    assert {node.id for node in file.within(loop) if isinstance(node, ast.Name)} == {"a", "b", "c", "d"}
    assert file.holds(loop, loop.body[0])
    assert not file.holds(loop, file.tree.body[1])


def test_every_node_is_walked_once_and_no_rule_walks_again(monkeypatch):
    text = "def f(model, loader):\n" + "    for x in loader:\n        y = model(x).item()\n" * 50
    tree = ast.parse(text)
    num_nodes = sum(not isinstance(node, (ast.expr_context, ast.operator, ast.arguments)) for node in ast.walk(tree))

    def refuse(*_):
        raise AssertionError("walked again")

    for name in ("walk", "iter_child_nodes", "parse"):
        monkeypatch.setattr(ast, name, refuse)
    monkeypatch.setattr(ast.NodeVisitor, "visit", refuse)
    file = SourceFile("f.py", text, tree)
    assert len(file.within(tree)) == len(set(file.within(tree))) == num_nodes
    assert len(Dispatch(rules()).findings(file)) >= 50


def test_a_rule_is_shown_only_what_it_asked_for():
    shown = []

    class Recorder:
        code = "ZZ01"
        doc = RuleDoc(title="", why="", cure="")
        nodes = (ast.While,)
        calls = frozenset({"item"})
        hot_only = True

        def check(self, node, file):
            shown.append(type(node).__name__)
            return ()

    Dispatch([Recorder()]).findings(
        facts("x.item()\nfor a in loader:\n    a.item()\n    a.cpu()\nwhile c: loss.backward()\n")
    )
    assert shown == ["Call"]


@pytest.mark.parametrize("text", ["+ a" * 700, ".b()" * 300, "[0]" * 300])
def test_long_sums_and_chains_need_no_deep_stack(text):
    file = facts(f"for x in loader:\n    c = a{text}\n    c.item()\n")
    assert file.kind(file.calls("item")[0]) is Kind.NUMBER
    assert [found.code for found in Dispatch(rules()).findings(file)] == ["SY01"]


def test_source_that_no_parser_takes_is_an_error():
    with pytest.raises(SourceError, match=r"nested too deeply|too many nested"):
        facts("x = " + "-" * 100_000 + "1")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"def f(:\n", r"bad.py:1: invalid syntax; mend"),
        (b"x = '\xff'\n", r"bad.py is not text in its encoding"),
        (b"# coding: nonsense\n", r"bad.py is not text in its encoding"),
        (b"x = 1\x00\n", r"bad.py.*(null bytes|remove the bytes)"),
    ],
)
def test_a_file_that_is_not_python_is_named(tmp_path, data, said):
    path = tmp_path / "bad.py"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=said):
        read_source(path)


def test_a_file_in_another_declared_encoding_is_read(tmp_path):
    path = tmp_path / "latin.py"
    path.write_bytes("# coding: latin-1\nx = 'é'\n".encode("latin-1"))
    assert read_source(path).text.endswith("'é'\n")
