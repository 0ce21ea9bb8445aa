"""The tool that takes pictures of a running backend."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.conftest import Backend
from tests.commands.conftest import ROOT
from tests.loopback import free_port

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("libraries")]


def run(backend: Backend, folder: Path, *options: str, url: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.browser.screenshots", url or backend.url, backend.key, str(folder)]
    ports = ["--port", str(backend.port), *options]
    return subprocess.run([*command, *ports], cwd=ROOT, capture_output=True, text=True, timeout=120)


def size(file: Path) -> tuple[int, int]:
    width, height = struct.unpack(">II", file.read_bytes()[16:24])
    return width, height


def test_each_tab_becomes_a_picture_as_high_as_its_widgets(backend: Backend, browser: object, tmp_path: Path) -> None:
    done = run(backend, tmp_path / "new", "--app", "Texts", "--theme", "light")
    picture = tmp_path / "new" / "texts-main-light.png"
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{picture}\n", "")
    width, height = size(picture)
    assert (width, height > 1000) == (1600, True)


def test_a_widget_that_fails_is_named_and_the_others_are_drawn(
    backend: Backend, browser: object, tmp_path: Path
) -> None:
    done = run(backend, tmp_path, "--app", "Broken")
    picture = tmp_path / "broken-main-dark.png"
    assert done.returncode == 1
    assert done.stdout.startswith(f'{picture}\n  broken: 502: The widget shows the column "tonnage"')
    assert done.stderr == "Widgets that could not be drawn: 1.\n"
    assert picture.is_file()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--app", "Nowhere"], 'There is no app named "Nowhere".\n'),
        (["--port", "{taken}"], "Choose another port with --port, and allow that one.\n"),
        (["--port", "{free}"], "with CORS_ALLOWED_ORIGINS=http://127.0.0.1:{free} in its environment?\n"),
    ],
)
def test_what_stands_in_the_way_is_told_in_one_line(
    backend: Backend, browser: object, tmp_path: Path, options: list[str], expected: str
) -> None:
    free, taken = free_port(), backend.url.rpartition(":")[2]
    done = run(backend, tmp_path, *(option.format(free=free, taken=taken) for option in options))
    assert done.returncode == 1
    assert done.stderr.endswith(expected.format(free=free))
    assert done.stderr.count("\n") == 1
