"""Serve the web page with the model that the pipeline exported.

Reads   models/exported/

    python -m app [PORT]    (make serve)
"""

from argparse import ArgumentParser
from pathlib import Path

from sentiment.command import run
from sentiment.params import load_params

MODEL = Path("models/exported")


def main() -> None:
    parser = ArgumentParser("app")
    parser.add_argument("port", nargs="?", type=int, help="the first free one from 7860 if not given")
    port = parser.parse_args().port
    params = load_params()

    import gradio as gr

    from app.page import build
    from sentiment.predictor import Predictor

    page = build(Predictor(MODEL, params.threads))
    # System fonts, as the theme's own would be fetched from another host.
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    page.launch(server_port=port, theme=theme)


if __name__ == "__main__":
    run(main, "app")
