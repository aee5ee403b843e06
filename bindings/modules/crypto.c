/* SPDX-License-Identifier: MIT */
/* require "weft.crypto": the few functions of libcrypto that signed sessions need. Text in, text out; misuse raises
   a plain Lua error, since only Weft's own files call it. */
#include <lauxlib.h>
#include <lua.h>

#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

enum { MAX_RANDOM = 4096 };

static const unsigned char *bytes(lua_State *L, int idx, size_t *n) {
  const char *s = luaL_checklstring(L, idx, n);
  luaL_argcheck(L, *n <= INT_MAX / 4, idx, "too long");
  return (const unsigned char *)s;
}

static int l_sha256(lua_State *L) { /* sha256(text): 32 bytes */
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int n = 0;
  size_t len;
  const unsigned char *text = bytes(L, 1, &len);
  if (!EVP_Digest(text, len, digest, &n, EVP_sha256(), NULL)) return luaL_error(L, "libcrypto: SHA-256 failed");
  lua_pushlstring(L, (const char *)digest, n);
  return 1;
}

static int l_hmac_sha256(lua_State *L) { /* hmac_sha256(key, text): 32 bytes */
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int n = 0;
  size_t key_len, len;
  const unsigned char *key = bytes(L, 1, &key_len), *text = bytes(L, 2, &len);
  if (!HMAC(EVP_sha256(), key, (int)key_len, text, len, digest, &n)) return luaL_error(L, "libcrypto: HMAC failed");
  lua_pushlstring(L, (const char *)digest, n);
  return 1;
}

static int l_random(lua_State *L) { /* random(n): that many bytes nobody can guess */
  unsigned char buffer[MAX_RANDOM];
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n > 0 && n <= MAX_RANDOM, 1, "from 1 to 4096");
  if (RAND_bytes(buffer, (int)n) != 1) return luaL_error(L, "libcrypto: no random bytes");
  lua_pushlstring(L, (const char *)buffer, (size_t)n);
  OPENSSL_cleanse(buffer, sizeof buffer);
  return 1;
}

static int l_equal(lua_State *L) { /* equal(a, b), in a time that only their lengths tell of */
  size_t na, nb;
  const unsigned char *a = bytes(L, 1, &na), *b = bytes(L, 2, &nb);
  lua_pushboolean(L, na == nb && CRYPTO_memcmp(a, b, na) == 0);
  return 1;
}

static int l_base64url(lua_State *L) { /* base64url(text), without padding (RFC 4648, 5) */
  size_t len;
  const unsigned char *text = bytes(L, 1, &len);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, 4 * ((len + 2) / 3) + 1);
  size_t n = (size_t)EVP_EncodeBlock((unsigned char *)out, text, (int)len);
  while (n > 0 && out[n - 1] == '=') n--;
  for (size_t i = 0; i < n; i++) out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
  luaL_pushresultsize(&b, n);
  return 1;
}

static int is_digit(unsigned char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static int l_from_base64url(lua_State *L) { /* from_base64url(text): the text, or nil when it is none */
  size_t len, padded;
  const unsigned char *text = bytes(L, 1, &len);
  luaL_Buffer in, out;
  if (len % 4 == 1) return 0;
  padded = (len + 3) / 4 * 4;
  unsigned char *digits = (unsigned char *)luaL_buffinitsize(L, &in, padded + 1);
  for (size_t i = 0; i < padded; i++) {
    if (i < len && !is_digit(text[i])) return 0;
    digits[i] = i >= len ? '=' : text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
  }
  luaL_pushresultsize(&in, padded);
  const unsigned char *whole = (const unsigned char *)lua_tostring(L, -1);
  char *result = luaL_buffinitsize(L, &out, padded / 4 * 3 + 1);
  int n = EVP_DecodeBlock((unsigned char *)result, whole, (int)padded);
  if (n < 0) return 0;
  luaL_pushresultsize(&out, (size_t)n - (padded - len));
  return 1;
}

static const luaL_Reg functions[] = {{"sha256", l_sha256},       {"hmac_sha256", l_hmac_sha256},
                                     {"random", l_random},       {"equal", l_equal},
                                     {"base64url", l_base64url}, {"from_base64url", l_from_base64url},
                                     {NULL, NULL}};

__attribute__((visibility("default"))) int luaopen_weft_crypto(lua_State *L);

int luaopen_weft_crypto(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
