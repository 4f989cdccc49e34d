-- The install script of version 1.0, as it was released: what test/t/080_upgrade.pl upgrades from. It never changes.
\echo Use "CREATE EXTENSION changemgmt" to load this file. \quit
-- ---------------------------------------------------------------------------
-- types: the rate, how many of how many, written 4/23
--
-- The counts are kept, not their quotient: a rate is exact, shows its sample
-- size and adds up.  What it does is in src/types_rate.c.
-- ---------------------------------------------------------------------------

CREATE TYPE changemgmt.rate;

CREATE FUNCTION changemgmt.rate_in(cstring) RETURNS changemgmt.rate
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_in';
COMMENT ON FUNCTION changemgmt.rate_in(cstring) IS
    'Text input of rate.';

CREATE FUNCTION changemgmt.rate_out(changemgmt.rate) RETURNS cstring
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_out';
COMMENT ON FUNCTION changemgmt.rate_out(changemgmt.rate) IS
    'Text output of rate.';

CREATE FUNCTION changemgmt.rate_recv(internal) RETURNS changemgmt.rate
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_recv';
COMMENT ON FUNCTION changemgmt.rate_recv(internal) IS
    'Binary input of rate: failures and total, 8 bytes each.';

CREATE FUNCTION changemgmt.rate_send(changemgmt.rate) RETURNS bytea
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_send';
COMMENT ON FUNCTION changemgmt.rate_send(changemgmt.rate) IS
    'Binary output of rate: failures and total, 8 bytes each.';

CREATE TYPE changemgmt.rate (
    INPUT = changemgmt.rate_in,
    OUTPUT = changemgmt.rate_out,
    RECEIVE = changemgmt.rate_recv,
    SEND = changemgmt.rate_send,
    INTERNALLENGTH = 16,
    ALIGNMENT = double,
    STORAGE = plain
);
COMMENT ON TYPE changemgmt.rate IS
    'How many of how many: failures and total, written 4/23; exact, and adds up.';

CREATE FUNCTION changemgmt.rate(failures bigint, total bigint)
    RETURNS changemgmt.rate
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_construct';
COMMENT ON FUNCTION changemgmt.rate(bigint, bigint) IS
    'The rate of so many failures in so many altogether.';

CREATE FUNCTION changemgmt.numerator(value changemgmt.rate) RETURNS bigint
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_numerator';
COMMENT ON FUNCTION changemgmt.numerator(changemgmt.rate) IS
    'The failures of a rate: 4 of 4/23.';

CREATE FUNCTION changemgmt.denominator(value changemgmt.rate) RETURNS bigint
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_denominator';
COMMENT ON FUNCTION changemgmt.denominator(changemgmt.rate) IS
    'The total of a rate: 23 of 4/23.';

-- Casts.  They lose the sample size, hence never implicit; in an assignment
-- the column that is assigned to says what is wanted.

CREATE FUNCTION changemgmt.rate_to_double(value changemgmt.rate)
    RETURNS double precision
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_to_double';
COMMENT ON FUNCTION changemgmt.rate_to_double(changemgmt.rate) IS
    'Failures divided by total; null when the total is 0.';

CREATE FUNCTION changemgmt.rate_to_numeric(value changemgmt.rate) RETURNS numeric
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_to_numeric';
COMMENT ON FUNCTION changemgmt.rate_to_numeric(changemgmt.rate) IS
    'Failures divided by total; null when the total is 0.';

CREATE CAST (changemgmt.rate AS double precision)
    WITH FUNCTION changemgmt.rate_to_double(changemgmt.rate) AS ASSIGNMENT;
COMMENT ON CAST (changemgmt.rate AS double precision) IS
    'Failures divided by total; null when the total is 0.';

CREATE CAST (changemgmt.rate AS numeric)
    WITH FUNCTION changemgmt.rate_to_numeric(changemgmt.rate) AS ASSIGNMENT;
COMMENT ON CAST (changemgmt.rate AS numeric) IS
    'Failures divided by total; null when the total is 0.';

-- Wilson score interval

CREATE FUNCTION changemgmt.wilson_low(
    value changemgmt.rate,
    confidence double precision DEFAULT 0.95)
    RETURNS double precision
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_wilson_low';
COMMENT ON FUNCTION changemgmt.wilson_low(changemgmt.rate, double precision) IS
    'Lower bound of the Wilson score interval, without continuity correction; null when the total is 0.';

CREATE FUNCTION changemgmt.wilson_high(
    value changemgmt.rate,
    confidence double precision DEFAULT 0.95)
    RETURNS double precision
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_wilson_high';
COMMENT ON FUNCTION changemgmt.wilson_high(changemgmt.rate, double precision) IS
    'Upper bound of the Wilson score interval, without continuity correction; null when the total is 0.';

-- Comparisons: equal are equal counts; the order is that of the quotients,
-- then of the totals, and 0/0 comes last.

CREATE FUNCTION changemgmt.rate_eq(changemgmt.rate, changemgmt.rate)
    RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
    AS 'MODULE_PATHNAME', 'rate_eq';
COMMENT ON FUNCTION changemgmt.rate_eq(changemgmt.rate, changemgmt.rate) IS
    'Implementation of the operator = of rate.';

CREATE FUNCTION changemgmt.rate_ne(changemgmt.rate, changemgmt.rate)
    RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
    AS 'MODULE_PATHNAME', 'rate_ne';
COMMENT ON FUNCTION changemgmt.rate_ne(changemgmt.rate, changemgmt.rate) IS
    'Implementation of the operator <> of rate.';

CREATE FUNCTION changemgmt.rate_lt(changemgmt.rate, changemgmt.rate)
    RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
    AS 'MODULE_PATHNAME', 'rate_lt';
COMMENT ON FUNCTION changemgmt.rate_lt(changemgmt.rate, changemgmt.rate) IS
    'Implementation of the operator < of rate.';

CREATE FUNCTION changemgmt.rate_le(changemgmt.rate, changemgmt.rate)
    RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
    AS 'MODULE_PATHNAME', 'rate_le';
COMMENT ON FUNCTION changemgmt.rate_le(changemgmt.rate, changemgmt.rate) IS
    'Implementation of the operator <= of rate.';

CREATE FUNCTION changemgmt.rate_gt(changemgmt.rate, changemgmt.rate)
    RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
    AS 'MODULE_PATHNAME', 'rate_gt';
COMMENT ON FUNCTION changemgmt.rate_gt(changemgmt.rate, changemgmt.rate) IS
    'Implementation of the operator > of rate.';

CREATE FUNCTION changemgmt.rate_ge(changemgmt.rate, changemgmt.rate)
    RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
    AS 'MODULE_PATHNAME', 'rate_ge';
COMMENT ON FUNCTION changemgmt.rate_ge(changemgmt.rate, changemgmt.rate) IS
    'Implementation of the operator >= of rate.';

CREATE OPERATOR changemgmt.= (
    LEFTARG = changemgmt.rate,
    RIGHTARG = changemgmt.rate,
    FUNCTION = changemgmt.rate_eq,
    COMMUTATOR = OPERATOR(changemgmt.=),
    NEGATOR = OPERATOR(changemgmt.<>),
    RESTRICT = pg_catalog.eqsel,
    JOIN = pg_catalog.eqjoinsel,
    HASHES,
    MERGES
);
COMMENT ON OPERATOR changemgmt.= (changemgmt.rate, changemgmt.rate) IS
    'Are both counts the same?';

CREATE OPERATOR changemgmt.<> (
    LEFTARG = changemgmt.rate,
    RIGHTARG = changemgmt.rate,
    FUNCTION = changemgmt.rate_ne,
    COMMUTATOR = OPERATOR(changemgmt.<>),
    NEGATOR = OPERATOR(changemgmt.=),
    RESTRICT = pg_catalog.neqsel,
    JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR changemgmt.<> (changemgmt.rate, changemgmt.rate) IS
    'Does a count differ?';

CREATE OPERATOR changemgmt.< (
    LEFTARG = changemgmt.rate,
    RIGHTARG = changemgmt.rate,
    FUNCTION = changemgmt.rate_lt,
    COMMUTATOR = OPERATOR(changemgmt.>),
    NEGATOR = OPERATOR(changemgmt.>=),
    RESTRICT = pg_catalog.scalarltsel,
    JOIN = pg_catalog.scalarltjoinsel
);
COMMENT ON OPERATOR changemgmt.< (changemgmt.rate, changemgmt.rate) IS
    'Is it lower (then of a smaller total)?';

CREATE OPERATOR changemgmt.<= (
    LEFTARG = changemgmt.rate,
    RIGHTARG = changemgmt.rate,
    FUNCTION = changemgmt.rate_le,
    COMMUTATOR = OPERATOR(changemgmt.>=),
    NEGATOR = OPERATOR(changemgmt.>),
    RESTRICT = pg_catalog.scalarlesel,
    JOIN = pg_catalog.scalarlejoinsel
);
COMMENT ON OPERATOR changemgmt.<= (changemgmt.rate, changemgmt.rate) IS
    'Is it lower (then of a smaller total), or the same?';

CREATE OPERATOR changemgmt.> (
    LEFTARG = changemgmt.rate,
    RIGHTARG = changemgmt.rate,
    FUNCTION = changemgmt.rate_gt,
    COMMUTATOR = OPERATOR(changemgmt.<),
    NEGATOR = OPERATOR(changemgmt.<=),
    RESTRICT = pg_catalog.scalargtsel,
    JOIN = pg_catalog.scalargtjoinsel
);
COMMENT ON OPERATOR changemgmt.> (changemgmt.rate, changemgmt.rate) IS
    'Is it higher (then of a greater total)?';

CREATE OPERATOR changemgmt.>= (
    LEFTARG = changemgmt.rate,
    RIGHTARG = changemgmt.rate,
    FUNCTION = changemgmt.rate_ge,
    COMMUTATOR = OPERATOR(changemgmt.<=),
    NEGATOR = OPERATOR(changemgmt.<),
    RESTRICT = pg_catalog.scalargesel,
    JOIN = pg_catalog.scalargejoinsel
);
COMMENT ON OPERATOR changemgmt.>= (changemgmt.rate, changemgmt.rate) IS
    'Is it higher (then of a greater total), or the same?';

CREATE FUNCTION changemgmt.rate_cmp(changemgmt.rate, changemgmt.rate)
    RETURNS integer
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
    AS 'MODULE_PATHNAME', 'rate_cmp';
COMMENT ON FUNCTION changemgmt.rate_cmp(changemgmt.rate, changemgmt.rate) IS
    'The order of two rates: -1, 0 or 1.';

CREATE FUNCTION changemgmt.rate_sortsupport(internal) RETURNS void
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_sortsupport';
COMMENT ON FUNCTION changemgmt.rate_sortsupport(internal) IS
    'The order of rates, for sorts.';

CREATE FUNCTION changemgmt.rate_hash(changemgmt.rate) RETURNS integer
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_hash';
COMMENT ON FUNCTION changemgmt.rate_hash(changemgmt.rate) IS
    'Hash value of a rate.';

CREATE FUNCTION changemgmt.rate_hash_extended(changemgmt.rate, seed bigint)
    RETURNS bigint
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_hash_extended';
COMMENT ON FUNCTION changemgmt.rate_hash_extended(changemgmt.rate, bigint) IS
    'Hash value of a rate, with a seed.';

CREATE OPERATOR FAMILY changemgmt.rate_ops USING btree;
COMMENT ON OPERATOR FAMILY changemgmt.rate_ops USING btree IS
    'Order of rates: by quotient, then by total; 0/0 last.';

-- Equal rates are equal bytes, so an index may store them once.
CREATE OPERATOR CLASS changemgmt.rate_ops
    DEFAULT FOR TYPE changemgmt.rate
    USING btree FAMILY changemgmt.rate_ops AS
    OPERATOR 1 changemgmt.<,
    OPERATOR 2 changemgmt.<=,
    OPERATOR 3 changemgmt.=,
    OPERATOR 4 changemgmt.>=,
    OPERATOR 5 changemgmt.>,
    FUNCTION 1 changemgmt.rate_cmp(changemgmt.rate, changemgmt.rate),
    FUNCTION 2 changemgmt.rate_sortsupport(internal),
    FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS changemgmt.rate_ops USING btree IS
    'Order of rates: by quotient, then by total; 0/0 last.';

CREATE OPERATOR FAMILY changemgmt.rate_ops USING hash;
COMMENT ON OPERATOR FAMILY changemgmt.rate_ops USING hash IS
    'Equality of rates: both counts are the same.';

CREATE OPERATOR CLASS changemgmt.rate_ops
    DEFAULT FOR TYPE changemgmt.rate
    USING hash FAMILY changemgmt.rate_ops AS
    OPERATOR 1 changemgmt.=,
    FUNCTION 1 changemgmt.rate_hash(changemgmt.rate),
    FUNCTION 2 changemgmt.rate_hash_extended(changemgmt.rate, bigint);
COMMENT ON OPERATOR CLASS changemgmt.rate_ops USING hash IS
    'Equality of rates: both counts are the same.';

-- Sum and difference

CREATE FUNCTION changemgmt.rate_add(
    a changemgmt.rate,
    b changemgmt.rate)
    RETURNS changemgmt.rate
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_add';
COMMENT ON FUNCTION changemgmt.rate_add(changemgmt.rate, changemgmt.rate) IS
    'Both taken together: failures and totals added, as the operator + does.';

CREATE FUNCTION changemgmt.rate_subtract(
    a changemgmt.rate,
    b changemgmt.rate)
    RETURNS changemgmt.rate
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_subtract';
COMMENT ON FUNCTION changemgmt.rate_subtract(changemgmt.rate, changemgmt.rate) IS
    'The first without the second, which must be part of it, as the operator - does.';

CREATE OPERATOR changemgmt.+ (
    LEFTARG = changemgmt.rate,
    RIGHTARG = changemgmt.rate,
    FUNCTION = changemgmt.rate_add,
    COMMUTATOR = OPERATOR(changemgmt.+)
);
COMMENT ON OPERATOR changemgmt.+ (changemgmt.rate, changemgmt.rate) IS
    'Both taken together: failures and totals added.';

CREATE OPERATOR changemgmt.- (
    LEFTARG = changemgmt.rate,
    RIGHTARG = changemgmt.rate,
    FUNCTION = changemgmt.rate_subtract
);
COMMENT ON OPERATOR changemgmt.- (changemgmt.rate, changemgmt.rate) IS
    'The first without the second, which must be part of it.';

-- Aggregates.  The transition type is the result type: no final function, and
-- partial results travel between processes and servers as they are.

CREATE FUNCTION changemgmt.rate_accum(changemgmt.rate, failed boolean)
    RETURNS changemgmt.rate
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_accum';
COMMENT ON FUNCTION changemgmt.rate_accum(changemgmt.rate, boolean) IS
    'Counts one more; transition of change_failure_rate.';

CREATE FUNCTION changemgmt.rate_accum_inv(changemgmt.rate, failed boolean)
    RETURNS changemgmt.rate
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_accum_inv';
COMMENT ON FUNCTION changemgmt.rate_accum_inv(changemgmt.rate, boolean) IS
    'Counts one less; inverse transition of change_failure_rate.';

CREATE FUNCTION changemgmt.rate_combine(changemgmt.rate, changemgmt.rate)
    RETURNS changemgmt.rate
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_combine';
COMMENT ON FUNCTION changemgmt.rate_combine(changemgmt.rate, changemgmt.rate) IS
    'Adds a rate; transition of rate_sum, and joins partial results.';

CREATE FUNCTION changemgmt.rate_combine_inv(changemgmt.rate, changemgmt.rate)
    RETURNS changemgmt.rate
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'rate_combine_inv';
COMMENT ON FUNCTION changemgmt.rate_combine_inv(changemgmt.rate, changemgmt.rate) IS
    'Takes a rate out again; inverse transition of rate_sum.';

CREATE AGGREGATE changemgmt.change_failure_rate(failed boolean) (
    SFUNC = changemgmt.rate_accum,
    STYPE = changemgmt.rate,
    INITCOND = '0/0',
    COMBINEFUNC = changemgmt.rate_combine,
    MSFUNC = changemgmt.rate_accum,
    MINVFUNC = changemgmt.rate_accum_inv,
    MSTYPE = changemgmt.rate,
    MINITCOND = '0/0',
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE changemgmt.change_failure_rate(boolean) IS
    'How many of the rows are true; nulls are not counted; 0/0 over no rows.';

CREATE AGGREGATE changemgmt.rate_sum(value changemgmt.rate) (
    SFUNC = changemgmt.rate_combine,
    STYPE = changemgmt.rate,
    INITCOND = '0/0',
    COMBINEFUNC = changemgmt.rate_combine,
    MSFUNC = changemgmt.rate_combine,
    MINVFUNC = changemgmt.rate_combine_inv,
    MSTYPE = changemgmt.rate,
    MINITCOND = '0/0',
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE changemgmt.rate_sum(changemgmt.rate) IS
    'The rates taken together: failures and totals added; 0/0 over no rows.';

-- Code lists: what the columns that hold codes can take.

CREATE FUNCTION changemgmt.code_list(
	OUT list text, OUT code text, OUT label text, OUT sort_order integer,
	OUT description text)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	ROWS 100
	AS 'MODULE_PATHNAME', 'code_list';
COMMENT ON FUNCTION changemgmt.code_list() IS
	'The codes of each list (type, status, outcome, risk_level ...) with label, order and meaning.';

-- Settings: shipped defaults are constants, a site's values stand in a table.

CREATE TABLE changemgmt.site_setting (
	key text PRIMARY KEY,
	value text NOT NULL
);
COMMENT ON TABLE changemgmt.site_setting IS
	'A site''s values of settings; view setting shows them over the shipped defaults.';

CREATE FUNCTION changemgmt.cache_invalidate() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'cache_invalidate';
COMMENT ON FUNCTION changemgmt.cache_invalidate() IS
	'Trigger: makes every session read the rows of this table again.';
CREATE TRIGGER cache_invalidate
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON changemgmt.site_setting
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.cache_invalidate();

CREATE FUNCTION changemgmt.site_setting_check() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'site_setting_check';
COMMENT ON FUNCTION changemgmt.site_setting_check() IS
	'Trigger: refuses (MC008) unknown keys and values that the setting cannot take.';
CREATE TRIGGER site_setting_check
	BEFORE INSERT OR UPDATE ON changemgmt.site_setting
	FOR EACH ROW EXECUTE FUNCTION changemgmt.site_setting_check();

CREATE FUNCTION changemgmt.shipped_settings(
	OUT key text, OUT default_value text, OUT description text)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'shipped_settings';
COMMENT ON FUNCTION changemgmt.shipped_settings() IS
	'The settings there are, with their shipped defaults.';

CREATE VIEW changemgmt.setting WITH (security_invoker = true) AS
	SELECT s.key, coalesce(t.value, s.default_value) AS value,
		   s.default_value, s.description
	FROM changemgmt.shipped_settings() AS s
	LEFT JOIN changemgmt.site_setting AS t ON t.key OPERATOR(pg_catalog.=) s.key;
COMMENT ON VIEW changemgmt.setting IS 'Settings as they are in force.';
COMMENT ON COLUMN changemgmt.setting.key IS 'Name of the setting.';
COMMENT ON COLUMN changemgmt.setting.value IS 'The value in force.';
COMMENT ON COLUMN changemgmt.setting.default_value IS 'The value where the site sets none.';
COMMENT ON COLUMN changemgmt.setting.description IS 'What it does.';

CREATE FUNCTION changemgmt.setting_value(key text) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'setting_value';
COMMENT ON FUNCTION changemgmt.setting_value(text) IS
	'The value in force, from the session''s cache. Errors: MC008 for an unknown key.';

CREATE FUNCTION changemgmt.set_setting(key text, value text) RETURNS void
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.site_setting (key, value)
	VALUES (set_setting.key, set_setting.value)
	ON CONFLICT (key) DO UPDATE SET value = excluded.value;
END;
COMMENT ON FUNCTION changemgmt.set_setting(text, text) IS
	'Sets a setting for the whole database. Errors: MC008.';

SELECT pg_catalog.pg_extension_config_dump('changemgmt.site_setting', '');
-- person: people, teams, boards and their seats; who is acting.

CREATE TABLE changemgmt.person (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	login text NOT NULL UNIQUE CHECK (login <> ''),
	name text NOT NULL CHECK (name <> ''),
	kind text NOT NULL DEFAULT 'internal'
		CHECK (kind IN ('internal', 'contractor')),
	email text,
	phone text,
	chat text,
	is_executive boolean NOT NULL DEFAULT false,
	is_active boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE changemgmt.person IS
	'People who request, own, approve, implement and verify changes.';
COMMENT ON COLUMN changemgmt.person.login IS
	'What the person acts as: the name of a database role, or the value of changemgmt.actor.';
COMMENT ON COLUMN changemgmt.person.kind IS 'internal or contractor';
COMMENT ON COLUMN changemgmt.person.is_executive IS
	'Requests of executives come first in request_queue.';
COMMENT ON COLUMN changemgmt.person.is_active IS
	'People who have left stay on their records, but can no longer act or be assigned.';

CREATE TABLE changemgmt.team (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	name text NOT NULL UNIQUE CHECK (name <> ''),
	kind text NOT NULL DEFAULT 'internal'
		CHECK (kind IN ('internal', 'contractor')),
	lead_id bigint REFERENCES changemgmt.person,
	email text
);
COMMENT ON TABLE changemgmt.team IS
	'Teams that carry out changes; a team never owns a change, a person does.';
COMMENT ON COLUMN changemgmt.team.lead_id IS
	'The technical lead, who may approve changes of the team under a one-approver policy.';

CREATE TABLE changemgmt.team_member (
	team_id bigint NOT NULL REFERENCES changemgmt.team,
	person_id bigint NOT NULL REFERENCES changemgmt.person,
	PRIMARY KEY (team_id, person_id)
);
COMMENT ON TABLE changemgmt.team_member IS 'Who belongs to which team.';
CREATE INDEX team_member_person_id_idx ON changemgmt.team_member (person_id);

CREATE TABLE changemgmt.board (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	name text NOT NULL UNIQUE CHECK (name <> ''),
	description text
);
COMMENT ON TABLE changemgmt.board IS
	'Boards that decide on changes: cab, ecab, steering. A model names the board that approves.';

CREATE TABLE changemgmt.board_member (
	board_id bigint NOT NULL REFERENCES changemgmt.board,
	person_id bigint NOT NULL REFERENCES changemgmt.person,
	seat text NOT NULL DEFAULT 'member'
		CHECK (seat IN ('technical_lead', 'business_representative', 'security',
						'change_manager', 'member')),
	valid_from timestamptz NOT NULL DEFAULT now(),
	valid_until timestamptz NOT NULL DEFAULT 'infinity'
		CHECK (valid_until > valid_from),
	PRIMARY KEY (board_id, person_id)
);
COMMENT ON TABLE changemgmt.board_member IS
	'Who sits on a board, in which seat, and from when until when. One seat a person and board.';
COMMENT ON COLUMN changemgmt.board_member.seat IS
	'technical_lead, business_representative, security, change_manager or member; a change_manager of any board may waive requirements.';
CREATE INDEX board_member_person_id_idx ON changemgmt.board_member (person_id);

-- Sessions keep people in a cache; any change here makes them look again.
CREATE TRIGGER cache_invalidate
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON changemgmt.person
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.cache_invalidate();

CREATE FUNCTION changemgmt.acting_person() RETURNS text
	LANGUAGE C STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'acting_person';
COMMENT ON FUNCTION changemgmt.acting_person() IS
	'Who is acting: changemgmt.actor where it is set, else the role of the session outside of any SECURITY DEFINER function.';

CREATE FUNCTION changemgmt.add_person(
	login text, name text DEFAULT NULL, kind text DEFAULT 'internal',
	email text DEFAULT NULL, phone text DEFAULT NULL, chat text DEFAULT NULL,
	is_executive boolean DEFAULT false) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.person
		(login, name, kind, email, phone, chat, is_executive)
	VALUES (add_person.login, coalesce(add_person.name, add_person.login),
			add_person.kind, add_person.email, add_person.phone,
			add_person.chat, add_person.is_executive)
	RETURNING person.id;
END;
COMMENT ON FUNCTION changemgmt.add_person(text, text, text, text, text, text, boolean) IS
	'Registers a person and returns the id. The login is the role the person works as.';

CREATE FUNCTION changemgmt.person_id(login text) RETURNS bigint
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'person_id';
COMMENT ON FUNCTION changemgmt.person_id(text) IS
	'The id of the active person with this login. Errors: MC008 for nobody, somebody who has left, or a team.';

CREATE FUNCTION changemgmt.team_id(name text) RETURNS bigint
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'team_id';
COMMENT ON FUNCTION changemgmt.team_id(text) IS
	'The id of the team with this name. Errors: MC008 for an unknown name.';

CREATE FUNCTION changemgmt.board_id(name text) RETURNS bigint
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'board_id';
COMMENT ON FUNCTION changemgmt.board_id(text) IS
	'The id of the board with this name. Errors: MC008 for an unknown name.';

CREATE FUNCTION changemgmt.add_team(
	name text, lead text DEFAULT NULL, members text[] DEFAULT '{}',
	kind text DEFAULT 'internal') RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH created AS (
		INSERT INTO changemgmt.team (name, lead_id, kind)
		VALUES (add_team.name, changemgmt.person_id(add_team.lead), add_team.kind)
		RETURNING id
	), joined AS (
		INSERT INTO changemgmt.team_member (team_id, person_id)
		SELECT DISTINCT created.id, changemgmt.person_id(m.login)
		FROM created, unnest(add_team.members || add_team.lead) AS m(login)
		WHERE m.login IS NOT NULL
	)
	SELECT id FROM created;
END;
COMMENT ON FUNCTION changemgmt.add_team(text, text, text[], text) IS
	'Creates a team with its lead and members (logins) and returns the id.';

CREATE FUNCTION changemgmt.add_board(
	name text, description text DEFAULT NULL) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.board (name, description)
	VALUES (add_board.name, add_board.description)
	RETURNING board.id;
END;
COMMENT ON FUNCTION changemgmt.add_board(text, text) IS
	'Creates a board and returns the id.';

CREATE FUNCTION changemgmt.add_board_member(
	board text, person text, seat text DEFAULT 'member',
	valid_from timestamptz DEFAULT now(),
	valid_until timestamptz DEFAULT 'infinity') RETURNS void
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.board_member
		(board_id, person_id, seat, valid_from, valid_until)
	VALUES (changemgmt.board_id(add_board_member.board),
			changemgmt.person_id(add_board_member.person),
			add_board_member.seat, add_board_member.valid_from,
			add_board_member.valid_until)
	ON CONFLICT (board_id, person_id) DO UPDATE
		SET seat = excluded.seat, valid_from = excluded.valid_from,
			valid_until = excluded.valid_until;
END;
COMMENT ON FUNCTION changemgmt.add_board_member(text, text, text, timestamptz, timestamptz) IS
	'Seats a person on a board; calling it again changes seat and period.';

SELECT pg_catalog.pg_extension_config_dump('changemgmt.person', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.person_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.team', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.team_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.team_member', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.board', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.board_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.board_member', '');
-- ledger: the append-only trail and its hash chains. docs/ledger.md gives the
-- canonical encoding byte by byte.

CREATE TABLE changemgmt.ledger (
	subject_kind text COLLATE "C" NOT NULL,
	subject_id bigint NOT NULL,
	sequence bigint NOT NULL CHECK (sequence > 0),
	event text NOT NULL,
	from_status text,
	to_status text,
	changed jsonb NOT NULL,
	actor text NOT NULL,
	session_role text NOT NULL,
	effective_role text NOT NULL,
	client_address text,
	application text,
	recorded_at timestamptz NOT NULL,
	reason text,
	row_digest bytea NOT NULL CHECK (octet_length(row_digest) = 32),
	previous_hash bytea NOT NULL CHECK (octet_length(previous_hash) = 32),
	hash bytea NOT NULL CHECK (octet_length(hash) = 32),
	PRIMARY KEY (subject_kind, subject_id, sequence)
);
COMMENT ON TABLE changemgmt.ledger IS
	'Everything that happened to a subject, one chain a subject. Written by the triggers only; never changed.';
COMMENT ON COLUMN changemgmt.ledger.subject_kind IS 'The table of the subject: change.';
COMMENT ON COLUMN changemgmt.ledger.subject_id IS 'The id of the subject.';
COMMENT ON COLUMN changemgmt.ledger.sequence IS 'Place in the chain of the subject, from 1 without gaps.';
COMMENT ON COLUMN changemgmt.ledger.event IS
	'The verb of a transition, or create, edit, parts, delete.';
COMMENT ON COLUMN changemgmt.ledger.from_status IS 'Status before; null at creation.';
COMMENT ON COLUMN changemgmt.ledger.to_status IS 'Status after; null at deletion.';
COMMENT ON COLUMN changemgmt.ledger.changed IS
	'{column: [old, new]} for each column that changed; parts under their table''s name as [{op, old, new}].';
COMMENT ON COLUMN changemgmt.ledger.actor IS 'Who acted: changemgmt.actor, or effective_role.';
COMMENT ON COLUMN changemgmt.ledger.session_role IS 'The role that logged in.';
COMMENT ON COLUMN changemgmt.ledger.effective_role IS 'The role after SET ROLE, outside of SECURITY DEFINER.';
COMMENT ON COLUMN changemgmt.ledger.client_address IS 'Address of the client; null for a local socket.';
COMMENT ON COLUMN changemgmt.ledger.application IS 'application_name of the session; null where it has none.';
COMMENT ON COLUMN changemgmt.ledger.recorded_at IS 'Wall clock when the row was stamped, under its lock.';
COMMENT ON COLUMN changemgmt.ledger.reason IS 'status_reason or override_reason given with the step.';
COMMENT ON COLUMN changemgmt.ledger.row_digest IS 'SHA-256 of the subject''s row as it now is.';
COMMENT ON COLUMN changemgmt.ledger.previous_hash IS 'hash of the row before in the chain; 32 zero bytes in the first.';
COMMENT ON COLUMN changemgmt.ledger.hash IS 'SHA-256 over all of the above.';

CREATE TABLE changemgmt.load (
	id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
	relation text NOT NULL,
	row_count bigint NOT NULL,
	session_role text NOT NULL,
	effective_role text NOT NULL,
	client_address text,
	application text,
	loaded_at timestamptz NOT NULL
);
COMMENT ON TABLE changemgmt.load IS
	'History that came in by COPY: who brought how many rows into which table, when. Not dumped: a restore is a load of its own.';

COMMENT ON COLUMN changemgmt.load.id IS 'Key that no other database gives.';
COMMENT ON COLUMN changemgmt.load.relation IS 'The table that the rows went into.';
COMMENT ON COLUMN changemgmt.load.row_count IS 'How many rows the COPY brought.';
COMMENT ON COLUMN changemgmt.load.session_role IS 'The role that logged in.';
COMMENT ON COLUMN changemgmt.load.effective_role IS 'The role after SET ROLE.';
COMMENT ON COLUMN changemgmt.load.client_address IS 'Address of the client; null for a local socket.';
COMMENT ON COLUMN changemgmt.load.application IS 'application_name of the session; null where it has none.';
COMMENT ON COLUMN changemgmt.load.loaded_at IS 'Wall clock at the end of the COPY.';

CREATE FUNCTION changemgmt.ledger_guard() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ledger_guard';
COMMENT ON FUNCTION changemgmt.ledger_guard() IS
	'Trigger: refuses (MC006) every statement on ledger and load, whoever gives it, but COPY into ledger by the owner.';

CREATE FUNCTION changemgmt.load_record() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'load_record';
COMMENT ON FUNCTION changemgmt.load_record() IS
	'Trigger: counts the rows of a COPY and records it in load.';

CREATE TRIGGER ledger_guard
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.ledger
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_guard();
CREATE TRIGGER ledger_guard_truncate
	BEFORE TRUNCATE ON changemgmt.ledger
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.ledger_guard();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.ledger
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.ledger
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER ledger_guard
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.load
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_guard();
CREATE TRIGGER ledger_guard_truncate
	BEFORE TRUNCATE ON changemgmt.load
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.ledger_guard();

CREATE FUNCTION changemgmt.row_digest(row_value record) RETURNS bytea
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'row_digest';
COMMENT ON FUNCTION changemgmt.row_digest(record) IS
	'SHA-256 of a row in the ledger''s encoding: for the row of a subject what ledger.row_digest of its last entry must be.';

CREATE FUNCTION changemgmt.verify_ledger(
	kind text DEFAULT NULL, id bigint DEFAULT NULL,
	OUT subject_kind text, OUT subject_id bigint, OUT sequence bigint,
	OUT problem text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10
	AS 'MODULE_PATHNAME', 'verify_ledger';
COMMENT ON FUNCTION changemgmt.verify_ledger(text, bigint) IS
	'A row for each break in the chains and each row that is not what its chain recorded; none where all is well. Errors: MC008 for an unknown kind.';

SELECT pg_catalog.pg_extension_config_dump('changemgmt.ledger', '');
-- inventory: configuration items and what depends on what.

CREATE TABLE changemgmt.configuration_item (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	name text NOT NULL UNIQUE CHECK (name <> ''),
	kind text NOT NULL DEFAULT 'service'
		CHECK (kind IN ('service', 'application', 'database', 'host', 'network',
						'storage', 'client', 'other')),
	tier integer CHECK (tier BETWEEN 1 AND 5),
	environment text NOT NULL DEFAULT 'production'
		CHECK (environment IN ('development', 'test', 'staging', 'production')),
	owner_id bigint REFERENCES changemgmt.person,
	version text,
	version_change_id bigint,
	end_of_life date,
	description text
);
COMMENT ON TABLE changemgmt.configuration_item IS
	'What changes are made to: services, databases, hosts and the like.';
COMMENT ON COLUMN changemgmt.configuration_item.tier IS
	'1 (the business stops) to 5 (nobody notices); null is unknown and never counts as low.';
COMMENT ON COLUMN changemgmt.configuration_item.owner_id IS
	'The service owner, who may approve changes of the item under a one-approver policy.';
COMMENT ON COLUMN changemgmt.configuration_item.version IS
	'The version that is there: written by the change that passed.';
COMMENT ON COLUMN changemgmt.configuration_item.version_change_id IS
	'The change that brought the version.';
COMMENT ON COLUMN changemgmt.configuration_item.end_of_life IS
	'When the vendor''s support of the version ends.';

CREATE TABLE changemgmt.ci_dependency (
	ci_id bigint NOT NULL REFERENCES changemgmt.configuration_item,
	depends_on_ci_id bigint NOT NULL REFERENCES changemgmt.configuration_item,
	kind text NOT NULL DEFAULT 'uses'
		CHECK (kind IN ('uses', 'runs_on', 'connects_to', 'part_of')),
	PRIMARY KEY (ci_id, depends_on_ci_id),
	CHECK (ci_id <> depends_on_ci_id)
);
COMMENT ON TABLE changemgmt.ci_dependency IS
	'ci_id stops working well when depends_on_ci_id does.';
CREATE INDEX ci_dependency_depends_on_ci_id_idx
	ON changemgmt.ci_dependency (depends_on_ci_id);

CREATE FUNCTION changemgmt.ci_id(name text) RETURNS bigint
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'ci_id';
COMMENT ON FUNCTION changemgmt.ci_id(text) IS
	'The id of the configuration item with this name. Errors: MC008 for an unknown name.';

CREATE FUNCTION changemgmt.add_ci(
	name text, kind text DEFAULT 'service', tier integer DEFAULT NULL,
	owner text DEFAULT NULL, version text DEFAULT NULL,
	end_of_life date DEFAULT NULL, environment text DEFAULT 'production',
	depends_on text[] DEFAULT '{}') RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH created AS (
		INSERT INTO changemgmt.configuration_item
			(name, kind, tier, owner_id, version, end_of_life, environment)
		VALUES (add_ci.name, add_ci.kind, add_ci.tier,
				changemgmt.person_id(add_ci.owner), add_ci.version,
				add_ci.end_of_life, add_ci.environment)
		RETURNING id
	), depending AS (
		INSERT INTO changemgmt.ci_dependency (ci_id, depends_on_ci_id)
		SELECT created.id, changemgmt.ci_id(d.name)
		FROM created, unnest(add_ci.depends_on) AS d(name)
	)
	SELECT id FROM created;
END;
COMMENT ON FUNCTION changemgmt.add_ci(text, text, integer, text, text, date, text, text[]) IS
	'Registers a configuration item, with the names of the items it depends on, and returns the id.';

SELECT pg_catalog.pg_extension_config_dump('changemgmt.configuration_item', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.configuration_item_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.ci_dependency', '');
-- calendar: business days. Windows, blackouts and holidays are to come here.

CREATE FUNCTION changemgmt.add_business_days(
	at timestamptz, days integer) RETURNS timestamptz
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'add_business_days';
COMMENT ON FUNCTION changemgmt.add_business_days(timestamptz, integer) IS
	'The same time of day, days business days (Monday to Friday in the reporting time zone) later; from a weekend, counted from its end. Range of days: 0 to 3660. Errors: MC008.';
-- model: change models. What ships is constants; a site's own models are rows.

CREATE TABLE changemgmt.site_model (
	key text NOT NULL CHECK (key ~ '^[a-z][a-z0-9_]{0,62}$'),
	version integer NOT NULL CHECK (version > 0),
	definition jsonb NOT NULL,
	published_by text NOT NULL,
	published_at timestamptz NOT NULL DEFAULT now(),
	retired_at timestamptz,
	PRIMARY KEY (key, version)
);
COMMENT ON TABLE changemgmt.site_model IS
	'A site''s own models and templates. A published version never changes; a change stays under the version it was submitted with.';
COMMENT ON COLUMN changemgmt.site_model.definition IS
	'What differs from the model named in "base"; docs/model.md lists the keys.';
COMMENT ON COLUMN changemgmt.site_model.retired_at IS
	'Since when no new change can use it; changes under way are not touched.';

CREATE FUNCTION changemgmt.model_guard() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'model_guard';
COMMENT ON FUNCTION changemgmt.model_guard() IS
	'Trigger: checks a definition (MC008) and keeps published versions as they are (MC006).';

CREATE TRIGGER model_guard
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.site_model
	FOR EACH ROW EXECUTE FUNCTION changemgmt.model_guard();
CREATE TRIGGER model_guard_truncate
	BEFORE TRUNCATE ON changemgmt.site_model
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.model_guard();
CREATE TRIGGER cache_invalidate
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON changemgmt.site_model
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.cache_invalidate();

CREATE FUNCTION changemgmt.shipped_models(
	OUT key text, OUT version integer, OUT definition jsonb)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'shipped_models';
COMMENT ON FUNCTION changemgmt.shipped_models() IS
	'The models that ship: itil (standard, normal, major, emergency, latent) and lean (lean_standard, lean_normal, lean_emergency).';

CREATE VIEW changemgmt.model WITH (security_invoker = true) AS
	SELECT key, version, definition, true AS is_shipped,
		   NULL::timestamptz AS published_at, NULL::timestamptz AS retired_at
	FROM changemgmt.shipped_models()
	UNION ALL
	SELECT key, version, definition, false, published_at, retired_at
	FROM changemgmt.site_model;
COMMENT ON VIEW changemgmt.model IS
	'All models, the shipped and the site''s. A site''s model takes the place of a shipped one with the same key.';
COMMENT ON COLUMN changemgmt.model.key IS 'Name of the model.';
COMMENT ON COLUMN changemgmt.model.version IS 'Version; the highest is used for new changes. Shipped models have version 0.';
COMMENT ON COLUMN changemgmt.model.definition IS 'The definition; docs/model.md lists the keys.';
COMMENT ON COLUMN changemgmt.model.is_shipped IS 'Whether it comes with the extension.';
COMMENT ON COLUMN changemgmt.model.published_at IS 'When the site published it.';
COMMENT ON COLUMN changemgmt.model.retired_at IS 'Since when no new change can use it.';

CREATE FUNCTION changemgmt.publish_model(key text, definition jsonb)
	RETURNS integer
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.site_model (key, version, definition, published_by)
	SELECT publish_model.key, coalesce(max(m.version), 0) + 1,
		   publish_model.definition, changemgmt.acting_person()
	FROM changemgmt.site_model AS m
	WHERE m.key = publish_model.key
	RETURNING site_model.version;
END;
COMMENT ON FUNCTION changemgmt.publish_model(text, jsonb) IS
	'Publishes the next version of a site''s model and returns its number. Errors: MC008 with the key that is wrong.';

CREATE FUNCTION changemgmt.retire_model(key text) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH retired AS (
		UPDATE changemgmt.site_model AS m SET retired_at = now()
		WHERE m.key = retire_model.key AND m.retired_at IS NULL
		RETURNING m.version
	)
	SELECT count(*) FROM retired;
END;
COMMENT ON FUNCTION changemgmt.retire_model(text) IS
	'Retires all versions of a site''s model for new changes and returns how many there were.';

SELECT pg_catalog.pg_extension_config_dump('changemgmt.site_model', '');
-- change: the change record and its parts. field_class() says of each column
-- whether it is plan (sealed), schedule, progress, remark or kept by the engine.

CREATE TABLE changemgmt.change (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	model text NOT NULL DEFAULT 'normal',
	model_version integer NOT NULL DEFAULT 0,
	type text NOT NULL DEFAULT 'normal',
	status text NOT NULL DEFAULT 'draft',
	on_hold boolean NOT NULL DEFAULT false,
	status_reason text,
	outcome text,

	-- what and why
	title text NOT NULL,
	description text,
	category text,
	justification text,
	impact_of_not_doing text,
	expected_benefit text,
	realised_benefit text,
	long_term_impact text,
	environment text NOT NULL DEFAULT 'production',
	user_impact text,
	affects text[],
	touches_data_integrity boolean NOT NULL DEFAULT false,
	touches_security boolean NOT NULL DEFAULT false,
	confidential boolean NOT NULL DEFAULT false,
	unplanned boolean NOT NULL DEFAULT false,

	-- who
	requester_id bigint REFERENCES changemgmt.person,
	owner_id bigint REFERENCES changemgmt.person,
	coordinator_id bigint REFERENCES changemgmt.person,
	author_id bigint REFERENCES changemgmt.person,
	team_id bigint REFERENCES changemgmt.team,
	implementer_id bigint REFERENCES changemgmt.person,
	verifier_id bigint REFERENCES changemgmt.person,

	-- how urgent, how large
	priority text,
	deadline timestamptz,
	promised_at timestamptz,
	rough_estimate_hours numeric(10,2),
	estimated_minutes integer,
	cost_planned numeric(14,2),
	cost_actual numeric(14,2),

	-- the plan
	implementation_plan text,
	rollback_trigger text,
	rollback_plan text,
	rollback_minutes integer,
	rollback_strategy text,
	test_plan text,
	verification_plan text,
	risk_level text,
	planned_start timestamptz,
	planned_end timestamptz,

	-- what happened when
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	first_submitted_at timestamptz,
	submitted_at timestamptz,
	notice_from timestamptz,
	approved_at timestamptz,
	scheduled_at timestamptz,
	revised_at timestamptz,
	actual_start timestamptz,
	deployed_at timestamptz,
	actual_end timestamptz,
	verified_at timestamptz,
	rollback_started_at timestamptz,
	rolled_back_at timestamptz,
	recovered_at timestamptz,
	stability_confirmed_at timestamptz,
	stability_confirmed_by_id bigint REFERENCES changemgmt.person,
	closed_at timestamptz,
	cancelled_at timestamptz,

	-- why it went that way
	override_reason text,
	remediation text,
	cause_class text,
	incident_id bigint,
	authorised_by_id bigint REFERENCES changemgmt.person,
	emergency_threshold text,
	found_by text,

	-- where it came from
	copied_from_id bigint,
	source text,
	source_key text,
	source_digest bytea,
	attributes jsonb NOT NULL DEFAULT '{}',
	UNIQUE (source, source_key),

	-- kept by the engine
	approval_round integer NOT NULL DEFAULT 0,
	approved_seal bytea,
	approved_plan_revision bigint,
	last_editor_id bigint REFERENCES changemgmt.person,
	plan_revision bigint NOT NULL DEFAULT 0,
	revision bigint NOT NULL DEFAULT 0,
	ledger_sequence bigint NOT NULL DEFAULT 0,
	ledger_head bytea
);
COMMENT ON TABLE changemgmt.change IS
	'Changes to production and other environments. Triggers judge every write; the verbs (submit, approve, start ...) are the comfortable way to make them.';
COMMENT ON COLUMN changemgmt.change.id IS 'Permanent number of the change; change_number(id) shows it as CHG0000042.';
COMMENT ON COLUMN changemgmt.change.model IS 'Key of the change model (view model) whose rules hold.';
COMMENT ON COLUMN changemgmt.change.model_version IS 'Version of the model: the latest at creation and again at submission.';
COMMENT ON COLUMN changemgmt.change.type IS 'standard, normal, major, emergency or latent: the model''s.';
COMMENT ON COLUMN changemgmt.change.status IS 'Where in its life the change is; only the transitions of the model lead on.';
COMMENT ON COLUMN changemgmt.change.on_hold IS 'Held: only resume, revise and cancel are possible.';
COMMENT ON COLUMN changemgmt.change.status_reason IS 'Why the last transition was made; emptied by a transition without a reason.';
COMMENT ON COLUMN changemgmt.change.outcome IS 'successful, successful_with_issues, rolled_back, failed or not_implemented; written by the transition that decides it.';
COMMENT ON COLUMN changemgmt.change.title IS 'What it is, in one line.';
COMMENT ON COLUMN changemgmt.change.description IS 'What is changed.';
COMMENT ON COLUMN changemgmt.change.category IS 'release, configuration, infrastructure, feature_flag, data_migration, dependency, schema, security or other.';
COMMENT ON COLUMN changemgmt.change.justification IS 'Why it is needed.';
COMMENT ON COLUMN changemgmt.change.impact_of_not_doing IS 'What happens if it is not done.';
COMMENT ON COLUMN changemgmt.change.expected_benefit IS 'What the organisation gains.';
COMMENT ON COLUMN changemgmt.change.realised_benefit IS 'What it did gain, seen afterwards.';
COMMENT ON COLUMN changemgmt.change.long_term_impact IS 'Upgrades, scalability, maintenance, documentation, end of life.';
COMMENT ON COLUMN changemgmt.change.environment IS 'development, test, staging or production.';
COMMENT ON COLUMN changemgmt.change.user_impact IS 'What users notice while it happens and afterwards.';
COMMENT ON COLUMN changemgmt.change.affects IS 'Who is affected: clients, customers, business, internal_staff.';
COMMENT ON COLUMN changemgmt.change.touches_data_integrity IS 'Whether data could be damaged: then an approval is needed whatever the model.';
COMMENT ON COLUMN changemgmt.change.touches_security IS 'Whether security could suffer: then an approval is needed whatever the model.';
COMMENT ON COLUMN changemgmt.change.confidential IS 'Whether only those concerned may see it; it counts in metrics all the same.';
COMMENT ON COLUMN changemgmt.change.unplanned IS 'Whether it was not planned work but an answer to something that broke.';
COMMENT ON COLUMN changemgmt.change.requester_id IS 'Who asks for it.';
COMMENT ON COLUMN changemgmt.change.owner_id IS 'The one person who is accountable.';
COMMENT ON COLUMN changemgmt.change.coordinator_id IS 'Who received the request and assigned it.';
COMMENT ON COLUMN changemgmt.change.author_id IS 'Who wrote the record.';
COMMENT ON COLUMN changemgmt.change.team_id IS 'The team that carries it out.';
COMMENT ON COLUMN changemgmt.change.implementer_id IS 'Who started it.';
COMMENT ON COLUMN changemgmt.change.verifier_id IS 'Who found it verified.';
COMMENT ON COLUMN changemgmt.change.priority IS 'low, medium, high or critical.';
COMMENT ON COLUMN changemgmt.change.deadline IS 'When it must be done.';
COMMENT ON COLUMN changemgmt.change.promised_at IS 'When the requester was told it will be done.';
COMMENT ON COLUMN changemgmt.change.rough_estimate_hours IS 'First answer to how much work it is, in hours.';
COMMENT ON COLUMN changemgmt.change.estimated_minutes IS 'How long the execution is expected to take, in minutes.';
COMMENT ON COLUMN changemgmt.change.cost_planned IS 'Expected cost, in the currency of the site.';
COMMENT ON COLUMN changemgmt.change.cost_actual IS 'Cost as it came, in the currency of the site.';
COMMENT ON COLUMN changemgmt.change.implementation_plan IS 'The steps.';
COMMENT ON COLUMN changemgmt.change.rollback_trigger IS 'What makes one roll back, such as an error rate above 5 %.';
COMMENT ON COLUMN changemgmt.change.rollback_plan IS 'The exact steps back.';
COMMENT ON COLUMN changemgmt.change.rollback_minutes IS 'How long the way back takes, in minutes.';
COMMENT ON COLUMN changemgmt.change.rollback_strategy IS 'restore, redeploy, blue_green, feature_flag, fix_forward or manual.';
COMMENT ON COLUMN changemgmt.change.test_plan IS 'What is tested before production.';
COMMENT ON COLUMN changemgmt.change.verification_plan IS 'How success is validated.';
COMMENT ON COLUMN changemgmt.change.risk_level IS 'low, medium, high or critical, as assessed.';
COMMENT ON COLUMN changemgmt.change.planned_start IS 'When execution begins; booked once scheduled_at is set.';
COMMENT ON COLUMN changemgmt.change.planned_end IS 'When it ends at the latest (exclusive).';
COMMENT ON COLUMN changemgmt.change.created_at IS 'When the record was made.';
COMMENT ON COLUMN changemgmt.change.updated_at IS 'When the record or a part of it last changed.';
COMMENT ON COLUMN changemgmt.change.first_submitted_at IS 'When it was first submitted.';
COMMENT ON COLUMN changemgmt.change.submitted_at IS 'When it was last submitted.';
COMMENT ON COLUMN changemgmt.change.notice_from IS 'From when notice is counted: the first submission, or when the start moved earlier.';
COMMENT ON COLUMN changemgmt.change.approved_at IS 'When approval was last given.';
COMMENT ON COLUMN changemgmt.change.scheduled_at IS 'When the time was booked; null where nothing is booked.';
COMMENT ON COLUMN changemgmt.change.revised_at IS 'When it was last taken back to draft; waivers from before no longer count.';
COMMENT ON COLUMN changemgmt.change.actual_start IS 'When the work began.';
COMMENT ON COLUMN changemgmt.change.deployed_at IS 'When the work was complete; null where it never was.';
COMMENT ON COLUMN changemgmt.change.actual_end IS 'When the work last left in_progress.';
COMMENT ON COLUMN changemgmt.change.verified_at IS 'When it was found verified.';
COMMENT ON COLUMN changemgmt.change.rollback_started_at IS 'When rolling back began.';
COMMENT ON COLUMN changemgmt.change.rolled_back_at IS 'When the old state was reached again.';
COMMENT ON COLUMN changemgmt.change.recovered_at IS 'When service was restored after a failure.';
COMMENT ON COLUMN changemgmt.change.stability_confirmed_at IS 'When stability was confirmed after rollback or failure.';
COMMENT ON COLUMN changemgmt.change.stability_confirmed_by_id IS 'Who confirmed it.';
COMMENT ON COLUMN changemgmt.change.closed_at IS 'When it was closed.';
COMMENT ON COLUMN changemgmt.change.cancelled_at IS 'When it was cancelled or aborted.';
COMMENT ON COLUMN changemgmt.change.override_reason IS 'Why a rule that can be overridden was.';
COMMENT ON COLUMN changemgmt.change.remediation IS 'What is done about a failure left in place or fixed forward.';
COMMENT ON COLUMN changemgmt.change.cause_class IS 'Why it was rolled back: testing, plan, environment, dependency, human, vendor, capacity or unknown.';
COMMENT ON COLUMN changemgmt.change.incident_id IS 'The incident that it answers.';
COMMENT ON COLUMN changemgmt.change.authorised_by_id IS 'Who authorised an emergency.';
COMMENT ON COLUMN changemgmt.change.emergency_threshold IS 'What made it an emergency: production_down, data_at_risk or security_breach.';
COMMENT ON COLUMN changemgmt.change.found_by IS 'How a change that nobody had recorded was found.';
COMMENT ON COLUMN changemgmt.change.copied_from_id IS 'The change that it was copied from, also where that draft was deleted since.';
COMMENT ON COLUMN changemgmt.change.source IS 'The system that it came from; with source_key unique.';
COMMENT ON COLUMN changemgmt.change.source_key IS 'Its key in that system.';
COMMENT ON COLUMN changemgmt.change.source_digest IS 'SHA-256 of what that system sent, by which a replay is known.';
COMMENT ON COLUMN changemgmt.change.attributes IS 'A site''s own fields, a JSON object.';
COMMENT ON COLUMN changemgmt.change.approval_round IS 'Which round of votes counts; each submission opens one.';
COMMENT ON COLUMN changemgmt.change.approved_seal IS 'Seal of the plan that was approved.';
COMMENT ON COLUMN changemgmt.change.approved_plan_revision IS 'plan_revision when it was approved.';
COMMENT ON COLUMN changemgmt.change.last_editor_id IS 'Who last edited a sealed field.';
COMMENT ON COLUMN changemgmt.change.plan_revision IS 'revision at the last edit of something sealed.';
COMMENT ON COLUMN changemgmt.change.revision IS 'Counts every statement that changed the record or its parts.';
COMMENT ON COLUMN changemgmt.change.ledger_sequence IS 'Place of the last ledger row.';
COMMENT ON COLUMN changemgmt.change.ledger_head IS 'Hash of the last ledger row.';

-- One check in C for all values that no history can have (src/change_value.c):
-- PostgreSQL reads the text of every check anew for every statement, and thirty
-- of them took as long as all the rest of a transition.
CREATE FUNCTION changemgmt.change_is_possible(change changemgmt.change)
	RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'change_is_possible';
COMMENT ON FUNCTION changemgmt.change_is_possible(changemgmt.change) IS
	'The check constraint of change: codes are of their list, numbers not negative, times finite and in order. True, or an error (MC008) that says what is not.';
ALTER TABLE changemgmt.change
	ADD CONSTRAINT change_is_possible CHECK (changemgmt.change_is_possible(change));

-- What is open is little, whatever the history.
CREATE INDEX change_open_idx ON changemgmt.change (status, planned_start)
	WHERE status NOT IN ('closed', 'cancelled');
CREATE INDEX change_actual_end_idx ON changemgmt.change (actual_end)
	WHERE actual_end IS NOT NULL;
CREATE INDEX change_incident_id_idx ON changemgmt.change (incident_id)
	WHERE incident_id IS NOT NULL;

CREATE FUNCTION changemgmt.truncate_guard() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'truncate_guard';
COMMENT ON FUNCTION changemgmt.truncate_guard() IS
	'Trigger: refuses TRUNCATE (MC006).';

CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.change
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.change
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.change
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();

-- Parts

CREATE FUNCTION changemgmt.part_stamp() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'part_stamp';
COMMENT ON FUNCTION changemgmt.part_stamp() IS
	'Trigger: locks the change of a part (MC008 where there is none) and stamps who and when.';
CREATE FUNCTION changemgmt.part_changed() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'part_changed';
COMMENT ON FUNCTION changemgmt.part_changed() IS
	'Trigger: raises the revision of each change whose parts a statement touched, once, and lets the change be judged (MC005).';


CREATE TABLE changemgmt.change_item (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	change_id bigint NOT NULL REFERENCES changemgmt.change,
	ci_id bigint NOT NULL REFERENCES changemgmt.configuration_item,
	role text NOT NULL DEFAULT 'changed'
		CHECK (role IN ('changed', 'affected')),
	version_before text,
	version_after text,
	UNIQUE (change_id, ci_id)
);
COMMENT ON TABLE changemgmt.change_item IS 'Configuration items that a change changes or affects.';
COMMENT ON COLUMN changemgmt.change_item.role IS 'changed (the work is done on it) or affected (it may notice)';
COMMENT ON COLUMN changemgmt.change_item.version_before IS 'Version that was there; taken from the inventory where not given.';
COMMENT ON COLUMN changemgmt.change_item.version_after IS 'Version that will be there: written into the inventory when the change passes.';
CREATE TRIGGER zzz_stamp
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.change_item
	FOR EACH ROW EXECUTE FUNCTION changemgmt.part_stamp();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.change_item
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.change_item
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER part_inserted
	AFTER INSERT ON changemgmt.change_item
	REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_updated
	AFTER UPDATE ON changemgmt.change_item
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_deleted
	AFTER DELETE ON changemgmt.change_item
	REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.change_item
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();
CREATE INDEX change_item_ci_id_idx ON changemgmt.change_item (ci_id);

CREATE TABLE changemgmt.change_risk (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	change_id bigint NOT NULL REFERENCES changemgmt.change,
	description text NOT NULL CHECK (description <> ''),
	likelihood text NOT NULL CHECK (likelihood IN ('low', 'medium', 'high')),
	impact text NOT NULL CHECK (impact IN ('low', 'medium', 'high')),
	mitigation text
);
COMMENT ON TABLE changemgmt.change_risk IS 'What could go wrong.';
COMMENT ON COLUMN changemgmt.change_risk.description IS 'What could happen.';
COMMENT ON COLUMN changemgmt.change_risk.likelihood IS 'low, medium or high';
COMMENT ON COLUMN changemgmt.change_risk.impact IS 'low, medium or high';
COMMENT ON COLUMN changemgmt.change_risk.mitigation IS 'What makes it less likely or less bad.';
CREATE INDEX change_risk_change_id_idx ON changemgmt.change_risk (change_id);
CREATE TRIGGER zzz_stamp
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.change_risk
	FOR EACH ROW EXECUTE FUNCTION changemgmt.part_stamp();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.change_risk
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.change_risk
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER part_inserted
	AFTER INSERT ON changemgmt.change_risk
	REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_updated
	AFTER UPDATE ON changemgmt.change_risk
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_deleted
	AFTER DELETE ON changemgmt.change_risk
	REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.change_risk
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();

CREATE TABLE changemgmt.change_task (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	change_id bigint NOT NULL REFERENCES changemgmt.change,
	phase text NOT NULL DEFAULT 'implementation'
		CHECK (phase IN ('preparation', 'implementation', 'follow_up')),
	position integer NOT NULL DEFAULT 0,
	title text NOT NULL CHECK (title <> ''),
	description text,
	object_kind text
		CHECK (object_kind IN ('client', 'service', 'stored_procedure', 'function',
							   'schema', 'configuration', 'other')),
	object_name text,
	assignee_id bigint REFERENCES changemgmt.person,
	is_condition boolean NOT NULL DEFAULT false,
	status text NOT NULL DEFAULT 'open'
		CHECK (status IN ('open', 'done', 'skipped')),
	status_reason text,
	done_by_id bigint REFERENCES changemgmt.person,
	done_at timestamptz,
	CHECK (object_kind IS NULL OR object_name IS NOT NULL)
);
COMMENT ON TABLE changemgmt.change_task IS 'Steps of a change: the checklist before, the runbook, what follows; with object_kind and object_name a line of the deployment manifest.';
COMMENT ON COLUMN changemgmt.change_task.phase IS 'preparation (before start), implementation (before complete) or follow_up';
COMMENT ON COLUMN changemgmt.change_task.position IS 'Order within the phase.';
COMMENT ON COLUMN changemgmt.change_task.title IS 'The step.';
COMMENT ON COLUMN changemgmt.change_task.description IS 'How it is done.';
COMMENT ON COLUMN changemgmt.change_task.object_kind IS 'client, service, stored_procedure, function, schema, configuration or other';
COMMENT ON COLUMN changemgmt.change_task.object_name IS 'What is touched.';
COMMENT ON COLUMN changemgmt.change_task.assignee_id IS 'Who does it.';
COMMENT ON COLUMN changemgmt.change_task.is_condition IS 'Asked for by an approver: never part of the sealed plan.';
COMMENT ON COLUMN changemgmt.change_task.status IS 'open, done or skipped';
COMMENT ON COLUMN changemgmt.change_task.status_reason IS 'Why it was skipped.';
COMMENT ON COLUMN changemgmt.change_task.done_by_id IS 'Who did or skipped it.';
COMMENT ON COLUMN changemgmt.change_task.done_at IS 'When.';
CREATE INDEX change_task_change_id_idx ON changemgmt.change_task (change_id);
CREATE TRIGGER zzz_stamp
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.change_task
	FOR EACH ROW EXECUTE FUNCTION changemgmt.part_stamp();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.change_task
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.change_task
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER part_inserted
	AFTER INSERT ON changemgmt.change_task
	REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_updated
	AFTER UPDATE ON changemgmt.change_task
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_deleted
	AFTER DELETE ON changemgmt.change_task
	REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.change_task
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();

CREATE TABLE changemgmt.change_check (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	change_id bigint NOT NULL REFERENCES changemgmt.change,
	kind text NOT NULL DEFAULT 'functional'
		CHECK (kind IN ('slo', 'synthetic', 'functional', 'user_confirmation')),
	stage text NOT NULL DEFAULT 'immediate'
		CHECK (stage IN ('immediate', '24_hours', '7_days')),
	title text NOT NULL CHECK (title <> ''),
	expected text,
	is_required boolean NOT NULL DEFAULT true,
	is_planned boolean NOT NULL DEFAULT true,
	observed text,
	passed boolean,
	checked_by_id bigint REFERENCES changemgmt.person,
	checked_at timestamptz CHECK (isfinite(checked_at))
);
COMMENT ON TABLE changemgmt.change_check IS 'Verification checks with their latest result; earlier results stand in the ledger.';
COMMENT ON COLUMN changemgmt.change_check.kind IS 'slo, synthetic, functional or user_confirmation';
COMMENT ON COLUMN changemgmt.change_check.stage IS 'immediate, 24_hours or 7_days after deployment';
COMMENT ON COLUMN changemgmt.change_check.title IS 'What is checked.';
COMMENT ON COLUMN changemgmt.change_check.expected IS 'What is to be seen.';
COMMENT ON COLUMN changemgmt.change_check.is_required IS 'Whether the change can only pass with it.';
COMMENT ON COLUMN changemgmt.change_check.is_planned IS 'Whether it stood in the plan before the work began; others are added evidence.';
COMMENT ON COLUMN changemgmt.change_check.observed IS 'What was seen last.';
COMMENT ON COLUMN changemgmt.change_check.passed IS 'Whether it was right; null as long as nobody has looked.';
COMMENT ON COLUMN changemgmt.change_check.checked_by_id IS 'Who looked.';
COMMENT ON COLUMN changemgmt.change_check.checked_at IS 'When.';
CREATE INDEX change_check_change_id_idx ON changemgmt.change_check (change_id);
CREATE TRIGGER zzz_stamp
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.change_check
	FOR EACH ROW EXECUTE FUNCTION changemgmt.part_stamp();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.change_check
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.change_check
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER part_inserted
	AFTER INSERT ON changemgmt.change_check
	REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_updated
	AFTER UPDATE ON changemgmt.change_check
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_deleted
	AFTER DELETE ON changemgmt.change_check
	REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.change_check
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();

CREATE TABLE changemgmt.change_comment (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	change_id bigint NOT NULL REFERENCES changemgmt.change,
	author_id bigint REFERENCES changemgmt.person,
	body text NOT NULL CHECK (body <> ''),
	created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE changemgmt.change_comment IS 'What people say about a change: concerns, feedback, benefits.';
COMMENT ON COLUMN changemgmt.change_comment.author_id IS 'Who said it.';
COMMENT ON COLUMN changemgmt.change_comment.body IS 'What was said.';
COMMENT ON COLUMN changemgmt.change_comment.created_at IS 'When.';
CREATE INDEX change_comment_change_id_idx ON changemgmt.change_comment (change_id);
CREATE TRIGGER zzz_stamp
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.change_comment
	FOR EACH ROW EXECUTE FUNCTION changemgmt.part_stamp();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.change_comment
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.change_comment
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER part_inserted
	AFTER INSERT ON changemgmt.change_comment
	REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_updated
	AFTER UPDATE ON changemgmt.change_comment
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_deleted
	AFTER DELETE ON changemgmt.change_comment
	REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.change_comment
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();

CREATE TABLE changemgmt.change_link (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	change_id bigint NOT NULL REFERENCES changemgmt.change,
	relation text NOT NULL
		CHECK (relation IN ('parent', 'depends_on', 'caused', 'resolves',
							'remediates', 'backs_out', 'commit', 'ticket',
							'project', 'other')),
	target_change_id bigint REFERENCES changemgmt.change,
	target text,
	occurred_at timestamptz,
	CHECK ((target_change_id IS NULL) <> (target IS NULL)),
	CHECK (target_change_id <> change_id),
	CHECK (target <> ''),
	UNIQUE (change_id, relation, target_change_id),
	UNIQUE (change_id, relation, target)
);
COMMENT ON TABLE changemgmt.change_link IS 'What a change has to do with other changes, commits, tickets and projects.';
COMMENT ON COLUMN changemgmt.change_link.relation IS 'This change has the target as parent, depends on it, caused, resolves, remediates or backs it out; or the target is a commit, ticket or project.';
COMMENT ON COLUMN changemgmt.change_link.target_change_id IS 'The other change.';
COMMENT ON COLUMN changemgmt.change_link.target IS 'What else: a commit id, a ticket key, a project.';
COMMENT ON COLUMN changemgmt.change_link.occurred_at IS 'When the commit was made: the first commit starts the lead time.';
CREATE TRIGGER zzz_stamp
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.change_link
	FOR EACH ROW EXECUTE FUNCTION changemgmt.part_stamp();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.change_link
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.change_link
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER part_inserted
	AFTER INSERT ON changemgmt.change_link
	REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_updated
	AFTER UPDATE ON changemgmt.change_link
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_deleted
	AFTER DELETE ON changemgmt.change_link
	REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.change_link
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();
CREATE INDEX change_link_target_change_id_idx
	ON changemgmt.change_link (target_change_id, relation)
	WHERE target_change_id IS NOT NULL;

SELECT pg_catalog.pg_extension_config_dump('changemgmt.change', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_item', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_item_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_risk', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_risk_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_task', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_task_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_check', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_check_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_comment', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_comment_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_link', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_link_id_seq', '');

CREATE FUNCTION changemgmt.field_class(
	OUT relation text, OUT field text, OUT class text)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'field_class';
COMMENT ON FUNCTION changemgmt.field_class() IS
	'Of each column of change and its parts: plan (sealed by an approval, frozen by start), schedule, progress, remark or engine.';

CREATE FUNCTION changemgmt.change_number(change_id bigint) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'change_number';
COMMENT ON FUNCTION changemgmt.change_number(bigint) IS
	'The number of a change as people write it: CHG0000042. Prefix and width are settings.';
CREATE FUNCTION changemgmt.change_id(number text) RETURNS bigint
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'change_id';
COMMENT ON FUNCTION changemgmt.change_id(text) IS
	'The id of the change with this number. Errors: MC008 for what is no number.';

-- The parts' functions. They run as the owner of the tables, like the verbs: what somebody
-- may do is which functions they may execute. The change is locked before its
-- part, as everywhere.

CREATE FUNCTION changemgmt.add_item(
	change_id bigint, ci text, role text DEFAULT 'changed',
	version_after text DEFAULT NULL) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_item (change_id, ci_id, role, version_after)
	VALUES (add_item.change_id, changemgmt.ci_id(add_item.ci), add_item.role,
			add_item.version_after)
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.add_item(bigint, text, text, text) IS
	'Adds a configuration item, by its name, that the change changes or affects; returns the id of the row.';

CREATE FUNCTION changemgmt.add_risk(
	change_id bigint, description text, likelihood text, impact text,
	mitigation text DEFAULT NULL) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_risk
		(change_id, description, likelihood, impact, mitigation)
	VALUES (add_risk.change_id, add_risk.description, add_risk.likelihood,
			add_risk.impact, add_risk.mitigation)
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.add_risk(bigint, text, text, text, text) IS
	'Adds a risk: likelihood and impact are low, medium or high; returns the id of the row.';

CREATE FUNCTION changemgmt.add_task(
	change_id bigint, title text, phase text DEFAULT 'implementation',
	description text DEFAULT NULL, assignee text DEFAULT NULL,
	object_kind text DEFAULT NULL, object_name text DEFAULT NULL,
	"position" integer DEFAULT NULL) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_task
		(change_id, title, phase, description, assignee_id, object_kind,
		 object_name, "position")
	SELECT add_task.change_id, add_task.title, add_task.phase,
		   add_task.description, changemgmt.person_id(add_task.assignee),
		   add_task.object_kind, add_task.object_name,
		   coalesce(add_task."position",
					(SELECT coalesce(max(t."position"), 0) + 1
					 FROM changemgmt.change_task AS t
					 WHERE t.change_id = add_task.change_id
					   AND t.phase = add_task.phase))
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.add_task(bigint, text, text, text, text, text, text, integer) IS
	'Adds a step at the end of its phase (preparation, implementation, follow_up); with object_kind and object_name a line of the deployment manifest. Returns the id of the row.';

CREATE FUNCTION changemgmt.complete_task(task_id bigint) RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_task AS t
				  WHERE t.id = complete_task.task_id)
	FOR NO KEY UPDATE;
	UPDATE changemgmt.change_task SET status = 'done', status_reason = NULL
	WHERE id = complete_task.task_id AND status <> 'done';
	SELECT status = 'done' FROM changemgmt.change_task
	WHERE id = complete_task.task_id;
END;
COMMENT ON FUNCTION changemgmt.complete_task(bigint) IS
	'Marks a task done, by who acts. Null for an unknown task. Errors: MC001 where it is not the time for it.';

CREATE FUNCTION changemgmt.skip_task(task_id bigint, reason text) RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_task AS t
				  WHERE t.id = skip_task.task_id)
	FOR NO KEY UPDATE;
	UPDATE changemgmt.change_task
	SET status = 'skipped', status_reason = skip_task.reason
	WHERE id = skip_task.task_id
	  AND (status, coalesce(status_reason, '')) <> ('skipped', coalesce(skip_task.reason, ''));
	SELECT status = 'skipped' FROM changemgmt.change_task
	WHERE id = skip_task.task_id;
END;
COMMENT ON FUNCTION changemgmt.skip_task(bigint, text) IS
	'Leaves a task out, with the reason. Null for an unknown task. Errors: MC001, MC008.';

CREATE FUNCTION changemgmt.add_check(
	change_id bigint, title text, kind text DEFAULT 'functional',
	stage text DEFAULT 'immediate', expected text DEFAULT NULL,
	is_required boolean DEFAULT true) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_check
		(change_id, title, kind, stage, expected, is_required)
	VALUES (add_check.change_id, add_check.title, add_check.kind,
			add_check.stage, add_check.expected, add_check.is_required)
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.add_check(bigint, text, text, text, text, boolean) IS
	'Adds a verification check of a kind (slo, synthetic, functional, user_confirmation) and stage (immediate, 24_hours, 7_days); returns the id of the row.';

CREATE FUNCTION changemgmt.record_check(
	check_id bigint, passed boolean, observed text DEFAULT NULL,
	at timestamptz DEFAULT NULL) RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_check AS t
				  WHERE t.id = record_check.check_id)
	FOR NO KEY UPDATE;
	UPDATE changemgmt.change_check
	SET passed = record_check.passed, observed = record_check.observed,
		checked_by_id = NULL, checked_at = record_check.at
	WHERE id = record_check.check_id;
	SELECT c.passed FROM changemgmt.change_check AS c
	WHERE c.id = record_check.check_id;
END;
COMMENT ON FUNCTION changemgmt.record_check(bigint, boolean, text, timestamptz) IS
	'Records the latest result of a check, by who acts, now or at a time that is past. Null for an unknown check. Errors: MC001 where there is nothing to verify, MC008.';

CREATE FUNCTION changemgmt.add_comment(change_id bigint, body text) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_comment (change_id, body)
	VALUES (add_comment.change_id, add_comment.body)
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.add_comment(bigint, text) IS
	'Adds a comment by who acts; returns the id of the row.';

CREATE FUNCTION changemgmt.link_change(
	change_id bigint, relation text, target_change_id bigint DEFAULT NULL,
	target text DEFAULT NULL, occurred_at timestamptz DEFAULT NULL)
	RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_link
		(change_id, relation, target_change_id, target, occurred_at)
	VALUES (link_change.change_id, link_change.relation,
			link_change.target_change_id, link_change.target,
			link_change.occurred_at)
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.link_change(bigint, text, bigint, text, timestamptz) IS
	'Links a change to another change, or to a commit, ticket or project; returns the id of the row.';

CREATE FUNCTION changemgmt.remove_item(item_id bigint) RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_item AS t
				  WHERE t.id = remove_item.item_id)
	FOR NO KEY UPDATE;
	WITH removed AS (
		DELETE FROM changemgmt.change_item AS t WHERE t.id = remove_item.item_id
		RETURNING t.id
	)
	SELECT count(*) > 0 FROM removed;
END;
COMMENT ON FUNCTION changemgmt.remove_item(bigint) IS
	'Takes an item out of a change, as long as it can still be edited; whether there was one. Errors: MC005, MC006.';

CREATE FUNCTION changemgmt.remove_risk(risk_id bigint) RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_risk AS t
				  WHERE t.id = remove_risk.risk_id)
	FOR NO KEY UPDATE;
	WITH removed AS (
		DELETE FROM changemgmt.change_risk AS t WHERE t.id = remove_risk.risk_id
		RETURNING t.id
	)
	SELECT count(*) > 0 FROM removed;
END;
COMMENT ON FUNCTION changemgmt.remove_risk(bigint) IS
	'Takes a risk out of a change, as long as it can still be edited; whether there was one. Errors: MC005, MC006.';

CREATE FUNCTION changemgmt.remove_task(task_id bigint) RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_task AS t
				  WHERE t.id = remove_task.task_id)
	FOR NO KEY UPDATE;
	WITH removed AS (
		DELETE FROM changemgmt.change_task AS t WHERE t.id = remove_task.task_id
		RETURNING t.id
	)
	SELECT count(*) > 0 FROM removed;
END;
COMMENT ON FUNCTION changemgmt.remove_task(bigint) IS
	'Takes a task out of a change, as long as it can still be edited; whether there was one. Errors: MC005, MC006.';

CREATE FUNCTION changemgmt.remove_check(check_id bigint) RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_check AS t
				  WHERE t.id = remove_check.check_id)
	FOR NO KEY UPDATE;
	WITH removed AS (
		DELETE FROM changemgmt.change_check AS t WHERE t.id = remove_check.check_id
		RETURNING t.id
	)
	SELECT count(*) > 0 FROM removed;
END;
COMMENT ON FUNCTION changemgmt.remove_check(bigint) IS
	'Takes a check out of a change, as long as it can still be edited; whether there was one. Errors: MC005, MC006.';

CREATE FUNCTION changemgmt.unlink_change(link_id bigint) RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_link AS t
				  WHERE t.id = unlink_change.link_id)
	FOR NO KEY UPDATE;
	WITH removed AS (
		DELETE FROM changemgmt.change_link AS t WHERE t.id = unlink_change.link_id
		RETURNING t.id
	)
	SELECT count(*) > 0 FROM removed;
END;
COMMENT ON FUNCTION changemgmt.unlink_change(bigint) IS
	'Takes a link out of a change, as long as it can still be edited; whether there was one. Errors: MC005, MC006.';
-- lifecycle: the engine. Triggers judge, verbs supply; docs/lifecycle.md.

CREATE FUNCTION changemgmt.lifecycle_stamp() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'lifecycle_stamp';
COMMENT ON FUNCTION changemgmt.lifecycle_stamp() IS
	'Trigger: stamps revision, times and ledger head of a change; refuses malformed values (MC008).';
CREATE FUNCTION changemgmt.lifecycle_judge() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'lifecycle_judge';
COMMENT ON FUNCTION changemgmt.lifecycle_judge() IS
	'Trigger: judges a change as it was stored (MC001 to MC007) and writes the ledger.';

-- Triggers fire in the order of their names: the stamp has the last word, and
-- the judge speaks before the server's foreign keys (RI_...).
CREATE TRIGGER zzz_stamp
	BEFORE INSERT OR UPDATE ON changemgmt.change
	FOR EACH ROW EXECUTE FUNCTION changemgmt.lifecycle_stamp();
CREATE TRIGGER "Judge"
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.change
	FOR EACH ROW EXECUTE FUNCTION changemgmt.lifecycle_judge();

CREATE FUNCTION changemgmt.template_check() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'template_check';
COMMENT ON FUNCTION changemgmt.template_check() IS
	'Trigger: refuses (MC008) templates whose plan no change could have.';
CREATE TRIGGER template_check
	AFTER INSERT ON changemgmt.site_model
	FOR EACH ROW EXECUTE FUNCTION changemgmt.template_check();

-- Requirements

CREATE TABLE changemgmt.site_requirement (
	name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
	function text NOT NULL,
	description text,
	hint text,
	verbs text[] NOT NULL DEFAULT '{}'
		CHECK (verbs <@ ARRAY['triage', 'plan', 'submit', 'approve', 'schedule',
			'reschedule', 'start', 'complete', 'resume_work', 'pass', 'fail',
			'begin_rollback', 'roll_back', 'abort', 'confirm_stability', 'close',
			'revise', 'hold', 'resume', 'cancel']),
	registered_by text NOT NULL DEFAULT current_user
);
COMMENT ON TABLE changemgmt.site_requirement IS
	'A site''s own requirements: functions (change_id bigint) RETURNS text that return null when met, else what is missing.';
COMMENT ON COLUMN changemgmt.site_requirement.function IS
	'The function with its argument types, STABLE or IMMUTABLE; it runs as registered_by, read-only.';
COMMENT ON COLUMN changemgmt.site_requirement.verbs IS
	'Verbs that need it in every model; empty where only models name it under "requires".';
COMMENT ON COLUMN changemgmt.site_requirement.registered_by IS
	'Who registered it: stamped, and the role it runs as.';

CREATE FUNCTION changemgmt.site_requirement_check() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'site_requirement_check';
COMMENT ON FUNCTION changemgmt.site_requirement_check() IS
	'Trigger: refuses (MC008) functions that cannot be a requirement, and stamps who registers.';
CREATE TRIGGER site_requirement_check
	BEFORE INSERT OR UPDATE ON changemgmt.site_requirement
	FOR EACH ROW EXECUTE FUNCTION changemgmt.site_requirement_check();
CREATE TRIGGER cache_invalidate
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON changemgmt.site_requirement
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.cache_invalidate();

CREATE FUNCTION changemgmt.requirement_list(
	OUT name text, OUT description text, OUT verbs text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'requirement_list';
COMMENT ON FUNCTION changemgmt.requirement_list() IS
	'The extension''s requirements, with the verbs that need them in every model; models name more.';

CREATE VIEW changemgmt.requirement WITH (security_invoker = true) AS
	SELECT name, description, verbs, true AS is_shipped
	FROM changemgmt.requirement_list()
	UNION ALL
	SELECT name, description, array_to_string(verbs, ', '), false
	FROM changemgmt.site_requirement;
COMMENT ON VIEW changemgmt.requirement IS 'All requirements, the extension''s and the site''s.';
COMMENT ON COLUMN changemgmt.requirement.name IS 'Name, as why_not() and refusals show it.';
COMMENT ON COLUMN changemgmt.requirement.description IS 'What it asks for.';
COMMENT ON COLUMN changemgmt.requirement.verbs IS 'Verbs that need it in every model.';
COMMENT ON COLUMN changemgmt.requirement.is_shipped IS 'Whether it comes with the extension.';

CREATE FUNCTION changemgmt.register_requirement(
	name text, function regprocedure, verbs text[] DEFAULT '{}',
	description text DEFAULT NULL, hint text DEFAULT NULL) RETURNS void
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.site_requirement (name, function, verbs, description, hint)
	VALUES (register_requirement.name, register_requirement.function::text,
			register_requirement.verbs, register_requirement.description,
			register_requirement.hint)
	ON CONFLICT (name) DO UPDATE
		SET function = excluded.function, verbs = excluded.verbs,
			description = excluded.description, hint = excluded.hint;
END;
COMMENT ON FUNCTION changemgmt.register_requirement(text, regprocedure, text[], text, text) IS
	'Registers a site''s requirement, for the verbs given or for the models that name it. Errors: MC008.';

-- Waivers

CREATE TABLE changemgmt.change_waiver (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	change_id bigint NOT NULL REFERENCES changemgmt.change,
	requirement text NOT NULL CHECK (requirement <> ''),
	reason text NOT NULL CHECK (reason <> ''),
	waived_by_id bigint REFERENCES changemgmt.person,
	waived_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE changemgmt.change_waiver IS 'Requirements that a manager has waived for a change, where its model allows it. A waiver counts until the change is revised.';
CREATE INDEX change_waiver_change_id_idx
	ON changemgmt.change_waiver (change_id, requirement);
COMMENT ON COLUMN changemgmt.change_waiver.requirement IS 'Name of the requirement.';
COMMENT ON COLUMN changemgmt.change_waiver.reason IS 'Why it is not needed here.';
COMMENT ON COLUMN changemgmt.change_waiver.waived_by_id IS 'Who waived it.';
COMMENT ON COLUMN changemgmt.change_waiver.waived_at IS 'When.';
CREATE TRIGGER zzz_stamp
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.change_waiver
	FOR EACH ROW EXECUTE FUNCTION changemgmt.part_stamp();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.change_waiver
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.change_waiver
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER part_inserted
	AFTER INSERT ON changemgmt.change_waiver
	REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_updated
	AFTER UPDATE ON changemgmt.change_waiver
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_deleted
	AFTER DELETE ON changemgmt.change_waiver
	REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.change_waiver
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();

CREATE FUNCTION changemgmt.waiver_judge() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'waiver_judge';
COMMENT ON FUNCTION changemgmt.waiver_judge() IS
	'Trigger: only managers waive, and only what the model lets be waived (MC003).';
CREATE TRIGGER judge
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.change_waiver
	FOR EACH ROW EXECUTE FUNCTION changemgmt.waiver_judge();

-- Verbs

CREATE TYPE changemgmt.change_state AS (
	id bigint,
	number text,
	status text,
	outcome text,
	next_verbs text,
	due text,
	revision bigint
);
COMMENT ON TYPE changemgmt.change_state IS
	'What verbs return: where the change is now, what can be done next and what is due.';

CREATE FUNCTION changemgmt.change_state(
	change_id bigint)
	RETURNS changemgmt.change_state
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'change_state';
COMMENT ON FUNCTION changemgmt.change_state(bigint) IS
	'The row that verbs return, without a step. Errors: MC008 for an unknown id.';

CREATE FUNCTION changemgmt.triage(
	change_id bigint,
	coordinator text DEFAULT NULL,
	owner text DEFAULT NULL,
	team text DEFAULT NULL,
	priority text DEFAULT NULL,
	rough_estimate_hours numeric DEFAULT NULL,
	promised_at timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'triage';
COMMENT ON FUNCTION changemgmt.triage(bigint, text, text, text, text, numeric, timestamptz, bigint) IS
	'Receives a request: who coordinates (by default who acts), owns and carries it out, how urgent it is, and a first answer to when. People and teams by name.';

CREATE FUNCTION changemgmt.plan(
	change_id bigint,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'plan';
COMMENT ON FUNCTION changemgmt.plan(bigint, bigint) IS
	'draft to planned: the plan is complete.';

CREATE FUNCTION changemgmt.submit(
	change_id bigint,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'submit';
COMMENT ON FUNCTION changemgmt.submit(bigint, bigint) IS
	'planned to awaiting_approval, or to approved where the model is pre-approved; approved or scheduled to awaiting_approval when the plan was edited since.';

CREATE FUNCTION changemgmt.schedule(
	change_id bigint,
	planned_start timestamptz DEFAULT NULL,
	planned_end timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'schedule';
COMMENT ON FUNCTION changemgmt.schedule(bigint, timestamptz, timestamptz, bigint) IS
	'approved to scheduled: books the planned time, or the one given.';

CREATE FUNCTION changemgmt.reschedule(
	change_id bigint,
	planned_start timestamptz DEFAULT NULL,
	planned_end timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'reschedule';
COMMENT ON FUNCTION changemgmt.reschedule(bigint, timestamptz, timestamptz, bigint) IS
	'Moves the booked time.';

CREATE FUNCTION changemgmt.start(
	change_id bigint,
	at timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'start';
COMMENT ON FUNCTION changemgmt.start(bigint, timestamptz, bigint) IS
	'scheduled (or approved, where the model books no time) to in_progress. A time is taken where the model allows it.';

CREATE FUNCTION changemgmt.complete(
	change_id bigint,
	at timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'complete';
COMMENT ON FUNCTION changemgmt.complete(bigint, timestamptz, bigint) IS
	'in_progress to verifying: the work is deployed.';

CREATE FUNCTION changemgmt.resume_work(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'resume_work';
COMMENT ON FUNCTION changemgmt.resume_work(bigint, text, bigint) IS
	'verifying back to in_progress.';

CREATE FUNCTION changemgmt.pass(
	change_id bigint,
	evidence text DEFAULT NULL,
	issues text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'pass';
COMMENT ON FUNCTION changemgmt.pass(bigint, text, text, bigint) IS
	'verifying to implemented, successful; with issues (which, and why they are acceptable) successful_with_issues. Evidence is recorded as a check that passed.';

CREATE FUNCTION changemgmt.fail(
	change_id bigint,
	reason text DEFAULT NULL,
	remediation text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'fail';
COMMENT ON FUNCTION changemgmt.fail(bigint, text, text, bigint) IS
	'To implemented with outcome failed: left in place or fixed forward, with why and what is done about it.';

CREATE FUNCTION changemgmt.begin_rollback(
	change_id bigint,
	at timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'begin_rollback';
COMMENT ON FUNCTION changemgmt.begin_rollback(bigint, timestamptz, bigint) IS
	'Records when rolling back began.';

CREATE FUNCTION changemgmt.roll_back(
	change_id bigint,
	reason text DEFAULT NULL,
	cause_class text DEFAULT NULL,
	at timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'roll_back';
COMMENT ON FUNCTION changemgmt.roll_back(bigint, text, text, timestamptz, bigint) IS
	'To rolled_back: the old state is reached again; why, and what kind of cause it had (testing, plan, environment, dependency, human, vendor, capacity, unknown).';

CREATE FUNCTION changemgmt.abort(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'abort_change';
COMMENT ON FUNCTION changemgmt.abort(bigint, text, bigint) IS
	'in_progress to cancelled, not_implemented: nothing was applied.';

CREATE FUNCTION changemgmt.confirm_stability(
	change_id bigint,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'confirm_stability';
COMMENT ON FUNCTION changemgmt.confirm_stability(bigint, bigint) IS
	'After a rollback or a failure: who acts confirms that the service is stable.';

CREATE FUNCTION changemgmt.close(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'close_change';
COMMENT ON FUNCTION changemgmt.close(bigint, text, bigint) IS
	'implemented or rolled_back to closed.';

CREATE FUNCTION changemgmt.revise(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'revise';
COMMENT ON FUNCTION changemgmt.revise(bigint, text, bigint) IS
	'Back to draft; votes and booking are withdrawn.';

CREATE FUNCTION changemgmt.hold(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'hold';
COMMENT ON FUNCTION changemgmt.hold(bigint, text, bigint) IS
	'Puts a change on hold, before the work begins: then only resume, revise and cancel are possible.';

CREATE FUNCTION changemgmt.resume(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'resume';
COMMENT ON FUNCTION changemgmt.resume(bigint, text, bigint) IS
	'Takes a change off hold.';

CREATE FUNCTION changemgmt.cancel(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'cancel';
COMMENT ON FUNCTION changemgmt.cancel(bigint, text, bigint) IS
	'To cancelled, from anything before in_progress.';

CREATE FUNCTION changemgmt.advance(
	change_id bigint,
	to_status text,
	reason text DEFAULT NULL,
	evidence text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'advance';
COMMENT ON FUNCTION changemgmt.advance(bigint, text, text, text, bigint) IS
	'Walks the legal way to a status, all or nothing. Votes are not given by it. Errors: those of the steps; MC001 where no way leads there.';

CREATE TYPE changemgmt.unmet_requirement AS (
	verb text,
	requirement text,
	message text,
	hint text
);
COMMENT ON TYPE changemgmt.unmet_requirement IS
	'A row of why_not(): what a verb still requires, and what to do about it.';
CREATE FUNCTION changemgmt.why_not(
	change_id bigint,
	verb text DEFAULT NULL)
	RETURNS SETOF changemgmt.unmet_requirement
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'why_not';
COMMENT ON FUNCTION changemgmt.why_not(bigint, text) IS
	'Every requirement that is not met, for one verb or for all that the status allows: the rows that a refusal lists.';

CREATE TYPE changemgmt.next_step AS (
	verb text,
	to_status text,
	is_ready boolean,
	missing text
);
COMMENT ON TYPE changemgmt.next_step IS
	'A row of next_steps(): a verb, where it leads, and what is missing.';
CREATE FUNCTION changemgmt.next_steps(change_id bigint)
	RETURNS SETOF changemgmt.next_step
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'next_steps';
COMMENT ON FUNCTION changemgmt.next_steps(bigint) IS
	'What can be done with a change now; what a verb must be given (a reason) counts as missing.';

CREATE FUNCTION changemgmt.earliest_start(change_id bigint)
	RETURNS timestamptz
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'earliest_start';
COMMENT ON FUNCTION changemgmt.earliest_start(bigint) IS
	'When a change may start at the earliest by the notice of its model, counted from its submission, or from now where it was never submitted.';

-- Records

CREATE FUNCTION changemgmt.create_change_from(document jsonb)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'create_change_from';
COMMENT ON FUNCTION changemgmt.create_change_from(jsonb) IS
	'Creates a change from a document: columns of change, people and teams by name, items, risks, tasks and checks as arrays, template. The same source and source_key with the same content give the same change, with other content MC009. Errors: MC008 for what does not fit.';

CREATE FUNCTION changemgmt.edit_change(
	change_id bigint,
	patch jsonb,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'edit_change';
COMMENT ON FUNCTION changemgmt.edit_change(bigint, jsonb, bigint) IS
	'Edits a change by a JSON merge patch (RFC 7396): columns, people and teams by name; null empties. Errors: MC005, MC008, MC010.';

CREATE FUNCTION changemgmt.copy_change(
	change_id bigint,
	title text DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'copy_change';
COMMENT ON FUNCTION changemgmt.copy_change(bigint, text) IS
	'A new change with the plan and the parts of another, without its time, results and history.';

CREATE FUNCTION changemgmt.create_change(
	title text,
	model text DEFAULT NULL,
	template text DEFAULT NULL,
	description text DEFAULT NULL,
	category text DEFAULT NULL,
	justification text DEFAULT NULL,
	impact_of_not_doing text DEFAULT NULL,
	expected_benefit text DEFAULT NULL,
	long_term_impact text DEFAULT NULL,
	requester text DEFAULT NULL,
	owner text DEFAULT NULL,
	coordinator text DEFAULT NULL,
	team text DEFAULT NULL,
	priority text DEFAULT NULL,
	deadline timestamptz DEFAULT NULL,
	promised_at timestamptz DEFAULT NULL,
	rough_estimate_hours numeric DEFAULT NULL,
	environment text DEFAULT NULL,
	user_impact text DEFAULT NULL,
	affects text[] DEFAULT NULL,
	items text[] DEFAULT NULL,
	implementation_plan text DEFAULT NULL,
	rollback_trigger text DEFAULT NULL,
	rollback_plan text DEFAULT NULL,
	rollback_minutes integer DEFAULT NULL,
	rollback_strategy text DEFAULT NULL,
	test_plan text DEFAULT NULL,
	verification_plan text DEFAULT NULL,
	risk_level text DEFAULT NULL,
	planned_start timestamptz DEFAULT NULL,
	planned_end timestamptz DEFAULT NULL,
	estimated_minutes integer DEFAULT NULL,
	touches_data_integrity boolean DEFAULT NULL,
	touches_security boolean DEFAULT NULL,
	confidential boolean DEFAULT NULL,
	unplanned boolean DEFAULT NULL,
	cost_planned numeric DEFAULT NULL,
	source text DEFAULT NULL,
	source_key text DEFAULT NULL,
	attributes jsonb DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	-- the digest that knows a replay must not depend on the session's zone
	SET timezone = 'UTC'
BEGIN ATOMIC
	SELECT s.* FROM changemgmt.create_change_from(jsonb_build_object(
		'title', create_change.title,
		'model', create_change.model,
		'template', create_change.template,
		'description', create_change.description,
		'category', create_change.category,
		'justification', create_change.justification,
		'impact_of_not_doing', create_change.impact_of_not_doing,
		'expected_benefit', create_change.expected_benefit,
		'long_term_impact', create_change.long_term_impact,
		'requester', create_change.requester,
		'owner', create_change.owner,
		'coordinator', create_change.coordinator,
		'team', create_change.team,
		'priority', create_change.priority,
		'deadline', create_change.deadline,
		'promised_at', create_change.promised_at,
		'rough_estimate_hours', create_change.rough_estimate_hours,
		'environment', create_change.environment,
		'user_impact', create_change.user_impact,
		'affects', create_change.affects,
		'items', create_change.items,
		'implementation_plan', create_change.implementation_plan,
		'rollback_trigger', create_change.rollback_trigger,
		'rollback_plan', create_change.rollback_plan,
		'rollback_minutes', create_change.rollback_minutes,
		'rollback_strategy', create_change.rollback_strategy,
		'test_plan', create_change.test_plan,
		'verification_plan', create_change.verification_plan,
		'risk_level', create_change.risk_level,
		'planned_start', create_change.planned_start,
		'planned_end', create_change.planned_end,
		'estimated_minutes', create_change.estimated_minutes,
		'touches_data_integrity', create_change.touches_data_integrity,
		'touches_security', create_change.touches_security,
		'confidential', create_change.confidential,
		'unplanned', create_change.unplanned,
		'cost_planned', create_change.cost_planned,
		'source', create_change.source,
		'source_key', create_change.source_key,
		'attributes', create_change.attributes)) AS s;
END;
COMMENT ON FUNCTION changemgmt.create_change(
	text, text, text, text, text, text, text, text, text, text, text, text, text, text, timestamptz, timestamptz, numeric, text, text, text[], text[], text, text, text, integer, text, text, text, text, timestamptz, timestamptz, integer, boolean, boolean, boolean, boolean, numeric, text, text, jsonb) IS
	'Creates a change; call it with named arguments. People, teams and items by name; what a template fills in gives way to what is given. Errors: MC008, MC009.';


-- Waiving

CREATE FUNCTION changemgmt.waive(
	change_id bigint, requirement text, reason text) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_waiver (change_id, requirement, reason)
	VALUES (waive.change_id, waive.requirement, waive.reason)
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.waive(bigint, text, text) IS
	'Waives a requirement of a change until it is revised, by a manager, where its model lets it be waived; returns the id of the row. Errors: MC003.';

-- Views

CREATE VIEW changemgmt.request_queue WITH (security_invoker = true) AS
	WITH request AS (
		SELECT c.id, c.title, c.type, c.priority, c.deadline, c.created_at,
			   c.rough_estimate_hours, c.affects,
			   r.login AS requester, coalesce(r.is_executive, false) AS is_executive,
			   k.login AS coordinator,
			   c.deadline IS NOT NULL
			   AND c.deadline < now() + '7 days'::interval AS is_due,
			   coalesce(c.rough_estimate_hours <= 0.5, false) AS is_quick,
			   CASE c.priority WHEN 'critical' THEN 1 WHEN 'high' THEN 2
				   WHEN 'medium' THEN 3 WHEN 'low' THEN 4 ELSE 3 END AS urgency,
			   CASE WHEN 'clients' = ANY (c.affects) THEN 1
				   WHEN 'customers' = ANY (c.affects) THEN 2
				   WHEN 'business' = ANY (c.affects) THEN 3
				   WHEN 'internal_staff' = ANY (c.affects) THEN 4
				   ELSE 3 END AS reach
		FROM changemgmt.change AS c
		LEFT JOIN changemgmt.person AS r ON r.id = c.requester_id
		LEFT JOIN changemgmt.person AS k ON k.id = c.coordinator_id
		WHERE c.status = 'draft' AND c.owner_id IS NULL
	)
	SELECT row_number() OVER (ORDER BY (priority IS NOT DISTINCT FROM 'critical') DESC,
								  is_due DESC, is_quick DESC, is_executive DESC,
								  urgency, reach, deadline NULLS LAST,
								  created_at, id) AS place,
		   id, changemgmt.change_number(id) AS number, title, type, priority,
		   requester, coordinator, deadline, rough_estimate_hours,
		   concat_ws('; ',
			   CASE WHEN priority = 'critical' THEN 'critical now' END,
			   CASE WHEN is_due AND deadline < now() THEN 'deadline is over'
				   WHEN is_due THEN 'deadline within a week' END,
			   CASE WHEN is_quick THEN 'done within half an hour' END,
			   CASE WHEN is_executive THEN 'asked for by an executive' END,
			   CASE WHEN priority IS NULL THEN 'no priority given, taken as medium'
				   WHEN priority <> 'critical' THEN 'priority ' || priority END,
			   CASE WHEN affects IS NULL OR affects = '{}' THEN 'nobody named who is affected'
				   ELSE 'affects ' || array_to_string(affects, ', ') END
		   ) AS reason,
		   created_at,
		   (extract(epoch FROM now() - created_at) / 3600)::double precision AS age_hours
	FROM request;
COMMENT ON VIEW changemgmt.request_queue IS
	'Requests that nobody owns yet, in the order in which a coordinator should take them: critical, due, quick, executive, then priority, who is affected, deadline and age.';
COMMENT ON COLUMN changemgmt.request_queue.place IS 'Place in the queue, from 1.';
COMMENT ON COLUMN changemgmt.request_queue.id IS 'Id of the change.';
COMMENT ON COLUMN changemgmt.request_queue.number IS 'Number of the change.';
COMMENT ON COLUMN changemgmt.request_queue.title IS 'What is asked for.';
COMMENT ON COLUMN changemgmt.request_queue.type IS 'standard, normal, major, emergency or latent.';
COMMENT ON COLUMN changemgmt.request_queue.priority IS 'low, medium, high or critical; null is taken as medium.';
COMMENT ON COLUMN changemgmt.request_queue.requester IS 'Login of who asks.';
COMMENT ON COLUMN changemgmt.request_queue.coordinator IS 'Login of who has received it.';
COMMENT ON COLUMN changemgmt.request_queue.deadline IS 'When it must be done.';
COMMENT ON COLUMN changemgmt.request_queue.rough_estimate_hours IS 'First estimate of the work, in hours.';
COMMENT ON COLUMN changemgmt.request_queue.reason IS 'Why it stands at this place, in words.';
COMMENT ON COLUMN changemgmt.request_queue.created_at IS 'When it was filed.';
COMMENT ON COLUMN changemgmt.request_queue.age_hours IS 'Hours since it was filed.';

CREATE FUNCTION changemgmt.change_header(change_id bigint) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED
BEGIN ATOMIC
	SELECT concat_ws(E'\n',
		changemgmt.change_number(c.id) || ' ' || c.title,
		'Type:         ' || c.type || ' (' || c.model || ')',
		'Owner:        ' || coalesce(o.name, 'nobody yet'),
		'Services:     ' || coalesce((
			SELECT string_agg(ci.name, ', ' ORDER BY i.role DESC, ci.name)
			FROM changemgmt.change_item AS i
			JOIN changemgmt.configuration_item AS ci ON ci.id = i.ci_id
			WHERE i.change_id = c.id), 'none named'),
		'Risk:         ' || coalesce(c.risk_level, (
			SELECT format('%s likelihood, %s impact: %s', k.likelihood, k.impact,
						  rtrim(k.description, '. '))
			FROM changemgmt.change_risk AS k
			WHERE k.change_id = c.id
			ORDER BY array_position(ARRAY['high', 'medium', 'low'], k.impact),
					 array_position(ARRAY['high', 'medium', 'low'], k.likelihood),
					 k.id
			LIMIT 1), 'not assessed'),
		'Time:         ' || coalesce(
			to_char(c.planned_start, 'YYYY-MM-DD HH24:MI') || ' to ' ||
			to_char(c.planned_end, 'YYYY-MM-DD HH24:MI TZ'), 'not planned'),
		'Rollback:     ' || coalesce(nullif(concat_ws(E'\n              ',
			'when ' || rtrim(c.rollback_trigger, '. '),
			rtrim(c.rollback_plan, '. '),
			c.rollback_minutes || ' minutes'), ''), 'not planned'),
		'Verification: ' || coalesce(c.verification_plan, (
			SELECT string_agg(v.title, ', ' ORDER BY v.id)
			FROM changemgmt.change_check AS v
			WHERE v.change_id = c.id AND v.is_planned), 'not planned'),
		'Approval:     ' || CASE
			WHEN c.approved_at IS NOT NULL THEN
				'approved ' || to_char(c.approved_at, 'YYYY-MM-DD HH24:MI TZ')
			WHEN c.status = 'rejected' THEN 'rejected'
			WHEN c.status = 'awaiting_approval' THEN 'awaited'
			WHEN c.authorised_by_id IS NOT NULL THEN
				'authorised by ' || a.name
			ELSE 'none yet' END,
		'Status:       ' || c.status || CASE WHEN c.on_hold THEN ', on hold' ELSE '' END,
		'Outcome:      ' || coalesce(c.outcome, 'none yet'))
	FROM changemgmt.change AS c
	LEFT JOIN changemgmt.person AS o ON o.id = c.owner_id
	LEFT JOIN changemgmt.person AS a ON a.id = c.authorised_by_id
	WHERE c.id = change_header.change_id;
END;
COMMENT ON FUNCTION changemgmt.change_header(bigint) IS
	'The header of a change as text to copy and paste: title, type, owner, services, risk, time, rollback, verification, approval, status, outcome.';


SELECT pg_catalog.pg_extension_config_dump('changemgmt.site_requirement', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_waiver', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_waiver_id_seq', '');
-- approval: votes, the tally, segregation of duties.

CREATE TABLE changemgmt.approval_vote (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	change_id bigint NOT NULL REFERENCES changemgmt.change,
	round integer NOT NULL,
	person_id bigint NOT NULL REFERENCES changemgmt.person,
	decision text NOT NULL
		CHECK (decision IN ('approved', 'rejected', 'deferred', 'abstained')),
	reason text,
	voted_at timestamptz NOT NULL DEFAULT now(),
	plan_revision bigint NOT NULL,
	seal bytea NOT NULL CHECK (octet_length(seal) = 32),
	UNIQUE (change_id, round, person_id)
);
COMMENT ON TABLE changemgmt.approval_vote IS 'Votes on changes. Only those of the round under way that are sealed to the plan as it is count.';
COMMENT ON COLUMN changemgmt.approval_vote.round IS 'Round of the change (approval_round) that the vote belongs to.';
COMMENT ON COLUMN changemgmt.approval_vote.person_id IS 'Who voted.';
COMMENT ON COLUMN changemgmt.approval_vote.decision IS 'approved, rejected, deferred or abstained';
COMMENT ON COLUMN changemgmt.approval_vote.reason IS 'Why; needed for all but approved.';
COMMENT ON COLUMN changemgmt.approval_vote.voted_at IS 'When.';
COMMENT ON COLUMN changemgmt.approval_vote.plan_revision IS 'plan_revision of the change when the vote was given.';
COMMENT ON COLUMN changemgmt.approval_vote.seal IS 'SHA-256 of the canonical plan that the vote was given for.';
CREATE TRIGGER zzz_stamp
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.approval_vote
	FOR EACH ROW EXECUTE FUNCTION changemgmt.part_stamp();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.approval_vote
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.approval_vote
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER part_inserted
	AFTER INSERT ON changemgmt.approval_vote
	REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_updated
	AFTER UPDATE ON changemgmt.approval_vote
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_deleted
	AFTER DELETE ON changemgmt.approval_vote
	REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.approval_vote
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();

CREATE FUNCTION changemgmt.vote_stamp() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'vote_stamp';
COMMENT ON FUNCTION changemgmt.vote_stamp() IS
	'Trigger: stamps who votes, in which round and for which plan.';
CREATE FUNCTION changemgmt.vote_judge() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'vote_judge';
COMMENT ON FUNCTION changemgmt.vote_judge() IS
	'Trigger: only eligible people vote (MC003), on what is not their own (MC004), while it waits for approval (MC001).';
CREATE FUNCTION changemgmt.vote_tally() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'vote_tally';
COMMENT ON FUNCTION changemgmt.vote_tally() IS
	'Trigger: where the votes decide, the change takes the step that they mean.';

CREATE FUNCTION changemgmt.condition_judge() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'condition_judge';
COMMENT ON FUNCTION changemgmt.condition_judge() IS
	'Trigger: only who may vote on a change sets, rewrites or takes away conditions (MC003).';

CREATE TRIGGER condition_judge
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.change_task
	FOR EACH ROW EXECUTE FUNCTION changemgmt.condition_judge();
CREATE TRIGGER zzzz_stamp_vote
	BEFORE INSERT OR UPDATE ON changemgmt.approval_vote
	FOR EACH ROW EXECUTE FUNCTION changemgmt.vote_stamp();
CREATE TRIGGER judge
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.approval_vote
	FOR EACH ROW EXECUTE FUNCTION changemgmt.vote_judge();
-- after part_inserted and part_updated, which raise the revision
CREATE TRIGGER tally_inserted
	AFTER INSERT ON changemgmt.approval_vote
	REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.vote_tally();
CREATE TRIGGER tally_updated
	AFTER UPDATE ON changemgmt.approval_vote
	REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.vote_tally();

CREATE FUNCTION changemgmt.approve(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'approve';
COMMENT ON FUNCTION changemgmt.approve(bigint, text, bigint) IS
	'Votes for a change that waits for approval; the change is approved with the vote that completes the quorum. Errors: MC001, MC003, MC004, MC010.';

CREATE FUNCTION changemgmt.reject(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'reject';
COMMENT ON FUNCTION changemgmt.reject(bigint, text, bigint) IS
	'Votes against a change, with a reason. Errors: MC001, MC003, MC004, MC010.';

CREATE FUNCTION changemgmt.defer(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'defer';
COMMENT ON FUNCTION changemgmt.defer(bigint, text, bigint) IS
	'Votes to put a change off until it is better prepared, with a reason. Errors: MC001, MC003, MC004, MC010.';

CREATE FUNCTION changemgmt.abstain(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'abstain';
COMMENT ON FUNCTION changemgmt.abstain(bigint, text, bigint) IS
	'Takes part without deciding, with a reason. Errors: MC001, MC003, MC004, MC010.';

CREATE TYPE changemgmt.approval_count AS (
	board text,
	needed integer,
	eligible integer,
	approved integer,
	rejected integer,
	deferred integer,
	abstained integer,
	stale integer,
	missing text
);
COMMENT ON TYPE changemgmt.approval_count IS
	'What approval_tally() returns: the votes of the round that count, and what is missing.';
CREATE FUNCTION changemgmt.approval_tally(change_id bigint)
	RETURNS SETOF changemgmt.approval_count
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 1
	AS 'MODULE_PATHNAME', 'approval_tally';
COMMENT ON FUNCTION changemgmt.approval_tally(bigint) IS
	'Where the votes on a change stand: the board (null where one approver decides), how many approvals it needs, how many people may vote, fresh votes by decision, votes for another plan, and what is missing in words.';

CREATE VIEW changemgmt.cab_queue WITH (security_invoker = true) AS
	SELECT row_number() OVER (ORDER BY CASE c.risk_level WHEN 'critical' THEN 1
								  WHEN 'high' THEN 2 WHEN 'medium' THEN 3
								  WHEN 'low' THEN 4 ELSE 2 END,
								  c.planned_start, c.submitted_at, c.id) AS place,
		   t.board, c.id, changemgmt.change_number(c.id) AS number, c.title,
		   c.type, r.login AS requester, o.login AS owner, g.name AS team,
		   c.environment, i.services,
		   coalesce(c.risk_level, 'unknown') AS risk_level,
		   coalesce(k.reason, CASE WHEN c.risk_level IS NULL
					THEN 'nobody has assessed it' ELSE 'assessed without a register' END)
		   || CASE WHEN c.touches_data_integrity THEN '; touches data integrity' ELSE '' END
		   || CASE WHEN c.touches_security THEN '; touches security' ELSE '' END
		   AS risk_reason,
		   c.planned_start, c.planned_end,
		   coalesce(c.planned_start >= changemgmt.earliest_start(c.id), false)
		   AS notice_kept,
		   t.approved AS approvals_have, t.needed AS approvals_need,
		   t.eligible AS may_vote, t.stale AS votes_stale, t.missing,
		   c.submitted_at,
		   (extract(epoch FROM now() - c.submitted_at) / 3600)::double precision
		   AS age_hours
	FROM changemgmt.change AS c
	CROSS JOIN LATERAL changemgmt.approval_tally(c.id) AS t
	LEFT JOIN changemgmt.person AS r ON r.id = c.requester_id
	LEFT JOIN changemgmt.person AS o ON o.id = c.owner_id
	LEFT JOIN changemgmt.team AS g ON g.id = c.team_id
	LEFT JOIN LATERAL (
		SELECT string_agg(ci.name, ', ' ORDER BY ci.name) AS services
		FROM changemgmt.change_item AS x
		JOIN changemgmt.configuration_item AS ci ON ci.id = x.ci_id
		WHERE x.change_id = c.id
	) AS i ON true
	LEFT JOIN LATERAL (
		SELECT string_agg(format('%s (%s likelihood, %s impact)', y.description,
								 y.likelihood, y.impact), '; '
						  ORDER BY CASE y.impact WHEN 'high' THEN 3 WHEN 'medium' THEN 2 ELSE 1 END
								 * CASE y.likelihood WHEN 'high' THEN 3 WHEN 'medium' THEN 2 ELSE 1 END DESC,
								 y.id) AS reason
		FROM changemgmt.change_risk AS y
		WHERE y.change_id = c.id
	) AS k ON true
	WHERE c.status = 'awaiting_approval' AND NOT c.on_hold
	  AND t.board IS NOT NULL;
COMMENT ON VIEW changemgmt.cab_queue IS
	'What boards have to decide on, in the order in which they should: the risk first (unknown counts as high), then the start.';
COMMENT ON COLUMN changemgmt.cab_queue.place IS 'Place in the queue, from 1.';
COMMENT ON COLUMN changemgmt.cab_queue.board IS 'The board that decides.';
COMMENT ON COLUMN changemgmt.cab_queue.id IS 'Id of the change.';
COMMENT ON COLUMN changemgmt.cab_queue.number IS 'Number of the change.';
COMMENT ON COLUMN changemgmt.cab_queue.title IS 'What it is.';
COMMENT ON COLUMN changemgmt.cab_queue.type IS 'standard, normal, major, emergency or latent.';
COMMENT ON COLUMN changemgmt.cab_queue.requester IS 'Login of who asks.';
COMMENT ON COLUMN changemgmt.cab_queue.owner IS 'Login of who is accountable.';
COMMENT ON COLUMN changemgmt.cab_queue.team IS 'The team that carries it out.';
COMMENT ON COLUMN changemgmt.cab_queue.environment IS 'Where it is done.';
COMMENT ON COLUMN changemgmt.cab_queue.services IS 'Configuration items that it changes or affects.';
COMMENT ON COLUMN changemgmt.cab_queue.risk_level IS 'low, medium, high, critical or unknown.';
COMMENT ON COLUMN changemgmt.cab_queue.risk_reason IS 'Why: the risks of the register, the worst first.';
COMMENT ON COLUMN changemgmt.cab_queue.planned_start IS 'When it is to begin.';
COMMENT ON COLUMN changemgmt.cab_queue.planned_end IS 'When it is to end.';
COMMENT ON COLUMN changemgmt.cab_queue.notice_kept IS 'Whether the business days of notice of its model lie before the start.';
COMMENT ON COLUMN changemgmt.cab_queue.approvals_have IS 'Fresh approvals.';
COMMENT ON COLUMN changemgmt.cab_queue.approvals_need IS 'Approvals that the model asks for.';
COMMENT ON COLUMN changemgmt.cab_queue.may_vote IS 'How many people may vote.';
COMMENT ON COLUMN changemgmt.cab_queue.votes_stale IS 'Votes that were given for another plan.';
COMMENT ON COLUMN changemgmt.cab_queue.missing IS 'What is missing, in words.';
COMMENT ON COLUMN changemgmt.cab_queue.submitted_at IS 'When it was last submitted.';
COMMENT ON COLUMN changemgmt.cab_queue.age_hours IS 'Hours since then.';

SELECT pg_catalog.pg_extension_config_dump('changemgmt.approval_vote', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.approval_vote_id_seq', '');
-- incident: what broke, and which change is confirmed to have caused it.

CREATE TABLE changemgmt.incident (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	reference text UNIQUE CHECK (reference <> ''),
	title text,
	severity integer CHECK (severity BETWEEN 1 AND 5),
	began_at timestamptz CHECK (isfinite(began_at)),
	detected_at timestamptz CHECK (isfinite(detected_at)),
	resolved_at timestamptz CHECK (isfinite(resolved_at)),
	outage_minutes integer CHECK (outage_minutes >= 0),
	created_at timestamptz NOT NULL DEFAULT now(),
	CHECK (resolved_at >= began_at)
);
COMMENT ON TABLE changemgmt.incident IS
	'Incidents. One that an emergency names and nobody has recorded yet is created as a stub.';
COMMENT ON COLUMN changemgmt.incident.reference IS 'Its id in another system, such as INC0012345.';
COMMENT ON COLUMN changemgmt.incident.title IS 'What is wrong, in one line; null in a stub.';
COMMENT ON COLUMN changemgmt.incident.severity IS '1 (everything is down) to 5 (nobody notices).';
COMMENT ON COLUMN changemgmt.incident.began_at IS 'When it began.';
COMMENT ON COLUMN changemgmt.incident.detected_at IS 'When somebody or something noticed.';
COMMENT ON COLUMN changemgmt.incident.resolved_at IS 'When it was resolved; null as long as it is not.';
COMMENT ON COLUMN changemgmt.incident.outage_minutes IS 'Minutes of outage it meant for users.';
COMMENT ON COLUMN changemgmt.incident.created_at IS 'When the record was made.';

CREATE TABLE changemgmt.incident_cause (
	incident_id bigint NOT NULL REFERENCES changemgmt.incident,
	change_id bigint NOT NULL REFERENCES changemgmt.change,
	status text NOT NULL DEFAULT 'suspected'
		CHECK (status IN ('suspected', 'confirmed', 'dismissed')),
	decided_by_id bigint REFERENCES changemgmt.person,
	decided_at timestamptz,
	PRIMARY KEY (incident_id, change_id)
);
COMMENT ON TABLE changemgmt.incident_cause IS
	'Changes that are suspected or confirmed to have caused an incident; only confirmed ones count.';
COMMENT ON COLUMN changemgmt.incident_cause.status IS 'suspected, confirmed or dismissed';
COMMENT ON COLUMN changemgmt.incident_cause.decided_by_id IS 'Who confirmed or dismissed it.';
COMMENT ON COLUMN changemgmt.incident_cause.decided_at IS 'When.';
CREATE INDEX incident_cause_change_id_idx
	ON changemgmt.incident_cause (change_id) WHERE status = 'confirmed';

ALTER TABLE changemgmt.change
	ADD CONSTRAINT change_incident_id_fkey
	FOREIGN KEY (incident_id) REFERENCES changemgmt.incident;

CREATE FUNCTION changemgmt.incident_id(incident text) RETURNS bigint
	LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.incident (reference)
	SELECT incident_id.incident
	WHERE incident_id.incident <> ''
	  AND NOT EXISTS (SELECT FROM changemgmt.incident AS i
					  WHERE i.id::text = incident_id.incident)
	ON CONFLICT (reference) DO NOTHING;
	SELECT coalesce(
		(SELECT i.id FROM changemgmt.incident AS i
		 WHERE i.reference = incident_id.incident),
		(SELECT i.id FROM changemgmt.incident AS i
		 WHERE i.id::text = incident_id.incident));
END;
COMMENT ON FUNCTION changemgmt.incident_id(text) IS
	'The id of an incident by its id or reference; one that nobody has recorded yet is created as a stub. Null for an empty text.';

CREATE FUNCTION changemgmt.declare_emergency(
	title text,
	incident text,
	authorised_by text,
	emergency_threshold text,
	description text DEFAULT NULL,
	owner text DEFAULT NULL,
	items text[] DEFAULT NULL,
	model text DEFAULT 'emergency',
	actual_start timestamptz DEFAULT NULL,
	actual_end timestamptz DEFAULT NULL,
	attributes jsonb DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
	WITH declared AS MATERIALIZED (
		SELECT s.* FROM changemgmt.create_change_from(jsonb_build_object(
			'title', declare_emergency.title,
			'incident_id', changemgmt.incident_id(declare_emergency.incident),
			'authorised_by', declare_emergency.authorised_by,
			'emergency_threshold', declare_emergency.emergency_threshold,
			'description', declare_emergency.description,
			'owner', declare_emergency.owner,
			'items', declare_emergency.items,
			'model', declare_emergency.model,
			'unplanned', true,
			'actual_start', declare_emergency.actual_start,
			'attributes', declare_emergency.attributes)) AS s
	)
	SELECT d.* FROM declared AS d WHERE declare_emergency.actual_end IS NULL
	UNION ALL
	SELECT c.* FROM declared AS d
	CROSS JOIN LATERAL changemgmt.complete(d.id, declare_emergency.actual_end) AS c
	WHERE declare_emergency.actual_end IS NOT NULL;
END;
COMMENT ON FUNCTION changemgmt.declare_emergency(text, text, text, text, text, text, text[], text, timestamptz, timestamptz, jsonb) IS
	'Creates an emergency change that is in progress: the incident it answers (by id or reference, created where it is unknown), who authorised it (login), and production_down, data_at_risk or security_breach. With the real start and end, at most 24 hours ago, it is recorded afterwards. Errors: MC002, MC008.';

CREATE FUNCTION changemgmt.record_unauthorized(
	title text,
	found_by text,
	actual_start timestamptz,
	actual_end timestamptz,
	description text DEFAULT NULL,
	owner text DEFAULT NULL,
	implementer text DEFAULT NULL,
	items text[] DEFAULT NULL,
	model text DEFAULT 'latent',
	attributes jsonb DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
	SELECT s.* FROM changemgmt.create_change_from(jsonb_build_object(
		'title', record_unauthorized.title,
		'found_by', record_unauthorized.found_by,
		'actual_start', record_unauthorized.actual_start,
		'actual_end', record_unauthorized.actual_end,
		'description', record_unauthorized.description,
		'owner', record_unauthorized.owner,
		'implementer', record_unauthorized.implementer,
		'items', record_unauthorized.items,
		'model', record_unauthorized.model,
		'unplanned', true,
		'attributes', record_unauthorized.attributes)) AS s;
END;
COMMENT ON FUNCTION changemgmt.record_unauthorized(text, text, timestamptz, timestamptz, text, text, text, text[], text, jsonb) IS
	'Records a change that was made without one: how it was found and when it really happened. It is implemented already. Errors: MC002, MC008.';

CREATE FUNCTION changemgmt.confirm_cause(
	incident text, change_id bigint, confirmed boolean DEFAULT true) RETURNS void
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.incident_cause
		(incident_id, change_id, status, decided_by_id, decided_at)
	SELECT changemgmt.incident_id(confirm_cause.incident),
		   (changemgmt.change_state(confirm_cause.change_id)).id,
		   CASE WHEN confirm_cause.confirmed THEN 'confirmed' ELSE 'dismissed' END,
		   changemgmt.person_id(changemgmt.acting_person()), now()
	ON CONFLICT (incident_id, change_id) DO UPDATE
		SET status = excluded.status, decided_by_id = excluded.decided_by_id,
			decided_at = excluded.decided_at;
END;
COMMENT ON FUNCTION changemgmt.confirm_cause(text, bigint, boolean) IS
	'Confirms (or dismisses) that a change caused an incident: a confirmed change counts as failed, once however many incidents it caused.';

SELECT pg_catalog.pg_extension_config_dump('changemgmt.incident', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.incident_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.incident_cause', '');
-- metrics: facts, and what a month amounts to. docs/metrics.md has the
-- definitions in words. Columns of both views are plain types that any BI tool
-- reads; durations are seconds.

-- One place for every verdict on a change: monthly_metrics only counts them.
--
-- The joins to grouped rows are made so that both ways of use are fast: for
-- one change_id the planner pushes the id into them, for many changes it
-- hashes them once. Their results are tested as columns, so a verdict may be
-- used many times at no cost. A join whose columns nobody asks for is removed.
CREATE VIEW changemgmt.change_fact WITH (security_invoker = true) AS
	SELECT
		c.id AS change_id,
		changemgmt.change_number(c.id) AS number,
		CASE WHEN NOT c.confidential THEN c.title END AS title,
		c.model,
		c.type,
		c.category,
		c.environment,
		c.priority,
		c.risk_level,
		team.name AS team,
		owner.login AS owner,
		c.source,
		c.source_key,
		c.status,
		c.outcome,
		c.cause_class,
		c.created_at,
		c.first_submitted_at,
		c.planned_start,
		c.planned_end,
		commits.first_commit_at,
		c.actual_start,
		c.deployed_at,
		c.actual_end,
		c.rollback_started_at,
		c.rolled_back_at,
		c.recovered_at,
		c.closed_at,
		v.is_counted,
		CASE WHEN v.is_counted THEN
			date_trunc('month', c.actual_end AT TIME ZONE
				(SELECT changemgmt.setting_value('reporting_time_zone')))::date
		END AS month,
		CASE
			WHEN NOT v.is_counted THEN NULL
			WHEN c.outcome IS NULL THEN 'pending'
			WHEN c.outcome = 'rolled_back' THEN 'rolled_back'
			WHEN v.is_failed THEN 'failed'
			ELSE c.outcome
		END AS verdict,
		v.is_failed,
		(SELECT count(*)
		 FROM changemgmt.incident_cause AS cause
		 WHERE cause.change_id = c.id
		   AND cause.status = 'confirmed') AS incidents_caused,
		(SELECT coalesce(sum(i.outage_minutes), 0)
		 FROM changemgmt.incident_cause AS cause
		 JOIN changemgmt.incident AS i ON i.id = cause.incident_id
		 WHERE cause.change_id = c.id
		   AND cause.status = 'confirmed') AS outage_minutes,
		EXISTS (SELECT FROM changemgmt.change_link AS l
				WHERE l.target_change_id = c.id
				  AND l.target_change_id IS NOT NULL
				  AND l.relation IN ('remediates', 'backs_out')) AS is_remediated,
		c.type = 'standard' AS is_standard,
		c.type = 'emergency' AS is_emergency,
		c.type = 'latent' AS is_unauthorized,
		EXISTS (SELECT FROM changemgmt.change_waiver AS w
				WHERE w.change_id = c.id) AS is_waived,
		(c.unplanned OR c.type IN ('emergency', 'latent'))
			AND (c.incident_id IS NOT NULL
				 OR EXISTS (SELECT FROM changemgmt.change_link AS l
							WHERE l.change_id = c.id
							  AND l.relation = 'resolves')) AS is_rework,
		CASE WHEN c.planned_start IS NOT NULL AND c.planned_end IS NOT NULL
			THEN c.actual_start < c.planned_start OR c.actual_end > c.planned_end
		END AS is_outside_window,
		v.actual_seconds,
		v.estimated_seconds,
		abs(v.actual_seconds - v.estimated_seconds)
			/ nullif(v.estimated_seconds, 0) AS duration_variance,
		CASE WHEN c.outcome = 'rolled_back'
				  AND c.rolled_back_at >= coalesce(c.deployed_at, c.rollback_started_at)
			THEN date_part('epoch', c.rolled_back_at
						   - coalesce(c.deployed_at, c.rollback_started_at))
		END AS time_to_rollback_seconds,
		v.rollback_seconds,
		v.rollback_seconds <= c.rollback_minutes * 60::double precision
			AS is_rollback_within_plan,
		CASE
			WHEN NOT v.is_failed THEN NULL
			WHEN v.recovered_at >= c.deployed_at
				THEN date_part('epoch', v.recovered_at - c.deployed_at)
			WHEN v.recovered_at >= c.actual_start
				THEN date_part('epoch', v.recovered_at - c.actual_start)
		END AS recovery_seconds,
		CASE WHEN c.deployed_at >= coalesce(commits.first_commit_at, c.created_at)
				  AND isfinite(coalesce(commits.first_commit_at, c.created_at))
			THEN date_part('epoch', c.deployed_at
						   - coalesce(commits.first_commit_at, c.created_at))
		END AS lead_time_seconds,
		CASE WHEN isfinite(c.first_submitted_at)
			THEN date_part('epoch', c.planned_start - c.first_submitted_at)
		END AS notice_seconds
	FROM changemgmt.change AS c
	LEFT JOIN changemgmt.team ON team.id = c.team_id
	LEFT JOIN changemgmt.person AS owner ON owner.id = c.owner_id
	LEFT JOIN LATERAL (
		SELECT min(l.occurred_at) AS first_commit_at
		FROM changemgmt.change_link AS l
		WHERE l.change_id = c.id
		  AND l.relation = 'commit'
		  AND isfinite(l.occurred_at)
	) AS commits ON true
	CROSS JOIN LATERAL (
		SELECT
			c.environment = 'production'
				AND c.actual_start IS NOT NULL
				AND c.actual_end IS NOT NULL
				AND c.outcome IS DISTINCT FROM 'not_implemented' AS is_counted,
			coalesce(c.outcome IN ('failed', 'rolled_back'), false)
				OR EXISTS (SELECT FROM changemgmt.incident_cause AS cause
						   WHERE cause.change_id = c.id
							 AND cause.status = 'confirmed')
				OR EXISTS (SELECT FROM changemgmt.change_link AS l
						   WHERE l.target_change_id = c.id
							 AND l.target_change_id IS NOT NULL
							 AND l.relation IN ('remediates', 'backs_out'))
				AS is_failed,
			-- an open incident has no end in sight
			coalesce(c.recovered_at, nullif(greatest(
				c.rolled_back_at,
				(SELECT max(coalesce(i.resolved_at, 'infinity'))
				 FROM changemgmt.incident_cause AS cause
				 JOIN changemgmt.incident AS i ON i.id = cause.incident_id
				 WHERE cause.change_id = c.id
				   AND cause.status = 'confirmed')), 'infinity')) AS recovered_at,
			date_part('epoch', c.actual_end - c.actual_start) AS actual_seconds,
			coalesce(c.estimated_minutes * 60::double precision,
					 date_part('epoch', c.planned_end - c.planned_start))
				AS estimated_seconds,
			CASE WHEN c.rolled_back_at >= c.rollback_started_at
				THEN date_part('epoch', c.rolled_back_at - c.rollback_started_at)
			END AS rollback_seconds
	) AS v;
COMMENT ON VIEW changemgmt.change_fact IS 'A row a change: its facts, and the verdicts that the metrics are made of. Durations are seconds, and null where something is missing or the end lies before the start.';
COMMENT ON COLUMN changemgmt.change_fact.change_id IS 'Id of the change.';
COMMENT ON COLUMN changemgmt.change_fact.number IS 'Number of the change, such as CHG0000042.';
COMMENT ON COLUMN changemgmt.change_fact.title IS 'What it is, in one line; null where the change is confidential.';
COMMENT ON COLUMN changemgmt.change_fact.model IS 'Key of the change model.';
COMMENT ON COLUMN changemgmt.change_fact.type IS 'standard, normal, major, emergency or latent.';
COMMENT ON COLUMN changemgmt.change_fact.category IS 'release, configuration, infrastructure, feature_flag, data_migration, dependency, schema, security or other.';
COMMENT ON COLUMN changemgmt.change_fact.environment IS 'development, test, staging or production; only production is counted.';
COMMENT ON COLUMN changemgmt.change_fact.priority IS 'low, medium, high or critical.';
COMMENT ON COLUMN changemgmt.change_fact.risk_level IS 'low, medium, high or critical.';
COMMENT ON COLUMN changemgmt.change_fact.team IS 'Name of the team that carries it out.';
COMMENT ON COLUMN changemgmt.change_fact.owner IS 'Login of the owner.';
COMMENT ON COLUMN changemgmt.change_fact.source IS 'The system that the change came from.';
COMMENT ON COLUMN changemgmt.change_fact.source_key IS 'Its key in that system.';
COMMENT ON COLUMN changemgmt.change_fact.status IS 'Where in its life the change is.';
COMMENT ON COLUMN changemgmt.change_fact.outcome IS 'The outcome as it was recorded: successful, successful_with_issues, rolled_back, failed or not_implemented; null before it is known.';
COMMENT ON COLUMN changemgmt.change_fact.cause_class IS 'Why it was rolled back: testing, plan, environment, dependency, human, vendor, capacity or unknown.';
COMMENT ON COLUMN changemgmt.change_fact.created_at IS 'When the record was made.';
COMMENT ON COLUMN changemgmt.change_fact.first_submitted_at IS 'When it was first submitted.';
COMMENT ON COLUMN changemgmt.change_fact.planned_start IS 'Start of the planned window.';
COMMENT ON COLUMN changemgmt.change_fact.planned_end IS 'End of the planned window.';
COMMENT ON COLUMN changemgmt.change_fact.first_commit_at IS 'Time of the first commit linked to the change.';
COMMENT ON COLUMN changemgmt.change_fact.actual_start IS 'When the work began.';
COMMENT ON COLUMN changemgmt.change_fact.deployed_at IS 'When the work was complete; null where it never was.';
COMMENT ON COLUMN changemgmt.change_fact.actual_end IS 'When the work last left in_progress.';
COMMENT ON COLUMN changemgmt.change_fact.rollback_started_at IS 'When rolling back began.';
COMMENT ON COLUMN changemgmt.change_fact.rolled_back_at IS 'When the old state was reached again.';
COMMENT ON COLUMN changemgmt.change_fact.recovered_at IS 'When service was restored after a failure, as recorded.';
COMMENT ON COLUMN changemgmt.change_fact.closed_at IS 'When it was closed.';
COMMENT ON COLUMN changemgmt.change_fact.is_counted IS 'Whether the metrics count it: environment production, actual start and end known, outcome not not_implemented.';
COMMENT ON COLUMN changemgmt.change_fact.month IS 'First day of the month that it counts in: that of actual_end in the reporting time zone; null where it is not counted.';
COMMENT ON COLUMN changemgmt.change_fact.verdict IS 'pending, successful, successful_with_issues, rolled_back or failed (any other failure, whatever outcome was recorded): exactly one for a change that is counted, else null.';
COMMENT ON COLUMN changemgmt.change_fact.is_failed IS 'Whether it failed: outcome failed or rolled_back, or a confirmed incident was caused by it, or another change remediates it or backs it out.';
COMMENT ON COLUMN changemgmt.change_fact.incidents_caused IS 'Confirmed incidents caused by it. An incident with two causes is here at both; monthly_metrics counts it once.';
COMMENT ON COLUMN changemgmt.change_fact.outage_minutes IS 'Minutes of outage of these incidents.';
COMMENT ON COLUMN changemgmt.change_fact.is_remediated IS 'Whether another change is linked to it as remediates or backs_out.';
COMMENT ON COLUMN changemgmt.change_fact.is_standard IS 'Whether it is of type standard.';
COMMENT ON COLUMN changemgmt.change_fact.is_emergency IS 'Whether it is of type emergency.';
COMMENT ON COLUMN changemgmt.change_fact.is_unauthorized IS 'Whether it is of type latent: done first, recorded afterwards.';
COMMENT ON COLUMN changemgmt.change_fact.is_waived IS 'Whether a requirement was waived for it.';
COMMENT ON COLUMN changemgmt.change_fact.is_rework IS 'Whether it is unplanned (marked so, or of type emergency or latent) and resolves an incident (answers one, or has a link resolves).';
COMMENT ON COLUMN changemgmt.change_fact.is_outside_window IS 'Whether it began before or ended after its planned window; null without a planned window or actual times.';
COMMENT ON COLUMN changemgmt.change_fact.actual_seconds IS 'How long the work took: actual_end - actual_start.';
COMMENT ON COLUMN changemgmt.change_fact.estimated_seconds IS 'How long it was expected to take: the estimate, or the length of the planned window where there is none.';
COMMENT ON COLUMN changemgmt.change_fact.duration_variance IS '|actual - estimated| / estimated: 0.2 is 20 % off either way; null where estimated is 0.';
COMMENT ON COLUMN changemgmt.change_fact.time_to_rollback_seconds IS 'Of a rolled-back change: rolled_back_at - deployed_at, or - rollback_started_at where nothing was ever complete.';
COMMENT ON COLUMN changemgmt.change_fact.rollback_seconds IS 'How long rolling back took: rolled_back_at - rollback_started_at.';
COMMENT ON COLUMN changemgmt.change_fact.is_rollback_within_plan IS 'Whether that is no more than the planned rollback minutes; null where either is missing.';
COMMENT ON COLUMN changemgmt.change_fact.recovery_seconds IS 'Of a failed change: until recovered_at, else the later of rolled_back_at and the resolution of all incidents that it caused (null as long as one is open); from deployed_at, or from actual_start where that is null or later.';
COMMENT ON COLUMN changemgmt.change_fact.lead_time_seconds IS 'deployed_at - the first linked commit, or - created_at where no commit is linked.';
COMMENT ON COLUMN changemgmt.change_fact.notice_seconds IS 'planned_start - first_submitted_at; negative where it was submitted after its start.';

-- A row a month. The aggregation is LATERAL, so a condition on month reaches
-- the series and only the changes of those months are read, through
-- change_actual_end_idx. The range is a day wider than the month on both ends
-- and change_fact.month decides: local time repeats itself when clocks are set
-- back, in some zones at midnight of a first.
CREATE VIEW changemgmt.monthly_metrics WITH (security_invoker = true) AS
	SELECT
		m.month,
		m.month < m.current_month AS is_complete,
		a.pending > 0
			OR coalesce(a.last_change_at > now() - interval '168 hours', false)
			AS is_provisional,
		a.last_change_at,
		a.changes,
		a.pending,
		a.decided,
		a.failed,
		changemgmt.rate(a.failed, a.decided)::double precision AS change_failure_rate,
		changemgmt.wilson_low(changemgmt.rate(a.failed, a.decided)) AS change_failure_rate_low,
		changemgmt.wilson_high(changemgmt.rate(a.failed, a.decided)) AS change_failure_rate_high,
		a.successful,
		changemgmt.rate(a.successful, a.decided)::double precision AS success_rate,
		changemgmt.wilson_low(changemgmt.rate(a.successful, a.decided)) AS success_rate_low,
		changemgmt.wilson_high(changemgmt.rate(a.successful, a.decided)) AS success_rate_high,
		a.with_issues,
		changemgmt.rate(a.with_issues, a.decided)::double precision AS with_issues_rate,
		changemgmt.wilson_low(changemgmt.rate(a.with_issues, a.decided)) AS with_issues_rate_low,
		changemgmt.wilson_high(changemgmt.rate(a.with_issues, a.decided)) AS with_issues_rate_high,
		a.rolled_back,
		changemgmt.rate(a.rolled_back, a.decided)::double precision AS rollback_rate,
		changemgmt.wilson_low(changemgmt.rate(a.rolled_back, a.decided)) AS rollback_rate_low,
		changemgmt.wilson_high(changemgmt.rate(a.rolled_back, a.decided)) AS rollback_rate_high,
		a.failed_otherwise,
		changemgmt.rate(a.failed_otherwise, a.decided)::double precision AS failed_otherwise_rate,
		changemgmt.wilson_low(changemgmt.rate(a.failed_otherwise, a.decided)) AS failed_otherwise_rate_low,
		changemgmt.wilson_high(changemgmt.rate(a.failed_otherwise, a.decided)) AS failed_otherwise_rate_high,
		a.rollback_times,
		a.time_to_rollback_total_seconds,
		a.time_to_rollback_total_seconds / nullif(a.rollback_times, 0) AS time_to_rollback_mean_seconds,
		a.time_to_rollback_median_seconds,
		a.rollback_durations,
		a.rollback_total_seconds,
		a.rollback_total_seconds / nullif(a.rollback_durations, 0) AS rollback_mean_seconds,
		a.rollback_median_seconds,
		a.rollbacks_with_plan,
		a.rollbacks_within_plan,
		changemgmt.rate(a.rollbacks_within_plan, a.rollbacks_with_plan)::double precision AS rollback_within_plan_rate,
		changemgmt.wilson_low(changemgmt.rate(a.rollbacks_within_plan, a.rollbacks_with_plan)) AS rollback_within_plan_rate_low,
		changemgmt.wilson_high(changemgmt.rate(a.rollbacks_within_plan, a.rollbacks_with_plan)) AS rollback_within_plan_rate_high,
		repair.recoveries,
		repair.recovery_total_seconds,
		repair.recovery_total_seconds / nullif(repair.recoveries, 0) AS recovery_mean_seconds,
		repair.recovery_median_seconds,
		a.lead_times,
		a.lead_time_total_seconds,
		a.lead_time_total_seconds / nullif(a.lead_times, 0) AS lead_time_mean_seconds,
		a.lead_time_median_seconds,
		a.notices,
		a.notice_total_seconds,
		a.notice_total_seconds / nullif(a.notices, 0) AS notice_mean_seconds,
		a.notice_median_seconds,
		a.rework,
		changemgmt.rate(a.rework, a.changes)::double precision AS rework_rate,
		changemgmt.wilson_low(changemgmt.rate(a.rework, a.changes)) AS rework_rate_low,
		changemgmt.wilson_high(changemgmt.rate(a.rework, a.changes)) AS rework_rate_high,
		a.estimated,
		a.duration_variance_median,
		a.within_estimate,
		changemgmt.rate(a.within_estimate, a.estimated)::double precision AS within_estimate_share,
		changemgmt.wilson_low(changemgmt.rate(a.within_estimate, a.estimated)) AS within_estimate_share_low,
		changemgmt.wilson_high(changemgmt.rate(a.within_estimate, a.estimated)) AS within_estimate_share_high,
		a.standard,
		changemgmt.rate(a.standard, a.changes)::double precision AS standard_share,
		changemgmt.wilson_low(changemgmt.rate(a.standard, a.changes)) AS standard_share_low,
		changemgmt.wilson_high(changemgmt.rate(a.standard, a.changes)) AS standard_share_high,
		a.emergency,
		changemgmt.rate(a.emergency, a.changes)::double precision AS emergency_share,
		changemgmt.wilson_low(changemgmt.rate(a.emergency, a.changes)) AS emergency_share_low,
		changemgmt.wilson_high(changemgmt.rate(a.emergency, a.changes)) AS emergency_share_high,
		a.unauthorized,
		changemgmt.rate(a.unauthorized, a.changes)::double precision AS unauthorized_share,
		changemgmt.wilson_low(changemgmt.rate(a.unauthorized, a.changes)) AS unauthorized_share_low,
		changemgmt.wilson_high(changemgmt.rate(a.unauthorized, a.changes)) AS unauthorized_share_high,
		a.waived,
		changemgmt.rate(a.waived, a.changes)::double precision AS waived_share,
		changemgmt.wilson_low(changemgmt.rate(a.waived, a.changes)) AS waived_share_low,
		changemgmt.wilson_high(changemgmt.rate(a.waived, a.changes)) AS waived_share_high,
		a.with_window,
		a.outside_window,
		changemgmt.rate(a.outside_window, a.with_window)::double precision AS outside_window_share,
		changemgmt.wilson_low(changemgmt.rate(a.outside_window, a.with_window)) AS outside_window_share_low,
		changemgmt.wilson_high(changemgmt.rate(a.outside_window, a.with_window)) AS outside_window_share_high,
		harm.incidents AS incidents_caused,
		harm.outage_minutes
	FROM (
		SELECT series.month::date AS month,
			   span.current_month::date AS current_month,
			   series.month AT TIME ZONE span.zone AS begins_at,
			   (series.month + interval '1 month') AT TIME ZONE span.zone AS ends_at
		FROM (
			SELECT z.zone,
				   date_trunc('month', now() AT TIME ZONE z.zone) AS current_month
			FROM (SELECT changemgmt.setting_value('reporting_time_zone')) AS z (zone)
		) AS span
		-- as an array: of a series the planner expects a thousand rows
		CROSS JOIN LATERAL unnest(ARRAY(
			SELECT generate_series(
				coalesce((SELECT f.month::timestamp
						  FROM changemgmt.change_fact AS f
						  WHERE f.is_counted
						  ORDER BY f.actual_end
						  LIMIT 1),
						 span.current_month),
				span.current_month,
				interval '1 month'))) AS series (month)
	) AS m
	CROSS JOIN LATERAL (
		SELECT
			max(f.actual_end) AS last_change_at,
			count(*) AS changes,
			count(*) FILTER (WHERE f.verdict = 'pending') AS pending,
			count(*) FILTER (WHERE f.verdict <> 'pending') AS decided,
			count(*) FILTER (WHERE f.verdict IN ('rolled_back', 'failed')) AS failed,
			count(*) FILTER (WHERE f.verdict = 'successful') AS successful,
			count(*) FILTER (WHERE f.verdict = 'successful_with_issues') AS with_issues,
			count(*) FILTER (WHERE f.verdict = 'rolled_back') AS rolled_back,
			count(*) FILTER (WHERE f.verdict = 'failed') AS failed_otherwise,
			count(f.time_to_rollback_seconds) AS rollback_times,
			sum(f.time_to_rollback_seconds) AS time_to_rollback_total_seconds,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY f.time_to_rollback_seconds)
				AS time_to_rollback_median_seconds,
			count(f.rollback_seconds) AS rollback_durations,
			sum(f.rollback_seconds) AS rollback_total_seconds,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY f.rollback_seconds)
				AS rollback_median_seconds,
			count(f.is_rollback_within_plan) AS rollbacks_with_plan,
			count(*) FILTER (WHERE f.is_rollback_within_plan) AS rollbacks_within_plan,
			count(f.lead_time_seconds) AS lead_times,
			sum(f.lead_time_seconds) AS lead_time_total_seconds,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY f.lead_time_seconds)
				AS lead_time_median_seconds,
			count(f.notice_seconds) AS notices,
			sum(f.notice_seconds) AS notice_total_seconds,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY f.notice_seconds)
				AS notice_median_seconds,
			count(*) FILTER (WHERE f.is_rework) AS rework,
			count(f.duration_variance) AS estimated,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY f.duration_variance)
				AS duration_variance_median,
			count(*) FILTER (WHERE f.duration_variance <= 0.2) AS within_estimate,
			count(*) FILTER (WHERE f.is_standard) AS standard,
			count(*) FILTER (WHERE f.is_emergency) AS emergency,
			count(*) FILTER (WHERE f.is_unauthorized) AS unauthorized,
			count(*) FILTER (WHERE f.is_waived) AS waived,
			count(f.is_outside_window) AS with_window,
			count(*) FILTER (WHERE f.is_outside_window) AS outside_window,
			array_agg(f.change_id)
				FILTER (WHERE f.verdict IN ('rolled_back', 'failed')
							  OR f.has_failed_already) AS failed_ids
		FROM (
			-- OFFSET keeps it a subquery: each column is computed once a row,
			-- not once an aggregate. The estimate of few rows is meant: plans
			-- probe indexes, which is never bad, and stay below jit_above_cost,
			-- as compiling takes longer than the months of most sites.
			SELECT f.change_id, f.actual_end, f.verdict,
				   CASE WHEN f.outcome IS NULL THEN f.is_failed
				   END AS has_failed_already,
				   f.time_to_rollback_seconds, f.rollback_seconds,
				   f.is_rollback_within_plan, f.lead_time_seconds,
				   f.notice_seconds, f.is_rework, f.duration_variance,
				   f.is_standard, f.is_emergency, f.is_unauthorized,
				   f.is_waived, f.is_outside_window
			FROM changemgmt.change_fact AS f
			WHERE f.actual_end >= m.begins_at - interval '24 hours'
			  AND f.actual_end < m.ends_at + interval '24 hours'
			  AND f.month = m.month
			OFFSET 0
		) AS f
	) AS a
	CROSS JOIN LATERAL (
		SELECT count(f.recovery_seconds) AS recoveries,
			   sum(f.recovery_seconds) AS recovery_total_seconds,
			   percentile_cont(0.5) WITHIN GROUP (ORDER BY f.recovery_seconds)
				   AS recovery_median_seconds
		FROM (
			SELECT f.recovery_seconds
			FROM unnest(a.failed_ids) AS failed (change_id)
			JOIN changemgmt.change_fact AS f ON f.change_id = failed.change_id
			WHERE f.verdict <> 'pending'
			OFFSET 0
		) AS f
	) AS repair
	CROSS JOIN LATERAL (
		-- Each incident in one month only, that of its last cause.
		SELECT count(*) AS incidents,
			   coalesce(sum(i.outage_minutes), 0) AS outage_minutes
		FROM changemgmt.incident AS i
		WHERE i.id IN (SELECT cause.incident_id
					   FROM changemgmt.incident_cause AS cause
					   WHERE cause.change_id = ANY (a.failed_ids)
						 AND cause.status = 'confirmed')
		  AND m.month = (SELECT f.month
						 FROM changemgmt.incident_cause AS cause
						 JOIN changemgmt.change_fact AS f
							 ON f.change_id = cause.change_id
						 WHERE cause.incident_id = i.id
						   AND cause.status = 'confirmed'
						   AND f.is_counted
						 ORDER BY f.actual_end DESC
						 LIMIT 1)
	) AS harm;
COMMENT ON VIEW changemgmt.monthly_metrics IS 'A row a month, from the first month with a counted change to the current one, in the reporting time zone, those without changes included. Each rate stands with numerator, denominator and 95 % Wilson interval (_low, _high), and is null where the denominator is 0. Counts and totals add up over months.';
COMMENT ON COLUMN changemgmt.monthly_metrics.month IS 'First day of the month.';
COMMENT ON COLUMN changemgmt.monthly_metrics.is_complete IS 'Whether the month is over.';
COMMENT ON COLUMN changemgmt.monthly_metrics.is_provisional IS 'Whether its numbers can still change: something is pending, or the last change is younger than the 7 days that changes are observed.';
COMMENT ON COLUMN changemgmt.monthly_metrics.last_change_at IS 'When the last change of the month ended.';
COMMENT ON COLUMN changemgmt.monthly_metrics.changes IS 'Production changes that ended in the month and were carried out (D in docs/metrics.md).';
COMMENT ON COLUMN changemgmt.monthly_metrics.pending IS 'Those of them whose outcome is not known yet.';
COMMENT ON COLUMN changemgmt.monthly_metrics.decided IS 'changes - pending: denominator of the outcome rates.';
COMMENT ON COLUMN changemgmt.monthly_metrics.failed IS 'Decided changes that failed: outcome failed or rolled_back, or a confirmed incident caused, or remediated or backed out by another change; once, however often. Sum of rolled_back and failed_otherwise.';
COMMENT ON COLUMN changemgmt.monthly_metrics.change_failure_rate IS 'Change failure rate: failed / decided; null where decided is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.change_failure_rate_low IS 'Lower bound of the 95 % Wilson interval of change_failure_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.change_failure_rate_high IS 'Upper bound of the 95 % Wilson interval of change_failure_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.successful IS 'Decided changes with outcome successful that did not fail.';
COMMENT ON COLUMN changemgmt.monthly_metrics.success_rate IS 'Success rate: successful / decided; null where decided is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.success_rate_low IS 'Lower bound of the 95 % Wilson interval of success_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.success_rate_high IS 'Upper bound of the 95 % Wilson interval of success_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.with_issues IS 'Decided changes with outcome successful_with_issues that did not fail.';
COMMENT ON COLUMN changemgmt.monthly_metrics.with_issues_rate IS 'Share of changes with issues: with_issues / decided; null where decided is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.with_issues_rate_low IS 'Lower bound of the 95 % Wilson interval of with_issues_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.with_issues_rate_high IS 'Upper bound of the 95 % Wilson interval of with_issues_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rolled_back IS 'Changes with outcome rolled_back.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rollback_rate IS 'Rollback rate: rolled_back / decided; null where decided is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rollback_rate_low IS 'Lower bound of the 95 % Wilson interval of rollback_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rollback_rate_high IS 'Upper bound of the 95 % Wilson interval of rollback_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.failed_otherwise IS 'Failed changes that were not rolled back; with successful, with_issues and rolled_back it makes decided.';
COMMENT ON COLUMN changemgmt.monthly_metrics.failed_otherwise_rate IS 'Share of failures that were not rolled back: failed_otherwise / decided; null where decided is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.failed_otherwise_rate_low IS 'Lower bound of the 95 % Wilson interval of failed_otherwise_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.failed_otherwise_rate_high IS 'Upper bound of the 95 % Wilson interval of failed_otherwise_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rollback_times IS 'Rolled-back changes whose time to rollback is known.';
COMMENT ON COLUMN changemgmt.monthly_metrics.time_to_rollback_total_seconds IS 'Time to rollback (deployed, or begin of the rollback where nothing was ever complete, until rolled back), summed up, in seconds; null where rollback_times is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.time_to_rollback_mean_seconds IS 'Time to rollback (deployed, or begin of the rollback where nothing was ever complete, until rolled back), mean in seconds.';
COMMENT ON COLUMN changemgmt.monthly_metrics.time_to_rollback_median_seconds IS 'Time to rollback (deployed, or begin of the rollback where nothing was ever complete, until rolled back), exact median in seconds.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rollback_durations IS 'Changes whose rollback has a known duration.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rollback_total_seconds IS 'Duration of rollbacks (begin of the rollback until rolled back), summed up, in seconds; null where rollback_durations is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rollback_mean_seconds IS 'Duration of rollbacks (begin of the rollback until rolled back), mean in seconds.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rollback_median_seconds IS 'Duration of rollbacks (begin of the rollback until rolled back), exact median in seconds.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rollbacks_with_plan IS 'Those of them with planned rollback minutes: denominator of rollback_within_plan_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rollbacks_within_plan IS 'Those of them that took no longer than planned.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rollback_within_plan_rate IS 'Rollbacks within the planned minutes: rollbacks_within_plan / rollbacks_with_plan; null where rollbacks_with_plan is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rollback_within_plan_rate_low IS 'Lower bound of the 95 % Wilson interval of rollback_within_plan_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rollback_within_plan_rate_high IS 'Upper bound of the 95 % Wilson interval of rollback_within_plan_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.recoveries IS 'Failed changes whose recovery time is known.';
COMMENT ON COLUMN changemgmt.monthly_metrics.recovery_total_seconds IS 'Recovery time (deployed until recovered, see change_fact.recovery_seconds), summed up, in seconds; null where recoveries is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.recovery_mean_seconds IS 'Recovery time (deployed until recovered, see change_fact.recovery_seconds), mean in seconds.';
COMMENT ON COLUMN changemgmt.monthly_metrics.recovery_median_seconds IS 'Recovery time (deployed until recovered, see change_fact.recovery_seconds), exact median in seconds.';
COMMENT ON COLUMN changemgmt.monthly_metrics.lead_times IS 'Changes whose lead time is known.';
COMMENT ON COLUMN changemgmt.monthly_metrics.lead_time_total_seconds IS 'Change lead time (first linked commit, else creation, until deployed), summed up, in seconds; null where lead_times is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.lead_time_mean_seconds IS 'Change lead time (first linked commit, else creation, until deployed), mean in seconds.';
COMMENT ON COLUMN changemgmt.monthly_metrics.lead_time_median_seconds IS 'Change lead time (first linked commit, else creation, until deployed), exact median in seconds.';
COMMENT ON COLUMN changemgmt.monthly_metrics.notices IS 'Changes whose notice is known.';
COMMENT ON COLUMN changemgmt.monthly_metrics.notice_total_seconds IS 'Notice (first submission until planned start), summed up, in seconds; null where notices is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.notice_mean_seconds IS 'Notice (first submission until planned start), mean in seconds.';
COMMENT ON COLUMN changemgmt.monthly_metrics.notice_median_seconds IS 'Notice (first submission until planned start), exact median in seconds.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rework IS 'Unplanned changes that resolve an incident.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rework_rate IS 'Rework rate: rework / changes; null where changes is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rework_rate_low IS 'Lower bound of the 95 % Wilson interval of rework_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.rework_rate_high IS 'Upper bound of the 95 % Wilson interval of rework_rate.';
COMMENT ON COLUMN changemgmt.monthly_metrics.estimated IS 'Changes with an estimate, or else a planned window, of more than 0: denominator of within_estimate_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.duration_variance_median IS 'Exact median of |actual - estimated| / estimated.';
COMMENT ON COLUMN changemgmt.monthly_metrics.within_estimate IS 'Those of them that took within 20 % of the estimate, the 20 % included.';
COMMENT ON COLUMN changemgmt.monthly_metrics.within_estimate_share IS 'Share within 20 % of the estimate: within_estimate / estimated; null where estimated is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.within_estimate_share_low IS 'Lower bound of the 95 % Wilson interval of within_estimate_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.within_estimate_share_high IS 'Upper bound of the 95 % Wilson interval of within_estimate_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.standard IS 'Changes of type standard.';
COMMENT ON COLUMN changemgmt.monthly_metrics.standard_share IS 'Share of standard changes: standard / changes; null where changes is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.standard_share_low IS 'Lower bound of the 95 % Wilson interval of standard_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.standard_share_high IS 'Upper bound of the 95 % Wilson interval of standard_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.emergency IS 'Changes of type emergency.';
COMMENT ON COLUMN changemgmt.monthly_metrics.emergency_share IS 'Share of emergency changes: emergency / changes; null where changes is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.emergency_share_low IS 'Lower bound of the 95 % Wilson interval of emergency_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.emergency_share_high IS 'Upper bound of the 95 % Wilson interval of emergency_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.unauthorized IS 'Changes of type latent: done first, recorded afterwards.';
COMMENT ON COLUMN changemgmt.monthly_metrics.unauthorized_share IS 'Share of unauthorized changes: unauthorized / changes; null where changes is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.unauthorized_share_low IS 'Lower bound of the 95 % Wilson interval of unauthorized_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.unauthorized_share_high IS 'Upper bound of the 95 % Wilson interval of unauthorized_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.waived IS 'Changes for which a requirement was waived.';
COMMENT ON COLUMN changemgmt.monthly_metrics.waived_share IS 'Share of changes with a waiver: waived / changes; null where changes is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.waived_share_low IS 'Lower bound of the 95 % Wilson interval of waived_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.waived_share_high IS 'Upper bound of the 95 % Wilson interval of waived_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.with_window IS 'Changes with a planned window: denominator of outside_window_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.outside_window IS 'Those of them that began before or ended after it.';
COMMENT ON COLUMN changemgmt.monthly_metrics.outside_window_share IS 'Share of changes outside their planned window: outside_window / with_window; null where with_window is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.outside_window_share_low IS 'Lower bound of the 95 % Wilson interval of outside_window_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.outside_window_share_high IS 'Upper bound of the 95 % Wilson interval of outside_window_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.incidents_caused IS 'Confirmed incidents caused by changes of the month. One with several causes counts once, with the change that ended last.';
COMMENT ON COLUMN changemgmt.monthly_metrics.outage_minutes IS 'Minutes of outage of these incidents.';
-- rights: duties, and nothing for PUBLIC but the USAGE of types.

CREATE FUNCTION changemgmt.duty_rights(
	OUT duty text, OUT privilege text, OUT object text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'duty_rights';
COMMENT ON FUNCTION changemgmt.duty_rights() IS
	'What each duty (viewer, requester, implementer, approver, manager, integration) gives: USAGE of the schema, SELECT of tables and views, EXECUTE of functions.';

CREATE FUNCTION changemgmt.grant_role(role_name text, duty text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'grant_role';
COMMENT ON FUNCTION changemgmt.grant_role(text, text) IS
	'Grants a role the rights of a duty. By the owner of the extension. Errors: MC008 for an unknown role or duty.';

CREATE FUNCTION changemgmt.revoke_role(role_name text, duty text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'revoke_role';
COMMENT ON FUNCTION changemgmt.revoke_role(text, text) IS
	'Takes a duty, with those that it includes, away from a role; what another duty of the role gives as well stays. Errors: MC008, also where the role has a larger duty that includes it.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA changemgmt FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA changemgmt FROM PUBLIC;
