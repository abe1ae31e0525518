"""The JSON API: predictions, their explanations, the model, and the health of the server."""

import asyncio
from collections.abc import Sequence
from itertools import compress
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from app.explanation import explain, parts_of, segments, variations
from app.problems import BODY_KINDS, Problem, ProblemBody, RefusedError
from app.service import Read, Service
from app.settings import MAX_CHARACTERS, MAX_TEXTS
from sentiment.metrics import as_written
from sentiment.model.decision import Decision
from sentiment.serving.predictor import Predictor

Score = Annotated[float, Field(ge=0, le=1, description="Calibrated probability of positive")]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemBody, "description": description}
    for status, description in (
        (400, "The body can't be read"),
        (413, "The body is too large"),
        (422, "A text or their number is beyond the limits, or the body is of another form"),
        (429, "This client sends too many requests"),
        (503, "Too many texts are waiting, or they were not read in time"),
    )
}


Decisive = Annotated[
    Decision,
    Field(
        description="A score from `threshold` on is positive. Between `low` and `high` a verdict is unsure: there the "
        "model was right less often than it was asked to be, on reviews that it had not learnt from"
    ),
]
# At least one character is not blank.
Text = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS, pattern=r"\S", examples=["A joy to watch."])]


class OneText(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: Text


class Texts(BaseModel):
    model_config = ConfigDict(extra="forbid")

    texts: Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS, examples=[["A joy.", "A bore."]])]


def _kind(body: Any) -> str:
    return ONE if isinstance(body, dict) and "texts" not in body else SEVERAL


ONE, SEVERAL = BODY_KINDS
# Chosen by its keys, so that errors are reported for the body that was meant.
Body = Annotated[Annotated[OneText, Tag(ONE)] | Annotated[Texts, Tag(SEVERAL)], Discriminator(_kind)]


class Prediction(BaseModel):
    sentiment: Literal["negative", "positive"]
    score: Score
    unsure: bool = Field(description="Whether the score lies in the model's zone of doubt, its `decision`")

    @classmethod
    def of(cls, score: float, decision: Decision) -> "Prediction":
        score = float(as_written(score))
        return cls(
            sentiment="positive" if decision.positive(score) else "negative",
            score=score,
            unsure=bool(decision.unsure(score)),
        )


class Verdict(Prediction):
    strange: bool = Field(
        description="Whether the text is spelled so unlike the training reviews that it may be of another language",
    )


class Predictions(BaseModel):
    model: str = Field(description="Identity of the model; equal models share it")
    decision: Decisive
    predictions: list[Verdict] = Field(description="One for each text, in their order")


class Word(BaseModel):
    text: str
    weight: float = Field(
        description="By how much the log odds of positive fall when it is left out, on average over variants of the "
        "text that lack other words too, less a margin for chance; 0 where its absence makes no clear difference"
    )


class Part(BaseModel):
    text: str
    prediction: Prediction


class Explanation(BaseModel):
    model: str
    prediction: Prediction
    words: list[Word] = Field(description="The whole text, cut into words or, where it is long, groups of words")
    parts: list[Part] = Field(
        description="A long text's parts, each read by itself; empty where the model reads it whole"
    )


class ModelFacts(BaseModel):
    model: str
    labels: list[str]
    max_length: int = Field(description="Tokens that the model reads of a text")
    head_share: float = Field(description="Share of them from a longer text's beginning; the rest are from its end")
    decision: Decisive
    card: str = Field(description="The model card, in Markdown")
    metrics: dict[str, Any] = Field(description="The pipeline's metrics, by file")


class State(BaseModel):
    status: Literal["ok"] = "ok"


def strange_ones(predictor: Predictor, texts: Sequence[str]) -> list[bool]:
    """Say of each text whether it is spelled unlike the training reviews."""
    return [predictor.strange(predictor.spell([text])) is not None for text in texts]


def build(service: Service) -> APIRouter:
    """Return the routes that read texts."""
    router = APIRouter(prefix="/v1")

    async def read(request: Request, texts: list[str], at_once: int = MAX_TEXTS) -> list[Read]:
        request.scope["logged"] = {"texts": len(texts)}
        batches = [texts[start : start + at_once] for start in range(0, len(texts), at_once)]
        async with asyncio.timeout(service.settings.seconds):
            return [one for batch in batches for one in await service.batcher.read(batch)]

    @router.post("/predict", responses=PROBLEMS, summary="Predict the sentiment of one text or several")
    async def predict(request: Request, body: Body) -> Predictions:
        texts = [body.text] if isinstance(body, OneText) else body.texts
        found = await read(request, texts)
        strange = await asyncio.to_thread(strange_ones, service.model.predictor, texts)
        verdicts = [
            Verdict(**Prediction.of(each.score, each.decision).model_dump(), strange=odd)
            for each, odd in zip(found, strange, strict=True)
        ]
        return Predictions(model=found[-1].model, decision=found[-1].decision, predictions=verdicts)

    @router.post("/explain", responses=PROBLEMS, summary="Show which words of a text carry its sentiment")
    async def explanation(request: Request, body: OneText) -> Explanation:
        text = body.text
        cut, parts = segments(text), parts_of(text, service.model.predictor)
        pieces = [text[piece] for piece in cut]
        kept = variations(len(pieces))
        variants = ["".join(compress(pieces, row)) for row in kept]
        # Few words have few variants. A batch at a time is queued, so that others get their turn.
        texts = list(dict.fromkeys([*variants, *(text[part] for part in parts)]))
        found = await read(request, texts, service.settings.batch)
        scores = dict(zip(texts, (each.score for each in found), strict=True))
        weights = explain(pieces, kept, [scores[variant] for variant in variants])
        decision = found[0].decision
        return Explanation(
            model=found[0].model,
            prediction=Prediction.of(scores[text], decision),
            words=[Word(text=piece, weight=weight) for piece, weight in zip(pieces, weights, strict=True)],
            parts=[Part(text=text[part], prediction=Prediction.of(scores[text[part]], decision)) for part in parts],
        )

    @router.get("/model", summary="Describe the served model")
    async def model() -> ModelFacts:
        served = service.model
        tokenize = served.predictor.preprocessing.tokenize
        return ModelFacts(
            model=served.identity,
            labels=served.predictor.labels,
            max_length=tokenize.max_length,
            head_share=tokenize.head_share,
            decision=served.predictor.decision,
            card=served.card,
            metrics=served.metrics,
        )

    return router


def health(service: Service) -> APIRouter:
    """Return the routes for load balancers and Prometheus."""
    router = APIRouter()

    @router.get("/healthz", summary="Check that the process is alive")
    async def healthz() -> State:
        return State()

    @router.get("/readyz", summary="Check that requests are accepted", responses={503: {"model": ProblemBody}})
    async def readyz() -> State:
        if not service.ready:
            problem = Problem(
                code="not_ready", message="the server is starting or stopping", change="ask again in a moment"
            )
            raise RefusedError(503, problem, 1)
        return State()

    @router.get("/metrics", summary="Report the metrics, for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router
