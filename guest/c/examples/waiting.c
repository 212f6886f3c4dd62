/* What a waiting process costs: spawns one that waits, and says how many pages of 4 KiB of its
 * memory it has written to. `cargo xtask c` holds the figure.
 *
 * A page counts if one of its bytes is not zero. The process looks at its own memory after it has
 * received a message, decoded it and waited for the next, as a waiting server has. */
#include "lunatic.h"

#include <stdio.h>

enum { PAGE = 4096, WASM_PAGE = 65536 };

static uint32_t written_pages(void) {
    uint32_t pages = 0, end = (uint32_t)__builtin_wasm_memory_size(0) * WASM_PAGE;
    for (uint32_t begin = 0; begin < end; begin += PAGE) {
        /* NULL is as good as others here, but not to C: the page is looked at from 8 on. */
        uint32_t at = begin == 0 ? 8 : begin;
        while (at < begin + PAGE && *(const volatile uint64_t *)at == 0) at += 8;
        if (at < begin + PAGE) pages++;
    }
    return pages;
}

static void wait_for_messages(const uint8_t *argument, size_t length) {
    lunatic_reader in = lunatic_read_from(argument, length);
    lunatic_pid parent = lunatic_get_pid(&in);
    for (;;) {
        lunatic_message message;
        uint8_t place[64];
        char text[64];
        lunatic_receive_tag(0, LUNATIC_FOREVER, &message);
        in = lunatic_read_body(place, sizeof place);
        lunatic_get_text(&in, text, sizeof text);
        if (text[0] != 0) continue;
        uint32_t pages = written_pages();
        lunatic_send(parent, 1, &pages, sizeof pages, LUNATIC_FOREVER);
        return;
    }
}

static void tell(lunatic_pid pid, const char *text) {
    uint8_t place[64];
    lunatic_writer out = lunatic_write_to(place, sizeof place);
    lunatic_put_text(&out, text);
    lunatic_send(pid, 0, place, out.length, LUNATIC_FOREVER);
}

int main(void) {
    uint8_t place[20];
    uint32_t pages = 0;
    lunatic_child child;
    lunatic_message message;
    lunatic_writer out = lunatic_write_to(place, sizeof place);
    lunatic_put_pid(&out, lunatic_self());
    if (lunatic_spawn(wait_for_messages, place, out.length, LUNATIC_LINK, LUNATIC_OWN, &child))
        lunatic_fail("there is no room for another process");
    tell(child.pid, "a state of its own");
    tell(child.pid, "");
    lunatic_receive_tag(1, LUNATIC_FOREVER, &message);
    lunatic_read(&pages, sizeof pages);
    printf("%u pages\n", pages);
    return 0;
}
