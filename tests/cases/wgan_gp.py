# ruff: noqa
"""A critic with a penalty on its gradient (double backward), stepped five times for each step of the generator."""

import torch
from torch import autograd, nn

torch.manual_seed(0)
data = torch.randn(1024, 16).cumsum(1)
generator = nn.Sequential(nn.Linear(8, 64), nn.LeakyReLU(0.2), nn.Linear(64, 16))
critic = nn.Sequential(nn.Linear(16, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
for_generator = torch.optim.Adam(generator.parameters(), 1e-4, betas=(0.5, 0.9))
for_critic = torch.optim.Adam(critic.parameters(), 1e-4, betas=(0.5, 0.9))
for step in range(20):
    for _ in range(5):
        real = data[torch.randint(len(data), (64,))]
        fake = generator(torch.randn(64, 8)).detach()
        share = torch.rand(64, 1)
        between = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = autograd.grad(critic(between).sum(), between, create_graph=True)
        loss = critic(fake).mean() - critic(real).mean() + 10 * ((slope.norm(2, dim=1) - 1) ** 2).mean()
        for_critic.zero_grad()
        loss.backward()
        for_critic.step()
    loss = -critic(generator(torch.randn(64, 8))).mean()
    for_generator.zero_grad()
    loss.backward()
    for_generator.step()
