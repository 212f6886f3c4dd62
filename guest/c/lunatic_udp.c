/* UDP behind lunatic_udp.h; lunatic.c includes it: do not compile it by itself.
 *
 * What must stay true: as in lunatic_tcp.c, whose helpers it uses. */
#include "lunatic_udp.h"

IMPORT("networking", "udp_bind")
extern int32_t host_udp_bind(uint32_t, const uint8_t *, uint32_t, uint32_t, uint32_t, uint64_t *);
IMPORT("networking", "udp_local_addr") extern int32_t host_udp_local(uint64_t, uint64_t *);
IMPORT("networking", "udp_send_to")
extern int32_t host_udp_send_to(uint64_t, const void *, size_t, uint32_t, const uint8_t *, uint32_t,
                                uint32_t, uint32_t, uint64_t *);
IMPORT("networking", "udp_receive_from")
extern int32_t host_udp_receive(uint64_t, void *, size_t, uint64_t *, uint64_t *);
IMPORT("networking", "set_udp_receive_timeout")
extern void host_udp_timeout(uint64_t, int64_t);
IMPORT("networking", "udp_connect")
extern int32_t host_udp_connect(uint64_t, uint32_t, const uint8_t *, uint32_t, uint32_t, uint32_t,
                                int64_t, uint64_t *);
IMPORT("networking", "udp_send")
extern int32_t host_udp_send(uint64_t, const void *, size_t, uint64_t *);
IMPORT("networking", "drop_udp_socket") extern void host_drop_udp(uint64_t);
IMPORT("networking", "clone_udp_socket") extern uint64_t host_clone_udp(uint64_t);
IMPORT("message", "push_udp_socket") extern uint64_t host_push_udp(uint64_t);
IMPORT("message", "take_udp_socket") extern uint64_t host_take_udp(uint64_t);

bool lunatic_udp_bind(const char *text, uint64_t *socket) {
    uint64_t all = 0, stored = 0;
    lunatic_address one;
    bool bound = false;
    if (!resolve(text, LUNATIC_FOREVER, &all)) return false;
    while (!bound && next_address(all, &one))
        bound = went_well(host_udp_bind(one.family, one.octets, one.port, one.flow, one.scope,
                                        &stored), &stored);
    host_drop_addresses(all);
    if (bound) *socket = stored;
    return bound;
}

uint16_t lunatic_udp_port(uint64_t socket) {
    uint64_t all = 0;
    return went_well(host_udp_local(socket, &all), &all) ? only_address(all).port : 0;
}

bool lunatic_udp_send_to(uint64_t socket, const lunatic_address *to, const void *data,
                         size_t length) {
    uint64_t stored = 0;
    return went_well(host_udp_send_to(socket, data, length, to->family, to->octets, to->port,
                                      to->flow, to->scope, &stored), &stored);
}

int64_t lunatic_udp_receive(uint64_t socket, void *place, size_t room, lunatic_address *from) {
    uint64_t stored = 0, peer = 0;
    int32_t result = host_udp_receive(socket, place, room, &stored, &peer);
    if (result == LUNATIC_OK && from != NULL) *from = only_address(peer);
    else if (result == LUNATIC_OK) host_drop_addresses(peer);
    return count_of(result, stored);
}

void lunatic_udp_receive_timeout(uint64_t socket, int64_t timeout) {
    host_udp_timeout(socket, timeout);
}

bool lunatic_udp_connect(uint64_t socket, const char *text) {
    uint64_t stored = 0;
    lunatic_address to;
    return lunatic_address_of(text, LUNATIC_FOREVER, &to) &&
           went_well(host_udp_connect(socket, to.family, to.octets, to.port, to.flow, to.scope,
                                      LUNATIC_FOREVER, &stored), &stored);
}

bool lunatic_udp_send(uint64_t socket, const void *data, size_t length) {
    uint64_t stored = 0;
    return went_well(host_udp_send(socket, data, length, &stored), &stored);
}

void lunatic_udp_close(uint64_t socket) { host_drop_udp(socket); }

uint64_t lunatic_udp_clone(uint64_t socket) { return host_clone_udp(socket); }

bool lunatic_udp_give(lunatic_pid pid, int64_t tag, uint64_t socket, int64_t timeout) {
    return give(host_push_udp, socket, pid, tag, timeout);
}

uint64_t lunatic_udp_take(void) { return host_take_udp(0); }
