"""The other side of our Security Event Tokens: the PyPI package python-jose.

    security_event_tokens.py KEYS TOKENS ISSUER AUDIENCE

KEYS is a JWKS, TOKENS has one compact token a line. Prints a line for each token: its claims as JSON when the signature
verifies with the key that its header names and the claims are those of RFC 8417 for this issuer and audience; else
`refused` and why.
"""

import json
import sys

from jose import jwt
from jose.exceptions import JOSEError

EVENT = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"


def read(token, keys, issuer, audience):
    header = jwt.get_unverified_header(token)
    if header.get("typ") != "secevent+jwt":
        raise JOSEError("typ is not secevent+jwt")
    key = next((key for key in keys if key.get("kid") == header.get("kid")), None)
    if key is None or key.get("alg") != "RS256" or key.get("use") != "sig":
        raise JOSEError("no key of RS256 under this kid")
    claims = jwt.decode(
        token, key, algorithms=["RS256"], issuer=issuer, audience=audience,
        options={"require_iat": True, "require_jti": True, "require_iss": True, "require_aud": True})
    if "sub" in claims or "exp" in claims:
        raise JOSEError("sub or exp is there (RFC 8417 sections 2.2 and 4.5)")
    if list(claims["events"]) != [EVENT] or not isinstance(claims["txn"], str):
        raise JOSEError("events or txn")
    event = claims["events"][EVENT]
    if event["initiating_entity"] not in ("admin", "user", "policy", "system"):
        raise JOSEError("initiating_entity")
    if not 0 < event["event_timestamp"] <= claims["iat"]:
        raise JOSEError("event_timestamp")
    if claims["sub_id"]["format"] != "complex" or "session" not in claims["sub_id"]:
        raise JOSEError("sub_id")
    return claims


def main(keys, tokens, issuer, audience):
    with open(keys, encoding="utf-8") as text:
        keys = json.load(text)["keys"]
    with open(tokens, encoding="utf-8") as lines:
        for token in lines.read().split():
            try:
                print(json.dumps(read(token, keys, issuer, audience), ensure_ascii=False))
            except JOSEError as error:
                print("refused", str(error).replace("\n", " "))


if __name__ == "__main__":
    main(*sys.argv[1:])
