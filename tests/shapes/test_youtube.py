from __future__ import annotations

from typing import Any

import pytest

from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import Ask, Body
from widgets_app.shapes.youtube import NO_TRANSCRIPT, YouTube
from widgets_app.sources.frame import Frame

VIDEO = "https://www.youtube.com/watch?v=abc"


def body(one: Frame | None, *, raw: bool = False, **options: Any) -> Body:
    return YouTube().render(one, YouTube.Options(**options), Ask(raw=raw))


def test_a_fixed_address_is_plain_text_and_needs_no_rows() -> None:
    assert body(None, url=VIDEO) == Body(VIDEO.encode(), "text/plain; charset=utf-8")
    assert not YouTube().needs_rows(YouTube.Options(url=VIDEO))
    assert YouTube().needs_rows(YouTube.Options())


@pytest.mark.parametrize(
    "url", ["https://youtu.be/abc", "http://youtube.com/embed/x", "https://m.youtube.com/shorts/x"]
)
def test_the_address_comes_from_the_first_row(url: str) -> None:
    rows = frame({"id": 1, "video": f" {url} "}, {"id": 2, "video": "other"})
    assert body(rows, column="video").content == url.encode()
    assert body(frame({"video": url})).content == url.encode()


@pytest.mark.parametrize("one", [None, frame(), frame(url="text"), frame({"url": None})])
def test_no_address_selects_no_video(one: Frame | None) -> None:
    assert body(one) == Body(b"", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    "url",
    [
        "abc",
        "javascript:alert(1)",
        "https://example.com/watch?v=abc",
        "https://notyoutube.com/x",
        "http://[x",
        f"{VIDEO}\nx",
    ],
)
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no address of a YouTube video"):
        YouTube.Options(url=url)
    with pytest.raises(SourceFailed, match=r"The query gave no video: .* no address of a YouTube video"):
        body(frame({"url": url}))


def test_raw_is_the_transcript_as_markdown() -> None:
    rows = frame(
        {"url": VIDEO, "transcript": "# One"}, {"url": None, "transcript": None}, {"url": None, "transcript": "é"}
    )
    assert body(rows, raw=True) == Body("# One\n\né".encode(), "text/markdown; charset=utf-8")
    assert body(frame({"t": "x"}), raw=True, transcript="t").content == b"x"


@pytest.mark.parametrize("one", [None, frame(), frame({"url": VIDEO})])
def test_without_a_transcript_a_sentence_says_so(one: Frame | None) -> None:
    assert body(one, raw=True, url=VIDEO).content == NO_TRANSCRIPT.encode()


@pytest.mark.parametrize("part", ["column", "transcript"])
def test_a_chosen_column_that_is_missing_is_named(part: str) -> None:
    chosen: dict[str, Any] = {part: "gone"}
    with pytest.raises(SourceFailed, match='"gone", but its data has: url'):
        body(frame({"url": VIDEO}), **chosen)
