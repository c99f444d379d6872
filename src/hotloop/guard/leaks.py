"""Whether a side ran its own code, and not that of the working tree."""

from pathlib import Path

from hotloop.errors import MeasurementError
from hotloop.guard.counts import Counts

_ENGINE = Path(__file__).parents[1]


def check_imports(top: Path | None, tree: Path, counts: Counts) -> None:
    """Raise MeasurementError where a module came from the working tree at `top` in place of the work tree `tree`.

    That is what a package that is installed in editable mode does, where its finder cannot be led elsewhere. hotloop
    itself runs both sides.
    """
    if top is None:
        return
    for file in map(Path, counts.files):
        if file.is_relative_to(top) and not file.is_relative_to(tree) and not file.is_relative_to(_ENGINE):
            raise MeasurementError(
                f"{file} was imported from the working tree, so that both sides would run the same code; install the "
                "package without -e, or run where it is found by a relative path"
            )
