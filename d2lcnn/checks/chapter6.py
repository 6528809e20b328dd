"""Exercises of chapter 6: AlexNet."""

import math

import torch

from d2lcnn.checks._answers import Calls, Wrong, call, module, relation, tensor
from d2lcnn.checks._tasks import Exercise, Function, Number, Numbers, Statements


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _dropout(answer) -> None:
    ones = torch.ones(200, 200)
    names = ["X", "p"]

    def dropped(X, p):
        return tensor(call(answer, X, p, names=names, hint="It takes a tensor and a probability."))

    torch.manual_seed(0)
    half = dropped(ones, 0.5)
    if half.shape != ones.shape:
        raise Wrong(f"On ones of shape (200, 200) the output's shape is {tuple(half.shape)}: it is to be the input's.")
    half = half.double()
    if (half == 0).all() or not half.isfinite().all():
        raise Wrong("With p = 0.5 nothing is left, or something infinite: about half of the elements are to stay.")
    if any((half == 0).all(axis).any() for axis in (0, 1)):
        raise Wrong("Whole rows or columns are dropped: each element is to be drawn for itself.")
    share = (half == 0).double().mean().item()
    if share == 0:
        raise Wrong("With p = 0.5 a share of 0.5 is to become zero; here nothing did.")
    if not torch.equal(dropped(torch.arange(-2.0, 3.0), 0.0).double(), torch.arange(-2.0, 3.0).double()):
        raise Wrong(
            "With p = 0 nothing is dropped, and nothing scaled: p is the probability to become zero, not to stay."
        )
    for X, p, value in ((ones, 0.5, 1.0), (3 * ones, 0.2, 3.0), (-2 * ones, 0.9, -2.0)):
        result = dropped(X, p).double()
        share, right = (result == 0).double().mean().item(), value / (1 - p)
        if abs(share - p) > 0.02:
            kept = abs(share - (1 - p)) < 0.02
            hint = " p is the probability to become zero, not to stay." if kept else ""
            raise Wrong(f"With p = {p} a share of {p} is to become zero; here it was {share:.2f}.{hint}")
        exact = abs((result == 0).sum().item() - p * X.numel()) < 1e-6
        again = dropped(X, p).double()
        if exact and (again == 0).sum() == (result == 0).sum():
            raise Wrong("Exactly the same number is dropped each time: each element is to be drawn for itself.")
        if torch.equal(result, again):
            raise Wrong("Called twice, it dropped the same elements: draw them anew at each call.")
        columns = (result == 0).double()
        if (columns.mean(0) - p).abs().max() > 0.25 or (columns.mean(1) - p).abs().max() > 0.25:
            raise Wrong("Some rows or columns are dropped together: each element is to be drawn for itself.")
        left = result[result != 0]
        if not torch.allclose(left, torch.full_like(left, right), rtol=1e-4):
            seen, hint = left[0].item(), "Scale by what keeps the mean."
            if math.isclose(seen, value, rel_tol=1e-4):
                hint = f"It is not scaled: a share of {1 - p:.2g} is kept, so that the mean falls."
            elif math.isclose(seen, value / p, rel_tol=1e-4):
                hint = "It is divided by p, the share that is dropped."
            elif math.isclose(seen, value * (1 - p), rel_tol=1e-4):
                hint = "It is multiplied where it should be divided: what is kept must grow."
            raise Wrong(f"With p = {p} a {value:g} that is kept is to become {right:.5g}, but it is {seen:.5g}. {hint}")
    X = _random(40, 50, seed=1) + 5
    result = dropped(X, 0.5).double()
    left = result != 0
    if not torch.allclose(result[left], 2 * X.double()[left], rtol=1e-4):
        raise Wrong(
            f"On random numbers those that are kept are to be twice what they were. {relation(result, 2 * X)}".rstrip()
        )
    three = dropped(torch.ones(2, 3, 50, 50), 0.5)
    if (three.shape == (2, 3, 50, 50) and any((three == three[:1]).all().item() for _ in (0,))) or (
        three == three[:, :1]
    ).all():
        raise Wrong("All pictures, or all channels, lose the same elements: each element is to be drawn for itself.")
    calls = Calls()
    call(answer, ones, 0.5, names=names, within=calls)
    library = [name for name in calls.names if "dropout" in name]
    if library:
        raise Wrong(f"The numbers are right, but by hand is asked: {library[0]} is the very function to be written.")


def _deviation(weight):
    return math.sqrt(2 / weight[0].numel())


_SHAPES = [
    (_random(4, 3, 5, 5),),
    (_random(16, 8, 3, 3, seed=1),),
    (_random(10, 7, seed=2),),
    (_random(6, 1, 11, 11, seed=3),),
    (_random(2, 5, 1, 3, seed=4),),
]


def _cheap_head(answer) -> None:
    head = module(answer, "head").eval()
    X = _random(3, 256, 5, 5).abs()
    Y = tensor(call(head, X, hint="It is to take maps of shape (N, 256, 5, 5)."))
    if tuple(Y.shape) != (3, 10):
        raise Wrong(f"From (3, 256, 5, 5) the shape (3, 10) is to come out, but it is {tuple(Y.shape)}.")
    parameters = sum(p.numel() for p in head.parameters())
    if parameters >= 1_000_000:
        raise Wrong(
            f"It has {parameters:,} parameters, and fewer than a million are wanted. 6,400 numbers enter: how many "
            "hidden units does that leave room for, or how could fewer numbers enter?"
        )
    X = _random(2, 256, 5, 5, seed=1).abs().requires_grad_()
    reach = sum(torch.autograd.grad(head(X)[0, k], X, retain_graph=True)[0].abs() for k in range(10))
    if (reach[0] == 0).any():
        raise Wrong(
            f"{int((reach[0] == 0).sum())} of the 6,400 numbers have no influence on any score: none may be left out."
        )
    if reach[1].any():
        raise Wrong("A picture's scores depend on another picture: examples must not mix.")
    with torch.no_grad():
        A, B = X[:1], _random(1, 256, 5, 5, seed=2).abs() * 3
        linear = (head(A) + head(B) - head((A + B) / 2) * 2).abs().max() < 1e-4 * head(B).abs().max()
    if linear:
        raise Wrong("It is linear from end to end: between two layers with weights there is to be a ReLU.")


_FLAGS = torch.tensor([True, False, True])
_BATCHES = [
    (torch.arange(36.0).reshape(3, 2, 2, 3), _FLAGS),
    (_random(4, 3, 4, 4), torch.tensor([False, False, True, True])),
    (_random(2, 1, 3, 3, seed=1), torch.tensor([False, False])),
    (_random(3, 2, 3, 3, seed=2), torch.tensor([True, True, True])),
    (_random(1, 1, 2, 5, seed=3), torch.tensor([True])),
]


def _chosen(X, flags, *axes):
    return torch.where(flags.view(-1, 1, 1, 1), X.flip(axes), X)


EXERCISES = {
    1: Exercise(
        "easy",
        "predict",
        Numbers(
            (227, 2),
            ("side", "padding"),
            {
                (227, 3): "The side is right; 3 gives 55 as well, but is not the smallest padding.",
                (
                    227,
                    4,
                ): "The side is right; the padding is per side, as in PyTorch, and 4 is what both have together.",
                (227, 1.5): "The side is right; half a pixel cannot be padded: a whole number, per side.",
                (227, 1): "The side is right; with 1 per side the 55th window lacks a pixel still.",
                (224, 2): "The padding is right; 224 leaves pixels over and gives 54. 55 windows are 54 steps.",
                (231, 2): "The padding is right; 55 windows are 54 steps of 4, and one window of 11.",
                (228, 2): "The padding is right; with 228 a pixel is left over.",
                (220, 2): "The padding is right; the last window is 11 wide, not 4.",
            },
            {
                "side": {
                    231: "55 windows are 54 steps of 4, and one window of 11.",
                    228: "A pixel would be left over: it is to fit exactly.",
                    220: "54 steps of 4 and then a window of 11.",
                    216: "54 steps of 4, and then the last window, which is 11 wide.",
                    224: "224 gives 54 windows, with pixels left over.",
                },
                "padding": {
                    3: "3 gives 55 as well, but is not the smallest.",
                    4: "It is per side, as in PyTorch.",
                    5: "5 keeps the size at stride 1; here only 55 windows are wanted.",
                    0: "Without padding it is 54.",
                    1: "With 1 per side the 55th window lacks a pixel still.",
                },
            },
            "Where does the first window begin, and where does the last one end?",
        ),
        (
            "55 windows, 4 pixels apart: where does the last one begin, and where does it end?",
            "n = (55 - 1) * 4 + 11 fits exactly; with padding, 224 + 2p must be at least that.",
            "6 windows of 5 pixels, 3 apart: 5 * 3 + 5 = 20. From 17 pixels 3 are missing: 1.5 a side, so 2.",
        ),
    ),
    2: Exercise(
        "medium",
        "compute",
        Number(
            50_844_008,
            "the number of parameters",
            {
                50_820_776: "The thousand classes are there, the three channels are not: the first convolution's "
                "kernels are deeper.",
                46_787_978: "The three channels are there, the thousand classes are not.",
                46_764_746: "That is with one channel and ten classes.",
                50_843_018: "A bias for each class is missing.",
                50_832_392: "Two channels are added to the one, not one.",
                50_855_624: "Two channels are added to the one, not three.",
                54_894_632: "The last layer grows from 10 to 1,000 outputs: by 990, not by 1,000.",
                50_848_105: "The last layer grows by 990 outputs, not by 991.",
                50_884_968: "The last layer grows by 990 outputs, and not by 1,000.",
            },
            "Which two layers change, and by how many weights and biases each?",
        ),
        (
            "Only two layers see the difference: the first and the last.",
            "The first has 96 * c_i * 11 * 11 weights, the last 4,096 weights and a bias for each class.",
            "From 1 to 2 channels the first grows by 96 * 121 = 11,616; from 10 to 11 classes the last by 4,097.",
        ),
    ),
    3: Exercise(
        "medium",
        "compute",
        Number(
            math.sqrt(2 / 2400),
            "the standard deviation",
            {
                2 / 2400: "That is the variance; the deviation is its square root.",
                math.sqrt(2 / 96): "Each output adds up products over the whole window, too.",
                math.sqrt(1 / 2400): "For a ReLU the variance is twice as large: half of the signal is cut away.",
                math.sqrt(
                    2 / 6400
                ): "The fan-in counts what an output is made of: input channels, not output channels.",
                math.sqrt(2 / 256): "The fan-in counts what an output is made of: input channels times window.",
                math.sqrt(2 / 25): "Each output adds up products over all 96 channels, too.",
                math.sqrt(2 / 480): "The window has 5 * 5 places.",
                math.sqrt(6 / 2400): "That is the bound of the uniform distribution; the deviation is asked.",
                math.sqrt(2 / (96 * 121)): "5 by 5, the second convolution's own window.",
                math.sqrt(2 / 8800): "The fan-in alone counts, not its sum with the fan-out.",
                0.029: "Four decimals will do, three do not.",
                0.03: "Four decimals will do, two do not.",
            },
            "How many products does one output add up?",
            within=0.000051,
        ),
        (
            "So that a sum of many products does not grow, each weight must be the smaller the more products there "
            "are.",
            "variance = 2 / fan_in, fan_in = c_i * k * k; the deviation is its square root.",
            "3 by 3 on 2 channels: fan-in 18, variance 0.111, deviation 0.333.",
        ),
    ),
    4: Exercise(
        "hard",
        "compute",
        _dropout,
        (
            "Draw a number between 0 and 1 for each element: below p it goes, otherwise it stays.",
            "keep = torch.rand_like(X) >= p. The mean falls to (1 - p) of what it was: what must be done to the rest?",
            "Of four ones with p = 0.5 about two stay: their sum is 2 in place of 4, so each must count double.",
        ),
    ),
    5: Exercise(
        "medium",
        "compute",
        Function(
            lambda X, flags: _chosen(X, flags, 3),
            _BATCHES,
            [
                (
                    lambda X, flags: X.flip(3),
                    "All pictures are mirrored; the one whose flag is False is to stay as it is.",
                ),
                (
                    lambda X, flags: _chosen(X, flags, 2),
                    "The pictures stand on their heads: the last axis is the width.",
                ),
                (
                    lambda X, flags: _chosen(X, ~flags, 3),
                    "The flags are the wrong way round: where it is True, mirror.",
                ),
                (lambda X, flags: _chosen(X, flags, 1), "The channels are turned round, and not the width."),
                (
                    lambda X, flags: _chosen(X, flags, 2, 3),
                    "Top and bottom are swapped, too: mirror left and right only.",
                ),
                (
                    lambda X, flags: _chosen(X, flags, 1, 3),
                    "The channels are turned round, too: mirror the last axis alone.",
                ),
                (
                    lambda X, flags: X[flags].flip(3),
                    "Only the mirrored pictures come back: the others are to stay in the batch.",
                ),
                (lambda X, flags: X, "Nothing is mirrored. The last axis is the width."),
                (lambda X, flags: X.flip(0), "The order of the pictures is turned round."),
                (
                    lambda X, flags: torch.where(flags.view(-1, 1, 1, 1), X.flip(3), torch.zeros_like(X)),
                    "The pictures whose flag is False are lost.",
                ),
            ],
            "The last axis is the width; a flag for each picture wants the shape (N, 1, 1, 1).",
        ),
        (
            "Make the mirrored batch, then choose picture by picture between it and the original.",
            "X.flip(3) mirrors the width. torch.where(flag, a, b) chooses; flags of shape (N, 1, 1, 1) fit to (N, C, "
            "H, W).",
            "Two pictures of one row: [1, 2] and [3, 4], flags True and False: [2, 1] and [3, 4].",
        ),
    ),
    6: Exercise(
        "medium",
        "explain",
        Statements(
            {
                "a": (
                    False,
                    "the fully connected layers hold over nine tenths of the weights; the convolutions use each of "
                    "theirs at "
                    "every place of a map, and do most of the work.",
                ),
                "b": (
                    True,
                    "what is kept is divided by 1 - p while training, so that nothing needs to be scaled afterwards.",
                ),
                "c": (
                    True,
                    "the slope of a ReLU is 1 wherever its input is positive, that of a sigmoid a quarter at most.",
                ),
                "d": (
                    False,
                    "validation asks how the network does on pictures as they are; distorted at random, its verdict "
                    "would be "
                    "noisier, and about another task.",
                ),
                "e": (
                    True,
                    "the flag is drawn anew in each epoch, so that the network seldom sees the very same batch twice.",
                ),
            }
        ),
        (
            "Two of the statements mix up things that the chapter keeps apart: weights and work, training and judging.",
            "Weights of a convolution: c_o * c_i * k * k. Its multiplications: the same times the places of the map.",
            "A convolution with 100 weights on a map of 50 by 50 makes 250,000 multiplications, a linear layer with "
            "100 "
            "weights makes 100.",
        ),
    ),
    7: Exercise(
        "medium",
        "debug",
        Function(
            _deviation,
            _SHAPES,
            [
                (lambda w: 2 / w[0].numel(), "That is the variance: its square root was in the cell already."),
                (
                    lambda w: math.sqrt(2 / w.numel()),
                    "All weights are counted; only those that one output adds up are meant.",
                ),
                (lambda w: math.sqrt(2 / w.shape[1]), "The window is forgotten: each of its places adds a product."),
                (lambda w: math.sqrt(1 / w[0].numel()), "The 2 is lost: it makes up for what a ReLU cuts away."),
                (
                    lambda w: math.sqrt(2 / (w[0].numel() + w[:, 0].numel())),
                    "The sum of fan-in and fan-out is Glorot's rule; He's takes the fan-in alone.",
                ),
            ],
            "How many products does one output add up?",
            planted=lambda w: math.sqrt(2 / w[:, 0].numel()),
        ),
        (
            "Which axis of a weight (c_o, c_i, k_h, k_w) does one output not run over?",
            "fan-in = c_i * k_h * k_w, whatever c_o is; for a linear layer (c_o, c_i) it is c_i.",
            "A weight of shape (8, 2, 3, 3): each output adds up 2 * 9 = 18 products, the cell counts 8 * 9 = 72.",
        ),
    ),
    8: Exercise(
        "hard",
        "design",
        _cheap_head,
        (
            "The first linear layer has 6,400 weights for each of its outputs. How many outputs does a million "
            "allow? Or must "
            "6,400 numbers enter at all?",
            "6,400 * h + h + 10 * h + 10 < 1,000,000. With the mean of each map, 256 numbers enter in place of 6,400.",
            "h = 2: 12,800 + 2 + 20 + 10 = 12,832. And nn.Sequential(nn.Flatten(), nn.Linear(6400, 2), nn.ReLU(), "
            "nn.Linear(2, 10)) is a head, though a narrow one.",
        ),
    ),
}
