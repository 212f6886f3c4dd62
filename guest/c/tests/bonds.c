/* What core.c leaves open, each as an assertion: a reply that comes too late, one that is longer
 * than its place, casts, calls that are none, demonitor, unlink, and configurations. */
#include "../lunatic.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER = 7, ANSWERED = 8, SUM = 9 };

/* Keeps who calls, and answers with five bytes when it is told to; adds up what is cast. */
static void server(const uint8_t *argument, size_t length) {
    lunatic_pid tester;
    lunatic_ref caller = {0, 0};
    uint64_t sum = 0;
    assert(length == sizeof tester);
    memcpy(&tester, argument, sizeof tester);
    for (;;) {
        lunatic_message message;
        uint8_t place[8];
        lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
        if (message.tag == LUNATIC_TAG_CALL) {
            lunatic_ref found;
            if (!lunatic_caller(&message, &found)) continue;
            caller = found;
            if (message.length > sizeof found) lunatic_answer(caller, "hello", 5);
        } else if (message.tag == LUNATIC_TAG_CAST) {
            lunatic_reader in = lunatic_read_from(place, lunatic_read(place, sizeof place));
            sum += lunatic_get_unsigned(&in, UINT32_MAX);
        } else if (message.tag == ANSWER) {
            lunatic_answer(caller, "hello", 5);
            lunatic_send(tester, ANSWERED, NULL, 0, LUNATIC_FOREVER);
        } else if (message.tag == SUM) {
            lunatic_send(tester, SUM, &sum, sizeof sum, LUNATIC_FOREVER);
        }
    }
}

static lunatic_child start_server(uint32_t flags) {
    lunatic_child child;
    lunatic_pid self = lunatic_self();
    assert(lunatic_spawn(server, &self, sizeof self, flags, LUNATIC_OWN, &child) == LUNATIC_OK);
    return child;
}

static bool nothing_there(void) {
    lunatic_message message;
    return !lunatic_receive(NULL, 0, 0, &message);
}

static void late_reply(void) {
    lunatic_child child = start_server(0);
    lunatic_message message;
    char place[4];
    assert(lunatic_call(child.pid, NULL, 0, place, sizeof place, 1).result == LUNATIC_TIMEOUT);
    lunatic_send(child.pid, ANSWER, NULL, 0, LUNATIC_FOREVER);
    /* The server sends the reply first: if it came, it would be the older one. */
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    assert(message.tag == ANSWERED && nothing_there());
    /* The next call is not confused by it, and a reply may be longer than its place. */
    lunatic_reply reply = lunatic_call(child.pid, "x", 1, place, sizeof place, LUNATIC_FOREVER);
    assert(reply.result == LUNATIC_OK && reply.length == 5 && memcmp(place, "hell", 4) == 0);
    assert(nothing_there());
    lunatic_exit(child.pid, LUNATIC_KILL, NULL, 0);
}

static void casts(void) {
    lunatic_child child = start_server(0);
    lunatic_message message;
    uint64_t sum = 0;
    lunatic_cast(child.pid, "\x03", 1);
    /* Too short for the reference of a call: it is passed over. */
    lunatic_send(child.pid, LUNATIC_TAG_CALL, "short", 5, LUNATIC_FOREVER);
    lunatic_cast(child.pid, "\xac\x02", 2);
    lunatic_send(child.pid, SUM, NULL, 0, LUNATIC_FOREVER);
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    assert(message.tag == SUM && lunatic_read(&sum, sizeof sum) == sizeof sum && sum == 303);
    lunatic_exit(child.pid, LUNATIC_KILL, NULL, 0);
}

static void undone_bonds(void) {
    lunatic_child child = start_server(LUNATIC_LINK | LUNATIC_MONITOR);
    lunatic_ref second = lunatic_monitor(child.pid);
    lunatic_message message;
    lunatic_pattern wanted = {.kinds = LUNATIC_TAKE_DOWN, .equal = LUNATIC_BY_REF};
    wanted.reference = child.monitor;
    lunatic_unlink(child.pid);
    assert(lunatic_demonitor(second));
    second = lunatic_monitor(child.pid);
    lunatic_exit(child.pid, LUNATIC_KILL, NULL, 0);
    /* Without the unlink, the exit would end this process now. */
    lunatic_receive(&wanted, 1, LUNATIC_FOREVER, &message);
    assert(message.reason == LUNATIC_KILLED && !lunatic_is_alive(child.pid));
    /* The down of the other monitor lies in the mailbox: it goes with the monitor. */
    lunatic_demonitor(second);
    assert(nothing_there());
    lunatic_trap_exit(true);
    lunatic_link(child.pid, 5);
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    assert(message.kind == LUNATIC_IS_EXIT && message.reason == LUNATIC_NOPROC);
    assert(message.tag == 5);
    lunatic_trap_exit(false);
}

/* ---- configurations ---- */

static void nothing(const uint8_t *argument, size_t length) { (void)argument, (void)length; }

static void spawns(const uint8_t *argument, size_t length) {
    lunatic_child child;
    (void)argument, (void)length;
    lunatic_spawn(nothing, NULL, 0, 0, LUNATIC_OWN, &child);
}

static void has_no_rights(const uint8_t *argument, size_t length) {
    (void)argument, (void)length;
    assert(lunatic_config_empty() == -1);
}

static void grows(const uint8_t *argument, size_t length) {
    (void)argument, (void)length;
    /* Volatile, or the compiler leaves the allocation out. */
    void *volatile place = malloc((size_t)16 << 20);
    if (place == NULL) lunatic_exit_self(LUNATIC_CUSTOM, NULL, 0);
}

static void loops(const uint8_t *argument, size_t length) {
    (void)argument, (void)length;
    for (volatile uint32_t i = 0;; i++) continue;
}

static void sleeps(const uint8_t *argument, size_t length) {
    (void)argument, (void)length;
    for (;;) lunatic_sleep(1000);
}

/* How a process ends that has this budget of its own. */
static uint32_t end_within(lunatic_entry entry, uint32_t kind, uint64_t amount) {
    int64_t config = lunatic_config_empty();
    lunatic_child child;
    lunatic_message down;
    char text[32];
    assert(lunatic_config_budget(config, false, kind, amount, LUNATIC_END));
    assert(lunatic_spawn(entry, NULL, 0, LUNATIC_MONITOR, config, &child) == LUNATIC_OK);
    assert(lunatic_wait_down(child.monitor, LUNATIC_FOREVER, &down));
    size_t length = lunatic_read(text, sizeof text);
    const char *name = kind == LUNATIC_CPU_TIME ? "cpu_time_max" : "lifetime_max";
    assert(length == strlen(name) && memcmp(text, name, length) == 0);
    lunatic_config_drop(config);
    return down.reason;
}

static uint32_t end_with(lunatic_entry entry, int64_t config) {
    lunatic_child child;
    lunatic_message message;
    assert(lunatic_spawn(entry, NULL, 0, LUNATIC_MONITOR, config, &child) == LUNATIC_OK);
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    assert(message.kind == LUNATIC_IS_DOWN);
    return message.reason;
}

static void configurations(void) {
    int64_t config = lunatic_config_empty();
    assert(config >= 0);
    assert(end_with(has_no_rights, config) == LUNATIC_NORMAL);
    assert(end_with(spawns, config) == LUNATIC_TRAP);
    lunatic_config_may_spawn(config, true);
    assert(end_with(spawns, config) == LUNATIC_NORMAL);
    assert(end_with(grows, LUNATIC_OWN) == LUNATIC_NORMAL);
    lunatic_config_memory(config, (uint64_t)4 << 20);
    assert(end_with(grows, config) == LUNATIC_CUSTOM);
    assert(lunatic_config_network(config, true, "tcp:127.0.0.1:8000-8999"));
    assert(!lunatic_config_network(config, true, "no rule at all"));
    lunatic_config_fuel(config, 1);
    assert(end_with(loops, config) == LUNATIC_LIMIT);
    lunatic_config_drop(config);
    assert(end_within(loops, LUNATIC_CPU_TIME, 5) == LUNATIC_LIMIT);
    assert(end_within(sleeps, LUNATIC_LIFETIME, 5) == LUNATIC_LIMIT);
    config = lunatic_config_empty();
    /* Processor time that is used up cannot be waited for. */
    assert(!lunatic_config_budget(config, true, LUNATIC_CPU_TIME, 5, LUNATIC_WAIT));
    lunatic_config_drop(config);
}

int main(void) {
    late_reply();
    casts();
    undone_bonds();
    configurations();
    puts("ok");
    return 0;
}
