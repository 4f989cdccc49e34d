# Memory runs out at any point of a verb, of an edit, of the reading of rules,
# in sessions that have just begun and in others: the answer is 53200, nothing
# is half, and the same call gives its right answer right after.
#
# A call fails a few times, at allocations that are spread over it.  With
# CHANGEMGMT_OUT_OF_MEMORY=500 it fails 500 times more, and with =all at each
# allocation, which takes hours.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);

use TestServer;
use Test::More;
use Walks;

my $more = ($ENV{CHANGEMGMT_OUT_OF_MEMORY} || 0) eq 'all' ? 1e9 : $ENV{CHANGEMGMT_OUT_OF_MEMORY} || 0;
my $here = dirname(abs_path(__FILE__));
my $s = TestServer->new(conf => "autovacuum = off\njit = off\nmax_parallel_workers_per_gather = 0\n");
my $library = $s->dir . '/alloc_fail.so';
chomp(my ($cc, $include) = map { scalar `$TestServer::pg_config --$_` } qw(cc includedir-server));
my ($status, undef, $why) = $s->run('sh', '-c', "$cc -O2 -fPIC -shared -isystem '$include' -o '$library' '$here/alloc_fail.c'");
plan skip_all => "alloc_fail.c can't be built here with $cc: " . ($why =~ /(.*error.*)/ ? $1 : $why) if $status;
$s->start;
Walks::setup($s);
$s->sql(<<"EOSQL");
CREATE FUNCTION public.alloc_fail(bigint) RETURNS void LANGUAGE c AS '$library';
CREATE FUNCTION public.alloc_count() RETURNS bigint LANGUAGE c AS '$library';
CREATE FUNCTION public.alloc_forget() RETURNS void LANGUAGE c AS '$library';
-- so that rules that were not read answer otherwise
SELECT changemgmt.set_setting('number_prefix', 'RFC-');
EOSQL

# --------------------------------------------------------------- the statements

my %walks;
for (split /\x1e/, $s->sql(q{SELECT string_agg(concat_ws(E'\x1f', walk, actor, refusal, statement), E'\x1e' ORDER BY place) FROM public.step}))
{
	my ($walk, $actor, $refusal, $statement) = split /\x1f/;
	push @{ $walks{$walk} }, { actor => $actor, refusal => $refusal || '00000', sql => $statement =~ s/\$1/:id/gr };
}
my $rates = $s->tempname;
TestServer::spew($rates, join '', map { "loaded $_\tlean_normal\tdraft\n" } 1 .. 20);
$walks{more} = [ map { { actor => 'otto', refusal => '00000', sql => $_ } }
	  q{SELECT changemgmt.person_id('mona')},
	  q{SELECT public.publish(1)},
	  q{SELECT changemgmt.set_setting('number_width', '8')},
	  q{SELECT changemgmt.change_number(7)},
	  q{SELECT * FROM changemgmt.create_change('t', template => 'walked')},
	  q{SELECT * FROM changemgmt.verify_ledger()},
	  q{SELECT count(*) FROM changemgmt.ledger_checkpoint()},
	  q{SELECT changemgmt.rate_sum(changemgmt.rate(n, n + 1)), changemgmt.change_failure_rate(n % 3 = 0) FROM generate_series(1, 50) AS n},
	  q{SELECT changemgmt.rate_sum(changemgmt.rate(n, n + 1)) OVER (ROWS 3 PRECEDING) FROM generate_series(1, 20) AS n},
	  q{SELECT r FROM (SELECT changemgmt.rate(n % 5, 7) AS r FROM generate_series(1, 50) AS n) AS x GROUP BY r ORDER BY r},
	  q{SELECT '3/7'::changemgmt.rate::text::changemgmt.rate, changemgmt.rate(3, 7)::numeric, changemgmt.merkle_root(ARRAY[sha256('x'), sha256('y')])},
	  q{SELECT changemgmt.add_business_days('2026-01-01', 5)},
	  q{SELECT changemgmt.change_calendar('2026-01-01', '2027-01-01')},
	  q{SELECT count(*), min(starts_at), max(ends_at) FROM changemgmt.occurrences('DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=MONTHLY;BYDAY=TU,TH;BYSETPOS=2,-1 EXDATE:20260108T020000', '[2026-01-01,2028-01-01)')},
	  q{SELECT changemgmt.contains(r, '2026-07-07 00:30Z'), changemgmt.next_occurrence(r, '2026-07-07'), r, changemgmt.recurrence_send(r) FROM (SELECT ('DTSTART:20260106T020000Z DURATION:P' || n || 'D RRULE:FREQ=YEARLY;BYMONTH=' || n)::changemgmt.recurrence AS r FROM generate_series(1, 5) AS n) AS x ORDER BY r},
	  q{SELECT changemgmt.set_ci('web', tags => '{pci,tax}')},
	  q{SELECT changemgmt.declare_blackout('oom', 'DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=MONTHLY;BYDAY=TU,TH;BYSETPOS=2,-1', environment => 'development', ci => 'db')},
	  q{SELECT changemgmt.add_maintenance_window('oom too', starts_at => '2026-01-01', ends_at => 'infinity', environment => 'development', tag => 'tax')},
	  q{SELECT changemgmt.open_windows(name, '[2026-01-01,2027-01-01)', 'development', tags => '{tax}') FROM changemgmt.configuration_item ORDER BY name},
	  q{SELECT * FROM changemgmt.window_state('web', '2026-07-14 00:30Z', 'development')},
	  q{SELECT changemgmt.remove_window('oom'), changemgmt.remove_window('oom too')},
	  q{SELECT * FROM changemgmt.code_list()},
	  q{SELECT * FROM changemgmt.shipped_models()},
	  q{SELECT * FROM changemgmt.requirement_list()},
	  q{SELECT * FROM changemgmt.duty_rights()},
	  q{SELECT count(*) FROM changemgmt.change_fact},
	  qq{COPY changemgmt.change (title, model, status) FROM '$rates'} ];
# it takes a second
push @{ $walks{more} }, { actor => 'otto', refusal => '00000', manners => ['warm'], sql => 'SELECT * FROM changemgmt.doctor()' };

# --------------------------------------------------------------------- failures

# Several failures in a row, each in a transaction or a subtransaction of its
# own, then the same call without.  What a call answers is printed between marks:
#   =mark NAME / its rows / =SQLSTATE counted message
srand 4711;

sub attempt
{
	my ($name, $step, $n, $before, $after) = @_;
	return "\\echo =mark $name\n$before" . ($n ? "SELECT public.alloc_fail($n) \\g /dev/null\n" : '')
	  . "$step->{sql};\n\\set state :SQLSTATE\n\\set message :LAST_ERROR_MESSAGE\n$after"
	  . ($n ? "SELECT public.alloc_count() AS counted \\gset\n" : "\\set counted 0\n")
	  . "\\echo =:state :counted :message\n";
}

# manner => [ how a session comes to it, what is before an attempt, what after ]
my %manners = (
	fresh => [ 'connect', "BEGIN;\nACTOR;", "ROLLBACK;\n" ],
	cold => [ '', "SELECT public.alloc_forget() \\g /dev/null\nBEGIN;\nACTOR;", "ROLLBACK;\n" ],
	warm => [ '', "BEGIN;\nACTOR;", "ROLLBACK;\n" ],
	savepoint => [ "BEGIN;\nACTOR;", "SAVEPOINT a;\n", "ROLLBACK TO a;\n" ],
);

sub script
{
	my ($walk, $ns) = @_;
	my $connect = "\\connect -\nSET synchronous_commit = off;\n";
	my ($script, $number) = ("$connect\\set id 0\n", 0);
	for my $step (@{ $walks{$walk} })
	{
		my $actor = "SET LOCAL changemgmt.actor = '$step->{actor}';\n";
		for my $manner (@{ $step->{manners} || [qw(warm fresh cold savepoint)] })
		{
			my ($come, $before, $after) = map { s/ACTOR;/$actor/r } @{ $manners{$manner} };
			my $name = "$walk $number $manner";
			$script .= $manner eq 'fresh' ? $connect : $come;
			# without failure: the answer, and how many allocations it takes
			$script .= attempt("$name right", $step, 0, $before, $after) if $manner eq 'warm';
			$script .= attempt("$name count", $step, 1 << 40, $before, $after) if $manner eq 'cold' && $more;
			$script .= attempt("$name $_", $step, $_, $before, $after) for $ns->($walk, $number, $manner);
			$script .= attempt("$name again", $step, 0, $before, $after);
			$script .= "ROLLBACK;\n" if $manner eq 'savepoint';
		}
		$script .= "BEGIN;\n$actor$step->{sql}" . ($number ? ' \g /dev/null' : ' \gset') . "\nCOMMIT;\n";
		$number++;
	}
	return $script;
}

# Spread evenly over the logarithm: few early ones are enough, and a call of
# thousands still has one late.
sub spread
{
	my ($walk, $number, $manner) = @_;
	return map { int exp(rand() * log($manner eq 'warm' ? 600 : $manner eq 'fresh' ? 8000 : 3000)) } 1 .. 2;
}

my %size;

sub every
{
	my ($walk, $number, $manner) = @_;
	my $size = $size{"$walk $number"} || 0;
	my $trials = $more < $size ? $more : $size;
	return $manner eq 'cold' ? map { 1 + int(($_ - 0.5) / $trials * $size) } 1 .. $trials : ();
}

my ($failed, $through, %wrong) = (0, 0);

sub masked { return $_[0] =~ s/\\x[0-9a-f]+|\d+/#/gr }

sub judge
{
	my ($walk, $output) = @_;
	my %answers;
	while ($output =~ /^=mark (\S+ (\d+) (\S+) (\S+))\n(.*?)^=(\w{5}) (-?\d+) ?([^\n]*)$/msg)
	{
		my ($name, $number, $trial, $rows, $state, $counted, $message) = ($1, $2, $4, $5, $6, $7, $8);
		my $step = $walks{$walk}[$number];
		if ($counted < 0)
		{
			$failed++;
			push @{ $wrong{'no 53200'} }, "$name: $state, $step->{sql}" if $state ne '53200';
			next;
		}
		$through++;
		$size{"$walk $number"} = $counted if $trial eq 'count';
		my $answer = masked("$state $rows" . ($state eq '00000' ? '' : $message));
		$answers{$number} = $answer if $trial eq 'right';
		push @{ $wrong{'another answer'} }, "$name: " . ($answer =~ s/\n/ | /gr) . ", $step->{sql}"
		  if $state ne $step->{refusal} || $answer ne ($answers{$number} || '');
	}
	return scalar keys %answers;
}

sub play
{
	my ($walk, $ns) = @_;
	my $begin = time;
	my (undef, $output, $errors) = $s->psql(script($walk, $ns), on_error_stop => 0, verbosity => 'sqlstate');
	is(judge($walk, $output), scalar @{ $walks{$walk} }, "$walk: every call was made") or diag(substr $errors, -500);
	note "$walk: ", time - $begin, " s; up to now $failed failed, $through did not";
	return;
}

for my $walk (qw(rules board back fail abort cancel template more))
{
	play($walk, \&spread);
	play($walk, \&every) if $more;
}

# The first call of a session: it loads the library, where settings wait already,
# and reads rules.  One that failed leaves none behind that were not read.
$walks{first} = [ map { { actor => 'otto', refusal => '00000', sql => $_ } }
	  q{SELECT changemgmt.setting_value('number_prefix')},
	  q{SELECT * FROM changemgmt.requirement_list()},
	  q{SELECT changemgmt.person_id('mona')},
	  q{SELECT * FROM changemgmt.create_change('t', template => 'walked')} ];
my ($first, $number, $reach) = ('', 0);
for my $step (@{ $walks{first} })
{
	my @attempt = ("BEGIN;\n", "ROLLBACK;\n");
	$first .= "\\connect -\nSET changemgmt.actor = 'otto';\n" . attempt("first $number fresh right", $step, 0, @attempt);
	for ($reach = 1; $reach < 4000; $reach = !$number && $reach < 20 ? $reach + 1 : int($reach * 1.4 + 0.6))
	{
		$first .= "\\connect -\nSET changemgmt.actor = 'otto';\nSET changemgmt.allow_drop = on;\n"
		  . attempt("first $number fresh $reach", $step, $reach, @attempt)
		  . attempt("first $number fresh again", $step, 0, @attempt);
	}
	$number++;
}
is(judge('first', ($s->psql($first, on_error_stop => 0))[1]), $number, 'first calls were made');
note "first: up to now $failed failed, $through did not";
is_deeply(\%wrong, {}, 'each call answers 53200, and what it should right after') or diag(explain(\%wrong));
cmp_ok($failed, '>', 500, 'memory ran out in the middle of calls');
is($s->sql(Walks::not_whole()), '', 'nothing is half');

# ----------------------------------------------------------------------- memory

# The same failures again and again leave nothing in memory, once the plans and
# caches are there that a dozen rounds make.
my $session = $s->session(on_error_stop => 0, verbosity => 'sqlstate');
$session->send("SET changemgmt.actor = 'otto';\nSELECT id FROM changemgmt.create_change('long', template => 'walked') \\gset");
my @statements = (
	q{SELECT changemgmt.edit_change(:id, '{"rollback_minutes": 7}')},
	q{SELECT changemgmt.plan(:id)},
	q{INSERT INTO changemgmt.change_risk (change_id, description, likelihood, impact) SELECT :id, 'half', 'low', 'low' FROM generate_series(1, 3)},
	q{SELECT changemgmt.set_setting('number_width', '8')},
	q{SELECT public.publish(1)},
	q{SELECT count(*) FROM changemgmt.verify_ledger('change', :id)},
	q{SELECT changemgmt.rate_sum(changemgmt.rate(n, n)) FROM generate_series(1, 100) AS n},
	q{SELECT changemgmt.advance(:id, 'awaiting_approval')},
);
my $round = join '', map { my $sql = $_; map { "BEGIN; SELECT public.alloc_fail($_) \\g /dev/null\n$sql \\g /dev/null\nROLLBACK;\n" } 2, 20, 90, 250, 700, 2000 } @statements;
my $measure = Walks::memory($s) . "\\echo measured\n";
$session->send($round x 12 . $measure . $measure . $round x 4 . $measure . $measure);
$session->sync;
my @measured = map { +{ /^([^\t\n]+)\t(\d+\t\d+)$/mg } } split /^measured\n/m, $session->output;
is(scalar(grep { $_->{TopMemoryContext} } @measured[ 0 .. 3 ]), 4, 'memory was measured four times');
my %growth;
for my $name (sort keys %{ $measured[3] })
{
	my ($from, $to) = map { [ split /\t/, $_->{$name} || "0\t0" ] } @measured[ 1, 3 ];
	next if "@$from" eq "@$to";
	# the server's own plans and counters breathe a little
	my $whose = $name =~ /^(?:MdSmgr|PrivateRefCount|smgr relation table|PgStat Pending|CachedPlan.*|SPI Plan)$/ ? 'server' : 'library';
	$growth{$whose}[$_] += $to->[$_] - $from->[$_] for 0, 1;
	note "$name: @$from -> @$to";
}
is($growth{library}[0] || 0, 0, 'no context more after the same failures');
cmp_ok($growth{library}[1] || 0, '<=', 400, 'and no memory');
cmp_ok($growth{server}[0] || 0, '<=', 10, 'no plan more');
cmp_ok($growth{server}[1] || 0, '<=', 65536, 'nor memory of plans');
$session->send("SELECT public.walk('board');\nSELECT public.walk('rules');\nSELECT public.cheap(3);\nSELECT 'through';");
$session->sync;
like($session->output, qr/^through$/m, 'the session goes on');
$session->finish;
is($s->sql(Walks::not_whole()), '', 'nothing is half in the end');
unlike($s->log_text, qr/PANIC|TRAP|terminated by signal|WARNING:.*leak/, 'the log tells of no crash and of nothing that leaked');

done_testing;
