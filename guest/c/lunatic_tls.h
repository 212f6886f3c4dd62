/* TLS for programs in C: connections that nobody else reads, with a server that has proved its
 * name.
 *
 * What must stay true: as in lunatic_tcp.h. Certificates, keys and authorities are PEM texts;
 * abi/networking-tls.md says which. TLS 1.2 and 1.3 are spoken. */
#ifndef LUNATIC_TLS_H
#define LUNATIC_TLS_H

#include "lunatic_tcp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* False also if the certificate and the key cannot be used. */
bool lunatic_tls_listen(const char *address, const char *certificate, const char *key,
                        uint64_t *listener);
/* The port that a listener has. */
uint16_t lunatic_tls_port(uint64_t listener);
/* A connection whose handshake is over; handshakes that fail are not told. False after an error. */
bool lunatic_tls_accept(uint64_t listener, uint64_t *stream);
void lunatic_tls_close_listener(uint64_t listener);

/* The host is a name or an address, and has to prove it by a certificate of the authority; NULL is
 * for those that browsers trust. The timeout is for all of it. */
bool lunatic_tls_connect(const char *host, uint16_t port, const char *authority, int64_t timeout,
                         uint64_t *stream);
/* As lunatic_tcp_read. 0 only if the other end has said that nothing follows. */
int64_t lunatic_tls_read(uint64_t stream, void *place, size_t room);
/* How long a read waits; LUNATIC_FOREVER at first. It belongs to the connection. */
void lunatic_tls_read_timeout(uint64_t stream, int64_t timeout);
/* Writes all; false after an error or a timeout, when nobody knows how much was written. */
bool lunatic_tls_write(uint64_t stream, const void *data, size_t length, int64_t timeout);
/* Says that nothing follows; reading goes on. */
bool lunatic_tls_shutdown(uint64_t stream);
/* The connection ends with the last handle of it. */
void lunatic_tls_close(uint64_t stream);
/* Another handle of the same connection. */
uint64_t lunatic_tls_clone(uint64_t stream);
/* As lunatic_tcp_give and lunatic_tcp_take. */
bool lunatic_tls_give(lunatic_pid pid, int64_t tag, uint64_t stream, int64_t timeout);
uint64_t lunatic_tls_take(void);

#ifdef __cplusplus
}
#endif
#endif
