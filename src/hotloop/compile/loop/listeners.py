"""Who follows a program whose steps run as captured graphs, which call none of torch's functions."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

from torch import Tensor


class Listeners:
    """What follows a program while it trains: losses, and a context for each call of a root module (watched runs)."""

    def __init__(self) -> None:
        self.on_loss: Callable[[Tensor], None] | None = None
        self.around_root: Callable[..., AbstractContextManager[None]] | None = None

    @contextmanager
    def told(
        self, on_loss: Callable[[Tensor], None], around_root: Callable[..., AbstractContextManager[None]] | None
    ) -> Generator[None]:
        """Tell these while inside."""
        before = self.on_loss, self.around_root
        self.on_loss, self.around_root = on_loss, around_root
        try:
            yield
        finally:
            self.on_loss, self.around_root = before


listeners = Listeners()
