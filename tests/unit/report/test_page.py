import json
import re
import shutil
from dataclasses import asdict
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from realface.core.errors import MissingInputError, ReportError
from realface.metrics.localisation import MeasuredCrop, summarise_localisation
from realface.metrics.summary import Estimate
from realface.report.page import write_report

HOSTILE = '<script>alert("1")</script><img src=http://example.org/x.png>'


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def of(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def write(tmp_path, *folders):
    write_report(folders, tmp_path / "report.html")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def text_of(html):
    """The text as it is read, with single spaces."""
    return " ".join(Page(html).text.split())


def test_nothing_is_asked_of_the_network(tmp_path, build_folder):
    html = write(tmp_path, build_folder(tmp_path / "mine", methods=("FaceSwap", HOSTILE)))
    page = Page(html)
    addresses = [a[key] for _, a in page.tags for key in ("src", "href", "srcset", "data", "action") if key in a]
    assert len(addresses) == 5  # three images, the colours of a map and the empty icon
    assert all(address.startswith("data:") for address in addresses)
    assert page.of("script") == []
    assert "url(" not in html
    assert "@import" not in html


@pytest.mark.parametrize("place", ["method", "folder", "note", "path"])
def test_text_from_files_is_escaped(tmp_path, build_folder, place):
    hostile = HOSTILE.replace("/", "") if place == "folder" else HOSTILE
    changes = {
        "note": {"notes": [hostile]},
        "path": {"failed": [{"path": hostile, "reason": hostile}]},
        "method": {"methods": (hostile, "FaceSwap")},
        "folder": {},
    }[place]
    folder = build_folder(tmp_path / (hostile if place == "folder" else "mine"), **changes)
    page = Page(write(tmp_path, folder, build_folder(tmp_path / "other")))
    assert page.of("script") == []
    assert all(image["src"].startswith("data:") for image in page.of("img"))
    assert hostile in page.text


def test_the_headline_has_value_interval_and_number_of_videos(tmp_path, build_folder):
    text = " ".join(Page(write(tmp_path, build_folder(tmp_path / "mine"))).text.split())
    assert re.search(r"Video AUC 0\.\d{3}|Video AUC 1\.000", text)
    assert re.search(r"95 % interval \d\.\d{3} to \d\.\d{3}", text)
    assert "measured on 18 videos, 36 frames" in text
    assert re.search(r"it classifies \d+ of 12 fake videos and \d+ of 6 real videos as fake", text)


def test_each_method_has_a_line(tmp_path, build_folder):
    text = Page(write(tmp_path, build_folder(tmp_path / "mine"))).text
    assert "By forgery method" in text
    assert all(name in text for name in ("all fakes", "FaceSwap", "SelfBlend"))


def test_one_class_shows_the_reason_in_place_of_numbers(tmp_path, build_folder):
    text = Page(write(tmp_path, build_folder(tmp_path / "mine", methods=()))).text
    assert "No ROC curve: only reals here; fakes are needed too." in text


def build_inpainting(**changes):
    """The part of a document that says how an MAE inpaints."""
    numbers = {"error": [0.01, 0.04], "grey_levels": [25.5, 51.0], "mae_minus_this": [None, -0.03]}
    mae, other = (
        {key: None if of[n] is None else asdict(Estimate(of[n], of[n], of[n], None)) for key, of in numbers.items()}
        for n in range(2)
    )
    counts = {"num_faces": 3, "num_units": 2, "drawn": "person", "num_real": 5, "num_fakes": 0}
    return {"mae": mae, "inpainting_baselines": {"harmonic": other}, **counts, **changes}


def test_inpainting_stands_beside_fillings_without_a_mae(tmp_path, build_folder):
    folder = build_folder(tmp_path / "mine", methods=(), inpainting=build_inpainting())
    text = " ".join(Page(write(tmp_path, folder)).text.split())
    assert "Inpainting of real faces" in text
    assert "3 real faces of 2 people, evenly spread over 5 faces," in text
    assert "fakes are excluded" not in text
    assert "MAE 0.01000 [0.01000, 0.01000]25.5 [25.5, 25.5] harmonic" in text  # cells have no space between them
    assert "harmonic 0.04000 [0.04000, 0.04000]51.0 [51.0, 51.0] -0.03000 [-0.03000, -0.03000]" in text


def test_inpainting_says_how_many_fakes_it_left_out_and_why_there_is_no_interval(tmp_path, build_folder):
    inpainting = build_inpainting(num_fakes=4, num_real=3)
    inpainting["mae"]["error"] = asdict(Estimate(0.01, None, None, "no interval: only 1 real person"))
    text = " ".join(Page(write(tmp_path, build_folder(tmp_path / "mine", inpainting=inpainting))).text.split())
    assert "4 fakes are excluded" in text
    assert "evenly spread" not in text
    assert "no interval: only 1 real person" in text


def test_nothing_is_said_of_inpainting_where_it_was_not_measured(tmp_path, build_folder):
    assert "Inpainting" not in Page(write(tmp_path, build_folder(tmp_path / "mine"))).text


@pytest.mark.parametrize(("purpose", "count"), [("demonstration", 1), ("research", 0), ("detection", 0)])
def test_only_a_demonstration_has_the_banner(tmp_path, build_folder, purpose, count):
    text = " ".join(Page(write(tmp_path, build_folder(tmp_path / "mine", purpose=purpose))).text.split())
    assert text.count("mean nothing about real deepfakes") == count


def test_what_was_trained_on_measured_on_and_with_is_said(tmp_path, build_folder):
    text = " ".join(Page(write(tmp_path, build_folder(tmp_path / "mine"))).text.split())
    for part in ("train.parquet, 100 rows", "t.parquet, split test: 36 of 50 rows", "mtcnn, margin 0.3", "numpy 2"):
        assert part in text
    assert "Limits of these metrics" in text


@pytest.mark.parametrize("names", [("mine",), ("mine", "other")])
def test_images_have_texts_and_headings_do_not_skip(tmp_path, build_folder, names):
    page = Page(write(tmp_path, *(build_folder(tmp_path / name) for name in names)))
    assert all(image["alt"] for image in page.of("img"))
    assert all(drawing.get("aria-label") or drawing.get("aria-hidden") for drawing in page.of("svg"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_several_are_compared_in_one_table(tmp_path, build_folder):
    folders = [build_folder(tmp_path / name, seed=seed) for seed, name in enumerate(("first", "second"))]
    text = Page(write(tmp_path, *folders)).text
    assert "Comparison of 2 evaluations" in text
    assert "used different crops" not in text


def test_a_comparison_over_different_crops_is_said(tmp_path, build_folder):
    folders = [build_folder(tmp_path / "a"), build_folder(tmp_path / "b", methods=("FaceSwap",))]
    assert "These evaluations used different crops" in Page(write(tmp_path, *folders)).text


def test_an_image_that_is_gone_is_named_and_an_older_page_stays(tmp_path, build_folder):
    folder = build_folder(tmp_path / "mine")
    (folder / "examples" / "1_face.png").unlink()
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(MissingInputError, match=r"1_face\.png"):
        write(tmp_path, folder)
    assert (tmp_path / "report.html").read_text() == "old"


@pytest.mark.parametrize("name", ["report.pdf", "report.html.gz", "report"])
def test_a_report_that_is_not_an_html_file_is_refused(tmp_path, name):
    with pytest.raises(ReportError) as caught:
        write_report([tmp_path / "missing"], tmp_path / name)
    assert caught.value.text == (
        f"cannot write {tmp_path / name}: a report is an HTML file, with a name that ends in .html or .htm"
    )
    page = (tmp_path / name).with_suffix(".html")
    assert caught.value.hint == f"pass `--out {page}`; print that page from a browser to get a PDF"
    assert list(tmp_path.iterdir()) == []


def chromium():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(chromium() is None, reason="needs chromium, which is not on this machine")
@pytest.mark.parametrize("width", [1200, 360])
def test_a_browser_opens_it_without_requests_errors_or_sideways_scrolling(tmp_path, build_folder, width):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    folders = [build_folder(tmp_path / "a", methods=("x" * 80, HOSTILE)), build_folder(tmp_path / "b")]
    write(tmp_path, *folders)
    address = (tmp_path / "report.html").as_uri()
    requests, faults = [], []
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address)
        widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        loaded = page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        browser.close()
    assert [url for url in requests if url != address and not url.startswith("data:")] == []
    assert faults == []
    assert loaded
    assert widths[0] <= widths[1]


def build_localisation(*methods):
    crops = [
        MeasuredCrop("a.png", method, f"{method} {n}", 0.75, 0.5, 0.25, 0.0512, "r.png", str(n), 0.0301)
        for method in methods
        for n in range(2)
    ]
    return summarise_localisation(crops, left_out={"mask missing": 7}, num_resamples=20).to_json()


def test_localisation_is_shown_where_it_was_measured(tmp_path, build_folder):
    text = Page(write(tmp_path, build_folder(tmp_path / "mine", localisation=build_localisation("Swap", HOSTILE)))).text
    assert "Error maps of 4 fake crops of 4 videos" in text
    for shown in ("0.750", "0.250", "0.0512 [0.0512, 0.0512]", "0.0301", "Excluded, mask missing: 7 crops"):
        assert shown in text
    section = text[text.index("Localisation of the manipulation") :]
    assert "all fakes" in section
    assert HOSTILE in section  # as text, not as tags


def test_a_single_method_is_not_shown_twice(tmp_path, build_folder):
    html = write(tmp_path, build_folder(tmp_path / "mine", localisation=build_localisation("OnlyThis")))
    assert "OnlyThis" not in html


def test_numbers_of_localisation_that_could_not_be_had_are_dashes(tmp_path, build_folder):
    nothing = summarise_localisation([], left_out={"mask missing": 1}).to_json()
    text = Page(write(tmp_path, build_folder(tmp_path / "mine", localisation=nothing))).text
    assert "Error maps of 0 fake crops of 0 videos" in text
    assert "Excluded, mask missing: 1 crop\n" in text


def test_without_masks_the_page_says_nothing_of_localisation(tmp_path, build_folder):
    assert "Localisation of the manipulation" not in write(tmp_path, build_folder(tmp_path / "mine"))


def test_the_colours_of_a_map_are_explained_with_the_values_at_their_ends(tmp_path, build_folder):
    page = Page(write(tmp_path, build_folder(tmp_path / "mine")))
    assert re.search(r"error map\s*0\s+0\.247\s+where it differs", page.text)
    assert [image["alt"] for image in page.of("img")].count("from grey to yellow") == 1


def test_without_maps_there_are_no_colours_to_explain(tmp_path, build_folder):
    folder = build_folder(tmp_path / "mine")
    index = folder / "examples" / "examples.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"maps": []}))
    page = Page(write(tmp_path, folder))
    assert "Each example shows the face as the network sees it." in page.text
    assert "from grey to yellow" not in [image["alt"] for image in page.of("img")]


def test_crops_that_name_no_video_are_called_crops(tmp_path, build_folder):
    text = text_of(write(tmp_path, build_folder(tmp_path / "run", has_videos=False)))
    assert "Crop AUC" in text
    assert "95 % interval over crops 0." in text
    assert re.search(r"it classifies \d+ of 24 fake crops and \d+ of 12 real crops as fake", text)
    assert "measured on 36 crops" in text
    assert "By crop" in text
    for word in ("Video AUC", "By video", "Frame AUC", "by video", "36 videos"):
        assert word not in text, word


def test_runs_with_and_without_video_names_are_compared_as_what_they_are(tmp_path, build_folder):
    text = text_of(write(tmp_path, build_folder(tmp_path / "a"), build_folder(tmp_path / "b", has_videos=False)))
    assert "Video or crop AUC" in text
    assert "Videos or crops real + fake" in text
    assert "ROC curves by video or crop" in text


def test_localisation_of_crops_that_name_no_video_says_so(tmp_path, build_folder):
    crops = [MeasuredCrop(f"{n}.png", "Swap", f"{n}.png", 0.8, 0.5, 0.2, 0.05, names_video=False) for n in "ab"]
    localisation = summarise_localisation(crops, left_out={}, num_resamples=20).to_json()
    text = text_of(write(tmp_path, build_folder(tmp_path / "run", localisation=localisation)))
    assert "Error maps of 2 fake crops without a video name compared with the manipulation masks" in text
