--
-- doctor: each thing that is not as it should be is found, and nothing where
-- all is well; nobody drops the extension in passing.
--
\set QUIET on
BEGIN;
SELECT no_plan();

-- what it compares with is what the script creates

SELECT results_eq($$SELECT relation, columns, constraints, triggers, indexes, row_security FROM changemgmt.shipped_tables() ORDER BY relation COLLATE "C"$$, $$
	SELECT c.relname::text COLLATE "default",
		(SELECT count(*)::integer FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
		(SELECT count(*)::integer FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'f', 'c', 'x')),
		(SELECT t.triggers FROM changemgmt.shipped_tables() AS t
		 WHERE t.relation = c.relname AND ARRAY(SELECT u FROM unnest(string_to_array(t.triggers, ' ')) AS u ORDER BY u)
			= ARRAY(SELECT g.tgname::text FROM pg_trigger AS g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal ORDER BY g.tgname::text)),
		coalesce((SELECT string_agg(x.relname::text, ' ' ORDER BY x.relname COLLATE "C") FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
			WHERE i.indrelid = c.oid AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = x.oid AND k.conrelid = c.oid)), '') COLLATE "default",
		c.relrowsecurity
	FROM pg_class AS c WHERE c.relnamespace = 'changemgmt'::regnamespace AND c.relkind = 'r' ORDER BY c.relname$$,
	'the tables as they were shipped are those that were created');

SELECT is((SELECT string_agg(format('%s.%s: %s', relation, name, what), E'\n' ORDER BY relation, name) FROM (
	SELECT coalesce(s.relation, c.relation) AS relation, coalesce(s.name, c.name) AS name,
		CASE WHEN s.name IS NULL THEN 'add it to shipped[] and trigger_kinds[] of src/doctor.c'
			WHEN c.name IS NULL THEN 'take it out of shipped[]'
			ELSE format('trigger_kinds[] says %s', s) END AS what
	FROM changemgmt.shipped_triggers() AS s
	FULL JOIN (SELECT r.relname::text COLLATE "default" AS relation, g.tgname::text COLLATE "default" AS name,
			p.proname::text COLLATE "default" AS function, g.tgtype::integer AS type,
			CASE g.tgnargs WHEN 0 THEN '' ELSE (regexp_match(pg_get_triggerdef(g.oid), '\(''(.*)''\)$'))[1] END AS arguments,
			CASE WHEN g.tgoldtable IS NULL THEN '' ELSE g.tgoldtable::text END
				|| CASE WHEN g.tgoldtable IS NULL OR g.tgnewtable IS NULL THEN '' ELSE ' ' END
				|| CASE WHEN g.tgnewtable IS NULL THEN '' ELSE g.tgnewtable::text END AS transition,
			g.tgenabled::text AS enabled, g.tgqual IS NULL AND g.tgattr = '' AND NOT g.tgdeferrable AS is_plain
		FROM pg_trigger AS g JOIN pg_class AS r ON r.oid = g.tgrelid JOIN pg_proc AS p ON p.oid = g.tgfoid
		WHERE r.relnamespace = 'changemgmt'::regnamespace AND NOT g.tgisinternal) AS c
	ON c.relation = s.relation AND c.name = s.name
	WHERE (c.function, c.type, replace(c.arguments, $q$', '$q$, ' '), c.transition, c.enabled, c.is_plain)
		IS DISTINCT FROM (s.function, s.type, s.arguments, s.transition, s.enabled, true)) AS x),
	NULL, 'the triggers are those that were created: each has its line in trigger_kinds[] of src/doctor.c');
SELECT is((SELECT string_agg(CASE WHEN c.name IS NULL THEN format('take %s out of functions[] of src/doctor.c', s.name)
		ELSE format('functions[] of src/doctor.c needs the line {"%s", %s, "%s"},', c.name,
			CASE WHEN c.name = c.symbol THEN 'NULL' ELSE '"' || c.symbol || '"' END, c.manner) END, E'\n' ORDER BY c.name)
	FROM changemgmt.shipped_functions() AS s
	FULL JOIN (SELECT p.proname::text COLLATE "default" AS name, p.prosrc AS symbol,
			('{"i": "immutable", "s": "stable", "v": "volatile"}'::jsonb ->> p.provolatile::text)
				|| CASE WHEN p.proisstrict THEN ' strict' ELSE '' END AS manner
		FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
		WHERE p.pronamespace = 'changemgmt'::regnamespace AND l.lanname = 'c') AS c ON c.name = s.name
	WHERE (c.symbol, c.manner) IS DISTINCT FROM (s.symbol, s.manner)),
	NULL, 'the functions in C are those that were created: each has its line in functions[] of src/doctor.c');
SELECT is((SELECT count(*) FROM changemgmt.shipped_functions()), (SELECT count(DISTINCT name) FROM changemgmt.shipped_functions()),
	'and has it once: doctor() finds a function by its name');

SELECT results_eq('SELECT severity, subject, problem FROM changemgmt.doctor(true)',
	$$VALUES ('note', 'changemgmt.ledger', 'no checkpoint was ever taken')$$, 'a fresh extension lacks a checkpoint only');
SELECT ledger_checkpoint IS NOT NULL FROM changemgmt.ledger_checkpoint() \g /dev/null
SELECT is_empty('SELECT * FROM changemgmt.doctor(true)', 'and then nothing');

SELECT changemgmt.add_person(current_user::text), changemgmt.set_setting('number_prefix', 'X') \g /dev/null
SELECT id AS change FROM changemgmt.create_change('x', model => 'lean_normal') \gset
SELECT changemgmt.create_business_calendar('berlin', 'Europe/Berlin') \g /dev/null
SELECT changemgmt.publish_model('regress_counted', v::jsonb) FROM unnest(ARRAY['{"base": "normal", "calendar": "berlin"}', '{"base": "normal"}', '{"base": "normal", "calendar": "berlin"}']) AS v \g /dev/null
SELECT changemgmt.publish_model('regress_default', '{"base": "normal", "calendar": "default"}') \g /dev/null
CREATE FUNCTION public.regress_met(change_id bigint) RETURNS text STABLE LANGUAGE sql AS 'SELECT NULL::text';
SELECT changemgmt.register_requirement('regress_met', 'public.regress_met(bigint)') \g /dev/null
CREATE ROLE regress_doctor;
SELECT changemgmt.grant_role('regress_doctor', 'viewer') \g /dev/null

-- a defect, and what is said of it; each is taken back

CREATE FUNCTION pg_temp.after(statement text, as_role text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
	EXECUTE statement;
	IF as_role IS NOT NULL THEN EXECUTE format('SET LOCAL ROLE %I', as_role); END IF;
	SELECT string_agg(format('%s: %s: %s', severity, subject, problem), E'\n') INTO found FROM changemgmt.doctor(true);
	RAISE SQLSTATE 'RB000' USING message = coalesce(found, 'nothing');
EXCEPTION WHEN SQLSTATE 'RB000' THEN
	RETURN sqlerrm;
END $$;
SELECT is(pg_temp.after('SELECT 1'), 'nothing', 'without a defect there is nothing');

CREATE TEMP TABLE defect (statement text, said text);
INSERT INTO defect VALUES
	('DROP TRIGGER "Judge" ON changemgmt.change', 'error: changemgmt.change: trigger "Judge" is missing'),
	('ALTER TABLE changemgmt.change DISABLE TRIGGER zzz_stamp', 'error: changemgmt.change: trigger zzz_stamp is disabled'),
	('ALTER TABLE changemgmt.change ENABLE REPLICA TRIGGER zzz_stamp', 'error: changemgmt.change: trigger zzz_stamp is disabled'),
	('ALTER TABLE changemgmt.person ENABLE TRIGGER cache_invalidate_replica', 'error: changemgmt.person: trigger cache_invalidate_replica is disabled'),
	('CREATE FUNCTION public.regress_nothing() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END'';
		CREATE OR REPLACE TRIGGER truncate_guard BEFORE TRUNCATE ON changemgmt.team EXECUTE FUNCTION public.regress_nothing()',
		'error: changemgmt.team: trigger truncate_guard calls a function that is not the extension''s'),
	('CREATE OR REPLACE FUNCTION changemgmt.ledger_guard() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NEW; END''',
		'error: changemgmt.ledger_guard(): the function was replaced by one in plpgsql'),
	('CREATE OR REPLACE FUNCTION changemgmt.hidden_changes() RETURNS bigint[] STABLE LANGUAGE sql AS ''SELECT ARRAY[]::bigint[]''',
		'error: changemgmt.hidden_changes(): the function was replaced by one in sql'),
	('CREATE OR REPLACE FUNCTION changemgmt.hidden_changes() RETURNS bigint[] STABLE LANGUAGE internal AS ''pg_blocking_pids''',
		'error: changemgmt.hidden_changes(): the function was replaced by one in internal'),
	('CREATE OR REPLACE FUNCTION changemgmt.part_stamp() RETURNS trigger LANGUAGE c AS ''$libdir/changemgmt'', ''load_record''',
		'error: changemgmt.part_stamp(): the function was bound to load_record in place of part_stamp'),
	('CREATE OR REPLACE FUNCTION changemgmt.close(change_id bigint, reason text DEFAULT NULL, expected_revision bigint DEFAULT NULL)
		RETURNS changemgmt.change_state LANGUAGE c AS ''$libdir/changemgmt'', ''abort_change''',
		'error: changemgmt.close(bigint,text,bigint): the function was bound to abort_change in place of close_change'),
	('CREATE OR REPLACE FUNCTION changemgmt.ledger_guard() RETURNS trigger LANGUAGE c AS ''$libdir/plpgsql'', ''plpgsql_call_handler''',
		'error: changemgmt.ledger_guard(): the function was replaced by one of library $libdir/plpgsql'),
	('ALTER FUNCTION changemgmt.verify_ledger(text, bigint) STRICT', format('error: changemgmt.verify_ledger(text,bigint): the function is %s strict in place of %1$s',
		(SELECT '{"s": "stable", "v": "volatile"}'::jsonb ->> provolatile::text FROM pg_proc WHERE oid = 'changemgmt.verify_ledger(text, bigint)'::regprocedure))),
	('ALTER FUNCTION changemgmt.hidden_changes() IMMUTABLE', 'error: changemgmt.hidden_changes(): the function is immutable in place of stable'),
	('ALTER FUNCTION changemgmt.hidden_changes() SECURITY DEFINER SET search_path = pg_catalog, pg_temp',
		'error: changemgmt.hidden_changes(): the function is SECURITY DEFINER: it takes the owner for the caller'),
	('ALTER FUNCTION changemgmt.add_risk(bigint, text, text, text, text) SET session_replication_role = replica',
		'error: changemgmt.add_risk(bigint,text,text,text,text): the function runs with session_replication_role=replica'),
	('CREATE OR REPLACE FUNCTION changemgmt.change_header(change_id bigint) RETURNS text STABLE LANGUAGE internal AS ''int8out''',
		'error: changemgmt.change_header(bigint): the function was replaced by one in internal'),
	('CREATE OR REPLACE FUNCTION changemgmt.change_header(change_id bigint) RETURNS text STABLE LANGUAGE c AS ''$libdir/changemgmt'', ''change_number''',
		'error: changemgmt.change_header(bigint): the function was replaced by one in c'),
	('SET LOCAL changemgmt.allow_drop = on; ALTER EXTENSION changemgmt DROP FUNCTION changemgmt.merkle_root(bytea[]);
		ALTER FUNCTION changemgmt.merkle_root(bytea[]) SET SCHEMA public; SET LOCAL changemgmt.allow_drop = off',
		'error: changemgmt.merkle_root: the function is gone'),
	('DROP TRIGGER "Judge" ON changemgmt.change;
		CREATE TRIGGER "Judge" AFTER INSERT ON changemgmt.change EXECUTE FUNCTION changemgmt.load_record()',
		'error: changemgmt.change: trigger "Judge" calls changemgmt.load_record() in place of lifecycle_judge()'),
	('CREATE OR REPLACE TRIGGER zzz_stamp BEFORE INSERT OR UPDATE ON changemgmt.change FOR EACH ROW EXECUTE FUNCTION changemgmt.part_stamp()',
		'error: changemgmt.change: trigger zzz_stamp calls changemgmt.part_stamp() in place of lifecycle_stamp()'),
	('CREATE OR REPLACE TRIGGER "Judge" AFTER INSERT ON changemgmt.change FOR EACH ROW EXECUTE FUNCTION changemgmt.lifecycle_judge()',
		'error: changemgmt.change: trigger "Judge" has not the events, level, condition or arguments with which it was shipped'),
	('CREATE OR REPLACE TRIGGER "Judge" AFTER INSERT OR UPDATE OR DELETE ON changemgmt.change FOR EACH ROW WHEN (false) EXECUTE FUNCTION changemgmt.lifecycle_judge()',
		'error: changemgmt.change: trigger "Judge" has not the events, level, condition or arguments with which it was shipped'),
	('CREATE OR REPLACE TRIGGER "Judge" AFTER INSERT OR UPDATE OF title OR DELETE ON changemgmt.change FOR EACH ROW EXECUTE FUNCTION changemgmt.lifecycle_judge()',
		'error: changemgmt.change: trigger "Judge" has not the events, level, condition or arguments with which it was shipped'),
	('CREATE OR REPLACE TRIGGER record AFTER INSERT OR UPDATE OR DELETE ON changemgmt.person FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_record(''email'', ''phone'', ''chat'', ''name'')',
		'error: changemgmt.person: trigger record has not the events, level, condition or arguments with which it was shipped'),
	('DROP TRIGGER "Judge" ON changemgmt.change; CREATE CONSTRAINT TRIGGER "Judge" AFTER INSERT OR UPDATE OR DELETE ON changemgmt.change
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION changemgmt.lifecycle_judge()',
		'error: changemgmt.change: trigger "Judge" has not the events, level, condition or arguments with which it was shipped'),
	('CREATE OR REPLACE TRIGGER part_updated AFTER UPDATE ON changemgmt.change_item REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed()',
		'error: changemgmt.change_item: trigger part_updated has not the events, level, condition or arguments with which it was shipped'),
	('ALTER FUNCTION changemgmt.add_board(text, text) RESET search_path',
		'error: changemgmt.add_board(text,text): the function is SECURITY DEFINER, and its search_path is not pinned'),
	('DROP EVENT TRIGGER changemgmt_drop_guard', NULL),
	('ALTER EVENT TRIGGER changemgmt_drop_guard DISABLE', 'error: changemgmt_drop_guard: the event trigger is disabled, or not always enabled'),
	('ALTER EVENT TRIGGER changemgmt_drop_guard ENABLE', 'error: changemgmt_drop_guard: the event trigger is disabled, or not always enabled'),
	('ALTER TABLE changemgmt.change_risk DROP CONSTRAINT change_risk_likelihood_check', 'error: changemgmt.change_risk: 7 of its 8 constraints are there'),
	('ALTER TABLE changemgmt.change DISABLE ROW LEVEL SECURITY',
		'error: changemgmt.change: row-level security is off: confidential changes show'),
	('DROP POLICY visible ON changemgmt.ledger', 'error: changemgmt.ledger: the policy visible is missing'),
	('CREATE RULE quiet AS ON DELETE TO changemgmt.change DO INSTEAD NOTHING', 'error: changemgmt.change: rule quiet rewrites statements'),
	('CREATE TABLE public.regress_child () INHERITS (changemgmt.approval_vote)',
		'error: changemgmt.approval_vote: rows of the child table public.regress_child count as its own, and no rule holds there'),
	('ALTER TABLE changemgmt.ledger_checkpoint_head SET UNLOGGED', 'error: changemgmt.ledger_checkpoint_head: the table is unlogged: a crash empties it'),
	('DROP FUNCTION public.regress_met(bigint)', 'error: regress_met: the function of the requirement is gone: what needs it is refused'),
	('UPDATE changemgmt.business_calendar SET name = ''bonn''',
		'error: regress_counted: the business calendar berlin of the model is gone, or has no hours: its notice is never met'),
	('DELETE FROM changemgmt.business_hours',
		'error: regress_counted: the business calendar berlin of the model is gone, or has no hours: its notice is never met'),
	('SET LOCAL changemgmt.allow_drop = on', 'warning: changemgmt.allow_drop: this session can drop the extension with all changes'),
	('ALTER ROLE regress_doctor SET changemgmt.actor = ''anna''', 'warning: changemgmt.actor: is set to ''anna'' for regress_doctor'),
	('ALTER ROLE regress_doctor SET session_replication_role = replica', 'warning: session_replication_role: is set to ''replica'' for regress_doctor'),
	('GRANT INSERT, UPDATE ON changemgmt.change TO regress_doctor', 'warning: changemgmt.change: regress_doctor holds INSERT, UPDATE'),
	('GRANT SELECT ON changemgmt.person TO PUBLIC', 'warning: changemgmt.person: PUBLIC holds SELECT'),
	('GRANT EXECUTE ON FUNCTION changemgmt.acting_person() TO PUBLIC', 'warning: changemgmt.acting_person(): PUBLIC may execute the function'),
	('ALTER TABLE changemgmt.team_member OWNER TO regress_doctor',
		format('warning: changemgmt.team_member: belongs to regress_doctor, the ledger to %s', current_user)),
	('ALTER ROLE regress_doctor RENAME TO regress_surgeon', 'warning: regress_doctor: has the duty viewer on record, and there is no such role'),
	('ALTER TABLE changemgmt.team ADD COLUMN cost_centre text', 'warning: changemgmt.team: column cost_centre is not the extension''s: a dump of its rows cannot be restored'),
	('CREATE FUNCTION public.regress_nothing() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END'';
		CREATE TRIGGER zz AFTER UPDATE ON changemgmt.team EXECUTE FUNCTION public.regress_nothing()',
		'note: changemgmt.team: trigger zz is the site''s: it runs as the owner, and is not in a dump'),
	('CREATE INDEX regress_idx ON changemgmt.change (title)', 'note: changemgmt.change: index "changemgmt.regress_idx" is the site''s: it is not in a dump'),
	('DROP INDEX changemgmt.change_open_idx', 'note: changemgmt.change: index change_open_idx is missing: some statements are slow'),
	('CREATE POLICY ours ON changemgmt.change FOR SELECT USING (true)', 'error: changemgmt.change: policy ours is permissive: it shows confidential changes'),
	('CREATE POLICY visible_cause ON changemgmt.change USING (EXISTS (SELECT FROM changemgmt.incident_cause))',
		'error: changemgmt.change: policy visible_cause is permissive: it shows confidential changes'),
	('CREATE POLICY ours ON changemgmt.change AS RESTRICTIVE USING (true)', 'note: changemgmt.change: policy ours is the site''s: it is not in a dump'),
	('CREATE POLICY ours ON changemgmt.team USING (true)', 'note: changemgmt.team: policy ours is the site''s: it is not in a dump'),
	('ALTER POLICY visible ON changemgmt.change USING (true)', 'error: changemgmt.change: the policy visible is not that of the extension'),
	('ALTER POLICY visible ON changemgmt.change_item TO regress_doctor', 'error: changemgmt.change_item: the policy visible is not that of the extension'),
	('ALTER POLICY visible ON changemgmt.change_item WITH CHECK (true)', 'error: changemgmt.change_item: the policy visible is not that of the extension'),
	('DROP POLICY visible ON changemgmt.change_item;
		CREATE POLICY visible ON changemgmt.change_item FOR SELECT USING (change_id <> ALL (changemgmt.hidden_changes()))',
		'error: changemgmt.change_item: the policy visible is not that of the extension'),
	('DROP POLICY visible ON changemgmt.change_item;
		CREATE POLICY visible ON changemgmt.change_item AS RESTRICTIVE USING (change_id <> ALL (changemgmt.hidden_changes()))',
		'error: changemgmt.change_item: the policy visible is not that of the extension'),
	('DROP POLICY visible_cause ON changemgmt.ledger', 'error: changemgmt.ledger: the policy visible_cause is missing'),
	('ALTER POLICY visible_cause ON changemgmt.ledger USING (true)', 'error: changemgmt.ledger: the policy visible_cause is not that of the extension'),
	('DROP POLICY visible_item ON changemgmt.ledger', 'error: changemgmt.ledger: the policy visible_item is missing'),
	('ALTER POLICY visible_item ON changemgmt.ledger USING (true)', 'error: changemgmt.ledger: the policy visible_item is not that of the extension'),
	('ALTER TABLE changemgmt.team ADD CHECK (name <> ''x'') NOT VALID', E'error: changemgmt.team: constraint team_name_check1 was never validated\nnote: changemgmt.team: has 6 constraints, 1 of them the site''s: those are not in a dump'),
	('GRANT CREATE ON SCHEMA changemgmt TO regress_doctor', 'error: schema changemgmt: regress_doctor may create in it: a function of theirs could be called in place of the extension''s'),
	('CREATE FUNCTION changemgmt.submit(integer) RETURNS text LANGUAGE sql AS ''SELECT NULL::text''; REVOKE ALL ON FUNCTION changemgmt.submit(integer) FROM PUBLIC', 'error: changemgmt.submit(integer): the function is not the extension''s: it could be called in place of one that is'),
	('SET LOCAL changemgmt.allow_drop = on; ALTER SCHEMA changemgmt OWNER TO regress_doctor; SET LOCAL changemgmt.allow_drop = off', format('error: schema changemgmt: belongs to regress_doctor, the extension to %s: who owns a schema can drop it, and put functions in it', current_user)),
	('GRANT SET ON PARAMETER changemgmt.actor TO regress_doctor', 'note: changemgmt.actor: regress_doctor may act as anybody');
UPDATE defect SET said = 'error: changemgmt_drop_guard: the event trigger is missing' WHERE said IS NULL;
UPDATE defect SET statement = 'ALTER EXTENSION changemgmt DROP EVENT TRIGGER changemgmt_drop_guard; DROP EVENT TRIGGER changemgmt_drop_guard'
	WHERE statement LIKE 'DROP EVENT%';
SET LOCAL client_min_messages = error;
SELECT is(pg_temp.after(CASE WHEN statement LIKE 'ALTER EXTENSION%' THEN 'SET LOCAL changemgmt.allow_drop = on; ' || statement || '; SET LOCAL changemgmt.allow_drop = off'
	ELSE statement END), said, left(statement, 80)) FROM defect;
SELECT is(pg_temp.after('SET LOCAL session_replication_role = replica; UPDATE changemgmt.change SET title = ''y''; SET LOCAL session_replication_role = origin'),
	format('error: changemgmt.change %s entry 1: the row is not what the last entry recorded', :change), 'what was tampered with');
SELECT is(pg_temp.after('SET LOCAL session_replication_role = replica'),
	'warning: session_replication_role: this session fires no trigger of the extension', 'and a session that could');
-- nor does it matter what the caller's path is
SELECT pg_temp.after('SET LOCAL search_path = changemgmt, pg_catalog') AS in_its_schema,
	pg_temp.after('SET LOCAL search_path = changemgmt, pg_catalog;
		CREATE OR REPLACE FUNCTION changemgmt.part_stamp() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN new; END'';
		ALTER POLICY visible ON changemgmt.ledger USING (subject_id <> ALL (changemgmt.hidden_changes()));
		CREATE OR REPLACE TRIGGER zzz_stamp BEFORE INSERT OR UPDATE ON changemgmt.change FOR EACH ROW EXECUTE FUNCTION changemgmt.vote_stamp()') AS defects \gset
SELECT is(:'in_its_schema'::text, 'nothing', 'with changemgmt in the search_path there is nothing, too');
SELECT is(:'defects'::text, E'error: changemgmt.change: trigger zzz_stamp calls changemgmt.vote_stamp() in place of lifecycle_stamp()\n'
	'error: changemgmt.part_stamp(): the function was replaced by one in plpgsql', 'and the same defects are found');
SELECT is((SELECT count(*) FROM changemgmt.doctor() WHERE subject LIKE 'changemgmt.change %'), 0::bigint, 'the ledger is read where asked only');
SELECT is(pg_temp.after('GRANT SELECT ON changemgmt.person TO PUBLIC', 'regress_doctor'), 'warning: changemgmt.person: PUBLIC holds SELECT',
	'a viewer can ask');
SELECT is_empty($$SELECT * FROM changemgmt.doctor() WHERE severity NOT IN ('error', 'warning', 'note') OR subject IS NULL OR problem IS NULL OR remedy IS NULL$$,
	'no column is null');

-- the drop guard

CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RAISE SQLSTATE 'RB000';
EXCEPTION WHEN SQLSTATE 'RB000' THEN
	RETURN 'done';
WHEN OTHERS THEN
	RETURN sqlstate || ': ' || sqlerrm;
END $$;
SELECT is(pg_temp.refusal(s), 'MC006: ' || m || ' is refused: changemgmt holds changes', s)
FROM (VALUES ('DROP EXTENSION changemgmt', 'DROP EXTENSION'), ('DROP EXTENSION IF EXISTS pgtap, changemgmt CASCADE', 'DROP EXTENSION'),
	('DROP SCHEMA changemgmt CASCADE', 'DROP SCHEMA'), ('DROP SCHEMA IF EXISTS nowhere, changemgmt CASCADE', 'DROP SCHEMA'),
	(format('DROP OWNED BY regress_doctor, %I CASCADE', current_user), 'DROP OWNED'), ('DROP OWNED BY CURRENT_USER', 'DROP OWNED'),
	('ALTER SCHEMA changemgmt RENAME TO gone', 'ALTER SCHEMA'), ('ALTER SCHEMA changemgmt OWNER TO regress_doctor', 'ALTER SCHEMA'),
	('SET LOCAL changemgmt.allow_drop = on; ALTER SCHEMA changemgmt OWNER TO regress_doctor; SET LOCAL changemgmt.allow_drop = off; DROP OWNED BY regress_doctor CASCADE', 'DROP OWNED'),
	('ALTER VIEW changemgmt.cab_queue OWNER TO regress_doctor; DROP OWNED BY regress_doctor CASCADE', 'DROP OWNED'),
	('SET LOCAL session_replication_role = replica; DROP EXTENSION changemgmt CASCADE', 'DROP EXTENSION'),
	('ALTER EXTENSION changemgmt DROP TABLE changemgmt.change', 'ALTER EXTENSION'),
	('ALTER EXTENSION changemgmt DROP EVENT TRIGGER changemgmt_drop_guard', 'ALTER EXTENSION')) AS v (s, m);
SELECT is(pg_temp.refusal(s), 'done', s) FROM unnest(ARRAY['CREATE SCHEMA regress_s; DROP SCHEMA regress_s', 'DROP EXTENSION IF EXISTS nowhere',
	'DROP OWNED BY regress_doctor', 'ALTER EXTENSION changemgmt UPDATE',
	'SET LOCAL changemgmt.allow_drop = on; DROP EXTENSION changemgmt CASCADE',
	'SET LOCAL changemgmt.allow_drop = on; DROP SCHEMA changemgmt CASCADE']) AS s;
SELECT matches(pg_temp.refusal(s), '^2BP01', s) FROM unnest(ARRAY['DROP TABLE changemgmt.change CASCADE', 'DROP EVENT TRIGGER changemgmt_drop_guard',
	'DROP FUNCTION changemgmt.ledger_guard() CASCADE', 'DROP TABLE changemgmt.ledger', 'DROP VIEW changemgmt.change_fact']) AS s;
SET LOCAL ROLE regress_doctor;
SELECT throws_ok('SET changemgmt.allow_drop = on', '42501', NULL, 'who is no superuser does not lift it');
RESET ROLE;
SELECT throws_ok('SELECT changemgmt.drop_guard()', '39P03', NULL, 'it is no function to call');
DELETE FROM changemgmt.change;
SELECT is(pg_temp.refusal('DROP EXTENSION changemgmt CASCADE'), 'done', 'without changes it goes');

SELECT * FROM finish();
ROLLBACK;
