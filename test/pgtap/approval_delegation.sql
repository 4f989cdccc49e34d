-- Delegation: who may vote in whose place, which refusals bind whom, and where
-- it shows.
\set QUIET on
BEGIN;
SELECT no_plan();

-- The status after somebody's step, or its refusal.
CREATE FUNCTION pg_temp.by(who text, sql text, VARIADIC arguments text[] DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	was text := current_setting('changemgmt.actor');
	answer text;
BEGIN
	PERFORM set_config('changemgmt.actor', who, true);
	BEGIN
		EXECUTE format(sql, VARIADIC arguments) INTO answer;
	EXCEPTION WHEN OTHERS THEN
		answer := SQLSTATE || ' ' || SQLERRM;
	END;
	PERFORM set_config('changemgmt.actor', was, true);
	RETURN answer;
END
$$;
CREATE FUNCTION pg_temp.votes_for(who text, c bigint, whom text, decision text DEFAULT 'approved', reason text DEFAULT 'why') RETURNS text LANGUAGE sql AS
	$$ SELECT pg_temp.by(who, 'SELECT status FROM changemgmt.vote_for(%s, %L, %L, %L)', c::text, whom, decision, reason) $$;
CREATE FUNCTION pg_temp.delegates(who text, whom text, board text DEFAULT NULL, since interval DEFAULT '-1 hour', until interval DEFAULT '1 hour',
	giver text DEFAULT NULL) RETURNS text LANGUAGE sql AS
$$
	SELECT pg_temp.by(who, 'SELECT CASE WHEN changemgmt.delegate_approval(%L, now() + %L, now() + %L, %L, %L) > 0 THEN ''made'' END',
		whom, since::text, until::text, board, giver)
$$;

SET LOCAL changemgmt.actor = 'author';
SELECT changemgmt.add_person(p)
FROM unnest('{author,owner,asker,lead,keeper,chief,m1,m2,m3,m4,dep,dep2,gone,worker}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_team('dba', lead => 'lead', members => '{worker}'), changemgmt.add_board('cab'), changemgmt.add_board('ecab'),
	changemgmt.add_ci('db1', kind => 'database', owner => 'keeper') \g /dev/null
SELECT changemgmt.add_board_member('cab', p) FROM unnest('{m1,m2,m3,m4,owner}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_board_member('ecab', p) FROM unnest('{m1,m4}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_board_member('ecab', 'chief', 'change_manager') \g /dev/null
UPDATE changemgmt.person SET is_active = false WHERE login = 'gone';
SELECT changemgmt.publish_model('two', '{"base": "normal", "notice_business_days": 0, "validations": [], "books_window": false,
	"approval": {"policy": "board", "board": "cab", "needed": 2}}'),
	changemgmt.publish_model('three', '{"base": "normal", "notice_business_days": 0, "validations": [], "books_window": false,
	"approval": {"policy": "board", "board": "cab", "needed": 3}}') \g /dev/null
CREATE FUNCTION pg_temp.awaiting(model text DEFAULT 'two', owner text DEFAULT 'owner') RETURNS bigint LANGUAGE plpgsql AS
$$
DECLARE
	c bigint;
BEGIN
	SELECT id INTO c FROM changemgmt.create_change(model, model => model, owner => owner, requester => 'asker', team => 'dba',
		description => 'd', justification => 'j', user_impact => 'none', risk_level => 'low', items => '{db1}',
		rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 10, verification_plan => 'v',
		planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day');
	PERFORM changemgmt.plan(c), changemgmt.submit(c);
	RETURN c;
END
$$;

-- Who delegates what to whom

SELECT is(pg_temp.delegates(who, whom, board, since, until, giver), expected, why)
FROM (VALUES
	(1, 'm1', 'dep', 'cab', '-1 hour'::interval, '1 hour'::interval, NULL, 'made', 'a member delegates on a board'),
	(2, 'm1', 'dep', NULL, '-1 hour', '1 hour', NULL, 'made', 'or on all'),
	(3, 'worker', 'dep', NULL, '-1 hour', '1 hour', NULL, 'made', 'whoever has nothing to give may say so'),
	(4, 'worker', 'dep', 'cab', '-1 hour', '1 hour', NULL, 'MC003 "worker" has no seat on that board to delegate', 'but not on a board without a seat'),
	(5, 'm2', 'dep', 'ecab', '-1 hour', '1 hour', NULL, 'MC003 "m2" has no seat on that board to delegate', 'nor on another'),
	(6, 'm2', 'm2', 'cab', '-1 hour', '1 hour', NULL, 'MC008 nobody delegates to oneself', 'not to oneself'),
	(7, 'm2', 'gone', 'cab', '-1 hour', '1 hour', NULL, 'MC008 person "gone" is no longer active', 'not to who has left'),
	(8, 'm2', 'nobody', 'cab', '-1 hour', '1 hour', NULL, 'MC008 person "nobody" does not exist', 'nor to who never was'),
	(9, 'm2', NULL, 'cab', '-1 hour', '1 hour', NULL, 'MC008 a delegation needs somebody who acts', 'nor to nobody'),
	(10, 'm2', 'dep', 'nothing', '-1 hour', '1 hour', NULL, 'MC008 board "nothing" does not exist', 'on a board that is there'),
	(11, 'm2', 'dep', 'cab', '1 hour', '1 hour', NULL, 'MC008 a delegation ends after its beginning', 'for a time'),
	(12, 'm2', 'dep', 'cab', '-2 hours', '-1 hour', NULL, 'MC008 a delegation that is over already is of no use', 'that is not over'),
	(13, 'm2', 'dep', 'cab', NULL, '1 hour', NULL, 'MC008 a delegation has a beginning and an end', 'with a beginning'),
	(14, 'm2', 'dep', 'cab', '-1 hour', NULL, NULL, 'MC008 a delegation has a beginning and an end', 'and an end'),
	(15, 'm2', 'dep', 'cab', '-1 hour', '1 hour', 'm3', 'MC003 "m2" may not delegate for "m3"', 'not what is another''s'),
	(16, 'chief', 'dep', 'cab', '-1 hour', '1 hour', 'm3', 'made', 'but a change manager does'),
	(17, 'chief', 'chief', 'cab', '-1 hour', '1 hour', 'm3', 'MC004 "chief" cannot take the vote of "m3" for oneself', 'not to oneself, either'),
	(18, 'chief', 'm3', 'cab', '-1 hour', '1 hour', 'gone', 'MC008 person "gone" is no longer active', 'nor for who has left'),
	(19, 'gone', 'dep', NULL, '-1 hour', '1 hour', NULL, 'MC003 person "gone" is no longer active', 'who does not delegate'),
	(20, 'nobody', 'dep', NULL, '-1 hour', '1 hour', NULL, 'MC003 changemgmt.actor "nobody" is not a person known here', 'nor does who is not known')
) AS v (n, who, whom, board, since, until, giver, expected, why) ORDER BY n;
SELECT matches(pg_temp.by('m2', $$SELECT changemgmt.delegate_approval('dep', now(), 'infinity')$$), '^MC008 a delegation has a beginning and an end', 'an end that comes');
SELECT results_eq($$SELECT f.login, t.login, b.name, c.login, d.created_at = now(), d.revoked_at FROM changemgmt.approval_delegation AS d
	JOIN changemgmt.person AS f ON f.id = d.from_person_id JOIN changemgmt.person AS t ON t.id = d.to_person_id
	JOIN changemgmt.person AS c ON c.id = d.created_by_id LEFT JOIN changemgmt.board AS b ON b.id = d.board_id ORDER BY d.id$$,
	$$VALUES ('m1', 'dep', 'cab', 'm1', false, NULL::timestamptz), ('m1', 'dep', NULL, 'm1', false, NULL), ('worker', 'dep', NULL, 'worker', false, NULL),
		('m3', 'dep', 'cab', 'chief', false, NULL)$$, 'who made them is told');

-- A vote in somebody's place

SELECT pg_temp.awaiting() AS one \gset
SELECT is((SELECT missing FROM changemgmt.approval_tally(:one)),
	'0 of 2 approvals of board cab, waiting for m1 (or dep for m1), m2, m3 (or dep for m3), m4', 'who may vote for whom is told');
SELECT results_eq(format('SELECT login, delegates FROM changemgmt.approval_queue WHERE id = %s ORDER BY login', :one),
	$$VALUES ('m1', 'dep'), ('m2', NULL), ('m3', 'dep'), ('m4', NULL)$$, 'in the queue, too');
SELECT is(pg_temp.votes_for('dep', :one, 'm2'), 'MC003 "dep" cannot vote for "m2"', 'without a delegation nobody votes for another');
SELECT is(pg_temp.votes_for('m4', :one, 'm1'), 'MC003 "m4" cannot vote for "m1"', 'a seat is no delegation');
SELECT is(pg_temp.votes_for('m1', :one, 'dep'), 'MC003 "m1" cannot vote for "dep"', 'nor is the other way round');
SELECT is(pg_temp.by('dep', 'SELECT status FROM changemgmt.approve(%s)', :'one'), format('MC003 "dep" may not vote on %s', changemgmt.change_number(:one)),
	'a delegate has no vote of his own');
SELECT is(pg_temp.votes_for('dep', :one, 'worker'), format('MC003 "worker" may not vote on %s', changemgmt.change_number(:one)), 'nobody gives what one has not');
SELECT is(pg_temp.votes_for('dep', :one, 'm1', 'rejected', NULL), 'MC002 a vote that is not approved needs a reason', 'a reason is needed as ever');
SELECT is(pg_temp.votes_for('dep', :one, who, decision), expected, why) FROM (VALUES
	('m1', 'approve', 'MC008 "approve" is no decision', 'a decision is a code'), ('m1', NULL, 'MC008 the decision is missing', 'and is needed'),
	(NULL, 'approved', 'MC008 whom to vote for is missing', 'as is a person'), ('nobody', 'approved', 'MC008 person "nobody" does not exist', 'who is known'),
	('gone', 'approved', 'MC008 person "gone" is no longer active', 'and there')) AS v (who, decision, expected, why);
SELECT is(pg_temp.votes_for('dep', :one, 'm1'), 'awaiting_approval', 'with one he does');
SELECT results_eq(format($$SELECT p.login, h.login, v.decision, v.reason FROM changemgmt.approval_vote AS v JOIN changemgmt.person AS p ON p.id = person_id
	LEFT JOIN changemgmt.person AS h ON h.id = voted_by_id WHERE change_id = %s$$, :one), $$VALUES ('m1', 'dep', 'approved', 'why')$$, 'dep for m1');
SELECT results_eq(format('SELECT voter, voted_by, decision, is_fresh FROM changemgmt.approval_state(%s)', :one), $$VALUES ('m1', 'dep', 'approved', true)$$,
	'in the state of the approval');
SELECT results_eq(format('SELECT decided_by, voted_for, decision FROM changemgmt.what_the_board_saw(%s)', :one), $$VALUES ('dep', 'm1', 'approved')$$,
	'and in what was decided');
SELECT is((SELECT actor || ' ' || (changed #>> '{approval_vote,0,new,voted_by_id}') FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = :one
	ORDER BY sequence DESC LIMIT 1), 'dep ' || changemgmt.person_id('dep'), 'and in the trail');
SELECT results_eq(format('SELECT approved, eligible FROM changemgmt.approval_tally(%s)', :one), 'VALUES (1, 4)', 'it counts for m1');

-- One hand, one vote

SELECT is(pg_temp.votes_for('dep', :one, 'm3'), format('MC004 "dep" has given a vote on %s already', changemgmt.change_number(:one)), 'one hand does not give two votes');
SELECT is((SELECT missing FROM changemgmt.approval_tally(:one)), '1 of 2 approvals of board cab, waiting for m2, m3, m4', 'and is not named for another');
SELECT results_eq(format('SELECT login, delegates FROM changemgmt.approval_queue WHERE id = %s ORDER BY login', :one),
	$$VALUES ('m2', NULL), ('m3', NULL), ('m4', NULL)$$, 'nor in the queue');
SELECT is(pg_temp.delegates('m1', 'm2', 'cab'), 'made', 'a member may stand in for another');
SELECT pg_temp.awaiting() AS two \gset
SELECT is(pg_temp.votes_for('m2', :two, 'm1'), 'awaiting_approval', 'and gives that vote');
SELECT is(pg_temp.by('m2', 'SELECT status FROM changemgmt.approve(%s)', :'two'), format('MC004 "m2" has given a vote on %s already', changemgmt.change_number(:two)),
	'instead of his own');
SELECT is(pg_temp.by('m1', 'SELECT status FROM changemgmt.reject(%s, ''no'')', :'two'), 'awaiting_approval', 'whose vote it is changes it');
SELECT is(pg_temp.by('m2', 'SELECT status FROM changemgmt.approve(%s)', :'two'), 'awaiting_approval', 'and frees the other''s hand');
SELECT is(pg_temp.votes_for('m2', :two, 'm1'), format('MC004 "m2" has given a vote on %s already', changemgmt.change_number(:two)), 'which does not give two, in this order, either');
SELECT results_eq(format('SELECT voter, voted_by, decision FROM changemgmt.approval_state(%s)', :two), $$VALUES ('m1', NULL, 'rejected'), ('m2', NULL, 'approved')$$,
	'both have voted themselves');
SELECT is(pg_temp.votes_for('dep', :two, 'm1', 'deferred', 'wait'), 'awaiting_approval', 'the delegate changes it back, as long as it is open');
SELECT is(pg_temp.by('m4', 'SELECT status FROM changemgmt.defer(%s, ''more'')', :'two'), 'planned', 'until the outcome stands');
SELECT is((SELECT status_reason FROM changemgmt.change WHERE id = :two), 'dep for m1: wait; m4: more', 'which says who for whom');
SELECT is(left(pg_temp.by('m1', 'SELECT status FROM changemgmt.approve(%s)', :'two'), 5), 'MC001', 'then it is too late');
SELECT is(left(pg_temp.votes_for('dep', :two, 'm1'), 5), 'MC001', 'for both');

-- The same again is nothing

SELECT revision AS one_revision FROM changemgmt.change WHERE id = :one \gset
SELECT is(pg_temp.votes_for('dep', :one, 'm1'), 'awaiting_approval', 'the same vote by the same hand');
SELECT is((SELECT revision FROM changemgmt.change WHERE id = :one), :one_revision::bigint, 'is nothing');
SELECT is(pg_temp.by('m1', 'SELECT status FROM changemgmt.approve(%s, ''why'')', :'one'), 'awaiting_approval', 'by one''s own it is a vote');
SELECT is((SELECT voted_by FROM changemgmt.approval_state(:one)), NULL, 'of one''s own');

-- No chains, no harm in a circle

SELECT is(pg_temp.delegates('dep', 'dep2'), 'made', 'a delegate delegates what is his own');
SELECT is(pg_temp.delegates('dep2', 'm1'), 'made', 'and so does the next, in a circle');
SELECT pg_temp.awaiting('three') AS circle \gset
SELECT is(pg_temp.votes_for('dep2', :circle, 'm1'), 'MC003 "dep2" cannot vote for "m1"', 'there is no chain');
SELECT is(pg_temp.votes_for('dep2', :circle, 'dep'), format('MC003 "dep" may not vote on %s', changemgmt.change_number(:circle)), 'what is held by delegation is not given on');
SELECT is(pg_temp.votes_for('m1', :circle, 'dep2'), format('MC003 "dep2" may not vote on %s', changemgmt.change_number(:circle)), 'not around, either');
SELECT is((SELECT missing FROM changemgmt.approval_tally(:circle)),
	'0 of 3 approvals of board cab, waiting for m1 (or dep or m2 for m1), m2, m3 (or dep for m3), m4', 'and the tally ends');

-- Both have duties that bind

SELECT pg_temp.delegates('m4', 'asker'), pg_temp.delegates('owner', 'dep2'), pg_temp.delegates('m4', 'author') \g /dev/null
SELECT is(pg_temp.votes_for('asker', :circle, 'm4'), format('MC004 "asker" is requester of %s and cannot vote on it', changemgmt.change_number(:circle)), 'who asks does not vote for another');
SELECT is(pg_temp.votes_for('author', :circle, 'm4'), format('MC004 "author" is author of %s and cannot vote on it', changemgmt.change_number(:circle)), 'nor who wrote it');
SELECT is(pg_temp.votes_for('dep2', :circle, 'owner'), format('MC004 "owner" is owner of %s and cannot vote on it', changemgmt.change_number(:circle)), 'nobody votes for the owner');
-- a manager with a part in the change does not choose who votes on it
SELECT pg_temp.awaiting('two', 'chief') AS of_chief \gset
SELECT is(pg_temp.votes_for('dep', :of_chief, 'm3'), format('MC004 "chief" is owner of %s and cannot vote on it', changemgmt.change_number(:of_chief)),
	'a delegation by somebody with a part in it is no use');
SELECT is(pg_temp.votes_for('dep', :of_chief, 'm1'), 'awaiting_approval', 'a member''s own is');
SAVEPOINT own;
SELECT is(pg_temp.delegates('m3', 'dep', 'cab'), 'made', 'who delegates besides');
SELECT is(pg_temp.votes_for('dep', pg_temp.awaiting('two', 'chief'), 'm3'), 'awaiting_approval', 'makes it one''s own');
ROLLBACK TO own;
SELECT is(pg_temp.by('dep', 'SELECT 1::text FROM (SELECT changemgmt.add_condition(%s, ''ask'')) AS c', :'of_chief'), '1', 'who may vote for another sets conditions');
SELECT is(left(pg_temp.by('asker', 'SELECT changemgmt.add_condition(%s, ''ask'')', :'of_chief'), 5), 'MC003', 'not who may not');
SELECT is(left(pg_temp.by('worker', 'SELECT changemgmt.add_condition(%s, ''ask'')', :'of_chief'), 5), 'MC003', 'nor who has none to vote for');

-- A hand that gets a part in the change later does not count, and does not start it

SELECT pg_temp.awaiting() AS later \gset
SELECT is(pg_temp.votes_for('dep', :later, 'm1'), 'awaiting_approval', 'a vote in another''s place');
SELECT pg_temp.by('dep', 'SELECT changemgmt.edit_change(%s, ''{"description": "mine"}'')', :'later'),
	pg_temp.by('dep', 'SELECT changemgmt.edit_change(%s, ''{"description": "d"}'')', :'later') \g /dev/null
SELECT results_eq(format('SELECT approved, stale FROM changemgmt.approval_tally(%s)', :later), 'VALUES (0, 0)', 'does not count when the hand has edited the plan, and put it back');
SELECT is(pg_temp.by('m1', 'SELECT status FROM changemgmt.approve(%s)', :'later'), 'awaiting_approval', 'whose vote it is votes again');
SELECT is(pg_temp.by('m2', 'SELECT status FROM changemgmt.approve(%s)', :'later'), 'approved', 'and it is approved');
SELECT pg_temp.awaiting() AS start \gset
SELECT pg_temp.votes_for('dep', :start, 'm1'), pg_temp.by('m4', 'SELECT changemgmt.approve(%s)', :'start') \g /dev/null
SELECT is(pg_temp.by('dep', 'SELECT status FROM changemgmt.start(%s)', :'start'),
	format('MC004 %s: start is refused: dep is both approver and implementer', changemgmt.change_number(:start)), 'the hand does not start what it approved');
SELECT is(pg_temp.by('m1', 'SELECT status FROM changemgmt.start(%s)', :'start'),
	format('MC004 %s: start is refused: m1 is both approver and implementer', changemgmt.change_number(:start)), 'nor does whose vote it was');
SELECT is(pg_temp.by('dep2', 'SELECT status FROM changemgmt.start(%s)', :'start'), 'in_progress', 'somebody else does');

-- The time, the board, the people

SELECT pg_temp.delegates('m2', 'dep2', 'cab', '1 hour', '2 hours'), pg_temp.delegates('m4', 'dep2', 'ecab') \g /dev/null
SELECT pg_temp.awaiting('three') AS timed \gset
SELECT is(pg_temp.votes_for('dep2', :timed, 'm2'), 'MC003 "dep2" cannot vote for "m2"', 'not before its time');
SELECT is(pg_temp.votes_for('dep2', :timed, 'm4'), 'MC003 "dep2" cannot vote for "m4"', 'nor for another board');
SELECT changemgmt.publish_model('theirs', '{"base": "normal", "notice_business_days": 0, "approval": {"policy": "board", "board": "ecab", "needed": 2}}') \g /dev/null
SELECT is(pg_temp.votes_for('dep2', pg_temp.awaiting('theirs'), 'm4'), 'awaiting_approval', 'for that one it is');
SELECT pg_temp.delegates('keeper', 'dep2'), pg_temp.delegates('lead', 'dep', 'cab') \g /dev/null
SELECT is(pg_temp.votes_for('dep2', pg_temp.awaiting('lean_normal'), 'keeper'), 'approved', 'where one approver decides, a delegation for all holds');
SELECT is((SELECT count(*) FROM changemgmt.approval_delegation WHERE from_person_id = changemgmt.person_id('lead')), 0::bigint, 'one on a board is not to be had without a seat');
SELECT is(left(pg_temp.votes_for('dep', pg_temp.awaiting('lean_normal'), 'm1'), 5), 'MC003', 'and is none of somebody who is not asked');
SELECT is(pg_temp.votes_for('dep', :timed, 'm1'), 'awaiting_approval', 'a delegation that holds');
UPDATE changemgmt.person SET is_active = false WHERE login = 'dep';
SELECT is(pg_temp.votes_for('dep', :timed, 'm1', 'rejected'), 'MC003 person "dep" is no longer active', 'is no use to who has left');
SELECT results_eq(format('SELECT approved, missing FROM changemgmt.approval_tally(%s)', :timed),
	$$VALUES (1, '1 of 3 approvals of board cab, waiting for m2, m3, m4')$$, 'the vote stays; who has left, or has part in it, is not named');
UPDATE changemgmt.person SET is_active = login = 'dep' WHERE login IN ('dep', 'm1');
SELECT is(pg_temp.votes_for('dep', :timed, 'm1', 'rejected'), 'MC008 person "m1" is no longer active', 'nor from who has left');
SELECT is((SELECT approved FROM changemgmt.approval_tally(:timed)), 0, 'whose vote does not count any more');
UPDATE changemgmt.person SET is_active = true WHERE login = 'm1';
UPDATE changemgmt.board_member SET valid_until = clock_timestamp() WHERE person_id = changemgmt.person_id('m1');
SELECT is(pg_temp.votes_for('dep', :timed, 'm1', 'rejected'), format('MC003 "m1" may not vote on %s', changemgmt.change_number(:timed)), 'nor from who has lost the seat');
UPDATE changemgmt.board_member SET valid_until = 'infinity' WHERE person_id = changemgmt.person_id('m1');
CREATE TEMP TABLE short AS SELECT pg_temp.awaiting('three') AS c;
SELECT pg_temp.by('m3', $$SELECT changemgmt.delegate_approval('dep2', now(), clock_timestamp() + interval '3 seconds', 'cab')$$) \g /dev/null
SELECT is(pg_temp.votes_for('dep2', c, 'm3'), 'awaiting_approval', 'a short one') FROM short;
SELECT pg_sleep_until(valid_until) FROM changemgmt.approval_delegation
WHERE from_person_id = changemgmt.person_id('m3') ORDER BY id DESC LIMIT 1 \g /dev/null
SELECT is(pg_temp.votes_for('dep2', c, 'm3', 'rejected'), 'MC003 "dep2" cannot vote for "m3"', 'ends, also within a transaction') FROM short;
SELECT is((SELECT approved FROM changemgmt.approval_tally(c)), 1, 'what was voted stays') FROM short;

-- Revoked, and kept

SELECT id AS of_m3 FROM changemgmt.approval_delegation WHERE from_person_id = changemgmt.person_id('m3') AND created_by_id = changemgmt.person_id('chief') \gset
SELECT id AS of_m1 FROM changemgmt.approval_delegation WHERE from_person_id = changemgmt.person_id('m1') ORDER BY id LIMIT 1 \gset
SELECT is(pg_temp.by(who, 'SELECT changemgmt.revoke_delegation(%s)', id), expected, why) FROM (VALUES
	(1, 'dep', :'of_m3', 'MC003 "dep" may not revoke a delegation of "m3"', 'who acts does not revoke'),
	(2, 'm4', :'of_m3', 'MC003 "m4" may not revoke a delegation of "m3"', 'nor anybody else'),
	(3, 'm3', :'of_m3', 'true', 'whose votes they are does, whoever made it'),
	(4, 'm3', :'of_m3', 'false', 'once'), (5, 'chief', :'of_m1', 'true', 'and a change manager'),
	(6, 'chief', '-1', 'MC008 delegation -1 does not exist', 'what is there')) AS v (n, who, id, expected, why) ORDER BY n;
SELECT pg_temp.awaiting('three') AS revoked \gset
SELECT is(pg_temp.votes_for('dep', :revoked, 'm3'), 'MC003 "dep" cannot vote for "m3"', 'then it does not hold');
SELECT is(pg_temp.votes_for('dep', :revoked, 'm1'), 'awaiting_approval', 'another one does');
SELECT results_eq(format('SELECT p.login, d.revoked_at > now() FROM changemgmt.approval_delegation AS d JOIN changemgmt.person AS p ON p.id = d.revoked_by_id WHERE d.id IN (%s, %s) ORDER BY d.id',
	:of_m1, :of_m3), $$VALUES ('chief', true), ('m3', true)$$, 'by whom and when is told');
SELECT results_eq(format($$SELECT event, actor FROM changemgmt.ledger WHERE subject_kind = 'approval_delegation' AND subject_id = %s ORDER BY sequence$$, :of_m3),
	$$VALUES ('create', 'chief'), ('edit', 'm3')$$, 'in the trail, too');
SELECT is(left(pg_temp.by(who, sql, :'of_m1', :'of_m3'), 5), expected, who || ': ' || sql) FROM (VALUES
	('chief', 'DELETE FROM changemgmt.approval_delegation WHERE id = %1$s', 'MC006'),
	('m1', 'DELETE FROM changemgmt.approval_delegation', 'MC006'),
	('m1', 'UPDATE changemgmt.approval_delegation SET revoked_at = NULL WHERE id = %1$s', 'MC006'),
	('m1', 'UPDATE changemgmt.approval_delegation SET revoked_at = NULL, revoked_by_id = NULL WHERE id = %1$s', 'MC006'),
	('m1', 'UPDATE changemgmt.approval_delegation SET revoked_at = now() WHERE id = %1$s', 'MC006'),
	('m1', 'UPDATE changemgmt.approval_delegation SET valid_until = valid_until + interval ''1 year'' WHERE id = %1$s', 'MC006'),
	('m1', 'UPDATE changemgmt.approval_delegation SET to_person_id = changemgmt.person_id(''dep2'') WHERE id = %1$s', 'MC006'),
	('m1', 'TRUNCATE changemgmt.approval_delegation', 'MC006'),
	('dep', 'INSERT INTO changemgmt.approval_delegation (from_person_id, to_person_id, valid_until) VALUES (changemgmt.person_id(''m2''), changemgmt.person_id(''dep''), now() + interval ''1 day'')', 'MC003'),
	('dep', 'INSERT INTO changemgmt.approval_delegation (from_person_id, to_person_id, valid_until, created_by_id) VALUES (changemgmt.person_id(''m2''), changemgmt.person_id(''dep''), now() + interval ''1 day'', changemgmt.person_id(''m2''))', 'MC003'),
	('m2', 'INSERT INTO changemgmt.approval_delegation (to_person_id, valid_until, revoked_at) VALUES (changemgmt.person_id(''dep''), now() + interval ''1 day'', now())', 'MC005'),
	('m2', 'INSERT INTO changemgmt.approval_delegation (to_person_id, valid_until) VALUES (changemgmt.person_id(''m2''), now() + interval ''1 day'')', 'MC008'),
	('m2', 'INSERT INTO changemgmt.approval_delegation (to_person_id, valid_until) VALUES (changemgmt.person_id(''dep''), ''infinity'')', 'MC008')
) AS v (who, sql, expected);
-- a trigger of the site that comes after ours
CREATE FUNCTION pg_temp.forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.created_by_id := changemgmt.person_id('m2'); RETURN NEW; END $$;
CREATE TRIGGER zzzzzz BEFORE INSERT ON changemgmt.approval_delegation FOR EACH ROW EXECUTE FUNCTION pg_temp.forge();
SELECT is(left(pg_temp.delegates('m4', 'dep2', 'cab'), 5), 'MC005', 'who made it is judged as it was stored');
DROP TRIGGER zzzzzz ON changemgmt.approval_delegation;

-- A manager of no board any more does not manage; a seat to come can be delegated

SELECT changemgmt.add_board_member('ecab', 'worker', valid_from => now() + interval '10 days', valid_until => now() + interval '20 days') \g /dev/null
SELECT is(pg_temp.delegates('worker', 'dep', 'ecab'), 'MC003 "worker" has no seat on that board to delegate', 'a seat to come is none yet');
SELECT is(pg_temp.delegates('worker', 'dep', 'ecab', '11 days', '12 days'), 'made', 'then it is one');
UPDATE changemgmt.board_member SET seat = 'member' WHERE seat = 'change_manager';
SELECT is(pg_temp.delegates('chief', 'dep', 'cab', giver => 'm2'), 'MC003 "chief" may not delegate for "m2"', 'a manager is who has the seat now');

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT * FROM finish();
ROLLBACK;
