"""A GAN: two networks, two optimizers, and the discriminator is updated inside of each iteration."""

import torch
from torch import nn

torch.manual_seed(7)
generator = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
discriminator = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
g_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
criterion = nn.BCEWithLogitsLoss()
angles = torch.rand(2048) * 6.283
real_data = torch.stack([angles.cos(), angles.sin()], dim=1)

for epoch in range(2):
    for i in range(0, len(real_data), 64):
        real = real_data[i : i + 64]
        ones = torch.ones(real.size(0), 1)
        zeros = torch.zeros(real.size(0), 1)

        discriminator.zero_grad()
        real_loss = criterion(discriminator(real), ones)
        noise = torch.randn(real.size(0), 8)
        fake = generator(noise)
        fake_loss = criterion(discriminator(fake.detach()), zeros)
        d_loss = real_loss + fake_loss
        d_loss.backward()
        d_optimizer.step()

        generator.zero_grad()
        g_loss = criterion(discriminator(fake), ones)
        g_loss.backward()
        g_optimizer.step()

        if i % 1024 == 0:
            print(f"[{epoch}/{i}] d {d_loss.item():.3f} g {g_loss.item():.3f}")
