-- A new instance and the operation that made it at once: what most requests are that change anything. It is a function, for
-- the server keeps what it has planned of one, on each connection, also below a pooler that hands each transaction to
-- another connection; for a statement without a name it plans each time, which took it longer than the rows.
--
-- False where an instance of that id is there. One that is changed gets another name: the last broker calls this one.
CREATE FUNCTION broker_provision(
    its_id TEXT, its_service_id TEXT, its_plan_id TEXT, its_organization TEXT, its_space TEXT, its_operation TEXT,
    its_kind TEXT, its_state TEXT, its_backend TEXT, its_version BIGINT, its_fingerprint BYTEA, its_created_at BIGINT,
    its_updated_at BIGINT, its_details BYTEA, operation_id TEXT, operation_kind TEXT, operation_state TEXT,
    operation_started_at BIGINT, operation_finished_at BIGINT
) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
    made TEXT;
BEGIN
    INSERT INTO broker_instances (id, service_id, plan_id, organization, space, operation, kind, state, backend, version,
                                  fingerprint, created_at, updated_at, details)
    VALUES (its_id, its_service_id, its_plan_id, its_organization, its_space, its_operation, its_kind, its_state,
            its_backend, its_version, its_fingerprint, its_created_at, its_updated_at, its_details)
    ON CONFLICT (id) DO NOTHING RETURNING id INTO made;
    IF made IS NULL THEN
        RETURN false;
    END IF;
    INSERT INTO broker_operations (id, kind, instance_id, binding_id, state, started_at, finished_at, turn)
    VALUES (operation_id, operation_kind, its_id, '', operation_state, operation_started_at, operation_finished_at,
            coalesce((SELECT turn FROM broker_operations WHERE instance_id = its_id AND binding_id = ''
                      ORDER BY turn DESC LIMIT 1), 0) + 1);
    RETURN true;
END
$$;
