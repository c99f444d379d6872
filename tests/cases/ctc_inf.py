# ruff: noqa
"""CTC with some labels longer than the input: such a batch has an infinite loss, and its step is skipped."""

import sys

import torch
from torch import nn

torch.manual_seed(0)
bad = {int(a) for a in sys.argv[1:]}
net = nn.Sequential(
    nn.Linear(40, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 20), nn.LogSoftmax(-1)
)
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
skipped = 0
for step in range(400):
    x = torch.randn(12, 16, 40)
    lengths = torch.full((16,), 12)
    target_lengths = torch.full((16,), 11 if step in bad else 5)
    targets = torch.ones(16, 11, dtype=torch.long) if step in bad else torch.randint(1, 20, (16, 11))
    loss = nn.functional.ctc_loss(net(x), targets, lengths, target_lengths)
    opt.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    if not torch.isfinite(norm):
        skipped += 1
        continue
    opt.step()
print("skipped", skipped, "loss", float(loss.detach()), flush=True)
