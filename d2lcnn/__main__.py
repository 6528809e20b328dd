"""The command line: `python -m d2lcnn train | predict | study | trace | records | data`."""

import argparse
import codecs
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from d2lcnn import records
from d2lcnn.provenance import code_revision, describe_run
from d2lcnn.training.checkpoints import DamagedCheckpoint
from d2lcnn.training.machine import find_device

# Everything else of the package is imported by the command that needs it.

EXAMPLES = {
    "": """
  python -m d2lcnn train lenet --save lenet.safetensors
  python -m d2lcnn predict shoe.jpg --net lenet.safetensors --invert
  python -m d2lcnn trace alexnet
  python -m d2lcnn records
  python -m d2lcnn data verify
  python -m d2lcnn train --help""",
    "train": """
  python -m d2lcnn train lenet                               under a minute on a laptop
  python -m d2lcnn train vgg --epochs 2 --seed 1
  python -m d2lcnn train nin --variant full --record         keeps the result among the package's records
  python -m d2lcnn train nin --variant full --checkpoint nin.pt
                                                             stop it, and the same command goes on
  python -m d2lcnn train vgg --save vgg.safetensors          keeps the trained network, for `predict` and d2lcnn.load
  torchrun --nproc-per-node 8 -m d2lcnn train vgg --variant full
                                                             one process on each of 8 GPUs""",
    "predict": """
  python -m d2lcnn predict shoe.jpg --net lenet.safetensors --invert
  python -m d2lcnn predict photos/*.jpg --net pets.safetensors --top 1""",
    "study": """
  python -m d2lcnn study --list
  python -m d2lcnn study shift                               trains what is not recorded; stop it, and it goes on
  python -m d2lcnn study shift --seeds 0-3 --jobs 2          two runs side by side
  python -m d2lcnn study shift --seeds 0 --record my-runs    one seed, repeated on this machine""",
    "trace": """
  python -m d2lcnn trace lenet
  python -m d2lcnn trace vgg --variant mini --markdown
  python -m d2lcnn trace googlenet --size 224 --json > googlenet.json""",
    "records": """
  python -m d2lcnn records
  python -m d2lcnn records vgg --markdown
  python -m d2lcnn records --from runs""",
    "data verify": """
  python -m d2lcnn data verify
  python -m d2lcnn data verify --root my/fashion-mnist""",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    args = _parser().parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors=_IN_ASCII)
    try:
        status = args.run(args)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _say("interrupted; nothing was recorded", 130)
    except BrokenPipeError:
        # Who read the output, such as head, has enough; Python would flush the rest as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except ValueError as error:
        return _say(f"python -m d2lcnn: error: {error}", 2)
    except (OSError, FloatingPointError, DamagedCheckpoint) as error:
        return _say(f"python -m d2lcnn: error: {error}", 1)


# For a terminal that knows no more than ASCII.
_IN_ASCII = "d2lcnn"
_SPELLED = {"±": "+-", "×": "x", "÷": "/", "≥": ">=", "–": "-", "…": "..."}


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_SPELLED.get(c, "?") for c in error.object[error.start : error.end]), error.end


codecs.register_error(_IN_ASCII, _spell)


def _train(args: argparse.Namespace) -> int:
    from dataclasses import asdict, replace

    import torch

    from d2lcnn import nets
    from d2lcnn.data import Augment, FashionMNIST
    from d2lcnn.training import evaluate, fit

    recipe = nets.variant(args.net, args.variant).recipe
    if args.epochs is not None:
        recipe = replace(recipe, epochs=args.epochs)
    device = find_device(args.device)
    is_first = int(os.environ.get("RANK", 0)) == 0
    # Hours of training must not end in a folder that cannot be written to.
    if args.record is not None and is_first:
        args.record.mkdir(parents=True, exist_ok=True)
        if not os.access(args.record, os.W_OK):
            raise OSError(f"cannot write to {args.record}; --record DIR takes another folder")
        # Nor is the code to be that which somebody edits meanwhile.
        revision = code_revision()
    if args.save is not None and is_first and not os.access(args.save.absolute().parent, os.W_OK):
        raise OSError(f"cannot write to {args.save.absolute().parent}, the folder of --save {args.save}")

    data, size = FashionMNIST(), recipe.input_size
    augment = None if recipe.augment is None else Augment(**recipe.augment)
    train = data.train(recipe.batch_size, size=size, seed=args.seed, augment=augment)
    validation, test = data.validation(recipe.batch_size, size=size), data.test(recipe.batch_size, size=size)
    torch.manual_seed(args.seed)
    net = nets.network(args.net, args.variant)
    options = {"seed": args.seed, "device": device, "checkpoint": args.checkpoint, "progress": not args.quiet}
    history = fit(net, train, validation, **recipe.training, **options)
    is_finished = len(history.rows) == recipe.epochs
    if is_finished:
        scores = evaluate(net, test, precision=recipe.precision)
    # Not after an error: NCCL's clean-up would wait for processes that wait for this one.
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    if not is_finished:
        kept = "the same command goes on" if args.checkpoint else "nothing is kept without --checkpoint PATH"
        text = f"interrupted after {len(history.rows)} of {recipe.epochs} epochs; {kept}"
        return _say(text, 130) if is_first else 130
    if not is_first:
        return 0
    print(f"test accuracy {scores.accuracy:.4f}, loss {scores.loss:.4f}")
    if args.save is not None:
        from d2lcnn.saving import save

        save(net, args.save, data, size=size)
        print("saved in", args.save)
    if args.record is not None:
        seconds = {part: sum(history[f"{part}_seconds"]) for part in ("load", "compute")}
        record = {
            "schema_version": records.SCHEMA_VERSION,
            "study": None,
            "network": args.net,
            "variant": args.variant,
            "input_size": size,
            "recipe": asdict(recipe) | {"precision": history.settings["precision"]},
            "seed": args.seed,
            "curve": history.rows,
            "test_accuracy": scores.accuracy,
            "test_loss": scores.loss,
            "right": None,
            "measures": {},
            "seconds": seconds,
            "images_per_second": train.num_examples * len(history.rows) / sum(seconds.values()),
            "code_revision": revision,
        }
        print("recorded in", records.write(record | describe_run(device, history.settings["processes"]), args.record))
    return 0


def _predict(args: argparse.Namespace) -> int:
    from d2lcnn.saving import load

    classifier, status = load(args.net), 0
    for path in args.files:
        try:
            (shares,) = classifier.predict([path], invert=args.invert)
        except (OSError, ValueError) as error:  # the other pictures may be sound
            status = _say(f"python -m d2lcnn: error: {error}", 1)
            continue
        print(f"{path}: {', '.join(f'{name} {share:.3f}' for name, share in list(shares.items())[: args.top])}")
    return status


def _study(args: argparse.Namespace) -> int:
    from d2lcnn import studies

    if args.list or args.name is None:
        for name in studies.NAMES:
            study = studies.find(name)
            print(f"{name} ({len(study.variants)} variants, {study.minutes} minutes): {study.question}")
        return 0
    from d2lcnn.studies import runs

    study = studies.find(args.name)
    find_device(args.device)
    todo = len(runs.missing(study, args.seeds, args.record))
    wanted = len(args.seeds) * len(study.variants)
    print(f"{wanted - todo} of {wanted} runs of {args.name} are recorded in {args.record / args.name}", flush=True)
    for k, r in enumerate(runs.train_missing(study, args.seeds, args.record, args.jobs, args.device), 1):
        seconds = sum(r["seconds"].values())
        what = f"{r['variant']}, seed {r['seed']}: test accuracy {r['test_accuracy']:.4f} in {seconds:.0f} s"
        print(f"{k}/{todo} {what}", flush=True)
    found = runs.read(study, args.record)
    print(studies.Results(study, {name: [r for r in own if r["seed"] in args.seeds] for name, own in found.items()}))
    return 0


def _trace(args: argparse.Namespace) -> int:
    from d2lcnn import nets
    from d2lcnn.tracing import trace

    size = nets.variant(args.net, args.variant).recipe.input_size if args.size is None else args.size
    found = trace(nets.network(args.net, args.variant, input_size=size), (1, 1, size, size))
    print(found.to_json() if args.json else found.to_markdown() if args.markdown else found)
    return 0


def _records(args: argparse.Namespace) -> int:
    from d2lcnn import nets

    wanted = {}
    if args.net is not None:
        nets.variant(args.net)
        wanted = {"network": args.net}
    found = records.table(records.select(records.read(args.folder), **wanted))
    if not found.rows:
        print("no records yet; `python -m d2lcnn train NET --record` makes one")
    else:
        print(found.to_markdown() if args.markdown else found)
    return 0


def _verify(args: argparse.Namespace) -> int:
    from d2lcnn.data import FashionMNIST, fashion_mnist

    data = FashionMNIST(args.root)
    for name, digest in fashion_mnist.SHA256.items():
        print(f"OK  {digest}  {name}")
    print(data)
    return 0


def _say(text: str, status: int) -> int:
    print(text, file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m d2lcnn",
        description="Train and trace the networks of the book, and look at recorded runs.",
        **_epilog(""),
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    variants: dict[str, Any] = {
        "choices": ("mini", "full"),
        "help": "the small network for 28 pixels or the full one (%(default)s)",
    }

    train = _command(commands, "train", _train, "train a network on Fashion-MNIST and test it")
    train.add_argument("net", metavar="NET", help="lenet, alexnet, vgg, nin or googlenet")
    train.add_argument("--variant", default="mini", **variants)
    train.add_argument("--epochs", type=_whole(1), metavar="N", help="passes over the training data (the recipe's)")
    train.add_argument("--seed", type=_whole(0), default=0, metavar="S", help="of weights, order and dropout (0)")
    train.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, mps (the fastest there is)")
    record: dict[str, Any] = {"nargs": "?", "const": records.FOLDER, "type": Path, "metavar": "DIR"}
    train.add_argument("--record", **record, help="write a record, to DIR or the package's records")
    train.add_argument("--checkpoint", type=Path, metavar="PATH", help="save after every epoch; go on from there")
    train.add_argument("--save", type=Path, metavar="PATH", help="keep the trained network in a safetensors file")
    train.add_argument("--quiet", action="store_true", help="print the test accuracy only")

    predict = _command(commands, "predict", _predict, "name what pictures show, by a network that was saved")
    predict.add_argument("files", metavar="FILE", nargs="+", type=Path, help="pictures: JPEG, PNG, ...")
    predict.add_argument(
        "--net", type=Path, required=True, metavar="PATH", help="what `train --save` or d2lcnn.save wrote"
    )
    predict.add_argument("--top", type=_whole(1), default=3, metavar="N", help="so many classes of each (%(default)s)")
    predict.add_argument("--invert", action="store_true", help="dark on light, for a network trained on light on dark")

    study = _command(commands, "study", _study, "train the runs of a study that are not recorded yet, and tabulate it")
    study.add_argument("name", metavar="NAME", nargs="?", help="one of those that --list names")
    study.add_argument("--list", action="store_true", help="the studies, their questions and what they cost")
    study.add_argument("--seeds", type=_seeds, default=range(8), metavar="A-B", help="from A to B, or one (0-7)")
    study.add_argument("--jobs", type=_whole(1), default=1, metavar="N", help="runs side by side (%(default)s)")
    study.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, mps (the fastest there is)")
    where = "read and write records in DIR/NAME (the package's records)"
    study.add_argument("--record", type=Path, default=records.FOLDER, metavar="DIR", help=where)

    trace = _command(commands, "trace", _trace, "show every layer's shape, parameters, work and receptive field")
    trace.add_argument("net", metavar="NET", help="lenet, alexnet, vgg, nin or googlenet")
    trace.add_argument("--variant", default="full", **variants)
    trace.add_argument("--size", type=_whole(1), metavar="N", help="height and width of the images (the recipe's)")
    form = trace.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print a Markdown table")

    shown = _command(commands, "records", _records, "tabulate recorded runs, mean ± spread over their seeds")
    shown.add_argument("net", metavar="NET", nargs="?", help="only this network's")
    shown.add_argument("--from", dest="folder", metavar="DIR", help="of this folder instead of the package's records")
    shown.add_argument("--markdown", action="store_true", help="print a Markdown table")

    data = commands.add_parser("data", help="the data set's files", **_epilog("data verify"))
    actions = data.add_subparsers(metavar="COMMAND", required=True)
    verify = _command(actions, "verify", _verify, "check that the files of Fashion-MNIST are the right ones")
    verify.add_argument("--root", metavar="DIR", help="folder of the four files (the package's own)")
    return parser


def _command(commands: Any, name: str, run: Callable, text: str) -> argparse.ArgumentParser:
    description = f"{text[0].upper()}{text[1:]}."
    key = "data verify" if name == "verify" else name
    parser = commands.add_parser(name, help=text, description=description, **_epilog(key))
    parser.set_defaults(run=run)
    return parser


def _epilog(name: str) -> dict[str, Any]:
    return {"epilog": f"examples:{EXAMPLES[name]}", "formatter_class": argparse.RawDescriptionHelpFormatter}


def _whole(low: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or not low <= number < 2**63:
            raise argparse.ArgumentTypeError(f"must be a whole number from {low} to 2**63 - 1, got {text!r}")
        return number

    return convert


def _seeds(text: str) -> range:
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and (last.isdecimal() or not dash) and int(first) <= int(last or first)):
        raise argparse.ArgumentTypeError(
            f"must be a seed, as in 3, or seeds from the first to the last, as in 0-7; got {text!r}"
        )
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    sys.exit(main())
