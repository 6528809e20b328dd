"""What the checks say to right, wrong and absurd answers; solutions are checked in the notebooks."""

import importlib
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT
from torch import nn

import d2lcnn
from d2lcnn import checks

EXERCISES = [
    f"{path.stem.removeprefix('chapter')}.{name.removeprefix('exercise_')}"
    for path in sorted((ROOT / "d2lcnn" / "checks").glob("chapter*.py"))
    for name in vars(importlib.import_module(f"d2lcnn.checks.{path.stem}"))
    if re.fullmatch(r"exercise_\d+", name)
]


class Spoilt:
    """What fails only when somebody looks at it."""

    __hash__ = None

    def fail(self, *args):
        raise OSError("spoilt")

    __repr__ = __eq__ = __iter__ = __len__ = __float__ = __array__ = fail


def modern(relus, *end, padding=2):
    """LeNet with ReLU and maximum pooling, written out."""
    convolutions = [nn.Conv2d(1, 6, 5, padding=padding), next(relus), nn.MaxPool2d(2)]
    convolutions += [nn.Conv2d(6, 16, 5), next(relus), nn.MaxPool2d(2), nn.Flatten()]
    linear = [nn.Linear(400, 120), next(relus), nn.Linear(120, 84), next(relus), nn.Linear(84, 10)]
    return nn.Sequential(*convolutions, *linear, *end)


def lazy():
    relu, pool = nn.ReLU(), nn.MaxPool2d(2)
    convolutions = [nn.LazyConv2d(6, 5, padding=2), relu, pool, nn.LazyConv2d(16, 5), relu, pool, nn.Flatten()]
    return nn.Sequential(*convolutions, nn.LazyLinear(120), relu, nn.LazyLinear(84), relu, nn.LazyLinear(10))


def into_its_input(linear, X):
    return X.zero_()


@pytest.fixture
def say(capsys):
    def check(exercise, answer):
        d2lcnn.check(exercise, answer)
        return capsys.readouterr().out

    return check


def test_all_chapters_are_found():
    assert len(EXERCISES) >= 20
    assert {number.split(".")[0] for number in EXERCISES} >= set("12345")


@pytest.mark.parametrize("exercise", EXERCISES)
def test_untouched(say, exercise):
    for answer in (..., (..., ...), [1, ...]):
        assert say(exercise, answer).startswith(f"Exercise {exercise}: not tried yet.")


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize(
    "answer",
    [
        None,
        "x",
        object(),
        10**9,
        -1.5,
        torch.zeros(2, 3, 4, 5, 6),
        [],
        {},
        nn.Linear(2, 3),
        1 / np.arange(1, 4),
        lambda: 1,
        Spoilt(),
        (Spoilt(), Spoilt()),
        lambda *args: Spoilt(),
        nn.Sequential(*[nn.ReLU()] * 4, *[nn.MaxPool2d(2)] * 2),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_absurd_answers_are_not_right_and_never_raise(say, exercise, answer):
    assert re.match(rf"Exercise {exercise}: not (yet\. .|tried yet\.)", say(exercise, answer))


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_function_that_raises_or_returns_nothing(say, exercise):
    def raises(*args):
        raise KeyError("oops")

    assert f"Exercise {exercise}: not yet." in say(exercise, raises)
    assert "right!" not in say(exercise, lambda *args: None)


@pytest.mark.parametrize("exercise", ["1.3", "2.3", "2.4", "3.3", "4.2", "4.4", "5.4"])
def test_a_forgotten_return_is_told(say, exercise):
    said = say(exercise, lambda *args: None)
    assert said.startswith(f"Exercise {exercise}: not tried yet.") and "`return`" in said


@pytest.mark.parametrize(
    ("exercise", "slip", "hint"),
    [
        ("1.1", torch.tensor([[1.0, -1.0]]), "rows are all equal"),
        ("1.1", torch.tensor([1.0, -1.0]), "two axes"),
        ("1.1", torch.tensor([[-1.0], [1.0]]), "neighbour below"),
        ("1.2", 1, "Flip the kernel"),
        ("1.3", lambda X, K: d2lcnn.convolve2d(X, K), "3 by 3 input"),
        ("1.3", lambda X, K: d2lcnn.corr2d(X, K, padding=1), "shape"),
        ("1.4", 55, "1 + 4 * depth"),
        ("2.1", (3, 3), "rounded down"),
        ("2.2", 3, "smallest"),
        ("2.3", lambda n, k, padding, stride: (n + padding - k) % stride, "n=224, k=11, padding=2"),
        ("2.3", lambda n, k, padding, stride: 0, "stride=2 this is expected: 1; but it is 0."),
        ("2.4", lambda X, K: d2lcnn.corr2d(X, K), "5 by 6 input"),
        ("2.4", lambda X, K: d2lcnn.corr2d(X, K, padding=(len(K) - 1) // 2), "5 by 6 input"),
        ("3.1", 64 * 3 * 7 * 7, "bias"),
        ("3.2", torch.tensor([0.299, 0.587, 0.114]), "(1, 3, 1, 1)"),
        ("3.2", torch.full((1, 3, 1, 1), 1 / 3), "one red, one green and one blue"),
        ("3.3", lambda linear, X: linear(X.permute(1, 2, 0)), "shape (3, 2, 4)"),
        ("3.3", lambda linear, X: linear(X.reshape(8, 3)).T.reshape(2, 2, 4), "back"),
        ("3.3", lambda linear, X: linear(X), "your function raised RuntimeError"),
        ("3.3", into_its_input, "shape (2, 2, 4) is expected"),
        ("3.4", 31623, "fourth power"),
        ("3.4", 177, "fourth power"),
        ("4.1", (torch.ones(2, 2), 2), "counts equally"),
        ("4.1", (torch.full((2, 2), 0.25), 1), "overlap"),
        ("4.1", torch.full((2, 2), 0.25).unbind()[0], "a pair"),
        ("4.2", lambda X, size: d2lcnn.pool2d(-X, size), "expected: [[1.0, -2.0]]; but it is [[-1.0, 2.0]]"),
        ("4.2", lambda X, size: d2lcnn.pool2d(X, size), "negatives"),
        ("4.3", (27, 27), "rounded down"),
        ("4.4", lambda a, b: torch.relu(a - b), "exceeds"),
        ("4.4", lambda a, b: b.copy_(a), "exceeds"),
        ("5.1", 400, "16 channels"),
        ("5.2", d2lcnn.lenet(activation=nn.ReLU), "AvgPool2d"),
        ("5.2", d2lcnn.lenet(), "Sigmoid"),
        ("5.2", d2lcnn.lenet, "this is function"),
        ("5.2", modern(map(nn.ReLU, [False] * 4), nn.Softmax(1)), "leave the softmax out"),
        ("5.2", modern(map(nn.ReLU, [False] * 4), padding=0), "your network raised RuntimeError"),
        ("5.2", modern(iter([nn.ReLU(), nn.ReLU(), nn.Identity(), nn.Identity()])), "4 layers ReLU"),
        ("5.3", 3.0, "natural logarithm"),
        ("5.3", "6.91", "One number is expected, but this is '6.91'"),
        ("5.4", lambda confusion: confusion.diag().sum() / 10, "diagonal"),
        ("5.4", lambda confusion: confusion.diag() / confusion.sum(1), "One number"),
        ("5.4", lambda confusion: 100 * confusion.trace() / confusion.sum(), "expected: 0.75; but it is 75.0"),
    ],
)
def test_a_slip_gets_a_hint(say, exercise, slip, hint):
    said = say(exercise, slip)
    assert said.startswith(f"Exercise {exercise}: not yet.") and hint in said


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("1.1", torch.tensor([[1], [-1]])),
        ("1.1", [[1.0], [-1.0]]),
        ("1.1", np.array([[-1], [1]])[::-1]),
        ("1.1", torch.tensor([[0.1, 0.2, 0.7], [-0.1, -0.2, -0.7]])),
        ("1.1", nn.Parameter(torch.tensor([[0.5, 0.5], [-0.5, -0.5]]))),
        ("1.2", torch.tensor(-1)),
        ("1.2", np.array([[-1]])),
        ("1.3", lambda X, K: d2lcnn.corr2d(X, K).tolist()),
        ("1.3", lambda X, K: d2lcnn.corr2d(X.to(torch.int64), K.to(torch.int64)).numpy()),
        ("1.4", 56.0),
        ("1.4", torch.tensor(56)),
        ("2.1", [2, 2]),
        ("2.1", torch.Size([2, 2])),
        ("2.1", torch.tensor([2, 2])),
        ("2.1", (np.int64(2), torch.tensor(2.0))),
        ("2.2", 2.0),
        ("2.3", lambda n, k, padding, stride: torch.tensor([(n + 2 * padding - k) % stride])),
        ("2.4", lambda X, K: F.conv2d(X[None, None], K[None, None], padding="same")[0, 0]),
        ("3.1", np.int64(9472)),
        ("3.2", [[[[0.299]], [[0.587]], [[0.114]]]]),
        ("3.2", np.array([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)),
        ("3.4", torch.tensor(178)),
        ("3.3", lambda linear, X: torch.einsum("oc,chw->ohw", linear.weight, X) + linear.bias[:, None, None]),
        ("4.1", [torch.full((2, 2), 0.25), (2, 2)]),
        ("4.1", (np.full((2, 2), 0.25), np.int64(2))),
        ("4.1", ([[0.25, 0.25], [0.25, 0.25]], torch.tensor([2, 2]))),
        ("4.2", lambda X, size: -F.max_pool2d(-X[None], size)[0]),
        ("4.3", [26, 26]),
        ("4.3", np.array([26, 26])),
        ("4.4", lambda a, b: a + torch.relu(b - a)),
        ("4.4", lambda a, b: a.sub_(b).relu_().add_(b)),
        ("5.1", 576.0),
        ("5.2", modern(map(nn.ReLU, [False] * 4))),
        ("5.2", modern(iter([nn.ReLU()] * 4)).double()),
        ("5.2", lazy()),
        ("5.2", d2lcnn.lenet(activation=nn.ReLU, pool=nn.MaxPool2d)),
        ("5.3", 6.9078),
        ("5.3", torch.tensor(6.91)),
        ("5.4", lambda confusion: confusion.trace() / confusion.sum()),
        ("5.4", lambda confusion: np.trace(confusion.numpy()) / confusion.numpy().sum()),
    ],
)
@pytest.mark.filterwarnings("ignore:Using padding")
def test_right_in_another_form(say, exercise, answer):
    assert say(exercise, answer) == f"Exercise {exercise}: right!\n"


@pytest.mark.parametrize("exercise", ["9.9", "1.99", "x", 7, None, "1.1.1", ""])
def test_an_unknown_exercise_is_told(say, exercise):
    assert "There is no exercise" in say(exercise, 1)


def test_ctrl_c_is_not_swallowed():
    def interrupt(*args):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checks.check("1.3", interrupt)
