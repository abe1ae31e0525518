"""The page: a box for a review, files, tokenizers and the model, each in a tab."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError

from app import views
from app.api import OneText, Prediction, Verdict, strange_ones
from app.files import columns_of, reading_of, score_file
from app.service import Service
from sentiment.core.errors import UserError
from sentiment.tables.formats import KINDS, PACKED
from sentiment.text.spelling import warning

STATIC = Path(__file__).with_name("static")
KEPT = 3600
"""Seconds that an uploaded or scored file is kept."""
FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
HEAD = """\
<meta name="description" content="Tells the sentiment of a review, and which words carry it">
<link rel="stylesheet" href="page/page.css"><script type="module" src="page/page.js"></script>"""
LOOK = 0.05
"""Seconds between two looks at the queue of files; Gradio's own thousandth of a second costs a twelfth of a core."""
PROGRESS = gr.Progress()
"""As a default value it lets Gradio pass one of its own."""
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
PLAIN: dict[str, Any] = {"apply_default_css": False}
TITLE = "Sentiment of reviews"
HEADER = f"""\
<header class="top"><span class="mark" aria-hidden="true"></span><div><h1>{TITLE}</h1>
<p>Reads a review as you type it, and shows what in it made up its mind.</p></div></header>"""


def build(service: Service) -> gr.Blocks:
    """Return the page, to be mounted."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(KEPT, KEPT)) as page:
        gr.HTML(HEADER, **PLAIN)
        with gr.Tabs(overflow_behavior="wrap"):
            with gr.Tab("Write", id="write"):
                gr.HTML(views.live(service.model.predictor.decision), **PLAIN)
            with gr.Tab("File", id="file"):
                _files(service)
            with gr.Tab("Tokenizers", id="tokenizers"):
                gr.Markdown("A model does not see words but tokens. The same text, as each tokenizer cuts it:")
                text = gr.Textbox(views.TOKENIZED, label="Text", lines=2, max_length=1_000, elem_id="to-cut")
                cut = gr.HTML(elem_id="cuts", **PLAIN)

                def cuts(text: str) -> str:
                    return views.cuts(service.model, text[:1_000])

                page.load(cuts, text, cut, show_progress="hidden", queue=False, **PRIVATE)
                text.change(cuts, text, cut, trigger_mode="always_last", show_progress="hidden", queue=False, **PRIVATE)
            with gr.Tab("Model", id="model"):
                with gr.Row():
                    with gr.Column(scale=2, min_width=300):
                        facts = gr.HTML(elem_id="facts", **PLAIN)
                    with gr.Column(scale=3, min_width=300):
                        card = gr.Markdown(elem_id="card")

                def model() -> tuple[str, str]:
                    return views.facts(service.model), FRONT.sub("", service.model.card)

                page.load(model, None, [facts, card], show_progress="hidden", queue=False, **PRIVATE)
        _programs(service)
        gr.HTML("<footer class='foot'><a href='docs'>JSON API</a></footer>", **PLAIN)
    page._queue.sleep_when_free = page._queue.progress_update_sleep_when_free = LOOK
    return page


def _files(service: Service) -> None:
    megabytes = service.settings.max_upload / 1_000_000
    gr.Markdown(
        f"Up to {megabytes:g} MB of csv, tsv, txt, json, jsonl, xlsx or parquet, packed or not. "
        "Every column is kept, two are added."
    )
    with gr.Row():
        with gr.Column():
            upload = gr.File(label="File with reviews", file_types=[f".{ending}" for ending in (*KINDS, *PACKED)])
            column = gr.Dropdown(label="Column of the reviews", choices=[], interactive=True)
            with gr.Accordion("If it is read wrongly", open=False):
                encoding = gr.Textbox(label="Encoding", placeholder="as in cp1252; UTF-8 needs none", max_length=40)
                delimiter = gr.Textbox(label="Delimiter", placeholder="comma, semicolon, tab or pipe", max_length=10)
                # On Enter, or by the button: nobody wants a file to be read at each key.
                named = gr.Textbox(
                    label="Columns", placeholder="names for a file without a header, as in label,title,text"
                )
                again = gr.Button("Look at the file again")
            form = gr.Radio(["csv", "parquet", "jsonl"], value="csv", label="Format of the results")
            start = gr.Button("Read the reviews", variant="primary", interactive=False)
        with gr.Column():
            result = gr.HTML(elem_id="summary", min_height=120, **PLAIN)
            download = gr.File(label="Results", file_count="multiple", interactive=False, visible=False)

    def inspect(path: str | None, *options: str | None) -> tuple[Any, Any, str, Any]:
        names: list[str] = []
        said = ""
        if path:
            try:
                notes: list[str] = []
                names = columns_of(Path(path), reading_of(*options), notes.append)
                said = "".join(views.note(_without_folder(note, path)) for note in notes)
                if not names:
                    said = views.trouble("No column of this file holds texts.")
            except UserError as error:
                said = views.trouble(_without_folder(str(error), path))
        chosen = names[0] if names else None
        return (
            gr.Dropdown(choices=names, value=chosen),
            gr.Button(interactive=bool(names)),
            said,
            gr.File(visible=False),
        )

    def read(  # noqa: PLR0917 - Gradio passes them by position
        path: str,
        text: str,
        form: str,
        encoding: str | None,
        delimiter: str | None,
        named: str | None,
        progress: gr.Progress = PROGRESS,
    ) -> tuple[str, Any]:
        def tell(done: int, rows: int) -> None:
            progress((done, rows), unit="rows")

        predictor = service.model.predictor
        with TemporaryDirectory() as folder:
            try:
                outcome = score_file(
                    Path(path),
                    text,
                    form,
                    Path(folder),
                    score=service.read_from_thread,
                    progress=tell,
                    reading=reading_of(encoding, delimiter, named),
                    spell=predictor.spell,
                    threshold=predictor.decision.threshold,
                )
            except UserError as error:
                return views.trouble(_without_folder(str(error), path)), gr.File(visible=False)
            # They are served from there, and removed after a while.
            kept = [download.move_resource_to_block_cache(result) for result in outcome.paths]
        if strange := predictor.strange(outcome.spelled):
            outcome.notes.append(warning("these texts", strange))
        return views.summary(outcome, predictor.decision), gr.File(kept, visible=True)

    fields: list[Any] = [encoding, delimiter, named]
    gr.on(
        [upload.change, again.click, *(field.submit for field in fields)],
        inspect,
        [upload, *fields],
        [column, start, result, download],
        show_progress="hidden",
        **PRIVATE,
    )
    start.click(
        read,
        [upload, column, form, *fields],
        [result, download],
        concurrency_limit=2,
        show_progress_on=result,
        **PRIVATE,
    )


def _programs(service: Service) -> None:
    def predict(text: str) -> dict[str, Any]:
        """Predict the sentiment of a text: sentiment, score, unsure and strange, as the JSON API."""
        try:
            OneText(text=text)
        except ValidationError as error:
            raise gr.Error(error.errors()[0]["msg"], print_exception=False) from None
        (score,) = service.read_from_thread([text])
        predictor = service.model.predictor
        (strange,) = strange_ones(predictor, [text])
        return Verdict(**Prediction.of(score, predictor.decision).model_dump(), strange=strange).model_dump()

    # As many callers at a time as are read together.
    gr.api(predict, api_name="predict", concurrency_limit=service.settings.batch)


def _without_folder(sentence: str, path: str) -> str:
    """Return a sentence about a file with its name instead of its path on the server."""
    return sentence.replace(path, Path(path).name)


def mount(app: FastAPI, service: Service) -> None:
    """Mount the page at the application's root, and the files that it loads at /page."""
    app.mount("/page", StaticFiles(directory=STATIC))
    # System fonts and colours that stay readable in light and dark.
    theme = gr.themes.Default(
        primary_hue="blue",
        neutral_hue="slate",
        radius_size="lg",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
    gr.mount_gradio_app(
        app,
        build(service),
        "/",
        root_path=service.settings.root_path,
        theme=theme,
        head=HEAD,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        pwa=False,
        max_file_size=service.settings.max_upload,
        show_error=False,
    )


def disconnect(app: FastAPI) -> None:
    """Close the connections that open pages keep, which would otherwise hold up the server's shutdown."""
    for route in app.routes:
        page = getattr(route, "app", None)
        if isinstance(page, gr.routes.App):
            page.stop_event.set()
