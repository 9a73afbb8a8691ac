"""The shapes that a chest is made of."""

import numpy as np

from screening.phantom.anatomy import enlarge, make_grid, rise, smooth_noise


def test_enlarge_is_linear_interpolation():
    coarse = np.random.default_rng(0).random((6, 5), dtype=np.float32)
    large = enlarge(coarse, (20, 16), 4.0)
    np.testing.assert_allclose(large[:, 8], np.interp(np.arange(20) / 4, np.arange(6), coarse[:, 2]), atol=1e-3)
    assert large.dtype == np.float32


def test_rise_and_noise():
    np.testing.assert_allclose(rise(np.array([-1.0, 0.0, 1.0], np.float32), 0.1), [0, 0.5, 1])
    noise = smooth_noise(np.random.default_rng(0), (200, 150), 12)
    assert (noise.shape, noise.dtype) == ((200, 150), np.float32)
    assert np.abs(np.diff(noise, axis=0)).max() < 0.6
    assert make_grid(np.random.default_rng(0), (50, 40)).x.shape == (50, 40)
