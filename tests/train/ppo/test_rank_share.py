import os
import subprocess
import sys
from pathlib import Path

import pytest

from hotloop.train.ppo.options import PPOOptions
from hotloop.train.ppo.rank_share import share_of
from hotloop.train.ranks import Ranks

PROGRAM = Path(__file__).with_name("ranks_program.py")
SECOND = Ranks(rank=1, size=2)


def test_a_share_is_that_part_of_steps_and_batches():
    whole = PPOOptions(total_steps=1001, batch_size=64)
    share = share_of(whole, SECOND)
    assert (share.total_steps, share.batch_size) == (500, 32)
    assert share.num_updates(2) == whole.num_updates(4)
    assert share_of(whole, Ranks()) is whole


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 63}, "got batch_size=63 for 2 ranks; .* give a multiple of 2"),
        ({"batch_size": 2}, "at least 2 samples each"),
        ({"compile": "step"}, "got compile='step' for 2 ranks, which exchange gradients within a step"),
        ({"value_loss": "outcome"}, "got value_loss='outcome' for 2 ranks"),
    ],
)
def test_what_ranks_cannot_do_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        share_of(PPOOptions(**options), SECOND)


@pytest.mark.slow
def test_two_ranks_train_as_one_process_does_on_all_environments():
    call = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(PROGRAM)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("equal") == 2
