-- What a user sees when incidents are recorded, and when a month is restated.
SET search_path = changemgmt, public;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
BEGIN;
SELECT add_person('regress_ann') AS ann, add_ci('regress shop') AS shop \g /dev/null
SET LOCAL changemgmt.actor = 'regress_ann';
SELECT record_incident('INC-1', 'Payments fail', severity => 1, kind => 'outage',
    began_at => '2024-04-03 12:00', items => '{regress shop}') > 0 AS recorded;
SAVEPOINT s;
SELECT record_incident('INC-1', severity => 2, began_at => '2024-04-03 12:10');
ROLLBACK TO s;
SELECT record_incident('INC-2', kind => 'fire');
ROLLBACK TO s;
SELECT record_incident('INC-2', began_at => '2024-04-03 12:00', resolved_at => '2024-04-03 11:00');
ROLLBACK TO s;
INSERT INTO incident (reference, began_at) VALUES ('INC-2', now() + interval '1 day');
ROLLBACK TO s;
SELECT resolve_incident('INC-1', '2024-04-03 13:00', 60);
SAVEPOINT s;
SELECT resolve_incident('INC-1', '2024-04-03 14:00');
ROLLBACK TO s;
SELECT reopen_incident('INC-1', NULL);
ROLLBACK TO s;
SELECT reopen_incident('INC-1', 'again');
SELECT resolve_incident('INC-1', '2024-04-03 14:00');
ROLLBACK TO s;
SELECT resolve_incident('INC-404');
ROLLBACK TO s;

-- a month that was over
SELECT number FROM record_unauthorized('Index dropped', 'the log', '2024-04-01', '2024-04-02', items => '{regress shop}');
SELECT suspect_cause('INC-1', id, 'Its index is missing.') FROM change WHERE title = 'Index dropped';
SELECT confirm_cause('INC-1', id) FROM change WHERE title = 'Index dropped';
SELECT confirm_cause('INC-1', id) FROM change WHERE title = 'Index dropped';
SELECT confirm_cause('INC-1', id, confirmed => false) FROM change WHERE title = 'Index dropped';
INSERT INTO incident (reference) VALUES ('INC-3');
UPDATE incident_cause SET status = 'confirmed';
SAVEPOINT t;
UPDATE incident_cause SET status = 'suspected';
ROLLBACK TO t;
DELETE FROM incident_cause;
ROLLBACK TO t;
UPDATE incident SET began_at = '2024-03-31' WHERE reference = 'INC-1';
ROLLBACK TO t;
SELECT merge_incident('INC-3', 'INC-1', '');
ROLLBACK TO t;
-- moved along, it is no other word on it
SELECT merge_incident('INC-1', 'INC-3', 'the same');
SELECT merge_incident('INC-3', 'INC-1', 'the other way round');
ROLLBACK TO t;
ROLLBACK;
