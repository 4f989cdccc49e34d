-- Ways round the rules that are no plain INSERT, UPDATE or DELETE of a change:
-- statements in disguise, a user's views, rules, keys, triggers and tables,
-- sequences and ids, roles with privileges but no duty, and what an owner can
-- do and cannot hide. doors.sql has the doors themselves, bypass_columns.sql
-- every column, bypass_vote.sql votes and what belongs to somebody.
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;
SELECT no_plan();

SET LOCAL client_min_messages = warning;

CREATE FUNCTION pg_temp.code(sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE sql;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END
$$;
CREATE FUNCTION pg_temp.code_as(role text, sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE sql;
	RESET ROLE;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END
$$;
-- All there is, as one text.
CREATE FUNCTION pg_temp.everything() RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	relation text;
	part text;
	result text := '';
BEGIN
	FOR relation IN SELECT relname FROM pg_class WHERE relnamespace = 'changemgmt'::regnamespace AND relkind = 'r' ORDER BY 1 LOOP
		EXECUTE format('SELECT coalesce(string_agg(md5(t::text), '''' ORDER BY md5(t::text)), '''') FROM ONLY changemgmt.%I AS t', relation) INTO part;
		result := md5(result || part);
	END LOOP;
	RETURN result;
END
$$;
-- The same, undone if it went through.
CREATE FUNCTION pg_temp.code_undone(sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE sql;
	RAISE SQLSTATE 'ZZ001';
EXCEPTION
	WHEN SQLSTATE 'ZZ001' THEN RETURN 'ok';
	WHEN OTHERS THEN RETURN sqlstate;
END
$$;
-- Refused with one of these codes, nothing is left of it, the trail is whole.
CREATE FUNCTION pg_temp.shut(sql text, codes text, why text) RETURNS SETOF text
	LANGUAGE plpgsql AS
$$
DECLARE
	before text := pg_temp.everything();
BEGIN
	RETURN NEXT matches(pg_temp.code_undone(sql), '^(' || codes || ')$', why);
	RETURN NEXT ok(pg_temp.everything() = before AND NOT EXISTS (SELECT FROM changemgmt.verify_ledger()),
		why || ': nothing is left of it');
END
$$;
-- Goes through, with so many entries in the trail, which is whole.
CREATE FUNCTION pg_temp.open(sql text, entries int, why text) RETURNS SETOF text
	LANGUAGE plpgsql AS
$$
DECLARE
	before bigint := (SELECT count(*) FROM changemgmt.ledger);
BEGIN
	RETURN NEXT is(pg_temp.code(sql), 'ok', why);
	RETURN NEXT is((SELECT count(*) FROM changemgmt.ledger) - before, entries::bigint, why || ': ledger entries');
	RETURN NEXT is_empty('SELECT * FROM changemgmt.verify_ledger()', why || ': the trail is whole');
END
$$;

SET LOCAL changemgmt.actor = 'ada';
SELECT changemgmt.add_person(p) FROM unnest('{ada,bob,lead,regress_writer,regress_all}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_team('dba', 'lead'), changemgmt.add_ci('db1') \g /dev/null
SELECT changemgmt.set_ci('db1', is_exclusive => false) \g /dev/null
CREATE FUNCTION pg_temp.planned(title text, model text DEFAULT 'lean_normal') RETURNS bigint
	LANGUAGE sql AS
$$
	SELECT id FROM changemgmt.create_change(title, model => model, owner => 'ada', team => 'dba',
		description => 'd', justification => 'j', user_impact => 'none',
		risk_level => 'low', rollback_trigger => 'errors', rollback_plan => 'back',
		rollback_minutes => 5, verification_plan => 'look', items => '{db1}', planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day');
$$;
CREATE FUNCTION pg_temp.made(title text, status text, model text DEFAULT 'lean_standard') RETURNS bigint
	LANGUAGE plpgsql AS
$$
DECLARE
	change_id bigint := pg_temp.planned(title, model);
BEGIN
	PERFORM changemgmt.add_risk(change_id, 'risk', 'low', 'low');
	PERFORM changemgmt.add_comment(change_id, 'comment');
	PERFORM changemgmt.advance(change_id, status, evidence => 'seen');
	RETURN change_id;
END
$$;
SELECT pg_temp.made('draft', 'draft') AS draft, pg_temp.made('waiting', 'awaiting_approval', 'lean_normal') AS waiting,
	pg_temp.made('running', 'in_progress') AS running, pg_temp.made('done', 'closed') AS done \gset

-- What stands in the catalog

SELECT is_empty($$SELECT conrelid::regclass, conname FROM pg_constraint
	WHERE connamespace = 'changemgmt'::regnamespace AND contype = 'f'
		AND (confdeltype NOT IN ('a', 'r') OR confupdtype NOT IN ('a', 'r'))$$, 'no foreign key of ours cascades');
SELECT is_empty($$SELECT conrelid::regclass, conname FROM pg_constraint
	WHERE connamespace = 'changemgmt'::regnamespace AND (condeferrable OR condeferred OR NOT convalidated)$$,
	'no constraint of ours can be put off, none is unproven');
SELECT is_empty($$SELECT tgrelid::regclass, tgname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
	WHERE c.relnamespace = 'changemgmt'::regnamespace AND (t.tgenabled = 'D' OR t.tgdeferrable)$$,
	'no trigger of ours is off, or can be put off');
SELECT is_empty($$SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'changemgmt'::regnamespace AND c.relkind = 'r'
	AND NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND t.tgtype & 32 = 32 AND t.tgtype & 2 = 2)$$,
	'every table refuses TRUNCATE');
SELECT is_empty($$SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'changemgmt'::regnamespace AND c.relkind = 'r'
	AND c.relname NOT IN ('load', 'ledger_checkpoint', 'ledger_checkpoint_head')
	AND NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND t.tgname = 'load_record_before')$$,
	'every table that takes history asks who brings it before the first row');
SELECT is_empty($$SELECT ev_class::regclass, rulename FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class
	WHERE c.relnamespace = 'changemgmt'::regnamespace AND r.rulename <> '_RETURN'$$, 'no table of ours has a rule');

-- Statements in disguise

SELECT pg_temp.shut(format(sql, :running, :done, :draft), code, format(sql, 'running', 'done', 'draft'))
FROM (VALUES
	('UPDATE changemgmt.change AS c SET status = x.s FROM (VALUES (%1$s, ''closed'')) AS x (id, s) WHERE c.id = x.id', 'MC001'),
	('UPDATE changemgmt.change_risk AS r SET impact = ''high'' FROM changemgmt.change AS c WHERE c.id = r.change_id AND c.status = ''in_progress''', 'MC005'),
	('UPDATE changemgmt.change SET (status, outcome) = (SELECT ''closed'', ''successful'') WHERE id = %1$s', 'MC001'),
	('DELETE FROM changemgmt.change AS c USING changemgmt.person AS p WHERE c.owner_id = p.id', 'MC006'),
	('DELETE FROM changemgmt.change_risk AS r USING changemgmt.change AS c WHERE c.id = r.change_id AND c.id = %2$s', 'MC005'),
	('DELETE FROM changemgmt.change_item WHERE change_id = %1$s', 'MC005'),
	('WITH d AS (DELETE FROM changemgmt.change_risk WHERE change_id = %1$s RETURNING *) SELECT count(*) FROM d', 'MC005'),
	('WITH m AS (DELETE FROM changemgmt.change_risk WHERE change_id = %1$s RETURNING *) INSERT INTO changemgmt.change_risk SELECT * FROM m', 'MC005'),
	('MERGE INTO changemgmt.change_risk AS r USING changemgmt.change AS c ON c.id = r.change_id WHEN MATCHED AND c.id = %1$s THEN DELETE', 'MC005'),
	('MERGE INTO changemgmt.change_risk AS r USING changemgmt.change AS c ON c.id = r.change_id WHEN MATCHED THEN UPDATE SET mitigation = ''m''', 'MC005'),
	('MERGE INTO changemgmt.change_item AS i USING (SELECT id FROM changemgmt.change WHERE id = %2$s) AS c ON false
		WHEN NOT MATCHED THEN INSERT (change_id, ci_id) VALUES (c.id, changemgmt.ci_id(''db1''))', '23505|MC005'),
	('INSERT INTO changemgmt.change_item (change_id, ci_id) SELECT %1$s, changemgmt.ci_id(''db1'') ON CONFLICT (change_id, ci_id) DO UPDATE SET role = ''affected''', 'MC005'),
	('EXPLAIN (ANALYZE) UPDATE changemgmt.change SET status = ''closed'' WHERE id = %1$s', 'MC001'),
	('CREATE TEMP TABLE kept AS WITH u AS (UPDATE changemgmt.change SET status = ''closed'' WHERE id = %1$s RETURNING id) SELECT * FROM u', 'MC001|0A000'),
	('UPDATE changemgmt.change SET ctid = ''(0,1)'' WHERE id = %1$s', '0A000'),
	('UPDATE changemgmt.change SET xmin = 1 WHERE id = %1$s', '0A000'),
	('UPDATE changemgmt.change SET tableoid = 1 WHERE id = %1$s', '0A000'),
	('UPDATE changemgmt.change SET status = ''closed'' WHERE ctid = (SELECT ctid FROM changemgmt.change WHERE id = %1$s)', 'MC001'),
	('UPDATE ONLY changemgmt.change SET status = ''closed'' WHERE id = %1$s', 'MC001'),
	('UPDATE changemgmt.change SET status = DEFAULT WHERE id = %1$s', 'MC001'),
	('INSERT INTO changemgmt.change DEFAULT VALUES', 'MC008'),
	('INSERT INTO changemgmt.change (id, title) OVERRIDING SYSTEM VALUE VALUES (%1$s, ''again'')', '23505'),
	('INSERT INTO changemgmt.change SELECT * FROM changemgmt.change WHERE id = %2$s', '23505'),
	('INSERT INTO changemgmt.change SELECT (jsonb_populate_record(NULL::changemgmt.change, to_jsonb(c) || ''{"id": 880088}'')).* FROM changemgmt.change AS c WHERE id = %2$s', 'MC001|MC005|23505')
) AS v (sql, code);
SELECT pg_temp.open(format(sql, :draft), entries, format(sql, 'draft'))
FROM (VALUES
	('EXPLAIN (ANALYZE) UPDATE changemgmt.change SET title = ''explained'' WHERE id = %s', 1),
	('UPDATE changemgmt.change SET title = ''by place'' WHERE ctid = (SELECT ctid FROM changemgmt.change WHERE id = %s)', 1),
	('INSERT INTO changemgmt.change (id, title) OVERRIDING USER VALUE VALUES (%s, ''another'')', 1),
	('WITH m AS (DELETE FROM changemgmt.change_risk WHERE change_id = %s RETURNING *) INSERT INTO changemgmt.change_risk SELECT * FROM m', 2)
) AS v (sql, entries);
CREATE FUNCTION pg_temp.close(subject bigint) RETURNS text LANGUAGE plpgsql AS
	$$BEGIN UPDATE changemgmt.change SET status = 'closed' WHERE id = subject; RETURN 'closed'; END$$;
CREATE FUNCTION public.regress_close() RETURNS text LANGUAGE plpgsql AS
	$$BEGIN UPDATE changemgmt.change SET status = 'closed' WHERE title = 'running'; RETURN 'closed'; END$$;
CREATE FUNCTION public.regress_fixed(n integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
	$$BEGIN PERFORM public.regress_close(); RETURN n; END$$;
CREATE TABLE public.regress_numbers AS SELECT 1 AS n;
CREATE DOMAIN pg_temp.closing AS text CHECK (public.regress_close() = value);
SELECT pg_temp.shut(sql, code, sql) FROM (VALUES
	('SELECT public.regress_close()', 'MC001'),
	('SELECT * FROM changemgmt.change ORDER BY public.regress_close()', 'MC001'),
	('SELECT ''closed''::pg_temp.closing', 'MC001'),
	('CREATE INDEX ON public.regress_numbers (public.regress_fixed(n))', 'MC001|42501|55000|25006'),
	('CREATE MATERIALIZED VIEW public.regress_seen AS SELECT public.regress_close()', 'MC001'),
	('CREATE TABLE public.regress_default (c text DEFAULT public.regress_close()); INSERT INTO public.regress_default DEFAULT VALUES', 'MC001'),
	('ALTER TABLE public.regress_numbers ADD COLUMN c text DEFAULT public.regress_close()', 'MC001'),
	('LOCK TABLE changemgmt.change IN ACCESS EXCLUSIVE MODE; SELECT public.regress_close()', 'MC001'),
	('SET CONSTRAINTS ALL DEFERRED; SELECT public.regress_close()', 'MC001')) AS v (sql, code);

-- A user's views

CREATE VIEW pg_temp.checked AS SELECT id, title, status FROM changemgmt.change WHERE status = 'in_progress' WITH CASCADED CHECK OPTION;
CREATE VIEW pg_temp.barrier WITH (security_barrier) AS SELECT id, title, status FROM changemgmt.change;
CREATE VIEW pg_temp.invoker WITH (security_invoker) AS SELECT * FROM changemgmt.change_risk;
CREATE VIEW pg_temp.over_view AS SELECT * FROM pg_temp.barrier WITH LOCAL CHECK OPTION;
SELECT pg_temp.shut(format(sql, :running), code, sql) FROM (VALUES
	('UPDATE pg_temp.checked SET status = ''closed'' WHERE id = %s', '44000|MC001'),
	('UPDATE pg_temp.checked SET title = ''x'' WHERE id = %s', 'MC005'),
	('UPDATE pg_temp.barrier SET status = ''closed'' WHERE id = %s', 'MC001'),
	('UPDATE pg_temp.over_view SET status = ''closed'' WHERE id = %s', 'MC001'),
	('DELETE FROM pg_temp.over_view WHERE id = %s', 'MC006'),
	('INSERT INTO pg_temp.over_view (title, status) VALUES (''x'', ''closed'')', 'MC001'),
	('INSERT INTO pg_temp.invoker (change_id, description, likelihood, impact) VALUES (%s, ''x'', ''low'', ''low'')', 'MC005'),
	('DELETE FROM pg_temp.invoker WHERE change_id = %s', 'MC005')) AS v (sql, code);

-- A user's rules on our tables: the verbs notice, or nothing happens

SAVEPOINT ruled;
CREATE RULE nothing AS ON UPDATE TO changemgmt.change DO INSTEAD NOTHING;
SELECT pg_temp.shut(format('SELECT changemgmt.plan(%s)', :draft), '27000|MC\d+|0A000', 'a rule that swallows updates of change: a verb');
SELECT pg_temp.shut(format('SELECT changemgmt.add_risk(%s, ''r'', ''low'', ''low'')', :draft), '27000|MC\d+|0A000', 'a rule that swallows updates of change: a part');
ROLLBACK TO ruled;
CREATE RULE nothing AS ON INSERT TO changemgmt.ledger DO INSTEAD NOTHING;
SELECT pg_temp.open(format('SELECT changemgmt.plan(%s)', :draft), 1, 'a rule that swallows entries swallows none');
ROLLBACK TO ruled;
CREATE RULE also AS ON INSERT TO changemgmt.change_comment DO ALSO UPDATE changemgmt.change SET status = 'closed' WHERE id = new.change_id;
SELECT pg_temp.shut(format('SELECT changemgmt.add_comment(%s, ''x'')', :running), 'MC001', 'a rule that does more');
ROLLBACK TO ruled;

-- A user's foreign keys

CREATE TABLE public.regress_ours (id bigint REFERENCES changemgmt.change ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO public.regress_ours VALUES (:done), (:running);
SELECT pg_temp.shut(format('DELETE FROM changemgmt.change WHERE id = %s', :done), 'MC006', 'a key that cascades from change to a table of the user''s');
SELECT pg_temp.shut('TRUNCATE public.regress_ours, changemgmt.change CASCADE', 'MC006', 'TRUNCATE together with a table of the user''s');
SELECT is((SELECT count(*) FROM public.regress_ours), 2::bigint, 'the user''s rows are there');
SAVEPOINT keyed;
CREATE TABLE public.regress_parent (login text PRIMARY KEY);
INSERT INTO public.regress_parent VALUES ('draft'), ('waiting'), ('running'), ('done');
ALTER TABLE changemgmt.change ADD CONSTRAINT of_the_site FOREIGN KEY (title) REFERENCES public.regress_parent
	ON DELETE CASCADE ON UPDATE CASCADE NOT VALID;
SELECT pg_temp.shut(sql, code, 'a key from change: ' || sql) FROM (VALUES
	('DELETE FROM public.regress_parent WHERE login = ''done''', 'MC006'),
	('UPDATE public.regress_parent SET login = ''other'' WHERE login = ''running''', 'MC005'),
	('TRUNCATE public.regress_parent CASCADE', 'MC006')) AS v (sql, code);
ALTER TABLE changemgmt.change DROP CONSTRAINT of_the_site;
ALTER TABLE changemgmt.change ADD CONSTRAINT of_the_site FOREIGN KEY (title) REFERENCES public.regress_parent
	ON DELETE SET NULL ON UPDATE SET DEFAULT DEFERRABLE INITIALLY DEFERRED NOT VALID;
SELECT pg_temp.shut('DELETE FROM public.regress_parent WHERE login = ''running''; SET CONSTRAINTS ALL IMMEDIATE', 'MC005|MC008',
	'a key from change that sets null');
ROLLBACK TO keyed;

-- A user's triggers on parts and votes

CREATE FUNCTION public.regress_meddle() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
	CASE tg_argv[0]
		WHEN 'suppress' THEN RETURN NULL;
		WHEN 'comment' THEN new.created_at := '1999-01-01';
		WHEN 'author' THEN new.author_id := (SELECT id FROM changemgmt.person WHERE login = 'bob');
		WHEN 'voter' THEN new.person_id := (SELECT id FROM changemgmt.person WHERE login = 'bob');
		WHEN 'voted' THEN new.voted_at := '1999-01-01';
		WHEN 'seal' THEN new.seal := sha256('x');
		WHEN 'planned' THEN new.is_planned := NOT new.is_planned;
		WHEN 'doer' THEN new.done_by_id := NULL;
		WHEN 'done' THEN new.done_at := '1999-01-01';
		WHEN 'raise' THEN UPDATE changemgmt.change SET status = 'closed' WHERE id = new.change_id;
		WHEN 'wipe' THEN DELETE FROM changemgmt.change_risk;
	END CASE;
	RETURN new;
END
$$;
CREATE FUNCTION pg_temp.with_trigger(relation text, name text, timing text, what text, sql text) RETURNS text
	LANGUAGE sql AS
$$
	SELECT format('DO %L', format('BEGIN CREATE TRIGGER %I %s ON changemgmt.%I FOR EACH %s EXECUTE FUNCTION public.regress_meddle(%L); %s; DROP TRIGGER %I ON changemgmt.%I; END',
		name, timing, relation, CASE WHEN what = 'wipe' THEN 'STATEMENT' ELSE 'ROW' END, what, sql, name, relation));
$$;
SET LOCAL changemgmt.actor = 'lead';
SELECT pg_temp.shut(pg_temp.with_trigger(relation, name, timing, what, format(sql, :waiting, :running)), code,
	format('trigger %s %s on %s: %s', name, timing, relation, what))
FROM (VALUES
	('change_comment', 'zzzzzzz', 'BEFORE INSERT', 'comment', 'PERFORM changemgmt.add_comment(%1$s, ''x'')', 'MC005'),
	('change_comment', 'zzzzzzz', 'BEFORE INSERT', 'author', 'PERFORM changemgmt.add_comment(%1$s, ''x'')', 'MC003'),
	('change_comment', 'aaa', 'BEFORE INSERT', 'author', 'PERFORM changemgmt.add_comment(%1$s, ''x'')', 'MC003'),
	('change_comment', 'aaa', 'AFTER INSERT', 'raise', 'PERFORM changemgmt.add_comment(%2$s, ''x'')', 'MC001'),
	('change_comment', 'aaa', 'AFTER INSERT', 'wipe', 'PERFORM changemgmt.add_comment(%2$s, ''x'')', 'MC005'),
	('change_comment', 'zzzzzzz', 'AFTER INSERT', 'wipe', 'PERFORM changemgmt.add_comment(%2$s, ''x'')', 'MC005'),
	('change_check', 'zzzzzzz', 'BEFORE INSERT', 'planned', 'PERFORM changemgmt.add_check(%1$s, ''x'')', 'MC005'),
	('change_task', 'zzzzzzz', 'BEFORE INSERT', 'doer',
		'INSERT INTO changemgmt.change_task (change_id, title, phase, status) VALUES (%2$s, ''x'', ''follow_up'', ''done'')', 'MC003|MC005'),
	('change_task', 'zzzzzzz', 'BEFORE INSERT', 'done',
		'INSERT INTO changemgmt.change_task (change_id, title, phase, status) VALUES (%2$s, ''x'', ''follow_up'', ''done'')', 'MC005|MC008'),
	('approval_vote', 'aaa', 'BEFORE INSERT', 'voter', 'PERFORM changemgmt.approve(%1$s)', 'MC003'),
	('approval_vote', 'zzzzzzz', 'BEFORE INSERT', 'voter', 'PERFORM changemgmt.approve(%1$s)', 'MC003'),
	('approval_vote', 'zzzzzzz', 'BEFORE INSERT', 'voted', 'PERFORM changemgmt.approve(%1$s)', 'MC005'),
	('approval_vote', 'zzzzzzz', 'BEFORE INSERT', 'seal', 'PERFORM changemgmt.approve(%1$s)', 'MC005')
) AS v (relation, name, timing, what, sql, code);
SELECT pg_temp.shut(pg_temp.with_trigger('approval_vote', 'aaa', 'BEFORE INSERT', 'suppress', format('PERFORM changemgmt.approve(%s)', :waiting)), '27000',
	'a trigger that suppresses a vote');
SELECT is((SELECT status FROM changemgmt.change WHERE id = :waiting), 'awaiting_approval', 'which then approves nothing');
SELECT pg_temp.open(pg_temp.with_trigger('change_risk', 'aaa', 'BEFORE DELETE OR UPDATE', 'suppress',
	format('DELETE FROM changemgmt.change_risk WHERE change_id = %s', :running)), 0, 'a trigger that suppresses what would be refused');
SAVEPOINT deferred;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON changemgmt.change_comment DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION public.regress_meddle('raise');
SELECT pg_temp.shut(format('SELECT changemgmt.add_comment(%s, ''x''); SET CONSTRAINTS ALL IMMEDIATE', :running), 'MC001', 'a deferred trigger of the user''s');
ROLLBACK TO deferred;
SET LOCAL changemgmt.actor = 'ada';

-- A user's tables: children, partitions, namesakes

SELECT pg_temp.shut(sql, '0A000|42809|42P1\d|MC\d+', sql) FROM unnest(ARRAY[
	'CREATE TABLE public.regress_child () INHERITS (changemgmt.change)',
	'CREATE TABLE public.regress_child (LIKE changemgmt.change INCLUDING ALL); ALTER TABLE public.regress_child INHERIT changemgmt.change',
	'CREATE TABLE public.regress_child (LIKE changemgmt.change); ALTER TABLE changemgmt.change ATTACH PARTITION public.regress_child DEFAULT',
	'CREATE TABLE public.regress_child PARTITION OF changemgmt.change DEFAULT']) AS sql;
CREATE TEMP TABLE change AS SELECT * FROM changemgmt.change;
CREATE TEMP TABLE person AS SELECT * FROM changemgmt.person;
CREATE TEMP TABLE ledger AS SELECT * FROM changemgmt.ledger;
CREATE TEMP TABLE approval_vote AS SELECT * FROM changemgmt.approval_vote;
CREATE TEMP TABLE site_setting AS SELECT * FROM changemgmt.site_setting;
CREATE FUNCTION pg_temp.acting_person() RETURNS text LANGUAGE sql AS 'SELECT ''lead''';
CREATE FUNCTION pg_temp.change_is_possible(anyelement) RETURNS boolean LANGUAGE sql AS 'SELECT true';
UPDATE change SET status = 'closed', owner_id = 1;
SET LOCAL search_path = pg_temp, changemgmt, public;
SELECT pg_temp.open(format('SELECT changemgmt.plan(%s)', :draft), 1, 'tables of the same names in pg_temp are not ours');
SELECT is((SELECT actor FROM changemgmt.ledger WHERE subject_id = :draft AND subject_kind = 'change' ORDER BY sequence DESC LIMIT 1), 'ada',
	'nor are functions');
SELECT pg_temp.shut(format('SELECT changemgmt.advance(%s, ''closed'')', :waiting), 'MC002', 'what a temporary table says of a status');
RESET search_path;
SELECT changemgmt.revise(:draft) \g /dev/null

-- COPY, given by a role that owns nothing

CREATE ROLE regress_writer;
SELECT changemgmt.grant_role('regress_writer', 'implementer') \g /dev/null
GRANT ALL ON ALL TABLES IN SCHEMA changemgmt TO regress_writer;
GRANT ALL ON ALL SEQUENCES IN SCHEMA changemgmt TO regress_writer;
GRANT EXECUTE ON FUNCTION changemgmt.change_is_possible(changemgmt.change) TO regress_writer;
DROP TABLE change;
SET LOCAL changemgmt.actor = '';
SELECT count(*) AS loads FROM changemgmt.load \gset
SET LOCAL ROLE regress_writer;
CREATE TEMP TABLE change (x integer);
CREATE TEMP TABLE change_comment (x integer);
CREATE FUNCTION pg_temp.smuggle() RETURNS boolean LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM set_config('search_path', 'changemgmt, pg_temp', true);
	PERFORM changemgmt.create_change('smuggled', model => 'lean_normal');
	PERFORM changemgmt.add_comment(id, 'smuggled') FROM changemgmt.change WHERE title = 'smuggled';
	RETURN false;
END
$$;
COPY change FROM stdin WHERE pg_temp.smuggle();
1
\.
SET LOCAL search_path = public;
COPY pg_temp.change_comment FROM stdin WHERE pg_temp.smuggle();
1
\.
SET LOCAL search_path = public;
RESET ROLE;
SELECT results_eq($$SELECT ledger_sequence > 0, author_id = changemgmt.person_id('regress_writer') FROM changemgmt.change WHERE title = 'smuggled'$$,
	'VALUES (true, true), (true, true)', 'what a verb writes while the client copies into a namesake of our table is no history');
SELECT is((SELECT count(*) FROM changemgmt.load), :loads::bigint, 'and no load');
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');

-- Roles with privileges

CREATE ROLE regress_all IN ROLE pg_write_all_data, pg_read_all_data;
GRANT USAGE ON SCHEMA changemgmt TO regress_all;
SELECT is(pg_temp.code_as('regress_writer', sql), code, 'with every privilege on the tables: ' || sql) FROM (VALUES
	('SET session_replication_role = replica', '42501'),
	('ALTER TABLE changemgmt.change DISABLE TRIGGER "Judge"', '42501'),
	('ALTER TABLE changemgmt.change DISABLE TRIGGER ALL', '42501'),
	('ALTER TABLE changemgmt.change DROP CONSTRAINT change_is_possible', '42501'),
	('ALTER TABLE changemgmt.change ADD COLUMN x text', '42501'),
	('ALTER TABLE changemgmt.change DISABLE ROW LEVEL SECURITY', '42501'),
	('ALTER TABLE changemgmt.change RENAME TO x', '42501'),
	('ALTER TABLE changemgmt.change SET SCHEMA public', '42501'),
	('ALTER TABLE changemgmt.change OWNER TO regress_writer', '42501'),
	('DROP TRIGGER "Judge" ON changemgmt.change', '42501'),
	('DROP POLICY visible ON changemgmt.change', '42501'),
	('CREATE POLICY mine ON changemgmt.change USING (true)', '42501'),
	('CREATE RULE r AS ON UPDATE TO changemgmt.change DO INSTEAD NOTHING', '42501'),
	('CREATE INDEX ON changemgmt.change (title)', '42501'),
	('DROP TABLE changemgmt.change CASCADE', '42501'),
	('DROP SCHEMA changemgmt CASCADE', 'MC006'),
	('DROP EXTENSION changemgmt CASCADE', 'MC006'),
	('ALTER EXTENSION changemgmt DROP TABLE changemgmt.change', 'MC006'),
	('CREATE TABLE changemgmt.change_more (change_id bigint)', '42501'),
	('CREATE TABLE public.regress_child () INHERITS (changemgmt.approval_vote)', '42501'),
	('CREATE FUNCTION changemgmt.more() RETURNS text LANGUAGE sql AS ''SELECT 1::text''', '42501'),
	('CREATE OR REPLACE FUNCTION changemgmt.lifecycle_judge() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END''', '42501'),
	('ALTER FUNCTION changemgmt.lifecycle_judge() OWNER TO regress_writer', '42501'),
	('ALTER FUNCTION changemgmt.lifecycle_judge() RENAME TO other', '42501'),
	('ALTER FUNCTION changemgmt.add_comment(bigint, text) RESET search_path', '42501'),
	('CREATE FUNCTION pg_temp.f() RETURNS trigger LANGUAGE c AS ''changemgmt'', ''lifecycle_judge''', '42501'),
	('ALTER SEQUENCE changemgmt.change_id_seq RESTART', '42501'),
	('CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.regress_meddle()', '42501'),
	('SET changemgmt.actor = ''ada''', '42501'),
	('SELECT set_config(''changemgmt.actor'', ''ada'', false)', '42501'),
	('ALTER ROLE regress_writer SET changemgmt.actor = ''ada''', '42501'),
	('CREATE FUNCTION pg_temp.as_ada() RETURNS text LANGUAGE sql SET changemgmt.actor = ''ada'' AS ''SELECT 1::text''; SELECT pg_temp.as_ada()', '42501'),
	('SET changemgmt.something = 1', '42602'),
	('TRUNCATE changemgmt.ledger', 'MC006'),
	('DELETE FROM changemgmt.ledger', 'MC006'),
	('INSERT INTO changemgmt.load (relation, row_count, session_role, effective_role, loaded_at) VALUES (''change'', 9, '''', '''', now())', 'MC006'),
	('INSERT INTO changemgmt.ledger SELECT * FROM changemgmt.ledger', 'MC006')) AS v (sql, code);
SELECT matches(pg_temp.code_as('regress_all', format(sql, :running)), '^(42501|MC001|MC003|MC005|MC006)$', 'as a member of pg_write_all_data: ' || sql)
FROM unnest(ARRAY['UPDATE changemgmt.change SET status = ''closed'' WHERE id = %s', 'UPDATE changemgmt.change SET title = ''x'' WHERE id = %s',
	'DELETE FROM changemgmt.change WHERE id = %s', 'DELETE FROM changemgmt.change_item WHERE change_id = %s', 'DELETE FROM changemgmt.ledger',
	'INSERT INTO changemgmt.change (title, status) VALUES (''x'', ''closed'')',
	'INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%s, ''approved'')']) AS sql;
-- what it may write is in the trail, under its own name
SELECT is(pg_temp.code_as('regress_writer', 'UPDATE changemgmt.incident SET title = title'), 'ok', 'a write that changes nothing');
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');

-- Ids and sequences

SET LOCAL changemgmt.actor = 'ada';
SELECT pg_temp.shut(format('INSERT INTO changemgmt.change (id, title) VALUES (%s, ''x'')', n), 'MC008', 'the id ' || n)
FROM unnest('{0,-1,-9223372036854775808}'::bigint[]) AS n;
SELECT pg_temp.open('INSERT INTO changemgmt.change (id, title, model) VALUES (9223372036854775807, ''huge'', ''lean_normal'')', 1, 'the largest id');
SELECT is(changemgmt.change_id(changemgmt.change_number(9223372036854775807)), 9223372036854775807, 'has a number');
SELECT pg_temp.open('SELECT changemgmt.edit_change(9223372036854775807, ''{"description": "d"}'')', 1, 'and is edited');
SELECT id AS gone FROM changemgmt.create_change('gone') \gset
DELETE FROM changemgmt.change WHERE id = :gone;
SELECT pg_temp.shut(format('INSERT INTO changemgmt.change (id, title) VALUES (%s, ''again'')', :gone), '23505|MC006', 'the id of a draft that was deleted is not used again');
SELECT pg_temp.shut(format('SELECT setval(''changemgmt.change_id_seq'', %s, false); SELECT changemgmt.create_change(''x'')', :draft), '23505|MC008', 'a sequence that was turned back');
SELECT setval('changemgmt.change_id_seq', 880200) \g /dev/null
SELECT pg_temp.shut(format('UPDATE changemgmt.change_comment SET id = -id WHERE change_id = %s', :draft), 'MC005', 'the id of a part');

-- Savepoints, and what a session remembers

SAVEPOINT remembered;
SELECT changemgmt.set_setting('number_prefix', 'X'), changemgmt.add_person('ghost'), changemgmt.publish_model('ghost', '{"base": "lean_standard"}') \g /dev/null
CREATE FUNCTION public.regress_never(change_id bigint) RETURNS text STABLE LANGUAGE sql AS 'SELECT ''never''::text';
SELECT changemgmt.register_requirement('never', 'public.regress_never(bigint)', '{plan}') \g /dev/null
SELECT is(changemgmt.change_number(1), 'X0000001', 'a setting is seen at once');
SELECT isnt(changemgmt.person_id('ghost'), NULL, 'a person, too');
SELECT is(pg_temp.code(format('SELECT changemgmt.plan(%s)', :draft)), 'MC002', 'and a requirement');
SELECT is(pg_temp.code('SELECT changemgmt.create_change(''g'', model => ''ghost'')'), 'ok', 'and a model');
ROLLBACK TO remembered;
SELECT is(changemgmt.change_number(1), 'CHG0000001', 'rolled back, the setting is forgotten');
SELECT is(pg_temp.code('SELECT changemgmt.person_id(''ghost'')'), 'MC008', 'and the person');
SELECT is(pg_temp.code('SELECT changemgmt.create_change(''g'', model => ''ghost'')'), 'MC008', 'and the model');
SELECT is(pg_temp.code(format('SELECT changemgmt.plan(%s)', :draft)), 'ok', 'and the requirement');
CREATE FUNCTION pg_temp.swallowed(sql text, look text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	seen text;
BEGIN
	BEGIN
		EXECUTE sql;
		EXECUTE look INTO seen;
		RAISE SQLSTATE 'ZZ001';
	EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
		RETURN seen || ' ' || pg_temp.code(look);
	END;
END
$$;
SELECT is(pg_temp.swallowed('SELECT changemgmt.add_person(''ghost'')', 'SELECT ''seen'' FROM (SELECT changemgmt.person_id(''ghost'')) AS x (i) WHERE i > 0'),
	'seen MC008', 'an error that is caught forgets as well');
SELECT is(pg_temp.swallowed('UPDATE changemgmt.person SET is_active = false WHERE login = ''bob''; SELECT 1', 'SELECT ''seen'''), 'seen ok', 'somebody leaves, and does not');
SELECT isnt(changemgmt.person_id('bob'), NULL, 'and is there again');

-- What the owner can do, and cannot hide

-- Who finds what a statement did: verify_ledger() what happened to rows,
-- doctor() what was done to tables.
CREATE FUNCTION pg_temp.found(sql text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	healthy bigint := (SELECT count(*) FROM changemgmt.doctor());
	found text;
BEGIN
	EXECUTE sql;
	SET LOCAL session_replication_role = origin;
	found := concat_ws(' ', CASE WHEN EXISTS (SELECT FROM changemgmt.verify_ledger()) THEN 'ledger' END,
		CASE WHEN (SELECT count(*) FROM changemgmt.doctor()) > healthy THEN 'doctor' END);
	RAISE SQLSTATE 'ZZ001';
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
	RETURN found;
END
$$;
SELECT is(pg_temp.found(format(sql, :running, :waiting)), who, format('found by %s: %s', who, sql)) FROM (VALUES
	('SET LOCAL session_replication_role = replica; UPDATE changemgmt.change SET title = ''forged'' WHERE id = %1$s', 'ledger'),
	('SET LOCAL session_replication_role = replica; UPDATE changemgmt.change_risk SET impact = ''high'' WHERE change_id = %1$s', 'ledger'),
	('SET LOCAL session_replication_role = replica; DELETE FROM changemgmt.change_risk WHERE change_id = %1$s', 'ledger'),
	('SET LOCAL session_replication_role = replica; INSERT INTO changemgmt.change_comment (change_id, body) VALUES (%1$s, ''forged'')', 'ledger'),
	('SET LOCAL session_replication_role = replica; UPDATE changemgmt.change_comment SET body = ''forged''', 'ledger'),
	('SET LOCAL session_replication_role = replica; UPDATE changemgmt.change_comment SET change_id = %2$s WHERE change_id = %1$s', 'ledger'),
	('SET LOCAL session_replication_role = replica; INSERT INTO changemgmt.approval_vote (change_id, round, person_id, decision, plan_revision, seal)
		SELECT id, approval_round, owner_id, ''approved'', plan_revision, sha256('''') FROM changemgmt.change WHERE id = %2$s', 'ledger'),
	('SET LOCAL session_replication_role = replica; UPDATE changemgmt.change SET ledger_head = sha256(''x'') WHERE id = %1$s', 'ledger'),
	('SET LOCAL session_replication_role = replica; UPDATE changemgmt.change SET ledger_sequence = ledger_sequence - 1 WHERE id = %1$s', 'ledger'),
	('SET LOCAL session_replication_role = replica; UPDATE changemgmt.change SET ledger_sequence = 0, ledger_head = NULL WHERE id = %1$s', 'ledger'),
	('SET LOCAL session_replication_role = replica; UPDATE changemgmt.change SET id = 880500 WHERE id = 9223372036854775807', 'ledger'),
	('SET LOCAL session_replication_role = replica; UPDATE changemgmt.board_member SET valid_until = ''infinity'';
		INSERT INTO changemgmt.person (login, name) VALUES (''forged'', ''Forged'')', 'ledger'),
	('ALTER TABLE changemgmt.change DISABLE TRIGGER "Judge"; UPDATE changemgmt.change SET status = ''closed'' WHERE id = %1$s', 'ledger doctor'),
	('ALTER TABLE changemgmt.change DISABLE TRIGGER USER; UPDATE changemgmt.change SET status = ''closed'' WHERE id = %1$s', 'ledger doctor'),
	('ALTER TABLE changemgmt.change_risk DISABLE TRIGGER USER; DELETE FROM changemgmt.change_risk WHERE change_id = %1$s', 'ledger doctor'),
	('ALTER TABLE changemgmt.change_risk DISABLE TRIGGER part_deleted; DELETE FROM changemgmt.change_risk WHERE change_id = %1$s', 'ledger doctor'),
	('DROP TRIGGER "Judge" ON changemgmt.change; UPDATE changemgmt.change SET status = ''closed'' WHERE id = %1$s', 'ledger doctor'),
	('DROP TRIGGER "Judge" ON changemgmt.change; DROP TRIGGER zzz_stamp ON changemgmt.change; UPDATE changemgmt.change SET status = ''closed'' WHERE id = %1$s', 'ledger doctor'),
	('ALTER TABLE changemgmt.change ALTER COLUMN impact_of_not_doing TYPE text USING ''forged''', 'ledger'),
	('CREATE OR REPLACE FUNCTION changemgmt.lifecycle_judge() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END'';
		UPDATE changemgmt.change SET status = ''closed'' WHERE id = %1$s', 'ledger doctor'),
	('ALTER TABLE changemgmt.ledger DISABLE TRIGGER USER; DELETE FROM changemgmt.ledger WHERE subject_kind = ''change'' AND subject_id = %1$s', 'ledger doctor'),
	('ALTER TABLE changemgmt.ledger DISABLE TRIGGER USER; DELETE FROM changemgmt.ledger', 'ledger doctor'),
	('CREATE TABLE public.regress_child () INHERITS (changemgmt.approval_vote);
		INSERT INTO public.regress_child SELECT 99, id, approval_round, owner_id, ''approved'', NULL, now(), plan_revision, sha256('''') FROM changemgmt.change WHERE id = %2$s', 'ledger doctor'),
	('CREATE TABLE public.regress_child () INHERITS (changemgmt.person); INSERT INTO public.regress_child (id, login, name) VALUES (9999, ''nobody'', ''Nobody'')', 'ledger doctor')) AS v (sql, who);
SELECT pg_temp.shut(format(sql, :draft), '39P01|3F000|42P01|42703|42883|MC\d+', 'closed, not open: ' || sql) FROM unnest(ARRAY[
	'ALTER TABLE changemgmt.change RENAME TO renamed; UPDATE changemgmt.renamed SET status = ''closed'' WHERE id = %s',
	'ALTER TABLE changemgmt.change SET SCHEMA public; UPDATE public.change SET status = ''closed'' WHERE id = %s',
	'ALTER TABLE changemgmt.change RENAME COLUMN outcome TO result; UPDATE changemgmt.change SET status = ''closed'' WHERE id = %s',
	'ALTER TABLE changemgmt.ledger RENAME TO renamed; UPDATE changemgmt.change SET title = ''x'' WHERE id = %s',
	'ALTER SCHEMA changemgmt RENAME TO renamed; UPDATE renamed.change SET status = ''closed'' WHERE id = %s']) AS sql;

-- A requirement of the site's is no function that another session could replace
CREATE FUNCTION pg_temp.regress_met(change_id bigint) RETURNS text STABLE LANGUAGE sql AS 'SELECT NULL::text';
SELECT pg_temp.shut('SELECT changemgmt.register_requirement(''temporary'', ''pg_temp.regress_met(bigint)'')', 'MC008', 'a temporary function as a requirement');

-- Nothing is dropped in passing; doctor.sql has the other ways

SELECT pg_temp.shut(sql, 'MC006', sql) FROM unnest(ARRAY[
	'SET LOCAL session_replication_role = replica; DROP SCHEMA changemgmt CASCADE',
	'DO $$BEGIN EXECUTE ''DROP SCHEMA changemgmt CASCADE''; END$$',
	'DROP SCHEMA IF EXISTS no_such_schema, changemgmt CASCADE']) AS sql;
-- who owns the schema only
CREATE ROLE regress_schema;
SELECT pg_temp.shut(sql, 'MC006|42501', sql) FROM unnest(ARRAY[
	'ALTER SCHEMA changemgmt OWNER TO regress_schema; DROP OWNED BY regress_schema CASCADE',
	'ALTER SCHEMA changemgmt OWNER TO regress_schema; SET LOCAL ROLE regress_schema; DROP OWNED BY regress_schema CASCADE',
	'ALTER SCHEMA changemgmt OWNER TO regress_schema; SET LOCAL ROLE regress_schema; DROP SCHEMA changemgmt CASCADE']) AS sql;
-- what a view or function of ours needs
SELECT pg_temp.shut(sql, '2BP01|55006|MC006', sql) FROM unnest(ARRAY[
	'ALTER TABLE changemgmt.change DROP COLUMN title CASCADE',
	'ALTER TABLE changemgmt.configuration_item DROP COLUMN name CASCADE',
	'ALTER TYPE changemgmt.change_state DROP ATTRIBUTE status CASCADE',
	'ALTER TYPE changemgmt.approval_count DROP ATTRIBUTE approved CASCADE',
	'DROP VIEW changemgmt.cab_queue CASCADE',
	'DROP FUNCTION changemgmt.change_is_possible(changemgmt.change) CASCADE',
	'DROP TYPE changemgmt.rate CASCADE',
	'DROP LANGUAGE c CASCADE']) AS sql;
SELECT is(pg_temp.found('ALTER TABLE changemgmt.person DROP CONSTRAINT person_pkey CASCADE'), 'doctor', 'keys that go with another are missed');
SELECT is(pg_temp.found('GRANT TRIGGER ON changemgmt.team TO regress_schema'), 'doctor', 'who may put a trigger on our tables is named');

-- A rule that swallows votes; last, for the session's plan goes on to.
SAVEPOINT ruled;
CREATE RULE nothing AS ON INSERT TO changemgmt.approval_vote DO INSTEAD NOTHING;
SET LOCAL changemgmt.actor = 'lead';
SELECT pg_temp.code(format('SELECT changemgmt.approve(%s)', :waiting)) \g /dev/null
SELECT is((SELECT status FROM changemgmt.change WHERE id = :waiting), 'awaiting_approval', 'a rule that swallows votes: no vote, no approval');
SELECT is((SELECT count(*) FROM changemgmt.approval_vote), 0::bigint, 'none was given');
ROLLBACK TO ruled;

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole in the end');
SELECT * FROM finish();
ROLLBACK;
