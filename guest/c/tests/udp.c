/* What UDP promises, each as an assertion: datagrams that go there and back, who sent them, a peer,
 * a timeout, a socket that is given away, and addresses that are none. */
#include "../lunatic_udp.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Sends each datagram back to whom it came from. */
static void echo(const uint8_t *argument, size_t length) {
    (void)argument, (void)length;
    lunatic_message message;
    lunatic_address from;
    char place[8];
    int64_t came;
    assert(lunatic_receive_tag(4, LUNATIC_FOREVER, &message) && message.resources == 1);
    uint64_t socket = lunatic_udp_take();
    while ((came = lunatic_udp_receive(socket, place, sizeof place, &from)) >= 0)
        assert(lunatic_udp_send_to(socket, &from, place, (size_t)came));
    assert(false);
}

int main(void) {
    uint64_t ours, theirs, none;
    lunatic_child server;
    lunatic_address from, to;
    char text[32], place[16];
    assert(lunatic_udp_bind("127.0.0.1:0", &ours) && lunatic_udp_bind("127.0.0.1:0", &theirs));
    snprintf(text, sizeof text, "127.0.0.1:%u", lunatic_udp_port(theirs));
    assert(lunatic_address_of(text, LUNATIC_FOREVER, &to) && to.family == 4);
    assert(to.port == lunatic_udp_port(theirs) && memcmp(to.octets, "\x7f\0\0\1", 4) == 0);
    assert(!lunatic_udp_bind(text, &none) && !lunatic_udp_bind("no address", &none));

    assert(lunatic_spawn(echo, NULL, 0, LUNATIC_LINK, LUNATIC_OWN, &server) == LUNATIC_OK);
    assert(lunatic_udp_give(server.pid, 4, theirs, LUNATIC_FOREVER));
    assert(lunatic_udp_send_to(ours, &to, "hello", 5));
    assert(lunatic_udp_receive(ours, place, sizeof place, &from) == 5);
    assert(memcmp(place, "hello", 5) == 0 && from.port == to.port);
    /* The other end has room for eight bytes; an empty datagram is one, too. */
    assert(lunatic_udp_send_to(ours, &to, "hello again", 11));
    assert(lunatic_udp_receive(ours, place, sizeof place, NULL) == 8);
    assert(lunatic_udp_send_to(ours, &to, NULL, 0));
    assert(lunatic_udp_receive(ours, place, sizeof place, NULL) == 0);

    assert(!lunatic_udp_connect(ours, "no address") && lunatic_udp_connect(ours, text));
    uint64_t second = lunatic_udp_clone(ours);
    lunatic_udp_close(ours);
    assert(lunatic_udp_send(second, "bye", 3));
    assert(lunatic_udp_receive(second, place, sizeof place, NULL) == 3);
    lunatic_udp_receive_timeout(second, 1);
    assert(lunatic_udp_receive(second, place, sizeof place, NULL) == LUNATIC_READ_TIMEOUT);
    lunatic_udp_close(second);
    puts("ok");
    return 0;
}
