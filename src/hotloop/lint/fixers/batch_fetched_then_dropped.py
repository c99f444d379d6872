"""DA12: `for i, batch in enumerate(loader): if i >= n: break` becomes a loop over `itertools.islice(loader, n)`."""

import ast

import libcst as cst

from hotloop.lint.patches.concrete_source import ConcreteSource
from hotloop.lint.patches.edits import Edits, NotExact
from hotloop.lint.patches.fixer import Fixer
from hotloop.lint.source_model.definitions import class_of, method
from hotloop.lint.source_model.expressions import argument, dotted, is_literal, words
from hotloop.lint.source_model.source_file import SourceFile

_HARMLESS = words("batch_size shuffle num_workers pin_memory drop_last dataset")
_PURE_CALLS = words("len float int torch.tensor torch.as_tensor torch.from_numpy")


class StopBeforeFetch(Fixer[ast.If]):
    """Exact only where nobody can tell whether the batch was fetched: the file makes the loader and its data set, and
    fetching draws no random number and changes nothing.
    """

    code = "DA12"
    node = ast.If

    def edits(self, node: ast.If, source: ConcreteSource) -> Edits:
        file = source.file
        loop = file.parent(node)
        if not isinstance(loop, ast.For) or len(loop.body) < 2 or loop.orelse:
            raise NotExact("the loop has an `else`, or nothing but the test")
        limit = _limit(node, loop, file)
        _check_loader(_loader(loop), file)
        stop = source.concrete(node, cst.If)
        if source.has_comment(node) or any(line.comment for line in stop.leading_lines):
            raise NotExact("a comment stands at the test")
        if any(binding.name == "itertools" and binding.how != "import" for binding in file.all_bindings()):
            raise NotExact("the file calls something else `itertools`")
        fetched = source.concrete(_loader(loop), cst.BaseExpression)
        text = source.code(source.concrete(limit, cst.BaseExpression))
        return Edits(
            subject=node,
            replace={
                fetched: lambda updated: cst.parse_expression(f"itertools.islice({source.code(updated)}, {text})")
            },
            remove={stop},
            imports={("itertools", "")},
        )


def _loader(loop: ast.For) -> ast.expr:
    if not isinstance(loop.iter, ast.Call) or dotted(loop.iter.func) != "enumerate" or len(loop.iter.args) != 1:
        raise NotExact("the count does not come from `enumerate(loader)`")
    if loop.iter.keywords:
        raise NotExact("the count does not start at 0")
    return loop.iter.args[0]


def _limit(node: ast.If, loop: ast.For, file: SourceFile) -> ast.expr:
    """What the count is compared with, a whole number above 0. Raises NotExact."""
    target = loop.target.elts[0] if isinstance(loop.target, ast.Tuple) and len(node.body) == 1 else None
    test = node.test
    if not isinstance(target, ast.Name) or not isinstance(test, ast.Compare) or len(test.ops) > 1:
        raise NotExact("the test does more than compare the count and leave")
    if dotted(test.left) != target.id or not isinstance(test.ops[0], (ast.GtE, ast.Eq)):
        raise NotExact("the test is not `count >= n`")
    value = file.number(test.comparators[0])
    if not isinstance(value, int) or value < 1:
        raise NotExact("the limit is not seen to be a whole number above 0")
    same = [name for name in file.all(ast.Name) if name.id == target.id]
    if not all(file.holds(loop, name) for name in same):
        raise NotExact(f"`{target.id}` is used outside of the loop, where it would be one less")
    if sum(isinstance(name.ctx, ast.Store) for name in same) > 1:
        raise NotExact(f"`{target.id}` is changed in the loop")
    return test.comparators[0]


def _check_loader(loader: ast.expr, file: SourceFile) -> None:
    """Raise NotExact unless fetching one batch more leaves no trace."""
    made = file.assigned(loader)
    if not isinstance(made, ast.Call) or file.name_of(made.func) != "torch.utils.data.DataLoader":
        raise NotExact("this file does not show how the loader is made")
    if len(made.args) > 3 or any(word.arg not in _HARMLESS for word in made.keywords):
        raise NotExact("the loader has arguments that may see the batch, or keep their state")
    workers = argument(made, "num_workers")
    if workers is not None and not is_literal(workers, 0):
        raise NotExact("workers fetch ahead in any case")
    given = argument(made, "dataset", 0)
    given = file.assigned(given) if isinstance(given, ast.Name) else given
    if isinstance(given, ast.Call) and file.name_of(given.func) == "torch.utils.data.TensorDataset":
        return
    owner = class_of(given, file)
    getitem = method(owner, "__getitem__") if owner is not None else None
    if getitem is None:
        raise NotExact("the data set is not in this file")
    if any(file.name_of(call.func) not in _PURE_CALLS for call in file.within(getitem, ast.Call)):
        raise NotExact("fetching a sample calls something that may draw a random number or change something")
    if any(isinstance(part.ctx, ast.Store) for part in file.within(getitem, ast.Attribute, ast.Subscript)):
        raise NotExact("fetching a sample changes something")
