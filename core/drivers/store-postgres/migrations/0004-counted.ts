/** Whether anything has referred to an object since it was last put. Null: it was put by a version that counted nothing, so its count
 * tells nothing, and no sweep takes it. */
export const sql = `
ALTER TABLE weir.object_references ADD COLUMN counted boolean;
ALTER TABLE weir.object_references ALTER COLUMN counted SET DEFAULT false;
`
