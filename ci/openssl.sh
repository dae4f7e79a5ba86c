# shellcheck shell=bash
# Sourced by the scripts that build OpenSSL from source, for systems whose packages do not have it.
#
# openssl_options CONFIGURE   prints what OpenSSL's Configure, this file, is to leave out: what a
#                     client and a server of ours never use. Most of the time that a first build
#                     takes goes there.
openssl_options() {
  local part
  for part in apps aria bf blake2 camellia cast cmp cms ct dsa dtls ec2m gost idea md4 mdc2 \
    ml-dsa ml-kem ocb ocsp quic rc2 rc4 rfc3779 rmd160 scrypt seed siphash siv slh-dsa sm2 sm3 \
    sm4 srp srtp ssl3 ts whirlpool; do
    # An option that a release does not know ends it.
    ! sed -n '/^my @disablables = (/,/^ *);/p' "$1" | grep -q "\"$part\"" || echo "no-$part"
  done
  printf '%s\n' no-shared no-tests no-module no-legacy no-engine no-dso
}
