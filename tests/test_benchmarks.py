"""The benchmark runs and measures the same work on both sides; how fast either is, no test says."""

import importlib
import json
import math
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(find_spec("d2l") is None, reason="d2l is not installed")


@pytest.fixture
def run(root, monkeypatch):
    """The benchmark's own functions, without running it."""
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    return importlib.import_module("run")


@pytest.fixture(scope="module")
def report(root, tmp_path_factory):
    path = tmp_path_factory.mktemp("benchmark") / "bench.json"
    small = ("--images", "150", "--repetitions", "1", "--compile", "--json", str(path))
    command = [sys.executable, "benchmarks/run.py", "--only", "lenet,peak,corr2d,loading,import", *small]
    # What torch.compile does is torch's to test; here only the way to it.
    environment = os.environ | {"TORCH_COMPILE_DISABLE": "1", "MPLBACKEND": "agg"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert path.with_suffix(".md").read_text() in done.stdout
    return json.loads(path.read_text()), done.stdout


def test_rows(report):
    content, _ = report
    assert (content["schema"], content["version"]) == ("d2lcnn.benchmark", 1)
    assert content["settings"] == {"repetitions": 1, "images": 150, "compile": True}
    assert content["machine"]["device"] == "CPU" and content["machine"]["threads"] >= 1
    assert {"date", "code", "d2l", "torch"} <= set(content["machine"])
    # One for each precision that the training uses here.
    peaks = len({"fp32", content["rows"][0]["precision"]})
    found = [(row["benchmark"], row["unit"], row["ours"], row["theirs"]) for row in content["rows"]]
    assert found == [
        ("lenet", "images/s", "d2lcnn.fit", "d2l.Trainer"),
        ("lenet", "GFLOP/s", "d2lcnn.fit", "peak"),
        ("lenet", "images/s", "d2lcnn.fit, compiled", "d2l.Trainer"),
        ("lenet", "GFLOP/s", "d2lcnn.fit, compiled", "peak"),
        *[("peak", "GFLOP/s", "convolution", "matmul")] * peaks,
        ("corr2d", "s", "corr2d_im2col", "F.conv2d"),
        ("corr2d", "s", "corr2d_im2col", "d2l.corr2d"),
        *[("loading", "images/s", "ImageData", "d2l.FashionMNIST")] * 2,
        ("import", "s", "d2lcnn", "torch"),
        ("import", "s", "d2lcnn", "d2l.torch"),
    ]
    for row in content["rows"]:
        assert len(row["our_values"]) == len(row["their_values"]) == 1
        for value in (row["our_median"], row["their_median"], row["ratio"], *row["our_values"], *row["their_values"]):
            assert 0 < value < math.inf


def test_both_sides_do_the_same_work(report):
    rows = [row for row in report[0]["rows"] if row["benchmark"] in ("lenet", "loading")]
    assert all(row["our_images"] == row["their_images"] == 150 and row["batch_size"] == 128 for row in rows)
    lenet = [row for row in rows if row["benchmark"] == "lenet"]
    assert [row["compiled"] for row in lenet] == [False, False, True, True]
    # Two convolutions, 6 x 28 x 28 x 25 and 16 x 10 x 10 x 150, and three linear layers.
    assert {row["macs"] for row in lenet} == {117_600 + 240_000 + 48_000 + 10_080 + 840}
    # The gradient of the input of the first layer is not needed.
    speed, work = lenet[:2]
    per_image = 2 * (3 * 416_520 - 117_600) / 1e9
    assert work["our_values"] == pytest.approx([per_image * value for value in speed["our_values"]])


def test_ratio_says_how_many_times_as_fast(report):
    for row in report[0]["rows"]:
        ours, theirs = row["our_median"], row["their_median"]
        assert row["ratio"] == pytest.approx(theirs / ours if row["unit"] == "s" else ours / theirs)


def test_what_is_computed_of_the_measurements(run, monkeypatch):
    # The median of the ratios; the ratio of the medians would be 3 / 2.
    assert run.row("a row", "images/s", "a", "b", {"a": [1, 4, 3], "b": [1, 2, 6]})["ratio"] == 1
    order = []
    run.take_turns({name: lambda name=name: order.append(name) for name in "ab"}, 3)
    assert "".join(order) == "abbaab"
    monkeypatch.setattr(run, "stopwatch_many", lambda call, device: [1.0])
    peaks = {"matmul": 2 * 2048**3 / 1e9, "convolution": 2 * 16 * (256 * 26 * 5) ** 2 / 1e9}
    assert run.peaks("fp32", "cpu") == pytest.approx(peaks)


def test_table(report):
    content, printed = report
    head, _, *lines = (line for line in printed.splitlines() if line.startswith("|"))
    assert len(lines) == len(content["rows"]) and len({line.count("|") for line in [head, *lines]}) == 1
    assert lines[0].startswith("| LeNet@28, images/s | d2lcnn.fit ") and lines[0].endswith("| 2.5x |")


@pytest.mark.parametrize(
    ("measured", "left_out"),
    [("cpu", set()), ("cpu-avx2", {"corr2d", "loading", "import"}), ("gpu", {"googlenet", "import"})],
)
def test_the_books_tables_are_what_was_measured(root, run, measured, left_out):
    content = json.loads((root / "benchmarks" / f"{measured}.json").read_text())
    assert {row["benchmark"] for row in content["rows"]} == set(run.BENCHMARKS) - left_out
    assert (root / "benchmarks" / f"{measured}.md").read_text(encoding="utf-8") == run.in_words(content)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--only", "lenet,vvg"), "--only takes lenet, alexnet,"),
        (("--repetitions", "0"), "must be at least 1"),
        (("--json", "nowhere/cpu.json"), "a folder that is there"),
        (("--json", "cpu.md"), "not .md"),
    ],
)
def test_bad_arguments(run, monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    with pytest.raises(SystemExit, match="2"):
        run.arguments()
    assert message in capsys.readouterr().err
