-- Who is told what of a change: the plan, what was sent, and what models ask for.

BEGIN;
SELECT no_plan();

CREATE FUNCTION pg_temp.refusal(actor text, sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	before text := current_setting('changemgmt.actor');
	code text;
	message text;
	detail text;
	hint text;
BEGIN
	PERFORM set_config('changemgmt.actor', actor, true);
	EXECUTE sql;
	PERFORM set_config('changemgmt.actor', before, true);
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', code, message, nullif(detail, ''), nullif(hint, ''));
END
$$;

SET LOCAL changemgmt.actor = 'ada';
SET LOCAL TimeZone = 'UTC';
SELECT changemgmt.add_person(p) FROM unnest('{ada,bob,eve}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_ci('db', kind => 'database') \g /dev/null
SELECT changemgmt.set_ci('db', is_exclusive => false) \g /dev/null
SELECT changemgmt.publish_model('announced', '{"base": "lean_standard", "requires": {
	"start": ["stakeholders_told"], "close": ["end_announced"]}, "waivable": ["stakeholders_told"]}') \g /dev/null

-- A draft whose plan is complete; no board decides on it.
CREATE FUNCTION pg_temp.planned(title text, model text DEFAULT 'lean_standard') RETURNS bigint
	LANGUAGE sql AS
$$
	SELECT id FROM changemgmt.create_change(title, model => model, owner => 'ada',
		description => 'd', justification => 'j', user_impact => 'none',
		risk_level => 'low', rollback_trigger => 'errors', rollback_plan => 'back',
		rollback_minutes => 5, verification_plan => 'look', items => '{db}',
		planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day');
$$;
-- A row as it stands: timing, who, how, what, planned, sent, by whom.
CREATE FUNCTION pg_temp.shown(communication bigint) RETURNS text LANGUAGE sql AS
$$
	SELECT concat_ws(', ', m.timing, m.stakeholder, m.channel, m.message,
		CASE WHEN m.is_planned THEN 'planned' ELSE 'besides' END,
		CASE WHEN m.sent_at IS NULL THEN 'open' ELSE 'sent' END, p.login)
	FROM changemgmt.change_communication AS m LEFT JOIN changemgmt.person AS p ON p.id = m.sent_by_id
	WHERE m.id = communication
$$;

-- the plan

SELECT pg_temp.planned('one') AS one \gset
SELECT changemgmt.add_communication(:one, 'before', 'customers', 'status_page', 'It will be slow.') AS before \gset
SELECT changemgmt.add_communication(:one, 'during', 'service desk', 'chat', 'We are at it.') AS during \gset
SELECT changemgmt.add_communication(:one, 'after', 'customers', 'email', 'It is fast.') AS after \gset
SELECT is(pg_temp.shown(:before), 'before, customers, status_page, It will be slow., planned, open', 'what is planned stands as it was given');
SELECT results_eq($$SELECT timing, due_at, stakeholder, channel, message, is_planned, sent, sent_at, sent_by, number, title, status
		FROM changemgmt.communication_plan WHERE NOT sent ORDER BY due_at, communication_id$$,
	format($$SELECT v.timing, CASE v.timing WHEN 'after' THEN c.planned_end ELSE c.planned_start END, v.who, v.channel, v.message, true, false,
		NULL::timestamptz, NULL::text, changemgmt.change_number(c.id), c.title, c.status
	FROM changemgmt.change AS c, (VALUES ('before', 'customers', 'status_page', 'It will be slow.'),
		('during', 'service desk', 'chat', 'We are at it.'), ('after', 'customers', 'email', 'It is fast.')) AS v (timing, who, channel, message)
	WHERE c.id = %s$$, :one), 'the view says what comes next');

SELECT is(split_part(pg_temp.refusal('ada', format(sql, :one)), ' | ', 1) || ' | ' || split_part(pg_temp.refusal('ada', format(sql, :one)), ' | ', 2), refusal, sql)
FROM (VALUES
	($$SELECT changemgmt.add_communication(%s, 'later', 'users', 'chat', 'm')$$, 'MC008 | "later" is no value of timing'),
	($$SELECT changemgmt.add_communication(%s, 'before', 'users', 'pigeon', 'm')$$, 'MC008 | "pigeon" is no value of channel'),
	($$SELECT changemgmt.add_communication(%s, NULL, 'users', 'chat', 'm')$$, 'MC008 | timing of change_communication is null'),
	($$SELECT changemgmt.add_communication(%s, 'before', NULL, 'chat', 'm')$$, 'MC008 | stakeholder of change_communication is null'),
	($$SELECT changemgmt.add_communication(%s, 'before', 'users', NULL, 'm')$$, 'MC008 | channel of change_communication is null'),
	($$SELECT changemgmt.add_communication(%s, 'before', 'users', 'chat', NULL)$$, 'MC008 | message of change_communication is null'),
	($$SELECT changemgmt.add_communication(%s, 'before', E' \t\n', 'chat', 'm')$$, 'MC008 | stakeholder of change_communication is empty'),
	($$SELECT changemgmt.add_communication(%s, 'before', 'users', 'chat', ' ')$$, 'MC008 | message of change_communication is empty'),
	($$SELECT changemgmt.post_update(%s, NULL)$$, 'MC008 | message of change_communication is null'),
	($$SELECT changemgmt.post_update(%s, 'm', 'pigeon')$$, 'MC008 | "pigeon" is no value of channel'),
	($$INSERT INTO changemgmt.change_communication (change_id, timing, stakeholder, channel, message, sent_at)
		VALUES (%s, 'before', 'users', 'chat', 'm', 'infinity')$$, 'MC008 | sent_at of change_communication is infinite')) AS v (sql, refusal);
SELECT is(left(pg_temp.refusal('ada', $$SELECT changemgmt.add_communication(-1, 'before', 'users', 'chat', 'm')$$), 32), 'MC008 | change -1 does not exist', 'of a change that is not there');
SELECT is(left(pg_temp.refusal('ada', $$SELECT changemgmt.post_update(-1, 'm')$$), 32), 'MC008 | change -1 does not exist', 'nor is an update posted');
SELECT is(left(pg_temp.refusal('ada', $$SELECT changemgmt.post_update(NULL, 'm')$$), 5), 'MC008', 'nor of nothing');
SELECT is(changemgmt.mark_sent(-1), NULL, 'what is not there is not sent');
SELECT is(changemgmt.mark_sent(NULL), NULL, 'nor is nothing');
SELECT is(changemgmt.remove_communication(-1), false, 'nor taken out');

-- a plan is edited as a plan is

SELECT changemgmt.add_communication(:one, 'before', 'a mistake', 'other', 'm') AS mistake \gset
SELECT is(changemgmt.remove_communication(:mistake), true, 'what is planned can be taken out');
UPDATE changemgmt.change_communication SET message = 'It will be slow for a while.', is_planned = false WHERE id = :before;
SELECT is(pg_temp.shown(:before), 'before, customers, status_page, It will be slow for a while., planned, open', 'and edited; planned it stays');
UPDATE changemgmt.change_communication SET message = 'It will be slow.' WHERE id = :before;
SELECT is(pg_temp.refusal('ada', format('UPDATE changemgmt.change_communication SET sent_by_id = changemgmt.person_id(''ada'') WHERE id = %s', :before)),
	'MC008 | sent_by_id of change_communication is given, and nothing was sent', 'who sent it is no plan');

-- what was sent is sent once

SELECT is(pg_temp.refusal('ada', format('SELECT changemgmt.mark_sent(%s, %L)', :before, clock_timestamp() + interval '1 hour')),
	'MC008 | sent_at of change_communication lies in the future', 'nothing was sent tomorrow');
SELECT is(pg_temp.refusal('ada', format('SELECT changemgmt.mark_sent(%s, ''1999-01-01'')', :before)),
	'MC008 | sent_at of change_communication lies before the change was recorded', 'nor years ago');
SELECT is(left(pg_temp.refusal('ada', format('SELECT changemgmt.mark_sent(%s, ''infinity'')', :before)), 5), 'MC008', 'nor at no time');
SELECT is(pg_temp.refusal('ada', format('SELECT changemgmt.mark_sent(%s)', :during)),
	format('MC001 | nothing is told during the work, which has not begun: change %s is draft | changemgmt.post_update() tells what there is to tell now.', :one),
	'nothing is sent during the work before it has begun');
SELECT is(pg_temp.refusal('ada', format('SELECT changemgmt.mark_sent(%s)', :after)),
	format('MC001 | nothing is told after the work, which has not ended: change %s is draft | changemgmt.post_update() tells what there is to tell now.', :one),
	'nor after it');
SELECT is(pg_temp.refusal('ada', format('UPDATE changemgmt.change_communication SET sent_at = clock_timestamp(), sent_by_id = changemgmt.person_id(''bob'') WHERE id = %s', :before)),
	'MC003 | sent_by_id of change_communication is always who acts | Leave the column out: it is filled in.', 'nobody sends in another''s name');
SELECT revision AS revision, plan_revision AS plan_revision FROM changemgmt.change WHERE id = :one \gset
SET LOCAL changemgmt.actor = 'bob';
SELECT is(changemgmt.mark_sent(:before), true, 'bob tells them');
SELECT is(pg_temp.shown(:before), 'before, customers, status_page, It will be slow., planned, sent, bob', 'in the own name');
SELECT results_eq(format('SELECT revision, plan_revision FROM changemgmt.change WHERE id = %s', :one),
	format('VALUES (%s::bigint + 1, %s::bigint)', :revision, :plan_revision), 'which is no edit of the plan');
SELECT sent_at AS sent_at FROM changemgmt.change_communication WHERE id = :before \gset
SELECT is(changemgmt.mark_sent(:before), true, 'the same again');
SELECT is(changemgmt.mark_sent(:before, :'sent_at'), true, 'or at that time');
SELECT results_eq(format('SELECT c.revision, m.sent_at FROM changemgmt.change AS c JOIN changemgmt.change_communication AS m ON m.change_id = c.id WHERE m.id = %s', :before),
	format('VALUES (%s::bigint + 1, timestamptz %L)', :revision, :'sent_at'), 'changes nothing');
SELECT is(pg_temp.refusal(actor, format(sql, :before, timestamptz :'sent_at' - interval '1 microsecond')),
	format('MC001 | communication %s was sent by bob at %s | What there is to tell besides: changemgmt.post_update().', :before, :'sent_at'), actor || ': ' || sql)
FROM (VALUES ('ada', 'SELECT changemgmt.mark_sent(%s)'), ('nobody known', 'SELECT changemgmt.mark_sent(%s)'), ('bob', 'SELECT changemgmt.mark_sent(%s, %L)'),
	('bob', 'UPDATE changemgmt.change_communication SET sent_at = clock_timestamp() WHERE id = %s')) AS v (actor, sql);
SELECT is(pg_temp.refusal('ada', format('SELECT changemgmt.mark_sent(%s, %L)', :before, :'sent_at')), '', 'who says the same as stands is answered');
SELECT is(left(pg_temp.refusal('bob', format(sql, :before)), length(refusal)), refusal, sql)
FROM (VALUES
	('UPDATE changemgmt.change_communication SET sent_at = NULL WHERE id = %s', 'MC006 | a message that was sent stays'),
	('UPDATE changemgmt.change_communication SET sent_at = NULL, sent_by_id = NULL WHERE id = %s', 'MC006 | a message that was sent stays'),
	('DELETE FROM changemgmt.change_communication WHERE id = %s', 'MC006 | a message that was sent stays'),
	('SELECT changemgmt.remove_communication(%s)', 'MC006 | a message that was sent stays'),
	('UPDATE changemgmt.change_communication SET sent_by_id = changemgmt.person_id(''ada'') WHERE id = %s', 'MC005 | sent_by_id of change_communication'),
	('UPDATE changemgmt.change_communication SET sent_by_id = NULL WHERE id = %s', 'MC005 | sent_by_id of change_communication'),
	('UPDATE changemgmt.change_communication SET message = ''m'' WHERE id = %s', 'MC005 | what a communication says stays once it was sent'),
	('UPDATE changemgmt.change_communication SET stakeholder = ''m'' WHERE id = %s', 'MC005 | what a communication says stays once it was sent'),
	('UPDATE changemgmt.change_communication SET timing = ''after'' WHERE id = %s', 'MC005 | what a communication says stays once it was sent'),
	('UPDATE changemgmt.change_communication SET channel = ''phone'' WHERE id = %s', 'MC005 | what a communication says stays once it was sent'),
	('UPDATE changemgmt.change_communication SET change_id = change_id + 1 WHERE id = %s', 'MC005 | this row of change_communication stays')) AS v (sql, refusal);

-- who is nobody known tells, too
SELECT changemgmt.add_communication(:one, 'before', 'the night shift', 'phone', 'm') AS unknown \gset
SET LOCAL changemgmt.actor = 'nobody known';
SELECT is(changemgmt.mark_sent(:unknown), true, 'somebody whom nobody has registered tells them');
SELECT is(pg_temp.shown(:unknown), 'before, the night shift, phone, m, planned, sent', 'as nobody known');
SELECT is(changemgmt.mark_sent(:unknown), true, 'who does it again is the same nobody');
SELECT ok(pg_temp.refusal('ada', format('SELECT changemgmt.mark_sent(%s)', :unknown)) LIKE format('MC001 | communication %s was sent by somebody at 20%%', :unknown), 'and ada is not');

-- beside the plan

SET LOCAL changemgmt.actor = 'ada';
SELECT changemgmt.post_update(:one, 'We begin later.') AS early \gset
SELECT is(pg_temp.shown(:early), 'before, everyone, status_page, We begin later., besides, sent, ada', 'an update is told before the work');
SELECT is((SELECT status FROM changemgmt.advance(:one, 'in_progress')), 'in_progress', 'the work begins');
SELECT is(left(pg_temp.refusal('ada', format(sql, :one, :after)), 37 + length(:'one')), format('MC005 | the plan of change %s is frozen', :one), sql)
FROM unnest(ARRAY['UPDATE changemgmt.change_communication SET timing = ''before'' WHERE id = %2$s', 'UPDATE changemgmt.change_communication SET stakeholder = ''m'' WHERE id = %2$s',
	'UPDATE changemgmt.change_communication SET channel = ''other'' WHERE id = %2$s', 'UPDATE changemgmt.change_communication SET message = ''m'' WHERE id = %2$s',
	'SELECT changemgmt.remove_communication(%2$s)', 'DELETE FROM changemgmt.change_communication WHERE id = %2$s']) AS sql;
SELECT changemgmt.add_communication(:one, 'during', 'the board', 'meeting', 'm') AS late \gset
SELECT is(pg_temp.shown(:late), 'during, the board, meeting, m, besides, open', 'what is added once the work has begun is no plan');
UPDATE changemgmt.change_communication SET message = 'More than we thought.', is_planned = true WHERE id = :late;
SELECT is(pg_temp.shown(:late), 'during, the board, meeting, More than we thought., besides, open', 'it can be edited, and becomes none');
SELECT changemgmt.add_communication(:one, 'during', 'nobody', 'other', 'm') AS needless \gset
SELECT is(changemgmt.remove_communication(:needless), true, 'and taken out');
SELECT is(pg_temp.shown(changemgmt.post_update(:one, 'Half way.', 'chat', 'the board')), 'during, the board, chat, Half way., besides, sent, ada', 'an update is told during the work');
SELECT is(pg_temp.refusal('ada', format('SELECT changemgmt.mark_sent(%s, %L)', :during, (SELECT actual_start - interval '1 microsecond' FROM changemgmt.change WHERE id = :one))),
	'MC008 | sent_at of change_communication lies before the work began', 'nothing is told during the work before it began');
SELECT is(changemgmt.mark_sent(:during, (SELECT actual_start FROM changemgmt.change WHERE id = :one)), true, 'but from its beginning on');
SELECT is(left(pg_temp.refusal('ada', format('SELECT changemgmt.mark_sent(%s)', :after)), 5), 'MC001', 'the end is not announced while work is under way');
SELECT is((SELECT due_at FROM changemgmt.communication_plan WHERE communication_id = :late), (SELECT actual_start FROM changemgmt.change WHERE id = :one), 'due is what came, not what was planned');

SELECT changemgmt.complete(:one) \g /dev/null
SELECT is((SELECT due_at FROM changemgmt.communication_plan WHERE communication_id = :after), (SELECT actual_end FROM changemgmt.change WHERE id = :one), 'at the end, too');
SELECT is(pg_temp.refusal('ada', format('SELECT changemgmt.mark_sent(%s, %L)', :after, (SELECT actual_end - interval '1 microsecond' FROM changemgmt.change WHERE id = :one))),
	'MC008 | sent_at of change_communication lies before the work ended', 'the end is not announced before it');
SELECT is(changemgmt.mark_sent(:late), true, 'what was to be told during the work is told late');
SELECT changemgmt.resume_work(:one, 'one more step') \g /dev/null
SELECT is(left(pg_temp.refusal('ada', format('SELECT changemgmt.mark_sent(%s)', :after)), 5), 'MC001', 'when work goes on, it has not ended');
SELECT changemgmt.complete(:one) \g /dev/null
SELECT is(changemgmt.mark_sent(:after), true, 'the end is announced');
SELECT is(pg_temp.shown(changemgmt.post_update(:one, 'It is done.')), 'after, everyone, status_page, It is done., besides, sent, ada', 'an update is told after the work');
SELECT changemgmt.add_communication(:one, 'after', 'the press', 'email', 'm') AS forgotten \gset
SELECT changemgmt.advance(:one, 'closed', evidence => 'seen') \g /dev/null
SELECT is_empty(format('SELECT FROM changemgmt.communication_plan WHERE change_id = %s', :one), 'a change that is over is not in the view');
SELECT is(pg_temp.refusal('ada', format('SELECT changemgmt.add_communication(%s, ''after'', ''users'', ''chat'', ''m'')', :one)),
	format('MC001 | nothing is planned to be told any more: change %s is closed | changemgmt.post_update() tells what there is to tell now.', :one), 'nothing is planned for it');
SELECT is(left(pg_temp.refusal('ada', format('UPDATE changemgmt.change_communication SET message = ''x'' WHERE id = %s', :forgotten)), 70),
	'MC005 | what a communication says stays once its change is over | What', 'nor edited');
SELECT is(changemgmt.mark_sent(:forgotten), true, 'what was left can be told');
SELECT is(pg_temp.shown(changemgmt.post_update(:one, 'By the way.')), 'after, everyone, status_page, By the way., besides, sent, ada', 'and more');

-- a change that never began ends with its cancellation
SELECT pg_temp.planned('cancelled') AS cancelled \gset
SELECT changemgmt.add_communication(:cancelled, 'before', 'users', 'chat', 'm') AS told_late, changemgmt.add_communication(:cancelled, 'during', 'users', 'chat', 'm') AS never \gset
SELECT changemgmt.cancel(:cancelled, 'no') \g /dev/null
SELECT is(pg_temp.shown(changemgmt.post_update(:cancelled, 'It will not be.')), 'after, everyone, status_page, It will not be., besides, sent, ada', 'that it is cancelled can be told');
SELECT is(changemgmt.mark_sent(:told_late), true, 'and what should have been told before');
SELECT is(left(pg_temp.refusal('ada', format('SELECT changemgmt.mark_sent(%s)', :never)), 5), 'MC001', 'but nothing during the work that never was');
SELECT is(left(pg_temp.refusal('ada', format('SELECT changemgmt.remove_communication(%s)', :never)), 5), 'MC005', 'what was planned stays');

-- of an emergency, people were told before it was recorded
SELECT id AS emergency FROM changemgmt.declare_emergency('down', 'INC-1', 'bob', 'production_down', actual_start => now() - interval '3 hours') \gset
SELECT changemgmt.add_communication(:emergency, 'before', 'exec', 'phone', 'm') AS warned, changemgmt.add_communication(:emergency, 'during', 'users', 'status_page', 'm') AS page \gset
SELECT is(changemgmt.mark_sent(:warned, now() - interval '4 hours'), true, 'before its record');
SELECT is(changemgmt.mark_sent(:page, now() - interval '2 hours'), true, 'and during the work');
SELECT is(pg_temp.shown(:page), 'during, users, status_page, m, besides, sent, ada', 'which was no plan');

-- what models ask for

CREATE FUNCTION pg_temp.missing(change bigint, verb text) RETURNS text LANGUAGE sql AS
	$$SELECT string_agg(requirement || ': ' || message, '; ') FROM changemgmt.why_not(change, verb)$$;
SELECT pg_temp.planned('told', 'announced') AS told \gset
SELECT changemgmt.advance(:told, 'approved') \g /dev/null
SELECT is(pg_temp.missing(:told, 'start'), 'stakeholders_told: nobody was told before the work', 'nobody was told');
SELECT matches(pg_temp.refusal('ada', format('SELECT changemgmt.start(%s)', :told)), '^MC002 \| .*: start is refused: nobody was told before the work \| .*changemgmt.mark_sent.* post_update\(' || :told || ', message\)',
	'so it does not start');
SAVEPOINT nobody;
SELECT changemgmt.post_update(:told, 'Tonight.') \g /dev/null
SELECT is(pg_temp.missing(:told, 'start'), NULL, 'an update is enough');
ROLLBACK TO nobody;
SELECT changemgmt.revise(:told, 'a plan') \g /dev/null
SELECT changemgmt.add_communication(:told, 'before', 'customers', 'email', 'Tonight.') AS customers, changemgmt.add_communication(:told, 'before', 'service desk', 'chat', 'Tonight.') AS desk,
	changemgmt.add_communication(:told, 'after', 'customers', 'email', 'Done.') AS done \gset
SELECT changemgmt.advance(:told, 'approved') \g /dev/null
SELECT is(pg_temp.missing(:told, 'start'), 'stakeholders_told: not told before the work: customers, service desk', 'who is still to be told');
SELECT changemgmt.post_update(:told, 'Tonight.') \g /dev/null
SELECT is(pg_temp.missing(:told, 'start'), 'stakeholders_told: not told before the work: customers, service desk', 'an update is not for them');
SELECT changemgmt.mark_sent(:desk) \g /dev/null
SELECT is(pg_temp.missing(:told, 'start'), 'stakeholders_told: not told before the work: customers', 'one was told');
SELECT changemgmt.mark_sent(:customers) \g /dev/null
SELECT is((SELECT status FROM changemgmt.start(:told)), 'in_progress', 'all were: it starts');
SELECT changemgmt.advance(:told, 'implemented', evidence => 'seen') \g /dev/null
SELECT is(pg_temp.missing(:told, 'close'), 'end_announced: not told after the work: customers', 'the end is to be announced');
SELECT is(left(pg_temp.refusal('ada', format('SELECT changemgmt.close(%s)', :told)), 5), 'MC002', 'before the change is closed');
SELECT changemgmt.mark_sent(:done) \g /dev/null
SELECT is((SELECT status FROM changemgmt.close(:told)), 'closed', 'then it is');

-- who was told of another time was not told of this one
SELECT pg_temp.planned('moved', 'announced') AS moved \gset
SELECT changemgmt.add_communication(:moved, 'before', 'customers', 'email', 'Tonight.') AS tonight \gset
SELECT changemgmt.edit_change(:moved, jsonb_build_object('planned_start', now() - interval '30 minutes')) \g /dev/null
SELECT changemgmt.advance(:moved, 'approved') \g /dev/null
SELECT changemgmt.mark_sent(:tonight) \g /dev/null
SELECT is(pg_temp.missing(:moved, 'start'), NULL, 'moved before anybody was told');
SELECT changemgmt.edit_change(:moved, jsonb_build_object('planned_start', now() - interval '20 minutes')) \g /dev/null
SELECT is(pg_temp.missing(:moved, 'start'), 'stakeholders_told: nobody was told since the planned start was moved', 'moved afterwards');
SELECT changemgmt.post_update(:moved, 'Tomorrow.') \g /dev/null
SELECT changemgmt.edit_change(:moved, jsonb_build_object('planned_end', now() + interval '3 days')) \g /dev/null
SELECT is(pg_temp.missing(:moved, 'start'), NULL, 'until they are told again; when it ends does not count');

SELECT pg_temp.planned('again', 'announced') AS again \gset
SELECT changemgmt.post_update(:again, 'Tonight.') \g /dev/null
SELECT changemgmt.advance(:again, 'verifying') \g /dev/null
SELECT changemgmt.post_update(:again, 'Done.') \g /dev/null
SELECT changemgmt.resume_work(:again, 'it was not') \g /dev/null
SELECT changemgmt.post_update(:again, 'We go on.') \g /dev/null
SELECT changemgmt.advance(:again, 'implemented', evidence => 'seen') \g /dev/null
SELECT is(pg_temp.missing(:again, 'close'), 'end_announced: nobody was told after the work', 'an end that was none counts for nothing');
SELECT changemgmt.post_update(:again, 'Done indeed.') \g /dev/null
SELECT is(pg_temp.missing(:again, 'close'), NULL, 'the one that was, does');

SELECT pg_temp.planned('many', 'announced') AS many \gset
SELECT changemgmt.add_communication(:many, 'before', 's' || n, 'chat', 'm') FROM generate_series(1, 11) AS n \g /dev/null
SELECT changemgmt.advance(:many, 'approved') \g /dev/null
SELECT is(pg_temp.missing(:many, 'start'), 'stakeholders_told: not told before the work: s1, s2, s3, s4, s5, s6, s7, s8, s9, s10 ...', 'of many the first are named');
SELECT pg_temp.planned('free') AS free \gset
SELECT is((SELECT status FROM changemgmt.advance(:free, 'in_progress')), 'in_progress', 'other models do not ask');
SELECT is_empty($$SELECT key FROM changemgmt.shipped_models() WHERE definition::text ~ 'stakeholders_told|end_announced'$$, 'the shipped ones neither');

-- documents, copies and templates bring a plan

SELECT id AS made FROM changemgmt.create_change_from('{"title": "made", "communications": [
	{"message": "Tonight.", "stakeholder": "customers"},
	{"message": "Done.", "timing": "after", "stakeholder": "exec", "channel": "phone"}]}') \gset
SELECT results_eq(format('SELECT pg_temp.shown(id) FROM changemgmt.change_communication WHERE change_id = %s ORDER BY id', :made),
	$$VALUES ('before, customers, email, Tonight., planned, open'), ('after, exec, phone, Done., planned, open')$$, 'a document brings them');
SELECT is(split_part(pg_temp.refusal('ada', format('SELECT changemgmt.create_change_from(%L)', jsonb_build_object('title', 't', 'communications', given::jsonb))), ' | ', 2), problem, given)
FROM (VALUES ('{}', '"communications" is not an array'), ('["told"]', '"communications": an element is neither a text nor an object'),
	('[{"stakeholder": "x"}]', '"communications": an element lacks its message'), ('[{"message": "x"}]', 'stakeholder of change_communication is null'),
	('[{"message": "x", "stakeholder": "x", "sent_at": "2020-01-01"}]', '"communications": an element has no "sent_at"'),
	('[{"message": "x", "stakeholder": "x", "timing": "soon"}]', '"soon" is no value of timing')) AS v (given, problem);
SELECT id AS copy FROM changemgmt.copy_change(:one) \gset
SELECT results_eq(format('SELECT pg_temp.shown(id) FROM changemgmt.change_communication WHERE change_id = %s ORDER BY id', :copy),
	$$VALUES ('before, customers, status_page, It will be slow., planned, open'), ('during, service desk, chat, We are at it., planned, open'),
		('after, customers, email, It is fast., planned, open'), ('before, the night shift, phone, m, planned, open')$$,
	'a copy has the plan, and nothing of what was sent or told besides');
SELECT changemgmt.publish_model('routine', '{"base": "standard", "plan": {"description": "d", "communications": [{"message": "Now.", "stakeholder": "desk", "channel": "chat"}]}}') \g /dev/null
SELECT id AS templated FROM changemgmt.create_change('routine', template => 'routine') \gset
SELECT results_eq(format('SELECT pg_temp.shown(id) FROM changemgmt.change_communication WHERE change_id = %s', :templated), $$VALUES ('before, desk, chat, Now., planned, open')$$, 'a template brings them');
SELECT is(left(pg_temp.refusal('ada', $$SELECT changemgmt.publish_model('wrong', '{"base": "standard", "plan": {"communications": [{"to": "desk"}]}}')$$), 5), 'MC008', 'which are looked at when it is published');
SELECT id AS proposal FROM changemgmt.propose_template(:one, 'proposed', model => 'normal') \gset
SELECT is((SELECT definition #> '{plan,communications}' FROM changemgmt.template_proposal WHERE change_id = :proposal),
	'[{"timing": "before", "channel": "status_page", "message": "It will be slow.", "stakeholder": "customers"},
	{"timing": "during", "channel": "chat", "message": "We are at it.", "stakeholder": "service desk"},
	{"timing": "after", "channel": "email", "message": "It is fast.", "stakeholder": "customers"},
	{"timing": "before", "channel": "phone", "message": "m", "stakeholder": "the night shift"}]'::jsonb, 'a proposal has those of its change');

-- a plan that no model can do without is not one of its parts
SELECT changemgmt.publish_model('loose', '{"base": "normal", "not_sealed": ["change_communication"]}') \g /dev/null
SELECT is((SELECT array_agg(n) FROM changemgmt.model, jsonb_array_elements_text(definition -> 'not_sealed') AS n WHERE key = 'loose'), '{change_communication}', 'a model may leave it out of the seal');

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT * FROM finish();
ROLLBACK;
