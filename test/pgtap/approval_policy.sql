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
SELECT changemgmt.add_board('panel' || n), changemgmt.add_board('pick' || n) FROM generate_series(1, 5) AS n \g /dev/null
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
SELECT finish();
ROLLBACK;
