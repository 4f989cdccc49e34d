-- Every pair of statuses, for every shipped model, by verb and by UPDATE.
--
-- What is legal stands in the table below, written from the table of verbs in
-- the design and not from the code. Each legal step gets a change of its own
-- that lacks nothing for it; for the others any change in that status will do.
-- All of them come in by COPY, the door for history.
\set QUIET on
BEGIN;
SELECT no_plan();

CREATE TEMP TABLE step_table (
	from_status text, to_status text, verb text,
	standard text, normal text, major text, emergency text, latent text,
	lean_standard text, lean_normal text, lean_emergency text);
COPY step_table FROM stdin WITH (DELIMITER ' ');
draft planned plan + + + . . + + .
draft cancelled cancel + + + . . + + .
planned awaiting_approval submit . + + . . . + .
planned approved submit + . . . . + . .
planned draft revise + + + . . + + .
planned cancelled cancel + + + . . + + .
awaiting_approval approved approve . + + . . . + .
awaiting_approval scheduled approve . + + . . . . .
awaiting_approval rejected reject . + + . . . + .
awaiting_approval planned defer . + + . . . + .
awaiting_approval draft revise . + + . . . + .
awaiting_approval cancelled cancel . + + . . . + .
approved awaiting_approval submit . + + . . . + .
approved scheduled schedule + + + . . . . .
approved in_progress start . . . . . + + .
approved draft revise + + + . . + + .
approved cancelled cancel + + + . . + + .
rejected draft revise . + + . . . + .
rejected cancelled cancel . + + . . . + .
scheduled awaiting_approval submit . + + . . . . .
scheduled in_progress start + + + . . . . .
scheduled draft revise + + + . . . . .
scheduled cancelled cancel + + + . . . . .
in_progress verifying complete + + + + . + + +
in_progress implemented fail + + + + . + + +
in_progress rolled_back roll_back + + + + . + + +
in_progress cancelled abort + + + + . + + +
verifying in_progress resume_work + + + + . + + +
verifying implemented pass + + + + . + + +
verifying implemented fail + + + + . + + +
verifying rolled_back roll_back + + + + . + + +
implemented rolled_back roll_back + + + + + + + +
implemented closed close + + + + + + + +
rolled_back closed close + + + + + + + +
\.

CREATE TEMP TABLE status (code text PRIMARY KEY, place integer);
INSERT INTO status
	SELECT code, place FROM unnest('{draft,planned,awaiting_approval,approved,rejected,scheduled,in_progress,verifying,implemented,rolled_back,closed,cancelled}'::text[])
		WITH ORDINALITY AS s (code, place);
CREATE TEMP TABLE model (key text PRIMARY KEY, type text, first_status text, needed integer);
INSERT INTO model VALUES
	('standard', 'standard', 'draft', 0), ('normal', 'normal', 'draft', 2),
	('major', 'major', 'draft', 3), ('emergency', 'emergency', 'in_progress', 0),
	('latent', 'latent', 'implemented', 0), ('lean_standard', 'standard', 'draft', 0),
	('lean_normal', 'normal', 'draft', 1), ('lean_emergency', 'emergency', 'in_progress', 0);

SELECT set_eq('SELECT key FROM changemgmt.shipped_models()', 'SELECT key FROM model',
	'the models below are all that ship');
SELECT set_eq($$SELECT code FROM changemgmt.code_list() WHERE list = 'status'$$,
	'SELECT code FROM status', 'the statuses below are all there are');

CREATE TEMP TABLE legal AS
	SELECT m.key AS model, t.from_status, t.to_status, t.verb
	FROM step_table AS t
	CROSS JOIN model AS m
	WHERE to_jsonb(t) ->> m.key = '+';

-- people

SELECT changemgmt.add_person(login) FROM unnest('{rita,olaf,anna,ivan,vera,zoe,c1,c2,c3,mona}'::text[]) AS login
\g /dev/null
SELECT changemgmt.add_board('cab') \g /dev/null
SELECT changemgmt.add_board_member('cab', login) FROM unnest('{c1,c2,c3}'::text[]) AS login \g /dev/null
SELECT changemgmt.add_board_member('cab', 'zoe', 'technical_lead') \g /dev/null
SELECT changemgmt.add_board_member('cab', 'mona', 'change_manager') \g /dev/null
SELECT changemgmt.add_ci('db') \g /dev/null

-- changes: one for each status (verb null), one for each legal step and door

CREATE TEMP TABLE prepared (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	model text, type text, needed integer, from_status text, place integer,
	to_status text, verb text, door text);
INSERT INTO prepared (model, type, needed, from_status, place, to_status, verb, door)
	SELECT m.key, m.type, m.needed, s.code, s.place, NULL, NULL, NULL
	FROM model AS m CROSS JOIN status AS s
	UNION ALL
	SELECT m.key, m.type, m.needed, l.from_status, s.place, l.to_status, l.verb, d.door
	FROM legal AS l
	JOIN model AS m ON m.key = l.model
	JOIN status AS s ON s.code = l.from_status
	CROSS JOIN (VALUES ('verb'), ('update')) AS d (door);

-- COPY takes no query, so the rows are written into the program that it reads.
CREATE FUNCTION pg_temp.copy_rows(into_table text, rows text) RETURNS text
	LANGUAGE sql AS $$
SELECT format('COPY %s FROM PROGRAM %L', into_table,
			  'cat <<"END"' || E'\n' || rows || E'\nEND')
$$;
CREATE FUNCTION pg_temp.line(VARIADIC text[]) RETURNS text
	LANGUAGE sql AS $$
SELECT string_agg(coalesce(v, '\N'), E'\t' ORDER BY n)
FROM unnest($1) WITH ORDINALITY AS u (v, n)
$$;

SELECT pg_temp.copy_rows('changemgmt.change (id, model, type, status, outcome,
		title, description, justification, user_impact, risk_level,
		rollback_trigger, rollback_plan, rollback_minutes, verification_plan,
		planned_start, planned_end, requester_id, owner_id, author_id,
		last_editor_id, implementer_id, submitted_at, first_submitted_at,
		notice_from, approval_round, approved_at, approved_seal,
		approved_plan_revision, plan_revision, revision, scheduled_at,
		actual_start, deployed_at, actual_end, rolled_back_at,
		stability_confirmed_at, stability_confirmed_by_id)',
	string_agg(pg_temp.line(id::text, model, type, from_status,
		CASE from_status WHEN 'implemented' THEN 'successful'
			WHEN 'closed' THEN 'successful' WHEN 'rolled_back' THEN 'rolled_back' END,
		'replace the disk', 'a new disk', 'the old one fails', 'none', 'low',
		'errors', 'put the old disk back', '10', 'look at it',
		(now() - interval '1 day')::text, (now() + interval '300 days')::text, rita, olaf, anna, anna,
		CASE WHEN place >= 7 THEN ivan END,
		CASE WHEN place >= 3 THEN '2020-01-01 00:00Z' END,
		CASE WHEN place >= 3 THEN '2020-01-01 00:00Z' END,
		CASE WHEN place >= 3 THEN '2020-01-01 00:00Z' END,
		CASE WHEN place >= 3 THEN '1' ELSE '0' END,
		CASE WHEN place >= 4 THEN '2020-01-02 00:00Z' END,
		CASE WHEN place >= 4 THEN repeat('s', 32) END,
		CASE WHEN place >= 4 THEN CASE verb WHEN 'submit' THEN '0' ELSE '1' END END,
		'1', '1',
		CASE WHEN place >= 6 OR to_status = 'scheduled' AND from_status = 'awaiting_approval'
			THEN '2020-01-03 00:00Z' END,
		CASE WHEN place >= 7 THEN '2023-12-31 00:00Z' END,
		CASE WHEN place BETWEEN 8 AND 11 THEN '2024-01-01 00:00Z' END,
		CASE WHEN place BETWEEN 8 AND 11 THEN '2024-01-01 00:00Z' END,
		CASE from_status WHEN 'rolled_back' THEN '2024-01-02 00:00Z' END,
		CASE from_status WHEN 'rolled_back' THEN '2024-01-03 00:00Z' END,
		CASE from_status WHEN 'rolled_back' THEN olaf END), E'\n'))
FROM prepared
CROSS JOIN (SELECT changemgmt.person_id('rita')::text AS rita,
				   changemgmt.person_id('olaf')::text AS olaf,
				   changemgmt.person_id('anna')::text AS anna,
				   changemgmt.person_id('ivan')::text AS ivan) AS who
GROUP BY model
\gexec

SELECT pg_temp.copy_rows('changemgmt.change_item (change_id, ci_id)',
	string_agg(pg_temp.line(id::text, changemgmt.ci_id('db')::text), E'\n'))
FROM prepared
\gexec
SELECT pg_temp.copy_rows('changemgmt.change_waiver (change_id, requirement, reason)',
	string_agg(pg_temp.line(id::text, 'notice', 'a test'), E'\n'))
FROM prepared WHERE model IN ('normal', 'major')
\gexec
-- skipped: done enough for complete, not applied for abort
SELECT pg_temp.copy_rows('changemgmt.change_task (change_id, phase, title, status, status_reason)',
	string_agg(pg_temp.line(id::text, phase, 'a step', 'skipped', 'not needed'), E'\n'))
FROM prepared CROSS JOIN (VALUES ('preparation'), ('implementation')) AS t (phase)
GROUP BY phase
\gexec
SELECT pg_temp.copy_rows('changemgmt.change_check (change_id, stage, title, passed, checked_at)',
	string_agg(pg_temp.line(id::text, stage, 'it runs', 't', '2024-02-01 00:00Z'), E'\n'))
FROM prepared CROSS JOIN (VALUES ('immediate'), ('24_hours'), ('7_days')) AS t (stage)
WHERE place >= 7
GROUP BY stage
\gexec
-- by UPDATE all votes are there, by verb zoe gives the last one
SELECT pg_temp.copy_rows('changemgmt.approval_vote
		(change_id, round, person_id, decision, reason, plan_revision, seal)',
	string_agg(pg_temp.line(p.id::text, '1', changemgmt.person_id(v.login)::text,
		CASE verb WHEN 'approve' THEN 'approved' WHEN 'reject' THEN 'rejected'
			WHEN 'defer' THEN 'deferred' END,
		'a test', '1', repeat('s', 32)), E'\n'))
FROM prepared AS p
JOIN (VALUES ('normal', 1, 'c1'), ('normal', 2, 'c2'),
			 ('major', 1, 'c1'), ('major', 2, 'c2'), ('major', 3, 'c3'),
			 ('lean_normal', 1, 'zoe')) AS v (model, n, login)
	ON v.model = p.model AND v.n <= p.needed - CASE p.door WHEN 'verb' THEN 1 ELSE 0 END
WHERE verb IN ('approve', 'reject', 'defer')
\gexec

SELECT set_eq('SELECT id, status FROM changemgmt.change',
	'SELECT id, from_status FROM prepared', 'history stands as it was copied');

-- Runs a statement as somebody, says where the change is then or the SQLSTATE,
-- and takes it back.
CREATE FUNCTION pg_temp.try(change_id bigint, actor text, sql text) RETURNS text
	LANGUAGE plpgsql AS $$
DECLARE
	answer text;
	before bigint;
BEGIN
	SELECT revision INTO before FROM changemgmt.change WHERE id = change_id;
	BEGIN
		PERFORM set_config('changemgmt.actor', actor, true);
		EXECUTE sql;
		SELECT CASE WHEN revision = before THEN 'unchanged' ELSE status END INTO answer
			FROM changemgmt.change WHERE id = change_id;
		RAISE SQLSTATE 'ZZ000';
	EXCEPTION
		WHEN SQLSTATE 'ZZ000' THEN RETURN answer;
		WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS answer = PG_EXCEPTION_DETAIL;
			RETURN SQLSTATE || CASE SQLSTATE WHEN 'MC001' THEN '' ELSE ' ' || SQLERRM || ' ' || answer END;
	END;
END
$$;

CREATE FUNCTION pg_temp.call(verb text, change_id bigint) RETURNS text
	LANGUAGE sql AS $$
SELECT format('SELECT changemgmt.%I(%s%s)', verb, change_id,
	CASE verb WHEN 'fail' THEN $q$, 'why', 'we live with it'$q$
		WHEN 'roll_back' THEN $q$, 'why', 'testing'$q$
		ELSE CASE WHEN verb IN ('reject', 'defer', 'resume_work', 'abort', 'cancel')
			THEN $q$, 'why'$q$ ELSE '' END END)
$$;
CREATE FUNCTION pg_temp.actor(verb text) RETURNS text
	LANGUAGE sql AS $$
SELECT CASE WHEN verb IN ('approve', 'reject', 'defer') THEN 'zoe'
	WHEN verb = 'start' THEN 'ivan' WHEN verb = 'pass' THEN 'vera' ELSE 'olaf' END
$$;
CREATE FUNCTION pg_temp.update_status(to_status text, verb text, change_id bigint) RETURNS text
	LANGUAGE sql AS $$
SELECT format('UPDATE changemgmt.change SET status = %L, status_reason = ''why''%s WHERE id = %s',
	to_status,
	CASE verb WHEN 'fail' THEN $q$, outcome = 'failed', remediation = 'we live with it'$q$
		WHEN 'roll_back' THEN $q$, cause_class = 'testing'$q$ ELSE '' END, change_id)
$$;

-- legal, by both doors

SELECT is(pg_temp.try(id, pg_temp.actor(verb),
		CASE door WHEN 'verb' THEN pg_temp.call(verb, id)
			ELSE pg_temp.update_status(to_status, verb, id) END),
	to_status,
	format('%s: %s to %s by %s', model, from_status, to_status,
		   CASE door WHEN 'verb' THEN verb ELSE 'UPDATE, ' || verb END))
FROM prepared WHERE verb IS NOT NULL ORDER BY id;

-- all others, by UPDATE

SELECT is(pg_temp.try(p.id, 'olaf', pg_temp.update_status(s.code, 'none', p.id)),
	'MC001', format('%s: %s to %s by UPDATE', p.model, p.from_status, s.code))
FROM prepared AS p CROSS JOIN status AS s
WHERE p.verb IS NULL AND s.code <> p.from_status
  AND NOT EXISTS (SELECT FROM legal AS l WHERE l.model = p.model
				  AND l.from_status = p.from_status AND l.to_status = s.code)
ORDER BY p.id, s.place;

-- and by any verb that leads there from anywhere. A verb that has another
-- target here does not lead there; one that led here is not taken again.

SELECT is_empty(format($f$
	WITH tried AS (
		SELECT v.verb, pg_temp.try(%1$s, pg_temp.actor(v.verb), pg_temp.call(v.verb, %1$s)) AS answer
		FROM (SELECT DISTINCT verb FROM step_table WHERE to_status = %2$L) AS v
	)
	SELECT t.verb, t.answer FROM tried AS t
	WHERE t.answer <> 'MC001'
	  AND NOT (t.answer = 'unchanged'
			   AND EXISTS (SELECT FROM legal WHERE model = %3$L AND verb = t.verb AND to_status = %4$L))
	  AND (t.answer = %2$L
		   OR NOT EXISTS (SELECT FROM legal WHERE model = %3$L AND verb = t.verb
						  AND from_status = %4$L))$f$,
	p.id, s.code, p.model, p.from_status),
	format('%s: %s to %s by verb', p.model, p.from_status, s.code))
FROM prepared AS p CROSS JOIN status AS s
WHERE p.verb IS NULL AND s.code <> p.from_status
  AND NOT EXISTS (SELECT FROM legal AS l WHERE l.model = p.model
				  AND l.from_status = p.from_status AND l.to_status = s.code)
ORDER BY p.id, s.place;

-- the status that it has already

SELECT is(pg_temp.try(id, 'olaf',
		format('UPDATE changemgmt.change SET status = %L WHERE id = %s', from_status, id)),
	'unchanged', format('%s: %s again by UPDATE is nothing', model, from_status))
FROM prepared WHERE verb IS NULL ORDER BY id;
SELECT is_empty($$SELECT FROM changemgmt.ledger WHERE subject_kind = 'change'$$, 'and leaves no trace in the ledger');

-- what can be done is what is said of it

SELECT is_empty($$
	SELECT p.model, p.from_status, n.verb, n.to_status
	FROM prepared AS p CROSS JOIN LATERAL changemgmt.next_steps(p.id) AS n
	WHERE p.verb IS NULL AND n.to_status <> p.from_status
	  AND NOT EXISTS (SELECT FROM legal AS l WHERE l.model = p.model
					  AND l.from_status = p.from_status AND l.verb = n.verb
					  AND l.to_status = n.to_status)$$,
	'next_steps() shows no step that is not legal');
SELECT is_empty($$
	SELECT l.* FROM legal AS l
	JOIN prepared AS p ON (p.model, p.from_status, p.to_status, p.verb)
		IS NOT DISTINCT FROM (l.model, l.from_status, l.to_status, l.verb) AND p.door = 'verb'
	WHERE l.verb NOT IN ('approve', 'reject', 'defer')
	  AND NOT EXISTS (SELECT FROM changemgmt.next_steps(p.id) AS n
					  WHERE (n.verb, n.to_status) = (l.verb, l.to_status))$$,
	'and all that are');

-- birth

SELECT setval('changemgmt.change_id_seq', max(id)) FROM prepared \g /dev/null
SELECT is(pg_temp.try(0, 'rita',
		CASE m.type
			WHEN 'emergency' THEN format($q$
				INSERT INTO changemgmt.change (model, status, title, incident_id,
					authorised_by_id, emergency_threshold)
				SELECT %L, %L, 'x', changemgmt.incident_id('INC1'), id, 'production_down'
				FROM changemgmt.person WHERE login = 'olaf'$q$, m.key, s.code)
			WHEN 'latent' THEN format($q$
				INSERT INTO changemgmt.change (model, status, title, found_by,
					actual_start, actual_end)
				VALUES (%L, %L, 'x', 'audit', now() - interval '1 hour', now())$q$, m.key, s.code)
			ELSE format($q$INSERT INTO changemgmt.change (model, status, title)
				VALUES (%L, %L, 'x')$q$, m.key, s.code) END),
	CASE WHEN s.code = m.first_status THEN NULL ELSE 'MC001' END,
	format('%s: %s as %s', m.key, CASE WHEN s.code = m.first_status THEN 'begins' ELSE 'does not begin' END, s.code))
FROM model AS m CROSS JOIN status AS s
ORDER BY m.key, s.place;

SELECT finish();
ROLLBACK;
