"""Write the scripts by which DVC's pages of plots draw, so that these need no network.

Writes  .dvc/tmp/vega.js    Vega, Vega-Lite and Vega-Embed, which .dvc/plots/page.html loads

    python -m report.scripts    (make plots)
"""

from pathlib import Path

from report.charts import VEGA_LITE
from sentiment.core.files import replacing

SCRIPTS = Path(".dvc/tmp/vega.js")


def main() -> None:
    import vl_convert

    with replacing(SCRIPTS) as file:
        file.write_text(
            vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE), encoding="utf-8", newline="\n"
        )


if __name__ == "__main__":
    main()
