--
-- ledger: what COPY may do, and what people see who try other doors
--
SET search_path = public;
\set SHOW_CONTEXT never

-- history
COPY changemgmt.ledger FROM stdin;
change	9000000001	1	create	\N	draft	{"id": [null, 9000000001], "title": [null, "Zürich \\"x\\""]}	anna	app	web	192.0.2.7	psql	2026-01-02T03:04:05.678901+00:00	\N	\\x7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed	\\x0000000000000000000000000000000000000000000000000000000000000000	\\x617931c0a99385d8c20a91c44ca9d1047889c8ca4c1dd52b521ee1e0b7510cb3
\.
SELECT relation, row_count FROM changemgmt.load WHERE relation = 'ledger';

-- nothing else
INSERT INTO changemgmt.ledger SELECT * FROM changemgmt.ledger;
UPDATE changemgmt.ledger SET actor = 'x';
DELETE FROM changemgmt.ledger;
TRUNCATE changemgmt.ledger;
DELETE FROM changemgmt.load;
COPY changemgmt.load (id, relation, row_count, session_role, effective_role, client_address, application, loaded_at) FROM stdin;
a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11	change	1	a	a	\N	\N	2026-01-01
\.
COPY (INSERT INTO changemgmt.ledger SELECT * FROM changemgmt.ledger RETURNING 1) TO stdout;
COPY (UPDATE changemgmt.ledger SET actor = 'x' RETURNING 1) TO stdout;
DO $$BEGIN EXECUTE 'COPY changemgmt.ledger (subject_kind) FROM PROGRAM ''echo change'''; END$$;

-- a trigger of another table that is copied into
CREATE TABLE elsewhere (n int);
CREATE FUNCTION smuggle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO changemgmt.ledger SELECT * FROM changemgmt.ledger;
	RETURN NULL;
END $$;
CREATE TRIGGER smuggle AFTER INSERT ON elsewhere
	FOR EACH ROW EXECUTE FUNCTION smuggle();
COPY elsewhere FROM stdin;
1
\.
DROP TRIGGER smuggle ON elsewhere;
-- the same, at commit
CREATE CONSTRAINT TRIGGER smuggle AFTER INSERT ON elsewhere
	DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION smuggle();
COPY elsewhere FROM stdin;
1
\.
DROP TABLE elsewhere;

-- a table of the same name, nearer in the path
CREATE TEMP TABLE ledger (LIKE changemgmt.ledger);
CREATE TRIGGER smuggle AFTER INSERT ON ledger
	FOR EACH ROW EXECUTE FUNCTION smuggle();
SET search_path = changemgmt;
COPY ledger FROM stdin;
change	9000000001	1	create	\N	draft	{"id": [null, 9000000001], "title": [null, "Zürich \\"x\\""]}	anna	app	web	192.0.2.7	psql	2026-01-02T03:04:05.678901+00:00	\N	\\x7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed	\\x0000000000000000000000000000000000000000000000000000000000000000	\\x617931c0a99385d8c20a91c44ca9d1047889c8ca4c1dd52b521ee1e0b7510cb3
\.
DROP TABLE pg_temp.ledger;
SET search_path = public;
DROP FUNCTION smuggle();

-- somebody who may INSERT, but does not own (psql 15.18 runs the rows that follow
-- a COPY that row-level security refuses as SQL, so there are none)
CREATE ROLE regress_ledger_app;
GRANT USAGE ON SCHEMA changemgmt TO regress_ledger_app;
GRANT SELECT, INSERT ON changemgmt.ledger, changemgmt.team TO regress_ledger_app;
SET ROLE regress_ledger_app;
\copy changemgmt.ledger FROM /dev/null
COPY changemgmt.team (name) FROM stdin;
history
\.
RESET ROLE;
DROP OWNED BY regress_ledger_app;
DROP ROLE regress_ledger_app;

-- nothing of all this has left a trace
SELECT subject_kind, subject_id, sequence, actor FROM changemgmt.ledger
WHERE subject_id >= 9000000000;
SELECT relation, row_count FROM changemgmt.load WHERE relation = 'ledger';

-- what verification says of a chain without its row, and of wrong arguments
SELECT subject_id, sequence, problem FROM changemgmt.verify_ledger('change', 9000000001);
SELECT * FROM changemgmt.verify_ledger('chnge');
SELECT * FROM changemgmt.verify_ledger(id => 42);

-- leave the ledger as it was; triggers off is the one way
ALTER TABLE changemgmt.ledger DISABLE TRIGGER USER;
ALTER TABLE changemgmt.load DISABLE TRIGGER USER;
DELETE FROM changemgmt.ledger WHERE subject_id = 9000000001;
DELETE FROM changemgmt.load WHERE relation = 'ledger';
ALTER TABLE changemgmt.ledger ENABLE TRIGGER USER;
ALTER TABLE changemgmt.load ENABLE TRIGGER USER;
