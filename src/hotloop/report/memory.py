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
    parts += [plain_text(""), *_batches(document)]
    if "batch_size" in document:
        parts += [plain_text(""), *_batch_size(document["batch_size"])]
    return Group(*parts)


def _batches(document: Mapping[str, Any]) -> "list[RenderableType]":
    if document["bytes_per_sample"] is None:
        return [plain_text(f"How the memory grows with the batch is not known: {document['method']}.")]
    said = f"With a batch of {document['batch']} each sample takes {mebibytes(round(document['bytes_per_sample']))} MiB"
    table = text_table("Card", "Largest batch", figures=("Largest batch",))
    for name, batch in document["largest_batch"].items():
        table.add_row(*map(plain_text, (name, f"{batch:,}" if batch else "none fits")))
    return [plain_text(f"{said} ({document['method']}); a tenth of a card is kept free."), plain_text(""), table]


def _batch_size(found: Mapping[str, Any]) -> "list[RenderableType]":
    """What trials of batch sizes found, or why there were none."""
    if "not_searched" in found:
        return [plain_text(f"Batch sizes were not tried: {found['not_searched']}.")]
    columns = ("Samples at once", "Samples a second")
    table = text_table(*columns, figures=columns)
    fastest = str(found["fastest"])
    for size, throughput in found["samples_per_second"].items():
        table.add_row(plain_text(size), plain_text(f"{throughput:,.1f}", "bold" if size == fastest else ""))
    said = [
        f"Of each global batch of {found['global_batch']}, {fastest} samples at once are fastest{_against(found)}; "
        f"{found['blocks']} blocks were timed, a sweep over all sizes would take {found['blocks_of_a_sweep']}."
    ]
    if found["is_cut_short"]:
        said.append("Time was up before sizes that are near each other could be told apart.")
    if found["too_large"]:
        said.append(f"Memory did not suffice for {', '.join(map(str, found['too_large']))} at once.")
    if found["largest"] is not None:
        bound = "" if found["largest_is_bound"] else ", and no larger one was tried"
        said.append(f"The largest batch that fits at once has {found['largest']:,} samples{bound}.")
    if found["microbatches"] > 1:
        said.append(
            "This chooses and proves nothing; the plan for hotloop prove:\n[[transform]]\n"
            f'name = "gradient_accumulation"\nmicrobatches = {found["microbatches"]}'
        )
    return [table, *map(plain_text, said)]


def _against(found: Mapping[str, Any]) -> str:
    if found["microbatches"] == 1 or found["against_whole"] is None:
        return ", which is the whole of it" if found["microbatches"] == 1 else ""
    ratio, low, high = found["against_whole"]
    return f", {ratio:.2f}x [{low:.2f}, {high:.2f}] as fast as the whole of it"
