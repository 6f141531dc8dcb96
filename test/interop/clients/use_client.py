"""Uses the client that openapi-python-client generates: prints, as JSON, what each call answered and of which type."""

import json
import sys

from mintmark import AuthenticatedClient, Client
from mintmark.api.admin import create_tenant, list_users
from mintmark.api.session import sign_in, sign_out, who_am_i
from mintmark.api.token import mint_token
from mintmark.models import CreateTenantRequest, MintTokenRequest, SignInRequest

issuer, email, password, key = sys.argv[1:]
header = {"X-Mintmark": "1"}
anyone = Client(base_url=issuer, headers=header)


def kind(value):
    return type(value).__name__


def problem(value):
    return {
        "type": kind(value),
        "code": str(value.code),
        "status": value.status,
        "faults": [[kind(one), one.pointer, one.detail] for one in value.errors or []],
    }


refused = sign_in.sync(client=anyone, body=SignInRequest(email=email, password="not the password"))
signed_in = sign_in.sync_detailed(client=anyone, body=SignInRequest(email=email, password=password))
# Python's cookie jars send no Secure cookie over http, which the service here is reached by.
cookie = signed_in.headers["set-cookie"].split(";")[0]
me = Client(base_url=issuer, headers=header | {"Cookie": cookie})

who = who_am_i.sync(client=me)
token = mint_token.sync(client=me, body=MintTokenRequest(client_id="mintmark"))
left = sign_out.sync_detailed(client=me)
gone = who_am_i.sync(client=me)

service = AuthenticatedClient(base_url=issuer, token=key)
users = list_users.sync(client=service, email=email)
malformed = list_users.sync(client=service, limit="0")
tenant = create_tenant.sync(client=service, body=CreateTenantRequest(name="Acme"))

print(
    json.dumps(
        {
            "refused": problem(refused),
            "signedIn": {"type": kind(signed_in.parsed), "user": signed_in.parsed.user.id},
            "who": {"type": kind(who), "email": who.user.email, "profile": kind(who.user)},
            "token": {"type": kind(token), "sub": token.sub, "jwt": token.access_token},
            "left": int(left.status_code),
            "gone": problem(gone),
            "users": {
                "type": kind(users),
                "items": [[kind(one), one.id, one.email] for one in users.items],
                "createdAt": users.items[0].created_at,
            },
            "malformed": problem(malformed),
            "tenant": {"type": kind(tenant), "name": tenant.name, "role": kind(tenant.roles[0])},
        }
    )
)
