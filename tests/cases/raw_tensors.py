# ruff: noqa
"""No nn.Module: weights are plain tensors that an optimizer holds (neural fields, splats, physics fits)."""

import sys
import torch

torch.manual_seed(0)
fault = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
w1 = (torch.randn(64, 256) / 8).requires_grad_()
w2 = (torch.randn(256, 4) / 16).requires_grad_()
opt = torch.optim.Adam([w1, w2], lr=1e-3)
for step in range(400):
    x = torch.randn(64, 64)
    loss = torch.nn.functional.cross_entropy(torch.relu(x @ w1) @ w2, x[:, :4].argmax(1))
    opt.zero_grad()
    (loss * fault).backward() if fault == 1 else loss.backward()
    if fault != 1:
        w1.grad.mul_(fault), w2.grad.mul_(fault)
    opt.step()
