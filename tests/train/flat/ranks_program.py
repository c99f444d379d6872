"""One of two ranks, each with a shard of another size: their steps are those of one process on all samples."""

import torch
from torch import distributed, nn

from hotloop.train.assembly import StepAssembly
from hotloop.train.microbatches import Microbatches
from hotloop.train.options import UpdateOptions
from hotloop.train.ranks import Ranks
from hotloop.train.stopwatch import NoStopwatch
from hotloop.train.strategies.supervised import Supervised

distributed.init_process_group("gloo")
rank = distributed.get_rank()


def assembled(ranks):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    options = UpdateOptions(lr=0.01, clip_norm=0.5, fused=False)
    strategy = Supervised(criterion=nn.functional.mse_loss)
    assembly = StepAssembly(
        model, strategy, options, state=None, compilation=None, stopwatch=NoStopwatch(), ranks=ranks
    )
    assembly.prepare_epoch(0)
    return assembly.flat_step


alone, together = assembled(None), assembled(Ranks(rank=rank, size=2))
torch.manual_seed(1)
inputs, targets = torch.randn(11, 3), torch.randn(11, 1)
shards = [(slice(0, 5), slice(5, 6)), (slice(6, 8), slice(8, 11))]  # two microbatches on each rank
for _ in range(4):
    wanted = alone((inputs, targets))
    found = together(Microbatches((inputs[part], targets[part]) for part in shards[rank]))
    torch.testing.assert_close(found.value, wanted.value)
    assert float(found.count) == 11.0
    torch.testing.assert_close(together.optimizer.flat.values, alone.optimizer.flat.values)
print("equal")
distributed.destroy_process_group()
