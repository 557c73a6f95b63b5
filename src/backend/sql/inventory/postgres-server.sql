-- All that is the server's and not one database's.
SELECT 'role ' || quote_ident(rolname) FROM pg_roles
UNION SELECT 'membership of ' || member::regrole || ' in ' || roleid::regrole FROM pg_auth_members
UNION SELECT 'database ' || quote_ident(datname) FROM pg_database
UNION SELECT 'tablespace ' || quote_ident(spcname) FROM pg_tablespace
-- Rights beside those that everything has from the start, and of those what was taken away.
UNION SELECT 'privilege ' || entry || ' on database ' || quote_ident(datname)
    FROM pg_database, unnest(datacl) entry WHERE NOT entry = ANY (acldefault('d', datdba))
UNION SELECT 'loss of the privilege ' || entry || ' on database ' || quote_ident(datname)
    FROM pg_database, unnest(acldefault('d', datdba)) entry WHERE NOT entry = ANY (datacl)
UNION SELECT 'privilege ' || entry || ' on tablespace ' || quote_ident(spcname)
    FROM pg_tablespace, unnest(spcacl) entry WHERE NOT entry = ANY (acldefault('t', spcowner))
UNION SELECT 'setting ' || entry
    || CASE WHEN setrole = 0 THEN '' ELSE ' of role ' || setrole::regrole END
    || CASE WHEN setdatabase = 0 THEN ''
        ELSE ' in database ' || coalesce((SELECT quote_ident(datname) FROM pg_database WHERE oid = setdatabase), '?') END
    FROM pg_db_role_setting, unnest(setconfig) entry
