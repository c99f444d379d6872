# ruff: noqa
"""A spectral layer with complex weights (as in a Fourier neural operator)."""

import torch
from torch import nn

torch.manual_seed(0)


class Spectral(nn.Module):
    def __init__(self, width, modes):
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(torch.randn(width, width, modes, dtype=torch.cfloat) / width)
        self.skip = nn.Conv1d(width, width, 1)

    def forward(self, x):
        f = torch.fft.rfft(x)
        out = torch.zeros_like(f)
        out[..., : self.modes] = torch.einsum("bim,iom->bom", f[..., : self.modes], self.weight)
        return torch.relu(torch.fft.irfft(out, n=x.shape[-1]) + self.skip(x))


net = nn.Sequential(nn.Conv1d(1, 32, 1), Spectral(32, 12), Spectral(32, 12), nn.Conv1d(32, 1, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(400):
    x = torch.randn(16, 1, 64)
    loss = nn.functional.mse_loss(net(x), x.cumsum(-1) / 8)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(step, float(loss.detach()), flush=True)
