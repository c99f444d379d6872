"""The recipe `growth` with a network that does not say which graph it has."""

import torch

from hotloop.workloads.growth.growing_network import GrowingNetwork
from hotloop.workloads.recipes import growth


class BlindNetwork(GrowingNetwork):
    graph_key = None


def build(seed):
    job = growth.build(seed)
    job.model.__class__ = BlindNetwork
    torch._dynamo.reset()
    return job
