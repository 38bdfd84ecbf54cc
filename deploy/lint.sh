#!/usr/bin/env bash
# Everything that can be said of deploy/ and docker-compose.yml without Docker: schemas, linters, and the tests of the
# alerts. A tool that is not here and cannot be had is named and passed over; with BATON_REAL_REQUIRED=1 that is a
# failure. Python's tools come from .venv, dclint from npm, promtool from $PROMTOOL, PATH or Debian's package.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

PATH=$PWD/.venv/bin:$PATH
tools=$PWD/var/tools
failed=0
passed_over=0

check() { # TITLE COMMAND...
    local title=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok       $title"
    else
        failed=1
        printf 'FAILED   %s\n%s\n' "$title" "$output"
    fi
}

without() { # SENTENCE
    passed_over=1
    echo "not here $1"
}

has() { command -v "$1" >/dev/null 2>&1; }

dclint() { # installs it once, in var/tools
    local version=3.1.0
    dclint_bin=$tools/dclint-$version/node_modules/.bin/dclint
    [ -x "$dclint_bin" ] && return
    has npm && npm --prefix "$tools/dclint-$version" install --silent --no-save "dclint@$version" >/dev/null 2>&1 &&
        [ -x "$dclint_bin" ]
}

find_promtool() { # in PATH, or Debian's package unpacked, as the tests on real parts use it
    promtool_bin=${PROMTOOL:-$(python3 -c 'from tests.real.rig.prometheus import promtool; print(promtool())' 2>/dev/null)}
    [ -x "$promtool_bin" ]
}

scripts=(deploy/lint.sh deploy/docker/*.sh .ci/run)

if has check-jsonschema; then
    check "docker-compose.yml has the shape of the Compose specification" \
        check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
else
    without "check-jsonschema is missing, so docker-compose.yml was not held against its schema."
fi

if dclint; then
    check "docker-compose.yml passes dclint" "$dclint_bin" -c deploy/docker/dclint.yaml --max-warnings 0 docker-compose.yml
else
    without "dclint could not be had from npm, so docker-compose.yml was not linted."
fi

if has hadolint; then
    check "the Dockerfile passes hadolint" hadolint deploy/docker/Dockerfile
else
    without "hadolint is missing, so the Dockerfile was not linted."
fi

if has shellcheck; then
    check "the shell scripts pass shellcheck" shellcheck "${scripts[@]}"
else
    without "shellcheck is missing, so the shell scripts were not checked."
fi

check "the dashboard is what its generator makes" python3 -m deploy.grafana.dashboard --check

if find_promtool; then
    check "Prometheus takes its configuration and rules" "$promtool_bin" check config deploy/prometheus/prometheus.yml
    check "each alert fires where it should and is silent where it should" \
        "$promtool_bin" test rules deploy/prometheus/tests/*.yml
else
    without "promtool could not be had, so the rules were not tested."
fi

if [ "$passed_over" = 1 ] && [ "${BATON_REAL_REQUIRED:-}" = 1 ]; then failed=1; fi
exit "$failed"
