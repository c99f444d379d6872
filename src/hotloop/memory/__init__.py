"""What a training step keeps in memory, and the largest batch that would fit on a card."""

from hotloop.memory.measure_memory import measure_memory as measure_memory
from hotloop.memory.memory_use import MemoryUse as MemoryUse
