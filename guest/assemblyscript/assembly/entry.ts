//! What a module of this library exports for the runtime, beside the program's own exports.

export { __lunatic_entry, __lunatic_wake, _lunatic_catch_trap } from "lunatic";
