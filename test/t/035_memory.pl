# One session calls each C function of the extension again and again, more than
# a hundred thousand times, with errors in the middle: its memory does not grow.
use strict;
use warnings;

use TestServer;
use Test::More;
use Walks;

# what is not counted: called by COPY, by sorts, as an event trigger; and what
# always refuses
my %uncounted = map { $_ => 1 } qw(rate_recv rate_sortsupport recurrence_recv occurrences_support ledger_guard truncate_guard drop_guard
	auc_accum auc_combine auc_serial auc_deserial auc_final);
my $rounds = 12;

my $s = TestServer->new(conf => "autovacuum = off\njit = off\ntrack_functions = all\nmax_parallel_workers_per_gather = 0\n");
$s->start;
Walks::setup($s);
my $rates = $s->tempname;
$s->sql(<<"EOSQL");
CREATE TABLE public.rates (r changemgmt.rate);
INSERT INTO public.rates SELECT changemgmt.rate(n, 2 * n) FROM generate_series(1, 1000) AS n;
COPY public.rates TO '$rates' (FORMAT binary);
EOSQL

# A round is many transactions, some of them refused at top level.
my $round = <<"EOSQL" . <<'EOSQL';
COPY public.rates FROM '$rates' (FORMAT binary);
EOSQL
TRUNCATE public.rates;
SELECT public.walk(w) FROM unnest(ARRAY['board', 'back', 'fail', 'abort', 'cancel', 'template']) AS w \g /dev/null
SELECT public.walk('rules') \g /dev/null
SELECT public.cheap(50) \g /dev/null
SELECT public.cheap(50) \g /dev/null
COPY changemgmt.change_comment (change_id, body) FROM STDIN;
1	before our time
\.
\set ON_ERROR_STOP off
COPY changemgmt.change_comment (change_id, body) FROM STDIN;
1	before our time
x	no number
\.
SELECT changemgmt.approve(1) \g /dev/null
INSERT INTO changemgmt.change_comment (change_id, body) SELECT 1 + 0 / (3 - n), 'half' FROM generate_series(1, 3) AS n;
\set ON_ERROR_STOP on
BEGIN;
SET LOCAL changemgmt.actor = 'otto';
SAVEPOINT a;
SELECT changemgmt.set_setting('number_prefix', 'X') \g /dev/null
SELECT public.publish(extract(epoch FROM clock_timestamp())::int % 1000) \g /dev/null
SELECT id FROM changemgmt.create_change('walk', template => 'walked') \gset
SELECT changemgmt.plan(:id) \g /dev/null
ROLLBACK TO a;
SELECT changemgmt.change_number(1) \g /dev/null
SELECT public.publish(0) \g /dev/null
SELECT id FROM changemgmt.create_change('walk', template => 'walked') \gset
SELECT changemgmt.plan(:id) \g /dev/null
ROLLBACK;
EOSQL

my $measure = Walks::memory($s);

my $session = $s->session(verbosity => 'sqlstate');
my $read = 0;

sub answers
{
	$session->sync;
	my $new = substr $session->output, $read;
	$read += length $new;
	return $new;
}

# Asked twice: what the first asking leaves in the caches is its own.
sub used
{
	answers();
	$session->send($measure);
	answers();
	$session->send($measure);
	return { map { my ($name, $count, $bytes) = split /\t/; ($name => [ $count, $bytes ]) }
		  grep { /\t/ } split /\n/, answers() };
}

# Growth from one measure to another: how many contexts and bytes more, in
# those that match.
sub growth
{
	my ($from, $to, $which) = @_;
	my @sum = (0, 0);
	for my $name (grep { $_ =~ $which } keys %{ { %$from, %$to } })
	{
		$sum[$_] += ($to->{$name} || [ 0, 0 ])->[$_] - ($from->{$name} || [ 0, 0 ])->[$_] for 0, 1;
	}
	return @sum;
}

$session->send("SELECT 'pid ' || pg_backend_pid();");
my ($pid) = answers() =~ /^pid (\d+)/m;

# kB that the process has for data, also what was taken past all contexts
sub data_size
{
	return TestServer::slurp("/proc/$pid/status", 10000) =~ /^VmData:\s+(\d+)/m ? $1 : 0;
}

# Plans become generic, and caches are filled, in the first rounds.
my $warm_up = 10;
$session->send($round x $warm_up);
my $first = used();
$session->send($round x $rounds);
my $n = used();
my $data_n = data_size();
$session->send($round x (2 * $rounds));
my $n3 = used();
my $data_n3 = data_size();
$session->send('SELECT pg_stat_force_next_flush();');
$session->send('SELECT 1;');
answers();

my %errors;
$errors{$_}++ for $session->errors =~ /(?:ERROR|FATAL|PANIC):\s+(\w+)/g;
my $all_rounds = $warm_up + 3 * $rounds;
is_deeply(\%errors, { '22P02' => $all_rounds, '22012' => $all_rounds, 'MC003' => $all_rounds }, 'every round was played, with its errors') or diag(substr $session->errors, 0, 2000);

for my $name (sort { $a cmp $b } keys %$n3)
{
	my ($a, $b, $c) = map { $_->{$name} || [ 0, 0 ] } $first, $n, $n3;
	note sprintf '%-30s %5d %9d  %+6d %+8d  %+6d %+8d', $name, @$a, $b->[0] - $a->[0], $b->[1] - $a->[1], $c->[0] - $b->[0], $c->[1] - $b->[1]
	  if "@$a" ne "@$c";
}

# A leak of 16 bytes in a function that a round calls once would be more.
# The server's own books of open files, counters and plans breathe a little.
my $servers = 'MdSmgr|PrivateRefCount|smgr relation table|PgStat Pending|CachedPlan|CachedPlanSource|CachedPlanQuery';
my ($contexts, $bytes) = growth($n, $n3, qr/^(?!(?:$servers)$)/);
is($contexts, 0, 'no context more after three times the calls');
cmp_ok($bytes, '<=', 400, 'and no memory');
($contexts, $bytes) = growth($n, $n3, qr/^(?:$servers)$/);
cmp_ok($contexts, '<=', 5, 'no plan more');
cmp_ok($bytes, '<=', 65536, 'nor memory of plans');
SKIP:
{
	skip 'no /proc', 1 if !$data_n;
	# malloc takes from the system in steps of its own
	cmp_ok($data_n3 - $data_n, '<=', 4096, 'nor memory of the process');
}

is($s->sql(<<'EOSQL'), 't', 'more than 100 thousand calls');
SELECT sum(calls) > 100000 FROM pg_stat_user_functions WHERE schemaname = 'changemgmt'
EOSQL
my @missing = grep { !$uncounted{ (split /\(/)[0] } } map { s/^changemgmt\.//r } split /\n/, $s->sql(<<"EOSQL");
SELECT p.oid::regprocedure::text FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
LEFT JOIN pg_stat_user_functions AS f ON f.funcid = p.oid
WHERE p.pronamespace = 'changemgmt'::regnamespace AND l.lanname = 'c' AND coalesce(f.calls, 0) < $all_rounds
ORDER BY 1
EOSQL
is("@missing", '', 'every C function was called in each round');

# Tables come and go: the session keeps nothing for those that are gone.
my $tables = <<'EOSQL';
DO $$
BEGIN
    FOR i IN 1 .. 200 LOOP
        CREATE TEMP TABLE of_a_while AS SELECT n, 'text ' || n AS t FROM generate_series(1, 3) AS n;
        PERFORM changemgmt.row_digest(w) FROM of_a_while AS w;
        DROP TABLE of_a_while;
    END LOOP;
END $$;
EOSQL
$session->send($tables);
my $some = used();
$session->send($tables);
my (undef, $top) = growth($some, used(), qr/^TopMemoryContext$/);
cmp_ok($top, '<=', 400, 'nothing is kept of tables that are gone');

$session->finish;
is($s->sql(Walks::not_whole()), '', 'everything that was done is in the ledger');
done_testing;
