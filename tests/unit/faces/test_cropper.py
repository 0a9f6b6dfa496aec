import cv2
import numpy as np
import pytest

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError
from realface.faces.cropper import as_stored, crop_box, crop_face, crop_matrix
from realface.faces.detectors.face_detector import Face
from realface.media.images import read_image, write_image


def spec(**changes):
    return CropSpec(**({"size": 16, "margin": 0.0} | changes))


def upright(x0, y0, x1, y1):
    """A face of that box without landmarks."""
    return Face(Box(x0, y0, x1, y1), score=1.0, landmarks=np.full((5, 2), np.nan, dtype=np.float32))


def gradient(height, width):
    """A picture whose red channel is the column and whose green channel is the row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.zeros_like(rows)], axis=2).astype(np.uint8)


def test_crop_box_is_a_square_of_the_longer_side_plus_margin():
    assert crop_box(Box(10, 20, 30, 60), spec(margin=0.5), (100, 100)) == Box(-10, 10, 50, 70)


def test_crop_box_lies_on_whole_pixels():
    box = crop_box(Box(10.4, 20.4, 30.4, 40.4), spec(margin=0.3), (100, 100))
    assert all(value == int(value) for value in box)
    assert box.width == box.height == 26


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 10, 20, 20), (8, 8, 23, 23)),  # far from the border: as with `repeat`
        ((0, 0, 10, 10), (0, 0, 15, 15)),  # moved down and right
        ((50, 28, 62, 42), (39, 19, 60, 40)),  # moved up and left
        ((-20, -10, 70, 50), (5, 0, 45, 40)),  # larger than the image: its shorter side, around the face
    ],
)
def test_edge_inside_moves_and_shrinks_the_square(box, expected):
    inside = spec(margin=0.5, edge="inside")
    assert crop_box(Box(*box), inside, (40, 60)) == Box(*expected)


def test_a_crop_with_edge_inside_shows_pixels_of_the_image_only():
    image = gradient(40, 60)
    crop = crop_face(image, upright(50, 30, 66, 46), spec(edge="inside"))
    assert np.array_equal(crop, image[24:40, 44:60])


def test_a_crop_of_the_stored_size_copies_pixels():
    image = gradient(40, 60)
    assert np.array_equal(crop_face(image, upright(5, 7, 21, 23), spec()), image[7:23, 5:21])


@pytest.mark.parametrize(
    ("face", "corner", "expected"),
    [
        (upright(-8, 0, 8, 16), (0, 0), (0, 0)),  # left of the picture: its first column again
        (upright(0, -8, 16, 8), (0, 5), (5, 0)),  # above: its first row again
        (upright(52, 0, 68, 16), (0, 15), (59, 0)),  # right: its last column
        (upright(0, 32, 16, 48), (15, 3), (3, 39)),  # below: its last row
        (upright(100, 100, 116, 116), (8, 8), (59, 39)),  # wholly outside: the nearest pixel
    ],
)
def test_what_lies_beyond_the_picture_repeats_its_border(face, corner, expected):
    crop = crop_face(gradient(40, 60), face, spec())
    assert tuple(crop[corner][:2]) == expected


def test_shrinking_averages_so_that_fine_stripes_become_grey():
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(crop_face(stripes, upright(0, 0, 64, 64), spec()).astype(int) - 100).max() <= 1


def test_a_crop_is_contiguous_and_leaves_the_picture_unchanged():
    image = gradient(40, 60)
    before = image.copy()
    crop = crop_face(image, upright(5, 5, 35, 35), spec(size=20))
    assert crop.shape == (20, 20, 3)
    assert crop.flags["C_CONTIGUOUS"]
    assert np.array_equal(image, before)


def test_a_box_of_no_area_still_gives_a_crop():
    assert crop_face(gradient(40, 60), upright(5, 5, 5, 5), spec()).shape == (16, 16, 3)


# Alignment by five points


def turned_template(*, angle, scale, dx, dy):
    """ArcFace's template, written down here again, as a face turned, enlarged and moved."""
    points = np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    )
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (scale * points @ turn.T + (dx, dy)).astype(np.float32)
    return Face(Box(*landmarks.min(axis=0), *landmarks.max(axis=0)), score=1.0, landmarks=landmarks)


def applied(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


def test_with_margin_0_the_landmarks_come_to_lie_on_the_template():
    face = turned_template(angle=0.4, scale=2.5, dx=90, dy=-30)
    matrix = crop_matrix(face, spec(alignment="five-point", size=112), (112, 112))
    assert applied(matrix, face.landmarks)[2] == pytest.approx([56.0252, 71.7366], abs=1e-3)
    assert applied(matrix, face.landmarks)[0] == pytest.approx([38.2946, 51.6963], abs=1e-3)


def test_a_margin_of_0_3_is_the_scale_1_3_of_other_projects():
    face = turned_template(angle=-1.0, scale=0.5, dx=300, dy=10)
    matrix = crop_matrix(face, spec(alignment="five-point", size=256, margin=0.3), (112, 112))
    # 256 px for 1.3 times 112 px, and the template's middle in the crop's: (56.0252 - 56) * 256 / 145.6 + 128
    assert applied(matrix, face.landmarks)[2] == pytest.approx([128.0443, 155.6688], abs=1e-3)
    assert np.hypot(*matrix[:, 0]) == pytest.approx(256 / (1.3 * 112) / 0.5, rel=1e-5)


def test_points_that_do_not_fit_are_brought_nearest_by_least_squares():
    rng = np.random.default_rng(0)
    face = Face(Box(0, 0, 99, 99), 1.0, rng.uniform(0, 99, (5, 2)).astype(np.float32))
    matrix = crop_matrix(face, spec(alignment="five-point", size=112), (112, 112))
    # the same by the normal equations of x' = a x - b y + c, y' = b x + a y + d
    x, y = face.landmarks.T.astype(float)
    one, nil = np.ones(5), np.zeros(5)
    rows = np.vstack([np.column_stack([x, -y, one, nil]), np.column_stack([y, x, nil, one])])
    targets = turned_template(angle=0, scale=1, dx=0, dy=0).landmarks.T.reshape(-1)
    a, b, c, d = np.linalg.lstsq(rows, targets, rcond=None)[0]
    assert matrix == pytest.approx(np.array([[a, -b, c], [b, a, d]]), abs=1e-4)


def test_a_turned_face_stands_upright_in_the_crop():
    image = np.zeros((200, 300, 3), dtype=np.uint8)
    face = turned_template(angle=np.pi / 2, scale=1.0, dx=200, dy=20)
    for point, colour in zip(face.landmarks, np.eye(5, 3) * 200 + 55, strict=True):
        x, y = point.round().astype(int)
        image[y - 2 : y + 3, x - 2 : x + 3] = colour
    crop = crop_face(image, face, spec(alignment="five-point", size=112))
    for (x, y), colour in zip([(38, 52), (74, 52), (56, 72), (42, 92), (71, 92)], np.eye(5, 3) * 200 + 55, strict=True):
        assert np.abs(crop[y, x] - colour).max() < 8


def test_an_aligned_crop_of_a_face_at_the_templates_place_copies_pixels():
    image = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    face = turned_template(angle=0, scale=1.0, dx=0, dy=0)
    assert np.array_equal(crop_face(image, face, spec(alignment="five-point", size=112)), image)


@pytest.mark.parametrize("scale", [2.0, 3.3, 9.7])
@pytest.mark.parametrize("angle", [0.0, 0.5])
def test_shrinking_a_turned_face_averages_so_that_fine_stripes_become_grey(scale, angle):
    stripes = np.zeros((1700, 1700, 3), dtype=np.uint8)
    stripes[:, ::2] = 200
    face = turned_template(angle=angle, scale=scale, dx=560, dy=20)
    crop = crop_face(stripes, face, spec(alignment="five-point", size=112))
    assert np.abs(crop.astype(int) - 100).max() <= 100 / scale  # the stripe by which a pixel's area may be uneven


def test_shrinking_by_a_whole_number_is_the_mean_of_each_block():
    image = np.random.default_rng(0).integers(0, 256, (448, 448, 3), dtype=np.uint8)
    # the crop's pixel 0 has its center in the middle of the picture's pixels 0 to 3
    face = turned_template(angle=0, scale=4.0, dx=1.5, dy=1.5)
    means = image.reshape(112, 4, 112, 4, 3).mean(axis=(1, 3))
    crop = crop_face(image, face, spec(alignment="five-point", size=112))
    assert np.abs(crop - means).max() <= 1


def test_what_lies_beyond_the_picture_repeats_its_border_in_an_aligned_crop():
    image = gradient(80, 112)
    crop = crop_face(image, turned_template(angle=0, scale=1.0, dx=0, dy=0), spec(alignment="five-point", size=112))
    assert np.array_equal(crop[:80], image)
    assert np.array_equal(crop[80:], np.repeat(image[79:], 32, axis=0))


def test_an_aligned_crop_wholly_outside_is_the_nearest_pixel():
    face = turned_template(angle=0, scale=1.0, dx=500, dy=500)
    crop = crop_face(gradient(40, 60), face, spec(alignment="five-point", size=112))
    assert (crop == (59, 39, 0)).all()


def test_a_face_in_a_picture_wider_than_opencv_warps_is_cut_out():
    image = np.zeros((112, 33_000, 3), dtype=np.uint8)
    image[:, 32_000:] = 77
    face = turned_template(angle=0, scale=1.0, dx=32_500, dy=0)
    assert (crop_face(image, face, spec(alignment="five-point", size=112)) == 77).all()


def test_landmarks_of_an_absurd_face_need_no_memory_without_bound():
    face = turned_template(angle=0, scale=1e5, dx=0, dy=0)
    crop = crop_face(np.full((20, 20, 3), 9, np.uint8), face, spec(alignment="five-point", size=32))
    assert (crop == 9).all()


def test_alignment_without_landmarks_is_refused():
    with pytest.raises(
        CropSpecError, match="needs five landmarks of each face, and this face detector gave none; use a"
    ):
        crop_face(gradient(40, 60), upright(5, 5, 20, 20), spec(alignment="five-point"))


def test_alignment_by_landmarks_in_one_place_is_refused():
    face = Face(Box(0, 0, 9, 9), 1.0, np.full((5, 2), 4, dtype=np.float32))
    with pytest.raises(
        CropSpecError, match=r"how the face at \[4\.0, 4\.0\] is turned: its landmarks lie in one place"
    ):
        crop_matrix(face, spec(alignment="five-point"), (112, 112))


# Upright crops


@pytest.mark.parametrize(
    ("box", "margin", "size"),
    [
        ((100.4, 50.2, 180.9, 160.7), 0.3, 64),  # shrunk: square of 144 px
        ((100.4, 50.2, 180.9, 160.7), 0.3, 256),  # enlarged
        ((-20.5, -30.1, 44.0, 41.0), 0.5, 48),  # over the upper left corner
        ((270.0, 150.0, 330.0, 260.0), 1.0, 99),  # over the lower right corner
    ],
)
def test_an_upright_crop_is_the_resized_square_around_the_box(box, margin, size):
    image = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    x0, y0, x1, y1 = box
    half = max(x1 - x0, y1 - y0) * (1 + margin) / 2
    side = round(2 * half)
    left, top = round((x0 + x1) / 2 - half), round((y0 + y1) / 2 - half)
    room = 300
    padded = cv2.copyMakeBorder(image, room, room, room, room, cv2.BORDER_REPLICATE)
    square = padded[top + room : top + room + side, left + room : left + room + side]
    way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    expected = cv2.resize(square, (size, size), interpolation=way)
    assert np.array_equal(crop_face(image, upright(*box), spec(margin=margin, size=size)), expected)


@pytest.mark.parametrize("size", [10, 20, 60])
def test_the_matrix_of_an_upright_crop_says_what_the_resize_does(size):
    face, settings = upright(5, 7, 25, 27), spec(size=max(16, size))
    crop = crop_face(gradient(60, 60), face, settings).astype(float)
    inverse = cv2.invertAffineTransform(crop_matrix(face, settings, (60, 60)))
    inner = range(4, settings.size - 4)  # at the edges a resize repeats the last column
    for x, y in zip(inner, reversed(inner), strict=True):
        assert inverse @ (x, y, 1) == pytest.approx(crop[y, x, :2], abs=1.0)  # cut off to whole values


# What is stored


def test_a_crop_stored_as_png_is_unchanged():
    crop = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert np.array_equal(as_stored(crop, spec()), crop)


@pytest.mark.parametrize("quality", [40, 95])
def test_a_crop_stored_as_jpeg_has_the_pixels_of_the_file(tmp_path, quality):
    crop = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    write_image(tmp_path / "a.jpg", crop, jpeg_quality=quality)
    stored = as_stored(crop, spec(jpeg_quality=quality))
    assert np.array_equal(stored, read_image(tmp_path / "a.jpg"))
    assert not np.array_equal(stored, crop)
