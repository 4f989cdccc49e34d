--
-- ledger: what changes stand on (people, boards, models, settings ...) has a
-- trail as well, a chain a row.
--
BEGIN;
SET LOCAL search_path = public;
SELECT no_plan();

CREATE FUNCTION pg_temp.trail(kind text, id bigint, OUT event text, OUT changed jsonb) RETURNS SETOF record
	LANGUAGE sql AS $$
	SELECT l.event, l.changed FROM changemgmt.ledger AS l
	WHERE l.subject_kind = trail.kind AND l.subject_id = trail.id ORDER BY l.sequence $$;

-- Every table of the extension's has a trail, or is one

SELECT set_eq($$
	SELECT c.relname::text FROM pg_class AS c
	JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
	JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'changemgmt'
	WHERE c.relkind = 'r' AND c.relname <> 'booking' -- all in it follows from change and change_item
	  AND NOT EXISTS (
		SELECT FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
		WHERE t.tgrelid = c.oid AND p.proname IN ('ledger_record', 'part_changed', 'lifecycle_judge', 'ledger_guard'))$$,
	ARRAY[]::text[], 'no table is without a trail');
SELECT set_eq($$
	SELECT c.relname::text FROM pg_class AS c JOIN pg_trigger AS t ON t.tgrelid = c.oid
	JOIN pg_proc AS p ON p.oid = t.tgfoid WHERE p.proname = 'ledger_record'$$,
	ARRAY['risk_model',
	'site_setting', 'person', 'team', 'team_member', 'board', 'board_member', 'configuration_item',
		'ci_dependency', 'site_model', 'site_requirement', 'incident', 'incident_cause', 'incident_item', 'role_duty', 'change_window', 'approval_delegation',
		'business_calendar', 'business_hours', 'holiday', 'board_cadence', 'board_meeting', 'board_attendance', 'agenda_item', 'meeting_minute', 'duty', 'approval_policy', 'approval_level', 'site_risk_matrix', 'site_risk_factor', 'risk_assessment'],
	'these have chains of their own');

-- A row's life

SELECT changemgmt.add_person('regress_ann', 'Ann', email => 'ann@example.org', phone => '+1 555 0100') AS ann \gset
UPDATE changemgmt.person SET name = 'Ann Lee' WHERE id = :ann;
UPDATE changemgmt.person SET phone = '+1 555 0101' WHERE id = :ann;
UPDATE changemgmt.person SET name = name WHERE id = :ann;
DELETE FROM changemgmt.person WHERE id = :ann;
SELECT results_eq(format('SELECT * FROM pg_temp.trail(''person'', %s)', :ann), format($$VALUES
	('create', '{"id": [null, %1$s], "kind": [null, "internal"], "name": [null, "Ann"], "login": [null, "regress_ann"],
		"email": [null, null], "phone": [null, null], "is_active": [null, true], "is_executive": [null, false]}'::jsonb),
	('edit', '{"name": ["Ann", "Ann Lee"]}'),
	('edit', '{"phone": [null, null]}'),
	('delete', '{"id": [%1$s, null], "kind": ["internal", null], "name": ["Ann Lee", null], "login": ["regress_ann", null],
		"email": [null, null], "phone": [null, null], "is_active": [true, null], "is_executive": [false, null]}')$$, :ann),
	'a person is created, edited and deleted; what changes nothing is not told, contacts are not kept');
SELECT is_empty($$SELECT FROM changemgmt.ledger WHERE changed::text LIKE '%555%' OR changed::text LIKE '%example.org%'$$,
	'telephone numbers and addresses are nowhere in the trail');
SELECT results_eq(format($$SELECT sequence, from_status, to_status, actor, session_role FROM changemgmt.ledger
		WHERE subject_kind = 'person' AND subject_id = %s$$, :ann),
	format($$SELECT n::bigint, NULL::text, NULL::text, %L::text, %L::text FROM generate_series(1, 4) AS n$$,
		current_user, session_user), 'with who did it');
INSERT INTO changemgmt.person (id, login, name) VALUES (:ann, 'regress_ann', 'Ann again');
SELECT is((SELECT max(sequence) FROM changemgmt.ledger WHERE subject_kind = 'person' AND subject_id = :ann), 5::bigint,
	'an id that is used again goes on in its chain');
SELECT throws_ok(format('UPDATE changemgmt.person SET id = id + 1000 WHERE id = %s', :ann), 'MC006', NULL,
	'an id is not changed');

-- Every kind, by its function and by statement

SELECT changemgmt.add_person('regress_bob') AS bob \gset
SELECT changemgmt.add_team('regress team', 'regress_ann', ARRAY['regress_bob']) AS team \gset
SELECT changemgmt.add_board('regress board') AS board \gset
SELECT changemgmt.add_board_member('regress board', 'regress_ann', 'security') \g /dev/null
SELECT changemgmt.add_board_member('regress board', 'regress_ann', 'change_manager') \g /dev/null
SELECT results_eq($$SELECT event, changed - 'valid_from' - 'valid_until' - 'id' - 'board_id' - 'person_id'
		FROM changemgmt.ledger WHERE subject_kind = 'board_member' ORDER BY sequence$$,
	$$VALUES ('create', '{"seat": [null, "security"]}'::jsonb), ('edit', '{"seat": ["security", "change_manager"]}')$$,
	'seats on a board: whoever could vote when, and who let them');
SELECT results_eq($$SELECT subject_kind COLLATE "default", count(*) FROM changemgmt.ledger
		WHERE subject_kind LIKE 'team%' OR subject_kind = 'board' GROUP BY 1 ORDER BY 1$$,
	$$VALUES ('board', 1::bigint), ('team', 1), ('team_member', 2)$$, 'teams with their members, and boards');

SELECT changemgmt.set_setting('number_prefix', 'X') \g /dev/null
SELECT changemgmt.set_setting('number_prefix', 'Y') \g /dev/null
SELECT changemgmt.set_setting('number_prefix', 'Y') \g /dev/null
DELETE FROM changemgmt.site_setting;
SELECT results_eq($$SELECT event, changed -> 'value' FROM changemgmt.ledger WHERE subject_kind = 'site_setting' ORDER BY sequence$$,
	$$VALUES ('create', '[null, "X"]'::jsonb), ('edit', '["X", "Y"]'), ('delete', '["Y", null]')$$, 'settings');

SELECT changemgmt.publish_model('regress_model', '{"base": "lean_normal"}') \g /dev/null
SELECT changemgmt.retire_model('regress_model') \g /dev/null
SELECT results_eq($$SELECT event, changed -> 'key' ->> 1, (changed -> 'retired_at' ->> 1) IS NOT NULL
		FROM changemgmt.ledger WHERE subject_kind = 'site_model' ORDER BY sequence$$,
	$$VALUES ('create', 'regress_model', false), ('edit', NULL, true)$$, 'models');

CREATE FUNCTION public.regress_requirement(change_id bigint) RETURNS text STABLE LANGUAGE sql AS 'SELECT NULL::text';
SELECT changemgmt.register_requirement('regress_asked', 'public.regress_requirement(bigint)') \g /dev/null
DELETE FROM changemgmt.site_requirement;
SELECT results_eq($$SELECT event FROM changemgmt.ledger WHERE subject_kind = 'site_requirement' ORDER BY sequence$$,
	$$VALUES ('create'), ('delete')$$, 'requirements');

SELECT changemgmt.add_ci('regress db') AS db \gset
SELECT changemgmt.add_ci('regress app', depends_on => ARRAY['regress db'], tier => 1) AS app \gset
UPDATE changemgmt.configuration_item SET tier = 3 WHERE id = :app;
SELECT results_eq(format($$SELECT event, changed -> 'tier' FROM changemgmt.ledger
		WHERE subject_kind = 'configuration_item' AND subject_id = %s ORDER BY sequence$$, :app),
	$$VALUES ('create', '[null, 1]'::jsonb), ('edit', '[1, 3]')$$, 'items');
SELECT results_eq($$SELECT event FROM changemgmt.ledger WHERE subject_kind = 'ci_dependency'$$, $$VALUES ('create')$$,
	'what depends on what');
SELECT changemgmt.declare_blackout('regress freeze', starts_at => '2026-12-24', ends_at => '2026-12-27', ci => 'regress db') \g /dev/null
UPDATE changemgmt.change_window SET enforcement = 'soft';
SELECT changemgmt.remove_window('regress freeze') \g /dev/null
SELECT results_eq($$SELECT event, changed -> 'enforcement' FROM changemgmt.ledger WHERE subject_kind = 'change_window' ORDER BY sequence$$,
	$$VALUES ('create', '[null, "hard"]'::jsonb), ('edit', '["hard", "soft"]'), ('delete', '["soft", null]')$$, 'windows and blackouts');

CREATE TABLE public.regress_past AS
	SELECT n % 7 AS x, n * 5 % 11 < n % 7 AS failed, timestamptz '2026-01-01 12:00+00' + n * interval '1 day' AS at
	FROM generate_series(1, 200) AS n;
SELECT changemgmt.fit_risk_model('regress_past', '{x}', at => 'at'), changemgmt.activate_risk_model(1), changemgmt.deactivate_risk_model() \g /dev/null
SELECT results_eq($$SELECT event, changed -> 'source', changed -> 'is_active' FROM changemgmt.ledger WHERE subject_kind = 'risk_model' ORDER BY sequence$$,
	$$VALUES ('create', '[null, "regress_past"]'::jsonb, '[null, false]'::jsonb), ('edit', NULL, '[false, true]'), ('edit', NULL, '[true, false]')$$,
	'fitted models, and which of them was used');
SET LOCAL changemgmt.actor = 'regress_ann';
SELECT changemgmt.set_board_cadence('regress board', 'DTSTART:20260106T020000Z DURATION:PT2H', 2) \g /dev/null
SELECT changemgmt.set_board_cadence('regress board', 'DTSTART:20260106T020000Z DURATION:PT2H', 1) \g /dev/null
SELECT results_eq($$SELECT event, changed -> 'quorum', changed -> 'recurrence' FROM changemgmt.ledger WHERE subject_kind = 'board_cadence' ORDER BY sequence$$,
	$$VALUES ('create', '[null, 2]'::jsonb, '[null, "DTSTART;TZID=UTC:20260106T020000 DURATION:PT2H"]'::jsonb), ('edit', '[2, 1]', NULL)$$, 'when boards meet');
SELECT id AS change FROM changemgmt.create_change(title => 'x') \gset
SELECT changemgmt.call_emergency_meeting('regress board', 'fire') AS meeting \gset
INSERT INTO changemgmt.agenda_item (meeting_id, change_id) VALUES (:meeting, :change);
SELECT changemgmt.hold_meeting(:meeting, '{regress_ann}'), changemgmt.record_minute(:meeting, :change, 'said'), changemgmt.close_meeting(:meeting) \g /dev/null
SELECT results_eq($$SELECT subject_kind COLLATE "default", event, changed -> 'status', changed -> 'seat' ->> 1, changed -> 'decision' ->> 1
		FROM changemgmt.ledger WHERE subject_kind IN ('board_meeting', 'board_attendance', 'agenda_item', 'meeting_minute', 'duty') ORDER BY recorded_at, sequence$$,
	$$VALUES ('board_meeting', 'create', '[null, "planned"]'::jsonb, NULL, NULL), ('agenda_item', 'create', NULL, NULL, NULL),
		('board_meeting', 'edit', '["planned", "held"]', NULL, NULL), ('board_attendance', 'create', NULL, 'change_manager', NULL),
		('meeting_minute', 'create', NULL, NULL, 'noted'), ('board_meeting', 'edit', NULL, NULL, NULL)$$, 'meetings, agenda and minutes');
SELECT changemgmt.suspect_cause('INC-1', :change, 'it was near') \g /dev/null
SELECT changemgmt.confirm_cause('INC-1', :change, false) \g /dev/null
SELECT changemgmt.add_incident_item('INC-1', min(name)) FROM changemgmt.configuration_item \g /dev/null
RESET changemgmt.actor;
SELECT results_eq($$SELECT event, changed -> 'reference' ->> 1, actor FROM changemgmt.ledger WHERE subject_kind = 'incident'$$,
	$$VALUES ('create', 'INC-1', 'regress_ann')$$, 'incidents, with who acts');
SELECT results_eq($$SELECT event, changed -> 'status' FROM changemgmt.ledger WHERE subject_kind = 'incident_cause' ORDER BY sequence$$,
	$$VALUES ('create', '[null, "suspected"]'::jsonb), ('edit', '["suspected", "dismissed"]')$$,
	'what may be the cause, and what was found not to be');
SELECT results_eq($$SELECT event, changed ? 'ci_id', actor FROM changemgmt.ledger WHERE subject_kind = 'incident_item'$$,
	$$VALUES ('create', true, 'regress_ann')$$, 'and what did not work');

SELECT changemgmt.create_business_calendar('regress_works', 'UTC', 'MO 09:00-17:00') AS works \gset
UPDATE changemgmt.business_calendar SET time_zone = 'Europe/Berlin' WHERE id = :works;
SELECT changemgmt.set_business_hours('regress_works', 'TU 08:00-24:00') \g /dev/null
SELECT changemgmt.add_holiday('regress_works', '2026-12-25', 'x') \g /dev/null
SELECT changemgmt.add_holiday('regress_works', '2026-12-25', 'y') \g /dev/null
SELECT changemgmt.add_holiday('regress_works', '2026-12-25', 'y') \g /dev/null
SELECT changemgmt.remove_holiday('regress_works', '2026-12-25') \g /dev/null
SELECT results_eq($$SELECT subject_kind COLLATE "default", event, coalesce(changed -> 'time_zone', changed -> 'weekday', changed -> 'name') FROM changemgmt.ledger
		WHERE subject_kind IN ('business_calendar', 'business_hours', 'holiday') ORDER BY subject_kind, subject_id, sequence$$,
	$$VALUES ('business_calendar', 'create', '[null, "UTC"]'::jsonb), ('business_calendar', 'edit', '["UTC", "Europe/Berlin"]'),
		('business_hours', 'create', '[null, 1]'), ('business_hours', 'delete', '[1, null]'), ('business_hours', 'create', '[null, 2]'),
		('holiday', 'create', '[null, "x"]'), ('holiday', 'edit', '["x", "y"]'), ('holiday', 'delete', '["y", null]')$$,
	'business calendars, their hours and holidays');

CREATE ROLE regress_duty;
SELECT changemgmt.grant_role('regress_duty', 'requester') \g /dev/null
SELECT changemgmt.grant_role('regress_duty', 'requester') \g /dev/null
SELECT changemgmt.grant_role('regress_duty', 'approver') \g /dev/null
SELECT results_eq($$SELECT duty, granted_by FROM changemgmt.role_duty WHERE role_name = 'regress_duty' ORDER BY id$$,
	format($$VALUES ('requester', %1$L), ('approver', %1$L)$$, current_user), 'duties granted are on record');
SELECT changemgmt.revoke_role('regress_duty', 'requester') \g /dev/null
SELECT results_eq($$SELECT event, coalesce(changed -> 'duty' ->> 1, changed -> 'duty' ->> 0) FROM changemgmt.ledger
		WHERE subject_kind = 'role_duty' ORDER BY recorded_at$$,
	$$VALUES ('create', 'requester'), ('create', 'approver'), ('delete', 'requester')$$, 'and so are those taken away');

-- Nothing is wrong with these chains

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'and every chain is whole');
SELECT is((SELECT count(DISTINCT subject_kind) FROM changemgmt.ledger), 25::bigint, 'all kinds were there');

-- No way round

SELECT throws_ok(format('TRUNCATE changemgmt.%I CASCADE', t), 'MC006', NULL, format('%s is not truncated', t))
FROM unnest(ARRAY['risk_model',
	'site_setting', 'person', 'team', 'team_member', 'board', 'board_member', 'configuration_item',
	'ci_dependency', 'site_model', 'site_requirement', 'incident', 'incident_cause', 'incident_item', 'role_duty', 'change_window', 'approval_delegation',
		'business_calendar', 'business_hours', 'holiday', 'board_cadence', 'board_meeting', 'board_attendance', 'agenda_item', 'meeting_minute', 'duty']) AS t;
INSERT INTO changemgmt.person (login, name) VALUES ('regress_bob', 'Robert')
	ON CONFLICT (login) DO UPDATE SET name = excluded.name;
INSERT INTO changemgmt.person (login, name) VALUES ('regress_bob', 'Bobby') ON CONFLICT DO NOTHING;
MERGE INTO changemgmt.person AS p USING (VALUES ('regress_bob', 'Rob'), ('regress_cid', 'Cid')) AS v (login, name)
	ON p.login = v.login
	WHEN MATCHED THEN UPDATE SET name = v.name
	WHEN NOT MATCHED THEN INSERT (login, name) VALUES (v.login, v.name);
SELECT results_eq(format($$SELECT changed -> 'name' FROM changemgmt.ledger
		WHERE subject_kind = 'person' AND subject_id = %s ORDER BY sequence$$, :bob),
	$$VALUES ('[null, "regress_bob"]'::jsonb), ('["regress_bob", "Robert"]'), ('["Robert", "Rob"]')$$,
	'ON CONFLICT and MERGE leave what they stored');
CREATE FUNCTION pg_temp.shout() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN NEW.name := upper(NEW.name); RETURN NEW; END';
CREATE TRIGGER zzzzzz BEFORE INSERT OR UPDATE ON changemgmt.board FOR EACH ROW EXECUTE FUNCTION pg_temp.shout();
SELECT changemgmt.add_board('quiet') \g /dev/null
SELECT results_eq($$SELECT changed ->> 'name' FROM changemgmt.ledger WHERE subject_kind = 'board' ORDER BY subject_id DESC LIMIT 1$$,
	$$VALUES ('[null, "QUIET"]')$$, 'a site''s BEFORE trigger: the row as it was stored');
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'still whole');

-- Behind the triggers' back

SET LOCAL session_replication_role = replica;
UPDATE changemgmt.board_member SET seat = 'member';
DELETE FROM changemgmt.team_member WHERE person_id = :bob;
INSERT INTO changemgmt.board (name) VALUES ('forged');
SET LOCAL session_replication_role = origin;
SELECT results_eq('SELECT subject_kind COLLATE "default", subject_id IS NULL, sequence, problem FROM changemgmt.verify_ledger() ORDER BY 1',
	$$VALUES ('board', true, NULL::bigint, 'of 1 rows whose creation is not in the ledger only 0 came in by COPY'),
		('board_member', false, 2, 'the row is not what the last entry recorded'),
		('team_member', false, 1, 'the row is gone, and its deletion is not recorded')$$,
	'a seat changed, a member gone and a board forged while triggers were off are found');

-- History by COPY

COPY changemgmt.team (id, name) FROM stdin;
4711	old team
\.
SELECT results_eq($$SELECT row_count FROM changemgmt.load WHERE relation = 'team'$$, $$VALUES (1::bigint)$$,
	'COPY brings history, which is recorded as a load');
SELECT is_empty($$SELECT FROM changemgmt.ledger WHERE subject_kind = 'team' AND subject_id = 4711$$, 'not as entries');
SELECT is_empty($$SELECT * FROM changemgmt.verify_ledger('team')$$, 'which explains the row');
UPDATE changemgmt.team SET name = 'new team' WHERE id = 4711;
SELECT results_eq($$SELECT * FROM pg_temp.trail('team', 4711)$$,
	$$VALUES ('edit', '{"name": ["old team", "new team"]}'::jsonb)$$, 'from then on its trail is kept');
SELECT is_empty($$SELECT * FROM changemgmt.verify_ledger('team')$$, 'and whole');

-- A wrong import, taken out and brought again: its chain goes on

COPY changemgmt.change (id, title) FROM stdin;
770001	first import
\.
DELETE FROM changemgmt.change WHERE id = 770001;
COPY changemgmt.change (id, title) FROM stdin;
770001	second import
\.
UPDATE changemgmt.change SET title = 'edited' WHERE id = 770001;
SELECT results_eq($$SELECT sequence, event FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = 770001 ORDER BY 1$$,
	$$VALUES (1::bigint, 'delete'), (2, 'edit')$$, 'an id that comes back by COPY goes on in its chain');
SELECT is_empty($$SELECT * FROM changemgmt.verify_ledger('change', 770001)$$, 'which is whole');
DELETE FROM changemgmt.change WHERE id = 770001;
SELECT throws_ok('INSERT INTO changemgmt.change (id, title) VALUES (770001, ''again'')', 'MC006', NULL, 'a new change takes no id that was used');

-- A load of rows that have a chain explains no row without one

SELECT changemgmt.add_person(current_user::text) \g /dev/null
SELECT id AS kept FROM changemgmt.create_change('kept') \gset
CREATE TEMP TABLE saved AS SELECT * FROM changemgmt.change WHERE id = :kept;
SET LOCAL session_replication_role = replica;
DELETE FROM changemgmt.change WHERE id = :kept;
SET LOCAL session_replication_role = origin;
\copy saved TO 'saved_change.copy'
\copy changemgmt.change FROM 'saved_change.copy'
\! rm -f saved_change.copy
SELECT results_eq($$SELECT row_count, unchained_count FROM changemgmt.load WHERE relation = 'change' ORDER BY loaded_at DESC LIMIT 1$$,
	$$VALUES (1::bigint, 0::bigint)$$, 'a row that comes with its chain is told apart');
SELECT is_empty($$SELECT * FROM changemgmt.verify_ledger('change')$$, 'and whole');
SET LOCAL session_replication_role = replica;
INSERT INTO changemgmt.change (id, title) VALUES (770002, 'forged');
INSERT INTO changemgmt.change (id, title) VALUES (770003, 'forged');
INSERT INTO changemgmt.change (id, title) VALUES (770004, 'forged');
SET LOCAL session_replication_role = origin;
SELECT results_eq($$SELECT problem FROM changemgmt.verify_ledger('change')$$,
	$$VALUES ('of 3 rows whose creation is not in the ledger only 2 came in by COPY')$$, 'so that forged rows show beside restored ones');

-- An entry that constraints and triggers no longer keep whole is no crash

SELECT id AS maimed FROM changemgmt.create_change('maimed') \gset
UPDATE changemgmt.change SET title = 'edited' WHERE id = :maimed;
INSERT INTO changemgmt.team (name) VALUES ('maimed'), ('maimed too');
SET LOCAL session_replication_role = replica;
ALTER TABLE changemgmt.ledger ALTER hash DROP NOT NULL, ALTER row_digest DROP NOT NULL, ALTER actor DROP NOT NULL,
	ALTER event DROP NOT NULL, ALTER changed DROP NOT NULL, ALTER recorded_at DROP NOT NULL, DROP CONSTRAINT ledger_hash_check;
UPDATE changemgmt.ledger SET hash = NULL, row_digest = NULL
WHERE subject_kind = 'team' AND subject_id = (SELECT id FROM changemgmt.team WHERE name = 'maimed');
UPDATE changemgmt.ledger SET hash = '\x01'
WHERE subject_kind = 'team' AND subject_id = (SELECT id FROM changemgmt.team WHERE name = 'maimed too');
UPDATE changemgmt.ledger SET actor = NULL, event = NULL, changed = NULL, recorded_at = NULL WHERE subject_kind = 'change' AND subject_id = :maimed;
SET LOCAL session_replication_role = origin;
UPDATE changemgmt.team SET name = name || '!' WHERE name LIKE 'maimed%';
SELECT results_eq($$SELECT problem FROM changemgmt.verify_ledger('team') ORDER BY subject_id, sequence, problem$$,
	$$VALUES ('hash does not fit the content of the entry'), ('hash does not fit the content of the entry')$$,
	'a chain goes on from an entry without a hash, and is reported');
SELECT throws_ok(format('SELECT changemgmt.what_the_board_saw(%s)', :maimed), 'XX001', NULL, 'what was seen cannot be told from half an entry');

SELECT * FROM finish();
ROLLBACK;
