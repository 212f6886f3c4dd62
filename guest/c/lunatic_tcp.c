/* TCP behind lunatic_tcp.h; lunatic.c includes it: do not compile it by itself.
 *
 * What must stay true: each error and each iterator over addresses that the runtime stores is
 * dropped. */
#include "lunatic_tcp.h"

#include <string.h>

IMPORT("networking", "resolve")
extern int32_t host_resolve(const char *, size_t, int64_t, uint64_t *);
IMPORT("networking", "resolve_next")
extern int32_t host_resolve_next(uint64_t, uint32_t *, uint8_t *, uint16_t *, uint32_t *,
                                 uint32_t *);
IMPORT("networking", "drop_dns_iterator") extern void host_drop_addresses(uint64_t);
IMPORT("networking", "tcp_bind")
extern int32_t host_tcp_bind(uint32_t, const uint8_t *, uint32_t, uint32_t, uint32_t, uint64_t *);
IMPORT("networking", "drop_tcp_listener") extern void host_drop_listener(uint64_t);
IMPORT("networking", "tcp_local_addr") extern int32_t host_local(uint64_t, uint64_t *);
IMPORT("networking", "tcp_accept") extern int32_t host_accept(uint64_t, uint64_t *, uint64_t *);
IMPORT("networking", "tcp_connect")
extern int32_t host_tcp_connect(uint32_t, const uint8_t *, uint32_t, uint32_t, uint32_t, int64_t,
                                uint64_t *);
IMPORT("networking", "drop_tcp_stream") extern void host_drop_stream(uint64_t);
IMPORT("networking", "clone_tcp_stream") extern uint64_t host_clone_stream(uint64_t);
IMPORT("networking", "tcp_read")
extern int32_t host_tcp_read(uint64_t, void *, size_t, uint64_t *);
IMPORT("networking", "tcp_write_vectored")
extern int32_t host_tcp_write(uint64_t, const void *, size_t, uint64_t *);
IMPORT("networking", "set_accept_timeout") extern void host_accept_timeout(uint64_t, int64_t);
IMPORT("networking", "set_read_timeout") extern void host_read_timeout(uint64_t, int64_t);
IMPORT("networking", "set_write_timeout") extern void host_write_timeout(uint64_t, int64_t);
IMPORT("message", "push_tcp_stream") extern uint64_t host_push_stream(uint64_t);
IMPORT("message", "take_tcp_stream") extern uint64_t host_take_stream(uint64_t);

static bool next_address(uint64_t all, lunatic_address *one) {
    memset(one, 0, sizeof *one);
    return host_resolve_next(all, &one->family, one->octets, &one->port, &one->flow,
                             &one->scope) == LUNATIC_OK;
}

/* The one address of an iterator, which is dropped. */
static lunatic_address only_address(uint64_t all) {
    lunatic_address one;
    next_address(all, &one);
    host_drop_addresses(all);
    return one;
}

/* Whether a function of the runtime went well; drops the error that it stored if not. */
static bool went_well(int32_t result, const uint64_t *stored) {
    if (result == LUNATIC_FAILED) host_error_drop(*stored);
    return result == LUNATIC_OK;
}

static bool resolve(const char *text, int64_t timeout, uint64_t *all) {
    return went_well(host_resolve(text, strlen(text), timeout, all), all);
}

bool lunatic_address_of(const char *text, int64_t timeout, lunatic_address *address) {
    uint64_t all = 0;
    if (!resolve(text, timeout, &all)) return false;
    bool found = next_address(all, address);
    host_drop_addresses(all);
    return found;
}

bool lunatic_tcp_listen(const char *text, uint64_t *listener) {
    uint64_t all = 0, stored = 0;
    lunatic_address one;
    bool listens = false;
    if (!resolve(text, LUNATIC_FOREVER, &all)) return false;
    while (!listens && next_address(all, &one))
        listens = went_well(host_tcp_bind(one.family, one.octets, one.port, one.flow, one.scope,
                                          &stored), &stored);
    host_drop_addresses(all);
    if (listens) *listener = stored;
    return listens;
}

uint16_t lunatic_tcp_port(uint64_t listener) {
    uint64_t all = 0;
    return went_well(host_local(listener, &all), &all) ? only_address(all).port : 0;
}

bool lunatic_tcp_accept(uint64_t listener, uint64_t *stream) {
    uint64_t stored = 0, peer = 0;
    if (!went_well(host_accept(listener, &stored, &peer), &stored)) return false;
    host_drop_addresses(peer);
    *stream = stored;
    return true;
}

void lunatic_tcp_accept_timeout(uint64_t listener, int64_t timeout) {
    host_accept_timeout(listener, timeout);
}

void lunatic_tcp_close_listener(uint64_t listener) { host_drop_listener(listener); }

bool lunatic_tcp_connect(const char *text, int64_t timeout, uint64_t *stream) {
    uint64_t all = 0, stored = 0;
    lunatic_address one;
    bool connected = false;
    if (!resolve(text, timeout, &all)) return false;
    while (!connected && next_address(all, &one))
        connected = went_well(host_tcp_connect(one.family, one.octets, one.port, one.flow,
                                               one.scope, timeout, &stored), &stored);
    host_drop_addresses(all);
    if (connected) *stream = stored;
    return connected;
}

/* What a read gives, from what the runtime gave and stored. */
static int64_t count_of(int32_t result, uint64_t stored) {
    if (went_well(result, &stored)) return (int64_t)stored;
    return result == LUNATIC_TIMEOUT ? LUNATIC_READ_TIMEOUT : LUNATIC_READ_FAILED;
}

int64_t lunatic_tcp_read(uint64_t stream, void *place, size_t room) {
    uint64_t stored = 0;
    int32_t result = host_tcp_read(stream, place, room, &stored);
    return count_of(result, stored);
}

void lunatic_tcp_read_timeout(uint64_t stream, int64_t timeout) {
    host_read_timeout(stream, timeout);
}

typedef int32_t writes(uint64_t, const void *, size_t, uint64_t *);

/* Writes all with a function of the runtime that writes some. */
static bool write_all(writes *some, uint64_t stream, const void *data, size_t length) {
    const uint8_t *rest = (const uint8_t *)data;
    while (length > 0) {
        struct {
            const uint8_t *place;
            size_t length;
        } slice = {rest, length};
        uint64_t stored = 0;
        if (!went_well(some(stream, &slice, 1, &stored), &stored) || stored == 0) return false;
        rest += stored;
        length -= (size_t)stored;
    }
    return true;
}

bool lunatic_tcp_write(uint64_t stream, const void *data, size_t length, int64_t timeout) {
    host_write_timeout(stream, timeout);
    return write_all(host_tcp_write, stream, data, length);
}

void lunatic_tcp_close(uint64_t stream) { host_drop_stream(stream); }

uint64_t lunatic_tcp_clone(uint64_t stream) { return host_clone_stream(stream); }

/* Sends a message with one resource; `push` puts it in. */
static bool give(uint64_t (*push)(uint64_t), uint64_t resource, lunatic_pid pid, int64_t tag,
                 int64_t timeout) {
    host_create(tag, 1);
    return send_resource(push(resource), pid, timeout);
}

bool lunatic_tcp_give(lunatic_pid pid, int64_t tag, uint64_t stream, int64_t timeout) {
    return give(host_push_stream, stream, pid, tag, timeout);
}

uint64_t lunatic_tcp_take(void) { return host_take_stream(0); }
