-- Policies: which one holds, its levels in their order, and every rule against
-- an oracle that counts in another way.
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;
SELECT no_plan();

CREATE FUNCTION pg_temp.refusal_to(login text, sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	actor text := current_setting('changemgmt.actor');
	message text;
	detail text;
	answer text := '';
BEGIN
	PERFORM set_config('changemgmt.actor', login, true);
	BEGIN
		EXECUTE sql;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
		answer := concat_ws(' | ', SQLSTATE, message, nullif(detail, ''));
	END;
	PERFORM set_config('changemgmt.actor', actor, true);
	RETURN answer;
END
$$;
-- The status after somebody's step, or the SQLSTATE of its refusal.
CREATE FUNCTION pg_temp.as(login text, call text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	actor text := current_setting('changemgmt.actor');
	answer text;
BEGIN
	PERFORM set_config('changemgmt.actor', login, true);
	BEGIN
		EXECUTE 'SELECT status FROM changemgmt.' || call INTO answer;
	EXCEPTION WHEN OTHERS THEN
		answer := SQLSTATE;
	END;
	PERFORM set_config('changemgmt.actor', actor, true);
	RETURN answer;
END
$$;

SET LOCAL changemgmt.actor = 'author';
SELECT changemgmt.add_person(p) FROM unnest('{author,owner,lead,m1,m2,m3,m4,m5,b1,b2,s1,s2,s3,x}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_team('dba', lead => 'lead') \g /dev/null
SELECT changemgmt.add_board(b) FROM unnest('{cab,business,steering,empty}'::text[]) AS b \g /dev/null
SELECT changemgmt.add_board('panel' || n) FROM generate_series(1, 5) AS n \g /dev/null
SELECT changemgmt.add_board_member('panel' || n, 'm' || m) FROM generate_series(1, 5) AS n, generate_series(1, n) AS m \g /dev/null
SELECT changemgmt.add_board_member('cab', m, s)
FROM (VALUES ('m1', 'technical_lead'), ('m2', 'security'), ('m3', 'security'), ('m4', 'change_manager'), ('m5', 'member')) AS v (m, s) \g /dev/null
SELECT changemgmt.add_board_member('business', p) FROM unnest('{b1,b2,m1}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_board_member('steering', p) FROM unnest('{s1,s2,s3}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_ci('tier' || n, tier => n) FROM generate_series(1, 5) AS n \g /dev/null
SELECT changemgmt.add_ci('unknown'), changemgmt.add_ci('staged', tier => 5) \g /dev/null
UPDATE changemgmt.configuration_item SET environment = 'staging' WHERE name = 'staged';

CREATE FUNCTION pg_temp.draft(model text, more jsonb DEFAULT '{}') RETURNS bigint
	LANGUAGE sql AS
$$
	SELECT id FROM changemgmt.create_change_from('{"title": "t", "owner": "owner", "requester": "author", "team": "dba",
		"description": "d", "justification": "j", "user_impact": "none", "risk_level": "low", "items": ["tier5"],
		"rollback_trigger": "errors", "rollback_plan": "back", "rollback_minutes": 5, "verification_plan": "look",
		"planned_start": "2100-01-01", "planned_end": "2100-01-02"}' || jsonb_build_object('model', model) || more)
$$;
CREATE FUNCTION pg_temp.awaiting(model text, more jsonb DEFAULT '{}') RETURNS bigint
	LANGUAGE plpgsql AS
$$
DECLARE
	change_id bigint := pg_temp.draft(model, more);
BEGIN
	PERFORM changemgmt.advance(change_id, 'awaiting_approval');
	RETURN change_id;
END
$$;
-- A model with these levels, and a change of it that waits.
CREATE FUNCTION pg_temp.asking(levels text, more jsonb DEFAULT '{}') RETURNS bigint
	LANGUAGE plpgsql AS
$$
DECLARE
	model text := 'asks_' || md5(levels);
BEGIN
	IF NOT EXISTS (SELECT FROM changemgmt.site_model WHERE key = model) THEN
		PERFORM changemgmt.publish_model(model, jsonb_build_object('base', 'lean_normal', 'approval', jsonb_build_object('levels', levels::jsonb)));
	END IF;
	RETURN pg_temp.awaiting(model, more);
END
$$;

-- ----------------------------------------------------------------
-- Every rule, every combination of votes of up to five members
-- ----------------------------------------------------------------

-- The seats of the panels that are asked by seat, from the first member to the
-- last; two seats, so that there are seats of several members.
CREATE TEMP TABLE combination AS
	WITH RECURSIVE v AS (
		SELECT d AS votes FROM unnest('{a,r,d,s,-}'::text[]) AS d
		UNION ALL
		SELECT v.votes || d FROM v, unnest('{a,r,d,s,-}'::text[]) AS d WHERE length(votes) < 5
	)
	SELECT votes, length(votes) AS members FROM v;
SELECT is((SELECT count(*) FROM combination), 5::bigint + 25 + 125 + 625 + 3125, 'all combinations of up to five votes, and of those not given');

-- Which way of counting a level asks for, in another arithmetic: a share of
-- people is an exact decimal, rounded up.
CREATE FUNCTION pg_temp.enough(rule text, number int, yes int, base int) RETURNS boolean
	LANGUAGE sql IMMUTABLE AS
$$
	SELECT base > 0 AND CASE rule WHEN 'any' THEN yes > 0 WHEN 'all' THEN yes = base WHEN 'count' THEN yes >= number
		ELSE yes >= ceil(number::numeric(9, 2) / 100 * base) END
$$;
-- What votes mean, found by trying: whatever there is enough of, approvals
-- first; and lost is what no way of giving the open votes (so many approve, so
-- many abstain, the rest is against it) would approve.
CREATE TEMP TABLE count AS
	SELECT DISTINCT members, a, r, d, s, members - a - r - d - s AS open
	FROM combination, LATERAL (SELECT length(translate(votes, 'rds-', '')), length(translate(votes, 'ads-', '')),
		length(translate(votes, 'ars-', '')), length(translate(votes, 'ard-', ''))) AS n (a, r, d, s);
CREATE TEMP TABLE oracle AS
	SELECT c.*, rule, number, CASE
		WHEN pg_temp.enough(rule, number, a, members - s) THEN 'approved'
		WHEN pg_temp.enough(rule, number, r, members - s) THEN 'rejected'
		WHEN pg_temp.enough(rule, number, d, members - s) THEN 'deferred'
		WHEN a + s + open = members OR (rule = 'count' AND number > members) OR EXISTS (
			SELECT FROM generate_series(0, open) AS yes, generate_series(0, open - yes) AS away
			WHERE pg_temp.enough(rule, number, a + yes, members - s - away)) THEN NULL
		WHEN r >= d THEN 'rejected' ELSE 'deferred' END AS decision
	FROM count AS c, (SELECT 'any', 1 UNION ALL SELECT 'all', 1 UNION ALL SELECT 'count', n FROM generate_series(1, 6) AS n
		UNION ALL SELECT 'percent', n FROM generate_series(1, 100) AS n) AS rules (rule, number);
SELECT is((SELECT count(*) FROM count), 5::bigint + 15 + 35 + 70 + 126, 'so many of them differ in their counts');
SELECT bag_eq($$SELECT DISTINCT decision FROM oracle$$, $$VALUES ('approved'), ('rejected'), ('deferred'), (NULL)$$, 'the oracle knows all answers');

-- The changes with these votes come as history, so that none of the votes
-- decides: what they mean is asked of approval_levels().
CREATE FUNCTION pg_temp.copy_rows(into_table text, rows text) RETURNS text
	LANGUAGE sql AS $$
SELECT format('COPY %s FROM PROGRAM %L', into_table, 'cat <<"END"' || E'\n' || rows || E'\nEND')
$$;
CREATE TEMP TABLE voted AS
	SELECT 1000000 + row_number() OVER (ORDER BY members, votes) AS id, votes, members, a, r, d, s, open,
		row_number() OVER (PARTITION BY members, a, r, d, s ORDER BY votes) = 1 AS first
	FROM combination, LATERAL (SELECT length(translate(votes, 'rds-', '')), length(translate(votes, 'ads-', '')),
		length(translate(votes, 'ars-', '')), length(translate(votes, 'ard-', '')), length(translate(votes, 'ards', ''))) AS n (a, r, d, s, open);
SELECT changemgmt.publish_model('panel' || n, '{"base": "lean_normal"}') FROM generate_series(1, 5) AS n \g /dev/null
SELECT pg_temp.copy_rows('changemgmt.change (id, model, model_version, status, title, approval_round, plan_revision)',
	string_agg(concat_ws(E'\t', id, 'panel' || members, 1, 'awaiting_approval', votes, 1, 7), E'\n'))
FROM voted GROUP BY id / 1000 \gexec
SELECT pg_temp.copy_rows('changemgmt.approval_vote (change_id, round, person_id, decision, plan_revision, seal)',
	string_agg(concat_ws(E'\t', id, 1, changemgmt.person_id('m' || n),
		CASE substr(votes, n, 1) WHEN 'a' THEN 'approved' WHEN 'r' THEN 'rejected' WHEN 'd' THEN 'deferred' ELSE 'abstained' END, 7,
		'\\x' || repeat('00', 32)), E'\n'))
FROM voted, generate_series(1, members) AS n WHERE substr(votes, n, 1) <> '-' GROUP BY n, id / 500 \gexec

-- Under a policy of this rule for each panel: where the votes are not what the
-- oracle says.
CREATE FUNCTION pg_temp.wrong(rule text, number int, every boolean) RETURNS SETOF text
	LANGUAGE plpgsql AS
$$
BEGIN
	FOR n IN 1 .. 5 LOOP
		PERFORM changemgmt.set_approval_policy('panel' || n, jsonb_build_array(jsonb_build_object('rule', rule, 'board', 'panel' || n)
			|| CASE rule WHEN 'count' THEN jsonb_build_object('needed', number) WHEN 'percent' THEN jsonb_build_object('percent', number)
				ELSE '{}' END), model => 'panel' || n);
	END LOOP;
	RETURN QUERY
	SELECT format('%s %s, %s: %s, not %s (%s)', o.rule, o.number, votes, coalesce(l.decision, 'undecided'),
		coalesce(o.decision, 'undecided'), l.missing)
	FROM voted AS v JOIN oracle AS o USING (members, a, r, d, s), changemgmt.approval_levels(v.id) AS l
	WHERE o.rule = wrong.rule AND o.number = wrong.number AND (every OR v.first)
	  AND (l.decision IS DISTINCT FROM o.decision OR l.is_decided IS DISTINCT FROM (o.decision IS NOT NULL)
		OR ROW(l.eligible, l.approved, l.rejected, l.deferred, l.abstained, l.stale, cardinality(l.waiting), l.rule, l.board)
			IS DISTINCT FROM ROW(v.members, v.a, v.r, v.d, v.s, 0, v.open, wrong.rule, 'panel' || v.members)
		OR (l.missing IS NULL) IS DISTINCT FROM coalesce(o.decision = 'approved', false)
		OR (o.decision IS NULL AND v.s = v.members AND l.missing NOT LIKE '%, and everybody has abstained'));
END
$$;
SELECT is_empty(format('SELECT pg_temp.wrong(%L, %s, true)', rule, number), format('every combination of votes: %s %s', rule, number))
FROM (VALUES ('any', 1), ('all', 1), ('count', 1), ('count', 2), ('count', 3), ('count', 4), ('count', 5), ('count', 6)) AS v (rule, number);
SELECT is_empty(format('SELECT pg_temp.wrong(''percent'', %s, %L)', number, number IN (34, 60)), format('votes counted: %s %%', number))
FROM generate_series(1, 100) AS number;

-- By seat: members 1, 3 and 5 in one, 2 and 4 in the other.
UPDATE changemgmt.board_member AS m SET seat = CASE WHEN p.login ~ '[135]$' THEN 'security' ELSE 'technical_lead' END
FROM changemgmt.person AS p, changemgmt.board AS b
WHERE p.id = m.person_id AND b.id = m.board_id AND b.name LIKE 'panel%';
SELECT changemgmt.set_approval_policy('panel' || n, jsonb_build_array(jsonb_build_object('rule', 'seats', 'board', 'panel' || n,
	'seats', '["technical_lead", "security"]'::jsonb)), model => 'panel' || n) FROM generate_series(1, 5) AS n \g /dev/null
CREATE TEMP TABLE seated AS
	SELECT v.id, l.decision, l.missing, CASE
			WHEN members = 1 THEN NULL
			WHEN odd ~ 'a' AND even ~ 'a' THEN 'approved'
			WHEN odd ~ 'r' AND even ~ 'r' THEN 'rejected'
			WHEN odd ~ 'd' AND even ~ 'd' THEN 'deferred'
			-- a seat all of whose votes are in, none of them for it
			WHEN odd ~ '^[rds]+$' AND odd ~ '[rd]' OR even ~ '^[rds]+$' AND even ~ '[rd]'
			THEN CASE WHEN v.r >= v.d THEN 'rejected' ELSE 'deferred' END END AS expected, votes
	FROM voted AS v, LATERAL (SELECT concat(substr(votes, 1, 1), substr(votes, 3, 1), substr(votes, 5, 1)),
		concat(substr(votes, 2, 1), substr(votes, 4, 1))) AS seat (odd, even), changemgmt.approval_levels(v.id) AS l;
SELECT is_empty('SELECT * FROM seated WHERE decision IS DISTINCT FROM expected', 'every combination of votes: one of each seat');
SELECT results_eq('SELECT DISTINCT missing FROM seated WHERE votes IN (''a'', ''-'') ORDER BY 1',
	$$VALUES ('no approval of the seat technical_lead of board panel1, and nobody who may vote holds the seat technical_lead'),
		('no approval of the seats technical_lead, security of board panel1, and nobody who may vote holds the seat technical_lead, waiting for m1')$$,
	'a seat without a member is named, and never passes');
SELECT is((SELECT missing FROM seated WHERE votes = 'as'),
	'no approval of the seat technical_lead of board panel2, and everybody in the seat technical_lead has abstained',
	'as is one that takes no part');
SELECT changemgmt.remove_approval_policy('panel' || n) FROM generate_series(1, 5) AS n \g /dev/null
UPDATE changemgmt.board_member SET seat = 'member' WHERE board_id IN (SELECT id FROM changemgmt.board WHERE name LIKE 'panel%');

-- ----------------------------------------------------------------
-- What other systems count differently
-- ----------------------------------------------------------------

SELECT pg_temp.asking('[{"rule": "percent", "board": "panel3", "percent": 100}]') AS glpi \gset
SELECT is(pg_temp.as('m1', format('approve(%s)', :glpi)), 'awaiting_approval', 'GLPI: 3 approvers at 100 %, one vote in, is undecided');
SELECT results_eq(format('SELECT needed, approved, decision, missing FROM changemgmt.approval_levels(%s)', :glpi),
	$$VALUES (3, 1, NULL, '1 of 3 approvals of board panel3 (100 % of 3), waiting for m2, m3')$$, 'not refused');
SELECT is(pg_temp.as('m2', format('approve(%s)', :glpi)), 'awaiting_approval', 'two are not yet all');
SELECT is(pg_temp.as('m3', format('approve(%s)', :glpi)), 'approved', 'three are');

SELECT changemgmt.add_person('n' || n) FROM generate_series(1, 83) AS n \g /dev/null
SELECT changemgmt.add_board('wide') \g /dev/null
SELECT changemgmt.add_board_member('wide', 'n' || n) FROM generate_series(1, 83) AS n \g /dev/null
SELECT pg_temp.asking('[{"rule": "percent", "board": "wide", "percent": 3}]') AS servicenow \gset
SELECT results_eq(format('SELECT needed, eligible FROM changemgmt.approval_levels(%s)', :servicenow), 'VALUES (3, 83)',
	'ServiceNow: 3 % of 83 are 2.49, for which 2 are not enough: it is rounded up to 3');
SELECT is(pg_temp.as('n1', format('approve(%s)', :servicenow)) || ' ' || pg_temp.as('n2', format('approve(%s)', :servicenow)),
	'awaiting_approval awaiting_approval', 'so two do not approve');
SELECT is(pg_temp.as('n3', format('approve(%s)', :servicenow)), 'approved', 'and three do');

SELECT pg_temp.asking('[{"rule": "percent", "board": "panel4", "percent": 51}]') AS majority \gset
SELECT is((SELECT needed FROM changemgmt.approval_levels(:majority)), 3, 'Freshservice: the majority of 4 are 3');
SELECT is(pg_temp.as('m1', format('approve(%s)', :majority)) || ' ' || pg_temp.as('m2', format('approve(%s)', :majority)),
	'awaiting_approval awaiting_approval', 'half of them are none');
SELECT is(pg_temp.as('m3', format('reject(%s, ''no'')', :majority)), 'awaiting_approval', 'nor is one against it');
SELECT is(pg_temp.as('m4', format('reject(%s, ''no'')', :majority)), 'rejected', 'a tie is not approved');
SELECT pg_temp.asking('[{"rule": "all", "board": "panel3"}]') AS everyone \gset
SELECT is(pg_temp.as('m1', format('approve(%s)', :everyone)) || ' ' || pg_temp.as('m2', format('abstain(%s, ''away'')', :everyone)),
	'awaiting_approval awaiting_approval', 'Freshservice: everyone is all who take part');
SELECT is(pg_temp.as('m3', format('approve(%s)', :everyone)), 'approved', 'whoever abstains is left out');
SELECT is(pg_temp.as('m2', format('reject(%s, ''no'')', pg_temp.asking('[{"rule": "any", "board": "panel3"}]'))), 'rejected',
	'Freshservice: of anyone the first who answers decides');

-- through the verbs: an abstention that decides, and one that leaves nobody
SELECT pg_temp.asking('[{"rule": "percent", "board": "panel5", "percent": 60}]') AS base \gset
SELECT pg_temp.as('m1', format('approve(%s)', :base)), pg_temp.as('m2', format('approve(%s)', :base)),
	pg_temp.as('m3', format('abstain(%s, ''away'')', :base)) \g /dev/null
SELECT results_eq(format('SELECT needed, approved, missing FROM changemgmt.approval_levels(%s)', :base),
	$$VALUES (3, 2, '2 of 3 approvals of board panel5 (60 % of 4), waiting for m4, m5')$$, 'an abstention leaves the base');
SELECT is(pg_temp.as('m4', format('abstain(%s, ''away'')', :base)), 'approved', 'and may decide: 2 of 3 are 60 %');
SELECT pg_temp.asking('[{"rule": "all", "board": "panel2"}]') AS away \gset
SELECT is(pg_temp.as('m1', format('abstain(%s, ''away'')', :away)) || ' ' || pg_temp.as('m2', format('abstain(%s, ''away'')', :away)),
	'awaiting_approval awaiting_approval', 'where everybody abstains nothing is decided');
SELECT results_eq(format('SELECT eligible, abstained, is_decided, missing FROM changemgmt.approval_levels(%s)', :away),
	$$VALUES (2, 2, false, '0 of 1 approvals of board panel2 (all), and everybody has abstained')$$, 'which is said');
SELECT is(pg_temp.as('m2', format('approve(%s)', :away)), 'approved', 'until somebody takes part after all');

-- ----------------------------------------------------------------
-- Levels
-- ----------------------------------------------------------------

SELECT changemgmt.publish_model('leveled', '{"base": "lean_normal", "approval": {"levels": [
	{"rule": "one"}, {"rule": "seats", "board": "cab", "seats": ["security", "change_manager"]},
	{"rule": "count", "board": "business", "needed": 2}, {"rule": "any", "board": "steering"}]}}') \g /dev/null
SELECT pg_temp.awaiting('leveled') AS leveled, pg_temp.awaiting('leveled') AS changed \gset
SELECT results_eq(format('SELECT level, rule, board, asks, needed, is_open, is_decided FROM changemgmt.approval_levels(%s)', :leveled),
	$$VALUES (1, 'one', NULL, 'a technical lead or an owner of the affected items', 1, true, false),
		(2, 'seats', 'cab', 'one of each of the seats security, change_manager of board cab', 2, false, false),
		(3, 'count', 'business', '2 of the members of board business', 2, false, false),
		(4, 'any', 'steering', 'one of the members of board steering', 1, false, false)$$, 'the levels of a model');
SELECT results_eq(format('SELECT policy, is_of_model, holds, approvals, levels, conditions FROM changemgmt.approval_policy_of(%s)', :leveled),
	$$VALUES ('leveled', true, true, 5, 4, 'model leveled')$$, 'a model''s own policy: m1 is asked at two levels');
SELECT is(pg_temp.refusal_to('m4', format('SELECT changemgmt.approve(%s)', :leveled)),
	format('MC003 | "m4" may not vote on %s yet: level 1 is open | Model "leveled" asks a technical lead or an owner of the affected items at level 1.', changemgmt.change_number(:leveled)),
	'whose level is not open yet is told which is');
SELECT is(pg_temp.as(login, format('%s(%s, ''why'')', verb, :leveled)), 'MC003', login || ' may not yet ' || verb)
FROM unnest('{m2,m4,b1,s1}'::text[]) AS login, unnest('{approve,reject,defer,abstain}'::text[]) AS verb;
SELECT is(pg_temp.as('m5', format('approve(%s)', :leveled)), 'MC003', 'another seat of the board is not asked at all');
SELECT results_eq(format('SELECT board, missing FROM changemgmt.approval_tally(%s)', :leveled),
	$$VALUES (NULL::text, 'level 1: 0 of 1 approvals, waiting for lead, m1')$$, 'the tally is that of the open level, with its number');
-- m1 is a technical lead, and a member of business
SELECT is(pg_temp.as('m1', format('approve(%s)', :leveled)), 'awaiting_approval', 'the first level');
SELECT results_eq(format('SELECT level, approved, is_open, is_decided FROM changemgmt.approval_levels(%s)', :leveled),
	'VALUES (1, 1, false, true), (2, 0, true, false), (3, 1, false, false), (4, 0, false, false)',
	'a vote counts at each level that asks its voter');
SELECT results_eq(format('SELECT board, needed, eligible, approved, missing FROM changemgmt.approval_tally(%s)', :leveled),
	$$VALUES ('cab', 2, 3, 0, 'level 2: no approval of the seats security, change_manager of board cab, waiting for m2, m3, m4')$$, 'the next is open');
SELECT is(pg_temp.refusal_to('lead', format('SELECT changemgmt.approve(%s)', :leveled)),
	format('MC003 | "lead" may not vote on %s any more: level 2 is open | Model "leveled" asks the seats security, change_manager of board cab at level 2.', changemgmt.change_number(:leveled)),
	'a level that is decided is');
SELECT is((SELECT count(*) FROM changemgmt.cab_queue WHERE id = :leveled AND board = 'cab'), 1::bigint, 'it is in the queue of the board whose level is open');
SELECT is(pg_temp.as('m2', format('approve(%s)', :leveled)), 'awaiting_approval', 'one seat');
SELECT is(pg_temp.as('b1', format('approve(%s)', :leveled)), 'MC003', 'is not both');
SELECT is(pg_temp.as('m1', format('reject(%s, ''on second thought'')', :leveled)), 'rejected',
	'a vote changes as long as nothing stands: it was what the first level stood on');
SELECT is((SELECT status_reason FROM changemgmt.change WHERE id = :leveled), 'm1: on second thought', 'with its reason');

SELECT pg_temp.as('m1', format('approve(%s)', :changed)), pg_temp.as('m2', format('approve(%s)', :changed)),
	pg_temp.as('m4', format('approve(%s)', :changed)) \g /dev/null
SELECT is(pg_temp.as('m2', format('abstain(%s, ''not mine'')', :changed)), 'awaiting_approval', 'or is taken back');
SELECT results_eq(format('SELECT level FROM changemgmt.approval_levels(%s) WHERE is_open', :changed), 'VALUES (2)', 'then its level is open again');
SELECT is(pg_temp.as('b1', format('approve(%s)', :changed)), 'MC003', 'and the later ones are not');
SELECT is(pg_temp.as('m3', format('approve(%s)', :changed)), 'awaiting_approval', 'somebody else in the seat');
SELECT is(pg_temp.as('b1', format('defer(%s, ''budget'')', :changed)), 'awaiting_approval', 'a vote at the third');
SELECT is(pg_temp.as('b1', format('approve(%s)', :changed)), 'awaiting_approval', 'which with that of m1 is decided');
SELECT is((SELECT missing FROM changemgmt.approval_tally(:changed)), 'level 4: 0 of 1 approvals of board steering, waiting for s1, s2, s3', 'steering is a level');
SELECT is(pg_temp.as('s2', format('approve(%s)', :changed)), 'approved', 'the last level approves');
SELECT is(pg_temp.as('s1', format('approve(%s)', :changed)) || pg_temp.as('m1', format('reject(%s, ''late'')', :changed)), 'MC001MC001', 'after the outcome nobody votes');
SELECT pg_temp.awaiting('leveled') AS lost, pg_temp.awaiting('leveled') AS direct \gset
SELECT pg_temp.as('lead', format('approve(%s)', :lost)) \g /dev/null
SELECT is(pg_temp.as('m4', format('reject(%s, ''no'')', :lost)), 'rejected', 'a seat that is against it decides, if nobody else holds it');
SELECT is(substr(pg_temp.refusal_to('s1', format($$INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (%s, 'approved')$$, :direct)), 1, 5),
	'MC003', 'INSERT knows the levels, too');
SELECT is(pg_temp.refusal_to('author', format($$UPDATE changemgmt.change SET status = 'approved' WHERE id = %s$$, :direct)),
	format('MC002 | %s: approve is refused: level 1: 0 of 1 approvals, waiting for lead, m1 | quorum: level 1: 0 of 1 approvals, waiting for lead, m1', changemgmt.change_number(:direct)),
	'and so does an UPDATE of the change');
SELECT is((SELECT array_agg(login ORDER BY login) FROM changemgmt.approval_waiting(:direct)), '{lead,m1}', 'it waits for who is asked now');

-- duties that are kept apart count at each level
SELECT pg_temp.asking('[{"rule": "any", "board": "panel2"}, {"rule": "seats", "board": "cab", "seats": ["change_manager"]}]', '{"owner": "m4"}') AS own \gset
SELECT is((SELECT missing FROM changemgmt.approval_levels(:own) WHERE level = 2),
	'no approval of the seat change_manager of board cab, and nobody who may vote holds the seat change_manager', 'a seat that only the owner holds is empty');
SELECT pg_temp.as('m1', format('approve(%s)', :own)) \g /dev/null
SELECT is(pg_temp.as('m4', format('approve(%s)', :own)), 'MC004', 'nobody is exempt');

-- a delegation holds for its board: at a level of another board it gives nothing
SET LOCAL changemgmt.actor = 'm1';
SELECT changemgmt.delegate_approval('x', now() - interval '1 minute', now() + interval '1 day', 'panel2') \g /dev/null
SET LOCAL changemgmt.actor = 'author';
SELECT pg_temp.asking('[{"rule": "any", "board": "panel2"}, {"rule": "any", "board": "steering"}]') AS delegated,
	pg_temp.asking('[{"rule": "any", "board": "panel2"}, {"rule": "any", "board": "business"}]') AS beyond \gset
SELECT is(pg_temp.as('x', format('vote_for(%s, ''m1'', ''approved'')', :delegated)), 'awaiting_approval', 'a vote in somebody''s place, at the level of that board');
SELECT results_eq(format('SELECT is_open, approved FROM changemgmt.approval_levels(%s)', :delegated), 'VALUES (false, 1), (true, 0)', 'counts there');
SELECT is(pg_temp.as('x', format('vote_for(%s, ''m1'', ''approved'')', :beyond)), 'MC003', 'and is refused where it would count for a board that was not given');

-- ----------------------------------------------------------------
-- Which policy holds
-- ----------------------------------------------------------------

CREATE FUNCTION pg_temp.matching(change_id bigint) RETURNS text
	LANGUAGE sql AS
$$
	SELECT string_agg(policy, ' ') FROM changemgmt.approval_policy_of(change_id)
$$;
CREATE FUNCTION pg_temp.matches(more jsonb, change jsonb) RETURNS boolean
	LANGUAGE plpgsql AS
$$
DECLARE
	answer boolean;
BEGIN
	PERFORM changemgmt.set_approval_policy('p', '[{"rule": "any", "board": "cab"}]', more ->> 'model', more ->> 'type', more ->> 'risk_level',
		more ->> 'environment', (more ->> 'ci_tier')::integer, (more ->> 'touches_data_integrity')::boolean, (more ->> 'touches_security')::boolean);
	SELECT bool_or(policy = 'p') INTO answer
	FROM changemgmt.approval_policy_of(pg_temp.draft(coalesce(change ->> 'model', 'normal'), change - 'model'));
	RETURN answer;
END
$$;
SELECT is(pg_temp.matches(condition, change), expected, format('%s: %s', condition, change)) FROM (VALUES
	('{}'::jsonb, '{}'::jsonb, true),
	('{"model": "normal"}', '{}', true), ('{"model": "normal"}', '{"model": "major"}', false),
	('{"type": "major"}', '{"model": "major"}', true), ('{"type": "major"}', '{}', false), ('{"type": "normal"}', '{"model": "leveled"}', true),
	('{"environment": "production"}', '{}', true), ('{"environment": "staging"}', '{}', false),
	('{"environment": "staging"}', '{"environment": "staging"}', true), ('{"environment": "staging"}', '{"items": ["tier1", "staged"]}', true),
	('{"environment": "staging"}', '{"items": []}', false),
	('{"touches_security": true}', '{}', false), ('{"touches_security": true}', '{"touches_security": true}', true),
	('{"touches_security": false}', '{"touches_security": true}', false), ('{"touches_security": false}', '{}', true),
	('{"touches_data_integrity": true}', '{"touches_data_integrity": true}', true), ('{"touches_data_integrity": true}', '{"touches_security": true}', false),
	('{"touches_data_integrity": false}', '{"touches_data_integrity": true}', false),
	('{"touches_security": true, "type": "major"}', '{"touches_security": true}', false),
	('{"touches_security": true, "type": "major"}', '{"touches_security": true, "model": "major"}', true)) AS v (condition, change, expected);
SELECT is(pg_temp.matches(jsonb_build_object('risk_level', asked), jsonb_build_object('risk_level', risk)),
	CASE asked WHEN 'low' THEN true WHEN 'medium' THEN risk IS DISTINCT FROM 'low' WHEN 'high' THEN risk IS NULL OR risk IN ('high', 'critical')
		ELSE risk IS NULL OR risk = 'critical' END, format('risk %s or above: %s', asked, coalesce(risk, 'unknown')))
FROM unnest('{low,medium,high,critical}'::text[]) AS asked, unnest('{low,medium,high,critical,NULL}'::text[]) AS risk;
SELECT is(pg_temp.matches(jsonb_build_object('ci_tier', asked), jsonb_build_object('items', to_jsonb(items))), expected, format('tier %s or more critical: %s', asked, items))
FROM generate_series(1, 5) AS asked, LATERAL (SELECT ARRAY['tier' || t], t <= asked FROM generate_series(1, 5) AS t
	UNION ALL VALUES ('{tier5,tier2}'::text[], 2 <= asked), ('{tier5,unknown}', true), ('{}', true)) AS i (items, expected);
SELECT changemgmt.remove_approval_policy('p') \g /dev/null

-- the strictest: approvals, then levels, then the site's, then the name
SELECT changemgmt.publish_model('of_two', '{"base": "lean_normal", "approval": {"policy": "board", "board": "panel5", "needed": 2}}') \g /dev/null
SELECT pg_temp.draft('of_two') AS strict \gset
SELECT changemgmt.set_approval_policy(name, levels::jsonb, model => 'of_two') FROM (VALUES
	('one', '[{"rule": "any", "board": "cab"}]'),
	('z two', '[{"rule": "count", "board": "cab", "needed": 2}]'),
	('a two', '[{"rule": "percent", "board": "panel5", "percent": 21}]'),
	('two levels', '[{"rule": "any", "board": "cab"}, {"rule": "any", "board": "steering"}]'),
	('one twice', '[{"rule": "any", "board": "cab"}, {"rule": "one"}]'),
	('four', '[{"rule": "count", "board": "cab", "needed": 2}, {"rule": "all", "board": "business"}, {"rule": "any", "board": "cab"}]'),
	('three', '[{"rule": "all", "board": "steering"}]'),
	('never met', '[{"rule": "all", "board": "empty"}]'),
	('ten', '[{"rule": "count", "board": "cab", "needed": 10}]')) AS v (name, levels) \g /dev/null
SELECT results_eq(format('SELECT policy, is_of_model, holds, approvals, levels FROM changemgmt.approval_policy_of(%s)', :strict),
	$$VALUES ('ten', false, true, 10, 1), ('four', false, false, 4, 3), ('three', false, false, 3, 1), ('two levels', false, false, 2, 2), ('a two', false, false, 2, 1),
		('z two', false, false, 2, 1), ('of_two', true, false, 2, 1), ('one twice', false, false, 1, 2), ('never met', false, false, 1, 1), ('one', false, false, 1, 1)$$,
	'the strictest policy first: approvals, levels, the site''s before the model''s, the name');
SELECT is((SELECT missing FROM changemgmt.approval_tally(:strict)), '0 of 10 approvals of board cab, and only 5 people may vote', 'one that cannot be met says why');
SELECT changemgmt.remove_approval_policy('ten'), changemgmt.remove_approval_policy('four') \g /dev/null
SELECT is((SELECT asks FROM changemgmt.approval_levels(:strict)), 'all of the members of board steering', 'without it the next holds');
DELETE FROM changemgmt.board_member WHERE person_id IN (changemgmt.person_id('s2'), changemgmt.person_id('s3'));
SELECT is((SELECT policy FROM changemgmt.approval_policy_of(:strict) WHERE holds), 'two levels', 'a board that is smaller asks for less now, so another one is the strictest');
SELECT changemgmt.add_board_member('steering', 's2'), changemgmt.add_board_member('steering', 's3') \g /dev/null
SELECT is((SELECT missing FROM changemgmt.approval_levels(:strict)), '0 of 3 approvals of board steering (all), waiting for s1, s2, s3', 'grown again, it is');
SELECT changemgmt.remove_approval_policy(name) FROM changemgmt.approval_policy \g /dev/null

-- abstentions bring no percentage below what another policy that matches asks for
SELECT changemgmt.set_approval_policy('share', '[{"rule": "percent", "board": "panel5", "percent": 60}]', model => 'of_two') \g /dev/null
SELECT pg_temp.awaiting('of_two', '{}') AS thin \gset
SELECT is((SELECT policy FROM changemgmt.approval_policy_of(:thin) WHERE holds), 'share', '60 % of five are 3, the model asks for 2');
SELECT pg_temp.as(m, format('abstain(%s, ''away'')', :thin)) FROM unnest('{m1,m2,m3,m4}'::text[]) AS m \g /dev/null
SELECT is((SELECT policy FROM changemgmt.approval_policy_of(:thin) WHERE holds), 'of_two', '60 % of one is 1: now the model asks for more');
SELECT is(pg_temp.as('m5', format('approve(%s)', :thin)), 'awaiting_approval', 'so the one who is left does not decide alone');
SELECT is(pg_temp.as('m4', format('approve(%s)', :thin)), 'approved', 'and two do');
SELECT changemgmt.remove_approval_policy('share') \g /dev/null

-- what is edited meanwhile
SELECT changemgmt.set_approval_policy('security', '[{"rule": "seats", "board": "cab", "seats": ["security"]}]', touches_security => true),
	changemgmt.set_approval_policy('risky', '[{"rule": "count", "board": "cab", "needed": 2}]', risk_level => 'high') \g /dev/null
SELECT pg_temp.awaiting('lean_normal') AS edited \gset
SELECT is(pg_temp.matching(:edited), 'lean_normal', 'no policy, but that of the model');
SELECT is(pg_temp.as('author', format('edit_change(%s, ''{"touches_security": true}'')', :edited)), 'awaiting_approval', 'an edit');
SELECT is(pg_temp.matching(:edited), 'security lean_normal', 'brings another');
SELECT is(pg_temp.as('lead', format('approve(%s)', :edited)), 'MC003', 'which asks others');
SELECT pg_temp.as('author', format('edit_change(%s, ''{"risk_level": null}'')', :edited)) \g /dev/null
SELECT changemgmt.add_risk(:edited, 'fire', 'low', 'low') \g /dev/null
SELECT is(pg_temp.matching(:edited), 'risky security lean_normal', 'and one more');
SELECT is(pg_temp.as('m2', format('approve(%s)', :edited)) || ' ' || pg_temp.as('m3', format('approve(%s)', :edited)), 'awaiting_approval approved', 'whose votes approve');
SELECT is(pg_temp.as('author', format('edit_change(%s, ''{"risk_level": "critical"}'')', :edited)) || ' ' || pg_temp.as('author', format('submit(%s)', :edited)),
	'approved awaiting_approval', 'an edit after the approval goes back');
SELECT changemgmt.remove_approval_policy('risky') \g /dev/null
SELECT is(pg_temp.as('m2', format('approve(%s)', :edited)), 'approved', 'by the policy that holds then');

-- a policy that asks for less now: whoever acts next takes the step that the votes mean
SELECT changemgmt.set_approval_policy('many', '[{"rule": "count", "board": "cab", "needed": 3}]', model => 'lean_normal') \g /dev/null
SELECT pg_temp.awaiting('lean_normal') AS many \gset
SELECT pg_temp.as('m1', format('approve(%s)', :many)), pg_temp.as('m2', format('approve(%s)', :many)) \g /dev/null
SELECT changemgmt.set_approval_policy('many', '[{"rule": "count", "board": "cab", "needed": 2}]', model => 'lean_normal') \g /dev/null
SELECT is((SELECT missing FROM changemgmt.approval_tally(:many)), NULL, 'two are enough now');
SELECT is(pg_temp.as('author', format('advance(%s, ''approved'')', :many)), 'approved', 'and the change goes on');
SELECT changemgmt.remove_approval_policy('many') \g /dev/null

-- a model without votes
SELECT pg_temp.draft('lean_standard') AS pre, pg_temp.draft('standard', '{"touches_security": true}') AS risky \gset
SELECT is(pg_temp.as('author', format('advance(%s, ''approved'')', :pre)), 'approved', 'a pre-approved change that no policy is for');
SELECT changemgmt.plan(:risky) \g /dev/null
SELECT bag_eq(format('SELECT requirement, message FROM changemgmt.why_not(%s, ''submit'')', :risky),
	$$VALUES ('policy_votes', 'policy "security" asks for an approval, and model "standard" takes no votes'),
		('data_approval', 'it touches security, and model "standard" is neither an approved template nor asks for an approval')$$,
	'one that a policy is for cannot be submitted without votes');
SELECT changemgmt.revise(:risky), changemgmt.edit_change(:risky, '{"model": "lean_normal"}') \g /dev/null
SELECT is(pg_temp.as('author', format('advance(%s, ''awaiting_approval'')', :risky)), 'awaiting_approval', 'another model helps');
SELECT results_eq(format('SELECT policy, holds FROM changemgmt.approval_policy_of(%s)', :risky), $$VALUES ('security', true), ('lean_normal', false)$$, 'then it asks');
SELECT is_empty(format('SELECT * FROM changemgmt.approval_levels(%s)', :pre), 'nobody is asked of what is pre-approved');
SELECT results_eq(format('SELECT * FROM changemgmt.approval_tally(%s)', :pre), $$VALUES (NULL::text, 0, 0, 0, 0, 0, 0, 0, NULL::text)$$, 'so nothing is missing');
SELECT id AS urgent FROM changemgmt.declare_emergency('down', 'INC-1', 'owner', 'production_down') \gset
SELECT is_empty(format('SELECT * FROM changemgmt.approval_policy_of(%s)', :urgent), 'nor of an emergency, which its authoriser answers for');
SELECT is(pg_temp.as('author', format('advance(%s, ''approved'')', pg_temp.draft('standard', '{"touches_data_integrity": true}'))), 'MC002',
	'without a policy, too, what touches data integrity needs an approval');

-- rule one of a named person
SELECT changemgmt.set_approval_policy('named', '[{"rule": "one", "person": "x"}, {"rule": "any", "board": "steering"}]', model => 'lean_normal') \g /dev/null
SELECT pg_temp.awaiting('lean_normal') AS named \gset
SELECT is((SELECT asks FROM changemgmt.approval_levels(:named) WHERE is_open), '"x"', 'a person by name');
SELECT is(pg_temp.as('lead', format('approve(%s)', :named)), 'MC003', 'and nobody else');
UPDATE changemgmt.person SET login = 'y' WHERE login = 'x';
SELECT is((SELECT asks FROM changemgmt.approval_levels(:named) WHERE is_open), '"y"', 'who may get another login');
SELECT is(pg_temp.as('y', format('approve(%s)', :named)), 'awaiting_approval', 'and is the same person');
UPDATE changemgmt.person SET is_active = false WHERE login = 'y';
SELECT is((SELECT missing FROM changemgmt.approval_tally(:named)), 'level 1: 0 of 1 approvals, and there is nobody who may vote', 'whose vote is gone when she has left');
UPDATE changemgmt.person SET is_active = true, login = 'x' WHERE login = 'y';
SELECT changemgmt.remove_approval_policy(name) FROM changemgmt.approval_policy \g /dev/null
SELECT changemgmt.publish_model('by_name', '{"base": "lean_normal", "approval": {"levels": [{"rule": "one", "person": "x"}, {"rule": "one", "person": "s1"}]}}') \g /dev/null
SELECT pg_temp.awaiting('by_name') AS by_name \gset
SELECT is(pg_temp.as('s1', format('approve(%s)', :by_name)) || ' ' || pg_temp.as('x', format('approve(%s)', :by_name)) || ' ' || pg_temp.as('s1', format('approve(%s)', :by_name)),
	'MC003 awaiting_approval approved', 'a model names people, too');

-- ----------------------------------------------------------------
-- Approve with conditions
-- ----------------------------------------------------------------

SELECT pg_temp.asking('[{"rule": "count", "board": "panel3", "needed": 2}]') AS conditions \gset
SELECT changemgmt.add_task(:conditions, 'own', 'preparation') \g /dev/null
SELECT is(split_part(pg_temp.refusal_to(login, format('SELECT changemgmt.approve_with_conditions(%s, %L)', :conditions, given)), ' | ', 2), expected, format('%s: %s', login, given))
FROM (VALUES ('m1', NULL, 'no condition is given'), ('m1', '{}', 'no condition is given'), ('m1', '{a,NULL}', 'condition 2 says nothing'),
	('m1', '{" "}', 'condition 1 says nothing'),
	('s1', '{a}', format('"s1" may not vote on %s', changemgmt.change_number(:conditions))),
	('owner', '{a}', format('"owner" may not vote on %s', changemgmt.change_number(:conditions)))) AS v (login, given, expected);
SELECT is(pg_temp.as('m1', format('approve_with_conditions(%s, ''{a}'', expected_revision => 1)', :conditions)), 'MC010', 'or of a change that has moved on');
SELECT is(pg_temp.as('m1', format('approve_with_conditions(%s, ''{call the vendor,watch it,call the vendor}'', ''carefully'')', :conditions)), 'awaiting_approval', 'a vote with conditions');
SELECT results_eq(format('SELECT title, phase, position, is_condition, status FROM changemgmt.change_task WHERE change_id = %s AND is_condition ORDER BY position', :conditions),
	$$VALUES ('call the vendor', 'preparation', 2, true, 'open'), ('watch it', 'preparation', 3, true, 'open')$$, 'each is a task, after those that are there');
SELECT results_eq(format('SELECT decision, reason FROM changemgmt.approval_vote WHERE change_id = %s', :conditions), $$VALUES ('approved', 'carefully')$$, 'and the vote');
SELECT results_eq(format('SELECT approved, stale FROM changemgmt.approval_tally(%s)', :conditions), 'VALUES (1, 0)', 'which is fresh');
SELECT revision FROM changemgmt.change WHERE id = :conditions \gset
SELECT is(pg_temp.as('m1', format('approve_with_conditions(%s, ''{watch it}'')', :conditions)), 'awaiting_approval', 'the same again');
SELECT is((SELECT revision FROM changemgmt.change WHERE id = :conditions), :revision::bigint, 'is nothing');
SELECT is(pg_temp.as('m2', format('approve_with_conditions(%s, ''{watch it,keep the log}'')', :conditions)), 'approved', 'the last vote, with one more');
SELECT is((SELECT string_agg(title, ', ' ORDER BY position) FROM changemgmt.change_task WHERE change_id = :conditions AND is_condition),
	'call the vendor, watch it, keep the log', 'that nobody has asked for yet');
SELECT ok((SELECT record -> 'change_task' @> '[{"title": "keep the log"}]' FROM changemgmt.what_the_board_saw(:conditions) WHERE kind = 'step'), 'it belongs to what was decided on');
SELECT is(pg_temp.as('m2', format('approve_with_conditions(%s, ''{one more}'')', :conditions)), 'MC001', 'after the outcome there is no vote with conditions');
SELECT is(pg_temp.as('m2', format('approve_with_conditions(%s, ''{watch it}'')', :conditions)), 'approved', 'but the one that was given');
SELECT is(pg_temp.as('m3', format('approve_with_conditions(%s, ''{watch it}'')', :conditions)), 'MC001', 'by who gave it');
SELECT set_has(format('SELECT requirement, message FROM changemgmt.why_not(%s, ''start'')', :conditions),
	$$VALUES ('conditions_done', '3 conditions are open: call the vendor, watch it, keep the log'), ('checklist_done', '1 preparation task is open: own')$$, 'start waits for them');

-- ----------------------------------------------------------------
-- Wrong input
-- ----------------------------------------------------------------

SELECT is(split_part(pg_temp.refusal_to('author', format('SELECT changemgmt.set_approval_policy(%L, %L%s)', name, levels, more)), ' | ', 2), message, concat_ws(' ', levels, more))
FROM (VALUES
	(NULL, '[{"rule": "one"}]', '', 'an approval policy has a name'),
	(' ', '[{"rule": "one"}]', '', 'an approval policy has a name'),
	('w', NULL, '', 'approval policy "w": the levels are null'),
	('w', '[]', '', 'approval policy "w": there is no level'),
	('w', '{}', '', 'approval policy "w": the levels are not an array'),
	('w', '7', '', 'approval policy "w": the levels are not an array'),
	('w', '[7]', '', 'approval policy "w": a level is not an object'),
	('w', '[[]]', '', 'approval policy "w": a level is not an object'),
	('w', '[{}]', '', 'approval policy "w": a level has no "rule": one, any, all, count, percent, seats'),
	('w', '[{"rule": "most"}]', '', 'approval policy "w": "most" is not a rule: one, any, all, count, percent, seats'),
	('w', '[{"rule": 1}]', '', 'approval policy "w": "rule" of a level is not a string, or empty'),
	('w', '[{"rule": "one", "colour": "red"}]', '', 'approval policy "w": a level has no key "colour"'),
	('w', '[{"rule": "one", "board": "cab"}]', '', 'approval policy "w": rule "one" asks no board; one member of a board is rule "any"'),
	('w', '[{"rule": "any"}]', '', 'approval policy "w": rule "any" asks a board, and "board" is missing'),
	('w', '[{"rule": "any", "board": ""}]', '', 'approval policy "w": "board" of a level is not a string, or empty'),
	('w', '[{"rule": "any", "board": "nowhere"}]', '', 'board "nowhere" does not exist'),
	('w', '[{"rule": "all", "board": "cab", "person": "x"}]', '', 'approval policy "w": rule "all" asks no person; one person is rule "one"'),
	('w', '[{"rule": "one", "person": "nobody"}]', '', 'person "nobody" does not exist'),
	('w', '[{"rule": "count", "board": "cab"}]', '', 'approval policy "w": "needed" is missing from rule "count"'),
	('w', '[{"rule": "count", "board": "cab", "needed": 0}]', '', 'approval policy "w": "needed" of a level is not an integer from 1 to 1000'),
	('w', '[{"rule": "count", "board": "cab", "needed": 1.5}]', '', 'approval policy "w": "needed" of a level is not an integer from 1 to 1000'),
	('w', '[{"rule": "count", "board": "cab", "needed": "2"}]', '', 'approval policy "w": "needed" of a level is not an integer from 1 to 1000'),
	('w', '[{"rule": "any", "board": "cab", "needed": 2}]', '', 'approval policy "w": "needed" means nothing to rule "any"'),
	('w', '[{"rule": "percent", "board": "cab"}]', '', 'approval policy "w": "percent" is missing from rule "percent"'),
	('w', '[{"rule": "percent", "board": "cab", "percent": 0}]', '', 'approval policy "w": "percent" of a level is not an integer from 1 to 100'),
	('w', '[{"rule": "percent", "board": "cab", "percent": 101}]', '', 'approval policy "w": "percent" of a level is not an integer from 1 to 100'),
	('w', '[{"rule": "all", "board": "cab", "percent": 60}]', '', 'approval policy "w": "percent" means nothing to rule "all"'),
	('w', '[{"rule": "seats", "board": "cab"}]', '', 'approval policy "w": "seats" are missing from rule "seats"'),
	('w', '[{"rule": "seats", "board": "cab", "seats": []}]', '', 'approval policy "w": "seats" of a level names no seat'),
	('w', '[{"rule": "seats", "board": "cab", "seats": "security"}]', '', 'approval policy "w": "seats" of a level is not an array of seats'),
	('w', '[{"rule": "seats", "board": "cab", "seats": ["sofa"]}]', '', '"sofa" is no value of seat'),
	('w', '[{"rule": "seats", "board": "cab", "seats": ["security", "security"]}]', '', 'approval policy "w": seat "security" is named twice'),
	('w', '[{"rule": "any", "board": "cab", "seats": ["security"]}]', '', 'approval policy "w": "seats" mean nothing to rule "any"'),
	('w', '[{"rule": "one", "level": 0}]', '', 'approval policy "w": "level" of a level is not an integer from 1 to 100'),
	('w', '[{"rule": "one", "level": 2}, {"rule": "one"}]', '', 'approval policy "w": there are two levels 2'),
	('w', '[{"rule": "one"}]', ', model => ''nothing''', 'approval policy "w": model "nothing" does not exist'),
	('w', '[{"rule": "one"}]', ', model => ''emergency''', 'approval policy "w": a change of model "emergency" begins as in_progress, and nobody votes on it'),
	('w', '[{"rule": "one"}]', ', type => ''tiny''', '"tiny" is no value of type'),
	('w', '[{"rule": "one"}]', ', risk_level => ''some''', '"some" is no value of risk_level'),
	('w', '[{"rule": "one"}]', ', environment => ''moon''', '"moon" is no value of environment'),
	('w', '[{"rule": "one"}]', ', ci_tier => 6', 'approval policy "w": ci_tier is not a tier from 1 to 5')) AS v (name, levels, more, message);
SELECT is(pg_temp.refusal_to('author', 'SELECT changemgmt.remove_approval_policy(''w'')'), 'MC008 | approval policy "w" does not exist', 'nothing of it was stored');
SELECT is(split_part(pg_temp.refusal_to('author', format('SELECT changemgmt.publish_model(''w'', %L)', definition)), ' | ', 2), message, definition)
FROM (VALUES
	('{"base": "normal", "approval": {"levels": []}}', 'definition of model "w": there is no level'),
	('{"base": "normal", "approval": {"levels": "one"}}', 'definition of model "w": "levels" is not an array'),
	('{"base": "normal", "approval": {"levels": [{"rule": "percent", "board": "cab", "percent": 0}]}}', 'definition of model "w": "percent" of a level is not an integer from 1 to 100'),
	('{"base": "normal", "approval": {"policy": "one", "levels": [{"rule": "one"}]}}', 'definition of model "w": "approval" has either "levels", or a "policy" with its "board" and "needed"')) AS v (definition, message);
-- the tables themselves
SELECT changemgmt.set_approval_policy('t', '[{"rule": "any", "board": "cab"}]', model => 'standard') AS t \gset
SELECT throws_ok(format('INSERT INTO changemgmt.approval_level (policy_id, level, %s)', replace(given, '$', :'t')), state, NULL, given) FROM (VALUES
	('rule) VALUES ($, 2, ''any''', '23514'), ('rule) VALUES ($, 2, ''most''', '23514'), ('rule, board) VALUES ($, 2, ''any'', ''nowhere''', '23503'),
	('rule, board, percent) VALUES ($, 2, ''percent'', ''cab'', 101', '23514'), ('rule, board, needed) VALUES ($, 2, ''count'', ''cab'', 0', '23514'),
	('rule, board, seats) VALUES ($, 2, ''seats'', ''cab'', ''{sofa}''', '23514'), ('rule, board, seats) VALUES ($, 2, ''seats'', ''cab'', ''{}''', '23514'),
	('rule, board) VALUES ($, 1, ''any'', ''cab''', '23505'), ('rule) VALUES ($, 0, ''one''', '23514')) AS v (given, state);
-- levels that are replaced
SELECT changemgmt.set_approval_policy('t', '[{"rule": "one", "level": 3}, {"rule": "count", "needed": 3, "board": "cab", "level": 1}]', type => 'major') AS again \gset
SELECT is(:again::bigint, :t::bigint, 'a policy of the same name is replaced');
SELECT results_eq(format('SELECT level, rule, board, needed FROM changemgmt.approval_level WHERE policy_id = %s ORDER BY level', :t),
	$$VALUES (1, 'count', 'cab', 3), (3, 'one', NULL, NULL)$$, 'with its levels');
SELECT results_eq(format('SELECT model, type FROM changemgmt.approval_policy WHERE id = %s', :t), $$VALUES (NULL::text, 'major')$$, 'and its conditions');
SELECT is((SELECT string_agg(event, ' ' ORDER BY sequence) FROM changemgmt.ledger WHERE subject_kind = 'approval_policy' AND subject_id = :t), 'create edit', 'which is in the trail');
SELECT results_eq($$SELECT level, missing FROM changemgmt.approval_levels(pg_temp.draft('major'))$$,
	$$VALUES (1, '0 of 3 approvals of board cab, waiting for m1, m2, m3, m4, m5'), (3, '0 of 1 approvals, waiting for lead, m1')$$, 'levels keep their numbers');
SELECT ok(changemgmt.remove_approval_policy('t'), 'a policy is removed');
SELECT is_empty('SELECT FROM changemgmt.approval_level', 'with its levels');

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT finish();
ROLLBACK;
