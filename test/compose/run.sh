#!/bin/bash
# test/compose/run.sh [--keep]: really runs what docker-compose.yml and deploy/swarm.yml describe, on the Docker engine that
# answers, or as root on one of its own that it starts and ends. Prints each step and what was checked.
#
# Exit code: 0 when all is right, 1 when something is not, 77 when no Docker engine can run here.
# --keep leaves the logs, and with FARJIT_COMPOSE_CACHE=FOLDER the engine's images stay there for the next run.
# BASE_IMAGE and NODE_IMAGE are the Dockerfile's; where they cannot be pulled, both are made here, with debootstrap.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WORK=$(mktemp -d /var/tmp/farjit-compose.XXXXXX)
LOGS=$WORK/logs
mkdir -p "$LOGS"
[ "${1:-}" = --keep ] && KEEP=yes || KEEP=

for part in steps engine images compose; do . "$ROOT/test/compose/lib/$part.sh"; done

export FARJIT_VERSION=test FARJIT_SECRETS=$WORK/secrets FARJIT_SANDBOX=strict FARJIT_PORT=${FARJIT_PORT:-19443}

clean_up() {
	local code=$?
	trap - EXIT INT TERM
	{
		if [ -n "${DOCKER_HOST:-}" ] || [ "$code" != 77 ]; then
			[ "$code" = 0 ] || save_container_logs
			docker swarm leave --force || true
			compose down --volumes || true
		fi
	} >"$LOGS/clean-up.log" 2>&1
	stop_engine
	if [ -n "$KEEP" ] || [ "$code" = 1 ]; then printf '\nlogs: %s\n' "$LOGS"; else rm -rf "$WORK"; fi
	case $code in
	0) printf '\n%d steps, %d checks: all right (%d s)\n' "$STEPS" "$CHECKS" "$SECONDS" ;;
	77) ;;
	*) printf '\nFAILED in step %d after %d checks (%d s)\n' "$STEPS" "$CHECKS" "$SECONDS" ;;
	esac
	exit "$code"
}

save_container_logs() {
	local id
	for id in $(docker ps --all --quiet); do docker logs "$id" >"$LOGS/container-$id.log" 2>&1 || true; done
}

trap clean_up EXIT
trap 'exit 130' INT TERM

step 'a Docker engine'
start_engine
base_images

step 'images'
build_images
check_images

step 'secrets'
"$ROOT/deploy/make-secrets.sh" "$FARJIT_SECRETS" 2>>"$LOGS/secrets.log"
ok "$(ls "$FARJIT_SECRETS" | tr '\n' ' ')"

step 'compose: 3 executors behind a proxy'
compose_up 3
check_confinement

step 'compose: the compiler runs a program over the proxy'
compose run --rm -T compiler >"$LOGS/compiler.out" 2>"$LOGS/compiler.err" || fail "the compiler: $(tail -n 3 "$LOGS/compiler.err")"
equal 'the last line' 'Evaluated to 0.000000' "$(tail -n 1 "$LOGS/compiler.out")"

step 'compose: 5 executors'
compose_up 5

step 'compose: down'
compose_down
