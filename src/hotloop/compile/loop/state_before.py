"""Python state as it was before tracing, which runs the program's own code once more than the program does."""

from collections import deque
from types import CellType
from typing import Any

from torch.utils import _pytree as pytree

from hotloop.compile.loop.guards import RegionGuards
from hotloop.compile.loop.python_state import is_plain

_RENEWED_BY_TORCH = frozenset({"_flat_weights", "_flat_weight_refs"})  # recurrent modules look after these themselves


class StateBefore:
    """All tables, containers and closures within a region's reach, with what they hold now."""

    def __init__(self, guards: RegionGuards) -> None:
        self._tables = [(table, dict(table)) for table in guards.tables]
        self._containers = [(value, items) for value, items in guards.containers if not isinstance(value, dict)]
        self._cells = [(cell, held) for cell, held in guards.cells if isinstance(cell, CellType)]
        self._classes = [(cell, held) for cell, held in guards.cells if hasattr(cell, "put_back")]

    def restore(self) -> list[str]:
        """Put everything back; what had changed, by the names of attributes and kinds of containers."""
        changed = [name for table, old in self._tables for name in _put_back(table, old)]
        for value, items in self._containers:
            if len(value) != len(items) or any(a is not b for a, b in zip(value, items, strict=True)):
                changed.append(f"the items of a {type(value).__name__}")
                _refill(value, items)
        for cell, held in self._cells:
            if _holds(cell) is not held:
                changed.append("a variable of an enclosing function")
                cell.cell_contents = held
        for cell, held in self._classes:
            if cell.cell_contents is not held:
                changed.append("an attribute of a class")
                cell.put_back(held)
        return changed


def _put_back(table: dict[Any, Any], old: dict[Any, Any]) -> list[str]:
    """Key by key: other threads may read a table of globals meanwhile."""
    different = [key for key in table if key not in old or old[key] is not table[key]]
    changed = [str(key) for key in different if not _is_equal(old.get(key), table[key])]
    changed += [str(key) for key in old if key not in table]
    for key in different:
        if key not in old:
            del table[key]
    table.update({key: value for key, value in old.items() if key not in table or table[key] is not value})
    return [name for name in changed if name not in _RENEWED_BY_TORCH]


def _is_equal(then: Any, now: Any) -> bool:
    """Whether a new object is as good as the old one: the same leaves, or plain values that are equal."""
    old, new = pytree.tree_leaves(then), pytree.tree_leaves(now)
    return len(old) == len(new) and all(
        a is b or (is_plain(a) and type(a) is type(b) and a == b) for a, b in zip(old, new, strict=True)
    )


def _refill(value: Any, items: tuple[Any, ...]) -> None:
    if isinstance(value, list):
        value[:] = items
    elif isinstance(value, (deque, set)):
        value.clear()
        (value.extend if isinstance(value, deque) else value.update)(items)


def _holds(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return StateBefore  # nothing that a program holds
