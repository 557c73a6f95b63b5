-- All of a server that has a name, and who may do what with it. Not the sets' own notes, which stay for the next instance.
SELECT CONCAT('user ', CONVERT(user USING utf8mb4), '@', CONVERT(host USING utf8mb4)) FROM mysql.user
UNION SELECT CONCAT('database ', CONVERT(schema_name USING utf8mb4)) FROM information_schema.schemata
    WHERE schema_name <> 'catalog_broker'
UNION SELECT CONCAT('privileges of ', CONVERT(grantee USING utf8mb4), ' on ', CONVERT(table_schema USING utf8mb4))
    FROM information_schema.schema_privileges
UNION SELECT CONCAT('table ', CONVERT(table_schema USING utf8mb4), '.', CONVERT(table_name USING utf8mb4))
    FROM information_schema.tables
    WHERE table_schema NOT IN ('information_schema', 'performance_schema', 'catalog_broker')
UNION SELECT CONCAT('routine ', CONVERT(routine_schema USING utf8mb4), '.', CONVERT(routine_name USING utf8mb4))
    FROM information_schema.routines
UNION SELECT CONCAT('trigger ', CONVERT(trigger_schema USING utf8mb4), '.', CONVERT(trigger_name USING utf8mb4))
    FROM information_schema.triggers
UNION SELECT CONCAT('event ', CONVERT(event_schema USING utf8mb4), '.', CONVERT(event_name USING utf8mb4))
    FROM information_schema.events
UNION SELECT CONCAT('privilege ', CONVERT(privilege_type USING utf8mb4), ' of ', CONVERT(grantee USING utf8mb4))
    FROM information_schema.user_privileges
UNION SELECT CONCAT('privilege ', CONVERT(privilege_type USING utf8mb4), ' of ', CONVERT(grantee USING utf8mb4), ' on ',
    CONVERT(table_schema USING utf8mb4), '.', CONVERT(table_name USING utf8mb4))
    FROM information_schema.table_privileges
UNION SELECT CONCAT('privilege ', CONVERT(privilege_type USING utf8mb4), ' of ', CONVERT(grantee USING utf8mb4), ' on ',
    CONVERT(table_schema USING utf8mb4), '.', CONVERT(table_name USING utf8mb4), '.', CONVERT(column_name USING utf8mb4))
    FROM information_schema.column_privileges
