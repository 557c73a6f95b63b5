-- The account of changes, where it is kept here (`audit.to: store`): a row for each line, chained. `instance_id` is what the
-- line names, to find it by. Lines are in the clear, as they are in a file: they hold ids, names of logins, addresses.
CREATE TABLE audit (
    seq         INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    instance_id TEXT,
    line        TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_of_instance ON audit (instance_id, seq) WHERE instance_id IS NOT NULL;
