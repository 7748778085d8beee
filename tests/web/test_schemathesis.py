"""The API keeps to its own document: requests made up from it meet no fault of ours and no undocumented answer."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.core.access import PERMISSIONS
from app.main import create_app
from app.web.openapi import complete
from tests.support.callers import log_in, make_user

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
DOCUMENT = complete(create_app())
FOUND = list(schemathesis.openapi.from_dict(DOCUMENT).get_all_operations())
OPERATIONS = {
    operation.label: operation
    for operation in (found.ok() for found in FOUND if isinstance(found, Ok))
    if operation.label != "GET /ready"  # answers 503 by design while no worker runs
}
assert all(isinstance(found, Ok) for found in FOUND)
CASES = [
    pytest.param(label, mode, id=f"{label} {mode.value}")
    for label, operation in sorted(OPERATIONS.items())
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode.is_positive or operation.definition.raw.keys() & {"parameters", "requestBody"}
]


@pytest.fixture
async def token(database: None) -> str:
    """Return the token of somebody who may do everything."""
    user_id = await make_user("explorer", PERMISSIONS)
    tokens = await log_in(user_id)
    return tokens.access_token


@pytest.mark.parametrize(("label", "mode"), CASES)
def test_the_api_answers_as_documented(server_url: str, token: str, label: str, mode: GenerationMode) -> None:
    @settings(
        max_examples=10,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    def check(case: Case[Any]) -> None:
        response = case.call(base_url=server_url, headers={"Authorization": f"Bearer {token}"})
        case.validate_response(response, checks=CHECKS)

    check()
