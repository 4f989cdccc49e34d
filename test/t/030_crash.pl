# Servers that die in the middle of the work, and statements that are
# cancelled in the middle: what was acknowledged is there, nothing is half.
use strict;
use warnings;

use TestServer;
use Test::More;

my $s = TestServer->new;
$s->start;
$s->sql(<<'EOSQL');
CREATE EXTENSION changemgmt;
SELECT changemgmt.add_person(login) FROM unnest(ARRAY['otto', 'ann']) AS login;
SELECT changemgmt.add_team('dba', 'ann');
SELECT changemgmt.add_ci('db');
SELECT changemgmt.set_ci('db', is_exclusive => false);
SELECT changemgmt.publish_model('quick', '{"base": "lean_standard", "plan": {
    "description": "what", "justification": "why", "user_impact": "none", "owner": "otto",
    "risk_level": "low", "rollback_trigger": "errors", "rollback_plan": "back", "rollback_minutes": 5,
    "planned_start": "2026-01-01 00:00+00", "planned_end": "2036-01-01 00:00+00",
    "items": ["db"], "checks": ["health"], "tasks": ["step"]}}');
EOSQL

sub whole
{
	my ($what) = @_;
	is($s->sql('SELECT * FROM changemgmt.verify_ledger()'), '', "$what: the ledger is whole");
	is($s->sql(<<'EOSQL'), '', "$what: every change is at the end of its chain, and each step began where the one before ended");
SELECT c.id FROM changemgmt.change AS c
LEFT JOIN (
	SELECT subject_id AS id, count(*) AS entries, max(sequence) AS last,
		   (array_agg(to_status ORDER BY sequence DESC))[1] AS status
	FROM changemgmt.ledger WHERE subject_kind = 'change' GROUP BY subject_id) AS l USING (id)
WHERE (c.revision, c.ledger_sequence, c.status) IS DISTINCT FROM (l.entries, l.last, l.status)
UNION ALL
SELECT subject_id FROM (
	SELECT subject_id, from_status, lag(to_status) OVER (PARTITION BY subject_id ORDER BY sequence) AS before
	FROM changemgmt.ledger WHERE subject_kind = 'change') AS l
WHERE from_status IS DISTINCT FROM before
EOSQL
	is($s->sql(<<'EOSQL'), '', "$what: no part is there that the ledger does not know");
SELECT 'change_task', count(*) FROM changemgmt.change_task HAVING count(*) <> (
	SELECT count(*) FROM changemgmt.ledger, jsonb_array_elements(changed -> 'change_task') AS e WHERE e ->> 'op' = 'insert')
UNION ALL
SELECT 'change_check', count(*) FROM changemgmt.change_check HAVING count(*) <> (
	SELECT count(*) FROM changemgmt.ledger, jsonb_array_elements(changed -> 'change_check') AS e WHERE e ->> 'op' = 'insert')
EOSQL
	return;
}

# A client that walks one change after another and prints what the server has
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
# a file, because a pipe would take the work only as fast as it is done
my $file = $s->tempname;
TestServer::spew($file, $work);

for my $round (1 .. 3)
{
	my $before = $s->sql('SELECT count(*) FROM changemgmt.ledger');
	my @clients = map { $s->session } 1 .. 4;
	$_->send("\\i $file") for @clients;
	$s->wait_for("SELECT count(*) > $before + 150 * $round FROM changemgmt.ledger");
	$s->kill9;
	my ($died, @answers);
	for my $client (@clients)
	{
		my (undef, $out, $err) = $client->finish;
		$died++ if $err =~ /connection to server was lost/;
		push @answers, grep { /^\d+\|\w+\|\d+$/ } split /\n/, $out;
	}
	$s->start;

	is($died, 4, "crash $round: the server died in the middle of the work of all clients");
	cmp_ok(scalar @answers, '>', 20, "crash $round: clients had answers");
	my $values = join ',', map { my ($id, $status, $revision) = split /\|/; "($id, '$status', $revision)" } @answers;
	is($s->sql(<<"EOSQL"), '', "crash $round: each step that was acknowledged is there");
SELECT a.* FROM (VALUES $values) AS a(id, status, revision)
LEFT JOIN changemgmt.ledger AS l ON l.subject_kind = 'change' AND l.subject_id = a.id AND l.sequence = a.revision AND l.to_status = a.status
WHERE l.subject_id IS NULL
EOSQL
	whole("crash $round");

	# and the changes that were under way can be walked on
	is($s->sql(<<'EOSQL'), 't', "crash $round: changes go on");
SET changemgmt.actor = 'otto';
SELECT count(changemgmt.start(id)) >= 0 FROM changemgmt.change WHERE status = 'approved';
EOSQL
}

# One UPDATE that takes 5,000 changes a step: all of them or none.  The server
# dies while the last row is waited for, then while the steps are judged and
# recorded, then when the client has its answer.
$s->sql(<<'EOSQL');
SET changemgmt.actor = 'otto';
INSERT INTO changemgmt.change (title, model) SELECT 'bulk ' || n, 'lean_normal' FROM generate_series(1, 5000) AS n;
CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN PERFORM pg_sleep(600) WHERE current_setting('bulk.wait', true) = 'on'; RETURN NULL; END $$;
CREATE TRIGGER zz_wait AFTER UPDATE ON changemgmt.change
	FOR EACH ROW WHEN (NEW.title = 'bulk 2500') EXECUTE FUNCTION public.wait();
EOSQL
my $position = 'SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)::bigint';
my $updated;
for my $when ('before the last row', 'while steps are recorded', 'after the answer')
{
	my $start = $s->sql(sprintf($position, "'0/0'"));
	my ($holder, $bulk) = ($s->session, $s->session);
	if ($when eq 'before the last row')
	{
		$holder->send("BEGIN; SELECT FROM changemgmt.change WHERE title = 'bulk 5000' FOR UPDATE;");
		$holder->sync;
	}
	$bulk->send("SET bulk.wait = 'on';") if $when eq 'while steps are recorded';
	$bulk->send("SET changemgmt.actor = 'otto'; SELECT 'pid ' || pg_backend_pid();");
	$bulk->sync;
	my ($pid) = $bulk->output =~ /^pid (\d+)$/m;
	$bulk->send("UPDATE changemgmt.change SET status = 'cancelled', status_reason = 'all of them' WHERE title LIKE 'bulk %';\n\\echo answered");
	if ($when eq 'before the last row')
	{
		$s->wait_for("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid");
		$updated = $s->sql(sprintf($position, "'0/0'")) - $start;
		cmp_ok($updated, '>', 500_000, "bulk, $when: all other rows have been written");
	}
	elsif ($when eq 'while steps are recorded')
	{
		$s->wait_for("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid");
		cmp_ok($s->sql(sprintf($position, "'0/0'")) - $start, '>', $updated, "bulk, $when: half of them are");
	}
	else
	{
		$bulk->sync;
	}
	$s->kill9;
	$_->finish for $holder, $bulk;
	my $answered = $bulk->output =~ /^answered$/m;
	is($answered, $when eq 'after the answer', "bulk, $when: the client has " . ($when eq 'after the answer' ? 'an answer' : 'none'));
	$s->start;
	my $cancelled = $s->sql("SELECT count(*) FROM changemgmt.change WHERE title LIKE 'bulk %' AND status = 'cancelled'");
	is($cancelled, $answered ? 5000 : 0, "bulk, $when: " . ($answered ? 'all changes took the step' : 'no change took it'));
	is($s->sql("SELECT count(*) FROM changemgmt.ledger WHERE subject_kind = 'change' AND reason = 'all of them'"), $cancelled,
		"bulk, $when: as the ledger says");
	is($s->sql('SELECT * FROM changemgmt.verify_ledger()'), '', "bulk, $when: the ledger is whole");
}

$s->sql('DROP TRIGGER zz_wait ON changemgmt.change');

# A backend that dies takes the others down with it, and nothing else.
my $victim = $s->session;
$victim->send("SET changemgmt.actor = 'otto'; BEGIN;"
	  . " SELECT id FROM changemgmt.create_change('lost', template => 'quick') \\gset\n"
	  . " SELECT changemgmt.advance(:id, 'in_progress') \\g /dev/null\n SELECT pg_backend_pid();");
$victim->sync;
my $log = length $s->log_text;
kill 'KILL', ($victim->output =~ /^(\d+)$/m)[0];
$victim->finish;
$s->wait_for_log(qr/ready to accept connections/, $log);
is($s->sql("SELECT count(*) FROM changemgmt.change WHERE title = 'lost'"), '0', 'a transaction of a killed backend is gone');
whole('a killed backend');

# Cancelled in the middle of an UPDATE of many rows
$s->sql(<<'EOSQL');
SET changemgmt.actor = 'otto';
INSERT INTO changemgmt.change (title, model) SELECT 'many ' || n, 'lean_normal' FROM generate_series(1, 3000) AS n;
EOSQL
my $state = q{SELECT count(*), count(*) FILTER (WHERE description = 'half'), sum(revision) FROM changemgmt.change WHERE title LIKE 'many %'};
my $ledger = 'SELECT count(*) FROM changemgmt.ledger';
my ($was, $entries) = ($s->sql($state), $s->sql($ledger));
my $one = $s->session(on_error_stop => 0, verbosity => 'sqlstate');
$one->send("SET changemgmt.actor = 'otto';");
for my $ms (1, 5, 20, 50)
{
	$one->send("SET statement_timeout = ${ms};\n"
		  . "UPDATE changemgmt.change SET description = 'half' WHERE title LIKE 'many %';\n\\echo cut :SQLSTATE\n"
		  . "SET statement_timeout = 0;");
}
$one->reset_timeout;
like($one->errors, qr/57014/, 'an UPDATE of many rows was cancelled');
# a SET may be cancelled as well, and its error is not one of the UPDATE's
my $cancelled = () = $one->output =~ /^cut 57014$/mg;
SKIP:
{
	skip 'not each of them was cut off', 2 if $cancelled < 4;
	is($s->sql($state), $was, 'none of its rows is changed');
	is($s->sql($ledger), $entries, 'and no entry is in the ledger');
}

# by another session, and with parts
$one->send("SELECT pg_backend_pid();");
$one->sync;
my ($pid) = reverse $one->output =~ /^(\d+)$/mg;
$one->send("BEGIN; INSERT INTO changemgmt.change_comment (change_id, body)"
	  . " SELECT id, 'half' FROM changemgmt.change, generate_series(1, 30) WHERE title LIKE 'many %';");
$s->wait_for("SELECT query LIKE '%''half''%' AND state = 'active' FROM pg_stat_activity WHERE pid = $pid");
$s->sql("SELECT pg_cancel_backend($pid)");
$one->send("COMMIT;");
$one->sync;
is($s->sql("SELECT count(*) FROM changemgmt.change_comment WHERE body = 'half'"), '0', 'cancelled from outside: no part is there');

# The session that was cancelled so often is sound: verbs at every point of
# their work, then as if nothing had been.
my $timed_out = 0;
for my $us (map { $_ * 3 } 1 .. 60)
{
	$one->send("BEGIN; SET LOCAL statement_timeout = 0; SELECT id FROM changemgmt.create_change('cut', template => 'quick') \\gset\nCOMMIT;\n"
		  . "SET statement_timeout = 1;\n"
		  . "SELECT changemgmt.advance(:id, 'in_progress') FROM pg_sleep($us / 100000.0) \\g /dev/null\n"
		  . "SET statement_timeout = 0;");
}
$one->reset_timeout;
$one->send("SELECT 'end: ' || status FROM changemgmt.advance(:id, 'in_progress');");
$one->sync;
like($one->output, qr/^end: in_progress$/m, 'the session goes on');
$one->finish;
is($s->sql(<<'EOSQL'), '', 'a verb of several steps takes all of them or none');
SELECT status FROM changemgmt.change WHERE title = 'cut' AND status NOT IN ('draft', 'in_progress')
EOSQL
whole('cancelled statements');

done_testing;
