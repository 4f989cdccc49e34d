-- The engine: requirements, refusals and their explanation, what verbs mean
-- when they are repeated, stamps, seals, what is frozen when, notice, waivers,
-- and requirements of a site. Which status leads to which is the subject of
-- lifecycle_transition.sql.
\set QUIET on
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL client_min_messages = warning;

-- ----------------------------------------------------------------
-- Tools
-- ----------------------------------------------------------------

SELECT changemgmt.add_person(login) FROM unnest('{rita,olaf,anna,ivan,vera,zoe,c1,c2,c3,mona}'::text[]) AS login
\g /dev/null
SELECT changemgmt.add_board('cab') \g /dev/null
SELECT changemgmt.add_board_member('cab', login) FROM unnest('{c1,c2,c3}'::text[]) AS login \g /dev/null
SELECT changemgmt.add_board_member('cab', 'zoe', 'technical_lead') \g /dev/null
SELECT changemgmt.add_board_member('cab', 'mona', 'change_manager') \g /dev/null
SELECT changemgmt.add_ci('db', version => '14') \g /dev/null
SELECT changemgmt.add_ci('cache') \g /dev/null
SELECT changemgmt.set_ci(ci, is_exclusive => false) FROM unnest('{db,cache}'::text[]) AS ci \g /dev/null

CREATE TYPE pg_temp.refusal AS (code text, message text, detail text, hint text);

-- Does as somebody what the statements say, and takes it back unless it is to
-- be kept. An error is answered in its parts.
CREATE FUNCTION pg_temp.refusal(actor text, sql text, keep boolean DEFAULT false)
	RETURNS pg_temp.refusal
	LANGUAGE plpgsql AS $$
DECLARE
	answer pg_temp.refusal;
BEGIN
	BEGIN
		PERFORM set_config('changemgmt.actor', actor, true);
		EXECUTE sql;
		IF NOT keep THEN
			RAISE SQLSTATE 'ZZ000';
		END IF;
	EXCEPTION
		WHEN SQLSTATE 'ZZ000' THEN NULL;
		WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS answer.code = RETURNED_SQLSTATE,
				answer.message = MESSAGE_TEXT, answer.detail = PG_EXCEPTION_DETAIL,
				answer.hint = PG_EXCEPTION_HINT;
			RETURN answer;
	END;
	PERFORM set_config('changemgmt.actor', '', true);
	answer.code := 'done';
	RETURN answer;
END
$$;
-- The code of the answer; what was done is taken back.
CREATE FUNCTION pg_temp.try(actor text, sql text) RETURNS text
	LANGUAGE sql AS $$SELECT code FROM pg_temp.refusal(actor, sql)$$;
-- The same, and what was done stays.
CREATE FUNCTION pg_temp.do(actor text, sql text) RETURNS text
	LANGUAGE sql AS $$
SELECT concat_ws(' ', code, message, detail) FROM pg_temp.refusal(actor, sql, true)$$;
-- The value of a column.
CREATE FUNCTION pg_temp.get(change_id bigint, field text) RETURNS text
	LANGUAGE sql AS $$
SELECT to_jsonb(c) ->> field FROM changemgmt.change AS c WHERE id = change_id$$;

-- COPY takes no query, so the rows are written into the program that it reads.
CREATE FUNCTION pg_temp.copy_rows(into_table text, rows text) RETURNS text
	LANGUAGE sql AS $$
SELECT format('COPY %s FROM PROGRAM %L', into_table,
			  'cat <<"END"' || E'\n' || rows || E'\nEND')
$$;

-- A change that lacks nothing, walked to a status by the verbs, each by who
-- should. Its time began an hour ago.
CREATE FUNCTION pg_temp.walk(model text, to_status text) RETURNS bigint
	LANGUAGE plpgsql AS $$
<<walk>>
DECLARE
	change_id bigint;
	is_now text;
	check_id bigint;
	voter text;
	is_itil boolean := model IN ('standard', 'normal', 'major');
BEGIN
	PERFORM set_config('changemgmt.actor', 'anna', true);
	SELECT s.id, s.status INTO change_id, is_now FROM changemgmt.create_change_from(jsonb_build_object(
		'title', 'replace the disk', 'model', model, 'requester', 'rita', 'owner', 'olaf',
		'description', 'a new disk', 'justification', 'the old one fails',
		'user_impact', 'none', 'items', '[{"ci": "db", "version_after": "15"}]'::jsonb,
		'rollback_trigger', 'errors', 'rollback_plan', 'put the old disk back',
		'rollback_minutes', 10, 'verification_plan', 'look at it',
		'risk_level', 'low', 'checks', '["it runs"]'::jsonb,
		'tasks', '[{"title": "backup", "phase": "preparation"}, "swap", {"title": "tidy up", "phase": "follow_up"}]'::jsonb,
		'risks', '[{"description": "wrong disk", "likelihood": "low", "impact": "high"}]'::jsonb,
		'planned_start', date_trunc('hour', now() - interval '1 hour'),
		'planned_end', date_trunc('hour', now() + interval '6 hours'))) AS s;
	IF model IN ('normal', 'major') THEN
		PERFORM set_config('changemgmt.actor', 'mona', true);
		PERFORM changemgmt.waive(change_id, 'notice', 'a test');
	END IF;
	WHILE is_now <> to_status LOOP
		PERFORM set_config('changemgmt.actor', 'olaf', true);
		CASE is_now
			WHEN 'draft' THEN PERFORM changemgmt.plan(change_id);
			WHEN 'planned' THEN PERFORM changemgmt.submit(change_id);
			WHEN 'awaiting_approval' THEN
				IF to_status = 'rejected' THEN
					FOREACH voter IN ARRAY CASE model WHEN 'normal' THEN '{c1,c2}'
							WHEN 'major' THEN '{c1,c2,c3}' ELSE '{zoe}' END::text[] LOOP
						PERFORM set_config('changemgmt.actor', voter, true);
						PERFORM changemgmt.reject(change_id, 'no');
					END LOOP;
				ELSE
					FOREACH voter IN ARRAY CASE model WHEN 'normal' THEN '{c1,c2}'
							WHEN 'major' THEN '{c1,c2,c3}' ELSE '{zoe}' END::text[] LOOP
						PERFORM set_config('changemgmt.actor', voter, true);
						PERFORM changemgmt.approve(change_id);
					END LOOP;
				END IF;
			WHEN 'approved' THEN
				IF is_itil THEN
					PERFORM changemgmt.schedule(change_id);
				ELSE
					PERFORM pg_temp.begin_work(change_id);
				END IF;
			WHEN 'scheduled' THEN PERFORM pg_temp.begin_work(change_id);
			WHEN 'in_progress' THEN
				PERFORM set_config('changemgmt.actor', 'ivan', true);
				UPDATE changemgmt.change_task AS t SET status = 'done'
				WHERE t.change_id = walk.change_id AND phase = 'implementation';
				PERFORM changemgmt.complete(change_id);
			WHEN 'verifying' THEN
				PERFORM set_config('changemgmt.actor', 'vera', true);
				IF to_status = 'rolled_back' THEN
					PERFORM changemgmt.roll_back(change_id, 'it is slow', 'testing');
				ELSE
					PERFORM changemgmt.record_check(c.id, true, 'runs')
					FROM changemgmt.change_check AS c WHERE c.change_id = walk.change_id;
					PERFORM changemgmt.pass(change_id);
				END IF;
			WHEN 'implemented' THEN PERFORM changemgmt.close(change_id);
		END CASE;
		SELECT c.status INTO is_now FROM changemgmt.change AS c WHERE id = change_id;
	END LOOP;
	PERFORM set_config('changemgmt.actor', '', true);
	RETURN change_id;
END
$$;
CREATE FUNCTION pg_temp.begin_work(change_id bigint) RETURNS void
	LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('changemgmt.actor', 'ivan', true);
	UPDATE changemgmt.change_task AS t SET status = 'done'
	WHERE t.change_id = begin_work.change_id AND phase = 'preparation';
	PERFORM changemgmt.start(change_id);
END
$$;

CREATE FUNCTION pg_temp.task(change_id bigint, title text) RETURNS bigint
	LANGUAGE sql AS $$
SELECT id FROM changemgmt.change_task AS t WHERE (t.change_id, t.title) = (task.change_id, task.title)$$;
CREATE FUNCTION pg_temp.check_of(change_id bigint) RETURNS bigint
	LANGUAGE sql AS $$
SELECT min(id) FROM changemgmt.change_check AS t WHERE t.change_id = check_of.change_id$$;

-- changes in every status
CREATE TEMP TABLE walked (name text PRIMARY KEY, id bigint);
INSERT INTO walked
	SELECT model || ' ' || status, pg_temp.walk(model, status)
	FROM (VALUES
		('normal', '{draft,planned,awaiting_approval,rejected,approved,scheduled,in_progress,verifying,implemented,rolled_back}'::text[]),
		('standard', '{planned,approved,scheduled,verifying}'),
		('lean_standard', '{planned,approved}'),
		('lean_normal', '{draft,planned,awaiting_approval,approved,in_progress,verifying,implemented,rolled_back,closed}')
	) AS w (model, statuses), unnest(statuses) AS status;
CREATE FUNCTION pg_temp.id(name text) RETURNS bigint
	LANGUAGE sql AS $$SELECT w.id FROM walked AS w WHERE w.name = $1$$;
SELECT is_empty($$
	SELECT name, status FROM walked AS w JOIN changemgmt.change AS c USING (id)
	WHERE split_part(name, ' ', 2) <> status$$, 'changes can be walked to every status');

-- Old enough for its validations, which takes history: only those of 24 hours
-- are there yet.
SELECT pg_temp.copy_rows('changemgmt.change (id, model, type, status, outcome, title,
		requester_id, owner_id, author_id, implementer_id, actual_start, deployed_at, actual_end)',
	concat_ws(E'\t', 1000, 'normal', 'normal', 'implemented', 'successful', 'an old one',
		changemgmt.person_id('rita'), changemgmt.person_id('olaf'),
		changemgmt.person_id('anna'), changemgmt.person_id('ivan'),
		now() - interval '8 days 1 hour', now() - interval '8 days', now() - interval '8 days'))
\gexec
SELECT pg_temp.copy_rows('changemgmt.change_check (id, change_id, stage, title, passed, checked_at)',
	concat_ws(E'\t', 1000, 1000, '24_hours', 'after a day', 't', now() - interval '6 days') || E'\n' ||
	concat_ws(E'\t', 1001, 1000, '7_days', 'after a week', '\N', '\N'))
\gexec
INSERT INTO walked VALUES ('old implemented', 1000);

-- ----------------------------------------------------------------
-- Each requirement
-- ----------------------------------------------------------------

-- One way of taking a step is done; the other is refused, for this
-- requirement alone.
CREATE TEMP TABLE tested (requirement text);
CREATE FUNCTION pg_temp.needs(requirement text, actor text, good text, bad text,
	message text, code text DEFAULT 'MC002', description text DEFAULT '')
	RETURNS SETOF text
	LANGUAGE plpgsql AS $$
DECLARE
	answer pg_temp.refusal;
BEGIN
	INSERT INTO tested VALUES (requirement);
	answer := pg_temp.refusal(actor, good);
	RETURN NEXT is(answer, ROW('done', NULL, NULL, NULL)::pg_temp.refusal,
				   requirement || ': met' || description);
	answer := pg_temp.refusal(actor, bad);
	RETURN NEXT is(answer.code, code, requirement || ': not met' || description);
	RETURN NEXT is(answer.detail, requirement || ': ' || message,
				   requirement || ': and nothing else' || description);
	RETURN NEXT ok(answer.message LIKE '%' || message AND answer.hint <> '',
				   requirement || ': as message, with a hint' || description);
END
$$;
CREATE FUNCTION pg_temp.acting(login text) RETURNS text
	LANGUAGE sql AS $$SELECT set_config('changemgmt.actor', login, true)$$;

-- plan_complete: every piece
SELECT pg_temp.needs('plan_complete', 'anna',
	format('SELECT changemgmt.plan(%s)', d.id),
	format('%s; SELECT changemgmt.plan(%s)', replace(b.sql, '$1', d.id::text), d.id),
	'the plan lacks ' || b.missing, 'MC002', ' (' || b.missing || ')')
FROM (SELECT pg_temp.id('normal draft') AS id) AS d, (VALUES
	('owner', 'UPDATE changemgmt.change SET owner_id = NULL WHERE id = $1'),
	('description', 'UPDATE changemgmt.change SET description = NULL WHERE id = $1'),
	('description', $$UPDATE changemgmt.change SET description = E' \n' WHERE id = $1$$),
	('justification', 'UPDATE changemgmt.change SET justification = '''' WHERE id = $1'),
	('affected items', 'DELETE FROM changemgmt.change_item WHERE change_id = $1'),
	('user impact', 'UPDATE changemgmt.change SET user_impact = NULL WHERE id = $1'),
	('risk', 'UPDATE changemgmt.change SET risk_level = NULL WHERE id = $1; DELETE FROM changemgmt.change_risk WHERE change_id = $1'),
	('rollback trigger', 'UPDATE changemgmt.change SET rollback_trigger = NULL WHERE id = $1'),
	('rollback steps', 'UPDATE changemgmt.change SET rollback_plan = NULL WHERE id = $1'),
	('rollback minutes', 'UPDATE changemgmt.change SET rollback_minutes = NULL WHERE id = $1'),
	('verification', 'UPDATE changemgmt.change SET verification_plan = NULL WHERE id = $1; DELETE FROM changemgmt.change_check WHERE change_id = $1'),
	('planned time', 'UPDATE changemgmt.change SET planned_start = NULL WHERE id = $1'),
	('planned time', 'UPDATE changemgmt.change SET planned_end = NULL WHERE id = $1')
) AS b (missing, sql);
SELECT pg_temp.needs('plan_complete', 'anna',
	format('SELECT changemgmt.submit(%s)', id),
	format('UPDATE changemgmt.change SET description = NULL WHERE id = %s; SELECT changemgmt.submit(%s)', id, id),
	'the plan lacks description', 'MC002', ' at submit')
FROM (SELECT pg_temp.id('normal planned') AS id) AS d;

SELECT pg_temp.needs('coordinator', 'olaf',
	format('SELECT changemgmt.triage(%s)', id),
	format('SELECT pg_temp.acting(''stranger''); SELECT changemgmt.triage(%s)', id),
	'nobody coordinates it')
FROM (SELECT pg_temp.id('normal draft') AS id) AS d;

SELECT pg_temp.needs('data_approval', 'olaf',
	format('SELECT changemgmt.submit(%s)', id),
	format('UPDATE changemgmt.change SET %s = true WHERE id = %s; SELECT changemgmt.submit(%s)', flag, id, id),
	format('it touches %s, and model "lean_standard" is neither an approved template nor asks for an approval', what))
FROM (SELECT pg_temp.id('lean_standard planned') AS id) AS d,
	(VALUES ('touches_security', 'security'), ('touches_data_integrity', 'data integrity')) AS f (flag, what);

SELECT pg_temp.needs('policy_votes', 'olaf',
	format('SELECT changemgmt.submit(%s)', id),
	format('SELECT changemgmt.set_approval_policy(''reviewed'', ''[{"rule": "one"}]'', risk_level => ''low''); SELECT changemgmt.submit(%s)', id),
	format('policy "reviewed" asks for an approval, and model "%s" takes no votes', model))
FROM unnest('{standard,lean_standard}'::text[]) AS model, LATERAL (SELECT pg_temp.id(model || ' planned') AS id) AS d;

SELECT pg_temp.needs('seal_fresh', 'anna',
	format('SELECT changemgmt.%s(%s)', verb, id),
	format('UPDATE changemgmt.change SET title = ''another'' WHERE id = %s; SELECT changemgmt.%s(%s)', id, verb, id),
	'the plan was edited after it was approved', 'MC005', ' at ' || verb)
FROM (VALUES ('schedule', pg_temp.id('normal approved'))) AS d (verb, id);
SELECT pg_temp.needs('seal_stale', 'anna',
	format('UPDATE changemgmt.change SET title = ''another'' WHERE id = %s; SELECT changemgmt.submit(%s)', id, id),
	format('SELECT changemgmt.submit(%s)', id),
	'the approval is fresh: there is nothing to submit again')
FROM (SELECT id FROM walked WHERE name IN ('normal approved', 'normal scheduled')) AS d;

SELECT pg_temp.needs('window_booked', 'olaf',
	format('SELECT changemgmt.%s(%s, now() + interval ''10 days'', now() + interval ''11 days'')', verb, id),
	format('SELECT changemgmt.%s(%s, now() - interval ''2 hours'', date_trunc(''hour'', now()))', verb, id),
	'the time is over since ' || date_trunc('hour', now()), 'MC007', ' at ' || verb)
FROM (VALUES ('schedule', pg_temp.id('normal approved')),
			 ('reschedule', pg_temp.id('normal scheduled'))) AS d (verb, id);
SELECT pg_temp.needs('window_booked', 'olaf',
	format('SELECT changemgmt.%s(%s, now() + interval ''10 days'', now() + interval ''376 days'')', verb, id),
	format('SELECT changemgmt.%s(%s, now() + interval ''10 days'', now() + interval ''376 days 1 microsecond'')', verb, id),
	'the time is longer than 366 days', 'MC007', ' at ' || verb || ', how long')
FROM (VALUES ('schedule', pg_temp.id('normal approved')),
			 ('reschedule', pg_temp.id('normal scheduled'))) AS d (verb, id);
SELECT pg_temp.needs('inside_window', 'ivan',
	format('UPDATE changemgmt.change_task SET status = ''done'' WHERE change_id = %s AND phase = ''preparation''; SELECT changemgmt.start(%s)', id, id),
	format('UPDATE changemgmt.change_task SET status = ''done'' WHERE change_id = %s AND phase = ''preparation'';
			SELECT changemgmt.reschedule(%s, date_trunc(''day'', now()) + interval ''2 days'', date_trunc(''day'', now()) + interval ''3 days'');
			SELECT changemgmt.start(%s)', id, id, id),
	'the booked time begins at ' || date_trunc('day', now()) + interval '2 days', 'MC007')
FROM (SELECT pg_temp.id('normal scheduled') AS id) AS d;

SELECT pg_temp.needs('checklist_done', 'ivan',
	format('SELECT changemgmt.%s; SELECT changemgmt.start(%s)', how, id),
	format('SELECT changemgmt.start(%s)', id),
	'1 preparation task is open: backup', 'MC002', ' (' || how || ')')
FROM (SELECT pg_temp.id('normal scheduled') AS id) AS d,
	LATERAL (VALUES (format('complete_task(%s)', pg_temp.task(id, 'backup'))),
					(format('skip_task(%s, ''we have one'')', pg_temp.task(id, 'backup')))) AS h (how);
-- what an approver asked for, also where the checklist is waived
SELECT pg_temp.needs('conditions_done', 'ivan',
	format('%s; %s; SELECT changemgmt.start(%s)', asked, answer, id),
	format('%s; %s; SELECT changemgmt.start(%s)', asked, list, id),
	'2 conditions are open: watch it, call first', 'MC002', ' (' || name || ')')
FROM (VALUES ('normal scheduled', 'c1'), ('lean_normal approved', 'zoe')) AS n (name, voter),
	LATERAL (SELECT pg_temp.id(name) AS id) AS d,
	LATERAL (SELECT format('SELECT pg_temp.acting(%L); SELECT changemgmt.add_condition(%s, ''watch it''), changemgmt.add_condition(%s, ''call first'')',
		voter, id, id) AS asked,
		format('SELECT pg_temp.acting(''ivan''); SELECT changemgmt.complete_task(%s)', pg_temp.task(id, 'backup')) AS list) AS c,
	LATERAL (SELECT list || format('; UPDATE changemgmt.change_task SET status = ''done'' WHERE change_id = %s AND is_condition', id) AS answer) AS a;
SELECT is(pg_temp.try('mona', format('SELECT changemgmt.waive(%1$s, ''checklist_done'', ''no time''); SELECT pg_temp.acting(''c1'');
	SELECT changemgmt.add_condition(%1$s, ''watch it''); SELECT pg_temp.acting(''ivan''); SELECT changemgmt.start(%1$s)', pg_temp.id('normal scheduled'))),
	'MC002', 'a waiver of the checklist waives no condition');
SELECT pg_temp.needs('tasks_done', 'ivan',
	format('SELECT changemgmt.%s; SELECT changemgmt.complete(%s)', how, id),
	format('SELECT changemgmt.complete(%s)', id),
	'1 implementation task is open: swap', 'MC002', ' (' || how || ')')
FROM (SELECT pg_temp.id('normal in_progress') AS id) AS d,
	LATERAL (VALUES (format('complete_task(%s)', pg_temp.task(id, 'swap'))),
					(format('skip_task(%s, ''not needed'')', pg_temp.task(id, 'swap')))) AS h (how);

SELECT pg_temp.needs('verified', 'vera',
	format('SELECT changemgmt.record_check(%s, true); SELECT changemgmt.pass(%s)', c, id),
	format('SELECT changemgmt.record_check(%s, true); SELECT changemgmt.record_check(%s, false); SELECT changemgmt.pass(%s)', c, c, id),
	format('check %s "it runs" failed', c), 'MC002', ' (the latest counts)')
FROM (SELECT id, pg_temp.check_of(id) AS c FROM walked WHERE name IN ('normal verifying', 'lean_normal verifying')) AS d;

-- reason: every verb that asks for one
SELECT pg_temp.needs('reason', 'olaf',
	format('SELECT changemgmt.%s(%s, ''why''%s)', verb, id, more),
	format('SELECT changemgmt.%s(%s, %s%s)', verb, id, none, more),
	verb || ' needs a reason', 'MC002', format(' (%s, %s)', verb, none))
FROM (VALUES
	('resume_work', pg_temp.id('normal verifying'), ''),
	('fail', pg_temp.id('normal in_progress'), ', ''a new one tomorrow'''),
	('roll_back', pg_temp.id('normal in_progress'), ', ''testing'''),
	('abort', pg_temp.id('normal in_progress'), ''),
	('hold', pg_temp.id('normal scheduled'), ''),
	('cancel', pg_temp.id('normal scheduled'), '')
) AS v (verb, id, more),
(VALUES ('NULL'), (''' ''')) AS n (none);
SELECT pg_temp.needs('reason', 'vera',
	format('SELECT changemgmt.record_check(%s, true); SELECT changemgmt.pass(%s, issues => ''slow, but it runs'')', c, id),
	format('SELECT changemgmt.record_check(%s, true); SELECT changemgmt.pass(%s, issues => '''')', c, id),
	'pass needs a reason', 'MC002', ' (pass with issues)')
FROM (SELECT id, pg_temp.check_of(id) AS c FROM walked WHERE name = 'normal verifying') AS d;

SELECT pg_temp.needs('remediation', 'olaf',
	format('SELECT changemgmt.fail(%s, ''why'', ''a new one tomorrow'')', id),
	format('SELECT changemgmt.fail(%s, ''why'')', id),
	'nothing is said of the remediation')
FROM walked WHERE name IN ('normal in_progress', 'normal verifying', 'normal implemented');
SELECT pg_temp.needs('cause_class', 'olaf',
	format('SELECT changemgmt.roll_back(%s, ''why'', ''testing'')', id),
	format('SELECT changemgmt.roll_back(%s, ''why'')', id),
	'the class of the cause is not given')
FROM walked WHERE name IN ('normal in_progress', 'normal verifying', 'normal implemented');
SELECT pg_temp.needs('nothing_applied', 'ivan',
	format('SELECT changemgmt.abort(%s, ''why'')', id),
	format('SELECT changemgmt.complete_task(%s); SELECT changemgmt.abort(%s, ''why'')', pg_temp.task(id, 'swap'), id),
	'1 implementation task is done')
FROM (SELECT pg_temp.id('normal in_progress') AS id) AS d;
SELECT pg_temp.needs('nothing_applied', 'ivan',
	format('SELECT changemgmt.abort(%s, ''why'')', id),
	format('SELECT changemgmt.skip_task(%s, ''why''); SELECT changemgmt.complete(%s); SELECT changemgmt.resume_work(%s, ''why''); SELECT changemgmt.abort(%s, ''why'')',
		   pg_temp.task(id, 'swap'), id, id, id),
	'it was complete once', 'MC002', ' (complete once)')
FROM (SELECT pg_temp.id('normal in_progress') AS id) AS d;

SELECT pg_temp.needs('validations_done', 'vera',
	'SELECT changemgmt.record_check(1001, true); SELECT changemgmt.close(1000)',
	'SELECT changemgmt.close(1000)',
	'no validation 7 days after deployment');
SELECT pg_temp.needs('validations_done', 'vera',
	'SELECT changemgmt.record_check(1001, true); SELECT changemgmt.close(1000)',
	'SELECT changemgmt.record_check(1001, true, at => now() - interval ''2 days''); SELECT changemgmt.close(1000)',
	'no validation 7 days after deployment', 'MC002', ' (too early)');
SELECT pg_temp.needs('validations_done', 'vera',
	'SELECT changemgmt.record_check(1001, true); SELECT changemgmt.close(1000)',
	'SELECT changemgmt.record_check(1001, false); SELECT changemgmt.close(1000)',
	'the 7_days validation "after a week" failed', 'MC002', ' (failed)');
SELECT pg_temp.needs('stability_confirmed', 'vera',
	format('SELECT changemgmt.confirm_stability(%s); SELECT changemgmt.close(%s)', id, id),
	format('SELECT changemgmt.close(%s)', id),
	'nobody has confirmed that the service is stable')
FROM walked WHERE name IN ('normal rolled_back', 'lean_normal rolled_back');
SELECT pg_temp.needs('stability_confirmed', 'vera',
	format('SELECT changemgmt.fail(%s, ''why'', ''x''); SELECT changemgmt.confirm_stability(%s); SELECT changemgmt.close(%s)', id, id, id),
	format('SELECT changemgmt.fail(%s, ''why'', ''x''); SELECT changemgmt.close(%s)', id, id),
	'nobody has confirmed that the service is stable', 'MC002', ' (failed)')
FROM walked WHERE name = 'lean_normal implemented';

SELECT pg_temp.needs('quorum', 'c1',
	format('SELECT changemgmt.approve(%s); SELECT pg_temp.acting(''c2''); SELECT changemgmt.approve(%s)', id, id),
	format('SELECT changemgmt.approve(%s); UPDATE changemgmt.change SET status = ''approved'' WHERE id = %s', id, id),
	'1 of 2 approvals of board cab, waiting for c2, c3, mona, zoe')
FROM walked WHERE name = 'normal awaiting_approval';
SELECT pg_temp.needs('quorum', 'c1',
	format('SELECT changemgmt.%s(%s, ''no''); SELECT pg_temp.acting(''c2''); SELECT changemgmt.%s(%s, ''no'')', verb, id, verb, id),
	format('SELECT changemgmt.%s(%s, ''no''); UPDATE changemgmt.change SET status = %L, status_reason = ''no'' WHERE id = %s', verb, id, status, id),
	format('the votes do not %s it: 0 approved, %s rejected, %s deferred of 5 that may vote', verb,
		   (verb = 'reject')::integer, (verb = 'defer')::integer))
FROM walked, (VALUES ('reject', 'rejected'), ('defer', 'planned')) AS v (verb, status)
WHERE name = 'normal awaiting_approval';
SELECT pg_temp.needs('segregation', 'vera',
	format('SELECT changemgmt.record_check(%s, true); SELECT changemgmt.pass(%s)', c, id),
	format('SELECT changemgmt.record_check(%s, true); SELECT pg_temp.acting(''ivan''); SELECT changemgmt.pass(%s)', c, id),
	'ivan is both implementer and verifier', 'MC004')
FROM (SELECT id, pg_temp.check_of(id) AS c FROM walked WHERE name = 'normal verifying') AS d;
SELECT pg_temp.needs('segregation', 'ivan',
	format('SELECT changemgmt.complete_task(%s); SELECT changemgmt.start(%s)', pg_temp.task(id, 'backup'), id),
	format('SELECT changemgmt.complete_task(%s); SELECT pg_temp.acting(''c1''); SELECT changemgmt.start(%s)', pg_temp.task(id, 'backup'), id),
	'c1 is both approver and implementer', 'MC004')
FROM walked WHERE name = 'normal scheduled';

SELECT pg_temp.needs(requirement, 'ivan',
	$$SELECT changemgmt.declare_emergency('down', 'INC1', 'mona', 'production_down')$$,
	sql, message)
FROM (VALUES
	('incident', $$SELECT changemgmt.declare_emergency('down', NULL, 'mona', 'production_down')$$,
	 'no incident is named that it answers'),
	('incident', $$SELECT changemgmt.declare_emergency('down', '', 'mona', 'production_down')$$,
	 'no incident is named that it answers'),
	('authoriser', $$SELECT changemgmt.declare_emergency('down', 'INC1', NULL, 'production_down')$$,
	 'nobody is named who authorised it'),
	('emergency_threshold', $$SELECT changemgmt.declare_emergency('down', 'INC1', 'mona', NULL)$$,
	 'it is not said what makes it an emergency: production_down, data_at_risk or security_breach')
) AS b (requirement, sql, message);
SELECT pg_temp.needs(requirement, 'mona',
	$$SELECT changemgmt.record_unauthorized('who did this', 'audit', now() - interval '3 days', now() - interval '2 days')$$,
	sql, message)
FROM (VALUES
	('found_by', $$SELECT changemgmt.record_unauthorized('who did this', NULL, now() - interval '3 days', now() - interval '2 days')$$,
	 'it is not said how it was found'),
	('real_times', $$SELECT changemgmt.record_unauthorized('who did this', 'audit', NULL, now() - interval '2 days')$$,
	 'it is not said when it really began and ended'),
	('real_times', $$SELECT changemgmt.record_unauthorized('who did this', 'audit', now() - interval '3 days', NULL)$$,
	 'it is not said when it really began and ended')
) AS b (requirement, sql, message);

-- notice: the start may be five business days after the submission
SELECT pg_temp.acting('anna') \g /dev/null
INSERT INTO walked SELECT 'noticed draft', id FROM changemgmt.copy_change(pg_temp.id('normal draft'));
SELECT is(r.code, o.code, 'notice: five business days ' || off)
FROM (VALUES ('- interval ''1 hour''', 'MC002'), ('+ interval ''1 hour''', 'done')) AS o (off, code),
	pg_temp.refusal('anna', format($$
		UPDATE changemgmt.change SET planned_start = changemgmt.add_business_days(now(), 5) %1$s,
			planned_end = now() + interval '30 days' WHERE id = %2$s;
		SELECT changemgmt.plan(%2$s); SELECT changemgmt.submit(%2$s)$$,
		off, pg_temp.id('noticed draft'))) AS r;
SELECT matches((pg_temp.refusal('anna', format($$
		UPDATE changemgmt.change SET planned_start = now(), planned_end = now() + interval '1 hour' WHERE id = %1$s;
		SELECT changemgmt.plan(%1$s); SELECT changemgmt.submit(%1$s)$$, pg_temp.id('noticed draft')))).detail,
	'^notice: 5 business days'' notice are needed: the earliest start is 20[^\n]*$', 'notice: not met, and nothing else');
INSERT INTO tested VALUES ('notice');

-- writers_known: who is not known cannot be told apart from who approves
SELECT is(r.code || ' ' || coalesce(r.detail, ''), o.answer, 'writers_known: ' || o.why)
FROM (VALUES
	('stranger', 'MC004 writers_known: it is not known who edited the plan last', 'not met after an edit by somebody unknown'),
	('anna', 'done ', 'met after one by somebody known')) AS o (editor, answer, why),
	pg_temp.refusal('anna', format($$
		SELECT set_config('changemgmt.actor', 'stranger', true);
		SELECT changemgmt.edit_change(%1$s, '{"rollback_plan": "another"}');
		SELECT set_config('changemgmt.actor', %2$L, true);
		SELECT changemgmt.edit_change(%1$s, '{"rollback_plan": "the way back"}');
		SELECT set_config('changemgmt.actor', 'anna', true);
		SELECT changemgmt.submit(%1$s)$$, pg_temp.id('lean_normal planned'), o.editor)) AS r;
INSERT INTO tested VALUES ('writers_known');
-- in template.sql, and change_communication.sql
INSERT INTO tested VALUES ('template_record'), ('stakeholders_told'), ('end_announced'), ('duties_done'), ('duties_kept');
-- in change_check.sql
INSERT INTO tested VALUES ('rollback_trigger_clear');
-- in template.sql, and in change_task.sql
INSERT INTO tested VALUES ('template_record'), ('manifest_reviewed'), ('proven_before'), ('rollback_tasks_done');

-- schedule_conflict.sql tests those of the schedule
SELECT set_eq($$SELECT name FROM changemgmt.requirement_list() WHERE name NOT IN ('in_window', 'no_blackout', 'no_conflict')$$,
	'SELECT DISTINCT requirement FROM tested',
	'every requirement that ships is tested here');
SELECT set_eq('SELECT name, description, verbs FROM changemgmt.requirement_list()',
	'SELECT name, description, verbs FROM changemgmt.requirement WHERE is_shipped',
	'and shown by the view');

-- ----------------------------------------------------------------
-- Refusals and their explanation
-- ----------------------------------------------------------------

-- All at once: every piece of a plan, and every requirement.
SELECT is((pg_temp.refusal('rita', $$SELECT changemgmt.plan(id) FROM changemgmt.create_change('a wish')$$)).detail,
	'plan_complete: the plan lacks owner, description, justification, affected items, user impact, risk, rollback trigger, rollback steps, rollback minutes, verification, planned time',
	'a plan names all that it lacks');
SELECT is(r.code || E'\n' || r.detail, E'MC002\n'
	|| 'seal_fresh: the plan was edited after it was approved' || E'\n'
	|| 'inside_window: the booked time begins at ' || date_trunc('day', now()) + interval '2 days' || E'\n'
	|| 'checklist_done: 1 preparation task is open: backup' || E'\n'
	|| 'segregation: c1 is both approver and implementer', 'a start names all that it lacks')
FROM walked, pg_temp.refusal('c1', format($$
	SELECT changemgmt.reschedule(%1$s, date_trunc('day', now()) + interval '2 days', date_trunc('day', now()) + interval '3 days');
	SELECT pg_temp.acting('anna');
	UPDATE changemgmt.change SET title = 'another' WHERE id = %1$s;
	SELECT pg_temp.acting('c1');
	SELECT changemgmt.start(%1$s)$$, id)) AS r
WHERE name = 'normal scheduled';
SELECT matches(r.message || E'\n' || r.hint,
	'^CHG\d+: fail is refused: 2 requirements are not met\nSELECT \* FROM changemgmt.why_not\(\d+, ''fail''\) lists them with what to do.$',
	'the message counts them, the hint names the call that explains them')
FROM pg_temp.refusal('ivan', format('SELECT changemgmt.fail(%s)', pg_temp.id('normal in_progress'))) AS r;

-- Whatever verb next_steps() shows for whatever change: what why_not() says is
-- what its refusal lists, and where it says nothing the step is taken.
CREATE FUNCTION pg_temp.explained(actor text, change_id bigint, verb text) RETURNS text
	LANGUAGE plpgsql AS $$
DECLARE
	said text;
	step changemgmt.next_step;
	answer pg_temp.refusal;
	bare text := format('SELECT changemgmt.%I(%s)', verb, change_id);
BEGIN
	PERFORM set_config('changemgmt.actor', actor, true);
	SELECT string_agg(w.requirement || ': ' || w.message, E'\n' ORDER BY n) INTO said
	FROM changemgmt.why_not(change_id, verb) WITH ORDINALITY AS w (verb, requirement, message, hint, n);
	SELECT * INTO step FROM changemgmt.next_steps(change_id) AS s WHERE s.verb = explained.verb;
	IF verb IN ('approve', 'reject', 'defer') THEN
		bare := format('UPDATE changemgmt.change SET status = %L WHERE id = %s', step.to_status, change_id);
	END IF;
	answer := pg_temp.refusal(actor, bare);
	PERFORM set_config('changemgmt.actor', actor, true);
	IF (said IS NULL) <> step.is_ready OR (said IS NULL) <> (answer.code = 'done')
		OR said IS DISTINCT FROM nullif(answer.detail, '')
		OR step.missing IS DISTINCT FROM (
			SELECT string_agg(w.message, '; ' ORDER BY n)
			FROM changemgmt.why_not(change_id, verb) WITH ORDINALITY AS w (verb, requirement, message, hint, n)) THEN
		RETURN concat_ws(E'\n', verb, said, '--', answer, '--', step);
	END IF;
	RETURN 'as explained';
END
$$;
SELECT is(pg_temp.explained(actor, id, verb), 'as explained', format('%s, %s by %s', name, verb, actor))
FROM walked, (VALUES ('ivan'), ('c1'), ('vera'), ('stranger')) AS a (actor), LATERAL (
	SELECT verb FROM changemgmt.next_steps(id)) AS n
WHERE NOT (verb = 'confirm_stability' AND actor = 'stranger');	-- MC003: this is no requirement
-- broken in several ways
SELECT pg_temp.acting('anna') \g /dev/null
UPDATE changemgmt.change SET title = 'another', owner_id = NULL
	WHERE id IN (SELECT id FROM walked WHERE name LIKE '% approved' OR name LIKE '% scheduled' OR name LIKE '% planned');
SELECT is(pg_temp.explained(actor, id, verb), 'as explained', format('edited %s, %s by %s', name, verb, actor))
FROM walked, (VALUES ('ivan'), ('c1')) AS a (actor), LATERAL (
	SELECT verb FROM changemgmt.next_steps(id)) AS n
WHERE name LIKE '% approved' OR name LIKE '% scheduled' OR name LIKE '% planned';
SELECT pg_temp.acting('anna') \g /dev/null
UPDATE changemgmt.change SET title = 'replace the disk', owner_id = changemgmt.person_id('olaf')
	WHERE id IN (SELECT id FROM walked WHERE name LIKE '% approved' OR name LIKE '% scheduled' OR name LIKE '% planned');

SELECT set_eq(format('SELECT verb, requirement FROM changemgmt.why_not(%s)', id),
	$$VALUES ('complete', 'tasks_done'), ('fail', 'reason'), ('fail', 'remediation'), ('roll_back', 'reason'),
			 ('roll_back', 'cause_class'), ('abort', 'reason')$$,
	'without a verb why_not() speaks of all')
FROM walked WHERE name = 'normal in_progress';
SELECT results_eq(format('SELECT verb, requirement, message FROM changemgmt.why_not(%s, ''close'')', id),
	$$VALUES ('close', 'transition', 'close is not possible: the change is in_progress')$$,
	'a verb that the status does not allow is explained too')
FROM walked WHERE name = 'normal in_progress';
SELECT is(pg_temp.try('olaf', format('SELECT changemgmt.why_not(%s, ''approuve'')', id)), 'MC008', 'an unknown verb')
FROM walked WHERE name = 'normal in_progress';
SELECT is_empty('SELECT changemgmt.why_not(NULL)', 'of no change there is nothing to say');
SELECT is(pg_temp.try('olaf', 'SELECT changemgmt.why_not(999999)'), 'MC008', 'an unknown change');
SELECT is(pg_temp.try('olaf', 'SELECT changemgmt.next_steps(999999)'), 'MC008', 'has no next steps');
SELECT set_eq(format('SELECT verb, to_status, is_ready FROM changemgmt.next_steps(%s)', id),
	$$VALUES ('complete', 'verifying', false), ('fail', 'implemented', false),
			 ('begin_rollback', 'in_progress', true), ('roll_back', 'rolled_back', false),
			 ('abort', 'cancelled', false)$$,
	'next_steps() of work that is under way')
FROM walked WHERE name = 'normal in_progress';
SELECT is_empty(format('SELECT changemgmt.next_steps(%s)', id), 'a closed change has none')
FROM walked WHERE name = 'lean_normal closed';
SELECT is_empty($$
	SELECT name, (s.state).next_verbs FROM walked AS w
	CROSS JOIN LATERAL (SELECT changemgmt.change_state(w.id) AS state) AS s
	WHERE (s.state).next_verbs <> (SELECT coalesce(string_agg(n.verb, ', '), '') FROM changemgmt.next_steps(w.id) AS n)$$,
	'the verbs that a change shows are those of its next steps');

-- ----------------------------------------------------------------
-- advance
-- ----------------------------------------------------------------

SELECT is(pg_temp.do('anna', format($$SELECT changemgmt.advance(%s, 'approved')$$, id)), 'done',
	'advance() walks on')
FROM walked WHERE name = 'standard planned';
SELECT is(pg_temp.get(id, 'status'), 'approved', 'to the status') FROM walked WHERE name = 'standard planned';

INSERT INTO walked SELECT 'advanced', pg_temp.walk('lean_standard', 'draft');
UPDATE changemgmt.change_task SET status = 'done', done_by_id = NULL
	WHERE id = pg_temp.task(pg_temp.id('advanced'), 'backup');
CREATE TEMP TABLE revision_before AS SELECT revision, ledger_sequence FROM changemgmt.change WHERE id = pg_temp.id('advanced');
SELECT is(r.code || ' ' || r.detail, 'MC002 tasks_done: 1 implementation task is open: swap',
	'where the way is blocked, it says by what')
FROM pg_temp.refusal('ivan', format($$SELECT changemgmt.advance(%s, 'closed', evidence => 'works')$$, pg_temp.id('advanced')), true) AS r;
SELECT results_eq(format('SELECT revision, ledger_sequence, status FROM changemgmt.change WHERE id = %s', pg_temp.id('advanced')),
	$$SELECT revision, ledger_sequence, 'draft' FROM revision_before$$, 'and takes no step');
SELECT is(pg_temp.do('ivan', format($$SELECT changemgmt.advance(%s, 'in_progress')$$, pg_temp.id('advanced'))), 'done', 'half the way');
UPDATE changemgmt.change_task SET status = 'done' WHERE id = pg_temp.task(pg_temp.id('advanced'), 'swap');
SELECT changemgmt.record_check(pg_temp.check_of(pg_temp.id('advanced')), true) \g /dev/null
SELECT is(pg_temp.do('ivan', format($$SELECT changemgmt.advance(%s, 'closed', evidence => 'works')$$, pg_temp.id('advanced'))), 'done', 'and the rest');
SELECT results_eq(format($$SELECT event, from_status, to_status FROM changemgmt.ledger
	WHERE subject_kind = 'change' AND subject_id = %s AND from_status <> to_status ORDER BY sequence$$, pg_temp.id('advanced')),
	$$VALUES ('plan', 'draft', 'planned'), ('submit', 'planned', 'approved'), ('start', 'approved', 'in_progress'),
			 ('complete', 'in_progress', 'verifying'), ('pass', 'verifying', 'implemented'), ('close', 'implemented', 'closed')$$,
	'each step is in the ledger, in its order');
SELECT is(observed, 'works', 'the evidence is recorded')
FROM changemgmt.change_check WHERE change_id = pg_temp.id('advanced') AND NOT is_planned;

SELECT is(r.code || ' ' || r.detail, 'MC002 quorum: 0 of 1 approvals, waiting for zoe', 'advance() does not walk over missing votes')
FROM pg_temp.refusal('zoe', format($$SELECT changemgmt.advance(%s, 'in_progress')$$, pg_temp.id('lean_normal planned')), true) AS r;
SELECT is(pg_temp.get(id, 'status'), 'planned', 'and then not even up to them') FROM walked WHERE name = 'lean_normal planned';
SELECT is(pg_temp.try('ivan', format('SELECT changemgmt.advance(%s, %L, %L)', pg_temp.id(name), to_status, reason)), code,
	format('advance: %s to %s%s', name, to_status, ', ' || reason))
FROM (VALUES
	('lean_normal closed', 'draft', 'why', 'MC001'),
	('lean_normal closed', 'closed', NULL, 'done'),
	('lean_normal approved', 'scheduled', NULL, 'MC001'),
	('lean_normal approved', 'planned', NULL, 'MC001'),
	('lean_normal approved', 'draft', NULL, 'done'),
	('lean_normal approved', 'cancelled', NULL, 'MC002'),
	('lean_normal approved', 'cancelled', 'why', 'done'),
	('lean_normal verifying', 'in_progress', 'why', 'done'),
	('lean_normal verifying', 'nonsense', NULL, 'MC008'),
	('lean_normal verifying', NULL, NULL, 'MC008')
) AS a (name, to_status, reason, code);

-- ----------------------------------------------------------------
-- Hold and resume
-- ----------------------------------------------------------------

CREATE FUNCTION pg_temp.call(verb text, change_id bigint) RETURNS text
	LANGUAGE sql AS $$
SELECT format('SELECT changemgmt.%I(%s%s)', verb, change_id,
	CASE verb WHEN 'fail' THEN $q$, 'why', 'we live with it'$q$
		WHEN 'roll_back' THEN $q$, 'why', 'testing'$q$
		ELSE CASE WHEN verb IN ('reject', 'defer', 'abstain', 'resume_work', 'abort', 'cancel', 'hold', 'resume', 'revise')
			THEN $q$, 'why'$q$ ELSE '' END END)
$$;
CREATE TEMP TABLE verb AS
	SELECT verb FROM unnest('{triage,plan,submit,approve,reject,defer,abstain,schedule,reschedule,start,complete,resume_work,pass,fail,begin_rollback,roll_back,abort,confirm_stability,close,revise,hold,resume,cancel}'::text[]) AS verb;

SELECT is(pg_temp.try(CASE WHEN verb IN ('approve', 'reject', 'defer', 'abstain') THEN 'c3' ELSE 'olaf' END,
		format('SELECT pg_temp.acting(''olaf''); SELECT changemgmt.hold(%s, ''wait''); SELECT pg_temp.acting(%L); %s', id,
			CASE WHEN verb IN ('approve', 'reject', 'defer', 'abstain') THEN 'c3' ELSE 'olaf' END, pg_temp.call(verb, id))),
	CASE WHEN verb IN ('resume', 'cancel') OR (verb = 'revise' AND name <> 'normal draft') THEN 'done' ELSE 'MC001' END,
	format('%s on hold: %s', name, verb))
FROM walked, verb
-- where a verb has led before, it may be called again, held or not
WHERE (split_part(name, ' ', 2), verb) NOT IN (('planned', 'plan'), ('awaiting_approval', 'submit'), ('scheduled', 'schedule'))
  AND name IN ('normal draft', 'normal planned', 'normal awaiting_approval', 'normal rejected', 'normal approved', 'normal scheduled');
SELECT is(pg_temp.try('olaf', format('SELECT changemgmt.hold(%s, ''wait'')', id)), 'MC001', name || ' cannot be held')
FROM walked WHERE name IN ('normal in_progress', 'normal verifying', 'normal implemented', 'normal rolled_back', 'lean_normal closed');
SELECT is(pg_temp.try('olaf', format('SELECT changemgmt.hold(%1$s, ''wait''); UPDATE changemgmt.change SET %2$s WHERE id = %1$s', id, set_)), code,
	'on hold: UPDATE SET ' || set_)
FROM walked, (VALUES
	($$status = 'in_progress'$$, 'MC001'), ($$status = 'in_progress', on_hold = false$$, 'MC001'),
	($$on_hold = false$$, 'done'), ($$status = 'draft'$$, 'done'),
	($$status = 'cancelled', status_reason = 'why'$$, 'done')) AS u (set_, code)
WHERE name = 'normal scheduled';
SELECT is(pg_temp.do('olaf', format('SELECT changemgmt.hold(%s, ''the vendor is late'')', pg_temp.id('normal scheduled'))), 'done', 'held');
SELECT is(concat_ws(' ', pg_temp.get(id, 'status'), pg_temp.get(id, 'on_hold'), pg_temp.get(id, 'status_reason')),
	'scheduled true the vendor is late', 'with the reason') FROM walked WHERE name = 'normal scheduled';
SELECT is((changemgmt.change_state(id)).next_verbs, 'revise, resume, cancel', 'the verbs that are left')
FROM walked WHERE name = 'normal scheduled';
SELECT is(pg_temp.do('olaf', format('SELECT changemgmt.resume(%s)', pg_temp.id('normal scheduled'))), 'done', 'resumed');
SELECT is(concat_ws(' ', pg_temp.get(id, 'status'), pg_temp.get(id, 'on_hold'), pg_temp.get(id, 'status_reason')),
	'scheduled false', 'it goes on where it was') FROM walked WHERE name = 'normal scheduled';
SELECT is((SELECT string_agg(event, ', ' ORDER BY sequence) FROM (SELECT event, sequence FROM changemgmt.ledger
	WHERE subject_kind = 'change' AND subject_id = pg_temp.id('normal scheduled') ORDER BY sequence DESC LIMIT 2) AS l),
	'hold, resume', 'both are in the ledger');
SELECT is(pg_temp.try('olaf', format('SELECT changemgmt.hold(%1$s, ''wait''); SELECT changemgmt.%2$s(%1$s, ''why'');
	SELECT 1 / (on_hold::integer) FROM changemgmt.change WHERE id = %1$s', id, verb)), '22012', verb || ' takes it off hold')
FROM walked, (VALUES ('revise'), ('cancel')) AS v (verb) WHERE name = 'normal scheduled';

-- ----------------------------------------------------------------
-- Verbs again
-- ----------------------------------------------------------------

-- With what was given before (or less) nothing is done; with anything else the
-- change is where the verb does not lead.
CREATE FUNCTION pg_temp.again(actor text, change_id bigint, first text, again text) RETURNS text
	LANGUAGE plpgsql AS $$
DECLARE
	before jsonb;
	answer text;
BEGIN
	PERFORM set_config('changemgmt.actor', actor, true);
	EXECUTE replace(first, '$1', change_id::text);
	SELECT to_jsonb(c) INTO before FROM changemgmt.change AS c WHERE id = change_id;
	answer := pg_temp.do(actor, replace(again, '$1', change_id::text));
	IF answer = 'done' THEN
		SELECT CASE WHEN to_jsonb(c) = before THEN 'nothing' ELSE 'something' END INTO answer
			FROM changemgmt.change AS c WHERE id = change_id;
	END IF;
	RAISE SQLSTATE 'ZZ000';
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN answer;
END
$$;
SELECT is(left(pg_temp.again(actor, id, first, again), length(code)), code,
	format('again: %s; %s', replace(first, 'SELECT changemgmt.', ''), replace(again, 'SELECT changemgmt.', '')))
FROM (VALUES
	('normal draft', 'anna', 'SELECT changemgmt.plan($1)', 'SELECT changemgmt.plan($1)', 'nothing'),
	('normal planned', 'anna', 'SELECT changemgmt.submit($1)', 'SELECT changemgmt.submit($1)', 'nothing'),
	('normal approved', 'anna', 'SELECT changemgmt.schedule($1)', 'SELECT changemgmt.schedule($1)', 'nothing'),
	('normal approved', 'anna', 'SELECT changemgmt.schedule($1, date_trunc(''day'', now()), now() + interval ''1 hour'')',
		'SELECT changemgmt.schedule($1, date_trunc(''day'', now()), now() + interval ''1 hour'')', 'nothing'),
	('normal approved', 'anna', 'SELECT changemgmt.schedule($1)',
		'SELECT changemgmt.schedule($1, now(), now() + interval ''2 hours'')', 'MC001'),
	('lean_standard approved', 'ivan', 'SELECT pg_temp.begin_work($1)',
		'SELECT changemgmt.start($1)', 'nothing'),
	('lean_standard approved', 'ivan', 'SELECT pg_temp.begin_work($1)',
		'SELECT changemgmt.start($1, now() + interval ''1 day'')', 'MC001'),
	('normal in_progress', 'ivan', 'UPDATE changemgmt.change_task SET status = ''done'' WHERE change_id = $1 AND phase = ''implementation''; SELECT changemgmt.complete($1)',
		'SELECT changemgmt.complete($1)', 'nothing'),
	('normal in_progress', 'ivan', 'UPDATE changemgmt.change_task SET status = ''done'' WHERE change_id = $1 AND phase = ''implementation''; SELECT changemgmt.complete($1)',
		'SELECT changemgmt.complete($1, now())', 'MC001'),
	('normal verifying', 'ivan', 'SELECT changemgmt.resume_work($1, ''why'')', 'SELECT changemgmt.resume_work($1, ''why'')', 'nothing'),
	('normal verifying', 'ivan', 'SELECT changemgmt.resume_work($1, ''why'')', 'SELECT changemgmt.resume_work($1, ''because'')', 'MC001'),
	('lean_normal verifying', 'vera', 'SELECT changemgmt.record_check(pg_temp.check_of($1), true); SELECT changemgmt.pass($1)', 'SELECT changemgmt.pass($1)', 'nothing'),
	('lean_normal verifying', 'vera', 'SELECT changemgmt.record_check(pg_temp.check_of($1), true); SELECT changemgmt.pass($1)', 'SELECT changemgmt.pass($1, issues => ''slow'')', 'MC001'),
	('lean_normal verifying', 'vera', 'SELECT changemgmt.record_check(pg_temp.check_of($1), true); SELECT changemgmt.pass($1, issues => ''slow'')', 'SELECT changemgmt.pass($1, issues => ''slow'')', 'nothing'),
	('lean_normal verifying', 'vera', 'SELECT changemgmt.record_check(pg_temp.check_of($1), true); SELECT changemgmt.pass($1, ''works'')', 'SELECT changemgmt.pass($1, ''works'')', 'nothing'),
	('lean_normal verifying', 'vera', 'SELECT changemgmt.record_check(pg_temp.check_of($1), true); SELECT changemgmt.pass($1, ''works'')', 'SELECT changemgmt.pass($1, ''works very well'')', 'MC001'),
	('lean_normal verifying', 'vera', 'SELECT changemgmt.fail($1, ''why'', ''x'')', 'SELECT changemgmt.fail($1, ''why'', ''x'')', 'nothing'),
	('lean_normal verifying', 'vera', 'SELECT changemgmt.fail($1, ''why'', ''x'')', 'SELECT changemgmt.fail($1, ''why'', ''y'')', 'MC001'),
	('lean_normal verifying', 'vera', 'SELECT changemgmt.fail($1, ''why'', ''x'')', 'SELECT changemgmt.pass($1)', 'MC001'),
	('lean_normal verifying', 'vera', 'SELECT changemgmt.roll_back($1, ''why'', ''human'')', 'SELECT changemgmt.roll_back($1, ''why'', ''human'')', 'nothing'),
	('lean_normal verifying', 'vera', 'SELECT changemgmt.roll_back($1, ''why'', ''human'')', 'SELECT changemgmt.roll_back($1, ''why'', ''testing'')', 'MC001'),
	('lean_normal verifying', 'vera', 'SELECT changemgmt.roll_back($1, ''why'', ''human'')', 'SELECT changemgmt.roll_back($1)', 'nothing'),
	('lean_normal rolled_back', 'vera', 'SELECT changemgmt.confirm_stability($1)', 'SELECT changemgmt.confirm_stability($1)', 'nothing'),
	('lean_normal implemented', 'vera', 'SELECT changemgmt.close($1, ''fine'')', 'SELECT changemgmt.close($1, ''fine'')', 'nothing'),
	('lean_normal implemented', 'vera', 'SELECT changemgmt.close($1)', 'SELECT changemgmt.close($1, ''fine'')', 'MC001'),
	('normal planned', 'anna', 'SELECT changemgmt.revise($1, ''why'')', 'SELECT changemgmt.revise($1, ''why'')', 'nothing'),
	('normal planned', 'anna', 'SELECT changemgmt.revise($1, ''why'')', 'SELECT changemgmt.revise($1, ''because'')', 'MC001'),
	('normal planned', 'anna', 'SELECT changemgmt.hold($1, ''why'')', 'SELECT changemgmt.hold($1, ''why'')', 'nothing'),
	('normal planned', 'anna', 'SELECT changemgmt.hold($1, ''why'')', 'SELECT changemgmt.hold($1, ''because'')', 'MC001'),
	('normal planned', 'anna', 'SELECT changemgmt.cancel($1, ''why'')', 'SELECT changemgmt.cancel($1, ''why'')', 'nothing'),
	('normal planned', 'anna', 'SELECT changemgmt.cancel($1, ''why'')', 'SELECT changemgmt.cancel($1)', 'nothing'),
	('normal planned', 'anna', 'SELECT changemgmt.cancel($1, ''why'')', 'SELECT changemgmt.cancel($1, ''because'')', 'MC001'),
	('normal in_progress', 'anna', 'SELECT changemgmt.abort($1, ''why'')', 'SELECT changemgmt.abort($1, ''why'')', 'nothing'),
	('normal in_progress', 'anna', 'SELECT changemgmt.begin_rollback($1)', 'SELECT changemgmt.begin_rollback($1)', 'nothing'),
	('normal draft', 'anna', 'SELECT changemgmt.triage($1, ''olaf'', priority => ''high'')', 'SELECT changemgmt.triage($1, ''olaf'', priority => ''high'')', 'nothing'),
	('lean_normal awaiting_approval', 'zoe', 'SELECT changemgmt.approve($1, ''good'')', 'SELECT changemgmt.approve($1, ''good'')', 'nothing'),
	('lean_normal awaiting_approval', 'zoe', 'SELECT changemgmt.approve($1, ''good'')', 'SELECT changemgmt.approve($1, ''bad'')', 'MC001'),
	('lean_normal awaiting_approval', 'zoe', 'SELECT changemgmt.approve($1, ''good'')', 'SELECT changemgmt.reject($1, ''bad'')', 'MC001')
) AS v (name, actor, first, again, code)
JOIN walked USING (name);

-- ----------------------------------------------------------------
-- expected_revision; the end
-- ----------------------------------------------------------------

CREATE TEMP TABLE revisioned AS
	SELECT p.proname::text AS name, CASE p.proname WHEN 'edit_change' THEN $$, '{}'$$ WHEN 'edit_template' THEN $$, '{}'$$ WHEN 'advance' THEN ', ''closed'''
		WHEN 'approve_with_conditions' THEN ', ''{look}''' WHEN 'vote_for' THEN ', ''mona'', ''approved''' ELSE '' END AS more
	FROM pg_proc AS p
	WHERE p.pronamespace = 'changemgmt'::regnamespace AND 'expected_revision' = ANY (p.proargnames)
		AND p.proargnames[1] = 'change_id';
SELECT is_empty('SELECT verb FROM verb EXCEPT SELECT name FROM revisioned', 'every verb takes expected_revision');
SELECT is(concat_ws(' ', r.code, r.message), format('MC010 %s has moved on: it is at revision %s, not %s',
		changemgmt.change_number(id), pg_temp.get(id, 'revision'), pg_temp.get(id, 'revision')::bigint - 1),
	v.name || ': with an old revision')
FROM walked AS w, revisioned AS v, LATERAL pg_temp.refusal('mona',
	format('SELECT changemgmt.%I(%s%s, expected_revision => %s)', v.name, id, more, pg_temp.get(id, 'revision')::bigint - 1)) AS r
WHERE w.name = 'normal scheduled';
SELECT is(pg_temp.try('olaf', format('SELECT changemgmt.cancel(%s, ''why'', expected_revision => %s)', id, pg_temp.get(id, 'revision'))),
	'done', 'with the present one') FROM walked WHERE name = 'normal scheduled';
SELECT is(pg_temp.try('olaf', format('SELECT changemgmt.%I(NULL%s)', name, more)), 'MC008', name || ': no change is named') FROM revisioned;
SELECT is(pg_temp.try('olaf', format('SELECT changemgmt.%I(999999%s)', name, more)), 'MC008', name || ': an unknown change') FROM revisioned;

SELECT is(concat_ws(' ', r.code, r.hint),
	format('MC001 Nothing is possible any more; changemgmt.copy_change(%s) begins a new one.', id), verb || ' of a closed change')
FROM walked, verb, LATERAL pg_temp.refusal('mona', pg_temp.call(verb, id)) AS r
WHERE name = 'lean_normal closed' AND verb <> 'close';
SELECT is(r.code, 'MC006', 'neither is it deleted')
FROM pg_temp.refusal('mona', format('DELETE FROM changemgmt.change WHERE id = %s', pg_temp.id('lean_normal closed'))) AS r;
SELECT is(pg_temp.try('mona', 'TRUNCATE changemgmt.change CASCADE'), 'MC006', 'nor are all');

-- ----------------------------------------------------------------
-- Reasons
-- ----------------------------------------------------------------

-- The row as it is after statements that are taken back.
CREATE FUNCTION pg_temp.after(actor text, change_id bigint, sql text) RETURNS jsonb
	LANGUAGE plpgsql AS $$
DECLARE
	answer jsonb;
BEGIN
	PERFORM set_config('changemgmt.actor', actor, true);
	EXECUTE replace(sql, '$1', change_id::text);
	SELECT to_jsonb(c) INTO answer FROM changemgmt.change AS c WHERE id = change_id;
	RAISE SQLSTATE 'ZZ000';
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN answer;
	WHEN OTHERS THEN RETURN jsonb_build_object('code', SQLSTATE, 'message', SQLERRM);
END
$$;

SELECT is((r).code || ' ' || (r).detail, 'MC002 reason: cancel needs a reason', 'an UPDATE needs a reason as the verb does')
FROM (SELECT pg_temp.refusal('olaf', format('UPDATE changemgmt.change SET status = ''cancelled'' WHERE id = %s', id)) AS r
	FROM walked WHERE name = 'normal planned') AS x;
SELECT is(pg_temp.after('olaf', id, $$UPDATE changemgmt.change SET status = 'cancelled', status_reason = 'no money' WHERE id = $1$$)
	->> 'status_reason', 'no money', 'status_reason carries it') FROM walked WHERE name = 'normal planned';
SELECT is(pg_temp.try('olaf', format($$
	UPDATE changemgmt.change SET on_hold = true, status_reason = 'wait' WHERE id = %1$s;
	UPDATE changemgmt.change SET on_hold = false WHERE id = %1$s;
	UPDATE changemgmt.change SET status = 'cancelled' WHERE id = %1$s$$, id)), 'MC002', 'a reason that is left over is none')
FROM walked WHERE name = 'normal planned';
SELECT is(pg_temp.after('olaf', id, first || '; ' || next) -> 'status_reason', 'null', 'its reason goes with the next step: ' || next)
FROM (VALUES
	('normal planned', $$SELECT changemgmt.hold($1, 'wait')$$, 'SELECT changemgmt.resume($1)'),
	('normal planned', $$SELECT changemgmt.revise($1, 'not yet')$$, 'SELECT changemgmt.plan($1)'),
	('normal planned', $$UPDATE changemgmt.change SET status = 'draft', status_reason = 'not yet' WHERE id = $1$$,
		$$UPDATE changemgmt.change SET status = 'planned' WHERE id = $1$$),
	('normal verifying', $$SELECT changemgmt.resume_work($1, 'more')$$, 'SELECT changemgmt.complete($1)'),
	('lean_normal implemented', $$SELECT 1$$, 'SELECT changemgmt.close($1)')
) AS v (name, first, next) JOIN walked USING (name);
SELECT is(pg_temp.after('olaf', id, $$SELECT changemgmt.resume_work($1, 'more'); SELECT changemgmt.complete($1);
	SELECT changemgmt.resume_work($1, 'more')$$) ->> 'status_reason', 'more', 'the same reason may be given again')
FROM walked WHERE name = 'normal verifying';
SELECT is(pg_temp.after('olaf', id, $$SELECT changemgmt.hold($1, 'wait'); UPDATE changemgmt.change SET priority = 'high' WHERE id = $1$$)
	->> 'status_reason', 'wait', 'an edit leaves the reason alone') FROM walked WHERE name = 'normal planned';
SELECT is(pg_temp.try('olaf', format($$SELECT changemgmt.cancel(%1$s, 'no money');
	UPDATE changemgmt.change SET status_reason = 'another' WHERE id = %1$s$$, id)), 'MC005', 'a reason is not rewritten afterwards')
FROM walked WHERE name = 'normal planned';

-- ----------------------------------------------------------------
-- Stamps
-- ----------------------------------------------------------------

CREATE TEMP TABLE stamp (name text, stamps text);
COPY stamp FROM stdin WITH (DELIMITER '|');
normal draft|
normal planned|
normal awaiting_approval|first_submitted_at notice_from submitted_at
normal rejected|first_submitted_at notice_from submitted_at
normal approved|approved_at first_submitted_at notice_from submitted_at
normal scheduled|approved_at first_submitted_at notice_from scheduled_at submitted_at
normal in_progress|actual_start approved_at first_submitted_at implementer_id notice_from scheduled_at submitted_at
normal verifying|actual_end actual_start approved_at deployed_at first_submitted_at implementer_id notice_from scheduled_at submitted_at
normal implemented|actual_end actual_start approved_at deployed_at first_submitted_at implementer_id notice_from outcome scheduled_at submitted_at verified_at verifier_id
normal rolled_back|actual_end actual_start approved_at cause_class deployed_at first_submitted_at implementer_id notice_from outcome rolled_back_at scheduled_at submitted_at
lean_normal approved|approved_at first_submitted_at notice_from submitted_at
lean_normal closed|actual_end actual_start approved_at closed_at deployed_at first_submitted_at implementer_id notice_from outcome submitted_at verified_at verifier_id
lean_standard approved|approved_at first_submitted_at notice_from submitted_at
\.
SELECT is((SELECT coalesce(string_agg(key, ' ' ORDER BY key COLLATE "C"), '')
		   FROM jsonb_each_text((SELECT to_jsonb(c) FROM changemgmt.change AS c WHERE c.id = w.id)) AS e
		   JOIN changemgmt.field_class() AS f ON f.relation = 'change' AND f.field = e.key
		   WHERE e.value IS NOT NULL AND (f.class = 'progress' AND e.key NOT IN ('status', 'on_hold', 'status_reason') OR e.key = 'notice_from')),
	coalesce(stamps, ''), 'stamps of ' || name)
FROM stamp JOIN walked AS w USING (name);
SELECT is(pg_temp.get(id, field), changemgmt.person_id(login)::text, format('%s of %s is %s', field, name, login))
FROM (VALUES ('normal implemented', 'implementer_id', 'ivan'), ('normal implemented', 'verifier_id', 'vera'),
			 ('normal implemented', 'last_editor_id', 'anna'), ('normal implemented', 'author_id', 'anna')) AS v (name, field, login)
JOIN walked USING (name);
SELECT is(pg_temp.get(id, 'outcome'), outcome, 'outcome of ' || name)
FROM (VALUES ('normal verifying', NULL), ('normal implemented', 'successful'), ('normal rolled_back', 'rolled_back')) AS v (name, outcome)
JOIN walked USING (name);

-- what moves and what stays, comparing the row before and after
CREATE FUNCTION pg_temp.moved(actor text, change_id bigint, sql text) RETURNS text
	LANGUAGE sql AS $$
SELECT coalesce(string_agg(CASE WHEN a.value = 'null' THEN '-' ELSE '' END || a.key, ' ' ORDER BY a.key COLLATE "C"), '')
FROM (SELECT to_jsonb(c) AS row FROM changemgmt.change AS c WHERE id = change_id) AS b,
	 jsonb_each(pg_temp.after(actor, change_id, sql)) AS a
WHERE a.value IS DISTINCT FROM b.row -> a.key
  AND a.key NOT IN ('updated_at', 'revision', 'ledger_sequence', 'ledger_head', 'plan_revision', 'status', 'status_reason',
					'approved_seal', 'approved_plan_revision', 'last_editor_id')
$$;
SELECT is(pg_temp.moved('ivan', id, sql), moved, format('%s: %s', name, replace(sql, 'SELECT changemgmt.', '')))
FROM (VALUES
	('normal in_progress', $$SELECT changemgmt.fail($1, 'why', 'x')$$, 'actual_end outcome remediation'),
	('normal verifying', $$SELECT changemgmt.fail($1, 'why', 'x')$$, 'outcome remediation'),
	('normal implemented', $$SELECT changemgmt.fail($1, 'why', 'x')$$, 'outcome remediation'),
	('normal in_progress', $$SELECT changemgmt.roll_back($1, 'why', 'human')$$, 'actual_end cause_class outcome rolled_back_at'),
	('normal verifying', $$SELECT changemgmt.roll_back($1, 'why', 'human')$$, 'cause_class outcome rolled_back_at'),
	('normal implemented', $$SELECT changemgmt.roll_back($1, 'why', 'human')$$, 'cause_class outcome rolled_back_at'),
	('normal in_progress', $$SELECT changemgmt.abort($1, 'why')$$, 'actual_end cancelled_at outcome'),
	('normal in_progress', $$SELECT changemgmt.begin_rollback($1)$$, 'rollback_started_at'),
	('normal verifying', $$SELECT changemgmt.resume_work($1, 'why')$$, ''),
	('normal verifying', $$SELECT changemgmt.resume_work($1, 'why'); SELECT changemgmt.fail($1, 'why', 'x')$$, 'actual_end outcome remediation'),
	('normal verifying', $$SELECT changemgmt.resume_work($1, 'why'); SELECT changemgmt.complete($1)$$, 'actual_end deployed_at'),
	('normal rolled_back', $$SELECT changemgmt.confirm_stability($1)$$, 'stability_confirmed_at stability_confirmed_by_id'),
	('normal scheduled', $$SELECT changemgmt.revise($1)$$, '-approved_at revised_at -scheduled_at'),
	('normal scheduled', $$SELECT changemgmt.cancel($1, 'why')$$, 'cancelled_at'),
	('normal rejected', $$SELECT changemgmt.revise($1); SELECT changemgmt.plan($1); SELECT set_config('changemgmt.actor', 'mona', true);
		SELECT changemgmt.waive($1, 'notice', 'anew'); SELECT set_config('changemgmt.actor', 'anna', true); SELECT changemgmt.submit($1)$$, 'approval_round revised_at submitted_at')
) AS v (name, sql, moved) JOIN walked USING (name);
SELECT is(pg_temp.after('ivan', id, sql) ->> 'outcome', outcome, 'outcome: ' || sql)
FROM (VALUES
	('normal in_progress', $$SELECT changemgmt.abort($1, 'why')$$, 'not_implemented'),
	('normal in_progress', $$SELECT changemgmt.fail($1, 'why', 'x')$$, 'failed'),
	('normal in_progress', $$SELECT changemgmt.roll_back($1, 'why', 'human')$$, 'rolled_back'),
	('normal implemented', $$SELECT changemgmt.roll_back($1, 'why', 'human')$$, 'rolled_back'),
	('lean_normal verifying', $$SELECT pg_temp.acting('vera'); SELECT changemgmt.record_check(pg_temp.check_of($1), true); SELECT changemgmt.pass($1, issues => 'slow')$$, 'successful_with_issues')
) AS v (name, sql, outcome) JOIN walked USING (name);
SELECT is(a ->> 'actual_end', a ->> 'rolled_back_at', 'work that is rolled back ends when the old state is reached')
FROM (SELECT pg_temp.after('ivan', id, $$SELECT changemgmt.roll_back($1, 'why', 'human')$$) AS a FROM walked WHERE name = 'normal in_progress') AS x;
SELECT is(pg_temp.try('ivan', format('UPDATE changemgmt.change SET status = %L, outcome = %L, status_reason = ''why'', remediation = ''x'', cause_class = ''human'' WHERE id = %s', status, outcome, id)),
	code, format('UPDATE to %s with outcome %s', status, outcome))
FROM walked, (VALUES
	('implemented', 'failed', 'done'), ('implemented', 'successful', 'MC005'), ('rolled_back', 'failed', 'MC005'),
	('rolled_back', 'successful', 'MC005'), ('rolled_back', 'rolled_back', 'done'),
	('cancelled', 'failed', 'MC005'), ('cancelled', 'not_implemented', 'done')) AS v (status, outcome, code)
WHERE name = 'normal in_progress';

-- real times
SELECT is(pg_temp.try('ivan', format('SELECT changemgmt.complete_task(%s); SELECT changemgmt.complete(%s, %s)', pg_temp.task(id, 'swap'), id, at)), code,
	'complete at ' || at)
FROM walked, (VALUES ('clock_timestamp()', 'done'), ('clock_timestamp() + interval ''1 minute''', 'MC008'),
	('clock_timestamp() - interval ''1 hour''', 'MC008'), ('''infinity''', 'MC008')) AS v (at, code)
WHERE name = 'normal in_progress';
SELECT is(pg_temp.try('ivan', format($$SELECT changemgmt.declare_emergency('down', 'INC1', 'mona', 'production_down',
	actual_start => now() - interval %L, actual_end => now() - interval %L)$$, began, ended)), code, format('an emergency from %s to %s ago', began, ended))
FROM (VALUES ('3 hours', '2 hours', 'done'), ('23 hours', '1 hour', 'done'), ('25 hours', '1 hour', 'MC008'),
	('1 hour', '2 hours', 'MC008'), ('1 hour', '-1 hour', 'MC008')) AS v (began, ended, code);
SELECT pg_temp.acting('ivan') \g /dev/null
INSERT INTO walked SELECT 'emergency ' || s.status, s.id
	FROM changemgmt.declare_emergency('down', 'INC1', 'mona', 'production_down', owner => 'olaf',
		actual_start => now() - interval '3 hours', actual_end => now() - interval '2 hours') AS s;
SELECT results_eq(format('SELECT actual_start, deployed_at, actual_end FROM changemgmt.change WHERE id = %s', pg_temp.id('emergency verifying')),
	$$SELECT now() - interval '3 hours', now() - interval '2 hours', now() - interval '2 hours'$$, 'with its real times');
INSERT INTO walked SELECT 'latent ' || s.status, s.id
	FROM changemgmt.record_unauthorized('who did this', 'audit', now() - interval '60 days', now() - interval '59 days') AS s;
SELECT results_eq(format('SELECT actual_start, deployed_at, actual_end, outcome FROM changemgmt.change WHERE id = %s', pg_temp.id('latent implemented')),
	$$SELECT now() - interval '60 days', now() - interval '59 days', now() - interval '59 days', 'successful'$$, 'with its real times, however old');

-- ----------------------------------------------------------------
-- The seal
-- ----------------------------------------------------------------

-- another value for each column that somebody may edit
SELECT changemgmt.add_team('ops') \g /dev/null
CREATE TEMP TABLE edit (field text PRIMARY KEY, value text);
INSERT INTO edit SELECT f, '''another''' FROM unnest('{title,description,justification,impact_of_not_doing,user_impact,implementation_plan,rollback_trigger,rollback_plan,test_plan,verification_plan,expected_benefit,realised_benefit,long_term_impact}'::text[]) AS f;
INSERT INTO edit VALUES ('category', '''schema'''), ('environment', '''staging'''), ('affects', '''{clients}'''),
	('touches_data_integrity', 'true'), ('touches_security', 'true'), ('owner_id', 'changemgmt.person_id(''vera'')'),
	('estimated_minutes', '7'), ('rollback_minutes', '77'), ('rollback_strategy', '''manual'''), ('risk_level', '''high'''),
	('model', '''major'''), ('type', '''major'''),
	('planned_start', 'now() - interval ''3 hours'''), ('planned_end', 'now() + interval ''3 days'''),
	('confidential', 'true'), ('confidential_until', 'now()'), ('unplanned', 'true'), ('requester_id', 'changemgmt.person_id(''vera'')'),
	('coordinator_id', 'changemgmt.person_id(''vera'')'), ('team_id', '(SELECT id FROM changemgmt.team WHERE name = ''ops'')'), ('priority', '''high'''), ('deadline', 'now()'),
	('promised_at', 'now()'), ('rough_estimate_hours', '5'), ('cost_planned', '5'), ('cost_actual', '5'), ('attributes', '''{"a": 1}''');
SELECT set_eq($$SELECT field FROM changemgmt.field_class() WHERE relation = 'change' AND class IN ('plan', 'schedule', 'remark')$$,
	'SELECT field FROM edit', 'every column that can be edited is edited below');
-- what an approval is given for
SELECT set_eq($$SELECT field FROM changemgmt.field_class() WHERE relation = 'change' AND class = 'plan'$$,
	$$SELECT unnest('{model,type,title,description,category,justification,impact_of_not_doing,environment,user_impact,affects,touches_data_integrity,touches_security,requester_id,owner_id,team_id,estimated_minutes,implementation_plan,rollback_trigger,rollback_plan,rollback_minutes,rollback_strategy,test_plan,verification_plan,risk_level}'::text[])$$,
	'this is sealed');
SELECT set_eq($$SELECT field FROM changemgmt.field_class() WHERE relation = 'change' AND class = 'schedule'$$,
	$$VALUES ('planned_start'), ('planned_end')$$, 'this is the booked time');
SELECT set_eq($$SELECT relation, field FROM changemgmt.field_class() WHERE relation <> 'change' AND class = 'plan'$$,
	$$SELECT 'change_item', unnest('{ci_id,role,version_before,version_after}'::text[])
	UNION ALL SELECT 'change_risk', unnest('{description,likelihood,impact,mitigation,owner_id,residual_likelihood,residual_impact}'::text[])
	UNION ALL SELECT 'change_task', unnest('{phase,position,title,description,object_kind,object_name,depends_on,is_smoke_test,checklist_key,object_system}'::text[])
	UNION ALL SELECT 'change_check', unnest('{kind,stage,title,expected,is_required,signal,baseline,threshold,bad_when,is_rollback_trigger}'::text[])
	UNION ALL SELECT 'change_link', unnest('{relation,target_change_id,target}'::text[])
	UNION ALL SELECT 'change_communication', unnest('{timing,stakeholder,channel,message}'::text[])
	UNION ALL SELECT 'template_proposal', unnest('{key,definition,proposed_from_change_id}'::text[])$$,
	'and this of the parts');
SELECT is_empty($$SELECT a.attrelid::regclass, a.attname
	FROM pg_attribute AS a
	WHERE a.attrelid IN (SELECT format('changemgmt.%I', relation)::regclass FROM changemgmt.field_class())
	  AND a.attnum > 0 AND NOT a.attisdropped
	  AND NOT EXISTS (SELECT FROM changemgmt.field_class() AS f
					  WHERE format('changemgmt.%I', f.relation)::regclass = a.attrelid AND f.field = a.attname)$$,
	'no column is without a class');

CREATE FUNCTION pg_temp.is_sealed(change_id bigint) RETURNS boolean
	LANGUAGE sql AS $$
SELECT NOT EXISTS (SELECT FROM changemgmt.why_not(change_id, CASE WHEN status = 'approved' AND model = 'normal' THEN 'schedule' ELSE 'start' END)
				   WHERE requirement = 'seal_fresh')
FROM changemgmt.change WHERE id = change_id
$$;
-- fresh before, then after each statement, all taken back
CREATE FUNCTION pg_temp.seals(change_id bigint, VARIADIC sql text[]) RETURNS text
	LANGUAGE plpgsql AS $$
DECLARE
	answer text := '';
	statement text;
BEGIN
	PERFORM set_config('changemgmt.actor', 'anna', true);
	answer := CASE WHEN pg_temp.is_sealed(change_id) THEN 'fresh' ELSE 'stale' END;
	FOREACH statement IN ARRAY sql LOOP
		EXECUTE replace(statement, '$1', change_id::text);
		answer := answer || CASE WHEN pg_temp.is_sealed(change_id) THEN ', fresh' ELSE ', stale' END;
	END LOOP;
	RAISE SQLSTATE 'ZZ000';
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN answer;
	WHEN OTHERS THEN RETURN answer || ', ' || SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT is(pg_temp.seals(w.id,
		format('UPDATE changemgmt.change SET %I = %s WHERE id = $1', field, value),
		format('UPDATE changemgmt.change SET %I = %L WHERE id = $1', field,
			   CASE WHEN field = 'affects' THEN NULL ELSE pg_temp.get(w.id, field) END)),
	CASE f.class WHEN 'plan' THEN 'fresh, stale, fresh' ELSE 'fresh, fresh, fresh' END,
	format('%s: %s is edited, and put back', w.name, field))
FROM walked AS w, edit JOIN changemgmt.field_class() AS f USING (field)
WHERE f.relation = 'change' AND w.name IN ('normal approved', 'normal scheduled', 'lean_normal approved')
  AND field NOT IN ('model', 'type');
SELECT is(pg_temp.try('anna', format('UPDATE changemgmt.change SET %I = %s WHERE id = %s', field, value, w.id)), 'MC005',
	format('%s: the %s stays', w.name, field))
FROM walked AS w, edit WHERE w.name IN ('normal planned', 'normal awaiting_approval', 'normal approved') AND field IN ('model', 'type');

SELECT is(pg_temp.seals(pg_temp.id('normal approved'), VARIADIC statements), wanted, 'seal: ' || what)
FROM (VALUES
	('a risk', 'fresh, stale, fresh', ARRAY[$$SELECT changemgmt.add_risk($1, 'fire', 'low', 'low')$$, $$DELETE FROM changemgmt.change_risk WHERE change_id = $1 AND description = 'fire'$$]),
	('a risk that is entered again', 'fresh, stale, fresh', ARRAY[$$DELETE FROM changemgmt.change_risk WHERE change_id = $1$$, $$SELECT changemgmt.add_risk($1, 'wrong disk', 'low', 'high')$$]),
	('what is left of a risk', 'fresh, stale, fresh', ARRAY[$$UPDATE changemgmt.change_risk SET residual_impact = 'low' WHERE change_id = $1$$, $$UPDATE changemgmt.change_risk SET residual_impact = NULL WHERE change_id = $1$$]),
	('a risk edited', 'fresh, stale, fresh', ARRAY[$$UPDATE changemgmt.change_risk SET likelihood = 'high' WHERE change_id = $1$$, $$UPDATE changemgmt.change_risk SET likelihood = 'low' WHERE change_id = $1$$]),
	('an item', 'fresh, stale, fresh', ARRAY[$$SELECT changemgmt.add_item($1, 'cache')$$, $$DELETE FROM changemgmt.change_item WHERE change_id = $1 AND ci_id = changemgmt.ci_id('cache')$$]),
	('a version', 'fresh, stale, fresh', ARRAY[$$UPDATE changemgmt.change_item SET version_after = '16' WHERE change_id = $1$$, $$UPDATE changemgmt.change_item SET version_after = '15' WHERE change_id = $1$$]),
	('a step', 'fresh, stale', ARRAY[$$SELECT changemgmt.add_task($1, 'reboot')$$]),
	('the order of the steps', 'fresh, stale', ARRAY[$$UPDATE changemgmt.change_task SET position = 9 WHERE change_id = $1 AND phase = 'implementation'$$]),
	('a preparation that is done', 'fresh, fresh', ARRAY[$$UPDATE changemgmt.change_task SET status = 'done' WHERE change_id = $1 AND phase = 'preparation'$$]),
	('who does a step', 'fresh, fresh', ARRAY[$$UPDATE changemgmt.change_task SET assignee_id = changemgmt.person_id('ivan') WHERE change_id = $1$$]),
	('a condition of an approver', 'fresh, fresh, fresh', ARRAY[$$SELECT set_config('changemgmt.actor', 'c1', true)$$, $$INSERT INTO changemgmt.change_task (change_id, title, is_condition) VALUES ($1, 'call me', true)$$]),
	('a follow-up', 'fresh, fresh', ARRAY[$$SELECT changemgmt.add_task($1, 'learn', 'follow_up')$$]),
	('a check', 'fresh, stale', ARRAY[$$SELECT changemgmt.add_check($1, 'it is fast')$$]),
	('what a check expects', 'fresh, stale', ARRAY[$$UPDATE changemgmt.change_check SET expected = '5 ms' WHERE change_id = $1$$]),
	('a dependency', 'fresh, stale, fresh', ARRAY[$$SELECT changemgmt.link_change($1, 'depends_on', 1)$$, $$DELETE FROM changemgmt.change_link WHERE change_id = $1$$]),
	('a commit', 'fresh, fresh', ARRAY[$$SELECT changemgmt.link_change($1, 'commit', target => 'abc')$$]),
	('who is told what', 'fresh, stale, fresh', ARRAY[$$SELECT changemgmt.add_communication($1, 'before', 'users', 'chat', 'soon')$$, $$DELETE FROM changemgmt.change_communication WHERE change_id = $1$$]),
	('what was told besides', 'fresh, fresh', ARRAY[$$SELECT changemgmt.post_update($1, 'soon')$$]),
	('a comment', 'fresh, fresh', ARRAY[$$SELECT changemgmt.add_comment($1, 'hm')$$]),
	('two edits, one put back', 'fresh, stale, stale, stale', ARRAY[$$UPDATE changemgmt.change SET title = 'x' WHERE id = $1$$, $$UPDATE changemgmt.change SET description = 'x' WHERE id = $1$$, $$UPDATE changemgmt.change SET title = 'replace the disk' WHERE id = $1$$])
) AS v (what, wanted, statements);

-- votes
SELECT pg_temp.do('c1', format('SELECT changemgmt.approve(%s)', pg_temp.id('normal awaiting_approval'))) \g /dev/null
SELECT results_eq(format('SELECT approved, stale FROM changemgmt.approval_tally(%s)', pg_temp.id('normal awaiting_approval')), 'VALUES (1, 0)', 'a vote is fresh');
SELECT pg_temp.do('anna', format('UPDATE changemgmt.change SET title = ''another'' WHERE id = %s', pg_temp.id('normal awaiting_approval'))) \g /dev/null
SELECT results_eq(format('SELECT approved, stale FROM changemgmt.approval_tally(%s)', pg_temp.id('normal awaiting_approval')), 'VALUES (0, 1)', 'after an edit it is stale');
SELECT is((pg_temp.refusal('c2', format('SELECT changemgmt.approve(%1$s); SELECT pg_temp.acting(''olaf''); UPDATE changemgmt.change SET status = ''approved'' WHERE id = %1$s', pg_temp.id('normal awaiting_approval')))).detail,
	'quorum: 1 of 2 approvals of board cab, 1 given for another plan, waiting for c1, c3, mona, zoe', 'and does not count');
SELECT pg_temp.do('anna', format('UPDATE changemgmt.change SET title = ''replace the disk'' WHERE id = %s', pg_temp.id('normal awaiting_approval'))) \g /dev/null
SELECT results_eq(format('SELECT approved, stale FROM changemgmt.approval_tally(%s)', pg_temp.id('normal awaiting_approval')), 'VALUES (1, 0)', 'put back, it is fresh again');

-- submitted again: booking and notice stay
SELECT is(pg_temp.moved('anna', id, $$UPDATE changemgmt.change SET title = 'another' WHERE id = $1; SELECT changemgmt.submit($1)$$),
	'approval_round submitted_at title', name || ': a stale one is submitted again')
FROM walked WHERE name IN ('normal approved', 'normal scheduled');
SELECT is(pg_temp.after('anna', id, $$UPDATE changemgmt.change SET title = 'another' WHERE id = $1; SELECT changemgmt.submit($1);
	SELECT pg_temp.acting('c1'); SELECT changemgmt.approve($1); SELECT pg_temp.acting('c2'); SELECT changemgmt.approve($1)$$) ->> 'status',
	split_part(name, ' ', 2), name || ': approved again, it is where it was')
FROM walked WHERE name IN ('normal approved', 'normal scheduled');
SELECT is(pg_temp.try('anna', format($$UPDATE changemgmt.change SET title = 'another' WHERE id = %1$s; SELECT changemgmt.submit(%1$s);
	UPDATE changemgmt.change SET planned_end = now() + interval '2 days' WHERE id = %1$s$$, id)), 'MC007', 'a booked time does not move while it waits for approval')
FROM walked WHERE name = 'normal scheduled';
SELECT is((pg_temp.refusal('anna', format($$UPDATE changemgmt.change SET title = 'another' WHERE id = %1$s; SELECT changemgmt.submit(%1$s)$$, id))).code, 'MC001', name || ' was never voted on, and cannot be submitted again')
FROM walked WHERE name IN ('lean_standard approved', 'standard scheduled');

-- ----------------------------------------------------------------
-- Frozen
-- ----------------------------------------------------------------

INSERT INTO walked SELECT 'lean_normal cancelled', pg_temp.walk('lean_normal', 'planned');
SELECT pg_temp.do('olaf', format('SELECT changemgmt.cancel(%s, ''why'')', pg_temp.id('lean_normal cancelled'))) \g /dev/null
CREATE TEMP TABLE frozen AS
	SELECT * FROM walked WHERE name IN ('normal rejected', 'normal in_progress', 'normal verifying', 'normal implemented', 'normal rolled_back', 'lean_normal closed', 'lean_normal cancelled');
SELECT is(pg_temp.try('anna', format('UPDATE changemgmt.change SET %I = %s WHERE id = %s', field, value, w.id)),
	-- what is counted stays as it is after the end
	CASE WHEN f.class <> 'remark' OR field = 'unplanned' AND w.name ~ 'closed|cancelled' THEN 'MC005' ELSE 'done' END,
	format('%s: %s (%s)', w.name, field, f.class))
FROM frozen AS w, edit JOIN changemgmt.field_class() AS f USING (field) WHERE f.relation = 'change';
SELECT is(pg_temp.try('anna', replace(sql, '$1', id::text)), 'MC005', format('%s: %s', name, sql))
FROM frozen, unnest(ARRAY[
	$$INSERT INTO changemgmt.change_item (change_id, ci_id) VALUES ($1, changemgmt.ci_id('cache'))$$,
	$$UPDATE changemgmt.change_item SET role = 'affected' WHERE change_id = $1$$,
	$$UPDATE changemgmt.change_item SET version_after = '17' WHERE change_id = $1$$,
	$$DELETE FROM changemgmt.change_item WHERE change_id = $1$$,
	$$INSERT INTO changemgmt.change_risk (change_id, description, likelihood, impact) VALUES ($1, 'fire', 'low', 'low')$$,
	$$UPDATE changemgmt.change_risk SET mitigation = 'x' WHERE change_id = $1$$,
	$$DELETE FROM changemgmt.change_risk WHERE change_id = $1$$,
	$$INSERT INTO changemgmt.change_task (change_id, title) VALUES ($1, 'reboot')$$,
	$$UPDATE changemgmt.change_task SET title = 'x' WHERE change_id = $1 AND phase = 'implementation'$$,
	$$UPDATE changemgmt.change_task SET phase = 'follow_up' WHERE change_id = $1 AND phase = 'implementation'$$,
	$$DELETE FROM changemgmt.change_task WHERE change_id = $1 AND phase = 'preparation'$$,
	$$UPDATE changemgmt.change_check SET expected = 'x' WHERE change_id = $1$$,
	$$UPDATE changemgmt.change_check SET is_required = false WHERE change_id = $1$$,
	$$DELETE FROM changemgmt.change_check WHERE change_id = $1$$,
	$$INSERT INTO changemgmt.change_link (change_id, relation, target_change_id) VALUES ($1, 'depends_on', 1)$$
]) AS sql;
SELECT is(pg_temp.try('anna', replace(sql, '$1', id::text)), 'done', format('%s: %s', name, sql))
FROM frozen, unnest(ARRAY[
	$$SELECT changemgmt.add_comment($1, 'hm')$$,
	$$SELECT changemgmt.add_task($1, 'learn', 'follow_up')$$,
	$$UPDATE changemgmt.change_task SET status = 'done' WHERE change_id = $1 AND phase = 'follow_up'$$,
	$$SELECT changemgmt.link_change($1, 'commit', target => 'abc')$$
]) AS sql;
SELECT is(r.code || ' ' || r.detail, 'MC005 title belongs to the plan.', 'the refusal names the field')
FROM pg_temp.refusal('anna', format('UPDATE changemgmt.change SET title = ''x'' WHERE id = %s', pg_temp.id('normal in_progress'))) AS r;
-- an emergency is documented afterwards
SELECT is(pg_temp.try('ivan', format('UPDATE changemgmt.change SET %I = %s WHERE id = %s', field, value, id)), 'done', 'an emergency under way: ' || field)
FROM walked, edit WHERE name = 'emergency verifying' AND field NOT IN ('model', 'type', 'requester_id');
SELECT is(pg_temp.try('ivan', format('UPDATE changemgmt.change SET requester_id = changemgmt.person_id(''vera'') WHERE id = %s', id)), 'MC003',
	'who asks names no other requester')
FROM walked WHERE name = 'emergency verifying';
SELECT is(pg_temp.try('anna', format('%s', replace(sql, '$1', id::text))), 'MC003', 'conditions are not anna''s: ' || sql)
FROM walked, unnest(ARRAY[
	$$INSERT INTO changemgmt.change_task (change_id, title, is_condition) VALUES ($1, 'more', true)$$,
	$$UPDATE changemgmt.change_task SET is_condition = true WHERE change_id = $1$$]) AS sql
WHERE name = 'normal approved';
SELECT is(pg_temp.try('ivan', format('SELECT changemgmt.add_risk(%s, ''fire'', ''low'', ''low'')', id)), 'done', 'an emergency under way: a risk')
FROM walked WHERE name = 'emergency verifying';

-- ----------------------------------------------------------------
-- Columns that are not written by hand
-- ----------------------------------------------------------------

CREATE TEMP TABLE forged AS
	SELECT f.field, f.class,
		CASE WHEN f.field = 'status' THEN NULL
			WHEN f.field IN ('model_version', 'approval_round', 'plan_revision', 'revision', 'approved_plan_revision', 'ledger_sequence', 'id') THEN format('coalesce(%I, 0) + 100000', f.field)
			WHEN f.field LIKE '%\_id' AND f.field NOT IN ('incident_id', 'copied_from_id') THEN 'changemgmt.person_id(''c3'')'
			WHEN f.field = 'incident_id' THEN 'changemgmt.incident_id(''INC77'')'
			WHEN f.field = 'copied_from_id' THEN '1'
			WHEN a.atttypid = 'timestamptz'::regtype THEN format('coalesce(%I, now()) - interval ''1 second''', f.field)
			WHEN a.atttypid = 'bytea'::regtype THEN '''forged forged forged forged forged'''
			WHEN f.field = 'on_hold' THEN 'NOT on_hold'
			WHEN f.field = 'outcome' THEN 'CASE outcome WHEN ''successful'' THEN ''failed'' ELSE ''successful'' END'
			WHEN f.field = 'cause_class' THEN '''vendor'''
			WHEN f.field = 'emergency_threshold' THEN '''data_at_risk'''
			ELSE '''forged''' END AS value
	FROM changemgmt.field_class() AS f
	JOIN pg_attribute AS a ON a.attrelid = 'changemgmt.change'::regclass AND a.attname = f.field
	WHERE f.relation = 'change' AND f.class IN ('engine', 'progress');
-- what else may be said outside of a step, until the end
CREATE TEMP TABLE said AS
	SELECT f AS field FROM unnest('{override_reason,remediation,cause_class,incident_id,found_by}'::text[]) AS f;
SELECT matches(pg_temp.try('olaf', format('UPDATE changemgmt.change SET %I = %s WHERE id = %s', field, value, id)), '^MC00[1-8]$',
	format('%s: %s (%s)', name, field, class))
FROM walked, forged
WHERE name IN ('normal approved', 'normal implemented', 'lean_normal closed') AND field <> 'status'
  AND (name = 'lean_normal closed' OR field NOT IN (SELECT said.field FROM said))
  AND NOT (name = 'normal implemented' AND field IN ('recovered_at', 'rollback_started_at'))
  AND field NOT IN ('updated_at', 'ledger_sequence', 'ledger_head');
SELECT is(pg_temp.try('olaf', format('UPDATE changemgmt.change SET %I = %s WHERE id = %s', field, value, id)), 'done',
	format('%s: %s can be added', name, field))
FROM walked, forged JOIN said USING (field) WHERE name IN ('normal approved', 'normal implemented');
-- nor beside a step that is legal
SELECT matches(pg_temp.try('olaf', format('UPDATE changemgmt.change SET status = ''planned'', %I = %s WHERE id = %s', field, value, id)), '^MC00[1-8]$',
	format('plan and %s (%s)', field, class))
FROM walked, forged WHERE name = 'normal draft' AND field <> 'status' AND field NOT IN (SELECT said.field FROM said)
  AND field NOT IN ('status_reason', 'updated_at', 'ledger_sequence', 'ledger_head');
-- three are stamped over whatever is given
SELECT isnt(a ->> field, v.given, name || ': ' || field || ' is stamped, not taken')
FROM walked, (VALUES ('updated_at', '2020-01-01T00:00:00+00:00'), ('ledger_sequence', '99'), ('ledger_head', '\x666f72676564')) AS v (field, given),
	LATERAL pg_temp.after('olaf', id, format('UPDATE changemgmt.change SET %I = %L, priority = ''high'' WHERE id = $1', field, given)) AS a
WHERE name IN ('normal draft', 'lean_normal closed');

-- ----------------------------------------------------------------
-- Notice
-- ----------------------------------------------------------------

-- deferred two weeks after it was first submitted, to start in three days
SELECT pg_temp.copy_rows('changemgmt.change (id, model, type, status, title, description, justification, user_impact, risk_level,
		rollback_trigger, rollback_plan, rollback_minutes, verification_plan, requester_id, owner_id, author_id,
		submitted_at, first_submitted_at, notice_from, planned_start, planned_end)',
	concat_ws(E'\t', 1010, 'normal', 'normal', 'planned', 'deferred', 'd', 'j', 'u', 'low', 't', 'p', 5, 'v',
		changemgmt.person_id('rita'), changemgmt.person_id('olaf'), changemgmt.person_id('anna'),
		now() - interval '14 days', now() - interval '14 days', now() - interval '14 days',
		now() + interval '3 days', now() + interval '4 days'))
\gexec
SELECT pg_temp.do('anna', 'SELECT changemgmt.add_item(1010, ''db'')') \g /dev/null
INSERT INTO walked VALUES ('deferred planned', 1010);
SELECT is(changemgmt.earliest_start(1010), changemgmt.add_business_days(now() - interval '14 days', 5),
	'notice is counted from the first submission');
SELECT is(pg_temp.moved('anna', 1010, 'SELECT changemgmt.submit(1010)'), 'approval_round submitted_at', 'and kept by another');
SELECT is(pg_temp.moved('anna', 1010, $$UPDATE changemgmt.change SET planned_start = planned_start + interval '1 hour' WHERE id = 1010;
	SELECT changemgmt.submit(1010)$$), 'approval_round planned_start submitted_at', 'a later start keeps it');
SELECT is(pg_temp.moved('anna', 1010, $$UPDATE changemgmt.change SET planned_start = planned_start - interval '1 hour' WHERE id = 1010$$),
	'notice_from planned_start', 'an earlier start begins it anew');
SELECT is(pg_temp.try('anna', $$UPDATE changemgmt.change SET planned_start = planned_start - interval '1 hour' WHERE id = 1010;
	SELECT changemgmt.submit(1010)$$), 'MC002', 'which is too late then');
SELECT is(pg_temp.moved('anna', 1010, $$SELECT changemgmt.revise(1010); SELECT changemgmt.plan(1010); SELECT changemgmt.submit(1010)$$),
	'approval_round revised_at submitted_at', 'revising keeps it');
SELECT is(pg_temp.try('anna', $$SELECT changemgmt.submit(1010); SELECT pg_temp.acting('c1'); SELECT changemgmt.approve(1010);
	SELECT pg_temp.acting('c2'); SELECT changemgmt.approve(1010); SELECT pg_temp.acting('anna');
	SELECT changemgmt.schedule(1010, now() + interval '2 days', now() + interval '3 days')$$), 'MC002', 'nor does an approval allow an earlier start');
SELECT is(pg_temp.moved('anna', pg_temp.id('normal draft'), $$UPDATE changemgmt.change SET planned_start = planned_start - interval '1 hour' WHERE id = $1$$),
	'planned_start', 'what was never submitted has no notice to count');

-- ----------------------------------------------------------------
-- Waivers
-- ----------------------------------------------------------------

SELECT is(pg_temp.try(actor, format('SELECT changemgmt.waive(%s, %L, %L)', pg_temp.id(name), requirement, reason)), code,
	format('%s waives %s of %s', actor, requirement, name))
FROM (VALUES
	('mona', 'normal scheduled', 'checklist_done', 'a test', 'done'),
	('olaf', 'normal scheduled', 'checklist_done', 'a test', 'MC003'),
	('c1', 'normal scheduled', 'checklist_done', 'a test', 'MC003'),
	('stranger', 'normal scheduled', 'checklist_done', 'a test', 'MC003'),
	('mona', 'normal scheduled', 'seal_fresh', 'a test', 'MC003'),
	('mona', 'normal scheduled', 'quorum', 'a test', 'MC003'),
	('mona', 'normal scheduled', 'segregation', 'a test', 'MC003'),
	('mona', 'normal scheduled', 'nonsense', 'a test', 'MC003'),
	('mona', 'standard scheduled', 'checklist_done', 'a test', 'MC003'),
	('mona', 'lean_normal approved', 'checklist_done', 'a test', 'MC003')
) AS v (actor, name, requirement, reason, code);
SELECT matches(pg_temp.try('mona', format('SELECT changemgmt.waive(%s, ''checklist_done'', %L)', pg_temp.id('normal scheduled'), reason)),
	'^(MC008|MC002|23502|23514)$', format('a waiver without a reason (%L)', reason)) FROM (VALUES (''), (NULL)) AS v (reason);
SELECT is(pg_temp.try('mona', format('INSERT INTO changemgmt.change_waiver (change_id, requirement, reason, waived_by_id) VALUES (%s, ''checklist_done'', ''x'', changemgmt.person_id(''olaf''))', pg_temp.id('normal scheduled'))),
	'MC003', 'nobody waives in another''s name');
SELECT is(pg_temp.try('ivan', format('SELECT pg_temp.acting(''mona''); SELECT changemgmt.waive(%1$s, ''checklist_done'', ''no time''); SELECT pg_temp.acting(''ivan''); SELECT changemgmt.start(%1$s)',
	pg_temp.id('normal scheduled'))), 'done', 'what is waived is not asked for');
SELECT is(pg_temp.try('olaf', format('DELETE FROM changemgmt.change_waiver WHERE change_id = %s', pg_temp.id('normal draft'))), 'MC003', 'who may not waive may not take it back');
SELECT is(pg_temp.try('mona', format('DELETE FROM changemgmt.change_waiver WHERE change_id = %s', pg_temp.id('normal draft'))), 'done', 'who may, may');
SELECT results_eq(format($$SELECT event, actor, changed -> 'change_waiver' -> 0 -> 'new' ->> 'requirement' FROM changemgmt.ledger
	WHERE subject_kind = 'change' AND subject_id = %s AND changed ? 'change_waiver'$$, pg_temp.id('normal draft')),
	$$VALUES ('parts', 'mona', 'notice')$$, 'a waiver is in the ledger');

-- ----------------------------------------------------------------
-- Requirements of a site
-- ----------------------------------------------------------------

CREATE SCHEMA regress_lifecycle;
CREATE TABLE regress_lifecycle.freeze (change_id bigint, why text);
CREATE TABLE regress_lifecycle.log (who text);
CREATE FUNCTION regress_lifecycle.freezes(change_id bigint) RETURNS text LANGUAGE sql STABLE
	AS $$SELECT min(f.why) FROM regress_lifecycle.freeze AS f WHERE f.change_id = $1$$;
CREATE FUNCTION regress_lifecycle.who(change_id bigint) RETURNS text LANGUAGE sql STABLE
	AS $$SELECT current_user || ' ' || current_setting('transaction_read_only') || ' ' || current_setting('search_path')$$;
CREATE FUNCTION regress_lifecycle.write() RETURNS text LANGUAGE sql
	AS $$INSERT INTO regress_lifecycle.log VALUES ('x') RETURNING NULL::text$$;
CREATE FUNCTION regress_lifecycle.writes(change_id bigint) RETURNS text LANGUAGE plpgsql STABLE
	AS $$BEGIN RETURN regress_lifecycle.write(); END$$;
CREATE FUNCTION regress_lifecycle.touches(change_id bigint) RETURNS text LANGUAGE plpgsql STABLE
	AS $$BEGIN PERFORM changemgmt.cancel(change_id, 'because'); RETURN NULL; END$$;
CREATE FUNCTION regress_lifecycle.reads_write(change_id bigint) RETURNS text LANGUAGE plpgsql STABLE
	AS $$BEGIN PERFORM set_config('transaction_read_only', 'off', true); RETURN regress_lifecycle.write(); END$$;
CREATE FUNCTION regress_lifecycle.role(change_id bigint) RETURNS text LANGUAGE plpgsql STABLE
	AS $$BEGIN PERFORM set_config('role', session_user, true); RETURN NULL; END$$;
CREATE FUNCTION regress_lifecycle.volatile(change_id bigint) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT NULL::text';
CREATE FUNCTION regress_lifecycle.integer(change_id integer) RETURNS text LANGUAGE sql STABLE AS 'SELECT NULL::text';
CREATE FUNCTION regress_lifecycle.answer(change_id bigint) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true';
CREATE FUNCTION regress_lifecycle.many(change_id bigint) RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT ''a''::text';
CREATE ROLE regress_lifecycle_site;
GRANT USAGE ON SCHEMA changemgmt, regress_lifecycle TO regress_lifecycle_site;
GRANT SELECT, INSERT, UPDATE, DELETE ON changemgmt.site_requirement TO regress_lifecycle_site;
GRANT EXECUTE ON FUNCTION changemgmt.register_requirement TO regress_lifecycle_site;
GRANT SELECT, INSERT ON regress_lifecycle.freeze, regress_lifecycle.log TO regress_lifecycle_site;

SELECT is(pg_temp.try('olaf', format('SELECT changemgmt.register_requirement(%L, %L, %L)', name, function, verbs)), code,
	format('register %s, %s for %s', name, function, verbs))
FROM (VALUES
	('freeze', 'regress_lifecycle.freezes(bigint)', '{start}', 'done'),
	('freeze', 'regress_lifecycle.freezes(bigint)', '{}', 'done'),
	('freeze', 'regress_lifecycle.volatile(bigint)', '{start}', 'MC008'),
	('freeze', 'regress_lifecycle.integer(integer)', '{start}', 'MC008'),
	('freeze', 'regress_lifecycle.answer(bigint)', '{start}', 'MC008'),
	('freeze', 'regress_lifecycle.many(bigint)', '{start}', 'MC008'),
	('freeze', 'regress_lifecycle.write()', '{start}', 'MC008'),
	('seal_fresh', 'regress_lifecycle.freezes(bigint)', '{start}', 'MC008'),
	('freeze', 'regress_lifecycle.nothing(bigint)', '{start}', '42883')
) AS v (name, function, verbs, code);
SELECT matches(pg_temp.try('olaf', format('SELECT changemgmt.register_requirement(%L, %L, %L)', name, 'regress_lifecycle.freezes(bigint)', verbs)), '^(MC008|23514)$',
	format('register %s for %s', name, verbs))
FROM (VALUES ('Freeze it', '{start}'), ('freeze', '{begin}'), ('freeze', '{create}')) AS v (name, verbs);

SELECT changemgmt.register_requirement('freeze', 'regress_lifecycle.freezes(bigint)', '{plan}', 'No freeze.', 'Ask about %lld, 100% sure.') \g /dev/null
SELECT is(pg_temp.try('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft'))), 'done', 'a site''s requirement is met');
INSERT INTO regress_lifecycle.freeze VALUES (pg_temp.id('normal draft'), 'we wait for the auditors');
SELECT is(r.code || ' ' || r.detail, 'MC002 freeze: we wait for the auditors', 'and is not met')
FROM pg_temp.refusal('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft'))) AS r;
SELECT results_eq(format('SELECT verb, requirement, message, hint FROM changemgmt.why_not(%s, ''plan'')', pg_temp.id('normal draft')),
	format($$VALUES ('plan', 'freeze', 'we wait for the auditors', 'Ask about %s, 100%% sure.')$$, pg_temp.id('normal draft')), 'why_not() says so too');
SELECT is(pg_temp.try('anna', format('UPDATE changemgmt.change SET status = ''planned'' WHERE id = %s', pg_temp.id('normal draft'))), 'MC002', 'also to an UPDATE');
SELECT is(pg_temp.try('anna', format('SELECT changemgmt.hold(%s, ''why'')', pg_temp.id('normal draft'))), 'done', 'other verbs do not ask it');
SELECT results_eq($$SELECT description, verbs, is_shipped FROM changemgmt.requirement WHERE name = 'freeze'$$,
	$$VALUES ('No freeze.', 'plan', false)$$, 'the view shows it');
SELECT is(pg_temp.try('mona', format('SELECT changemgmt.waive(%s, ''freeze'', ''x'')', pg_temp.id('normal draft'))), 'MC003', 'it can be waived only where a model says so');
SELECT changemgmt.publish_model('frozen', '{"base": "normal", "waivable": ["freeze"]}') \g /dev/null
SELECT is(pg_temp.try('anna', format('UPDATE changemgmt.change SET model = ''frozen'' WHERE id = %1$s; SELECT pg_temp.acting(''mona''); SELECT changemgmt.waive(%1$s, ''freeze'', ''x'');
	SELECT pg_temp.acting(''anna''); SELECT changemgmt.plan(%1$s)', pg_temp.id('normal draft'))), 'done', 'as here');

-- who registers is who it runs as
SET LOCAL ROLE regress_lifecycle_site;
SELECT changemgmt.register_requirement('freeze', 'regress_lifecycle.who(bigint)', '{plan}') \g /dev/null
RESET ROLE;
SELECT is((SELECT registered_by FROM changemgmt.site_requirement WHERE name = 'freeze'), 'regress_lifecycle_site', 'who registers is written down');
SELECT is(r.detail, 'freeze: regress_lifecycle_site on pg_catalog, pg_temp', 'and it runs as this role, read-only, with a safe path')
FROM pg_temp.refusal('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft'))) AS r;
SELECT is(current_setting('transaction_read_only') || ' ' || current_user, 'off ' || session_user, 'for its own time only');
SET LOCAL ROLE regress_lifecycle_site;
UPDATE changemgmt.site_requirement SET registered_by = 'postgres' WHERE name = 'freeze';
SELECT is((SELECT registered_by FROM changemgmt.site_requirement WHERE name = 'freeze'), 'regress_lifecycle_site', 'nobody registers as somebody else');
SELECT changemgmt.register_requirement('freeze', 'regress_lifecycle.writes(bigint)', '{plan}') \g /dev/null
RESET ROLE;
SELECT is(pg_temp.try('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft'))), '25006', 'a function that writes fails');
UPDATE changemgmt.site_requirement SET function = 'regress_lifecycle.touches(bigint)';
SELECT is(pg_temp.try('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft'))) IN ('25006', '42501'), true, 'as does one that takes a step');
UPDATE changemgmt.site_requirement SET function = 'regress_lifecycle.reads_write(bigint)';
SELECT isnt(pg_temp.try('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft'))), 'done', 'one that says it may write fails');
UPDATE changemgmt.site_requirement SET function = 'regress_lifecycle.role(bigint)';
SELECT is(pg_temp.try('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft'))), '42501', 'and one that wants another role');
SELECT is_empty('SELECT FROM regress_lifecycle.log', 'nothing was written');
SELECT is(current_setting('transaction_read_only') || ' ' || current_user, 'off ' || session_user, 'and the session is what it was');

-- what cannot be asked is not met
SET LOCAL ROLE regress_lifecycle_site;
SELECT changemgmt.register_requirement('freeze', 'regress_lifecycle.who(bigint)', '{plan}') \g /dev/null
RESET ROLE;
REVOKE EXECUTE ON FUNCTION regress_lifecycle.who(bigint) FROM PUBLIC;
SELECT is((pg_temp.refusal('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft')))).detail,
	'freeze: role "regress_lifecycle_site" may not execute function regress_lifecycle.who(bigint)', 'a function that may not be executed');
GRANT EXECUTE ON FUNCTION regress_lifecycle.who(bigint) TO PUBLIC;
REVOKE USAGE ON SCHEMA regress_lifecycle FROM regress_lifecycle_site;
SELECT isnt(pg_temp.try('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft'))), 'done', 'one in a schema that is closed');
GRANT USAGE ON SCHEMA regress_lifecycle TO regress_lifecycle_site;
DROP FUNCTION regress_lifecycle.who(bigint);
SELECT is(r.code || ' ' || r.detail, 'MC002 freeze: function regress_lifecycle.who(bigint) does not exist', 'a function that was dropped')
FROM pg_temp.refusal('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft'))) AS r;
CREATE FUNCTION regress_lifecycle.who(change_id bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT NULL::text';
SELECT is(pg_temp.try('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft'))), 'done', 'and is there again');
CREATE OR REPLACE FUNCTION regress_lifecycle.who(change_id bigint) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT NULL::text';
DROP FUNCTION regress_lifecycle.who(bigint);
CREATE FUNCTION regress_lifecycle.who(change_id bigint) RETURNS integer LANGUAGE sql STABLE AS 'SELECT 42';
SELECT isnt(pg_temp.try('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft'))), 'done', 'and gives something else now');
DROP FUNCTION regress_lifecycle.who(bigint);
DROP OWNED BY regress_lifecycle_site;
DROP ROLE regress_lifecycle_site;
SELECT is(r.code || ' ' || r.detail, 'MC002 freeze: role "regress_lifecycle_site", which registered it, does not exist', 'somebody who is gone')
FROM pg_temp.refusal('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft'))) AS r;
DELETE FROM changemgmt.site_requirement;
SELECT is(pg_temp.try('anna', format('SELECT changemgmt.plan(%s)', pg_temp.id('normal draft'))), 'done', 'a requirement that is taken out is not asked for');

-- ----------------------------------------------------------------
-- Ways round that were found
-- ----------------------------------------------------------------

SELECT changemgmt.publish_model('prod', '{"base": "lean_standard"}'), changemgmt.publish_model('prod', '{"base": "lean_normal"}') \g /dev/null
INSERT INTO walked VALUES ('prod planned', pg_temp.walk('prod', 'planned'));
SELECT is(pg_temp.try(actor, replace(sql, '$1', pg_temp.id(name)::text)), wanted, what)
FROM (VALUES
	('an older version of the model is not chosen', 'prod planned', 'anna', 'MC005',
	 $$UPDATE changemgmt.change SET status = 'approved', model_version = 1 WHERE id = $1$$),
	('nor one that knows no such step', 'prod planned', 'anna', 'MC001',
	 $$UPDATE changemgmt.change SET status = 'awaiting_approval', model_version = 1 WHERE id = $1$$),
	('the end is not emptied with a rollback', 'lean_normal implemented', 'ivan', 'MC005',
	 $$UPDATE changemgmt.change SET status = 'rolled_back', status_reason = 'x', cause_class = 'plan', actual_end = NULL WHERE id = $1$$),
	('nor moved by one', 'lean_normal implemented', 'ivan', 'MC005',
	 $$UPDATE changemgmt.change SET status = 'rolled_back', status_reason = 'x', cause_class = 'plan', actual_end = clock_timestamp() WHERE id = $1$$),
	('a deployment is not undone with the next', 'lean_normal verifying', 'ivan', 'MC005',
	 $$SELECT changemgmt.resume_work($1, 'more'); UPDATE changemgmt.change SET status = 'verifying', deployed_at = NULL WHERE id = $1$$),
	('nor the first submission with another', 'lean_normal planned', 'anna', 'MC005',
	 $$SELECT changemgmt.submit($1); SELECT changemgmt.revise($1); SELECT changemgmt.plan($1);
	 UPDATE changemgmt.change SET status = 'awaiting_approval', first_submitted_at = NULL WHERE id = $1$$),
	('the stamp of the last editor is not dodged by giving plan_revision', 'lean_normal awaiting_approval', 'zoe', 'MC004',
	 $$UPDATE changemgmt.change SET rollback_plan = 'mine', plan_revision = revision + 1 WHERE id = $1; SELECT changemgmt.approve($1)$$),
	('nor plan_revision raised for nothing', 'lean_normal awaiting_approval', 'anna', 'MC005',
	 $$UPDATE changemgmt.change SET plan_revision = revision + 1 WHERE id = $1$$),
	('a booked time does not move with start', 'normal scheduled', 'ivan', 'MC007',
	 $$UPDATE changemgmt.change SET status = 'in_progress', planned_start = now() - interval '2 hours' WHERE id = $1$$),
	('nor with hold', 'normal scheduled', 'ivan', 'MC007',
	 $$UPDATE changemgmt.change SET on_hold = true, status_reason = 'x', planned_start = now() - interval '2 hours' WHERE id = $1$$),
	('an implementer is who acts', 'lean_normal approved', 'anna', 'MC003',
	 $$UPDATE changemgmt.change_task SET status = 'done' WHERE change_id = $1 AND phase = 'preparation';
	 UPDATE changemgmt.change SET status = 'in_progress', implementer_id = changemgmt.person_id('vera') WHERE id = $1$$),
	('a part keeps its id', 'normal approved', 'anna', 'MC005',
	 $$UPDATE changemgmt.change_risk SET id = id + 5000 WHERE change_id = $1$$),
	('a number is one', 'normal draft', 'anna', 'MC008',
	 $$UPDATE changemgmt.change SET cost_planned = 'NaN' WHERE id = $1$$),
	('attributes have a depth', 'normal draft', 'anna', 'MC008',
	 $$SELECT changemgmt.edit_change($1, ('{"attributes":' || repeat('{"a":', 200) || '1' || repeat('}', 200) || '}')::jsonb)$$),
	('a waiver goes with the plan that it was given for', 'normal scheduled', 'anna', 'MC002',
	 $$SELECT changemgmt.revise($1); UPDATE changemgmt.change SET planned_start = now(), planned_end = now() + interval '1 hour' WHERE id = $1;
	 SELECT changemgmt.plan($1); SELECT changemgmt.submit($1)$$),
	('a preparation comes before the work', 'lean_normal in_progress', 'anna', 'MC005',
	 $$SELECT changemgmt.add_task($1, 'late', 'preparation')$$)
) AS v (what, name, actor, wanted, sql);
-- a template is approved for what it says
SELECT changemgmt.publish_model('patch', '{"base": "lean_standard", "plan": {"touches_security": true, "description": "apply the patch", "rollback_plan": "take it out"}}') \g /dev/null
SELECT is(split_part(r.detail, E'\n', 1), o.detail, 'data_approval: a template and ' || o.what)
FROM (VALUES
	('itself', '{}', NULL),
	('another text', '{"description": "replace the firewall", "rollback_plan": "none"}',
	 'data_approval: it touches security, and is not what template "patch" was approved for: description, rollback_plan'),
	('more than it says', '{"touches_data_integrity": true}',
	 'data_approval: it touches data integrity, and is not what template "patch" was approved for: touches_data_integrity')) AS o (what, patch, detail),
	pg_temp.refusal('anna', format($$
		DO 'DECLARE c bigint; BEGIN
			SELECT id INTO c FROM changemgmt.create_change(''p'', template => ''patch'', owner => ''olaf'',
				justification => ''j'', user_impact => ''u'', risk_level => ''low'', rollback_trigger => ''t'', rollback_minutes => 1,
				verification_plan => ''v'', planned_start => now(), planned_end => now() + interval ''1 hour'', items => ''{%s}'');
			PERFORM changemgmt.edit_change(c, ''%s''); PERFORM changemgmt.plan(c); PERFORM changemgmt.submit(c);
		END'$$, (SELECT min(name) FROM changemgmt.configuration_item), o.patch)) AS r;
SELECT is(pg_temp.try('anna', format('SELECT changemgmt.submit(%s)', id)), 'done', 'a change goes on under a model that is retired')
FROM walked, changemgmt.retire_model('prod') WHERE name = 'prod planned';

-- notice is not kept by taking the start away and giving an earlier one
UPDATE changemgmt.change SET planned_start = NULL, planned_end = NULL WHERE id = pg_temp.id('normal awaiting_approval');
SELECT pg_sleep(0.01) \g /dev/null
UPDATE changemgmt.change SET planned_start = now(), planned_end = now() + interval '2 hours' WHERE id = pg_temp.id('normal awaiting_approval');
SELECT ok(notice_from = updated_at, 'notice is counted anew for a start that was taken away')
FROM changemgmt.change WHERE id = pg_temp.id('normal awaiting_approval');

-- a function of ours is called by its own triggers only
CREATE TEMP TABLE stranger (id bigint, title text);
CREATE TRIGGER a BEFORE INSERT ON stranger FOR EACH ROW EXECUTE FUNCTION changemgmt.lifecycle_stamp();
SELECT throws_ok('INSERT INTO stranger VALUES (1, ''x'')', '39P01', NULL, 'the stamp is for changes');
DROP TRIGGER a ON stranger;
CREATE TRIGGER a AFTER INSERT ON stranger FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.vote_tally();
SELECT throws_ok('INSERT INTO stranger VALUES (1, ''x'')', '39P01', NULL, 'and the tally for votes');

-- the ledger holds, after all this
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the ledger is whole');

SELECT finish();
ROLLBACK;
