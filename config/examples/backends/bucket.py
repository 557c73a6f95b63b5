#!/usr/bin/env python3
"""A backend that makes buckets: each is a folder below $BUCKETS, with a file for each key that was handed out.

A request comes as JSON on standard input, the reply goes as JSON to standard output (config/backend.schema.json).
Exit codes: 0 done, 65 refused and nothing was done, 75 try again, any other failed. It is started with the
environment of the plan alone: BUCKETS. Python's own library is enough.

It may be called again for an operation that it has carried out, or was stopped in the middle of: each step can be done
twice, and what was answered once is answered again.
"""

import json
import os
import re
import secrets
import shutil
import sys
from pathlib import Path

REFUSED = 65


class Refused(Exception):
    """Not to be done, and nothing was; a sentence for the user."""


def checked(name):
    """Ids are any text, so never a path as they are."""
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise Refused("This service takes ids of letters, digits and - only.")
    return name


def write(path, text):
    """All of it or nothing: whoever is stopped in the middle leaves no half a file."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text)
    part.replace(path)


def progress(text):
    """For the user who waits; every other line on standard error is for the broker's log."""
    print(f"progress: {text}", file=sys.stderr, flush=True)


def there(bucket):
    if not bucket.is_dir():
        raise Refused("The bucket is not there.")


def settle(request, bucket):
    quota = (request["plan"]["values"] or {}).get("quota", 1)
    write(bucket / ".quota", f"{quota}\n")
    return {"outputs": {"bucket": str(bucket), "quota": quota}}


def provision(request, bucket):
    progress("making the bucket")
    (bucket / ".keys").mkdir(parents=True, exist_ok=True)
    return settle(request, bucket)


def update(request, bucket):
    there(bucket)
    return settle(request, bucket)


def deprovision(_, bucket):
    progress("emptying the bucket")
    shutil.rmtree(bucket, ignore_errors=True)
    if bucket.exists():
        raise OSError("the bucket cannot be removed")
    return {}


def bind(request, bucket):
    there(bucket)
    name = checked(request["binding"]["id"])
    key = bucket / ".keys" / name
    if not key.exists():
        write(key, secrets.token_hex(16))
    return {"outputs": {"access_key": name, "secret_key": key.read_text()}}


def unbind(request, bucket):
    (bucket / ".keys" / checked(request["binding"]["id"])).unlink(missing_ok=True)
    return {}


KINDS = {
    "provision": provision,
    "update": update,
    "deprovision": deprovision,
    "bind": bind,
    "unbind": unbind,
}


def answer(request):
    """The same answer for the same operation."""
    buckets = Path(os.environ["BUCKETS"])
    bucket = buckets / checked(request["instance"]["id"])
    done = buckets / ".done" / request["operation"]["id"]
    done.parent.mkdir(parents=True, exist_ok=True)
    if not done.exists():
        reply = KINDS[request["operation"]["kind"]](request, bucket)
        write(done, json.dumps(reply))
    return done.read_text()


def main():
    os.umask(0o077)
    try:
        print(answer(json.load(sys.stdin)))
    except Refused as refused:
        print(json.dumps({"description": str(refused)}))
        sys.exit(REFUSED)


main()
