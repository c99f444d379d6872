"""DA03: the same cast, clean-up or copy made again for every sample."""

import ast
from collections.abc import Iterable

from hotloop.lint.rule import Hit, Page
from hotloop.lint.source_model.datasets import is_dataset
from hotloop.lint.source_model.kind_inference import Kind
from hotloop.lint.source_model.source_file import SourceFile


class CastPerSample:
    code = "DA03"
    page = Page(
        title="a cast, clean-up or copy made again for every sample",
        why="What `astype`, `nan_to_num` and `torch.tensor(array)` do to a sample in `__getitem__` is done again in "
        "every epoch, though the data did not change.",
        cure="Do it once, when the data set is loaded, and hand out views: `torch.from_numpy(array)` then slicing.",
        dynamic="The share of each stage of `__getitem__`, sampled by `hotloop diagnose`. It is often far below one "
        "percent: look there before you edit.",
        traps="Only `__getitem__` of data sets is read. `torch.tensor(self.labels[i])` of a single label is not "
        "reported: it is made from a number, and there is nothing to share.",
    )
    nodes: tuple[type[ast.AST], ...] = ()
    calls = frozenset({"astype", "nan_to_num", "nan_to_num_", "tensor"})
    hot_only = True

    def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
        assert isinstance(node, ast.Call)
        hot = file.hot(node)
        if hot is None or hot.kind != "getitem" or not is_dataset(file, file.place(node).scope.owner):
            return
        name = file.name_of(node.func)
        if name == "torch.tensor":
            if node.args and _is_array(node.args[0], file):
                yield Hit(node, "`torch.tensor()` copies an array for every sample")
        elif isinstance(node.func, ast.Attribute) and node.func.attr != "tensor":
            yield Hit(node, f"`{node.func.attr}` is done again for every sample, in every epoch")


def _is_array(given: ast.expr, file: SourceFile) -> bool:
    if file.kind(given) in (Kind.ARRAY, Kind.TENSOR):
        return True
    if isinstance(given, ast.Name):
        bound = file.binding(given)
        given = bound.value if bound is not None and bound.how == "assign" and bound.value is not None else given
    return isinstance(given, ast.Subscript) and any(isinstance(part, ast.Slice) for part in file.within(given.slice))
