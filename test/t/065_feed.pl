# The feed of the schedule as libical's own parser reads it, in a process of its
# own: the events are what was put into the tables, whatever stands in a title.
use strict;
use warnings;

use Cwd qw(abs_path);
use Encode qw(encode);
use File::Basename qw(dirname);
use POSIX qw(strftime);

use TestServer;
use Test::More;

my $here = dirname(abs_path(__FILE__));
my $s = TestServer->new;
my $reader = $s->dir . '/ics_events';
chomp(my $cc = `$TestServer::pg_config --cc`);
my ($status, undef, $why) = $s->run('sh', '-c', "$cc -O2 -o '$reader' '$here/ics_events.c' -lical");
plan skip_all => "ics_events.c can't be built here with $cc: " . ($why =~ /(.*error.*)/ ? $1 : $why) if $status;
$s->start;
$s->sql('CREATE EXTENSION changemgmt');

# What libical reads in a text: the calendar's line, and events by their uid.
sub events
{
	my ($text, $name) = @_;
	my $file = $s->tempname;
	TestServer::spew($file, $text);
	my ($rc, $out, $err) = $s->run('sh', '-c', "'$reader' < '$file'");
	is($rc, 0, "$name: libical reads it") or diag($err);
	my ($calendar, @lines) = split /\n/, $out;
	my %events;
	for my $line (@lines)
	{
		my ($uid, @rest) = split /\t/, $line, -1;
		$events{$uid} = \@rest;
	}
	is(scalar keys %events, scalar @lines, "$name: every event has a uid of its own");
	return ($calendar, \%events);
}

sub feed
{
	my ($arguments) = @_;
	return $s->sql("SELECT changemgmt.change_calendar($arguments)");
}

sub utc { return strftime('%Y%m%dT%H%M%SZ', gmtime $_[0]) }

# ------------------------------------------------------------ the reader itself

for ([ 'no calendar', "nothing\r\n" ], [ 'two starts', "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n" . "DTSTART:20260101T000000Z\r\n" x 2 . "END:VEVENT\r\nEND:VCALENDAR\r\n" ],
	[ 'a line that says nothing', "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\nDTEND:tomorrow\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n" ])
{
	my ($what, $text) = @$_;
	my $file = $s->tempname;
	TestServer::spew($file, $text);
	my ($rc) = $s->run('sh', '-c', "'$reader' < '$file'");
	is($rc, 1, "libical complains: $what");
}

my ($calendar, $events) = events(feed(''), 'an empty schedule');
is($calendar, "-\t2.0\tX-WR-CALNAME=Change schedule", 'it says what it is');
is_deeply($events, {}, 'nothing in it');

# --------------------------------------------------------------- random changes

# With CHANGEMGMT_SEED another run of the same.
my $seed = $ENV{CHANGEMGMT_SEED} || 4711;
srand $seed;
my @pieces = ('\\', ';', ',', ':', '"', "'", '\\n', '\\N', '\\,', "\t", "\n", "\r", "\r\n", ' ', '  ', "\x{1}", "\x{b}", "\x{1f}", "\x{7f}", "\x{85}",
	"\x{a0}", "\x{e9}", "e\x{301}", "\x{20ac}", "\x{1f30a}", "\x{10ffff}", "\x{2028}", "\x{feff}", 'BEGIN:VEVENT', "\nEND:VEVENT\n", '^n', '%0A', '=', "\r\n ",
	'x' x 60, 'word');

sub title
{
	my $title = '';
	my $n = int rand(rand() < 0.3 ? 120 : 12);
	$title .= rand() < 0.5 ? $pieces[ rand @pieces ] : chr(97 + int rand 26) x rand 9 for 1 .. $n;
	return "t$title";
}

my @status = qw(awaiting_approval approved scheduled in_progress verifying implemented rolled_back closed cancelled draft planned rejected);
my (%wanted, @rows);
my $now = $s->sql('SELECT floor(extract(epoch FROM now()))');
for my $id (1 .. 600)
{
	my $status = $status[ rand @status ];
	my $title = title();
	my $start = $now + int rand(80 * 86400) - 40 * 86400;
	my $end = $start + 60 + int rand 7200;
	my $booked = rand() < 0.5;
	my $begun = $status =~ /^(in_progress|verifying|implemented|rolled_back|closed)$/ || $status eq 'cancelled' && rand() < 0.5;
	my ($began, $ended) = ($start + 30, $start + 40 + int rand 9000);
	my $modified = $now - int rand 1e6;
	my $revision = int rand 1000;
	my $hold = $status =~ /^(approved|scheduled)$/ && rand() < 0.2;
	my $quoted = $title =~ s/'/''/gr;
	push @rows, sprintf "(%d, '%s', '%s', %s, to_timestamp(%d.25), to_timestamp(%d), %s, %s, %s, to_timestamp(%d), %d)", $id, $quoted, $status,
	  $hold ? 'true' : 'false', $start, $end, $booked ? 'now()' : 'NULL', $begun ? "to_timestamp($began)" : 'NULL',
	  $begun && $status ne 'in_progress' ? "to_timestamp($ended)" : 'NULL', $modified, $revision;

	# what calendars are to show of it
	my ($from, $to);
	if ($status =~ /^(approved|scheduled)$/ || $status eq 'awaiting_approval' && $booked) { ($from, $to) = ($start, $end) }
	elsif ($status eq 'in_progress') { ($from, $to) = ($began, $end > $now ? $end : $now) }
	elsif ($begun) { ($from, $to) = ($began, $ended) }
	next if !defined $from || $to <= $now - 30 * 86400 || $from >= $now + 30 * 86400;
	my $summary = sprintf('CHG%07d %s', $id, $title) =~ s/\r\n?/\n/gr =~ s/[\x01-\x08\x0b-\x1f\x7f]//gr;
	# libical leaves blanks out that end a line
	$summary =~ s/[ \t]+\z//;
	$wanted{"change-$id\@postgres.changemgmt"} = [
		utc($from), $to > $from ? utc($to) : '-',
		$status eq 'cancelled' ? 'CANCELLED' : $hold || $status eq 'awaiting_approval' || $status eq 'approved' && !$booked ? 'TENTATIVE' : 'CONFIRMED',
		'OPAQUE', $revision, 'normal', utc($modified), unpack('H*', encode('UTF-8', $summary)),
		unpack('H*', "Type: normal\nEnvironment: production\nRisk: unknown\nStatus: $status" . ($hold ? ', on hold' : '')) ];
}
$s->sql(encode('UTF-8', "SET session_replication_role = replica;\nINSERT INTO changemgmt.change "
	  . "(id, title, status, on_hold, planned_start, planned_end, scheduled_at, actual_start, actual_end, updated_at, revision) VALUES\n" . join(",\n", @rows)));
my $at = "to_timestamp($now)";
(undef, $events) = events(feed("$at - interval '720 hours', $at + interval '720 hours'"), 'random changes');

# what runs takes the time until now, which goes on
my $later = $now + 60;
for my $uid (keys %wanted)
{
	my ($got, $want) = ($events->{$uid}, $wanted{$uid});
	$got->[1] = $want->[1] if $got && $want->[1] eq utc($now) && $got->[1] ge $want->[1] && $got->[1] le utc($later);
}
is(join(' ', sort keys %$events), join(' ', sort keys %wanted), 'the changes of the range');
cmp_ok(scalar keys %wanted, '>', 150, 'many');
my @differ = grep { join("\t", @{ $events->{$_} || [] }) ne join("\t", @{ $wanted{$_} }) } sort keys %wanted;
is_deeply([ map { $events->{$_} } @differ ], [ map { $wanted{$_} } @differ ], "each says the same (CHANGEMGMT_SEED=$seed)");

# --------------------------------------------------------------------- windows

# A year of "Tue, Thu 02:00-04:00" in Berlin, by local days.
my $name = "Nights; \\ and, \x{e4}\x{20ac}\t" . 'x' x 80;
$s->sql(encode('UTF-8', "SELECT changemgmt.add_maintenance_window('$name',
	'DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH')"));
$s->sql("SELECT changemgmt.declare_blackout('Black Friday', 'DTSTART;VALUE=DATE;TZID=America/New_York:20261127 RRULE:FREQ=YEARLY')");
(undef, $events) = events(feed("'2027-01-01 00:00 Europe/Berlin', '2028-01-01 00:00 Europe/Berlin'"), 'windows');
my @is = sort map { join ' ', $_->[0], $_->[1], $_->[3], $_->[5], $_->[7] } values %$events;
my @should = split /\n/, $s->sql(encode('UTF-8', <<"EOSQL"));
SELECT concat_ws(' ', to_char((d + time '02:00') AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS"Z"'),
	to_char((d + time '04:00') AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS"Z"'), 'TRANSPARENT', 'maintenance',
	encode(convert_to('Maintenance window: $name', 'UTF8'), 'hex'))
FROM generate_series(timestamp '2027-01-01', '2027-12-31', '1 day') AS d WHERE extract(isodow FROM d) IN (2, 4)
UNION ALL SELECT concat_ws(' ', '20271127T050000Z', '20271128T050000Z', 'OPAQUE', 'blackout', encode('Blackout: Black Friday', 'hex'))
ORDER BY 1
EOSQL
is(scalar @is, 105, 'two a week, and a day');
is(join("\n", @is), join("\n", sort @should), 'the same hours as days of the calendar say, in summer and in winter');

done_testing();
