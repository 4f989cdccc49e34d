# A log of deployments goes in by docs/import_deployments.sql, and
# monthly_metrics gives the known answers: for a small log whose answers were
# worked out by hand, and for the real one in the directory that
# CHANGEMGMT_REAL_DATA names.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

my $top;
BEGIN { $top = dirname(abs_path(__FILE__)) . '/../..' }
use lib dirname(abs_path(__FILE__));
use TestServer;

my $server = TestServer->new;
$server->start;

# The status of the import of a log, .gz or not, and what it said.
sub import_log
{
	my ($db, $source, $log) = @_;
	local %ENV = (%ENV, $server->env);
	my $read = $log =~ /\.gz$/ ? 'gzip -dc' : 'cat';
	my $output = $server->tempname;
	my $rc = system('bash', '-c', 'set -o pipefail; '
		  . "$read \"\$1\" | psql -X -q -A -t -v source=\"\$2\" -d \"\$3\" -f \"\$4\" >\"\$5\" 2>&1",
		'bash', $log, $source, $db, "$top/docs/import_deployments.sql", $output);
	return ($rc, TestServer::slurp($output));
}

sub slurp_log
{
	my ($file) = @_;
	my $read = $file =~ /\.gz$/ ? 'gzip -dc' : 'cat';
	return scalar `$read '$file'`;
}

# Months where the first query's rows and the known answers differ.
my $compare = <<'SQL';
CREATE TEMP VIEW span AS
	SELECT (month_utc || '-01')::date AS month, * FROM known;
CREATE TEMP VIEW found AS
	SELECT m.*, f.within_24h, f.within_7d
	FROM changemgmt.monthly_metrics AS m
	LEFT JOIN (
		SELECT month,
			   count(*) FILTER (WHERE time_to_rollback_seconds <= 86400) AS within_24h,
			   count(*) FILTER (WHERE time_to_rollback_seconds <= 604800) AS within_7d
		FROM changemgmt.change_fact GROUP BY month
	) AS f ON f.month = m.month
	WHERE m.month BETWEEN (SELECT min(month) FROM span) AND (SELECT max(month) FROM span);
CREATE FUNCTION pg_temp.near(a float8, b float8) RETURNS boolean LANGUAGE sql AS
	'SELECT abs(a - b) <= 1e-12 * greatest(1, abs(b)) OR a IS NULL AND b IS NULL';
SQL

my %checks = (
	'counts are the known ones' => <<'SQL',
SELECT month FROM found FULL JOIN span AS k USING (month)
WHERE (found.changes, found.failed, found.rolled_back, found.rollback_times, found.pending)
	IS DISTINCT FROM (coalesce(k.changes, 0), coalesce(k.reverted_ever, 0),
					  coalesce(k.reverted_ever, 0), coalesce(k.n_restore, 0), 0::bigint)
   OR (coalesce(within_24h, 0), coalesce(within_7d, 0))
	IS DISTINCT FROM (coalesce(k.reverted_24h, 0), coalesce(k.reverted_7d, 0))
SQL
	'rates are the known ones, and null in a month without changes' => <<'SQL',
SELECT month FROM found FULL JOIN span AS k USING (month)
WHERE pg_temp.near(change_failure_rate, cfr_ever) IS NOT TRUE
   OR pg_temp.near(rollback_rate, cfr_ever) IS NOT TRUE
   OR pg_temp.near(success_rate, 1 - cfr_ever) IS NOT TRUE
SQL
	'Wilson bounds agree to 1e-12' => <<'SQL',
SELECT month FROM found FULL JOIN span AS k USING (month)
WHERE pg_temp.near(change_failure_rate_low, wilson95_lo) IS NOT TRUE
   OR pg_temp.near(change_failure_rate_high, wilson95_hi) IS NOT TRUE
SQL
	'mean and median time to rollback agree to 1e-12' => <<'SQL',
SELECT month FROM found FULL JOIN span AS k USING (month)
WHERE pg_temp.near(time_to_rollback_mean_seconds, mean_restore_seconds) IS NOT TRUE
   OR pg_temp.near(time_to_rollback_median_seconds, median_restore_seconds) IS NOT TRUE
SQL
);

sub check_log
{
	my ($name, $db, $log, $known, $rows) = @_;

	$server->createdb($db);
	$server->sql('CREATE EXTENSION changemgmt', db => $db);
	my ($rc, $output) = import_log($db, $name, $log);
	is($rc, 0, "$name: the log is imported") or diag($output);
	is($server->sql('SELECT count(*) FROM changemgmt.change', db => $db),
		$rows, "$name: a change a deployment");
	is($server->sql('SELECT count(*) FROM changemgmt.ledger', db => $db),
		0, "$name: history has no ledger entries");

	my $prepare = "CREATE TEMP TABLE known (month_utc text, changes bigint,"
	  . " reverted_ever bigint, reverted_24h bigint, reverted_7d bigint,"
	  . " is_revert bigint, cfr_ever float8, wilson95_lo float8,"
	  . " wilson95_hi float8, n_restore bigint, mean_restore_seconds float8,"
	  . " median_restore_seconds float8);\n"
	  . "COPY known FROM stdin WITH (FORMAT csv, HEADER);\n"
	  . slurp_log($known) . "\\.\n$compare";
	isnt($server->sql("$prepare SELECT count(*) FROM span", db => $db), 0,
		"$name: there are known answers");
	is($server->sql("$prepare $checks{$_}", db => $db), '', "$name: $_")
	  for sort keys %checks;

	($rc, $output) = import_log($db, $name, $log);
	is($rc, 0, "$name: the import can be repeated") or diag($output);
	is($server->sql('SELECT count(*) FROM changemgmt.change', db => $db),
		$rows, "$name: and brings nothing twice");
	return;
}

check_log('small log', 'small', "$top/test/data/deployments.csv",
	"$top/test/data/deployments_monthly.csv", 10);
is( $server->sql(
		"SELECT attributes ->> 'author' FROM changemgmt.change WHERE source_key = 'a4'",
		db => 'small'),
	"O'Neil, \"Zoë\"",
	'small log: what is quoted comes through');

my ($rc, $output) = import_log('small', 'small log', '/dev/null');
is($rc, 0, 'an empty log brings nothing');
TestServer::spew($server->dir . '/bad.csv',
	"a header\n0,z1,2020-01-10T09:00:00Z,soon" . (',' x 17) . "\n");
($rc, $output) = import_log('small', 'small log', $server->dir . '/bad.csv');
isnt($rc, 0, 'a damaged log is refused');
like($output, qr/invalid input syntax for type timestamp/, 'with the reason');

SKIP:
{
	my $dir = $ENV{CHANGEMGMT_REAL_DATA};
	skip 'CHANGEMGMT_REAL_DATA names no directory with the real log', 1
	  if !$dir || !-d $dir;
	my ($log) = glob "$dir/*_config_changes_*.csv.gz";
	my ($known) = glob "$dir/*_config_monthly_*.csv";
	skip 'the real log is not in CHANGEMGMT_REAL_DATA', 1 if !$log || !$known;
	my $lines = () = slurp_log($log) =~ /\n/g;
	check_log('real log', 'real', $log, $known, $lines - 1);
	is($lines - 1, 17918, 'real log: all of it');
}

done_testing;
