-- In another's name, for another change, for another round: votes, what
-- approvers asked for, waivers, evidence, tasks and comments, by statements
-- instead of verbs; and parts that leave their change.
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;
SELECT no_plan();
SET LOCAL client_min_messages = warning;

CREATE FUNCTION pg_temp.act(who text) RETURNS void LANGUAGE sql AS
	$$ SELECT set_config('changemgmt.actor', who, true) $$;
-- What becomes of a statement of somebody's: the SQLSTATE, or 'ok', with the
-- trail whole. Undone where it went through.
CREATE FUNCTION pg_temp.by(who text, sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	fate text := 'ok';
	was text := current_setting('changemgmt.actor');
	before bigint := (SELECT count(*) FROM changemgmt.ledger);
BEGIN
	BEGIN
		PERFORM pg_temp.act(who);
		EXECUTE sql;
		RESET ROLE;
		IF EXISTS (SELECT FROM changemgmt.verify_ledger()) THEN
			fate := 'broken';
		ELSIF (SELECT count(*) FROM changemgmt.ledger) = before THEN
			fate := 'nothing';
		END IF;
		RAISE SQLSTATE 'ZZ001';
	EXCEPTION
		WHEN SQLSTATE 'ZZ001' THEN NULL;
		WHEN OTHERS THEN fate := sqlstate;
	END;
	PERFORM pg_temp.act(was);
	RETURN fate;
END
$$;

SELECT pg_temp.act('ada') \g /dev/null
SELECT changemgmt.add_person(p) FROM unnest('{ada,bob,m1,m2,m3,gone,chief,evil,standin}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_board('cab'), changemgmt.add_ci('db1'), changemgmt.add_ci('of-ada', owner => 'ada') \g /dev/null
SELECT changemgmt.add_board_member('cab', p) FROM unnest('{m1,m2,m3,gone}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_board_member('cab', 'chief', 'change_manager') \g /dev/null
UPDATE changemgmt.person SET is_active = false WHERE login = 'gone';
SELECT pg_temp.act('m3') \g /dev/null
SELECT changemgmt.delegate_approval(whom, now(), now() + interval '1 day', 'cab') FROM unnest('{standin,ada}'::text[]) AS whom \g /dev/null
SELECT pg_temp.act('ada') \g /dev/null
SELECT changemgmt.publish_model('ours', '{"base": "normal", "validations": [],
	"approval": {"policy": "board", "board": "cab", "needed": 2}}') \g /dev/null
CREATE FUNCTION pg_temp.made(title text, status text) RETURNS bigint LANGUAGE plpgsql AS
$$
DECLARE
	c bigint;
BEGIN
	PERFORM pg_temp.act('ada');
	SELECT id INTO c FROM changemgmt.create_change(title, model => 'ours', owner => 'ada',
		description => 'd', justification => 'j', user_impact => 'none', risk_level => 'low', items => '{db1}',
		rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 5, verification_plan => 'v',
		planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day');
	PERFORM changemgmt.add_risk(c, 'r', 'low', 'low');
	PERFORM changemgmt.add_task(c, 'work'), changemgmt.add_task(c, 'tell', 'follow_up'), changemgmt.add_check(c, 'look');
	PERFORM changemgmt.add_comment(c, 'by ada');
	IF status = 'draft' THEN
		RETURN c;
	END IF;
	PERFORM changemgmt.plan(c);
	PERFORM pg_temp.act('chief');
	PERFORM changemgmt.waive(c, 'notice', 'agreed');
	PERFORM pg_temp.act('ada');
	PERFORM changemgmt.submit(c);
	IF status = 'awaiting_approval' THEN
		RETURN c;
	END IF;
	PERFORM pg_temp.act('m1');
	PERFORM changemgmt.approve(c);
	PERFORM pg_temp.act('m2');
	PERFORM changemgmt.approve(c);
	PERFORM pg_temp.act('ada');
	PERFORM changemgmt.advance(c, status, evidence => 'seen');
	RETURN c;
END
$$;
SELECT pg_temp.made('mine', 'draft') AS draft, pg_temp.made('one', 'awaiting_approval') AS one, pg_temp.made('two', 'awaiting_approval') AS two,
	pg_temp.made('again', 'awaiting_approval') AS again, pg_temp.made('approved', 'approved') AS approved, pg_temp.made('running', 'in_progress') AS running \gset
SELECT pg_temp.act('m1') \g /dev/null
SELECT changemgmt.approve(:one), changemgmt.approve(:again) \g /dev/null
SELECT pg_temp.act('ada') \g /dev/null
-- in the second round
SELECT changemgmt.revise(:again) \g /dev/null
SELECT changemgmt.advance(:again, 'planned') \g /dev/null
SELECT pg_temp.act('chief') \g /dev/null
SELECT changemgmt.waive(:again, 'notice', 'agreed again') AS waiver \gset
SELECT pg_temp.act('ada') \g /dev/null
SELECT changemgmt.submit(:again) \g /dev/null
SELECT is((SELECT approval_round FROM changemgmt.change WHERE id = :again), 2, 'a second round');

-- Votes

SELECT matches(pg_temp.by(who, format(sql, :one, :two, :again, :draft, :approved, :running)), '^(' || fate || ')$', who || ': ' || sql)
FROM (VALUES
	-- for somebody else
	('m2', 'INSERT INTO changemgmt.approval_vote (change_id, person_id, decision) VALUES (%1$s, changemgmt.person_id(''m3''), ''approved'')', 'MC003'),
	('evil', 'INSERT INTO changemgmt.approval_vote (change_id, person_id, decision) SELECT %1$s, id, ''approved'' FROM changemgmt.person WHERE login IN (''m2'', ''m3'')', 'MC003'),
	('m2', 'INSERT INTO changemgmt.approval_vote (change_id, person_id, decision) SELECT %1$s, id, ''approved'' FROM changemgmt.person WHERE login IN (''m2'', ''m3'')', 'MC003|MC004'),
	('m2', 'UPDATE changemgmt.approval_vote SET person_id = changemgmt.person_id(''m2'') WHERE change_id = %1$s', 'MC005'),
	('m1', 'UPDATE changemgmt.approval_vote SET person_id = changemgmt.person_id(''m2'') WHERE change_id = %1$s', 'MC003'),
	('m2', 'INSERT INTO changemgmt.approval_vote (change_id, decision, voted_by_id) VALUES (%1$s, ''abstained'', changemgmt.person_id(''m3''))', 'MC002'),
	-- with a delegation: the same rules as by verb
	('standin', 'INSERT INTO changemgmt.approval_vote (change_id, person_id, decision) VALUES (%1$s, changemgmt.person_id(''m3''), ''approved'')', 'ok'),
	('standin', 'INSERT INTO changemgmt.approval_vote (change_id, person_id, decision, voted_by_id) VALUES (%1$s, changemgmt.person_id(''m3''), ''approved'', NULL)', 'ok'),
	('standin', 'INSERT INTO changemgmt.approval_vote (change_id, person_id, decision) VALUES (%1$s, changemgmt.person_id(''m2''), ''approved'')', 'MC003'),
	('standin', 'INSERT INTO changemgmt.approval_vote (change_id, person_id, decision, voted_by_id) VALUES (%1$s, changemgmt.person_id(''m2''), ''approved'', changemgmt.person_id(''m2''))', 'MC003'),
	('standin', 'INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%1$s, ''approved'')', 'MC003'),
	('standin', 'INSERT INTO changemgmt.approval_vote (change_id, person_id, decision) SELECT %1$s, id, ''approved'' FROM changemgmt.person WHERE login IN (''m3'', ''chief'')', 'MC003|MC004'),
	('standin', 'INSERT INTO changemgmt.approval_vote (change_id, person_id, decision) VALUES (%1$s, changemgmt.person_id(''m3''), ''abstained'')', 'MC002'),
	('standin', 'UPDATE changemgmt.approval_vote SET person_id = changemgmt.person_id(''m3'') WHERE change_id = %1$s', 'MC005'),
	('standin', 'UPDATE changemgmt.approval_vote SET decision = ''rejected'', reason = ''r'' WHERE change_id = %1$s', 'MC003'),
	('standin', 'DELETE FROM changemgmt.approval_vote WHERE change_id = %1$s', 'MC003'),
	('m2', 'UPDATE changemgmt.approval_vote SET voted_by_id = changemgmt.person_id(''m2'') WHERE change_id = %1$s', 'MC003'),
	('standin', 'INSERT INTO changemgmt.approval_vote (change_id, person_id, decision) VALUES (%1$s, changemgmt.person_id(''m3''), ''approved'') ON CONFLICT (change_id, round, person_id) DO UPDATE SET person_id = changemgmt.person_id(''m1'')', 'ok'),
	('ada', 'INSERT INTO changemgmt.approval_vote (change_id, person_id, decision) VALUES (%1$s, changemgmt.person_id(''m3''), ''approved'')', 'MC004'),
	('standin', 'UPDATE changemgmt.approval_delegation SET from_person_id = changemgmt.person_id(''m2''); INSERT INTO changemgmt.approval_vote (change_id, person_id, decision) VALUES (%1$s, changemgmt.person_id(''m2''), ''approved'')', 'MC006'),
	('standin', 'INSERT INTO changemgmt.approval_delegation (from_person_id, to_person_id, valid_until, created_by_id) VALUES (changemgmt.person_id(''m2''), changemgmt.person_id(''standin''), now() + interval ''1 day'', changemgmt.person_id(''m2''))', 'MC003'),
	('evil', 'INSERT INTO changemgmt.approval_delegation (from_person_id, to_person_id, valid_until) VALUES (changemgmt.person_id(''m2''), changemgmt.person_id(''evil''), now() + interval ''1 day'')', 'MC003'),
	('chief', 'INSERT INTO changemgmt.approval_delegation (from_person_id, to_person_id, valid_until) VALUES (changemgmt.person_id(''m2''), changemgmt.person_id(''chief''), now() + interval ''1 day'')', 'MC004'),
	-- without a seat, or with one that is no use
	('evil', 'INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%1$s, ''approved'')', 'MC003'),
	('ada', 'INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%1$s, ''approved'')', 'MC003|MC004'),
	('gone', 'INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%1$s, ''approved'')', 'MC003'),
	('no such person', 'INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%1$s, ''approved'')', 'MC003'),
	('ada', 'INSERT INTO changemgmt.board_member (board_id, person_id) VALUES (changemgmt.board_id(''cab''), changemgmt.person_id(''ada''));
		INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%1$s, ''approved'')', 'MC004'),
	-- twice
	('m1', 'INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%1$s, ''approved'')', '23505'),
	('m1', 'INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%1$s, ''approved''), (%1$s, ''approved'')', '23505'),
	('m1', 'ALTER TABLE changemgmt.approval_vote DROP CONSTRAINT approval_vote_change_id_round_person_id_key;
		INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%1$s, ''approved'')', 'MC005|MC006|23505'),
	-- for another round, another plan, another time: those are the engine's
	('m1', 'INSERT INTO changemgmt.approval_vote (change_id, round, decision) VALUES (%3$s, 1, ''approved'')', 'ok'),
	('m2', 'INSERT INTO changemgmt.approval_vote (change_id, round, decision) VALUES (%1$s, 77, ''abstained'')', 'MC002'),
	('m1', 'UPDATE changemgmt.approval_vote SET round = 2 WHERE change_id = %3$s', 'MC005|MC006'),
	('m1', 'UPDATE changemgmt.approval_vote SET decision = ''rejected'', reason = ''r'' WHERE change_id = %3$s AND round = 1', 'MC006'),
	('m1', 'UPDATE changemgmt.approval_vote SET round = 2 WHERE change_id = %1$s', 'MC005|MC006'),
	('m1', 'DELETE FROM changemgmt.approval_vote WHERE change_id = %3$s AND round = 1', 'MC006'),
	-- another's, or when it is too late
	('m2', 'DELETE FROM changemgmt.approval_vote WHERE change_id = %1$s', 'MC003'),
	('ada', 'DELETE FROM changemgmt.approval_vote WHERE change_id = %1$s', 'MC003'),
	('m2', 'UPDATE changemgmt.approval_vote SET decision = ''rejected'', reason = ''r'' WHERE change_id = %1$s', 'MC003'),
	('m1', 'DELETE FROM changemgmt.approval_vote WHERE change_id = %5$s', 'MC001|MC006'),
	('m1', 'UPDATE changemgmt.approval_vote SET decision = ''rejected'', reason = ''r'' WHERE change_id = %6$s', 'MC001|MC006'),
	('m3', 'INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%5$s, ''approved'')', 'MC001'),
	('m3', 'INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%4$s, ''approved'')', 'MC001'),
	-- moved to another change
	('m1', 'UPDATE changemgmt.approval_vote SET change_id = %2$s WHERE change_id = %1$s', 'MC005'),
	('m1', 'UPDATE changemgmt.approval_vote SET change_id = %2$s WHERE change_id = %5$s AND person_id = changemgmt.person_id(''m1'')', 'MC005'),
	('m2', 'UPDATE changemgmt.approval_vote SET change_id = %2$s, person_id = changemgmt.person_id(''m2'') WHERE change_id = %1$s', 'MC005'),
	('m1', 'MERGE INTO changemgmt.approval_vote AS v USING (VALUES (%2$s)) AS x (id) ON v.change_id = %1$s WHEN MATCHED THEN UPDATE SET change_id = x.id', 'MC005'),
	('m2', 'INSERT INTO changemgmt.approval_vote (change_id, person_id, decision) VALUES (%1$s, changemgmt.person_id(''m1''), ''approved'')
		ON CONFLICT (change_id, round, person_id) DO UPDATE SET person_id = changemgmt.person_id(''m2'')', 'MC003|MC005'),
	-- without a reason, without a decision
	('m2', 'INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%1$s, ''rejected'')', 'MC002'),
	('m2', 'INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%1$s, ''maybe'')', '23514|MC008'),
	('m2', 'INSERT INTO changemgmt.approval_vote (change_id) VALUES (%1$s)', '23502|MC008'),
	-- the step itself, without the votes
	('m2', 'UPDATE changemgmt.change SET status = ''approved'' WHERE id = %1$s', 'MC002'),
	('ada', 'UPDATE changemgmt.change SET status = ''approved'' WHERE id = %1$s', 'MC002'),
	-- and one's own is one's own
	('m1', 'DELETE FROM changemgmt.approval_vote WHERE change_id = %1$s', 'ok'),
	('m1', 'UPDATE changemgmt.approval_vote SET decision = ''rejected'', reason = ''r'' WHERE change_id = %1$s', 'ok'),
	('m2', 'INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%1$s, ''approved'')', 'ok')
) AS v (who, sql, fate);
SELECT pg_temp.act('m2') \g /dev/null
INSERT INTO changemgmt.approval_vote (change_id, round, decision, voted_at, plan_revision, seal)
	VALUES (:two, 77, 'approved', '1999-01-01', 77, sha256('x'));
SELECT results_eq(format('SELECT v.round, v.voted_at >= now(), v.plan_revision = c.plan_revision, v.seal = sha256(''x''), c.status
		FROM changemgmt.approval_vote AS v JOIN changemgmt.change AS c ON c.id = v.change_id WHERE c.id = %s', :two),
	$$VALUES (1, true, true, false, 'awaiting_approval')$$, 'round, time, plan and seal of a vote are the engine''s, whatever it says');
-- a vote that is taken back does not go on counting
DELETE FROM changemgmt.approval_vote WHERE change_id = :two;
SELECT pg_temp.act('m3') \g /dev/null
SELECT changemgmt.approve(:two) \g /dev/null
SELECT is((SELECT status FROM changemgmt.change WHERE id = :two), 'awaiting_approval', 'a vote that was taken back does not count');
SELECT results_eq(format($$SELECT r ->> 'op', l.actor FROM changemgmt.ledger AS l, jsonb_array_elements(l.changed -> 'approval_vote') AS r
		WHERE l.subject_kind = 'change' AND l.subject_id = %s AND l.changed ? 'approval_vote' ORDER BY l.sequence$$, :two),
	$$VALUES ('insert', 'm2'), ('delete', 'm2'), ('insert', 'm3')$$, 'and is in the trail, with who did it');

-- What an approver asked for

SELECT pg_temp.act('m2') \g /dev/null
INSERT INTO changemgmt.change_task (change_id, title, phase, is_condition) VALUES (:one, 'asked for', 'preparation', true);
SELECT pg_temp.act('bob') \g /dev/null
-- a change on which ada may vote
SELECT changemgmt.publish_model('adas', '{"base": "lean_normal"}') \g /dev/null
SELECT id AS adas FROM changemgmt.create_change('adas', model => 'adas', owner => 'bob', items => '{of-ada}') \gset
SELECT matches(pg_temp.by(who, format(sql, :one, :adas, :running)), '^(' || fate || ')$', who || ': ' || sql)
FROM (VALUES
	('ada', 'INSERT INTO changemgmt.change_task (change_id, title, phase, is_condition) VALUES (%2$s, ''x'', ''preparation'', true)', 'ok'),
	('ada', 'DELETE FROM changemgmt.change_task WHERE change_id = %1$s AND is_condition', 'MC003'),
	('ada', 'UPDATE changemgmt.change_task SET is_condition = false WHERE change_id = %1$s AND is_condition', 'MC003'),
	('ada', 'UPDATE changemgmt.change_task SET title = ''easy'' WHERE change_id = %1$s AND is_condition', 'MC003'),
	('ada', 'UPDATE changemgmt.change_task SET phase = ''follow_up'' WHERE change_id = %1$s AND is_condition', 'MC003'),
	('ada', 'UPDATE changemgmt.change_task SET change_id = %2$s WHERE change_id = %1$s AND is_condition', 'MC003|MC005'),
	('ada', 'UPDATE changemgmt.change_task SET change_id = %2$s, is_condition = false WHERE change_id = %1$s AND is_condition', 'MC003|MC005'),
	('ada', 'UPDATE changemgmt.change_task SET is_condition = true WHERE change_id = %1$s AND title = ''work''', 'MC003'),
	('evil', 'UPDATE changemgmt.change_task SET status = ''skipped'' WHERE change_id = %1$s AND is_condition', 'MC003|MC008'),
	('ada', 'UPDATE changemgmt.change_task SET status = ''skipped'', status_reason = ''x'' WHERE change_id = %1$s AND is_condition', 'MC003'),
	('ada', 'SELECT changemgmt.skip_task(id, ''x'') FROM changemgmt.change_task WHERE change_id = %1$s AND is_condition', 'MC003'),
	('evil', 'SELECT changemgmt.skip_task(id, ''x'') FROM changemgmt.change_task WHERE change_id = %1$s AND is_condition', 'MC003'),
	('ada', 'SELECT changemgmt.complete_task(id) FROM changemgmt.change_task WHERE change_id = %1$s AND is_condition', 'ok'),
	('m1', 'SELECT changemgmt.skip_task(id, ''x'') FROM changemgmt.change_task WHERE change_id = %1$s AND is_condition', 'ok'),
	('m2', 'UPDATE changemgmt.change_task SET status = ''skipped'' WHERE change_id = %1$s AND is_condition', 'MC008'),
	('m2', 'DELETE FROM changemgmt.change_task WHERE change_id = %1$s AND is_condition', 'ok'),
	('m1', 'UPDATE changemgmt.change_task SET title = ''easy'' WHERE change_id = %1$s AND is_condition', 'ok')
) AS v (who, sql, fate);

-- COPY by somebody else is no history
CREATE ROLE regress_copier;
SELECT changemgmt.grant_role('regress_copier', 'manager') \g /dev/null
GRANT ALL ON ALL TABLES IN SCHEMA changemgmt TO regress_copier;
GRANT pg_execute_server_program TO regress_copier;
SELECT matches(pg_temp.by('standin', format('SET LOCAL ROLE regress_copier; COPY changemgmt.%I (%s) FROM PROGRAM %L', relation, columns, program)), '^(' || fate || ')$',
	'COPY into ' || relation || ' by somebody else')
FROM (VALUES ('approval_vote', 'change_id, person_id, decision, voted_by_id', format('printf "%s\t%s\tapproved\t%s\n"', :one, changemgmt.person_id('m2'), changemgmt.person_id('m1')), '0A000'),
	('approval_delegation', 'from_person_id, to_person_id, valid_until', format('printf "%s\t%s\t2099-01-01\n"', changemgmt.person_id('m2'), changemgmt.person_id('standin')), 'MC003')
) AS v (relation, columns, program, fate);

-- Waivers

SELECT matches(pg_temp.by(who, format(sql, :one, :draft, :again, :waiver)), '^(' || fate || ')$', who || ': ' || sql)
FROM (VALUES
	('evil', 'INSERT INTO changemgmt.change_waiver (change_id, requirement, reason) VALUES (%2$s, ''notice'', ''x'')', 'MC003'),
	('evil', 'INSERT INTO changemgmt.change_waiver (change_id, requirement, reason, waived_by_id) VALUES (%2$s, ''notice'', ''x'', changemgmt.person_id(''chief''))', 'MC003'),
	('chief', 'INSERT INTO changemgmt.change_waiver (change_id, requirement, reason) VALUES (%2$s, ''quorum'', ''x'')', 'MC003'),
	('chief', 'INSERT INTO changemgmt.change_waiver (change_id, requirement, reason, waived_by_id) VALUES (%2$s, ''notice'', ''x'', changemgmt.person_id(''bob''))', 'MC003'),
	('chief', 'UPDATE changemgmt.change_waiver SET requirement = ''quorum'' WHERE change_id = %1$s', 'MC00\d'),
	('chief', 'UPDATE changemgmt.change_waiver SET waived_at = ''infinity'' WHERE change_id = %1$s', 'MC00\d'),
	('chief', 'UPDATE changemgmt.change_waiver SET change_id = %2$s WHERE change_id = %1$s', 'MC00\d'),
	('chief', 'UPDATE changemgmt.change_waiver SET change_id = %2$s, waived_at = ''infinity'' WHERE change_id = %1$s', 'MC00\d'),
	('chief', 'DELETE FROM changemgmt.change_waiver WHERE change_id = %1$s', 'MC006'),
	('chief', 'DELETE FROM changemgmt.change_waiver WHERE id = %4$s', 'MC006'),
	('evil', 'DELETE FROM changemgmt.change_waiver WHERE id = %4$s', 'MC00\d')
) AS v (who, sql, fate);
SELECT pg_temp.act('chief') \g /dev/null
INSERT INTO changemgmt.change_waiver (change_id, requirement, reason, waived_at) VALUES (:draft, 'notice', 'for ever', 'infinity');
SELECT ok((SELECT waived_at < now() + interval '1 day' FROM changemgmt.change_waiver WHERE reason = 'for ever'), 'when it was waived is the engine''s');

-- Tasks, evidence, comments: in whose name, and when

SELECT matches(pg_temp.by(who, format(sql, :running, :draft, :one)), '^(' || fate || ')$', who || ': ' || sql)
FROM (VALUES
	('bob', 'UPDATE changemgmt.change_task SET status = ''done'', done_by_id = changemgmt.person_id(''m3'') WHERE change_id = %1$s AND title = ''work''', 'MC003'),
	('bob', 'UPDATE changemgmt.change_task SET status = ''done'', done_at = ''1999-01-01'' WHERE change_id = %1$s AND title = ''work''', 'MC005|MC008'),
	('bob', 'UPDATE changemgmt.change_task SET done_by_id = changemgmt.person_id(''bob'') WHERE change_id = %1$s AND title = ''work''', 'MC005'),
	('bob', 'UPDATE changemgmt.change_task SET status = ''done'' WHERE change_id = %1$s AND title = ''work''', 'ok'),
	('bob', 'UPDATE changemgmt.change_task SET change_id = %2$s WHERE change_id = %1$s AND title = ''work''', 'MC005'),
	('bob', 'UPDATE changemgmt.change_task SET change_id = %1$s WHERE change_id = %2$s AND title = ''work''', 'MC005'),
	('bob', 'UPDATE changemgmt.change_risk SET change_id = %2$s WHERE change_id = %1$s', 'MC005'),
	('bob', 'UPDATE changemgmt.change_risk SET change_id = %1$s WHERE change_id = %2$s', 'MC005'),
	('bob', 'UPDATE changemgmt.change_item SET change_id = %2$s WHERE change_id = %1$s', '23505|MC005'),
	('bob', 'UPDATE changemgmt.change_check SET change_id = %2$s WHERE change_id = %1$s', 'MC005|MC006'),
	('bob', 'UPDATE changemgmt.change_check SET change_id = %1$s WHERE change_id = %2$s', 'MC005'),
	('bob', 'UPDATE changemgmt.change_comment SET change_id = %1$s WHERE change_id = %2$s', 'MC003|MC005'),
	('ada', 'UPDATE changemgmt.change_comment SET change_id = %1$s, created_at = ''1999-01-01'' WHERE change_id = %2$s', 'MC005'),
	('ada', 'UPDATE changemgmt.change_comment SET author_id = changemgmt.person_id(''bob'') WHERE change_id = %2$s', 'MC003|MC005'),
	('bob', 'UPDATE changemgmt.change_comment SET body = ''by bob'' WHERE change_id = %2$s', 'MC003'),
	('bob', 'UPDATE changemgmt.change_comment SET author_id = changemgmt.person_id(''bob'') WHERE change_id = %2$s', 'MC003'),
	('bob', 'DELETE FROM changemgmt.change_comment WHERE change_id = %2$s', 'MC003'),
	('bob', 'INSERT INTO changemgmt.change_comment (change_id, body, author_id) VALUES (%2$s, ''x'', changemgmt.person_id(''ada''))', 'MC003'),
	('ada', 'UPDATE changemgmt.change_comment SET body = ''by ada, again'' WHERE change_id = %2$s', 'ok'),
	('bob', 'INSERT INTO changemgmt.change_check (change_id, title, passed, checked_by_id) VALUES (%1$s, ''x'', true, changemgmt.person_id(''m3''))', 'MC003'),
	('bob', 'UPDATE changemgmt.change_check SET passed = true, checked_by_id = changemgmt.person_id(''m3'') WHERE change_id = %1$s', 'MC003'),
	('bob', 'UPDATE changemgmt.change_check SET passed = true, checked_at = ''1999-01-01'' WHERE change_id = %1$s', 'MC008'),
	('bob', 'UPDATE changemgmt.change_check SET passed = true, checked_at = now() + interval ''1 day'' WHERE change_id = %1$s', 'MC008'),
	('bob', 'UPDATE changemgmt.change_check SET is_planned = false; DELETE FROM changemgmt.change_check WHERE change_id = %1$s', 'MC005|MC006')
) AS v (who, sql, fate);
-- a check that was added later, and failed, stays what it was
SELECT pg_temp.act('bob') \g /dev/null
SELECT changemgmt.add_check(:running, 'smoke') AS smoke \gset
SELECT changemgmt.record_check(:smoke, false, 'it smokes') \g /dev/null
SELECT is(pg_temp.by('bob', format('UPDATE changemgmt.change_check SET %s WHERE id = %s', assignment, :smoke)), fate, 'a check that failed: ' || assignment)
FROM (VALUES ('is_required = false', 'MC005'), ('title = ''harmless''', 'MC005'), ('expected = ''smoke''', 'MC005'), ('stage = ''7_days''', 'MC005'),
	('kind = ''slo''', 'MC005'), ('passed = NULL', 'MC006'), ('passed = NULL, observed = NULL, checked_by_id = NULL, checked_at = NULL', 'MC006'),
	('passed = true, observed = ''fixed''', 'ok')) AS v (assignment, fate);
SELECT is(pg_temp.by('bob', format('DELETE FROM changemgmt.change_check WHERE id = %s', :smoke)), 'MC006', 'and is not deleted');

-- Into and out of what is confidential, by a role with every privilege that
-- has nothing to do with it: the change is not there

CREATE ROLE regress_evil;
SELECT changemgmt.grant_role('regress_evil', 'manager') \g /dev/null
GRANT ALL ON ALL TABLES IN SCHEMA changemgmt TO regress_evil;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA changemgmt TO regress_evil;
SELECT pg_temp.act('evil') \g /dev/null
SELECT id AS evils FROM changemgmt.create_change('evils') \gset
SELECT changemgmt.add_risk(:evils, 'r', 'low', 'low'), changemgmt.add_task(:evils, 't'), changemgmt.add_comment(:evils, 'c'),
	changemgmt.add_check(:evils, 'k') \g /dev/null
SELECT pg_temp.made('hidden', 'draft') AS hidden \gset
SELECT changemgmt.edit_change(:hidden, '{"confidential": true}') \g /dev/null
SELECT matches(pg_temp.by('evil', 'SET LOCAL ROLE regress_evil; ' || format(sql, :hidden, :evils)), '^(' || fate || ')$', 'confidential: ' || sql)
FROM (VALUES
	('UPDATE changemgmt.change SET title = ''x'' WHERE id = %1$s', 'nothing'),
	('UPDATE changemgmt.change SET confidential = false WHERE id = %1$s', 'nothing'),
	('DELETE FROM changemgmt.change WHERE id = %1$s', 'nothing'),
	('UPDATE changemgmt.change_risk SET change_id = %2$s WHERE change_id = %1$s', 'nothing'),
	('UPDATE changemgmt.change_comment SET change_id = %2$s WHERE change_id = %1$s', 'nothing'),
	('DELETE FROM changemgmt.change_risk WHERE change_id = %1$s', 'nothing'),
	('UPDATE changemgmt.change_risk SET change_id = %1$s WHERE change_id = %2$s', '42501|MC008'),
	('UPDATE changemgmt.change_task SET change_id = %1$s WHERE change_id = %2$s', '42501|MC008'),
	('UPDATE changemgmt.change_check SET change_id = %1$s WHERE change_id = %2$s', '42501|MC008'),
	('UPDATE changemgmt.change_comment SET change_id = %1$s WHERE change_id = %2$s', '42501|MC005|MC008'),
	('INSERT INTO changemgmt.change_comment (change_id, body) VALUES (%1$s, ''x'')', '42501|MC008'),
	('INSERT INTO changemgmt.change_risk (change_id, description, likelihood, impact) VALUES (%1$s, ''x'', ''low'', ''low'')', '42501|MC008'),
	('INSERT INTO changemgmt.change_waiver (change_id, requirement, reason) VALUES (%1$s, ''notice'', ''x'')', '42501|MC003|MC008'),
	('INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%1$s, ''approved'')', '42501|MC001|MC008'),
	('INSERT INTO changemgmt.incident_cause (incident_id, change_id) VALUES (changemgmt.incident_id(''INC-1''), %1$s)', '42501|MC008'),
	('INSERT INTO changemgmt.change_link (change_id, relation, target_change_id) VALUES (%2$s, ''backs_out'', %1$s)', '42501|MC008'),
	('SELECT changemgmt.link_change(%2$s, ''backs_out'', %1$s)', 'MC008'),
	('MERGE INTO changemgmt.change AS c USING (VALUES (%1$s)) AS v (id) ON c.id = v.id WHEN MATCHED THEN UPDATE SET title = ''x''', 'nothing'),
	('INSERT INTO changemgmt.change (id, title) VALUES (%1$s, ''x'') ON CONFLICT (id) DO UPDATE SET title = ''x''', '42501'),
	('INSERT INTO changemgmt.change (id, title) VALUES (%1$s, ''x'') ON CONFLICT (id) DO UPDATE SET confidential = false', '42501'),
	('SELECT changemgmt.copy_change(%1$s)', 'MC008'),
	('SELECT changemgmt.edit_change(%1$s, ''{"confidential": false}'')', 'MC008')) AS v (sql, fate);
RESET ROLE;

SELECT pg_temp.act('') \g /dev/null
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT * FROM finish();
ROLLBACK;
