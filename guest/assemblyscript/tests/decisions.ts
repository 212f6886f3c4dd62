//! What supervisors decide, with a stand-in for the runtime: no process is spawned here.

import {
  AutoShutdown, BRUTAL_KILL, Children, ChildSpec, ChildState, Effects, ExitReason, Failure,
  FailureKind, Flags, INFINITY, Outcome, Pid, Restart, Restarts, Result, Strategy, check,
  stoppedWell,
} from "lunatic";

/** Writes down what is done, and starts and stops nothing. */
class Stand extends Effects {
  log: string = "";
  reports: string = "";
  failing: string = "";
  ignoring: string = "";
  again: string = "";
  private next: u64 = 1;

  start(spec: ChildSpec): Result<Pid> {
    if (this.failing == spec.id) {
      this.log += " !" + spec.id;
      return Result.failed<Pid>(new Failure(FailureKind.Start, "on purpose"));
    }
    if (this.ignoring == spec.id) {
      return Result.failed<Pid>(new Failure(FailureKind.Ignored, "nothing to do"));
    }
    this.log += " +" + spec.id;
    return Result.ok<Pid>(new Pid(0, this.next++));
  }

  stop(_pid: Pid, spec: ChildSpec): ExitReason {
    this.log += " -" + spec.id;
    return ExitReason.shutdown();
  }

  tryAgain(id: string): void {
    this.again += " " + id;
  }

  report(what: string, spec: ChildSpec, _why: string): void {
    this.reports += " " + what + " " + spec.id + ";";
  }

  taken(): string {
    const log = this.log;
    this.log = "";
    return log;
  }
}

function holds(requirement: string): void {
  console.log("ok " + requirement);
}

function child(id: string): ChildSpec {
  return ChildSpec.of(id, 0, 0, new Uint8Array(0));
}

function flags(strategy: Strategy, intensity: u32 = 5): Flags {
  const flags = new Flags();
  flags.strategy = strategy;
  flags.intensity = intensity;
  return flags;
}

function three(strategy: Strategy, stand: Stand): Children {
  const children = new Children(flags(strategy), [child("a"), child("b"), child("c")], stand);
  assert(children.startAll() === null);
  assert(stand.taken() == " +a +b +c");
  return children;
}

function ends(children: Children, id: string, reason: ExitReason, now: u64 = 0): Outcome {
  for (let i = 0; i < children.list.length; i++) {
    const child = children.list[i];
    if (child.spec.id == id) return children.exited(child.pid, reason, now);
  }
  return Outcome.Continue;
}

function failure(): ExitReason {
  return ExitReason.error("on purpose");
}

function strategiesNameTheOthers(): void {
  const strategies = [Strategy.OneForOne, Strategy.OneForAll, Strategy.RestForOne];
  const expected = [" +b", " -c -a +a +b +c", " -c +b +c"];
  for (let i = 0; i < 3; i++) {
    const stand = new Stand();
    const children = three(strategies[i], stand);
    assert(ends(children, "b", failure()) == Outcome.Continue);
    assert(stand.taken() == expected[i], expected[i]);
    children.stopAll();
    assert(stand.taken() == " -c -b -a");
  }
  holds("each strategy starts those again that it names, in order");
}

function restartTypes(): void {
  const reasons = [
    ExitReason.normal(), ExitReason.shutdown(), ExitReason.shutdownWith(new Uint8Array(1)),
    failure(), ExitReason.killed(),
  ];
  for (let i = 0; i < reasons.length; i++) {
    const stand = new Stand();
    const specs = [child("p"), child("t").transient(), child("x").temporary()];
    const children = new Children(flags(Strategy.OneForOne), specs, stand);
    children.startAll();
    stand.taken();
    ends(children, "p", reasons[i]);
    ends(children, "t", reasons[i]);
    ends(children, "x", reasons[i]);
    assert(stand.taken() == (i < 3 ? " +p" : " +p +t"), reasons[i].toString());
    assert(children.list.length == 2, "a temporary child is forgotten");
    assert(children.list[1].state == (i < 3 ? ChildState.Stopped : ChildState.Running));
  }
  holds("permanent, transient and temporary children are started again as OTP does it");
}

function intensityHasABound(): void {
  const times: u64[][] = [[0], [0, 1], [0, 5], [0, 6], [0, 1, 2, 6], [0, 0, 11, 11, 11]];
  const bounds: u32[] = [0, 1, 1, 1, 3, 2];
  const periods: u64[] = [5, 5, 5, 5, 5, 10];
  const last = [false, false, false, true, true, false];
  for (let i = 0; i < times.length; i++) {
    const restarts = new Restarts(bounds[i], periods[i]);
    let may = false;
    for (let j = 0; j < times[i].length; j++) {
      assert(j == 0 || may);
      may = restarts.add(times[i][j]);
    }
    assert(may == last[i], i.toString());
  }
  const stand = new Stand();
  const children = new Children(flags(Strategy.OneForOne, 1), [child("a")], stand);
  children.startAll();
  assert(ends(children, "a", failure(), 0) == Outcome.Continue);
  assert(ends(children, "a", failure(), 5000) == Outcome.Shutdown);
  assert(stand.reports.endsWith(" shutdown a;"));
  holds("one restart more than the intensity within the period ends the supervisor");
}

function failedStarts(): void {
  let stand = new Stand();
  stand.failing = "b";
  let children = new Children(flags(Strategy.OneForOne), [child("a"), child("b")], stand);
  assert(children.startAll()!.kind == FailureKind.Start);
  assert(stand.taken() == " +a !b -a" && stand.again == "");
  holds("a start that fails stops those before it");
  stand = new Stand();
  children = new Children(flags(Strategy.RestForOne, 2), [child("a"), child("b")], stand);
  children.startAll();
  stand.failing = "b";
  stand.taken();
  ends(children, "a", failure());
  assert(stand.taken() == " -b +a !b" && stand.again == " b");
  assert(children.tryAgain("b", 1) == Outcome.Continue && stand.again == " b b");
  stand.failing = "";
  assert(children.tryAgain("b", 9999) == Outcome.Continue);
  assert(children.list[1].state == ChildState.Running);
  assert(children.tryAgain("b", 9999) == Outcome.Continue && stand.taken() == " !b +b");
  holds("a restart that fails is tried again and counts");
  stand = new Stand();
  stand.ignoring = "b";
  const specs = [child("a").temporary(), child("b").temporary(), child("c")];
  children = new Children(flags(Strategy.OneForAll), specs, stand);
  assert(children.startAll() === null && stand.taken() == " +a +c");
  assert(children.list.length == 2);
  ends(children, "c", failure());
  assert(stand.taken() == " -a +c", "a temporary child that was stopped stays away");
  holds("a child may ignore its start");
}

function significantChildren(): void {
  for (let all = 0; all < 2; all++) {
    const stand = new Stand();
    const how = flags(Strategy.OneForOne);
    how.autoShutdown = all ? AutoShutdown.AllSignificant : AutoShutdown.AnySignificant;
    const specs = [child("a").transient().significant(), child("b").transient().significant()];
    assert(check(how, specs) === null);
    const children = new Children(how, specs, stand);
    children.startAll();
    assert(ends(children, "a", failure()) == Outcome.Continue, "it is started again");
    const outcome = ends(children, "a", ExitReason.normal());
    assert(outcome == (all ? Outcome.Continue : Outcome.Shutdown));
    assert(ends(children, "b", ExitReason.normal()) == Outcome.Shutdown);
  }
  holds("significant children end the supervisor when they end by themselves");
  assert(check(flags(Strategy.OneForOne), [child("a"), child("a")]) !== null);
  assert(check(flags(Strategy.OneForOne), [child("a").transient().significant()]) !== null);
  const never = flags(Strategy.OneForOne);
  never.period = 0;
  assert(check(never, []) !== null);
  holds("specifications that make no sense are refused");
}

function childrenAreManaged(): void {
  const stand = new Stand();
  const children = three(Strategy.OneForOne, stand);
  assert(children.startChild(child("a")).is(FailureKind.Running));
  assert(children.startChild(child("d")).ok && stand.taken() == " +d");
  assert(children.restartChild("d").is(FailureKind.Running));
  assert(children.deleteChild("d")!.kind == FailureKind.Running);
  assert(children.terminateChild("d") === null && children.terminateChild("d") === null);
  assert(stand.taken() == " -d");
  assert(children.startChild(child("d")).is(FailureKind.Present));
  assert(children.restartChild("d").ok && children.terminateChild("d") === null);
  assert(children.deleteChild("d") === null);
  assert(children.deleteChild("d")!.kind == FailureKind.NotFound);
  assert(children.terminateChild("d")!.kind == FailureKind.NotFound);
  assert(children.restartChild("d").is(FailureKind.NotFound));
  stand.failing = "e";
  assert(children.startChild(child("e")).is(FailureKind.Start) && children.list.length == 3);
  assert(children.exited(new Pid(0, 99), failure(), 0) == Outcome.Continue);
  holds("children are added, stopped, started again and deleted");
}

function endsAreJudged(): void {
  const normal = ExitReason.normal();
  assert(stoppedWell(ExitReason.shutdown(), child("a").endsWithin(INFINITY)));
  assert(!stoppedWell(normal, child("a")));
  assert(stoppedWell(normal, child("a").transient()));
  assert(!stoppedWell(ExitReason.killed(), child("a").temporary()));
  assert(stoppedWell(ExitReason.killed(), child("a").endsWithin(BRUTAL_KILL)));
  assert(!stoppedWell(ExitReason.shutdown(), child("a").endsWithin(BRUTAL_KILL)));
  holds("what ends otherwise than asked is told apart");
}

/** A generator of numbers that needs nothing (splitmix64). */
class Random {
  constructor(private state: u64) {}

  below(bound: u64): u32 {
    this.state += 0x9e3779b97f4a7c15;
    let z = this.state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return <u32>((z ^ (z >> 31)) % bound);
  }
}

const NAMES = ["a", "b", "c", "d"];

function checkList(children: Children, seed: string): void {
  for (let i = 0; i < children.list.length; i++) {
    const child = children.list[i];
    const gone = child.spec.restart == Restart.Temporary && child.state == ChildState.Stopped;
    assert(!gone, "seed " + seed + ": a temporary child that does not run is listed");
    for (let j = 0; j < i; j++) assert(children.list[j].spec.id != child.spec.id, seed);
  }
}

function whateverHappens(): void {
  for (let seed: u64 = 0; seed < 200; seed++) {
    const random = new Random(seed);
    const stand = new Stand();
    const specs: ChildSpec[] = [];
    for (let i = 0; i < 4; i++) {
      const spec = child(NAMES[i]);
      spec.restart = random.below(3);
      specs.push(spec);
    }
    const children = new Children(flags(random.below(3), 1000000), specs, stand);
    children.startAll();
    for (let step = 0; step < 40; step++) {
      const id = NAMES[random.below(4)];
      switch (random.below(7)) {
        case 0: children.terminateChild(id); break;
        case 1: children.restartChild(id); break;
        case 2: children.deleteChild(id); break;
        case 3: children.startChild(child(id)); break;
        case 4: stand.failing = random.below(2) ? id : ""; break;
        case 5: children.tryAgain(id, 0); break;
        default: ends(children, id, random.below(2) ? failure() : ExitReason.normal());
      }
      checkList(children, seed.toString());
    }
    let running = 0;
    for (let i = 0; i < children.list.length; i++) {
      if (children.list[i].state == ChildState.Running) running++;
    }
    stand.taken();
    children.stopAll();
    assert(stand.taken().length == 3 * running, "seed " + seed.toString() + ": all are stopped");
  }
  holds("whatever happens, what is listed as running is stopped at the end");
}

export function _start(): void {
  strategiesNameTheOthers();
  restartTypes();
  intensityHasABound();
  failedStarts();
  significantChildren();
  childrenAreManaged();
  endsAreJudged();
  whateverHappens();
}
