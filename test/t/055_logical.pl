# A reporting server that has the extension and subscribes to its tables: rows
# arrive as they are, by COPY first and then one by one, no trigger makes
# something of them a second time, and what is read there is what it was here.
use strict;
use warnings;

use TestChanges;
use TestServer;
use Test::More;

my $conf = "max_worker_processes = 16\nmax_replication_slots = 16\nmax_logical_replication_workers = 8\n"
  . "max_sync_workers_per_subscription = 3\n";
my $s = TestServer->new(name => 'source', conf => "wal_level = logical\nmax_wal_senders = 16\n$conf");
$s->start;
$s->createdb('source');
TestChanges::populate($s, 'source');
$s->sql('SELECT changemgmt.ledger_checkpoint()', db => 'source');

# quick answers, so that the tests need not wait
my $r = TestServer->new(name => 'reporting', conf => $conf . "wal_retrieve_retry_interval = 100ms\n"
	  . "wal_receiver_status_interval = 1s\nwal_writer_delay = 10ms\n");
$r->start;
# doctor() misses roles that have a duty
$r->sql('CREATE ROLE regress_duty');

# One publication of the schema, one of all tables.
my %publications = (
	schema => 'FOR TABLES IN SCHEMA changemgmt',
	everything => 'FOR ALL TABLES');
for my $name (sort keys %publications)
{
	$s->sql("CREATE PUBLICATION $name $publications{$name}", db => 'source');
	$r->createdb($name);
	$r->sql(<<'EOSQL', db => $name);
CREATE EXTENSION changemgmt;
CREATE FUNCTION public.always_met(change_id bigint) RETURNS text STABLE LANGUAGE sql AS 'SELECT NULL::text';
CREATE TABLE public.way (place integer PRIMARY KEY, model text, steps text);
EOSQL
}
is($s->sql(<<'EOSQL', db => 'source'), '', 'every table can be replicated: it has a key that tells its rows apart');
SELECT c.oid::regclass FROM pg_class AS c
WHERE c.relnamespace = 'changemgmt'::regnamespace AND c.relkind IN ('r', 'p') AND NOT EXISTS (
	SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
EOSQL

# Sequences are not replicated.
sub content
{
	my ($server, $db) = @_;
	my $rows = TestChanges::content($server, $db);
	return { map { $_ => $rows->{$_} } grep { !/_seq$/ } keys %$rows };
}

sub same
{
	my ($db, $when) = @_;
	my ($here, $there) = (content($s, 'source'), content($r, $db));
	is_deeply([ grep { $there->{$_} ne $here->{$_} } sort keys %$here ], [],
		"$db, $when: all tables have the same rows");
	is($r->sql('SELECT * FROM changemgmt.verify_ledger()', db => $db), '',
		"$db, $when: the ledger is whole");
	# the same rows answer the same: once is enough
	return if $db ne 'schema';
	($here, $there) = (TestChanges::reads($s, 'source'), TestChanges::reads($r, $db));
	is_deeply([ grep { ($there->{$_} // '?') ne ($here->{$_} // '') } sort keys %$here ], [],
		"$db, $when: all views and functions answer the same");
	return;
}

my $first = content($s, 'source');
is_deeply([ grep { $first->{$_} eq '' } sort keys %$first ], [], 'no table is empty, so that each of them is tested');
for my $db (sort keys %publications)
{
	$r->sql("CREATE SUBSCRIPTION $db CONNECTION '" . $s->connstr('source') . "' PUBLICATION $db", db => $db);
}
my $tables = grep { !/_seq$/ } TestChanges::tables($s, 'source');
for my $db (sort keys %publications)
{
	my $copied = $tables + ($db eq 'everything' ? 1 : 0);
	$r->wait_for("SELECT count(*) FILTER (WHERE srsubstate = 'r') FROM pg_subscription_rel", $copied, db => $db);
	same($db, 'copied');
}

# A session there that has read settings, people, models and requirements.
my $reader = $r->session(db => 'schema');
my $cached = <<'EOSQL';
SELECT changemgmt.setting_value('number_prefix'), changemgmt.person_id('otto'),
	   count(DISTINCT changemgmt.change_number(c.id)), count(w)
FROM changemgmt.change AS c, changemgmt.why_not(c.id, 'start') AS w;
EOSQL
$reader->send($cached);
$reader->sync;
like($reader->output, qr/^RFC\|/m, 'a session of the reporting server knows the settings');

# What goes on at the source arrives, and nothing but that.
TestChanges::go_on($s, 'source');
$s->sql(<<'EOSQL', db => 'source');
SELECT changemgmt.set_setting('number_prefix', 'NEW');
UPDATE changemgmt.person SET login = 'ottilie' WHERE login = 'otto';
SELECT changemgmt.add_person('otto');
SELECT changemgmt.publish_model('ours', '{"base": "normal", "validations": []}');
SELECT changemgmt.register_requirement('more', 'public.always_met(bigint)', ARRAY['start'], 'more', 'nothing to do');
SELECT public.act('ottilie');
DELETE FROM changemgmt.change WHERE id = (SELECT max(id) FROM changemgmt.create_change('never mind'));
INSERT INTO changemgmt.change (title, model, owner_id)
SELECT 'many ' || n, 'lean_normal', changemgmt.person_id('ottilie') FROM generate_series(1, 500) AS n;
UPDATE changemgmt.change SET description = 'many' WHERE title LIKE 'many %';
BEGIN;
SAVEPOINT a;
UPDATE changemgmt.change SET description = 'never' WHERE title LIKE 'many %';
ROLLBACK TO a;
UPDATE changemgmt.change SET description = 'ever' WHERE title = 'many 1';
COMMIT;
COPY changemgmt.change (id, title, model, type, status, outcome, requester_id, actual_start, actual_end, created_at) FROM stdin;
100002	more history	normal	normal	closed	successful	1	2021-01-01 10:00+00	2021-01-01 11:00+00	2020-12-24 00:00+00
\.
EOSQL
for my $db (sort keys %publications)
{
	$s->wait_for_catchup($db);
	same($db, 'replayed');
	is($r->log_text =~ /(ERROR:.*)/ ? $1 : '', '', "$db: and no worker met an error");
}
my ($was) = $reader->output =~ /^(RFC\|.*)$/m;
$reader->send($cached);
$reader->sync;
my ($is) = (split /\n/, $reader->output)[-2];
is($is, $r->sql($cached, db => 'schema'), 'a session that had read before reads what came since');
isnt($is, $was, 'which is not what it was');

# What somebody does at the source while triggers are off comes along, TRUNCATE
# too, and is found on both sides.
is($s->sqlstate('TRUNCATE changemgmt.change CASCADE', db => 'source'), 'MC006', 'TRUNCATE is refused at the source');
$s->sql(<<'EOSQL', db => 'source');
SET session_replication_role = replica;
TRUNCATE changemgmt.site_setting, changemgmt.change_comment;
EOSQL
for my $db (sort keys %publications)
{
	$s->wait_for_catchup($db);
	my ($here, $there) = (content($s, 'source'), content($r, $db));
	is_deeply([ grep { $there->{$_} ne $here->{$_} } sort keys %$here ], [], "$db, truncated: all tables have the same rows");
	my $verify = 'SELECT * FROM changemgmt.verify_ledger()';
	my $found = $s->sql($verify, db => 'source');
	like($found, qr/^site_setting\|/m, "$db, truncated: the ledger of the source tells");
	is($r->sql($verify, db => $db), $found, "$db, truncated: the other one the same");
}
$reader->send($cached);
$reader->sync;
like((split /\n/, $reader->output)[-2], qr/^CHG\|/, 'a session that had read before sees what was truncated');
$reader->finish;

# The server there is one like any other, but for what comes by replication.
is($r->sqlstate("INSERT INTO changemgmt.ledger SELECT * FROM changemgmt.ledger LIMIT 1", db => 'schema'), 'MC006',
	'the rules hold on the reporting server for everybody but replication');
is($r->sql(<<'EOSQL', db => 'everything'), 't', 'without the load records it is not known where history comes from');
SET session_replication_role = replica;
DELETE FROM changemgmt.load;
SELECT count(*) = 1 FROM changemgmt.verify_ledger() WHERE problem LIKE '%only 0 came in by COPY';
EOSQL
is($r->sql('SELECT is_called FROM changemgmt.change_id_seq', db => 'schema'), 'f', 'sequences do not go along');

# Duties are on record at the source, privileges are each server's own.
my $grant = "CREATE ROLE regress_reader LOGIN; SELECT changemgmt.grant_role('regress_reader', 'viewer');";
$s->sql($grant, db => 'source');
$s->wait_for_catchup('schema');
$r->sql($grant, db => 'schema');
my ($here, $there) = (content($s, 'source'), content($r, 'schema'));
is_deeply([ grep { $there->{$_} ne $here->{$_} } sort keys %$here ], [], 'a duty that is granted at the source first is on record once');
is($r->sqlstate("SELECT changemgmt.create_change('here')", db => 'schema', user => 'regress_reader'), '42501',
	'a viewer of the reporting server can only look');
cmp_ok($r->sql('SELECT sum(changes) FROM changemgmt.monthly_metrics', db => 'schema', user => 'regress_reader'),
	'>', 0, 'and does');

done_testing;
