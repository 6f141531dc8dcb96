"""Verifies an access token with PyJWT, knowing only the issuer's address and the audience that it is meant for.

    echo "$token" | python3 test/interop/pyjwt.py http://localhost:4000 demo-api
"""

import json
import sys
from urllib.request import urlopen

import jwt

issuer, audience = sys.argv[1:]
token = sys.stdin.read().strip()

with urlopen(f"{issuer}/.well-known/openid-configuration", timeout=5) as answer:
    metadata = json.load(answer)
if metadata["issuer"] != issuer:
    sys.exit(f"{issuer} calls itself {metadata['issuer']}")
if metadata["id_token_signing_alg_values_supported"] != ["ES256"]:
    sys.exit("this issuer signs with something else than ES256")

# PyJWT leaves the type to its caller (RFC 9068, section 4).
if jwt.get_unverified_header(token).get("typ") != "at+jwt":
    sys.exit("this is no access token")

try:
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token,
        key.key,
        algorithms=["ES256"],
        issuer=issuer,
        audience=audience,
        leeway=30,
        options={"require": ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "sid", "auth_time"]},
    )
except jwt.PyJWTError as error:
    sys.exit(f"refused: {type(error).__name__}: {error}")
print(json.dumps(claims, indent=2))
