#!/usr/bin/env bash
# The long proofs, whole: what `.ci/run` runs in small, some thousand times, and the store with a million instances.
#
#   tests/long.sh             all of it: about three quarters of an hour on 2 cores
#   tests/long.sh machine     one part; parts are machine, lives, fuzz, kills, size
#
#   machine  random lives of all calls, repeats and mistakes with kills in between, against a model (MACHINE=5000)
#   lives    the same of plans that take time, with a clock that the sequence moves, on sqlite and half as many on
#            PostgreSQL (LIVES=3000)
#   fuzz     good catalogs with mistakes at random: findings or a catalog, never a panic (FUZZ=100000)
#   kills    32 clients, the broker killed under their load six times a round: what was answered is there (KILLS=50)
#   size     provision and fetch with 1,000,000 instances stored against 1,000
#
# Prints the figures of each part, and ends with an error at the first proof that fails, or that was not there to run.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never

# One test by its whole name; its figures are printed, and that it ran at all is seen to.
prove() {
  local target=$1 name=$2 said
  said=$(cargo test --locked --quiet --test "$target" -- --exact "$name" --nocapture 2>&1) || {
    echo "$said"
    exit 1
  }
  grep -q '^test result: ok. 1 passed' <<<"$said" || {
    echo "tests/long.sh: there is no test $name" >&2
    exit 1
  }
  grep -E 'sequences of|accepted, | -> |finished in' <<<"$said" || true
}

machine() {
  PROPTEST_CASES=${MACHINE:-5000} prove api machine::random_lives_go_as_the_model_says
}

lives() {
  local store
  for store in sqlite postgres; do
    PROPTEST_CASES=${LIVES:-3000} prove lives "lives_on_${store}_go_as_the_model_says"
  done
}

# Eight documents a case.
fuzz() {
  PROPTEST_CASES=$((${FUZZ:-100000} / 8)) prove fuzz a_catalog_with_mistakes_is_refused_or_published_as_platforms_take_it
}

kills() {
  local round
  for ((round = 1; round <= ${KILLS:-50}; round++)); do
    prove api store::what_was_answered_is_there_after_kills_under_load >/dev/null
  done
  echo "${KILLS:-50} rounds of 6 kills under load: nothing lost, nothing by half"
}

size() {
  cargo bench --locked --quiet -- size
}

parts=("$@")
((${#parts[@]})) || parts=(machine lives fuzz kills size)
for part in "${parts[@]}"; do
  case $part in
    machine | lives | fuzz | kills | size) ;;
    *)
      echo "tests/long.sh: no part is called $part; there are machine, lives, fuzz, kills, size" >&2
      exit 2
      ;;
  esac
done
for part in "${parts[@]}"; do
  echo "== $part"
  began=$SECONDS
  "$part"
  echo "$part took $((SECONDS - began)) s"
done
