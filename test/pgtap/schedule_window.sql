--
-- Times that are offered: each of them is taken by schedule(), and what lies a
-- minute before is not; what one would take by hand is what comes.
--
\set QUIET on
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'Europe/Berlin';
SET LOCAL search_path = public;

SELECT changemgmt.add_person(login) FROM unnest('{ann,dan,mona}'::text[]) AS login \g /dev/null
SELECT changemgmt.add_board('cab'), changemgmt.add_board_member('cab', 'mona', 'change_manager') \g /dev/null
SELECT changemgmt.add_ci('host'), changemgmt.add_ci('db', depends_on => '{host}'), changemgmt.add_ci('web', depends_on => '{db}'), changemgmt.add_ci('shared'), changemgmt.add_ci('alone') \g /dev/null
SELECT changemgmt.set_ci('shared', is_exclusive => false) \g /dev/null
SELECT set_config('changemgmt.actor', 'ann', true) \g /dev/null

CREATE FUNCTION pg_temp.made(items text[], starts timestamptz, ends timestamptz, model text DEFAULT 'standard', owner text DEFAULT 'ann',
	more jsonb DEFAULT '{}') RETURNS bigint LANGUAGE sql AS $$
	SELECT a.id FROM changemgmt.create_change_from(jsonb_build_object('title', 't', 'model', model, 'owner', owner, 'description', 'd',
		'justification', 'j', 'user_impact', 'none', 'risk_level', 'low', 'rollback_trigger', 't', 'rollback_plan', 'p',
		'rollback_minutes', 5, 'verification_plan', 'v', 'planned_start', starts, 'planned_end', ends, 'items', to_jsonb(items)) || more) AS c,
		changemgmt.advance(c.id, 'approved') AS a
$$;
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RAISE SQLSTATE 'ZZ000';
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN 'done';
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;

-- ----------------------------------------------------------------
-- By hand
-- ----------------------------------------------------------------

-- 2031-05-06 is a Tuesday; windows on Tuesday and Thursday from 2 to 4
SELECT changemgmt.add_maintenance_window('low traffic', 'DTSTART;TZID=Europe/Berlin:20200101T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH', ci => 'web') \g /dev/null
SELECT results_eq($$SELECT * FROM changemgmt.next_windows('web', '2 hours', '2031-05-06 00:00', 4)$$,
	$$SELECT t::timestamptz, t::timestamptz + interval '2 hours', t::timestamptz + interval '2 hours'
	FROM unnest('{2031-05-06 02:00,2031-05-08 02:00,2031-05-13 02:00,2031-05-15 02:00}'::text[]) AS t$$, 'Tuesdays and Thursdays');
SELECT is((SELECT min(starts_at) FROM changemgmt.next_windows('web', '1 hour', '2031-05-06 02:30')), '2031-05-06 02:30', 'what is left of a window, where it is enough');
SELECT is((SELECT min(starts_at) FROM changemgmt.next_windows('web', '2 hours', '2031-05-06 02:30')), '2031-05-08 02:00', 'not where it is not');
SELECT is_empty($$SELECT * FROM changemgmt.next_windows('web', '3 hours', '2031-05-06 02:30')$$, 'no window is long enough, in two years');
SELECT changemgmt.declare_blackout('freeze', starts_at => '2031-05-08 00:00', ends_at => '2031-05-10 00:00') \g /dev/null
SELECT is((SELECT array_agg(starts_at ORDER BY starts_at) FROM changemgmt.next_windows('web', '2 hours', '2031-05-06 12:00', 2)),
	'{2031-05-13 02:00,2031-05-15 02:00}'::timestamptz[], 'less a blackout');
SELECT pg_temp.made('{web}', '2031-05-13 02:00', '2031-05-13 03:00') AS a, pg_temp.made('{db}', '2031-05-15 03:30', '2031-05-15 05:00') AS b,
	pg_temp.made('{host}', '2031-05-20 00:00', '2031-05-20 23:00') AS c \gset
SELECT changemgmt.schedule(id) FROM unnest(ARRAY[:a, :b, :c]) AS id \g /dev/null
SELECT results_eq($$SELECT * FROM changemgmt.next_windows('web', '1 hour', '2031-05-12 12:00', 3)$$,
	$$VALUES ('2031-05-13 03:00'::timestamptz, '2031-05-13 04:00'::timestamptz, '2031-05-13 04:00'::timestamptz),
		('2031-05-15 02:00', '2031-05-15 03:00', '2031-05-15 03:30'), ('2031-05-20 02:00', '2031-05-20 03:00', '2031-05-20 04:00')$$,
	'less what others have on the item and on what it depends on, not farther off');
SELECT is((SELECT array_agg(starts_at ORDER BY starts_at) FROM changemgmt.next_windows('web', '1 hour', '2031-05-12 12:00', 2, conflicts_avoided => false)),
	'{2031-05-13 02:00,2031-05-15 02:00}'::timestamptz[], 'or with it, if one wants');
SELECT changemgmt.set_setting('conflict_severity', 'high') \g /dev/null
SELECT is((SELECT array_agg(starts_at ORDER BY starts_at) FROM changemgmt.next_windows('web', '2 hours', '2031-05-12 12:00', 2)),
	'{2031-05-15 02:00,2031-05-20 02:00}'::timestamptz[], 'only what would refuse is avoided');
SELECT changemgmt.set_setting('conflict_severity', 'none') \g /dev/null
SELECT is((SELECT min(starts_at) FROM changemgmt.next_windows('web', '1 hour', '2031-05-12 12:00')), '2031-05-13 03:00', 'and an exclusive item always');
SELECT changemgmt.set_setting('conflict_severity', 'medium') \g /dev/null

SELECT pg_temp.made('{db}', '2031-05-27 00:00', '2031-05-30 12:00') AS long \gset
SELECT changemgmt.schedule(:long) \g /dev/null
SELECT is((SELECT min(starts_at) FROM changemgmt.next_windows('web', '1 hour', '2031-05-26 00:00')), '2031-06-03 02:00', 'what is taken over several windows is taken in each');
SELECT changemgmt.cancel(:long, 'over') \g /dev/null

-- where all is free: one a day, at the same hour, over the change of clocks
SELECT results_eq($$SELECT starts_at, free_until FROM changemgmt.next_windows('alone', '1 hour', '2031-10-24 12:00', 4)$$,
	$$SELECT t::timestamptz, NULL::timestamptz FROM unnest('{2031-10-24 12:00,2031-10-25 12:00,2031-10-26 12:00,2031-10-27 12:00}'::text[]) AS t$$, 'a day each');
SELECT is((SELECT array_agg(starts_at) FROM changemgmt.next_windows('alone', '1 day', '2031-05-06 00:00', 5)), '{2031-05-06 00:00,2031-05-07 00:00,2031-05-10 00:00,2031-05-11 00:00,2031-05-12 00:00}'::timestamptz[],
	'of two days before a blackout both, and then from its end');
SELECT is((SELECT count(*) FROM changemgmt.next_windows('alone', '1 hour', "limit" => 1000)) > 700, true, 'for two years');
SELECT is((SELECT extract(second FROM starts_at) FROM changemgmt.next_windows('alone', '1 hour', now() + interval '1.5 seconds', 1)), 0::numeric, 'on the full minute');
SELECT cmp_ok((SELECT min(starts_at) FROM changemgmt.next_windows('alone', '1 hour', '2020-01-01')), '>=', now(), 'nothing is offered in the past');

-- scope: environment and model
SELECT changemgmt.declare_blackout('tests', starts_at => '2031-06-01', ends_at => '2031-06-02', environment => 'test'),
	changemgmt.declare_blackout('majors', starts_at => '2031-06-01', ends_at => '2031-06-03', model => 'major') \g /dev/null
SELECT is((SELECT min(starts_at) FROM changemgmt.next_windows('alone', '1 hour', '2031-06-01', environment => e, model => m)), starts::timestamptz, concat_ws(' ', 'environment', e, 'model', m))
FROM (VALUES (NULL, NULL, '2031-06-01'), ('test', NULL, '2031-06-02'), ('staging', 'normal', '2031-06-01'), ('test', 'major', '2031-06-03')) AS v (e, m, starts);

-- what is wrong
SELECT is(pg_temp.refusal('SELECT changemgmt.next_windows(' || arguments || ')'), 'MC008', 'next_windows(' || arguments || ')') FROM unnest(ARRAY[
	'NULL, ''1 hour''', '''db'', NULL', '''nobody'', ''1 hour''', '''db'', ''0''', '''db'', ''-1 hour''', '''db'', ''1 month -31 days''',
	'''db'', ''2 years''', '''db'', ''178000000 years''', '''db'', ''1 hour'', ''infinity''', '''db'', ''1 hour'', "limit" => 0',
	'''db'', ''1 hour'', "limit" => 1001', '''db'', ''1 hour'', "limit" => -1', '''db'', ''1 hour'', environment => ''moon''', '''db'', ''1 hour'', model => ''none''']) AS arguments;
SELECT is(pg_temp.refusal('SELECT changemgmt.suggest_windows(' || arguments || ')'), 'MC008', 'suggest_windows(' || arguments || ')')
FROM unnest(ARRAY['NULL', '-1', :'a' || ', 0', :'a' || ', 1001']) AS arguments;
SELECT is(pg_temp.refusal('SELECT changemgmt.next_windows(''db'', ''1 hour'', NULL, NULL, NULL)'), 'done', 'what has a default may be null');

-- for a change: all its items, its length, its own booking left out, what it depends on
SELECT pg_temp.made('{alone}', now() + interval '1 day', now() + interval '25 hours') AS own \gset
SELECT changemgmt.schedule(:own) \g /dev/null
SELECT is((SELECT array_agg(free_until) FROM changemgmt.suggest_windows(:own, 1)), '{NULL}'::timestamptz[], 'its own booking is not in its way');
SELECT isnt((SELECT min(free_until) FROM changemgmt.next_windows('alone', '1 hour')), NULL, 'but in that of others');
SELECT changemgmt.cancel(:own, 'over') \g /dev/null
SELECT pg_temp.made('{alone,web}', '2031-06-03 02:00', '2031-06-03 03:00') AS d \gset
SELECT is((SELECT count(*) FROM changemgmt.suggest_windows(:d, 100)), 100::bigint, 'as many as one wants');
SELECT is((SELECT count(*) FROM changemgmt.suggest_windows(:d, 100) WHERE extract(isodow FROM starts_at) NOT IN (2, 4) OR ends_at - starts_at <> '1 hour'), 0::bigint, 'in the windows of all of its items');
SELECT pg_temp.made('{shared}', '2031-07-01 10:00', '2031-07-01 12:00') AS first \gset
SELECT id AS then FROM changemgmt.create_change_from(jsonb_build_object('title', 't', 'model', 'standard', 'owner', 'dan', 'description', 'd',
	'justification', 'j', 'user_impact', 'none', 'risk_level', 'low', 'rollback_trigger', 't', 'rollback_plan', 'p', 'rollback_minutes', 5,
	'verification_plan', 'v', 'planned_start', '2031-07-01 08:00', 'planned_end', '2031-07-01 09:00', 'items', '["alone"]'::jsonb)) \gset
SELECT changemgmt.link_change(:then, 'depends_on', :first), changemgmt.schedule(:first), changemgmt.advance(:then, 'approved') \g /dev/null
SELECT is((SELECT min(starts_at) FROM changemgmt.suggest_windows(:then)), NULL, 'nothing is in order before what it depends on, five years from now')
WHERE now() < '2029-06-30';
SELECT changemgmt.reschedule(:first, now() + interval '10 days', now() + interval '10 days 2 hours') \g /dev/null
SELECT is((SELECT min(starts_at) FROM changemgmt.suggest_windows(:then)), date_trunc('minute', now() + interval '10 days 2 hours 59.999999 seconds'), 'then it begins when that ends');

-- notice
SELECT id AS n FROM changemgmt.create_change_from(jsonb_build_object('title', 't', 'model', 'normal', 'owner', 'dan', 'description', 'd',
	'justification', 'j', 'user_impact', 'none', 'risk_level', 'low', 'rollback_trigger', 't', 'rollback_plan', 'p', 'rollback_minutes', 5,
	'verification_plan', 'v', 'planned_start', now() + interval '40 days', 'planned_end', now() + interval '40 days 1 hour', 'items', '["shared"]'::jsonb)) \gset
SELECT cmp_ok((SELECT min(starts_at) FROM changemgmt.suggest_windows(:n)), '>=', changemgmt.earliest_start(:n), 'notice counts');
SELECT changemgmt.advance(:n, 'awaiting_approval') \g /dev/null
SELECT cmp_ok((SELECT min(starts_at) FROM changemgmt.suggest_windows(:n)), '>=', changemgmt.add_business_days(now(), 5), 'anew, where the start moves earlier');
SELECT cmp_ok((SELECT min(starts_at) FROM changemgmt.suggest_windows(:n)), '<', now() + interval '20 days', 'which it can');

-- ----------------------------------------------------------------
-- Random cases against schedule() itself
-- ----------------------------------------------------------------

SELECT setseed(0.4711) \g /dev/null
CREATE TEMP TABLE probe (round int, ci text, minutes int, starts_at timestamptz, ends_at timestamptz, free_until timestamptz, place bigint,
	taken text, before text, beyond text);
DO $$
DECLARE
	base timestamptz := '2032-01-05 00:00';
	r int;
	n int;
	at timestamptz;
	c bigint;
	wanted text;
	minutes int;
	slot record;
BEGIN
	PERFORM changemgmt.remove_window(name) FROM changemgmt.change_window;
	FOR r IN 1..25 LOOP
		FOR n IN 1..(random() * 3)::int LOOP
			PERFORM changemgmt.add_maintenance_window('w' || n, format('DTSTART;TZID=Europe/Berlin:20310101T%s0000 DURATION:PT%sM RRULE:FREQ=WEEKLY;BYDAY=%s',
				lpad((random() * 23)::int::text, 2, '0'), 30 + (random() * 900)::int, (ARRAY['MO,WE', 'TU,TH,SA', 'SU', 'MO,TU,WE,TH,FR'])[1 + (random() * 3)::int]),
				ci => (ARRAY['web', 'db', NULL])[1 + (random() * 2)::int], enforcement => (ARRAY['hard', 'soft'])[1 + (random())::int]);
		END LOOP;
		FOR n IN 1..(random() * 3)::int LOOP
			at := base + random() * interval '6 days';
			PERFORM changemgmt.declare_blackout('b' || n, starts_at => at, ends_at => at + random() * interval '1 day',
				ci => (ARRAY['host', 'web', NULL])[1 + (random() * 2)::int], enforcement => (ARRAY['hard', 'soft'])[1 + (random())::int]);
		END LOOP;
		FOR n IN 1..6 LOOP
			at := base + random() * interval '7 days';
			c := pg_temp.made(ARRAY[(ARRAY['host', 'db', 'web', 'shared'])[1 + (random() * 3)::int]], at, at + interval '10 minutes' + random() * interval '8 hours', owner => 'dan');
			BEGIN PERFORM changemgmt.schedule(c); EXCEPTION WHEN SQLSTATE 'MC007' OR SQLSTATE 'MC002' THEN NULL; END;
		END LOOP;
		wanted := (ARRAY['host', 'db', 'web', 'shared'])[1 + (random() * 3)::int];
		minutes := 15 + (random() * 300)::int;
		c := pg_temp.made(ARRAY[wanted], base, base + minutes * interval '1 minute');
		FOR slot IN SELECT row_number() OVER (PARTITION BY s.free_until ORDER BY s.starts_at) AS place, s.* FROM changemgmt.next_windows(wanted, minutes * interval '1 minute', base, 12) AS s LOOP
			INSERT INTO probe VALUES (r, wanted, minutes, slot.starts_at, slot.ends_at, slot.free_until, slot.place,
				pg_temp.refusal(format('SELECT changemgmt.schedule(%s, %L, %L)', c, slot.starts_at, slot.ends_at)),
				pg_temp.refusal(format('SELECT changemgmt.schedule(%s, %L, %L)', c, slot.starts_at - interval '1 minute', slot.ends_at - interval '1 minute')),
				pg_temp.refusal(format('SELECT changemgmt.schedule(%s, %L, %L)', c, slot.free_until - minutes * interval '1 minute', slot.free_until + interval '1 second')));
		END LOOP;
		-- the rules and bookings of the round go, what was found stays
		PERFORM changemgmt.cancel(b.id, 'over') FROM changemgmt.change AS b WHERE b.status IN ('approved', 'scheduled') AND b.planned_start >= base - interval '1 day' AND b.planned_start < base + interval '30 days';
		PERFORM changemgmt.remove_window(name) FROM changemgmt.change_window;
	END LOOP;
END $$;
SELECT cmp_ok((SELECT count(*) FROM probe), '>', 100::bigint, 'times were offered');
SELECT is_empty($$SELECT * FROM probe WHERE taken <> 'done'$$, 'each is taken by schedule()');
SELECT cmp_ok((SELECT count(*) FROM probe WHERE place = 1 AND starts_at > '2032-01-05 00:00'), '>', 20::bigint, 'many begin where something ends');
SELECT is_empty($$SELECT * FROM probe WHERE place = 1 AND starts_at > '2032-01-05 00:00' AND before NOT IN ('MC007', 'MC002')$$, 'a minute earlier is refused');
SELECT is_empty($$SELECT * FROM probe WHERE free_until IS NOT NULL AND beyond NOT IN ('MC007', 'MC002')$$, 'and what goes beyond free_until');

SELECT * FROM finish();
ROLLBACK;
