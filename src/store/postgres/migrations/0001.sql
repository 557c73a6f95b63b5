-- In the clear: ids, organization, space, app, plan, state, times. All else is in `details`, `report` and `task`, whose
-- first byte says how: 0 as it is, 1 sealed. Times are milliseconds since 1970. The names have a prefix, for the
-- database may have other tenants.
--
-- `operation`, `kind` and `state` of an instance and a binding are those of its latest operation.

CREATE TABLE broker_meta (
    name  TEXT  NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE broker_instances (
    id           TEXT   NOT NULL PRIMARY KEY,
    service_id   TEXT   NOT NULL,
    plan_id      TEXT   NOT NULL,
    organization TEXT   NOT NULL,
    space        TEXT   NOT NULL,
    operation    TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    backend      TEXT,
    version      BIGINT NOT NULL,
    fingerprint  BYTEA  NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    details      BYTEA  NOT NULL
);

CREATE TABLE broker_bindings (
    instance_id  TEXT   NOT NULL REFERENCES broker_instances (id),
    id           TEXT   NOT NULL,
    service_id   TEXT   NOT NULL,
    plan_id      TEXT   NOT NULL,
    app_guid     TEXT,
    operation    TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    fingerprint  BYTEA  NOT NULL,
    created_at   BIGINT NOT NULL,
    details      BYTEA  NOT NULL,
    PRIMARY KEY (instance_id, id)
);

-- `binding_id` is empty for an operation on the instance itself. One deprovision has a row for itself and one for each
-- binding that went with it, all of one `id`. `turn` counts the operations of a subject: the latest has the highest.
-- It is no sequence, which a distributed engine would have to agree on; who draws the same one loses and draws again.
--
-- What follows `finished_at` is for operations that are not over when they are recorded: `due_at` is when one may be
-- taken up, which for a leased one (it has an `owner`) is the end of the lease; `waits_for` is the cancelled operation
-- that it takes over from.
CREATE TABLE broker_operations (
    id           TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    instance_id  TEXT   NOT NULL,
    binding_id   TEXT   NOT NULL,
    turn         BIGINT NOT NULL,
    state        TEXT   NOT NULL,
    report       BYTEA,
    fingerprint  BYTEA,
    started_at   BIGINT NOT NULL,
    finished_at  BIGINT,
    backend      TEXT,
    task         BYTEA,
    attempt      BIGINT NOT NULL DEFAULT 0,
    tries        BIGINT NOT NULL DEFAULT 0,
    owner        TEXT,
    due_at       BIGINT,
    waits_for    TEXT,
    PRIMARY KEY (id, binding_id)
);

CREATE UNIQUE INDEX broker_operations_of_subject ON broker_operations (instance_id, binding_id, turn);

CREATE INDEX broker_operations_finished ON broker_operations (finished_at);

-- These are empty where every operation is over at once.
CREATE INDEX broker_instances_acted_on ON broker_instances (service_id, plan_id, organization) WHERE backend IS NOT NULL;
CREATE INDEX broker_operations_due ON broker_operations (backend, due_at, started_at, id) WHERE state = 'in progress';
CREATE INDEX broker_operations_leased ON broker_operations (owner) WHERE owner IS NOT NULL;
CREATE INDEX broker_operations_running ON broker_operations (backend, due_at) WHERE owner IS NOT NULL;
CREATE INDEX broker_operations_waiting ON broker_operations (waits_for) WHERE waits_for IS NOT NULL;

-- One row for each queue with a limit: who takes operations of it up locks its row, so that brokers count one after the
-- other.
CREATE TABLE broker_queues (
    name TEXT NOT NULL PRIMARY KEY
);
