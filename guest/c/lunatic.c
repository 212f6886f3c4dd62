/* The library behind lunatic.h: the imports, the entry of spawned processes, bodies, calls.
 *
 * What must stay true: structures that the runtime reads have the layout of abi/process.md; the
 * only memory that is allocated unasked is the argument of a process, once. This is the one source
 * to compile: it includes the others. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* for the clock of calls and of the supervisor */
#endif
#include "lunatic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IMPORT(space, name) __attribute__((import_module("lunatic::" space), import_name(name)))

IMPORT("process", "own_pid") extern void host_own_pid(lunatic_pid *);
IMPORT("process", "is_alive") extern int32_t host_is_alive(uint64_t, uint64_t);
IMPORT("process", "spawn_with") extern int32_t host_spawn(const void *, size_t, void *);
IMPORT("process", "sleep_ms") extern void host_sleep(int64_t);
IMPORT("process", "exit")
extern void host_exit(uint64_t, uint64_t, int32_t, const void *, size_t);
IMPORT("process", "exit_self") extern void host_exit_self(int32_t, const void *, size_t);
IMPORT("process", "link_pid") extern void host_link(uint64_t, uint64_t, int64_t, int32_t);
IMPORT("process", "unlink_pid") extern void host_unlink(uint64_t, uint64_t);
IMPORT("process", "monitor_pid")
extern void host_monitor(uint64_t, uint64_t, int32_t, lunatic_ref *);
IMPORT("process", "demonitor") extern int32_t host_demonitor(uint64_t, uint64_t, int32_t);
IMPORT("process", "alias") extern void host_alias(int32_t, lunatic_ref *);
IMPORT("process", "unalias") extern int32_t host_unalias(uint64_t, uint64_t);
IMPORT("process", "hibernate")
extern int32_t host_hibernate(const char *, size_t, const void *, size_t, uint64_t *);
IMPORT("process", "set_flag") extern int32_t host_set_flag(int32_t, int64_t, uint64_t *);
IMPORT("process", "info") extern int32_t host_info(uint64_t, uint64_t, void *, size_t);
IMPORT("process", "compile_module")
extern int32_t host_compile(const void *, size_t, uint64_t *);
IMPORT("process", "drop_module") extern void host_module_drop(int64_t);
IMPORT("error", "drop") extern void host_error_drop(uint64_t);
IMPORT("message", "create_data") extern void host_create(int64_t, uint64_t);
IMPORT("message", "write_data") extern size_t host_write(const void *, size_t);
IMPORT("message", "read_data") extern size_t host_read(void *, size_t);
IMPORT("message", "send_pid") extern int32_t host_send(uint64_t, uint64_t, int64_t);
IMPORT("message", "send_name") extern int32_t host_send_name(const char *, size_t, int64_t);
IMPORT("message", "send_alias")
extern int32_t host_send_alias(uint64_t, uint64_t, int32_t, int64_t);
IMPORT("message", "receive_with")
extern int32_t host_receive(const void *, size_t, int32_t, int64_t, void *);
IMPORT("message", "push_process") extern uint64_t host_push_process(uint64_t, uint64_t);
IMPORT("message", "take_process") extern void host_take_process(uint64_t, lunatic_pid *);
IMPORT("message", "push_alias") extern uint64_t host_push_alias(uint64_t, uint64_t);
IMPORT("message", "take_alias") extern void host_take_alias(uint64_t, lunatic_ref *);
IMPORT("registry", "register")
extern int32_t host_register(const char *, size_t, uint64_t, uint64_t);
IMPORT("registry", "unregister") extern int32_t host_unregister(const char *, size_t);
IMPORT("registry", "get")
extern int32_t host_whereis(const char *, size_t, uint64_t *, uint64_t *);
IMPORT("timer", "start") extern int32_t host_timer(uint64_t, uint64_t, int64_t, lunatic_ref *);
IMPORT("timer", "cancel") extern int32_t host_cancel(uint64_t, uint64_t, uint64_t *);

_Static_assert(sizeof(lunatic_pattern) == 48, "a pattern is as abi/process.md says");
_Static_assert(sizeof(lunatic_message) == 64, "a header is as abi/process.md says");

/* ---- processes ---- */

static const char ENTRY[] = "lunatic_c_entry";

/* Where a spawned process begins: `entry` is an index into the table of functions. */
__attribute__((export_name("lunatic_c_entry"))) void lunatic_c_entry(int32_t entry);

/* Waits for the argument; a parent that is gone will not send it. */
static lunatic_message receive_argument(void) {
    lunatic_message message;
    lunatic_pattern wanted[2] = {{.kinds = LUNATIC_TAKE_MESSAGE, .equal = LUNATIC_BY_TAG,
                                  .tag = LUNATIC_TAG_ARGUMENT},
                                 {.kinds = LUNATIC_TAKE_DOWN, .equal = LUNATIC_BY_REF}};
    if (lunatic_receive(wanted, 1, 0, &message)) return message;
    wanted[1].reference = lunatic_monitor(lunatic_parent());
    lunatic_receive(wanted, 2, LUNATIC_FOREVER, &message);
    if (message.kind == LUNATIC_IS_DOWN) lunatic_exit_self((int32_t)LUNATIC_NOPROC, NULL, 0);
    lunatic_demonitor(wanted[1].reference);
    return message;
}

void lunatic_c_entry(int32_t entry) { lunatic_run((lunatic_entry)entry); }

/* Constructors run before an export, since the linker puts them there; naming them here would keep
 * it from doing so, for `_start` as well. */
void lunatic_run(lunatic_entry entry) {
    lunatic_message message = receive_argument();
    size_t length = (size_t)message.length;
    uint8_t *argument = NULL;
    if (length > 0) {
        argument = (uint8_t *)malloc(length);
        if (argument == NULL) abort();
        length = host_read(argument, length);
    }
    entry(argument, length);
    fflush(NULL);
}

/* Where a process begins: a function that a module exports, and its parameters. */
typedef struct begin {
    int64_t module;
    const char *name;
    size_t name_length;
    const void *parameters;
    size_t parameters_length;
} begin;

static int32_t spawn_at(begin at, const void *argument, size_t length, uint32_t flags,
                        int64_t config, lunatic_child *child) {
    struct {
        uint32_t flags, priority;
        int64_t config;
        begin at;
        int64_t tag;
    } options = {flags, 0, config, at, 0};
    _Static_assert(sizeof options == 48, "options are as abi/process.md says");
    uint64_t result[4] = {0};
    if (host_spawn(&options, sizeof options, result) != LUNATIC_OK) {
        host_error_drop(result[0]);
        return LUNATIC_FAILED;
    }
    memcpy(child, result, sizeof *child);
    lunatic_send(child->pid, LUNATIC_TAG_ARGUMENT, argument, length, LUNATIC_FOREVER);
    return LUNATIC_OK;
}

int32_t lunatic_spawn(lunatic_entry entry, const void *argument, size_t length, uint32_t flags,
                      int64_t config, lunatic_child *child) {
    uint8_t parameter[17] = {0x7F};
    int32_t index = (int32_t)entry;
    memcpy(parameter + 1, &index, sizeof index);
    begin at = {LUNATIC_OWN, ENTRY, sizeof ENTRY - 1, parameter, sizeof parameter};
    return spawn_at(at, argument, length, flags, config, child);
}

int32_t lunatic_spawn_export(int64_t module, const char *name, const void *argument, size_t length,
                             uint32_t flags, int64_t config, lunatic_child *child) {
    begin at = {module, name, strlen(name), NULL, 0};
    return spawn_at(at, argument, length, flags, config, child);
}

bool lunatic_compile(const void *wasm, size_t length, int64_t *module) {
    uint64_t stored = 0;
    int32_t result = host_compile(wasm, length, &stored);
    if (result == LUNATIC_FAILED) host_error_drop(stored);
    if (result == LUNATIC_OK) *module = (int64_t)stored;
    return result == LUNATIC_OK;
}

void lunatic_module_drop(int64_t module) { host_module_drop(module); }

lunatic_pid lunatic_self(void) {
    lunatic_pid pid;
    host_own_pid(&pid);
    return pid;
}

lunatic_pid lunatic_parent(void) {
    uint8_t info[96] = {0};
    lunatic_pid self = lunatic_self(), parent;
    host_info(self.node, self.id, info, sizeof info);
    memcpy(&parent, info + 40, sizeof parent);
    return parent;
}

bool lunatic_is_alive(lunatic_pid pid) { return host_is_alive(pid.node, pid.id) == 1; }

void lunatic_sleep(int64_t milliseconds) { host_sleep(milliseconds); }

void lunatic_exit(lunatic_pid pid, int32_t kind, const void *data, size_t length) {
    host_exit(pid.node, pid.id, kind, data, length);
}

void lunatic_exit_self(int32_t kind, const void *data, size_t length) {
    host_exit_self(kind, data, length);
    __builtin_trap();
}

void lunatic_link(lunatic_pid pid, int64_t tag) { host_link(pid.node, pid.id, tag, 0); }

void lunatic_unlink(lunatic_pid pid) { host_unlink(pid.node, pid.id); }

static lunatic_ref monitor_with(lunatic_pid pid, int32_t flags) {
    lunatic_ref monitor;
    host_monitor(pid.node, pid.id, flags, &monitor);
    return monitor;
}

lunatic_ref lunatic_monitor(lunatic_pid pid) { return monitor_with(pid, 0); }

bool lunatic_demonitor(lunatic_ref monitor) {
    return host_demonitor(monitor.node, monitor.id, 1) == 1;
}

lunatic_ref lunatic_alias(bool once) {
    lunatic_ref alias;
    host_alias(once ? 1 : 0, &alias);
    return alias;
}

bool lunatic_unalias(lunatic_ref alias) { return host_unalias(alias.node, alias.id) == 1; }

void lunatic_trap_exit(bool on) {
    uint64_t before;
    host_set_flag(0, on ? 1 : 0, &before);
}

/* Replaces that of the C library: an assertion that fails is a reason with a text. */
_Noreturn void __assert_fail(const char *said, const char *file, int line, const char *function);

static size_t append(char *text, size_t at, size_t room, const char *more) {
    while (*more != 0 && at < room) text[at++] = *more++;
    return at;
}

_Noreturn void __assert_fail(const char *said, const char *file, int line, const char *function) {
    char text[512], digits[12];
    size_t at = append(text, 0, sizeof text, "panicked at "), digit = sizeof digits - 1;
    digits[digit] = 0;
    do {
        digits[--digit] = (char)('0' + line % 10);
        line /= 10;
    } while (line > 0);
    at = append(text, at, sizeof text, file);
    at = append(text, at, sizeof text, ":");
    at = append(text, at, sizeof text, digits + digit);
    at = append(text, at, sizeof text, ":1: assertion failed: ");
    at = append(text, at, sizeof text, said);
    at = append(text, at, sizeof text, "\nin ");
    at = append(text, at, sizeof text, function);
    lunatic_exit_self(LUNATIC_ERROR, text, at);
}

/* ---- hibernating ---- */

/* What goes on when there is a message; the bytes of the state stand behind it. */
typedef struct resting {
    lunatic_entry entry;
    size_t length;
} resting;

/* The last one: what its entry was given lives until there is another. */
static resting *rested = NULL;
/* Where the stack stood when the process hibernated first. Calls that were given up are below. */
static uint32_t stack_at_rest = 0;

__asm__(".globaltype __stack_pointer, i32\n");

__attribute__((export_name("lunatic_c_wake"))) void lunatic_c_wake(void);

/* No part of lunatic_c_wake, which has moved the stack. */
static __attribute__((noinline)) void wake(void) {
    rested->entry((const uint8_t *)(rested + 1), rested->length);
    fflush(NULL);
}

void lunatic_c_wake(void) {
    __asm__ volatile("local.get %0\n\tglobal.set __stack_pointer" ::"r"(stack_at_rest));
    wake();
}

void lunatic_hibernate(lunatic_entry entry, const void *state, size_t length) {
    static const char name[] = "lunatic_c_wake";
    uint64_t error = 0;
    resting *next = (resting *)malloc(sizeof *next + length);
    if (next == NULL) abort();
    next->entry = entry;
    next->length = length;
    if (length > 0) memcpy(next + 1, state, length);
    free(rested);
    rested = next;
    fflush(NULL);
    if (stack_at_rest == 0)
        __asm__ volatile("global.get __stack_pointer\n\tlocal.set %0" : "=r"(stack_at_rest));
    host_hibernate(name, sizeof name - 1, NULL, 0, &error);
    __builtin_trap();
}

/* ---- messages ---- */

static void draft(int64_t tag, const void *data, size_t length) {
    host_create(tag, length);
    if (length > 0) host_write(data, length);
}

bool lunatic_send(lunatic_pid pid, int64_t tag, const void *data, size_t length, int64_t timeout) {
    draft(tag, data, length);
    return host_send(pid.node, pid.id, timeout) == LUNATIC_OK;
}

int32_t lunatic_send_name(const char *name, int64_t tag, const void *data, size_t length,
                          int64_t timeout) {
    draft(tag, data, length);
    return host_send_name(name, strlen(name), timeout);
}

bool lunatic_send_alias(lunatic_ref alias, int64_t tag, const void *data, size_t length,
                        int64_t timeout) {
    draft(tag, data, length);
    return host_send_alias(alias.node, alias.id, 0, timeout) == LUNATIC_OK;
}

bool lunatic_receive(const lunatic_pattern *patterns, size_t count, int64_t timeout,
                     lunatic_message *message) {
    return host_receive(patterns, count, 0, timeout, message) == LUNATIC_OK;
}

size_t lunatic_read(void *place, size_t room) { return host_read(place, room); }

/* Sends the message in the slot, whose body is the index of its one resource. */
static bool send_resource(uint64_t index, lunatic_pid to, int64_t timeout) {
    uint8_t body = (uint8_t)index;
    host_write(&body, 1);
    return host_send(to.node, to.id, timeout) == LUNATIC_OK;
}

bool lunatic_give_process(lunatic_pid to, int64_t tag, lunatic_pid process, int64_t timeout) {
    host_create(tag, 1);
    return send_resource(host_push_process(process.node, process.id), to, timeout);
}

bool lunatic_give_alias(lunatic_pid to, int64_t tag, lunatic_ref alias, int64_t timeout) {
    host_create(tag, 1);
    return send_resource(host_push_alias(alias.node, alias.id), to, timeout);
}

lunatic_pid lunatic_take_process(void) {
    lunatic_pid pid = {0, 0};
    host_take_process(0, &pid);
    return pid;
}

lunatic_ref lunatic_take_alias(void) {
    lunatic_ref alias = {0, 0};
    host_take_alias(0, &alias);
    return alias;
}

/* ---- names and timers ---- */

bool lunatic_register(const char *name, lunatic_pid pid) {
    return host_register(name, strlen(name), pid.node, pid.id) == LUNATIC_OK;
}

bool lunatic_unregister(const char *name) {
    return host_unregister(name, strlen(name)) == LUNATIC_OK;
}

bool lunatic_whereis(const char *name, lunatic_pid *pid) {
    return host_whereis(name, strlen(name), &pid->node, &pid->id) == LUNATIC_OK;
}

lunatic_ref lunatic_send_after(lunatic_pid pid, int64_t tag, const void *data, size_t length,
                               int64_t milliseconds) {
    lunatic_ref timer;
    draft(tag, data, length);
    host_timer(pid.node, pid.id, milliseconds, &timer);
    return timer;
}

bool lunatic_cancel(lunatic_ref timer) {
    uint64_t left;
    return host_cancel(timer.node, timer.id, &left) == LUNATIC_OK;
}

#include "lunatic_config.c"
#include "lunatic_body.c"

/* ---- calls ---- */

/* Milliseconds on a clock that never goes back. */
static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int64_t left(int64_t timeout, int64_t passed) {
    return passed < timeout ? timeout - passed : 0;
}

lunatic_reply lunatic_call(lunatic_pid server, const void *request, size_t length, void *place,
                           size_t room, int64_t timeout) {
    lunatic_reply reply = {LUNATIC_TIMEOUT, 0, 0};
    lunatic_message message;
    lunatic_pattern wanted = {.kinds = LUNATIC_TAKE_MESSAGE | LUNATIC_TAKE_DOWN,
                              .equal = LUNATIC_BY_REF};
    wanted.reference = monitor_with(server, 3);
    draft(LUNATIC_TAG_CALL, &wanted.reference, sizeof wanted.reference);
    if (length > 0) host_write(request, length);
    bool sent = host_send(server.node, server.id, 0) == LUNATIC_OK;
    if (!sent) {
        /* Only a server with a full mailbox makes its callers look at the clock. */
        int64_t begin = now();
        sent = host_send(server.node, server.id, timeout) == LUNATIC_OK;
        if (timeout > 0) timeout = left(timeout, now() - begin);
    }
    if (!sent || !lunatic_receive(&wanted, 1, timeout, &message)) {
        lunatic_demonitor(wanted.reference);
        /* The reply may have come in between; one that comes later vanishes with the alias. */
        if (!lunatic_receive(&wanted, 1, 0, &message)) return reply;
    }
    if (message.kind == LUNATIC_IS_DOWN) {
        reply.result = LUNATIC_DOWN;
        reply.reason = message.reason;
        return reply;
    }
    reply.result = LUNATIC_OK;
    reply.length = (size_t)message.length;
    host_read(place, room);
    return reply;
}

void lunatic_cast(lunatic_pid server, const void *request, size_t length) {
    lunatic_send(server, LUNATIC_TAG_CAST, request, length, LUNATIC_FOREVER);
}

bool lunatic_caller(const lunatic_message *message, lunatic_ref *caller) {
    if (message->kind != LUNATIC_IS_MESSAGE || message->tag != LUNATIC_TAG_CALL) return false;
    return host_read(caller, sizeof *caller) == sizeof *caller;
}

void lunatic_answer(lunatic_ref caller, const void *reply, size_t length) {
    lunatic_send_alias(caller, LUNATIC_TAG_REPLY, reply, length, LUNATIC_FOREVER);
}

/* ---- what programs do often ---- */

bool lunatic_same(lunatic_pid a, lunatic_pid b) { return a.node == b.node && a.id == b.id; }

void lunatic_fail(const char *text) { lunatic_exit_self(LUNATIC_ERROR, text, strlen(text)); }

void *lunatic_allocate(size_t size) {
    void *place = calloc(1, size);
    if (place == NULL) lunatic_fail("out of memory");
    return place;
}

bool lunatic_receive_tag(int64_t tag, int64_t timeout, lunatic_message *message) {
    lunatic_pattern wanted = {.kinds = LUNATIC_TAKE_MESSAGE, .equal = LUNATIC_BY_TAG};
    wanted.tag = tag;
    return lunatic_receive(&wanted, 1, timeout, message);
}

bool lunatic_wait_down(lunatic_ref monitor, int64_t timeout, lunatic_message *down) {
    lunatic_pattern wanted = {.kinds = LUNATIC_TAKE_DOWN, .equal = LUNATIC_BY_REF};
    wanted.reference = monitor;
    return lunatic_receive(&wanted, 1, timeout, down);
}

lunatic_reader lunatic_read_body(void *place, size_t room) {
    uint8_t more;
    lunatic_reader reader = lunatic_read_from(place, host_read(place, room));
    reader.bad = reader.length == room && host_read(&more, 1) > 0;
    return reader;
}

void lunatic_dropped(const char *program, const lunatic_message *message, const char *type) {
    fprintf(stderr,
            "%s: dropped a message: a message of %" PRIu64 " bytes (tag %" PRId64 ") from <%" PRIu64
            ".%" PRIu64 "> is no %s\n",
            program, message->length, message->tag, message->sender.node, message->sender.id,
            type);
}

static _Noreturn void fail_with(const char *before, const char *name, const char *after) {
    char text[256];
    size_t at = append(text, 0, sizeof text, before);
    at = append(text, at, sizeof text, name);
    lunatic_exit_self(LUNATIC_ERROR, text, append(text, at, sizeof text, after));
}

lunatic_reader lunatic_ask(lunatic_pid server, const char *name, const lunatic_writer *request,
                           void *place, size_t room, int64_t timeout) {
    if (request->bad) fail_with("the request to the ", name, " is too long");
    lunatic_reply reply =
        lunatic_call(server, request->place, request->length, place, room, timeout);
    if (reply.result == LUNATIC_DOWN) fail_with("the ", name, " has ended");
    if (reply.result != LUNATIC_OK) fail_with("the ", name, " did not answer in time");
    if (reply.length > room) fail_with("the answer of the ", name, " is too long");
    return lunatic_read_from(place, reply.length);
}

#include "lunatic_supervisor.c"
#include "lunatic_tcp.c"
#include "lunatic_tls.c"
#include "lunatic_udp.c"
