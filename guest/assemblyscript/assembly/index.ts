//! The library `lunatic`: see README.md.

export * from "./argument";
export * from "./arguments";
export * from "./clock";
export * from "./codec";
export * from "./config";
export * from "./given";
export * from "./hibernate";
export * from "./mail";
export * from "./module";
export * from "./pid";
export * from "./process";
export * from "./reader";
export * from "./reason";
export * from "./resource";
export * from "./result";
export * from "./server";
export * from "./supervisor";
export * from "./system";
export * from "./tcp";
export * from "./writer";
