-- rights: duties, and nothing for PUBLIC but the USAGE of types.

CREATE FUNCTION changemgmt.duty_rights(
	OUT duty text, OUT privilege text, OUT object text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'duty_rights';
COMMENT ON FUNCTION changemgmt.duty_rights() IS
	'What each duty (viewer, requester, implementer, approver, manager, integration) gives: USAGE of the schema, SELECT of tables and views, EXECUTE of functions.';

CREATE FUNCTION changemgmt.grant_role(role_name text, duty text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'grant_role';
COMMENT ON FUNCTION changemgmt.grant_role(text, text) IS
	'Grants a role the rights of a duty. By the owner of the extension. Errors: MC008 for an unknown role or duty.';

CREATE FUNCTION changemgmt.revoke_role(role_name text, duty text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'revoke_role';
COMMENT ON FUNCTION changemgmt.revoke_role(text, text) IS
	'Takes a duty, with those that it includes, away from a role; what another duty of the role gives as well stays. Errors: MC008, also where the role has a larger duty that includes it.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA changemgmt FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA changemgmt FROM PUBLIC;
-- The policies call them, for whoever was granted SELECT on a table; they tell
-- of the caller only.
GRANT EXECUTE ON FUNCTION changemgmt.hidden_changes() TO PUBLIC;
GRANT EXECUTE ON FUNCTION changemgmt.hidden_causes() TO PUBLIC;
GRANT EXECUTE ON FUNCTION changemgmt.hidden_duties() TO PUBLIC;
GRANT EXECUTE ON FUNCTION changemgmt.hidden_items(text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION changemgmt.hidden_assessments() TO PUBLIC;
