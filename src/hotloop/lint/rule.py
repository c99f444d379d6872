"""Rule: one slow or unsafe pattern, with its documentation and the function that finds it.

HOW TO WRITE A RULE (one new file `rules/<family>/<what it finds>.py`, no list to edit; third parties declare an entry
point `hotloop.rules`):

    class ItemInLoop(Rule[ast.Call]):               # the name of the file, item_in_loop.py
        code = "SY01"                               # stable; begins as the name of the family's folder does
        doc = RuleDoc(title=..., why=..., cure=..., at_runtime=..., not_reported=...)
        nodes = ()                                  # types of ast nodes that `check` is given
        calls = frozenset({"item", "float"})        # it is given calls of functions or methods so named, too
        hot_only = True                             # only those in hot code

        def check(self, node: ast.Call, file: SourceFile) -> Violations:
            ...
            yield Violation(node, "`.item()` waits for the device in every step")

The file is parsed and indexed once, before any rule runs. Rules hold no state and never walk the tree themselves
(`ast.walk` is refused by a test); they ask `file` (see `source_model.source_file`):

    file.hot(node)            the hot context around a node (kind, node), or None
    file.often(node)          how often it runs, in words: "in every step"
    file.position(node)       its Position: scope, loops from outer to inner, hot
    file.parent(node)         and file.ancestors(node), file.statement(node)
    file.attributes_in(node)  the names of attributes under it; file.names_in(node), file.called_in(node)
    file.within(node)         the node and all nodes under it, in order; file.within(node, ast.Call): the calls of them
    file.all(ast.With, ...)   all nodes of these types in the file, in order
    file.calls("DataLoader")  all calls of a function or method of that last name
    file.name_of(expr)        "torch.utils.data.DataLoader": dotted name after imports and aliases, "self.x", or ""
    file.kind(expr)           Kind.TENSOR, OUTPUT, MODULE, LOADER, OPTIMIZER, ...; file.is_tensor(expr)
    file.binding(name)        the last binding of a name before this use; its `value`, `how`, `statement`
    file.assigned(name)       the value that a plain name was last assigned before this use
    file.bindings(scope, "x") all of them; file.uses(scope, "x") all reads of the name in that scope

and the functions in `source_model`: arguments of calls, definitions, reads by the host, calls of modules.

A pattern that cannot be told from the source, or that another tool finds, has a file as well, with
`unlinted = Unlinted(reason=..., tool=...)` in place of nodes, calls, hot_only and check.

Fixtures: `tests/lint/fixtures/sy01_fires.py`, its expected lines marked by a trailing `# fires: SY01`, and
`sy01_silent.py`. One test runs them all.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

if TYPE_CHECKING:
    from hotloop.lint.source_model.source_file import SourceFile

Node_contra = TypeVar("Node_contra", bound=ast.AST, contravariant=True)


@dataclass(frozen=True, kw_only=True)
class RuleDoc:
    """What the reference says of a rule; each field is whole sentences in Markdown.

    `title` is a few words. `at_runtime` says how the running program shows the same thing. `not_reported` says what
    looks alike and is not reported. `transform` names the registered transform that cures it, where one does.
    """

    title: str
    why: str
    cure: str
    at_runtime: str = ""
    not_reported: str = ""
    transform: str | None = None


@dataclass(frozen=True, kw_only=True)
class Unlinted:
    """Why no line of source is reported for a code, and which tool reports it instead."""

    reason: str
    tool: str


@dataclass(frozen=True)
class Violation:
    """One node that breaks a rule, and what it does there, in one sentence."""

    node: ast.expr | ast.stmt
    message: str


Violations = Iterable[Violation]


class Rule(Protocol[Node_contra]):
    """A pattern that can be found in source. See the head of this file."""

    code: ClassVar[str]
    doc: ClassVar[RuleDoc]
    nodes: ClassVar[tuple[type[ast.AST], ...]] = ()
    calls: ClassVar[frozenset[str]] = frozenset()
    hot_only: ClassVar[bool] = False

    def check(self, node: Node_contra, file: "SourceFile") -> Violations:
        """Yield what `node` breaks, if anything."""
        ...


AnyRule = Rule[Any]
