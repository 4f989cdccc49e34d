-- metrics: change_fact and monthly_metrics against answers worked out by hand.
-- All rows come in by COPY, the door for history.
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'America/New_York';
SET LOCAL datestyle = 'ISO, YMD';

-- One test a cell, so that a failure names the column.
CREATE FUNCTION pg_temp.month_is(month date, wanted jsonb) RETURNS SETOF text
	LANGUAGE plpgsql AS $$
DECLARE
	found jsonb;
	pair record;
BEGIN
	SELECT to_jsonb(m) INTO found FROM changemgmt.monthly_metrics AS m
		WHERE m.month = month_is.month;
	FOR pair IN SELECT * FROM jsonb_each(wanted) LOOP
		IF NOT coalesce(found, '{}') ? pair.key THEN
			RETURN NEXT fail(format('%s has no %s', month, pair.key));
		ELSIF jsonb_typeof(pair.value) = 'number'
			  AND jsonb_typeof(found -> pair.key) = 'number' THEN
			RETURN NEXT ok(abs((found ->> pair.key)::float8 - pair.value::float8)
						   <= 1e-12 * greatest(1, abs(pair.value::float8)),
						   format('%s: %s is %s', month, pair.key, pair.value));
		ELSE
			RETURN NEXT is(found -> pair.key, pair.value,
						   format('%s: %s', month, pair.key));
		END IF;
	END LOOP;
END
$$;

-- What BI tools need.
SELECT is_empty($$
	SELECT attrelid::regclass, attname, format_type(atttypid, atttypmod)
	FROM pg_attribute
	WHERE attrelid IN ('changemgmt.change_fact'::regclass,
					   'changemgmt.monthly_metrics'::regclass)
	  AND attnum > 0
	  AND (atttypid NOT IN ('text'::regtype, 'bigint'::regtype,
							'integer'::regtype, 'boolean'::regtype,
							'date'::regtype, 'timestamptz'::regtype,
							'float8'::regtype)
		   OR coalesce(col_description(attrelid, attnum), '') = '')$$,
	'every column has a plain type and a comment');
SELECT is((SELECT reloptions FROM pg_class WHERE oid = 'changemgmt.change_fact'::regclass),
		  '{security_barrier=true}', 'change_fact lets nobody look past its condition');

-- Nothing there yet: the current month, with nothing to say.
SELECT results_eq('
	SELECT month, is_complete, is_provisional, changes, failed,
		   change_failure_rate, change_failure_rate_low
	FROM changemgmt.monthly_metrics',
	$$SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date, false, false,
			 0::bigint, 0::bigint, NULL::float8, NULL::float8$$,
	'an empty database has a row for the current month, with null rates');

COPY changemgmt.incident (id, reference, resolved_at, outage_minutes)
	FROM stdin WITH (FORMAT csv);
1,INC1,2024-01-03 13:00Z,10
2,INC2,2024-01-03 14:00Z,20
3,INC3,2024-01-03 15:00Z,
4,INC4,2024-01-04 15:00Z,5
5,INC5,,7
6,INC6,2024-02-05 14:00Z,30
7,INC7,2024-02-05 15:00Z,12
8,INC8,2024-04-10 15:00Z,3
9,INC9,2024-09-03 11:00Z,
10,INC10,2024-09-03 13:00Z,
11,INC11,2024-09-04 10:45Z,
12,INC12,,
13,INC13,2025-01-03 10:00Z,60
\.

-- January 2024: 23 changes. 101 failed, 102 was rolled back, 103 caused three
-- incidents, 104 was remediated and backed out and caused an incident; what 107
-- and 108 are suspected of was not confirmed.
-- February: ten deployments, two incidents on one of them. March: nothing.
COPY changemgmt.change
	(id, title, status, outcome, actual_start, deployed_at, actual_end)
	FROM stdin WITH (FORMAT csv);
101,Change 101,closed,failed,2024-01-01 12:00Z,2024-01-01 12:00Z,2024-01-01 12:00Z
102,Change 102,closed,rolled_back,2024-01-02 12:00Z,2024-01-02 12:00Z,2024-01-02 12:00Z
103,Change 103,closed,successful,2024-01-03 12:00Z,2024-01-03 12:00Z,2024-01-03 12:00Z
104,Change 104,closed,successful,2024-01-04 12:00Z,2024-01-04 12:00Z,2024-01-04 12:00Z
105,Change 105,closed,successful_with_issues,2024-01-05 12:00Z,2024-01-05 12:00Z,2024-01-05 12:00Z
106,Change 106,closed,successful_with_issues,2024-01-06 12:00Z,2024-01-06 12:00Z,2024-01-06 12:00Z
107,Change 107,closed,successful,2024-01-07 12:00Z,2024-01-07 12:00Z,2024-01-07 12:00Z
108,Change 108,closed,successful,2024-01-08 12:00Z,2024-01-08 12:00Z,2024-01-08 12:00Z
109,Change 109,closed,successful,2024-01-09 12:00Z,2024-01-09 12:00Z,2024-01-09 12:00Z
110,Change 110,closed,successful,2024-01-10 12:00Z,2024-01-10 12:00Z,2024-01-10 12:00Z
111,Change 111,closed,successful,2024-01-11 12:00Z,2024-01-11 12:00Z,2024-01-11 12:00Z
112,Change 112,closed,successful,2024-01-12 12:00Z,2024-01-12 12:00Z,2024-01-12 12:00Z
113,Change 113,closed,successful,2024-01-13 12:00Z,2024-01-13 12:00Z,2024-01-13 12:00Z
114,Change 114,closed,successful,2024-01-14 12:00Z,2024-01-14 12:00Z,2024-01-14 12:00Z
115,Change 115,closed,successful,2024-01-15 12:00Z,2024-01-15 12:00Z,2024-01-15 12:00Z
116,Change 116,closed,successful,2024-01-16 12:00Z,2024-01-16 12:00Z,2024-01-16 12:00Z
117,Change 117,closed,successful,2024-01-17 12:00Z,2024-01-17 12:00Z,2024-01-17 12:00Z
118,Change 118,closed,successful,2024-01-18 12:00Z,2024-01-18 12:00Z,2024-01-18 12:00Z
119,Change 119,closed,successful,2024-01-19 12:00Z,2024-01-19 12:00Z,2024-01-19 12:00Z
120,Change 120,closed,successful,2024-01-20 12:00Z,2024-01-20 12:00Z,2024-01-20 12:00Z
121,Change 121,closed,successful,2024-01-21 12:00Z,2024-01-21 12:00Z,2024-01-21 12:00Z
122,Change 122,closed,successful,2024-01-22 12:00Z,2024-01-22 12:00Z,2024-01-22 12:00Z
123,Change 123,closed,successful,2024-01-23 12:00Z,2024-01-23 12:00Z,2024-01-23 12:00Z
201,Change 201,closed,successful,2024-02-01 12:00Z,2024-02-01 12:00Z,2024-02-01 12:00Z
202,Change 202,closed,successful,2024-02-02 12:00Z,2024-02-02 12:00Z,2024-02-02 12:00Z
203,Change 203,closed,successful,2024-02-03 12:00Z,2024-02-03 12:00Z,2024-02-03 12:00Z
204,Change 204,closed,successful,2024-02-04 12:00Z,2024-02-04 12:00Z,2024-02-04 12:00Z
205,Change 205,closed,successful,2024-02-05 12:00Z,2024-02-05 12:00Z,2024-02-05 12:00Z
206,Change 206,closed,successful,2024-02-06 12:00Z,2024-02-06 12:00Z,2024-02-06 12:00Z
207,Change 207,closed,successful,2024-02-07 12:00Z,2024-02-07 12:00Z,2024-02-07 12:00Z
208,Change 208,closed,successful,2024-02-08 12:00Z,2024-02-08 12:00Z,2024-02-08 12:00Z
209,Change 209,closed,successful,2024-02-09 12:00Z,2024-02-09 12:00Z,2024-02-09 12:00Z
210,Change 210,closed,successful,2024-02-10 12:00Z,2024-02-10 12:00Z,2024-02-10 12:00Z
\.

-- April: 401 has no outcome yet, but an incident; 404 to 407 are not counted.
COPY changemgmt.change
	(id, title, environment, status, outcome, actual_start, actual_end)
	FROM stdin WITH (FORMAT csv);
401,Pending,production,verifying,,2024-04-10 12:00Z,2024-04-10 12:00Z
402,Successful,production,closed,successful,2024-04-11 12:00Z,2024-04-11 12:00Z
403,Rolled back,production,closed,rolled_back,2024-04-12 12:00Z,2024-04-12 12:00Z
404,Staging,staging,closed,failed,2024-04-13 12:00Z,2024-04-13 12:00Z
405,Not implemented,production,cancelled,not_implemented,2024-04-14 12:00Z,2024-04-14 12:00Z
406,Without a start,production,closed,failed,,2024-04-15 12:00Z
407,Draft,production,draft,,,
\.

-- May: the last moments of the month, in UTC and in Berlin (two hours ahead).
COPY changemgmt.change (id, title, status, outcome, actual_start, actual_end)
	FROM stdin WITH (FORMAT csv);
501,Half past eleven,closed,successful,2024-05-31 23:00Z,2024-05-31 23:30Z
502,The last of May in Berlin,closed,successful,2024-05-31 21:00Z,2024-05-31 21:59:59.999999Z
503,The first of June in Berlin,closed,successful,2024-05-31 21:00Z,2024-05-31 22:00Z
\.

-- July: 701 was rolled back 5 days later, which took 30 minutes instead of 20;
-- of 702 nothing was ever complete; 703 took an hour; 704 has times that cannot
-- be.
COPY changemgmt.change
	(id, title, status, outcome, rollback_minutes, actual_start, deployed_at,
	 actual_end, rollback_started_at, rolled_back_at)
	FROM stdin WITH (FORMAT csv);
701,Five days,closed,rolled_back,20,2024-07-30 09:00Z,2024-07-30 10:00Z,2024-07-30 10:00Z,2024-08-04 09:30Z,2024-08-04 10:00Z
702,Never complete,closed,rolled_back,10,2024-07-10 11:00Z,,2024-07-10 12:00Z,2024-07-10 12:00Z,2024-07-10 12:10Z
703,An hour,closed,rolled_back,,2024-07-11 11:00Z,2024-07-11 12:00Z,2024-07-11 12:00Z,,2024-07-11 13:00Z
704,Before it was deployed,closed,rolled_back,,2024-07-12 11:00Z,2024-07-12 12:00Z,2024-07-12 12:00Z,,2024-07-12 11:00Z
\.

-- September: 901 was fixed forward; 902 caused two incidents, resolved at 11:00
-- and 13:00; 903 one that was resolved 15 minutes after the rollback; the one of
-- 904 is open; 905 recovered before it was complete; of 906 nothing is known;
-- 907 did not fail.
COPY changemgmt.change
	(id, title, status, outcome, actual_start, deployed_at, actual_end,
	 rolled_back_at, recovered_at)
	FROM stdin WITH (FORMAT csv);
901,Fixed forward,closed,failed,2024-09-02 09:00Z,2024-09-02 10:00Z,2024-09-02 10:00Z,,2024-09-02 12:30Z
902,Two incidents,closed,successful,2024-09-03 09:00Z,2024-09-03 10:00Z,2024-09-03 10:00Z,,
903,Rolled back,closed,rolled_back,2024-09-04 09:00Z,2024-09-04 10:00Z,2024-09-04 10:00Z,2024-09-04 10:30Z,
904,Still broken,closed,rolled_back,2024-09-05 09:00Z,2024-09-05 10:00Z,2024-09-05 10:00Z,2024-09-05 10:30Z,
905,Recovered early,closed,failed,2024-09-06 09:00Z,2024-09-06 10:00Z,2024-09-06 10:00Z,,2024-09-06 09:50Z
906,Nothing known,closed,failed,2024-09-07 09:00Z,,2024-09-07 10:00Z,,
907,Did not fail,closed,successful,2024-09-08 09:00Z,2024-09-08 10:00Z,2024-09-08 10:00Z,,2024-09-08 10:30Z
\.

-- October: lead times of a day (1001), two days from the first of its commits
-- (1002), an hour (1006); 1003 was recorded afterwards, 1004 nobody knows when,
-- 1005 was never complete. Notice of 7 days, of -1 hour, of 30 minutes.
COPY changemgmt.change
	(id, title, type, status, outcome, created_at, first_submitted_at,
	 planned_start, planned_end, actual_start, deployed_at, actual_end,
	 submitted_at, approved_at)
	FROM stdin WITH (FORMAT csv);
1001,A day,normal,closed,successful,2024-10-01 00:00Z,2024-10-03 00:00Z,2024-10-10 00:00Z,2024-10-10 01:00Z,2024-10-02 00:00Z,2024-10-02 00:00Z,2024-10-02 00:00Z,2024-10-01 00:00Z,2024-10-01 06:00Z
1002,Two days,normal,closed,successful,2024-10-02 00:00Z,2024-10-02 01:00Z,2024-10-02 00:00Z,2024-10-02 13:00Z,2024-10-02 12:00Z,2024-10-02 12:00Z,2024-10-02 12:00Z,2024-10-02 00:00Z,2024-10-02 00:00Z
1003,Recorded afterwards,latent,closed,successful,2024-10-04 00:00Z,,,,2024-10-03 12:00Z,2024-10-03 12:00Z,2024-10-03 12:00Z,,
1004,Nobody knows,normal,closed,successful,-infinity,infinity,,,2024-10-05 12:00Z,2024-10-05 12:00Z,2024-10-05 12:00Z,2024-10-05 00:00Z,2024-10-05 00:30Z
1005,Never complete,normal,closed,successful,2024-10-06 11:00Z,,,,2024-10-06 12:00Z,,2024-10-06 12:00Z,2024-10-06 10:00Z,2024-10-06 11:00Z
1006,An hour,normal,closed,successful,2024-10-07 11:00Z,2024-10-07 11:30Z,2024-10-07 12:00Z,2024-10-07 12:01Z,2024-10-07 12:00Z,2024-10-07 12:00Z,2024-10-07 12:00Z,2024-10-07 11:00Z,2024-10-07 10:00Z
\.

-- November: duration, window and kind. 1107 answers an incident, 1109 and 1110
-- resolve one by a link; 1111 answers one too, but was planned; 1112 was
-- unplanned, but answers nothing.
COPY changemgmt.change
	(id, title, type, status, outcome, unplanned, incident_id,
	 estimated_minutes, planned_start, planned_end, actual_start, actual_end)
	FROM stdin WITH (FORMAT csv);
1101,20 % longer,standard,closed,successful,false,,60,2024-11-05 10:00Z,2024-11-05 12:00Z,2024-11-05 10:00Z,2024-11-05 11:12Z
1102,More,standard,closed,successful,false,,60,2024-11-05 10:00Z,2024-11-05 12:00Z,2024-11-05 10:00Z,2024-11-05 11:13Z
1103,Less,standard,closed,successful,false,,60,2024-11-05 10:00Z,2024-11-05 12:00Z,2024-11-05 10:00Z,2024-11-05 10:47Z
1104,The whole window,normal,closed,successful,false,,,2024-11-05 10:00Z,2024-11-05 12:00Z,2024-11-05 10:00Z,2024-11-05 12:00Z
1105,A second too long,normal,closed,successful,false,,0,2024-11-05 10:00Z,2024-11-05 12:00Z,2024-11-05 11:00Z,2024-11-05 12:00:01Z
1106,A minute too early,normal,closed,successful,false,,,2024-11-05 10:00Z,2024-11-05 12:00Z,2024-11-05 09:59Z,2024-11-05 10:30Z
1107,Answers an incident,emergency,closed,successful,false,1,,,,2024-11-06 09:00Z,2024-11-06 10:00Z
1108,Answers none,emergency,closed,successful,false,,,,,2024-11-07 09:00Z,2024-11-07 10:00Z
1109,Unauthorized,latent,closed,successful,false,,,,,2024-11-08 09:00Z,2024-11-08 10:00Z
1110,Unplanned,normal,closed,successful,true,,,,,2024-11-09 09:00Z,2024-11-09 10:00Z
1111,Planned answer,normal,closed,successful,false,2,,,,2024-11-10 09:00Z,2024-11-10 10:00Z
1112,Unplanned for nothing,normal,closed,successful,true,,,,,2024-11-11 09:00Z,2024-11-11 10:00Z
\.

-- December and January: one incident with causes in both, and in staging.
-- Then a confidential change of yesterday.
COPY changemgmt.change
	(id, title, environment, status, outcome, confidential, actual_start, actual_end)
	FROM stdin WITH (FORMAT csv);
1201,First cause,production,closed,successful,false,2024-12-31 09:00Z,2024-12-31 10:00Z
1202,Last cause,production,closed,successful,false,2025-01-01 09:00Z,2025-01-01 10:00Z
1203,Second cause,production,closed,successful,false,2025-01-01 08:00Z,2025-01-01 09:00Z
1204,Cause in staging,staging,closed,successful,false,2025-02-02 09:00Z,2025-02-02 10:00Z
1301,Secret,production,closed,successful,true,yesterday,yesterday
\.

COPY changemgmt.incident_cause (incident_id, change_id, status)
	FROM stdin WITH (FORMAT csv);
1,103,confirmed
2,103,confirmed
3,103,confirmed
4,104,confirmed
5,107,suspected
5,108,dismissed
6,205,confirmed
7,205,confirmed
8,401,confirmed
9,902,confirmed
10,902,confirmed
11,903,confirmed
12,904,confirmed
13,1201,confirmed
13,1202,confirmed
13,1203,confirmed
13,1204,confirmed
\.

COPY changemgmt.change_link
	(change_id, relation, target_change_id, target, occurred_at)
	FROM stdin WITH (FORMAT csv);
105,remediates,104,,
106,backs_out,104,,
106,depends_on,109,,
107,caused,110,,
1002,commit,,c0ffee1,2024-09-30 12:00Z
1002,commit,,c0ffee2,2024-10-01 06:00Z
1002,commit,,c0ffee3,-infinity
1002,commit,,c0ffee4,
1002,ticket,,T-1,2024-01-01 00:00Z
1109,resolves,,INC77,
1110,resolves,,INC78,
\.

COPY changemgmt.change_waiver (change_id, requirement, reason)
	FROM stdin WITH (FORMAT csv);
1101,notice,late
1101,in_window,night
1102,notice,late
404,notice,late
\.

-- Four failed of 23, however many incidents they caused.
SELECT pg_temp.month_is('2024-01-01', '{
	"changes": 23, "pending": 0, "decided": 23,
	"failed": 4, "change_failure_rate": 0.17391304347826086,
	"change_failure_rate_low": 0.0697865356306257,
	"change_failure_rate_high": 0.37137647640226135,
	"successful": 17, "success_rate": 0.7391304347826086,
	"with_issues": 2, "with_issues_rate": 0.08695652173913043,
	"rolled_back": 1, "rollback_rate": 0.043478260869565216,
	"failed_otherwise": 3, "failed_otherwise_rate": 0.13043478260869565,
	"incidents_caused": 4, "outage_minutes": 35,
	"is_complete": true, "is_provisional": false}');
SELECT is((SELECT round(change_failure_rate::numeric, 4)
		   FROM changemgmt.monthly_metrics WHERE month = '2024-01-01'),
		  0.1739, 'four failed of 23 is 0.1739');
SELECT results_eq('
	SELECT change_id::int FROM changemgmt.change_fact
	WHERE month = $$2024-01-01$$ AND is_failed ORDER BY 1',
	ARRAY[101, 102, 103, 104],
	'suspicions, dismissals and other links make no failure');
SELECT results_eq('
	SELECT verdict, is_remediated, incidents_caused, outage_minutes
	FROM changemgmt.change_fact
	WHERE change_id BETWEEN 101 AND 105 ORDER BY change_id',
	$$VALUES ('failed', false, 0::bigint, 0::bigint),
			 ('rolled_back', false, 0, 0),
			 ('failed', false, 3, 30),
			 ('failed', true, 1, 5),
			 ('successful_with_issues', false, 0, 0)$$,
	'the verdict stands above the outcome that was recorded');

-- Two incidents on one of ten.
SELECT pg_temp.month_is('2024-02-01', '{
	"changes": 10, "failed": 1, "change_failure_rate": 0.1,
	"change_failure_rate_low": 0.017876213095072892,
	"change_failure_rate_high": 0.40415002679523837,
	"success_rate": 0.9, "rollback_rate": 0, "failed_otherwise_rate": 0.1,
	"incidents_caused": 2, "outage_minutes": 42}');

-- A month without changes: no count but 0, no rate and no time at all.
SELECT pg_temp.month_is('2024-03-01', (
	SELECT jsonb_object_agg(attname,
		CASE WHEN attname = 'is_complete' THEN 'true'::jsonb
			 WHEN attname = 'is_provisional' THEN 'false'
			 WHEN atttypid = 'bigint'::regtype THEN '0'
			 ELSE 'null' END)
	FROM pg_attribute
	WHERE attrelid = 'changemgmt.monthly_metrics'::regclass
	  AND attnum > 0 AND attname <> 'month'));

-- What is pending is in no outcome rate; what was not carried out nowhere.
SELECT pg_temp.month_is('2024-04-01', '{
	"changes": 3, "pending": 1, "decided": 2, "failed": 1,
	"change_failure_rate": 0.5, "success_rate": 0.5, "rolled_back": 1,
	"incidents_caused": 1, "waived": 0, "recoveries": 0,
	"is_complete": true, "is_provisional": true}');
SELECT results_eq('
	SELECT is_counted, month, verdict, is_failed FROM changemgmt.change_fact
	WHERE change_id BETWEEN 401 AND 407 ORDER BY change_id',
	$$VALUES (true, '2024-04-01'::date, 'pending', true),
			 (true, '2024-04-01', 'successful', false),
			 (true, '2024-04-01', 'rolled_back', true),
			 (false, NULL, NULL, true), (false, NULL, NULL, false),
			 (false, NULL, NULL, true), (false, NULL, NULL, false)$$,
	'staging, not implemented, without a start, draft: not counted');

-- The reporting time zone.
SELECT is((SELECT array_agg(changes ORDER BY month)
		   FROM changemgmt.monthly_metrics
		   WHERE month BETWEEN '2024-05-01' AND '2024-06-01'),
		  ARRAY[3, 0]::bigint[], 'in UTC all three end in May');
SELECT changemgmt.set_setting('reporting_time_zone', 'Europe/Berlin') \g /dev/null
SELECT is((SELECT array_agg(changes ORDER BY month)
		   FROM changemgmt.monthly_metrics
		   WHERE month BETWEEN '2024-05-01' AND '2024-06-01'),
		  ARRAY[1, 2]::bigint[], 'in Berlin, 23:30 UTC and midnight are June');
SELECT is((SELECT month FROM changemgmt.change_fact WHERE change_id = 501),
		  '2024-06-01'::date, 'change_fact says the same');
SELECT changemgmt.set_setting('reporting_time_zone', 'UTC') \g /dev/null

-- Rollbacks.
SELECT pg_temp.month_is('2024-07-01', '{
	"changes": 4, "rolled_back": 4, "rollback_rate": 1,
	"rollback_times": 3, "time_to_rollback_total_seconds": 436200,
	"time_to_rollback_mean_seconds": 145400,
	"time_to_rollback_median_seconds": 3600,
	"rollback_durations": 2, "rollback_total_seconds": 2400,
	"rollback_mean_seconds": 1200, "rollback_median_seconds": 1200,
	"rollbacks_with_plan": 2, "rollbacks_within_plan": 1,
	"rollback_within_plan_rate": 0.5}');
SELECT is((SELECT time_to_rollback_seconds FROM changemgmt.change_fact
		   WHERE change_id = 701), 432000::float8, 'a rollback 5 days later');
SELECT pg_temp.month_is('2024-08-01',
	'{"changes": 0, "rolled_back": 0, "rollback_times": 0}');

-- Recovery.
SELECT is((SELECT array_agg(recovery_seconds ORDER BY change_id)
		   FROM changemgmt.change_fact WHERE month = '2024-09-01'),
		  ARRAY[9000, 10800, 2700, NULL, 3000, NULL, NULL]::float8[],
		  'recovery times, that of the fix forward first');
SELECT pg_temp.month_is('2024-09-01', '{
	"changes": 7, "failed": 6, "rolled_back": 2, "failed_otherwise": 4,
	"recoveries": 4, "recovery_total_seconds": 25500,
	"recovery_mean_seconds": 6375, "recovery_median_seconds": 6000}');

-- Lead time, notice, and waiting for approval: 1002 was pre-approved, 1006 was
-- submitted again.
SELECT pg_temp.month_is('2024-10-01', '{
	"changes": 6, "unauthorized": 1,
	"lead_times": 3, "lead_time_total_seconds": 262800,
	"lead_time_mean_seconds": 87600, "lead_time_median_seconds": 86400,
	"notices": 3, "notice_total_seconds": 603000,
	"notice_mean_seconds": 201000, "notice_median_seconds": 1800,
	"approval_waits": 3, "approval_wait_total_seconds": 27000,
	"approval_wait_mean_seconds": 9000, "approval_wait_median_seconds": 3600}');

-- Kinds, rework, windows, estimates.
SELECT pg_temp.month_is('2024-11-01', '{
	"changes": 12,
	"standard": 3, "standard_share": 0.25,
	"emergency": 2, "emergency_share": 0.16666666666666666,
	"unauthorized": 1, "unauthorized_share": 0.08333333333333333,
	"waived": 2, "waived_share": 0.16666666666666666,
	"rework": 3, "rework_rate": 0.25,
	"with_window": 6, "outside_window": 2,
	"outside_window_share": 0.3333333333333333,
	"estimated": 5, "within_estimate": 2, "within_estimate_share": 0.4,
	"duration_variance_median": 0.21666666666666667}');
SELECT is((SELECT array_agg(duration_variance::numeric(10,6) ORDER BY change_id)
		   FROM changemgmt.change_fact WHERE change_id BETWEEN 1101 AND 1107),
		  ARRAY[0.2, 0.216667, 0.216667, 0, NULL, 0.741667, NULL]::numeric(10,6)[],
		  'duration variance');

-- An incident with several causes fails each of them, and counts once.
SELECT pg_temp.month_is('2024-12-01',
	'{"changes": 1, "failed": 1, "incidents_caused": 0, "outage_minutes": 0}');
SELECT pg_temp.month_is('2025-01-01',
	'{"changes": 2, "failed": 2, "incidents_caused": 1, "outage_minutes": 60}');

-- Rows without gaps; what is over, and what can change.
SELECT results_eq('SELECT month FROM changemgmt.monthly_metrics ORDER BY month',
	$$SELECT generate_series('2024-01-01',
			 date_trunc('month', now() AT TIME ZONE 'UTC'), interval '1 month')::date$$,
	'a row a month, from the first change to now');
SELECT is((SELECT array_agg(month) FROM changemgmt.monthly_metrics
		   WHERE NOT is_complete),
		  ARRAY[date_trunc('month', now() AT TIME ZONE 'UTC')::date],
		  'only the current month is not complete');
SELECT is((SELECT array_agg(month ORDER BY month)
		   FROM changemgmt.monthly_metrics WHERE is_provisional),
		  ARRAY['2024-04-01', (SELECT month FROM changemgmt.change_fact
							   WHERE change_id = 1301)]::date[],
		  'provisional: something pending, or a change younger than 7 days');
SELECT is((SELECT title FROM changemgmt.change_fact WHERE change_id = 1301),
		  'Secret', 'a confidential change is counted, and the owner sees it (others: confidential.sql)');

-- The three and the rest.
SELECT is_empty('
	SELECT month FROM changemgmt.monthly_metrics
	WHERE successful + with_issues + rolled_back + failed_otherwise <> decided
	   OR rolled_back + failed_otherwise <> failed
	   OR decided + pending <> changes
	   OR abs(success_rate + with_issues_rate + rollback_rate
			  + failed_otherwise_rate - 1) > 1e-12',
	'success, with issues, rolled back and failed otherwise add up to one');
SELECT is((SELECT sum(changes) FROM changemgmt.monthly_metrics),
		  (SELECT count(*)::numeric FROM changemgmt.change_fact WHERE is_counted),
		  'every counted change is in one month');
SELECT is((SELECT sum(failed) FROM changemgmt.monthly_metrics),
		  (SELECT count(*)::numeric FROM changemgmt.change_fact
		   WHERE is_counted AND is_failed AND verdict <> 'pending'),
		  'and so is every failed one');
SELECT is_empty('
	SELECT month, rate, low, high, denominator
	FROM changemgmt.monthly_metrics AS m
	CROSS JOIN LATERAL (VALUES
		(change_failure_rate, change_failure_rate_low,
		 change_failure_rate_high, decided),
		(success_rate, success_rate_low, success_rate_high, decided),
		(with_issues_rate, with_issues_rate_low, with_issues_rate_high, decided),
		(rollback_rate, rollback_rate_low, rollback_rate_high, decided),
		(failed_otherwise_rate, failed_otherwise_rate_low,
		 failed_otherwise_rate_high, decided),
		(rollback_within_plan_rate, rollback_within_plan_rate_low,
		 rollback_within_plan_rate_high, rollbacks_with_plan),
		(rework_rate, rework_rate_low, rework_rate_high, changes),
		(within_estimate_share, within_estimate_share_low,
		 within_estimate_share_high, estimated),
		(standard_share, standard_share_low, standard_share_high, changes),
		(emergency_share, emergency_share_low, emergency_share_high, changes),
		(unauthorized_share, unauthorized_share_low,
		 unauthorized_share_high, changes),
		(waived_share, waived_share_low, waived_share_high, changes),
		(unsegregated_share, unsegregated_share_low, unsegregated_share_high, changes),
		(outside_window_share, outside_window_share_low,
		 outside_window_share_high, with_window)
	) AS r (rate, low, high, denominator)
	WHERE (denominator = 0) IS DISTINCT FROM (rate IS NULL)
	   OR (rate IS NULL) <> (low IS NULL)
	   OR (rate IS NULL) <> (high IS NULL)
	   OR NOT (low <= rate AND rate <= high)',
	'every rate lies in its interval; all three are null where the denominator is 0');

-- A condition reaches the indexes.
SET LOCAL enable_seqscan = off;
CREATE FUNCTION pg_temp.plan(query text) RETURNS SETOF text
	LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE 'EXPLAIN (COSTS off) ' || query;
END
$$;
SELECT is_empty($$
	SELECT line FROM pg_temp.plan('
		SELECT * FROM changemgmt.change_fact WHERE change_id = 42') AS line
	WHERE line ~ 'Seq Scan'$$, 'change_fact of one change reads indexes only');
SELECT matches(string_agg(line, E'\n'),
			   'change_actual_end_idx on change c\s+Index Cond: \(\(actual_end >=.*\) AND \(actual_end <',
			   'monthly_metrics of a month reads its changes through the index')
FROM pg_temp.plan('
	SELECT * FROM changemgmt.monthly_metrics WHERE month = ''2024-09-01''') AS line;
RESET enable_seqscan;

-- Clocks set back at midnight of a first: Havana, 2020-11-01, where 00:30 came
-- twice.
COPY changemgmt.change (id, title, status, outcome, actual_start, actual_end)
	FROM stdin WITH (FORMAT csv);
1401,Before,closed,successful,2020-11-01 03:59Z,2020-11-01 03:59Z
1402,First 00:30,closed,successful,2020-11-01 04:30Z,2020-11-01 04:30Z
1403,Second 00:30,closed,failed,2020-11-01 05:30Z,2020-11-01 05:30Z
\.
SELECT changemgmt.set_setting('reporting_time_zone', 'America/Havana') \g /dev/null
SELECT is((SELECT array_agg(changes ORDER BY month)
		   FROM changemgmt.monthly_metrics WHERE month < '2020-12-01'),
		  ARRAY[1, 2]::bigint[], 'an hour that came twice belongs to the day it says');

SELECT finish();
ROLLBACK;
