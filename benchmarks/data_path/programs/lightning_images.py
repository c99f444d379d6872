"""A Lightning data module of compressed images, which are decoded and normalised whenever a sample is read.

python lightning_images.py --epochs 100
"""

import argparse
import logging
import warnings
import zlib

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, random_split

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module="lightning")
SIDE = 48


class Compressed(Dataset[tuple[Tensor, int]]):
    """Smooth pictures of three colours, kept as compressed bytes."""

    def __init__(self, number: int) -> None:
        draw = np.random.default_rng(0)
        rows = np.linspace(0, 6, SIDE, dtype="f4")
        waves = np.sin(rows[None, :, None] * draw.uniform(0.5, 2, (number, 1, 1)) + rows[None, None])
        self.labels = [int(wave.mean() > 0) for wave in waves]
        pixels = ((waves[..., None] + 1) * (60, 90, 120)).astype("u1")
        self.files = [zlib.compress(one.tobytes(), 9) for one in pixels]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = np.frombuffer(zlib.decompress(self.files[index]), "u1").reshape(SIDE, SIDE, 3)
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float().div(255.0)
        image = nn.functional.interpolate(image[None], size=(32, 32), mode="bilinear", antialias=True)[0]
        mean, deviation = torch.tensor([0.2, 0.3, 0.4]), torch.tensor([0.2, 0.2, 0.2])
        return (image - mean[:, None, None]) / deviation[:, None, None], self.labels[index]


class Images(lightning.LightningDataModule):
    def __init__(self, workers: int) -> None:
        super().__init__()
        self.workers = workers

    def setup(self, stage: str) -> None:
        self.train, self.held_out = random_split(Compressed(1100), [1024, 76], torch.Generator().manual_seed(0))

    def train_dataloader(self) -> DataLoader[tuple[Tensor, int]]:
        return DataLoader(self.train, batch_size=32, shuffle=True, num_workers=self.workers)


class Classifier(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 15 * 15, 2))

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(0)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(max_epochs=given.epochs, accelerator="cpu", enable_model_summary=False, **quiet)
    trainer.fit(Classifier(), datamodule=Images(given.workers))


if __name__ == "__main__":
    main()
