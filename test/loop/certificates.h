/* certificates.h: an authority, and certificates good and bad, made when the test starts. */
#ifndef SLUICE_TEST_CERTIFICATES_H
#define SLUICE_TEST_CERTIFICATES_H

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char cert_dir[64];

/* "/…/NAME" in the directory of this run; two at a time. */
static inline const char *cert_path(const char *name)
{
    static char paths[2][128];
    static unsigned next;
    char *path = paths[next++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", cert_dir, name);
    return path;
}

static inline void cert_write(const char *name, const char *text)
{
    FILE *f = fopen(cert_path(name), "w");
    assert(f != NULL);
    fputs(text, f);
    fclose(f);
}

static inline void cert_key(mbedtls_pk_context *key, const char *file)
{
    static unsigned char pem[4096];
    mbedtls_pk_init(key);
    int rc = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    assert(rc == 0);
    rc = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), mbedtls_psa_get_random,
                             MBEDTLS_PSA_RANDOM_STATE);
    assert(rc == 0);
    rc = mbedtls_pk_write_key_pem(key, pem, sizeof pem);
    assert(rc == 0);
    cert_write(file, (const char *)pem);
}

struct cert {
    const char *file, *subject, *issuer;
    mbedtls_pk_context *key, *signed_by;
    const char *dns, *until; /* `dns` NULL: no names; "127.0.0.1" is always among them otherwise */
    int is_ca;
};

static inline void cert_make(const struct cert *c)
{
    static unsigned char pem[4096], serial = 1;
    static unsigned char loopback[4] = {127, 0, 0, 1};
    static char dns[64];
    mbedtls_x509_san_list ip = {
        .node = {.type = MBEDTLS_X509_SAN_IP_ADDRESS,
                 .san.unstructured_name = {.p = loopback, .len = sizeof loopback}}};
    mbedtls_x509_san_list name = {
        .node = {.type = MBEDTLS_X509_SAN_DNS_NAME, .san.unstructured_name = {.p = (void *)dns}}};
    mbedtls_x509write_cert w;
    int rc = 0;
    mbedtls_x509write_crt_init(&w);
    mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
    serial++;
    rc |= mbedtls_x509write_crt_set_serial_raw(&w, &serial, 1);
    rc |= mbedtls_x509write_crt_set_validity(&w, "20200101000000", c->until);
    rc |= mbedtls_x509write_crt_set_subject_name(&w, c->subject);
    rc |= mbedtls_x509write_crt_set_issuer_name(&w, c->issuer);
    mbedtls_x509write_crt_set_subject_key(&w, c->key);
    mbedtls_x509write_crt_set_issuer_key(&w, c->signed_by);
    rc |= mbedtls_x509write_crt_set_basic_constraints(&w, c->is_ca, -1);
    if (c->dns != NULL) {
        snprintf(dns, sizeof dns, "%s", c->dns);
        name.node.san.unstructured_name.len = strlen(dns);
        if (strcmp(c->dns, "localhost") == 0)
            name.next = &ip;
        rc |= mbedtls_x509write_crt_set_subject_alternative_name(&w, &name);
    }
    rc |= mbedtls_x509write_crt_pem(&w, pem, sizeof pem, mbedtls_psa_get_random,
                                    MBEDTLS_PSA_RANDOM_STATE);
    assert(rc == 0);
    cert_write(c->file, (const char *)pem);
    mbedtls_x509write_crt_free(&w);
}

/* ca.pem signed server.pem (localhost, 127.0.0.1), expired.pem and elsewhere.pem (other.test), all
 * with server.key; other_ca.pem signed none of them. */
static inline int certificates_make(void **state)
{
    mbedtls_pk_context ca, other, server;
    (void)state;
    psa_crypto_init();
    snprintf(cert_dir, sizeof cert_dir, "%s/sluice-cert-XXXXXX",
             getenv("TMPDIR") != NULL && strlen(getenv("TMPDIR")) < 32 ? getenv("TMPDIR") : "/tmp");
    if (mkdtemp(cert_dir) == NULL)
        return -1;
    cert_key(&ca, "ca.key");
    cert_key(&other, "other_ca.key");
    cert_key(&server, "server.key");
    const struct cert all[] = {
        {"ca.pem", "CN=ca", "CN=ca", &ca, &ca, NULL, "20991231235959", 1},
        {"other_ca.pem", "CN=other", "CN=other", &other, &other, NULL, "20991231235959", 1},
        {"server.pem", "CN=server", "CN=ca", &server, &ca, "localhost", "20991231235959", 0},
        {"expired.pem", "CN=server", "CN=ca", &server, &ca, "localhost", "20210101000000", 0},
        {"elsewhere.pem", "CN=server", "CN=ca", &server, &ca, "other.test", "20991231235959", 0},
    };
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
        cert_make(&all[i]);
    mbedtls_pk_free(&ca);
    mbedtls_pk_free(&other);
    mbedtls_pk_free(&server);
    return 0;
}

static inline int certificates_remove(void **state)
{
    static const char *const names[] = {"ca.pem",       "other_ca.pem",  "server.pem",
                                        "expired.pem",  "elsewhere.pem", "ca.key",
                                        "other_ca.key", "server.key",    "garbage.pem"};
    (void)state;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(cert_path(names[i]));
    rmdir(cert_dir);
    mbedtls_psa_crypto_free();
    return 0;
}

#endif
