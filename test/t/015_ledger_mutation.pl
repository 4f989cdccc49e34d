# A thousand ways to alter the trail behind its back, one at a time, in a
# database of walked changes with a checkpoint whose root was kept: each is
# found, where the test knows it to be.
use strict;
use warnings;

use TestChanges;
use TestServer;
use Test::More;

my $mutations = 1000;
my $seed = 20260102;
srand $seed;

my $s = TestServer->new;
$s->start;
$s->createdb('walked');
TestChanges::populate($s, 'walked');

sub rows
{
	my ($sql) = @_;
	return map { [ split /\|/, $_, -1 ] } split /\n/, $s->sql($sql, db => 'walked');
}

# Some subjects are gone; some chains go on after the checkpoint.
$s->sql(<<'EOSQL', db => 'walked');
SELECT changemgmt.create_change('never mind ' || i, requester => 'otto') FROM generate_series(1, 3) AS i \g /dev/null
UPDATE changemgmt.change SET title = title || ' 3' WHERE title = 'never mind 3';
DELETE FROM changemgmt.change WHERE title LIKE 'never mind%';
EOSQL
my $root = $s->sql('SELECT root FROM changemgmt.ledger_checkpoint()', db => 'walked');
$s->sql(<<'EOSQL', db => 'walked');
UPDATE changemgmt.change SET title = title || ', later' WHERE status = 'draft';
UPDATE changemgmt.person SET name = name || ', later' WHERE id % 2 = 0;

-- What an attacker needs: the format of docs/ledger.md, and no constraints.
CREATE FUNCTION public.field(bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$ SELECT coalesce(int4send(octet_length($1)) || $1, '\xffffffff') $$;
CREATE FUNCTION public.field(text) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$ SELECT public.field(convert_to($1, 'UTF8')) $$;
CREATE FUNCTION public.entry_hash(l changemgmt.ledger) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT sha256(field('changemgmt-ledger-1'::text) || field(l.previous_hash) || field(l.subject_kind)
		|| field(l.subject_id::text) || field(l.sequence::text) || field(l.event) || field(l.from_status)
		|| field(l.to_status) || field(l.changed::text) || field(l.actor) || field(l.session_role)
		|| field(l.effective_role) || field(l.client_address) || field(l.application)
		|| field((extract(epoch FROM l.recorded_at) * 1000000)::bigint::text) || field(l.reason) || field(l.row_digest))
$$;
-- Makes a chain whole from an entry on, and tells its subject.
CREATE FUNCTION public.rehash(kind text, id bigint, first bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	head bytea := coalesce((SELECT l.hash FROM changemgmt.ledger l
		WHERE (l.subject_kind, l.subject_id, l.sequence) = (rehash.kind, rehash.id, first - 1)), decode(repeat('00', 32), 'hex'));
	n bigint;
BEGIN
	FOR n IN SELECT l.sequence FROM changemgmt.ledger l
		WHERE (l.subject_kind, l.subject_id) = (rehash.kind, rehash.id) AND l.sequence >= first ORDER BY 1 LOOP
		UPDATE changemgmt.ledger l SET previous_hash = head
		WHERE (l.subject_kind, l.subject_id, l.sequence) = (rehash.kind, rehash.id, n);
		UPDATE changemgmt.ledger l SET hash = public.entry_hash(l)
		WHERE (l.subject_kind, l.subject_id, l.sequence) = (rehash.kind, rehash.id, n) RETURNING l.hash INTO head;
	END LOOP;
	IF kind = 'change' THEN
		UPDATE changemgmt.change c SET ledger_sequence = l.sequence, ledger_head = l.hash
		FROM (SELECT l.sequence, l.hash FROM changemgmt.ledger l
			WHERE (l.subject_kind, l.subject_id) = (rehash.kind, rehash.id) ORDER BY l.sequence DESC LIMIT 1) AS l
		WHERE c.id = rehash.id;
	END IF;
END $$;
DO $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT conrelid::regclass AS relation, conname FROM pg_constraint
		WHERE connamespace = 'changemgmt'::regnamespace AND contype IN ('f', 'c', 'u', 'x') AND conrelid <> 0
		ORDER BY contype <> 'f' LOOP
		EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.relation, c.conname);
	END LOOP;
END $$;
EOSQL

is($s->sql('SELECT count(*) FROM changemgmt.ledger l WHERE hash <> public.entry_hash(l)', db => 'walked'), 0,
	'the hashes are those that the format says, computed in SQL');
is($s->sql("SELECT * FROM changemgmt.verify_checkpoint('$root')", db => 'walked'), '',
	'the ledger is whole, and continues what the checkpoint saw');

# What there is: chains with their last entry (h), the last that the checkpoint
# saw (m), and whether the subject was deleted.
my @chains = map { { kind => $_->[0], id => $_->[1], h => $_->[2], m => $_->[3], gone => $_->[4] eq 't' } } rows(<<'EOSQL');
SELECT l.subject_kind, l.subject_id, max(l.sequence), coalesce(max(k.sequence), 0), bool_or(l.event = 'delete')
FROM changemgmt.ledger AS l LEFT JOIN changemgmt.ledger_checkpoint_head AS k USING (subject_kind, subject_id)
GROUP BY 1, 2 ORDER BY 1, 2
EOSQL
my @changes = grep { $_->{kind} eq 'change' } @chains;
cmp_ok(scalar(@changes), '>', 100, 'there are some hundred changes');
cmp_ok(scalar(grep { $_->{h} > $_->{m} } @chains), '>', 5, 'some of them went on after the checkpoint');
cmp_ok(scalar(grep { $_->{gone} } @chains), '>', 0, 'and some are gone');

# The columns of each table, with an expression for another value of each.
my %columns;
for (rows(<<'EOSQL'))
SELECT c.relname, quote_ident(a.attname), format_type(a.atttypid, NULL)
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = 'changemgmt'::regnamespace AND c.relkind = 'r'
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY c.relname, a.attnum
EOSQL
{
	my ($table, $column, $type) = @$_;
	my $other = $type =~ /^(text|character varying)$/ ? "coalesce($column, '') || 'x'"
	  : $type =~ /^(bigint|integer|smallint|numeric)$/ ? "coalesce($column, 0) + 1"
	  : $type eq 'boolean' ? "NOT coalesce($column, false)"
	  : $type =~ /^timestamp/ ? "CASE WHEN isfinite($column) THEN $column + interval '1 microsecond' ELSE '2026-01-01' END"
	  : $type eq 'date' ? "CASE WHEN isfinite($column) THEN $column + 1 ELSE '2026-01-01' END"
	  : $type eq 'text[]' ? "array_append(coalesce($column, '{}'), 'x')"
	  : $type eq 'bigint[]' ? "array_append(coalesce($column, '{}'), 1)"
	  : $type eq 'jsonb' ? "CASE jsonb_typeof($column) WHEN 'object' THEN $column || '{\"forged\": true}' ELSE '{\"forged\": true}' END"
	  : $type eq 'bytea' ? "sha256(coalesce($column, ''))"
	  : next;
	$columns{$table}{$column} = $other;
}
my @content = grep { !/^(subject_kind|subject_id|sequence|previous_hash|hash)$/ } sort keys %{ $columns{ledger} };
is(scalar(@content), 12, 'every column of the ledger can be altered');

sub pick { return $_[ int rand @_ ] }
sub one_to { return 1 + int rand $_[0] }

sub of_chain { my ($c) = @_; return "subject_kind = '$c->{kind}' AND subject_id = $c->{id}" }
sub of_entry { my ($c, $n) = @_; return of_chain($c) . " AND sequence = $n" }
sub of_row { my ($c) = @_; return "changemgmt.$c->{kind} SET %s WHERE id = $c->{id}" }

my $unlike = 'hash does not fit the content of the entry';
my $unlinked = 'previous_hash is not the hash of the entry before';
my $row_unlike = 'the row is not what the last entry recorded';
sub unseen { my ($c) = @_; return [ $c->{m}, "entry $c->{m}, which checkpoint 1 saw, is missing" ] }
sub rewritten { my ($c) = @_; return [ $c->{m}, 'hash is not the one that checkpoint 1 saw' ] }

# An entry goes: what is told of that.
sub missing
{
	my ($c, $n) = @_;
	return ([ $n + 1, "entry $n is missing" ], [ $n + 1, $unlinked ]) if $n < $c->{h};
	return (
		$n == $c->{m} ? unseen($c) : (),
		$c->{gone} && $n > 1 ? [ $n - 1, 'the row is gone, and its deletion is not recorded' ] : (),
		$c->{kind} ne 'change' || $c->{gone} ? ()
		: $n > 1 ? [ $n - 1, "the row says that entry $n is the last" ]
		: [ $n, 'the row has a ledger_head, but the ledger has no entry' ],
		$n > $c->{m} && $c->{kind} ne 'change' ? [ $n - 1, $row_unlike ] : ());
}

sub forged
{
	my ($c, $n) = @_;
	return "INSERT INTO changemgmt.ledger SELECT subject_kind, subject_id, $n, 'edit', from_status, to_status, '{}',"
	  . " 'nobody', 'nobody', 'nobody', NULL, NULL, recorded_at, NULL, row_digest, hash, hash FROM changemgmt.ledger WHERE "
	  . of_entry($c, $n - 1) . ';'
	  . ' UPDATE changemgmt.ledger AS l SET hash = public.entry_hash(l) WHERE ' . of_entry($c, $n) . ';';
}

# Each takes no argument and returns the statements, the subject that is to be
# verified and what must be told of it: [entry, problem]; `only`: nothing else.
my %kinds = (
	'edit of a column' => sub {
		my $c = pick(@chains);
		my $n = one_to($c->{h});
		my $column = pick(@content);
		return ("UPDATE changemgmt.ledger SET $column = $columns{ledger}{$column} WHERE " . of_entry($c, $n), $c, [ $n, $unlike ]);
	},
	'edit of a hash' => sub {
		my $c = pick(@chains);
		my $n = one_to($c->{h});
		my $column = pick('hash', 'previous_hash');
		return ("UPDATE changemgmt.ledger SET $column = sha256($column) WHERE " . of_entry($c, $n), $c, [ $n, $unlike ],
			$column eq 'previous_hash' ? [ $n, $unlinked ]
			: $n < $c->{h} ? [ $n + 1, $unlinked ] : (), $column eq 'hash' && $n == $c->{m} ? rewritten($c) : ());
	},
	'edit of a key' => sub {
		my $c = pick(@chains);
		my $n = one_to($c->{h});
		my $set = pick("subject_kind = 'x'", 'subject_id = -subject_id', 'sequence = sequence + 1000');
		my @told = missing($c, $n);
		# the last entry still follows the one before it, with a gap
		@told = ([ $n + 1000, $unlike ], $n < $c->{h} ? ([ $n + 1000, $unlinked ], @told) : ())
		  if $set =~ /^sequence/;
		return ("UPDATE changemgmt.ledger SET $set WHERE " . of_entry($c, $n), $c, @told);
	},
	'delete' => sub {
		my $c = pick(@chains);
		my $n = one_to($c->{h});
		return ('DELETE FROM changemgmt.ledger WHERE ' . of_entry($c, $n), $c, missing($c, $n));
	},
	'insert after the end' => sub {
		my $c = pick(grep { !$_->{gone} } @changes);
		my $n = $c->{h} + 1;
		return (forged($c, $n), $c, [ $n, "the row says that entry $c->{h} is the last" ],
			[ $n, 'ledger_head of the row is not the hash of the last entry' ]);
	},
	'insert in between' => sub {
		my $c = pick(grep { $_->{h} > 1 } @chains);
		my $n = 1 + one_to($c->{h} - 1);
		return ('UPDATE changemgmt.ledger SET sequence = -sequence WHERE ' . of_chain($c) . " AND sequence >= $n;"
			. ' UPDATE changemgmt.ledger SET sequence = 1 - sequence WHERE ' . of_chain($c) . ' AND sequence < 0;'
			. forged($c, $n), $c, [ $n + 1, $unlike ], [ $n + 1, $unlinked ]);
	},
	'insert of a chain' => sub {
		my $c = pick(@changes);
		my $forged = { kind => 'change', id => 10**9 + int rand 10**9, h => 1, m => 0 };
		return ("INSERT INTO changemgmt.ledger SELECT subject_kind, $forged->{id}, sequence, event, from_status, to_status, changed,"
			. ' actor, session_role, effective_role, client_address, application, recorded_at, reason, row_digest, previous_hash, hash'
			. ' FROM changemgmt.ledger WHERE ' . of_entry($c, 1) . "; SELECT public.rehash('change', $forged->{id}, 1) \\g /dev/null\n",
			$forged, 'only', [ 1, 'the row is gone, and its deletion is not recorded' ]);
	},
	'swap within a chain' => sub {
		my $c = pick(grep { $_->{h} > 1 } @chains);
		my $i = one_to($c->{h} - 1);
		my $j = $i + one_to($c->{h} - $i);
		return ('UPDATE changemgmt.ledger SET sequence = -sequence WHERE ' . of_chain($c) . " AND sequence IN ($i, $j);"
			. " UPDATE changemgmt.ledger SET sequence = $i + $j + sequence WHERE " . of_chain($c) . ' AND sequence < 0',
			$c, [ $i, $unlike ], [ $i, $unlinked ], [ $j, $unlike ], [ $j, $unlinked ]);
	},
	'swap of two chains' => sub {
		my ($c, $d) = (pick(@chains), undef);
		do { $d = pick(@chains) } while ($d == $c);
		my ($i, $j) = (one_to($c->{h}), one_to($d->{h}));
		return ("UPDATE changemgmt.ledger SET sequence = -1 WHERE " . of_entry($c, $i) . ';'
			. " UPDATE changemgmt.ledger SET subject_kind = '$c->{kind}', subject_id = $c->{id}, sequence = $i WHERE " . of_entry($d, $j) . ';'
			. " UPDATE changemgmt.ledger SET subject_kind = '$d->{kind}', subject_id = $d->{id}, sequence = $j WHERE " . of_entry($c, -1),
			$c, [ $i, $unlike ]);
	},
	'cut of a tail' => sub {
		my $c = pick(grep { $_->{m} > 1 } @chains);
		my $n = one_to($c->{m} - 1);
		return ('DELETE FROM changemgmt.ledger WHERE ' . of_chain($c) . " AND sequence > $n;"
			. " SELECT public.rehash('$c->{kind}', $c->{id}, $n + 1) \\g /dev/null\n", $c, unseen($c));
	},
	'rewrite' => sub {
		my $c = pick(grep { $_->{m} > 0 } @chains);
		my $n = one_to($c->{m});
		my $column = pick(grep { !/^(event|row_digest)$/ } @content);
		return ("UPDATE changemgmt.ledger SET $column = $columns{ledger}{$column} WHERE " . of_entry($c, $n) . ';'
			. " SELECT public.rehash('$c->{kind}', $c->{id}, $n) \\g /dev/null\n", $c, 'only', rewritten($c));
	},
	'rewrite with another row' => sub {
		my $c = pick(grep { $_->{h} == $_->{m} && !$_->{gone} } @changes);
		my $set = sprintf of_row($c), "title = 'forged'";
		return ("UPDATE $set; UPDATE changemgmt.ledger AS l SET row_digest = changemgmt.row_digest(c) FROM changemgmt.change AS c"
			. " WHERE c.id = $c->{id} AND " . of_entry($c, $c->{h}) . ';'
			. " SELECT public.rehash('$c->{kind}', $c->{id}, $c->{h}) \\g /dev/null\n", $c, 'only', rewritten($c));
	},
	'rewrite with the kept head' => sub {
		my $c = pick(grep { $_->{m} > 0 } @chains);
		my $n = one_to($c->{m});
		return ("UPDATE changemgmt.ledger SET actor = 'nobody' WHERE " . of_entry($c, $n) . ';'
			. " SELECT public.rehash('$c->{kind}', $c->{id}, $n) \\g /dev/null\n"
			. ' UPDATE changemgmt.ledger_checkpoint_head AS k SET hash = l.hash FROM changemgmt.ledger AS l'
			. ' WHERE (l.subject_kind, l.subject_id, l.sequence) = (k.subject_kind, k.subject_id, k.sequence)',
			{ kind => 'ledger_checkpoint', id => 1, as => $c }, 'only',
			[ '', 'the heads that are kept for it do not give its root' ]);
	},
	'rewrite with head and root' => sub {
		my $c = pick(grep { $_->{m} > 0 } @chains);
		my $n = one_to($c->{m});
		return ("UPDATE changemgmt.ledger SET actor = 'nobody' WHERE " . of_entry($c, $n) . ';'
			. " SELECT public.rehash('$c->{kind}', $c->{id}, $n) \\g /dev/null\n"
			. ' UPDATE changemgmt.ledger_checkpoint_head AS k SET hash = l.hash FROM changemgmt.ledger AS l'
			. ' WHERE (l.subject_kind, l.subject_id, l.sequence) = (k.subject_kind, k.subject_id, k.sequence);'
			. " UPDATE changemgmt.ledger_checkpoint SET root = (SELECT changemgmt.merkle_root(array_agg(public.field(subject_kind::text)"
			. ' || public.field(subject_id::text) || public.field(sequence::text) || public.field(hash) ORDER BY subject_kind, subject_id))'
			. ' FROM changemgmt.ledger_checkpoint_head)',
			{ kind => 'ledger_checkpoint', id => '', as => $c }, 'only', [ '', 'no checkpoint has this root' ]);
	},
	'edit of the row' => sub {
		my $c = pick(grep { !$_->{gone} } @chains);
		my $column = pick(grep { !/^(id|ledger_sequence|ledger_head)$/ } sort keys %{ $columns{ $c->{kind} } });
		return ('UPDATE ' . sprintf(of_row($c), "$column = $columns{$c->{kind}}{$column}"), $c, 'only', [ $c->{h}, $row_unlike ]);
	},
	'edit of the head on the row' => sub {
		my $c = pick(grep { !$_->{gone} } @changes);
		my $n = 5000 + int rand 1000;
		return pick(
			['UPDATE ' . sprintf(of_row($c), "ledger_sequence = $n"), $c, 'only', [ $c->{h}, "the row says that entry $n is the last" ]],
			['UPDATE ' . sprintf(of_row($c), 'ledger_head = sha256(ledger_head)'), $c, 'only',
				[ $c->{h}, 'ledger_head of the row is not the hash of the last entry' ]]);
	},
	'delete of the row' => sub {
		my $c = pick(grep { !$_->{gone} } @chains);
		return ("DELETE FROM changemgmt.$c->{kind} WHERE id = $c->{id}", $c, 'only',
			[ $c->{h}, 'the row is gone, and its deletion is not recorded' ]);
	},
	'return of a row' => sub {
		my $c = pick(grep { $_->{gone} && $_->{kind} eq 'change' } @chains);
		return ("INSERT INTO changemgmt.change (id, title) VALUES ($c->{id}, 'back')", $c,
			[ $c->{h}, 'the row is there, but its deletion is recorded' ]);
	});

# One script: each mutation, what is told, and all is as before.
my @names = sort keys %kinds;
my @done;
my $script = "SET session_replication_role = replica;\nBEGIN;\n";
for my $i (0 .. $mutations - 1)
{
	my $name = $names[ $i % @names ];
	my @mutation = $kinds{$name}->();
	my ($sql, $c, @told) = ref $mutation[0] ? @{ $mutation[0] } : @mutation;
	my $only = !ref $told[0] && shift @told;
	my $subject = $c->{as} || $c;
	my $where = rand() < 0.03 ? '' : ", '$subject->{kind}', $subject->{id}";
	$done[$i] = { name => $name, sql => $sql, subject => "$c->{kind}|$c->{id}", told => \@told, only => $only, whole => $where eq '' };
	$script .= "SAVEPOINT m;\n$sql;\n"
	  . "SELECT $i, * FROM changemgmt.verify_checkpoint('$root'$where);\nROLLBACK TO m; RELEASE m;\n";
}
my $whole = "SELECT * FROM changemgmt.verify_checkpoint('$root');\n";
$s->sql("UPDATE changemgmt.change SET title = title WHERE id < 0", db => 'walked');
for (split /\n/, $s->sql($script . $whole, db => 'walked'))
{
	my ($i, $kind, $id, $sequence, $problem) = split /\|/, $_, 5;
	push @{ $done[$i]{found} }, { subject => "$kind|$id", sequence => $sequence, problem => $problem };
}

for my $name (@names)
{
	my @of_kind = grep { $_->{name} eq $name } @done;
	my @failed;
	for my $m (@of_kind)
	{
		my @found = map { "$_->{sequence}: $_->{problem}" } grep { $_->{subject} eq $m->{subject} } @{ $m->{found} };
		my %found = map { $_ => 1 } @found;
		my @expected = map { "$_->[0]: $_->[1]" } @{ $m->{told} };
		my @missed = grep { !$found{$_} } @expected;
		# of a single subject nothing else is told, but of a swap all is
		my $besides = grep { $_->{subject} ne $m->{subject} } @{ $m->{found} };
		my $right = @expected && !@missed && (!$m->{only} || @found == @expected) && ($m->{whole} || !$besides);
		push @failed, "$m->{sql}\n  expected $m->{subject} @expected\n  found "
		  . join("\n    ", map { "$_->{subject} $_->{sequence}: $_->{problem}" } @{ $m->{found} }) . "\n"
		  if !$right;
	}
	is(join("\n", @failed), '', scalar(@of_kind) . " mutations found, each in its place: $name");
}
is(scalar(grep { $_->{found} } @done), $mutations, "all $mutations mutations were found (seed $seed)");

done_testing;
