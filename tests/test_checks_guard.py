"""Whatever a reader's code does, the session lives on, is as it was, and the message is clear."""

import dataclasses
import itertools
import random
import sys
import threading
import warnings

import nbformat
import numpy as np
import pytest
import torch
from conftest import ROOT
from torch import nn

import d2lcnn
from d2lcnn import checks
from d2lcnn.checks import _guard, _progress


@pytest.fixture
def impatient(monkeypatch):
    """Exercises that wait half a second."""
    found = checks._exercise
    monkeypatch.setattr(checks, "_exercise", lambda number: dataclasses.replace(found(number), seconds=0.5))


def forever(*args):
    while True:
        pass


def swallowing(*args):
    while True:
        try:  # noqa: SIM105
            forever_once()
        except:  # noqa: E722
            pass


def forever_once():
    return sum(range(100))


def endless(*args):
    while True:
        yield 1.0


def recursive(*args):
    return recursive(*args)


@pytest.mark.parametrize("answer", [forever, swallowing], ids=lambda f: f.__name__)
@pytest.mark.parametrize("exercise", ["1.3", "2.3", "6.4", "10.3"])
def test_a_loop_that_does_not_end_is_stopped(say, impatient, exercise, answer):
    said = say(exercise, answer)
    assert said.startswith(f"Exercise {exercise}: not yet.") and "does not end" in said
    sum(range(10**5))  # nothing strikes afterwards


def test_a_loop_in_another_thread_than_the_main_one_is_stopped(impatient, capsys):
    thread = threading.Thread(target=d2lcnn.check, args=("2.3", forever))
    thread.start()
    thread.join(20)
    assert not thread.is_alive() and "does not end" in capsys.readouterr().out


def test_an_import_is_not_cut_short(monkeypatch, tmp_path):
    (tmp_path / "slow_to_import.py").write_text(
        "import time\nstart = time.monotonic()\nwhile time.monotonic() < start + 0.8: pass\nwhole = 1"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(_guard.Overtime), _guard.guarded(0.2):
        import slow_to_import

        forever()
    assert slow_to_import.whole == 1


@pytest.mark.parametrize("answer", [endless, lambda *args: itertools.count(), lambda *args: itertools.repeat(0.5)])
@pytest.mark.parametrize("exercise", ["1.3", "2.3", "7.2", "10.3"])
def test_what_yields_without_end_is_told(say, exercise, answer):
    assert "does not end" in say(exercise, answer)


def test_an_endless_answer_itself_is_no_answer(say):
    assert "not yet" in say("7.1", itertools.count())


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, MemoryError, RecursionError, StopIteration, BaseException])
def test_whatever_is_raised_is_told(say, kind):
    def raises(*args):
        raise kind("oops")

    assert say("2.3", raises).startswith("Exercise 2.3: not yet.")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda *args: sys.exit(), "calls exit"),
        (lambda *args: exit(), "calls exit"),
        (lambda *args: quit(), "calls exit"),
        (recursive, "calls itself without end"),
        (lambda *args: input("really?"), "EOFError"),
    ],
)
def test_what_would_end_the_session_does_not(say, answer, told):
    assert told in say("2.3", answer)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system itself refuses, or swaps")
@pytest.mark.parametrize(
    "answer",
    [lambda *args: torch.ones(10**9, dtype=torch.float64), lambda *args: np.ones(10**9), lambda *args: [0] * 10**9],
)
def test_what_needs_8_gb_is_refused(say, answer):
    assert "more memory than a check allows" in say("1.3", answer)


def test_what_is_printed_is_shown_and_a_megabyte_is_cut(say):
    def talks(n, k, padding, stride):
        print("n is", n)
        return (n + 2 * padding - k) % stride

    def shouts(n, k, padding, stride):
        print("x" * 10**6)
        return 0

    assert say("2.3", talks).startswith("n is 7\n")
    said = say("2.3", shouts)
    assert len(said) < 3000 and "[cut" in said and "Exercise 2.3: not yet." in said


def test_an_error_of_a_megabyte_is_cut(say):
    def raises(*args):
        raise ValueError("y" * 10**6)

    assert len(say("2.3", raises)) < 800


def test_the_session_is_as_it_was(capsys):
    def meddles(n, k, padding, stride):
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(3)
        torch.set_grad_enabled(False)
        torch.use_deterministic_algorithms(True)
        warnings.simplefilter("error")
        np.seterr(all="raise")
        sys.stdout = None
        return 0

    def state():
        return (
            torch.get_rng_state().tolist(),
            random.getstate(),
            np.random.get_state()[1].tolist(),
            torch.get_default_dtype(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            list(warnings.filters),
            np.geterr(),
            sys.stdout,
            sys.gettrace(),
        )

    net = d2lcnn.lenet(activation=nn.ReLU, pool=nn.MaxPool2d)
    before = state()
    for exercise in ("2.3", "1.3", "3.3", "5.2", "6.4", "7.4", "8.2", "9.3"):
        d2lcnn.check(exercise, meddles)
    d2lcnn.check("5.2", net)
    after = state()
    for old, new in zip(before, after):
        assert old == new


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_the_default_dtype_does_not_matter(say, dtype):
    torch.set_default_dtype(dtype)
    try:
        assert say("3.2", torch.tensor([0.299, 0.587, 0.114]).double().reshape(1, 3, 1, 1)).endswith("right!\n")
        assert say("1.3", lambda X, K: d2lcnn.corr2d_im2col(X, K)).endswith("right!\n")
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_network_stays_as_it_was(say):
    net = nn.Sequential(*d2lcnn.lenet(activation=nn.ReLU, pool=nn.MaxPool2d), nn.BatchNorm1d(10)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    say("5.2", net)
    say("9.5", net)
    say("6.8", net)
    assert net.training and all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    lazy = nn.Sequential(nn.LazyConv2d(4, 3))
    say("5.2", lazy)
    assert isinstance(lazy[0], nn.LazyConv2d)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("1.3", lambda X, K: (d2lcnn.corr2d(X, K), X.zero_())[0]),
        ("6.5", lambda X, flags: (torch.where(flags.view(-1, 1, 1, 1), X.flip(3), X), flags.logical_not_())[0]),
        ("8.3", lambda net, X, k: (net[:-2](X)[:, k], net.train())[0]),
        ("3.3", lambda linear, X: (linear(X.permute(1, 2, 0)).permute(2, 0, 1), linear.weight.zero_())[0]),
        ("2.7", lambda layers: (d2lcnn.receptive_field(layers), layers.clear())[0]),
    ],
)
def test_a_function_that_changes_its_input_is_told_so(say, exercise, answer):
    assert "changes" in say(exercise, answer) and "work on a copy" in say(exercise, answer)


def test_a_function_that_remembers_is_told_so(say):
    seen = []

    def counts(n, k, padding, stride):
        seen.append(n)
        return (n + 2 * padding - k) % stride + (len(seen) > 10)

    assert "two answers" in say("2.3", counts)


def test_hints_come_one_by_one(capsys):
    checks._hinted.clear()
    texts = []
    for _ in range(4):
        d2lcnn.hint("2.3")
        texts.append(capsys.readouterr().out)
    assert [text.split(":")[0] for text in texts] == [
        "Exercise 2.3, hint 1 of 3",
        "Exercise 2.3, hint 2 of 3",
        "Exercise 2.3, hint 3 of 3, the last",
        "Exercise 2.3, hint 3 of 3, the last (there is no further one)",
    ]
    assert len(set(texts)) == 4
    d2lcnn.hint("99.1")
    d2lcnn.hint(None)
    assert capsys.readouterr().out.count("There is no exercise") == 2


def test_progress_is_kept(tmp_path, monkeypatch, capsys):
    file = tmp_path / "new" / "progress.json"
    monkeypatch.setenv(_progress.VARIABLE, str(file))
    d2lcnn.check("2.2", 2)
    d2lcnn.check("10.1", 1)
    d2lcnn.check("2.1", (3, 4))
    capsys.readouterr()
    d2lcnn.progress()
    said = capsys.readouterr().out
    assert "Chapter  2: 2 of 8 solved; next: 2.3" in said and "Chapter 10: 0 of 8" in said and str(file) in said
    file.write_text("{broken")
    d2lcnn.progress()
    d2lcnn.check("2.2", 2)
    assert _progress.solved() == {"2.2"}


def test_progress_is_off_or_elsewhere_and_never_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(_progress.VARIABLE, "off")
    d2lcnn.check("2.2", 2)
    d2lcnn.progress()
    assert "off" in capsys.readouterr().out
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(_progress.VARIABLE, str(tmp_path / "file" / "progress.json"))
    d2lcnn.check("2.2", 2)
    d2lcnn.progress()
    assert "right!" in capsys.readouterr().out
    monkeypatch.delenv(_progress.VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    d2lcnn.check("2.2", 2)
    d2lcnn.progress()
    assert "Colab's machine forgets" in capsys.readouterr().out


def test_a_notebook_lives_through_all_of_it():
    from nbclient import NotebookClient

    sources = [
        "import d2lcnn, sys",
        'd2lcnn.check("2.3", lambda *args: exit())',
        'd2lcnn.check("2.3", lambda *args: sys.exit(1))',
        'd2lcnn.check("2.3", lambda *args: print("z" * 10**6))',
        "import dataclasses\nfrom d2lcnn import checks\nfound = checks._exercise\n"
        "checks._exercise = lambda number: dataclasses.replace(found(number), seconds=0.5)",
        'def forever(*args):\n    while True:\n        pass\n\nd2lcnn.check("2.3", forever)',
        'd2lcnn.check("2.2", 2)',
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": ROOT}}).execute()
    said = ["".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells]
    assert "calls exit" in said[1] and "calls exit" in said[2] and len(said[3]) < 3000
    assert "does not end" in said[5] and said[6] == "Exercise 2.2: right!\n"
