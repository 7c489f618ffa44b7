"""A check for schemathesis, which finds it by SCHEMATHESIS_HOOKS: a route that asks for credentials refuses whoever shows
none, whatever else is right or wrong with the request.
"""

import schemathesis

REFUSALS = (401, 403)


@schemathesis.check
def credentials_are_demanded(ctx, response, case):
    security = case.operation.definition.raw["security"]
    is_asked_as_described = case.method.upper() == case.operation.method.upper()
    if security and is_asked_as_described and response.status_code not in REFUSALS:
        raise AssertionError(
            f"{case.operation.method.upper()} {case.operation.path} answers {response.status_code} without credentials")
