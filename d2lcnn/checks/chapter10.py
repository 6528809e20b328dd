"""Exercises of chapter 10: five networks compared."""

import math
import statistics

from d2lcnn.checks._answers import Wrong, numbers
from d2lcnn.checks._tasks import Exercise, Function, Number, Statements


def _dominated(points, beats=lambda a, b: a[0] <= b[0] and a[1] >= b[1] and a != b):
    return [name for name, point in points.items() if any(beats(other, point) for other in points.values())]


def _running(points):
    """Only whoever came before in the dict can beat."""
    names, best = [], -math.inf
    for name, (_, accuracy) in points.items():
        if accuracy <= best:
            names.append(name)
        best = max(best, accuracy)
    return names


_POINTS = [
    ({"A": (1.0, 0.90), "B": (2.0, 0.89), "C": (3.0, 0.93), "D": (3.0, 0.92), "E": (1.0, 0.90), "F": (4.0, 0.93)},),
    ({"wide": (9.0, 0.95), "mid": (5.0, 0.91), "mid two": (5.0, 0.94), "small": (1.0, 0.93), "tiny": (0.5, 0.80)},),
    ({"VGG": (30, 0.92), "NiN": (10, 0.90), "LeNet": (1, 0.85)},),
    ({"one": (2.0, 0.5)},),
    ({"late": (4.0, 0.6), "later": (4.0, 0.6), "early": (3.0, 0.7)},),
    ({"z": (5, 0.2), "y": (4, 0.3), "x": (3, 0.4)},),
]


def _error(a, b):
    differences = [x - y for x, y in zip(a, b)]
    return statistics.stdev(differences) / math.sqrt(len(differences))


_RUNS = [
    ([0.91, 0.93, 0.90, 0.94], [0.90, 0.915, 0.895, 0.92]),
    ([0.5, 0.7], [0.4, 0.8]),
    ([0.90, 0.80, 0.85, 0.70, 0.95], [0.88, 0.79, 0.81, 0.69, 0.90]),
    ([1.0, 2.0, 4.0], [3.0, 1.0, 2.0]),
]


def _experiment(answer) -> None:
    seeds, pictures = numbers(answer, 2, "seeds, pictures")
    if any(value != int(value) or value < 1 for value in (seeds, pictures)):
        raise Wrong("Both are whole numbers, at least 1.")
    hours = 2 * seeds * 0.5 + 2 * seeds * pictures / 40_000
    error = math.sqrt((2 * 0.004**2 + 2 * 0.08 / pictures) / seeds)
    if error > 0.002:
        parts = "the seeds" if 2 * 0.08 / pictures < 2 * 0.004**2 else "the pictures"
        raise Wrong(f"The standard error is {error:.5f}, and at most 0.002 is wanted; more of it comes from {parts}.")
    if hours > 20:
        raise Wrong(f"It takes {hours:.1f} hours, and 20 are allowed. What costs most: training, or testing?")


EXERCISES = {
    1: Exercise(
        "easy",
        "compute",
        Number(
            748,
            "the number of megabytes",
            {
                187: "That is the weights alone: each parameter comes with its gradient and two running means.",
                561: "Weight, gradient and two running means: four numbers for each parameter.",
                374: "Weight, gradient and two running means, in 32 bits: four numbers of four bytes.",
                748_235_936: "Those are bytes: divide by a million. (four bytes for each number are right.)",
                748_235.936: "Those are thousands of bytes: divide by a million.",
                714: "Megabytes are millions of bytes here, not 2**20.",
                713.57: "Megabytes are millions of bytes here, not 2**20; and a whole number is asked.",
                748.235936: "That is right, but not yet rounded to a whole number.",
                748.2: "That is right, but not yet rounded to a whole number.",
                748.24: "That is right, but not yet rounded to a whole number.",
                749: "Rounded, not rounded up.",
                1496: "32 bits are four bytes, not eight.",
                5986: "Those are bits: a byte has eight.",
                47: "Those are the parameters, in millions.",
                0.748: "Those are gigabytes.",
                935: "The running means are two: weight, gradient, and these.",
            },
            "How many numbers are kept for each parameter, and how many bytes has a number?",
        ),
        (
            "For each parameter four things are kept in memory.",
            "parameters * numbers * bytes / 1e6; 32 bits are 4 bytes.",
            "A million parameters: 4 numbers of 4 bytes are 16 million bytes, 16 megabytes.",
        ),
    ),
    2: Exercise(
        "medium",
        "compute",
        Function(
            lambda n: 2 / math.comb(2 * n, n),
            [(3,), (1,), (2,), (5,), (8,)],
            [
                (
                    lambda n: 1 / math.comb(2 * n, n),
                    "There are two ways to put all the best runs on one side: count both.",
                ),
                (lambda n: 2 / math.factorial(2 * n), "The order within a side does not matter: only who is on which."),
                (lambda n: 1 / math.factorial(2 * n), "The order within a side does not matter: only who is on which."),
                (lambda n: 2 / 2**n, "That is a coin for each run; here n of the 2n runs are dealt to each side."),
                (lambda n: 1 / 2**n, "That is a coin for each run; here n of the 2n runs are dealt to each side."),
                (
                    lambda n: 2 / 2 ** (2 * n),
                    "Each side gets exactly n runs: there are fewer ways to deal than 2 to the power 2n.",
                ),
                (lambda n: 2 / math.factorial(n), "There are 2n runs to deal, n of them to each side."),
                (lambda n: 2 / math.factorial(n + 1), "There are 2n runs to deal, n of them to each side."),
                (lambda n: 2 / math.comb(2 * n, 2), "n runs are chosen for a side, not two."),
                (lambda n: 2 / math.perm(2 * n, n), "The order within a side does not matter: only who is on which."),
                (lambda n: 0.1, "That is for three runs a side."),
                (lambda n: math.comb(2 * n, n) / 2, "It is upside down: a probability is at most 1."),
            ],
            "How many ways are there to deal 2n runs to two sides of n, all equally likely?",
        ),
        (
            "Count the ways to deal 2n runs to two sides, and among them those that are as extreme as can be.",
            "p = extreme ways / all ways; all ways: n of 2n runs are chosen for the first side.",
            "n = 2: of four runs two are chosen, 6 ways; two of them are extreme: 1/3.",
        ),
    ),
    3: Exercise(
        "medium",
        "compute",
        Function(
            _dominated,
            _POINTS,
            [
                (
                    lambda points: _dominated(points, lambda a, b: a[0] < b[0] and a[1] > b[1]),
                    "Only those that are beaten in both are found: D costs as much as C and is worse, F is as good "
                    "as C and costs more.",
                ),
                (
                    lambda points: _dominated(points, lambda a, b: a[0] <= b[0] and a[1] > b[1]),
                    "F costs more than C and is no better: equal accuracy for a higher cost is beaten, too.",
                ),
                (
                    lambda points: _dominated(points, lambda a, b: a[0] < b[0] and a[1] >= b[1]),
                    "D costs as much as C and is worse: at equal cost it is beaten, too.",
                ),
                (
                    lambda points: [
                        n
                        for n, p in points.items()
                        if any(q[0] <= p[0] and q[1] >= p[1] and m != n for m, q in points.items())
                    ],
                    "A and E are equal in both, so neither beats the other.",
                ),
                (
                    lambda points: [n for n in points if n not in _dominated(points)],
                    "Those are the ones that nobody beats: the others are asked.",
                ),
                (
                    lambda points: _dominated(points, lambda a, b: a[0] >= b[0] and a[1] >= b[1] and a != b),
                    "Cheaper is better: the smaller cost beats.",
                ),
                (
                    lambda points: _dominated(points, lambda a, b: a[0] <= b[0] and a[1] <= b[1] and a != b),
                    "The larger accuracy is better.",
                ),
                (
                    lambda points: _dominated(points, lambda a, b: a[1] > b[1]),
                    "Cost counts, too: whoever is better at a higher price does not beat.",
                ),
                (
                    lambda points: _dominated(points, lambda a, b: a[0] < b[0]),
                    "Accuracy counts, too: whoever is cheaper and worse does not beat.",
                ),
                (_running, "Only those that come earlier are asked: the order of the dict means nothing."),
                (
                    lambda points: ["B", "D", "F"],
                    "It is right for one set of points only: compute it from the argument.",
                ),
                (
                    lambda points: [
                        b
                        for k, (b, pb) in enumerate(points.items())
                        if any(pa[0] <= pb[0] and pa[1] >= pb[1] and pa != pb for pa in list(points.values())[:k])
                    ],
                    "Each is compared with those before it only: whoever comes later may beat it, too.",
                ),
            ],
            "Ask for each network whether any other beats it.",
            unordered=True,
        ),
        (
            "Write the question for two points first: when does a beat b? Then ask it for all pairs.",
            "a[0] <= b[0] and a[1] >= b[1] and a != b. A name belongs on the list if any other point beats it.",
            "(1, 0.9), (1, 0.8), (2, 0.9): the second is worse at the same cost, the third dearer and no better: "
            "both are beaten.",
        ),
    ),
    4: Exercise(
        "hard",
        "compute",
        Number(
            64_299,
            "the number of pictures",
            {
                64_298: "Rounded up, since with 64,298 the difference is not yet twice its standard error.",
                64_298.22: "That is right, but not yet rounded up to a whole number.",
                16_075: "The difference is to be twice its standard error, not once.",
                16_074.56: "The difference is to be twice its standard error, not once; and round up.",
                8_037: "Twice the error: the factor 2 is squared. Solve for n once more.",
                32_150: "Both networks have an error: the two terms under the root add up; and the factor 2 is "
                "squared.",
                32_149: "The factor 2 must be squared, too.",
                32_149.11: "The factor 2 must be squared, too.",
                257_193: "The difference is to be twice its standard error, not four times.",
                257_192.9: "The difference is to be twice its standard error, not four times.",
                128_597: "There are pictures in each set: n is counted once.",
                254: "Square both sides: n stands under a root.",
                253.57: "Square both sides: n stands under a root.",
                32_712: "Both terms belong under the root, one for each network.",
                31_588: "Both terms belong under the root, one for each network.",
                96: "Square the difference, too.",
                193: "Square the difference, too.",
            },
            "Set 0.003 equal to twice the root, and solve for n.",
        ),
        (
            "The standard error falls as n grows. At which n is twice the error as small as the difference?",
            "0.003 = 2 * sqrt(v / n), with v = a(1 - a) + b(1 - b). Square, solve for n, round up.",
            "For a difference of 0.1 and v = 0.4: 0.01 = 4 * 0.4 / n, so n = 160.",
        ),
    ),
    5: Exercise(
        "easy",
        "predict",
        Number(
            2 / 2**8,
            "the smallest p-value",
            {
                1 / 256: "Two sides: all eight signs may be plus, or all minus.",
                2 / 12870: "That is for dealing 16 runs to two sides; here only the sign of each pair is thrown.",
                0.05: "That is the usual threshold; the smallest possible p is asked.",
                0.125: "There are 2 to the power 8 ways, not 16.",
                0.25: "There are 2 to the power 8 ways, not 8.",
                1 / 8: "There are 2 to the power 8 ways, not 8.",
                0.0: "At least the pattern that was seen itself is among the ways.",
                4 / 256: "Two of the ways are extreme: all plus, all minus.",
                2 / 2**16: "There are eight signs, one for each pair.",
                0.0625: "That is for five pairs.",
            },
            "How many patterns of signs are there, and how many of them are as extreme as can be?",
            within=6e-5,
        ),
        (
            "If the two were equal, each difference could as well have the other sign. How many patterns does that "
            "make?",
            "2 / 2^n for n pairs, both directions counted.",
            "Three pairs: 8 patterns, two of them extreme: 0.25.",
        ),
    ),
    6: Exercise(
        "medium",
        "explain",
        Statements(
            {
                "a": (
                    False,
                    "it says how seldom chance alone would give a difference as large, if the two were equal; not how "
                    "probable it is that they are.",
                ),
                "b": (
                    True,
                    "with the same seed both have seen the same batches: what that does to both is gone from the "
                    "difference.",
                ),
                "c": (
                    False,
                    "twenty comparisons of equals at 0.05 give one such verdict on the average.",
                ),
                "d": (
                    True,
                    "with three runs a side the smallest p of this test is 0.1: it can never reach 0.05, whatever is "
                    "seen.",
                ),
                "e": (
                    False,
                    "it falls with the root of their number: four times as many runs halve it.",
                ),
            }
        ),
        (
            "For each, imagine two networks that are equal, and what the numbers would then do.",
            "p = share of ways at least as extreme as what was seen. Standard error = s / sqrt(n).",
            "With s = 0.4: 4 runs give 0.2, 16 runs give 0.1.",
        ),
    ),
    7: Exercise(
        "medium",
        "debug",
        Function(
            _error,
            _RUNS,
            [
                (
                    lambda a, b: statistics.stdev(x - y for x, y in zip(a, b)),
                    "Now it is the spread of the differences; that of their mean is smaller, by the root of n.",
                ),
                (
                    lambda a, b: statistics.stdev([x - y for x, y in zip(a, b)]) / len(a),
                    "Divided by n; the root of n is right.",
                ),
                (
                    lambda a, b: statistics.pstdev([x - y for x, y in zip(a, b)]) / math.sqrt(len(a)),
                    "A spread from a sample divides by n - 1: statistics.stdev, not pstdev.",
                ),
                (
                    lambda a, b: statistics.fmean(x - y for x, y in zip(a, b)),
                    "That is the mean of the differences; how sure it is, is asked.",
                ),
                (
                    lambda a, b: abs(statistics.stdev(a) - statistics.stdev(b)) / math.sqrt(len(a)),
                    "The spread of a difference is not the difference of the spreads: subtract run by run first.",
                ),
                (
                    lambda a, b: statistics.variance([x - y for x, y in zip(a, b)]) / len(a),
                    "The root is missing: that is the error squared.",
                ),
            ],
            "The runs are paired by their seeds: subtract first.",
            planted=lambda a, b: math.sqrt((statistics.variance(a) + statistics.variance(b)) / len(a)),
        ),
        (
            "The cell would say the same if b's runs stood in another order. But they are paired.",
            "standard error of the mean difference = stdev(a_i - b_i) / sqrt(n).",
            "a = [1, 3], b = [0, 2]: both differences are 1, their spread is 0; the cell says 1.41.",
        ),
    ),
    8: Exercise(
        "hard",
        "design",
        _experiment,
        (
            "Two things make the result uncertain: the runs differ, and the pictures are a sample. More of which is "
            "cheaper?",
            "hours = seeds + seeds * pictures / 20,000; error^2 = (0.000032 + 0.16 / pictures) / seeds.",
            "4 seeds and 10,000 pictures: 4 + 2 = 6 hours, error^2 = (0.000032 + 0.000016) / 4, so 0.0035.",
        ),
    ),
}
