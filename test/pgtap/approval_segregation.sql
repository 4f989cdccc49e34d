-- Segregation of duties: every pair, at every step that fills the second of the
-- two duties, and what the metrics count where a site's model allows it.
\set QUIET on
BEGIN;
SELECT no_plan();

CREATE FUNCTION pg_temp.act(who text) RETURNS void LANGUAGE sql AS $$ SELECT set_config('changemgmt.actor', who, true) $$;
SELECT pg_temp.act('requester') \g /dev/null
SELECT changemgmt.add_person(p) FROM unnest('{requester,owner,author,last_editor,approver,implementer,verifier,other,twice,tiny}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_board('panel'), changemgmt.add_ci('db', owner => 'other') \g /dev/null
UPDATE changemgmt.configuration_item SET is_exclusive = false;
SELECT changemgmt.add_board_member('panel', p) FROM unnest('{approver,other,twice,tiny}'::text[]) AS p \g /dev/null
CREATE TEMP TABLE duty (name text, place int);
INSERT INTO duty VALUES ('requester', 1), ('owner', 1), ('author', 1), ('last_editor', 1), ('approver', 2), ('implementer', 3), ('verifier', 4);

-- A model that keeps this pair apart and nothing else.
SELECT changemgmt.publish_model('apart_' || a.name || '_' || b.name, jsonb_build_object('base', 'normal', 'notice_business_days', 0,
	'validations', '[]'::jsonb, 'books_window', false, 'separate', jsonb_build_array(a.name || '/' || b.name),
	'approval', '{"policy": "board", "board": "panel", "needed": 1}'::jsonb))
FROM duty AS a, duty AS b WHERE a.name <> b.name \g /dev/null
SELECT changemgmt.publish_model('nothing_apart', '{"base": "normal", "notice_business_days": 0, "validations": [], "books_window": false, "separate": [],
	"approval": {"policy": "board", "board": "panel", "needed": 1}}') \g /dev/null

-- The way of a change on which these people hold the duties (others their own
-- namesakes): where it ends, and why. By verb, or by UPDATE.
CREATE FUNCTION pg_temp.way(model text, who jsonb, by_update boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	c bigint;
	look bigint;
	duties jsonb := '{"requester": "requester", "owner": "owner", "author": "author", "last_editor": "last_editor", "approver": "approver",
		"implementer": "implementer", "verifier": "verifier"}'::jsonb || who;
	step text;
	said text;
BEGIN
	-- whoever creates it writes it; the requester is named by a requester of one's own
	PERFORM pg_temp.act(duties ->> 'author');
	SELECT id INTO c FROM changemgmt.create_change('c', model => model, owner => duties ->> 'owner', requester => duties ->> 'requester',
		description => 'd', justification => 'j', user_impact => 'none', risk_level => 'low', items => '{db}',
		rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 10, verification_plan => 'v',
		planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day');
	look := changemgmt.add_check(c, 'look');
	PERFORM pg_temp.act(duties ->> 'last_editor');
	PERFORM changemgmt.edit_change(c, '{"description": "e"}');
	PERFORM changemgmt.plan(c);
	FOREACH step IN ARRAY '{submit,approve,start,complete,pass}'::text[] LOOP
		IF step = 'pass' THEN
			PERFORM pg_temp.act('other');
			PERFORM changemgmt.record_check(look, true, 'seen');
		END IF;
		PERFORM pg_temp.act(duties ->> CASE step WHEN 'approve' THEN 'approver' WHEN 'pass' THEN 'verifier' WHEN 'submit' THEN 'last_editor' ELSE 'implementer' END);
		BEGIN
			IF step = 'approve' AND by_update THEN
				INSERT INTO changemgmt.approval_vote (change_id, decision) VALUES (c, 'approved');
			ELSIF by_update THEN
				EXECUTE format('UPDATE changemgmt.change SET status = %L%s WHERE id = %s',
					CASE step WHEN 'submit' THEN 'awaiting_approval' WHEN 'start' THEN 'in_progress' WHEN 'complete' THEN 'verifying' ELSE 'implemented' END,
					CASE step WHEN 'pass' THEN ', outcome = ''successful''' ELSE '' END, c);
			ELSE
				EXECUTE format('SELECT changemgmt.%I(%s)', step, c);
			END IF;
		EXCEPTION WHEN OTHERS THEN
			RETURN concat_ws(' ', step, SQLSTATE, replace(regexp_replace(SQLERRM, '^CHG\d+: ', ''), changemgmt.change_number(c), 'it'));
		END;
	END LOOP;
	RETURN 'done';
END
$$;

-- Who holds both duties of a pair is refused at the step that fills the later one
-- of them: those of the plan when it is submitted.
CREATE TEMP TABLE tried AS
SELECT a.name AS one, b.name AS other, u.by_update,
	pg_temp.way('apart_' || a.name || '_' || b.name, jsonb_build_object(a.name, 'twice', b.name, 'twice'), u.by_update) AS same,
	CASE WHEN NOT u.by_update THEN pg_temp.way('apart_' || a.name || '_' || b.name, '{}') END AS different,
	CASE WHEN NOT u.by_update THEN pg_temp.way('nothing_apart', jsonb_build_object(a.name, 'twice', b.name, 'twice')) END AS allowed,
	(ARRAY['submit', 'approve', 'start', 'pass'])[greatest(a.place, b.place)] AS step
FROM duty AS a JOIN duty AS b ON a.name <> b.name
CROSS JOIN (VALUES (false), (true)) AS u (by_update);
SELECT is((SELECT count(DISTINCT (one, other)) FROM tried), 42::bigint, 'all pairs, in both orders');
SELECT matches(same, '^' || step || ' MC004 .*' || CASE step WHEN 'approve' THEN '"twice" is ' || CASE one WHEN 'approver' THEN other ELSE one END || ' of it'
		ELSE 'twice is both (' || one || ' and ' || other || '|' || other || ' and ' || one || ')' END,
	format('%s/%s is refused at %s, by %s', one, other, step, CASE WHEN by_update THEN 'statement' ELSE 'verb' END))
FROM tried ORDER BY one, other, by_update;
SELECT is_empty($$SELECT one, other, different FROM tried WHERE NOT by_update AND different <> 'done'$$, 'different people do it');
SELECT is_empty($$SELECT one, other, allowed FROM tried WHERE NOT by_update AND allowed <> 'done'$$, 'where nothing is kept apart, one person does');

-- Again at start: the plan is edited after the approval and put back

CREATE FUNCTION pg_temp.put_back(model text, editor text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	c bigint;
BEGIN
	PERFORM pg_temp.act('author');
	SELECT id INTO c FROM changemgmt.create_change('c', model => model, owner => 'owner', requester => 'requester',
		description => 'd', justification => 'j', user_impact => 'none', risk_level => 'low', items => '{db}',
		rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 10, verification_plan => 'v',
		planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day');
	PERFORM changemgmt.plan(c), changemgmt.submit(c);
	PERFORM pg_temp.act('approver');
	PERFORM changemgmt.approve(c);
	PERFORM pg_temp.act(editor);
	PERFORM changemgmt.edit_change(c, '{"description": "e"}'), changemgmt.edit_change(c, '{"description": "d"}');
	PERFORM pg_temp.act('implementer');
	PERFORM changemgmt.start(c);
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	RETURN concat_ws(' ', SQLSTATE, regexp_replace(SQLERRM, '^CHG\d+: ', ''));
END
$$;
SELECT is(pg_temp.put_back(model, editor), expected, format('%s edits after the approval under %s', editor, model)) FROM (VALUES
	('apart_owner_last_editor', 'owner', 'MC004 start is refused: owner is both owner and last_editor'),
	('apart_approver_last_editor', 'approver', 'MC004 start is refused: approver is both approver and last_editor'),
	('apart_last_editor_requester', 'requester', 'MC004 start is refused: requester is both requester and last_editor'),
	('apart_owner_last_editor', 'other', 'done'), ('nothing_apart', 'approver', 'done')) AS v (model, editor, expected);

-- Who approved an earlier plan, and then wrote another one, has not approved that

SELECT changemgmt.publish_model('two_apart', '{"base": "normal", "notice_business_days": 0, "validations": [], "books_window": false,
	"separate": ["approver/last_editor"], "approval": {"policy": "board", "board": "panel", "needed": 2}}') \g /dev/null
CREATE FUNCTION pg_temp.rewritten() RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	c bigint;
BEGIN
	PERFORM pg_temp.act('author');
	SELECT id INTO c FROM changemgmt.create_change('c', model => 'two_apart', owner => 'owner', requester => 'requester',
		description => 'd', justification => 'j', user_impact => 'none', risk_level => 'low', items => '{db}',
		rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 10, verification_plan => 'v',
		planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day');
	PERFORM changemgmt.plan(c), changemgmt.submit(c);
	PERFORM pg_temp.act('approver');
	PERFORM changemgmt.approve(c), changemgmt.edit_change(c, '{"description": "e"}');
	PERFORM pg_temp.act('other');
	PERFORM changemgmt.approve(c);
	PERFORM pg_temp.act('tiny');
	PERFORM changemgmt.approve(c);
	PERFORM pg_temp.act('implementer');
	RETURN (changemgmt.start(c)).status;
EXCEPTION WHEN OTHERS THEN
	RETURN concat_ws(' ', SQLSTATE, regexp_replace(SQLERRM, '^CHG\d+: ', ''));
END
$$;
SELECT is(pg_temp.rewritten(), 'in_progress', 'a vote for an earlier plan does not block the start');

-- Who is not known cannot be told apart

CREATE FUNCTION pg_temp.unknown(model text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	c bigint;
BEGIN
	PERFORM pg_temp.act('author');
	SELECT id INTO c FROM changemgmt.create_change('c', model => model, owner => 'owner', requester => 'requester',
		description => 'd', justification => 'j', user_impact => 'none', risk_level => 'low', items => '{db}',
		rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 10, verification_plan => 'v',
		planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day');
	PERFORM pg_temp.act('other');
	UPDATE changemgmt.change SET requester_id = NULL WHERE id = c;
	PERFORM pg_temp.act('author');
	PERFORM changemgmt.plan(c), changemgmt.submit(c);
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	RETURN concat_ws(' ', SQLSTATE, regexp_replace(SQLERRM, '^CHG\d+: ', ''));
END
$$;
SELECT is(pg_temp.unknown(model), expected, model) FROM (VALUES
	('apart_approver_requester', 'MC004 submit is refused: it is not known who the requester is'),
	('apart_requester_owner', 'MC004 submit is refused: it is not known who the requester is'),
	('nothing_apart', 'done')) AS v (model, expected);

-- What the metrics count: pairs that the shipped model of the type keeps apart

SELECT changemgmt.publish_model('lean_nothing_apart', '{"base": "lean_normal", "separate": []}'),
	changemgmt.publish_model('major_nothing_apart', '{"base": "major", "notice_business_days": 0, "validations": [], "books_window": false, "separate": [],
		"approval": {"policy": "board", "board": "panel", "needed": 1}}') \g /dev/null
CREATE FUNCTION pg_temp.counted(model text, who jsonb) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	way text := pg_temp.way(model, who);
BEGIN
	IF way <> 'done' THEN
		RETURN way;
	END IF;
	RETURN (SELECT is_unsegregated FROM changemgmt.change_fact ORDER BY change_id DESC LIMIT 1)::text;
END
$$;
-- 'other' owns the item, which is who approves where one approver does
SELECT is(pg_temp.counted(m.model, jsonb_build_object('approver', 'other') || jsonb_build_object(a.name, 'other', b.name, 'other')),
	EXISTS (SELECT FROM changemgmt.shipped_models() AS s, jsonb_array_elements_text(s.definition -> 'separate') AS p
		WHERE s.key = m.shipped AND p IN (a.name || '/' || b.name, b.name || '/' || a.name,
			-- the approver is 'other' in all of them
			a.name || '/approver', 'approver/' || a.name, b.name || '/approver', 'approver/' || b.name))::text,
	format('%s/%s under %s', a.name, b.name, m.model))
FROM duty AS a JOIN duty AS b ON a.name < b.name
CROSS JOIN (VALUES ('nothing_apart', 'normal'), ('major_nothing_apart', 'major'), ('lean_nothing_apart', 'lean_normal')) AS m (model, shipped)
ORDER BY m.model, a.name, b.name;
SELECT is(pg_temp.counted(m.model, jsonb_build_object('implementer', 'tiny', 'verifier', 'tiny', 'approver', 'other')), m.expected, 'implementer/verifier alone under ' || m.model)
FROM (VALUES ('nothing_apart', 'true'), ('major_nothing_apart', 'true'), ('lean_nothing_apart', 'false')) AS m (model, expected);
SELECT is(pg_temp.counted(m.model, '{"approver": "other"}'), 'false', 'nobody twice under ' || m.model)
FROM (VALUES ('nothing_apart'), ('major_nothing_apart'), ('lean_nothing_apart')) AS m (model);
-- by hand of somebody else's delegation
SELECT pg_temp.act('approver') \g /dev/null
SELECT changemgmt.delegate_approval('owner', now(), now() + interval '1 hour') \g /dev/null
CREATE FUNCTION pg_temp.by_hand() RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	c bigint;
BEGIN
	PERFORM pg_temp.act('author');
	SELECT id INTO c FROM changemgmt.create_change('c', model => 'nothing_apart', owner => 'owner', requester => 'requester',
		description => 'd', justification => 'j', user_impact => 'none', risk_level => 'low', items => '{db}',
		rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 10, verification_plan => 'v',
		planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day');
	PERFORM changemgmt.plan(c), changemgmt.submit(c);
	PERFORM pg_temp.act('owner');
	PERFORM changemgmt.vote_for(c, 'approver', 'approved');
	RETURN (SELECT is_unsegregated FROM changemgmt.change_fact WHERE change_id = c)::text;
END
$$;
SELECT is(pg_temp.by_hand(), 'true', 'the owner by a delegation is counted, too');
SELECT is((SELECT sum(unsegregated) FROM changemgmt.monthly_metrics), (SELECT count(*)::numeric FROM changemgmt.change_fact WHERE is_counted AND is_unsegregated),
	'the months count them');
SELECT cmp_ok((SELECT sum(unsegregated) FROM changemgmt.monthly_metrics), '>', 20::numeric, 'of which there are some');

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT * FROM finish();
ROLLBACK;
