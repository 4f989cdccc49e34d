-- Who is in the ledger: under SET ROLE, SET SESSION AUTHORIZATION, SECURITY
-- DEFINER, triggers; grants through groups; where a value of changemgmt.actor
-- begins and ends; and what values it can have.  Ordinary sessions that try to
-- set it: test/t/046_identity.pl.
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;
SELECT no_plan();

SELECT current_user AS superuser \gset
CREATE ROLE regress_ann;
CREATE ROLE regress_ben;
CREATE ROLE regress_pool;
CREATE ROLE regress_group;
CREATE ROLE regress_member IN ROLE regress_group;
CREATE ROLE regress_switcher NOINHERIT IN ROLE regress_group;
CREATE ROLE regress_stranger;
CREATE ROLE regress_helper;
SELECT changemgmt.grant_role(r, 'manager')
FROM unnest('{regress_ann,regress_ben,regress_pool,regress_group,regress_member,regress_switcher,regress_stranger,regress_helper}'::text[]) AS r \g /dev/null
GRANT SET ON PARAMETER changemgmt.actor TO regress_pool, regress_group, regress_helper;
GRANT UPDATE ON changemgmt.change TO regress_ann, regress_ben;
GRANT INSERT ON changemgmt.change_comment TO regress_ann;
GRANT CREATE ON SCHEMA public TO regress_helper, regress_ann;
SELECT changemgmt.add_person(p)
FROM unnest(ARRAY['regress_ann', 'regress_ben', 'regress_switcher', 'dora', 'max', 'Zoë', 'o''neill', 'José "Pepe" \ 100%']) AS p \g /dev/null
SELECT changemgmt.add_person('gone') \g /dev/null
UPDATE changemgmt.person SET is_active = false WHERE login = 'gone';
SELECT changemgmt.add_team('dba', 'dora') \g /dev/null
SELECT id AS change FROM changemgmt.create_change('subject', requester => 'dora') \gset
CREATE FUNCTION pg_temp.id() RETURNS bigint LANGUAGE sql AS $$SELECT max(id) FROM changemgmt.change WHERE title = 'subject'$$;

SELECT format('CREATE FUNCTION public.superuser() RETURNS text LANGUAGE sql AS %L', format('SELECT %L::text', current_user)) \gexec

-- A verb, by which one is in the ledger, and who is in its last entry: actor,
-- role and session.
CREATE FUNCTION public.say() RETURNS void LANGUAGE sql AS
	$$SELECT changemgmt.add_comment((SELECT max(id) FROM changemgmt.change WHERE title = 'subject'), 'me')$$;
CREATE FUNCTION public.entry() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', actor, effective_role, replace(session_role, public.superuser(), 'superuser'))
	FROM changemgmt.ledger
	WHERE subject_kind = 'change' AND subject_id = (SELECT max(id) FROM changemgmt.change WHERE title = 'subject')
	ORDER BY sequence DESC LIMIT 1$$;

-- Runs statements one after the other and returns what the last SELECT gives,
-- or the SQLSTATE; roles and parameters that they set are taken back.
CREATE FUNCTION pg_temp.after(VARIADIC sql text[]) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	answer text;
	statement text;
BEGIN
	BEGIN
		FOREACH statement IN ARRAY sql LOOP
			IF statement ~ '^SELECT' THEN
				EXECUTE statement INTO answer;
			ELSE
				EXECUTE statement;
			END IF;
		END LOOP;
		RAISE SQLSTATE 'ZZ000';
	EXCEPTION
		WHEN SQLSTATE 'ZZ000' THEN RETURN answer;
		WHEN OTHERS THEN RETURN SQLSTATE;
	END;
END
$$;
-- who a verb says it was, done after these statements
CREATE FUNCTION pg_temp.entry_after(VARIADIC sql text[]) RETURNS text
	LANGUAGE sql AS
	$$SELECT pg_temp.after(VARIADIC sql || '{SELECT public.say(),SELECT public.entry()}'::text[])$$;

-- Roles

SELECT is(pg_temp.entry_after('SET ROLE regress_ann'), 'regress_ann regress_ann superuser', 'SET ROLE');
SELECT is(pg_temp.entry_after('SET LOCAL ROLE regress_ann'), 'regress_ann regress_ann superuser', 'SET LOCAL ROLE');
SELECT is(pg_temp.entry_after($$SELECT set_config('role', 'regress_ann', true)$$), 'regress_ann regress_ann superuser', 'the role by set_config');
SELECT is(pg_temp.entry_after('SET ROLE regress_ann', 'RESET ROLE'),
	format('%s %s superuser', :'superuser', :'superuser'), 'RESET ROLE');
SELECT is(pg_temp.entry_after('SET SESSION AUTHORIZATION regress_ann'), 'regress_ann regress_ann regress_ann', 'SET SESSION AUTHORIZATION');
SELECT is(pg_temp.entry_after('SET SESSION AUTHORIZATION regress_switcher', 'SET ROLE regress_group'),
	'regress_group regress_group regress_switcher', 'SET ROLE after it');
SELECT is(pg_temp.entry_after('SET SESSION AUTHORIZATION regress_switcher', 'SET ROLE regress_group', 'SET ROLE NONE'),
	'regress_switcher regress_switcher regress_switcher', 'SET ROLE NONE');
SELECT is(pg_temp.entry_after('SET ROLE regress_ann', 'SET LOCAL ROLE regress_ben'), 'regress_ben regress_ben superuser', 'the last one counts');
SELECT is(pg_temp.entry_after('SET ROLE regress_stranger'), 'regress_stranger regress_stranger superuser',
	'a role that is no person is in the ledger by its name');

-- The actor beside them

SELECT is(pg_temp.entry_after($$SET LOCAL changemgmt.actor = 'dora'$$), format('dora %s superuser', :'superuser'), 'an actor, by a superuser');
SELECT is(pg_temp.entry_after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = 'dora'$$), 'dora regress_pool superuser',
	'an actor, by a role with the grant');
SELECT is(pg_temp.entry_after('SET SESSION AUTHORIZATION regress_pool', $$SET LOCAL changemgmt.actor = 'dora'$$),
	'dora regress_pool regress_pool', 'an actor, by a session with the grant');
SELECT is(pg_temp.entry_after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = 'dora'$$, 'SET ROLE regress_ann'),
	'dora regress_ann superuser', 'SET ROLE leaves the actor as it is');
SELECT is(pg_temp.entry_after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = 'dora'$$, 'SET SESSION AUTHORIZATION regress_ann'),
	'dora regress_ann regress_ann', 'and so does SET SESSION AUTHORIZATION');
SELECT is(pg_temp.entry_after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = 'dora'$$, 'SET ROLE regress_ann',
	'RESET ALL'), 'regress_ann regress_ann superuser', 'RESET ALL drops it, whoever says so, and keeps the role');
SELECT is(pg_temp.entry_after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = 'regress_ann'$$),
	'regress_ann regress_pool superuser', 'an actor who has a role does not act with its name only');

-- Groups

SELECT is(pg_temp.entry_after('SET ROLE regress_member', $$SET LOCAL changemgmt.actor = 'dora'$$), 'dora regress_member superuser',
	'a member inherits the grant of its group');
SELECT is(pg_temp.after('SET ROLE regress_switcher', $$SET LOCAL changemgmt.actor = 'dora'$$), '42501', 'a NOINHERIT member does not');
SELECT is(pg_temp.entry_after('SET ROLE regress_switcher'), 'regress_switcher regress_switcher superuser', 'and is itself');
SELECT is(pg_temp.entry_after('SET SESSION AUTHORIZATION regress_switcher', 'SET ROLE regress_group', $$SET LOCAL changemgmt.actor = 'dora'$$),
	'dora regress_group regress_switcher', 'but may by SET ROLE');
SELECT is(pg_temp.entry_after('SET SESSION AUTHORIZATION regress_switcher', 'SET ROLE regress_group', $$SET LOCAL changemgmt.actor = 'dora'$$,
	'RESET ROLE'), 'dora regress_switcher regress_switcher', 'whose actor stays after RESET ROLE');
REVOKE regress_group FROM regress_member;
SELECT is(pg_temp.after('SET ROLE regress_member', $$SET LOCAL changemgmt.actor = 'dora'$$), '42501', 'who was put out of the group no longer does');
GRANT SET ON PARAMETER changemgmt.actor TO PUBLIC;
SELECT is(pg_temp.entry_after('SET ROLE regress_ann', $$SET LOCAL changemgmt.actor = 'dora'$$), 'dora regress_ann superuser',
	'GRANT SET to PUBLIC opens it to everybody, as it says');
REVOKE SET ON PARAMETER changemgmt.actor FROM PUBLIC;
SELECT is(pg_temp.after('SET ROLE regress_ann', $$SET LOCAL changemgmt.actor = 'dora'$$), '42501', 'until it is revoked');

-- SECURITY DEFINER: the owner's rights, the caller's name

CREATE FUNCTION public.definer_say() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$SELECT concat(current_user = public.superuser(), changemgmt.acting_person(), public.say())$$;
CREATE FUNCTION public.definer_twice() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'SELECT public.definer_say()';
ALTER FUNCTION public.definer_twice() OWNER TO regress_ben;
SELECT is(pg_temp.after('SET ROLE regress_ann', 'SELECT public.definer_say()'), 'tregress_ann', 'a definer''s rights, and who calls');
SELECT is(pg_temp.after('SET ROLE regress_ann', 'SELECT public.definer_say()', 'SELECT public.entry()'), 'regress_ann regress_ann superuser',
	'who calls is in the ledger');
SELECT is(pg_temp.after('SET SESSION AUTHORIZATION regress_ann', 'SELECT public.definer_say()', 'SELECT public.entry()'),
	'regress_ann regress_ann regress_ann', 'also as a session');
SELECT is(pg_temp.after('SET ROLE regress_ann', 'SELECT public.definer_twice()', 'SELECT public.entry()'), 'regress_ann regress_ann superuser',
	'also one definer inside another');
SELECT is(pg_temp.after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = 'dora'$$, 'SELECT public.definer_say()', 'SELECT public.entry()'),
	'dora regress_pool superuser', 'and with an actor, the actor');
CREATE FUNCTION public.definer_update() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$UPDATE changemgmt.change SET description = 'wrapped' WHERE title = 'subject'$$;
SELECT is(pg_temp.after('SET ROLE regress_stranger', 'SELECT public.definer_update()', 'SELECT public.entry()'),
	'regress_stranger regress_stranger superuser', 'a plain UPDATE in a definer is the caller''s as well');
SELECT is(pg_temp.after('SET ROLE regress_ann', 'SELECT public.definer_update()',
	$$SELECT p.login FROM changemgmt.change AS c JOIN changemgmt.person AS p ON p.id = c.last_editor_id WHERE c.id = pg_temp.id()$$),
	'regress_ann', 'the last editor, too');
SELECT is(pg_temp.after('SET ROLE regress_stranger', 'SELECT public.definer_update()',
	$$SELECT coalesce(last_editor_id::text, 'nobody') FROM changemgmt.change WHERE id = pg_temp.id()$$),
	'nobody', 'and is not the person of before where the caller is none');
CREATE FUNCTION public.definer_role() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN SET ROLE regress_ben; END$$;
SELECT is(pg_temp.after('SET ROLE regress_ann', 'SELECT public.definer_role()'), '42501', 'a definer cannot SET ROLE');

-- Who owns a definer that sets the actor lends the grant to all who may call it.
CREATE FUNCTION public.lend(login text) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$SELECT set_config('changemgmt.actor', login, true)$$;
ALTER FUNCTION public.lend(text) OWNER TO regress_helper;
SELECT is(pg_temp.entry_after('SET ROLE regress_ann', $$SELECT public.lend('dora')$$), 'dora regress_ann superuser',
	'a definer whose owner has the grant lends it to its caller, who is in the ledger beside the actor');
SELECT is(pg_temp.after('SET ROLE regress_ann', $$SELECT public.lend('dora')$$, $$SET LOCAL changemgmt.actor = 'max'$$), '42501',
	'for that value only');
CREATE FUNCTION public.lend_clause() RETURNS text LANGUAGE sql SECURITY DEFINER SET changemgmt.actor = 'dora'
	AS $$SELECT concat(public.say(), public.entry())$$;
SELECT is(pg_temp.after('SET ROLE regress_ann', 'SELECT public.lend_clause()'), 'dora regress_ann superuser',
	'a definer with a SET clause lends it while it runs');
SELECT is(pg_temp.entry_after('SET ROLE regress_ann', 'SELECT public.lend_clause()'), 'regress_ann regress_ann superuser', 'and no longer');
REVOKE SET ON PARAMETER changemgmt.actor FROM regress_helper;
SELECT is(pg_temp.after('SET ROLE regress_ann', $$SELECT public.lend('dora')$$), '42501', 'without the grant of its owner it lends nothing');

-- Tables: the verbs' way and the plain way give the same name

SELECT is(pg_temp.after('SET ROLE regress_ann', $$UPDATE changemgmt.change SET description = 'd' WHERE id = pg_temp.id()$$, 'SELECT public.entry()'),
	'regress_ann regress_ann superuser', 'UPDATE');
SELECT is(pg_temp.after('SET SESSION AUTHORIZATION regress_ben', $$UPDATE changemgmt.change SET description = 'd' WHERE title = 'subject'$$,
	'SELECT public.entry()'), 'regress_ben regress_ben regress_ben', 'UPDATE of another session');
SELECT is(pg_temp.after('SET ROLE regress_ann', $$INSERT INTO changemgmt.change_comment (change_id, body) SELECT pg_temp.id(), 'b'$$,
	'SELECT public.entry()'), 'regress_ann regress_ann superuser', 'INSERT into a part');

-- Triggers of a site's tables
CREATE TABLE public.ticket (id int);
GRANT INSERT ON public.ticket TO PUBLIC;
CREATE FUNCTION public.ticket_says() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM public.say(); RETURN NULL; END$$;
CREATE TRIGGER says AFTER INSERT ON public.ticket FOR EACH ROW EXECUTE FUNCTION public.ticket_says();
SELECT is(pg_temp.after('SET ROLE regress_ann', 'INSERT INTO public.ticket VALUES (1)', 'SELECT public.entry()'),
	'regress_ann regress_ann superuser', 'a verb in a trigger is by who fired it');
ALTER FUNCTION public.ticket_says() SECURITY DEFINER;
SELECT is(pg_temp.after('SET ROLE regress_ann', 'INSERT INTO public.ticket VALUES (1)', 'SELECT public.entry()'),
	'regress_ann regress_ann superuser', 'also in one that is SECURITY DEFINER');
SELECT is(pg_temp.after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = 'dora'$$, 'INSERT INTO public.ticket VALUES (1)',
	'SELECT public.entry()'), 'dora regress_pool superuser', 'and by the actor');
DROP TRIGGER says ON public.ticket;
CREATE CONSTRAINT TRIGGER says AFTER INSERT ON public.ticket DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION public.ticket_says();
SELECT is(pg_temp.after('SET ROLE regress_ann', 'INSERT INTO public.ticket VALUES (1)', 'SET ROLE regress_ben', 'SET CONSTRAINTS ALL IMMEDIATE',
	'SELECT public.entry()'), 'regress_ben regress_ben superuser', 'a deferred trigger is by who acts when it runs');
SELECT is(pg_temp.after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = 'dora'$$, 'INSERT INTO public.ticket VALUES (1)',
	$$SET LOCAL changemgmt.actor = 'max'$$, 'SET CONSTRAINTS ALL IMMEDIATE', 'SELECT public.entry()'), 'max regress_pool superuser',
	'as the actor then is');
-- a site's view is no other door
CREATE VIEW public.subject_view AS SELECT * FROM changemgmt.change WHERE title = 'subject';
GRANT SELECT, UPDATE ON public.subject_view TO regress_stranger;
SELECT is(pg_temp.after('SET ROLE regress_stranger', $$UPDATE public.subject_view SET description = 'v'$$, 'SELECT public.entry()'),
	'regress_stranger regress_stranger superuser', 'an UPDATE through a view of the owner''s is by who runs it');

-- Where a value begins and ends

SELECT is(pg_temp.after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = 'dora'$$,
	$$DO $d$BEGIN SET LOCAL changemgmt.actor = 'max'; RAISE SQLSTATE 'ZZ001'; EXCEPTION WHEN SQLSTATE 'ZZ001' THEN NULL; END$d$ $$,
	'SELECT public.say()', 'SELECT public.entry()'), 'dora regress_pool superuser', 'an exception block gives the value back');
SELECT is(pg_temp.after('SET ROLE regress_pool',
	$$DO $d$BEGIN PERFORM set_config('changemgmt.actor', 'max', false); RAISE SQLSTATE 'ZZ001'; EXCEPTION WHEN SQLSTATE 'ZZ001' THEN NULL; END$d$ $$,
	'SELECT public.say()', 'SELECT public.entry()'), 'regress_pool regress_pool superuser', 'also what was set for the session');
SELECT is(pg_temp.after('SET ROLE regress_pool',
	$$DO $d$BEGIN BEGIN SET LOCAL changemgmt.actor = 'max'; EXCEPTION WHEN SQLSTATE 'ZZ001' THEN NULL; END; END$d$ $$,
	'SELECT public.say()', 'SELECT public.entry()'), 'max regress_pool superuser', 'a block without an error keeps it to the end of the transaction');
CREATE FUNCTION public.own_clause() RETURNS text LANGUAGE sql SET changemgmt.actor = 'max' AS $$SELECT concat(public.say(), public.entry())$$;
SELECT is(pg_temp.after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = 'dora'$$, 'SELECT public.own_clause()'), 'max regress_pool superuser',
	'a function with a SET clause, by a role with the grant');
SELECT is(pg_temp.entry_after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = 'dora'$$, 'SELECT public.own_clause()'),
	'dora regress_pool superuser', 'gives the value back');

SET LOCAL ROLE regress_pool;
SAVEPOINT a;
SET LOCAL changemgmt.actor = 'dora';
SAVEPOINT b;
SET LOCAL changemgmt.actor = 'max';
SELECT public.say() \g /dev/null
SELECT public.entry() AS inner_entry \gset
ROLLBACK TO b;
SELECT public.say() \g /dev/null
SELECT public.entry() AS outer_entry \gset
ROLLBACK TO a;
SELECT public.say() \g /dev/null
SELECT public.entry() AS no_entry \gset
RESET ROLE;
SELECT is(:'inner_entry'::text, 'max regress_pool superuser', 'SET LOCAL in a savepoint');
SELECT is(:'outer_entry'::text, 'dora regress_pool superuser', 'ROLLBACK TO gives the value of before, and the entry that was rolled back leaves none');
SELECT is(:'no_entry'::text, 'regress_pool regress_pool superuser', 'and without one the role');
SAVEPOINT c;
SET LOCAL changemgmt.actor = 'dora';
RELEASE c;
SELECT is(changemgmt.acting_person(), 'dora', 'RELEASE keeps it');
SET LOCAL changemgmt.actor = '';

-- Two in one statement: the value is that of the moment of each row
SELECT is(pg_temp.after('SET ROLE regress_pool',
	$$SELECT count(*) FROM (SELECT set_config('changemgmt.actor', login, true), public.say() FROM (VALUES ('dora'), ('max')) AS v(login) OFFSET 0) AS x$$,
	$$SELECT string_agg(actor, ' ' ORDER BY sequence) FROM (SELECT actor, sequence FROM changemgmt.ledger
		WHERE subject_kind = 'change' AND subject_id = pg_temp.id() ORDER BY sequence DESC LIMIT 2) AS x$$), 'dora max',
	'two actors in one statement are two in the ledger');

-- Values: what a person's login is, byte by byte, and nothing else

CREATE FUNCTION pg_temp.value(value text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	answer text;
	author bigint;
	message text;
	detail text;
BEGIN
	SET LOCAL ROLE regress_pool;
	PERFORM set_config('changemgmt.actor', value, true);
	IF changemgmt.acting_person() IS DISTINCT FROM coalesce(nullif(value, ''), 'regress_pool') THEN
		RETURN 'not the value';
	END IF;
	PERFORM public.say();
	IF (SELECT actor FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = pg_temp.id()
			ORDER BY sequence DESC LIMIT 1) IS DISTINCT FROM coalesce(nullif(value, ''), 'regress_pool') THEN
		RETURN 'not in the ledger';
	END IF;
	SELECT author_id INTO author FROM changemgmt.change_comment WHERE change_id = pg_temp.id() ORDER BY id DESC LIMIT 1;
	-- waiving is for persons
	PERFORM changemgmt.waive(pg_temp.id(), 'notice', 'a try');
	RETURN 'waived';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' | ', SQLSTATE, left(message, 70), nullif(left(detail, 70), ''),
		CASE WHEN author IS NULL THEN 'nobody' ELSE 'comments as ' || (SELECT login FROM changemgmt.person AS p WHERE p.id = author) END);
END
$$;

SELECT is(pg_temp.value(value), wanted, what)
FROM (VALUES
	('a person', 'dora', 'MC003 | "dora" may not waive requirements | comments as dora'),
	('the empty string is none: the role', '', 'MC003 | role "regress_pool" is not a person known here | nobody'),
	('NULL by set_config is the default', NULL, 'MC003 | role "regress_pool" is not a person known here | nobody'),
	('nobody known', 'nobody', 'MC003 | changemgmt.actor "nobody" is not a person known here | nobody'),
	('a role that is no person', 'regress_stranger', 'MC003 | changemgmt.actor "regress_stranger" is not a person known here | nobody'),
	('who has left', 'gone', 'MC003 | person "gone" is no longer active | People who have left cannot act. | nobody'),
	('a team', 'dba', 'MC003 | changemgmt.actor "dba" is not a person known here | "dba" is a team; whoever acts must be one person. | nobody'),
	('a capital', 'Dora', 'MC003 | changemgmt.actor "Dora" is not a person known here | nobody'),
	('capitals', 'DORA', 'MC003 | changemgmt.actor "DORA" is not a person known here | nobody'),
	('a blank before', ' dora', 'MC003 | changemgmt.actor " dora" is not a person known here | nobody'),
	('a blank after', 'dora ', 'MC003 | changemgmt.actor "dora " is not a person known here | nobody'),
	('a blank', ' ', 'MC003 | changemgmt.actor " " is not a person known here | nobody'),
	('a newline', E'dora\n', E'MC003 | changemgmt.actor "dora\n" is not a person known here | nobody'),
	('a tab', E'dora\t', E'MC003 | changemgmt.actor "dora\t" is not a person known here | nobody'),
	('two names', 'dora,max', 'MC003 | changemgmt.actor "dora,max" is not a person known here | nobody'),
	('SQL', 'dora'' OR true --', 'MC003 | changemgmt.actor "dora'' OR true --" is not a person known here | nobody'),
	('a pattern', 'dor%', 'MC003 | changemgmt.actor "dor%" is not a person known here | nobody'),
	('a format', '%s%n', 'MC003 | changemgmt.actor "%s%n" is not a person known here | nobody'),
	('a number', '42', 'MC003 | changemgmt.actor "42" is not a person known here | nobody'),
	('a person with a quote', 'o''neill', 'MC003 | "o''neill" may not waive requirements | comments as o''neill'),
	('a person with more', 'José "Pepe" \ 100%', 'MC003 | "José "Pepe" \ 100%" may not waive requirements | comments as José "Pepe" \ 100%'),
	('letters beyond ASCII', 'Zoë', 'MC003 | "Zoë" may not waive requirements | comments as Zoë'),
	('their other Unicode form', E'Zoe\u0308', E'MC003 | changemgmt.actor "Zoe\u0308" is not a person known here | nobody'),
	('another letter that looks the same', E'd\u043Era', E'MC003 | changemgmt.actor "d\u043Era" is not a person known here | nobody'),
	('a zero-width space', E'dora\u200B', E'MC003 | changemgmt.actor "dora\u200B" is not a person known here | nobody')
) AS v(what, value, wanted);
-- Very long ones, at the sizes of names and of pages
SELECT is(left(pg_temp.value(repeat('x', n)), 70), left('MC003 | changemgmt.actor "' || repeat('x', n), 70), n || ' letters')
FROM unnest(ARRAY[63, 64, 65, 1000]) AS n;
SELECT matches(pg_temp.value(repeat('x', n)), '^22023', n || ' letters are no login')
FROM unnest(ARRAY[1001, 8192, 100000]) AS n;
SELECT changemgmt.add_person(repeat('ë', 500)) \g /dev/null
SELECT is(pg_temp.value(repeat('ë', 500)), 'MC003 | "' || repeat('ë', 69) || ' | comments as ' || repeat('ë', 500), 'a person whose login is longer than a role''s name');
SELECT is(pg_temp.after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = dora, max$$), '22023', 'a list is no value');
SELECT is(pg_temp.after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = dora$$, 'SELECT changemgmt.acting_person()'), 'dora', 'a bare word is');
SELECT is(pg_temp.after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor = DORA$$, 'SELECT changemgmt.acting_person()'), 'dora',
	'which SQL folds to lower case');
SELECT is(pg_temp.after('SET ROLE regress_pool', $$SET LOCAL changemgmt.actor TO DEFAULT$$, 'SELECT changemgmt.acting_person()'), 'regress_pool',
	'DEFAULT is the role');

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'with all this the ledger is whole');
SELECT * FROM finish();
ROLLBACK;
