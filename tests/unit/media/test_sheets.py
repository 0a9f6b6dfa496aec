import numpy as np

from realface.media.sheets import BACKGROUND, beside, framed, line, resized, stacked

RED, BLUE = (200, 0, 0), (0, 0, 200)


def block(height, width, colour):
    return np.full((height, width, 3), colour, np.uint8)


def test_pictures_beside_each_other_share_their_upper_edge():
    sheet = beside([block(2, 3, RED), block(4, 1, BLUE)], gap=2)
    assert sheet.shape == (4, 6, 3)
    assert (sheet[:2, :3] == RED).all()
    assert (sheet[:, 5:] == BLUE).all()
    assert (sheet[2:, :3] == BACKGROUND).all()
    assert (sheet[:, 3:5] == BACKGROUND).all()


def test_stacked_pictures_stand_at_the_left_or_in_the_middle():
    pictures = [block(1, 5, RED), block(1, 1, BLUE)]
    assert (stacked(pictures, gap=0)[1, 0] == BLUE).all()
    assert (stacked(pictures, gap=0, centred=True)[1, 2] == BLUE).all()
    assert stacked(pictures, gap=3).shape == (5, 5, 3)


def test_a_frame_goes_all_around():
    sheet = framed(block(1, 1, RED), gap=2)
    assert sheet.shape == (5, 5, 3)
    assert (sheet != BACKGROUND).any(axis=2).sum() == 1


def test_a_picture_that_shrinks_is_averaged():
    picture = np.concatenate([block(4, 2, RED), block(4, 2, BLUE)], axis=1)
    assert (resized(picture, height=1, width=1) == (100, 0, 100)).all()
    assert resized(picture, height=8, width=6).shape == (8, 6, 3)


def test_a_line_of_text_is_as_wide_as_told_whatever_the_text():
    assert line("short", width=90, size=10).shape == line("long " * 50, width=90, size=10).shape == (14, 90, 3)


def test_a_line_of_text_stands_at_the_left_or_in_the_middle():
    left, middle = (
        (line("words", width=200, size=10, centred=centred) != BACKGROUND).any(axis=(0, 2)) for centred in (False, True)
    )
    assert left[:10].any()
    assert not middle[:50].any()
    assert middle[80:120].any()
