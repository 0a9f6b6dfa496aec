import pytest

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.datasets.forgerynet import METHODS, ForgeryNetReader


@pytest.fixture
def study(build_tree, tmp_path):
    return build_tree("forgerynet", tmp_path / "ForgeryNet")


def scan(root):
    return ForgeryNetReader().scan(root)


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def images(root, *lines, files=None, name="image/list.txt"):
    """A study of training images alone: what the lines name, unless other files are given."""
    named = [line.rsplit(maxsplit=3)[0] for line in lines]
    touch(root / "Training" / "image", *(named if files is None else files))
    (root / "Training" / name).write_text("\n".join(lines))
    return root


def videos(root, *lines):
    """A study of training videos alone."""
    touch(root / "Training" / "video", *(line.split()[1] for line in lines))
    (root / "Training" / "video" / "list.txt").write_text("\n".join(lines))
    return root


def item_named(found, video):
    (item,) = (item for item in found.items if item.video == video)
    return item


def about(found, text):
    return [line for line in found.missing if text in line]


def test_validation_is_the_test_split_and_fakes_have_the_method_of_their_class(study):
    found = scan(study)
    fake = item_named(found, "Validation/video/val_video_release/3/d")
    assert (fake.label, fake.split, fake.method, fake.dataset) == (Label.FAKE, "test", "DeepFakes", "forgerynet")
    real = item_named(found, "Training/image/train_release/16/a")
    assert (real.label, real.split, real.method, real.spans) == (Label.REAL, "train", None, ())
    assert real.source == study / "Training/image/train_release/16/a.jpg"


def test_all_fifteen_classes_have_their_names(tmp_path):
    found = scan(images(tmp_path, *(f"{number}/x.jpg 1 1 {number}" for number in range(1, 16))))
    assert [item.method for item in found.items] == [METHODS[number] for number in range(1, 16)]
    assert (METHODS[1], METHODS[8], METHODS[15]) == ("FaceShifter", "ATVG-Net", "DiscoFaceGAN")


@pytest.mark.parametrize("folder", [16, 17, 18, 19])
def test_folders_from_16_are_real(tmp_path, folder):
    (real,) = scan(images(tmp_path, f"{folder}/x.jpg 0 0 0")).items
    assert (real.label, real.method) == (Label.REAL, None)


def test_where_folder_and_class_disagree_the_folder_is_right_and_it_is_counted(tmp_path):
    found = scan(images(tmp_path, "train_release/6/3/x.jpg 1 1 3", "train_release/3/y.jpg 1 1 3"))
    assert [item.method for item in found.items] == ["DeepFakes", "DeepFakes-StarGAN-Stack"]
    assert found.counts["images whose list has another class than their folder, which is right"] == 1


def test_the_folder_is_right_about_the_label_too(tmp_path):
    found = scan(images(tmp_path, "3/x.jpg 0 0 0", "16/y.jpg 1 1 3"))
    assert {item.source.name: (item.label, item.method) for item in found.items} == {
        "x.jpg": (Label.FAKE, "DeepFakes"),
        "y.jpg": (Label.REAL, None),
    }
    assert found.counts["images whose list has another class than their folder, which is right"] == 2


def test_without_a_class_folder_the_list_says_the_class(tmp_path):
    found = scan(images(tmp_path, "train_release/a/5/x.jpg 1 1 3", "y.jpg 0 0 0", "99/z.jpg 1 1 4"))
    assert {item.source.name: item.method for item in found.items} == {
        "x.jpg": "DeepFakes",
        "y.jpg": None,
        "z.jpg": "BlendFace",
    }


def test_an_image_whose_binary_label_contradicts_its_class_is_left_out_and_named(tmp_path):
    found = scan(images(tmp_path, "3/x.jpg 1 1 3", "3/y.jpg 0 0 3", "16/z.jpg 0 0 0"))
    assert [item.source.name for item in found.items] == ["x.jpg", "z.jpg"]
    assert found.counts["images left out: binary label, class and segments contradict one another"] == 1
    assert about(found, "contradict") == [
        "Training/image: the labels of 1 images, which are left out because binary label, class and segments "
        "contradict one another, such as 3/y.jpg"
    ]


def test_a_list_with_the_labels_the_wrong_way_round_is_refused(tmp_path):
    images(tmp_path, "3/x.jpg 0 0 3", "5/y.jpg 0 0 5", "16/z.jpg 0 0 0")
    with pytest.raises(
        DatasetError, match=r"list\.txt: the binary label of 2 of 3 lines contradicts the class: 1 must be"
    ):
        scan(tmp_path)


def test_a_fake_videos_spans_are_the_frames_of_its_forged_segments(tmp_path):
    (fake,) = scan(videos(tmp_path, "3 1/x.mp4 0 10 0 10 5 1 15 20 0 1 1 1")).items
    assert (fake.label, fake.spans) == (Label.FAKE, ((10, 14),))


def test_several_forged_segments_are_several_spans(tmp_path):
    (fake,) = scan(videos(tmp_path, "4 1/x.mp4 0 3 1 3 4 0 7 1 1 8 0 1 1 1 1")).items
    assert fake.spans == ((0, 2), (7, 7))


def test_all_of_a_real_video_is_used(tmp_path):
    (real,) = scan(videos(tmp_path, "2 16/x.mp4 0 10 0 10 0 0 0 0 0")).items
    assert (real.label, real.spans) == (Label.REAL, ())


@pytest.mark.parametrize(
    "line",
    [
        "1 1/x.mp4 0 10 0 1 1 1",  # a fake without a forged frame
        "1 1/x.mp4 0 0 1 1 1 1",
        "0 1/x.mp4 1 1 1",
        "2 16/x.mp4 0 10 0 10 5 1 0 0 0",  # a real with forged frames
        "2 1/x.mp4 0 10 0 9 5 1 1 1 1",  # a frame that is both
        "1 1/x.mp4 0 10 0 0 0 0",  # the folder says fake, all else real
    ],
)
def test_a_video_whose_segments_contradict_its_label_is_left_out_and_named(tmp_path, line):
    found = scan(videos(tmp_path, line, "1 2/good.mp4 0 10 1 1 1 2"))
    assert [item.source.name for item in found.items] == ["good.mp4"]
    assert found.counts["videos left out: binary label, class and segments contradict one another"] == 1
    assert len(about(found, "contradict one another, such as")) == 1


@pytest.mark.parametrize(
    "listed",
    [
        "1/x.jpg",
        "train_release/1/x.jpg",
        "image/train_release/1/x.jpg",
        "Training/image/train_release/1/x.jpg",
        "/data/ForgeryNet/Training/image/train_release/1/x.jpg",
        "Training\\image\\train_release\\1\\x.jpg",
        ".\\train_release\\1\\x.jpg",
    ],
)
@pytest.mark.parametrize("unpacked", ["train_release/1/x.jpg", "1/x.jpg"])
def test_a_lists_paths_may_start_anywhere_and_have_back_slashes(tmp_path, listed, unpacked):
    found = scan(images(tmp_path, f"{listed} 1 1 1", files=[unpacked]))
    assert [(item.label, item.method) for item in found.items] == [(Label.FAKE, "FaceShifter")]
    assert about(found, "image") == ["Validation/image: no images"]


def test_names_may_have_spaces(tmp_path):
    images(tmp_path, "1/a b 2.jpg 1 1 1")
    touch(tmp_path / "Training" / "video", "1/c d.mp4")
    (tmp_path / "Training/video/list.txt").write_text("1 1/c d.mp4 0 2 1 1 1 1")
    assert [item.source.name for item in scan(tmp_path).items] == ["a b 2.jpg", "c d.mp4"]


@pytest.mark.parametrize("name", ["image/any name.txt", "image_list.txt", "Train_Image_List.txt"])
def test_a_list_lies_with_the_images_or_above_them_named_after_them(tmp_path, name):
    images(tmp_path, "1/x.jpg 1 1 1", name=name)
    assert ForgeryNetReader().list_missing(tmp_path) == []
    assert len(scan(tmp_path).items) == 1


def test_several_lists_are_all_read(tmp_path):
    images(tmp_path, "1/x.jpg 1 1 1", name="image/1.txt")
    images(tmp_path, "16/y.jpg 0 0 0", "1/x.jpg 1 1 1", name="image/2.txt")
    found = scan(tmp_path)
    assert [item.source.name for item in found.items] == ["x.jpg", "y.jpg"]


def test_files_that_are_listed_and_not_here_are_named(study):
    (study / "Training/image/train_release/1/b.jpg").unlink()
    found = scan(study)
    assert found.missing == ["Training/image/list.txt: 1 of its 2 images are not here, such as train_release/1/b.jpg"]


def test_files_that_no_list_names_are_left_out_and_named(study):
    touch(study / "Validation/video", "val_video_release/3/new.mp4")
    found = scan(study)
    assert "new" not in {item.source.stem for item in found.items}
    assert found.counts["left out: in no list of videos"] == 1
    assert found.missing == [
        "Validation/video: the labels of 1 files, which are left out because no list names them, "
        "such as val_video_release/3/new.mp4"
    ]


def test_a_missing_list_is_named_and_its_files_are_left_out(study):
    (study / "Training/video/list.txt").unlink()
    found = scan(study)
    assert about(found, "Training/video")[0] == "Training/video: a list .txt, which says what is fake"
    assert found.counts["left out: in no list of videos"] == 2


def test_one_kind_of_one_split_is_enough_and_the_others_are_named(tmp_path):
    images(tmp_path, "1/x.jpg 1 1 1")
    assert ForgeryNetReader().list_missing(tmp_path) == []
    assert scan(tmp_path).missing == [
        "Training/video: no videos",
        "Validation/image: no images",
        "Validation/video: no videos",
    ]


def test_the_test_folder_has_no_labels_and_is_left_out(study):
    touch(study, "Test/image/1/x.jpg")
    found = scan(study)
    assert found.missing == ["Test: its labels, which were never released; it is left out"]
    assert not any("Test" in item.video for item in found.items)


def test_images_and_videos_of_one_name_stay_apart(study):
    names = [item.video for item in scan(study).items]
    assert len(set(names)) == len(names) == 8


@pytest.mark.parametrize(
    "line",
    [
        "1/x.jpg 1 1",
        "1/x.jpg 2 1 1",
        "1/x.jpg real 0 0",
        "1/x.jpg 1 one 1",
        "1/x.jpg 1 1 20",
        "1/x.jpg 1 1 -1",
        "1/x.mp4 1 1 1",
    ],
)
def test_a_line_of_another_form_in_a_list_of_images_is_refused(tmp_path, line):
    with pytest.raises(
        DatasetError, match=r"list\.txt:2: expected a line `<image> <binary> <triple> <16-class>`, got '1/x"
    ):
        scan(images(tmp_path, "1/x.jpg 1 1 1", line, files=["1/x.jpg"]))


@pytest.mark.parametrize(
    "line",
    [
        "1/x.mp4 1 1 1",
        "x",
        "2 1/x.mp4 0 5 1 1 1 1",
        "1 1/x.mp4 0 5 0 5 5 1 1 1 1",
        "1 1/x.mp4 0 5 2 1 1 1",
        "1 1/x.mp4 -1 5 1 1 1 1",
        "1 1/x.mp4 0 5.5 1 1 1 1",
    ],
)
def test_a_line_of_another_form_in_a_list_of_videos_is_refused(tmp_path, line):
    touch(tmp_path, "Training/video/1/x.mp4")
    (tmp_path / "Training/video/list.txt").write_text(f"{line}\n")
    with pytest.raises(
        DatasetError, match=r"list\.txt:1: expected a line `<n> <video> .*restore the list that came with"
    ):
        scan(tmp_path)


def test_one_file_with_two_labels_is_refused(tmp_path):
    lines = ["train_release/1/x.jpg 1 1 1", "Training/image/train_release/1/x.jpg 1 1 2"]
    images(tmp_path, *lines, files=["train_release/1/x.jpg"])
    with pytest.raises(
        DatasetError, match=r"list\.txt:2: .*/x\.jpg is named before with other labels; keep one line of it"
    ):
        scan(tmp_path)


def test_two_images_that_differ_in_their_suffix_are_two(tmp_path):
    found = scan(images(tmp_path, "1/x.jpg 1 1 1", "1/x.png 1 1 1", "1/y.png 1 1 1"))
    assert [item.video for item in found.items] == [f"Training/image/1/{name}" for name in ("x.jpg", "x.png", "y")]
