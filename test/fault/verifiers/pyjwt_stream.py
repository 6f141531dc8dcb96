"""Verifies a token a line with PyJWT and its own JWKS client, and says `ok` or why not.

    python3 pyjwt_stream.py <jwks address> <issuer> <audience> <how old a list may be, in seconds>
"""

import sys

import jwt

jwks, issuer, audience, lifespan = sys.argv[1:]
client = jwt.PyJWKClient(jwks, cache_keys=False, lifespan=float(lifespan))

for line in sys.stdin:
    token = line.strip()
    try:
        key = client.get_signing_key_from_jwt(token)
        jwt.decode(token, key.key, algorithms=["ES256"], issuer=issuer, audience=audience, leeway=3)
        print("ok", flush=True)
    except jwt.PyJWTError as error:
        print(f"{type(error).__name__}: {error}".replace("\n", "; "), flush=True)
