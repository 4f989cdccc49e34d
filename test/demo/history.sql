-- A year of history for the tour: 1,500 changes of the last twelve months, with
-- their incidents, commits and waivers.  The numbers come from arithmetic on
-- the change's place in the year, so every run gives the same year, ending the
-- day before yesterday.  Where people with the logins alice, bob, carol, dave
-- and erin exist, it was they.
--
-- Loaded by COPY, the door for history; a second psql takes the rows from this
-- one, so no file is needed.
\set ON_ERROR_STOP on
\setenv PGHOST :HOST
\setenv PGPORT :PORT
\setenv PGUSER :USER
\setenv PGDATABASE :DBNAME

-- u1 to u6 are spread evenly over 0 to 1, each in its own order.
CREATE TEMP TABLE dice AS
	SELECT i,
		   'H' || lpad(i::text, 4, '0') AS key,
		   date_trunc('day', now()) - interval '367 days'
			   + (i * 365 / 1500) * interval '1 day' AS day,
		   (i * 0.6180339887498949) % 1 AS u1,
		   (i * 0.7548776662466927) % 1 AS u2,
		   (i * 0.5698402909980532) % 1 AS u3,
		   (i * 0.8191725133961645) % 1 AS u4,
		   (i * 0.6710436067037893) % 1 AS u5,
		   (i * 0.5497004779019703) % 1 AS u6
	FROM generate_series(1, 1500) AS i;

-- What kind it is, and whether it goes well: a month in the first half of the
-- year is bad, and one in the second.
CREATE TEMP TABLE kind AS
	SELECT d.*, k.type,
		   CASE WHEN k.type IN ('major', 'latent') OR d.u2 < 0.5 THEN k.type
				ELSE 'lean_' || k.type END AS model,
		   f.fails,
		   CASE
			   WHEN d.i > 1497 THEN NULL
			   WHEN f.fails AND d.u4 < 0.62 THEN 'rolled_back'
			   WHEN f.fails THEN 'failed'
			   WHEN d.u3 > 0.985 AND k.type <> 'latent' THEN 'not_implemented'
			   WHEN d.u3 > 0.93 THEN 'successful_with_issues'
			   ELSE 'successful'
		   END AS outcome,
		   (ARRAY['payments', 'checkout', 'search', 'identity', 'billing', 'mail',
				  'warehouse'])[1 + floor(d.u5 * 7)::integer] AS service,
		   (ARRAY[20, 30, 45, 60, 90, 120])[1 + floor(d.u6 * 6)::integer] AS minutes
	FROM dice AS d
	CROSS JOIN LATERAL (
		SELECT CASE WHEN d.i = 777 THEN 'latent'
					WHEN d.u1 < 0.38 THEN 'standard'
					WHEN d.u1 < 0.90 THEN 'normal'
					WHEN d.u1 < 0.96 THEN 'major'
					ELSE 'emergency' END) AS k (type)
	CROSS JOIN LATERAL (
		SELECT d.u3 < CASE k.type WHEN 'standard' THEN 0.03 WHEN 'normal' THEN 0.075
								  WHEN 'major' THEN 0.12 ELSE 0.15 END
					  * CASE WHEN d.i BETWEEN 480 AND 610 THEN 2.4
							 WHEN d.i BETWEEN 1120 AND 1240 THEN 2.0
							 ELSE 1.0 END) AS f (fails);

CREATE TEMP TABLE past AS
	SELECT k.*,
		   CASE k.type
			   WHEN 'standard' THEN (ARRAY['Renew the certificate of %s', 'Rotate the keys of %s',
					'Add a replica to %s', 'Update the packages of %s'])[1 + k.i % 4]
			   WHEN 'normal' THEN (ARRAY['Release a new version of %s', 'Add an index to the %s database',
					'Turn on the new cache of %s', 'Raise the limits of %s',
					'Move the reports of %s'])[1 + k.i % 5]
			   WHEN 'major' THEN (ARRAY['Upgrade the database of %s', 'Move %s to the new cluster'])[1 + k.i % 2]
			   WHEN 'emergency' THEN 'Bring %s back'
			   ELSE 'Firewall rule of %s changed by hand'
		   END AS title,
		   CASE k.type
			   WHEN 'standard' THEN (ARRAY['security', 'security', 'infrastructure', 'dependency'])[1 + k.i % 4]
			   WHEN 'normal' THEN (ARRAY['release', 'schema', 'feature_flag', 'configuration',
					'data_migration'])[1 + k.i % 5]
			   WHEN 'major' THEN 'infrastructure'
			   WHEN 'emergency' THEN 'other'
			   ELSE 'configuration'
		   END AS category,
		   s.began,
		   s.began + floor(k.minutes * (0.6 + 0.55 * k.u4)) * interval '1 minute' AS ended,
		   CASE WHEN k.type NOT IN ('emergency', 'latent')
				THEN s.planned END AS planned_start,
		   CASE WHEN k.type NOT IN ('emergency', 'latent')
				THEN s.planned + (k.minutes + 15) * interval '1 minute' END AS planned_end,
		   CASE WHEN k.type = 'emergency' THEN s.began - interval '20 minutes'
				WHEN k.type = 'latent' THEN s.began + interval '3 days'
				WHEN k.model LIKE 'lean%' THEN s.began - floor(300 + 3600 * k.u5) * interval '1 minute'
				WHEN k.type = 'standard' THEN s.began - floor(1440 * (1 + 4 * k.u5)) * interval '1 minute'
				ELSE s.began - floor(1440 * (9 + 12 * k.u5)) * interval '1 minute' END AS created
	FROM kind AS k
	CROSS JOIN LATERAL (
		SELECT p.planned,
			   -- every fortieth begins before its time
			   p.planned + CASE WHEN k.i % 40 = 11 THEN interval '-10 minutes'
								ELSE floor(k.u2 * 9) * interval '1 minute' END AS began
		FROM (SELECT k.day + CASE WHEN k.type IN ('emergency', 'latent')
								  THEN floor(k.u6 * 22 * 60)
								  ELSE 540 + floor(k.u5 * 40) * 12 END
							 * interval '1 minute') AS p (planned)) AS s;

-- Incidents: what emergencies answer, and what half of the failures caused.
COPY (
	SELECT 'INC-' || key, title, severity, began_at, began_at + interval '4 minutes',
		   began_at + minutes * interval '1 minute', minutes - 5
	FROM (
		SELECT key, service || ' is down' AS title, 1 + i % 2 AS severity,
			   began - interval '25 minutes' AS began_at,
			   ceil(extract(epoch FROM ended - began) / 60)::integer + 25 AS minutes
		FROM past WHERE type = 'emergency'
		UNION ALL
		SELECT key || 'F', 'Errors in ' || service, 2 + i % 3,
			   ended + interval '10 minutes', 15 + (u5 * 120)::integer
		FROM past WHERE outcome IN ('failed', 'rolled_back') AND i % 2 = 0
	) AS x
	WHERE NOT EXISTS (SELECT FROM changemgmt.incident AS n
					  WHERE n.reference = 'INC-' || x.key)
) TO STDOUT \g | psql -X -q -v ON_ERROR_STOP=1 -c 'COPY changemgmt.incident (reference, title, severity, began_at, detected_at, resolved_at, outage_minutes) FROM STDIN'

COPY (
	SELECT 'history', p.key, p.model, 0, p.type,
		   CASE
			   WHEN p.outcome IS NULL THEN 'verifying'
			   WHEN p.outcome = 'not_implemented' THEN 'cancelled'
			   WHEN p.ended < now() - interval '9 days' THEN 'closed'
			   WHEN p.outcome = 'rolled_back' THEN 'rolled_back'
			   ELSE 'implemented'
		   END,
		   p.outcome, format(p.title, p.service), p.category, 'production',
		   p.type = 'emergency', r.id, o.id, o.id,
		   CASE WHEN p.outcome <> 'not_implemented' THEN o.id END,
		   CASE WHEN p.outcome LIKE 'successful%' THEN v.id END,
		   CASE WHEN p.type = 'emergency' THEN 'critical' WHEN p.u4 < 0.2 THEN 'low'
				WHEN p.u4 < 0.8 THEN 'medium' ELSE 'high' END,
		   CASE p.type WHEN 'standard' THEN 'low' WHEN 'major' THEN 'high'
					   WHEN 'emergency' THEN 'high' ELSE 'medium' END,
		   p.minutes, CASE WHEN p.type <> 'latent' THEN 15 + p.i % 3 * 15 END,
		   p.planned_start, p.planned_end,
		   p.created,
		   p.created + (p.planned_start - p.created) * 0.1,
		   p.created + (p.planned_start - p.created) * 0.1,
		   p.created + (p.planned_start - p.created) * 0.6,
		   CASE WHEN p.model NOT LIKE 'lean%' THEN p.created + (p.planned_start - p.created) * 0.65 END,
		   CASE WHEN p.outcome IS DISTINCT FROM 'not_implemented' THEN p.began END,
		   CASE WHEN p.outcome IS DISTINCT FROM 'not_implemented'
					 AND NOT b.never_complete THEN p.ended END,
		   CASE WHEN p.outcome IS DISTINCT FROM 'not_implemented' THEN p.ended END,
		   CASE WHEN p.outcome LIKE 'successful%' THEN p.ended + interval '30 minutes' END,
		   CASE WHEN p.outcome = 'rolled_back' THEN b.back END,
		   CASE WHEN p.outcome = 'rolled_back' THEN b.back + floor(6 + p.u6 * 34) * interval '1 minute' END,
		   CASE WHEN p.outcome = 'failed' THEN p.ended + floor(40 + p.u6 * 600) * interval '1 minute' END,
		   CASE WHEN p.outcome <> 'not_implemented' AND p.ended < now() - interval '9 days'
				THEN p.ended + interval '8 days' END,
		   CASE WHEN p.outcome = 'not_implemented' THEN p.began END,
		   CASE WHEN p.outcome IN ('rolled_back', 'failed')
				THEN (ARRAY['testing', 'plan', 'environment', 'dependency', 'human', 'capacity'])[1 + p.i % 6] END,
		   CASE WHEN p.outcome = 'failed' THEN 'Fixed forward.' END,
		   n.id, CASE WHEN p.type = 'emergency' THEN v.id END,
		   CASE WHEN p.type = 'emergency' THEN 'production_down' END,
		   CASE WHEN p.type = 'latent' THEN 'The nightly comparison of firewall rules.' END
	FROM past AS p
	CROSS JOIN LATERAL (
		SELECT p.outcome = 'rolled_back' AND p.i % 5 = 0,
			   p.ended + CASE WHEN p.i % 5 = 0 THEN interval '0'
							  WHEN p.i % 19 = 0 THEN interval '3 days'
							  ELSE floor(10 + p.u5 * 170) * interval '1 minute' END
	) AS b (never_complete, back)
	LEFT JOIN changemgmt.person AS r ON r.login = 'alice'
	LEFT JOIN changemgmt.person AS o ON o.login = (ARRAY['bob', 'dave', 'erin'])[1 + p.i % 3]
	LEFT JOIN changemgmt.person AS v ON v.login = 'carol'
	LEFT JOIN changemgmt.incident AS n ON n.reference = 'INC-' || p.key
	WHERE NOT EXISTS (SELECT FROM changemgmt.change AS c
					  WHERE c.source = 'history' AND c.source_key = p.key)
	ORDER BY p.created, p.i
) TO STDOUT \g | psql -X -q -v ON_ERROR_STOP=1 -c 'COPY changemgmt.change (source, source_key, model, model_version, type, status, outcome, title, category, environment, unplanned, requester_id, owner_id, author_id, implementer_id, verifier_id, priority, risk_level, estimated_minutes, rollback_minutes, planned_start, planned_end, created_at, first_submitted_at, submitted_at, approved_at, scheduled_at, actual_start, deployed_at, actual_end, verified_at, rollback_started_at, rolled_back_at, recovered_at, closed_at, cancelled_at, cause_class, remediation, incident_id, authorised_by_id, emergency_threshold, found_by) FROM STDIN'

COPY (
	SELECT n.id, c.id, 'confirmed', v.id, n.resolved_at + interval '1 day'
	FROM past AS p
	JOIN changemgmt.change AS c ON c.source = 'history' AND c.source_key = p.key
	JOIN changemgmt.incident AS n ON n.reference = 'INC-' || p.key || 'F'
	LEFT JOIN changemgmt.person AS v ON v.login = 'carol'
	WHERE NOT EXISTS (SELECT FROM changemgmt.incident_cause AS x
					  WHERE x.incident_id = n.id AND x.change_id = c.id)
) TO STDOUT \g | psql -X -q -v ON_ERROR_STOP=1 -c 'COPY changemgmt.incident_cause (incident_id, change_id, status, decided_by_id, decided_at) FROM STDIN'

-- Commits of what is released from a repository; the change after a failure
-- that was fixed forward remediates it.
COPY (
	SELECT x.*
	FROM (
		SELECT c.id AS change_id, 'commit' AS relation, NULL::bigint AS target_change_id,
			   left(md5(p.key), 12) AS target,
			   p.created - floor(60 + p.u6 * 2400) * interval '1 minute' AS occurred_at
		FROM past AS p
		JOIN changemgmt.change AS c ON c.source = 'history' AND c.source_key = p.key
		WHERE p.model LIKE 'lean%' AND p.category IN ('release', 'configuration', 'schema')
		UNION ALL
		SELECT n.id, 'remediates', c.id, NULL, NULL
		FROM past AS p
		JOIN changemgmt.change AS c ON c.source = 'history' AND c.source_key = p.key
		JOIN changemgmt.change AS n ON n.source = 'history'
			AND n.source_key = 'H' || lpad((p.i + 1)::text, 4, '0')
		WHERE p.outcome = 'failed'
	) AS x
	WHERE NOT EXISTS (SELECT FROM changemgmt.change_link AS l
					  WHERE l.change_id = x.change_id AND l.relation = x.relation
						AND (l.target = x.target OR l.target_change_id = x.target_change_id))
) TO STDOUT \g | psql -X -q -v ON_ERROR_STOP=1 -c 'COPY changemgmt.change_link (change_id, relation, target_change_id, target, occurred_at) FROM STDIN'

COPY (
	SELECT c.id, 'notice', 'The vendor set the date.', v.id, c.first_submitted_at
	FROM past AS p
	JOIN changemgmt.change AS c ON c.source = 'history' AND c.source_key = p.key
	LEFT JOIN changemgmt.person AS v ON v.login = 'carol'
	WHERE p.model IN ('normal', 'major') AND p.i % 29 = 0
	  AND NOT EXISTS (SELECT FROM changemgmt.change_waiver AS w
					  WHERE w.change_id = c.id AND w.requirement = 'notice')
) TO STDOUT \g | psql -X -q -v ON_ERROR_STOP=1 -c 'COPY changemgmt.change_waiver (change_id, requirement, reason, waived_by_id, waived_at) FROM STDIN'

-- The other psql's status gets lost, so look.
DO $$
BEGIN
	IF (SELECT count(*) FROM changemgmt.change WHERE source = 'history') <> 1500 THEN
		RAISE EXCEPTION 'the year of history was not loaded'
			USING HINT = 'The error of the COPY stands above.';
	END IF;
END
$$;
DROP TABLE past, kind, dice;
ANALYZE changemgmt.change, changemgmt.change_link, changemgmt.incident, changemgmt.incident_cause;
