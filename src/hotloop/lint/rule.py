"""Rule: one slow or unsafe pattern, with its page in the handbook and the function that finds it.

HOW TO WRITE A RULE (one new file in `rules/`, no list to edit; third parties: entry point `hotloop.rules`):

    class ItemInLoop:                               # in rules/sync/item_in_loop.py
        code = "SY01"                               # stable; the folder is that of the family
        page = Page(title=..., why=..., cure=..., dynamic=..., traps=...)
        nodes = ()                                  # types of ast nodes that `check` is shown
        calls = frozenset({"item", "float"})        # it is shown calls of functions or methods so named, too
        hot_only = True                             # only those in hot code

        def check(self, node: ast.AST, file: SourceFile) -> Iterable[Hit]:
            ...
            yield Hit(node, "`.item()` waits for the device in every step")

The file is parsed and walked once, before any rule runs. Rules hold no state and never walk the tree themselves
(`ast.walk` is refused by a test); they ask `file` (see `source.SourceFile`):

    file.hot(node)            the hot context around a node (kind, node), or None
    file.place(node)          its Place: scope, loops from outer to inner, hot
    file.parent(node)         and file.ancestors(node), file.statement(node)
    file.within(node)         the node and all nodes under it, in order: a slice, costs nothing
    file.all(ast.With, ...)   all nodes of these types in the file, in order
    file.calls("DataLoader")  all calls of a function or method of that last name
    file.name_of(expr)        "torch.utils.data.DataLoader": dotted name after imports and aliases, "self.x", or ""
    file.kind(expr)           Kind.TENSOR, OUTPUT, MODULE, LOADER, OPTIMIZER, ...; file.is_tensor(expr)
    file.binding(name)        the last assignment to a name before this use; its `value`, `how`, `statement`
    file.bindings(scope, "x") all of them; file.uses(scope, "x") all reads of the name in that scope

A pattern that cannot be told from the source, or that another tool finds, has a file as well, with
`unlinted = Unlinted(reason=..., tool=...)` in place of nodes, calls, hot_only and check.

Fixtures: `tests/lint/fixtures/sy01_fires.py`, its expected lines marked by a trailing `# fires: SY01`, and
`sy01_silent.py`. One test runs them all.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hotloop.lint.source_model.source_file import SourceFile


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the handbook says of a rule; each field is whole sentences in Markdown.

    `title` is a few words. `dynamic` says how the running program shows the same thing. `traps` says what looks alike
    and is not reported. `transform` names the registered transform that cures it, where one does.
    """

    title: str
    why: str
    cure: str
    dynamic: str = ""
    traps: str = ""
    transform: str | None = None


@dataclass(frozen=True, kw_only=True)
class Unlinted:
    """Why no line of source is reported for a code, and which tool reports it instead."""

    reason: str
    tool: str


@dataclass(frozen=True)
class Hit:
    """One place where a rule is broken: the node that does it, and what it does there, in one sentence.

    `cure` replaces the cure of the rule's page where this place needs another one.
    """

    node: ast.expr | ast.stmt
    message: str
    cure: str | None = None


class Rule(Protocol):
    """A pattern that can be found in source. See the head of this file."""

    @property
    def code(self) -> str: ...
    @property
    def page(self) -> Page: ...
    @property
    def nodes(self) -> tuple[type[ast.AST], ...]: ...
    @property
    def calls(self) -> frozenset[str]: ...
    @property
    def hot_only(self) -> bool: ...

    def check(self, node: ast.AST, file: "SourceFile") -> Iterable[Hit]:
        """Yield what `node` breaks, if anything."""
        ...
