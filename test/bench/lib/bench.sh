# Shared by the benchmarks: people, generated changes.  Sourced.
set -euo pipefail
export PGOPTIONS='-c client_min_messages=warning'

lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# The columns that lib/changes.sql writes.
columns="id, model, type, status, outcome, title, description, category,
	justification, environment, user_impact, affects, requester_id, owner_id,
	author_id, implementer_id, verifier_id, priority, estimated_minutes,
	implementation_plan, rollback_trigger, rollback_plan, rollback_minutes,
	test_plan, verification_plan, risk_level, planned_start, planned_end,
	created_at, updated_at, first_submitted_at, submitted_at, approved_at,
	scheduled_at, actual_start, deployed_at, actual_end, rollback_started_at,
	rolled_back_at, closed_at, revision, plan_revision"

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

# make_changes KIND FIRST COUNT
make_changes() { sql -v kind="$1" -v first="$2" -v count="$3" -f "$lib/changes.sql"; }

# Ten people, one of whom is who runs this; a service.
make_people() {
	sql -o /dev/null <<-'SQL'
		SELECT changemgmt.add_person(current_user::text, 'Who runs the benchmark');
		SELECT changemgmt.add_person('bench' || i, 'Person ' || i)
		FROM generate_series(2, 10) AS i;
		SELECT changemgmt.add_ci('payments');
		SELECT changemgmt.set_ci('payments', is_exclusive => false);
	SQL
}

about() {
	sql <<-'SQL'
		SELECT 'PostgreSQL ' || current_setting('server_version')
			|| ', shared_buffers ' || current_setting('shared_buffers');
	SQL
	if [ -r /proc/cpuinfo ]; then
		sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | sort | uniq -c |
			sed 's/^ *\([0-9]*\) /\1 x /'
	fi
}
