--
-- ledger_checkpoint: the root is what a program outside of PostgreSQL gives; a
-- cut tail and a history rewritten as a whole are found against it.
--
BEGIN;
SET LOCAL search_path = public;
SELECT no_plan();

--
-- The tree: the leaves and roots that Certificate Transparency publishes for
-- RFC 6962
--
CREATE TEMP TABLE leaf (place serial, data bytea);
INSERT INTO leaf (data) VALUES (''), ('\x00'), ('\x10'), ('\x2021'), ('\x3031'), ('\x40414243'), ('\x5051525354555657'),
	('\x606162636465666768696a6b6c6d6e6f');
SELECT is(changemgmt.merkle_root(ARRAY(SELECT data FROM leaf WHERE place <= n ORDER BY place)), decode(root, 'hex'),
	format('the tree of %s leaves', n))
FROM (VALUES
	(0, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'),
	(1, '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'),
	(2, 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'),
	(3, 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77'),
	(4, 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7'),
	(5, '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4'),
	(6, '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef'),
	(7, 'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c'),
	(8, '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328')) AS known (n, root);
SELECT throws_ok('SELECT changemgmt.merkle_root(ARRAY[''x'', NULL]::bytea[])', 'MC008', 'leaf 2 is null', 'a leaf is not null');
SELECT is(changemgmt.merkle_root(NULL), NULL, 'no leaves at all');

--
-- The leaves: heads whose roots were computed by Python's hashlib
--
CREATE FUNCTION pg_temp.entry(kind text, id bigint, sequence bigint, hash bytea) RETURNS void LANGUAGE sql AS $$
	INSERT INTO changemgmt.ledger (subject_kind, subject_id, sequence, event, changed, actor, session_role, effective_role,
		recorded_at, row_digest, previous_hash, hash)
	VALUES (kind, id, sequence, 'edit', '{}', 'a', 'b', 'c', '2026-01-01', hash, hash, hash)
$$;
CREATE FUNCTION pg_temp.root_of_heads(n integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
BEGIN
	SET LOCAL session_replication_role = replica;
	-- neither the order of insertion nor that of the kind's or id's text decides
	PERFORM pg_temp.entry(kind, id, s, sha256(convert_to(
		CASE WHEN s = place + 1 THEN 'head ' || place ELSE 'earlier' END, 'UTF8')))
	FROM (VALUES (0, 'change', 2), (1, 'change', 9), (2, 'change', 10), (3, 'change', 9000000001), (4, 'model', 1),
			(5, 'model', 7), (6, 'person', -3), (7, 'person', 100)) AS head (place, kind, id),
		generate_series(1, place + 1) AS s
	WHERE place < n ORDER BY md5(kind || id || s);
	SET LOCAL session_replication_role = origin;
	SELECT format('%s %s %s', subjects, entries, root) INTO found FROM changemgmt.ledger_checkpoint();
	RAISE SQLSTATE 'ZZ001';
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
	RETURN found;
END $$;
SELECT is((SELECT count(*) FROM changemgmt.ledger), 0::bigint, 'the ledger is empty');
SELECT is(pg_temp.root_of_heads(n), format('%s %s %s', n, n * (n + 1) / 2, root), format('the root over %s heads', n))
FROM (VALUES
	(0, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'),
	(1, '7172325e741ff6070ab527a5683fcd368ab0c6810d82fd49eb0d69f7313316fa'),
	(2, '25c0a9b9e0c79cd0002e15b9b3ea2852721583ba0d53cb5afbc0367f4137746d'),
	(3, '93385c48ef88ee48e106ed30d4bb792837363020a2bd7e705f8736d1c93a015b'),
	(5, '332fd309d692adb94781a7bbba497a5bf9ac3ef60450879be3f6c279b0f10685'),
	(8, '49ab3af24b21bbc853b14315e9cc53f406e210e15c57835890cf0f29271be1dc')) AS known (n, root);

--
-- What is stored
--
SELECT changemgmt.add_person(session_user::text) \g /dev/null
INSERT INTO changemgmt.change (id, title) SELECT i, 'change ' || i FROM generate_series(1, 5) AS i;
UPDATE changemgmt.change SET title = 'edited' WHERE id IN (2, 3);
DELETE FROM changemgmt.change WHERE id = 3;
SELECT root AS first FROM changemgmt.ledger_checkpoint() \gset
SELECT results_eq('SELECT id, subjects, entries, encode(root, ''hex''), actor, application FROM changemgmt.ledger_checkpoint',
	format($$VALUES (1::bigint, 6::bigint, 9::bigint, %L, %L, %L)$$, :'first', session_user, current_setting('application_name')),
	'a checkpoint says who took it, and over how much');
SELECT results_eq($$SELECT subject_kind, subject_id, sequence, hash FROM changemgmt.ledger_checkpoint_head ORDER BY 1, 2$$,
	$$SELECT DISTINCT ON (subject_kind, subject_id) subject_kind, subject_id, sequence, hash FROM changemgmt.ledger
		ORDER BY subject_kind, subject_id, sequence DESC$$,
	'the head of each chain is kept, of deleted subjects too');
SELECT is((SELECT root FROM changemgmt.ledger_checkpoint()), :'first', 'nothing moved: the root is the same');
SELECT is((SELECT count(*) FROM changemgmt.ledger_checkpoint_head WHERE checkpoint_id = 2), 0::bigint, 'and costs no head');
UPDATE changemgmt.change SET title = 'edited again' WHERE id = 2;
INSERT INTO changemgmt.change (id, title) VALUES (6, 'change 6');
SELECT root AS third FROM changemgmt.ledger_checkpoint() \gset
SELECT results_eq('SELECT subject_id, sequence FROM changemgmt.ledger_checkpoint_head WHERE checkpoint_id = 3 ORDER BY 1',
	'VALUES (2::bigint, 3::bigint), (6, 1)', 'only what moved is kept');
UPDATE changemgmt.change SET title = 'after it' WHERE id = 1;
SELECT is_empty(format('SELECT * FROM changemgmt.verify_checkpoint(%L)', root), 'the ledger continues ' || which)
FROM (VALUES ('the first checkpoint', :'first'), ('the third', :'third'), ('the third, written as bytea', '\x' || upper(:'third')))
	AS c (which, root);

--
-- What is found, each in what is otherwise the same ledger
--
CREATE FUNCTION pg_temp.problems(statement text, arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
BEGIN
	SET LOCAL session_replication_role = replica;
	EXECUTE statement;
	SET LOCAL session_replication_role = origin;
	EXECUTE 'SELECT string_agg(concat_ws('' '', subject_kind, subject_id, sequence) || '': '' || problem, '', '' ORDER BY '
		|| 'subject_kind, subject_id, sequence, problem) FROM changemgmt.verify_'
		|| CASE WHEN arguments LIKE '%checkpoint =>%' THEN 'checkpoint(' ELSE 'ledger(' END || arguments || ')' INTO found;
	RAISE SQLSTATE 'ZZ001';
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
	RETURN found;
END $$;
-- cuts the chain of a change after an entry, with the row as it was then
CREATE FUNCTION pg_temp.cut(id bigint, sequence bigint) RETURNS void LANGUAGE sql AS $$
	DELETE FROM changemgmt.ledger l WHERE l.subject_kind = 'change' AND l.subject_id = cut.id AND l.sequence > cut.sequence;
	UPDATE changemgmt.change c SET title = CASE WHEN cut.sequence = 1 THEN 'change ' || cut.id ELSE 'edited' END,
		ledger_sequence = l.sequence, ledger_head = l.hash, revision = l.sequence, updated_at = l.recorded_at, plan_revision = l.sequence
	FROM changemgmt.ledger l WHERE c.id = cut.id AND l.subject_kind = 'change' AND (l.subject_id, l.sequence) = (cut.id, cut.sequence);
$$;
SELECT is(pg_temp.problems('SELECT pg_temp.cut(2, 2)', '''change'', 2'),
	'change 2 3: entry 3, which checkpoint 3 saw, is missing', 'a cut tail');
SELECT is(pg_temp.problems('SELECT pg_temp.cut(2, 2)', 'checkpoint => ' || quote_literal(:'third')),
	'change 2 3: entry 3, which checkpoint 3 saw, is missing', 'a cut tail, all being verified');
SELECT is(pg_temp.problems('SELECT pg_temp.cut(2, 1)', '''change'', 2'),
	'change 2 2: entry 2, which checkpoint 1 saw, is missing, change 2 3: entry 3, which checkpoint 3 saw, is missing',
	'a tail that two checkpoints saw');
SELECT is(pg_temp.problems('SELECT pg_temp.cut(1, 1)', ''), NULL,
	'what no checkpoint saw can be cut off unseen: nothing else is claimed');
SELECT is(pg_temp.problems($$DELETE FROM changemgmt.ledger WHERE subject_id = 3;$$, ''),
	'change 3 3: entry 3, which checkpoint 1 saw, is missing', 'the chain of a deleted subject that is gone');
SELECT is(pg_temp.problems($$DELETE FROM changemgmt.ledger WHERE subject_kind = 'person'; DELETE FROM changemgmt.person;$$, ''),
	'person 1 1: entry 1, which checkpoint 1 saw, is missing', 'a kind that is gone with all its rows');
SELECT is(pg_temp.problems($$UPDATE changemgmt.ledger_checkpoint_head SET hash = sha256('x') WHERE subject_id = 6$$, ''),
	'change 6 1: hash is not the one that checkpoint 3 saw, ledger_checkpoint 3: the heads that are kept for it do not give its root',
	'a kept head that was altered');
SELECT is(pg_temp.problems($$DELETE FROM changemgmt.ledger_checkpoint_head WHERE subject_id = 6$$, ''),
	'ledger_checkpoint 3: the heads that are kept for it do not give its root', 'a kept head that is gone');
SELECT is(pg_temp.problems($$UPDATE changemgmt.ledger_checkpoint_head SET hash = sha256('x') WHERE subject_id = 4$$,
		'kind => ''change'', id => 6, checkpoint => ' || quote_literal(:'first')),
	'ledger_checkpoint 2: the heads that are kept for it do not give its root', 'a root answers for all heads, whatever subject is asked for');
SELECT is(pg_temp.problems($$UPDATE changemgmt.ledger_checkpoint SET entries = 1 WHERE id = 3$$, ''),
	'ledger_checkpoint 3: its root has 7 subjects and 11 entries, not 7 and 1', 'a count that was altered');
SELECT is(pg_temp.problems($$UPDATE changemgmt.ledger_checkpoint SET root = sha256('x') WHERE id = 3$$,
		'checkpoint => ' || quote_literal(:'third')),
	'ledger_checkpoint: no checkpoint has this root', 'a root that was altered');
SELECT is(pg_temp.problems('DELETE FROM changemgmt.ledger_checkpoint WHERE id = 2', ''),
	'ledger_checkpoint 3: the checkpoint before it is missing', 'a checkpoint that is gone');
SELECT is(pg_temp.problems('DELETE FROM changemgmt.ledger_checkpoint WHERE id = 3', 'checkpoint => ' || quote_literal(:'third')),
	'ledger_checkpoint: no checkpoint has this root', 'the last checkpoint that is gone');
SELECT is(pg_temp.problems($$UPDATE changemgmt.ledger SET subject_kind = 'no_table' WHERE subject_kind = 'change' AND subject_id = 6$$, '''no_table'''),
	'no_table 6 1: hash does not fit the content of the entry, no_table: there is no table of this kind, and so no row to compare with',
	'entries of a kind that there is not');
SELECT is(pg_temp.problems($$ALTER TABLE changemgmt.ledger ALTER hash DROP NOT NULL; ALTER TABLE changemgmt.ledger ALTER event DROP NOT NULL;
		ALTER TABLE changemgmt.ledger ALTER row_digest DROP NOT NULL; ALTER TABLE changemgmt.ledger ALTER previous_hash DROP NOT NULL;
		ALTER TABLE changemgmt.ledger ALTER changed DROP NOT NULL;
		UPDATE changemgmt.ledger SET hash = NULL, event = NULL, row_digest = NULL, previous_hash = NULL, changed = NULL
		WHERE subject_kind = 'change' AND subject_id = 6$$, '''change'', 6'),
	'change 6 1: hash does not fit the content of the entry, change 6 1: hash is not the one that checkpoint 3 saw, '
	|| 'change 6 1: ledger_head of the row is not the hash of the last entry, '
	|| 'change 6 1: previous_hash is not the hash of the entry before, change 6 1: the row is not what the last entry recorded',
	'nulls where none can be');

-- A checkpoint of what is broken records what is, and says so.
SELECT lives_ok($$
	SET LOCAL session_replication_role = replica;
	DELETE FROM changemgmt.ledger WHERE subject_id = 3;
	SELECT pg_temp.cut(2, 1);
	SET LOCAL session_replication_role = origin;
	SET LOCAL client_min_messages = error;
	SELECT * FROM changemgmt.ledger_checkpoint();
	RESET client_min_messages$$, 'a checkpoint of a broken ledger');
SELECT results_eq('SELECT subject_id, sequence FROM changemgmt.ledger_checkpoint_head WHERE checkpoint_id = 4 ORDER BY 1',
	'VALUES (1::bigint, 2::bigint), (2, 1), (3, 0)', 'keeps what moved on, back, or away');
SELECT results_eq('SELECT subject_kind, subject_id, sequence, problem FROM changemgmt.verify_ledger()',
	$$VALUES ('change', 2::bigint, 2::bigint, 'entry 2, which checkpoint 1 saw, is missing'),
		('change', 2, 3, 'entry 3, which checkpoint 3 saw, is missing'),
		('change', 3, 3, 'entry 3, which checkpoint 1 saw, is missing')$$, 'and the earlier ones are not forgotten');
SELECT is((SELECT subjects FROM changemgmt.ledger_checkpoint()), 6::bigint, 'a chain that is gone is no leaf');
SELECT is((SELECT count(*) FROM changemgmt.ledger_checkpoint_head WHERE checkpoint_id = 5), 0::bigint, 'and is gone once');

SELECT throws_ok(format('SELECT * FROM changemgmt.verify_checkpoint(%L)', root), 'MC008', NULL, 'no root: ' || root)
FROM unnest(ARRAY['', 'x', repeat('0', 63), repeat('0', 65), repeat('0', 63) || 'g', '0x' || repeat('0', 64), repeat('ü', 32)]) AS root;

--
-- Nobody else writes
--
SELECT throws_ok(statement, 'MC006', NULL, 'refused: ' || statement)
FROM unnest(ARRAY['ledger_checkpoint', 'ledger_checkpoint_head']) AS relation,
	LATERAL unnest(ARRAY[
		format('INSERT INTO changemgmt.%1$I SELECT * FROM changemgmt.%1$I', relation),
		format('UPDATE changemgmt.%I SET %I = 99', relation, CASE relation WHEN 'ledger_checkpoint' THEN 'id' ELSE 'checkpoint_id' END),
		format('DELETE FROM changemgmt.%I', relation),
		format('TRUNCATE changemgmt.%I', relation)]) AS statement;
SELECT is((SELECT count(*) FROM changemgmt.load), 0::bigint, 'nothing came in by COPY yet');
COPY changemgmt.ledger_checkpoint (id, taken_at, subjects, entries, root, actor, session_role, effective_role) FROM stdin;
100	2026-01-01	0	0	\\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855	a	b	c
\.
COPY changemgmt.ledger_checkpoint_head FROM stdin;
change	1	100	1	\\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
change	2	100	1	\\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
\.
SELECT results_eq('SELECT relation, row_count FROM changemgmt.load ORDER BY 1',
	$$VALUES ('ledger_checkpoint', 1::bigint), ('ledger_checkpoint_head', 2)$$, 'COPY by the owner restores, and is recorded');
SET LOCAL client_min_messages = error;
SELECT is((SELECT checkpoint_id FROM changemgmt.ledger_checkpoint()), 101::bigint, 'checkpoints go on after those');

RESET client_min_messages;
CREATE ROLE regress_checkpoint_taker;
SELECT changemgmt.grant_role('regress_checkpoint_taker', 'integration') \g /dev/null
SET LOCAL ROLE regress_checkpoint_taker;
SELECT root AS last FROM changemgmt.ledger_checkpoint() \gset
SELECT throws_ok('DELETE FROM changemgmt.ledger_checkpoint', '42501', NULL, 'who may take checkpoints may not touch them');
RESET ROLE;
SELECT is((SELECT effective_role FROM changemgmt.ledger_checkpoint WHERE id = 102), 'regress_checkpoint_taker',
	'an integration takes checkpoints');

-- of a confidential change its head is not seen either
SELECT setval('changemgmt.change_id_seq', 1000) \g /dev/null
SELECT id AS confidential FROM changemgmt.create_change('secret', confidential => true) \gset
SELECT root AS last FROM changemgmt.ledger_checkpoint() \gset
SELECT isnt_empty(format('SELECT FROM changemgmt.ledger_checkpoint_head WHERE subject_kind = %L AND subject_id = %s', 'change', :'confidential'),
	'a confidential change is in the checkpoint');
SET LOCAL ROLE regress_checkpoint_taker;
SELECT is((SELECT count(*) FROM changemgmt.ledger_checkpoint_head WHERE subject_kind = 'change' AND subject_id = :'confidential'),
	0::bigint, 'but not for everybody to see');
SELECT is_empty(format('SELECT * FROM changemgmt.verify_checkpoint(%L, %L, %s)', :'last', 'change', :'confidential'),
	'whose root all verify');
RESET ROLE;

SET LOCAL transaction_read_only = on;
SELECT throws_ok('SELECT * FROM changemgmt.ledger_checkpoint()', '25006', NULL, 'but not where nothing may be written');

SELECT * FROM finish();
ROLLBACK;
