"""`hotloop memory`: what does a training step keep in memory, and how large a batch would fit?"""

import sys
from typing import Annotated

import typer

from hotloop.cli.arguments import IsModule, Json, MayOverwrite, Rest, Target


def memory(
    target: Target,
    arguments: Rest = None,
    module: IsModule = False,
    card: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|SIZE", help="A card such as H100, or a size such as 24GiB; may be repeated."),
    ] = None,
    may_overwrite: MayOverwrite = None,
    as_json: Json = False,
) -> None:
    """Say what a step of an unmodified training script keeps in memory, by module, and the largest batch for a card."""
    from hotloop.memory.cards import CARDS, parse_card
    from hotloop.workload import parse_workload

    cards = dict(map(parse_card, card)) if card else CARDS
    workload = parse_workload(target, tuple(arguments or ()), is_module=module)
    from hotloop.memory import measure_memory

    sys.stderr.write(f"running three steps of {workload.title}\n")
    found = measure_memory(workload, cards=cards, may_overwrite=tuple(may_overwrite or ()))
    if as_json:
        typer.echo(found.to_json(), nl=False)
        return
    from rich.console import Console

    from hotloop.report.memory import memory_text

    Console().print(memory_text(found.to_data()))
