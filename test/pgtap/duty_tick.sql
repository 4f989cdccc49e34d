-- The clock of duties: what is overdue is flagged once and escalated once,
-- however often and in whatever order it is asked for.

BEGIN;
SELECT plan(37);

CREATE FUNCTION pg_temp.refusal(sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	code text;
	message text;
	hint text;
BEGIN
	EXECUTE sql;
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', code, message, nullif(hint, ''));
END
$$;
CREATE FUNCTION pg_temp.tick(at timestamptz DEFAULT now()) RETURNS text
	LANGUAGE sql AS $$ SELECT format('flagged %s, escalated %s, open %s, overdue %s', t.flagged, t.escalated, t.open, t.overdue) FROM changemgmt.tick(at) AS t $$;

-- The times are fixed, and so is what came from elsewhere.
COPY changemgmt.person (id, login, name, is_active) FROM STDIN;
9001	own	Own	t
9002	lead	Lead	t
9003	coord	Coordinator	t
9004	first	First manager	t
9005	second	Second manager	t
9006	gone	Gone	f
\.
COPY changemgmt.team (id, name, lead_id) FROM STDIN;
9001	ops	9002
9002	empty	\N
9003	left	9006
\.
COPY changemgmt.board (id, name) FROM STDIN;
9001	clock
\.
COPY changemgmt.board_member (board_id, person_id, seat, valid_from, valid_until) FROM STDIN;
9001	9005	change_manager	2025-06-01 00:00+00	infinity
9001	9004	change_manager	2025-01-01 00:00+00	2026-06-01 00:00+00
9001	9002	member	2024-01-01 00:00+00	infinity
\.
COPY changemgmt.change (id, title, owner_id, team_id, coordinator_id) FROM STDIN;
9001	the lead of the team	9001	9001	9003
9002	a team without a lead	9001	9002	9003
9003	a lead who has left	9001	9003	9003
9004	neither team nor coordinator	9001	\N	\N
9005	all of it is the owner	9003	\N	9003
9006	done in time	9001	9001	9003
\.
COPY changemgmt.duty (id, change_id, kind, title, person_id, due_at, created_at, done_at, done_by_id, cancelled_at) FROM STDIN;
9001	9001	other	of nobody	\N	2026-01-10 12:00+00	2026-01-01 00:00+00	\N	\N	\N
9002	9001	other	of the lead	9002	2026-01-10 12:00+00	2026-01-01 00:00+00	\N	\N	\N
9003	9002	other	of the owner	9001	2026-01-10 12:00+00	2026-01-01 00:00+00	\N	\N	\N
9004	9003	other	of the owner	9001	2026-01-10 12:00+00	2026-01-01 00:00+00	\N	\N	\N
9005	9004	other	of the owner	9001	2026-01-10 12:00+00	2026-01-01 00:00+00	\N	\N	\N
9006	9004	other	of the manager	9004	2026-01-10 12:00+00	2026-01-01 00:00+00	\N	\N	\N
9007	9005	other	of nobody	\N	2026-01-10 12:00+00	2026-01-01 00:00+00	\N	\N	\N
9008	9006	other	done	9001	2026-01-10 12:00+00	2026-01-01 00:00+00	2026-01-09 00:00+00	9001	\N
9009	9006	other	cancelled	9001	2026-01-10 12:00+00	2026-01-01 00:00+00	\N	\N	2026-01-09 00:00+00
9010	9006	other	later	9001	2026-01-10 14:00+00	2026-01-01 00:00+00	\N	\N	\N
\.

-- flagged

SELECT is(pg_temp.tick('2026-01-10 11:00+00'), 'flagged 0, escalated 0, open 8, overdue 0', 'before anything is due there is nothing to do');
SELECT is(pg_temp.tick('2026-01-10 12:00+00'), 'flagged 0, escalated 0, open 8, overdue 0', 'nor at the very time');
SELECT is(pg_temp.tick('2026-01-10 12:00:01+00'), 'flagged 7, escalated 0, open 8, overdue 7', 'just after, what is overdue is flagged');
SELECT results_eq(
	'SELECT id, flagged_at, escalated_at, escalated_to_id FROM changemgmt.duty WHERE flagged_at IS NOT NULL ORDER BY id',
	$$SELECT n::bigint, timestamptz '2026-01-10 12:00:01+00', NULL::timestamptz, NULL::bigint FROM generate_series(9001, 9007) AS n$$,
	'as of the time of the tick, and neither what is done or cancelled nor what is due later');
SELECT is(pg_temp.tick('2026-01-10 12:00:01+00'), 'flagged 0, escalated 0, open 8, overdue 7', 'the same again finds nothing to do');
SELECT is(pg_temp.tick('2026-01-10 13:00+00'), 'flagged 0, escalated 0, open 8, overdue 7', 'nor does a later one');
SELECT is(pg_temp.tick('2026-01-10 11:00+00'), 'flagged 0, escalated 0, open 8, overdue 0', 'a clock that goes back does nothing');
SELECT is(pg_temp.tick('4000-01-01 00:00+00 BC'), 'flagged 0, escalated 0, open 8, overdue 0', 'however far');
SELECT results_eq(
	'SELECT count(*), count(DISTINCT flagged_at) FROM changemgmt.duty WHERE flagged_at IS NOT NULL',
	'VALUES (7::bigint, 1::bigint)', 'and takes nothing back');

-- escalated

SELECT is(changemgmt.setting_value('escalate_after_hours'), '4', 'four hours by default');
SELECT is(pg_temp.tick('2026-01-10 16:00+00'), 'flagged 1, escalated 0, open 8, overdue 8', 'up to then nothing is escalated');
SELECT changemgmt.set_setting('escalate_after_hours', '5') \g /dev/null
SELECT is(pg_temp.tick('2026-01-10 17:00+00'), 'flagged 0, escalated 0, open 8, overdue 8', 'later where the setting says so');
SELECT changemgmt.set_setting('escalate_after_hours', '4') \g /dev/null
SELECT is(pg_temp.tick('2026-01-10 16:00:01+00'), 'flagged 0, escalated 7, open 8, overdue 8', 'then it is');
SELECT results_eq(
	$$SELECT d.id, d.title, c.title, p.login, d.escalated_at = '2026-01-10 16:00:01+00'
	FROM changemgmt.duty AS d JOIN changemgmt.change AS c ON c.id = d.change_id
	LEFT JOIN changemgmt.person AS p ON p.id = d.escalated_to_id
	WHERE d.escalated_at IS NOT NULL ORDER BY d.id$$,
	$$VALUES (9001::bigint, 'of nobody', 'the lead of the team', 'lead', true),
		(9002, 'of the lead', 'the lead of the team', 'coord', true),
		(9003, 'of the owner', 'a team without a lead', 'coord', true),
		(9004, 'of the owner', 'a lead who has left', 'coord', true),
		(9005, 'of the owner', 'neither team nor coordinator', 'first', true),
		(9006, 'of the manager', 'neither team nor coordinator', 'second', true),
		(9007, 'of nobody', 'all of it is the owner', 'first', true)$$,
	'to the lead, the coordinator, the manager who has sat longest: the first who is there and whose duty it is not');
SELECT is(pg_temp.tick('2026-01-10 16:00:01+00'), 'flagged 0, escalated 0, open 8, overdue 8', 'once');
SELECT is(pg_temp.tick('2026-01-10 17:59+00'), 'flagged 0, escalated 0, open 8, overdue 8', 'and not again later');
SELECT is(pg_temp.tick('2026-01-10 12:30+00'), 'flagged 0, escalated 0, open 8, overdue 7', 'nor earlier');
SELECT is((SELECT min(flagged_at) FROM changemgmt.duty), '2026-01-10 12:00:01+00', 'what was flagged keeps its time');

-- A tick that comes after a long night does both at once.  Seats end.
COPY changemgmt.duty (id, change_id, kind, title, person_id, due_at, created_at) FROM STDIN;
9011	9004	other	long ago	9001	2026-07-01 12:00+00	2026-01-01 00:00+00
\.
SELECT is(pg_temp.tick('2026-07-02 12:00+00'), 'flagged 1, escalated 2, open 9, overdue 9', 'a tick that comes late does both');
SELECT results_eq(
	$$SELECT d.id, d.flagged_at = d.escalated_at, p.login FROM changemgmt.duty AS d JOIN changemgmt.person AS p ON p.id = d.escalated_to_id
	WHERE d.id IN (9010, 9011) ORDER BY 1$$,
	$$VALUES (9010::bigint, false, 'lead'), (9011, true, 'second')$$, 'to who sits there by then');
UPDATE changemgmt.board_member SET valid_until = now() - interval '1 day' WHERE board_id = 9001 AND seat = 'change_manager';
COPY changemgmt.duty (id, change_id, kind, title, person_id, due_at, created_at) FROM STDIN;
9012	9004	other	of nobody	\N	2026-07-03 12:00+00	2026-01-01 00:00+00
\.
DELETE FROM changemgmt.board_member WHERE seat = 'change_manager';
SELECT is(pg_temp.tick('2026-07-04 12:00+00'), 'flagged 1, escalated 1, open 10, overdue 10', 'where there is nobody, it was tried');
SELECT results_eq('SELECT escalated_at IS NOT NULL, escalated_to_id FROM changemgmt.duty WHERE id = 9012',
	'VALUES (true, NULL::bigint)', 'which is written down, and nobody');
SELECT is(pg_temp.tick('2026-07-04 12:00+00'), 'flagged 0, escalated 0, open 10, overdue 10', 'once');

-- the trail

SELECT results_eq(
	$$SELECT subject_id, count(*) FROM changemgmt.ledger WHERE subject_kind = 'duty' AND subject_id IN (9001, 9008, 9010, 9011, 9012)
	GROUP BY 1 ORDER BY 1$$,
	$$VALUES (9001::bigint, 2::bigint), (9010, 2), (9011, 1), (9012, 1)$$, 'what was flagged and escalated is in the ledger, each once');
SELECT is((SELECT count(*) FROM changemgmt.verify_ledger('duty')), 0::bigint, 'which is whole');

-- what it does not take

SELECT is(pg_temp.refusal($$SELECT changemgmt.tick('infinity')$$),
	'MC008 | a tick cannot be at infinity | Leave it out for now; what is not due yet is not flagged.', 'no time without end');
SELECT matches(pg_temp.refusal($$SELECT changemgmt.tick('-infinity')$$), '^MC008 \| a tick cannot be at -infinity', 'nor without beginning');
SELECT matches(pg_temp.refusal($$SELECT changemgmt.tick(clock_timestamp() + interval '5 minutes')$$), '^MC008 \| a tick cannot be at ', 'nor in the future');
SELECT matches(pg_temp.refusal($$SELECT changemgmt.tick(NULL)$$), '^MC008 \| the time of a tick is null', 'nor null');
SELECT is(pg_temp.refusal($$SELECT changemgmt.tick(clock_timestamp() + interval '30 seconds')$$), '', 'a clock may be a little ahead');
SAVEPOINT looks_only;
SET LOCAL transaction_read_only = on;
SELECT is(pg_temp.refusal('SELECT changemgmt.tick()'), '25006 | cannot execute tick() in a read-only transaction', 'nor who only reads');
ROLLBACK TO looks_only;

-- Many: so many a call, the longest overdue first.
SELECT setval('changemgmt.duty_id_seq', 100000) \g /dev/null
COPY changemgmt.duty (change_id, kind, title, due_at, created_at)
	FROM PROGRAM 'yes "9001,other,many,2026-08-01 12:00+00,2026-01-01 00:00+00" | head -50; yes "9001,other,more,2026-07-31 12:00+00,2026-01-01 00:00+00" | head -10000'
	WITH (FORMAT csv);
SELECT is(pg_temp.tick('2026-08-01 12:01+00'), 'flagged 10000, escalated 10000, open 10060, overdue 10060', 'a call does ten thousand');
SELECT is((SELECT string_agg(DISTINCT title, ', ') FROM changemgmt.duty WHERE flagged_at = '2026-08-01 12:01+00'), 'more', 'the longest overdue first');
SELECT is(pg_temp.tick('2026-08-01 12:01+00'), 'flagged 50, escalated 0, open 10060, overdue 10060', 'the next call goes on');
SELECT is(pg_temp.tick('2026-08-01 12:01+00'), 'flagged 0, escalated 0, open 10060, overdue 10060', 'until nothing is left');
SELECT is(pg_temp.tick('2026-08-01 16:01+00'), 'flagged 0, escalated 50, open 10060, overdue 10060', 'those are escalated in their time');

-- Who may do it knows nobody and need be nobody.
CREATE ROLE regress_clock;
SELECT changemgmt.grant_role('regress_clock', 'integration') \g /dev/null
SET LOCAL ROLE regress_clock;
SELECT is((SELECT overdue FROM changemgmt.tick('2026-08-01 16:01+00')), 10060::bigint, 'a scheduler has the duty integration and is no person');

SELECT finish();
ROLLBACK;
