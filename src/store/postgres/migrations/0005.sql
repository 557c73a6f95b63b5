-- When a binding ends, if it does; whether its platform was told (1) in a version of the API that it speaks; and from when
-- on a broker may unbind it (less the grace of its settings), which is later once one has tried.
ALTER TABLE broker_bindings ADD COLUMN expires_at BIGINT;
ALTER TABLE broker_bindings ADD COLUMN told BIGINT NOT NULL DEFAULT 0;
ALTER TABLE broker_bindings ADD COLUMN unbind_at BIGINT;

-- Empty where no binding ends.
CREATE INDEX broker_bindings_expiring ON broker_bindings (told, unbind_at) WHERE unbind_at IS NOT NULL;
