"""Growth M4: an annotation in quotes whose module nobody imported by name."""

import ast
import subprocess
import sys
from collections.abc import Mapping

from benchmarks.claims.evidence import Evidence, digits
from benchmarks.claims.trial import Claim, Judgement, Ruling

PROGRAM = """
import typing
import torch
def f(loader: "torch.utils.data.DataLoader") -> None: ...
hint = typing.get_type_hints(f)["loader"]
print(int(hint.__name__ == "DataLoader"), int("torch.utils.data" in __import__("sys").modules))
"""


def counts() -> Mapping[str, float]:
    printed = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    resolved, loaded = (int(word) for word in printed.split())
    return {
        "annotation resolves after a bare import torch": resolved,
        "torch.utils.data is loaded by it": loaded,
        "torch names its submodule in torch/utils/__init__.py": int(declares_data()),
    }


def declares_data() -> bool:
    """Whether the source of torch.utils imports `data` itself, which is what a static checker sees."""
    import torch.utils

    with open(torch.utils.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    names = [
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
        for alias in node.names
    ]
    return any(name.split(".")[-1] == "data" for name in names)


def judge(seen: Evidence) -> Judgement:
    resolves = seen.count("annotation resolves after a bare import torch")
    static = seen.count("torch names its submodule in torch/utils/__init__.py")
    return Judgement(
        ruling=Ruling.FAILS if resolves and static else Ruling.HALF if resolves else Ruling.HOLDS,
        measured=f"resolves at run time: {digits(resolves)} of 1; declared for static checkers: {digits(static)} of 1",
        why="import torch brings torch.utils.data with it. What is left is taste: an import by name reads better.",
    )


CLAIM = Claim(
    item="M4",
    title="annotation of the loader",
    text='The quoted annotation "torch.utils.data.DataLoader" cannot be resolved, as the module is not imported.',
    figure="static analysis",
    judge=judge,
    counts=counts,
)
