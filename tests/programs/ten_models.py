"""Ten small models of the usual kinds, one a run: python ten_models.py NAME [STEPS]."""

import sys

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH, WORDS, LENGTH = 32, 40, 12


class Block(nn.Module):
    """Attention and a two-layer net, each with a residual."""

    def __init__(self, *, is_causal: bool) -> None:
        super().__init__()
        self.is_causal = is_causal
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.mix, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.net = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        parts = self.mix(self.first(x)).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (4, -1)).transpose(1, 2) for part in parts)
        weights = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        if self.is_causal:
            later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
            weights = weights.masked_fill(later, float("-inf"))
        mixed = (weights.softmax(-1) @ value).transpose(1, 2).flatten(2)
        x = x + self.out(mixed)
        return x + self.net(self.second(x))


class Language(nn.Module):
    """A language model: of the next word, or of words that are hidden."""

    def __init__(self, *, is_causal: bool) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.Sequential(Block(is_causal=is_causal), Block(is_causal=is_causal))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WORDS)

    def forward(self, words: Tensor) -> Tensor:
        """Logits of each place."""
        x = self.words(words) + self.places(torch.arange(words.shape[1]))
        return self.head(self.norm(self.blocks(x)))


class VisionTransformer(nn.Module):
    """Patches of 4 by 4, two blocks, the mean of all places."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 4, stride=4)
        self.blocks = nn.Sequential(Block(is_causal=False), Block(is_causal=False))
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of classes."""
        return self.head(self.blocks(self.patches(images).flatten(2).transpose(1, 2)).mean(1))


class Residual(nn.Module):
    """Two convolutions with batch norm, and a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.norm, self.other = nn.BatchNorm2d(WIDTH), nn.BatchNorm2d(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return F.relu(x + self.other(self.second(F.relu(self.norm(self.first(x))))))


class ConvNeXtBlock(nn.Module):
    """A depthwise convolution, layer norm, and a two-layer net."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise, self.norm = nn.Conv2d(WIDTH, WIDTH, 5, padding=2, groups=WIDTH), nn.LayerNorm(WIDTH)
        self.net = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x + self.net(self.norm(self.depthwise(x).permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class Recurrent(nn.Module):
    """A gated cell that is run step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.cell, self.head = nn.Embedding(WORDS, WIDTH), nn.LSTMCell(WIDTH, WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, words: Tensor) -> Tensor:
        """Logits of classes, from the last state."""
        hidden = cell = torch.zeros(len(words), WIDTH)
        for word in self.words(words).unbind(1):
            hidden, cell = self.cell(word, (hidden, cell))
        return self.head(hidden)


class GraphAttention(nn.Module):
    """One layer of attention over the edges of a graph, and a linear one."""

    def __init__(self, edges: Tensor) -> None:
        super().__init__()
        self.project, self.score, self.head = nn.Linear(16, WIDTH), nn.Linear(2 * WIDTH, 1), nn.Linear(WIDTH, 10)
        self.register_buffer("edges", edges)

    def forward(self, nodes: Tensor) -> Tensor:
        """Logits of classes, of each node."""
        source, target = self.edges
        x = self.project(nodes)
        scores = F.leaky_relu(self.score(torch.cat([x[source], x[target]], dim=1)), 0.2).exp()
        total = torch.zeros(len(nodes), 1).index_add(0, target, scores)
        mixed = torch.zeros_like(x).index_add(0, target, scores / total[target] * x[source])
        return self.head(F.elu(mixed))


class ActorCritic(nn.Module):
    """A policy and a value over one trunk."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(16, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.Tanh())
        self.policy, self.value = nn.Linear(WIDTH, 9), nn.Linear(WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of nine actions, and the value behind them."""
        x = self.trunk(x)
        return torch.cat([self.policy(x), torch.sigmoid(self.value(x))], dim=1)


def model_of(name: str) -> nn.Module:
    """A model of this name, with random weights."""
    images = (nn.Conv2d(3, WIDTH, 3, stride=2, padding=1), nn.ReLU())
    pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTH, 10))
    match name:
        case "gpt" | "bert":
            return Language(is_causal=name == "gpt")
        case "vit":
            return VisionTransformer()
        case "resnet":
            return nn.Sequential(*images, Residual(), Residual(), *pooled)
        case "convnext":
            return nn.Sequential(*images, ConvNeXtBlock(), ConvNeXtBlock(), *pooled)
        case "lstm":
            return Recurrent()
        case "gat":
            return GraphAttention(torch.randint(0, 64, (2, 400)))
        case "tabular":
            layers = (nn.Linear(16, WIDTH), nn.BatchNorm1d(WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())
            return nn.Sequential(*layers, nn.Linear(WIDTH, 10))
        case "policy":
            return ActorCritic()
        case "autoencoder":
            return nn.Sequential(nn.Linear(16, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 4), nn.Linear(4, 16), nn.Sigmoid())
    raise SystemExit(f"no model is named {name!r}")


def batch_of(name: str) -> Tensor:
    """A batch of inputs; images, words or rows."""
    if name in ("vit", "resnet", "convnext"):
        return torch.randn(8, 3, 16, 16)
    if name in ("gpt", "bert", "lstm"):
        return torch.randint(0, WORDS, (8, LENGTH))
    return torch.randn(64, 16)


def loss_of(name: str, out: Tensor, x: Tensor) -> Tensor:
    """What is minimized: targets are made from the inputs, so that there is something to learn."""
    match name:
        case "gpt":
            return F.cross_entropy(out[:, :-1].flatten(0, 1), x[:, 1:].flatten())
        case "bert":
            return F.cross_entropy(out.flatten(0, 1), x.flatten())
        case "autoencoder":
            return F.mse_loss(out, x.sigmoid())
        case "policy":
            actions = x.abs().argmax(1) % 9
            return F.cross_entropy(out[:, :9], actions) + F.mse_loss(out[:, 9], x[:, 0].sigmoid())
        case _:
            return F.cross_entropy(out, x.flatten(1).float().mean(1).mul(50).long() % 10)


def main(name: str, steps: int) -> None:
    """Train it with AdamW."""
    torch.manual_seed(0)
    model = model_of(name)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps):
        x = batch_of(name)
        loss = loss_of(name, model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else 10**9)
