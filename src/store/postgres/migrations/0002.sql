-- The plan that an update in progress makes an instance have: it counts there already where that plan has limits.
ALTER TABLE broker_operations ADD COLUMN moves_to TEXT;

-- One row for each thing that is counted before it is added to: who counts locks its row, so that brokers count one after
-- the other.
CREATE TABLE broker_guards (
    name TEXT NOT NULL PRIMARY KEY
);
