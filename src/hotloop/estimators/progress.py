"""How far a fit is, on stderr, where it was asked for."""

from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class EpochProgress:
    """A bar of epochs with `verbose` 1, one line an epoch with 2 or more, nothing with 0."""

    def __init__(self, title: str, *, epochs: int, verbose: int) -> None:
        self._title, self._epochs, self._verbose = title, epochs, verbose
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "EpochProgress":
        if self._verbose >= 1:
            from rich.console import Console
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=self._epochs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, epoch: int, **figures: float | None) -> None:
        """Epoch `epoch` has ended with these figures; those that are None are left out."""
        if self._bar is None or self._task is None:
            return
        text = "  ".join(f"{name} {value:.6g}" for name, value in figures.items() if value is not None)
        self._bar.update(self._task, completed=epoch, description=f"{self._title}  {text}")
        if self._verbose >= 2:
            self._bar.console.print(f"{self._title} {epoch}/{self._epochs}  {text}", highlight=False, markup=False)
