-- schedule: bookings, conflicts, and the schedule of change.

-- The schedule

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
