"""DA03: the same cast, clean-up or copy made again for every sample."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.definitions import is_dataset
from hotloop.lint.source_model.kind import Kind


class CastPerSample(Rule[ast.Call]):
    code = "DA03"
    doc = RuleDoc(
        title="a cast, clean-up or copy made again for every sample",
        why="In `__getitem__`, `astype`, `nan_to_num` and `torch.tensor(array)` redo the same work in every epoch.",
        cure="Do it once, when the data set is loaded, and return views: `torch.from_numpy(array)` then slicing.",
        at_runtime="Each stage's share of `__getitem__`, in `hotloop diagnose`: look first, it is often far below 1 %.",
        not_reported="Only `__getitem__` of data sets is read. `torch.tensor(self.labels[i])` of a single label is not "
        "reported: it is made from a number, and there is nothing to share.",
    )
    calls = frozenset({"astype", "nan_to_num", "nan_to_num_", "tensor"})
    hot_only = True

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        hot = file.hot(node)
        if hot is None or hot.kind != "getitem" or not is_dataset(file.position(node).scope.owner, file):
            return
        if file.name_of(node.func) == "torch.tensor":
            for given in node.args[:1]:
                taken = file.assigned(given) or given
                slices = file.within(taken.slice, ast.Slice) if isinstance(taken, ast.Subscript) else []
                if slices or file.kind(given) in (Kind.ARRAY, Kind.TENSOR):
                    yield Violation(node, "`torch.tensor()` copies an array for every sample")
        elif isinstance(node.func, ast.Attribute) and node.func.attr != "tensor":
            yield Violation(node, f"`{node.func.attr}` is done again for every sample, in every epoch")
