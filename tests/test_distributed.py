"""Many processes train as one: two of them here, on the CPU, in float64."""

import os
import socket
import subprocess
import sys

import pytest
import torch
from torch import nn

from d2lcnn.training import fit
from d2lcnn.training.arguments import check_shareable
from d2lcnn.training.machine import Machine, join_processes

# 33 examples for training in batches of 16: the second process's share of the last batch is empty.
WORKER = """
import os, signal, sys
import torch
from torch import nn
from d2lcnn.data import ImageData
from d2lcnn.training import checkpoints, evaluate, fit

folder, job, rank = sys.argv[1], sys.argv[2], int(os.environ.get("RANK", 0))
torch.set_num_threads(1)
torch.manual_seed(rank)  # each starts from other weights: the first process's must win
images = torch.randint(256, (45, 1, 8, 8), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
data = ImageData(images, torch.arange(45) % 3, ["a", "b", "c"], validation=torch.arange(5), test=torch.arange(5, 12))
net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(144, 3)).double()
optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
grads, seen = [], []
optimizer.register_step_pre_hook(lambda *_: grads.append([p.grad.clone() for p in net.parameters()]))
net.register_forward_pre_hook(lambda net, X: seen.append(X[0].clone()) if net.training else None)
if rank > 0:
    checkpoints.save = None  # would fail if called

def die(layer, X):
    if layer.training and len(grads) == 7 and rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)

if job == "die":
    net[0].register_forward_pre_hook(die)
options = {"epochs": 3, "optimizer": optimizer, "checkpoint": f"{folder}/checkpoint", "device": "cpu"}
history = fit(net, data.train(16), data.validation(2), **options)
result = {"net": net.state_dict(), "rows": history.rows, "grads": grads, "seen": seen}
torch.save(result | {"test": list(evaluate(net, data.test(4)))}, f"{folder}/result{rank}")
print("done")
"""


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    path = tmp_path_factory.mktemp("distributed") / "worker.py"
    path.write_text(WORKER)
    return path


@pytest.fixture(scope="module")
def one(worker):
    """What a single process computes."""
    process = start([worker], worker.parent / "one", "train")
    assert process.communicate(timeout=300) and process.returncode == 0
    return result(worker.parent / "one")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def start(command, folder, job, **env):
    folder.mkdir(exist_ok=True)
    command = [sys.executable, *map(str, command), str(folder), job]
    env = {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"} | env
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=os.environ | env, stdout=pipe, stderr=pipe, text=True, cwd=folder)


def start_two(worker, folder, job):
    """What torchrun does, without its watching over the processes (and its seconds)."""
    port = free_port()
    for rank in ("0", "1"):
        env = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        yield start([worker], folder, job, **env)


def result(folder, rank=0):
    return torch.load(folder / f"result{rank}", weights_only=True)


def curve(rows):
    return [[row[name] for name in ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")] for row in rows]


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


def test_two_processes_equal_one(worker, one, tmp_path):
    processes = list(start_two(worker, tmp_path / "two", "train"))
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    # TQDM_DISABLE is heeded, also where the bar is wanted.
    assert not any("batch/s" in errors for _, errors in outputs)

    two = [result(tmp_path / "two", rank) for rank in (0, 1)]
    assert len(one["grads"]) == 9
    for other in two:
        close(other["grads"], one["grads"])
        close(other["net"], one["net"])
        close(curve(other["rows"]), curve(one["rows"]))
        close(other["test"], one["test"])
    assert [len(X) for X in two[1]["seen"]] == [8, 8, 1] * 3  # the 1 stands in for an empty share
    assert [len(X) for X in one["seen"]] == [16, 16, 1] * 3

    # Every example is seen once an epoch, whichever process sees it.
    for epoch in range(3):
        alone, shared = (
            sorted(
                x.flatten().tolist()
                for r in results
                for X in r["seen"][3 * epoch : 3 * epoch + 3]
                for x in X
                if x.any()
            )
            for results in ([one], two)
        )
        assert shared == alone and len(shared) == len({tuple(x) for x in shared}) == 33

    # Only the first speaks and writes; the others' `save` would have failed.
    assert outputs[0][0].count("\n") == 2 and "3 epochs" in outputs[0][0]
    assert outputs[1][0] == "done\n"
    assert len(torch.load(tmp_path / "two" / "checkpoint", weights_only=True)["rows"]) == 3


def test_a_process_that_dies_ends_the_run(worker, one, tmp_path):
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}", worker]
    dying = start(torchrun, tmp_path / "two", "die")
    errors = dying.communicate(timeout=300)[1]
    assert dying.returncode != 0 and "Signal 9 (SIGKILL)" in errors and "rank      : 1" in errors
    rows = torch.load(tmp_path / "two" / "checkpoint", weights_only=True)["rows"]
    assert [row["epoch"] for row in rows] == [1, 2]

    processes = list(start_two(worker, tmp_path / "two", "train"))
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    two = result(tmp_path / "two", 1)
    assert len(two["grads"]) == 3
    close(two["net"], one["net"])
    close(curve(two["rows"]), curve(one["rows"]))


def test_batches_that_cannot_be_shared(monkeypatch):
    two = Machine(torch.device("cpu"), torch.float32, "fp32", rank=1, world_size=2)
    with pytest.raises(ValueError, match="must be batches of an ImageData"):
        check_shareable(two, [], None)
    monkeypatch.setattr(Machine, "of", lambda *_: two)
    with pytest.raises(ValueError, match="must be batches of an ImageData"):
        fit(nn.Linear(2, 3), [(torch.zeros(4, 2), torch.zeros(4).long())], epochs=1, lr=0.1, device="cpu")
    check_shareable(Machine(torch.device("cpu"), torch.float32, "fp32"), [], None)


def test_joins_only_under_torchrun(monkeypatch):
    joined = []
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *args, **options: joined.append(args))
    device = torch.device("cpu")
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    join_processes(device)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    join_processes(device)
    assert joined == []
    monkeypatch.setenv("WORLD_SIZE", "2")
    join_processes(device)
    join_processes(torch.device("cuda", 0))
    assert joined == [("gloo",), ("nccl",)]
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    join_processes(device)
    assert len(joined) == 2


def test_buffers_are_those_of_the_first_process(monkeypatch):
    sent, net = [], nn.BatchNorm1d(2)
    monkeypatch.setattr(torch.distributed, "broadcast", lambda tensor, source: sent.append((tensor, source)))
    machine = Machine(torch.device("cpu"), torch.float32, "fp32", rank=1, world_size=2)
    assert machine.agreed(net) is net
    assert [source for _, source in sent] == [0, 0, 0] and sent[0][0] is net.running_mean
