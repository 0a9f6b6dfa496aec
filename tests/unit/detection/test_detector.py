from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from realface.core.artifact import ArtifactCard
from realface.core.boxes import Box
from realface.core.calibration import ValidatedRange
from realface.core.crop_spec import CropSpec
from realface.core.errors import ArtifactError, CropSpecError, DeviceError, MissingInputError
from realface.detection.detector import Detector
from realface.detection.verdict import FaceScore, Failure, Verdict
from realface.faces.detectors.registry import build_face_detector, crop_spec_for, default_crop_spec
from realface.media.decoding import VideoDecoder
from realface.media.images import read_image, write_image
from realface.models.artifact import save_artifact
from realface.models.catalog import get_method
from realface.models.outputs import Output

LEFT, RIGHT = Box(0, 0, 32, 32), Box(32, 0, 64, 32)
WHOLE = Box(0, 0, 64, 64)


def two_tone(path: Path, left: float, right: float) -> Path:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = round(left * 255), round(right * 255)
    write_image(path, image)
    return path


def test_a_picture_has_the_score_of_its_most_suspicious_face(tmp_path: Path, build_detector: Callable) -> None:
    verdict = build_detector([[LEFT, RIGHT]]).detect(two_tone(tmp_path / "a.png", 0.2, 0.8))
    assert verdict.score == pytest.approx(0.8, abs=5e-7)
    assert [face.score for face in verdict.frames[0].faces] == pytest.approx([0.2, 0.8], abs=5e-7)
    assert [face.box for face in verdict.frames[0].faces] == [LEFT, RIGHT]
    assert verdict.outcome == "fake"
    assert (verdict.kind, verdict.width, verdict.height) == ("image", 64, 64)


def test_nothing_is_said_of_a_picture_without_a_face(tmp_path: Path, build_detector: Callable) -> None:
    verdict = build_detector([[]]).detect(two_tone(tmp_path / "a.png", 0.2, 0.8))
    assert (verdict.outcome, verdict.reason, verdict.score) == ("cannot_say", "no_face", None)
    assert (verdict.tracks, verdict.width, verdict.height) == ((), 64, 64)


def test_a_video_has_the_mean_over_its_frames(video: Callable, build_detector: Callable) -> None:
    verdict = build_detector([[WHOLE]] * 3).detect(video(0.2, 0.4, 0.9))
    assert verdict.score == pytest.approx(0.5, abs=0.01)
    assert [frame.index for frame in verdict.frames] == [0, 1, 2]
    assert [frame.time_s for frame in verdict.frames] == pytest.approx([0, 0.04, 0.08])


def test_a_face_in_one_frame_of_many_does_not_decide(video: Callable, build_detector: Callable) -> None:
    top, bottom = Box(0, 0, 20, 20), Box(40, 40, 60, 60)
    verdict = build_detector([[top, bottom], [top], [top], [top]]).detect(video(0.9, 0.1, 0.1, 0.1))
    assert verdict.score == pytest.approx(0.3, abs=0.01)
    assert [track.counts for track in verdict.tracks] == [True, False]


def test_frames_without_a_face_are_kept_without_a_score(video: Callable, build_detector: Callable) -> None:
    verdict = build_detector([[], [WHOLE], []]).detect(video(0.9, 0.3, 0.9))
    assert [frame.score for frame in verdict.frames] == [None, pytest.approx(0.3, abs=0.01), None]


def test_frames_that_cannot_be_decoded_are_counted(
    video: Callable, build_detector: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = VideoDecoder.frames

    def damaged(decoder: VideoDecoder):
        decoder.num_failed = 1
        return (frame for index, frame in enumerate(whole(decoder)) if index != 1)

    monkeypatch.setattr(VideoDecoder, "frames", damaged)
    verdict = build_detector([[WHOLE]] * 2).detect(video(0.5, 0.5, 0.5))
    assert (verdict.num_damaged, [frame.index for frame in verdict.frames]) == (1, [0, 2])


def test_damaged_frames_are_named_if_no_face_is_found(tmp_path: Path, build_detector: Callable) -> None:
    frames = [Image.effect_noise((64, 64), 90) for _ in range(4)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    whole = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "a.gif").write_bytes(whole[: len(whole) * 5 // 8])
    verdict = build_detector([[]] * 2).detect(tmp_path / "a.gif")
    assert (verdict.reason, verdict.num_damaged) == ("no_face", 1)
    assert verdict.note == "1 of 3 frames cannot be decoded"


def test_num_frames_bounds_the_frames_looked_at(video: Callable, build_detector: Callable) -> None:
    verdict = build_detector([[WHOLE]] * 2, num_frames=2).detect(video(*[0.5] * 8))
    assert [frame.index for frame in verdict.frames] == [2, 6]


def test_face_crops_are_scored_whole_without_a_face_detector(tmp_path: Path, build_detector: Callable) -> None:
    verdict = build_detector(None).detect(two_tone(tmp_path / "a.png", 0.2, 0.8))
    assert verdict.score == pytest.approx(0.5, abs=0.01)
    (face,) = verdict.frames[0].faces
    assert face.box == WHOLE
    assert face.found is None


def test_the_threshold_given_replaces_the_artifacts(tmp_path: Path, build_detector: Callable) -> None:
    path = two_tone(tmp_path / "a.png", 0.2, 0.2)
    assert build_detector(None).detect(path).outcome == "real"
    assert build_detector(None, threshold=0.1).detect(path).outcome == "fake"


def test_the_score_of_a_detector_trained_on_real_faces_only_is_an_anomaly_score(build_detector: Callable) -> None:
    assert build_detector([], method="rffr-mae").describe()["score_name"] == "anomaly score"
    assert build_detector([]).describe()["score_name"] == "score"


def test_a_calibrated_detector_gives_each_kind_of_file_the_verdict_of_its_band(
    tmp_path: Path, video: Callable, build_detector: Callable, calibration: Callable
) -> None:
    image, clip = two_tone(tmp_path / "a.png", 0.65, 0.65), video(0.65, 0.65)
    detector = build_detector([[WHOLE]] * 3, calibration=calibration())
    assert [detector.detect(path).outcome for path in (image, clip)] == ["uncertain", "fake"]
    bands = [build_detector([[WHOLE]] * 2, calibration=calibration()).detect(path).band for path in (image, clip)]
    assert [band.fake_from for band in bands] == [0.7, 0.6]


def test_small_and_soft_faces_have_no_say(tmp_path: Path, build_detector: Callable, calibration: Callable) -> None:
    image = np.full((64, 64, 3), 50, np.uint8)
    image[::2, :32] += 20  # the left half has detail, the right half has none
    write_image(tmp_path / "a.png", image)
    small, sharp, soft = Box(0, 0, 12, 12), Box(0, 0, 32, 32), Box(32, 0, 64, 32)
    settings = {
        "calibration": calibration(),
        "validated_on": ValidatedRange(min_face_size=20, min_sharpness=0.1, share_answered=1.0),
    }
    verdict = build_detector([[small, sharp, soft]], **settings).detect(tmp_path / "a.png")
    faces = verdict.frames[0].faces
    assert [face.ignored for face in faces] == ["face_too_small", None, "too_soft"]
    assert (verdict.score, verdict.outcome) == (faces[1].score, "real")
    assert faces[1].sharpness > 0.1 > faces[2].sharpness
    verdict = build_detector([[small]], **settings).detect(tmp_path / "a.png")
    assert (verdict.score, verdict.outcome, verdict.reason) == (None, "cannot_say", "face_too_small")
    assert verdict.frames[0].faces[0].score > 0


def test_a_video_with_a_face_in_too_few_frames_gets_no_verdict(
    video: Callable, build_detector: Callable, calibration: Callable
) -> None:
    validated = ValidatedRange(min_face_size=0, min_sharpness=0, min_frames=3, share_answered=1.0)
    detector = build_detector([[WHOLE]] * 2, calibration=calibration(), validated_on=validated)
    verdict = detector.detect(video(0.2, 0.4))
    assert (verdict.outcome, verdict.reason) == ("cannot_say", "too_few_frames")


def test_other_settings_than_those_of_the_calibration_give_a_score_and_no_verdict(
    tmp_path: Path, build_detector: Callable, calibration: Callable
) -> None:
    path = two_tone(tmp_path / "a.png", 0.9, 0.9)
    verdict = build_detector(None, calibration=calibration()).detect(path)
    assert (verdict.outcome, verdict.reason) == ("cannot_say", "outside_calibration")
    assert (verdict.band, verdict.to_json()["band"]) == (None, None)
    assert verdict.score == pytest.approx(0.9, abs=0.01)
    assert build_detector(None, calibration=calibration(), threshold=0.5).detect(path).outcome == "fake"


def test_a_detector_describes_its_calibration_unless_a_threshold_is_given(
    build_detector: Callable, calibration: Callable
) -> None:
    described = build_detector([], calibration=calibration()).describe()
    assert described["calibration"] == calibration().model_dump(mode="json")
    assert described["scope"] == {"not_examined": ["wholly generated images", "voices"]}
    assert build_detector([], calibration=calibration(), threshold=0.5).describe()["calibration"] is None


def test_a_bad_file_does_not_stop_the_others_and_keeps_its_place(tmp_path: Path, build_detector: Callable) -> None:
    good, bad, gone = two_tone(tmp_path / "a.png", 0.2, 0.2), tmp_path / "b.png", tmp_path / "c.png"
    bad.write_bytes(b"")
    first, second, third, fourth = build_detector(None).detect_many([good, bad, gone, good])
    assert isinstance(first, Verdict)
    assert isinstance(second, Failure)
    assert isinstance(third, Failure)
    assert isinstance(fourth, Verdict)
    assert [second.reason, third.reason] == ["empty file", "missing"]


def test_detect_raises_what_is_wrong_with_the_file(tmp_path: Path, build_detector: Callable) -> None:
    with pytest.raises(MissingInputError, match=r"gone\.png does not exist"):
        build_detector(None).detect(tmp_path / "gone.png")


def test_a_file_that_may_not_be_read_is_a_failure(
    tmp_path: Path, build_detector: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("realface.detection.face_source.open_media", refuse)
    (failure,) = build_detector(None).detect_many([tmp_path / "a.png"])
    assert failure == Failure(tmp_path / "a.png", "unreadable", f"cannot read {tmp_path}/a.png: Permission denied")


def test_faces_of_several_pictures_go_through_the_network_together(tmp_path: Path, build_detector: Callable) -> None:
    batches = []

    class Counting(nn.Module):
        def forward(self, image: Tensor) -> Output:
            batches.append(len(image))
            return Output(image.mean(dim=(1, 2, 3)).logit())

    paths = [two_tone(tmp_path / f"{number}.png", number / 10, number / 10) for number in range(1, 6)]
    verdicts = list(build_detector(None, network=Counting(), batch_size=3).detect_many(paths))
    assert [verdict.score for verdict in verdicts] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5], abs=0.01)
    assert batches == [3, 2]


def test_the_batch_size_bounds_the_frames_held_and_changes_no_score(video: Callable, build_detector: Callable) -> None:
    path = video(0.1, 0.3, 0.5, 0.7, 0.9)
    small, large = build_detector([[WHOLE]] * 5, batch_size=2), build_detector([[WHOLE]] * 5)
    assert abs(small.detect(path).score - large.detect(path).score) <= 2**-24  # of probabilities below 1
    assert small.faces.face_detector.calls == [2, 2, 1]
    assert large.faces.face_detector.calls == [5]


def test_large_frames_are_held_in_smaller_numbers(
    video: Callable, build_detector: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realface.detection.face_source.PIXELS_AT_ONCE", 2 * 64 * 64)
    detector = build_detector([[WHOLE]] * 5)
    detector.detect(video(*[0.5] * 5))
    assert detector.faces.face_detector.calls == [2, 2, 1]


def test_the_verdict_says_how_long_each_stage_took(video: Callable, build_detector: Callable) -> None:
    seconds = build_detector([[WHOLE]] * 3).detect(video(0.2, 0.4, 0.9)).seconds
    assert set(seconds) == {"decode", "find", "crop", "score"}
    assert seconds["decode"] > 0
    assert seconds["score"] > 0


def test_a_score_that_is_no_number_is_an_error(tmp_path: Path, build_detector: Callable) -> None:
    class Broken(nn.Module):
        def forward(self, image: Tensor) -> Output:
            return Output(torch.full((len(image),), torch.nan))

    path = two_tone(tmp_path / "a.png", 0.2, 0.2)
    with pytest.raises(ArtifactError, match="score is not a number: its weights are damaged; train or import it again"):
        build_detector(None, network=Broken()).detect(path)


def test_too_little_memory_on_the_device_says_what_to_give(tmp_path: Path, build_detector: Callable) -> None:
    class Greedy(nn.Module):
        def forward(self, image: Tensor) -> Output:
            raise torch.OutOfMemoryError

    path = two_tone(tmp_path / "a.png", 0.2, 0.2)
    with pytest.raises(DeviceError, match="cpu has too little memory for 1 faces at once; give a smaller --batch-size"):
        build_detector(None, network=Greedy()).detect(path)


def test_a_network_without_maps_gives_none(build_detector: Callable) -> None:
    class Plain(nn.Module):
        def forward(self, image: Tensor) -> Output:
            return Output(torch.zeros(len(image)))

    assert (
        build_detector(None, network=Plain()).maps(
            np.zeros((8, 8, 3), np.uint8), [FaceScore(Box(0, 0, 8, 8), 0.5, 0, None)]
        )
        is None
    )


def saved(folder: Path, crop: CropSpec) -> Path:
    method = get_method("recce")
    config = method.config_type.model_validate({"encoder": "light_xception", "input_size": 64})
    card = ArtifactCard(method="recce", config=config.model_dump(mode="json"), input_size=64, crop=crop)
    save_artifact(folder, method.build_network(config), card)
    return folder


def test_an_artifact_of_another_face_detector_version_is_refused_with_both(tmp_path: Path) -> None:
    spec = default_crop_spec().model_copy(update={"face_detector_version": "older"})
    folder = saved(tmp_path / "artifact", spec)
    with pytest.raises(CropSpecError, match=r"made with mtcnn \[older\] but here it is \[facenet-pytorch "):
        Detector.load(folder, device="cpu")
    assert Detector.load(folder, device="cpu", crops=True).faces.face_detector is None


def test_an_artifact_of_unknown_crops_can_be_told_how_to_cut_faces_out(tmp_path: Path) -> None:
    folder = saved(tmp_path / "artifact", CropSpec.unknown())
    spec = default_crop_spec(margin=0.7, frames=3)
    detector = Detector.load(folder, device="cpu", crop=spec)
    assert detector.faces.face_detector is not None
    assert detector.faces.face_detector.name == "mtcnn"
    assert (detector.card.crop, detector.faces.num_frames) == (spec, 3)


def test_an_artifact_that_knows_its_crops_takes_no_others(tmp_path: Path) -> None:
    folder = saved(tmp_path / "artifact", default_crop_spec(margin=0.3))
    with pytest.raises(
        CropSpecError, match=r"expects crops made with \[.*0\.3.*\], not with \[.*0\.7.*\]; leave --crop out"
    ):
        Detector.load(folder, device="cpu", crop=default_crop_spec(margin=0.7))
    assert Detector.load(folder, device="cpu", crop=default_crop_spec(margin=0.3, frames=2)).faces.num_frames == 2


def test_an_artifact_of_unknown_crops_needs_face_crops(tmp_path: Path) -> None:
    folder = saved(tmp_path / "artifact", CropSpec.unknown())
    with pytest.raises(CropSpecError, match=r"from elsewhere.*cut them out as its authors did and give --crops"):
        Detector.load(folder, device="cpu")
    assert Detector.load(folder, device="cpu", crops=True).faces.face_detector is None


def test_a_face_detector_that_is_not_the_artifacts_is_refused(tmp_path: Path, build_detector: Callable) -> None:
    folder = saved(tmp_path / "artifact", default_crop_spec())
    face_detector = build_detector([]).faces.face_detector
    with pytest.raises(CropSpecError, match=r"expects faces found by mtcnn \[.*\], not by scripted \[1\]"):
        Detector.load(folder, device="cpu", face_detector=face_detector)


def test_a_run_folder_stands_for_its_artifact(tmp_path: Path) -> None:
    saved(tmp_path / "run" / "artifact", default_crop_spec(frames=7))
    detector = Detector.load(tmp_path / "run", device="cpu")
    assert detector.faces.num_frames == 7
    assert detector.input_size == 64


def test_bf16_gives_nearly_the_scores_of_fp32(tmp_path: Path) -> None:
    torch.manual_seed(0)
    saved(tmp_path / "artifact", default_crop_spec())
    picture = two_tone(tmp_path / "a.png", 0.2, 0.8)
    exact, rounded = (
        Detector.load(tmp_path / "artifact", device="cpu", crops=True, precision=precision).detect(picture).score
        for precision in ("fp32", "bf16")
    )
    assert exact != rounded
    assert rounded == pytest.approx(exact, abs=7e-5)


def test_an_artifact_of_a_files_face_detector_needs_the_file_and_takes_no_other(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours.onnx", tmp_path / "other.onnx"
    ours.write_text("a network")
    other.write_text("another one")
    yunet = build_face_detector("yunet", file=ours)
    folder = saved(tmp_path / "artifact", crop_spec_for(yunet))
    with pytest.raises(
        CropSpecError, match=r"found by yunet \[file .*\], which comes as a file; .*--face-detector yunet=FILE"
    ):
        Detector.load(folder, device="cpu")
    with pytest.raises(
        CropSpecError, match=r"expects faces found by yunet \[file .*\], not by yunet \[file .*\]; give"
    ):
        Detector.load(folder, device="cpu", face_detector=build_face_detector("yunet", file=other))
    assert Detector.load(folder, device="cpu", face_detector=yunet).faces.face_detector is yunet


def test_a_spec_that_does_not_name_the_face_detectors_file_takes_any(tmp_path: Path) -> None:
    folder = saved(tmp_path / "artifact", CropSpec.unknown())
    (tmp_path / "theirs.onnx").write_text("a network")
    given = build_face_detector("retinaface", file=tmp_path / "theirs.onnx")
    spec = CropSpec(face_detector="retinaface", margin=0.4)
    assert Detector.load(folder, device="cpu", crop=spec, face_detector=given).faces.face_detector is given
    with pytest.raises(CropSpecError, match=r"expects faces found by retinaface \[\], not by mtcnn \[facenet"):
        Detector.load(folder, device="cpu", crop=spec, face_detector=build_face_detector("mtcnn"))


def test_a_face_is_scored_as_training_has_it_stored(tmp_path: Path, build_detector: Callable) -> None:
    detector = build_detector([[WHOLE]])
    spec = detector.card.crop.model_copy(update={"jpeg_quality": 1})
    detector.faces = replace(detector.faces, spec=spec)
    write_image(tmp_path / "a.png", np.full((64, 64, 3), 77, np.uint8))
    write_image(tmp_path / "stored.jpg", np.full((32, 32, 3), 77, np.uint8), jpeg_quality=1)
    stored = read_image(tmp_path / "stored.jpg").mean()
    assert abs(stored - 77) > 5, "so coarse a JPEG changes even one grey"
    assert detector.detect(tmp_path / "a.png").score == pytest.approx(stored / 255, abs=5e-7)
