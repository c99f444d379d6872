"""lightning.Trainer with a LightningModule: a convolutional autoencoder on digits."""

import argparse

import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Autoencoder(lightning.LightningModule):
    def __init__(self, lr=1e-3):
        super().__init__()
        self.lr = lr
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, 2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(1024, 16),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(16, 1024), nn.ReLU(), nn.Unflatten(1, (64, 4, 4)),
            nn.ConvTranspose2d(64, 64, 4, 2, padding=1), nn.ReLU(), nn.Conv2d(64, 1, 3, padding=1),
        )  # fmt: skip

    def forward(self, images):
        return self.decoder(self.encoder(images))

    def training_step(self, batch, index):
        (images,) = batch
        loss = nn.functional.mse_loss(self(images), images)
        self.log("loss", loss)
        if index % 20 == 0:
            print(f"epoch {self.current_epoch} step {self.global_step} loss {loss.item():.4f}")
        return loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--steps", type=int, default=-1)
    args = parser.parse_args()

    lightning.seed_everything(0)
    images = torch.tensor(load_digits().images, dtype=torch.float32)[:, None] / 16
    loader = DataLoader(TensorDataset(images), batch_size=64, shuffle=True)
    trainer = lightning.Trainer(
        max_epochs=args.epochs,
        max_steps=args.steps,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=1.0,
    )
    trainer.fit(Autoencoder(), loader)
    print("done")


if __name__ == "__main__":
    main()
