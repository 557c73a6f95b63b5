-- When a binding ends, if it does; whether its platform was told (1) in a version of the API that it speaks; and from when
-- on a broker may unbind it (less the grace of its settings), which is later once one has tried.
ALTER TABLE bindings ADD COLUMN expires_at INTEGER;
ALTER TABLE bindings ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bindings ADD COLUMN unbind_at INTEGER;

-- Empty where no binding ends.
CREATE INDEX bindings_expiring ON bindings (told, unbind_at) WHERE unbind_at IS NOT NULL;
