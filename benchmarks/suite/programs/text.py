"""English text that ships with Python, as numbers of characters."""

import sysconfig
from pathlib import Path

import torch
from torch import Tensor


def license_text() -> tuple[Tensor, int]:
    """The characters of Python's license, int64 (N,), and how many different ones there are."""
    text = (Path(sysconfig.get_path("stdlib")) / "LICENSE.txt").read_text(encoding="utf-8")
    characters = sorted(set(text))
    places = {character: place for place, character in enumerate(characters)}
    return torch.tensor([places[character] for character in text]), len(characters)
