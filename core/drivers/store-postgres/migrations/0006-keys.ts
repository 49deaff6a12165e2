/** Keys of what is sealed in phi: of objects beside their counts, of records in a table. Each is wrapped by the key of `owner`, or by one
 * of all that is nobody's yet where that is null. */
export const sql = `
ALTER TABLE weir.object_references ADD COLUMN wrapped bytea;
ALTER TABLE weir.object_references ADD COLUMN owner bytea;

CREATE TABLE weir.record_keys (
  id bytea PRIMARY KEY,
  topic text COLLATE "C" NOT NULL,
  wrapped bytea NOT NULL,
  owner bytea,
  made timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX record_keys_made ON weir.record_keys (topic, made);
`
