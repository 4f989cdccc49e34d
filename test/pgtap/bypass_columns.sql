-- Every column of every table, in every status, written by UPDATE and given to
-- INSERT: what is accepted is in the trail and leaves it whole, all else is
-- refused.
--
-- The columns are asked of the catalog, what is expected of each stands in the
-- tables below, written from the design (classes of fields, and when they may
-- be edited) and not from the code: a column that somebody adds fails here
-- until it is said what may become of it. Each attempt is made twice, by a
-- superuser and by a role with every privilege on the tables.
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;
SELECT no_plan();

CREATE ROLE regress_walker;
SELECT changemgmt.grant_role('regress_walker', 'manager') \g /dev/null
GRANT ALL ON ALL TABLES IN SCHEMA changemgmt TO regress_walker;
GRANT ALL ON ALL SEQUENCES IN SCHEMA changemgmt TO regress_walker;
GRANT EXECUTE ON FUNCTION changemgmt.change_is_possible(changemgmt.change) TO regress_walker;

SELECT changemgmt.add_person(login) FROM unnest('{ada,bob,lead,lead2,regress_walker}'::text[]) AS login \g /dev/null
SELECT changemgmt.add_team('dba', 'lead'), changemgmt.add_team('web', 'lead'), changemgmt.add_board('cab') \g /dev/null
SELECT changemgmt.add_board_member('cab', 'lead', 'change_manager'), changemgmt.add_board_member('cab', 'lead2') \g /dev/null
SELECT changemgmt.add_ci('db', version => '1'), changemgmt.add_ci('web', depends_on => '{db}') \g /dev/null
-- there are many changes at a time
SELECT changemgmt.set_ci('db', is_exclusive => false) \g /dev/null
SELECT changemgmt.incident_id('INC-1') AS incident \gset
SELECT changemgmt.publish_model('walk', '{"base": "normal", "validations": []}') \g /dev/null

-- A change in this status, with a row in every part.
CREATE FUNCTION pg_temp.act(who text) RETURNS void LANGUAGE sql AS
	$$ SELECT set_config('changemgmt.actor', who, true) $$;
CREATE FUNCTION pg_temp.made(wanted text) RETURNS bigint
	LANGUAGE plpgsql AS
$$
DECLARE
	c bigint;
	other bigint;
	work bigint;
	look bigint;
	ask bigint;
	way text[] := CASE wanted
		WHEN 'draft' THEN '{}'
		WHEN 'planned' THEN '{plan}'
		WHEN 'awaiting_approval' THEN '{plan,submit,vote}'
		WHEN 'rejected' THEN '{plan,submit,reject}'
		WHEN 'approved' THEN '{plan,submit,approve}'
		WHEN 'scheduled' THEN '{plan,submit,approve,schedule}'
		WHEN 'cancelled' THEN '{plan,submit,approve,schedule,cancel}'
		WHEN 'in_progress' THEN '{plan,submit,approve,schedule,start}'
		WHEN 'verifying' THEN '{plan,submit,approve,schedule,start,complete}'
		WHEN 'implemented' THEN '{plan,submit,approve,schedule,start,complete,pass}'
		WHEN 'closed' THEN '{plan,submit,approve,schedule,start,complete,pass,close}'
		WHEN 'rolled_back' THEN '{plan,submit,approve,schedule,start,complete,roll_back}'
		END;
	step text;
BEGIN
	PERFORM pg_temp.act('ada');
	SELECT id INTO other FROM changemgmt.create_change('beside ' || wanted);
	SELECT id INTO c FROM changemgmt.create_change(wanted, model => 'walk', owner => 'ada', team => 'dba',
		description => 'd', justification => 'j', user_impact => 'none', risk_level => 'low', items => '{db}',
		rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 5, source => 'walk', source_key => wanted,
		planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day');
	PERFORM changemgmt.add_risk(c, 'r', 'low', 'low');
	work := changemgmt.add_task(c, 'work');
	PERFORM changemgmt.add_task(c, 'tell', 'follow_up');
	look := changemgmt.add_check(c, 'look');
	PERFORM changemgmt.add_comment(c, 'said');
	PERFORM changemgmt.add_communication(c, 'before', 'customers', 'email', 'soon');
	PERFORM changemgmt.post_update(c, 'asked for');
	PERFORM changemgmt.link_change(c, 'depends_on', other);
	PERFORM changemgmt.link_change(c, 'ticket', target => 'T');
	INSERT INTO changemgmt.template_proposal (change_id, key, definition) VALUES (c, 'standing', '{"base": "standard", "plan": {}}');
	PERFORM pg_temp.act('lead');
	PERFORM changemgmt.waive(c, 'notice', 'agreed');
	INSERT INTO changemgmt.change_task (change_id, phase, title, is_condition)
		VALUES (c, 'preparation', 'asked for', true) RETURNING id INTO ask;
	FOREACH step IN ARRAY way LOOP
		PERFORM pg_temp.act('ada');
		CASE step
			WHEN 'plan' THEN PERFORM changemgmt.plan(c);
			WHEN 'submit' THEN PERFORM changemgmt.submit(c);
			WHEN 'vote' THEN PERFORM pg_temp.act('lead'); PERFORM changemgmt.approve(c);
			WHEN 'approve' THEN PERFORM pg_temp.act('lead'); PERFORM changemgmt.approve(c);
				PERFORM pg_temp.act('lead2'); PERFORM changemgmt.approve(c);
			WHEN 'reject' THEN PERFORM pg_temp.act('lead'); PERFORM changemgmt.reject(c, 'no');
			WHEN 'schedule' THEN PERFORM changemgmt.schedule(c);
			WHEN 'cancel' THEN PERFORM changemgmt.cancel(c, 'no');
			WHEN 'start' THEN PERFORM changemgmt.complete_task(ask); PERFORM changemgmt.cancel(other, 'not needed');
				PERFORM changemgmt.start(c);
			WHEN 'complete' THEN PERFORM changemgmt.complete_task(work); PERFORM changemgmt.complete(c);
				PERFORM changemgmt.review_change(c, lessons => 'look first');
			WHEN 'pass' THEN PERFORM pg_temp.act('bob'); PERFORM changemgmt.record_check(look, true, 'seen');
				PERFORM changemgmt.pass(c);
			WHEN 'roll_back' THEN PERFORM changemgmt.roll_back(c, 'errors', 'testing');
			WHEN 'close' THEN PERFORM changemgmt.close(c);
		END CASE;
	END LOOP;
	RETURN c;
END
$$;
CREATE TEMP TABLE subject AS
	SELECT s.code AS status, s.sort_order AS place, pg_temp.made(s.code) AS id
	FROM changemgmt.code_list() AS s WHERE s.list = 'status' ORDER BY s.sort_order;
SELECT changemgmt.publish_model('walk', '{"base": "normal", "validations": []}') \g /dev/null
SELECT is_empty('SELECT FROM subject AS s JOIN changemgmt.change AS c USING (id) WHERE c.status <> s.status',
	'there is a change in every status');
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'and the trail is whole');

-- What becomes of a statement: the SQLSTATE of its refusal; or 'ok', where it
-- is in the trail under the column's name and what it wrote stands; 'stamped',
-- where the engine's own value stands in its place; 'stale', where it is 'ok'
-- and approvals given before do not count any more; 'unrecorded', 'untold',
-- 'broken'. Nothing is left of it.
CREATE FUNCTION pg_temp.fate(role text, statement text, relation text, row_id bigint, changed_column text, value text,
	kind text, subject_id bigint)
	RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	begun timestamptz := clock_timestamp();
	before jsonb;
	after jsonb;
	fate text;
	told boolean;
	wanted text;
BEGIN
	BEGIN
		EXECUTE format('SELECT to_jsonb(t) FROM changemgmt.%I AS t WHERE t.id = $1', relation) INTO before USING row_id;
		EXECUTE format('SELECT to_jsonb(v) #>> ''{}'' FROM (SELECT %s) AS t (v)', value) INTO wanted;
		EXECUTE format('SET LOCAL ROLE %I', role);
		EXECUTE statement;
		RESET ROLE;
		EXECUTE format('SELECT to_jsonb(t) FROM changemgmt.%I AS t WHERE t.id = $1', relation) INTO after USING row_id;
		told := EXISTS (SELECT FROM changemgmt.ledger WHERE recorded_at >= begun);
		fate := CASE WHEN EXISTS (SELECT FROM changemgmt.verify_ledger(kind, subject_id)) THEN 'broken'
			WHEN after IS NOT DISTINCT FROM before AND NOT told THEN 'nothing'
			WHEN NOT told THEN 'unrecorded'
			WHEN after ->> changed_column IS DISTINCT FROM wanted THEN 'stamped'
			WHEN NOT EXISTS (SELECT FROM changemgmt.ledger AS l
				WHERE l.recorded_at >= begun AND l.changed::text LIKE '%"' || changed_column || '"%') THEN 'untold'
			WHEN kind = 'change' AND (
				EXISTS (SELECT FROM changemgmt.change AS c, changemgmt.approval_tally(c.id) AS t
					WHERE c.id = subject_id AND c.status = 'awaiting_approval' AND t.stale > 0)
				-- what is fresh cannot be submitted again
				OR EXISTS (SELECT FROM changemgmt.change AS c
					WHERE c.id = subject_id AND c.status IN ('approved', 'scheduled')
						AND NOT EXISTS (SELECT FROM changemgmt.why_not(c.id, 'submit') AS w WHERE w.requirement = 'seal_stale')))
				THEN 'stale'
			ELSE 'ok' END;
		RAISE SQLSTATE 'ZZ001';
	EXCEPTION
		WHEN SQLSTATE 'ZZ001' THEN RETURN fate;
		WHEN OTHERS THEN RETURN sqlstate;
	END;
END
$$;

-- The expectations, by what a column is for: relation, column, a value that it
-- does not have, then what becomes of it in draft and planned, awaiting
-- approval, approved and scheduled, rejected, in_progress to rolled_back,
-- closed and cancelled; then single statuses that differ.
CREATE TEMP TABLE expected (relation text, which text DEFAULT 'true', column_name text, value text,
	open text, waiting text, decided text, rejected text, running text, over text, but jsonb DEFAULT '{}');

-- change: plan
INSERT INTO expected (relation, column_name, value, open, waiting, decided, rejected, running, over) SELECT 'change', c, v, 'ok', 'stale', 'stale', 'MC005', 'MC005', 'MC005' FROM (VALUES
	('title', '''walked'''), ('description', '''walked'''), ('category', '''release'''), ('justification', '''walked'''),
	('impact_of_not_doing', '''walked'''), ('environment', '''staging'''), ('user_impact', '''walked'''),
	('affects', '''{clients}''::text[]'), ('touches_data_integrity', 'true'), ('touches_security', 'true'),
	('requester_id', 'changemgmt.person_id(''bob'')'), ('owner_id', 'changemgmt.person_id(''bob'')'),
	('team_id', 'changemgmt.team_id(''web'')'), ('estimated_minutes', '7'), ('implementation_plan', '''walked'''),
	('rollback_trigger', '''walked'''), ('rollback_plan', '''walked'''), ('rollback_minutes', '7'),
	('rollback_strategy', '''manual'''), ('test_plan', '''walked'''), ('verification_plan', '''walked'''),
	('risk_level', '''high''')) AS v (c, v);
-- the model is chosen in draft, and the type is the model's
INSERT INTO expected (relation, column_name, value, open, waiting, decided, rejected, running, over, but) VALUES
	('change', 'model', '''major''', 'MC005', 'MC005', 'MC005', 'MC005', 'MC005', 'MC005', '{"draft": "ok"}'),
	('change', 'type', '''major''', 'MC005', 'MC005', 'MC005', 'MC005', 'MC005', 'MC005', '{}');
-- change: schedule; once approved it moves by the rules of reschedule
INSERT INTO expected (relation, column_name, value, open, waiting, decided, rejected, running, over, but) VALUES
	('change', 'planned_start', 'now() - interval ''2 hours''', 'ok', 'ok', 'ok', 'MC005', 'MC005', 'MC005', '{}'),
	('change', 'planned_end', 'now() + interval ''2 days''', 'ok', 'ok', 'ok', 'MC005', 'MC005', 'MC005', '{}');
-- change: remarks, at any time
INSERT INTO expected (relation, column_name, value, open, waiting, decided, rejected, running, over) SELECT 'change', c, v, 'ok', 'ok', 'ok', 'ok', 'ok', 'ok' FROM (VALUES
	('expected_benefit', '''walked'''), ('realised_benefit', '''walked'''), ('long_term_impact', '''walked'''),
	('confidential', 'true'), ('confidential_until', 'timestamptz ''2030-01-01'''), ('coordinator_id', 'changemgmt.person_id(''bob'')'), ('priority', '''low'''),
	('deadline', 'timestamptz ''2030-01-01'''), ('promised_at', 'timestamptz ''2030-01-01'''), ('rough_estimate_hours', '7.00'),
	('cost_planned', '7.00'), ('cost_actual', '7.00'), ('attributes', '''{"walked": 1}''::jsonb')) AS v (c, v);
-- ... but what counts in the metrics
INSERT INTO expected (relation, column_name, value, open, waiting, decided, rejected, running, over, but) VALUES ('change', 'unplanned', 'true', 'ok', 'ok', 'ok', 'ok', 'ok', 'MC005', '{}');
-- change: progress, written by its own step, which says when and who by itself
INSERT INTO expected (relation, column_name, value, open, waiting, decided, rejected, running, over) SELECT 'change', c, v, 'MC005', 'MC005', 'MC005', 'MC005', 'MC005', 'MC005' FROM (VALUES
	('status_reason', '''walked'''), ('implementer_id', 'changemgmt.person_id(''lead'')'),
	('verifier_id', 'changemgmt.person_id(''lead'')'), ('actual_start', 'now() - interval ''1 minute'''),
	('deployed_at', 'clock_timestamp()'), ('actual_end', 'clock_timestamp()'), ('verified_at', 'clock_timestamp()'),
	('rolled_back_at', 'clock_timestamp()'), ('closed_at', 'clock_timestamp()'), ('cancelled_at', 'clock_timestamp()'),
	('first_submitted_at', 'clock_timestamp()'), ('submitted_at', 'clock_timestamp()'), ('approved_at', 'clock_timestamp()'),
	('scheduled_at', 'clock_timestamp()'), ('revised_at', 'clock_timestamp()'),
	('authorised_by_id', 'changemgmt.person_id(''bob'')'), ('emergency_threshold', '''production_down''')) AS v (c, v);
-- ... some of which are a step themselves
INSERT INTO expected (relation, column_name, value, open, waiting, decided, rejected, running, over, but) VALUES
	('change', 'status', '''rejected''', 'MC001', 'MC002', 'MC001', 'nothing', 'MC001', 'MC001', '{}'),
	('change', 'on_hold', 'true', 'MC002', 'MC002', 'MC002', 'MC002', 'MC001', 'MC001', '{}'),
	('change', 'outcome', '''failed''', 'MC005', 'MC005', 'MC005', 'MC005', 'MC005', 'MC005', '{"implemented": "MC002"}'),
	('change', 'rollback_started_at', '(SELECT max(actual_start) + interval ''1 millisecond'' FROM changemgmt.change)', 'MC001', 'MC001', 'MC001', 'MC001', 'ok', 'MC001', '{"rolled_back": "MC001"}'),
	('change', 'stability_confirmed_at', 'now()', 'MC001', 'MC001', 'MC001', 'MC001', 'MC001', 'MC001', '{"rolled_back": "MC005", "implemented": "MC005"}'),
	('change', 'stability_confirmed_by_id', 'changemgmt.person_id(''bob'')', 'MC001', 'MC001', 'MC001', 'MC001', 'MC001', 'MC001', '{"rolled_back": "MC003", "implemented": "MC003"}');
-- ... and some are free until the end
INSERT INTO expected (relation, column_name, value, open, waiting, decided, rejected, running, over) SELECT 'change', c, v, 'ok', 'ok', 'ok', 'ok', 'ok', 'MC005' FROM (VALUES
	('override_reason', '''walked'''), ('remediation', '''walked'''), ('cause_class', '''vendor'''),
	('incident_id', 'changemgmt.incident_id(''INC-1'')'), ('found_by', '''walked''')) AS v (c, v);
INSERT INTO expected (relation, column_name, value, open, waiting, decided, rejected, running, over, but) VALUES ('change', 'recovered_at', '(SELECT max(actual_start) + interval ''1 millisecond'' FROM changemgmt.change)', 'MC005', 'MC005', 'MC005', 'MC005', 'ok', 'MC005', '{}');
-- change: the engine's
INSERT INTO expected (relation, column_name, value, open, waiting, decided, rejected, running, over) SELECT 'change', c, v, 'MC005', 'MC005', 'MC005', 'MC005', 'MC005', 'MC005' FROM (VALUES
	('id', '1000000'), ('model_version', '2'), ('author_id', 'changemgmt.person_id(''bob'')'), ('created_at', 'timestamptz ''1999-01-01'''),
	('notice_from', 'timestamptz ''1999-01-01'''), ('copied_from_id', '1'), ('source', '''forged'''), ('source_key', '''forged'''),
	('source_digest', '''\xff''::bytea'), ('approval_round', '77'), ('approved_seal', 'sha256(''x'')'), ('approved_plan_revision', '77'),
	('last_editor_id', 'changemgmt.person_id(''bob'')'), ('plan_revision', '77'), ('revision', '77')) AS v (c, v);
INSERT INTO expected (relation, column_name, value, open, waiting, decided, rejected, running, over) SELECT 'change', c, v, 'stamped', 'stamped', 'stamped', 'stamped', 'stamped', 'stamped' FROM (VALUES
	('updated_at', 'timestamptz ''1999-01-01'''), ('ledger_sequence', '77'), ('ledger_head', 'sha256(''x'')')) AS v (c, v);

SELECT set_eq($$SELECT attname::text FROM pg_attribute WHERE attrelid = 'changemgmt.change'::regclass AND attnum > 0 AND NOT attisdropped$$,
	$$SELECT column_name FROM expected WHERE relation = 'change'$$, 'it is said of every column of change what may become of it');

CREATE FUNCTION pg_temp.expectation(e expected, status text) RETURNS text LANGUAGE sql AS
$$
	SELECT coalesce(e.but ->> status, CASE
		WHEN status IN ('draft', 'planned') THEN e.open
		WHEN status = 'awaiting_approval' THEN e.waiting
		WHEN status IN ('approved', 'scheduled') THEN e.decided
		WHEN status = 'rejected' THEN e.rejected
		WHEN status IN ('closed', 'cancelled') THEN e.over
		ELSE e.running END)
$$;


-- Parts. As for the change, the plan is free, makes approvals stale, and is frozen.
CREATE FUNCTION pg_temp.plan(relation text, which text, columns text[]) RETURNS void LANGUAGE sql AS
$$
	INSERT INTO expected (relation, which, column_name, value, open, waiting, decided, rejected, running, over)
	SELECT relation, which, split_part(c, ' ', 1), substr(c, strpos(c, ' ') + 1), 'ok', 'stale', 'stale', 'MC005', 'MC005', 'MC005'
	FROM unnest(columns) AS c
$$;
CREATE FUNCTION pg_temp.always(relation text, which text, fate text, columns text[]) RETURNS void LANGUAGE sql AS
$$
	INSERT INTO expected (relation, which, column_name, value, open, waiting, decided, rejected, running, over)
	SELECT relation, which, split_part(c, ' ', 1), substr(c, strpos(c, ' ') + 1), fate, fate, fate, fate, fate, fate
	FROM unnest(columns) AS c
$$;
-- where a part goes when it is moved, to a draft: what is planned can be
-- planned elsewhere, what somebody did, found or said stays
SELECT id AS elsewhere FROM changemgmt.create_change('elsewhere') \gset

SELECT pg_temp.always('change_item', 'true', 'MC005', '{id 1000000}'),
	pg_temp.plan('change_item', 'true', ARRAY['change_id ' || :elsewhere, 'ci_id changemgmt.ci_id(''web'')', 'role ''affected''',
		'version_before ''0''', 'version_after ''2''']),
	pg_temp.always('change_risk', 'true', 'MC005', '{id 1000000}'),
	pg_temp.plan('change_risk', 'true', ARRAY['change_id ' || :elsewhere, 'description ''walked''', 'likelihood ''high''',
		'impact ''high''', 'mitigation ''walked''', 'owner_id changemgmt.person_id(''bob'')', 'residual_likelihood ''low''', 'residual_impact ''unknown''']) \g /dev/null
-- an implementation task; who did it and when is written with the step
SELECT pg_temp.always('change_task', 'title = ''work''', 'MC005', ARRAY['id 1000000', 'done_at now()',
		'done_by_id changemgmt.person_id(''bob'')']),
	pg_temp.plan('change_task', 'title = ''work''', ARRAY['change_id ' || :elsewhere, 'phase ''preparation''', 'position 7',
		'title ''walked''', 'description ''walked''', 'object_name ''walked''']),
	pg_temp.always('change_task', 'title = ''work''', 'MC008', ARRAY['object_kind ''other''', 'reviewed_by_id changemgmt.person_id(''bob'')']),
	pg_temp.plan('change_task', 'title = ''work''', ARRAY['is_smoke_test true', 'object_system ''walked''']),
	pg_temp.always('change_task', 'title = ''work''', 'MC005', ARRAY['checklist_key ''backup_verified''']) \g /dev/null
INSERT INTO expected (relation, which, column_name, value, open, waiting, decided, rejected, running, over, but) VALUES
	('change_task', 'title = ''work''', 'depends_on', '''{0}''::bigint[]', 'MC008', 'MC008', 'MC008', 'MC005', 'MC005', 'MC005', '{}'),
	-- it is no line of the manifest
	('change_task', 'title = ''work''', 'reviewed_at', 'now()', 'MC008', 'MC008', 'MC008', 'MC008', 'MC008', 'MC001', '{}'),
	('change_task', 'title = ''work''', 'is_condition', 'true', 'MC003', 'MC003', 'MC003', 'MC003', 'MC003', 'MC003', '{}'),
	('change_task', 'title = ''work''', 'status', '''done''', 'MC001', 'MC001', 'MC001', 'MC001', 'nothing', 'nothing',
		'{"in_progress": "ok", "cancelled": "MC001"}'),
	('change_task', 'title = ''work''', 'status_reason', '''walked''', 'ok', 'ok', 'ok',
		'ok', 'MC003|MC005', 'MC003|MC005', '{"in_progress": "MC003|MC005|ok"}'),
	('change_task', 'title = ''work''', 'assignee_id', 'changemgmt.person_id(''bob'')', 'ok', 'ok', 'ok', 'ok', 'ok', 'MC005', '{}');
-- what follows goes on after the end
SELECT pg_temp.always('change_task', 'title = ''tell''', 'MC005', ARRAY['change_id ' || :elsewhere]),
	pg_temp.always('change_task', 'title = ''tell''', 'ok', ARRAY['position 7', 'title ''walked''',
		'description ''walked''', 'object_name ''walked''', 'assignee_id changemgmt.person_id(''bob'')', 'status ''done''']),
	pg_temp.plan('change_task', 'title = ''tell''', ARRAY['phase ''implementation''']) \g /dev/null
-- what an approver asked for is the approvers'
SELECT pg_temp.always('change_task', 'title = ''asked for''', 'MC005', ARRAY['change_id ' || :elsewhere]),
	pg_temp.always('change_task', 'title = ''asked for''', 'MC003', ARRAY['position 7', 'title ''walked''',
		'description ''walked''', 'object_name ''walked''', 'is_condition false']) \g /dev/null
INSERT INTO expected (relation, which, column_name, value, open, waiting, decided, rejected, running, over, but) VALUES
	('change_task', 'title = ''asked for''', 'phase', '''follow_up''', 'MC003', 'MC003', 'MC003', 'MC003', 'MC003', 'MC003', '{}'),
	('change_task', 'title = ''asked for''', 'status', '''done''', 'ok', 'ok', 'ok', 'ok', 'nothing', 'MC001', '{"closed": "nothing"}');
-- a check: what was seen is written with the result, between start and close
SELECT pg_temp.always('change_check', 'true', 'MC005', ARRAY['id 1000000', 'checked_by_id changemgmt.person_id(''lead2'')']),
	pg_temp.always('change_check', 'true', 'nothing', ARRAY['is_planned false']),
	pg_temp.plan('change_check', 'true', ARRAY['change_id ' || :elsewhere, 'kind ''slo''', 'stage ''7_days''', 'title ''walked''',
		'expected ''walked''', 'is_required false', 'signal ''errors''', 'baseline 1.5']),
	-- a threshold has a side, a trigger and a number have a threshold
	pg_temp.always('change_check', 'true', 'MC008', ARRAY['threshold 5', 'bad_when ''above''', 'is_rollback_trigger true', 'observed_value 5']),
	pg_temp.always('change_check', 'true', 'MC005', ARRAY['tripped_at now()']) \g /dev/null
INSERT INTO expected (relation, column_name, value, open, waiting, decided, rejected, running, over, but) VALUES
	('change_check', 'passed', 'false', 'MC001', 'MC001', 'MC001', 'MC001', 'ok', 'MC001', '{}'),
	('change_check', 'observed', '''walked''', 'MC008', 'MC008', 'MC008', 'MC008', 'MC008', 'MC001',
		'{"implemented": "ok", "cancelled": "MC008"}'),
	('change_check', 'checked_at', '(SELECT max(actual_start) + interval ''1 millisecond'' FROM changemgmt.change)', 'MC005|MC008', 'MC005|MC008', 'MC005|MC008', 'MC005|MC008', 'MC005|MC008',
		'MC001|MC005|MC008', '{"implemented": "ok"}');
-- a communication: the plan is free until it is frozen, or sent; that happens once
SELECT pg_temp.always('change_communication', 'sent_at IS NULL', 'MC005', '{id 1000000}'),
	pg_temp.always('change_communication', 'sent_at IS NULL', 'nothing', '{is_planned false}'),
	pg_temp.always('change_communication', 'sent_at IS NULL', 'MC008', ARRAY['sent_by_id changemgmt.person_id(''bob'')']),
	pg_temp.always('change_communication', 'sent_at IS NULL', 'ok',
		ARRAY['sent_at (SELECT max(created_at) + interval ''1 microsecond'' FROM changemgmt.change)']),
	pg_temp.plan('change_communication', 'sent_at IS NULL', ARRAY['change_id ' || :elsewhere, 'timing ''during''', 'stakeholder ''walked''',
		'channel ''phone''', 'message ''walked''']),
	pg_temp.always('change_communication', 'sent_at IS NOT NULL', 'MC005', ARRAY['id 1000000', 'change_id ' || :elsewhere, 'timing ''during''',
		'stakeholder ''walked''', 'channel ''phone''', 'message ''walked''', 'sent_by_id changemgmt.person_id(''bob'')']),
	pg_temp.always('change_communication', 'sent_at IS NOT NULL', 'nothing', '{is_planned true}'),
	pg_temp.always('change_communication', 'sent_at IS NOT NULL', 'MC001', ARRAY['sent_at clock_timestamp()']) \g /dev/null
-- a review is corrected by who wrote it, as long as the change is not closed
INSERT INTO expected (relation, column_name, value, running, over)
SELECT 'change_review', c, v, 'MC003', 'MC006' FROM (VALUES ('kind', '''independent'''), ('went_well', '''walked'''), ('went_badly', '''walked'''),
	('causes', '''walked'''), ('lessons', '''walked'''), ('actions', '''walked'''), ('reviewed_by_id', 'changemgmt.person_id(''bob'')'),
	('reviewed_at', 'now() - interval ''1 day''')) AS v (c, v);
SELECT pg_temp.always('change_review', 'true', 'MC005', ARRAY['id 1000000', 'change_id ' || :elsewhere]) \g /dev/null
-- what somebody said is theirs
SELECT pg_temp.always('change_comment', 'true', 'MC003|MC005', ARRAY['id 1000000', 'change_id ' || :elsewhere,
		'author_id changemgmt.person_id(''bob'')', 'body ''walked''', 'created_at now() - interval ''1 day''']) \g /dev/null
-- dependencies are plan; of other links the record stays
SELECT pg_temp.plan('change_link', 'relation = ''depends_on''', ARRAY['change_id ' || :elsewhere, 'relation ''parent''',
		'target_change_id ' || :elsewhere]),
	pg_temp.always('change_link', 'relation = ''depends_on''', 'MC008', ARRAY['target ''walked''']) \g /dev/null
INSERT INTO expected (relation, which, column_name, value, open, waiting, decided, rejected, running, over, but)
SELECT 'change_link', w, c, v, 'ok', 'ok', 'ok', 'ok', 'ok', 'MC006', '{}' FROM (VALUES
	('relation = ''depends_on''', 'occurred_at', 'timestamptz ''2020-01-01'''),
	('relation = ''ticket''', 'relation', '''other'''), ('relation = ''ticket''', 'target', '''walked'''),
	('relation = ''ticket''', 'occurred_at', 'timestamptz ''2020-01-01''')) AS v (w, c, v);
SELECT pg_temp.plan('change_link', 'relation = ''ticket''', ARRAY['relation ''depends_on''']),
	pg_temp.always('change_link', 'relation = ''ticket''', 'MC008', ARRAY['target_change_id ' || :elsewhere]),
	pg_temp.always('change_link', 'relation = ''ticket''', 'MC005|MC006', ARRAY['id 1000000', 'change_id ' || :elsewhere]) \g /dev/null
-- a template is proposed as a plan is made
SELECT pg_temp.always('template_proposal', 'true', 'MC005', '{id 1000000}'),
	pg_temp.plan('template_proposal', 'true', ARRAY['change_id ' || :elsewhere, 'key ''walked''',
		'definition ''{"base": "lean_standard", "plan": {}}''::jsonb', 'proposed_from_change_id ' || :elsewhere]) \g /dev/null
-- a waiver is the manager's who gave it
SELECT pg_temp.always('change_waiver', 'true', 'MC003|MC005', ARRAY['id 1000000', 'change_id ' || :elsewhere, 'requirement ''quorum''',
		'reason ''walked''', 'waived_by_id changemgmt.person_id(''regress_walker'')', 'waived_at now()']),
	-- which none but those of bookings have
	pg_temp.always('change_waiver', 'true', 'MC008', ARRAY['planned_start now()', 'planned_end now()']) \g /dev/null
-- a vote is the voter's, as long as votes are open
INSERT INTO expected (relation, column_name, value, waiting, decided, rejected, running, over)
SELECT 'approval_vote', c, v, 'MC003', 'MC001', 'MC001', 'MC001', 'MC001' FROM (VALUES
	('id', '1000000'), ('round', '77'), ('person_id', 'changemgmt.person_id(''bob'')'), ('decision', '''abstained'''),
	('reason', '''walked'''), ('voted_at', 'timestamptz ''1999-01-01'''), ('plan_revision', '77'), ('seal', 'sha256(''x'')'),
	('voted_by_id', 'changemgmt.person_id(''bob'')')) AS v (c, v);
INSERT INTO expected (relation, column_name, value, waiting, decided, rejected, running, over)
VALUES ('approval_vote', 'change_id', :'elsewhere', 'MC001|MC005', 'MC001|MC005', 'MC001|MC005', 'MC001|MC005', 'MC001|MC005');

SELECT set_eq($$SELECT c.relname::text, a.attname::text FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
	WHERE c.oid IN (SELECT conrelid FROM pg_constraint WHERE confrelid = 'changemgmt.change'::regclass
			AND connamespace = 'changemgmt'::regnamespace AND conname LIKE '%\_change\_id\_fkey' AND conrelid NOT IN ('changemgmt.incident_cause'::regclass, 'changemgmt.agenda_item'::regclass, 'changemgmt.meeting_minute'::regclass, 'changemgmt.site_model'::regclass, 'changemgmt.booking'::regclass, 'changemgmt.risk_assessment'::regclass, 'changemgmt.duty'::regclass))
		AND a.attnum > 0 AND NOT a.attisdropped$$,
	$$SELECT relation, column_name FROM expected WHERE relation <> 'change'$$, 'it is said of every column of every part what may become of it');

SELECT pg_temp.act('regress_walker') \g /dev/null
CREATE TEMP TABLE place AS
	SELECT 'change' AS relation, s.id AS row_id, s.id AS change_id, 'true' AS which FROM subject AS s;
SELECT format('INSERT INTO place SELECT %L, t.id, t.change_id, %L FROM changemgmt.%I AS t JOIN subject AS s ON s.id = t.change_id WHERE %s AND %s',
	relation, which, relation, which,
	-- one vote of each change
	CASE relation WHEN 'approval_vote' THEN 'person_id = changemgmt.person_id(''lead'')' ELSE 'true' END)
FROM (SELECT DISTINCT relation, which FROM expected WHERE relation <> 'change') AS e \gexec
CREATE TEMP TABLE attempt AS
	SELECT r.role, e.relation, e.which, e.column_name, s.status, s.place, pg_temp.expectation(e, s.status) AS expected,
		pg_temp.fate(r.role, format('UPDATE changemgmt.%I SET %I = %s WHERE id = %s', e.relation, e.column_name, e.value, p.row_id),
			e.relation, p.row_id, e.column_name, e.value, 'change', s.id) AS fate
	FROM expected AS e JOIN place AS p USING (relation, which) JOIN subject AS s ON s.id = p.change_id
	CROSS JOIN unnest(ARRAY[current_user::text, 'regress_walker']) AS r (role);

SELECT is_empty(format($$SELECT role, status, fate, expected FROM attempt
		WHERE relation = %L AND which = %L AND column_name = %L AND fate !~ ('^(' || expected || ')$')$$, relation, which, column_name),
	format('UPDATE of %s.%s%s in each status', relation, column_name, CASE which WHEN 'true' THEN '' ELSE ' where ' || which END))
FROM (SELECT DISTINCT relation, which, column_name FROM attempt) AS a ORDER BY relation, which, column_name;

-- INSERT, with each column given

CREATE FUNCTION pg_temp.fate_of_insert(role text, relation text, given jsonb, changed_column text, change_id bigint) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	begun timestamptz := clock_timestamp();
	after jsonb;
	fate text;
BEGIN
	BEGIN
		EXECUTE format('SET LOCAL ROLE %I', role);
		EXECUTE format('INSERT INTO changemgmt.%1$I AS t (%2$s) SELECT %2$s FROM jsonb_populate_record(NULL::changemgmt.%1$I, $1) RETURNING to_jsonb(t)',
			relation, (SELECT string_agg(quote_ident(k), ', ') FROM jsonb_object_keys(given) AS k)) INTO after USING given;
		RESET ROLE;
		fate := CASE WHEN EXISTS (SELECT FROM changemgmt.verify_ledger('change', coalesce(change_id, (after ->> 'id')::bigint))) THEN 'broken'
			WHEN after IS NULL THEN 'nothing'
			WHEN NOT EXISTS (SELECT FROM changemgmt.ledger AS l WHERE l.recorded_at >= begun
				AND l.subject_id = coalesce(change_id, (after ->> 'id')::bigint) AND l.changed::text LIKE '%"' || changed_column || '"%') THEN 'unrecorded'
			WHEN after -> changed_column IS DISTINCT FROM given -> changed_column THEN 'stamped'
			ELSE 'ok' END;
		RAISE SQLSTATE 'ZZ001';
	EXCEPTION
		WHEN SQLSTATE 'ZZ001' THEN RETURN fate;
		WHEN OTHERS THEN RETURN sqlstate;
	END;
END
$$;

-- a change begins as a draft; what its steps write is not given, what the
-- engine keeps is refused or its own
CREATE TEMP TABLE born AS SELECT column_name, value,
	CASE WHEN column_name IN ('type', 'model_version', 'created_at', 'updated_at', 'revision', 'plan_revision', 'last_editor_id') THEN 'stamped'
		WHEN column_name IN ('author_id') THEN 'MC003'
		WHEN column_name = 'status' THEN 'MC001'
		WHEN column_name IN ('implementer_id', 'verifier_id', 'actual_start', 'deployed_at', 'actual_end', 'verified_at', 'rolled_back_at',
			'closed_at', 'cancelled_at', 'first_submitted_at', 'submitted_at', 'approved_at', 'scheduled_at', 'revised_at',
			'authorised_by_id', 'emergency_threshold', 'on_hold', 'outcome', 'rollback_started_at', 'recovered_at',
			'stability_confirmed_at', 'stability_confirmed_by_id', 'notice_from', 'approval_round', 'approved_seal',
			'approved_plan_revision', 'source_digest') THEN 'MC005'
		-- a digest of the row cannot tell of itself
		WHEN column_name IN ('ledger_sequence', 'ledger_head') THEN 'unrecorded'
		ELSE 'ok' END AS expected
FROM expected WHERE relation = 'change';
SELECT format('UPDATE born SET value = (SELECT to_jsonb(v)::text FROM (SELECT %s) AS t (v)) WHERE column_name = %L',
	CASE column_name WHEN 'model_version' THEN '1' ELSE value END, column_name) FROM born \gexec
SELECT is(pg_temp.fate_of_insert(r.role, 'change', jsonb_build_object('title', 'born', 'model', 'walk', column_name, value::jsonb), column_name, NULL),
	expected, format('INSERT into change with %s by %s', column_name, CASE r.role WHEN 'regress_walker' THEN r.role ELSE 'a superuser' END))
FROM born CROSS JOIN unnest(ARRAY[current_user::text, 'regress_walker']) AS r (role) ORDER BY column_name;

-- A step, and in the same statement what it does not write, or writes itself:
-- refused, or the engine's own value in its place. What may be said with a step
-- is said there.
CREATE TEMP TABLE step (status text, assignments text, may_say text);
INSERT INTO step VALUES
	('draft', 'status = ''planned''', 'status_reason,override_reason,remediation,cause_class,incident_id,found_by'),
	-- with its submission it moves to the latest version of its model
	('planned', 'status = ''awaiting_approval''', 'model_version,status_reason,override_reason,remediation,cause_class,incident_id,found_by'),
	('approved', 'status = ''scheduled''', 'status_reason,override_reason,remediation,cause_class,incident_id,found_by'),
	('scheduled', 'status = ''draft''', 'status_reason,override_reason,remediation,cause_class,incident_id,found_by'),
	('rejected', 'status = ''draft''', 'status_reason,override_reason,remediation,cause_class,incident_id,found_by'),
	('awaiting_approval', 'status = ''cancelled'', status_reason = ''r''', 'override_reason,remediation,cause_class,incident_id,found_by'),
	('planned', 'on_hold = true, status_reason = ''r''', 'override_reason,remediation,cause_class,incident_id,found_by'),
	('verifying', 'status = ''in_progress'', status_reason = ''r''',
		'override_reason,remediation,cause_class,incident_id,found_by,recovered_at'),
	('in_progress', 'status = ''implemented'', status_reason = ''r'', remediation = ''m''',
		'override_reason,cause_class,incident_id,found_by,recovered_at,outcome,actual_end'),
	('verifying', 'status = ''rolled_back'', status_reason = ''r'', cause_class = ''testing''',
		'override_reason,remediation,incident_id,found_by,recovered_at,rollback_started_at,rolled_back_at'),
	('implemented', 'status = ''closed''', 'status_reason,override_reason,remediation,cause_class,incident_id,found_by,recovered_at');
SELECT is(pg_temp.fate(current_user, format('UPDATE changemgmt.change SET %s WHERE id = %s', p.assignments, s.id), 'change', s.id, 'status', '''x''', 'change', s.id),
	'stamped', format('from %s: %s', p.status, p.assignments))
FROM step AS p JOIN subject AS s USING (status);
SELECT is_empty(format($$SELECT * FROM (
		SELECT e.column_name, pg_temp.fate(current_user, format('UPDATE changemgmt.change SET %%s, %%I = %%s WHERE id = %2$s', %1$L, e.column_name, e.value),
			'change', %2$s, e.column_name, e.value, 'change', %2$s) AS fate
		FROM expected AS e JOIN changemgmt.field_class() AS f (relation, column_name, class) USING (relation, column_name)
		WHERE e.relation = 'change' AND f.class IN ('engine', 'progress') AND strpos(%1$L, e.column_name || ' =') = 0) AS tried
		WHERE fate !~ '^(MC00[1-8]|stamped)$' AND NOT (column_name = ANY (string_to_array(%3$L, ',')) AND fate = 'ok')$$,
		p.assignments, s.id, p.may_say), format('from %s, with what else: %s', p.status, p.assignments))
FROM step AS p JOIN subject AS s USING (status);

-- Documents: content, and nothing that the engine or a step writes

SELECT is(pg_temp.fate(current_user, format('SELECT changemgmt.edit_change(%s, %L)', s.id, jsonb_build_object(b.column_name, b.value::jsonb)),
		'change', s.id, b.column_name, '1', 'change', s.id), 'MC008', format('a patch with %s, which is %s', b.column_name, f.class))
FROM born AS b JOIN changemgmt.field_class() AS f (relation, column_name, class) ON (f.relation, f.column_name) = ('change', b.column_name) AND f.class IN ('engine', 'progress')
JOIN subject AS s ON s.status = 'draft' ORDER BY b.column_name;
SELECT matches(pg_temp.fate(current_user, format('SELECT changemgmt.create_change_from(%L)',
		'{"title": "document", "model": "walk"}'::jsonb || jsonb_build_object(b.column_name, b.value::jsonb)),
		'change', s.id, b.column_name, '1', 'change', s.id),
	CASE WHEN b.column_name IN ('found_by', 'incident_id') THEN '^(ok|stamped)$' ELSE '^MC00[358]$' END,
	format('a document with %s, which is %s', b.column_name, f.class))
FROM born AS b JOIN changemgmt.field_class() AS f (relation, column_name, class) ON (f.relation, f.column_name) = ('change', b.column_name) AND f.class IN ('engine', 'progress')
JOIN subject AS s ON s.status = 'draft' ORDER BY b.column_name;

-- A part into a change of each status, with what the statement may not say.
-- draft and planned | awaiting, approved, scheduled | rejected | under way | over
CREATE TEMP TABLE put (relation text, given jsonb, changed_column text, open text, decided text, rejected text, running text, over text);
INSERT INTO put VALUES
	('change_item', jsonb_build_object('ci_id', changemgmt.ci_id('web')), 'ci_id', 'ok', 'ok', 'MC005', 'MC005', 'MC005'),
	('change_risk', '{"description": "put", "likelihood": "low", "impact": "low"}', 'description', 'ok', 'ok', 'MC005', 'MC005', 'MC005'),
	('change_task', '{"title": "put", "phase": "implementation", "position": 9, "is_condition": false, "status": "open"}', 'title',
		'ok', 'ok', 'MC005', 'MC005', 'MC005'),
	('change_task', '{"title": "put", "phase": "follow_up", "position": 9, "is_condition": false, "status": "open"}', 'title',
		'ok', 'ok', 'ok', 'ok', 'ok'),
	('change_task', '{"title": "put", "phase": "preparation", "position": 9, "is_condition": true, "status": "open"}', 'title',
		'MC003', 'MC003', 'MC003', 'MC001|MC003', 'MC001|MC003'),
	('change_task', jsonb_build_object('title', 'put', 'phase', 'follow_up', 'position', 9, 'is_condition', false, 'status', 'done',
		'done_by_id', changemgmt.person_id('bob')), 'done_by_id', 'MC003', 'MC003', 'MC003', 'MC003', 'MC003'),
	('change_task', '{"title": "put", "phase": "follow_up", "position": 9, "is_condition": false, "status": "done", "done_at": "1999-01-01"}',
		'done_at', 'MC008', 'MC008', 'MC008', 'MC008', 'MC008'),
	('change_check', '{"title": "put", "kind": "slo", "stage": "immediate", "is_required": true, "is_planned": true}', 'is_planned',
		'ok', 'ok', 'MC005', 'stamped', 'MC001'),
	('change_check', '{"title": "put", "kind": "slo", "stage": "immediate", "is_required": true, "is_planned": false}', 'is_planned',
		'stamped', 'stamped', 'MC005', 'ok', 'MC001'),
	('change_check', jsonb_build_object('title', 'put', 'kind', 'slo', 'stage', 'immediate', 'is_required', true, 'is_planned', false,
		'passed', true, 'checked_by_id', changemgmt.person_id('bob')), 'checked_by_id', 'MC001', 'MC001', 'MC005', 'MC003', 'MC001'),
	('change_check', '{"title": "put", "kind": "slo", "stage": "immediate", "is_required": true, "is_planned": false, "passed": true, "checked_at": "1999-01-01"}',
		'checked_at', 'MC001', 'MC001', 'MC005', 'MC008', 'MC001'),
	('change_comment', '{"body": "put", "created_at": "1999-01-01"}', 'created_at', 'stamped', 'stamped', 'stamped', 'stamped', 'stamped'),
	('change_comment', jsonb_build_object('body', 'put', 'author_id', changemgmt.person_id('bob')), 'author_id',
		'MC003', 'MC003', 'MC003', 'MC003', 'MC003'),
	('change_link', jsonb_build_object('relation', 'depends_on', 'target_change_id', :elsewhere), 'relation', 'ok', 'ok', 'MC005', 'MC005', 'MC005'),
	('change_link', '{"relation": "ticket", "target": "put"}', 'target', 'ok', 'ok', 'ok', 'ok', 'ok'),
	('change_communication', '{"timing": "before", "stakeholder": "put", "channel": "chat", "message": "put", "is_planned": true}', 'is_planned',
		'ok', 'ok', 'MC005', 'stamped', 'MC001'),
	('change_communication', '{"timing": "before", "stakeholder": "put", "channel": "chat", "message": "put", "is_planned": false}', 'is_planned',
		'stamped', 'stamped', 'MC005', 'ok', 'MC001'),
	('change_communication', jsonb_build_object('timing', 'before', 'stakeholder', 'put', 'channel', 'chat', 'message', 'put', 'is_planned', false,
		'sent_at', clock_timestamp(), 'sent_by_id', changemgmt.person_id('bob')), 'sent_by_id', 'MC003', 'MC003', 'MC003', 'MC003', 'MC003'),
	('change_communication', '{"timing": "before", "stakeholder": "put", "channel": "chat", "message": "put", "is_planned": false, "sent_at": "1999-01-01"}',
		'sent_at', 'MC008', 'MC008', 'MC008', 'MC008', 'MC008'),
	('change_communication', '{"timing": "before", "stakeholder": "put", "channel": "chat", "message": "put", "is_planned": false, "sent_at": "2999-01-01"}',
		'sent_at', 'MC008', 'MC008', 'MC008', 'MC008', 'MC008'),
	-- none in progress, nor cancelled before it began
	('change_review', '{"kind": "post_implementation", "lessons": "put"}', 'lessons', 'MC001', 'MC001', 'MC001', 'MC001|ok', 'MC001|ok'),
	('change_review', '{"kind": "post_implementation", "lessons": "put", "reviewed_at": "1999-01-01"}', 'reviewed_at',
		'MC001', 'MC001', 'MC001', 'MC001|stamped', 'MC001|stamped'),
	('change_review', jsonb_build_object('kind', 'post_implementation', 'lessons', 'put', 'reviewed_by_id', changemgmt.person_id('bob')), 'reviewed_by_id',
		'MC003', 'MC003', 'MC003', 'MC003', 'MC003'),
	('change_waiver', '{"requirement": "notice", "reason": "put"}', 'requirement', 'MC003', 'MC003', 'MC003', 'MC003', 'MC003'),
	-- each of them proposes one
	('template_proposal', '{"key": "other", "definition": {"base": "standard", "plan": {}}}', 'key', '23505', '23505', '23505', '23505', '23505'),
	('approval_vote', '{"decision": "approved"}', 'decision', 'MC001', 'MC001', 'MC001', 'MC001', 'MC001');
SELECT set_eq('SELECT DISTINCT relation FROM put', $$SELECT DISTINCT relation FROM expected WHERE relation <> 'change'$$,
	'every part is put into changes of every status');
SELECT is_empty(format($$SELECT * FROM (
		SELECT r.role, s.status, pg_temp.fate_of_insert(r.role, p.relation, p.given || jsonb_build_object('change_id', s.id), p.changed_column, s.id) AS fate,
			CASE WHEN p.relation = 'approval_vote' AND s.status = 'awaiting_approval' THEN 'MC003'
				WHEN s.status IN ('draft', 'planned') THEN p.open
				WHEN s.status IN ('awaiting_approval', 'approved', 'scheduled') THEN p.decided
				WHEN s.status = 'rejected' THEN p.rejected
				WHEN s.status IN ('closed', 'cancelled') THEN p.over ELSE p.running END AS expected
		FROM put AS p CROSS JOIN subject AS s CROSS JOIN unnest(ARRAY[current_user::text, 'regress_walker']) AS r (role)
		WHERE p.relation = %L AND p.given = %L::jsonb) AS tried WHERE fate !~ ('^(' || expected || ')$')$$, relation, given),
	format('INSERT into %s in each status: %s', relation, given))
FROM put;

-- What changes stand on: every column is in the trail, the key stays

SELECT changemgmt.set_setting('number_width', '6'), changemgmt.confirm_cause('INC-1', (SELECT id FROM subject WHERE status = 'closed')),
	changemgmt.add_incident_item('INC-1', (SELECT min(name) FROM changemgmt.configuration_item)) \g /dev/null
RESET changemgmt.actor;
CREATE FUNCTION public.regress_met(change_id bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT NULL::text';
CREATE FUNCTION public.regress_met_too(change_id bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT NULL::text';
CREATE FUNCTION public.regress_half(change_id bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 0.5';
CREATE FUNCTION public.regress_whole(change_id bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 1.0';
SELECT changemgmt.register_risk_factor('half', 'public.regress_half(bigint)', 1), changemgmt.publish_risk_matrix('ours', (SELECT jsonb_agg('["low", "low", "high", "high", "high"]'::jsonb) FROM generate_series(1, 5))) \g /dev/null
SELECT changemgmt.register_requirement('met', 'public.regress_met(bigint)'), changemgmt.ledger_checkpoint() \g /dev/null
SELECT changemgmt.create_business_calendar('others', 'UTC', 'SU'), changemgmt.create_business_calendar('works', 'UTC', 'MO'), changemgmt.add_holiday('works', '2030-01-01') \g /dev/null
SELECT pg_temp.act('bob') \g /dev/null
SELECT changemgmt.delegate_approval('lead', now(), now() + interval '1 day') \g /dev/null
RESET changemgmt.actor;
SELECT changemgmt.add_person('cyd'), changemgmt.add_ci('host'), changemgmt.declare_blackout('audit', starts_at => '2001-01-01', ends_at => '2001-01-02'), changemgmt.add_board('ecab'), changemgmt.add_team('ops'), changemgmt.incident_id('INC-2') \g /dev/null
SELECT changemgmt.set_approval_policy('policy ' || p, format('[{"level": %s, "rule": "count", "board": "cab", "needed": 1}]', p)::jsonb,
	model => 'lean_standard') FROM generate_series(1, 2) AS p \g /dev/null
COPY changemgmt.incident (reference) FROM stdin;
OLD-1
\.
SELECT changemgmt.set_board_cadence('cab', 'DTSTART:20260106T020000Z DURATION:PT2H') \g /dev/null
INSERT INTO changemgmt.board_meeting (board_id, starts_at, ends_at) VALUES (changemgmt.board_id('cab'), now() + interval '1 day', now() + interval '2 days') RETURNING id AS later \gset
SELECT pg_temp.act('lead') \g /dev/null
SELECT changemgmt.call_emergency_meeting('cab', 'fire') AS meeting \gset
INSERT INTO changemgmt.agenda_item (meeting_id, change_id) SELECT :meeting, id FROM subject WHERE status = 'draft';
SELECT changemgmt.hold_meeting(:meeting, '{lead}'), changemgmt.record_minute(:meeting, id, 'said') FROM subject WHERE status = 'draft' \g /dev/null
SELECT changemgmt.assign_duty(id, 'other', due_at => now() + interval '1 day') FROM subject WHERE status = 'draft' \g /dev/null
RESET changemgmt.actor;
CREATE TABLE public.regress_past AS
	SELECT n % 7 AS x, n * 5 % 11 < n % 7 AS failed, timestamptz '2026-01-01 12:00+00' + n * interval '1 day' AS at
	FROM generate_series(1, 200) AS n;
SELECT changemgmt.fit_risk_model('regress_past', '{x}', at => 'at') \g /dev/null
CREATE TEMP TABLE ground (relation text, column_name text, value text, expected text DEFAULT 'ok', actor text);
INSERT INTO ground (relation, column_name, value) SELECT split_part(v, ' ', 1), split_part(v, ' ', 2), substr(v, length(split_part(v, ' ', 1)) + length(split_part(v, ' ', 2)) + 3)
FROM unnest(ARRAY[
	'site_setting value ''7''',
	'person login ''walked''', 'person name ''walked''', 'person kind ''contractor''', 'person email ''walked''', 'person phone ''walked''',
	'person chat ''walked''', 'person is_executive true', 'person is_active false',
	'team name ''walked''', 'team kind ''contractor''', 'team lead_id changemgmt.person_id(''cyd'')', 'team email ''walked''',
	'team_member person_id changemgmt.person_id(''cyd'')', 'team_member team_id changemgmt.team_id(''ops'')',
	'board name ''walked''', 'board description ''walked''',
	'board_member person_id changemgmt.person_id(''cyd'')', 'board_member board_id changemgmt.board_id(''ecab'')',
	'board_member seat ''security''', 'board_member valid_from timestamptz ''1999-01-01''', 'board_member valid_until timestamptz ''2100-01-01''',
	'configuration_item name ''walked''', 'configuration_item kind ''network''', 'configuration_item tier 3',
	'configuration_item environment ''test''', 'configuration_item owner_id changemgmt.person_id(''cyd'')', 'configuration_item version ''walked''',
	'configuration_item version_change_id 1', 'configuration_item end_of_life date ''2030-01-01''', 'configuration_item description ''walked''',
	'configuration_item is_exclusive false', 'configuration_item tags ''{walked}''::text[]',
	'change_window name ''walked''', 'change_window kind ''maintenance''', 'change_window enforcement ''soft''',
	'change_window starts_at timestamptz ''2000-01-01''', 'change_window ends_at timestamptz ''infinity''', 'change_window environment ''test''',
	'change_window ci_id changemgmt.ci_id(''host'')', 'change_window covers_dependents false', 'change_window model ''major''',
	'change_window tag ''walked''', 'change_window reason ''walked''',
	'ci_dependency ci_id changemgmt.ci_id(''host'')', 'ci_dependency depends_on_ci_id changemgmt.ci_id(''host'')', 'ci_dependency kind ''runs_on''',
	'business_calendar name ''walked''', 'business_calendar time_zone ''Asia/Tokyo''', 'business_calendar description ''walked''',
	'business_hours calendar_id changemgmt.business_calendar_id(''others'')', 'business_hours weekday 7', 'business_hours opens time ''00:01''',
	'business_hours closes time ''23:59''',
	'holiday calendar_id changemgmt.business_calendar_id(''others'')', 'holiday day date ''2031-01-01''', 'holiday name ''walked''',
	'incident reference ''walked''', 'incident title ''walked''', 'incident severity 3', 'incident began_at timestamptz ''2020-01-01''',
	'incident detected_at timestamptz ''2020-01-01''', 'incident resolved_at timestamptz ''2020-01-01''', 'incident outage_minutes 7',
	'incident created_at timestamptz ''2020-01-01''',
	'incident_item incident_id changemgmt.incident_id(''INC-2'')', 'incident_item ci_id changemgmt.ci_id(''host'')',
	'incident kind ''data''', 'incident source ''walked''', 'incident status_reason ''walked''', 'incident_cause reason ''walked''',
	'site_model retired_at now()', 'site_requirement name ''walked''', 'site_requirement function ''public.regress_met_too(bigint)''',
	'site_requirement description ''walked''', 'site_requirement hint ''walked''', 'site_requirement verbs ''{start}''::text[]',
	'site_risk_factor name ''walked''', 'site_risk_factor weight 7', 'site_risk_factor is_on false', 'site_risk_factor description ''walked''',
	'site_risk_factor function ''public.regress_whole(bigint)''',
	'role_duty role_name ''regress_walked''', 'role_duty duty ''approver''', 'role_duty granted_by ''walked''', 'role_duty granted_at timestamptz ''2020-01-01''',
	'approval_policy name ''walked''', 'approval_policy model ''standard''', 'approval_policy type ''standard''', 'approval_policy risk_level ''low''',
	'approval_policy environment ''test''', 'approval_policy ci_tier 3', 'approval_policy touches_data_integrity true',
	'approval_policy touches_security true', 'approval_level policy_id (SELECT min(id) FROM changemgmt.approval_policy) + 0',
	'approval_level board ''ecab''', 'approval_level needed 7', 'approval_level level 7']) AS v;
-- what only the rules write, of incidents and what caused them
INSERT INTO ground (relation, column_name, value, expected, actor) VALUES
	('incident', 'recorded_by_id', 'changemgmt.person_id(''cyd'')', 'nothing', NULL), ('incident', 'reopen_count', '7', 'nothing', NULL),
	('incident', 'reopened_at', 'timestamptz ''2020-01-01''', 'nothing', NULL), ('incident', 'merged_at', 'timestamptz ''2020-01-01''', 'nothing', NULL),
	('incident', 'merged_into_id', 'changemgmt.incident_id(''INC-2'')', 'MC002|MC008', NULL),
	('incident_cause', 'incident_id', 'changemgmt.incident_id(''INC-2'')', 'MC005', 'lead'), ('incident_cause', 'change_id', '(SELECT min(id) FROM changemgmt.change)', 'MC005', 'lead'),
	('incident_cause', 'status', '''dismissed''', 'ok', 'lead'), ('incident_cause', 'decided_by_id', 'changemgmt.person_id(''cyd'')', 'nothing', 'lead'),
	('incident_cause', 'decided_at', 'timestamptz ''2020-01-01''', 'nothing', 'lead'), ('incident_cause', 'suspected_by_id', 'changemgmt.person_id(''cyd'')', 'nothing', 'lead'),
	('incident_cause', 'suspected_at', 'timestamptz ''2020-01-01''', 'nothing', 'lead'), ('incident_cause', 'withdrawn_at', 'timestamptz ''2020-01-01''', 'nothing', 'lead');
-- what a level asks is of one piece
INSERT INTO ground VALUES ('approval_level', 'rule', '''all''', '23514'), ('approval_level', 'person_id', 'changemgmt.person_id(''cyd'')', '23514'),
	('approval_level', 'percent', '7', '23514'), ('approval_level', 'seats', '''{security}''::text[]', '23514');
-- a published model stays as it is; a requirement runs as who registered it
INSERT INTO ground VALUES ('site_model', 'key', '''walked''', 'MC006'), ('site_model', 'version', '77', 'MC006'),
	('site_model', 'definition', '''{"base": "major"}''::jsonb', 'MC006'), ('site_model', 'published_by', '''walked''', 'MC006'),
	('site_model', 'published_at', 'timestamptz ''2020-01-01''', 'MC006'), ('site_model', 'approved_by_change_id', '1', 'MC006'),
	('change_window', 'recurrence', '''DTSTART:20260106T020000Z DURATION:PT2H''::changemgmt.recurrence', 'MC008'),
	('change_window', 'declared_at', 'timestamptz ''2020-01-01''', 'nothing'), ('change_window', 'declared_by', '''walked''', 'nothing'),
	('site_setting', 'key', '''walked''', 'MC008'), ('site_requirement', 'registered_by', '''regress_walker''', 'MC00\d|nothing|stamped');
-- a fitted model stays as it is, but for being used
INSERT INTO ground SELECT 'risk_model', attname, CASE typname WHEN 'text' THEN '''walked''' WHEN '_text' THEN '''{walked}''' WHEN '_float8' THEN '''{7,7}'''
	WHEN 'timestamptz' THEN 'timestamptz ''2020-01-01''' WHEN 'jsonb' THEN '''[]''' ELSE '7' END, CASE WHEN cardinality THEN 'MC006|23514' ELSE 'MC006' END
FROM (SELECT attname, t.typname, a.attname IN ('features', 'means', 'deviations') AS cardinality FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
	WHERE attrelid = 'changemgmt.risk_model'::regclass AND attnum > 0 AND NOT attisdropped
	AND attname NOT IN ('id', 'is_active', 'activated_by', 'activated_at')) AS a;
INSERT INTO ground VALUES ('risk_model', 'is_active', 'true', 'ok'), ('risk_model', 'activated_by', '''walked''', 'ok'),
	('risk_model', 'activated_at', 'timestamptz ''2020-01-01''', 'ok');
INSERT INTO ground VALUES ('site_risk_factor', 'registered_by', '''regress_walker''', 'MC00\d|nothing|stamped');
INSERT INTO ground SELECT 'site_risk_matrix', split_part(v, ' ', 1), substr(v, length(split_part(v, ' ', 1)) + 2), 'MC006'
FROM unnest(ARRAY['key ''walked''', 'version 77', 'cells ''[]''::jsonb', 'published_by ''walked''', 'published_at timestamptz ''2020-01-01''']) AS v;
INSERT INTO ground SELECT 'risk_assessment', split_part(v, ' ', 1), substr(v, length(split_part(v, ' ', 1)) + 2), 'MC006'
FROM unnest(ARRAY['change_id (SELECT min(id) FROM changemgmt.change)', 'assessed_at timestamptz ''2020-01-01''', 'verb ''approve''', 'score 7', 'level ''critical''', 'won_by ''walked''',
	'explanation ''{}''::jsonb', 'plan_revision 77']) AS v;
-- a delegation is only revoked, by who gave it
INSERT INTO ground SELECT 'approval_delegation', split_part(v, ' ', 1), substr(v, length(split_part(v, ' ', 1)) + 2), 'MC006'
FROM unnest(ARRAY['from_person_id changemgmt.person_id(''lead2'')', 'to_person_id changemgmt.person_id(''lead2'')', 'valid_from timestamptz ''2020-01-01''',
	'valid_until timestamptz ''2100-01-01''', 'board_id changemgmt.board_id(''cab'')', 'reason ''walked''',
	'created_by_id changemgmt.person_id(''cyd'')', 'created_at timestamptz ''2020-01-01''']) AS v;
INSERT INTO ground VALUES ('approval_delegation', 'revoked_at', 'timestamptz ''2020-01-01''', 'MC003'),
	('approval_delegation', 'revoked_by_id', 'changemgmt.person_id(''bob'')', 'nothing');
-- of a meeting that is held, by who has a seat
INSERT INTO ground (relation, column_name, value, expected, actor) VALUES
	('board_cadence', 'board_id', 'changemgmt.board_id(''ecab'')', 'ok', NULL), ('board_cadence', 'quorum', '7', 'ok', NULL),
	('board_cadence', 'recurrence', '''DTSTART:20270106T020000Z DURATION:PT2H''::changemgmt.recurrence', 'ok', NULL), ('board_cadence', 'location', '''walked''', 'ok', NULL),
	('board_meeting', 'board_id', 'changemgmt.board_id(''ecab'')', 'MC005', 'lead'), ('board_meeting', 'starts_at', 'timestamptz ''2020-01-01''', 'MC005', 'lead'),
	('board_meeting', 'ends_at', 'timestamptz ''2100-01-01''', 'MC005', 'lead'), ('board_meeting', 'kind', '''regular''', 'MC005', 'lead'),
	('board_meeting', 'status', '''planned''', 'MC001', 'lead'), ('board_meeting', 'location', '''walked''', 'ok', 'lead'), ('board_meeting', 'reason', '''walked''', 'ok', 'lead'),
	('board_meeting', 'chair_id', 'changemgmt.person_id(''cyd'')', 'ok', 'lead'), ('board_meeting', 'held_at', 'timestamptz ''2020-01-01''', 'MC005', 'lead'),
	('board_meeting', 'quorum', '7', 'MC005', 'lead'), ('board_meeting', 'closed_at', 'timestamptz ''2020-01-01''', 'stamped', 'lead'),
	('board_meeting', 'minutes', '''walked''', 'ok', 'lead'), ('board_meeting', 'status_reason', '''walked''', 'ok', 'lead'),
	('board_attendance', 'meeting_id', :'later', 'MC005', 'lead'), ('board_attendance', 'person_id', 'changemgmt.person_id(''cyd'')', 'MC005', 'lead'),
	('board_attendance', 'seat', '''security''', 'MC005', 'lead'),
	('agenda_item', 'meeting_id', :'later', 'MC005', 'lead'), ('agenda_item', 'change_id', '(SELECT min(id) FROM changemgmt.change)', 'MC005', 'lead'),
	('agenda_item', 'position', '7', 'ok', 'lead'), ('agenda_item', 'is_skipped', 'true', 'ok', 'lead'),
	('agenda_item', 'added_by_id', 'changemgmt.person_id(''cyd'')', 'stamped', 'lead'), ('agenda_item', 'added_at', 'timestamptz ''2020-01-01''', 'stamped', 'lead'),
	('meeting_minute', 'meeting_id', :'later', 'MC001|MC005', 'lead'), ('meeting_minute', 'change_id', '(SELECT min(id) FROM changemgmt.change)', 'MC005', 'lead'),
	('meeting_minute', 'discussion', '''walked''', 'ok', 'lead'), ('meeting_minute', 'decision', '''approved''', 'MC002', 'lead'),
	('meeting_minute', 'votes', '''walked''', 'nothing', 'lead'), ('meeting_minute', 'recorded_by_id', 'changemgmt.person_id(''cyd'')', 'MC005', 'lead'),
	('meeting_minute', 'recorded_at', 'timestamptz ''2020-01-01''', 'MC005', 'lead');
-- a duty stays what it is; who acts ends it
INSERT INTO ground (relation, column_name, value, expected, actor) VALUES
	('duty', 'change_id', '(SELECT min(id) FROM changemgmt.change)', 'MC005', 'lead'), ('duty', 'kind', '''post_mortem''', 'MC005', 'lead'),
	('duty', 'title', '''walked''', 'MC005', 'lead'), ('duty', 'due_at', 'timestamptz ''2100-01-01''', 'MC005', 'lead'),
	('duty', 'repeat_minutes', '7', 'MC005', 'lead'), ('duty', 'check_id', '7', 'MC005', 'lead'), ('duty', 'created_at', 'timestamptz ''2020-01-01''', 'MC005', 'lead'),
	('duty', 'person_id', 'changemgmt.person_id(''cyd'')', 'ok', 'lead'), ('duty', 'done_at', 'clock_timestamp()', 'MC008|stamped|ok', 'lead'),
	('duty', 'done_by_id', 'changemgmt.person_id(''cyd'')', 'MC005', 'lead'), ('duty', 'result', '''walked''', 'MC005', 'lead'),
	('duty', 'cancelled_at', 'now()', 'MC002', 'lead'), ('duty', 'cancel_reason', '''walked''', 'MC005', 'lead'),
	('duty', 'flagged_at', 'now()', 'MC005', 'lead'), ('duty', 'escalated_at', 'now()', 'MC005', 'lead'),
	('duty', 'escalated_to_id', 'changemgmt.person_id(''cyd'')', 'MC005', 'lead');
INSERT INTO ground SELECT DISTINCT relation, 'id', '1000000', CASE WHEN relation IN ('team', 'business_calendar', 'board_meeting', 'approval_policy') THEN '23503|MC006' ELSE 'MC006' END, actor FROM ground;
SELECT set_eq($$SELECT c.relname::text, a.attname::text FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
	JOIN pg_depend AS d ON (d.classid, d.objid, d.deptype) = ('pg_class'::regclass, c.oid, 'e')
	JOIN pg_extension AS x ON x.oid = d.refobjid AND x.extname = 'changemgmt'
	WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped$$,
	$$SELECT relation, column_name FROM ground UNION SELECT relation, column_name FROM expected
	-- rights_matrix.sql shows that nobody writes bookings by hand
	UNION SELECT r::text, attname FROM unnest('{booking,ledger,load,ledger_checkpoint,ledger_checkpoint_head}'::text[]) AS r, pg_attribute
		WHERE attrelid = ('changemgmt.' || r)::regclass AND attnum > 0 AND NOT attisdropped$$,
	'it is said of every column of every table what may become of it');
CREATE TEMP TABLE ground_row (relation text, id bigint);
SELECT format('INSERT INTO ground_row SELECT %L, max(id) FROM changemgmt.%I', relation, relation)
FROM (SELECT DISTINCT relation FROM ground) AS g \gexec
SELECT is_empty('SELECT relation FROM ground_row WHERE id IS NULL', 'each of these tables has a row');
SELECT matches(pg_temp.fate(r.role, format('UPDATE changemgmt.%I SET %I = %s WHERE id = %s', relation, column_name, value, w.id),
		relation, w.id, column_name, value, relation, w.id), '^(' || expected || ')$',
	format('UPDATE of %s.%s by %s', relation, column_name, CASE r.role WHEN 'regress_walker' THEN r.role ELSE 'a superuser' END))
FROM ground JOIN ground_row AS w USING (relation) CROSS JOIN unnest(ARRAY[current_user::text, 'regress_walker']) AS r (role)
WHERE actor IS NULL
ORDER BY relation, column_name;
SELECT pg_temp.act('lead') \g /dev/null
SELECT matches(pg_temp.fate(r.role, format('UPDATE changemgmt.%I SET %I = %s WHERE id = %s', relation, column_name, value, w.id),
		relation, w.id, column_name, value, relation, w.id), '^(' || expected || ')$',
	format('UPDATE of %s.%s by %s', relation, column_name, CASE r.role WHEN 'regress_walker' THEN r.role ELSE 'a superuser' END))
FROM ground JOIN ground_row AS w USING (relation) CROSS JOIN unnest(ARRAY[current_user::text, 'regress_walker']) AS r (role)
WHERE actor = 'lead'
ORDER BY relation, column_name;
RESET changemgmt.actor;

-- The trail itself: nothing, by nobody

SELECT is(pg_temp.fate(r.role, format('UPDATE changemgmt.%I SET %I = %I', c.relname, a.attname, a.attname), 'board', 1, 'id', '1', 'board', 1),
	'MC006', format('UPDATE of %s.%s by %s', c.relname, a.attname, CASE r.role WHEN 'regress_walker' THEN r.role ELSE 'a superuser' END))
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid CROSS JOIN unnest(ARRAY[current_user::text, 'regress_walker']) AS r (role)
WHERE c.oid IN ('changemgmt.ledger'::regclass, 'changemgmt.load'::regclass, 'changemgmt.ledger_checkpoint'::regclass, 'changemgmt.ledger_checkpoint_head'::regclass)
	AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum;

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole in the end');
SELECT * FROM finish();
ROLLBACK;
