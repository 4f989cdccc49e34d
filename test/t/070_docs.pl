# The examples of README.md and docs/*.md run as they stand: every block of SQL,
# in order, in one session a file, in a new database.  The first line of a block
# that shows a refusal names what it is refused with: -- refused: MC002
use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use Test::More;

use lib $FindBin::RealBin;
use TestServer;

my $root = abs_path("$FindBin::RealBin/../..");
my @files = ("$root/README.md", sort glob "$root/docs/*.md");

# Blocks as [line, text, codes it is refused with].
sub blocks
{
	my ($file) = @_;
	my (@blocks, $block);
	open my $fh, '<', $file or die "$file: $!";
	while (my $line = <$fh>)
	{
		if ($block && $line =~ /^```\s*$/)
		{
			push @blocks, $block;
			undef $block;
		}
		elsif ($block)
		{
			$block->[1] .= $line;
		}
		elsif ($line =~ /^```sql\s*$/)
		{
			$block = [ $. + 1, '', '' ];
		}
	}
	die "$file: a block has no end\n" if $block;
	for my $b (@blocks)
	{
		$b->[2] = $1 if $b->[1] =~ /\A-- refused: ([0-9A-Z ]*[0-9A-Z])/;
	}
	return @blocks;
}

my $server = TestServer->new;
$server->start;
my $number = 0;

for my $file (@files)
{
	my $name = $file =~ s/^\Q$root\E\///r;
	my @blocks = blocks($file) or next;
	my $db = 'docs_' . ++$number;
	$server->createdb($db);
	$server->psql('CREATE EXTENSION changemgmt', db => $db)
	  if !grep { $_->[1] =~ /^CREATE EXTENSION changemgmt;/m } @blocks;

	# Errors with their codes, between marks.
	my $script = join '', map { "\\warn '<<$_->[0]>>'\n$_->[1]\n" } @blocks;
	my ($rc, $out, $err) = $server->psql($script, db => $db, on_error_stop => 0);
	$err .= '<<end>>';
	for my $b (@blocks)
	{
		my ($said) = $err =~ /<<$b->[0]>>\n(.*?)(?=<<(?:\d+|end)>>)/s;
		my @codes = ($said // 'never reached') =~
		  /(?:ERROR|FATAL|never reached)(?::\s+([0-9A-Z]{5}):)?/g;
		my @wrong = ($said // '') =~ /^(?:psql:.*?: )?(error: .*|invalid command .*)$/mg;
		is(join(' ', map { $_ // 'none' } @codes) . "@wrong", $b->[2],
			"$name, line $b->[0]") or diag($said);
		# what is left open would run into the next block
		my ($last) = $b->[1] =~ /([^\n]*\S[^\n]*)\s*\z/;
		like($last, qr/;\s*(?:--.*)?$|^\\/, "$name, line $b->[0]: complete");
	}
	is($rc, 0, "$name: the session goes on to its end");
}

# What the documents point at is there.
for my $file (@files)
{
	my $name = $file =~ s/^\Q$root\E\///r;
	my $text = TestServer::slurp($file);
	my $dir = $name =~ m{^docs/} ? "$root/docs" : $root;
	my %at = map { $_ => "$dir/$_" } $text =~ /\]\(([^):#]+)/g;
	$at{$_} = "$root/$_" for $text =~ /`((?:test|src|sql|docs|demo)\/[^`*\s]+)`/g;
	is(join(' ', grep { !-e $at{$_} } sort keys %at), '', "$name: what it points at");
}

# README names each function that people call: all but those of triggers, and
# what types, operators, aggregates and the planner are served by.
my $readme = TestServer::slurp("$root/README.md");
$server->createdb('docs_functions');
$server->psql('CREATE EXTENSION changemgmt', db => 'docs_functions');
my (undef, $functions) = $server->psql(<<'SQL', db => 'docs_functions');
SELECT DISTINCT proname FROM pg_proc AS p
WHERE pronamespace = 'changemgmt'::regnamespace AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
AND NOT EXISTS (SELECT FROM pg_type WHERE p.oid IN (typinput, typoutput, typreceive, typsend))
AND NOT EXISTS (SELECT FROM pg_amproc WHERE amproc = p.oid)
AND NOT EXISTS (SELECT FROM pg_proc AS s WHERE s.prosupport = p.oid)
AND NOT EXISTS (SELECT FROM pg_amop JOIN pg_operator AS o ON o.oid = amopopr WHERE oprcode = p.oid)
AND NOT EXISTS (SELECT FROM pg_operator AS o WHERE oprcode = p.oid AND oprresult = 'bool'::regtype)
AND NOT EXISTS (SELECT FROM pg_aggregate
	WHERE p.oid IN (aggtransfn, aggcombinefn, aggserialfn, aggdeserialfn, aggfinalfn, aggmtransfn, aggminvtransfn) AND proname !~ '^rate_(add|subtract)$')
SQL
my @functions = split ' ', $functions;
cmp_ok(scalar @functions, '>', 90, 'functions to look for');
is(join(' ', grep { $readme !~ /`$_[`(]/ } sort @functions), '', 'README.md names each function');

# Each rule of the process that does not wait is met by a test under its number.
my $process = TestServer::slurp("$root/docs/process.md");
my @rules = $process =~ /^(\| [A-Z]\d+ \|.*)$/mg;
my %met = map { $_ => 1 } map { split /, / }
  TestServer::slurp("$root/test/pgtap/process.sql") =~ /'((?:[A-Z]\d+(?:, )?)+): /g;
my %told;
for my $rule (@rules)
{
	my ($number) = $rule =~ /^\| ([A-Z]\d+)/;
	$told{$number} = 1;
	ok($met{$number}, "$number is met") if $rule !~ /\*\*waits?\*\*/;
}
is(join(' ', grep { !$told{$_} } sort keys %met), '', 'each number of a test is a rule');

done_testing();
