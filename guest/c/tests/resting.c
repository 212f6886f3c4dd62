/* Hibernating, and processes and aliases that are given: each requirement is an assertion. */
#include "../lunatic.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { ADD = 1, TOTAL = 2, GIVEN = 3, SAID = 4 };

typedef struct count {
    lunatic_pid parent;
    uint64_t total;
} count;

/* Hibernates between any two messages, out of a call that has used much of the stack. */
static void counter(const uint8_t *state, size_t length) {
    uint8_t used[4096];
    count now;
    lunatic_message message;
    uint8_t number = 0;
    assert(length == sizeof now);
    memcpy(&now, state, sizeof now);
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    if (message.tag == TOTAL) {
        lunatic_send(now.parent, TOTAL, &now.total, sizeof now.total, LUNATIC_FOREVER);
        return;
    }
    assert(lunatic_read(&number, 1) == 1);
    memset(used, number, sizeof used);
    now.total += used[number];
    lunatic_hibernate(counter, &now, sizeof now);
}

/* More often than the stack of 61 KiB would bear if nothing was given back. */
static void many_rests(void) {
    enum { TIMES = 1000 };
    count begin = {lunatic_self(), 0};
    lunatic_child child;
    lunatic_message message;
    uint64_t total = 0;
    uint8_t number = 3;
    assert(lunatic_spawn(counter, &begin, sizeof begin, LUNATIC_MONITOR, LUNATIC_OWN, &child) ==
           LUNATIC_OK);
    for (int i = 0; i < TIMES; i++) lunatic_send(child.pid, ADD, &number, 1, LUNATIC_FOREVER);
    lunatic_send(child.pid, TOTAL, NULL, 0, LUNATIC_FOREVER);
    /* The down, if it ended. */
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    assert(message.tag == TOTAL);
    assert(lunatic_read(&total, sizeof total) == sizeof total && total == 3 * TIMES);
    assert(lunatic_wait_down(child.monitor, LUNATIC_FOREVER, &message));
    assert(message.reason == LUNATIC_NORMAL);
}

/* ---- gifts ---- */

/* Says on what it was told. */
static void relay(const uint8_t *argument, size_t length) {
    lunatic_pid parent;
    lunatic_message message;
    char text[8];
    assert(length == sizeof parent);
    memcpy(&parent, argument, sizeof parent);
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    size_t said = lunatic_read(text, sizeof text);
    lunatic_send(parent, SAID, text, said, LUNATIC_FOREVER);
}

/* In a sandbox: what it was told of it does not reach, what it was given it does. */
static void guest(const uint8_t *argument, size_t length) {
    lunatic_pid told;
    lunatic_message message;
    assert(length == sizeof told);
    memcpy(&told, argument, sizeof told);
    lunatic_send(told, 0, "told", 4, LUNATIC_FOREVER);
    assert(lunatic_receive_tag(GIVEN, LUNATIC_FOREVER, &message) && message.resources == 1);
    lunatic_send(lunatic_take_process(), 0, "given", 5, LUNATIC_FOREVER);
    assert(lunatic_receive_tag(GIVEN, LUNATIC_FOREVER, &message) && message.resources == 1);
    lunatic_send_alias(lunatic_take_alias(), SAID, "alias", 5, LUNATIC_FOREVER);
}

static void hear(const char *expected) {
    lunatic_message message;
    char text[8];
    assert(lunatic_receive_tag(SAID, LUNATIC_FOREVER, &message));
    size_t length = lunatic_read(text, sizeof text);
    assert(length == strlen(expected) && memcmp(text, expected, length) == 0);
}

static void gifts(void) {
    lunatic_pid self = lunatic_self();
    lunatic_child strangers[2], child;
    lunatic_message message;
    int64_t config = lunatic_config_empty();
    for (int i = 0; i < 2; i++)
        assert(lunatic_spawn(relay, &self, sizeof self, 0, LUNATIC_OWN, &strangers[i]) ==
               LUNATIC_OK);
    lunatic_pid told = strangers[0].pid;
    assert(lunatic_spawn(guest, &told, sizeof told, LUNATIC_MONITOR, config, &child) == LUNATIC_OK);
    assert(lunatic_give_process(child.pid, GIVEN, strangers[1].pid, LUNATIC_FOREVER));
    hear("given");
    lunatic_ref alias = lunatic_alias(false);
    assert(lunatic_give_alias(child.pid, GIVEN, alias, LUNATIC_FOREVER));
    hear("alias");
    assert(lunatic_wait_down(child.monitor, LUNATIC_FOREVER, &message));
    assert(message.reason == LUNATIC_NORMAL && lunatic_is_alive(told));
    lunatic_config_drop(config);
}

int main(void) {
    many_rests();
    gifts();
    puts("ok");
    return 0;
}
