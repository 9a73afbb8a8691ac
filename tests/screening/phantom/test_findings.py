"""What makes a finding: blurred, and within the lungs."""

import numpy as np

from screening.phantom.findings import box_blur


def test_box_blur_is_the_mean_of_a_square():
    image = np.random.default_rng(0).random((12, 9), dtype=np.float32)
    padded = np.pad(image, 1, mode="edge")
    expected = np.mean([padded[row : row + 12, column : column + 9] for row in range(3) for column in range(3)], axis=0)
    np.testing.assert_allclose(box_blur(image, 1, 1), expected, rtol=1e-5)
