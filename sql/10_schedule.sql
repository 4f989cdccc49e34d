-- schedule: bookings, conflicts, and which times are free; docs/schedule.md.

-- What follows from changes and their items stands in a table all the same: an
-- exclusion constraint is what two sessions cannot get past.
-- since 1.1
CREATE TABLE changemgmt.booking (
	change_id bigint NOT NULL REFERENCES changemgmt.change,
	ci_id bigint NOT NULL REFERENCES changemgmt.configuration_item,
	period tstzrange NOT NULL,
	role text NOT NULL CHECK (role IN ('changed', 'affected')),
	is_exclusive boolean NOT NULL,
	PRIMARY KEY (change_id, ci_id),
	CONSTRAINT booking_period_check CHECK (
		NOT isempty(period) AND lower_inc(period) AND NOT upper_inc(period)
		AND NOT lower_inf(period) AND NOT upper_inf(period)
		AND isfinite(lower(period)) AND isfinite(upper(period))),
	CONSTRAINT booking_is_exclusive EXCLUDE USING gist (
		int8range(ci_id, ci_id, '[]') WITH &&, period WITH &&) WHERE (is_exclusive)
);
COMMENT ON TABLE changemgmt.booking IS
	'Which change has which configuration item when: kept by triggers from change and change_item, and written by nobody else.';
COMMENT ON COLUMN changemgmt.booking.change_id IS 'The change that books, or is under way.';
COMMENT ON COLUMN changemgmt.booking.ci_id IS 'The item.';
COMMENT ON COLUMN changemgmt.booking.period IS
	'The planned time; of a change that books none, from its start on for as long as it is expected to last.';
COMMENT ON COLUMN changemgmt.booking.role IS 'changed or affected: that of the item in the change.';
COMMENT ON COLUMN changemgmt.booking.is_exclusive IS
	'Whether no other such booking of the item can overlap it: an exclusive item that is changed, and not by an emergency.';
-- A row into a gist index costs as much as all the rest of it, so what is not
-- kept apart is found by a btree: what ends later, of one item.
-- since 1.1
CREATE INDEX booking_ci_id_idx ON changemgmt.booking (ci_id, upper(period));
-- since 1.1
CREATE INDEX booking_period_idx ON changemgmt.booking USING gist (period);

CREATE FUNCTION changemgmt.booking_guard() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'booking_guard';
COMMENT ON FUNCTION changemgmt.booking_guard() IS
	'Trigger: refuses (MC005) bookings that do not follow from their change.';
CREATE FUNCTION changemgmt.booking_follow() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'booking_follow';
COMMENT ON FUNCTION changemgmt.booking_follow() IS
	'Trigger: brings the bookings of a change to what they have to be; MC007 where an exclusive item is taken.';
CREATE FUNCTION changemgmt.booking_item() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'booking_item';
COMMENT ON FUNCTION changemgmt.booking_item() IS
	'Trigger: the bookings of an item follow its flag is_exclusive; MC007 where two of them overlap.';

CREATE TRIGGER guard
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.booking
	FOR EACH ROW EXECUTE FUNCTION changemgmt.booking_guard();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.booking
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.booking
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.booking
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();

-- By its name it fires after "Judge".
CREATE TRIGGER booking
	AFTER INSERT OR UPDATE ON changemgmt.change
	FOR EACH ROW EXECUTE FUNCTION changemgmt.booking_follow();
CREATE TRIGGER booking
	AFTER UPDATE ON changemgmt.configuration_item
	FOR EACH ROW EXECUTE FUNCTION changemgmt.booking_item();

CREATE FUNCTION changemgmt.rebuild_bookings() RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'rebuild_bookings';
COMMENT ON FUNCTION changemgmt.rebuild_bookings() IS
	'Derives all bookings anew, after changes came in by COPY; returns how many there are. Where they overlap already, the later one is kept and shows as a conflict.';

-- since 1.1
ALTER TABLE changemgmt.booking ENABLE ROW LEVEL SECURITY;
-- since 1.1
CREATE POLICY visible ON changemgmt.booking
	USING (change_id NOT IN (SELECT unnest(changemgmt.hidden_changes())));

SELECT pg_catalog.pg_extension_config_dump('changemgmt.booking', '');

-- Conflicts

CREATE FUNCTION changemgmt.change_conflicts(
	change_id bigint, OUT other_change_id bigint, OUT other_number text,
	OUT kind text, OUT ci text, OUT other_ci text, OUT window_name text,
	OUT severity text, OUT overlap_start timestamptz, OUT overlap_end timestamptz,
	OUT is_overridden boolean, OUT problem text, OUT resolution text)
	RETURNS SETOF record
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED ROWS 2
	AS 'MODULE_PATHNAME', 'change_conflicts';
COMMENT ON FUNCTION changemgmt.change_conflicts(bigint) IS
	'What the time that a change books collides with: other changes, maintenance windows, blackouts. No row where it books none.';

CREATE VIEW changemgmt.change_conflict WITH (security_invoker = true) AS
	SELECT c.id AS change_id, changemgmt.change_number(c.id) AS number,
		   k.other_change_id, k.other_number, k.kind, k.ci, k.other_ci,
		   k.window_name, k.severity, k.overlap_start, k.overlap_end,
		   k.is_overridden, k.problem, k.resolution
	FROM changemgmt.change AS c
	CROSS JOIN LATERAL changemgmt.change_conflicts(c.id) AS k
	WHERE c.status IN ('awaiting_approval', 'approved', 'scheduled', 'in_progress', 'verifying')
	  AND (c.scheduled_at IS NOT NULL OR c.actual_start IS NOT NULL);
COMMENT ON VIEW changemgmt.change_conflict IS
	'What the booked times of changes collide with, a row for each side of each collision. Of a confidential change only the time shows.';
COMMENT ON COLUMN changemgmt.change_conflict.change_id IS 'Id of the change.';
COMMENT ON COLUMN changemgmt.change_conflict.number IS 'Number of the change.';
COMMENT ON COLUMN changemgmt.change_conflict.other_change_id IS 'Id of the other change; null for windows, and for a confidential change.';
COMMENT ON COLUMN changemgmt.change_conflict.other_number IS 'Number of the other change.';
COMMENT ON COLUMN changemgmt.change_conflict.kind IS 'same_ci, dependency, person, release_order, outside_window or inside_blackout.';
COMMENT ON COLUMN changemgmt.change_conflict.ci IS 'Name of the item that it is about.';
COMMENT ON COLUMN changemgmt.change_conflict.other_ci IS 'Name of the item of the other change.';
COMMENT ON COLUMN changemgmt.change_conflict.window_name IS 'The blackout, or the maintenance windows that the time lies outside of.';
COMMENT ON COLUMN changemgmt.change_conflict.severity IS 'low, medium or high; the setting conflict_severity says from which on it refuses.';
COMMENT ON COLUMN changemgmt.change_conflict.overlap_start IS 'Beginning of what collides.';
COMMENT ON COLUMN changemgmt.change_conflict.overlap_end IS 'Its end.';
COMMENT ON COLUMN changemgmt.change_conflict.is_overridden IS 'Whether a manager has overridden it for this time.';
COMMENT ON COLUMN changemgmt.change_conflict.problem IS 'The conflict in words.';
COMMENT ON COLUMN changemgmt.change_conflict.resolution IS 'What would solve it, in words.';

CREATE FUNCTION changemgmt.override_booking(
	change_id bigint, requirement text, reason text,
	planned_start timestamptz DEFAULT NULL, planned_end timestamptz DEFAULT NULL)
	RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_waiver
		(change_id, requirement, reason, planned_start, planned_end)
	VALUES (override_booking.change_id, override_booking.requirement,
			override_booking.reason, override_booking.planned_start,
			override_booking.planned_end)
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.override_booking(bigint, text, text, timestamptz, timestamptz) IS
	'Overrides in_window, no_blackout or no_conflict for the planned time of a change, or for one to come, by a manager; what is hard or exclusive stays refused. Returns the id of the row in change_waiver. Errors: MC003, MC008.';

-- Free times

CREATE FUNCTION changemgmt.next_windows(
	ci text, duration interval, after timestamptz DEFAULT now(),
	"limit" integer DEFAULT 3, conflicts_avoided boolean DEFAULT true,
	environment text DEFAULT NULL, model text DEFAULT NULL,
	OUT starts_at timestamptz, OUT ends_at timestamptz, OUT free_until timestamptz)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 3
	AS 'MODULE_PATHNAME', 'next_windows';
COMMENT ON FUNCTION changemgmt.next_windows(text, interval, timestamptz, integer, boolean, text, text) IS
	'The next times that would be accepted for a change of an item: inside maintenance windows, outside blackouts and, unless conflicts_avoided is false, clear of other changes; the first of each stretch, and one a day where it is longer. free_until is the end of the stretch. Errors: MC008.';

CREATE FUNCTION changemgmt.suggest_windows(
	change_id bigint, "limit" integer DEFAULT 3,
	OUT starts_at timestamptz, OUT ends_at timestamptz, OUT free_until timestamptz)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 3
	AS 'MODULE_PATHNAME', 'suggest_windows';
COMMENT ON FUNCTION changemgmt.suggest_windows(bigint, integer) IS
	'The next times that would be accepted for a change: as long as it is planned for, for all its items, after its notice. Errors: MC008.';

-- since 1.1
SELECT changemgmt.rebuild_bookings();

-- The schedule of change, and its feed

-- What is open is little, whatever the history: the statuses are those of
-- change_open_idx. Two halves, so that a condition on starts_at becomes one on
-- planned_start, which the index has, too.
CREATE VIEW changemgmt.change_schedule WITH (security_invoker = true) AS
	SELECT c.id, changemgmt.change_number(c.id) AS number, c.title, c.type,
		   c.model, c.status, c.on_hold, c.environment,
		   coalesce(c.risk_level, 'unknown') AS risk_level,
		   o.login AS owner, p.login AS implementer, g.name AS team, i.services,
		   c.starts_at, c.ends_at,
		   (extract(epoch FROM c.ends_at - c.starts_at) / 60)::double precision
		   AS duration_minutes,
		   c.scheduled_at IS NOT NULL AS is_booked,
		   c.status = 'in_progress' AS is_running,
		   CASE c.status WHEN 'verifying' THEN false
						 WHEN 'in_progress' THEN coalesce(c.ends_at < now(), false)
						 ELSE c.starts_at < now() END AS is_overdue,
		   c.updated_at, c.revision
	FROM (
		SELECT n.id, n.title, n.type, n.model, n.status, n.on_hold, n.environment,
			   n.risk_level, n.owner_id, n.implementer_id, n.team_id,
			   n.planned_start AS starts_at, n.planned_end AS ends_at,
			   n.scheduled_at, n.updated_at, n.revision
		FROM changemgmt.change AS n
		WHERE n.status IN ('awaiting_approval', 'approved', 'scheduled')
		  AND (n.status <> 'awaiting_approval' OR n.scheduled_at IS NOT NULL)
		UNION ALL
		SELECT b.id, b.title, b.type, b.model, b.status, b.on_hold, b.environment,
			   b.risk_level, b.owner_id, b.implementer_id, b.team_id,
			   coalesce(b.actual_start, b.planned_start),
			   CASE b.status WHEN 'verifying' THEN coalesce(b.actual_end, b.planned_end)
							 ELSE b.planned_end END,
			   b.scheduled_at, b.updated_at, b.revision
		FROM changemgmt.change AS b
		WHERE b.status IN ('in_progress', 'verifying')
	) AS c
	LEFT JOIN changemgmt.person AS o ON o.id = c.owner_id
	LEFT JOIN changemgmt.person AS p ON p.id = c.implementer_id
	LEFT JOIN changemgmt.team AS g ON g.id = c.team_id
	LEFT JOIN LATERAL (
		SELECT string_agg(ci.name, ', ' ORDER BY ci.name) AS services
		FROM changemgmt.change_item AS x
		JOIN changemgmt.configuration_item AS ci ON ci.id = x.ci_id
		WHERE x.change_id = c.id
	) AS i ON true
	WHERE c.starts_at IS NOT NULL;
COMMENT ON VIEW changemgmt.change_schedule IS
	'The forward schedule of change: what is approved, booked, being carried out or verified, and has a time. Confidential changes only for those concerned.';
COMMENT ON COLUMN changemgmt.change_schedule.id IS 'Id of the change.';
COMMENT ON COLUMN changemgmt.change_schedule.number IS 'Number of the change, such as CHG0000042.';
COMMENT ON COLUMN changemgmt.change_schedule.title IS 'What it is.';
COMMENT ON COLUMN changemgmt.change_schedule.type IS 'standard, normal, major, emergency or latent.';
COMMENT ON COLUMN changemgmt.change_schedule.model IS 'Key of the change model.';
COMMENT ON COLUMN changemgmt.change_schedule.status IS 'awaiting_approval (again, with its booking), approved, scheduled, in_progress or verifying.';
COMMENT ON COLUMN changemgmt.change_schedule.on_hold IS 'Whether it is on hold: it can''t begin until it is resumed.';
COMMENT ON COLUMN changemgmt.change_schedule.environment IS 'Where it is done.';
COMMENT ON COLUMN changemgmt.change_schedule.risk_level IS 'low, medium, high, critical or unknown.';
COMMENT ON COLUMN changemgmt.change_schedule.owner IS 'Login of who is accountable.';
COMMENT ON COLUMN changemgmt.change_schedule.implementer IS 'Login of who started it.';
COMMENT ON COLUMN changemgmt.change_schedule.team IS 'The team that carries it out.';
COMMENT ON COLUMN changemgmt.change_schedule.services IS 'Configuration items that it changes or affects.';
COMMENT ON COLUMN changemgmt.change_schedule.starts_at IS 'When the work begins: as planned, once begun as it was.';
COMMENT ON COLUMN changemgmt.change_schedule.ends_at IS 'When it is to end (exclusive); once it is being verified, when it ended. Null for an emergency that nobody has planned.';
COMMENT ON COLUMN changemgmt.change_schedule.duration_minutes IS 'From starts_at to ends_at, in minutes.';
COMMENT ON COLUMN changemgmt.change_schedule.is_booked IS 'Whether the time is booked; otherwise it is planned only.';
COMMENT ON COLUMN changemgmt.change_schedule.is_running IS 'Whether the work goes on now: status in_progress.';
COMMENT ON COLUMN changemgmt.change_schedule.is_overdue IS 'Whether it should have begun by now, or, once begun, have ended.';
COMMENT ON COLUMN changemgmt.change_schedule.updated_at IS 'When the change or a part of it was last edited.';
COMMENT ON COLUMN changemgmt.change_schedule.revision IS 'Counts the edits.';

-- The schedule as a text for calendar programs. What C makes of it knows no
-- table; who may see what is decided by the tables' own policies.

CREATE FUNCTION changemgmt.ics_range(from_at timestamptz, to_at timestamptz)
	RETURNS tstzrange
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ics_range';
COMMENT ON FUNCTION changemgmt.ics_range(timestamptz, timestamptz) IS
	'The range of a calendar. Errors: MC008 where it is null, infinite, empty, longer than 1830 days or ends after 2499.';

CREATE FUNCTION changemgmt.ics_event(
	uid text, modified_at timestamptz, starts_at timestamptz,
	ends_at timestamptz, summary text, description text, category text,
	status text, is_busy boolean, sequence bigint)
	RETURNS text
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ics_event';
COMMENT ON FUNCTION changemgmt.ics_event(text, timestamptz, timestamptz, timestamptz, text, text, text, text, boolean, bigint) IS
	'A VEVENT of RFC 5545: escaped, folded at 75 octets, times in UTC. What is null is left out; without uid, modified_at or starts_at it is null.';

CREATE FUNCTION changemgmt.change_calendar(
	from_at timestamptz DEFAULT now() - interval '30 days',
	to_at timestamptz DEFAULT now() + interval '1 year',
	with_windows boolean DEFAULT true)
	RETURNS text
	LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
	SELECT E'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//changemgmt//change schedule//EN\r\n'
		|| E'CALSCALE:GREGORIAN\r\nX-WR-CALNAME:Change schedule\r\n'
		|| coalesce((
			SELECT string_agg(changemgmt.ics_event(
				e.uid || '@' || current_database() || '.changemgmt', e.modified_at,
				e.starts_at, e.ends_at, e.summary, e.description, e.category, e.status,
				e.is_busy, e.sequence), '' ORDER BY e.starts_at, e.uid)
			FROM (
				-- what is to come
				SELECT 'change-' || s.id AS uid, s.starts_at,
					   CASE WHEN s.is_running THEN greatest(s.ends_at, now())
							ELSE s.ends_at END AS ends_at,
					   s.number || ' ' || s.title AS summary,
					   concat_ws(E'\n', 'Type: ' || s.type, 'Environment: ' || s.environment,
								 'Risk: ' || s.risk_level,
								 'Status: ' || s.status || CASE WHEN s.on_hold THEN ', on hold' ELSE '' END,
								 'Owner: ' || s.owner, 'Implementer: ' || s.implementer,
								 'Team: ' || s.team, 'Items: ' || s.services) AS description,
					   s.type AS category,
					   CASE WHEN s.on_hold OR s.status = 'awaiting_approval'
								 OR s.status = 'approved' AND NOT s.is_booked
							THEN 'TENTATIVE' ELSE 'CONFIRMED' END AS status,
					   true AS is_busy, s.updated_at AS modified_at, s.revision AS sequence
				FROM changemgmt.change_schedule AS s
				WHERE s.starts_at < change_calendar.to_at
				  AND (s.ends_at > change_calendar.from_at
					   OR s.starts_at >= change_calendar.from_at
					   OR s.is_running AND now() > change_calendar.from_at)
				UNION ALL
				-- what was done; all times are finite, but where a range has no
				-- end the planner, who can't see its start, reads all history
				SELECT 'change-' || c.id, c.actual_start, c.actual_end,
					   changemgmt.change_number(c.id) || ' ' || c.title,
					   concat_ws(E'\n', 'Type: ' || c.type, 'Environment: ' || c.environment,
								 'Risk: ' || coalesce(c.risk_level, 'unknown'),
								 'Status: ' || c.status, 'Outcome: ' || c.outcome,
								 'Owner: ' || o.login, 'Implementer: ' || p.login,
								 'Team: ' || g.name, 'Items: ' || i.services),
					   c.type,
					   CASE c.status WHEN 'cancelled' THEN 'CANCELLED' ELSE 'CONFIRMED' END,
					   true, c.updated_at, c.revision
				FROM changemgmt.change AS c
				LEFT JOIN changemgmt.person AS o ON o.id = c.owner_id
				LEFT JOIN changemgmt.person AS p ON p.id = c.implementer_id
				LEFT JOIN changemgmt.team AS g ON g.id = c.team_id
				LEFT JOIN LATERAL (
					SELECT string_agg(ci.name, ', ' ORDER BY ci.name) AS services
					FROM changemgmt.change_item AS x
					JOIN changemgmt.configuration_item AS ci ON ci.id = x.ci_id
					WHERE x.change_id = c.id
				) AS i ON true
				WHERE c.status IN ('implemented', 'rolled_back', 'closed', 'cancelled')
				  AND c.actual_end > change_calendar.from_at
				  AND c.actual_end < 'infinity'
				  AND c.actual_start < change_calendar.to_at
				UNION ALL
				-- when changes can be made, and when not
				SELECT 'window-' || w.id || '-'
					   || to_char(t.starts_at AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS"Z"'),
					   t.starts_at,
					   CASE WHEN isfinite(t.ends_at) THEN t.ends_at
							ELSE change_calendar.to_at END,
					   CASE w.kind WHEN 'blackout' THEN 'Blackout: '
								   ELSE 'Maintenance window: ' END || w.name,
					   concat_ws(E'\n', 'Enforcement: ' || w.enforcement,
								 'Environment: ' || w.environment,
								 'Item: ' || ci.name || CASE WHEN w.covers_dependents
										THEN ', and what depends on it' ELSE '' END,
								 'Model: ' || w.model, 'Tag: ' || w.tag, 'Reason: ' || w.reason),
					   w.kind, 'CONFIRMED', w.kind = 'blackout', w.declared_at, 0
				FROM changemgmt.change_window AS w
				LEFT JOIN changemgmt.configuration_item AS ci ON ci.id = w.ci_id
				CROSS JOIN LATERAL (
					SELECT o.starts_at, o.ends_at
					FROM changemgmt.occurrences(w.recurrence, r.within) AS o
					UNION ALL
					SELECT w.starts_at, w.ends_at
					WHERE tstzrange(w.starts_at, w.ends_at) && r.within
					  AND w.recurrence IS NULL
				) AS t
				WHERE change_calendar.with_windows
			) AS e), '')
		|| E'END:VCALENDAR\r\n'
	FROM changemgmt.ics_range(change_calendar.from_at, change_calendar.to_at) AS r (within);
END;
COMMENT ON FUNCTION changemgmt.change_calendar(timestamptz, timestamptz, boolean) IS
	'The schedule as an RFC 5545 text that calendar programs subscribe to: changes to come and those done in the range, and the occurrences of maintenance windows and blackouts. Errors: MC008 for a range that is null, infinite, empty or longer than 1830 days.';
