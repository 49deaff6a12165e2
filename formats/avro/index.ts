/** Records as bytes: Apache Avro 1.12 in the Confluent wire format (a zero byte, the schema id as 4 bytes big-endian, the datum). */
export * from "./compatible.ts"
export * from "./envelope.ts"
export * from "./key.ts"
export { AvroFault } from "./wire.ts"
