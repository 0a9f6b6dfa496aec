from collections import Counter

import numpy as np
import pyarrow.parquet
import pytest
import sklearn.metrics

from realface.metrics.localisation import (
    NO_CROP,
    NO_PAIR,
    MeasuredCrop,
    chance_iou,
    iou_at_equal_area,
    pixel_auc,
    summarise_localisation,
    write_measured,
)

MASK = np.array([[True, True], [False, False]])


def build_crop(video, *, auc=0.5, iou=0.2, mean_error=0.1, real=None, method="Swap", path="a.png"):
    """`real` is (video, mean error) of the compared real crop."""
    return MeasuredCrop(
        path=path,
        method=method,
        video=video,
        pixel_auc=auc,
        iou=iou,
        chance_iou=0.15,
        mean_error=mean_error,
        real_path=None if real is None else "r.png",
        real_video=None if real is None else real[0],
        real_mean_error=None if real is None else real[1],
    )


def summarise(*crops, **options):
    return summarise_localisation(crops, left_out={}, **({"num_resamples": 50} | options))


@pytest.mark.parametrize(
    ("error_map", "auc", "iou"),
    [
        ([[4, 3], [2, 1]], 1.0, 1.0),
        ([[1, 2], [3, 4]], 0.0, 0.0),
        ([[4, 1], [3, 2]], 0.5, 1 / 3),  # forged 4 and 1 against 3 and 2: 2 of 4 pairs; the top two share one
        ([[4, 2], [2, 1]], 3.5 / 4, 1.5 / 2.5),  # the tied 2s win half, and fill the one place left by half each
        ([[7, 7], [7, 7]], 0.5, 1 / 3),  # no content: half of the mask's two pixels are hit
    ],
)
def test_small_maps_give_the_numbers_worked_by_hand(error_map, auc, iou):
    error_map = np.array(error_map, dtype=np.float32)
    assert pixel_auc(error_map, MASK) == pytest.approx(auc)
    assert iou_at_equal_area(error_map, MASK) == pytest.approx(iou)


@pytest.mark.parametrize("levels", [3, 10**6])
def test_pixel_auc_is_scikit_learns_with_many_ties_and_with_none(levels):
    generator = np.random.default_rng(0)
    mask = generator.random((31, 17)) < 0.3
    error_map = (generator.random((31, 17)) * levels).astype(int) / levels + 0.2 * mask
    assert pixel_auc(error_map, mask) == pytest.approx(sklearn.metrics.roc_auc_score(mask.ravel(), error_map.ravel()))


def test_iou_is_scikit_learns_jaccard_of_the_pixels_with_largest_errors():
    generator = np.random.default_rng(0)
    mask = generator.random((31, 17)) < 0.3
    error_map = generator.random((31, 17)) + 0.5 * mask
    chosen = error_map >= np.sort(error_map, axis=None)[-mask.sum()]
    assert iou_at_equal_area(error_map, mask) == pytest.approx(
        sklearn.metrics.jaccard_score(mask.ravel(), chosen.ravel())
    )


def test_chance_is_what_a_map_without_content_reaches():
    mask = np.zeros((10, 10), dtype=bool)
    mask[:2] = True
    assert chance_iou(mask) == pytest.approx(0.2 / 1.8)
    assert iou_at_equal_area(np.ones((10, 10)), mask) == pytest.approx(0.2 / 1.8)


def test_neither_number_depends_on_the_maps_scale():
    error_map = np.array([[4.0, 1.0], [3.0, 2.0]])
    assert pixel_auc(error_map, MASK) == pixel_auc(error_map / 100, MASK)
    assert iou_at_equal_area(error_map, MASK) == iou_at_equal_area(error_map / 100, MASK)


def test_each_video_counts_once_however_many_crops_it_has():
    crops = [build_crop("a", auc=0.8), build_crop("a", auc=1.0), build_crop("b", auc=0.5)]
    numbers = summarise(*crops).overall
    assert numbers.pixel_auc.value == pytest.approx((0.9 + 0.5) / 2)
    assert (numbers.num_crops, numbers.num_videos) == (3, 2)


def test_the_interval_is_that_of_means_over_drawn_videos():
    # two videos: a drawn mean is 0.4, 0.6 or 0.5, each end in a quarter of all draws
    numbers = summarise(build_crop("a", auc=0.4), build_crop("b", auc=0.6), num_resamples=500).overall
    assert (numbers.pixel_auc.low, numbers.pixel_auc.high) == pytest.approx((0.4, 0.6))


def test_error_inside_is_compared_by_video_and_by_pair():
    crops = [
        build_crop("fake/a", mean_error=0.5, real=("a", 0.1)),
        build_crop("fake/a", mean_error=0.3, real=("a", 0.3)),
        build_crop("fake/b", mean_error=0.2, real=("b", 0.3)),
        build_crop("fake/c", mean_error=0.6),  # its original is not here
    ]
    inside = summarise(*crops).overall.error_inside
    assert inside.fake.value == pytest.approx((0.4 + 0.2 + 0.6) / 3)
    assert inside.real.value == pytest.approx((0.2 + 0.3) / 2)
    assert inside.difference.value == pytest.approx((0.2 - 0.1) / 2)
    # fakes 0.4, 0.2, 0.6 against reals 0.2, 0.3: over 0.2 one, a tie and one; over 0.3 two of three
    assert inside.auc.value == pytest.approx((2.5 + 2) / 6)
    assert inside.auc.low <= inside.auc.value <= inside.auc.high
    assert inside.num_real_videos == 2


def test_a_real_that_several_fakes_are_compared_with_counts_once():
    crops = [
        build_crop("x/a", real=("a", 0.1)),
        build_crop("y/a", real=("a", 0.3)),
        build_crop("x/b", real=("b", 0.6)),
    ]
    assert summarise(*crops).overall.error_inside.real.value == pytest.approx((0.2 + 0.6) / 2)


def test_each_method_has_numbers_of_its_own_in_alphabetical_order():
    crops = [build_crop("a", auc=0.9), build_crop("b", auc=0.3, method="Blend"), build_crop("c", method=None)]
    per_method = summarise(*crops).per_method
    assert list(per_method) == ["(method not named)", "Blend", "Swap"]
    assert per_method["Blend"].pixel_auc.value == pytest.approx(0.3)


def test_one_video_gives_a_number_and_the_reason_why_there_is_no_interval():
    estimate = summarise(build_crop("a", auc=0.9)).overall.pixel_auc
    assert (estimate.value, estimate.low) == (0.9, None)
    assert estimate.reason == "no interval: only 1 fake video, at least 2 are needed"


def test_no_resamples_give_no_interval():
    crops = [build_crop(name, real=(name, 0.1)) for name in "ab"]
    numbers = summarise(*crops, num_resamples=0).overall
    assert numbers.pixel_auc.reason == numbers.error_inside.auc.reason == "no interval: the number of resamples is 0"


def test_without_a_usable_mask_or_pair_the_reason_stands_in_place_of_the_number():
    empty, unpaired = summarise().overall, summarise(build_crop("a"), build_crop("b")).overall
    assert (empty.pixel_auc.value, empty.pixel_auc.reason) == (None, NO_CROP)
    assert empty.error_inside.auc.reason == NO_CROP
    for estimate in (unpaired.error_inside.real, unpaired.error_inside.difference, unpaired.error_inside.auc):
        assert (estimate.value, estimate.reason) == (None, NO_PAIR)


def test_masks_that_could_not_be_used_are_counted_in_json_by_reason():
    counted = summarise_localisation([], left_out=Counter({"mask missing": 2})).to_json()["left_out"]
    assert counted == {"mask missing": 2}


def test_the_same_seed_gives_the_same_intervals_and_another_one_others():
    crops = [build_crop(str(n), auc=n / 30, real=(str(n), n / 40)) for n in range(20)]
    assert summarise(*crops, seed=1) == summarise(*crops, seed=1)
    assert summarise(*crops, seed=1).overall.pixel_auc != summarise(*crops, seed=2).overall.pixel_auc


def test_what_was_measured_is_written_one_row_a_crop(tmp_path):
    write_measured([build_crop("a", real=("r", 0.3)), build_crop("b", method=None)], tmp_path / "m.parquet")
    rows = pyarrow.parquet.read_table(tmp_path / "m.parquet").to_pylist()
    assert [(row["video"], row["method"], row["real_mean_error"]) for row in rows] == [
        ("a", "Swap", 0.3),
        ("b", None, None),
    ]
