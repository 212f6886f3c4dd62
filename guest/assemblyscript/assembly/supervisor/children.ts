//! The children of a supervisor: who runs, and what is done when one ends. Without host calls.
//!
//! What must stay true: children are started in their order and stopped in the reverse; those that
//! go with another stop before any of them starts again; a temporary child that does not run is
//! not in the list; a restart that fails leaves the child marked, is tried again, and counts. All
//! of it follows OTP's supervisor.

import { AutoShutdown, ChildSpec, Flags, Restart, Strategy, check } from "./spec";
import { Failure, FailureKind, Result } from "../result";
import { Pid } from "../pid";
import { ExitReason } from "../reason";
import { Restarts } from "./restarts";

/** What a child does at the moment: runs; does not; its restart has failed and is tried again. */
export enum ChildState { Running, Stopped, Restarting }

/** What becomes of the supervisor. */
export enum Outcome { Continue, Shutdown }

/** What decisions need from outside; a test can stand in for the runtime. */
export abstract class Effects {
  /** Starts a child, and waits until it has said how that went. */
  abstract start(spec: ChildSpec): Result<Pid>;

  /** Stops a child, and waits for its end. Gives the reason with which it ended. */
  abstract stop(pid: Pid, spec: ChildSpec): ExitReason;

  /** What was received until now is to be handled; then the child is to be tried again. */
  abstract tryAgain(id: string): void;

  /** Tells people what has happened. */
  abstract report(what: string, spec: ChildSpec, why: string): void;
}

/** One child. */
export class Child {
  state: ChildState = ChildState.Stopped;
  /** While it runs. */
  pid: Pid = new Pid();

  constructor(readonly spec: ChildSpec) {}
}

/** The children of one supervisor, in the order of their start. */
export class Children {
  readonly list: Child[] = [];
  private readonly restarts: Restarts;

  constructor(
    private readonly flags: Flags, specs: ChildSpec[], private readonly effects: Effects,
  ) {
    this.restarts = new Restarts(flags.intensity, flags.period);
    for (let i = 0; i < specs.length; i++) this.list.push(new Child(specs[i]));
  }

  /** Starts all. If one fails, those before it are stopped again, and the failure is given. */
  startAll(): Failure | null {
    const failed = this.startRange(0, this.list.length);
    if (failed !== null) this.stopAll();
    return failed;
  }

  /** Stops all, the last started first. */
  stopAll(): void {
    this.stopFrom(0);
  }

  /** A linked process has ended. What is no child changes nothing. */
  exited(pid: Pid, reason: ExitReason, now: u64): Outcome {
    const index = this.running(pid);
    if (index < 0) return Outcome.Continue;
    const spec = this.list[index].spec;
    const failed = !reason.isOrderly;
    if (spec.restart == Restart.Permanent || failed) {
      this.effects.report("child terminated", spec, reason.toString());
    }
    const always = spec.restart == Restart.Permanent;
    if (always || (spec.restart == Restart.Transient && failed)) return this.restart(index, now);
    this.forgetProcess(index);
    return this.autoShutdown(spec);
  }

  /** Tries a restart again that has failed, unless the child was taken care of meanwhile. */
  tryAgain(id: string, now: u64): Outcome {
    const index = this.find(id);
    if (index < 0 || this.list[index].state != ChildState.Restarting) return Outcome.Continue;
    return this.restart(index, now);
  }

  /** Adds a child as the last one and starts it. A failed start leaves nothing. */
  startChild(spec: ChildSpec): Result<Pid> {
    const index = this.find(spec.id);
    if (index >= 0) return Result.failed<Pid>(this.occupied(this.list[index]));
    const wrong = check(this.flags, [spec]);
    if (wrong !== null) return Result.failed<Pid>(wrong);
    const child = new Child(spec);
    const started = this.effects.start(spec);
    if (started.ok) this.runs(child, started.value);
    const ignored = started.is(FailureKind.Ignored) && spec.restart != Restart.Temporary;
    if (started.ok || ignored) this.list.push(child);
    return started;
  }

  /** Stops a child, if it runs. Its specification stays, unless it is temporary. */
  terminateChild(id: string): Failure | null {
    const index = this.find(id);
    if (index < 0) return notFound(id);
    this.stopOne(index);
    this.forgetProcess(index);
    return null;
  }

  /** Starts a child that was stopped. */
  restartChild(id: string): Result<Pid> {
    const wrong = this.notStopped(id);
    if (wrong !== null) return Result.failed<Pid>(wrong);
    const child = this.list[this.find(id)];
    const started = this.effects.start(child.spec);
    if (started.ok) this.runs(child, started.value);
    return started;
  }

  /** Forgets a child that was stopped. */
  deleteChild(id: string): Failure | null {
    const wrong = this.notStopped(id);
    if (wrong === null) this.list.splice(this.find(id), 1);
    return wrong;
  }

  /** Counts a restart and makes it, with the others that the strategy names. */
  private restart(index: i32, now: u64): Outcome {
    const child = this.list[index];
    if (!this.restarts.add(now)) {
      this.effects.report("shutdown", child.spec, "reached its maximum restart intensity");
      this.forgetProcess(index);
      return Outcome.Shutdown;
    }
    // The one that ended must not be stopped again.
    child.state = ChildState.Stopped;
    const strategy = this.flags.strategy;
    const from = strategy == Strategy.OneForAll ? 0 : index;
    let to = index + 1;
    if (strategy != Strategy.OneForOne) {
      this.stopFrom(from);
      to = this.list.length;
    }
    this.startRange(from, to, true);
    return Outcome.Continue;
  }

  /** Starts the children from `from` to before `to`; ends at the first that fails. */
  private startRange(from: i32, to: i32, again: bool = false): Failure | null {
    for (let index = from; index < to; index++) {
      const child = this.list[index];
      const started = this.effects.start(child.spec);
      if (started.ok) this.runs(child, started.value);
      else if (started.is(FailureKind.Ignored)) {
        child.state = ChildState.Stopped;
        if (child.spec.restart == Restart.Temporary) {
          this.list.splice(index--, 1);
          to--;
        }
      } else {
        this.effects.report("start error", child.spec, started.error.message);
        if (again) {
          child.state = ChildState.Restarting;
          this.effects.tryAgain(child.spec.id);
        }
        return started.error;
      }
    }
    return null;
  }

  private runs(child: Child, pid: Pid): void {
    child.state = ChildState.Running;
    child.pid = pid;
  }

  /** Stops the children from the last back to `from`. Temporary ones leave the list. */
  private stopFrom(from: i32): void {
    for (let index = this.list.length - 1; index >= from; index--) {
      this.stopOne(index);
      this.forgetProcess(index);
    }
  }

  private stopOne(index: i32): void {
    const child = this.list[index];
    if (child.state != ChildState.Running) return;
    const reason = this.effects.stop(child.pid, child.spec);
    if (!stoppedWell(reason, child.spec)) {
      this.effects.report("shutdown error", child.spec, reason.toString());
    }
  }

  /** The child at `index` does not run any more. */
  private forgetProcess(index: i32): void {
    if (this.list[index].spec.restart == Restart.Temporary) this.list.splice(index, 1);
    else this.list[index].state = ChildState.Stopped;
  }

  private autoShutdown(ended: ChildSpec): Outcome {
    const when = this.flags.autoShutdown;
    if (!ended.isSignificant || when == AutoShutdown.Never) return Outcome.Continue;
    if (when == AutoShutdown.AnySignificant) return Outcome.Shutdown;
    for (let i = 0; i < this.list.length; i++) {
      const child = this.list[i];
      if (child.spec.isSignificant && child.state != ChildState.Stopped) return Outcome.Continue;
    }
    return Outcome.Shutdown;
  }

  private find(id: string): i32 {
    for (let i = 0; i < this.list.length; i++) if (this.list[i].spec.id == id) return i;
    return -1;
  }

  private running(pid: Pid): i32 {
    for (let i = 0; i < this.list.length; i++) {
      const child = this.list[i];
      if (child.state == ChildState.Running && child.pid.equals(pid)) return i;
    }
    return -1;
  }

  private notStopped(id: string): Failure | null {
    const index = this.find(id);
    if (index < 0) return notFound(id);
    const child = this.list[index];
    if (child.state == ChildState.Stopped) return null;
    return new Failure(FailureKind.Running, "the child " + id + " runs", child.pid);
  }

  private occupied(child: Child): Failure {
    const what = "the child " + child.spec.id;
    if (child.state == ChildState.Running) {
      return new Failure(FailureKind.Running, what + " runs already", child.pid);
    }
    return new Failure(FailureKind.Present, what + " is there already");
  }
}

function notFound(id: string): Failure {
  return new Failure(FailureKind.NotFound, "there is no child " + id);
}

/** Whether a child that was stopped has ended as it should; what has not is reported. */
export function stoppedWell(reason: ExitReason, spec: ChildSpec): bool {
  const asked = spec.shutdown == 0 ? ExitReason.killed() : ExitReason.shutdown();
  if (reason.equals(asked)) return true;
  return spec.restart != Restart.Permanent && reason.isOrderly;
}
