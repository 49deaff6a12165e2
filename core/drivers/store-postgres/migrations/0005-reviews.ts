/** The review queue: what waits for a person, and the decisions, which are only ever added. */
export const sql = `
CREATE TABLE weir.reviews (
  pipeline text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  stage text COLLATE "C" NOT NULL,
  person text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  reason text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL
    CHECK (state IN ('pending', 'accepted', 'redacted', 'rejected', 'passed', 'gone')),
  input text NOT NULL,
  held bigint NOT NULL,
  facts text NOT NULL,
  PRIMARY KEY (pipeline, id)
);
CREATE INDEX reviews_subject ON weir.reviews (pipeline, stage, subject);
CREATE INDEX reviews_person ON weir.reviews (pipeline, person);

CREATE TABLE weir.review_lines (
  pipeline text COLLATE "C" NOT NULL,
  stage text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  review text COLLATE "C" NOT NULL,
  at text NOT NULL,
  actor text NOT NULL,
  action text NOT NULL,
  detail text NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (pipeline, stage, number)
);
CREATE INDEX review_lines_review ON weir.review_lines (pipeline, review, number);
CREATE FUNCTION weir.refuse_review_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of weir.review_lines are only ever added' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON weir.review_lines
  FOR EACH STATEMENT EXECUTE FUNCTION weir.refuse_review_change();
`
