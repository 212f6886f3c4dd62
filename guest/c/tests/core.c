/* What the library promises, each as an assertion: a call, a call that times out, a request that
 * does not decode, a link, a monitor, exit reasons, an alias, a name, a timer, texts. */
#include "../lunatic.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Answers u32 n with n + 1; stays silent for 0; tells who sent what is no u32. */
static void server(const uint8_t *argument, size_t length) {
    assert(length == 3 && memcmp(argument, "arg", 3) == 0);
    for (;;) {
        lunatic_message message;
        lunatic_ref caller;
        uint8_t place[16], out[8];
        lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
        if (!lunatic_caller(&message, &caller)) continue;
        lunatic_reader in = lunatic_read_from(place, lunatic_read(place, sizeof place));
        uint64_t n = lunatic_get_unsigned(&in, UINT32_MAX);
        lunatic_writer writer = lunatic_write_to(out, sizeof out);
        lunatic_put_unsigned(&writer, lunatic_read_all(&in) ? n + 1 : 0);
        if (n != 0 || in.bad) lunatic_answer(caller, out, writer.length);
    }
}

static void fails(const uint8_t *argument, size_t length) {
    (void)argument;
    assert(length == 1);
}
static void exits(const uint8_t *argument, size_t length) {
    (void)argument, (void)length;
    exit(3);
}
static void aborts(const uint8_t *argument, size_t length) {
    (void)argument, (void)length;
    abort();
}

static uint32_t reason_of(lunatic_entry entry) {
    lunatic_child child;
    lunatic_message message;
    assert(lunatic_spawn(entry, NULL, 0, LUNATIC_MONITOR, LUNATIC_OWN, &child) == LUNATIC_OK);
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    assert(message.kind == LUNATIC_IS_DOWN && message.reference.id == child.monitor.id);
    return message.reason;
}

static void bodies(void) {
    uint8_t place[32], overlong[] = {0x80, 0x00}, large[] = {0xFF, 0xFF, 0xFF, 0xFF, 0x1F};
    lunatic_writer out = lunatic_write_to(place, sizeof place);
    lunatic_put_unsigned(&out, 300);
    lunatic_put_signed(&out, -65);
    assert(out.length == 4 && memcmp(place, "\xac\x02\x81\x01", 4) == 0);
    lunatic_reader in = lunatic_read_from(place, 4);
    assert(lunatic_get_unsigned(&in, UINT16_MAX) == 300);
    assert(lunatic_get_signed(&in, INT32_MAX) == -65);
    assert(lunatic_read_all(&in));
    in = lunatic_read_from(large, 5);
    lunatic_get_unsigned(&in, UINT32_MAX);
    assert(in.bad);
    in = lunatic_read_from(overlong, 1);
    lunatic_get_unsigned(&in, UINT32_MAX);
    assert(in.bad);
    char text[4];
    out = lunatic_write_to(place, sizeof place);
    lunatic_put_text(&out, "abc");
    lunatic_put_text(&out, "abcd");
    in = lunatic_read_from(place, out.length);
    lunatic_get_text(&in, text, sizeof text);
    assert(!in.bad && strcmp(text, "abc") == 0);
    lunatic_get_text(&in, text, sizeof text);
    assert(in.bad && text[0] == 0);
    in = lunatic_read_from("\x02\0a", 3);
    lunatic_get_text(&in, text, sizeof text);
    assert(in.bad);
    out = lunatic_write_to(place, 2);
    lunatic_put_bytes(&out, "abc", 3);
    assert(out.bad);
}

int main(void) {
    lunatic_child child;
    lunatic_message message;
    uint8_t reply = 0, seven = 7, bad = 0x80, zero = 0;
    bodies();
    assert(lunatic_spawn(server, "arg", 3, LUNATIC_LINK, LUNATIC_OWN, &child) == LUNATIC_OK);
    assert(lunatic_call(child.pid, &seven, 1, &reply, 1, LUNATIC_FOREVER).result == LUNATIC_OK);
    assert(reply == 8);
    assert(lunatic_call(child.pid, &bad, 1, &reply, 1, LUNATIC_FOREVER).result == LUNATIC_OK);
    assert(reply == 0);
    assert(lunatic_call(child.pid, &zero, 1, &reply, 1, 10).result == LUNATIC_TIMEOUT);
    lunatic_trap_exit(true);
    lunatic_exit(child.pid, LUNATIC_KILL, NULL, 0);
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    assert(message.kind == LUNATIC_IS_EXIT && message.reason == LUNATIC_KILLED);
    assert(lunatic_call(child.pid, &seven, 1, &reply, 1, LUNATIC_FOREVER).reason == LUNATIC_NOPROC);
    assert(reason_of(fails) == LUNATIC_ERROR && reason_of(exits) == LUNATIC_STATUS);
    assert(reason_of(aborts) == LUNATIC_TRAP);
    lunatic_ref alias = lunatic_alias(true);
    lunatic_send_alias(alias, 5, "x", 1, LUNATIC_FOREVER);
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    assert(message.tag == 5 && message.length == 1 && !lunatic_unalias(alias));
    assert(lunatic_register("me", lunatic_self()) && !lunatic_register("me", lunatic_self()));
    lunatic_pid found = {1, 1};
    assert(lunatic_whereis("me", &found) && found.id == lunatic_self().id);
    assert(lunatic_unregister("me") && !lunatic_unregister("me"));
    assert(!lunatic_whereis("me", &found) && found.id == lunatic_self().id);
    assert(lunatic_send_name("nobody", 1, NULL, 0, 0) == LUNATIC_FAILED);
    lunatic_ref timer = lunatic_send_after(lunatic_self(), 6, NULL, 0, 1);
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    assert(message.tag == 6 && message.reference.id == timer.id && !lunatic_cancel(timer));
    /* What is written after a flush comes out at the end of main. */
    fputs("o", stdout);
    fflush(stdout);
    puts("k");
    return 0;
}
