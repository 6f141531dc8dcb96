"""Verifies tokens, one a line, with python-jose, which compares no type and asks for no claim that is not there.

    echo "$token" | python3 test/interop/lenient.py http://localhost:4000 demo-api
"""

import json
import sys
from urllib.request import urlopen

from jose import jwt

issuer, audience = sys.argv[1:]
with urlopen(f"{issuer}/.well-known/jwks.json", timeout=5) as answer:
    keys = json.load(answer)

refused = False
for token in sys.stdin.read().split():
    try:
        print(json.dumps(jwt.decode(token, keys, algorithms=["ES256"], issuer=issuer, audience=audience)))
    except jwt.JWTError as error:
        print(f"refused: {type(error).__name__}: {error}")
        refused = True
sys.exit(refused)
