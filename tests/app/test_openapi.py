"""The API is what its OpenAPI description says, for requests that fit it and for requests that don't."""

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode

OPERATIONS = ["POST /v1/predict", "POST /v1/explain", "GET /v1/model"]


@pytest.fixture(scope="module")
def schema(client: TestClient) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_asgi("/api/openapi.json", client.app)


def test_every_operation_is_tried(schema: schemathesis.BaseSchema) -> None:
    assert [operation.ok().label.replace("/api", "") for operation in schema.get_all_operations()] == OPERATIONS


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *((operation, GenerationMode.POSITIVE) for operation in OPERATIONS),
        # The last takes nothing, so that nothing unfit can be asked of it.
        *(pytest.param(operation, GenerationMode.NEGATIVE, marks=pytest.mark.slow) for operation in OPERATIONS[:2]),
    ],
)
def test_every_answer_is_one_that_the_description_allows(
    schema: schemathesis.BaseSchema, name: str, mode: GenerationMode
) -> None:
    method, path = name.split()
    operation = schema[path][method]

    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def try_it(case: Case) -> None:
        case.call_and_validate()

    try_it()
