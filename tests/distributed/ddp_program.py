"""One rank: trains a small classifier under DDP with a hook, and writes what it ended with."""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from hotloop.distributed import BlockTernaryHook

rank, folder, kind = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{folder}/store-{kind}", rank=rank, world_size=2)
torch.manual_seed(0)
ddp = DistributedDataParallel(nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3)), bucket_cap_mb=0.002)
hook = BlockTernaryHook() if kind == "ternary" else None
if hook is not None:
    ddp.register_comm_hook(None, hook)
optimizer = torch.optim.Adam(ddp.parameters(), lr=5e-3)
generator = torch.Generator().manual_seed(rank)
directions = torch.randn(20, 3, generator=torch.Generator().manual_seed(7))
losses = []
for _ in range(150):
    inputs = torch.randn(64, 20, generator=generator)
    loss = nn.functional.cross_entropy(ddp(inputs), (inputs @ directions).argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
result = {
    "first": sum(losses[:10]) / 10,
    "last": sum(losses[-10:]) / 10,
    "weights": [parameter.detach().double().sum().item().hex() for parameter in ddp.parameters()],
    "sent": 0 if hook is None else hook.num_bytes_sent,
    "plain": 0 if hook is None else hook.num_bytes_plain,
}
(folder / f"{kind}-{rank}.json").write_text(json.dumps(result))
dist.destroy_process_group()
