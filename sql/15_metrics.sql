-- metrics: facts, and what a month amounts to. docs/metrics.md has the
-- definitions in words. Columns of both views are plain types that any BI tool
-- reads; durations are seconds.

-- One place for every verdict on a change: monthly_metrics only counts them.
--
-- The joins to grouped rows are made so that both ways of use are fast: for
-- one change_id the planner pushes the id into them, for many changes it
-- hashes them once. Their results are tested as columns, so a verdict may be
-- used many times at no cost. A join whose columns nobody asks for is removed.
--
-- It reads as the owner: metrics count confidential changes for everybody, so
-- row-level security must not thin them out. No duty gives it.
CREATE VIEW changemgmt.metrics_fact AS
	SELECT
		c.id AS change_id,
		changemgmt.change_number(c.id) AS number,
		c.title,
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
		END AS notice_seconds,
		CASE WHEN c.approved_at > c.submitted_at AND isfinite(c.submitted_at)
				  AND isfinite(c.approved_at)
			THEN date_part('epoch', c.approved_at - c.submitted_at)
		END AS approval_wait_seconds,
		-- what shipped_models() separates: normal and major, and less of it in
		-- lean_normal; a site's model has the profile of its base
		c.type IN ('normal', 'major') AND (
			c.verifier_id IS NOT NULL AND c.verifier_id = c.implementer_id
				AND NOT v.is_lean
			OR c.approved_seal IS NOT NULL
				AND EXISTS (SELECT FROM changemgmt.approval_vote AS a
							WHERE a.change_id = c.id
							  AND a.round = c.approval_round
							  AND a.decision = 'approved'
							  AND a.seal = c.approved_seal
							  AND (c.owner_id IN (a.person_id, a.voted_by_id)
								   OR c.author_id IN (a.person_id, a.voted_by_id)
								   OR c.last_editor_id IN (a.person_id, a.voted_by_id)
								   OR (c.requester_id IN (a.person_id, a.voted_by_id)
									   OR c.implementer_id IN (a.person_id, a.voted_by_id))
									  AND NOT v.is_lean)))
			AS is_unsegregated
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
			CASE WHEN c.model_version = 0 THEN c.model LIKE 'lean\_%'
				ELSE coalesce((SELECT s.definition ->> 'base' LIKE 'lean\_%'
							   FROM changemgmt.site_model AS s
							   WHERE s.key = c.model
								 AND s.version = c.model_version), false)
			END AS is_lean,
			coalesce(c.estimated_minutes * 60::double precision,
					 date_part('epoch', c.planned_end - c.planned_start))
				AS estimated_seconds,
			CASE WHEN c.rolled_back_at >= c.rollback_started_at
				THEN date_part('epoch', c.rolled_back_at - c.rollback_started_at)
			END AS rollback_seconds
	) AS v;
COMMENT ON VIEW changemgmt.metrics_fact IS
	'What monthly_metrics counts, and change_fact shows to whom it may: a row a change, confidential ones included, for the owner only.';

CREATE VIEW changemgmt.change_fact WITH (security_barrier = true) AS
	SELECT f.*
	FROM changemgmt.metrics_fact AS f
	WHERE f.change_id NOT IN (SELECT unnest(changemgmt.hidden_changes()));
COMMENT ON VIEW changemgmt.change_fact IS 'A row a change that one may see: its facts, and the verdicts that the metrics are made of. Durations are seconds, and null where something is missing or the end lies before the start.';
COMMENT ON COLUMN changemgmt.change_fact.change_id IS 'Id of the change.';
COMMENT ON COLUMN changemgmt.change_fact.number IS 'Number of the change, such as CHG0000042.';
COMMENT ON COLUMN changemgmt.change_fact.title IS 'What it is, in one line.';
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
COMMENT ON COLUMN changemgmt.change_fact.approval_wait_seconds IS 'approved_at - submitted_at: how long it last waited for its approval; null where it was pre-approved, or submitted again since.';
COMMENT ON COLUMN changemgmt.change_fact.is_unsegregated IS 'Whether one person held two duties that the shipped model of its type and profile keeps apart: its own model allowed it.';

-- A row a month. The aggregation is LATERAL, so a condition on month reaches
-- the series and only the changes of those months are read, through
-- change_actual_end_idx. The range is a day wider than the month on both ends
-- and change_fact.month decides: local time repeats itself when clocks are set
-- back, in some zones at midnight of a first.
CREATE VIEW changemgmt.monthly_metrics AS
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
		harm.outage_minutes,
		a.approval_waits,
		a.approval_wait_total_seconds,
		a.approval_wait_total_seconds / nullif(a.approval_waits, 0) AS approval_wait_mean_seconds,
		a.approval_wait_median_seconds,
		a.unsegregated,
		changemgmt.rate(a.unsegregated, a.changes)::double precision AS unsegregated_share,
		changemgmt.wilson_low(changemgmt.rate(a.unsegregated, a.changes)) AS unsegregated_share_low,
		changemgmt.wilson_high(changemgmt.rate(a.unsegregated, a.changes)) AS unsegregated_share_high,
		late.restated_at
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
						  FROM changemgmt.metrics_fact AS f
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
			count(f.approval_wait_seconds) AS approval_waits,
			sum(f.approval_wait_seconds) AS approval_wait_total_seconds,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY f.approval_wait_seconds)
				AS approval_wait_median_seconds,
			count(*) FILTER (WHERE f.is_rework) AS rework,
			count(f.duration_variance) AS estimated,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY f.duration_variance)
				AS duration_variance_median,
			count(*) FILTER (WHERE f.duration_variance <= 0.2) AS within_estimate,
			count(*) FILTER (WHERE f.is_standard) AS standard,
			count(*) FILTER (WHERE f.is_emergency) AS emergency,
			count(*) FILTER (WHERE f.is_unauthorized) AS unauthorized,
			count(*) FILTER (WHERE f.is_waived) AS waived,
			count(*) FILTER (WHERE f.is_unsegregated) AS unsegregated,
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
				   f.notice_seconds, f.approval_wait_seconds,
				   f.is_rework, f.duration_variance,
				   f.is_standard, f.is_emergency, f.is_unauthorized,
				   f.is_waived, f.is_outside_window, f.is_unsegregated
			FROM changemgmt.metrics_fact AS f
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
			JOIN changemgmt.metrics_fact AS f ON f.change_id = failed.change_id
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
						 JOIN changemgmt.metrics_fact AS f
							 ON f.change_id = cause.change_id
						 WHERE cause.incident_id = i.id
						   AND cause.status = 'confirmed'
						   AND f.is_counted
						 ORDER BY f.actual_end DESC
						 LIMIT 1)
	) AS harm
	-- There are few, and what they took back may have no other failure.  Once for
	-- all months: for each of them it would cost enough to be compiled.
	LEFT JOIN (
		SELECT f.month, max(cause.withdrawn_at) AS withdrawn_at
		FROM (SELECT cause.change_id, cause.withdrawn_at
			  FROM changemgmt.incident_cause AS cause
			  WHERE cause.withdrawn_at IS NOT NULL
			  OFFSET 0) AS cause
		JOIN changemgmt.metrics_fact AS f ON f.change_id = cause.change_id
		GROUP BY f.month
	) AS back ON back.month = m.month
	CROSS JOIN LATERAL (
		SELECT greatest(max(cause.decided_at),
						CASE WHEN back.withdrawn_at >= m.ends_at
							THEN back.withdrawn_at END) AS restated_at
		FROM changemgmt.incident_cause AS cause
		WHERE cause.change_id = ANY (a.failed_ids)
		  AND cause.status = 'confirmed'
		  AND cause.decided_at >= m.ends_at
	) AS late;
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
COMMENT ON COLUMN changemgmt.monthly_metrics.approval_waits IS 'Changes whose waiting time for approval is known.';
COMMENT ON COLUMN changemgmt.monthly_metrics.approval_wait_total_seconds IS 'Waiting time for approval (last submission until approval), summed up, in seconds; null where approval_waits is 0.';
COMMENT ON COLUMN changemgmt.monthly_metrics.approval_wait_mean_seconds IS 'Waiting time for approval (last submission until approval), mean in seconds.';
COMMENT ON COLUMN changemgmt.monthly_metrics.approval_wait_median_seconds IS 'Waiting time for approval (last submission until approval), exact median in seconds.';
COMMENT ON COLUMN changemgmt.monthly_metrics.unsegregated IS 'Changes where one person held two duties that the shipped model of their type and profile keeps apart.';
COMMENT ON COLUMN changemgmt.monthly_metrics.unsegregated_share IS 'unsegregated / changes.';
COMMENT ON COLUMN changemgmt.monthly_metrics.unsegregated_share_low IS 'Lower bound of the 95 % Wilson interval of unsegregated_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.unsegregated_share_high IS 'Upper bound of the 95 % Wilson interval of unsegregated_share.';
COMMENT ON COLUMN changemgmt.monthly_metrics.restated_at IS 'When somebody last confirmed that a change of the month caused an incident, or took that back, after the month was over; null where nobody did.';
