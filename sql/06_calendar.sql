-- calendar: business days, recurrences, windows and blackouts.

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

-- Windows and blackouts: when changes may and may not be made. What they mean
-- is in src/calendar_window.c.

-- since 1.1
CREATE TABLE changemgmt.change_window (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	name text NOT NULL UNIQUE CHECK (name <> ''),
	kind text NOT NULL CHECK (kind IN ('maintenance', 'blackout')),
	enforcement text NOT NULL DEFAULT 'hard'
		CHECK (enforcement IN ('hard', 'soft')),
	recurrence changemgmt.recurrence,
	starts_at timestamptz,
	ends_at timestamptz,
	environment text
		CHECK (environment IN ('development', 'test', 'staging', 'production')),
	ci_id bigint REFERENCES changemgmt.configuration_item,
	covers_dependents boolean NOT NULL DEFAULT true,
	model text CHECK (model ~ '^[a-z][a-z0-9_]{0,62}$'),
	tag text CHECK (tag <> '' AND tag COLLATE "C" !~ '[A-Z[:space:]]'),
	reason text,
	declared_at timestamptz NOT NULL DEFAULT now(),
	declared_by text,
	CONSTRAINT change_window_time_check CHECK (
		(recurrence IS NOT NULL AND starts_at IS NULL AND ends_at IS NULL)
		OR (recurrence IS NULL AND starts_at IS NOT NULL AND ends_at IS NOT NULL
			AND isfinite(starts_at) AND starts_at < ends_at))
);
COMMENT ON TABLE changemgmt.change_window IS
	'Maintenance windows (changes are made only inside) and blackouts (none is made inside).';
COMMENT ON COLUMN changemgmt.change_window.kind IS
	'maintenance: changes in scope only inside of such a window; blackout: none inside.';
COMMENT ON COLUMN changemgmt.change_window.enforcement IS
	'hard: only an emergency gets past; soft: also a manager with a reason.';
COMMENT ON COLUMN changemgmt.change_window.recurrence IS
	'When, if it comes again; else starts_at and ends_at say it.';
COMMENT ON COLUMN changemgmt.change_window.starts_at IS
	'Beginning of the one range, which belongs to it.';
COMMENT ON COLUMN changemgmt.change_window.ends_at IS
	'End of the one range, which does not belong to it; infinity: until further notice.';
COMMENT ON COLUMN changemgmt.change_window.environment IS
	'Only changes or items of this environment; null: of any.';
COMMENT ON COLUMN changemgmt.change_window.ci_id IS
	'Only this item and, with covers_dependents, what depends on it; null: any.';
COMMENT ON COLUMN changemgmt.change_window.covers_dependents IS
	'Whether it also covers what depends on the item, directly or not.';
COMMENT ON COLUMN changemgmt.change_window.model IS
	'Only changes of the model with this key; null: of any.';
COMMENT ON COLUMN changemgmt.change_window.tag IS
	'Only changes or items with this tag; null: all.';
COMMENT ON COLUMN changemgmt.change_window.reason IS 'Why.';
COMMENT ON COLUMN changemgmt.change_window.declared_at IS
	'When it was last written so that it means something else.';
COMMENT ON COLUMN changemgmt.change_window.declared_by IS 'Who did that.';
-- since 1.1
CREATE INDEX change_window_ci_id_idx ON changemgmt.change_window (ci_id);

CREATE FUNCTION changemgmt.window_stamp() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'window_stamp';
COMMENT ON FUNCTION changemgmt.window_stamp() IS
	'Trigger: checks a window (MC008), and stamps who declared it when.';

CREATE TRIGGER window_stamp
	BEFORE INSERT OR UPDATE ON changemgmt.change_window
	FOR EACH ROW EXECUTE FUNCTION changemgmt.window_stamp();
CREATE TRIGGER cache_invalidate
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON changemgmt.change_window
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.cache_invalidate();
-- The apply worker of a subscription fires no trigger of a statement.
CREATE TRIGGER cache_invalidate_replica
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.change_window
	FOR EACH ROW EXECUTE FUNCTION changemgmt.cache_invalidate();
ALTER TABLE changemgmt.change_window
	ENABLE REPLICA TRIGGER cache_invalidate_replica;
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.change_window
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.change_window
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER record
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.change_window
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_record();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.change_window
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();

CREATE FUNCTION changemgmt.add_maintenance_window(
	name text, recurrence text DEFAULT NULL,
	starts_at timestamptz DEFAULT NULL, ends_at timestamptz DEFAULT NULL,
	enforcement text DEFAULT 'hard', environment text DEFAULT NULL,
	ci text DEFAULT NULL, covers_dependents boolean DEFAULT true,
	model text DEFAULT NULL, tag text DEFAULT NULL,
	reason text DEFAULT NULL) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_window
		(name, kind, enforcement, recurrence, starts_at, ends_at, environment,
		 ci_id, covers_dependents, model, tag, reason)
	VALUES (add_maintenance_window.name, 'maintenance', add_maintenance_window.enforcement,
			add_maintenance_window.recurrence::changemgmt.recurrence,
			add_maintenance_window.starts_at, add_maintenance_window.ends_at,
			add_maintenance_window.environment, changemgmt.ci_id(add_maintenance_window.ci),
			add_maintenance_window.covers_dependents, add_maintenance_window.model,
			add_maintenance_window.tag, add_maintenance_window.reason)
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.add_maintenance_window(text, text, timestamptz, timestamptz, text, text, text, boolean, text, text, text) IS
	'Adds a time in which changes in scope are made, and outside of which they are not; returns the id. Give a recurrence, or starts_at and ends_at. Errors: MC008; 22P02, 22023 for a recurrence that is none.';

CREATE FUNCTION changemgmt.declare_blackout(
	name text, recurrence text DEFAULT NULL,
	starts_at timestamptz DEFAULT NULL, ends_at timestamptz DEFAULT NULL,
	enforcement text DEFAULT 'hard', environment text DEFAULT NULL,
	ci text DEFAULT NULL, covers_dependents boolean DEFAULT true,
	model text DEFAULT NULL, tag text DEFAULT NULL,
	reason text DEFAULT NULL) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_window
		(name, kind, enforcement, recurrence, starts_at, ends_at, environment,
		 ci_id, covers_dependents, model, tag, reason)
	VALUES (declare_blackout.name, 'blackout', declare_blackout.enforcement,
			declare_blackout.recurrence::changemgmt.recurrence,
			declare_blackout.starts_at, declare_blackout.ends_at,
			declare_blackout.environment, changemgmt.ci_id(declare_blackout.ci),
			declare_blackout.covers_dependents, declare_blackout.model,
			declare_blackout.tag, declare_blackout.reason)
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.declare_blackout(text, text, timestamptz, timestamptz, text, text, text, boolean, text, text, text) IS
	'Declares a time in which no change in scope is made; returns the id. Give a recurrence, or starts_at and ends_at. Errors: MC008; 22P02, 22023 for a recurrence that is none.';

CREATE FUNCTION changemgmt.window_id(name text) RETURNS bigint
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'window_id';
COMMENT ON FUNCTION changemgmt.window_id(text) IS
	'The id of the maintenance window or blackout with this name. Errors: MC008 for an unknown name.';

CREATE FUNCTION changemgmt.remove_window(name text) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	DELETE FROM changemgmt.change_window AS w
	WHERE w.id = changemgmt.window_id(coalesce(remove_window.name, ''))
	RETURNING w.id;
END;
COMMENT ON FUNCTION changemgmt.remove_window(text) IS
	'Removes a maintenance window or blackout, which the ledger keeps, and returns its id. Errors: MC008 for an unknown name.';

CREATE FUNCTION changemgmt.open_windows(
	ci text, within tstzrange, environment text DEFAULT NULL,
	model text DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS tstzmultirange
	LANGUAGE C STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'open_windows';
COMMENT ON FUNCTION changemgmt.open_windows(text, tstzrange, text, text, text[]) IS
	'What of a range is open to changes of an item (null: of none in particular) by maintenance windows and blackouts, those too that name the environment, the model or a tag of the change; null for a null range. Errors: MC008 for a range without bounds or of more than 3660 days, an unknown item, environment or model; 22008 where a recurrence is not computed (after 2499).';

CREATE FUNCTION changemgmt.window_state(
	ci text, at timestamptz DEFAULT now(), environment text DEFAULT NULL,
	model text DEFAULT NULL, tags text[] DEFAULT NULL,
	OUT is_open boolean, OUT is_hard boolean, OUT reason text,
	OUT until timestamptz)
	RETURNS record
	LANGUAGE C STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'window_state';
COMMENT ON FUNCTION changemgmt.window_state(text, timestamptz, text, text, text[]) IS
	'Whether a time is open to changes of an item (null: of none in particular); if not, whether only an emergency gets past (is_hard); why; and until when that is so (null: for the next 731 days). All null for a null time. Errors: as open_windows.';

SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_window', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_window_id_seq', '');
