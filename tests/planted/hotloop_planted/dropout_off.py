"""Dropout that no longer drops."""

from typing import Any, Literal

from torch import nn

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted


class DropoutOff(TransformBase):
    """Puts dropout modules into eval mode, sets their rate to 0, or makes the function behind them do nothing."""

    how: Literal["eval", "rate", "function"] = "eval"

    name = "dropout_off"
    stage = Stage.MODULE
    roundoff = 2.0**-24

    def apply(self, site: nn.Module) -> None:
        """Act on all dropout of one root."""
        if self.how == "function":
            nn.functional.dropout = _pass
        for module in site.modules():
            if isinstance(module, nn.Dropout):
                if module.p and self.how != "function":
                    acted()
                if self.how == "eval":
                    module.eval()
                elif self.how == "rate":
                    module.p = 0.0


def _pass(value: Any, p: float = 0.5, training: bool = True, *_: Any, **__: Any) -> Any:
    if p and training:
        acted()
    return value
