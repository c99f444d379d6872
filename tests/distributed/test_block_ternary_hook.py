import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed as dist

from hotloop.distributed import BlockTernaryHook
from hotloop.distributed.block_ternary_hook import check_world_size
from hotloop.errors import NotApplicable

PROGRAM = Path(__file__).with_name("ddp_program.py")


def ended(folder: Path, kind: str) -> list[dict]:
    ranks = [
        subprocess.Popen([sys.executable, PROGRAM, str(rank), folder, kind], stderr=subprocess.PIPE, text=True)
        for rank in (0, 1)
    ]
    try:
        for rank in ranks:
            _, errors = rank.communicate(timeout=120)
            assert rank.returncode == 0, errors
    finally:
        for rank in ranks:
            rank.kill()
    return [json.loads((folder / f"{kind}-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.slow
def test_two_ranks_of_gloo_learn_the_same_with_19_times_fewer_bytes(tmp_path: Path) -> None:
    plain, ternary = ended(tmp_path, "plain"), ended(tmp_path, "ternary")
    assert ternary[0]["weights"] == ternary[1]["weights"]
    assert ternary[0]["last"] < 0.4 * ternary[0]["first"]
    assert ternary[0]["last"] < plain[0]["last"] + 0.15
    assert ternary[0]["plain"] / ternary[0]["sent"] > 16


def test_world_sizes_that_cannot_win_are_refused() -> None:
    with pytest.raises(NotApplicable, match="one rank has nothing"):
        check_world_size(1)
    for ranks in (2, 8, 19):
        check_world_size(ranks)
    for ranks in (20, 64):
        with pytest.raises(NotApplicable, match="win up to 19 ranks"):
            check_world_size(ranks)


def test_a_hook_of_one_rank_says_that_there_is_nothing_to_win(tmp_path: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        with pytest.raises(NotApplicable, match="2 ranks or more"):
            BlockTernaryHook()
    finally:
        dist.destroy_process_group()
