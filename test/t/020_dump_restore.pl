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

sub restored_is_source
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
	is($s->sql("SELECT * FROM changemgmt.verify_ledger(checkpoint => '$root')", db => $db), '',
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
restored_is_source('single', 'psql -1');

$s->createdb('custom');
$s->restore($custom, 'custom');
restored_is_source('custom', 'pg_restore');

$s->createdb('custom_single');
$s->restore($custom, 'custom_single', '-1');
restored_is_source('custom_single', 'pg_restore -1');

# Jobs in parallel: pg_restore does not know that rows of an extension's
# tables depend on each other, so those are one job.
$s->createdb('parallel');
$s->restore($custom, 'parallel', '--section=pre-data');
$s->restore($custom, 'parallel', '--section=data');
$s->restore($custom, 'parallel', '--section=post-data', '-j', '2');
restored_is_source('parallel', 'pg_restore by sections');

# The rows alone, into an extension that was created for them.
$s->createdb('data');
$s->sql('CREATE EXTENSION changemgmt', db => 'data');
$s->restore($s->dump('source', '--schema=public'), 'data', '-v', 'ON_ERROR_STOP=0');
$s->sql('TRUNCATE public.way', db => 'data');
$s->restore($s->dump('source', '--data-only'), 'data');
restored_is_source('data', 'data only');

# A second generation is the first one
$s->createdb('again');
$s->restore($plain, 'again');
my $second = $s->dump('again', '-Fc');
$s->createdb('second');
$s->restore($second, 'second');
is_deeply(content('second'), $content, 'the dump of a restored database is the same');
is($s->sql('SELECT * FROM changemgmt.verify_ledger()', db => 'second'), '', 'and its ledger is whole');

# What cannot work says so: INSERT is not the door for history.
my $inserts = $s->dump('source', '--inserts');
$s->createdb('inserts');
my ($rc, undef, $err) = $s->run($s->psql_command(db => 'inserts'), '-f', $inserts);
isnt($rc, 0, 'a dump with --inserts is refused');
like($err, qr/MC00\d/, 'by the rules');

# An interrupted restore leaves nothing where it is one transaction.
$s->createdb('broken');
my $half = $s->tempname;
TestServer::spew($half, TestServer::slurp($plain) =~ s/^(COPY changemgmt\.ledger .*?\n.*?\n).*/$1broken\n\\.\n/msr);
($rc) = $s->run($s->psql_command(db => 'broken'), '-1', '-f', $half);
isnt($rc, 0, 'a damaged dump does not restore');
is($s->sql("SELECT count(*) FROM pg_extension WHERE extname = 'changemgmt'", db => 'broken'), '0', 'and leaves nothing');

done_testing;
