"""Draw Vega-Lite's specifications as SVG, and write the scripts by which DVC's pages of plots draw without a network.

Writes  .dvc/tmp/vega.js    Vega, Vega-Lite and Vega-Embed, which .dvc/plots/page.html loads

    python -m report.vega    (make plots)
"""

import re
from pathlib import Path
from typing import Any

import vl_convert

from sentiment.core.command import run
from sentiment.core.files import replacing

SCRIPTS = Path(".dvc/tmp/vega.js")
VEGA_LITE = "5.21"
"""The newest of DVC's templates' major version that vl-convert has."""
INK = "currentColor"
"""Charts take the colour of the text around them, so that they suit a light page and a dark one."""
FAINT = "#8886"
CONFIG = {
    "background": "transparent",
    # Wide ones, so that no other in their place needs more room.
    "font": "Verdana, DejaVu Sans, sans-serif",
    "padding": 12,
    "title": {"color": INK, "fontSize": 13},
    "axis": {
        "labelOverlap": "greedy",
        "labelColor": INK,
        "titleColor": INK,
        "domainColor": FAINT,
        "tickColor": FAINT,
        "gridColor": "#8883",
    },
    "legend": {"labelColor": INK, "titleColor": INK},
    "header": {"labelColor": INK, "titleColor": INK},
    "text": {"color": INK},
    "view": {"stroke": FAINT},
    "range": {"category": ["#3b7dd8", "#e07b39", "#3a9a6b", "#b4559f"]},
}


def svg(spec: dict[str, Any], prefix: str, ink: str = INK) -> str:
    """Draw a Vega-Lite specification; names within the SVG begin with `prefix`, so that a page can hold several.

    `ink` is the colour of text: that of the page around it, unless the SVG is to be a file of its own.
    """
    drawn: str = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE, config=CONFIG)
    # Vega numbers them on from one chart to the next.
    for number, name in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', drawn))):
        drawn = re.sub(rf'(\bid="|url\(#){re.escape(name)}(?=["\)])', rf"\g<1>{prefix}-{number}", drawn)
    return drawn.replace(INK, ink)


def main() -> None:
    scripts = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE)
    with replacing(SCRIPTS) as file:
        file.write_text(scripts, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(main, "vega")
