# The images: built, and looked into.

build_images() {
	local target
	for target in executor proxy compiler; do
		docker build --file "$ROOT/deploy/docker/Dockerfile" --target "$target" --tag "farjit-$target:$FARJIT_VERSION" \
			--build-arg "BASE_IMAGE=$BASE_IMAGE" --build-arg "NODE_IMAGE=$NODE_IMAGE" \
			--build-arg "NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-}" "$ROOT" >"$LOGS/build-$target.log" 2>&1 ||
			fail "the image of the $target is not built: $(tail -n 3 "$LOGS/build-$target.log")"
		ok "farjit-$target is built: $(image_size "farjit-$target:$FARJIT_VERSION")"
	done
	note "the base image: $(image_size "$BASE_IMAGE")"
}

image_size() {
	docker image inspect --format '{{.Size}}' "$1" | awk '{ printf "%.0f MB", $1 / 1e6 }'
}

# in_image NAME COMMAND…
in_image() {
	local name=$1
	shift
	docker run --rm --user 0 --network none --entrypoint "$1" "farjit-$name:$FARJIT_VERSION" "${@:2}"
}

check_images() {
	local name found
	for name in executor proxy compiler; do
		equal "the user of farjit-$name" 10001:10001 \
			"$(docker image inspect --format '{{.Config.User}}' "farjit-$name:$FARJIT_VERSION")"
		found=$(in_image "$name" sh -c 'command -v cc gcc c++ clang ld as make npm || true')
		none "compilers, linkers and npm in farjit-$name" "$found"
		found=$(in_image "$name" find / -xdev -perm /6000 -type f -user root -path '/opt/*')
		none "set-user-id files of ours in farjit-$name" "$found"
	done
	found=$(in_image executor find / -xdev '(' -iname '*llvm*' -o -name '*.ks' ')' -not -path '/proc/*')
	none 'LLVM in farjit-executor' "$found"
	found=$(in_image executor find /opt/farjit -type f -printf '%P\n' | sort | tr '\n' ' ')
	note "farjit-executor's own files: $found"
	found=$(in_image compiler sh -c 'ls /usr/lib/x86_64-linux-gnu/ | grep -c "^libLLVM"')
	[ "$found" -gt 0 ] || fail 'farjit-compiler has no libLLVM'
	ok 'farjit-compiler has libLLVM'
}
