"""A small regression that reads tensors on the host in every way there is; each such line says which rule it breaks.

With --clean the same training without a single read in the loop.
"""

import argparse

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def train_clean(model, optimizer, batches, steps, device):
    total = torch.zeros((), device=device)
    for step, (x, y) in enumerate(batches, start=1):
        x, y = x.to(device), y.to(device)
        out = model(x).squeeze(1)
        loss = F.mse_loss(out, y)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.detach()
        if step == steps:
            break
    print("mean", (total / steps).tolist())


def train_reading(model, optimizer, batches, steps, device):
    total = 0.0
    groups = torch.tensor([0, 1, 2, 1], device=device)
    for step, (x, y) in enumerate(batches, start=1):
        x, y = x.to(device), y.to(device)
        out = model(x).squeeze(1)
        loss = F.mse_loss(out, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()  # SY01
        total += float(loss)  # SY01
        count = int((out > 0).sum())  # SY01
        flag = bool(count + loss > 0)  # SY01
        if loss > 1e6:  # SY03
            print("large")
        host = loss.detach().cpu()  # SY02
        array = out.detach().cpu().numpy()  # SY02
        values = out.tolist()  # SY02
        where = out.nonzero()  # SY04
        positive = out[y > 0]  # SY04
        kinds = torch.unique(groups)  # SY04
        text = f"loss {loss:.3f}"  # SY06
        moved = out.detach().to("cpu")  # SY02
        longer = out[:4].repeat_interleave(groups)  # SY04
        if not torch.isfinite(out).all():  # SY03
            print("not finite")
        shown = print if step % 10_000 == 0 else str
        shown(loss)  # SY06
        same = torch.equal(out, y)  # SY03
        chosen = torch.masked_select(out, y > 0)  # SY04
        worst = max(parameter.grad.norm().item() for parameter in model.parameters())  # SY07
        if step == steps:
            break
    print("done", total, flag, host, len(array), len(values), len(where), len(positive), len(kinds), text, len(moved))
    print(len(longer), same, len(chosen), worst)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()

    torch.manual_seed(0)
    x = torch.randn(512, 16)
    y = x.sum(1) + 0.1 * torch.randn(512)
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 1)).to(args.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def batches():
        while True:
            yield from loader

    (train_clean if args.clean else train_reading)(model, optimizer, batches(), args.steps, args.device)


if __name__ == "__main__":
    main()
