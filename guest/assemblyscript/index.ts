//! `import ... from "lunatic"` finds the library here.

export * from "./assembly";
