"""Measure d2lcnn beside Dive into Deep Learning's d2l 1.0.3 and beside torch: one table in Markdown, and JSON.

    python benchmarks/run.py                                  everything, on the CPU, in ten to twenty minutes
    python benchmarks/run.py --only lenet,corr2d              some of it
    python benchmarks/run.py --device cuda --json gpu.json    on a GPU, with and without torch.compile
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python benchmarks/run.py --precision fp32
                                                              as a processor without AVX-512 and bfloat16

What is compared takes turns within each repetition, so that a machine that slows down slows both. A ratio is the median
over the repetitions of the ratios within each. Nothing fails for being slow: the table says what was wanted beside
what was measured. Run it on an otherwise idle machine.
"""

import argparse
import copy
import json
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from multiprocessing import get_context, set_start_method
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F

import d2lcnn
from d2lcnn._files import replacing
from d2lcnn.nets import variant
from d2lcnn.provenance import code_revision, cpu_name
from d2lcnn.training.machine import Machine

BATCH_SIZE = 128
FIT, TRAINER = "d2lcnn.fit", "d2l.Trainer"
TITLES = {"lenet": "LeNet", "alexnet": "AlexNet", "vgg": "VGG÷4", "nin": "NiN", "googlenet": "GoogLeNet"}
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# Against d2l.Trainer, and share of the peak.
WANTED = {
    ("cpu", "lenet"): ("2.5x", ""),
    ("cpu", "alexnet"): ("2.2x", "65%"),
    ("cpu", "vgg"): ("2.2x", ""),
    ("cpu", "nin"): ("3x", "65%"),
    ("cpu", "googlenet"): ("2x", ""),
    ("cuda", "alexnet"): ("8x", ""),
}

HEAD = ("| | ours | theirs | as fast, or share | wanted |", "|---|---|---|---:|---:|")

Row = dict[str, Any]


def row(measured: str, unit: str, ours: str, theirs: str, values: dict[str, list[float]], wanted="", **details) -> Row:
    """A line of the table: of what each repetition measured, `values`, the side `ours` against the side `theirs`.

    The ratio says how many times as fast ours is, or which share of the peak it reaches.
    """
    pairs = list(zip(values[ours], values[theirs]))
    ratio = median(b / a if unit == "s" else a / b for a, b in pairs)
    medians = {"our_median": median(values[ours]), "their_median": median(values[theirs])}
    lists = {"our_values": values[ours], "their_values": values[theirs]}
    names = {"measured": measured, "unit": unit, "ours": ours, "theirs": theirs}
    return names | medians | {"ratio": ratio, "wanted": wanted} | lists | details


def in_markdown(row: Row) -> str:
    ours, theirs = (f"{x:,.0f}" if x >= 1000 else f"{x:.3g}" for x in (row["our_median"], row["their_median"]))
    ratio = f"{row['ratio']:.0%}" if row["theirs"] == "peak" else f"{row['ratio']:,.2f}x"
    sides = f"{row['ours']} {ours}", f"{row['theirs']} {theirs}"
    cells = (f"{row['measured']}, {row['unit']}", *sides, ratio, row["wanted"])
    return f"| {' | '.join(cells)} |"


def summary(where: dict[str, Any], repetitions: int) -> str:
    """Where the numbers are from, in a line."""
    return ", ".join(f"{key}: {value}" for key, value in where.items()) + f"; medians of {repetitions}"


def in_words(content: dict[str, Any]) -> str:
    """What was measured, as the Markdown that the book's page includes."""
    lines = [summary(content["machine"], content["settings"]["repetitions"]), "", *HEAD]
    return "\n".join([*lines, *map(in_markdown, content["rows"])]) + "\n"


def take_turns(sides: dict[str, Callable[[], float]], repetitions: int) -> dict[str, list[float]]:
    """What each side measures in each repetition; every other repetition goes from the last side to the first."""
    values = {name: [] for name in sides}
    for i in range(repetitions):
        for name in list(sides)[:: -1 if i % 2 else 1]:
            values[name].append(sides[name]())
    return values


def stopwatch(call: Callable[[], Any], device: str) -> float:
    """Seconds that one call takes."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - start


def stopwatch_many(call: Callable[[], Any], device: str) -> list[float]:
    """Seconds a call in each of five runs of many calls; of one call where that takes long."""
    stopwatch(call, device)
    once = stopwatch(call, device)
    count = int(0.04 / once)
    if not count:
        return [once]

    def run() -> None:
        for _ in range(count):
            call()

    return [stopwatch(run, device) / count for _ in range(5)]


def peaks(precision: str, device: str) -> dict[str, float]:
    """GFLOP/s of a large matrix product and of the fastest of three convolutions, two of them AlexNet's."""
    options = {"device": device, "dtype": PRECISIONS[precision]}
    n, images = (8192, 256) if device == "cuda" else (2048, 16)
    A, B = torch.randn(n, n, **options), torch.randn(n, n, **options)
    matmul = 2 * n**3 / min(stopwatch_many(lambda: A @ B, device)) / 1e9
    convolutions = []
    for channels, size, kernel in ((256, 26, 5), (384, 12, 3), (128, 56, 3)):
        flops = 2 * images * (channels * size * kernel) ** 2
        for layout in (torch.channels_last, torch.contiguous_format):
            X = torch.randn(images, channels, size, size, **options).to(memory_format=layout)
            K = torch.randn(channels, channels, kernel, kernel, **options).to(memory_format=layout)
            seconds = min(stopwatch_many(lambda X=X, K=K: F.conv2d(X, K, padding="same"), device))
            convolutions.append(flops / seconds / 1e9)
    return {"matmul": matmul, "convolution": max(convolutions)}


def our_data(images: int) -> d2lcnn.ImageData:
    """The first training images of Fashion-MNIST, all of them for training."""
    data = d2lcnn.FashionMNIST()
    X, y = (part[:images] for part in data.split("train"))
    return d2lcnn.ImageData(X, y, data.classes, validation=0.0, test=0.0, mean=data.mean, std=data.std)


def their_data(data: d2lcnn.ImageData, size: int) -> Any:
    """d2l.FashionMNIST with its own transforms and loader, of our copy of the images, without validation."""
    import torchvision
    from d2l import torch as d2l

    class Local(torchvision.datasets.FashionMNIST):
        def __init__(self, root: str, train: bool, transform: Callable, download: bool) -> None:
            torchvision.datasets.VisionDataset.__init__(self, root, transform=transform)
            self.data, self.targets = data.images.squeeze(1), data.labels

    with mock.patch.object(torchvision.datasets, "FashionMNIST", Local):
        module = d2l.FashionMNIST(batch_size=BATCH_SIZE, resize=(size, size))
    # Where processes are spawned, what is handed to the loader's must be of a class that they can import.
    module.train.__class__ = module.val.__class__ = torchvision.datasets.FashionMNIST
    module.val_dataloader = lambda: None
    return module


def our_epoch(
    net: torch.nn.Module, batches: Any, name: str, device: str, precision: str, compile: bool
) -> dict[str, Any]:
    """Train for an epoch by `d2lcnn.fit`, as its recipe says, in this precision."""
    recipe, runs = variant(name).recipe.training | {"epochs": 1, "precision": precision}, []
    options = {"device": device, "compile": compile, "progress": False}
    seconds = stopwatch(lambda: runs.append(d2lcnn.fit(net, batches, **recipe | options)), device)
    last = runs[0].last
    images = round(last["images_per_second"] * (last["load_seconds"] + last["compute_seconds"]))
    return {"images": images, "seconds": seconds} | runs[0].settings


def their_epoch(net: torch.nn.Module, module: Any, device: str) -> dict[str, Any]:
    """Train for an epoch by d2l.Trainer, by its SGD."""
    from d2l import torch as d2l

    class Counting(d2l.Trainer):
        images = 0

        def prepare_batch(self, batch: Any) -> Any:
            self.images += len(batch[-1])
            return super().prepare_batch(batch)

    torch.manual_seed(0)
    model = d2lcnn.D2LClassifier(net, lr=0.01)
    # Its animated plot would count against d2l.
    model.board.display = False
    trainer = Counting(max_epochs=1, num_gpus=int(device == "cuda"))
    seconds = stopwatch(lambda: trainer.fit(model, module), device)
    return {"images": trainer.images, "seconds": seconds}


@cache
def prepare(name: str, label: str, device: str, precision: str, size: int, count: int) -> Callable[[], dict[str, Any]]:
    """What trains the network for an epoch, always from the same weights; it is warm."""
    # d2l asks for four workers, on whatever machine; they start as is usual there, not as this process did.
    set_start_method(None, force=True)
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    torch.manual_seed(0)
    net = d2lcnn.network(name, input_size=size)
    start = copy.deepcopy(net.state_dict())

    # The net stays the same one, lest torch.compile begin anew; the weights are set back.
    def epoch(data: d2lcnn.ImageData) -> dict[str, Any]:
        net.load_state_dict(start)
        if label == TRAINER:
            return their_epoch(net, their_data(data, size), device)
        return our_epoch(net, data.train(BATCH_SIZE, size=size), name, device, precision, label != FIT)

    # One batch and the last, smaller one are all the shapes that there will be; on a GPU each is recorded the second
    # time that it comes, and replayed from the third.
    for _ in range(3 if device == "cuda" else 1):
        epoch(our_data(min(count, BATCH_SIZE + count % BATCH_SIZE)))
    data = our_data(count)
    return lambda: epoch(data)


def train_once(*what: Any) -> dict[str, Any]:
    """Train in this process, which trains nothing else."""
    return prepare(*what)()


def bench_network(name: str, args: argparse.Namespace) -> list[Row]:
    """Images a second of an epoch, loading included, and the share of the peak that this makes."""
    device, size = args.device, variant(name).recipe.input_size
    count = 55_000 if name == "lenet" else 384
    if device == "cuda" and name != "lenet":
        size, count = 224, 8192
    count = min(count, args.images or count)
    nodes = d2lcnn.trace(d2lcnn.network(name, input_size=size), (1, 1, size, size)).nodes
    macs = [node.macs for node in nodes if node.macs]
    labels = [FIT, f"{FIT}, compiled", TRAINER] if args.compile else [FIT, TRAINER]
    runs: dict[str, dict[str, Any]] = {}

    with ExitStack() as stack:
        # A process for each: what one library sets, such as how the C library keeps memory, must not serve the other.
        processes = {label: stack.enter_context(ProcessPoolExecutor(1, get_context("spawn"))) for label in labels}

        def train(label: str) -> float:
            runs[label] = processes[label].submit(train_once, name, label, device, args.precision, size, count).result()
            return runs[label]["images"] / runs[label]["seconds"]

        sides = {label: lambda label=label: train(label) for label in labels}
        sides["peak"] = lambda: max(peaks(runs[FIT]["precision"], device).values())
        values = take_turns(sides, args.repetitions)

    precision = runs[FIT]["precision"]
    rows, (speed, share) = [], WANTED.get((device, name), ("", ""))
    details = {"size": size, "batch_size": BATCH_SIZE, "macs": sum(macs), "precision": precision}
    for label in labels[:-1]:
        images = {"our_images": runs[label]["images"], "their_images": runs[TRAINER]["images"]}
        details |= images | {"compiled": runs[label]["compiled"]}
        title = f"{TITLES[name]}@{size}"
        rows.append(row(title, "images/s", label, TRAINER, values, speed, **details))
        # The outputs, the gradients of the weights and those of the inputs, which the first layer does without, take
        # the same work each, of two operations a MAC.
        step = 2 * (3 * sum(macs) - macs[0])
        gflops = values | {label: [step * speed / 1e9 for speed in values[label]]}
        rows.append(row(f"{title}, share of {precision} peak", "GFLOP/s", label, "peak", gflops, share, **details))
    return rows


def bench_peak(args: argparse.Namespace) -> list[Row]:
    """The peaks themselves, convolution beside matrix product."""
    rows = []
    # A CPU without bf16 in hardware takes a minute for the product.
    chosen = Machine.of(torch.nn.Linear(1, 1), torch.device(args.device), args.precision).precision
    for precision in PRECISIONS if args.device == "cuda" else dict.fromkeys(("fp32", chosen)):
        found = [peaks(precision, args.device) for _ in range(args.repetitions)]
        values = {name: [peak[name] for peak in found] for name in found[0]}
        rows.append(row(f"peak, {precision}", "GFLOP/s", "convolution", "matmul", values))
    return rows


def bench_corr2d(args: argparse.Namespace) -> list[Row]:
    """One picture of 224x224 and one kernel of 5x5."""
    from d2l import torch as d2l

    torch.manual_seed(0)
    X, K = torch.randn(224, 224, device=args.device), torch.randn(5, 5, device=args.device)
    calls = {
        "corr2d_im2col": lambda: d2lcnn.corr2d_im2col(X, K),
        "F.conv2d": lambda: F.conv2d(X[None, None], K[None, None])[0, 0],
        "d2l.corr2d": lambda: d2l.corr2d(X, K),
    }
    sides = {name: lambda call=call: median(stopwatch_many(call, args.device)) for name, call in calls.items()}
    values = take_turns(sides, args.repetitions)
    bars = ("0.25x", "300x") if args.device == "cpu" else ("", "")
    against = zip(("F.conv2d", "d2l.corr2d"), bars)
    return [row("224x224 by 5x5", "s", "corr2d_im2col", name, values, bar) for name, bar in against]


def bench_loading(args: argparse.Namespace) -> list[Row]:
    """An epoch's batches alone, up to the device that trains."""
    rows, device = [], args.device
    for size, count in ((28, 55_000), (224, 2048)):
        data = our_data(min(count, args.images or count))
        loaders = {
            "ImageData": data.train(BATCH_SIZE, size=size, device=device),
            "d2l.FashionMNIST": their_data(data, size).train_dataloader(),
        }

        def load(batches: Any) -> float:
            images = []
            seconds = stopwatch(lambda: images.extend(len(X.to(device)) for X, _ in batches), device)
            return sum(images) / seconds

        sides = {name: lambda batches=batches: load(batches) for name, batches in loaders.items()}
        values = take_turns(sides, args.repetitions)
        details = {"size": size, "batch_size": BATCH_SIZE, "our_images": len(data), "their_images": len(data)}
        rows.append(row(f"loading alone, {size}x{size}", "images/s", *loaders, values, **details))
    return rows


def bench_import(args: argparse.Namespace) -> list[Row]:
    """Import times, each in a process of its own."""

    def imported(module: str) -> float:
        code = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
        return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)

    names = ("d2lcnn", "torch", "d2l.torch")
    values = take_turns({name: lambda name=name: imported(name) for name in names}, args.repetitions)
    return [row("import", "s", "d2lcnn", name, values) for name in names[1:]]


BENCHMARKS = {name: lambda args, name=name: bench_network(name, args) for name in TITLES}
BENCHMARKS |= {"peak": bench_peak, "corr2d": bench_corr2d, "loading": bench_loading, "import": bench_import}


def instructions() -> str:
    """What torch uses of the processor, and what oneDNN, which computes the convolutions, is held to."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    return torch.backends.cpu.get_cpu_capability() + (f" (oneDNN held to {limit})" if limit else "")


def machine(device: str) -> dict[str, Any]:
    """Where the numbers are from."""
    revision, *dirty = (code_revision() or "unknown").split("-")
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "cpu": f"{cpu_name()}, {os.cpu_count()} cores",
        "instructions": instructions(),
        "threads": torch.get_num_threads(),
        "load before": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "d2l": version("d2l"),
        "date": datetime.now(UTC).date().isoformat(),
        "code": "-".join([revision[:9], *dirty]),
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to train (default: cpu)")
    parser.add_argument(
        "--precision", choices=("auto", *PRECISIONS), default="auto", help="of d2lcnn.fit (default: auto)"
    )
    parser.add_argument("--only", metavar="NAMES", help=f"some of {','.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="how often to measure (default: 5)")
    parser.add_argument("--images", type=int, metavar="N", help="at most N images in a repetition")
    parser.add_argument(
        "--json", type=Path, metavar="PATH", help="write all that was measured there, and the table beside it"
    )
    parser.add_argument("--compile", action="store_true", help="with torch.compile too (on a GPU it always is)")
    args = parser.parse_args()
    args.only = args.only.split(",") if args.only else list(BENCHMARKS)
    if unknown := [name for name in args.only if name not in BENCHMARKS]:
        parser.error(f"--only takes {', '.join(BENCHMARKS)}, got {', '.join(unknown)}")
    if args.repetitions < 1 or (args.images is not None and args.images < 1):
        parser.error("--repetitions and --images must be at least 1")
    if args.json and (args.json.suffix == ".md" or not args.json.absolute().parent.is_dir()):
        parser.error(f"--json takes a file, not .md, in a folder that is there; got {args.json}")
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda needs a GPU that torch can use")
    args.compile = args.compile or args.device == "cuda"
    return args


def main() -> None:
    args = arguments()
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    where, rows, start = machine(args.device), [], time.perf_counter()
    print(summary(where, args.repetitions), "", *HEAD, sep="\n")
    settings = {"repetitions": args.repetitions, "images": args.images, "compile": args.compile}
    content = {"schema": "d2lcnn.benchmark", "version": 1, "machine": where, "settings": settings, "rows": rows}
    for name in args.only:
        found = BENCHMARKS[name](args)
        print(*map(in_markdown, found), sep="\n", flush=True)
        rows += [{"benchmark": name} | row for row in found]
        # So a run that is cut short leaves what it has.
        if args.json:
            with replacing(args.json) as file:
                file.write(json.dumps(content, indent=1) + "\n")
            with replacing(args.json.with_suffix(".md")) as file:
                file.write(in_words(content))
    print(f"\n{time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
