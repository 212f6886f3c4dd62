/* UDP for programs in C: sockets that send and receive datagrams.
 *
 * What must stay true: as in lunatic_tcp.h. A datagram is sent whole or not at all. */
#ifndef LUNATIC_UDP_H
#define LUNATIC_UDP_H

#include "lunatic_tcp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* False if the address is none, or may not be used or is not free. Port 0 is any free one. */
bool lunatic_udp_bind(const char *address, uint64_t *socket);
/* The port that a socket has. */
uint16_t lunatic_udp_port(uint64_t socket);
/* Sends to the address; false if that is not possible or not allowed. */
bool lunatic_udp_send_to(uint64_t socket, const lunatic_address *to, const void *data,
                         size_t length);
/* The length of a datagram, LUNATIC_READ_FAILED or LUNATIC_READ_TIMEOUT. What of it has no room is
 * lost. `from`, if it is not NULL, is who sent it. */
int64_t lunatic_udp_receive(uint64_t socket, void *place, size_t room, lunatic_address *from);
/* How long a receive waits; LUNATIC_FOREVER at first. It belongs to the socket. */
void lunatic_udp_receive_timeout(uint64_t socket, int64_t timeout);

/* With one peer: to whom lunatic_udp_send sends, and from whom alone is received. */
bool lunatic_udp_connect(uint64_t socket, const char *address);
bool lunatic_udp_send(uint64_t socket, const void *data, size_t length);

/* The port is free with the last handle of it. */
void lunatic_udp_close(uint64_t socket);
/* Another handle of the same socket. */
uint64_t lunatic_udp_clone(uint64_t socket);
/* As lunatic_tcp_give and lunatic_tcp_take. */
bool lunatic_udp_give(lunatic_pid pid, int64_t tag, uint64_t socket, int64_t timeout);
uint64_t lunatic_udp_take(void);

#ifdef __cplusplus
}
#endif
#endif
