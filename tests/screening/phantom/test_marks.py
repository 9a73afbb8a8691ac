"""Letters, arrows and borders on a film."""

import numpy as np

from screening.phantom.marks import burn_in, collimate, draw_arrow, text_mask


def test_marks():
    image = np.zeros((60, 80), np.float32)
    letters = text_mask("RL", 14)
    assert letters.shape == (14, 22)
    burn_in(image, letters, 50, 70, 1.0)  # cut at the border
    assert 0 < image.sum() < letters.sum()
    draw_arrow(image, (30, 20), 0.0, 20, 0.5)
    assert image[30, 21] == image[30, 35] == 0.5
    assert image[30, 18] == 0
    collimate(image, (0.1, 0.0, 0.0, 0.25), 0.3)
    assert (image[:6] == np.float32(0.3)).all()
    assert (image[:, 60:] == np.float32(0.3)).all()
    assert (image[40:48, :20] == 0).all()
