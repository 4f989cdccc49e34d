# The background worker: there is none unless an administrator asks for it; it
# calls tick() as the role that is named, through drops, crashes, restarts and a
# promotion, and stands in nobody's way.
use strict;
use warnings;

use TestServer;
use Test::More;

my $mine = "backend_type LIKE 'changemgmt %'";
my $launcher = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'changemgmt launcher'";

# Each round shows in the log, so that "for some rounds" can be waited for.
my $s = TestServer->new(conf => "log_min_messages = debug1\n"
	  . "session_preload_libraries = 'changemgmt'\n"
	  . "changemgmt.worker_databases = 'postgres, other, \"Odd name\"'\n"
	  . "changemgmt.worker_interval = 1\n");

# Waits until the log has a pattern so many times since the position.
sub wait_for_log
{
	my ($server, $from, $pattern, $times) = @_;
	for (1 .. 1200)
	{
		my @found = $server->log_text($from) =~ /$pattern/g;
		return 1 if @found >= ($times || 1);
		select undef, undef, undef, 0.05;
	}
	die "waited in vain for $pattern in the log:\n" . $server->log_text($from);
}

# An overdue duty, as it came from elsewhere; its id.
sub overdue
{
	my ($server, $db) = @_;
	$server->sql("COPY changemgmt.change (title) FROM PROGRAM 'echo late'", db => $db);
	my $change = $server->sql('SELECT max(id) FROM changemgmt.change', db => $db);
	$server->sql("COPY changemgmt.duty (change_id, kind, title, due_at) FROM PROGRAM 'echo \"$change,other,late,2026-01-01\"' (FORMAT csv)",
		db => $db);
	return $server->sql('SELECT max(id) FROM changemgmt.duty', db => $db);
}

sub wait_for_flag
{
	my ($server, $db, $what) = @_;
	my $id = overdue($server, $db);
	ok($server->wait_for("SELECT flagged_at IS NOT NULL FROM changemgmt.duty WHERE id = $id", 't', db => $db), $what);
	return;
}

# ------------------------------------------------------------------- not asked

$s->start;
$s->sql('CREATE EXTENSION changemgmt');
is($s->sql("SELECT changemgmt.library_version() <> '', count(*) FROM pg_stat_activity WHERE $mine"), 't|0',
	'without shared_preload_libraries there is no worker');
is($s->sql("SELECT string_agg(context, ' ' ORDER BY name) FROM pg_settings WHERE name LIKE 'changemgmt.worker%'"),
	'sighup sighup sighup', 'its settings are known, so that no session is warned');
my ($rc, undef, $err) = $s->psql("LOAD 'changemgmt'");
is("$rc$err", '0', 'the library loads as before');

$s->conf("session_preload_libraries = ''\nshared_preload_libraries = 'changemgmt'\nchangemgmt.worker_databases = ''\n");
$s->restart;
overdue($s, 'postgres');
is($s->sql("SELECT current_setting('shared_preload_libraries'), count(*) FROM pg_stat_activity WHERE $mine"), 'changemgmt|0',
	'nor without databases');

# ----------------------------------------------------- what the worker misses

$s->stop('smart');
$s->conf("changemgmt.worker_databases = 'postgres, other, \"Odd name\"'\n");
my $from = length $s->log_text;
$s->start;
ok(wait_for_log($s, $from, qr/starting background worker process "changemgmt launcher"/), 'with both the launcher runs');
is($s->sql("SELECT context FROM pg_settings WHERE name = 'changemgmt.worker_databases'"), 'postmaster', 'until the server ends');
$s->wait_for("SELECT EXISTS ($launcher)");
is($s->sql("SELECT count(*) FROM pg_stat_activity WHERE $mine"), '1', 'alone, as nobody has said as whom to work');
ok(wait_for_log($s, $from, qr/WARNING:  changemgmt worker: changemgmt\.worker_role names no role/), 'which it says');
is($s->sql('SELECT count(flagged_at) FROM changemgmt.duty'), '0', 'and nothing is done as a superuser instead');

# Settings of the role that would break it, or make it do what somebody else
# wants.
$s->sql(<<'EOSQL');
CREATE ROLE regress_clock;
ALTER ROLE regress_clock SET search_path = evil, changemgmt, pg_catalog;
ALTER ROLE regress_clock SET statement_timeout = 1;
ALTER ROLE regress_clock SET default_transaction_isolation = 'serializable';
CREATE SCHEMA evil;
CREATE FUNCTION evil.tick(at timestamptz DEFAULT now(), OUT flagged bigint, OUT escalated bigint) LANGUAGE sql AS 'SELECT 1/0, 1';
CREATE FUNCTION evil.plus(bigint, bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 1/0';
CREATE OPERATOR evil.+ (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.plus);
GRANT USAGE ON SCHEMA evil TO PUBLIC;
EOSQL
$s->conf("changemgmt.worker_role = 'regress_clock'\n");
$s->reload;
ok(wait_for_log($s, $from, qr/role "regress_clock" of changemgmt\.worker_role may not log in/), 'a role that may not log in');
is(scalar(() = $s->log_text($from) =~ /names no role/g), 3, 'each trouble was said once for each database');
$s->sql("ALTER ROLE regress_clock LOGIN; REVOKE CONNECT ON DATABASE postgres FROM PUBLIC");
ok(wait_for_log($s, $from, qr/role "regress_clock" may not connect to database "postgres"/), 'or not connect');
ok(wait_for_log($s, $from, qr/database "$_" of changemgmt\.worker_databases does not exist/), "no database $_")
  for 'other', 'Odd name';
my $working = length $s->log_text;
$s->sql("GRANT CONNECT ON DATABASE postgres TO regress_clock");
ok(wait_for_log($s, $working, qr/ERROR:  permission denied for schema changemgmt\n.*CONTEXT:  changemgmt worker in database "postgres"/),
	'or lacks the duty, with the name of the database');
wait_for_log($s, $working, qr/starting background worker process "changemgmt worker"/, 3);
is(scalar(() = $s->log_text($working) =~ /permission denied|does not exist/g), 1, 'also once, while rounds go on');
is($s->sql('SELECT count(flagged_at) FROM changemgmt.duty'), '0', 'none of which did anything');

# -------------------------------------------------------------------- at work

$s->sql("SELECT changemgmt.grant_role('regress_clock', 'integration')");
wait_for_flag($s, 'postgres', 'with the duty it flags what is overdue, whatever is set for its role');
ok(wait_for_log($s, $working, qr/LOG:  changemgmt worker: database "postgres" is served again/), 'and the log says that it works');
is($s->sql("SELECT DISTINCT actor FROM changemgmt.ledger WHERE subject_kind = 'duty'"),
	'regress_clock', 'as the role that was named');

# Somebody who locks everything shows a worker at work.
my $blocker = $s->session;
$blocker->send('BEGIN; LOCK TABLE changemgmt.duty;');
$blocker->sync;
my $waiting = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'changemgmt worker' AND wait_event_type = 'Lock'";
$s->wait_for("SELECT EXISTS ($waiting)");
is($s->sql("SELECT datname, usename, state, query FROM pg_stat_activity WHERE $mine AND datname IS NOT NULL"),
	'postgres|regress_clock|active|SELECT flagged OPERATOR(pg_catalog.+) escalated FROM changemgmt.tick()',
	'pg_stat_activity shows what it does');
is($s->sql("SELECT count(*) FROM pg_locks WHERE pid IN ($launcher)"), '0', 'the launcher holds no lock');
is($s->sql("SELECT state, xact_start FROM pg_stat_activity WHERE backend_type = 'changemgmt launcher'"), 'idle|', 'and no transaction');
my $pid = $s->sql($waiting);
$s->sql("SELECT pg_terminate_backend($pid)");
$s->wait_for("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)");
ok($s->wait_for("SELECT EXISTS ($waiting AND pid <> $pid)"), 'one that is terminated ends at once, and the next comes');
$s->stop('fast');
$blocker->finish;
pass('a fast shutdown does not wait for it');
$s->conf("max_worker_processes = 2\n");
$from = length $s->log_text;
$s->start;
ok(wait_for_log($s, $from, qr/changemgmt worker: no background worker is left\n.*HINT:  Raise max_worker_processes/),
	'where the server has no process left, the log says so');
$s->conf("max_worker_processes = 8\n");
$s->restart;
wait_for_flag($s, 'postgres', 'after a restart it goes on');

# ----------------------------------------------- databases, and the extension

my $pid_before = $s->sql($launcher);
$s->sql('CREATE DATABASE other TEMPLATE postgres');
wait_for_flag($s, 'other', 'a database that comes later, copied from one that is served, is served too');
$from = length $s->log_text;
$s->sql(<<'EOSQL', db => 'other');
SET changemgmt.allow_drop = on;
BEGIN;
DROP EXTENSION changemgmt;
CREATE SCHEMA IF NOT EXISTS changemgmt;
CREATE FUNCTION changemgmt.tick(at timestamptz DEFAULT now(), OUT flagged bigint, OUT escalated bigint) LANGUAGE sql AS 'SELECT 1/0, 1';
GRANT USAGE ON SCHEMA changemgmt TO PUBLIC;
COMMIT;
EOSQL
ok(wait_for_log($s, $from, qr/database "other" has no changemgmt\.tick\(\)|division by zero/), 'a drop of the extension is seen');
unlike($s->log_text($from) =~ /(ERROR:.*)/ ? $1 : '', qr/division/, 'a function of that name that is not the extension\'s is not called');
$s->sql("DROP SCHEMA changemgmt CASCADE; CREATE EXTENSION changemgmt; SELECT changemgmt.grant_role('regress_clock', 'integration')", db => 'other');
wait_for_flag($s, 'other', 'an extension that is dropped and created again is served again');
$s->sql('DROP DATABASE other');
pass('nothing stands in the way of DROP DATABASE');
ok(wait_for_log($s, $from, qr/database "other" of changemgmt\.worker_databases does not exist/), 'of which the log tells');
is($s->sql($launcher), $pid_before, 'all that with the same launcher');

# ------------------------------------------------------------ killed, promoted

$s->sql("SELECT pg_terminate_backend($pid_before)");
my $standby = TestServer->clone_from($s, name => 'standby', standby => 1);
$standby->start;
is($standby->sql("SELECT pg_is_in_recovery(), current_setting('changemgmt.worker_databases') <> '', count(*) FROM pg_stat_activity WHERE $mine"),
	't|t|0', 'on a standby there is none');
ok($s->wait_for("SELECT EXISTS ($launcher AND pid <> $pid_before)"), 'a launcher that is terminated comes back');

$pid = $s->sql($launcher);
$from = length $s->log_text;
kill 'KILL', $pid;
ok(wait_for_log($s, $from, qr/all server processes terminated; reinitializing/), 'a launcher that is killed takes the server through recovery');
$s->wait_for("SELECT EXISTS ($launcher AND pid <> $pid)");
wait_for_flag($s, 'postgres', 'after which it works again');

$s->wait_for_catchup('standby');
$s->stop('immediate');
ok($standby->log_text !~ /starting background worker process "changemgmt/, 'the standby has tried none all the while');
$standby->promote;
wait_for_flag($standby, 'postgres', 'once it is promoted, its own works');
$standby->stop('smart');
pass('a smart shutdown does not wait for it');

done_testing;
