"""A classifier whose parameters FSDP2 shards over the ranks, block by block; gradients are clipped over all of them."""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

dist.init_process_group("gloo")
mesh = init_device_mesh("cpu", (dist.get_world_size(),))
generator = torch.Generator().manual_seed(1)
inputs = torch.randn(512, 12, generator=generator)
data = TensorDataset(inputs, (inputs[:, 0] > 0).long())
loader = DataLoader(data, batch_size=16, sampler=DistributedSampler(data))

torch.manual_seed(0)
model = nn.Sequential(
    nn.Sequential(nn.Linear(12, 64), nn.LayerNorm(64), nn.ReLU()), nn.Sequential(nn.Linear(64, 3), nn.Linear(3, 2))
)
for block in model:
    fully_shard(block, mesh=mesh)
fully_shard(model, mesh=mesh)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.005)
for epoch in range(200):
    loader.sampler.set_epoch(epoch)
    for batch, labels in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(batch), labels).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
