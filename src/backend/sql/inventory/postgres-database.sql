-- All that is in the database that is asked.
SELECT 'schema ' || quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
UNION SELECT 'relation ' || oid::regclass FROM pg_class WHERE relnamespace <> 'pg_toast'::regnamespace
    AND relpersistence <> 't'
UNION SELECT 'function ' || oid::regprocedure FROM pg_proc
-- Relations and arrays have types beside them.
UNION SELECT 'type ' || oid::regtype FROM pg_type WHERE typrelid = 0 AND typcategory <> 'A'
UNION SELECT 'extension ' || quote_ident(extname) FROM pg_extension
UNION SELECT 'trigger ' || quote_ident(tgname) || ' on ' || tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal
UNION SELECT 'policy ' || quote_ident(polname) || ' on ' || polrelid::regclass FROM pg_policy
UNION SELECT 'event trigger ' || quote_ident(evtname) FROM pg_event_trigger
UNION SELECT 'publication ' || quote_ident(pubname) FROM pg_publication
UNION SELECT 'foreign server ' || quote_ident(srvname) FROM pg_foreign_server
UNION SELECT 'large object ' || oid FROM pg_largeobject_metadata
UNION SELECT 'default privilege ' || entry || ' of ' || defaclrole::regrole
    || CASE WHEN defaclnamespace = 0 THEN '' ELSE ' in ' || defaclnamespace::regnamespace END
    FROM pg_default_acl, unnest(defaclacl) entry
-- Rights beside those that everything has from the start, and of those what was taken away.
UNION SELECT 'privilege ' || entry || ' on schema ' || quote_ident(nspname)
    FROM pg_namespace, unnest(nspacl) entry WHERE NOT entry = ANY (acldefault('n', nspowner)) AND nspname !~ '^pg_(toast_)?temp'
UNION SELECT 'loss of the privilege ' || entry || ' on schema ' || quote_ident(nspname)
    FROM pg_namespace, unnest(acldefault('n', nspowner)) entry WHERE NOT entry = ANY (nspacl) AND nspname !~ '^pg_(toast_)?temp'
UNION SELECT 'privilege ' || entry || ' on relation ' || pg_class.oid::regclass
    FROM pg_class, unnest(relacl) entry WHERE NOT entry = ANY (acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner)) AND relpersistence <> 't'
UNION SELECT 'loss of the privilege ' || entry || ' on relation ' || pg_class.oid::regclass
    FROM pg_class, unnest(acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner)) entry WHERE NOT entry = ANY (relacl) AND relpersistence <> 't'
UNION SELECT 'privilege ' || entry || ' on function ' || pg_proc.oid::regprocedure
    FROM pg_proc, unnest(proacl) entry WHERE NOT entry = ANY (acldefault('f', proowner))
UNION SELECT 'loss of the privilege ' || entry || ' on function ' || pg_proc.oid::regprocedure
    FROM pg_proc, unnest(acldefault('f', proowner)) entry WHERE NOT entry = ANY (proacl)
UNION SELECT 'privilege ' || entry || ' on type ' || pg_type.oid::regtype
    FROM pg_type, unnest(typacl) entry WHERE NOT entry = ANY (acldefault('T', typowner))
UNION SELECT 'loss of the privilege ' || entry || ' on type ' || pg_type.oid::regtype
    FROM pg_type, unnest(acldefault('T', typowner)) entry WHERE NOT entry = ANY (typacl)
UNION SELECT 'privilege ' || entry || ' on column ' || attrelid::regclass || '.' || quote_ident(attname)
    FROM pg_attribute, unnest(attacl) entry WHERE NOT attisdropped
