"""A check for schemathesis, which finds it by SCHEMATHESIS_HOOKS: a route that asks for credentials refuses whoever shows
none, whatever else is right or wrong with the request.
"""

import schemathesis

REFUSALS = {401, 403}
# Where the credential is a proof of possession, its lack is an error of the request (RFC 9449 section 5).
REFUSALS_OF_PROOFS = REFUSALS | {400}


@schemathesis.check
def credentials_are_demanded(ctx, response, case):
    security = case.operation.definition.raw["security"]
    is_asked_as_described = case.method.upper() == case.operation.method.upper()
    refusals = REFUSALS_OF_PROOFS if security == [{"dpop": []}] else REFUSALS
    if security and is_asked_as_described and response.status_code not in refusals:
        raise AssertionError(
            f"{case.operation.method.upper()} {case.operation.path} answers {response.status_code} without credentials")
