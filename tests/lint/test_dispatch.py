"""Which nodes a rule is given."""

import ast

from hotloop.lint.dispatch import Dispatch
from hotloop.lint.rule import RuleDoc
from hotloop.lint.source_model.source_file import parse_source


def test_a_rule_is_given_only_what_it_asked_for():
    given = []

    class Recorder:
        code = "ZZ01"
        doc = RuleDoc(title="", why="", cure="")
        nodes = (ast.While,)
        calls = frozenset({"item"})
        hot_only = True

        def check(self, node, file):
            given.append(type(node).__name__)
            return ()

    Dispatch([Recorder()]).findings(
        parse_source("train.py", "x.item()\nfor a in loader:\n    a.item()\n    a.cpu()\nwhile c: loss.backward()\n")
    )
    assert given == ["Call"]
