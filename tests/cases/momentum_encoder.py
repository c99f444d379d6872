# ruff: noqa
"""Contrastive learning: one encoder is trained, its copy follows through `.data`, negatives come from a queue."""

import copy

import torch
from torch import nn

torch.manual_seed(0)
images = torch.randn(512, 1, 8, 8).cumsum(-1)
query = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 32)
)
key = copy.deepcopy(query).requires_grad_(False)
queue, at = nn.functional.normalize(torch.randn(512, 32), dim=1), 0
opt = torch.optim.SGD(query.parameters(), 0.03, momentum=0.9)
for step in range(40):
    batch = images[torch.randint(len(images), (64,))]
    asked = nn.functional.normalize(query(batch + 0.1 * torch.randn_like(batch)), dim=1)
    with torch.no_grad():
        for follows, leads in zip(key.parameters(), query.parameters()):
            follows.data.mul_(0.99).add_(leads.data, alpha=0.01)
        found = nn.functional.normalize(key(torch.roll(batch, 1, -1)), dim=1)
    logits = torch.cat([(asked * found).sum(1, keepdim=True), asked @ queue.T], 1) / 0.1
    loss = nn.functional.cross_entropy(logits, torch.zeros(64, dtype=torch.long))
    opt.zero_grad()
    loss.backward()
    opt.step()
    queue[at : at + 64] = found
    at = (at + 64) % 512
