# A connection pool in transaction mode: clients take turns on one server
# connection, and each transaction is the act of whom it names, not of whoever
# used the connection before.
use strict;
use warnings;

use TestServer;
use Test::More;

$ENV{PATH} .= ':/usr/sbin';
chomp(my $program = `sh -c 'command -v pgbouncer'`);
plan skip_all => 'there is no pgbouncer (Debian: package pgbouncer)' if !$program;

my $s = TestServer->new;
$s->start;
$s->sql(<<'EOSQL');
CREATE EXTENSION changemgmt;
CREATE ROLE regress_pool LOGIN;
CREATE ROLE regress_pool_requester ROLE regress_pool;
CREATE ROLE regress_plain LOGIN;
SELECT changemgmt.grant_role(r, 'manager') FROM unnest('{regress_pool,regress_pool_requester,regress_plain}'::text[]) AS r;
GRANT SET ON PARAMETER changemgmt.actor TO regress_pool;
SELECT changemgmt.add_person(p) FROM unnest('{dora,max,regress_pool_requester}'::text[]) AS p;
SELECT changemgmt.add_ci('db');
SELECT changemgmt.set_ci('db', is_exclusive => false);
EOSQL

# Each of two pools has the database "one" with one server connection for
# everybody, and "two" with two.  The pool "always" resets a connection whenever
# a client gives it back.
my %conf = (
	pool => '',
	always => "server_reset_query = DISCARD ALL\nserver_reset_query_always = 1\n");
my ($port, %port, @pool_pids) = (6432);
my $owner_pid = $$;
for my $name (sort keys %conf)
{
	my ($ini, $users) = ($s->dir . "/$name.ini", $s->dir . '/users');
	$port{$name} = $port++;
	TestServer::spew($users, join '', map { "\"$_\" \"\"\n" } qw(postgres regress_pool regress_plain));
	TestServer::spew($ini, "[databases]\n"
		  . join('', map { "$_->[0] = host=" . $s->host . " port=5432 dbname=postgres pool_size=$_->[1]\n" } ['one', 1], ['two', 2])
		  . "[pgbouncer]\nlisten_addr =\nlisten_port = $port{$name}\nunix_socket_dir = " . $s->host . "\n"
		  . "auth_type = trust\nauth_file = $users\nadmin_users = postgres\npool_mode = transaction\n"
		  . "logfile = " . $s->dir . "/$name.log\n$conf{$name}");
	my $pid = fork // die "fork: $!";
	if (!$pid)
	{
		open my $null, '<', '/dev/null' or POSIX::_exit(127);
		TestServer::redirect('/dev/null', '/dev/null', $null);
		# its place tells whose it is to who cleans up after us
		chdir $s->dir;
		exec($program, '-q', $ini) or POSIX::_exit(127);
	}
	push @pool_pids, $pid;
}

# the pool's processes end with us, whatever happens; before the server's END
END
{
	my $status = $?;
	if (@pool_pids && $$ == $owner_pid)
	{
		kill 'TERM', @pool_pids;
		waitpid $_, 0 for @pool_pids;
	}
	$? = $status;
}

package Pooled
{
	our @ISA = ('TestServer');
	sub port { return $_[0]{port} }
}

sub through
{
	my ($name) = @_;
	return bless { %$s, port => $port{$name} }, 'Pooled';
}
my ($p, $always) = map { through($_) } qw(pool always);
for my $pool ($p, $always)
{
	for (1 .. 200)
	{
		last if !($pool->psql('SHOW VERSION', db => 'pgbouncer'))[0];
		select undef, undef, undef, 0.05;
	}
}

my @one = (db => 'one', user => 'regress_pool');

# What a client, one of several sessions, is told; a mark keeps them in turn.
sub client
{
	my ($pool, %opt) = @_;
	return { session => $pool->session(@one, on_error_stop => 0, verbosity => 'sqlstate', %opt), seen => 0, errors => 0 };
}

sub ask
{
	my ($client, $sql) = @_;
	my $session = $client->{session};
	$session->send($sql);
	$session->sync;
	my ($out, $err) = ($session->output, $session->errors);
	my @new = grep { !/^done \d+$/ } split /\n/, substr $out, $client->{seen};
	my @errors = substr($err, $client->{errors}) =~ /(?:ERROR|FATAL|WARNING):\s+(\w{5})/g;
	$client->{seen} = length $out;
	$client->{errors} = length $err;
	return join ' ', @new, @errors;
}

my ($a, $b) = (client($p), client($p));
my $backend = ask($a, 'SELECT pg_backend_pid();');
is(ask($b, 'SELECT pg_backend_pid();'), $backend, 'two clients take turns on one server connection');

# ------------------------------------------------------------ SET LOCAL

my $who = 'SELECT changemgmt.acting_person();';
is(ask($a, $who), 'regress_pool', 'who names nobody is the role of the pool');
is(ask($a, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; $who COMMIT;"), 'dora', 'SET LOCAL names the actor of a transaction');
is(ask($b, $who), 'regress_pool', 'the next client on the connection does not inherit it');
is(ask($a, $who), 'regress_pool', 'nor does the same client');
is(ask($b, "BEGIN; SET LOCAL changemgmt.actor = 'max'; $who ROLLBACK; $who"), 'max regress_pool', 'nor after ROLLBACK');
is(ask($a, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; SELECT 1/0; COMMIT;"), '22012', 'nor after an error');
is(ask($b, $who), 'regress_pool', 'which the other client sees as well');
is(ask($a, "SELECT set_config('changemgmt.actor', 'dora', true), changemgmt.acting_person(); $who"), 'dora|dora regress_pool',
	'set_config(..., true) in a statement of its own is for this statement');
is(ask($a, "SET LOCAL changemgmt.actor = 'dora'; $who"), 'regress_pool 25P01', 'SET LOCAL outside of a transaction names nobody, with a warning')
  or diag $a->{session}->errors;

# a client that is killed in its transaction
my $victim = client($p);
is(ask($victim, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; $who"), 'dora', 'a client in its transaction');
kill 'KILL', $victim->{session}{pid};
waitpid $victim->{session}{pid}, 0;
is(ask($b, $who), 'regress_pool', 'when it is killed, the next client is not who it was');

# ---------------------------------------------------------------- the ledger

my $create = 'SELECT id FROM changemgmt.create_change(';
my $by_dora = ask($a, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; $create 'of dora'); COMMIT;");
my $by_max = ask($b, "BEGIN; SET LOCAL changemgmt.actor = 'max'; $create 'of max'); COMMIT;");
ask($a, "BEGIN; SET LOCAL ROLE regress_pool_requester; SELECT 1 FROM changemgmt.add_comment($by_max, 'as a role'); COMMIT;");
ask($b, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; SET LOCAL ROLE regress_pool_requester; SET LOCAL application_name = 'shop';"
	  . " SELECT 1 FROM changemgmt.add_comment($by_max, 'both'); COMMIT;");
ask($a, "SELECT 1 FROM changemgmt.add_comment($by_max, 'nobody');");
is($s->sql("SELECT subject_id, sequence, session_role, effective_role, actor FROM changemgmt.ledger WHERE subject_kind = 'change' ORDER BY 1, 2"),
	join("\n",
		"$by_dora|1|regress_pool|regress_pool|dora",
		"$by_max|1|regress_pool|regress_pool|max",
		"$by_max|2|regress_pool|regress_pool_requester|regress_pool_requester",
		"$by_max|3|regress_pool|regress_pool_requester|dora",
		"$by_max|4|regress_pool|regress_pool|regress_pool"),
	'the ledger tells the login of the pool, the role and the actor apart');
is($s->sql('SELECT r.login, a.login FROM changemgmt.change AS c JOIN changemgmt.person AS r ON r.id = c.requester_id'
		. ' JOIN changemgmt.person AS a ON a.id = c.author_id ORDER BY c.id'), "dora|dora\nmax|max",
	'requester and author are whom the transaction named');

# ------------------------------------------------- a plain SET, and its ways out

is(ask($a, "SET changemgmt.actor = 'dora'; $who"), 'dora', 'a plain SET');
is(ask($b, $who), 'dora', 'leaks to the next client: measured, and why docs/person.md says SET LOCAL');
is(ask($b, "BEGIN; SET LOCAL changemgmt.actor = 'max'; $who COMMIT; $who"), 'max dora', 'SET LOCAL is right even then, for its transaction');
is(ask($b, "BEGIN; SET LOCAL changemgmt.actor = ''; $who COMMIT;"), 'regress_pool', 'and an empty one is the role');
is(ask($a, 'RESET changemgmt.actor;') . ask($b, $who), 'regress_pool', 'RESET ends it for all');
is(ask($a, "SET ROLE regress_pool_requester;") . ask($b, $who), 'regress_pool_requester', 'a plain SET ROLE leaks as well');
is(ask($a, 'RESET ROLE;') . ask($b, $who), 'regress_pool', 'until RESET ROLE');

my ($c, $d) = (client($always), client($always));
is(ask($c, 'SELECT pg_backend_pid();'), ask($d, 'SELECT pg_backend_pid();'), 'with server_reset_query_always, too, there is one connection');
is(ask($c, "SET changemgmt.actor = 'dora'; $who"), 'regress_pool', 'a plain SET is gone with its statement');
is(ask($d, $who), 'regress_pool', 'and the next client is not dora');
is(ask($c, "BEGIN; SET changemgmt.actor = 'dora'; $who COMMIT;"), 'dora', 'within a transaction it holds');
is(ask($d, $who), 'regress_pool', 'and no longer');
is(ask($c, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; $create 'after DISCARD ALL'); COMMIT;") =~ /^\d+$/, 1, 'the extension works on after DISCARD ALL');
is(ask($d, "BEGIN; SET LOCAL changemgmt.actor = 'max'; SELECT owner_id IS NULL FROM changemgmt.change WHERE title = 'after DISCARD ALL';"
		  . " SELECT 1 FROM changemgmt.add_comment((SELECT max(id) FROM changemgmt.change), 'again'); COMMIT;"), 't 1', 'for the next client as well');

# ------------------------------------------------------- who may not name anybody

my $plain = client($p, user => 'regress_plain');
is(ask($plain, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; $who COMMIT;"), 'regress_plain 42501',
	'without the grant, before the library is loaded: SET LOCAL has no effect, with a warning');
is(ask($plain, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; $who COMMIT;"), '42501 25P02', 'without the grant, then: SET LOCAL is refused');
is(ask($plain, "SET changemgmt.actor = 'dora'; $who"), 'regress_plain 42501', 'without the grant: SET');
is(ask($plain, "SELECT set_config('changemgmt.actor', 'dora', true);"), '42501', 'without the grant: set_config');
is(ask($a, "SET changemgmt.actor = 'dora'; $who") . ' ' . ask($plain, $who), 'dora regress_plain',
	'what another login left on its connection is not on this one\'s');
ask($a, 'RESET changemgmt.actor;');
$plain->{session}->finish;
my ($rc, undef, $err) = $p->psql($who, db => "dbname=one options='-c changemgmt.actor=dora'", user => 'regress_plain');
isnt($rc, 0, 'a pool does not even take options of a connection string, unless told to ignore them');
like($err, qr/unsupported startup parameter/, 'as it says');

# ---------------------------------------------- what a session remembers

# Prepared statements stay on the connection; who executes them acts.
is(ask($a, "PREPARE who AS $who EXECUTE who;"), 'regress_pool', 'a prepared statement');
is(ask($b, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; EXECUTE who; COMMIT;"), 'dora', 'gives the next client whom that one names');
ask($b, 'EXECUTE who;') for 1 .. 6;
is(ask($b, "BEGIN; SET LOCAL changemgmt.actor = 'max'; EXECUTE who; COMMIT;"), 'max', 'also when its plan has become generic');
is(ask($a, "PREPARE say(bigint) AS SELECT 1 FROM changemgmt.add_comment(\$1, 'prepared'); SET LOCAL changemgmt.actor = 'dora';"), '25P01',
	'a verb prepared by one client');
is(ask($b, "BEGIN; SET LOCAL changemgmt.actor = 'max'; EXECUTE say($by_dora); COMMIT;"), '1', 'executed by another');
is(ask($a, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; EXECUTE say($by_dora); COMMIT;"), '1', 'and by the first');
is($s->sql("SELECT string_agg(actor, ' ' ORDER BY sequence) FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = $by_dora"), 'dora max dora',
	'is the act of each');

# A transaction in which the actor changes
is(ask($a, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; SELECT 1 FROM changemgmt.add_comment($by_max, 'one');"
		  . " SET LOCAL changemgmt.actor = 'max'; SELECT 1 FROM changemgmt.add_comment($by_max, 'two'); COMMIT;"), '1 1', 'two actors in a transaction');
is($s->sql("SELECT string_agg(actor, ' ' ORDER BY sequence) FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = $by_max AND sequence > 4"), 'dora max',
	'are two in the ledger');

# What is confidential is shown to whom the transaction names, on the same
# connection and by the same plan.
ask($a, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; $create 'secret', confidential => true); COMMIT;");
my $look = "SELECT count(*), count(changemgmt.change_number(id)) FROM changemgmt.change WHERE title = 'secret'";
ask($a, "PREPARE look AS $look;");
for (1 .. 7)
{
	is(ask($a, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; EXECUTE look; $look; COMMIT;")
		  . ' ' . ask($b, "BEGIN; SET LOCAL changemgmt.actor = 'max'; EXECUTE look; $look; COMMIT;") . ' ' . ask($a, "EXECUTE look; $look;"),
		'1|1 1|1 0|0 0|0 0|0 0|0', "what is confidential is seen by whom it concerns only, round $_");
}

is(ask($a, "BEGIN; SET LOCAL changemgmt.actor = 'dora'; DECLARE held CURSOR WITH HOLD FOR SELECT title FROM changemgmt.change WHERE title = 'secret'; COMMIT;")
	  . ask($b, "BEGIN; SET LOCAL changemgmt.actor = 'max'; FETCH held; CLOSE held; COMMIT;"), 'secret',
	'but a cursor WITH HOLD stays on the connection with what it has read: measured');

# People, settings and models are remembered by server connection, not by
# client, and each hears of what another did.
my ($x, $y) = (client($p, db => 'two'), client($p, db => 'two'));
is(ask($x, "BEGIN; SELECT 1 FROM pg_backend_pid();") . ask($y, "BEGIN; SELECT 1 FROM pg_backend_pid();"), '11', 'two connections at once');
my @pids = map { ask($_, 'SELECT pg_backend_pid();') } $x, $y;
isnt($pids[0], $pids[1], 'which are two');
my $waits = "SELECT changemgmt.person_id('max') IS NOT NULL, changemgmt.setting_value('number_prefix');";
is(join(' ', map { ask($_, "$waits COMMIT;") } $x, $y), 't|CHG t|CHG', 'both know a person and a setting');
$s->sql("UPDATE changemgmt.person SET is_active = false WHERE login = 'max'; SELECT changemgmt.set_setting('number_prefix', 'C');");
my $left = "BEGIN; SET LOCAL changemgmt.actor = 'max'; SELECT changemgmt.setting_value('number_prefix'); SELECT changemgmt.person_id('max');";
is(join(' ', map { ask($_, $left) } $x, $y), 'C MC008 C MC008', 'who has left is known to no connection; a setting is the new one');
ask($_, 'ROLLBACK;') for $x, $y;
$s->sql("UPDATE changemgmt.person SET is_active = true, login = 'maxi' WHERE login = 'max'");
my $renamed = "BEGIN; SET LOCAL changemgmt.actor = 'maxi'; SELECT changemgmt.person_id('maxi') = (SELECT requester_id FROM changemgmt.change WHERE id = $by_max);";
is(join(' ', map { ask($_, $renamed) } $x, $y), 't t', 'who came back under another login is the same person everywhere');
ask($_, 'ROLLBACK;') for $x, $y;
is(ask($x, "SELECT 1 FROM changemgmt.publish_model('ours', '{\"base\": \"lean_normal\"}');"), '1', 'one publishes a model');
my $new = "BEGIN; SET LOCAL changemgmt.actor = 'dora'; SELECT 1 FROM changemgmt.create_change('x', model => 'ours');"
  . ' SELECT model, model_version FROM changemgmt.change ORDER BY id DESC LIMIT 1;';
is(join(' ', map { ask($_, $new) } $x, $y), '1 ours|1 1 ours|1', 'and every connection has it');
ask($_, 'ROLLBACK;') for $x, $y;
is(ask($y, "SELECT 1 FROM changemgmt.publish_model('ours', '{\"base\": \"lean_normal\"}');"), '1', 'another publishes the next version');
is(join(' ', map { ask($_, $new) } $x, $y), '1 ours|2 1 ours|2', 'and every connection has that');
ask($_, 'ROLLBACK;') for $x, $y;

# The advisory locks of a session would stay with its connection: there are none.
is($s->sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), '0', 'the extension holds no lock between transactions');

is($s->sql('SELECT * FROM changemgmt.verify_ledger()'), '', 'the ledger is whole');
$_->{session}->finish for $a, $b, $c, $d, $x, $y;

# Many clients on two connections, each in its own name.
my $script = $s->tempname;
$s->sql("SELECT changemgmt.add_person('p' || i) FROM generate_series(1, 20) AS i");
TestServer::spew($script, <<"EOSQL");
\\set i random(1, 20)
BEGIN;
SET LOCAL changemgmt.actor = 'p:i';
SELECT FROM changemgmt.create_change('of p' || :i);
COMMIT;
EOSQL
($rc, undef, $err) = $p->run('pgbench', '-h', $p->host, '-p', $p->port, '-U', 'regress_pool', '-n', '-c', 8, '-t', 50, '-f', $script, 'two');
is($rc, 0, 'pgbench, 8 clients on two connections') or diag $err;
is($s->sql("SELECT count(*), count(*) FILTER (WHERE c.title = 'of ' || l.actor AND p.login = l.actor) FROM changemgmt.change AS c"
		. ' JOIN changemgmt.person AS p ON p.id = c.requester_id JOIN changemgmt.ledger AS l ON l.subject_kind = \'change\' AND l.subject_id = c.id'
		. " WHERE c.title ~ '^of p'"), '400|400', 'each change is its own client\'s');
is($s->sql("SELECT * FROM changemgmt.verify_ledger()"), '', 'and the ledger is whole');

done_testing;
