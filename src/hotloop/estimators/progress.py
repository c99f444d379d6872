"""How far a fit is, on stderr, where it was asked for."""

from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def epoch_progress(title: str, *, epochs: int, verbose: int) -> Generator[Callable[..., None]]:
    """A function that shows how an epoch ended: on a bar with `verbose` 1, by a line too with 2 or more, never with 0.

    It takes the number of the epoch and its figures by name; those that are None are left out.
    """
    if verbose < 1:
        yield lambda *_, **figures: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=epochs)

        def show(epoch: int, **figures: float | None) -> None:
            text = "  ".join(f"{name} {value:.6g}" for name, value in figures.items() if value is not None)
            bar.update(task, completed=epoch, description=f"{title}  {text}")
            if verbose >= 2:
                bar.console.print(f"{title} {epoch}/{epochs}  {text}", highlight=False, markup=False)

        yield show
