# Random statements from sqlsmith against changes in every status, as a role
# with all duties and as a superuser: no crash, no failed assertion, and no
# internal error (XX000) that comes from here.  What the statements change is
# rolled back by sqlsmith, statement by statement.
#
# SQLSMITH_SECONDS=600 goes on for longer, SQLSMITH_SEED tries others.
#
# sqlsmith reads the functions that it calls from pg_proc.  A view of that name,
# first in its path, gives it ours and some of the server's that change
# nothing: more of what is to be tested, and nothing that touches files or
# other sessions, which a superuser could.
use strict;
use warnings;

use TestChanges;
use TestServer;
use Test::More;

chomp(my $program = `sh -c 'command -v sqlsmith'`);
plan skip_all => 'there is no sqlsmith (Debian: package sqlsmith)' if !$program;
my $seconds = $ENV{SQLSMITH_SECONDS} || 20;
my $seed = $ENV{SQLSMITH_SEED} || 1;
# Files of the server that answer odd arguments of its own functions with an
# internal error, and that nothing of ours is done in.
my $known = qr/LOCATION:  \w+, (?:timestamp|date|varbit|geo_ops|network|inet_\w+|xml|tsvector\w*|tsquery\w*|regexp|rangetypes\w*|multirangetypes\w*|formatting)\.c:/;

my $s = TestServer->new(conf => <<'EOCONF');
log_error_verbosity = verbose
log_min_error_statement = error
track_functions = all
max_wal_size = 4GB
log_line_prefix = '%m %p '
EOCONF
$s->start;
$s->createdb('db');
TestChanges::populate($s, 'db');
$s->sql(<<'EOSQL', db => 'db');
CREATE ROLE regress_smith LOGIN;
CREATE ROLE regress_super LOGIN SUPERUSER;
SELECT changemgmt.grant_role('regress_smith', duty) FROM unnest(ARRAY['manager', 'integration']) AS duty;
GRANT SET ON PARAMETER changemgmt.actor TO regress_smith;
ALTER ROLE regress_smith SET changemgmt.actor = 'mona';
ALTER ROLE regress_smith SET statement_timeout = '1s';
ALTER ROLE regress_super SET statement_timeout = '1s';
CREATE SCHEMA smith;
GRANT USAGE ON SCHEMA smith TO PUBLIC;
CREATE VIEW smith.pg_proc AS
    SELECT * FROM pg_catalog.pg_proc AS p
    WHERE (pronamespace = 'changemgmt'::regnamespace
           OR pronamespace = 'pg_catalog'::regnamespace AND provolatile <> 'v' AND (oid::bigint % 8 = 0 OR prokind <> 'f')
              AND NOT 'cstring'::regtype = ANY (proargtypes))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_type AS t WHERE t.typname LIKE 'any%' AND (t.oid = ANY (p.proargtypes) OR t.oid = p.prorettype));
CREATE VIEW smith.pg_operator AS
    SELECT * FROM pg_catalog.pg_operator AS o
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_type AS t WHERE t.typname LIKE 'any%' AND t.oid IN (o.oprleft, o.oprright, o.oprresult));
GRANT SELECT ON ALL TABLES IN SCHEMA smith TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA changemgmt TO regress_smith;
EOSQL

for my $user ('regress_smith', 'regress_super')
{
	$s->sql('SELECT pg_stat_reset()', db => 'db');
	my $from = length $s->log_text;
	my ($rc, undef, $err) = $s->run(
		'timeout', '-s', 'INT', '-k', '5', $seconds / 2, $program, '--exclude-catalog', "--seed=$seed", '--verbose',
		'--target=host=' . $s->host . " port=5432 user=$user dbname=db options='-c search_path=smith,pg_catalog,changemgmt,public'");
	my $log = $s->log_text($from);

	# a point for each statement that went through, a letter for others
	my $done = 0;
	$done += tr/.// for grep { /^[.eStC]+$/ } split /\n/, $err;
	cmp_ok($done, '>', 20, "$user: statements that went through") or diag($rc, substr($err, 0, 3000));
	my $called = $s->sql("SELECT count(*) FROM pg_stat_user_functions WHERE schemaname = 'changemgmt'", db => 'db');
	cmp_ok($called, '>', 30, "$user: functions of the extension that were called");
	diag("$user: $done statements went through, $called functions of the extension were called") if $ENV{SQLSMITH_SECONDS};

	# an entry goes on to the next one; some of the server's own functions answer
	# odd arguments with an internal error
	my @internal = grep { /^\S+ \S+ \S+ \d+ \w+:  XX/ && !/$known/ }
	  split /\n(?=\S+ \S+ \S+ \d+ (?:ERROR|FATAL|PANIC|LOG|WARNING):)/, $log;
	is(join("\n", map { substr $_, 0, 3000 } @internal), '', "$user: no internal error");
	unlike($log, qr/PANIC:|TRAP:|was terminated by signal|runtime error:|AddressSanitizer:/, "$user: no crash, no failed assertion");
}

is($s->sql('SELECT * FROM changemgmt.verify_ledger()', db => 'db'), '', 'what was rolled back left the ledger whole');
done_testing();
