"""Train and measure the trials of the study in `docs/results.md`.

    python tools/study_detector.py STUDY --faces FACES/split.parquet --resynthesis STORE --deepfakes DFDC/study.parquet

Each trial is the recipe `real-faces-only` with some settings changed. A trial that was interrupted is resumed, and a
trial that was measured is skipped, so the command can be repeated and can run in several processes with `--only`. All
trials are measured on the same pairs of test identities and on the same real deepfakes:

- pseudo-fakes of ten kinds, made from the test identities of `--faces`;
- deepfakes of `--deepfakes` paired with their originals: `split` is train, val or test, and all trials are compared on
  test. The trials `fakes-*` learn from the train split of these deepfakes; no other trial learns from deepfakes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from realface.core.labels import Label
from realface.data.landmark_store import FILE_NAME, read_landmarks
from realface.data.real_faces import face_rows
from realface.data.resynthesis_store import ResynthesisStore
from realface.evaluation.results import (
    RESULTS_NAME,
    Result,
    bounds,
    false_alarm_results,
    pair_results,
    read_results,
    write_results,
)
from realface.evaluation.scoring import Reading, score_crops
from realface.manifest.manifest import Manifest
from realface.metrics.pairs import PairScores, mean_auc, pair_order
from realface.models.artifact import load_network, read_card
from realface.training.pair_validation import PairValidation
from realface.training.recipe import PairsSection
from realface.training.run import ARTIFACT_NAME

RECIPE = "real-faces-only"
KINDS = {
    "self_blend": 0.30,
    "swap": 0.24,
    "video_blend": 0.06,
    "parts": 0.11,
    "mouth": 0.12,
    "resynthesis": 0.08,
    "smooth_bilateral": 0.03,
    "smooth_denoise": 0.02,
    "smooth_resample": 0.02,
    "smooth_beauty": 0.02,
}
SOURCES = ("lfw_deepfunneled", "ffhq256", "celebahq1024", "video_talking", "video_liveportrait")
VIDEOS = ("video_talking", "video_liveportrait")
ABLATION_STEPS, SHORT_STEPS = 750, 400
"""12,000 and 6,400 images."""
FALSE_ALARM_RATE = 0.05
PAIRS_OF_EACH_KIND = 128

Settings = Mapping[str, object]
"""Recipe settings by key, as `--set` takes them."""


def trials(faces: Path, deepfakes: Path) -> dict[str, Settings]:
    """Return the settings of each trial that differ from the recipe.

    Args:
        faces: manifest of real faces.
        deepfakes: manifest of deepfakes and their originals.
    """
    recce: Settings = {"method.name": "recce"}
    no_weights: Settings = {"encoder_weights": None, "method.folded_norms": False}
    changed: dict[str, Settings] = {
        "baseline": {},
        "recce": recce,
        "no-pretraining": no_weights,
        "no-ranking": {"method.rank_weight": 0.0},
        "no-mask-head": {"method.mask_head": False},
        "no-degradations": {"pseudo_fakes.degradations": None},
        "no-videos": _without_sources(*VIDEOS),
        "self-blends-only": {"pseudo_fakes.kinds": {"self_blend": 1.0}},
        "224px": {"method.input_size": 224},
        "baseline-seed1": {"seed": 1},
        "recce-seed1": {**recce, "seed": 1},
    }
    steps: dict[str, Settings] = {
        name: {"trainer.steps": ABLATION_STEPS, **settings} for name, settings in changed.items()
    }
    short: Settings = {"trainer.steps": SHORT_STEPS}
    steps |= {"short": short}
    steps |= {f"without-{kind}": {**short, "pseudo_fakes.held_out": [kind]} for kind in KINDS}
    sources = [[source] for source in SOURCES if source not in VIDEOS] + [list(VIDEOS)]
    steps |= {f"without-{names[0]}": {**short, **_without_sources(*names)} for names in sources}
    kinds = {kind: share for kind, share in KINDS.items() if kind != "resynthesis"}  # the store has no faces of these
    own = {**short, "data.manifests": [str(deepfakes)], "pseudo_fakes.kinds": kinds, "pseudo_fakes.resynthesis": None}
    for seed in range(3):
        for method in ("baseline", "recce"):
            fakes = {**own, "method.name": method, "seed": seed}
            steps[f"fakes-{method}-seed{seed}"] = {**fakes, "pseudo_fakes.real_fakes": 1.0}
            steps[f"fakes-{method}-with-pseudo-seed{seed}"] = {**fakes, "pseudo_fakes.real_fakes": 0.5}
    both = {"data.manifests": [str(faces), str(deepfakes)], "trainer.steps": ABLATION_STEPS}
    steps["fakes-and-faces"] = {**both, "pseudo_fakes.real_fakes": 0.7}
    return steps


def _without_sources(*names: str) -> Settings:
    return {"data.train.filters": {"split": "train", "dataset": [each for each in SOURCES if each not in names]}}


def main() -> None:
    """Train and measure the trials that are not measured yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="folder of the trials")
    parser.add_argument("--faces", type=Path, required=True, help="manifest of real faces, split by identity")
    parser.add_argument("--resynthesis", type=Path, required=True, help="store of `realface resynthesise`")
    parser.add_argument("--deepfakes", type=Path, required=True, help="manifest of deepfakes and their originals")
    parser.add_argument("--table", action="store_true", help="print the table of the measured trials and end")
    parser.add_argument("--only", nargs="+", default=["*"], help="names or patterns of trials, in this order")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    known = trials(arguments.faces, arguments.deepfakes)
    chosen = dict.fromkeys(name for pattern in arguments.only for name in known if fnmatch(name, pattern))
    if arguments.table:
        print(table({name: arguments.study / name / RESULTS_NAME for name in chosen}))
        return
    for name in chosen:
        run = arguments.study / name
        if (run / RESULTS_NAME).exists():
            continue
        settings = {
            "data.manifests": [str(arguments.faces)],
            "pseudo_fakes.resynthesis": str(arguments.resynthesis),
            "pseudo_fakes.kinds": KINDS,
            "trainer.precision": "fp32",
            "trainer.validate_every": 250,
            "trainer.checkpoint_every": 125,
            **known[name],
        }
        train(run, settings)
        write_results(run / RESULTS_NAME, measure(run, arguments.faces, arguments.resynthesis, arguments.deepfakes))
        print(f"{name}: measured", flush=True)


def train(run: Path, settings: Settings) -> None:
    """Train a trial, or go on with it."""
    command = [sys.executable, "-m", "realface", "train", RECIPE, "--out", str(run)]
    for key, value in settings.items():
        command += ["--set", f"{key}={yaml.safe_dump(value, default_flow_style=True, width=10**6).splitlines()[0]}"]
    if (run / "recipe.yaml").exists():
        command = [sys.executable, "-m", "realface", "train", "--out", str(run), "--resume"]
    subprocess.run(command, check=True)


def measure(run: Path, faces: Path, resynthesis: Path, deepfakes: Path) -> list[Result]:
    """Measure a trial on the pairs and deepfakes that all trials are compared on."""
    artifact = run / ARTIFACT_NAME
    network, size = load_network(artifact), read_card(artifact).input_size
    rows = Manifest.read(faces).filter(label=int(Label.REAL))
    landmarks = read_landmarks(faces.parent / FILE_NAME)
    test = rows.filter(split="test")
    section = PairsSection(kinds=KINDS, validation_pairs=PAIRS_OF_EACH_KIND, window=(0.55, 1.0))
    pairs = PairValidation(face_rows(test, landmarks, ResynthesisStore(resynthesis)), section, size)
    reading = Reading(input_size=size, device=torch.device("cpu"), workers=1, quiet=True)
    pairs.write(run / "pairs.parquet", pairs.score(network, reading))
    found = pair_results(run / "pairs.parquet", data="test identities")
    held_back = rows.filter(split=["val", "test"])
    scores = np.asarray(score_crops(network, held_back, reading).scores)
    found += _false_alarms(held_back, scores, trained_on=_sources_of(run))
    fakes = Manifest.read(deepfakes).filter(split="test")
    scores = np.asarray(score_crops(network, fakes, reading).scores)
    return found + _deepfake_results(fakes, scores)


def _sources_of(run: Path) -> list[str]:
    """The sources of real faces that a trial learned from."""
    filters = yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))["data"]["train"]["filters"]
    return list(filters.get("dataset", SOURCES))


def _false_alarms(rows: Manifest, scores: NDArray[np.float64], *, trained_on: Sequence[str]) -> list[Result]:
    """Count test crops above the score that 5 % of the validation crops of the known sources exceed."""
    splits, sources = np.array(rows.column("split")), np.array(rows.column("dataset"))
    people = np.array([names[0] for names in rows.column("identities")])
    threshold = np.quantile(scores[(splits == "val") & np.isin(sources, trained_on)], 1 - FALSE_ALARM_RATE)
    test = splits == "test"
    is_fake = scores[test] > threshold
    found = false_alarm_results(
        is_fake, identities=list(people[test]), sources=list(sources[test]), data="test identities"
    )
    return [each.model_copy(update={"unit": "crops"}) for each in found]


def _deepfake_results(rows: Manifest, scores: NDArray[np.float64]) -> list[Result]:
    """Compare each deepfake with its original."""
    is_fake, videos = rows.labels == Label.FAKE, rows.column("video")
    real_of = {videos[row]: row for row in np.flatnonzero(~is_fake)}
    originals = rows.column("original")
    fakes = [row for row in np.flatnonzero(is_fake) if originals[row] in real_of]
    reals = [real_of[originals[row]] for row in fakes]
    people = [rows.column("identities")[row][0] for row in reals]
    scored = PairScores(scores[reals], scores[fakes], people)
    counts = {"name": "deepfakes", "data": "test identities", "n": len(fakes), "groups": len(set(people))}
    return [
        Result(metric="auc", **bounds(mean_auc([scored])), **counts),
        Result(metric="pair order", **bounds(pair_order(scored)), **counts),
    ]


def table(files: Mapping[str, Path]) -> str:
    """Return a Markdown table of the trials that are measured: name, images, and numbers with 95 % intervals."""
    lines = [
        "| trial | images | pseudo-fakes, mean AUC | unseen kind, AUC | DFDC, AUC | DFDC, pairs in order |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, path in files.items():
        if not path.exists():
            continue
        found = {(each.name, each.metric, each.kind, each.source): each for each in read_results(path)}
        own = yaml.safe_load((path.parent / "recipe.yaml").read_text(encoding="utf-8"))["trainer"]
        numbers = [
            found.get(("pseudo-fakes", "auc", "all", "all")),
            found.get(("pseudo-fakes", "auc", name.removeprefix("without-"), "all")),
            found.get(("deepfakes", "auc", "all", "all")),
            found.get(("deepfakes", "pair order", "all", "all")),
        ]
        cells = ["" if each is None else f"{each.value:.3f} [{each.low:.3f}, {each.high:.3f}]" for each in numbers]
        lines.append(" | ".join(["| " + name, f"{own['steps'] * own['batch_size']:,}", *cells]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
