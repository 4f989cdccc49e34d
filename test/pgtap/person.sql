-- People, teams, boards; who is acting.

BEGIN;
SELECT plan(48);

CREATE FUNCTION pg_temp.refusal(sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	code text;
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE sql;
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', code, message, nullif(detail, ''), nullif(hint, ''));
END
$$;

-- Runs statements as a role and returns what the last one gives, or the
-- SQLSTATE; what they set is taken back.
CREATE FUNCTION pg_temp.answer_as(role name, VARIADIC sql text[]) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	answer text;
BEGIN
	BEGIN
		EXECUTE format('SET LOCAL ROLE %I', role);
		FOR i IN 1 .. cardinality(sql) - 1 LOOP
			EXECUTE sql[i];
		END LOOP;
		IF sql[cardinality(sql)] ~ '^SELECT' THEN
			EXECUTE sql[cardinality(sql)] INTO answer;
		ELSE
			EXECUTE sql[cardinality(sql)];
			answer := 'done';
		END IF;
		RAISE SQLSTATE 'ZZ000';
	EXCEPTION
		WHEN SQLSTATE 'ZZ000' THEN RETURN answer;
		WHEN OTHERS THEN RETURN SQLSTATE;
	END;
END
$$;

CREATE ROLE regress_person_dba;
CREATE ROLE regress_person_app;
CREATE ROLE regress_person_pool;
GRANT USAGE ON SCHEMA changemgmt TO PUBLIC;
GRANT EXECUTE ON FUNCTION changemgmt.acting_person(), changemgmt.person_id(text) TO PUBLIC;
GRANT CREATE ON SCHEMA public TO regress_person_app, regress_person_pool;

-- people

SELECT isnt(changemgmt.add_person('regress_person_dba', 'Dora Base', email => 'dora@example.com'),
	NULL, 'a person is registered');
SELECT results_eq(
	$$SELECT name, kind, email, is_executive, is_active FROM changemgmt.person
	WHERE id = changemgmt.person_id('regress_person_dba')$$,
	$$VALUES ('Dora Base', 'internal', 'dora@example.com', false, true)$$,
	'with what was said of her');
SELECT lives_ok($$SELECT changemgmt.add_person('regress_temp', kind => 'contractor')$$,
	'a login is enough');
SELECT results_eq($$SELECT name FROM changemgmt.person WHERE login = 'regress_temp'$$,
	$$VALUES ('regress_temp')$$, 'the name is the login then');
SELECT throws_ok($$SELECT changemgmt.add_person('regress_temp')$$, '23505', NULL,
	'a login twice');
SELECT throws_ok($$SELECT changemgmt.add_person('x', kind => 'robot')$$, '23514', NULL,
	'an unknown kind');

SELECT is(changemgmt.person_id(NULL), NULL, 'no login, no id');
SELECT is(pg_temp.refusal($$SELECT changemgmt.person_id('o''neill')$$),
	'MC008 | person "o''neill" does not exist | Check the login, or run SELECT changemgmt.add_person(''o''''neill'', ''Full name'');',
	'an unknown login, with the call that registers it');

-- what a session remembers of people follows what is done to them

SELECT is(changemgmt.person_id('regress_temp'),
	(SELECT id FROM changemgmt.person WHERE login = 'regress_temp'), 'found');
SELECT is(changemgmt.person_id('regress_temp'),
	(SELECT id FROM changemgmt.person WHERE login = 'regress_temp'), 'and found again');
SAVEPOINT before;
UPDATE changemgmt.person SET is_active = false WHERE login = 'regress_temp';
SELECT is(pg_temp.refusal($$SELECT changemgmt.person_id('regress_temp')$$),
	'MC008 | person "regress_temp" is no longer active | People who have left stay on their records, but cannot be assigned any more. | Name somebody else, or run UPDATE changemgmt.person SET is_active = true WHERE login = ''regress_temp'';',
	'somebody who has left');
ROLLBACK TO before;
SELECT is(changemgmt.person_id('regress_temp'),
	(SELECT id FROM changemgmt.person WHERE login = 'regress_temp'),
	'whose leaving was rolled back is there');
UPDATE changemgmt.person SET login = 'regress_temp2' WHERE login = 'regress_temp';
SELECT throws_ok($$SELECT changemgmt.person_id('regress_temp')$$, 'MC008',
	'person "regress_temp" does not exist', 'the old login is gone');
SELECT is(changemgmt.person_id('regress_temp2'),
	(SELECT id FROM changemgmt.person WHERE name = 'regress_temp'), 'the new one is known');
SAVEPOINT added;
SELECT changemgmt.add_person('regress_ghost') \g /dev/null
SELECT changemgmt.person_id('regress_ghost') \g /dev/null
ROLLBACK TO added;
SELECT throws_ok($$SELECT changemgmt.person_id('regress_ghost')$$, 'MC008', NULL,
	'a person whose registration was rolled back is not remembered');
SELECT is_empty(
	$$SELECT login FROM changemgmt.person
	WHERE is_active AND changemgmt.person_id(login) <> id$$,
	'everybody has the own id');
INSERT INTO changemgmt.person (login, name)
	SELECT 'regress_many_' || g, 'M' FROM generate_series(1, 1000) AS g;
SELECT is_empty(
	$$SELECT login FROM changemgmt.person, generate_series(1, 2)
	WHERE is_active AND changemgmt.person_id(login) <> id$$,
	'also when there are more than are remembered');

-- teams

SELECT isnt(changemgmt.add_team('dba', lead => 'regress_person_dba',
	members => '{regress_temp2,regress_person_dba}'), NULL, 'a team is created');
SELECT results_eq(
	$$SELECT p.login FROM changemgmt.team_member AS m
		JOIN changemgmt.person AS p ON p.id = m.person_id
	WHERE m.team_id = changemgmt.team_id('dba') ORDER BY 1$$,
	$$VALUES ('regress_person_dba'), ('regress_temp2')$$,
	'with its members, the lead once among them');
SELECT is((SELECT lead_id FROM changemgmt.team WHERE id = changemgmt.team_id('dba')),
	changemgmt.person_id('regress_person_dba'), 'and its lead');
SELECT lives_ok($$SELECT changemgmt.add_team('empty')$$, 'a name is enough');
SELECT is_empty(
	$$SELECT FROM changemgmt.team_member WHERE team_id = changemgmt.team_id('empty')$$,
	'such a team has nobody');
SELECT throws_ok($$SELECT changemgmt.add_team('x', members => '{regress_nobody}')$$,
	'MC008', 'person "regress_nobody" does not exist', 'an unknown member');
SELECT is(pg_temp.refusal($$SELECT changemgmt.person_id('dba')$$),
	'MC008 | person "dba" does not exist | "dba" is a team; whoever is named here must be one person. | Name the login of one person, such as the lead of the team.',
	'a team is not a person');
SELECT is(pg_temp.refusal($$SELECT changemgmt.team_id('dbas')$$),
	'MC008 | team "dbas" does not exist | Check the name, or run SELECT changemgmt.add_team(''dbas'');',
	'an unknown team');

-- boards

SELECT isnt(changemgmt.add_board('cab', 'Thursdays'), NULL, 'a board is created');
SELECT lives_ok($$SELECT changemgmt.add_board_member('cab', 'regress_person_dba')$$,
	'somebody gets a seat');
SELECT lives_ok(
	$$SELECT changemgmt.add_board_member('cab', 'regress_person_dba', 'change_manager')$$,
	'and another');
SELECT results_eq(
	$$SELECT seat, valid_until FROM changemgmt.board_member
	WHERE board_id = changemgmt.board_id('cab')$$,
	$$VALUES ('change_manager', 'infinity'::timestamptz)$$,
	'which takes the place of the first');
SELECT throws_ok($$SELECT changemgmt.add_board_member('cab', 'regress_temp2', 'king')$$,
	'23514', NULL, 'an unknown seat');
SELECT is(pg_temp.refusal($$SELECT changemgmt.board_id('nasa')$$),
	'MC008 | board "nasa" does not exist | Check the name, or run SELECT changemgmt.add_board(''nasa'');',
	'an unknown board');

-- who is acting

SELECT is(changemgmt.acting_person(), current_user::text, 'the role of the session');
SELECT is(pg_temp.answer_as('regress_person_dba', 'SELECT changemgmt.acting_person()'),
	'regress_person_dba', 'or that of SET ROLE');

CREATE FUNCTION public.regress_definer() RETURNS text
	LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$SELECT changemgmt.acting_person()$$;
SELECT is(pg_temp.answer_as('regress_person_app', 'SELECT public.regress_definer()'),
	'regress_person_app', 'but not the owner of a SECURITY DEFINER function');

SELECT is(pg_temp.answer_as(current_user, 'SET LOCAL changemgmt.actor = ''regress_person_dba''',
	'SELECT changemgmt.acting_person()'),
	'regress_person_dba', 'a superuser can say who is acting');
SELECT is(changemgmt.acting_person(), current_user::text,
	'SET LOCAL ends with its subtransaction');
SELECT is(pg_temp.answer_as(current_user, 'SET LOCAL changemgmt.actor = ''''',
	'SELECT changemgmt.acting_person()'),
	current_user::text, 'an empty one is none');

-- Nobody else can, by any way that leads to a setting.
SELECT is(pg_temp.answer_as('regress_person_app', attempt), '42501', attempt)
FROM (VALUES
	($$SET changemgmt.actor = 'regress_person_dba'$$),
	($$SET LOCAL changemgmt.actor = 'regress_person_dba'$$),
	($$SELECT set_config('changemgmt.actor', 'regress_person_dba', false)$$),
	($$CREATE FUNCTION public.regress_forge() RETURNS text LANGUAGE sql
		SET changemgmt.actor = 'regress_person_dba'
		AS 'SELECT changemgmt.acting_person()'$$),
	($$ALTER ROLE regress_person_app SET changemgmt.actor = 'regress_person_dba'$$),
	($$UPDATE pg_settings SET setting = 'regress_person_dba' WHERE name = 'changemgmt.actor'$$)
) AS a (attempt);

-- Calling what a superuser made with such a clause does not help either.
CREATE FUNCTION public.regress_with_clause() RETURNS text LANGUAGE sql
	SET changemgmt.actor = 'regress_person_dba'
	AS 'SELECT changemgmt.acting_person()';
SELECT is(pg_temp.answer_as('regress_person_app', 'SELECT public.regress_with_clause()'),
	'42501', 'a function with a SET clause, called by an ordinary role');

GRANT SET ON PARAMETER changemgmt.actor TO regress_person_pool;
SELECT is(pg_temp.answer_as('regress_person_pool', 'SET LOCAL changemgmt.actor = ''regress_person_dba''',
	'SELECT changemgmt.acting_person()'),
	'regress_person_dba', 'a role with GRANT SET ON PARAMETER can');
SELECT is(pg_temp.answer_as('regress_person_pool',
	'SELECT set_config(''changemgmt.actor'', ''regress_temp2'', true)',
	'SELECT changemgmt.acting_person()'),
	'regress_temp2', 'also by set_config');

SELECT throws_ok($$SET changemgmt.actr = 'x'$$, '42602', NULL,
	'a misspelt parameter of ours is refused');
SELECT is((SELECT context || ',' || boot_val FROM pg_settings WHERE name = 'changemgmt.actor'),
	'superuser,', 'the parameter is the superuser''s, and empty by default');

SELECT finish();
ROLLBACK;
