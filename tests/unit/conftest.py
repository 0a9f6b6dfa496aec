"""Two public-domain portraits as face crops with landmarks."""

from pathlib import Path

import cv2
import numpy as np
import pytest


def crop_of(image, landmarks, x0, y0, side, size):
    crop = cv2.resize(image[y0 : y0 + side, x0 : x0 + side], (size, size), interpolation=cv2.INTER_AREA)
    return crop, ((np.array(landmarks) - (x0, y0) + 0.5) * size / side - 0.5).astype(np.float32)


@pytest.fixture(scope="session")
def astronaut():
    """(160, 160, 3) crop and five landmarks."""
    import skimage.data

    points = [(204, 101), (248, 104), (225, 129), (203, 140), (246, 142)]
    return crop_of(skimage.data.astronaut(), points, 140, 30, 170, 160)


@pytest.fixture(scope="session")
def hopper():
    """(180, 180, 3) crop and five landmarks."""
    import matplotlib.cbook

    from realface.media.images import read_image

    image = read_image(Path(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    return crop_of(image, [(222, 192), (308, 188), (268, 238), (232, 277), (307, 273)], 100, 70, 320, 180)


@pytest.fixture(scope="session")
def partner_for(astronaut, hopper):
    """What each use of a partner is given for the astronaut."""
    from realface.data.pseudo_fakes.contract import Partner

    stored = cv2.resize(cv2.resize(astronaut[0], (60, 60), interpolation=cv2.INTER_AREA), (160, 160))
    return {"none": None, "optional": Partner(*hopper), "face": Partner(*hopper), "stored": Partner(stored)}
