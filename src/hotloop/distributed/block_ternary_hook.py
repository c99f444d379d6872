"""Block-ternary gradients between the ranks of DDP, with error feedback."""

import torch
import torch.distributed as dist
from torch import Tensor

from hotloop.distributed.block_ternary_codec import BlockTernaryCodec
from hotloop.distributed.gathered_mean import gathered_mean
from hotloop.errors import NotApplicable

_FP16_BITS = 16.0


class BlockTernaryHook:
    """`ddp.register_comm_hook(None, BlockTernaryHook())`: ranks exchange about 1.7 bits a number in place of 32.

    Each rank keeps what its message left out and adds it to its next gradient; a bucket that DDP makes anew begins
    without. All ranks decode the same messages in the same order, so they stay equal to the last bit. Trits cannot be
    summed on the way: each rank receives the messages of all others, while a ring all-reduce costs the same whatever
    their number. Raises NotApplicable for one rank, and where float16 would send no more bytes (from 20 ranks on).
    """

    def __init__(
        self, process_group: dist.ProcessGroup | None = None, *, block: int = 256, threshold: float = 0.7
    ) -> None:
        self._group = process_group
        self._block, self._threshold = block, threshold
        ranks = dist.get_world_size(process_group)
        check_world_size(ranks, block=block)
        self._ranks = ranks
        self._codecs: dict[int, BlockTernaryCodec] = {}
        self._residuals: dict[int, tuple[tuple[int, ...], Tensor]] = {}
        self.num_bytes_sent = 0
        self.num_bytes_plain = 0
        # DDP writes the name of its hook to its log.
        self.__name__ = self.__qualname__ = type(self).__name__

    def __call__(self, state: object, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        """The mean gradient of all ranks in the bucket's own dtype; `state` is not used."""
        buffer = bucket.buffer()
        codec = self._codec(len(buffer))
        compensated = buffer.float().add_(self._residual(bucket, len(buffer)))
        message = codec.encode(compensated)
        compensated.sub_(codec.decode(message))
        self._residuals[bucket.index()] = (_identity(bucket), compensated)
        self.num_bytes_sent += message.nbytes
        self.num_bytes_plain += buffer.nbytes
        return gathered_mean(buffer, message, codec.decode, num_ranks=self._ranks, group=self._group)

    def _codec(self, size: int) -> BlockTernaryCodec:
        if size not in self._codecs:
            self._codecs[size] = BlockTernaryCodec(size, block=self._block, threshold=self._threshold)
        return self._codecs[size]

    def _residual(self, bucket: dist.GradBucket, size: int) -> Tensor:
        """What earlier messages of the same parameters left out; zeros for a bucket of other ones."""
        kept = self._residuals.get(bucket.index())
        if kept is not None and kept[0] == _identity(bucket):
            return kept[1]
        return torch.zeros(size, device=bucket.buffer().device)


def check_world_size(ranks: int, *, block: int = 256) -> None:
    """Raise NotApplicable where `ranks` ranks send no fewer bytes than by a ring all-reduce in float16."""
    bits = 8 / 5 + 16 / block  # trits and the scale of their block
    if ranks < 2:
        raise NotApplicable("one rank has nothing to exchange: block-ternary gradients need 2 ranks or more")
    gathered, reduced = (ranks - 1) * bits, 2 * (ranks - 1) / ranks * _FP16_BITS
    if gathered >= reduced:
        raise NotApplicable(
            f"with {ranks} ranks each receives {gathered:.1f} bits a number by gathering trits, and {reduced:.1f} by a "
            f"ring all-reduce in float16: block-ternary gradients win up to {int(2 * _FP16_BITS / bits)} ranks; use "
            "torch's fp16_compress_hook, or exchange trits between nodes alone"
        )


def _identity(bucket: dist.GradBucket) -> tuple[int, ...]:
    return tuple(map(id, bucket.parameters()))
