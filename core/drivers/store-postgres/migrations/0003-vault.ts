/** The reverse vault: rows that only the keys open, in a schema that no zone's role may use. */
export const sql = `
CREATE SCHEMA IF NOT EXISTS vault;

CREATE TABLE vault.projects (
  project text COLLATE "C" PRIMARY KEY,
  codes text COLLATE "C" NOT NULL CHECK (codes IN ('keyed', 'random')),
  wrapped bytea NOT NULL,
  made timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE vault.persons (
  project text COLLATE "C" NOT NULL REFERENCES vault.projects,
  person bytea NOT NULL,
  code text COLLATE "C" NOT NULL,
  wrapped bytea NOT NULL,
  sealed bytea NOT NULL,
  PRIMARY KEY (project, person),
  UNIQUE (project, code)
);

CREATE TABLE vault.entries (
  project text COLLATE "C" NOT NULL,
  lookup bytea NOT NULL,
  person bytea NOT NULL,
  code text COLLATE "C" NOT NULL,
  sealed bytea NOT NULL,
  PRIMARY KEY (project, lookup),
  FOREIGN KEY (project, person) REFERENCES vault.persons ON DELETE CASCADE
);
CREATE INDEX entries_code ON vault.entries (project, code);
CREATE INDEX entries_person ON vault.entries (project, person);

CREATE TABLE vault.audit (
  project text COLLATE "C" NOT NULL REFERENCES vault.projects,
  number bigint NOT NULL,
  at text NOT NULL,
  actor text NOT NULL,
  action text NOT NULL,
  detail text NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (project, number)
);
CREATE FUNCTION vault.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of vault.audit are only ever added' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON vault.audit
  FOR EACH STATEMENT EXECUTE FUNCTION vault.refuse_change();
`
