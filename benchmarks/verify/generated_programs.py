"""Training programs as source text, each from a seed: models x losses x optimizers x loaders x schedules x loop shapes.

A program is run as `python program.py FILE [NOISE [STREAM]]`. It writes losses, first and final weights to FILE; NOISE
is what its first weights are multiplied by (1 + NOISE * N(0, 1)), STREAM seeds what it draws while it trains.
"""

import random
from dataclasses import dataclass
from string import Template

MODELS = {
    "mlp": (
        "vector",
        "nn.Sequential(nn.Linear(16, {w}), nn.{act}(), nn.Dropout({p}), nn.Linear({w}, {w}), nn.{act}(), "
        "nn.Linear({w}, OUT))",
    ),
    "batchnorm": (
        "vector",
        "nn.Sequential(nn.Linear(16, {w}), nn.BatchNorm1d({w}), nn.{act}(), nn.Dropout({p}), nn.Linear({w}, OUT))",
    ),
    "residual": ("vector", "Residual({w}, {p})"),
    "conv": (
        "image",
        "nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.{act}(), nn.MaxPool2d(2), nn.Conv2d(8, {w}, 3, padding=1), "
        "nn.{act}(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout({p}), nn.Linear({w}, OUT))",
    ),
    "conv_norm": (
        "image",
        "nn.Sequential(nn.Conv2d(3, {w}, 3, padding=1, bias=False), nn.BatchNorm2d({w}), nn.{act}(), "
        "nn.Conv2d({w}, {w}, 3, stride=2, groups=2), nn.GroupNorm(2, {w}), nn.{act}(), nn.Flatten(), "
        "nn.Linear({w} * 9, OUT))",
    ),
    "conv1d": (
        "vector",
        "nn.Sequential(nn.Unflatten(1, (1, 16)), nn.Conv1d(1, {w}, 5, padding=2), nn.{act}(), nn.Conv1d({w}, 8, 3), "
        "nn.Flatten(), nn.Linear(112, OUT))",
    ),
    "gru": ("tokens", "Recurrent(nn.GRU, {w}, {p})"),
    "lstm": ("tokens", "Recurrent(nn.LSTM, {w}, {p})"),
    "attention": ("tokens", "Attention({w}, {p})"),
    "bag": ("tokens", "nn.Sequential(nn.EmbeddingBag(20, {w}), nn.LayerNorm({w}), nn.{act}(), nn.Linear({w}, OUT))"),
    "towers": ("vector", "Towers({w})"),
    "lazy": ("vector", "nn.Sequential(nn.LazyLinear({w}), nn.{act}(), nn.LazyBatchNorm1d(), nn.LazyLinear(OUT))"),
}
INPUTS = {
    "vector": "torch.randn(ROWS, 16)",
    "image": "torch.randn(ROWS, 3, 8, 8)",
    "tokens": "torch.randint(0, 20, (ROWS, 10))",
}
LOSSES = {
    "cross_entropy": ("class", "F.cross_entropy(out, y)"),
    "smoothed": ("class", "F.cross_entropy(out, y, label_smoothing=0.1)"),
    "weighted": ("class", "F.cross_entropy(out, y, weight=torch.tensor([1.0, 2.0, 0.5, 1.0]))"),
    "nll": ("class", "F.nll_loss(F.log_softmax(out, 1), y)"),
    "margin": ("class", "F.multi_margin_loss(out, y)"),
    "mse": ("number", "F.mse_loss(out, y)"),
    "huber": ("number", "F.huber_loss(out, y)"),
    "bce": ("number", "F.binary_cross_entropy_with_logits(out, (y > 0).float())"),
    "gaussian": ("number", "F.gaussian_nll_loss(out, y, torch.full_like(out, 0.5))"),
    "penalty": ("number", "F.mse_loss(out, y) + 1e-3 * sum(p.square().sum() for p in model.parameters())"),
}
OPTIMIZERS = (
    "torch.optim.SGD({g}, lr=0.05)",
    "torch.optim.SGD({g}, lr=0.03, momentum=0.9, weight_decay=1e-3)",
    "torch.optim.SGD({g}, lr=0.02, momentum=0.8, nesterov=True)",
    "torch.optim.Adam({g}, lr=2e-3)",
    "torch.optim.Adam({g}, lr=1e-3, betas=(0.8, 0.95), weight_decay=0.01)",
    "torch.optim.Adam({g}, lr=1e-3, amsgrad=True)",
    "torch.optim.AdamW({g}, lr=2e-3, weight_decay=0.1)",
    "torch.optim.AdamW({g}, lr=1e-3, eps=1e-6)",
    "torch.optim.RMSprop({g}, lr=1e-3, momentum=0.5)",
    "torch.optim.Adagrad({g}, lr=0.02)",
    "torch.optim.NAdam({g}, lr=1e-3)",
    "torch.optim.RAdam({g}, lr=1e-3)",
    "torch.optim.Adamax({g}, lr=2e-3)",
)
GROUPS = (
    "model.parameters()",
    "[{'params': [p for p in model.parameters() if p.dim() > 1]}, "
    "{'params': [p for p in model.parameters() if p.dim() < 2], 'lr': 5e-4}]",
)
LOADERS = {
    "indices": "    i = torch.randint(0, ROWS, (BATCH,))\n    yield X[i], Y[i]",
    "in_order": "    yield X[step * BATCH % ROWS :][:BATCH], Y[step * BATCH % ROWS :][:BATCH]",
    "shuffled": "LOADER DataLoader(TensorDataset(X, Y), batch_size=BATCH, shuffle=True)",
    "ragged": "LOADER DataLoader(TensorDataset(X, Y), batch_size=BATCH - 3, shuffle=True, drop_last=False)",
    "plain": "LOADER DataLoader(TensorDataset(X, Y), batch_size=BATCH)",
    "augmented": "LOADER DataLoader(Noisy(), batch_size=BATCH, shuffle=True)",
    "stream": "LOADER DataLoader(Stream(), batch_size=BATCH)",
}
SCHEDULES = (
    "None",
    "S.StepLR(opt, 5, 0.5)",
    "S.CosineAnnealingLR(opt, 24)",
    "S.OneCycleLR(opt, 0.01, total_steps=60)",
    "S.LambdaLR(opt, lambda n: 1 / (1 + n))",
    "S.SequentialLR(opt, [S.LinearLR(opt, 0.1, total_iters=4), S.ExponentialLR(opt, 0.95)], [4])",
)
SHAPES = (
    "plain",
    "clipped",
    "accumulated",
    "averaged",
    "evaluated",
    "closure",
    "reloaded",
    "thawed",
    "repeated",
    "trainer",
)


@dataclass(frozen=True, kw_only=True)
class GeneratedProgram:
    """The source, and whether it draws random numbers in its modules (dropout)."""

    source: str
    title: str
    draws: bool


def generate(seed: int) -> GeneratedProgram:
    """The program of a seed."""
    rng = random.Random(seed)
    model = rng.choice(list(MODELS))
    kind, text = MODELS[model]
    rate = rng.choice((0.0, 0.0, 0.2))
    width, act = rng.choice((8, 16, 32)), rng.choice(("ReLU", "GELU", "Tanh", "SiLU"))
    network = text.format(w=width, act=act, p=rate)
    loss = rng.choice(list(LOSSES))
    target, loss_text = LOSSES[loss]
    group = rng.choice(GROUPS) if model != "lazy" else GROUPS[0]
    optimizer = rng.choice(OPTIMIZERS).replace("{g}", group)
    loader = rng.choice(list(LOADERS))
    schedule, shape = rng.choice(SCHEDULES), rng.choice(SHAPES)
    if "Adagrad" in optimizer:  # it has no momentum for the schedule to move
        schedule = schedule.replace("total_steps=60", "total_steps=60, cycle_momentum=False")
    found = Template(_BODIES[shape].strip("\n")).substitute(loss=loss_text)
    outputs = "4" if target == "class" else "1"
    source = Template(_PARTS).substitute(
        outputs=outputs,
        inputs=INPUTS[kind],
        targets=_TARGETS[target],
        network=network,
        batches=_batches(LOADERS[loader]),
        optimizer=optimizer,
        schedule=schedule,
        body=found,
    )
    source += _ENDS.get(shape, _TRAIN) + _SAVE
    draws = rate > 0 and "{p}" in text
    words = optimizer.partition("(")[0].removeprefix("torch.optim.")
    title = f"{seed}: {model} {loss} {words} {loader} {schedule.partition('(')[0]} {shape}" + (
        " dropout" if draws else ""
    )
    return GeneratedProgram(source=source, title=title, draws=draws)


def _batches(text: str) -> str:
    if not text.startswith("LOADER"):
        return f"for step in range(STEPS):\n    {text.replace(chr(10), chr(10) + '    ')}".replace("\n", "\n    ")
    made = f"loader = {text.removeprefix('LOADER ')}\n    done = 0\n    while True:\n        for x, y in loader:\n"
    return made + "            yield x, y\n            done += 1\n            if done == STEPS:\n                return"


_TARGETS = {
    "class": "(X.float().flatten(1)[:, :4]).argmax(1)",
    "number": "X.float().flatten(1)[:, :4].sum(1, keepdim=True) / 4",
}
_PARTS = """
import copy, sys
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import lr_scheduler as S
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

OUT, ROWS, BATCH, STEPS = $outputs, 96, 16, 24
noise = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
torch.manual_seed(7)
X = $inputs
Y = $targets


class Residual(nn.Module):
    def __init__(self, width, rate):
        super().__init__()
        self.up, self.norm, self.drop = nn.Linear(16, width), nn.LayerNorm(width), nn.Dropout(rate)
        self.mix, self.down = nn.Linear(width, width), nn.Linear(width, OUT)

    def forward(self, x):
        h = self.up(x)
        return self.down(h + self.drop(F.silu(self.mix(self.norm(h)))))


class Recurrent(nn.Module):
    def __init__(self, kind, width, rate):
        super().__init__()
        self.embed, self.layers = nn.Embedding(20, 12), kind(12, width, 2, batch_first=True, dropout=rate)
        self.head = nn.Linear(width, OUT)

    def forward(self, x):
        return self.head(self.layers(self.embed(x))[0][:, -1])


class Attention(nn.Module):
    def __init__(self, width, rate):
        super().__init__()
        self.embed, self.places = nn.Embedding(20, width), nn.Parameter(torch.randn(10, width) / 8)
        self.layer = nn.TransformerEncoderLayer(width, 2, 2 * width, rate, batch_first=True)
        self.head = nn.Linear(width, OUT)

    def forward(self, x):
        return self.head(self.layer(self.embed(x) + self.places).mean(1))


class Towers(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a, self.b = nn.Linear(8, width), nn.Linear(8, width)
        self.head = nn.Bilinear(width, width, OUT)

    def forward(self, x):
        return self.head(torch.tanh(self.a(x[:, :8])), torch.tanh(self.b(x[:, 8:])))


class Noisy(Dataset):
    def __len__(self):
        return ROWS

    def __getitem__(self, i):
        if X.is_floating_point():
            return X[i] + 0.1 * torch.randn(X[i].shape), Y[i]
        return X[i].roll(int(torch.randint(3, ()))), Y[i]


class Stream(IterableDataset):
    def __iter__(self):
        yield from zip(X, Y)


def batches():
    $batches


def make():
    net = $network
    net(X[:4])
    generator = torch.Generator().manual_seed(5)
    if noise:
        with torch.no_grad():
            for p in net.parameters():
                p.mul_(1 + noise * torch.randn(p.shape, generator=generator))
    return net


losses = []


def train(model, steps=STEPS):
    opt = $optimizer
    sched = $schedule
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    model.train()
    for step, (x, y) in enumerate(batches()):
        if step == steps:
            break
$body
        losses.append(float(loss.detach()))
        if sched is not None:
            sched.step()
    return average


model = make()
start = copy.deepcopy(model.state_dict())
torch.manual_seed(int(sys.argv[3]) if len(sys.argv) > 3 else 11)
"""
_PLAIN = """
        out = model(x)
        loss = $loss
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
_BODIES = {
    "plain": _PLAIN,
    "repeated": _PLAIN,
    "trainer": _PLAIN,
    "clipped": _PLAIN.replace(
        "        opt.step()", "        nn.utils.clip_grad_norm_(model.parameters(), 0.5)\n        opt.step()"
    ),
    "averaged": _PLAIN + "        average.update_parameters(model)\n",
    "accumulated": """
        out = model(x)
        loss = $loss
        (loss / 2).backward()
        if step % 2:
            opt.step()
            opt.zero_grad(set_to_none=False)
""",
    "evaluated": _PLAIN
    + """        if step % 6 == 5:
            model.eval()
            with torch.no_grad():
                model(X[:32])
            model.train()
""",
    "closure": """
        def closure():
            global_out = None
            opt.zero_grad()
            out = model(x)
            found = $loss
            found.backward()
            return found

        loss = opt.step(closure)
""",
    "reloaded": _PLAIN
    + """        if step == 9:
            kept = copy.deepcopy((model.state_dict(), opt.state_dict()))
            model.load_state_dict(kept[0])
            opt.load_state_dict(kept[1])
""",
    "thawed": """
        first = next(iter(model.parameters()))
        first.requires_grad_(step > 7)
"""
    + _PLAIN.lstrip("\n"),
}
_BODIES = {name: text.replace("            global_out = None\n", "") for name, text in _BODIES.items()}
_TRAIN = "average = train(model)\n"
_ENDS = {
    "repeated": "other = make()\ntrain(other, 8)\naverage = train(model, 16)\n",
    "trainer": "class Fit:\n    def run(self, net):\n        return train(net)\n\n\naverage = Fit().run(model)\n",
}
_SAVE = """
model.eval()
final = {name: value.detach().clone() for name, value in model.state_dict().items()}
final |= {f"average.{name}": value.clone() for name, value in average.state_dict().items() if average.n_averaged}
torch.save({"losses": losses, "start": start, "final": final}, sys.argv[1])
"""
