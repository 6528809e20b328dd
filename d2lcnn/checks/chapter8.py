"""Exercises of chapter 8: NiN."""

import torch
from torch import nn

from d2lcnn.checks._answers import Wrong, agrees, call, compared, module, relation, show, tensor
from d2lcnn.checks._layers import redrawn, steps_of
from d2lcnn.checks._tasks import Exercise, Function, Number, Statements
from d2lcnn.nets import nin


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _as_conv(answer) -> None:
    names = ["linear", "channels", "height", "width"]
    for channels, height, width in ((1, 3, 3), (2, 3, 4), (3, 1, 2)):
        linear = redrawn(nn.Linear(channels * height * width, 5)).requires_grad_(False)
        X, on = _random(2, channels, height, width, seed=1), f"({channels}, {height}, {width})"
        conv = call(answer, linear, channels, height, width, names=names)
        if not isinstance(conv, nn.Conv2d):
            asked = ": the layer itself, not what it gives" if isinstance(conv, torch.Tensor) else ""
            raise Wrong(f"An nn.Conv2d is expected, but your function returns {show(conv)}{asked}.")
        shape, kernel = tuple(conv.weight.shape), (5, channels, height, width)
        if shape != kernel:
            hint = f"The window covers the whole map {on}, and 5 features come out."
            if shape == (5, channels, width, height):
                hint = "Height and width are swapped: a kernel's size is (height, width)."
            elif shape[0] == channels * height * width:
                hint = "In and out are mixed up: nn.Conv2d(in_channels, out_channels, kernel_size)."
            raise Wrong(f"For the map {on} the weight's shape {kernel} is expected, but it is {shape}. {hint}")
        if conv.padding not in (0, (0, 0), "valid") or conv.dilation != (1, 1):
            raise Wrong("The window covers the whole map: no padding, no dilation.")
        Y, expected = tensor(call(conv, X)), linear(X.flatten(1))[:, :, None, None]
        if agrees(Y, expected):
            continue
        hint = relation(Y, expected) if Y.shape == expected.shape else ""
        bare = expected - linear.bias[:, None, None]
        if conv.bias is None or agrees(Y, bare):
            hint = "The bias is forgotten: give it the linear layer's own, its bias."
        elif agrees(Y - conv.bias[:, None, None], bare):
            hint = "The weight is right, the bias is not the linear layer's own."
        elif not torch.equal(conv.weight.flatten().sort()[0], linear.weight.flatten().sort()[0]):
            hint = "The weights are not the linear layer's own weight: copy them."
        else:
            hint = "It is the linear layer's own weight, in another order: reshape it to the kernel's four axes."
        raise Wrong(f"On two random inputs {on} {compared(Y, expected)} {hint}")


def _nets() -> list[nn.Module]:
    return [
        redrawn(nin(stem=(3, 1, 1), widths=(4, 5, 6), final_relu=final), seed).eval().requires_grad_(False)
        for seed, final in ((1, False), (2, True))
    ]


def _maps(net, X, k):
    return net[:-2](X)[:, k]


def _map_cases() -> list[tuple]:
    first, second = _nets()
    X = _random(3, 1, 40, 28)
    X[1] *= 3
    X[2] -= 2
    return [
        (first, X, 0),
        (first, X, 7),
        (second, X[:2], 3),
        (first, X[:1], 9),
        (second, _random(2, 1, 31, 47, seed=5), 5),
    ]


def _cheap_stem(answer) -> None:
    net = redrawn(module(answer, "block").eval())
    X = _random(2, 1, 224, 224)
    Y = tensor(call(net, X, names=["X"], hint="It is to take pictures of shape (N, 1, 224, 224)."))
    if tuple(Y.shape) != (2, 96, 54, 54):
        raise Wrong(f"From (2, 1, 224, 224) the shape (2, 96, 54, 54) is to come out, but it is {tuple(Y.shape)}.")
    parameters = sum(p.numel() for p in net.parameters())
    if parameters >= 20_000:
        raise Wrong(
            f"It has {parameters:,} parameters, and fewer than 20,000 are wanted. Only the last convolution must put "
            f"out 96 "
            "channels."
        )
    steps, _ = steps_of(net, X)
    convs = [step for step in steps if step.name == "conv2d"]
    ones = [step for step in convs if tuple(step.weight.shape[2:]) == (1, 1)]
    if len(ones) < 2:
        raise Wrong(f"At least two 1x1 convolutions are to be in it, as in a NiN block; here are {len(ones)}.")
    relus = sum("relu" in step.name for step in steps)
    if relus < len(convs):
        raise Wrong(
            f"After each convolution there is to be a ReLU; here are {len(convs)} convolutions and {relus} ReLUs."
        )
    X = torch.rand(1, 1, 224, 224, generator=torch.Generator().manual_seed(1)).requires_grad_()
    (reach,) = torch.autograd.grad(net(X)[0, :, 20, 20].sum(), X)
    rows = reach[0, 0].abs().sum(1).nonzero()
    field = int(rows.max() - rows.min()) + 1 if len(rows) else 0
    if field < 11:
        raise Wrong(f"An element sees {field} pixels across, and at least 11 are wanted, as in NiN's first block.")


_MAPS = [
    (torch.arange(24.0).reshape(1, 2, 3, 4),),
    (_random(2, 3, 5, 4),),
    (_random(3, 1, 1, 6, seed=1),),
    (_random(1, 4, 3, 3, seed=2),),
]

EXERCISES = {
    1: Exercise(
        "easy",
        "compute",
        Number(
            746_240,
            "the number of parameters",
            {
                745_472: "Each of the three convolutions has a bias for each of its channels, too.",
                745_728: "The two 1x1 convolutions have biases, too.",
                745_984: "One of the three convolutions has lost its biases.",
                614_656: "That is the first convolution alone; two 1x1 convolutions follow.",
                614_400: "That is the first convolution alone, and without its biases.",
                680_448: "There are two 1x1 convolutions, not one.",
                812_032: "There are two 1x1 convolutions, not three.",
                664_320: "The 1x1 convolutions go from 256 to 256 channels, not from 96.",
                353_280: "The window is 5 by 5.",
                254_720: "The window has 5 * 5 places, not 5.",
                131_584: "That is the two 1x1 convolutions; the one with the window comes first.",
            },
            "Three convolutions, one with a window and two of 1 by 1: count each.",
        ),
        (
            "The block holds three convolutions. From how many to how many channels does each go?",
            "c_o * c_i * k * k + c_o for each: the first with k = 5 from 96 to 256, then two with k = 1 from 256 to "
            "256.",
            "nin_block(2, 3, 5, 1, 2): 3 * 2 * 25 + 3 = 153, then twice 3 * 3 + 3 = 12: 177.",
        ),
    ),
    2: Exercise(
        "hard",
        "compute",
        _as_conv,
        (
            "The layer sees the whole map at once: how large is a window that does?",
            "linear.weight has the shape (out, channels * height * width). Flattening runs through channels, rows, "
            "columns, "
            "as the axes of a kernel do.",
            "For a map (1, 1, 2) and one output: weight [[3, 5]] becomes the kernel [[[[3, 5]]]], the bias stays.",
        ),
    ),
    3: Exercise(
        "medium",
        "compute",
        Function(
            _maps,
            _map_cases(),
            [
                (
                    lambda net, X, k: net[:-2](X)[k],
                    "That is picture k, all its classes: the first axis counts pictures.",
                ),
                (lambda net, X, k: net[:-2](X)[:, 0], "k is ignored: it is class 0 always."),
                (
                    lambda net, X, k: net(X)[:, k],
                    "The mean has been taken already: leave off the global average pooling.",
                ),
                (
                    lambda net, X, k: net[:-1](X)[:, k],
                    "The mean has been taken already: leave off the global average pooling, too.",
                ),
                (lambda net, X, k: net[:-2](X), "All classes are still there: take channel k."),
                (
                    lambda net, X, k: net[:-2](X)[:, k : k + 1],
                    "The axis of channels is still there: index with k, not with a slice.",
                ),
                (lambda net, X, k: net[:-2](X)[0, k], "That is the first picture alone."),
                (lambda net, X, k: net[:-2](X)[:1, k].expand(len(X), -1, -1), "All pictures get the first one's map."),
                (lambda net, X, k: net[:-2](X)[:, k].flip(0), "The order of the pictures is turned round."),
                (
                    lambda net, X, k: net[:-2](X)[:, k].mean(0, keepdim=True).expand(len(X), -1, -1),
                    "The pictures are averaged: each has its own map.",
                ),
                (lambda net, X, k: net[:-2](X.flip(3))[:, k], "The pictures are mirrored first."),
                (lambda net, X, k: net[:-2](X.flip(0))[:, k], "The order of the pictures is turned round."),
                (
                    lambda net, X, k: net[:-2](X)[:, k].relu(),
                    "A ReLU is taken of the map: its negative numbers count, too.",
                ),
                (
                    lambda net, X, k: net[:-2](X).softmax(1)[:, k],
                    "A softmax is taken over the classes: the map itself is asked.",
                ),
                (
                    lambda net, X, k: net[:-3](X)[:, k % net[:-3](X).shape[1]],
                    "One layer too many is left off: the last block makes the class maps.",
                ),
                (lambda net, X, k: net[:-2](X)[:, k - 1], "It is the class before k: channels are counted from 0."),
                (
                    lambda net, X, k: net[:-2](X)[:, k] / net[:-2](X)[:, k].amax((1, 2), keepdim=True),
                    "The map is scaled: it is asked as the network makes it.",
                ),
            ],
            "Which layers come after the class maps, and which axis is the classes'?",
        ),
        (
            "The last layers of the network take the mean and flatten it. What is there just before?",
            "net[:-2] is the network without its last two layers; its output has the axes (N, classes, height, width).",
            "For an output of shape (3, 10, 5, 5) and k = 7, [:, 7] has the shape (3, 5, 5).",
        ),
    ),
    4: Exercise(
        "medium",
        "compute",
        Number(
            67,
            "the side of the picture",
            {
                66: "One pixel is missing: the last window must be whole.",
                68: "68 does, but there is a smaller picture that does, too.",
                96: "96 does, but there is a smaller picture that does, too.",
                63: "One window of 11 behind 13 steps of 4: how many elements must the first pooling get?",
                11: "The picture must survive three poolings after the first block.",
                7: "That is before the second pooling; go on backwards to the picture.",
                15: "That is before the first pooling; the first block has a window of 11 and a stride of 4.",
                35: "There are three poolings, and then the first block's window.",
                3: "That is before the last pooling; go on backwards to the picture.",
                64: "The poolings have windows of 3, not of 2.",
                32: "The poolings have windows of 3 with stride 2; the first block a window of 11 with stride 4.",
                60: "To 14 steps of 4 comes the window of 11.",
                71: "The last pooling needs 3 elements, not 4.",
                4: "Go backwards from one element behind the last pooling to the picture.",
            },
            "Go backwards: what does the last pooling need at least, and what the layers before it?",
        ),
        (
            "Go backwards from a single element. Which layers change the size at all?",
            "To have m windows, a layer needs (m - 1) * stride + k elements. Three poolings (3, 2), then the first "
            "block (11, 4).",
            "Two poolings (3, 2): 1 element needs 3, 3 need 7.",
        ),
    ),
    5: Exercise(
        "easy",
        "predict",
        Number(
            0.1,
            "the probability",
            {
                0.0: "The exponential of a logit of 0 is 1: the softmax gives no class nothing.",
                1 / 9.0: "The sandal itself counts among the ten, too.",
                0.5: "There are nine others, and each of them is 0 at the least.",
                1.0: "The others are 0 at the least, because of the ReLU: they keep their share.",
                10.0: "A probability is at most 1: as a share, not per cent.",
                2.3026: "That is the loss; the probability is asked.",
            },
            "How small can the other nine logits be, behind a ReLU?",
            within=5e-4,
        ),
        (
            "The sandal's share is largest where the others' are smallest. How small can a logit be behind a ReLU?",
            "exp(0) / (exp(0) + the others' exponentials), each of them at least exp(0) = 1.",
            "With three classes: 1 / (1 + 1 + 1), a third.",
        ),
    ),
    6: Exercise(
        "medium",
        "explain",
        Statements(
            {
                "a": (
                    True,
                    "the mean of a map exists whatever the map's size, and there is one for each channel; a linear "
                    "layer "
                    "wants one number of inputs.",
                ),
                "b": (
                    False,
                    "it has no parameters at all: the work of telling the classes apart is left to the convolutions "
                    "before.",
                ),
                "c": (
                    True,
                    "at each pixel it multiplies the vector of channels by the same matrix, and that is a linear "
                    "layer.",
                ),
                "d": (
                    False,
                    "the mean is the same wherever in the map the numbers stand: where something was is exactly what "
                    "is lost.",
                ),
                "e": (
                    True,
                    "a logit of 0 behind a ReLU has slope 0 where its input is negative for every picture: no "
                    "gradient comes "
                    "through to bring it back.",
                ),
            }
        ),
        (
            "Three of them can be tried on a map of 2 by 2: take the mean of it, move its numbers, make it 3 by 3.",
            "Global average: Y[n, c] = mean over i, j of X[n, c, i, j].",
            "[[1, 0], [0, 0]] and [[0, 0], [0, 1]] have the same mean, 0.25.",
        ),
    ),
    7: Exercise(
        "easy",
        "debug",
        Function(
            lambda X: X.mean((2, 3)),
            _MAPS,
            [
                (lambda X: X.sum((2, 3)), "Now it is the sum: the division is lost."),
                (lambda X: X.sum((2, 3)) / X.shape[2], "Divided by the height alone: by the width, too."),
                (lambda X: X.sum((2, 3)) / X.shape[3], "Divided by the width alone: by the height, too."),
                (lambda X: X.mean(1), "That is the mean over the channels: each channel keeps its own."),
                (lambda X: X.mean((1, 2, 3)), "The channels are averaged, too: each keeps its own mean."),
                (lambda X: X.mean((0, 2, 3)), "The pictures are averaged, too: each keeps its own mean."),
                (lambda X: X.amax((2, 3)), "That is the maximum: the mean is asked."),
                (
                    lambda X: X.mean((2, 3), keepdim=True),
                    "The numbers are right, but the shape (N, C) is wanted: two axes of length 1 are too many.",
                ),
            ],
            "Put numbers in: a map of ones has the mean 1.",
            planted=lambda X: X.sum((2, 3)) / X.shape[2] * X.shape[3],
        ),
        (
            "Give it a map of ones. What comes out, and what should?",
            "Without brackets / and * are worked out from left to right.",
            "For 3 by 4 ones: the sum is 12; 12 / 3 * 4 is 16, and 12 / (3 * 4) is 1.",
        ),
    ),
    8: Exercise(
        "hard",
        "design",
        _cheap_stem,
        (
            "nin_block(1, 96, 11, 4, 0) has 30,336 parameters. Where are most of them: in the window, or in the 1x1s?",
            "w channels in the middle: 121 * w + w, then w * w + w, then w * 96 + 96. Only the last must be 96.",
            "For w = 10: 1,220 + 110 + 1,056 = 2,386. There is room for more.",
        ),
    ),
}
