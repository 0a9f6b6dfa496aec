import json
from pathlib import Path

import numpy as np
import pytest
import torch

from realface.cli.main import run
from realface.faces.detectors.registry import default_crop_spec
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.media.images import write_image
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce
from realface.models.rffr.config import MaeConfig, RffrConfig
from realface.models.rffr.mae_network import RffrMae, load_mae_weights
from realface.models.rffr.network import Rffr

SMALLEST = MaeConfig(size="tiny", input_size=40, patch_size=8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the authors' code writes it, of a network that says 0.8808 (a logit of 2) to every face."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in Recce(RecceConfig()).state_dict().items()}
    weights = {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()} | {"fc.bias": torch.tensor([2.0])}
    path = tmp_path_factory.mktemp("released") / "recce.bin"
    torch.save({"step": 90000, "best_metric": np.float64(0.9875), "model": weights, "optimizer": {}}, path)
    return path


@pytest.fixture(scope="module")
def unknown(checkpoint: Path) -> Path:
    folder = checkpoint.parent / "unknown"
    assert run(["import", "recce", str(checkpoint), str(folder)]) == 0
    return folder


@pytest.fixture
def face(tmp_path: Path) -> str:
    write_image(tmp_path / "face.png", np.full((80, 80, 3), 100, np.uint8))
    return str(tmp_path / "face.png")


def test_it_says_what_it_made_and_how_to_use_it(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import", "recce", str(checkpoint), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "recce at 299 x 299 pixels; crops: unknown",
        "what the file says of its validation: step 90000, best_metric 0.9875",
        "how its faces were cut out is not known, so `detect` takes face crops (--crops); --crop SPEC says how",
        f"detector: {tmp_path / 'out'}",
    ]


def test_face_crops_are_judged(unknown: Path, face: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["detect", face, "--model", str(unknown), "--crops", "--device", "cpu"]) == 0
    assert capsys.readouterr().out == f"path: {face} | score: 0.8808 | verdict: fake\n"


def test_pictures_that_are_no_crops_are_refused(unknown: Path, face: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["detect", face, "--model", str(unknown), "--device", "cpu"]) == 2
    assert "was made from crops that came from elsewhere" in capsys.readouterr().err


def test_size_and_crop_are_written_down(
    checkpoint: Path, tmp_path: Path, face: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["import", "recce", str(checkpoint), str(out), "--size", "224", "--crop", "default", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"artifact": str(out), **json.loads((out / "model.json").read_text())}
    assert (printed["input_size"], printed["config"]["input_size"]) == (224, 224)
    assert printed["crop"] == default_crop_spec().model_dump(mode="json")
    assert run(["detect", face, "--model", str(out), "--device", "cpu"]) == 0
    assert "(no_face)" in capsys.readouterr().out


def test_a_bad_file_is_an_error_with_a_hint_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recce.bin").write_text("not found")
    assert run(["import", "recce", str(tmp_path / "recce.bin"), str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {tmp_path / 'recce.bin'} is damaged or not what torch.save writes")
    assert told.splitlines()[1:] == ["hint: check that it is the right file, or copy it again"]
    assert not (tmp_path / "out").exists()


def test_a_size_that_no_network_takes_is_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", "recce", str(tmp_path / "a.bin"), str(tmp_path / "out"), "--size", "32"]) == 2
    assert "--size" in capsys.readouterr().err


def released(path: Path, network: torch.nn.Module, prefix: str = "", **beside: object) -> Path:
    """A file as RFFR's authors' code writes it, of what stands in a network behind a prefix."""
    weights = {
        name.removeprefix(prefix): tensor for name, tensor in network.state_dict().items() if name.startswith(prefix)
    }
    torch.save({"epoch": 9, "state_dict": weights, **beside}, path)
    return path


@pytest.fixture(scope="module")
def mae_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = RffrMae(SMALLEST)
    return released(tmp_path_factory.mktemp("released") / "mae.pth.tar", network, "mae.", adam_dict={})


@pytest.fixture(scope="module")
def detector_file(mae_file: Path) -> Path:
    """Of a network that says 0.8808 (logits of 0 and 2) to every face."""
    with torch.random.fork_rng():
        network = Rffr(RffrConfig(mae=SMALLEST, branch="vit_tiny_patch16_224"))
    torch.nn.init.zeros_(network.classifier.weight)
    network.classifier.bias.data = torch.tensor([0.0, 2.0])
    both = torch.nn.ModuleDict({name: getattr(network, name) for name in ("backbone_1", "backbone_2", "classifier")})
    return released(mae_file.parent / "detector.pth.tar", both, aucs=[0.9, 0.8], best_aucs=[0.95])


@pytest.fixture
def reals(tmp_path: Path) -> Path:
    """Thirty real faces, a fake, and a real one of the test split."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(32):
        write_image(tmp_path / "crops" / f"{number}.png", rng.integers(0, 255, (40, 40, 3), np.uint8))
        split = "test" if number == 31 else "val"
        rows.append({"path": f"crops/{number}.png", "label": int(number == 30), "split": split, "video": f"v{number}"})
    header = ManifestHeader(crop=default_crop_spec())
    Manifest.from_rows(rows, root=tmp_path, header=header).write(tmp_path / "faces.parquet")
    return tmp_path / "faces.parquet"


def test_rffr_is_made_of_mae_and_detector_and_judges_faces(
    mae_file: Path, detector_file: Path, tmp_path: Path, face: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["import", "rffr", "--mae", str(mae_file), "--detector", str(detector_file), str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "rffr at 40 x 40 pixels; crops: unknown",
        "what the file says of its validation: epoch 9, aucs [0.9, 0.8], best_aucs [0.95]",
        "how its faces were cut out is not known, so `detect` takes face crops (--crops); --crop SPEC says how",
        f"detector: {out}",
    ]
    assert run(["detect", face, "--model", str(out), "--crops", "--device", "cpu"]) == 0
    assert capsys.readouterr().out == f"path: {face} | score: 0.8808 | verdict: fake\n"


def test_an_mae_alone_is_said_to_inpaint_and_to_judge_nothing(
    mae_file: Path, tmp_path: Path, face: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["import", "rffr", "--mae", str(mae_file), str(out), "--pixels", "imagenet"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "rffr-mae at 40 x 40 pixels; crops: unknown",
        "what the file says of its validation: epoch 9",
        "it inpaints (`realface inpaint`, `realface residuals`, a recipe's `mae`)",
        "it gives no verdicts: it was not fitted on real faces, which --reals MANIFEST does",
        f"mae: {out}",
    ]
    assert json.loads((out / "model.json").read_text())["config"]["pixel_mean"] == [0.485, 0.456, 0.406]
    assert run(["detect", face, "--model", str(out), "--crops", "--device", "cpu"]) == 2
    assert "import it with --reals MANIFEST" in capsys.readouterr().err


def test_an_mae_of_normalised_pixels_is_a_start_of_trainings_alone(
    mae_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["import", "rffr", "--mae", str(mae_file), str(out), "--norm-pix"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "it can neither inpaint nor give verdicts: it was trained with per-patch normalised targets",
        f"a training of an MAE may start from it: encoder_weights: {out / 'model.safetensors'}",
        f"mae: {out}",
    ]
    load_mae_weights(RffrMae(SMALLEST), out / "model.safetensors")


def test_real_faces_make_a_detector_of_a_mae(
    mae_file: Path, reals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    given = ["--mae", str(mae_file), "--reals", str(reals), "--faces", "20", "--device", "cpu", str(out)]
    assert run(["import", "rffr", *given]) == 0
    card = json.loads((out / "model.json").read_text())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"rffr-mae at 40 x 40 pixels; crops: {default_crop_spec().describe()}"
    assert lines[2:] == [
        f"its score is fitted on 20 real faces of {reals}; left out: fakes 1, faces of the test split 1, "
        "more than needed 10",
        f"fake from {card['threshold']:.4f} up: false_positive_rate (at most 0.05 of real videos called fake: "
        f"1 of 20 videos of {reals.parent.name}/faces.parquet, all real)",
        f"detector: {out}",
    ]
    crop = str(tmp_path / "crops" / "0.png")
    assert run(["detect", crop, "--model", str(out), "--crops", "--device", "cpu"]) == 0
    assert capsys.readouterr().out.startswith(f"path: {crop} | anomaly score: 0.")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--faces", "30"], "give --reals MANIFEST too"),
        (["--reals", "m.parquet", "--detector", "d.pth"], "--detector has its own hint: give one of them"),
        (["--reals", "m.parquet", "--norm-pix"], "the MAE cannot inpaint, so --reals can give it no score"),
        (["--reals", "m.parquet", "--crop", "default"], "leave --crop out"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    tmp_path: Path, given: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import", "rffr", "--mae", "mae.pth", *given, str(tmp_path / "out")]) == 2
    assert told in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_what_is_written_already_is_refused_before_an_mae_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert run(["import", "rffr", "--mae", str(tmp_path / "gone.pth"), str(tmp_path)]) == 2
    assert "exists and is not empty" in capsys.readouterr().err


def test_rffr_as_json_is_the_card(mae_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(["import", "rffr", "--mae", str(mae_file), str(out), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"artifact": str(out), **json.loads((out / "model.json").read_text())}
