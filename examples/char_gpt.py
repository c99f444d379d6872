"""Train a small GPT, character by character, on the Python manual.

The text comes with Python itself: the prose of the topics behind `help("for")`, about 200,000 characters of English.

    python char_gpt.py --steps 300
"""

import argparse
from pydoc_data.topics import topics

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Shape suffixes: B sequences in a batch, T characters in a sequence, D width, V characters in the alphabet.


class Attention(nn.Module):
    """Each character looks at those before it."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x_BTD: Tensor) -> Tensor:
        heads = self.qkv(x_BTD).unflatten(-1, (3, self.num_heads, -1))  # B, T, 3, heads, D / heads
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention, then an MLP; both add to what came in."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, num_heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x_BTD: Tensor) -> Tensor:
        x_BTD = x_BTD + self.attention(self.norm1(x_BTD))
        return x_BTD + self.mlp(self.norm2(x_BTD))


class GPT(nn.Module):
    """Logits of the next character at each place, shape (B, T, V)."""

    def __init__(self, alphabet: int, *, context: int, width: int, num_layers: int, num_heads: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(alphabet, width)
        self.places = nn.Embedding(context, width)
        self.blocks = nn.Sequential(*[Block(width, num_heads) for _ in range(num_layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, alphabet, bias=False)

    def forward(self, ids_BT: Tensor) -> Tensor:
        places = torch.arange(ids_BT.shape[1], device=ids_BT.device)
        x_BTD = self.characters(ids_BT) + self.places(places)
        return self.head(self.norm(self.blocks(x_BTD)))


def prose() -> str:
    """The paragraphs of the Python manual, without its grammar rules, tables and pieces of code."""
    paragraphs = [p for name in sorted(topics) for p in topics[name].split("\n\n")]
    return "\n\n".join(" ".join(p.split()) for p in paragraphs if p[:1].isalpha() and "::=" not in p and "---" not in p)


def draw(ids: Tensor, *, batch_size: int, context: int) -> tuple[Tensor, Tensor]:
    """Random pieces of the text, and the same pieces one character later."""
    starts = torch.randint(len(ids) - context, (batch_size, 1))
    places = starts + torch.arange(context)
    return ids[places], ids[places + 1]


def loss_of(model: nn.Module, inputs_BT: Tensor, targets_BT: Tensor) -> Tensor:
    """Mean cross-entropy of the next character, in nats."""
    return F.cross_entropy(model(inputs_BT).flatten(0, 1), targets_BT.flatten())


@torch.no_grad()
def write(model: nn.Module, ids_BT: Tensor, *, length: int, context: int) -> Tensor:
    """The given text and `length` more characters drawn from the model."""
    for _ in range(length):
        logits = model(ids_BT[:, -context:])[:, -1]
        chosen = torch.multinomial(logits.softmax(-1), num_samples=1)
        ids_BT = torch.cat([ids_BT, chosen], dim=1)
    return ids_BT


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small GPT on the Python manual.")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--context", type=int, default=128, help="characters the model sees at once")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--sample", type=int, default=200, help="characters to write at the end")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    text = prose()
    alphabet = sorted(set(text))
    number = {character: i for i, character in enumerate(alphabet)}
    ids = torch.tensor([number[character] for character in text])
    train_ids, val_ids = ids.tensor_split([int(0.9 * len(ids))])
    print(f"{len(ids):,} characters, {len(alphabet)} different ones")

    model = GPT(len(alphabet), context=args.context, width=args.width, num_layers=args.layers, num_heads=args.heads)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")

    for step in range(1, args.steps + 1):
        inputs, targets = draw(train_ids, batch_size=args.batch_size, context=args.context)
        loss = loss_of(model, inputs, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 1 or step % 20 == 0:
            print(f"step {step:5d}   loss {loss.item():.3f}")

    model.eval()
    with torch.no_grad():
        inputs, targets = draw(val_ids, batch_size=64, context=args.context)
        print(f"loss on unseen text {loss_of(model, inputs, targets).item():.3f}\n")
    written = write(model, torch.tensor([[number["\n"]]]), length=args.sample, context=args.context)
    print("".join(alphabet[i] for i in written[0]))


if __name__ == "__main__":
    main()
