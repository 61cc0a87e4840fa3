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

# shellcheck source=/dev/null
for part in steps engine images compose map swarm; do . "$ROOT/test/compose/lib/$part.sh"; done

export FARJIT_VERSION=test FARJIT_SECRETS=$WORK/secrets FARJIT_SANDBOX=strict FARJIT_PORT=${FARJIT_PORT:-19443}

clean_up() {
	local code=$?
	trap - EXIT INT TERM
	{
		if [ -n "${DOCKER_HOST:-}" ] || [ "$code" != 77 ]; then
			[ "$code" = 0 ] || save_container_logs
			swarm_stop
			docker ps --all --quiet --filter "label=com.docker.compose.project=$PROJECT" | xargs -r docker rm --force
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

step 'compose: everything up, with 3 executors'
compose up --detach --no-build --scale executor=3 >>"$LOGS/compose.log" 2>&1 || fail "compose up: $(tail -n 3 "$LOGS/compose.log")"
compose_settled 3
check_confinement

step 'compose: the compiler has mapped a function over all executors'
compiler=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$PROJECT" --filter 'label=com.docker.compose.service=compiler')
eventually 60 'it is done' ended "$compiler"
equal 'its exit code' 0 "$(docker inspect --format '{{.State.ExitCode}}' "$compiler")"
equal 'its results, compared with awk' "$(escape_times <"$ROOT/examples/points.csv")" "$(docker logs "$compiler" 2>/dev/null)"
note "$(docker logs "$compiler" 2>&1 >/dev/null | grep -c 'wss://executor:9000 (') executors in its statistics"

step 'compose: what one compiler has compiled the next one finds at the executors'
read -r compiled found <<<"$(compose_shared)"
equal 'objects that another one has compiled, in a container of its own' 0 "$compiled"
more_than 'objects that it has found' 0 "$found"

step 'compose: a program over the proxy'
compose run --rm --no-deps -T compiler run --executor wss://proxy:9000 --tls-ca /run/secrets/ca.pem --token-file /run/secrets/token \
	--sandbox-required strict examples/mandelbrot.ks >"$LOGS/program.out" 2>"$LOGS/program.err" || fail "the program: $(tail -n 3 "$LOGS/program.err")"
equal 'the last line' 'Evaluated to 0.000000' "$(tail -n 1 "$LOGS/program.out")"
ok 'its runner had all of the sandbox'

step 'compose: strangers at the proxy'
equal 'a WebSocket with the token' 101 "$(knock "$(cat "$FARJIT_SECRETS/token")" 1)"
equal 'metrics of an executor' 404 "$(knock "$(cat "$FARJIT_SECRETS/token")" 1 /metrics)"
equal 'wrong tokens, one after the other' '401 401 401 401 401 401 401 401 401 401 401 429 429' "$(knock wrong 13)"
equal 'the right token from the same address' 429 "$(knock "$(cat "$FARJIT_SECRETS/token")" 1)"
eventually 30 'ten seconds later it is let in' lets_in
compose run --rm --no-deps -T compiler run --executor wss://proxy:9000 --tls-ca /run/secrets/ca.pem --token-file /run/secrets/ca.pem \
	examples/fib.ks >"$LOGS/stranger.out" 2>"$LOGS/stranger.err" && fail 'a program without the token was run'
none 'what a program without the token printed' "$(cat "$LOGS/stranger.out")"

step 'compose: an executor crashes in the middle of a map'
make_map_input 1500
start_map compose_map
eventually 60 '3 executors are at work' busy 3
id=$(containers_of executor | head -n 1)
crash "$id"
ok 'one of them was killed'
map_runs || fail 'the map was over before'
eventually 30 'it is started again' restarted "$id" 1
eventually 30 '3 executors are healthy' healthy executor 3
finish_map
more_than 'chunks that were lost and done by others' 0 "$(map_figure lostChunks)"

step 'compose: from 3 executors to 5 in the middle of a map'
start_map compose_map
eventually 60 '3 executors are at work' busy 3
compose_scale 5
map_runs || fail 'the map was over before'
finish_map
equal 'executors that took part' 5 "$(map_workers)"

step 'compose: a session over the proxy loses its connection'
compose run --rm --no-deps -T -v "$WORK/map:/data:ro" compiler run --executor wss://proxy:9000 --tls-ca /run/secrets/ca.pem \
	--token-file /run/secrets/token /data/long.ks >"$LOGS/session.out" 2>"$LOGS/session.err" &
session=$!
eventually 60 'an executor is at work' busy 1
# The executor that was started again has been asked for sessions that it had before.
refused=$(executors_figure 'farjit_sessions_refused_total{reason="resume"}')
docker pause "$(containers_of proxy)" >/dev/null
note 'the proxy is frozen for 25 s: longer than both ends wait for a sign of life'
sleep 25
kill -0 "$session" || fail 'the session is over'
docker unpause "$(containers_of proxy)" >/dev/null
wait "$session" || fail "the program: $(tail -n 3 "$LOGS/session.err")"
equal 'the result' 'Evaluated to 2000000001.000000' "$(tail -n 1 "$LOGS/session.out")"
equal 'sessions that went on over another connection' 1 "$(executors_figure farjit_sessions_resumed_total)"
equal 'resumptions refused, as many as before: none by a wrong executor' "$refused" "$(executors_figure 'farjit_sessions_refused_total{reason="resume"}')"

step 'compose: an executor is stopped while it has a call'
compose run --rm --no-deps -T -v "$WORK/map:/data:ro" compiler run --executor wss://proxy:9000 --tls-ca /run/secrets/ca.pem \
	--token-file /run/secrets/token /data/some.ks >"$LOGS/drained.out" 2>"$LOGS/drained.err" &
session=$!
eventually 60 'an executor is at work' busy 1
id=$(busiest)
docker stop --time 45 "$id" >/dev/null
wait "$session" || fail "the program: $(tail -n 3 "$LOGS/drained.err")"
equal 'the result of the call that it had' 'Evaluated to 400000001.000000' "$(tail -n 1 "$LOGS/drained.out")"
equal 'its exit code' 0 "$(docker inspect --format '{{.State.ExitCode}}' "$id")"

step 'compose: down'
compose_down

step 'Swarm: 3 executors behind a proxy'
# A stack cannot name the profile that runners need for namespaces of their own.
export FARJIT_SANDBOX=default
swarm_start
stack_up

step 'Swarm: a rolling update in the middle of a map'
# An update takes longer than the other maps do.
make_map_input 5000
start_map swarm_map
eventually 60 '3 executors are at work' busy 3
stack_roll
map_runs || fail 'the map was over before'
finish_map

step 'Swarm: down'
stack_down
swarm_stop
