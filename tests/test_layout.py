"""fit and evaluate compute what a plain loop computes, whatever layout, precision and optimizer they choose."""

import copy
import json
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from d2lcnn.training import evaluate, fit, layout
from d2lcnn.training.layout import is_ordinary, settled
from d2lcnn.training.machine import Machine

CPU = Machine(torch.device("cpu"), torch.float32, "fp32")


@pytest.fixture(autouse=True)
def _one_thread(one_thread):
    """Small nets."""


def batches(channels=3, size=16, n=8):
    torch.manual_seed(1)
    return [(torch.rand(n, channels, size, size), torch.arange(n) % 2)]


def chosen(net, X, **options):
    return settled(net, CPU, [X[:2]], **{"trains": True, "may_lower": False} | options).layout


def run(net, train, val=None, **options):
    return fit(net, train, val, **{"epochs": 1, "lr": 0.1, "progress": False, "device": "cpu"} | options)


# Random small networks, one step of fit on each beside a loop of torch's own. Each net has a process of its own, so
# that one that crashes, hangs or overwrites memory fails alone. ONEDNN_MAX_CPU_ISA makes a processor compute as one
# without AVX-512 does.
ONE_STEP = """
import copy, json, os, random, sys, time
import torch
import torch.nn.functional as F
from torch import nn
from d2lcnn import evaluate, fit

class View(nn.Module):
    def forward(self, X):
        return X.view(len(X), -1)

class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut
    def forward(self, X):
        return F.relu(self.body(X) + self.shortcut(X))

def convolution(rng, c, side):
    k = rng.choice([1, 1, 1, 2, 3, 3, 5])
    d = rng.choice([1, 1, 1, 2])
    p = rng.choice([0, 0, 1, 2])
    while side + 2 * p < d * (k - 1) + 1:
        k, d, p = max(1, k - 1), 1, max(p, 1)
    g = rng.choice([g for g in range(1, c + 1) if c % g == 0] if rng.random() < 0.3 else [1])
    s = rng.choice([1, 1, 2, 2, 3])
    out = g * rng.choice([1, 2, 3, 6, 8])
    return nn.Conv2d(c, out, k, s, p, d, g, bias=rng.random() < 0.7), out

def network(rng):
    c, side = rng.choice([1, 2, 3, 4, 7, 8, 16]), rng.randint(5, 20)
    shape, layers = (c, side, side), []
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.3:
            out, s = rng.choice([4, 6, 8, 16]), rng.choice([1, 2])
            body = nn.Conv2d(c, out, 3, s, 1), nn.BatchNorm2d(out), nn.ReLU(), nn.Conv2d(out, out, 3, 1, 1)
            layers.append(Residual(nn.Sequential(*body), nn.Conv2d(c, out, 1, s)))
        else:
            layer, out = convolution(rng, c, side)
            layers.append(layer)
            layers += [nn.BatchNorm2d(out)] if rng.random() < 0.4 else []
            layers.append(rng.choice([nn.ReLU(), nn.Sigmoid(), nn.Tanh()]))
        c = out
        side = nn.Sequential(*layers).eval()(torch.zeros(1, *shape)).shape[-1]
        if side >= 4 and rng.random() < 0.4:
            layers.append(rng.choice([nn.MaxPool2d(2), nn.AvgPool2d(3, 2, 1), nn.MaxPool2d(3, 2)]))
            side = nn.Sequential(*layers).eval()(torch.zeros(1, *shape)).shape[-1]
    layers += [rng.choice([View(), nn.Flatten()]), nn.Linear(c * side * side, 3)]
    return nn.Sequential(*layers).train(), shape

def check(seed, threads, precision):
    rng = random.Random(seed)
    torch.manual_seed(seed)
    net, shape = network(rng)
    X, y = torch.randn(rng.choice([2, 5, 8]), *shape), torch.randint(3, (8,))
    y = y[: len(X)]
    plain, before = copy.deepcopy(net), copy.deepcopy(net).state_dict()
    plain.zero_grad()
    F.cross_entropy(plain(X), y).backward()
    torch.set_num_threads(threads)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    settings = {"optimizer": optimizer, "schedule": None, "precision": precision, "progress": False, "device": "cpu"}
    history = fit(net, [(X, y)], epochs=1, **settings)
    tolerance = 0.3 if history.settings["precision"] == "bf16" else 2e-3
    size = sum(float(p.grad.square().sum()) for p in plain.parameters()) ** 0.5 + 1e-3
    for (name, p), q in zip(plain.named_parameters(), net.parameters()):
        wrong = float((before[name] - q.detach() - p.grad).norm())
        assert wrong <= tolerance * size, f"{name}: gradient off by {wrong:.3g}, all of them {size:.3g}"
        assert q.is_contiguous(), name
    wanted = F.cross_entropy(net.eval()(X), y).item()
    assert abs(evaluate(net, [(X, y)], precision=precision).loss - wanted) <= tolerance * (1 + wanted), "loss"

torch.set_num_threads(1)  # a process with more must not be forked
check(0, 1, "auto")
failed = []
for seed in range(int(sys.argv[1]), int(sys.argv[2])):
    child = os.fork()
    if not child:
        try:
            check(seed, 1 + seed % 2, "auto" if seed // 2 % 2 else "fp32")
        except BaseException as error:
            print(f"seed {seed}: {error!r}", flush=True)
            os._exit(1)
        os._exit(0)
    end = time.monotonic() + 60
    while not (done := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < end:
        time.sleep(0.002)
    if not done[0]:
        os.kill(child, 9)
        os.waitpid(child, 0)
    if done != (child, 0):
        failed.append((seed, done[1] if done[0] else "hangs"))
print(json.dumps(failed))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process a net takes too long where none can be forked")
@pytest.mark.parametrize("processor", ["AVX2", "DEFAULT"])
def test_one_step_of_fit_is_one_step_of_a_plain_loop(processor):
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": processor, "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", ONE_STEP, "1", "61"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and json.loads(done.stdout.splitlines()[-1]) == [], done.stdout + done.stderr[-2000:]


# The rule


def ordinary(size, weight, stride=1, padding=0, dilation=1, transposed=False):
    return is_ordinary((2, 8, *size), weight, *([v] * 2 for v in (stride, padding, dilation)), transposed)


@pytest.mark.parametrize("layer", [(11, 4, 0), (5, 1, 2), (3, 1, 1), (3, 2, 1), (7, 2, 3), (1, 1, 0)])
def test_the_books_layers_are_ordinary(layer):
    k, stride, padding = layer
    assert ordinary((28, 28), (16, 8, k, k), stride, padding)


def test_what_onednn_gets_wrong_is_not_ordinary():
    # A stride on 1x1 and few channels: memory is overwritten, on channels_last.
    assert not ordinary((9, 9), (6, 15, 1, 1), stride=2) and ordinary((9, 9), (6, 16, 1, 1), stride=2)
    # In bfloat16: places of the kernel, and outputs, in the padding alone.
    assert not ordinary((6, 1), (32, 24, 3, 3), stride=2, padding=1) and not ordinary((1, 1), (4, 8, 3, 3), padding=1)
    assert not ordinary((4, 4), (4, 16, 1, 1), padding=1)
    # Kernels that do not overlap; strides that differ; another kind of convolution.
    assert not ordinary((11, 3), (32, 1, 3, 3), stride=4) and not ordinary((8, 4), (1, 24, 4, 4), stride=4)
    assert not is_ordinary((2, 1, 7, 7), (8, 1, 5, 5), (1, 3), (0, 0), (1, 1))
    assert not is_ordinary((2, 1, 20), (8, 1, 5), (3,), (0,), (1,)) and is_ordinary(
        (2, 1, 20), (8, 1, 5), (1,), (0,), (1,)
    )
    assert not ordinary((9, 9), (8, 4, 3, 3), transposed=True) and not is_ordinary(
        (1, 1, 5, 5, 5), (1, 1, 3, 3, 3), *[[1] * 3] * 3
    )


class Functional(nn.Module):
    """The convolution that oneDNN gets wrong, called as a function."""

    def __init__(self):
        super().__init__()
        self.first, self.kernel = nn.Conv2d(3, 4, 3), nn.Parameter(torch.rand(4, 4, 1, 1))

    def forward(self, X):
        return F.conv2d(self.first(X), self.kernel, stride=2).mean((2, 3))


class Auxiliary(nn.Module):
    """It has a part that runs in training alone."""

    def __init__(self, part):
        super().__init__()
        self.conv, self.part, self.seen = nn.Conv2d(3, 4, 3, padding=1), part, 0

    def forward(self, X):
        X = self.conv(X)
        self.seen += 1
        return X.mean((2, 3)) + (self.part(X).mean() if self.training else 0)


class Viewing(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4 * 14 * 14, 2)

    def forward(self, X):
        return self.fc(self.conv(X).view(len(X), -1))


class Striding(nn.Module):
    """It reads memory instead of axes."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, X):
        return self.conv(X).as_strided((len(X), 4), (4 * 14 * 14, 1))


def test_the_layout_is_left_where_it_would_change_what_is_computed():
    X = batches()[0][0]
    strided = nn.Conv2d(4, 4, 1, stride=2)
    assert chosen(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()), X) is torch.channels_last
    for net in (Functional(), nn.Sequential(nn.Conv2d(3, 4, 3), strided, nn.Flatten()), Viewing(), Striding()):
        assert chosen(net, X) is torch.contiguous_format
    for part in (strided, nn.Sequential(nn.Conv2d(4, 4, 3), View())):
        net = Auxiliary(part)
        assert chosen(net, X) is torch.contiguous_format and chosen(net, X, trains=False) is torch.channels_last
        assert net.seen == 0


class View(nn.Module):
    def forward(self, X):
        return X.view(len(X), -1)


def test_tied_kernels_stay_tied():
    net = nn.Sequential(
        nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    net[1].weight = nn.Parameter(net[0].weight.data)
    assert chosen(net, batches()[0][0]) is torch.contiguous_format
    run(net, batches())
    assert torch.equal(net[0].weight, net[1].weight)


@pytest.mark.parametrize("make", [Viewing, Functional, lambda: Auxiliary(View())])
def test_every_net_that_takes_X_takes_it_in_fit_and_evaluate(make):
    net = make()
    before = copy.deepcopy(net.state_dict())
    run(net, batches(), batches())
    assert not all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    evaluate(net, batches())


def test_the_net_comes_out_in_the_layout_it_had():
    def make():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 2))

    net = make()
    kernel = net[0].weight
    alias = kernel.data.view(-1)
    run(net, batches())
    assert net[0].weight is kernel and kernel.is_contiguous() and torch.equal(alias, kernel.view(-1))
    assert net[0](batches()[0][0]).view(8, -1).shape == (8, 4 * 14 * 14)
    nn.utils.parameters_to_vector(net.parameters())
    other = make().to(memory_format=torch.channels_last)
    run(other, batches())
    assert other[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values()))
    # An error on the way leaves it so as well.
    train = [*batches(), (torch.full((8, 3, 16, 16), torch.nan), torch.arange(8) % 2)]
    with pytest.raises(FloatingPointError):
        run(net, train)
    assert kernel.is_contiguous()


def test_kernels_of_one_channel_are_laid_out_too():
    """Both orders say that they are these kernels'; oneDNN goes by the strides, and is half as fast by the others."""
    net, seen = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 14 * 14, 2)), []
    net.register_forward_pre_hook(lambda net, X: seen.append(net[0].weight.stride()) if net.training else None)
    run(net, batches(channels=1))
    assert seen == [(9, 1, 3, 1)] and net[0].weight.stride() == (9, 9, 3, 1)


def test_a_buffer_that_repeats_one_element_stays_so():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 14 * 14, 2))
    net.register_buffer("mask", torch.ones(1).expand(1, 4, 14, 14))
    run(net, batches())
    assert net.mask.stride() == (0, 0, 0, 0)


@pytest.mark.parametrize("fused", [False, True])
def test_an_optimizer_goes_on_where_a_loop_left_it(fused):
    """A fused one goes by memory alone: its moments must lie as the kernels do, in fit and after it."""

    def trained(with_fit):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 14 * 14, 2))
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, fused=fused)
        (X, y) = batches()[0]
        for step in range(3):
            if step == 1 and with_fit:
                run(net, [(X, y)], optimizer=optimizer, lr=None, schedule=None, precision="fp32")
                continue
            optimizer.zero_grad()
            F.cross_entropy(net(X), y).backward()
            optimizer.step()
        return net

    for p, q in zip(trained(False).parameters(), trained(True).parameters()):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gaps", [lambda W: W[:, ::2], lambda W: W.repeat(1, 2)[:, :8:2]])
def test_a_weight_with_gaps_in_memory_learns_as_any_other(gaps):
    def trained(make):
        torch.manual_seed(0)
        net = nn.Linear(4, 2)
        net.weight = nn.Parameter(make(torch.rand(2, 8)))
        torch.manual_seed(0)
        run(net, [(torch.rand(8, 4), torch.arange(8) % 2)] * 3)
        return net.weight

    torch.testing.assert_close(trained(gaps), trained(lambda W: gaps(W).contiguous()))


# Precision


class NoBfloat16(nn.Module):
    """It adds up in 32 bits, and torch does not add 16 to these in place."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, X):
        Y = self.conv(X).amax((2, 3))
        return torch.zeros(len(X), 4).index_add_(0, torch.arange(len(X)), Y)


@pytest.fixture
def has_bf16(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)


@pytest.mark.usefixtures("has_bf16")
def test_sixteen_bits_are_chosen_where_they_compute_the_same():
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    odd = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    uncopied = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3, stride=4))
    assert run(plain, batches()).settings["precision"] == "bf16"
    for net in (NoBfloat16(), odd, nn.Sequential(uncopied, nn.AdaptiveAvgPool2d(1), nn.Flatten())):
        assert run(net, batches(), batches()).settings["precision"] == "fp32"
        with torch.no_grad():
            X, y = batches()[0]
            assert evaluate(net, [(X, y)]).loss == pytest.approx(float(F.cross_entropy(net.eval()(X), y)), rel=1e-5)
    assert run(odd, batches(), precision="bf16").settings["precision"] == "bf16"
    with pytest.raises(ValueError, match="net must take X"):
        run(NoBfloat16(), batches(), precision="bf16")


def test_what_cannot_be_copied_keeps_its_layout():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 14 * 14, 2))
    net.lock = (n for n in range(3))
    assert layout.copied(net) is None and chosen(net, batches()[0][0]) is torch.contiguous_format
    run(net, batches(), batches())
    evaluate(net, batches())


def test_hooks_hear_nothing_of_the_trial():
    net = Viewing()
    heard = []
    net.conv.register_forward_hook(lambda *_: heard.append(1))
    evaluate(net, batches())
    assert heard == [1]


# The commonest wrappers


def test_compiled_and_parallel_nets(monkeypatch):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 14 * 14, 2))
    for wrapped in (nn.DataParallel(net), torch.compile(net, backend="eager")):
        run(wrapped, batches(), batches())
        assert 0 <= evaluate(wrapped, batches()).accuracy <= 1 and net[0].weight.is_contiguous()
