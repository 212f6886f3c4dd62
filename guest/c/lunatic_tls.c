/* TLS behind lunatic_tls.h; lunatic.c includes it: do not compile it by itself.
 *
 * What must stay true: as in lunatic_tcp.c, whose helpers it uses. */
#include "lunatic_tls.h"

#include <string.h>

IMPORT("networking", "tls_bind_with")
extern int32_t host_tls_bind(uint32_t, const uint8_t *, uint32_t, uint32_t, uint32_t, uint64_t *,
                             const char *, size_t, const char *, size_t, const void *, size_t,
                             uint32_t, const char *, size_t);
IMPORT("networking", "tls_local_addr") extern int32_t host_tls_local(uint64_t, uint64_t *);
IMPORT("networking", "tls_accept")
extern int32_t host_tls_accept(uint64_t, uint64_t *, uint64_t *);
IMPORT("networking", "drop_tls_listener") extern void host_drop_tls_listener(uint64_t);
IMPORT("networking", "tls_connect_with")
extern int32_t host_tls_connect(const char *, size_t, uint32_t, int64_t, uint64_t *, const void *,
                                size_t, const char *, size_t, const char *, size_t, const char *,
                                size_t);
IMPORT("networking", "tls_read")
extern int32_t host_tls_read(uint64_t, void *, size_t, uint64_t *);
IMPORT("networking", "tls_write_vectored")
extern int32_t host_tls_write(uint64_t, const void *, size_t, uint64_t *);
IMPORT("networking", "tls_flush") extern int32_t host_tls_flush(uint64_t, uint64_t *);
IMPORT("networking", "tls_shutdown") extern int32_t host_tls_shutdown(uint64_t, uint64_t *);
IMPORT("networking", "set_tls_read_timeout")
extern void host_tls_read_timeout(uint64_t, int64_t);
IMPORT("networking", "set_tls_write_timeout")
extern void host_tls_write_timeout(uint64_t, int64_t);
IMPORT("networking", "drop_tls_stream") extern void host_drop_tls(uint64_t);
IMPORT("networking", "clone_tls_stream") extern uint64_t host_clone_tls(uint64_t);
IMPORT("message", "push_tls_stream") extern uint64_t host_push_tls(uint64_t);
IMPORT("message", "take_tls_stream") extern uint64_t host_take_tls(uint64_t);

bool lunatic_tls_listen(const char *text, const char *certificate, const char *key,
                        uint64_t *listener) {
    uint64_t all = 0, stored = 0;
    lunatic_address one;
    bool listens = false;
    if (!resolve(text, LUNATIC_FOREVER, &all)) return false;
    while (!listens && next_address(all, &one))
        listens = went_well(host_tls_bind(one.family, one.octets, one.port, one.flow, one.scope,
                                          &stored, certificate, strlen(certificate), key,
                                          strlen(key), NULL, 0, 0, NULL, 0), &stored);
    host_drop_addresses(all);
    if (listens) *listener = stored;
    return listens;
}

uint16_t lunatic_tls_port(uint64_t listener) {
    uint64_t all = 0;
    return went_well(host_tls_local(listener, &all), &all) ? only_address(all).port : 0;
}

bool lunatic_tls_accept(uint64_t listener, uint64_t *stream) {
    uint64_t stored = 0, peer = 0;
    if (!went_well(host_tls_accept(listener, &stored, &peer), &stored)) return false;
    host_drop_addresses(peer);
    *stream = stored;
    return true;
}

void lunatic_tls_close_listener(uint64_t listener) { host_drop_tls_listener(listener); }

bool lunatic_tls_connect(const char *host, uint16_t port, const char *authority, int64_t timeout,
                         uint64_t *stream) {
    struct {
        const char *text;
        size_t length;
    } authorities = {authority, authority == NULL ? 0 : strlen(authority)};
    uint64_t stored = 0;
    if (!went_well(host_tls_connect(host, strlen(host), port, timeout, &stored, &authorities,
                                    authority == NULL ? 0 : 1, NULL, 0, NULL, 0, NULL, 0),
                   &stored))
        return false;
    *stream = stored;
    return true;
}

int64_t lunatic_tls_read(uint64_t stream, void *place, size_t room) {
    uint64_t stored = 0;
    int32_t result = host_tls_read(stream, place, room, &stored);
    return count_of(result, stored);
}

void lunatic_tls_read_timeout(uint64_t stream, int64_t timeout) {
    host_tls_read_timeout(stream, timeout);
}

bool lunatic_tls_write(uint64_t stream, const void *data, size_t length, int64_t timeout) {
    uint64_t stored = 0;
    host_tls_write_timeout(stream, timeout);
    return write_all(host_tls_write, stream, data, length) &&
           went_well(host_tls_flush(stream, &stored), &stored);
}

bool lunatic_tls_shutdown(uint64_t stream) {
    uint64_t stored = 0;
    return went_well(host_tls_shutdown(stream, &stored), &stored);
}

void lunatic_tls_close(uint64_t stream) { host_drop_tls(stream); }

uint64_t lunatic_tls_clone(uint64_t stream) { return host_clone_tls(stream); }

bool lunatic_tls_give(lunatic_pid pid, int64_t tag, uint64_t stream, int64_t timeout) {
    return give(host_push_tls, stream, pid, tag, timeout);
}

uint64_t lunatic_tls_take(void) { return host_take_tls(0); }
