# Ways round the rules that need transactions or a client of their own:
# prepared transactions, COPY as a client gives it, connection options.
use strict;
use warnings;

use TestServer;
use Test::More;

my $s = TestServer->new(conf => "max_prepared_transactions = 5\n");
$s->start;
$s->sql(<<'EOSQL');
CREATE EXTENSION changemgmt;
CREATE ROLE regress_writer LOGIN;
CREATE ROLE regress_copier LOGIN;
SELECT changemgmt.grant_role('regress_writer', 'implementer');
GRANT ALL ON ALL TABLES IN SCHEMA changemgmt TO regress_writer;
GRANT ALL ON ALL SEQUENCES IN SCHEMA changemgmt TO regress_writer;
GRANT EXECUTE ON FUNCTION changemgmt.change_is_possible(changemgmt.change) TO regress_writer;
GRANT USAGE ON SCHEMA changemgmt TO regress_copier;
GRANT ALL ON ALL TABLES IN SCHEMA changemgmt TO regress_copier;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA changemgmt TO regress_copier;
SELECT changemgmt.add_person(p) FROM unnest('{ada,lead,regress_writer,postgres}'::text[]) AS p;
SELECT changemgmt.add_team('dba', 'lead'), changemgmt.add_ci('db');
SELECT changemgmt.set_ci('db', is_exclusive => false);
EOSQL

sub verified
{
	my ($name) = @_;
	return is($s->sql('SELECT count(*) FROM changemgmt.verify_ledger()'), 0, $name);
}

# Prepared transactions: what a session read in one that it prepared is not
# there for it until it is committed, and never where it is rolled back.
my $change = $s->sql(<<'EOSQL');
SET changemgmt.actor = 'ada';
SELECT id FROM changemgmt.create_change('prepared', model => 'lean_normal', owner => 'ada', team => 'dba', items => '{db}',
    description => 'd', justification => 'j', user_impact => 'none', risk_level => 'low', rollback_trigger => 't',
    rollback_plan => 'p', rollback_minutes => 5, verification_plan => 'v',
    planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day');
EOSQL
$s->sql('CREATE FUNCTION public.never(change_id bigint) RETURNS text STABLE LANGUAGE sql AS $$SELECT $q$never$q$::text$$');
for my $end ('ROLLBACK', 'COMMIT')
{
	my (undef, $out, $err) = $s->psql(<<"EOSQL", on_error_stop => 0, verbosity => 'sqlstate');
SELECT changemgmt.change_number(1), changemgmt.person_id('ada') > 0;
BEGIN;
SELECT changemgmt.set_setting('number_prefix', 'X'), changemgmt.add_person('ghost'),
    changemgmt.publish_model('ghost', '{"base": "lean_standard"}'),
    changemgmt.register_requirement('never', 'public.never(bigint)', '{plan}') \\g /dev/null
SELECT changemgmt.change_number(1), changemgmt.person_id('ghost') > 0;
SELECT count(*) > 0 FROM changemgmt.why_not($change, 'plan') WHERE requirement = 'never';
SELECT count(*) FROM changemgmt.create_change('by ghost', model => 'ghost');
PREPARE TRANSACTION 'ghost';
\\echo prepared
SELECT changemgmt.change_number(1), changemgmt.person_id('ada') > 0;
SELECT count(*) > 0 FROM changemgmt.why_not($change, 'plan') WHERE requirement = 'never';
SELECT changemgmt.person_id('ghost') > 0;
SELECT count(*) FROM changemgmt.create_change('by ghost', model => 'ghost');
$end PREPARED 'ghost';
\\echo ended
SELECT changemgmt.change_number(1), changemgmt.person_id('ada') > 0;
SELECT count(*) > 0 FROM changemgmt.why_not($change, 'plan') WHERE requirement = 'never';
SELECT changemgmt.person_id('ghost') > 0;
SELECT count(*) FROM changemgmt.create_change('by ghost', model => 'ghost');
EOSQL
	my @codes = $err =~ /ERROR:\s+(\w{5})/g;
	my $after = $end eq 'COMMIT' ? "X0000001|t\nt\nt\n1\n" : "CHG0000001|t\nf\n";
	is($out, "CHG0000001|t\nX0000001|t\nt\n1\nprepared\nCHG0000001|t\nf\nended\n$after",
		"$end PREPARED: what the session remembered in the transaction");
	is("@codes", $end eq 'COMMIT' ? 'MC008 MC008' : 'MC008 MC008 MC008 MC008', 'and who and what it did not know');
	verified('the trail is whole');
}
$s->sql("SELECT changemgmt.set_setting('number_prefix', 'CHG'); DELETE FROM changemgmt.site_requirement");

$s->sql("SET changemgmt.actor = 'ada'; SELECT changemgmt.advance($change, 'awaiting_approval')");
$s->sql("BEGIN; SET LOCAL changemgmt.actor = 'lead'; SELECT changemgmt.approve($change); PREPARE TRANSACTION 'vote'");
is($s->sql("SELECT status FROM changemgmt.change WHERE id = $change"), 'awaiting_approval', 'a vote in a prepared transaction is none yet');
is($s->sqlstate("SET lock_timeout = 100; SET changemgmt.actor = 'ada'; SELECT changemgmt.edit_change($change, '{\"title\": \"smuggled\"}')"),
	'55P03', 'nobody edits what it approved');
$s->restart;
is($s->sqlstate("SET lock_timeout = 100; SET changemgmt.actor = 'ada'; SELECT changemgmt.add_risk($change, 'r', 'low', 'low')"),
	'55P03', 'nor after a restart');
$s->sql("COMMIT PREPARED 'vote'");
is($s->sql("SELECT c.status, l.actor FROM changemgmt.change AS c JOIN changemgmt.ledger AS l"
	  . " ON (l.subject_kind, l.subject_id, l.sequence) = ('change', c.id, c.ledger_sequence) WHERE c.id = $change"),
	'approved|lead', 'committed, it is approved by who voted');
verified('and the trail is whole');

# COPY, table by table, by a role with all privileges and no table; into tables
# with row-level security the server itself refuses it
for my $who ('regress_writer', 'regress_copier')
{
	my %fate;
	for my $table (split /\n/, $s->sql(q{SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'changemgmt'::regnamespace
			AND c.relkind = 'r' AND c.relname <> 'load' ORDER BY 1}))
	{
		my $before = $s->sql("SELECT count(*) FROM changemgmt.$table");
		my $state = $s->sqlstate("COPY changemgmt.$table FROM stdin;\n\\.\n", user => $who);
		push @{ $fate{$state} }, $table;
		$s->sql("SELECT count(*) FROM changemgmt.$table") eq $before or push @{ $fate{stored} }, $table;
	}
	is(join(' ', grep { !/^(MC003|MC006|0A000)$/ } sort keys %fate), '', "COPY by $who into any table, of nothing even")
	  or diag(explain(\%fate));
}

# COPY in disguise
$s->sql(<<'EOSQL');
CREATE TABLE public.inbox (title text);
CREATE VIEW public.inlet AS SELECT title FROM public.inbox;
CREATE FUNCTION public.forward() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
    $$BEGIN INSERT INTO changemgmt.change (title, status) VALUES (new.title, 'closed'); RETURN new; END$$;
CREATE TRIGGER forward INSTEAD OF INSERT ON public.inlet FOR EACH ROW EXECUTE FUNCTION public.forward();
CREATE FUNCTION public.forward_now(title text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
    $$BEGIN INSERT INTO changemgmt.change (title, status) VALUES (forward_now.title, 'closed'); RETURN false; END$$;
-- its path is the caller's
CREATE FUNCTION public.forward_anywhere(title text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS
    $$BEGIN INSERT INTO changemgmt.change (title, status) VALUES (forward_anywhere.title, 'closed'); RETURN false; END$$;
GRANT ALL ON public.inlet, public.inbox TO regress_writer;
EOSQL
my $changes = $s->sql('SELECT count(*) FROM changemgmt.change');
my @disguises = (
	['a view with an INSTEAD OF trigger', 'COPY public.inlet FROM stdin', 'MC001'],
	['WHERE that writes as the owner', 'COPY public.inbox FROM stdin WHERE public.forward_now(title)', 'MC001'],
	['WHERE that writes as the owner, into a namesake',
		'CREATE TEMP TABLE change (title text); COPY change FROM stdin WHERE public.forward_now(title)', 'MC001'],
	['a default that writes as the owner',
		q{CREATE TEMP TABLE change (title text, d boolean DEFAULT public.forward_now('x')); COPY change (title) FROM stdin}, 'MC001'],
	['a generated column that writes as the owner', <<'EOSQL', 'MC001'],
CREATE FUNCTION pg_temp.fixed(title text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
    $$BEGIN PERFORM set_config('search_path', 'changemgmt, pg_temp', true); RETURN public.forward_anywhere(title); END$$;
CREATE TEMP TABLE change (title text, g boolean GENERATED ALWAYS AS (pg_temp.fixed(title)) STORED);
COPY change (title) FROM stdin
EOSQL
	['WHERE that writes as the owner, into a namesake that the path then hides', <<'EOSQL', 'MC001'],
CREATE FUNCTION pg_temp.turn(title text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN
    PERFORM set_config('search_path', 'changemgmt, pg_temp', true); RETURN public.forward_anywhere(title); END$$;
CREATE TEMP TABLE change (title text);
COPY change FROM stdin WHERE pg_temp.turn(title)
EOSQL
	['a path that changes on the way', <<'EOSQL', 'MC003'],
CREATE FUNCTION pg_temp.turn(title text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN
    PERFORM set_config('search_path', 'changemgmt, pg_temp', true);
    EXECUTE format('INSERT INTO changemgmt.change (title, status) VALUES (%L, %L)', title, 'closed'); RETURN false; END$$;
CREATE TEMP TABLE change (title text);
COPY change FROM stdin WHERE pg_temp.turn(title)
EOSQL
);
for my $d (@disguises)
{
	my ($name, $sql, $code) = @$d;
	is($s->sqlstate("$sql;\nsmuggled\n\\.\n", user => 'regress_writer'), $code, "COPY: $name");
}
is($s->sqlstate("COPY changemgmt.change (title) FROM PROGRAM 'echo x'", user => 'regress_writer'), '42501', 'COPY FROM PROGRAM');
is($s->sqlstate("COPY changemgmt.change (title) FROM '/etc/hostname'", user => 'regress_writer'), '42501', 'COPY FROM a file');
is($s->sqlstate("COPY changemgmt.change (id, title, status) FROM stdin WITH (FREEZE);\n99\tx\tclosed\n\\.\n"), '55000', 'COPY FREEZE by a superuser');
is($s->sqlstate("COPY changemgmt.change (id, title, status) FROM stdin;\n-5\tx\tclosed\n\\.\n"), 'MC008', 'history with an id that no change has');
is($s->sqlstate("COPY changemgmt.change (id, title, status) FROM stdin;\n$change\tx\tclosed\n\\.\n"), '23505', 'history over what is there');
is($s->sqlstate("COPY changemgmt.load (relation, row_count, session_role, effective_role, loaded_at) FROM stdin;\nchange\t9\tx\tx\t2020-01-01\n\\.\n"),
	'MC006', 'a load that never was');
is($s->sql('SELECT count(*) FROM changemgmt.change'), $changes, 'no row came in by any of these');
is($s->sql('SELECT count(*) FROM changemgmt.load'), 0, 'and nothing counts as loaded');

# What an owner brings is counted once, however many statements are inside
$s->sql(<<'EOSQL');
CREATE FUNCTION public.beside() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN IF new.title <> 'beside' THEN INSERT INTO changemgmt.change (title, requester_id) VALUES ('beside', 1); END IF; RETURN NULL; END$$;
CREATE TRIGGER zzz_beside AFTER INSERT ON changemgmt.change FOR EACH ROW EXECUTE FUNCTION public.beside();
COPY changemgmt.change (id, title, status) FROM stdin;
901	old	closed
902	older	closed
\.
DROP TRIGGER zzz_beside ON changemgmt.change;
EOSQL
is($s->sql('SELECT relation, row_count FROM changemgmt.load'), 'change|2', 'what triggers insert beside history is no history');
is($s->sql("SELECT count(*) FROM changemgmt.change WHERE title = 'beside' AND ledger_sequence = 1"), 2, 'and is in the trail');
verified('which is whole');

# Options of a connection
for my $option ('session_replication_role=replica', 'row_security=off')
{
	local $ENV{PGOPTIONS} = "-c $option";
	my $state = $s->sqlstate("UPDATE changemgmt.change SET status = 'closed' WHERE id = $change", user => 'regress_writer');
	ok($state =~ /^(42501|MC001)$|FATAL:  permission denied to set parameter/, "$option in the connection's options");
}
is($s->sqlstate("ALTER ROLE regress_writer SET session_replication_role = replica", user => 'regress_writer'), '42501',
	'nor does a role set it for itself');
is($s->sqlstate('DROP OWNED BY regress_writer CASCADE', user => 'regress_writer'), '', 'DROP OWNED of one who owns nothing of it');
is($s->sql('SELECT count(*) > 2 FROM changemgmt.change'), 't', 'takes nothing with it');
verified('the trail is whole in the end');

done_testing();
