"""An autoencoder with batch norm and a scheduler; the training loop is a function."""

import torch
import torch.nn.functional as F
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self, width: int = 64, code: int = 8):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(width, 48), nn.BatchNorm1d(48), nn.GELU(), nn.Linear(48, code))
        self.decoder = nn.Sequential(nn.Linear(code, 48), nn.GELU(), nn.Linear(48, width))

    def forward(self, x):
        return self.decoder(self.encoder(x))


def train(model, data, epochs, batch_size):
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * (len(data) // batch_size))
    history = []
    for epoch in range(epochs):
        model.train()
        for batch in torch.randperm(len(data)).split(batch_size):
            x = data[batch]
            noisy = x + 0.1 * torch.randn_like(x)
            loss = F.mse_loss(model(noisy), x)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            scheduler.step()
            history.append(loss.item())
        print(f"epoch {epoch}: {sum(history[-10:]) / 10:.4f}")
    return history


if __name__ == "__main__":
    torch.manual_seed(1)
    basis = torch.randn(6, 64)
    train(Autoencoder(), torch.randn(1280, 6) @ basis, epochs=3, batch_size=64)
