/** Since when what a timer stands for has waited, ms since 1970, UTC; null where the plugin does not say. */
export const sql = `
ALTER TABLE weir.timers ADD COLUMN since double precision;
`
