"""The example of a file of settings names every setting, with its default."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
SHOW = """
import json
from project import settings
found = {name: value for name, value in vars(settings).items() if name.isupper()}
print(json.dumps(found, default=lambda value: getattr(value, "__name__", str(value))))
"""


def settings_with(**environment: str) -> dict[str, object]:
    shown = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    found: dict[str, object] = json.loads(shown.stdout)
    return found


def test_it_names_exactly_what_the_settings_read() -> None:
    read = re.findall(r'env\.\w+\(\s*"(\w+)"', (ROOT / "project" / "settings.py").read_text())
    assert sorted(EXAMPLE) == sorted(read)


def test_its_values_are_the_defaults(tmp_path: Path) -> None:
    home = {"WIDGETS_HOME": str(tmp_path)}
    assert settings_with(**EXAMPLE | home) == settings_with(**dict.fromkeys(EXAMPLE, "") | home)
