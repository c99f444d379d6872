"""A classifier over several ranks, each on its own share of the data; its first argument says what goes wrong."""

import os
import signal
import sys
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset, DistributedSampler

fault = sys.argv[1] if len(sys.argv) > 1 else ""
dist.init_process_group("gloo")
rank = dist.get_rank()


class Points(Dataset):
    """Points on both sides of a plane; those of the last rank take their time where that is asked for."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(1)
        self.inputs = torch.randn(512, 12, generator=generator)
        self.labels = (self.inputs[:, 0] > 0).long()

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        if fault == "slow_loader" and rank == 1:
            time.sleep(0.001)
        return self.inputs[index], self.labels[index]


torch.manual_seed(0)
data = Points()
loader = DataLoader(data, batch_size=16, sampler=DistributedSampler(data))
model = DistributedDataParallel(
    nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 2)), find_unused_parameters=fault == "find_unused"
)
if fault == "hook":

    def broken(state, bucket):
        if rank == 1:
            raise ArithmeticError("the hook of rank 1 is broken")
        return dist.all_reduce(bucket.buffer(), async_op=True).get_future().then(lambda future: future.value()[0])

    model.register_comm_hook(None, broken)
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
if fault == "join":  # rank 1 has four batches less, and DDP answers for it
    with model.join():
        for number, (inputs, labels) in enumerate(loader):
            if number == 12 - 4 * rank:
                break
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
    sys.exit(0)
step = 0
for epoch in range(200):
    loader.sampler.set_epoch(epoch)
    for inputs, labels in loader:
        if fault == "slow_code":
            time.sleep(0.02 * rank)
            dist.barrier()
        step += 1
        if fault == "dies" and rank == 1 and step == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "uneven" and rank == 1 and step == 5:
            sys.exit(0)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
