--
-- Bookings: they follow from changes and their items, whatever door a write
-- comes by, and nobody writes anything else.
--
\set QUIET on
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'UTC';
SET LOCAL search_path = public;

SELECT changemgmt.add_person(login) FROM unnest('{ann,ben,cleo,mona}'::text[]) AS login \g /dev/null
SELECT changemgmt.add_board('cab'), changemgmt.add_board_member('cab', 'ben'), changemgmt.add_board_member('cab', 'cleo'),
	changemgmt.add_board_member('cab', 'mona', 'change_manager') \g /dev/null
SELECT changemgmt.add_ci(ci) FROM unnest('{db,web,app,cache,shared,quick,slow}'::text[]) AS ci \g /dev/null
SELECT changemgmt.set_ci('shared', is_exclusive => false) \g /dev/null
SELECT changemgmt.publish_model('reviewed', '{"base": "normal", "notice_business_days": 0, "separate": [],
	"approval": {"policy": "board", "board": "cab", "needed": 1}, "validations": []}') \g /dev/null
SET LOCAL changemgmt.actor = 'ann';

CREATE FUNCTION pg_temp.made(model text, items text[], starts timestamptz DEFAULT now() - interval '1 hour',
	ends timestamptz DEFAULT now() + interval '1 hour', minutes integer DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
	SELECT id FROM changemgmt.create_change('booked', model => model, owner => 'ann', items => items, description => 'd',
		justification => 'j', user_impact => 'none', risk_level => 'low', rollback_trigger => 't', rollback_plan => 'p',
		rollback_minutes => 5, verification_plan => 'v', planned_start => starts, planned_end => ends, estimated_minutes => minutes)
$$;
-- What a change has booked, in a line an item; times as hours from now.
CREATE FUNCTION pg_temp.booked(change_id bigint) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s %s %s..%s%s', c.name, b.role, round(extract(epoch FROM lower(b.period) - now()) / 3600, 2),
		round(extract(epoch FROM upper(b.period) - now()) / 3600, 2), CASE WHEN b.is_exclusive THEN ' exclusive' ELSE '' END), E'\n' ORDER BY c.name)
	FROM changemgmt.booking AS b JOIN changemgmt.configuration_item AS c ON c.id = b.ci_id WHERE b.change_id = booked.change_id
$$;
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RAISE SQLSTATE 'ZZ000';
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN 'done';
	WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE FUNCTION pg_temp.act(who text) RETURNS void LANGUAGE sql AS $$ SELECT set_config('changemgmt.actor', who, true) $$;

-- ----------------------------------------------------------------
-- From step to step
-- ----------------------------------------------------------------

SELECT pg_temp.made('reviewed', '{db,shared}') AS c \gset
UPDATE changemgmt.change_item SET role = 'affected' WHERE change_id = :c AND ci_id = changemgmt.ci_id('shared');
SELECT changemgmt.add_item(:c, 'web', 'affected') \g /dev/null
\set rows 'db changed -1.00..1.00 exclusive\nshared affected -1.00..1.00\nweb affected -1.00..1.00'
SELECT is(pg_temp.booked(:c), NULL, 'a draft books nothing');
SELECT changemgmt.advance(:c, 'awaiting_approval') \g /dev/null
SELECT is(pg_temp.booked(:c), NULL, 'what waits for approval for the first time neither');
SELECT pg_temp.act('ben'), changemgmt.approve(:c), pg_temp.act('ann') \g /dev/null
SELECT is(pg_temp.booked(:c), NULL, 'nor what is approved');
SELECT changemgmt.schedule(:c) \g /dev/null
SELECT is(pg_temp.booked(:c), E:'rows', 'schedule books all items, the exclusive one that is changed as such');
SELECT changemgmt.hold(:c, 'wait') \g /dev/null
SELECT is(pg_temp.booked(:c), E:'rows', 'on hold it is kept');
SELECT changemgmt.resume(:c), changemgmt.edit_change(:c, '{"rollback_minutes": 7}'), changemgmt.submit(:c) \g /dev/null
SELECT is(pg_temp.booked(:c), E:'rows', 'and while it is approved again');
SELECT pg_temp.act('ben'), changemgmt.approve(:c), pg_temp.act('ann') \g /dev/null
SELECT is((SELECT status FROM changemgmt.change WHERE id = :c), 'scheduled', 'which leads back');
SELECT changemgmt.reschedule(:c, now() - interval '30 minutes', now() + interval '2 hours') \g /dev/null
\set rows 'db changed -0.50..2.00 exclusive\nshared affected -0.50..2.00\nweb affected -0.50..2.00'
SELECT is(pg_temp.booked(:c), E:'rows', 'reschedule moves it');
SELECT changemgmt.edit_change(:c, '{"estimated_minutes": 5, "title": "another"}') \g /dev/null
SELECT is(pg_temp.booked(:c), E:'rows', 'an edit does not, nor an estimate');
SELECT changemgmt.submit(:c), pg_temp.act('ben'), changemgmt.approve(:c), pg_temp.act('ann') \g /dev/null
-- under a savepoint: each way out
CREATE FUNCTION pg_temp.left_by(c bigint, steps text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	step text;
	answer text;
BEGIN
	BEGIN
		FOREACH step IN ARRAY steps LOOP
			PERFORM pg_temp.act(coalesce(substring(step FROM '^(\w+):'), 'ann'));
			EXECUTE format('SELECT changemgmt.' || regexp_replace(step, '^\w+:', ''), c);
		END LOOP;
		answer := (SELECT status FROM changemgmt.change WHERE id = c) || ': ' || coalesce(pg_temp.booked(c), 'nothing');
		RAISE SQLSTATE 'ZZ000';
	EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
		PERFORM pg_temp.act('ann');
		RETURN answer;
	END;
END $$;
SELECT is(pg_temp.left_by(:c, steps), answer, steps::text) FROM (VALUES
	('{"start(%s)"}'::text[], E'in_progress: ' || E:'rows'),
	('{"start(%s)","complete(%s)"}', E'verifying: ' || E:'rows'),
	('{"start(%s)","complete(%s)","resume_work(%s, ''again'')"}', E'in_progress: ' || E:'rows'),
	('{"start(%s)","complete(%s)","ben:pass(%s, ''seen'')"}', 'implemented: nothing'),
	('{"start(%s)","fail(%s, ''why'', ''how'')"}', 'implemented: nothing'),
	('{"start(%s)","roll_back(%s, ''why'', ''testing'')"}', 'rolled_back: nothing'),
	('{"start(%s)","complete(%s)","roll_back(%s, ''why'', ''testing'')"}', 'rolled_back: nothing'),
	('{"start(%s)","abort(%s, ''why'')"}', 'cancelled: nothing'),
	('{"cancel(%s, ''why'')"}', 'cancelled: nothing'),
	('{"revise(%s, ''why'')"}', 'draft: nothing'),
	('{"edit_change(%s, ''{\"rollback_minutes\": 9}'')","submit(%s)","ben:reject(%s, ''no'')"}', 'rejected: nothing'),
	('{"edit_change(%s, ''{\"rollback_minutes\": 9}'')","submit(%s)","ben:defer(%s, ''no'')"}', 'planned: nothing')) AS v (steps, answer);

-- ----------------------------------------------------------------
-- By UPDATE, ON CONFLICT and MERGE
-- ----------------------------------------------------------------

SELECT pg_temp.made('standard', '{app}') AS u \gset
SELECT changemgmt.advance(:u, 'approved') \g /dev/null
UPDATE changemgmt.change SET status = 'scheduled' WHERE id = :u;
SELECT is(pg_temp.booked(:u), 'app changed -1.00..1.00 exclusive', 'an UPDATE books');
UPDATE changemgmt.change SET planned_end = now() + interval '3 hours' WHERE id = :u;
SELECT is(pg_temp.booked(:u), 'app changed -1.00..3.00 exclusive', 'and moves');
INSERT INTO changemgmt.change (id, title) VALUES (:u, 't') ON CONFLICT (id) DO UPDATE SET planned_end = now() + interval '4 hours';
SELECT is(pg_temp.booked(:u), 'app changed -1.00..4.00 exclusive', 'so does ON CONFLICT');
MERGE INTO changemgmt.change AS c USING (VALUES (:u)) AS v (id) ON c.id = v.id
	WHEN MATCHED THEN UPDATE SET planned_end = now() + interval '5 hours';
SELECT is(pg_temp.booked(:u), 'app changed -1.00..5.00 exclusive', 'and MERGE');
UPDATE changemgmt.change SET title = 'nothing' WHERE id = :u;
SELECT is(pg_temp.booked(:u), 'app changed -1.00..5.00 exclusive', 'what has nothing to do with it leaves it');

-- items of a booked change, by each door
INSERT INTO changemgmt.change_item (change_id, ci_id, role) VALUES (:u, changemgmt.ci_id('cache'), 'affected'), (:u, changemgmt.ci_id('shared'), 'changed');
SELECT is(pg_temp.booked(:u), E'app changed -1.00..5.00 exclusive\ncache affected -1.00..5.00\nshared changed -1.00..5.00', 'items that are added are booked');
UPDATE changemgmt.change_item SET role = 'changed' WHERE change_id = :u;
SELECT is(pg_temp.booked(:u), E'app changed -1.00..5.00 exclusive\ncache changed -1.00..5.00 exclusive\nshared changed -1.00..5.00', 'their role follows');
UPDATE changemgmt.change_item SET ci_id = changemgmt.ci_id('web') WHERE change_id = :u AND ci_id = changemgmt.ci_id('cache');
SELECT is(pg_temp.booked(:u), E'app changed -1.00..5.00 exclusive\nshared changed -1.00..5.00\nweb changed -1.00..5.00 exclusive', 'and their item');
DELETE FROM changemgmt.change_item WHERE change_id = :u AND ci_id <> changemgmt.ci_id('app');
SELECT is(pg_temp.booked(:u), 'app changed -1.00..5.00 exclusive', 'items that are removed are free');
SELECT pg_temp.made('standard', '{cache}') AS d \gset
UPDATE changemgmt.change_item SET change_id = :u WHERE change_id = :d;
SELECT is(pg_temp.booked(:u), E'app changed -1.00..5.00 exclusive\ncache changed -1.00..5.00 exclusive', 'an item that moves here from a draft is booked');
UPDATE changemgmt.change_item SET change_id = :d WHERE change_id = :u AND ci_id = changemgmt.ci_id('cache');
SELECT is(pg_temp.booked(:u) || coalesce(pg_temp.booked(:d), ''), 'app changed -1.00..5.00 exclusive', 'and free when it goes back');

-- an item that somebody has
SELECT is(pg_temp.refusal(format('SELECT changemgmt.add_item(%s, ''db'')', :u)),
	format('MC007 db cannot be booked for %s: it is booked by %s', changemgmt.change_number(:u), changemgmt.change_number(:c)),
	'an item that is taken is not added');
SELECT is(pg_temp.refusal(format('INSERT INTO changemgmt.change_item (change_id, ci_id) VALUES (%s, changemgmt.ci_id(''db''))', :u)) ~ '^MC007 ', true, 'nor by INSERT');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.add_item(%s, ''db'', ''affected'')', :u)), 'done', 'but as affected: a conflict, which shows');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.add_item(%s, ''shared'')', :u)), 'done', 'and where the item is shared');

-- ----------------------------------------------------------------
-- What books no time, and emergencies
-- ----------------------------------------------------------------

SELECT pg_temp.made('lean_standard', '{quick}', now() + interval '5 hours', now() + interval '7 hours') AS lean \gset
SELECT pg_temp.made('lean_standard', '{slow}', now() + interval '5 hours', now() + interval '7 hours', 90) AS estimated \gset
SELECT changemgmt.advance(id, 'approved') FROM unnest(ARRAY[:lean, :estimated]) AS id \g /dev/null
SELECT is(pg_temp.booked(:lean), NULL, 'a lean model books nothing before it starts');
SELECT changemgmt.start(id) FROM unnest(ARRAY[:lean, :estimated]) AS id \g /dev/null
SELECT is(pg_temp.booked(:lean), 'quick changed 0.00..2.00 exclusive', 'and then for as long as it was planned');
SELECT is(pg_temp.booked(:estimated), 'slow changed 0.00..1.50 exclusive', 'or estimated');
SELECT changemgmt.complete(:lean), changemgmt.complete(:estimated), changemgmt.pass(:estimated, 'seen') \g /dev/null
SELECT is(pg_temp.booked(:lean), 'quick changed 0.00..2.00 exclusive', 'until it is verified');
SELECT is(pg_temp.booked(:estimated), NULL, 'not afterwards');

SELECT id AS emergency FROM changemgmt.declare_emergency('down', 'INC-1', 'ann', 'production_down', owner => 'ann', items => '{web,db,shared}') \gset
SELECT is(pg_temp.booked(:emergency), E'db changed 0.00..1.00\nshared changed 0.00..1.00\nweb changed 0.00..1.00',
	'an emergency takes what it needs, for an hour where nothing else is said, and excludes nobody');
SELECT changemgmt.edit_change(:emergency, '{"estimated_minutes": 30}') \g /dev/null
SELECT is(pg_temp.booked(:emergency), E'db changed 0.00..0.50\nshared changed 0.00..0.50\nweb changed 0.00..0.50', 'or for its estimate');
SELECT id AS latent FROM changemgmt.record_unauthorized('found', 'audit', now() - interval '2 hours', now() - interval '1 hour', owner => 'ann', items => '{db}') \gset
SELECT is(pg_temp.booked(:latent), NULL, 'what was done already books nothing');

-- ----------------------------------------------------------------
-- The flag of the item
-- ----------------------------------------------------------------

SELECT changemgmt.set_ci('app', is_exclusive => false) \g /dev/null
SELECT is(pg_temp.booked(:u), 'app changed -1.00..5.00', 'an item that is shared from now on is not exclusive any more');
SELECT changemgmt.set_ci('app', is_exclusive => true) \g /dev/null
SELECT is(pg_temp.booked(:u), 'app changed -1.00..5.00 exclusive', 'and the other way round');
SELECT changemgmt.set_ci('app', is_exclusive => false) \g /dev/null
SELECT pg_temp.made('standard', '{app}') AS second \gset
SELECT changemgmt.advance(:second, 'scheduled') \g /dev/null
SELECT is(pg_temp.booked(:second), 'app changed -1.00..1.00', 'two on a shared item');
SELECT matches(pg_temp.refusal('SELECT changemgmt.set_ci(''app'', is_exclusive => true)'),
	'^MC007 app cannot be booked for CHG\d+: it is booked by CHG\d+$', 'which keep it from becoming exclusive');
SELECT is(pg_temp.refusal('UPDATE changemgmt.configuration_item SET tier = 1'), 'done', 'other columns are free');
SELECT changemgmt.cancel(:second, 'no'), changemgmt.set_ci('app', is_exclusive => true) \g /dev/null
SELECT is(pg_temp.booked(:u), 'app changed -1.00..5.00 exclusive', 'as soon as one is gone it can');

-- ----------------------------------------------------------------
-- The guard
-- ----------------------------------------------------------------

SELECT changemgmt.ci_id('app') AS app, changemgmt.ci_id('cache') AS cache \gset
SELECT matches(pg_temp.refusal(statement), '^' || answer || ' ', statement) FROM (VALUES
	(format('INSERT INTO changemgmt.booking VALUES (%s, %s, tstzrange(now(), now() + ''1 hour''), ''changed'', false)', :u, :cache), 'MC005'),
	(format('INSERT INTO changemgmt.booking VALUES (%s, %s, tstzrange(now(), now() + ''1 hour''), ''changed'', true)', :second, :cache), 'MC005'),
	(format('UPDATE changemgmt.booking SET is_exclusive = false WHERE change_id = %s', :u), 'MC005'),
	(format('UPDATE changemgmt.booking SET role = ''affected'' WHERE change_id = %s', :u), 'MC005'),
	(format('UPDATE changemgmt.booking SET period = tstzrange(lower(period), upper(period) + ''1 hour'') WHERE change_id = %s', :u), 'MC005'),
	(format('UPDATE changemgmt.booking SET ci_id = %s WHERE change_id = %s', :cache, :u), 'MC005'),
	(format('UPDATE changemgmt.booking SET change_id = %s WHERE change_id = %s', :second, :u), 'MC005'),
	(format('DELETE FROM changemgmt.booking WHERE change_id = %s', :u), 'MC005'),
	('TRUNCATE changemgmt.booking', 'MC006'),
	(format('INSERT INTO changemgmt.booking VALUES (%s, %s, ''empty'', ''changed'', false)', :u, :cache), '23514'),
	(format('INSERT INTO changemgmt.booking VALUES (%s, %s, tstzrange(now(), NULL), ''changed'', false)', :u, :cache), '23514'),
	(format('INSERT INTO changemgmt.booking VALUES (%s, %s, tstzrange(now(), ''infinity''), ''changed'', false)', :u, :cache), '23514'),
	(format('INSERT INTO changemgmt.booking VALUES (%s, %s, tstzrange(now(), now() + ''1 hour'', ''[]''), ''changed'', false)', :u, :cache), '23514')) AS v (statement, answer);
-- the truth can be told
CREATE TEMP TABLE kept AS SELECT * FROM changemgmt.booking;
ALTER TABLE changemgmt.booking DISABLE TRIGGER guard;
DELETE FROM changemgmt.booking WHERE change_id = :u;
ALTER TABLE changemgmt.booking ENABLE TRIGGER guard;
SELECT is(pg_temp.refusal(format('INSERT INTO changemgmt.booking SELECT change_id, ci_id, period, role, false FROM kept WHERE change_id = %s', :u)),
	'MC005 bookings are not written by hand', 'but not without its flag');
SELECT is((SELECT array_agg(problem || ' ' || remedy) FROM changemgmt.doctor() WHERE subject LIKE '%booking%'),
	ARRAY['1 item of changes that are booked or under way is not booked SELECT changemgmt.rebuild_bookings();'], 'doctor() names what is missing');
SELECT is(pg_temp.refusal(format('INSERT INTO changemgmt.booking SELECT * FROM kept WHERE change_id = %s', :u)), 'done', 'what follows from a change can be written');
SELECT is(changemgmt.rebuild_bookings(), (SELECT count(*) FROM kept), 'rebuild_bookings() counts');
SELECT set_eq('TABLE changemgmt.booking', 'TABLE kept', 'and brings back what was there');
SELECT is_empty($$SELECT * FROM changemgmt.doctor() WHERE subject LIKE '%booking%'$$, 'then there is nothing to tell');
CREATE FUNCTION pg_temp.told(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	SET LOCAL session_replication_role = replica;
	EXECUTE change;
	SET LOCAL session_replication_role = origin;
	answer := (SELECT string_agg(problem || ' ' || remedy, E'\n') FROM changemgmt.doctor() WHERE subject LIKE '%booking%');
	PERFORM changemgmt.rebuild_bookings();
	IF EXISTS (SELECT FROM changemgmt.doctor() WHERE subject LIKE '%booking%') THEN
		RETURN 'still there';
	END IF;
	RAISE SQLSTATE 'ZZ000';
EXCEPTION WHEN SQLSTATE 'ZZ000' THEN RETURN answer;
END $$;
SELECT is(pg_temp.told(format(statement, :u)), '1 booking is not what its change has to have SELECT changemgmt.rebuild_bookings();', 'nor is believed: ' || statement) FROM (VALUES
	('UPDATE changemgmt.booking SET period = tstzrange(lower(period), upper(period) + interval ''1 hour'') WHERE change_id = %s'),
	('UPDATE changemgmt.booking SET role = ''affected'', is_exclusive = false WHERE change_id = %s'),
	('UPDATE changemgmt.change SET status = ''cancelled'' WHERE id = %s'),
	('UPDATE changemgmt.change SET planned_start = planned_start - interval ''1 hour'' WHERE id = %s'),
	('DELETE FROM changemgmt.change_item WHERE change_id = %s')) AS v (statement);
SELECT matches(pg_temp.told(format('UPDATE changemgmt.booking SET period = tstzrange(lower(period) + interval ''1 hour'', upper(period)) WHERE change_id = %s', b.change_id)),
	'^1 booking is not', 'also of what began without a booking')
FROM changemgmt.booking AS b JOIN changemgmt.change AS c ON c.id = b.change_id WHERE c.scheduled_at IS NULL LIMIT 1;

SELECT matches(pg_temp.refusal(format('DO $do$ BEGIN ALTER TABLE changemgmt.booking DROP CONSTRAINT booking_is_exclusive; PERFORM changemgmt.reschedule(%s, now(), now() + interval ''30 minutes''); END $do$', :u)),
	'^42704 ', 'without the constraint nothing is booked');

-- ----------------------------------------------------------------
-- History
-- ----------------------------------------------------------------

COPY changemgmt.change (id, title, model, type, status, requester_id, planned_start, planned_end, scheduled_at) FROM stdin;
200001	first	normal	normal	scheduled	1	2031-01-01 10:00+00	2031-01-01 12:00+00	2024-01-02 00:00+00
200002	later	normal	normal	scheduled	1	2031-01-01 11:00+00	2031-01-01 13:00+00	2024-01-03 00:00+00
200003	earlier	gone	normal	awaiting_approval	1	2031-01-01 12:00+00	2031-01-01 14:00+00	2024-01-01 00:00+00
200004	over	normal	normal	closed	1	2031-01-01 12:00+00	2031-01-01 14:00+00	2024-01-01 00:00+00
200005	unbooked	normal	normal	approved	1	2031-01-01 12:00+00	2031-01-01 14:00+00	\N
\.
COPY changemgmt.change (id, title, model, type, status, requester_id, actual_start, estimated_minutes) FROM stdin;
200006	at work	lean_normal	normal	in_progress	1	2025-01-01 10:00+00	2147483647
\.
COPY changemgmt.change_item (change_id, ci_id) FROM stdin;
200001	1
200002	1
200003	1
200004	1
200005	1
200006	1
\.
SELECT is((SELECT count(*) FROM changemgmt.booking WHERE change_id > 200000), 0::bigint, 'history books nothing by itself');
SELECT is((SELECT array_agg(problem || ' ' || remedy) FROM changemgmt.doctor() WHERE subject LIKE '%booking%'),
	ARRAY['4 items of changes that are booked or under way are not booked SELECT changemgmt.rebuild_bookings();'], 'which doctor() names');
SELECT changemgmt.rebuild_bookings() \g /dev/null
SELECT results_eq('SELECT change_id, lower(period), upper(period), is_exclusive FROM changemgmt.booking WHERE change_id > 200000 ORDER BY 1',
	$$VALUES (200001::bigint, '2031-01-01 10:00+00'::timestamptz, '2031-01-01 12:00+00'::timestamptz, true),
		(200002, '2031-01-01 11:00+00', '2031-01-01 13:00+00', false),
		(200003, '2031-01-01 12:00+00', '2031-01-01 14:00+00', true),
		(200006, '2025-01-01 10:00+00', '2025-01-01 10:00+00'::timestamptz + 2147483647 * interval '1 minute', false)$$,
	'who booked first has the item, and models that are gone do not matter');
SELECT is((SELECT array_agg(other_change_id || ' ' || severity ORDER BY other_change_id) FROM changemgmt.change_conflicts(200001) WHERE kind = 'same_ci'),
	ARRAY['200002 high', '200006 high'], 'the others show as conflicts');
UPDATE changemgmt.change SET priority = 'low' WHERE id = 200002;
SELECT changemgmt.hold(200002, 'wait') \g /dev/null
SELECT is((SELECT is_exclusive FROM changemgmt.booking WHERE change_id = 200002), false, 'and stay so');
SELECT changemgmt.resume(200002) \g /dev/null
SELECT matches(pg_temp.refusal('SELECT changemgmt.reschedule(200002, ''2031-01-01 11:30+00'', ''2031-01-01 13:00+00'')'), '^MC007 ', 'until they move: not to where it is taken');
SELECT changemgmt.abort(200006, 'over'), changemgmt.reschedule(200002, '2031-01-02 12:00+00', '2031-01-02 13:00+00') \g /dev/null
SELECT is((SELECT is_exclusive FROM changemgmt.booking WHERE change_id = 200002), true, 'then the item is theirs');
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger() WHERE subject_id < 200000', 'the trail is whole');

SELECT * FROM finish();
ROLLBACK;
