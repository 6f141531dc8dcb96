"""Drives the Python verifier through vectors of the feed: prints for each file its title, steps, and what went wrong.

    python3 test/interop/feed/vectors.py test/vectors/feed/*.json
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "packages/verifier-python"))

from mintmark_verifier import Core, Refused  # noqa: E402


def verdict(core, step):
    try:
        core.judge(step["token"], step["at"], step["mono"])
        return "ok"
    except Refused as refused:
        return refused.code


def fault(core, step):
    """What a step says that the verifier does not do, or None."""
    if "token" in step:
        said = verdict(core, step)
        return None if said == step["verdict"] else f"{said}, not {step['verdict']}"
    if "jwksAnswer" in step:
        return None if core.set_keys(step["jwksAnswer"], step["position"], step["mono"]) else "no JWK Set"
    outcomes = [core.apply(line, step["sentMono"], step["at"]) for line in step["answer"].split("\n")]
    if all(outcome == "accepted" for outcome in outcomes) != step["accepted"]:
        return f"{outcomes}, not {step['accepted']}"
    for name, held in (("cursor", core.after()), ("generation", core.generation)):
        if step.get(name, held) != held:
            return f"{outcomes}: {name} {held}, not {step[name]}"
    return None


for path in sys.argv[1:]:
    case = json.loads(pathlib.Path(path).read_text())
    core = Core(case["issuer"], case["audience"], case["mode"], case["maxAgeSeconds"])
    core.set_keys(case["jwks"], None, case["steps"][0]["mono"])
    faults = [f"{index}: {found}" for index, step in enumerate(case["steps"]) if (found := fault(core, step))]
    print(json.dumps({"title": case["title"], "steps": len(case["steps"]), "faults": faults}))
