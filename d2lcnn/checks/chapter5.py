"""Exercises of chapter 5: LeNet."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from d2lcnn.checks._answers import NotTried, Wrong, agrees, call, compared, module, show, tensor
from d2lcnn.checks._layers import redrawn, steps_of
from d2lcnn.checks._tasks import Exercise, Function, Number, Order
from d2lcnn.nets import lenet


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _computed(X, weights, activation=(F.relu,) * 4, pool=F.max_pool2d, padding=2):
    """What LeNet makes of X with these weights and biases, layer by layer."""
    (w1, b1), (w2, b2), *linear = weights
    X = pool(activation[0](F.conv2d(X, w1, b1, padding=padding)), 2)
    X = pool(activation[1](F.conv2d(X, w2, b2)), 2).flatten(1)
    for (w, b), f in zip(linear, (*activation[2:], lambda Z: Z)):
        X = f(F.linear(X, w.reshape(w.shape[0], -1), b))
    return X


def _weights(net) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The parameters by their sizes, which are all different: their order and their names do not matter."""
    sizes = [((6, 1, 5, 5), 6), ((16, 6, 5, 5), 16), ((120, 400), 120), ((84, 120), 84), ((10, 84), 10)]
    given = {parameter.numel(): parameter.detach() for parameter in net.parameters()}
    return [(given[math.prod(shape)].reshape(shape), given[size]) for shape, size in sizes]


def _identity(X):
    return X


_SLIPS = [
    ({"activation": (torch.sigmoid,) * 4}, "There is a Sigmoid in it still: ReLU takes its place."),
    ({"activation": (torch.tanh,) * 4}, "It computes with tanh: ReLU takes the sigmoid's place."),
    ({"pool": F.avg_pool2d}, "It still takes the mean (AvgPool2d): MaxPool2d takes its place."),
    (
        {"activation": (F.relu, F.relu, F.relu, _identity)},
        "A ReLU is missing, after the linear layer with 84 outputs.",
    ),
    (
        {"activation": (F.relu, F.relu, _identity, F.relu)},
        "A ReLU is missing, after the linear layer with 120 outputs.",
    ),
    ({"activation": (F.relu, _identity, F.relu, F.relu)}, "A ReLU is missing, after the second convolution."),
    ({"activation": (_identity, F.relu, F.relu, F.relu)}, "A ReLU is missing, after the first convolution."),
    ({"activation": (_identity,) * 4}, "There is no ReLU in it: where the sigmoids were, ReLUs belong."),
    ({"activation": (F.relu, F.relu, _identity, _identity)}, "ReLUs are missing between the linear layers."),
    ({"activation": (F.leaky_relu,) * 4}, "It computes with LeakyReLU; ReLU is asked for."),
    ({"activation": (F.gelu,) * 4}, "It computes with GELU; ReLU is asked for."),
]
_ENDS = [
    (lambda Y: Y.softmax(1), "LeNet ends in ten scores: leave the softmax out, it is part of the loss."),
    (lambda Y: Y.log_softmax(1), "LeNet ends in ten scores: leave the softmax out, it is part of the loss."),
    (lambda Y: Y.relu(), "There is a ReLU too many, after the last layer: scores may be negative."),
    (lambda Y: Y.sigmoid(), "There is a Sigmoid at the end: LeNet ends in ten scores."),
]


def _modern(answer) -> None:
    net = module(answer)
    first = next(net.parameters(), torch.zeros(()))
    net = net.to("cpu", torch.float32) if first.is_floating_point() else net
    X = _random(3, 1, 28, 28, seed=1) * 2
    Y = tensor(call(net, X, hint="It is to take pictures of shape (N, 1, 28, 28).", names=["X"]))
    kinds = {type(layer).__name__ for _, layer in net.named_modules(remove_duplicate=False)}
    if tuple(Y.shape) != (3, 10):
        raise Wrong(f"For three pictures the shape (3, 10) is expected, ten scores each; but it is {tuple(Y.shape)}.")
    for kind in ("Dropout", "BatchNorm"):
        if any(kind in name for name in kinds):
            raise Wrong(f"There is {kind} in it: everything but activation and pooling stays as it was.")
    parameters = [p.numel() for p in net.parameters()]
    if sorted(parameters) != sorted(p.numel() for p in lenet().parameters()):
        raise Wrong(
            f"It has {sum(parameters):,} parameters, and LeNet has 61,706: the other layers stay as they were, "
            f"biases too."
        )
    net = redrawn(net.eval())
    weights = _weights(net)
    Y = tensor(call(net, X, names=["X"]))
    expected = _computed(X, weights)
    if agrees(Y, expected):
        if not agrees(tensor(call(net.train(), X, names=["X"])), expected):
            raise Wrong("In training mode it computes something else than in eval mode: LeNet has no dropout.")
        one = tensor(call(net, X[:1], names=["X"]))
        if not agrees(one, expected[:1]):
            raise Wrong("A picture alone gets other scores than among others: examples must not mix.")
        return
    for options, hint in _SLIPS:
        if agrees(Y, _computed(X, weights, **options)):
            raise Wrong(hint)
    for end, hint in _ENDS:
        if agrees(Y, end(expected)):
            raise Wrong(hint)
        for options, other in _SLIPS:
            if agrees(Y, end(_computed(X, weights, **options))):
                raise Wrong(f"{hint} {other}")
    for found, hint in (
        (nn.Sigmoid, "There is a Sigmoid in it still: ReLU takes its place."),
        (nn.AvgPool2d, "There is an AvgPool2d in it still: MaxPool2d takes its place."),
    ):
        if found.__name__ in kinds:
            raise Wrong(hint)
    steps, _ = steps_of(net, X)
    relus = sum("relu" in step.name for step in steps)
    said = f" {relus} ReLUs were applied, and LeNet has 4 activations." if relus != 4 else ""
    windows = sorted({step.window for step in steps if "max_pool2d" in step.name})
    said += f" The poolings have windows of {windows}, and 2 is expected." if windows not in ([2], []) else ""
    hint = said or " Go through it layer by layer: convolution, ReLU, pooling, twice, then the linear layers."
    raise Wrong(
        f"With copied weights it gives other scores than LeNet with ReLU and maximum pooling: "
        f"{compared(Y, expected)}{hint}"
    )


def _train(net, batches, lr, zero=True, step=True, loss_of=F.cross_entropy, sign=-1.0):
    """Plain gradient descent; what the exercise of the training loop asks for, and its slips."""
    losses = []
    gradients = [torch.zeros_like(p) for p in net.parameters()]
    for X, y in batches:
        loss = loss_of(net(X), y)
        new = torch.autograd.grad(loss, list(net.parameters()))
        gradients = [g if zero else old + g for old, g in zip(gradients, new)]
        if step:
            with torch.no_grad():
                for p, g in zip(net.parameters(), gradients):
                    p += sign * lr * g
        losses.append(loss.item())
    return torch.tensor(losses)


_TRAINING = [
    ({"step": False}, "The losses are those of a network that never changes: the optimiser's step is missing."),
    ({"sign": 1.0}, "It climbs: the step goes against the gradient."),
    ({"loss_of": lambda Z, y: F.cross_entropy(Z.softmax(1), y)}, "cross_entropy takes scores: the softmax is in it."),
]


def _loop(answer) -> None:
    batches = [(_random(8, 6, seed=k), torch.arange(8) % 3) for k in range(5)]
    nets = []
    for seed in (1, 2):
        net = nn.Sequential(nn.Linear(6, 7), nn.ReLU(), nn.Linear(7, 3))
        nets.append(redrawn(net, seed))
    for net, lr in zip(nets, (0.5, 0.1)):
        ours, theirs = copy.deepcopy(net), copy.deepcopy(net)
        expected = _train(ours, batches, lr)
        if not callable(answer):
            raise Wrong(f"A function is expected, but this is {show(answer)}.")

        def run(net=theirs, lr=lr):
            return answer(net, batches, lr)  # what it does to the net is what it is for

        got = tensor(call(run))
        on = f"five batches with lr = {lr}"
        if got.shape != expected.shape:
            raise Wrong(f"On {on} a loss for each batch is expected: {compared(got, expected)}")
        if agrees(got, _train(copy.deepcopy(net), batches, lr, zero=False)):
            raise NotTried("The cell computes what it did: the mistake is still in it.")
        if not agrees(got, expected):
            for options, hint in _TRAINING:
                if agrees(got, _train(copy.deepcopy(net), batches, lr, **options)):
                    raise Wrong(f"On {on}: {hint}")
            raise Wrong(f"On {on} {compared(got, expected)} Each step must see the gradient of its own batch alone.")
        if not all(agrees(p.detach(), q.detach()) for p, q in zip(theirs.parameters(), ours.parameters())):
            raise Wrong(
                f"On {on} the losses are right, but the net's weights at the end are not: is the last step made?"
            )


def _small_but_good(answer) -> None:
    net = module(answer)
    call(net, torch.zeros(2, 1, 28, 28), hint="It is to take pictures of shape (N, 1, 28, 28).")
    parameters = sum(p.numel() for p in net.parameters())
    if parameters >= 20_000:
        hint = "Where are most of LeNet's? In the first linear layer: let fewer numbers reach it."
        raise Wrong(f"It has {parameters:,} parameters, and fewer than 20,000 are wanted. {hint}")
    shape = tuple(tensor(call(net.eval(), torch.zeros(2, 1, 28, 28))).shape)
    if shape != (2, 10):
        raise Wrong(f"For two pictures the shape (2, 10) is expected, ten scores each; but it is {shape}.")
    from d2lcnn.data import FashionMNIST  # what trains is imported where it trains
    from d2lcnn.training import evaluate, fit

    data = FashionMNIST()
    torch.manual_seed(0)
    batches = [batch for _, batch in zip(range(160), data.train(64))]
    fit(net.train(), batches, epochs=2, lr=1e-2, precision="fp32", device="cpu", progress=False)
    accuracy = evaluate(net.eval(), [batch for _, batch in zip(range(20), data.test(100))], precision="fp32").accuracy
    print(f"{parameters:,} parameters, {accuracy:.3f} of 2,000 test pictures after two short epochs")
    if accuracy < 0.75:
        raise Wrong(
            f"After two epochs of 10,000 pictures (AdamW, lr 0.01) it is right on {accuracy:.1%} of the test "
            f"pictures, and "
            "75 % are wanted. ReLU learns faster than sigmoid; two convolutions see more than none."
        )


_CONFUSION = [
    (torch.tensor([[3, 1, 0], [2, 4, 0], [1, 1, 8]]),),
    (torch.tensor([[50, 2], [30, 18]]),),
    (torch.tensor([[1, 4, 0, 2], [0, 9, 1, 0], [5, 0, 2, 1], [3, 0, 0, 11]]),),
    (torch.tensor([[0, 5], [7, 0]]),),
    (torch.tensor([[4, 0, 0], [0, 1, 0], [0, 0, 900]]),),
    (torch.tensor([[7.0]]),),
]

EXERCISES = {
    1: Exercise(
        "easy",
        "compute",
        Number(
            576,
            "the number of features",
            {
                400: "That is for pictures of 28 by 28, with maps of 5 by 5 and 16 channels.",
                36: "That is one map: there are 16 channels.",
                784: "The second convolution has no padding: it takes 4 off the side.",
                1024: "The second convolution has no padding: it takes 4 off the side.",
                216: "6 by 6 is right; the second convolution puts out 16 channels, and not 6.",
                256: "The first convolution has a padding of 2, which keeps the side.",
                2304: "There is a second pooling, which halves the side again.",
                96: "A map has two sides: 6 by 6.",
                512: "Both sides count: height times width times channels.",
            },
            "Follow the side of the map through the four layers.",
        ),
        (
            "Follow the side of the picture through the layers that change it, and count the channels at the end.",
            "Convolution with padding 2 keeps the side, pooling halves it, a 5x5 without padding takes off 4.",
            "For 28: 28, 14, 10, 5; with 16 channels 16 * 5 * 5 = 400.",
        ),
    ),
    2: Exercise(
        "medium",
        "compute",
        _modern,
        (
            "Only two kinds of layers change. `lenet` takes them as arguments, or copy the list from the chapter.",
            "Sigmoid becomes ReLU in all four places, AvgPool2d becomes MaxPool2d in both; 2 by 2 windows with "
            "stride 2.",
            "`lenet(activation=nn.Tanh)` builds LeNet with tanh and average pooling: classes are handed over, not "
            "calls.",
        ),
    ),
    3: Exercise(
        "easy",
        "predict",
        Number(
            math.log(1000),
            "the loss",
            {
                3.0: "That is the logarithm to base 10; the natural logarithm is meant, math.log.",
                9.9658: "That is the logarithm to base 2; the natural logarithm is meant, math.log.",
                -6.9078: "The loss is minus the logarithm of the probability: it is positive.",
                6.9: "Nearly: two decimals are asked for.",
                7.0: "Two decimals are asked for.",
                2.3026: "That is for 10 classes.",
                2.30: "That is for 10 classes.",
                0.001: "That is the probability of each class; the loss is minus its natural logarithm.",
                0.0069: "It is not divided by the number of classes: only the right class counts.",
                4.6052: "That is for 100 classes.",
            },
            "The loss is minus the natural logarithm of the probability given to the right class.",
            within=0.0051,
        ),
        (
            "The loss looks at one number only: the probability that was given to the right class.",
            "loss = -ln(p), with p the same for each class.",
            "For 10 classes: p = 0.1, and -ln(0.1) = 2.30.",
        ),
    ),
    4: Exercise(
        "easy",
        "compute",
        Function(
            lambda confusion: (confusion.diag().sum() / confusion.sum()).item(),
            _CONFUSION,
            [
                (lambda c: c.diag().sum().item(), "That is how many are right: divide by how many there are."),
                (
                    lambda c: (c.diag().sum() / len(c)).item(),
                    "Divide by the number of all pictures, not by the number of classes.",
                ),
                (
                    lambda c: (c.diag() / c.sum(1)).mean().item(),
                    "That is the mean of the classes' recalls: classes with few pictures count as much as large "
                    "ones. Count pictures.",
                ),
                (
                    lambda c: (c.diag() / c.sum(0)).mean().item(),
                    "That is the mean of the classes' precisions. Count pictures: all that are right, of all.",
                ),
                (lambda c: (c.diag() / c.sum(1)).median().item(), "That is a median of recalls: count pictures."),
                (
                    lambda c: (c.amax(1).sum() / c.sum()).item(),
                    "The largest number of a row is not always the right class: the diagonal is.",
                ),
                (
                    lambda c: (c.amax(0).sum() / c.sum()).item(),
                    "The largest number of a column is not always the right class: the diagonal is.",
                ),
                (lambda c: (c[0, 0] / c[0].sum()).item(), "That is one class: count the right ones of all."),
                (lambda c: (c[0, 0] / c.sum()).item(), "That is one class: count the right ones of all."),
                (lambda c: 1 - (c.diag().sum() / c.sum()).item(), "That is the share of wrong ones."),
                (lambda c: 0.75, "It is right for one matrix only: it must be computed from the argument."),
                (
                    lambda c: (c.trace() / 20).item(),
                    "The number of pictures is not always the same: compute it from the matrix.",
                ),
                (
                    lambda c: 100 * (c.trace() / c.sum()).item(),
                    "A share between 0 and 1 is expected, and not per cent.",
                ),
                (lambda c: (c.fliplr().trace() / c.sum()).item(), "That is the other diagonal."),
                (lambda c: round((c.trace() / c.sum()).item(), 1), "It is rounded too soon."),
                (lambda c: float(c.trace() // c.sum()), "// drops the decimals."),
            ],
            "Right predictions stand on the diagonal.",
        ),
        (
            "Where in the matrix do the right predictions stand?",
            "The sum of the diagonal over the sum of everything.",
            "[[8, 2], [1, 9]]: 17 right of 20, 0.85.",
        ),
    ),
    5: Exercise(
        "easy",
        "predict",
        Number(
            1 / 256,
            "the largest factor",
            {
                0.25: "That is one sigmoid; there are four, one after the other.",
                1.0: "A sigmoid is nowhere that steep: its slope s (1 - s) is largest where s = 1/2.",
                0.0625: "That is two sigmoids; there are four.",
                0.015625: "That is three sigmoids; there are four.",
                256.0: "It is upside down: slopes below 1 make gradients smaller.",
                0.5: "The slope is s (1 - s), at most 1/2 * 1/2; and there are four of them.",
                1 / 16.0: "That is two sigmoids; there are four.",
                0.0: "It is small, but not 0: the largest slope is s (1 - s) with s = 1/2.",
            },
            "How steep is one sigmoid at its steepest, and how do slopes combine?",
            within=5e-5,
        ),
        (
            "By the chain rule slopes multiply. How steep is a sigmoid at most?",
            "sigma'(z) = sigma(z) (1 - sigma(z)), largest at z = 0, where sigma is 1/2.",
            "Two functions of slope 1/3 at most, one after the other: 1/9.",
        ),
    ),
    6: Exercise(
        "medium",
        "explain",
        Order(
            "cadb",
            {
                "ca": "the slope of each sigmoid is the cause; that a product of four of them is small follows from "
                "it.",
                "ad": "a weight moves by its gradient times the learning rate: the gradient is small first.",
                "db": "the loss stands still because the first layers do not learn, and not the other way round.",
            },
        ),
        (
            "Begin with what would be true for a single sigmoid, without any network.",
            "slope of a sigmoid -> gradient in front of many -> step of a weight -> what the network computes.",
            "Another chain, in order: the road is steep; the cart rolls faster; it arrives sooner.",
        ),
    ),
    7: Exercise(
        "medium",
        "debug",
        _loop,
        (
            "The first step is right. What is different at the second?",
            "`backward()` adds to what is in `.grad` already: someone must empty it.",
            "Two batches with the gradients 1 and 3: the second step should go by 3, the cell goes by 4.",
        ),
    ),
    8: Exercise(
        "hard",
        "design",
        _small_but_good,
        (
            "Of LeNet's 61,706 parameters 48,120 stand in one layer. What would let fewer numbers reach it?",
            "A linear layer has inputs * outputs weights. A third pooling, a stride or fewer channels cut its inputs.",
            "16 channels of 5 by 5 to 120: 48,000 weights. Averaged over the map, 16 channels to 10 scores: 160.",
        ),
        seconds=90,
    ),
}
