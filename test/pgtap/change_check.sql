-- Verification: numbers against thresholds, rollback triggers, what is due, and
-- what is missing; rollbacks.

BEGIN;
SELECT no_plan();
SET LOCAL search_path = public, changemgmt;

-- COPY takes no query, so the rows are written into the program that it reads.
CREATE FUNCTION pg_temp.copy_rows(target text, rows text) RETURNS text
	LANGUAGE sql AS
	$$ SELECT format('COPY %s FROM PROGRAM %L', target, 'cat <<"END"' || E'\n' || rows || E'\nEND') $$;
-- The code of a refusal with its detail or message, '' where nothing is refused.
CREATE FUNCTION pg_temp.refusal(sql text, actor text DEFAULT 'vera') RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	code text;
	message text;
	detail text;
BEGIN
	PERFORM set_config('changemgmt.actor', actor, true);
	EXECUTE sql;
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' | ', code, coalesce(nullif(detail, ''), message));
END
$$;
-- The same, and whatever was done is undone.
CREATE FUNCTION pg_temp.tried(sql text, actor text DEFAULT 'vera') RETURNS text
	LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM set_config('changemgmt.actor', actor, true);
	EXECUTE sql;
	RAISE EXCEPTION USING errcode = 'ZZ000';
EXCEPTION WHEN SQLSTATE 'ZZ000' THEN RETURN '';
	WHEN OTHERS THEN RETURN SQLSTATE;
END
$$;

SET LOCAL changemgmt.actor = 'olaf';
SELECT add_person(p) FROM unnest('{olaf,ivan,vera,max}'::text[]) AS p \g /dev/null
SELECT add_board('cab'), add_board_member('cab', 'max', 'change_manager') \g /dev/null
CREATE TEMP SEQUENCE item;

-- A change of a model that needs nobody's approval, at work or later.
CREATE FUNCTION pg_temp.made(to_status text, model text DEFAULT 'standard', checks jsonb DEFAULT '[]')
	RETURNS bigint LANGUAGE plpgsql AS
$$
DECLARE
	made bigint;
BEGIN
	PERFORM set_config('changemgmt.actor', 'olaf', true);
	PERFORM changemgmt.add_ci('shop' || nextval('pg_temp.item'));
	SELECT id INTO made FROM changemgmt.create_change_from(jsonb_build_object(
		'title', 'made', 'model', model, 'description', 'd', 'justification', 'j', 'user_impact', 'none',
		'owner', 'olaf', 'items', jsonb_build_array('shop' || currval('pg_temp.item')), 'risk_level', 'low', 'rollback_trigger', 'errors above 5 %',
		'rollback_plan', 'back', 'rollback_minutes', 30, 'verification_plan', 'look', 'checks', checks,
		'planned_start', now() - interval '1 hour', 'planned_end', now() + interval '1 day'));
	PERFORM set_config('changemgmt.actor', 'ivan', true);
	PERFORM changemgmt.advance(made, to_status);
	RETURN made;
END
$$;
CREATE FUNCTION pg_temp.check_of(of bigint, called text DEFAULT NULL) RETURNS bigint
	LANGUAGE sql AS
	$$ SELECT min(id) FROM changemgmt.change_check WHERE change_id = of AND title = coalesce(called, title) $$;
CREATE FUNCTION pg_temp.row_of(of bigint) RETURNS changemgmt.change_check
	LANGUAGE sql AS $$ SELECT k FROM changemgmt.change_check AS k WHERE id = of $$;

-- ----------------------------------------------------------------
-- What a check of a signal may be
-- ----------------------------------------------------------------

SELECT pg_temp.made('draft') AS draft \gset
SELECT is(pg_temp.refusal(format('SELECT changemgmt.add_signal_check(%s, ''t'', %s)', :draft, arguments)), expected, arguments)
FROM (VALUES
	('''errors'', 5', ''),
	('''latency'', 0.250, ''above'', 0.120', ''),
	('''availability'', 99.9, ''below'', 99.99, ''24_hours'', true, false', ''),
	('''saturation'', -1, stage => ''7_days''', ''),
	('''traffic'', 0, ''below''', ''),
	('''other'', 1e99', ''),
	('''noise'', 5', 'MC008 | "noise" is no value of signal'),
	('NULL, 5', ''),
	('''errors'', ''NaN''', 'MC008 | threshold of change_check is not a number'),
	('''errors'', ''Infinity''', 'MC008 | threshold of change_check is infinite'),
	('''errors'', ''-Infinity''', 'MC008 | threshold of change_check is infinite'),
	('''errors'', 1e100', 'MC008 | threshold of change_check has more than 100 digits'),
	('''errors'', 1e-100', 'MC008 | threshold of change_check has more than 100 digits'),
	('''errors'', 5, baseline => ''NaN''', 'MC008 | baseline of change_check is not a number'),
	('''errors'', 5, baseline => ''Infinity''', 'MC008 | baseline of change_check is infinite'),
	('''errors'', NULL', 'MC008 | threshold of change_check is needed with bad_when'),
	('''errors'', NULL, NULL, is_rollback_trigger => true', 'MC008 | threshold of change_check is needed by a rollback trigger'),
	('''errors'', NULL, NULL', ''),
	('''errors'', 5, NULL', 'MC008 | bad_when of change_check is needed with a threshold: above or below'),
	('''errors'', 5, ''at''', 'MC008 | "at" is no value of bad_when'),
	('''errors'', 5, stage => ''later''', 'MC008 | "later" is no value of stage')
) AS v (arguments, expected);
SELECT results_eq(format($$SELECT kind, stage, signal, threshold, bad_when, baseline, is_rollback_trigger, is_required
	FROM change_check WHERE change_id = %s AND signal = 'availability'$$, :draft),
	$$VALUES ('slo', '24_hours', 'availability', 99.9, 'below', 99.99, true, false)$$, 'what it is');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.add_signal_check(%s, NULL, ''errors'', 5)', :draft)),
	'MC008 | title of change_check is null', 'it has a title');
SELECT is(pg_temp.refusal('SELECT changemgmt.add_signal_check(-1, ''t'', ''errors'', 5)'),
	'MC008 | change -1 does not exist', 'and a change');
-- the same of any history, which no trigger sees
SET LOCAL session_replication_role = replica;
SELECT throws_ok(format('INSERT INTO changemgmt.change_check (change_id, title, %s) VALUES (%s, ''t'', %s)', columns, :draft, given), '23514', NULL,
	'no history has ' || columns || ' ' || given)
FROM (VALUES ('threshold', '5'), ('bad_when', '''above'''), ('is_rollback_trigger', 'true'), ('observed_value', '5'), ('signal', '''noise'''),
	('threshold, bad_when', '''NaN'', ''above'''), ('threshold, bad_when', '5, ''at'''), ('baseline', '''Infinity'''), ('baseline', '''-Infinity'''),
	('threshold, bad_when, observed_value', '5, ''above'', ''NaN'''), ('tripped_at', '''infinity''')) AS v (columns, given);
SET LOCAL session_replication_role = origin;

-- documents, copies and templates carry it
SELECT pg_temp.made('draft', checks => '["plain", {"title": "rate", "signal": "errors", "threshold": 5, "baseline": 0.3, "is_rollback_trigger": true},
	{"title": "up", "kind": "synthetic", "signal": "availability", "threshold": 99.9, "bad_when": "below", "stage": "24_hours"}]') AS document \gset
SELECT results_eq(format($$SELECT title, kind, stage, signal, threshold, bad_when, baseline, is_rollback_trigger FROM changemgmt.change_check WHERE change_id = %s ORDER BY id$$, c),
	$$VALUES ('plain', 'functional', 'immediate', NULL, NULL::numeric, NULL, NULL::numeric, false), ('rate', 'slo', 'immediate', 'errors', 5, 'above', 0.3, true),
	('up', 'synthetic', '24_hours', 'availability', 99.9, 'below', NULL, false)$$, what)
FROM (VALUES (:document::bigint, 'a document'), ((SELECT id FROM copy_change(:document)), 'a copy')) AS v (c, what);

-- a template
SELECT publish_model('watched', jsonb_build_object('base', 'standard', 'plan', jsonb_build_object('description', 'd', 'checks',
	'[{"title": "rate", "signal": "errors", "threshold": 5, "is_rollback_trigger": true}]'::jsonb))) \g /dev/null
SELECT id AS templated FROM create_change('templated', template => 'watched') \gset
SELECT results_eq(format('SELECT title, kind, signal, threshold, bad_when, is_rollback_trigger FROM changemgmt.change_check WHERE change_id = %s', :templated),
	$$VALUES ('rate', 'slo', 'errors', 5::numeric, 'above', true)$$, 'a template');
SELECT is(pg_temp.tried($$SELECT changemgmt.create_change_from('{"title": "t", "model": "standard", "checks": [{"title": "t", "threshold": "NaN"}]}')$$), 'MC008', 'NaN in a document');
SELECT is(pg_temp.tried($$SELECT changemgmt.create_change_from('{"title": "t", "model": "standard", "checks": [{"title": "t", "tripped_at": "2026-01-01"}]}')$$), 'MC008', 'and what only the engine writes');

-- ----------------------------------------------------------------
-- A value against a threshold
-- ----------------------------------------------------------------

SELECT pg_temp.made('verifying', checks => '["plain", {"title": "above", "signal": "errors", "threshold": 5}, {"title": "below", "signal": "availability", "threshold": 99.9, "bad_when": "below"}]') AS c \gset
SELECT pg_temp.check_of(:c, 'plain') AS plain, pg_temp.check_of(:c, 'above') AS above, pg_temp.check_of(:c, 'below') AS below \gset
SELECT is(record_observation(CASE bad_when WHEN 'above' THEN :above ELSE :below END, value), passed, format('%s is %s (bad when %s)', value, passed, bad_when))
FROM (VALUES ('above', 4.999, true), ('above', 5, true), ('above', 5.0, true), ('above', 5.00000000000000000001, false), ('above', 6, false), ('above', 0, true),
	('above', -7, true), ('above', 1e90, false), ('above', -1e90, true),
	('below', 99.9, true), ('below', 99.90, true), ('below', 99.89999999999999999, false), ('below', 100, true), ('below', 0, false), ('below', -1e90, false))
	AS v (bad_when, value, passed);
SELECT is(record_observation(:above, 7.50), false, 'a value');
SELECT results_eq(format('SELECT observed_value, observed, passed, checked_by_id = person_id(''ivan''), checked_at BETWEEN now() AND clock_timestamp(), tripped_at FROM change_check WHERE id = %s', :above),
	$$VALUES (7.50, '7.50', false, true, true, NULL::timestamptz)$$, 'stands as a number and as text, with who and when');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.record_observation(%s, %s)', which, arguments)), expected, arguments)
FROM (VALUES
	(:above, '''NaN''', 'MC008 | observed_value of change_check is not a number'),
	(:above, '''Infinity''', 'MC008 | observed_value of change_check is infinite'),
	(:above, '''-Infinity''', 'MC008 | observed_value of change_check is infinite'),
	(:above, '1e130', 'MC008 | observed_value of change_check has more than 100 digits'),
	(:above, '1e-130', 'MC008 | observed_value of change_check has more than 100 digits'),
	(:above, 'NULL', 'MC008 | no value is given'),
	(:above, '1, ''infinity''', 'MC008 | checked_at of change_check is infinite'),
	(:above, '1, ''-infinity''', 'MC008 | checked_at of change_check is infinite'),
	(:above, '1, clock_timestamp() + interval ''1 hour''', 'MC008 | checked_at of change_check lies in the future'),
	(:below, '1, now() - interval ''1 hour''', 'MC008 | checked_at of change_check lies before the work began'),
	(:plain, '1', format('MC008 | check %s has no threshold, and takes no number', :plain)),
	(-1, '1', '')
) AS v (which, arguments, expected);
SELECT is(record_observation(-1, 1), NULL, 'no such check');
SELECT is(record_observation(NULL, 1), NULL, 'no check');
SELECT is(pg_temp.refusal(sql), expected, sql) FROM (VALUES
	(format('SELECT changemgmt.record_check(%s, true, ''fine'')', :above), format('MC008 | the result of check %s follows from the number observed', :above)),
	(format('UPDATE changemgmt.change_check SET passed = true WHERE id = %s', :above), format('MC008 | the result of check %s follows from the number observed', :above)),
	(format('UPDATE changemgmt.change_check SET observed = ''fine'' WHERE id = %s', :above), format('MC008 | the result of check %s follows from the number observed', :above)),
	(format('UPDATE changemgmt.change_check SET observed_value = 9, passed = true WHERE id = %s', :above), format('MC008 | the result of check %s follows from the number observed', :above)),
	(format('UPDATE changemgmt.change_check SET observed_value = NULL WHERE id = %s', :above), format('MC008 | check %s has a threshold, and takes a number', :above)),
	(format('UPDATE changemgmt.change_check SET observed_value = NULL, passed = NULL, observed = NULL, checked_at = NULL, checked_by_id = NULL WHERE id = %s', :above), 'MC006 | evidence is not taken away'),
	(format('UPDATE changemgmt.change_check SET threshold = 9 WHERE id = %s', :above), 'MC005 | change_check belongs to the plan.'),
	(format('UPDATE changemgmt.change_check SET observed_value = 3, checked_by_id = changemgmt.person_id(''max'') WHERE id = %s', :above), 'MC003 | checked_by_id of change_check is always who acts'),
	(format('UPDATE changemgmt.change_check SET tripped_at = now() WHERE id = %s', :above), 'MC005 | tripped_at of a check is not written by hand'),
	(format('UPDATE changemgmt.change_check SET observed_value = 3 WHERE id = %s', :plain), format('MC008 | check %s has no threshold, and takes no number', :plain))
) AS v (sql, expected);
UPDATE change_check SET observed_value = 3 WHERE id = :above;
SELECT results_eq(format('SELECT passed, observed FROM change_check WHERE id = %s', :above), $$VALUES (true, '3')$$, 'an UPDATE means the same');
INSERT INTO change_check (change_id, title, threshold, bad_when, observed_value, is_rollback_trigger) VALUES (:c, 'found later', 5, 'above', 9, true);
SELECT results_eq(format('SELECT passed, observed, tripped_at = checked_at, is_planned FROM change_check WHERE id = %s', pg_temp.check_of(:c, 'found later')),
	$$VALUES (false, '9', true, false)$$, 'and so does an INSERT');
SELECT is(pg_temp.refusal(format('INSERT INTO changemgmt.change_check (change_id, title, threshold, bad_when, passed) VALUES (%s, ''t'', 5, ''above'', true)', :c)) LIKE
	'MC008 | check % has a threshold, and takes a number', true, 'which needs the number, too');

-- ----------------------------------------------------------------
-- In the order of time
-- ----------------------------------------------------------------

-- Changes that were deployed a while ago, as history.
CREATE FUNCTION pg_temp.history(id bigint, model text, status text, deployed interval, outcome text DEFAULT '\N') RETURNS text LANGUAGE sql AS
$$
	SELECT pg_temp.copy_rows('changemgmt.change (id, model, type, status, outcome, title, requester_id, owner_id, implementer_id, verified_at, rolled_back_at, rollback_minutes, actual_start, deployed_at, actual_end)',
		concat_ws(E'\t', id, model, CASE WHEN model = 'normal' THEN 'normal' ELSE 'standard' END, status, outcome, 'old ' || status, changemgmt.person_id('olaf'), changemgmt.person_id('olaf'), changemgmt.person_id('ivan'),
			CASE WHEN status = 'implemented' THEN (now() - deployed)::text ELSE '\N' END,
			CASE WHEN status = 'rolled_back' THEN (now() - deployed + interval '10 minutes')::text ELSE '\N' END, 30,
			now() - deployed - interval '1 hour', now() - deployed, now() - deployed))
$$;
SELECT pg_temp.history(id, model, status, deployed, outcome) FROM (VALUES
	(1000, 'standard', 'verifying', interval '2 hours', '\N'), (1001, 'standard', 'implemented', interval '30 hours', 'successful'),
	(1002, 'normal', 'implemented', interval '30 hours', 'successful'), (1003, 'normal', 'implemented', interval '200 hours', 'successful'),
	(1004, 'standard', 'rolled_back', interval '2 hours', 'rolled_back'), (1005, 'standard', 'implemented', interval '3 years', 'successful'),
	(1006, 'lean_standard', 'implemented', interval '30 hours', 'successful'), (1007, 'standard', 'closed', interval '100 hours', 'successful'),
	(1008, 'standard', 'closed', interval '2000 hours', 'successful'), (1009, 'normal', 'verifying', interval '1 hour', '\N'),
	(1010, 'normal', 'implemented', interval '30 hours', 'successful')) AS v (id, model, status, deployed, outcome)
\gexec
SELECT pg_temp.copy_rows('changemgmt.change_check (id, change_id, title, kind, stage, signal, threshold, bad_when, is_rollback_trigger)',
	string_agg(concat_ws(E'\t', id, change_id, title, 'slo', stage, 'errors', 5, 'above', trigger), E'\n'))
FROM (VALUES (2000, 1000, 'rate', 'immediate', true), (2001, 1001, 'rate', 'immediate', true), (2002, 1002, 'rate', 'immediate', true),
	(2003, 1002, 'day', '24_hours', true), (2004, 1002, 'week', '7_days', false), (2005, 1003, 'rate', 'immediate', false), (2006, 1003, 'day', '24_hours', false),
	(2007, 1003, 'week', '7_days', false), (2008, 1004, 'rate', 'immediate', true), (2009, 1005, 'rate', 'immediate', true), (2010, 1006, 'rate', 'immediate', true),
	(2011, 1007, 'rate', 'immediate', true), (2012, 1008, 'rate', 'immediate', true)) AS v (id, change_id, title, stage, trigger)
\gexec

CREATE FUNCTION pg_temp.observed(value numeric, age interval) RETURNS text LANGUAGE sql AS
	$$ SELECT regexp_replace(pg_temp.refusal(format('SELECT changemgmt.record_observation(2000, %s, %L)', value, now() - age)), '(which is of|another value of) .*', '\1') $$;
SELECT revision AS before FROM change WHERE id = 1000 \gset
SELECT is(pg_temp.observed(1, '1 hour'), '', 'the first');
SELECT revision AS after FROM change WHERE id = 1000 \gset
SELECT cmp_ok(:after, '=', :before + 1, 'is an edit of its change');
SELECT is(pg_temp.observed(1, '1 hour'), '', 'the same again is a replay');
SELECT is(pg_temp.observed(1.00, '1 hour'), '', 'written otherwise, too');
SELECT is((SELECT revision FROM change WHERE id = 1000), :after::bigint, 'and leaves no trace');
SELECT is(pg_temp.observed(2, '1 hour'), 'MC008 | check 2000 has another value of', 'another value of the same time');
SELECT is(pg_temp.observed(2, '61 minutes'), 'MC008 | checked_at of change_check lies before the latest result, which is of', 'an older value');
SELECT is(pg_temp.observed(1, '61 minutes'), 'MC008 | checked_at of change_check lies before the latest result, which is of', 'an older value that is the same');
SELECT is(pg_temp.observed(3, '59 minutes'), '', 'a newer one');
SELECT is(pg_temp.observed(3, '30 minutes'), '', 'the same value later is another observation');
SELECT is((row_of).checked_at, now() - interval '30 minutes', 'of its own time') FROM pg_temp.row_of(2000);
SELECT is(pg_temp.observed(3, '59 minutes'), 'MC008 | checked_at of change_check lies before the latest result, which is of', 'a replay of what was passed over');
SELECT is(pg_temp.observed(2, '181 minutes'), 'MC008 | checked_at of change_check lies before the work began', 'one from before the start');
SELECT is(pg_temp.observed(2, '3 years'), 'MC008 | checked_at of change_check lies before the work began', 'one from years before it');
SELECT is(pg_temp.observed(2, '-10 minutes'), 'MC008 | checked_at of change_check lies in the future', 'one from the future');
SELECT is((row_of).observed_value, 3::numeric, 'the latest stands') FROM pg_temp.row_of(2000);
-- work that began years ago
SELECT is(pg_temp.refusal('SELECT changemgmt.record_observation(2009, 1, now() - interval ''2 years'')'), 'MC008 | checked_at of change_check lies more than 30 days back', 'years old');
SELECT is(pg_temp.refusal('SELECT changemgmt.record_observation(2009, 1, now() - interval ''31 days'')'), 'MC008 | checked_at of change_check lies more than 30 days back', 'a month old');
SELECT is(pg_temp.refusal('SELECT changemgmt.record_observation(2009, 1, now() - interval ''29 days'')'), '', 'not so old');
-- by whatever door
SELECT is(pg_temp.refusal('UPDATE changemgmt.change_check SET observed_value = 1, checked_at = now() - interval ''2 hours'' WHERE id = 2000') LIKE 'MC008 | checked_at of change_check lies before the latest result%', true, 'an UPDATE is no way around');
-- a hand-made result, too, is the latest or none
SELECT is(record_check(:plain, true, 'runs'), true, 'somebody looks');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.record_check(%s, false, at => (SELECT actual_start FROM changemgmt.change WHERE id = %s))', :plain, :c)) LIKE
	'MC008 | checked_at of change_check lies before the latest result%', true, 'and does not record later what was seen before');

-- ----------------------------------------------------------------
-- All checks of a signal
-- ----------------------------------------------------------------

CREATE FUNCTION pg_temp.signalled(change_id bigint, value numeric, age interval) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	count integer;
BEGIN
	SELECT changemgmt.record_signal($1, 'errors', $2, now() - $3) INTO count;
	RETURN count || ' ' || coalesce((SELECT string_agg(k.title, ',' ORDER BY k.id) FROM changemgmt.change_check AS k WHERE k.change_id = $1 AND k.observed_value = $2), '');
END
$$;
SELECT is(pg_temp.signalled(1002, 1.1, '29 hours'), '1 rate', 'an hour after deployment it is that of the immediate check');
SELECT is(pg_temp.signalled(1002, 1.2, '6 hours 1 minute'), '1 rate', 'until 24 hours after it');
SELECT is(pg_temp.signalled(1002, 1.3, '6 hours'), '1 day', 'from then on that of the 24 hours');
SELECT is(pg_temp.signalled(1002, 1.4, '1 minute'), '1 day', 'for a week');
SELECT is(pg_temp.signalled(1003, 2.1, '33 hours'), '1 day', 'for a week');
SELECT is(pg_temp.signalled(1003, 2.2, '32 hours'), '1 week', 'then of the 7 days');
SELECT is(pg_temp.signalled(1003, 2.3, '0'), '1 week', 'until it is closed');
SELECT is(record_signal(1003, 'latency', 1), 0, 'a signal that nobody watches');
SELECT is(pg_temp.refusal('SELECT changemgmt.record_signal(' || arguments || ')'), expected, 'record_signal(' || arguments || ')')
FROM (VALUES
	('-1, ''errors'', 1', 'MC008 | change -1 does not exist'),
	('NULL, ''errors'', 1', 'MC008 | the change is null'),
	('1002, ''noise'', 1', 'MC008 | "noise" is no value of signal'),
	('1002, NULL, 1', 'MC008 | no signal is given'),
	('1002, ''errors'', NULL', 'MC008 | no value is given'),
	('1002, ''errors'', ''NaN''', 'MC008 | observed_value of change_check is not a number'),
	('1002, ''errors'', ''Infinity''', 'MC008 | observed_value of change_check is infinite'),
	('1002, ''errors'', 1, now() - interval ''3 years''', 'MC008 | checked_at of change_check lies before the work began'),
	('1005, ''errors'', 1, now() - interval ''31 days''', 'MC008 | checked_at of change_check lies more than 30 days back'),
	('1002, ''latency'', 1, clock_timestamp() + interval ''1 hour''', 'MC008 | checked_at of change_check lies in the future'),
	('1002, ''latency'', 1, ''infinity''', 'MC008 | checked_at of change_check is infinite'),
	('1007, ''errors'', 1', 'MC001 | there is nothing to verify: change 1007 is closed'),
	(:draft || ', ''errors'', 1', format('MC001 | there is nothing to verify: change %s is draft', :draft))
) AS v (arguments, expected);
SELECT pg_temp.made('in_progress', checks => '[{"title": "a", "signal": "errors", "threshold": 5}, {"title": "b", "signal": "errors", "threshold": 1}, {"title": "c", "signal": "errors"},
	{"title": "d", "signal": "latency", "threshold": 5}, {"title": "e", "signal": "errors", "threshold": 5, "stage": "24_hours"}]') AS many \gset
SELECT is(record_signal(:many, 'errors', 3), 2, 'a value is that of every check of the signal');
SELECT results_eq(format('SELECT title, passed FROM change_check WHERE change_id = %s ORDER BY title', :many),
	$$VALUES ('a', true), ('b', false), ('c', NULL), ('d', NULL), ('e', NULL)$$, 'each by its own threshold');

-- ----------------------------------------------------------------
-- A rollback trigger
-- ----------------------------------------------------------------

SELECT pg_temp.made('verifying', checks => '["works", {"title": "rate", "signal": "errors", "threshold": 5, "is_rollback_trigger": true}]') AS t \gset
SELECT pg_temp.check_of(:t, 'works') AS works, pg_temp.check_of(:t, 'rate') AS rate \gset
SET LOCAL changemgmt.actor = 'vera';
SELECT record_check(:works, true) \g /dev/null
SELECT is(record_observation(:rate, 5), true, 'at the threshold');
SELECT is((row_of).tripped_at, NULL, 'nothing trips') FROM pg_temp.row_of(:rate);
SELECT is_empty(format('SELECT * FROM why_not(%s, ''pass'')', :t), 'and it could pass');
SELECT is(record_observation(:rate, 5.1), false, 'above it');
SELECT checked_at AS tripped FROM change_check WHERE id = :rate \gset
SELECT is((row_of).tripped_at, :'tripped'::timestamptz, 'the rollback is tripped') FROM pg_temp.row_of(:rate);
SELECT is(record_observation(:rate, 9), false, 'worse');
SELECT is((row_of).tripped_at, :'tripped'::timestamptz, 'it tripped when it first did') FROM pg_temp.row_of(:rate);
SELECT is(record_observation(:rate, 1), true, 'good again');
SELECT is((row_of).tripped_at, :'tripped'::timestamptz, 'it stays tripped') FROM pg_temp.row_of(:rate);
SELECT is(pg_temp.refusal(sql), expected, sql) FROM (VALUES
	(format('UPDATE changemgmt.change_check SET tripped_at = NULL WHERE id = %s', :rate), 'MC005 | tripped_at of a check is not written by hand'),
	(format('UPDATE changemgmt.change_check SET tripped_at = tripped_at + interval ''1 s'' WHERE id = %s', :rate), 'MC005 | tripped_at of a check is not written by hand'),
	(format('UPDATE changemgmt.change_check SET observed_value = 2, tripped_at = NULL WHERE id = %s', :rate), 'MC005 | tripped_at of a check is not written by hand'),
	(format('UPDATE changemgmt.change_check SET is_rollback_trigger = false WHERE id = %s', :rate), 'MC005 | change_check belongs to the plan.'),
	(format('DELETE FROM changemgmt.change_check WHERE id = %s', :rate), 'MC005 | change_check belongs to the plan.')
) AS v (sql, expected);
SELECT is(requirement || ': ' || message, format('rollback_trigger_clear: check %s "rate" tripped the rollback at %s', :rate, :'tripped'), 'pass is refused, why_not says')
FROM why_not(:t, 'pass');
SELECT is(pg_temp.refusal(sql), expected, sql) FROM (VALUES
	(format('SELECT changemgmt.pass(%s)', :t), format('MC002 | rollback_trigger_clear: check %s "rate" tripped the rollback at %s', :rate, :'tripped')),
	(format('SELECT changemgmt.pass(%s, ''it looks good'')', :t), format('MC002 | rollback_trigger_clear: check %s "rate" tripped the rollback at %s', :rate, :'tripped')),
	(format('UPDATE changemgmt.change SET status = ''implemented'' WHERE id = %s', :t), format('MC002 | rollback_trigger_clear: check %s "rate" tripped the rollback at %s', :rate, :'tripped')),
	(format('UPDATE changemgmt.change SET status = ''implemented'', outcome = ''successful_with_issues'' WHERE id = %s', :t), 'MC002 | reason: pass needs a reason'),
	(format('SELECT changemgmt.pass(%s, issues => '' '')', :t), 'MC002 | reason: pass needs a reason')
) AS v (sql, expected);
SELECT is(pg_temp.tried(sql), '', 'what is left: ' || sql) FROM (VALUES
	(format('SELECT changemgmt.roll_back(%s, ''errors'', ''plan'')', :t)),
	(format('SELECT changemgmt.fail(%s, ''errors'', ''fixed forward'')', :t)),
	(format('SELECT changemgmt.pass(%s, issues => ''one client, whom we told'')', :t)),
	(format('SELECT changemgmt.resume_work(%s, ''a step was left out'')', :t))) AS v (sql);
-- what is not required is not asked for, whenever it was seen
SELECT pg_temp.made('in_progress', checks => '["works", {"title": "rate", "signal": "errors", "threshold": 5, "is_rollback_trigger": true, "is_required": false}]') AS early \gset
SELECT record_observation(pg_temp.check_of(:early, 'rate'), 1), record_check(pg_temp.check_of(:early, 'works'), true), complete(:early) \g /dev/null
SELECT is(pg_temp.tried(format('SELECT changemgmt.pass(%s)', :early)), '', 'a trigger that is not required needs no value');
-- in a model that takes no issues, none passes
SELECT pg_temp.made('verifying', 'lean_standard', '["works", {"title": "rate", "signal": "errors", "threshold": 5, "is_rollback_trigger": true, "is_required": false}]') AS lean \gset
SET LOCAL changemgmt.actor = 'vera';
SELECT record_check(pg_temp.check_of(:lean, 'works'), true), record_observation(pg_temp.check_of(:lean, 'rate'), 9), record_observation(pg_temp.check_of(:lean, 'rate'), 1) \g /dev/null
SELECT is(left(pg_temp.refusal(format('SELECT changemgmt.pass(%s%s)', :lean, more)), 31), 'MC002 | rollback_trigger_clear:', 'lean: no pass' || more)
FROM unnest(ARRAY['', ', issues => ''one client''']) AS more;
SELECT is(pg_temp.tried(format('SELECT changemgmt.roll_back(%s, ''errors'', ''plan'')', :lean)), '', 'lean: rolled back');
SELECT is(pg_temp.tried(format('SELECT changemgmt.waive(%s, ''rollback_trigger_clear'', ''never mind'')', :t), 'max'), 'MC003', 'nobody waives it');
SELECT is(pg_temp.tried('SELECT changemgmt.publish_model(''loose'', ''{"base": "standard", "waivable": ["rollback_trigger_clear"]}'')', 'max'), 'MC008', 'and no model lets it be waived');

-- work that begins anew
SET LOCAL changemgmt.actor = 'ivan';
SELECT revision AS before FROM change WHERE id = :t \gset
SELECT revision AS resumed FROM resume_work(:t, 'a step was left out') \gset
SELECT is((row_of).tripped_at, NULL, 'resume_work clears the trigger') FROM pg_temp.row_of(:rate);
SELECT is((SELECT revision FROM change WHERE id = :t), :resumed::bigint, 'and returns the revision that it leaves');
SELECT is_empty(format('SELECT * FROM changemgmt.verify_ledger(''change'', %s)', :t), 'the trail knows all of it');
SELECT status FROM complete(:t) \g /dev/null
SET LOCAL changemgmt.actor = 'vera';
SELECT is((row_of).passed, true, 'what was good before') FROM pg_temp.row_of(:rate);
SELECT is(pg_temp.refusal(format('SELECT changemgmt.pass(%s)', :t)), format('MC002 | verified: check %s "rate" was not made since the work was complete', :rate),
	'says nothing of the work that began anew');
SELECT is((SELECT state FROM verification WHERE check_id = :rate), 'not due', 'and is as good as none') WHERE now() < (SELECT deployed_at FROM change WHERE id = :t);
SELECT is(pg_temp.tried(format('SELECT changemgmt.record_observation(%s, 1); SELECT changemgmt.pass(%s)', :rate, :t)), '', 'a new value does');
SELECT is(record_observation(:rate, 6), false, 'it trips again');
SELECT isnt((row_of).tripped_at, NULL, 'anew') FROM pg_temp.row_of(:rate);
UPDATE change SET status = 'in_progress', status_reason = 'once more' WHERE id = :t;
SELECT is((row_of).tripped_at, NULL, 'an UPDATE of the status clears it, too') FROM pg_temp.row_of(:rate);
SELECT status FROM complete(:t) \g /dev/null
SELECT is(record_observation(:rate, 6), false, 'and a third time');
SELECT is(outcome, 'successful_with_issues', 'passed with issues') FROM pass(:t, issues => 'one client, whom we told');
SELECT is(status, 'closed', 'and explained it is closed') FROM close(:t);

-- after it passed
SET LOCAL changemgmt.actor = 'vera';
SELECT is(next_verbs, 'fail, begin_rollback, roll_back, close', 'a change that passed') FROM change_state(1001);
SELECT is(pg_temp.tried('SELECT changemgmt.pass(1001, issues => ''slow'')'), 'MC001', 'is not passed again');
SELECT is(pg_temp.tried('SELECT changemgmt.close(1001)'), '', 'it could be closed');
SELECT is(record_observation(2001, 8, now() - interval '7 hours'), false, 'then a value trips');
SELECT is(pg_temp.refusal('SELECT changemgmt.close(1001)') LIKE 'MC002 | rollback_trigger_clear: check 2001 "rate" tripped%', true, 'and it is not closed as successful');
SELECT is(next_verbs, 'pass, fail, begin_rollback, roll_back, close', 'it can be passed again') FROM change_state(1001);
SELECT is(pg_temp.refusal(sql), expected, sql) FROM (VALUES
	('SELECT changemgmt.pass(1001)', ''),
	('SELECT changemgmt.pass(1001, ''seen'', '' '')', 'MC002 | reason: pass needs a reason'),
	('UPDATE changemgmt.change SET outcome = ''successful_with_issues'' WHERE id = 1001', E'MC002 | verified: no check has passed\nreason: pass needs a reason'),
	('UPDATE changemgmt.change SET outcome = NULL WHERE id = 1001', 'MC005 | outcome of change 1001 is not written by hand'),
	('UPDATE changemgmt.change SET outcome = ''rolled_back'' WHERE id = 1001', 'MC005 | outcome of change 1001 is not written by hand')
) AS v (sql, expected);
SELECT is((SELECT outcome FROM change WHERE id = 1001), 'successful', 'without issues nothing happens');
SELECT is(pg_temp.refusal('SELECT changemgmt.pass(1001, ''seen'')'), 'MC001 | Model "standard" has no such step from there.', 'nor is there new evidence for what it was');
-- no required check has passed now, so what was seen is part of it
SELECT is(pg_temp.refusal('SELECT changemgmt.pass(1001, issues => ''one client'')'), 'MC002 | verified: no check has passed', 'something must have been seen to work');
SELECT verified_at AS verified, verifier_id AS verifier FROM change WHERE id = 1001 \gset
SELECT is(outcome, 'successful_with_issues', 'with an explanation it has issues') FROM pass(1001, 'the others order as usual', 'one client, whom we told');
SELECT results_eq('SELECT status, status_reason, verified_at FROM change WHERE id = 1001', format('VALUES (''implemented'', ''one client, whom we told'', %L::timestamptz)', :'verified'), 'which stand, and when it was verified stays');
SELECT is((SELECT event || ': ' || reason FROM ledger WHERE subject_kind = 'change' AND subject_id = 1001 ORDER BY sequence DESC LIMIT 1), 'pass: one client, whom we told', 'also in the trail');
SELECT is(pg_temp.tried('UPDATE changemgmt.change SET outcome = ''successful'' WHERE id = 1001'), 'MC005', 'it is not made better again');
SELECT is(status, 'closed', 'it is closed') FROM close(1001);

-- what was explained before it happened
SELECT record_signal(1002, 'errors', 7), record_check(add_check(1002, 'orders'), true) \g /dev/null
SELECT outcome FROM pass(1002, issues => 'one client') \g /dev/null
SELECT is((SELECT count(*) FROM change_check WHERE change_id = 1002 AND tripped_at IS NOT NULL), 1::bigint, 'a trip that was explained');
SELECT is(pg_temp.refusal('SELECT changemgmt.close(1002)'), 'MC002 | validations_done: no validation 7 days after deployment', 'and the trigger is clear');
SELECT pg_temp.made('verifying', checks => '["works", {"title": "rate", "signal": "errors", "threshold": 5, "is_rollback_trigger": true, "is_required": false}]') AS u \gset
SET LOCAL changemgmt.actor = 'vera';
SELECT record_check(pg_temp.check_of(:u, 'works'), true) \g /dev/null
SELECT outcome FROM pass(:u, issues => 'the page is slow') \g /dev/null
SELECT is(pg_temp.tried(format('SELECT changemgmt.close(%s)', :u)), '', 'passed with issues');
-- the value is of before it passed, and known afterwards
SELECT record_observation(pg_temp.check_of(:u, 'rate'), 8, (SELECT actual_start FROM change WHERE id = :u)) \g /dev/null
SELECT is(left(pg_temp.refusal(format('SELECT changemgmt.close(%s)', :u)), 30), 'MC002 | rollback_trigger_clear', 'which did not explain what tripped later');
SELECT outcome FROM pass(:u, issues => 'the page is slow, and one client is told') \g /dev/null
SELECT is(pg_temp.tried(format('SELECT changemgmt.close(%s)', :u)), '', 'until somebody does');
-- rolled back or failed, there is nothing to explain
SELECT is(pg_temp.tried(sql), '', sql) FROM unnest(ARRAY[
	$$SELECT changemgmt.record_signal(1002, 'errors', 8); SELECT changemgmt.roll_back(1002, 'errors', 'plan'); SELECT changemgmt.confirm_stability(1002); SELECT changemgmt.close(1002)$$,
	$$SELECT changemgmt.record_signal(1002, 'errors', 8); SELECT changemgmt.fail(1002, 'errors', 'fixed'); SELECT changemgmt.confirm_stability(1002); SELECT changemgmt.close(1002)$$]) AS sql;
-- no issues in lean
SELECT is(record_observation(2010, 8, now() - interval '7 hours'), false, 'lean: a value trips after it passed');
SELECT is(pg_temp.tried('SELECT changemgmt.pass(1006, ''seen'', ''slow'')'), 'MC001', 'lean: it has no issues');
SELECT is(pg_temp.tried('SELECT changemgmt.close(1006)'), 'MC002', 'lean: nor is it closed');
SELECT is(pg_temp.tried('SELECT changemgmt.fail(1006, ''errors'', ''fixed forward'')'), '', 'lean: it failed');

-- a validation that fails, in a model that asks for them
SELECT record_signal(1003, 'errors', 9) AS n \gset
SELECT record_observation(2005, 1), record_observation(2006, 1) \g /dev/null
SELECT is(pg_temp.refusal('SELECT changemgmt.close(1003)'), 'MC002 | validations_done: the 7_days validation "week" failed', 'bars closing as successful');
SELECT is(pg_temp.tried('SELECT changemgmt.pass(1003, ''seen'', ''slow on Mondays'')', 'ivan'), 'MC004', 'duties stay apart');
SELECT is(outcome, 'successful_with_issues', 'with an explanation') FROM pass(1003, issues => 'slow on Mondays, until the new hardware is there');
-- one that was made stands in for none that is required
SELECT is(pg_temp.refusal('SELECT changemgmt.add_check(1003, ''another'', stage => ''7_days''); SELECT changemgmt.close(1003)'),
	'MC002 | validations_done: the 7_days validation "another" was not made', 'each that is required is made');
SELECT is(pg_temp.tried('SELECT changemgmt.add_check(1003, ''another'', stage => ''7_days'', is_required => false); SELECT changemgmt.close(1003)'), '', 'and what is not required can be left out');
SELECT is(status, 'closed', 'it is closed') FROM close(1003);

-- ----------------------------------------------------------------
-- After a rollback, and after the end
-- ----------------------------------------------------------------

SELECT is(pg_temp.refusal('SELECT changemgmt.record_observation(2008, 1)'), 'MC001 | there is nothing to verify any more: change 1004 is rolled_back', 'a value seen after a rollback');
SELECT is(pg_temp.refusal('SELECT changemgmt.record_signal(1004, ''errors'', 1)'), 'MC001 | there is nothing to verify any more: change 1004 is rolled_back', 'and a signal');
SELECT is(pg_temp.refusal('SELECT changemgmt.record_observation(2008, 7, now() - interval ''115 minutes'')'), '', 'what was seen before can be reported');
SELECT is((row_of).tripped_at, now() - interval '115 minutes', 'and trips') FROM pg_temp.row_of(2008);
SELECT is(record_check(add_check(1004, 'orders are there again'), true), true, 'what somebody says of it afterwards is evidence beside it');
SELECT is(pg_temp.refusal('SELECT changemgmt.record_observation(2011, 1)'), 'MC001 | there is nothing to verify: change 1007 is closed', 'after the end nothing is verified');
SELECT is(pg_temp.refusal('SELECT changemgmt.record_observation(2011, 1, now() - interval ''3 days'')'), 'MC001 | there is nothing to verify: change 1007 is closed', 'not even late');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.record_observation(%s, 1)', pg_temp.check_of(:document, 'rate'))), format('MC001 | there is nothing to verify: change %s is draft', :document), 'nor before the start');

-- ----------------------------------------------------------------
-- What is due, and what is missing
-- ----------------------------------------------------------------

SELECT results_eq('SELECT check_id, title, stage, due_at, state FROM verification WHERE change_id = 1010 ORDER BY due_at',
	$$VALUES (NULL::bigint, 'validation 24 hours after deployment', '24_hours', now() - interval '6 hours', 'due'),
	(NULL, 'validation 7 days after deployment', '7_days', now() + interval '138 hours', 'not due')$$, 'stages that the model asks for and nobody planned');
SELECT results_eq('SELECT title, missing_count, missing, since, age_hours, owner, status, outcome FROM unverified_change WHERE change_id = 1010',
	$$VALUES ('old implemented', 1, 'validation 24 hours after deployment: due', now() - interval '6 hours', 6::double precision, 'olaf', 'implemented', 'successful')$$, 'one of them is missing');
SELECT add_check(1010, 'day', 'slo', '24_hours') AS day, add_check(1010, 'extra', stage => '24_hours', is_required => false) AS extra \gset
SELECT is((SELECT missing FROM unverified_change WHERE change_id = 1010), 'day: due', 'then the check that is planned for it is');
SELECT record_check(:day, true, at => now() - interval '7 hours') \g /dev/null
SELECT is((SELECT missing FROM unverified_change WHERE change_id = 1010), 'day: due', 'also with a result of before its time, which does not count');
SELECT is((SELECT state FROM verification WHERE check_id = :day), 'due', 'in both views');
SELECT record_check(:day, false) \g /dev/null
SELECT is((SELECT missing FROM unverified_change WHERE change_id = 1010), 'day: failed', 'or one that failed');
SELECT record_check(:day, true) \g /dev/null
SELECT is((SELECT count(*) FROM unverified_change WHERE change_id = 1010), 0::bigint, 'and none with one that passed; what is not required is not missing');
SELECT results_eq('SELECT title, state FROM verification WHERE change_id = 1010 ORDER BY title', $$VALUES ('day', 'passed'), ('extra', 'due'), ('validation 7 days after deployment', 'not due')$$, 'each of them');
SELECT results_eq('SELECT missing, since FROM unverified_change WHERE change_id = 1000', $$SELECT NULL::text, NULL::timestamptz WHERE false$$, 'what is verified is not missing');
SELECT record_observation(2000, 9) \g /dev/null
SELECT is((SELECT missing FROM unverified_change WHERE change_id = 1000), 'rate: tripped', 'what tripped is, before somebody decides');
SELECT results_eq('SELECT missing, since, status FROM unverified_change WHERE change_id = 1007', $$VALUES ('rate: not made', now() - interval '100 hours', 'closed')$$, 'closed without its evidence');
SELECT is((SELECT count(*) FROM unverified_change WHERE change_id = 1008), 0::bigint, 'for a month');
SELECT is((SELECT count(*) FROM unverified_change WHERE change_id IN (1001, 1002, 1003, 1004)), 0::bigint, 'explained and rolled back, nothing is missing');
SELECT is((SELECT count(*) FROM verification WHERE change_id = 1004 AND state = 'not made'), 0::bigint, 'after a rollback with a value');
SELECT results_eq(format('SELECT state, due_at FROM verification WHERE change_id = %s AND title = ''rate''', :document), $$VALUES ('not due', NULL::timestamptz)$$, 'a plan has no time yet');
-- a model that is not there any more makes no view fail
SELECT pg_temp.history(1011, 'gone', 'implemented', interval '30 hours', 'successful')
\gexec
SELECT is(model_validations('gone', 0), NULL, 'what a model that nobody knows wants');
SELECT is(model_validations('normal', 0), '{24_hours,7_days}', 'and one that ships');
SELECT is(model_validations('lean_normal', 0), '{}', 'and one that wants none');
SELECT is((SELECT count(*) FROM unverified_change WHERE change_id = 1011), 0::bigint, 'is not said to be missing');

-- what it costs depends on what is open: each table is reached by an index, for one
-- change or for what ended lately
CREATE FUNCTION pg_temp.unconditional(of text) RETURNS SETOF text LANGUAGE plpgsql AS
$$
DECLARE
	line text;
	node text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || of LOOP
		IF line ~ ' on change(_check)? ' THEN
			RETURN NEXT node;
			node := trim(line);
		ELSIF line ~ '(Index|Recheck) Cond' THEN
			node := NULL;
		END IF;
	END LOOP;
	RETURN NEXT node;
END
$$;
SET LOCAL enable_seqscan = off;
SELECT is_empty($$SELECT node FROM pg_temp.unconditional('SELECT * FROM changemgmt.unverified_change') AS node WHERE node IS NOT NULL$$,
	'unverified_change does not read the history');
SELECT isnt_empty($$SELECT node FROM pg_temp.unconditional('SELECT * FROM changemgmt.verification') AS node WHERE node IS NOT NULL$$,
	'as asking for all checks does');
SET LOCAL enable_seqscan = on;

-- ----------------------------------------------------------------
-- Rollbacks
-- ----------------------------------------------------------------

SELECT is_empty($$SELECT unnest('{vendor,human,dependency,plan,testing,environment,capacity,unknown}'::text[]) EXCEPT SELECT code FROM code_list() WHERE list = 'cause_class'$$, 'the classes of causes');
SELECT pg_temp.made('verifying') AS r \gset
SET LOCAL changemgmt.actor = 'ivan';
SELECT begin_rollback(:r, actual_start) FROM change WHERE id = :r \g /dev/null
SELECT is((SELECT count(*) FROM rollback WHERE change_id = :r), 0::bigint, 'one that is under way is not done');
SELECT roll_back(:r, 'errors above 5 %', 'vendor') \g /dev/null
SELECT is(pg_temp.tried(format('SELECT changemgmt.close(%s)', :r)), 'MC002', 'it is not closed before somebody says that it is stable');
SELECT confirm_stability(:r) \g /dev/null
SELECT status FROM close(:r) \g /dev/null
SELECT results_eq(format('SELECT number, cause_class, reason, started_at, ended_at, planned_minutes, within_plan, stability_confirmed_by, stability_confirmed_at IS NOT NULL, backed_out_by FROM rollback WHERE change_id = %s', :r),
	format('SELECT change_number(id), ''vendor'', ''errors above 5 %%'', rollback_started_at, rolled_back_at, 30, true, ''ivan'', true, NULL FROM change WHERE id = %s', :r), 'a rollback, when it is closed, too');
SELECT is((SELECT minutes FROM rollback WHERE change_id = :r), (SELECT (extract(epoch FROM rolled_back_at - rollback_started_at) / 60)::float8 FROM change WHERE id = :r), 'with its minutes');
SELECT results_eq('SELECT reason, started_at, minutes, planned_minutes, within_plan FROM rollback WHERE change_id = 1004', 'VALUES (NULL::text, NULL::timestamptz, NULL::float8, 30, NULL::boolean)', 'what nobody recorded is not known');
SELECT pg_temp.copy_rows('changemgmt.change (id, model, type, status, outcome, title, rollback_minutes, rollback_started_at, rolled_back_at, actual_start, actual_end)',
	string_agg(concat_ws(E'\t', id, 'standard', 'standard', 'closed', 'rolled_back', 'timed', 30, now() - interval '1 day', now() - interval '1 day' + took, now() - interval '2 days', now() - interval '1 day'), E'\n'))
FROM (VALUES (1020, interval '29 minutes'), (1021, interval '30 minutes'), (1022, interval '30 minutes 1 second')) AS v (id, took)
\gexec
SELECT results_eq('SELECT change_id, within_plan FROM rollback WHERE change_id BETWEEN 1020 AND 1022 ORDER BY 1', 'VALUES (1020::bigint, true), (1021, true), (1022, false)', 'against the plan');

-- after closing, another change backs it out
SELECT pg_temp.made('verifying', checks => '["works"]') AS done \gset
SET LOCAL changemgmt.actor = 'vera';
SELECT record_check(pg_temp.check_of(:done), true) \g /dev/null
SELECT advance(:done, 'closed') \g /dev/null
SELECT is((SELECT is_failed FROM change_fact WHERE change_id = :done), false, 'a change that went well');
SELECT pg_temp.made('in_progress') AS back \gset
SELECT link_change(:back, 'backs_out', :done) \g /dev/null
SELECT is((SELECT is_failed FROM change_fact WHERE change_id = :done), true, 'counts as failed when another backs it out after it was closed');
SELECT results_eq(format('SELECT reason, backed_out_by, started_at, ended_at FROM rollback WHERE change_id = %s', :done),
	format('SELECT ''j'', change_number(id), actual_start, NULL::timestamptz FROM change WHERE id = %s', :back), 'and stands among the rollbacks');
SELECT is((SELECT outcome FROM change WHERE id = :done), 'successful', 'what was decided then stays');
-- what was only thought of, or came to nothing, took nothing back
SELECT link_change(pg_temp.made('draft'), 'backs_out', :done), abort(:back, 'too late') \g /dev/null
SELECT is_empty(format('SELECT FROM rollback WHERE change_id = %s', :done), 'a draft is no rollback, nor is one that was aborted');

-- whose end is reported late: what was seen before it began anew still does not count
SELECT id AS late FROM declare_emergency('orders are lost', 'INC-late', 'max', 'data_at_risk', actual_start => now() - interval '3 hours') \gset
SELECT add_signal_check(:late, 'rate', 'errors', 5, is_rollback_trigger => true) AS late_rate,
	add_signal_check(:late, 'side', 'latency', 5, is_rollback_trigger => true, is_required => false) AS late_side, add_check(:late, 'works') AS works \gset
SELECT record_check(:works, true), record_observation(:late_side, 1, now() - interval '60 min'), record_observation(:late_rate, 9, now() - interval '80 min'),
	record_observation(:late_rate, 1, now() - interval '70 min') \g /dev/null
SELECT complete(:late) \g /dev/null
SELECT resume_work(:late, 'not yet') \g /dev/null
SELECT complete(:late, now() - interval '2 hours') \g /dev/null
SELECT set_eq(format('SELECT message FROM changemgmt.why_not(%s, ''pass'')', :late), ARRAY[format('check %s "rate" was not made since the work was complete', :late_rate)], 'a value from before it does not count');
SELECT is(pg_temp.tried(format('SELECT changemgmt.pass(%s)', :late)), 'MC002', 'whatever end is given');
SELECT record_observation(:late_rate, 2, now() - interval '30 min') \g /dev/null
SELECT is_empty(format('SELECT message FROM changemgmt.why_not(%s, ''pass'')', :late), 'one that is recorded after it does, of its own time');

-- ----------------------------------------------------------------
-- What an approval is given for
-- ----------------------------------------------------------------

CREATE FUNCTION pg_temp.fresh(of bigint, edit text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM set_config('changemgmt.actor', 'olaf', true);
	EXECUTE edit;
	RETURN coalesce((SELECT message FROM changemgmt.why_not(of, 'start') WHERE requirement = 'seal_fresh'), 'fresh');
END
$$;
SELECT pg_temp.made('scheduled', checks => '["plain", {"title": "rate", "signal": "errors", "threshold": 5}]') AS s \gset
SELECT is(pg_temp.fresh(:s, format('UPDATE changemgmt.change_check SET %s WHERE change_id = %s AND title = %L', edit, :s, called)), seal, called || ': ' || edit)
FROM (VALUES
	(1, 'rate', 'threshold = 6', 'the plan was edited after it was approved'), (2, 'rate', 'threshold = 5', 'fresh'),
	(3, 'rate', 'is_rollback_trigger = true', 'the plan was edited after it was approved'), (4, 'rate', 'is_rollback_trigger = false', 'fresh'),
	(5, 'plain', 'signal = ''latency''', 'the plan was edited after it was approved'), (6, 'plain', 'signal = NULL', 'fresh'),
	(7, 'plain', 'baseline = 1', 'the plan was edited after it was approved'), (8, 'plain', 'baseline = NULL', 'fresh'),
	(9, 'rate', 'bad_when = ''below''', 'the plan was edited after it was approved'), (10, 'rate', 'bad_when = ''above''', 'fresh'))
	AS v (n, called, edit, seal);

-- as it stood
SELECT is(change_document(:t) #> '{change_check,1}' ->> 'observed_value', '6', 'a document has the numbers');
SELECT is(change_document(:t) #> '{change_check,1}' ->> 'threshold', '5', 'and what they were held against');
SELECT is_empty('SELECT * FROM verify_ledger(''change'')', 'the trail explains all of it');

SELECT * FROM finish();
ROLLBACK;
