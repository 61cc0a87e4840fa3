#!/bin/sh
# deploy/make-secrets.sh [FOLDER]: makes what the executors, the proxy and their clients need to trust each other, in
# FOLDER (deploy/secrets unless given). What is there already stays: remove a file to have it made anew.
#
#   token          what a client sends                        tokens.yaml    what executors keep of it: its SHA-256
#   ca.pem         signs the two certificates (key: ca.key)   executor.pem, executor.key    the executors' certificate
#   proxy.pem      the proxy's certificate, and its key
#   object-store.key   what compilers seal the objects with that they share
#
# FARJIT_PROXY_NAMES adds names and addresses under which clients reach the proxy: "DNS:farjit.example,IP:192.0.2.7".
set -eu

folder=${1:-"$(dirname "$0")/secrets"}
days=825
proxy_names=DNS:proxy,DNS:localhost,IP:127.0.0.1${FARJIT_PROXY_NAMES:+,$FARJIT_PROXY_NAMES}
executor_names=DNS:executor,DNS:tasks.executor,DNS:localhost,IP:127.0.0.1

command -v openssl >/dev/null || { echo 'make-secrets.sh: openssl is missing: install the package openssl' >&2; exit 1; }
# The folder keeps others on this machine away; the files themselves are for users inside of containers as well.
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"
umask 022

new_key() {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null
	chmod 644 "$1"
}

# sign NAME SUBJECT_ALT_NAMES: NAME.key and NAME.crt, signed by the CA.
sign() {
	new_key "$1.key"
	openssl req -new -key "$1.key" -subj "/O=FarJIT/CN=$1" -out "$1.csr"
	printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n' "$2" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$days" -sha256 \
		-extfile "$1.ext" -out "$1.crt" 2>/dev/null
	rm -f "$1.csr" "$1.ext"
}

if [ ! -s token ]; then
	openssl rand -hex 32 | tr -d '\n' >token
	rm -f tokens.yaml
fi
if [ ! -s tokens.yaml ]; then
	hash=$(openssl dgst -sha256 -r token | cut -d ' ' -f 1)
	printf 'tokens:\n  - name: compose\n    sha256: %s\n' "$hash" >tokens.yaml
fi
if [ ! -s object-store.key ]; then
	openssl rand -hex 32 >object-store.key
fi
if [ ! -s ca.pem ]; then
	new_key ca.key
	chmod 600 ca.key
	openssl req -x509 -new -key ca.key -subj '/O=FarJIT/CN=FarJIT deployment CA' -days "$days" -sha256 \
		-addext 'keyUsage=critical,keyCertSign,cRLSign' -out ca.pem
	rm -f executor.pem proxy.pem
fi
if [ ! -s executor.pem ]; then
	sign executor "$executor_names"
	mv executor.crt executor.pem
fi
if [ ! -s proxy.pem ]; then
	sign proxy "$proxy_names"
	cat proxy.crt proxy.key >proxy.pem
	rm -f proxy.crt proxy.key
fi
echo "make-secrets.sh: $(pwd) has $(ls | tr '\n' ' ')" >&2
