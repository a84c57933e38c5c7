"""Draws the extension's icon: a section of a body with coloured organs, and a text cursor beside it.

python tools/icon/draw.py        # writes SATSegment/Resources/Icons/SATSegment.png
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

SIZE = 128
FINE = 8  # drawn this much larger, then reduced: Pillow's shapes have hard edges

NIGHT, BONE, TISSUE = (24, 34, 52), (236, 232, 220), (92, 106, 130)
LIVER, SPLEEN, KIDNEY, AORTA = (214, 108, 76), (158, 112, 188), (84, 176, 142), (222, 74, 84)


def main() -> None:
    """Write the file."""
    path = Path(__file__).resolve().parents[2] / "SATSegment" / "Resources" / "Icons" / "SATSegment.png"
    draw().resize((SIZE, SIZE), Image.Resampling.LANCZOS).save(path, optimize=True)


def draw() -> Image.Image:
    """The icon at FINE times its size. The patient's right is on the left, as radiologists look at it."""
    canvas = Image.new("RGBA", (SIZE * FINE, SIZE * FINE), (0, 0, 0, 0))
    pen = ImageDraw.Draw(canvas)
    pen.rounded_rectangle(_fine(2, 2, 126, 126), radius=24 * FINE, fill=NIGHT)
    pen.ellipse(_fine(12, 18, 116, 92), fill=TISSUE, outline=BONE, width=3 * FINE)
    pen.polygon(_fine(22, 46, 34, 30, 58, 26, 68, 34, 58, 48, 44, 66, 30, 70, 23, 60), fill=LIVER)
    pen.ellipse(_fine(90, 40, 106, 66), fill=SPLEEN)
    pen.ellipse(_fine(36, 66, 52, 82), fill=KIDNEY)
    pen.ellipse(_fine(76, 66, 92, 82), fill=KIDNEY)
    pen.ellipse(_fine(56, 66, 72, 80), fill=BONE)
    pen.rectangle(_fine(62, 80, 66, 88), fill=BONE)
    pen.ellipse(_fine(63, 55, 73, 65), fill=AORTA)
    # The line that is typed into.
    pen.rounded_rectangle(_fine(20, 98, 108, 116), radius=9 * FINE, fill=BONE)
    for left, width, colour in ((28, 20, LIVER), (51, 14, KIDNEY), (68, 10, SPLEEN)):
        pen.rounded_rectangle(_fine(left, 104, left + width, 110), radius=3 * FINE, fill=colour)
    pen.rectangle(_fine(83, 101, 85, 113), fill=NIGHT)
    return canvas


def _fine(*numbers: float) -> list[float]:
    return [number * FINE for number in numbers]


if __name__ == "__main__":
    main()
