# The ledger seen from outside: a verifier in another language, written from
# docs/ledger.md, agrees with the database on chains that the triggers wrote,
# in databases of different encodings, after a restore, and on what was
# tampered with.
use strict;
use warnings;

use File::Basename qw(dirname);
use File::Spec;
use TestServer;
use Test::More;

my $verifier = File::Spec->rel2abs(dirname(__FILE__)) . '/ledger_verify.py';
plan skip_all => 'python3 is not installed'
  if system('python3 -c "import sys; sys.exit(sys.version_info < (3, 7))" 2>/dev/null') != 0;

my $s = TestServer->new;
$s->start;

sub export
{
	my ($db) = @_;
	my @files;
	for my $table (qw(ledger change person ledger_checkpoint ledger_checkpoint_head))
	{
		my $file = $s->dir . "/$db-$table.jsonl";
		TestServer::spew($file, $s->sql(<<"EOSQL", db => $db) . "\n");
SET client_encoding = 'UTF8';
SET TimeZone = 'UTC'; SET bytea_output = 'hex'; SET extra_float_digits = 1;
COPY (
    SELECT json_build_object('table', '$table', 'columns',
        (SELECT json_object_agg(a.attname, json_build_array(
                    format_type(a.atttypid, NULL), (to_json(l) -> a.attname::text)::text))
         FROM pg_attribute a
         WHERE a.attrelid = 'changemgmt.$table'::regclass AND a.attnum > 0 AND NOT a.attisdropped))
    FROM changemgmt.$table l
) TO STDOUT;
EOSQL
		push @files, $file;
	}
	return @files;
}

sub verify_outside
{
	my ($db, @args) = @_;
	my ($rc, $out, $err) = $s->run('python3', $verifier, @args, export($db));
	return "status $rc\n$out$err";
}

sub verify_inside
{
	my ($db) = @_;
	return $s->sql(
		'SELECT subject_id, sequence, problem FROM changemgmt.verify_ledger()',
		db => $db);
}

# What a change may hold, each in a statement of its own.
my $history = <<'EOSQL';
SET client_encoding = 'UTF8';
SET TimeZone = 'Asia/Kathmandu';
SET DateStyle = 'SQL, DMY';
SET application_name = E'back\\slash "quoted"';
INSERT INTO changemgmt.change (id, title, description, category, affects,
	rough_estimate_hours, cost_planned, deadline, attributes)
VALUES (1, E'Zürich \\ "quoted"', E'two \n tab\t' || repeat('a long description, ', 2000),
	'schema', '{clients,business}', 3, 12.50, '1965-01-02 03:04:05.67+00',
	'{"b": 1.50, "aa": [1, null, "x\"y\\"], "é": {}}');
UPDATE changemgmt.change SET description = E'C:\\dir', affects = '{}' WHERE id = 1;
UPDATE changemgmt.change SET description = NULL, affects = NULL, unplanned = true WHERE id = 1;
INSERT INTO changemgmt.change (id, title) VALUES (2, 'second');
UPDATE changemgmt.change SET attributes = '{"n": 1e400}' WHERE id = 2;
INSERT INTO changemgmt.change (id, title) VALUES (3, 'never mind');
DELETE FROM changemgmt.change WHERE id = 3;
EOSQL

for my $encoding (qw(UTF8 LATIN1))
{
	my $db = lc $encoding;
	$s->run_ok('createdb', '-h', $s->host, '-p', $s->port, '-U', 'postgres',
		'-E', $encoding, '--locale=C', '-T', 'template0', $db);
	$s->sql("CREATE EXTENSION changemgmt;\nSELECT changemgmt.add_person('postgres');\n$history", db => $db);
	is(verify_inside($db), '', "$encoding: the database finds no problem");
	is(verify_outside($db), "status 0\n8 entries, 3 rows, 0 problems\n",
		"$encoding: nor does a program that knows the format only");
}

is($s->sql('SELECT encode(changemgmt.row_digest(t), \'hex\') FROM (SELECT E\'Z\u00fcrich\' AS a) t', db => 'latin1'),
	$s->sql('SELECT encode(changemgmt.row_digest(t), \'hex\') FROM (SELECT E\'Z\u00fcrich\' AS a) t', db => 'utf8'),
	'a text has the same digest in every encoding');

# A restore is history, with the same chains.
my $rows = 'SELECT * FROM changemgmt.ledger ORDER BY subject_id, sequence';
for my $format ('plain', 'custom')
{
	my $file = $s->dump('utf8', "--format=$format");
	$s->createdb("restored_$format");
	$s->restore($file, "restored_$format");
	is($s->sql($rows, db => "restored_$format"), $s->sql($rows, db => 'utf8'),
		"$format dump: the ledger comes back as it was");
	is(verify_inside("restored_$format"), '', "$format dump: and is whole");
	is($s->sql('SELECT relation, row_count FROM changemgmt.load ORDER BY 1',
			db => "restored_$format"),
		"change|2\nledger|8\nperson|1", "$format dump: the restore is recorded");
}

# Chains go on where they ended.
$s->sql("UPDATE changemgmt.change SET title = 'after' WHERE id = 1", db => 'restored_plain');
is(verify_outside('restored_plain'), "status 0\n9 entries, 3 rows, 0 problems\n",
	'a restored chain goes on');

# Tampering, with the triggers out of the way.
$s->sql(<<'EOSQL', db => 'utf8');
SET session_replication_role = replica;
UPDATE changemgmt.change SET title = 'rewritten' WHERE id = 1;
UPDATE changemgmt.ledger SET actor = 'somebody' WHERE subject_kind = 'change' AND subject_id = 2 AND sequence = 1;
DELETE FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = 3 AND sequence = 1;
EOSQL
is(verify_inside('utf8'), <<'EOS' =~ s/\n\z//r, 'the database finds what was tampered with');
1|3|the row is not what the last entry recorded
2|1|hash does not fit the content of the entry
3|2|entry 1 is missing
3|2|previous_hash is not the hash of the entry before
EOS
is(verify_outside('utf8'), <<'EOS', 'so does the program outside');
status 1
change 1, entry 3: row_digest is wrong
change 2, entry 1: hash is wrong
change 3, entry 2: expected entry 1
change 3, entry 2: previous_hash is wrong
7 entries, 3 rows, 4 problems
EOS

$s->sql(<<'EOSQL', db => 'latin1');
SET session_replication_role = replica;
DELETE FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = 1;
DELETE FROM changemgmt.change WHERE id = 2;
INSERT INTO changemgmt.change (id, title) VALUES (9, 'from nowhere');
EOSQL
is(verify_inside('latin1'), <<'EOS' =~ s/\n\z//r, 'chains, rows and creations that are gone are found');
2|2|the row is gone, and its deletion is not recorded
1|3|the row has a ledger_head, but the ledger has no entry
||of 1 rows whose creation is not in the ledger only 0 came in by COPY
EOS

# Checkpoints: both compute the same root, whatever goes on and wherever it is
# restored.
my $db = 'restored_plain';
my @roots = ($s->sql('SELECT root FROM changemgmt.ledger_checkpoint()', db => $db));
$s->sql(<<'EOSQL', db => $db);
INSERT INTO changemgmt.change (id, title) SELECT i, 'change ' || i FROM generate_series(8, 13) AS i;
UPDATE changemgmt.change SET title = 'edited' WHERE id IN (2, 9, 10);
DELETE FROM changemgmt.change WHERE id = 10;
EOSQL
push @roots, $s->sql('SELECT root FROM changemgmt.ledger_checkpoint()', db => $db);
$s->sql("UPDATE changemgmt.change SET title = 'edited again' WHERE id IN (2, 11)", db => $db);
$s->createdb('with_checkpoints');
$s->restore($s->dump($db), 'with_checkpoints');
for my $where ($db, 'with_checkpoints')
{
	for my $n (0, 1)
	{
		is($s->sql("SELECT * FROM changemgmt.verify_checkpoint('$roots[$n]')", db => $where), '',
			"$where: the database finds what checkpoint $n saw");
		is(verify_outside($where, '--root', $roots[$n]), "status 0\n21 entries, 8 rows, 0 problems\n",
			"$where: so does the program outside");
	}
}
is($s->sql("SELECT changemgmt.verify_checkpoint('" . 'a' x 64 . "')", db => $db),
	'(ledger_checkpoint,,,"no checkpoint has this root")', 'the database does not know another root');
is(verify_outside($db, '--root', 'a' x 64), <<'EOS', 'nor does the program outside');
status 1
ledger_checkpoint None, entry None: no checkpoint has this root
21 entries, 8 rows, 1 problems
EOS

# A cut tail, with the row as it was then; a chain that is gone as if it had
# never been; a kept head that was altered.
$s->sql(<<'EOSQL', db => $db);
SET session_replication_role = replica;
DELETE FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = 9 AND sequence > 1;
UPDATE changemgmt.change AS c
SET title = 'change 9', revision = 1, plan_revision = 1, updated_at = l.recorded_at, ledger_sequence = 1, ledger_head = l.hash
FROM changemgmt.ledger AS l WHERE c.id = 9 AND l.subject_kind = 'change' AND l.subject_id = 9;
DELETE FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = 12;
DELETE FROM changemgmt.change WHERE id = 12;
EOSQL
is($s->sql("SELECT * FROM changemgmt.verify_checkpoint('$roots[1]')", db => $db), <<'EOS' =~ s/\n\z//r,
change|9|2|entry 2, which checkpoint 2 saw, is missing
change|12|1|entry 1, which checkpoint 2 saw, is missing
EOS
	'the database finds what is missing');
is(verify_outside($db, '--root', $roots[1]), <<'EOS', 'so does the program outside');
status 1
change 9, entry 2: missing, but checkpoint 2 saw it
change 12, entry 1: missing, but checkpoint 2 saw it
19 entries, 7 rows, 2 problems
EOS
$s->sql(<<'EOSQL', db => $db);
SET session_replication_role = replica;
DELETE FROM changemgmt.ledger_checkpoint_head WHERE checkpoint_id = 2 AND subject_kind = 'change' AND subject_id IN (9, 12);
EOSQL
is($s->sql("SELECT * FROM changemgmt.verify_checkpoint('$roots[1]')", db => $db),
	'ledger_checkpoint|2||the heads that are kept for it do not give its root', 'the database finds what is no longer kept');
is(verify_outside($db, '--root', $roots[1]), <<'EOS', 'so does the program outside');
status 1
ledger_checkpoint 2, entry None: root is wrong
ledger_checkpoint 2, entry None: counts are wrong
19 entries, 7 rows, 2 problems
EOS

# A crash loses no part of a chain.
$s->sql("UPDATE changemgmt.change SET title = 'before the crash' WHERE id = 2", db => 'restored_custom');
$s->kill9;
$s->start;
is(verify_outside('restored_custom'), "status 0\n9 entries, 3 rows, 0 problems\n",
	'chains are whole after a crash');

done_testing;
