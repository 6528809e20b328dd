"""The command line: python -m d2lcnn."""

import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import run

from d2lcnn import __main__ as cli
from d2lcnn import data, nets, provenance, records, training
from d2lcnn.data import ImageData
from d2lcnn.tracing import Trace, trace

# The command line on 300 images instead of 70,000.
SMALL = """
import signal, sys
import torch
from d2lcnn import __main__, data

# A process started in the background of a shell ignores Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
images = torch.randint(256, (300, 1, 28, 28), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
small = data.ImageData(images, torch.arange(300) % 10, data.fashion_mnist.CLASSES)
data.FashionMNIST = lambda root=None: small
sys.exit(__main__.main())
"""


@pytest.fixture
def small(monkeypatch):
    images = torch.randint(256, (300, 1, 28, 28), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    small = ImageData(images, torch.arange(300) % 10, data.fashion_mnist.CLASSES)
    monkeypatch.setattr(data, "FashionMNIST", lambda root=None: small)
    return small


def start(command, folder, **env):
    env = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"} | env
    pipe = subprocess.PIPE
    command = [sys.executable, *map(str, command)]
    return subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True, cwd=folder)


# Help and errors


def test_help(tmp_path):
    process = start(["-m", "d2lcnn", "--help"], tmp_path)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0 and err == ""
    assert all(command in out for command in ("train", "predict", "trace", "records", "data", "examples:"))


@pytest.mark.parametrize(
    "command", [["train"], ["predict"], ["trace"], ["records"], ["data"], ["data", "verify"]], ids=" ".join
)
def test_help_of_each_command_has_examples(capsys, command):
    assert run(*command, "--help") == 0
    assert f"examples:\n  python -m d2lcnn {' '.join(command)}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train lenett", "got 'lenett'; did you mean 'lenet'?"),
        ("trace Alex-Net", "did you mean 'alexnet'?"),
        ("records gogglenet", "did you mean 'googlenet'?"),
        ("train lenet --variant tiny", "invalid choice: 'tiny'"),
        ("train lenet --epochs 0", "argument --epochs: must be a whole number from 1 to 2**63 - 1, got '0'"),
        ("train lenet --epochs many", "got 'many'"),
        ("train lenet --seed -1", "argument --seed: must be a whole number from 0"),
        (f"train lenet --seed {2**63}", "argument --seed: must be a whole number"),
        ("train lenet --device abacus", "device must be one that there is here, such as cpu, got 'abacus'"),
        ("train lenet --checkpoint nowhere/run.pt", "checkpoint must be a file in a folder that is there"),
        ("trace lenet --size 5", "input_size must be at least 12"),
        ("trace vgg --size 1.5", "got '1.5'"),
        ("trace lenet --json --markdown", "not allowed with argument --json"),
        ("bake lenet", "invalid choice: 'bake'"),
        ("data", "required: COMMAND"),
        ("", "required: COMMAND"),
    ],
)
def test_wrong_arguments(capsys, small, tmp_path, monkeypatch, command, message):
    monkeypatch.chdir(tmp_path)
    assert run(*command.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and ": error: " in err and message in err


# trace


def test_trace(capsys):
    assert run("trace", "lenet") == 0
    text = capsys.readouterr().out
    assert "61,706" in text and text == f"{trace(nets.network('lenet'), (1, 1, 28, 28))}\n"
    assert run("trace", "lenet", "--json") == 0
    assert Trace.from_json(capsys.readouterr().out).parameters == 61706
    assert run("trace", "lenet", "--markdown") == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("| ") and line.endswith(" |") for line in lines) and "61,706" in lines[-1]


def test_trace_of_another_size_and_variant(capsys):
    assert run("trace", "vgg", "--variant", "mini", "--size", 64, "--json") == 0
    found = Trace.from_json(capsys.readouterr().out)
    assert found.nodes[0].shape == (1, 1, 64, 64)
    assert found == trace(nets.network("vgg", "mini", input_size=64), (1, 1, 64, 64))


def test_a_reader_that_has_enough_is_no_error(tmp_path):
    process = start(["-m", "d2lcnn", "trace", "googlenet", "--json"], tmp_path)
    assert process.stdout.read(1) == "{"
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait(100) == 141


def test_a_terminal_that_knows_ascii_alone(tmp_path):
    out, err = start(["-m", "d2lcnn", "records", "lenet"], tmp_path, PYTHONIOENCODING="ascii").communicate(timeout=100)
    assert err == "" and "+-" in out and "?" not in out


# data


def test_data_verify(capsys, tmp_path):
    assert run("data", "verify") == 0
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()[:-1]] == [
        ["OK", digest, name] for name, digest in data.fashion_mnist.SHA256.items()
    ]

    folder = shutil.copytree(Path(data.fashion_mnist.__file__).parent / "fashion_mnist", tmp_path / "copy")
    damaged = folder / "t10k-labels-idx1-ubyte.gz"
    labels = bytearray(gzip.decompress(damaged.read_bytes()))
    labels[-1] ^= 1
    damaged.write_bytes(gzip.compress(labels))
    for problem, remedy in (("is damaged or another file", damaged.unlink), ("is missing", lambda: None)):
        assert run("data", "verify", "--root", folder) == 1
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and f"{damaged} {problem}" in err
        remedy()


# train and records


def test_a_damaged_checkpoint_is_one_line(small, capsys, tmp_path):
    path = tmp_path / "run.pt"
    path.write_text("no checkpoint")
    assert run("train", "lenet", "--device", "cpu", "--checkpoint", path) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "run.pt cannot be read" in err


def test_train_and_tabulate(small, capsys, tmp_path):
    command = ("train", "lenet", "--device", "cpu", "--epochs", 2, "--record", tmp_path / "new" / "runs")
    for seed in (3, 4):
        assert run(*command, "--seed", seed) == 0
    out = capsys.readouterr().out
    assert out.count("2 epochs in") == out.count("test accuracy") == out.count("recorded in") == 2
    first, second = found = records.read(tmp_path / "new" / "runs")
    assert [record["seed"] for record in found] == [3, 4]
    assert first["curve"][0]["loss"] != second["curve"][0]["loss"]

    recipe = nets.variant("lenet", "mini").recipe
    assert first["recipe"] | {"precision": "auto"} == {
        **{name: getattr(recipe, name) for name in first["recipe"]},
        "epochs": 2,
    }
    rows, seconds = first["curve"], first["seconds"]
    for part in ("load", "compute"):
        assert seconds[part] == pytest.approx(sum(row[f"{part}_seconds"] for row in rows))
    assert first["images_per_second"] == pytest.approx(2 * 240 / sum(seconds.values()))
    assert first["peak_memory"] > 2**26
    assert first["hardware"]["processes"] == 1 and first["hardware"]["threads"] == torch.get_num_threads()
    assert first["versions"]["torch"] == torch.__version__

    folder = ("--from", tmp_path / "new" / "runs")
    assert run("records", *folder) == 0
    assert capsys.readouterr().out == f"{records.table(found)}\n"
    assert run("records", "lenet", "--markdown", *folder) == 0
    assert capsys.readouterr().out == f"{records.table(found).to_markdown()}\n"
    assert run("records", "vgg", *folder) == 0
    assert capsys.readouterr().out.startswith("no records yet")
    assert run("records", "--from", tmp_path / "nowhere") == 1

    # The same command gives the same numbers, and in one file.
    assert run(*command, "--seed", 3, "--quiet") == 0
    again = records.read(tmp_path / "new" / "runs")
    assert [record["test_loss"] for record in again] == [record["test_loss"] for record in found]


def test_train_applies_the_recipe(small, tmp_path, monkeypatch):
    recipe = nets.Recipe(input_size=20, epochs=1, lr=0.01, batch_size=64, weight_decay=0.1, flip=True)
    monkeypatch.setitem(nets.NETWORKS["lenet"], "mini", nets.Variant(nets.lenet, recipe))
    seen = {}

    def fit(net, train, val, **options):
        seen.update(options, train=train, val=val, net=net)
        raise FloatingPointError("the loss became nan")

    monkeypatch.setattr("d2lcnn.training.fit", fit)
    checkpoint = tmp_path / "run.pt"
    assert run("train", "lenet", "--seed", 5, "--epochs", 7, "--checkpoint", checkpoint, "--record", tmp_path) == 1
    assert seen["train"].augment == data.Augment(flip=True, shift=0)
    assert (seen["train"].size, seen["val"].size, seen["train"].batch_size, seen["train"].seed) == (20, 20, 64, 5)
    assert seen["val"].augment is None and seen["val"].num_examples == 30
    assert (seen["epochs"], seen["lr"], seen["weight_decay"], seen["seed"]) == (7, 0.01, 0.1, 5)
    assert seen["checkpoint"] == checkpoint and seen["progress"] is True
    torch.manual_seed(5)
    for a, b in zip(seen["net"].parameters(), nets.network("lenet", "mini").parameters(), strict=True):
        assert torch.equal(a, b)
    assert list(tmp_path.iterdir()) == []


def test_train_takes_its_options(small, monkeypatch):
    variant = nets.Variant(nets.lenet, nets.Recipe(input_size=32, epochs=1, lr=0.01))
    monkeypatch.setitem(nets.NETWORKS["lenet"], "full", variant)

    def fit(net, *_, **options):
        assert net[0].shape == (1, 32, 32) and options["progress"] is False and options["device"].type == "cpu"
        raise FloatingPointError("seen")

    monkeypatch.setattr("d2lcnn.training.fit", fit)
    assert run("train", "lenet", "--variant", "full", "--device", "cpu", "--quiet") == 1
    assert cli._parser().parse_args(["train", "lenet", "--record"]).record == records.FOLDER


def test_the_test_images_are_tested(small, monkeypatch, tmp_path):
    seen = []

    def score(net, batches, **options):
        seen.append(torch.cat([X for X, _ in batches]))
        return training.Scores(0.5, 0.75)

    monkeypatch.setattr("d2lcnn.training.evaluate", score)
    assert run("train", "lenet", "--device", "cpu", "--epochs", 1, "--variant", "full", "--record", tmp_path) == 0
    (X,) = seen
    assert torch.equal(X, torch.cat([Z for Z, _ in small.test()]))
    (record,) = records.read(tmp_path)
    assert (record["variant"], record["test_accuracy"], record["test_loss"]) == ("full", 0.75, 0.5)


def test_a_record_is_of_the_code_that_trained(small, monkeypatch, tmp_path):
    revisions, fit = ["a" * 40, "b" * 40], training.fit
    monkeypatch.setattr(cli, "code_revision", lambda: revisions[0])

    def edited_meanwhile(*arguments, **options):
        revisions.pop(0)
        return fit(*arguments, **options)

    monkeypatch.setattr(training, "fit", edited_meanwhile)
    assert run("train", "lenet", "--device", "cpu", "--epochs", 1, "--record", tmp_path) == 0
    assert records.read(tmp_path)[0]["code_revision"] == "a" * 40


def test_a_folder_that_cannot_be_written_to_is_seen_before_training(small, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("d2lcnn.training.fit", lambda *args, **options: pytest.fail("trained"))
    (tmp_path / "file").write_text("")
    assert run("train", "lenet", "--record", tmp_path / "file") == 1
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert run("train", "lenet", "--record", tmp_path) == 1
    assert "--record DIR takes another folder" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c(tmp_path):
    (tmp_path / "small.py").write_text(SMALL)
    options = ("--epochs", "100000", "--checkpoint", "run.pt", "--record", "runs", "--quiet")
    process = start(["small.py", "train", "lenet", *options], tmp_path)
    deadline = time.monotonic() + 100
    while not (tmp_path / "run.pt").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 130, err
    assert "interrupted in epoch" in out
    assert err.startswith("interrupted after ") and err.endswith("of 100000 epochs; the same command goes on\n")
    assert list((tmp_path / "runs").iterdir()) == []


def test_ctrl_c_outside_training(small, capsys, monkeypatch):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("d2lcnn.training.evaluate", interrupt)
    monkeypatch.setattr("d2lcnn.nets.network", interrupt)
    assert run("train", "lenet") == 130
    assert capsys.readouterr().err == "interrupted; nothing was recorded\n"


def test_two_processes(small, tmp_path):
    (tmp_path / "small.py").write_text(SMALL)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = str(s.getsockname()[1])
    command = ["small.py", *["train", "lenet", "--epochs", "2", "--device", "cpu", "--record", "runs"]]
    processes = [
        start(command, tmp_path, RANK=r, LOCAL_RANK=r, WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
        for r in ("0", "1")
    ]
    outputs = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert [out.count("test accuracy") for out, _ in outputs] == [1, 0] and outputs[1][0] == ""
    (record,) = records.read(tmp_path / "runs")
    assert record["hardware"]["processes"] == 2


# Where a record comes from


def test_code_revision(tmp_path, monkeypatch):
    def git(*arguments):
        who = ["-c", "user.name=N", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    package = tmp_path / "d2lcnn"
    (package / "records").mkdir(parents=True)
    monkeypatch.setattr(provenance, "PACKAGE", package)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.code_revision() is None
    git("init")
    (tmp_path / "notes.txt").write_text("")
    git("add", "notes.txt")
    git("commit", "-m", "not the package")
    (package / "ops.py").write_text("")
    assert provenance.code_revision() is None
    git("add", ".")
    git("commit", "-m", "the package")
    revision = provenance.code_revision()
    assert len(revision) == 40
    (package / "records" / "a.json").write_text("{}")
    assert provenance.code_revision() == revision
    git("add", ".")
    git("commit", "-m", "a record")
    assert provenance.code_revision() == revision
    (package / "nets.py").write_text("")
    assert provenance.code_revision() == f"{revision}-dirty"
    monkeypatch.setenv("PATH", "")
    assert provenance.code_revision() is None


def test_provenance_is_plain_json():
    found = provenance.describe_run(torch.device("cpu"), 1)
    assert json.loads(json.dumps(found)) == found and found["hardware"]["gpu"] is None
