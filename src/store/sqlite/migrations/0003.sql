-- Which entry of a pool is lent to whom, or was last: one row for each that ever was, so that the list of a pool may lose
-- and get back entries. `binding_id` is empty where an instance has it. The credentials are the document's.
CREATE TABLE lendings (
    pool        TEXT    NOT NULL,
    entry       TEXT    NOT NULL,
    instance_id TEXT    NOT NULL,
    binding_id  TEXT    NOT NULL,
    since       INTEGER NOT NULL,
    returned_at INTEGER,
    PRIMARY KEY (pool, entry)
) STRICT, WITHOUT ROWID;

CREATE INDEX lendings_held ON lendings (instance_id, binding_id) WHERE returned_at IS NULL;
