"""What readers answer to the exercises that predict, explain, mend and design: slips with their hints, right ones."""

import math
import re
import statistics

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT
from torch import nn

import d2lcnn
from d2lcnn import checks, corr2d, pool2d


def shifted(X, kernel):
    return corr2d(X, kernel.flip(0))


def field(layers):
    seen, jump = 1, 1
    for kernel, stride, dilation in layers:
        seen += dilation * (kernel - 1) * jump
        jump *= stride
    return seen


def field_late(layers):
    seen, jump = 1, 1
    for kernel, stride, dilation in layers:
        jump *= stride
        seen += dilation * (kernel - 1) * jump
    return seen


def columns(X, K, order=(0, 3, 4, 1, 2)):
    c_o, c_i, k, _ = K.shape
    windows = X.unfold(1, k, 1).unfold(2, k, 1)
    out = windows.shape[1:3]
    return (K.reshape(c_o, -1) @ windows.permute(order).reshape(c_i * k * k, -1)).reshape(c_o, *out)


def padded_pool(X, size, value=-torch.inf):
    p = size // 2
    return pool2d(F.pad(X, (p, p, p, p), value=value), size)


def blurred(weights=(1.0, 2.0, 1.0), bias=False):
    conv = nn.Conv2d(1, 1, len(weights), stride=2, padding=len(weights) // 2, bias=bias)
    kernel = torch.outer(torch.tensor(weights), torch.tensor(weights))
    conv.weight.data = (kernel / kernel.sum())[None, None]
    return conv


def separable(*extra):
    return nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, groups=64), *extra, nn.Conv2d(64, 64, 1))


def descend(net, batches, lr, zero=True, step=True):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for X, y in batches:
        loss = F.cross_entropy(net(X), y)
        if zero:
            optimizer.zero_grad()
        loss.backward()
        if step:
            optimizer.step()
        losses.append(loss.item())
    return losses


def by_hand(net, batches, lr):
    losses = []
    for X, y in batches:
        loss = F.cross_entropy(net(X), y)
        grads = torch.autograd.grad(loss, tuple(net.parameters()))
        with torch.no_grad():
            for p, g in zip(net.parameters(), grads):
                p -= lr * g
        losses.append(loss.detach())
    return torch.stack(losses)


def small_net(width=8):
    return nn.Sequential(
        *(nn.Conv2d(1, width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(width, 2 * width, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(50 * width, 24), nn.ReLU(), nn.Linear(24, 10)),
    )


def head(*layers):
    return nn.Sequential(nn.Flatten(), *layers)


class Averaged(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(256, 512), nn.Linear(512, 10)

    def forward(self, X):
        assert X.shape[1:] == (256, 5, 5)
        return self.b(torch.relu(self.a(X.mean((2, 3)))))


def inner_pool(n, c_in, c_out):
    layers = []
    for k in range(n):
        layers += [nn.Conv2d(c_out if k else c_in, c_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers)


class Block(nn.Module):
    """A VGG block whose layers are defined last to first, and whose name holds "Pool"."""

    def __init__(self, n, c_in, c_out):
        super().__init__()
        self.convs = nn.ModuleDict(
            {f"c{k}": nn.Conv2d(c_out if k else c_in, c_out, 3, padding=1) for k in reversed(range(n))}
        )

    def forward(self, X):
        for k in range(len(self.convs)):
            X = F.relu(self.convs[f"c{k}"](X))
        return F.max_pool2d(X, 2)


def stem(width, kernel=11, ones=2, relu=True):
    layers = [nn.Conv2d(1, width, kernel, stride=4, padding=(kernel - 11) // 2), *[nn.ReLU()] * relu]
    for k in range(ones):
        layers += [nn.Conv2d(width, 96 if k == ones - 1 else width, 1), *[nn.ReLU()] * relu]
    return nn.Sequential(*layers)


def work(i, r, o, k, s):
    return s * s * (i * r + r * o * k * k)


def paired(a, b):
    return statistics.stdev([x - y for x, y in zip(a, b)]) / math.sqrt(len(a))


def unpaired(a, b):
    return math.sqrt((statistics.variance(a) + statistics.variance(b)) / len(a))


SLIPS = [
    ("1.5", "ac", "the place in the map is the place in the picture"),
    ("1.5", "abce", "the sign says which way the brightness goes, from white to"),
    ("1.5", "acde", "along a horizontal edge the pixel and its neighbour to the"),
    ("1.5", "ae", "the feature map is the same, moved by three columns (but"),
    ("1.5", 3, 'Letters are expected, a to e, such as "ae"; this is 3'),
    ("1.5", "aceg", "they go from a to e"),
    ("1.6", lambda X, K: corr2d(X, K), "the kernel must be flipped"),
    ("1.6", lambda X, K: corr2d(X, K.flip(1)), "both axes must be"),
    ("1.6", lambda X, K: corr2d(X.flip(0, 1), K), "the output comes out turned by half a turn"),
    ("1.6", lambda X, K: corr2d(X, K.T), "K.T swaps rows and columns; to flip is to turn their order"),
    ("1.7", lambda X, G: d2lcnn.convolve2d(X, G), "G is not flipped here, that happens for the gradient with"),
    ("1.7", lambda X, G: corr2d(X, torch.ones_like(G)), "each output's gradient weighs its window"),
    ("1.7", lambda X, G: corr2d(X, G).mean(), "was one of them summed up, or picked from?"),
    ("1.7", lambda X, G: corr2d(X, G) / G.numel(), "It is a mean; the gradient adds up what all windows"),
    ("1.7", lambda X, G: corr2d(X, G, padding=(G.shape[0] - 1, G.shape[1] - 1)), "K's is X's less G's, plus 1"),
    ("1.8", [3] * 13, "each layer adds its kernel's side less 1"),
    ("1.8", [3] * 14, "How many weights does a kernel have for each pixel that it"),
    ("1.8", [28], "How many weights does a kernel have for each pixel that it"),
    ("1.8", [5] * 7, "How many weights does a kernel have for each pixel that it"),
    ("1.8", 14, "A list of kernel sizes is expected, the first layer's"),
    ("2.5", 9, "That is the field of four such layers without strides"),
    ("2.5", 47, "its own stride counts for the next one"),
    ("2.5", 15, "it doubles behind each stride of 2, and the last layer's"),
    ("2.5", 22, "The field starts at 1 element, before any layer"),
    ("2.6", "bd", "neighbours behind both lie 2 * 3 = 6 elements of the input"),
    ("2.6", "abde", "the field of a layer grows by (k - 1) times the jump"),
    ("2.6", "bcde", "padding adds elements at the border, and more outputs;"),
    ("2.6", "de", "they span 5 elements and read 3 of them, 9 in two"),
    (
        "2.7",
        lambda layers: field([(k, 1, d) for k, s, d in layers]),
        "the jump must still grow, for the layers after this one",
    ),
    ("2.7", lambda layers: field([(k, s, 1) for k, s, d in layers]), "taps that lie d apart reach d times as far"),
    ("2.7", lambda layers: field(layers) - 1, "the element itself"),
    (
        "2.7",
        lambda layers: field([(k + 1, s, d) for k, s, d in layers]),
        "A kernel adds k - 1 jumps to the field, not k",
    ),
    ("2.8", [(3, 1, 1)] * 6, "strides and dilation make each layer count for more"),
    ("2.8", [(3, 1, 50)], "Neighbouring taps must lie no farther apart than what each"),
    ("2.8", [(3, 2, 1)] * 8, "of 224 elements too few have come through"),
    ("2.8", [(7, 1, 1)] * 17, "let later layers reach farther, with fewer layers"),
    ("2.8", [(3, 2)] * 5, "Three numbers are expected, (kernel, stride, dilation),"),
    ("3.5", (80, 27), "here a window is a column, so that K times it is a"),
    ("3.5", (9, 80), "A window goes through all three channels"),
    ("3.5", (27, 48), "With a padding of 1 as many windows fit as there are"),
    ("3.5", (108, 80), "the columns are the same for all of them"),
    ("3.6", "ac", "A convolution loses its neighbours"),
    ("3.6", "abce", "the weights are c_o * c_i * k * k, whatever the picture's"),
    ("3.6", "acde", "flattening keeps every number, in a fixed order; it is the"),
    ("3.6", "ce", "an edge is a difference between pixels, and it can find"),
    (
        "3.7",
        lambda X, K: columns(X, K, (3, 4, 0, 1, 2)),
        "Now the channels stand behind the window's rows and columns;",
    ),
    ("3.7", lambda X, K: columns(X, K, (0, 4, 3, 1, 2)), "first (axis 3) down, then (axis 4) across"),
    ("3.7", lambda X, K: d2lcnn.corr2d_multi_in_out(X, K.flip(2, 3)), "that was not the mistake"),
    ("3.7", lambda X, K: d2lcnn.corr2d_multi_in_out(X, K)[0], "An axis of length 1 is missing"),
    ("3.8", nn.Conv2d(64, 64, 3, padding=1), "Split the task in two"),
    ("3.8", nn.Conv2d(64, 64, 3, padding=1, groups=64), "they are never mixed"),
    ("3.8", nn.Conv2d(64, 64, 1), "the neighbours are left out"),
    ("3.8", separable()[:1], "they are never mixed"),
    (
        "3.8",
        nn.Sequential(nn.Conv2d(64, 64, 3, groups=64), nn.Conv2d(64, 64, 1)),
        "Height and width stay with a padding of 1",
    ),
    ("4.5", (1, 2), "which elements does the window cover?"),
    ("4.5", (2, 2), "which elements does the window cover?"),
    ("4.5", (0, 1), "Moved by two, one window loses the 1, and another gains"),
    ("4.5", (0, 0), "pooling forgives a shift within a window alone"),
    ("4.6", "b", "A 0 would be, beside negative numbers"),
    ("4.6", ["a", "b", "d"], "moved by one pixel, it looks at other windows"),
    ("4.6", "bcd", "it keeps the largest number, wherever in the window it lay;"),
    ("4.6", "bde", "Average pooling is a convolution"),
    ("4.7", lambda X, s: padded_pool(X, s, torch.inf), "what can never be the largest?"),
    ("4.7", lambda X, s: padded_pool(X, s, -1.0), "which number is smaller than all?"),
    ("4.7", lambda X, s: padded_pool(X.abs(), s, 0.0), "the numbers are to stay as they are"),
    ("4.7", lambda X, s: pool2d(X, s), "it is to stay"),
    ("4.8", nn.MaxPool2d(2), "What is sharp before it is thinned out changes most:"),
    ("4.8", nn.AvgPool2d(2), "What is sharp before it is thinned out changes most:"),
    ("4.8", nn.AvgPool2d(9, 2, 4), "it is blurred too much"),
    ("4.8", nn.Identity(), "From (1, 1, 32, 32) half the side is to come out, 14 to 17"),
    ("4.8", nn.Conv2d(1, 1, 2, stride=2), "let the weights add up to 1, without a bias"),
    ("5.5", 0.25, "That is one sigmoid; there are four, one after the other"),
    ("5.5", 1, "its slope s (1 - s) is largest where s = 1/2"),
    ("5.5", 0.0625, "That is two sigmoids; there are four"),
    ("5.5", 256, "slopes below 1 make gradients smaller"),
    ("5.6", "acdb", "the slope of each sigmoid is the cause; that a product"),
    ("5.6", "cdab", "the gradient is small first"),
    ("5.6", "cabd", "the loss stands still because the first layers do not"),
    ("5.6", "bdac", "the slope of each sigmoid is the cause; that a product"),
    ("5.6", "cad", "b is missing"),
    ("5.7", lambda net, batches, lr: descend(net, batches, lr, step=False), "the optimiser's step is missing"),
    ("5.7", lambda net, batches, lr: by_hand(net, batches, -lr), "the step goes against the gradient"),
    ("5.7", lambda net, batches, lr: descend(net, batches, lr)[-1], "the shape (5,) is expected, but it is ()"),
    (
        "5.7",
        lambda net, batches, lr: descend(net, batches, lr / 2),
        "Each step must see the gradient of its own batch alone",
    ),
    ("5.8", d2lcnn.lenet(activation=nn.ReLU), "let fewer numbers reach it"),
    ("5.8", nn.Linear(784, 10), "mat1 and mat2 shapes cannot be multiplied (56x28 and 784x10)"),
    ("5.8", small_net(2)[:-1], "For two pictures the shape (2, 10) is expected, ten scores"),
    (
        "5.8",
        nn.Sequential(nn.Flatten(), nn.Linear(784, 1), nn.ReLU(), nn.Linear(1, 10)),
        "ReLU learns faster than sigmoid; two convolutions see more",
    ),
    ("6.6", "bc", "the flag is drawn anew in each epoch, so that the network"),
    ("6.6", "abce", "the fully connected layers hold over nine tenths of the"),
    ("6.6", "bcde", "validation asks how the network does on pictures as they"),
    ("6.6", "ce", "what is kept is divided by 1 - p while training, so that"),
    ("6.7", lambda w: 2 / w[0].numel(), "its square root was in the cell already"),
    ("6.7", lambda w: math.sqrt(2 / w.numel()), "All weights are counted; only those that one output adds"),
    ("6.7", lambda w: math.sqrt(2 / w.shape[1]), "each of its places adds a product"),
    ("6.7", lambda w: math.sqrt(1 / w[0].numel()), "it makes up for what a ReLU cuts away"),
    (
        "6.8",
        head(nn.Linear(6400, 256), nn.ReLU(), nn.Linear(256, 10)),
        "how many hidden units does that leave room for, or how",
    ),
    ("6.8", head(nn.Linear(6400, 100), nn.Linear(100, 10)), "between two layers with weights there is to be a ReLU"),
    ("6.8", head(nn.Linear(6400, 10)), "between two layers with weights there is to be a ReLU"),
    (
        "6.8",
        nn.Sequential(nn.MaxPool2d(5), nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10)),
        "none may be left out",
    ),
    (
        "6.8",
        head(nn.Linear(6400, 64), nn.ReLU(), nn.Linear(64, 5)),
        "From (3, 256, 5, 5) the shape (3, 10) is to come out, but",
    ),
    ("7.5", 149, "The field starts at 1 element"),
    ("7.5", 134, "it adds 1 jump of 16"),
    ("7.5", 32, "That is how far neighbours lie apart (the jump), and not"),
    ("7.5", 22, "what comes behind them counts twice, four times,"),
    ("7.6", "a", "1/4 * 2 * 2 = 1"),
    ("7.6", "abc", "the pair can compute less than a 5x5, not more"),
    ("7.6", "acd", "most of its parameters are in the fully connected layers,"),
    ("7.6", "ace", "near the border that is another sum"),
    ("7.7", lambda *a: d2lcnn.vgg_block(*a)[:-1], "On (2, 3, 6) one pooling is expected, at the end; this has"),
    (
        "7.7",
        lambda n, i, o: nn.Sequential(*d2lcnn.vgg_block(n, i, o)[:-1], nn.AvgPool2d(2)),
        "On (2, 3, 6) the mean is taken at the end, not the",
    ),
    ("7.7", lambda n, i, o: d2lcnn.vgg_block(1, i, o), "On (2, 3, 6) as many convolutions as num_convs are expected;"),
    (
        "7.7",
        lambda n, i, o: nn.Sequential(*[m for m in d2lcnn.vgg_block(n, i, o) if not isinstance(m, nn.ReLU)]),
        "On (2, 3, 6) no convolution is followed by a ReLU",
    ),
    ("7.8", ((1, 1, 16), (1, 16, 32), (2, 32, 64)), "At least three blocks and five convolutions are wanted;"),
    ("7.8", ((1, 1, 4), (2, 4, 8), (2, 8, 16)), "The last block is to give at least 32 channels; it gives"),
    ("7.8", ((1, 1, 4), (2, 4, 32)), "At least three blocks and five convolutions are wanted;"),
    ("7.8", ((1, 1, 4), (2, 8, 8), (2, 8, 32)), "A block takes as many channels as the block before it"),
    ("7.8", ((1, 3, 4), (2, 4, 8), (2, 8, 32)), "The first block takes a picture of one channel"),
    ("8.6", "ac", "no gradient comes through to bring it back"),
    ("8.6", "abce", "the work of telling the classes apart is left to the"),
    ("8.6", "acde", "where something was is exactly what is lost"),
    ("8.6", "ce", "the mean of a map exists whatever the map's size, and"),
    ("8.7", lambda X: X.sum((2, 3)), "the division is lost"),
    ("8.7", lambda X: X.sum((2, 3)) / X.shape[2], "by the width, too"),
    ("8.7", lambda X: X.mean((1, 2, 3)), "each keeps its own mean"),
    ("8.7", lambda X: X.mean((2, 3), keepdim=True), "two axes of length 1 are too many"),
    ("8.7", lambda X: X.amax((2, 3)), "the mean is asked"),
    ("8.8", d2lcnn.nin_block(1, 96, 11, 4, 0), "Only the last convolution must put out 96 channels"),
    ("8.8", stem(48, ones=1), "At least two 1x1 convolutions are to be in it, as in a NiN"),
    ("8.8", stem(32, relu=False), "After each convolution there is to be a ReLU; here are 3"),
    (
        "8.8",
        nn.Sequential(nn.AvgPool2d(12, 4), *stem(8, 1)[1:]),
        "Given groups=1, weight of size [8, 8, 1, 1], expected",
    ),
    ("8.8", nn.Sequential(nn.MaxPool2d(4), *stem(32)), "From (2, 1, 224, 224) the shape (2, 96, 54, 54) is to"),
    ("9.6", "ac", "the second one adds nothing that one layer could not"),
    ("9.6", "abce", "What it saves is work in the layer after it"),
    ("9.6", "acde", "it takes a maximum around each pixel, and keeps height and"),
    ("9.6", "ce", "joined along the channels they must agree in all other axes;"),
    ("9.7", lambda i, r, o, k, s: s * s * r * o * k * k, "it works at every pixel, too"),
    ("9.7", lambda i, r, o, k, s: s * s * i * o * k * k, "all channels reach the window"),
    ("9.7", lambda i, r, o, k, s: i * r + r * o * k * k, "each of them is used at every place of the map"),
    ("9.7", lambda i, r, o, k, s: s * (i * r + r * o * k * k), "A map has side * side places"),
    ("9.8", (9, 1), "These are the two numbers, the wrong way round"),
    ("9.8", (1, 5), "That is one block; the second looks at what the first has"),
    ("9.8", (1, 10), "each layer adds k - 1"),
    ("9.8", (3, 9), "There is a way through 1x1 convolutions alone"),
    ("10.5", 1 / 256, "all eight signs may be plus, or all minus"),
    ("10.5", 2 / math.comb(16, 8), "That is for dealing 16 runs to two sides; here only the"),
    ("10.5", 0.05, "That is the usual threshold; the smallest possible p"),
    ("10.5", 0.125, "There are 2 to the power 8 ways, not 8"),
    ("10.6", "b", "it can never reach 0.05, whatever is seen"),
    ("10.6", ["a", "b", "d"], "it says how seldom chance alone would give a difference as"),
    ("10.6", "bcd", "twenty comparisons of equals at 0.05 give one such verdict"),
    ("10.6", "bde", "four times as many runs halve it"),
    (
        "10.7",
        lambda a, b: paired(a, b) * math.sqrt(len(a)),
        "Now it is the spread of the differences; that of their",
    ),
    ("10.7", lambda a, b: paired(a, b) / math.sqrt(len(a)), "Divided by n; the root of n is right"),
    (
        "10.7",
        lambda a, b: statistics.fmean(a) - statistics.fmean(b),
        "That is the mean of the differences; how sure it is",
    ),
    ("10.7", lambda a, b: paired(a, b) ** 2, "that is the error squared"),
    ("10.8", (4, 10_000), "The standard error is 0.00346, and at most 0.002 is wanted;"),
    ("10.8", (30, 5_000), "training, or testing?"),
    ("10.8", (12, 500), "The standard error is 0.00542, and at most 0.002 is wanted;"),
    ("10.8", (12.5, 10_000), "Both are whole numbers, at least 1"),
    ("10.8", 12, "A pair is expected, (seeds, pictures), but this is 12"),
]

RIGHT = [
    ("1.5", ["a", "c", "e"]),
    ("1.5", "A, C and E"),
    ("1.6", lambda X, K: corr2d(X, K.flip([0, 1])).numpy()),
    ("1.6", lambda X, K: corr2d(X, torch.rot90(K, 2)).double()),
    ("1.7", lambda X, G: F.conv2d(X[None, None], G[None, None])[0, 0]),
    ("1.7", lambda X, G: corr2d(X, G).tolist()),
    ("1.8", [2] * 27),
    ("1.8", torch.tensor([2] * 27)),
    ("2.5", 23.0),
    ("2.5", np.int64(23)),
    ("2.6", {"b", "d", "e"}),
    ("2.6", "EDB"),
    ("2.7", field),
    ("2.7", lambda layers: torch.tensor(float(field(layers)))),
    ("2.8", [(2, 1, 2**k) for k in range(7)]),
    ("2.8", torch.tensor([(2, 1, 2**k) for k in range(7)]).tolist()),
    ("2.8", [[3, 2, 1], [3, 2, 1], [3, 2, 1], [3, 1, 1], [3, 1, 2], [3, 1, 3]]),
    ("3.5", [27, 80]),
    ("3.5", torch.Size([27, 80])),
    ("3.6", ("a", "c", "e")),
    ("3.6", "a c e"),
    ("3.7", columns),
    ("3.7", lambda X, K: F.conv2d(X[None], K)[0].numpy()),
    ("3.8", separable()),
    ("3.8", separable(nn.ReLU()).double().float()),
    ("3.8", separable(nn.Identity())),
    ("4.5", [0, 2]),
    ("4.5", np.array([0.0, 2.0])),
    ("4.6", "db"),
    ("4.6", ["b", "d"]),
    ("4.7", padded_pool),
    ("4.7", lambda X, s: padded_pool(X, s, torch.finfo(X.dtype).min)),
    ("4.8", blurred()),
    ("4.8", blurred((1.0, 4.0, 6.0, 4.0, 1.0))),
    ("4.8", nn.AvgPool2d(4, 2, 1)),
    ("5.5", 0.25**4),
    ("5.5", torch.tensor(0.0039)),
    ("5.6", list("cadb")),
    ("5.6", "C, A, D, B"),
    ("5.7", descend),
    ("5.7", by_hand),
    ("6.6", "b, c, e"),
    ("6.6", {"b", "c", "e"}),
    ("6.7", lambda w: math.sqrt(2 / w[0].numel())),
    ("6.7", lambda w: torch.tensor(2 / w[0].numel()).sqrt()),
    ("6.8", Averaged()),
    ("6.8", head(nn.Linear(6400, 150), nn.ReLU(), nn.Dropout(0.5), nn.Linear(150, 10))),
    ("7.5", 150.0),
    ("7.5", torch.tensor(150)),
    ("7.6", "ca"),
    ("7.6", ["a", "c"]),
    ("7.7", d2lcnn.vgg_block),
    ("7.7", Block),
    ("7.8", [[1, 1, 4], [2, 4, 8], [2, 8, 32]]),
    ("7.8", torch.tensor([[1, 1, 4], [2, 4, 8], [2, 8, 32]])),
    ("8.6", "ace"),
    ("8.6", ["e", "c", "a"]),
    ("8.7", lambda X: X.flatten(2).mean(2)),
    ("8.7", lambda X: F.adaptive_avg_pool2d(X, 1).flatten(1).numpy()),
    ("8.8", stem(48)),
    ("8.8", nn.Sequential(stem(48), nn.Identity())),
    ("9.6", "a,c,e"),
    ("9.6", ("e", "a", "c")),
    ("9.7", work),
    ("9.7", lambda *a: float(work(*a))),
    ("9.8", [1.0, 9.0]),
    ("9.8", torch.tensor([1, 9])),
    ("10.5", 0.0078),
    ("10.5", np.float64(2 / 256)),
    ("10.6", "d b"),
    ("10.6", {"b", "d"}),
    ("10.7", paired),
    ("10.7", lambda a, b: np.std(np.subtract(a, b), ddof=1) / len(a) ** 0.5),
    ("10.8", (12, 10_000)),
    ("10.8", torch.tensor([12, 12_000])),
]


@pytest.mark.parametrize(("exercise", "slip", "hint"), SLIPS)
def test_a_slip_gets_the_hint_that_fits_it(say, exercise, slip, hint):
    said = say(exercise, slip)
    assert said.splitlines()[-1].startswith(f"Exercise {exercise}: not yet.") and hint in said


@pytest.mark.parametrize(("exercise", "answer"), RIGHT)
def test_right_in_whatever_form(say, exercise, answer):
    assert say(exercise, answer).endswith(f"Exercise {exercise}: right!\n")


@pytest.mark.parametrize(
    ("exercise", "planted"),
    [
        ("1.6", shifted),
        ("2.7", field_late),
        ("3.7", lambda X, K: columns(X, K, (0, 1, 2, 3, 4))),
        ("4.7", lambda X, s: padded_pool(X, s, 0.0)),
        ("5.7", lambda net, batches, lr: descend(net, batches, lr, zero=False)),
        ("6.7", lambda w: math.sqrt(2 / w[:, 0].numel())),
        ("7.7", inner_pool),
        ("8.7", lambda X: X.sum((2, 3)) / X.shape[2] * X.shape[3]),
        ("9.7", lambda i, r, o, k, s: s * s * k * k * (i * r + r * o)),
        ("10.7", unpaired),
    ],
)
def test_a_planted_mistake_is_not_tried_yet(say, exercise, planted):
    assert say(exercise, planted).startswith(f"Exercise {exercise}: not tried yet.")


def test_every_kind_of_exercise_is_in_every_chapter():
    for chapter in checks.CHAPTERS:
        exercises = checks._exercises(chapter)
        assert {exercise.kind for exercise in exercises.values()} == {
            "predict",
            "compute",
            "explain",
            "debug",
            "design",
        }
        assert {exercise.level for exercise in exercises.values()} == {"easy", "medium", "hard"}
        assert list(exercises) == list(range(1, len(exercises) + 1)) and len(exercises) >= 8


def cells_of(chapter):
    (path,) = (ROOT / "book").glob(f"{chapter:02}-*.ipynb")
    return nbformat.read(path, as_version=4).cells


@pytest.mark.parametrize("chapter", checks.CHAPTERS)
def test_the_cells_that_stand_alone_say_what_they_should(capsys, chapter):
    names = {"torch": torch, "nn": nn, "F": F, "math": math, "d2lcnn": d2lcnn}
    run = 0
    for cell in cells_of(chapter):
        number = re.search(r"(exercise|solution):(\d+\.\d+)", " ".join(cell.metadata.get("tags", [])))
        if number and cell.id.startswith("exercise-"):
            exec(cell.source, names)
            said = capsys.readouterr().out
            end = "not tried yet." if number[1] == "exercise" else "right!\n"
            assert f"Exercise {number[2]}: {end}" in said and ("right!" in said) == said.endswith("right!\n")
            run += 1
    assert run >= 6


@pytest.mark.parametrize("chapter", checks.CHAPTERS)
def test_headings_say_how_hard_an_exercise_is(chapter):
    text = "\n".join(cell.source for cell in cells_of(chapter) if cell.cell_type == "markdown")
    levels = {
        int(n): level for n, level in re.findall(rf"^### Exercise {chapter}\.(\d+): .+ \((\w+)\)$", text, flags=re.M)
    }
    assert levels == {n: exercise.level for n, exercise in checks._exercises(chapter).items()}


@pytest.mark.parametrize("chapter", checks.CHAPTERS)
def test_statements_on_the_page_are_those_of_the_check(chapter):
    for number, exercise in checks._exercises(chapter).items():
        if exercise.kind == "explain":
            (task,) = (
                cell.source for cell in cells_of(chapter) if cell.source.startswith(f"### Exercise {chapter}.{number}:")
            )
            letters = sorted(getattr(exercise.task, "options", None) or exercise.task.right)
            assert re.findall(r"^- \*\*(\w)\*\* ", task, flags=re.M) == letters
