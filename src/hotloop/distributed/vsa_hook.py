"""Gradients as hypervectors between the ranks of DDP: a reference, which other hooks beat at every number of bytes."""

import torch
import torch.distributed as dist
from torch import Tensor

from hotloop.distributed.gathered_mean import gathered_mean
from hotloop.distributed.vsa_compressor import CompressedGradients, VSACompressor, VSAConfig
from hotloop.errors import NotApplicable

_WHOLE = "bucket"


class VSAHook:
    """`ddp.register_comm_hook(None, VSAHook())`: ranks exchange a tenth as many trits as there are numbers.

    Each bucket is one hypervector; all ranks gather and decode all of them, by another projection in each step. There
    is no error feedback, so that what is left out is lost. Raises NotApplicable for one rank.
    """

    def __init__(self, process_group: dist.ProcessGroup | None = None, *, compression_ratio: float = 0.1) -> None:
        self._group = process_group
        self._ranks = dist.get_world_size(process_group)
        if self._ranks < 2:
            raise NotApplicable("one rank has nothing to exchange: start the program on 2 ranks or more")
        self._config = VSAConfig(compression_ratio=compression_ratio)
        self._compressors: dict[int, VSACompressor] = {}
        self._step = 0
        self.num_bytes_sent = 0
        self.num_bytes_plain = 0
        self.__name__ = self.__qualname__ = type(self).__name__  # DDP writes it to its log

    def __call__(self, state: object, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        """The mean gradient of all ranks in the bucket's own dtype; `state` is not used."""
        buffer = bucket.buffer()
        compressor = self._compressor(len(buffer))
        step = self._step
        self._step += bucket.is_last()
        mine = compressor.compress({_WHOLE: buffer.float()}, step=step)
        message = torch.cat([mine.packed, mine.scales.view(torch.uint8)])
        self.num_bytes_sent += message.nbytes
        self.num_bytes_plain += buffer.nbytes

        def decode(other: Tensor) -> Tensor:
            packed, scales = other[: len(mine.packed)], other[len(mine.packed) :].clone().view(torch.float32)
            return compressor.decompress(CompressedGradients(packed=packed, scales=scales, step=step))[_WHOLE]

        return gathered_mean(buffer, message, decode, num_ranks=self._ranks, group=self._group)

    def _compressor(self, size: int) -> VSACompressor:
        if size not in self._compressors:
            self._compressors[size] = VSACompressor({_WHOLE: (size,)}, self._config)
        return self._compressors[size]
