/** Tasks with their state, timers and outbox; object references; the audit; a schema for each zone's tables. */
export const sql = `
CREATE SCHEMA IF NOT EXISTS phi;
CREATE SCHEMA IF NOT EXISTS limited;
CREATE SCHEMA IF NOT EXISTS clean;

CREATE TABLE weir.stages (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pipeline text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  UNIQUE (pipeline, name)
);

CREATE TABLE weir.tasks (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stage bigint NOT NULL REFERENCES weir.stages,
  partition integer NOT NULL,
  epoch bigint NOT NULL DEFAULT 0,
  outbox bigint NOT NULL DEFAULT 0,
  published bigint NOT NULL DEFAULT 0,
  positions jsonb NOT NULL DEFAULT '{}',
  facts jsonb NOT NULL DEFAULT '{}',
  UNIQUE (stage, partition)
) WITH (fillfactor = 20);

CREATE TABLE weir.state (
  task bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  sort text COLLATE "C" NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (task, key, sort)
) WITH (fillfactor = 85);

CREATE TABLE weir.shared_state (
  stage bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  sort text COLLATE "C" NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (stage, key, sort)
) WITH (fillfactor = 85);

CREATE TABLE weir.shared_locks (
  stage bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  PRIMARY KEY (stage, key)
);

CREATE TABLE weir.timers (
  task bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  clock text COLLATE "C" NOT NULL CHECK (clock IN ('quiet', 'calendar')),
  due double precision NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  "offset" bigint NOT NULL,
  PRIMARY KEY (task, key, name)
);
CREATE INDEX timers_due ON weir.timers (task, clock, due, key, name);

CREATE TABLE weir.outbox (
  task bigint NOT NULL,
  number bigint NOT NULL,
  payload bytea NOT NULL,
  PRIMARY KEY (task, number)
);
ALTER TABLE weir.outbox ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE TABLE weir.object_references (
  zone text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  count bigint NOT NULL DEFAULT 0,
  refreshed timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (zone, key)
);
CREATE INDEX object_references_unreferenced ON weir.object_references (zone, refreshed) WHERE count <= 0;

CREATE TABLE weir.audit (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  database_user text NOT NULL DEFAULT session_user,
  action text NOT NULL,
  detail text NOT NULL
);
CREATE FUNCTION weir.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of weir.audit are only ever added' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON weir.audit
  FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_change();
`
