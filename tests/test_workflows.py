"""What GitHub runs: valid, pinned, with the least permissions, and what it pushes for Colab."""

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def tool(name: str, *arguments: object) -> str:
    """Run a command of this environment; return what it says against its arguments."""
    command = [str(Path(sys.executable).with_name(name)), *map(str, arguments)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("custom.github-workflows-require-timeout", WORKFLOWS),
        ("vendor.github-issue-forms", FORMS),
        ("vendor.dependabot", [ROOT / ".github" / "dependabot.yml"]),
        ("vendor.citation-file-format", [ROOT / "CITATION.cff"]),
    ],
)
def test_what_github_reads_is_valid(schema, files):
    assert files and tool("check-jsonschema", "--builtin-schema", schema, *files) == ""


def test_the_workflows_are_safe():
    assert tool("zizmor", "--offline", "--quiet", ROOT / ".github") == ""


@pytest.mark.parametrize("line", ["      - uses: actions/checkout@v6\n", "      - run: echo ${{ github.head_ref }}\n"])
def test_zizmor_bites(line, tmp_path):
    text = WORKFLOWS[0].read_text(encoding="utf-8").replace("    steps:\n", f"    steps:\n{line}", 1)
    (tmp_path / "book.yml").write_text(text, encoding="utf-8")
    assert tool("zizmor", "--offline", "--quiet", tmp_path / "book.yml") != ""


def jobs(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_hash_and_permissions_are_the_least(path):
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"uses: (.+)", text)
    assert used and all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in used)
    assert yaml.safe_load(text)["permissions"] == {}
    writing = {name: job["permissions"] for name, job in jobs(path).items() if "write" in job["permissions"].values()}
    given = {"pages": {"pages": "write", "id-token": "write"}, "colab": {"contents": "write"}}
    assert writing == (given if path.stem == "book" else {})
    assert all(job["permissions"] == {"contents": "read"} for name, job in jobs(path).items() if name not in writing)


def test_a_pull_request_publishes_nothing():
    book = jobs(ROOT / ".github" / "workflows" / "book.yml")
    assert book["site"]["if"] == "github.event_name == 'push'"
    assert (book["site"]["needs"], book["pages"]["needs"], book["colab"]["needs"]) == ("test", "site", "pages")


def test_what_make_is_asked_for_is_there():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M)
    asked = {word for path in WORKFLOWS for word in re.findall(r"run: make ([a-z-]+)", path.read_text())}
    assert {"test", "lint", "site", "colab-check"} <= asked <= set(targets)


def test_the_branch_for_colab_holds_the_chapters_of_the_site(tmp_path):
    (step,) = (step for step in jobs(ROOT / ".github" / "workflows" / "book.yml")["colab"]["steps"] if "run" in step)
    book, work, remote = tmp_path / "site" / "_sources" / "book", tmp_path / "work", tmp_path / "me" / "mine"
    for folder in (book, work):
        folder.mkdir(parents=True)
    (book / "01-a.ipynb").write_text("{}")
    (book / "index.md").write_text("#")
    with tarfile.open(work / "artifact.tar", "w") as archive:  # as upload-pages-artifact packs it
        archive.add(tmp_path / "site", arcname=".")
    subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
    variables = {
        "TOKEN": "secret",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "me/mine",
        "GITHUB_SHA": "0123abc",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{tmp_path}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://x-access-token:secret@github.com/",
    }
    for _ in range(2):  # the second time the branch is there already
        subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], cwd=work, env=os.environ | variables, check=True)
        listed = subprocess.check_output(["git", "ls-tree", "-r", "--name-only", "colab"], cwd=remote, text=True)
        assert listed.split() == ["README.md", "book/01-a.ipynb"]
        subprocess.run(["rm", "-rf", "branch", "_sources"], cwd=work, check=True)
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    assert config["repository"]["branch"] == "colab"


def test_the_version_is_told_the_same_everywhere():
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), flags=re.M)[1]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version
    assert re.search(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.M)[1] == version


def test_a_reader_s_own_chapters_are_copied_once_and_not_tracked(tmp_path):
    command = ["make", "--silent", "--old-file=setup", "chapters", f"MINE={tmp_path / 'mine'}"]
    subprocess.run(command, cwd=ROOT, check=True)
    changed, lost = tmp_path / "mine" / "01-convolution.ipynb", tmp_path / "mine" / "glossary.md"
    assert changed.read_bytes() == (ROOT / "book" / changed.name).read_bytes()
    changed.write_text("mine")
    lost.unlink()
    subprocess.run(command, cwd=ROOT, check=True)
    assert changed.read_text() == "mine" and lost.exists()
    room = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    (opened,) = room["customizations"]["codespaces"]["openFiles"]
    assert (ROOT / "book" / Path(opened).name).exists()
    ignored = subprocess.run(["git", "check-ignore", "--quiet", opened], cwd=ROOT, check=False)
    assert ignored.returncode == 0
