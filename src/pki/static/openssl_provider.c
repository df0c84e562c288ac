// The algorithms of OpenSSL that a static skiff has.
//
// libcrypto.a's own default provider names every algorithm there is, and so pulls all of them into
// the binary. This file defines the function that it is started by, and the linker leaves the
// original out. A call for what is not in these tables fails as it would for an unknown name:
// TLS skips the ciphers and groups, a key or a certificate is "unsupported".
//
// The tables behind the names are internal to OpenSSL 3.0 (providers/implementations/include/prov/
// implementations.h, providers/prov_ctx.h there): another version fails to link, or fails
// tests/static/openssl_test.cpp, which goes through all that is promised here.
#include <openssl/bio.h>
#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/opensslv.h>
#include <openssl/params.h>
#include <openssl/types.h>

#include <stddef.h>

#if OPENSSL_VERSION_MAJOR != 3 || OPENSSL_VERSION_MINOR != 0
#error "this is for OpenSSL 3.0: compare the tables with those of the version at hand"
#endif

typedef struct prov_ctx_st PROV_CTX;
PROV_CTX* ossl_prov_ctx_new(void);
void ossl_prov_ctx_free(PROV_CTX* context);
void ossl_prov_ctx_set0_libctx(PROV_CTX* context, OSSL_LIB_CTX* library);
void ossl_prov_ctx_set0_handle(PROV_CTX* context, const OSSL_CORE_HANDLE* handle);
void ossl_prov_ctx_set0_core_bio_method(PROV_CTX* context, BIO_METHOD* method);
BIO_METHOD* ossl_prov_ctx_get0_core_bio_method(PROV_CTX* context);
BIO_METHOD* ossl_bio_prov_init_bio_method(void);
int ossl_prov_bio_from_dispatch(const OSSL_DISPATCH* functions);
int ossl_prov_seeding_from_dispatch(const OSSL_DISPATCH* functions);
int ossl_prov_get_capabilities(void* context, const char* capability, OSSL_CALLBACK* callback,
                               void* argument);
int ossl_prov_is_running(void);
OSSL_provider_init_fn ossl_default_provider_init;

// One line of a table; DER and PEM forms of keys say what they read or write.
#define END {NULL, NULL, NULL, NULL}
#define ALGORITHM(names, functions) {names, "provider=default", functions, NULL}
#define DECODER(names, input, structure, functions) \
  {names, "provider=default,fips=yes,input=" input structure, functions, NULL}
#define ENCODER(names, output, structure, functions) \
  {names, "provider=default,fips=yes,output=" output ",structure=" structure, functions, NULL}

#define RSA_NAMES "RSA:rsaEncryption:1.2.840.113549.1.1.1"
#define RSA_PSS_NAMES "RSA-PSS:RSASSA-PSS:1.2.840.113549.1.1.10"
#define EC_NAMES "EC:id-ecPublicKey:1.2.840.10045.2.1"
#define X25519_NAMES "X25519:1.3.101.110"
#define ED25519_NAMES "ED25519:1.3.101.112"

extern const OSSL_DISPATCH ossl_sha1_functions[], ossl_sha224_functions[], ossl_sha256_functions[],
    ossl_sha384_functions[], ossl_sha512_functions[];
static const OSSL_ALGORITHM kDigests[] = {
    // What certificate folders are indexed by, and the handshake of WebSocket.
    ALGORITHM("SHA1:SHA-1:SSL3-SHA1:1.3.14.3.2.26", ossl_sha1_functions),
    ALGORITHM("SHA2-224:SHA-224:SHA224:2.16.840.1.101.3.4.2.4", ossl_sha224_functions),
    ALGORITHM("SHA2-256:SHA-256:SHA256:2.16.840.1.101.3.4.2.1", ossl_sha256_functions),
    ALGORITHM("SHA2-384:SHA-384:SHA384:2.16.840.1.101.3.4.2.2", ossl_sha384_functions),
    ALGORITHM("SHA2-512:SHA-512:SHA512:2.16.840.1.101.3.4.2.3", ossl_sha512_functions),
    END,
};

extern const OSSL_DISPATCH ossl_aes128gcm_functions[], ossl_aes256gcm_functions[],
    ossl_aes256ecb_functions[], ossl_aes256ctr_functions[],
    ossl_chacha20_ossl_poly1305_functions[];
static const OSSL_ALGORITHM kCiphers[] = {
    ALGORITHM("AES-128-GCM:id-aes128-GCM:2.16.840.1.101.3.4.1.6", ossl_aes128gcm_functions),
    ALGORITHM("AES-256-GCM:id-aes256-GCM:2.16.840.1.101.3.4.1.46", ossl_aes256gcm_functions),
    ALGORITHM("ChaCha20-Poly1305", ossl_chacha20_ossl_poly1305_functions),
    // These two are parts of the random number generator.
    ALGORITHM("AES-256-ECB:2.16.840.1.101.3.4.1.41", ossl_aes256ecb_functions),
    ALGORITHM("AES-256-CTR", ossl_aes256ctr_functions),
    END,
};

extern const OSSL_DISPATCH ossl_hmac_functions[];
static const OSSL_ALGORITHM kMacs[] = {ALGORITHM("HMAC", ossl_hmac_functions), END};

extern const OSSL_DISPATCH ossl_kdf_hkdf_functions[], ossl_kdf_tls1_3_kdf_functions[],
    ossl_kdf_tls1_prf_functions[];
static const OSSL_ALGORITHM kKeyDerivations[] = {
    ALGORITHM("HKDF", ossl_kdf_hkdf_functions),
    ALGORITHM("TLS13-KDF", ossl_kdf_tls1_3_kdf_functions),
    ALGORITHM("TLS1-PRF", ossl_kdf_tls1_prf_functions),
    END,
};

extern const OSSL_DISPATCH ossl_ecdh_keyexch_functions[], ossl_x25519_keyexch_functions[];
static const OSSL_ALGORITHM kKeyExchanges[] = {
    ALGORITHM("ECDH", ossl_ecdh_keyexch_functions),
    ALGORITHM(X25519_NAMES, ossl_x25519_keyexch_functions),
    END,
};

extern const OSSL_DISPATCH ossl_drbg_ctr_functions[], ossl_seed_src_functions[];
static const OSSL_ALGORITHM kRandom[] = {
    ALGORITHM("CTR-DRBG", ossl_drbg_ctr_functions),
    ALGORITHM("SEED-SRC", ossl_seed_src_functions),
    END,
};

extern const OSSL_DISPATCH ossl_rsa_signature_functions[], ossl_ecdsa_signature_functions[],
    ossl_ed25519_signature_functions[], ossl_mac_legacy_hmac_signature_functions[];
static const OSSL_ALGORITHM kSignatures[] = {
    ALGORITHM(RSA_NAMES, ossl_rsa_signature_functions),
    ALGORITHM("ECDSA", ossl_ecdsa_signature_functions),
    ALGORITHM(ED25519_NAMES, ossl_ed25519_signature_functions),
    ALGORITHM("HMAC", ossl_mac_legacy_hmac_signature_functions),
    END,
};

extern const OSSL_DISPATCH ossl_rsa_keymgmt_functions[], ossl_rsapss_keymgmt_functions[],
    ossl_ec_keymgmt_functions[], ossl_x25519_keymgmt_functions[], ossl_ed25519_keymgmt_functions[],
    ossl_mac_legacy_keymgmt_functions[];
static const OSSL_ALGORITHM kKeys[] = {
    ALGORITHM(RSA_NAMES, ossl_rsa_keymgmt_functions),
    ALGORITHM(RSA_PSS_NAMES, ossl_rsapss_keymgmt_functions),
    ALGORITHM(EC_NAMES, ossl_ec_keymgmt_functions),
    ALGORITHM(X25519_NAMES, ossl_x25519_keymgmt_functions),
    ALGORITHM(ED25519_NAMES, ossl_ed25519_keymgmt_functions),
    ALGORITHM("HMAC", ossl_mac_legacy_keymgmt_functions),
    END,
};

#define ENCODERS_OF(names, key)                                                  \
  ENCODER(names, "der", "PrivateKeyInfo",                                        \
          ossl_##key##_to_PrivateKeyInfo_der_encoder_functions),                 \
      ENCODER(names, "pem", "PrivateKeyInfo",                                    \
              ossl_##key##_to_PrivateKeyInfo_pem_encoder_functions),             \
      ENCODER(names, "der", "SubjectPublicKeyInfo",                              \
              ossl_##key##_to_SubjectPublicKeyInfo_der_encoder_functions),       \
      ENCODER(names, "pem", "SubjectPublicKeyInfo",                              \
              ossl_##key##_to_SubjectPublicKeyInfo_pem_encoder_functions)
#define DECLARE_ENCODERS_OF(key)                                                          \
  extern const OSSL_DISPATCH ossl_##key##_to_PrivateKeyInfo_der_encoder_functions[],      \
      ossl_##key##_to_PrivateKeyInfo_pem_encoder_functions[],                             \
      ossl_##key##_to_SubjectPublicKeyInfo_der_encoder_functions[],                       \
      ossl_##key##_to_SubjectPublicKeyInfo_pem_encoder_functions[]
DECLARE_ENCODERS_OF(rsa);
DECLARE_ENCODERS_OF(ec);
DECLARE_ENCODERS_OF(ed25519);
static const OSSL_ALGORITHM kEncoders[] = {
    ENCODERS_OF(RSA_NAMES, rsa),
    ENCODERS_OF(EC_NAMES, ec),
    ENCODERS_OF(ED25519_NAMES, ed25519),
    END,
};

#define DECODERS_OF(names, key)                                                \
  DECODER(names, "der", ",structure=PrivateKeyInfo",                           \
          ossl_PrivateKeyInfo_der_to_##key##_decoder_functions),               \
      DECODER(names, "der", ",structure=SubjectPublicKeyInfo",                 \
              ossl_SubjectPublicKeyInfo_der_to_##key##_decoder_functions)
#define DECLARE_DECODERS_OF(key)                                                     \
  extern const OSSL_DISPATCH ossl_PrivateKeyInfo_der_to_##key##_decoder_functions[], \
      ossl_SubjectPublicKeyInfo_der_to_##key##_decoder_functions[]
DECLARE_DECODERS_OF(rsa);
DECLARE_DECODERS_OF(rsapss);
DECLARE_DECODERS_OF(ec);
DECLARE_DECODERS_OF(x25519);
DECLARE_DECODERS_OF(ed25519);
extern const OSSL_DISPATCH ossl_type_specific_keypair_der_to_rsa_decoder_functions[],
    ossl_RSA_der_to_rsa_decoder_functions[], ossl_type_specific_no_pub_der_to_ec_decoder_functions[],
    ossl_EC_der_to_ec_decoder_functions[], ossl_SubjectPublicKeyInfo_der_to_der_decoder_functions[],
    ossl_pem_to_der_decoder_functions[];
static const OSSL_ALGORITHM kDecoders[] = {
    DECODERS_OF(RSA_NAMES, rsa),
    DECODERS_OF(RSA_PSS_NAMES, rsapss),
    DECODERS_OF(EC_NAMES, ec),
    DECODERS_OF(X25519_NAMES, x25519),
    DECODERS_OF(ED25519_NAMES, ed25519),
    // "RSA PRIVATE KEY" (RFC 8017) and "EC PRIVATE KEY" (RFC 5915)
    DECODER(RSA_NAMES, "der", ",structure=type-specific",
            ossl_type_specific_keypair_der_to_rsa_decoder_functions),
    DECODER(RSA_NAMES, "der", ",structure=rsa", ossl_RSA_der_to_rsa_decoder_functions),
    DECODER(EC_NAMES, "der", ",structure=type-specific",
            ossl_type_specific_no_pub_der_to_ec_decoder_functions),
    DECODER(EC_NAMES, "der", ",structure=ec", ossl_EC_der_to_ec_decoder_functions),
    DECODER("DER", "der", ",structure=SubjectPublicKeyInfo",
            ossl_SubjectPublicKeyInfo_der_to_der_decoder_functions),
    DECODER("DER", "pem", "", ossl_pem_to_der_decoder_functions),
    END,
};

static const OSSL_ALGORITHM* query(void* context, int operation, int* no_cache) {
  (void)context;
  *no_cache = 0;
  switch (operation) {
    case OSSL_OP_DIGEST: return kDigests;
    case OSSL_OP_CIPHER: return kCiphers;
    case OSSL_OP_MAC: return kMacs;
    case OSSL_OP_KDF: return kKeyDerivations;
    case OSSL_OP_KEYEXCH: return kKeyExchanges;
    case OSSL_OP_RAND: return kRandom;
    case OSSL_OP_SIGNATURE: return kSignatures;
    case OSSL_OP_KEYMGMT: return kKeys;
    case OSSL_OP_ENCODER: return kEncoders;
    case OSSL_OP_DECODER: return kDecoders;
    default: return NULL;
  }
}

static const OSSL_PARAM* gettable_parameters(void* context) {
  static const OSSL_PARAM kParameters[] = {
      OSSL_PARAM_DEFN(OSSL_PROV_PARAM_NAME, OSSL_PARAM_UTF8_PTR, NULL, 0),
      OSSL_PARAM_DEFN(OSSL_PROV_PARAM_STATUS, OSSL_PARAM_INTEGER, NULL, 0),
      OSSL_PARAM_END,
  };
  (void)context;
  return kParameters;
}

static int get_parameters(void* context, OSSL_PARAM parameters[]) {
  (void)context;
  OSSL_PARAM* name = OSSL_PARAM_locate(parameters, OSSL_PROV_PARAM_NAME);
  OSSL_PARAM* status = OSSL_PARAM_locate(parameters, OSSL_PROV_PARAM_STATUS);
  return (name == NULL || OSSL_PARAM_set_utf8_ptr(name, "skiff's choice of OpenSSL")) &&
         (status == NULL || OSSL_PARAM_set_int(status, ossl_prov_is_running()));
}

static void teardown(void* context) {
  BIO_meth_free(ossl_prov_ctx_get0_core_bio_method(context));
  ossl_prov_ctx_free(context);
}

// OpenSSL keeps functions of all signatures under this one type, and tells them apart by the number.
#define FUNCTION(number, function) {number, (void (*)(void))(function)}
static const OSSL_DISPATCH kFunctions[] = {
    FUNCTION(OSSL_FUNC_PROVIDER_TEARDOWN, teardown),
    FUNCTION(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, gettable_parameters),
    FUNCTION(OSSL_FUNC_PROVIDER_GET_PARAMS, get_parameters),
    FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
    FUNCTION(OSSL_FUNC_PROVIDER_GET_CAPABILITIES, ossl_prov_get_capabilities),
    {0, NULL},
};

int ossl_default_provider_init(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* core,
                               const OSSL_DISPATCH** functions, void** context) {
  if (!ossl_prov_bio_from_dispatch(core) || !ossl_prov_seeding_from_dispatch(core)) return 0;
  OSSL_FUNC_core_get_libctx_fn* library_of = NULL;
  for (; core->function_id != 0; ++core)
    if (core->function_id == OSSL_FUNC_CORE_GET_LIBCTX)
      library_of = OSSL_FUNC_core_get_libctx(core);
  if (library_of == NULL) return 0;
  PROV_CTX* made = ossl_prov_ctx_new();
  BIO_METHOD* method = made == NULL ? NULL : ossl_bio_prov_init_bio_method();
  if (method == NULL) {
    ossl_prov_ctx_free(made);
    return 0;
  }
  // The provider is built in: it works in the library context of its caller.
  ossl_prov_ctx_set0_libctx(made, (OSSL_LIB_CTX*)library_of(handle));
  ossl_prov_ctx_set0_handle(made, handle);
  ossl_prov_ctx_set0_core_bio_method(made, method);
  *context = made;
  *functions = kFunctions;
  return 1;
}
