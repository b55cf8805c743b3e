/** The version of this package, which is that of the server. */
export const version = "0.1.0";
