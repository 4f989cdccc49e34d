# Thousands of damaged inputs for every function that reads what a client
# sends: text and binary input of rate and recurrence, documents, definitions, settings,
# names, rows.  Each gives a value that is what it says, or an error of a class
# that speaks of input (22, 23, 54, MC); never an internal error, and never the
# end of the session.
#
# The inputs are made from good ones with a fixed seed, so every run tries the
# same.  MUTATION_FACTOR=20 tries twenty times as many, MUTATION_SEED others, and
# MUTATION_ENCODINGS says in which databases.
# The databases differ in their encoding: SQL_ASCII lets any bytes through to
# the C code, and EUC_JP makes it convert.
use strict;
use warnings;

use JSON::PP;
use TestServer;
use Test::More;

my $factor = $ENV{MUTATION_FACTOR} || 1;
my $seed = $ENV{MUTATION_SEED} || 20260701;
my $json = JSON::PP->new->canonical->allow_nonref->latin1;

# A generator of our own: the same numbers under every perl.
my $state;
sub dice
{
	my ($sides) = @_;
	$state = ($state * 1103515245 + 12345) % 2**31;
	return int($state / 65536) % $sides if $sides < 32768;
	return $state % $sides;
}
sub one_of { return $_[ dice(scalar @_) ] }

# ------------------------------------------------------------- mutation

my @tokens = (
	'', ' ', "\t", "\n", "\x01", "\x7f", '-', '+', '/', '.', ',', ':', '=', "'", '"', '\\', '%', '%s', '%n', '$1', '{', '}', '[', ']', '(', ')',
	'0', '-0', '-1', '1e5', '1e400', '0x10', '1_000', 'NaN', 'Infinity', '-infinity', 'null', 'true',
	'2147483647', '2147483648', '-2147483649', '4294967296', '9223372036854775807', '9223372036854775808',
	'-9223372036854775808', '18446744073709551616', '99999999999999999999999999999999',
	'294276-12-31 23:59:59+00', '294277-01-01', '4713-01-01 BC', 'epoch', 'now', '24:00:00', '2026-02-30', 'UTC', 'Europe/Berlin',
	"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xc3", "\xff", "\xc0\x80", "\xed\xa0\x80", "\x8e", "\x00", "\xef\xbb\xbf", "\xe2\x80\xae",
	'../../etc/passwd', 'pg_catalog', 'changemgmt.change', 'draft', 'plan', 'DRAFT', '24_hours',
);

sub mutate
{
	my ($bytes) = @_;
	for (0 .. one_of(0, 0, 0, 1, 2, 4))
	{
		my $length = length $bytes;
		my $at = dice($length + 1);
		my $way = dice(9);
		if ($way == 0 && $length) { my $i = dice($length); substr($bytes, $i, 1) = chr(ord(substr($bytes, $i, 1)) ^ (1 << dice(8))) }
		elsif ($way == 1) { $bytes = substr($bytes, 0, $at) }
		elsif ($way == 2) { substr($bytes, $at, dice(6)) = '' if $at < $length }
		elsif ($way == 3) { substr($bytes, $at, 0) = one_of(@tokens) }
		elsif ($way == 4) { substr($bytes, $at, dice(4)) = one_of(@tokens) if $at < $length }
		elsif ($way == 5) { substr($bytes, $at, 0) = substr($bytes, dice($length + 1), dice(8)) }
		elsif ($way == 6) { substr($bytes, $at, 0) = chr(dice(256)) }
		elsif ($way == 7) { $bytes =~ s/\d+/one_of(@tokens)/e }
		else { substr($bytes, $at, 0) = one_of('a', '0', ' ', '-', '/', "\xc3\xa4") x one_of(10, 64, 300, 3000) if dice(4) == 0 }
	}
	return $bytes;
}

sub odd_json
{
	my $way = dice(26);
	return undef if $way == 0;
	return JSON::PP::true if $way == 1;
	return JSON::PP::false if $way == 2;
	return [] if $way == 3;
	return {} if $way == 4;
	return [ [] ] if $way == 5;
	return [ undef, 1, 'a', {} ] if $way == 6;
	return { a => { b => [ {} ] } } if $way == 7;
	return one_of(0, -1, 1.5, 2147483648, -2147483649, 365, 366, 1000, 1001) if $way == 8;
	# numbers that perl does not have go in as marks and lose their quotes below
	return '#' . one_of('9223372036854775807', '9223372036854775808', '1e400', '1e131071', '-1e-16383', '1e200000', '0.' . '1' x 400, '1.0', '2.50') . '#' if $way <= 10;
	return 'x' x one_of(1, 63, 64, 300, 9000) if $way == 11;
	if ($way == 12) { my $deep = []; $deep = dice(2) ? [$deep] : { a => $deep } for 1 .. one_of(5, 90, 110, 400); return $deep }
	return [ map { "e$_" } 1 .. one_of(1, 30, 200) ] if $way == 13;
	return { map { ("k$_" => $_) } 1 .. one_of(1, 30, 200) } if $way == 14;
	return "\\u0000" if $way == 15;		# is escaped below
	return one_of(@tokens);
}

# Replaces, removes, adds or copies something somewhere in a document.
sub mutate_json
{
	my ($document) = @_;
	my @places;
	my @walk = (\$document);
	while (my $place = shift @walk)
	{
		push @places, $place;
		my $value = $$place;
		push @walk, map { \$value->{$_} } sort keys %$value if ref $value eq 'HASH';
		push @walk, map { \$_ } @$value if ref $value eq 'ARRAY';
	}
	for (0 .. one_of(0, 0, 1, 3))
	{
		my $place = one_of(@places);
		my $value = $$place;
		my $way = dice(5);
		if ($way == 0 && ref $value eq 'HASH') { $value->{ one_of('x', '', 'id', 'status', 'attributes', 'plan', 'items', 'source', 'owner', 'owner_id', 'requires', @tokens) } = odd_json() }
		elsif ($way == 1 && ref $value eq 'HASH' && %$value) { delete $value->{ one_of(sort keys %$value) } }
		elsif ($way == 2 && ref $value eq 'ARRAY') { push @$value, odd_json() }
		elsif ($way == 3 && ref $value eq 'ARRAY' && @$value) { push @$value, ($value->[ dice(scalar @$value) ]) x one_of(1, 2, 50) }
		elsif ($way == 4 && !ref $value && defined $value) { $$place = mutate("$value") }
		else { $$place = odd_json() }
	}
	my $text = $json->encode($document);
	$text =~ s/"#([-0-9.e]+)#"/$1/g;
	$text =~ s/\\\\u0000/\\u0000/g;
	# the bytes of a string that latin1 took as they are
	$text = mutate($text) if dice(12) == 0;
	return $text;
}

# ------------------------------------------------------------- targets
#
# name, statement that gives true where all is as it should be and has the
# input as $1 (bytea; text(b) reads it as text), good inputs, how many.
# json => 1: inputs are documents.  keep => 1: what succeeds stays, and the
# ledger is verified at the end.  also => other classes and codes that the
# function's argument may bring.

my $ics = join "\r\n", 'BEGIN:VCALENDAR', 'VERSION:2.0', 'BEGIN:VEVENT', 'UID:1', 'DTSTART;VALUE=DATE:20261225', 'DTEND;VALUE=DATE:20261227',
  'RRULE:FREQ=YEARLY;UNTIL=20351231', 'EXDATE;VALUE=DATE:20271225', 'SUMMARY:Christmas\, bo', ' th days', 'END:VEVENT', 'BEGIN:VEVENT', 'UID:1', 'RECURRENCE-ID;VALUE=DATE:20281225',
  'DTSTART;TZID=Europe/Berlin:20281224T000000', 'DURATION:P1D', 'RDATE:20290101T000000', 'STATUS:CONFIRMED', 'END:VEVENT', 'END:VCALENDAR', '';
my $create = {
	title => 'Upgrade', model => 'lean_normal', description => "two\nlines \xc3\xa4", owner => 'ann', requester => 'ben', team => 'dba',
	implementer => 'ben', category => 'schema', affects => ['performance'], risk_level => 'low', environment => 'production',
	rollback_minutes => 5, estimated_minutes => 30, cost_planned => 12.5, touches_security => JSON::PP::false, priority => 'high',
	planned_start => '2026-07-01 10:00+02', planned_end => '2026-07-01T11:00:00Z', attributes => { ticket => 'X-1', deep => { list => [ 1, 'a', undef ] } },
	items => [ 'db', { ci => 'web', role => 'affected', version_after => '2' } ],
	risks => [ { description => 'slow', likelihood => 'low', impact => 'high', mitigation => 'wait' } ],
	tasks => [ 'first', { title => 'second', phase => 'preparation', position => 2, assignee => 'ann', object_kind => 'table', object_name => 't' } ],
	checks => [ 'health', { title => 'errors', kind => 'slo', stage => '24_hours', expected => '< 1 %', is_required => JSON::PP::true } ],
};
my $message = { title => 'From outside', source => 'jira', source_key => 'OPS-1', owner => 'ann', attributes => { a => 1 } };
my $emergency = {
	title => 'Down', model => 'lean_emergency', authorised_by => 'ann', emergency_threshold => 'production_down',
	actual_start => '2026-07-01 10:00+00', incident_id => 1
};
my $model = {
	base => 'lean_normal', title => 'Schema change', profile => 'own', type => 'normal', first_status => 'draft', pre_approved => JSON::PP::false,
	books_window => JSON::PP::true, documented_after => JSON::PP::false, late_hours => 24, notice_business_days => 3,
	approval => { policy => 'board', board => 'cab', needed => 1 }, separate => [ 'approver/owner', 'verifier/implementer' ],
	validations => [ '24_hours', '7_days' ], schedule_sealed => JSON::PP::true, issues_despite_failed_check => JSON::PP::true,
	requires => { submit => ['notice'], start => ['checklist_done'] }, waivable => ['notice'],
	plan => { category => 'schema', risk_level => 'low', rollback_minutes => 5, tasks => [ 'one', { title => 'two', phase => 'preparation' } ],
		checks => ['health'], risks => [ { description => 'slow', likelihood => 'low', impact => 'low' } ], items => ['db'], attributes => { kind => 1 } },
};
my $patch = {
	title => 'Other', description => undef, owner => 'ben', team => 'dba', affects => [ 'data', 'cost' ], rollback_minutes => 7, cost_planned => '1.25',
	deadline => '2026-08-01', attributes => { a => { b => { c => 1, d => undef } }, list => [1], gone => undef }, touches_security => JSON::PP::true,
};
my $row = {
	i2 => 1, i4 => -1, i8 => '9223372036854775807', b => JSON::PP::true, t => 'text', v => 'varchar', c => 'ab', n => 'a_name', d => '2026-02-28',
	ts => '2026-01-01 12:00', tz => '294276-12-31 23:59:59+00', num => '12.50', f4 => '1.5', f8 => '1e-300', j => { a => 1 }, jt => [1],
	by => '\\x00ff', u => '00000000-0000-0000-0000-000000000001', iv => '1 mon -2 days', tm => '12:00', ttz => '12:00+02', ip => '10.0.0.1/8',
	mac => '08:00:2b:01:02:03', pt => '(1,2)', r => '[1,5)', mr => '{[1,2),[5,6)}', ta => [ 'a', undef ], ia => [ [ 1, 2 ], [ 3, 4 ] ], na => [ '1.0', 'NaN' ],
	rate => '4/23', rates => [ '1/2', '0/0' ], bits => '101', money => '12.34', tv => "a:1 b:2", o => 42, dom => 5, doma => [ 1, 2 ],
	e => 'x', inner => { t => 'inner', tz => 'infinity' }, inners => [ { t => 'q"(,)', tz => '2026-01-01' } ],
};

my $of = "changemgmt.change_id((SELECT number FROM public.subject))";
my $text = 'public.text($1)';
my @targets = (
	[ 'rate: text', "SELECT r::text::changemgmt.rate OPERATOR(changemgmt.=) r AND changemgmt.numerator(r) BETWEEN 0 AND changemgmt.denominator(r) FROM (SELECT $text\::changemgmt.rate AS r) x",
		[ '4/23', '0/0', ' 1 / 2 ', '9223372036854775807/9223372036854775807', '+1/+5' ], 400 ],
	[ 'rate: array', "SELECT a::text::changemgmt.rate[] = a FROM (SELECT $text\::changemgmt.rate[] AS a) x", [ '{4/23,0/0,NULL}', '{{1/2},{3/4}}' ], 100 ],
	[ 'rate: parts', "SELECT changemgmt.wilson_low(r, c) <= changemgmt.wilson_high(r, c) OR changemgmt.denominator(r) = 0 FROM (SELECT changemgmt.rate(split_part($text, ' ', 1)::bigint, split_part($text, ' ', 2)::bigint) AS r, split_part($text, ' ', 3)::float8 AS c) x",
		[ '4 23 0.95', '0 0 0.5', '9223372036854775806 9223372036854775807 0.999999', '0 9223372036854775807 1e-300' ], 150 ],
	[ 'recurrence: text', "SELECT public.use_recurrence($text)", [
			'DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH EXDATE:20261224T020000,20261231T020000',
			'DTSTART:20260106T020000Z DTEND:20260106T033000Z RRULE:FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR,1MO;COUNT=10',
			'DTSTART;VALUE=DATE;TZID=America/New_York:20261127 RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=FR;BYMONTHDAY=23,24,25,26,27,28,29',
			'DTSTART;TZID=Australia/Lord_Howe:20260101T021500 DURATION:P1DT30M RRULE:FREQ=YEARLY;BYWEEKNO=1,-1;BYHOUR=1,2;BYSETPOS=-1;UNTIL=20301231T000000Z',
			'DTSTART:20260106T020000Z DURATION:P1W RRULE:FREQ=DAILY;INTERVAL=3;WKST=SU;BYMONTH=1,2;BYSECOND=0,30',
			'DTSTART:20260106T020000Z DURATION:PT1S RRULE:FREQ=YEARLY;BYYEARDAY=1,100,-1;UNTIL=20300101',
		], 600 ],
	[ 'recurrence: parts', "SELECT count(*) >= 0 FROM changemgmt.occurrences(split_part($text, '|', 1)::changemgmt.recurrence, split_part($text, '|', 2)::tstzrange)",
		[ 'DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY|[2026-01-01,2027-01-01)', 'DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=MONTHLY;COUNT=5|(,)', 'DTSTART:20260106T020000Z DURATION:PT2H|[-infinity,infinity]' ], 120 ],
	[ 'change_id', "SELECT changemgmt.change_id(changemgmt.change_number(id)) = id AND rtrim(upper($text), '0123456789') = 'CHG' FROM (SELECT changemgmt.change_id($text) AS id) x",
		[ 'CHG00042', 'chg1', 'CHG9223372036854775807' ], 200 ],
	(map {
		my ($key, @good) = @$_;
		[ "set_setting: $key", "SELECT public.use_setting('$key', $text)", \@good, 60 ]
	} [ 'reporting_time_zone', 'Europe/Berlin', 'UTC', 'America/New_York' ], [ 'number_prefix', 'CHG', 'RFC-' ], [ 'number_width', '5', '18' ], [ 'default_model', 'normal', 'lean_normal' ],
	[ 'template_failure_limit', '0.05', '1' ], [ 'standard_candidate_minimum', '20', '1' ], [ 'standard_candidate_limit', '0.15', '0' ]),
	[ 'set_setting: key', "SELECT public.use_setting($text, '5')", [ 'number_width', 'number_width' ], 60 ],
	[ 'setting_value', "SELECT changemgmt.setting_value($text) IS NOT NULL", [ 'number_width', 'default_model' ], 60 ],
	[ 'publish_model', "SELECT public.use_model($text\::jsonb)", [$model, { base => 'normal', approval => $model->{approval}, plan => $model->{plan} }, { base => 'emergency' }, { base => 'latent', late_hours => undef } ], 500, json => 1 ],
	[ 'publish_model: key', "SELECT changemgmt.publish_model($text, '{\"base\": \"normal\"}') > 0", [ 'mine', 'normal' ], 60 ],
	[ 'retire_model', "SELECT changemgmt.retire_model($text) >= 0", [ 'mine', 'normal' ], 40 ],
	[ 'create_change_from', "SELECT public.use_change((changemgmt.create_change_from($text\::jsonb)).id, $text\::jsonb)", [ $create, $create, $message, $emergency ], 700, json => 1, keep => 1 ],
	[ 'edit_change', "SELECT public.use_change((changemgmt.edit_change($of, $text\::jsonb)).id, $text\::jsonb)", [$patch], 400, json => 1, keep => 1 ],
	[ 'row_digest', "SELECT public.digest_agrees(jsonb_populate_record(NULL::public.odd, $text\::jsonb))", [$row], 400, json => 1, also => '42601' ],
	[ 'why_not', "SELECT count(*) >= 0 FROM changemgmt.why_not($of, $text)", [ 'submit', 'approve', 'roll_back' ], 80 ],
	[ 'advance', "SELECT (changemgmt.advance($of, $text, 'why')).status = $text", [ 'planned', 'awaiting_approval', 'cancelled' ], 80 ],
	[ 'waive', "SELECT changemgmt.waive($of, $text, $text) > 0", [ 'notice', 'checklist_done' ], 60 ],
	[ 'copy_change', "SELECT (changemgmt.copy_change($of, $text)).id > 0", ['A copy'], 60, keep => 1 ],
	[ 'add_comment', "SELECT public.use_comment($of, $text)", [ 'a word', "two\nlines" ], 60, keep => 1 ],
	[ 'add_task', "SELECT changemgmt.add_task($of, $text, phase => split_part($text, '.', 1)) > 0", [ 'implementation.x', 'preparation.y' ], 60, keep => 1 ],
	[ 'add_check', "SELECT changemgmt.add_check($of, $text, kind => split_part($text, '.', 1)) > 0", [ 'slo.x', 'functional.y' ], 60, keep => 1 ],
	[ 'add_risk', "SELECT changemgmt.add_risk($of, $text, split_part($text, '.', 1), 'low') > 0", [ 'low.x', 'high.y' ], 60, keep => 1 ],
	[ 'add_item', "SELECT changemgmt.add_item($of, split_part($text, '.', 1), split_part($text, '.', 2)) > 0", [ 'db.changed', 'web.affected' ], 60, keep => 1 ],
	[ 'link_change', "SELECT changemgmt.link_change($of, split_part($text, '.', 1), target => $text) > 0", [ 'commit.abc', 'ticket.T-1' ], 60, keep => 1 ],
	[ 'triage', "SELECT (changemgmt.triage($of, split_part($text, '.', 1), priority => split_part($text, '.', 2), team => 'dba')).id > 0", [ 'ann.high', 'ben.low' ], 60, keep => 1 ],
	[ 'schedule', "SELECT (changemgmt.schedule($of, split_part($text, '..', 1)::timestamptz, split_part($text, '..', 2)::timestamptz)).id > 0", ['2026-07-01 10:00+00..2026-07-01 11:00+00'], 80 ],
	[ 'change_calendar', "SELECT changemgmt.change_calendar(split_part($text, '..', 1)::timestamptz, split_part($text, '..', 2)::timestamptz) LIKE 'BEGIN:VCALENDAR%END:VCALENDAR__'", [ '2026-07-01..2027-07-01', '2499-12-01..2500-01-01', '-infinity..infinity' ], 80 ],
	[ 'ics_event', "SELECT count(*) = 0 FROM regexp_split_to_table(changemgmt.ics_event($text, '2026-07-01', '2026-07-01', '2026-07-02', $text, $text, $text, $text, true, 1), E'\\r\\n') AS l WHERE octet_length(l) > 75 OR l ~ '[\\x01-\\x08\\x0a-\\x1f\\x7f]'", [ 'a word', "two\nlines; and, more\\", 'x' x 70, "t\xf5wo\nlines" ], 100 ],
	[ 'add_business_days', "SELECT changemgmt.add_business_days(split_part($text, '..', 1)::timestamptz, split_part($text, '..', 2)::int) IS NOT NULL", [ '2026-07-01..5', '294270-01-01..365', '4713-01-02 BC..-3' ], 80 ],
	[ 'add_business_days in a calendar', "SELECT changemgmt.add_business_days(split_part($text, '..', 1)::timestamptz, 3, split_part($text, '..', 2)) IS NOT NULL", [ '2026-07-01..office', '294270-01-01..default' ], 60 ],
	[ 'business_duration', "SELECT changemgmt.business_duration(split_part($text, '..', 1)::timestamptz, split_part($text, '..', 2)::timestamptz, 'office') <= greatest(split_part($text, '..', 2)::timestamptz - split_part($text, '..', 1)::timestamptz, '0')", [ '2026-07-01..2027-01-01', '0001-01-01..0999-01-01', '9000-01-01..8999-01-01' ], 80 ],
	[ 'set_business_hours', "SELECT changemgmt.set_business_hours('office', $text) IS NOT NULL AND changemgmt.business_days_between('2026-01-05', '2026-01-12', 'office') BETWEEN 0 AND 7", [ 'MO-FR 09:00-12:00,13:00-17:30; SA 10:00-14:00', 'MO,WE,FR 22:00-24:00' ], 200 ],
	[ 'create_business_calendar', "SELECT changemgmt.create_business_calendar(split_part($text, ',', 1), split_part($text, ',', 2)) > 0 AND changemgmt.business_days_between('2026-01-05', '2026-01-12', split_part($text, ',', 1)) = 5", [ 'mine,Europe/Berlin', 'a_1,UTC' ], 80 ],
	[ 'add_holiday', "SELECT changemgmt.add_holiday('office', split_part($text, ',', 1)::date, $text) > 0 AND changemgmt.remove_holiday('office', split_part($text, ',', 1)::date)", [ '2026-12-25,x', '4713-01-01 BC', '5874897-12-31' ], 60 ],
	[ 'import_holidays', "SELECT public.use_holidays($text)", [ $ics, $ics =~ s/\r//gr ], 400 ],
	[ 'add_person', "SELECT public.use_person($text)", [ 'dora', 'Dora Base' ], 60 ],
	[ 'person_id', "SELECT changemgmt.person_id($text) > 0", [ 'ann', 'ben' ], 40 ],
	[ 'add_team', "SELECT changemgmt.add_team($text, 'ann', string_to_array($text, ',')) > 0", ['ann,ben'], 60 ],
	[ 'add_board_member', "SELECT count(changemgmt.add_board_member('cab', split_part($text, ',', 1), split_part($text, ',', 2), split_part($text, ',', 3)::timestamptz)) >= 0", [ 'ben,member,2026-01-01', 'ann,security,-infinity' ], 60 ],
	[ 'add_ci', "SELECT changemgmt.add_ci($text, kind => split_part($text, ',', 1), tier => split_part($text, ',', 2)::int, end_of_life => split_part($text, ',', 3)::date) > 0", [ 'database,1,2030-01-01', 'host,2,infinity' ], 80 ],
	[ 'set_ci', "SELECT changemgmt.set_ci('db', tags => string_to_array(split_part($text, '|', 1), ','), tier => split_part($text, '|', 2)::int) > 0", [ 'pci,tax|1', 'web|2' ], 80 ],
	[ 'declare_blackout', "SELECT public.use_window(changemgmt.declare_blackout(split_part($text, '|', 1), nullif(split_part($text, '|', 2), ''), nullif(split_part($text, '|', 3), '')::timestamptz,"
			. " nullif(split_part($text, '|', 4), '')::timestamptz, split_part($text, '|', 5), environment => nullif(split_part($text, '|', 6), ''), tag => nullif(split_part($text, '|', 7), '')))",
		[ 'feast||2026-07-01|2026-08-01|hard|production|pci', 'now||2026-07-01|infinity|soft||', 'low|DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH|||hard||pci' ], 200 ],
	[ 'open_windows', "SELECT changemgmt.open_windows(split_part($text, '|', 1), split_part($text, '|', 2)::tstzrange, split_part($text, '|', 3)) IS NOT NULL", [ 'db|[2026-07-01,2026-07-08)|test', 'db|empty|production' ], 80 ],
	[ 'window_state', "SELECT (changemgmt.window_state(split_part($text, '|', 1), split_part($text, '|', 2)::timestamptz, tags => string_to_array(split_part($text, '|', 3), ','))).is_open", [ 'db|2026-07-01|pci,tax', 'web|2499-12-31|' ], 80 ],
	[ 'confirm_cause', "SELECT count(changemgmt.confirm_cause($text, 2)) >= 0", [ 'INC-1', '1' ], 60 ],
	[ 'record_incident', "SELECT changemgmt.record_incident(split_part($text, '|', 1), split_part($text, '|', 2), split_part($text, '|', 3)::int, split_part($text, '|', 4),"
			. " split_part($text, '|', 5)::timestamptz, items => string_to_array(split_part($text, '|', 6), ',')) > 0", [ 'INC-2|down|1|outage|2026-01-01|db', 'INC-3|slow|5|data|2026-01-02|db,web' ], 120 ],
	[ 'edit_incident', "SELECT count(changemgmt.edit_incident(changemgmt.incident_id('INC-edit')::text, $text\::jsonb)) >= 0", ['{"severity": 2, "kind": "data", "began_at": "2026-01-01", "title": null}'], 120, json => 1 ],
	[ 'grant_role', "SELECT count(changemgmt.grant_role(split_part($text, ',', 1), split_part($text, ',', 2))) >= 0", [ 'regress_mutation,viewer', 'regress_mutation,manager' ], 40, also => '42' ],
	[ 'revoke_role', "SELECT count(changemgmt.revoke_role(split_part($text, ',', 1), split_part($text, ',', 2))) >= 0", [ 'regress_mutation,viewer', 'regress_mutation,manager' ], 40, also => '42' ],
	[ 'register_requirement', "SELECT count(changemgmt.register_requirement(split_part($text, ',', 1), split_part($text, ',', 2)::regprocedure, string_to_array(split_part($text, ',', 3), ' '))) >= 0", [ 'mine,public.site_rule(bigint),submit start' ], 80, also => '42|3F|0A' ],
	[ 'actor', "SELECT set_config('changemgmt.actor', $text, true) IS NOT NULL AND changemgmt.acting_person() = coalesce(nullif($text, ''), session_user) AND (changemgmt.create_change('x')).id > 0", [ 'ann', 'ben' ], 60 ],
	[ 'verify_checkpoint', "SELECT count(*) >= 0 FROM changemgmt.verify_checkpoint($text)", [ '1', '0' x 64, 'ab' x 32 ], 60 ],
	[ 'verify_ledger', "SELECT count(*) = 0 FROM changemgmt.verify_ledger($text, 1)", [ 'change', 'model' ], 40 ],
	[ 'add_communication', "SELECT changemgmt.add_communication($of, split_part($text, '.', 1), $text, split_part($text, '.', 2), $text) > 0", [ 'before.email.x', 'after.status_page.y' ], 80, keep => 1 ],
	[ 'post_update', "SELECT changemgmt.post_update($of, $text, split_part($text, '.', 1)) > 0", [ 'chat.x', 'status_page.y' ], 60, keep => 1 ],
	[ 'create_follow_up', "SELECT (changemgmt.create_follow_up($of, $text, $text, split_part($text, '.', 1), split_part($text, '.', 2))).id > 0", [ 'normal.ann', 'lean_normal.ben' ], 60, keep => 1 ],
);

# Inputs that are not mutated: what is long, deep or wide.
my $mb = 'x' x 1_000_000;
my %extreme = (
	'rate: text' => [ '', '1' x 100_000 . '/5', '1/' . '0' x 1_000_000 . '5', ' ' x 1_000_000 . '1/5', "$mb/1", "1/5\0" ],
	'recurrence: text' => [
		'', $mb, "DTSTART:$mb", 'DTSTART:20260106T020000Z DURATION:P' . '9' x 1_000_000 . 'D', 'DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;' x 20_000,
		'DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=MONTHLY;BYDAY=' . join(',', ('1MO') x 200_000),
		'DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=YEARLY;BYSETPOS=-1;BYYEARDAY=' . join(',', 1 .. 366),
		'DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=YEARLY;BYYEARDAY=' . join(',', -366 .. -1, 1 .. 366),
		'DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY EXDATE:' . join(',', map { sprintf '2026%02d%02dT020000', $_ / 28 % 12 + 1, $_ % 28 + 1 } 1 .. 100_000),
		'DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY ' . 'EXDATE:20260107T020000 ' x 20_000,
		'DTSTART;TZID=' . 'Europe/' x 100 . 'Berlin:20260106T020000 DURATION:PT1H', ' ' x 1_000_000 . 'DTSTART:20260106T020000Z DURATION:PT1H', "DTSTART:20260106T020000Z DURATION:PT1H\0",
	],
	'change_id' => [ '', 'CHG' . '0' x 1_000_000 . '7', 'CHG' . '9' x 1_000_000, $mb ],
	'set_setting: number_prefix' => [ '', 'A' x 11, 'A' x 10, $mb ],
	'set_setting: number_width' => [ '', '0', '19', '1' x 1_000_000 ],
	'set_setting: default_model' => [ '', 'a' x 63, 'a' x 64, $mb ],
	'set_setting: reporting_time_zone' => [ '', $mb, '/' x 300, 'Europe/' . 'x' x 300, '<A/>1' ],
	map({ ($_ => [
			'', 'null', '1', '"a"', '[]', '{}', '[' x 10_000 . ']' x 10_000, '{"a":' x 10_000 . '1' . '}' x 10_000,
			'{"title": "deep", "base": "normal", "attributes": ' . '{"a":' x 10_000 . '1' . '}' x 10_000 . '}',
			'{"title": "deep", "base": "normal", "attributes": ' . '{"a":' x 1000 . '1' . '}' x 1000 . '}',
			'{"title": "wide", "base": "normal", "attributes": {' . join(',', map { qq("k$_": $_) } 1 .. 50_000) . '}}',
			'{"title": "long", "base": "normal", "description": "' . $mb . '"}', '{"title": "' . $mb . '", "base": "normal"}',
			'{"title": "key", "base": "normal", "' . $mb . '": 1}', '{"base": "' . $mb . '", "model": "' . $mb . '"}',
			'{"title": "number", "base": "normal", "rollback_minutes": 1' . '0' x 100_000 . '}',
			'{"title": "many", "base": "normal", "tasks": [' . join(',', map { qq("t$_") } 1 .. 300) . ']}',
			'{"title": "owner", "base": "normal", "owner": "' . $mb . '"}',
			'{"title": "same", "title": "twice", "base": "normal", "base": "normal"}',
			'{"base": "normal", "requires": {' . join(',', map { qq("r$_": []) } 1 .. 1000) . '}}',
			'{"base": "normal", "separate": [' . join(',', ('"approver/owner"') x 50_000) . ']}',
			'{"base": "normal", "validations": [' . join(',', ('"24_hours"') x 50_000) . ']}',
		]) } 'create_change_from', 'edit_change', 'publish_model'),
	'row_digest' => [ '{}', '{"t": "' . $mb . '"}', '{"ta": [' . join(',', ('"a"') x 100_000) . ']}', '{"j": ' . '[' x 2000 . ']' x 2000 . '}', '{"num": 1e131071}',
		'{"num": "-1e-16383", "na": ["1e1000", "Infinity"]}', '{"tz": "294276-12-31 23:59:59.999999+00", "ts": "4714-11-24 00:00:00 BC", "d": "5874897-12-31"}' ],
	'why_not' => [ '', $mb ], 'advance' => [ '', $mb ], 'waive' => [ '', $mb ], 'add_comment' => [ '', ' ', $mb ], 'copy_change' => [ '', $mb ],
	'add_person' => [ '', $mb ], 'person_id' => [ '', $mb ], 'verify_ledger' => [ '', $mb ], 'confirm_cause' => [ '', $mb, '9223372036854775808' ],
	'record_incident' => [ '', $mb, '|' x 1_000_000, 'INC-4||1|outage|2026-01-01|' . 'db,' x 100_000 . 'db' ],
	'edit_incident' => [ '', 'null', '[]', '{}', '[' x 10_000 . ']' x 10_000, '{"title": "' . $mb . '"}', '{"' . $mb . '": 1}', '{"severity": 1' . '0' x 100_000 . '}', '{"title": {"a": [1]}}' ],
	'set_business_hours' => [ '', $mb, 'MO,' x 100_000 . 'MO', 'MO 00:00-00:01' . ',00:01-00:02' x 100_000, join('; ', ('MO 00:00-00:01') x 50_000) ],
	'import_holidays' => [
		'', $mb, "BEGIN:VCALENDAR\n" x 60_000, "BEGIN:VCALENDAR\n$mb\nEND:VCALENDAR", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:$mb\nDTSTART;VALUE=DATE:20260101\nEND:VEVENT\nEND:VCALENDAR",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260101\n" . 'EXDATE;VALUE=DATE:' . join(',', ('20260102') x 100_000) . "\nEND:VEVENT\nEND:VCALENDAR",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260101\n" . 'RDATE;VALUE=DATE:' . join(',', ('20260102') x 100_000) . "\nEND:VEVENT\nEND:VCALENDAR",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260101\nSUMMARY:a\n" . " \n" x 500_000 . "END:VEVENT\nEND:VCALENDAR",
		"BEGIN:VCALENDAR\n" . "BEGIN:VEVENT\nRECURRENCE-ID:20260101\nUID:1\nDTSTART;VALUE=DATE:20260101\nEND:VEVENT\n" x 10_000 . 'END:VCALENDAR',
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY;BYDAY=" . join(',', ('MO') x 200_000) . "\nEND:VEVENT\nEND:VCALENDAR",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260101\nRRULE:" . 'FREQ=DAILY;' x 80_000 . "\nEND:VEVENT\nEND:VCALENDAR",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART" . ';X=1' x 200_000 . ":20260101\nEND:VEVENT\nEND:VCALENDAR", "BEGIN:VCALENDAR\nEND:VCALENDAR\0",
	],
	'actor' => [ '', $mb ], 'publish_model: key' => [ '', $mb ],
);

# -------------------------------------------------------------- server

my $s = TestServer->new;
$s->start;
my $binary = $s->dir . '/binary';
mkdir $binary or die "$binary: $!";
my $prepare = <<'EOSQL';
CREATE EXTENSION changemgmt;
SELECT changemgmt.add_person(login) FROM unnest(ARRAY['ann', 'ben', 'mona']) AS login;
SELECT changemgmt.add_team('dba', 'ann', ARRAY['ben']);
SELECT changemgmt.add_board('cab');
SELECT changemgmt.add_board_member('cab', 'mona', 'change_manager');
SELECT changemgmt.add_ci('db'), changemgmt.add_ci('web');
SELECT changemgmt.create_business_calendar('office', 'Europe/Berlin', 'MO-FR 09:00-17:00');
SET changemgmt.actor = 'ann';
SELECT changemgmt.create_change('subject', model => 'normal', attributes => '{"a": {"b": 1}}');
SELECT changemgmt.record_unauthorized('done', 'audit', now() - interval '2 days', now() - interval '1 day');
SELECT changemgmt.confirm_cause('INC-1', 2);
SELECT changemgmt.ledger_checkpoint();
CREATE TABLE public.subject AS SELECT changemgmt.change_number(1) AS number;
CREATE FUNCTION public.site_rule(bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT NULL::text';

CREATE FUNCTION public.text(input bytea) RETURNS text LANGUAGE sql
    AS 'SELECT convert_from(input, getdatabaseencoding()::name)';

CREATE TYPE public.mood AS ENUM ('x', 'y');
CREATE DOMAIN public.positive AS int CHECK (VALUE > 0);
CREATE DOMAIN public.ints AS int[];
CREATE TYPE public.inner_row AS (t text, tz timestamptz);
CREATE TYPE public.odd AS (
    i2 int2, i4 int4, i8 int8, b bool, t text, v varchar(9000), c char(5), n name, d date, ts timestamp, tz timestamptz, num numeric,
    f4 float4, f8 float8, j jsonb, jt json, "by" bytea, u uuid, iv interval, tm time, ttz timetz, ip inet, mac macaddr, pt point, r int4range,
    mr int4multirange, ta text[], ia int[], na numeric[], rate changemgmt.rate, rates changemgmt.rate[], bits varbit, money money, tv tsvector,
    o oid, dom public.positive, doma public.ints, e public.mood, "inner" public.inner_row, inners public.inner_row[]);

-- A digest of 32 bytes that no setting of the session changes.
CREATE FUNCTION public.digest_agrees(v public.odd) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    one bytea := changemgmt.row_digest(v);
    other bytea;
BEGIN
    PERFORM set_config('DateStyle', 'SQL, DMY', true), set_config('IntervalStyle', 'sql_standard', true),
        set_config('TimeZone', 'Asia/Kathmandu', true), set_config('bytea_output', 'escape', true), set_config('extra_float_digits', '-5', true);
    other := changemgmt.row_digest(v);
    PERFORM set_config('DateStyle', 'ISO, MDY', true), set_config('IntervalStyle', 'postgres', true),
        set_config('TimeZone', 'UTC', true), set_config('bytea_output', 'hex', true), set_config('extra_float_digits', '1', true);
    RETURN length(one) = 32 AND one = other;
END $$;

-- A change that came out of a document can be looked at, and what was given
-- is there.  Of a copy of it a digest can be made again: verify_ledger().
CREATE FUNCTION public.use_change(change bigint, document jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    stored jsonb := (SELECT to_jsonb(c) FROM changemgmt.change AS c WHERE id = change);
BEGIN
    PERFORM * FROM changemgmt.why_not(change);
    PERFORM * FROM changemgmt.next_steps(change);
    PERFORM changemgmt.change_header(change), changemgmt.change_state(change);
    RETURN NOT EXISTS (
        SELECT FROM jsonb_each(document)
        WHERE key IN ('title', 'description', 'rollback_minutes', 'risk_level', 'category', 'touches_security')
        AND value <> 'null' AND stored ->> key <> document ->> key);
END $$;

-- A model that was accepted is the one that was given, and works.
CREATE FUNCTION public.use_model(given jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    number integer := changemgmt.publish_model('mutant', given);
    stored jsonb := (SELECT definition FROM changemgmt.model WHERE key = 'mutant' AND version = number);
    change bigint;
BEGIN
    BEGIN
        change := (changemgmt.create_change('of a mutant', model => 'mutant')).id;
        RETURN public.use_change(change, '{}') AND stored = given;
    EXCEPTION WHEN SQLSTATE 'MC001' OR SQLSTATE 'MC002' OR SQLSTATE 'MC003' OR SQLSTATE 'MC008' THEN
        RETURN stored = given;      -- asks for more than a title
    END;
END $$;

-- What was set is what is read, and the numbers of changes can be read back.
CREATE FUNCTION public.use_setting(key text, value text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM changemgmt.set_setting(key, value);
    PERFORM * FROM changemgmt.monthly_metrics LIMIT 1;
    RETURN changemgmt.setting_value(key) = value AND changemgmt.change_id(changemgmt.change_number(7)) = 7;
END $$;
CREATE FUNCTION public.use_comment(change bigint, body text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    comment bigint := changemgmt.add_comment(change, body);
BEGIN
    RETURN (SELECT c.body = use_comment.body FROM changemgmt.change_comment AS c WHERE id = comment);
END $$;
CREATE FUNCTION public.use_person(login text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    person bigint := changemgmt.add_person(login, login);
BEGIN
    RETURN (SELECT p.login = use_person.login FROM changemgmt.person AS p WHERE id = person) AND changemgmt.person_id(login) = person;
END $$;

-- What was imported is there, and not imported again.
CREATE FUNCTION public.use_holidays(ics text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    n integer := changemgmt.import_holidays('office', ics, '2040-01-01');
BEGIN
    RETURN n = (SELECT count(*) FROM changemgmt.holiday WHERE day <= '2040-01-01') AND changemgmt.import_holidays('office', ics, '2040-01-01') = 0;
END $$;

-- A recurrence that was accepted reads back as itself, and happens.
CREATE FUNCTION public.recurrence_is_good(r changemgmt.recurrence) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    first record;
BEGIN
    SELECT * INTO first FROM changemgmt.next_occurrence(r, '-infinity');
    PERFORM changemgmt.contains(r, '2026-07-01'), changemgmt.next_occurrence(r, '2027-01-01');
    RETURN r::text::changemgmt.recurrence OPERATOR(changemgmt.=) r AND changemgmt.recurrence_hash(r::text) = changemgmt.recurrence_hash(r)
        AND first.starts_at < first.ends_at AND changemgmt.contains(r, first.starts_at)
        AND NOT changemgmt.contains(r, first.starts_at - interval '1 microsecond');
END $$;
-- A blackout closes from its start, for whom it is in scope.
CREATE FUNCTION public.use_window(window_id bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    w changemgmt.change_window;
    at timestamptz;
BEGIN
    SELECT * INTO STRICT w FROM changemgmt.change_window WHERE id = window_id;
    at := coalesce(w.starts_at, (SELECT n.starts_at FROM changemgmt.next_occurrence(w.recurrence, '-infinity') AS n));
    RETURN NOT (changemgmt.window_state(NULL, at, w.environment, tags => ARRAY[w.tag])).is_open
        AND NOT changemgmt.open_windows(NULL, tstzrange(at, at + interval '1 hour'), w.environment, tags => ARRAY[w.tag]) @> at
        AND changemgmt.window_id(w.name) = w.id AND changemgmt.remove_window(w.name) = w.id;
END $$;
CREATE FUNCTION public.use_recurrence(input text) RETURNS boolean LANGUAGE sql AS
    'SELECT public.recurrence_is_good(input)';

CREATE TABLE public.recurrences (r changemgmt.recurrence);
CREATE TABLE public.rates (r changemgmt.rate);
CREATE TABLE public.rate_arrays (r changemgmt.rate[]);
-- What a file in COPY's binary format brings is what stands in it.
CREATE FUNCTION public.copy_binary(relation text, file text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    good boolean;
BEGIN
    EXECUTE format('COPY public.%I FROM %L (FORMAT binary)', relation, file);
    IF relation = 'rates' THEN
        SELECT coalesce(bool_and(changemgmt.numerator(r) BETWEEN 0 AND changemgmt.denominator(r)
            AND r::text::changemgmt.rate OPERATOR(changemgmt.=) r
            AND position(changemgmt.rate_send(r) IN pg_read_binary_file(file)) > 0), true) INTO good FROM public.rates WHERE r IS NOT NULL;
    ELSIF relation = 'recurrences' THEN
        SELECT coalesce(bool_and(public.recurrence_is_good(r) AND length(changemgmt.recurrence_send(r)) < 100000), true) INTO good FROM public.recurrences WHERE r IS NOT NULL;
    ELSE
        SELECT coalesce(bool_and(r::text::changemgmt.rate[] = r), true) INTO good FROM public.rate_arrays WHERE r IS NOT NULL;
    END IF;
    RETURN good;
END $$;

CREATE TABLE public.target (name text, statement text, keep boolean);
CREATE TABLE public.attempt (n int PRIMARY KEY, name text, input bytea, answer text, message text);
CREATE PROCEDURE public.try_all() LANGUAGE plpgsql AS $$
DECLARE
    c record;
    good boolean;
    a text;
    m text;
BEGIN
    FOR c IN SELECT n, name, statement, keep, input FROM public.attempt JOIN public.target USING (name) ORDER BY n LOOP
        m := NULL;
        BEGIN
            EXECUTE c.statement INTO good USING c.input;
            a := CASE WHEN good THEN 'good' ELSE 'wrong' END;
            IF NOT c.keep THEN
                RAISE SQLSTATE 'ZZ000';
            END IF;
        EXCEPTION
            WHEN SQLSTATE 'ZZ000' THEN NULL;
            WHEN OTHERS THEN a := SQLSTATE; m := SQLERRM;
        END;
        UPDATE public.attempt SET answer = a, message = left(m, 200) WHERE n = c.n;
        IF c.n % 20 = 0 THEN
            COMMIT;
        END IF;
    END LOOP;
END $$;
EOSQL

# The binary format: signature, flags, length of an extension; per row the
# number of fields, per field its length; -1 at the end.
my $head = "PGCOPY\n\xff\r\n\0" . pack('NN', 0, 0);
my $end = pack('n', 0xffff);
sub binary_rate { return pack('N', 16) . pack('q>q>', @_) }
my $rates = $head . join('', map { pack('n', 1) . binary_rate(@$_) } [ 4, 23 ], [ 0, 0 ], [ 9223372036854775807, 9223372036854775807 ]) . $end;
my @binary_rates = (map({ $head . pack('n', 1) . binary_rate(@$_) . $end } [ 4, 23 ], [ 23, 4 ], [ -1, 1 ], [ 1, -1 ], [ -9223372036854775808, -9223372036854775808 ], [ 0, 9223372036854775807 ]),
	map({ $head . pack('n', 1) . pack('N', $_) . 'x' x ($_ < 99 ? $_ : 9) . $end } 0, 1, 8, 15, 17, 32, 2**31 - 1, 2**31, 2**32 - 2), $head . pack('nN', 1, 0xffffffff) . $end, $rates);

# Start and exceptions in seconds since 2000-01-01, local time.
sub binary_recurrence
{
	my ($start, $days, $seconds, $zone, $rule, @exdates) = @_;
	my $field = pack('C q> N N', 1, $start * 1_000_000, $days, $seconds) . pack('N/a* N/a* N', $zone, $rule, scalar @exdates) . pack('q>*', map { $_ * 1_000_000 } @exdates);
	return pack('N', length $field) . $field;
}
my $start = 820_980_000;		# 2026-01-06 02:00
my @recurrences = (
	[ $start, 0, 7200, 'Europe/Berlin', 'FREQ=WEEKLY;BYDAY=TU,TH', $start + 7 * 86400, $start + 2 * 86400 ], [ $start, 1, 0, 'UTC', '' ],
	[ $start, 3, 1800, 'Australia/Lord_Howe', 'FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20301231T000000Z' ], [ $start, 0, 1, 'America/New_York', 'FREQ=YEARLY;BYWEEKNO=53;COUNT=4' ],
);
my $recurrences = $head . join('', map { pack('n', 1) . binary_recurrence(@$_) } @recurrences) . $end;
my @binary_recurrences = (
	$recurrences,
	map({ $head . pack('n', 1) . binary_recurrence(@$_) . $end } @recurrences,
		[ 2**40, 1, 0, 'UTC', '' ], [ -2**42, 1, 0, 'UTC', '' ], [ $start, 0, 0, 'UTC', '' ], [ $start, -1, 0, 'UTC', '' ], [ $start, 1, -5, 'UTC', '' ], [ $start, 2**31 - 1, 2**31 - 1, 'UTC', '' ],
		[ $start, 1, 0, 'Nowhere/Land', '' ], [ $start, 1, 0, '', '' ], [ $start, 1, 0, "UTC\0", '' ], [ $start, 1, 0, 'UTC', 'FREQ=SECONDLY' ], [ $start, 1, 0, 'UTC', 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30' ],
		[ $start, 1, 0, 'UTC', 'freq=daily;interval=1;byday=mo,mo' ], [ $start, 1, 0, 'UTC', '', $start ], [ $start, 1, 0, 'UTC', 'FREQ=DAILY', 2**43 ], [ $start, 1, 0, 'UTC', 'FREQ=DAILY', ($start) x 1001 ], [ $start + 0.5, 1, 0, 'UTC', '' ]),
	map({ $head . pack('n', 1) . pack('N', length $_) . $_ . $end } pack('C q> N N', 2, 0, 1, 1), pack('C q> N N', 1, 0, 1, 1), pack('C q> N N N', 1, 0, 1, 1, 2**31), pack('C q> N N N N N', 1, 0, 1, 1, 0, 0, 2**31 - 1), pack('C q> N N N N N', 1, 0, 1, 1, 0, 0, 2**32 - 1)));

# The cases: [name, input].
my @cases;
$state = $seed;
for my $t (@targets)
{
	my ($name, undef, $good, $count, %opt) = @$t;
	my @good = map { $opt{json} ? $json->encode($_) : $_ } @$good;
	push @cases, map { [ $name, $_ ] } @good, @{ $extreme{$name} || [] };
	for (1 .. $count * $factor)
	{
		my $i = dice(scalar @good);
		push @cases, [ $name, $opt{json} ? mutate_json($json->decode($good[$i])) : mutate($good[$i]) ];
	}
}

# Those that are files, and name a type by its number in the database.
sub binary_cases
{
	my ($rate_oid) = @_;
	my @files;
	my $file = sub {
		my ($relation, $bytes) = @_;
		my $path = "$binary/" . @files;
		TestServer::spew($path, $bytes);
		push @files, [ "COPY BINARY $relation", "$relation $path" ];
	};
	my $array = sub {
		my $bytes = pack('NNN', 1, 0, $rate_oid) . pack('NN', scalar @_, 1) . join('', map { binary_rate(@$_) } @_);
		return $head . pack('n', 1) . pack('N', length $bytes) . $bytes . $end;
	};
	my $arrays = $array->([ 4, 23 ], [ 0, 0 ], [ 1, 2 ]);
	$state = $seed;
	$file->('rates', $_) for @binary_rates;
	$file->('rate_arrays', $_) for $arrays, $array->(), $array->([ 2, 1 ]);
	$file->('recurrences', $_) for @binary_recurrences;
	for (1 .. 300 * $factor)
	{
		my $skip = dice(20) ? length $head : 0;
		$file->('recurrences', substr($recurrences, 0, $skip) . mutate(substr($recurrences, $skip)));
	}
	for (1 .. 300 * $factor)
	{
		# the head is COPY's own affair, so most of it is left alone
		my $bytes = dice(2) ? $rates : $arrays;
		my $skip = dice(10) ? length $head : 0;
		$file->($bytes eq $rates ? 'rates' : 'rate_arrays', substr($bytes, 0, $skip) . mutate(substr($bytes, $skip)));
	}
	return @files;
}

my @all = (@targets,
	map { [ "COPY BINARY $_", "SELECT public.copy_binary(split_part(convert_from(\$1, 'UTF8'), ' ', 1), split_part(convert_from(\$1, 'UTF8'), ' ', 2))", [], 0, also => '08P01' ] } 'rates', 'rate_arrays', 'recurrences');

$s->sql('CREATE ROLE regress_mutation');
for my $encoding (split ' ', $ENV{MUTATION_ENCODINGS} || 'UTF8 SQL_ASCII EUC_JP')
{
	my $db = lc $encoding;
	$s->sql("CREATE DATABASE $db TEMPLATE template0 ENCODING $encoding LOCALE 'C'");
	$s->sql($prepare, db => $db);
	my @tried = (@cases, binary_cases($s->sql("SELECT 'changemgmt.rate'::regtype::oid", db => $db)));

	my $load = "SET changemgmt.actor = 'mona';\nCOPY public.target FROM STDIN;\n";
	for my $t (@all)
	{
		my ($name, $statement, undef, undef, %opt) = @$t;
		(my $quoted = $statement) =~ s/\\/\\\\/g;
		$load .= join("\t", $name, $quoted, $opt{keep} ? 't' : 'f') . "\n";
	}
	$load .= "\\.\nCOPY public.attempt (n, name, input) FROM STDIN;\n";
	my $n = 0;
	$load .= join("\t", ++$n, $_->[0], '\\\\x' . unpack('H*', $_->[1])) . "\n" for @tried;
	$load .= "\\.\nANALYZE public.attempt;\n";
	$s->sql($load, db => $db);

	my ($rc, undef, $err) = $s->psql("SET changemgmt.actor = 'mona'; SET timezone = 'UTC'; CALL public.try_all()", db => $db);
	is($rc, 0, "$encoding: the session lives through $n inputs")
	  or diag($err, $s->sql("SELECT 'after ' || coalesce(max(n), 0) || ', at most 20 further' FROM public.attempt WHERE answer IS NOT NULL", db => $db));
	my %answers;
	push @{ $answers{ $_->[1] } }, $_
	  for map { [ split /\t/ ] } split /\n/, $s->sql(<<'EOSQL', db => $db);
COPY (SELECT n, name, coalesce(answer, 'none'), message, left(encode(input, 'escape'), 200)
FROM public.attempt WHERE coalesce(answer <> 'good', true) ORDER BY n) TO STDOUT
EOSQL
	for my $t (@all)
	{
		my ($name, undef, undef, undef, %opt) = @$t;
		my $fine = qr/^(?:22|23|54|MC@{[ $opt{also} ? "|$opt{also}" : '' ]})/;
		my @bad = grep { $_->[2] !~ $fine } @{ $answers{$name} };
		is(join("\n", map { join ' ', @$_ } @bad[ 0 .. ($#bad > 4 ? 4 : $#bad) ]), '', "$encoding: $name");
	}
	# a test in which all is refused, or nothing, would say little
	is($s->sql(<<'EOSQL', db => $db), '', "$encoding: each target took something and refused something");
SELECT name FROM public.attempt GROUP BY name
HAVING NOT (bool_or(answer = 'good') AND bool_or(answer <> 'good')) AND name NOT IN ('verify_ledger', 'retire_model', 'schedule', 'waive')
ORDER BY name
EOSQL
	is($s->sql('SELECT * FROM changemgmt.verify_ledger()', db => $db), '', "$encoding: the ledger is whole");
	diag($s->sql("SELECT string_agg(format('%s %s', answer, count), ', ') FROM (SELECT answer, count(*) FROM public.attempt GROUP BY 1 ORDER BY 2 DESC) x", db => $db))
	  if $ENV{MUTATION_FACTOR};
}
unlike($s->log_text, qr/PANIC:|TRAP:|was terminated by signal|runtime error:|AddressSanitizer:/, 'no crash, no failed assertion');

done_testing();
