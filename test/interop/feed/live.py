"""The Python verifier, live: reads {"id", "token"} a line and answers {"id", "code"}, `ok` or the code of the refusal.

    ISSUER=… AUDIENCE=… SERVICE_KEY=… MODE=required MAX_AGE=15 python3 test/interop/feed/live.py

A line {"id", "health": true} is answered with {"id", "health"}. It ends with its input.
"""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "packages/verifier-python"))

from mintmark_verifier import Refused, Verifier  # noqa: E402

env = os.environ
verifier = Verifier(
    env["ISSUER"],
    env["AUDIENCE"],
    env.get("SERVICE_KEY") or None,
    revocation=env.get("MODE", "preferred"),
    max_age=float(env.get("MAX_AGE", "15")),
)
for line in sys.stdin:
    asked = json.loads(line)
    answer = {"id": asked["id"]}
    if asked.get("health"):
        answer["health"] = verifier.health()
    else:
        try:
            verifier.verify(asked["token"])
            answer["code"] = "ok"
        except Refused as refused:
            answer["code"] = refused.code
    print(json.dumps(answer), flush=True)
verifier.close()
