# ruff: noqa
"""A usual script: loader with shuffle, BN, dropout, AdamW, cosine, clipping, EMA, label smoothing, evaluation."""

import argparse
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset

p = argparse.ArgumentParser()
p.add_argument("--n", type=int, default=6400)
p.add_argument("--epochs", type=int, default=10**6)
p.add_argument("--opt", default="adamw")
p.add_argument("--wd", type=float, default=0.01)
p.add_argument("--clip", type=float, default=1.0)
p.add_argument("--sched", default="cosine")
p.add_argument("--width", type=int, default=128)
p.add_argument("--eval", default="ema")
p.add_argument("--steps", type=int, default=10**9)
p.add_argument("--smooth", type=float, default=0.1)
a = p.parse_args()
torch.manual_seed(0)
x = torch.randn(a.n, 32)
y = (x[:, :8].sum(1) + 0.3 * torch.randn(a.n) > 0).long()
model = nn.Sequential(
    nn.Linear(32, a.width),
    nn.BatchNorm1d(a.width),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(a.width, a.width),
    nn.BatchNorm1d(a.width),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(a.width, 2),
)
if a.opt == "adamw":
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=a.wd)
else:
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=a.wd)
sched = (
    torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=5000)
    if a.sched == "cosine"
    else torch.optim.lr_scheduler.LinearLR(opt, 0.1, 1.0, total_iters=200)
    if a.sched == "warmup"
    else torch.optim.lr_scheduler.StepLR(opt, 1, 0.5)
)
ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99), use_buffers=True)
import sys, time

seen, t0 = 0, 0.0
loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
for epoch in range(a.epochs):
    model.train()
    for xb, yb in loader:
        loss = nn.functional.cross_entropy(model(xb), yb, label_smoothing=a.smooth)
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(model.parameters()), a.clip)
        opt.step()
        if a.sched != "step":
            sched.step()
        ema.update_parameters(model)
        seen += 1
        if seen == 50:
            t0 = time.perf_counter()
        if seen >= a.steps:
            print(f"STEP {(time.perf_counter() - t0) / (seen - 50) * 1e3:.3f} ms over {seen - 50} steps")
            sys.exit(0)
    if a.sched == "step":
        sched.step()
    model.eval()
    with torch.no_grad():
        acc = ((ema if a.eval == "ema" else model)(x[:512]).argmax(1) == y[:512]).float().mean()
    print(epoch, float(acc))
