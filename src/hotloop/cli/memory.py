"""`hotloop memory`: what does a training step keep in memory, and how large a batch would fit?"""

import json
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
    batch_size: Annotated[
        bool,
        typer.Option("--batch-size", help="Also try which batch of a recipe is fastest, and the largest that fits."),
    ] = False,
    room: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Memory that those trials may take; else 80 % of what is free.")
    ] = None,
    may_overwrite: MayOverwrite = None,
    as_json: Json = False,
) -> None:
    """Say what a step of an unmodified training script keeps in memory, by module, and the largest batch for a card."""
    from hotloop.memory.cards import CARDS, parse_card, parse_room
    from hotloop.workload import parse_workload

    limit = parse_room(room) if room else None
    cards = dict(map(parse_card, card)) if card else CARDS
    workload = parse_workload(target, tuple(arguments or ()), is_module=module)
    from hotloop.memory import measure_memory

    sys.stderr.write(f"running three steps of {workload.title}\n")
    found = measure_memory(workload, cards=cards, may_overwrite=tuple(may_overwrite or ()))
    document = found.to_data()
    if batch_size:
        from hotloop.memory.find_batch_size import try_batch_sizes

        sys.stderr.write(f"trying batch sizes of {workload.title}\n")
        document["batch_size"] = try_batch_sizes(workload, memory=limit, may_overwrite=tuple(may_overwrite or ()))
    if as_json:
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    from rich.console import Console

    from hotloop.report.memory import memory_text

    Console().print(memory_text(document))
