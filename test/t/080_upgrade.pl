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

done_testing;
