# Installs Debian packages without letting their services start or stay enabled: Redis, nginx and Prometheus are started here as
# processes of ours, and the machine is left otherwise as it was. Runs as root; the arguments are the packages.
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d # what maintainer scripts ask before they start a service; 101 is "no"
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\n# Only while packages are being installed.\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
lock='-o DPkg::Lock::Timeout=300'
apt-get $lock update -q || echo 'apt-get update failed; trying with the package lists that are here'
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
