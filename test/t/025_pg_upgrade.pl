# pg_upgrade brings a database with changes in every status into a new cluster,
# where they go on.  From one cluster to another of the same version, unless
# PG_CONFIG_OLD names the pg_config of an older server that has the extension.
use strict;
use warnings;

use TestChanges;
use TestServer;
use Test::More;

my $old_bin = $TestServer::bindir;
chomp($old_bin = `$ENV{PG_CONFIG_OLD} --bindir`) if $ENV{PG_CONFIG_OLD};

# Runs with the old server's programs.
sub old
{
	my ($code) = @_;
	local $ENV{PATH} = "$old_bin:$ENV{PATH}";
	return $code->();
}

my $old = old(sub { my $s = TestServer->new(name => 'old'); $s->start; $s });
$old->createdb('source');
TestChanges::populate($old, 'source');
$old->sql(<<'EOSQL', db => 'source');
SELECT changemgmt.ledger_checkpoint() \g /dev/null
CREATE ROLE regress_pool;
GRANT SET ON PARAMETER changemgmt.actor TO regress_pool;
EOSQL
is(TestChanges::statuses($old, 'source'), TestChanges::all_statuses(),
	'there are changes of every model in every status that it knows');

# Types whose values are object identifiers in disguise, or whose form on disk
# is the server's own affair; also as elements, domains or parts of a row.
is($old->sql(<<'EOSQL', db => 'source'), '', 'no column has a type that pg_upgrade refuses');
WITH RECURSIVE refused AS (
	SELECT oid FROM pg_type
	WHERE typnamespace = 'pg_catalog'::regnamespace AND (typname ~ '^reg' OR typname IN ('aclitem', 'unknown')
		OR typtype = 'c') OR typname = 'sql_identifier'
	UNION
	SELECT t.oid FROM pg_type AS t JOIN refused AS r
		ON r.oid IN (t.typelem, t.typbasetype)
		OR EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.atttypid = r.oid AND NOT a.attisdropped)
		OR EXISTS (SELECT FROM pg_range AS g WHERE g.rngtypid = t.oid AND g.rngsubtype = r.oid)
)
SELECT a.attrelid::regclass, a.attname, a.atttypid::regtype FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN refused ON refused.oid = a.atttypid
WHERE c.relnamespace = 'changemgmt'::regnamespace AND c.relkind IN ('r', 'p', 'm', 'i') AND a.attnum > 0 AND NOT a.attisdropped
EOSQL

# What belongs to the extension, and what it may look like.
my $objects = <<'EOSQL';
SELECT pg_describe_object(classid, objid, objsubid) COLLATE "C" AS o FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'changemgmt' ORDER BY o;
SELECT extversion, extconfig::regclass[], extcondition FROM pg_extension WHERE extname = 'changemgmt';
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE NOT tgisinternal AND relnamespace = 'changemgmt'::regnamespace ORDER BY 1, 2;
SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'changemgmt'::regnamespace AND conrelid <> 0 ORDER BY 1, 2;
SELECT polrelid::regclass, polname FROM pg_policy ORDER BY 1, 2;
SELECT grantee::regrole, privilege_type FROM pg_parameter_acl, aclexplode(paracl) ORDER BY 1, 2;
EOSQL
my $was = [ TestChanges::content($old, 'source'), TestChanges::reads($old, 'source'), $old->sql($objects, db => 'source') ];
is_deeply([ grep { $was->[0]{$_} eq '' } sort keys %{ $was->[0] } ], [],
	'no table is empty, so that each of them is tested');
old(sub { $old->stop });

my $new = TestServer->new(name => 'new');
my @upgrade = ('bash', '-c', 'cd "$1" && shift && exec "$@"', 'bash', $new->dir, 'pg_upgrade', '-U', 'postgres', '-b', $old_bin,
	'-B', $TestServer::bindir, '-d', $old->data, '-D', $new->data, '-s', $new->dir, '-N');
my ($rc, $out) = $new->run(@upgrade, '--check');
is($rc, 0, 'pg_upgrade --check finds nothing') or diag($out);
like($out, qr/required libraries\s+ok/, 'nor that the library cannot be loaded');
($rc, $out) = $new->run(@upgrade);
is($rc, 0, 'pg_upgrade runs') or diag($out);
$new->start;

my $is = [ TestChanges::content($new, 'source'), TestChanges::reads($new, 'source'), $new->sql($objects, db => 'source') ];
is_deeply([ grep { $is->[0]{$_} ne $was->[0]{$_} } sort keys %{ $was->[0] } ], [], 'all tables have the same rows, load records and sequences too');
is_deeply([ grep { ($is->[1]{$_} // '?') ne ($was->[1]{$_} // '') } sort keys %{ $was->[1] } ], [], 'all views and functions answer the same');
is($is->[2], $was->[2], 'the extension has the same objects, triggers, constraints, policies');
is($new->sql('SELECT * FROM changemgmt.verify_ledger()', db => 'source'), '', 'the ledger is whole');

my ($changes, $events) = split /\|/, TestChanges::go_on($new, 'source');
cmp_ok($changes, '>', 80, 'changes in every status go on');
cmp_ok($events, '>', 6, 'by every verb');
my $root = $new->sql("SELECT encode(root, 'hex') FROM changemgmt.ledger_checkpoint", db => 'source');
is($new->sql("SELECT * FROM changemgmt.verify_checkpoint('$root')", db => 'source'), '',
	'the ledger is whole after that, and the continuation of what the checkpoint saw');

# The upgraded extension is dumped and restored like any other.
$new->createdb('restored');
$new->restore($new->dump('source', '-Fc'), 'restored');
is_deeply(TestChanges::content($new, 'restored', 'changemgmt.load'), TestChanges::content($new, 'source', 'changemgmt.load'),
	'a dump of it restores');

done_testing;
