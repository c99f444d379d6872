"""Language models: the next token at each place."""

from typing import Any, ClassVar

from torch import Tensor, nn

from hotloop.train.losses.cross_entropy import weighted_cross_entropy
from hotloop.workload import Loss


class LanguageModel:
    """Cross entropy of logits (B, T, V) against tokens (B, T), for batches that are pairs (tokens, next tokens).

    Means, the metric `accuracy` among them, are over the tokens that differ from `ignore_index`. A batch of ignored
    tokens alone has loss 0 and weight 0.
    """

    name: ClassVar[str] = "language_model"

    def __init__(self, *, ignore_index: int = -100) -> None:
        self._ignore_index = ignore_index

    def loss(self, model: nn.Module, batch: Any) -> Loss:
        """The loss of one batch; nothing is read from the device."""
        inputs, targets = batch
        logits: Tensor = model(inputs)
        return weighted_cross_entropy(
            logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=self._ignore_index
        )
