"""Training on pairs of a real face and a pseudo-fake."""

import csv
import json
from dataclasses import replace
from itertools import islice
from types import MappingProxyType

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from realface.core.crop_spec import CropSpec
from realface.core.errors import MediaError, MetricError, RecipeError, TrainingError
from realface.core.recipe import check_recipe
from realface.data.crop_store import crop_keys
from realface.data.landmark_store import FILE_NAME, read_landmarks
from realface.data.pairs import PairDataset
from realface.data.real_faces import face_rows
from realface.data.resynthesis_store import RenderedFace, ResynthesisHeader, write_store
from realface.data.source_stream import SourceStream
from realface.evaluation.landmarks import store_landmarks
from realface.evaluation.scoring import Reading
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.media.images import write_image
from realface.models.artifact import load_network, read_card
from realface.models.baseline.config import BaselineConfig
from realface.models.baseline.network import Baseline
from realface.models.catalog import get_method
from realface.training.data import load_data
from realface.training.pair_batches import MASK_INPUT, PairSampler, join_pairs
from realface.training.pair_faces import compute_landmarks
from realface.training.pair_validation import PAIRS_NAME, PairValidation
from realface.training.recipe import PairsSection, recipe_schema
from realface.training.run import train
from realface.training.state import running_average

SIZE = 64
READING = Reading(input_size=SIZE, device=torch.device("cpu"), batch_size=8)
SHARES = {"self_blend": 3, "swap": 1}


def variants(astronaut, hopper):
    """(identity, split, image) of six faces that are made from two portraits."""
    for number, image in enumerate((astronaut[0], hopper[0])):
        yield f"person{number}", "train", image
        yield f"mirrored{number}", "train", np.ascontiguousarray(image[:, ::-1])
        yield f"darker{number}", "val", (image * 0.7).astype(np.uint8)


@pytest.fixture(scope="session")
def faces(tmp_path_factory, astronaut, hopper):
    """The manifest of six crops with their landmarks, and one fake."""
    root = tmp_path_factory.mktemp("pairs")
    rows = []
    for name, split, image in variants(astronaut, hopper):
        write_image(root / f"{name}.png", image)
        rows.append({"path": f"{name}.png", "label": 0, "split": split, "video": name, "identities": [name]})
    write_image(root / "fake.png", hopper[0][::-1].copy())
    rows.append({"path": "fake.png", "label": 1, "split": "train", "video": "fake", "identities": ["fake"]})
    manifest = Manifest.from_rows(rows, root=root, header=ManifestHeader(crop=CropSpec(size=160)))
    manifest.write(root / "manifest.parquet")
    store_landmarks(manifest, root / FILE_NAME, quiet=True)
    return root / "manifest.parquet"


@pytest.fixture(scope="session")
def recipe(faces):
    """Settings by section -> a recipe of four steps on pairs of the built faces."""

    def make(*, pseudo_fakes=MappingProxyType({}), trainer=None, method=None, data=None, **others):
        settings = {"kinds": SHARES, "held_out": ["mouth"], "validation_pairs": 4}
        document = {
            "method": {"name": "baseline", "encoder": "light_xception", "input_size": SIZE, "mask_head": True}
            | (method or {}),
            "data": {"manifests": [faces], "workers": 0} | (data or {}),
            "optim": {"name": "adamw", "lr": 1e-3},
            "trainer": {"steps": 4, "batch_size": 4, "device": "cpu", "validate_every": 2, "log_every": 2}
            | {"average_decay": 0.9}
            | (trainer or {}),
            "pseudo_fakes": None if pseudo_fakes is None else settings | dict(pseudo_fakes),
        }
        return check_recipe(recipe_schema(), document | others, where="recipe")

    return make


@pytest.fixture(scope="session")
def finished(tmp_path_factory, recipe):
    """A finished run on pairs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the tests, for bitwise equality
    run = tmp_path_factory.mktemp("finished") / "run"
    assert train(recipe(), run, quiet=True).metric == "pair_auc"
    torch.set_num_threads(before)
    return run


def weights(run):
    return load_network(run / "artifact").state_dict()


def section(**settings):
    return PairsSection(**{"kinds": SHARES, "held_out": ["mouth"], "validation_pairs": 3} | settings)


@pytest.fixture
def real_faces(faces):
    reals = Manifest.read(faces).filter(label=0)
    return face_rows(reals, read_landmarks(faces.parent / FILE_NAME))


def test_a_run_on_pairs_leaves_a_detector_that_says_what_it_learned(finished):
    card = read_card(finished / "artifact")
    named = card.trained_on[-1]
    assert (named["role"], named["held_out"]) == ("pseudo-fakes", ["mouth"])
    assert "no real fakes were used" in named["name"]
    assert named["shares"] == {"self_blend": 0.75, "swap": 0.25}
    assert card.trained_on[0]["rows"] == 4
    assert "at most 0.05 of real videos called fake" in card.threshold_rule
    assert set(card.metrics["pairs"]) >= {"pair_auc", "pair_order", "seen_auc", "held_out_auc", "auc_mouth"}
    provenance = json.loads((finished / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["fakes_left_out"] == {"train": 1, "val": 0}
    assert provenance["pseudo_fakes"]["held_out"] == ["mouth"]


def test_fakes_in_the_manifest_are_left_out_and_counted(recipe, capsys):
    rows = load_data(recipe().data, get_method("baseline"), on_pairs=True)
    assert not rows.train.labels.any()
    assert "1 of 5 rows are fakes and are left out: a run with pseudo_fakes learns" in capsys.readouterr().err


def test_a_run_on_pairs_logs_losses_and_the_auc_of_each_kind(finished):
    with (finished / "log.csv").open(encoding="utf-8") as file:
        last = list(csv.DictReader(file))[-1]
    assert {"classification", "ranking", "mask"} <= set(last)
    aucs = [float(last[f"val_auc_{kind}"]) for kind in ("self_blend", "swap", "mouth")]
    assert float(last["val_pair_auc"]) == pytest.approx(np.mean(aucs), abs=1e-6)
    assert float(last["val_seen_auc"]) == pytest.approx(np.mean(aucs[:2]), abs=1e-6)
    assert float(last["val_held_out_auc"]) == pytest.approx(aucs[2], abs=1e-6)
    pairs = pq.read_table(finished / PAIRS_NAME).to_pydict()
    assert pairs["kind"] == ["self_blend"] * 4 + ["swap"] * 4 + ["mouth"] * 4
    assert set(pairs["identity"]) == {"/darker0", "/darker1"}


def test_a_resumed_run_on_pairs_gives_the_same_weights(tmp_path, recipe, finished):
    train(recipe(trainer={"steps": 2}), tmp_path / "parts", quiet=True)
    train(recipe(data={"workers": 1}), tmp_path / "parts", resume=True, quiet=True)
    whole, parts = weights(finished), weights(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_landmarks_are_computed_if_the_manifest_has_none(tmp_path, recipe, faces, finished):
    Manifest.read(faces).write(tmp_path / "manifest.parquet")
    made = recipe(data={"manifests": [tmp_path / "manifest.parquet"]})
    run = tmp_path / "run"
    run.mkdir()
    compute_landmarks(load_data(made.data, get_method("baseline"), on_pairs=True), made, run, quiet=True)
    assert (run / FILE_NAME).read_bytes() == (finished / FILE_NAME).read_bytes()


def test_recce_trains_on_pairs_with_all_its_losses(tmp_path, recipe):
    train(recipe(method={"name": "recce"}, trainer={"steps": 2}), tmp_path / "run", quiet=True)
    header = (tmp_path / "run" / "log.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert {"classification", "reconstruction", "metric", "ranking", "mask"} <= set(header)


def test_each_real_face_is_followed_by_its_fake(real_faces):
    pairs = PairDataset(real_faces.real_faces, section(degradations=None), input_size=SIZE, seed=0)
    items = [pairs[0], pairs[2]]
    batch = join_pairs(items)
    assert batch.label.tolist() == [0, 1, 0, 1]
    expected = [item[name] for item in items for name in ("real", "fake")]
    assert torch.equal(batch.image, torch.stack(expected))
    masks = batch.inputs[MASK_INPUT]
    assert masks.shape == (4, 1, SIZE, SIZE)
    assert not masks[0::2].any()
    assert torch.equal(masks[1], items[0]["mask"])


def test_processes_share_the_pairs_that_one_would_draw(real_faces):
    stream = SourceStream(real_faces.sources, real_faces.identities, balance=0.3, seed=0)
    alone = list(PairSampler(stream, num_pairs=4, num_batches=3))
    parts = [list(PairSampler(stream, num_pairs=2, num_batches=3, rank=rank, world_size=2)) for rank in (0, 1)]
    assert [first + second for first, second in zip(*parts, strict=True)] == alone
    assert list(PairSampler(stream, num_pairs=4, num_batches=3, first_batch=2)) == alone[2:]


def test_validation_pairs_depend_on_the_faces_only(real_faces):
    validation = PairValidation(real_faces, section(), SIZE)
    torch.manual_seed(0)
    network = Baseline(BaselineConfig(encoder="light_xception", input_size=SIZE)).eval()
    one = validation.score(network, READING)
    other = validation.score(network, replace(READING, workers=1))
    assert one.shape == (9, 2)
    assert np.array_equal(one, other)
    kinds = [kind for kind, _ in validation.draws()]
    assert kinds == ["self_blend"] * 3 + ["swap"] * 3 + ["mouth"] * 3
    assert len({draw for _, draw in islice(validation.draws(), 3)}) == 3


def test_pair_metrics_are_those_worked_out_by_hand(real_faces):
    validation = PairValidation(real_faces, section(validation_pairs=2), SIZE)
    logits = np.array([[0, 1], [2, 3], [0, 1], [1, 0], [1, 1], [0, 2]], dtype=float)
    metrics = validation.metrics(logits)
    assert metrics["auc_self_blend"] == pytest.approx(3 / 4)
    assert metrics["auc_swap"] == pytest.approx(2 / 4)
    assert metrics["auc_mouth"] == pytest.approx(3.5 / 4)
    assert metrics["pair_auc"] == pytest.approx(8.5 / 12)
    assert metrics["seen_auc"] == pytest.approx(5 / 8)
    assert metrics["held_out_auc"] == pytest.approx(3.5 / 4)
    assert metrics["pair_order"] == pytest.approx(4.5 / 6)


def test_a_warmed_up_mean_keeps_less_of_the_first_weights():
    network = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(0)
        means = {warm: running_average(network, decay=0.9, has_warmup=warm) for warm in (False, True)}
        network.weight.fill_(1)
        for mean in means.values():
            mean.update_parameters(network)
    assert means[False].module.weight.item() == pytest.approx(0.1)
    assert means[True].module.weight.item() == pytest.approx(1 - 2 / 11)


REFUSED = {
    "mask head without pairs": ({"pseudo_fakes": None}, "method.mask_head: only pairs say where"),
    "half a pair": ({"trainer": {"batch_size": 5}}, "trainer.batch_size: 5 images are not a whole number of pairs"),
    "degradations twice": (
        {"data": {"train": {"degradations": {}}}},
        "data.train.degradations: both images of a pair need one draw",
    ),
    "stored images": ({"pseudo_fakes": {"held_out": ["resynthesis"]}}, "pseudo_fakes: resynthesis needs faces that a"),
    "another metric": (
        {"selection": {"metric": "video_auc"}},
        "selection.metric: a run with pseudo_fakes has no video_auc; leave selection.metric out, or set it to pair_auc",
    ),
    "a metric of nothing": (
        {"pseudo_fakes": {"held_out": []}, "selection": {"metric": "held_out_auc"}},
        "a run with pseudo_fakes has no held_out_auc",
    ),
    "pairs of the manifest": (
        {"data": {"train": {"sampling": "paired"}}},
        "data.train.sampling: paired puts fakes beside reals, and a run with pseudo_fakes learns from real faces",
    ),
    "one validation face": (
        {"data": {"val": {"filters": {"video": "darker0"}}}},
        "data.val: 1 real faces have landmarks, but pairs need at least 2",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_settings_that_pairs_cannot_work_with_are_refused(tmp_path, recipe, case):
    changes, text = REFUSED[case]
    with pytest.raises(TrainingError, match=text):
        train(recipe(**changes), tmp_path / "run", quiet=True)


def test_a_method_that_cannot_train_on_pairs_is_refused(tmp_path, make_recipe, faces):
    with pytest.raises(TrainingError, match="pseudo_fakes: tiny cannot train on pairs; remove pseudo_fakes"):
        train(make_recipe(data={"manifests": [faces]}, pseudo_fakes={}), tmp_path / "run", quiet=True)


def test_kinds_with_partners_need_two_identities(tmp_path, recipe, faces):
    manifest = Manifest.read(faces)
    identities = [["me" if name.startswith("darker") else name] for name in manifest.column("video")]
    one = manifest.with_column("identities", identities)
    one.write(faces.parent / "one.parquet")
    with pytest.raises(TrainingError, match=r"data\.val: all faces are of one identity, but swap needs two"):
        train(recipe(data={"manifests": [faces.parent / "one.parquet"]}), tmp_path / "run", quiet=True)


def rendered_store(faces, folder, *, without=()):
    """A store of grey faces for all reals but those of some videos."""
    reals = Manifest.read(faces).filter(label=0)
    face = RenderedFace(np.full((16, 16, 3), 128, np.uint8), np.eye(2, 3) / 10, "dense-9")
    named = zip(reals.column("video"), crop_keys(reals), strict=True)
    header = ResynthesisHeader(network="autoencoder", side=16, weights="ef" * 32, settings={"steps": 9})
    write_store(folder, header, [(key, face) for video, key in named if video not in without])
    return folder


def test_a_run_reads_rendered_faces_and_its_artifact_names_the_network(tmp_path, recipe, faces, capsys):
    store = rendered_store(faces, tmp_path / "store", without=["darker0"])
    settings = {"kinds": {"resynthesis": 1}, "resynthesis": store}
    train(recipe(pseudo_fakes=settings), tmp_path / "run", quiet=True)
    card = read_card(tmp_path / "run" / "artifact")
    assert [part["role"] for part in card.trained_on[-2:]] == ["re-synthesis", "pseudo-fakes"]
    assert (card.trained_on[-2]["sha256"], card.trained_on[-2]["steps"]) == ("ef" * 32, 9)
    assert "auc_resynthesis" in card.metrics["pairs"]
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["pseudo_fakes"]["resynthesis"] == card.trained_on[-2]
    printed = " ".join(capsys.readouterr().err.split())
    assert "data.val: 1 of 2 faces are missing in" in printed
    assert "self-blends replace their re-syntheses" in printed
    assert "of 4 faces are missing" not in printed


@pytest.mark.parametrize(("split", "own"), [("train", ["person", "mirrored"]), ("val", ["darker"])])
def test_a_store_of_other_faces_is_refused(tmp_path, recipe, faces, split, own):
    store = rendered_store(faces, tmp_path / "store", without=[f"{name}{number}" for name in own for number in (0, 1)])
    settings = {"kinds": {"resynthesis": 1}, "resynthesis": store}
    text = rf"pseudo_fakes\.resynthesis: .*store contains none of the \d faces of data\.{split}; run `realface resynth"
    with pytest.raises(TrainingError, match=text):
        train(recipe(pseudo_fakes=settings), tmp_path / "run", quiet=True)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"held_out": ["puppet"]}, "unknown kinds puppet; allowed are self_blend"),
        ({"kinds": {"swap": 1}, "held_out": ["swap"]}, "every kind is in `held_out`"),
    ],
)
def test_faults_of_the_section_are_explained(settings, text):
    with pytest.raises(RecipeError, match=text):
        check_recipe(PairsSection, settings, where="recipe")


def test_held_out_kinds_are_not_trained_on():
    chosen = PairsSection(kinds={"self_blend": 2, "swap": 1, "mouth": 1}, held_out=["mouth", "parts"])
    assert chosen.training_shares == pytest.approx({"self_blend": 2 / 3, "swap": 1 / 3}, abs=1e-4)
    assert chosen.all_kinds == ["self_blend", "swap", "mouth", "parts"]


def test_an_unreadable_crop_ends_a_run_on_pairs_with_its_name(tmp_path, recipe, faces):
    manifest = Manifest.read(faces)
    manifest = manifest.with_column("sha256", crop_keys(manifest))
    for path in manifest.column("path"):
        (tmp_path / path).write_bytes((faces.parent / path).read_bytes())
    Manifest(manifest.columns, manifest.header, tmp_path).write(tmp_path / "manifest.parquet")
    settings = {"data": {"manifests": [tmp_path / "manifest.parquet"]}}
    train(recipe(trainer={"steps": 2}, **settings), tmp_path / "run", quiet=True)
    for path in manifest.filter(split="train").column("path"):
        (tmp_path / path).write_bytes(b"nothing")
    with pytest.raises(TrainingError, match=r"\.png.*; replace the file and continue with --resume"):
        train(recipe(**settings), tmp_path / "run", resume=True, quiet=True)


def test_an_unreadable_crop_of_a_validation_pair_is_named(real_faces):
    def unreadable(face):
        raise MediaError("crop.png is no image", reason="not a picture")

    broken = replace(real_faces, real_faces=replace(real_faces.real_faces, image=unreadable))
    network = Baseline(BaselineConfig(encoder="light_xception", input_size=SIZE))
    with pytest.raises(MediaError, match=r"crop\.png is no image"):
        PairValidation(broken, section(), SIZE).score(network, READING)


def test_scores_of_pairs_that_are_no_numbers_are_refused(real_faces):
    network = Baseline(BaselineConfig(encoder="light_xception", input_size=SIZE))
    with torch.no_grad():
        network.encoder.fc.bias.fill_(float("nan"))
    with pytest.raises(MetricError, match="18 of 18 scores of pairs are not finite"):
        PairValidation(real_faces, section(), SIZE).score(network, READING)


@pytest.mark.long
def test_a_short_training_beats_chance_on_held_out_pairs(tmp_path, recipe):
    kinds = {"kinds": {"self_blend": 1, "smooth_resample": 1}, "held_out": ["smooth_denoise"], "degradations": None}
    settings = {"steps": 150, "batch_size": 16, "validate_every": 50, "average_decay": 0.95, "average_warmup": True}
    train(recipe(pseudo_fakes=kinds | {"validation_pairs": 40}, trainer=settings), tmp_path / "run", quiet=True)
    found = read_card(tmp_path / "run" / "artifact").metrics["pairs"]
    assert found["pair_auc"] > 0.6
    assert found["pair_order"] > 0.6


@pytest.fixture(scope="session")
def faces_with_fakes(tmp_path_factory, faces):
    """The manifest of the six crops and of a fake of one training and one validation face."""
    rows, root = Manifest.read(faces).filter(label=0), tmp_path_factory.mktemp("fakes")
    fakes = []
    for original, split in (("person0", "train"), ("darker1", "val")):
        write_image(root / f"{original}.png", np.full((160, 160, 3), 90, np.uint8))
        fakes.append(
            {
                "path": f"{original}.png",
                "label": 1,
                "split": split,
                "video": f"fake of {original}",
                "original": original,
            }
        )
    made = Manifest.from_rows(fakes, root=root, header=rows.header)
    manifest = Manifest.concatenate([rows, made])
    manifest.write(root / "manifest.parquet")
    store_landmarks(manifest, root / FILE_NAME, quiet=True)
    return root / "manifest.parquet"


def test_a_run_uses_real_fakes_beside_their_originals(recipe, faces_with_fakes, tmp_path):
    run = tmp_path / "run"
    settings = {"pseudo_fakes": {"real_fakes": 0.5}, "data": {"manifests": [faces_with_fakes]}}
    train(recipe(**settings), run, quiet=True)
    (_, named) = read_card(run / "artifact").trained_on
    assert named["real_fakes"] == 0.5
    assert named["name"] == "made from the real faces of this run; real fakes were used too"
    table = pq.read_table(run / PAIRS_NAME).to_pydict()
    assert list(dict.fromkeys(table["kind"])) == ["real_fake", *SHARES, "mouth"]
    assert {who for kind, who in zip(table["kind"], table["identity"], strict=True) if kind == "real_fake"} == {
        "/darker1"
    }
    with (run / "log.csv").open() as file:
        assert "val_auc_real_fake" in next(csv.reader(file))


def test_a_run_on_real_fakes_is_validated_on_them_and_on_held_out_kinds(recipe, faces_with_fakes, tmp_path):
    run = tmp_path / "run"
    settings = {"pseudo_fakes": {"real_fakes": 1}, "data": {"manifests": [faces_with_fakes]}}
    train(recipe(**settings), run, quiet=True)
    assert set(pq.read_table(run / PAIRS_NAME).to_pydict()["kind"]) == {"real_fake", "mouth"}


def test_real_fakes_without_originals_are_refused(recipe, tmp_path):
    with pytest.raises(
        TrainingError, match=r"data.train: no fake names the video of a real face in the column `original`"
    ):
        train(recipe(pseudo_fakes={"real_fakes": 0.5}), tmp_path / "run", quiet=True)
