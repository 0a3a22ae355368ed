/* sluice_mbedtls.h: how sluice wants its mbedTLS; appended to upstream's default configuration.
 *
 * Measured with 3.6.6, one TLS 1.3 server and one client context (what a proxied stream holds):
 * 84 KB resident as distributions configure it, 33 KB like this. It costs no feature we use: the
 * gateway speaks TLS 1.2 and 1.3 over streams, nothing else. */

/* The allocator is ours to set: record buffers (4 × 16.7 KB a stream) then come from pages that
 * are only resident as far as a record ever reached. */
#define MBEDTLS_PLATFORM_MEMORY

/* PSA calls otherwise copy whole output buffers in and out, 16 KB at a time, which makes every
 * page of a record buffer resident during the handshake. The copies guard against callers that
 * share memory with an untrusted party; nobody shares ours. */
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS

/* Hashing and handshakes may run on libuv's threads. */
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD

/* No datagrams. */
#undef MBEDTLS_SSL_PROTO_DTLS
#undef MBEDTLS_SSL_DTLS_ANTI_REPLAY
#undef MBEDTLS_SSL_DTLS_HELLO_VERIFY
#undef MBEDTLS_SSL_DTLS_CLIENT_PORT_REUSE
#undef MBEDTLS_SSL_DTLS_CONNECTION_ID
#undef MBEDTLS_SSL_DTLS_CONNECTION_ID_COMPAT

/* Nothing here renegotiates, exports keys, or moves a connection to another process. */
#undef MBEDTLS_SSL_RENEGOTIATION
#undef MBEDTLS_SSL_KEYING_MATERIAL_EXPORT
#undef MBEDTLS_SSL_CONTEXT_SERIALIZATION

/* Key exchanges without forward secrecy, and ciphers nobody offers any more. */
#undef MBEDTLS_KEY_EXCHANGE_RSA_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_RSA_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_DHE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDHE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDH_ECDSA_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDH_RSA_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECJPAKE_ENABLED
#undef MBEDTLS_ECJPAKE_C
#undef MBEDTLS_CAMELLIA_C
#undef MBEDTLS_ARIA_C
#undef MBEDTLS_RIPEMD160_C
#undef MBEDTLS_LMS_C

/* Sockets, clocks and key files are ours; self tests and wire dumps are its developers'. */
#undef MBEDTLS_NET_C
#undef MBEDTLS_TIMING_C
#undef MBEDTLS_PSA_CRYPTO_STORAGE_C
#undef MBEDTLS_PSA_ITS_FILE_C
#undef MBEDTLS_SELF_TEST
#undef MBEDTLS_DEBUG_C
#undef MBEDTLS_VERSION_FEATURES
