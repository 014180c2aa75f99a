/*
 * The server's side of TLS (OpenSSL behind it). A certificate with its key can be read
 * again while connections go on: each keeps what it began with.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "base/types.h"

struct tls;
struct tls_stream;

/* TLS 1.2 or newer, with the certificate chain and the key in these PEM files; a key
 * with a password is refused. */
int tls_open(struct tls **out, const char *certificate, const char *key,
             struct err *err) must_check;
void tls_close(struct tls *tls); /* when its streams are freed; NULL is fine */
/* Reads both files again. Only a pair that fits replaces the old one, for streams that
 * begin from then on; after an error all is as it was. Any thread. */
int tls_reload(struct tls *tls, struct err *err) must_check;

/* ---- one connection; on one thread at a time ---- */

/* On a connected socket that does not block; the handshake is part of the first
 * tls_receive. NULL: no memory. */
struct tls_stream *tls_accept(struct tls *tls, int fd);
void tls_free(struct tls_stream *stream);        /* not the socket; NULL is fine */
bool tls_is_up(const struct tls_stream *stream); /* the handshake is over */
/* Bytes that came or left; 0: none at the moment; -1: it has ended or makes no sense. A
 * send that was told 0 comes again with the same bytes, and perhaps more behind them.
 */
ssize_t tls_receive(struct tls_stream *stream, char *to, size_t n);
ssize_t tls_send(struct tls_stream *stream, const char *bytes, size_t n);
void tls_end(struct tls_stream *stream); /* tells the other side that no more comes */
