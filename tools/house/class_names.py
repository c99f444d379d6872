"""Public classes that share a name, so that one word would mean two things."""

import ast
from collections import defaultdict
from collections.abc import Iterable

from tools.house.offender import Offender
from tools.house.source import Source


def shared_class_names(sources: Iterable[Source]) -> list[Offender]:
    """Each definition of a public class at the top of a module whose name another module defines too."""
    places: defaultdict[str, list[tuple[Source, int]]] = defaultdict(list)
    for source in sources:
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append((source, node.lineno))
    return [
        Offender(path=source.path, line=line, what=f"class {name} is defined {len(found)} times")
        for name, found in places.items()
        for source, line in found
        if len(found) > 1
    ]
