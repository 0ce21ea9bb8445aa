from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import pytest

from tests.shapes.chart.figures import WIDE, figure, notes
from tests.shapes.frames import frame
from widgets_app.shapes.chart import PALETTE, THEMES
from widgets_app.shapes.chart.grid import ABOVE, BELOW
from widgets_app.shapes.chart.layout import FALLING, RISING, TOTAL


def test_the_legend_shows_only_for_several_series_and_can_be_left_out() -> None:
    shown = [figure(WIDE, **options)["layout"]["showlegend"] for options in ({}, {"y": ["calls"]}, {"legend": False})]
    assert shown == [True, False, False]


def test_own_colours_are_used_in_turn_with_other_marks_in_the_second_round() -> None:
    rows = frame({"d": "a", "x": 1, "y": 1, "z": 1}, d="text", x="number", y="number", z="number")
    lines = [trace["line"] for trace in figure(rows, colours=["red", "#00F"])["data"]]
    assert [(line["color"], line["dash"]) for line in lines] == [
        ("red", "solid"),
        ("#00F", "solid"),
        ("red", "dash"),
    ]
    bars = [trace["marker"]["pattern"]["shape"] for trace in figure(rows, kind="bar", colours=["red"])["data"]]
    assert bars == ["", "/", "x"]
    dots = [trace["marker"]["symbol"] for trace in figure(rows, kind="scatter", colours=["red"])["data"]]
    assert dots == ["circle", "square", "diamond"]


def test_names_from_the_data_are_text_and_not_markup() -> None:
    rows = frame({"d": "a", "p": "<b>R&D</b>", "n": 1}, d="text", p="text", n="number")
    assert figure(rows, colour="p")["data"][0]["name"] == "&lt;b&gt;R&amp;D&lt;/b&gt;"
    assert figure(rows, kind="pie", x="p")["data"][0]["labels"] == ["&lt;b&gt;R&amp;D&lt;/b&gt;"]


def test_the_extra_layout_is_joined_with_the_layout_and_wins() -> None:
    extra = {"title": {"text": "Calls"}, "font": {"size": 9}, "yaxis": {"rangemode": "tozero"}, "hovermode": False}
    plain, made = figure(WIDE)["layout"], figure(WIDE, layout=extra)["layout"]
    assert (made["title"], made["hovermode"]) == ({"text": "Calls"}, False)
    assert made["font"] == {**plain["font"], "size": 9}
    assert made["yaxis"] == {**plain["yaxis"], "rangemode": "tozero"}


def test_notes_stand_beside_annotations_of_the_extra_layout() -> None:
    rows = frame({"d": "a", "n": 1}, truncated=True, d="text", n="number")
    extra = {"annotations": [{"text": "Strike", "x": "a", "y": 1}]}
    assert notes(figure(rows, layout=extra)) == ["Strike", "Made from the first 1 rows"]


# How far the colours are from the backgrounds and each other: contrast ratio of WCAG, and distances in CIE
# Lab of what readers with full, red-blind, green-blind and blue-blind vision see (Machado and others, 2009).
BACKGROUNDS = ("#151518", "#FFFFFF")
VISIONS = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
)
TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
WHITE = (0.95047, 1.0, 1.08883)


def linear(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def times(matrix: Any, vector: list[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def contrast(one: str, other: str) -> float:
    dark, light = sorted(times(TO_XYZ, linear(colour))[1] for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(colour: str, vision: Any) -> tuple[float, float, float]:
    seen = [min(1.0, max(0.0, part)) for part in times(vision, linear(colour))]
    ratios = [part / white for part, white in zip(times(TO_XYZ, seen), WHITE, strict=True)]
    x, y, z = (ratio ** (1 / 3) if ratio > 0.008856 else 7.787 * ratio + 16 / 116 for ratio in ratios)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_every_colour_stands_out_from_both_backgrounds(background: str) -> None:
    assert min(contrast(colour, background) for colour in PALETTE) >= 3


@pytest.mark.parametrize("vision", VISIONS)
def test_every_reader_can_tell_the_colours_apart(vision: Any) -> None:
    assert min(math.dist(lab(a, vision), lab(b, vision)) for a, b in combinations(PALETTE, 2)) >= 20


def test_the_writing_is_readable_on_its_background() -> None:
    assert contrast(THEMES["dark"].text, BACKGROUNDS[0]) >= 7
    assert contrast(THEMES["light"].text, BACKGROUNDS[1]) >= 7


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_colours_with_a_meaning_stand_out_too(background: str) -> None:
    assert min(contrast(colour, background) for colour in (RISING, FALLING, TOTAL, ABOVE, BELOW)) >= 3


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("pair", [(RISING, FALLING), (RISING, TOTAL), (FALLING, TOTAL), (ABOVE, BELOW)])
def test_every_reader_can_tell_up_from_down(vision: Any, pair: tuple[str, str]) -> None:
    assert math.dist(lab(pair[0], vision), lab(pair[1], vision)) >= 20
