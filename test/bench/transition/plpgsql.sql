-- The rules of a transition in PL/pgSQL, as a site would write them: the steps
-- and what they require are rows, a BEFORE trigger stamps, an AFTER trigger
-- judges the row as it was stored and chains the ledger.  Fewer rules than the
-- extension has (one model, no site requirements, no waivers, no templates),
-- so the comparison errs in its favour.

CREATE TABLE rules.step (
	model text, from_status text, to_status text, verb text NOT NULL,
	PRIMARY KEY (model, from_status, to_status)
);
INSERT INTO rules.step VALUES
	('lean_standard', 'draft', 'planned', 'plan'),
	('lean_standard', 'planned', 'approved', 'submit'),
	('lean_standard', 'approved', 'in_progress', 'start'),
	('lean_standard', 'in_progress', 'verifying', 'complete'),
	('lean_standard', 'verifying', 'in_progress', 'resume_work'),
	('lean_standard', 'verifying', 'implemented', 'pass'),
	('lean_standard', 'implemented', 'closed', 'close');

CREATE TABLE rules.requirement (verb text, name text, PRIMARY KEY (verb, name));
INSERT INTO rules.requirement VALUES
	('start', 'seal_fresh'), ('start', 'checklist_done'),
	('complete', 'tasks_done'), ('resume_work', 'reason'),
	('pass', 'verified');

CREATE FUNCTION rules.stamp() RETURNS trigger
	LANGUAGE plpgsql AS $$
DECLARE
	step_verb text;
	at timestamptz := clock_timestamp();
BEGIN
	IF NEW IS NOT DISTINCT FROM OLD THEN
		RETURN NEW;
	END IF;
	NEW.updated_at := at;
	NEW.revision := OLD.revision + 1;
	IF NEW.status <> OLD.status THEN
		IF NEW.status_reason IS NOT DISTINCT FROM OLD.status_reason THEN
			NEW.status_reason := NULL;
		END IF;
		SELECT verb INTO step_verb FROM rules.step
		WHERE model = NEW.model AND from_status = OLD.status AND to_status = NEW.status;
		CASE step_verb
			WHEN 'start' THEN
				NEW.actual_start := coalesce(NEW.actual_start, at);
			WHEN 'complete' THEN
				IF NEW.deployed_at IS NOT DISTINCT FROM OLD.deployed_at THEN
					NEW.deployed_at := at;
				END IF;
				NEW.actual_end := NEW.deployed_at;
			WHEN 'pass' THEN
				NEW.verified_at := at;
				NEW.outcome := coalesce(NEW.outcome, 'successful');
			WHEN 'close' THEN
				NEW.closed_at := at;
			ELSE
		END CASE;
	END IF;
	IF (NEW.model, NEW.type, NEW.title, NEW.description, NEW.category, NEW.justification,
		NEW.impact_of_not_doing, NEW.environment, NEW.user_impact, NEW.affects,
		NEW.touches_data_integrity, NEW.touches_security, NEW.owner_id,
		NEW.estimated_minutes, NEW.implementation_plan, NEW.rollback_trigger,
		NEW.rollback_plan, NEW.rollback_minutes, NEW.rollback_strategy, NEW.test_plan,
		NEW.verification_plan, NEW.risk_level)
	   IS DISTINCT FROM
	   (OLD.model, OLD.type, OLD.title, OLD.description, OLD.category, OLD.justification,
		OLD.impact_of_not_doing, OLD.environment, OLD.user_impact, OLD.affects,
		OLD.touches_data_integrity, OLD.touches_security, OLD.owner_id,
		OLD.estimated_minutes, OLD.implementation_plan, OLD.rollback_trigger,
		OLD.rollback_plan, OLD.rollback_minutes, OLD.rollback_strategy, OLD.test_plan,
		OLD.verification_plan, OLD.risk_level)
	THEN
		IF NEW.status NOT IN ('draft', 'planned', 'awaiting_approval', 'approved', 'scheduled') THEN
			RAISE 'the plan of change % is frozen', NEW.id;
		END IF;
		NEW.plan_revision := NEW.revision;
	END IF;
	NEW.ledger_sequence := OLD.ledger_sequence + 1;
	RETURN NEW;
END
$$;

CREATE FUNCTION rules.judge() RETURNS trigger
	LANGUAGE plpgsql AS $$
DECLARE
	step_verb text := 'edit';
	required text;
	missing text[];
	before jsonb := to_jsonb(OLD);
	after jsonb := to_jsonb(NEW);
	diff jsonb;
	digest bytea;
	previous bytea;
	at timestamptz := clock_timestamp();
BEGIN
	IF NEW.revision = OLD.revision THEN
		RETURN NULL;
	END IF;
	IF NEW.status <> OLD.status THEN
		SELECT verb INTO step_verb FROM rules.step
		WHERE model = NEW.model AND from_status = OLD.status AND to_status = NEW.status;
		IF NOT FOUND THEN
			RAISE 'change %: there is no step from % to %', NEW.id, OLD.status, NEW.status;
		END IF;
		IF NEW.on_hold OR OLD.on_hold THEN
			RAISE 'change % is on hold', NEW.id;
		END IF;
		FOR required IN SELECT name FROM rules.requirement WHERE verb = step_verb
		LOOP
			CASE required
				WHEN 'seal_fresh' THEN
					IF NEW.approved_plan_revision IS DISTINCT FROM NEW.plan_revision THEN
						missing := missing || 'seal_fresh: the plan was edited'::text;
					END IF;
				WHEN 'checklist_done' THEN
					IF EXISTS (SELECT FROM rules.change_task WHERE change_id = NEW.id
							   AND phase = 'preparation' AND status = 'open') THEN
						missing := missing || 'checklist_done: tasks are open'::text;
					END IF;
				WHEN 'tasks_done' THEN
					IF EXISTS (SELECT FROM rules.change_task WHERE change_id = NEW.id
							   AND phase = 'implementation' AND status = 'open') THEN
						missing := missing || 'tasks_done: tasks are open'::text;
					END IF;
				WHEN 'reason' THEN
					IF coalesce(NEW.status_reason, '') = '' THEN
						missing := missing || 'reason: the step needs one'::text;
					END IF;
				WHEN 'verified' THEN
					IF NOT EXISTS (SELECT FROM rules.change_check WHERE change_id = NEW.id
								   AND stage = 'immediate' AND passed) THEN
						missing := missing || 'verified: no check has passed'::text;
					END IF;
			END CASE;
		END LOOP;
		IF missing IS NOT NULL THEN
			RAISE 'change %: % is refused', NEW.id, step_verb
				USING DETAIL = array_to_string(missing, E'\n');
		END IF;
	END IF;
	IF (NEW.author_id, NEW.created_at, NEW.copied_from_id, NEW.source, NEW.source_key)
	   IS DISTINCT FROM
	   (OLD.author_id, OLD.created_at, OLD.copied_from_id, OLD.source, OLD.source_key)
	THEN
		RAISE 'change %: that is not written by hand', NEW.id;
	END IF;
	IF NEW.outcome IS DISTINCT FROM OLD.outcome AND step_verb <> 'pass' THEN
		RAISE 'change %: the outcome belongs to its step', NEW.id;
	END IF;
	IF NEW.deployed_at > at OR NEW.actual_start > at OR NEW.actual_end > at THEN
		RAISE 'change %: that lies in the future', NEW.id;
	END IF;

	SELECT jsonb_object_agg(b.key, jsonb_build_array(b.value, a.value)) INTO diff
	FROM jsonb_each(before) AS b
	JOIN jsonb_each(after) AS a ON a.key = b.key AND a.value <> b.value
	WHERE b.key <> 'ledger_sequence';
	digest := sha256(convert_to((jsonb_strip_nulls(after) - 'ledger_sequence')::text, 'UTF8'));
	SELECT hash INTO previous FROM rules.ledger
	WHERE subject_kind = 'change' AND subject_id = NEW.id
	ORDER BY sequence DESC LIMIT 1;
	previous := coalesce(previous, decode(repeat('00', 32), 'hex'));
	INSERT INTO rules.ledger
	VALUES ('change', NEW.id, NEW.ledger_sequence, step_verb, OLD.status, NEW.status,
			diff, current_user, session_user, current_user, host(inet_client_addr()),
			current_setting('application_name'), at, NEW.status_reason, digest, previous,
			sha256(previous || digest || convert_to(concat_ws('|', 'change', NEW.id,
				NEW.ledger_sequence, step_verb, OLD.status, NEW.status, diff,
				current_user, session_user, at, NEW.status_reason), 'UTF8')));
	RETURN NULL;
END
$$;

CREATE TRIGGER stamp BEFORE UPDATE ON rules.change
	FOR EACH ROW EXECUTE FUNCTION rules.stamp();
CREATE TRIGGER judge AFTER UPDATE ON rules.change
	FOR EACH ROW EXECUTE FUNCTION rules.judge();
