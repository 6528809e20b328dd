"""Exercises of chapter 3: channels."""

import torch
from torch import nn

from d2lcnn.checks._answers import Wrong, call, compared, module, tensor
from d2lcnn.checks._tasks import Exercise, Function, Number, Numbers, Statements
from d2lcnn.ops import corr2d_multi_in_out


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _grey(answer) -> None:
    K = tensor(answer)
    if tuple(K.shape) != (1, 3, 1, 1):
        hint = ""
        if K.numel() == 3:
            hint = " The three numbers are there: reshape them."
        elif tuple(K.shape) == (3, 3, 1, 1):
            hint = " One grey channel comes out, not three."
        raise Wrong(
            "Of a convolution's weight the axes are output channels, input channels, height, width. Here one channel "
            "is "
            f"made of three, and the window is 1 by 1: the shape {tuple(K.shape)} does not fit.{hint}"
        )
    given, right = K.flatten().double(), torch.tensor([0.299, 0.587, 0.114]).double()
    if (given - right).abs().max() <= 1e-4:
        return
    hint = ""
    if (given.sort()[0] - right.sort()[0]).abs().max() <= 1e-4:
        hint = "The order is red, green, blue."
    elif (given - 1 / 3).abs().max() < 0.01:
        hint = "The eye does not weigh the three alike."
    elif (given - 255 * right).abs().max() < 1 or (given - 100 * right).abs().max() < 1:
        hint = "The weights add up to 1."
    elif (given - right).abs().max() < 0.006:
        hint = "Three decimals are given."
    raise Wrong(f"On one red, one green and one blue pixel {compared(given, right)} {hint}".rstrip())


def _linear(c_i: int, c_o: int, seed: int) -> nn.Linear:
    layer = nn.Linear(c_i, c_o)
    with torch.no_grad():
        layer.weight.copy_(_random(c_o, c_i, seed=seed))
        layer.bias.copy_(3 * _random(c_o, seed=seed + 1))
    return layer.requires_grad_(False)


def _pixelwise(linear, X):
    return linear(X.permute(1, 2, 0)).permute(2, 0, 1)


def _first_linear() -> nn.Linear:
    layer = nn.Linear(3, 2).requires_grad_(False)
    layer.weight.copy_(torch.arange(6.0).reshape(2, 3))
    layer.bias.copy_(torch.tensor([1.0, -1.0]))
    return layer


def _pixel_cases() -> list[tuple]:
    with torch.random.fork_rng([]):
        return [
            (_first_linear(), torch.arange(24.0).reshape(3, 2, 4)),
            (_linear(3, 3, 1), _random(3, 3, 3, seed=2)),
            (_linear(4, 6, 3), _random(4, 5, 3, seed=4)),
            (_linear(1, 2, 5), _random(1, 1, 4, seed=6)),
            (_linear(2, 1, 7), _random(2, 3, 1, seed=8)),
        ]


def _im2col(X, k, arrange=lambda windows: windows.permute(0, 3, 4, 1, 2)):
    windows = X.unfold(1, k, 1).unfold(2, k, 1)
    return arrange(windows).reshape(X.shape[0] * k * k, -1)


def _product(arrange=lambda windows: windows.permute(0, 3, 4, 1, 2)):
    def corr2d_columns(X, K):
        c_o, _, k, _ = K.shape
        out_h, out_w = X.shape[1] - k + 1, X.shape[2] - k + 1
        return (K.reshape(c_o, -1) @ _im2col(X, k, arrange)).reshape(c_o, out_h, out_w)

    return corr2d_columns


def _separable(answer) -> None:
    net = module(answer, "block").eval()
    X = _random(2, 64, 9, 7)
    Y = tensor(call(net, X, hint="It is to take 64 channels of any height and width."))
    if tuple(Y.shape) != (2, 64, 9, 7):
        raise Wrong(
            f"From (2, 64, 9, 7) the same shape is to come out, but it is {tuple(Y.shape)}."
            + (" Height and width stay with a padding of 1." if Y.shape[2:] != X.shape[2:] else "")
        )
    parameters = sum(p.numel() for p in net.parameters())
    if parameters >= 5_000:
        hint = "Where do most of them come from? 64 * 64 pairs of channels, each with 9 weights. Split the task in two."
        raise Wrong(f"It has {parameters:,} parameters, and fewer than 5,000 are wanted. {hint}")
    X = _random(48, 64, 9, 9, seed=1).requires_grad_()  # where a ReLU is shut for one picture, it is open for another
    for k in (0, 17, 63):
        (reach,) = torch.autograd.grad(net(X)[:, k, 4, 4].sum(), X)
        blind = (reach.abs().amax((0, 2, 3)) == 0).sum().item()
        if blind:
            raise Wrong(
                f"Output channel {k} does not depend on {blind} of the 64 input channels: they are never mixed."
            )
        window = reach.abs().amax((0, 1))[3:6, 3:6]
        if (window == 0).any():
            raise Wrong(
                f"Output channel {k} does not see all 3 by 3 pixels around its own: the neighbours are left out."
            )


_CASES = [
    (torch.arange(18.0).reshape(2, 3, 3), torch.arange(8.0).reshape(1, 2, 2, 2)),
    (_random(3, 5, 4), _random(2, 3, 3, 3, seed=1)),
    (_random(1, 4, 4, seed=2), _random(3, 1, 2, 2, seed=3)),
    (_random(2, 3, 5, seed=4), _random(1, 2, 1, 1, seed=5)),
    (_random(2, 3, 3, seed=6), _random(4, 2, 3, 3, seed=7)),
]

EXERCISES = {
    1: Exercise(
        "easy",
        "compute",
        Number(
            9472,
            "the number of parameters",
            {
                9408: "Each of the 64 kernels adds a bias, too.",
                9411: "There is a bias for each output channel, not for each input channel.",
                9409: "There is a bias for each output channel, and not one for all.",
                3136: "Each kernel goes through all three input channels; and there are biases.",
                3200: "Each kernel goes through all three input channels.",
                147: "That is one kernel; there are 64, and each has a bias.",
                148: "That is one kernel with its bias; there are 64.",
                1408: "The window has 7 * 7 places, not 7.",
                1344: "The window has 7 * 7 places, not 7; and there are biases.",
                9600: "A kernel has one bias for all its three channels together.",
                260: "A kernel has a weight for each place in the window.",
                12544: "There are 64 biases, not 64 for each weight of a window.",
            },
            "How many weights has one kernel, and how many kernels are there?",
        ),
        (
            "One kernel gives one output channel, and looks at all input channels.",
            "c_o * c_i * k_h * k_w weights, and c_o biases.",
            "nn.Conv2d(2, 5, kernel_size=3): a kernel has 2 * 3 * 3 = 18 weights, five have 90, and 5 biases: 95.",
        ),
    ),
    2: Exercise(
        "easy",
        "compute",
        _grey,
        (
            "A 1x1 convolution takes the same weighted sum of the channels at each pixel: the recipe is such a sum.",
            "A weight has the shape (c_o, c_i, 1, 1); here c_o is 1 and c_i is 3.",
            "For the mean of two channels: torch.tensor([0.5, 0.5]).reshape(1, 2, 1, 1).",
        ),
    ),
    3: Exercise(
        "medium",
        "compute",
        Function(
            _pixelwise,
            _pixel_cases(),
            [
                (
                    lambda linear, X: linear(X.permute(1, 2, 0)),
                    "The channels are still the last axis: move them back to the front.",
                ),
                (
                    lambda linear, X: linear(X.permute(2, 1, 0)).permute(2, 0, 1),
                    "Rows and columns are swapped: move the channels to the end, and leave height and width in order.",
                ),
                (
                    lambda linear, X: linear(X.permute(1, 2, 0)).permute(2, 1, 0),
                    "Rows and columns are swapped on the way back.",
                ),
                (
                    lambda linear, X: linear(X.reshape(-1, X.shape[0])).T.reshape(-1, *X.shape[1:]),
                    "reshape does not move axes, it only counts on: move the channels to the last axis with permute, "
                    "and back.",
                ),
                (
                    lambda linear, X: linear(X.permute(1, 2, 0)).reshape(-1, *X.shape[1:]),
                    "reshape does not move axes: after the layer, permute the channels back to the front.",
                ),
                (
                    lambda linear, X: torch.einsum("oc,chw->ohw", linear.weight, X),
                    "The bias is forgotten: the layer itself would add it.",
                ),
                (
                    lambda linear, X: linear(X.permute(1, 2, 0)).permute(2, 0, 1).relu(),
                    "The negative numbers have become 0: there is no ReLU in the task.",
                ),
                (
                    lambda linear, X: linear(X.mean((1, 2)))[:, None, None].expand(-1, *X.shape[1:]),
                    "Each pixel is treated for itself; here they are averaged first.",
                ),
                (lambda linear, X: linear(X), "The layer is applied to the width: it works on the last axis."),
            ],
            "Move the channels to the last axis, apply the layer, and move them back.",
        ),
        (
            "The layer works on the last axis and leaves all others alone. So let the channels be last.",
            "X.permute(1, 2, 0) has the shape (h, w, c_i). What must be done after the layer?",
            "For X of shape (3, 2, 4): permuted (2, 4, 3), after nn.Linear(3, 5) (2, 4, 5), and wanted is (5, 2, 4).",
        ),
    ),
    4: Exercise(
        "easy",
        "compute",
        Number(
            178,
            "the smallest n",
            {
                31623: "There are n * n inputs and n * n outputs: the weights are their product.",
                31622: "There are n * n inputs and n * n outputs: the weights are their product.",
                177: "177 is not enough yet: rounded down it stays below a thousand million.",
                179: "179 does, but there is a smaller one that does, too.",
                1000: "The inputs are n * n, and so are the outputs: not n to the third power.",
                1001: "The inputs are n * n, and so are the outputs: not n to the third power.",
                177.8279: "A whole number of pixels: which one is enough?",
                32: "That is a million: a thousand million is 10**9.",
            },
            "How many inputs, how many outputs, and so how many weights?",
        ),
        (
            "Every output has a weight for every input. How many are there of each?",
            "n * n inputs times n * n outputs: n to the fourth power.",
            "For more than 1,000 weights: 5 ** 4 = 625 is too small, 6 ** 4 = 1,296 is enough, so n = 6.",
        ),
    ),
    5: Exercise(
        "easy",
        "predict",
        Numbers(
            (27, 80),
            ("rows", "columns"),
            {
                (80, 27): "The right numbers, swapped: here a window is a column, so that K times it is a product.",
                (9, 80): "A window goes through all three channels.",
                (27, 48): "With a padding of 1 as many windows fit as there are pixels.",
                (9, 48): "A window goes through all three channels; and with padding more windows fit.",
                (108, 80): "The four kernels are the other matrix: the columns are the same for all of them.",
                (36, 80): "A window has 3 channels of 3 by 3; the number of kernels has no part in it.",
            },
            {
                "rows": {
                    9: "A window goes through all three channels.",
                    108: "The four kernels are the other matrix.",
                    80: "A row for each element of a window.",
                },
                "columns": {
                    48: "With a padding of 1 as many windows fit as there are pixels.",
                    120: "The padding adds to the input; the windows are as many as the outputs.",
                    4: "A column for each window; the four kernels are the rows of the other matrix.",
                    240: "A window takes all channels at once: they are not counted apart.",
                },
            },
            "A column is a window: how many elements has one, and how many windows are there?",
        ),
        (
            "Each column is one window, all its channels one under the other.",
            "c_i * k * k rows; as many columns as the output has pixels, h' * w'.",
            "X of shape (2, 4, 4), kernels of 3 by 3, no padding: 2 * 9 = 18 rows, 2 * 2 = 4 columns.",
        ),
    ),
    6: Exercise(
        "medium",
        "explain",
        Statements(
            {
                "a": (
                    True,
                    "a 1x1 convolution sees one pixel: an edge is a difference between pixels, and it can find none.",
                ),
                "b": (
                    False,
                    "the weights are c_o * c_i * k * k, whatever the picture's size; its multiplications grow with it.",
                ),
                "c": (
                    True,
                    "each weight meets the channel it met before, and a sum does not ask for the order of its terms.",
                ),
                "d": (
                    False,
                    "flattening keeps every number, in a fixed order; it is the layer after it that treats all pixels "
                    "alike, neighbours or not.",
                ),
                "e": (
                    True,
                    "scrambled in the same way, each pixel only meets another weight: the layer learns the same with "
                    "its "
                    "weights scrambled. A convolution loses its neighbours.",
                ),
            }
        ),
        (
            "Ask of each: which numbers meet which weights? What is the same after the change, and what is not?",
            "Y[o, i, j] = sum over c, a, b of K[o, c, a, b] * X[c, i + a, j + b].",
            "Two channels and a 1x1 kernel: 3 * x1 + 5 * x2. With the channels swapped, and 3 and 5 as well: the "
            "same sum.",
        ),
    ),
    7: Exercise(
        "medium",
        "debug",
        Function(
            lambda X, K: corr2d_multi_in_out(X, K),
            _CASES,
            [
                (
                    _product(lambda w: w.permute(3, 4, 0, 1, 2)),
                    "Now the channels stand behind the window's rows and columns; K.reshape runs through channels "
                    "first.",
                ),
                (
                    _product(lambda w: w.permute(0, 4, 3, 1, 2)),
                    "Now the window's rows and columns are swapped: first (axis 3) down, then (axis 4) across.",
                ),
                (
                    _product(lambda w: w.permute(0, 3, 4, 2, 1)),
                    "Now the output's rows and columns are swapped: the windows go row by row.",
                ),
                (
                    lambda X, K: corr2d_multi_in_out(X, K.flip(2, 3)),
                    "Now the kernel is flipped: that was not the mistake.",
                ),
            ],
            "Print the shape of `windows`: which axes must become the rows of the matrix, and which its columns?",
            planted=_product(lambda w: w),
        ),
        (
            "The shape is right, the numbers stand in the wrong order. What does a column of the matrix hold, in the "
            "cell?",
            "`windows` has the axes (c_i, h', w', k, k). A column is a window: (c_i, k, k) must stand in front, (h', "
            "w') "
            "behind, before anything is reshaped.",
            "For one channel of 2 by 3 and k = 2 there are two windows: [0, 1, 3, 4] and [1, 2, 4, 5]. The matrix is "
            "[[0, 1], [1, 2], [3, 4], [4, 5]].",
        ),
    ),
    8: Exercise(
        "hard",
        "design",
        _separable,
        (
            "The convolution looks at neighbours and mixes channels, both at once. One after the other it is cheaper.",
            "groups=64 gives each channel its own 3 by 3 kernel: 64 * 9 weights. A 1x1 convolution then mixes "
            "channels.",
            "For 4 channels: nn.Conv2d(4, 4, 3) has 144 weights; with groups=4 it has 36, a 1x1 after it 16, so 52.",
        ),
    ),
}
