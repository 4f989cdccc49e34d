-- The end of every upgrade.  REVOKE in an upgrade script takes all privileges
-- of its object for the extension's own, those too that a site gave (duties),
-- and pg_dump would leave them out: only the owner's are the extension's, and
-- PUBLIC's, of which the script leaves nothing but its own.
UPDATE pg_catalog.pg_init_privs AS i
SET initprivs = ARRAY(
	SELECT a.item
	FROM pg_catalog.unnest(i.initprivs) WITH ORDINALITY AS a(item, place)
	WHERE EXISTS (
		SELECT FROM pg_catalog.aclexplode(ARRAY[a.item]) AS e
		WHERE e.grantee OPERATOR(pg_catalog.=) e.grantor
			OR e.grantee OPERATOR(pg_catalog.=) 0)
	ORDER BY a.place)
FROM pg_catalog.pg_depend AS d
JOIN pg_catalog.pg_extension AS x ON x.oid OPERATOR(pg_catalog.=) d.refobjid
WHERE x.extname OPERATOR(pg_catalog.=) 'changemgmt'
	AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
	AND d.deptype OPERATOR(pg_catalog.=) 'e'
	AND d.classid OPERATOR(pg_catalog.=) i.classoid
	AND d.objid OPERATOR(pg_catalog.=) i.objoid;
-- From PostgreSQL 17 on such privileges also keep their roles from being dropped.
DELETE FROM pg_catalog.pg_shdepend AS s
USING pg_catalog.pg_depend AS d
JOIN pg_catalog.pg_extension AS x ON x.oid OPERATOR(pg_catalog.=) d.refobjid
WHERE x.extname OPERATOR(pg_catalog.=) 'changemgmt'
	AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
	AND d.deptype OPERATOR(pg_catalog.=) 'e'
	AND s.deptype OPERATOR(pg_catalog.=) 'i'
	AND s.dbid OPERATOR(pg_catalog.=) (
		SELECT b.oid FROM pg_catalog.pg_database AS b
		WHERE b.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
	AND s.classid OPERATOR(pg_catalog.=) d.classid
	AND s.objid OPERATOR(pg_catalog.=) d.objid;
