--
-- A change as it stood: each state that the test saw itself comes back from
-- the ledger, exactly; parts that are not what the chain recorded are told.
--
\set QUIET on
BEGIN;
SELECT no_plan();

--
-- What the test saw: after each entry of every change, by a trigger that comes
-- last, what the tables held.
--
CREATE TABLE pg_temp.seen (change_id bigint, sequence bigint, row_text text, digest bytea, document jsonb,
	PRIMARY KEY (change_id, sequence));
CREATE FUNCTION pg_temp.parts(id bigint) RETURNS jsonb LANGUAGE plpgsql SET TimeZone = 'UTC' SET bytea_output = 'hex' AS $$
DECLARE
	part text;
	part_rows jsonb;
	result jsonb := '{}';
BEGIN
	FOREACH part IN ARRAY '{change_item,change_risk,change_task,change_check,change_comment,change_link,change_waiver,approval_vote,template_proposal,change_communication,change_review}'::text[] LOOP
		EXECUTE format('SELECT coalesce(jsonb_agg(to_jsonb(p) ORDER BY p.id), ''[]'') FROM changemgmt.%I AS p WHERE p.change_id = $1', part)
			INTO part_rows USING id;
		result := result || jsonb_build_object(part, part_rows);
	END LOOP;
	RETURN result;
END $$;
CREATE FUNCTION pg_temp.look() RETURNS trigger LANGUAGE plpgsql SET TimeZone = 'UTC' SET bytea_output = 'hex' SET extra_float_digits = 1 AS $$
BEGIN
	INSERT INTO pg_temp.seen VALUES (NEW.id, NEW.ledger_sequence, NEW::text, changemgmt.row_digest(NEW),
		to_jsonb(NEW) || pg_temp.parts(NEW.id))
	ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;
CREATE TRIGGER zzzzz_look AFTER INSERT OR UPDATE ON changemgmt.change
	FOR EACH ROW EXECUTE FUNCTION pg_temp.look();
CREATE FUNCTION pg_temp.text_of(c changemgmt.change) RETURNS text
	LANGUAGE sql SET TimeZone = 'UTC' SET bytea_output = 'hex' SET extra_float_digits = 1 AS 'SELECT c::text';

-- Somebody's step.
CREATE FUNCTION pg_temp.by(login text, sql text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('changemgmt.actor', login, true);
	EXECUTE sql;
	PERFORM set_config('changemgmt.actor', 'otto', true);
END $$;
CREATE FUNCTION pg_temp.refusal(sql text) RETURNS text LANGUAGE plpgsql AS $$
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
END $$;

SET LOCAL changemgmt.actor = 'otto';
SELECT changemgmt.add_person(p) FROM unnest('{otto,ann,ben,cleo,ivan,vera,mona,lead}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_team('dba', 'lead', '{ivan}'), changemgmt.add_board('panel'),
	changemgmt.add_ci('db1', version => '1'), changemgmt.add_ci('db2') \g /dev/null
SELECT changemgmt.add_board_member('panel', p) FROM unnest('{ann,ben,cleo}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_board_member('panel', 'mona', 'change_manager') \g /dev/null
SELECT changemgmt.publish_model('walked', '{"base": "normal", "notice_business_days": 0, "validations": [], "separate": [],
	"approval": {"policy": "board", "board": "panel", "needed": 2}, "waivable": ["checklist_done"]}') \g /dev/null

-- settings that a text would depend on
SET LOCAL TimeZone = 'Asia/Kolkata';
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL bytea_output = 'escape';
SET LOCAL IntervalStyle = 'sql_standard';

--
-- A walk through the statuses, with votes, waivers, and edits of every part
--
SELECT id AS walked FROM changemgmt.create_change('Upgrade the database', model => 'walked', owner => 'otto', team => 'dba',
	description => 'd', justification => 'j', user_impact => 'none', risk_level => 'low', rollback_trigger => 'errors',
	rollback_plan => 'back', rollback_minutes => 5, verification_plan => 'look', items => '{db1}', planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day') \gset
SELECT changemgmt.add_task(:walked, t) FROM unnest('{dump,upgrade}'::text[]) AS t \g /dev/null
SELECT changemgmt.add_check(:walked, 'connections') \g /dev/null
SELECT pg_temp.by(login, format(sql, :walked)) FROM (VALUES
	(1, 'otto', $q$SELECT changemgmt.add_risk(%s, 'it breaks', 'low', 'high')$q$),
	(2, 'otto', $q$INSERT INTO changemgmt.change_risk (change_id, description, likelihood, impact) SELECT %s, 'risk ' || n, 'low', 'low' FROM generate_series(1, 5) AS n$q$),
	(3, 'otto', $q$UPDATE changemgmt.change_risk SET mitigation = E'caf\u00e9 \\ "' || id, likelihood = 'high' WHERE change_id = %s$q$),
	(4, 'otto', $q$DELETE FROM changemgmt.change_risk WHERE change_id = %s AND id %% 2 = 0$q$),
	(5, 'otto', $q$SELECT changemgmt.add_item(%s, 'db2', version_after => '2')$q$),
	(6, 'otto', $q$SELECT changemgmt.add_comment(%s, E'two\nlines \U0001F642')$q$),
	(7, 'otto', $q$UPDATE changemgmt.change_comment SET body = body || '!' WHERE change_id = %s$q$),
	(8, 'otto', $q$SELECT changemgmt.link_change(%s, 'commit', target => 'abc', occurred_at => '2026-01-02 03:04:05.678901+00')$q$),
	(9, 'otto', $q$UPDATE changemgmt.change_task SET position = -position, description = '' WHERE change_id = %s$q$),
	(10, 'otto', $q$UPDATE changemgmt.change_link SET target = 'abcd' WHERE change_id = %s$q$),
	(11, 'mona', $q$SELECT changemgmt.triage(%s, 'otto', 'otto', 'dba', 'high', 4.25, now() + interval '1 day')$q$),
	(12, 'otto', $q$SELECT changemgmt.plan(%s)$q$),
	(13, 'otto', $q$SELECT changemgmt.add_communication(%s, 'before', 'users', 'chat', 'soon'), changemgmt.add_communication(%1$s, 'after', 'exec', 'email', 'done')$q$),
	(13, 'otto', $q$UPDATE changemgmt.change_communication SET message = 'very soon' WHERE change_id = %s AND timing = 'before'$q$),
	(13, 'otto', $q$SELECT changemgmt.remove_communication(id) FROM changemgmt.change_communication WHERE change_id = %s AND timing = 'after'$q$),
	(13, 'otto', $q$SELECT changemgmt.hold(%s, 'wait')$q$),
	(14, 'otto', $q$SELECT changemgmt.resume(%s, 'on')$q$),
	(15, 'otto', $q$SELECT changemgmt.submit(%s)$q$),
	(16, 'ann', $q$SELECT changemgmt.reject(%s, 'too early')$q$),
	(17, 'ben', $q$SELECT changemgmt.reject(%s, 'as ann says')$q$),
	(18, 'otto', $q$SELECT changemgmt.revise(%s, 'later')$q$),
	(19, 'otto', $q$SELECT changemgmt.advance(%s, 'awaiting_approval')$q$),
	(20, 'ann', $q$SELECT changemgmt.abstain(%s, 'not mine')$q$),
	(21, 'ann', $q$SELECT changemgmt.approve(%s, 'seen')$q$),
	(22, 'mona', $q$SELECT changemgmt.waive(%s, 'checklist_done', 'agreed')$q$),
	(23, 'cleo', $q$SELECT changemgmt.approve(%s)$q$),
	(24, 'otto', $q$SELECT changemgmt.edit_change(%s, '{"implementation_plan": "in another order"}')$q$),
	(25, 'otto', $q$SELECT changemgmt.submit(%s)$q$),
	(26, 'ben', $q$SELECT changemgmt.approve(%s)$q$),
	(27, 'cleo', $q$SELECT changemgmt.approve(%s)$q$),
	(28, 'otto', $q$SELECT changemgmt.schedule(%s, now() - interval '1 hour', now() + interval '1 hour')$q$),
	(29, 'ivan', $q$SELECT changemgmt.start(%s)$q$),
	(30, 'ivan', $q$SELECT changemgmt.mark_sent(id), changemgmt.post_update(change_id, 'half way') FROM changemgmt.change_communication WHERE change_id = %s$q$),
	(30, 'ivan', $q$SELECT changemgmt.complete_task(id) FROM changemgmt.change_task WHERE change_id = %s AND title = 'dump'$q$),
	(31, 'ivan', $q$SELECT changemgmt.skip_task(id, 'no need') FROM changemgmt.change_task WHERE change_id = %s AND title <> 'dump'$q$),
	(32, 'ivan', $q$SELECT changemgmt.complete(%s)$q$),
	(33, 'vera', $q$SELECT changemgmt.record_check(id, true, 'fine') FROM changemgmt.change_check WHERE change_id = %s$q$),
	(34, 'vera', $q$SELECT changemgmt.pass(%s)$q$),
	(35, 'ivan', $q$SELECT changemgmt.begin_rollback(%s)$q$),
	(36, 'ivan', $q$SELECT changemgmt.roll_back(%s, 'errors after all', 'testing')$q$),
	(37, 'vera', $q$SELECT changemgmt.confirm_stability(%s)$q$),
	(37, 'vera', $q$SELECT changemgmt.review_change(%s, 'post_mortem', causes => 'c', lessons => 'l', actions => 'a')$q$),
	(37, 'vera', $q$UPDATE changemgmt.change_review SET causes = 'd' WHERE change_id = %s$q$),
	(38, 'otto', $q$SELECT changemgmt.close(%s)$q$)
) AS v (place, login, sql) ORDER BY place \g /dev/null
SELECT is((SELECT status FROM changemgmt.change WHERE id = :walked), 'closed', 'a change went all its way');

--
-- Every column that can be edited, with values that a text loses easily
--
SELECT id AS edited FROM changemgmt.create_change('Edited') \gset
CREATE TEMP TABLE edit (place int GENERATED ALWAYS AS IDENTITY, field text, value text);
INSERT INTO edit (field, value) VALUES
	('title', $$'ünïcödé \ "title" 🙂'$$), ('description', E'\'a\nb\ttab\''), ('description', $$''$$), ('description', 'NULL'),
	('category', $$'schema'$$), ('justification', $$' '$$), ('impact_of_not_doing', $$'null'$$), ('expected_benefit', $$'[1, 2]'$$),
	('realised_benefit', $$'true'$$), ('long_term_impact', $$'12'$$), ('environment', $$'staging'$$), ('user_impact', $$'infinity'$$),
	('affects', $$'{clients,business}'$$), ('affects', $$'{}'$$), ('affects', 'NULL'), ('affects', $$'{customers}'$$),
	('touches_data_integrity', 'true'), ('touches_security', 'true'), ('confidential', 'true'), ('unplanned', 'true'),
	('confidential_until', $$'2026-12-31 23:59:59.999999+00'$$),
	('owner_id', $$changemgmt.person_id('ivan')$$), ('coordinator_id', $$changemgmt.person_id('mona')$$), ('team_id', $$changemgmt.team_id('dba')$$),
	('priority', $$'critical'$$), ('deadline', $$'2026-05-01 10:00:00.123456+05:30'$$), ('promised_at', $$'0044-03-15 12:00:00.000001+00 BC'$$),
	('promised_at', $$'294276-12-31 23:59:59.999999+00'$$), ('rough_estimate_hours', '4'), ('rough_estimate_hours', '0.10'),
	('estimated_minutes', '2147483647'), ('cost_planned', '999999999999.99'), ('cost_actual', '12.5'),
	('implementation_plan', $$'1. do it'$$), ('rollback_trigger', $$'x'$$), ('rollback_plan', $$'y'$$), ('rollback_minutes', '0'),
	('rollback_strategy', $$'manual'$$), ('test_plan', $$'t'$$), ('verification_plan', $$'v'$$), ('risk_level', $$'critical'$$),
	('planned_start', $$'2026-06-01 00:00+00'$$), ('planned_end', $$'2026-06-01 00:00:00.000001+00'$$), ('override_reason', $$'because'$$),
	('remediation', $$'r'$$), ('cause_class', $$'human'$$), ('found_by', $$'f'$$), ('incident_id', $$changemgmt.incident_id('INC-1')$$),
	('attributes', $$'{"b": 1.50, "aa": [1, null, {"x": 1e30}], "": "\\u00e9", "n": null}'$$), ('attributes', $$'{}'$$),
	('model', $$'lean_normal'$$);
DO $$
DECLARE
	e record;
BEGIN
	FOR e IN SELECT * FROM edit ORDER BY place LOOP
		EXECUTE format('UPDATE changemgmt.change SET %I = %s WHERE title <> ''Upgrade the database''', e.field, e.value);
	END LOOP;
END $$;
SELECT set_eq('SELECT DISTINCT field FROM edit',
	$$SELECT field FROM changemgmt.field_class() WHERE relation = 'change' AND class IN ('plan', 'schedule', 'remark')
		AND field NOT IN ('type', 'requester_id')
	UNION SELECT unnest('{override_reason,remediation,cause_class,found_by,incident_id}'::text[])$$,
	'every column that can be written by hand was');

-- parts that move to another change, many rows in one statement
SELECT id AS other FROM changemgmt.create_change('Other') \gset
SELECT changemgmt.add_task(:other, t) FROM unnest('{a,b,c}'::text[]) AS t \g /dev/null
SELECT pg_temp.by('otto', format(sql, :edited, :other)) FROM (VALUES
	(1, $q$SELECT changemgmt.add_risk(%1$s, 'moves', 'low', 'low')$q$),
	(2, $q$UPDATE changemgmt.change_risk SET change_id = %2$s, description = 'moved' WHERE change_id = %1$s$q$),
	(5, $q$UPDATE changemgmt.change_risk SET change_id = %1$s WHERE change_id = %2$s$q$),
	(6, $q$INSERT INTO changemgmt.change_task (change_id, title) VALUES (%2$s, 'x'), (%1$s, 'y')$q$)
) AS v (place, sql) ORDER BY place \g /dev/null

--
-- 200 events and a few more
--
SELECT id AS long FROM changemgmt.create_change('Long') \gset
DO $$
DECLARE
	long bigint := (SELECT id FROM changemgmt.change WHERE title = 'Long');
BEGIN
	FOR i IN 1..70 LOOP
		UPDATE changemgmt.change SET description = 'version ' || i, estimated_minutes = i WHERE id = long;
		INSERT INTO changemgmt.change_task (change_id, title) VALUES (long, 'task ' || i);
		IF i % 3 = 0 THEN
			DELETE FROM changemgmt.change_task WHERE id = (SELECT min(t.id) FROM changemgmt.change_task AS t WHERE t.change_id = long);
		ELSE
			UPDATE changemgmt.change_task AS t SET title = t.title || '.' WHERE t.change_id = long;
		END IF;
	END LOOP;
END $$;
SELECT cmp_ok((SELECT ledger_sequence FROM changemgmt.change WHERE id = :long), '>', 200::bigint, 'there is a change of 200 events');

--
-- History by COPY, edited afterwards
--
COPY changemgmt.change (id, model, model_version, type, status, title, created_at, updated_at, attributes, source, source_key, source_digest, cost_actual, affects) FROM stdin;
800001	normal	0	normal	draft	Old ticket	2020-01-02 03:04:05.000001+00	2020-02-02 00:00:00+00	{"a": 1.0}	snow	CHG1	\\x00ff10	7.50	{clients}
800002	normal	0	normal	draft	Older ticket	2019-01-02 03:04:05+00	2019-02-02 00:00:00+00	{}	snow	CHG2	\N	\N	\N
\.
COPY changemgmt.change_task (id, change_id, title, status) FROM stdin;
800001	800001	old task	open
800002	800001	older task	open
800003	800002	task	open
\.
SELECT pg_temp.text_of(c) AS old_ticket, to_jsonb(c) - '{created_at,updated_at,source_digest}'::text[] || pg_temp.parts(id) AS old_document
FROM changemgmt.change AS c WHERE id = 800001 \gset
SELECT pg_temp.by('otto', sql) FROM (VALUES
	(1, $q$UPDATE changemgmt.change SET title = 'Edited ticket', attributes = '{}', affects = NULL WHERE id = 800001$q$),
	(2, $q$UPDATE changemgmt.change_task SET title = 'new name' WHERE id = 800001$q$),
	(3, $q$DELETE FROM changemgmt.change_task WHERE id = 800002$q$),
	(4, $q$SELECT changemgmt.add_task(800001, 'another')$q$)
) AS v (place, sql) ORDER BY place \g /dev/null

--
-- All of it comes back
--
CREATE TEMP TABLE entry AS
	SELECT subject_id AS change_id, sequence, event, row_digest, recorded_at AS since, until
	FROM (SELECT *, lead(recorded_at) OVER (PARTITION BY subject_id ORDER BY sequence) AS until
		  FROM changemgmt.ledger WHERE subject_kind = 'change') AS l
	-- two in one microsecond: the last of them stands
	WHERE until IS NULL OR until > recorded_at;
SELECT cmp_ok((SELECT count(*) FROM entry), '>', 300::bigint, 'hundreds of entries');
SELECT bag_eq($$SELECT change_id, sequence FROM seen WHERE sequence > 0$$,
	$$SELECT subject_id, sequence FROM changemgmt.ledger WHERE subject_kind = 'change'$$, 'the test looked after each');

CREATE FUNCTION pg_temp.moments(since timestamptz, until timestamptz) RETURNS SETOF timestamptz LANGUAGE sql AS $$
	SELECT since UNION SELECT since + (until - since) / 2 UNION SELECT until - interval '1 microsecond'
	UNION SELECT 'infinity' WHERE until IS NULL UNION SELECT clock_timestamp() WHERE until IS NULL
	EXCEPT SELECT NULL
$$;
SELECT is_empty($$SELECT e.change_id, e.sequence, at, e.event FROM entry AS e, pg_temp.moments(since, until) AS at
	WHERE (SELECT changemgmt.row_digest(c) FROM changemgmt.change_as_of(e.change_id, at) AS c) IS DISTINCT FROM e.row_digest$$,
	'the row as of every entry, and in between, has the digest that the entry recorded');
SELECT is_empty($$SELECT e.change_id, e.sequence, e.event FROM entry AS e JOIN seen AS s USING (change_id, sequence)
	WHERE (SELECT pg_temp.text_of(c) FROM changemgmt.change_as_of(e.change_id, e.since) AS c) IS DISTINCT FROM s.row_text$$,
	'and is the row that the test saw, to the last digit, with its place in the chain');
SELECT is_empty($$SELECT e.change_id, e.sequence, e.event FROM entry AS e JOIN seen AS s USING (change_id, sequence),
		pg_temp.moments(since, until) AS at
	WHERE changemgmt.change_document(e.change_id, at) IS DISTINCT FROM s.document$$,
	'the document as of every entry, and in between, is the change with the parts that the test saw');
SELECT is_empty($$SELECT id FROM changemgmt.change AS c WHERE NOT EXISTS (SELECT FROM changemgmt.change_as_of(c.id) AS o WHERE o::text = c::text)
	OR NOT EXISTS (SELECT FROM changemgmt.change_as_of(c.id, NULL) AS o WHERE o::text = c::text)
	OR NOT EXISTS (SELECT FROM changemgmt.change_as_of(c.id, clock_timestamp()) AS o WHERE o::text = c::text)
	OR changemgmt.change_document(c.id) IS DISTINCT FROM changemgmt.change_document(c.id, 'infinity')$$, 'now, and null: the row as it is');
SELECT is_empty($$SELECT change_id FROM entry WHERE event = 'create'
	AND (EXISTS (SELECT FROM changemgmt.change_as_of(change_id, since - interval '1 microsecond'))
		 OR changemgmt.change_document(change_id, since - interval '1 microsecond') IS NOT NULL)$$, 'before its creation there was none');
SELECT is_empty($$SELECT change_id FROM entry, changemgmt.change_as_of(change_id, '-infinity')$$, 'nor at the beginning of time');
SELECT results_eq($$SELECT pg_temp.text_of(jsonb_populate_record(NULL::changemgmt.change, document)) FROM seen ORDER BY change_id, sequence$$,
	$$SELECT row_text FROM seen ORDER BY change_id, sequence$$, 'a document gives its row again');

-- the imported one: as it came from its own created_at on
SELECT is((SELECT pg_temp.text_of(c) FROM changemgmt.change_as_of(800001, at::timestamptz) AS c), :'old_ticket', 'what came by COPY, at ' || at)
FROM unnest('{2020-01-02 03:04:05.000001+00,2026-01-01 00:00+00}'::text[]) AS at;
SELECT is(changemgmt.change_document(800001, '2020-01-02 03:04:05.000001+00') - '{created_at,updated_at,source_digest}'::text[],
	:'old_document'::jsonb, 'with the parts that came by COPY');
SELECT is_empty($$SELECT FROM changemgmt.change_as_of(800001, '2020-01-02 03:04:05+00')$$, 'before it was created elsewhere there was none');
SELECT is(changemgmt.change_document(800001, '2020-01-02 03:04:05+00'), NULL, 'nor a document');
SELECT is((SELECT title FROM changemgmt.change_as_of(800002, '2019-01-02 03:04:05+00')), 'Older ticket', 'one without an entry is what it is');

-- a deleted one
SELECT id AS deleted FROM changemgmt.create_change('Deleted', cost_planned => 1.10) \gset
UPDATE changemgmt.change SET affects = '{clients}', attributes = '{"a": "b"}'
WHERE id = :deleted;
SELECT changemgmt.add_risk(:deleted, 'gone', 'low', 'low') AS risk \gset
SELECT ledger_sequence AS last FROM changemgmt.change WHERE id = :deleted \gset
SELECT changemgmt.remove_risk(:risk) \g /dev/null
DELETE FROM changemgmt.change WHERE id = :deleted;
SELECT results_eq(format($$SELECT pg_temp.text_of(c) FROM changemgmt.ledger AS l, changemgmt.change_as_of(l.subject_id, l.recorded_at) AS c
		WHERE l.subject_kind = 'change' AND l.subject_id = %s ORDER BY l.sequence$$, :deleted),
	format($$SELECT row_text FROM seen WHERE change_id = %s ORDER BY sequence$$, :deleted),
	'a deleted change, at every entry but the last');
SELECT is((SELECT changemgmt.change_document(subject_id, recorded_at) FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = :deleted AND sequence = :last),
	(SELECT document FROM seen WHERE change_id = :deleted AND sequence = :last), 'with its parts');
SELECT is(changemgmt.change_document(:deleted), NULL, 'and now there is none');

--
-- What the board saw
--
SELECT results_eq(format($$SELECT decided_by, kind, decision, reason FROM changemgmt.what_the_board_saw(%s)$$, :walked),
	$$VALUES ('ann', 'vote', 'rejected', 'too early'), ('ben', 'vote', 'rejected', 'as ann says'),
		('ben', 'step', 'rejected', 'ann: too early; ben: as ann says'),
		('ann', 'vote', 'abstained', 'not mine'), ('ann', 'vote', 'approved', 'seen'), ('cleo', 'vote', 'approved', NULL),
		('cleo', 'step', 'approved', NULL), ('ben', 'vote', 'approved', NULL), ('cleo', 'vote', 'approved', NULL), ('cleo', 'step', 'approved', NULL)$$,
	'every vote and what they came to');
SELECT results_eq(format($$SELECT b.sequence, b.decided_at, b.record, b.plan_revision FROM changemgmt.what_the_board_saw(%s) AS b$$, :walked),
	format($$SELECT l.sequence, l.recorded_at, s.document, (s.document ->> 'plan_revision')::bigint
		FROM changemgmt.ledger AS l JOIN seen AS s ON s.change_id = l.subject_id AND s.sequence = l.sequence - 1
		WHERE l.subject_kind = 'change' AND l.subject_id = %s AND (l.changed ? 'approval_vote' OR l.event IN ('approve', 'reject', 'defer'))
		ORDER BY l.sequence$$, :walked),
	'with the change as it stood right before');
SELECT results_eq(format($$SELECT DISTINCT record ->> 'implementation_plan' FROM changemgmt.what_the_board_saw(%s) ORDER BY 1 NULLS FIRST$$, :walked),
	$$VALUES (NULL), ('in another order')$$, 'before and after the edit that made the approval stale');
SELECT results_eq(format($$SELECT kind, decision, record ->> 'implementation_plan', jsonb_array_length(record -> 'approval_vote')
		FROM changemgmt.what_the_board_saw(%s) WHERE kind = 'step'$$, :walked),
	$$VALUES ('step', 'rejected', NULL, 2), ('step', 'approved', NULL, 4), ('step', 'approved', 'in another order', 6)$$,
	'each step stands on the plan that was voted on, and its votes');
SELECT is_empty(format($$SELECT * FROM changemgmt.what_the_board_saw(%s)$$, :long), 'no vote, no row');
SELECT is_empty(format($$SELECT * FROM changemgmt.what_the_board_saw(%s)$$, :deleted), 'nor of a deleted one');

-- whatever types a site puts beside ours
ALTER TABLE changemgmt.change ADD site_small smallint, ADD site_real real, ADD site_double double precision, ADD site_date date, ADD site_time timestamp,
	ADD site_interval interval, ADD site_uuid uuid, ADD site_address inet, ADD site_grid int[], ADD site_texts text[][], ADD site_documents jsonb[],
	ADD site_json json, ADD site_name name, ADD site_char char(5), ADD site_varchar varchar(9), ADD site_range tstzrange, ADD site_number numeric,
	ADD site_bytes bytea[], ADD site_times timestamptz[], ADD site_flags boolean[], ADD site_bits bit(3), ADD site_money money,
	ADD site_code information_schema.cardinal_number;
SELECT id AS site FROM changemgmt.create_change('Site') \gset
UPDATE changemgmt.change SET title = title || '1', site_small = -32768, site_real = 0.1, site_double = 1e-300, site_date = '2026-02-28', site_time = '2026-07-01 12:00:00.25',
	site_interval = '1 mon -2 days 03:04:05.6', site_uuid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', site_address = '2001:db8::1/64', site_grid = '{{1,2},{3,NULL}}',
	site_texts = '{{a,"b c"},{NULL,"null"}}', site_documents = ARRAY['{"a": 1.0}', '[1, [2]]', '"x"']::jsonb[], site_json = '{"a":  1}', site_name = 'n', site_char = 'ab',
	site_varchar = 'c', site_range = '[2026-01-01 00:00:00.5+00, infinity)', site_number = 'NaN', site_bytes = '{"\\x00ff","\\x"}',
	site_times = '{infinity,-infinity,2026-01-01 00:00+00}', site_flags = '{t,f,NULL}', site_bits = '101', site_money = '12.34', site_code = 5
WHERE id = :site;
UPDATE changemgmt.change SET title = title || '2', site_small = 1, site_real = 'NaN', site_double = '-Infinity', site_date = '-infinity', site_time = 'infinity', site_interval = NULL,
	site_grid = '{}', site_texts = '{}', site_documents = NULL, site_number = '12.3400', site_name = NULL, site_char = NULL, site_range = 'empty',
	site_money = NULL, site_code = NULL, site_json = NULL, site_uuid = NULL
WHERE id = :site;
UPDATE changemgmt.change SET title = title || '3', site_real = 3.4028235e38, site_double = 0.1, site_date = '0044-03-15 BC', site_time = '0044-03-15 BC', site_number = '-Infinity', site_small = NULL,
	site_grid = NULL, site_texts = NULL, site_times = '{}', site_flags = NULL, site_bits = NULL, site_address = '10.0.0.1' WHERE id = :site;
UPDATE changemgmt.change SET title = title || '4', site_real = NULL, site_double = NULL, site_date = NULL, site_time = NULL, site_number = NULL, site_bytes = NULL, site_times = NULL,
	site_address = NULL, site_varchar = NULL, site_range = NULL WHERE id = :site;
SELECT results_eq(format($$SELECT l.sequence, pg_temp.text_of(c) FROM changemgmt.ledger AS l, changemgmt.change_as_of(l.subject_id, l.recorded_at) AS c
		WHERE l.subject_kind = 'change' AND l.subject_id = %s ORDER BY l.sequence$$, :site),
	format($$SELECT sequence, row_text FROM seen WHERE change_id = %s ORDER BY sequence$$, :site), 'columns of a site come back, whatever their type');
ALTER TABLE changemgmt.change DROP site_small, DROP site_money;
SELECT is((SELECT count(*) FROM changemgmt.ledger AS l, changemgmt.change_as_of(l.subject_id, l.recorded_at) AS c
	WHERE l.subject_kind = 'change' AND l.subject_id = :walked AND changemgmt.row_digest(c) = l.row_digest),
	(SELECT ledger_sequence FROM changemgmt.change WHERE id = :walked), 'a column that a site drops does no harm where it was null');

--
-- Wrong input
--
SELECT is(pg_temp.refusal(sql), 'MC008 | change -1 does not exist | SELECT change_id, number, title FROM changemgmt.change_fact lists the changes there are.', sql)
FROM unnest(ARRAY['SELECT changemgmt.change_as_of(-1, now())', 'SELECT changemgmt.change_document(-1)', 'SELECT changemgmt.what_the_board_saw(-1)']) AS sql;
SELECT is_empty('SELECT changemgmt.change_as_of(NULL, now())', 'nothing of a null change');
SELECT is(changemgmt.change_document(NULL), NULL, 'nor a document');
SELECT is_empty('SELECT changemgmt.what_the_board_saw(NULL)', 'nor what a board saw');

-- who may not see a change is told nothing of what it was
CREATE ROLE regress_viewer;
SELECT changemgmt.grant_role('regress_viewer', 'viewer') \g /dev/null
SELECT id AS secret FROM changemgmt.create_change('Open at first') \gset
UPDATE changemgmt.change SET confidential = true WHERE id = :secret;
-- drafts that were confidential could be deleted in 1.0
SELECT id AS gone_secret FROM changemgmt.create_change('Gone', confidential => true) \gset
SELECT id AS gone_open FROM changemgmt.create_change('Gone, and open') \gset
SELECT recorded_at AS gone_at FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = :gone_open \gset
SET LOCAL session_replication_role = replica;
INSERT INTO changemgmt.ledger
SELECT subject_kind, subject_id, 2, 'delete', 'draft', NULL, (SELECT jsonb_object_agg(key, jsonb_build_array(value -> 1, NULL)) FROM jsonb_each(changed)),
	actor, session_role, effective_role, client_address, application, recorded_at + interval '1 second', NULL, row_digest, hash, sha256('made up')
FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id IN (:gone_secret, :gone_open);
DELETE FROM changemgmt.change WHERE id IN (:gone_secret, :gone_open);
SET LOCAL session_replication_role = origin;
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.change_as_of(%s)', :gone_secret)), '^XX001', 'who sees all is told of it');
SELECT changemgmt.link_change(:walked, 'other', target_change_id => :secret), changemgmt.link_change(:walked, 'other', target_change_id => :long) \g /dev/null
SELECT is(jsonb_array_length(changemgmt.change_document(:walked) -> 'change_link'), 3, 'who sees all sees each link');
CREATE FUNCTION pg_temp.sentence(change_id bigint, function text) RETURNS text LANGUAGE sql AS
	$$ SELECT pg_temp.refusal(format('SELECT changemgmt.%s(%s)', function, change_id)) $$;
-- a query that began before it was deleted
SELECT id AS going FROM changemgmt.create_change('Going', confidential => true) \gset
CREATE FUNCTION pg_temp.next_of(cursor refcursor) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	FETCH cursor INTO answer;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
SET LOCAL changemgmt.actor = '';
SET LOCAL ROLE regress_viewer;
DECLARE hidden CURSOR FOR SELECT title FROM changemgmt.change_as_of(:going);
DECLARE shown CURSOR FOR SELECT title FROM changemgmt.change_as_of(:long);
RESET ROLE;
SAVEPOINT going;
SET LOCAL session_replication_role = replica;
DELETE FROM changemgmt.change WHERE id = :going;
SET LOCAL session_replication_role = origin;
SET LOCAL ROLE regress_viewer;
SELECT is(pg_temp.next_of('hidden'), 'MC008', 'a query that began before a change was deleted is not told of it');
SELECT is(pg_temp.next_of('shown'), 'Long', 'but of others');
RESET ROLE;
ROLLBACK TO going;
SET LOCAL ROLE regress_viewer;
SELECT is(pg_temp.sentence(:secret, f), replace(pg_temp.sentence(-1, f), '-1', :'secret'), f || ' of a change that is hidden: as if there were none')
FROM unnest('{change_as_of,change_document,what_the_board_saw}'::text[]) AS f;
SELECT is(pg_temp.sentence(:gone_secret, f), replace(pg_temp.sentence(-1, f), '-1', :'gone_secret'), f || ' of one that was hidden to its end: as well')
FROM unnest('{change_as_of,change_document,what_the_board_saw}'::text[]) AS f;
SELECT matches(pg_temp.sentence(:gone_open, f), '^XX001', f || ' of another one that is gone')
FROM unnest('{change_as_of,change_document,what_the_board_saw}'::text[]) AS f;
SELECT is((SELECT title FROM changemgmt.change_as_of(:walked)), 'Upgrade the database', 'others are seen');
SELECT isnt(changemgmt.change_document(:walked), NULL, 'as documents, too');
SELECT is(jsonb_path_query_array(changemgmt.change_document(:walked), '$.change_link[*].target_change_id'), jsonb_build_array(NULL, :long::bigint),
	'without the link to what is hidden');
RESET ROLE;
SET LOCAL changemgmt.actor = 'otto';

--
-- verify_ledger knows the parts
--
DROP TRIGGER zzzzz_look ON changemgmt.change;
SET LOCAL session_replication_role = replica;
DELETE FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id IN (:gone_secret, :gone_open);
SET LOCAL session_replication_role = origin;
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'all that is above is whole');
SELECT is_empty(format('SELECT * FROM changemgmt.verify_ledger(''change'', %s)', id), 'and by itself: ' || title)
FROM changemgmt.change ORDER BY id;

CREATE FUNCTION pg_temp.problems(statement text, change_id bigint DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
BEGIN
	SET LOCAL session_replication_role = replica;
	EXECUTE statement;
	SET LOCAL session_replication_role = origin;
	SELECT string_agg(concat_ws(' ', subject_id, sequence, problem), ', ' ORDER BY subject_id, sequence, problem) INTO found
	FROM changemgmt.verify_ledger(CASE WHEN change_id > 0 THEN 'change' END, change_id);
	RAISE SQLSTATE 'ZZ001';
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
	SET LOCAL session_replication_role = origin;
	RETURN found;
END $$;
-- the entry that last told of a row
CREATE FUNCTION pg_temp.entry_of(change_id bigint, part text, id bigint) RETURNS bigint LANGUAGE sql AS $$
	SELECT max(l.sequence) FROM changemgmt.ledger AS l, jsonb_array_elements(l.changed -> part) AS e
	WHERE l.subject_kind = 'change' AND l.subject_id = change_id
	  AND id IN ((e ->> 'id')::bigint, (e -> 'new' ->> 'id')::bigint, (e -> 'old' ->> 'id')::bigint)
$$;
SELECT min(id) AS item FROM changemgmt.change_item WHERE change_id = :walked \gset
SELECT min(id) AS risk FROM changemgmt.change_risk WHERE change_id = :walked \gset
SELECT min(id) AS task FROM changemgmt.change_task WHERE change_id = :walked \gset
SELECT min(id) AS checked FROM changemgmt.change_check WHERE change_id = :walked \gset
SELECT min(id) AS comment FROM changemgmt.change_comment WHERE change_id = :walked \gset
SELECT min(id) AS link FROM changemgmt.change_link WHERE change_id = :walked \gset
SELECT min(id) AS waiver FROM changemgmt.change_waiver WHERE change_id = :walked \gset
SELECT min(id) AS vote FROM changemgmt.approval_vote WHERE change_id = :walked \gset
CREATE TEMP TABLE part AS SELECT * FROM (VALUES
	('change_item', :item::bigint, 'version_after', $$'9'$$), ('change_risk', :risk, 'mitigation', $$'none'$$), ('change_task', :task, 'done_by_id', 'NULL'),
	('change_check', :checked, 'passed', 'false'), ('change_comment', :comment, 'body', $$'I agree'$$), ('change_link', :link, 'occurred_at', $$'2020-01-01'$$),
	('change_waiver', :waiver, 'reason', $$'nobody knows'$$), ('approval_vote', :vote, 'decision', $$'approved'$$)) AS v (name, id, field, value);

-- the first entry on the way back that does not fit
SELECT matches(pg_temp.problems(format('UPDATE changemgmt.%I SET %I = %s WHERE id = %s', name, field, value, id)),
	format('^%s [0-9]+ row %s of %s is not what the chain recorded$', :walked, id, name), 'altered, and found: ' || name)
FROM part;
SELECT is(pg_temp.problems(format('DELETE FROM changemgmt.%I WHERE id = %s', name, id)),
	format('%s %s row %s of %s is gone, and its deletion is not recorded', :walked, pg_temp.entry_of(:walked, name, id), id, name), 'deleted, and found: ' || name)
FROM part;
SELECT is(pg_temp.problems(format('DELETE FROM changemgmt.%I WHERE id = %s', name, id), :walked),
	format('%s %s row %s of %s is gone, and its deletion is not recorded', :walked, pg_temp.entry_of(:walked, name, id), id, name), 'also by itself: ' || name)
FROM part;
SELECT is(pg_temp.problems(format('UPDATE changemgmt.change_task SET description = ''x'', status = ''open'', title = ''y'' WHERE id = %s', :task)),
	format('%s %s row %s of change_task is not what the chain recorded', :walked, pg_temp.entry_of(:walked, 'change_task', :task), :task),
	'altered in what three entries told, and named once');
SELECT is(pg_temp.problems(format('UPDATE changemgmt.change_risk SET change_id = %s WHERE id = %s', :long, :risk)),
	format('%s %s row %s of change_risk is gone, and its deletion is not recorded, %s row %s of change_risk is there, but the chain does not know it',
		:walked, pg_temp.entry_of(:walked, 'change_risk', :risk), :risk, :long, :risk), 'moved, and found in both');
SELECT is(pg_temp.problems(format($$INSERT INTO changemgmt.change_comment (id, change_id, body) VALUES (700001, %s, 'from nowhere')$$, :other)),
	format('%s row 700001 of change_comment is there, but the chain does not know it', :other), 'put in, and found');
SELECT is(pg_temp.problems($$INSERT INTO changemgmt.change_comment (id, change_id, body) VALUES (700001, 800002, 'from nowhere')$$),
	'800002 row 700001 of change_comment is there, but the chain does not know it', 'also where there is no chain');
SELECT min((e -> 'old' ->> 'id')::bigint) AS deleted_task FROM changemgmt.ledger, jsonb_array_elements(changed -> 'change_task') AS e
WHERE subject_kind = 'change' AND subject_id = :long \gset
SELECT is(pg_temp.problems(format($$INSERT INTO changemgmt.change_task (id, change_id, title) VALUES (%s, %s, 'back again')$$, :deleted_task, :long)),
	format('%s %s row %s of change_task is there, but its deletion is recorded', :long, pg_temp.entry_of(:long, 'change_task', :deleted_task), :deleted_task),
	'put back, and found');
-- of a table that something came into by COPY it can only be said how many
SELECT is(pg_temp.problems(format($$INSERT INTO changemgmt.change_task (id, change_id, title) VALUES (700001, %s, 'from nowhere')$$, :other)),
	'of 4 rows of change_task whose creation is not in the ledger only 3 came in by COPY', 'more rows than loads explain');
SELECT is(pg_temp.problems($$UPDATE changemgmt.change_task SET title = 'other name' WHERE id = 800001$$),
	format('800001 %s row 800001 of change_task is not what the chain recorded', pg_temp.entry_of(800001, 'change_task', 800001)),
	'a row that came by COPY is known from its first entry on');
-- what cannot be read is told, and no error
SELECT matches(pg_temp.problems(format($$UPDATE changemgmt.ledger SET changed = %L WHERE subject_kind = 'change' AND subject_id = %s AND sequence = 2$$, changed, :walked)),
	'hash does not fit the content of the entry', 'an entry with ' || changed)
FROM unnest(ARRAY['[]', '["change_task"]', '"change_task"', '{"change_task": 1}', '{"change_task": [1, null, "x", [], {}]}', '{"change_task": {"op": "insert"}}',
	'{"change_task": [{"op": "update", "id": 1e99, "changed": {}}]}', '{"change_task": [{"op": "update", "id": 1.5, "changed": {}}]}',
	'{"change_task": [{"op": "insert", "new": {"id": "1"}}, {"op": "delete", "old": []}]}',
	'{"change_task": [{"op": "update", "id": 1, "changed": {"id": 1, "title": [], "done_at": ["x", "y", "z"]}}]}']) AS changed;

--
-- The way back does not go over what is broken
--
CREATE FUNCTION pg_temp.told(statement text, question text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	SET LOCAL session_replication_role = replica;
	EXECUTE statement;
	SET LOCAL session_replication_role = origin;
	answer := pg_temp.refusal(question);
	RAISE SQLSTATE 'ZZ001';
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
	SET LOCAL session_replication_role = origin;
	RETURN answer;
END $$;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO';
SELECT recorded_at AS then FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = :walked AND sequence = 5 \gset
SELECT ledger_sequence AS last FROM changemgmt.change WHERE id = :walked \gset
CREATE FUNCTION pg_temp.broken(change_id text, sequence text, detail text) RETURNS text LANGUAGE sql AS $$
	SELECT format('XX001 | the history of change %s is broken at entry %s | %s | SELECT * FROM changemgmt.verify_ledger(''change'', %1$s) lists all that is not what was recorded.',
		change_id, sequence, detail) $$;
SELECT is(pg_temp.told(format(statement, :walked), format(question, :walked, :'then')), pg_temp.broken(:'walked', sequence, detail), why)
FROM (VALUES
	('UPDATE changemgmt.change SET title = ''x'' WHERE id = %s', 'SELECT changemgmt.change_as_of(%s)', :'last',
		'The row, with what came later undone, is not the one that the entry recorded.', 'a row that was altered, now'),
	('UPDATE changemgmt.change SET title = ''x'' WHERE id = %s', 'SELECT changemgmt.change_as_of(%s, %L)', '5',
		'The row, with what came later undone, is not the one that the entry recorded.', 'and before'),
	('UPDATE changemgmt.ledger SET changed = changed || ''{"status": ["planned", "closed"]}'' WHERE subject_kind = ''change'' AND subject_id = %s AND sequence = 9',
		'SELECT changemgmt.change_as_of(%s, %L)', '9', 'Its hash does not fit its content.', 'an entry that was altered in the middle'),
	('UPDATE changemgmt.ledger SET row_digest = sha256('''') WHERE subject_kind = ''change'' AND subject_id = %s AND sequence = 5',
		'SELECT changemgmt.change_document(%s, %L)', '5', 'Its hash does not fit its content.', 'the one that it stands at'),
	('DELETE FROM changemgmt.ledger WHERE subject_kind = ''change'' AND subject_id = %s AND sequence = 9',
		'SELECT changemgmt.change_document(%s, %L)', '9', 'The entry is missing.', 'an entry that is missing'),
	('DELETE FROM changemgmt.ledger WHERE subject_kind = ''change'' AND subject_id = %s AND sequence < 3',
		'SELECT changemgmt.what_the_board_saw(%s)', '2', 'The entry is missing.', 'or the first ones'),
	('DELETE FROM changemgmt.ledger WHERE subject_kind = ''change'' AND subject_id = %s', 'SELECT changemgmt.change_as_of(%s)', :'last', 'The entry is missing.', 'or all of them'),
	('UPDATE changemgmt.change SET ledger_sequence = 7 WHERE id = %s', 'SELECT changemgmt.change_as_of(%s, %L)', '7',
		'The row says that it is the last, and there are others after it.', 'a row that points to another entry'),
	('UPDATE changemgmt.change SET ledger_head = sha256('''') WHERE id = %s', 'SELECT changemgmt.change_as_of(%s, %L)', :'last',
		'It is not the entry that the one after it, or the row, was made for.', 'or to another hash'),
	('DELETE FROM changemgmt.change WHERE id = %s', 'SELECT changemgmt.change_as_of(%s, %L)', :'last', 'The row is gone, and its deletion is not recorded.', 'a row that is gone')
) AS v (statement, question, sequence, detail, why);
SELECT is(pg_temp.told(format('UPDATE changemgmt.change_task SET status = ''open'' WHERE id = %s', :task),
	format('SELECT changemgmt.change_document(%s, %L)', :walked, :'then')),
	pg_temp.broken(:'walked', pg_temp.entry_of(:walked, 'change_task', :task)::text, format('Row %s of change_task is not what the chain recorded.', :task)),
	'a part that was altered');
SELECT is(pg_temp.told(format('DELETE FROM changemgmt.change_task WHERE id = %s', :task), format('SELECT changemgmt.what_the_board_saw(%s)', :walked)),
	pg_temp.broken(:'walked', pg_temp.entry_of(:walked, 'change_task', :task)::text, format('Row %s of change_task is gone, and its deletion is not recorded.', :task)),
	'a part that is gone');

SELECT * FROM finish();
ROLLBACK;
