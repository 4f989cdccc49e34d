-- change: its tasks, which wait for each other (src/change_task.c).

CREATE FUNCTION changemgmt.add_task(
	change_id bigint, title text, phase text DEFAULT 'implementation',
	description text DEFAULT NULL, assignee text DEFAULT NULL,
	object_kind text DEFAULT NULL, object_name text DEFAULT NULL,
	"position" integer DEFAULT NULL) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_task
		(change_id, title, phase, description, assignee_id, object_kind,
		 object_name, "position")
	SELECT add_task.change_id, add_task.title, add_task.phase,
		   add_task.description, changemgmt.person_id(add_task.assignee),
		   add_task.object_kind, add_task.object_name,
		   coalesce(add_task."position",
					(SELECT least(coalesce(max(t."position"), 0), 2147483646) + 1
					 FROM changemgmt.change_task AS t
					 WHERE t.change_id = add_task.change_id
					   AND t.phase = add_task.phase
					   AND NOT (t.is_smoke_test
								AND t.checklist_key IS NOT NULL)))
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.add_task(bigint, text, text, text, text, text, text, integer) IS
	'Adds a step at the end of its phase (preparation, implementation, follow_up, rollback), before the smoke tests of the model; with object_kind and object_name a line of the deployment manifest. Returns the id of the row.';

CREATE FUNCTION changemgmt.add_step(
	change_id bigint, title text, phase text DEFAULT 'implementation',
	depends_on bigint[] DEFAULT '{}', is_smoke_test boolean DEFAULT false,
	description text DEFAULT NULL, assignee text DEFAULT NULL,
	object_kind text DEFAULT NULL, object_name text DEFAULT NULL,
	object_system text DEFAULT NULL, "position" integer DEFAULT NULL)
	RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_task
		(change_id, title, phase, description, assignee_id, object_kind,
		 object_name, object_system, depends_on, is_smoke_test, "position")
	SELECT add_step.change_id, add_step.title, add_step.phase,
		   add_step.description, changemgmt.person_id(add_step.assignee),
		   add_step.object_kind, add_step.object_name, add_step.object_system,
		   coalesce(add_step.depends_on, '{}'),
		   coalesce(add_step.is_smoke_test, false),
		   coalesce(add_step."position",
					(SELECT least(coalesce(max(t."position"), 0), 2147483646) + 1
					 FROM changemgmt.change_task AS t
					 WHERE t.change_id = add_step.change_id
					   AND t.phase = add_step.phase
					   AND NOT (t.is_smoke_test
								AND t.checklist_key IS NOT NULL)))
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.add_step(bigint, text, text, bigint[], boolean, text, text, text, text, text, integer) IS
	'Adds a step at the end of its phase, as add_task does, that waits for other tasks, or is a smoke test. Returns the id of the row. Errors: MC005, MC008.';

CREATE FUNCTION changemgmt.set_dependencies(task_id bigint, depends_on bigint[])
	RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_task AS t
				  WHERE t.id = set_dependencies.task_id)
	FOR NO KEY UPDATE;
	UPDATE changemgmt.change_task
	SET depends_on = coalesce(set_dependencies.depends_on, '{}')
	WHERE id = set_dependencies.task_id;
	SELECT true FROM changemgmt.change_task
	WHERE id = set_dependencies.task_id
	  AND change_id NOT IN (SELECT unnest(changemgmt.hidden_changes()));
END;
COMMENT ON FUNCTION changemgmt.set_dependencies(bigint, bigint[]) IS
	'Says which tasks of the same change are done or skipped before a task; none: an empty array. Null for an unknown task. Errors: MC005, MC008.';

CREATE FUNCTION changemgmt.complete_task(task_id bigint) RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_task AS t
				  WHERE t.id = complete_task.task_id)
	FOR NO KEY UPDATE;
	UPDATE changemgmt.change_task SET status = 'done', status_reason = NULL
	WHERE id = complete_task.task_id AND status <> 'done';
	SELECT status = 'done' FROM changemgmt.change_task
	WHERE id = complete_task.task_id
	  AND change_id NOT IN (SELECT unnest(changemgmt.hidden_changes()));
END;
COMMENT ON FUNCTION changemgmt.complete_task(bigint) IS
	'Marks a task done, by who acts. Null for an unknown task. Errors: MC001 where it is not the time for it.';

CREATE FUNCTION changemgmt.skip_task(task_id bigint, reason text) RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_task AS t
				  WHERE t.id = skip_task.task_id)
	FOR NO KEY UPDATE;
	UPDATE changemgmt.change_task
	SET status = 'skipped', status_reason = skip_task.reason
	WHERE id = skip_task.task_id
	  AND (status, coalesce(status_reason, '')) <> ('skipped', coalesce(skip_task.reason, ''));
	SELECT status = 'skipped' FROM changemgmt.change_task
	WHERE id = skip_task.task_id
	  AND change_id NOT IN (SELECT unnest(changemgmt.hidden_changes()));
END;
COMMENT ON FUNCTION changemgmt.skip_task(bigint, text) IS
	'Leaves a task out, with the reason. Null for an unknown task. Errors: MC001, MC008.';

CREATE FUNCTION changemgmt.fail_task(task_id bigint, reason text) RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_task AS t
				  WHERE t.id = fail_task.task_id)
	FOR NO KEY UPDATE;
	UPDATE changemgmt.change_task
	SET status = 'failed', status_reason = fail_task.reason
	WHERE id = fail_task.task_id
	  AND (status, coalesce(status_reason, '')) <> ('failed', coalesce(fail_task.reason, ''));
	SELECT status = 'failed' FROM changemgmt.change_task
	WHERE id = fail_task.task_id
	  AND change_id NOT IN (SELECT unnest(changemgmt.hidden_changes()));
END;
COMMENT ON FUNCTION changemgmt.fail_task(bigint, text) IS
	'Records that a task failed, and why: complete_task says that it went well when tried again, skip_task that it is left out. Null for an unknown task. Errors: MC001, MC008.';

CREATE FUNCTION changemgmt.reopen_task(task_id bigint, reason text DEFAULT NULL)
	RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_task AS t
				  WHERE t.id = reopen_task.task_id)
	FOR NO KEY UPDATE;
	UPDATE changemgmt.change_task
	SET status = 'open', status_reason = reopen_task.reason
	WHERE id = reopen_task.task_id AND status <> 'open';
	SELECT status = 'open' FROM changemgmt.change_task
	WHERE id = reopen_task.task_id
	  AND change_id NOT IN (SELECT unnest(changemgmt.hidden_changes()));
END;
COMMENT ON FUNCTION changemgmt.reopen_task(bigint, text) IS
	'Opens a task again as long as its phase is under way. Null for an unknown task. Errors: MC001.';

CREATE FUNCTION changemgmt.remove_task(task_id bigint) RETURNS boolean
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT FROM changemgmt.change AS c
	WHERE c.id = (SELECT t.change_id FROM changemgmt.change_task AS t
				  WHERE t.id = remove_task.task_id)
	FOR NO KEY UPDATE;
	WITH removed AS (
		DELETE FROM changemgmt.change_task AS t WHERE t.id = remove_task.task_id
		RETURNING t.id
	)
	SELECT count(*) > 0 FROM removed;
END;
COMMENT ON FUNCTION changemgmt.remove_task(bigint) IS
	'Takes a task out of a change, as long as it can still be edited; whether there was one. Errors: MC005, MC006.';
