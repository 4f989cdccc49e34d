--
-- ledger: nothing comes in by any door but history by COPY; the encoding
-- gives the hashes that a program outside of PostgreSQL gives.
--
BEGIN;
SET LOCAL search_path = public;
SELECT plan(61);

-- What COPY as a statement of its own is refused is in test/sql/ledger.sql.

CREATE FUNCTION pg_temp.loads() RETURNS TABLE (relation text, row_count bigint, session_role text)
	LANGUAGE sql AS 'SELECT relation, row_count, session_role FROM changemgmt.load ORDER BY loaded_at';

--
-- History by COPY
--
-- A chain whose hashes were computed by test/t/ledger_verify.py.
COPY changemgmt.ledger FROM stdin;
change	9000000001	1	create	\N	draft	{"id": [null, 9000000001], "title": [null, "Zürich \\"x\\""]}	anna	app	web	192.0.2.7	psql	2026-01-02T03:04:05.678901+00:00	\N	\\x7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed	\\x0000000000000000000000000000000000000000000000000000000000000000	\\x617931c0a99385d8c20a91c44ca9d1047889c8ca4c1dd52b521ee1e0b7510cb3
change	9000000001	2	edit	draft	draft	{}	Jürgen	app	web	2001:db8::1	\N	1969-12-31T23:59:59.999999+00:00		\\x7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed	\\x617931c0a99385d8c20a91c44ca9d1047889c8ca4c1dd52b521ee1e0b7510cb3	\\x48d45bfbdb5d13e0ac863a353c95d566b47e5591e97007665db0b01eb8d24efc
change	9000000001	3	plan	draft	planned	{"status": ["draft", "planned"], "cost_planned": [null, 12.50]}	anna	app	web	\N	a\\b	2000-01-01T00:00:00+00:00	why\nnot	\\x3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3	\\x48d45bfbdb5d13e0ac863a353c95d566b47e5591e97007665db0b01eb8d24efc	\\x808db9a3abe090f9cca6512bf165274199d03480abf7b8086043fb884898371e
change	9000000001	4	submit	planned	awaiting_approval	{"attributes": [{}, {"b": 1, "aa": [1, null, true]}]}	🙂	app	web	\N	\N	infinity	\N	\\x3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3	\\x808db9a3abe090f9cca6512bf165274199d03480abf7b8086043fb884898371e	\\x1e1a1b10c9dcf64c3c47f0d36db3162f3974288ef49841ca872c480707de6fad
change	9000000001	5	delete	awaiting_approval	\N	{"id": [9000000001, null]}	anna	app	web	\N	\N	2026-02-28T23:59:59.5+00:00	gone	\\x3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3	\\x1e1a1b10c9dcf64c3c47f0d36db3162f3974288ef49841ca872c480707de6fad	\\x52c3666c2f84c8733156905f45a131a516763d5cb604a9749b8bf3add0ece47f
\.
SELECT is((SELECT count(*) FROM changemgmt.ledger WHERE subject_id = 9000000001), 5::bigint,
	'a superuser''s COPY brings history');
SELECT results_eq('SELECT * FROM pg_temp.loads()',
	format('VALUES (''ledger'', 5::bigint, %L)', session_user),
	'and is recorded, once');
SELECT ok((SELECT loaded_at > now() - interval '1 hour' AND effective_role = current_user
			AND application = current_setting('application_name') FROM changemgmt.load),
	'with who and when');

COPY changemgmt.ledger FROM stdin;
\.
SELECT is((SELECT count(*) FROM changemgmt.load), 1::bigint, 'a COPY of nothing leaves no record');

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger(''change'', 9000000001)',
	'the hashes computed outside are those computed here');

--
-- The same chain, damaged
--
COPY changemgmt.ledger FROM stdin;
change	9000000002	1	create	\N	draft	{"id": [null, 9000000001], "title": [null, "Zürich \\"x\\""]}	anna	app	web	192.0.2.7	psql	2026-01-02T03:04:05.678901+00:00	\N	\\x7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed	\\x0000000000000000000000000000000000000000000000000000000000000000	\\x617931c0a99385d8c20a91c44ca9d1047889c8ca4c1dd52b521ee1e0b7510cb3
change	9000000002	4	delete	awaiting_approval	\N	{"id": [9000000001, null]}	anna	app	web	\N	\N	2026-02-28T23:59:59.5+00:00	gone	\\x3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3	\\x1e1a1b10c9dcf64c3c47f0d36db3162f3974288ef49841ca872c480707de6fad	\\x52c3666c2f84c8733156905f45a131a516763d5cb604a9749b8bf3add0ece47f
\.
SELECT results_eq('SELECT sequence, problem FROM changemgmt.verify_ledger(''change'', 9000000002)',
	$$VALUES (1::bigint, 'hash does not fit the content of the entry'),
		(4, 'entries 2 to 3 are missing'),
		(4, 'previous_hash is not the hash of the entry before'),
		(4, 'hash does not fit the content of the entry')$$,
	'a gap, a break and altered content are found');
ALTER TABLE changemgmt.ledger DISABLE TRIGGER USER;
CREATE FUNCTION pg_temp.problem_after(assignment text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
BEGIN
	EXECUTE 'UPDATE changemgmt.ledger SET ' || assignment
		|| ' WHERE subject_id = 9000000001 AND sequence = 1';
	SELECT string_agg(sequence || ' ' || problem, ', ' ORDER BY sequence) INTO found
	FROM changemgmt.verify_ledger('change', 9000000001);
	RAISE SQLSTATE 'ZZ001';
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
	RETURN found;
END $$;
SELECT is(pg_temp.problem_after(assignment),
	'1 hash does not fit the content of the entry',
	'alteration found: ' || assignment)
FROM unnest(ARRAY[
	$$event = 'edit'$$, $$from_status = ''$$, $$to_status = 'planned'$$,
	$$changed = '{}'$$, $$actor = 'bert'$$, $$session_role = 'app2'$$,
	$$effective_role = 'app'$$, $$client_address = NULL$$,
	$$application = ''$$, $$reason = ''$$,
	$$recorded_at = recorded_at + interval '1 microsecond'$$,
	$$row_digest = sha256('x')$$]) AS assignment;
SELECT is(pg_temp.problem_after('hash = sha256(''x'')'),
	'1 hash does not fit the content of the entry, 2 previous_hash is not the hash of the entry before',
	'alteration found: hash');
SELECT is(pg_temp.problem_after('previous_hash = sha256(''x'')'),
	'1 previous_hash is not the hash of the entry before, 1 hash does not fit the content of the entry',
	'alteration found: previous_hash');
SELECT is(pg_temp.problem_after('sequence = 6'),
	'2 entry 1 is missing, 2 previous_hash is not the hash of the entry before, 6 previous_hash is not the hash of the entry before, 6 hash does not fit the content of the entry, 6 the row is gone, and its deletion is not recorded',
	'alteration found: an entry moved to the end');
ALTER TABLE changemgmt.ledger ENABLE TRIGGER USER;

SELECT throws_ok('SELECT * FROM changemgmt.verify_ledger(''chnge'')', 'MC008', NULL, 'an unknown kind is refused');
SELECT throws_ok('SELECT * FROM changemgmt.verify_ledger(id => 1)', 'MC008', NULL, 'an id without a kind is refused');

--
-- Every other door, as superuser
--
SELECT throws_ok(statement, 'MC006', NULL, 'refused: ' || statement)
FROM unnest(ARRAY[
	$$INSERT INTO changemgmt.ledger SELECT * FROM changemgmt.ledger$$,
	$$INSERT INTO changemgmt.ledger SELECT * FROM changemgmt.ledger ON CONFLICT DO NOTHING$$,
	$$INSERT INTO changemgmt.ledger (subject_id) VALUES (1)$$,
	$$UPDATE changemgmt.ledger SET actor = actor$$,
	$$DELETE FROM changemgmt.ledger$$,
	$$MERGE INTO changemgmt.ledger l USING (VALUES (9000000001)) v (id) ON l.subject_id = v.id WHEN MATCHED THEN DELETE$$,
	$$TRUNCATE changemgmt.ledger$$,
	$$TRUNCATE changemgmt.load, changemgmt.ledger$$,
	$$INSERT INTO changemgmt.load SELECT * FROM changemgmt.load$$,
	$$UPDATE changemgmt.load SET row_count = 0$$,
	$$DELETE FROM changemgmt.load$$,
	$$TRUNCATE changemgmt.load$$,
	$$COPY changemgmt.ledger (subject_kind) FROM PROGRAM 'echo change'$$,
	$$COPY (DELETE FROM changemgmt.ledger RETURNING 1) TO PROGRAM 'cat >/dev/null'$$]) AS statement;

-- the door is found through the search path
SET LOCAL search_path = changemgmt, public;
COPY ledger FROM stdin;
change	9000000009	1	create	\N	draft	{"id": [null, 9000000001], "title": [null, "Zürich \\"x\\""]}	anna	app	web	192.0.2.7	psql	2026-01-02T03:04:05.678901+00:00	\N	\\x7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed	\\x0000000000000000000000000000000000000000000000000000000000000000	\\x617931c0a99385d8c20a91c44ca9d1047889c8ca4c1dd52b521ee1e0b7510cb3
\.
SET LOCAL search_path = public;
SELECT is((SELECT count(*) FROM changemgmt.ledger WHERE subject_id = 9000000009), 1::bigint,
	'the door is found through the search path');

-- a member of the owner's role is an owner
CREATE ROLE regress_ledger_app;
CREATE ROLE regress_ledger_owner;
GRANT USAGE ON SCHEMA changemgmt TO regress_ledger_app;
GRANT ALL ON SCHEMA changemgmt TO regress_ledger_owner;
ALTER TABLE changemgmt.ledger OWNER TO regress_ledger_owner;
ALTER TABLE changemgmt.load OWNER TO regress_ledger_owner;
GRANT regress_ledger_owner TO regress_ledger_app;
SET LOCAL ROLE regress_ledger_app;
COPY changemgmt.ledger FROM stdin;
change	9000000011	1	create	\N	draft	{"id": [null, 9000000001], "title": [null, "Zürich \\"x\\""]}	anna	app	web	192.0.2.7	psql	2026-01-02T03:04:05.678901+00:00	\N	\\x7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed	\\x0000000000000000000000000000000000000000000000000000000000000000	\\x617931c0a99385d8c20a91c44ca9d1047889c8ca4c1dd52b521ee1e0b7510cb3
\.
RESET ROLE;
SELECT is((SELECT count(*) FROM changemgmt.ledger WHERE subject_id = 9000000011), 1::bigint,
	'COPY by the owner is history');
SELECT results_eq('SELECT row_count, effective_role FROM changemgmt.load ORDER BY loaded_at DESC LIMIT 1',
	$$VALUES (1::bigint, 'regress_ledger_app')$$,
	'and is recorded under the role that did it');

--
-- Digests of rows, computed by test/t/ledger_verify.py, under any setting
--
CREATE FUNCTION pg_temp.digests() RETURNS TABLE (name text, digest text) LANGUAGE sql AS $$
	SELECT 'ints', changemgmt.row_digest(t) FROM (SELECT '-32768'::smallint a, 0 b, '-9223372036854775808'::bigint c) t
	UNION ALL SELECT 'bool', changemgmt.row_digest(t) FROM (SELECT true a, false b) t
	UNION ALL SELECT 'text', changemgmt.row_digest(t) FROM (SELECT '' a, E'Zürich 🙂\n'::varchar(20) b, NULL::text c) t
	UNION ALL SELECT 'order', changemgmt.row_digest(t) FROM (SELECT 1 n, 'a'::text "T", NULL::text x) t
	UNION ALL SELECT 'timestamptz', changemgmt.row_digest(t)
		FROM (SELECT '1969-12-31 23:59:59.999999+00'::timestamptz a, 'infinity'::timestamptz b, '-infinity'::timestamptz c,
				'2026-07-01 12:00:00+02'::timestamptz d) t
	UNION ALL SELECT 'timestamp', changemgmt.row_digest(t) FROM (SELECT '2026-07-01 12:00:00.25'::timestamp a) t
	UNION ALL SELECT 'date', changemgmt.row_digest(t)
		FROM (SELECT '2026-07-01'::date a, '0044-03-15 BC'::date b, 'infinity'::date c) t
	UNION ALL SELECT 'numeric', changemgmt.row_digest(t) FROM (SELECT 12.50 a, 'NaN'::numeric b, -0.000001 c) t
	UNION ALL SELECT 'float', changemgmt.row_digest(t)
		FROM (SELECT 0.1::float8 a, 1e300::float8 b, 0.1::float4 c, '-Infinity'::float8 d) t
	UNION ALL SELECT 'jsonb', changemgmt.row_digest(t) FROM (SELECT '{"aa": [1, null, "x\"y"], "b": 1.50}'::jsonb a) t
	UNION ALL SELECT 'bytea', changemgmt.row_digest(t) FROM (SELECT ''::bytea a, '\x00ffab'::bytea b) t
	UNION ALL SELECT 'uuid', changemgmt.row_digest(t) FROM (SELECT 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid a) t
	UNION ALL SELECT 'array', changemgmt.row_digest(t)
		FROM (SELECT ARRAY['a', NULL, 'null'] a, '{}'::text[] b, ARRAY[[1, 2], [3, 4]] c) t
	UNION ALL SELECT 'interval', changemgmt.row_digest(t) FROM (SELECT '1 month 2:03:04.5'::interval a) t
$$;
CREATE TEMP TABLE expected (name text, digest text);
INSERT INTO expected VALUES
	('ints', '\xda32a0e61aab10339e57741883ccc90b1c3038551d30fe216b01ecf583414dbe'),
	('bool', '\x534340887c53ac630d6eb9421f1aec59c805f8f19f51acd13bec9a2c714f0291'),
	('text', '\x6573d7918759684a16a8abf6fcb27ef4efa82913d69899315389751d11335a17'),
	('order', '\xe4497ddb7ecf2bc601021c2e45750b1d3b47664b61b7e1d08e2ffdd5dec98d45'),
	('timestamptz', '\x4ffe41196a3f2c02dc27cca1bc93923b6e06acbec0fb6773a308a20f7389562e'),
	('timestamp', '\x7fc063ac5544cc240311f7cbea926488ac62247b8a93b95237608134e87c122d'),
	('date', '\xcbf8bb9723c7665eb4101a96abb13e2222424576ef1b6d90594962c100ba9ab6'),
	('numeric', '\x33afee20fa9fbb1bbbd02e625ffc7f5d09a71735ece5e00e7315432015a00cac'),
	('float', '\xeade016697708ad4fdcba563fa987da2e98e5a6398076e032621838d140637dc'),
	('jsonb', '\x568305cdd587c318f8f71967ae44a915a59c8e88477ffc00f9ac181d4b8ca3aa'),
	('bytea', '\x587be9d55369780f02799a1dbb40bf05fcde92e11d33bb793d76dd838875bc9c'),
	('uuid', '\x5caf291c4241931a04a8017c20a1350bf8efbc8300763b5534ee381ebca2b894'),
	('array', '\xda8a961735a12351e1b5dd7440aaf40a5da9b58ed146dc43aec9e58bc5500bb2'),
	('interval', '\x93f9060dc8cbadd8be129d04c06acfe29e34e97d26e747819e73a0ca5aab797c');
SELECT is(d.digest, e.digest, 'digest of ' || name) FROM pg_temp.digests() d JOIN expected e USING (name);

SET LOCAL TimeZone = 'Asia/Kolkata';
SET LOCAL DateStyle = 'German, DMY';
SET LOCAL IntervalStyle = 'sql_standard';
SET LOCAL extra_float_digits = -3;
SELECT results_eq('SELECT name, digest FROM pg_temp.digests()', 'TABLE expected',
	'no setting of the session changes a digest');
SET LOCAL bytea_output = 'escape';
SELECT ok((SELECT changemgmt.row_digest(t) = decode(substr(digest, 3), 'hex')
			FROM (SELECT ''::bytea a, '\x00ffab'::bytea b) t, expected WHERE name = 'bytea'),
	'nor does bytea_output');
RESET TimeZone; RESET DateStyle; RESET IntervalStyle; RESET extra_float_digits; RESET bytea_output;

CREATE TEMP TABLE grown (a int, b text);
INSERT INTO grown VALUES (1, 'x');
CREATE TEMP TABLE digest_before AS SELECT changemgmt.row_digest(g) AS digest FROM grown g;
ALTER TABLE grown ADD COLUMN c text;
SELECT is((SELECT changemgmt.row_digest(g) FROM grown g), (SELECT digest FROM digest_before),
	'a column that is added changes no digest while it is null');
ALTER TABLE grown RENAME COLUMN a TO z;
SELECT isnt((SELECT changemgmt.row_digest(g) FROM grown g), (SELECT digest FROM digest_before),
	'a new name changes it: no stale order of columns is used');
ALTER TABLE grown RENAME COLUMN z TO a;
ALTER TABLE grown DROP COLUMN c;
ALTER TABLE grown ADD COLUMN ledger_head bytea DEFAULT 'x';
SELECT is((SELECT changemgmt.row_digest(g) FROM grown g), (SELECT digest FROM digest_before),
	'a dropped column and ledger_head are left out');
UPDATE grown SET b = repeat('long enough to be compressed ', 10000);
SELECT is((SELECT changemgmt.row_digest(g) FROM grown g),
	(SELECT changemgmt.row_digest(t) FROM (SELECT 1 AS a, repeat('long enough to be compressed ', 10000) AS b) t),
	'a value that is compressed or out of line is the same value');

-- a jsonb is its text, which the server prints
SELECT is_empty($$
	SELECT j FROM (
		SELECT to_jsonb(repeat('x', before) || chr(c) || repeat('é', after) || '"\\') AS j
		FROM generate_series(1, 300) AS c, generate_series(0, 9) AS before, generate_series(0, 2) AS after
		UNION ALL SELECT jsonb_build_object(repeat(chr(c), n), repeat(chr(c), n))
		FROM generate_series(1, 130) AS c, generate_series(0, 17) AS n
		UNION ALL SELECT j::jsonb FROM unnest(ARRAY['null', 'true', 'false', '0', '-1.50', '1e400', '""', '[]', '{}', '[[]]', '[{}]',
			'{"a": {}}', '{"a": []}', '[1, "a", null, true, [2, [], {"b": [3, {}, "c"], "a": {"x": {"y": false}}}], {}, 4]',
			'{"a": [1, [2, [3]]], "b": {"c": 1, "d": {}}, "": null, "\u0001": "\u001f \u007f"}']) AS j) AS t
	WHERE changemgmt.row_digest(t) <> changemgmt.row_digest((SELECT x FROM (SELECT t.j::text AS j) AS x))$$,
	'a jsonb is encoded as the server prints it');

SELECT * FROM finish();
ROLLBACK;
