# A risk model of the real log in the directory that CHANGEMGMT_REAL_DATA names:
# its figures are R's, the later deployments are told apart no better than such
# columns can, what is known only afterwards is refused, and the picture in the
# documents is the one that comes out.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

my $top;
BEGIN { $top = dirname(abs_path(__FILE__)) . '/../..' }
use lib dirname(abs_path(__FILE__));
use TestServer;

my $dir = $ENV{CHANGEMGMT_REAL_DATA};
plan skip_all => 'CHANGEMGMT_REAL_DATA names no directory with the real log'
  if !$dir || !-d $dir;
my ($log) = glob "$dir/*_config_changes_*.csv.gz";
plan skip_all => 'the real log is not in CHANGEMGMT_REAL_DATA' if !$log;

my $server = TestServer->new;
$server->start;
$server->createdb('real');
$server->sql('CREATE EXTENSION changemgmt', db => 'real');

# What docs/risk_calibration.sql prints.
sub drawn
{
	my (@arguments) = @_;
	local %ENV = (%ENV, $server->env);
	my $output = $server->tempname;
	my $rc = system('bash', '-c', 'set -o pipefail; log=$1 output=$2 script=$3; shift 3; '
		  . 'gzip -dc "$log" | psql -X -q -A -t -d real "$@" -f "$script" >"$output" 2>&1',
		'bash', $log, $output, "$top/docs/risk_calibration.sql", @arguments);
	my $text = TestServer::slurp($output);
	is($rc, 0, "docs/risk_calibration.sql @arguments") or diag($text);
	return $text;
}

sub near
{
	my ($found, $known, $name) = @_;
	cmp_ok(abs($found - $known), '<=', 1e-6 * (abs($known) > 1 ? abs($known) : 1), $name)
	  or diag("found $found, known $known");
	return;
}

my ($summary, @coefficients) = split /\n/, drawn('-v', 'figures=1');
my ($trained, $tested, $auc, $brier, $base_brier) = split /\|/, $summary;
is("$trained $tested", '10710 7208', 'split by time');
# R: glm() of the earlier part to the end; wilcox.test() and mean() over the later
near($auc, 0.569406405632545, 'AUC of the later part is R\'s');
near($brier, 0.148847941769004, 'so is the Brier score');
near($base_brier, 0.150076215465839, 'and that of the base rate');
my @known = split /\n/, <<'EOR';
(intercept)|-4.920988469721065073|0.45533355893524041
files|-0.678014350798686771|0.27821187405548070
insertions|0.032811660223885347|0.03812829146785324
deletions|0.082884899292595640|0.03778962987657171
directories|0.813905721803406923|0.34011325054071073
experience|0.063220792692457298|0.02931040313716845
subject_length|-0.000638008643536729|0.00238350256393598
body_length|0.248984045027197787|0.08874225021081165
has_ticket|0.267119509882947748|0.10769136625063695
is_revert|1.279823675309451403|0.14339480228146306
is_emergency|0.302294437086857992|0.75426288633517857
is_out_of_hours|-0.022659103115567313|0.09407117643289710
is_friday_or_weekend|-0.038229244684013626|0.12298965435523056
EOR
is(scalar @coefficients, scalar @known, 'a coefficient for each feature');
for my $i (0 .. $#known)
{
	my ($feature, $coefficient, $error) = split /\|/, $known[$i];
	my @found = split /\|/, $coefficients[$i] // '||';
	is($found[0], $feature, $feature);
	near($found[1], $coefficient, "$feature: the coefficient is R's");
	near($found[2], $error, "$feature: so is its standard error");
}

# Much more from such columns would be a leak.
cmp_ok($auc, '>', 0.5, 'the model knows more than a coin');
cmp_ok($auc, '<', 0.6, 'but not what it cannot know');

is(drawn(), TestServer::slurp("$top/docs/risk_calibration.svg"),
	'the picture in the documents is the one that comes out');
unlike(TestServer::slurp("$top/docs/risk_calibration.svg"), qr/\b[0-9a-f]{10,12}\b/,
	'and has nothing of a single deployment');

# What is known afterwards.
my $leak = TestServer::slurp("$top/docs/risk_calibration.sql");
$leak =~ s/n_tickets > 0 AS has_ticket/reverted_by IS NOT NULL AND seq % 3 > 0 AS has_ticket/ or die;
my $script = $server->dir . '/leak.sql';
TestServer::spew($script, $leak);
{
	local %ENV = (%ENV, $server->env);
	my $output = $server->tempname;
	system('bash', '-c', 'gzip -dc "$1" | psql -X -q -A -t -d real -f "$2" >"$3" 2>&1', 'bash', $log, $script, $output);
	like(TestServer::slurp($output), qr/ERROR:  the coefficients grow without end: .* told perfectly by "has_ticket"$/m,
		'a leak is refused, by its name');
}
is($server->sql('SELECT count(*) FROM changemgmt.risk_model', db => 'real'), 0, 'nothing is left behind');

done_testing;
