"""A variational autoencoder with a loss of its own and a weight of the KL term that grows."""

import torch
import torch.nn.functional as F
from torch import nn


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 48)
        self.mean = nn.Linear(48, 6)
        self.log_variance = nn.Linear(48, 6)
        self.first = nn.Linear(6, 48)
        self.second = nn.Linear(48, 64)

    def reparameterize(self, mean, log_variance):
        deviation = torch.exp(0.5 * log_variance)
        return mean + torch.randn_like(deviation) * deviation

    def forward(self, x):
        h = F.relu(self.hidden(x))
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = self.reparameterize(mean, log_variance)
        return torch.sigmoid(self.second(F.relu(self.first(z)))), mean, log_variance


def loss_function(reconstruction, x, mean, log_variance, beta):
    bce = F.binary_cross_entropy(reconstruction, x, reduction="sum") / len(x)
    kl = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp()) / len(x)
    return bce + beta * kl, kl


torch.manual_seed(6)
data = (torch.randn(1024, 4) @ torch.randn(4, 64)).sigmoid()
model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
iteration = 0
for epoch in range(4):
    train_loss = 0.0
    for start in range(0, len(data), 64):
        x = data[start : start + 64]
        beta = min(1.0, iteration / 40)
        reconstruction, mean, log_variance = model(x)
        loss, kl = loss_function(reconstruction, x, mean, log_variance, beta)
        optimizer.zero_grad()
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
        iteration += 1
    print(f"epoch {epoch}: {train_loss / 16:.3f}, kl {kl.item():.3f}")
