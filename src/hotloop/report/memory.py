"""The memory of a step in the terminal: by what it holds, by module, and the largest batch for each card."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hotloop.report.terminal import plain_text, text_table
from hotloop.report.wording import mebibytes

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOST_MODULES = 15
_SIZES = ("Most, MiB", "At the peak, MiB")
_HELD = (
    ("parameters", "parameters_bytes"),
    ("buffers", "buffers_bytes"),
    ("gradients", "gradients_bytes"),
    ("optimizer state", "optimizer_bytes"),
    ("activations", "activations_bytes"),
)


def memory_text(document: Mapping[str, Any]) -> "RenderableType":
    """What `hotloop memory` prints, from the document of `--json`."""
    from rich.console import Group

    held = text_table("Held by", *_SIZES, figures=_SIZES, whole=("Held by",))
    at_peak = document["at_peak"]
    for title, key in _HELD:
        share = at_peak[title.removesuffix(" state")]
        held.add_row(*map(plain_text, (title, mebibytes(document[key]), mebibytes(share))))
    held.add_row(*map(plain_text, ("temporaries", "", mebibytes(at_peak["temporaries"]))))
    held.add_row(*map(plain_text, ("all at once", "", mebibytes(document["peak_bytes"]))))
    columns = ("Parameters, MiB", "Activations, MiB")
    modules = text_table("Module", *columns, figures=columns)
    for row in document["by_module"][:_MOST_MODULES]:
        sizes = (mebibytes(row["parameters_bytes"]), mebibytes(row["activations_bytes"]))
        modules.add_row(*map(plain_text, (row["module"] or "outside of modules", *sizes)))
    parts: list[RenderableType] = [held, plain_text(""), modules]
    if len(document["by_module"]) > _MOST_MODULES:
        parts.append(plain_text(f"{len(document['by_module']) - _MOST_MODULES} modules more; --json lists all."))
    return Group(*parts, plain_text(""), *_batches(document))


def _batches(document: Mapping[str, Any]) -> "list[RenderableType]":
    if document["bytes_per_sample"] is None:
        return [plain_text(f"How the memory grows with the batch is not known: {document['method']}.")]
    said = f"With a batch of {document['batch']} each sample takes {mebibytes(round(document['bytes_per_sample']))} MiB"
    table = text_table("Card", "Largest batch", figures=("Largest batch",))
    for name, batch in document["largest_batch"].items():
        table.add_row(*map(plain_text, (name, f"{batch:,}" if batch else "none fits")))
    return [plain_text(f"{said} ({document['method']}); a tenth of a card is kept free."), plain_text(""), table]
