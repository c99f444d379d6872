"""Gradients as hypervectors between the ranks of DDP: a reference, which other hooks beat at every number of bytes."""

import torch
import torch.distributed as dist
from torch import Tensor

from hotloop.distributed.vsa_compressor import CompressedGradients, VSACompressor, VSAConfig

_WHOLE = "bucket"


class VSAHook:
    """`ddp.register_comm_hook(None, VSAHook())`: ranks exchange a tenth as many trits as there are numbers.

    Each bucket is one hypervector; all ranks gather and decode all of them, by another projection in each step. There
    is no error feedback, so that what is left out is lost. Raises NotApplicable for one rank.
    """

    def __init__(self, process_group: dist.ProcessGroup | None = None, *, compression_ratio: float = 0.1) -> None:
        self._group = process_group
        self._ranks = dist.get_world_size(process_group)
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
        received = [torch.empty_like(message) for _ in range(self._ranks)]
        work = dist.all_gather(received, message, group=self._group, async_op=True)
        assert work is not None, "this rank is in the group"

        def mean(_: torch.futures.Future[list[Tensor]]) -> Tensor:
            total = torch.zeros(len(buffer), device=buffer.device)
            for other in received:
                packed, scales = other[: len(mine.packed)], other[len(mine.packed) :].clone().view(torch.float32)
                total.add_(compressor.decompress(CompressedGradients(packed=packed, scales=scales, step=step))[_WHOLE])
            return buffer.copy_(total.div_(self._ranks))

        return work.get_future().then(mean)

    def _compressor(self, size: int) -> VSACompressor:
        if size not in self._compressors:
            self._compressors[size] = VSACompressor({_WHOLE: (size,)}, self._config)
        return self._compressors[size]
