"""The one pass over a file."""

import ast

from hotloop.lint.catalogue import rules
from hotloop.lint.dispatch import Dispatch
from hotloop.lint.source_model.source_file import SourceFile, parse_source


def test_what_lies_under_a_node_is_a_slice_of_the_walk():
    file = parse_source("train.py", "for a in b:\n    c(d)\ne = f\n")
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
