-- The tour that `make demo` plays, in a new database.  Lines that begin with
-- --- say what comes; everything else is a statement or the product's answer.
\set QUIET on
\set ON_ERROR_STOP on
\pset footer off
\pset linestyle unicode
\pset null ''

\echo
\echo '--- People, a team, a board with its seats, and what is changed'
\o /dev/null
\set ECHO queries
SET search_path = changemgmt, public;
SELECT add_person('alice', 'Alice Ashe'), add_person('bob', 'Bob Birch'),
       add_person('carol', 'Carol Cole'), add_person('dave', 'Dave Dunn'),
       add_person('erin', 'Erin Eno');
SELECT add_team('web', lead => 'bob', members => '{alice}');
SELECT add_board('cab', 'Meets on Thursdays at ten');
SELECT add_board_member('cab', 'carol', 'change_manager'),
       add_board_member('cab', 'bob', 'business_representative'),
       add_board_member('cab', 'dave', 'technical_lead'),
       add_board_member('cab', 'erin', 'security');
SELECT add_ci('shop-db', kind => 'database', tier => 1, owner => 'dave', version => '15.8'),
       add_ci('shop', tier => 1, owner => 'bob', version => '4.1', depends_on => '{shop-db}');
\set ECHO none

\echo
\echo '--- What is done often is approved once: a template'
\set ECHO queries
SELECT publish_model('renew_certificate', '{
    "base": "standard",
    "plan": {
        "category": "security", "touches_security": true, "risk_level": "low",
        "description": "Request, install and check a new certificate.",
        "justification": "The old one expires.",
        "user_impact": "None: connections move over at reload.",
        "rollback_trigger": "Clients refuse the certificate",
        "rollback_plan": "put the old one back and reload",
        "rollback_minutes": 5,
        "verification_plan": "openssl s_client shows the new date."}}');
\set ECHO none
\o

\echo
\echo '--- A standard change, in three calls'
\set ECHO queries
SET changemgmt.actor = 'alice';
SELECT number, status, next_verbs FROM create_change('Renew the certificate of the shop',
    template => 'renew_certificate', owner => 'alice', items => '{shop}',
    planned_start => now(), planned_end => now() + interval '1 hour');
SELECT number, status, next_verbs FROM advance(1, 'in_progress');
SELECT number, status, outcome FROM advance(1, 'closed', evidence => 'notAfter=Nov 30 2027');
\set ECHO none

\echo
\echo '--- A normal change needs a plan, notice and the board; a refusal names all that is missing'
\set ECHO queries
SELECT number, status, next_verbs FROM create_change('Upgrade the database of the shop',
    owner => 'dave', description => 'PostgreSQL 15 to 17 with pg_upgrade.');
SET changemgmt.actor = 'dave';
\set ON_ERROR_STOP off
SELECT * FROM plan(2);
\set ON_ERROR_STOP on
\o /dev/null
SELECT add_item(2, 'shop-db', version_after => '17.2'),
       add_risk(2, 'Other query plans', 'medium', 'high', 'The top queries were replayed on a copy'),
       edit_change(2, jsonb_build_object(
           'justification', 'Version 15 loses its support.',
           'user_impact', 'The shop is read-only for 20 minutes.',
           'risk_level', 'high', 'touches_data_integrity', true,
           'rollback_trigger', 'Checkout p99 above 2 s for 10 minutes',
           'rollback_plan', 'switch back to the old cluster, which is kept',
           'rollback_minutes', 10,
           'verification_plan', 'Smoke test of the checkout; p99 for an hour.',
           'planned_start', add_business_days(current_date, 8) + interval '2 hours',
           'planned_end', add_business_days(current_date, 8) + interval '4 hours'));
\o
SELECT number, status, next_verbs FROM advance(2, 'awaiting_approval');
\set ECHO none

\echo
\echo '--- Two of the board defer it; what they ask for is done, and it is submitted again'
\set ECHO queries
SET changemgmt.actor = 'erin';
SELECT number, status FROM defer(2, 'Has the backup been restored anywhere?');
SET changemgmt.actor = 'carol';
SELECT number, status FROM defer(2, 'As Erin says.');
SET changemgmt.actor = 'dave';
\o /dev/null
SELECT complete_task(add_task(2, 'Restore the backup on staging', 'preparation'));
SELECT submit(2);
\o
\set ON_ERROR_STOP off
SELECT * FROM approve(2);
\set ON_ERROR_STOP on
SET changemgmt.actor = 'erin';
SELECT number, status FROM approve(2);
\set ECHO none

\echo
\echo '--- A vote is for a plan: an edit makes it stale, and putting it back fresh again'
\set ECHO queries
SET changemgmt.actor = 'dave';
SELECT number, status FROM edit_change(2, '{"rollback_minutes": 60}');
SELECT voter, decision, is_fresh, changed FROM approval_state(2);
SELECT number, status FROM edit_change(2, '{"rollback_minutes": 10}');
SELECT voter, decision, is_fresh, changed FROM approval_state(2);
\set ECHO none

\echo
\echo '--- Who is away lets somebody else vote, who gives that vote instead of his own'
\set ECHO queries
SET changemgmt.actor = 'carol';
SELECT delegate_approval('bob', now(), now() + interval '1 week', 'cab', reason => 'on leave') AS delegation;
SET changemgmt.actor = 'bob';
SELECT number, status FROM vote_for(2, 'carol', 'approved');
SELECT kind, voter, voted_by, decision, is_fresh FROM approval_state(2);
SET changemgmt.actor = 'dave';
SELECT number, status FROM schedule(2);
SELECT verb, requirement, message FROM why_not(2, 'start');
\set ECHO none

\echo
\echo '--- The same change as text for a mail, and its trail'
\set ECHO queries
\t on
\pset format unaligned
SELECT change_header(2);
\pset format aligned
\t off
SELECT sequence, event, to_status AS status, actor, reason FROM ledger
WHERE subject_kind = 'change' AND subject_id = 2 AND event <> 'parts' ORDER BY sequence;
\set ECHO none

\echo
\echo '--- An emergency at night, recorded the next day'
\set ECHO queries
SET changemgmt.actor = 'bob';
SELECT number, status, next_verbs FROM declare_emergency('Restart the payment gateway',
    incident => 'INC0012345', authorised_by => 'carol', emergency_threshold => 'production_down',
    owner => 'bob', items => '{shop}',
    actual_start => date_trunc('day', now() - interval '3:12') + interval '3:12',
    actual_end => least(now(), date_trunc('day', now() - interval '3:12') + interval '3:40'));
SELECT number, status, outcome, due FROM pass(3, evidence => 'Payments go through since 03:38.');
\set ECHO none

\echo
\echo '--- It acted first and writes afterwards: what it owes, by when'
\set ECHO queries
SELECT kind, person, due_at, is_overdue FROM open_duty WHERE change_id = 3 ORDER BY due_at, duty_id;
\set ON_ERROR_STOP off
SELECT close(3);
SELECT complete_duty(duty_id) FROM open_duty WHERE change_id = 3 AND kind = 'full_record';
SELECT complete_duty(duty_id) FROM open_duty WHERE change_id = 3 AND kind = 'authoriser_confirmation';
SELECT complete_duty(duty_id, 'All well.') FROM open_duty WHERE change_id = 3 AND kind = 'independent_review';
\set ON_ERROR_STOP on
\set ECHO none
\o /dev/null
SELECT complete_duty(d.duty_id, 'Posted by the hotline.', least(c.actual_start + interval '3 minutes', now()))
FROM open_duty AS d JOIN change AS c ON c.id = d.change_id WHERE d.change_id = 3 AND d.kind = 'status_page';
SELECT edit_change(3, '{"description": "Restarted on both nodes.", "justification": "No payments.", "user_impact": "None could pay.",
    "risk_level": "medium", "rollback_trigger": "It does not come up", "rollback_plan": "Fail over", "rollback_minutes": 10}');
SELECT complete_duty(duty_id, 'The gateway hung after a failover.') FROM open_duty WHERE change_id = 3 AND kind IN ('root_cause', 'full_record');
SELECT complete_duty(duty_id, 'Restarted.') FROM open_duty WHERE change_id = 3 AND kind = 'resolution_summary';
SET changemgmt.actor = 'carol';
SELECT complete_duty(duty_id) FROM open_duty WHERE change_id = 3 AND kind = 'authoriser_confirmation';
SET changemgmt.actor = 'dave';
\o
\set ECHO queries
SELECT review_change(3, 'independent', went_well => 'Called within minutes.', went_badly => 'No update while it lasted.') AS review;
SELECT review_change(3, 'post_mortem', causes => 'A connection pool that never gives up.', lessons => 'Fail over in the daytime first.',
    actions => 'A timeout for the pool.') AS review;
SELECT number, incident, authoriser, status_page_late_minutes AS late, updates_made, updates_missed, is_confirmed, is_record_complete, open_duties, is_kept
FROM emergency_compliance WHERE change_id = 3;
SET changemgmt.actor = 'bob';
SELECT requirement, message FROM why_not(3, 'close');
\set ECHO none

\echo
\echo '--- A release whose verification fails is rolled back.  One approver here, no board'
\set ECHO queries
SELECT number, status FROM create_change('Release version 4.2 of the shop',
    model => 'lean_normal', category => 'release', items => '{shop}', owner => 'bob', team => 'web',
    description => 'The new checkout.', justification => 'Fewer clicks to pay.',
    user_impact => 'None expected.', risk_level => 'medium',
    rollback_trigger => 'More than 5 % of checkouts fail', rollback_plan => 'redeploy 4.1',
    rollback_minutes => 5, verification_plan => 'Error rate for 15 minutes.',
    planned_start => now(), planned_end => now() + interval '1 hour');
SELECT add_check(4, 'Errors in checkout', 'slo', expected => 'below 1 %') AS check \gset
\o /dev/null
SELECT advance(4, 'awaiting_approval');
SET changemgmt.actor = 'dave';
SELECT approve(4);
\o
SET changemgmt.actor = 'bob';
SELECT number, status FROM advance(4, 'verifying');
SELECT record_check(:check, false, '7.3 %') AS passed;
\set ON_ERROR_STOP off
SELECT * FROM pass(4);
\set ON_ERROR_STOP on
SELECT number, status, outcome, next_verbs FROM roll_back(4, 'Errors in checkout at 7.3 %', 'testing');
\o /dev/null
SELECT confirm_stability(4);
\o
SELECT number, status, outcome FROM close(4);
\set ECHO none

\echo
\echo '--- More work for the board'
\set ECHO queries
\o /dev/null
SET changemgmt.actor = 'dave';
SELECT a.* FROM copy_change(2, 'Move the database to new storage') AS c,
    edit_change(c.id, jsonb_build_object('risk_level', 'medium', 'touches_data_integrity', false,
        'planned_start', add_business_days(current_date, 9) + interval '2 hours',
        'planned_end', add_business_days(current_date, 9) + interval '4 hours')) AS e,
    advance(e.id, 'awaiting_approval') AS a;
SELECT a.* FROM copy_change(2, 'Partition the table of orders') AS c,
    edit_change(c.id, jsonb_build_object(
        'planned_start', add_business_days(current_date, 14) + interval '2 hours',
        'planned_end', add_business_days(current_date, 14) + interval '4 hours')) AS e,
    advance(e.id, 'awaiting_approval') AS a;
SET changemgmt.actor = 'carol';
SELECT approve(6);
\o
\set ECHO none

\echo
\echo '--- Nights when work is allowed, a freeze when it is not; a time is refused, and better ones offered'
\set ECHO queries
SET changemgmt.actor = 'carol';
\o /dev/null
SELECT add_ci('billing', tier => 2, owner => 'dave');
SELECT add_maintenance_window('nights of billing', ci => 'billing',
    recurrence => 'DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH');
SELECT declare_blackout('closing of the books', ci => 'billing', reason => 'Invoices are written.',
    starts_at => date_trunc('week', now()) + interval '8 days 12 hours',
    ends_at => date_trunc('week', now()) + interval '12 days');
SET changemgmt.actor = 'alice';
SELECT advance(c.id, 'approved') FROM create_change('Renew the certificate of billing',
    template => 'renew_certificate', owner => 'alice', items => '{billing}',
    planned_start => date_trunc('week', now()) + interval '10 days 1 hour',
    planned_end => date_trunc('week', now()) + interval '10 days 2 hours') AS c;
\o
\set ON_ERROR_STOP off
SELECT * FROM schedule(7);
\set ON_ERROR_STOP on
SELECT is_open, reason, until FROM window_state('billing', date_trunc('week', now()) + interval '10 days 1 hour');
SELECT starts_at, ends_at, free_until FROM suggest_windows(7);
SELECT starts_at AS slot_start, ends_at AS slot_end FROM suggest_windows(7, 1) \gset
SELECT number, status FROM schedule(7, :'slot_start', :'slot_end');
\set ECHO none

\echo
\echo '--- Nobody else gets this time; what is free is known at once'
\set ECHO queries
SET changemgmt.actor = 'bob';
\o /dev/null
SELECT advance(c.id, 'approved') FROM create_change('Renew the certificate of the invoice printer',
    template => 'renew_certificate', owner => 'bob', items => '{billing}',
    planned_start => :'slot_start', planned_end => :'slot_end') AS c;
\o
\set ON_ERROR_STOP off
SELECT * FROM schedule(8);
\set ON_ERROR_STOP on
SELECT starts_at, ends_at FROM next_windows('billing', '1 hour');
SELECT number, title, starts_at, is_booked FROM change_schedule ORDER BY starts_at LIMIT 3;
\set ECHO none

\echo
\echo '--- Which change did it?  Monitoring tells what broke; suspects are ranked, a person confirms, and what was learned becomes work'
\set ECHO queries
\o /dev/null
SET changemgmt.actor = 'carol';
SELECT record_incident('INC0012345', 'Nobody can pay', severity => 1, kind => 'outage', items => '{shop}',
    began_at => c.actual_start - interval '10 minutes', detected_at => c.actual_start - interval '6 minutes', outage_minutes => 38)
FROM change AS c WHERE c.id = 3;
SELECT record_unauthorized('Index dropped by hand', found_by => 'The log of the database.', owner => 'dave', implementer => 'dave', items => '{shop-db}',
    actual_start => c.actual_start - interval '40 minutes', actual_end => c.actual_start - interval '35 minutes')
FROM change AS c WHERE c.id = 3;
\o
SELECT number, title, round(score::numeric, 2) AS score, reason FROM suspect_changes('INC0012345', 2);
SELECT confirm_cause('INC0012345', change_id) FROM suspect_changes('INC0012345', 1);
SELECT reference, number, title, status, decided_by, minutes_between FROM incident_change WHERE reference = 'INC0012345';
SELECT number, found_by, round(recorded_after_hours::numeric, 1) AS recorded_after_hours, open_duties FROM unauthorized_change;
SELECT number, status FROM create_follow_up(3, 'A timeout for the pool of connections');
\set ECHO none

\echo
\echo '--- A year of history comes in by COPY (test/demo/history.sql)'
\ir history.sql
\set ECHO queries
SELECT relation, row_count, session_role FROM load ORDER BY loaded_at;
\set ECHO none

\echo
\echo '--- What the board has to decide, the riskiest first'
\set ECHO queries
SELECT place, number, title, risk_score AS score, computed_risk_level AS level, planned_start::date AS start,
       notice_kept AS notice, missing
FROM cab_queue ORDER BY place;
SELECT factor, value, weight, points, sentence FROM risk_explain(6) WHERE points > 5 ORDER BY points DESC, factor;
\set ECHO none

\echo
\echo '--- The board meets about what needs talking; its minutes say what its votes came to'
\set ECHO queries
SET changemgmt.actor = 'carol';
\o /dev/null
SELECT set_board_cadence('cab', 'weekly', quorum => 3, first_start => date_trunc('hour', now()) + interval '1 hour');
SELECT plan_meetings('cab', now() + interval '1 month');
\o
SELECT place, number, title, recommendation_reason AS why FROM board_agenda ORDER BY place;
SELECT id AS meeting FROM next_meeting('cab') \gset
SELECT members, quorum, is_quorate FROM hold_meeting(:meeting, '{carol,bob,erin}');
SET changemgmt.actor = 'erin';
SELECT number, status FROM approve(6, 'As long as the old table stays for a week.');
\o /dev/null
SELECT record_minute(:meeting, 6, 'Partitions are filled beside the table, then swapped.');
SELECT close_meeting(:meeting);
\o
SELECT item, number, decision, votes, discussion FROM board_minutes WHERE meeting_id = :meeting;
\set ECHO none

\echo
\echo '--- The months: a rate never stands without its counts and its 95 % interval'
\set ECHO queries
SELECT to_char(month, 'YYYY-MM') AS month, changes, failed, decided,
       round(change_failure_rate::numeric, 3) AS failure_rate,
       round(change_failure_rate_low::numeric, 3) AS low, round(change_failure_rate_high::numeric, 3) AS high,
       rolled_back AS back, round((time_to_rollback_median_seconds / 60)::numeric) AS minutes,
       is_provisional AS provisional
FROM monthly_metrics ORDER BY month;
\set ECHO none

\echo
\echo '--- What the auditor asks: who did what, on what, and was it altered afterwards?'
\set ECHO queries
SELECT decided_by, voted_for, decision, plan_revision AS plan, record ->> 'title' AS decided_on,
       record ->> 'rollback_minutes' AS rollback
FROM what_the_board_saw(2) WHERE kind = 'vote' ORDER BY sequence;
SELECT subjects, entries, left(root, 16) || ' ...' AS keep_this_outside FROM ledger_checkpoint();
\set ECHO none
\echo
\echo 'Somebody who owns the server switches the rules off and makes a failure a success:'
\set ECHO queries
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE change SET outcome = 'successful' WHERE id = 4;
SET LOCAL session_replication_role = origin;
SELECT subject_kind, subject_id, sequence, problem FROM verify_ledger();
ROLLBACK;
SELECT count(*) AS problems_in_the_ledger FROM verify_ledger();
SELECT count(*) AS not_as_it_should_be FROM doctor();
\set ECHO none
