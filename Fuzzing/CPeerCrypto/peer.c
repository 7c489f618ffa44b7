#include "peer.h"
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

static bool digest_verify(
    EVP_PKEY *key, const EVP_MD *md, const uint8_t *signature, size_t size, const uint8_t *message, size_t length) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool valid = context && EVP_DigestVerifyInit(context, NULL, md, NULL, key) == 1 &&
                 EVP_DigestVerify(context, signature, size, message, length) == 1;
    EVP_MD_CTX_free(context);
    return valid;
}

bool peer_ed25519_verify(const uint8_t key[32], const uint8_t signature[64], const uint8_t *message, size_t length) {
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
    bool valid = public && digest_verify(public, NULL, signature, 64, message, length);
    EVP_PKEY_free(public);
    return valid;
}

bool peer_ed25519_public(const uint8_t seed[32], uint8_t key[32]) {
    EVP_PKEY *private = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    size_t length = 32;
    bool made = private && EVP_PKEY_get_raw_public_key(private, key, &length) == 1 && length == 32;
    EVP_PKEY_free(private);
    return made;
}

bool peer_x25519(const uint8_t secret[32], const uint8_t key[32], uint8_t shared[32]) {
    EVP_PKEY *private = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, 32);
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, key, 32);
    EVP_PKEY_CTX *context = private ? EVP_PKEY_CTX_new(private, NULL) : NULL;
    size_t length = 32;
    bool made = public && context && EVP_PKEY_derive_init(context) == 1 &&
                EVP_PKEY_derive_set_peer(context, public) == 1 &&
                EVP_PKEY_derive(context, shared, &length) == 1 && length == 32;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(public);
    EVP_PKEY_free(private);
    return made;
}

static EVP_PKEY *p256(const uint8_t x[32], const uint8_t y[32]) {
    uint8_t point[65] = {4};
    memcpy(point + 1, x, 32);
    memcpy(point + 33, y, 32);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point), OSSL_PARAM_construct_end()};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (context && EVP_PKEY_fromdata_init(context) == 1) {
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters);
    }
    EVP_PKEY_CTX_free(context);
    return key;
}

bool peer_es256_verify(
    const uint8_t x[32], const uint8_t y[32], const uint8_t signature[64], const uint8_t *message, size_t length) {
    EVP_PKEY *key = p256(x, y);
    ECDSA_SIG *parts = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, 32, NULL);
    BIGNUM *s = BN_bin2bn(signature + 32, 32, NULL);
    uint8_t *der = NULL;
    bool valid = false;
    if (key && parts && r && s && ECDSA_SIG_set0(parts, r, s) == 1) {
        // The signature has them now.
        r = s = NULL;
        int size = i2d_ECDSA_SIG(parts, &der);
        valid = size > 0 && digest_verify(key, EVP_sha256(), der, (size_t)size, message, length);
    }
    BN_free(r);
    BN_free(s);
    OPENSSL_free(der);
    ECDSA_SIG_free(parts);
    EVP_PKEY_free(key);
    return valid;
}

bool peer_sha256(const uint8_t *message, size_t length, uint8_t digest[32]) {
    unsigned int size = 0;
    return EVP_Digest(message, length, digest, &size, EVP_sha256(), NULL) == 1 && size == 32;
}

bool peer_hmac_sha256(
    const uint8_t *key, size_t key_length, const uint8_t *message, size_t length, uint8_t code[32]) {
    unsigned int size = 0;
    return HMAC(EVP_sha256(), key, (int)key_length, message, length, code, &size) != NULL && size == 32;
}

size_t peer_base64(const uint8_t *bytes, size_t length, uint8_t *output) {
    return (size_t)EVP_EncodeBlock(output, bytes, (int)length);
}

int peer_pem_ed25519(const uint8_t *text, size_t length, uint8_t key[32]) {
    EVP_PKEY *found = NULL;
    int kind = 0;
    BIO *input = BIO_new_mem_buf(text, (int)length);
    if (input && (found = PEM_read_bio_PrivateKey(input, NULL, NULL, (void *)"")) != NULL) kind = 1;
    BIO_free(input);
    if (!found) {
        input = BIO_new_mem_buf(text, (int)length);
        if (input && (found = PEM_read_bio_PUBKEY(input, NULL, NULL, NULL)) != NULL) kind = 2;
        BIO_free(input);
    }
    size_t size = 32;
    if (!found || EVP_PKEY_get_base_id(found) != EVP_PKEY_ED25519 ||
        EVP_PKEY_get_raw_public_key(found, key, &size) != 1 || size != 32) {
        kind = 0;
    }
    EVP_PKEY_free(found);
    return kind;
}

bool peer_number(const char *text, size_t length, double *value) {
    char *end = NULL;
    *value = strtod(text, &end);
    return length > 0 && end == text + length;
}
