-- ledger: the append-only trail and its hash chains. docs/ledger.md gives the
-- canonical encoding byte by byte.

CREATE TABLE changemgmt.ledger (
	subject_kind text COLLATE "C" NOT NULL,
	subject_id bigint NOT NULL,
	sequence bigint NOT NULL CHECK (sequence > 0),
	event text NOT NULL,
	from_status text,
	to_status text,
	changed jsonb NOT NULL,
	actor text NOT NULL,
	session_role text NOT NULL,
	effective_role text NOT NULL,
	client_address text,
	application text,
	recorded_at timestamptz NOT NULL,
	reason text,
	row_digest bytea NOT NULL CHECK (octet_length(row_digest) = 32),
	previous_hash bytea NOT NULL CHECK (octet_length(previous_hash) = 32),
	hash bytea NOT NULL CHECK (octet_length(hash) = 32),
	PRIMARY KEY (subject_kind, subject_id, sequence)
);
COMMENT ON TABLE changemgmt.ledger IS
	'Everything that happened to a subject, one chain a subject. Written by the triggers only; never changed.';
COMMENT ON COLUMN changemgmt.ledger.subject_kind IS 'The table of the subject: change, person, board_member, site_model ...';
COMMENT ON COLUMN changemgmt.ledger.subject_id IS 'The id of the subject.';
COMMENT ON COLUMN changemgmt.ledger.sequence IS 'Place in the chain of the subject, from 1 without gaps.';
COMMENT ON COLUMN changemgmt.ledger.event IS
	'The verb of a transition, or create, edit, parts, delete.';
COMMENT ON COLUMN changemgmt.ledger.from_status IS 'Status before; null at creation, and where the subject is no change.';
COMMENT ON COLUMN changemgmt.ledger.to_status IS 'Status after; null at deletion, and where the subject is no change.';
COMMENT ON COLUMN changemgmt.ledger.changed IS
	'{column: [old, new]} for each column that changed; parts under their table''s name as [{op, old, new}].';
COMMENT ON COLUMN changemgmt.ledger.actor IS 'Who acted: changemgmt.actor, or effective_role.';
COMMENT ON COLUMN changemgmt.ledger.session_role IS 'The role that logged in.';
COMMENT ON COLUMN changemgmt.ledger.effective_role IS 'The role after SET ROLE, outside of SECURITY DEFINER.';
COMMENT ON COLUMN changemgmt.ledger.client_address IS 'Address of the client; null for a local socket.';
COMMENT ON COLUMN changemgmt.ledger.application IS 'application_name of the session; null where it has none.';
COMMENT ON COLUMN changemgmt.ledger.recorded_at IS 'Wall clock when the row was stamped, under its lock.';
COMMENT ON COLUMN changemgmt.ledger.reason IS 'status_reason or override_reason given with the step.';
COMMENT ON COLUMN changemgmt.ledger.row_digest IS 'SHA-256 of the subject''s row as it now is.';
COMMENT ON COLUMN changemgmt.ledger.previous_hash IS 'hash of the row before in the chain; 32 zero bytes in the first.';
COMMENT ON COLUMN changemgmt.ledger.hash IS 'SHA-256 over all of the above.';

CREATE TABLE changemgmt.load (
	id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
	relation text NOT NULL,
	row_count bigint NOT NULL,
	session_role text NOT NULL,
	effective_role text NOT NULL,
	client_address text,
	application text,
	loaded_at timestamptz NOT NULL,
	unchained_count bigint
);
COMMENT ON TABLE changemgmt.load IS
	'History that came in by COPY: who brought how many rows into which table, when. Not dumped: a restore is a load of its own.';

COMMENT ON COLUMN changemgmt.load.id IS 'Key that no other database gives.';
COMMENT ON COLUMN changemgmt.load.relation IS 'The table that the rows went into.';
COMMENT ON COLUMN changemgmt.load.row_count IS 'How many rows the COPY brought.';
COMMENT ON COLUMN changemgmt.load.unchained_count IS 'How many of them came without a chain in the ledger, so that this load is all that explains them.';
COMMENT ON COLUMN changemgmt.load.session_role IS 'The role that logged in.';
COMMENT ON COLUMN changemgmt.load.effective_role IS 'The role after SET ROLE.';
COMMENT ON COLUMN changemgmt.load.client_address IS 'Address of the client; null for a local socket.';
COMMENT ON COLUMN changemgmt.load.application IS 'application_name of the session; null where it has none.';
COMMENT ON COLUMN changemgmt.load.loaded_at IS 'Wall clock at the end of the COPY.';

CREATE FUNCTION changemgmt.ledger_guard() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ledger_guard';
COMMENT ON FUNCTION changemgmt.ledger_guard() IS
	'Trigger: refuses (MC006) every statement on ledger, load and the checkpoints, whoever gives it, but COPY by the owner into all but load.';

CREATE FUNCTION changemgmt.load_record() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'load_record';
COMMENT ON FUNCTION changemgmt.load_record() IS
	'Trigger: counts the rows of a COPY and records it in load.';

CREATE FUNCTION changemgmt.ledger_record() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ledger_record';
COMMENT ON FUNCTION changemgmt.ledger_record() IS
	'Trigger: writes what happens to the rows of a table into the ledger, a chain a row. The columns named by its arguments are withheld: that they changed is said, not from what to what.';

CREATE FUNCTION changemgmt.truncate_guard() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'truncate_guard';
COMMENT ON FUNCTION changemgmt.truncate_guard() IS
	'Trigger: refuses TRUNCATE (MC006).';

CREATE TRIGGER ledger_guard
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.ledger
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_guard();
CREATE TRIGGER ledger_guard_truncate
	BEFORE TRUNCATE ON changemgmt.ledger
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.ledger_guard();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.ledger
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.ledger
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER ledger_guard
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.load
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_guard();
CREATE TRIGGER ledger_guard_truncate
	BEFORE TRUNCATE ON changemgmt.load
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.ledger_guard();

CREATE FUNCTION changemgmt.row_digest(row_value record) RETURNS bytea
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'row_digest';
COMMENT ON FUNCTION changemgmt.row_digest(record) IS
	'SHA-256 of a row in the ledger''s encoding: for the row of a subject what ledger.row_digest of its last entry must be.';

-- since 1.1
CREATE TABLE changemgmt.ledger_checkpoint (
	id bigint PRIMARY KEY CHECK (id > 0),
	taken_at timestamptz NOT NULL,
	subjects bigint NOT NULL CHECK (subjects >= 0),
	entries bigint NOT NULL CHECK (entries >= 0),
	root bytea NOT NULL CHECK (octet_length(root) = 32),
	actor text NOT NULL,
	session_role text NOT NULL,
	effective_role text NOT NULL,
	client_address text,
	application text
);
COMMENT ON TABLE changemgmt.ledger_checkpoint IS
	'Digests over the heads of all chains, to be kept outside as well. Written by ledger_checkpoint() only; never changed.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint.id IS 'From 1 without gaps.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint.taken_at IS 'Wall clock when the heads were read.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint.subjects IS 'How many chains there were.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint.entries IS 'How many entries they had together.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint.root IS 'Root of the Merkle tree over the heads.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint.actor IS 'Who acted: changemgmt.actor, or effective_role.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint.session_role IS 'The role that logged in.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint.effective_role IS 'The role after SET ROLE, outside of SECURITY DEFINER.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint.client_address IS 'Address of the client; null for a local socket.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint.application IS 'application_name of the session; null where it has none.';

-- since 1.1
CREATE INDEX ledger_checkpoint_root ON changemgmt.ledger_checkpoint (root);

-- since 1.1
CREATE TABLE changemgmt.ledger_checkpoint_head (
	subject_kind text COLLATE "C" NOT NULL,
	subject_id bigint NOT NULL,
	checkpoint_id bigint NOT NULL,
	sequence bigint NOT NULL CHECK (sequence >= 0),
	hash bytea NOT NULL CHECK (octet_length(hash) = 32),
	PRIMARY KEY (subject_kind, subject_id, checkpoint_id)
);
COMMENT ON TABLE changemgmt.ledger_checkpoint_head IS
	'The heads that a checkpoint saw: a row for each chain that had moved since the checkpoint before.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint_head.subject_kind IS 'The table of the subject.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint_head.subject_id IS 'The id of the subject.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint_head.checkpoint_id IS 'The checkpoint; it holds until the next row of the subject.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint_head.sequence IS
	'The last entry of the chain; 0 where a chain that an earlier checkpoint saw was gone.';
COMMENT ON COLUMN changemgmt.ledger_checkpoint_head.hash IS 'hash of that entry; 32 zero bytes where the chain was gone.';

CREATE TRIGGER ledger_guard
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.ledger_checkpoint
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_guard();
CREATE TRIGGER ledger_guard_truncate
	BEFORE TRUNCATE ON changemgmt.ledger_checkpoint
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.ledger_guard();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.ledger_checkpoint
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.ledger_checkpoint
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER ledger_guard
	BEFORE INSERT OR UPDATE OR DELETE ON changemgmt.ledger_checkpoint_head
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_guard();
CREATE TRIGGER ledger_guard_truncate
	BEFORE TRUNCATE ON changemgmt.ledger_checkpoint_head
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.ledger_guard();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.ledger_checkpoint_head
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.ledger_checkpoint_head
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();

CREATE FUNCTION changemgmt.ledger_checkpoint(
	OUT checkpoint_id bigint, OUT taken_at timestamptz,
	OUT subjects bigint, OUT entries bigint, OUT root text)
	RETURNS record
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ledger_checkpoint';
COMMENT ON FUNCTION changemgmt.ledger_checkpoint() IS
	'Takes a checkpoint: a digest over the heads of all chains. Keep root where nobody who administers this server can write: verify_checkpoint(root) finds what was cut off or rewritten since.';

CREATE FUNCTION changemgmt.merkle_root(leaves bytea[]) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'merkle_root';
COMMENT ON FUNCTION changemgmt.merkle_root(bytea[]) IS
	'Root of the Merkle tree of RFC 6962 over the leaves, in their order, as checkpoints compute it. Errors: MC008 for a null leaf.';

CREATE FUNCTION changemgmt.verify_ledger(
	kind text DEFAULT NULL, id bigint DEFAULT NULL,
	OUT subject_kind text, OUT subject_id bigint, OUT sequence bigint,
	OUT problem text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10
	AS 'MODULE_PATHNAME', 'verify_ledger';
COMMENT ON FUNCTION changemgmt.verify_ledger(text, bigint) IS
	'A row for each break in the chains, each entry that is not what a checkpoint saw, and each row that is not what its chain recorded; none where all is well. Errors: MC008 for an unknown kind.';

CREATE FUNCTION changemgmt.verify_checkpoint(
	checkpoint text, kind text DEFAULT NULL, id bigint DEFAULT NULL,
	OUT subject_kind text, OUT subject_id bigint, OUT sequence bigint,
	OUT problem text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10
	AS 'MODULE_PATHNAME', 'verify_checkpoint';
COMMENT ON FUNCTION changemgmt.verify_checkpoint(text, text, bigint) IS
	'verify_ledger() against the root of a checkpoint that was kept outside: it also finds history that was rewritten as a whole. Errors: MC008 for an unknown kind and for what is no root.';

-- What the rooms before this one hold

CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.site_setting
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.site_setting
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER record
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.site_setting
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_record();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.site_setting
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.person
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.person
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER record
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.person
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_record('email', 'phone', 'chat');
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.person
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.team
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.team
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER record
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.team
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_record();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.team
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.team_member
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.team_member
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER record
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.team_member
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_record();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.team_member
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.board
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.board
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER record
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.board
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_record();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.board
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.board_member
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.board_member
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER record
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.board_member
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_record();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.board_member
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();

CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.role_duty
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.role_duty
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER record
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.role_duty
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_record();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.role_duty
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();

SELECT pg_catalog.pg_extension_config_dump('changemgmt.ledger', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.ledger_checkpoint', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.ledger_checkpoint_head', '');
