# ruff: noqa
"""The head first, then the body too, as a group that is added; recomputed activations, gradients of two batches."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

torch.manual_seed(0)
x = torch.randn(512, 32)
sampler = WeightedRandomSampler(torch.rand(len(x)), len(x))
loader = DataLoader(TensorDataset(x, (x[:, :4].sum(1) > 0).long()), batch_size=32, sampler=sampler)
body = nn.Sequential(nn.Linear(32, 64), nn.LayerNorm(64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
head = nn.Linear(64, 2)
body.requires_grad_(False)
opt = torch.optim.AdamW(head.parameters(), 1e-3)
for epoch in range(4):
    if epoch == 1:
        body.requires_grad_(True)
        opt.add_param_group({"params": list(body.parameters()), "lr": 1e-4})
    for step, (rows, labels) in enumerate(loader):
        hidden = checkpoint(body, rows, use_reentrant=False) if epoch else body(rows)
        (nn.functional.cross_entropy(head(hidden), labels) / 2).backward()
        if step % 2:
            opt.step()
            opt.zero_grad()
