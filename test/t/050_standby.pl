# A standby answers whoever only looks and refuses loudly whoever wants more.
# The primary dies in the middle of the work of some clients: what it had
# acknowledged stands on the standby that takes its place.
use strict;
use warnings;

use TestChanges;
use TestServer;
use Test::More;

my $p = TestServer->new(name => 'primary', conf => "synchronous_commit = on\n");
$p->start;
TestChanges::populate($p, 'postgres');
$p->sql(<<'EOSQL');
SELECT changemgmt.publish_model('quick', '{"base": "lean_standard", "plan": {
    "description": "what", "justification": "why", "user_impact": "none", "owner": "otto",
    "risk_level": "low", "rollback_trigger": "errors", "rollback_plan": "back", "rollback_minutes": 5,
    "planned_start": "2026-01-01 00:00+00", "planned_end": "2036-01-01 00:00+00",
    "items": ["db"], "checks": ["health"], "tasks": ["step"]}}');
EOSQL
my $s = TestServer->clone_from($p, name => 'standby', standby => 1);
$s->start;
$p->conf("synchronous_standby_names = 'standby'\n");
$p->reload;
$p->wait_for("SELECT sync_state FROM pg_stat_replication WHERE application_name = 'standby'", 'sync');
$p->wait_for_catchup('standby');
is($s->sql('SELECT pg_is_in_recovery()'), 't', 'the standby is one');

# ------------------------------------------------------------------- reading

my ($here, $there) = map { TestChanges::reads($_, 'postgres') } $p, $s;
cmp_ok(scalar keys %$here, '>', 50, 'views and functions that look are tried');
is_deeply([ grep { !defined $here->{$_} } sort keys %$here ], [],
	'each of them has its arguments in the test (%reads in TestChanges.pm)');
is_deeply([ grep { defined $here->{$_} && $here->{$_} ne $there->{$_} } sort keys %$here ], [],
	'all answer on the standby what they answer on the primary');
($here, $there) = map { TestChanges::reads($_, 'postgres', 'regress_duty') } $p, $s;
is_deeply([ grep { defined $here->{$_} && $here->{$_} ne $there->{$_} } sort keys %$here ], [],
	'to a role that is a viewer, too');
is_deeply(TestChanges::content($s, 'postgres'), TestChanges::content($p, 'postgres'), 'as all tables do');

# Sessions that have read follow what changes on the primary.
my $reader = $s->session;
my $cached = <<'EOSQL';
SELECT changemgmt.setting_value('number_prefix'), changemgmt.person_id('cleo'), max(changemgmt.change_number(c.id)),
	   (SELECT count(*) FROM changemgmt.requirement_list()), count(w)
FROM changemgmt.change AS c, changemgmt.why_not(c.id, 'start') AS w;
EOSQL
$reader->send($cached);
$reader->sync;
my $was = $reader->output =~ /^(RFC\|.*)$/m ? $1 : '';
isnt($was, '', 'a session of the standby knows the settings');
$p->sql(<<'EOSQL');
SELECT changemgmt.set_setting('number_prefix', 'NEW');
UPDATE changemgmt.person SET login = 'cleopatra' WHERE login = 'cleo';
SELECT changemgmt.add_person('cleo');
SELECT changemgmt.register_requirement('more', 'public.always_met(bigint)', ARRAY['start'], 'more', 'nothing to do');
EOSQL
$p->wait_for_catchup('standby');
$reader->send($cached);
$reader->sync;
my $is = (split /\n/, $reader->output)[-2];
is($is . "\n", $s->sql($cached) . "\n", 'and reads what was changed on the primary');
like($is, qr/^NEW\|/, 'which is new');
$p->sql(<<'EOSQL');
DELETE FROM changemgmt.person WHERE login = 'cleo';
UPDATE changemgmt.person SET login = 'cleo' WHERE login = 'cleopatra';
EOSQL

# ------------------------------------------------------------------- writing

# Whatever else a duty gives: {status} is a change in that status.
my %verbs = (
	abort               => "{in_progress}, 'no'",
	abstain             => "{awaiting_approval}, 'no'",
	activate_risk_model => '1',
	add_board           => "'here'",
	add_board_member    => "'cab', 'vera'",
	add_check           => "{draft}, 'check'",
	add_ci              => "'here'",
	add_communication   => "{draft}, 'before', 'users', 'chat', 'soon'",
	add_checklist       => '{draft}',
	add_comment         => "{draft}, 'remark'",
	add_condition       => "{draft}, 'condition'",
	add_holiday         => "'works', '2026-06-01'",
	add_incident_item   => "'INC-here', 'db'",
	add_item            => "{draft}, 'host'",
	add_maintenance_window => "'night', 'DTSTART:20260106T020000Z DURATION:PT2H'",
	add_person          => "'here'",
	add_risk            => "{draft}, 'risk', 'low', 'low'",
	add_signal_check    => "{draft}, 'more', 'errors', 5",
	add_step            => "{draft}, 'step'",
	add_task            => "{draft}, 'task'",
	add_team            => "'here', 'ann'",
	add_to_agenda       => '(SELECT max(id) FROM changemgmt.board_meeting), {awaiting_approval}',
	advance             => "{planned}, 'approved'",
	approve             => '{awaiting_approval}',
	approve_with_conditions => "{awaiting_approval}, ARRAY['call']",
	assign_duty         => "{draft}, 'other', due_at => now()",
	begin_rollback      => '{in_progress}',
	call_emergency_meeting => "'cab', 'fire'",
	cancel              => "{draft}, 'no'",
	cancel_duty         => "(SELECT max(id) FROM changemgmt.duty), 'no'",
	cancel_meeting      => "(SELECT max(id) FROM changemgmt.board_meeting), 'no'",
	close               => '{implemented}',
	close_meeting       => '(SELECT max(id) FROM changemgmt.board_meeting)',
	complete            => '{in_progress}',
	complete_duty       => "(SELECT max(id) FROM changemgmt.duty), 'here'",
	complete_task       => '(SELECT max(id) FROM changemgmt.change_task WHERE change_id = {in_progress})',
	confirm_cause       => "'INC-here', {implemented}",
	confirm_stability   => '{rolled_back}',
	create_follow_up    => "{closed}, 'more'",
	mark_sent           => '(SELECT max(id) FROM changemgmt.change_communication)',
	post_update         => "{in_progress}, 'half way'",
	remove_communication => '(SELECT max(id) FROM changemgmt.change_communication)',
	review_change       => "{closed}, lessons => 'look first'",
	copy_change         => '{closed}',
	create_business_calendar => "'here', 'UTC'",
	create_change       => "'here'",
	create_change_from  => q('{"title": "here"}'),
	deactivate_risk_model => '',
	declare_blackout    => "'feast', starts_at => '2001-01-01', ends_at => '2001-01-02'",
	declare_emergency   => "'down', 'INC-here', 'exec', 'production_down', 'what', 'otto', ARRAY['db']",
	defer               => "{awaiting_approval}, 'no'",
	delegate_approval   => "'ann', now(), now() + interval '1 day'",
	edit_incident       => q('INC-4711', '{"severity": 2}'),
	edit_change         => q({draft}, '{"title": "here"}'),
	edit_template       => q({draft}, '{"title": "here"}'),
	fail                => "{in_progress}, 'why', 'how'",
	fail_task           => "(SELECT max(id) FROM changemgmt.change_task WHERE change_id = {in_progress}), 'no'",
	fit_risk_model      => "'SELECT n % 7 AS x, n * 5 % 11 < n % 7 AS failed FROM generate_series(1, 200) AS n', ARRAY['x']",
	hold                => "{draft}, 'no'",
	import_holidays     => q('works', E'BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260601\nEND:VEVENT\nEND:VCALENDAR'),
	hold_meeting        => "(SELECT max(id) FROM changemgmt.board_meeting), ARRAY['ann']",
	incident_id         => "'INC-here'",
	ledger_checkpoint   => '',
	merge_incident      => "'INC-4712', 'INC-4711', 'the same'",
	record_incident     => "'INC-here', 'down', 1, 'outage', now()",
	reopen_incident     => "'INC-4711', 'again'",
	resolve_incident    => "'INC-4711'",
	suspect_cause       => "'INC-here', {implemented}, 'near'",
	link_change         => "{draft}, 'ticket', target => 'T1'",
	override_booking    => "{approved}, 'no_conflict', 'both know'",
	pass                => "{verifying}, 'seen'",
	plan                => '{draft}',
	plan_meetings       => "'cab', now() + interval '1 month'",
	propose_template    => "{closed}, 'here'",
	publish_model       => q('here', '{"base": "lean_normal"}'),
	publish_template    => '{approved}',
	reassign_duty       => "(SELECT max(id) FROM changemgmt.duty), 'ann'",
	rebuild_bookings    => '',
	record_check        => '(SELECT max(id) FROM changemgmt.change_check WHERE change_id = {verifying}), true',
	record_observation  => '(SELECT max(id) FROM changemgmt.change_check WHERE change_id = {verifying}), 1',
	record_signal       => "{verifying}, 'errors', 1",
	record_minute       => "(SELECT max(id) FROM changemgmt.board_meeting), {awaiting_approval}, 'said'",
	record_unauthorized => "'found', 'audit', now() - interval '3 days', now() - interval '2 days', 'what', 'otto', 'ivan', ARRAY['db']",
	publish_risk_matrix => q('here', (SELECT jsonb_agg('["low", "low", "high", "high", "high"]'::jsonb) FROM generate_series(1, 5))),
	register_risk       => "{draft}, 'risk'",
	register_risk_factor => "'here', 'public.half(bigint)', 1",
	remove_risk_factor  => "'half'",
	set_risk_factor     => "'tier', 9",
	register_requirement => "'here', 'public.always_met(bigint)', ARRAY['plan'], 'here', 'here'",
	reject              => "{awaiting_approval}, 'no'",
	remove_approval_policy => "'ours'",
	remove_check        => '(SELECT max(id) FROM changemgmt.change_check WHERE change_id = {draft})',
	remove_holiday      => "'works', '2026-05-01'",
	remove_from_agenda  => '(SELECT max(id) FROM changemgmt.board_meeting), {awaiting_approval}',
	remove_item         => '(SELECT max(id) FROM changemgmt.change_item WHERE change_id = {draft})',
	remove_risk         => '(SELECT max(id) FROM changemgmt.change_risk WHERE change_id = {draft})',
	remove_task         => '(SELECT max(id) FROM changemgmt.change_task WHERE change_id = {draft})',
	remove_window       => "'audit'",
	reopen_task         => '(SELECT max(id) FROM changemgmt.change_task WHERE change_id = {in_progress})',
	review_object       => '(SELECT max(id) FROM changemgmt.change_task WHERE change_id = {draft})',
	reschedule          => "{scheduled}, now(), now() + interval '1 hour'",
	resume              => '{draft}',
	resume_work         => "{verifying}, 'more'",
	retire_model        => "'quick'",
	revise              => '{planned}',
	revoke_delegation   => '1',
	roll_back           => "{in_progress}, 'why', 'testing'",
	schedule            => '{approved}',
	set_business_hours  => "'works', 'MO-FR'",
	set_board_cadence   => "'cab', 'weekly', first_start => now()",
	set_dependencies    => "(SELECT max(id) FROM changemgmt.change_task WHERE change_id = {draft}), '{}'",
	set_ci              => "'host', tags => ARRAY['here']",
	set_approval_policy => q('here', '[{"rule": "one"}]'),
	set_setting         => "'number_prefix', 'HERE'",
	skip_task           => "(SELECT max(id) FROM changemgmt.change_task WHERE change_id = {in_progress}), 'no'",
	start               => '{scheduled}',
	submit              => '{planned}',
	tick                => '',
	triage              => "{draft}, 'mona', 'otto'",
	unlink_change       => '(SELECT max(id) FROM changemgmt.change_link)',
	vote_for            => "{awaiting_approval}, 'ann', 'approved'",
	waive               => "{planned}, 'notice', 'agreed'",
);
my @verbs = map { s/^changemgmt\.//r =~ s/\(.*//r } TestChanges::functions($s, 'postgres', 'manager', 'viewer');
is_deeply([ grep { !defined $verbs{$_} } @verbs ], [], 'each verb has its arguments in the test (%verbs)');
cmp_ok(scalar @verbs, '>', 50, 'verbs are tried');

my %statements = map { $_ => "SELECT changemgmt.$_($verbs{$_})" } grep { defined $verbs{$_} } @verbs;
$statements{'grant_role'} = "SELECT changemgmt.grant_role('pg_monitor', 'viewer')";
$statements{'INSERT'} = "INSERT INTO changemgmt.change (title) VALUES ('here')";
$statements{'UPDATE'} = "UPDATE changemgmt.change SET status = 'planned' WHERE id = {draft}";
$statements{'DELETE'} = 'DELETE FROM changemgmt.change WHERE id = {draft}';
$statements{'COPY'} = "COPY changemgmt.change (title) FROM PROGRAM 'echo here'";
my $text = "SET changemgmt.actor = 'mona';\n";
for my $name (sort keys %statements)
{
	$text .= $statements{$name} =~ s/\{(\w+)\}/(SELECT max(id) FROM changemgmt.change WHERE status = '$1' AND model = 'ours' AND NOT on_hold)/gr
	  . ";\n\\echo === $name :SQLSTATE\n";
}
my (undef, $out, $err) = $s->psql($text, on_error_stop => 0);
is_deeply([ grep { !/ 25006$/ } $out =~ /^=== (.*)$/mg ], [], 'each of them is refused on the standby, as read-only');
is(scalar(() = $out =~ /^=== /mg), scalar keys %statements, 'one by one');
like($err, qr/ERROR:  25006: cannot execute .* in a read-only transaction/, 'in words that tell why');

# ------------------------------------------------------------------ failover

# Clients that walk one change after another and print what the server has
# answered: id, status, revision.
my $work = "SET changemgmt.actor = 'otto';\n" . <<'EOSQL' x 400;
SELECT id FROM changemgmt.create_change('walked', template => 'quick') \gset
SELECT :id, status, revision FROM changemgmt.advance(:id, 'approved');
SELECT :id, status, revision FROM changemgmt.start(:id);
SELECT changemgmt.complete_task(id) FROM changemgmt.change_task WHERE change_id = :id \g /dev/null
SELECT :id, status, revision FROM changemgmt.complete(:id);
SELECT changemgmt.record_check(id, true) FROM changemgmt.change_check WHERE change_id = :id \g /dev/null
SELECT :id, status, revision FROM changemgmt.pass(:id);
SELECT :id, status, revision FROM changemgmt.close(:id);
EOSQL
my $before = $p->sql('SELECT count(*) FROM changemgmt.ledger');
# a file, because a pipe would take the work only as fast as it is done
my $file = $p->tempname;
TestServer::spew($file, $work);
my @clients = map { $p->session } 1 .. 4;
$_->send("\\i $file") for @clients;
$p->wait_for("SELECT count(*) > $before + 400 FROM changemgmt.ledger");
$p->kill9;
my (@answers, $died);
for my $client (@clients)
{
	my (undef, $out, $err) = $client->finish;
	$died++ if $err =~ /connection to server was lost/;
	push @answers, grep { /^\d+\|\w+\|\d+$/ } split /\n/, $out;
}
is($died, 4, 'the primary dies in the middle of the work of all clients');
cmp_ok(scalar @answers, '>', 100, 'clients had answers');
$s->promote;
is($s->sql('SELECT pg_is_in_recovery()'), 'f', 'the standby is promoted');

my $values = join ',', map { my ($id, $status, $revision) = split /\|/; "($id, '$status', $revision)" } @answers;
is($s->sql(<<"EOSQL"), '', 'each step that was acknowledged is there');
SELECT a.* FROM (VALUES $values) AS a(id, status, revision)
LEFT JOIN changemgmt.ledger AS l ON l.subject_kind = 'change' AND l.subject_id = a.id AND l.sequence = a.revision AND l.to_status = a.status
WHERE l.subject_id IS NULL
EOSQL
is($s->sql('SELECT * FROM changemgmt.verify_ledger()'), '', 'and the ledger is whole');
is($s->sql(<<'EOSQL'), '', 'every change is at the end of its chain');
SELECT c.id FROM changemgmt.change AS c
JOIN (
	SELECT subject_id AS id, max(sequence) AS last, (array_agg(to_status ORDER BY sequence DESC))[1] AS status
	FROM changemgmt.ledger WHERE subject_kind = 'change' GROUP BY subject_id) AS l USING (id)
WHERE (c.ledger_sequence, c.status) IS DISTINCT FROM (l.last, l.status)
EOSQL

# every sequence goes on behind what is there
is($s->sql(<<'EOSQL'), '', 'no sequence will give a number again');
SELECT format('SELECT %L WHERE nextval(%L) <= (SELECT max(%I) FROM %s WHERE %3$I < 100000)',
	a.attrelid::regclass, pg_get_serial_sequence(a.attrelid::regclass::text, a.attname), a.attname, a.attrelid::regclass)
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = 'changemgmt'::regnamespace AND c.relkind = 'r' AND a.attidentity <> '' \gexec
EOSQL

# The session that read on the standby works on the server that it is now.
$reader->send("SET changemgmt.actor = 'otto';\n"
	  . "SELECT id FROM changemgmt.create_change('after', template => 'quick') \\gset\n"
	  . "SELECT 'then ' || status || ' ' || changemgmt.change_number(:id) FROM changemgmt.advance(:id, 'in_progress');");
$reader->sync;
like($reader->output, qr/^then in_progress NEW\d+$/m, 'a session that was open goes on, now with steps');
$reader->finish;
my $open = $s->sql("SELECT count(*) FROM changemgmt.change WHERE title = 'walked' AND status <> 'closed'");
cmp_ok($open, '>', 0, 'some changes were under way');
is($s->sql(<<'EOSQL'), $open, 'and are walked on');
SET changemgmt.actor = 'otto';
SELECT count(step) FROM (
	SELECT changemgmt.cancel(id, 'no time') AS step FROM changemgmt.change WHERE title = 'walked' AND status IN ('draft', 'approved')
	UNION ALL
	SELECT changemgmt.fail(id, 'no time', 'seen to') FROM changemgmt.change WHERE title = 'walked' AND status IN ('in_progress', 'verifying')
	UNION ALL
	SELECT changemgmt.close(id) FROM changemgmt.change WHERE title = 'walked' AND status = 'implemented') AS t
EOSQL
my ($changes, $events) = split /\|/, TestChanges::go_on($s, 'postgres');
cmp_ok($changes, '>', 80, 'changes in every status go on');
cmp_ok($events, '>', 6, 'by every verb');
is($s->sql('SELECT * FROM changemgmt.verify_ledger()'), '', 'the ledger is whole after that');

done_testing;
