"""CO10: versions compared as strings."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations

_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


class VersionComparedAsString(Rule[ast.Compare]):
    code = "CO10"
    doc = RuleDoc(
        title="a version compared as a string",
        why='"2.10" is less than "2.9" as a string, so a feature is switched off (or on) by a newer release.',
        cure="Compare with `packaging.version.Version(...)`, or for torch `torch.torch_version.TorchVersion(...) >= "
        '"2.9"`, or test for the feature itself (`hasattr(torch, "compile")`).',
        not_reported='`torch.__version__ >= "2.0"` itself is a `TorchVersion`, which compares properly, and is not '
        "reported; `str(...)`, slices and splits of it are. Tests for equality are not either.",
        at_runtime="None: a unit test with a two-digit minor version shows it.",
    )
    nodes = (ast.Compare,)

    def check(self, node: ast.Compare, file: SourceFile) -> Violations:
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if isinstance(operator, _ORDER) and (_is_compared(left, right, file) or _is_compared(right, left, file)):
                yield Violation(node, "compares versions as strings (or decimal numbers): 2.10 is less than 2.9")


def _is_compared(version: ast.expr, limit: ast.expr, file: SourceFile) -> bool:
    if not isinstance(limit, ast.Constant):
        return False
    if isinstance(limit.value, str):
        return _is_text(version, file)
    cast = isinstance(version, ast.Call) and file.name_of(version.func) == "float" and bool(version.args)
    return cast and "__version__" in file.attributes_in(version)


def _is_text(version: ast.expr, file: SourceFile) -> bool:
    if isinstance(version, ast.Name):
        assigned = file.assigned(version)
        return assigned is not None and not isinstance(assigned, ast.Name) and _is_text(assigned, file)
    if isinstance(version, ast.Attribute):
        return version.attr == "__version__" and file.name_of(version) != "torch.__version__"
    if isinstance(version, ast.Call):
        name = file.name_of(version.func)
        if name in ("importlib.metadata.version", "platform.python_version"):
            return True
        method = version.func.attr if isinstance(version.func, ast.Attribute) else ""
        cuts = name == "str" or method in ("strip", "replace", "removesuffix")
    else:
        cuts = isinstance(version, ast.Subscript) and isinstance(version.value, (ast.Attribute, ast.Call))
    return cuts and "__version__" in file.attributes_in(version)
