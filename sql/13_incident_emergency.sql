-- incident: whether emergencies did afterwards what they owe.

CREATE VIEW changemgmt.emergency_compliance WITH (security_invoker = true) AS
	SELECT c.id AS change_id, changemgmt.change_number(c.id) AS number, c.title,
		   c.status, c.outcome, i.reference AS incident, a.login AS authoriser,
		   c.emergency_threshold, c.actual_start AS started_at, c.actual_end AS ended_at,
		   o.login AS owner,
		   d.status_page_due_at, d.status_page_done_at, d.status_page_late_minutes,
		   d.full_record_due_at, d.full_record_done_at, d.full_record_late_minutes,
		   d.authoriser_confirmation_due_at, d.authoriser_confirmation_done_at, d.authoriser_confirmation_late_minutes,
		   d.root_cause_due_at, d.root_cause_done_at, d.root_cause_late_minutes,
		   d.resolution_summary_due_at, d.resolution_summary_done_at, d.resolution_summary_late_minutes,
		   d.independent_review_due_at, d.independent_review_done_at, d.independent_review_late_minutes,
		   d.post_mortem_due_at, d.post_mortem_done_at, d.post_mortem_late_minutes,
		   d.updates_made, d.updates_missed,
		   d.authoriser_confirmation_done_at IS NOT NULL AS is_confirmed,
		   d.full_record_done_at IS NOT NULL AS is_record_complete,
		   d.open_duties, d.overdue_duties,
		   CASE WHEN d.late > 0 OR d.updates_missed > 0 THEN false
			   WHEN d.duties = 0 OR d.open_duties > 0 OR c.actual_end IS NULL THEN NULL
			   ELSE true END AS is_kept
	FROM changemgmt.change AS c
	LEFT JOIN changemgmt.incident AS named ON named.id = c.incident_id
	LEFT JOIN changemgmt.incident AS i ON i.id = coalesce(named.merged_into_id, named.id)
	LEFT JOIN changemgmt.person AS a ON a.id = c.authorised_by_id
	LEFT JOIN changemgmt.person AS o ON o.id = c.owner_id
	CROSS JOIN LATERAL (
		SELECT
			   max(w.due_at) FILTER (WHERE w.kind = 'status_page') AS status_page_due_at,
			   max(w.done_at) FILTER (WHERE w.kind = 'status_page') AS status_page_done_at,
			   max(w.late_minutes) FILTER (WHERE w.kind = 'status_page') AS status_page_late_minutes,
			   max(w.due_at) FILTER (WHERE w.kind = 'full_record') AS full_record_due_at,
			   max(w.done_at) FILTER (WHERE w.kind = 'full_record') AS full_record_done_at,
			   max(w.late_minutes) FILTER (WHERE w.kind = 'full_record') AS full_record_late_minutes,
			   max(w.due_at) FILTER (WHERE w.kind = 'authoriser_confirmation') AS authoriser_confirmation_due_at,
			   max(w.done_at) FILTER (WHERE w.kind = 'authoriser_confirmation') AS authoriser_confirmation_done_at,
			   max(w.late_minutes) FILTER (WHERE w.kind = 'authoriser_confirmation') AS authoriser_confirmation_late_minutes,
			   max(w.due_at) FILTER (WHERE w.kind = 'root_cause') AS root_cause_due_at,
			   max(w.done_at) FILTER (WHERE w.kind = 'root_cause') AS root_cause_done_at,
			   max(w.late_minutes) FILTER (WHERE w.kind = 'root_cause') AS root_cause_late_minutes,
			   max(w.due_at) FILTER (WHERE w.kind = 'resolution_summary') AS resolution_summary_due_at,
			   max(w.done_at) FILTER (WHERE w.kind = 'resolution_summary') AS resolution_summary_done_at,
			   max(w.late_minutes) FILTER (WHERE w.kind = 'resolution_summary') AS resolution_summary_late_minutes,
			   max(w.due_at) FILTER (WHERE w.kind = 'independent_review') AS independent_review_due_at,
			   max(w.done_at) FILTER (WHERE w.kind = 'independent_review') AS independent_review_done_at,
			   max(w.late_minutes) FILTER (WHERE w.kind = 'independent_review') AS independent_review_late_minutes,
			   max(w.due_at) FILTER (WHERE w.kind = 'post_mortem') AS post_mortem_due_at,
			   max(w.done_at) FILTER (WHERE w.kind = 'post_mortem') AS post_mortem_done_at,
			   max(w.late_minutes) FILTER (WHERE w.kind = 'post_mortem') AS post_mortem_late_minutes,
			   count(*) FILTER (WHERE w.kind = 'progress_update' AND w.done_at IS NOT NULL) AS updates_made,
			   coalesce(sum(w.missed) FILTER (WHERE w.kind = 'progress_update'), 0)::bigint AS updates_missed,
			   count(*) FILTER (WHERE w.is_open) AS open_duties,
			   count(*) FILTER (WHERE w.is_open AND w.due_at < now()) AS overdue_duties,
			   count(*) FILTER (WHERE w.cancelled_at IS NULL) AS duties,
			   -- at once is within five minutes
			   count(*) FILTER (WHERE w.late_minutes > CASE w.kind WHEN 'status_page' THEN 5 ELSE 0 END) AS late
		FROM (
			SELECT u.kind, u.due_at, u.done_at, u.cancelled_at,
				   u.done_at IS NULL AND u.cancelled_at IS NULL AS is_open,
				   CASE WHEN u.cancelled_at IS NULL THEN
					   greatest(floor(extract(epoch FROM coalesce(u.done_at, now()) - u.due_at) / 60), 0)::integer END AS late_minutes,
				   -- an update that comes an hour late is two that did not come
				   CASE WHEN u.repeat_minutes > 0 THEN
					   greatest(ceil(extract(epoch FROM coalesce(u.done_at, least(u.cancelled_at, c.actual_end), now()) - u.due_at)
									 / 60 / u.repeat_minutes), 0)::bigint END AS missed
			FROM changemgmt.duty AS u
			WHERE u.change_id = c.id
			  AND u.kind IN ('status_page', 'progress_update', 'root_cause', 'resolution_summary', 'full_record',
							 'authoriser_confirmation', 'independent_review', 'post_mortem')
		) AS w
	) AS d
	WHERE c.type = 'emergency';
COMMENT ON VIEW changemgmt.emergency_compliance IS
	'A row an emergency: what it owed, when that was due and done, and whether all of it came in time.';
COMMENT ON COLUMN changemgmt.emergency_compliance.change_id IS 'Id of the change.';
COMMENT ON COLUMN changemgmt.emergency_compliance.number IS 'Number of the change.';
COMMENT ON COLUMN changemgmt.emergency_compliance.title IS 'What was done.';
COMMENT ON COLUMN changemgmt.emergency_compliance.status IS 'Status of the change.';
COMMENT ON COLUMN changemgmt.emergency_compliance.outcome IS 'How it turned out.';
COMMENT ON COLUMN changemgmt.emergency_compliance.incident IS 'Reference of the incident that it answers, or that this was merged into.';
COMMENT ON COLUMN changemgmt.emergency_compliance.authoriser IS 'Login of who authorised it.';
COMMENT ON COLUMN changemgmt.emergency_compliance.emergency_threshold IS 'production_down, data_at_risk or security_breach.';
COMMENT ON COLUMN changemgmt.emergency_compliance.started_at IS 'When the work began.';
COMMENT ON COLUMN changemgmt.emergency_compliance.ended_at IS 'When the work ended; null as long as it has not.';
COMMENT ON COLUMN changemgmt.emergency_compliance.owner IS 'Login of its owner.';
COMMENT ON COLUMN changemgmt.emergency_compliance.status_page_due_at IS 'When the status page was due.';
COMMENT ON COLUMN changemgmt.emergency_compliance.status_page_done_at IS 'When it was done; null: not yet.';
COMMENT ON COLUMN changemgmt.emergency_compliance.status_page_late_minutes IS 'Whole minutes that it came late, or is late now; 0: in time; null: not owed.';
COMMENT ON COLUMN changemgmt.emergency_compliance.full_record_due_at IS 'When the full record was due.';
COMMENT ON COLUMN changemgmt.emergency_compliance.full_record_done_at IS 'When it was done; null: not yet.';
COMMENT ON COLUMN changemgmt.emergency_compliance.full_record_late_minutes IS 'Whole minutes that it came late, or is late now; 0: in time; null: not owed.';
COMMENT ON COLUMN changemgmt.emergency_compliance.authoriser_confirmation_due_at IS 'When the confirmation of the authoriser was due.';
COMMENT ON COLUMN changemgmt.emergency_compliance.authoriser_confirmation_done_at IS 'When it was done; null: not yet.';
COMMENT ON COLUMN changemgmt.emergency_compliance.authoriser_confirmation_late_minutes IS 'Whole minutes that it came late, or is late now; 0: in time; null: not owed.';
COMMENT ON COLUMN changemgmt.emergency_compliance.root_cause_due_at IS 'When the root cause was due.';
COMMENT ON COLUMN changemgmt.emergency_compliance.root_cause_done_at IS 'When it was done; null: not yet.';
COMMENT ON COLUMN changemgmt.emergency_compliance.root_cause_late_minutes IS 'Whole minutes that it came late, or is late now; 0: in time; null: not owed.';
COMMENT ON COLUMN changemgmt.emergency_compliance.resolution_summary_due_at IS 'When the resolution in short was due.';
COMMENT ON COLUMN changemgmt.emergency_compliance.resolution_summary_done_at IS 'When it was done; null: not yet.';
COMMENT ON COLUMN changemgmt.emergency_compliance.resolution_summary_late_minutes IS 'Whole minutes that it came late, or is late now; 0: in time; null: not owed.';
COMMENT ON COLUMN changemgmt.emergency_compliance.independent_review_due_at IS 'When the independent review was due.';
COMMENT ON COLUMN changemgmt.emergency_compliance.independent_review_done_at IS 'When it was done; null: not yet.';
COMMENT ON COLUMN changemgmt.emergency_compliance.independent_review_late_minutes IS 'Whole minutes that it came late, or is late now; 0: in time; null: not owed.';
COMMENT ON COLUMN changemgmt.emergency_compliance.post_mortem_due_at IS 'When the post-mortem was due.';
COMMENT ON COLUMN changemgmt.emergency_compliance.post_mortem_done_at IS 'When it was done; null: not yet.';
COMMENT ON COLUMN changemgmt.emergency_compliance.post_mortem_late_minutes IS 'Whole minutes that it came late, or is late now; 0: in time; null: not owed.';
COMMENT ON COLUMN changemgmt.emergency_compliance.updates_made IS 'Progress updates that were given.';
COMMENT ON COLUMN changemgmt.emergency_compliance.updates_missed IS 'Progress updates that were not given in time: one for each time that the interval passed without any.';
COMMENT ON COLUMN changemgmt.emergency_compliance.is_confirmed IS 'Whether the authoriser has confirmed it.';
COMMENT ON COLUMN changemgmt.emergency_compliance.is_record_complete IS 'Whether the record was completed.';
COMMENT ON COLUMN changemgmt.emergency_compliance.open_duties IS 'Of what it owes: how many are open.';
COMMENT ON COLUMN changemgmt.emergency_compliance.overdue_duties IS 'How many of them are overdue.';
COMMENT ON COLUMN changemgmt.emergency_compliance.is_kept IS 'Whether all was done in time, the status page within 5 minutes; null as long as something is open and nothing was late, and where nothing is owed.';
