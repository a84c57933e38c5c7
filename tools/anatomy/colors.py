"""A colour for each of SAT's names: Slicer's where it has one, else one of its own; never the same twice."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable

Rgb = tuple[int, int, int]

# Two colours closer than this (Euclidean, 0..255 per channel) look the same beside each other.
_CLOSEST = 9.0
_GOLDEN = 0.61803398875


def paint(names: Iterable[tuple[str, str, str, Rgb | None]]) -> dict[str, Rgb]:
    """Colours by name.

    Parameters
    ----------
    names: (name, name without its side, "left"/"right"/"", Slicer's colour or None).
        Names that share a structure share the hue: the left one is lighter, the right one darker.
    """
    families: dict[str, list[tuple[str, str, Rgb | None]]] = {}
    for name, base, side, own in names:
        families.setdefault(base, []).append((name, side, own))
    painted: dict[str, Rgb] = {}
    # Slicer's colours first, so that none of them has to give way to a made-up one.
    order = sorted(families, key=lambda base: (all(own is None for *_, own in families[base]), base))
    for number, base in enumerate(order):
        own = next((own for *_, own in families[base] if own), None)
        painted |= _paint_family(families[base], own, number, set(painted.values()))
    return painted


def _paint_family(
    family: list[tuple[str, str, Rgb | None]], own: Rgb | None, number: int, used: set[Rgb]
) -> dict[str, Rgb]:
    for attempt in range(2000):
        hue, lightness, saturation = _start(own, number, attempt)
        chosen = {name: _shade(hue, lightness, saturation, side) for name, side, _ in family}
        if own and attempt == 0:
            chosen |= {name: own for name, side, _ in family if not side}
        values = list(chosen.values())
        clash = any(_distance(a, b) < _CLOSEST for a in values for b in used)
        if not clash and len(set(values)) == len(values):
            return chosen
    raise ValueError("no colour left")


def _start(own: Rgb | None, number: int, attempt: int) -> tuple[float, float, float]:
    """Hue, lightness, saturation to try; later attempts step away, a family with Slicer's colour in lightness first."""
    if own:
        hue, lightness, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in own))
        step = (attempt + 1) // 2 * (1 if attempt % 2 else -1)
        return (
            hue,
            min(0.88, max(0.25, lightness + 0.02 * (step % 17 - 8) * (attempt > 0))),
            min(1.0, max(0.15, saturation + 0.03 * step * (attempt > 0))),
        )
    index = number + 0.37 * attempt
    return (
        (index * _GOLDEN) % 1.0,
        0.46 + 0.08 * ((number + attempt) % 4),
        0.5 + 0.12 * ((number // 4 + attempt) % 4),
    )


def _shade(hue: float, lightness: float, saturation: float, side: str) -> Rgb:
    if side == "left":
        lightness += (0.92 - lightness) * 0.3 if lightness < 0.92 else 0
    elif side == "right":
        lightness *= 0.82
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
    return round(255 * red), round(255 * green), round(255 * blue)


def _distance(a: Rgb, b: Rgb) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5
