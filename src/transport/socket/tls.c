/* TLS by OpenSSL, which is loaded when the first address asks for it: nobody else pays for it, and a program that has
 * an OpenSSL of its own gets the same one.
 *
 * Both sides say the same in their addresses. psk=: one secret of 32 bytes that both know, nothing else. cert= and
 * key=: this end shows a certificate; ca=: it asks the other side for one that this authority has signed, which at a
 * listener means that every end needs one. A connecting end always checks the listener's certificate, and that it is
 * made out to the address's host.
 *
 * What must stay true: TLS 1.3 and nothing older; before both are sure of each other nothing is passed on and no more
 * than WEIR_TLS_UNKNOWN_MAX bytes are taken; OpenSSL never asks for a pass phrase. After weir_tls_read nothing that
 * came whole is left inside OpenSSL, because no descriptor would tell of it. What waits to be sent is bounded: bytes
 * are taken only while less than OUTPUT_MAX waits. */
#include "transport/socket/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef WEIR_HAS_OPENSSL

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#define STRINGIFY(x) #x
#define TEXT(x)      STRINGIFY(x)
#define LIBRARY      "libssl.so." TEXT(OPENSSL_SHLIB_VERSION)

enum { INPUT_SIZE = 32 << 10, OUTPUT_MAX = 64 << 10, RECORD_SIZE = 16 << 10 };

/* ---- the library ---- */

#define FUNCTIONS(F)                                                                                                   \
    F(BIO_ctrl)                                                                                                        \
    F(BIO_new)                                                                                                         \
    F(BIO_s_mem)                                                                                                       \
    F(BIO_write)                                                                                                       \
    F(ERR_clear_error)                                                                                                 \
    F(ERR_peek_error)                                                                                                  \
    F(ERR_reason_error_string)                                                                                         \
    F(OPENSSL_cleanse)                                                                                                 \
    F(SSL_CIPHER_find)                                                                                                 \
    F(SSL_CTX_check_private_key)                                                                                       \
    F(SSL_CTX_ctrl)                                                                                                    \
    F(SSL_CTX_free)                                                                                                    \
    F(SSL_CTX_load_verify_locations)                                                                                   \
    F(SSL_CTX_new)                                                                                                     \
    F(SSL_CTX_set_ciphersuites)                                                                                        \
    F(SSL_CTX_set_default_passwd_cb)                                                                                   \
    F(SSL_CTX_set_default_verify_paths)                                                                                \
    F(SSL_CTX_set_num_tickets)                                                                                         \
    F(SSL_CTX_set_psk_find_session_callback)                                                                           \
    F(SSL_CTX_set_psk_use_session_callback)                                                                            \
    F(SSL_CTX_use_PrivateKey_file)                                                                                     \
    F(SSL_CTX_use_certificate_chain_file)                                                                              \
    F(SSL_SESSION_free)                                                                                                \
    F(SSL_SESSION_new)                                                                                                 \
    F(SSL_SESSION_set1_master_key)                                                                                     \
    F(SSL_SESSION_set_cipher)                                                                                          \
    F(SSL_SESSION_set_protocol_version)                                                                                \
    F(SSL_ctrl)                                                                                                        \
    F(SSL_do_handshake)                                                                                                \
    F(SSL_free)                                                                                                        \
    F(SSL_get0_param)                                                                                                  \
    F(SSL_get_error)                                                                                                   \
    F(SSL_get_ex_data)                                                                                                 \
    F(SSL_get_verify_result)                                                                                           \
    F(SSL_new)                                                                                                         \
    F(SSL_read)                                                                                                        \
    F(SSL_set1_host)                                                                                                   \
    F(SSL_set_accept_state)                                                                                            \
    F(SSL_set_bio)                                                                                                     \
    F(SSL_set_connect_state)                                                                                           \
    F(SSL_set_ex_data)                                                                                                 \
    F(SSL_set_verify)                                                                                                  \
    F(SSL_shutdown)                                                                                                    \
    F(SSL_write)                                                                                                       \
    F(TLS_method)                                                                                                      \
    F(X509_VERIFY_PARAM_set1_ip_asc)                                                                                   \
    F(X509_verify_cert_error_string)

#define MEMBER(name) __typeof__(name) *name;
static struct {
    int is_loaded;
    FUNCTIONS(MEMBER)
} ssl;

#define LOAD(name) loaded = loaded && (ssl.name = (__typeof__(name) *)dlsym(library, #name)) != NULL;
static void library_load(void) {
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    int loaded = library != NULL;
    FUNCTIONS(LOAD)
    ssl.is_loaded = loaded;
}

static int library_need(const struct weir_place *place, weir_error *err) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, library_load);
    if (ssl.is_loaded)
        return WEIR_OK;
    return weir_fail(err, WEIR_ENOTSUP, "%s: TLS needs OpenSSL, and %s is not there; install it (Debian: libssl3)",
                     place->text, LIBRARY);
}

struct weir_tls_context {
    SSL_CTX *ctx;
    uint8_t has_secret;
    uint8_t has_certificate;
    uint8_t asks_all; /* a listener wants certificates, too */
    unsigned char secret[WEIR_TLS_KEY_SIZE];
    char host[256];
};

struct weir_tls {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    const struct weir_tls_context *context;
    size_t out_sent; /* of what stands in out */
    size_t taken;    /* before it was up */
    uint8_t is_listener;
    uint8_t is_up;
    uint8_t has_ended;
    uint8_t is_foreign;
    unsigned char first; /* byte that came */
    char why[160];
};

/* ---- files ---- */

static int hex_digit(unsigned char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int secret_parse(const unsigned char *bytes, size_t size, unsigned char *ret) {
    if (size == WEIR_TLS_KEY_SIZE) {
        memcpy(ret, bytes, size);
        return WEIR_OK;
    }
    while (size > 0 && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r'))
        size--;
    if (size != 2 * WEIR_TLS_KEY_SIZE)
        return WEIR_EINVAL;
    for (size_t i = 0; i < WEIR_TLS_KEY_SIZE; i++) {
        int high = hex_digit(bytes[2 * i]), low = hex_digit(bytes[2 * i + 1]);
        if (high < 0 || low < 0)
            return WEIR_EINVAL;
        ret[i] = (unsigned char)(high << 4 | low);
    }
    return WEIR_OK;
}

/* A secret that others can read is none. */
static int secrecy_check(const struct weir_place *place, const char *option, const char *path, mode_t forbidden,
                         weir_error *err) {
    struct stat about;
    if (stat(path, &about) != 0)
        return weir_fail_errno(err, errno, "%s: %s=%s cannot be read", place->text, option, path);
    if (!S_ISREG(about.st_mode))
        return weir_fail(err, WEIR_EADDRESS, "%s: %s=%s is not a regular file", place->text, option, path);
    if (about.st_mode & forbidden)
        return weir_fail(err, WEIR_EACCESS,
                         "%s: %s=%s can be read by others (mode %04o); chmod 600 it, and make a new "
                         "one if it was so for long",
                         place->text, option, path, about.st_mode & 07777u);
    return WEIR_OK;
}

static int secret_read(const struct weir_place *place, unsigned char *ret, weir_error *err) {
    unsigned char bytes[2 * WEIR_TLS_KEY_SIZE + 4];
    int status = secrecy_check(place, "psk", place->psk, 077, err);
    if (status != WEIR_OK)
        return status;
    int fd = open(place->psk, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return weir_fail_errno(err, errno, "%s: psk=%s cannot be read", place->text, place->psk);
    ssize_t size = read(fd, bytes, sizeof(bytes));
    close(fd);
    if (size < 0 || secret_parse(bytes, (size_t)size, ret) != WEIR_OK)
        status =
            weir_fail(err, WEIR_EADDRESS,
                      "%s: psk=%s must hold 32 bytes or 64 hexadecimal digits; make one with: openssl rand -hex 32",
                      place->text, place->psk);
    ssl.OPENSSL_cleanse(bytes, sizeof(bytes));
    return status;
}

/* ---- the secret ---- */

static const unsigned char identity[] = "weir";
static const unsigned char cipher_number[2] = {0x13, 0x01}; /* TLS_AES_128_GCM_SHA256 */

static SSL_SESSION *session_make(SSL *of) {
    const struct weir_tls_context *context = ssl.SSL_get_ex_data(of, 0);
    const SSL_CIPHER *cipher = ssl.SSL_CIPHER_find(of, cipher_number);
    SSL_SESSION *session = ssl.SSL_SESSION_new();
    if (session && cipher && ssl.SSL_SESSION_set1_master_key(session, context->secret, WEIR_TLS_KEY_SIZE) &&
        ssl.SSL_SESSION_set_cipher(session, cipher) && ssl.SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION))
        return session;
    ssl.SSL_SESSION_free(session);
    return NULL;
}

static int secret_offer(SSL *of, const EVP_MD *digest, const unsigned char **ret_id, size_t *ret_size,
                        SSL_SESSION **ret) {
    (void)digest;
    *ret = session_make(of);
    *ret_id = identity;
    *ret_size = sizeof(identity) - 1;
    return *ret != NULL;
}

static int secret_find(SSL *of, const unsigned char *id, size_t size, SSL_SESSION **ret) {
    *ret = NULL;
    if (size != sizeof(identity) - 1 || memcmp(id, identity, size) != 0)
        return 1; /* somebody else's: the handshake ends for want of a certificate */
    *ret = session_make(of);
    return *ret != NULL;
}

static int secret_set(const struct weir_place *place, struct weir_tls_context *context, weir_error *err) {
    int status = secret_read(place, context->secret, err);
    if (status != WEIR_OK)
        return status;
    context->has_secret = 1;
    ssl.SSL_CTX_set_psk_use_session_callback(context->ctx, secret_offer);
    ssl.SSL_CTX_set_psk_find_session_callback(context->ctx, secret_find);
    if (!ssl.SSL_CTX_set_ciphersuites(context->ctx, "TLS_AES_128_GCM_SHA256"))
        return weir_fail(err, WEIR_ENOTSUP, "%s: this OpenSSL lacks TLS_AES_128_GCM_SHA256", place->text);
    return WEIR_OK;
}

/* ---- certificates ---- */

/* Why OpenSSL has just failed. */
static const char *reason(void) {
    const char *text = ssl.ERR_reason_error_string(ssl.ERR_peek_error());
    return text ? text : "it is not in PEM form";
}

static int no_pass_phrase(char *buffer, int size, int writes, void *user) {
    (void)buffer, (void)size, (void)writes, (void)user;
    return 0;
}

static int certificate_set(const struct weir_place *place, struct weir_tls_context *context, weir_error *err) {
    const char *key = place->key[0] ? place->key : place->cert;
    int status = secrecy_check(place, "key", key, 007, err);
    if (status != WEIR_OK)
        return status;
    if (access(place->cert, R_OK) != 0)
        return weir_fail_errno(err, errno, "%s: cert=%s cannot be read", place->text, place->cert);
    ssl.SSL_CTX_set_default_passwd_cb(context->ctx, no_pass_phrase);
    if (ssl.SSL_CTX_use_certificate_chain_file(context->ctx, place->cert) != 1)
        return weir_fail(err, WEIR_EADDRESS, "%s: cert=%s is no certificate that can be used: %s", place->text,
                         place->cert, reason());
    int is_key = ssl.SSL_CTX_use_PrivateKey_file(context->ctx, key, SSL_FILETYPE_PEM) == 1;
    if (!is_key && ERR_GET_REASON(ssl.ERR_peek_error()) != X509_R_KEY_VALUES_MISMATCH)
        return weir_fail(err, WEIR_EADDRESS,
                         "%s: key=%s is no key that can be used (%s); one with a pass phrase is not", place->text, key,
                         reason());
    if (!is_key || ssl.SSL_CTX_check_private_key(context->ctx) != 1)
        return weir_fail(err, WEIR_EADDRESS, "%s: key=%s is not the key of cert=%s", place->text, key, place->cert);
    context->has_certificate = 1;
    return WEIR_OK;
}

static int authorities_set(const struct weir_place *place, struct weir_tls_context *context, weir_error *err) {
    context->asks_all = place->ca[0] != '\0';
    if (!place->ca[0])
        return ssl.SSL_CTX_set_default_verify_paths(context->ctx) ? WEIR_OK : WEIR_ENOMEM;
    if (access(place->ca, R_OK) != 0)
        return weir_fail_errno(err, errno, "%s: ca=%s cannot be read", place->text, place->ca);
    if (ssl.SSL_CTX_load_verify_locations(context->ctx, place->ca, NULL) != 1)
        return weir_fail(err, WEIR_EADDRESS, "%s: ca=%s holds no certificates: %s", place->text, place->ca, reason());
    return WEIR_OK;
}

static int context_fill(const struct weir_place *place, struct weir_tls_context *context, weir_error *err) {
    context->ctx = ssl.SSL_CTX_new(ssl.TLS_method());
    if (!context->ctx || !ssl.SSL_CTX_ctrl(context->ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_3_VERSION, NULL) ||
        !ssl.SSL_CTX_set_num_tickets(context->ctx, 0)) /* connections are long; nothing is resumed */
        return weir_fail(err, WEIR_ENOTSUP, "%s: this OpenSSL does not speak TLS 1.3", place->text);
    ssl.SSL_CTX_ctrl(context->ctx, SSL_CTRL_MODE, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS, NULL);
    if (place->psk[0])
        return secret_set(place, context, err);
    int status = place->cert[0] ? certificate_set(place, context, err) : WEIR_OK;
    return status == WEIR_OK ? authorities_set(place, context, err) : status;
}

int weir_tls_setup(const struct weir_place *place, const char *host, struct weir_tls_context **ret, weir_error *err) {
    *ret = NULL;
    if (!weir_tls_is_wanted(place))
        return WEIR_OK;
    int status = library_need(place, err);
    if (status != WEIR_OK)
        return status;
    struct weir_tls_context *context = calloc(1, sizeof(*context));
    if (!context)
        return weir_fail(err, WEIR_ENOMEM, "%s: out of memory", place->text);
    snprintf(context->host, sizeof(context->host), "%s", host);
    ssl.ERR_clear_error();
    status = context_fill(place, context, err);
    ssl.ERR_clear_error();
    if (status == WEIR_OK)
        *ret = context;
    else
        weir_tls_teardown(context);
    return status;
}

struct weir_tls_context *weir_tls_teardown(struct weir_tls_context *context) {
    if (!context)
        return NULL;
    ssl.SSL_CTX_free(context->ctx);
    ssl.OPENSSL_cleanse(context->secret, sizeof(context->secret));
    free(context);
    return NULL;
}

int weir_tls_can_listen(const struct weir_tls_context *context) {
    return context->has_secret || context->has_certificate;
}

/* ---- a connection ---- */

/* Whose certificate will do. */
static int demands_set(struct weir_tls *tls) {
    const struct weir_tls_context *context = tls->context;
    if (tls->is_listener && !context->asks_all)
        return 1;
    /* With a secret no certificates are shown at all, and none may take its place. */
    ssl.SSL_set_verify(tls->ssl, SSL_VERIFY_PEER | (context->has_secret ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT), NULL);
    if (tls->is_listener || context->has_secret)
        return 1;
    if (!ssl.X509_VERIFY_PARAM_set1_ip_asc(ssl.SSL_get0_param(tls->ssl), context->host) &&
        (!ssl.SSL_set1_host(tls->ssl, context->host) ||
         !ssl.SSL_ctrl(tls->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)context->host)))
        return 0;
    return 1;
}

static int connection_fill(struct weir_tls *tls) {
    tls->ssl = ssl.SSL_new(tls->context->ctx);
    tls->in = ssl.BIO_new(ssl.BIO_s_mem());
    tls->out = ssl.BIO_new(ssl.BIO_s_mem());
    if (!tls->ssl || !tls->in || !tls->out)
        return 0;
    ssl.BIO_ctrl(tls->in, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, NULL); /* empty means later, not the end */
    ssl.SSL_set_bio(tls->ssl, tls->in, tls->out);
    if (tls->is_listener)
        ssl.SSL_set_accept_state(tls->ssl);
    else
        ssl.SSL_set_connect_state(tls->ssl);
    return ssl.SSL_set_ex_data(tls->ssl, 0, (void *)tls->context) && demands_set(tls);
}

static void handshake_step(struct weir_tls *tls);

struct weir_tls *weir_tls_begin(struct weir_tls_context *context, int is_listener) {
    struct weir_tls *tls = calloc(1, sizeof(*tls));
    if (!tls)
        return NULL;
    tls->context = context;
    tls->is_listener = (uint8_t)is_listener;
    if (!connection_fill(tls))
        return weir_tls_end(tls, -1);
    if (!is_listener)
        handshake_step(tls); /* our first words wait to be sent */
    return tls;
}

struct weir_tls *weir_tls_end(struct weir_tls *tls, int fd) {
    if (!tls)
        return NULL;
    if (tls->is_up && fd >= 0 && !weir_tls_has_output(tls)) {
        ssl.ERR_clear_error();
        ssl.SSL_shutdown(tls->ssl);
        (void)weir_tls_flush(tls, fd);
    }
    ssl.SSL_free(tls->ssl);
    free(tls);
    return NULL;
}

int weir_tls_is_up(const struct weir_tls *tls) {
    return tls->is_up;
}

int weir_tls_has_ended(const struct weir_tls *tls) {
    return tls->has_ended;
}

int weir_tls_is_foreign(const struct weir_tls *tls, unsigned char *ret_first) {
    *ret_first = tls->first;
    return tls->is_foreign;
}

void weir_tls_why(const struct weir_tls *tls, char *text, size_t size) {
    snprintf(text, size, "%s", tls->why[0] ? tls->why : "ends the handshake without a word");
}

/* ---- sentences ---- */

static const char *alert_text(int reason_code) {
    switch (reason_code) {
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA: return "does not know who has signed our certificate; it needs that ca=";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED: return "finds our certificate expired; renew it";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return "wants a certificate of us; add cert= and key=";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN: return "does not take our certificate";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION: return "does not speak TLS 1.3";
    default: return NULL;
    }
}

static const char *failure_text(const struct weir_tls *tls, int code) {
    const char *alert = alert_text(code);
    if (alert)
        return alert;
    if (tls->is_foreign)
        return "does not speak TLS; give both ends the same psk=, or cert=, key= and ca=";
    if (tls->context->has_secret)
        return "has another key; give both ends the same psk= file";
    if (code == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        return "shows no certificate";
    if (code == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE || code == SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM)
        return "wants another kind of TLS: psk= at one end, cert= at the other";
    return NULL;
}

/* Note why the connection is no good. */
static int broken(struct weir_tls *tls) {
    long verdict = ssl.SSL_get_verify_result(tls->ssl);
    unsigned long error = ssl.ERR_peek_error();
    int code = ERR_GET_REASON(error);
    tls->is_foreign |=
        !tls->is_up && tls->taken > 0 && tls->first != 22 && tls->first != 21; /* a handshake, or an alert */
    const char *text = failure_text(tls, code), *word = ssl.ERR_reason_error_string(error);
    if (tls->why[0])
        return WEIR_EACCESS;
    if (verdict != X509_V_OK && !alert_text(code))
        snprintf(tls->why, sizeof(tls->why), "shows a certificate that is not valid here: %s",
                 ssl.X509_verify_cert_error_string(verdict));
    else if (text)
        snprintf(tls->why, sizeof(tls->why), "%s", text);
    else
        snprintf(tls->why, sizeof(tls->why), "breaks TLS: %s", word ? word : "the connection ended");
    return WEIR_EACCESS;
}

/* ---- reading ---- */

static int is_wanting(struct weir_tls *tls, int result) {
    int error = ssl.SSL_get_error(tls->ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static void handshake_step(struct weir_tls *tls) {
    ssl.ERR_clear_error();
    int result = ssl.SSL_do_handshake(tls->ssl);
    tls->is_up = result == 1;
    if (result != 1 && !is_wanting(tls, result))
        (void)broken(tls);
}

static int handshake(struct weir_tls *tls) {
    handshake_step(tls);
    if (tls->is_up || !tls->why[0])
        return tls->is_up ? WEIR_OK : WEIR_EAGAIN;
    return WEIR_EACCESS;
}

/* Everything that has come whole goes to @stream. */
static int records_take(struct weir_tls *tls, struct weir_stream *stream) {
    int status = WEIR_EAGAIN;
    for (;;) {
        size_t room;
        unsigned char *to = weir_stream_room(stream, &room);
        if (!to)
            return WEIR_ENOMEM;
        ssl.ERR_clear_error();
        int got = ssl.SSL_read(tls->ssl, to, room > INT32_MAX ? INT32_MAX : (int)room);
        if (got > 0) {
            weir_stream_added(stream, (size_t)got);
            status = WEIR_OK;
            continue;
        }
        int error = ssl.SSL_get_error(tls->ssl, got);
        if (error == SSL_ERROR_ZERO_RETURN)
            tls->has_ended = 1;
        else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return broken(tls);
        return status == WEIR_EAGAIN && tls->has_ended ? WEIR_ECLOSED : status;
    }
}

int weir_tls_read(struct weir_tls *tls, int fd, struct weir_stream *stream) {
    unsigned char bytes[INPUT_SIZE];
    if (tls->has_ended)
        return WEIR_ECLOSED;
    ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? WEIR_EAGAIN : WEIR_ECLOSED;
    if (got == 0)
        return WEIR_ECLOSED;
    if (tls->taken == 0)
        tls->first = bytes[0];
    if (ssl.BIO_write(tls->in, bytes, (int)got) != (int)got)
        return WEIR_ENOMEM;
    int status = WEIR_OK;
    if (!tls->is_up) {
        tls->taken += (size_t)got;
        status = handshake(tls);
        if (status == WEIR_EAGAIN && tls->taken > WEIR_TLS_UNKNOWN_MAX) {
            snprintf(tls->why, sizeof(tls->why), "sends too much before it is let in");
            status = WEIR_EACCESS;
        }
    }
    if (status == WEIR_OK)
        status = records_take(tls, stream);
    int sent = weir_tls_flush(tls, fd); /* answers of the handshake, and alerts */
    return sent != WEIR_OK && status == WEIR_EAGAIN ? sent : status;
}

/* ---- writing ---- */

static size_t output_size(const struct weir_tls *tls, const char **ret) {
    long size = ssl.BIO_ctrl(tls->out, BIO_CTRL_INFO, 0, (void *)ret);
    return size > 0 ? (size_t)size - tls->out_sent : 0;
}

int weir_tls_has_output(const struct weir_tls *tls) {
    const char *bytes;
    return output_size(tls, &bytes) > 0;
}

/* It has left, or nobody will ever take it. Return: WEIR_ECLOSED. */
static int output_drop(struct weir_tls *tls) {
    ssl.BIO_ctrl(tls->out, BIO_CTRL_RESET, 0, NULL);
    tls->out_sent = 0;
    return WEIR_ECLOSED;
}

int weir_tls_flush(struct weir_tls *tls, int fd) {
    const char *bytes;
    size_t left;
    while ((left = output_size(tls, &bytes)) > 0) {
        ssize_t sent = send(fd, bytes + tls->out_sent, left, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? WEIR_OK : output_drop(tls);
        tls->out_sent += (size_t)sent;
        if ((size_t)sent < left)
            continue;
        (void)output_drop(tls);
    }
    return WEIR_OK;
}

ssize_t weir_tls_write(struct weir_tls *tls, int fd, const void *bytes, size_t size) {
    const char *waiting;
    if (!tls->is_up || size == 0)
        return 0;
    if (output_size(tls, &waiting) >= OUTPUT_MAX && weir_tls_flush(tls, fd) != WEIR_OK)
        return -1;
    if (output_size(tls, &waiting) >= OUTPUT_MAX)
        return 0;
    ssl.ERR_clear_error();
    int taken = ssl.SSL_write(tls->ssl, bytes, size > RECORD_SIZE ? RECORD_SIZE : (int)size);
    return taken > 0 ? taken : -1;
}

int weir_tls_check(const struct weir_place *place, weir_error *err) {
    if (place->psk[0] && (place->cert[0] || place->key[0] || place->ca[0]))
        return weir_fail(err, WEIR_EADDRESS,
                         "%s: psk= is TLS without certificates; leave it out, or cert=, key= and ca=", place->text);
    if (place->key[0] && !place->cert[0])
        return weir_fail(err, WEIR_EADDRESS, "%s: key= needs its certificate; add cert=FILE", place->text);
    return WEIR_OK;
}

#else /* built without OpenSSL: nothing but the refusal is reached */

int weir_tls_check(const struct weir_place *place, weir_error *err) {
    if (!weir_tls_is_wanted(place))
        return WEIR_OK;
    return weir_fail(err, WEIR_ENOTSUP,
                     "%s: this libweir was built without OpenSSL, so there is no TLS; build it with "
                     "libssl-dev, or keep to loopback",
                     place->text);
}

int weir_tls_setup(const struct weir_place *place, const char *host, struct weir_tls_context **ret, weir_error *err) {
    (void)host;
    *ret = NULL;
    return weir_tls_check(place, err);
}

struct weir_tls_context *weir_tls_teardown(struct weir_tls_context *context) {
    return context;
}

int weir_tls_can_listen(const struct weir_tls_context *context) {
    (void)context;
    return 0;
}

struct weir_tls *weir_tls_begin(struct weir_tls_context *context, int is_listener) {
    (void)context, (void)is_listener;
    return NULL;
}

struct weir_tls *weir_tls_end(struct weir_tls *tls, int fd) {
    (void)fd;
    return tls;
}

int weir_tls_is_up(const struct weir_tls *tls) {
    (void)tls;
    return 0;
}

int weir_tls_read(struct weir_tls *tls, int fd, struct weir_stream *stream) {
    (void)tls, (void)fd, (void)stream;
    return WEIR_ECLOSED;
}

int weir_tls_has_ended(const struct weir_tls *tls) {
    (void)tls;
    return 1;
}

ssize_t weir_tls_write(struct weir_tls *tls, int fd, const void *bytes, size_t size) {
    (void)tls, (void)fd, (void)bytes, (void)size;
    return -1;
}

int weir_tls_flush(struct weir_tls *tls, int fd) {
    (void)tls, (void)fd;
    return WEIR_ECLOSED;
}

int weir_tls_has_output(const struct weir_tls *tls) {
    (void)tls;
    return 0;
}

void weir_tls_why(const struct weir_tls *tls, char *text, size_t size) {
    (void)tls;
    snprintf(text, size, "cannot be spoken to");
}

int weir_tls_is_foreign(const struct weir_tls *tls, unsigned char *ret_first) {
    (void)tls, (void)ret_first;
    return 0;
}

#endif
