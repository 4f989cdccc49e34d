# A database with changes of every model in every status, walked there by the
# verbs, comes back from pg_dump as it was, by every way of restoring, and
# goes on from there.
use strict;
use warnings;

use TestChanges;
use TestServer;
use Test::More;

my $s = TestServer->new;
$s->start;
$s->createdb('source');
TestChanges::populate($s, 'source');
my $root = $s->sql('SELECT root FROM changemgmt.ledger_checkpoint()', db => 'source');
is(TestChanges::statuses($s, 'source'), TestChanges::all_statuses(),
	'there are changes of every model in every status that it knows');
is($s->sql('SELECT * FROM changemgmt.verify_ledger()', db => 'source'), '', 'the ledger of the source is whole');

sub content
{
	my ($db) = @_;
	# loads are not dumped
	return TestChanges::content($s, $db, 'changemgmt.load');
}

my $content = content('source');
cmp_ok(scalar(grep { /_seq$/ } keys %$content), '>', 10, 'sequences are compared too');
is_deeply([ grep { $content->{$_} eq '' } sort keys %$content ], [],
	'no table is empty, so that each of them is tested');

sub same_as_source
{
	my ($db, $how) = @_;
	my $restored = content($db);
	for my $table (sort keys %$content)
	{
		ok($restored->{$table} eq $content->{$table}, "$how: $table has the same rows");
	}
	is($s->sql('SELECT * FROM changemgmt.verify_ledger()', db => $db), '', "$how: the ledger is whole");
	is($s->sql(<<'EOSQL', db => $db), $s->sql(<<'EOSQL', db => $db), "$how: each table that has rows has one load");
SELECT relation, row_count FROM changemgmt.load ORDER BY relation
EOSQL
SELECT relation, rows FROM (
	SELECT c.relname::text AS relation,
		(xpath('//n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s', c.oid::regclass), false, true, '')))[1]::text::bigint
		AS rows
	FROM pg_class AS c WHERE c.relnamespace = 'changemgmt'::regnamespace AND c.relkind = 'r' AND c.relname <> 'load'
) AS t WHERE rows > 0 ORDER BY relation
EOSQL
	return;
}

# Same rows go on in the same way, so this is for a few ways only.
sub restored_is_source
{
	my ($db, $how) = @_;
	same_as_source($db, $how);

	# the restored database goes on: each change takes a next step
	is($s->sql("SELECT public.act('otto')\\g /dev/null\nSELECT id FROM changemgmt.create_change('new')", db => $db),
		$s->sql('SELECT last_value FROM changemgmt.change_id_seq', db => 'source') + 1,
		"$how: numbers go on");
	my ($changes, $events) = split /\|/, TestChanges::go_on($s, $db);
	cmp_ok($changes, '>', 80, "$how: changes go on");
	cmp_ok($events, '>', 6, "$how: by every verb");
	is($s->sqlstate("SELECT public.act('ivan'); SELECT changemgmt.start(id) FROM changemgmt.change"
				. " WHERE status = 'scheduled' AND rollback_minutes = 77", db => $db), 'MC005',
		"$how: an approval that was stale is stale");
	is($s->sql("SELECT id FROM changemgmt.create_change('new', source => 'test', source_key => 'new', requester => 'otto')", db => $db),
		$s->sql("SELECT id FROM changemgmt.create_change('new', source => 'test', source_key => 'new', requester => 'otto')", db => $db),
		"$how: a replay is known");
	is($s->sql("SELECT * FROM changemgmt.verify_checkpoint('$root')", db => $db), '',
		"$how: the ledger is whole after that, and the continuation of what the checkpoint saw");
	return;
}

my $plain = $s->dump('source');
my $custom = $s->dump('source', '-Fc');
my (undef, undef, $warnings) = $s->run('pg_dump', '-h', $s->host, '-p', $s->port, '-U', 'postgres', '-f', '/dev/null', 'source');
is($warnings, '', 'pg_dump has no warning');
unlike(TestServer::slurp($plain), qr/^COPY changemgmt\.load /m, 'load records are not dumped');

$s->createdb('plain');
$s->restore($plain, 'plain');
restored_is_source('plain', 'pg_dump | psql');

$s->createdb('single');
$s->restore($plain, 'single', '-1');
same_as_source('single', 'psql -1');

$s->createdb('custom');
$s->restore($custom, 'custom');
restored_is_source('custom', 'pg_restore');

$s->createdb('custom_single');
$s->restore($custom, 'custom_single', '-1');
same_as_source('custom_single', 'pg_restore -1');

# Jobs in parallel: pg_restore does not know that rows of an extension's
# tables depend on each other, so those are one job.
$s->createdb('parallel');
$s->restore($custom, 'parallel', '--section=pre-data');
$s->restore($custom, 'parallel', '--section=data');
$s->restore($custom, 'parallel', '--section=post-data', '-j', '2');
same_as_source('parallel', 'pg_restore by sections');

# The rows alone, into an extension that was created for them.
$s->createdb('fresh');
$s->sql('CREATE EXTENSION changemgmt', db => 'fresh');
$s->createdb('data', '-T', 'fresh');
$s->restore($s->dump('source', '--schema=public'), 'data', '-v', 'ON_ERROR_STOP=0');
$s->sql('TRUNCATE public.way', db => 'data');
$s->restore($s->dump('source', '--data-only'), 'data');
restored_is_source('data', 'data only');

# A directory, written by several jobs, comes back by the same recipe.
my $directory = $s->dump('source', '-Fd', '-j', '2');
$s->createdb('directory');
$s->restore($directory, 'directory', '--section=pre-data');
$s->restore($directory, 'directory', '--section=data');
$s->restore($directory, 'directory', '--section=post-data', '-j', '2');
same_as_source('directory', 'a directory by sections');

# All at once it does not know the order of the rows, and says what it lost.
$s->createdb('hasty');
my ($lost) = $s->run('pg_restore', '-h', $s->host, '-p', $s->port, '-U', 'postgres', '-d', 'hasty', '-j', '4', $directory);
my $hasty = content('hasty');
my $whole = !grep { $hasty->{$_} ne $content->{$_} } keys %$content;
is($lost ? 'lost, and said so' : 'said nothing', $whole && !$lost ? 'said nothing' : 'lost, and said so',
	'pg_restore -j without sections has all rows or a bad status');

# One schema: the rows with the extension, or for an extension that is there.
$s->createdb('schema');
$s->restore($s->dump('source', '-n', 'changemgmt', '-e', 'changemgmt'), 'schema');
same_as_source('schema', 'pg_dump -n -e');
my $rows = $s->dump('source', '-n', 'changemgmt', '--data-only');
$s->createdb('schema_rows', '-T', 'fresh');
$s->restore($rows, 'schema_rows', '-1');
same_as_source('schema_rows', 'pg_dump -n --data-only');
$s->createdb('schema_only');
my $schema = $s->dump('source', '-n', 'changemgmt');
my ($status, undef, $errors) = $s->run($s->psql_command(db => 'schema_only'), '-1', '-f', $schema);
isnt($status, 0, 'pg_dump -n alone has no CREATE EXTENSION, so it does not restore');
like($errors, qr/42P01: relation "changemgmt\.\w+" does not exist/, 'for want of the tables');
unlike(TestServer::slurp($schema), qr/CREATE (TABLE|FUNCTION|VIEW|TYPE)/, 'and never has objects of the extension');

# Triggers that are off bring the rows, but nobody counts them.
$s->createdb('uncounted', '-T', 'fresh');
$s->restore($s->dump('source', '-n', 'changemgmt', '--data-only', '--disable-triggers'), 'uncounted');
is_deeply(content('uncounted'), $content, '--disable-triggers: the rows are the same');
like($s->sql('SELECT problem FROM changemgmt.verify_ledger()', db => 'uncounted'), qr/only 0 came in by COPY/,
	'--disable-triggers: but verify_ledger() does not know where history comes from');

# A second generation is the first one
$s->createdb('again');
$s->restore($plain, 'again');
my $second = $s->dump('again', '-Fc');
$s->createdb('second');
$s->restore($second, 'second');
is_deeply(content('second'), $content, 'the dump of a restored database is the same');
is($s->sql('SELECT * FROM changemgmt.verify_ledger()', db => 'second'), '', 'and its ledger is whole');

# What cannot work says so: INSERT is not the door for history.
for my $inserts ('--inserts', '--column-inserts --rows-per-insert=100 --on-conflict-do-nothing')
{
	my $dump = $s->dump('source', split / /, $inserts);
	for my $single ($inserts eq '--inserts' ? '' : (), '-1')
	{
		$s->sql('DROP DATABASE IF EXISTS inserts');
		$s->createdb('inserts');
		my ($rc, undef, $err) = $s->run($s->psql_command(db => 'inserts'), $single || (), '-f', $dump);
		is($rc, 3, "a dump with $inserts is refused $single");
		like($err, qr/ERROR:  MC001: .*(begins as draft|planned before it is held).*History comes in by COPY/s, "$inserts: with what to do instead $single");
		is($s->sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'changemgmt'", db => 'inserts'), 0,
			"$inserts: in one transaction nothing is there") if $single;
	}
}
my $archive = $s->dump('source', '--inserts', '-Fc');
$s->sql('DROP DATABASE inserts');
$s->createdb('inserts');
my ($rc, undef, $err) = $s->run('pg_restore', '-h', $s->host, '-p', $s->port, '-U', 'postgres', '-d', 'inserts', $archive);
is($rc, 1, 'pg_restore that goes on behind errors has a bad status');
like($err, qr/INSERT on "changemgmt.ledger" is refused.*errors ignored on restore: \d+/s, 'and tells how many there were');
is($s->sql('SELECT count(*) FROM changemgmt.change AS c WHERE c.ledger_sequence = 0', db => 'inserts'), 0,
	'and no change is there that pretends to be history');

# An interrupted restore leaves nothing where it is one transaction.
$s->createdb('broken');
my $half = $s->tempname;
TestServer::spew($half, TestServer::slurp($plain) =~ s/^(COPY changemgmt\.ledger .*?\n.*?\n).*/$1broken\n\\.\n/msr);
($rc) = $s->run($s->psql_command(db => 'broken'), '-1', '-f', $half);
isnt($rc, 0, 'a damaged dump does not restore');
is($s->sql("SELECT count(*) FROM pg_extension WHERE extname = 'changemgmt'", db => 'broken'), '0', 'and leaves nothing');

# Who may not create the extension does not restore it.
$s->createdb('plain_owner');
$s->sql('CREATE ROLE regress_plain; ALTER DATABASE plain_owner OWNER TO regress_plain');
is($s->sqlstate('SET ROLE regress_plain; CREATE EXTENSION changemgmt', db => 'plain_owner'), '42501',
	'the owner of a database who is no superuser cannot create the extension');

done_testing;
