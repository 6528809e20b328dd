"""Studies: what they compare, how their runs are made and kept, and what is read from them."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from conftest import ROOT, run
from torch import nn

from d2lcnn import nets, records, studies
from d2lcnn.data import FashionMNIST
from d2lcnn.studies import Protocol, Results, Study, Variant, runs
from d2lcnn.studies._inceptions import inceptions
from d2lcnn.tracing import trace


def tiny(units):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, units), nn.ReLU(), nn.Linear(units, 10))


SHORT = Protocol(input_size=28, epochs=1, lr=0.01, examples=256, precision="fp32")
TINY = Study(
    "tiny", "Do four units do more than two?", {f"units_{n}": Variant(tiny, SHORT, {"units": n}) for n in (2, 4)}, 1
)


@pytest.fixture(scope="module")
def data():
    return FashionMNIST()


def told(record):
    """What a run says, without what another run of it must differ in."""
    return {
        key: record[key] for key in ("variant", "seed", "recipe", "test_accuracy", "test_loss", "right", "measures")
    }


# What is compared


@pytest.mark.parametrize("name", studies.NAMES)
def test_a_study_asks_one_question_of_networks_that_can_be_built(name):
    study = studies.find(name)
    assert study.name == name and study.question.endswith("?") and len(study.variants) >= 2
    assert study.minutes <= 40
    protocols = [variant.protocol for variant in study.variants.values()]
    assert all(Protocol(**vars(protocol)) == protocol for protocol in protocols)
    recipes = [(variant.build.__name__, *map(str, variant.recipe.items())) for variant in study.variants.values()]
    assert len(set(recipes)) == len(recipes)
    for key, variant in study.variants.items():
        assert re.fullmatch("[a-z0-9_]+", key)
        shape = (2, 1, variant.protocol.input_size, variant.protocol.input_size)
        assert variant.build(**variant.settings)(torch.zeros(shape)).shape == (2, 10)


def costs(name):
    built = {key: v.build(**v.settings) for key, v in studies.find(name).variants.items()}
    return {key: trace(net, (1, 1, 28, 28)) for key, net in built.items()}


def test_what_is_said_to_be_equal_is():
    found = costs("convolution")
    assert found["fc_same_parameters"].parameters == pytest.approx(found["conv"].parameters, rel=0.01)
    assert found["fc_same_work"].macs == pytest.approx(found["conv"].macs, rel=0.01)
    found = costs("nin_block")
    assert found["without_1x1_same_parameters"].parameters == pytest.approx(found["nin"].parameters, rel=0.01)
    for name in ("inception", "five_equal"):
        macs = [one.macs for one in costs(name).values()]
        assert max(macs) < 1.03 * min(macs), name


def test_the_studies_of_the_book_take_the_books_networks():
    book = {name: nets.network(name, "mini") for name in nets.NETWORKS}

    def shapes(net):
        return sorted(tuple(weight.shape) for weight in net.parameters())

    for name, variant in studies.find("five").variants.items():
        assert shapes(variant.build(**variant.settings)) == shapes(book[name])
    assert shapes(inceptions()) == shapes(book["googlenet"])
    nin = studies.find("nin_block").variants["nin"]
    assert shapes(nin.build(**nin.settings)) == shapes(book["nin"])
    lenet = studies.find("lenet_parts").variants["sigmoid_average"]
    assert shapes(lenet.build(**lenet.settings)) == shapes(book["lenet"])


def test_inceptions_compute_what_googlenet_does():
    ours, theirs = inceptions(), nets.network("googlenet", "mini")
    by_shape = {}
    for ours_too in (False, True):
        for weight in (ours if ours_too else theirs).parameters():
            by_shape.setdefault(tuple(weight.shape), ([], []))[ours_too].append(weight)
    with torch.no_grad():
        for there, here in by_shape.values():
            for a, b in zip(there, here, strict=True):
                b.copy_(a)
    X = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(ours(X), theirs(X))


def test_unknown_names_get_the_nearest():
    with pytest.raises(ValueError, match=r"study must be one of convolution, .* got 'shifts'; did you mean 'shift'\?"):
        studies.find("shifts")


# The pictures


def test_all_pictures_are_all_pictures(data):
    X, y = Protocol(input_size=28, epochs=1, lr=0.1).prepare(data, seed=3).split("train")
    assert torch.equal(X, data.split("train")[0]) and torch.equal(y, data.split("train")[1])


def test_few_pictures_are_as_many_of_each_class(data):
    few = replace(SHORT, examples=203)
    first, again, other = (few.prepare(data, seed) for seed in (0, 0, 1))
    images, labels = first.split("train")
    assert len(images) == 203 and set(labels.bincount(minlength=10).tolist()) == {20, 21}
    assert torch.equal(images, again.split("train")[0]) and not torch.equal(images, other.split("train")[0])
    assert len({bytes(image.flatten().tolist()) for image in images}) > 200
    for split in ("validation", "test"):
        assert torch.equal(first.split(split)[0], data.split(split)[0])
    assert (first.mean, first.std) == (data.mean, data.std)


def test_scrambled_pictures_have_their_pixels_in_one_other_order(data):
    scrambled = replace(SHORT, scrambled=True)
    one, two = (scrambled.prepare(data, seed).split("test")[0].flatten(1) for seed in (0, 1))
    assert torch.equal(one, two)
    plain = data.split("test")[0].flatten(1)
    assert not torch.equal(one, plain)
    assert torch.equal(one.sort(1).values, plain.sort(1).values)
    # The same order for all: where one picture's pixels went, another's went, too.
    order = torch.randperm(784, generator=torch.Generator().manual_seed(0))
    assert torch.equal(one, plain[:, order])


def test_pictures_are_changed_as_the_protocol_says():
    assert SHORT.augment is None
    assert replace(SHORT, shift=2).augment == {"flip": False, "shift": 2}
    assert replace(SHORT, flip=True).augment == {"flip": True, "shift": 0}


# The runs


def test_a_run_is_recorded_with_all_that_it_takes_to_repeat_it(tmp_path, data):
    (first, second) = runs.train_missing(TINY, [5], tmp_path)
    for record in (first, second):
        records.check(record)
        assert record["study"] == "tiny" and record["network"] == "tiny" and record["seed"] == 5
        assert record["recipe"]["examples"] == 256 and record["recipe"]["units"] in (2, 4)
        assert records.right(record).mean() == pytest.approx(record["test_accuracy"])
        assert record["measures"] == {
            "parameters": 784 * (n := record["recipe"]["units"]) + n + 10 * n + 10,
            "macs": 794 * n,
        }
    net, record = runs.train(TINY, "units_4", 5, progress=False)
    assert told(record) == told(second)
    right, loss = runs.answers(net, data.test(batch_size=700))
    assert records.right(record).tolist() == right.tolist() and loss == pytest.approx(record["test_loss"], rel=1e-5)


def test_variants_share_the_seeds_pictures(monkeypatch):
    seen = []
    monkeypatch.setattr(runs, "fit", lambda net, batches, *_, **options: seen.append(next(iter(batches))) or 1 / 0)
    for name, seed in (("units_2", 0), ("units_4", 0), ("units_2", 1)):
        with pytest.raises(ZeroDivisionError):
            runs.train(TINY, name, seed)
    (a, _), (b, _), (c, _) = seen
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_what_is_recorded_is_not_trained_again(tmp_path):
    assert runs.missing(TINY, [0, 1], tmp_path) == [("units_2", 0), ("units_4", 0), ("units_2", 1), ("units_4", 1)]
    stopped = runs.train_missing(TINY, [0, 1], tmp_path)
    next(stopped)
    stopped.close()
    assert len(runs.missing(TINY, [0, 1], tmp_path)) == 3
    rest = list(runs.train_missing(TINY, [0, 1], tmp_path))
    assert [(r["variant"], r["seed"]) for r in rest] == [("units_4", 0), ("units_2", 1), ("units_4", 1)]
    assert list(runs.train_missing(TINY, [0, 1], tmp_path)) == []
    # A variant that has become another one is not recorded.
    other = replace(
        TINY, variants=TINY.variants | {"units_4": replace(TINY.variants["units_4"], settings={"units": 5})}
    )
    assert runs.missing(other, [0, 1], tmp_path) == [("units_4", 0), ("units_4", 1)]


def test_runs_side_by_side_are_the_same_runs(tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = [told(r) for r in runs.train_missing(TINY, [0, 1], tmp_path / "alone")]
        torch.set_num_threads(2)
        both = [told(r) for r in runs.train_missing(TINY, [0, 1], tmp_path / "both", jobs=2)]
    finally:
        torch.set_num_threads(threads)
    assert sorted(map(str, alone)) == sorted(map(str, both))


KILLED = """
import sys
from pathlib import Path
import test_studies as t
for record in t.runs.train_missing(t.TINY, range(4), Path(sys.argv[1]), jobs=int(sys.argv[2])):
    print(record["variant"], flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_and_started_again_gives_the_same_records(tmp_path, jobs):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(jobs)]
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
    process.stdout.readline()
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = len(runs.missing(TINY, range(4), tmp_path / "killed"))
    assert 0 < before < 8
    subprocess.run(command, env=env, check=True, capture_output=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        expected = [told(r) for r in runs.train_missing(TINY, range(4), tmp_path / "unbroken")]
    finally:
        torch.set_num_threads(threads)
    found = [told(r) for r in records.read(tmp_path / "killed" / "tiny")]
    assert sorted(map(str, found)) == sorted(map(str, expected))


# What is read from them


def made(tmp_path, accuracies, precision="fp32", **measures):
    """Records of TINY with these accuracies, by variant and seed."""
    (tmp_path / "tiny").mkdir(exist_ok=True)
    for name, values in accuracies.items():
        for seed, accuracy in values.items():
            row = {"epoch": 1, "loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": accuracy}
            row |= {"load_seconds": 1, "compute_seconds": 1, "images_per_second": 1}
            records.write(
                {
                    "schema_version": 2,
                    "study": "tiny",
                    "network": "tiny",
                    "variant": name,
                    "input_size": 28,
                    "recipe": TINY.variants[name].recipe | {"precision": precision},
                    "seed": seed,
                    "curve": [row],
                    "test_accuracy": accuracy,
                    "test_loss": 0.5,
                    "right": None,
                    "measures": {"parameters": 7, "macs": 8} | {k: v[seed] for k, v in measures.items()},
                    "seconds": {"load": 1, "compute": 1},
                    "images_per_second": 1,
                    "peak_memory": None,
                    "hardware": {"device": "cpu", "cpu": "A", "gpu": None, "cores": 1, "threads": 1, "processes": 1},
                    "versions": {"python": "3", "torch": "2", "d2lcnn": "0"},
                    "data": {"a": "0" * 64},
                    "code_revision": None,
                    "date": "2026-01-31T12:00:00+00:00",
                },
                tmp_path / "tiny",
            )


def test_results_are_paired_by_seed(tmp_path):
    made(tmp_path, {"units_2": {2: 0.5, 0: 0.25, 7: 0.9}, "units_4": {0: 0.5, 1: 0.1, 2: 1.0}}, by=[[1, 2]] * 8)
    found = Results(TINY, runs.read(TINY, tmp_path))
    assert found.seeds == (0, 2) and found.values("units_2") == [0.25, 0.5] and found.values("units_4") == [0.5, 1.0]
    assert found.mean("units_2") == 0.375 and found.spread("units_4") == pytest.approx(0.125**0.5)
    assert found.mean("units_2", "by") == [1, 2] and found.spread("units_2", "by") == [0, 0]
    assert found.curve("units_4") == [0.75]
    assert found.compare("units_4", "units_2")[:2] == (2, 0.375)
    assert [row["test_accuracy"].mean for row in found.table().rows] == [0.375, 0.75]
    assert "units_4" in repr(found) and "0.7500 ± 0.3536" in repr(found) and "(fp32, seeds 0, 2)" in repr(found)
    with pytest.raises(ValueError, match="variant must be one of units_2, units_4, got 'units_3'"):
        found.values("units_3")
    with pytest.raises(ValueError, match="measure must be one of by, macs, parameters, test_accuracy, test_loss, got"):
        found.values("units_2", "speed")


def test_results_are_of_one_precision(tmp_path):
    made(tmp_path, {"units_2": {0: 0.5, 1: 0.5}, "units_4": {0: 0.5, 1: 0.5}})
    made(tmp_path, {"units_2": {0: 0.9, 3: 0.9}, "units_4": {0: 0.9}}, precision="bf16")
    found = Results(TINY, runs.read(TINY, tmp_path))
    assert found.precision == "fp32" and found.seeds == (0, 1) and found.mean("units_2") == 0.5


def test_where_nothing_is_recorded(tmp_path):
    with pytest.raises(ValueError, match="study tiny has no records yet: python -m d2lcnn study tiny"):
        Results(TINY, runs.read(TINY, tmp_path))


RECORDED = [name for name in studies.NAMES if (records.FOLDER / name).is_dir()]


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_studies_are_whole(name):
    found = studies.results(name)
    assert len(found.seeds) >= 8 and set(found.seeds) >= set(range(8))
    of_today = sum(len(own) for own in runs.read(studies.find(name)).values())
    assert of_today == len(list((records.FOLDER / name).iterdir()))
    for variant in found.study.variants:
        for record in found.records(variant):
            assert records.right(record).mean() == pytest.approx(record["test_accuracy"])
            assert "dirty" not in record["code_revision"]


# The command line


def test_study_lists(capsys):
    assert run("study", "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(studies.NAMES)


def test_study_trains_what_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(studies, "find", lambda name: TINY)
    assert run("study", "tiny", "--seeds", "0-1", "--record", tmp_path, "--device", "cpu") == 0
    out = capsys.readouterr().out
    assert out.startswith("0 of 4 runs of tiny are recorded in") and "\n4/4 units_4, seed 1: test accuracy 0." in out
    assert TINY.question in out
    assert run("study", "tiny", "--seeds", "1", "--record", tmp_path) == 0
    assert capsys.readouterr().out.startswith("2 of 2 runs of tiny are recorded in")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "study must be one of convolution"),
        (
            ["shift", "--seeds", "3-1"],
            "must be a seed, as in 3, or seeds from the first to the last, as in 0-7; got '3-1'",
        ),
        (["shift", "--seeds", "a"], "got 'a'"),
        (["shift", "--jobs", "0"], "must be a whole number from 1"),
        (["shift", "--device", "tpu9"], "device"),
    ],
)
def test_study_refuses(arguments, message, capsys):
    assert run("study", *arguments) == 2
    assert message in capsys.readouterr().err
