import pytest
import torch

from hotloop.models.panel.horizon_heads import DirectionHead, HorizonMLPs, QuantileHead, StudentHead


def test_quantiles_never_cross_and_the_median_is_free():
    torch.manual_seed(0)
    head = QuantileHead(8, horizons=3, quantiles=5)
    torch.nn.init.normal_(head.networks.second, std=3.0)
    found = head(torch.randn(50, 8), torch.randn(50, 8))
    assert found.shape == (50, 3, 5)
    assert (found.diff(dim=-1) > 0.0).all()
    assert (found[..., 2] < 0.0).any()
    assert (found[..., 2] > 0.0).any()


def test_steps_add_up_away_from_the_median():
    head = QuantileHead(4, horizons=1, quantiles=5)
    raw = head.networks(torch.ones(1, 4), torch.ones(1, 4))[0, 0]
    step = torch.nn.functional.softplus(raw)
    wanted = [raw[2] - step[0] - step[1], raw[2] - step[1], raw[2], raw[2] + step[3], raw[2] + step[3] + step[4]]
    assert torch.allclose(head(torch.ones(1, 4), torch.ones(1, 4))[0, 0], torch.stack(wanted), atol=1e-6)


def test_horizons_are_networks_of_their_own():
    networks = HorizonMLPs(4, 2, horizons=3)
    x = torch.randn(5, 4)
    for horizon in range(3):
        hidden = (x @ networks.first[horizon] + networks.first_bias[horizon]).relu()
        wanted = hidden @ networks.second[horizon] + networks.second_bias[horizon]
        assert torch.allclose(networks(x, x)[:, horizon], wanted, atol=1e-6)


def test_experts_are_averaged_by_the_regime():
    networks = HorizonMLPs(4, 2, horizons=3, experts=2)
    x, regime = torch.randn(5, 4), torch.randn(5, 4)
    shares, names = networks.regime(regime).softmax(1), ("first", "first_bias", "second", "second_bias")
    wanted = torch.zeros(5, 3, 2)
    for expert in range(2):
        alone, rows = HorizonMLPs(4, 2, horizons=3), slice(3 * expert, 3 * expert + 3)
        alone.load_state_dict({name: networks.get_parameter(name)[rows] for name in names})
        wanted = wanted + alone(x, regime) * shares[:, expert, None, None]
    assert torch.allclose(networks(x, regime), wanted, atol=1e-6)


def test_student_parameters_stay_in_their_ranges():
    head = StudentHead(4, horizons=2)
    torch.nn.init.normal_(head.networks.second, std=100.0)
    _, scale, freedom = head(torch.randn(40, 4), torch.randn(40, 4)).unbind(-1)
    assert ((scale >= 1e-6) & (scale <= 1e3)).all()
    assert ((freedom >= 2.2) & (freedom <= 40.0)).all()
    assert DirectionHead(4, horizons=2)(torch.randn(40, 4), torch.randn(40, 4)).shape == (40, 2)


def test_an_even_number_of_quantiles_is_refused():
    with pytest.raises(ValueError, match="an odd number"):
        QuantileHead(4, horizons=1, quantiles=4)
