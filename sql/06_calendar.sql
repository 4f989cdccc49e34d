-- calendar: business days, recurrences. Windows, blackouts and holidays are to
-- come here.

CREATE FUNCTION changemgmt.add_business_days(
	at timestamptz, days integer) RETURNS timestamptz
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'add_business_days';
COMMENT ON FUNCTION changemgmt.add_business_days(timestamptz, integer) IS
	'The same time of day, days business days (Monday to Friday in the reporting time zone) later; from a weekend, counted from its end. Range of days: 0 to 3660. Errors: MC008.';

-- recurrence: a time that comes again, in the words of RFC 5545. What it does
-- is in src/calendar_recurrence.c, _rule.c, _expand.c and _occurrence.c.

-- since 1.1
CREATE TYPE changemgmt.recurrence;

CREATE FUNCTION changemgmt.recurrence_in(cstring) RETURNS changemgmt.recurrence
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'recurrence_in';
COMMENT ON FUNCTION changemgmt.recurrence_in(cstring) IS
	'Text input of recurrence.';

CREATE FUNCTION changemgmt.recurrence_out(changemgmt.recurrence) RETURNS cstring
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'recurrence_out';
COMMENT ON FUNCTION changemgmt.recurrence_out(changemgmt.recurrence) IS
	'Text output of recurrence, always in the same form.';

CREATE FUNCTION changemgmt.recurrence_recv(internal) RETURNS changemgmt.recurrence
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'recurrence_recv';
COMMENT ON FUNCTION changemgmt.recurrence_recv(internal) IS
	'Binary input of recurrence.';

CREATE FUNCTION changemgmt.recurrence_send(changemgmt.recurrence) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'recurrence_send';
COMMENT ON FUNCTION changemgmt.recurrence_send(changemgmt.recurrence) IS
	'Binary output of recurrence.';

-- since 1.1
CREATE TYPE changemgmt.recurrence (
	INPUT = changemgmt.recurrence_in,
	OUTPUT = changemgmt.recurrence_out,
	RECEIVE = changemgmt.recurrence_recv,
	SEND = changemgmt.recurrence_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = extended
);
COMMENT ON TYPE changemgmt.recurrence IS
	'A time that comes again: local start, duration, RRULE and EXDATE of RFC 5545 in a time zone by name.';

-- So that the functions below take a text, too.
-- since 1.1
CREATE CAST (text AS changemgmt.recurrence) WITH INOUT AS IMPLICIT;
COMMENT ON CAST (text AS changemgmt.recurrence) IS
	'The recurrence that a text says.';

CREATE FUNCTION changemgmt.contains(
	recurrence changemgmt.recurrence, at timestamptz) RETURNS boolean
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'recurrence_contains';
COMMENT ON FUNCTION changemgmt.contains(changemgmt.recurrence, timestamptz) IS
	'Whether an occurrence of the recurrence (RFC 5545, text or type) covers the time; its end is not part of it. Errors: 22008 for a time that is not computed (after 2499), MC008 for an infinite one.';

CREATE FUNCTION changemgmt.occurrences_support(internal) RETURNS internal
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'recurrence_occurrences_support';
COMMENT ON FUNCTION changemgmt.occurrences_support(internal) IS
	'Tells the planner how many rows occurrences() gives.';

CREATE FUNCTION changemgmt.occurrences(
	recurrence changemgmt.recurrence, within tstzrange,
	OUT starts_at timestamptz, OUT ends_at timestamptz)
	RETURNS SETOF record
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	ROWS 100
	SUPPORT changemgmt.occurrences_support
	AS 'MODULE_PATHNAME', 'recurrence_occurrences';
COMMENT ON FUNCTION changemgmt.occurrences(changemgmt.recurrence, tstzrange) IS
	'The occurrences that overlap a range, whole and in order, from starts_at (included) to ends_at (excluded). Errors: MC008 without an upper bound where the recurrence has no end, 22008 after 2499.';

CREATE FUNCTION changemgmt.next_occurrence(
	recurrence changemgmt.recurrence, after timestamptz,
	OUT starts_at timestamptz, OUT ends_at timestamptz)
	RETURNS record
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'recurrence_next_occurrence';
COMMENT ON FUNCTION changemgmt.next_occurrence(changemgmt.recurrence, timestamptz) IS
	'The first occurrence that starts after a time (-infinity: the first of all); nulls where none does. Errors: 22008 after 2499, MC008 after infinity.';

-- Comparisons: equal are equal parts; the order is that of the starts, then of
-- duration, zone, rule and exceptions.

CREATE FUNCTION changemgmt.recurrence_eq(
	changemgmt.recurrence, changemgmt.recurrence) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'recurrence_eq';
COMMENT ON FUNCTION changemgmt.recurrence_eq(changemgmt.recurrence, changemgmt.recurrence) IS
	'Implementation of the operator = of recurrence.';

CREATE FUNCTION changemgmt.recurrence_ne(
	changemgmt.recurrence, changemgmt.recurrence) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'recurrence_ne';
COMMENT ON FUNCTION changemgmt.recurrence_ne(changemgmt.recurrence, changemgmt.recurrence) IS
	'Implementation of the operator <> of recurrence.';

CREATE FUNCTION changemgmt.recurrence_lt(
	changemgmt.recurrence, changemgmt.recurrence) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'recurrence_lt';
COMMENT ON FUNCTION changemgmt.recurrence_lt(changemgmt.recurrence, changemgmt.recurrence) IS
	'Implementation of the operator < of recurrence.';

CREATE FUNCTION changemgmt.recurrence_le(
	changemgmt.recurrence, changemgmt.recurrence) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'recurrence_le';
COMMENT ON FUNCTION changemgmt.recurrence_le(changemgmt.recurrence, changemgmt.recurrence) IS
	'Implementation of the operator <= of recurrence.';

CREATE FUNCTION changemgmt.recurrence_gt(
	changemgmt.recurrence, changemgmt.recurrence) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'recurrence_gt';
COMMENT ON FUNCTION changemgmt.recurrence_gt(changemgmt.recurrence, changemgmt.recurrence) IS
	'Implementation of the operator > of recurrence.';

CREATE FUNCTION changemgmt.recurrence_ge(
	changemgmt.recurrence, changemgmt.recurrence) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'recurrence_ge';
COMMENT ON FUNCTION changemgmt.recurrence_ge(changemgmt.recurrence, changemgmt.recurrence) IS
	'Implementation of the operator >= of recurrence.';

-- since 1.1
CREATE OPERATOR changemgmt.= (
	LEFTARG = changemgmt.recurrence,
	RIGHTARG = changemgmt.recurrence,
	FUNCTION = changemgmt.recurrence_eq,
	COMMUTATOR = OPERATOR(changemgmt.=),
	NEGATOR = OPERATOR(changemgmt.<>),
	RESTRICT = pg_catalog.eqsel,
	JOIN = pg_catalog.eqjoinsel,
	HASHES,
	MERGES
);
COMMENT ON OPERATOR changemgmt.= (changemgmt.recurrence, changemgmt.recurrence) IS
	'Are all parts the same?';

-- since 1.1
CREATE OPERATOR changemgmt.<> (
	LEFTARG = changemgmt.recurrence,
	RIGHTARG = changemgmt.recurrence,
	FUNCTION = changemgmt.recurrence_ne,
	COMMUTATOR = OPERATOR(changemgmt.<>),
	NEGATOR = OPERATOR(changemgmt.=),
	RESTRICT = pg_catalog.neqsel,
	JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR changemgmt.<> (changemgmt.recurrence, changemgmt.recurrence) IS
	'Does a part differ?';

-- since 1.1
CREATE OPERATOR changemgmt.< (
	LEFTARG = changemgmt.recurrence,
	RIGHTARG = changemgmt.recurrence,
	FUNCTION = changemgmt.recurrence_lt,
	COMMUTATOR = OPERATOR(changemgmt.>),
	NEGATOR = OPERATOR(changemgmt.>=),
	RESTRICT = pg_catalog.scalarltsel,
	JOIN = pg_catalog.scalarltjoinsel
);
COMMENT ON OPERATOR changemgmt.< (changemgmt.recurrence, changemgmt.recurrence) IS
	'Does it start earlier (then by duration, zone, rule, exceptions)?';

-- since 1.1
CREATE OPERATOR changemgmt.<= (
	LEFTARG = changemgmt.recurrence,
	RIGHTARG = changemgmt.recurrence,
	FUNCTION = changemgmt.recurrence_le,
	COMMUTATOR = OPERATOR(changemgmt.>=),
	NEGATOR = OPERATOR(changemgmt.>),
	RESTRICT = pg_catalog.scalarlesel,
	JOIN = pg_catalog.scalarlejoinsel
);
COMMENT ON OPERATOR changemgmt.<= (changemgmt.recurrence, changemgmt.recurrence) IS
	'Does it start earlier (then by duration, zone, rule, exceptions), or is it the same?';

-- since 1.1
CREATE OPERATOR changemgmt.> (
	LEFTARG = changemgmt.recurrence,
	RIGHTARG = changemgmt.recurrence,
	FUNCTION = changemgmt.recurrence_gt,
	COMMUTATOR = OPERATOR(changemgmt.<),
	NEGATOR = OPERATOR(changemgmt.<=),
	RESTRICT = pg_catalog.scalargtsel,
	JOIN = pg_catalog.scalargtjoinsel
);
COMMENT ON OPERATOR changemgmt.> (changemgmt.recurrence, changemgmt.recurrence) IS
	'Does it start later (then by duration, zone, rule, exceptions)?';

-- since 1.1
CREATE OPERATOR changemgmt.>= (
	LEFTARG = changemgmt.recurrence,
	RIGHTARG = changemgmt.recurrence,
	FUNCTION = changemgmt.recurrence_ge,
	COMMUTATOR = OPERATOR(changemgmt.<=),
	NEGATOR = OPERATOR(changemgmt.<),
	RESTRICT = pg_catalog.scalargesel,
	JOIN = pg_catalog.scalargejoinsel
);
COMMENT ON OPERATOR changemgmt.>= (changemgmt.recurrence, changemgmt.recurrence) IS
	'Does it start later (then by duration, zone, rule, exceptions), or is it the same?';

CREATE FUNCTION changemgmt.recurrence_cmp(
	changemgmt.recurrence, changemgmt.recurrence) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'recurrence_cmp';
COMMENT ON FUNCTION changemgmt.recurrence_cmp(changemgmt.recurrence, changemgmt.recurrence) IS
	'The order of two recurrences: -1, 0 or 1.';

CREATE FUNCTION changemgmt.recurrence_hash(changemgmt.recurrence) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'recurrence_hash';
COMMENT ON FUNCTION changemgmt.recurrence_hash(changemgmt.recurrence) IS
	'Hash value of a recurrence.';

CREATE FUNCTION changemgmt.recurrence_hash_extended(
	changemgmt.recurrence, seed bigint) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'recurrence_hash_extended';
COMMENT ON FUNCTION changemgmt.recurrence_hash_extended(changemgmt.recurrence, bigint) IS
	'Hash value of a recurrence, with a seed.';

-- since 1.1
CREATE OPERATOR FAMILY changemgmt.recurrence_ops USING btree;
COMMENT ON OPERATOR FAMILY changemgmt.recurrence_ops USING btree IS
	'Order of recurrences: by start, then by duration, zone, rule and exceptions.';

-- Equal recurrences are equal bytes, so an index may store them once.
-- since 1.1
CREATE OPERATOR CLASS changemgmt.recurrence_ops
	DEFAULT FOR TYPE changemgmt.recurrence
	USING btree FAMILY changemgmt.recurrence_ops AS
	OPERATOR 1 changemgmt.<,
	OPERATOR 2 changemgmt.<=,
	OPERATOR 3 changemgmt.=,
	OPERATOR 4 changemgmt.>=,
	OPERATOR 5 changemgmt.>,
	FUNCTION 1 changemgmt.recurrence_cmp(changemgmt.recurrence, changemgmt.recurrence),
	FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS changemgmt.recurrence_ops USING btree IS
	'Order of recurrences: by start, then by duration, zone, rule and exceptions.';

-- since 1.1
CREATE OPERATOR FAMILY changemgmt.recurrence_ops USING hash;
COMMENT ON OPERATOR FAMILY changemgmt.recurrence_ops USING hash IS
	'Equality of recurrences: all parts are the same.';

-- since 1.1
CREATE OPERATOR CLASS changemgmt.recurrence_ops
	DEFAULT FOR TYPE changemgmt.recurrence
	USING hash FAMILY changemgmt.recurrence_ops AS
	OPERATOR 1 changemgmt.=,
	FUNCTION 1 changemgmt.recurrence_hash(changemgmt.recurrence),
	FUNCTION 2 changemgmt.recurrence_hash_extended(changemgmt.recurrence, bigint);
COMMENT ON OPERATOR CLASS changemgmt.recurrence_ops USING hash IS
	'Equality of recurrences: all parts are the same.';
