-- The record: creating, editing, copying, reading; numbers and the queue.

BEGIN;
SELECT plan(176);

-- who may set conditions is tested in lifecycle.sql
ALTER TABLE changemgmt.change_task DISABLE TRIGGER condition_judge;

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
SELECT changemgmt.add_person(p), changemgmt.add_person('boss', is_executive => true)
FROM (VALUES ('ada')) AS v (p) \g /dev/null
SELECT changemgmt.add_person(p) FROM unnest('{bob,cyd,dan}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_team('dba', lead => 'dan') \g /dev/null
SELECT changemgmt.add_ci('db1', kind => 'database', version => '15.1'),
	changemgmt.add_ci('web', version => '2') \g /dev/null

-- every argument lands in its column

SELECT id AS full_id, status AS full_status FROM changemgmt.create_change(
	title => 'Upgrade', model => 'major', description => 'd1', category => 'infrastructure',
	justification => 'd2', impact_of_not_doing => 'd3', expected_benefit => 'd4',
	long_term_impact => 'd5', requester => 'bob', owner => 'cyd', coordinator => 'dan',
	team => 'dba', priority => 'high', deadline => '2031-01-02 03:04+00',
	promised_at => '2031-01-01 03:04+00', rough_estimate_hours => 12.5,
	environment => 'staging', user_impact => 'd6', affects => '{clients,business}',
	items => '{db1,web}', implementation_plan => 'd7', rollback_trigger => 'd8',
	rollback_plan => 'd9', rollback_minutes => 15, rollback_strategy => 'restore',
	test_plan => 'd10', verification_plan => 'd11', risk_level => 'medium',
	planned_start => '2030-12-01 02:00+00', planned_end => '2030-12-01 04:00+00',
	estimated_minutes => 90, touches_data_integrity => true, touches_security => true,
	confidential => true, unplanned => true, cost_planned => 1234.56,
	source => 'jira', source_key => 'OPS-1', attributes => '{"cost_centre": 7}') \gset

SELECT is(:'full_status', 'draft'::text, 'a change begins as a draft');
SELECT results_eq(
	format($$SELECT e.key, e.value FROM changemgmt.change AS c,
		LATERAL jsonb_each_text(to_jsonb(c)) AS e
	WHERE c.id = %s AND e.value IS NOT NULL
		AND e.key NOT IN ('id', 'created_at', 'updated_at', 'source_digest',
			'ledger_head', 'ledger_sequence', 'revision', 'plan_revision')
		AND e.key !~ '_id$|_start$|_end$|^deadline|^promised'
	ORDER BY e.key COLLATE "C"$$, :full_id),
	$$VALUES ('affects', '["clients", "business"]'), ('approval_round', '0'),
	('attributes', '{"cost_centre": 7}'), ('category', 'infrastructure'),
	('confidential', 'true'), ('cost_planned', '1234.56'), ('description', 'd1'),
	('environment', 'staging'), ('estimated_minutes', '90'), ('expected_benefit', 'd4'),
	('impact_of_not_doing', 'd3'), ('implementation_plan', 'd7'), ('justification', 'd2'),
	('long_term_impact', 'd5'), ('model', 'major'), ('model_version', '0'),
	('on_hold', 'false'), ('priority', 'high'), ('risk_level', 'medium'),
	('rollback_minutes', '15'), ('rollback_plan', 'd9'), ('rollback_strategy', 'restore'),
	('rollback_trigger', 'd8'), ('rough_estimate_hours', '12.50'), ('source', 'jira'),
	('source_key', 'OPS-1'), ('status', 'draft'), ('test_plan', 'd10'),
	('title', 'Upgrade'), ('touches_data_integrity', 'true'),
	('touches_security', 'true'), ('type', 'major'), ('unplanned', 'true'),
	('user_impact', 'd6'), ('verification_plan', 'd11')$$,
	'all that was given is stored, and nothing else');
SELECT results_eq(
	format($$SELECT deadline, promised_at, planned_start, planned_end
	FROM changemgmt.change WHERE id = %s$$, :full_id),
	$$VALUES ('2031-01-02 03:04+00'::timestamptz, '2031-01-01 03:04+00'::timestamptz,
	'2030-12-01 02:00+00'::timestamptz, '2030-12-01 04:00+00'::timestamptz)$$,
	'times as they were given');
SELECT results_eq(
	format($$SELECT a.login, r.login, o.login, k.login, t.name, e.login
	FROM changemgmt.change AS c
	JOIN changemgmt.person AS a ON a.id = c.author_id
	JOIN changemgmt.person AS r ON r.id = c.requester_id
	JOIN changemgmt.person AS o ON o.id = c.owner_id
	JOIN changemgmt.person AS k ON k.id = c.coordinator_id
	JOIN changemgmt.person AS e ON e.id = c.last_editor_id
	JOIN changemgmt.team AS t ON t.id = c.team_id WHERE c.id = %s$$, :full_id),
	$$VALUES ('ada', 'bob', 'cyd', 'dan', 'dba', 'ada')$$,
	'people and teams by their names; the author is who acts');
SELECT results_eq(
	format($$SELECT ci.name, i.role, i.version_before FROM changemgmt.change_item AS i
	JOIN changemgmt.configuration_item AS ci ON ci.id = i.ci_id
	WHERE i.change_id = %s ORDER BY 1$$, :full_id),
	$$VALUES ('db1', 'changed', '15.1'), ('web', 'changed', '2')$$, 'items by their names');
SELECT is((SELECT array_agg(x.arg ORDER BY x.arg) FROM (
		SELECT unnest(proargnames[1:pronargs]) AS arg FROM pg_proc
		WHERE oid = 'changemgmt.create_change'::regproc
		EXCEPT SELECT unnest('{template,items,requester,owner,coordinator,team}'::text[])
		EXCEPT SELECT attname::text FROM pg_attribute
		WHERE attrelid = 'changemgmt.change'::regclass AND attnum > 0) AS x),
	NULL, 'every argument is a column, or known to be none');
SELECT id AS small_id FROM changemgmt.create_change('small') \gset
SELECT results_eq(
	format($$SELECT c.status, c.model, c.type, c.environment, c.attributes::text, r.login
	FROM changemgmt.change AS c JOIN changemgmt.person AS r ON r.id = c.requester_id
	WHERE c.id = %s$$, :small_id),
	$$SELECT 'draft', changemgmt.setting_value('default_model'), definition ->> 'type',
		'production', '{}', 'ada' FROM changemgmt.model
	WHERE key = changemgmt.setting_value('default_model')$$,
	'a title is enough; who acts is who asks');
SELECT is((SELECT number FROM changemgmt.change_state(:small_id)),
	changemgmt.change_number(:small_id), 'the number stands beside the id');

-- by document

SELECT id AS doc_id FROM changemgmt.create_change_from('{
	"title": "By document", "model": "lean_normal", "owner": "bob", "cost_actual": 3,
	"realised_benefit": "much", "affects": ["customers"],
	"items": ["web", {"ci": "db1", "role": "affected", "version_before": "14", "version_after": "16"}],
	"risks": [{"description": "fire", "likelihood": "low", "impact": "high", "mitigation": "water"}],
	"tasks": ["one", {"title": "two", "phase": "preparation", "object_kind": "schema", "object_name": "s"}],
	"checks": ["ping", {"title": "slo", "kind": "slo", "stage": "24_hours", "expected": "< 1 %", "is_required": false}]}') \gset
SELECT results_eq(
	format($$SELECT ci.name, i.role, i.version_before, i.version_after
	FROM changemgmt.change_item AS i
	JOIN changemgmt.configuration_item AS ci ON ci.id = i.ci_id
	WHERE i.change_id = %s ORDER BY 1$$, :doc_id),
	$$VALUES ('db1', 'affected', '14', '16'), ('web', 'changed', '2', NULL)$$,
	'items of a document');
SELECT results_eq(
	format($$SELECT description, likelihood, impact, mitigation
	FROM changemgmt.change_risk WHERE change_id = %s$$, :doc_id),
	$$VALUES ('fire', 'low', 'high', 'water')$$, 'risks');
SELECT results_eq(
	format($$SELECT title, phase, position, object_kind, object_name, status
	FROM changemgmt.change_task WHERE change_id = %s ORDER BY id$$, :doc_id),
	$$VALUES ('one', 'implementation', 1, NULL, NULL, 'open'),
	('two', 'preparation', 2, 'schema', 's', 'open')$$, 'tasks');
SELECT results_eq(
	format($$SELECT title, kind, stage, expected, is_required, is_planned
	FROM changemgmt.change_check WHERE change_id = %s ORDER BY id$$, :doc_id),
	$$VALUES ('ping', 'functional', 'immediate', NULL, true, true),
	('slo', 'slo', '24_hours', '< 1 %', false, true)$$, 'checks');
SELECT results_eq(
	format($$SELECT cost_actual, realised_benefit, affects::text
	FROM changemgmt.change WHERE id = %s$$, :doc_id),
	$$VALUES (3.00, 'much', '{customers}')$$, 'remarks that create_change has no argument for');

SELECT is(changemgmt.publish_model('cert', '{"base": "lean_standard",
	"plan": {"description": "renew", "rollback_minutes": 5, "items": ["web"], "tasks": ["renew it"]}}'),
	1, 'a template');
SELECT id AS cert_id FROM changemgmt.create_change('Renew', template => 'cert',
	description => 'renew two') \gset
SELECT results_eq(
	format($$SELECT c.model, c.type, c.description, c.rollback_minutes,
		(SELECT count(*) FROM changemgmt.change_task WHERE change_id = c.id),
		(SELECT count(*) FROM changemgmt.change_item WHERE change_id = c.id)
	FROM changemgmt.change AS c WHERE id = %s$$, :cert_id),
	$$VALUES ('cert', 'standard', 'renew two', 5, 1::bigint, 1::bigint)$$,
	'a template fills in what is not given');

-- refusals

SELECT is(pg_temp.refusal(sql), expected, sql)
FROM (VALUES
	($$SELECT changemgmt.create_change('x', owner => 'dba')$$,
	 'MC008 | person "dba" does not exist | "dba" is a team; whoever is named here must be one person. | Name the login of one person, such as the lead of the team.'),
	($$SELECT changemgmt.create_change_from('{"title": "x", "model": "no"}')$$,
	 pg_temp.refusal($$SELECT changemgmt.create_change('x', model => 'no')$$)),
	($$SELECT changemgmt.create_change('')$$, 'MC008 | title of a change is empty'),
	($$SELECT changemgmt.create_change('  	 ')$$, 'MC008 | title of a change is empty'),
	($$SELECT changemgmt.create_change(NULL)$$,
	 'MC008 | a change needs a title | changemgmt.create_change(title => ''...'', ...)'),
	($$SELECT changemgmt.create_change('x', rollback_minutes => -1)$$,
	 'MC008 | rollback_minutes of a change is negative'),
	($$SELECT changemgmt.create_change('x', estimated_minutes => -1)$$,
	 'MC008 | estimated_minutes of a change is negative'),
	($$SELECT changemgmt.create_change('x', cost_planned => -0.01)$$,
	 'MC008 | cost_planned of a change is negative'),
	($$SELECT changemgmt.create_change('x', rough_estimate_hours => -2)$$,
	 'MC008 | rough_estimate_hours of a change is negative'),
	($$SELECT changemgmt.create_change('x', planned_start => '2031-01-02', planned_end => '2031-01-01')$$,
	 'MC008 | planned_end of a change is not after planned_start'),
	($$SELECT changemgmt.create_change('x', planned_start => '2031-01-01', planned_end => '2031-01-01')$$,
	 'MC008 | planned_end of a change is not after planned_start'),
	($$SELECT changemgmt.create_change('x', planned_start => '-infinity', planned_end => '2031-01-01')$$,
	 'MC008 | planned_start of a change is infinite'),
	($$SELECT changemgmt.create_change('x', planned_end => 'infinity')$$,
	 'MC008 | planned_end of a change is infinite'),
	($$SELECT changemgmt.create_change('x', deadline => 'infinity')$$,
	 'MC008 | deadline of a change is infinite'),
	($$SELECT changemgmt.create_change('x', promised_at => '-infinity')$$,
	 'MC008 | promised_at of a change is infinite'),
	($$SELECT changemgmt.create_change('x', priority => 'urgent')$$,
	 'MC008 | "urgent" is no value of priority | It is one of low, medium, high, critical.'),
	($$SELECT changemgmt.create_change('x', source => 'jira')$$,
	 'MC008 | source and source_key are given together and not empty, or not at all'),
	($$SELECT changemgmt.create_change('x', template => 'lean_normal')$$,
	 'MC008 | model "lean_normal" is not a template | A template is a model with a "plan": changemgmt.publish_model().'),
	($$SELECT changemgmt.create_change('x', template => 'cert', model => 'normal')$$,
	 'MC008 | a template is a model of its own: "cert" and "normal" cannot both be given'),
	($$SELECT changemgmt.create_change('x', source_key => 'OPS-1')$$,
	 'MC008 | source and source_key are given together and not empty, or not at all'),
	($$SELECT changemgmt.create_change_from('[]')$$, 'MC008 | the document is not a JSON object'),
	($$SELECT changemgmt.create_change_from('"x"')$$, 'MC008 | the document is not a JSON object'),
	($$SELECT changemgmt.create_change_from('{"title": ["x"]}')$$, 'MC008 | "title" is not a string'),
	($$SELECT changemgmt.create_change_from('{"title": "x", "items": "db1"}')$$,
	 'MC008 | "items" is not an array'),
	($$SELECT changemgmt.create_change_from('{"title": "x", "attributes": [1]}')$$,
	 'MC008 | "attributes" is not an object'),
	($$SELECT changemgmt.create_change_from('{"title": "x", "risks": [{"description": "r", "likelihood": "never", "impact": "low"}]}')$$,
	 'MC008 | "never" is no value of likelihood | It is one of very_low, low, medium, high, very_high, unknown.')
) AS v (sql, expected);
SELECT is(substr(pg_temp.refusal(sql), 1, length(expected)), expected, sql)
FROM (VALUES
	($$SELECT changemgmt.create_change('x', requester => 'eve')$$, 'MC008 | person "eve" does not exist'),
	($$SELECT changemgmt.create_change('x', coordinator => 'eve')$$, 'MC008 | person "eve" does not exist'),
	($$SELECT changemgmt.create_change('x', owner => '')$$, 'MC008 | person "" does not exist'),
	($$SELECT changemgmt.create_change('x', team => 'dbas')$$, 'MC008 | team "dbas" does not exist'),
	($$SELECT changemgmt.create_change('x', items => '{db1,db2}')$$, 'MC008 | configuration item "db2" does not exist'),
	($$SELECT changemgmt.create_change('x', model => 'none')$$, 'MC008 | '),
	($$SELECT changemgmt.create_change('x', environment => '')$$, 'MC008 | '),
	($$SELECT changemgmt.create_change_from('{"title": "x", "colour": "red"}')$$,
	 'MC008 | a change has no "colour" that can be given here | '),
	($$SELECT changemgmt.create_change_from('{"title": "x", "status": "approved"}')$$,
	 'MC008 | "status" of a change is not given'),
	($$SELECT changemgmt.create_change_from('{"title": "x", "type": "major"}')$$,
	 'MC008 | "type" of a change is not given'),
	($$SELECT changemgmt.create_change_from('{"title": "x", "approved_at": "2020-01-01"}')$$,
	 'MC008 | "approved_at" of a change is not given')
) AS v (sql, expected);
SELECT is((SELECT count(*) FROM changemgmt.change WHERE title IN ('x', '')), 0::bigint,
	'nothing of it was stored');
SELECT is(substr(pg_temp.refusal(sql), 1, 5), 'MC008', sql)
FROM unnest(ARRAY[
	$$SELECT changemgmt.create_change('x', affects => '{martians}')$$,
	$$SELECT changemgmt.create_change(E'x\ny')$$,
	$$SELECT changemgmt.create_change('x', source => '', source_key => '')$$,
	$$SELECT changemgmt.create_change_from('{"title": "x", "owner": "bob", "owner_id": -1}')$$,
	$$SELECT changemgmt.create_change('x', cost_planned => 1e15)$$,
	$$SELECT changemgmt.create_change('x', items => '{db1,db1}')$$,
	$$SELECT changemgmt.create_change('x', items => '{NULL}')$$,
	$$SELECT changemgmt.create_change_from('{"title": "x", "deadline": "soon"}')$$,
	$$SELECT changemgmt.create_change_from('{"title": "x", "rollback_minutes": "many"}')$$,
	$$SELECT changemgmt.create_change_from('{"title": "x", "confidential": "perhaps"}')$$,
	$$SELECT changemgmt.create_change_from('{"title": "x", "affects": "clients"}')$$,
	$$SELECT changemgmt.create_change_from('{"title": "x", "team_id": -1}')$$,
	$$SELECT changemgmt.create_change_from('{"title": "x", "incident_id": -1}')$$,
	$$SELECT changemgmt.create_change_from('{"title": "x", "risks": ["r"]}')$$,
	$$SELECT changemgmt.create_change_from('{"title": "x", "risks": [{"description": "r"}]}')$$,
	$$SELECT changemgmt.create_change_from('{"title": "x", "tasks": [{"titel": "r"}]}')$$,
	$$SELECT changemgmt.create_change_from('{"title": "x", "tasks": [{"title": "r", "colour": "red"}]}')$$,
	$$SELECT changemgmt.create_change_from('{"title": "x", "items": [{"ci": "db1", "version": "9"}]}')$$]) AS sql;
SELECT is(substr(pg_temp.refusal(
	$$INSERT INTO changemgmt.change (title, author_id) VALUES ('x', changemgmt.person_id('cyd'))$$), 1, 5),
	'MC003', 'the author is who acts');
SELECT is(pg_temp.refusal(
	$$UPDATE changemgmt.change SET planned_end = planned_start WHERE source_key = 'OPS-1'$$),
	'MC008 | planned_end of a change is not after planned_start', 'the same by UPDATE');
SELECT is(pg_temp.refusal(
	$$UPDATE changemgmt.change SET owner_id = -1 WHERE source_key = 'OPS-1'$$),
	'MC008 | owner_id of a change is -1, and there is no such person', 'an owner by an id of nobody');
SET LOCAL changemgmt.actor = 'stranger';
SELECT is(pg_temp.refusal($$SELECT changemgmt.create_change('x')$$),
	'MC008 | nobody is named who asks for the change | "stranger" is not a person known here, so the requester must be given. | SELECT changemgmt.add_person(''stranger'') registers who is acting.',
	'somebody unknown names who asks');
SELECT lives_ok($$SELECT changemgmt.create_change('x', requester => 'bob')$$,
	'then anyone can file a request');
SET LOCAL changemgmt.actor = 'ada';

-- replay

SELECT id AS replay_id, revision AS replay_revision FROM changemgmt.create_change(
	'Replayed', source => 'jira', source_key => 'OPS-2', owner => 'bob',
	items => '{web}', attributes => '{"a": 1, "b": [1, 2]}') \gset
SELECT results_eq(
	$$SELECT id, revision FROM changemgmt.create_change('Replayed', owner => 'bob',
	attributes => '{"b": [1, 2], "a": 1}', items => '{web}', source_key => 'OPS-2',
	source => 'jira')$$,
	format('VALUES (%s::bigint, %s::bigint)', :replay_id, :replay_revision),
	'the same content gives the same change, with nothing added');
SELECT is((SELECT count(*) FROM changemgmt.change_item WHERE change_id = :replay_id),
	1::bigint, 'and no item twice');
SELECT is(pg_temp.refusal(
	$$SELECT changemgmt.create_change('Replayed!', source => 'jira', source_key => 'OPS-2')$$),
	format('MC009 | source "jira" has already sent "OPS-2" with other content | It is %s. | changemgmt.edit_change(%s, ...) changes it; a new change needs a key of its own.',
		changemgmt.change_number(:replay_id), :replay_id),
	'other content is a conflict');
SELECT is(substr(pg_temp.refusal(
	$$SELECT changemgmt.create_change('Replayed', source => 'jira', source_key => 'OPS-2', owner => 'bob',
	items => '{web}', attributes => '{"a": 1, "b": [2, 1]}')$$), 1, 5),
	'MC009', 'also deep inside the attributes');
SELECT isnt((SELECT id FROM changemgmt.create_change('Replayed', source => 'snow', source_key => 'OPS-2')),
	:replay_id::bigint, 'another source has keys of its own');
SELECT changemgmt.edit_change(:replay_id, '{"title": "Edited since"}') \g /dev/null
SELECT is((SELECT id FROM changemgmt.create_change('Replayed', owner => 'bob', items => '{web}',
	attributes => '{"a": 1, "b": [1, 2]}', source => 'jira', source_key => 'OPS-2')),
	:replay_id::bigint, 'a replay is known by what was sent, not by what has become of it');
SELECT is((SELECT title FROM changemgmt.change WHERE id = :replay_id), 'Edited since',
	'and undoes nothing');
SELECT is(pg_temp.refusal(format(
	$$UPDATE changemgmt.change SET source_key = 'OPS-3' WHERE id = %s$$, :replay_id)),
	format('MC005 | source_key of change %s is not written by hand | The extension keeps it; leave the column out.', :replay_id),
	'the key stays');
SET LOCAL TimeZone = 'UTC';
SELECT id AS zone_id FROM changemgmt.create_change('Zones', deadline => '2031-01-01 00:00+00',
	planned_start => '2030-06-01 00:00+00', source => 'jira', source_key => 'OPS-3') \gset
SET LOCAL TimeZone = 'America/St_Johns';
SELECT is((SELECT id FROM changemgmt.create_change('Zones', deadline => '2031-01-01 00:00+00',
	planned_start => '2030-06-01 00:00+00', source => 'jira', source_key => 'OPS-3')),
	:zone_id::bigint, 'the same moments in another time zone are the same content');
RESET TimeZone;

-- edit_change: the RFC's own cases (7396, appendix A), as far as objects go

SELECT id AS rfc_id FROM changemgmt.create_change('rfc') \gset
CREATE FUNCTION pg_temp.patched(original jsonb, patch jsonb) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	answer text;
BEGIN
	UPDATE changemgmt.change SET attributes = original WHERE title = 'rfc';
	PERFORM changemgmt.edit_change(id, jsonb_build_object('attributes', patch))
	FROM changemgmt.change WHERE title = 'rfc';
	SELECT attributes::text INTO answer FROM changemgmt.change WHERE title = 'rfc';
	RETURN answer;
END
$$;
SELECT is(pg_temp.patched(original, patch), result::text,
	format('%s patched with %s', original, patch))
FROM (VALUES
	('{"a": "b"}'::jsonb, '{"a": "c"}'::jsonb, '{"a": "c"}'::jsonb),
	('{"a": "b"}', '{"b": "c"}', '{"a": "b", "b": "c"}'),
	('{"a": "b"}', '{"a": null}', '{}'),
	('{"a": "b", "b": "c"}', '{"a": null}', '{"b": "c"}'),
	('{"a": ["b"]}', '{"a": "c"}', '{"a": "c"}'),
	('{"a": "c"}', '{"a": ["b"]}', '{"a": ["b"]}'),
	('{"a": {"b": "c"}}', '{"a": {"b": "d", "c": null}}', '{"a": {"b": "d"}}'),
	('{"a": [{"b": "c"}]}', '{"a": [1]}', '{"a": [1]}'),
	('{"e": null}', '{"a": 1}', '{"e": null, "a": 1}'),
	('{}', '{"a": {"bb": {"ccc": null}}}', '{"a": {"bb": {}}}'),
	('{"a": [1, 2]}', '{"a": {"a": "b", "c": null}}', '{"a": {"a": "b"}}'),
	('{"a": {"b": 1}}', '{"a": [null, {"c": null}]}', '{"a": [null, {"c": null}]}'),
	('{"a": {"b": {"c": {"d": 1, "e": 2}}}}', '{"a": {"b": {"c": {"d": null}}}}',
	 '{"a": {"b": {"c": {"e": 2}}}}'),
	('{"a": 1}', '{}', '{"a": 1}')
) AS v (original, patch, result);
SELECT is(substr(pg_temp.refusal(format($$SELECT changemgmt.edit_change(%s, '{"attributes": %s}')$$, :rfc_id, patch)), 1, 5),
	'MC008', 'attributes stay an object: ' || patch)
FROM (VALUES ('["c"]'), ('"bar"'), ('7'), ('true')) AS v (patch);

SELECT id AS nulls_id FROM changemgmt.create_change('nulls', attributes => '{"e": null, "f": {"g": null}}') \gset
SELECT is((SELECT attributes FROM changemgmt.change WHERE id = :nulls_id), '{"e": null, "f": {"g": null}}'::jsonb,
	'creation stores what is given, nulls too');
SELECT changemgmt.edit_change(:nulls_id, '{"attributes": null}') \g /dev/null
SELECT is((SELECT attributes FROM changemgmt.change WHERE id = :nulls_id), '{}'::jsonb, 'null empties the attributes');

SELECT id AS edit_id, revision AS edit_revision FROM changemgmt.create_change('to edit',
	description => 'd', owner => 'bob', deadline => '2031-01-01', priority => 'low') \gset
SELECT is((SELECT revision FROM changemgmt.edit_change(:edit_id,
	'{"description": null, "owner": null, "priority": null, "title": "edited", "team": "dba", "affects": ["clients"], "cost_actual": 4.5}')),
	:edit_revision::bigint + 1, 'a patch is one revision');
SELECT results_eq(
	format($$SELECT title, description, owner_id, priority, team_id, affects::text,
		cost_actual, deadline FROM changemgmt.change WHERE id = %s$$, :edit_id),
	$$VALUES ('edited', NULL::text, NULL::bigint, NULL::text, changemgmt.team_id('dba'),
	'{clients}', 4.50, '2031-01-01'::timestamptz)$$,
	'null empties, what is not named stays');
SELECT is((SELECT revision FROM changemgmt.edit_change(:edit_id, '{"title": "edited"}')),
	:edit_revision::bigint + 1, 'a patch that changes nothing is no revision');
SELECT is((SELECT revision FROM changemgmt.edit_change(:edit_id, '{}')),
	:edit_revision::bigint + 1, 'nor is an empty one');
SELECT lives_ok(format($$SELECT changemgmt.edit_change(%s, '{"owner": "cyd"}', %s)$$,
	:edit_id, :edit_revision + 1), 'with the revision it was read at');
SELECT is(pg_temp.refusal(format($$SELECT changemgmt.edit_change(%s, '{"owner": "bob"}', %s)$$,
	:edit_id, :edit_revision + 1)),
	format('MC010 | %s has moved on: it is at revision %s, not %s | Read the change again, and decide on what it is now.',
		changemgmt.change_number(:edit_id), :edit_revision + 2, :edit_revision + 1),
	'and not when it has moved on');
SELECT is(substr(pg_temp.refusal(format(sql, :edit_id)), 1, length(expected)), expected, sql)
FROM (VALUES
	('SELECT changemgmt.edit_change(%s, NULL)', 'MC008 | the patch is null'),
	('SELECT changemgmt.edit_change(%s, ''[]'')', 'MC008 | the document is not a JSON object'),
	('SELECT changemgmt.edit_change(%s, ''{"title": ""}'')', 'MC008 | title of a change is empty'),
	('SELECT changemgmt.edit_change(%s, ''{"title": null}'')', 'MC008 | title of a change is null'),
	('SELECT changemgmt.edit_change(%s, ''{"environment": null}'')', 'MC008 | environment of a change is null'),
	('SELECT changemgmt.edit_change(%s, ''{"owner": "dba"}'')', 'MC008 | person "dba" does not exist | "dba" is a team'),
	('SELECT changemgmt.edit_change(%s, ''{"owner": 7}'')', 'MC008 | "owner" is not a string'),
	('SELECT changemgmt.edit_change(%s, ''{"owner_id": -7}'')', 'MC008 | owner_id of a change is -7'),
	('SELECT changemgmt.edit_change(%s, ''{"status": "approved"}'')', 'MC008 | "status" of a change is not given'),
	('SELECT changemgmt.edit_change(%s, ''{"revision": 5}'')', 'MC008 | "revision" of a change is not given'),
	('SELECT changemgmt.edit_change(%s, ''{"items": ["web"]}'')', 'MC008 | a change has no "items"'),
	('SELECT changemgmt.edit_change(%s, ''{"type": "major"}'')', 'MC008 | "type" of a change is not given'),
	('SELECT changemgmt.edit_change(%s, ''{"source": "x"}'')', 'MC008 | "source" of a change is not given'),
	('SELECT changemgmt.edit_change(%s, ''{"incident_id": 1}'')', 'MC008 | "incident_id" of a change is not given'),
	('SELECT changemgmt.edit_change(%s, ''{"no_such": null}'')', 'MC008 | a change has no "no_such"')
) AS v (sql, expected);
SELECT is(pg_temp.refusal('SELECT changemgmt.edit_change(NULL, ''{}'')'),
	'MC008 | the change is null | Verbs take the id of a change; changemgmt.change_id(number) gives it.',
	'no change');
SELECT is(pg_temp.refusal('SELECT changemgmt.edit_change(-5, ''{}'')'),
	'MC008 | change -5 does not exist | SELECT change_id, number, title FROM changemgmt.change_fact lists the changes there are.',
	'an unknown change');
SELECT lives_ok(format($$SELECT changemgmt.edit_change(%s, '{"model": "standard"}')$$, :edit_id),
	'the model is chosen in draft');
SELECT is((SELECT type FROM changemgmt.change WHERE id = :edit_id), 'standard',
	'and brings its type');

-- copies

SELECT changemgmt.add_comment(:doc_id, 'not copied'),
	changemgmt.link_change(:doc_id, 'ticket', target => 'T-1') \g /dev/null
UPDATE changemgmt.change_task SET is_condition = true WHERE change_id = :doc_id AND title = 'two';
SELECT changemgmt.edit_change(:doc_id, '{"planned_start": "2031-01-01T00:00Z", "planned_end": "2031-01-01T01:00Z",
	"deadline": "2031-02-01", "description": "how", "rollback_plan": "back", "attributes": {"k": 1}}') \g /dev/null
SET LOCAL changemgmt.actor = 'cyd';
SELECT id AS copy_id, status AS copy_status FROM changemgmt.copy_change(:doc_id) \gset
SET LOCAL changemgmt.actor = 'ada';
SELECT is(:'copy_status', 'draft'::text, 'a copy begins anew');
SELECT results_eq(
	format($$SELECT title, model, description, rollback_plan, attributes::text,
		owner_id, copied_from_id, planned_start, planned_end, deadline, cost_actual,
		realised_benefit, source FROM changemgmt.change WHERE id = %s$$, :copy_id),
	format($$VALUES ('By document', 'lean_normal', 'how', 'back', '{"k": 1}',
	changemgmt.person_id('bob'), %s::bigint, NULL::timestamptz, NULL::timestamptz,
	NULL::timestamptz, NULL::numeric, NULL::text, NULL::text)$$, :doc_id),
	'with the plan, without its time and results');
SELECT results_eq(
	format($$SELECT requester_id, author_id FROM changemgmt.change WHERE id = %s$$, :copy_id),
	$$VALUES (changemgmt.person_id('cyd'), changemgmt.person_id('cyd'))$$, 'by who copies it');
SELECT results_eq(
	format($$SELECT (SELECT count(*) FROM changemgmt.change_item WHERE change_id = %1$s),
	(SELECT count(*) FROM changemgmt.change_risk WHERE change_id = %1$s),
	(SELECT string_agg(title, ',') FROM changemgmt.change_task WHERE change_id = %1$s),
	(SELECT count(*) FROM changemgmt.change_check WHERE change_id = %1$s),
	(SELECT count(*) FROM changemgmt.change_comment WHERE change_id = %1$s),
	(SELECT count(*) FROM changemgmt.change_link WHERE change_id = %1$s)$$, :copy_id),
	$$VALUES (2::bigint, 1::bigint, 'one', 2::bigint, 0::bigint, 0::bigint)$$,
	'and the parts of the plan, not what others asked for or said');
SELECT is((SELECT version_before FROM changemgmt.change_item
	WHERE change_id = :copy_id AND ci_id = changemgmt.ci_id('db1')), '15.1',
	'the version before is what is there now');
SELECT id AS copy2_id FROM changemgmt.copy_change(:doc_id, 'Another') \gset
SELECT is((SELECT title FROM changemgmt.change WHERE id = :copy2_id), 'Another', 'with a title of its own');
SELECT is(substr(pg_temp.refusal('SELECT changemgmt.copy_change(NULL)'), 1, 5), 'MC008', 'a copy of nothing');
SELECT is(substr(pg_temp.refusal('SELECT changemgmt.copy_change(-1)'), 1, 5), 'MC008', 'a copy of nobody');

-- numbers

SELECT is(changemgmt.change_number(42), 'CHG0000042', 'a number');
SELECT is(changemgmt.change_number(12345678901), 'CHG12345678901', 'a long one');
SELECT is(changemgmt.change_number(NULL), NULL, 'none');
SELECT is(changemgmt.change_id(n), 42::bigint, 'the id of ' || n)
FROM unnest('{CHG0000042,chg42,Chg042}'::text[]) AS n;
SELECT is(changemgmt.change_id(changemgmt.change_number(n)), n, 'there and back: ' || n)
FROM unnest('{1,9999999,10000000,9223372036854775807}'::bigint[]) AS n;
SELECT is(pg_temp.refusal(format('SELECT changemgmt.change_id(%L)', n)),
	format('MC008 | "%s" is not the number of a change | Numbers look like CHG0000042.', n),
	'no number: ' || n)
FROM unnest('{42,CHG,CHG-1,"CHG 42",CHG42x,INC0000042,"",CHG99999999999999999999," CHG42"}'::text[]) AS n;
SELECT changemgmt.set_setting('number_prefix', 'RFC-'), changemgmt.set_setting('number_width', '3') \g /dev/null
SELECT is(changemgmt.change_number(42), 'RFC-042', 'prefix and width are settings');
SELECT is(changemgmt.change_id('rfc-42'), 42::bigint, 'and back');
SELECT is(substr(pg_temp.refusal('SELECT changemgmt.change_id(''CHG0000042'')'), 1, 5), 'MC008',
	'the old form is none any more');
DELETE FROM changemgmt.site_setting;
SELECT is(changemgmt.change_number(42), 'CHG0000042', 'the shipped ones again');

-- header

SELECT is(changemgmt.change_header(:full_id), changemgmt.change_number(:full_id) || $$ Upgrade
Type:         major (major)
Owner:        cyd
Services:     db1, web
Risk:         medium
Time:         $$ || to_char('2030-12-01 02:00+00'::timestamptz, 'YYYY-MM-DD HH24:MI') || ' to '
	|| to_char('2030-12-01 04:00+00'::timestamptz, 'YYYY-MM-DD HH24:MI TZ') || $$
Rollback:     when d8
              d9
              15 minutes
Verification: d11
Approval:     none yet
Status:       draft
Outcome:      none yet$$, 'the header of a change, to copy and paste');
SELECT is(changemgmt.change_header(:small_id), changemgmt.change_number(:small_id) || $$ small
Type:         $$ || (SELECT type || ' (' || model || ')' FROM changemgmt.change WHERE id = :small_id) || $$
Owner:        nobody yet
Services:     none named
Risk:         not assessed
Time:         not planned
Rollback:     not planned
Verification: not planned
Approval:     none yet
Status:       draft
Outcome:      none yet$$, 'of one that says little');
SELECT is(changemgmt.change_header(-1), NULL, 'of none');

-- classes of columns

SELECT results_eq(
	$$SELECT relation || '.' || field COLLATE "C" FROM changemgmt.field_class() ORDER BY 1$$,
	$$SELECT (r.relname || '.' || a.attname)::text COLLATE "C" FROM pg_attribute AS a
	JOIN pg_class AS r ON r.oid = a.attrelid
	WHERE r.relnamespace = 'changemgmt'::regnamespace AND r.relkind = 'r'
	  AND (r.relname = 'change' OR (r.relname LIKE 'change\_%' OR r.relname = 'template_proposal')
		   AND EXISTS (SELECT FROM pg_attribute AS c
					   WHERE c.attrelid = r.oid AND c.attname = 'change_id'))
	  AND a.attnum > 0 AND NOT a.attisdropped
	ORDER BY 1$$, 'every column of the change and its parts has a class');
SELECT set_eq($$SELECT DISTINCT class FROM changemgmt.field_class()$$,
	'{plan,schedule,progress,remark,engine}'::text[], 'there are five classes');
SELECT is_empty($$SELECT relation, field FROM changemgmt.field_class()
	GROUP BY 1, 2 HAVING count(*) > 1$$, 'one class a column');
SELECT set_eq($$SELECT field FROM changemgmt.field_class() WHERE class = 'schedule'$$,
	'{planned_start,planned_end}'::text[], 'the window is not sealed by default');

-- the queue of requests

SAVEPOINT queue;
DELETE FROM changemgmt.change_item;
DELETE FROM changemgmt.change_risk;
DELETE FROM changemgmt.change_task;
DELETE FROM changemgmt.change_check;
DELETE FROM changemgmt.change_comment;
DELETE FROM changemgmt.change_link;
UPDATE changemgmt.change SET confidential = false;
DELETE FROM changemgmt.change WHERE copied_from_id IS NOT NULL;
DELETE FROM changemgmt.change;
SELECT is_empty('SELECT * FROM changemgmt.request_queue', 'an empty queue');
SELECT changemgmt.create_change('owned', owner => 'bob', priority => 'critical') \g /dev/null
-- in an order that is not theirs
SELECT changemgmt.create_change(title, priority => priority, deadline => deadline,
	rough_estimate_hours => hours, requester => requester, affects => affects)
FROM (VALUES
	('12 age, younger', 'low', NULL::timestamptz, NULL::numeric, 'bob', '{internal_staff}'::text[], 13),
	('11 age, older', 'low', NULL, NULL, 'bob', '{internal_staff}', 12),
	('10 later deadline', 'low', now() + '30 days', NULL, 'bob', '{internal_staff}', 11),
	('08 unknown is medium', NULL, NULL, NULL, 'bob', '{clients}', 10),
	('09 nobody named', 'medium', NULL, 1, 'bob', NULL, 9),
	('07 high', 'high', NULL, 8, 'bob', '{internal_staff}', 8),
	('06 executive', 'low', NULL, 0.51, 'boss', '{internal_staff}', 7),
	('05 quick', 'low', now() + '7 days 1 minute', 0.5, 'bob', NULL, 6),
	('04 due and quick is behind', 'low', now() + '6 days 23 hours', NULL, 'bob', NULL, 5),
	('03 due, quick', 'low', now() + '6 days', 0.25, 'bob', NULL, 4),
	('02 critical', 'critical', NULL, 100, 'bob', '{business,clients}', 3),
	('01 critical and over', 'critical', now() - '1 day'::interval, 100, 'boss', '{customers}', 2)
) AS v (title, priority, deadline, hours, requester, affects, n)
ORDER BY n \g /dev/null
SELECT results_eq(
	$$SELECT place, title, reason FROM changemgmt.request_queue ORDER BY place$$,
	$$VALUES (1::bigint, '01 critical and over', 'critical now; deadline is over; asked for by an executive; affects customers'),
	(2, '02 critical', 'critical now; affects business, clients'),
	(3, '03 due, quick', 'deadline within a week; done within half an hour; priority low; nobody named who is affected'),
	(4, '04 due and quick is behind', 'deadline within a week; priority low; nobody named who is affected'),
	(5, '05 quick', 'done within half an hour; priority low; nobody named who is affected'),
	(6, '06 executive', 'asked for by an executive; priority low; affects internal_staff'),
	(7, '07 high', 'priority high; affects internal_staff'),
	(8, '08 unknown is medium', 'no priority given, taken as medium; affects clients'),
	(9, '09 nobody named', 'priority medium; nobody named who is affected'),
	(10, '10 later deadline', 'priority low; affects internal_staff'),
	(11, '11 age, older', 'priority low; affects internal_staff'),
	(12, '12 age, younger', 'priority low; affects internal_staff')$$,
	'the order of the queue, with the reason for each place');
SELECT is_empty($$SELECT FROM changemgmt.request_queue WHERE title = 'owned'$$,
	'what somebody owns is not in it');
SELECT results_eq(
	$$SELECT number, type, requester, coordinator, age_hours < 1
	FROM changemgmt.request_queue WHERE title = '07 high'$$,
	$$SELECT changemgmt.change_number(id), type, 'bob', NULL::text, true
	FROM changemgmt.change WHERE title = '07 high'$$, 'what it says of a request');
SELECT is_empty(
	$$SELECT a.attname FROM pg_attribute AS a
	WHERE a.attrelid IN ('changemgmt.request_queue'::regclass) AND a.attnum > 0
	  AND (col_description(a.attrelid, a.attnum) IS NULL AND a.attname <> ''
	   OR a.atttypid NOT IN ('text'::regtype, 'bigint'::regtype, 'integer'::regtype,
		'boolean'::regtype, 'date'::regtype, 'timestamptz'::regtype, 'numeric'::regtype,
		'double precision'::regtype))$$, 'plain columns, each with a comment');
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
ROLLBACK TO queue;
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'and was before');

SELECT matches(pg_temp.refusal($$INSERT INTO changemgmt.change (title, affects) VALUES ('x', '[0:1]={clients,business}')$$),
	'^MC008.*affects.*no plain list', 'a list begins with its first element: the ledger could not tell another one');
SELECT finish();
ROLLBACK;
