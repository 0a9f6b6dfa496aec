import numpy as np

from realface.demo.sample_study.people import make_person
from realface.faces.portraits import CANVAS


def test_one_seed_gives_one_person(portraits):
    once, again = (make_person(portraits[0], np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(once.image, again.image)
    assert np.array_equal(once.points, again.points)


def test_people_of_one_portrait_differ_in_colour_and_shape(portraits):
    first, second = (make_person(portraits[0], np.random.default_rng(seed)) for seed in (4, 5))
    assert np.abs(first.image.astype(int) - second.image).mean() > 5
    assert np.abs(first.points - second.points).max() > 1


def test_a_person_stays_on_the_canvas(portraits):
    for seed in range(6):
        person = make_person(portraits[1], np.random.default_rng(seed))
        assert person.image.shape == (CANVAS, CANVAS, 3)
        assert person.points.min() > 0
        assert person.points.max() < CANVAS
        assert 0 <= person.matte.min() <= person.matte.max() <= 1
