//! What configurations, budgets, modules, timers by name and flags promise: each requirement prints
//! its name when it holds.

import {
  Account, Budget, Config, ExitReason, FailureKind, Mailbox, Module, Pattern, Pid, Policy, Priority,
  ReasonKind, Reference, Scope, SpawnOptions, TcpListener, TcpStream, Unit, cancelTimer, exit,
  monitorName, readTimer, receive, register, send, sendNameAfter, setLabel, setPriority, sleep,
  spawnExport, trySend, trySpawn, unregister,
} from "lunatic";

function holds(requirement: string): void {
  console.log("ok " + requirement);
}

function child(_mailbox: Mailbox<i32>, what: i32): void {
  if (what == 0) while (true) {}
  if (what == 1) exit(denied(TcpStream.connect("127.0.0.1:1").error.message));
  if (what == 2) exit(denied(TcpListener.bind("127.0.0.1:0").ok ? "bound" : "denied"));
  if (what == 3) {
    const bytes = new Uint8Array(32 << 20);
    exit(denied(bytes.length.toString()));
  }
  if (what == 4) {
    const options = new SpawnOptions().configured(Config.empty());
    exit(denied(trySpawn<i32, i32>(child, 1, options).error.message));
  }
}

function denied(what: string): ExitReason {
  return ExitReason.error(what);
}

function reasonOf(config: Config, what: i32): ExitReason {
  const options = new SpawnOptions().configured(config).monitor().priority(Priority.High);
  const spawned = trySpawn<i32, i32>(child, what, options).value;
  return downOf(spawned.monitor);
}

function downOf(reference: Reference): ExitReason {
  return receive(-1, [Pattern.down().referring(reference)])!.reason;
}

function childrenGetWhatTheyAreGiven(): void {
  const refused = reasonOf(Config.empty(), 1).text;
  assert(refused.startsWith("connecting to 127.0.0.1:1: "), refused);
  assert(reasonOf(Config.empty(), 2).text == "denied");
  assert(reasonOf(Config.empty().allowBind("tcp:127.0.0.1"), 2).text == "bound");
  assert(reasonOf(Config.create().denyNetwork(), 2).text == "denied");
  holds("a child has the network that its configuration allows");
  assert(reasonOf(Config.empty().memoryMax(1 << 20), 3).text != "33554432");
  assert(reasonOf(Config.empty(), 3).text == "33554432");
  holds("a child has no more memory than its configuration allows");
  assert(reasonOf(Config.empty(), 4).text.startsWith("a configuration: "));
  holds("a child that may not configure is told so when it spawns");
}

function rightsAreWritten(): void {
  assert(reasonOf(Config.empty().allow("bind:tcp:127.0.0.1"), 2).text == "bound");
  assert(reasonOf(Config.create().deny("bind:*"), 2).text == "denied");
  assert(Config.empty().allow("no right").failure !== null);
  assert(Config.empty().deny("no right").failure !== null);
  holds("a right is given and taken away in its written form");
}

function whatIsWrongSpawnsNothing(): void {
  const config = Config.empty().allowConnect("no rule at all").memoryMax(1 << 20);
  assert(config.failure !== null);
  const options = new SpawnOptions().configured(config);
  const refused = trySpawn<i32, i32>(child, 1, options);
  assert(refused.is(FailureKind.Refused) && refused.error.message.includes("no rule at all"));
  const budget = Config.empty().budget(Scope.Process, Budget.Lifetime, 1, Policy.Wait);
  assert(budget.failure !== null, "nobody can wait for more time to live");
  config.drop();
  holds("a configuration that could not be made spawns nothing, and says why");
}

function budgetsAreKept(): void {
  const config = Config.empty().budget(Scope.Process, Budget.CpuTime, 20, Policy.End);
  const reason = reasonOf(config, 0);
  assert(reason.kind == ReasonKind.Limit && reason.text == "cpu_time_max", reason.toString());
  const counted = Config.empty()
    .budget(Scope.Process, Budget.Network, 5000, Policy.Error)
    .budget(Scope.Process, Budget.Descriptors, 3, Policy.End);
  const options = new SpawnOptions().configured(counted);
  const pid = trySpawn<i32, i32>(child, 0, options).value.pid;
  const account = Account.of(pid, Scope.Process).value;
  assert(account.used(Budget.Network) == 0 && account.limit(Budget.Network) == 5000);
  assert(account.used(Budget.Descriptors) == 0 && account.limit(Budget.Descriptors) == 3);
  assert(account.limit(Budget.CpuTime) == u64.MAX_VALUE);
  pid.exit(ExitReason.kill());
  pid.isAlive();
  assert(Account.of(pid, Scope.Process).is(FailureKind.Refused));
  holds("a budget ends a process, and an account says what was used");
}

/** A module in whatever language: it exports a function `entry` that does nothing. */
const MODULE: u8[] = [
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 9, 1, 5, 0x65, 0x6e, 0x74,
  0x72, 0x79, 0, 0, 10, 4, 1, 2, 0, 11,
];

function modulesAreSpawned(): void {
  const bytes = new Uint8Array(MODULE.length);
  bytes.set(MODULE);
  const mailbox = new Mailbox<Module>();
  send<Module>(mailbox.self(), Module.compile(bytes).value);
  const module = mailbox.receive().value;
  const options = new SpawnOptions().inModule(module).monitor();
  const spawned = spawnExport<Unit>("entry", new Unit(), options).value;
  assert(downOf(spawned.monitor).kind == ReasonKind.Normal);
  module.drop();
  bytes[0] = 1;
  assert(Module.compile(bytes).is(FailureKind.Refused));
  holds("a module is compiled, sent, and spawned by the name of its entry");
}

function namesAndTimers(): void {
  const me = Pid.own();
  register("limits", me);
  const timer = sendNameAfter<i32>("limits", 4, 1);
  assert(receive(-1, [Pattern.message().referring(timer)])!.read<i32>().value == 4);
  assert(readTimer(timer) == -1);
  const late = sendNameAfter<i32>("limits", 4, 1000000);
  assert(readTimer(late) > 0 && cancelTimer(late) > 0);
  unregister("limits");
  assert(downOf(monitorName("limits")).kind == ReasonKind.NoProcess);
  holds("a timer by name fires, is read and cancelled; a monitor of no name is told noproc");
  assert(trySend<i32>(me, 1, 0));
  assert(new Mailbox<i32>().receive().value == 1);
  setPriority(Priority.Low);
  setLabel("limits");
  sleep(1);
  holds("a process has a priority and a label");
}

export function _start(): void {
  childrenGetWhatTheyAreGiven();
  rightsAreWritten();
  whatIsWrongSpawnsNothing();
  budgetsAreKept();
  modulesAreSpawned();
  namesAndTimers();
  console.log("all hold");
}
