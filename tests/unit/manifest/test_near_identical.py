import cv2
import numpy as np
import pytest

from realface.manifest.close_hashes import HASH_BYTES, MAX_DISTANCE, distances
from realface.manifest.manifest import Manifest
from realface.manifest.near_identical import NearIdentical, find_near_identical, image_hash


def drawn(seed, *, size=128):
    """Soft random blobs with some noise: broad light and dark places, as a face has."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (9, 9, 3)).astype(np.uint8)
    soft = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(soft + generator.normal(0, 4, soft.shape), 0, 255).astype(np.uint8)


def jpeg(image, quality):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


COPIES = {
    "jpeg 75": lambda image: jpeg(image, 75),
    "jpeg 50": lambda image: jpeg(image, 50),
    "half the size": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "brighter by 10 %": lambda image: np.clip(image * 1.1, 0, 255).astype(np.uint8),
    "cut to 98 %": lambda image: image[1:-1, 1:-1],
}


def hash_of(*bits):
    """A hash with these bits set."""
    values = np.zeros(8 * HASH_BYTES, np.uint8)
    values[list(bits)] = 1
    return np.packbits(values)


def found(*rows):
    """Pairs among rows that have a `hash`: rows and alike."""
    manifest = Manifest.from_rows(
        [
            {"path": f"{i}.png", "label": 0, **{k: v for k, v in row.items() if k != "hash"}}
            for i, row in enumerate(rows)
        ],
        root=".",
    )
    has_hash = np.array([row["hash"] is not None for row in rows])
    hashes = np.array([np.zeros(HASH_BYTES, np.uint8) if row["hash"] is None else row["hash"] for row in rows])
    return find_near_identical(manifest, hashes, has_hash=has_hash)


@pytest.mark.parametrize("copy", COPIES)
def test_the_hash_of_a_copy_is_close(copy):
    for seed in range(20):
        image = drawn(seed)
        assert distances(image_hash(image), image_hash(COPIES[copy](image))) <= MAX_DISTANCE


def test_the_hashes_of_different_images_are_far_apart():
    hashes = np.array([image_hash(drawn(seed)) for seed in range(40)])
    apart = distances(hashes[:, None], hashes)
    assert apart[~np.eye(40, dtype=bool)].min() > 3 * MAX_DISTANCE


def test_the_hash_says_where_it_gets_brighter():
    ramp = np.repeat(np.arange(0, 240, 2, dtype=np.uint8)[None, :, None], 120, axis=0).repeat(3, axis=2)
    expected = [1] * 121 + [0] * 121
    assert np.unpackbits(image_hash(ramp)).tolist() == expected + [0] * 14


def test_an_image_of_one_colour_has_no_hash():
    noise = np.random.default_rng(0).integers(0, 3, (64, 64, 3)).astype(np.uint8)
    assert image_hash(noise) is None


def test_crops_of_different_splits_that_look_the_same_are_found():
    a, b = hash_of(1, 2, 3), hash_of(1, 2, 4)
    assert found({"hash": a, "split": "test"}, {"hash": b, "split": "train"}) == [NearIdentical((1, 0), (0, 1))]


def test_within_a_split_and_without_one_nothing_is_found():
    a = hash_of(1)
    assert found({"hash": a, "split": "train"}, {"hash": a, "split": "train"}) == []
    assert found({"hash": a, "split": "train"}, {"hash": a}, {"hash": hash_of(*range(99)), "split": "test"}) == []


def test_what_has_no_hash_looks_like_nothing():
    assert found({"hash": None, "split": "train"}, {"hash": None, "split": "test"}) == []


def test_two_videos_are_named_once_with_their_closest_crops_and_all_alike():
    videos = [{"split": "train", "video": "a"}] * 3 + [{"split": "test", "video": "b"}] * 3
    hashes = [
        hash_of(*range(20)),
        hash_of(),
        hash_of(*range(99)),
        hash_of(200, 201),
        hash_of(200),
        hash_of(*range(150)),
    ]
    rows = [{**row, "hash": value} for row, value in zip(videos, hashes, strict=True)]
    assert found(*rows) == [NearIdentical((1, 4), (0, 1, 3, 4))]


def test_what_the_leaks_name_is_left_out():
    a = hash_of(1)
    real = {"hash": a, "split": "train", "video": "v", "dataset": "d"}
    fake = {"hash": a, "split": "test", "video": "f", "dataset": "d"}
    assert found(real, {**fake, "original": "v"}) == []
    assert found({**real, "original": "o"}, {**fake, "original": "o"}) == []
    assert found(real, {**real, "split": "test", "method": "DF"}) == []
    assert found({**real, "sha256": "x"}, {**fake, "sha256": "x"}) == []
    assert len(found(real, {**fake, "original": "v", "dataset": "e"})) == 1
    assert len(found({**real, "sha256": "x"}, {**fake, "sha256": "y"})) == 1


def test_a_copy_is_found_although_another_crop_with_its_hash_is_a_known_leak():
    a = hash_of(1)
    rows = [
        {"hash": a, "split": "train", "video": "v"},
        {"hash": a, "split": "test", "video": "f", "original": "v"},
        {"hash": a, "split": "test", "video": "w"},
    ]
    assert found(*rows) == [NearIdentical((0, 2), (0, 2))]


def test_of_many_that_look_the_same_each_is_named_with_one_other():
    generator = np.random.default_rng(0)
    rows = [
        {"hash": hash_of(*generator.permutation(242)[:3]), "split": "train" if i % 3 else "test"} for i in range(300)
    ] + [{"hash": hash_of(), "split": "train" if i % 2 else "test"} for i in range(300)]
    pairs = found(*rows)
    assert {row for pair in pairs for row in pair.rows} == set(range(600))
    assert len(pairs) <= 600
