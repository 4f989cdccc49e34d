# Changes of every model in every status, walked there by the verbs, for tests
# of what has to keep them.
#
#   use TestChanges;
#   TestChanges::populate($server, 'db');       # creates the extension, too
#   my $rows = TestChanges::content($server, 'db');
#   TestChanges::go_on($server, 'db');          # each takes a next step
#   my $answers = TestChanges::reads($server, 'db');    # views and functions
#
# populate($server, 'db', version => '1.0') does it in an older version of the
# extension; so what newer versions have is left out with a version given.
package TestChanges;

use strict;
use warnings;

# People, models, and functions that take steps by whose turn it is.
sub prepare
{
	my ($server, $db, %opt) = @_;
	$server->sql('CREATE EXTENSION changemgmt' . ($opt{version} ? " VERSION '$opt{version}'" : ''), db => $db);
	$server->sql(<<'EOSQL', db => $db);
SELECT changemgmt.add_person(login) FROM unnest(ARRAY[
    'otto', 'ivan', 'vera', 'ann', 'ben', 'cleo', 'mona']) AS login;
SELECT changemgmt.add_person('exec', 'Zoë "Boss" \', 'contractor', 'z@example.org', is_executive => true);
SELECT changemgmt.add_team('dba', 'ann', ARRAY['ivan']);
SELECT changemgmt.add_board('cab', 'weekly');
SELECT changemgmt.add_board_member('cab', login) FROM unnest(ARRAY['ann', 'ben', 'cleo']) AS login;
SELECT changemgmt.add_board_member('cab', 'mona', 'change_manager', now() - interval '1 day', 'infinity');
SELECT changemgmt.add_ci('host', 'host', 2);
DO 'BEGIN CREATE ROLE regress_duty; EXCEPTION WHEN duplicate_object THEN NULL; END';
DO $$BEGIN IF to_regclass('changemgmt.role_duty') IS NOT NULL THEN PERFORM changemgmt.grant_role('regress_duty', 'viewer'); END IF; END$$;
SELECT changemgmt.add_ci('db', 'database', 1, 'ann', '15', '2027-11-11', depends_on => ARRAY['host']);
DO $$BEGIN IF to_regclass('changemgmt.change_window') IS NOT NULL THEN
    PERFORM changemgmt.set_ci('db', tags => '{pci,tax}');
    PERFORM changemgmt.declare_blackout('audit', starts_at => '2001-01-01', ends_at => '2001-02-01', enforcement => 'soft', ci => 'host', reason => 'It''s audited');
    PERFORM changemgmt.add_maintenance_window('laboratory', 'DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH', environment => 'development', model => 'major', tag => 'pci');
    PERFORM changemgmt.remove_window('audit');
    PERFORM changemgmt.declare_blackout('audit', starts_at => '2001-01-01', ends_at => '2001-02-01', ci => 'host', covers_dependents => false);
END IF; END$$;
DO $$BEGIN IF to_regclass('changemgmt.holiday') IS NOT NULL THEN
    PERFORM changemgmt.create_business_calendar('works', 'Europe/Berlin', 'MO-FR 09:00-12:00,13:00-24:00', 'It''s "ours"');
    PERFORM changemgmt.add_holiday('works', '2026-05-01'), changemgmt.add_holiday('works', '2026-12-25', 'Weihnachten, "Zoë"');
END IF; END$$;
DO $$BEGIN IF to_regclass('changemgmt.approval_delegation') IS NOT NULL THEN
    PERFORM set_config('changemgmt.actor', 'ben', true);
    PERFORM changemgmt.revoke_delegation(changemgmt.delegate_approval('vera', now(), now() + interval '1 hour'));
    PERFORM changemgmt.delegate_approval('vera', now(), now() + interval '9 years', 'cab', reason => 'On "leave", it''s over soon');
END IF; END$$;
SELECT changemgmt.set_setting('number_prefix', 'RFC');
CREATE FUNCTION public.always_met(change_id bigint) RETURNS text STABLE LANGUAGE sql AS 'SELECT NULL::text';
CREATE FUNCTION public.half(change_id bigint) RETURNS numeric STABLE LANGUAGE sql AS 'SELECT 0.5';
DO $$BEGIN IF to_regclass('changemgmt.site_risk_factor') IS NOT NULL THEN
    PERFORM changemgmt.register_risk_factor('half', 'public.half(bigint)', 1);
    PERFORM changemgmt.publish_risk_matrix('ours', (SELECT jsonb_agg('["low", "low", "medium", "high", "critical"]'::jsonb) FROM generate_series(1, 5)));
END IF; END$$;
SELECT changemgmt.register_requirement('ours', 'public.always_met(bigint)', ARRAY['plan'], 'ours', 'nothing to do');
SELECT changemgmt.publish_model('ours', '{"base": "normal", "notice_business_days": 0,
    "approval": {"policy": "board", "board": "cab", "needed": 1}, "validations": []}');
DO $$BEGIN IF to_regclass('changemgmt.approval_policy') IS NOT NULL THEN PERFORM changemgmt.set_approval_policy('rare',
    '[{"rule": "seats", "board": "cab", "seats": ["change_manager", "member"]}, {"rule": "percent", "board": "cab", "percent": 60},
      {"rule": "one", "person": "ann"}]', 'ours', 'major', 'critical', 'test', 1, true, false); END IF; END$$;
DO $$BEGIN IF to_regclass('changemgmt.risk_model') IS NOT NULL THEN
    PERFORM changemgmt.fit_risk_model('SELECT n % 7 AS "siz""e", n * 5 % 11 < n % 7 AS failed, timestamptz ''2026-01-01 12:00+00'' + n * interval ''1 day'' AS at'
        ' FROM generate_series(1, 200) AS n', '{"siz\"e"}', at => 'at', against => 'siz"e');
    PERFORM changemgmt.activate_risk_model(1);
    PERFORM changemgmt.fit_risk_model('SELECT n % 7 AS x, n * 5 % 11 < n % 7 AS failed FROM generate_series(1, 200) AS n', '{x}', ridge => 0.1);
END IF; END$$;
SELECT changemgmt.publish_model('retired', '{"base": "lean_normal"}');
SELECT changemgmt.retire_model('retired');

CREATE FUNCTION public.act(who text) RETURNS void LANGUAGE sql AS
    $$ SELECT set_config('changemgmt.actor', who, false) $$;

-- Takes one step, by whose turn it is; a step that the model does not know in
-- this status is left out.
CREATE FUNCTION public.step(change_id bigint, step text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    status text := (SELECT c.status FROM changemgmt.change AS c WHERE c.id = change_id);
    voter text;
BEGIN
    PERFORM public.act('otto');
    CASE step
    WHEN 'triage' THEN PERFORM changemgmt.triage(change_id, 'mona', 'otto', 'dba', 'high', 2.5);
    WHEN 'plan' THEN PERFORM changemgmt.plan(change_id);
    WHEN 'submit' THEN PERFORM changemgmt.submit(change_id);
    WHEN 'hold' THEN PERFORM changemgmt.hold(change_id, 'later');
    WHEN 'cancel' THEN PERFORM changemgmt.cancel(change_id, 'not needed');
    WHEN 'revise' THEN PERFORM changemgmt.revise(change_id);
    WHEN 'edit' THEN PERFORM changemgmt.edit_change(change_id, '{"rollback_minutes": 77}');
    WHEN 'vote', 'approve', 'reject', 'defer' THEN
        FOREACH voter IN ARRAY ARRAY['ann', 'ben', 'cleo'] LOOP
            EXIT WHEN (SELECT c.status FROM changemgmt.change AS c WHERE c.id = change_id) <> 'awaiting_approval';
            PERFORM public.act(voter);
            CASE step WHEN 'reject' THEN PERFORM changemgmt.reject(change_id, 'too risky');
            WHEN 'defer' THEN PERFORM changemgmt.defer(change_id, 'test it first');
            ELSE PERFORM changemgmt.approve(change_id); END CASE;
            EXIT WHEN step = 'vote';
        END LOOP;
    WHEN 'abstain' THEN
        IF status = 'awaiting_approval' THEN
            PERFORM public.act('ben');
            BEGIN
                PERFORM changemgmt.abstain(change_id, 'not my field');
            EXCEPTION WHEN SQLSTATE 'MC003' THEN
                NULL; -- no member of who decides
            END;
        END IF;
    WHEN 'schedule' THEN
        IF status = 'approved' AND EXISTS (SELECT FROM changemgmt.next_steps(change_id) AS n WHERE n.verb = 'schedule') THEN
            PERFORM changemgmt.schedule(change_id);
        END IF;
    WHEN 'start' THEN
        PERFORM public.act('ivan');
        PERFORM changemgmt.start(change_id);
    WHEN 'tasks' THEN
        PERFORM public.act('ivan');
        PERFORM changemgmt.complete_task(t.id) FROM changemgmt.change_task AS t
            WHERE t.change_id = step.change_id AND t.title = 'step 1';
        PERFORM changemgmt.skip_task(t.id, 'not needed') FROM changemgmt.change_task AS t
            WHERE t.change_id = step.change_id AND t.title = 'step 2';
    WHEN 'complete' THEN
        PERFORM public.act('ivan');
        PERFORM changemgmt.complete(change_id);
    WHEN 'resume_work' THEN
        PERFORM public.act('ivan');
        PERFORM changemgmt.resume_work(change_id, 'one more thing');
    WHEN 'check' THEN
        PERFORM public.act('vera');
        PERFORM changemgmt.record_check(k.id, true, 'fine') FROM changemgmt.change_check AS k
            WHERE k.change_id = step.change_id;
    WHEN 'pass' THEN
        PERFORM public.act('vera');
        PERFORM changemgmt.pass(change_id, 'seen');
    WHEN 'issues' THEN
        PERFORM public.act('vera');
        PERFORM changemgmt.pass(change_id, 'seen', 'slow, but bearable');
    WHEN 'fail' THEN
        PERFORM public.act('ivan');
        PERFORM changemgmt.fail(change_id, 'broken', 'repaired by hand');
    WHEN 'roll_back' THEN
        PERFORM public.act('ivan');
        PERFORM changemgmt.begin_rollback(change_id);
        PERFORM changemgmt.roll_back(change_id, 'errors', 'testing');
    WHEN 'abort' THEN
        PERFORM public.act('ivan');
        PERFORM changemgmt.abort(change_id, 'no access');
    WHEN 'stable' THEN
        PERFORM public.act('vera');
        PERFORM changemgmt.confirm_stability(change_id);
    WHEN 'close' THEN
        PERFORM public.act('otto');
        PERFORM public.owed(change_id);
        PERFORM changemgmt.close(change_id);
    END CASE;
END $$;

-- What an emergency owes, and what a change that was found does; 1.0 has none of it.
CREATE FUNCTION public.owed(of_change bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    what record;
BEGIN
    IF to_regclass('changemgmt.duty') IS NULL THEN RETURN; END IF;
    IF NOT EXISTS (SELECT FROM changemgmt.duty AS d WHERE d.change_id = of_change AND d.kind = 'full_record') THEN RETURN; END IF;
    PERFORM changemgmt.edit_change(of_change, '{"justification": "why", "user_impact": "none", "risk_level": "high",
        "rollback_trigger": "errors", "rollback_plan": "back", "rollback_minutes": 5, "verification_plan": "look"}');
    IF EXISTS (SELECT FROM changemgmt.duty AS d WHERE d.change_id = of_change AND d.kind = 'post_mortem') THEN
        PERFORM changemgmt.review_change(of_change, 'post_mortem', causes => 'a leak', lessons => 'look', actions => 'a patch');
    END IF;
    FOR what IN SELECT d.id, d.kind FROM changemgmt.duty AS d
        WHERE d.change_id = of_change AND d.done_at IS NULL AND d.cancelled_at IS NULL ORDER BY d.id
    LOOP
        PERFORM public.act(CASE what.kind WHEN 'authoriser_confirmation' THEN 'exec' WHEN 'independent_review' THEN 'cleo' ELSE 'otto' END);
        PERFORM changemgmt.complete_duty(what.id, 'It''s done.');
    END LOOP;
    PERFORM public.act('otto');
END $$;

CREATE FUNCTION public.walk(model text, steps text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
    step text;
BEGIN
    PERFORM public.act('otto');
    IF model LIKE '%emergency' THEN
        SELECT d.id INTO made FROM changemgmt.declare_emergency('down: ' || steps, 'INC-' || md5(model || steps),
            'exec', 'production_down', 'what', 'otto', ARRAY['db'], model) AS d;
    ELSIF model = 'latent' THEN
        SELECT d.id INTO made FROM changemgmt.record_unauthorized('found: ' || steps, 'audit', now() - interval '3 days',
            now() - interval '2 days', 'what', 'otto', 'ivan', ARRAY['db']) AS d;
    ELSE
        SELECT c.id INTO made FROM changemgmt.create_change_from(jsonb_build_object(
            'model', model, 'title', E'Ünïcode \\ "title" ' || steps, 'description', E'tab\tline\nline\\.\n\\N',
            'justification', 'why', 'user_impact', 'none', 'owner', 'otto', 'team', 'dba', 'risk_level', 'high',
            'items', '[{"ci": "db", "version_after": "16"}, "host"]'::jsonb,
            'risks', '[{"description": "it breaks", "likelihood": "low", "impact": "high"}]'::jsonb,
            'tasks', '["step 1", {"title": "step 2", "object_kind": "schema", "object_name": "public"}]'::jsonb,
            'checks', '["health"]'::jsonb, 'rollback_trigger', 'errors', 'rollback_plan', 'back',
            'rollback_minutes', 5, 'affects', '["clients", "internal_staff"]'::jsonb, 'cost_planned', 12.50,
            'attributes', '{"n": 1e400, "deep": [{"a": null}]}'::jsonb,
            'source', 'test', 'source_key', model || ' ' || steps,
            'planned_start', now() - interval '1 hour', 'planned_end', now() + interval '1 hour')) AS c;
        IF model IN ('normal', 'major') THEN
            PERFORM public.act('mona');
            PERFORM changemgmt.waive(made, 'notice', 'agreed');
        END IF;
    END IF;
    FOREACH step IN ARRAY coalesce(regexp_split_to_array(nullif(steps, ''), ' +'), '{}') LOOP
        PERFORM public.step(made, step);
    END LOOP;
    PERFORM public.act('cleo');
    PERFORM changemgmt.add_comment(made, E'a remark\twith a tab');
    RETURN (SELECT c.status FROM changemgmt.change AS c WHERE c.id = made);
END $$;
EOSQL
	return;
}

# There are many changes of the same items at a time.
sub share
{
	my ($server, $db) = @_;
	return $server->sql(<<'EOSQL', db => $db);
DO $$BEGIN IF to_regclass('changemgmt.booking') IS NOT NULL THEN
    PERFORM changemgmt.set_ci(ci, is_exclusive => false) FROM unnest('{host,db}'::text[]) AS ci;
    PERFORM changemgmt.set_setting('conflict_depth', '0');
END IF; END$$;
EOSQL
}

# No table of the extension is empty after that.
sub populate
{
	my ($server, $db, %opt) = @_;
	prepare($server, $db, %opt);
	share($server, $db);
	$server->sql(<<'EOSQL', db => $db);
CREATE TABLE public.way (place serial, model text, steps text);
INSERT INTO public.way (model, steps)
SELECT m, w FROM unnest(ARRAY['standard', 'normal', 'major', 'lean_standard', 'lean_normal', 'ours']) AS m,
    unnest(ARRAY['', 'triage', 'hold', 'cancel', 'plan', 'plan hold', 'plan submit', 'plan submit vote', 'plan submit abstain',
        'plan submit reject', 'plan submit defer', 'plan submit approve', 'plan submit approve schedule',
        'plan submit approve schedule edit', 'plan submit approve revise',
        'plan submit approve schedule start', 'plan submit approve schedule start abort',
        'plan submit approve schedule start tasks complete', 'plan submit approve schedule start tasks complete resume_work',
        'plan submit approve schedule start tasks complete check pass',
        'plan submit approve schedule start tasks complete check issues',
        'plan submit approve schedule start fail', 'plan submit approve schedule start tasks complete fail stable close',
        'plan submit approve schedule start roll_back', 'plan submit approve schedule start tasks complete check pass roll_back',
        'plan submit approve schedule start tasks complete roll_back stable close']) AS w
UNION ALL
SELECT m, w FROM unnest(ARRAY['standard', 'lean_standard', 'lean_normal', 'ours']) AS m,
    unnest(ARRAY['plan submit approve schedule start tasks complete check pass close']) AS w
UNION ALL
SELECT m, w FROM unnest(ARRAY['emergency', 'lean_emergency']) AS m,
    unnest(ARRAY['', 'abort', 'complete', 'complete pass', 'fail', 'roll_back', 'roll_back stable close', 'complete fail stable close']) AS w
UNION ALL
SELECT 'latent', w FROM unnest(ARRAY['', 'roll_back', 'close']) AS w;
SELECT format('SELECT public.walk(%L, %L)', model, steps) FROM public.way ORDER BY place \gexec

-- what a change is connected with
SELECT public.act('otto');
SELECT changemgmt.copy_change(id) FROM changemgmt.change WHERE status = 'closed' AND model = 'lean_normal' LIMIT 1;
SELECT changemgmt.link_change(a.id, relation, b.id)
FROM (SELECT max(id) AS id FROM changemgmt.change) AS a, (SELECT min(id) AS id FROM changemgmt.change) AS b,
    unnest(ARRAY['parent', 'depends_on', 'remediates']) AS relation;
SELECT changemgmt.link_change(max(id), 'commit', target => 'abc123', occurred_at => now() - interval '2 days') FROM changemgmt.change;
SELECT public.act('mona');
SELECT changemgmt.confirm_cause('INC-4711', min(id)), changemgmt.confirm_cause('INC-4712', max(id), false)
FROM changemgmt.change WHERE status = 'closed';
DO $$BEGIN IF to_regclass('changemgmt.incident_item') IS NOT NULL THEN
    PERFORM changemgmt.add_incident_item('INC-4711', 'db');
END IF; END$$;
DO $$
DECLARE
    meeting bigint;
BEGIN
    IF to_regclass('changemgmt.board_meeting') IS NULL THEN RETURN; END IF;
    PERFORM changemgmt.set_board_cadence('cab', 'DTSTART;TZID=Europe/Berlin:20260108T100000 DURATION:PT1H RRULE:FREQ=WEEKLY;BYDAY=TH', 1, 'room "2"');
    PERFORM changemgmt.plan_meetings('cab', now() + interval '1 month');
    meeting := changemgmt.call_emergency_meeting('cab', 'It''s urgent');
    PERFORM changemgmt.add_to_agenda(meeting, min(id), 1) FROM changemgmt.change WHERE status = 'awaiting_approval' AND model = 'ours' AND NOT on_hold;
    PERFORM changemgmt.hold_meeting(meeting, '{mona,vera}');
    PERFORM changemgmt.record_minute(meeting, min(id), 'We said "no"') FROM changemgmt.change WHERE status = 'awaiting_approval' AND model = 'ours';
    PERFORM changemgmt.close_meeting(meeting, 'All said.');
END $$;
DO $$BEGIN IF to_regclass('changemgmt.duty') IS NOT NULL THEN
    PERFORM changemgmt.complete_duty((changemgmt.assign_duty(max(id), 'steering_report', 'Say how "far" it is', 'ann', now() + interval '1 day', 10080)).id, 'half')
    FROM changemgmt.change WHERE status = 'in_progress';
END IF; END$$;
DO $$
BEGIN
    IF to_regclass('changemgmt.change_communication') IS NULL THEN RETURN; END IF;
    PERFORM changemgmt.add_communication(min(id), 'before', 'internal "staff"', 'email', E'Soon,\nvery soon') FROM changemgmt.change WHERE status = 'draft';
    PERFORM changemgmt.post_update(max(id), 'Half way') FROM changemgmt.change WHERE status = 'in_progress';
    PERFORM changemgmt.review_change(max(id), 'post_mortem', causes => 'a disk', lessons => 'two disks', actions => 'buy one')
        FROM changemgmt.change WHERE outcome = 'failed';
END $$;
-- history from before the extension, and a draft that was deleted
COPY changemgmt.change (id, title, model, type, status, outcome, requester_id, actual_start, actual_end, created_at) FROM stdin;
100001	history	normal	normal	closed	successful	1	2020-01-01 10:00+00	2020-01-01 11:00+00	2019-12-24 00:00+00
\.
SELECT public.act('otto');
SELECT id AS never_mind FROM changemgmt.create_change('never mind') \gset
DELETE FROM changemgmt.change WHERE id = :never_mind;
-- a vote that somebody else may give
DO $$
BEGIN
    IF to_regclass('changemgmt.approval_delegation') IS NULL THEN RETURN; END IF;
    PERFORM public.act('ben');
    EXECUTE $q$SELECT changemgmt.delegate_approval('vera', now(), now() + interval '1 week', reason => 'It''s a holiday')$q$;
    PERFORM public.act('otto');
END $$;
-- a template that was voted on
DO $$
DECLARE
    made bigint;
    step text;
BEGIN
    IF to_regclass('changemgmt.template_proposal') IS NULL THEN RETURN; END IF;
    EXECUTE $q$SELECT id FROM changemgmt.propose_template((SELECT max(id) FROM changemgmt.change WHERE outcome = 'successful' AND model = 'ours'),
        'proposed', model => 'ours', owner => 'otto', planned_start => now(), planned_end => now() + interval '1 hour')$q$ INTO made;
    FOREACH step IN ARRAY '{plan,submit,approve}'::text[] LOOP
        PERFORM public.step(made, step);
    END LOOP;
    PERFORM public.act('ivan');
    EXECUTE 'SELECT changemgmt.publish_template($1)' USING made;
END $$;
EOSQL
	return;
}

# A line a model: its key and the statuses that its changes are in.
sub statuses
{
	my ($server, $db) = @_;
	return $server->sql(<<'EOSQL', db => $db);
SELECT m.key, string_agg(DISTINCT c.status, ',' ORDER BY c.status)
FROM (SELECT DISTINCT key, definition FROM changemgmt.model WHERE retired_at IS NULL) AS m
JOIN changemgmt.change AS c ON c.model = m.key
GROUP BY m.key ORDER BY m.key
EOSQL
}

# What statuses() has to say of a populated database.
sub all_statuses
{
	my $walked = 'approved,awaiting_approval,cancelled,closed,draft,implemented,in_progress,planned,rejected,rolled_back';
	my $pre_approved = $walked =~ s/awaiting_approval,|,rejected//gr;
	my $emergency = 'cancelled,closed,implemented,in_progress,rolled_back,verifying';
	return join "\n",
		"emergency|$emergency", "latent|closed,implemented,rolled_back", "lean_emergency|$emergency",
		"lean_normal|$walked,verifying", "lean_standard|$pre_approved,verifying",
		"major|$walked,scheduled,verifying", "normal|$walked,scheduled,verifying",
		"ours|$walked,scheduled,verifying", "standard|$pre_approved,scheduled,verifying";
}

# The tables and sequences of the extension.
sub tables
{
	my ($server, $db) = @_;
	return split /\n/, $server->sql(<<'EOSQL', db => $db);
SELECT c.oid::regclass FROM pg_class AS c
JOIN pg_depend AS d ON (d.classid, d.objid, d.deptype) = ('pg_class'::regclass, c.oid, 'e')
JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'changemgmt'
WHERE c.relkind IN ('r', 'S') ORDER BY 1
EOSQL
}

# All rows of all tables but those left out; a row's line is its COPY text, so
# that nothing is rounded or left out.
sub content
{
	my ($server, $db, @without) = @_;
	my %content;
	my %without = map { $_ => 1 } @without;
	my @tables = grep { !$without{$_} } tables($server, $db);
	# one session: COPY prints the rows, the lines between tell the tables
	my $text = $server->sql(
		join('', map {
				my $what = /_seq$/ ? "SELECT last_value, is_called FROM $_" : "TABLE $_";
				"\\echo === $_\nCOPY ($what) TO STDOUT;\n" } @tables), db => $db);
	my $table;
	for my $line (split /\n/, $text)
	{
		if ($line =~ /^=== (\S+)$/) { $table = $1; $content{$table} = [] }
		else { push @{ $content{$table} }, $line }
	}
	return { map { $_ => join "\n", sort @{ $content{$_} } } keys %content };
}

# What a viewer may call, with arguments: c is every change, r some rates.
my %reads = (
	'acting_person()'                                      => '',
	'add_business_days(timestamp with time zone,integer)'  => "'2026-01-01 12:00+00', 5",
	'add_business_days(timestamp with time zone,integer,text)' => "'2026-01-01 12:00+00', 5, coalesce((SELECT max(name) FROM changemgmt.business_calendar), 'default')",
	'approval_state(bigint)'                               => 'c.id',
	'approval_levels(bigint)'                              => 'c.id',
	'approval_policy_of(bigint)'                           => 'c.id',
	'approval_tally(bigint)'                               => 'c.id',
	'approval_waiting(bigint)'                             => 'c.id',
	'auc(double precision,boolean)'                        => "c.id % 7, c.outcome = 'failed'",
	'brier(double precision,boolean)'                      => "0.25, c.outcome = 'failed'",
	'brier_accum(bigint[],double precision,boolean)'       => "'{0,0,0}', 0.25, true",
	'brier_accum_inv(bigint[],double precision,boolean)'   => "'{3,1,4611686018427387903}', 0.5, true",
	'brier_combine(bigint[],bigint[])'                     => "'{2,1,5}', '{1,0,7}'",
	'brier_final(bigint[])'                                => "'{2,1,5}'",
	'risk_fit_round_combine(double precision[],double precision[])' => "'{1,1,0,0,0,0,0,0,0}', '{1,1,1,2,3,4,5,6,7}'",
	'risk_fit_summary_combine(double precision[],double precision[])' => "'{1,1,0,0,0,1,0,1,1}', '{1,2,1,0,0,3,2,2,4}'",
	'risk_fit_probability(double precision[],"any")'       => "'{-1,2,3,1}', 4::float8",
	'risk_fit_round(double precision[],boolean,"any")'     => "'{-1,2,3,1}', c.outcome = 'failed', c.id::float8",
	'risk_fit_round_accum(double precision[],double precision[],boolean,"any")' => "NULL, '{-1,2,3,1}', true, 4::float8",
	'risk_fit_summary(boolean,"any")'                      => "c.outcome = 'failed', c.id::float8",
	'risk_fit_summary_accum(double precision[],boolean,"any")' => "NULL, true, 4::float8",
	'risk_model_predict(integer,jsonb)'                    => q(1, '{"siz\"e": 3}'),
	'board_id(text)'                                       => "'cab'",
	'business_calendar_id(text)'                           => '(SELECT max(name) FROM changemgmt.business_calendar)',
	'business_days_between(timestamp with time zone,timestamp with time zone,text)' => "'2026-01-01 12:00+00', '2026-07-01 12:00+00', coalesce((SELECT max(name) FROM changemgmt.business_calendar), 'default')",
	'business_duration(timestamp with time zone,timestamp with time zone,text)' => "'2026-01-01 12:00+00', '2026-07-01 12:00+00', coalesce((SELECT max(name) FROM changemgmt.business_calendar), 'default')",
	'change_as_of(bigint,timestamp with time zone)'        => 'c.id, c.updated_at',
	'change_calendar(timestamp with time zone,timestamp with time zone,boolean)' => "'2026-01-01', '2027-01-01'",
	'change_conflicts(bigint)'                             => 'c.id',
	'change_document(bigint,timestamp with time zone)'     => 'c.id, c.created_at',
	'change_failure_rate(boolean)'                         => "c.outcome = 'failed'",
	'change_header(bigint)'                                => 'c.id',
	'change_id(text)'                                      => 'changemgmt.change_number(c.id)',
	'change_is_possible(changemgmt.change)'                => 'c',
	'change_number(bigint)'                                => 'c.id',
	'change_state(bigint)'                                 => 'c.id',
	'changes_near(text,timestamp with time zone,interval,integer)' => "'db', '2100-01-01', '366 days', 10",
	'ci_id(text)'                                          => "'db'",
	'code_list()'                                          => '',
	'denominator(changemgmt.rate)'                         => 'r.a',
	'doctor(boolean)'                                      => 'true',
	'duty_rights()'                                        => '',
	'earliest_start(bigint)'                               => 'c.id',
	'field_class()'                                        => '',
	'hidden_assessments()'                                 => '',
	'hidden_causes()'                                      => '',
	'hidden_changes()'                                     => '',
	'hidden_duties()'                                      => '',
	'model_validations(text,integer)'                      => 'c.model, c.model_version',
	'plan_missing(bigint)'                                 => 'c.id',
	'ics_event(text,timestamp with time zone,timestamp with time zone,timestamp with time zone,text,text,text,text,boolean,bigint)'
		=> "c.id::text, c.created_at, c.created_at, c.updated_at, c.title, c.description, c.type, c.status, true, c.revision",
	'ics_range(timestamp with time zone,timestamp with time zone)' => "'2026-01-01', '2027-01-01'",
	'hidden_items(text)'                                   => "'meeting_minute'",
	'library_version()'                                    => '',
	'merkle_root(bytea[])'                                 => "ARRAY[changemgmt.row_digest(c)]",
	'next_meeting(text)'                                   => "'cab'",
	'next_steps(bigint)'                                   => 'c.id',
	'next_windows(text,interval,timestamp with time zone,integer,boolean,text,text)' => "'db', '1 hour', '2100-01-01', 5, true, 'development', 'major'",
	'numerator(changemgmt.rate)'                           => 'r.a',
	'open_windows(text,tstzrange,text,text,text[])'        => "'db', '[2026-07-01 00:00+00,2026-07-15 00:00+00)', 'development', 'major'",
	'person_id(text)'                                      => "'otto'",
	'rate(bigint,bigint)'                                  => '2, 10',
	'rate_accum(changemgmt.rate,boolean)'                  => 'r.a, true',
	'rate_accum_inv(changemgmt.rate,boolean)'              => 'r.a, false',
	'rate_add(changemgmt.rate,changemgmt.rate)'            => 'r.a, r.b',
	'rate_cmp(changemgmt.rate,changemgmt.rate)'            => 'r.a, r.b',
	'rate_combine(changemgmt.rate,changemgmt.rate)'        => 'r.a, r.b',
	'rate_combine_inv(changemgmt.rate,changemgmt.rate)'    => 'r.b, r.a',
	'rate_eq(changemgmt.rate,changemgmt.rate)'             => 'r.a, r.b',
	'rate_ge(changemgmt.rate,changemgmt.rate)'             => 'r.a, r.b',
	'rate_gt(changemgmt.rate,changemgmt.rate)'             => 'r.a, r.b',
	'rate_hash(changemgmt.rate)'                           => 'r.a',
	'rate_hash_extended(changemgmt.rate,bigint)'           => 'r.a, 1',
	'rate_in(cstring)'                                     => "'2/10'",
	'rate_le(changemgmt.rate,changemgmt.rate)'             => 'r.a, r.b',
	'rate_lt(changemgmt.rate,changemgmt.rate)'             => 'r.a, r.b',
	'rate_ne(changemgmt.rate,changemgmt.rate)'             => 'r.a, r.b',
	'rate_out(changemgmt.rate)'                            => 'r.a',
	'rate_send(changemgmt.rate)'                           => 'r.a',
	'rate_subtract(changemgmt.rate,changemgmt.rate)'       => 'r.b, r.a',
	'rate_sum(changemgmt.rate)'                            => 'r.a',
	'rate_to_double(changemgmt.rate)'                      => 'r.a',
	'rate_to_numeric(changemgmt.rate)'                     => 'r.a',
	'contains(changemgmt.recurrence,timestamp with time zone)' => "q.a, '2026-07-07 00:30+00'",
	'next_occurrence(changemgmt.recurrence,timestamp with time zone)' => "q.a, '2026-07-07 00:30+00'",
	'occurrences(changemgmt.recurrence,tstzrange)'          => "q.a, '[2026-07-01,2026-08-01)'",
	'recurrence_cmp(changemgmt.recurrence,changemgmt.recurrence)' => 'q.a, q.b',
	'recurrence_eq(changemgmt.recurrence,changemgmt.recurrence)' => 'q.a, q.b',
	'recurrence_ge(changemgmt.recurrence,changemgmt.recurrence)' => 'q.a, q.b',
	'recurrence_gt(changemgmt.recurrence,changemgmt.recurrence)' => 'q.a, q.b',
	'recurrence_hash(changemgmt.recurrence)'                => 'q.a',
	'recurrence_hash_extended(changemgmt.recurrence,bigint)' => 'q.a, 1',
	'recurrence_in(cstring)'                                => "'DTSTART:20260106T020000Z DURATION:PT2H'",
	'recurrence_le(changemgmt.recurrence,changemgmt.recurrence)' => 'q.a, q.b',
	'recurrence_lt(changemgmt.recurrence,changemgmt.recurrence)' => 'q.a, q.b',
	'recurrence_ne(changemgmt.recurrence,changemgmt.recurrence)' => 'q.a, q.b',
	'recurrence_out(changemgmt.recurrence)'                 => 'q.a',
	'recurrence_send(changemgmt.recurrence)'                => 'q.a',
	'requirement_list()'                                   => '',
	'policy_backtest(text,timestamp with time zone,timestamp with time zone)' => "'level >= high'",
	'risk_explain(bigint)'                                 => 'c.id',
	'risk_level(bigint)'                                   => 'c.id',
	'risk_probability(bigint)'                             => 'c.id',
	'risk_score(bigint)'                                   => 'c.id',
	'risk_summary(bigint)'                                 => 'c.id',
	'risk_what_if(bigint,jsonb)'                           => "c.id, '{\"touches_security\": true}'",
	'row_digest(record)'                                   => 'c',
	'setting_value(text)'                                  => "'number_prefix'",
	'shipped_functions()'                                  => '',
	'shipped_checklist()'                                  => '',
	'shipped_models()'                                     => '',
	'shipped_risk_factors()'                               => '',
	'shipped_risk_matrices()'                              => '',
	'site_risk_matrix_cells(jsonb)'                        => "'[]'",
	'shipped_settings()'                                   => '',
	'shipped_tables()'                                     => '',
	'shipped_triggers()'                                   => '',
	'suggest_windows(bigint,integer)'                      => 'c.id',
	'suspect_changes(text,integer)'                        => "(SELECT min(reference) FROM changemgmt.incident), 1000",
	'team_id(text)'                                        => "'dba'",
	'template_record(text,integer)'                         => "'ours', 1",
	'verify_checkpoint(text,text,bigint)'                  => "repeat('0', 64)",
	'verify_ledger(text,bigint)'                           => '',
	'what_the_board_saw(bigint)'                           => 'c.id',
	'why_not(bigint,text)'                                 => "c.id, 'start'",
	'window_id(text)'                                      => "'audit'",
	'window_state(text,timestamp with time zone,text,text,text[])' => "'db', '2026-07-07 00:30+00', 'development', 'major'",
	'doctor(boolean)'                                      => 'true',
	'library_version()'                                    => '',
	'shipped_tables()'                                     => '',
	'wilson_high(changemgmt.rate,double precision)'        => 'r.a, 0.95',
	'wilson_low(changemgmt.rate,double precision)'         => 'r.a, 0.95',
);

# These also depend on the clock: only whether there is an answer is kept.
my %by_clock = map { $_ => ' IS NULL' } 'earliest_start(bigint)', 'suggest_windows(bigint,integer)',
	'risk_explain(bigint)', 'risk_level(bigint)', 'risk_probability(bigint)', 'risk_score(bigint)', 'risk_summary(bigint)', 'risk_what_if(bigint,jsonb)',
	'change_calendar(timestamp with time zone,timestamp with time zone,boolean)';

# The functions that a duty gives and another one does not, by their types.
# Functions for the server itself (internal) can't be called.
sub functions
{
	my ($server, $db, $duty, $without) = @_;
	return split /\n/, $server->sql(<<"EOSQL", db => $db);
SET search_path = pg_catalog;
SELECT replace(d.object, 'pg_catalog.', '') COLLATE "C" AS f FROM changemgmt.duty_rights() AS d
WHERE d.duty = '$duty' AND d.privilege = 'EXECUTE' AND d.object NOT LIKE '%internal%'
  AND NOT EXISTS (SELECT FROM changemgmt.duty_rights() AS o WHERE o.duty = '$without' AND o.object = d.object)
ORDER BY f
EOSQL
}

# Every view and every function that only looks, with what it answers to a role
# that may ask (default: the superuser).  A function that has no arguments above answers
# undef.  Ages are left out, and sums of floating point may differ in their last
# digits.
sub reads
{
	my ($server, $db, $role) = @_;
	my (%answers, $name);
	$role ||= 'postgres';
	my $text = "SET ROLE $role;\n";
	# columns that say how long ago
	my $by_now = join ',', qw(age_hours hours_left hours_late updates_missed is_kept),
	  map { "${_}_late_minutes" } qw(status_page full_record authoriser_confirmation root_cause resolution_summary independent_review post_mortem);
	my @views = split /\n/, $server->sql(<<"EOSQL", db => $db);
SELECT c.oid::regclass FROM pg_class AS c
WHERE c.relnamespace = 'changemgmt'::regnamespace AND c.relkind = 'v' AND has_table_privilege('$role', c.oid, 'SELECT')
ORDER BY 1
EOSQL
	$text .= "\\echo === $_\nSELECT to_jsonb(v) - '{$by_now}'::text[] FROM $_ AS v;\n" for @views;
	for my $function (functions($server, $db, 'viewer', ''))
	{
		my $name = $function =~ s/^changemgmt\.//r;
		my $arguments = $reads{$name};
		$answers{$function} = undef;
		next if !defined $arguments;
		my $from = $arguments =~ /\bc\b/ ? ' FROM changemgmt.change AS c'
		  : $arguments =~ /\br\./
		  ? " FROM (SELECT '2/10'::changemgmt.rate AS a, '4/20'::changemgmt.rate AS b) AS r"
		  : $arguments =~ /\bq\./
		  ? " FROM (SELECT 'DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH'::changemgmt.recurrence AS a,"
			. " 'DTSTART:20260106T020000Z DURATION:P1D RRULE:FREQ=MONTHLY;BYDAY=2TU'::changemgmt.recurrence AS b) AS q" : '';
		$text .= "\\echo === $function\nSELECT " . $function =~ s/\(.*//r . "($arguments)" . ($by_clock{$name} || '') . "$from;\n";
	}
	for my $line (split /\n/, $server->sql($text, db => $db))
	{
		if ($line =~ /^=== (.*)$/) { $name = $1; $answers{$name} = [] }
		else { push @{ $answers{$name} }, $line =~ s/(\d+\.\d+)/sprintf '%.9g', $1/ger }
	}
	return { map { $_ => $answers{$_} && join "\n", sort @{ $answers{$_} } } keys %answers };
}

# Changes take their next step.  Returns how many did, in how many ways, and
# throws where one is refused.
sub go_on
{
	my ($server, $db) = @_;
	share($server, $db);
	my $before = $server->sql('SELECT count(*) FROM changemgmt.ledger', db => $db);
	return $server->sql(<<"EOSQL", db => $db);
SELECT public.step(c.id, s.step) FROM changemgmt.change AS c
JOIN (VALUES ('draft', 'plan'), ('planned', 'submit'), ('awaiting_approval', 'approve'), ('scheduled', 'start'),
		('rejected', 'revise'), ('verifying', 'roll_back'), ('in_progress', 'fail'), ('rolled_back', 'stable')) AS s(status, step)
	ON s.status = c.status
WHERE NOT c.on_hold AND c.owner_id IS NOT NULL AND c.model <> 'latent'
  AND NOT (c.status = 'scheduled' AND c.rollback_minutes = 77) AND c.copied_from_id IS NULL
ORDER BY c.id \\g /dev/null
SELECT public.walk('lean_standard', 'plan submit approve start tasks complete check pass close') \\g /dev/null
SELECT count(DISTINCT subject_id), count(DISTINCT event) FROM (
	SELECT subject_id, event FROM changemgmt.ledger ORDER BY recorded_at OFFSET $before) AS new;
EOSQL
}

1;
