"""Recorded runs: their schema, their files, and mean and spread over seeds."""

import copy
import json
import os
import re
from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev

import pytest

import d2lcnn
from d2lcnn import nets, records
from d2lcnn.data import fashion_mnist

PATHS = sorted(records.FOLDER.glob("*.json"))


def make_record(seed=0, epochs=2, **changes):
    row = {"loss": 0.5, "accuracy": 0.75, "val_loss": None, "val_accuracy": 0.5}
    row |= {"load_seconds": 1, "compute_seconds": 2, "images_per_second": 1000.0}
    record = {
        "schema_version": 2,
        "study": None,
        "network": "lenet",
        "variant": "mini",
        "input_size": 28,
        "recipe": {"input_size": 28, "epochs": epochs, "lr": 0.03, "flip": False, "precision": "fp32"},
        "seed": seed,
        "curve": [row | {"epoch": i + 1} for i in range(epochs)],
        "test_accuracy": 0.75,
        "test_loss": 0.5,
        "right": None,
        "measures": {},
        "seconds": {"load": 2, "compute": 4},
        "images_per_second": 1000.0,
        "peak_memory": None,
        "hardware": {"device": "cpu", "cpu": "A CPU", "gpu": None, "cores": 2, "threads": 2, "processes": 1},
        "versions": {"python": "3.12.1", "torch": "2.9.0", "d2lcnn": "0.1.0"},
        "data": {"train.gz": "0" * 64},
        "code_revision": "a" * 40 + "-dirty",
        "date": "2026-01-31T12:00:00+00:00",
    }
    return record | changes


def test_every_record_of_the_package():
    assert d2lcnn.records is records
    found = records.read()
    assert [records.name(record) for record in found] == [path.name for path in PATHS]


@pytest.mark.parametrize("record", records.read(), ids=records.name)
def test_records_are_of_todays_recipes_and_data(record):
    recipe = nets.variant(record["network"], record["variant"]).recipe
    assert record["recipe"] | {"precision": "auto"} == asdict(recipe)
    assert record["data"] == fashion_mnist.SHA256


# The bars of chapters 5 to 9.
BARS = {"lenet": 0.895, "alexnet": 0.90, "vgg": 0.90, "nin": 0.90, "googlenet": 0.90}


@pytest.mark.parametrize("network", nets.NETWORKS)
def test_minis_pass_with_three_deviations_to_spare(network):
    found = records.select(network=network, variant="mini")
    assert {record["seed"] for record in found} >= {0, 1, 2, 3, 4}
    accuracies = [record["test_accuracy"] for record in found]
    assert min(accuracies) >= 0.90
    assert mean(accuracies) - 3 * stdev(accuracies) >= BARS[network]


# The goals for the full networks, ten epochs each.
GOALS = {"lenet": 0.90, "alexnet": 0.925, "vgg": 0.935, "nin": 0.92, "googlenet": 0.935}


@pytest.mark.parametrize("network", nets.NETWORKS)
def test_full_networks_reach_their_goals_over_three_seeds(network):
    rows = records.table(records.select(network=network, variant="full")).rows
    tripled = [row for row in rows if row["runs"] >= 3]
    assert tripled and all(row["epochs"] == 10 and row["test_accuracy"].mean >= GOALS[network] for row in tripled)


# The schema

WRONG = {
    "schema_version": [1, 3, True, "2"],
    "study": ["", "Not a word"],
    "right": [True, "10", "10 ?"],
    "measures": [None, [1], {"a": None}, {"a": [1, "2"]}, {"a": float("nan")}],
    "network": ["", "LeNet", "../x", 3, None],
    "variant": ["a-b"],
    "input_size": [0, 28.0, 96, True],
    "recipe": [{}, [], None],
    "recipe.epochs": [0, 3],
    "recipe.input_size": [96],
    "recipe.precision": ["auto", None],
    "recipe.lr": [float("nan"), float("inf"), [0.1], None],
    "seed": [-1, "0"],
    "curve": [[], {}, [{"epoch": 1}]],
    "curve[0].epoch": [2],
    "curve[1].accuracy": [1.5, "0.9"],
    "curve[1].loss": [float("nan"), None],
    "test_accuracy": [1.01, -0.1, None, True],
    "test_loss": [-1, float("inf")],
    "seconds": [6],
    "seconds.load": [-1],
    "images_per_second": [None],
    "peak_memory": [0, 1.5],
    "hardware.cores": [None],
    "hardware.gpu": [""],
    "versions.torch": [None],
    "data": [{}],
    "data.train.gz": ["0" * 63],
    "code_revision": ["main", "a" * 39, ""],
    "date": ["2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00:00+01:00", 0, None],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in WRONG for value in WRONG[field]])
def test_check_names_the_field(field, value):
    record = make_record()
    top, _, inner = field.partition(".")
    if top.endswith("]"):
        record["curve"][int(top[-2])][inner] = value
    elif inner:
        record[top][inner] = value
    else:
        record[top] = value
    with pytest.raises(ValueError) as caught:
        records.check(record)
    # A wrong size that is a size after all is seen by its not being the recipe's.
    where = "recipe.input_size" if (field, value) == ("input_size", 96) else field
    assert re.match(rf"{re.escape(where)}\S* must .* got ", str(caught.value))


def test_check_wants_all_fields_and_no_others():
    records.check(make_record())
    for field in make_record():
        record = make_record()
        del record[field]
        with pytest.raises(ValueError, match=f"^{field} must be there, got only"):
            records.check(record)
    with pytest.raises(ValueError, match=r"record must have no fields but schema_version, .*; got speed"):
        records.check(make_record(speed=1))
    with pytest.raises(ValueError, match=r"hardware must have no fields but .*; got ram"):
        records.check(make_record(hardware=make_record()["hardware"] | {"ram": 1}))
    records.check(make_record(recipe=make_record()["recipe"] | {"mixup": 0.1}))
    for value in ([], None, {}):
        with pytest.raises(ValueError, match="record must be an object that is not empty"):
            records.check(value)


# Files


def test_what_is_written_is_read(tmp_path):
    written = [make_record(seed) for seed in range(2)] + [make_record(epochs=1, test_accuracy=0.1 + 0.2)]
    before = copy.deepcopy(written)
    paths = [records.write(record, tmp_path) for record in written]
    assert written == before
    assert [path.name.rsplit("-", 1)[1] for path in paths] == ["0.json", "1.json", "0.json"]
    assert all(path.name.startswith("lenet-mini-28-") for path in paths) and len(set(paths)) == 3
    assert sorted(records.read(tmp_path), key=str) == sorted(written, key=str)
    assert records.read(os.fspath(tmp_path)) == [json.loads(path.read_text()) for path in sorted(paths)]


def test_one_file_for_one_key(tmp_path):
    record = make_record()
    path = records.write(record, tmp_path)
    assert records.write(record | {"test_accuracy": 0.5}, tmp_path) == path
    assert [found["test_accuracy"] for found in records.read(tmp_path)] == [0.5]
    # The order in which a recipe was written down does not matter.
    assert records.name(record | {"recipe": dict(reversed(record["recipe"].items()))}) == path.name


def test_no_half_written_file(tmp_path, monkeypatch):
    path = records.write(make_record(), tmp_path)
    whole = path.read_bytes()
    seen = []

    def die(self, target):
        seen.append((self.name, sorted(p.name for p in tmp_path.glob("*.json"))))
        assert json.loads(self.read_text())["test_accuracy"] == 0.5
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die)
        for seed in (0, 1):
            with pytest.raises(KeyboardInterrupt):
                records.write(make_record(seed, test_accuracy=0.5), tmp_path)
        # Killed on the spot, a process cannot even clean up.
        patch.setattr(Path, "unlink", lambda self, missing_ok: None)
        with pytest.raises(KeyboardInterrupt):
            records.write(make_record(1, test_accuracy=0.5), tmp_path)
    assert len(seen) == 3 and all(names == [path.name] and not part.endswith(".json") for part, names in seen)
    assert path.read_bytes() == whole
    assert len(records.read(tmp_path)) == 1

    records.write(make_record(1), tmp_path)
    assert [p.suffix for p in tmp_path.iterdir()] == [".json", ".json"]


def test_a_wrong_record_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="test_accuracy"):
        records.write(make_record(test_accuracy=75), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["{", "", "[]", '{"schema_version": 1}', "\xff"])
def test_read_names_the_wrong_file(tmp_path, text):
    records.write(make_record(), tmp_path)
    (tmp_path / "zzz.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"^zzz\.json: "):
        records.read(tmp_path)


def test_records_of_version_1_are_read(tmp_path):
    record = make_record()
    path = records.write(record, tmp_path)
    old = {field: value for field, value in record.items() if field not in ("study", "right", "measures")}
    path.write_text(json.dumps(old | {"schema_version": 1}))
    assert records.read(tmp_path) == [record]


def test_read_needs_a_folder(tmp_path):
    assert records.read(tmp_path) == []
    with pytest.raises(FileNotFoundError, match=r"got '.*nowhere'"):
        records.read(tmp_path / "nowhere")


@pytest.mark.parametrize("pictures", [1, 8, 13])
def test_which_pictures_were_right(tmp_path, pictures):
    answers = [k % 3 == 0 for k in range(pictures)]
    records.write(make_record(right=records.pack(answers)), tmp_path)
    (record,) = records.read(tmp_path)
    assert records.right(record).tolist() == answers
    with pytest.raises(ValueError, match=r"lenet-mini.* does not"):
        records.right(make_record())


# Choosing and summing up


def test_select():
    found = [make_record(seed, variant=variant) for seed in (0, 1) for variant in ("mini", "full")]
    assert records.select(found, variant="full") == [found[1], found[3]]
    assert records.select(found, variant="full", seed=1) == [found[3]]
    assert records.select(found, network="vgg") == []
    assert records.select(found) == found
    assert records.select() == records.read()
    with pytest.raises(ValueError, match=r"fields must be of schema_version, .*, got net"):
        records.select(found, net="vgg")


def test_mean_and_spread_are_exact():
    accuracies = (0.5, 0.75, 1.0)
    found = [
        make_record(seed, test_accuracy=accuracy, test_loss=2.0, seconds={"load": seed, "compute": 3})
        for seed, accuracy in enumerate(accuracies)
    ]
    (row,) = records.table(found).rows
    assert row["runs"] == 3
    assert row["test_accuracy"] == records.Estimate(0.75, 0.25) == (0.75, 0.25)
    assert row["test_loss"] == (2.0, 0.0)
    assert row["seconds"] == (4, 1)
    assert row["images_per_second"] == (1000, 0)
    (row,) = records.table(found[:1]).rows
    assert row["runs"] == 1 and row["test_accuracy"] == (0.5, None)


def test_only_the_seed_is_averaged_over():
    hardware = make_record()["hardware"]
    found = [
        make_record(),
        make_record(variant="full"),
        make_record(epochs=3),
        make_record(recipe=make_record()["recipe"] | {"lr": 0.01}),
        make_record(recipe=make_record()["recipe"] | {"precision": "bf16"}),
        make_record(hardware=hardware | {"threads": 1}),
        make_record(hardware=hardware | {"device": "cuda", "gpu": "A GPU"}),
        make_record(hardware=hardware | {"device": "cuda", "gpu": "A GPU", "processes": 8}),
    ]
    rows = records.table([*found, make_record(1)]).rows
    assert [row["runs"] for row in rows] == [2] + [1] * 7
    assert [row["hardware"] for row in rows[-3:]] == ["A CPU (threads: 1)", "A GPU", "8 x A GPU"]


def test_table_prints():
    table = records.table([make_record(seed, test_accuracy=0.5 + seed / 4) for seed in (0, 1)])
    digest = table.rows[0]["recipe"]
    lines = table.to_markdown().splitlines()
    assert lines == [
        "| network | variant | input size | epochs | precision | recipe | hardware | runs | test accuracy | test loss"
        " | seconds | images per second |",
        "| --- | --- | ---: | ---: | --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
        f"| lenet | mini | 28 | 2 | fp32 | {digest} | A CPU (threads: 2) | 2 | 0.6250 ± 0.1768 | 0.5000 ± 0.0000"
        " | 6.0 ± 0.0 | 1,000 ± 0 |",
    ]
    assert table._repr_markdown_() == table.to_markdown()
    head, line = str(table).splitlines()
    assert head.index("variant") == line.index("mini") and len(head) == len(line)
    assert digest in records.name(make_record())
    assert str(records.table([])) == ""
