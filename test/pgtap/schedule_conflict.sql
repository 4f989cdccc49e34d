--
-- Conflicts: each kind, from both sides, refused from the severity that the
-- setting says; windows and blackouts; overrides.
--
\set QUIET on
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'UTC';
SET LOCAL search_path = public;

SELECT changemgmt.add_person(login) FROM unnest('{ann,ben,cleo,dan,mona}'::text[]) AS login \g /dev/null
SELECT changemgmt.add_board('cab'), changemgmt.add_board_member('cab', 'mona', 'change_manager') \g /dev/null
-- web depends on db, db on host, host on rack; a circle beside them
SELECT changemgmt.add_ci('rack'), changemgmt.add_ci('host', depends_on => '{rack}'), changemgmt.add_ci('db', depends_on => '{host}'),
	changemgmt.add_ci('web', depends_on => '{db}'), changemgmt.add_ci('alone'), changemgmt.add_ci('shared'),
	changemgmt.add_ci('egg'), changemgmt.add_ci('hen', depends_on => '{egg}') \g /dev/null
INSERT INTO changemgmt.ci_dependency (ci_id, depends_on_ci_id) VALUES (changemgmt.ci_id('egg'), changemgmt.ci_id('hen'));
SELECT changemgmt.set_ci('shared', is_exclusive => false) \g /dev/null
SELECT set_config('changemgmt.actor', 'ann', true) \g /dev/null

-- Times of a test are hours of one day, far enough away.
CREATE FUNCTION pg_temp.hour(h numeric) RETURNS timestamptz LANGUAGE sql AS
	$$ SELECT '2031-05-06 00:00+00'::timestamptz + h * interval '1 hour' $$;
-- Items as {db} or {db:affected}.
CREATE FUNCTION pg_temp.made(items text[], h numeric, till numeric, model text DEFAULT 'standard', owner text DEFAULT 'ann',
	more jsonb DEFAULT '{}') RETURNS bigint LANGUAGE sql AS $$
	SELECT a.id FROM changemgmt.create_change_from(jsonb_build_object('title', 't', 'model', model, 'owner', owner, 'description', 'd',
		'justification', 'j', 'user_impact', 'none', 'risk_level', 'low', 'rollback_trigger', 't', 'rollback_plan', 'p',
		'rollback_minutes', 5, 'verification_plan', 'v', 'planned_start', pg_temp.hour(h), 'planned_end', pg_temp.hour(till),
		'items', (SELECT jsonb_agg(jsonb_build_object('ci', split_part(i, ':', 1), 'role', coalesce(nullif(split_part(i, ':', 2), ''), 'changed')))
			FROM unnest(items) AS i)) || more) AS c,
		changemgmt.advance(c.id, 'approved') AS a
$$;
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RAISE SQLSTATE 'ZZ000';
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN 'done';
	WHEN OTHERS THEN RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, '^CHG\d+: ', '');
END $$;
CREATE FUNCTION pg_temp.act(who text) RETURNS void LANGUAGE sql AS $$ SELECT set_config('changemgmt.actor', who, true) $$;
-- Conflicts of a change that are not of people, in a line each.
CREATE FUNCTION pg_temp.conflicts(c bigint, kinds text DEFAULT '^(?!person)') RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(concat_ws(' ', kind, severity, ci, other_ci, window_name,
		round(extract(epoch FROM overlap_start - pg_temp.hour(0)) / 3600, 1) || '..' || round(extract(epoch FROM overlap_end - pg_temp.hour(0)) / 3600, 1),
		CASE WHEN is_overridden THEN 'overridden' END) ORDER BY kind, ci, other_ci, overlap_start)
	FROM changemgmt.change_conflicts(c) WHERE kind ~ kinds
$$;
-- What a second change with these items at this time is answered, with
-- the first booked; and what each of them shows when it is booked all the same.
CREATE FUNCTION pg_temp.meet(first text[], h1 numeric, till1 numeric, second text[], h2 numeric, till2 numeric,
	OUT answer text, OUT of_first text[], OUT of_second text[]) LANGUAGE plpgsql AS $$
DECLARE
	a bigint := pg_temp.made(first, h1, till1);
	b bigint := pg_temp.made(second, h2, till2, owner => 'dan');
BEGIN
	PERFORM changemgmt.schedule(a);
	answer := regexp_replace(pg_temp.refusal(format('SELECT changemgmt.schedule(%s)', b)), 'CHG\d+', 'A', 'g');
	BEGIN
		PERFORM changemgmt.set_setting('conflict_severity', 'none');
		PERFORM changemgmt.schedule(b);
		of_first := pg_temp.conflicts(a);
		of_second := pg_temp.conflicts(b);
		RAISE SQLSTATE 'ZZ000';
	EXCEPTION WHEN SQLSTATE 'ZZ000' OR SQLSTATE 'MC007' THEN
		NULL;
	END;
	PERFORM changemgmt.cancel(a, 'over'), changemgmt.cancel(b, 'over');
END $$;

-- ----------------------------------------------------------------
-- The same item
-- ----------------------------------------------------------------

CREATE TEMP TABLE met AS SELECT v.*, m.answer AS said, m.of_first, m.of_second FROM (VALUES
	('{alone}', '{alone}', 11, 13, 'MC007 schedule is refused: alone is booked by A from 2031-05-06 10:00:00+00 to 2031-05-06 12:00:00+00', NULL, NULL),
	('{alone}', '{alone}', 10.5, 11, 'MC007 schedule is refused: alone is booked by A from 2031-05-06 10:00:00+00 to 2031-05-06 12:00:00+00', NULL, NULL),
	('{alone}', '{alone}', 12, 13, 'done', NULL, NULL),
	('{alone}', '{alone}', 9, 10, 'done', NULL, NULL),
	('{alone}', '{alone:affected}', 11, 13, 'MC007 schedule is refused: alone is booked by A from 2031-05-06 10:00:00+00 to 2031-05-06 12:00:00+00',
		'{"same_ci medium alone alone 11.0..12.0"}', '{"same_ci medium alone alone 11.0..12.0"}'),
	('{alone:affected}', '{alone}', 11, 13, 'MC007 schedule is refused: alone is booked by A from 2031-05-06 10:00:00+00 to 2031-05-06 12:00:00+00',
		'{"same_ci medium alone alone 11.0..12.0"}', '{"same_ci medium alone alone 11.0..12.0"}'),
	('{alone:affected}', '{alone:affected}', 11, 13, 'done', NULL, NULL),
	('{alone:affected}', '{alone}', 12, 13, 'done', NULL, NULL),
	('{shared}', '{shared}', 11, 13, 'done', '{"same_ci low shared shared 11.0..12.0"}', '{"same_ci low shared shared 11.0..12.0"}'),
	('{alone,shared}', '{shared,alone:affected}', 11, 13, 'MC007 schedule is refused: alone is booked by A from 2031-05-06 10:00:00+00 to 2031-05-06 12:00:00+00',
		'{"same_ci medium alone alone 11.0..12.0","same_ci low shared shared 11.0..12.0"}', '{"same_ci medium alone alone 11.0..12.0","same_ci low shared shared 11.0..12.0"}'),
-- dependencies, in both directions and to the depth of the setting
	('{db}', '{host}', 11, 13, 'MC007 schedule is refused: host is what db depends on, which is booked by A from 2031-05-06 10:00:00+00 to 2031-05-06 12:00:00+00',
		'{"dependency medium db host 11.0..12.0"}', '{"dependency medium host db 11.0..12.0"}'),
	('{host}', '{db}', 11, 13, 'MC007 schedule is refused: db depends on host, which is booked by A from 2031-05-06 10:00:00+00 to 2031-05-06 12:00:00+00',
		'{"dependency medium host db 11.0..12.0"}', '{"dependency medium db host 11.0..12.0"}'),
	('{host}', '{db}', 12, 13, 'done', NULL, NULL),
	('{host}', '{web}', 11, 13, 'done', NULL, NULL),
	('{host:affected}', '{db:affected}', 11, 13, 'done', NULL, NULL),
	('{host:affected}', '{db}', 11, 13, 'MC007 schedule is refused: db depends on host, which is booked by A from 2031-05-06 10:00:00+00 to 2031-05-06 12:00:00+00',
		'{"dependency medium host db 11.0..12.0"}', '{"dependency medium db host 11.0..12.0"}'),
	('{db}', '{web:affected,host:affected}', 11, 13, 'MC007 schedule is refused: host is what db depends on, which is booked by A from 2031-05-06 10:00:00+00 to 2031-05-06 12:00:00+00; web depends on db, which is booked by A from 2031-05-06 10:00:00+00 to 2031-05-06 12:00:00+00',
		'{"dependency medium db host 11.0..12.0","dependency medium db web 11.0..12.0"}', '{"dependency medium host db 11.0..12.0","dependency medium web db 11.0..12.0"}')) AS v (first, second, h, till, answer, one, two),
	LATERAL pg_temp.meet(v.first::text[], 10, 12, v.second::text[], v.h, v.till) AS m;
SELECT is(said, answer, format('%s 10..12, %s %s..%s: the answer', first, second, h, till)) FROM met;
SELECT is(of_first, one::text[], format('%s 10..12, %s %s..%s: of the first', first, second, h, till)) FROM met;
SELECT is(of_second, two::text[], format('%s 10..12, %s %s..%s: of the second', first, second, h, till)) FROM met;
SELECT matches((pg_temp.meet('{egg}', 10, 12, '{hen}', 11, 13)).answer, '^MC007 ', 'a circle of dependencies is one, too');
SELECT is((pg_temp.meet('{db}', 10, 12, '{db:affected,host}', 11, 13)).of_second, '{same_ci medium db db 11.0..12.0}', 'who meets on an item is not told of what depends on it as well');

SELECT changemgmt.set_setting('conflict_depth', '0') \g /dev/null
SELECT is((pg_temp.meet('{host}', 10, 12, '{db}', 11, 13)).answer, 'done', 'no dependency counts with depth 0');
SELECT changemgmt.set_setting('conflict_depth', '2') \g /dev/null
SELECT is((pg_temp.meet('{host}', 10, 12, '{web}', 11, 13)).answer ~ '^MC007 .*web depends on host', true, 'depth 2: what it depends on depends on');
SELECT is((pg_temp.meet('{web}', 10, 12, '{host}', 11, 13)).answer ~ '^MC007 .*host is what web depends on', true, 'and the other way round');
SELECT is((pg_temp.meet('{rack}', 10, 12, '{web}', 11, 13)).answer, 'done', 'not three');
SELECT changemgmt.set_setting('conflict_depth', '3') \g /dev/null
SELECT is((pg_temp.meet('{rack}', 10, 12, '{web}', 11, 13)).answer ~ '^MC007 ', true, 'but with depth 3');
SELECT changemgmt.set_setting('conflict_depth', '10') \g /dev/null
SELECT is((pg_temp.meet('{egg}', 10, 12, '{hen}', 11, 13)).answer ~ '^MC007 ', true, 'a circle ends');
SELECT changemgmt.set_setting('conflict_depth', '1') \g /dev/null

-- severities
CREATE FUNCTION pg_temp.with_setting(severity text, first text[], second text[], same_owner boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	a bigint := pg_temp.made(first, 10, 12);
	b bigint := pg_temp.made(second, 11, 13, owner => CASE WHEN same_owner THEN 'ann' ELSE 'dan' END);
	answer text;
BEGIN
	PERFORM changemgmt.schedule(a), changemgmt.set_setting('conflict_severity', severity);
	answer := left(pg_temp.refusal(format('SELECT changemgmt.schedule(%s)', b)), 5);
	PERFORM changemgmt.cancel(a, 'over'), changemgmt.cancel(b, 'over'), changemgmt.set_setting('conflict_severity', 'medium');
	RETURN answer;
END $$;
SELECT is(pg_temp.with_setting(s, first, second, same_owner), CASE WHEN refused THEN 'MC007' ELSE 'done' END, format('%s and %s%s, with %s', first, second,
	CASE WHEN same_owner THEN ' by one' ELSE '' END, s))
FROM (VALUES ('{alone}'::text[], '{alone}'::text[], false, 'low medium high none'), ('{alone}', '{alone:affected}', false, 'low medium'),
	('{db}', '{host}', false, 'low medium'), ('{shared}', '{shared}', false, 'low'), ('{alone}', '{web}', true, 'low'), ('{alone}', '{web}', false, '')) AS v (first, second, same_owner, refusing)
CROSS JOIN unnest('{low,medium,high,none}'::text[]) AS s CROSS JOIN LATERAL (SELECT s = ANY (string_to_array(refusing, ' '))) AS r (refused);

-- ----------------------------------------------------------------
-- People, the order of releases
-- ----------------------------------------------------------------

SELECT pg_temp.made('{alone}', 10, 12) AS a, pg_temp.made('{web}', 11, 13) AS b, pg_temp.made('{rack}', 11, 13, owner => 'dan') AS c \gset
SELECT changemgmt.schedule(id) FROM unnest(ARRAY[:a, :b, :c]) AS id \g /dev/null
SELECT is(pg_temp.conflicts(:a, 'person'), '{person low 11.0..12.0}', 'the same owner twice');
SELECT is(pg_temp.conflicts(:c, 'person'), NULL, 'another has none');
SELECT changemgmt.cancel(id, 'over') FROM unnest(ARRAY[:a, :b, :c]) AS id \g /dev/null

-- b depends on a
SELECT pg_temp.made('{alone}', 10, 12) AS a \gset
SELECT id AS b FROM changemgmt.create_change_from(jsonb_build_object('title', 't', 'model', 'standard', 'owner', 'dan', 'description', 'd',
	'justification', 'j', 'user_impact', 'none', 'risk_level', 'low', 'rollback_trigger', 't', 'rollback_plan', 'p',
	'rollback_minutes', 5, 'verification_plan', 'v', 'planned_start', pg_temp.hour(8), 'planned_end', pg_temp.hour(9), 'items', '["web"]'::jsonb)) \gset
SELECT changemgmt.link_change(:b, 'depends_on', :a), changemgmt.advance(:b, 'approved') \g /dev/null
SELECT is(pg_temp.refusal(format('SELECT changemgmt.schedule(%s)', :b)), 'done', 'as long as the other is not booked, nothing is in order or out of it');
SELECT changemgmt.schedule(:a) \g /dev/null
SELECT is(pg_temp.refusal(format('SELECT changemgmt.schedule(%s)', :b)), format('MC007 schedule is refused: it depends on %s, which is made from 2031-05-06 10:00:00+00 to 2031-05-06 12:00:00+00', changemgmt.change_number(:a)), 'what depends on another comes after it');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.schedule(%s, pg_temp.hour(11), pg_temp.hour(14))', :b)) ~ 'it depends on', true, 'not while it is made');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.schedule(%s, pg_temp.hour(12), pg_temp.hour(14))', :b)), 'done', 'when it ends');
SELECT changemgmt.schedule(:b, pg_temp.hour(14), pg_temp.hour(15)) \g /dev/null
SELECT is(pg_temp.refusal(format('SELECT changemgmt.reschedule(%s, pg_temp.hour(13), pg_temp.hour(14))', :a)), 'done', 'the other moves up to it');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.reschedule(%s, pg_temp.hour(14), pg_temp.hour(15))', :a)) ~ 'MC007 .*depends on it, and is made', true, 'and not beyond');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.set_setting(''conflict_severity'', ''high''), changemgmt.reschedule(%s, pg_temp.hour(14), pg_temp.hour(15))', :a)) ~ 'MC007', true, 'that is of high severity');
SELECT changemgmt.set_setting('conflict_severity', 'none'), changemgmt.reschedule(:a, pg_temp.hour(20), pg_temp.hour(21)), changemgmt.set_setting('conflict_severity', 'medium') \g /dev/null
SELECT is(pg_temp.conflicts(:a), '{release_order high 14.0..21.0}', 'out of order: of the one');
SELECT is(pg_temp.conflicts(:b), '{release_order high 14.0..21.0}', 'and of the other');
SELECT results_eq(format('SELECT resolution FROM changemgmt.change_conflicts(%s)', :b), ARRAY['Book it after the end of ' || changemgmt.change_number(:a) || '.'], 'with what would solve it');
SELECT changemgmt.cancel(id, 'over') FROM unnest(ARRAY[:a, :b]) AS id \g /dev/null

-- ----------------------------------------------------------------
-- At start
-- ----------------------------------------------------------------

-- a change whose time is now
CREATE FUNCTION pg_temp.now_made(items text[], model text DEFAULT 'standard', owner text DEFAULT 'ann', later interval DEFAULT '1 hour') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	c bigint := pg_temp.made(items, 0, 1, model, owner, jsonb_build_object('planned_start', now() - interval '1 hour', 'planned_end', now() + later));
BEGIN
	IF model = 'standard' THEN PERFORM changemgmt.schedule(c); END IF;
	RETURN c;
END $$;
SELECT pg_temp.now_made('{alone}', 'lean_standard') AS a, pg_temp.now_made('{alone}', 'lean_standard', 'dan') AS b \gset
SELECT changemgmt.start(:a) \g /dev/null
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.start(%s)', :b)), '^MC007 start is refused: alone: CHG\d+ is at work on it \(booked from ', 'two lean starts');
SELECT is((SELECT requirement FROM changemgmt.why_not(:b, 'start')), 'no_conflict', 'which why_not tells');
SELECT changemgmt.abort(:a, 'over') \g /dev/null
SELECT is(pg_temp.refusal(format('SELECT changemgmt.start(%s)', :b)), 'done', 'when the one is over, the other begins');
SELECT changemgmt.cancel(:b, 'over') \g /dev/null

-- what is under way beyond its time; a row is made old by the door for history
SELECT pg_temp.now_made('{web}') AS b \gset
COPY changemgmt.change (id, title, model, type, status, requester_id, planned_start, planned_end, scheduled_at, actual_start) FROM stdin;
300001	overdue	normal	normal	in_progress	1	2026-01-01 10:00+00	2026-01-01 12:00+00	2025-12-30 00:00+00	2026-01-01 10:00+00
300002	over	normal	normal	verifying	1	2026-01-01 10:00+00	2026-01-01 12:00+00	2025-12-30 00:00+00	2026-01-01 10:00+00
300003	never begun	normal	normal	scheduled	1	2026-01-01 10:00+00	2026-01-01 12:00+00	2025-12-30 00:00+00	\N
\.
COPY changemgmt.change_item (change_id, ci_id) FROM stdin;
300001	4
300002	4
300003	4
\.
SELECT changemgmt.rebuild_bookings() \g /dev/null
SELECT results_eq(format('SELECT requirement, message FROM changemgmt.why_not(%s, ''start'')', :b),
	$$VALUES ('no_conflict', 'web: CHG0300001 is at work on it (booked from 2026-01-01 10:00:00+00 to 2026-01-01 12:00:00+00)')$$,
	'who is still at work is in the way of a start; who was only booked, or verifies, is not');
SELECT is(pg_temp.conflicts(:b), NULL, 'it is not in the way of a booking');
SELECT changemgmt.abort(300001, 'over'), changemgmt.cancel(:b, 'over') \g /dev/null

-- depends on what is not done yet
SELECT pg_temp.made('{rack}', 10, 12) AS a \gset
SELECT id AS b FROM changemgmt.create_change_from(jsonb_build_object('title', 't', 'model', 'lean_standard', 'owner', 'dan', 'description', 'd',
	'justification', 'j', 'user_impact', 'none', 'risk_level', 'low', 'rollback_trigger', 't', 'rollback_plan', 'p',
	'rollback_minutes', 5, 'verification_plan', 'v', 'planned_start', now(), 'planned_end', now() + interval '1 hour', 'items', '["web"]'::jsonb)) \gset
SELECT changemgmt.link_change(:b, 'depends_on', :a), changemgmt.advance(:b, 'approved') \g /dev/null
SELECT is(pg_temp.refusal(format('SELECT changemgmt.start(%s)', :b)), format('MC007 start is refused: it depends on %s, which is made at a time that is not booked', changemgmt.change_number(:a)), 'nothing begins before what it depends on is done');
SELECT changemgmt.cancel(:a, 'not needed') \g /dev/null
SELECT is(pg_temp.refusal(format('SELECT changemgmt.start(%s)', :b)), 'done', 'or out of the world');
SELECT changemgmt.cancel(:b, 'over') \g /dev/null

-- ----------------------------------------------------------------
-- Windows and blackouts
-- ----------------------------------------------------------------

SELECT changemgmt.add_maintenance_window('morning', starts_at => pg_temp.hour(6), ends_at => pg_temp.hour(9), ci => 'alone'),
	changemgmt.add_maintenance_window('noon', starts_at => pg_temp.hour(12), ends_at => pg_temp.hour(14), ci => 'alone', enforcement => 'soft'),
	changemgmt.add_maintenance_window('evening', starts_at => pg_temp.hour(18), ends_at => pg_temp.hour(20), ci => 'shared', enforcement => 'soft'),
	changemgmt.declare_blackout('breakfast', starts_at => pg_temp.hour(7), ends_at => pg_temp.hour(8), ci => 'alone', reason => 'People eat'),
	changemgmt.declare_blackout('news', starts_at => pg_temp.hour(19), ends_at => pg_temp.hour(19.5), ci => 'shared', enforcement => 'soft'),
	changemgmt.declare_blackout('tagged', starts_at => pg_temp.hour(30), ends_at => pg_temp.hour(31), tag => 'pci'),
	changemgmt.declare_blackout('majors', starts_at => pg_temp.hour(30), ends_at => pg_temp.hour(31), model => 'lean_standard'),
	changemgmt.declare_blackout('tests', starts_at => pg_temp.hour(30), ends_at => pg_temp.hour(31), environment => 'test') \g /dev/null
CREATE FUNCTION pg_temp.booking(items text[], h numeric, till numeric, more jsonb DEFAULT '{}') RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	c bigint := pg_temp.made(items, h, till, more => more);
	answer text[] := (SELECT array_agg(requirement || ': ' || message ORDER BY requirement) FROM changemgmt.why_not(c, 'schedule'));
BEGIN
	IF (answer IS NULL) <> (pg_temp.refusal(format('SELECT changemgmt.schedule(%s)', c)) = 'done') THEN RETURN '{why_not differs}'; END IF;
	RETURN answer;
END $$;
SELECT is(pg_temp.booking(items, h, till, more::jsonb), answer, format('%s %s..%s %s', items, h, till, more)) FROM (VALUES
	('{alone}'::text[], 6, 7, '{}', NULL::text[]),
	('{alone}', 8, 9, '{}', NULL),
	('{alone}', 12, 14, '{}', NULL),
	('{alone}', 7, 7.5, '{}', '{"no_blackout: inside the blackout \"breakfast\" (People eat) from 2031-05-06 07:00:00+00 to 2031-05-06 08:00:00+00, which nobody overrides"}'),
	('{web}', 7, 7.5, '{}', NULL),
	('{web}', 30, 31, '{"attributes": {"tags": ["pci", "x"]}}', '{"no_blackout: inside the blackout \"tagged\" from 2031-05-07 06:00:00+00 to 2031-05-07 07:00:00+00, which nobody overrides"}'),
	('{web}', 30, 31, '{"attributes": {"tags": "pci"}}', NULL),
	('{web}', 30, 31, '{"attributes": {"tags": {"a": "pci"}}}', NULL),
	('{web}', 30, 31, '{"environment": "test"}', '{"no_blackout: inside the blackout \"tests\" from 2031-05-07 06:00:00+00 to 2031-05-07 07:00:00+00, which nobody overrides"}'),
	('{web}', 31, 32, '{"environment": "test"}', NULL)) AS v (items, h, till, more, answer);
SELECT matches((pg_temp.booking('{shared}', 17, 18.5))[1], '^in_window: .*evening.* from 2031-05-06 17:00:00\+00 to 2031-05-06 18:00:00\+00$', 'outside of a soft window');
SELECT matches((pg_temp.booking('{alone}', 9, 12.5))[1], '^in_window: .*morning.*, which nobody overrides$', 'outside of a hard one and a soft one');

-- a blackout that is declared later flags what is booked, which cannot start
SELECT pg_temp.now_made('{rack}') AS a, pg_temp.now_made('{shared}', 'lean_standard') AS lean \gset
SELECT changemgmt.remove_window('evening'), changemgmt.remove_window('news') \g /dev/null
SELECT changemgmt.declare_blackout('sudden', starts_at => now() + interval '10 minutes', ends_at => now() + interval '20 minutes') \g /dev/null
SELECT is((SELECT array_agg(kind || ' ' || severity || ' ' || window_name || ' ' || (overlap_end - overlap_start)) FROM changemgmt.change_conflict WHERE change_id = :a AND kind <> 'person'),
	'{inside_blackout high sudden 00:10:00}', 'the view flags it');
SELECT is((SELECT array_agg(requirement) FROM changemgmt.why_not(:a, 'start')), '{no_blackout}', 'it does not start');
SELECT is((SELECT array_agg(requirement) FROM changemgmt.why_not(:lean, 'start')), '{no_blackout}', 'nor does a lean one, for which nothing was booked');
SELECT changemgmt.remove_window('sudden') \g /dev/null
SELECT changemgmt.declare_blackout('past', starts_at => now() - interval '30 minutes', ends_at => now() - interval '10 minutes'),
	changemgmt.declare_blackout('future', starts_at => now() + interval '1 hour', ends_at => now() + interval '2 hours') \g /dev/null
SELECT is((SELECT array_agg(requirement) FROM changemgmt.why_not(:a, 'start')), NULL, 'what is left of the time counts');
SELECT is((SELECT array_agg(requirement) FROM changemgmt.why_not(:lean, 'start')), '{no_blackout}', 'a lean one is asked for as long as it lasts: two hours');
SELECT changemgmt.edit_change(:lean, '{"estimated_minutes": 30}'), changemgmt.revise(:lean), changemgmt.advance(:lean, 'approved') \g /dev/null
SELECT is((SELECT array_agg(requirement) FROM changemgmt.why_not(:lean, 'start')), NULL, 'or for its estimate');
SELECT changemgmt.remove_window('past'), changemgmt.remove_window('future'), changemgmt.cancel(:a, 'over'), changemgmt.cancel(:lean, 'over') \g /dev/null

-- ----------------------------------------------------------------
-- Overrides
SELECT changemgmt.declare_blackout('until further notice', starts_at => pg_temp.hour(200), ends_at => 'infinity') \g /dev/null
SELECT is(pg_temp.booking('{egg}', 201, 202), '{"no_blackout: inside the blackout \"until further notice\" from 2031-05-14 08:00:00+00 on, which nobody overrides"}', 'a blackout without an end says since when');
SELECT changemgmt.remove_window('until further notice') \g /dev/null

-- what was booked is asked again when it begins: its items, tags and windows may be others by then
SELECT changemgmt.add_ci('night') \g /dev/null
SELECT pg_temp.made('{night}', 0, 1) AS c \gset
SELECT changemgmt.schedule(:c, now() - interval '1 hour', now() + interval '1 hour'),
	changemgmt.add_maintenance_window('nights', starts_at => now() + interval '2 days', ends_at => now() + interval '3 days', ci => 'night') \g /dev/null
SELECT is((SELECT array_agg(requirement) FROM changemgmt.why_not(:c, 'start')), '{in_window}', 'it lies outside of windows that were not there before');
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.start(%s)', :c)), '^MC007 start is refused: outside of the maintenance windows \(nights\) ', 'nobody gets past them by booking first');
SELECT changemgmt.remove_window('nights') \g /dev/null
SELECT is(pg_temp.refusal(format('SELECT changemgmt.start(%s)', :c)), 'done', 'without, it begins');
SELECT changemgmt.add_ci('later') \g /dev/null
SELECT pg_temp.made('{later}', 0, 1) AS c \gset
SELECT changemgmt.schedule(:c, now() + interval '2 hours', now() + interval '3 hours'),
	changemgmt.declare_blackout('before', starts_at => now() - interval '1 hour', ends_at => now() + interval '1 hour', ci => 'later') \g /dev/null
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.start(%s)', :c)), '^MC007 start is refused: the booked time begins at ', 'who begins too early is told that alone');
SELECT is((SELECT array_agg(requirement) FROM changemgmt.why_not(:c, 'start')), '{inside_window}', 'as why_not() has it');
SELECT changemgmt.remove_window('before'), changemgmt.cancel(:c, 'x') \g /dev/null
-- the booked time may be waived by a site's model; blackouts are asked for the real one
SELECT changemgmt.publish_model('any_time', '{"base": "standard", "waivable": ["inside_window"]}') \g /dev/null
SELECT changemgmt.add_ci('early') \g /dev/null
SELECT pg_temp.made('{early}', 0, 1, 'any_time') AS c \gset
SELECT changemgmt.schedule(:c, now() + interval '1 hour', now() + interval '2 hours'), pg_temp.act('mona'), changemgmt.waive(:c, 'inside_window', 'sooner is better'),
	changemgmt.declare_blackout('at once', starts_at => now() - interval '1 minute', ends_at => now() + interval '1 minute'), pg_temp.act('ann') \g /dev/null
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.start(%s)', :c)), '^MC007 start is refused: inside the blackout "at once"', 'who begins before the booked time meets the blackouts of now');
SELECT changemgmt.remove_window('at once') \g /dev/null
SELECT is(pg_temp.refusal(format('SELECT changemgmt.start(%s)', :c)), 'done', 'and begins when there is none');
-- what no recurrence can tell about is not booked; where it was before, all others still show
SELECT pg_temp.made('{early:affected}', 0, 1) AS c \gset
SELECT is(pg_temp.refusal(format('SELECT changemgmt.schedule(%s, ''9999-12-30'', ''9999-12-31'')', :c)),
	'MC007 schedule is refused: maintenance windows and blackouts are computed up to the year 2499', 'the end of the world is not booked');
SELECT changemgmt.schedule(:c, '2499-12-30', '2500-01-01') \g /dev/null
SET LOCAL session_replication_role = replica;
UPDATE changemgmt.change SET planned_end = '9999-12-31' WHERE id = :c;
SET LOCAL session_replication_role = origin;
SELECT changemgmt.declare_blackout('weekly', 'DTSTART:20310101T000000Z DURATION:PT1H RRULE:FREQ=WEEKLY', ci => 'early') \g /dev/null
SELECT lives_ok('SELECT * FROM changemgmt.change_conflict', 'one such time does not hide the conflicts of all');
SELECT lives_ok(format('SELECT * FROM changemgmt.why_not(%s)', :c), 'nor why it does not start');
SELECT changemgmt.remove_window('weekly') \g /dev/null
SET LOCAL session_replication_role = replica;
UPDATE changemgmt.change SET planned_end = '2500-01-01' WHERE id = :c;
SET LOCAL session_replication_role = origin;
SELECT changemgmt.cancel(:c, 'x') \g /dev/null

-- ----------------------------------------------------------------

SELECT changemgmt.declare_blackout('soft', starts_at => pg_temp.hour(40), ends_at => pg_temp.hour(41), enforcement => 'soft') \g /dev/null
SELECT pg_temp.made('{web}', 40, 42) AS c \gset
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.schedule(%s)', :c)), '^MC007 .*inside the blackout "soft" from 2031-05-07 16:00:00\+00 to 2031-05-07 17:00:00\+00$', 'a soft one refuses, too');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.override_booking(%s, ''no_blackout'', ''needed'')', :c)), 'MC003 "ann" may not waive requirements', 'who is no manager overrides nothing');
SELECT pg_temp.act('mona') \g /dev/null
SELECT is(pg_temp.refusal(statement), answer, statement) FROM (VALUES
	(format('SELECT changemgmt.override_booking(%s, ''no_blackout'', '' '')', :c), 'MC008 reason of change_waiver is empty'),
	(format('SELECT changemgmt.override_booking(%s, ''notice'', ''x'')', :c), 'MC003 requirement "notice" of CHG' || lpad(:'c', 7, '0') || ' cannot be waived'),
	(format('SELECT changemgmt.override_booking(%s, ''notice'', ''x'', now(), now())', :c), 'MC008 requirement "notice" is not waived for a time'),
	(format('SELECT changemgmt.override_booking(%s, ''in_window'', ''x'', now())', :c), 'MC008 requirement "in_window" is waived for a time, and none is planned'),
	(format('SELECT changemgmt.override_booking(%s, ''in_window'', ''x'', now(), now())', :c), 'MC008 planned_end of a waiver is not after planned_start, or one is infinite'),
	(format('SELECT changemgmt.override_booking(%s, ''in_window'', ''x'', now(), ''infinity'')', :c), 'MC008 planned_end of a waiver is not after planned_start, or one is infinite'),
	('SELECT changemgmt.override_booking(-1, ''in_window'', ''x'')', 'MC008 change -1 does not exist')) AS v (statement, answer);
SELECT id AS bare FROM changemgmt.create_change('no time') \gset
SELECT is(pg_temp.refusal(format('SELECT changemgmt.override_booking(%s, ''no_blackout'', ''x'')', :bare)), 'MC008 requirement "no_blackout" is waived for a time, and none is planned', 'an override is for a time');
SELECT changemgmt.override_booking(:c, 'in_window', 'another') \g /dev/null
SELECT is(left(pg_temp.refusal(format('SELECT changemgmt.schedule(%s)', :c)), 5), 'MC007', 'one requirement is not another');
SELECT changemgmt.override_booking(:c, 'no_blackout', 'needed') AS waiver \gset
SELECT results_eq(format('SELECT planned_start, planned_end, reason FROM changemgmt.change_waiver WHERE id = %s', :waiver),
	'SELECT pg_temp.hour(40), pg_temp.hour(42), ''needed''', 'it is kept with its time');
SELECT pg_temp.act('ann') \g /dev/null
SELECT is(pg_temp.refusal(format('SELECT changemgmt.schedule(%s, pg_temp.hour(40), pg_temp.hour(43))', :c)) ~ '^MC007', true, 'another time is another matter');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.schedule(%s)', :c)), 'done', 'for its own it is overridden');
SELECT changemgmt.schedule(:c) \g /dev/null
SELECT is(pg_temp.conflicts(:c), '{inside_blackout medium soft 40.0..41.0 overridden}', 'and shows as such');
-- what is declared or written afterwards is not covered
SELECT changemgmt.declare_blackout('soft too', starts_at => pg_temp.hour(41), ends_at => pg_temp.hour(42), enforcement => 'soft') \g /dev/null
SELECT is(pg_temp.conflicts(:c), '{inside_blackout medium soft 40.0..41.0 overridden,inside_blackout medium soft too 41.0..42.0}', 'a blackout declared later is not');
UPDATE changemgmt.change_window SET ends_at = pg_temp.hour(41.5) WHERE name = 'soft';
SELECT is(pg_temp.conflicts(:c), '{inside_blackout medium soft 40.0..41.5,inside_blackout medium soft too 41.0..42.0}', 'nor one that is moved');
SELECT pg_temp.act('mona'), changemgmt.override_booking(:c, 'no_blackout', 'both'), pg_temp.act('ann') \g /dev/null
SELECT is(pg_temp.refusal(format('SELECT changemgmt.reschedule(%s)', :c)), 'done', 'a later override covers them');
UPDATE changemgmt.change_window SET enforcement = 'hard' WHERE name = 'soft';
SELECT pg_temp.act('mona'), changemgmt.override_booking(:c, 'no_blackout', 'all the same'), pg_temp.act('ann') \g /dev/null
SELECT is(pg_temp.conflicts(:c, 'soft too|inside_blackout'), '{inside_blackout high soft 40.0..41.5,inside_blackout medium soft too 41.0..42.0 overridden}', 'a hard one is never overridden');
SELECT changemgmt.revise(:c, 'again'), changemgmt.advance(:c, 'approved') \g /dev/null
SELECT is(pg_temp.refusal(format('SELECT changemgmt.schedule(%s)', :c)) ~ 'soft too', true, 'a revision ends all overrides');
SELECT changemgmt.remove_window('soft'), changemgmt.remove_window('soft too'), changemgmt.cancel(:c, 'over') \g /dev/null

-- for a time to come
SELECT changemgmt.declare_blackout('soft', starts_at => pg_temp.hour(50), ends_at => pg_temp.hour(51), enforcement => 'soft') \g /dev/null
SELECT pg_temp.made('{web}', 40, 42) AS c \gset
SELECT changemgmt.schedule(:c), pg_temp.act('mona'), changemgmt.override_booking(:c, 'no_blackout', 'later', pg_temp.hour(50), pg_temp.hour(52)), pg_temp.act('ann') \g /dev/null
SELECT is(pg_temp.refusal(format('SELECT changemgmt.reschedule(%s, pg_temp.hour(50), pg_temp.hour(52))', :c)), 'done', 'an override for a time to come');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.reschedule(%s, pg_temp.hour(50), pg_temp.hour(51))', :c)) ~ '^MC007', true, 'and for no other');
SELECT changemgmt.remove_window('soft'), changemgmt.cancel(:c, 'over') \g /dev/null

-- of conflicts: what was booked before, on both sides
SELECT pg_temp.made('{db}', 10, 12) AS a, pg_temp.made('{host}', 11, 13, owner => 'dan') AS b, pg_temp.made('{db:affected}', 12, 13, owner => 'dan') AS d \gset
SELECT changemgmt.schedule(:a), pg_temp.act('mona'), changemgmt.override_booking(:b, 'no_conflict', 'both know'), pg_temp.act('ann') \g /dev/null
SELECT changemgmt.schedule(:b) \g /dev/null
SELECT is(pg_temp.conflicts(:b), '{dependency medium host db 11.0..12.0 overridden}', 'a conflict is overridden for who asked');
SELECT is(pg_temp.conflicts(:a), '{dependency medium db host 11.0..12.0 overridden}', 'and for who was there before');
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.schedule(%s)', :d)), '^MC007 schedule is refused: db depends on host', 'who comes later is in the way of nobody');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.reschedule(%s, pg_temp.hour(10.5), pg_temp.hour(12))', :a)) ~ '^MC007', true, 'who moves comes later');
SELECT changemgmt.cancel(id, 'over') FROM unnest(ARRAY[:a, :b, :d]) AS id \g /dev/null
SELECT pg_temp.made('{alone}', 60, 62) AS a \gset
SELECT changemgmt.remove_window('morning'), changemgmt.remove_window('noon'), changemgmt.remove_window('breakfast') \g /dev/null
SELECT changemgmt.schedule(:a), pg_temp.made('{alone}', 61, 63) AS b \gset b_
SELECT pg_temp.act('mona'), changemgmt.override_booking(:b_b, 'no_conflict', 'at any price'), pg_temp.act('ann') \g /dev/null
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.schedule(%s)', :b_b)), '^MC007 .*alone is booked by', 'an exclusive item is never overridden');
SELECT changemgmt.set_setting('conflict_severity', 'none') \g /dev/null
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.schedule(%s)', :b_b)), '^MC007 .*alone is booked by', 'whatever the setting');
SELECT changemgmt.set_setting('conflict_severity', 'medium'), changemgmt.cancel(:a, 'over'), changemgmt.cancel(:b_b, 'over') \g /dev/null

-- at start, an override is good inside its time
SELECT changemgmt.declare_blackout('soft', starts_at => now() - interval '1 day', ends_at => now() + interval '1 day', enforcement => 'soft') \g /dev/null
SELECT pg_temp.now_made('{web}', 'lean_standard') AS c, pg_temp.made('{web}', 10, 12, 'lean_standard') AS other \gset
SELECT pg_temp.act('mona'), changemgmt.override_booking(:c, 'no_blackout', 'now'), changemgmt.override_booking(:other, 'no_blackout', 'then'), pg_temp.act('ann') \g /dev/null
SELECT is(pg_temp.refusal(format('SELECT changemgmt.start(%s)', :c)), 'done', 'a lean change starts with an override inside the time that it names');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.start(%s)', :other)) ~ '^MC007', true, 'and at no other');

-- ----------------------------------------------------------------
-- Emergencies
-- ----------------------------------------------------------------

CREATE FUNCTION pg_temp.override_of(c bigint) RETURNS text LANGUAGE sql AS $$ SELECT override_reason FROM changemgmt.change WHERE id = c $$;
SELECT changemgmt.declare_blackout('frozen', starts_at => now() - interval '1 day', ends_at => now() + interval '1 day', ci => 'host') \g /dev/null
SELECT changemgmt.remove_window('soft') \g /dev/null
SELECT id AS e FROM changemgmt.declare_emergency('down', 'INC-1', 'ann', 'production_down', owner => 'ann', items => '{alone}') \gset
SELECT is(pg_temp.override_of(:e), NULL, 'no blackout in scope');
SELECT changemgmt.add_item(:e, 'db') \g /dev/null
SELECT matches(pg_temp.override_of(:e), '^The work was done inside the blackout "frozen" from .*, which nobody overrides$', 'what an emergency runs through is written down');
SELECT id AS e FROM changemgmt.declare_emergency('down', 'INC-1', 'ann', 'production_down', owner => 'ann', items => '{alone}') \gset
SELECT changemgmt.declare_blackout('all', starts_at => now() - interval '1 day', ends_at => now() + interval '1 day', enforcement => 'soft') \g /dev/null
SELECT is(pg_temp.override_of(:e), NULL, 'one that comes later');
SELECT changemgmt.complete(:e) \g /dev/null
SELECT matches(pg_temp.override_of(:e), '^The work was done inside the blackout "all"', 'when the work is over');
SELECT id AS e FROM changemgmt.declare_emergency('down', 'INC-1', 'ann', 'production_down', owner => 'ann') \gset
SELECT matches(pg_temp.override_of(:e), '"all"', 'at once, where it is for everything');
UPDATE changemgmt.change SET override_reason = 'ours' WHERE id = :e;
SELECT changemgmt.fail(:e, 'why', 'how') \g /dev/null
SELECT is(pg_temp.override_of(:e), 'ours', 'a reason that somebody gave stays');
SELECT id AS l FROM changemgmt.record_unauthorized('found', 'audit', now() - interval '3 hours', now() - interval '2 hours', owner => 'ann', items => '{db}') \gset
SELECT matches(pg_temp.override_of(:l), '"all"', 'so of what nobody had recorded');
SELECT id AS l FROM changemgmt.record_unauthorized('found', 'audit', now() - interval '3 days', now() - interval '2 days', owner => 'ann', items => '{db}') \gset
SELECT is(pg_temp.override_of(:l), NULL, 'at another time it met none');
SELECT changemgmt.remove_window('all'), changemgmt.remove_window('frozen') \g /dev/null
-- an emergency in the way of others
SELECT id AS e FROM changemgmt.declare_emergency('down', 'INC-1', 'ann', 'production_down', owner => 'ann', items => '{shared,rack}') \gset
SELECT pg_temp.now_made('{shared}', 'lean_standard', 'dan') AS c \gset
SELECT is(pg_temp.refusal(format('SELECT changemgmt.start(%s)', :c)), 'done', 'it is not, on a shared item');
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.add_item(%s, ''rack''), changemgmt.revise(%s), changemgmt.advance(%s, ''in_progress'')', :c, :c, :c)), '^MC007 .*rack: CHG\d+ is at work on it', 'but on an exclusive one');

-- ----------------------------------------------------------------
-- Confidential changes
-- ----------------------------------------------------------------

CREATE ROLE regress_curious;
SELECT changemgmt.grant_role('regress_curious', 'manager'), changemgmt.add_person('regress_curious') \g /dev/null
SELECT pg_temp.made('{egg}', 70, 72, more => '{"confidential": true, "title": "secret"}') AS secret, pg_temp.made('{egg:affected}', 71, 73, owner => 'dan') AS seen \gset
SELECT changemgmt.schedule(:secret), changemgmt.set_setting('conflict_severity', 'none'), changemgmt.schedule(:seen), changemgmt.set_setting('conflict_severity', 'medium') \g /dev/null
SELECT pg_temp.made('{egg}', 71, 73, owner => 'dan') AS wanted \gset
SELECT changemgmt.add_ci('both'), changemgmt.set_ci('both', is_exclusive => false) \g /dev/null
SELECT pg_temp.made('{both}', 90, 92) AS open, pg_temp.made('{both}', 91, 93, more => '{"confidential": true}', owner => 'dan') AS closed \gset
SELECT changemgmt.schedule(:open), changemgmt.schedule(:closed) \g /dev/null
RESET changemgmt.actor;
SET LOCAL ROLE regress_curious;
SELECT results_eq(format('SELECT other_change_id, other_number, kind, ci, overlap_start, problem FROM changemgmt.change_conflict WHERE change_id = %s', :seen),
	$$VALUES (NULL::bigint, NULL::text, 'same_ci', 'egg', '2031-05-08 23:00:00+00'::timestamptz, 'egg is booked by a change that is confidential from 2031-05-08 22:00:00+00 to 2031-05-09 00:00:00+00')$$,
	'of a confidential change the time shows, and nothing else');
SELECT is_empty(format('SELECT * FROM changemgmt.change_conflict WHERE change_id = %s', :secret), 'not that it has conflicts itself');
SELECT is_empty(format('SELECT * FROM changemgmt.change_conflicts(%s)', :secret), 'nor by the function');
SELECT is_empty(format('SELECT * FROM changemgmt.booking WHERE change_id = %s', :secret), 'nor what it has booked');
SELECT ok(bool_and(message ~ 'a change that is confidential' OR message !~ changemgmt.change_number(:secret)), 'nor in a refusal') FROM changemgmt.why_not(:wanted, 'schedule');
SELECT is((SELECT count(*) FROM changemgmt.why_not(:wanted, 'schedule') WHERE message ~ 'a change that is confidential'), 1::bigint, 'which says as much');
SELECT is(pg_temp.refusal('SELECT changemgmt.set_ci(''both'', is_exclusive => true)'), format('MC007 both cannot be booked for a change that is confidential: it is booked by %s', changemgmt.change_number(:open)),
	'nor to who makes an item exclusive');
RESET ROLE;
SELECT matches((SELECT message FROM changemgmt.why_not(:wanted, 'schedule')), changemgmt.change_number(:secret), 'to others it is named');

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger() WHERE subject_id < 300000', 'the trail is whole');
SELECT * FROM finish();
ROLLBACK;
