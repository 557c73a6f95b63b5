-- In the clear: ids, organization, space, app, plan, state, times. All else is in `details`, whose first byte says how:
-- 0 as it is, 1 sealed; so have `report` and `task`. Times are milliseconds since 1970.
--
-- `operation`, `kind` and `state` of an instance and a binding are those of its latest operation.
--
-- Ids come in no order, so each index of them costs a change one more page of a large file, written twice: to the log,
-- and later to its place. What is there names the operation that made it (`made_by`), so that this one needs no entry in
-- the index of operations; it gets one (`indexed`) when what it made goes.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE instances (
    id           TEXT    NOT NULL PRIMARY KEY,
    service_id   TEXT    NOT NULL,
    plan_id      TEXT    NOT NULL,
    organization TEXT    NOT NULL,
    space        TEXT    NOT NULL,
    operation    TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    backend      TEXT,
    version      INTEGER NOT NULL,
    fingerprint  BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    details      BLOB    NOT NULL,
    made_by      INTEGER
) STRICT;

CREATE TABLE bindings (
    instance_id  TEXT    NOT NULL REFERENCES instances (id),
    id           TEXT    NOT NULL,
    service_id   TEXT    NOT NULL,
    plan_id      TEXT    NOT NULL,
    app_guid     TEXT,
    operation    TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    fingerprint  BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    details      BLOB    NOT NULL,
    made_by      INTEGER,
    PRIMARY KEY (instance_id, id)
) STRICT;

-- `seq` is the order of events; `binding_id` is empty for an operation on the instance itself. What follows `finished_at`
-- is for operations that are not over when they are recorded: `due_at` is when one may be taken up, which for a leased
-- one (it has an `owner`) is the end of the lease; `waits_for` is the cancelled operation that it takes over from.
CREATE TABLE operations (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    instance_id  TEXT    NOT NULL,
    binding_id   TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    report       BLOB,
    fingerprint  BLOB,
    started_at   INTEGER NOT NULL,
    finished_at  INTEGER,
    backend      TEXT,
    task         BLOB,
    attempt      INTEGER NOT NULL DEFAULT 0,
    tries        INTEGER NOT NULL DEFAULT 0,
    owner        TEXT,
    due_at       INTEGER,
    waits_for    TEXT,
    indexed      INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE INDEX operations_of_subject ON operations (instance_id, binding_id, seq) WHERE indexed;

-- These are empty where every operation is over at once.
CREATE INDEX instances_acted_on ON instances (service_id, plan_id, organization) WHERE backend IS NOT NULL;
CREATE INDEX operations_due ON operations (backend, due_at, seq) WHERE state = 'in progress';
CREATE INDEX operations_leased ON operations (owner, due_at) WHERE owner IS NOT NULL;
