# A Docker engine: the one that DOCKER_HOST or the usual socket leads to, or one of our own for as long as the run takes.

OWN_ENGINE=
ENGINE_FOLDER=

# start_engine: leaves DOCKER_HOST exported, or skips the run.
start_engine() {
	command -v docker >/dev/null || install_engine
	has_compose || install_engine
	has_compose || skip 'there is no docker compose'
	if docker info >/dev/null 2>&1; then
		note "the engine that is there: $(docker version --format '{{.Server.Version}}')"
		return
	fi
	[ "$(id -u)" = 0 ] || skip 'no Docker engine answers, and only root can start one'
	command -v dockerd >/dev/null || install_engine
	command -v dockerd >/dev/null || skip 'no Docker engine answers, and there is no dockerd to start'
	own_engine
}

has_compose() { docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null; }

install_engine() {
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || skip 'there is no Docker, and it cannot be installed from here'
	note 'installing docker.io, docker-compose and debootstrap with apt'
	{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
		docker.io docker-compose debootstrap iptables; } >"$LOGS/apt.log" 2>&1 ||
		skip "apt cannot install docker.io; see $LOGS/apt.log"
}

own_engine() {
	ENGINE_FOLDER=${FARJIT_COMPOSE_CACHE:-$(mktemp -d /var/tmp/farjit-engine.XXXXXX)}
	mkdir -p "$ENGINE_FOLDER"
	# It changes these for the whole machine.
	iptables-save >"$ENGINE_FOLDER/iptables" 2>/dev/null || rm -f "$ENGINE_FOLDER/iptables"
	cat /proc/sys/net/ipv4/ip_forward >"$ENGINE_FOLDER/ip_forward"
	export DOCKER_HOST=unix://$ENGINE_FOLDER/docker.sock
	try_engine overlay2 || try_engine vfs || skip "dockerd does not run here: $(tail -n 1 "$LOGS/dockerd.log")"
	note "an engine of our own: dockerd $(docker version --format '{{.Server.Version}}'), $(docker info --format '{{.Driver}}, cgroup v{{.CgroupVersion}}')"
}

# try_engine STORAGE_DRIVER
try_engine() {
	dockerd --host "$DOCKER_HOST" --storage-driver "$1" --pidfile "$ENGINE_FOLDER/dockerd.pid" \
		--data-root "$ENGINE_FOLDER/data" --exec-root "$ENGINE_FOLDER/exec" --log-level warn >"$LOGS/dockerd.log" 2>&1 &
	OWN_ENGINE=$!
	for _ in $(seq 60); do
		docker info >/dev/null 2>&1 && return 0
		kill -0 "$OWN_ENGINE" 2>/dev/null || break
		sleep 0.5
	done
	kill "$OWN_ENGINE" 2>/dev/null && wait "$OWN_ENGINE"
	OWN_ENGINE=
	return 1
}

# stop_engine: ends what start_engine started, and puts back what it changed.
stop_engine() {
	[ -n "$OWN_ENGINE" ] || return 0
	kill "$OWN_ENGINE" 2>/dev/null || true
	wait "$OWN_ENGINE" 2>/dev/null || true
	OWN_ENGINE=
	local bridge
	for bridge in docker0 docker_gwbridge; do ip link delete "$bridge" 2>/dev/null || true; done
	umount "$ENGINE_FOLDER"/exec/netns/* 2>/dev/null || true
	[ ! -f "$ENGINE_FOLDER/iptables" ] || iptables-restore <"$ENGINE_FOLDER/iptables" || true
	cat "$ENGINE_FOLDER/ip_forward" >/proc/sys/net/ipv4/ip_forward
	[ -n "${FARJIT_COMPOSE_CACHE:-}" ] || rm -rf "$ENGINE_FOLDER"
}

# base_images: BASE_IMAGE and NODE_IMAGE as they are, where they can be had; else made here.
base_images() {
	export BASE_IMAGE=${BASE_IMAGE:-debian:bookworm-slim} NODE_IMAGE=${NODE_IMAGE:-node:20-bookworm-slim}
	if have_image "$BASE_IMAGE" && have_image "$NODE_IMAGE"; then
		note "base images: $BASE_IMAGE, $NODE_IMAGE"
		return
	fi
	BASE_IMAGE=farjit-test/debian NODE_IMAGE=farjit-test/node
	docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 || import_debian
	docker image inspect "$NODE_IMAGE" >/dev/null 2>&1 || import_node
}

have_image() {
	docker image inspect "$1" >/dev/null 2>&1 || timeout 60 docker pull --quiet "$1" >"$LOGS/pull.log" 2>&1
}

import_debian() {
	command -v debootstrap >/dev/null || install_engine
	local folder
	folder=$(mktemp -d "$WORK/debian.XXXXXX")
	note "the base image cannot be pulled: making one with debootstrap"
	debootstrap --variant=minbase bookworm "$folder/root" >"$LOGS/debootstrap.log" 2>&1 ||
		skip "debootstrap failed; see $LOGS/debootstrap.log"
	rm -rf "$folder"/root/var/cache/apt/* "$folder"/root/var/lib/apt/lists/*
	# Where packages come through a proxy with a certificate of its own, npm has to know it.
	if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
		install -D -m 644 "$NODE_EXTRA_CA_CERTS" "$folder/root$NODE_EXTRA_CA_CERTS"
	fi
	tar -C "$folder/root" -c . | docker import - "$BASE_IMAGE" >/dev/null
	rm -rf "$folder"
}

# Where the Dockerfile looks for it: this machine's own Node.
import_node() {
	local folder node
	folder=$(mktemp -d "$WORK/node.XXXXXX")
	node=$(readlink -f "$(command -v node)")
	mkdir -p "$folder/usr/local/bin" "$folder/usr/local/lib/node_modules"
	cp "$node" "$folder/usr/local/bin/node"
	cp -r "$(npm root --global)/npm" "$folder/usr/local/lib/node_modules/npm"
	tar -C "$folder" -c . | docker import - "$NODE_IMAGE" >/dev/null
	rm -rf "$folder"
}
