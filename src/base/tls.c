#include "base/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

struct tls {
    char *certificate, *key;
    pthread_mutex_t lock;
    SSL_CTX *context; /* under the lock */
};

/* The type of the library: a stream is nothing beside it. */
struct tls_stream;

static SSL *
ssl_of(struct tls_stream *stream)
{
    return (SSL *)stream;
}

/* ---- a pair of files ---- */

/* Why OpenSSL failed, as far as it says. */
static const char *
reason(void)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());

    return why ? why : "it cannot be read";
}

static int
check_readable(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_set(err, E_INVALID, "%s: %s", path, strerror(errno));
    close(fd);
    return 0;
}

/* Nobody is there who could type one. */
static int
no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *n,
                const unsigned char *in, unsigned in_n, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, n, ours, sizeof(ours) - 1, in, in_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int
read_pair(SSL_CTX *context, const char *certificate, const char *key, struct err *err)
{
    int rc = check_readable(certificate, err);

    if (rc == 0)
        rc = check_readable(key, err);
    if (rc != 0)
        return rc;
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        return err_set(err, E_INVALID, "%s is not a certificate in PEM: %s",
                       certificate, reason());
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        int code = ERR_GET_REASON(ERR_peek_last_error());
        if (code == X509_R_KEY_VALUES_MISMATCH || code == X509_R_KEY_TYPE_MISMATCH)
            return err_set(err, E_INVALID, "the key in %s is not that of %s", key,
                           certificate);
        return err_set(err, E_INVALID, "%s is not a private key in PEM: %s", key,
                       reason());
    }
    if (SSL_CTX_check_private_key(context) != 1)
        return err_set(err, E_INVALID, "the key in %s is not that of %s", key,
                       certificate);
    return 0;
}

static int
make_context(SSL_CTX **out, const struct tls *tls, struct err *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    int rc;

    if (!context)
        return err_set(err, E_NO_MEMORY, "OpenSSL does not start");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(context, no_password);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    rc = read_pair(context, tls->certificate, tls->key, err);
    ERR_clear_error();
    if (rc == 0)
        *out = context;
    else
        SSL_CTX_free(context);
    return rc;
}

int
tls_open(struct tls **out, const char *certificate, const char *key, struct err *err)
{
    struct tls *tls = xcalloc(1, sizeof(*tls));

    tls->certificate = xstrdup(certificate);
    tls->key = xstrdup(key);
    pthread_mutex_init(&tls->lock, NULL);
    int rc = make_context(&tls->context, tls, err);
    if (rc != 0)
        tls_close(tls);
    else
        *out = tls;
    return rc;
}

void
tls_close(struct tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    pthread_mutex_destroy(&tls->lock);
    free(tls->certificate);
    free(tls->key);
    free(tls);
}

int
tls_reload(struct tls *tls, struct err *err)
{
    SSL_CTX *fresh = NULL;
    int rc = make_context(&fresh, tls, err);

    if (rc != 0)
        return rc;
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *old = tls->context;
    tls->context = fresh;
    pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(old); /* streams that began with it hold it */
    return 0;
}

/* ---- a connection ---- */

struct tls_stream *
tls_accept(struct tls *tls, int fd)
{
    pthread_mutex_lock(&tls->lock);
    SSL *ssl = SSL_new(tls->context);
    pthread_mutex_unlock(&tls->lock);

    if (ssl && SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        ssl = NULL;
    }
    if (ssl)
        SSL_set_accept_state(ssl);
    ERR_clear_error();
    return (struct tls_stream *)ssl;
}

void
tls_free(struct tls_stream *stream)
{
    SSL_free(ssl_of(stream));
}

bool
tls_is_up(const struct tls_stream *stream)
{
    return SSL_is_init_finished((const SSL *)stream);
}

static ssize_t
moved(SSL *ssl, int rc, size_t n)
{
    if (rc == 1)
        return (ssize_t)n;
    int why = SSL_get_error(ssl, rc);
    ERR_clear_error();
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

ssize_t
tls_receive(struct tls_stream *stream, char *to, size_t n)
{
    size_t got = 0;
    int rc = SSL_read_ex(ssl_of(stream), to, n, &got);

    return moved(ssl_of(stream), rc, got);
}

ssize_t
tls_send(struct tls_stream *stream, const char *bytes, size_t n)
{
    size_t done = 0;
    int rc = SSL_write_ex(ssl_of(stream), bytes, n, &done);

    return moved(ssl_of(stream), rc, done);
}

void
tls_end(struct tls_stream *stream)
{
    if (tls_is_up(stream))
        SSL_shutdown(ssl_of(stream));
    ERR_clear_error();
}
