"""Verifies access tokens, one a line, with PyJWT, knowing only the issuer's address and the audience that they are for.

    echo "$token" | python3 test/interop/pyjwt.py http://localhost:4000 demo-api
"""

import json
import sys
from urllib.request import urlopen

import jwt

issuer, audience = sys.argv[1:]

with urlopen(f"{issuer}/.well-known/openid-configuration", timeout=5) as answer:
    metadata = json.load(answer)
if metadata["issuer"] != issuer:
    sys.exit(f"{issuer} calls itself {metadata['issuer']}")
if metadata["id_token_signing_alg_values_supported"] != ["ES256"]:
    sys.exit("this issuer does not sign with ES256")

keys = jwt.PyJWKClient(metadata["jwks_uri"])


def verify(token):
    # PyJWT leaves the type to its caller (RFC 9068, section 4).
    if jwt.get_unverified_header(token).get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("this is no access token")
    return jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token).key,
        algorithms=["ES256"],
        issuer=issuer,
        audience=audience,
        leeway=30,
        options={"require": ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "sid"]},
    )


refused = False
for token in sys.stdin.read().split():
    try:
        print(json.dumps(verify(token)))
    except jwt.PyJWTError as error:
        print(f"refused: {type(error).__name__}: {error}")
        refused = True
sys.exit(refused)
