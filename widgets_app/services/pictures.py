"""Pictures kept inside definitions, as data: addresses, so that they need no place of their own."""

from __future__ import annotations

import base64
import re

from widgets_app.errors import DefinitionError

PICTURE_BYTES = 200 * 1024

# Atomic groups: without them a file of many comments takes for ever to be refused.
_SVG = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?>(?:<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE[^>\[]*>|\s+)*)<svg[\s>]", re.DOTALL)
_SCRIPT = re.compile(rb"<\s*script|\son\w+\s*=|javascript:", re.IGNORECASE)


def picture_address(content: bytes) -> str:
    """Return a picture as a data: address. Raises DefinitionError for what is too large, or no picture."""
    if len(content) > PICTURE_BYTES:
        raise DefinitionError(
            f"The picture is larger than {PICTURE_BYTES // 1024} KB. Use a smaller one, or write the address of one "
            "that is kept elsewhere."
        )
    return f"data:{_type(content)};base64,{base64.b64encode(content).decode()}"


def _type(content: bytes) -> str:
    """Return the media type by the first bytes: names of files say nothing."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    if _SVG.match(content):
        if _SCRIPT.search(content):
            raise DefinitionError("The SVG holds a script. Use a drawing without one.")
        return "image/svg+xml"
    raise DefinitionError("This is no picture that Workspace shows. Use PNG, JPEG, GIF, WebP or SVG.")
