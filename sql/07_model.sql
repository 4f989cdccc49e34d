-- model: change models. What ships is constants; a site's own models are rows.

CREATE TABLE changemgmt.site_model (
	key text NOT NULL CHECK (key ~ '^[a-z][a-z0-9_]{0,62}$'),
	version integer NOT NULL CHECK (version > 0),
	definition jsonb NOT NULL,
	published_by text NOT NULL,
	published_at timestamptz NOT NULL DEFAULT now(),
	retired_at timestamptz,
	PRIMARY KEY (key, version)
);
COMMENT ON TABLE changemgmt.site_model IS
	'A site''s own models and templates. A published version never changes; a change stays under the version it was submitted with.';
COMMENT ON COLUMN changemgmt.site_model.definition IS
	'What differs from the model named in "base"; docs/model.md lists the keys.';
COMMENT ON COLUMN changemgmt.site_model.retired_at IS
	'Since when no new change can use it; changes under way are not touched.';

CREATE FUNCTION changemgmt.model_guard() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'model_guard';
COMMENT ON FUNCTION changemgmt.model_guard() IS
	'Trigger: checks a definition (MC008) and keeps published versions as they are (MC006).';

CREATE TRIGGER model_guard
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.site_model
	FOR EACH ROW EXECUTE FUNCTION changemgmt.model_guard();
CREATE TRIGGER model_guard_truncate
	BEFORE TRUNCATE ON changemgmt.site_model
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.model_guard();
CREATE TRIGGER cache_invalidate
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON changemgmt.site_model
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.cache_invalidate();

CREATE FUNCTION changemgmt.shipped_models(
	OUT key text, OUT version integer, OUT definition jsonb)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'shipped_models';
COMMENT ON FUNCTION changemgmt.shipped_models() IS
	'The models that ship: itil (standard, normal, major, emergency, latent) and lean (lean_standard, lean_normal, lean_emergency).';

CREATE VIEW changemgmt.model WITH (security_invoker = true) AS
	SELECT key, version, definition, true AS is_shipped,
		   NULL::timestamptz AS published_at, NULL::timestamptz AS retired_at
	FROM changemgmt.shipped_models()
	UNION ALL
	SELECT key, version, definition, false, published_at, retired_at
	FROM changemgmt.site_model;
COMMENT ON VIEW changemgmt.model IS
	'All models, the shipped and the site''s. A site''s model takes the place of a shipped one with the same key.';
COMMENT ON COLUMN changemgmt.model.key IS 'Name of the model.';
COMMENT ON COLUMN changemgmt.model.version IS 'Version; the highest is used for new changes. Shipped models have version 0.';
COMMENT ON COLUMN changemgmt.model.definition IS 'The definition; docs/model.md lists the keys.';
COMMENT ON COLUMN changemgmt.model.is_shipped IS 'Whether it comes with the extension.';
COMMENT ON COLUMN changemgmt.model.published_at IS 'When the site published it.';
COMMENT ON COLUMN changemgmt.model.retired_at IS 'Since when no new change can use it.';

CREATE FUNCTION changemgmt.publish_model(key text, definition jsonb)
	RETURNS integer
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.site_model (key, version, definition, published_by)
	SELECT publish_model.key, coalesce(max(m.version), 0) + 1,
		   publish_model.definition, changemgmt.acting_person()
	FROM changemgmt.site_model AS m
	WHERE m.key = publish_model.key
	RETURNING site_model.version;
END;
COMMENT ON FUNCTION changemgmt.publish_model(text, jsonb) IS
	'Publishes the next version of a site''s model and returns its number. Errors: MC008 with the key that is wrong.';

CREATE FUNCTION changemgmt.retire_model(key text) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH retired AS (
		UPDATE changemgmt.site_model AS m SET retired_at = now()
		WHERE m.key = retire_model.key AND m.retired_at IS NULL
		RETURNING m.version
	)
	SELECT count(*) FROM retired;
END;
COMMENT ON FUNCTION changemgmt.retire_model(text) IS
	'Retires all versions of a site''s model for new changes and returns how many there were.';

SELECT pg_catalog.pg_extension_config_dump('changemgmt.site_model', '');
