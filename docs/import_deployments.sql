-- Imports a log of deployments as closed changes.  docs/import.md explains it.
--
--   psql -v source=NAME -f docs/import_deployments.sql DATABASE < log.csv
--
-- Connect as the owner of the extension's tables or as a superuser.  What is
-- there already (same source and key) is left alone, so the import can be
-- repeated with a longer log.
\set ON_ERROR_STOP on
\if :{?source}
\else
\set source deployments
\endif

-- The columns of the log, in its order.  Times bear their zone.
CREATE TEMP TABLE deployment (
	seq bigint,
	change_id text NOT NULL,
	authored_at timestamptz,
	committed_at timestamptz NOT NULL,
	author_tz text,
	author text,
	committer text,
	n_files integer,
	insertions integer,
	deletions integer,
	n_dirs integer,
	author_prior_changes integer,
	subject_len integer,
	body_len integer,
	n_tickets integer,
	tickets text,
	is_revert integer,
	reverts text,
	emergency_word integer,
	reverted_by text,
	reverted_at timestamptz
);
\copy deployment from pstdin with (format csv, header)

-- The mapping.
CREATE TEMP VIEW mapped AS
	SELECT :'source' AS source,
		   change_id AS source_key,
		   'Deployment ' || change_id AS title,
		   'lean_normal' AS model,
		   0 AS model_version,
		   'normal' AS type,
		   'configuration' AS category,
		   'production' AS environment,
		   'closed' AS status,
		   CASE WHEN reverted_at IS NULL THEN 'successful'
				ELSE 'rolled_back' END AS outcome,
		   coalesce(authored_at, committed_at) AS created_at,
		   committed_at AS actual_start,
		   committed_at AS deployed_at,
		   committed_at AS actual_end,
		   reverted_at AS rolled_back_at,
		   coalesce(reverted_at, committed_at) AS closed_at,
		   coalesce(reverted_at, committed_at) AS updated_at,
		   jsonb_strip_nulls(jsonb_build_object(
				'author', author,
				'committer', committer,
				'files', n_files,
				'insertions', insertions,
				'deletions', deletions,
				'tickets', tickets,
				'reverts', reverts,
				'reverted_by', reverted_by)) AS attributes
	FROM deployment
	ORDER BY committed_at, seq;

-- History comes in by COPY: closed changes can't be inserted.  A second psql
-- on the same database takes the rows from this one, so no file is needed.
\setenv PGHOST :HOST
\setenv PGPORT :PORT
\setenv PGUSER :USER
\setenv PGDATABASE :DBNAME
COPY (
	SELECT m.* FROM mapped AS m
	WHERE NOT EXISTS (SELECT FROM changemgmt.change AS c
					  WHERE c.source = m.source
						AND c.source_key = m.source_key)
) TO STDOUT \g | psql -X -q -v ON_ERROR_STOP=1 -c 'COPY changemgmt.change (source, source_key, title, model, model_version, type, category, environment, status, outcome, created_at, actual_start, deployed_at, actual_end, rolled_back_at, closed_at, updated_at, attributes) FROM STDIN'

-- The other psql's status gets lost, so look.
DO $$
BEGIN
	IF EXISTS (SELECT FROM mapped AS m
			   LEFT JOIN changemgmt.change AS c USING (source, source_key)
			   WHERE c.id IS NULL) THEN
		RAISE EXCEPTION 'the deployments were not imported'
			USING HINT = 'The error of the COPY stands above.';
	END IF;
END
$$;
ANALYZE changemgmt.change;
SELECT count(*) AS deployments_in_log FROM deployment;
DROP VIEW mapped;
DROP TABLE deployment;
