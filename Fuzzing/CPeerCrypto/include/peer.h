#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Another's implementation (OpenSSL, and the C library for numbers) of what our own code does with Swift Crypto and by
// itself. Nothing here is used by the product: fuzz targets hold the two against each other.

/// Ed25519 (RFC 8032): whether `signature` is that of `key` over the message.
bool peer_ed25519_verify(const uint8_t key[32], const uint8_t signature[64], const uint8_t *message, size_t length);

/// Ed25519: the public key of a seed; false when the library refuses it.
bool peer_ed25519_public(const uint8_t seed[32], uint8_t key[32]);

/// X25519 (RFC 7748): the shared secret; false when the library refuses the key, as it does for a secret of zeros.
bool peer_x25519(const uint8_t secret[32], const uint8_t key[32], uint8_t shared[32]);

/// ES256 (RFC 7518): whether the 64 bytes of `signature` are that of the point `x`, `y` of P-256 over the message.
bool peer_es256_verify(
    const uint8_t x[32], const uint8_t y[32], const uint8_t signature[64], const uint8_t *message, size_t length);

/// SHA-256.
bool peer_sha256(const uint8_t *message, size_t length, uint8_t digest[32]);

/// HMAC-SHA-256.
bool peer_hmac_sha256(
    const uint8_t *key, size_t key_length, const uint8_t *message, size_t length, uint8_t code[32]);

/// Base64 (RFC 4648 section 4). `output` has room for 4 * ((length + 2) / 3) + 1 bytes; the number written.
size_t peer_base64(const uint8_t *bytes, size_t length, uint8_t *output);

/// The first key of a PEM text: 1 for an Ed25519 private key, 2 for a public one, whose public key is written to `key`;
/// 0 for anything else.
int peer_pem_ed25519(const uint8_t *text, size_t length, uint8_t key[32]);

/// The double that the C library reads of a whole text; false when it does not read all of it. `text` ends with a zero
/// byte at `length`.
bool peer_number(const char *text, size_t length, double *value);
