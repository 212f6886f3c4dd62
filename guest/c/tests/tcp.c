/* What TCP promises, each as an assertion: an echo through a stream that was given to another
 * process, the end of a stream, a second handle, timeouts, and addresses that are none. */
#include "../lunatic_tcp.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void echo(const uint8_t *argument, size_t length) {
    (void)argument, (void)length;
    lunatic_message message;
    char place[3];
    int64_t came;
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    assert(message.tag == 4 && message.resources == 1);
    uint64_t stream = lunatic_tcp_take();
    while ((came = lunatic_tcp_read(stream, place, sizeof place)) > 0)
        assert(lunatic_tcp_write(stream, place, (size_t)came, LUNATIC_FOREVER));
    assert(came == 0);
}

/* Gives every connection to a process of its own. */
static void serve(const uint8_t *argument, size_t length) {
    lunatic_pid tester;
    uint64_t listener, stream;
    lunatic_child child;
    assert(length == sizeof tester);
    memcpy(&tester, argument, sizeof tester);
    assert(lunatic_tcp_listen("127.0.0.1:0", &listener));
    uint16_t port = lunatic_tcp_port(listener);
    lunatic_send(tester, 3, &port, sizeof port, LUNATIC_FOREVER);
    while (lunatic_tcp_accept(listener, &stream)) {
        assert(lunatic_spawn(echo, NULL, 0, 0, LUNATIC_OWN, &child) == LUNATIC_OK);
        assert(lunatic_tcp_give(child.pid, 4, stream, LUNATIC_FOREVER));
    }
}

static void hear(uint64_t stream, const char *expected) {
    char heard[16];
    size_t length = 0;
    while (length < strlen(expected)) {
        int64_t came = lunatic_tcp_read(stream, heard + length, strlen(expected) - length);
        assert(came > 0);
        length += (size_t)came;
    }
    assert(memcmp(heard, expected, length) == 0);
}

int main(void) {
    lunatic_child server;
    lunatic_pid self = lunatic_self();
    lunatic_message message;
    uint16_t port = 0;
    uint64_t stream, listener;
    char address[32], heard[4];
    assert(lunatic_spawn(serve, &self, sizeof self, LUNATIC_LINK, LUNATIC_OWN, &server) == 0);
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    assert(lunatic_read(&port, sizeof port) == sizeof port && port != 0);
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    for (int i = 0; i < 2; i++) {
        assert(lunatic_tcp_connect(address, LUNATIC_FOREVER, &stream));
        assert(lunatic_tcp_write(stream, "hello", 5, LUNATIC_FOREVER));
        uint64_t second = lunatic_tcp_clone(stream);
        hear(stream, "hel");
        lunatic_tcp_close(stream);
        /* The connection lives as long as one handle of it. */
        assert(lunatic_tcp_write(second, "again", 5, 30000));
        hear(second, "loagain");
        lunatic_tcp_read_timeout(second, 1);
        assert(lunatic_tcp_read(second, heard, sizeof heard) == LUNATIC_READ_TIMEOUT);
        lunatic_tcp_close(second);
    }
    assert(!lunatic_tcp_listen(address, &listener));
    assert(!lunatic_tcp_listen("no address", &listener));
    assert(!lunatic_tcp_connect("127.0.0.1", LUNATIC_FOREVER, &stream));
    assert(lunatic_tcp_listen("127.0.0.1:0", &listener));
    lunatic_tcp_accept_timeout(listener, 1);
    assert(!lunatic_tcp_accept(listener, &stream));
    lunatic_tcp_close_listener(listener);
    puts("ok");
    return 0;
}
