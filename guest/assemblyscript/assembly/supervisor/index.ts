//! Supervisors: see "Supervisors" in README.md.

export * from "./children";
export * from "./process";
export * from "./restarts";
export * from "./spec";
