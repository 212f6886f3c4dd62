/* A number in a process, and a client: `counter` of examples/languages/README.md.
 *
 * Run it: `lunatic run examples/languages/counter/c/counter.c`; it prints what the page says.
 *
 * What must stay true: the bytes are those of the page, so that clients and servers in other
 * languages can be on the other side. */
#include "lunatic.h"

#include <inttypes.h>
#include <stdio.h>

enum { GET = 0, ADD = 1, RESET = 0, CRASH = 1 };
enum { BODY_MAX = 64, NAME_MAX_BYTES = 256, CALL_TIMEOUT = 5000 };

/* ---- the server ---- */

/* False if the request does not decode; it is not answered then. */
static bool handle_call(lunatic_reader *in, lunatic_ref caller, int64_t *number) {
    uint8_t place[BODY_MAX];
    lunatic_writer out = lunatic_write_to(place, sizeof place);
    uint64_t variant = lunatic_get_unsigned(in, UINT32_MAX);
    int64_t more = variant == ADD ? lunatic_get_signed(in, INT64_MAX) : 0;
    if (!lunatic_read_all(in) || variant > ADD) return false;
    *number = (int64_t)((uint64_t)*number + (uint64_t)more);
    lunatic_put_signed(&out, *number);
    lunatic_answer(caller, place, out.length);
    return true;
}

static bool handle_cast(lunatic_reader *in, int64_t *number) {
    uint64_t variant = lunatic_get_unsigned(in, UINT32_MAX);
    if (!lunatic_read_all(in) || variant > CRASH) return false;
    if (variant == CRASH) lunatic_fail("told to crash");
    *number = 0;
    return true;
}

static void server(const uint8_t *argument, size_t length) {
    lunatic_reader in = lunatic_read_from(argument, length);
    int64_t number = lunatic_get_signed(&in, INT64_MAX);
    if (!lunatic_read_all(&in)) lunatic_fail("the argument is not a number to begin with");
    for (;;) {
        lunatic_message message;
        lunatic_ref caller;
        uint8_t place[BODY_MAX];
        lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
        bool is_call = lunatic_caller(&message, &caller), good = false;
        in = lunatic_read_body(place, sizeof place);
        if (is_call) good = handle_call(&in, caller, &number);
        if (message.tag == LUNATIC_TAG_CAST) good = handle_cast(&in, &number);
        if (!good) lunatic_dropped("counter", &message, "request");
    }
}

LUNATIC_EXPORT("counter_server") void counter_server(void) { lunatic_run(server); }

/* ---- the client ---- */

/* Calls with ADD, or with GET if `add` is NULL. */
static int64_t ask(lunatic_pid counter, const int64_t *add) {
    uint8_t request[BODY_MAX], place[BODY_MAX];
    lunatic_writer out = lunatic_write_to(request, sizeof request);
    lunatic_put_unsigned(&out, add == NULL ? GET : ADD);
    if (add != NULL) lunatic_put_signed(&out, *add);
    lunatic_reader in =
        lunatic_ask(counter, "counter", &out, place, sizeof place, CALL_TIMEOUT);
    int64_t number = lunatic_get_signed(&in, INT64_MAX);
    if (!lunatic_read_all(&in)) lunatic_fail("the counter's answer is not a number");
    return number;
}

static void client(const uint8_t *argument, size_t length) {
    static const int64_t added[] = {40, 2, -50};
    static const uint8_t reset = RESET;
    char name[NAME_MAX_BYTES];
    lunatic_pid counter;
    lunatic_reader in = lunatic_read_from(argument, length);
    lunatic_get_text(&in, name, sizeof name);
    if (!lunatic_read_all(&in)) lunatic_fail("the argument is not the server's name");
    if (!lunatic_whereis(name, &counter)) {
        printf("nobody is called %s\n", name);
        return;
    }
    printf("add 40: %" PRId64 "\n", ask(counter, &added[0]));
    printf("add 2: %" PRId64 "\n", ask(counter, &added[1]));
    printf("get: %" PRId64 "\n", ask(counter, NULL));
    printf("add -50: %" PRId64 "\n", ask(counter, &added[2]));
    lunatic_cast(counter, &reset, 1);
    printf("reset, get: %" PRId64 "\n", ask(counter, NULL));
}

LUNATIC_EXPORT("counter_client") void counter_client(void) { lunatic_run(client); }

/* ---- both ---- */

int main(void) {
    static const uint8_t zero = 0, crash = CRASH;
    uint8_t argument[BODY_MAX], reason[BODY_MAX];
    lunatic_child counter, asking;
    if (lunatic_spawn(server, &zero, 1, 0, LUNATIC_OWN, &counter) != LUNATIC_OK ||
        !lunatic_register("counter", counter.pid))
        lunatic_fail("there is no counter");
    lunatic_writer out = lunatic_write_to(argument, sizeof argument);
    lunatic_put_text(&out, "counter");
    if (lunatic_spawn(client, argument, out.length, LUNATIC_MONITOR, LUNATIC_OWN, &asking))
        lunatic_fail("there is no client");
    lunatic_message down;
    lunatic_wait_down(asking.monitor, LUNATIC_FOREVER, &down);
    if (down.reason != LUNATIC_NORMAL) lunatic_fail("the client failed");
    lunatic_ref watched = lunatic_monitor(counter.pid);
    lunatic_cast(counter.pid, &crash, 1);
    lunatic_wait_down(watched, LUNATIC_FOREVER, &down);
    size_t length = lunatic_read(reason, sizeof reason);
    printf("counter has ended: %.*s\n", (int)length, (const char *)reason);
    return 0;
}
