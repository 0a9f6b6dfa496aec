import numpy as np
import pyarrow as pa
import pytest

from realface.core.errors import MetricError, MissingInputError
from realface.metrics.score_table import SCHEMA, ScoreTable


def build_table(**changes):
    columns = {"path": ["a.png", "b.png", "c.png"], "label": [0, 1, 1], "score": [0.1, 0.6, 0.8]}
    return ScoreTable.from_columns(**(columns | changes))


def test_columns_that_were_not_given_are_null():
    table = build_table()
    assert table.table.schema.names == SCHEMA.names
    assert table.column("video") == [None, None, None]


@pytest.mark.parametrize("score", [float("nan"), -0.01, 1.01, None])
def test_a_score_that_is_no_probability_is_refused_with_its_row(score):
    with pytest.raises(MetricError, match=r"row 1 \(b.png\): score must be a number in \[0, 1\], got"):
        build_table(score=[0.1, score, 0.8])


@pytest.mark.parametrize("label", [2, -1, None])
def test_a_label_other_than_0_or_1_is_refused_with_its_row(label):
    with pytest.raises(MetricError, match=r"row 2 \(c.png\): label must be 0 \(real\) or 1 \(fake\), got"):
        build_table(label=[0, 1, label])


@pytest.mark.parametrize("labels", [["real", "fake", "fake"], [0.0, 0.5, 1.0], [0, 1, 300]])
def test_a_label_that_is_no_small_integer_is_refused(labels):
    with pytest.raises(MetricError, match=r"column label must be int8.*labels are 0 \(real\) or 1 \(fake\)"):
        build_table(label=labels)


def test_several_faulty_rows_are_counted():
    with pytest.raises(MetricError, match=r"got 2.0 \(and 1 more rows\)"):
        build_table(score=[2.0, 3.0, 0.5])


def test_a_missing_path_is_refused():
    with pytest.raises(MetricError, match=r"row 0 .*path must be given"):
        build_table(path=[None, "b", "c"])


def test_a_missing_column_is_named():
    with pytest.raises(MetricError, match="no column label, score; add it: path, label, score are required"):
        ScoreTable(pa.table({"path": ["a"]}))


def test_four_fakes_of_one_real_stay_four_videos():
    methods = ["Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"]
    table = ScoreTable.from_columns(
        path=[f"{method}/{frame}.png" for method in methods for frame in range(2)],
        label=[1] * 8,
        dataset=["ff"] * 8,
        method=[method for method in methods for _ in range(2)],
        compression=["c23"] * 8,
        video=["000_003"] * 8,
        score=[0.0, 0.2, 0.2, 0.4, 0.4, 0.6, 0.6, 0.8],
    )
    videos = table.video_level()
    assert videos.column("method") == methods
    assert videos.scores.tolist() == pytest.approx([0.1, 0.3, 0.5, 0.7])
    assert videos.column("frame") == [None] * 4


def test_two_compressions_of_one_video_stay_two_videos():
    table = build_table(compression=[None, "c23", "c40"], video=["r", "v", "v"])
    assert len(table.video_level()) == 3


def test_a_row_without_a_video_is_a_video_of_its_own():
    table = ScoreTable.from_columns(
        path=["x", "y", "x", "z"], label=[1, 1, 1, 1], video=[None, "v", None, "v"], score=[0.1, 0.2, 0.3, 0.6]
    )
    assert table.video_numbers.tolist() == [0, 1, 2, 1]
    assert table.video_level().scores.tolist() == pytest.approx([0.1, 0.4, 0.3])


def test_an_unknown_dataset_is_not_the_dataset_with_an_empty_name():
    assert build_table(dataset=["", None, ""], video=["v", "w", "w"]).video_numbers.tolist() == [0, 1, 2]


def test_a_video_with_both_labels_is_refused_by_name():
    table = build_table(dataset=["ff"] * 3, video=["v", "v", "w"])
    with pytest.raises(MetricError, match="video ff/-/-/v has real and fake rows"):
        table.video_level()


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_every_column_survives_writing_and_reading(tmp_path, suffix):
    table = build_table(
        path=["ä b,c.png", 'q"uote.png', "line\nbreak.png"],
        dataset=["ff", None, ""],
        split=["test"] * 3,
        method=[None, "FaceSwap", "null"],
        compression=["c23"] * 3,
        video=["001", "01", "1"],
        frame=[0, None, 7],
        score=[0.1, 1 / 3, 1e-17],
    )
    table.write(tmp_path / f"scores{suffix}")
    assert ScoreTable.read(tmp_path / f"scores{suffix}").table.equals(table.table)


def test_another_suffix_is_refused_for_reading_and_writing(tmp_path):
    for call in (build_table().write, ScoreTable.read):
        with pytest.raises(MetricError, match=r"scores.xlsx: a score table is a .parquet or .csv file"):
            call(tmp_path / "scores.xlsx")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"score table .*gone.csv does not exist"):
        ScoreTable.read(tmp_path / "gone.csv")


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_file_of_something_else_is_refused(tmp_path, suffix):
    path = tmp_path / f"scores{suffix}"
    path.write_text("path,label,score\na.png,real,0.5\n")
    with pytest.raises(MetricError, match="is no score table"):
        ScoreTable.read(path)


def test_rows_are_selected_by_mask_and_by_number():
    table = build_table()
    assert table.select(table.labels == 1).column("path") == ["b.png", "c.png"]
    assert table.select(np.array([2, 0])).column("path") == ["c.png", "a.png"]


def test_tables_are_joined_in_order_and_none_give_an_empty_one():
    table = build_table()
    assert len(ScoreTable.concatenate([table, table])) == 6
    assert len(ScoreTable.concatenate([])) == 0
    assert len(ScoreTable.concatenate([]).video_level()) == 0


def test_the_mean_of_scores_of_1_stays_in_range():
    table = ScoreTable.from_columns(path=["a"] * 7, label=[1] * 7, video=["v"] * 7, score=[1.0] * 7)
    assert table.video_level().scores.tolist() == [1.0]
