"""Verifies Mintmark's access tokens with PyJWT, and follows its revocation feed (docs/feed.md).

    verifier = Verifier("https://id.example.com", "orders-api", service_key, revocation="required")
    claims = verifier.verify(token)  # or Refused, with a code

`Core` has the rules: times and answers are given to it. `Verifier` has the threads and the requests.
"""

import contextlib
import hashlib
import http.client
import json
import math
import random
import re
import secrets
import socket
import threading
import time
from urllib.parse import urlencode, urlsplit

import jwt
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_decode, base64url_encode

__all__ = ["Core", "Refused", "Verifier"]

LEEWAY, LONGEST_LIFETIME, LAST_GOOD_KEYS, SHIFT_SECONDS = 30, 900, 3600, 495
MOST_DEAD, MOST_ANSWER, SAFE = 10_000, 4 * 1024 * 1024, 2**53
COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]")
HANDLE = re.compile(r"[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]")
DIGEST = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
CURSOR = re.compile(rf"0\.|[1-9][0-9]{{0,14}}\.{HANDLE.pattern}")
POSITION = re.compile(r"[0-9]{1,16}\.[0-9]{1,16}")
ISSUER = re.compile(r"https://[^/?#]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?")


class Refused(Exception):
    """Why not: `code` is for your log; `retry_after`, in seconds, comes with an outage, which is a 503."""

    def __init__(self, code):
        super().__init__(code)
        self.code, self.retry_after = code, 5 if code in ("keys_unavailable", "revocation_unknown") else None


def _decode(part):
    try:
        return base64url_decode(part)
    except ValueError:
        return b""


def _handle(identifier):
    """The first 8 bytes of a decoded identifier."""
    return base64url_encode(_decode(identifier)[:8]).decode()


def _strict_object(data):
    """One JSON object in UTF-8, each member once, 8 deep at most; None for anything else."""

    def once(members):
        if len(dict(members)) < len(members):
            raise ValueError("a member twice")
        return dict(members)

    def depth(value):
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if items is None else 1 + max(map(depth, items), default=0)

    try:
        # int refuses NaN and Infinity, and encode half a surrogate pair.
        found = json.loads(data.decode(), object_pairs_hook=once, parse_constant=int)
        json.dumps(found, ensure_ascii=False).encode()
        return found if isinstance(found, dict) and depth(found) <= 8 else None
    except (ValueError, RecursionError):
        return None


def _is(form, value):
    return isinstance(value, str) and form.fullmatch(value) is not None


def _is_count(value):
    return type(value) is int and 0 <= value < SAFE


def _are_handles(value):
    return isinstance(value, list) and len(value) <= MOST_DEAD and all(_is(HANDLE, item) for item in value)


def _number(cursor):
    return int(cursor.split(".")[0])


def _require(fine, code):
    if not fine:
        raise Refused(code)


def _read_keys(document):
    """The keys of a JWK Set that sign access tokens, by their kid."""
    listed, keys = (document or {}).get("keys"), {}
    for jwk in listed if isinstance(listed, list) else ():
        get = jwk.get if isinstance(jwk, dict) else {}.get
        signs = [get(name) for name in ("kty", "crv", "alg", "use")] == ["EC", "P-256", "ES256", "sig"]
        if signs and _is(DIGEST, get("kid")):
            with contextlib.suppress(jwt.PyJWTError, ValueError, TypeError):  # no point of the curve
                keys[get("kid")] = ECAlgorithm.from_jwk(json.dumps(jwk))
    return keys


class Core:
    """What a verifier holds, and the rules. In seconds: `mono` and `sent` monotonic, `wall` since 1970."""

    def __init__(self, issuer, audience, mode="preferred", max_age=15):
        self.issuer, self.audience, self.mode, self.max_age = issuer, audience, mode, max_age
        self.keys, self.keys_at, self.jwks = {}, -math.inf, ""
        self.dead_keys = {}  # kid: (generation, number) of its kill
        self.last_message, self._asof, self._lock = None, -math.inf, threading.Lock()
        self.wants_keys = None  # "now" or "soon": what `apply` asks of its caller, who sets it back
        self._reload(None)
        self.judged, self.judged_generation = self._sets, math.inf  # of before, while a reload goes on

    def set_keys(self, document, position, mono):
        """`position` is the header Mintmark-Feed of the answer, or None. False: this is no list of ours."""
        keys = _read_keys(document)
        at = tuple(map(int, position.split("."))) if _is(POSITION, position) else (-1, -1)
        with self._lock:
            if keys:
                self.keys, self.keys_at = keys, mono
                self.jwks = base64url_encode(hashlib.sha256("".join(sorted(keys)).encode()).digest()).decode()
            for kid in [kid for kid, killed in self.dead_keys.items() if kid in keys and killed <= at]:
                del self.dead_keys[kid]
        return bool(keys)

    def fork(self):
        """The service does not know our cursor."""
        self.forked, self._asks_own, self._sent = True, True, -math.inf

    def after(self):
        """What the next request asks for."""
        return "" if self.forked else self.cursor

    def age(self, wall, mono):
        return max(mono - self._sent, wall - self._asof - 30)

    def _reload(self, generation):
        """From the beginning, beside the sets that are there."""
        self._sets, self._shifted, self._sent = [set(), set(), set()], -math.inf, -math.inf
        self.generation, self.cursor, self.forked, self._asks_own = generation, "", False, False

    def _open(self, jws, typ, longest):
        """The kid of a JWS that a key of ours has signed, and its payload."""
        _require(_is(COMPACT, jws) and len(jws) <= longest, "malformed")
        header = _strict_object(_decode(jws.split(".")[0])) or {}
        _require(len(header) == 3 and _is(DIGEST, header.get("kid")), "header")
        _require(header.get("alg") == "ES256", "algorithm")
        _require(header.get("typ") == typ, "type")
        key = self.keys.get(header["kid"])
        _require(key, "unknown_key")
        try:
            return header["kid"], _strict_object(jwt.PyJWS().decode(jws, key, ["ES256"])) or {}
        except (jwt.PyJWTError, ValueError):
            raise Refused("signature") from None

    def apply(self, line, sent, wall):
        """One message: "accepted", or why it was not."""
        try:
            kid, message = self._open(line, "mintmark-feed+jwt", MOST_ANSWER)
        except Refused as refused:
            if refused.code == "unknown_key":
                self.wants_keys = "now"
            return refused.code
        if not self._is_message(message.get):
            return "form"
        if message["asof"] > wall + 60:
            return "clock"
        with self._lock:
            return self._accept(message, line, kid, sent)

    def _is_message(self, get):
        ours = get("iss") == self.issuer and get("aud") == f"{self.issuer}/v1/feed"
        times = all(type(get(name)) in (int, float) and 0 <= get(name) < SAFE for name in ("exp", "asof"))
        cursors = _is(CURSOR, get("from")) and _is(CURSOR, get("to"))
        rest = _is_count(get("gen")) and isinstance(get("more"), bool) and _is(DIGEST, get("jwks"))
        return ours and times and cursors and rest and _are_handles(get("dead"))

    def _accept(self, message, line, kid, sent):
        """In the order of docs/feed.md."""
        generation, asof, more = message["gen"], message["asof"], message["more"]
        first, last, dead = message["from"], message["to"], set(message["dead"])
        if kid in self.dead_keys:
            return "dead_key"
        killed = [one for one in self.keys if one not in self.dead_keys and _handle(one) in dead]
        if killed:
            self.dead_keys.update((one, (generation, _number(last))) for one in killed)
            self.wants_keys, self._asof = "now", -math.inf
            self._reload(None)
            if kid in killed:
                return "dead_key"
        if self.generation is not None and generation < self.generation:
            return "generation"
        if self.generation is not None and generation > self.generation:
            self._reload(generation)
        mine = self.cursor or "0."
        if self.forked and first != mine:
            return "forked"
        if not _number(first) <= _number(mine) <= _number(last):
            return "gap"
        if any(_number(one) == _number(mine) and one != mine for one in (first, last)):
            self.fork()
            return "fork"
        if not more and asof <= self._asof:
            return "replay"
        self.generation, self.cursor, self.forked, self.last_message = generation, last, False, line
        if asof - self._shifted >= SHIFT_SECONDS:
            self._sets[:], self._shifted = [set(), *self._sets[:2]], asof
        self._sets[0].update(dead)
        if not more:
            self.judged, self.judged_generation, self._asof, self._sent = self._sets, generation, asof, sent
        if message["jwks"] != self.jwks:
            self.wants_keys = self.wants_keys or "soon"
        return "accepted"

    def judge(self, token, wall, mono):
        """The claims, or Refused."""
        kid, claims = self._open(token, "at+jwt", 16_384)
        _require(mono - self.keys_at < LAST_GOOD_KEYS, "keys_unavailable")
        issued, expires, rev = claims.get("iat"), claims.get("exp"), claims.get("rev", [0])
        texts = [claims.get(name) for name in ("sub", "sid", "client_id", "jti")]
        _require(all(isinstance(text, str) and text for text in texts), "claims")
        _require(_is_count(issued) and _is_count(expires) and expires - issued <= LONGEST_LIFETIME, "claims")
        _require(isinstance(rev, list) and rev and _is_count(rev[0]) and _are_handles(rev[1:]), "claims")
        _require(claims.get("iss") == self.issuer, "issuer")
        _require(claims.get("aud") == self.audience, "audience")
        _require(issued <= wall + LEEWAY, "not_yet_valid")
        _require(wall < expires + LEEWAY, "expired")
        if self.mode != "off":
            with self._lock:
                self._judge_revocation(claims, kid, wall, mono)
        return claims

    def _judge_revocation(self, claims, kid, wall, mono):
        generation, *handles = claims.get("rev", [None])
        # What an earlier generation has killed may be alive in a later one, but for keys.
        unheard = generation is not None and generation > self.judged_generation
        handles = [_handle(kid)] if unheard else [_handle(kid), _handle(claims["sid"]), *handles]
        dead = kid in self.dead_keys or any(one in some for some in self.judged for one in handles)
        old = generation is not None and self.generation is not None and generation < self.generation
        unbound = generation is None and self.mode == "required"
        _require(not (dead or old or unbound), "stale_token")
        fresh = not unheard and self.age(wall, mono) <= self.max_age
        _require(self.mode != "required" or fresh, "revocation_unknown")


def _cut(sock):
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _exchange(address, seconds, headers, body=None):
    """One request, bounded in time and size. A redirection is an answer like any other."""
    url = urlsplit(address)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection, until = kind(url.hostname, url.port, timeout=seconds), time.monotonic() + seconds
    connection.connect()
    # The timeout of a socket begins again with every byte.
    timer = threading.Timer(until - time.monotonic(), _cut, [connection.sock])
    timer.daemon = True
    timer.start()
    try:
        path = url._replace(scheme="", netloc="").geturl()
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        data = answer.read(MOST_ANSWER + 1)
        if len(data) > MOST_ANSWER:
            raise ValueError("too_large")
        return answer.status, answer.headers, data
    finally:
        timer.cancel()
        connection.close()


class Verifier(Core):
    """Follows keys and feed in a thread of its own, until `close()`."""

    def __init__(self, issuer, audience, service_key=None, revocation="preferred", max_age=15):
        super().__init__(issuer, audience, revocation, max_age)
        if revocation not in ("preferred", "required", "off"):
            raise ValueError("revocation must be preferred, required or off")
        if not ISSUER.fullmatch(issuer):
            raise ValueError("issuer must be an https origin (http is allowed on loopback)")
        self._feed, self._id = f"{issuer}/v1/feed", secrets.token_urlsafe(12)
        self._bearer = {"Authorization": f"Bearer {service_key}"} if service_key else {}
        self._fetching, self._closed, self._loaded = threading.Lock(), threading.Event(), threading.Event()
        self._fault, self._failures, self._reported = None, 0, False
        self._keys_fault, self._keys_failures, self._keys_began, self._keys_due = None, 0, -math.inf, math.inf
        threading.Thread(target=self._run, daemon=True).start()

    def verify(self, token):
        """The claims of a token that is valid now, or Refused."""
        try:
            return self.judge(token, time.time(), time.monotonic())
        except Refused as refused:
            if refused.code not in ("unknown_key", "keys_unavailable"):
                raise
        self._fetch_keys()
        try:
            return self.judge(token, time.time(), time.monotonic())
        except Refused as refused:
            outage = refused.code == "unknown_key" and (self._keys_fault or not self.keys)
            raise Refused("keys_unavailable" if outage else refused.code) from None

    def ready(self, timeout=10):
        """Waits for keys and the whole feed. A service may start without: see `health`."""
        return self._loaded.wait(timeout)

    def health(self):
        age = self.age(time.time(), time.monotonic())
        feed = {"age": age if age < math.inf else None, "forked": self.forked, "fault": self._fault}
        feed |= {"generation": self.generation, "cursor": self.cursor, "entries": sum(map(len, self.judged))}
        return {"mode": self.mode, **feed, "keys": len(self.keys), "keys_fault": self._keys_fault}

    def close(self):
        self._closed.set()

    def _fetch_keys(self):
        """One at a time, and none within five seconds: strangers choose the kid."""
        with self._fetching:
            if time.monotonic() - self._keys_began < 5 or self._closed.is_set():
                return
            self._keys_began = time.monotonic()
            # At once: what a message asks for meanwhile is not forgotten.
            self._keys_due = self._keys_began + random.uniform(180, 270)
            try:
                metadata, _ = self._document(f"{self.issuer}/.well-known/oauth-authorization-server")
                uri = str(metadata.get("jwks_uri"))
                if metadata.get("issuer") != self.issuer or not uri.startswith(f"{self.issuer}/"):
                    raise ValueError("metadata")
                if not self.set_keys(*self._document(uri), self._keys_began):
                    raise ValueError("key_set")
                self._keys_fault, self._keys_failures = None, 0
            except Exception as error:  # an outage has many names
                self._keys_fault, self._keys_failures = repr(error), self._keys_failures + 1
                longest = min(60, 5 * 2 ** min(self._keys_failures, 4))
                self._keys_due = self._keys_began + random.uniform(5, longest)

    def _document(self, address):
        status, headers, data = _exchange(address, 5, {"Cache-Control": "no-cache"})
        document = _strict_object(data)
        if status != 200 or document is None:
            raise ValueError(f"status {status}, and no document")
        return document, headers.get("Mintmark-Feed")

    def _run(self):
        while not self._closed.is_set():
            if not self.keys:
                self._fetch_keys()
            elif time.monotonic() >= self._keys_due:
                threading.Thread(target=self._fetch_keys, daemon=True).start()
            try:
                self._fault, pause = self._poll() if self.mode != "off" else (None, 1)
            except Exception as error:  # whatever comes in, the thread goes on
                self._fault, pause = repr(error), 0
            self._failures = self._failures + 1 if self._fault else 0
            if self._fault:
                pause = max(pause, random.uniform(0, min(10, 2 ** min(self._failures, 4))))
            if self.keys and (self.mode == "off" or self.age(0, 0) < math.inf):
                self._loaded.set()
            self._closed.wait(pause)

    def _poll(self):
        """What is wrong, if anything, and the seconds until the next request."""
        before, sent = self.after(), time.monotonic()
        # During a fork, every second request asks with the own cursor.
        self._asks_own = self.forked and not self._asks_own
        after = self.cursor if self._asks_own else before
        query = urlencode({"after": after, "wait": 3, "v": self._id, "jwks": self.jwks})
        status, headers, data = _exchange(f"{self._feed}?{query}", 8, self._bearer)
        if status == 409 and after:
            self.fork()
            return self._poll()
        if status != 200:
            seconds = headers.get("Retry-After", "")
            return f"status {status}", min(int(seconds), 30) if re.fullmatch("[0-9]{1,4}", seconds) else 0
        outcomes = [self.apply(line, sent, time.time()) for line in data.decode().split()]
        if self.wants_keys:
            due = time.monotonic() + (random.uniform(0, 10) if self.wants_keys == "soon" else 0)
            self._keys_due, self.wants_keys = min(self._keys_due, max(self._keys_began + 10, due)), None
        self._reported = self._reported and self.forked
        if "forked" in outcomes and self.last_message and not self._reported:
            headers = {**self._bearer, "Content-Type": "text/plain"}
            _exchange(f"{self._feed}/fork", 8, headers, self.last_message)
            self._reported = True
        if self.after() != before:
            return None, 0
        if "accepted" in outcomes:
            return None, max(0, 0.25 - (time.monotonic() - sent))
        return ", ".join(sorted(set(outcomes))) or "empty", 0
