/** The keys of sealed objects: each wrapped, by the key of `owner`, or by one of all that is nobody's yet where that is null. */
export const sql = `
ALTER TABLE weir.object_references ADD COLUMN wrapped bytea;
ALTER TABLE weir.object_references ADD COLUMN owner bytea;
`
