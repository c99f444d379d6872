"""CO12: a statement that keeps the step of a loop from being captured as one graph."""

import ast

from hotloop.compile.loop.find import find_regions
from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations


class StepNotCapturable(Rule[ast.Module]):
    code = "CO12"
    doc = RuleDoc(
        title="a statement in the middle of a step that no graph can hold",
        why="From the call of the model to the optimizer's step a loop can run as one graph, which on small models "
        "is several times as fast. A branch on a value, a read of the host or an effect in Python between them, "
        "whose place matters, keeps that from happening.",
        cure="Move the statement in front of the model's call or behind `optimizer.step()`; a check of the loss can "
        "be made on `loss.detach()` after the step, or every hundred steps.",
        at_runtime="`hotloop diagnose` says what capturing could be worth and which line is in the way; "
        "`hotloop run` with `captured_loop` names each line when it loads the program.",
        not_reported="What can be moved behind the graph by itself (`total += loss.item()`) is not reported, nor are "
        "steps of optimizers that take a closure, nor functions that are given a loss and call no model.",
        transform="captured_loop",
    )
    nodes = (ast.Module,)

    def check(self, node: ast.Module, file: SourceFile) -> Violations:
        if ".backward" not in file.text:
            return
        _, refusals = find_regions(node, file.path)
        for refusal in (refusal for refusal in refusals if refusal.is_edit):
            statement = next((s for s in file.within(node, ast.stmt) if s.lineno == refusal.line), None)
            if statement is not None:
                yield Violation(statement, f"keeps the step from being captured as one graph: {refusal.reason}")
