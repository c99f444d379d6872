"""Fixers: edits that cure findings without a change to any number the program computes; one file a code.

HOW TO WRITE A FIXER (one new file with the name of the rule's file; no list to edit):

    class StopBeforeFetch(Fixer[ast.If]):
        code = "DA12"                       # the code of the rule
        node = ast.If                       # the type of the node that the rule reports
        calls = frozenset()                 # where it reports calls: of functions or methods so named

        def edits(self, node: ast.If, source: ConcreteSource) -> Edits:     # raises NotExact with the reason
            ...                                                             # where it is not the same

`source` (see `patches.concrete_source`) has the facts that rules have, and libcst's node for each of ast's. A fixer
decides on the ast and changes the libcst tree, so that comments and spacing stay. What cannot be shown to be exactly
equal from the source is left alone, with the reason: `persistent_workers=True` (DA07) is left alone always, because a
loader that keeps its workers draws fewer seeds from the global generator, and everything after draws other numbers.
"""
