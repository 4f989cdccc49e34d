-- lifecycle: the engine. Triggers judge, verbs supply; docs/lifecycle.md.

CREATE FUNCTION changemgmt.lifecycle_stamp() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'lifecycle_stamp';
COMMENT ON FUNCTION changemgmt.lifecycle_stamp() IS
	'Trigger: stamps revision, times and ledger head of a change; refuses malformed values (MC008).';
CREATE FUNCTION changemgmt.lifecycle_judge() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'lifecycle_judge';
COMMENT ON FUNCTION changemgmt.lifecycle_judge() IS
	'Trigger: judges a change as it was stored (MC001 to MC007) and writes the ledger.';

-- Triggers fire in the order of their names: the stamp has the last word, and
-- the judge speaks before the server's foreign keys (RI_...).
CREATE TRIGGER zzz_stamp
	BEFORE INSERT OR UPDATE ON changemgmt.change
	FOR EACH ROW EXECUTE FUNCTION changemgmt.lifecycle_stamp();
CREATE TRIGGER "Judge"
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.change
	FOR EACH ROW EXECUTE FUNCTION changemgmt.lifecycle_judge();

CREATE FUNCTION changemgmt.template_check() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'template_check';
COMMENT ON FUNCTION changemgmt.template_check() IS
	'Trigger: refuses (MC008) templates whose plan no change could have.';
CREATE TRIGGER template_check
	AFTER INSERT ON changemgmt.site_model
	FOR EACH ROW EXECUTE FUNCTION changemgmt.template_check();

-- Requirements

CREATE TABLE changemgmt.site_requirement (
	name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
	function text NOT NULL,
	description text,
	hint text,
	verbs text[] NOT NULL DEFAULT '{}'
		CHECK (verbs <@ ARRAY['triage', 'plan', 'submit', 'approve', 'schedule',
			'reschedule', 'start', 'complete', 'resume_work', 'pass', 'fail',
			'begin_rollback', 'roll_back', 'abort', 'confirm_stability', 'close',
			'revise', 'hold', 'resume', 'cancel']),
	registered_by text NOT NULL DEFAULT current_user
);
COMMENT ON TABLE changemgmt.site_requirement IS
	'A site''s own requirements: functions (change_id bigint) RETURNS text that return null when met, else what is missing.';
COMMENT ON COLUMN changemgmt.site_requirement.function IS
	'The function with its argument types, STABLE or IMMUTABLE; it runs as registered_by, read-only.';
COMMENT ON COLUMN changemgmt.site_requirement.verbs IS
	'Verbs that need it in every model; empty where only models name it under "requires".';
COMMENT ON COLUMN changemgmt.site_requirement.registered_by IS
	'Who registered it: stamped, and the role it runs as.';

CREATE FUNCTION changemgmt.site_requirement_check() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'site_requirement_check';
COMMENT ON FUNCTION changemgmt.site_requirement_check() IS
	'Trigger: refuses (MC008) functions that cannot be a requirement, and stamps who registers.';
CREATE TRIGGER site_requirement_check
	BEFORE INSERT OR UPDATE ON changemgmt.site_requirement
	FOR EACH ROW EXECUTE FUNCTION changemgmt.site_requirement_check();
CREATE TRIGGER cache_invalidate
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON changemgmt.site_requirement
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.cache_invalidate();

CREATE FUNCTION changemgmt.requirement_list(
	OUT name text, OUT description text, OUT verbs text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'requirement_list';
COMMENT ON FUNCTION changemgmt.requirement_list() IS
	'The extension''s requirements, with the verbs that need them in every model; models name more.';

CREATE VIEW changemgmt.requirement WITH (security_invoker = true) AS
	SELECT name, description, verbs, true AS is_shipped
	FROM changemgmt.requirement_list()
	UNION ALL
	SELECT name, description, array_to_string(verbs, ', '), false
	FROM changemgmt.site_requirement;
COMMENT ON VIEW changemgmt.requirement IS 'All requirements, the extension''s and the site''s.';
COMMENT ON COLUMN changemgmt.requirement.name IS 'Name, as why_not() and refusals show it.';
COMMENT ON COLUMN changemgmt.requirement.description IS 'What it asks for.';
COMMENT ON COLUMN changemgmt.requirement.verbs IS 'Verbs that need it in every model.';
COMMENT ON COLUMN changemgmt.requirement.is_shipped IS 'Whether it comes with the extension.';

CREATE FUNCTION changemgmt.register_requirement(
	name text, function regprocedure, verbs text[] DEFAULT '{}',
	description text DEFAULT NULL, hint text DEFAULT NULL) RETURNS void
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.site_requirement (name, function, verbs, description, hint)
	VALUES (register_requirement.name, register_requirement.function::text,
			register_requirement.verbs, register_requirement.description,
			register_requirement.hint)
	ON CONFLICT (name) DO UPDATE
		SET function = excluded.function, verbs = excluded.verbs,
			description = excluded.description, hint = excluded.hint;
END;
COMMENT ON FUNCTION changemgmt.register_requirement(text, regprocedure, text[], text, text) IS
	'Registers a site''s requirement, for the verbs given or for the models that name it. Errors: MC008.';

-- Waivers

CREATE TABLE changemgmt.change_waiver (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	change_id bigint NOT NULL REFERENCES changemgmt.change,
	requirement text NOT NULL CHECK (requirement <> ''),
	reason text NOT NULL CHECK (reason <> ''),
	waived_by_id bigint REFERENCES changemgmt.person,
	waived_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE changemgmt.change_waiver IS 'Requirements that a manager has waived for a change, where its model allows it. A waiver counts until the change is revised.';
CREATE INDEX change_waiver_change_id_idx
	ON changemgmt.change_waiver (change_id, requirement);
COMMENT ON COLUMN changemgmt.change_waiver.requirement IS 'Name of the requirement.';
COMMENT ON COLUMN changemgmt.change_waiver.reason IS 'Why it is not needed here.';
COMMENT ON COLUMN changemgmt.change_waiver.waived_by_id IS 'Who waived it.';
COMMENT ON COLUMN changemgmt.change_waiver.waived_at IS 'When.';
CREATE TRIGGER zzz_stamp
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.change_waiver
	FOR EACH ROW EXECUTE FUNCTION changemgmt.part_stamp();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.change_waiver
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.change_waiver
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER part_inserted
	AFTER INSERT ON changemgmt.change_waiver
	REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_updated
	AFTER UPDATE ON changemgmt.change_waiver
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER part_deleted
	AFTER DELETE ON changemgmt.change_waiver
	REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.part_changed();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.change_waiver
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();

CREATE FUNCTION changemgmt.waiver_judge() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'waiver_judge';
COMMENT ON FUNCTION changemgmt.waiver_judge() IS
	'Trigger: only managers waive, and only what the model lets be waived (MC003).';
CREATE TRIGGER judge
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.change_waiver
	FOR EACH ROW EXECUTE FUNCTION changemgmt.waiver_judge();

-- Verbs

CREATE TYPE changemgmt.change_state AS (
	id bigint,
	number text,
	status text,
	outcome text,
	next_verbs text,
	due text,
	revision bigint
);
COMMENT ON TYPE changemgmt.change_state IS
	'What verbs return: where the change is now, what can be done next and what is due.';

CREATE FUNCTION changemgmt.change_state(
	change_id bigint)
	RETURNS changemgmt.change_state
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'change_state';
COMMENT ON FUNCTION changemgmt.change_state(bigint) IS
	'The row that verbs return, without a step. Errors: MC008 for an unknown id.';

CREATE FUNCTION changemgmt.triage(
	change_id bigint,
	coordinator text DEFAULT NULL,
	owner text DEFAULT NULL,
	team text DEFAULT NULL,
	priority text DEFAULT NULL,
	rough_estimate_hours numeric DEFAULT NULL,
	promised_at timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'triage';
COMMENT ON FUNCTION changemgmt.triage(bigint, text, text, text, text, numeric, timestamptz, bigint) IS
	'Receives a request: who coordinates (by default who acts), owns and carries it out, how urgent it is, and a first answer to when. People and teams by name.';

CREATE FUNCTION changemgmt.plan(
	change_id bigint,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'plan';
COMMENT ON FUNCTION changemgmt.plan(bigint, bigint) IS
	'draft to planned: the plan is complete.';

CREATE FUNCTION changemgmt.submit(
	change_id bigint,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'submit';
COMMENT ON FUNCTION changemgmt.submit(bigint, bigint) IS
	'planned to awaiting_approval, or to approved where the model is pre-approved; approved or scheduled to awaiting_approval when the plan was edited since.';

CREATE FUNCTION changemgmt.schedule(
	change_id bigint,
	planned_start timestamptz DEFAULT NULL,
	planned_end timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'schedule';
COMMENT ON FUNCTION changemgmt.schedule(bigint, timestamptz, timestamptz, bigint) IS
	'approved to scheduled: books the planned time, or the one given.';

CREATE FUNCTION changemgmt.reschedule(
	change_id bigint,
	planned_start timestamptz DEFAULT NULL,
	planned_end timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'reschedule';
COMMENT ON FUNCTION changemgmt.reschedule(bigint, timestamptz, timestamptz, bigint) IS
	'Moves the booked time.';

CREATE FUNCTION changemgmt.start(
	change_id bigint,
	at timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'start';
COMMENT ON FUNCTION changemgmt.start(bigint, timestamptz, bigint) IS
	'scheduled (or approved, where the model books no time) to in_progress. A time is taken where the model allows it.';

CREATE FUNCTION changemgmt.complete(
	change_id bigint,
	at timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'complete';
COMMENT ON FUNCTION changemgmt.complete(bigint, timestamptz, bigint) IS
	'in_progress to verifying: the work is deployed.';

CREATE FUNCTION changemgmt.resume_work(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'resume_work';
COMMENT ON FUNCTION changemgmt.resume_work(bigint, text, bigint) IS
	'verifying back to in_progress.';

CREATE FUNCTION changemgmt.pass(
	change_id bigint,
	evidence text DEFAULT NULL,
	issues text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'pass';
COMMENT ON FUNCTION changemgmt.pass(bigint, text, text, bigint) IS
	'verifying to implemented, successful; with issues (which, and why they are acceptable) successful_with_issues. Evidence is recorded as a check that passed.';

CREATE FUNCTION changemgmt.fail(
	change_id bigint,
	reason text DEFAULT NULL,
	remediation text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'fail';
COMMENT ON FUNCTION changemgmt.fail(bigint, text, text, bigint) IS
	'To implemented with outcome failed: left in place or fixed forward, with why and what is done about it.';

CREATE FUNCTION changemgmt.begin_rollback(
	change_id bigint,
	at timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'begin_rollback';
COMMENT ON FUNCTION changemgmt.begin_rollback(bigint, timestamptz, bigint) IS
	'Records when rolling back began.';

CREATE FUNCTION changemgmt.roll_back(
	change_id bigint,
	reason text DEFAULT NULL,
	cause_class text DEFAULT NULL,
	at timestamptz DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'roll_back';
COMMENT ON FUNCTION changemgmt.roll_back(bigint, text, text, timestamptz, bigint) IS
	'To rolled_back: the old state is reached again; why, and what kind of cause it had (testing, plan, environment, dependency, human, vendor, capacity, unknown).';

CREATE FUNCTION changemgmt.abort(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'abort_change';
COMMENT ON FUNCTION changemgmt.abort(bigint, text, bigint) IS
	'in_progress to cancelled, not_implemented: nothing was applied.';

CREATE FUNCTION changemgmt.confirm_stability(
	change_id bigint,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'confirm_stability';
COMMENT ON FUNCTION changemgmt.confirm_stability(bigint, bigint) IS
	'After a rollback or a failure: who acts confirms that the service is stable.';

CREATE FUNCTION changemgmt.close(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'close_change';
COMMENT ON FUNCTION changemgmt.close(bigint, text, bigint) IS
	'implemented or rolled_back to closed.';

CREATE FUNCTION changemgmt.revise(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'revise';
COMMENT ON FUNCTION changemgmt.revise(bigint, text, bigint) IS
	'Back to draft; votes and booking are withdrawn.';

CREATE FUNCTION changemgmt.hold(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'hold';
COMMENT ON FUNCTION changemgmt.hold(bigint, text, bigint) IS
	'Puts a change on hold, before the work begins: then only resume, revise and cancel are possible.';

CREATE FUNCTION changemgmt.resume(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'resume';
COMMENT ON FUNCTION changemgmt.resume(bigint, text, bigint) IS
	'Takes a change off hold.';

CREATE FUNCTION changemgmt.cancel(
	change_id bigint,
	reason text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'cancel';
COMMENT ON FUNCTION changemgmt.cancel(bigint, text, bigint) IS
	'To cancelled, from anything before in_progress.';

CREATE FUNCTION changemgmt.advance(
	change_id bigint,
	to_status text,
	reason text DEFAULT NULL,
	evidence text DEFAULT NULL,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'advance';
COMMENT ON FUNCTION changemgmt.advance(bigint, text, text, text, bigint) IS
	'Walks the legal way to a status, all or nothing. Votes are not given by it. Errors: those of the steps; MC001 where no way leads there.';

CREATE TYPE changemgmt.unmet_requirement AS (
	verb text,
	requirement text,
	message text,
	hint text
);
COMMENT ON TYPE changemgmt.unmet_requirement IS
	'A row of why_not(): what a verb still requires, and what to do about it.';
CREATE FUNCTION changemgmt.why_not(
	change_id bigint,
	verb text DEFAULT NULL)
	RETURNS SETOF changemgmt.unmet_requirement
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'why_not';
COMMENT ON FUNCTION changemgmt.why_not(bigint, text) IS
	'Every requirement that is not met, for one verb or for all that the status allows: the rows that a refusal lists.';

CREATE TYPE changemgmt.next_step AS (
	verb text,
	to_status text,
	is_ready boolean,
	missing text
);
COMMENT ON TYPE changemgmt.next_step IS
	'A row of next_steps(): a verb, where it leads, and what is missing.';
CREATE FUNCTION changemgmt.next_steps(change_id bigint)
	RETURNS SETOF changemgmt.next_step
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'next_steps';
COMMENT ON FUNCTION changemgmt.next_steps(bigint) IS
	'What can be done with a change now; what a verb must be given (a reason) counts as missing.';

CREATE FUNCTION changemgmt.earliest_start(change_id bigint)
	RETURNS timestamptz
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'earliest_start';
COMMENT ON FUNCTION changemgmt.earliest_start(bigint) IS
	'When a change may start at the earliest by the notice of its model, counted from its submission, or from now where it was never submitted.';

-- Records

CREATE FUNCTION changemgmt.create_change_from(document jsonb)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'create_change_from';
COMMENT ON FUNCTION changemgmt.create_change_from(jsonb) IS
	'Creates a change from a document: columns of change, people and teams by name, items, risks, tasks and checks as arrays, template. The same source and source_key with the same content give the same change, with other content MC009. Errors: MC008 for what does not fit.';

CREATE FUNCTION changemgmt.edit_change(
	change_id bigint,
	patch jsonb,
	expected_revision bigint DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'edit_change';
COMMENT ON FUNCTION changemgmt.edit_change(bigint, jsonb, bigint) IS
	'Edits a change by a JSON merge patch (RFC 7396): columns, people and teams by name; null empties. Errors: MC005, MC008, MC010.';

CREATE FUNCTION changemgmt.copy_change(
	change_id bigint,
	title text DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'copy_change';
COMMENT ON FUNCTION changemgmt.copy_change(bigint, text) IS
	'A new change with the plan and the parts of another, without its time, results and history.';

CREATE FUNCTION changemgmt.create_change(
	title text,
	model text DEFAULT NULL,
	template text DEFAULT NULL,
	description text DEFAULT NULL,
	category text DEFAULT NULL,
	justification text DEFAULT NULL,
	impact_of_not_doing text DEFAULT NULL,
	expected_benefit text DEFAULT NULL,
	long_term_impact text DEFAULT NULL,
	requester text DEFAULT NULL,
	owner text DEFAULT NULL,
	coordinator text DEFAULT NULL,
	team text DEFAULT NULL,
	priority text DEFAULT NULL,
	deadline timestamptz DEFAULT NULL,
	promised_at timestamptz DEFAULT NULL,
	rough_estimate_hours numeric DEFAULT NULL,
	environment text DEFAULT NULL,
	user_impact text DEFAULT NULL,
	affects text[] DEFAULT NULL,
	items text[] DEFAULT NULL,
	implementation_plan text DEFAULT NULL,
	rollback_trigger text DEFAULT NULL,
	rollback_plan text DEFAULT NULL,
	rollback_minutes integer DEFAULT NULL,
	rollback_strategy text DEFAULT NULL,
	test_plan text DEFAULT NULL,
	verification_plan text DEFAULT NULL,
	risk_level text DEFAULT NULL,
	planned_start timestamptz DEFAULT NULL,
	planned_end timestamptz DEFAULT NULL,
	estimated_minutes integer DEFAULT NULL,
	touches_data_integrity boolean DEFAULT NULL,
	touches_security boolean DEFAULT NULL,
	confidential boolean DEFAULT NULL,
	unplanned boolean DEFAULT NULL,
	cost_planned numeric DEFAULT NULL,
	source text DEFAULT NULL,
	source_key text DEFAULT NULL,
	attributes jsonb DEFAULT NULL)
	RETURNS changemgmt.change_state
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	-- the digest that knows a replay must not depend on the session's zone
	SET timezone = 'UTC'
BEGIN ATOMIC
	SELECT s.* FROM changemgmt.create_change_from(jsonb_build_object(
		'title', create_change.title,
		'model', create_change.model,
		'template', create_change.template,
		'description', create_change.description,
		'category', create_change.category,
		'justification', create_change.justification,
		'impact_of_not_doing', create_change.impact_of_not_doing,
		'expected_benefit', create_change.expected_benefit,
		'long_term_impact', create_change.long_term_impact,
		'requester', create_change.requester,
		'owner', create_change.owner,
		'coordinator', create_change.coordinator,
		'team', create_change.team,
		'priority', create_change.priority,
		'deadline', create_change.deadline,
		'promised_at', create_change.promised_at,
		'rough_estimate_hours', create_change.rough_estimate_hours,
		'environment', create_change.environment,
		'user_impact', create_change.user_impact,
		'affects', create_change.affects,
		'items', create_change.items,
		'implementation_plan', create_change.implementation_plan,
		'rollback_trigger', create_change.rollback_trigger,
		'rollback_plan', create_change.rollback_plan,
		'rollback_minutes', create_change.rollback_minutes,
		'rollback_strategy', create_change.rollback_strategy,
		'test_plan', create_change.test_plan,
		'verification_plan', create_change.verification_plan,
		'risk_level', create_change.risk_level,
		'planned_start', create_change.planned_start,
		'planned_end', create_change.planned_end,
		'estimated_minutes', create_change.estimated_minutes,
		'touches_data_integrity', create_change.touches_data_integrity,
		'touches_security', create_change.touches_security,
		'confidential', create_change.confidential,
		'unplanned', create_change.unplanned,
		'cost_planned', create_change.cost_planned,
		'source', create_change.source,
		'source_key', create_change.source_key,
		'attributes', create_change.attributes)) AS s;
END;
COMMENT ON FUNCTION changemgmt.create_change(
	text, text, text, text, text, text, text, text, text, text, text, text, text, text, timestamptz, timestamptz, numeric, text, text, text[], text[], text, text, text, integer, text, text, text, text, timestamptz, timestamptz, integer, boolean, boolean, boolean, boolean, numeric, text, text, jsonb) IS
	'Creates a change; call it with named arguments. People, teams and items by name; what a template fills in gives way to what is given. Errors: MC008, MC009.';


-- Waiving

CREATE FUNCTION changemgmt.waive(
	change_id bigint, requirement text, reason text) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_waiver (change_id, requirement, reason)
	VALUES (waive.change_id, waive.requirement, waive.reason)
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.waive(bigint, text, text) IS
	'Waives a requirement of a change until it is revised, by a manager, where its model lets it be waived; returns the id of the row. Errors: MC003.';

-- Views

CREATE VIEW changemgmt.request_queue WITH (security_invoker = true) AS
	WITH request AS (
		SELECT c.id, c.title, c.type, c.priority, c.deadline, c.created_at,
			   c.rough_estimate_hours, c.affects,
			   r.login AS requester, coalesce(r.is_executive, false) AS is_executive,
			   k.login AS coordinator,
			   c.deadline IS NOT NULL
			   AND c.deadline < now() + '7 days'::interval AS is_due,
			   coalesce(c.rough_estimate_hours <= 0.5, false) AS is_quick,
			   CASE c.priority WHEN 'critical' THEN 1 WHEN 'high' THEN 2
				   WHEN 'medium' THEN 3 WHEN 'low' THEN 4 ELSE 3 END AS urgency,
			   CASE WHEN 'clients' = ANY (c.affects) THEN 1
				   WHEN 'customers' = ANY (c.affects) THEN 2
				   WHEN 'business' = ANY (c.affects) THEN 3
				   WHEN 'internal_staff' = ANY (c.affects) THEN 4
				   ELSE 3 END AS reach
		FROM changemgmt.change AS c
		LEFT JOIN changemgmt.person AS r ON r.id = c.requester_id
		LEFT JOIN changemgmt.person AS k ON k.id = c.coordinator_id
		WHERE c.status = 'draft' AND c.owner_id IS NULL
	)
	SELECT row_number() OVER (ORDER BY (priority IS NOT DISTINCT FROM 'critical') DESC,
								  is_due DESC, is_quick DESC, is_executive DESC,
								  urgency, reach, deadline NULLS LAST,
								  created_at, id) AS place,
		   id, changemgmt.change_number(id) AS number, title, type, priority,
		   requester, coordinator, deadline, rough_estimate_hours,
		   concat_ws('; ',
			   CASE WHEN priority = 'critical' THEN 'critical now' END,
			   CASE WHEN is_due AND deadline < now() THEN 'deadline is over'
				   WHEN is_due THEN 'deadline within a week' END,
			   CASE WHEN is_quick THEN 'done within half an hour' END,
			   CASE WHEN is_executive THEN 'asked for by an executive' END,
			   CASE WHEN priority IS NULL THEN 'no priority given, taken as medium'
				   WHEN priority <> 'critical' THEN 'priority ' || priority END,
			   CASE WHEN affects IS NULL OR affects = '{}' THEN 'nobody named who is affected'
				   ELSE 'affects ' || array_to_string(affects, ', ') END
		   ) AS reason,
		   created_at,
		   (extract(epoch FROM now() - created_at) / 3600)::double precision AS age_hours
	FROM request;
COMMENT ON VIEW changemgmt.request_queue IS
	'Requests that nobody owns yet, in the order in which a coordinator should take them: critical, due, quick, executive, then priority, who is affected, deadline and age.';
COMMENT ON COLUMN changemgmt.request_queue.place IS 'Place in the queue, from 1.';
COMMENT ON COLUMN changemgmt.request_queue.id IS 'Id of the change.';
COMMENT ON COLUMN changemgmt.request_queue.number IS 'Number of the change.';
COMMENT ON COLUMN changemgmt.request_queue.title IS 'What is asked for.';
COMMENT ON COLUMN changemgmt.request_queue.type IS 'standard, normal, major, emergency or latent.';
COMMENT ON COLUMN changemgmt.request_queue.priority IS 'low, medium, high or critical; null is taken as medium.';
COMMENT ON COLUMN changemgmt.request_queue.requester IS 'Login of who asks.';
COMMENT ON COLUMN changemgmt.request_queue.coordinator IS 'Login of who has received it.';
COMMENT ON COLUMN changemgmt.request_queue.deadline IS 'When it must be done.';
COMMENT ON COLUMN changemgmt.request_queue.rough_estimate_hours IS 'First estimate of the work, in hours.';
COMMENT ON COLUMN changemgmt.request_queue.reason IS 'Why it stands at this place, in words.';
COMMENT ON COLUMN changemgmt.request_queue.created_at IS 'When it was filed.';
COMMENT ON COLUMN changemgmt.request_queue.age_hours IS 'Hours since it was filed.';

CREATE FUNCTION changemgmt.change_header(change_id bigint) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED
BEGIN ATOMIC
	SELECT concat_ws(E'\n',
		changemgmt.change_number(c.id) || ' ' || c.title,
		'Type:         ' || c.type || ' (' || c.model || ')',
		'Owner:        ' || coalesce(o.name, 'nobody yet'),
		'Services:     ' || coalesce((
			SELECT string_agg(ci.name, ', ' ORDER BY i.role DESC, ci.name)
			FROM changemgmt.change_item AS i
			JOIN changemgmt.configuration_item AS ci ON ci.id = i.ci_id
			WHERE i.change_id = c.id), 'none named'),
		'Risk:         ' || coalesce(c.risk_level, (
			SELECT format('%s likelihood, %s impact: %s', k.likelihood, k.impact,
						  rtrim(k.description, '. '))
			FROM changemgmt.change_risk AS k
			WHERE k.change_id = c.id
			ORDER BY array_position(ARRAY['high', 'medium', 'low'], k.impact),
					 array_position(ARRAY['high', 'medium', 'low'], k.likelihood),
					 k.id
			LIMIT 1), 'not assessed'),
		'Time:         ' || coalesce(
			to_char(c.planned_start, 'YYYY-MM-DD HH24:MI') || ' to ' ||
			to_char(c.planned_end, 'YYYY-MM-DD HH24:MI TZ'), 'not planned'),
		'Rollback:     ' || coalesce(nullif(concat_ws(E'\n              ',
			'when ' || rtrim(c.rollback_trigger, '. '),
			rtrim(c.rollback_plan, '. '),
			c.rollback_minutes || ' minutes'), ''), 'not planned'),
		'Verification: ' || coalesce(c.verification_plan, (
			SELECT string_agg(v.title, ', ' ORDER BY v.id)
			FROM changemgmt.change_check AS v
			WHERE v.change_id = c.id AND v.is_planned), 'not planned'),
		'Approval:     ' || CASE
			WHEN c.approved_at IS NOT NULL THEN
				'approved ' || to_char(c.approved_at, 'YYYY-MM-DD HH24:MI TZ')
			WHEN c.status = 'rejected' THEN 'rejected'
			WHEN c.status = 'awaiting_approval' THEN 'awaited'
			WHEN c.authorised_by_id IS NOT NULL THEN
				'authorised by ' || a.name
			ELSE 'none yet' END,
		'Status:       ' || c.status || CASE WHEN c.on_hold THEN ', on hold' ELSE '' END,
		'Outcome:      ' || coalesce(c.outcome, 'none yet'))
	FROM changemgmt.change AS c
	LEFT JOIN changemgmt.person AS o ON o.id = c.owner_id
	LEFT JOIN changemgmt.person AS a ON a.id = c.authorised_by_id
	WHERE c.id = change_header.change_id;
END;
COMMENT ON FUNCTION changemgmt.change_header(bigint) IS
	'The header of a change as text to copy and paste: title, type, owner, services, risk, time, rollback, verification, approval, status, outcome.';


SELECT pg_catalog.pg_extension_config_dump('changemgmt.site_requirement', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_waiver', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.change_waiver_id_seq', '');
