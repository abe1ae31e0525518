"""The page: a box for a review, the verdict and its confidence beside it while one types."""

import gradio as gr

from sentiment.predictor import Predictor
from sentiment.reviews import LABELS, MAX_CHARACTERS

EXAMPLES = [
    "I went in expecting nothing and came out grinning. The two leads are a joy to watch.",
    "Two hours of people walking down corridors. I have seen livelier car parks.",
    "The hotel had a lovely pool, but the room was dirty and nobody cared when we told them.",
]


def verdict(predictor: Predictor, review: str) -> dict[str, float] | None:
    """Return each label's probability, or None where there is nothing to read."""
    if not review.strip():
        return None
    (positive,) = predictor.score_texts([review])
    return {LABELS[1]: float(positive), LABELS[0]: float(1 - positive)}


def build(predictor: Predictor) -> gr.Blocks:
    """Return the page, to be launched."""

    def answer(review: str) -> dict[str, float] | None:
        return verdict(predictor, review)

    with gr.Blocks(title="Sentiment of reviews", analytics_enabled=False) as page:
        gr.Markdown("# Sentiment of reviews\nType or paste a review; the verdict follows as you type.")
        with gr.Row():
            review = gr.Textbox(label="Review", lines=8, max_length=MAX_CHARACTERS, autofocus=True)
            result = gr.Label(label="Sentiment", show_label=True)
        gr.Examples(EXAMPLES, review)
        gr.on([review.change, review.submit], answer, review, result, trigger_mode="always_last", api_name="predict")
    return page
