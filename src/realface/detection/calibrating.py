"""Calibrate a detector on the JSON output of `realface detect` for held-out files.

`detect` computes the scores, so the calibration covers all its steps: it detects faces, chooses people and averages
frames.
"""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from realface.core.artifact import ArtifactCard
from realface.core.boxes import Box
from realface.core.calibration import Band, Calibration, SourceCounts, TableHash, ValidatedRange
from realface.core.errors import CalibrationError, MetricError, TextFileError
from realface.core.files import existing, sha256_of
from realface.core.text_files import read_text
from realface.detection.aggregation import deciding_track, score_tracks
from realface.detection.outcome import DecisionRule
from realface.detection.verdict import FaceScore, FrameScore
from realface.detection.writers import FORMAT
from realface.media.frames import MediaKind
from realface.metrics.conformal import (
    FEWEST_IDENTITIES,
    TOLERANCE,
    FileScores,
    choose_range,
    fake_from,
    false_alarms,
    real_below,
    share_answered,
    share_found,
)

COLUMNS = ("path", "source", "identity", "label")
KINDS: tuple[MediaKind, ...] = ("image", "video")
LIMITS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)
"""Shares of the real files excluded by a candidate for the smallest face size or the smallest sharpness."""
VIDEOS_AS_IMAGES = (
    "; videos: the band of images, since too few people are seen in videos. A video's score is a mean over frames, "
    "which varies less than the score of one image, but no bound is proved for it"
)
FRAMES_SHARE = 4
"""A video needs a face within the range in a quarter of the searched frames, rounded up."""


@dataclass(frozen=True)
class HeldOutFile:
    """A file scored by `detect`, with its label and origin.

    Attributes:
        kind: image or video.
        frames: frames with the scores, sizes and sharpness of their faces.
        source: origin of the file, such as a dataset; for a fake, the kind of fakes.
        identity: identity of the person shown.
        is_fake: whether the file is fake.
        pair: name shared by a real file and the fake made from it; empty without a pair.
    """

    kind: MediaKind
    frames: tuple[FrameScore, ...]
    source: str
    identity: str
    is_fake: bool
    pair: str = ""

    @property
    def typical_face(self) -> tuple[float, float] | None:
        """Median size in pixels and median sharpness of the longest track's faces; None without a face."""
        counts = Counter(face.track for frame in self.frames for face in frame.faces)
        if not counts:
            return None
        longest = counts.most_common(1)[0][0]
        faces = [face for frame in self.frames for face in frame.faces if face.track == longest]
        size, sharpness = np.median([(face.size, face.sharpness) for face in faces], axis=0)
        return float(size), float(sharpness)

    def score(self, validated: ValidatedRange) -> float:
        """Return the file's score when faces outside a range are ignored, or NaN without such a score."""
        rule = DecisionRule(0.5, is_calibrated=True, validated_on=validated)
        frames = [
            replace(
                frame,
                faces=tuple(
                    replace(face, ignored=rule.reason_to_ignore(size=face.size, sharpness=face.sharpness))
                    for face in frame.faces
                ),
            )
            for frame in self.frames
        ]
        deciding = deciding_track(score_tracks(frames, frames_needed=rule.frames_needed(self.kind)))
        return float("nan") if deciding is None or deciding.score is None else deciding.score


@dataclass(frozen=True)
class CalibrationResult:
    """A calibration and its effect on the files used to choose it.

    Attributes:
        card: card of the detector, with the calibration.
        shares: by kind of file: `false_alarms` by real source, `answered`, `fakes_found` and `fakes_called_real`.
        notes: limits of the calibration, as separate sentences.
    """

    card: ArtifactCard
    shares: dict[str, dict[str, Any]]
    notes: tuple[str, ...]


def calibrate(
    card: ArtifactCard, verdicts: Sequence[Path], identities: Path, *, alpha: float = 0.05, beta: float = 0.1
) -> CalibrationResult:
    """Choose the bands and the validated range of a detector on held-out files.

    Args:
        card: card of the detector.
        verdicts: documents that `realface detect --json` printed with that detector.
        identities: CSV with the columns of `COLUMNS`; paths match the paths in the documents, label is real or fake.
        alpha: bound on the share of held-out real files that are called fake, in (0, 1).
        beta: bound on the share of held-out fakes that are called real, in (0, 1).

    Raises:
        MissingInputError: a file does not exist.
        CalibrationError: a document or the CSV cannot be used, or they do not match.
        MetricError: too few people for the bound, in images and in videos.
    """
    settings, answers = read_documents(verdicts, card)
    files = join_files(answers, read_identities(identities), identities)
    if all(file.is_fake for file in files):
        raise CalibrationError(f"{identities} names no real file of {_names(verdicts)}", hint="add rows of real files")
    notes: list[str] = []
    ranges = _candidate_ranges(files, max(1, -(-settings["num_frames"] // FRAMES_SHARE)))
    widest = _scored_within(files, KINDS, ranges[0])
    kinds = _kinds_with_enough_people(widest, alpha, notes)
    scored = [_scored_within(files, kinds, one) for one in ranges]
    chosen = choose_range([list(one.values()) for one in scored], alpha=alpha)
    pairs = scored[chosen]
    bands: dict[MediaKind, Band] = {}
    for kind, (reals, fakes) in pairs.items():
        upper = fake_from(reals, alpha=alpha)
        enough = _enough_fakes(kind, fakes, pairs, notes)
        bands[kind] = Band(real_below=real_below(enough, beta=beta, highest=upper), fake_from=upper)
        if not bands[kind].real_below:
            notes.append(f"no {kind} will be called real: the tables have too few fakes")
    borrows = "image" in bands and "video" not in bands and len(widest["video"][0].answered) > 0
    if borrows:
        bands["video"] = bands["image"]
        notes.append("videos get the band of images, which is not bounded for them: the tables have too few videos")
    validated = ranges[chosen].model_copy(
        update={"share_answered": round(float(np.mean([share_answered(reals) for reals, _ in pairs.values()])), 4)}
    )
    calibration = Calibration(
        rule=_rule(alpha, beta) + (VIDEOS_AS_IMAGES if borrows else ""),
        alpha=alpha,
        beta=beta,
        image=bands.get("image"),
        video=bands.get("video"),
        sources=_source_counts(files, validated),
        tables=[TableHash(name=path.name, sha256=sha256_of(path)) for path in [*verdicts, identities]],
        input_size=settings["input_size"],
        num_frames=settings["num_frames"],
    )
    return CalibrationResult(
        card.model_copy(update={"calibration": calibration, "validated_on": validated}),
        {kind: _shares(*pairs[kind], bands[kind]) for kind in pairs},
        tuple(notes),
    )


def _kinds_with_enough_people(
    pairs: Mapping[MediaKind, tuple[FileScores, FileScores]], alpha: float, notes: list[str]
) -> list[MediaKind]:
    """Return the kinds of files that can have a band, and a note for each that cannot.

    Raises:
        MetricError: none can.
    """
    kinds: list[MediaKind] = []
    error: MetricError | None = None
    for kind, (reals, _) in pairs.items():
        if not len(reals.answered):
            notes.append(f"no {kind} will get a verdict: the tables have no real {kind} with a face")
            continue
        try:
            fake_from(reals, alpha=alpha)
        except MetricError as too_few:
            error = too_few
            if kind == "image":
                notes.append(f"no {kind} will get a verdict: {too_few}")
        else:
            kinds.append(kind)
    if error is not None and not kinds:
        raise error
    return kinds


def _enough_fakes(
    kind: MediaKind, fakes: FileScores, pairs: Mapping[MediaKind, tuple[FileScores, FileScores]], notes: list[str]
) -> FileScores:
    """Return the fakes of a kind of file, or the fakes of all kinds if that kind has too few."""
    if _num_people(fakes) >= FEWEST_IDENTITIES:
        return fakes
    everything = [fakes for _, fakes in pairs.values()]
    joined = FileScores(
        np.concatenate([one.scores for one in everything]),
        np.concatenate([one.sources for one in everything]),
        np.concatenate([one.identities for one in everything]),
    )
    if len(joined) > len(fakes):
        notes.append(f"real_below of {kind}s rests on the fakes of all kinds of files: too few fake {kind}s")
    return joined


def _num_people(files: FileScores) -> int:
    return sum(files.answered.num_identities(name) for name in files.answered.source_names)


def _rule(alpha: float, beta: float) -> str:
    return (
        f"fake: from just above the split-conformal quantile at which at most {alpha:.0%} of new people's files are "
        "called fake, where people and sources count equally, and at least the same quantile of every source with "
        f"{FEWEST_IDENTITIES} people; real: below the quantile at which at most {beta:.0%} of fakes are called real, "
        "where kinds of fakes count equally, and never above the first score; faces: the widest range, among quantiles "
        f"of the size and sharpness of real files, whose share of fakes found is at most {TOLERANCE:.0%} below the best"
    )


def _candidate_ranges(files: Sequence[HeldOutFile], min_frames: int) -> list[ValidatedRange]:
    """Return candidate ranges of faces, starting with the widest range."""
    faces = np.array([face for file in files if not file.is_fake and (face := file.typical_face) is not None])
    if not len(faces):
        raise CalibrationError("no real file has a face", hint="check that the documents are those of the real files")
    sizes, sharpness = (np.quantile(column, LIMITS, method="lower") for column in faces.T)
    steps = sorted(((i, j) for i in range(len(LIMITS)) for j in range(len(LIMITS))), key=lambda step: (sum(step), step))
    return [
        ValidatedRange(
            min_face_size=float(sizes[i]), min_sharpness=float(sharpness[j]), min_frames=min_frames, share_answered=0
        )
        for i, j in steps
    ]


def _scored_within(
    files: Sequence[HeldOutFile], kinds: Sequence[MediaKind], validated: ValidatedRange
) -> dict[MediaKind, tuple[FileScores, FileScores]]:
    """Return the real and the fake files of each kind, scored within a range."""
    return {
        kind: (
            _scores([file for file in files if file.kind == kind and not file.is_fake], validated),
            _scores([file for file in files if file.kind == kind and file.is_fake], validated),
        )
        for kind in kinds
    }


def _scores(files: Sequence[HeldOutFile], validated: ValidatedRange) -> FileScores:
    return FileScores(
        np.array([file.score(validated) for file in files], dtype=np.float64),
        np.array([file.source for file in files], dtype=np.str_),
        np.array([file.identity for file in files], dtype=np.str_),
    )


def _shares(reals: FileScores, fakes: FileScores, band: Band) -> dict[str, Any]:
    shares: dict[str, Any] = {"false_alarms": false_alarms(reals, band.fake_from), "answered": share_answered(reals)}
    if len(fakes.answered):
        missed = 1.0 - share_found(fakes.answered, band.real_below)
        shares |= {"fakes_found": share_found(fakes, band.fake_from), "fakes_called_real": missed}
    return shares


def _source_counts(files: Sequence[HeldOutFile], validated: ValidatedRange) -> list[SourceCounts]:
    counts = []
    for is_fake, source in sorted({(file.is_fake, file.source) for file in files}):
        own = [file for file in files if (file.is_fake, file.source) == (is_fake, source)]
        has_score = [not np.isnan(file.score(validated)) for file in own]
        kinds = Counter(file.kind for file, answered in zip(own, has_score, strict=True) if answered)
        counts.append(
            SourceCounts(
                name=source,
                label="fake" if is_fake else "real",
                images=kinds["image"],
                videos=kinds["video"],
                identities=len({file.identity for file in own}),
                not_answered=has_score.count(False),
            )
        )
    return counts


def read_documents(paths: Sequence[Path], card: ArtifactCard) -> tuple[dict[str, int], dict[str, dict[str, Any]]]:
    """Return the settings of documents of `realface detect --json`, which must agree, and their results by path.

    Args:
        paths: paths of the documents.
        card: card of the detector that the documents must come from.

    Raises:
        MissingInputError: a document does not exist.
        CalibrationError: a document is incomplete, from another detector or of face crops, or the settings differ.
    """
    settings: dict[str, int] = {}
    answers: dict[str, dict[str, Any]] = {}
    for path in paths:
        document = _read_document(path)
        model = document["model"]
        if model["weights_sha256"] != card.weights_sha256:
            raise CalibrationError(
                f"{path} is of another detector: its weights have the SHA-256 {model['weights_sha256']}, those of "
                f"the artifact {card.weights_sha256}",
                hint="run `realface detect --json` with the artifact",
            )
        if model["crop"] is None:
            raise CalibrationError(
                f"{path} is of face crops (--crops)", hint="run `realface detect --json` on whole files"
            )
        own = {name: int(model[name]) for name in ("input_size", "num_frames")}
        if settings and own != settings:
            raise CalibrationError(
                f"{path} has {_words(own)}, {paths[0]} has {_words(settings)}", hint="use the same for all"
            )
        settings = own
        answers |= {file["path"]: file for file in document["files"] if "error" not in file}
    return settings, answers


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_text(existing(path, what="document")))
        found, complete = document.get("format"), document["summary"]["complete"]
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise CalibrationError(
            f"{path} is not a document of `realface detect --json`", hint="write it again"
        ) from error
    if found != FORMAT:
        raise CalibrationError(
            f"{path} has format {found!r}, expected {FORMAT}", hint="run `realface detect --json` again"
        )
    if not complete:
        raise CalibrationError(
            f"{path} is not complete: the run was interrupted", hint="run `realface detect --json` again"
        )
    return dict(document)


def read_identities(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV with the columns of `COLUMNS`.

    Raises:
        MissingInputError: no such file.
        CalibrationError: a column is missing, or a value is empty or not allowed.
    """
    try:
        reader = csv.DictReader(read_text(existing(path, what="file of identities")).splitlines())
    except TextFileError as error:
        raise CalibrationError(f"{path}: {error.text}", hint=error.hint) from error
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise CalibrationError(
            f"{path} has no column {', '.join(missing)}", hint=f"use the columns {','.join(COLUMNS)}"
        )
    for row in reader:
        if row["label"] not in ("real", "fake"):
            raise CalibrationError(f"{path}:{reader.line_num}: label must be real or fake, got {row['label']!r}")
        if not all(row[name] for name in COLUMNS):
            raise CalibrationError(f"{path}:{reader.line_num}: path, source and identity must not be empty")
        yield row


def join_files(
    answers: Mapping[str, Mapping[str, Any]], rows: Iterator[dict[str, str]], identities: Path
) -> list[HeldOutFile]:
    """Return every file of the documents with its row of the CSV; rows of other files are ignored.

    Args:
        answers: results by path, from `read_documents`.
        rows: rows from `read_identities`.
        identities: path of the CSV, for errors.

    Raises:
        CalibrationError: a scored file has no row, or two.
    """
    by_path = {os.path.normpath(path): answer for path, answer in answers.items()}
    known: dict[str, HeldOutFile] = {}
    for row in rows:
        path = os.path.normpath(row["path"])
        if path in known:
            raise CalibrationError(f"{identities} names {row['path']} twice", hint="keep one row of each file")
        if path in by_path:
            known[path] = HeldOutFile(
                kind=by_path[path]["kind"],
                frames=_frames_of(by_path[path]),
                source=row["source"],
                identity=row["identity"],
                is_fake=row["label"] == "fake",
                pair=row.get("pair") or "",
            )
    missing = [path for path in by_path if path not in known]
    if missing:
        raise CalibrationError(
            f"{identities} has no row for {len(missing)} of {len(by_path)} scored files, such as {missing[0]}",
            hint="give each file its source, identity and label",
        )
    return list(known.values())


def _frames_of(answer: Mapping[str, Any]) -> tuple[FrameScore, ...]:
    return tuple(
        FrameScore(
            frame["index"],
            frame["time_s"],
            frame["height"],
            frame["width"],
            tuple(
                FaceScore(Box(*face["box"]), face["score"], face["track"], face["found"], sharpness=face["sharpness"])
                for face in frame["faces"]
            ),
        )
        for frame in answer["frames"]
    )


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths)


def _words(settings: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())
