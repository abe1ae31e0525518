"""The report as one page of HTML that holds all it needs."""

from collections.abc import Sequence
from pathlib import Path

from report.sections import Section
from report.vega import svg

TEMPLATES = Path(__file__).parent


def page(sections: Sequence[Section], title: str, origin: str) -> str:
    """Return the page; whatever the sections' texts and tables say of HTML is shown, not followed."""
    import jinja2
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    parts = [
        {
            "title": section.title,
            "question": section.question,
            "text": markdown.render(section.text),
            "tables": [markdown.render(table) for table in section.tables],
            "charts": [svg(spec, f"s{number}c{place}") for place, spec in enumerate(section.charts)],
        }
        for number, section in enumerate(sections, 1)
    ]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.jinja").render(title=title, origin=origin, sections=parts)
