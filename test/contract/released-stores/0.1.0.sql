-- A Store as Weir 0.1.0 leaves it: the schema after its migrations, and a task in the middle of its work.
-- Written once, at the release; never changed.
CREATE SCHEMA weir;
CREATE TABLE weir.migrations
  (number integer PRIMARY KEY, name text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
INSERT INTO weir.migrations (number, name) VALUES (1, '0001-store');

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

INSERT INTO weir.stages (pipeline, name) VALUES ('chest', 'label');
INSERT INTO weir.tasks (stage, partition, epoch, outbox, published, positions, facts) VALUES
  (1, 3, 7, 12, 11,
   '{"people.facts": {"next": "9007199254740993", "last": ["9007199254740992", 4026531839]}}',
   '{"ended": {"people.facts|source/ehr": "5"}, "complete": {}, "closed": "", "forwarded": {}}');
INSERT INTO weir.state (task, key, sort, value) VALUES (1, 'person', 'd/fact', '{"n":1}');
INSERT INTO weir.shared_state (stage, key, sort, value) VALUES (1, 'all', 'x', '2');
INSERT INTO weir.timers (task, key, name, clock, due, topic, partition, "offset") VALUES
  (1, 'person', 'horizon', 'calendar', 1700000000000, 'people.facts', 3, 41);
INSERT INTO weir.outbox (task, number, payload) VALUES (1, 12, '\x0102'::bytea);
INSERT INTO weir.object_references (zone, key, count) VALUES ('phi', 'objects/a', 2);
INSERT INTO weir.audit (action, detail) VALUES ('sql', 'select 1');
