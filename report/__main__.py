"""Write one page that shows the last run and the benchmarks: it needs neither network nor scripts.

Reads   metrics/, plots/, benchmarks/*.json, params.yaml, models/sentiment/provenance.json, data/predictions/errors.md
Writes  report/index.html

    python -m report                  (make report)
"""

import subprocess
from pathlib import Path

from report.charts import svg
from report.content import sections
from sentiment.command import run
from sentiment.files import replacing
from sentiment.params import load_params

PAGE = Path("report/index.html")
TEMPLATES = Path(__file__).parent


def commit() -> str:
    """Return the short name of the commit, with a mark when files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    import jinja2
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    parts = [
        {
            "title": section.title,
            "text": markdown.render(section.text),
            "tables": [markdown.render(table) for table in section.tables],
            "charts": [svg(spec, f"s{number}c{place}") for place, spec in enumerate(section.charts)],
        }
        for number, section in enumerate(sections())
    ]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("page.html.jinja").render(params=load_params(), commit=commit(), sections=parts)
    with replacing(PAGE) as file:
        file.write_text(page, encoding="utf-8", newline="\n")
    print(PAGE)


if __name__ == "__main__":
    run(main, "report")
