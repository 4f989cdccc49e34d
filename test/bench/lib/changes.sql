-- Writes :count changes with the ids from :first on to stdout, as COPY takes
-- them into the columns of lib/columns.  Numbers come from arithmetic, so each
-- run gives the same changes.
--
-- kind 'closed': history, spread evenly over the five years before now, with
-- the outcomes of a site that fails in 7 of 100.
-- kind 'open': what is under way: drafts that nobody owns, plans, changes that
-- wait for approval, scheduled ones.
-- kind 'in_progress': begun a minute ago under lean_standard.
\set ON_ERROR_STOP on
COPY (
	SELECT
		id, model, type, status, outcome,
		'Release ' || id || ' of the payment service',
		'Brings the payment service from version ' || id || '.0 to ' || id || '.1: '
		|| repeat('what is new in it. ', 5),
		'release',
		'Customers wait for it since the last quarter.',
		'production',
		'Payments are slower for two minutes.',
		'{customers,business}'::text[],
		person, CASE WHEN status <> 'draft' THEN person END, person, person,
		CASE WHEN outcome IS NOT NULL THEN person END,
		(ARRAY['low', 'medium', 'high'])[1 + id % 3],
		30,
		'1. stop one node; 2. install the package; 3. start it; 4. look at the'
		|| ' error rate for five minutes; 5. go on with the next node',
		'more than 1 % of the payments fail',
		'install the package of the version before, node by node',
		15,
		'the suite of the payment service has passed on staging',
		'the error rate stays below 0.1 % for half an hour',
		(ARRAY['low', 'medium', 'high', 'critical'])[1 + id % 4],
		began - interval '5 minutes', began + interval '1 hour',
		began - interval '10 days', began,
		CASE WHEN status <> 'draft' THEN began - interval '9 days' END,
		CASE WHEN status NOT IN ('draft', 'planned') THEN began - interval '9 days' END,
		CASE WHEN outcome IS NOT NULL OR status IN ('scheduled', 'in_progress') THEN began - interval '8 days' END,
		CASE WHEN outcome IS NOT NULL OR status IN ('scheduled', 'in_progress') THEN began - interval '7 days' END,
		CASE WHEN outcome IS NOT NULL OR status = 'in_progress' THEN began END,
		CASE WHEN outcome IS NOT NULL THEN began + interval '25 minutes' END,
		CASE WHEN outcome IS NOT NULL THEN began + interval '25 minutes' END,
		CASE WHEN outcome = 'rolled_back' THEN began + interval '40 minutes' END,
		CASE WHEN outcome = 'rolled_back' THEN began + interval '52 minutes' END,
		CASE WHEN status = 'closed' THEN began + interval '8 days' END,
		1, 1
	FROM (
		SELECT id, person, status, model, began,
			   CASE WHEN status <> 'closed' THEN NULL
					WHEN id % 100 < 4 THEN 'rolled_back'
					WHEN id % 100 < 7 THEN 'failed'
					WHEN id % 100 < 12 THEN 'successful_with_issues'
					ELSE 'successful' END AS outcome,
			   CASE model WHEN 'lean_standard' THEN 'standard' ELSE 'normal' END AS type
		FROM (
			SELECT i AS id, 1 + i % 10 AS person,
				   CASE :'kind' WHEN 'open' THEN (ARRAY['draft', 'planned',
						'awaiting_approval', 'scheduled'])[1 + i % 4]
						ELSE :'kind' END AS status,
				   CASE WHEN :'kind' = 'in_progress' THEN 'lean_standard'
						WHEN i % 3 = 0 THEN 'lean_standard'
						ELSE 'normal' END AS model,
				   date_trunc('minute', now()) + CASE :'kind'
						WHEN 'open' THEN interval '10 days' + i % 1000 * interval '10 minutes'
						WHEN 'in_progress' THEN interval '-1 minute'
						ELSE - interval '10 days'
							 - interval '5 years' * (i - :first) / :count END AS began
			FROM generate_series(:first, :first::bigint + :count - 1) AS i
		) AS numbered
	) AS known
) TO STDOUT
