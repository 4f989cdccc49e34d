-- doctor: what stands round the rules, and whether it does.

CREATE FUNCTION changemgmt.drop_guard() RETURNS event_trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'drop_guard';
COMMENT ON FUNCTION changemgmt.drop_guard() IS
	'Event trigger: refuses (MC006) to drop the extension, its schema, its parts, or what its owner owns, and to rename the schema, while there are changes; the setting changemgmt.allow_drop lifts it.';

-- since 1.1
CREATE EVENT TRIGGER changemgmt_drop_guard ON ddl_command_start
	WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED', 'ALTER EXTENSION',
				 'ALTER SCHEMA')
	EXECUTE FUNCTION changemgmt.drop_guard();
-- since 1.1
ALTER EVENT TRIGGER changemgmt_drop_guard ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER changemgmt_drop_guard IS
	'Nobody drops the changes of a database in passing.';

CREATE FUNCTION changemgmt.library_version() RETURNS text
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'library_version';
COMMENT ON FUNCTION changemgmt.library_version() IS
	'The version of the library that this session runs; doctor() compares it with that of the extension''s SQL.';

CREATE FUNCTION changemgmt.shipped_tables(
	OUT relation text, OUT columns integer, OUT constraints integer,
	OUT triggers text, OUT indexes text, OUT row_security boolean)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 30
	AS 'MODULE_PATHNAME', 'shipped_tables';
COMMENT ON FUNCTION changemgmt.shipped_tables() IS
	'The tables of the extension with what belongs to each: how many columns and constraints (but NOT NULL), the names of its triggers and of its indexes (but those of constraints), and whether it has row-level security.';

CREATE FUNCTION changemgmt.shipped_triggers(
	OUT relation text, OUT name text, OUT function text, OUT type integer,
	OUT arguments text, OUT transition text, OUT enabled text)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 150
	AS 'MODULE_PATHNAME', 'shipped_triggers';
COMMENT ON FUNCTION changemgmt.shipped_triggers() IS
	'The triggers of the extension''s tables: the function that each calls, its type (events, level and time, as pg_trigger.tgtype), arguments, transition tables, and when it fires (as pg_trigger.tgenabled).';

CREATE FUNCTION changemgmt.shipped_functions(OUT name text, OUT symbol text, OUT manner text)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 120
	AS 'MODULE_PATHNAME', 'shipped_functions';
COMMENT ON FUNCTION changemgmt.shipped_functions() IS
	'The functions of the extension that are written in C, each with its symbol in the library, its volatility and whether it is strict.';

CREATE FUNCTION changemgmt.doctor(
	deep boolean DEFAULT false,
	OUT severity text, OUT subject text, OUT problem text, OUT remedy text)
	RETURNS SETOF record
	LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 10
	SET search_path = pg_catalog, pg_temp	-- names are told, and compared, with their schema
BEGIN ATOMIC
	WITH our_table AS MATERIALIZED (
		SELECT s.relation, s.columns, s.constraints, s.row_security,
			   string_to_array(s.triggers, ' ') AS triggers,
			   coalesce(string_to_array(nullif(s.indexes, ''), ' '), '{}') AS indexes,
			   'changemgmt.' || s.relation AS name,
			   c.oid, c.relowner, c.relpersistence, c.relrowsecurity
		FROM changemgmt.shipped_tables() AS s
		LEFT JOIN pg_namespace AS n ON n.nspname = 'changemgmt'
		LEFT JOIN pg_class AS c
			ON c.relnamespace = n.oid AND c.relname = s.relation AND c.relkind = 'r'
	), our_trigger AS MATERIALIZED (
		SELECT t.name, e.name AS tgname, e.enabled AS expected, e.function,
			   g.oid, g.tgenabled, p.oid::regprocedure AS called,
			   p.pronamespace = r.relnamespace AS is_ours,
			   p.proname = e.function AS is_expected,
			   g.tgtype = e.type AND g.tgqual IS NULL AND g.tgattr = ''::int2vector
				   AND NOT g.tgdeferrable
				   AND rtrim(replace(encode(g.tgargs, 'escape'), '\000', ' ')) = e.arguments
				   AND concat_ws(' ', g.tgoldtable, g.tgnewtable) = e.transition AS is_same
		FROM changemgmt.shipped_triggers() AS e
		JOIN our_table AS t ON t.relation = e.relation
		JOIN pg_class AS r ON r.oid = t.oid
		LEFT JOIN pg_trigger AS g ON g.tgrelid = t.oid AND g.tgname = e.name
		LEFT JOIN pg_proc AS p ON p.oid = g.tgfoid
	), our_policy AS MATERIALIZED (
		SELECT t.name, e.polname, p.oid,
			   p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}'
				   AND p.polwithcheck IS NULL
				   AND strpos(pg_get_expr(p.polqual, p.polrelid), e.mentions) > 0 AS is_same
		FROM our_table AS t
		JOIN (VALUES ('visible', 'changemgmt.hidden_changes()'),
					 ('visible_cause', 'changemgmt.hidden_causes()'),
					 ('visible_duty', 'changemgmt.hidden_duties()'),
					 ('visible_assessment', 'changemgmt.hidden_assessments()'),
					 ('visible_item', 'changemgmt.hidden_items(')) AS e (polname, mentions)
			ON t.row_security AND (e.polname = 'visible' OR t.relation = 'ledger')
		LEFT JOIN pg_policy AS p ON p.polrelid = t.oid AND p.polname = e.polname
		WHERE t.oid IS NOT NULL
	), our_function AS MATERIALIZED (
		SELECT p.oid, p.oid::regprocedure::text AS name, p.proname, p.prokind, l.lanname, p.prosrc, p.probin,
			   p.prosecdef, p.proconfig, p.proowner,
			   concat_ws(' ', CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
						 CASE WHEN p.proisstrict THEN 'strict' END) AS manner
		FROM pg_extension AS e
		JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass
			AND d.refobjid = e.oid AND d.deptype = 'e'
			AND d.classid = 'pg_proc'::regclass
		JOIN pg_proc AS p ON p.oid = d.objid
		JOIN pg_language AS l ON l.oid = p.prolang
		WHERE e.extname = 'changemgmt'
	), library AS MATERIALIZED (
		-- what most say, so that no single one that was replaced misleads
		SELECT mode() WITHIN GROUP (ORDER BY f.probin) AS probin FROM our_function AS f
	), owner AS MATERIALIZED (
		SELECT t.relowner AS oid FROM our_table AS t WHERE t.relation = 'ledger'
	), finding (place, severity, subject, problem, remedy) AS (
		-- the rules
		SELECT 1, 'error', t.name, 'the table is gone',
			   'Restore the database from a backup.'
		FROM our_table AS t WHERE t.oid IS NULL
		UNION ALL
		SELECT 2, 'error', t.name, format('trigger %I is missing', t.tgname),
			   'Create it as the script of the extension does, then look at doctor(deep => true).'
		FROM our_trigger AS t WHERE t.oid IS NULL
		UNION ALL
		SELECT 2, 'error', t.name, format('trigger %I is disabled', t.tgname),
			   format('ALTER TABLE %s ENABLE %sTRIGGER %I; then look at doctor(deep => true).', t.name,
					  CASE t.expected WHEN 'R' THEN 'REPLICA ' ELSE '' END, t.tgname)
		FROM our_trigger AS t WHERE t.tgenabled::text <> t.expected
		UNION ALL
		SELECT 2, 'error', t.name, format('trigger %I calls a function that is not the extension''s', t.tgname),
			   'Create it as the script of the extension does, then look at doctor(deep => true).'
		FROM our_trigger AS t WHERE t.oid IS NOT NULL AND NOT t.is_ours
		UNION ALL
		SELECT 2, 'error', t.name, format('trigger %I calls %s in place of %s()', t.tgname, t.called, t.function),
			   'Create it as the script of the extension does, then look at doctor(deep => true).'
		FROM our_trigger AS t WHERE t.is_ours AND NOT t.is_expected
		UNION ALL
		SELECT 2, 'error', t.name, format('trigger %I has not the events, level, condition or arguments with which it was shipped', t.tgname),
			   'Create it as the script of the extension does, then look at doctor(deep => true).'
		FROM our_trigger AS t WHERE t.is_ours AND t.is_expected AND NOT t.is_same
		UNION ALL
		SELECT 3, 'error', coalesce(f.name, 'changemgmt.' || s.name),
			   CASE WHEN f.oid IS NULL THEN 'the function is gone'
					WHEN f.lanname <> 'c' OR s.name IS NULL
					THEN format('the function was replaced by one in %s', f.lanname)
					WHEN f.probin <> b.probin
					THEN format('the function was replaced by one of library %s', f.probin)
					WHEN f.prosrc <> s.symbol
					THEN format('the function was bound to %s in place of %s', f.prosrc, s.symbol)
					WHEN f.manner <> s.manner
					THEN format('the function is %s in place of %s', f.manner, s.manner)
					ELSE 'the function is SECURITY DEFINER: it takes the owner for the caller' END,
			   'Create it as the script of the extension does.'
		FROM changemgmt.shipped_functions() AS s
		FULL JOIN our_function AS f ON f.proname = s.name
		CROSS JOIN library AS b
		WHERE CASE WHEN s.name IS NULL THEN f.lanname <> 'sql' AND f.prokind <> 'a'
				   ELSE f.oid IS NULL OR f.lanname <> 'c' OR f.probin <> b.probin OR f.prosrc <> s.symbol
						OR f.manner <> s.manner OR f.prosecdef END
		UNION ALL
		SELECT 3, 'error', f.name, 'the function is SECURITY DEFINER, and its search_path is not pinned',
			   'Create it as the script of the extension does.'
		FROM our_function AS f
		WHERE f.prosecdef AND f.lanname <> 'c'
		  AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (f.proconfig), false)
		UNION ALL
		SELECT 3, 'error', f.name, format('the function runs with %s', c.setting),
			   format('ALTER FUNCTION %s RESET %s;', f.name, split_part(c.setting, '=', 1))
		FROM our_function AS f CROSS JOIN LATERAL unnest(f.proconfig) AS c(setting)
		WHERE c.setting NOT IN ('search_path=pg_catalog, pg_temp', 'TimeZone=UTC')
		UNION ALL
		SELECT 3, 'error', 'changemgmt_drop_guard',
			   CASE WHEN g.oid IS NULL THEN 'the event trigger is missing'
					ELSE 'the event trigger is disabled, or not always enabled' END,
			   CASE WHEN g.oid IS NULL THEN 'Create it as the script of the extension does.'
					ELSE 'ALTER EVENT TRIGGER changemgmt_drop_guard ENABLE ALWAYS;' END
		FROM (VALUES ('changemgmt_drop_guard'::name)) AS e(evtname)
		LEFT JOIN pg_event_trigger AS g USING (evtname)
		WHERE g.oid IS NULL OR g.evtenabled <> 'A'
		UNION ALL
		SELECT 4, 'error', t.name,
			   format('%s of its %s constraints are there', k.n, t.constraints),
			   'Add those that are missing, as the script of the extension does.'
		FROM our_table AS t
		CROSS JOIN LATERAL (
			SELECT count(*) AS n FROM pg_constraint AS k
			WHERE k.conrelid = t.oid AND k.contype IN ('p', 'u', 'f', 'c', 'x')) AS k
		WHERE t.oid IS NOT NULL AND k.n < t.constraints
		UNION ALL
		SELECT 4, 'error', t.name,
			   format('constraint %I was never validated', k.conname),
			   format('ALTER TABLE %s VALIDATE CONSTRAINT %I;', t.name, k.conname)
		FROM our_table AS t JOIN pg_constraint AS k ON k.conrelid = t.oid
		WHERE NOT k.convalidated
		UNION ALL
		SELECT 5, 'error', t.name, 'row-level security is off: confidential changes show',
			   format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', t.name)
		FROM our_table AS t WHERE t.row_security AND NOT t.relrowsecurity
		UNION ALL
		SELECT 5, 'error', p.name,
			   format(CASE WHEN p.oid IS NULL THEN 'the policy %s is missing'
						   ELSE 'the policy %s is not that of the extension' END, p.polname),
			   'Create it as the script of the extension does.'
		FROM our_policy AS p WHERE p.oid IS NULL OR p.is_same IS NOT TRUE
		UNION ALL
		SELECT 5, 'error', t.name, format('policy %I is permissive: it shows confidential changes', p.polname),
			   format('DROP POLICY %I ON %s; one that is to narrow what shows is created AS RESTRICTIVE.', p.polname, t.name)
		FROM our_table AS t JOIN pg_policy AS p ON p.polrelid = t.oid
		WHERE t.row_security AND p.polpermissive
		  AND NOT EXISTS (SELECT FROM our_policy AS o WHERE o.oid = p.oid)
		UNION ALL
		SELECT 5, 'error', t.name, format('rule %I rewrites statements', r.rulename),
			   format('DROP RULE %I ON %s;', r.rulename, t.name)
		FROM our_table AS t JOIN pg_rewrite AS r ON r.ev_class = t.oid
		UNION ALL
		SELECT 5, 'error', t.name,
			   format('rows of the child table %s count as its own, and no rule holds there', i.inhrelid::regclass),
			   format('ALTER TABLE %s NO INHERIT %s;', i.inhrelid::regclass, t.name)
		FROM our_table AS t JOIN pg_inherits AS i ON i.inhparent = t.oid
		UNION ALL
		SELECT 5, 'error', t.name, 'the table is unlogged: a crash empties it',
			   format('ALTER TABLE %s SET LOGGED;', t.name)
		FROM our_table AS t WHERE t.relpersistence <> 'p'
		UNION ALL
		SELECT 5, 'error', t.name, 'a column of the extension''s was dropped',
			   'Restore the database from a backup.'
		FROM our_table AS t
		WHERE EXISTS (SELECT FROM pg_attribute AS a
					  WHERE a.attrelid = t.oid AND a.attisdropped AND a.attnum BETWEEN 1 AND t.columns)
		UNION ALL
		SELECT 6, 'error', r.name, 'the function of the requirement is gone: what needs it is refused',
			   format('Create %s, or DELETE FROM changemgmt.site_requirement WHERE name = %L;', r.function, r.name)
		FROM changemgmt.site_requirement AS r
		WHERE to_regprocedure(r.function) IS NULL
		UNION ALL
		SELECT 6, 'error', m.key,
			   format('the business calendar %s of the model is gone, or has no hours: its notice is never met', m.calendar),
			   format('SELECT changemgmt.create_business_calendar(%L, time_zone); or publish the model with another.', m.calendar)
		FROM (SELECT DISTINCT ON (s.key) s.key, s.definition ->> 'calendar' AS calendar
			  FROM changemgmt.site_model AS s WHERE s.retired_at IS NULL
			  ORDER BY s.key, s.version DESC) AS m
		WHERE m.calendar <> 'default'
		  AND NOT EXISTS (SELECT FROM changemgmt.business_calendar AS c
						  JOIN changemgmt.business_hours AS h ON h.calendar_id = c.id
						  WHERE c.name = m.calendar)
		-- the ways round
		UNION ALL
		SELECT 10, 'warning', 'session_replication_role', 'this session fires no trigger of the extension',
			   'RESET session_replication_role;'
		WHERE current_setting('session_replication_role') = 'replica'
		UNION ALL
		SELECT 10, 'warning', 'event_triggers', 'this session fires no event trigger: it can drop the extension with all changes',
			   'RESET event_triggers;'
		WHERE current_setting('event_triggers', true) = 'off'
		UNION ALL
		SELECT 10, 'warning', 'changemgmt.allow_drop', 'this session can drop the extension with all changes',
			   'RESET changemgmt.allow_drop;'
		WHERE current_setting('changemgmt.allow_drop', true) = 'on'
		UNION ALL
		SELECT 10, 'warning', split_part(c.setting, '=', 1),
			   format('is set to %L for %s', substr(c.setting, strpos(c.setting, '=') + 1),
					  concat_ws(' in ', CASE WHEN s.setrole = 0 THEN 'everybody' ELSE s.setrole::regrole::text END,
								(SELECT d.datname FROM pg_database AS d WHERE d.oid = s.setdatabase))),
			   'ALTER ROLE or ALTER DATABASE ... RESET it.'
		FROM pg_db_role_setting AS s CROSS JOIN LATERAL unnest(s.setconfig) AS c(setting)
		WHERE split_part(c.setting, '=', 1) IN ('session_replication_role', 'event_triggers', 'changemgmt.actor', 'changemgmt.allow_drop')
		UNION ALL
		SELECT 11, 'warning', t.name,
			   format('%s holds %s', CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
					  string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)),
			   CASE WHEN a.grantee = 0 THEN format('REVOKE ALL ON %s FROM PUBLIC;', t.name)
					ELSE 'The rules hold for it all the same; functions are the better way to write.' END
		FROM our_table AS t
		JOIN pg_class AS c ON c.oid = t.oid
		CROSS JOIN LATERAL aclexplode(c.relacl) AS a
		WHERE a.grantee <> c.relowner AND (a.grantee = 0 OR a.privilege_type <> 'SELECT')
		GROUP BY t.name, a.grantee
		UNION ALL
		SELECT 11, 'warning', f.name, 'PUBLIC may execute the function',
			   format('REVOKE ALL ON FUNCTION %s FROM PUBLIC;', f.name)
		FROM our_function AS f JOIN pg_proc AS p ON p.oid = f.oid
		CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
		WHERE a.grantee = 0 AND p.proname NOT IN ('hidden_changes', 'hidden_causes', 'hidden_duties', 'hidden_items', 'hidden_assessments')
		UNION ALL
		SELECT 11, 'warning', t.name, format('belongs to %s, the ledger to %s', t.relowner::regrole, o.oid::regrole),
			   format('ALTER TABLE %s OWNER TO %s;', t.name, o.oid::regrole)
		FROM our_table AS t CROSS JOIN owner AS o WHERE t.relowner <> o.oid
		UNION ALL
		SELECT 11, 'error', 'schema changemgmt',
			   format('belongs to %s, the extension to %s: who owns a schema can drop it, and put functions in it', n.nspowner::regrole, e.extowner::regrole),
			   format('ALTER SCHEMA changemgmt OWNER TO %s; with changemgmt.allow_drop on.', e.extowner::regrole)
		FROM pg_namespace AS n JOIN pg_extension AS e ON e.extname = 'changemgmt'
		WHERE n.nspname = 'changemgmt' AND n.nspowner <> e.extowner
		UNION ALL
		SELECT 11, 'error', 'schema changemgmt',
			   format('%s may create in it: a function of theirs could be called in place of the extension''s', CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END),
			   format('REVOKE CREATE ON SCHEMA changemgmt FROM %s;', CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
		FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
		WHERE n.nspname = 'changemgmt' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
		UNION ALL
		SELECT 11, 'error', p.oid::regprocedure::text,
			   'the function is not the extension''s: it could be called in place of one that is',
			   format('ALTER ROUTINE %s SET SCHEMA another one.', p.oid::regprocedure)
		FROM pg_namespace AS n JOIN pg_proc AS p ON p.pronamespace = n.oid
		WHERE n.nspname = 'changemgmt' AND NOT EXISTS (SELECT FROM our_function AS f WHERE f.oid = p.oid)
		UNION ALL
		SELECT 12, 'warning', d.role_name, format('has the duty %s on record, and there is no such role', d.duty),
			   format('DELETE FROM changemgmt.role_duty WHERE id = %s;', d.id)
		FROM changemgmt.role_duty AS d
		WHERE NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = d.role_name)
		-- history that came by COPY books nothing
		UNION ALL
		SELECT 13, 'error', 'changemgmt.booking',
			   CASE WHEN count(*) = 1 THEN '1 item of changes that are booked or under way is not booked'
					ELSE format('%s items of changes that are booked or under way are not booked', count(*)) END,
			   'SELECT changemgmt.rebuild_bookings();'
		FROM changemgmt.change AS c
		JOIN changemgmt.change_item AS i ON i.change_id = c.id
		WHERE c.status IN ('awaiting_approval', 'approved', 'scheduled', 'in_progress', 'verifying')
		  AND (c.scheduled_at IS NOT NULL AND c.planned_start IS NOT NULL AND c.planned_end IS NOT NULL
			   OR c.status IN ('in_progress', 'verifying') AND c.actual_start IS NOT NULL)
		  AND NOT EXISTS (SELECT FROM changemgmt.booking AS b
						  WHERE b.change_id = i.change_id AND b.ci_id = i.ci_id)
		HAVING count(*) > 0
		-- and a booking that came by COPY, or past the triggers, is believed
		UNION ALL
		SELECT 13, 'error', 'changemgmt.booking',
			   CASE WHEN count(*) = 1 THEN '1 booking is not what its change has to have'
					ELSE format('%s bookings are not what their changes have to have', count(*)) END,
			   'SELECT changemgmt.rebuild_bookings();'
		FROM changemgmt.booking AS b
		JOIN changemgmt.change AS c ON c.id = b.change_id
		LEFT JOIN changemgmt.change_item AS i ON i.change_id = b.change_id AND i.ci_id = b.ci_id
		WHERE i.role IS DISTINCT FROM b.role
		   OR CASE WHEN c.status NOT IN ('awaiting_approval', 'approved', 'scheduled', 'in_progress', 'verifying') THEN true
				   WHEN c.scheduled_at IS NOT NULL
				   THEN lower(b.period) IS DISTINCT FROM c.planned_start OR upper(b.period) IS DISTINCT FROM c.planned_end
				   ELSE c.status NOT IN ('in_progress', 'verifying') OR lower(b.period) IS DISTINCT FROM c.actual_start END
		HAVING count(*) > 0
		-- what a dump does not bring back
		UNION ALL
		SELECT 20, 'warning', t.name, format('column %I is not the extension''s: a dump of its rows cannot be restored', a.attname),
			   'Keep it in change.attributes, or in a table of your own that references the change.'
		FROM our_table AS t
		JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > t.columns AND NOT a.attisdropped
		UNION ALL
		SELECT 21, 'note', t.name, format('trigger %I is the site''s: it runs as the owner, and is not in a dump', g.tgname),
			   'Keep its definition where it can be created again after a restore.'
		FROM our_table AS t
		JOIN pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal
		WHERE NOT g.tgname = ANY (t.triggers)
		UNION ALL
		SELECT 21, 'note', t.name, format('index %I is the site''s: it is not in a dump', i.indexrelid::regclass),
			   'Keep its definition where it can be created again after a restore.'
		FROM our_table AS t
		JOIN pg_index AS i ON i.indrelid = t.oid
		JOIN pg_class AS c ON c.oid = i.indexrelid
		WHERE NOT c.relname = ANY (t.indexes)
		  AND NOT EXISTS (SELECT FROM pg_constraint AS k
						  WHERE k.conindid = i.indexrelid AND k.conrelid = t.oid)
		UNION ALL
		SELECT 21, 'note', t.name, format('index %I is missing: some statements are slow', x.name),
			   'Create it as the script of the extension does.'
		FROM our_table AS t CROSS JOIN LATERAL unnest(t.indexes) AS x(name)
		WHERE t.oid IS NOT NULL
		  AND NOT EXISTS (SELECT FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
						  WHERE i.indrelid = t.oid AND c.relname = x.name)
		UNION ALL
		SELECT 21, 'note', t.name, format('policy %I is the site''s: it is not in a dump', p.polname),
			   'Keep its definition where it can be created again after a restore.'
		FROM our_table AS t JOIN pg_policy AS p ON p.polrelid = t.oid
		WHERE NOT (t.row_security AND p.polpermissive)
		  AND NOT EXISTS (SELECT FROM our_policy AS o WHERE o.oid = p.oid)
		UNION ALL
		SELECT 21, 'note', t.name,
			   format('has %s constraints, %s of them the site''s: those are not in a dump', k.n, k.n - t.constraints),
			   'Keep their definitions where they can be created again after a restore.'
		FROM our_table AS t
		CROSS JOIN LATERAL (
			SELECT count(*) AS n FROM pg_constraint AS k
			WHERE k.conrelid = t.oid AND k.contype IN ('p', 'u', 'f', 'c', 'x')) AS k
		WHERE k.n > t.constraints
		-- what an administrator wants to know
		UNION ALL
		SELECT 30, 'warning', 'changemgmt',
			   format('the SQL is of version %s, the library of %s', e.extversion, changemgmt.library_version()),
			   'ALTER EXTENSION changemgmt UPDATE;'
		FROM pg_extension AS e
		WHERE e.extname = 'changemgmt' AND e.extversion <> changemgmt.library_version()
		UNION ALL
		SELECT 31, 'note', 'changemgmt.actor',
			   format('%s may act as anybody', CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END),
			   'As it should be for the role of a pooled application, and for no other.'
		FROM pg_parameter_acl AS p CROSS JOIN LATERAL aclexplode(p.paracl) AS a
		WHERE p.parname = 'changemgmt.actor' AND a.privilege_type = 'SET'
		  AND NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = a.grantee AND r.rolsuper)
		UNION ALL
		SELECT 32, 'note', 'changemgmt.ledger',
			   CASE WHEN max(c.taken_at) IS NULL THEN 'no checkpoint was ever taken'
					ELSE format('the last checkpoint is %s days old', extract(day FROM now() - max(c.taken_at))) END,
			   'SELECT * FROM changemgmt.ledger_checkpoint(); and keep its root outside: without one, whoever owns the server could rewrite the ledger unseen.'
		FROM changemgmt.ledger_checkpoint AS c
		HAVING coalesce(max(c.taken_at) < now() - interval '7 days', true)
		-- the ledger
		UNION ALL
		SELECT 40, 'error',
			   concat_ws(' ', 'changemgmt.' || v.subject_kind, v.subject_id, 'entry ' || v.sequence), v.problem,
			   'Find out who did it; what is to stay is changed by a step of its own.'
		FROM changemgmt.verify_ledger() AS v
		WHERE doctor.deep
	)
	SELECT f.severity, f.subject, f.problem, f.remedy
	FROM finding AS f
	ORDER BY f.place, f.subject, f.problem;
END;
COMMENT ON FUNCTION changemgmt.doctor(boolean) IS
	'What is not as it should be, and what to do: severity error (a rule does not hold, or something was tampered with), warning, note. With deep => true it verifies the ledger as well, which reads all of it.';
