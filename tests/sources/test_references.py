"""Secrets that sources only name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from widgets_app.errors import SourceFailed
from widgets_app.sources import references
from widgets_app.sources.database import DatabaseOptions
from widgets_app.sources.http import HttpOptions

SECRET = "tide-table-4711"


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "outside").write_text("hush")
    settings.WIDGETS_SECRETS_FOLDER = str(tmp_path / "secrets")
    return tmp_path / "secrets"


def revealed(text: str) -> str:
    references.check(SecretStr(text))
    return references.revealed(SecretStr(text))


def test_a_secret_that_is_none_of_these_is_itself() -> None:
    for text in ("", SECRET, "environment", "ENV:X", " env:X"):
        assert revealed(text) == text


def test_a_variable_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceFailed, match="WIDGETS_SECRET_DESK with a secret of the source is not set"):
        revealed("env:WIDGETS_SECRET_DESK")
    monkeypatch.setenv("WIDGETS_SECRET_DESK", SECRET)
    assert revealed("env: WIDGETS_SECRET_DESK ") == SECRET


def test_a_file_is_read_when_it_is_needed(folder: Path) -> None:
    with pytest.raises(SourceFailed, match='The file "desk" with a secret of the source can\'t be read'):
        revealed("file:desk")
    (folder / "desk").write_text(f"{SECRET}\n")
    assert revealed("file:desk") == revealed(f"file:{folder}/desk") == SECRET
    (folder / "desk").write_text("changed")
    assert revealed("file:desk") == "changed"


def test_a_file_may_be_a_link_within_the_folder(folder: Path) -> None:
    # As Kubernetes has them.
    (folder / "..2026").mkdir()
    (folder / "..2026" / "desk").write_text(SECRET)
    (folder / "..data").symlink_to("..2026")
    (folder / "desk").symlink_to("..data/desk")
    assert revealed("file:desk") == SECRET


@pytest.mark.parametrize("name", ["", "../outside", "/etc/passwd", "x/../../outside", "\0/etc/passwd", "."])
def test_no_file_elsewhere_is_named(folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="files with secrets are in"):
        references.check(SecretStr(f"file:{name}"))


def test_no_file_of_a_folder_below_is_named(folder: Path) -> None:
    token = folder / "kubernetes.io" / "serviceaccount" / "token"
    token.parent.mkdir(parents=True)
    token.write_text(SECRET)
    for name in ("kubernetes.io/serviceaccount/token", str(token)):
        with pytest.raises(ValueError, match="files with secrets are in"):
            references.check(SecretStr(f"file:{name}"))
        with pytest.raises(SourceFailed, match="files with secrets are in"):
            references.revealed(SecretStr(f"file:{name}"))


def test_no_file_elsewhere_is_linked_to(folder: Path) -> None:
    references.check(SecretStr("file:desk"))
    (folder / "desk").symlink_to("../outside")
    with pytest.raises(SourceFailed, match="files with secrets are in"):
        references.revealed(SecretStr("file:desk"))


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * (references.MOST_BYTES + 1), b"\xff\xfe"])
def test_what_is_no_secret_is_refused(folder: Path, content: bytes) -> None:
    (folder / "desk").write_bytes(content)
    with pytest.raises(SourceFailed, match=r"with a secret of the source"):
        references.revealed(SecretStr("file:desk"))


@pytest.mark.parametrize("text", ["env:SECRET_KEY", "env:", "file:../outside"])
def test_options_refuse_other_references(folder: Path, text: str) -> None:
    with pytest.raises(ValidationError):
        DatabaseOptions(url="postgresql://ana@host/x", password=SecretStr(text))
    with pytest.raises(ValidationError):
        HttpOptions(url="https://a.example", headers={"X-API-KEY": SecretStr(text)})
