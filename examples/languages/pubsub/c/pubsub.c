/* A broker, subscribers and a publisher: `pubsub` of examples/languages/README.md.
 *
 * Run it: `lunatic run examples/languages/pubsub/c/pubsub.c`; it prints what the page says.
 *
 * What must stay true: the bytes are those of the page; topics are kept in the order of their
 * names; the broker watches a subscriber as long as it has a topic, with one monitor. */
#include "lunatic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUBSCRIBE = 0, COUNT = 1, WAIT = 2, PUBLISH = 0, UNSUBSCRIBE = 1 };
enum { TEXT_ROOM = 1024, BODY_ROOM = 2 * TEXT_ROOM + 64, CALL_TIMEOUT = 5000 };

/* ---- the broker's state ---- */

typedef struct member {
    lunatic_pid pid;
    struct member *next;
} member;

typedef struct waiter {
    lunatic_ref caller;
    uint64_t at_least;
    struct waiter *next;
} waiter;

typedef struct topic {
    char name[TEXT_ROOM];
    member *members; /* in the order in which they subscribed */
    waiter *waiters;
    uint64_t count;
    bool left; /* who ends now was a member */
    struct topic *next;
} topic;

typedef struct watched {
    lunatic_pid pid;
    lunatic_ref monitor;
    uint64_t topics;
    struct watched *next;
} watched;

typedef struct broker {
    topic *topics;
    watched *all;
} broker;

/* The topic of that name; where it is missing, makes it or gives NULL. */
static topic *find_topic(broker *state, const char *name, bool make) {
    topic **place = &state->topics;
    while (*place != NULL && strcmp((*place)->name, name) < 0) place = &(*place)->next;
    if (*place != NULL && strcmp((*place)->name, name) == 0) return *place;
    if (!make) return NULL;
    topic *made = (topic *)lunatic_allocate(sizeof *made);
    memcpy(made->name, name, strlen(name) + 1);
    made->next = *place;
    return *place = made;
}

static void watch(broker *state, lunatic_pid pid) {
    watched *one = state->all;
    while (one != NULL && !lunatic_same(one->pid, pid)) one = one->next;
    if (one == NULL) {
        one = (watched *)lunatic_allocate(sizeof *one);
        one->pid = pid;
        one->monitor = lunatic_monitor(pid);
        one->next = state->all;
        state->all = one;
    }
    one->topics++;
}

/* Another topic that the subscriber has no more, or that its end took away. */
static void unwatch(broker *state, lunatic_pid pid) {
    watched **place = &state->all;
    while (*place != NULL && !lunatic_same((*place)->pid, pid)) place = &(*place)->next;
    watched *one = *place;
    if (one == NULL || --one->topics > 0) return;
    lunatic_demonitor(one->monitor);
    *place = one->next;
    free(one);
}

static void answer_number(lunatic_ref caller, uint64_t number) {
    uint8_t place[16];
    lunatic_writer out = lunatic_write_to(place, sizeof place);
    lunatic_put_unsigned(&out, number);
    lunatic_answer(caller, place, out.length);
}

static void answer_waiters(topic *its) {
    waiter **place = &its->waiters;
    while (*place != NULL) {
        waiter *one = *place;
        if (one->at_least > its->count) {
            place = &one->next;
            continue;
        }
        answer_number(one->caller, its->count);
        *place = one->next;
        free(one);
    }
}

static void subscribe(broker *state, topic *its, lunatic_pid pid) {
    member **place = &its->members;
    while (*place != NULL && !lunatic_same((*place)->pid, pid)) place = &(*place)->next;
    if (*place != NULL) return;
    *place = (member *)lunatic_allocate(sizeof **place);
    (*place)->pid = pid;
    its->count++;
    watch(state, pid);
    answer_waiters(its);
}

static bool unsubscribe(broker *state, topic *its, lunatic_pid pid) {
    member **place = &its->members;
    while (*place != NULL && !lunatic_same((*place)->pid, pid)) place = &(*place)->next;
    member *one = *place;
    if (one == NULL) return false;
    *place = one->next;
    free(one);
    its->count--;
    unwatch(state, pid);
    return true;
}

static void publish(broker *state, const char *name, const char *text) {
    topic *its = find_topic(state, name, false);
    uint8_t place[BODY_ROOM];
    lunatic_writer out = lunatic_write_to(place, sizeof place);
    lunatic_put_text(&out, name);
    lunatic_put_text(&out, text);
    for (member *one = its == NULL ? NULL : its->members; one != NULL; one = one->next)
        lunatic_send(one->pid, 0, place, out.length, LUNATIC_FOREVER);
}

static void forget(broker *state, lunatic_pid pid) {
    for (topic *its = state->topics; its != NULL; its = its->next)
        its->left = unsubscribe(state, its, pid);
    for (topic *its = state->topics; its != NULL; its = its->next)
        if (its->left) publish(state, "left", its->name);
}

/* ---- the broker's requests ---- */

static bool handle_call(broker *state, lunatic_reader *in, lunatic_ref caller) {
    char name[TEXT_ROOM];
    uint64_t variant = lunatic_get_unsigned(in, UINT32_MAX), at_least = 0;
    lunatic_pid pid = {0, 0};
    lunatic_get_text(in, name, sizeof name);
    if (variant == SUBSCRIBE) pid = lunatic_get_pid(in);
    if (variant == WAIT) at_least = lunatic_get_unsigned(in, UINT32_MAX);
    if (!lunatic_read_all(in) || variant > WAIT) return false;
    topic *its = find_topic(state, name, variant == SUBSCRIBE || at_least > 0);
    if (variant == SUBSCRIBE) subscribe(state, its, pid);
    uint64_t count = its == NULL ? 0 : its->count;
    if (count >= at_least) {
        answer_number(caller, count);
        return true;
    }
    waiter *one = (waiter *)lunatic_allocate(sizeof *one);
    *one = (waiter){caller, at_least, its->waiters};
    its->waiters = one;
    return true;
}

static bool handle_cast(broker *state, lunatic_reader *in) {
    char name[TEXT_ROOM], text[TEXT_ROOM];
    uint64_t variant = lunatic_get_unsigned(in, UINT32_MAX);
    lunatic_pid pid = {0, 0};
    lunatic_get_text(in, name, sizeof name);
    if (variant == PUBLISH) lunatic_get_text(in, text, sizeof text);
    if (variant == UNSUBSCRIBE) pid = lunatic_get_pid(in);
    if (!lunatic_read_all(in) || variant > UNSUBSCRIBE) return false;
    topic *its = find_topic(state, name, false);
    if (variant == PUBLISH) publish(state, name, text);
    if (variant == UNSUBSCRIBE && its != NULL) unsubscribe(state, its, pid);
    return true;
}

static void serve(const uint8_t *argument, size_t length) {
    (void)argument, (void)length;
    broker state = {NULL, NULL};
    for (;;) {
        lunatic_message message;
        lunatic_ref caller;
        uint8_t place[BODY_ROOM];
        lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
        if (message.kind == LUNATIC_IS_DOWN) {
            forget(&state, message.sender);
            continue;
        }
        bool is_call = lunatic_caller(&message, &caller), good = false;
        lunatic_reader in = lunatic_read_body(place, sizeof place);
        if (is_call) good = handle_call(&state, &in, caller);
        if (message.tag == LUNATIC_TAG_CAST) good = handle_cast(&state, &in);
        if (!good) lunatic_dropped("pubsub", &message, "request");
    }
}

LUNATIC_EXPORT("pubsub_broker") void pubsub_broker(void) { lunatic_run(serve); }

/* ---- what subscribers and publishers ask for ---- */

/* Subscribes this process, counts, or waits for `at_least`: how many subscribers there are. */
static uint64_t ask(lunatic_pid its, uint32_t variant, const char *name, uint64_t at_least) {
    uint8_t request[BODY_ROOM], place[16];
    lunatic_writer out = lunatic_write_to(request, sizeof request);
    lunatic_put_unsigned(&out, variant);
    lunatic_put_text(&out, name);
    if (variant == SUBSCRIBE) lunatic_put_pid(&out, lunatic_self());
    if (variant == WAIT) lunatic_put_unsigned(&out, at_least);
    lunatic_reader in = lunatic_ask(its, "broker", &out, place, sizeof place, CALL_TIMEOUT);
    uint64_t count = lunatic_get_unsigned(&in, UINT64_MAX);
    if (!lunatic_read_all(&in)) lunatic_fail("the broker's answer is not a number");
    return count;
}

static void say(lunatic_pid its, const char *name, const char *text) {
    uint8_t place[BODY_ROOM];
    lunatic_writer out = lunatic_write_to(place, sizeof place);
    lunatic_put_unsigned(&out, PUBLISH);
    lunatic_put_text(&out, name);
    lunatic_put_text(&out, text);
    lunatic_cast(its, place, out.length);
}

/* Takes the next text of the topic; drops what else comes. */
static void hear(const char *name, char text[TEXT_ROOM]) {
    for (;;) {
        lunatic_message message;
        uint8_t place[BODY_ROOM];
        char its[TEXT_ROOM];
        lunatic_receive_tag(0, LUNATIC_FOREVER, &message);
        lunatic_reader in = lunatic_read_body(place, sizeof place);
        lunatic_get_text(&in, its, sizeof its);
        lunatic_get_text(&in, text, TEXT_ROOM);
        if (!lunatic_read_all(&in)) lunatic_dropped("pubsub", &message, "topic and text");
        else if (strcmp(its, name) == 0) return;
    }
}

/* ---- the subscriber ---- */

static void listen_to(const uint8_t *argument, size_t length) {
    char where[TEXT_ROOM], about[TEXT_ROOM], name[TEXT_ROOM];
    char text[TEXT_ROOM], heard[TEXT_ROOM];
    lunatic_pid its;
    lunatic_reader in = lunatic_read_from(argument, length);
    lunatic_get_text(&in, where, sizeof where);
    lunatic_get_text(&in, about, sizeof about);
    lunatic_get_text(&in, name, sizeof name);
    if (!lunatic_read_all(&in)) lunatic_fail("the argument is not a broker, a topic and a name");
    if (!lunatic_whereis(where, &its)) {
        printf("nobody is called %s\n", where);
        return;
    }
    ask(its, SUBSCRIBE, about, 0);
    for (;;) {
        hear(about, text);
        if (strcmp(text, "stop") == 0) return;
        if (strncmp(text, "leave ", 6) == 0) {
            if (strcmp(text + 6, name) == 0) lunatic_fail("left without a word");
            continue;
        }
        snprintf(heard, sizeof heard, "%s heard %s", name, text);
        say(its, "heard", heard);
    }
}

LUNATIC_EXPORT("pubsub_subscriber") void pubsub_subscriber(void) { lunatic_run(listen_to); }

/* ---- the publisher ---- */

static int by_bytes(const void *a, const void *b) {
    return strcmp((const char *)a, (const char *)b);
}

/* Publishes, and prints who heard it, sorted; `first` gets the name of the first. */
static void publish_and_print(lunatic_pid its, const char *about, const char *text, uint64_t n,
                              char first[TEXT_ROOM]) {
    char *all = (char *)lunatic_allocate((size_t)n * TEXT_ROOM);
    say(its, about, text);
    for (uint64_t i = 0; i < n; i++) hear("heard", all + i * TEXT_ROOM);
    qsort(all, (size_t)n, TEXT_ROOM, by_bytes);
    for (uint64_t i = 0; i < n; i++) printf("%s\n", all + i * TEXT_ROOM);
    size_t length = strcspn(all, " ");
    memcpy(first, all, length);
    first[length] = 0;
    free(all);
}

static void wait_until_left(const char *about) {
    char text[TEXT_ROOM];
    do hear("left", text);
    while (strcmp(text, about) != 0);
}

static void publish_all(const uint8_t *argument, size_t length) {
    char where[TEXT_ROOM], about[TEXT_ROOM], first[TEXT_ROOM], text[TEXT_ROOM + 8];
    lunatic_pid its;
    lunatic_reader in = lunatic_read_from(argument, length);
    lunatic_get_text(&in, where, sizeof where);
    lunatic_get_text(&in, about, sizeof about);
    uint64_t n = lunatic_get_unsigned(&in, UINT32_MAX);
    if (!lunatic_read_all(&in) || n == 0 || n > SIZE_MAX / TEXT_ROOM)
        lunatic_fail("the argument is not a broker, a topic and a number from 1 on");
    if (!lunatic_whereis(where, &its)) {
        printf("nobody is called %s\n", where);
        return;
    }
    ask(its, SUBSCRIBE, "heard", 0);
    ask(its, SUBSCRIBE, "left", 0);
    ask(its, WAIT, about, n);
    publish_and_print(its, about, "one", n, first);
    snprintf(text, sizeof text, "leave %s", first);
    say(its, about, text);
    wait_until_left(about);
    printf("%s left, %" PRIu64 " stay\n", first, ask(its, COUNT, about, 0));
    if (n > 1) publish_and_print(its, about, "two", n - 1, first);
    say(its, about, "stop");
    for (uint64_t i = 1; i < n; i++) wait_until_left(about);
    if (ask(its, COUNT, about, 0) == 0) puts("nobody is left");
}

LUNATIC_EXPORT("pubsub_publisher") void pubsub_publisher(void) { lunatic_run(publish_all); }

/* ---- all of them ---- */

int main(void) {
    static const char *const names[] = {"a", "b", "c"};
    uint8_t place[64];
    lunatic_child child;
    if (lunatic_spawn(serve, NULL, 0, 0, LUNATIC_OWN, &child) != LUNATIC_OK ||
        !lunatic_register("broker", child.pid))
        lunatic_fail("there is no broker");
    for (size_t i = 0; i < 3; i++) {
        lunatic_writer out = lunatic_write_to(place, sizeof place);
        lunatic_put_text(&out, "broker");
        lunatic_put_text(&out, "news");
        lunatic_put_text(&out, names[i]);
        if (lunatic_spawn(listen_to, place, out.length, 0, LUNATIC_OWN, &child) != LUNATIC_OK)
            lunatic_fail("there is no subscriber");
    }
    lunatic_writer out = lunatic_write_to(place, sizeof place);
    lunatic_put_text(&out, "broker");
    lunatic_put_text(&out, "news");
    lunatic_put_unsigned(&out, 3);
    lunatic_message message;
    if (lunatic_spawn(publish_all, place, out.length, LUNATIC_MONITOR, LUNATIC_OWN, &child))
        lunatic_fail("there is no publisher");
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    return message.reason == LUNATIC_NORMAL ? 0 : 1;
}
