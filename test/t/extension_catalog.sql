-- All that the catalogs say of the extension: one line a fact (object, aspect,
-- value as JSON), OIDs that differ from database to database told by name.
-- Read by 080_upgrade.pl.
SET search_path = pg_catalog;
CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid, (pg_identify_object(d.classid, d.objid, 0)).*
	FROM pg_depend AS d JOIN pg_extension AS x ON x.oid = d.refobjid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND x.extname = 'changemgmt';
-- tables, views, sequences, and the columns of composite types
CREATE TEMP VIEW relation AS
	SELECT c.* FROM pg_class AS c JOIN member AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	UNION ALL
	SELECT c.* FROM pg_class AS c JOIN pg_type AS t ON t.typrelid = c.oid
	JOIN member AS m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid;
CREATE TEMP VIEW acl AS
	SELECT 'pg_class'::regclass::oid AS classid, oid AS objid, relacl AS acl FROM pg_class
	UNION ALL SELECT 'pg_proc'::regclass, oid, proacl FROM pg_proc
	UNION ALL SELECT 'pg_type'::regclass, oid, typacl FROM pg_type
	UNION ALL SELECT 'pg_namespace'::regclass, oid, nspacl FROM pg_namespace;

CREATE TEMP VIEW fact (object, aspect, value) AS
SELECT m.type || ' ' || m.identity, 'member',
	jsonb_build_object('comment', obj_description(m.objid, m.classid::regclass::name),
		'acl', (SELECT array_agg(i::text ORDER BY i::text) FROM acl AS a, unnest(a.acl) AS i
			WHERE (a.classid, a.objid) = (m.classid, m.objid)),
		'acl is default', (SELECT a.acl IS NULL FROM acl AS a WHERE (a.classid, a.objid) = (m.classid, m.objid)),
		'initial acl', (SELECT array_agg(i::text ORDER BY i::text) FROM pg_init_privs AS p, unnest(p.initprivs) AS i
			WHERE (p.classoid, p.objoid, p.objsubid) = (m.classid, m.objid, 0)),
		'owner', (SELECT array_agg(s.refobjid::regrole) FROM pg_shdepend AS s
			WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
				AND (s.classid, s.objid, s.deptype) = (m.classid, m.objid, 'o')))
FROM member AS m
UNION ALL -- what it needs: bodies of functions, views, defaults
SELECT m.type || ' ' || m.identity, 'needs ' || pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid),
	to_jsonb(d.deptype)
FROM member AS m JOIN pg_depend AS d ON (d.classid, d.objid) = (m.classid, m.objid)
UNION ALL
SELECT m.type || ' ' || m.identity, 'function',
	to_jsonb(p) - '{oid,pronamespace,proowner,proacl,prosqlbody,proargdefaults,prosupport,prolang}'::text[]
		|| jsonb_build_object('owner', p.proowner::regrole, 'definition',
			CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END, 'support', p.prosupport::regproc,
			'language', (SELECT lanname FROM pg_language WHERE oid = p.prolang),
			'prorettype', p.prorettype::regtype::text, 'provariadic', p.provariadic::regtype::text,
			'proargtypes', p.proargtypes::regtype[]::text, 'proallargtypes', p.proallargtypes::regtype[]::text,
			'arguments', pg_get_function_arguments(p.oid))
FROM member AS m JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
UNION ALL
SELECT m.type || ' ' || m.identity, 'aggregate',
	to_jsonb(a) - '{aggtranstype,aggmtranstype,aggsortop}'::text[]
		|| jsonb_build_object('type', a.aggtranstype::regtype::text, 'moving', a.aggmtranstype::regtype::text,
			'sort', a.aggsortop::regoperator::text)
FROM member AS m JOIN pg_aggregate AS a ON m.classid = 'pg_proc'::regclass AND m.objid = a.aggfnoid
UNION ALL
SELECT r.oid::regclass::text, 'relation',
	to_jsonb(r) - '{oid,relnamespace,reltype,reloftype,relowner,relam,relfilenode,reltablespace,relpages,reltuples,
		relallvisible,relallfrozen,reltoastrelid,relfrozenxid,relminmxid,relacl,relnatts,
		relhasindex,relhasrules,relhastriggers,relhassubclass}'::text[]
		|| jsonb_build_object('owner', r.relowner::regrole, 'method', (SELECT amname FROM pg_am WHERE oid = r.relam),
			'toast', r.reltoastrelid <> 0)
FROM relation AS r
UNION ALL
SELECT r.oid::regclass::text, 'view', to_jsonb(pg_get_viewdef(r.oid)) FROM relation AS r WHERE r.relkind IN ('v', 'm')
UNION ALL -- a dropped column leaves a hole in attnum, which is no difference
SELECT r.oid::regclass::text, 'column ' || a.attname,
	jsonb_build_object('place', rank() OVER (PARTITION BY r.oid ORDER BY a.attnum),
		'type', format_type(a.atttypid, a.atttypmod), 'not null', a.attnotnull, 'default', pg_get_expr(f.adbin, f.adrelid),
		'identity', a.attidentity, 'generated', a.attgenerated, 'storage', a.attstorage, 'compression', a.attcompression,
		'statistics', a.attstattarget, 'collation', a.attcollation::regcollation::text, 'acl', a.attacl::text,
		-- those that PostgreSQL documents: builds exist that number columns here
		'options', (SELECT array_agg(o) FROM unnest(a.attoptions) AS o WHERE o LIKE 'n_distinct%'), 'local', a.attislocal, 'ancestors', a.attinhcount,
		'comment', col_description(r.oid, a.attnum))
FROM relation AS r JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS f ON (f.adrelid, f.adnum) = (a.attrelid, a.attnum)
UNION ALL
SELECT coalesce(r.oid::regclass::text, c.contypid::regtype::text), 'constraint ' || c.conname,
	jsonb_build_object('definition', pg_get_constraintdef(c.oid), 'type', c.contype, 'deferrable', c.condeferrable,
		'deferred', c.condeferred, 'validated', c.convalidated, 'local', c.conislocal, 'no inherit', c.connoinherit,
		'comment', obj_description(c.oid, 'pg_constraint'))
FROM pg_constraint AS c LEFT JOIN relation AS r ON r.oid = c.conrelid
LEFT JOIN member AS m ON m.classid = 'pg_type'::regclass AND m.objid = c.contypid
WHERE r.oid IS NOT NULL OR m.objid IS NOT NULL
UNION ALL
SELECT r.oid::regclass::text, 'index ' || i.indexrelid::regclass,
	to_jsonb(i) - '{indexrelid,indrelid,indkey,indcollation,indclass,indexprs,indpred,indcheckxmin}'::text[]
		|| jsonb_build_object('definition', pg_get_indexdef(i.indexrelid), 'owner', c.relowner::regrole,
			'options', c.reloptions, 'comment', obj_description(c.oid, 'pg_class'))
FROM relation AS r JOIN pg_index AS i ON i.indrelid = r.oid JOIN pg_class AS c ON c.oid = i.indexrelid
UNION ALL -- those of foreign keys bear OIDs in their names
SELECT r.oid::regclass::text, CASE WHEN t.tgisinternal
		THEN concat('internal trigger of ', (SELECT conname FROM pg_constraint WHERE oid = t.tgconstraint),
			' of ', t.tgconstrrelid::regclass, ' ', t.tgfoid::regproc)
		ELSE 'trigger ' || t.tgname END,
	jsonb_build_object('definition', CASE WHEN NOT t.tgisinternal THEN pg_get_triggerdef(t.oid) END, 'type', t.tgtype,
		'enabled', t.tgenabled, 'deferrable', t.tgdeferrable, 'deferred', t.tginitdeferred,
		'comment', obj_description(t.oid, 'pg_trigger'))
FROM relation AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid
UNION ALL
SELECT r.oid::regclass::text, 'policy ' || p.polname,
	jsonb_build_object('command', p.polcmd, 'permissive', p.polpermissive,
		'roles', (SELECT array_agg(o::regrole::text ORDER BY o::regrole::text) FROM unnest(p.polroles) AS o),
		'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid),
		'comment', obj_description(p.oid, 'pg_policy'))
FROM relation AS r JOIN pg_policy AS p ON p.polrelid = r.oid
UNION ALL
SELECT r.oid::regclass::text, 'rule ' || w.rulename,
	jsonb_build_object('definition', pg_get_ruledef(w.oid), 'enabled', w.ev_enabled,
		'comment', obj_description(w.oid, 'pg_rewrite'))
FROM relation AS r JOIN pg_rewrite AS w ON w.ev_class = r.oid
UNION ALL
SELECT r.oid::regclass::text, 'sequence', to_jsonb(s) - '{seqrelid,seqtypid}'::text[]
		|| jsonb_build_object('type', s.seqtypid::regtype::text, 'of', (SELECT jsonb_agg(concat(d.deptype, ' ',
			pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)) ORDER BY d.deptype)
			FROM pg_depend AS d WHERE (d.classid, d.objid) = ('pg_class'::regclass, r.oid) AND d.deptype IN ('a', 'i')))
FROM relation AS r JOIN pg_sequence AS s ON s.seqrelid = r.oid
UNION ALL
SELECT m.type || ' ' || m.identity, 'type',
	to_jsonb(t) - '{oid,typnamespace,typowner,typrelid,typelem,typarray,typbasetype,typcollation,typdefaultbin,typacl}'::text[]
		|| jsonb_build_object('owner', t.typowner::regrole, 'relation', t.typrelid::regclass::text,
			'element', t.typelem::regtype::text, 'array', t.typarray::regtype::text, 'base', t.typbasetype::regtype::text,
			'collation', t.typcollation::regcollation::text, 'labels', (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder)
				FROM pg_enum AS e WHERE e.enumtypid = t.oid),
			'range', (SELECT jsonb_build_array(g.rngsubtype::regtype::text, g.rngcollation::regcollation::text,
				g.rngcanonical, g.rngsubdiff) FROM pg_range AS g WHERE g.rngtypid = t.oid))
FROM member AS m JOIN pg_type AS t ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
UNION ALL
SELECT m.type || ' ' || m.identity, 'operator',
	to_jsonb(o) - '{oid,oprnamespace,oprowner,oprcom,oprnegate}'::text[]
		|| jsonb_build_object('oprleft', o.oprleft::regtype::text, 'oprright', o.oprright::regtype::text,
			'oprresult', o.oprresult::regtype::text, 'owner', o.oprowner::regrole,
			'commutator', o.oprcom::regoperator::text, 'negator', o.oprnegate::regoperator::text)
FROM member AS m JOIN pg_operator AS o ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid
UNION ALL
SELECT m.type || ' ' || m.identity, 'operator class',
	jsonb_build_object('family', f.opfname, 'default', c.opcdefault, 'of', c.opcintype::regtype::text,
		'key', c.opckeytype::regtype::text, 'owner', c.opcowner::regrole)
FROM member AS m JOIN pg_opclass AS c ON m.classid = 'pg_opclass'::regclass AND m.objid = c.oid
JOIN pg_opfamily AS f ON f.oid = c.opcfamily
UNION ALL
SELECT m.type || ' ' || m.identity, 'operator ' || o.amopopr::regoperator,
	jsonb_build_object('strategy', o.amopstrategy, 'purpose', o.amoppurpose, 'order', o.amopsortfamily <> 0)
FROM member AS m JOIN pg_amop AS o ON m.classid = 'pg_opfamily'::regclass AND m.objid = o.amopfamily
UNION ALL
SELECT m.type || ' ' || m.identity, concat_ws(' ', 'function', p.amprocnum, p.amproclefttype::regtype, p.amprocrighttype::regtype),
	to_jsonb(p.amproc)
FROM member AS m JOIN pg_amproc AS p ON m.classid = 'pg_opfamily'::regclass AND m.objid = p.amprocfamily
UNION ALL
SELECT m.type || ' ' || m.identity, 'cast',
	jsonb_build_object('function', c.castfunc::regprocedure::text, 'context', c.castcontext, 'method', c.castmethod)
FROM member AS m JOIN pg_cast AS c ON m.classid = 'pg_cast'::regclass AND m.objid = c.oid
UNION ALL
SELECT m.type || ' ' || m.identity, 'event trigger',
	to_jsonb(t) - '{oid,evtowner,evtfoid}'::text[]
		|| jsonb_build_object('owner', t.evtowner::regrole, 'function', t.evtfoid::regproc)
FROM member AS m JOIN pg_event_trigger AS t ON m.classid = 'pg_event_trigger'::regclass AND m.objid = t.oid
UNION ALL
SELECT r.oid::regclass::text, 'statistics ' || t.stxname, to_jsonb(pg_get_statisticsobjdef(t.oid))
FROM relation AS r JOIN pg_statistic_ext AS t ON t.stxrelid = r.oid
UNION ALL
SELECT 'extension', 'extension', jsonb_build_object('version', x.extversion, 'owner', x.extowner::regrole,
	'relocatable', x.extrelocatable, 'schema', x.extnamespace::regnamespace)
FROM pg_extension AS x WHERE x.extname = 'changemgmt'
UNION ALL
SELECT c.relation::regclass::text, 'pg_extension_config_dump', to_jsonb(c.condition)
FROM pg_extension AS x, unnest(x.extconfig, x.extcondition) AS c(relation, condition) WHERE x.extname = 'changemgmt'
UNION ALL
SELECT concat('default privileges of ', d.defaclrole::regrole, ' in ', d.defaclnamespace::regnamespace), d.defaclobjtype::text,
	to_jsonb(d.defaclacl::text)
FROM pg_default_acl AS d;
SELECT DISTINCT replace(object, E'\t', ' '), replace(aspect, E'\t', ' '), value FROM fact;
