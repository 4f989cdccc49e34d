# Many clients at few changes: whatever they do at once, each change has one
# history without gaps, and nobody is the victim of a deadlock.
use strict;
use warnings;

use TestServer;
use Test::More;

my $s = TestServer->new(conf => "deadlock_timeout = 200ms\n");
$s->start;
$s->sql(<<'EOSQL');
CREATE EXTENSION changemgmt;
SELECT changemgmt.add_person(login) FROM unnest(ARRAY['otto', 'ivan', 'vera', 'ann', 'ben', 'cleo', 'mona']) AS login;
SELECT changemgmt.add_team('dba', 'ann', ARRAY['ivan']);
SELECT changemgmt.add_board('cab');
SELECT changemgmt.add_board_member('cab', login) FROM unnest(ARRAY['ann', 'ben', 'cleo']) AS login;
SELECT changemgmt.add_board_member('cab', 'mona', 'change_manager');
SELECT changemgmt.add_ci('db'), changemgmt.add_ci('web'), changemgmt.add_ci('app');
SELECT changemgmt.set_ci(ci, is_exclusive => false) FROM unnest('{db,web,app}'::text[]) AS ci;
SELECT changemgmt.publish_model('raced', '{"base": "normal", "notice_business_days": 0, "validations": [], "separate": [],
    "approval": {"policy": "board", "board": "cab", "needed": 2}, "waivable": ["checklist_done"], "plan": {
    "description": "what", "justification": "why", "user_impact": "none", "owner": "otto", "requester": "otto",
    "risk_level": "low", "rollback_trigger": "errors", "rollback_plan": "back", "rollback_minutes": 5,
    "planned_start": "2026-01-01 00:00+00", "planned_end": "2036-01-01 00:00+00",
    "items": [{"ci": "db", "version_after": "2"}, {"ci": "web", "version_after": "2"}],
    "checks": ["health"], "tasks": ["step"]}}');

CREATE TABLE public.verb (place serial, actor text, statement text);
INSERT INTO public.verb (actor, statement) VALUES
    ('otto', 'SELECT changemgmt.plan($1)'),
    ('otto', 'SELECT changemgmt.submit($1)'),
    ('otto', 'SELECT changemgmt.submit($1)'),
    ('ann', 'SELECT changemgmt.approve($1)'),
    ('ben', 'SELECT changemgmt.approve($1)'),
    ('cleo', 'SELECT changemgmt.approve($1)'),
    ('cleo', 'SELECT changemgmt.reject($1, ''no'')'),
    ('ben', 'SELECT changemgmt.defer($1, ''later'')'),
    ('ann', 'SELECT changemgmt.abstain($1, ''not me'')'),
    ('otto', 'SELECT changemgmt.schedule($1)'),
    ('otto', 'SELECT changemgmt.reschedule($1, now(), now() + interval ''1 hour'')'),
    ('ivan', 'SELECT changemgmt.start($1)'),
    ('ivan', 'SELECT changemgmt.start($1)'),
    ('ivan', 'SELECT changemgmt.complete_task(id) FROM changemgmt.change_task WHERE change_id = $1 ORDER BY id'),
    ('vera', 'SELECT changemgmt.skip_task(id, ''no need'') FROM changemgmt.change_task WHERE change_id = $1 ORDER BY id DESC LIMIT 1'),
    ('ivan', 'SELECT changemgmt.complete($1)'),
    ('vera', 'SELECT changemgmt.record_check(id, true) FROM changemgmt.change_check WHERE change_id = $1 ORDER BY id'),
    ('vera', 'SELECT changemgmt.pass($1, ''seen'')'),
    ('ivan', 'SELECT changemgmt.resume_work($1, ''again'')'),
    ('ivan', 'SELECT changemgmt.roll_back($1, ''errors'', ''testing'')'),
    ('vera', 'SELECT changemgmt.confirm_stability($1)'),
    ('otto', 'SELECT changemgmt.close($1)'),
    ('otto', 'SELECT changemgmt.revise($1)'),
    ('otto', 'SELECT changemgmt.hold($1, ''wait'')'),
    ('otto', 'SELECT changemgmt.resume($1)'),
    ('otto', 'SELECT changemgmt.resume($1)'),
    ('otto', 'SELECT changemgmt.resume($1)'),
    ('ivan', 'SELECT changemgmt.complete_task(id) FROM changemgmt.change_task WHERE change_id = $1 ORDER BY id'),
    ('ivan', 'SELECT changemgmt.advance($1, ''verifying'')'),
    ('ivan', 'SELECT changemgmt.advance($1, ''verifying'')'),
    ('vera', 'SELECT changemgmt.pass($1, ''seen'')'),
    ('vera', 'SELECT changemgmt.pass($1, ''seen'', ''slow'')'),
    ('otto', 'SELECT changemgmt.resume($1)'),
    ('otto', 'SELECT changemgmt.edit_change($1, jsonb_build_object(''rollback_minutes'', (random() * 3)::int))'),
    ('otto', 'UPDATE changemgmt.change SET description = ''seen '' || (random() * 3)::int WHERE id = $1'),
    ('cleo', 'SELECT changemgmt.add_comment($1, ''a word'')'),
    ('otto', 'SELECT changemgmt.add_communication($1, ''before'', ''users'', ''chat'', ''soon'')'),
    ('cleo', 'SELECT changemgmt.mark_sent(id) FROM changemgmt.change_communication WHERE change_id = $1 ORDER BY id LIMIT 1'),
    ('ivan', 'SELECT changemgmt.post_update($1, ''half way'')'),
    ('vera', 'SELECT changemgmt.review_change($1, lessons => ''look first'')'),
    ('otto', 'SELECT changemgmt.add_risk($1, ''it breaks'', ''low'', ''low'')'),
    ('otto', 'SELECT changemgmt.add_task($1, ''one more'')'),
    ('otto', 'SELECT changemgmt.add_item($1, ''app'', version_after => ''3'')'),
    ('otto', 'SELECT public.remove_app($1)'),
    ('mona', 'SELECT changemgmt.waive($1, ''checklist_done'', ''agreed'')'),
    ('otto', 'SELECT changemgmt.advance($1, ''awaiting_approval'')'),
    ('otto', 'SELECT changemgmt.advance($1, ''awaiting_approval'')'),
    ('ivan', 'SELECT changemgmt.advance($1, ''in_progress'')'),
    ('ivan', 'SELECT changemgmt.advance($1, ''in_progress'')'),
    ('vera', 'SELECT changemgmt.advance($1, ''closed'', evidence => ''seen'')'),
    ('otto', 'SELECT changemgmt.link_change($1, ''ticket'', target => ''T'' || (random() * 1000)::int)');

-- Who writes parts by plain statements in a longer transaction locks their
-- change first, as the verbs do.
CREATE FUNCTION public.remove_app(id bigint) RETURNS void LANGUAGE sql AS $$
    SELECT FROM changemgmt.change AS c WHERE c.id = remove_app.id FOR NO KEY UPDATE;
    DELETE FROM changemgmt.change_item WHERE change_id = id AND ci_id = changemgmt.ci_id('app');
$$;

-- one of the changes that are under way; where there are few, a new one
CREATE FUNCTION public.any_change() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    open bigint[] := (SELECT array_agg(id) FROM changemgmt.change WHERE status NOT IN ('closed', 'cancelled'));
BEGIN
    IF coalesce(cardinality(open), 0) < 4 THEN
        PERFORM set_config('changemgmt.actor', 'otto', false);
        RETURN (SELECT id FROM changemgmt.create_change('raced', template => 'raced'));
    END IF;
    RETURN open[1 + (random() * (cardinality(open) - 1))::int];
END $$;

-- A random verb for a random change; refusals are part of the game.
CREATE FUNCTION public.hammer(verbs int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    id bigint := public.any_change();
    v record;
BEGIN
    FOR v IN SELECT * FROM public.verb ORDER BY random() LIMIT verbs LOOP
        BEGIN
            PERFORM set_config('changemgmt.actor', v.actor, false);
            EXECUTE v.statement USING id;
        EXCEPTION WHEN OTHERS THEN
            -- 23505: the item or the waiver is there already
            IF sqlstate NOT LIKE 'MC%' AND sqlstate <> '23505' THEN
                RAISE;
            END IF;
        END;
    END LOOP;
END $$;
EOSQL

sub whole
{
	my ($what) = @_;
	is($s->sql('SELECT * FROM changemgmt.verify_ledger()'), '', "$what: the ledger is whole");
	is($s->sql(<<'EOSQL'), '', "$what: revision and status are those of the ledger, and each step began where the one before ended");
SELECT c.id, c.revision, c.status, l.* FROM changemgmt.change AS c
LEFT JOIN (
	SELECT subject_id AS id, count(*) AS entries, max(sequence) AS last,
		   (array_agg(to_status ORDER BY sequence DESC))[1] AS status
	FROM changemgmt.ledger WHERE subject_kind = 'change' GROUP BY subject_id) AS l USING (id)
WHERE (c.revision, c.ledger_sequence, c.status) IS DISTINCT FROM (l.entries, l.last, l.status)
UNION ALL
SELECT subject_id, sequence, from_status, NULL, NULL, NULL, before FROM (
	SELECT subject_id, sequence, from_status, lag(to_status) OVER (PARTITION BY subject_id ORDER BY sequence) AS before
	FROM changemgmt.ledger WHERE subject_kind = 'change') AS l
WHERE from_status IS DISTINCT FROM before
EOSQL
	is($s->sql(<<'EOSQL'), '', "$what: each part is what the ledger recorded");
SELECT table_name, id, count(*) FROM (
	SELECT 'change_risk' AS table_name, id FROM changemgmt.change_risk
	UNION ALL SELECT 'change_task', id FROM changemgmt.change_task
	UNION ALL SELECT 'change_item', id FROM changemgmt.change_item
	UNION ALL SELECT 'change_comment', id FROM changemgmt.change_comment
	UNION ALL SELECT 'change_communication', id FROM changemgmt.change_communication
	UNION ALL SELECT 'change_review', id FROM changemgmt.change_review
	UNION ALL SELECT 'approval_vote', id FROM changemgmt.approval_vote
	UNION ALL
	SELECT p.key, (coalesce(e -> 'new', e -> 'old') ->> 'id')::bigint FROM changemgmt.ledger AS l, jsonb_each(l.changed) AS p,
		jsonb_array_elements(p.value) AS e
	WHERE p.key IN ('change_risk', 'change_task', 'change_item', 'change_comment', 'change_communication', 'change_review', 'approval_vote')
	  AND e ->> 'op' IN ('insert', 'delete')) AS x(table_name, id)
GROUP BY table_name, id HAVING count(*) <> 2
EOSQL
	is($s->sql(<<'EOSQL'), '', "$what: nothing was approved with less than two votes for the plan that was approved");
SELECT c.id FROM changemgmt.change AS c
WHERE c.approved_seal IS NOT NULL AND c.status IN ('approved', 'scheduled', 'in_progress', 'verifying', 'implemented', 'closed')
  AND (SELECT count(*) FROM changemgmt.approval_vote AS v
	   WHERE v.change_id = c.id AND v.round = c.approval_round AND v.decision = 'approved' AND v.seal = c.approved_seal) < 2
EOSQL
	is($s->sql(<<'EOSQL'), '', "$what: no work began on a plan that was not approved");
SELECT c.id FROM changemgmt.change AS c
WHERE c.status IN ('in_progress', 'verifying') AND c.plan_revision <> c.approved_plan_revision
  AND NOT EXISTS (SELECT FROM changemgmt.approval_vote AS v
				  WHERE v.change_id = c.id AND v.round = c.approval_round AND v.seal = c.approved_seal)
EOSQL
	return;
}

# pgbench gives up at the first error that hammer() does not expect.
for my $verbs (1, 4)
{
	my $script = $s->tempname;
	TestServer::spew($script, "SELECT public.hammer($verbs);\n");
	my ($rc, $out, $err) = $s->run('pgbench', '-h', $s->host, '-p', $s->port, '-U', 'postgres', '-n',
		'-c', 8, '-t', int(600 / $verbs), '-f', $script, 'postgres');
	is($rc, 0, "pgbench, $verbs verbs a transaction: refusals only") or diag($err);
	unlike($err, qr/ERROR/, "pgbench, $verbs verbs a transaction: no deadlock");
	whole("pgbench, $verbs verbs a transaction");
}

# Plain statements, where a refusal ends the transaction.
my @verbs = map { [ split /\|/, $_, 2 ] } split /\n/, $s->sql('SELECT actor, statement FROM public.verb ORDER BY place');
srand 4711;
for my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	my @clients = map { $s->session(on_error_stop => 0, verbosity => 'sqlstate') } 1 .. 6;
	for my $client (@clients)
	{
		my $work = "SET default_transaction_isolation = '$level';\n";
		for (1 .. 120)
		{
			my $transaction = rand() < 0.3;
			$work .= "SELECT public.any_change() AS id \\gset\n";
			$work .= "BEGIN;\n" if $transaction;
			for (1 .. ($transaction ? 3 : 1))
			{
				my ($actor, $statement) = @{ $verbs[ rand @verbs ] };
				$statement =~ s/\$1/:id/g;
				$work .= "SET changemgmt.actor = '$actor';\n$statement \\g /dev/null\n";
			}
			$work .= "COMMIT;\n" if $transaction;
		}
		$client->send($work);
	}
	my %seen;
	for my $client (@clients)
	{
		my (undef, undef, $errors) = $client->finish;
		$seen{$_}++ for $errors =~ /(?:ERROR|FATAL|PANIC):\s+(\w+)/g;
	}
	note "$level: ", join ', ', map { "$_ $seen{$_}" } sort keys %seen;
	# 25P02 follows an error in a transaction
	my $expected = $level eq 'READ COMMITTED' ? qr/^(?:MC\d{3}|23505|25P02)$/ : qr/^(?:MC\d{3}|23505|25P02|40001)$/;
	is(join(' ', grep { $_ !~ $expected } sort keys %seen), '', "$level: no error but refusals");
	ok($seen{MC001}, "$level: there are refusals");
	whole($level);
}

# what is drawn by lot is drawn until each verb was taken
my $rest = "SELECT v FROM unnest(ARRAY['approve', 'close', 'complete', 'plan', 'revise', 'schedule', 'start', 'submit']) AS v EXCEPT SELECT event FROM changemgmt.ledger";
for (1 .. 60)
{
	last if $s->sql($rest) eq '';
	my $script = $s->tempname;
	TestServer::spew($script, "SELECT public.hammer(8);\n");
	$s->run('pgbench', '-h', $s->host, '-p', $s->port, '-U', 'postgres', '-n', '-c', 4, '-t', 50, '-f', $script, 'postgres');
}
note $s->sql("SELECT string_agg(event || ' ' || n, ', ' ORDER BY event) FROM (SELECT event, count(*) AS n FROM changemgmt.ledger GROUP BY event) AS e");
is($s->sql($rest), '', 'the verbs were taken');
is(join("\n", $s->log_text =~ m{(\d+ ERROR:  deadlock detected.*?\n\d+ STATEMENT.*?)\n}sg), '', 'the log tells of no deadlock');

done_testing;
