/* Two processes that talk: the smallest program. `cargo xtask c` holds its size.
 *
 * Prints `Hello from another process!`. */
#include "lunatic.h"

#include <stdio.h>

static void greet(const uint8_t *argument, size_t length) {
    static const char text[] = "Hello from another process!";
    lunatic_reader in = lunatic_read_from(argument, length);
    lunatic_send(lunatic_get_pid(&in), 0, text, sizeof text, LUNATIC_FOREVER);
}

int main(void) {
    uint8_t place[20];
    char text[64];
    lunatic_child child;
    lunatic_message message;
    lunatic_writer out = lunatic_write_to(place, sizeof place);
    lunatic_put_pid(&out, lunatic_self());
    if (lunatic_spawn(greet, place, out.length, LUNATIC_LINK, LUNATIC_OWN, &child) != LUNATIC_OK)
        lunatic_fail("there is no room for another process");
    lunatic_receive_tag(0, LUNATIC_FOREVER, &message);
    lunatic_read(text, sizeof text);
    puts(text);
    return 0;
}
