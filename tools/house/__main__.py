"""Prints the figures of a checkout, and of an earlier revision beside them.

python -m tools.house [--against REVISION] [--json] [--list] [--short]
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tools.house.figures import Figures, measure
from tools.house.offender import as_list
from tools.house.revision import checked_out
from tools.house.rules import RULES
from tools.house.source import read_checkout
from tools.house.table import as_table
from tools.house.used_once import short_functions_used_once


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tools.house", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="root of the checkout (here by default)")
    parser.add_argument("--against", metavar="REVISION", help="print the figures of this revision as well")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--list", action="store_true", help="print every place that breaks a rule, in place of figures")
    parser.add_argument("--short", action="store_true", help="print every short function that is used once")
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    if options.short:
        text = as_list(short_functions_used_once(read_checkout(root)))
    elif options.list:
        text = _listed(root)
    else:
        text = _measured(root, options.against, as_json=options.json)
    sys.stdout.write(text + "\n")


def _measured(root: Path, against: str | None, *, as_json: bool) -> str:
    columns: dict[str, Figures] = {}
    if against:
        with checked_out(against, root) as tree:
            columns[against] = measure(read_checkout(tree))
    columns["here"] = measure(read_checkout(root))
    if as_json:
        return json.dumps({title: asdict(figures) for title, figures in columns.items()}, indent=1)
    return as_table(columns)


def _listed(root: Path) -> str:
    checkout = read_checkout(root)
    return "\n\n".join(f"{title}: {as_list(rule(checkout))}" for title, rule in RULES.items())


if __name__ == "__main__":
    main()
