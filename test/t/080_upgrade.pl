# An extension that was upgraded from 1.0 is the one that is created fresh,
# object by object; rows stay as they were and go on; and the library runs with
# the SQL of the version before until the upgrade comes.  The pgTAP tests run on
# an upgraded database, too: test/bin/test, kind "upgraded".
use strict;
use warnings;

use File::Basename qw(basename dirname);
use JSON::PP ();
use TestChanges;
use TestServer;
use Test::More;

my $old = '1.0';
my $top = dirname(dirname(dirname(__FILE__)));
my ($new) = TestServer::slurp("$top/changemgmt.control") =~ /^default_version = '([^']+)'/m;

# The old install script stands among the tests; the server at hand is a private
# one, to which nothing else brings it.
my $fixture = "$top/test/data/changemgmt--$old.sql";
chomp(my $share = `$TestServer::pg_config --sharedir`);
my $installed = "$share/extension/changemgmt--$old.sql";
TestServer::spew($installed, TestServer::slurp($fixture))
  if TestServer::slurp($installed) ne TestServer::slurp($fixture);

my $s = TestServer->new;
$s->start;

# ------------------------------------------------- upgraded equals fresh

my $catalog = TestServer::slurp("$top/test/t/extension_catalog.sql");

sub facts
{
	my ($db) = @_;
	my %facts;
	for (split /\n/, $s->sql($catalog, db => $db, args => [ '-F', "\t" ]))
	{
		my ($object, $aspect, $value) = split /\t/, $_, 3;
		my $name = $object eq $aspect ? $object : "$object: $aspect";
		$facts{$name} .= (defined $facts{$name} ? ' and ' : '') . $value;
	}
	return \%facts;
}

# The statement of a part that makes what is missing, as file:line.
sub statement_of
{
	my ($name) = @_;
	my ($word) = $name =~ /: (?:constraint|index|trigger|policy|rule|statistics) (?:changemgmt\.)?(\S+)$/;
	($word) = $name =~ /changemgmt\.("[^"]+"|[\w=<>+-]+)/ if !defined $word;
	return if !defined $word;
	$word =~ s/"//g;
	for my $file (sort glob "$top/sql/[0-9]*.sql")
	{
		my $line = 0;
		for (split /\n/, TestServer::slurp($file))
		{
			$line++;
			return "sql/" . basename($file) . ":$line: $_" if /^(?:CREATE|ALTER)\b.*(?<!\w)\Q$word\E(?!\w)/;
		}
	}
	return;
}

# Of two values that differ, the fields that do.
sub apart
{
	my @values = @_;
	my $json = JSON::PP->new->allow_nonref->canonical;
	my ($f, $u) = map { eval { $json->decode($_) } } @values;
	return @values if ref $f ne 'HASH' || ref $u ne 'HASH';
	for my $key (keys %$f)
	{
		next if !exists $u->{$key} || $json->encode($f->{$key}) ne $json->encode($u->{$key});
		delete $f->{$key};
		delete $u->{$key};
	}
	return map { $json->encode($_) } $f, $u;
}

# What differs, in words.
sub differences
{
	my ($fresh, $upgraded) = @_;
	my (@missing, @extra, @other);
	for my $name (sort keys %$fresh)
	{
		if (!exists $upgraded->{$name}) { push @missing, $name }
		elsif ($upgraded->{$name} ne $fresh->{$name})
		{
			my ($f, $u) = apart($fresh->{$name}, $upgraded->{$name});
			push @other, "$name\n    fresh:    $f\n    upgraded: $u";
		}
	}
	@extra = grep { !exists $fresh->{$_} } sort keys %$upgraded;
	# of a missing table, its columns and so on say nothing more
	my %gone = map { (split /: /)[0] =~ s/^\w[\w ]* (?=changemgmt\.)//r => 1 } grep { /: member$/ } @missing;
	my @told = grep { /: member$/ || !$gone{ (split /: /)[0] =~ s/^\w[\w ]* (?=changemgmt\.)//r } } @missing;
	for my $name (@told)
	{
		my $where = $name =~ /: column / ? undef : statement_of($name);
		push @other, "$name\n    is missing after the upgrade: "
		  . ($where ? "is `-- since $new` above $where ?" : "sql/upgrade/$old--$new.sql has to add it");
	}
	push @other, "$_\n    is there after the upgrade, but not in a fresh extension: sql/upgrade/$old--$new.sql has to drop it"
	  for @extra;
	return @other;
}

$s->createdb($_) for qw(fresh upgraded);
$s->sql('CREATE EXTENSION changemgmt', db => 'fresh');
$s->sql("CREATE EXTENSION changemgmt VERSION '$old'", db => 'upgraded');
my $before = facts('upgraded');
my ($rc, undef, $err) = $s->psql('ALTER EXTENSION changemgmt UPDATE', db => 'upgraded');
if ($rc)
{
	# most likely a comment on, or a use of, what is not created
	my ($name) = $err =~ /"(?:changemgmt\.)?(\w+)"/;
	my $where = defined $name && statement_of("changemgmt.$name");
	fail('the extension upgrades');
	diag($err, $where ? "is `-- since $new` above $where ?\n" : '');
	done_testing;
	exit;
}
my $fresh = facts('fresh');
my $upgraded = facts('upgraded');

like($before->{extension}, qr/"version": "\Q$old\E"/, 'the old version is installed');
like($upgraded->{extension}, qr/"version": "\Q$new\E"/, 'and upgraded to the new one');
is($s->sql(<<'EOSQL', db => 'fresh'), '', 'every kind of object of the extension is compared');
SELECT DISTINCT d.classid::regclass
FROM pg_depend AS d JOIN pg_extension AS x ON x.oid = d.refobjid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND x.extname = 'changemgmt'
	AND d.classid::regclass::text <> ALL (ARRAY['pg_class', 'pg_proc', 'pg_type', 'pg_operator', 'pg_opclass', 'pg_opfamily',
		'pg_cast', 'pg_event_trigger', 'pg_statistic_ext'])
EOSQL
for my $aspect ('member', 'function', 'aggregate', 'relation', 'view', 'type', 'operator', 'cast', 'sequence',
	'column \S+', 'constraint \S+', 'index \S+', 'trigger \S+', 'rule \S+', 'pg_extension_config_dump')
{
	ok(scalar(grep { /: $aspect$/ } keys %$fresh), "there are facts about $aspect");
}
my @differences = differences($fresh, $upgraded);
is(scalar @differences, 0, 'upgraded equals fresh, in ' . keys(%$fresh) . ' facts')
  or diag(join "\n", @differences);

# ---------------------------------- the library of today, the SQL of before

$s->createdb('walked');
TestChanges::populate($s, 'walked', version => $old);
is(TestChanges::statuses($s, 'walked'), TestChanges::all_statuses(),
	'before the upgrade: verbs lead changes of every model into every status');
is($s->sql('SELECT * FROM changemgmt.verify_ledger()', db => 'walked'), '', 'before the upgrade: the ledger is whole');

my @views = split /\n/, $s->sql(<<'EOSQL', db => 'walked');
SELECT c.oid::regclass FROM pg_class AS c
JOIN pg_depend AS d ON (d.classid, d.objid, d.deptype) = ('pg_class'::regclass, c.oid, 'e')
JOIN pg_extension AS x ON x.oid = d.refobjid AND x.extname = 'changemgmt'
WHERE c.relkind = 'v' ORDER BY 1
EOSQL
cmp_ok(scalar @views, '>', 5, 'there are views');
is($s->sqlstate("SELECT count(v::text) FROM $_ AS v", db => 'walked'), '', "before the upgrade: $_ can be read") for @views;

my @duties = qw(viewer requester implementer approver manager integration);
is($s->sqlstate(join('', map { "CREATE ROLE regress_$_; SELECT changemgmt.grant_role('regress_$_', '$_');" } @duties),
		db => 'walked'), '', 'before the upgrade: duties are granted');

# What a dump says of those roles' privileges.
sub grants
{
	my ($db) = @_;
	return grep { /^GRANT .* TO regress_/ } split /\n/, TestServer::slurp($s->dump($db, '--schema-only'));
}

# All rows, in the columns that the old version had; of each table by its name.
my %columns = map { split /\|/ } split /\n/, $s->sql(<<'EOSQL', db => 'walked');
SELECT c.oid::regclass, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
FROM pg_class AS c
JOIN pg_depend AS d ON (d.classid, d.objid, d.deptype) = ('pg_class'::regclass, c.oid, 'e')
JOIN pg_extension AS x ON x.oid = d.refobjid AND x.extname = 'changemgmt'
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' GROUP BY c.oid
EOSQL

sub rows
{
	my ($db) = @_;
	return { map {
			$_ => join("\n", sort split /\n/, $s->sql("COPY (SELECT $columns{$_} FROM $_) TO STDOUT", db => $db))
		} keys %columns };
}

# A session from before the upgrade, with its plans and caches
my $session = $s->session(db => 'walked');
my $walks = 0;

sub work
{
	# walks are known by the text of their steps
	my $plan = 'plan' . ' ' x (2 + $walks++);
	return <<"EOSQL";
SELECT 'walked: ' || public.walk('lean_standard', '$plan submit approve start tasks complete check pass close');
SELECT public.act('otto') \\g /dev/null
SELECT id FROM changemgmt.create_change('of a session') \\gset
SELECT revision FROM changemgmt.edit_change(:id, '{"description": "edited"}');
SELECT c.status FROM changemgmt.copy_change(:id) AS c;
EOSQL
}

$session->send(work());
$session->sync;

my $rows = rows('walked');
$s->sql(<<'EOSQL', db => 'walked');
CREATE TABLE public.granted AS
	SELECT oid AS id, proname AS name FROM pg_proc WHERE pronamespace = 'changemgmt'::regnamespace
	UNION ALL SELECT oid, relname FROM pg_class WHERE relnamespace = 'changemgmt'::regnamespace
EOSQL
my @granted = grants('walked');
my $dump = $s->dump('walked');
$s->sql('GRANT SELECT ON changemgmt.change TO PUBLIC; GRANT EXECUTE ON FUNCTION changemgmt.plan TO PUBLIC', db => 'walked');
$s->sql('ALTER TABLE changemgmt.change_task DISABLE TRIGGER part_updated', db => 'walked');
$s->sql('CREATE VIEW public.of_ours AS SELECT * FROM changemgmt.verify_ledger()', db => 'walked');
cmp_ok(scalar @granted, '>', 100, 'there are grants');

# ------------------------------------------------------------ the upgrade

$s->sql('ALTER EXTENSION changemgmt UPDATE', db => 'walked');
is($s->sql('SELECT count(*) FROM public.of_ours', db => 'walked'), '0', 'a view of the site over what is ours stands');
$s->sql('DROP VIEW public.of_ours', db => 'walked');

my $after = rows('walked');
for my $table (sort keys %$rows)
{
	# an upgrade is recorded as a load
	my %left = map { $_ => 1 } split /\n/, $after->{$table};
	my @lost = grep { !$left{$_} } split /\n/, $rows->{$table};
	is(scalar @lost, 0, "the upgrade changes no row of $table") or diag("for example: $lost[0]");
	is(scalar(split /\n/, $after->{$table}), scalar(split /\n/, $rows->{$table}), "and adds none to $table")
	  if $table ne 'changemgmt.load';
}
is($s->sql('SELECT * FROM changemgmt.verify_ledger()', db => 'walked'), '', 'after the upgrade: the ledger is whole');

# what was booked or under way has its items; where that overlaps, the first
my $booked = "c.status IN ('awaiting_approval', 'approved', 'scheduled', 'in_progress', 'verifying')"
  . " AND (c.scheduled_at IS NOT NULL OR c.status IN ('in_progress', 'verifying'))";
is($s->sql("SELECT count(*) > 20 FROM changemgmt.booking", db => 'walked'), 't', 'after the upgrade: there are bookings');

# What a change did before, it owes nothing for; what it does now, it does.
is($s->sql('SELECT count(*) FROM changemgmt.duty', db => 'walked'), '0', 'after the upgrade: nothing is owed for what was before');
is($s->sql(<<'EOSQL', db => 'walked'), 't|resolution_summary,root_cause', 'an emergency that was in progress owes what its end asks for');
BEGIN;
SELECT min(id) AS fire FROM changemgmt.change WHERE model = 'emergency' AND status = 'in_progress' \gset
SELECT public.act('ivan') \g /dev/null
SELECT changemgmt.complete(:fire) \g /dev/null
SELECT bool_and(d.due_at = c.actual_end + interval '24 hours'), string_agg(d.kind, ',' ORDER BY d.kind)
FROM changemgmt.duty AS d JOIN changemgmt.change AS c ON c.id = d.change_id WHERE c.id = :fire;
ROLLBACK;
EOSQL
is($s->sql("SELECT count(*) FROM changemgmt.change AS c JOIN changemgmt.change_item AS i ON i.change_id = c.id"
			. " FULL JOIN changemgmt.booking AS b ON (b.change_id, b.ci_id) = (i.change_id, i.ci_id)"
			. " WHERE ($booked) IS DISTINCT FROM (b.change_id IS NOT NULL)", db => 'walked'), '0',
	'after the upgrade: of what was booked or under way, and of nothing else');
is($s->sql('SELECT count(*) FROM (SELECT FROM changemgmt.booking WHERE is_exclusive GROUP BY ci_id) AS b', db => 'walked'), '2',
	'after the upgrade: each item is the first one\'s');
TestChanges::share($s, 'walked');

# what an upgrade drops and makes anew with other arguments is another object
my %gone = map { $_ => 1 } split /\n/, $s->sql(<<'EOSQL', db => 'walked');
SELECT g.name FROM public.granted AS g
WHERE NOT EXISTS (SELECT FROM pg_proc WHERE oid = g.id) AND NOT EXISTS (SELECT FROM pg_class WHERE oid = g.id)
EOSQL
my %still = map { $_ => 1 } grants('walked');
is(join("\n", grep { !$still{$_} && !(/ ON \w+ changemgmt\.(\w+)/ && $gone{$1}) } @granted), '',
	'after the upgrade: what was granted is dumped as before');
is($s->sql("SELECT count(*) FROM (SELECT relacl FROM pg_class WHERE oid = 'changemgmt.change'::regclass"
			. " UNION ALL SELECT proacl FROM pg_proc WHERE oid = 'changemgmt.plan'::regproc) AS o(acl),"
			. " aclexplode(o.acl) AS a WHERE a.grantee = 0", db => 'walked'), '0', 'after the upgrade: PUBLIC has nothing');
is($s->sql("SELECT count(*) FROM pg_trigger WHERE tgenabled = 'D' AND tgrelid = 'changemgmt.change_task'::regclass",
		db => 'walked'), '0', 'after the upgrade: no trigger is disabled');
is($s->sqlstate(join('', map { "SELECT changemgmt.grant_role('regress_$_', '$_');" } @duties), db => 'walked'), '',
	'after the upgrade: duties are granted again');
$s->createdb('granted');
$s->sql('CREATE EXTENSION changemgmt', db => 'granted');
$s->sql("SELECT changemgmt.grant_role('regress_$_', '$_')", db => 'granted') for @duties;
is_deeply([ sort(grants('walked')) ], [ sort(grants('granted')) ], 'and then they are what they are in a fresh database');

$session->send(work());
$session->sync;
my ($status, $output, $errors) = $session->finish;
is($errors, '', 'a session from before the upgrade goes on after it');
is($output =~ s/^done \d+\n//gmr, "walked: closed\n2\ndraft\n" x 2, 'and does what it did before');

my ($changes, $events) = split /\|/, TestChanges::go_on($s, 'walked');
cmp_ok($changes, '>', 80, 'after the upgrade: changes of every status go on');
cmp_ok($events, '>', 6, 'by every verb');
is($s->sqlstate("SELECT public.act('ivan'); SELECT changemgmt.start(id) FROM changemgmt.change"
			. " WHERE status = 'scheduled' AND rollback_minutes = 77", db => 'walked'), 'MC005',
	'an approval that was stale is stale');
is($s->sqlstate("SELECT count(v::text) FROM $_ AS v", db => 'walked'), '', "after the upgrade: $_ can be read") for @views;
is($s->sql('SELECT * FROM changemgmt.verify_ledger()', db => 'walked'), '', 'and the ledger is whole after that');

# The other way to a new version: a dump, which comes into what is installed.
$s->createdb('restored');
(undef, undef, $err) = $s->run($s->psql_command(db => 'restored', on_error_stop => 0, verbosity => 'default'), '-f', $dump);
is(join("\n", grep { /ERROR/ } split /\n/, $err), '',
	'a dump of the old version restores into the new one');
is($s->sql("SELECT extversion FROM pg_extension WHERE extname = 'changemgmt'", db => 'restored'), $new,
	'which is what the database has');
my $restored = rows('restored');
is_deeply([ grep { $restored->{$_} ne $rows->{$_} && $_ ne 'changemgmt.load' } sort keys %$rows ], [], 'with every row');
is($s->sql('SELECT * FROM changemgmt.verify_ledger()', db => 'restored'), '', 'and its ledger is whole');
($changes) = split /\|/, TestChanges::go_on($s, 'restored');
cmp_ok($changes, '>', 80, 'and its changes go on');
is($s->sql('SELECT * FROM changemgmt.verify_ledger()', db => 'restored'), '', 'and the ledger is whole after that');

# Nothing that the upgrade left holds on to the roles.
$s->run_ok('dropdb', '-h', $s->host, '-p', $s->port, '-U', 'postgres', $_) for 'granted', 'restored';
is($s->sqlstate(join('', map { "SELECT changemgmt.revoke_role('regress_$_', '$_');" } @duties)
			. join('', map { "DROP ROLE regress_$_;" } @duties), db => 'walked'), '',
	'after the upgrade: roles whose duties are revoked can be dropped');

# ------------------------------------ a table that lacks the newest column

# As the next version will find this one: with a column that only it has.
$s->createdb('lacking');
TestChanges::prepare($s, 'lacking', version => $old);
$s->sql('ALTER TABLE changemgmt.change DROP COLUMN long_term_impact', db => 'lacking');
$session = $s->session(db => 'lacking', on_error_stop => 0, verbosity => 'sqlstate');
$session->send(work());
$session->send(q[SELECT changemgmt.edit_change(:id, '{"long_term_impact": "more"}');]);
$session->sync;
like($session->output, qr/^walked: closed\n2\ndraft\ndone/, 'without a newer column: changes are created, edited, copied and closed');
is($session->errors, "ERROR:  MC008\n" , 'without a newer column: it cannot be given');
$s->sql('ALTER TABLE changemgmt.change ADD COLUMN long_term_impact text', db => 'lacking');
$session->send(q[SELECT revision FROM changemgmt.edit_change(:id, '{"long_term_impact": "more"}');]);
$session->send('SELECT id FROM changemgmt.copy_change(:id) \gset');
$session->send('SELECT c.long_term_impact FROM changemgmt.change AS c WHERE c.id = :id;');
($status, $output, $errors) = $session->finish;
like($output, qr/^3\nmore\n\z/m, 'once it is there, the same session writes it');
is($s->sql('SELECT * FROM changemgmt.verify_ledger()', db => 'lacking'), '', 'the ledger knows');

$s->sql('ALTER TABLE changemgmt.change DROP COLUMN long_term_impact', db => 'upgraded');
is($s->sqlstate("SELECT changemgmt.create_change('any')", db => 'upgraded'), '42703',
	'a column of its own version that somebody dropped is an error');

done_testing;
