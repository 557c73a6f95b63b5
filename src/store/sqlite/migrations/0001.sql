-- In the clear: ids, organization, space, app, plan, state, times. All else is in `details`, whose first byte says how:
-- 0 as it is, 1 sealed. Times are milliseconds since 1970.

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
    state        TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    fingerprint  BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    details      BLOB    NOT NULL
) STRICT;

CREATE TABLE bindings (
    instance_id  TEXT    NOT NULL REFERENCES instances (id),
    id           TEXT    NOT NULL,
    service_id   TEXT    NOT NULL,
    plan_id      TEXT    NOT NULL,
    app_guid     TEXT,
    state        TEXT    NOT NULL,
    fingerprint  BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    details      BLOB    NOT NULL,
    PRIMARY KEY (instance_id, id)
) STRICT;

-- `seq` is the order of events; `binding_id` is empty for an operation on the instance itself.
CREATE TABLE operations (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    instance_id  TEXT    NOT NULL,
    binding_id   TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    description  TEXT,
    started_at   INTEGER NOT NULL,
    finished_at  INTEGER
) STRICT;

CREATE INDEX operations_of_subject ON operations (instance_id, binding_id, seq);
