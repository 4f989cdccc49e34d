-- Votes: who may give them, when they decide, and which of them count.

BEGIN;
SELECT plan(145);

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

-- The status after somebody's step, or the SQLSTATE of its refusal.
CREATE FUNCTION pg_temp.as(login text, sql text, VARIADIC arguments text[] DEFAULT '{}') RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	actor text := current_setting('changemgmt.actor');
	answer text;
BEGIN
	PERFORM set_config('changemgmt.actor', login, true);
	BEGIN
		EXECUTE format('SELECT status FROM changemgmt.' || sql, VARIADIC arguments) INTO answer;
	EXCEPTION WHEN OTHERS THEN
		answer := SQLSTATE;
	END;
	PERFORM set_config('changemgmt.actor', actor, true);
	RETURN answer;
END
$$;
CREATE FUNCTION pg_temp.refusal_to(login text, sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	actor text := current_setting('changemgmt.actor');
	answer text;
BEGIN
	PERFORM set_config('changemgmt.actor', login, true);
	answer := pg_temp.refusal(sql);
	PERFORM set_config('changemgmt.actor', actor, true);
	RETURN answer;
END
$$;

SET LOCAL changemgmt.actor = 'author';
SELECT changemgmt.add_person(p)
FROM unnest('{author,owner,asker,lead,keeper,seat,m1,m2,m3,m4,worker}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_team('dba', lead => 'lead', members => '{worker}') \g /dev/null
SELECT changemgmt.add_ci('db1', kind => 'database', owner => 'keeper'),
	changemgmt.add_ci('db2', kind => 'database', owner => 'worker') \g /dev/null
SELECT changemgmt.add_board('cab'), changemgmt.add_board('leads') \g /dev/null
SELECT changemgmt.add_board_member('leads', 'seat', 'technical_lead') \g /dev/null
SELECT changemgmt.add_board_member('cab', p) FROM unnest('{m1,m2,m3}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_board_member('cab', 'm4', 'change_manager') \g /dev/null
-- boards of one to four members, models that ask one to three of them
SELECT changemgmt.add_board('panel' || n) FROM generate_series(1, 4) AS n \g /dev/null
SELECT changemgmt.add_board_member('panel' || n, 'm' || m)
FROM generate_series(1, 4) AS n, generate_series(1, n) AS m \g /dev/null
SELECT changemgmt.publish_model(format('of_%s_%s', n, needed), jsonb_build_object(
	'base', 'lean_normal', 'approval', jsonb_build_object(
		'policy', 'board', 'board', 'panel' || n, 'needed', needed)))
FROM generate_series(1, 4) AS n, generate_series(1, 3) AS needed \g /dev/null

CREATE FUNCTION pg_temp.planned(title text, model text, owner text DEFAULT 'owner') RETURNS bigint
	LANGUAGE sql AS
$$
	SELECT p.id FROM changemgmt.create_change(title, model => model, owner => owner,
		requester => 'asker', team => 'dba',
		description => 'd', justification => 'j', user_impact => 'none',
		risk_level => 'low', rollback_trigger => 'errors', rollback_plan => 'back',
		rollback_minutes => 5, verification_plan => 'look', items => '{db1}',
		planned_start => now() + interval '30 days', planned_end => now() + interval '31 days') AS c,
		LATERAL changemgmt.plan(c.id) AS p;
$$;
CREATE FUNCTION pg_temp.awaiting(title text, model text, owner text DEFAULT 'owner') RETURNS bigint
	LANGUAGE plpgsql AS
$$
DECLARE
	change_id bigint := pg_temp.planned(title, model, owner);
BEGIN
	PERFORM changemgmt.submit(change_id);
	RETURN change_id;
END
$$;

-- one approver: a technical lead, or the owner of an item

SELECT is(pg_temp.as(login, 'approve(%s)', pg_temp.awaiting('lean ' || login, 'lean_normal')::text), expected, why)
FROM (VALUES
	('lead', 'approved', 'the lead of the team approves'),
	('keeper', 'approved', 'so does the owner of an affected item'),
	('seat', 'approved', 'and who holds a seat as technical lead'),
	('worker', 'MC003', 'a member of the team does not'),
	('m1', 'MC003', 'nor a member of a board'),
	('asker', 'MC003', 'nor who asked for it'),
	('owner', 'MC003', 'nor the owner'),
	('author', 'MC003', 'nor the author'),
	('nobody', 'MC003', 'nor who is not known')
) AS v (login, expected, why);
SELECT pg_temp.awaiting('lean', 'lean_normal') AS lean \gset
SELECT is(pg_temp.refusal_to('worker', format('SELECT changemgmt.approve(%s)', :lean)),
	format('MC003 | "worker" may not vote on %s | Model "lean_normal" asks a technical lead or an owner of the affected items. | SELECT missing FROM changemgmt.approval_tally(%s) names who may.', changemgmt.change_number(:lean), :lean),
	'who may is said');
SELECT changemgmt.add_item(:lean, 'db2') \g /dev/null
SELECT is(pg_temp.as('worker', 'approve(%s)', :'lean'), 'approved', 'with another item its owner may');

SELECT pg_temp.awaiting('own', 'lean_normal', 'lead') AS own \gset
SELECT is(pg_temp.refusal_to('lead', format('SELECT changemgmt.%s(%s)', verb, :own)),
	format('MC004 | "lead" is owner of %s and cannot vote on it | Somebody else decides; nobody is exempt.', changemgmt.change_number(:own)),
	'nobody votes on the own change: ' || verb)
FROM unnest('{approve,reject,defer,abstain}'::text[]) AS verb;
SET LOCAL changemgmt.actor = 'keeper';
SELECT pg_temp.awaiting('written', 'lean_normal') AS written \gset
SELECT is(pg_temp.as('keeper', 'approve(%s)', :'written'), 'MC004', 'nor who wrote it');
SET LOCAL changemgmt.actor = 'author';
SELECT changemgmt.edit_change(:written, '{"description": "better"}') \g /dev/null
SELECT is(pg_temp.as('keeper', 'approve(%s)', :'written'), 'MC004', 'also when somebody else has edited it since');
SELECT pg_temp.awaiting('edited', 'lean_normal') AS edited \gset
SELECT pg_temp.as('lead', 'edit_change(%s, ''{"expected_benefit": "a remark"}'')', :'edited') \g /dev/null
SELECT is((SELECT last_editor_id FROM changemgmt.change WHERE id = :edited), changemgmt.person_id('author'),
	'a remark makes nobody an editor of the plan');
SELECT pg_temp.as('lead', 'edit_change(%s, ''{"description": "mine"}'')', :'edited') \g /dev/null
SELECT is(pg_temp.as('lead', 'approve(%s)', :'edited'), 'MC004', 'nor who edited the plan last');
SELECT is(pg_temp.as('keeper', 'approve(%s)', :'edited'), 'approved', 'somebody else does');

-- superusers are not exempt

SELECT changemgmt.add_person(session_user) \g /dev/null
SELECT changemgmt.add_board_member('leads', session_user, 'technical_lead') \g /dev/null
SELECT pg_temp.awaiting('superuser', 'lean_normal', session_user) AS super \gset
SELECT is((SELECT rolsuper FROM pg_roles WHERE rolname = session_user), true, 'this is a superuser');
SELECT is(pg_temp.as('', 'approve(%s)', :'super'), 'MC004', 'who does not approve what is his own');
SELECT is(substr(pg_temp.refusal_to('', format($$UPDATE changemgmt.change SET status = 'approved' WHERE id = %s$$, :super)), 1, 5),
	'MC002', 'by no other door');
SELECT is(substr(pg_temp.refusal_to('', format($$INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%s, 'approved')$$, :super)), 1, 5),
	'MC004', 'nor by this');

-- boards: every combination of votes, against an oracle

-- What the votes (a, r, d, s for abstained; one a member, in order) mean.
CREATE FUNCTION pg_temp.oracle(votes text, members int, needed int) RETURNS text
	LANGUAGE sql IMMUTABLE AS
$$
	SELECT CASE
		WHEN votes ~ format('(a.*){%s}', needed) THEN 'approved'
		WHEN votes ~ format('(r.*){%s}', needed) THEN 'rejected'
		WHEN votes ~ format('(d.*){%s}', needed) THEN 'planned'
		WHEN members >= needed AND votes ~ '[rd]'
			AND rpad(votes, members, 'a') !~ format('(a.*){%s}', needed)
		THEN CASE WHEN length(translate(votes, 'asd', '')) >= length(translate(votes, 'asr', ''))
			THEN 'rejected' ELSE 'planned' END
		ELSE 'awaiting_approval' END;
$$;
CREATE FUNCTION pg_temp.run(votes text, members int, needed int) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	subject bigint;
	given text;
	expected text;
	state text;
	reasons text := '';
	reason text;
	v text;
BEGIN
	PERFORM set_config('changemgmt.actor', 'author', true);
	subject := pg_temp.awaiting(votes, format('of_%s_%s', members, needed));
	FOR i IN 1 .. members LOOP
		given := substr(votes, 1, i);
		expected := pg_temp.oracle(given, members, needed);
		v := substr(votes, i, 1);
		PERFORM set_config('changemgmt.actor', 'm' || i, true);
		EXECUTE format('SELECT status FROM changemgmt.%s(%s, %L)',
			CASE v WHEN 'a' THEN 'approve' WHEN 'r' THEN 'reject' WHEN 'd' THEN 'defer' ELSE 'abstain' END,
			subject, 'why ' || v || i) INTO state;
		IF state <> expected THEN
			RETURN format('%s of %s, %s: %s, not %s', needed, members, given, state, expected);
		END IF;
		IF v IN ('r', 'd') THEN
			reasons := concat_ws('; ', nullif(reasons, ''), format('m%s: why %s%s', i, v, i));
		END IF;
		EXIT WHEN state <> 'awaiting_approval';
	END LOOP;
	SELECT status_reason INTO reason FROM changemgmt.change WHERE id = subject;
	IF reason IS DISTINCT FROM (CASE WHEN state IN ('rejected', 'planned') THEN reasons END) THEN
		RETURN format('%s of %s, %s: reason %s, not %s', needed, members, given, reason, reasons);
	END IF;
	RETURN NULL;
END
$$;
CREATE TEMP TABLE combination AS
	WITH RECURSIVE v AS (
		SELECT d AS votes FROM unnest('{a,r,d,s}'::text[]) AS d
		UNION ALL
		SELECT v.votes || d FROM v, unnest('{a,r,d,s}'::text[]) AS d WHERE length(votes) < 4
	)
	SELECT votes, length(votes) AS members, needed FROM v, generate_series(1, 3) AS needed;
SELECT is((SELECT count(*) FROM combination), 1020::bigint, 'all combinations of up to four votes');
SELECT is_empty(format('SELECT answer FROM (SELECT pg_temp.run(votes, members, needed) AS answer
	FROM combination WHERE needed = %s OFFSET 0) AS run WHERE answer IS NOT NULL', needed),
	format('decide as they should where %s are needed', needed))
FROM generate_series(1, 3) AS needed;
SET LOCAL changemgmt.actor = 'author';

-- reasons

SELECT pg_temp.awaiting('reasons', 'of_4_2') AS reasons \gset
SELECT is(pg_temp.refusal_to('m1', format('SELECT changemgmt.%s(%s, %L)', verb, :reasons, reason)),
	format('MC002 | a vote that is not approved needs a reason | reason: the vote says %s without a reason | Give it as the second argument.', decision),
	verb || ' needs a reason: ' || coalesce(quote_literal(reason), 'null'))
FROM (VALUES ('reject', 'rejected'), ('defer', 'deferred'), ('abstain', 'abstained')) AS v (verb, decision),
	(VALUES (NULL), (''), (E' \t')) AS r (reason);
SELECT is(pg_temp.as('m1', 'reject(%s, %L)', :'reasons', 'too risky'), 'awaiting_approval', 'one against');
SELECT is(pg_temp.as('m2', 'abstain(%s, %L)', :'reasons', 'away'), 'awaiting_approval', 'one takes no part');
SELECT results_eq(format('SELECT * FROM changemgmt.approval_tally(%s)', :reasons),
	$$VALUES ('panel4', 2, 4, 0, 1, 0, 1, 0, '0 of 2 approvals of board panel4, waiting for m3, m4')$$, 'the tally');
SELECT is(pg_temp.as('m3', 'reject(%s, %L)', :'reasons', 'not justified'), 'rejected', 'two against');
SELECT is((SELECT status_reason FROM changemgmt.change WHERE id = :reasons), 'm1: too risky; m3: not justified',
	'the change says why');
SELECT is((SELECT reason FROM changemgmt.ledger WHERE subject_id = :reasons ORDER BY sequence DESC LIMIT 1),
	'm1: too risky; m3: not justified', 'and so does the ledger');
SELECT is((SELECT event || ' ' || from_status || ' ' || to_status FROM changemgmt.ledger WHERE subject_id = :reasons ORDER BY sequence DESC LIMIT 1),
	'reject awaiting_approval rejected', 'with the step');

-- one vote a person and round

SELECT pg_temp.awaiting('votes', 'of_4_2') AS votes \gset
SELECT is(pg_temp.as('m1', 'approve(%s, %L)', :'votes', 'fine'), 'awaiting_approval', 'a vote');
SELECT is(pg_temp.as('m1', 'reject(%s, %L)', :'votes', 'not fine'), 'awaiting_approval', 'can be changed');
SELECT results_eq(format('SELECT approved, rejected FROM changemgmt.approval_tally(%s)', :votes), $$VALUES (0, 1)$$, 'and counts once');
SELECT is(pg_temp.as('m1', 'approve(%s)', :'votes'), 'awaiting_approval', 'and back');
SELECT revision AS votes_revision FROM changemgmt.change WHERE id = :votes \gset
SELECT is(pg_temp.as('m1', 'approve(%s)', :'votes'), 'awaiting_approval', 'given twice');
SELECT is((SELECT revision FROM changemgmt.change WHERE id = :votes), :votes_revision::bigint, 'nothing happens');
SELECT results_eq(format('SELECT approved, rejected FROM changemgmt.approval_tally(%s)', :votes), $$VALUES (1, 0)$$, 'counts once, too');
SELECT is(pg_temp.refusal_to('m1', format(sql, :votes)), expected, sql)
FROM (VALUES
	($$INSERT INTO changemgmt.approval_vote (change_id, person_id, decision) VALUES (%s, changemgmt.person_id('m2'), 'approved')$$,
	 'MC003 | "m1" cannot vote for "m2" | No delegation from "m2" to "m1" is valid for it now. | "m2" votes, or delegates with changemgmt.delegate_approval(''m1'', now(), valid_until).'),
	($$UPDATE changemgmt.approval_vote SET person_id = changemgmt.person_id('m2') WHERE change_id = %s$$,
	 'MC003 | "m1" cannot vote for "m2" | No delegation from "m2" to "m1" is valid for it now. | "m2" votes, or delegates with changemgmt.delegate_approval(''m1'', now(), valid_until).'),
	($$UPDATE changemgmt.approval_vote SET round = 7 WHERE change_id = %s$$,
	 'MC005 | round of a vote does not change | A vote changes by voting again.')
) AS v (sql, expected);
SELECT is(substr(pg_temp.refusal_to('m2', format($$UPDATE changemgmt.approval_vote SET decision = 'rejected', reason = 'x' WHERE change_id = %s$$, :votes)), 1, 5),
	'MC003', 'nobody changes another''s vote');
SELECT is(substr(pg_temp.refusal_to('m2', format('DELETE FROM changemgmt.approval_vote WHERE change_id = %s', :votes)), 1, 5),
	'MC003', 'or takes it away');
SELECT is(pg_temp.refusal_to('m2', format($$INSERT INTO changemgmt.approval_vote (change_id, round, decision, plan_revision, seal, voted_at)
	VALUES (%s, 99, 'abstained', 99, decode(repeat('00', 32), 'hex'), '1999-01-01')$$, :votes)),
	'MC002 | a vote that is not approved needs a reason | reason: the vote says abstained without a reason | Give it as the second argument.',
	'by INSERT as by verb');
SELECT is(pg_temp.refusal_to('m2', format($$INSERT INTO changemgmt.approval_vote (change_id, round, decision, plan_revision, seal, voted_at, reason)
	VALUES (%s, 99, 'abstained', 99, decode(repeat('00', 32), 'hex'), '1999-01-01', 'r')$$, :votes)), '', 'with a reason');
SELECT results_eq(format($$SELECT v.round = c.approval_round, v.plan_revision = c.plan_revision, v.seal <> decode(repeat('00', 32), 'hex'),
	v.voted_at > '2020-01-01' FROM changemgmt.approval_vote AS v JOIN changemgmt.change AS c ON c.id = v.change_id
	WHERE c.id = %s AND person_id = changemgmt.person_id('m2')$$, :votes),
	$$VALUES (true, true, true, true)$$, 'round, plan, seal and time are stamped');
SELECT is(pg_temp.as('m3', 'approve(%s, %L)', :'votes', 'well prepared'), 'approved', 'the second approval decides');
SELECT is(pg_temp.as('m3', 'approve(%s, %L)', :'votes', 'well prepared'), 'approved', 'the same vote again is no mistake');
SELECT is(pg_temp.as('m3', 'approve(%s)', :'votes'), 'approved', 'nor without its reason');
SELECT is(pg_temp.as('m3', 'reject(%s, %L)', :'votes', 'on second thought'), 'MC001', 'another is too late');
SELECT is(pg_temp.as('m4', 'approve(%s)', :'votes'), 'MC001', 'as is the first of somebody else');
SELECT is(substr(pg_temp.refusal_to('m3', format('DELETE FROM changemgmt.approval_vote WHERE change_id = %s', :votes)), 1, 5),
	'MC001', 'a vote that decided stays');
SELECT is(substr(pg_temp.refusal_to('m3', format($$UPDATE changemgmt.approval_vote SET reason = 'x' WHERE change_id = %s$$, :votes)), 1, 5),
	'MC001', 'as it is');
SELECT is(pg_temp.as('m1', 'approve(%s)', pg_temp.planned('not yet', 'of_4_2')::text), 'MC001', 'nobody votes before the submission');
SELECT is(pg_temp.as('m1', 'approve(NULL)'), 'MC008', 'or on nothing');
SELECT is(pg_temp.as('m1', 'approve(-1)'), 'MC008', 'or on no change');
SELECT is(pg_temp.as('m1', 'approve(%s, NULL, 1)', pg_temp.awaiting('moved on', 'of_4_2')::text), 'MC010', 'or on what has moved on');

-- by no other way

SELECT pg_temp.awaiting('doors', 'of_4_2') AS doors \gset
SELECT is(pg_temp.refusal(format($$UPDATE changemgmt.change SET status = '%s', status_reason = 'x' WHERE id = %s$$, status, :doors)), expected, 'UPDATE to ' || status)
FROM (VALUES
	('approved', format('MC002 | %s: approve is refused: 0 of 2 approvals of board panel4, waiting for m1, m2, m3, m4 | quorum: 0 of 2 approvals of board panel4, waiting for m1, m2, m3, m4 | Eligible people vote with changemgmt.approve(%s), reject, defer or abstain.', changemgmt.change_number(:doors), :doors)),
	('rejected', format('MC002 | %s: reject is refused: the votes do not reject it: 0 approved, 0 rejected, 0 deferred of 4 that may vote | quorum: the votes do not reject it: 0 approved, 0 rejected, 0 deferred of 4 that may vote | Eligible people vote with changemgmt.approve(%s), reject, defer or abstain.', changemgmt.change_number(:doors), :doors)),
	('planned', format('MC002 | %s: defer is refused: the votes do not defer it: 0 approved, 0 rejected, 0 deferred of 4 that may vote | quorum: the votes do not defer it: 0 approved, 0 rejected, 0 deferred of 4 that may vote | Eligible people vote with changemgmt.approve(%s), reject, defer or abstain.', changemgmt.change_number(:doors), :doors))
) AS v (status, expected);
SELECT is(substr(pg_temp.refusal(format('SELECT changemgmt.advance(%s, ''approved'')', :doors)), 1, 5), 'MC002', 'advance gives no votes');
SELECT is(substr(pg_temp.refusal(format('UPDATE changemgmt.change SET %s WHERE id = %s', assignment, :doors)), 1, 5), 'MC005', assignment)
FROM unnest('{"approval_round = 2","approved_seal = decode(repeat(''00'', 32), ''hex'')","approved_plan_revision = 1","approved_at = clock_timestamp()"}'::text[]) AS assignment;

-- a board that is too small

SELECT pg_temp.awaiting('small board', 'of_1_3') AS small \gset
SELECT is((SELECT missing FROM changemgmt.approval_tally(:small)),
	'0 of 3 approvals of board panel1, and only 1 person may vote', 'a board that is too small is named');
SELECT is(pg_temp.as('m1', 'approve(%s)', :'small'), 'awaiting_approval', 'nothing is decided by it');
SELECT is(pg_temp.as('m1', 'reject(%s, %L)', :'small', 'no'), 'awaiting_approval', 'either way');
SELECT changemgmt.add_board_member('panel1', 'm2'), changemgmt.add_board_member('panel1', 'm3') \g /dev/null
SELECT is((SELECT eligible FROM changemgmt.approval_tally(:small)), 3, 'it grows');
SELECT is(pg_temp.as('m2', 'reject(%s, %L)', :'small', 'neither'), 'rejected', 'and decides');

-- votes of who sits there no more do not count

SELECT pg_temp.awaiting('seats', 'of_4_3') AS seats \gset
SELECT pg_temp.as('m1', 'approve(%s)', :'seats'), pg_temp.as('m2', 'approve(%s)', :'seats') \g /dev/null
UPDATE changemgmt.board_member SET valid_until = clock_timestamp()
	WHERE board_id = changemgmt.board_id('panel4') AND person_id = changemgmt.person_id('m2');
SELECT results_eq(format('SELECT eligible, approved FROM changemgmt.approval_tally(%s)', :seats), 'VALUES (3, 1)',
	'a seat that is over');
UPDATE changemgmt.person SET is_active = false WHERE login = 'm1';
SELECT results_eq(format('SELECT eligible, approved FROM changemgmt.approval_tally(%s)', :seats), 'VALUES (2, 0)',
	'somebody who has left');
UPDATE changemgmt.person SET is_active = true WHERE login = 'm1';
UPDATE changemgmt.board_member SET valid_until = 'infinity'
	WHERE board_id = changemgmt.board_id('panel4') AND person_id = changemgmt.person_id('m2');
SELECT is(pg_temp.as('m3', 'approve(%s)', :'seats'), 'approved', 'all three again');

-- a vote is for the plan it was given for

SELECT pg_temp.awaiting('stale', 'of_4_2') AS stale \gset
SELECT pg_temp.as('m1', 'approve(%s)', :'stale') \g /dev/null
SELECT changemgmt.edit_change(:stale, '{"title": "stale, edited"}') \g /dev/null
SELECT results_eq(format('SELECT approved, stale, missing FROM changemgmt.approval_tally(%s)', :stale),
	$$VALUES (0, 1, '0 of 2 approvals of board panel4, 1 given for another plan, waiting for m1, m2, m3, m4')$$,
	'an edit makes votes stale');
SELECT is(pg_temp.as('m2', 'approve(%s)', :'stale'), 'awaiting_approval', 'so one for the new plan is one');
SELECT changemgmt.edit_change(:stale, '{"title": "stale"}') \g /dev/null
SELECT results_eq(format('SELECT approved, stale FROM changemgmt.approval_tally(%s)', :stale), 'VALUES (1, 1)',
	'put back, the first is fresh and the second stale');
SELECT is(pg_temp.as('m2', 'approve(%s)', :'stale'), 'approved', 'voted again it counts');
SELECT pg_temp.awaiting('stale parts', 'of_4_2') AS stale \gset
SELECT pg_temp.as('m1', 'approve(%s)', :'stale') \g /dev/null
SELECT changemgmt.add_risk(:stale, 'fire', 'low', 'high') AS risk \gset
SELECT is((SELECT stale FROM changemgmt.approval_tally(:stale)), 1, 'so does a part of the plan');
DELETE FROM changemgmt.change_risk WHERE id = :risk;
SELECT is((SELECT stale FROM changemgmt.approval_tally(:stale)), 0, 'until it is gone');
SELECT changemgmt.add_comment(:stale, 'a remark'), changemgmt.add_task(:stale, 'afterwards', 'follow_up'),
	changemgmt.link_change(:stale, 'ticket', target => 'T-1'),
	changemgmt.edit_change(:stale, '{"expected_benefit": "b", "attributes": {"a": 1}}') \g /dev/null
SET LOCAL changemgmt.actor = 'm2';
INSERT INTO changemgmt.change_task (change_id, title, phase, is_condition) VALUES (:stale, 'asked for', 'preparation', true);
SELECT changemgmt.add_condition(:stale, 'asked for, too', description => 'why', assignee => 'm3') AS asked,
	changemgmt.add_condition(:stale, 'learn', 'follow_up') \gset
SELECT results_eq(format('SELECT title, phase, description, assignee_id = changemgmt.person_id(''m3''), is_condition, position, status
		FROM changemgmt.change_task WHERE id = %s', :asked),
	format('SELECT ''asked for, too'', ''preparation'', ''why'', true, true, (SELECT max(position) + 1 FROM changemgmt.change_task
		WHERE change_id = %s AND phase = ''preparation'' AND id <> %s), ''open''', :stale, :asked),
	'a condition is the last task of its phase');
SELECT throws_ok(format(sql, :stale), state, NULL, 'refused: ' || sql) FROM (VALUES
	('SELECT changemgmt.add_condition(0, ''x'')', 'MC008'),
	('SELECT changemgmt.add_condition(NULL, ''x'')', 'MC008'),
	('SELECT changemgmt.add_condition(%s, NULL)', 'MC008'),
	('SELECT changemgmt.add_condition(%s, '''')', 'MC008'),
	('SELECT changemgmt.add_condition(%s, ''x'', ''later'')', 'MC008'),
	('SELECT changemgmt.add_condition(%s, ''x'', assignee => ''nobody'')', 'MC008')) AS v (sql, state);
SELECT ok(changemgmt.remove_task(:asked), 'who may set a condition may take it away');
SET LOCAL changemgmt.actor = 'author';
SELECT throws_ok(format('SELECT changemgmt.add_condition(%s, ''x'')', :stale), 'MC003', NULL, 'who wrote the plan sets no conditions for it');
SET LOCAL changemgmt.actor = 'author';
SELECT changemgmt.edit_change(:stale, jsonb_build_object('planned_end', now() + interval '32 days')) \g /dev/null
SELECT results_eq(format('SELECT approved, stale FROM changemgmt.approval_tally(%s)', :stale), 'VALUES (1, 0)',
	'remarks, follow-ups, conditions, tickets and the time are not sealed');
SELECT pg_temp.as('m1', 'edit_change(%s, ''{"description": "m1 knows better"}'')', :'stale') \g /dev/null
SELECT results_eq(format('SELECT eligible, approved FROM changemgmt.approval_tally(%s)', :stale), 'VALUES (3, 0)',
	'who edits the plan has voted in vain');
SELECT pg_temp.as('m2', 'approve(%s)', :'stale') \g /dev/null
SELECT is(pg_temp.as('m3', 'approve(%s)', :'stale'), 'approved', 'others decide');

-- the seal after the approval

SELECT is(substr(pg_temp.refusal(format($$SELECT changemgmt.edit_change(%s, '{"status": "planned"}')$$, :stale)), 1, 5), 'MC008', 'the status is not content');
SELECT changemgmt.complete_task(id) FROM changemgmt.change_task WHERE title = 'asked for' \g /dev/null
SELECT description AS was FROM changemgmt.change WHERE id = :stale \gset
SELECT changemgmt.edit_change(:stale, '{"description": "one more thing"}') \g /dev/null
SELECT is(split_part(pg_temp.refusal_to('worker', format('SELECT changemgmt.start(%s)', :stale)), ' | Put', 1),
	format('MC005 | %s: start is refused: the plan was edited after it was approved | seal_fresh: the plan was edited after it was approved', changemgmt.change_number(:stale)),
	'what was edited since is not started');
SAVEPOINT edited;
SELECT changemgmt.edit_change(:stale, jsonb_build_object('description', :'was')) \g /dev/null
SELECT is(pg_temp.as('worker', 'start(%s)', :'stale'), 'in_progress', 'put back, it is');
ROLLBACK TO edited;
SELECT is(pg_temp.as('author', 'submit(%s)', :'stale'), 'awaiting_approval', 'or it is submitted again');
SELECT is((SELECT approval_round FROM changemgmt.change WHERE id = :stale), 2, 'in a new round');
SELECT results_eq(format('SELECT eligible, approved, stale FROM changemgmt.approval_tally(%s)', :stale), 'VALUES (4, 0, 0)',
	'in which no old vote counts');
SELECT is((SELECT count(*) FROM changemgmt.approval_vote WHERE change_id = :stale AND round = 1), 3::bigint, 'though all are kept');
SELECT is(substr(pg_temp.refusal_to('m1', format('DELETE FROM changemgmt.approval_vote WHERE change_id = %s AND person_id = changemgmt.person_id(''m1'')', :stale)), 1, 5),
	'MC006', 'for good');
SELECT pg_temp.as('m1', 'approve(%s)', :'stale') \g /dev/null
SELECT is(pg_temp.as('m4', 'approve(%s)', :'stale'), 'approved', 'the new round decides');
SELECT is(pg_temp.as('author', 'submit(%s)', :'stale'), 'MC002', 'what is fresh is not submitted again');

-- deferral, rejection, revision

SELECT pg_temp.awaiting('deferred', 'of_4_2') AS deferred \gset
SELECT pg_temp.as('m1', 'approve(%s)', :'deferred'), pg_temp.as('m2', 'defer(%s, %L)', :'deferred', 'test it first') \g /dev/null
SELECT is(pg_temp.as('m3', 'defer(%s, %L)', :'deferred', 'so say I'), 'planned', 'deferred, it is planned again');
SELECT is((SELECT status_reason FROM changemgmt.change WHERE id = :deferred), 'm2: test it first; m3: so say I', 'with what was missing');
SELECT is(pg_temp.as('author', 'submit(%s)', :'deferred'), 'awaiting_approval', 'and submitted again');
SELECT is((SELECT status_reason FROM changemgmt.change WHERE id = :deferred), NULL, 'the old reason is gone');
SELECT results_eq(format('SELECT approved, deferred FROM changemgmt.approval_tally(%s)', :deferred), 'VALUES (0, 0)', 'votes are given anew');
SELECT pg_temp.as('m1', 'approve(%s)', :'deferred') \g /dev/null
SELECT is(pg_temp.as('author', 'revise(%s, %L)', :'deferred', 'a better idea'), 'draft', 'revised, it is a draft again');
SELECT is(pg_temp.as('author', 'advance(%s, %L)', :'deferred', 'awaiting_approval'), 'awaiting_approval', 'back again');
SELECT is((SELECT approved FROM changemgmt.approval_tally(:deferred)), 0, 'votes were withdrawn');
SELECT pg_temp.as('m1', 'reject(%s, %L)', :'deferred', 'no'), pg_temp.as('m2', 'reject(%s, %L)', :'deferred', 'no') \g /dev/null
SELECT is(pg_temp.refusal(format($$SELECT changemgmt.edit_change(%s, '{"title": "better"}')$$, :deferred)),
	format('MC005 | the plan of change %s is frozen: it is rejected | title belongs to the plan. | changemgmt.revise() takes it back to draft.', :deferred),
	'what was rejected is revised before it is edited');
SELECT is(pg_temp.as('author', 'revise(%s)', :'deferred'), 'draft', 'which is possible');

-- duties that are not one person's

SELECT changemgmt.publish_model('apart', '{"base": "lean_normal",
	"approval": {"policy": "board", "board": "panel4", "needed": 1},
	"separate": ["approver/owner", "approver/implementer", "verifier/implementer", "approver/verifier"]}') \g /dev/null
SELECT pg_temp.awaiting('apart', 'apart') AS apart \gset
SELECT is(pg_temp.as('m1', 'approve(%s)', :'apart'), 'approved', 'm1 approves');
SELECT is(pg_temp.refusal_to('m1', format('SELECT changemgmt.start(%s)', :apart)),
	format('MC004 | %1$s: start is refused: m1 is both approver and implementer | segregation: m1 is both approver and implementer | Somebody else takes the step; where it is about the plan, changemgmt.revise(%2$s) lets others write and approve it.', changemgmt.change_number(:apart), :apart),
	'and so does not implement');
SELECT is(substr(pg_temp.refusal_to('m1', format($$UPDATE changemgmt.change SET status = 'in_progress' WHERE id = %s$$, :apart)), 1, 5), 'MC004', 'by no door');
SELECT is(pg_temp.as('worker', 'start(%s)', :'apart'), 'in_progress', 'worker does');
SELECT is(pg_temp.as('worker', 'complete(%s)', :'apart'), 'verifying', 'to the end');
SELECT is(pg_temp.refusal_to('worker', format('SELECT changemgmt.pass(%s, ''I saw it'')', :apart)),
	format('MC004 | %1$s: pass is refused: worker is both implementer and verifier | segregation: worker is both implementer and verifier | Somebody else takes the step; where it is about the plan, changemgmt.revise(%2$s) lets others write and approve it.', changemgmt.change_number(:apart), :apart),
	'and so does not verify');
SELECT is(pg_temp.as('m1', 'pass(%s, %L)', :'apart', 'I saw it'), 'MC004', 'nor does the approver');
SELECT is(pg_temp.as('nobody', 'pass(%s, %L)', :'apart', 'I saw it'), 'MC004', 'nor who is not known');
SELECT is(substr(pg_temp.refusal_to('worker', format($$UPDATE changemgmt.change SET status = 'implemented', verifier_id = changemgmt.person_id('m2') WHERE id = %s$$, :apart)), 1, 2), 'MC',
	'nor is another name written');
SELECT is(pg_temp.as('m2', 'pass(%s, %L)', :'apart', 'I saw it'), 'implemented', 'm2 does');

-- what the board has to look at

SELECT lives_ok('SELECT * FROM changemgmt.cab_queue', 'the queue');
CREATE FUNCTION pg_temp.queued(title text, model text, risk text, days int) RETURNS bigint
	LANGUAGE plpgsql AS
$$
DECLARE
	change_id bigint;
BEGIN
	SELECT id INTO change_id FROM changemgmt.copy_change(pg_temp.planned(title, model));
	PERFORM changemgmt.edit_change(change_id, jsonb_build_object('risk_level', risk,
		'planned_start', now() + make_interval(days => days),
		'planned_end', now() + make_interval(days => days, hours => 2)));
	PERFORM changemgmt.add_risk(change_id, 'small', 'low', 'low', 'none');
	PERFORM changemgmt.add_risk(change_id, 'large', 'high', 'high');
	PERFORM changemgmt.plan(change_id);
	PERFORM changemgmt.submit(change_id);
	RETURN change_id;
END
$$;
SELECT pg_temp.queued('low', 'normal', 'low', 30) AS low,
	pg_temp.queued('unknown', 'normal', NULL, 30) AS unknown,
	pg_temp.queued('high later', 'normal', 'high', 40) AS high_later,
	pg_temp.queued('high', 'normal', 'high', 30) AS high,
	pg_temp.queued('medium', 'major', 'medium', 20) AS medium,
	pg_temp.queued('critical', 'normal', 'critical', 50) AS critical,
	pg_temp.queued('held', 'normal', 'critical', 50) AS held \gset
SELECT changemgmt.hold(:held, 'wait') \g /dev/null
SELECT pg_temp.as('m1', 'approve(%s)', :'high') \g /dev/null
SELECT pg_temp.as('m2', 'defer(%s, %L)', :'high', 'hm') \g /dev/null
SELECT changemgmt.edit_change(:low, '{"touches_security": true, "touches_data_integrity": true}') \g /dev/null
SELECT results_eq(
	$$SELECT title, risk_level, approvals_have, approvals_need, may_vote, votes_stale, missing
	FROM changemgmt.cab_queue WHERE board = 'cab' ORDER BY place$$,
	$$VALUES ('critical', 'critical', 0, 2, 4, 0, '0 of 2 approvals of board cab, waiting for m1, m2, m3, m4'),
	('unknown', 'unknown', 0, 2, 4, 0, '0 of 2 approvals of board cab, waiting for m1, m2, m3, m4'),
	('high', 'high', 1, 2, 4, 0, '1 of 2 approvals of board cab, waiting for m3, m4'),
	('high later', 'high', 0, 2, 4, 0, '0 of 2 approvals of board cab, waiting for m1, m2, m3, m4'),
	('medium', 'medium', 0, 3, 4, 0, '0 of 3 approvals of board cab, waiting for m1, m2, m3, m4'),
	('low', 'low', 0, 2, 4, 0, '0 of 2 approvals of board cab, waiting for m1, m2, m3, m4')$$,
	'the order of the board''s queue, and what is missing');
SELECT is_empty($$SELECT FROM changemgmt.cab_queue WHERE title = 'held' OR id IN
	(SELECT id FROM changemgmt.change WHERE status <> 'awaiting_approval' OR model LIKE 'lean%')$$,
	'neither what is on hold, nor what no board decides');
SELECT is((SELECT array_agg(place ORDER BY place) FROM changemgmt.cab_queue),
	(SELECT array_agg(n) FROM generate_series(1, (SELECT count(*) FROM changemgmt.cab_queue)) AS n), 'places without gaps');
SELECT results_eq($$SELECT number, requester, owner, team, environment, services, risk_reason, type, notice_kept,
	planned_end - planned_start, age_hours < 1
	FROM changemgmt.cab_queue WHERE title = 'low'$$,
	format($$VALUES (changemgmt.change_number(%s), 'author', 'owner', 'dba', 'production', 'db1',
	'large (high likelihood, high impact); small (low likelihood, low impact); touches data integrity; touches security',
	'normal', true, '2 hours'::interval, true)$$, :low), 'what it says of a change');
SELECT pg_temp.planned('short notice', 'normal') AS short \gset
SELECT changemgmt.edit_change(:short, jsonb_build_object('planned_start', now() + interval '1 hour', 'planned_end', now() + interval '2 hours')) \g /dev/null
SELECT is(pg_temp.as('author', 'submit(%s)', :'short'), 'MC002', 'short notice');
SET LOCAL changemgmt.actor = 'm4';
SELECT changemgmt.waive(:short, 'notice', 'urgent') \g /dev/null
SET LOCAL changemgmt.actor = 'author';
SELECT is(pg_temp.as('author', 'submit(%s)', :'short'), 'awaiting_approval', 'that is waived');
SELECT is((SELECT notice_kept FROM changemgmt.cab_queue WHERE id = :short), false, 'is seen in the queue');
SELECT is_empty(
	$$SELECT a.attname FROM pg_attribute AS a
	WHERE a.attrelid = 'changemgmt.cab_queue'::regclass AND a.attnum > 0
	  AND (col_description(a.attrelid, a.attnum) IS NULL
	   OR a.atttypid NOT IN ('text'::regtype, 'bigint'::regtype, 'integer'::regtype,
		'boolean'::regtype, 'date'::regtype, 'timestamptz'::regtype, 'numeric'::regtype,
		'double precision'::regtype))$$, 'plain columns, each with a comment');
SELECT is((SELECT reloptions FROM pg_class WHERE oid = 'changemgmt.cab_queue'::regclass), '{security_invoker=true}',
	'with the rights of who looks');

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT finish();
ROLLBACK;
