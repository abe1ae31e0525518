"""Draw the charts of docs/evaluation.md whose benchmarks have been run.

Reads   benchmarks/{models,transfer}.json
Writes  docs/images/{models,transfer}.svg

    python -m docs.charts    (make figures)
"""

from pathlib import Path

from docs.figures.comparison import MODELS, TRANSFER
from report.charts import svg
from report.content import models_chart, transfer_chart
from sentiment.files import replacing

IMAGES = Path("docs/images")
INK = "#777"
"""Legible on white as well as on black."""


def main() -> None:
    for file, chart in {MODELS: models_chart, TRANSFER: transfer_chart}.items():
        if Path(file).exists():
            with replacing(IMAGES / f"{Path(file).stem}.svg") as image:
                image.write_text(svg(chart(), "c", INK), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
