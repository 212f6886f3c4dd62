/* A pool of supervised workers, and a client: `pool` of examples/languages/README.md.
 *
 * Run it: `lunatic run examples/languages/pool/c/pool.c`; it prints what the page says.
 *
 * What must stay true: the bytes are those of the page; a number is in the queue, with one worker,
 * or given out as a result, and never in two of these places. */
#include "lunatic_supervisor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATS = 0, SUBMIT = 0, READY = 1, DONE = 2, STEPS = 0, FAILED = 1 };
enum { BODY_ROOM = 128, TEXT_ROOM = 1024, CALL_TIMEOUT = 5000 };

/* ---- the pool's state ---- */

typedef struct job {
    uint32_t id, number;
    lunatic_pid submitter;
    struct job *next;
} job;

typedef struct worker {
    lunatic_pid pid;
    job *has; /* NULL: idle */
    struct worker *next;
} worker;

typedef struct pool {
    worker *workers;
    job *waiting;
    uint64_t done, failed;
} pool;

static worker *find_worker(const pool *its, lunatic_pid pid) {
    worker *one = its->workers;
    while (one != NULL && !lunatic_same(one->pid, pid)) one = one->next;
    return one;
}

/* Gives numbers to idle workers, as long as there are both. */
static void give_work(pool *its) {
    for (worker *one = its->workers; one != NULL && its->waiting != NULL; one = one->next) {
        if (one->has != NULL) continue;
        uint8_t place[16];
        lunatic_writer out = lunatic_write_to(place, sizeof place);
        one->has = its->waiting;
        its->waiting = one->has->next;
        lunatic_put_unsigned(&out, one->has->number);
        lunatic_send(one->pid, 0, place, out.length, LUNATIC_FOREVER);
    }
}

static void submit(pool *its, uint32_t id, uint32_t number, lunatic_pid submitter) {
    job **last = &its->waiting;
    while (*last != NULL) last = &(*last)->next;
    *last = (job *)lunatic_allocate(sizeof **last);
    **last = (job){id, number, submitter, NULL};
}

static void ready(pool *its, lunatic_pid pid) {
    if (find_worker(its, pid) != NULL) return;
    worker *one = (worker *)lunatic_allocate(sizeof *one);
    *one = (worker){pid, NULL, its->workers};
    its->workers = one;
    lunatic_monitor(pid);
}

static void done(pool *its, lunatic_pid pid, uint64_t steps) {
    worker *one = find_worker(its, pid);
    if (one == NULL || one->has == NULL) return;
    uint8_t place[BODY_ROOM];
    lunatic_writer out = lunatic_write_to(place, sizeof place);
    lunatic_put_unsigned(&out, one->has->id);
    lunatic_put_unsigned(&out, STEPS);
    lunatic_put_unsigned(&out, steps);
    lunatic_send(one->has->submitter, 0, place, out.length, LUNATIC_FOREVER);
    free(one->has);
    one->has = NULL;
    its->done++;
}

static void worker_ended(pool *its, const lunatic_message *down) {
    static const char crashed[] = "crashed";
    worker **place = &its->workers;
    while (*place != NULL && !lunatic_same((*place)->pid, down->sender)) place = &(*place)->next;
    worker *one = *place;
    if (one == NULL) return;
    *place = one->next;
    if (one->has != NULL) {
        bool told = down->reason == LUNATIC_ERROR;
        size_t length = told ? (size_t)down->length : sizeof crashed - 1, room = length + 32;
        char *text = (char *)lunatic_allocate(length + 1);
        uint8_t *body = (uint8_t *)lunatic_allocate(room);
        memcpy(text, crashed, told ? 0 : length);
        if (told) length = lunatic_read(text, length);
        lunatic_writer out = lunatic_write_to(body, room);
        lunatic_put_unsigned(&out, one->has->id);
        lunatic_put_unsigned(&out, FAILED);
        lunatic_put_bytes(&out, text, length);
        lunatic_send(one->has->submitter, 0, body, out.length, LUNATIC_FOREVER);
        free(body);
        free(text);
        free(one->has);
        its->failed++;
    }
    free(one);
}

/* ---- the pool's requests ---- */

/* False if the request does not decode; it is not answered then. */
static bool handle_call(const pool *its, lunatic_reader *in, lunatic_ref caller) {
    uint8_t place[BODY_ROOM];
    lunatic_writer out = lunatic_write_to(place, sizeof place);
    uint64_t variant = lunatic_get_unsigned(in, UINT32_MAX);
    if (!lunatic_read_all(in) || variant != STATS) return false;
    lunatic_put_unsigned(&out, its->done);
    lunatic_put_unsigned(&out, its->failed);
    lunatic_answer(caller, place, out.length);
    return true;
}

static bool handle_cast(pool *its, lunatic_reader *in) {
    uint64_t variant = lunatic_get_unsigned(in, UINT32_MAX), id = 0, number = 0, steps = 0;
    if (variant == SUBMIT) {
        id = lunatic_get_unsigned(in, UINT32_MAX);
        number = lunatic_get_unsigned(in, UINT32_MAX);
    }
    lunatic_pid pid = lunatic_get_pid(in);
    if (variant == DONE) steps = lunatic_get_unsigned(in, UINT32_MAX);
    if (!lunatic_read_all(in) || variant > DONE) return false;
    if (variant == SUBMIT) submit(its, (uint32_t)id, (uint32_t)number, pid);
    if (variant == READY) ready(its, pid);
    if (variant == DONE) done(its, pid, steps);
    return true;
}

static void serve(const uint8_t *argument, size_t length) {
    (void)argument, (void)length;
    pool its = {NULL, NULL, 0, 0};
    for (;;) {
        lunatic_message message;
        lunatic_ref caller;
        uint8_t place[BODY_ROOM];
        lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
        if (message.kind == LUNATIC_IS_DOWN) {
            worker_ended(&its, &message);
            continue;
        }
        bool is_call = lunatic_caller(&message, &caller), good = false;
        lunatic_reader in = lunatic_read_body(place, sizeof place);
        if (is_call) good = handle_call(&its, &in, caller);
        if (message.tag == LUNATIC_TAG_CAST) good = handle_cast(&its, &in);
        if (!good) lunatic_dropped("pool", &message, "request");
        give_work(&its);
    }
}

LUNATIC_EXPORT("pool_server") void pool_server(void) { lunatic_run(serve); }

/* ---- a worker ---- */

static bool find_pool(const uint8_t *argument, size_t length, char name[TEXT_ROOM],
                      lunatic_pid *its) {
    lunatic_reader in = lunatic_read_from(argument, length);
    lunatic_get_text(&in, name, TEXT_ROOM);
    if (!lunatic_read_all(&in)) lunatic_fail("the argument is not the pool's name");
    return lunatic_whereis(name, its);
}

static uint64_t collatz(uint64_t n) {
    uint64_t steps = 0;
    for (; n != 1; steps++) n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    return steps;
}

static void tell(lunatic_pid its, uint32_t variant, uint64_t steps) {
    uint8_t place[BODY_ROOM];
    lunatic_writer out = lunatic_write_to(place, sizeof place);
    lunatic_put_unsigned(&out, variant);
    lunatic_put_pid(&out, lunatic_self());
    if (variant == DONE) lunatic_put_unsigned(&out, steps);
    lunatic_cast(its, place, out.length);
}

static void work(const uint8_t *argument, size_t length) {
    char name[TEXT_ROOM];
    lunatic_pid its;
    if (!find_pool(argument, length, name, &its)) lunatic_exit_self(LUNATIC_SHUTDOWN, NULL, 0);
    tell(its, READY, 0);
    for (;;) {
        lunatic_message message;
        uint8_t place[BODY_ROOM];
        lunatic_receive_tag(0, LUNATIC_FOREVER, &message);
        lunatic_reader in = lunatic_read_body(place, sizeof place);
        uint64_t number = lunatic_get_unsigned(&in, UINT32_MAX);
        if (!lunatic_read_all(&in)) {
            lunatic_dropped("pool", &message, "number");
            continue;
        }
        if (number == 0) lunatic_fail("a worker cannot bear zero");
        tell(its, DONE, collatz(number));
    }
}

LUNATIC_EXPORT("pool_worker") void pool_worker(void) { lunatic_run(work); }

/* ---- the client ---- */

static const uint32_t NUMBERS[] = {27, 97, 0, 871, 6171, 0, 77031, 1};
enum { COUNT = sizeof NUMBERS / sizeof *NUMBERS };

/* Takes a result, and makes the line to print for it. */
static void take_result(char lines[COUNT][TEXT_ROOM]) {
    lunatic_message message;
    uint8_t place[TEXT_ROOM];
    lunatic_receive_tag(0, LUNATIC_FOREVER, &message);
    lunatic_reader in = lunatic_read_body(place, sizeof place);
    uint64_t id = lunatic_get_unsigned(&in, UINT32_MAX), steps = 0;
    uint64_t variant = lunatic_get_unsigned(&in, UINT32_MAX);
    size_t length = 0;
    const uint8_t *text = NULL;
    if (variant == STEPS) steps = lunatic_get_unsigned(&in, UINT32_MAX);
    if (variant == FAILED) text = lunatic_get_bytes(&in, &length);
    if (!lunatic_read_all(&in) || id >= COUNT || variant > FAILED)
        lunatic_fail("a result does not decode");
    if (variant == STEPS)
        snprintf(lines[id], TEXT_ROOM, "%" PRIu32 ": %" PRIu64 " steps", NUMBERS[id], steps);
    else
        snprintf(lines[id], TEXT_ROOM, "%" PRIu32 ": %.*s", NUMBERS[id], (int)length,
                 (const char *)text);
}

static void print_stats(lunatic_pid its) {
    uint8_t request[1], place[BODY_ROOM];
    lunatic_writer out = lunatic_write_to(request, sizeof request);
    lunatic_put_unsigned(&out, STATS);
    lunatic_reader in = lunatic_ask(its, "pool", &out, place, sizeof place, CALL_TIMEOUT);
    uint64_t given = lunatic_get_unsigned(&in, UINT64_MAX);
    uint64_t failed = lunatic_get_unsigned(&in, UINT64_MAX);
    if (!lunatic_read_all(&in)) lunatic_fail("the pool's stats do not decode");
    printf("%" PRIu64 " done, %" PRIu64 " failed\n", given, failed);
}

static void client(const uint8_t *argument, size_t length) {
    static char lines[COUNT][TEXT_ROOM];
    char name[TEXT_ROOM];
    lunatic_pid its;
    if (!find_pool(argument, length, name, &its)) {
        printf("nobody is called %s\n", name);
        return;
    }
    for (uint32_t id = 0; id < COUNT; id++) {
        uint8_t place[BODY_ROOM];
        lunatic_writer out = lunatic_write_to(place, sizeof place);
        lunatic_put_unsigned(&out, SUBMIT);
        lunatic_put_unsigned(&out, id);
        lunatic_put_unsigned(&out, NUMBERS[id]);
        lunatic_put_pid(&out, lunatic_self());
        lunatic_cast(its, place, out.length);
    }
    for (uint32_t id = 0; id < COUNT; id++) take_result(lines);
    for (uint32_t id = 0; id < COUNT; id++) puts(lines[id]);
    print_stats(its);
}

LUNATIC_EXPORT("pool_client") void pool_client(void) { lunatic_run(client); }

/* ---- all of them ---- */

/* The argument is that of the workers. */
static void supervise(const uint8_t *argument, size_t length) {
    static const lunatic_supervision how = {LUNATIC_ONE_FOR_ONE, 10, 10000};
    lunatic_child_spec specs[3];
    for (size_t i = 0; i < 3; i++)
        specs[i] = (lunatic_child_spec){.entry = work, .argument = argument, .length = length,
                                        .config = LUNATIC_OWN, .restart = LUNATIC_PERMANENT,
                                        .shutdown = CALL_TIMEOUT};
    lunatic_supervise(&how, specs, 3);
}

int main(void) {
    uint8_t name[BODY_ROOM];
    lunatic_child its, supervisor, asking;
    if (lunatic_spawn(serve, NULL, 0, 0, LUNATIC_OWN, &its) != LUNATIC_OK ||
        !lunatic_register("pool", its.pid))
        lunatic_fail("there is no pool");
    lunatic_writer out = lunatic_write_to(name, sizeof name);
    lunatic_put_text(&out, "pool");
    if (lunatic_spawn(supervise, name, out.length, LUNATIC_MONITOR, LUNATIC_OWN, &supervisor))
        lunatic_fail("there is no supervisor");
    if (lunatic_spawn(client, name, out.length, LUNATIC_MONITOR, LUNATIC_OWN, &asking))
        lunatic_fail("there is no client");
    lunatic_message down;
    lunatic_wait_down(asking.monitor, LUNATIC_FOREVER, &down);
    if (down.reason != LUNATIC_NORMAL) lunatic_fail("the client failed");
    lunatic_exit(supervisor.pid, LUNATIC_SHUTDOWN, NULL, 0);
    lunatic_wait_down(supervisor.monitor, LUNATIC_FOREVER, &down);
    puts("the pool is closed");
    return 0;
}
