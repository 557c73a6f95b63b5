-- The account of changes, where it is kept here (`audit.to: store`): a row for each line, all brokers' in one chain, in which
-- who adds locks the row `audit` of `broker_guards`. `instance_id` is what the line names, to find it by. Lines are in the
-- clear, as they are in a file: they hold ids, names of logins, addresses.
CREATE TABLE broker_audit (
    seq         BIGINT NOT NULL PRIMARY KEY,
    at          BIGINT NOT NULL,
    instance_id TEXT,
    line        TEXT   NOT NULL
);

CREATE INDEX broker_audit_of_instance ON broker_audit (instance_id, seq) WHERE instance_id IS NOT NULL;
