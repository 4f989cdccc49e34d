# Statements that are cancelled at any point of their work, and rules that
# cannot be read: nothing is half, and the session goes on as if nothing had
# been.
use strict;
use warnings;

use Time::HiRes qw(time);

use TestServer;
use Test::More;
use Walks;

my $s = TestServer->new(conf => "autovacuum = off\njit = off\nmax_parallel_workers_per_gather = 0\n");
$s->start;
Walks::setup($s);

sub errors_of
{
	my ($session, $from) = @_;
	my %errors;
	$errors{$_}++ for substr($session->errors, $from || 0) =~ /(?:ERROR|FATAL|PANIC):\s+(\w+)/g;
	return \%errors;
}

# ------------------------------------------------------------------ cancelled

# Each step is a transaction of its own, with the note how far the walk is.  So
# whoever is cut off goes on there, and has to meet the answers of one who is
# not.
$s->sql(<<'EOSQL');
CREATE TABLE public.progress (walk text PRIMARY KEY, id bigint, place int NOT NULL DEFAULT 0, done int NOT NULL DEFAULT 0);
INSERT INTO public.progress (walk) VALUES ('board'), ('back'), ('fail'), ('rules');
CREATE TABLE public.stop (at timestamptz);
CREATE PROCEDURE public.go_on(name text) LANGUAGE plpgsql AS $$
DECLARE
    v public.step;
    p public.progress;
BEGIN
    WHILE NOT EXISTS (SELECT FROM public.stop) LOOP
        SELECT * INTO p FROM public.progress WHERE walk = name;
        SELECT * INTO v FROM public.step WHERE walk = name AND place > p.place ORDER BY place LIMIT 1;
        IF FOUND THEN
            p.id := public.take(v, p.id, p.id IS NULL);
            UPDATE public.progress SET id = p.id, place = v.place WHERE walk = name;
            COMMIT;
        ELSE
            UPDATE public.progress SET id = NULL, place = 0, done = done + 1 WHERE walk = name;
            COMMIT;
            EXIT;
        END IF;
    END LOOP;
END $$;
SET changemgmt.actor = 'otto';
INSERT INTO changemgmt.change (title, model, description) SELECT 'many ' || n, 'lean_normal', 'none' FROM generate_series(1, 300) AS n;
EOSQL

my $round = <<'EOSQL';
CALL public.go_on('board');
CALL public.go_on('back');
UPDATE changemgmt.change SET description = 'of ' || now() WHERE title LIKE 'many %' AND id % 10 = 0;
CALL public.go_on('board');
CALL public.go_on('fail');
INSERT INTO changemgmt.change_comment (change_id, body) SELECT id, 'of ' || now() FROM changemgmt.change WHERE title LIKE 'many %';
CALL public.go_on('board');
SELECT count(*) FROM changemgmt.verify_ledger() \g /dev/null
CALL public.go_on('board');
SELECT count(*) FROM changemgmt.monthly_metrics \g /dev/null
CALL public.go_on('rules');
EOSQL
my $session = $s->session(on_error_stop => 0, verbosity => 'sqlstate');
$session->send("SET changemgmt.actor = 'otto';\nSELECT 'pid ' || pg_backend_pid();");
$session->sync;
my ($pid) = $session->output =~ /^pid (\d+)/m;
my $used = q{SELECT 'used ' || sum(used_bytes) FROM pg_backend_memory_contexts WHERE name = 'TopMemoryContext' OR name LIKE 'changemgmt%'};

sub sound
{
	my ($what, $from, $at_least) = @_;
	my $errors = errors_of($session, $from);
	my $cancelled = delete $errors->{57014} || 0;
	cmp_ok($cancelled, '>', $at_least, "$what: statements were cut off");
	is_deeply($errors, {}, "$what: and had the right answers otherwise") or diag(substr $session->errors, $from, 3000);
	is($s->sql("SELECT count(*) FROM pg_locks WHERE pid = $pid"), '0', "$what: no lock is left");
	is($s->sql(Walks::not_whole()), '', "$what: nothing is half");
	is($s->sql(<<'EOSQL'), 't|t', "$what: statements on many rows did all or nothing");
SELECT (SELECT count(DISTINCT description) = 1 FROM changemgmt.change WHERE title LIKE 'many %' AND id % 10 = 0),
       (SELECT count(*) % 300 = 0 FROM changemgmt.change_comment WHERE body LIKE 'of %')
EOSQL
	note "$what: $cancelled cut off; ", $s->sql("SELECT string_agg(walk || ' ' || done || '+' || place, ', ') FROM public.progress");
	return;
}

# by another session
my $from = length $session->errors;
my $other = $s->session;
$other->send(<<"EOSQL");
DO \$\$
BEGIN
    FOR i IN 1 .. 1500 LOOP
        PERFORM pg_cancel_backend($pid), pg_sleep(random() * 0.003);
    END LOOP;
    INSERT INTO public.stop VALUES (now());
END \$\$;
EOSQL
for (1 .. 5000)
{
	$session->send($round);
	$session->sync;
	last if $s->sql('SELECT count(*) FROM public.stop') > 0;
}
$other->finish;
sound('pg_cancel_backend', $from, 50);
$s->sql('TRUNCATE public.stop');

# by the clock
for my $part (1 .. 4)
{
	$from = length $session->errors;
	for my $ms (1 .. 6, 40, 1 .. 5)
	{
		$session->send("SET statement_timeout = $ms;\n$round\nSET statement_timeout = 0;");
	}
	$session->reset_timeout;
	$session->send("$used;");
	$session->sync;
	sound("statement_timeout $part", $from, 20);
}
my @used = $session->output =~ /^used (\d+)/mg;
# what leaks, leaks each time; what grows once (a cache, a hash table) does not
my ($least) = sort { $a <=> $b } map { $used[$_] - $used[$_ - 1] } 2, 3;
cmp_ok($least, '<=', 65536, 'what was cut off left no memory behind') or diag("@used");

$from = length $session->errors;
$session->send("CALL public.go_on('$_');") for qw(board back fail rules);
$session->send("SELECT public.walk('board');\nSELECT public.walk('rules');\nSELECT public.cheap(3);");
$session->sync;
is_deeply(errors_of($session, $from), {}, 'the session that was cut off so often is sound');
is($s->sql('SELECT bool_and(done > 0) FROM public.progress'), 't', 'and every walk comes to its end');

# ---------------------------------------------------------- long work in C

my $rows = $s->tempname;
TestServer::spew($rows, join '', map { "loaded $_\tlean_normal\tdraft\n" } 1 .. 40_000);
$s->sql(<<'EOSQL');
SET changemgmt.actor = 'otto';
CREATE TABLE public.wide AS SELECT (SELECT array_agg('element ' || n) FROM generate_series(1, 2000000) AS n) AS a;
CREATE TABLE public.rates AS SELECT changemgmt.rate(n % 7, 7) AS r FROM generate_series(1, 1500000) AS n;
SELECT count(changemgmt.create_change_from(jsonb_build_object('title', 'fat ' || n, 'model', 'lean_normal',
    'attributes', (SELECT jsonb_object_agg('key ' || k, repeat('x', 40)) FROM generate_series(1, 8000) AS k))))
FROM generate_series(1, 20) AS n;
EOSQL
my %long = (
	'verify_ledger' => 'SELECT count(*) FROM changemgmt.verify_ledger()',
	'the digest of one row' => 'SELECT changemgmt.row_digest(w) FROM public.wide AS w',
	'an aggregate' => 'SELECT changemgmt.rate_sum(r) FROM public.rates',
	'an aggregate that moves' => 'SELECT count(s) FROM (SELECT changemgmt.rate_sum(r) OVER (ROWS 5 PRECEDING) AS s FROM public.rates) AS w',
	'parts of one change' => "INSERT INTO changemgmt.change_comment (change_id, body) SELECT 1, 'long' FROM generate_series(1, 15000)",
	'parts of many changes' => "INSERT INTO changemgmt.change_comment (change_id, body) SELECT id, 'long' FROM changemgmt.change, generate_series(1, 10) WHERE title LIKE 'many %'",
	'an UPDATE of many rows' => "UPDATE changemgmt.change SET description = 'long' WHERE title LIKE 'many %' OR title LIKE 'fat %'",
	'a load' => "COPY changemgmt.change (title, model, status) FROM '$rows'",
);
for my $what (sort keys %long)
{
	# on a busy machine the second may be slower than the first, but not always
	my ($state, $soon);
	for my $trial (1 .. 5)
	{
		my $begin = time;
		$s->sql("SET changemgmt.actor = 'otto'; BEGIN; $long{$what}; ROLLBACK;");
		my $whole = time - $begin;
		my $ms = 1 + int($whole * 100);
		$begin = time;
		$state = $s->sqlstate("SET changemgmt.actor = 'otto'; BEGIN; SET statement_timeout = $ms; $long{$what};");
		my $cut = time - $begin;
		note sprintf '%s: %.2f s, cut off after %d ms at %.2f s', $what, $whole, $ms, $cut;
		$soon = $state eq '57014' && $cut < 0.1 + 0.7 * $whole;
		last if $soon;
	}
	is($state, '57014', "$what: is cut off");
	ok($soon, "$what: and soon");
}
is($s->sql("SELECT count(*) FROM changemgmt.change_comment WHERE body = 'long'"), '0', 'none of it is there');
is($s->sql("SELECT count(*) FROM changemgmt.change WHERE title LIKE 'loaded %'"), '0', 'nor of the load');
is($s->sql("SELECT count(*) FROM changemgmt.load"), '0', 'which is not recorded either');
is($s->sql(Walks::not_whole()), '', 'long work: nothing is half');

# ------------------------------------------------- rules that cannot be read

# Per cached table: how the rules change, what a session asks then, and the
# answer; %d is the number of the trial.
$s->sql(<<'EOSQL');
CREATE FUNCTION public.no(bigint) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'no'::text $$;
SET changemgmt.actor = 'otto';
SELECT changemgmt.create_business_calendar('asked_0', 'UTC', 'MO-SU'), changemgmt.create_business_calendar('hours', 'UTC', 'MO-SU'),
	changemgmt.create_business_calendar('days', 'UTC', 'MO-SU'), changemgmt.add_holiday('days', '2030-01-01');
SELECT changemgmt.create_change('asked', model => 'lean_normal', source => 'cache', source_key => 'asked');
EOSQL
my %caches = (
	site_setting => [ "SELECT changemgmt.set_setting('number_prefix', chr(65 + %d % 26))",
		"SELECT 'is ' || left(changemgmt.change_number(1), 1)", sub { chr(65 + $_[0] % 26) } ],
	business_calendar => [ "UPDATE changemgmt.business_calendar SET name = 'asked_%d' WHERE name LIKE 'asked%'",
		"SELECT 'is ' || changemgmt.business_days_between('2030-01-01', '2030-01-03', 'asked_%d')", sub { 2 } ],
	business_hours => [ "UPDATE changemgmt.business_hours SET opens = make_time(0, %d, 0) WHERE calendar_id = changemgmt.business_calendar_id('hours')",
		"SELECT 'is ' || extract(epoch FROM changemgmt.business_duration('2030-01-01', '2030-01-02', 'hours'))::int", sub { 86400 - 60 * $_[0] } ],
	holiday => [ "UPDATE changemgmt.holiday SET day = date '2030-01-01' + %d WHERE calendar_id = changemgmt.business_calendar_id('days')",
		"SELECT 'is ' || changemgmt.business_days_between('2030-01-01', '2030-01-01'::timestamptz + make_interval(days => %d), 'days')", sub { $_[0] - 1 } ],
	site_model => [ 'SELECT public.publish(%d)',
		"SELECT changemgmt.create_change('t', template => 'walked') \\g /dev/null\nSELECT 'is ' || description FROM changemgmt.change ORDER BY id DESC LIMIT 1",
		sub { "of day $_[0]" } ],
	site_requirement => [ "SELECT changemgmt.register_requirement('rule_%d', 'public.no(bigint)', '{plan}')",
		"SELECT 'is ' || max(requirement) FROM changemgmt.why_not((SELECT max(id) FROM changemgmt.change WHERE title = 'asked'), 'plan') WHERE requirement LIKE 'rule%'",
		sub { "rule_$_[0]" } ],
	change_window => [ "INSERT INTO changemgmt.change_window (name, kind, starts_at, ends_at, environment, reason) VALUES ('asked', 'blackout', '2030-01-01', '2030-01-03', 'development', 'of day %d') ON CONFLICT (name) DO UPDATE SET reason = excluded.reason",
		"SELECT 'is ' || reason FROM changemgmt.window_state(NULL, '2030-01-02', 'development')", sub { "inside the blackout \"asked\" (of day $_[0])" } ],
	person => [ "UPDATE changemgmt.person SET login = 'vera_%d' WHERE login LIKE 'vera%'",
		"SELECT 'is ' || login FROM changemgmt.person WHERE id = changemgmt.person_id('vera_%d')", sub { "vera_$_[0]" } ],
);
sub numbered { my ($sql, $number) = @_; return $sql =~ s/%d/$number/gr }

my $trial = 0;
for my $table (sort keys %caches)
{
	my ($change, $ask, $answer) = @{ $caches{$table} };
	for my $manner ('fresh', 'warm', 'savepoint', 'repeatable')
	{
		my $number = ++$trial;
		my $client = $s->session(on_error_stop => 0, verbosity => 'sqlstate');
		$client->send("SET changemgmt.actor = 'otto'; SET lock_timeout = '50ms';");
		if ($manner ne 'fresh')
		{
			$s->sql(numbered($change, $number));
			$client->send(numbered("$ask;", $number));
			$client->sync;
			$number = ++$trial;
		}
		$s->sql(numbered($change, $number));
		my $locker = $s->session;
		$locker->send("BEGIN; LOCK TABLE changemgmt.$table IN ACCESS EXCLUSIVE MODE;");
		$locker->sync;
		$client->send('BEGIN; SAVEPOINT a;') if $manner eq 'savepoint';
		$client->send('SET default_transaction_isolation = "repeatable read";') if $manner eq 'repeatable';
		$client->send(numbered("$ask;\n$ask;", $number));
		$client->send('ROLLBACK TO a;') if $manner eq 'savepoint';
		$client->sync;
		my $errors = errors_of($client);
		delete $errors->{'25P02'};
		ok($errors->{'55P03'} && keys %$errors == 1, "$table, $manner: cannot be read") or diag($client->errors);
		$locker->send('COMMIT;');
		$locker->finish;
		$client->send(numbered("$ask;", $number));
		$client->send('COMMIT;') if $manner eq 'savepoint';
		$client->sync;
		my (undef, $out, $err) = $client->finish;
		my @answers = $out =~ /^is (.*)$/mg;
		is($answers[-1], $answer->($number), "$table, $manner: then is read as it stands") or diag($err);
	}
}

# the columns of change
my $client = $s->session(on_error_stop => 0, verbosity => 'sqlstate');
my $edit = "SELECT 'is ' || status FROM changemgmt.edit_change((SELECT max(id) FROM changemgmt.change WHERE source_key = 'asked'), '{\"title\": \"%s\"}');";
$client->send("SET changemgmt.actor = 'otto';\n" . sprintf $edit, 'once');
$client->sync;
$s->sql('ALTER TABLE changemgmt.change RENAME COLUMN title TO other');
$client->send(sprintf "$edit\n$edit", 'twice', 'twice');
$client->sync;
is_deeply(errors_of($client), { 42703 => 2 }, 'a column cannot be found');
$s->sql('ALTER TABLE changemgmt.change RENAME COLUMN other TO title');
$client->send(sprintf $edit, 'asked');
$client->sync;
$client->finish;
is($s->sql("SELECT title FROM changemgmt.change WHERE source_key = 'asked'"), 'asked', 'then is found again');
is($s->sql(Walks::not_whole()), '', 'rules that could not be read: nothing is half');

done_testing;
