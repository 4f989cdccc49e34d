# Sessions of ordinary roles that try to be somebody else: each way there is to
# give a parameter a value, in a connection that has just begun, which does not
# know the parameter yet, and in one that has the library.  Whatever it answers,
# the role acts, and the ledger says so.
use strict;
use warnings;

use IO::Socket::UNIX;
use TestServer;
use Test::More;

my $s = TestServer->new;
$s->start;
$s->sql(<<'EOSQL');
CREATE EXTENSION changemgmt;
CREATE ROLE regress_app LOGIN;
CREATE ROLE regress_pool LOGIN;
CREATE ROLE dora LOGIN;
ALTER DATABASE postgres OWNER TO regress_app;
SELECT changemgmt.grant_role(r, 'requester') FROM unnest('{regress_app,regress_pool,dora}'::text[]) AS r;
GRANT SET ON PARAMETER changemgmt.actor TO regress_pool;
SELECT changemgmt.add_person(p) FROM unnest('{regress_app,dora,max}'::text[]) AS p;
SELECT changemgmt.create_change('subject', requester => 'max');
SELECT changemgmt.create_change('secret', requester => 'dora', confidential => true);
CREATE TABLE public.mine (id int);
ALTER TABLE public.mine OWNER TO regress_app;

-- what superusers may have left lying about
CREATE FUNCTION public.with_clause() RETURNS text LANGUAGE sql SET changemgmt.actor = 'dora'
    AS 'SELECT changemgmt.acting_person()';
CREATE PROCEDURE public.procedure_with_clause() LANGUAGE sql SET changemgmt.actor = 'dora'
    AS 'SELECT changemgmt.acting_person()';
EOSQL

my $who = 'SELECT changemgmt.acting_person();';
my $say = 'SELECT FROM changemgmt.add_comment(1, \'me\');';
my $see = "SELECT count(*) FROM changemgmt.change WHERE title = 'secret';";
my $last = 'SELECT actor, session_role, effective_role FROM changemgmt.ledger'
  . ' WHERE subject_kind = \'change\' AND subject_id = 1 ORDER BY sequence DESC LIMIT 1';
my $entries = "SELECT count(*) FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = 1";
my $count = $s->sql($entries);

# Runs SQL as regress_app, then asks who acts and lets it act.  $expected are
# the SQLSTATEs of errors and warnings.
sub attempt
{
	my ($what, $sql, $expected, %opt) = @_;
	my $as = $opt{acts} || 'regress_app';
	my (undef, $out, $err) = $s->psql("\\set ON_ERROR_ROLLBACK on\n$sql\n\\echo now\n$who\n$see\n$say\n" . ($opt{after} || ''),
		user => 'regress_app', on_error_stop => 0, %opt);
	my $got = join ' ', $err =~ /(?:ERROR|FATAL|WARNING):\s+(\w{5})/g;
	is($got, $expected, $what) or diag $err;
	my ($answer, $secrets) = $out =~ /^now\n(.*?)\n(\d+)\n/ms;
	is($answer, $as, "$what: the role acts");
	is($secrets, $as eq 'dora' ? 1 : 0, "$what: and sees what it may");
	is($s->sql($last), "$as|regress_app|" . ($opt{role} || 'regress_app'), "$what: and is in the ledger");
	is($s->sql($entries), ++$count, "$what: once");
	return;
}

attempt('an ordinary session', '', '');

# name, SQL, what a connection says that does not know the parameter yet (the
# warnings are those of the library, when it takes over or drops what it finds),
# and what one says that has the library
my @attempts = (
	['SET', "SET changemgmt.actor = 'dora';", '42501', '42501'],
	['SET TO', 'SET changemgmt.actor TO dora;', '42501', '42501'],
	['SET SESSION', "SET SESSION changemgmt.actor = 'dora';", '42501', '42501'],
	['SET LOCAL', "BEGIN; SET LOCAL changemgmt.actor = 'dora';", '42501', '42501', after => 'COMMIT;'],
	['SET LOCAL in a savepoint', "BEGIN; SAVEPOINT a; SET LOCAL changemgmt.actor = 'dora'; RELEASE a;", '42501', '42501', after => 'COMMIT;'],
	['SET in a savepoint, rolled back', "BEGIN; SET changemgmt.actor = 'dora'; SAVEPOINT a; SET LOCAL changemgmt.actor = 'max'; $who ROLLBACK TO a;",
		'42501 42501', '42501 42501', after => 'COMMIT;'],
	['the library loaded in a transaction that is rolled back', "BEGIN; SET changemgmt.actor = 'dora'; $who ROLLBACK;", '42501', '42501'],
	['set_config for the session', "SELECT set_config('changemgmt.actor', 'dora', false);", '42501', '42501'],
	['set_config for the transaction', "BEGIN; SELECT set_config('changemgmt.actor', 'dora', true);", '42501', '42501', after => 'COMMIT;'],
	['set_config in the statement that acts', "SELECT set_config('changemgmt.actor', 'dora', false), changemgmt.acting_person();", '42501', '42501'],
	['another spelling', "SELECT set_config('ChangeMgmt.ACTOR', 'dora', false);", '42501', '42501'],
	['a quoted name', "SET \"changemgmt\".\"ACTOR\" = 'dora';", '42501', '42501'],
	['a prepared statement', "PREPARE p AS SELECT set_config('changemgmt.actor', 'dora', false); EXECUTE p;", '42501', '42501'],
	['DO', "DO \$\$BEGIN SET changemgmt.actor = 'dora'; END\$\$;", '42501', '42501'],
	['DO with EXECUTE', "DO \$\$BEGIN EXECUTE 'SET changemgmt.actor = ''dora'''; END\$\$;", '42501', '42501'],
	['DO that catches the error', "DO \$\$BEGIN SET changemgmt.actor = 'dora'; EXCEPTION WHEN insufficient_privilege THEN NULL; END\$\$;", '42501', ''],
	['a trigger of its own', "CREATE FUNCTION public.t() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN EXECUTE 'SET changemgmt.actor = ''dora'''; RETURN NEW; END\$\$;"
		  . ' CREATE TRIGGER t BEFORE INSERT ON public.mine FOR EACH ROW EXECUTE FUNCTION public.t(); INSERT INTO public.mine VALUES (1);',
		'42501', '42501', after => 'DROP TRIGGER t ON public.mine; DROP FUNCTION public.t();'],
	['a rule of its own', "CREATE RULE r AS ON INSERT TO public.mine DO ALSO SELECT set_config('changemgmt.actor', 'dora', false); INSERT INTO public.mine VALUES (1);",
		'42501', '42501', after => 'DROP RULE r ON public.mine;'],
	['UPDATE pg_settings', "UPDATE pg_settings SET setting = 'dora' WHERE name = 'changemgmt.actor';", '', '42501'],
	['SET FROM CURRENT', "SET changemgmt.actor = 'dora'; CREATE FUNCTION public.f() RETURNS text LANGUAGE sql SET changemgmt.actor FROM CURRENT AS 'SELECT changemgmt.acting_person()';",
		'42501 42501', '42501 42501'],
	['CREATE FUNCTION with SET', "CREATE FUNCTION public.f() RETURNS text LANGUAGE sql SET changemgmt.actor = 'dora' AS 'SELECT changemgmt.acting_person()';",
		'42501', '42501'],
	['ALTER FUNCTION with SET', "CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS 'SELECT 1::text'; ALTER FUNCTION public.f() SET changemgmt.actor = 'dora';",
		'42501', '42501', after => 'DROP FUNCTION public.f();'],
	['CREATE PROCEDURE with SET', "CREATE PROCEDURE public.f() LANGUAGE sql SET changemgmt.actor = 'dora' AS 'SELECT 1';", '42501', '42501'],
	['ALTER ROUTINE with SET', "CREATE PROCEDURE public.f() LANGUAGE sql AS 'SELECT 1'; ALTER ROUTINE public.f() SET changemgmt.actor = 'dora';",
		'42501', '42501', after => 'DROP PROCEDURE public.f();'],
	['a function with SET that a superuser made', 'SELECT public.with_clause();', '42501', '42501'],
	['a procedure with SET that a superuser made', 'CALL public.procedure_with_clause();', '42501', '42501'],
	['ALTER ROLE SET for itself', "ALTER ROLE regress_app SET changemgmt.actor = 'dora';", '42501', '42501'],
	['ALTER ROLE CURRENT_USER SET', "ALTER ROLE CURRENT_USER SET changemgmt.actor = 'dora';", '42501', '42501'],
	['ALTER ROLE IN DATABASE SET', "ALTER ROLE regress_app IN DATABASE postgres SET changemgmt.actor = 'dora';", '42501', '42501'],
	['ALTER ROLE ALL IN DATABASE SET', "ALTER ROLE ALL IN DATABASE postgres SET changemgmt.actor = 'dora';", '42501', '42501'],
	['ALTER ROLE ALL SET', "ALTER ROLE ALL SET changemgmt.actor = 'dora';", '42501', '42501'],
	['ALTER ROLE of somebody else', "ALTER ROLE regress_pool SET changemgmt.actor = 'dora';", '42501', '42501'],
	['ALTER ROLE SET FROM CURRENT', "SET changemgmt.actor = 'dora'; ALTER ROLE regress_app SET changemgmt.actor FROM CURRENT;", '42501 42501', '42501 42501'],
	['ALTER DATABASE SET by its owner', "ALTER DATABASE postgres SET changemgmt.actor = 'dora';", '42501', '42501'],
	['ALTER SYSTEM', "ALTER SYSTEM SET changemgmt.actor = 'dora';", '42501', '42501'],
	['COPY to the configuration file', "COPY (SELECT 'changemgmt.actor = dora') TO '" . $s->data . "/postgresql.auto.conf';", '42501', '42501'],
	['lo_export to it', "SELECT lo_export(lo_from_bytea(0, 'changemgmt.actor = dora'), '" . $s->data . "/postgresql.auto.conf');", '42501', '42501'],
	['pg_reload_conf', 'SELECT pg_reload_conf();', '42501', '42501'],
	['GRANT SET to itself', "GRANT SET ON PARAMETER changemgmt.actor TO regress_app; SET changemgmt.actor = 'dora';", '42501 42501', '42501 42501'],
	['GRANT of the role that may', 'GRANT regress_pool TO regress_app;', '42501', '42501'],
	['SET ROLE to the role that may', 'SET ROLE regress_pool;', '42501', '42501'],
	['SET ROLE to somebody else', 'SET ROLE dora;', '42501', '42501'],
	['set_config of role', "SELECT set_config('role', 'dora', false);", '42501', '42501'],
	['SET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION dora;', '42501', '42501'],
	['SET SESSION AUTHORIZATION to a superuser', 'SET SESSION AUTHORIZATION postgres;', '42501', '42501'],
	['a function with SET role', "CREATE FUNCTION public.f() RETURNS text LANGUAGE sql SET role = 'dora' AS 'SELECT changemgmt.acting_person()'; SELECT public.f();",
		'42501 42883', '42501 42883'],
	['ALTER ROLE SET role', "ALTER ROLE regress_app SET role = 'dora';", '', '', after => 'ALTER ROLE regress_app RESET role;'],
	['to take somebody\'s name', 'ALTER ROLE regress_app RENAME TO max;', '0A000', '0A000'],
	['to create somebody', 'CREATE ROLE max LOGIN;', '42501', '42501'],
	['RESET', 'RESET changemgmt.actor;', '', '42501'],
	['SET TO DEFAULT', 'SET changemgmt.actor TO DEFAULT;', '', '42501'],
	['RESET ALL', "SET changemgmt.actor = 'dora'; RESET ALL;", '', '42501'],
	['DISCARD ALL', "SET changemgmt.actor = 'dora';\nDISCARD ALL;", '', '42501'],
	['a longer name', "SET changemgmt.actor.x = 'dora';", '42602', '42602'],
	['a name with a blank', "SELECT set_config('changemgmt.actor ', 'dora', false);", '42602', '42602'],
	['a function of its own by the same name', "CREATE FUNCTION pg_temp.acting_person() RETURNS text LANGUAGE sql AS 'SELECT ''dora''::text'; SET search_path = pg_temp, public, changemgmt;", '', ''],
);
for my $a (@attempts)
{
	my ($what, $sql, $fresh, $loaded, %opt) = @$a;
	attempt("$what, before the library is loaded", $sql, $fresh, %opt);
	attempt("$what, after it is loaded", "$who\n$sql", $loaded, %opt);
}
is($s->sql('SELECT * FROM pg_db_role_setting'), '', 'nothing is kept for the next session');
unlike(TestServer::slurp($s->data . '/postgresql.auto.conf'), qr/dora/, 'nor in the configuration');
is($s->sql("SELECT count(*) FROM pg_proc WHERE proname IN ('f', 't') AND pronamespace = 'public'::regnamespace"), '0', 'nor as a function');

# ------------------------------------------------------------- connections

for my $o ("-c changemgmt.actor=dora", "--changemgmt.actor=dora", "-c ChangeMgmt.Actor=dora",
	"-c changemgmt.actor=max -c changemgmt.actor=dora", "-cchangemgmt.actor=dora")
{
	attempt("connection string, options='$o'", '', '42501', db => "dbname=postgres options='$o'");
	attempt("connection string, options='$o', RESET ALL", 'RESET ALL;', '42501', db => "dbname=postgres options='$o'");
	local $ENV{PGOPTIONS} = $o;
	attempt("PGOPTIONS='$o'", '', '42501');
}
attempt('a value from the connection string, taken up by SET LOCAL', 'BEGIN; SET LOCAL changemgmt.actor = \'max\';', '42501 42501',
	db => "dbname=postgres options='-c changemgmt.actor=dora'", after => 'COMMIT;');
for my $o ('-c role=dora', '-c session_authorization=dora')
{
	my ($rc, $out, $err) = $s->psql($who, user => 'regress_app', db => "dbname=postgres options='$o'");
	ok($rc && $out eq '', "connection string, options='$o': no connection");
	like($err, qr/permission denied to set (?:role|session authorization) "dora"/, "connection string, options='$o': as it says") or diag $err;
}

# The startup packet itself, past libpq.
sub message
{
	my ($socket) = @_;
	my $head = '';
	while (length $head < 5) { sysread($socket, $head, 5 - length $head, length $head) or die "the server hung up\n" }
	my ($type, $len) = unpack 'aN', $head;
	my $body = '';
	while (length $body < $len - 4) { sysread($socket, $body, $len - 4 - length $body, length $body) or die "the server hung up\n" }
	return ($type, $body);
}

sub raw
{
	my ($user, $sql, %parameters) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $s->host . '/.s.PGSQL.' . $s->port) or die "no socket: $!";
	my $packet = pack('N', 196608) . join('', map { "$_\0" } 'user', $user, 'database', 'postgres', %parameters) . "\0";
	syswrite $socket, pack('N', 4 + length $packet) . $packet;
	my (@values, @codes);
	my $ready = 0;
	while (1)
	{
		my ($type, $body) = message($socket);
		push @values, substr $body, 6 if $type eq 'D' && length $body > 6;
		push @codes, $body =~ /\0C(\w{5})\0/ if $type eq 'E' || $type eq 'N';
		last if $type eq 'E' && !$ready;
		next if $type ne 'Z';
		last if $ready++;
		my $query = "$sql\0";
		syswrite $socket, 'Q' . pack('N', 4 + length $query) . $query;
	}
	return join ' ', @values, @codes;
}
is(raw('regress_app', $who), 'regress_app', 'a startup packet by hand');
is(raw('regress_app', "$who $say", 'changemgmt.actor' => 'dora'), 'regress_app 42501', 'changemgmt.actor in the startup packet')
  or diag raw('regress_app', $who, 'changemgmt.actor' => 'dora');
is($s->sql($last), 'regress_app|regress_app|regress_app', 'changemgmt.actor in the startup packet: the role is in the ledger');
is(raw('regress_app', $who, 'CHANGEMGMT.actor' => 'dora'), 'regress_app 42501', 'the same in another spelling');
is(raw('regress_app', $who, options => '-c changemgmt.actor=dora'), 'regress_app 42501', 'options in the startup packet');
is(raw('regress_pool', $who, 'changemgmt.actor' => 'dora'), 'dora', 'a role with the grant names the actor in the startup packet');
is(raw('postgres', $who, 'changemgmt.actor' => 'dora'), 'dora', 'and so does a superuser');
$count = $s->sql($entries);

# --------------------------------------------- what superusers can arrange

$s->sql("ALTER ROLE regress_app SET changemgmt.actor = 'dora'");
attempt('ALTER ROLE SET by a superuser', '', '', acts => 'dora');
attempt('ALTER ROLE SET by a superuser, RESET', 'RESET changemgmt.actor;', '', acts => 'dora');
attempt('ALTER ROLE SET by a superuser, RESET when the library is there', "$who RESET changemgmt.actor;", '42501', acts => 'dora');
attempt('ALTER ROLE SET by a superuser, another', "SET changemgmt.actor = 'max';", '42501', acts => 'dora');
attempt('ALTER ROLE SET by a superuser, DISCARD ALL', "$who\nDISCARD ALL;", '', acts => 'dora');
is($s->sqlstate('ALTER ROLE regress_app RESET changemgmt.actor', user => 'regress_app'), '42501', 'the role itself cannot drop it');
$s->sql('ALTER ROLE regress_app RESET changemgmt.actor');
$s->sql("ALTER DATABASE postgres SET changemgmt.actor = 'dora'");
attempt('ALTER DATABASE SET by a superuser', '', '', acts => 'dora');
$s->sql('ALTER DATABASE postgres RESET changemgmt.actor');
$s->sql('GRANT ALTER SYSTEM ON PARAMETER changemgmt.actor TO regress_app');
is($s->sqlstate("$who ALTER SYSTEM SET changemgmt.actor = 'dora'", user => 'regress_app'), '',
	'GRANT ALTER SYSTEM is a grant, too: it makes everybody somebody');
attempt('but does not let SET', "SET changemgmt.actor = 'max';", '42501');
$s->reload;
$s->wait_for('SELECT changemgmt.acting_person()', 'dora');
$s->sql("$who ALTER SYSTEM RESET changemgmt.actor");
$s->reload;
$s->wait_for('SELECT changemgmt.acting_person()', 'postgres');
$s->sql('REVOKE ALTER SYSTEM ON PARAMETER changemgmt.actor FROM regress_app');
$s->sql('ALTER ROLE regress_app RENAME TO regress_before; ALTER ROLE dora RENAME TO regress_dora; ALTER ROLE regress_before RENAME TO dora');
is($s->sql($who, user => 'dora'), 'dora', 'a role acts as whom it is named: who may rename or create roles may be anybody');
$s->sql('ALTER ROLE dora RENAME TO regress_before; ALTER ROLE regress_dora RENAME TO dora; ALTER ROLE regress_before RENAME TO regress_app');

# ------------------------------------------------ the grant, taken away

my $session = $s->session(user => 'regress_pool', on_error_stop => 0, verbosity => 'sqlstate');
sub ask
{
	my ($sql) = @_;
	my ($out, $err) = map { length } $session->output, $session->errors;
	$session->send($sql);
	$session->sync;
	return join ' ', grep({ !/^done \d+$/ } split /\n/, substr $session->output, $out),
	  substr($session->errors, $err) =~ /(?:ERROR|FATAL|WARNING):\s+(\w{5})/g;
}
is(ask("SET changemgmt.actor = 'dora'; $who"), 'dora', 'a session with the grant');
$s->sql('REVOKE SET ON PARAMETER changemgmt.actor FROM regress_pool');
is(ask("$who $say"), 'dora', 'which is revoked: what it has set stays in force, until the session ends or says DISCARD ALL');
is($s->sql($last), 'dora|regress_pool|regress_pool', 'the ledger tells who it was');
is(ask("SET changemgmt.actor = 'max'; $who"), 'dora 42501', 'but it sets nobody else');
is(ask("BEGIN; SET LOCAL changemgmt.actor = 'max';") . ask("ROLLBACK; $who"), '42501dora', 'nor by SET LOCAL');
is(ask("RESET changemgmt.actor; $who"), 'dora 42501', 'nor by RESET itself');
is(ask("DISCARD ALL;") . ask($who), 'regress_pool', 'DISCARD ALL makes it the role');
is(ask("SET changemgmt.actor = 'dora';"), '42501', 'for good');
$session->finish;
$s->sql('GRANT SET ON PARAMETER changemgmt.actor TO regress_pool');

# --------------------------------------------------- parallel workers

# A function that is declared safe, though what it calls is not, does reach
# workers.

$s->sql(<<'EOSQL');
CREATE TABLE public.many AS SELECT i FROM generate_series(1, 1000) AS i;
GRANT SELECT ON public.many TO PUBLIC;
ALTER TABLE public.many SET (parallel_workers = 2);
CREATE FUNCTION public.in_worker() RETURNS text LANGUAGE plpgsql PARALLEL SAFE
    AS 'BEGIN RETURN pg_backend_pid() || '' '' || changemgmt.acting_person(); END';
EOSQL
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;'
  . ' SET parallel_leader_participation = off;';
my $workers = "SELECT DISTINCT split_part(w, ' ', 1) <> pg_backend_pid()::text, split_part(w, ' ', 2) FROM (SELECT public.in_worker() AS w FROM public.many OFFSET 0) AS x;";
for my $p (
	['regress_app', '', 'regress_app'],
	['regress_app', "$who SET changemgmt.actor = 'dora';", 'regress_app'],
	['regress_app', "SET changemgmt.actor = 'dora';", 'regress_app'],
	['regress_pool', "$who SET changemgmt.actor = 'dora';", 'dora'],
	['regress_pool', "$who BEGIN; SET LOCAL changemgmt.actor = 'dora';", 'dora'],
	['postgres', "$who SET changemgmt.actor = 'dora';", 'dora'],
	['postgres', 'SET ROLE dora;', 'dora'],
	['postgres', 'SET SESSION AUTHORIZATION dora;', 'dora'])
{
	my ($user, $before, $acts) = @$p;
	my (undef, $out) = $s->psql("$parallel\n$before\n\\echo now\n$workers", user => $user, on_error_stop => 0);
	$out =~ s/.*now\n//s;
	is($out, "t|$acts\n", "a parallel worker of $user after '$before' sees who acts");
}
my $plan = $s->sql("$parallel EXPLAIN (COSTS off) SELECT i FROM public.many WHERE changemgmt.acting_person() = i::text");
like($plan, qr/^Seq Scan/, 'acting_person itself is not given to workers');

is($s->sql('SELECT * FROM changemgmt.verify_ledger()'), '', 'the ledger is whole');
done_testing;
