"""Exercises of chapter 1: convolution."""

import contextlib
import sys

import torch
import torch.nn.functional as F

from d2lcnn.checks._answers import Wrong, call, numbers, same, tensor
from d2lcnn.checks._tasks import Exercise, Function, Number, Statements
from d2lcnn.geometry import receptive_field
from d2lcnn.ops import convolve2d, corr2d


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _horizontal_edges(answer) -> None:
    K = tensor(answer).double()
    if K.dim() != 2:
        raise Wrong(f"A kernel has two axes, such as torch.tensor([[1.0, 2.0]]); this one has {K.dim()}.")
    if K.shape[0] != 2:
        turned = " It lies on its side: a row after the other is a list after the other." if K.shape == (1, 2) else ""
        equal = K.shape[1] > 1 and corr2d(_random(1, 9).double().expand(6, 9), K).abs().max() > 1e-4
        told = " On a picture whose rows are all equal it responds, and must not." if equal else ""
        raise Wrong(
            f"The kernel is to have two rows, a pixel and the one below; this one has {K.shape[0]}.{turned}{told}"
        )
    if K.shape[1] > 6 or (corr2d(_random(1, 9).double().expand(6, 9), K).abs() > 1e-4).any():
        raise Wrong(
            "On a picture whose rows are all equal the output must be 0, but your kernel responds to it: its two rows "
            "must cancel, column by column."
        )
    band = torch.ones(8, 6).double()
    band[2:6] = 0
    got = corr2d(band, K)[:, :1]
    expected = corr2d(band, torch.tensor([[1.0], [-1.0]]).double())[:, :1]
    hint = ""
    if torch.allclose(got, -expected):
        hint = "The sign is the other way round: subtract from each pixel its neighbour below."
    elif got.abs().max() < 1e-4:
        hint = "It sees nothing at all: subtract from each pixel its neighbour below."
    elif got[1].abs() > 1e-4:
        hint = "The edges are there, but not 1 and -1: what do the numbers of its upper row add up to?"
    same(got, expected, "the white picture with a black band across, in its first column,", hint)


def _steps(function, n: int) -> int:
    """How many lines of Python a function runs, each turn of a loop counted; what torch does in C does not count."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        count += 1
        return trace

    @contextlib.contextmanager
    def traced():
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            yield
        finally:
            sys.settrace(before)

    call(function, torch.rand(n, n), torch.rand(2, 2), within=traced())
    return count


def _loops_over_the_kernel(answer) -> None:
    _steps(answer, 8)  # what is done at the first call only
    if _steps(answer, 24) > 1.3 * _steps(answer, 8) + 20:
        raise Wrong(
            "The numbers are right, but a loop runs over the output: a larger input takes more steps. "
            "Let it run over the elements of K only, and move whole slices of X."
        )


def _shifted(change):
    """A cross-correlation by shifted copies with something changed in it."""

    def corr2d_shifted(X, K):
        (k_h, k_w), (h, w) = K.shape, X.shape
        Y = torch.zeros(h - k_h + 1, w - k_w + 1)
        for a in range(k_h):
            for b in range(k_w):
                Y = change(Y, X, K, a, b)
        return Y

    return corr2d_shifted


def _window(Y, X, a, b):
    return X[a : a + Y.shape[0], b : b + Y.shape[1]]


def _small_kernels(answer) -> None:
    try:
        sizes = [int(size) for size in numbers(answer, len(answer), "kernel sizes")]
    except TypeError:
        raise Wrong("A list of kernel sizes is expected, the first layer's first, such as [5, 5, 3].") from None
    if not sizes or min(sizes) < 1 or len(sizes) > 200:
        raise Wrong("Each layer has a kernel of at least 1 by 1, and there is at least one layer.")
    field, weights = receptive_field([(size,) for size in sizes]), sum(size**2 for size in sizes)
    if field < 28:
        raise Wrong(
            f"An element sees {field} pixels across, and 28 are wanted: each layer adds its kernel's side less 1."
        )
    if weights > 110:
        raise Wrong(
            f"It sees {field} pixels, but has {weights} weights, and 110 are allowed. "
            "How many weights does a kernel have for each pixel that it adds to the field?"
        )


def _flipped_once(X, K):
    return corr2d(X, K.flip(0))


_PAIRS = [
    (torch.arange(9.0).reshape(3, 3), torch.arange(4.0).reshape(2, 2)),
    (_random(4, 6), _random(1, 3, seed=1)),
    (_random(6, 5, seed=2), _random(3, 2, seed=3)),
    (_random(2, 3, seed=4), _random(2, 3, seed=5)),
    (_random(3, 3, seed=6), _random(1, 1, seed=7)),
    (_random(9, 7, seed=8), _random(3, 4, seed=9)),
]

_GRADIENTS = [
    (torch.arange(9.0).reshape(3, 3), torch.tensor([[1.0, 0.0], [0.0, 0.0]])),
    (_random(5, 6), _random(3, 5, seed=1)),
    (_random(6, 4, seed=2), _random(2, 4, seed=3)),
    (_random(4, 4, seed=4), _random(4, 4, seed=5)),
]

EXERCISES = {
    1: Exercise(
        "easy",
        "compute",
        _horizontal_edges,
        (
            "The kernel [1, -1] subtracts from each pixel its neighbour to the right. Which neighbour tells of an edge "
            "that runs across?",
            "An edge from top to bottom shows in X[i, j] - X[i + 1, j]: the upper pixel counts 1, the lower one -1.",
            "Take one column, white above black: 1, 1, 0, 0. The differences of each and the next below are 0, 1, 0. A "
            "kernel of shape (2, 1) computes them; its rows are lists of one number each.",
        ),
    ),
    2: Exercise(
        "easy",
        "predict",
        Number(
            -1,
            "the value at the edge",
            {
                1: "That is the cross-correlation's. Flip the kernel first, then slide it over [1, 0].",
                0: "Nothing changes where the picture is even; at the edge it does. Flip the kernel, then slide it.",
                2: "Each product counts once: flip the kernel, lay it over [1, 0], multiply and add.",
            },
            "Flip the kernel, then lay it over [1, 0].",
        ),
        (
            "A true convolution is a cross-correlation with the kernel flipped.",
            "The kernel [1, -1] flipped is [-1, 1]. The window at the edge holds (1, 0).",
            "At an edge from 0 to 1 the window holds (0, 1), which gives -1 * 0 + 1 * 1 = 1. Yours runs from 1 to 0.",
        ),
    ),
    3: Exercise(
        "medium",
        "compute",
        Function(
            corr2d,
            _PAIRS,
            [
                (
                    convolve2d,
                    "The kernel is flipped: that is the true convolution. K[a, b] goes with the copy that starts at "
                    "row "
                    "a and column b.",
                ),
                (
                    _shifted(lambda Y, X, K, a, b: K[a, b] * _window(Y, X, a, b)),
                    "Only the last copy is left: add (+=), where each copy takes the place of the one before (=).",
                ),
                (
                    _shifted(lambda Y, X, K, a, b: Y + _window(Y, X, a, b)),
                    "The copies add up, but none is multiplied by its K[a, b].",
                ),
                (
                    _shifted(lambda Y, X, K, a, b: Y + K[a, b] * X[: Y.shape[0], : Y.shape[1]]),
                    "The copies are not shifted: the one for K[a, b] starts at row a and column b.",
                ),
                (
                    _shifted(
                        lambda Y, X, K, a, b: (
                            Y
                            + K[a, b] * F.pad(X, (0, K.shape[1], 0, K.shape[0]))[b : b + Y.shape[0], a : a + Y.shape[1]]
                        )
                    ),
                    "Rows and columns are swapped: a shifts down, b shifts to the right.",
                ),
                (
                    _shifted(lambda Y, X, K, a, b: (Y + K[a, b] * _window(Y, X, a, b)).long().float()),
                    "The decimals are lost: the sum is kept in a tensor of integers.",
                ),
                (
                    lambda X, K: corr2d(X, K.T),
                    "The kernel's rows and columns are swapped: K[a, b], not K[b, a].",
                ),
                (lambda X, K: corr2d(X, K)[:-1, :-1], "The last row and the last column are missing: h - k + 1 fit."),
                (
                    lambda X, K: corr2d(X, K, padding=1),
                    "The output's shape is too large: there is no padding, so h - k + 1 rows fit.",
                ),
            ],
            "The copy that belongs to K[a, b] starts at row a and column b, and has the output's shape.",
            after=_loops_over_the_kernel,
        ),
        (
            "In the sum for Y[i, j] the element K[a, b] meets X[i + a, j + b]. Fix a and b, and let i and j run: "
            "that is "
            "X moved by a and b.",
            "The output has the shape (h - k_h + 1, w - k_w + 1). Add K[a, b] times the part of X of that shape that "
            "starts at row a and column b, for every a and b.",
            "With X = [[0, 1, 2]] and K = [[2, 3]] the output has 2 columns: 2 * [0, 1] + 3 * [1, 2] = [3, 8].",
        ),
    ),
    4: Exercise(
        "medium",
        "compute",
        Number(
            56,
            "the number of layers",
            {
                55: "55 layers see 221 pixels: it is not enough yet.",
                57: "57 layers do, but there is a smaller number that does, too.",
                45: "The first layer sees 5 pixels, but each further one adds less than 5: neighbouring windows "
                "overlap.",
                44: "The first layer sees 5 pixels, but each further one adds less than 5: neighbouring windows "
                "overlap.",
                112: "That is the number for kernels of 3 by 3. How much do 5 by 5 add, a layer?",
                111: "That is about the number for kernels of 3 by 3. How much do 5 by 5 add, a layer?",
                28: "Each layer adds less than 8: a window of 5 reaches 2 to either side.",
                220: "Each layer adds more than one pixel: it reaches to both sides.",
                223: "Each layer adds more than one pixel: it reaches to both sides.",
                224: "Each layer adds more than one pixel: it reaches to both sides.",
                55.75: "There is no part of a layer: which whole number is enough?",
            },
            "One layer sees 5 pixels, two see 9.",
        ),
        (
            "Follow one element back: through one layer it sees 5 pixels, through two it sees what 5 neighbours see "
            "together.",
            "Neighbours' windows overlap but for one pixel. So each layer adds k - 1 pixels to the field, which "
            "starts at 1.",
            "To see 28 pixels with kernels of 3 by 3 the field grows 1, 3, 5, ..., 27, 29: 14 layers, since 13 see 27.",
        ),
    ),
    5: Exercise(
        "easy",
        "explain",
        Statements(
            {
                "a": (
                    True,
                    "where all pixels under the window are alike, x, it gives x - x = 0, however bright the place is.",
                ),
                "b": (
                    False,
                    "the sign says which way the brightness goes, from white to black or back; how strong the edge is "
                    "shows in the size of the number.",
                ),
                "c": (
                    True,
                    "the picture moves, each window moves with it: the feature map is the same, moved by three columns "
                    "(but for what enters or leaves at the border).",
                ),
                "d": (
                    False,
                    "along a horizontal edge the pixel and its neighbour to the right are alike, so that it gives 0 "
                    "there; it finds vertical edges alone.",
                ),
                "e": (
                    True,
                    "Y[i, j] adds up what lies under the window whose upper left corner is X[i, j]: the place in the "
                    "map is the place in the picture.",
                ),
            }
        ),
        (
            "Put numbers on it: a small picture with one edge, and the window at three places.",
            "Y[i, j] = X[i, j] - X[i, j + 1]. Ask each statement of this formula.",
            "The row 1, 1, 0, 0, 1 gives 0, 1, 0, -1. One zero is white, one is black: the map does not tell them "
            "apart.",
        ),
    ),
    6: Exercise(
        "easy",
        "debug",
        Function(
            convolve2d,
            [*_PAIRS[:4], _PAIRS[5]],
            [
                (corr2d, "Now it is the cross-correlation: the kernel must be flipped."),
                (
                    lambda X, K: corr2d(X, K.flip(1)),
                    "Now left and right are flipped, and top and bottom are not: both axes must be.",
                ),
                (
                    lambda X, K: corr2d(X.flip(0, 1), K),
                    "The picture is flipped in place of the kernel: the output comes out turned by half a turn.",
                ),
                (
                    lambda X, K: corr2d(X, K.T),
                    "K.T swaps rows and columns; to flip is to turn their order round.",
                ),
            ],
            "Compare with scipy.signal.convolve2d on a kernel that is symmetrical to nothing.",
            planted=_flipped_once,
        ),
        (
            "A kernel that is symmetrical cannot tell. Which is the smallest that can?",
            "In the formula of the true convolution both indices of K run backwards: X[i - a, j - b].",
            "On X = [[1, 2]] with K = [[3, 4]] the true convolution gives 1 * 4 + 2 * 3 = 10, the cell 1 * 3 + 2 * 4 "
            "= 11.",
        ),
    ),
    7: Exercise(
        "hard",
        "compute",
        Function(
            lambda X, G: corr2d(X, G),
            _GRADIENTS,
            [
                (
                    lambda X, G: convolve2d(X, G),
                    "It is turned by half a turn: G is not flipped here, that happens for the gradient with respect "
                    "to X.",
                ),
                (lambda X, G: corr2d(X, torch.ones_like(G)), "G is ignored: each output's gradient weighs its window."),
                (
                    lambda X, G: corr2d(X, G) / G.numel(),
                    "It is a mean; the gradient adds up what all windows contribute.",
                ),
                (
                    lambda X, G: corr2d(F.pad(X, (G.shape[1] - 1,) * 2 + (G.shape[0] - 1,) * 2), G),
                    "It is too large: with padding it would be the shape of the gradient with respect to X. K's is "
                    "X's less G's, plus 1.",
                ),
                (
                    lambda X, G: -corr2d(X, G),
                    "The sign is the other way round: a step of descent goes against it, the gradient itself does not.",
                ),
            ],
            "dL/dK[a, b] adds up, over all i and j, G[i, j] times what K[a, b] was multiplied by for Y[i, j].",
        ),
        (
            "K[a, b] has a part in every Y[i, j]. By the chain rule its gradient adds up what all of them pass on.",
            "Y[i, j] holds K[a, b] * X[i + a, j + b]. So dL/dK[a, b] = sum over i, j of G[i, j] * X[i + a, j + b]: "
            "have "
            "you seen this sum before?",
            "With X = [[1, 2, 3]] and G = [[1, 10]] the kernel is 1 by 2: the first gradient is 1 * 1 + 10 * 2 = 21, "
            "the "
            "second 1 * 2 + 10 * 3 = 32.",
        ),
    ),
    8: Exercise(
        "hard",
        "design",
        _small_kernels,
        (
            "A kernel of k by k costs k * k weights and adds k - 1 pixels. Which k gives most for its weights?",
            "The weights for each pixel gained are k * k / (k - 1): 4.5 for k = 3, 6.25 for k = 5. Is there a "
            "smaller one?",
            "For a field of 5: one 5 by 5 has 25 weights, two 3 by 3 have 18, four 2 by 2 have 16.",
        ),
    ),
}
