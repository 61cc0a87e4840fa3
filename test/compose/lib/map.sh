# A map over all executors that takes a while: the function adds its argument to a sum 20,000,001 times, so what comes out
# is known without another JIT.

MAP_ELEMENTS=0
MAP_PID=

# make_map_input ELEMENTS: each takes some 25 ms.
make_map_input() {
	MAP_ELEMENTS=$1
	mkdir -p "$WORK/map"
	cat >"$WORK/map/slow.ks" <<-'PROGRAM'
		def binary : 1 (x y) y;
		def slow(x) var sum = 0 in (for i = 0, i < 20000000 in sum = sum + x) : sum;
	PROGRAM
	# A minute or so of one call.
	cat "$WORK/map/slow.ks" - >"$WORK/map/long.ks" <<-'PROGRAM'
		def long(x) var sum = 0 in (for i = 0, i < 2000000000 in sum = sum + x) : sum;
		long(1);
	PROGRAM
	# Less than executors are given to end their calls.
	sed 's/2000000000/400000000/' "$WORK/map/long.ks" >"$WORK/map/some.ks"
	{
		echo x
		seq "$MAP_ELEMENTS"
	} >"$WORK/map/input.csv"
	node -e 'console.log("slow"); for (let x = 1; x <= process.argv[1]; x++) console.log(x * 20_000_001)' "$MAP_ELEMENTS" \
		>"$WORK/map/expected.csv"
	chmod -R go+rX "$WORK/map"
	chmod go+x "$WORK"
}

MAP_ARGUMENTS=(map slow /data/slow.ks --input /data/input.csv --chunk 5 --executor wss://executor:9000
	--tls-ca /run/secrets/ca.pem --token-file /run/secrets/token --stats=json)

# What runs a map, in a compiler's container.
compose_map() { compose run --rm --no-deps -T -v "$WORK/map:/data:ro" compiler "${MAP_ARGUMENTS[@]}"; }

swarm_map() {
	docker run --rm --network "${STACK}_executors" --read-only --cap-drop ALL --security-opt no-new-privileges \
		--tmpfs /tmp --env XDG_CACHE_HOME=/tmp --volume "$WORK/map:/data:ro" \
		--volume "$FARJIT_SECRETS/ca.pem:/run/secrets/ca.pem:ro" --volume "$FARJIT_SECRETS/token:/run/secrets/token:ro" \
		"farjit-compiler:$FARJIT_VERSION" "${MAP_ARGUMENTS[@]}"
}

# compose_shared: the map that the compiler of `compose up` has made, once more. Prints what was compiled, and how many objects were found in
# the store.
compose_shared() {
	compose run --rm --no-deps -T compiler map mandelconverge examples/mandelbrot.ks --input=examples/points.csv --chunk=5 \
		--executor=wss://executor:9000 --tls-ca=/run/secrets/ca.pem --token-file=/run/secrets/token \
		--object-store=executor --object-store-key=/run/secrets/object-store.key --stats=json 2>"$LOGS/shared.err" >/dev/null || return 1
	grep '^{' "$LOGS/shared.err" | tail -n 1 | node -e '
		const { functionsCompiled, wrappersCompiled, loopsCompiled, cacheStoreHits } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
		console.log(functionsCompiled + wrappersCompiled + loopsCompiled, cacheStoreHits);'
}

# start_map HOW: in the background.
start_map() {
	"$1" >"$LOGS/map.csv" 2>"$LOGS/map.err" &
	MAP_PID=$!
}

map_runs() { kill -0 "$MAP_PID" 2>/dev/null; }

# busy COUNT: whether so many executors use their processor.
busy() {
	local count
	count=$(docker ps --format '{{.ID}} {{.Names}}' | awk '$2 ~ /executor/ { print $1 }' |
		xargs docker stats --no-stream --format '{{.CPUPerc}}' | awk '$1 + 0 > 10' | wc -l)
	[ "$count" -ge "$1" ]
}

# busiest: the executor that uses its processor most.
busiest() {
	docker ps --format '{{.ID}} {{.Names}}' | awk '$2 ~ /executor/ { print $1 }' |
		xargs docker stats --no-stream --format '{{.CPUPerc}} {{.ID}}' | sort -rn | awk 'NR == 1 { print $2 }'
}

# crash CONTAINER: its program is killed, as by the kernel or a mistake of its own.
crash() {
	docker exec "$1" sh -c 'for process in /proc/[0-9]*; do
		case $(cat "$process/comm") in node*|MainThread) [ "$(awk "/^PPid/ { print \$2 }" "$process/status")" = 1 ] && kill -9 "${process#/proc/}" ;; esac
	done' >/dev/null 2>&1 || true
}

# finish_map: waits for the map's end and compares.
finish_map() {
	local code=0
	wait "$MAP_PID" || code=$?
	[ "$code" = 0 ] || fail "the map ended with exit code $code: $(grep -v '^{' "$LOGS/map.err" | tail -n 3)"
	cmp "$WORK/map/expected.csv" "$LOGS/map.csv" >/dev/null || fail 'the results of the map are not right'
	ok "all $MAP_ELEMENTS results are right"
	note "chunks by executor: $(map_statistics 'executors.map(({ address, chunks, lostChunks }) => `${address} ${chunks}${lostChunks ? ` (${lostChunks} lost)` : ""}`).join(", ")')"
}

# map_statistics EXPRESSION: of the statistics that the last map ended with.
map_statistics() {
	grep '^{' "$LOGS/map.err" | tail -n 1 | node -e '
		const { executors } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
		console.log(eval(process.argv[1]));' "$1"
}

# map_figure NAME: of all executors together.
map_figure() { map_statistics "executors.reduce((sum, figures) => sum + figures.$1, 0)"; }

map_workers() { map_statistics 'executors.filter(({ chunks }) => chunks > 0).length'; }

# What mandelconverge of examples/mandelbrot.ks makes of points, without FarJIT.
escape_times() {
	awk -F , 'NR == 1 { print "mandelconverge"; next } {
		re = cre = $1; im = cim = $2; n = 0
		while (n <= 255 && re * re + im * im <= 4) { next_re = re * re - im * im + cre; im = 2 * re * im + cim; re = next_re; n++ }
		print n
	}'
}
