-- Emergencies, changes that nobody had recorded, confirmed causes.

BEGIN;
SELECT plan(69);

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

SET LOCAL changemgmt.actor = 'ada';
SELECT changemgmt.add_person(p) FROM unnest('{ada,bob,cto}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_ci('db1', kind => 'database', version => '15') \g /dev/null

-- emergencies

SELECT id AS e1, status AS s1, due FROM changemgmt.declare_emergency('Failover', 'INC0001', 'cto',
	'production_down', description => 'db1 is gone', owner => 'bob', items => '{db1}',
	attributes => '{"bridge": 7}') \gset
SELECT is(:'s1'::text, 'in_progress', 'an emergency is in progress at once');
SELECT results_eq(
	format($$SELECT c.model, c.type, c.title, c.description, c.emergency_threshold, c.unplanned,
		a.login, o.login, m.login, r.login, i.reference, c.attributes::text,
		c.actual_start = c.created_at, c.actual_end IS NULL, c.outcome
	FROM changemgmt.change AS c
	JOIN changemgmt.person AS a ON a.id = c.authorised_by_id
	JOIN changemgmt.person AS o ON o.id = c.owner_id
	JOIN changemgmt.person AS m ON m.id = c.implementer_id
	JOIN changemgmt.person AS r ON r.id = c.requester_id
	JOIN changemgmt.incident AS i ON i.id = c.incident_id WHERE c.id = %s$$, :e1),
	$$VALUES ('emergency', 'emergency', 'Failover', 'db1 is gone', 'production_down', true,
	'cto', 'bob', 'ada', 'ada', 'INC0001', '{"bridge": 7}', true, true, NULL::text)$$,
	'with all that was said');
SELECT is((SELECT count(*) FROM changemgmt.change_item WHERE change_id = :e1), 1::bigint, 'and its items');
SELECT results_eq($$SELECT reference, title, severity, began_at, resolved_at FROM changemgmt.incident$$,
	$$VALUES ('INC0001', NULL::text, NULL::int, NULL::timestamptz, NULL::timestamptz)$$, 'the incident is a stub');
SELECT id AS e2 FROM changemgmt.declare_emergency('Again', 'INC0001', 'cto', 'data_at_risk', model => 'lean_emergency') \gset
SELECT is((SELECT count(*) FROM changemgmt.incident), 1::bigint, 'which is created once');
SELECT is((SELECT model FROM changemgmt.change WHERE id = :e2), 'lean_emergency', 'lean has emergencies, too');
INSERT INTO changemgmt.incident (reference, title) VALUES ('INC0002', 'known') RETURNING id AS inc2 \gset
SELECT id AS e3 FROM changemgmt.declare_emergency('By id', :'inc2', 'cto', 'security_breach') \gset
SELECT is((SELECT incident_id FROM changemgmt.change WHERE id = :e3), :inc2::bigint, 'an incident is named by its id');
SELECT id AS e4 FROM changemgmt.declare_emergency('By reference', 'INC0002', 'cto', 'security_breach') \gset
SELECT is((SELECT incident_id FROM changemgmt.change WHERE id = :e4), :inc2::bigint, 'or its reference');
SELECT is((SELECT count(*) FROM changemgmt.incident), 2::bigint, 'and no other is made');

SELECT is(split_part(pg_temp.refusal(sql), ' | ', 1) || ' | ' || split_part(pg_temp.refusal(sql), ' | ', 3), expected, sql)
FROM (VALUES
	($$SELECT changemgmt.declare_emergency('x', NULL, NULL, NULL)$$,
	 'MC002 | incident: no incident is named that it answers
authoriser: nobody is named who authorised it
emergency_threshold: it is not said what makes it an emergency: production_down, data_at_risk or security_breach'),
	($$SELECT changemgmt.declare_emergency('x', 'INC0001', 'cto', NULL)$$,
	 'MC002 | emergency_threshold: it is not said what makes it an emergency: production_down, data_at_risk or security_breach'),
	($$SELECT changemgmt.declare_emergency('x', 'INC0001', 'cto', 'boredom')$$,
	 'MC008 | It is one of production_down, data_at_risk, security_breach.'),
	($$SELECT changemgmt.declare_emergency('', 'INC0001', 'cto', 'data_at_risk')$$, 'MC008 | ')
) AS v (sql, expected);
SELECT is(substr(pg_temp.refusal(sql), 1, length(expected)), expected, sql)
FROM (VALUES
	($$SELECT changemgmt.declare_emergency('x', '', 'cto', 'data_at_risk')$$, 'MC002'),
	($$SELECT changemgmt.declare_emergency('x', 'INC0009', 'eve', 'data_at_risk')$$, 'MC008 | person "eve" does not exist'),
	($$SELECT changemgmt.declare_emergency('x', 'INC0009', 'cto', 'data_at_risk', owner => 'eve')$$, 'MC008 | person "eve" does not exist'),
	($$SELECT changemgmt.declare_emergency('x', 'INC0009', 'cto', 'data_at_risk', items => '{db9}')$$, 'MC008 | configuration item "db9" does not exist'),
	($$SELECT changemgmt.declare_emergency('x', 'INC0009', 'cto', 'data_at_risk', model => 'none')$$, 'MC008'),
	($$SELECT changemgmt.declare_emergency('x', 'INC0009', 'cto', 'data_at_risk', actual_start => now() - interval '24 hours 1 minute')$$, 'MC008 | actual_start of change '),
	($$SELECT changemgmt.declare_emergency('x', 'INC0009', 'cto', 'data_at_risk', actual_start => now() + interval '1 hour')$$, 'MC008 | actual_start of change '),
	($$SELECT changemgmt.declare_emergency('x', 'INC0009', 'cto', 'data_at_risk', actual_start => '-infinity')$$, 'MC008 | actual_start of a change is infinite'),
	($$SELECT changemgmt.declare_emergency('x', 'INC0009', 'cto', 'data_at_risk', actual_start => now() - interval '2 hours', actual_end => now() - interval '3 hours')$$, 'MC008'),
	($$SELECT changemgmt.declare_emergency('x', 'INC0009', 'cto', 'data_at_risk', actual_start => now() - interval '2 hours', actual_end => now() + interval '3 hours')$$, 'MC008')
) AS v (sql, expected);
SELECT is((SELECT count(*) FROM changemgmt.incident), 2::bigint, 'a refused emergency leaves no stub');

SELECT id AS late, status AS late_status FROM changemgmt.declare_emergency('At night', 'INC0003', 'cto', 'production_down',
	actual_start => now() - interval '23 hours 59 minutes', actual_end => now() - interval '22 hours') \gset
SELECT is(:'late_status'::text, 'verifying', 'recorded afterwards, within 24 hours');
SELECT results_eq(format('SELECT actual_start = now() - interval ''23 hours 59 minutes'', actual_end = now() - interval ''22 hours'',
	deployed_at = actual_end FROM changemgmt.change WHERE id = %s', :late), 'VALUES (true, true, true)', 'with the real times');
SELECT is((SELECT status FROM changemgmt.pass(:late, 'it runs')), 'implemented', 'it passes as any change');
SELECT lives_ok(format($$SELECT changemgmt.edit_change(%s, '{"justification": "written down after"}')$$, :late),
	'and is documented after');

SELECT is(pg_temp.refusal(format(sql, changemgmt.person_id('cto'), :inc2)), '', 'INSERT with all columns')
FROM (VALUES ($$INSERT INTO changemgmt.change (title, model, status, authorised_by_id, incident_id, emergency_threshold, unplanned)
	VALUES ('inserted', 'emergency', 'in_progress', %s, %s, 'data_at_risk', true)$$)) AS v (sql);
SELECT results_eq($$SELECT status, type, actual_start IS NOT NULL, implementer_id FROM changemgmt.change WHERE title = 'inserted'$$,
	$$VALUES ('in_progress', 'emergency', true, changemgmt.person_id('ada'))$$, 'is an emergency like any');
SELECT is(substr(pg_temp.refusal(sql), 1, length(expected)), expected, sql)
FROM (VALUES
	($$INSERT INTO changemgmt.change (title, model, status) VALUES ('x', 'emergency', 'in_progress')$$, 'MC002'),
	($$INSERT INTO changemgmt.change (title, model) VALUES ('x', 'emergency')$$, 'MC001 | a change of model "emergency" begins as in_progress, not as draft'),
	($$INSERT INTO changemgmt.change (title, model, status) VALUES ('x', 'emergency', 'implemented')$$, 'MC001'),
	($$INSERT INTO changemgmt.change (title, model, status) VALUES ('x', 'normal', 'in_progress')$$, 'MC001'),
	($$INSERT INTO changemgmt.change (title, model, authorised_by_id) VALUES ('x', 'normal', changemgmt.person_id('cto'))$$, 'MC005'),
	($$UPDATE changemgmt.change SET authorised_by_id = changemgmt.person_id('bob') WHERE title = 'inserted'$$, 'MC005'),
	($$UPDATE changemgmt.change SET emergency_threshold = 'security_breach' WHERE title = 'inserted'$$, 'MC005'),
	($$UPDATE changemgmt.change SET authorised_by_id = NULL WHERE title = 'inserted'$$, 'MC005'),
	($$UPDATE changemgmt.change SET actual_start = now() - interval '1 hour' WHERE title = 'inserted'$$, 'MC005'),
	($$SELECT changemgmt.create_change('x', model => 'emergency')$$, 'MC002')
) AS v (sql, expected);

-- what nobody had recorded

SELECT id AS l1, status AS l1_status FROM changemgmt.record_unauthorized('Index dropped', 'nightly comparison',
	'2024-03-01 02:00+00', '2024-03-01 02:10+00', description => 'found', owner => 'bob', implementer => 'bob',
	items => '{db1}') \gset
SELECT is(:'l1_status'::text, 'implemented', 'it is implemented already');
SELECT results_eq(format($$SELECT model, type, found_by, unplanned, actual_start, actual_end, deployed_at = actual_end,
	outcome, implementer_id, owner_id FROM changemgmt.change WHERE id = %s$$, :l1),
	$$VALUES ('latent', 'latent', 'nightly comparison', true, '2024-03-01 02:00+00'::timestamptz, '2024-03-01 02:10+00'::timestamptz,
	true, 'successful', changemgmt.person_id('bob'), changemgmt.person_id('bob'))$$, 'long ago, with how it was found');
SELECT is(substr(pg_temp.refusal(sql), 1, length(expected)), expected, sql)
FROM (VALUES
	($$SELECT changemgmt.record_unauthorized('x', NULL, NULL, NULL)$$, 'MC002'),
	($$SELECT changemgmt.record_unauthorized('x', ' ', '2024-01-01', '2024-01-02')$$, 'MC002'),
	($$SELECT changemgmt.record_unauthorized('x', 'me', '2024-01-01', NULL)$$, 'MC002'),
	($$SELECT changemgmt.record_unauthorized('x', 'me', '2024-01-02', '2024-01-01')$$, 'MC008 | actual_end of a change is before actual_start'),
	($$SELECT changemgmt.record_unauthorized('x', 'me', '2024-01-02', '2924-01-01')$$, 'MC008'),
	($$SELECT changemgmt.record_unauthorized('x', 'me', '-infinity', '2024-01-01')$$, 'MC008'),
	($$SELECT changemgmt.record_unauthorized('x', 'me', '2024-01-01', '2024-01-02', implementer => 'eve')$$, 'MC008 | person "eve" does not exist')
) AS v (sql, expected);
SELECT is(array_length(string_to_array(split_part(pg_temp.refusal($$SELECT changemgmt.record_unauthorized('x', NULL, NULL, NULL)$$), ' | ', 3), E'\n'), 1),
	2, 'what is missing is named at once');
SELECT is(substr(pg_temp.refusal(format($$SELECT changemgmt.close(%s, 'reviewed')$$, :l1)), 1, 5), 'MC002', 'it is not closed before it is written down and reviewed');
SELECT changemgmt.edit_change(:l1, '{"justification": "j", "user_impact": "u", "risk_level": "low", "rollback_trigger": "t", "rollback_plan": "p", "rollback_minutes": 1, "verification_plan": "v"}') \g /dev/null
SELECT set_config('changemgmt.actor', 'cto', true) \g /dev/null
SELECT changemgmt.complete_duty(id, 'seen') FROM changemgmt.duty WHERE change_id = :l1 AND kind IN ('full_record', 'independent_review') \g /dev/null
SELECT set_config('changemgmt.actor', 'ada', true) \g /dev/null
SELECT is((SELECT status FROM changemgmt.close(:l1, 'reviewed')), 'closed', 'after the review it is closed');

-- confirmed causes

CREATE FUNCTION pg_temp.failed(subject bigint) RETURNS boolean[]
	LANGUAGE sql AS 'SELECT array_agg(f.is_failed) FROM changemgmt.change_fact AS f WHERE f.change_id = subject';
SELECT changemgmt.record_unauthorized('c1', 'me', '2024-04-01', '2024-04-02') \g /dev/null
SELECT id AS c1 FROM changemgmt.change WHERE title = 'c1' \gset
SELECT is(pg_temp.failed(:c1), '{f}'::boolean[], 'nothing is known against it');
INSERT INTO changemgmt.incident_cause (incident_id, change_id) VALUES (:inc2, :c1);
SELECT is(pg_temp.failed(:c1), '{f}'::boolean[], 'nor by a suspicion');
SELECT lives_ok(format($$SELECT changemgmt.confirm_cause('INC0002', %s)$$, :c1), 'confirmed');
SELECT is(pg_temp.failed(:c1), '{t}'::boolean[], 'it has failed');
SELECT results_eq(format('SELECT status, decided_by_id, decided_at IS NOT NULL FROM changemgmt.incident_cause WHERE change_id = %s', :c1),
	$$VALUES ('confirmed', changemgmt.person_id('ada'), true)$$, 'by whose word is recorded');
SELECT changemgmt.confirm_cause('INC0001', :c1), changemgmt.confirm_cause('INC0077', :c1), changemgmt.confirm_cause('INC0002', :c1) \g /dev/null
SELECT is(pg_temp.failed(:c1), '{t}'::boolean[], 'once, however many incidents');
SELECT is((SELECT count(*) FROM changemgmt.incident WHERE reference = 'INC0077'), 1::bigint, 'an unknown incident is a stub here, too');
SELECT changemgmt.confirm_cause('INC0001', :c1, false), changemgmt.confirm_cause('INC0077', :c1, false) \g /dev/null
SELECT is(pg_temp.failed(:c1), '{t}'::boolean[], 'one that stands is enough');
SELECT changemgmt.confirm_cause('INC0002', :c1, false) \g /dev/null
SELECT is(pg_temp.failed(:c1), '{f}'::boolean[], 'dismissed, it has not failed');
SELECT is(substr(pg_temp.refusal($$SELECT changemgmt.confirm_cause('INC0002', -1)$$), 1, 5), 'MC008', 'no such change');
SELECT isnt(pg_temp.refusal(format($$SELECT changemgmt.confirm_cause(NULL, %s)$$, :c1)), '', 'no incident');
SELECT throws_ok($$INSERT INTO changemgmt.incident (reference, severity) VALUES ('x', 6)$$, 'MC008', 'severity 6 is not between 1 and 5', 'no such severity');
SELECT throws_ok($$INSERT INTO changemgmt.incident (reference, began_at, resolved_at) VALUES ('x', '2026-01-02', '2026-01-01')$$, 'MC008', 'an incident is resolved before it began',
	'resolved before it began');
SELECT is(changemgmt.incident_id(NULL), NULL, 'no text, no incident');
SELECT is(changemgmt.incident_id(''), NULL, 'nor for an empty one');
SELECT is(changemgmt.incident_id('INC0050'), changemgmt.incident_id('INC0050'), 'the same text is the same incident');

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT finish();
ROLLBACK;
