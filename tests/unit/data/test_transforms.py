import cv2
import numpy as np
import torch

from realface.data.degradations.draw import DegradationsSection
from realface.data.transforms import FaceTransform


def left_white(size=4):
    image = np.zeros((size, size, 3), np.uint8)
    image[:, : size // 2] = 255
    return image


def test_a_crop_becomes_channels_first_floats_between_0_and_1():
    image = np.zeros((4, 4, 3), np.uint8)
    image[0, 1] = (255, 51, 0)
    tensor = FaceTransform(4)(image)
    assert tensor.shape == (3, 4, 4)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    torch.testing.assert_close(tensor[:, 0, 1], torch.tensor([1.0, 0.2, 0.0]))
    assert tensor.sum() == torch.tensor(1.2)


def test_resizing_is_opencvs_bilinear_rule():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    expected = cv2.resize(image, (5, 5), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal((FaceTransform(5)(image).permute(1, 2, 0) * 255).round().numpy(), expected)


def test_a_flip_mirrors_left_and_right():
    flipped = FaceTransform(4, flip=1.0)(left_white(), np.random.default_rng(0))
    assert flipped[0].tolist() == [[0, 0, 1, 1]] * 4


def test_half_of_the_crops_are_mirrored():
    transform, generator = FaceTransform(4, flip=0.5), np.random.default_rng(0)
    flips = sum(transform(left_white(), generator)[0, 0, 0].item() == 0 for _ in range(400))
    assert 160 < flips < 240


def test_nothing_is_mirrored_without_a_generator_or_a_chance():
    plain = FaceTransform(4)(left_white())
    assert torch.equal(FaceTransform(4, flip=1.0)(left_white()), plain)
    assert torch.equal(FaceTransform(4, flip=0.0)(left_white(), np.random.default_rng(0)), plain)


def noise_picture():
    return np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)


def test_degradations_need_a_generator_and_follow_from_it():
    transform = FaceTransform(16, degradations=DegradationsSection(probability=1))
    plain = FaceTransform(16)(noise_picture())
    assert torch.equal(transform(noise_picture()), plain)
    first, again = (transform(noise_picture(), np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, plain)


def test_degradations_leave_the_draw_of_mirrored_crops_as_it_was():
    for seed in range(10):
        plain, degraded = (
            FaceTransform(4, flip=0.5, degradations=section)(left_white(), np.random.default_rng(seed))
            for section in (None, DegradationsSection(probability=1, operators={"brightness": 1}))
        )
        assert (plain[0, 0, 0] > plain[0, 0, 3]) == (degraded[0, 0, 0] > degraded[0, 0, 3])
