#!/usr/bin/env bash
# Write the secrets that docker-compose.yml asks for into .env (or the file that is named), each made here by
# openssl. What the file has already stays as it is, so this may be run again, also after an update.
set -euo pipefail
umask 077

file=${1:-"$(dirname "$0")/../../.env"}
touch "$file"
chmod 600 "$file"
# A last line without an end would run into the first one that is added.
if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then echo >>"$file"; fi

missing() { # NAME: whether the file gives it no value
    ! grep -q -E "^(export )?$1=." "$file"
}

keep() { # NAME VALUE
    if missing "$1"; then
        printf '%s=%s\n' "$1" "$2" >>"$file"
        echo "made $1"
    fi
}

# AES-256-GCM takes 32 bytes; the rest are in hexadecimal, since some of them stand in addresses.
keep BATON_DEAD_LETTER_KEY "$(openssl rand -base64 32)"
for name in \
    BATON_IDENTITY_KEY \
    BATON_TRANSCRIPT_TOKEN \
    BATON_SHOP_TOKEN \
    POSTGRES_PASSWORD \
    BATON_INGEST_DB_PASSWORD \
    BATON_ROUTER_DB_PASSWORD \
    GRAFANA_ADMIN_PASSWORD; do
    keep "$name" "$(openssl rand -hex 32)"
done
