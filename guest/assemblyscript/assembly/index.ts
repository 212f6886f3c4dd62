//! The library `lunatic`: see README.md.

export * from "./codec";
export * from "./mail";
export * from "./pid";
export * from "./process";
export * from "./reader";
export * from "./reason";
export * from "./result";
export * from "./server";
export * from "./writer";
