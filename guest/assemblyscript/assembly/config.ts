//! What children may do: configurations, budgets, and accounts of what was used.
//!
//! What must stay true: a configuration that could not be made as it was asked for spawns nothing.

import { Failure, Result } from "./result";
import { Pid } from "./pid";
import { utf8 } from "./text";
import * as host from "./host";

/** For whom a budget is: each process, or a process with all its descendants together. */
export enum Scope { Process, Subtree }

/** What a budget is of; abi/budgets.md has the units. */
export enum Budget {
  /** Bytes at present. */
  Memory,
  /** Milliseconds of processor time. */
  CpuTime,
  /** Thousandths of a core. */
  CpuRate,
  /** Live children, or descendants. */
  Children,
  /** Milliseconds from the spawn on. */
  Lifetime,
  /** Messages a second. */
  MessagesOut,
  /** Messages a second. */
  MessagesIn,
  /** Bytes, both ways. */
  Network,
  /** Sockets, files and databases that are open. */
  Descriptors,
}

/** What happens at a budget's end. */
export enum Policy { Error, Wait, End }

const CONNECT: i32 = 0;
const BIND: i32 = 1;
const KINDS: i32 = 9;

/**
 * What a child may do. It never gets more than its parent has. What cannot be done is kept in
 * `failure`, and makes every spawn with it fail with this.
 */
export class Config {
  /** What could not be done first; null as long as all is well. */
  failure: Failure | null = null;

  private constructor(readonly id: i64) {
    if (id < 0) this.failure = Failure.refused("a configuration", "it is denied");
  }

  /** Nothing is allowed. */
  static empty(): Config {
    return new Config(host.config.create_empty());
  }

  /** All but spawning, compiling and configuring, directories, variables and arguments. */
  static create(): Config {
    return new Config(host.config.create());
  }

  /** Bytes of linear memory. */
  memoryMax(bytes: u64): Config {
    if (this.id >= 0) host.config.set_max_memory(this.id, bytes);
    return this;
  }

  /** Units of 100,000 instructions; 0 is no limit. */
  fuelMax(units: u64): Config {
    if (this.id >= 0) host.config.set_max_fuel(this.id, units);
    return this;
  }

  /** Adds a right in its written form, such as `stdout` or `names`; docs/rights.md lists them. */
  allow(right: string): Config {
    if (this.id < 0) return this;
    const text = utf8(right);
    const out = new StaticArray<u64>(1);
    const at = changetype<usize>(out);
    const code = host.config.allow(this.id, changetype<usize>(text), text.byteLength, at);
    if (code != 0) this.fail("the right " + right, out[0]);
    return this;
  }

  /** Takes a right away. */
  deny(right: string): Config {
    if (this.id < 0) return this;
    const text = utf8(right);
    const out = new StaticArray<u64>(1);
    const at = changetype<usize>(out);
    const code = host.config.deny(this.id, changetype<usize>(text), text.byteLength, at);
    if (code != 0) this.fail("the right " + right, out[0]);
    return this;
  }

  canSpawn(flag: bool = true): Config {
    if (this.id >= 0) host.config.set_can_spawn(this.id, flag);
    return this;
  }

  canCompileModules(flag: bool = true): Config {
    if (this.id >= 0) host.config.set_can_compile(this.id, flag);
    return this;
  }

  canCreateConfigs(flag: bool = true): Config {
    if (this.id >= 0) host.config.set_can_create(this.id, flag);
    return this;
  }

  /** Where it may connect to: `tcp:127.0.0.1:80`; abi/config.md has the rules. */
  allowConnect(rule: string): Config {
    return this.allowNetwork(CONNECT, rule);
  }

  /** Where it may listen. */
  allowBind(rule: string): Config {
    return this.allowNetwork(BIND, rule);
  }

  private allowNetwork(access: i32, rule: string): Config {
    if (this.id < 0) return this;
    const text = utf8(rule);
    const at = changetype<usize>(text);
    const out = new StaticArray<u64>(1);
    const error = changetype<usize>(out);
    const failed = host.config.allow_network(this.id, access, at, text.byteLength, error) != 0;
    if (failed) this.fail("the rule " + rule, out[0]);
    return this;
  }

  /** Takes all of the network away. */
  denyNetwork(): Config {
    if (this.id >= 0) host.config.deny_network(this.id);
    return this;
  }

  /** Whether it may look up names. */
  allowResolve(flag: bool = true): Config {
    if (this.id >= 0) host.config.allow_resolve(this.id, flag);
    return this;
  }

  /** An argument of the command line; the first is the program's name. */
  argument(argument: string): Config {
    const text = utf8(argument);
    if (this.id >= 0) host.config.add_argument(this.id, changetype<usize>(text), text.byteLength);
    return this;
  }

  /** An environment variable. */
  variable(name: string, value: string): Config {
    const key = utf8(name);
    const text = utf8(value);
    const at = changetype<usize>(key);
    const value_at = changetype<usize>(text);
    if (this.id >= 0) {
      host.config.add_variable(this.id, at, key.byteLength, value_at, text.byteLength);
    }
    return this;
  }

  /** A directory that it may use. */
  directory(path: string): Config {
    const text = utf8(path);
    if (this.id >= 0) host.config.preopen(this.id, changetype<usize>(text), text.byteLength);
    return this;
  }

  /** How much of something it may use. A policy that makes no sense for it is a failure. */
  budget(scope: Scope, kind: Budget, amount: u64, policy: Policy): Config {
    if (this.id < 0) return this;
    const out = new StaticArray<u64>(1);
    const at = changetype<usize>(out);
    const failed = host.config.set_budget(this.id, scope, kind, amount, policy, at) != 0;
    if (failed) this.fail("a budget", out[0]);
    return this;
  }

  /** Gives it back. What was spawned with it goes on. */
  drop(): void {
    if (this.id >= 0) host.config.drop(this.id);
  }

  private fail(what: string, error: u64): void {
    const failure = Failure.ofResource(what, error);
    if (this.failure === null) this.failure = failure;
  }
}

/** What was used of the budgets, and what there may be, by their kinds. */
export class Account {
  constructor(private readonly figures: StaticArray<u64>) {}

  used(kind: Budget): u64 {
    return this.figures[2 * <i32>kind];
  }

  /** All bits set: no limit. */
  limit(kind: Budget): u64 {
    return this.figures[2 * <i32>kind + 1];
  }

  /** That of the calling process or of a descendant; a failure where there is none. */
  static of(pid: Pid, scope: Scope): Result<Account> {
    const figures = new StaticArray<u64>(2 * KINDS);
    const at = changetype<usize>(figures);
    const code = host.config.account(pid.node, pid.id, scope, at, 16 * KINDS);
    if (code == 0) return Result.ok<Account>(new Account(figures));
    const why = code == 1
      ? "there is no such process"
      : code == 2 ? "it is no descendant" : "it has none";
    return Result.failed<Account>(Failure.refused("the account of " + pid.toString(), why));
  }
}
