# Installs the Debian packages in the arguments, as root. Their system services stay disabled, because the tests start
# their own Redis, nginx and Prometheus processes.
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d # maintainer scripts start a service only if this program succeeds; exit status 101 forbids the start
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\n# Temporary, while packages are installed.\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
lock='-o DPkg::Lock::Timeout=300'
apt-get $lock update -q || echo 'apt-get update failed; continuing with the existing package lists'
apt-get $lock install -y -q --no-install-recommends "$@"
for package in "$@"; do
    case $package in
    redis-server | nginx | prometheus)
        if command -v systemctl >/dev/null; then
            systemctl disable "$package"
        else
            update-rc.d "$package" disable
        fi
        ;;
    esac
done
