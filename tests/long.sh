#!/usr/bin/env bash
# The long proofs, whole: what `.ci/run` runs in small, some thousand times, and the store with a million instances.
#
#   tests/long.sh             all of it: about an hour and a half on 2 cores
#   tests/long.sh machine     one part; parts are machine, lives, fuzz, edits, kills, reload, sql, kill-sqlite, kill-postgres,
#                             kill-database, kill-logins, kill-logins-postgres, kill-server, bad, size
#
#   machine  random lives of all calls, repeats and mistakes with kills in between, against a model (MACHINE=5000)
#   lives    the same of plans that take time, with a clock that the sequence moves, on sqlite and half as many on
#            PostgreSQL (LIVES=3000)
#   fuzz     good catalogs with mistakes at random: findings or a catalog, never a panic (FUZZ=100000)
#   edits    random edits of catalogs: what the guard passes changes nothing for what lives (EDITS=1000)
#   kills    32 clients, the broker killed under their load six times a round: what was answered is there (KILLS=50)
#   sql      names and texts that break out of quotes, through statements (SQL=10000, on MariaDB a quarter of them), and the
#            broker killed while it makes logins (SQL_KILLS=50): a login for each binding, and none without
#
#   kill-sqlite    whole lives of all calls on plans of every kind, while their broker is killed (BLOWS=200), and what
#                   backends, store and clients have is compared
#   kill-postgres  the same with three brokers on one PostgreSQL, one of them killed at random (BLOWS=200), or asleep for
#                   longer than its lease (a tenth of it)
#   kill-database  the same while PostgreSQL is killed (DATABASE=20), sleeps, or is cut off in the middle of commits
#
#   kill-logins    the same on plans that make logins on a PostgreSQL server and lend entries of pools (BLOWS=200): in the
#                   end each login has its binding and each binding its login, each database its instance, and each entry
#                   is free or held by one
#   kill-logins-postgres  the same with three brokers on one PostgreSQL, one of them killed at random (BLOWS=200)
#   kill-server    the same while the server of the logins is killed (DATABASE=20)
#
#   bad      bad clients of every sort, thousands of connections of them, for so many seconds (BAD=600), a third of it over TLS:
#            good ones do not wait for them, and no memory and no open file stays
#
#   reload   good, bad and breaking documents under the load of 32 clients (RELOADS=1000): none sees two at once
#
#   size     provision and fetch with 1,000,000 instances stored against 1,000
#
# Lives under blows are made by chance: SEED=7 makes the same choices again. Prints the figures of each part, and ends with
# an error at the first proof that fails, or that was not there to run.
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
  grep -E 'sequences of|accepted, | reloads under | lives, | -> |finished in|^(lives|lent|store|answers|durations|blows|backends) [|]|^(plain|TLS): ' <<<"$said" || true
}

machine() {
  PROPTEST_CASES=${MACHINE:-5000} prove api machine::random_lives_go_as_the_model_says
}

lives() {
  local store
  for store in sqlite postgres; do
    PROPTEST_CASES=$((4 * ${LIVES:-3000})) prove lives "lives_on_${store}_go_as_the_model_says"
  done
}

# Eight documents a case.
fuzz() {
  PROPTEST_CASES=$((${FUZZ:-100000} / 8)) prove fuzz a_catalog_with_mistakes_is_refused_or_published_as_platforms_take_it
}

# An eighth of the cases.
edits() {
  PROPTEST_CASES=$((${EDITS:-1000} * 8)) prove edits an_edit_that_passes_changes_nothing_for_what_lives
}

kills() {
  local round
  for ((round = 1; round <= ${KILLS:-50}; round++)); do
    prove api store::what_was_answered_is_there_after_kills_under_load >/dev/null
  done
  echo "${KILLS:-50} rounds of 6 kills under load: nothing lost, nothing by half"
}

reload() {
  RELOADS=${RELOADS:-1000} prove api reload::no_request_sees_two_catalogs
}

sql() {
  PROPTEST_CASES=${SQL:-10000} prove sql injection::statements_make_what_was_meant_and_nothing_else
  PROPTEST_CASES=$((${SQL:-10000} / 4)) prove sql mysql::injection::statements_make_what_was_meant_and_nothing_else
  SQL_KILLS=${SQL_KILLS:-50} prove sql mysql::trouble::a_broker_that_is_killed_leaves_a_login_for_each_binding_and_none_more
  SQL_KILLS=${SQL_KILLS:-50} prove sql trouble::a_broker_that_is_killed_under_load_leaves_a_login_for_each_binding_in_the_end
}

kill-sqlite() {
  KILLS=${BLOWS:-200} prove kill lives_go_on_through_kills_on_sqlite
}

kill-postgres() {
  local blows=${BLOWS:-200}
  KILLS=$blows prove kill lives_go_on_through_kills_of_one_of_three_on_postgres
  KILLS=$(((blows + 9) / 10)) prove kill lives_go_on_while_brokers_sleep_through_their_leases
}

kill-database() {
  local deaths=${DATABASE:-20}
  KILLS=$deaths prove kill lives_go_on_when_postgres_is_killed
  KILLS=$(((deaths + 1) / 2)) prove kill lives_go_on_while_postgres_sleeps_for_longer_than_a_lease
  KILLS=$((deaths * 20)) prove kill lives_go_on_when_commits_are_cut
}

kill-logins() {
  KILLS=${BLOWS:-200} prove kill logins_and_entries_go_with_their_bindings_through_kills_on_sqlite
}

kill-logins-postgres() {
  KILLS=${BLOWS:-200} prove kill logins_and_entries_go_with_their_bindings_through_kills_of_one_of_three_on_postgres
}

kill-server() {
  KILLS=${DATABASE:-20} prove kill logins_and_entries_go_with_their_bindings_when_the_server_of_logins_is_killed
}

bad() {
  local bad=${BAD:-600}
  BAD=$bad prove bad bad_clients_keep_no_good_one_waiting
  BAD=$bad prove bad bad_clients_keep_no_good_one_waiting_over_tls
}

size() {
  cargo bench --locked --quiet -- size
}

parts=("$@")
all=(machine lives fuzz edits kills reload sql kill-sqlite kill-postgres kill-database kill-logins kill-logins-postgres
  kill-server bad size)
((${#parts[@]})) || parts=("${all[@]}")
for part in "${parts[@]}"; do
  case " ${all[*]} " in
    *" $part "*) ;;
    *)
      echo "tests/long.sh: no part is called $part; there are ${all[*]}" >&2
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
