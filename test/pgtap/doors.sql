-- The same rules behind every door that SQL has, for superusers too.  After
-- each attempt the trail must be whole, and a refused one leaves nothing.

BEGIN;
SELECT plan(337);

CREATE FUNCTION pg_temp.refusal(sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	code text;
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE sql;
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', code, message, nullif(detail, ''), nullif(hint, ''));
END
$$;
-- All there is, as one text.
CREATE FUNCTION pg_temp.everything() RETURNS text
	LANGUAGE sql AS
$$
	SELECT md5((SELECT coalesce(string_agg(c::text, '' ORDER BY id), '') FROM changemgmt.change AS c)
		|| (SELECT coalesce(string_agg(l::text, '' ORDER BY subject_kind, subject_id, sequence), '') FROM changemgmt.ledger AS l)
		|| (SELECT coalesce(string_agg(r::text, '' ORDER BY id), '') FROM changemgmt.change_risk AS r));
$$;
-- A statement that is refused with this code, leaves nothing, and a whole trail.
CREATE FUNCTION pg_temp.shut(sql text, code text, why text) RETURNS SETOF text
	LANGUAGE plpgsql AS
$$
DECLARE
	before text := pg_temp.everything();
BEGIN
	RETURN NEXT is(split_part(pg_temp.refusal(sql), ' | ', 1), code, why);
	RETURN NEXT ok(pg_temp.everything() = before AND NOT EXISTS (SELECT FROM changemgmt.verify_ledger()),
		why || ': nothing is left of it');
END
$$;
-- A statement that goes through and is in the trail as one entry more a change.
CREATE FUNCTION pg_temp.open(sql text, entries int, why text) RETURNS SETOF text
	LANGUAGE plpgsql AS
$$
DECLARE
	before bigint := (SELECT count(*) FROM changemgmt.ledger);
BEGIN
	RETURN NEXT is(pg_temp.refusal(sql), '', why);
	RETURN NEXT is((SELECT count(*) FROM changemgmt.ledger) - before, entries::bigint, why || ': ledger entries');
	RETURN NEXT is_empty('SELECT * FROM changemgmt.verify_ledger()', why || ': the trail is whole');
END
$$;

SELECT is((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), true, 'this is a superuser');
SET LOCAL changemgmt.actor = 'ada';
SELECT changemgmt.add_person(p) FROM unnest('{ada,bob}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_ci('db1', kind => 'database', owner => 'bob') \g /dev/null
SELECT changemgmt.set_ci('db1', is_exclusive => false) \g /dev/null

CREATE FUNCTION pg_temp.planned(title text, model text DEFAULT 'lean_normal') RETURNS bigint
	LANGUAGE sql AS
$$
	SELECT id FROM changemgmt.create_change(title, model => model, owner => 'ada',
		description => 'd', justification => 'j', user_impact => 'none',
		risk_level => 'low', rollback_trigger => 'errors', rollback_plan => 'back',
		rollback_minutes => 5, verification_plan => 'look', items => '{db1}',
		planned_start => now() + interval '30 days', planned_end => now() + interval '31 days');
$$;
CREATE FUNCTION pg_temp.made(title text, status text, model text DEFAULT 'lean_standard') RETURNS bigint
	LANGUAGE plpgsql AS
$$
DECLARE
	change_id bigint := pg_temp.planned(title, model);
BEGIN
	PERFORM changemgmt.advance(change_id, status, evidence => 'seen');
	RETURN change_id;
END
$$;
SELECT pg_temp.planned('draft') AS draft, pg_temp.made('waiting', 'awaiting_approval', 'lean_normal') AS waiting,
	pg_temp.made('approved', 'approved') AS approved, pg_temp.made('running', 'in_progress') AS running,
	pg_temp.made('done', 'closed') AS done \gset
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole to begin with');

-- INSERT

SELECT pg_temp.shut(format($$INSERT INTO changemgmt.change (title, model, status) VALUES ('x', 'lean_normal', %L)$$, code), 'MC001',
	'INSERT as ' || code)
FROM changemgmt.code_list() WHERE list = 'status' AND code <> 'draft' ORDER BY sort_order;
SELECT pg_temp.shut(format('INSERT INTO changemgmt.change (title, %s) VALUES (''x'', %s)', split_part(v, '=', 1), split_part(v, '=', 2)), 'MC005', 'INSERT with ' || v)
FROM unnest('{outcome=''successful'',approved_at=now(),"approved_seal=decode(repeat(''00'', 32), ''hex'')",approval_round=3,deployed_at=now(),"closed_at=clock_timestamp()",scheduled_at=now(),on_hold=true,verifier_id=1}'::text[]) AS v;
SELECT pg_temp.shut($$INSERT INTO changemgmt.change (title, author_id) VALUES ('x', changemgmt.person_id('bob'))$$, 'MC003', 'INSERT in another''s name');
SELECT pg_temp.shut($$INSERT INTO changemgmt.change (title, status) SELECT 'x' || n, CASE n WHEN 3 THEN 'approved' ELSE 'draft' END
	FROM generate_series(1, 3) AS n$$, 'MC001', 'INSERT of many, one of them illegal');
SELECT pg_temp.open($$INSERT INTO changemgmt.change (title) SELECT 'many ' || n FROM generate_series(1, 3) AS n$$, 3, 'INSERT of many drafts');
SELECT pg_temp.open($$INSERT INTO changemgmt.change (title, revision, plan_revision, ledger_sequence, ledger_head, created_at, model_version, type)
	VALUES ('made up', 77, 77, 77, '\xff', '1999-01-01', 0, 'latent')$$, 1, 'INSERT with made up counters');
SELECT results_eq($$SELECT revision, plan_revision, ledger_sequence, octet_length(ledger_head), created_at > '2000-01-01', type
	FROM changemgmt.change WHERE title = 'made up'$$, $$VALUES (1::bigint, 1::bigint, 1::bigint, 32, true, 'normal')$$, 'which are the engine''s');

-- UPDATE of the status, alone and with other columns

SELECT pg_temp.shut(format('UPDATE changemgmt.change SET %s WHERE id = %s', assignments, id), code, assignments || ' from ' || status)
FROM (VALUES
	(:draft, 'draft', 'status = ''approved''', 'MC001'),
	(:draft, 'draft', 'status = ''approved'', title = ''other'', owner_id = changemgmt.person_id(''bob'')', 'MC001'),
	(:draft, 'draft', 'status = ''in_progress'', actual_start = now()', 'MC001'),
	(:draft, 'draft', 'status = ''closed'', outcome = ''successful'', closed_at = clock_timestamp()', 'MC001'),
	(:draft, 'draft', 'status = ''nonsense''', 'MC008'),
	(:draft, 'draft', 'status = NULL', 'MC008'),
	(:draft, 'draft', 'status = ''planned'', owner_id = NULL', 'MC002'),
	(:draft, 'draft', 'status = ''planned'', description = '' ''', 'MC002'),
	(:draft, 'draft', 'status = ''cancelled''', 'MC002'),
	(:draft, 'draft', 'model = ''lean_standard'', status = ''planned''', 'MC005'),
	(:waiting, 'awaiting_approval', 'status = ''approved'', approved_at = clock_timestamp()', 'MC002'),
	(:waiting, 'awaiting_approval', 'status = ''approved'', on_hold = true', 'MC005'),
	(:approved, 'approved', 'status = ''in_progress'', title = ''smuggled''', 'MC005'),
	(:approved, 'approved', 'status = ''in_progress'', implementer_id = changemgmt.person_id(''bob''), title = ''smuggled''', 'MC003'),
	(:approved, 'approved', 'status = ''in_progress'', actual_start = now() - interval ''1 day''', 'MC008'),
	(:approved, 'approved', 'status = ''in_progress'', actual_start = now() + interval ''1 day''', 'MC008'),
	(:running, 'in_progress', 'title = ''other''', 'MC005'),
	(:running, 'in_progress', 'status = ''approved''', 'MC001'),
	(:running, 'in_progress', 'status = ''verifying'', rollback_plan = ''none''', 'MC005'),
	(:running, 'in_progress', 'status = ''verifying'', outcome = ''successful''', 'MC005'),
	(:running, 'in_progress', 'status = ''implemented'', outcome = ''successful''', 'MC005'),
	(:running, 'in_progress', 'status = ''rolled_back''', 'MC002'),
	(:running, 'in_progress', 'status = ''rolled_back'', outcome = ''successful'', status_reason = ''r'', cause_class = ''plan''', 'MC005'),
	(:running, 'in_progress', 'actual_start = NULL', 'MC005'),
	(:running, 'in_progress', 'implementer_id = NULL', 'MC005'),
	(:running, 'in_progress', 'on_hold = true, status_reason = ''r''', 'MC001'),
	(:done, 'closed', 'status = ''draft''', 'MC001'),
	(:done, 'closed', 'outcome = ''failed''', 'MC005'),
	(:done, 'closed', 'outcome = NULL', 'MC005'),
	(:done, 'closed', 'planned_start = planned_start - interval ''1 day''', 'MC005'),
	(:done, 'closed', 'status = ''implemented'', outcome = ''failed'', status_reason = ''r'', remediation = ''m''', 'MC001'),
	(:done, 'closed', 'closed_at = NULL', 'MC005'),
	(:done, 'closed', 'id = id + 1000000', 'MC005'),
	(:draft, 'draft', 'id = id + 1000000', 'MC005'),
	(:draft, 'draft', 'author_id = changemgmt.person_id(''bob'')', 'MC005'),
	(:draft, 'draft', 'last_editor_id = changemgmt.person_id(''bob'')', 'MC005'),
	(:draft, 'draft', 'created_at = ''1999-01-01''', 'MC005'),
	(:draft, 'draft', 'revision = revision + 5', 'MC005'),
	(:draft, 'draft', 'plan_revision = plan_revision - 1', 'MC005'),
	(:draft, 'draft', 'model_version = 3', 'MC008'),
	(:draft, 'draft', 'type = ''standard''', 'MC005')
) AS v (id, status, assignments, code);
SELECT pg_temp.open(format('UPDATE changemgmt.change SET %s WHERE id = %s', assignments, id), entries, assignments || ' from ' || status)
FROM (VALUES
	(:draft, 'draft', 'status = status, title = title', 0),
	(:draft, 'draft', 'description = NULL', 1),
	(:draft, 'draft', 'status = ''planned'', description = ''complete in the same statement''', 1),
	(:draft, 'planned', 'ledger_head = ''\xff'', ledger_sequence = 99, updated_at = ''1999-01-01''', 1),
	(:draft, 'planned', 'status = ''draft'', title = ''edited while it is revised''', 1)
) AS v (id, status, assignments, entries);
SELECT ok((SELECT updated_at > '2000-01-01' FROM changemgmt.change WHERE id = :draft), 'a time that was made up is not stored');

-- many rows at once

SELECT pg_temp.shut(format($$UPDATE changemgmt.change SET status = 'planned' WHERE id IN (%s, %s)$$, :draft, :running), 'MC001', 'one legal and one illegal row');
SELECT pg_temp.shut($$UPDATE changemgmt.change SET title = title || '!'$$, 'MC005', 'all rows, some frozen');
SELECT pg_temp.open($$UPDATE changemgmt.change SET title = title || '!' WHERE title LIKE 'many _'$$, 3, 'many legal rows');
SELECT pg_temp.open(format($$UPDATE changemgmt.change AS c SET title = 'joined' || n FROM generate_series(1, 3) AS n WHERE c.id = %s$$, :draft), 1, 'a join that finds a row thrice');

-- DELETE and TRUNCATE

SELECT pg_temp.shut(format('DELETE FROM changemgmt.change WHERE id = %s', id), 'MC006', 'DELETE of one that is ' || status)
FROM (VALUES (:waiting, 'awaiting_approval'), (:approved, 'approved'), (:running, 'in_progress'), (:done, 'closed')) AS v (id, status);
SELECT pg_temp.shut('DELETE FROM changemgmt.change', 'MC006', 'DELETE of all');
SELECT pg_temp.open($$DELETE FROM changemgmt.change WHERE title = 'many 1!'$$, 1, 'DELETE of a draft');
SELECT results_eq($$SELECT event, from_status, to_status, changed #>> '{title,0}' FROM changemgmt.ledger
	WHERE subject_kind = 'change' AND event = 'delete'$$, $$VALUES ('delete', 'draft', NULL::text, 'many 1!')$$, 'of which the ledger keeps what it was');
SELECT isnt(pg_temp.refusal(format('DELETE FROM changemgmt.change WHERE id = %s', :draft)), '', 'no part goes with its change unasked');
SELECT pg_temp.shut('TRUNCATE changemgmt.change CASCADE', 'MC006', 'TRUNCATE');
SELECT pg_temp.shut('TRUNCATE changemgmt.change_risk', 'MC006', 'TRUNCATE of a part');
SELECT pg_temp.shut('TRUNCATE changemgmt.person CASCADE', 'MC006', 'TRUNCATE of what changes refer to');
SELECT pg_temp.shut('TRUNCATE changemgmt.ledger', 'MC006', 'TRUNCATE of the ledger');

-- ON CONFLICT and MERGE

SELECT pg_temp.shut(format($$INSERT INTO changemgmt.change (id, title) VALUES (%s, 'x') ON CONFLICT (id) DO UPDATE SET status = 'approved'$$, :draft), 'MC001', 'ON CONFLICT DO UPDATE');
SELECT pg_temp.shut(format($$INSERT INTO changemgmt.change (id, title) VALUES (%s, 'x') ON CONFLICT (id) DO UPDATE SET title = excluded.title$$, :running), 'MC005', 'ON CONFLICT on what is frozen');
SELECT pg_temp.shut(format($$INSERT INTO changemgmt.change (id, title) VALUES (%s, 'x') ON CONFLICT (id) DO UPDATE SET ledger_head = excluded.ledger_head, revision = excluded.revision, title = 'y'$$, :draft), 'MC005', 'ON CONFLICT with what the stamp proposed');
SELECT pg_temp.open(format($$INSERT INTO changemgmt.change (id, title) VALUES (%s, 'x') ON CONFLICT (id) DO NOTHING$$, :done), 0, 'ON CONFLICT DO NOTHING');
SELECT pg_temp.open(format($$INSERT INTO changemgmt.change (id, title) VALUES (%s, 'by conflict') ON CONFLICT (id) DO UPDATE SET title = excluded.title$$, :draft), 1, 'ON CONFLICT on a draft');
SELECT pg_temp.shut(format($$MERGE INTO changemgmt.change AS c USING (VALUES (%s::bigint)) AS v (id) ON c.id = v.id %s$$, id, action), code, 'MERGE ' || action)
FROM (VALUES
	(:draft, 'WHEN MATCHED THEN UPDATE SET status = ''approved''', 'MC001'),
	(:running, 'WHEN MATCHED THEN UPDATE SET title = ''x''', 'MC005'),
	(:running, 'WHEN MATCHED THEN DELETE', 'MC006'),
	(-1, 'WHEN NOT MATCHED THEN INSERT (title, status) VALUES (''x'', ''closed'')', 'MC001')
) AS v (id, action, code);
SELECT pg_temp.open(format($$MERGE INTO changemgmt.change AS c USING (VALUES (%s::bigint, 'merged'), (-1, 'merged, new')) AS v (id, title) ON c.id = v.id
	WHEN MATCHED THEN UPDATE SET title = v.title WHEN NOT MATCHED THEN INSERT (title) VALUES (v.title)$$, :draft), 2, 'MERGE of drafts');

-- COPY (query) TO

SELECT pg_temp.shut(format($$COPY (UPDATE changemgmt.change SET status = 'closed' WHERE id = %s RETURNING 1) TO '/dev/null'$$, :running), 'MC001', 'COPY (UPDATE)');
SELECT pg_temp.shut($$COPY (INSERT INTO changemgmt.change (title, status) VALUES ('x', 'closed') RETURNING 1) TO '/dev/null'$$, 'MC001', 'COPY (INSERT)');
SELECT pg_temp.shut(format($$COPY (DELETE FROM changemgmt.change WHERE id = %s RETURNING 1) TO '/dev/null'$$, :done), 'MC006', 'COPY (DELETE)');
SELECT pg_temp.open(format($$COPY (UPDATE changemgmt.change SET title = 'copied' WHERE id = %s RETURNING 1) TO '/dev/null'$$, :draft), 1, 'COPY of a legal UPDATE');

-- COPY FROM: history of the owner's, and of nobody else's

SELECT pg_temp.shut($$COPY changemgmt.change (id, title, status) FROM PROGRAM 'printf "880000\tOld\tclosed\n"'$$, 'MC001', 'COPY FROM inside a function is no door');
COPY changemgmt.change (id, title, status, outcome, actual_start, actual_end) FROM stdin;
880001	Old	closed	successful	2020-01-01	2020-01-02
\.
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'COPY FROM by the owner: the trail is whole');
SELECT results_eq('SELECT status, revision, ledger_sequence, ledger_head FROM changemgmt.change WHERE id = 880001',
	$$VALUES ('closed', 0::bigint, 0::bigint, NULL::bytea)$$, 'is stored as it is');
SELECT is((SELECT row_count FROM changemgmt.load WHERE relation = 'change'), 1::bigint, 'and recorded as a load');
SELECT pg_temp.shut('UPDATE changemgmt.change SET title = ''x'' WHERE id = 880001', 'MC005', 'history is edited by the rules');
SELECT pg_temp.open('UPDATE changemgmt.change SET realised_benefit = ''b'' WHERE id = 880001', 1, 'as far as they go');
SELECT pg_temp.shut('DELETE FROM changemgmt.change WHERE id = 880001', 'MC006', 'and not deleted');
CREATE TABLE pg_temp.inbox (title text);
CREATE FUNCTION pg_temp.inbox() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN INSERT INTO changemgmt.change (title, status) VALUES (new.title, 'closed'); RETURN new; END$$;
CREATE TRIGGER inbox AFTER INSERT ON pg_temp.inbox FOR EACH ROW EXECUTE FUNCTION pg_temp.inbox();
SELECT pg_temp.shut($$COPY pg_temp.inbox FROM PROGRAM 'echo x'$$, 'MC001', 'COPY into another table, whose trigger inserts');
CREATE VIEW pg_temp.inlet AS SELECT title FROM changemgmt.change;
CREATE TRIGGER inlet INSTEAD OF INSERT ON pg_temp.inlet FOR EACH ROW EXECUTE FUNCTION pg_temp.inbox();
SELECT pg_temp.shut($$COPY pg_temp.inlet FROM PROGRAM 'echo x'$$, 'MC001', 'COPY into a view, whose trigger inserts');
CREATE FUNCTION pg_temp.smuggle() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN UPDATE changemgmt.change SET status = 'closed' WHERE title = 'merged, new'; RETURN new; END$$;
SAVEPOINT smuggled;
CREATE TRIGGER smuggle BEFORE INSERT ON changemgmt.change FOR EACH ROW EXECUTE FUNCTION pg_temp.smuggle();
SELECT pg_temp.shut($$COPY changemgmt.change (id, title, status) FROM PROGRAM 'printf "880003\tOld\tclosed\n"'$$, 'MC001', 'COPY whose trigger updates');
ROLLBACK TO smuggled;

-- CTEs, functions, DO, cursors, prepared statements

SELECT pg_temp.shut(format($$WITH u AS (UPDATE changemgmt.change SET status = 'closed' WHERE id = %s RETURNING id) SELECT * FROM u$$, :running), 'MC001', 'an UPDATE in a CTE');
SELECT pg_temp.shut(format($$WITH u AS (UPDATE changemgmt.change SET title = 'x' WHERE id = %s RETURNING id) UPDATE changemgmt.change SET status = 'closed' WHERE id = %s$$, :draft, :running), 'MC001', 'two UPDATEs, one illegal');
SELECT pg_temp.open(format($$WITH u AS (UPDATE changemgmt.change SET title = 'cte' WHERE id = %s RETURNING id) INSERT INTO changemgmt.change_risk (change_id, description, likelihood, impact) SELECT id, 'cte', 'low', 'low' FROM u$$, :draft), 2, 'a change and its part in one statement');
SELECT pg_temp.shut(format($$DO 'BEGIN UPDATE changemgmt.change SET status = ''closed'' WHERE id = %s; END'$$, :running), 'MC001', 'DO');
SELECT pg_temp.open(format($$DO 'BEGIN UPDATE changemgmt.change SET status = ''closed'' WHERE id = %s; EXCEPTION WHEN OTHERS THEN NULL; END'$$, :running), 0, 'DO that swallows the error');
SELECT is((SELECT status FROM changemgmt.change WHERE id = :running), 'in_progress', 'and changes nothing by it');
SELECT pg_temp.shut(format($$DO 'DECLARE c CURSOR FOR SELECT * FROM changemgmt.change WHERE id = %s FOR UPDATE; r record;
	BEGIN OPEN c; FETCH c INTO r; UPDATE changemgmt.change SET status = ''closed'' WHERE CURRENT OF c; END'$$, :running), 'MC001', 'WHERE CURRENT OF');
CREATE FUNCTION pg_temp.definer(subject bigint) RETURNS void LANGUAGE sql SECURITY DEFINER
	AS $$UPDATE changemgmt.change SET status = 'closed' WHERE id = subject$$;
SELECT pg_temp.shut(format('SELECT pg_temp.definer(%s)', :running), 'MC001', 'a SECURITY DEFINER function');
PREPARE closing(bigint) AS UPDATE changemgmt.change SET status = 'closed' WHERE id = $1;
SELECT pg_temp.shut(format('EXECUTE closing(%s)', :running), 'MC001', 'a prepared statement');

-- views and rules

CREATE VIEW pg_temp.board AS SELECT id, title, status FROM changemgmt.change;
SELECT pg_temp.shut(format($$UPDATE pg_temp.board SET status = 'closed' WHERE id = %s$$, :running), 'MC001', 'an updatable view');
SELECT pg_temp.shut($$INSERT INTO pg_temp.board (title, status) VALUES ('x', 'closed')$$, 'MC001', 'INSERT into a view');
SELECT pg_temp.shut(format('DELETE FROM pg_temp.board WHERE id = %s', :running), 'MC006', 'DELETE from a view');
SELECT pg_temp.open(format($$UPDATE pg_temp.board SET title = 'by view' WHERE id = %s$$, :draft), 1, 'a view over a draft');
CREATE VIEW pg_temp.instead AS SELECT id, upper(status) AS state FROM changemgmt.change;
CREATE FUNCTION pg_temp.instead() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN UPDATE changemgmt.change SET status = lower(new.state) WHERE id = new.id; RETURN new; END$$;
CREATE TRIGGER instead INSTEAD OF UPDATE ON pg_temp.instead FOR EACH ROW EXECUTE FUNCTION pg_temp.instead();
SELECT pg_temp.shut(format($$UPDATE pg_temp.instead SET state = 'CLOSED' WHERE id = %s$$, :running), 'MC001', 'INSTEAD OF');
CREATE TABLE pg_temp.signal (id bigint);
CREATE RULE act AS ON INSERT TO pg_temp.signal DO INSTEAD UPDATE changemgmt.change SET status = 'closed' WHERE id = new.id;
SELECT pg_temp.shut(format('INSERT INTO pg_temp.signal VALUES (%s)', :running), 'MC001', 'a rule');
SAVEPOINT ruled;
CREATE RULE pass_by AS ON UPDATE TO changemgmt.change WHERE new.title = 'pass by' DO INSTEAD
	INSERT INTO changemgmt.change_risk (change_id, description, likelihood, impact) VALUES (old.id, 'rule', 'low', 'low');
SELECT pg_temp.shut(format($$UPDATE changemgmt.change SET title = 'pass by' WHERE id = %s$$, :running), '0A000', 'a rule on the table itself');
ROLLBACK TO ruled;

-- a site's own triggers, before and after the stamp

CREATE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
	CASE tg_argv[0]
		WHEN 'title' THEN new.title := new.title || ' (meddled)';
		WHEN 'status' THEN new.status := 'closed';
		WHEN 'head' THEN new.ledger_head := decode(repeat('00', 32), 'hex');
		WHEN 'revision' THEN new.revision := 1;
		WHEN 'suppress' THEN RETURN NULL;
		WHEN 'update' THEN
			IF new.title NOT LIKE '%after%' THEN
				UPDATE changemgmt.change SET title = title || ' after' WHERE id = new.id;
			END IF;
		WHEN 'close' THEN
			UPDATE changemgmt.change SET status = 'closed' WHERE id = new.id;
		WHEN 'part' THEN
			INSERT INTO changemgmt.change_risk (change_id, description, likelihood, impact)
			VALUES (new.id, 'by trigger', 'low', 'low');
	END CASE;
	RETURN new;
END
$$;
CREATE FUNCTION pg_temp.with_trigger(name text, timing text, what text, sql text) RETURNS text
	LANGUAGE sql AS
$$
	SELECT format('DO %L', format('BEGIN CREATE TRIGGER %I %s INSERT OR UPDATE ON changemgmt.change FOR EACH ROW %s EXECUTE FUNCTION pg_temp.meddle(%L); %s; DROP TRIGGER %I ON changemgmt.change; END',
		name, timing, CASE WHEN what IN ('update', 'close', 'part') THEN 'WHEN (pg_trigger_depth() < 1)' ELSE '' END, what, sql, name));
$$;
SELECT pg_temp.shut(pg_temp.with_trigger(name, 'BEFORE', what, format(sql, :draft)), code, format('trigger %s, %s: %s', name, what, sql))
FROM (VALUES
	('aaa', 'status', 'UPDATE changemgmt.change SET title = ''x'' WHERE id = %s', 'MC001'),
	('aaa', 'status', 'INSERT INTO changemgmt.change (title) VALUES (''x'')', 'MC001'),
	('aaa', 'revision', 'UPDATE changemgmt.change SET title = ''x'' WHERE id = %s', 'MC005'),
	('zzzz', 'title', 'UPDATE changemgmt.change SET title = ''x'' WHERE id = %s', 'MC005'),
	('zzzz', 'title', 'UPDATE changemgmt.change SET title = title WHERE id = %s', 'MC005'),
	('zzzz', 'title', 'INSERT INTO changemgmt.change (title) VALUES (''x'')', 'MC005'),
	('zzzz', 'status', 'UPDATE changemgmt.change SET title = ''x'' WHERE id = %s', 'MC001'),
	('zzzz', 'status', 'INSERT INTO changemgmt.change (title) VALUES (''x'')', 'MC001'),
	('zzzz', 'head', 'UPDATE changemgmt.change SET title = ''x'' WHERE id = %s', 'MC005'),
	('zzzz', 'head', 'INSERT INTO changemgmt.change (title) VALUES (''x'')', 'MC005'),
	('zzzz', 'revision', 'UPDATE changemgmt.change SET title = ''x'' WHERE id = %s', 'MC005'),
	('aaa', 'suppress', 'PERFORM changemgmt.plan(%s)', '27000'),
	('zzzz', 'suppress', 'PERFORM changemgmt.plan(%s)', '27000')
) AS v (name, what, sql, code);
SELECT pg_temp.shut(pg_temp.with_trigger(name, 'AFTER', 'close', format('UPDATE changemgmt.change SET title = ''x'' WHERE id = %s', :draft)), 'MC001', 'AFTER trigger ' || name || ' that closes')
FROM unnest('{Aaa,aaa,zzzz}'::text[]) AS name;
SELECT pg_temp.open(pg_temp.with_trigger('aaa', 'BEFORE', 'title', format('UPDATE changemgmt.change SET title = ''x'' WHERE id = %s', :draft)), 1, 'a trigger before the stamp edits');
SELECT is((SELECT title FROM changemgmt.change WHERE id = :draft), 'x (meddled)', 'which is stored, and in the trail');
SELECT pg_temp.open(pg_temp.with_trigger(name, 'BEFORE', 'suppress', format('UPDATE changemgmt.change SET title = ''y'' WHERE id = %s', :draft)), 0, 'a suppressed UPDATE, by ' || name)
FROM unnest('{aaa,zzzz}'::text[]) AS name;
SELECT pg_temp.open(pg_temp.with_trigger(name, 'AFTER', 'update', format('UPDATE changemgmt.change SET title = ''z'' WHERE id = %s', :draft)), 2, 'an AFTER trigger that updates the row again, ' || name)
FROM unnest('{Aaa,aaa,zzzz}'::text[]) AS name;
SELECT pg_temp.open(pg_temp.with_trigger(name, 'AFTER', 'part', format('UPDATE changemgmt.change SET title = ''p%s'' WHERE id = %s', name, :draft)), 2, 'an AFTER trigger that adds a part, ' || name)
FROM unnest('{Aaa,aaa,zzzz}'::text[]) AS name;

-- savepoints

SELECT pg_temp.everything() AS before \gset
SAVEPOINT here;
SELECT changemgmt.plan(:draft) \g /dev/null
SELECT changemgmt.add_risk(:draft, 'r', 'low', 'low') \g /dev/null
SELECT changemgmt.complete(:running) \g /dev/null
SELECT isnt(pg_temp.everything(), :'before', 'three steps');
ROLLBACK TO here;
SELECT is(pg_temp.everything(), :'before', 'rolled back to the savepoint, change, revision and ledger are as before');
SELECT pg_temp.open(format('SELECT changemgmt.plan(%s)', :draft), 1, 'and the step is taken again');
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'in a whole trail');

-- what remains to a superuser is seen

SAVEPOINT replica;
SET LOCAL session_replication_role = replica;
UPDATE changemgmt.change SET status = 'closed' WHERE id = :running;
SET LOCAL session_replication_role = origin;
SELECT results_eq('SELECT subject_kind, subject_id FROM changemgmt.verify_ledger()',
	format($$VALUES ('change', %s::bigint)$$, :running), 'without triggers the row changes, and the chain shows it');
ROLLBACK TO replica;
SAVEPOINT disabled;
ALTER TABLE changemgmt.change DISABLE TRIGGER USER;
INSERT INTO changemgmt.change (id, title, status) VALUES (999999, 'from nowhere', 'closed');
SET LOCAL session_replication_role = replica;
DELETE FROM changemgmt.change_item WHERE change_id = :done;
DELETE FROM changemgmt.change_check WHERE change_id = :done;
DELETE FROM changemgmt.change WHERE id = :done;
SET LOCAL session_replication_role = origin;
ALTER TABLE changemgmt.change ENABLE TRIGGER USER;
SELECT results_eq($$SELECT subject_id, regexp_replace(problem, '^row \d+', 'row n') FROM changemgmt.verify_ledger() ORDER BY 1, 2$$,
	format($$VALUES (%1$s::bigint, 'row n of change_check is gone, and its deletion is not recorded'),
	(%1$s, 'row n of change_item is gone, and its deletion is not recorded'),
	(%1$s, 'the row is gone, and its deletion is not recorded'),
	(NULL, 'of 2 rows whose creation is not in the ledger only 1 came in by COPY')$$, :done),
	'as it shows a row that is gone, its parts, and one from nowhere');
ROLLBACK TO disabled;
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole in the end');

SELECT finish();
ROLLBACK;
