-- Settings (a site's over the shipped), and the code lists.

BEGIN;
SELECT plan(81);

-- Everything that a refusal says, in one line; '' where nothing is refused.
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

-- what ships

SELECT results_eq(
	$$SELECT key, value FROM changemgmt.setting ORDER BY key$$,
	$$VALUES ('conflict_depth', '1'), ('conflict_severity', 'medium'), ('default_model', 'normal'), ('escalate_after_hours', '4'), ('number_prefix', 'CHG'),
		('number_width', '7'), ('overdue_duty_blocks', 'off'), ('reporting_time_zone', 'UTC'),
		('risk_combination', 'worst'), ('risk_matrix', 'default'), ('risk_model_thresholds', 'off'), ('risk_thresholds', '25,50,75'),
		('standard_candidate_limit', '0.15'), ('standard_candidate_minimum', '20'),
		('template_failure_limit', '0.05')$$,
	'the defaults are in force');
SELECT is_empty('SELECT * FROM changemgmt.site_setting', 'and no row ships');
SELECT is_empty(
	$$SELECT key FROM changemgmt.setting
	WHERE description IS NULL OR value IS DISTINCT FROM default_value
		OR changemgmt.setting_value(key) IS DISTINCT FROM value$$,
	'each is described, and setting_value agrees with the view');

-- a site's own

SELECT lives_ok($$SELECT changemgmt.set_setting('number_prefix', 'RFC-')$$,
	'a site sets one');
SELECT is(changemgmt.setting_value('number_prefix'), 'RFC-', 'it is in force at once');
SELECT results_eq(
	$$SELECT value, default_value FROM changemgmt.setting WHERE key = 'number_prefix'$$,
	$$VALUES ('RFC-', 'CHG')$$,
	'the view shows it beside the default');
SELECT lives_ok($$SELECT changemgmt.set_setting('number_prefix', 'X')$$, 'and again');
SELECT is(changemgmt.setting_value('number_prefix'), 'X', 'the second value replaces the first');

SAVEPOINT before;
UPDATE changemgmt.site_setting SET value = 'Y';
SELECT is(changemgmt.setting_value('number_prefix'), 'Y', 'a plain UPDATE works as well');
ROLLBACK TO before;
SELECT is(changemgmt.setting_value('number_prefix'), 'X', 'a savepoint takes it back');

DELETE FROM changemgmt.site_setting;
SELECT is(changemgmt.setting_value('number_prefix'), 'CHG', 'without a row the default is in force');
SELECT changemgmt.set_setting('number_prefix', 'X') \g /dev/null
SELECT changemgmt.setting_value('number_prefix') \g /dev/null
SELECT throws_ok('TRUNCATE changemgmt.site_setting', 'MC006', NULL, 'they are not truncated');
DELETE FROM changemgmt.site_setting;

-- who may read it

CREATE ROLE regress_setting_reader;
GRANT USAGE ON SCHEMA changemgmt TO regress_setting_reader;
GRANT EXECUTE ON FUNCTION changemgmt.setting_value(text) TO regress_setting_reader;
CREATE TEMP TABLE seen (value text);
GRANT INSERT ON seen TO regress_setting_reader;
SET ROLE regress_setting_reader;
INSERT INTO seen VALUES (changemgmt.setting_value('number_width'));
RESET ROLE;
SELECT results_eq('SELECT value FROM seen', $$VALUES ('7')$$,
	'setting_value needs no right on the table');

-- refusals

SELECT is(pg_temp.refusal($$SELECT changemgmt.setting_value('colour')$$),
	'MC008 | setting "colour" does not exist | The settings are: reporting_time_zone, number_prefix, number_width, default_model, template_failure_limit, standard_candidate_minimum, standard_candidate_limit, conflict_severity, conflict_depth, escalate_after_hours, overdue_duty_blocks, risk_matrix, risk_combination, risk_thresholds, risk_model_thresholds.',
	'an unknown key cannot be read');
SELECT is(pg_temp.refusal($$SELECT changemgmt.set_setting('colour', 'red')$$),
	'MC008 | setting "colour" does not exist | The settings are: reporting_time_zone, number_prefix, number_width, default_model, template_failure_limit, standard_candidate_minimum, standard_candidate_limit, conflict_severity, conflict_depth, escalate_after_hours, overdue_duty_blocks, risk_matrix, risk_combination, risk_thresholds, risk_model_thresholds.',
	'nor set');
SELECT throws_ok($$INSERT INTO changemgmt.site_setting VALUES ('colour', 'red')$$,
	'MC008', 'setting "colour" does not exist', 'a plain INSERT meets the same rule');
SELECT changemgmt.set_setting('number_width', '9') \g /dev/null
SELECT throws_ok($$UPDATE changemgmt.site_setting SET key = 'colour'$$,
	'MC008', 'setting "colour" does not exist', 'a plain UPDATE of the key too');
SELECT throws_ok($$UPDATE changemgmt.site_setting SET value = '99'$$,
	'MC008', 'setting "number_width" cannot be "99"', 'and of the value');
SELECT throws_ok($$SELECT changemgmt.set_setting('number_width', NULL)$$,
	'23502', NULL, 'null is no value');
SELECT is(changemgmt.setting_value(NULL), NULL, 'the value of no key is null');
SELECT is(pg_temp.refusal($$SELECT changemgmt.set_setting('number_prefix', 'C1')$$),
	'MC008 | setting "number_prefix" cannot be "C1" | It takes 1 to 10 letters (A to Z) and hyphens.',
	'the hint says what the setting takes');

SELECT throws_ok(format('SELECT changemgmt.set_setting(%L, %L)', key, value),
	'MC008', format('setting "%s" cannot be "%s"', key, value),
	format('%s cannot be "%s"', key, value))
FROM (VALUES
	('number_prefix', ''), ('number_prefix', 'ABCDEFGHIJK'), ('number_prefix', 'A B'),
	('number_prefix', 'Ä'),
	('number_width', ''), ('number_width', '0'), ('number_width', '19'),
	('number_width', '07'), ('number_width', '+7'), ('number_width', '7.0'),
	('number_width', '4294967303'),
	('default_model', ''), ('default_model', 'Normal'), ('default_model', '9x'),
	('default_model', repeat('x', 64)),
	('template_failure_limit', ''), ('template_failure_limit', '5 %'), ('template_failure_limit', '1.01'),
	('template_failure_limit', '.'), ('template_failure_limit', '.5'), ('template_failure_limit', '0.'),
	('template_failure_limit', '0.0.5'), ('template_failure_limit', '-0.1'), ('template_failure_limit', '1e-3'),
	('template_failure_limit', 'NaN'), ('template_failure_limit', '0,05'), ('standard_candidate_limit', '2'),
	('standard_candidate_minimum', '0'), ('standard_candidate_minimum', '1.5'), ('standard_candidate_minimum', '1000000000'),
	('reporting_time_zone', ''), ('reporting_time_zone', 'Europe/Atlantis'),
	('reporting_time_zone', 'Europe/Berlin2'), ('reporting_time_zone', 'CET'),
	('reporting_time_zone', '+02:00'), ('reporting_time_zone', repeat('a/', 300))
) AS bad (key, value);

SELECT lives_ok(format('SELECT changemgmt.set_setting(%L, %L)', key, value),
	format('%s can be "%s"', key, value))
FROM (VALUES
	('number_prefix', 'C'), ('number_prefix', 'Change-abc'),
	('number_width', '1'), ('number_width', '18'),
	('default_model', 'lean_normal'),
	('template_failure_limit', '0'), ('template_failure_limit', '1'), ('template_failure_limit', '0.025'),
	('standard_candidate_limit', '1.0'), ('standard_candidate_minimum', '1'), ('standard_candidate_minimum', '999999999'),
	('reporting_time_zone', 'Europe/Berlin'), ('reporting_time_zone', 'america/new_york'),
	('reporting_time_zone', 'Etc/GMT+5'), ('reporting_time_zone', 'UTC')
) AS good (key, value);

-- Codes: what a list says and what the column takes are the same, in the same
-- order, so that neither can be extended without the other.

CREATE FUNCTION pg_temp.codes_of(relation regclass, col name) RETURNS text[]
	LANGUAGE sql AS
$$
	SELECT array_agg(m[1] ORDER BY ord)
	FROM pg_constraint AS c
		JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1],
		regexp_matches(pg_get_constraintdef(c.oid), '''([^'']*)''', 'g')
			WITH ORDINALITY AS x (m, ord)
	WHERE c.conrelid = relation AND c.contype = 'c' AND a.attname = col
		AND cardinality(c.conkey) = 1
		AND pg_get_constraintdef(c.oid) ~ '= ANY|<@'
$$;

CREATE TEMP TABLE listed AS
	SELECT * FROM (VALUES
		('type', 'change', 'type'),
		('category', 'change', 'category'),
		('status', 'change', 'status'),
		('outcome', 'change', 'outcome'),
		('risk_level', 'change', 'risk_level'),
		('priority', 'change', 'priority'),
		('decision', 'approval_vote', 'decision'),
		('environment', 'change', 'environment'),
		('environment', 'configuration_item', 'environment'),
		('rollback_strategy', 'change', 'rollback_strategy'),
		('cause_class', 'change', 'cause_class'),
		('task_phase', 'change_task', 'phase'),
		('check_kind', 'change_check', 'kind'),
		('check_stage', 'change_check', 'stage'),
		('link_relation', 'change_link', 'relation'),
		('communication_timing', 'change_communication', 'timing'),
		('communication_channel', 'change_communication', 'channel'),
		('review_kind', 'change_review', 'kind'),
		('signal', 'change_check', 'signal'),
		('bad_when', 'change_check', 'bad_when'),
		('emergency_threshold', 'change', 'emergency_threshold'),
		('object_kind', 'change_task', 'object_kind'),
		('seat', 'board_member', 'seat'),
		('likelihood', 'change_risk', 'likelihood'),
		('impact', 'change_risk', 'impact'),
		('affects', 'change', 'affects'),
		('task_status', 'change_task', 'status'),
		('item_role', 'change_item', 'role'),
		('window_kind', 'change_window', 'kind'),
		('window_enforcement', 'change_window', 'enforcement'),
		('duty_kind', 'duty', 'kind'),
		('incident_kind', 'incident', 'kind')) AS v (list, relation, col);

SELECT set_eq('SELECT DISTINCT list FROM changemgmt.code_list()',
	'SELECT list FROM listed', 'each list is compared with a column');
SELECT is_empty(
	$$SELECT l.*, c.codes, pg_temp.codes_of(('changemgmt.' || relation)::regclass, col)
	FROM listed AS l
		JOIN (SELECT list, array_agg(code ORDER BY sort_order) AS codes
			  FROM changemgmt.code_list() GROUP BY list) AS c USING (list)
	WHERE l.relation <> 'change' AND c.codes IS DISTINCT FROM
		pg_temp.codes_of(('changemgmt.' || relation)::regclass, col)$$,
	'a list and its column take the same codes in the same order');

-- The constraint of change is one function: each code of its lists passes it,
-- and no other.
CREATE FUNCTION pg_temp.is_possible(col text, code text) RETURNS boolean
	LANGUAGE plpgsql AS
$$
BEGIN
	RETURN changemgmt.change_is_possible(jsonb_populate_record(
		NULL::changemgmt.change,
		'{"id": 1, "model": "normal", "type": "normal", "status": "draft",
		  "on_hold": false, "title": "t", "environment": "test",
		  "touches_data_integrity": false, "touches_security": false,
		  "confidential": false, "unplanned": false, "attributes": {}}'
		|| jsonb_build_object(col, CASE col WHEN 'affects'
			THEN jsonb_build_array(code) ELSE to_jsonb(code) END)));
EXCEPTION WHEN SQLSTATE 'MC008' THEN
	RETURN false;
END
$$;
SELECT is_empty(
	$$SELECT l.col, c.code FROM listed AS l
		JOIN (SELECT list, code FROM changemgmt.code_list()
			  UNION ALL
			  SELECT DISTINCT list, wrong FROM changemgmt.code_list(),
				  (VALUES (''), ('nonsense'), ('Normal'), ('draft ')) AS w(wrong)) AS c
			USING (list)
	WHERE l.relation = 'change' AND pg_temp.is_possible(l.col, c.code) <>
		EXISTS (SELECT FROM changemgmt.code_list() AS k
				WHERE k.list = c.list AND k.code = c.code)$$,
	'the constraint of change takes the codes of its lists, and no others');
SELECT is_empty(
	$$SELECT list FROM changemgmt.code_list() GROUP BY list
	HAVING count(DISTINCT code) <> count(*) OR count(DISTINCT label) <> count(*)
		OR count(DISTINCT sort_order) <> count(*)
		OR min(sort_order) <> 1 OR max(sort_order) <> count(*)$$,
	'codes and labels of a list are different ones, numbered from 1');
SELECT results_eq(
	$$SELECT label FROM changemgmt.code_list() WHERE list = 'status' ORDER BY sort_order$$,
	ARRAY['Draft', 'Planned', 'CAB Review', 'Approved', 'Rejected', 'Scheduled',
		'In Progress', 'Verifying', 'Implemented', 'Rolled Back', 'Closed',
		'Cancelled'],
	'statuses have the labels that people know');
SELECT is_empty(
	$$SELECT code FROM changemgmt.code_list() WHERE code !~ '^[a-z0-9_]+$'$$,
	'codes are lower_snake_case');
SELECT is(coalesce(string_agg(list, ', '), ''), '', 'meanings are sentences')
FROM changemgmt.code_list() WHERE description !~ '^[A-Z].*[.]$';
SELECT is(changemgmt.setting_value('reporting_time_zone'), 'UTC',
	'after all this the cache holds what was set last');
SELECT is((SELECT count(*) FROM changemgmt.site_setting), 7::bigint,
	'and the table one row a setting');

SELECT finish();
ROLLBACK;
