import math

import pytest
import torch

from hotloop import registry
from hotloop.models.conv import ConvPSANN
from hotloop.models.conv_residual import ResConvPSANN
from hotloop.models.dense import DensePSANN
from hotloop.models.residual import ResPSANN
from hotloop.models.wave_residual import WaveResNet, WaveSchedule

SMALL = {"hidden_layers": 3, "hidden_units": 6}


@pytest.mark.parametrize("name", registry.names("models"))
def test_is_registered_under_the_name_of_its_file(name):
    assert registry.load("models", name).name == name


def bound(layer, limit):
    values = torch.cat([layer.weight.flatten(), layer.bias.flatten()])
    assert values.abs().max() <= limit
    assert values.abs().max() > 0.8 * limit


def test_dense_weights_start_within_their_bounds():
    torch.manual_seed(0)
    net = DensePSANN(10, 20, hidden_units=50, w0=30.0)
    bound(net.layers[0].linear, 1 / 10)
    bound(net.layers[1].linear, math.sqrt(6 / 50) / 30)
    bound(net.head, math.sqrt(6 / 50) / 30)


def test_residual_and_conv_weights_start_within_their_bounds():
    torch.manual_seed(0)
    net = ResPSANN(10, 4, hidden_units=50, w0_hidden=2.0)
    bound(net.first, 1 / 10)
    bound(net.blocks[1].fc2, math.sqrt(6 / 50) / 2)
    conv = ResConvPSANN(5, 4, channels=16)
    bound(conv.first, 1 / 5)
    bound(conv.blocks[0].conv1, math.sqrt(6 / (16 * 9)))


def test_wave_biases_start_at_zero():
    net = WaveResNet(3, 2, context_features=4, **SMALL)
    assert all(value.eq(0).all() for name, value in net.named_parameters() if name.endswith("bias"))


def test_a_residual_network_starts_as_its_first_layer_and_head():
    net = ResPSANN(3, 2, **SMALL)
    x = torch.randn(5, 3)
    torch.testing.assert_close(net(x), net.head(net.norm(net.first(x))))


def test_drop_path_drops_whole_samples_and_keeps_the_mean():
    torch.manual_seed(0)
    net = ResPSANN(3, 2, drop_path_max=0.5, residual_alpha_init=1.0, **SMALL)
    assert [block.drop_path.rate for block in net.blocks] == [0.0, 0.25, 0.5]
    dropped = net.blocks[2].drop_path(torch.ones(2000, 4))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert dropped.eq(dropped[:, :1]).all()
    assert abs(float(dropped.mean()) - 1.0) < 0.1
    with pytest.raises(ValueError, match="below 1"):
        ResPSANN(3, 2, drop_path_max=1.0, **SMALL)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("per_element", [False, True])
def test_conv_networks_have_the_shapes_they_promise(rank, per_element):
    net = ConvPSANN(2, 5, rank=rank, channels=4, kernel_size=3, per_element=per_element)
    sizes = (3, 4, 5)[:rank]
    assert net(torch.randn(7, 2, *sizes)).shape == ((7, 5, *sizes) if per_element else (7, 5))


def test_channels_last_changes_nothing_but_the_layout():
    torch.manual_seed(0)
    net = ResConvPSANN(2, 3, hidden_layers=2, channels=8, residual_alpha_init=0.5)
    x = torch.randn(4, 2, 5, 5)
    torch.testing.assert_close(net(x.contiguous(memory_format=torch.channels_last)), net(x), rtol=1e-5, atol=1e-6)


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="odd number"):
        ResConvPSANN(2, 3, kernel_size=4)
    with pytest.raises(ValueError, match="choose one of rms, layer, none"):
        ResPSANN(2, 3, norm="batch")
    with pytest.raises(ValueError, match="1, 2 and 3 dimensions"):
        ConvPSANN(2, 3, rank=4)
    with pytest.raises(ValueError, match="choose one of none, weight, rms"):
        WaveResNet(2, 3, norm="layer")


def test_warm_up_really_moves_the_network():
    net = WaveResNet(3, 2, schedule=WaveSchedule(warmup_epochs=4), **SMALL)
    x = torch.randn(5, 3)
    start = net(x)
    seen = [(net.first_w0, net.hidden_w0)]
    for epoch in range(5):
        net.on_epoch(epoch)
        seen.append((net.first_w0, net.hidden_w0))
    assert seen == [(10, 0.5), (15, 0.625), (20, 0.75), (25, 0.875), (30, 1.0), (30, 1.0)]
    assert not torch.allclose(net(x), start)


def test_depth_grows_and_never_changes_the_parameters():
    schedule = WaveSchedule(depth_initial=1, depth_interval=2, depth_growth=2)
    net = WaveResNet(3, 2, hidden_layers=4, hidden_units=6, schedule=schedule, residual_alpha_init=0.5)
    names = [name for name, _ in net.named_parameters()]
    depths = [net.depth]
    for epoch in range(5):
        net.on_epoch(epoch)
        depths.append(net.depth)
    assert depths == [1, 1, 3, 3, 4, 4]
    assert [name for name, _ in net.named_parameters()] == names


def test_blocks_that_wait_are_not_run():
    schedule = WaveSchedule(depth_initial=1)
    net = WaveResNet(3, 2, schedule=schedule, residual_alpha_init=0.5, **SMALL)
    net(torch.randn(5, 3)).sum().backward()
    assert [block.alpha.grad is not None for block in net.blocks] == [True, False, False]


def test_equal_seeds_start_equal_with_and_without_growing_depth():
    torch.manual_seed(3)
    grows = WaveResNet(3, 2, schedule=WaveSchedule(depth_initial=2), **SMALL)
    torch.manual_seed(3)
    small = WaveResNet(3, 2, hidden_layers=2, hidden_units=6)
    x = torch.randn(5, 3)
    torch.testing.assert_close(grows(x), small(x))


def test_the_schedule_goes_with_the_weights():
    net = WaveResNet(3, 2, schedule=WaveSchedule(depth_initial=1, depth_interval=1), **SMALL)
    net.on_epoch(1)
    other = WaveResNet(3, 2, schedule=net.schedule, **SMALL)
    other.load_state_dict(net.state_dict())
    assert (other.first_w0, other.depth) == (net.first_w0, net.depth) == (14.0, 3)


def test_a_context_modulates_and_is_refused_where_the_network_has_none():
    net = WaveResNet(3, 2, context_features=4, residual_alpha_init=0.5, **SMALL)
    x = torch.randn(5, 3)
    assert not torch.allclose(net(x, torch.randn(5, 4)), net(x))
    with pytest.raises(ValueError, match="build it with context_features"):
        WaveResNet(3, 2, **SMALL)(x, torch.randn(5, 4))


@pytest.mark.parametrize(
    "wrong",
    [{"first_w0": 0}, {"depth_interval": 0}, {"depth_initial": 0}, {"warmup_epochs": -1}],
    ids=str,
)
def test_a_wrong_schedule_is_named(wrong):
    with pytest.raises(ValueError, match=f"got {next(iter(wrong))}="):
        WaveSchedule(**wrong)


def test_a_schedule_deeper_than_the_network_is_named():
    with pytest.raises(ValueError, match="start with at most all of them"):
        WaveResNet(3, 2, schedule=WaveSchedule(depth_initial=4), **SMALL)
