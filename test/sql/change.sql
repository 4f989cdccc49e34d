--
-- change: what one sees who makes the usual mistakes
--
-- Ids are in the answers, so they are made the same in every database; all of
-- it is rolled back.
\set SHOW_CONTEXT never
SELECT last_value AS ids, is_called FROM changemgmt.change_id_seq \gset
BEGIN;
\set ON_ERROR_ROLLBACK on
SELECT setval('changemgmt.change_id_seq', 770000) \g /dev/null
SET LOCAL TimeZone = 'UTC';
SET LOCAL changemgmt.actor = 'regress_ada';
SELECT changemgmt.add_person('regress_ada', 'Ada'), changemgmt.add_person('regress_bob', 'Bob'),
	changemgmt.add_team('regress_dba', lead => 'regress_bob'),
	changemgmt.add_ci('regress_db', kind => 'database', version => '15.4'),
	changemgmt.add_ci('regress_web') \g /dev/null

-- a request, with one mistake after the other
SELECT * FROM changemgmt.create_change('', model => 'lean_normal');
SELECT * FROM changemgmt.create_change('Upgrade', model => 'lean_normall');
SELECT * FROM changemgmt.create_change('Upgrade', owner => 'regress_dba');
SELECT * FROM changemgmt.create_change('Upgrade', owner => 'regress_adda');
SELECT * FROM changemgmt.create_change('Upgrade', priority => 'urgent');
SELECT * FROM changemgmt.create_change('Upgrade', items => '{regress_dbs}');
SELECT * FROM changemgmt.create_change('Upgrade', rollback_minutes => -5);
SELECT * FROM changemgmt.create_change('Upgrade',
	planned_start => '2031-01-01 04:00', planned_end => '2031-01-01 02:00');
SELECT * FROM changemgmt.create_change_from('{"title": "Upgrade", "onwer": "regress_ada"}');

-- now it is right
SELECT setval('changemgmt.change_id_seq', 770000) \g /dev/null
SELECT * FROM changemgmt.create_change('Upgrade', model => 'lean_normal',
	owner => 'regress_ada', team => 'regress_dba', items => '{regress_db}');
SELECT changemgmt.change_id('CHG0770001') AS id \gset

-- what is missing, all at once
SELECT status FROM changemgmt.plan(:id);
SELECT * FROM changemgmt.why_not(:id, 'plan');
SELECT * FROM changemgmt.next_steps(:id);
SELECT status FROM changemgmt.start(:id);
SELECT status FROM changemgmt.submit(NULL);
SELECT status FROM changemgmt.submit(770099);
SELECT changemgmt.change_id('CHG-770001');

-- the plan, and an edit of what has moved on
SELECT status, revision FROM changemgmt.edit_change(:id, '{
	"description": "15.4 to 15.5", "justification": "CVE", "user_impact": "read-only for 5 minutes",
	"risk_level": "medium", "rollback_trigger": "errors above 5 %", "rollback_plan": "reinstall 15.4",
	"rollback_minutes": 10, "verification_plan": "smoke tests",
	"planned_start": "2031-01-01T02:00:00Z", "planned_end": "2031-01-01T04:00:00Z"}');
SELECT status FROM changemgmt.edit_change(:id, '{"title": "Other"}', expected_revision => 1);
SELECT status FROM changemgmt.edit_change(:id, '{"status": "approved"}');
UPDATE changemgmt.change SET status = 'approved' WHERE id = :id;
SELECT changemgmt.add_task(:id, 'pg_upgrade') AS task \gset
SELECT status FROM changemgmt.plan(:id);
SELECT status FROM changemgmt.plan(:id);
SELECT status FROM changemgmt.submit(:id);

-- approvals
SELECT status FROM changemgmt.approve(:id);
SELECT missing FROM changemgmt.approval_tally(:id);
UPDATE changemgmt.change SET status = 'approved' WHERE id = :id;
SET LOCAL changemgmt.actor = 'regress_bob';
SELECT status FROM changemgmt.reject(:id);
SELECT status FROM changemgmt.approve(:id);
SELECT status FROM changemgmt.reject(:id, 'changed my mind');
SELECT changemgmt.waive(:id, 'notice', 'no time');
SET LOCAL changemgmt.actor = 'regress_ada';
SELECT status FROM changemgmt.edit_change(:id, '{"rollback_plan": "none"}');
SELECT status FROM changemgmt.start(:id);
SELECT status FROM changemgmt.edit_change(:id, '{"rollback_plan": "reinstall 15.4"}');
SELECT status FROM changemgmt.start(:id);

-- at work
SELECT status FROM changemgmt.edit_change(:id, '{"rollback_plan": "none"}');
SELECT changemgmt.add_item(:id, 'regress_web');
SELECT status FROM changemgmt.complete(:id);
SELECT changemgmt.skip_task(:task, ' ');
SELECT changemgmt.complete_task(:task);
SELECT status FROM changemgmt.complete(:id);
SELECT status FROM changemgmt.pass(:id);
SELECT status FROM changemgmt.roll_back(:id);
SELECT status FROM changemgmt.roll_back(:id, 'errors', 'bad luck');
DELETE FROM changemgmt.change WHERE id = :id;
SELECT status FROM changemgmt.pass(:id, 'smoke tests are green');
SELECT status FROM changemgmt.close(:id);
SELECT status FROM changemgmt.close(:id);
SELECT status FROM changemgmt.roll_back(:id, 'too late', 'human');
SELECT regexp_replace(changemgmt.change_header(:id), 'approved .* UTC', 'approved at its time') AS change_header;

-- emergencies
SELECT status FROM changemgmt.declare_emergency('Failover', NULL, NULL, NULL);
SELECT status FROM changemgmt.declare_emergency('Failover', 'INC1', 'regress_bob', 'panic');

-- history, brought by somebody who may insert, but does not own the table (psql
-- 15.18 runs the rows that follow a refused COPY as SQL, so there are none)
CREATE ROLE regress_change_app;
GRANT USAGE ON SCHEMA changemgmt TO regress_change_app;
GRANT SELECT, INSERT ON changemgmt.change TO regress_change_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA changemgmt TO regress_change_app;
SET LOCAL ROLE regress_change_app;
\copy changemgmt.change (id, title, status) FROM /dev/null
RESET ROLE;

ROLLBACK;
\set ON_ERROR_ROLLBACK off
SELECT setval('changemgmt.change_id_seq', :ids, :'is_called') \g /dev/null
