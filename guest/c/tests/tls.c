/* What TLS promises, each as an assertion: an echo through a stream that was given to another
 * process, the end of a stream, a timeout, and servers that cannot prove who they are.
 *
 * The certificate of `localhost` and its key are tls_certificate.pem and tls_key.pem, where the
 * current directory is. */
#include "../lunatic_tls.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static char certificate[8192], key[8192];

static void read_text(const char *name, char *text, size_t room) {
    FILE *file = fopen(name, "r");
    assert(file != NULL);
    size_t length = fread(text, 1, room, file);
    assert(length > 0 && length < room && fclose(file) == 0);
    text[length] = 0;
}

static void echo(const uint8_t *argument, size_t length) {
    (void)argument, (void)length;
    lunatic_message message;
    char place[3];
    int64_t came;
    assert(lunatic_receive_tag(4, LUNATIC_FOREVER, &message) && message.resources == 1);
    uint64_t stream = lunatic_tls_take();
    while ((came = lunatic_tls_read(stream, place, sizeof place)) > 0)
        assert(lunatic_tls_write(stream, place, (size_t)came, LUNATIC_FOREVER));
    assert(came == 0 && lunatic_tls_shutdown(stream));
}

/* Gives every connection to a process of its own. */
static void serve(const uint8_t *argument, size_t length) {
    lunatic_pid tester;
    uint64_t listener, stream;
    lunatic_child child;
    assert(length == sizeof tester);
    memcpy(&tester, argument, sizeof tester);
    read_text("tls_certificate.pem", certificate, sizeof certificate);
    read_text("tls_key.pem", key, sizeof key);
    assert(!lunatic_tls_listen("127.0.0.1:0", certificate, certificate, &listener));
    assert(lunatic_tls_listen("127.0.0.1:0", certificate, key, &listener));
    uint16_t port = lunatic_tls_port(listener);
    lunatic_send(tester, 3, &port, sizeof port, LUNATIC_FOREVER);
    while (lunatic_tls_accept(listener, &stream)) {
        assert(lunatic_spawn(echo, NULL, 0, LUNATIC_LINK, LUNATIC_OWN, &child) == LUNATIC_OK);
        assert(lunatic_tls_give(child.pid, 4, stream, LUNATIC_FOREVER));
    }
}

static void hear(uint64_t stream, const char *expected) {
    char heard[16];
    size_t length = 0;
    while (length < strlen(expected)) {
        int64_t came = lunatic_tls_read(stream, heard + length, strlen(expected) - length);
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
    uint64_t stream;
    char place[4];
    read_text("tls_certificate.pem", certificate, sizeof certificate);
    assert(lunatic_spawn(serve, &self, sizeof self, LUNATIC_LINK, LUNATIC_OWN, &server) == 0);
    assert(lunatic_receive_tag(3, LUNATIC_FOREVER, &message));
    assert(lunatic_read(&port, sizeof port) == sizeof port && port != 0);

    assert(lunatic_tls_connect("localhost", port, certificate, LUNATIC_FOREVER, &stream));
    assert(lunatic_tls_write(stream, "hello", 5, LUNATIC_FOREVER));
    uint64_t second = lunatic_tls_clone(stream);
    hear(stream, "hel");
    lunatic_tls_close(stream);
    assert(lunatic_tls_write(second, "again", 5, 30000));
    hear(second, "loagain");
    lunatic_tls_read_timeout(second, 1);
    assert(lunatic_tls_read(second, place, sizeof place) == LUNATIC_READ_TIMEOUT);
    lunatic_tls_read_timeout(second, LUNATIC_FOREVER);
    /* Who has said that nothing follows still hears the end of the other. */
    assert(lunatic_tls_shutdown(second) && lunatic_tls_read(second, place, sizeof place) == 0);
    lunatic_tls_close(second);

    /* Nobody whom browsers trust has signed it, and it is not for this name. */
    assert(!lunatic_tls_connect("localhost", port, NULL, LUNATIC_FOREVER, &stream));
    assert(!lunatic_tls_connect("127.0.0.1", port, certificate, LUNATIC_FOREVER, &stream));
    puts("ok");
    return 0;
}
