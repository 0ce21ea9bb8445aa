"""Reports tell no credentials, whatever a backend answers, and have no characters that a terminal would obey."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import takewhile
from urllib.parse import quote, quote_plus

from widgets_app.manifest.contract import Finding

HIDDEN = "••••••"
BEGINNING = 8  # characters by which a secret is known, be it cut off behind them
# What is shorter protects nothing, and stands in too many words.
SHORTEST = 6
ODD = "\N{REPLACEMENT CHARACTER}"


def cleaned(finding: Finding, secrets: Iterable[str]) -> Finding:
    """Return a finding as people may see it."""
    known = {form for secret in secrets for form in _forms(secret)}
    where, message, fix = (_clean(text, known) for text in (finding.where, finding.message, finding.fix))
    return replace(finding, where=where, message=message, fix=fix)


def _forms(secret: str) -> Iterator[str]:
    """Yield how a secret may be written."""
    # Of "Bearer abc", the part behind the blank is the secret.
    for text in (secret, secret.rpartition(" ")[2]):
        for form in (text, quote(text, safe=""), quote_plus(text), json.dumps(text)[1:-1]):
            if len(form) >= SHORTEST:
                yield form


def _clean(text: str, known: Iterable[str]) -> str:
    for secret in known:
        text = _blotted(text, secret)
    return "".join(mark if mark.isprintable() else ODD for mark in text)


def _blotted(text: str, secret: str) -> str:
    beginning, rest = secret[:BEGINNING], secret[BEGINNING:]
    first, *others = text.split(beginning)
    return HIDDEN.join([first, *(other[_shared(other, rest) :] for other in others)])


def _shared(one: str, other: str) -> int:
    """Return with how many equal characters two texts begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
