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
	value text NOT NULL,
	id bigint GENERATED BY DEFAULT AS IDENTITY UNIQUE
);
COMMENT ON COLUMN changemgmt.site_setting.id IS 'subject_id of its chain in the ledger.';
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
-- The apply worker of a subscription fires no trigger of a statement.
CREATE TRIGGER cache_invalidate_replica
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.site_setting
	FOR EACH ROW EXECUTE FUNCTION changemgmt.cache_invalidate();
ALTER TABLE changemgmt.site_setting
	ENABLE REPLICA TRIGGER cache_invalidate_replica;

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
SELECT pg_catalog.pg_extension_config_dump('changemgmt.site_setting_id_seq', '');
