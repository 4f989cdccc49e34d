--
-- person: who is acting, over connections of ordinary roles
--
SELECT current_user AS superuser \gset
\set back 'user=' :superuser ' options=\'\''
CREATE ROLE regress_person_app LOGIN;
CREATE ROLE regress_person_pool LOGIN;
GRANT USAGE ON SCHEMA changemgmt TO regress_person_app, regress_person_pool;
GRANT EXECUTE ON FUNCTION changemgmt.acting_person(), changemgmt.person_id(text)
	TO regress_person_app, regress_person_pool;
GRANT SET ON PARAMETER changemgmt.actor TO regress_person_pool;

-- what one sees who names somebody unknown
SELECT changemgmt.person_id('regress_person_dab');
SELECT changemgmt.team_id('night shift');
SELECT changemgmt.board_id('cabs');

-- An ordinary role that sets the parameter before the library is loaded (it
-- is, by the first function that is called) has set nothing.
\c - regress_person_app
SET changemgmt.actor = 'regress_person_dba';
SELECT changemgmt.acting_person();
SET changemgmt.actor = 'regress_person_dba';
SELECT changemgmt.acting_person();

-- The library may be loaded first where a superuser's rights are in force.
\c - :superuser
CREATE FUNCTION regress_loads_library() RETURNS text
	LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'SELECT changemgmt.acting_person()';
\c - regress_person_app
SET changemgmt.actor = 'regress_person_dba';
SELECT regress_loads_library();

-- Nor does the connection string help.
\c -reuse-previous=on "options='-c changemgmt.actor=regress_person_dba'"
SELECT changemgmt.acting_person();

-- A pooled application's role may say who is acting, by each of these ways.
\c -reuse-previous=on "user=regress_person_pool options=''"
SET changemgmt.actor = 'regress_person_dba';
SELECT changemgmt.acting_person();
RESET changemgmt.actor;
SELECT changemgmt.acting_person();
BEGIN;
SET LOCAL changemgmt.actor = 'regress_person_dba';
SELECT changemgmt.acting_person();
COMMIT;
SELECT changemgmt.acting_person();
\c -reuse-previous=on "options='-c changemgmt.actor=regress_person_dba'"
SELECT changemgmt.acting_person();


\c -reuse-previous=on :back
SELECT changemgmt.acting_person() = current_user AS is_superuser;
DROP FUNCTION regress_loads_library();
REVOKE SET ON PARAMETER changemgmt.actor FROM regress_person_pool;
DROP OWNED BY regress_person_app, regress_person_pool;
DROP ROLE regress_person_app, regress_person_pool;
