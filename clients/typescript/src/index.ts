/** A typed client of Wardroom. */
export type { components, operations } from "./api.js";
export { Client, info, type File, type Info, type Input, type Options, type Output, type Picture, type Row, type Schemas } from "./client.js";
export * from "./errors.js";
export { version } from "./version.js";
