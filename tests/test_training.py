"""fit, evaluate and History."""

import copy
import json
import math
import platform
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, ReduceLROnPlateau

from d2lcnn.data import Augment, ImageData
from d2lcnn.history import History
from d2lcnn.training import Scores, checkpoints, compiling, evaluate, fit, loop, machine, scores
from d2lcnn.training.machine import Machine
from d2lcnn.training.randomness import mix


@pytest.fixture(autouse=True)
def one_thread():
    """Nets as small as these are fastest so, whatever else the machine does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def image_data(n=90, channels=1):
    """Images whose brightness tells their class, with some noise: a net can learn them, but not at once."""
    labels = torch.arange(n) % 3
    noise = torch.randint(100, (n, channels, 8, 8), generator=torch.Generator().manual_seed(1))
    images = (noise + 50 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
    return ImageData(images, labels, ["a", "b", "c"], validation=0.1, test=0.1)


def make_net(channels=1, classes=3, dropout=0.0):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Dropout(dropout), nn.Flatten(), nn.Linear(144, classes)
    )


def batches(sizes=(8, 8, 3), classes=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    return [(torch.randn(n, 1, 8, 8, generator=g), torch.randint(classes, (n,), generator=g)) for n in sizes]


def run(net, train, val=None, **options):
    defaults = {"epochs": 2, "progress": False, "device": "cpu"}
    if "optimizer" not in options:
        defaults["lr"] = 1e-2
    return fit(net, train, val, **defaults | options)


def weights(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def same_bits(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class At(nn.Module):
    """Do something in the forward pass of the n-th training batch."""

    def __init__(self, net, step, action):
        super().__init__()
        self.net, self.step, self.action, self.steps = net, step, action, 0

    def forward(self, X):
        if self.training and torch.is_grad_enabled():
            self.steps += 1
            if self.steps == self.step:
                return self.action(self.net(X))
        return self.net(X)


def interrupt(X):
    raise KeyboardInterrupt


# What is computed


def test_adamw_is_fused(monkeypatch):
    made, adamw = [], torch.optim.AdamW
    monkeypatch.setattr(torch.optim, "AdamW", lambda *args, **options: made.append(options) or adamw(*args, **options))
    run(make_net(), batches())
    assert [options["fused"] for options in made] == [True]


def test_fit_is_the_loop_one_would_write():
    net, train = make_net(), batches()
    expected = copy.deepcopy(net).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(expected.parameters(), lr=0.05, weight_decay=0.3, fused=True)
    schedule = OneCycleLR(optimizer, 0.05, total_steps=6, cycle_momentum=False)
    losses = []
    for _ in range(2):
        total = 0.0
        for X, y in train:
            loss = F.cross_entropy(expected(X), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(y)
        losses.append(total / 19)

    history = run(net, train, lr=0.05, weight_decay=0.3, precision="fp32")

    for name, value in expected.state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], value, rtol=1e-4, atol=1e-6)
    assert history["loss"] == pytest.approx(losses, rel=1e-5)


def test_loss_and_accuracy_are_weighted_by_example():
    net, train = make_net(), batches((10, 1))
    X, y = (torch.cat(parts) for parts in zip(*train, strict=True))
    with torch.no_grad():
        loss, accuracy = F.cross_entropy(net(X), y).item(), (net(X).argmax(1) == y).double().mean().item()

    history = run(net, train, train, epochs=1, optimizer=torch.optim.SGD(net.parameters(), lr=0.0), precision="fp32")

    assert 0 < accuracy < 1
    for prefix in ("", "val_"):
        assert history.last[f"{prefix}loss"] == pytest.approx(loss, rel=1e-5)
        assert history.last[f"{prefix}accuracy"] == pytest.approx(accuracy)
    assert evaluate(net, train, precision="fp32") == pytest.approx(Scores(loss, accuracy), rel=1e-5)


def test_learns_images():
    data, net = image_data(), make_net()
    history = run(net, data.train(16), data.validation(), epochs=10)
    assert history["epoch"] == list(range(1, 11))
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history.last["val_accuracy"] == evaluate(net, data.validation()).accuracy > 0.8


def test_epochs_come_in_another_order():
    data = image_data()
    seen = []
    net = make_net()
    net.register_forward_pre_hook(lambda net, X: seen.append(X[0].clone()) if net.training else None)
    run(net, data.train(72, seed=3))
    assert len(seen) == 2 and len(seen[0]) == 72
    assert torch.equal(seen[0], next(data.train(72, seed=3).epoch(0))[0])
    assert torch.equal(seen[1], next(data.train(72, seed=3).epoch(1))[0])
    assert not torch.equal(seen[0], seen[1])


def test_own_optimizer_and_schedule():
    lrs = []

    def make():
        net = make_net()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        optimizer.register_step_pre_hook(lambda *_: lrs.append(optimizer.param_groups[0]["lr"]))
        return net, optimizer

    net, optimizer = make()
    run(net, batches(), optimizer=optimizer, schedule=LambdaLR(optimizer, lambda step: 0.5**step))
    assert lrs == pytest.approx([0.1 * 0.5**step for step in range(6)])

    lrs.clear()
    net, optimizer = make()
    run(net, batches(), optimizer=optimizer, schedule=None)
    assert lrs == [0.1] * 6

    lrs.clear()
    net, optimizer = make()
    run(net, batches((4,) * 10), optimizer=optimizer)
    assert max(lrs) == pytest.approx(0.1) and lrs[0] == pytest.approx(0.1 / 25) and lrs[-1] < 1e-5
    (group,) = optimizer.param_groups
    assert group["lr"] == 0.1 and "max_lr" not in group and group["params"] == list(net.parameters())


def test_gradients_that_are_there_already_do_not_count():
    clean, net = make_net(), make_net()
    F.cross_entropy(net(X), y).backward()
    for each in (clean, net):
        run(each, batches())
    assert same_bits(weights(clean), weights(net)) and all(p.grad is None for p in net.parameters())
    head = torch.optim.SGD(net[-1].parameters(), lr=0.1)
    run(net, batches(), optimizer=head)
    assert all(p.grad is None for p in net.parameters())


def test_each_epoch_of_each_process_draws_anew(monkeypatch):
    keys = []
    monkeypatch.setattr(loop, "mix", lambda *key: keys.append(key) or 0)
    run(make_net(), batches(), epochs=3, seed=7)
    assert keys == [(7, 0, 0), (7, 1, 0), (7, 2, 0)]


def test_running_statistics_are_of_training_batches_alone():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 3))
    run(net, batches(), batches())
    assert net[1].num_batches_tracked == 2 * 3


def test_a_loader_that_counts_its_epochs_is_no_image_data():
    class Counting(list):
        epoch = 0

    run(make_net(), Counting(batches()), Counting(batches()))


def test_numbers_of_numpy_are_as_good(tmp_path):
    expected, _ = checkpointed(tmp_path / "plain", seed=3)
    for _ in range(2):
        numbers = {"epochs": np.int64(4), "lr": np.float64(0.01), "weight_decay": np.float64(0.01), "seed": np.int64(3)}
        net, _ = checkpointed(tmp_path / "numpy", **numbers)
        assert same_bits(weights(net), weights(expected))
    data = image_data()
    assert torch.equal(next(iter(data.train(16, seed=np.int64(2))))[1], next(iter(data.train(16, seed=2)))[1])


def test_dataloader_and_foreign_types():
    X, y = torch.randn(20, 1, 8, 8, dtype=torch.float64), torch.arange(20, dtype=torch.int32) % 3
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, y), batch_size=8, shuffle=True)
    first, second = make_net(), make_net()
    history = run(first, loader, loader)
    assert len(history.rows) == 2
    run(second, loader, loader)
    assert same_bits(weights(first), weights(second))


def test_images_and_kernels_are_channels_last_while_training():
    net = make_net(channels=3)
    seen = []

    def look(net, X):
        if torch.is_grad_enabled():
            seen.extend(t.is_contiguous(memory_format=torch.channels_last) for t in (X[0], net[0].weight))

    net.register_forward_pre_hook(look)
    run(net, image_data(channels=3).train(16))
    assert len(seen) == 20 and all(seen)
    assert net[0].weight.is_contiguous()


def test_lazy_layers_get_their_shapes():
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(3))
    history = run(net, batches())
    assert net[2].in_features == 144 and math.isfinite(history.last["loss"])


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_precision_is_used_and_recorded(precision):
    net, dtypes = make_net(), []
    net[0].register_forward_hook(lambda layer, X, Y: dtypes.append(Y.dtype) if layer.training else None)
    before = weights(net)
    history = run(net, batches(), precision=precision)
    assert history.settings["precision"] == precision
    assert set(dtypes) == {{"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]}
    assert not same_bits(before, weights(net)) and math.isfinite(history.last["loss"])


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_validation_and_evaluate_compute_as_told(precision, dtype):
    net, dtypes = make_net(), []
    net[0].register_forward_hook(lambda layer, X, Y: dtypes.append(Y.dtype))
    run(net, batches(), batches((5,)), epochs=1, precision=precision)
    validated = dtypes[-1]
    evaluate(net, batches((5,)), precision=precision)
    assert validated == dtypes[-1] == dtype


def test_losses_are_summed_in_float32():
    net, (X, y) = make_net(), batches((64,))[0]
    bf16 = Machine.of(net, torch.device("cpu"), "bf16")
    assert scores.score(net, X, y, bf16)[0].dtype == torch.float32


def test_precision_rule(monkeypatch):
    cpu, cuda, mps = (torch.device(name) for name in ("cpu", "cuda:0", "mps"))

    def rule(device, **facts):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: facts, raising=False)
        bf16 = facts.get("bf16", False)
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or bf16
        )
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: facts.get("capability", (0, 0)))
        return Machine.of(make_net(), device, "auto").precision

    assert rule(cpu, avx512_bf16=True) == rule(cpu, amx_bf16=True) == "bf16"
    assert rule(cpu, avx512_bf16=False) == rule(mps) == "fp32"
    assert rule(cuda, bf16=True, capability=(8, 0)) == "bf16"
    assert rule(cuda, capability=(7, 5)) == rule(cuda, capability=(7, 0)) == "fp16"
    assert rule(cuda, capability=(6, 1)) == "fp32"


def test_each_process_has_its_own_gpu(monkeypatch):
    chosen = []
    for name, value in (("is_available", lambda: True), ("current_device", lambda: 1), ("set_device", chosen.append)):
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch, "empty", lambda *size, device: None)  # there is no such GPU here
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert machine.find_device(None) == machine.find_device("cuda") == torch.device("cuda", 1)
    assert machine.find_device("cuda:3") == chosen[-1] == torch.device("cuda", 3)
    for name, value in (("RANK", "5"), ("LOCAL_RANK", "2"), ("WORLD_SIZE", "8")):
        monkeypatch.setenv(name, value)
    assert machine.find_device(None) == chosen[-1] == torch.device("cuda", 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert machine.find_device(None).type == "cpu"
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert machine.find_device(None).type == "mps"


def test_float64_net():
    net = make_net().double()
    history = run(net, batches(), batches())
    assert history.settings["precision"] == "fp64" and net[0].weight.dtype == torch.float64
    with pytest.raises(ValueError, match="float64"):
        run(net, batches(), precision="bf16")


def test_compile(monkeypatch):
    compile, net = torch.compile, make_net()
    compiled, given = [], []

    def with_eager_backend(model, **options):
        compiled.append(model)
        given.append(options)
        return compile(model, backend="eager")

    monkeypatch.setattr(torch, "compile", with_eager_backend)
    monkeypatch.setattr(loop, "compile_options", lambda machine, train: {"dynamic": machine.precision != "fp32"})
    history = run(net, batches(), compile=True, precision="fp32")
    assert history.settings["compiled"] and compiled[-1] is net and given[-1] == {"dynamic": False}
    plain = make_net()
    run(plain, batches(), precision="fp32")
    assert same_bits(weights(net), weights(plain))


def test_steps_are_replayed_on_a_lone_gpu_only():
    machine, train = Machine(torch.device("cuda", 0), torch.float32, "bf16"), image_data(40).train(16)
    assert compiling.compile_options(machine, train) == {"mode": "reduce-overhead", "dynamic": False}
    assert compiling.compile_options(machine, list(train)) == {}
    assert compiling.compile_options(replace(machine, world_size=2), train) == {}
    assert compiling.compile_options(replace(machine, device=torch.device("cpu")), train) == {}


@pytest.mark.parametrize("channels", [1, 3])
def test_batches_have_the_strides_of_channels_last(channels):
    fast = Machine(torch.device("cpu"), torch.float32, "fp32", layout=torch.channels_last)
    assert fast.laid_out(torch.rand(2, channels, 5, 7)).stride() == (35 * channels, 1, 7 * channels, channels)


def test_compile_falls_back(monkeypatch):
    def broken(model):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.warns(UserWarning, match=r"without torch.compile.*no C\+\+ compiler"):
        history = run(make_net(), batches(), compile=True)
    assert len(history.rows) == 2 and history.settings["compiled"] is False


# Modes, randomness, interruption


def test_modes_and_random_state_of_the_caller():
    net, data = make_net(dropout=0.5), image_data()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    run(net, data.train(16), data.validation())
    assert not net.training and torch.equal(torch.get_rng_state(), state)
    for mode in (True, False):
        net.train(mode)
        net[2].train(not mode)  # a part may be in another mode than the whole, such as frozen statistics
        evaluate(net, data.test())
        assert net.training is mode and net[2].training is not mode
        with pytest.raises(ValueError, match="net must take X"):
            run(net, [(torch.zeros(2, 3, 8, 8), torch.zeros(2).long())])
        assert net.training is mode and net[2].training is not mode


# In a process of its own: what was freed before leaves holes in the heap, and one of them may serve the last tensor.
KEPT = """
import ctypes, os
from pathlib import Path
import torch
from torch import nn
from d2lcnn.training import fit

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ["arena", "ordblks", "smblks", "hblks", "hblkhd"]]
    _fields_ += [(f"other_{k}", ctypes.c_size_t) for k in range(5)]

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
mapped = []

class Net(nn.Linear):
    def forward(self, X):
        before = libc.mallinfo2().hblks
        tensor = torch.zeros(2**26)
        mapped.append(libc.mallinfo2().hblks - before)
        return super().forward(X) + 0 * len(tensor)

net, batches = Net(4, 3), [(torch.randn(2, 4), torch.tensor([0, 1]))]
settings = {"epochs": 1, "lr": 0.1, "progress": False, "device": "cpu"}
fit(nn.Linear(4, 3), batches, **settings)  # libraries are loaded at their first use, and stay
net(batches[0][0])
before = resident()
fit(net, batches, **settings)
grown = resident() - before
blocks = libc.mallinfo2().hblks
# Larger than all holes that the others may have left, which are of addresses without memory; never filled.
larger = torch.empty(2**29)
# A block of its own from the system before and after, none while training; and the 256 MB are not held on to.
assert mapped[0] == 1 and len(mapped) > 2 and not any(mapped[1:]), mapped
assert libc.mallinfo2().hblks - blocks == 1 and len(larger)
assert grown < 2**27, grown
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc hands memory back so soon")
def test_memory_is_kept_for_the_next_step_and_given_back_in_the_end():
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_evaluate_draws_no_dropout_and_takes_a_generator():
    net, data = make_net(dropout=0.5), batches()
    assert net.training
    assert evaluate(net, data) == evaluate(net, (batch for batch in data))


@pytest.mark.parametrize("threads", [1, 2])
def test_same_seed_same_bits(threads):
    torch.set_num_threads(threads)

    def trained(seed):
        net, data = make_net(dropout=0.5), image_data()
        history = run(net, data.train(16), data.validation(), epochs=3, seed=seed)
        return weights(net), history["loss"], history["val_loss"]

    first, second, other = trained(0), trained(0), trained(1)
    assert same_bits(first[0], second[0]) and first[1:] == second[1:]
    assert not same_bits(first[0], other[0])


def test_seeds_of_epochs_differ():
    keys = [(seed, epoch, rank) for seed in (0, 1, 2**40) for epoch in range(50) for rank in range(4)]
    assert len({mix(*key) for key in keys}) == len(keys)


def test_interrupt_returns_the_history(capsys):
    data = image_data()
    steps = len(data.train(16))
    net = At(make_net(), steps + 2, interrupt)
    before = weights(net)
    history = run(net, data.train(16), data.validation(), epochs=5)
    assert history["epoch"] == [1] and not net.training
    assert not same_bits(before, weights(net))
    assert 0 <= evaluate(net, data.test()).accuracy <= 1
    assert "interrupted in epoch 2" in capsys.readouterr().out


def test_interrupt_in_the_first_epoch():
    history = run(At(make_net(), 1, interrupt), batches())
    assert history.rows == [] and history.last == {} and repr(history) == "no epoch finished"


# Errors


@pytest.mark.parametrize("read_every", [1, 3, 50])
def test_loss_that_is_not_finite(monkeypatch, read_every):
    # A GPU's losses are read many at once, and the first bad one must still be named.
    monkeypatch.setitem(loop._READ_EVERY, "cpu", read_every)
    net = At(make_net(), 8, lambda Y: Y * math.inf)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = OneCycleLR(optimizer, 0.5, total_steps=15, cycle_momentum=False)
    for _ in range(7):
        optimizer.step()
        schedule.step()
    lr = f"{schedule.get_last_lr()[0]:.3g}"
    with pytest.raises(FloatingPointError, match=re.escape(f"epoch 2, step 3 of 5, at learning rate {lr};")):
        run(net, batches((4,) * 5), epochs=3, lr=0.5)
    assert not net.training


def test_validation_loss_that_is_not_finite():
    val = [(torch.full((4, 1, 8, 8), math.inf), torch.zeros(4, dtype=torch.int64))]
    with pytest.raises(FloatingPointError, match="the validation loss became nan after epoch 1"):
        run(make_net(), batches(), val)


def test_a_length_that_is_not_true_or_not_known():
    class Short(list):
        def __len__(self):
            return 5

    for given, gave in ((batches(), "3"), (batches((4,) * 6), "more")):
        with pytest.raises(ValueError, match=f"as many batches as its length says, 5; it gave {gave}"):
            run(make_net(), Short(given), epochs=1)

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(batches())

    with pytest.raises(TypeError, match="train must know how many batches it holds"):
        run(make_net(), torch.utils.data.DataLoader(Stream(), batch_size=None))


X, y = batches((4,))[0]


@pytest.mark.parametrize(
    ("train", "error", "message"),
    [
        ((b for b in [(X, y)]), TypeError, "train must give its batches anew each epoch, but a generator"),
        (iter([(X, y)]), TypeError, "list_iterator"),
        ([], ValueError, "train must hold at least one batch"),
        (7, TypeError, r"train must be batches \(X, y\), got 7"),
        (lambda: [(X, y)], TypeError, "train must be batches .*got the function <lambda>, not yet called"),
        (X, TypeError, r"train must be batches .*got Tensor of torch.float32 and shape \(4, 1, 8, 8\)"),
        ([X], TypeError, "a batch must be a pair of tensors .*got Tensor"),
        ([(X, y, y)], TypeError, "a batch must be a pair of tensors .*got tuple of 3: Tensor, Tensor, Tensor"),
        (
            [(X.numpy(), y)],
            TypeError,
            "a batch must be a pair of tensors .*got tuple of 2: ndarray, Tensor; torch.as_t",
        ),
        ([((X * 255).to(torch.uint8), y)], TypeError, "X must be floating.*uint8"),
        ([(X[0, 0, 0], y)], TypeError, r"X must be floating, of shape \(N, \.\.\.\)"),
        ([(X, y.float())], TypeError, "y must be integer class numbers.*float32"),
        ([(X, F.one_hot(y, 3))], TypeError, r"y must be .*\(4, 3\)"),
        ([(X, y[:3])], ValueError, "same length, got 4 and 3"),
        ([(X, y + 3)], ValueError, r"y must lie in \[0, 3\)"),
        ([(X, y - 3)], ValueError, r"y must lie in \[0, 3\)"),
        ([(X[:0], y[:0])], ValueError, "train must hold examples, its first batch has none"),
        ([(X.repeat(1, 3, 1, 1), y)], ValueError, r"net must take X of shape \(4, 3, 8, 8\), the first batch of train"),
    ],
)
def test_batches_that_do_not_fit(train, error, message):
    net = make_net()
    before = weights(net)
    with pytest.raises(error, match=message):
        run(net, train)
    assert same_bits(before, weights(net))


def test_later_batches_are_checked_too():
    with pytest.raises(ValueError, match=r"y must lie in \[0, 3\).*got 3 to 3"):
        run(make_net(), [(X, y), (X, torch.full((4,), 3))])
    with pytest.raises(TypeError, match="X must be floating"):
        run(make_net(), [(X, y), (X.int(), y)])
    with pytest.raises(ValueError, match=r"net must take X of shape \(4, 1, 8, 4\), but: .*144"):
        run(make_net(), [(X, y), (X[..., :4], y)])
    with pytest.raises(ValueError, match=r"net must take X of shape \(4, 1, 8, 4\), but: .*144"):
        evaluate(make_net(), [(X, y), (X[..., :4], y)])


def test_too_little_memory_is_said_as_torch_says_it():
    def full(X):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.cuda.OutOfMemoryError):
        run(At(make_net(), 2, full), batches())


def test_validation_batches_are_tried_before_training():
    net = make_net()
    before = weights(net)
    with pytest.raises(ValueError, match="first batch of val"):
        run(net, [(X, y)], [(X[:, :, :4], y)])
    assert same_bits(before, weights(net))


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.Sequential(nn.Conv2d(1, 3, 3)), r"net must give scores of shape \(N, classes\).*got \(2, 3, 6, 6\)"),
        (make_net(classes=2), "net must have 3 outputs, one a class, got 2"),
        (make_net().half(), "net must have float32 weights"),
    ],
)
def test_nets_that_do_not_fit(net, message):
    with pytest.raises(ValueError, match=message):
        run(net, image_data().train(16))


def test_fewer_outputs_than_classes_is_seen_where_no_label_shows_it():
    data = image_data()
    source = data.train(16)
    source.num_classes = 4
    with pytest.raises(ValueError, match="net must have 4 outputs, one a class, got 3"):
        run(make_net(), source)
    source = data.test()
    source.num_classes = 4
    with pytest.raises(ValueError, match="net must have 4 outputs, one a class, got 3"):
        evaluate(make_net(), source)


def wrong_arguments():
    net, other = make_net(), make_net()
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    yield net, {"epochs": 0}, "epochs must be a whole number above 0, got 0"
    yield net, {"epochs": 1.5}, "epochs must be"
    yield net, {"epochs": True}, "epochs must be"
    yield net, {"lr": None}, "give either lr or an optimizer"
    yield net, {"optimizer": sgd, "lr": 0.1}, "give either lr or an optimizer"
    yield net, {"lr": -1}, "lr must be a number above 0, got -1"
    yield net, {"lr": math.nan}, "lr must be a number above 0, got nan"
    yield net, {"weight_decay": -1}, "weight_decay must be a number of at least 0, got -1"
    yield net, {"weight_decay": "no"}, "weight_decay must be a number of at least 0, got 'no'"
    yield net, {"lr": "0.1"}, "lr must be a number above 0, got '0.1'"
    yield net, {"device": "abacus"}, "device must be one that there is here, such as cpu, got 'abacus'"
    yield make_net().requires_grad_(False), {}, "net must have parameters that require gradients, got none"
    yield other, {"optimizer": sgd}, "optimizer must be of this net's parameters"
    yield net, {"schedule": "cosine"}, "schedule must be .*'cosine'"
    yield net, {"schedule": LambdaLR(sgd, lambda step: 1)}, "schedule must be of the optimizer given"
    yield net, {"optimizer": sgd, "schedule": ReduceLROnPlateau(sgd)}, "steps without a metric"
    yield net, {"precision": "fp8"}, 'precision must be "auto"'
    yield net, {"checkpoint": "nowhere"}, "checkpoint needs batches of an ImageData: a list cannot say"


@pytest.mark.parametrize(("net", "options", "message"), list(wrong_arguments()))
def test_wrong_arguments(net, options, message):
    with pytest.raises(ValueError, match=message):
        run(net, batches(), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 0.5}, "seed must be a whole number, got 0.5"),
        ({"optimizer": "adam"}, "optimizer must be one of"),
        ({"optimizer": torch.optim.LBFGS(make_net().parameters())}, "an LBFGS asks for several"),
    ],
)
def test_arguments_of_the_wrong_type(options, message):
    with pytest.raises(TypeError, match=message):
        run(make_net(), batches(), **options)


def a_net():
    """Parentheses forgotten."""


def test_what_is_no_net_and_what_is_no_batches():
    data, net = image_data(), make_net()
    for wrong, got in (
        (a_net, "the function a_net, not yet called"),
        (nn.Sequential, "the class Sequential"),
        (7, "7"),
    ):
        for call in (lambda wrong=wrong: run(wrong, batches()), lambda wrong=wrong: evaluate(wrong, batches())):
            with pytest.raises(TypeError, match=rf"net must be a torch\.nn\.Module, got {got}"):
                call()
    with pytest.raises(TypeError, match=r"net must be .*, got a Batches"):
        evaluate(data.test(), net)
    with pytest.raises(TypeError, match=r"batches must be .*, got the function test, not yet called: put parentheses"):
        evaluate(net, data.test)
    with pytest.raises(TypeError, match=r"batches must be batches \(X, y\), got Tensor of torch.float32"):
        evaluate(net, torch.zeros(2, 1, 8, 8))


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_gradients_are_there_whatever_the_caller_has_switched_off(context):
    net, other, train = make_net(), make_net(), batches()
    run(net, train, train)
    with context():
        run(other, train, train)
    assert same_bits(weights(net), weights(other))


@pytest.mark.parametrize(
    "train",
    [
        batches((8, 1)),
        torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*map(torch.cat, zip(*batches((9,))))), batch_size=8),
        image_data(90).train(71),
    ],
)
def test_a_batch_of_one_image_is_refused_where_batch_normalisation_needs_more(train):
    needs = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 3))
    before = weights(needs)
    with pytest.raises(ValueError, match=r"train must not hold a batch of a single image.*choose another batch size"):
        run(needs, train)
    assert same_bits(before, weights(needs))
    run(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 3)), train, epochs=1)
    # Where it is not known before.
    hidden = Whole(batches((8, 1)))
    with pytest.raises(ValueError, match=r"net must take X of shape \(1, 1, 8, 8\), but: Expected more than 1 value"):
        run(needs, hidden)


class Whole:
    """Batches that do not show their sizes."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_looked_for_in_the_data_first(bad):
    train = batches((8, 8, 8))
    train[1][0][3, 0, 2, 2] = bad
    with pytest.raises(FloatingPointError, match="X of batch 2 holds 1 values that are nan or infinite: mend the data"):
        run(make_net(), train)
    with pytest.raises(FloatingPointError, match="validation loss became nan after epoch 1; X of batch 2 holds 1 val"):
        run(make_net(), batches(), train)


def test_evaluate_checks_its_batches():
    ((X, y),) = batches((8,))
    wrong = ((ValueError, (X, y + 3)), (ValueError, (X, y - 3)), (TypeError, (X.int(), y)))
    for error, batch in wrong:
        with pytest.raises(error, match=r"y must lie in|X must be floating"):
            evaluate(make_net(), [batch])


def test_evaluate_keeps_no_graph():
    net, enabled = make_net(), []
    net.register_forward_hook(lambda *_: enabled.append(torch.is_grad_enabled()))
    evaluate(net, batches())
    assert enabled == [False] * 3


def test_evaluate_without_examples():
    with pytest.raises(ValueError, match="must hold examples"):
        evaluate(make_net(), [])


# History


def test_loading_and_computing_are_told_apart():
    class Slow(nn.Flatten):
        def forward(self, X):
            time.sleep(0.05 * self.training)
            return super().forward(X)

    history = run(nn.Sequential(Slow(), nn.Linear(64, 3)), batches((4,) * 5), epochs=1)
    load, compute = history.last["load_seconds"], history.last["compute_seconds"]
    assert compute > 0.24 and load < 0.5 * compute and history.seconds == pytest.approx(load + compute)


def test_history():
    data = image_data()
    history = run(make_net(), data.train(16), data.validation())
    names = {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}
    assert set(history.last) == names | {"load_seconds", "compute_seconds", "images_per_second"}
    assert history.last is history.rows[-1] and history["epoch"] == [1, 2]
    for row in history.rows:
        seconds = row["load_seconds"] + row["compute_seconds"]
        assert row["load_seconds"] > 0 and row["compute_seconds"] > 0
        assert row["images_per_second"] == pytest.approx(data.train(16).num_examples / seconds)
    assert json.loads(history.to_json()) == {"rows": history.rows, "settings": history.settings}
    assert "\n" not in repr(history) and len(repr(history)) < 160
    assert "2 epochs" in repr(history) and f"{history.last['val_accuracy']:.4f}" in repr(history)


def test_history_without_validation():
    history = run(make_net(), batches())
    assert history.last["val_loss"] is None and "validation" not in repr(history)
    assert json.loads(history.to_json())["rows"][0]["val_accuracy"] is None


def test_history_plot(monkeypatch):
    import d2lcnn.figures

    drawn = []
    monkeypatch.setattr(d2lcnn.figures, "plot_history", drawn.append)
    history = History([], {})
    history.plot()
    assert drawn == [history]


def test_progress_leaves_one_line(capsys):
    history = run(make_net(), batches(), progress=True)
    out, err = capsys.readouterr()
    assert out == f"{history}\n"
    assert "6" in err and "\n" not in err.rstrip() and err.endswith(" \r")
    run(make_net(), batches(), progress=False)
    assert capsys.readouterr() == ("", "")


# Checkpoints


def checkpointed(path, net=None, **options):
    """A run with dropout and a validation set; returns the net and its History."""
    net = net or make_net(dropout=0.5)
    data = image_data()
    return net, run(net, data.train(16), data.validation(), **{"epochs": 4, "checkpoint": path} | options)


def without_times(history):
    return [
        {name: row[name] for name in ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")} for row in history.rows
    ]


@pytest.mark.parametrize("precision", ["auto", "fp16"])
def test_interrupted_and_restarted_ends_in_the_same_bits(tmp_path, precision):
    expected, whole = checkpointed(tmp_path / "whole", At(make_net(dropout=0.5), 0, None), precision=precision)
    path = tmp_path / "run"
    for stop in (8, 6):
        _, part = checkpointed(path, At(make_net(dropout=0.5), stop, interrupt), precision=precision)
        assert 0 < len(part.rows) < 4
    net, history = checkpointed(path, At(make_net(dropout=0.5), 0, None), precision=precision)
    assert same_bits(weights(net), weights(expected))
    assert without_times(history) == without_times(whole)
    scalers = [torch.load(tmp_path / name, weights_only=True)["scaler"] for name in ("whole", "run")]
    assert scalers[0] == scalers[1] and bool(scalers[0]) is (precision == "fp16")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("run")] == ["run"]


def test_own_optimizer_goes_on_too(tmp_path):
    def trained(path, stop):
        net = At(make_net(dropout=0.5), stop, interrupt)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        schedule = LambdaLR(optimizer, lambda step: 0.9**step)
        # As in a notebook, where the cell may be run again with the objects that are there.
        for _ in range(2):
            checkpointed(path, net, optimizer=optimizer, schedule=schedule, lr=None)
        return net

    expected = trained(tmp_path / "whole", 0)
    trained(tmp_path / "run", 12)
    assert same_bits(weights(trained(tmp_path / "run", 0)), weights(expected))


def test_what_a_scheduler_computes_by_numpy_can_be_read_again(tmp_path):
    for _ in range(2):
        net = make_net()
        optimizer = torch.optim.SGD(net.parameters(), lr=np.float64(0.1))
        schedule = LambdaLR(optimizer, lambda step: 0.5 * (1 + np.cos(step / 12)))
        _, history = checkpointed(tmp_path / "run", net, optimizer=optimizer, schedule=schedule, lr=None)
        assert len(history.rows) == 4


def test_state_that_is_no_tensor():
    class Counting(nn.Linear):
        def get_extra_state(self):
            return {"seen": 1}

        def set_extra_state(self, state):
            pass

    run(nn.Sequential(nn.Flatten(), Counting(64, 3)), batches())


def test_a_single_step_is_at_the_learning_rate():
    net, start = make_net(), weights(make_net())
    run(net, batches((8,)), epochs=1, lr=0.1)
    moved = (weights(net)["4.bias"] - start["4.bias"]).abs().max().item()
    assert moved == pytest.approx(0.1, rel=0.05)


def test_finished_run_is_loaded_not_repeated(tmp_path):
    expected, whole = checkpointed(tmp_path / "run")
    net, history = checkpointed(tmp_path / "run", At(make_net(dropout=0.5), 1, interrupt).net)
    assert same_bits(weights(net), weights(expected)) and history.rows == whole.rows


def test_checkpoint_loads_as_weights_only(tmp_path):
    net, _ = checkpointed(tmp_path / "run")
    state = torch.load(tmp_path / "run", weights_only=True)
    assert same_bits(state["net"], weights(net)) and state["rows"][-1]["epoch"] == 4


def damages(data):
    yield b""
    yield b"not a checkpoint"
    yield data[: len(data) // 2]
    yield data[:-1]
    where = data.index(b"data/0") + 200
    yield data[:where] + bytes([data[where] ^ 1]) + data[where + 1 :]


def test_damaged_checkpoint_is_reported_and_not_used(tmp_path):
    path = tmp_path / "run"
    checkpointed(path)
    count = 0
    for damaged in damages(path.read_bytes()):
        path.write_bytes(damaged)
        net = make_net(dropout=0.5)
        before = weights(net)
        with pytest.raises(
            RuntimeError, match=r"run cannot be read \(.*\): it is damaged, or no checkpoint of fit; give"
        ):
            checkpointed(path, net)
        assert same_bits(before, weights(net)) and path.read_bytes() == damaged
        count += 1
    assert count == 5


@pytest.mark.parametrize("other", [{"something": "else"}, make_net().state_dict(), torch.ones(3), {"recipe": {}}])
def test_a_file_that_is_not_ours_is_not_to_be_deleted(tmp_path, other):
    path = tmp_path / "run"
    torch.save(other, path)
    before = path.read_bytes()
    with pytest.raises(
        RuntimeError, match=r"is no checkpoint of fit but another file of torch \(it holds .*\); give"
    ) as got:
        checkpointed(path)
    assert "delete" not in str(got.value) and len(str(got.value)) < 300 and path.read_bytes() == before


def test_a_checkpoint_holds_no_objects(tmp_path):
    # Were it read with weights_only=False, it would be one of another run.
    torch.save({"recipe": {}, "rows": [Fraction(1, 2)]}, tmp_path / "run")
    with pytest.raises(RuntimeError, match="cannot be read"):
        checkpointed(tmp_path / "run")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 5}, "epochs was 4 and is 5 now"),
        ({"lr": 0.02}, r"optimizer\.0\.lr was 0\.01 and is 0\.02 now"),
        ({"seed": 1}, "seed was 0 and is 1 now"),
        ({"schedule": None}, "schedule was one-cycle"),
        ({"precision": "fp16"}, r"precision was \w+ and is fp16 now"),
        ({"net": make_net(classes=4)}, r"net\.4\.weight was \(3, 144\) and is \(4, 144\) now"),
        ({"net": nn.Sequential(*make_net(dropout=0.5), nn.Sigmoid())}, "net was Sequential .* and is .* Sigmoid now"),
    ],
)
def test_checkpoint_of_another_run_is_refused(tmp_path, options, message):
    path = tmp_path / "run"
    checkpointed(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="is of another run: " + message) as got:
        checkpointed(path, **options)
    assert path.read_bytes() == before and len(str(got.value)) < 300
    # A run of another precision is worth going on with.
    assert ('precision="' in str(got.value)) is ("precision" in options) is not ("delete it" in str(got.value))


def test_checkpoint_of_other_data_is_refused(tmp_path):
    path, data = tmp_path / "run", image_data()
    net = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16, 3))
    run(net, data.train(16), checkpoint=path)
    ours = (data.train(20), data.train(16, seed=1), data.train(16, size=9), data.train(16, augment=Augment(shift=1)))
    for other in (*ours, image_data(120).train(16)):
        with pytest.raises(ValueError, match="is of another run"):
            run(net, other, checkpoint=path)


def test_checkpoint_needs_a_folder(tmp_path):
    for path in (tmp_path / "missing" / "run", tmp_path):
        with pytest.raises(ValueError, match="checkpoint must be a file in a folder that is there"):
            checkpointed(path)


def test_a_checkpoint_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(path)

    checkpointed(tmp_path / "run")
    monkeypatch.setattr(checkpoints.zipfile, "ZipFile", refuse)
    with pytest.raises(PermissionError):
        checkpointed(tmp_path / "run")


def test_dying_while_writing_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "run"
    saves, save = [], torch.save

    def dies(state, file):
        saves.append(state)
        if len(saves) == 3:
            file.write(b"half a checkpoint")
            raise OSError("disk full")
        save(state, file)

    monkeypatch.setattr(torch, "save", dies)
    with pytest.raises(OSError, match="disk full"):
        checkpointed(path)
    monkeypatch.undo()
    assert not Path(f"{path}.part").exists()
    assert len(torch.load(path, weights_only=True)["rows"]) == 2
    net, _ = checkpointed(path)
    assert same_bits(weights(net), weights(checkpointed(None)[0]))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_is_named(tmp_path, monkeypatch):
    # As torch reports it: an error of its own, raised while the disk's is handled.
    opened = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *args, **options: opened(Path("/dev/full"), *args, **options))
    with pytest.raises(OSError, match="No space left on device"):
        checkpointed(tmp_path / "run")


KILLED = """
import sys, torch
sys.path.insert(0, {tests!r})
torch.set_num_threads(1)
from test_training import image_data, make_net, run
data = image_data(1500)
net = make_net(dropout=0.5)
history = run(net, data.train(16), data.validation(), epochs=12, checkpoint=sys.argv[1])
torch.save(net.state_dict(), sys.argv[1] + ".final")
"""


def test_killed_and_restarted_ends_in_the_same_bits(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(KILLED.format(tests=str(Path(__file__).parent)))

    def start(name):
        return subprocess.Popen([sys.executable, str(script), str(tmp_path / name)], stdout=subprocess.DEVNULL)

    data, net = image_data(1500), make_net(dropout=0.5)
    epoch_seconds = run(net, data.train(16), data.validation(), epochs=12).seconds / 12
    expected = weights(net)

    path, found = tmp_path / "run", []
    for _ in range(2):
        process, last = start("run"), path.stat().st_mtime_ns if path.exists() else None
        while process.poll() is None and (not path.exists() or path.stat().st_mtime_ns == last):
            time.sleep(0.005)
        time.sleep(random.uniform(0, 2 * epoch_seconds))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        found.append(len(torch.load(path, weights_only=True)["rows"]))
    assert 0 < found[0] < found[1] < 12, found
    assert start("run").wait(300) == 0
    assert same_bits(torch.load(f"{path}.final", weights_only=True), expected)
    assert not Path(f"{path}.part").exists()
