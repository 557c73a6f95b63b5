#!/bin/sh
# A backend that makes buckets: each is a folder below $BUCKETS, with a file for each key that was handed out.
#
# A request comes as JSON on standard input, the reply goes as JSON to standard output (config/backend.schema.json).
# Exit codes: 0 done, 65 refused and nothing was done, 75 try again, any other failed. It is started with the
# environment of the plan alone: BUCKETS, and PATH for the tools it calls (jq among them).
#
# It may be called again for an operation that it has carried out, or was stopped in the middle of: each step can be
# done twice, and what was answered once is answered again.
set -eu
umask 077

request=$(cat)

# A field of the request; ends the program where it is not there.
field() {
  printf '%s' "$request" | jq -er "$1"
}

# The reply, and the end. Kept first, so that the same operation gets the same answer.
reply() {
  printf '%s\n' "$1" >"$done.part"
  mv "$done.part" "$done"
  cat "$done"
  exit 0
}

refuse() {
  jq -n --arg why "$1" '{description: $why}'
  exit 65
}

# Ids are any text, so never a path as they are.
checked() {
  case $1 in
    *[!A-Za-z0-9-]*) refuse "This service takes ids of letters, digits and - only." ;;
  esac
  printf '%s' "$1"
}

quota() {
  field '.plan.values.quota // 1' >"$bucket/.quota"
  reply "$(jq -n --arg bucket "$bucket" --slurpfile quota "$bucket/.quota" \
    '{outputs: {bucket: $bucket, quota: $quota[0]}}')"
}

operation=$(field .operation.id)
kind=$(field .operation.kind)
instance=$(field .instance.id)
instance=$(checked "$instance") || { printf '%s\n' "$instance"; exit 65; }
bucket=$BUCKETS/$instance

mkdir -p "$BUCKETS/.done"
done=$BUCKETS/.done/$operation
if [ -f "$done" ]; then
  cat "$done"
  exit 0
fi

case $kind in
  provision)
    echo "progress: making the bucket" >&2
    mkdir -p "$bucket/.keys"
    quota
    ;;
  update)
    [ -d "$bucket" ] || refuse "The bucket is not there."
    quota
    ;;
  deprovision)
    echo "progress: emptying the bucket" >&2
    rm -rf "$bucket"
    reply '{}'
    ;;
esac

binding=$(field .binding.id)
binding=$(checked "$binding") || { printf '%s\n' "$binding"; exit 65; }
key=$bucket/.keys/$binding

case $kind in
  bind)
    [ -d "$bucket" ] || refuse "The bucket is not there."
    if [ ! -f "$key" ]; then
      od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$key.$operation"
      mv "$key.$operation" "$key"
    fi
    reply "$(jq -n --arg id "$binding" --rawfile secret "$key" '{outputs: {access_key: $id, secret_key: $secret}}')"
    ;;
  unbind)
    rm -f "$key"
    reply '{}'
    ;;
esac

echo "no operation that this program knows: $kind" >&2
exit 1
