# From the parts of the install script, in their order, what an upgrade to
# version `to` executes after its own statements:
#
#   awk -v to=1.1 -f replaceable.awk sql/01_types.sql sql/02_person.sql ...
#
# * What can be replaced is repeated: functions, procedures, aggregates, views,
#   triggers and rules as CREATE OR REPLACE; comments, GRANT, REVOKE,
#   pg_extension_config_dump(), and what a replacement resets (ALTER FUNCTION,
#   ALTER VIEW, ALTER TABLE ... ENABLE TRIGGER), as they are.
# * Everything else is taken only where the line `-- since <to>` stands directly
#   above it.  Such a line with an older version says nothing any more.
# * A kind of statement that is not known here is an error.
#
# A statement begins at the beginning of a line and ends with the semicolon at
# the end of a line, outside of quotes; BEGIN ATOMIC ends with the line `END;`.
# POSIX awk, as it is all that a machine with PGXS is sure to have.

function die(where, message)
{
	printf "%s: %s\n", where, message > "/dev/stderr"
	failed = 1
	exit 1
}

# Is version a newer than version b?
function newer(a, b,	x, y, i, n, m)
{
	n = split(a, x, ".")
	m = split(b, y, ".")
	for (i = 1; i <= n || i <= m; i++)
		if (x[i] + 0 != y[i] + 0)
			return x[i] + 0 > y[i] + 0
	return 0
}

# The line without what is quoted and commented; keeps `quote`, the end of the
# quotation that the line ends in.
function code_of(line,	code, c, rest, tag)
{
	code = ""
	while (line != "") {
		c = substr(line, 1, 1)
		if (quote != "") {
			if (escapes && c == "\\")
				line = substr(line, 3)
			else if (substr(line, 1, length(quote)) == quote) {
				line = substr(line, length(quote) + 1)
				quote = ""
			} else
				line = substr(line, 2)
			continue
		}
		if (substr(line, 1, 2) == "--")
			return code
		if (substr(line, 1, 2) == "/*")
			die(FILENAME ":" FNR, "no /* */ comments here")
		rest = substr(line, 2)
		if (c == "'" || c == "\"") {
			quote = c
			escapes = (c == "'" && code ~ /(^|[^A-Za-z0-9_])[Ee]$/)
		} else if (c == "$" && code !~ /[A-Za-z0-9_]$/ &&
				   match(line, /^\$([A-Za-z_][A-Za-z0-9_]*)?\$/)) {
			quote = substr(line, 1, RLENGTH)
			escapes = 0
			rest = substr(line, RLENGTH + 1)
			c = "$"
		}
		code = code c
		line = rest
	}
	return code
}

function finish(	first)
{
	gsub(/[ \t\n]+/, " ", code)
	if (code ~ /^CREATE (FUNCTION|PROCEDURE|AGGREGATE|VIEW|TRIGGER|RULE) /) {
		sub(/^CREATE /, "CREATE OR REPLACE ", statement)
		print statement
	} else if (code ~ /^(COMMENT ON|GRANT|REVOKE) / ||
			   code ~ /^SELECT (pg_catalog\.)?pg_extension_config_dump\(/ ||
			   code ~ /^ALTER (FUNCTION|PROCEDURE|AGGREGATE|VIEW) / ||
			   code ~ /^ALTER TABLE (ONLY )?[^ ]+ (ENABLE|DISABLE) ((ALWAYS|REPLICA) )?TRIGGER /)
		print statement
	else if (code ~ /^CREATE (UNLOGGED )?(TABLE|TYPE|DOMAIN|SEQUENCE) / ||
			 code ~ /^CREATE (UNIQUE )?INDEX / ||
			 code ~ /^CREATE (POLICY|EVENT TRIGGER|CONSTRAINT TRIGGER|STATISTICS|MATERIALIZED VIEW) / ||
			 code ~ /^CREATE (OPERATOR|CAST|COLLATION) / ||
			 code ~ /^ALTER (TABLE|TYPE|DOMAIN|SEQUENCE|INDEX|POLICY|EVENT TRIGGER|OPERATOR) / ||
			 code ~ /^SELECT changemgmt\./) {
		if (since == to)
			print statement
	} else {
		first = statement
		sub(/\n.*/, "", first)
		die(begun, "this kind of statement is not known to the upgrade: " first)
	}
	statement = code = since = ""
	atomic = 0
}

BEGIN {
	if (to !~ /^[0-9]+(\.[0-9]+)*$/)
		die("replaceable.awk", "which version? (-v to=1.1)")
	quote = statement = code = since = ""
	atomic = 0
}

FNR == 1 && statement != "" { die(begun, "this statement does not end") }

statement == "" {
	if ($0 ~ /^[ \t]*--[ \t]*[Ss]ince:?[ \t]*[0-9]/) {
		if ($0 !~ /^-- since [0-9]+(\.[0-9]+)*$/ || since != "")
			die(FILENAME ":" FNR, "not `-- since 1.1`: " $0)
		since = $3
		if (newer(since, to))
			die(FILENAME ":" FNR, "newer than the version that is built: " $0)
		next
	}
	if ($0 ~ /^[ \t]*(--.*)?$/) {
		if (since != "")
			die(FILENAME ":" FNR, "`-- since` must stand directly above its statement")
		next
	}
	if ($0 !~ /^[A-Z]/)
		die(FILENAME ":" FNR, "not the beginning of a statement: " $0)
	begun = FILENAME ":" FNR
}

{
	line = code_of($0)
	statement = statement == "" ? $0 : statement "\n" $0
	code = code " " line
	sub(/^ /, "", code)
	if (quote != "")
		next
	if (line ~ /BEGIN ATOMIC/)
		atomic = 1
	if (atomic ? line ~ /(^|BEGIN ATOMIC.*[ ;])END;[ \t]*$/ : line ~ /;[ \t]*$/)
		finish()
}

END {
	if (!failed && statement != "")
		die(begun, "this statement does not end")
	if (!failed && since != "")
		die(FILENAME, "`-- since` at the end, above nothing")
	if (failed)
		exit 1
}
