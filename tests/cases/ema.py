# ruff: noqa
"""A moving average of the weights is kept in a copy of the network, and evaluated every 20 steps."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(256, 768), nn.ReLU(), nn.Linear(768, 768), nn.ReLU(), nn.Linear(768, 4))
ema = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9))
opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
for step in range(400):
    x = torch.randn(128, 256)
    loss = nn.functional.cross_entropy(net(x), x[:, :4].argmax(1))
    opt.zero_grad()
    loss.backward()
    opt.step()
    ema.update_parameters(net)
    if step % 20 == 19:
        with torch.no_grad():
            x = torch.randn(256, 256)
            accuracy = (ema(x).argmax(1) == x[:, :4].argmax(1)).float().mean()
        if step % 100 == 99:
            print(step, "accuracy of the average", float(accuracy), flush=True)
