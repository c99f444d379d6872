"""A plain loop over transformers' GPT2LMHeadModel with random weights and a counting task."""

import argparse

import torch
from transformers import GPT2Config, GPT2LMHeadModel

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=300)
parser.add_argument("--batch-size", type=int, default=8)
parser.add_argument("--length", type=int, default=64)
args = parser.parse_args()

torch.manual_seed(0)
config = GPT2Config(
    vocab_size=128, n_positions=args.length, n_embd=128, n_layer=3, n_head=4, bos_token_id=0, eos_token_id=0
)
model = GPT2LMHeadModel(config)
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
generator = torch.Generator().manual_seed(0)

for step in range(1, args.steps + 1):
    start = torch.randint(config.vocab_size, (args.batch_size, 1), generator=generator)
    stride = torch.randint(1, 4, (args.batch_size, 1), generator=generator)
    ids = (start + stride * torch.arange(args.length)) % config.vocab_size
    loss = model(input_ids=ids, labels=ids).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step} loss {loss.item():.4f}")
print("done")
