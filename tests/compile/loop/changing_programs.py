"""Training loops in which something changes from step to step that a graph could freeze, each as source text.

Every program ends with its final parameters, buffers and a list of figures in `result`. They compute in double
precision: what differs is no rounding that an optimizer has made large.
"""

HEAD = """
import copy
import math
import random

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
random.seed(0)
np.random.seed(0)
inputs = torch.randn(24, 8, 16)
targets = torch.randn(24, 8, 4)
model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
figures = []
"""
FOOT = """
result = [p.detach().clone() for p in model.parameters()] + [b.detach().clone() for b in model.buffers()] + figures
"""
STEP = """    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
PROGRAMS = {  # STEP stands for the usual three lines
    "weight norm": """
model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(16, 32)), nn.Tanh(), nn.Linear(32, 4))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
for x, y in zip(inputs, targets):
    optimizer.zero_grad()
    loss = F.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
""",
    "spectral norm": """
model = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(16, 32)), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "cumulative batch norm": """
model = nn.Sequential(nn.Linear(16, 32, bias=False), nn.BatchNorm1d(32, momentum=None), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "validation in the loop": """
model = nn.Sequential(nn.Linear(16, 32, bias=False), nn.BatchNorm1d(32), nn.Dropout(0.3), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
for step, (x, y) in enumerate(zip(inputs, targets)):
    model.train()
    loss = F.mse_loss(model(x), y)
    STEP
    if step % 5 == 4:
        model.eval()
        with torch.no_grad():
            figures.append(F.mse_loss(model(inputs[0]), targets[0]))
""",
    "left in evaluation mode": """
model = nn.Sequential(nn.Linear(16, 32, bias=False), nn.BatchNorm1d(32), nn.Dropout(0.3), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 9:
        model.eval()
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "averaged model": """
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
    averaged.update_parameters(model)
figures += [p.detach().clone() for p in averaged.module.parameters()]
""",
    "one cycle": """
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=24)
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
    scheduler.step()
""",
    "rate set by hand": """
for step, (x, y) in enumerate(zip(inputs, targets)):
    for group in optimizer.param_groups:
        group["lr"] = 1e-2 * min(1.0, (step + 1) / 10)
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "weight decay and eps set by hand": """
for step, (x, y) in enumerate(zip(inputs, targets)):
    optimizer.param_groups[0]["weight_decay"] = 0.1 if step > 11 else 0.0
    optimizer.param_groups[0]["eps"] = 1e-3 if step > 17 else 1e-8
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "weight of a loss that grows": """
for step, (x, y) in enumerate(zip(inputs, targets)):
    weight = min(1.0, step / 10)
    out = model(x)
    loss = F.mse_loss(out, y) + weight * out.pow(2).mean()
    STEP
""",
    "loss with a weight of its own": """
class Annealed(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = 0.0
    def forward(self, out, y):
        return F.mse_loss(out, y) + self.weight * out.abs().mean()
criterion = Annealed()
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step % 6 == 5:
        criterion.weight += 0.5
    loss = criterion(model(x), y)
    STEP
""",
    "global that a function reads": """
temperature = 1.0
def criterion(out, y):
    return F.mse_loss(out / temperature, y)
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        temperature = 3.0
    loss = criterion(model(x), y)
    STEP
""",
    "mixup": """
for x, y in zip(inputs, targets):
    share = np.random.beta(0.4, 0.4)
    order = torch.randperm(len(x))
    mixed = share * x + (1 - share) * x[order]
    out = model(mixed)
    loss = share * F.mse_loss(out, y) + (1 - share) * F.mse_loss(out, y[order])
    STEP
""",
    "noise on the input": """
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x + 0.1 * torch.randn_like(x)), y)
    STEP
figures.append(torch.rand(3))
""",
    "hidden state that is carried on": """
cell = nn.GRU(16, 32, batch_first=True)
head = nn.Linear(32, 4)
model = nn.ModuleList([cell, head])
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
hidden = torch.zeros(1, 1, 32)
for x, y in zip(inputs, targets):
    out, hidden = cell(x[None], hidden.detach())
    loss = F.mse_loss(head(out)[0], y)
    STEP
figures.append(hidden.detach())
""",
    "embedding with a largest norm": """
model = nn.Sequential(nn.Embedding(50, 16, max_norm=0.5), nn.Flatten(), nn.Linear(64, 4))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-1)
for y in targets:
    loss = F.mse_loss(model(torch.randint(0, 50, (8, 4))), y)
    STEP
""",
    "tied weights": """
class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(40, 16)
        self.head = nn.Linear(16, 40, bias=False)
        self.head.weight = self.embed.weight
    def forward(self, x):
        return self.head(self.embed(x))
model = Tied()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-1)
for _ in range(24):
    tokens = torch.randint(0, 40, (8, 5))
    loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    optimizer.step()
""",
    "layers that are frozen later": """
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 10:
        for p in model[0].parameters():
            p.requires_grad_(False)
    if step == 18:
        for p in model[0].parameters():
            p.requires_grad_(True)
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "group of parameters that is added": """
extra = nn.Linear(16, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        optimizer.add_param_group({"params": extra.parameters(), "lr": 1e-1})
    loss = F.mse_loss(model(x) + extra(x), y)
    STEP
    extra.zero_grad()
figures += [p.detach().clone() for p in extra.parameters()]
""",
    "another optimizer": """
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-1)
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "back to the best": """
best, lowest = copy.deepcopy(model.state_dict()), math.inf
for step, (x, y) in enumerate(zip(inputs, targets)):
    loss = F.mse_loss(model(x), y)
    STEP
    if loss.item() < lowest:
        best, lowest = copy.deepcopy(model.state_dict()), loss.item()
    if step % 8 == 7:
        model.load_state_dict(best)
        optimizer.state.clear()
""",
    "a model that is replaced": """
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        model = copy.deepcopy(model)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "a layer that is replaced": """
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        model[1] = nn.Tanh()
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "weights that are clamped": """
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
    for p in model.parameters():
        p.data.clamp_(-0.1, 0.1)
""",
    "noise on the weights": """
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1e-3 * torch.randn_like(p))
""",
    "noise on the gradients": """
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    for p in model.parameters():
        p.grad.add_(1e-3 * torch.randn_like(p.grad))
    optimizer.step()
""",
    "gradients of another loss are kept": """
probe = nn.Linear(16, 1)
for step, (x, y) in enumerate(zip(inputs, targets)):
    loss = F.mse_loss(model(x), y)
    loss.backward()
    if step % 3 == 2:
        optimizer.step()
        optimizer.zero_grad()
figures += [p.grad.clone() if p.grad is not None else torch.zeros(1) for p in model.parameters()]
""",
    "a test in the middle": """
for step, (x, y) in enumerate(zip(inputs, targets)):
    out = model(x)
    loss = F.mse_loss(out, y)
    if step % 4 == 0:
        loss = loss + 0.1 * sum(p.pow(2).sum() for p in model.parameters())
    STEP
    figures.append(loss.detach())
""",
    "lengths that differ": """
for step in range(24):
    rows = random.choice([3, 5, 8])
    x, y = inputs[step][:rows], targets[step][:rows]
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "seed in each epoch": """
model = nn.Sequential(nn.Linear(16, 32), nn.Dropout(0.5), nn.Linear(32, 4))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(3):
    torch.manual_seed(epoch)
    for x, y in zip(inputs[:9], targets[:9]):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""",
    "a stream of its own": """
generator = torch.Generator().manual_seed(5)
for x, y in zip(inputs, targets):
    mask = torch.rand(x.shape, generator=generator) > 0.2
    loss = F.mse_loss(model(x * mask), y)
    STEP
""",
    "a student and a teacher": """
teacher = copy.deepcopy(model)
for step, (x, y) in enumerate(zip(inputs, targets)):
    with torch.no_grad():
        wanted = teacher(x)
    loss = F.mse_loss(model(x), wanted) + F.mse_loss(model(x), y)
    STEP
    momentum = 1 - 0.1 * (1 + math.cos(math.pi * step / 24)) / 2
    with torch.no_grad():
        for mine, other in zip(teacher.parameters(), model.parameters()):
            mine.mul_(momentum).add_(other, alpha=1 - momentum)
figures += [p.detach().clone() for p in teacher.parameters()]
""",
    "two networks": """
critic = nn.Linear(4, 1)
second = torch.optim.Adam(critic.parameters(), lr=1e-2)
for x, y in zip(inputs, targets):
    loss = critic(model(x).detach()).mean() - critic(y).mean()
    second.zero_grad()
    loss.backward()
    second.step()
    loss = -critic(model(x)).mean()
    STEP
figures += [p.detach().clone() for p in critic.parameters()]
""",
    "losses that are kept": """
history = []
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
    history.append(loss)
figures.append(torch.stack(history).detach())
""",
    "outputs that are read later": """
last = None
for x, y in zip(inputs, targets):
    out = model(x)
    loss = F.mse_loss(out, y)
    if last is not None:
        figures.append((out.detach() - last).norm())
    STEP
    last = out.detach()
""",
    "gradients that are read": """
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
    figures.append(torch.stack([p.grad.norm() for p in model.parameters()]))
""",
    "autocast": """
for x, y in zip(inputs, targets):
    with torch.autocast("cpu", torch.bfloat16):
        loss = F.mse_loss(model(x).float(), y)
    STEP
""",
    "a batch that is changed in place": """
for x, y in zip(inputs, targets):
    x.mul_(0.5)
    loss = F.mse_loss(model(x), y)
    STEP
    y.add_(0.01)
figures += [inputs.sum(), targets.sum()]
""",
    "a counter in the forward": """
class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.calls = nn.Linear(16, 4), 0
    def forward(self, x):
        self.calls += 1
        return self.layer(x) / (1 + 0.1 * self.calls)
model = Counting()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
figures.append(torch.tensor(model.calls))
""",
    "a buffer that counts": """
class Warm(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 4)
        self.register_buffer("calls", torch.zeros(()))
    def forward(self, x):
        if self.training:
            self.calls += 1
        return self.layer(x) * torch.clamp(self.calls / 10, max=1.0)
model = Warm()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "a layer that is skipped at random": """
class Skipping(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(16, 16), nn.Linear(16, 4)
    def forward(self, x):
        if random.random() < 0.5:
            x = x + self.first(x)
        return self.second(x)
model = Skipping()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "a dictionary of settings": """
settings = {"scale": 1.0, "layers": [1.0, 1.0]}
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 8:
        settings["scale"] = 2.0
    if step == 16:
        settings["layers"][0] = 3.0
    loss = settings["scale"] * settings["layers"][0] * F.mse_loss(model(x), y)
    STEP
""",
    "a step that fails is skipped": """
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 14:
        x = x[:, :5]
    try:
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    except RuntimeError:
        figures.append(torch.tensor(float(step)))
        continue
""",
    "losses that are not finite": """
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        x = x * float("nan")
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    if torch.isfinite(loss):
        optimizer.step()
""",
    "maximizing": """
optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, maximize=True, nesterov=True, momentum=0.9)
for step, (x, y) in enumerate(zip(inputs, targets)):
    optimizer.param_groups[0]["maximize"] = step % 2 == 0
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "weights set from outside": """
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 9:
        model[0].weight.data = torch.zeros(32, 16)
    if step == 15:
        nn.utils.vector_to_parameters(torch.full((32 * 17 + 33 * 4,), 0.01), model.parameters())
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "a lazy layer": """
model = nn.Sequential(nn.LazyLinear(32), nn.ReLU(), nn.LazyLinear(4))
model(inputs[0])
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "single precision": """
model = model.float()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, amsgrad=True)
for x, y in zip(inputs.float(), targets.float()):
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "an array that is changed in place": """
class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.table = nn.Linear(16, 4), np.ones(4)
    def forward(self, x):
        return self.layer(x) * torch.from_numpy(self.table)
model = Scaled()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        model.table[:] = 3.0
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "a variable of the environment": """
import os
class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 4)
    def forward(self, x):
        return self.layer(x) * float(os.environ.get("SCALE_OF_A_TEST", "1"))
model = Scaled()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        os.environ["SCALE_OF_A_TEST"] = "3"
    loss = F.mse_loss(model(x), y)
    STEP
os.environ.pop("SCALE_OF_A_TEST")
""",
    "an attribute of a settings object": """
from dataclasses import dataclass
@dataclass
class Settings:
    scale: float = 1.0
settings = Settings()
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        settings.scale = 3.0
    loss = settings.scale * F.mse_loss(model(x), y)
    STEP
""",
    "an attribute in a slot": """
class Settings:
    __slots__ = ("scale",)
    def __init__(self):
        self.scale = 1.0
settings = Settings()
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        settings.scale = 3.0
    loss = settings.scale * F.mse_loss(model(x), y)
    STEP
""",
    "numbers from an iterator": """
class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.scales = nn.Linear(16, 4), iter([1.0 + 0.1 * n for n in range(100)])
    def forward(self, x):
        return self.layer(x) * next(self.scales)
model = Scaled()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "a loss object that counts": """
class Warming:
    def __init__(self):
        self.calls = 0
    def __call__(self, out, y):
        self.calls += 1
        return F.mse_loss(out, y) * min(1.0, self.calls / 15)
criterion = Warming()
for x, y in zip(inputs, targets):
    loss = criterion(model(x), y)
    STEP
figures.append(torch.tensor(criterion.calls))
""",
    "keywords of a partial": """
import functools
criterion = functools.partial(F.huber_loss, delta=1.0)
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        criterion.keywords["delta"] = 0.1
    loss = criterion(model(x), y)
    STEP
""",
    "a list that the forward fills": """
class Keeping(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.kept = nn.Linear(16, 4), []
    def forward(self, x):
        out = self.layer(x)
        self.kept.append(out.detach().mean())
        return out
model = Keeping()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for x, y in zip(inputs, targets):
    loss = F.mse_loss(model(x), y)
    STEP
figures.append(torch.stack(model.kept))
""",
    "a closure that counts": """
def counting():
    calls = 0
    def scale():
        nonlocal calls
        calls += 1
        return 1.0 + 0.1 * calls
    return scale
scale = counting()
for x, y in zip(inputs, targets):
    loss = scale() * F.mse_loss(model(x), y)
    STEP
""",
    "a method that is replaced": """
class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 4)
    def scale(self):
        return 1.0
    def forward(self, x):
        return self.layer(x) * self.scale()
model = Scaled()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        Scaled.scale = lambda self: 3.0
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "a table of functions": """
losses = {"loss": F.mse_loss}
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        losses["loss"] = F.l1_loss
    loss = losses["loss"](model(x), y)
    STEP
""",
    "code that is replaced": """
def criterion(out, y):
    return F.mse_loss(out, y)
def other(out, y):
    return F.l1_loss(out, y)
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        criterion.__code__ = other.__code__
    loss = criterion(model(x), y)
    STEP
""",
    "defaults that are replaced": """
def criterion(out, y, scale=1.0):
    return scale * F.mse_loss(out, y)
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        criterion.__defaults__ = (3.0,)
    loss = criterion(model(x), y)
    STEP
""",
    "attributes by their names": """
class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 4)
    def forward(self, x):
        return self.layer(x) * getattr(self, "sca" + "le", 1.0)
model = Scaled()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step, (x, y) in enumerate(zip(inputs, targets)):
    if step == 12:
        model.scale = 3.0
    loss = F.mse_loss(model(x), y)
    STEP
""",
    "a counter of a class": """
class Scale:
    calls = 0
    def now(self):
        Scale.calls += 1
        return 1.0 + 0.1 * Scale.calls
scale = Scale()
for x, y in zip(inputs, targets):
    loss = scale.now() * F.mse_loss(model(x), y)
    STEP
figures.append(torch.tensor(Scale.calls))
""",
    "a global counter": """
calls = 0
def scale():
    global calls
    calls += 1
    return 1.0 + 0.1 * calls
for x, y in zip(inputs, targets):
    loss = scale() * F.mse_loss(model(x), y)
    STEP
figures.append(torch.tensor(calls))
""",
    "a table that counts": """
from collections import defaultdict, deque
seen, kept = defaultdict(int), deque(maxlen=3)
def scale():
    seen["calls"] += 1
    kept.append(seen["calls"])
    return 1.0 + 0.1 * len(kept)
for x, y in zip(inputs, targets):
    loss = scale() * F.mse_loss(model(x), y)
    STEP
figures += [torch.tensor(seen['calls']), torch.tensor(list(kept))]
""",
    "a table that gets new keys": """
seen = {}
def scale():
    seen[len(seen)] = True
    return 1.0 + 0.1 * len(seen)
for x, y in zip(inputs, targets):
    loss = scale() * F.mse_loss(model(x), y)
    STEP
figures.append(torch.tensor(len(seen)))
""",
}


def source_of(name: str) -> str:
    """The whole program."""
    return HEAD + PROGRAMS[name].replace("    STEP\n", STEP) + FOOT
