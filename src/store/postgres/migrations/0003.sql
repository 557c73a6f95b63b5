-- Which entry of a pool is lent to whom, or was last: one row for each that ever was, so that the list of a pool may lose
-- and get back entries. `binding_id` is empty where an instance has it. The credentials are the document's.
CREATE TABLE broker_lendings (
    pool        TEXT   NOT NULL,
    entry       TEXT   NOT NULL,
    instance_id TEXT   NOT NULL,
    binding_id  TEXT   NOT NULL,
    since       BIGINT NOT NULL,
    returned_at BIGINT,
    PRIMARY KEY (pool, entry)
);

CREATE INDEX broker_lendings_held ON broker_lendings (instance_id, binding_id) WHERE returned_at IS NULL;
