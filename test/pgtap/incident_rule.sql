-- What becomes of incidents: recorded, edited, resolved, reopened, merged; and
-- what can be said to have caused them.
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'UTC';

CREATE FUNCTION pg_temp.refusal(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	m text;
BEGIN
	EXECUTE sql;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT;
	RETURN SQLSTATE || ' ' || m;
END $$;
CREATE FUNCTION pg_temp.row_of(incident text) RETURNS jsonb LANGUAGE sql AS
	$$SELECT to_jsonb(i) - '{id,created_at,recorded_by_id}'::text[] FROM changemgmt.incident AS i WHERE i.reference = incident$$;

SET LOCAL client_min_messages = warning;
SELECT changemgmt.set_setting('reporting_time_zone', 'UTC') \g /dev/null
SELECT changemgmt.add_person(login) FROM unnest('{ann,bob}'::text[]) AS login \g /dev/null
SELECT changemgmt.add_ci(name) FROM unnest('{web,db,disk}'::text[]) AS name \g /dev/null
SET LOCAL changemgmt.actor = 'ann';

-- recording: any number of times, each part once

SELECT changemgmt.record_incident('R1') AS r1 \gset
SELECT is((SELECT array_agg(key ORDER BY key) FROM jsonb_each(pg_temp.row_of('R1')) WHERE value <> 'null'), '{reference,reopen_count}', 'a reference alone is a stub');
SELECT is((SELECT recorded_by_id FROM changemgmt.incident WHERE id = :r1), changemgmt.person_id('ann'), 'and says who recorded it');
SELECT is(changemgmt.record_incident('R1', 'Shop is down', 1, 'outage', now() - interval '3 hours', now() - interval '2 hours', NULL, '{web,db,web}', NULL, 'pager'),
	:r1::bigint, 'more of it fills in the stub');
SELECT results_eq($$SELECT title, severity, kind, began_at, detected_at, resolved_at, outage_minutes, source FROM changemgmt.incident WHERE reference = 'R1'$$,
	$$VALUES ('Shop is down', 1, 'outage', now() - interval '3 hours', now() - interval '2 hours', NULL::timestamptz, NULL::int, 'pager')$$, 'with what is said');
SELECT is((SELECT string_agg(c.name, ' ' ORDER BY c.name) FROM changemgmt.incident_item AS i JOIN changemgmt.configuration_item AS c ON c.id = i.ci_id WHERE incident_id = :r1),
	'db web', 'and its items, each once');
SELECT count(*) AS entries FROM changemgmt.ledger \gset
SELECT is(changemgmt.record_incident('R1', 'Shop is down', 1, 'outage', now() - interval '3 hours', now() - interval '2 hours', NULL, '{web,db}', NULL, 'pager'),
	:r1::bigint, 'the same message once more');
SELECT is(changemgmt.record_incident('R1', severity => 1), :r1::bigint, 'or a part of it');
SELECT is((SELECT count(*) FROM changemgmt.ledger), :entries::bigint, 'leaves no trace');
SELECT is(changemgmt.record_incident('R1', resolved_at => now() - interval '1 hour', items => '{disk}', outage_minutes => 45), :r1::bigint, 'it is over');
SELECT is((SELECT row(resolved_at, outage_minutes, (SELECT count(*) FROM changemgmt.incident_item WHERE incident_id = :r1))::text FROM changemgmt.incident WHERE id = :r1),
	row(now() - interval '1 hour', 45, 3)::text, 'since then');
SELECT is(pg_temp.refusal(sql), expected, sql) FROM (VALUES
	('SELECT changemgmt.record_incident(''R1'', ''Other'')', 'MC009 incident "R1" is recorded with other values'),
	('SELECT changemgmt.record_incident(''R1'', severity => 2)', 'MC009 incident "R1" is recorded with other values'),
	('SELECT changemgmt.record_incident(''R1'', kind => ''data'')', 'MC009 incident "R1" is recorded with other values'),
	('SELECT changemgmt.record_incident(''R1'', began_at => now())', 'MC009 incident "R1" is recorded with other values'),
	('SELECT changemgmt.record_incident(''R1'', detected_at => now())', 'MC009 incident "R1" is recorded with other values'),
	('SELECT changemgmt.record_incident(''R1'', resolved_at => now())', 'MC009 incident "R1" is recorded with other values'),
	('SELECT changemgmt.record_incident(''R1'', outage_minutes => 46)', 'MC009 incident "R1" is recorded with other values'),
	('SELECT changemgmt.record_incident(''R1'', source => ''mail'')', 'MC009 incident "R1" is recorded with other values'),
	('SELECT changemgmt.record_incident(NULL)', 'MC008 an incident is recorded without a reference'),
	('SELECT changemgmt.record_incident('' '')', 'MC008 an incident is recorded without a reference'),
	('SELECT changemgmt.record_incident(''R1'', items => ''{nothing}'')', 'MC008 configuration item "nothing" does not exist'),
	('SELECT changemgmt.record_incident(''R1'', items => ''{NULL}'')', 'MC008 configuration item "" does not exist'),
	('SELECT changemgmt.record_incident(''R1'', items => ''{}'')', 'done')) AS v (sql, expected);
-- the reference is one, whatever it looks like
SELECT isnt(changemgmt.record_incident(:'r1'), :r1::bigint, 'a reference that looks like the id of another is recorded as a reference');
SELECT is(changemgmt.incident_id(:'r1'), (SELECT id FROM changemgmt.incident WHERE reference = :'r1'), 'and goes before the id from then on');

-- what no incident can be, by any door

CREATE TEMP TABLE impossible (given text, expected text);
INSERT INTO impossible VALUES
	('severity => 0', 'severity 0 is not between 1 and 5'), ('severity => 6', 'severity 6 is not between 1 and 5'),
	('kind => ''fire''', '"fire" is no value of kind'), ('outage_minutes => -1', 'outage_minutes -1 is negative'),
	('began_at => ''infinity''', 'began_at of an incident is infinite'), ('began_at => ''-infinity''', 'began_at of an incident is infinite'),
	('detected_at => ''infinity''', 'detected_at of an incident is infinite'), ('resolved_at => ''-infinity''', 'resolved_at of an incident is infinite'),
	('began_at => now() + interval ''1 hour''', 'began_at of an incident lies in the future'),
	('detected_at => now() + interval ''1 hour''', 'detected_at of an incident lies in the future'),
	('resolved_at => now() + interval ''1 hour''', 'resolved_at of an incident lies in the future'),
	('began_at => now() - interval ''1 hour'', resolved_at => now() - interval ''2 hours''', 'an incident is resolved before it began'),
	('began_at => now() - interval ''1 hour'', detected_at => now() - interval ''2 hours''', 'an incident is detected before it began');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.record_incident(''X'', %s)', given)), 'MC008 ' || expected, 'recorded with ' || given) FROM impossible;
SELECT is(pg_temp.refusal(format('INSERT INTO changemgmt.incident (reference, %s) SELECT ''X'', %s', string_agg(split_part(g, ' => ', 1), ', '), string_agg(split_part(g, ' => ', 2), ', '))),
	'MC008 ' || expected, 'inserted with ' || given)
FROM impossible, regexp_split_to_table(given, ', ') AS g GROUP BY given, expected;
SELECT changemgmt.record_incident('BARE') \g /dev/null
SELECT is(pg_temp.refusal(format('UPDATE changemgmt.incident SET %s WHERE reference = ''BARE''', replace(given, '=>', '='))), 'MC008 ' || expected, 'updated to ' || given) FROM impossible;
SELECT is(pg_temp.refusal('INSERT INTO changemgmt.incident (reference) VALUES ('' '')'), 'MC008 the reference of an incident is empty', 'an empty reference');
SELECT is(pg_temp.refusal('UPDATE changemgmt.incident SET began_at = now() + interval ''3 minutes'' WHERE reference = ''BARE'''), 'done', 'clocks may differ by minutes');
SELECT is((SELECT count(*) FROM changemgmt.incident WHERE reference = 'X'), 0::bigint, 'what is refused leaves nothing');
SELECT is(changemgmt.record_incident('SOON', detected_at => now() - interval '1 hour', resolved_at => now() - interval '2 hours') > 0, true, 'it may be over before it is noticed');
-- history is stored as it is, and stays until it is written
COPY changemgmt.incident (reference, began_at, detected_at, kind) FROM stdin;
OLD	2030-01-01	2029-01-01	\N
\.
SELECT is(pg_temp.refusal('UPDATE changemgmt.incident SET title = ''from the future'' WHERE reference = ''OLD'''), 'done', 'history is as it was, but for what is written of it');
SELECT is(pg_temp.refusal('UPDATE changemgmt.incident SET detected_at = ''2029-02-01'' WHERE reference = ''OLD'''), 'MC008 detected_at of an incident lies in the future', 'by the rules');

-- corrections

SELECT changemgmt.edit_incident('R1', '{"severity": 2, "title": "Shop is slow", "kind": "degradation", "outage_minutes": null}') \g /dev/null
SELECT results_eq($$SELECT title, severity, kind, outage_minutes, source, detected_at FROM changemgmt.incident WHERE reference = 'R1'$$,
	$$VALUES ('Shop is slow', 2, 'degradation', NULL::int, 'pager', now() - interval '2 hours')$$, 'a patch changes what it names');
SELECT is(pg_temp.refusal(sql), expected, sql) FROM (VALUES
	('SELECT changemgmt.edit_incident(''R1'', ''{"severity": 9}'')', 'MC008 severity 9 is not between 1 and 5'),
	('SELECT changemgmt.edit_incident(''R1'', ''{"severity": "much"}'')', 'MC008 invalid input syntax for type integer: "much"'),
	('SELECT changemgmt.edit_incident(''R1'', ''{"began_at": "never"}'')', 'MC008 invalid input syntax for type timestamp with time zone: "never"'),
	('SELECT changemgmt.edit_incident(''R1'', ''{"reference": "R2"}'')', 'MC008 "reference" of an incident is not edited'),
	('SELECT changemgmt.edit_incident(''R1'', ''{"resolved_at": null}'')', 'MC008 "resolved_at" of an incident is not edited'),
	('SELECT changemgmt.edit_incident(''R1'', ''[]'')', 'MC008 the patch of an incident is no JSON object'),
	('SELECT changemgmt.edit_incident(''R1'', NULL)', 'MC008 the patch of an incident is no JSON object'),
	('SELECT changemgmt.edit_incident(''R9'', ''{}'')', 'MC008 incident "R9" does not exist')) AS v (sql, expected);

-- resolved and open again

SELECT changemgmt.record_incident('S1', 'Search', began_at => now() - interval '5 hours') \g /dev/null
SELECT changemgmt.resolve_incident('S1', now() - interval '4 hours', 50) \g /dev/null
SELECT is(pg_temp.refusal(sql), expected, sql) FROM (VALUES
	('SELECT changemgmt.resolve_incident(''S1'')', 'done'),
	('SELECT changemgmt.resolve_incident(''S1'', now() - interval ''4 hours'')', 'done'),
	('SELECT changemgmt.resolve_incident(''S1'', now() - interval ''3 hours'')', 'MC008 incident "S1" is resolved already, at another time'),
	('SELECT changemgmt.resolve_incident(''S9'')', 'MC008 incident "S9" does not exist'),
	('SELECT changemgmt.resolve_incident(NULL)', 'MC008 incident "" does not exist'),
	('SELECT changemgmt.reopen_incident(''S1'', NULL)', 'MC002 who reopens an incident says why'),
	('SELECT changemgmt.reopen_incident(''S1'', '' '')', 'MC002 who reopens an incident says why'),
	('UPDATE changemgmt.incident SET resolved_at = NULL WHERE reference = ''S1''', 'MC002 who reopens an incident says why'),
	('SELECT changemgmt.reopen_incident(''S9'', ''again'')', 'MC008 incident "S9" does not exist')) AS v (sql, expected);
SELECT results_eq($$SELECT resolved_at, outage_minutes FROM changemgmt.incident WHERE reference = 'S1'$$, $$VALUES (now() - interval '4 hours', 50)$$, 'said again it is as it was');
SELECT changemgmt.resolve_incident('S1', outage_minutes => 55) \g /dev/null
SELECT is((SELECT outage_minutes FROM changemgmt.incident WHERE reference = 'S1'), 55, 'the minutes are corrected by saying them again');
SELECT changemgmt.reopen_incident('S1', 'Slow again.') \g /dev/null
SELECT results_eq($$SELECT resolved_at IS NULL, reopen_count, reopened_at >= now(), status_reason, outage_minutes FROM changemgmt.incident WHERE reference = 'S1'$$,
	$$VALUES (true, 1, true, 'Slow again.', 55)$$, 'open again, with the reason');
SELECT is(pg_temp.refusal(sql), expected, sql) FROM (VALUES
	('SELECT changemgmt.reopen_incident(''S1'', ''Slow again.'')', 'done'),
	('SELECT changemgmt.reopen_incident(''S1'', ''Once more.'')', 'MC008 incident "S1" is not resolved'),
	('SELECT changemgmt.resolve_incident(''S1'', now() - interval ''1 hour'')', 'MC008 an incident is resolved before it was reopened'),
	('SELECT changemgmt.record_incident(''S1'', ''Search'', resolved_at => now() - interval ''4 hours'', outage_minutes => 55)', 'done')) AS v (sql, expected);
SELECT is((SELECT resolved_at FROM changemgmt.incident WHERE reference = 'S1'), NULL, 'a message from before it was reopened does not resolve it');
SELECT changemgmt.resolve_incident('S1', outage_minutes => 80) \g /dev/null
SELECT results_eq($$SELECT resolved_at >= reopened_at, reopen_count, status_reason, outage_minutes FROM changemgmt.incident WHERE reference = 'S1'$$,
	$$VALUES (true, 1, NULL::text, 80)$$, 'resolved again: minutes are those of all of it');
UPDATE changemgmt.incident SET resolved_at = NULL, status_reason = 'by hand', reopen_count = 0, reopened_at = NULL WHERE reference = 'S1';
SELECT results_eq($$SELECT reopen_count, reopened_at IS NOT NULL FROM changemgmt.incident WHERE reference = 'S1'$$, 'VALUES (2, true)', 'an UPDATE counts, too, whatever it says of the count');

-- causes: who said so, and what can be said

SELECT changemgmt.create_change('never begun', model => 'normal') AS c \g /dev/null
SELECT id AS planned FROM changemgmt.change WHERE title = 'never begun' \gset
SELECT id AS early FROM changemgmt.record_unauthorized('early', 'log', now() - interval '6 hours', now() - interval '330 minutes', items => '{db}') \gset
SELECT id AS late FROM changemgmt.record_unauthorized('late', 'log', now() - interval '1 hour', now() - interval '30 minutes', items => '{db}') \gset
SELECT id AS other FROM changemgmt.record_unauthorized('other', 'log', now() - interval '9 hours', now() - interval '8 hours', items => '{web}') \gset
SELECT id AS aborted FROM changemgmt.declare_emergency('aborted', 'S2', 'ann', 'data_at_risk') \gset
SELECT changemgmt.abort(:aborted, 'nothing was applied') \g /dev/null
SELECT changemgmt.record_incident('C1', began_at => now() - interval '5 hours') AS c1 \gset
SELECT is(pg_temp.refusal(format(sql, :planned, :early, :late, :aborted)), expected, sql) FROM (VALUES
	('SELECT changemgmt.confirm_cause(''C1'', %1$s)', 'MC008 CHG0000001 was never carried out and cannot have caused an incident'),
	('SELECT changemgmt.confirm_cause(''C1'', %4$s)', 'MC008 CHG0000005 was never carried out and cannot have caused an incident'),
	('SELECT changemgmt.confirm_cause(''C1'', %3$s)', 'MC008 CHG0000003 began after incident "C1" did and cannot have caused it'),
	('SELECT changemgmt.confirm_cause(''C1'', 77)', 'MC008 change 77 does not exist'),
	('SELECT changemgmt.confirm_cause(''C1'', 77, false)', 'MC008 change 77 does not exist'),
	('SELECT changemgmt.suspect_cause(''C1'', 77)', 'MC008 change 77 does not exist'),
	('SELECT changemgmt.confirm_cause(NULL, %2$s)', 'MC008 no incident is named'),
	('SELECT changemgmt.confirm_cause('''', %2$s)', 'MC008 no incident is named'),
	('SELECT changemgmt.confirm_cause(''C1'', %2$s, NULL)', 'MC008 it is not said whether the change caused the incident'),
	('SELECT changemgmt.confirm_cause(''C1'', %1$s, false)', 'done'),
	('SELECT changemgmt.suspect_cause(''C1'', %3$s, ''it looks so'')', 'done'),
	('SELECT changemgmt.confirm_cause(''C1'', %3$s)', 'MC008 CHG0000003 began after incident "C1" did and cannot have caused it'),
	('SELECT changemgmt.suspect_cause(''C1'', %2$s)', 'done'),
	('SELECT changemgmt.suspect_cause(''C1'', %2$s, ''db was slow'')', 'done'),
	('SELECT changemgmt.suspect_cause(''C1'', %2$s)', 'done'),
	('SELECT changemgmt.suspect_cause(''C1'', %1$s)', 'MC001 CHG0000001 is decided about already'),
	('INSERT INTO changemgmt.incident_cause (incident_id, change_id, status) VALUES (changemgmt.incident_id(''C2''), %1$s, ''confirmed'')',
	 'MC008 CHG0000001 was never carried out and cannot have caused an incident'),
	('INSERT INTO changemgmt.incident_cause (incident_id, change_id) VALUES (77777, %1$s)', 'MC008 incident "77777" does not exist'),
	('INSERT INTO changemgmt.incident_cause (incident_id, change_id) VALUES (1, 77)', 'MC008 change 77 does not exist'),
	('UPDATE changemgmt.incident_cause SET status = ''confirmed'' WHERE change_id = %3$s', 'MC008 CHG0000003 began after incident "C1" did and cannot have caused it')) AS v (sql, expected);
SELECT results_eq(format($$SELECT reason, status, suspected_by, decided_by, suspected_at = now(), decided_at IS NULL, minutes_between, is_late FROM changemgmt.incident_change WHERE change_id = %s$$, :early),
	$$VALUES ('db was slow', 'suspected', 'ann', NULL::text, true, true, 30::bigint, false)$$, 'a suspicion, with its reason and who has it');
SELECT results_eq(format($$SELECT minutes_between, status FROM changemgmt.incident_change WHERE change_id = %s$$, :late), $$VALUES (NULL::bigint, 'suspected')$$, 'what began later is no minutes before');
SELECT is((SELECT f.is_failed FROM changemgmt.change_fact AS f WHERE change_id = :early), false, 'and counts for nothing');
-- forged, as far as that goes
SET LOCAL changemgmt.actor = 'bob';
UPDATE changemgmt.incident_cause SET status = 'confirmed', decided_by_id = changemgmt.person_id('ann'), decided_at = '2020-01-01', suspected_by_id = changemgmt.person_id('bob')
WHERE change_id = :early;
INSERT INTO changemgmt.incident_cause (incident_id, change_id, status, decided_by_id, decided_at, withdrawn_at)
VALUES (:c1, :other, 'dismissed', changemgmt.person_id('ann'), '2020-01-01', '2020-01-01');
SELECT results_eq($$SELECT title, suspected_by, decided_by, decided_at = now(), status FROM changemgmt.incident_change WHERE title IN ('early', 'other') ORDER BY title$$,
	$$VALUES ('early', 'ann', 'bob', true, 'confirmed'), ('other', NULL, 'bob', true, 'dismissed')$$, 'who decides is who does it');
SELECT is((SELECT withdrawn_at FROM changemgmt.incident_cause WHERE change_id = :other), NULL, 'what was never confirmed is not withdrawn');
UPDATE changemgmt.incident_cause SET decided_by_id = changemgmt.person_id('ann'), decided_at = '2020-01-01', withdrawn_at = '2020-01-01' WHERE change_id = :early;
SELECT results_eq($$SELECT decided_by, decided_at = now() FROM changemgmt.incident_change WHERE title = 'early'$$, $$VALUES ('bob', true)$$, 'also afterwards');
SET LOCAL changemgmt.actor = 'ann';
SELECT changemgmt.confirm_cause('C1', :early) \g /dev/null
SELECT is((SELECT decided_by FROM changemgmt.incident_change WHERE change_id = :early), 'bob', 'said again by another, it is the first who said it');
SELECT changemgmt.confirm_cause('C1', :early, false), changemgmt.confirm_cause('C1', :other) \g /dev/null
SELECT results_eq($$SELECT title, status, decided_by FROM changemgmt.incident_change WHERE title IN ('early', 'other') ORDER BY title$$,
	$$VALUES ('early', 'dismissed', 'ann'), ('other', 'confirmed', 'ann')$$, 'the last word counts, either way');
SELECT is((SELECT withdrawn_at FROM changemgmt.incident_cause WHERE change_id = :early), now(), 'and what was confirmed is withdrawn');
SELECT changemgmt.confirm_cause('C1', :early) \g /dev/null
SELECT is((SELECT withdrawn_at FROM changemgmt.incident_cause WHERE change_id = :early), NULL, 'until it is confirmed once more');
SET LOCAL changemgmt.actor = 'nobody';
SELECT is(pg_temp.refusal(format(sql, :early, :c1)), expected, sql) FROM (VALUES
	('SELECT changemgmt.confirm_cause(''C1'', %s, false)', 'MC003 changemgmt.actor "nobody" is not a person known here'),
	('UPDATE changemgmt.incident_cause SET status = ''dismissed'' WHERE change_id = %s', 'MC003 changemgmt.actor "nobody" is not a person known here')) AS v (sql, expected);
SET LOCAL changemgmt.actor = 'ann';
SELECT is(pg_temp.refusal(format(sql, :early, :c1)), expected, sql) FROM (VALUES
	('UPDATE changemgmt.incident_cause SET status = ''suspected'' WHERE change_id = %s', 'MC001 CHG0000002 is decided about already'),
	('UPDATE changemgmt.incident_cause SET incident_id = changemgmt.incident_id(''C2'') WHERE change_id = %s', 'MC005 a cause stays with its incident'),
	('UPDATE changemgmt.incident_cause SET change_id = 5 WHERE change_id = %s', 'MC005 a cause stays with its change'),
	('DELETE FROM changemgmt.incident_cause WHERE change_id = %s', 'MC006 what was decided about a cause stays on record'),
	('UPDATE changemgmt.incident SET began_at = now() - interval ''7 hours'' WHERE id = %2$s', 'MC008 CHG0000002 is confirmed to have caused the incident, and began after it'),
	('SELECT changemgmt.edit_incident(''C1'', jsonb_build_object(''began_at'', now() - interval ''7 hours''))', 'MC008 CHG0000002 is confirmed to have caused the incident, and began after it'),
	('UPDATE changemgmt.incident SET began_at = now() - interval ''5 hours 1 minute'' WHERE id = %2$s', 'done')) AS v (sql, expected);
DELETE FROM changemgmt.incident_cause WHERE change_id = :late;
SELECT is((SELECT count(*) FROM changemgmt.incident_cause WHERE change_id = :late), 0::bigint, 'a suspicion can be taken out');
-- where it is not known when it began, what is known counts
SELECT changemgmt.record_incident('C3', detected_at => now() - interval '5 hours'), changemgmt.record_incident('C4') \g /dev/null
SELECT is(pg_temp.refusal(format(sql, :late)), expected, sql) FROM (VALUES
	('SELECT changemgmt.confirm_cause(''C3'', %s)', 'MC008 CHG0000003 began after incident "C3" did and cannot have caused it'),
	('SELECT changemgmt.confirm_cause(''C4'', %s)', 'done')) AS v (sql, expected);
SELECT changemgmt.confirm_cause('C4', :late, false) \g /dev/null

-- the same incident twice

SELECT changemgmt.record_incident('M1', 'first', began_at => now() - interval '5 hours', items => '{web}', outage_minutes => 10, resolved_at => now() - interval '1 hour') AS m1 \gset
SELECT changemgmt.record_incident('M2', 'second', items => '{web,db}', outage_minutes => 25) AS m2 \gset
SELECT changemgmt.record_incident('M3', items => '{disk}') AS m3 \gset
SELECT changemgmt.suspect_cause('M1', :early), changemgmt.confirm_cause('M2', :early), changemgmt.confirm_cause('M1', :planned, false), changemgmt.suspect_cause('M2', :planned),
	changemgmt.confirm_cause('M1', :other), changemgmt.confirm_cause('M2', :other, false), changemgmt.suspect_cause('M2', :late, 'near') \g /dev/null
SELECT id AS answer FROM changemgmt.declare_emergency('answers the second', 'M2', 'ann', 'production_down', items => '{web}', actual_start => now() - interval '6 hours') \gset
CREATE FUNCTION pg_temp.harm() RETURNS text LANGUAGE sql AS
	'SELECT sum(incidents_caused) || '' incidents, '' || sum(outage_minutes) || '' minutes, '' || sum(failed) || '' failed'' FROM changemgmt.monthly_metrics';
-- C1 has no minutes; early and other failed
SELECT is(pg_temp.harm(), '3 incidents, 35 minutes, 2 failed', 'both count');
SELECT is(pg_temp.refusal(sql), expected, sql) FROM (VALUES
	('SELECT changemgmt.merge_incident(''M2'', ''M1'', NULL)', 'MC002 who merges an incident says why'),
	('SELECT changemgmt.merge_incident(''M2'', ''M2'', ''x'')', 'MC008 incident "M2" cannot be merged into itself, nor into what was merged into it'),
	('SELECT changemgmt.merge_incident(''M2'', ''M9'', ''x'')', 'MC008 incident "M9" does not exist'),
	('SELECT changemgmt.merge_incident(''M9'', ''M2'', ''x'')', 'MC008 incident "M9" does not exist'),
	('SELECT changemgmt.merge_incident(NULL, ''M2'', ''x'')', 'MC008 incident "" does not exist'),
	('INSERT INTO changemgmt.incident (reference, merged_into_id) VALUES (''M9'', changemgmt.incident_id(''M1''))', 'MC008 an incident is recorded before it is merged'),
	('UPDATE changemgmt.incident SET merged_into_id = 77777, status_reason = ''x'' WHERE reference = ''M2''', 'MC008 incident "77777" does not exist'),
	('UPDATE changemgmt.incident SET merged_into_id = changemgmt.incident_id(''M1'') WHERE reference = ''M2''', 'MC002 who merges an incident says why'),
	('SELECT changemgmt.merge_incident(''M2'', ''M1'', ''the same'')', 'done'),
	('SELECT changemgmt.merge_incident(''M2'', ''M1'', ''the same'')', 'done'),
	('SELECT changemgmt.merge_incident(''M1'', ''M2'', ''the same'')', 'MC008 incident "M1" cannot be merged into itself, nor into what was merged into it'),
	('SELECT changemgmt.merge_incident(''M2'', ''M3'', ''the same'')', 'MC008 incident "M2" is merged into "M1" already'),
	('UPDATE changemgmt.incident SET merged_into_id = id, status_reason = ''x'' WHERE reference = ''M1''', 'MC008 incident "M1" cannot be merged into itself, nor into what was merged into it'),
	('UPDATE changemgmt.incident AS i SET merged_into_id = o.id, status_reason = ''x'' FROM changemgmt.incident AS o WHERE i.reference = ''M1'' AND o.reference = ''M2''',
	 'MC008 incident "M1" cannot be merged into itself, nor into what was merged into it')) AS v (sql, expected);
SELECT is(pg_temp.harm(), '2 incidents, 10 minutes, 2 failed', 'once they are one, it counts once, with the minutes of the one that stays');
SELECT results_eq(format($$SELECT title, status, reason FROM changemgmt.incident_change WHERE incident_id = %s ORDER BY title$$, :m1),
	$$VALUES ('early', 'confirmed', NULL), ('late', 'suspected', 'near'), ('never begun', 'dismissed', NULL), ('other', 'confirmed', NULL)$$,
	'of two words on one change, confirmed stands before dismissed, and that before suspected');
SELECT is((SELECT count(*) FROM changemgmt.incident_cause WHERE incident_id = :m2) + (SELECT count(*) FROM changemgmt.incident_item WHERE incident_id = :m2), 0::bigint, 'nothing is left with the other');
SELECT is((SELECT string_agg(c.name, ' ' ORDER BY c.name) FROM changemgmt.incident_item AS i JOIN changemgmt.configuration_item AS c ON c.id = i.ci_id WHERE incident_id = :m1),
	'db web', 'items are there once');
SELECT results_eq($$SELECT merged_at = now(), status_reason, title, outage_minutes, resolved_at IS NULL FROM changemgmt.incident WHERE reference = 'M2'$$,
	$$VALUES (true, 'the same', 'second', 25, true)$$, 'what was recorded of it stays');
-- whatever names it means the other
SELECT is(changemgmt.incident_id('M2'), :m1::bigint, 'incident_id by its reference');
SELECT is(changemgmt.incident_id(:'m2'), :m1::bigint, 'and by its id');
SELECT is(changemgmt.record_incident('M2', 'second', items => '{disk}'), :m1::bigint, 'record_incident, where it says the same');
SELECT is(pg_temp.refusal('SELECT changemgmt.record_incident(''M2'', severity => 3)'), 'MC008 incident "M2" is merged into "M1" and stays as it is', 'and nothing new');
SELECT is((SELECT count(*) FROM changemgmt.incident_item WHERE incident_id = :m1), 3::bigint, 'items go to the other');
SELECT changemgmt.add_incident_item('M2', 'web'), changemgmt.suspect_cause('M2', :aborted), changemgmt.confirm_cause('M2', :late, false) \g /dev/null
INSERT INTO changemgmt.incident_cause (incident_id, change_id) VALUES (:m2, :answer);
SELECT is((SELECT count(*) FROM changemgmt.incident_cause WHERE incident_id = :m1), 6::bigint, 'causes, too, by any door');
SELECT results_eq('SELECT * FROM changemgmt.suspect_changes(''M2'', 100)', 'SELECT * FROM changemgmt.suspect_changes(''M1'', 100)', 'suspects are the same');
SELECT is((SELECT count(*) FROM changemgmt.suspect_changes('M1', 100) WHERE change_id = :answer), 0::bigint, 'and what answers the one answers the other');
SELECT id AS answer2 FROM changemgmt.declare_emergency('answers the second again', 'M2', 'ann', 'production_down') \gset
SELECT is((SELECT incident_id FROM changemgmt.change WHERE id = :answer2), :m1::bigint, 'an emergency answers the one that it is');
SELECT set_eq(format('SELECT incident FROM changemgmt.emergency_compliance WHERE change_id IN (%s, %s)', :answer, :answer2), '{M1}'::text[], 'and the view says so, also of one that answered the other');
SELECT changemgmt.edit_incident('M2', '{"severity": 1}'), changemgmt.reopen_incident('M2', 'again') \g /dev/null
SELECT is((SELECT row(severity, resolved_at, reopen_count)::text FROM changemgmt.incident WHERE id = :m1), row(1, NULL, 1)::text, 'it is edited and reopened by either name');
SELECT changemgmt.resolve_incident('M2', outage_minutes => 12) \g /dev/null
SELECT is((SELECT outage_minutes FROM changemgmt.incident WHERE id = :m1), 12, 'and resolved');
SELECT is(pg_temp.harm(), '2 incidents, 12 minutes, 2 failed', 'an incident that was reopened counts once');
-- it stays as it is
SELECT is(pg_temp.refusal(sql), 'MC005 incident "M2" is merged into "M1" and stays as it is', sql) FROM (VALUES
	('UPDATE changemgmt.incident SET title = ''x'' WHERE reference = ''M2'''), ('UPDATE changemgmt.incident SET resolved_at = now() WHERE reference = ''M2'''),
	('UPDATE changemgmt.incident SET merged_into_id = NULL WHERE reference = ''M2'''), ('UPDATE changemgmt.incident SET reference = ''M0'' WHERE reference = ''M2'''),
	('UPDATE changemgmt.incident SET merged_into_id = changemgmt.incident_id(''M3'') WHERE reference = ''M2''')) AS v (sql);
-- into one that is merged itself, and on
SELECT changemgmt.merge_incident('M1', 'M3', 'all one') \g /dev/null
SELECT changemgmt.record_incident('M4') AS m4 \gset
SELECT changemgmt.merge_incident('M4', 'M2', 'this, too') \g /dev/null
SELECT is((SELECT array_agg(merged_into_id = :m3 ORDER BY reference) FROM changemgmt.incident WHERE reference IN ('M1', 'M2', 'M4')), '{t,t,t}', 'all lead to the last, in one step');
SELECT is(changemgmt.incident_id('M2'), :m3::bigint, 'wherever one begins');
SELECT is((SELECT count(*) FROM changemgmt.incident_item WHERE incident_id = :m3), 3::bigint, 'items went along');
SELECT changemgmt.record_incident('M6'), changemgmt.record_incident('M7') \g /dev/null
SELECT changemgmt.merge_incident('M6', 'M7', 'x') \g /dev/null
SELECT is(pg_temp.refusal('DELETE FROM changemgmt.incident WHERE reference = ''M7'''), 'MC006 an incident that others were merged into stays on record', 'what others lead to stays');
SELECT is(pg_temp.refusal('DELETE FROM changemgmt.incident WHERE reference = ''M6'''), 'done', 'what leads to it can go');
-- into one that its cause cannot have caused
SELECT changemgmt.record_incident('M5', began_at => now() - interval '20 hours') AS m5 \gset
SELECT matches(pg_temp.refusal('SELECT changemgmt.merge_incident(''M3'', ''M5'', ''x'')'), '^MC008 CHG000000[24] began after incident "M5" did and cannot have caused it',
	'what is confirmed has to fit where it goes');
SELECT is(changemgmt.incident_id('M3'), :m3::bigint, 'and nothing was merged');
-- history may bring chains and circles
COPY changemgmt.incident (id, reference, merged_into_id) FROM stdin;
9001	H1	9002
9002	H2	9003
9003	H3	\N
9004	H4	9005
9005	H5	9004
\.
SELECT is(changemgmt.incident_id('H1'), 9003::bigint, 'a chain that history brings leads to its end');
SELECT is(changemgmt.incident_id('H4'), 9004::bigint, 'and a circle nowhere');
SELECT is(pg_temp.refusal('SELECT changemgmt.suspect_changes(''H4''), changemgmt.confirm_cause(''H5'', 4, false)'), 'done', 'nor does it keep anybody busy');

-- a month that was over

SELECT pg_temp.harm() AS before \gset
SELECT is((SELECT count(*) FROM changemgmt.monthly_metrics WHERE restated_at IS NOT NULL AND month >= date_trunc('month', now())), 0::bigint, 'a month that goes on is not restated');
-- ten days before this month began, whatever day it is
SELECT id AS past FROM changemgmt.record_unauthorized('past', 'log', date_trunc('month', now()) - interval '11 days', date_trunc('month', now()) - interval '10 days') \gset
SELECT id AS older FROM changemgmt.record_unauthorized('older', 'log', date_trunc('month', now()) - interval '71 days', date_trunc('month', now()) - interval '70 days') \gset
CREATE FUNCTION pg_temp.month(change bigint) RETURNS text LANGUAGE sql AS
	$$SELECT format('%s failed, %s caused, restated %s', m.failed, m.incidents_caused, coalesce(m.restated_at - now() || '', 'never'))
	FROM changemgmt.monthly_metrics AS m JOIN changemgmt.metrics_fact AS f USING (month) WHERE f.change_id = change$$;
SELECT is(pg_temp.month(:past), '0 failed, 0 caused, restated never', 'nothing was known against it');
SELECT changemgmt.suspect_cause('P1', :past), changemgmt.confirm_cause('P2', :past, false) \g /dev/null
SELECT is(pg_temp.month(:past), '0 failed, 0 caused, restated never', 'nor is it by a suspicion, or one dismissed');
SELECT changemgmt.confirm_cause('P1', :past) \g /dev/null
SELECT is(pg_temp.month(:past), '1 failed, 1 caused, restated 00:00:00', 'a late confirmation restates the month of the change');
SELECT is(pg_temp.month(:older), '0 failed, 0 caused, restated never', 'and no other');
SELECT is((SELECT is_late FROM changemgmt.incident_change WHERE change_id = :past AND status = 'confirmed'), true, 'and says so');
SELECT changemgmt.confirm_cause('P1', :past, false) \g /dev/null
SELECT is(pg_temp.month(:past), '0 failed, 0 caused, restated 00:00:00', 'taken back, it restates it, too');
SELECT is((SELECT bool_or(is_late) FROM changemgmt.incident_change WHERE change_id = :past), false, 'what is not confirmed is not late');
SELECT changemgmt.merge_incident('P1', 'P2', 'the same') \g /dev/null
SELECT is(pg_temp.month(:past), '0 failed, 0 caused, restated 00:00:00', 'merged into one that was dismissed from the beginning, it still says so');
-- as history tells it
SELECT id AS h1 FROM changemgmt.record_unauthorized('h1', 'log', '2024-03-05', '2024-03-06') \gset
SELECT id AS h2 FROM changemgmt.record_unauthorized('h2', 'log', '2024-04-05', '2024-04-06') \gset
SELECT id AS h3 FROM changemgmt.record_unauthorized('h3', 'log', '2024-05-05', '2024-05-06') \gset
CREATE TEMP TABLE said (incident bigint, change bigint, status text, decided timestamptz, withdrawn timestamptz);
INSERT INTO said VALUES (9003, :h1, 'confirmed', '2024-03-31 23:59:59+00', NULL), (9003, :h2, 'confirmed', '2024-05-01 00:00+00', NULL), (9003, :h3, 'dismissed', '2024-07-01', '2024-07-01');
SELECT format('COPY changemgmt.incident_cause (incident_id, change_id, status, decided_at, withdrawn_at) FROM PROGRAM %L (FORMAT csv)',
	'printf "' || string_agg(concat_ws(',', incident, change, status, decided, coalesce(withdrawn::text, '')), '\n') || '\n"') FROM said \gexec
SELECT results_eq($$SELECT month, restated_at FROM changemgmt.monthly_metrics WHERE month BETWEEN '2024-03-01' AND '2024-05-01' ORDER BY month$$,
	$$VALUES (date '2024-03-01', NULL::timestamptz), ('2024-04-01', '2024-05-01 00:00+00'), ('2024-05-01', '2024-07-01')$$, 'the month is over with its last moment, not before');
SELECT results_eq($$SELECT title, is_late FROM changemgmt.incident_change WHERE title IN ('h1', 'h2', 'h3') ORDER BY title$$,
	$$VALUES ('h1', false), ('h2', true), ('h3', false)$$, 'and the view agrees');
SELECT changemgmt.set_setting('reporting_time_zone', 'America/New_York') \g /dev/null
SELECT results_eq($$SELECT month, restated_at FROM changemgmt.monthly_metrics WHERE month BETWEEN '2024-03-01' AND '2024-05-01' ORDER BY month$$,
	$$VALUES (date '2024-03-01', NULL::timestamptz), ('2024-04-01', NULL), ('2024-05-01', '2024-07-01')$$, 'in the reporting time zone');
SELECT results_eq($$SELECT count(*) FILTER (WHERE is_late) FROM changemgmt.incident_change WHERE title IN ('h1', 'h2', 'h3')$$, 'VALUES (0::bigint)', 'the view, too');

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT finish();
ROLLBACK;
