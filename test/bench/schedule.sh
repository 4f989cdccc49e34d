#!/bin/bash
# The schedule: the next free times of an item with 100 windows and 1,000
# bookings one after the other, whether a moment is open, the conflicts of one
# booking among many on many items, the feed; and all of it again with closed
# changes besides.  Against the same in PL/pgSQL: rules as columns, times as
# plain columns of the changes, the index on the item that a site would make.
#
#   scheduled=100000 items=10000 closed=1000000 rounds=5 calls=1000 test/bench/schedule.sh
#
# CPU time of the backend (user and system) for each call; ours and theirs take
# turns within a round, the median round counts.  Containment in a recurrence is
# in recurrence.sql.  What PL/pgSQL leaves out: exceptions and intervals of
# rules, rules of models and tags, dependencies beyond the next item, people,
# confidential changes.
. "$(dirname "${BASH_SOURCE[0]}")/lib/bench.sh"

scheduled=${scheduled:-100000}
items=${items:-10000}
closed=${closed:-1000000}
rounds=${rounds:-5}
calls=${calls:-1000}

# ------------------------------------------------------------------- what is there

# People are many, or everybody would be booked twice all the time.
sql -v items="$items" -o /dev/null <<-'SQL'
	SELECT changemgmt.add_person(current_user::text, 'Who runs the benchmark');
	SELECT changemgmt.add_person('bench' || i) FROM generate_series(2, 5000) AS i;
	SELECT changemgmt.add_ci('busy');
	UPDATE changemgmt.configuration_item SET tags = '{shop}' WHERE name = 'busy';
	SELECT changemgmt.add_ci('item ' || i) FROM generate_series(2, :items) AS i;
	-- each tenth item depends on the next
	INSERT INTO changemgmt.ci_dependency (ci_id, depends_on_ci_id)
	SELECT i, i + 1 FROM generate_series(10, :items - 1, 10) AS i;

	-- 100 windows that hold for the item: 60 weekly ones of four hours, 40 blackouts
	CREATE SCHEMA plain;
	CREATE TABLE plain.rule (kind text, day int, from_time time, hours interval, zone text);
	CREATE TABLE plain.range (starts_at timestamptz, ends_at timestamptz);
	INSERT INTO plain.rule
	SELECT 'maintenance', 1 + i % 7, time '00:00' + i % 20 * interval '1 hour', interval '4 hours', 'Europe/Berlin' FROM generate_series(1, 60) AS i
	UNION ALL
	SELECT 'blackout', 1 + i % 7, time '12:00' + i % 8 * interval '30 minutes', interval '30 minutes', 'Europe/Berlin' FROM generate_series(1, 10) AS i;
	INSERT INTO plain.range
	SELECT date_trunc('day', now()) + i * interval '9 days', date_trunc('day', now()) + i * interval '9 days' + interval '20 hours'
	FROM generate_series(1, 30) AS i;
	SELECT CASE kind WHEN 'maintenance' THEN
			changemgmt.add_maintenance_window(format('%s %s', kind, row_number() OVER ()), r, ci => CASE WHEN day < 3 THEN 'busy' END,
				tag => CASE WHEN day IN (3, 4) THEN 'shop' END, environment => CASE WHEN day > 4 THEN 'production' END)
		ELSE changemgmt.declare_blackout(format('%s %s', kind, row_number() OVER ()), r, environment => 'production') END
	FROM plain.rule, LATERAL format('DTSTART;TZID=%s:202601%sT%s DURATION:PT%sM RRULE:FREQ=WEEKLY;BYDAY=%s', zone, lpad((4 + day)::text, 2, '0'),
		to_char(from_time, 'HH24MISS'), (extract(epoch FROM hours) / 60)::int, (ARRAY['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'])[day]) AS r;
	SELECT changemgmt.declare_blackout('range ' || starts_at, NULL, starts_at, ends_at) FROM plain.range;
SQL

# Changes that were loaded, as a site that moves here does it.
sql -v scheduled="$scheduled" -v items="$items" <<-'SQL' |
	COPY (
		SELECT i, 'change ' || i, 'scheduled', 1 + i % 5000, t, t + interval '1 hour', now()
		FROM generate_series(1, :scheduled) AS i,
			 LATERAL (SELECT date_trunc('hour', now()) + CASE WHEN i <= 1000 THEN i * interval '1 hour'
						ELSE i * (interval '1 year' / :scheduled) END) AS x (t)
	) TO STDOUT
SQL
	sql -c "COPY changemgmt.change (id, title, status, owner_id, planned_start, planned_end, scheduled_at) FROM STDIN"
sql -v scheduled="$scheduled" -v items="$items" <<-'SQL' | sql -c "COPY changemgmt.change_item (change_id, ci_id) FROM STDIN"
	COPY (SELECT i, CASE WHEN i <= 1000 THEN 1 ELSE 2 + i % (:items - 1) END FROM generate_series(1, :scheduled) AS i) TO STDOUT
SQL
sql -c "VACUUM ANALYZE" -c "SELECT changemgmt.rebuild_bookings()" -c "VACUUM ANALYZE" >/dev/null

# -------------------------------------------------------------------- in PL/pgSQL

sql <<-'SQL'
	CREATE FUNCTION plain.open_time(from_at timestamptz, to_at timestamptz) RETURNS tstzmultirange LANGUAGE plpgsql STABLE AS $$
	DECLARE
		open tstzmultirange;
		closed tstzmultirange;
	BEGIN
		SELECT range_agg(tstzrange(s, s + r.hours)) FILTER (WHERE r.kind = 'maintenance'),
			   range_agg(tstzrange(s, s + r.hours)) FILTER (WHERE r.kind = 'blackout')
		INTO open, closed
		FROM plain.rule AS r
		CROSS JOIN generate_series(date_trunc('day', from_at AT TIME ZONE r.zone) - interval '1 day', to_at AT TIME ZONE r.zone, interval '1 day') AS d
		CROSS JOIN LATERAL (SELECT (d + r.from_time) AT TIME ZONE r.zone) AS x (s)
		WHERE extract(isodow FROM d) = r.day;
		open := coalesce(open, '{}') - coalesce(closed, '{}');
		SELECT range_agg(tstzrange(starts_at, ends_at)) INTO closed FROM plain.range WHERE starts_at < to_at AND ends_at > from_at;
		RETURN open - coalesce(closed, '{}');
	END $$;

	CREATE FUNCTION plain.next_windows(ci bigint, duration interval, after timestamptz, "limit" int) RETURNS SETOF tstzrange LANGUAGE plpgsql STABLE AS $$
	DECLARE
		week tstzrange := tstzrange(after, after + interval '7 days');
		free tstzmultirange;
		taken tstzmultirange;
		slot tstzrange;
	BEGIN
		FOR i IN 1 .. 53 LOOP
			SELECT range_agg(tstzrange(c.planned_start, c.planned_end)) INTO taken
			FROM changemgmt.change_item AS x JOIN changemgmt.change AS c ON c.id = x.change_id
			WHERE x.ci_id = ci AND c.status IN ('scheduled', 'in_progress') AND c.planned_start < upper(week) AND c.planned_end > lower(week);
			free := plain.open_time(lower(week), upper(week)) * tstzmultirange(week) - coalesce(taken, '{}');
			FOR slot IN SELECT unnest(free) LOOP
				CONTINUE WHEN upper(slot) - lower(slot) < duration;
				RETURN NEXT tstzrange(lower(slot), lower(slot) + duration);
				"limit" := "limit" - 1;
				IF "limit" = 0 THEN RETURN; END IF;
			END LOOP;
			week := tstzrange(upper(week), upper(week) + interval '7 days');
		END LOOP;
	END $$;

	CREATE FUNCTION plain.conflicts(wanted bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
	DECLARE
		c changemgmt.change;
		n bigint;
	BEGIN
		SELECT * INTO c FROM changemgmt.change WHERE id = wanted;
		SELECT count(*) INTO n
		FROM changemgmt.change_item AS i
		CROSS JOIN LATERAL (
			SELECT i.ci_id UNION ALL
			SELECT d.depends_on_ci_id FROM changemgmt.ci_dependency AS d WHERE d.ci_id = i.ci_id UNION ALL
			SELECT d.ci_id FROM changemgmt.ci_dependency AS d WHERE d.depends_on_ci_id = i.ci_id) AS near
		JOIN changemgmt.change_item AS x ON x.ci_id = near.ci_id
		JOIN changemgmt.change AS o ON o.id = x.change_id
		WHERE i.change_id = wanted AND o.id <> wanted AND o.status IN ('scheduled', 'in_progress')
		  AND o.planned_start < c.planned_end AND o.planned_end > c.planned_start;
		IF NOT plain.open_time(c.planned_start, c.planned_end) @> tstzrange(c.planned_start, c.planned_end) THEN
			n := n + 1;
		END IF;
		RETURN n;
	END $$;

	CREATE TABLE plain.figure (closed bigint, what text, way text, round int, us float8);
SQL

# ---------------------------------------------------------------------- questions

# what, in how many calls, ours, theirs: a query for each i of them
questions=(
	"window_state(), 100 windows" "$calls"
	"SELECT is_open FROM changemgmt.window_state('busy', now() + i::bigint * 7919 % 525600 * interval '1 minute')"
	"SELECT plain.open_time(t, t) @> t FROM (SELECT now() + i::bigint * 7919 % 525600 * interval '1 minute') AS x (t)"
	"next_windows(), three, behind 1,000 bookings" "$((calls / 20))"
	"SELECT count(*) FROM changemgmt.next_windows('busy', '1 hour', now() + i * interval '1 second')"
	"SELECT count(*) FROM plain.next_windows(1, '1 hour', now() + i * interval '1 second', 3)"
	"next_windows(), three, of an item with ten" "$((calls / 20))"
	"SELECT count(*) FROM changemgmt.next_windows('item $((items - 3))', '1 hour', now() + i * interval '1 second')"
	"SELECT count(*) FROM plain.next_windows($((items - 3)), '1 hour', now() + i * interval '1 second', 3)"
	"change_conflicts(), of a booking" "$calls"
	"SELECT count(*) FROM changemgmt.change_conflicts(1001 + i::bigint * 7919 % ($scheduled - 1001))"
	"SELECT plain.conflicts(1001 + i::bigint * 7919 % ($scheduled - 1001))"
	"change_schedule, of the next day" 1
	"SELECT count(*) FROM (SELECT * FROM changemgmt.change_schedule WHERE starts_at < now() + interval '1 day' OFFSET 0) AS s" ""
	"change_calendar(), of the next day" 1
	"SELECT length(changemgmt.change_calendar(now(), now() + interval '1 day'))" ""
)

# cpu WHAT WAY ROUND CALLS QUERY: of the backend, after a first execution
cpu() {
	sql <<-SQL
		SELECT count(x) FROM generate_series(1, 3) AS i, LATERAL ($5) AS x \\g /dev/null
		SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1) AS before \\gset
		SELECT count(x) FROM generate_series(1, $4) AS i, LATERAL ($5) AS x \\g /dev/null
		INSERT INTO plain.figure SELECT $history, '$1', '$2', $3, (split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - :before) / 1e3 / $4;
	SQL
}

for history in 0 "$closed"; do
	if [ "$history" -gt 0 ]; then
		make_changes closed $((scheduled + 1)) "$closed" | sql -c "COPY changemgmt.change ($columns) FROM STDIN"
		sql -v first=$((scheduled + 1)) -v n="$closed" -v items="$items" <<-'SQL' | sql -c "COPY changemgmt.change_item (change_id, ci_id) FROM STDIN"
			COPY (SELECT i, 1 + i % :items FROM generate_series(:first, :first + :n - 1) AS i) TO STDOUT
		SQL
		sql -c "VACUUM ANALYZE" -c CHECKPOINT
	fi
	for ((round = 1; round <= rounds; round++)); do
		for ((k = 0; k < ${#questions[@]}; k += 4)); do
			[ -n "$(sql -c "SELECT to_regproc('changemgmt.${questions[k]%%[,(]*}')" -c "SELECT to_regclass('changemgmt.${questions[k]%%[,(]*}')")" ] || continue
			cpu "${questions[k]}" ours "$round" "${questions[k + 1]}" "${questions[k + 2]}"
			[ -z "${questions[k + 3]}" ] || cpu "${questions[k]}" plpgsql "$round" "${questions[k + 1]}" "${questions[k + 3]}"
		done
	done
done

about
echo "$scheduled scheduled changes on $items items, 100 windows; us of CPU a call, the median of $rounds rounds"
psql -X -q <<-'SQL'
	\pset footer off
	SELECT f.what, f.closed AS "closed besides",
		   round(percentile_cont(0.5) WITHIN GROUP (ORDER BY f.us)::numeric, 1) AS us,
		   (1e6 / percentile_cont(0.5) WITHIN GROUP (ORDER BY f.us))::int AS "per second",
		   round(percentile_cont(0.5) WITHIN GROUP (ORDER BY p.us)::numeric, 1) AS "PL/pgSQL us",
		   round(percentile_cont(0.5) WITHIN GROUP (ORDER BY p.us / f.us)::numeric, 1) AS ratio,
		   round(min(p.us / f.us)::numeric, 1) AS low, round(max(p.us / f.us)::numeric, 1) AS high
	FROM plain.figure AS f
	LEFT JOIN plain.figure AS p ON p.what = f.what AND p.closed = f.closed AND p.round = f.round AND p.way = 'plpgsql'
	WHERE f.way = 'ours'
	GROUP BY f.what, f.closed ORDER BY f.what, f.closed;
SQL
