-- Limits of what clients send: every argument of every function at the edges of
-- its type, and then what is decided for texts, numbers, times and how many.
-- Wherever there is a limit, it is an error that says so; nothing is cut.
\set QUIET on
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL client_min_messages = warning;

SELECT changemgmt.add_person(login) FROM unnest('{ann,ben}'::text[]) AS login \g /dev/null
SELECT changemgmt.add_ci('db') \g /dev/null
SELECT changemgmt.add_board('cab') \g /dev/null
SET LOCAL changemgmt.actor = 'ann';
SELECT id AS change FROM changemgmt.create_change('limits', model => 'lean_normal', owner => 'ann', items => '{db}') \gset

-- The SQLSTATE that a statement answers with, or 'done'; what it did is taken back.
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RAISE SQLSTATE 'ZZ000';
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN 'done';
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
-- The same, in words.
CREATE FUNCTION pg_temp.words(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RAISE SQLSTATE 'ZZ000';
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN 'done';
	WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- ----------------------------------------------------------------
-- Every argument of every function
-- ----------------------------------------------------------------

CREATE TEMP TABLE edge (type regtype, value text);
INSERT INTO edge VALUES
	('bigint', '''-9223372036854775808'''), ('bigint', '-1'), ('bigint', '0'), ('bigint', '9223372036854775807'), ('bigint', '1'),
	('integer', '''-2147483648'''), ('integer', '-1'), ('integer', '0'), ('integer', '2147483647'),
	('numeric', '''NaN'''), ('numeric', '''-Infinity'''), ('numeric', '1e131071'), ('numeric', '1e-16383'), ('numeric', '-1'),
	('double precision', '''NaN'''), ('double precision', '''Infinity'''), ('double precision', '1e308'), ('double precision', '4.9e-324'),
	('timestamptz', '''infinity'''), ('timestamptz', '''-infinity'''), ('timestamptz', '''294276-12-31 23:59:59.999999+00'''),
	('timestamptz', '''4714-11-24 00:00:00+00 BC'''),
	('interval', '''-178000000 years'''), ('interval', '''178000000 years'''), ('interval', '''0'''), ('interval', '''-1 microsecond'''), ('interval', '''1 month -30 days'''),
	('date', '''infinity'''), ('date', '''-infinity'''), ('date', '''5874897-12-31'''), ('date', '''4714-11-24 BC'''),
	('text', ''''''), ('text', ''' '''), ('text', 'E''\x01'''), ('text', '''%s%n'''), ('text', 'repeat(''x'', 1000000)'), ('text', 'repeat(''9'', 1000000)'),
	('text[]', '''{}'''), ('text[]', '''{NULL}'''), ('text[]', '''{{a,b},{c,d}}'''), ('text[]', '''[5:6]={a,b}'''),
	('bigint[]', '''{}'''), ('bigint[]', '''{NULL}'''), ('bigint[]', '''{{1,2},{3,4}}'''), ('bigint[]', '''{0,-1,9223372036854775807,-9223372036854775808}'''),
	('bigint[]', 'array_fill(1::bigint, ARRAY[10000])'),
	('text[]', 'array_fill(''ann''::text, ARRAY[10000])'), ('text[]', 'ARRAY[repeat(''x'', 1000000)]'),
	('jsonb', '''null'''), ('jsonb', '''{}'''), ('jsonb', '''[]'''), ('jsonb', '''{"": 1e131071}'''), ('jsonb', '''{"title": "t", "id": 1}'''),
	('jsonb', '(repeat(''['', 2000) || repeat('']'', 2000))::jsonb'), ('jsonb', 'jsonb_build_object(''title'', repeat(''x'', 1000000))'),
	('jsonb', '(''{"title": "t", "attributes": '' || repeat(''{"a":'', 2000) || ''1'' || repeat(''}'', 2000) || ''}'')::jsonb'),
	('boolean', 'true'), ('boolean', 'false'),
	('changemgmt.rate', '''9223372036854775807/9223372036854775807'''), ('changemgmt.rate', '''0/9223372036854775807'''), ('changemgmt.rate', '''0/0'''),
	('changemgmt.recurrence', '''DTSTART:24991231T235959Z DURATION:P366D RRULE:FREQ=YEARLY;INTERVAL=1000'''), ('changemgmt.recurrence', '''DTSTART:19000101T000000Z DURATION:PT1S RRULE:FREQ=DAILY;COUNT=10000'''),
	('tstzrange', '''empty'''), ('tstzrange', '''(,)'''), ('tstzrange', '''[-infinity,infinity]'''), ('tstzrange', '''[294276-12-31 00:00+00,294276-12-31 23:59:59.999999+00]'''), ('tstzrange', '''[4714-11-24 00:00:00+00 BC,)'''),
	('changemgmt.change', 'jsonb_populate_record(NULL::changemgmt.change, ''{"id": 1}'')'), ('record', 'ROW()'), ('record', 'ROW(NULL)'), ('record', 'ROW(repeat(''x'', 1000000), ROW(1, ROW(NULL)))'),
	('regprocedure', '0'), ('regprocedure', '4294967295'), ('regprocedure', '''now()'''),
	('double precision[]', '''{}'''), ('double precision[]', '''{NULL}'''), ('double precision[]', '''{NaN}'''), ('double precision[]', '''{1e308,1,-Infinity,4.9e-324}'''),
	('bigint[]', '''{}'''), ('bigint[]', '''{0,0,0}'''), ('bigint[]', '''{NULL}'''), ('bigint[]', '''{9223372036854775807,-9223372036854775808,9223372036854775807}'''),
	('bytea', ''''''), ('bytea[]', '''{}'''), ('bytea[]', '''{NULL}'''), ('bytea[]', '''{"",""}'''), ('bytea[]', 'array_fill(''\x00''::bytea, ARRAY[10000])');
-- null is an edge of every type
INSERT INTO edge SELECT DISTINCT type, 'NULL' FROM edge;

-- The arguments of the functions that anybody could call.  Aggregates and the
-- functions of their transitions are tried by types.sql.
CREATE TEMP TABLE argument AS
	SELECT p.oid::regprocedure AS function, p.proname, a.place, a.type::regtype, p.pronargs, p.proargtypes
	FROM pg_proc AS p, unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, place)
	WHERE p.pronamespace = 'changemgmt'::regnamespace AND p.prokind = 'f'
	AND p.prorettype <> ALL ('{trigger,event_trigger,internal,cstring}'::regtype[])
	AND NOT p.proargtypes::oid[] && '{internal,cstring,"\"any\""}'::regtype[]::oid[];

SELECT is(string_agg(DISTINCT type::text, ', '), NULL, 'the edges of the type of every argument are known')
FROM argument WHERE type NOT IN (SELECT type FROM edge);

-- One argument at an edge, the others good or null.
CREATE TEMP TABLE call AS
	SELECT a.function, e.value,
		format('SELECT count(*) FROM (SELECT changemgmt.%I(%s)) AS x', a.proname, (
			SELECT string_agg(CASE WHEN t.place = a.place THEN format('(%s)::%s', e.value, t.type::regtype)
								   WHEN good.others AND t.type = 'bigint'::regtype AND t.place = 1 THEN '$change'
								   WHEN good.others AND t.type = 'text'::regtype THEN '''ann'''
								   ELSE format('NULL::%s', t.type::regtype) END, ', ' ORDER BY t.place)
			FROM unnest(a.proargtypes::oid[]) WITH ORDINALITY AS t (type, place))) AS statement
	FROM argument AS a JOIN edge AS e ON e.type = a.type
	CROSS JOIN (VALUES (true), (false)) AS good (others);
UPDATE call SET statement = replace(statement, '$change', :'change');
-- count(*) over a subquery would not call what nobody reads
UPDATE call SET statement = regexp_replace(statement, '^SELECT count\(\*\) FROM \((.*)\) AS x$', '\1');

-- a name of a role or function that does not exist says so in class 42
CREATE TEMP TABLE answer AS
	SELECT function, value, statement, pg_temp.try(statement) AS answer FROM call;
SELECT is(string_agg(format('%s: %s', left(statement, 200), answer), E'\n'), NULL,
	'an argument at the edge of its type gives a result or an error that speaks of input')
FROM answer
WHERE answer !~ '^(done$|22|23|54|MC)'
AND NOT (answer ~ '^42' AND function::text ~ '(grant|revoke)_role|register_requirement');
SELECT cmp_ok(count(*), '>', 1500::bigint, 'calls were made') FROM answer;
SELECT cmp_ok(count(*) FILTER (WHERE answer = 'done'), '>', 200::bigint, 'some of them were answered') FROM answer;
SELECT cmp_ok(count(*) FILTER (WHERE answer LIKE 'MC%'), '>', 500::bigint, 'and some refused by us') FROM answer;

-- ----------------------------------------------------------------
-- What is decided
-- ----------------------------------------------------------------

-- numbers
SELECT is(pg_temp.words('SELECT changemgmt.plan(9223372036854775807)'), 'MC008 change 9223372036854775807 does not exist', 'the last bigint is no change');
SELECT is(changemgmt.change_id(changemgmt.change_number(9223372036854775807)), 9223372036854775807, 'but has a number');
SELECT is(pg_temp.try($$SELECT changemgmt.change_id('CHG9223372036854775808')$$), 'MC008', 'one more has none');
SELECT is(pg_temp.try(format('SELECT changemgmt.edit_change(%s, %L)', :'change', '{"rollback_minutes": 2147483648}')), 'MC008', 'minutes are an integer');
SELECT is(pg_temp.try(format('SELECT changemgmt.edit_change(%s, %L)', :'change', '{"rollback_minutes": 2147483647}')), 'done', 'to its end');
SELECT is(pg_temp.try(format('SELECT changemgmt.edit_change(%s, %L)', :'change', doc)), 'MC008', 'no cost is ' || doc)
FROM unnest(ARRAY['{"cost_planned": "NaN"}', '{"cost_planned": "Infinity"}', '{"cost_planned": 1e12}', '{"cost_planned": -0.01}']) AS doc;
SELECT is(pg_temp.words('SELECT changemgmt.add_business_days(now(), 2147483647)'), 'MC008 2147483647 business days are out of range', 'days are counted up to ten years');

-- times
SELECT is(pg_temp.try(format('SELECT changemgmt.edit_change(%s, %L)', :'change', doc)), answer, doc)
FROM (VALUES ('{"deadline": "infinity"}', 'MC008'), ('{"planned_start": "-infinity"}', 'MC008'), ('{"deadline": "294277-01-01"}', 'MC008'),
	('{"planned_start": "4714-11-24 00:00:00+00 BC", "planned_end": "294276-12-31 23:59:59.999999+00"}', 'done')) AS v (doc, answer);
SELECT is(pg_temp.try($$SELECT changemgmt.declare_emergency('e', 'INC-1', 'ann', 'production_down', actual_start => '294276-12-31')$$), 'MC008',
	'an emergency does not begin in the future');
SELECT is(pg_temp.try($$SELECT changemgmt.add_business_days('294276-12-31', 1)$$), 'MC008', 'there is no business day after the last day');
SELECT id AS ages FROM changemgmt.record_unauthorized('since ever', 'audit', '4714-11-24 00:00:00+00 BC', '2026-01-01', owner => 'ann') \gset
SELECT lives_ok('SELECT * FROM changemgmt.monthly_metrics', 'a change that took all ages does not end the metrics');
SELECT is((SELECT count(*) FROM changemgmt.change_fact WHERE change_id = :ages), 1::bigint, 'and is a fact');

-- texts: what a field of PostgreSQL and an entry of the ledger hold
SELECT is(pg_temp.try($$SELECT changemgmt.create_change(repeat('x', 10000000), owner => 'ann')$$), 'done', 'a title of 10 MB');
SELECT id AS long FROM changemgmt.create_change('long', model => 'lean_normal', owner => 'ann', description => repeat('x', 10000000), attributes => jsonb_build_object('a', repeat('y', 10000000))) \gset
SELECT changemgmt.edit_change(:long, jsonb_build_object('description', repeat('z', 10000000))) \g /dev/null
SELECT changemgmt.add_comment(:long, repeat('c', 10000000)), changemgmt.add_communication(:long, 'before', repeat('s', 10000000), 'other', repeat('m', 10000000)) \g /dev/null
SELECT changemgmt.cancel(:long, repeat('r', 10000000)) \g /dev/null
SELECT is((SELECT md5(description) FROM changemgmt.change WHERE id = :long), md5(repeat('z', 10000000)), 'a description of 10 MB is what was given');
SELECT is((SELECT length(status_reason) FROM changemgmt.change WHERE id = :long), 10000000, 'so is a reason');
SELECT is((SELECT length(body) FROM changemgmt.change_comment WHERE change_id = :long), 10000000, 'so is a comment');
SELECT is((SELECT length(stakeholder || message) FROM changemgmt.communication_plan WHERE change_id = :long), NULL, 'what is to be told of a change that is over is not shown');
SELECT is((SELECT length(stakeholder || message) FROM changemgmt.change_communication WHERE change_id = :long), 20000000, 'but stands');
SELECT is(pg_temp.try($$SELECT changemgmt.create_change('t', owner => 'ann', description => repeat('x', 268435456))$$), '54000',
	'a document, as an entry of the ledger, holds 256 MB, so no text has more');
-- names stand in indexes
SELECT is(pg_temp.try(format('SELECT changemgmt.%s', call)), '54000', call || ': a name fits into an index')
FROM unnest(ARRAY['add_person(repeat(''x'', 1000000))', 'add_team(repeat(''x'', 1000000))', 'add_ci(repeat(''x'', 1000000))', 'add_board(repeat(''x'', 1000000))',
	'declare_blackout(repeat(''x'', 1000000), starts_at => ''2001-01-01'', ends_at => ''2001-01-02'')',
	'create_change(''t'', owner => ''ann'', source => ''s'', source_key => repeat(''x'', 1000000))']) AS call;
SELECT is(pg_temp.try(format('SELECT changemgmt.edit_change(%s, %L)', :'change', format('{"attributes": %s1%s}', repeat('{"a":', depth), repeat('}', depth)))), answer,
	format('attributes patched %s deep', depth))
FROM (VALUES (100, 'done'), (101, 'MC008')) AS v (depth, answer);
SELECT is(pg_temp.try(format('SELECT changemgmt.create_change_from((%L || repeat(''['', 100000) || repeat('']'', 100000) || ''}'')::jsonb)', '{"title": "t", "a": ')), '54001',
	'a document 100,000 deep');

-- how many
SELECT id AS many FROM changemgmt.create_change_from(jsonb_build_object('title', 'many', 'owner', 'ann', 'model', 'lean_normal',
	'tasks', (SELECT jsonb_agg('t' || i) FROM generate_series(1, 10000) AS i))) \gset
SELECT is((SELECT count(*) FROM changemgmt.change_task WHERE change_id = :many), 10000::bigint, '10,000 tasks in one document');
INSERT INTO changemgmt.change_task (change_id, title) SELECT :many, 'u' || i FROM generate_series(1, 10000) AS i;
UPDATE changemgmt.change_task SET description = 'x' WHERE change_id = :many;
DELETE FROM changemgmt.change_task WHERE change_id = :many;
SELECT is((SELECT count(*) FROM changemgmt.change_task WHERE change_id = :many), 0::bigint, 'more in one INSERT, all in one UPDATE and one DELETE');
SELECT is(pg_temp.try($$SELECT changemgmt.create_change('t', owner => 'ann', items => array_fill('db'::text, ARRAY[100000]))$$), 'MC008', 'an item 100,000 times is one too often');
SELECT is(pg_temp.try($$SELECT changemgmt.create_change('t', owner => 'ann', affects => array_fill('clients'::text, ARRAY[100000]))$$), 'done', 'an array of 100,000');
SELECT is(pg_temp.try($$SELECT changemgmt.add_team('many', members => array_fill('ann'::text, ARRAY[100000]))$$), 'done', 'a member named 100,000 times is one');
SELECT is(changemgmt.row_digest(t), (SELECT changemgmt.row_digest(u) FROM (SELECT array_fill(0.5::numeric, ARRAY[100000]) AS a) AS u), 'a digest over an array of 100,000')
FROM (SELECT array_fill(0.5::numeric, ARRAY[100000]) AS a) AS t;

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'all of it stands in the ledger');

SELECT * FROM finish();
ROLLBACK;
