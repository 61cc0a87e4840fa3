#!/bin/bash
# farjit-healthy PATH: whether the proxy in this container answers /healthz, or /readyz when it has an executor for new
# sessions, well; for health checks.
set -eu
exec 3<>/dev/tcp/127.0.0.1/9001
printf 'GET %s HTTP/1.0\r\n\r\n' "${1:-/healthz}" >&3
read -r _ status _ <&3
[ "$status" = 200 ]
