# The stack of docker-compose.yml.

PROJECT=farjit-test

compose() {
	if docker compose version >/dev/null 2>&1; then
		docker compose --project-name "$PROJECT" --project-directory "$ROOT" --file "$ROOT/docker-compose.yml" "$@"
	else
		docker-compose --project-name "$PROJECT" --project-directory "$ROOT" --file "$ROOT/docker-compose.yml" "$@"
	fi
}

# containers_of SERVICE: ids, in the order of their numbers.
containers_of() {
	docker ps --filter "label=com.docker.compose.project=$PROJECT" --filter "label=com.docker.compose.service=$1" \
		--format '{{.Label "com.docker.compose.container-number"}} {{.ID}}' | sort -n | cut -d ' ' -f 2
}

# healthy SERVICE COUNT: whether so many of its containers run, all of them healthy.
healthy() {
	local states
	states=$(containers_of "$1" | xargs -r docker inspect --format '{{.State.Health.Status}}' | sort | uniq -c | xargs)
	[ "$states" = "$2 healthy" ]
}

# proxy_figure CONTAINER NAME: a figure of the proxy's own metrics, of the backend for new sessions.
proxy_figure() {
	docker exec "$1" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9001; printf "GET /metrics HTTP/1.0\r\n\r\n" >&3; cat <&3' |
		awk -v "name=$2{proxy=\"executors\"}" 'index($0, name) == 1 { print $2 }'
}

# executors_figure NAME: a figure of the executors' metrics, of all of them together, with the deployment's token.
executors_figure() {
	local id
	for id in $(containers_of executor); do
		docker exec -i "$id" node -e '
			const headers = { authorization: `Bearer ${require("node:fs").readFileSync(0, "utf8")}` };
			const options = { host: "127.0.0.1", port: 9000, path: "/metrics", rejectUnauthorized: false, headers };
			require("node:https").get(options, (response) => response.pipe(process.stdout));' <"$FARJIT_SECRETS/token"
	done | awk -v "name=$1 " 'index($0, name) == 1 { sum += $NF } END { print sum + 0 }'
}

# knock TOKEN COUNT [PATH]: from this machine, at the proxy's port.
knock() { node "$ROOT/test/compose/lib/knock.mjs" "$FARJIT_PORT" "$FARJIT_SECRETS/ca.pem" "$@"; }

lets_in() { [ "$(knock "$(cat "$FARJIT_SECRETS/token")" 1)" = 101 ]; }

# proxy_sees CONTAINER COUNT: whether so many executors are ready, for the proxy.
proxy_sees() { [ "$(proxy_figure "$1" haproxy_backend_active_servers)" = "$2" ]; }

# restarted CONTAINER TIMES: whether the engine has started it again so often.
restarted() { [ "$(docker inspect --format '{{.RestartCount}}' "$1")" = "$2" ]; }

ended() { [ "$(docker inspect --format '{{.State.Status}}' "$1")" = exited ]; }

# compose_scale COUNT: that many executors.
compose_scale() {
	compose up --detach --no-build --scale "executor=$1" executor proxy >>"$LOGS/compose.log" 2>&1 ||
		fail "compose up: $(tail -n 3 "$LOGS/compose.log")"
	compose_settled "$1"
}

# compose_settled COUNT: waits for so many executors.
compose_settled() {
	eventually 60 "$1 executors are healthy" healthy executor "$1"
	eventually 60 'the proxy is healthy' healthy proxy 1
	eventually 30 "the proxy has $1 executors for new sessions" proxy_sees "$(containers_of proxy)" "$1"
}

# address_in NETWORK SERVICE: of its first container there.
address_in() {
	docker inspect --format "{{(index .NetworkSettings.Networks \"${PROJECT}_$1\").IPAddress}}" "$(containers_of "$2" | head -n 1)"
}

# reaches CONTAINER ADDRESS PORT: whether a connection can be made from there, within two seconds.
reaches() {
	docker exec "$1" node -e '
		const [host, port] = process.argv.slice(1);
		const socket = require("node:net").connect(port, host, () => process.exit(0));
		socket.on("error", () => process.exit(1));
		setTimeout(() => process.exit(1), 2000);
	' "$2" "$3"
}

# What docker-compose.yml promises, as the kernel and the engine have it.
check_confinement() {
	local id name limits
	for name in executor proxy; do
		[ "$name" = executor ] && limits='2147483648 1024' || limits='268435456 64'
		id=$(containers_of "$name" | head -n 1)
		equal "$name: read-only, capabilities dropped, memory and processes" "true [ALL] $limits" \
			"$(docker inspect --format '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}' "$id")"
		equal "$name: user, capabilities, new privileges, filter" '10001 0000000000000000 1 2' \
			"$(docker exec "$id" sh -c 'cat /proc/1/status' | awk '
				/^Uid:/ { uid = $3 } /^CapBnd:/ { bound = $2 } /^NoNewPrivs:/ { new = $2 } /^Seccomp:/ { filter = $2 }
				END { print uid, bound, new, filter }')"
	done
	id=$(containers_of executor | head -n 1)
	if docker exec "$id" unshare --pid --fork true >/dev/null 2>&1; then fail 'executor: a pid namespace could be made'; fi
	ok 'executor: its profile refuses what no part of it needs (a pid namespace)'
	if docker exec "$id" sh -c 'echo >/opt/farjit/x' 2>/dev/null; then fail 'executor: its image could be written to'; fi
	ok 'executor: nothing can be written'
	reaches "$id" "$(address_in executors proxy)" 9000 || fail 'executor: cannot reach its own network'
	if reaches "$id" "$(address_in front proxy)" 9000; then fail 'executor: reaches other networks'; fi
	ok 'executor: reaches its own network and no other'
}

compose_down() {
	compose down --volumes >>"$LOGS/compose.log" 2>&1 || fail "compose down: $(tail -n 3 "$LOGS/compose.log")"
	none 'containers and networks left' \
		"$(docker ps --all --quiet --filter "label=com.docker.compose.project=$PROJECT")$(docker network ls --quiet --filter "label=com.docker.compose.project=$PROJECT")"
}
