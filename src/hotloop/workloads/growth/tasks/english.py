"""English prose that ships with Python: the topics of `help()`, half a million characters."""

import math

import torch

from hotloop.train.strategies.language_model import LanguageModel
from hotloop.workloads.growth.task import GrowthTask
from hotloop.workloads.growth.transformer_host import TransformerHost

_CONTEXT = 48
_OTHER = 0  # all characters that are not printable ASCII
_SIZES = (1280, 256, 256)  # of windows, spread over the text
_ORDER_SEED = 0


def build() -> GrowthTask:
    """The next character of Python's own documentation; a causal transformer of two layers.

    The task; the text differs a little between versions of Python.
    """
    from pydoc_data.topics import topics

    text = "\n".join(topics[key] for key in sorted(topics))
    codes = torch.tensor([_code(character) for character in text])
    width = _CONTEXT + 1
    windows = codes[: len(codes) // width * width].view(-1, width)
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(_ORDER_SEED))
    parts = [windows[part] for part in order[: sum(_SIZES)].split(_SIZES)]
    train, validation, test = ((part[:, :-1].contiguous(), part[:, 1:].contiguous()) for part in parts)
    vocabulary = _code("~") + 1
    return GrowthTask(
        name="english",
        build_host=lambda: TransformerHost(vocabulary=vocabulary, context=_CONTEXT, channels=32, layers=2, heads=2),
        strategy=LanguageModel(),
        train=train,
        validation=validation,
        test=test,
        batch_size=32,
        chance_loss=math.log(vocabulary),
    )


def _code(character: str) -> int:
    if character == "\n":
        return 1
    return ord(character) - 30 if " " <= character <= "~" else _OTHER
