"""What the checks say to right, wrong and absurd answers; solutions are checked in the notebooks."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import d2lcnn
from d2lcnn import checks

EXERCISES = [f"{c}.{n}" for c in checks.CHAPTERS for n in checks._exercises(c)]


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


def row_by_row(X, K):
    k_h, k_w = K.shape
    Y = torch.zeros(X.shape[0] - k_h + 1, X.shape[1] - k_w + 1)
    for i in range(len(Y)):
        for a in range(k_h):
            for b in range(k_w):
                Y[i] += K[a, b] * X[i + a, b : b + Y.shape[1]]
    return Y


def into_its_input(linear, X):
    return X.zero_()


def flat_as_conv(linear, channels, height, width, bias=True, flip=False):
    conv = nn.Conv2d(channels, linear.out_features, (height, width), bias=bias)
    weight = linear.weight.reshape(conv.weight.shape)
    conv.weight = nn.Parameter(weight.flip(2) if flip else weight)
    if bias:
        conv.bias = linear.bias
    return conv


def merged(K, b, P, c):
    return torch.einsum("om,mihw->oihw", P[:, :, 0, 0], K), P[:, :, 0, 0] @ b + c


def slim(c1=64, c2=(48, 128), c3=(8, 32), c4=32):
    return d2lcnn.Inception(192, c1, c2, c3, c4)


def without_pooling():
    block = slim(c2=(32, 96), c4=64)
    block.p4_1 = nn.Identity()
    return block


class Branches(nn.Module):
    """An Inception block whose pooling is a function, and whose second branch has a kernel of k by k."""

    def __init__(self, k):
        super().__init__()
        self.p1 = nn.Conv2d(192, 64, 1)
        self.p2 = nn.Conv2d(192, 8, k, padding=k // 2)
        self.p3 = nn.Sequential(nn.Conv2d(192, 8, 1), nn.ReLU(), nn.Conv2d(8, 16, 5, padding=2))
        self.p4 = nn.Conv2d(192, 168, 1)

    def forward(self, X):
        pooled = F.max_pool2d(X, 3, stride=1, padding=1)
        return torch.cat((self.p1(X), self.p2(X), self.p3(X), self.p4(pooled)), dim=1).relu()


def chained():
    small = nn.Conv2d(192, 8, 1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 5, padding=2)
    return nn.Sequential(*small, nn.MaxPool2d(3, 1, 1), nn.Conv2d(8, 256, 1))


class Strided(nn.Module):
    """The ReLUs as functions."""

    def __init__(self, num_convs, c_in, c_out):
        super().__init__()
        self.convs = nn.ModuleList(strided(num_convs, c_in, c_out, relu=False))

    def forward(self, X):
        for conv in self.convs:
            X = conv(X).relu()
        return X


def halved_by_hand(num_convs, c_in, c_out):
    block = d2lcnn.vgg_block(num_convs, c_in, c_out)[:-1]
    block[-2].stride = 2
    return block


def strided(*args, halve=True, pool=False, relu=True, kernel=3, dilation=1):
    num_convs, c_in, c_out = args
    layers = []
    for k in range(num_convs):
        stride = 2 if halve and k == num_convs - 1 else 1
        padding = kernel // 2 * dilation
        layers += [nn.Conv2d(c_out if k else c_in, c_out, kernel, stride, padding, dilation)] + [nn.ReLU()] * relu
    return nn.Sequential(*layers, *[nn.MaxPool2d(2)] * pool)


def dropped(X, p):
    return X * (torch.rand_like(X) >= p) / (1 - p)


def flipped_in_place(X, flags):
    X[flags] = X[flags].flip(3)
    return X


def dominated(points, strictly=False):
    def beats(a, b):
        if strictly:
            return a[0] < b[0] and a[1] > b[1]
        return a[0] <= b[0] and a[1] >= b[1] and a != b

    return [name for name, point in points.items() if any(beats(other, point) for other in points.values())]


def test_all_chapters_are_found():
    assert {int(number.split(".")[0]) for number in EXERCISES} >= set(range(1, 11))
    assert len(EXERCISES) >= 40


def loops(X, K):
    (h, w), (k_h, k_w) = X.shape, K.shape
    return [
        [sum(X[i + a, j + b] * K[a, b] for a in range(k_h) for b in range(k_w)) for j in range(w - k_w + 1)]
        for i in range(h - k_h + 1)
    ]


def with_dropout():
    net = modern(map(nn.ReLU, [False] * 4))
    net.insert(9, nn.Dropout(0.5))
    return net


def with_pools(size):
    net = modern(map(nn.ReLU, [False] * 4))
    net[2], net[5] = nn.MaxPool2d(size, 2, 1), nn.MaxPool2d(size, 2, 1)
    return net


def circular():
    net = modern(map(nn.ReLU, [False] * 4))
    net[0] = nn.Conv2d(1, 6, 5, padding=2, padding_mode="circular")
    return net


def shuffled():
    """The layers in another order than that in which they run, by names of their own."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.middle, self.first = nn.Linear(84, 10), nn.Linear(120, 84), nn.Linear(400, 120)
            self.b, self.a = nn.Conv2d(6, 16, 5), nn.Conv2d(1, 6, 5, padding=2)

        def forward(self, X):
            X = F.max_pool2d(self.a(X).relu(), 2)
            X = F.max_pool2d(self.b(X).relu(), 2).flatten(1)
            return self.last(self.middle(self.first(X).relu()).relu())

    return Net()


class WithoutPool(nn.Module):
    """Its name holds "Pool", and its layers are defined last to first."""

    def __init__(self, num_convs, c_in, c_out):
        super().__init__()
        for k in reversed(range(num_convs)):
            stride = 2 if k == num_convs - 1 else 1
            self.add_module(f"conv{k}", nn.Conv2d(c_out if k else c_in, c_out, 3, stride, 1))
        self.num_convs = num_convs

    def forward(self, X):
        for k in range(self.num_convs):
            X = torch.relu(self.get_submodule(f"conv{k}")(X))
        return X


class Asserting(d2lcnn.Inception):
    def __init__(self):
        super().__init__(192, 64, (48, 128), (8, 32), 32)

    def forward(self, X):
        assert X.shape[1] == 192 and X.dim() == 4
        return super().forward(X)


def nothing():
    """The right layers, and a forward that forgets its return."""

    class Silent(nn.Sequential):
        def forward(self, X):
            super().forward(X)

    return Silent(*modern(map(nn.ReLU, [False] * 4)))


def cleared(points):
    names = dominated(points)
    points.clear()
    return names


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


@pytest.mark.parametrize(
    "exercise",
    [
        "1.3",
        "2.3",
        "2.4",
        "3.3",
        "4.2",
        "4.4",
        "5.4",
        "6.4",
        "6.5",
        "7.2",
        "7.4",
        "8.2",
        "8.3",
        "9.1",
        "9.3",
        "10.2",
        "10.3",
    ],
)
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
        ("1.3", lambda X, K: d2lcnn.convolve2d(X, K), "K[a, b] goes with the copy that starts at row a and column"),
        ("1.3", lambda X, K: d2lcnn.corr2d(X, K, padding=1), "shape"),
        ("1.3", d2lcnn.corr2d, "over the elements of K"),
        ("1.3", row_by_row, "over the elements of K"),
        ("1.4", 55, "it is not enough yet"),
        ("2.1", (3, 3), "rounded down"),
        ("2.1", (4, 3), "rounded down"),
        ("2.2", 3, "smallest"),
        ("2.3", lambda n, k, padding, stride: (n + padding - k) % stride, "it counts twice"),
        ("2.3", lambda n, k, padding, stride: 0, "does it use its arguments, or names of the notebook?"),
        ("2.4", lambda X, K: d2lcnn.corr2d(X, K), "Nothing is padded, so the output is smaller"),
        ("2.4", lambda X, K: d2lcnn.corr2d(X, K, padding=(len(K) - 1) // 2), "each axis has its own padding"),
        ("3.1", 64 * 3 * 7 * 7, "bias"),
        ("3.2", torch.tensor([0.299, 0.587, 0.114]), "reshape them"),
        ("3.2", torch.tensor([0.3, 0.59, 0.11]).reshape(1, 3, 1, 1), "one red, one green and one blue"),
        ("3.2", torch.full((1, 3, 1, 1), 1 / 3), "one red, one green and one blue"),
        ("3.3", lambda linear, X: linear(X.permute(1, 2, 0)), "shape (3, 2, 4)"),
        ("3.3", lambda linear, X: linear(X.reshape(8, 3)).T.reshape(2, 2, 4), "back"),
        ("3.3", lambda linear, X: linear(X), "your function raised RuntimeError"),
        ("3.3", into_its_input, "shape (2, 2, 4) is expected"),
        ("3.4", 31623, "the weights are their product"),
        ("3.4", 177, "rounded down it stays below a thousand million"),
        ("4.1", (torch.ones(2, 2), 2), "counts equally"),
        ("4.1", (torch.tensor([[0.5, 0.0], [0.0, 0.5]]), 2), "counts equally"),
        ("4.1", (torch.full((2, 2), 0.25), 1), "overlap"),
        ("4.1", torch.full((2, 2), 0.25).unbind()[0], "a pair"),
        ("4.2", lambda X, size: d2lcnn.pool2d(-X, size), "the sign must be turned back"),
        ("4.2", lambda X, size: d2lcnn.pool2d(X, size), "negatives"),
        ("4.3", (27, 27), "(It would be 27 for 55.)"),
        ("4.4", lambda a, b: torch.relu(a - b), "exceeds"),
        ("4.4", lambda a, b: b.copy_(a), "how much does a exceed it?"),
        ("4.4", torch.maximum, "torch.relu, + and - alone"),
        ("5.1", 400, "16 channels"),
        ("5.2", d2lcnn.lenet(activation=nn.ReLU), "AvgPool2d"),
        ("5.2", d2lcnn.lenet(), "Sigmoid"),
        ("5.2", d2lcnn.lenet, "this is function"),
        ("5.2", modern(map(nn.ReLU, [False] * 4), nn.Softmax(1)), "leave the softmax out"),
        ("5.2", modern(map(nn.ReLU, [False] * 4), padding=0), "your network raised RuntimeError"),
        (
            "5.2",
            modern(iter([nn.ReLU(), nn.ReLU(), nn.Identity(), nn.Identity()])),
            "ReLUs are missing between the linear layers",
        ),
        ("5.3", 3.0, "natural logarithm"),
        ("5.3", "6.91", "leave out the quotation marks"),
        ("5.4", lambda confusion: confusion.diag().sum() / 10, "diagonal"),
        ("5.4", lambda confusion: confusion.diag() / confusion.sum(1), "One number"),
        (
            "5.4",
            lambda confusion: 100 * confusion.trace() / confusion.sum(),
            "A share between 0 and 1 is expected, and not per cent",
        ),
        ("6.1", 227, "A pair"),
        ("6.1", (224, 2), "55 windows"),
        ("6.1", (227, 4), "per side"),
        ("6.2", 50820776, "the first convolution's kernels are deeper"),
        ("6.3", 2 / 2400, "square root"),
        ("6.3", (2 / 96) ** 0.5, "Each output adds up products over the whole window, too"),
        ("6.4", lambda X, p: X, "a share of 0.5"),
        ("6.4", lambda X, p: X * (torch.rand_like(X) >= p), "a share of 0.5 is kept, so that the mean falls"),
        ("6.4", lambda X, p: dropped(X, 1 - p), "p is the probability to become zero, not to stay"),
        ("6.4", lambda X, p: X * (torch.rand(X.shape[-1:]) >= p) / (1 - p), "drawn for itself"),
        ("6.4", lambda X, p: dropped(X, p)[0], "shape"),
        ("6.4", lambda X, p: torch.manual_seed(1) and dropped(X, p), "anew at each call"),
        ("6.5", lambda X, flags: X.flip(3), "flag is False"),
        ("6.5", lambda X, flags: torch.where(flags.view(-1, 1, 1, 1), X.flip(2), X), "on their heads"),
        ("6.5", lambda X, flags: X, "The last axis is the width"),
        ("6.5", lambda X, flags: torch.where(flags.view(-1, 1, 1, 1), X.flip(1, 3), X), "mirror the last axis alone"),
        ("6.5", lambda X, flags: torch.where(flags, X.flip(3), X), "The numbers are right, but stand at other places"),
        ("7.1", [(2, 3, 64), (2, 64, 128), (3, 128, 256)], "it is (3, 3)"),
        ("7.1", [(1, 3, 64), (1, 64, 128), (2, 128, 256), (2, 256, 512), (2, 512, 512)], "2, 2, 3, 3 and 3"),
        ("7.1", [(2, 1, 64), (2, 64, 128), (3, 128, 256), (3, 256, 512), (3, 512, 512)], "in colour"),
        ("7.1", [(2, 3, 64), (2, 64, 128), (3, 128, 256), (3, 256, 512), (3, 512, 1024)], "as those of VGG-11"),
        ("7.1", [(2, 3, 64), (2, 128, 128), (3, 128, 256), (3, 256, 512), (3, 512, 512)], "the block before it"),
        ("7.2", lambda k: 27, "does it use its arguments, or names of the notebook?"),
        ("7.2", lambda k: 27 / k**2, "their number depends on k"),
        ("7.2", 27 / 49, "A function is expected"),
        ("7.3", 512 * 7 * 7, "That is for 224 by 224 pixels"),
        ("7.3", 512, "both height and width"),
        ("7.4", d2lcnn.vgg_block, "still a pooling"),
        ("7.4", lambda *args: strided(*args, halve=False), "only the last convolution has stride 2"),
        ("7.4", lambda *args: strided(*args, halve=False, pool=True), "still a pooling"),
        ("7.4", lambda *args: strided(*args, relu=False), "On (2, 3, 6) no convolution is followed by a ReLU"),
        (
            "7.4",
            lambda *args: nn.Sequential(*strided(*args), nn.Sigmoid()),
            "each convolution is followed by a ReLU, and that is all",
        ),
        ("7.4", lambda *args: strided(*args, dilation=2), "by convolutions with padding 1"),
        (
            "7.4",
            lambda n, c_in, c_out: strided(1, c_in, c_out),
            "On (2, 3, 6) as many convolutions as num_convs are expected;",
        ),
        ("7.4", lambda *args: strided(*args, kernel=5), "every kernel is 3 by 3"),
        ("7.4", lambda n, c_in, c_out: strided(n, c_in, c_in), "channels go in as they come out before"),
        ("7.4", lambda *args: list(strided(*args)), "but this is list"),
        ("8.1", 745472, "bias"),
        ("8.1", d2lcnn.nin_block, "One number"),
        ("8.2", lambda linear, c, h, w: linear, "An nn.Conv2d is expected"),
        ("8.2", lambda linear, c, h, w: nn.Conv2d(c * h * w, 5, 1), "(5, 1, 3, 3) is expected"),
        ("8.2", lambda linear, c, h, w: nn.Conv2d(c, 5, h), "own weight"),
        ("8.2", lambda *args: flat_as_conv(*args, bias=False), "its bias"),
        ("8.2", lambda *args: flat_as_conv(*args, flip=True), "own weight"),
        ("8.3", lambda net, X, k: net[:-2](X)[k], "shape"),
        ("8.3", lambda net, X, k: net(X)[:, k], "leave off the global average pooling"),
        ("8.3", lambda net, X, k: net[:-2](X)[:, 0], "it is class 0 always"),
        ("8.4", 96, "96 does, but there is a smaller picture that does, too"),
        ("8.5", 0.0, "the softmax gives no class nothing"),
        ("8.5", 1 / 9, "The sandal itself counts among the ten, too"),
        ("9.1", lambda c1, c2, c3, c4: c1 + sum(c2) + sum(c3) + c4, "a reduction is not an output"),
        ("9.1", lambda c1, c2, c3, c4: 256, "does it use its arguments, or names of the notebook?"),
        ("9.2", (153632, 15920), "wrong way round"),
        ("9.2", (15872, 153600), "bias"),
        ("9.2", (12832, 153632), "one bias for each output channel"),
        ("9.2", 15920, "A pair is expected, (with, without), but this is 15920"),
        ("9.3", lambda K, b, P, c: merged(K, b, P, c)[0], "A pair is expected"),
        ("9.3", lambda K, b, P, c: (K, b), "On K (3, 2, 3, 3) and P (4, 3, 1, 1) the weight's shape"),
        ("9.3", lambda K, b, P, c: (merged(K, b, P, c)[0], b), "bias's shape"),
        ("9.3", lambda K, b, P, c: (merged(K, b, P, c)[0], c), "the bias is not"),
        ("9.3", lambda K, b, P, c: (merged(K.flip(2), b, P, c)[0], c), "something else than the pair"),
        ("9.4", 480, "all 192"),
        ("9.4", 416, "That is the first block; the second has all of those as"),
        ("9.4", 832.4, "Which way is it rounded?"),
        ("9.5", d2lcnn.Inception, "an nn.Module"),
        ("9.5", slim(c2=(96, 128)), "155,752 parameters"),
        ("9.5", slim(c4=16), "add up to 256"),
        ("9.5", nn.Conv2d(192, 256, 1), "four branches"),
        ("9.5", chained(), "four branches"),
        ("9.5", Branches(1), "for the 3x3 convolution"),
        ("9.5", without_pooling(), "no maximum pooling"),
        ("10.1", 187, "each parameter comes with its gradient and two running"),
        ("10.1", 748235936, "four bytes for each number"),
        ("10.2", lambda n: 1 / math.comb(2 * n, n), "There are two ways to put all the best runs on one side:"),
        ("10.2", lambda n: 2 / math.factorial(n + 1), "On n = 3"),
        ("10.2", 0.1, "A function is expected"),
        ("10.3", lambda points: ["D"], "does it use its arguments, or names of the notebook?"),
        ("10.3", lambda points: ["A", "B", "D", "E"], "does it use its arguments, or names of the notebook?"),
        ("10.3", lambda points: dominated(points, strictly=True), "D costs as much as C"),
        ("10.3", lambda points: [p for p in dominated(points) if p != "F"], "F costs more than C"),
        ("10.4", 8037, "Solve for n once more"),
        ("10.4", 64298, "Rounded up, since with 64,298 the difference is not yet"),
        (
            "1.3",
            lambda X, K: F.conv2d(X[None, None].long(), K[None, None].long())[0, 0].numpy(),
            "is the result ever added?",
        ),
        (
            "1.3",
            lambda X, K: torch.from_numpy(np.array(loops(X.numpy(), K.numpy()))),
            "Let it run over the elements of K only, and move whole",
        ),
        ("2.3", lambda n, k, padding, stride: (n + 2 * padding - k) % 2, "The stride is not always 2"),
        (
            "2.3",
            lambda n, k, padding, stride: (n + 2 * padding - k) % stride != 0,
            "It says whether something is left, and not how many",
        ),
        (
            "2.3",
            lambda n, k, padding, stride: min(1, (n + 2 * padding - k) % stride),
            "It says whether something is left, and not how many",
        ),
        ("2.1", "(3, 4)", "A pair is expected, (height, width), but this is the text"),
        ("2.2", 1.5, "a whole number is wanted"),
        ("4.4", lambda a, b: a.sub_(b).relu_().add_(b), "work on a copy (X.clone())"),
        ("4.4", lambda a, b: (a + b + torch.relu(a - b) + torch.relu(b - a)) / 2, "it calls div, too"),
        ("4.4", lambda a, b: torch.where(torch.relu(a - b) > 0, a, b), "it calls gt, where, too"),
        (
            "4.2",
            lambda X, size: (
                X.unfold(-2, d2lcnn.pair(size)[0], d2lcnn.pair(size)[0])
                .unfold(-2, d2lcnn.pair(size)[1], d2lcnn.pair(size)[1])
                .amin((-1, -2))
            ),
            "no minimum is taken",
        ),
        ("5.2", with_dropout(), "everything but activation and pooling stays as it was"),
        (
            "5.2",
            modern(iter([nn.ReLU(), nn.ReLU(), nn.ReLU(), nn.Identity()]), nn.ReLU()),
            "A ReLU is missing, after the linear layer with 84 outputs",
        ),
        ("5.2", modern(iter([nn.Tanh()] * 4)), "ReLU takes the sigmoid's place"),
        ("5.2", nothing(), "end it with `return`"),
        ("5.2", modern(map(nn.ReLU, [False] * 4), nn.BatchNorm1d(10, affine=False)), "There is BatchNorm in it"),
        ("5.2", with_pools(3), "poolings have windows of [3]"),
        ("5.2", circular(), "With copied weights it gives other scores"),
        ("5.2", d2lcnn.lenet(activation=nn.ReLU, pool=nn.MaxPool2d)[:-1], "the shape (3, 10) is expected"),
        ("5.4", lambda c: 0.75, "it must be computed from the argument"),
        ("5.4", lambda c: c[0, 0] / c[0].sum(), "count the right ones of all"),
        ("5.4", lambda c: c.amax(1).sum() / c.sum(), "the diagonal is"),
        ("5.4", lambda c: c.trace() / 20, "compute it from the matrix"),
        ("5.4", lambda c: (c.diag() / c.sum(1)).mean(), "Count pictures"),
        ("6.4", lambda X, p: F.dropout(X, p), "dropout is the very function to be written"),
        ("6.4", lambda X, p: F.dropout(X, p, inplace=True), "work on a copy (X.clone())"),
        ("6.4", nn.Dropout(0.5), "Dropout.forward() takes 2 positional arguments but 3 were"),
        ("6.5", flipped_in_place, "work on a copy (X.clone())"),
        ("8.3", lambda net, X, k: net[:-2](X)[:1, k].expand(len(X), -1, -1), "All pictures get the first one's map"),
        ("8.3", lambda net, X, k: net[:-2](X).flip(0)[:, k], "The order of the pictures is turned round"),
        (
            "8.3",
            lambda net, X, k: net[:-2](X)[:, k].mean(0, keepdim=True).expand(len(X), -1, -1),
            "each has its own map",
        ),
        ("8.3", lambda net, X, k: net[:-2](X.flip(3))[:, k], "The pictures are mirrored first"),
        ("10.1", 748.2, "That is right, but not yet rounded to a whole number"),
        ("10.3", lambda points: ["B", "D", "F"], "compute it from the argument"),
        ("10.3", lambda points: "BDF", "Ask for each network whether any other beats it"),
        ("10.3", cleared, "work on a copy (dict(points))"),
        ("10.4", 64298.22, "That is right, but not yet rounded up to a whole number"),
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
        ("1.3", lambda X, K: F.conv2d(X[None, None], K[None, None])[0, 0].tolist()),
        ("1.4", 56.0),
        ("1.4", torch.tensor(56)),
        ("2.1", [3, 4]),
        ("2.1", torch.Size([3, 4])),
        ("2.1", torch.tensor([3, 4])),
        ("2.1", (np.int64(3), torch.tensor(4.0))),
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
        ("5.1", 576.0),
        ("5.2", modern(map(nn.ReLU, [False] * 4))),
        ("5.2", modern(iter([nn.ReLU()] * 4)).double()),
        ("5.2", lazy()),
        ("5.2", d2lcnn.lenet(activation=nn.ReLU, pool=nn.MaxPool2d)),
        ("5.2", shuffled()),
        ("5.3", 6.9078),
        ("5.3", torch.tensor(6.91)),
        ("5.4", lambda confusion: confusion.trace() / confusion.sum()),
        ("5.4", lambda confusion: np.trace(confusion.numpy()) / confusion.numpy().sum()),
        ("6.1", [227.0, torch.tensor(2)]),
        ("6.1", (np.int64(227), 2)),
        ("6.1", torch.tensor([227, 2])),
        ("6.2", 50844008.0),
        ("6.3", 0.0289),
        ("6.3", torch.tensor(2 / 2400).sqrt()),
        ("6.4", dropped),
        ("6.4", lambda X, p: dropped(X, p).numpy()),
        ("6.5", lambda X, flags: torch.where(flags[:, None, None, None], X.flip(-1), X).numpy()),
        ("7.1", torch.tensor([[2, 3, 64], [2, 64, 128], [3, 128, 256], [3, 256, 512], [3, 512, 512]])),
        ("7.1", np.array([(2, 3, 64), (2, 64, 128), (3, 128, 256), (3, 256, 512), (3, 512, 512)])),
        ("7.2", lambda k: torch.tensor(9 * (k - 1) / 2 / k**2)),
        ("7.2", lambda k: Fraction(9 * (k - 1), 2 * k**2)),
        ("7.3", 4608.0),
        ("7.3", torch.tensor(4608)),
        ("7.4", strided),
        ("7.4", Strided),
        ("7.4", WithoutPool),
        ("7.4", halved_by_hand),
        ("7.4", lambda *args: strided(*args).double().float()),
        ("8.1", torch.tensor(746240)),
        ("8.1", 746240.0),
        ("8.2", flat_as_conv),
        ("8.3", lambda net, X, k: net[:8](X)[:, k].numpy()),
        ("8.3", lambda net, X, k: nn.Sequential(*list(net)[:-2])(X).unbind(1)[k]),
        ("8.4", np.int64(67)),
        ("8.5", 1 / 10),
        ("8.5", torch.zeros(10).softmax(0)[0]),
        ("9.1", lambda c1, c2, c3, c4: torch.tensor(c1 + c2[-1] + c3[-1] + c4)),
        ("9.2", [15920, 153632]),
        ("9.2", torch.tensor([15920.0, 153632.0])),
        ("9.3", merged),
        ("9.3", lambda *args: [part.numpy() for part in merged(*args)]),
        ("9.4", np.int64(832)),
        ("9.5", slim()),
        ("9.5", Asserting()),
        ("9.5", nn.Sequential(nn.Identity(), slim(), nn.ReLU())[1:]),
        ("9.5", Branches(3)),
        ("9.5", slim(c2=(32, 96), c4=64).double()),
        ("10.2", lambda n: torch.tensor(2 * math.factorial(n) ** 2 / math.factorial(2 * n))),
        ("10.3", dominated),
        ("10.3", lambda points: tuple(dominated(points))),
        ("10.3", lambda points: set(dominated(points))),
        ("10.4", torch.tensor(64299)),
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
