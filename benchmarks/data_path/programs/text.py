"""Text that is split into words and numbered whenever a sample is read, and padded by a collate_fn.

python text.py --epochs 100
"""

import argparse
import random
import re

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

WORDS = re.compile(r"\w+|[^\w\s]")
STEMS = ("train", "data", "model", "step", "loss", "batch", "word", "token", "seed", "layer")


class Texts(Dataset[tuple[Tensor, int]]):
    """Some hundred words a sample, and whether the first is a capital one."""

    def __init__(self) -> None:
        draw = random.Random(0)
        self.texts = [" ".join(self._word(draw) for _ in range(draw.randint(80, 160))) for _ in range(1024)]
        words = sorted({word for text in self.texts for word in WORDS.findall(text.lower())})
        self.vocabulary = {word: number for number, word in enumerate(words, start=1)}

    @staticmethod
    def _word(draw: random.Random) -> str:
        word = draw.choice(STEMS) + draw.choice(("", "s", "ed", "ing", ","))
        return word.capitalize() if draw.random() < 0.3 else word

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        text = self.texts[index]
        numbers = [self.vocabulary[word] for word in WORDS.findall(text.lower())]
        return torch.tensor(numbers), int(text[0].isupper())


def padded(samples: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    """All as long as the longest."""
    numbers, labels = zip(*samples, strict=True)
    return pad_sequence(list(numbers), batch_first=True), torch.tensor(labels)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(0)
    data = Texts()
    loader = DataLoader(data, batch_size=32, shuffle=True, collate_fn=padded, num_workers=given.workers)
    net = nn.Sequential(nn.EmbeddingBag(len(data.vocabulary) + 1, 16), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(given.epochs):
        for batch, target in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(batch), target).backward()
            optimizer.step()


if __name__ == "__main__":
    main()
