"""A GAN on digits: two optimizers, several discriminator steps and then one generator step."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F


def mlp(*sizes):
    layers = []
    for a, b in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(a, b), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])


parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=300, help="generator steps")
parser.add_argument("--d-steps", type=int, default=2)
parser.add_argument("--batch-size", type=int, default=128)
args = parser.parse_args()

torch.manual_seed(0)
real = torch.tensor(load_digits().data, dtype=torch.float32) / 8 - 1
generator = nn.Sequential(mlp(32, 512, 512, 64), nn.Tanh())
discriminator = mlp(64, 512, 512, 1)
g_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))

for step in range(1, args.steps + 1):
    for _ in range(args.d_steps):
        batch = real[torch.randint(len(real), (args.batch_size,))]
        with torch.no_grad():
            fake = generator(torch.randn(args.batch_size, 32))
        d_loss = F.softplus(-discriminator(batch)).mean() + F.softplus(discriminator(fake)).mean()
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
    g_loss = F.softplus(-discriminator(generator(torch.randn(args.batch_size, 32)))).mean()
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    if step % 20 == 0:
        print(f"step {step} d_loss {d_loss.item():.4f} g_loss {g_loss.item():.4f}")
print("done")
