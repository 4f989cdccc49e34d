-- Reviews of changes, and the changes that follow from them.

BEGIN;
SELECT no_plan();

CREATE FUNCTION pg_temp.refusal(actor text, sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	before text := current_setting('changemgmt.actor');
	code text;
	message text;
	hint text;
BEGIN
	PERFORM set_config('changemgmt.actor', actor, true);
	EXECUTE sql;
	PERFORM set_config('changemgmt.actor', before, true);
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', code, message, nullif(hint, ''));
END
$$;

SET LOCAL changemgmt.actor = 'ada';
SELECT changemgmt.add_person(p) FROM unnest('{ada,bob,ivan,otto,vera,eve,exec}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_board('cab'), changemgmt.add_board_member('cab', 'exec', 'change_manager') \g /dev/null
SELECT changemgmt.add_ci('db', kind => 'database'), changemgmt.add_ci('web') \g /dev/null
SELECT changemgmt.set_ci(ci, is_exclusive => false) FROM unnest('{db,web}'::text[]) AS ci \g /dev/null

-- otto's change, written by ada, carried out by ivan, who has bob do a step
CREATE FUNCTION pg_temp.made(to_status text) RETURNS bigint LANGUAGE plpgsql AS
$$
DECLARE
	c bigint;
	step bigint;
BEGIN
	PERFORM set_config('changemgmt.actor', 'ada', true);
	SELECT id INTO c FROM changemgmt.create_change('to ' || to_status, model => 'lean_standard', owner => 'otto', requester => 'eve',
		description => 'd', justification => 'j', user_impact => 'none', environment => 'staging',
		risk_level => 'low', rollback_trigger => 'errors', rollback_plan => 'back',
		rollback_minutes => 5, verification_plan => 'look', items => '{db}',
		planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day');
	PERFORM changemgmt.add_item(c, 'web', 'affected', '2');
	step := changemgmt.add_task(c, 'a step');
	PERFORM changemgmt.advance(c, 'approved');
	IF to_status = 'cancelled' THEN
		PERFORM changemgmt.cancel(c, 'no');
	ELSIF to_status <> 'approved' THEN
		PERFORM set_config('changemgmt.actor', 'ivan', true);
		PERFORM changemgmt.start(c);
		IF to_status = 'aborted' THEN
			PERFORM changemgmt.abort(c, 'no');
		ELSIF to_status <> 'in_progress' THEN
			PERFORM set_config('changemgmt.actor', 'bob', true);
			PERFORM changemgmt.complete_task(step);
			PERFORM set_config('changemgmt.actor', 'ivan', true);
			PERFORM changemgmt.complete(c);
			IF to_status = 'failed' THEN
				PERFORM changemgmt.fail(c, 'broken', 'repaired');
			ELSIF to_status = 'rolled_back' THEN
				PERFORM changemgmt.roll_back(c, 'broken', 'testing');
			ELSIF to_status <> 'verifying' THEN
				PERFORM changemgmt.advance(c, to_status, evidence => 'seen');
			END IF;
		END IF;
	END IF;
	PERFORM set_config('changemgmt.actor', 'vera', true);
	RETURN c;
END
$$;
CREATE TEMP TABLE subject AS SELECT name, pg_temp.made(name) AS id
FROM unnest('{approved,cancelled,in_progress,aborted,verifying,failed,rolled_back,implemented,closed}'::text[]) AS name;
CREATE FUNCTION pg_temp.id(wanted text) RETURNS bigint LANGUAGE sql AS 'SELECT id FROM subject WHERE name = wanted';

-- when there is something to review

SELECT is(left(pg_temp.refusal('vera', format('SELECT changemgmt.review_change(%s, %L, lessons => ''l'', causes => ''c'', actions => ''a'')', id, k.code)), 5),
	CASE WHEN s.name IN ('approved', 'cancelled', 'in_progress') THEN 'MC001' ELSE '' END, format('%s of a change that is %s', k.code, s.name))
FROM subject AS s, changemgmt.code_list() AS k WHERE k.list = 'review_kind' ORDER BY s.id, k.sort_order;
SELECT is((SELECT count(*) FROM changemgmt.change_review), 18::bigint, 'all others stand');
SELECT is(pg_temp.refusal('vera', format('SELECT changemgmt.review_change(%s, lessons => ''l'')', pg_temp.id('in_progress'))),
	format('MC001 | there is nothing to review yet: change %s is in_progress | A change is reviewed when its work has ended; what there is to say before is a comment.', pg_temp.id('in_progress')),
	'why not');
-- an emergency is looked at while it still runs: that is due within hours of its beginning
SELECT set_config('changemgmt.actor', 'ivan', true) \g /dev/null
SELECT id AS emergency FROM changemgmt.declare_emergency('down', 'INC-1', 'exec', 'production_down', 'what', 'otto', '{db}') \gset
SELECT is(left(pg_temp.refusal('vera', format('SELECT changemgmt.review_change(%s, %L, ''w'', ''b'', ''c'', ''l'', ''a'')', :emergency, kind)), 5), refusal, kind || ' of an emergency that runs')
FROM (VALUES ('post_implementation', 'MC001'), ('post_mortem', ''), ('independent', '')) AS v (kind, refusal);

-- what it says

SET LOCAL changemgmt.actor = 'vera';
SELECT pg_temp.id('implemented') AS done \gset
SELECT changemgmt.review_change(:done, went_well => 'w', went_badly => 'b', causes => 'c', lessons => 'l', actions => 'a') AS review \gset
SELECT results_eq(format($$SELECT change_id, kind, went_well, went_badly, causes, lessons, actions, reviewed_by_id, reviewed_at BETWEEN now() AND clock_timestamp()
		FROM changemgmt.change_review WHERE id = %s$$, :review),
	format($$SELECT %s::bigint, 'post_implementation', 'w', 'b', 'c', 'l', 'a', changemgmt.person_id('vera'), true$$, :done), 'a review stands as it was given, by who gave it, now');
SELECT is(pg_temp.refusal('vera', format('SELECT changemgmt.review_change(%s, %s)', :done, given)), refusal, given)
FROM (VALUES
	($$'post_implementation'$$, 'MC008 | the review says nothing | It says at least one of went_well, went_badly, causes, lessons and actions.'),
	($$'independent', lessons => ''$$, 'MC008 | the review says nothing | It says at least one of went_well, went_badly, causes, lessons and actions.'),
	($$'post_implementation', went_well => E' \t\n'$$, 'MC008 | the review says nothing | It says at least one of went_well, went_badly, causes, lessons and actions.'),
	($$'post_implementation', went_well => 'w'$$, ''), ($$'post_implementation', went_badly => 'w'$$, ''),
	($$'post_implementation', causes => 'w'$$, ''), ($$'post_implementation', lessons => 'w'$$, ''), ($$'independent', actions => 'w'$$, ''),
	($$'post_mortem', 'w', 'b', 'c', 'l'$$, 'MC008 | actions of change_review is missing: a post-mortem has causes, lessons and actions'),
	($$'post_mortem', 'w', 'b', 'c', actions => 'a'$$, 'MC008 | lessons of change_review is missing: a post-mortem has causes, lessons and actions'),
	($$'post_mortem', 'w', 'b', ' ', 'l', 'a'$$, 'MC008 | causes of change_review is missing: a post-mortem has causes, lessons and actions'),
	($$'post_mortem', causes => 'c', lessons => 'l', actions => 'a'$$, ''),
	($$NULL$$, 'MC008 | kind of change_review is null')) AS v (given, refusal);
SELECT is(left(pg_temp.refusal('vera', format('SELECT changemgmt.review_change(%s, ''praise'', ''w'')', :done)), 5), 'MC008', 'another kind');
SELECT is(left(pg_temp.refusal('vera', 'SELECT changemgmt.review_change(-1, lessons => ''l'')'), 32), 'MC008 | change -1 does not exist', 'of a change that is not there');
SELECT is(left(pg_temp.refusal('vera', 'SELECT changemgmt.review_change(NULL, lessons => ''l'')'), 5), 'MC008', 'nor of nothing');

-- who writes an independent one

SELECT is(pg_temp.refusal(who, format('SELECT changemgmt.review_change(%s, ''independent'', lessons => ''l'')', :done)), refusal, 'an independent review by ' || who)
FROM (VALUES
	('ivan', format('MC004 | an independent review of change %s is not by ivan, who is implementer | Somebody who had no part in it writes it.', :done)),
	('otto', format('MC004 | an independent review of change %s is not by otto, who is owner | Somebody who had no part in it writes it.', :done)),
	('ada', format('MC004 | an independent review of change %s is not by ada, who is author | Somebody who had no part in it writes it.', :done)),
	('bob', format('MC004 | an independent review of change %s is not by bob, who is one of the implementers | Somebody who had no part in it writes it.', :done)),
	('vera', ''), ('eve', '')) AS v (who, refusal);
-- nor by who owned it when the work was done, and gives it away for the time of a review
SELECT id AS given FROM changemgmt.declare_emergency('given away', 'INC-G', 'exec', 'production_down', owner => 'otto', model => 'lean_emergency') \gset
SELECT changemgmt.add_task(:given, 'helped', phase => 'implementation') AS helped \gset
SELECT is(pg_temp.refusal('bob', format('SELECT changemgmt.complete_task(%s)', :helped)), '', 'bob takes a step');
SELECT changemgmt.complete(:given) \g /dev/null
SELECT is(pg_temp.refusal('otto', format('SELECT changemgmt.edit_change(%s, ''{"owner": "eve"}'')', :given)), '', 'given away');
SELECT matches(pg_temp.refusal(who, format(sql, :given)), '^MC004 .* is not for the ' || part || ' of the change', format('%s: %s', who, sql))
FROM (VALUES ('otto', 'owner of before'), ('eve', 'owner'), ('bob', 'implementers')) AS w (who, part),
	(VALUES ('SELECT changemgmt.review_change(%s, ''independent'', lessons => ''l'')'),
		('SELECT changemgmt.complete_duty(id, ''all well'') FROM changemgmt.duty WHERE change_id = %s AND kind = ''independent_review''')) AS s (sql);
SELECT is(pg_temp.refusal('exec', format('SELECT changemgmt.review_change(%s, ''independent'', lessons => ''l'')', :given)), '', 'by who had no part in it');
SELECT pg_temp.made('approved') AS early \gset
SELECT changemgmt.edit_change(:early, '{"owner": "eve"}') \g /dev/null
SELECT changemgmt.revise(:early, 'for eve') \g /dev/null
SELECT changemgmt.advance(:early, 'in_progress') \g /dev/null
SELECT changemgmt.abort(:early, 'no') \g /dev/null
SELECT is(pg_temp.refusal('otto', format('SELECT changemgmt.review_change(%s, ''independent'', lessons => ''l'')', :early)), '', 'who gave it away before the work had none');
SELECT is(left(pg_temp.refusal('nobody known', format('SELECT changemgmt.review_change(%s, ''independent'', lessons => ''l'')', :done)), 5), 'MC003',
	'nobody known is not known to be independent');
SELECT is(pg_temp.refusal(who, format('SELECT changemgmt.review_change(%s, lessons => ''l'')', :done)), '', 'any other is written by ' || who)
FROM unnest('{ivan,otto,ada,bob,"nobody known"}'::text[]) AS who;
SELECT is(pg_temp.refusal('ivan', format('INSERT INTO changemgmt.change_review (change_id, kind, lessons, reviewed_by_id) VALUES (%s, ''independent'', ''l'', changemgmt.person_id(''vera''))', :done)),
	'MC003 | reviewed_by_id of change_review is always who acts | Leave the column out: it is filled in.', 'not in another''s name');

-- corrected by who wrote it, until the end

SELECT changemgmt.review_change(:done, 'post_mortem', causes => 'c', lessons => 'l', actions => 'a') AS mortem \gset
SELECT is(left(pg_temp.refusal(who, format(sql, :mortem)), length(refusal) + CASE refusal WHEN '' THEN 1 ELSE 0 END), refusal, format('%s: %s', who, sql))
FROM (VALUES
	('vera', 'UPDATE changemgmt.change_review SET causes = ''another'' WHERE id = %s', ''),
	('vera', 'UPDATE changemgmt.change_review SET went_well = ''all but this'', went_badly = ''this'', lessons = ''x'', actions = ''y'' WHERE id = %s', ''),
	('vera', 'UPDATE changemgmt.change_review SET causes = NULL WHERE id = %s', 'MC008 | causes of change_review is missing'),
	('vera', 'UPDATE changemgmt.change_review SET kind = ''independent'' WHERE id = %s', 'MC005 | the kind of a review does not change'),
	('vera', 'UPDATE changemgmt.change_review SET reviewed_at = now() - interval ''1 day'' WHERE id = %s', 'MC005 | reviewed_by_id and reviewed_at of change_review do not change'),
	('vera', 'UPDATE changemgmt.change_review SET reviewed_by_id = NULL WHERE id = %s', 'MC005 | reviewed_by_id and reviewed_at of change_review do not change'),
	('vera', 'UPDATE changemgmt.change_review SET reviewed_by_id = changemgmt.person_id(''eve'') WHERE id = %s', 'MC003 | reviewed_by_id of change_review is always who acts'),
	('vera', 'UPDATE changemgmt.change_review SET change_id = change_id - 1 WHERE id = %s', 'MC005 | this row of change_review stays'),
	('eve', 'UPDATE changemgmt.change_review SET causes = ''hers'' WHERE id = %s', 'MC003 | a row of change_review changes only by who wrote it'),
	('nobody known', 'UPDATE changemgmt.change_review SET causes = ''nobody''''s'' WHERE id = %s', 'MC003 | a row of change_review changes only by who wrote it'),
	('vera', 'DELETE FROM changemgmt.change_review WHERE id = %s', 'MC006 | a review is not deleted'),
	('eve', 'DELETE FROM changemgmt.change_review WHERE id = %s', 'MC006 | a review is not deleted')) AS v (who, sql, refusal);
SELECT is((SELECT causes FROM changemgmt.change_review WHERE id = :mortem), 'another', 'a correction stands');
SELECT changemgmt.close(:done) \g /dev/null
SELECT is(left(pg_temp.refusal('vera', format('UPDATE changemgmt.change_review SET causes = ''a third'' WHERE id = %s', :mortem)), 31 + length(:'done')),
	format('MC006 | reviews of change %s stay', :done), 'when the change is closed, it stays');
SELECT is(left(pg_temp.refusal('vera', format('DELETE FROM changemgmt.change_review WHERE id = %s', :mortem)), 5), 'MC006', 'and is not deleted');
SELECT is(pg_temp.refusal('vera', format('SELECT changemgmt.review_change(%s, lessons => ''one more'')', :done)), '', 'another is added');
-- what was reviewed goes on: the review stays
SELECT pg_temp.made('verifying') AS resumed \gset
SELECT changemgmt.review_change(:resumed, lessons => 'not yet') AS early \gset
SELECT set_config('changemgmt.actor', 'ivan', true), changemgmt.resume_work(:resumed, 'once more') \g /dev/null
SELECT is(left(pg_temp.refusal('vera', format('SELECT changemgmt.review_change(%s, lessons => ''l'')', :resumed)), 5), 'MC001', 'work that goes on is not reviewed');
SELECT is(pg_temp.refusal('vera', format('UPDATE changemgmt.change_review SET lessons = ''too early'' WHERE id = %s', :early)), '', 'what was written is corrected');

-- reviews are no plan

SELECT is((SELECT plan_revision FROM changemgmt.change WHERE id = :done), (SELECT approved_plan_revision FROM changemgmt.change WHERE id = :done), 'a review is no edit of the plan');
SELECT set_eq($$SELECT field FROM changemgmt.field_class() WHERE relation = 'change_review' AND class = 'remark'$$,
	'{kind,went_well,went_badly,causes,lessons,actions}'::text[], 'what it says are remarks');
SELECT is((changemgmt.change_document(:done, (SELECT reviewed_at FROM changemgmt.change_review WHERE id = :mortem)) -> 'change_review' -> -1 ->> 'causes'), NULL, 'before it was written it was not there');
SELECT is((SELECT r ->> 'causes' FROM jsonb_array_elements(changemgmt.change_document(:done) -> 'change_review') AS r WHERE (r ->> 'id')::bigint = :mortem), 'another', 'the document of a change has its reviews');

-- what follows

SET LOCAL changemgmt.actor = 'vera';
SELECT id AS follow_up, status AS status FROM changemgmt.create_follow_up(:done, 'Compare schemas first', 'As the review says.', 'lean_normal', 'eve') \gset
SELECT is(:'status'::text, 'draft', 'a follow-up is a draft');
SELECT results_eq(format($$SELECT c.title, c.description, c.model, o.login, r.login, a.login, c.environment, c.confidential, c.copied_from_id
	FROM changemgmt.change AS c LEFT JOIN changemgmt.person AS o ON o.id = c.owner_id LEFT JOIN changemgmt.person AS r ON r.id = c.requester_id LEFT JOIN changemgmt.person AS a ON a.id = c.author_id
	WHERE c.id = %s$$, :follow_up), $$VALUES ('Compare schemas first', 'As the review says.', 'lean_normal', 'eve', 'vera', 'vera', 'staging', false, NULL::bigint)$$,
	'of its own, in the same environment');
SELECT results_eq(format('SELECT ci.name, i.role, i.version_after FROM changemgmt.change_item AS i JOIN changemgmt.configuration_item AS ci ON ci.id = i.ci_id WHERE change_id = %s ORDER BY i.id', :follow_up),
	$$VALUES ('db', 'changed', NULL::text), ('web', 'affected', NULL)$$, 'on the same items');
SELECT results_eq(format('SELECT relation, target_change_id FROM changemgmt.change_link WHERE change_id = %s', :follow_up),
	format($$VALUES ('follows_up', %s::bigint)$$, :done), 'linked to the change that it was learned of');
SELECT id AS bare FROM changemgmt.create_follow_up(:done, 'Think', with_items => false) \gset
SELECT is_empty(format('SELECT FROM changemgmt.change_item WHERE change_id = %s', :bare), 'without items where they are not wanted');
SELECT results_eq(format('SELECT number, title, follow_up_id, follow_up_number, follow_up_title, follow_up_status, follow_up_outcome FROM changemgmt.change_follow_up WHERE change_id = %s ORDER BY follow_up_id', :done),
	format($$VALUES (changemgmt.change_number(%1$s), 'to implemented', %2$s::bigint, changemgmt.change_number(%2$s), 'Compare schemas first', 'draft', NULL::text),
		(changemgmt.change_number(%1$s), 'to implemented', %3$s, changemgmt.change_number(%3$s), 'Think', 'draft', NULL)$$, :done, :follow_up, :bare),
	'the view shows what follows from a change');
SELECT is((SELECT ledger_sequence FROM changemgmt.change WHERE id = :done), (SELECT max(sequence) FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = :done), 'the change itself is left alone');
SELECT is((SELECT count(*) FROM changemgmt.ledger AS l WHERE l.subject_kind = 'change' AND l.subject_id = :follow_up AND l.changed ? 'change_link'), 1::bigint, 'the link is in the trail of the follow-up');
SELECT is(left(pg_temp.refusal('vera', sql), length(refusal)), refusal, sql)
FROM (VALUES ('SELECT changemgmt.create_follow_up(-1, ''t'')', 'MC008 | change -1 does not exist'), ('SELECT changemgmt.create_follow_up(NULL, ''t'')', 'MC008 | the change is null'),
	(format('SELECT changemgmt.create_follow_up(%s, NULL)', :done), 'MC008 | a change needs a title'), (format('SELECT changemgmt.create_follow_up(%s, '''')', :done), 'MC008'),
	(format('SELECT changemgmt.create_follow_up(%s, ''t'', model => ''none'')', :done), 'MC008'), (format('SELECT changemgmt.create_follow_up(%s, ''t'', owner => ''none'')', :done), 'MC008')) AS v (sql, refusal);
SELECT lives_ok(format('SELECT changemgmt.create_follow_up(%s, ''t'', NULL, NULL, NULL, NULL)', :done), 'null is no wish for items');

-- as confidential as what it follows
UPDATE changemgmt.change SET confidential = true, confidential_until = '2100-01-01' WHERE id = :done;
SET LOCAL changemgmt.actor = 'ada';
SELECT id AS secret FROM changemgmt.create_follow_up(:done, 'Close the hole') \gset
SELECT results_eq(format('SELECT confidential, confidential_until FROM changemgmt.change WHERE id = %s', :secret), $$VALUES (true, timestamptz '2100-01-01')$$, 'the follow-up of a confidential change is');
CREATE ROLE regress_stranger;
SELECT changemgmt.grant_role('regress_stranger', 'requester'), changemgmt.add_person('regress_stranger') \g /dev/null
RESET changemgmt.actor;
SET LOCAL ROLE regress_stranger;
SELECT is((SELECT count(*) FROM changemgmt.change_follow_up WHERE change_id = :done), 0::bigint, 'who may not see it sees none of them');
SELECT is((SELECT count(*) FROM changemgmt.change_review WHERE change_id = :done), 0::bigint, 'nor what was learned');
SELECT throws_ok(format('SELECT changemgmt.create_follow_up(%s, ''t'')', :done), 'MC008', format('change %s does not exist', :done), 'nor makes more');
SELECT throws_ok(format('SELECT changemgmt.review_change(%s, lessons => ''l'')', :done), 'MC008', format('change %s does not exist', :done), 'nor reviews it');
RESET ROLE;

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT * FROM finish();
ROLLBACK;
