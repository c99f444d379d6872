from observations import make_run

from hotloop.verify.loss_band import loss_band
from hotloop.verify.tolerance import REDUCED


def test_the_band_holds_the_noise_it_was_made_from():
    baseline, noisy = make_run(), make_run(noise=0.01, seed=3)
    curves = loss_band(make_run(), baseline, [noisy], REDUCED)
    assert all(low <= loss <= high for low, loss, high in zip(curves.low, noisy.losses, curves.high, strict=True))
