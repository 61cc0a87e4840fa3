# What a run says and counts: steps, checks, and the end.

STEPS=0
CHECKS=0

# step TITLE: says what comes next.
step() {
	STEPS=$((STEPS + 1))
	printf '\n== %d. %s\n' "$STEPS" "$1"
}

# ok WORDS: something that was checked and is right.
ok() {
	CHECKS=$((CHECKS + 1))
	printf '   ok    %s\n' "$1"
}

# note WORDS: something to know.
note() { printf '         %s\n' "$1"; }

# fail WORDS: something that is wrong; the run ends.
fail() {
	printf '   FAIL  %s\n' "$1"
	exit 1
}

# skip WORDS: nothing can be tried here; 77 is what test runners take for that.
skip() {
	printf 'SKIPPED: %s\n' "$1"
	printf 'not tried: images and what is in them; 3 executors, a proxy and a compiler in compose; the loss of an executor;\n'
	printf 'scaling to 5; the same on a Swarm of one node, with a rolling update\n'
	exit 77
}

# equal WHAT EXPECTED ACTUAL
equal() {
	[ "$2" = "$3" ] || fail "$1: expected $(quote "$2"), got $(quote "$3")"
	ok "$1: $(quote "$2")"
}

# more_than WHAT LIMIT ACTUAL
more_than() {
	[ "$3" -gt "$2" ] || fail "$1: $3, expected more than $2"
	ok "$1: $3"
}

# none WHAT ACTUAL: there must not be any.
none() {
	[ -z "$2" ] || fail "$1: $(quote "$2")"
	ok "$1: none"
}

# quote TEXT: as one line, and not too long.
quote() { printf '%s' "$1" | tr '\n' ' ' | cut -c 1-100; }

# eventually SECONDS WHAT COMMAND…: tries once a second.
eventually() {
	local seconds=$1 what=$2 started=$SECONDS
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $((SECONDS - started)) -lt "$seconds" ] || fail "$what: not within $seconds s"
		sleep 1
	done
	ok "$what"
}
