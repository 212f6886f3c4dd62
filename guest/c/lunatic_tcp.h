/* TCP for programs in C: listen, connect, read, write, and streams that are given to other
 * processes.
 *
 * What must stay true: a listener or stream is a resource of one process; what is given away is no
 * longer of the giver. Ids that are none trap. Addresses are texts: "127.0.0.1:80", "[::1]:80",
 * "name:80". What waits here stops its own process only. */
#ifndef LUNATIC_TCP_H
#define LUNATIC_TCP_H

#include "lunatic.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An address as a value; `family` is 4 or 6, and of the octets 4 or 16 count. */
typedef struct lunatic_address {
    uint32_t family, flow, scope;
    uint16_t port;
    uint8_t octets[16];
} lunatic_address;

/* The first address of a text; a name is looked up. False if there is none in time. */
bool lunatic_address_of(const char *text, int64_t timeout, lunatic_address *address);

/* False if the address is none, or may not be used or is not free. Port 0 is any free one. */
bool lunatic_tcp_listen(const char *address, uint64_t *listener);
/* The port that a listener has. */
uint16_t lunatic_tcp_port(uint64_t listener);
/* False after an error, and at the timeout of the listener. */
bool lunatic_tcp_accept(uint64_t listener, uint64_t *stream);
/* How long an accept waits; LUNATIC_FOREVER at first. It belongs to the listener. */
void lunatic_tcp_accept_timeout(uint64_t listener, int64_t timeout);
void lunatic_tcp_close_listener(uint64_t listener);

/* Tries each address of a name. False when none answers in time. */
bool lunatic_tcp_connect(const char *address, int64_t timeout, uint64_t *stream);
/* What is read when nothing is: after an error, and at the timeout. */
enum { LUNATIC_READ_FAILED = -1, LUNATIC_READ_TIMEOUT = -2 };

/* How many bytes came: 0 at the end of the stream, LUNATIC_READ_FAILED, LUNATIC_READ_TIMEOUT. */
int64_t lunatic_tcp_read(uint64_t stream, void *place, size_t room);
/* How long a read waits; LUNATIC_FOREVER at first. It belongs to the connection. */
void lunatic_tcp_read_timeout(uint64_t stream, int64_t timeout);
/* Writes all; false after an error or a timeout, when nobody knows how much was written. */
bool lunatic_tcp_write(uint64_t stream, const void *data, size_t length, int64_t timeout);
/* The connection ends with the last handle of it. */
void lunatic_tcp_close(uint64_t stream);
/* Another handle of the same connection. */
uint64_t lunatic_tcp_clone(uint64_t stream);

/* Sends a message that gives the stream away; false, and the stream is closed, at the timeout. */
bool lunatic_tcp_give(lunatic_pid pid, int64_t tag, uint64_t stream, int64_t timeout);
/* Takes the stream out of the message that was received last: one whose `resources` is 1. */
uint64_t lunatic_tcp_take(void);

#ifdef __cplusplus
}
#endif
#endif
