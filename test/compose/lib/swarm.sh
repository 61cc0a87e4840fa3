# The stack of deploy/swarm.yml, on a Swarm of one node.

STACK=farjit-test
JOINED=

swarm_start() {
	if [ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = active ]; then
		note 'the Swarm that is there'
		return
	fi
	docker swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1:2377 >"$LOGS/swarm.log" 2>&1 ||
		fail "swarm init: $(tail -n 1 "$LOGS/swarm.log")"
	JOINED=yes
	ok 'a Swarm of one node'
}

swarm_stop() {
	[ -z "$JOINED" ] || docker swarm leave --force >>"$LOGS/swarm.log" 2>&1 || true
	JOINED=
}

# tasks_of SERVICE: ids of its containers that run.
tasks_of() {
	docker ps --quiet --no-trunc --filter "label=com.docker.swarm.service.name=${STACK}_$1" | sort
}

# all_healthy SERVICE COUNT
all_healthy() {
	local states
	states=$(tasks_of "$1" | xargs -r docker inspect --format '{{.State.Health.Status}}' | sort | uniq -c | xargs)
	[ "$states" = "$2 healthy" ]
}

stack_up() {
	docker stack deploy --resolve-image never --compose-file "$ROOT/deploy/swarm.yml" "$STACK" >>"$LOGS/swarm.log" 2>&1 ||
		fail "stack deploy: $(tail -n 2 "$LOGS/swarm.log")"
	eventually 120 '3 executors are healthy' all_healthy executor 3
	eventually 60 'the proxy is healthy' all_healthy proxy 1
	eventually 30 'the proxy has 3 executors for new sessions' proxy_sees "$(tasks_of proxy)" 3
}

updated() {
	[ "$(docker service inspect --format '{{.UpdateStatus.State}}' "${STACK}_executor")" = completed ]
}

# Replaces all executors, one after the other.
stack_roll() {
	local before left
	before=$(tasks_of executor)
	docker service update --force --detach "${STACK}_executor" >>"$LOGS/swarm.log" 2>&1 ||
		fail "service update: $(tail -n 1 "$LOGS/swarm.log")"
	eventually 300 'the rolling update is complete' updated
	eventually 120 '3 executors are healthy' all_healthy executor 3
	left=$(comm -12 <(echo "$before") <(tasks_of executor))
	none 'executors that are still the old ones' "$left"
}

stack_down() {
	docker stack rm "$STACK" >>"$LOGS/swarm.log" 2>&1 || fail "stack rm: $(tail -n 1 "$LOGS/swarm.log")"
	eventually 90 'no container is left' stack_is_gone
	none 'services and secrets left' "$(docker service ls --quiet)$(docker secret ls --quiet)"
}

stack_is_gone() { [ -z "$(docker ps --all --quiet --filter "label=com.docker.stack.namespace=$STACK")" ]; }
