#!/usr/bin/env python3
"""A webhook for the broker, to begin your own with: Python's standard library alone.

    WEBHOOK_SECRET=... PORT=8080 python3 webhook.py

It makes databases that are none. What a real one keeps of it: check the signature before anything else, do nothing
twice for one Idempotency-Key, answer 202 with Location for what takes longer than a few seconds, and let a delete of
what is not there succeed. Put TLS before it: the broker sends no credentials unencrypted to another machine.
"""

import hashlib
import hmac
import json
import os
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["WEBHOOK_SECRET"].encode()
TOLERANCE = 300  # seconds that the clocks of the two may differ
LARGEST = 1024 * 1024

lock = threading.Lock()
databases = {}  # instance id -> plan id: a real one keeps these where a restart does not forget them
users = {}  # binding id -> user name
jobs = {}  # Idempotency-Key -> [when it is done, the answer]


class Refused(Exception):
    """What the user asked for cannot be had: its text is read by the user."""


def provision(told):
    parameters = told["instance"]["parameters"] or {}
    if parameters.get("size", 0) > 100:
        raise Refused("A database has 100 GB at most.")
    databases[told["instance"]["id"]] = told["plan"]["id"]
    return {"outputs": {"host": "db.example", "port": 5432}}


def update(told):
    databases[told["instance"]["id"]] = told["plan"]["id"]
    return {}


def deprovision(told):
    databases.pop(told["instance"]["id"], None)
    return {}


def bind(told):
    user = users.setdefault(told["binding"]["id"], "u" + secrets.token_hex(4))
    return {"outputs": {"username": user, "password": secrets.token_urlsafe(16)}}


def unbind(told):
    users.pop(told["binding"]["id"], None)
    return {}


ACTIONS = {f.__name__: f for f in (provision, update, deprovision, bind, unbind)}


def signed(header, body):
    """X-Broker-Signature: t=SECONDS,v1=HEX, the HMAC-SHA-256 of SECONDS, a dot and the body as it came."""
    parts = dict(part.split("=", 1) for part in (header or "").split(",") if "=" in part)
    seconds, given = parts.get("t", ""), parts.get("v1", "")
    if not seconds.isdecimal() or abs(time.time() - int(seconds)) > TOLERANCE:
        return False
    right = hmac.new(SECRET, seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), given.encode())


class Webhook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > LARGEST:
            self.close_connection = True
            return self.answer(413, {"description": "The request is too large."})
        body = self.rfile.read(length)
        if not signed(self.headers.get("X-Broker-Signature"), body):
            return self.answer(401, {})
        key = self.headers.get("Idempotency-Key", "")
        with lock:  # one at a time: two attempts at one operation may come at once
            if key not in jobs:
                try:
                    jobs[key] = self.begin(json.loads(body))
                except Refused as refused:
                    return self.answer(400, {"description": str(refused)})
        return self.tell(key)

    def do_GET(self):
        if not signed(self.headers.get("X-Broker-Signature"), b""):
            return self.answer(401, {})
        return self.tell(self.path.rpartition("/")[2])

    def begin(self, told):
        reply = ACTIONS[told["operation"]["kind"]](told)
        parameters = told["instance"]["parameters"] or {}
        return [time.time() + parameters.get("takes", 0), reply]

    def tell(self, key):
        if key not in jobs:
            return self.answer(404, {})
        done, reply = jobs[key]
        left = done - time.time()
        if left <= 0:
            return self.answer(200, reply)
        waiting = {"description": f"The database is being made, {left:.0f} s to go.", "retry_after": 1}
        return self.answer(202, waiting, {"Location": f"/jobs/{key}"})

    def answer(self, status, reply, headers=None):
        body = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Webhook)
    print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
